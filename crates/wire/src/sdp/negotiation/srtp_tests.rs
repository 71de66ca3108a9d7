use super::tests::{local, media_lines, theirs};
use super::*;
use crate::sdp::Keys;
use crate::srtp::{KeySource, MasterKey, Suite};

fn source() -> KeySource {
    KeySource::new([3; 32])
}

fn with(srtp: fn(Keys) -> Srtp, seed: u8) -> Local {
    Local { srtp: srtp(Keys::draw(&mut KeySource::new([seed; 32]))), ..local() }
}

fn key(suite: Suite) -> MasterKey {
    source().draw(suite)
}

fn line(protocol: &str, attributes: &[String]) -> Description {
    theirs(&format!("m=audio 4000 {protocol} 0\n{}", attributes.concat()))
}

fn crypto(tag: u32, key: MasterKey) -> String {
    format!("a=crypto:{tag} {} inline:{}\n", key.suite().name(), key.to_base64())
}

fn answered(offer: &Description, local: &Local) -> Result<Option<Protected>, NotAcceptable> {
    answer(offer, local).map(|(_, negotiated)| negotiated.srtp)
}

fn crypto_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("a=crypto")).collect()
}

#[test]
fn the_strongest_of_their_keys_is_answered_under_its_tag_with_ours() {
    let local = with(Srtp::Optional, 1);
    let weak = key(Suite::AesCm128HmacSha1_32);
    let strong = key(Suite::Aes256CmHmacSha1_80);
    let offer = line("RTP/SAVP", &[crypto(1, weak), crypto(8, strong)]);
    let (text, negotiated) = answer(&offer, &local).unwrap();
    let srtp = negotiated.srtp.unwrap();
    assert_eq!(srtp.theirs, strong);
    assert_ne!(srtp.ours, strong);
    assert_eq!(media_lines(&text), ["m=audio 40000 RTP/SAVP 0"]);
    let expected = format!("a=crypto:8 AES_256_CM_HMAC_SHA1_80 inline:{}", srtp.ours.to_base64());
    assert_eq!(crypto_lines(&text), [expected]);
}

#[test]
fn both_ends_agree_on_the_same_two_keys() {
    let (we, they) = (with(Srtp::Required, 1), with(Srtp::Optional, 2));
    let text = offer(&we);
    assert_eq!(media_lines(&text)[0].split(' ').nth(2), Some("RTP/SAVP"));
    assert_eq!(crypto_lines(&text).len(), Suite::ALL.len());
    let (text, at_theirs) = answer(&Description::parse(text.as_bytes()).unwrap(), &they).unwrap();
    let ours = accept(&we, &Description::parse(text.as_bytes()).unwrap()).unwrap();
    let (ours, theirs) = (ours.srtp.unwrap(), at_theirs.srtp.unwrap());
    assert_eq!((ours.ours, ours.theirs), (theirs.theirs, theirs.ours));
}

#[test]
fn the_policy_says_what_is_taken() {
    let keyed = crypto(1, key(Suite::AesCm128HmacSha1_80));
    let plain = line("RTP/AVP", &[]);
    let opportunistic = line("RTP/AVP", std::slice::from_ref(&keyed));
    let secure = line("RTP/SAVPF", &[keyed]);
    let keyless = line("RTP/SAVP", &["a=crypto:1 F8_128_HMAC_SHA1_80 inline:x\n".to_owned()]);
    let policies = [local(), with(Srtp::Optional, 1), with(Srtp::Required, 1)];
    let table = policies.map(|local| {
        [&plain, &opportunistic, &secure, &keyless]
            .map(|offer| answered(offer, &local).map(|srtp| srtp.is_some()))
    });
    let (plain, protected) = (Ok(false), Ok(true));
    let (transport, unprotected) = (Err(NotAcceptable::Transport), Err(NotAcceptable::Unprotected));
    let no_suite = Err(NotAcceptable::NoCommonSuite);
    assert_eq!(
        table,
        [
            [plain, plain, transport, transport],
            [plain, protected, protected, no_suite],
            [unprotected, protected, protected, no_suite],
        ]
    );
}

#[test]
fn of_two_lines_the_one_is_taken_that_the_policy_allows() {
    let keyed = crypto(1, key(Suite::AeadAes128Gcm));
    let both = format!("m=audio 4000 RTP/SAVP 0\n{keyed}m=audio 4002 RTP/AVP 0\n");
    let ports = |local: &Local| {
        let (_, negotiated) = answer(&theirs(&both), local).unwrap();
        (negotiated.remote.port(), negotiated.srtp.is_some())
    };
    assert_eq!(ports(&local()), (4002, false));
    assert_eq!(ports(&with(Srtp::Optional, 1)), (4000, true));
}

#[test]
fn an_answer_must_name_one_key_that_was_offered() {
    let we = with(Srtp::Required, 1);
    let keyed = |tag, suite| crypto(tag, key(suite));
    let accepted = |attributes: &[String]| {
        accept(&we, &line("RTP/SAVP", attributes)).map(|agreed| agreed.srtp.is_some())
    };
    assert_eq!(accepted(&[keyed(1, Suite::AeadAes128Gcm)]), Ok(true));
    let refused = Err(NotAcceptable::NoCommonSuite);
    assert_eq!(accepted(&[keyed(9, Suite::AeadAes128Gcm)]), refused);
    assert_eq!(accepted(&[keyed(1, Suite::AesCm128HmacSha1_80)]), refused);
    let two = [keyed(1, Suite::AeadAes128Gcm), keyed(2, Suite::Aes256CmHmacSha1_80)];
    assert_eq!(accepted(&two), refused);
    assert_eq!(accepted(&[]), refused);
    let plain = accept(&we, &line("RTP/AVP", &[]));
    assert_eq!(plain, Err(NotAcceptable::Unprotected));
    // Our own key back would let somebody play our own sound to us.
    let text = offer(&we);
    let reflected = format!("{}\n", crypto_lines(&text)[0]);
    assert_eq!(accepted(&[reflected]), refused);
}

#[test]
fn a_later_offer_of_ours_goes_on_with_the_key_that_serves() {
    let mut we = with(Srtp::Optional, 1);
    let suite = Suite::AesCm128HmacSha1_80;
    let first =
        line("RTP/SAVP", &[crypto(4, key(suite)), crypto(5, key(Suite::AesCm128HmacSha1_32))]);
    let (text, before) = answer(&first, &we).unwrap();
    we.srtp.renew(before.srtp.map(|srtp| srtp.ours.suite()), &mut source());
    we.previous = Some(first);
    let again = offer(&we);
    assert_eq!(crypto_lines(&again), crypto_lines(&text));
    assert_eq!(media_lines(&again)[0].split(' ').nth(2), Some("RTP/SAVP"));
    let other = source().draw(suite);
    let agreed = accept(&we, &line("RTP/SAVP", &[crypto(4, other)])).unwrap().srtp.unwrap();
    assert_eq!((agreed.ours, agreed.theirs), (before.srtp.unwrap().ours, other));
    let plain = accept(&we, &line("RTP/AVP", &[]));
    assert_eq!(plain, Err(NotAcceptable::Unprotected));
    // Who takes the line as plain gets keys that never served, should it be protected again.
    we.srtp.renew(None, &mut source());
    let protected = answer(&line("RTP/SAVP", &[crypto(1, key(suite))]), &we).unwrap().1;
    assert_ne!(protected.srtp.unwrap().ours, agreed.ours);
}

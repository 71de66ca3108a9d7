use proptest::prelude::*;

use super::transform::{Purpose, SessionKeys, Transform};
use super::*;

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn master(suite: Suite, key_and_salt: &str) -> MasterKey {
    let mut bytes = [0; KEY_BYTES_MAX];
    let given = unhex(key_and_salt);
    bytes[..given.len()].copy_from_slice(&given);
    MasterKey::new(suite, &bytes)
}

fn drawn(suite: Suite) -> MasterKey {
    KeySource::new([7; 32]).draw(suite)
}

fn protected(outbound: &mut Outbound, plain: &[u8]) -> Vec<u8> {
    let mut packet = [plain, &vec![0; outbound.overhead()]].concat();
    outbound.protect(&mut packet).unwrap();
    packet
}

fn protected_control(outbound: &mut Outbound, plain: &[u8]) -> Vec<u8> {
    let mut packet = [plain, &vec![0; outbound.control_overhead()]].concat();
    outbound.protect_control(&mut packet).unwrap();
    packet
}

fn opened(inbound: &mut Inbound, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut packet = packet.to_vec();
    let length = inbound.unprotect(&mut packet)?;
    packet.truncate(length);
    Ok(packet)
}

fn opened_control(inbound: &mut Inbound, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut packet = packet.to_vec();
    let length = inbound.unprotect_control(&mut packet)?;
    packet.truncate(length);
    Ok(packet)
}

fn rtp(ssrc: u32, sequence: u16) -> Vec<u8> {
    let header = crate::rtp::Header {
        payload_type: 0,
        marker: false,
        sequence,
        timestamp: u32::from(sequence) * 160,
        ssrc,
    };
    let mut packet = vec![0xab; crate::rtp::HEADER_BYTES + 160];
    crate::rtp::write_header(&mut packet, &header);
    packet
}

const RTCP: &str = "80c90001cafebabe81ca0003cafebabe0103616263000000";

#[test]
fn session_keys_are_derived_as_rfc_3711_and_rfc_6188_say() {
    for (suite, key, [key_derived, authentication, salt]) in [
        (
            Suite::AesCm128HmacSha1_80,
            "e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6",
            [
                "c61e7a93744f39ee10734afe3ff7a087",
                "cebe321f6ff7716b6fd4ab49af256a156d38baa4",
                "30cbbc08863d8c85d49db34a9ae1",
            ],
        ),
        (
            Suite::Aes256CmHmacSha1_80,
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6\
             3b04803de51ee7c96423ab5b78d2",
            [
                "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
                "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05",
                "fa31791685ca444a9e07c6c64e93",
            ],
        ),
    ] {
        let keys = SessionKeys::derive(&master(suite, key), Purpose::Media);
        assert_eq!(hex(&keys.key[..suite.key_bytes()]), key_derived);
        assert_eq!(hex(&keys.authentication), authentication);
        assert_eq!(hex(&keys.salt), salt);
    }
}

#[test]
fn packets_are_those_of_libsrtp_beyond_a_wrap_of_the_sequence() {
    let mut contexts = None;
    for line in include_str!("../../../../fixtures/srtp/libsrtp.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match (words[0], &mut contexts) {
            ("key", contexts) => {
                let key = master(Suite::named(words[1]).unwrap(), words[2]);
                *contexts = Some((Outbound::new(&key), Inbound::new(&key)));
            }
            ("rtp", Some((outbound, inbound))) => {
                assert_eq!(hex(&protected(outbound, &unhex(words[1]))), words[2]);
                assert_eq!(hex(&opened(inbound, &unhex(words[2])).unwrap()), words[1]);
            }
            ("rtcp", Some((outbound, inbound))) => {
                assert_eq!(hex(&protected_control(outbound, &unhex(words[1]))), words[2]);
                assert_eq!(hex(&opened_control(inbound, &unhex(words[2])).unwrap()), words[1]);
            }
            (other, _) => assert_eq!(other, "#"),
        }
    }
    assert!(contexts.is_some());
}

#[test]
fn a_packet_under_a_key_of_256_bits_is_that_of_libsrtps_own_test() {
    let key = "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6\
               3b04803de51ee7c96423ab5b78d2";
    let mut outbound = Outbound::new(&master(Suite::Aes256CmHmacSha1_80, key));
    let plain = unhex(&format!("800f1234decafbadcafebabe{}", "ab".repeat(16)));
    assert_eq!(
        hex(&protected(&mut outbound, &plain)),
        "800f1234decafbadcafebabef1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b"
    );
}

#[test]
fn packets_under_aes_gcm_are_those_of_rfc_7714() {
    let mut keys = SessionKeys { key: [0; 32], authentication: [0; 20], salt: [0; 14] };
    keys.key[..16].copy_from_slice(&std::array::from_fn::<u8, 16, _>(|at| at as u8));
    keys.salt[..12].copy_from_slice(b"Quid pro quo");
    let suite = Suite::AeadAes128Gcm;
    let transforms =
        || [Purpose::Media, Purpose::Control].map(|it| Transform::with(suite, it, &keys));
    let master = drawn(suite);
    // The RTCP compound of the RFC has the index 0x5d4.
    let mut outbound = Outbound::with(&master, transforms(), 0x5d3);
    let mut inbound = Inbound::with(&master, transforms());

    let plain = [&unhex("8040f17b8041f8d35501a0b2")[..], b"Gallia est omnis divisa in partes tres"];
    let sealed = "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a\
                  51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce";
    assert_eq!(hex(&protected(&mut outbound, &plain.concat())), sealed);
    assert_eq!(opened(&mut inbound, &unhex(sealed)), Ok(plain.concat()));

    let plain = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61\
                 deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";
    let sealed = "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda\
                  4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4";
    assert_eq!(hex(&protected_control(&mut outbound, &unhex(plain))), sealed);
    assert_eq!(opened_control(&mut inbound, &unhex(sealed)), Ok(unhex(plain)));
}

#[test]
fn who_has_another_key_reads_nothing_and_changes_nothing() {
    for suite in Suite::ALL {
        let mut source = KeySource::new([1; 32]);
        let (key, other) = (source.draw(suite), source.draw(suite));
        assert_ne!(key, other);
        let (mut outbound, mut inbound) = (Outbound::new(&key), Inbound::new(&key));
        let mut stranger = Outbound::new(&other);
        // A stranger's number far ahead must not move the window.
        let forged = protected(&mut stranger, &rtp(1, 30_000));
        assert_eq!(opened(&mut inbound, &forged), Err(SrtpError::Unauthentic));
        let forged = protected_control(&mut stranger, &unhex(RTCP));
        assert_eq!(opened_control(&mut inbound, &forged), Err(SrtpError::Unauthentic));
        let sent = protected(&mut outbound, &rtp(1, 5));
        assert_ne!(sent[..172], rtp(1, 5));
        assert_eq!(opened(&mut inbound, &sent), Ok(rtp(1, 5)));
        assert_eq!(opened(&mut inbound, &sent), Err(SrtpError::Replayed));
        let sent = protected_control(&mut outbound, &unhex(RTCP));
        assert_eq!(opened_control(&mut inbound, &sent), Ok(unhex(RTCP)));
        assert_eq!(opened_control(&mut inbound, &sent), Err(SrtpError::Replayed));
        assert_eq!(opened(&mut inbound, &rtp(1, 6)), Err(SrtpError::Unauthentic));
    }
}

#[test]
fn rtcp_that_is_not_encrypted_is_not_taken() {
    let key = drawn(Suite::AesCm128HmacSha1_80);
    let mut sent = protected_control(&mut Outbound::new(&key), &unhex(RTCP));
    let flag = sent.len() - 14;
    sent[flag] &= 0x7f;
    let mut inbound = Inbound::new(&key);
    assert_eq!(opened_control(&mut inbound, &sent), Err(SrtpError::Unauthentic));
}

#[test]
fn streams_of_one_key_wrap_apart_and_an_old_one_cannot_be_replayed() {
    let key = drawn(Suite::AesCm128HmacSha1_80);
    let (mut first, mut second) = (Outbound::new(&key), Outbound::new(&key));
    let mut inbound = Inbound::new(&key);
    let mut recorded = Vec::new();
    for sequence in [65_534, 65_535, 0, 1] {
        let sent = protected(&mut first, &rtp(1, sequence));
        assert_eq!(opened(&mut inbound, &sent), Ok(rtp(1, sequence)));
        recorded.push(sent);
    }
    let sent = protected(&mut second, &rtp(2, 9));
    assert_eq!(opened(&mut inbound, &sent), Ok(rtp(2, 9)));
    for old in recorded {
        assert_eq!(opened(&mut inbound, &old), Err(SrtpError::Replayed));
    }
}

#[test]
fn a_worn_out_key_protects_nothing() {
    let key = drawn(Suite::AeadAes128Gcm);
    let transforms = [Purpose::Media, Purpose::Control].map(|it| Transform::new(&key, it));
    let mut outbound = Outbound::with(&key, transforms, (1 << 31) - 2);
    protected_control(&mut outbound, &unhex(RTCP));
    let mut packet = [0; 64];
    assert_eq!(outbound.protect_control(&mut packet), Err(SrtpError::WornOut));
}

#[test]
fn keys_are_read_as_they_are_written_and_are_not_shown() {
    for suite in Suite::ALL {
        let key = drawn(suite);
        let text = key.to_base64();
        assert_eq!(MasterKey::from_base64(suite, &text), Some(key));
        assert_eq!(MasterKey::from_base64(suite, text.trim_end_matches('=')), Some(key));
        assert_eq!(MasterKey::from_base64(suite, &text[4..]), None);
        let shown = format!("{key:?} {:?} {:?}", Outbound::new(&key), Inbound::new(&key));
        assert!(!shown.contains(&text) && !shown.contains(&format!("{:?}", key.bytes())));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        for suite in Suite::ALL {
            let mut inbound = Inbound::new(&drawn(suite));
            prop_assert!(inbound.unprotect(&mut bytes).is_err());
            prop_assert!(inbound.unprotect_control(&mut bytes).is_err());
        }
    }

    #[test]
    fn what_is_lost_and_overtaken_costs_nothing_else(
        (suite, start) in (0_usize..4, 0_u16..0x8000),
        steps in prop::collection::vec((1_u16..400, any::<bool>()), 2..400),
    ) {
        let key = drawn(Suite::ALL[suite]);
        let (mut outbound, mut inbound) = (Outbound::new(&key), Inbound::new(&key));
        let mut sequence = start;
        let mut overtaken = None;
        for (step, waits) in steps {
            sequence = sequence.wrapping_add(step);
            let plain = rtp(3, sequence);
            let sent = protected(&mut outbound, &plain);
            if waits && overtaken.is_none() && step < 60 {
                overtaken = Some((sent, plain));
                continue;
            }
            prop_assert_eq!(opened(&mut inbound, &sent), Ok(plain));
            if let Some((sent, plain)) = overtaken.take() {
                let taken = opened(&mut inbound, &sent);
                prop_assert!(step >= 128 || taken == Ok(plain), "{taken:?} after {step}");
            }
        }
    }
}

//! Keys in descriptions (RFC 4568, SDES), and which of them serve.
//!
//! An audio line over RTP/SAVP is protected or not at all. One over RTP/AVP that brings keys all
//! the same is protected if the other end can (RFC 8643).

use super::NotAcceptable;
use super::description::Audio;
use crate::limits::SDP_CRYPTO_TAG_DIGITS_MAX;
use crate::srtp::{KeySource, MasterKey, Suite};

/// Packets for which a key may serve at most, as a power of two (RFC 3711 section 9.2).
const LIFETIME_BITS_MAX: u32 = 48;

/// Our keys for one call, one for each suite: only one of them is ever used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys(Box<[MasterKey; Suite::ALL.len()]>);

impl Keys {
    /// Keys that nobody had before.
    #[must_use]
    pub fn draw(source: &mut KeySource) -> Self {
        Self(Box::new(Suite::ALL.map(|suite| source.draw(suite))))
    }

    /// Draws all anew but the one that serves: what served once does not serve a second time,
    /// for its packets would be numbered again from the beginning.
    pub fn renew(&mut self, serving: Option<Suite>, source: &mut KeySource) {
        for key in self.0.iter_mut().filter(|key| Some(key.suite()) != serving) {
            *key = source.draw(key.suite());
        }
    }

    fn of(&self, suite: Suite) -> MasterKey {
        let key = self.0.iter().find(|key| key.suite() == suite);
        *key.expect("there is a key for each suite")
    }
}

/// What we want of SRTP.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Srtp {
    /// Nothing: who offers RTP/SAVP only is refused.
    #[default]
    Off,
    /// What they offer is answered; we offer none by ourselves.
    Optional(Keys),
    /// No call without.
    Required(Keys),
}

impl Srtp {
    fn keys(&self) -> Option<&Keys> {
        match self {
            Self::Off => None,
            Self::Optional(keys) | Self::Required(keys) => Some(keys),
        }
    }

    /// See [`Keys::renew`].
    pub fn renew(&mut self, serving: Option<Suite>, source: &mut KeySource) {
        match self {
            Self::Off => {}
            Self::Optional(keys) | Self::Required(keys) => keys.renew(serving, source),
        }
    }
}

/// The keys that were agreed on, both of the same suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protected {
    /// What we send is protected with this one.
    pub ours: MasterKey,
    /// What they send is protected with this one.
    pub theirs: MasterKey,
}

/// One `a=crypto` that we can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crypto {
    /// Names the attribute in its answer.
    pub(super) tag: u32,
    pub(super) key: MasterKey,
}

impl Crypto {
    /// Reads the attribute's value. None if it is broken, or asks for what we do not do: an
    /// attribute with an unknown suite or session parameter must not be chosen (RFC 4568 sections
    /// 5.1.2 and 6.3), nor one whose packets would name their key (MKI).
    pub(super) fn read(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next()?;
        let tag = (tag.len() <= SDP_CRYPTO_TAG_DIGITS_MAX).then(|| tag.parse().ok())??;
        let suite = Suite::named(words.next()?)?;
        let (method, info) = words.next()?.split_once(':')?;
        // Several keys, divided by semicolons, are told apart by MKI.
        if !method.eq_ignore_ascii_case("inline") || !words.all(can_be_ignored) {
            return None;
        }
        let mut parts = info.split('|');
        let key = MasterKey::from_base64(suite, parts.next()?)?;
        let rest_is_fine = match (parts.next(), parts.next()) {
            (None, _) => true,
            (Some(lifetime), None) => is_lifetime(lifetime),
            (Some(_), Some(_)) => false,
        };
        rest_is_fine.then_some(Self { tag, key })
    }

    /// What answers it: the same tag, with our key.
    pub(super) fn answered(&self, protected: &Protected) -> Self {
        Self { tag: self.tag, key: protected.ours }
    }

    /// The attribute's value.
    pub(super) fn value(&self) -> String {
        format!("{} {} inline:{}", self.tag, self.key.suite().name(), self.key.to_base64())
    }
}

/// Whether a session parameter changes nothing for us: one that may be ignored, and how large a
/// window is enough (RFC 4568 sections 6.3.7 and 6.3.8).
fn can_be_ignored(parameter: &str) -> bool {
    let is_window = |size: &str| size.parse::<u32>().is_ok_and(|size| size >= 64);
    parameter.starts_with('-') || parameter.strip_prefix("WSH=").is_some_and(is_window)
}

/// Whether this is for how many packets a key serves, `2^31` or a number. It is the sender's to
/// keep; ours serve for as many as there can be.
fn is_lifetime(text: &str) -> bool {
    match text.strip_prefix("2^") {
        Some(bits) => bits.parse().is_ok_and(|bits: u32| bits <= LIFETIME_BITS_MAX),
        None => text.parse().is_ok_and(|count| (1..=1_u64 << LIFETIME_BITS_MAX).contains(&count)),
    }
}

/// Which of the keys that an audio line brings serve, with ours: the strongest suite's. None
/// where it is plain, and may be.
pub(super) fn chosen(
    audio: &Audio,
    srtp: &Srtp,
) -> Result<Option<(Crypto, Protected)>, NotAcceptable> {
    let ours = srtp.keys();
    // Who answers with our own key would hear itself as us.
    let usable = ours.into_iter().flat_map(|ours| {
        let pair = |crypto: &Crypto| (*crypto, ours.of(crypto.key.suite()));
        audio.crypto.iter().map(pair).filter(|(crypto, ours)| crypto.key != *ours)
    });
    let strongest = usable.min_by_key(|(crypto, _)| crypto.key.suite());
    let strongest =
        strongest.map(|(crypto, ours)| (crypto, Protected { ours, theirs: crypto.key }));
    match (strongest, audio.secure, srtp) {
        (Some(strongest), _, _) => Ok(Some(strongest)),
        (None, true, Srtp::Off) => Err(NotAcceptable::Transport),
        (None, true, Srtp::Optional(_) | Srtp::Required(_)) => Err(NotAcceptable::NoCommonSuite),
        (None, false, Srtp::Required(_)) => Err(NotAcceptable::Unprotected),
        (None, false, Srtp::Off | Srtp::Optional(_)) => Ok(None),
    }
}

/// The keys that we offer: in a call that is up the one that serves, so that its stream goes on;
/// before, one for each suite if we must have one.
pub(super) fn offered(before: Option<&Audio>, srtp: &Srtp) -> Vec<Crypto> {
    let serving = before.map(|audio| chosen(audio, srtp).ok().flatten());
    match (serving, srtp) {
        (Some(Some((theirs, Protected { ours, .. }))), _) => {
            vec![Crypto { tag: theirs.tag, key: ours }]
        }
        (_, Srtp::Required(keys)) => {
            (1..).zip(keys.0.iter()).map(|(tag, key)| Crypto { tag, key: *key }).collect()
        }
        (Some(None) | None, Srtp::Off | Srtp::Optional(_)) => Vec::new(),
    }
}

/// Which of the keys that we offered was answered, and with what. What we offered over RTP/SAVP
/// is not plain in the answer.
pub(super) fn accepted(
    before: Option<&Audio>,
    audio: &Audio,
    srtp: &Srtp,
) -> Result<Option<Protected>, NotAcceptable> {
    let offered = offered(before, srtp);
    let was_secure = before.map_or(matches!(srtp, Srtp::Required(_)), |before| before.secure);
    let answers = |theirs: &&Crypto| {
        let same = |ours: &Crypto| ours.tag == theirs.tag && ours.key.suite() == theirs.key.suite();
        offered.iter().any(same)
    };
    let mut answered = audio.crypto.iter().filter(answers).copied();
    let crypto = match (answered.next(), answered.next()) {
        (Some(one), None) => vec![one],
        // Of several none is the answer (RFC 4568 section 5.1.3).
        (Some(_), Some(_)) | (None, _) => Vec::new(),
    };
    let audio = Audio { crypto, ..audio.clone() };
    match chosen(&audio, srtp)? {
        Some((_, protected)) => Ok(Some(protected)),
        None if was_secure => Err(NotAcceptable::Unprotected),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

    fn read(value: &str) -> Option<(u32, &'static str)> {
        Crypto::read(value).map(|crypto| (crypto.tag, crypto.key.suite().name()))
    }

    #[test]
    fn keys_are_read_as_rfc_4568_writes_them() {
        let suite = "AES_CM_128_HMAC_SHA1_80";
        for rest in ["", "|2^20", "|1048576", "|2^48", "|2^31 WSH=64", " -x", " -vendor=1 WSH=1024"]
        {
            let value = format!("1 {suite} inline:{KEY}{rest}");
            assert_eq!(read(&value), Some((1, suite)), "{value}");
        }
        let written = Crypto::read(&format!("7 {suite} inline:{KEY}")).unwrap().value();
        assert_eq!(written, format!("7 {suite} inline:{KEY}"));
    }

    #[test]
    fn what_is_not_done_here_makes_a_key_unusable() {
        let suite = "AES_CM_128_HMAC_SHA1_80";
        for value in [
            String::new(),
            "1".to_owned(),
            format!("x {suite} inline:{KEY}"),
            format!("1234567890 {suite} inline:{KEY}"),
            format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 {suite} uri:{KEY}"),
            format!("1 {suite} inline:{}", &KEY[4..]),
            format!("1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 {suite} inline:{KEY}|2^20|1:4"),
            format!("1 {suite} inline:{KEY}|1:4"),
            format!("1 {suite} inline:{KEY}|2^49"),
            format!("1 {suite} inline:{KEY}|0"),
            format!("1 {suite} inline:{KEY}|2^20|1:4;inline:{KEY}|2^20|2:4"),
            format!("1 {suite} inline:{KEY} KDR=1"),
            format!("1 {suite} inline:{KEY} UNENCRYPTED_SRTP"),
            format!("1 {suite} inline:{KEY} UNAUTHENTICATED_SRTP WSH=64"),
            format!("1 {suite} inline:{KEY} WSH=1"),
            format!("1 {suite} inline:{KEY} unknown=1"),
        ] {
            assert_eq!(read(&value), None, "{value}");
        }
    }
}

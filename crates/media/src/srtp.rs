//! The contexts of SRTP for what signalling agreed on.
//!
//! They are made off the media thread, with the [`Link`](crate::link::Link) that brings them. A
//! key that serves already keeps its context: its packets' numbers go on.
//!
//! ```text
//!   serves ── another key is agreed ──► retires ── two seconds ──► opens nothing
//! ```
//! The far end takes its new key when it has our answer, so packets under the old one are still on
//! their way. Each is opened once, as before: the context that knows which came retires with its
//! key.

use model::{Connection, SrtpKey, SrtpSuite};
use wire::srtp::{Inbound, MasterKey, Outbound, SrtpError, Suite};

/// How long after its last packet a key opens others when another serves \[µs\]: our answer, which
/// tells the far end to use the other, may be lost twice (RFC 3261 section 13.3.1.4).
const RETIRING_US: u64 = 2_000_000;

/// The contexts for what the far end sends.
pub(crate) struct TheirKeys {
    serving: Option<Box<Inbound>>,
    retiring: Option<Retiring>,
}

struct Retiring {
    context: Box<Inbound>,
    until_us: u64,
}

impl TheirKeys {
    /// The key that was agreed on, if there is one.
    pub(crate) fn new(terms: &Connection) -> TheirKeys {
        let key = terms.srtp.as_ref().map(|srtp| master(srtp.suite, &srtp.theirs));
        TheirKeys { serving: key.map(|key| Box::new(Inbound::new(&key))), retiring: None }
    }

    /// Whether what comes must be protected.
    pub(crate) fn serve(&self) -> bool {
        self.serving.is_some()
    }

    /// Whether what comes at that time may be protected.
    pub(crate) fn may_open(&self, arrival_us: u64) -> bool {
        self.serve() || self.retiring.as_ref().is_some_and(|key| arrival_us < key.until_us)
    }

    /// Takes the place of what was before, to which something came at `last_us` the last time. What
    /// is of no use any more is left there.
    pub(crate) fn succeed(&mut self, before: &mut TheirKeys, last_us: u64) {
        let key = |keys: &TheirKeys| keys.serving.as_ref().map(|context| *context.key());
        if key(self) == key(before) {
            std::mem::swap(self, before);
            return;
        }
        std::mem::swap(&mut self.retiring, &mut before.retiring);
        if let Some(context) = before.serving.take() {
            let until_us = last_us + RETIRING_US;
            let retiring = self.retiring.replace(Retiring { context, until_us });
            before.retiring = retiring;
        }
    }

    /// Takes the protection off a packet that came then, by `open`, into `opened`; how long it is
    /// without.
    pub(crate) fn unprotect(
        &mut self,
        arrival_us: u64,
        (bytes, opened): (&[u8], &mut [u8]),
        open: fn(&mut Inbound, &mut [u8]) -> Result<usize, SrtpError>,
    ) -> Result<usize, SrtpError> {
        let mut open = |context: &mut Inbound| {
            opened.copy_from_slice(bytes);
            open(context, opened)
        };
        let result = match &mut self.serving {
            Some(context) => open(context),
            None => Err(SrtpError::Malformed),
        };
        match (&mut self.retiring, result) {
            (Some(retiring), Err(error)) if arrival_us < retiring.until_us => {
                open(&mut retiring.context).map_err(|_| error)
            }
            (Some(_) | None, result) => result,
        }
    }
}

/// For what we send.
pub(crate) fn outbound(terms: &Connection) -> Option<Box<Outbound>> {
    let srtp = terms.srtp.as_ref()?;
    Some(Box::new(Outbound::new(&master(srtp.suite, &srtp.ours))))
}

/// Lets a context with the key that serves go on; else the other takes its place.
pub(crate) fn succeed<C>(
    serving: &mut Option<Box<C>>,
    next: &mut Option<Box<C>>,
    key: impl Fn(&C) -> MasterKey,
) {
    let key = |context: &Option<Box<C>>| context.as_deref().map(&key);
    if key(serving) != key(next) {
        std::mem::swap(serving, next);
    }
}

fn master(suite: SrtpSuite, key: &SrtpKey) -> MasterKey {
    let suite = match suite {
        SrtpSuite::AeadAes128Gcm => Suite::AeadAes128Gcm,
        SrtpSuite::Aes256CmHmacSha1_80 => Suite::Aes256CmHmacSha1_80,
        SrtpSuite::AesCm128HmacSha1_80 => Suite::AesCm128HmacSha1_80,
        SrtpSuite::AesCm128HmacSha1_32 => Suite::AesCm128HmacSha1_32,
    };
    MasterKey::new(suite, &key.0)
}

//! The contexts of SRTP for what signalling agreed on.
//!
//! They are made off the media thread, with the [`Link`](crate::link::Link) that brings them. A
//! key that serves already keeps its context: its packets' numbers go on.

use model::{Connection, SrtpKey, SrtpSuite};
use wire::srtp::{Inbound, MasterKey, Outbound, Suite};

/// For what the far end sends.
pub(crate) fn inbound(terms: &Connection) -> Option<Box<Inbound>> {
    let srtp = terms.srtp.as_ref()?;
    Some(Box::new(Inbound::new(&master(srtp.suite, &srtp.theirs))))
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

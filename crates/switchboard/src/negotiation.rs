//! From what SDP agreed on to what media is told.

use std::net::{IpAddr, SocketAddr};

use model::{Codec, Connection, Source};
use wire::sdp::{Direction, Encoding, Local, Negotiated, Preference};

/// Our codecs, best first: what a far end without a preference of its own is given.
const CODECS: [Encoding; 4] = [Encoding::Opus, Encoding::G722, Encoding::Pcmu, Encoding::Pcma];

/// Milliseconds of audio in a packet, where the far end does not ask for another length.
const PTIME_MS: u16 = 20;

/// What we say of ourselves on this address.
pub(crate) fn local(address: SocketAddr, session_id: u64) -> Local {
    Local {
        address,
        codecs: CODECS.to_vec(),
        direction: Direction::SendRecv,
        // Some phones read it as a signed number.
        session_id: session_id >> 2,
        version: 1,
        ptime_ms: PTIME_MS,
        prefer: Preference::Offerer,
    }
}

/// What media is told of what was agreed. None where the codec is none that carries speech.
pub(crate) fn connection(negotiated: &Negotiated, signalling: IpAddr) -> Option<Connection> {
    Some(Connection {
        codec: codec(negotiated.codec)?,
        payload_type: negotiated.payload_type,
        receive_payload_type: negotiated.receive_payload_type,
        telephone_event: negotiated.telephone_event,
        ptime_ms: negotiated.ptime_ms,
        fec: negotiated.fec,
        remote: negotiated.remote,
        source: Source::Signalled { signalling },
        sends: negotiated.direction.sends() && !negotiated.remote.ip().is_unspecified(),
        receives: negotiated.direction.receives(),
    })
}

fn codec(encoding: Encoding) -> Option<Codec> {
    match encoding {
        Encoding::Pcmu => Some(Codec::Pcmu),
        Encoding::Pcma => Some(Codec::Pcma),
        Encoding::G722 => Some(Codec::G722),
        Encoding::Opus => Some(Codec::Opus),
        Encoding::TelephoneEvent | Encoding::ComfortNoise => None,
    }
}

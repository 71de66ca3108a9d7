//! From what SDP agreed on to what media is told.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use model::{Alternative, Codec, Connection, Content, OpusWishes, Rtcp, Source, TelephoneEvent};
use wire::sdp::{self, Description, Encoding, Local, Negotiated, Parameters, SdpError};

use crate::config::RtpTimeouts;

/// Our codecs, best first: what a far end without a preference of its own is given.
const CODECS: [Encoding; 6] = [
    Encoding::Opus,
    Encoding::G722,
    Encoding::Pcmu,
    Encoding::Pcma,
    Encoding::ComfortNoise,
    Encoding::TelephoneEvent,
];

/// What we say of ourselves on this address.
pub(crate) fn local(address: SocketAddr, session_id: u64) -> Local {
    // Some phones read the session's id as a signed number.
    Local::new(address, CODECS.to_vec(), session_id >> 2)
}

/// What media is told of what was agreed. None where the codec is none that carries speech.
pub(crate) fn connection(
    negotiated: &Negotiated,
    signalling: IpAddr,
    timeouts: RtpTimeouts,
) -> Option<Connection> {
    let sends = negotiated.direction.sends() && !negotiated.remote.ip().is_unspecified();
    let receives = negotiated.direction.receives();
    let timeout_s = if sends && receives { timeouts.talking_s } else { timeouts.held_s };
    Some(Connection {
        codec: codec(negotiated.codec)?,
        payload_type: negotiated.payload_type,
        receive_payload_type: negotiated.receive_payload_type,
        telephone_event: negotiated.telephone_event.map(telephone_event),
        alternatives: negotiated.alternatives.iter().filter_map(alternative).collect(),
        ptime_ms: negotiated.ptime_ms,
        fec: negotiated.fec(),
        opus: wishes(&negotiated.parameters),
        remote: negotiated.remote,
        rtcp: match (negotiated.rtcp_mux, negotiated.rtcp) {
            (true, _) => Rtcp::Shared,
            (false, Some(address)) => Rtcp::Apart(address),
            (false, None) => Rtcp::Nowhere,
        },
        voip_metrics: negotiated.voip_metrics,
        srtp: negotiated.srtp.as_ref().map(crate::srtp::terms),
        source: Source::Signalled { signalling },
        sends,
        receives,
        rtp_timeout_ms: (timeout_s > 0).then(|| timeout_s.saturating_mul(1_000)),
    })
}

fn wishes(parameters: &Parameters) -> OpusWishes {
    match parameters {
        Parameters::Opus(opus) => OpusWishes {
            constant_bitrate: opus.constant_bitrate,
            max_average_bitrate_bps: opus.max_average_bitrate_bps,
            max_playback_rate_hz: opus.max_playback_rate_hz,
        },
        Parameters::None | Parameters::Events(_) => OpusWishes::default(),
    }
}

fn telephone_event(agreed: sdp::TelephoneEvent) -> TelephoneEvent {
    TelephoneEvent {
        payload_type: agreed.payload_type,
        receive_payload_type: agreed.receive_payload_type,
        clock_rate_hz: agreed.clock_rate_hz,
    }
}

fn alternative(agreed: &sdp::Alternative) -> Option<Alternative> {
    let sdp::Alternative { receive_payload_type, encoding, clock_rate_hz } = *agreed;
    let content = match encoding {
        Encoding::TelephoneEvent => Content::Events { clock_rate_hz },
        Encoding::Pcmu
        | Encoding::Pcma
        | Encoding::G722
        | Encoding::Opus
        | Encoding::ComfortNoise => Content::Voice(codec(encoding)?),
    };
    Some(Alternative { receive_payload_type, content })
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

/// The limits of session descriptions.
pub(crate) const LIMITS: [&str; 4] =
    ["sdp_bytes", "sdp_candidates", "sdp_formats", "sdp_media_lines"];

/// Reads a session description; one over a limit is counted.
pub(crate) fn read(limits: &mut BTreeMap<&'static str, u64>, sdp: &[u8]) -> Option<Description> {
    let limit = match Description::parse(sdp) {
        Ok(description) => return Some(description),
        Err(SdpError::Syntax(_)) => None,
        Err(SdpError::TooLong) => Some("sdp_bytes"),
        Err(SdpError::TooManyCandidates) => Some("sdp_candidates"),
        Err(SdpError::TooManyFormats) => Some("sdp_formats"),
        Err(SdpError::TooManyMediaLines) => Some("sdp_media_lines"),
    };
    if let Some(limit) = limit {
        *limits.entry(limit).or_default() += 1;
    }
    None
}

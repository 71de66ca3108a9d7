//! Our descriptions as text.

use std::net::SocketAddr;

use sdp_types::{Attribute, Connection, Media as MediaLines, Origin, Session, Time};

use super::crypto::Crypto;
use super::description::Media;
use super::{Direction, Format};

/// Our session with these media lines, as text.
pub(super) fn session(
    address: SocketAddr,
    (session_id, version): (u64, u64),
    (start_time, stop_time): (u64, u64),
    medias: Vec<MediaLines>,
) -> String {
    let session = Session {
        origin: Origin::with_ip_addr(session_id, version, address.ip()),
        // Some parsers fail on an empty name; RFC 8866 section 5.3 asks for this one.
        session_name: "-".to_owned(),
        session_description: None,
        uri: None,
        emails: Vec::new(),
        phones: Vec::new(),
        connection: Some(Connection::from_ip_addr(address.ip())),
        bandwidths: Vec::new(),
        times: vec![Time { start_time, stop_time, repeats: Vec::new() }],
        time_zones: Vec::new(),
        key: None,
        attributes: Vec::new(),
        medias,
    };
    session.to_string()
}

/// What our audio line says of where RTCP comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RtcpPlace {
    /// With RTP (RFC 5761).
    Shared,
    /// To the port that is named. Who does not know multiplexing may still send RTCP to a port that
    /// is named (RFC 3605); RTP's own is the only one that a leg has.
    Named,
    /// Whether they share is theirs to say: an offer.
    SharedOrNamed,
}

/// What our audio line says.
pub(super) struct AudioLine<'a> {
    pub(super) port: u16,
    pub(super) protocol: &'a str,
    pub(super) formats: &'a [Format],
    pub(super) direction: Direction,
    pub(super) ptime_ms: u16,
    pub(super) rtcp: RtcpPlace,
    pub(super) voip_metrics: bool,
    pub(super) crypto: &'a [Crypto],
}

impl AudioLine<'_> {
    pub(super) fn lines(&self) -> MediaLines {
        let numbers: Vec<_> =
            self.formats.iter().map(|format| format.payload_type.to_string()).collect();
        let mut lines = empty("audio", self.port, self.protocol, &numbers.join(" "));
        for format in self.formats {
            lines.attributes.push(Attribute::with_value("rtpmap", format.rtpmap()));
            let fmtp = format.fmtp().map(|fmtp| Attribute::with_value("fmtp", fmtp));
            lines.attributes.extend(fmtp);
        }
        lines.attributes.push(Attribute::with_value("ptime", self.ptime_ms));
        lines.attributes.push(Attribute::new(self.direction.name()));
        let mux = || Attribute::new("rtcp-mux");
        let named = || Attribute::with_value("rtcp", self.port);
        match self.rtcp {
            RtcpPlace::Shared => lines.attributes.push(mux()),
            RtcpPlace::Named => lines.attributes.push(named()),
            RtcpPlace::SharedOrNamed => lines.attributes.extend([mux(), named()]),
        }
        if self.voip_metrics {
            lines.attributes.push(Attribute::with_value("rtcp-xr", "voip-metrics"));
        }
        let keys = self.crypto.iter().map(|key| Attribute::with_value("crypto", key.value()));
        lines.attributes.extend(keys);
        lines
    }
}

/// A line that we do not want: the same with port 0 (RFC 3264 section 6).
pub(super) fn refusal(media: &Media) -> MediaLines {
    empty(&media.kind, 0, &media.protocol, &media.formats)
}

fn empty(kind: &str, port: u16, protocol: &str, formats: &str) -> MediaLines {
    MediaLines {
        media: kind.to_owned(),
        port,
        num_ports: None,
        proto: protocol.to_owned(),
        fmt: formats.to_owned(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

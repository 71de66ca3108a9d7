//! A description as the far end sent it, read once at the edge.

use std::net::{IpAddr, SocketAddr};

use sdp_types::{Connection, Media as MediaLines, Rtcp, Session};

use super::crypto::Crypto;
use super::reading::{self, Lines};
use super::{Direction, Format, NotAcceptable};
use crate::limits::{
    SDP_BYTES_MAX, SDP_CANDIDATES_MAX, SDP_CRYPTO_MAX, SDP_FORMATS_MAX, SDP_MEDIA_LINES_MAX,
};

/// Why bytes are no description that we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// The grammar of RFC 8866 is broken; says where.
    #[error("{0}")]
    Syntax(String),
    /// Longer than [`SDP_BYTES_MAX`].
    #[error("longer than {SDP_BYTES_MAX} bytes")]
    TooLong,
    /// More than [`SDP_MEDIA_LINES_MAX`].
    #[error("more media lines than {SDP_MEDIA_LINES_MAX}")]
    TooManyMediaLines,
    /// More than [`SDP_FORMATS_MAX`] in one media line.
    #[error("more formats in a media line than {SDP_FORMATS_MAX}")]
    TooManyFormats,
    /// More than [`SDP_CANDIDATES_MAX`].
    #[error("more candidates than {SDP_CANDIDATES_MAX}")]
    TooManyCandidates,
}

/// Whose description it is, and which version (the `o=` line, RFC 8866 section 5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Identifies the session together with the address: a number by the RFC, any word in fact.
    pub session_id: String,
    /// Grows when the description changes: the same one again asks for nothing (RFC 3264
    /// section 8). 0 if it is no number.
    pub version: u64,
    /// Where it was made: an address or a name. Media does not go there.
    pub address: String,
}

/// An audio line that we can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// Where they want to receive it. The old form of hold, `0.0.0.0`, is kept.
    pub remote: SocketAddr,
    /// The formats that we know, the one they like best first.
    pub formats: Vec<Format>,
    /// All formats' numbers, in the same order, with whether they say what it means.
    pub(super) numbers: Vec<(u8, bool)>,
    /// Which way it flows, as they see it.
    pub direction: Direction,
    /// How much sound they want in a packet \[ms\].
    pub ptime_ms: Option<u16>,
    /// How much sound they take in a packet \[ms\].
    pub maxptime_ms: Option<u16>,
    /// Whether they can have RTCP on the port of RTP (RFC 5761).
    pub rtcp_mux: bool,
    /// Where else they want RTCP, if not on the next port (RFC 3605).
    pub rtcp: Option<SocketAddr>,
    /// Whether they want to be told how they are heard (RFC 3611 section 5.1).
    pub voip_metrics: bool,
    /// It is over RTP/SAVP: protected, or not at all.
    pub secure: bool,
    /// The keys that we can use.
    pub(super) crypto: Vec<Crypto>,
}

impl Audio {
    /// Which way it flows if `0.0.0.0` is taken for what it meant before there were directions:
    /// send nothing to me (RFC 3264 section 8.4).
    #[must_use]
    pub fn effective_direction(&self) -> Direction {
        let reachable = !self.remote.ip().is_unspecified();
        Direction::new(self.direction.sends(), self.direction.receives() && reachable)
    }

    /// The formats that we know, if it answers these: a number that it does not explain means what
    /// it meant there.
    pub(super) fn formats_as_offered(&self, offered: &[Format]) -> Vec<Format> {
        let by_number = |formats: &[Format], number| {
            formats.iter().find(|format| format.payload_type == number).copied()
        };
        let meant = |(number, explained): &(u8, bool)| {
            let known = by_number(&self.formats, *number);
            known.or_else(|| by_number(offered, *number).filter(|_| !explained))
        };
        self.numbers.iter().filter_map(meant).collect()
    }

    /// Whether it is of that address's family, or says no address yet (`0.0.0.0`).
    pub(super) fn is_in_reach_of(&self, ours: IpAddr) -> bool {
        let theirs = self.remote.ip();
        theirs.is_unspecified() || theirs.is_ipv4() == ours.is_ipv4()
    }

    /// Whether they hold us: they take nothing from us.
    #[must_use]
    pub fn is_hold(&self) -> bool {
        !self.effective_direction().receives()
    }
}

/// One media line, kept so that it can be answered whatever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Media {
    pub(super) kind: String,
    pub(super) protocol: String,
    pub(super) formats: String,
    /// Whether it is video that would flow.
    video: bool,
    /// The stream, or why it cannot be one.
    pub(super) audio: Result<Audio, NotAcceptable>,
}

/// A whole offer or answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    origin: Origin,
    /// Start and stop of its `t=` line, which an answer repeats (RFC 3264 section 6).
    pub(super) time: (u64, u64),
    pub(super) media: Vec<Media>,
}

impl Description {
    /// Reads a description. Lines that are not ours to understand are kept to be answered.
    ///
    /// # Errors
    /// [`SdpError`] when a line that we need breaks the grammar of RFC 8866, or all of them a bound
    /// of ours.
    pub fn parse(bytes: &[u8]) -> Result<Self, SdpError> {
        if bytes.len() > SDP_BYTES_MAX {
            return Err(SdpError::TooLong);
        }
        let Lines { text, origin, time } = reading::lines(bytes);
        let session = Session::parse(text.as_bytes());
        let session = session.map_err(|error| SdpError::Syntax(error.to_string()))?;
        check_bounds(&session)?;
        let media = session.medias.iter().map(|lines| Media::read(&session, lines)).collect();
        Ok(Self { origin, time, media })
    }

    /// Whose it is, and which version.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How many media lines there are: an answer has as many.
    #[must_use]
    pub const fn media_line_count(&self) -> usize {
        self.media.len()
    }

    /// Whether there is video that would flow one way at least. It is answered with port 0, as all
    /// that is not audio.
    #[must_use]
    pub fn has_video(&self) -> bool {
        self.media.iter().any(|media| media.video)
    }

    /// The first audio line that we can use.
    #[must_use]
    pub fn audio(&self) -> Option<&Audio> {
        self.media.iter().find_map(|media| media.audio.as_ref().ok())
    }

    /// Whether there is audio that can be had from an address of ours: of its family, or for now
    /// from nowhere (`0.0.0.0`).
    #[must_use]
    pub fn has_audio_for(&self, ours: IpAddr) -> bool {
        self.lines_of_audio().any(|audio| audio.is_in_reach_of(ours))
    }

    /// Whether there is audio with keys for SRTP that we can use.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.lines_of_audio().any(|audio| !audio.crypto.is_empty())
    }

    /// Whether there is audio, and none that may be plain.
    #[must_use]
    pub fn is_protected_only(&self) -> bool {
        self.lines_of_audio().next().is_some() && self.lines_of_audio().all(|audio| audio.secure)
    }

    fn lines_of_audio(&self) -> impl Iterator<Item = &Audio> {
        self.media.iter().filter_map(|media| media.audio.as_ref().ok())
    }
}

fn check_bounds(session: &Session) -> Result<(), SdpError> {
    if session.medias.len() > SDP_MEDIA_LINES_MAX {
        return Err(SdpError::TooManyMediaLines);
    }
    if session.medias.iter().any(|media| media.fmt.split(' ').count() > SDP_FORMATS_MAX) {
        return Err(SdpError::TooManyFormats);
    }
    let candidates = session
        .medias
        .iter()
        .flat_map(|media| &media.attributes)
        .chain(&session.attributes)
        .filter(|attribute| attribute.attribute.eq_ignore_ascii_case("candidate"))
        .count();
    if candidates > SDP_CANDIDATES_MAX {
        return Err(SdpError::TooManyCandidates);
    }
    Ok(())
}

impl Media {
    fn read(session: &Session, lines: &MediaLines) -> Self {
        Self {
            kind: lines.media.clone(),
            protocol: lines.proto.clone(),
            formats: lines.fmt.clone(),
            video: is_live_video(session, lines),
            audio: Audio::read(session, lines),
        }
    }

    pub(super) fn is_audio(&self) -> bool {
        self.kind.eq_ignore_ascii_case("audio")
    }
}

impl Audio {
    fn read(session: &Session, lines: &MediaLines) -> Result<Self, NotAcceptable> {
        if !lines.media.eq_ignore_ascii_case("audio") {
            return Err(NotAcceptable::NoAudio);
        }
        if lines.port == 0 {
            return Err(NotAcceptable::Refused);
        }
        let is_one_of =
            |names: [&str; 2]| names.iter().any(|name| lines.proto.eq_ignore_ascii_case(name));
        let secure = is_one_of(["RTP/SAVP", "RTP/SAVPF"]);
        if !secure && !is_one_of(["RTP/AVP", "RTP/AVPF"]) {
            return Err(NotAcceptable::Transport);
        }
        let connection = lines.connections.first().or(session.connection.as_ref());
        let ip = connection.and_then(unicast).ok_or(NotAcceptable::Address)?;
        let (formats, numbers) = read_formats(lines);
        if !formats.iter().any(|format| format.encoding.is_voice()) {
            return Err(NotAcceptable::NoCommonCodec);
        }
        let direction = direction_of(session, lines);
        Ok(Self {
            remote: SocketAddr::new(ip, lines.port),
            formats,
            numbers,
            direction,
            ptime_ms: milliseconds(session, lines, "ptime"),
            maxptime_ms: milliseconds(session, lines, "maxptime"),
            rtcp_mux: lines.has_attribute("rtcp-mux"),
            rtcp: rtcp(lines, ip),
            voip_metrics: wants_voip_metrics(lines),
            secure,
            crypto: crypto(lines),
        })
    }
}

/// Names would need DNS, which nothing waits for here; groups and everybody are no far end.
fn unicast(connection: &Connection) -> Option<IpAddr> {
    let ip = connection.try_address().ok()?.ip;
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    if ip.is_multicast() || is_broadcast { None } else { Some(ip) }
}

/// Which way a line's media flow: as it says itself, else as the session does (RFC 8866
/// section 6.7).
fn direction_of(session: &Session, lines: &MediaLines) -> Direction {
    let named = |attributes: &[sdp_types::Attribute]| {
        attributes.iter().find_map(|attribute| Direction::named(&attribute.attribute))
    };
    named(&lines.attributes).or_else(|| named(&session.attributes)).unwrap_or_default()
}

fn is_live_video(session: &Session, lines: &MediaLines) -> bool {
    let direction = direction_of(session, lines);
    lines.media.eq_ignore_ascii_case("video")
        && lines.port != 0
        && (direction.sends() || direction.receives())
}

/// A whole number; a fraction, which RFC 8866 section 6.4 allows, is cut off. Some say it once for
/// the session.
fn milliseconds(session: &Session, lines: &MediaLines, name: &str) -> Option<u16> {
    let of_line = lines.get_first_attribute_value(name);
    let value = of_line.or_else(|| session.get_first_attribute_value(name))??;
    value.split('.').next()?.trim().parse().ok().filter(|ms| *ms > 0)
}

fn rtcp(lines: &MediaLines, media_ip: IpAddr) -> Option<SocketAddr> {
    let rtcp = lines.get_first_attribute_typed::<Rtcp>()?.ok()?;
    let ip = rtcp.try_address().map_or(Some(media_ip), |address| address.ok().map(|it| it.ip))?;
    if rtcp.port == 0 || ip.is_multicast() { None } else { Some(SocketAddr::new(ip, rtcp.port)) }
}

/// Whether `a=rtcp-xr` asks for the block of VoIP metrics.
fn wants_voip_metrics(lines: &MediaLines) -> bool {
    let mut attributes = lines.attributes.iter();
    let asks = |value: &str| value.split_ascii_whitespace().any(|word| word == "voip-metrics");
    attributes.any(|attribute| {
        attribute.attribute.eq_ignore_ascii_case("rtcp-xr")
            && attribute.value.as_deref().is_some_and(asks)
    })
}

/// The keys that we can use, in the line's order.
fn crypto(lines: &MediaLines) -> Vec<Crypto> {
    let attributes = lines.attributes.iter();
    let values = attributes.filter(|it| it.attribute.eq_ignore_ascii_case("crypto"));
    let read = values.take(SDP_CRYPTO_MAX).filter_map(|it| Crypto::read(it.value.as_deref()?));
    read.collect()
}

/// The formats that we know, in the line's order, and all numbers, with whether they are explained.
fn read_formats(lines: &MediaLines) -> (Vec<Format>, Vec<(u8, bool)>) {
    let mut rtpmaps = [None; 128];
    let mut fmtps = [None; 128];
    for attribute in &lines.attributes {
        let values_by_payload_type = match attribute.attribute.to_ascii_lowercase().as_str() {
            "rtpmap" => &mut rtpmaps,
            "fmtp" => &mut fmtps,
            _ => continue,
        };
        let value = attribute.value.as_deref().unwrap_or_default().trim_start();
        let Some((payload_type, value)) = value.split_once(' ') else {
            continue;
        };
        let slot =
            payload_type.parse().ok().and_then(|at: usize| values_by_payload_type.get_mut(at));
        if let Some(slot @ None) = slot {
            *slot = Some(value);
        }
    }
    let payload_types = lines.fmt.split(' ').filter_map(|word| word.parse::<u8>().ok());
    let explained =
        |payload_type: u8| rtpmaps.get(usize::from(payload_type)).is_some_and(Option::is_some);
    let numbers = payload_types.map(|number| (number, explained(number))).collect::<Vec<_>>();
    let formats = numbers.iter().filter_map(|(number, _)| {
        let at = usize::from(*number);
        Format::read(*number, *rtpmaps.get(at)?, *fmtps.get(at)?)
    });
    (formats.collect(), numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_time_of_the_session_counts_where_the_line_has_none() {
        let ptime_ms = |of_line: &str| {
            let text = format!(
                "v=0\r\nc=IN IP4 192.0.2.1\r\na=ptime:30\r\nm=audio 4000 RTP/AVP 0\r\n{of_line}"
            );
            let described = Description::parse(text.as_bytes()).expect("a description");
            described.audio().expect("it has audio").ptime_ms
        };
        assert_eq!((ptime_ms(""), ptime_ms("a=ptime:10\r\n")), (Some(30), Some(10)));
    }

    #[test]
    fn there_is_video_where_it_would_flow_one_way_at_least() {
        let has_video = |session: &str, lines: &str| {
            let text = format!(
                "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                 {session}m=audio 4000 RTP/AVP 0\r\n{lines}"
            );
            Description::parse(text.as_bytes()).expect("a description").has_video()
        };
        assert!(!has_video("", ""));
        assert!(has_video("", "m=video 4002 RTP/AVP 31\r\n"));
        assert!(has_video("", "m=VIDEO 4002 RTP/SAVPF 96\r\na=recvonly\r\n"));
        assert!(has_video("a=inactive\r\n", "m=video 4002 RTP/AVP 31\r\na=sendonly\r\n"));
        // Taken back (RFC 3264 section 8.2), and asked for later.
        assert!(!has_video("", "m=video 0 RTP/AVP 31\r\n"));
        assert!(!has_video("", "m=video 4002 RTP/AVP 31\r\na=inactive\r\n"));
        assert!(!has_video("", "m=application 4002 RTP/AVP 31\r\n"));
    }
}

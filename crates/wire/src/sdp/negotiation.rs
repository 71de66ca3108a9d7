//! Offer and answer (RFC 3264).

use std::net::SocketAddr;

use super::crypto::{self, Protected, Srtp};
use super::description::{Audio, Description};
use super::writing::{self, AudioLine, RtcpPlace};
use super::{Direction, Encoding, Format, Parameters};
use crate::limits::{PTIME_MS_MAX, PTIME_MS_MIN};

/// Whose order of codecs counts when we answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Preference {
    /// The offerer's, as RFC 3264 section 6.1 recommends.
    #[default]
    Offerer,
    /// Ours, for example to keep all legs of a conference on one codec.
    Ours,
}

/// What we bring to an offer or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Where we receive. RTCP comes to the next port unless it is multiplexed.
    pub address: SocketAddr,
    /// What we can do, best first. [`Encoding::TelephoneEvent`] and [`Encoding::ComfortNoise`]
    /// are used only if they are listed.
    pub codecs: Vec<Encoding>,
    /// Which way we want it to flow, as we see it.
    pub direction: Direction,
    /// Stays the same for the life of the session (`o=`, RFC 8866 section 5.2).
    pub session_id: u64,
    /// One more with every description that differs from the last (RFC 3264 section 8). Written
    /// with the last version, an unchanged description is the same text again.
    pub version: u64,
    /// How much sound we want in a packet, unless the far end says otherwise \[ms\].
    pub ptime_ms: u16,
    /// Whose order of codecs counts when we answer.
    pub prefer: Preference,
    /// Whether we can have RTCP on the port of RTP (RFC 5761).
    pub rtcp_mux: bool,
    /// What we want of SRTP.
    pub srtp: Srtp,
    /// The far end's last description in this session, if there was one. An offer then keeps its
    /// media lines in their order and its payload types (RFC 3264 section 8).
    pub previous: Option<Description>,
}

impl Local {
    /// Version 1 of a session that flows both ways in packets of 20 ms, without SRTP, with RTCP
    /// multiplexed if the far end can, by the offerer's preference.
    #[must_use]
    pub const fn new(address: SocketAddr, codecs: Vec<Encoding>, session_id: u64) -> Self {
        Self {
            address,
            codecs,
            direction: Direction::SendRecv,
            session_id,
            version: 1,
            ptime_ms: 20,
            prefer: Preference::Offerer,
            rtcp_mux: true,
            srtp: Srtp::Off,
            previous: None,
        }
    }
}

/// Why there is no session: a 488 (Not Acceptable Here), or a BYE after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAcceptable {
    /// No audio is offered.
    #[error("no audio stream")]
    NoAudio,
    /// The audio line has port 0.
    #[error("the audio stream is refused")]
    Refused,
    /// Audio is offered, but not over a transport that we take.
    #[error("the audio stream's transport is not RTP/AVP")]
    Transport,
    /// It is to be protected by SRTP, but with no key that we can use.
    #[error("no key for SRTP that both ends can use")]
    NoCommonSuite,
    /// It is plain RTP, and must not be.
    #[error("the audio stream is not protected by SRTP")]
    Unprotected,
    /// The address is missing, a name, a group, or of another family than ours.
    #[error("the audio stream's address cannot be used")]
    Address,
    /// No voice that both ends know.
    #[error("no codec in common")]
    NoCommonCodec,
}

impl NotAcceptable {
    /// The code for the Warning header (RFC 3261 section 20.43).
    #[must_use]
    pub const fn warning_code(self) -> u16 {
        match self {
            Self::Address => 301,
            Self::Transport | Self::NoCommonSuite | Self::Unprotected => 302,
            Self::NoAudio | Self::Refused => 304,
            Self::NoCommonCodec => 305,
        }
    }
}

/// Telephone-events as agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// The payload type to send.
    pub payload_type: u8,
    /// The payload type that they send.
    pub receive_payload_type: u8,
    /// The clock of its durations \[Hz\]. It differs from the voice's clock if the far end has no
    /// other.
    pub clock_rate_hz: u32,
}

/// A format that they may send in place of the first, or beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alternative {
    /// The payload type that they send.
    pub receive_payload_type: u8,
    /// A voice, or telephone-events.
    pub encoding: Encoding,
    /// The rate of its clock \[Hz\].
    pub clock_rate_hz: u32,
}

/// The stream that both ends agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// The voice that we send, and that they do unless they take an alternative.
    pub codec: Encoding,
    /// The payload type to send.
    pub payload_type: u8,
    /// The payload type that they send.
    pub receive_payload_type: u8,
    /// What they want of our encoder.
    pub parameters: Parameters,
    /// Keys, if both ends can.
    pub telephone_event: Option<TelephoneEvent>,
    /// What else they may send, and change to at any packet: all that their answer lists (RFC 3264
    /// sections 5.1 and 7). Our own answers list one voice, so there is none then.
    pub alternatives: Vec<Alternative>,
    /// The payload type of comfort noise, both ways.
    pub comfort_noise: Option<u8>,
    /// Where to send. Unspecified (`0.0.0.0`) in the old form of hold: then nothing is sent.
    pub remote: SocketAddr,
    /// Where to send RTCP: none if there is no port for it, or they want nothing.
    pub rtcp: Option<SocketAddr>,
    /// Whether RTCP shares the port of RTP, both ways.
    pub rtcp_mux: bool,
    /// Whether the far end wants to be told how it is heard, by RFC 3611.
    pub voip_metrics: bool,
    /// The keys of SRTP, if it is protected.
    pub srtp: Option<Protected>,
    /// Which way it flows, as we see it.
    pub direction: Direction,
    /// How much sound we send in a packet \[ms\]: a multiple of 10, 10 to 60, that the codec has.
    pub ptime_ms: u16,
    /// The far end holds us: it takes nothing from us though we would send.
    pub on_hold: bool,
}

impl Negotiated {
    /// Whether the far end makes use of Opus's in-band error correction.
    #[must_use]
    pub const fn fec(&self) -> bool {
        matches!(self.parameters, Parameters::Opus(opus) if opus.use_inband_fec)
    }
}

/// Writes our offer.
#[must_use]
pub fn offer(local: &Local) -> String {
    let formats = offered_formats(local);
    let previous = local.previous.as_ref();
    let index = offered_index(local);
    let protocol = previous
        .and_then(|previous| previous.media.get(index))
        .filter(|media| media.audio.is_ok())
        .map_or(first_protocol(&local.srtp), |media| &media.protocol);
    let audio = AudioLine {
        port: local.address.port(),
        protocol,
        formats: &formats,
        direction: local.direction,
        ptime_ms: local.ptime_ms,
        rtcp: if local.rtcp_mux { RtcpPlace::SharedOrNamed } else { RtcpPlace::Named },
        voip_metrics: false,
        crypto: &crypto::offered(previous_audio(local), &local.srtp),
    };
    // A line is never taken away: unwanted ones stay with port 0 (RFC 3264 section 8.2).
    let mut medias: Vec<_> = previous
        .map(|previous| previous.media.iter().map(writing::refusal).collect())
        .unwrap_or_default();
    match medias.get_mut(index) {
        Some(slot) => *slot = audio.lines(),
        None => medias.push(audio.lines()),
    }
    writing::session(local.address, (local.session_id, local.version), (0, 0), medias)
}

/// Writes our answer to an offer, and says what was agreed.
///
/// Every media line is answered in its place (RFC 3264 section 6): the first audio line that we
/// can use with one voice and its companions, by the offerer's numbers; every other with port 0.
///
/// # Errors
/// [`NotAcceptable`] when no audio line can be used: the offer is to be refused with 488.
pub fn answer(offer: &Description, local: &Local) -> Result<(String, Negotiated), NotAcceptable> {
    let (index, audio) = usable(offer, local)?;
    let chosen = crypto::chosen(audio, &local.srtp)?;
    let known = known(audio, local);
    let voice = chosen_voice(&known, local).ok_or(NotAcceptable::NoCommonCodec)?;
    // The offerer's numbers serve both ways (RFC 3264 section 6.1).
    let pair = |theirs: Format| Pair { theirs, receive_payload_type: theirs.payload_type };
    let agreed = Agreed {
        voice: pair(voice),
        telephone_event: companion(&known, Encoding::TelephoneEvent, &voice).map(pair),
        comfort_noise: companion(&known, Encoding::ComfortNoise, &voice),
    };
    let formats: Vec<_> = [
        Some(voice),
        agreed.comfort_noise,
        agreed.telephone_event.as_ref().map(|event| event.theirs),
    ]
    .into_iter()
    .flatten()
    .map(|theirs| Format::ours(theirs.payload_type, theirs.encoding, theirs.clock_rate_hz))
    .collect();
    let srtp = chosen.map(|(_, protected)| protected);
    let negotiated = Negotiated { srtp, ..negotiated(local, audio, &agreed, audio.is_hold()) };
    let crypto: Vec<_> = chosen.map(|(theirs, srtp)| theirs.answered(&srtp)).into_iter().collect();
    let line = AudioLine {
        port: local.address.port(),
        protocol: &offer.media[index].protocol,
        formats: &formats,
        direction: negotiated.direction,
        ptime_ms: negotiated.ptime_ms,
        rtcp: if negotiated.rtcp_mux { RtcpPlace::Shared } else { RtcpPlace::Named },
        voip_metrics: negotiated.voip_metrics,
        crypto: &crypto,
    };
    let mut medias: Vec<_> = offer.media.iter().map(writing::refusal).collect();
    medias[index] = line.lines();
    let version = (local.session_id, local.version);
    Ok((writing::session(local.address, version, offer.time, medias), negotiated))
}

/// Reads the far end's answer to the offer that [`offer`] wrote of the same `local`.
///
/// Only the line in our audio line's place is read: an answer with more or fewer lines than it
/// should have (RFC 3264 section 6) loses nothing by that.
///
/// # Errors
/// [`NotAcceptable`] when the answer refuses our audio or does not fit it.
pub fn accept(local: &Local, answer: &Description) -> Result<Negotiated, NotAcceptable> {
    let index = offered_index(local);
    let audio = answer.media.get(index).ok_or(NotAcceptable::NoAudio)?.audio.as_ref();
    let audio = audio.map_err(|reason| *reason)?;
    check_family(audio, local)?;
    let srtp = crypto::accepted(previous_audio(local), audio, &local.srtp)?;
    let offered = offered_formats(local);
    let ours = |theirs: &Format| offered.iter().find(|ours| ours.is_like(theirs));
    let theirs = audio.formats_as_offered(&offered);
    let known: Vec<_> = theirs.into_iter().filter(|theirs| ours(theirs).is_some()).collect();
    let voice = known.iter().find(|theirs| theirs.encoding.is_voice()).copied();
    let voice = voice.ok_or(NotAcceptable::NoCommonCodec)?;
    // A number says what its describer wants to receive (RFC 3264 section 5.1).
    let pair = |theirs: Format| {
        let receive_payload_type = ours(&theirs).map_or(theirs.payload_type, |it| it.payload_type);
        Pair { theirs, receive_payload_type }
    };
    let agreed = Agreed {
        voice: pair(voice),
        telephone_event: companion(&known, Encoding::TelephoneEvent, &voice).map(pair),
        comfort_noise: companion(&known, Encoding::ComfortNoise, &voice),
    };
    // An answer that only sends is no hold if we offered to receive only.
    let on_hold = local.direction.sends() && audio.is_hold();
    let negotiated = Negotiated { srtp, ..negotiated(local, audio, &agreed, on_hold) };
    let alternatives = alternatives(known.into_iter().map(pair), &negotiated);
    Ok(Negotiated { alternatives, ..negotiated })
}

/// What is agreed on beside the formats that are used anyway.
fn alternatives(known: impl Iterator<Item = Pair>, agreed: &Negotiated) -> Vec<Alternative> {
    let events = agreed.telephone_event.map(|event| event.receive_payload_type);
    let mut taken = vec![Some(agreed.receive_payload_type), events];
    let mut alternatives = Vec::new();
    for Pair { theirs, receive_payload_type } in known {
        let says_something = theirs.encoding != Encoding::ComfortNoise;
        if says_something && !taken.contains(&Some(receive_payload_type)) {
            taken.push(Some(receive_payload_type));
            let Format { encoding, clock_rate_hz, .. } = theirs;
            alternatives.push(Alternative { receive_payload_type, encoding, clock_rate_hz });
        }
    }
    alternatives
}

/// One format with the numbers of both ends.
struct Pair {
    theirs: Format,
    receive_payload_type: u8,
}

/// The formats that both ends have.
struct Agreed {
    voice: Pair,
    telephone_event: Option<Pair>,
    comfort_noise: Option<Format>,
}

/// What follows from the formats and their audio line, whoever made the offer.
fn negotiated(local: &Local, audio: &Audio, agreed: &Agreed, on_hold: bool) -> Negotiated {
    let Pair { theirs, receive_payload_type } = &agreed.voice;
    let rtcp_mux = local.rtcp_mux && audio.rtcp_mux;
    let next_port = || {
        let port = audio.remote.port().checked_add(1)?;
        Some(SocketAddr::new(audio.remote.ip(), port))
    };
    let is_ours = |to: &SocketAddr| to.is_ipv4() == local.address.is_ipv4();
    let apart = audio.rtcp.filter(is_ours).or_else(next_port);
    let rtcp = if rtcp_mux { Some(audio.remote) } else { apart };
    Negotiated {
        codec: theirs.encoding,
        payload_type: theirs.payload_type,
        receive_payload_type: *receive_payload_type,
        parameters: theirs.parameters,
        telephone_event: agreed.telephone_event.as_ref().map(|pair| TelephoneEvent {
            payload_type: pair.theirs.payload_type,
            receive_payload_type: pair.receive_payload_type,
            clock_rate_hz: pair.theirs.clock_rate_hz,
        }),
        alternatives: Vec::new(),
        comfort_noise: agreed.comfort_noise.map(|theirs| theirs.payload_type),
        remote: audio.remote,
        // Who holds by `0.0.0.0` wants none either (RFC 3264 section 8.4).
        rtcp: rtcp.filter(|to| !to.ip().is_unspecified()),
        rtcp_mux,
        voip_metrics: audio.voip_metrics,
        srtp: None,
        // What they receive we may send, and the other way round (RFC 3264 section 6.1).
        direction: audio.effective_direction().reversed().intersection(local.direction),
        ptime_ms: packet_time_ms(theirs, audio, local.ptime_ms),
        on_hold,
    }
}

/// What we send in a packet: what they want, else what we want, within what they take.
fn packet_time_ms(theirs: &Format, audio: &Audio, ours_ms: u16) -> u16 {
    let (ptime_ms, max_ptime_ms) = match theirs.parameters {
        Parameters::Opus(opus) => (opus.ptime_ms, opus.max_ptime_ms),
        Parameters::None | Parameters::Events(_) => (None, None),
    };
    let wanted_ms = audio.ptime_ms.or(ptime_ms).unwrap_or(ours_ms);
    let most_ms = audio.maxptime_ms.or(max_ptime_ms).unwrap_or(PTIME_MS_MAX);
    let wanted = wanted_ms.min(most_ms);
    let tens = wanted.clamp(PTIME_MS_MIN, PTIME_MS_MAX) / 10 * 10;
    match theirs.encoding {
        Encoding::Opus => match tens {
            // Opus has no such frames (RFC 6716 section 2.1.4).
            30 => 20,
            50 => 40,
            tens => tens,
        },
        Encoding::Pcmu
        | Encoding::Pcma
        | Encoding::G722
        | Encoding::TelephoneEvent
        | Encoding::ComfortNoise => tens,
    }
}

fn check_family(audio: &Audio, local: &Local) -> Result<(), NotAcceptable> {
    let reachable = audio.is_in_reach_of(local.address.ip());
    if reachable { Ok(()) } else { Err(NotAcceptable::Address) }
}

/// The voice to use among those that we know.
fn chosen_voice(known: &[Format], local: &Local) -> Option<Format> {
    let mut voices = known.iter().filter(|format| format.encoding.is_voice()).copied();
    match local.prefer {
        Preference::Offerer => voices.next(),
        Preference::Ours => local
            .codecs
            .iter()
            .find_map(|codec| voices.clone().find(|format| format.encoding == *codec)),
    }
}

/// The format that goes with a voice. Telephone-events should share its clock (RFC 4733
/// section 2.1), yet many telephones have them at 8000 Hz only, and keys count more than a rule.
/// Comfort noise goes with G.711 only: the others have means of their own.
fn companion(known: &[Format], encoding: Encoding, voice: &Format) -> Option<Format> {
    let mut candidates = known.iter().filter(|format| format.encoding == encoding).copied();
    let same_clock = candidates.clone().find(|format| format.clock_rate_hz == voice.clock_rate_hz);
    match encoding {
        Encoding::TelephoneEvent => same_clock.or_else(|| candidates.next()),
        Encoding::ComfortNoise => {
            same_clock.filter(|_| matches!(voice.encoding, Encoding::Pcmu | Encoding::Pcma))
        }
        Encoding::Pcmu | Encoding::Pcma | Encoding::G722 | Encoding::Opus => None,
    }
}

/// The formats of their line that we have, too.
fn known(audio: &Audio, local: &Local) -> Vec<Format> {
    audio.formats.iter().filter(|it| local.codecs.contains(&it.encoding)).copied().collect()
}

/// Their first audio line that we can use with its place, or why there is none. Who has several
/// lets us choose among them: by address (RFC 4091), by codec, plain or protected.
fn usable<'a>(theirs: &'a Description, local: &Local) -> Result<(usize, &'a Audio), NotAcceptable> {
    let mut reason = NotAcceptable::NoAudio;
    for (index, media) in theirs.media.iter().enumerate() {
        let audio = media.audio.as_ref().map_err(|error| *error);
        match audio.and_then(|audio| check(audio, local).map(|()| audio)) {
            Ok(audio) => return Ok((index, audio)),
            // Of several reasons the first that is about audio says most.
            Err(error) if reason == NotAcceptable::NoAudio => reason = error,
            Err(_) => {}
        }
    }
    Err(reason)
}

fn check(audio: &Audio, local: &Local) -> Result<(), NotAcceptable> {
    check_family(audio, local)?;
    crypto::chosen(audio, &local.srtp)?;
    let voice = known(audio, local).into_iter().find(|format| format.encoding.is_voice());
    voice.map(|_| ()).ok_or(NotAcceptable::NoCommonCodec)
}

/// The place of our audio line: that of the session so far, else behind its other lines.
fn offered_index(local: &Local) -> usize {
    let Some(previous) = &local.previous else {
        return 0;
    };
    usable(previous, local).map_or_else(
        |_| {
            let audio = previous.media.iter().position(super::description::Media::is_audio);
            audio.unwrap_or(previous.media.len())
        },
        |(index, _)| index,
    )
}

/// Their audio line in the session so far.
fn previous_audio(local: &Local) -> Option<&Audio> {
    usable(local.previous.as_ref()?, local).ok().map(|(_, audio)| audio)
}

/// The transport of a session's first offer.
const fn first_protocol(srtp: &Srtp) -> &'static str {
    match srtp {
        Srtp::Off | Srtp::Optional(_) => "RTP/AVP",
        Srtp::Required(_) => "RTP/SAVP",
    }
}

/// What we offer, with numbers: voices, comfort noise, and telephone-events for each clock.
fn offered_formats(local: &Local) -> Vec<Format> {
    let listed = |encoding| local.codecs.contains(&encoding);
    let mut wanted: Vec<(Encoding, u32)> = local
        .codecs
        .iter()
        .filter(|codec| codec.is_voice())
        .map(|codec| (*codec, codec.clock_rate_hz()))
        .collect();
    let mut clocks: Vec<u32> = wanted.iter().map(|(_, clock)| *clock).collect();
    clocks.sort_unstable();
    clocks.dedup();
    if listed(Encoding::ComfortNoise) && (listed(Encoding::Pcmu) || listed(Encoding::Pcma)) {
        wanted.push((Encoding::ComfortNoise, Encoding::ComfortNoise.clock_rate_hz()));
    }
    if listed(Encoding::TelephoneEvent) {
        wanted.extend(clocks.into_iter().map(|clock| (Encoding::TelephoneEvent, clock)));
    }
    let previous = local.previous.as_ref().and_then(|previous| {
        let (index, audio) = usable(previous, local).ok()?;
        Some((&audio.formats, &previous.media[index].formats))
    });
    let theirs = previous.map_or(&[][..], |(formats, _)| formats);
    // Numbers of formats that we do not know are taken, too.
    let mut taken: Vec<u8> = previous
        .map(|(_, words)| words.split(' ').filter_map(|word| word.parse().ok()).collect())
        .unwrap_or_default();
    let mut formats: Vec<Format> = Vec::with_capacity(wanted.len());
    for (encoding, clock_rate_hz) in wanted {
        let format = Format::ours(0, encoding, clock_rate_hz);
        if formats.iter().any(|earlier| earlier.is_like(&format)) {
            continue;
        }
        let is_free = |number: &u8| !taken.contains(number);
        // A number keeps its meaning for the whole session (RFC 3264 section 8.3.2).
        let known = theirs.iter().find(|theirs| theirs.is_like(&format));
        let number = known
            .map(|theirs| theirs.payload_type)
            .or_else(|| Some(usual_number(encoding, clock_rate_hz)).filter(is_free))
            .or_else(|| (96..128).find(is_free));
        if let Some(payload_type) = number {
            taken.push(payload_type);
            formats.push(Format { payload_type, ..format });
        }
    }
    formats
}

/// The numbers that most others use, so that traces read as people expect.
fn usual_number(encoding: Encoding, clock_rate_hz: u32) -> u8 {
    match encoding {
        Encoding::Pcmu => 0,
        Encoding::Pcma => 8,
        Encoding::G722 => 9,
        Encoding::ComfortNoise => 13,
        Encoding::Opus => 111,
        Encoding::TelephoneEvent if clock_rate_hz == 8_000 => 101,
        Encoding::TelephoneEvent => 102,
    }
}

#[cfg(test)]
mod srtp_tests;
#[cfg(test)]
mod tests;

//! Orders to the media threads, and what they report.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::prompt::ClipName;
use crate::{
    AnnouncementId, ConferenceId, Digits, LegId, Quality, RecordingId, Routing, Srtp, TapRate,
    Track,
};

/// The codecs that a leg can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Codec {
    /// G.711 µ-law, 8 kHz.
    Pcmu,
    /// G.711 A-law, 8 kHz.
    Pcma,
    /// G.722 at 64 kbit/s, 16 kHz.
    G722,
    /// Opus, 48 kHz.
    Opus,
}

impl Codec {
    /// Every codec there is.
    pub const ALL: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

    /// The name as SDP and metrics say it.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Opus => "OPUS",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What signalling agreed with the far end about one leg's audio, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The codec that we send; what we receive is told by payload type.
    pub codec: Codec,
    /// The payload type under which we send it.
    pub payload_type: u8,
    /// The payload type under which it comes.
    pub receive_payload_type: u8,
    /// Keys as telephone-events (RFC 4733), if both ends can.
    pub telephone_event: Option<TelephoneEvent>,
    /// What else the far end may send, and change to at any packet (RFC 3264 section 5.1).
    pub alternatives: Vec<Alternative>,
    /// Milliseconds of audio in each packet that we send: 10, 20, 30, 40 or 60.
    pub ptime_ms: u16,
    /// Opus: put forward error correction into what we send.
    pub fec: bool,
    /// Opus: what else the far end wants of what we send.
    pub opus: OpusWishes,
    /// Where the far end wants its audio.
    pub remote: SocketAddr,
    /// Where reports of quality go and come from.
    pub rtcp: Rtcp,
    /// Tell the far end how it is heard, by RTCP XR (RFC 3611). Who sends such reports itself is
    /// told in any case.
    pub voip_metrics: bool,
    /// The keys of SRTP; none where packets are plain.
    pub srtp: Option<Srtp>,
    /// From where media may come.
    pub source: Source,
    /// We send audio.
    pub sends: bool,
    /// We take audio.
    pub receives: bool,
    /// The far end is gone when neither audio nor RTCP has come for so long \[ms\]; never where
    /// there is none.
    pub rtp_timeout_ms: Option<u32>,
}

/// How a leg's audio fails to run both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OneWay {
    /// No audio comes from it.
    NothingComes,
    /// It has sent nothing but digital silence since it joined: a microphone that is off.
    OnlySilence,
    /// It says by RTCP that nothing of ours arrives.
    NothingArrives,
}

impl OneWay {
    /// Every way there is.
    pub const ALL: [OneWay; 3] =
        [OneWay::NothingComes, OneWay::OnlySilence, OneWay::NothingArrives];

    /// The name as the API and metrics say it.
    pub fn name(self) -> &'static str {
        match self {
            OneWay::NothingComes => "nothing_comes",
            OneWay::OnlySilence => "only_silence",
            OneWay::NothingArrives => "nothing_arrives",
        }
    }
}

/// What a far end wants of an encoder of Opus, beside redundancy (RFC 7587 section 6.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpusWishes {
    /// All packets shall have one length.
    pub constant_bitrate: bool,
    /// Highest average rate \[bit/s\]; none is any.
    pub max_average_bitrate_bps: Option<u32>,
    /// Highest sampling rate that it plays \[Hz\]; none is any.
    pub max_playback_rate_hz: Option<u32>,
}

/// How keys come and go as telephone-events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// The payload type under which we send them.
    pub payload_type: u8,
    /// The payload type under which they come.
    pub receive_payload_type: u8,
    /// The clock of their durations \[Hz\].
    pub clock_rate_hz: u32,
}

/// A format that the far end may send in place of a leg's codec, or beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alternative {
    /// The payload type under which it comes.
    pub receive_payload_type: u8,
    /// What comes under it.
    pub content: Content,
}

/// What an alternative format carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Sound in another codec.
    Voice(Codec),
    /// Keys as telephone-events, whose durations have another clock.
    Events {
        /// That clock \[Hz\].
        clock_rate_hz: u32,
    },
}

/// From where a leg's media may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The address in the far end's SDP, or, for phones behind a NAT, any port of the host that
    /// the signalling came from. The first packet that fits decides, and the window closes.
    Signalled {
        /// The host that the signalling came from.
        signalling: IpAddr,
    },
}

/// Where a leg's RTCP goes and comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rtcp {
    /// It shares the ports of RTP (RFC 5761).
    Shared,
    /// The far end wants it at this address.
    Apart(SocketAddr),
    /// The far end has no place for it; what comes all the same is read.
    Nowhere,
}

/// A leg's own address for media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalMedia {
    /// Where its RTP is received and sent from.
    pub rtp: SocketAddr,
}

/// An order to media.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaOrder {
    /// Open a port for a leg. Answered by [`MediaReport::Opened`] or [`MediaReport::OpenFailed`].
    Open {
        /// Which leg.
        leg: LegId,
        /// In which conference it will be mixed.
        conference: ConferenceId,
        /// On which address of this machine.
        local: IpAddr,
    },
    /// What signalling agreed: takes the place of what was agreed before.
    Connect {
        /// Which leg.
        leg: LegId,
        /// What was agreed.
        connection: Connection,
    },
    /// Let a leg's port go over to another conference, as it is: its address, its streams in both
    /// directions and what was agreed stay. It is mixed there from that one's next tick on.
    Move {
        /// Which leg.
        leg: LegId,
        /// Where to.
        conference: ConferenceId,
    },
    /// Close a leg's port.
    Close {
        /// Which leg.
        leg: LegId,
    },
    /// Press keys for a leg's far end to hear, behind those that it is sent already: as
    /// telephone-events if they were agreed on, else as tones in its sound.
    Press {
        /// Which leg.
        leg: LegId,
        /// Which keys.
        digits: Digits,
    },
    /// Who hears whom: takes the place of the routing before.
    Route {
        /// In which conference.
        conference: ConferenceId,
        /// Who hears whom.
        routing: Routing,
    },
    /// A recorder comes. What it hears is in the routing.
    OpenTap {
        /// In which conference.
        conference: ConferenceId,
        /// Which recording.
        recording: RecordingId,
        /// What it holds.
        track: Track,
        /// At which rate it is written.
        rate: TapRate,
    },
    /// A recorder goes; what it was given so far is complete.
    CloseTap {
        /// In which conference.
        conference: ConferenceId,
        /// Which recording.
        recording: RecordingId,
    },
    /// A clip is played, once, from when somebody first hears it on. Who does is in the routing.
    /// Its end is told by [`MediaReport::Played`].
    Play {
        /// In which conference.
        conference: ConferenceId,
        /// As which announcement.
        announcement: AnnouncementId,
        /// What.
        clip: ClipName,
    },
    /// An announcement goes, whether it is over or not, when nobody hears it any more.
    StopPlaying {
        /// In which conference.
        conference: ConferenceId,
        /// Which.
        announcement: AnnouncementId,
    },
    /// The conference is over: its mixer goes.
    CloseConference {
        /// Which.
        conference: ConferenceId,
    },
}

/// What media reports.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaReport {
    /// A leg's port is open.
    Opened {
        /// Which leg.
        leg: LegId,
        /// Its address.
        local: LocalMedia,
    },
    /// A leg's port could not be opened.
    OpenFailed {
        /// Which leg.
        leg: LegId,
        /// What the machine said.
        reason: String,
    },
    /// A key was pressed (RFC 4733): once per press.
    Digit {
        /// On which leg.
        leg: LegId,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        digit: char,
    },
    /// A leg began or stopped speaking.
    Talking {
        /// Which leg.
        leg: LegId,
        /// True while speaking.
        talking: bool,
    },
    /// The first audio came on a leg to which nothing is sent: early media.
    EarlyMedia {
        /// Which leg.
        leg: LegId,
    },
    /// An announcement has come to its end.
    Played {
        /// Which.
        announcement: AnnouncementId,
    },
    /// How a leg's audio comes and goes: every 5 s.
    Quality {
        /// Which leg.
        leg: LegId,
        /// The figures.
        quality: Quality,
    },
    /// A leg's audio runs one way only, or both ways again.
    OneWay {
        /// Which leg.
        leg: LegId,
        /// How; none: both ways again.
        way: Option<OneWay>,
    },
    /// Nothing has come from a leg's far end for [`Connection::rtp_timeout_ms`]. Told once.
    TimedOut {
        /// Which leg.
        leg: LegId,
    },
}

//! Formats of an audio stream: payload type, encoding and parameters.

use crate::telephone_event::Key;

/// Encodings that we know. Others are passed over when read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus (RFC 7587).
    Opus,
    /// Keys (RFC 4733). Accompanies a voice.
    TelephoneEvent,
    /// Comfort noise (RFC 3389). Accompanies G.711.
    ComfortNoise,
}

impl Encoding {
    const ALL: [Self; 6] =
        [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus, Self::TelephoneEvent, Self::ComfortNoise];

    /// Its name in `a=rtpmap`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
            Self::TelephoneEvent => "telephone-event",
            Self::ComfortNoise => "CN",
        }
    }

    /// Whether it carries speech by itself.
    #[must_use]
    pub const fn is_voice(self) -> bool {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 | Self::Opus => true,
            Self::TelephoneEvent | Self::ComfortNoise => false,
        }
    }

    /// The rate of its RTP clock \[Hz\]. G.722 samples at 16 kHz and counts at 8 kHz, by an old
    /// mistake that is kept (RFC 3551 section 4.5.2). Telephone-events follow their voice's clock;
    /// for them this is the usual one.
    #[must_use]
    pub const fn clock_rate_hz(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Pcmu | Self::Pcma | Self::G722 | Self::TelephoneEvent | Self::ComfortNoise => {
                8_000
            }
        }
    }

    /// The payload type that means it without `a=rtpmap` (RFC 3551 section 6).
    #[must_use]
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Pcma => Some(8),
            Self::G722 => Some(9),
            Self::ComfortNoise => Some(13),
            Self::Opus | Self::TelephoneEvent => None,
        }
    }

    fn of_static(payload_type: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.static_payload_type() == Some(payload_type))
    }

    /// Names are compared without regard to case (RFC 8866 section 6.6).
    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.name().eq_ignore_ascii_case(name))
    }
}

/// One format of a media line, with the number that its describer wants to receive it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// 0 to 63 or 96 to 127; 64 to 95 would be taken for RTCP (RFC 5761 section 4).
    pub payload_type: u8,
    /// What it carries.
    pub encoding: Encoding,
    /// The rate of its RTP clock \[Hz\].
    pub clock_rate_hz: u32,
    /// What `a=fmtp` says of it.
    pub parameters: Parameters,
}

/// What `a=fmtp` says of a format: wishes of the one who receives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameters {
    /// The encoding has none that we read.
    None,
    /// Of Opus.
    Opus(Opus),
    /// Of telephone-event.
    Events(Events),
}

/// Parameters of Opus (RFC 7587 section 6.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Opus {
    /// The receiver makes use of in-band forward error correction.
    pub use_inband_fec: bool,
    /// The receiver wants nothing sent in silence.
    pub use_dtx: bool,
    /// The receiver prefers two channels.
    pub stereo: bool,
    /// The receiver wants a constant bit rate.
    pub constant_bitrate: bool,
    /// Highest average rate that the receiver wants \[bit/s\].
    pub max_average_bitrate_bps: Option<u32>,
    /// Highest sampling rate that the receiver plays \[Hz\].
    pub max_playback_rate_hz: Option<u32>,
    /// How much sound the receiver wants in a packet \[ms\]. It belongs into `a=ptime` (RFC 7587
    /// section 7), which counts more.
    pub ptime_ms: Option<u16>,
    /// How much it takes at most \[ms\], as `a=maxptime`.
    pub max_ptime_ms: Option<u16>,
}

/// The keys that a receiver of telephone-events understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Events(u16);

impl Events {
    /// All sixteen keys: meant when nothing is said (RFC 4733 section 2.4.1).
    pub const ALL: Self = Self(0xffff);

    /// Whether this key is understood.
    #[must_use]
    pub const fn contains(self, key: Key) -> bool {
        self.0 >> key.code() & 1 == 1
    }

    /// Reads a list such as `0-11,16`. Events that are not keys, and what is no number, is
    /// passed over.
    fn parse(list: &str) -> Self {
        let mut keys = 0;
        for range in list.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            if let (Ok(first), Ok(last)) = (first.trim().parse::<u8>(), last.trim().parse::<u8>()) {
                for code in first..=last.min(15) {
                    keys |= 1 << code;
                }
            }
        }
        Self(keys)
    }
}

impl Format {
    /// A format that we want to receive, with the parameters that we ask for.
    pub(super) fn ours(payload_type: u8, encoding: Encoding, clock_rate_hz: u32) -> Self {
        let parameters = match encoding {
            Encoding::Opus => Parameters::Opus(Opus { use_inband_fec: true, ..Opus::default() }),
            Encoding::TelephoneEvent => Parameters::Events(Events::ALL),
            Encoding::Pcmu | Encoding::Pcma | Encoding::G722 | Encoding::ComfortNoise => {
                Parameters::None
            }
        };
        Self { payload_type, encoding, clock_rate_hz, parameters }
    }

    /// Reads one payload type of a media line with what its attributes say, without the number in
    /// front. None if we do not know it or cannot tell it from RTCP.
    pub(super) fn read(payload_type: u8, rtpmap: Option<&str>, fmtp: Option<&str>) -> Option<Self> {
        if payload_type > 127 || (64..96).contains(&payload_type) {
            return None;
        }
        let (encoding, clock_rate_hz) = match rtpmap {
            Some(rtpmap) => read_rtpmap(rtpmap)?,
            None => {
                let encoding = Encoding::of_static(payload_type)?;
                (encoding, encoding.clock_rate_hz())
            }
        };
        let parameters = match encoding {
            Encoding::Opus => Parameters::Opus(fmtp.map(Opus::parse).unwrap_or_default()),
            Encoding::TelephoneEvent => Parameters::Events(fmtp.map_or(Events::ALL, Events::parse)),
            Encoding::Pcmu | Encoding::Pcma | Encoding::G722 | Encoding::ComfortNoise => {
                Parameters::None
            }
        };
        Some(Self { payload_type, encoding, clock_rate_hz, parameters })
    }

    /// The value of `a=rtpmap` with its number in front.
    pub(super) fn rtpmap(&self) -> String {
        // Opus always claims two channels (RFC 7587 section 7).
        let channels = if self.encoding == Encoding::Opus { "/2" } else { "" };
        format!("{} {}/{}{channels}", self.payload_type, self.encoding.name(), self.clock_rate_hz)
    }

    /// The value of `a=fmtp` with its number in front, if we have something to say.
    pub(super) fn fmtp(&self) -> Option<String> {
        match self.encoding {
            Encoding::Opus => Some(format!("{} useinbandfec=1", self.payload_type)),
            Encoding::TelephoneEvent => Some(format!("{} 0-15", self.payload_type)),
            Encoding::Pcmu | Encoding::Pcma | Encoding::G722 | Encoding::ComfortNoise => None,
        }
    }

    /// Whether two formats are the same but for their numbers and wishes.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.encoding == other.encoding && self.clock_rate_hz == other.clock_rate_hz
    }
}

/// Reads `name/clock rate[/channels]`.
fn read_rtpmap(rtpmap: &str) -> Option<(Encoding, u32)> {
    let mut parts = rtpmap.trim().split('/');
    let encoding = Encoding::named(parts.next()?)?;
    let clock_rate_hz: u32 = parts.next()?.parse().ok()?;
    let is_known = match encoding {
        // Any clock: it should be that of the voice (RFC 4733 section 2.1).
        Encoding::TelephoneEvent => (1_000..=192_000).contains(&clock_rate_hz),
        // Some say one channel, or none; every decoder copes with both.
        Encoding::Opus => clock_rate_hz == encoding.clock_rate_hz(),
        Encoding::Pcmu | Encoding::Pcma | Encoding::G722 | Encoding::ComfortNoise => {
            clock_rate_hz == encoding.clock_rate_hz() && parts.next().is_none_or(|n| n == "1")
        }
    };
    is_known.then_some((encoding, clock_rate_hz))
}

impl Opus {
    /// Reads `name=value; …`. Unknown names and values that are no number are passed over.
    fn parse(fmtp: &str) -> Self {
        let mut opus = Self::default();
        for parameter in fmtp.split(';') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value: Option<u32> = value.trim().parse().ok();
            match name.trim().to_ascii_lowercase().as_str() {
                "useinbandfec" => opus.use_inband_fec = value == Some(1),
                "usedtx" => opus.use_dtx = value == Some(1),
                "stereo" => opus.stereo = value == Some(1),
                "cbr" => opus.constant_bitrate = value == Some(1),
                "maxaveragebitrate" => opus.max_average_bitrate_bps = value,
                "maxplaybackrate" => opus.max_playback_rate_hz = value,
                "ptime" => opus.ptime_ms = value.and_then(|ms| ms.try_into().ok()),
                "maxptime" => opus.max_ptime_ms = value.and_then(|ms| ms.try_into().ok()),
                _ => {}
            }
        }
        opus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload_type: u8, rtpmap: &str) -> Option<(Encoding, u32)> {
        let rtpmap = if rtpmap.is_empty() { None } else { Some(rtpmap) };
        Format::read(payload_type, rtpmap, None)
            .map(|format| (format.encoding, format.clock_rate_hz))
    }

    #[test]
    fn formats_are_known_by_name_clock_and_static_number() {
        let table = [
            (0, "", Some((Encoding::Pcmu, 8_000))),
            (8, "", Some((Encoding::Pcma, 8_000))),
            (9, "", Some((Encoding::G722, 8_000))),
            (13, "", Some((Encoding::ComfortNoise, 8_000))),
            (3, "", None),   // GSM
            (111, "", None), // dynamic without a=rtpmap means nothing
            (0, "pcmu/8000/1", Some((Encoding::Pcmu, 8_000))),
            (97, "PCMU/16000", None),
            (97, "PCMU/8000/2", None),
            (9, "G722/16000", None), // RFC 3551: its clock is 8000
            (96, "OPUS/48000/2", Some((Encoding::Opus, 48_000))),
            (96, "opus/48000", Some((Encoding::Opus, 48_000))),
            (96, "opus/16000/2", None),
            (101, "telephone-event/48000", Some((Encoding::TelephoneEvent, 48_000))),
            (101, "telephone-event/0", None),
            (101, "telephone-event", None),
            (0, "SPEEX/8000", None), // a=rtpmap counts more than the static number
            (72, "opus/48000/2", None), // RFC 5761: would be taken for RTCP
            (128, "PCMU/8000", None),
        ];
        for (payload_type, rtpmap, expected) in table {
            assert_eq!(read(payload_type, rtpmap), expected, "{payload_type} {rtpmap}");
        }
    }

    #[test]
    fn parameters_of_opus_are_read_in_any_order_and_case() {
        let fmtp = "maxplaybackrate=16000; sprop-stereo=1;UseInbandFEC=1 ;usedtx=1;stereo=0;\
                    maxaveragebitrate=20000;cbr=x;minptime;maxptime=40;ptime=99999";
        let expected = Opus {
            use_inband_fec: true,
            use_dtx: true,
            stereo: false,
            constant_bitrate: false,
            max_average_bitrate_bps: Some(20_000),
            max_playback_rate_hz: Some(16_000),
            ptime_ms: None,
            max_ptime_ms: Some(40),
        };
        assert_eq!(Opus::parse(fmtp), expected);
    }

    #[test]
    fn event_lists_are_read_as_far_as_they_are_keys() {
        let keys = |list| -> String {
            let events = Events::parse(list);
            (0..16)
                .filter_map(Key::from_code)
                .filter(|key| events.contains(*key))
                .map(Key::to_char)
                .collect()
        };
        assert_eq!(keys("0-15"), "0123456789*#ABCD");
        assert_eq!(keys("0-11,16"), "0123456789*#");
        assert_eq!(keys("1, 3 ,x,255,9-7,200-255"), "13");
    }
}

//! The rates at which sound is summed.

use model::{Codec, TapRate};

/// A sampling rate of a codec or a tap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rate {
    Hz8000,
    Hz16000,
    Hz48000,
}

impl Rate {
    pub(crate) const COUNT: usize = 3;
    pub(crate) const ALL: [Rate; Rate::COUNT] = [Rate::Hz8000, Rate::Hz16000, Rate::Hz48000];

    /// At which rate a codec's samples come and go.
    pub(crate) fn of_codec(codec: Codec) -> Rate {
        match codec {
            Codec::Pcmu | Codec::Pcma => Rate::Hz8000,
            Codec::G722 => Rate::Hz16000,
            Codec::Opus => Rate::Hz48000,
        }
    }

    /// At which rate a recorder is given its frames.
    pub(crate) fn of_tap(rate: TapRate) -> Rate {
        match rate {
            TapRate::Hz8000 => Rate::Hz8000,
            TapRate::Hz16000 => Rate::Hz16000,
            TapRate::Hz48000 => Rate::Hz48000,
        }
    }

    /// The rate \[Hz\].
    pub(crate) fn hz(self) -> u32 {
        match self {
            Rate::Hz8000 => 8_000,
            Rate::Hz16000 => 16_000,
            Rate::Hz48000 => 48_000,
        }
    }

    /// Samples in a millisecond.
    pub(crate) fn per_ms(self) -> usize {
        self.hz() as usize / 1_000
    }

    /// Samples in a tick.
    pub(crate) fn per_tick(self) -> usize {
        self.hz() as usize / 50
    }

    /// Its place in tables.
    pub(crate) fn index(self) -> usize {
        match self {
            Rate::Hz8000 => 0,
            Rate::Hz16000 => 1,
            Rate::Hz48000 => 2,
        }
    }
}

/// A codec in the words of `audio`.
pub(crate) fn audio_codec(codec: Codec) -> audio::Codec {
    match codec {
        Codec::Pcmu => audio::Codec::Pcmu,
        Codec::Pcma => audio::Codec::Pcma,
        Codec::G722 => audio::Codec::G722,
        Codec::Opus => audio::Codec::Opus,
    }
}

/// Whether what a codec makes of a frame depends on the frames before it.
pub(crate) fn has_memory(codec: Codec) -> bool {
    match codec {
        Codec::Pcmu | Codec::Pcma => false,
        Codec::G722 | Codec::Opus => true,
    }
}

/// Whether a listener may be given a speaker's own payloads. In Opus that saves an encoding and a
/// second loss of quality, and the far decoder conceals and repairs losses better than anybody
/// else. G.711 comes out of a sum of one voice bit for bit as it went in, and what is lost is
/// concealed here better than most telephones do. In G.722 a decoder cannot change between
/// encoders.
pub(crate) fn forwards(codec: Codec) -> bool {
    match codec {
        Codec::Pcmu | Codec::Pcma | Codec::G722 => false,
        Codec::Opus => true,
    }
}

/// Whether an encoder can make a frame on which a decoder with any past lands. G.722 cannot: there
/// two states only come closer while they are fed the same.
pub(crate) fn lands(codec: Codec) -> bool {
    match codec {
        Codec::Pcmu | Codec::Pcma | Codec::Opus => true,
        Codec::G722 => false,
    }
}

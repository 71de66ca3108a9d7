//! What a recorder is given: one frame a tick, with the tick's number, so that a frame that was
//! lost on the way leaves a hole of known length and never shifts what follows.

use serde::{Deserialize, Serialize};

use crate::limits::TAP_SAMPLES_MAX;
use crate::{PartyId, RecordingId};

/// What a recording holds. All tracks of a mix begin when it does, so that they lie side by side
/// from their first sample on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Track {
    /// All who are recorded.
    #[default]
    Mix,
    /// What one party says and the mix holds.
    Voice {
        /// The mix beside which it is.
        of: RecordingId,
        /// Whose voice.
        party: PartyId,
    },
    /// What one party whispers, which no mix holds.
    Whisper {
        /// The mix beside which it is.
        of: RecordingId,
        /// Whose voice.
        party: PartyId,
    },
}

impl Track {
    /// The recording beside which it is; none for the mix itself.
    pub fn mix(&self) -> Option<RecordingId> {
        match self {
            Track::Mix => None,
            Track::Voice { of, .. } | Track::Whisper { of, .. } => Some(*of),
        }
    }

    /// Whose voice it holds; none for the mix, which holds everybody's.
    pub fn party(&self) -> Option<PartyId> {
        match self {
            Track::Mix => None,
            Track::Voice { party, .. } | Track::Whisper { party, .. } => Some(*party),
        }
    }
}

/// The rate at which a tap is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub enum TapRate {
    /// 8 kHz: what the telephone network carries.
    Hz8000,
    /// 16 kHz: speech in full.
    Hz16000,
    /// 48 kHz: all that Opus carries.
    Hz48000,
}

impl TapRate {
    /// The rate \[Hz\].
    pub fn hz(self) -> u32 {
        match self {
            TapRate::Hz8000 => 8_000,
            TapRate::Hz16000 => 16_000,
            TapRate::Hz48000 => 48_000,
        }
    }

    /// Samples in a tick of 20 ms.
    pub fn samples_per_tick(self) -> usize {
        self.hz() as usize / 50
    }
}

impl From<TapRate> for u32 {
    fn from(rate: TapRate) -> u32 {
        rate.hz()
    }
}

/// A rate at which nothing can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a recording's rate is 8000, 16000 or 48000 Hz")]
pub struct BadRate;

impl TryFrom<u32> for TapRate {
    type Error = BadRate;
    fn try_from(hz: u32) -> Result<Self, BadRate> {
        match hz {
            8_000 => Ok(TapRate::Hz8000),
            16_000 => Ok(TapRate::Hz16000),
            48_000 => Ok(TapRate::Hz48000),
            _ => Err(BadRate),
        }
    }
}

/// 20 ms of what a recorder hears.
#[derive(Debug, Clone, Copy)]
pub struct TapFrame {
    /// The tick's number: consecutive frames differ by one.
    pub tick: u64,
    /// The samples, mono; only the first [`TapRate::samples_per_tick`] count.
    pub samples: [i16; TAP_SAMPLES_MAX],
}

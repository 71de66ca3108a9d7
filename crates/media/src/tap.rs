//! A recorder's end in a conference.

use model::limits::TAP_SAMPLES_MAX;
use model::{RecordingId, TapFrame};
use rtrb::Producer;

use crate::rate::Rate;

/// The ring to the vault. It is never waited for: a frame that finds it full is counted as lost.
pub struct Tap {
    pub(crate) recording: RecordingId,
    pub(crate) rate: Rate,
    frames: Producer<TapFrame>,
    /// Where it listens in the plan that plays.
    pub(crate) ear: Option<u16>,
    frame: TapFrame,
}

impl Tap {
    /// A recorder that heard nothing yet.
    pub(crate) fn new(recording: RecordingId, rate: Rate, frames: Producer<TapFrame>) -> Tap {
        let frame = TapFrame { tick: 0, samples: [0; TAP_SAMPLES_MAX] };
        Tap { recording, rate, frames, ear: None, frame }
    }

    /// Room for a tick's samples.
    pub(crate) fn samples(&mut self) -> &mut [i16] {
        &mut self.frame.samples[..self.rate.per_tick()]
    }

    /// Hands the tick's samples over; false if the ring is full.
    pub(crate) fn push(&mut self, tick: u64) -> bool {
        self.frame.tick = tick;
        self.frames.push(self.frame).is_ok()
    }
}

//! Encoders, and who shares them.

use audio::{CodecError, Encoder};
use model::{Codec, Connection, EarGroup};

use crate::ledger::Ledger;
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::recipe::Recipe;
use crate::way::Way;

/// Loss to expect until the far end tells of some \[percent\]. Redundancy makes an encode five
/// times as dear and worse to hear, and most lines lose nothing; who does not report gets none.
pub(crate) const LOSS_PERCENT_UNKNOWN: u8 = 0;

/// Loss that the far end may see without being sent redundancy \[percent\].
const LOSS_BORNE_PERCENT: f64 = 1.0;

/// Highest loss that is told to an encoder \[percent\]: above it libopus spends so much on
/// redundancy that what comes is spoilt, too.
const LOSS_PERCENT_MAX: u8 = 30;

/// Loss to expect when the far end tells of so much \[percent\]. What was expected before is
/// forgotten by half with each report, as loss comes in bursts.
pub(crate) fn loss_percent_told(told: f64, before: u8) -> u8 {
    let told = if told > LOSS_BORNE_PERCENT { told.ceil() as u8 } else { 0 };
    told.max(before / 2).min(LOSS_PERCENT_MAX)
}

/// An encoder goes on with the loss it knows if the codec's library refuses another.
fn expect_loss(encoder: &mut Encoder, percent: u8) {
    let told = encoder.expect_loss(percent);
    debug_assert!(told.is_ok(), "the loss is within what encoders take");
}

/// Frames of silence after which Opus's payload no longer changes, with much to spare.
const OPUS_SETTLED_FRAMES: u32 = 50;

/// One encoded packet.
struct Payload {
    bytes: [u8; PAYLOAD_BYTES_MAX],
    length: usize,
}

impl Payload {
    const EMPTY: Payload = Payload { bytes: [0; PAYLOAD_BYTES_MAX], length: 0 };

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The encoder of one leg: for a talker, whose own voice is not in what it hears, and for packets
/// longer than a tick.
pub(crate) struct PrivateVoice {
    encoder: Encoder,
    payload: Payload,
    /// Until which tick it is kept after the leg fell silent.
    pub(crate) until: u64,
    /// Whether it speaks to the far end. None if no encoder of this mixer does.
    pub(crate) active: Option<bool>,
    pub(crate) way: Way,
}

impl PrivateVoice {
    pub(crate) fn new(terms: &Connection) -> Result<PrivateVoice, CodecError> {
        let encoder = Encoder::new(Recipe::of(terms).settings())?;
        Ok(PrivateVoice {
            encoder,
            payload: Payload::EMPTY,
            until: 0,
            active: None,
            way: Way::new(),
        })
    }

    /// The far end sees so much loss \[percent\].
    pub(crate) fn bear(&mut self, loss_percent: u8) {
        expect_loss(&mut self.encoder, loss_percent);
    }

    /// Encodes one packet; an empty one if the encoder refuses.
    pub(crate) fn encode(&mut self, pcm: &[i16]) -> &[u8] {
        self.payload.length = self.encoder.encode(pcm, &mut self.payload.bytes);
        self.payload.bytes()
    }

    /// Goes on for a listener who heard a shared voice.
    pub(crate) fn continue_from(&mut self, shared: &SharedVoice) {
        self.encoder.copy_state_from(&shared.memory.encoder);
    }

    /// The far end heard what no encoder of this mixer said, at last `past`: the encoder, which
    /// looks ahead by a part of a frame, goes on from there, and the next payload stands for
    /// itself.
    pub(crate) fn land(&mut self, past: Option<&[i16]>) {
        if let Some(past) = past {
            self.encode(past);
        }
        self.encoder.land_next();
    }

    /// What the far end heard while this was active.
    pub(crate) fn encoder(&self) -> &Encoder {
        &self.encoder
    }
}

/// Listeners who get the same payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VoiceKey {
    /// What they hear; none is nothing.
    pub(crate) ear: Option<EarGroup>,
    pub(crate) recipe: Recipe,
    /// Two packets of 10 ms in a tick in place of one of 20.
    pub(crate) halves: bool,
}

/// What goes over from plan to plan.
struct Memory {
    encoder: Encoder,
    payloads: [Payload; 2],
    /// Frames of silence that were encoded since there was sound.
    silent_frames: u32,
    /// The tick for which the payloads are.
    encoded: Option<u64>,
}

/// An encoder for all who hear alike and did not speak.
pub(crate) struct SharedVoice {
    pub(crate) key: VoiceKey,
    memory: Memory,
    /// Whether somebody got the tick's payloads.
    used: bool,
    /// The most loss that any listener told since the last payload \[percent\].
    loss_percent: u8,
}

impl SharedVoice {
    pub(crate) fn new(key: VoiceKey) -> SharedVoice {
        let encoder = Encoder::new(key.recipe.settings());
        let memory = Memory {
            // As with any other memory, there is no going on without it.
            encoder: encoder.expect("the settings are our own, so only memory can be missing"),
            payloads: [Payload::EMPTY, Payload::EMPTY],
            silent_frames: 0,
            encoded: None,
        };
        SharedVoice { key, memory, used: false, loss_percent: LOSS_PERCENT_UNKNOWN }
    }

    /// A listener sees so much loss \[percent\]: what the most unfortunate needs all are sent.
    pub(crate) fn bear(&mut self, loss_percent: u8) {
        self.loss_percent = self.loss_percent.max(loss_percent);
    }

    /// Goes on where the voice of the same key in another plan was, which gets the fresh memory.
    pub(crate) fn take_over(&mut self, before: &mut SharedVoice) {
        std::mem::swap(&mut self.memory, &mut before.memory);
    }

    /// Somebody joins who heard another encoder. If nobody is there the voice goes on from that
    /// one; else the next payload stands for itself.
    pub(crate) fn welcome(&mut self, heard: &Encoder, tick: u64) {
        if self.memory.encoded.is_some_and(|encoded| encoded + 1 >= tick) {
            self.land();
        } else {
            self.memory.encoder.copy_state_from(heard);
            self.memory.silent_frames = 0;
            self.memory.encoded = tick.checked_sub(1);
        }
    }

    /// Somebody who heard something else joins: the next payload stands for itself.
    pub(crate) fn land(&mut self) {
        self.memory.encoder.land_next();
        self.memory.silent_frames = 0;
    }

    /// Somebody joins who heard no encoder of this mixer, but at last `past`. If nobody is there
    /// the voice goes on from that; the next payload stands for itself in any case.
    pub(crate) fn meet(&mut self, past: Option<&[i16]>, tick: u64, ledger: &mut Ledger) {
        let speaks = self.memory.encoded.is_some_and(|encoded| encoded + 1 >= tick);
        if let Some(past) = past.filter(|_| !speaks) {
            self.encode(past, false, ledger);
            self.memory.encoded = tick.checked_sub(1);
        }
        self.land();
    }

    /// Whether the payloads of the tick are still to be made. With silence to say, those of the
    /// last tick may do.
    pub(crate) fn begin(&mut self, tick: u64, silent: bool) -> bool {
        if self.memory.encoded == Some(tick) {
            return false;
        }
        self.memory.encoded = Some(tick);
        self.used = false;
        let settled = match self.key.recipe.codec {
            Codec::Pcmu | Codec::Pcma => self.memory.silent_frames > 0,
            // Its payload for silence never settles.
            Codec::G722 => false,
            Codec::Opus => self.memory.silent_frames > OPUS_SETTLED_FRAMES,
        };
        if settled && !silent {
            // The far decoder heard the same payload many times, the encoder did not.
            self.memory.encoder.land_next();
        }
        !(settled && silent)
    }

    /// What the far ends heard.
    pub(crate) fn encoder(&self) -> &Encoder {
        &self.memory.encoder
    }

    /// Encodes a tick's samples.
    pub(crate) fn encode(&mut self, pcm: &[i16], silent: bool, ledger: &mut Ledger) {
        let packets = self.packets();
        // Each listener tells again in every tick.
        let loss_percent = std::mem::take(&mut self.loss_percent);
        expect_loss(&mut self.memory.encoder, loss_percent);
        let Memory { encoder, payloads, silent_frames, .. } = &mut self.memory;
        let parts = pcm.chunks(pcm.len() / packets).zip(payloads);
        for (part, payload) in parts {
            payload.length = encoder.encode(part, &mut payload.bytes);
            ledger.stats.encodes += 1;
        }
        *silent_frames = if silent { silent_frames.saturating_add(1) } else { 0 };
    }

    /// Packets in a tick.
    pub(crate) fn packets(&self) -> usize {
        if self.key.halves { 2 } else { 1 }
    }

    /// A packet of the tick. All but the first who ask share it.
    pub(crate) fn payload(&mut self, number: usize, ledger: &mut Ledger) -> &[u8] {
        if number == 0 {
            if self.used {
                ledger.stats.encodes_shared += self.packets() as u64;
            }
            self.used = true;
        }
        self.memory.payloads[number].bytes()
    }
}

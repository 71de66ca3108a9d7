//! What a network does to a talker's packets, planned before anything is sent.

use audio::{Codec, Encoder, EncoderSettings};
use model::Chance;
use wire::rtp::{HEADER_BYTES, Header, write_header};

use crate::speech::{PER_MS, Script, packet_samples};

/// Where things that happen once happen: after so much of the sentence \[ms\].
const EVENT_MS: usize = 3_000;
/// A spike holds packets back every so often \[ms\].
const SPIKE_EVERY_MS: u64 = 2_000;

/// No sample of a pause is louder.
const PAUSE_PEAK: u16 = 64;
/// Packets that are still sent once it is quiet, as senders do that leave pauses out.
const HANGOVER_PACKETS: usize = 10;
/// The payload type of comfort noise (RFC 3551 §6), and a level that nobody hears \[-dBov\].
const COMFORT_NOISE: (u8, u8) = (13, 80);

/// How likely a hiccup begins with a packet, of 2³¹: one in fifty.
const HICCUP_CHANCE: u64 = (1 << 31) / 50;

/// Something a sender does once, in the middle of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing.
    None,
    /// Its timestamps pass 2³², its sequence numbers 2¹⁶.
    Wrap,
    /// Its timestamps jump ahead by a million, its sequence numbers go on.
    Jump,
    /// Another SSRC with other counters.
    Source,
}

/// What a sender does while nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pauses {
    /// It sends them as anything else.
    Sent,
    /// It sends nothing.
    Unsent,
    /// It says once how loud the noise is (RFC 3389), then sends nothing.
    Described,
}

/// One kind of bad line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// What it is called in tables.
    pub(crate) name: &'static str,
    /// Packets lost \[%\].
    loss: f64,
    /// So many in a row.
    burst: u64,
    /// Each packet is late by anything up to this \[ms\].
    jitter_ms: u64,
    /// All packets are held back once in a while for so long \[ms\].
    spike_ms: u64,
    /// As spikes, but at other times and shorter: up to so long \[ms\], about once a second.
    hiccup_ms: u64,
    /// Packets that the next one overtakes \[%\].
    reordered: f64,
    /// Packets that come twice \[%\].
    duplicated: f64,
    /// Packet time \[ms\].
    ptime_ms: u32,
    turn: Turn,
    pauses: Pauses,
    /// How much faster than ours the talker's clock runs \[millionths\].
    pub(crate) drift_ppm: i32,
    /// For so long the sentence is said over and over before it is scored \[min\]; such lines are
    /// for virtual time only.
    pub(crate) after_min: u32,
}

impl Line {
    /// When the talker sends what its clock says is to be sent then \[ms\].
    pub(crate) fn sent_ms(&self, said_ms: f64) -> f64 {
        said_ms / (1.0 + f64::from(self.drift_ppm) / 1e6)
    }
}

/// A line on which nothing happens.
const CLEAN: Line = Line {
    name: "clean",
    loss: 0.0,
    burst: 1,
    jitter_ms: 0,
    spike_ms: 0,
    hiccup_ms: 0,
    reordered: 0.0,
    duplicated: 0.0,
    ptime_ms: 20,
    turn: Turn::None,
    pauses: Pauses::Sent,
    drift_ppm: 0,
    after_min: 0,
};

/// All that is measured.
pub(crate) const LINES: [Line; 31] = [
    CLEAN,
    Line { name: "loss 1 %", loss: 1.0, ..CLEAN },
    Line { name: "loss 3 %", loss: 3.0, ..CLEAN },
    Line { name: "loss 5 %", loss: 5.0, ..CLEAN },
    Line { name: "loss 10 %", loss: 10.0, ..CLEAN },
    Line { name: "loss 5 % by four", loss: 5.0, burst: 4, ..CLEAN },
    Line { name: "loss 1 %, jitter 30 ms", loss: 1.0, jitter_ms: 30, ..CLEAN },
    Line { name: "loss 3 %, jitter 30 ms", loss: 3.0, jitter_ms: 30, ..CLEAN },
    Line { name: "loss 5 %, jitter 30 ms", loss: 5.0, jitter_ms: 30, ..CLEAN },
    Line { name: "loss 10 %, jitter 30 ms", loss: 10.0, jitter_ms: 30, ..CLEAN },
    Line { name: "loss 1 %, jitter 80 ms", loss: 1.0, jitter_ms: 80, ..CLEAN },
    Line { name: "loss 3 %, jitter 80 ms", loss: 3.0, jitter_ms: 80, ..CLEAN },
    Line { name: "loss 5 %, jitter 80 ms", loss: 5.0, jitter_ms: 80, ..CLEAN },
    Line { name: "loss 10 %, jitter 80 ms", loss: 10.0, jitter_ms: 80, ..CLEAN },
    Line { name: "jitter 20 ms", jitter_ms: 20, ..CLEAN },
    Line { name: "jitter 30 ms", jitter_ms: 30, ..CLEAN },
    Line { name: "jitter 60 ms", jitter_ms: 60, ..CLEAN },
    Line { name: "jitter 80 ms", jitter_ms: 80, ..CLEAN },
    Line { name: "spikes 150 ms", spike_ms: 150, ..CLEAN },
    Line { name: "hiccups 50 ms", hiccup_ms: 50, ..CLEAN },
    Line { name: "reordered 5 %", reordered: 5.0, ..CLEAN },
    Line { name: "duplicated 10 %", duplicated: 10.0, ..CLEAN },
    Line { name: "wrap", turn: Turn::Wrap, ..CLEAN },
    Line { name: "timestamp jump", turn: Turn::Jump, ..CLEAN },
    Line { name: "SSRC change", turn: Turn::Source, ..CLEAN },
    Line { name: "packets of 10 ms", ptime_ms: 10, ..CLEAN },
    Line { name: "packets of 30 ms", ptime_ms: 30, ..CLEAN },
    Line { name: "pauses not sent", pauses: Pauses::Unsent, ..CLEAN },
    Line { name: "pauses as comfort noise", pauses: Pauses::Described, ..CLEAN },
    Line { name: "30 min of drift, 200 ppm", drift_ppm: 200, after_min: 30, ..CLEAN },
    Line { name: "30 min of drift, -200 ppm", drift_ppm: -200, after_min: 30, ..CLEAN },
];

/// A packet and when it comes, from the beginning of the take \[µs\].
pub(crate) struct Planned {
    pub(crate) at_us: u64,
    pub(crate) bytes: Vec<u8>,
}

/// All packets of a take as they come at the server, the earliest first.
pub(crate) fn plan(line: &Line, script: &Script, seed: u64) -> Vec<Planned> {
    let mut chance = Chance::new(seed);
    let mut happens =
        |percent: f64| ((chance.draw() >> 33) as f64) < percent / 100.0 * f64::from(1_u32 << 31);
    let mut late = Chance::new(seed ^ 0x6a69_7474);
    let mut encoder = Encoder::new(EncoderSettings::of(Codec::Pcmu)).ok();
    let samples = packet_samples(line.ptime_ms);
    let event = (script.sentence + EVENT_MS * PER_MS) / samples;
    let mut planned = Vec::new();
    let mut burst = 0;
    // Until when the line stands still.
    let mut released_us = 0;
    let mut pause = Pause { of: line.pauses, quiet: 0, unsent: 0 };
    for number in 0..script.pcm.len() / samples {
        let mut payload = vec![0; samples];
        let pcm = script.part(number * samples, samples);
        if let Some(encoder) = &mut encoder {
            encoder.encode(&pcm, &mut payload);
        }
        let (marker, payload_type) = match pause.next(&pcm) {
            Kind::Sound { begins } => (begins || number == 0, 0),
            Kind::Noise => {
                payload = vec![COMFORT_NOISE.1];
                (false, COMFORT_NOISE.0)
            }
            Kind::Nothing => continue,
        };
        let (sequence, timestamp, ssrc) = place(line.turn, number, event, samples);
        let sequence = sequence.wrapping_sub(pause.unsent as u16);
        let mut bytes = vec![0; HEADER_BYTES];
        let header = Header { payload_type, marker, sequence, timestamp, ssrc };
        write_header(&mut bytes, &header);
        bytes.extend_from_slice(&payload);

        let said_ms = f64::from(number as u32 * line.ptime_ms);
        let sent_us = (line.sent_ms(said_ms) * 1e3) as u64;
        let packet_us = u64::from(line.ptime_ms) * 1_000;
        let mut at_us = sent_us;
        if line.jitter_ms > 0 {
            at_us += (late.draw() >> 33) % (line.jitter_ms * 1_000);
        }
        if line.spike_ms > 0 {
            let (every_us, spike_us) = (SPIKE_EVERY_MS * 1_000, line.spike_ms * 1_000);
            // The line stands still, then all that waited comes at once.
            let into_us = (sent_us + every_us / 2) % every_us;
            at_us += spike_us.saturating_sub(into_us);
        }
        if line.hiccup_ms > 0 {
            if late.draw() >> 33 < HICCUP_CHANCE {
                let length_us = (late.draw() >> 33) % (line.hiccup_ms * 1_000);
                released_us = released_us.max(sent_us + length_us);
            }
            at_us = at_us.max(released_us);
        }
        if line.reordered > 0.0 && happens(line.reordered) {
            at_us += packet_us + 1_000;
        }
        if burst == 0 && line.loss > 0.0 && happens(line.loss / line.burst as f64) {
            burst = line.burst;
        }
        if burst > 0 {
            burst -= 1;
            continue;
        }
        if line.duplicated > 0.0 && happens(line.duplicated) {
            planned.push(Planned { at_us, bytes: bytes.clone() });
        }
        planned.push(Planned { at_us, bytes });
    }
    planned.sort_by_key(|packet| packet.at_us);
    planned
}

/// What is sent in place of a packet.
enum Kind {
    Sound { begins: bool },
    Noise,
    Nothing,
}

/// How it stands with a pause.
struct Pause {
    of: Pauses,
    /// Packets that have been quiet, one after the other.
    quiet: usize,
    /// Packets that were not sent so far.
    unsent: usize,
}

impl Pause {
    fn next(&mut self, pcm: &[i16]) -> Kind {
        let before = self.quiet;
        let is_quiet = pcm.iter().all(|sample| sample.unsigned_abs() <= PAUSE_PEAK);
        self.quiet = if is_quiet { before + 1 } else { 0 };
        match self.of {
            Pauses::Described if self.quiet == HANGOVER_PACKETS + 1 => Kind::Noise,
            Pauses::Unsent | Pauses::Described if self.quiet > HANGOVER_PACKETS => {
                self.unsent += 1;
                Kind::Nothing
            }
            Pauses::Unsent | Pauses::Described => Kind::Sound { begins: before > HANGOVER_PACKETS },
            Pauses::Sent => Kind::Sound { begins: false },
        }
    }
}

/// Sequence number, timestamp and SSRC of a packet.
fn place(turn: Turn, number: usize, event: usize, samples: usize) -> (u16, u32, u32) {
    let (number, event) = (number as u32, event as u32);
    let at = number.wrapping_mul(samples as u32);
    let plain = (1_000_u32.wrapping_add(number) as u16, at.wrapping_add(50_000), 0x5eed);
    match turn {
        Turn::None => plain,
        Turn::Wrap => {
            let before = number.wrapping_sub(event);
            (before as u16, before.wrapping_mul(samples as u32), plain.2)
        }
        Turn::Jump if number >= event => (plain.0, plain.1.wrapping_add(1_000_000), plain.2),
        Turn::Source if number >= event => {
            (plain.0.wrapping_add(30_000), plain.1.wrapping_add(0x7000_0000), 0xcafe)
        }
        Turn::Jump | Turn::Source => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::rtp::Rtp;

    fn script() -> Script {
        Script { pcm: vec![5_000; 80_000], beeps: vec![], sentence: 8_000, sentence_length: 64_000 }
    }

    fn line(name: &str) -> &'static Line {
        LINES.iter().find(|line| line.name == name).unwrap()
    }

    #[test]
    fn lines_lose_double_and_delay_as_much_as_they_say() {
        let clean = plan(line("clean"), &script(), 1);
        assert_eq!(clean.len(), 500);
        let lost: usize =
            (0..40).map(|seed| 500 - plan(line("loss 5 %"), &script(), seed).len()).sum();
        assert!((800..1_200).contains(&lost), "{lost}");
        let lost: usize =
            (0..40).map(|seed| 500 - plan(line("loss 5 % by four"), &script(), seed).len()).sum();
        assert!((700..1_300).contains(&lost), "{lost}");
        let twice: usize =
            (0..40).map(|seed| plan(line("duplicated 10 %"), &script(), seed).len() - 500).sum();
        assert!((1_800..2_200).contains(&twice), "{twice}");
        let late = plan(line("jitter 60 ms"), &script(), 1);
        assert!(late.is_sorted_by_key(|packet| packet.at_us));
        assert!(late.last().unwrap().at_us < 500 * 20_000 + 60_000);
    }

    #[test]
    fn pauses_are_left_out_and_what_comes_after_them_has_the_next_number() {
        let mut script = script();
        script.pcm[16_000..32_000].fill(0);
        let described = plan(line("pauses as comfort noise"), &script, 1);
        assert_eq!(described.len(), 400 + HANGOVER_PACKETS + 1);
        let headers: Vec<_> = described
            .iter()
            .map(|packet| Rtp::parse(&packet.bytes).unwrap())
            .map(|rtp| (rtp.payload_type, rtp.sequence, rtp.timestamp))
            .collect();
        assert!(headers.windows(2).all(|pair| pair[1].1 == pair[0].1.wrapping_add(1)));
        let noise = headers.iter().position(|header| header.0 == 13).unwrap();
        assert_eq!(noise, 100 + HANGOVER_PACKETS);
        assert_eq!(headers[noise + 1].2 - headers[noise].2, 160 * (100 - HANGOVER_PACKETS as u32));
    }

    #[test]
    fn a_fast_clock_sends_sooner() {
        let last = |name| plan(line(name), &script(), 1).last().unwrap().at_us;
        assert_eq!(last("clean"), 9_980_000);
        assert_eq!(last("30 min of drift, 200 ppm"), 9_978_004);
        assert_eq!(last("30 min of drift, -200 ppm"), 9_981_996);
    }

    #[test]
    fn counters_wrap_at_the_event() {
        let packets = plan(line("wrap"), &script(), 1);
        let headers: Vec<_> = packets
            .iter()
            .map(|packet| {
                let rtp = Rtp::parse(&packet.bytes).unwrap();
                (rtp.sequence, rtp.timestamp)
            })
            .collect();
        let zero = headers.iter().position(|header| *header == (0, 0)).unwrap();
        assert_eq!(zero, (8_000 + 24_000) / 160);
        assert_eq!(headers[zero - 1], (u16::MAX, u32::MAX - 159));
    }
}

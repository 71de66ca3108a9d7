//! Every bound of this crate, with its reason.

use model::limits::{ANNOUNCEMENTS_PER_CONFERENCE_MAX, CONFERENCES_MAX, LEGS_MAX};

/// Length of a tick \[ms\]: the packet time that telephones use.
pub const TICK_MS: u64 = 20;

/// Turns of the loop in a tick: conferences are dealt to so many phases, so that sends are spread
/// over the tick.
pub const PHASES: u64 = 4;

/// Legs that are dealt to a phase before the next is used: some 10 µs each for receiving, mixing
/// and sending are half a turn, and each phase less is a wake of the thread less.
pub const PHASE_LEGS: usize = 256;

/// Legs whose memory is read ahead at once: the processor keeps some twenty reads under way.
pub const TOUCHED_LEGS: usize = 16;

/// Mixers whose first legs' memory is read ahead at once: small rooms have three legs.
pub const TOUCHED_MIXERS: usize = 6;

/// Length of a turn \[µs\].
pub const TURN_US: u64 = TICK_MS * 1_000 / PHASES;

/// Ports on one stage: every leg of the server may be dealt to it, and a key rests for 1,024
/// others before it is used again, so that nothing on its way can meet the wrong port.
pub const PORTS_MAX: usize = LEGS_MAX + 1_024;

/// Mixers on one stage: every conference of the server may be dealt to it.
pub const MIXERS_MAX: usize = CONFERENCES_MAX;

/// Announcements that one mixer holds: as many as are played at once, and as many that were
/// stopped in this tick and are heard a last time.
pub const ANNOUNCEMENTS_HELD_MAX: usize = 2 * ANNOUNCEMENTS_PER_CONFERENCE_MAX;

/// Reports that wait for the shell, which drains them every turn: all legs of the server may begin
/// to speak in one turn. What does not fit is told a tick later, except for digits.
pub const REPORTS_QUEUED_MAX: usize = LEGS_MAX;

/// Replaced things that wait for the shell, which drains them every turn. Each cue that is
/// applied replaces at most three things.
pub const SPENT_QUEUED_MAX: usize = 2_048;

/// Room in the queue of replaced things below which no cue is taken: a turn may swap the plans of
/// as many mixers.
pub const SPENT_ROOM_MIN: usize = SPENT_QUEUED_MAX / 2;

/// Packets that one turn may send: each leg of the server twice, with packets of 10 ms.
pub const OUTBOX_PACKETS_MAX: usize = 2 * LEGS_MAX;

/// Bytes that one turn may send: each leg of the server 1 KB, which is 20 ms of Opus at
/// 400 kbit/s. Memory that is not written to costs nothing.
pub const OUTBOX_BYTES_MAX: usize = LEGS_MAX * 1_024;

/// Packets that one leg's jitter buffer holds: [`BUFFERED_MS_MAX`] in packets of 10 ms, and some
/// that carry no sound.
pub const PACKETS_BUFFERED_MAX: usize = 48;

/// Sound that one leg's jitter buffer holds \[ms\]: twice the longest delay, so that a burst after
/// a stall fits.
pub const BUFFERED_MS_MAX: i64 = 400;

/// Longest G.711 or G.722 packet that is taken \[ms\].
pub const PACKET_MS_MAX: usize = 60;

/// Longest payload that is taken \[bytes\]: an Opus frame (RFC 6716 section 3.2.1).
pub const PAYLOAD_BYTES_MAX: usize = 1_275;

/// Playout delay before the network's jitter is known \[ms\].
pub const DELAY_MS_START: i64 = 40;

/// Longest playout delay \[ms\]: above it people begin to talk into each other (ITU-T G.114 allows
/// 150 ms one way for the best, 400 ms at most).
pub const DELAY_MS_MAX: i64 = 200;

/// Packets of silence after which a decoder remembers nothing that could be heard: its memory for
/// concealment is 50 ms long, and what Opus predicts from has died away.
pub const SILENT_PACKETS: u32 = 6;

/// Payloads by which a leg's silence is known: libopus needs up to eight, and some that come once
/// shall not push those out.
pub const HUSH_PAYLOADS_MAX: usize = 16;

/// Longest of them \[bytes\]: what libopus makes of silence has 36 where the rate may vary. From a
/// sender that pads to a constant rate silence is decoded.
pub const HUSH_BYTES_MAX: usize = 64;

/// Payloads of silence that a decoder of Opus is shown before a sound: what it predicts from a
/// frame has fallen below a hundredth four frames later.
pub const WARM_PACKETS_OPUS: usize = 4;

/// The same for G.722, whose predictor goes on adapting to less than is heard: after half a second
/// the two ends differ by less than a hundredth, after 80 ms by up to a third.
pub const WARM_PACKETS_G722: usize = 24;

/// Longest of them \[bytes\]: 20 ms of G.722. Silence in longer packets of it is decoded.
pub const WARM_BYTES_MAX: usize = 160;

/// How long a missing packet is waited for with made-up sound \[ms\]; then there is silence.
pub const CONCEAL_MS_MAX: i64 = 60;

/// Bit rates of Opus for far ends that bound theirs \[bit/s\]: a bound means the step below, so
/// that a room has a few encoders more for such listeners, and not one for each.
pub const OPUS_BITRATE_STEPS: [i32; 9] =
    [6_000, 7_500, 11_000, 15_000, 19_000, 22_500, 28_000, 38_000, 48_000];

/// Over how long a sound that goes on in another codec fades in \[ms\]: an encoder of Opus that
/// begins says nothing for 6.5 ms, and a resampler for 2 ms.
pub const SEAM_MS: usize = 10;

/// Samples that wait between decoder and tick \[ms\]: the longest Opus packet (120), a tick, and
/// what stretching needs.
pub const FIFO_MS: usize = 240;

/// Ticks for which a talker's payloads are passed on without a look at what is in them: a second,
/// by which it may be told late that somebody fell silent whose encoder does not say so.
pub const PASSED_TICKS_MAX: u32 = 50;

/// Ticks of which the sound is looked at in between: 200 ms, in most of which somebody who speaks
/// is loud.
pub const LISTENED_TICKS_MIN: u32 = 10;

/// Payloads that are decoded again before the first that is heard, when what was passed on is to be
/// mixed: what Opus predicts from a frame has fallen below a hundredth four frames later.
pub const PASSED_PACKETS_KEPT: usize = 6;

/// Longest of them \[bytes\]: 128 kbit/s in packets of 20 ms. Larger ones are decoded.
pub const PASSED_BYTES_MAX: usize = 320;

/// Ticks for which a talker keeps a voice of its own after it fell silent: 2 s, so that codecs with
/// memory switch seldom.
pub const PRIVATE_TICKS: u64 = 100;

/// Ticks of silence that a listener's encoder says itself, so that the sound before is whole: it
/// looks ahead by less than one. Then the house's silence does.
pub const SILENT_TICKS: u32 = 3;

/// Ticks for which a voice must be heard alone in the mix until its own payloads take over in mid
/// sound: 120 ms, in which the voice before it has died away in the far decoder.
pub const ALONE_TICKS: u32 = 6;

/// Ticks alone in the mix after which payloads take over though somebody speaks just then: a
/// second, within which most close their lips.
pub const LULL_TICKS: u32 = 50;

/// Ticks for which a sound is as loud as before, to a decibel, until it counts as one that does not
/// change: 120 ms. Within a word it changes sooner.
pub const EVEN_TICKS: u32 = 6;

/// Ticks between two such changes: a second, so that two who talk at once make no more than two
/// changes a second.
pub const TAKEN_OVER_TICKS: u32 = 50;

/// Length of the ramp when the routing changes \[ms\].
pub const RAMP_MS: usize = 5;

/// Keys that wait to be pressed at one leg: two orders full, which take 15 s.
pub const KEYS_QUEUED_MAX: usize = 2 * model::limits::DIGITS_MAX;

/// How long a key that we press is down \[ms\]: Q.24 has 40 ms heard by all; slow menus want more.
pub const KEY_MS: u32 = 100;

/// The same in ticks.
pub const KEY_TICKS: u32 = KEY_MS / TICK_MS as u32;

/// Ticks between two keys: 80 ms. Q.24 has 40 ms heard by all.
pub const KEY_GAP_TICKS: u32 = 4;

/// Longest packet that is sent \[ms\]: what SDP here agrees to.
pub const PTIME_MS_MAX: usize = 60;

/// Time between two RTCP reports of a leg, on average \[µs\]: 5 s (RFC 3550 section 6.2); each
/// time it is drawn anew from the half to one and a half of it.
pub const RTCP_EVERY_US: u64 = 5_000_000;

/// Time between two reports of a leg's quality to the control side \[µs\].
pub const QUALITY_EVERY_US: u64 = 5_000_000;

/// Longest RTCP compound that is sent \[bytes\]: a sender report with one block (52), a name of 16
/// characters (28), and a goodbye (8) or an extended report with metrics and a time (60).
pub const RTCP_BYTES_MAX: usize = 140;

/// Time between two looks at whether a leg's audio runs \[µs\]: what is amiss is told within five
/// seconds, and a call whose far end is gone ends within two of being due.
pub const WATCH_EVERY_US: u64 = 1_000_000;

/// Without a packet for so long no audio comes from a leg \[µs\]: longer than the pauses of Opus
/// DTX (400 ms) and than most stalls of a mobile network.
pub const NOTHING_COMES_US: u64 = 3_000_000;

/// Looks that find audio and never any sound in it, until it is told that there is none: nobody who
/// answers a phone is still for so long, to the last bit.
pub const SILENT_LOOKS: u8 = 4;

/// Packets that we sent, of which a report of the far end must know: a second of them. Less may be
/// on its way while the report is.
pub const PACKETS_KNOWN_MAX: u32 = 50;

/// Turns in which each port is looked at once for reports that are due: a quarter of a second. So
/// a turn looks at a fiftieth of the ports, and reports of many legs are spread.
pub const REPORT_TURNS: usize = 50;

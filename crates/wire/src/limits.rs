//! Every bound of this crate, each with its reason.

/// Longest session description that is read \[bytes\]. The largest seen in practice (a browser
/// with video and many candidates) is about 20 KB; one that does not fit a UDP datagram is hostile.
pub const SDP_BYTES_MAX: usize = 64 * 1024;

/// Most media lines in one description. A telephone offers up to 6 (audio, two videos, BFCP, text,
/// far-end camera control); every line costs a line in the answer.
pub const SDP_MEDIA_LINES_MAX: usize = 32;

/// Most formats in one media line. Browsers list about 45 for video, telephones 20 for audio.
pub const SDP_FORMATS_MAX: usize = 64;

/// Most ICE candidates in one description. Ten interfaces with two families, three kinds and two
/// components make 120.
pub const SDP_CANDIDATES_MAX: usize = 128;

/// Most keys in one media line: a telephone offers one for each of up to 8 suites.
pub const SDP_CRYPTO_MAX: usize = 16;

/// Longest tag of a key \[digits\] (RFC 4568 section 9.1).
pub const SDP_CRYPTO_TAG_DIGITS_MAX: usize = 9;

/// Shortest packet time that we send \[ms\]: one frame of the mixer's finest tick.
pub const PTIME_MS_MIN: u16 = 10;

/// Longest packet time that we send \[ms\]: the longest single Opus frame (RFC 6716 section 2.1.4).
pub const PTIME_MS_MAX: u16 = 60;

/// Most packets in one RTCP compound. A sender's report, names, a goodbye and some feedback are
/// fewer than 8; a datagram full of empty packets could otherwise hold hundreds.
pub const RTCP_PACKETS_MAX: usize = 32;

/// Most report blocks in one report: the count has five bits (RFC 3550 section 6.4.1).
pub const RTCP_REPORT_BLOCKS_MAX: usize = 31;

/// Longest CNAME \[bytes\]: its length has eight bits (RFC 3550 section 6.5).
pub const CNAME_BYTES_MAX: usize = 255;

/// Largest forward step in sequence numbers that is still the same stream \[packets\]: a minute at
/// 50 packets a second, `MAX_DROPOUT` of RFC 3550 appendix A.1.
pub const SEQUENCE_DROPOUT_MAX: u16 = 3_000;

/// Largest backward step in sequence numbers that is still reordering \[packets\]: two seconds at
/// 50 packets a second, `MAX_MISORDER` of RFC 3550 appendix A.1.
pub const SEQUENCE_MISORDER_MAX: u16 = 100;

/// Shortest key press that we send \[ms\]: receivers that turn events back into tones need 40 ms to
/// be heard as a digit (ITU-T Q.24).
pub const KEY_MS_MIN: u32 = 40;

/// Longest key press that we send \[ms\]. INFO requests ask for up to 5 seconds; longer is a fault.
pub const KEY_MS_MAX: u32 = 6_000;

/// A key whose updates stop for so long has been released \[ms\]. Updates come every 20 to 50 ms
/// (RFC 4733 section 2.5.1.2), so this survives a burst of eight lost packets.
pub const KEY_LOST_END_MS: u32 = 400;

/// A packet of an event this much older than the last one belongs to a restarted timestamp and
/// not to a late repetition \[ms\].
pub const KEY_LATE_MS_MAX: u32 = 5_000;

/// By how much a far end's delay in an RTCP report may be more than the time that passed, and mean
/// nothing \[1/65536 s\]: 10 ms, the step of a clock of 100 Hz.
pub const RTCP_CLOCK_GRAIN: i32 = 655;

/// Streams of one far end whose packets are known apart, so that none can be replayed
/// \[SSRCs\]. A telephone begins another stream when it is held or transferred; one beyond these
/// takes the place of the oldest.
pub const SRTP_STREAMS_MAX: usize = 4;

/// Longest packet whose protection is taken off \[bytes\]: what an Ethernet frame carries.
pub const SRTP_BYTES_MAX: usize = 1_500;

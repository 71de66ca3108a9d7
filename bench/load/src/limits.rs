//! Every bound of this crate, with its reason.

/// Legs of one run: as many as a server of ours takes at most.
pub(crate) const LEGS_MAX: usize = 5_000;

/// Descriptors that a run needs besides one for each leg: standard streams, SIP, `/proc`, a child.
pub(crate) const DESCRIPTORS_BESIDES: u64 = 64;

/// Datagrams taken from one socket by one system call. A socket is drained every 20 ms and gets one
/// packet in that time; more come only after somebody stood still.
pub(crate) const BATCH: usize = 4;

/// The longest datagram that is taken in \[bytes\]: an Ethernet frame; RTP of any codec here is
/// shorter.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 1_500;

/// The longest SIP message that is taken in \[bytes\]: what UDP carries.
pub(crate) const SIP_BYTES_MAX: usize = 65_535;

/// SIP messages taken in one turn of 1 ms, so that a flood of them does not hold up audio.
pub(crate) const SIP_PER_TURN_MAX: usize = 32;

/// Header lines of a SIP message that are read: four times what any server sends to a phone.
pub(crate) const SIP_HEADERS_MAX: usize = 128;

/// Packets kept of one leg for the ear: ten minutes.
pub(crate) const CAPTURED_MAX: usize = 30_000;

/// Missing packets in a row that the ear fills in. A longer gap is a fault that the counts show.
pub(crate) const CONCEALED_MAX: u64 = 50;

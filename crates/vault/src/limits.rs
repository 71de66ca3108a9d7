//! Every bound of this room, with its reason.

use std::time::Duration;

/// How often the writer looks into the rings. A twentieth of the ring's 10 s would do for the
/// audio; a tenth of a second keeps what a crash can lose small.
pub const TURN: Duration = Duration::from_millis(100);

/// How far a file's header may lag behind its data. With one turn and the time to write on top,
/// a killed server's file still holds all but its last second (acceptance W1).
pub const SIZES_LAG: Duration = Duration::from_millis(500);

/// How often data is forced to the disk: what a power cut may cost (acceptance, recorder).
pub const SYNC_EVERY: Duration = Duration::from_secs(5);

/// How long data waits before it is due to be forced to the disk. The other half of [`SYNC_EVERY`]
/// is for the others' turn: a thousand recordings that begin at the same instant at a millisecond
/// each, or one on a disk that stalls for two seconds.
pub const SYNC_AFTER: Duration = Duration::from_millis(2_500);

/// Time that one turn may spend on forcing data to the disk; the files that are left wait for the
/// next turn. Half a turn, so that a slow disk delays syncs and never the writing.
pub const SYNC_BUDGET: Duration = Duration::from_millis(50);

/// Writing longer than this in one turn counts as a stall: five turns, seen in the counters long
/// before the rings (10 s) are full.
pub const STALL: Duration = Duration::from_millis(500);

/// Longest silence that is put in for missing frames: an hour of ticks, longer than any stall that
/// a call outlives. A tick further ahead is a mistake, not a gap.
pub const GAP_TICKS_MAX: u64 = 60 * 60 * 50;

/// Free space below which no recording begins: room for the journal and for what already records
/// (100 recordings at 16 kHz for more than a minute) to end in good order.
pub const FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;

/// Bytes that follow the first eight of a RIFF file: its size field has 32 bits. Beyond, the file
/// is RF64 (EBU Tech 3306).
pub const RIFF_BYTES_MAX: u64 = u32::MAX as u64;

/// Events that wait for the writer: a room of 4,000 that joins and leaves within one turn. At about
/// 400 bytes an event this is 3 MB.
pub const EVENTS_QUEUED_MAX: usize = 8_192;

/// Longest line of the journal that is read again: a prompt that is said to a room of 4,000 names
/// each in 17 bytes, and a text of 4 kB is six times as long where each byte is escaped.
pub const EVENT_LINE_BYTES_MAX: usize = 256 * 1_024;

/// How much of the journal a start after a crash reads at most to find what was live: all since
/// the oldest live conference began. At 300 bytes an event and six a call these are ten hours of
/// sixteen calls a second; where there is more, a start that takes minutes would be worse than a
/// conference that is not closed.
pub const JOURNAL_READ_BYTES_MAX: u64 = 1_024 * 1_024 * 1_024;

/// Events of interrupted conferences that are held at once while they are closed. At about 400
/// bytes an event this is 100 MB, and only for as long as the start takes.
pub const INTERRUPTED_EVENTS_MAX: usize = 262_144;

/// Longest line of the recordings' index that is read: ours are about 120 bytes.
pub const INDEX_LINE_BYTES_MAX: usize = 1_024;

/// How long a change of a registration may wait for its file: what a crash can lose of it is less
/// than what phones are told to stay registered for.
pub const REGISTRATIONS_LAG: Duration = Duration::from_millis(500);

/// Changed registrations that wait for their file: as many as come in the ten seconds that a disk
/// may stall, with 400 phones a second.
pub const REGISTRATIONS_QUEUED_MAX: usize = 4_096;

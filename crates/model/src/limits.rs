//! Every bound that more than one room must know, with its reason.

/// Characters in a conference's name: fits a dial plan, a log line and a table's column.
pub const CONFERENCE_NAME_LENGTH_MAX: usize = 64;

/// Conferences at once on one server: each costs a mixer and an event history; 5,000 legs in
/// rooms of one is the most that one machine's ports can fill.
pub const CONFERENCES_MAX: usize = 5_000;

/// Legs at once on one server. A leg holds two descriptors' worth of kernel memory and a port; the
/// descriptor limit is raised at start to hold them all.
pub const LEGS_MAX: usize = 5_000;

/// Parties in one conference unless its profile says less: as many as the server has legs.
pub const PARTIES_PER_CONFERENCE_MAX: usize = LEGS_MAX;

/// Characters of a display name or an address that are kept: RFC 3261 sets no bound, a roster
/// needs one.
pub const LABEL_LENGTH_MAX: usize = 128;

/// Commands that may wait for the shard. Full means "busy" at once, never a wait: at 10 µs a
/// command this is 10 ms of work.
pub const COMMANDS_QUEUED_MAX: usize = 1_024;

/// Commands whose answers are remembered, so that a repeated id gets the same answer: a minute's
/// worth at 16 a second.
pub const COMMANDS_REMEMBERED_MAX: usize = 1_024;

/// Events kept in memory of one conference at most, for clients that catch up: at five events a
/// party a room of 400 can come, go and be muted once before the oldest leave. Older ones are in
/// the journal.
pub const EVENTS_KEPT_PER_CONFERENCE: usize = 4_096;

/// Ended conferences whose events and roster can still be asked for: an hour of a busy small
/// server.
pub const ENDED_CONFERENCES_KEPT: usize = 64;

/// Longest an invited party may ring before the invitation is withdrawn \[s\]: RFC 3261 §16.6 lets
/// proxies give up after three minutes; people give up after one.
pub const RINGING_S_MAX: u64 = 60;

/// Longest text that is written into a conference, in bytes: what one MESSAGE may bring
/// (`sip::limits::TEXT_BYTES_MAX`), so that each can be told in the other's terms.
pub const TEXT_BYTES_MAX: usize = 4_096;

/// Announcements at once in one conference, those that wait their turn among them: each tick looks
/// through them for each listener, and nobody follows more.
pub const ANNOUNCEMENTS_PER_CONFERENCE_MAX: usize = 8;

/// Characters in a prompt's name: fits a file's name and a URL.
pub const PROMPT_NAME_LENGTH_MAX: usize = 32;

/// Samples in one tap frame: 20 ms at 48 kHz.
pub const TAP_SAMPLES_MAX: usize = 960;

/// Tap frames between a media thread and the vault: 10 s, the longest stall of a disk that must
/// lose no audio (acceptance W4).
pub const TAP_FRAMES_QUEUED_MAX: usize = 500;

/// Recorders in one conference: one for the mix and two for each of six parties, whose voices and
/// whispers have tracks of their own, and some for whoever listens in.
pub const TAPS_PER_CONFERENCE_MAX: usize = 16;

/// Recordings at once, tracks among them: each holds a ring of about 1 MB and an open file.
pub const RECORDINGS_MAX: usize = 1_000;

/// Keys in a sequence that says a verb: what people remember, and more than sixteen keys need.
pub const KEY_SEQUENCE_LENGTH_MAX: usize = 4;

/// Sequences in one map: three for each verb that there is.
pub const KEY_SEQUENCES_MAX: usize = 64;

/// Longest number that is typed after a verb: E.164 has 15 digits, and what dial plans put before
/// it fits.
pub const KEYED_NUMBER_LENGTH_MAX: usize = 32;

/// Keys that are pressed at once: an account number and what a menu wants before it.
pub const DIGITS_MAX: usize = 32;

/// Time between two keys that belong together unless a profile says otherwise \[ms\]: enough to
/// look at the keys in between, and short for who waits for one that stands alone.
pub const KEYS_WAIT_MS: u32 = 4_000;

/// The shortest and the longest that a profile may say \[ms\].
pub const KEYS_WAIT_MS_RANGE: std::ops::RangeInclusive<u32> = 500..=30_000;

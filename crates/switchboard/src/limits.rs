//! Every bound of the switchboard, with its reason.

use std::time::Duration;

/// Bytes of users in one roster document: with the rest of the NOTIFY it stays below the 64 KiB of
/// one message. At about 300 bytes for a user it holds some 160 of them; `user-count` always tells
/// how many there are.
pub const ROSTER_BYTES_MAX: usize = 49_152;

/// Keys of one leg that wait to go by INFO: two orders full.
pub const INFO_KEYS_MAX: usize = 2 * model::limits::DIGITS_MAX;

/// How long a call stays up of which neither audio nor RTCP comes, if nothing else is configured
/// \[s\]: a phone that lost its network and comes back within it goes on talking.
pub const RTP_TIMEOUT_TALKING_S: u32 = 60;

/// The same while a phone is on hold, where many send nothing \[s\]: longer than anybody waits.
pub const RTP_TIMEOUT_HELD_S: u32 = 1_800;

/// How long somebody may stand in the lobby: a prompt, three tries, and a search for the letter
/// that has the PIN in it.
pub const PIN_TIME: Duration = Duration::from_secs(60);

/// Wrong PINs after which a call ends.
pub const PIN_TRIES: u32 = 3;

/// The span over which wrong PINs are counted.
pub const WRONG_PIN_WINDOW: Duration = Duration::from_secs(600);

/// Wrong PINs of one caller in [`WRONG_PIN_WINDOW`]: two calls. At that pace a PIN of four digits
/// takes a week.
pub const WRONG_PINS_PER_CALLER_MAX: u32 = 6;

/// Wrong PINs for one room in [`WRONG_PIN_WINDOW`], whoever types them: as many as a meeting of a
/// hundred makes by mistake. Beyond it nobody comes in by PIN until the span is over.
pub const WRONG_PINS_PER_ROOM_MAX: u32 = 60;

/// Callers and rooms whose wrong PINs are counted at once. Beyond it nobody may try.
pub const GUESSERS_MAX: usize = 16_384;

/// The span over which the calls out of a user are counted.
pub const CALLS_OUT_WINDOW: Duration = Duration::from_secs(3_600);

/// Most calls out of a user in [`CALLS_OUT_WINDOW`] that a bound may be: one each second. Each that
/// is counted is remembered by 16 bytes.
pub const CALLS_OUT_MAX: u32 = 3_600;

/// The span over which what a user spends on calls out is counted: a day.
pub const SPENDING_WINDOW: Duration = Duration::from_secs(86_400);

/// How finely it is counted: what is spent in an hour is kept as one sum, 25 of a day.
pub const SPENDING_COUNTED_BY: Duration = Duration::from_secs(3_600);

/// A call is paid for by the minute, each as it begins, as carriers do.
pub const BILLED_BY: Duration = Duration::from_secs(60);

/// How often it is told that a call is refused for its keys would go in clear: who looks finds a
/// line, and a phone that tries again and again does not fill the log.
pub const KEYS_TOLD_EVERY: Duration = Duration::from_secs(60);

/// The user part by which a phone asks for a conference of its own (RFC 4579 §5.4).
pub const FACTORY_NAME: &str = "conference-factory";

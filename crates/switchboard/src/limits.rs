//! Every bound of the switchboard, with its reason.

/// Bytes of users in one roster document: with the rest of the NOTIFY it stays below the 64 KiB of
/// one message. At about 300 bytes for a user it holds some 160 of them; `user-count` always tells
/// how many there are.
pub const ROSTER_BYTES_MAX: usize = 49_152;

/// The user part by which a phone asks for a conference of its own (RFC 4579 §5.4).
pub const FACTORY_NAME: &str = "conference-factory";

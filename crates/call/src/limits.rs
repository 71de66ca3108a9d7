//! Bounds, each with its reason.

/// People who have left that a conference remembers, so that they come back as who they were, or
/// do not: more than any profile but the open one lets in at once.
pub(crate) const TICKETS_MAX: usize = 64;

/// Parties for which it is told at once what may be done with them: each costs a dozen copies of
/// the conference. More than these are asked for one by one.
pub(crate) const ALLOWED_PARTIES_MAX: usize = 32;

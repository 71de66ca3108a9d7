//! Bounds, each with its reason.

/// People who have left that a conference remembers, so that they come back as who they were, or
/// do not: more than any profile but the open one lets in at once.
pub(crate) const TICKETS_MAX: usize = 64;

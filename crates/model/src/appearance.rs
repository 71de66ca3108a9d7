//! How those who are in a conference appear to one another: one rule for views of the API and for
//! rosters that phones are told.

use crate::profile::{Seeing, Sees};
use crate::role::Role;

/// The address of who is shown without one (RFC 3323 §4.1.1.3).
pub const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

/// The name by which agents see each other where each transfer is the centre's own affair (S4.26).
pub const INTERNAL_TRANSFER: &str = "internal transfer";

/// How somebody appears to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appearance<'n> {
    /// It does not.
    Hidden,
    /// As it is.
    Plain,
    /// Under that name.
    Named(&'n str),
    /// Under that name, and without an address.
    Nameless(&'n str),
}

/// Who is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// What it is to the conference.
    pub role: Role,
    /// Whether it only stands beside somebody, as monitors do.
    pub is_beside: bool,
}

impl Seeing {
    /// How a party appears to another of that role, or to somebody from outside who is in no
    /// conference; `primary_is_in` says whether a primary agent is connected. Everybody sees
    /// itself as it is.
    pub fn appearance(&self, viewer: Role, seen: Seen, primary_is_in: bool) -> Appearance<'_> {
        if matches!(viewer, Role::Supervisor | Role::Admin) {
            return Appearance::Plain;
        }
        let transfers = self.secondary == Sees::Transfer;
        // S4.25: a secondary sees the primary alone, as long as there is one.
        let is_behind =
            transfers && viewer == Role::Secondary && seen.role != Role::Primary && primary_is_in;
        if seen.is_beside || is_behind {
            Appearance::Hidden
        } else if transfers && viewer.is_agent() && seen.role.is_agent() {
            Appearance::Named(INTERNAL_TRANSFER)
        } else if !viewer.is_ours() && seen.role.is_ours() && !self.ours_as.is_empty() {
            Appearance::Nameless(&self.ours_as)
        } else {
            Appearance::Plain
        }
    }
}

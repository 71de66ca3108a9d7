//! Who sends (RFC 3264 section 5.1, RFC 8866 section 6.7).

use std::fmt;

/// Which way a stream flows, as seen by the one who says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways; meant when nothing is said (RFC 8866 section 6.7.3).
    #[default]
    SendRecv,
    /// I only send.
    SendOnly,
    /// I only receive.
    RecvOnly,
    /// Neither way. RTCP still flows.
    Inactive,
}

impl Direction {
    /// The direction with these two ways open.
    #[must_use]
    pub const fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the one who says it sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the one who says it receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same stream as seen from the other end.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// The ways that are open in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self::new(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// The attribute's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The direction whose attribute has this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|direction| direction.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::{self, Inactive, RecvOnly, SendOnly, SendRecv};

    #[test]
    fn what_one_sends_the_other_receives() {
        let reversed = [SendRecv, SendOnly, RecvOnly, Inactive].map(Direction::reversed);
        assert_eq!(reversed, [SendRecv, RecvOnly, SendOnly, Inactive]);
    }

    #[test]
    fn a_way_is_open_when_both_have_it_open() {
        let all = [SendRecv, SendOnly, RecvOnly, Inactive];
        let grid = all.map(|one| all.map(|other| one.intersection(other)));
        assert_eq!(
            grid,
            [
                [SendRecv, SendOnly, RecvOnly, Inactive],
                [SendOnly, SendOnly, Inactive, Inactive],
                [RecvOnly, Inactive, RecvOnly, Inactive],
                [Inactive, Inactive, Inactive, Inactive],
            ]
        );
    }
}

//! Whether a leg's frames hold sound, from tick to tick.

/// Whether a leg's frames hold sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sounding {
    /// This tick's does.
    Now,
    /// The last one did, and its end is still in the resamplers.
    Tail,
    /// Neither does. Their memory holds silence and is not touched until there is sound.
    Not,
    /// This tick's did, in a mixer that the leg has left; here it does not sound.
    Elsewhere,
}

impl Sounding {
    /// A tick later.
    pub(crate) fn then(self, sounds: bool) -> Sounding {
        match self {
            _ if sounds => Sounding::Now,
            Sounding::Now | Sounding::Elsewhere => Sounding::Tail,
            Sounding::Tail | Sounding::Not => Sounding::Not,
        }
    }

    /// Once the leg has left the mixer that played it in this tick.
    pub(crate) fn elsewhere(self) -> Sounding {
        match self {
            Sounding::Now | Sounding::Elsewhere => Sounding::Elsewhere,
            Sounding::Tail | Sounding::Not => Sounding::Not,
        }
    }

    /// Whether the own rate's frame holds samples of this tick.
    pub(crate) fn fills_frame(self) -> bool {
        match self {
            Sounding::Now | Sounding::Elsewhere => true,
            Sounding::Tail | Sounding::Not => false,
        }
    }

    /// Whether the frames of this tick hold sound, or the end of it.
    pub(crate) fn is_heard(self) -> bool {
        match self {
            Sounding::Now | Sounding::Tail => true,
            Sounding::Not | Sounding::Elsewhere => false,
        }
    }
}

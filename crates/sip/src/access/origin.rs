//! Who asks for something.

/// Who asks for something, as far as it has been shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Origin {
    /// Nobody that is known.
    Stranger,
    /// A host that is asked for no password.
    Trusted,
    /// A user that has shown its password.
    User(String),
    /// A trunk, by its source or by a password.
    Trunk(String),
}

impl Origin {
    /// The user's name.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Origin::User(name) => Some(name),
            Origin::Stranger | Origin::Trusted | Origin::Trunk(_) => None,
        }
    }

    /// The trunk's name.
    #[must_use]
    pub fn trunk(&self) -> Option<&str> {
        match self {
            Origin::Trunk(name) => Some(name),
            Origin::Stranger | Origin::Trusted | Origin::User(_) => None,
        }
    }
}

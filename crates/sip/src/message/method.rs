//! Request methods.

use std::fmt;

/// What a request asks for. Method names are case-sensitive (RFC 3261 §7.1).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Method {
    /// Opens a session or changes it.
    Invite,
    /// Acknowledges the final response to an INVITE.
    Ack,
    /// Withdraws a pending INVITE.
    Cancel,
    /// Ends a session.
    Bye,
    /// Asks what the other side can do.
    Options,
    /// Carries application data in a session (RFC 6086).
    Info,
    /// Changes a session without touching the dialog's state (RFC 3311).
    Update,
    /// Acknowledges a reliable provisional response (RFC 3262).
    Prack,
    /// Binds an address (RFC 3261 §10).
    Register,
    /// Asks for notifications (RFC 6665).
    Subscribe,
    /// Carries a notification (RFC 6665).
    Notify,
    /// Publishes event state (RFC 3903).
    Publish,
    /// Carries text (RFC 3428).
    Message,
    /// Asks to contact somebody else (RFC 3515).
    Refer,
    /// Any other token.
    Other(String),
}

/// The methods that have a name of their own here.
const KNOWN: [(Method, &str); 14] = [
    (Method::Invite, "INVITE"),
    (Method::Ack, "ACK"),
    (Method::Cancel, "CANCEL"),
    (Method::Bye, "BYE"),
    (Method::Options, "OPTIONS"),
    (Method::Info, "INFO"),
    (Method::Update, "UPDATE"),
    (Method::Prack, "PRACK"),
    (Method::Register, "REGISTER"),
    (Method::Subscribe, "SUBSCRIBE"),
    (Method::Notify, "NOTIFY"),
    (Method::Publish, "PUBLISH"),
    (Method::Message, "MESSAGE"),
    (Method::Refer, "REFER"),
];

impl Method {
    /// Every method that has a name of its own here.
    pub fn known() -> impl Iterator<Item = Method> {
        KNOWN.iter().map(|(method, _)| method.clone())
    }

    /// The method of that name; `None` unless it is a token.
    #[must_use]
    pub fn parse(name: &str) -> Option<Method> {
        if let Some((method, _)) = KNOWN.iter().find(|(_, known)| *known == name) {
            return Some(method.clone());
        }
        super::lexis::is_token(name).then(|| Method::Other(name.to_owned()))
    }

    /// The name as it stands in a message.
    #[must_use]
    pub fn name(&self) -> &str {
        if let Method::Other(name) = self {
            return name;
        }
        KNOWN
            .iter()
            .find(|(known, _)| known == self)
            .map(|(_, name)| *name)
            .expect("every method but Other is in the table")
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

//! Event: which event package, and which of several subscriptions to it (RFC 6665 §8.2.1).

use std::fmt;
use std::str::FromStr;

use super::lexis;
use super::param::Params;

/// The value of Event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventType {
    /// The package, such as `refer`; compared byte by byte.
    pub package: String,
    /// Tells subscriptions of one dialog apart.
    pub id: Option<String>,
}

/// The text is no Event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("bad Event")]
pub struct EventTypeError;

impl FromStr for EventType {
    type Err = EventTypeError;

    fn from_str(value: &str) -> Result<EventType, EventTypeError> {
        let (package, params) = match value.split_once(';') {
            Some((package, params)) => (package, Params::parse(params).ok_or(EventTypeError)?),
            None => (value, Params::default()),
        };
        let package = lexis::trim(package);
        if !lexis::is_token(package) {
            return Err(EventTypeError);
        }
        let id = params.value("id").map(str::to_owned);
        if id.as_deref().is_some_and(|id| !lexis::is_token(id)) {
            return Err(EventTypeError);
        }
        Ok(EventType { package: package.to_owned(), id })
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.package)?;
        self.id.as_ref().map_or(Ok(()), |id| write!(f, ";id={id}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_reading_and_writing() {
        let event: EventType = "refer ; id=93809824".parse().expect("valid");
        assert_eq!(event.to_string(), "refer;id=93809824");
        assert_eq!("conference".parse::<EventType>().expect("valid").id, None);
        assert!("".parse::<EventType>().is_err());
        assert!("refer;id".parse::<EventType>().is_err());
        assert!("a b".parse::<EventType>().is_err());
    }
}

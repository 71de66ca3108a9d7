//! Naming a dialog from outside of it: Replaces (RFC 3891), Join (RFC 3911), Target-Dialog
//! (RFC 4538).

use std::fmt;
use std::str::FromStr;

use super::lexis;
use super::param::{self, Params};

/// The value of Replaces or Join: a dialog as the side that is asked knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DialogName {
    /// Its Call-ID.
    pub call_id: String,
    /// The tag of the side that is asked.
    pub to_tag: String,
    /// The tag of the other side.
    pub from_tag: String,
    /// It is only meant while it is not answered (RFC 3891 §3).
    pub early_only: bool,
}

/// The text names no dialog.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("names no dialog")]
pub struct DialogNameError;

impl DialogName {
    /// Reads a Target-Dialog (RFC 4538 §7).
    ///
    /// # Errors
    /// [`DialogNameError`] without a Call-ID or with a tag missing.
    pub fn target_dialog(value: &str) -> Result<DialogName, DialogNameError> {
        DialogName::read(value, "local-tag", "remote-tag")
    }

    fn read(value: &str, to: &str, from: &str) -> Result<DialogName, DialogNameError> {
        let (call_id, params) = value.split_once(';').ok_or(DialogNameError)?;
        let call_id = lexis::trim(call_id);
        let params = Params::parse(params).ok_or(DialogNameError)?;
        // A tag is a token (RFC 3261 §25.1); what would not be read again as it is written is none.
        let tag = |name: &str| params.value(name).filter(|tag| param::stands_bare(tag));
        if call_id.is_empty() || call_id.contains([' ', '\t', ',']) {
            return Err(DialogNameError);
        }
        Ok(DialogName {
            call_id: call_id.to_owned(),
            to_tag: tag(to).ok_or(DialogNameError)?.to_owned(),
            from_tag: tag(from).ok_or(DialogNameError)?.to_owned(),
            early_only: params.has("early-only"),
        })
    }
}

impl FromStr for DialogName {
    type Err = DialogNameError;

    fn from_str(value: &str) -> Result<DialogName, DialogNameError> {
        DialogName::read(value, "to-tag", "from-tag")
    }
}

impl fmt::Display for DialogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        if self.early_only { f.write_str(";early-only") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_reading_and_writing() {
        let text = "425928@bobster.example.org;to-tag=7743;from-tag=6472;early-only";
        let name: DialogName = text.parse().expect("valid");
        assert_eq!((name.to_tag.as_str(), name.from_tag.as_str()), ("7743", "6472"));
        assert!(name.early_only);
        assert_eq!(name.to_string(), text);
        let target = DialogName::target_dialog("fa77as;local-tag=kk;remote-tag=u3").expect("valid");
        assert_eq!((target.to_tag.as_str(), target.from_tag.as_str()), ("kk", "u3"));
    }

    #[test]
    fn a_name_without_both_tags_is_none() {
        let quoted = "a;to-tag=7;from-tag=\";b;to-tag=7;from-tag=\";early-tnly";
        let halves =
            ["", "a", "a;to-tag=1", "a;from-tag=1", ";to-tag=1;from-tag=2", "a b;to-tag=1"];
        let bracket = "a;to-tag=4;from-tag=\"=]>pg=7\"";
        for text in halves.into_iter().chain([quoted, bracket]) {
            assert!(text.parse::<DialogName>().is_err(), "{text}");
        }
    }
}

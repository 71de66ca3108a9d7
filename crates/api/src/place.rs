//! What stands in a path: which conference, which party.

use model::{AnnouncementId, ConferenceRef, PartyId, Refusal};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::problem::Problem;

/// A path that names a conference.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct InConference {
    /// Its id, or the live one's name.
    #[param(example = "standup")]
    conference: String,
}

/// A path that names a party in a conference.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfParty {
    /// Its id, or the live one's name.
    #[param(example = "standup")]
    conference: String,
    /// Its id.
    #[param(example = "p0000000000007")]
    party: String,
}

/// A path that names an announcement in a conference.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfAnnouncement {
    /// Its id, or the live one's name.
    #[param(example = "standup")]
    conference: String,
    /// Its id.
    #[param(example = "a0000000000007")]
    announcement: String,
}

impl OfAnnouncement {
    pub(crate) fn conference(&self) -> Result<ConferenceRef, Problem> {
        conference(&self.conference)
    }

    /// What is not an id names none.
    pub(crate) fn announcement(&self) -> Result<AnnouncementId, Problem> {
        self.announcement.parse().map_err(|_| Problem::from(Refusal::NoSuchAnnouncement))
    }
}

impl InConference {
    pub(crate) fn conference(&self) -> Result<ConferenceRef, Problem> {
        conference(&self.conference)
    }
}

impl OfParty {
    pub(crate) fn conference(&self) -> Result<ConferenceRef, Problem> {
        conference(&self.conference)
    }

    /// What is not an id names nobody.
    pub(crate) fn party(&self) -> Result<PartyId, Problem> {
        self.party.parse().map_err(|_| Problem::from(Refusal::NoSuchParty))
    }
}

fn conference(text: &str) -> Result<ConferenceRef, Problem> {
    ConferenceRef::parse(text).map_err(|_| Problem::from(Refusal::BadName))
}

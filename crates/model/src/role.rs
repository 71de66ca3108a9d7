//! What somebody is to a conference, and whom an author means.

use serde::{Deserialize, Serialize};

/// What somebody is to a conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Whoever may use the API, while it speaks for no party.
    Admin,
    /// One of ours who is responsible for the conference.
    Host,
    /// One of ours whom the host has named beside itself.
    CoHost,
    /// One of ours.
    Staff,
    /// The agent whose call it is.
    Primary,
    /// An agent who was added.
    Secondary,
    /// One of ours who looks after agents. It is a party only while it barges in.
    Supervisor,
    /// One of ours who listens only.
    Trainee,
    /// Whose matter it is.
    Customer,
    /// Somebody else from outside.
    External,
    /// Anybody, in a room that makes no difference.
    Guest,
}

impl Role {
    /// Every role there is.
    pub const ALL: [Role; 11] = [
        Role::Admin,
        Role::Host,
        Role::CoHost,
        Role::Staff,
        Role::Primary,
        Role::Secondary,
        Role::Supervisor,
        Role::Trainee,
        Role::Customer,
        Role::External,
        Role::Guest,
    ];

    /// The name as profiles and the API say it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Host => "host",
            Role::CoHost => "co_host",
            Role::Staff => "staff",
            Role::Primary => "primary",
            Role::Secondary => "secondary",
            Role::Supervisor => "supervisor",
            Role::Trainee => "trainee",
            Role::Customer => "customer",
            Role::External => "external",
            Role::Guest => "guest",
        }
    }

    /// One of ours: it may hear whispers and see who supervises.
    pub fn is_ours(self) -> bool {
        match self {
            Role::Admin | Role::Supervisor | Role::Trainee => true,
            Role::Host | Role::CoHost | Role::Staff | Role::Primary | Role::Secondary => true,
            Role::Customer | Role::External | Role::Guest => false,
        }
    }

    /// One of ours who takes calls: as long as one is in, the conference is staffed.
    pub fn is_agent(self) -> bool {
        match self {
            Role::Host | Role::CoHost | Role::Staff | Role::Primary | Role::Secondary => true,
            Role::Admin | Role::Supervisor | Role::Trainee => false,
            Role::Customer | Role::External | Role::Guest => false,
        }
    }
}

/// Whom an author means. Of those that fit, the first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// The conference as a whole.
    Conference,
    /// Itself.
    Myself,
    /// A supervisor.
    Supervisor,
    /// The customer.
    Customer,
    /// Whom it has brought in, also one of ours.
    Added,
    /// Another agent, or a trainee.
    Colleague,
    /// Anybody else.
    Third,
}

impl Relation {
    /// Every relation there is.
    pub const ALL: [Relation; 7] = [
        Relation::Conference,
        Relation::Myself,
        Relation::Customer,
        Relation::Added,
        Relation::Colleague,
        Relation::Third,
        Relation::Supervisor,
    ];

    /// The name as profiles say it.
    pub fn name(self) -> &'static str {
        match self {
            Relation::Conference => "conference",
            Relation::Myself => "myself",
            Relation::Supervisor => "supervisor",
            Relation::Customer => "customer",
            Relation::Added => "added",
            Relation::Colleague => "colleague",
            Relation::Third => "third",
        }
    }
}

/// Which way the call of a party goes, as the record of a call says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Somebody from outside calls in.
    Inbound,
    /// Somebody outside is called.
    Outbound,
    /// One of ours calls in, or is called.
    Internal,
}

impl Direction {
    /// Which way the call of somebody from there goes, who dialled in or is called.
    pub fn of(who: Affiliation, dialled_in: bool) -> Direction {
        match (who, dialled_in) {
            (Affiliation::Outside, true) => Direction::Inbound,
            (Affiliation::Outside, false) => Direction::Outbound,
            (Affiliation::Ours, true | false) => Direction::Internal,
        }
    }
}

/// Where somebody comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affiliation {
    /// A user of this server, known by password or registration.
    Ours,
    /// Anybody else, whatever name it gives.
    Outside,
}

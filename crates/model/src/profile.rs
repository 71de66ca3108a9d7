//! Profiles are data: who may do which verb to whom, and what follows from what.

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::keys::Keys;
use crate::prompt::{LANGUAGE_AT_LEAST, PromptName};
use crate::refusal::Refusal;
use crate::role::{Affiliation, Relation, Role};

/// The rules of a conference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What it is for, in a sentence.
    pub about: String,
    /// Parties at most, those that are still being called among them. Who only monitors is none.
    pub parties_max: usize,
    /// Whether who speaks too softly or too loudly is brought near the usual loudness.
    #[serde(default)]
    pub automatic_gain: bool,
    /// Who gets which role.
    pub roles: Roles,
    /// What happens when somebody is brought in.
    #[serde(default)]
    pub inviting: Inviting,
    /// What happens while two of the conference consult.
    #[serde(default)]
    pub consulting: Consulting,
    /// What being set apart is like.
    #[serde(default)]
    pub holding: Holding,
    /// What happens when somebody leaves.
    #[serde(default)]
    pub leaving: Leaving,
    /// When the conference is over.
    #[serde(default)]
    pub ends_without: EndsWithout,
    /// What is recorded where the room is recorded.
    #[serde(default)]
    pub recording: Recording,
    /// What the keys of its parties' telephones mean.
    #[serde(default)]
    pub keys: Keys,
    /// Whom those in the conference see.
    #[serde(default)]
    pub seeing: Seeing,
    /// What is said by itself.
    #[serde(default)]
    pub prompts: Prompts,
    /// When which prompt is said.
    #[serde(default, rename = "prompt")]
    pub prompted: Vec<Prompted>,
    /// What texts mean that its parties' telephones send.
    #[serde(default)]
    pub texts: Texts,
    /// What is allowed. What is not here is not allowed.
    #[serde(rename = "permission")]
    pub permissions: Vec<Permission>,
}

/// Who gets which role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Of ours, while there is no other agent.
    pub first_of_ours: Role,
    /// Of ours, otherwise.
    pub of_ours: Role,
    /// The first from outside who dials in.
    pub caller: Role,
    /// Whoever else is from outside.
    pub outsider: Role,
    /// What who brings somebody in becomes, if nobody is it.
    #[serde(default)]
    pub inviter: Option<Role>,
    /// Roles that do not go with who has them: they pass to a co-host, else to the agent who has
    /// been in longest.
    #[serde(default)]
    pub succession: Vec<Role>,
}

/// What happens when somebody is brought in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Inviting {
    /// Where who was invited by a party stands first.
    pub first: Stand,
    /// Nobody else is called while somebody is.
    pub one_at_a_time: bool,
    /// How it rings for who has somebody called.
    pub ringback: Ringback,
}

/// A country's ringing tone (ITU-T E.180 Supplement 2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ringback {
    /// 425 Hz, one second in five: what E.180 recommends.
    #[default]
    Europe,
    /// 440 and 480 Hz, two seconds in six.
    NorthAmerica,
    /// 400 and 450 Hz, twice in three seconds.
    UnitedKingdom,
}

impl Ringback {
    /// Every tone there is.
    pub const ALL: [Ringback; 3] =
        [Ringback::Europe, Ringback::NorthAmerica, Ringback::UnitedKingdom];
}

/// Where who was invited by a party stands first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stand {
    /// In the room.
    #[default]
    Room,
    /// Aside with who brought it in: inviting is consulting.
    Aside,
}

/// What happens while two of the conference consult.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Consulting {
    /// What becomes of those who stand in the room.
    pub room: Meanwhile,
    /// What becomes of them when who is consulted does not come, or goes.
    pub afterwards: Afterwards,
}

/// What becomes of those who stand in the room while two of it consult.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Meanwhile {
    /// They are set apart from the first ring on.
    Held,
    /// They talk on, with who consults until who is called answers.
    #[default]
    Stays,
}

/// What becomes of those who were set apart for a consultation that came to nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Afterwards {
    /// They come back.
    #[default]
    Back,
    /// They stay apart until somebody releases them.
    Held,
}

/// What being set apart is like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Holding {
    /// Whether one of ours who is set apart goes on talking with who set it apart.
    pub path: HoldPath,
    /// What somebody from outside hears who stands alone in the room.
    pub alone: Alone,
}

/// Whether one of ours who is set apart goes on talking with who set it apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldPath {
    /// It does not.
    #[default]
    None,
    /// It does, and nobody else hears it.
    Placer,
}

/// What somebody from outside hears who stands alone in the room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alone {
    /// Nothing.
    #[default]
    Silence,
    /// Hold music.
    Music,
}

/// What happens when somebody leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Leaving {
    /// What becomes of holds that it placed.
    pub holds: Fate,
    /// What becomes of calls to those whom it was bringing in.
    pub dials: Fate,
    /// What becomes of whom it consulted with, who has answered.
    pub consulted: Consulted,
    /// Which roles may come back as who they were.
    pub rejoin: Vec<Role>,
    /// Which roles may not come in again by themselves.
    pub no_return: Vec<Role>,
}

/// What becomes of what somebody had begun who leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It ends.
    #[default]
    Ends,
    /// It stays as it is.
    Stays,
}

/// What becomes of whom somebody consulted with who leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consulted {
    /// It takes the place: it stands in the room with those who were set apart.
    #[default]
    TakesOver,
    /// It is let go.
    Leaves,
}

/// Without whom the conference is over. Without anybody it always is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndsWithout {
    /// Without anybody.
    #[default]
    Anybody,
    /// When the last agent has left.
    Agents,
    /// When the last agent or the customer has left.
    AgentsOrCustomer,
    /// When the last agent and the customer have left.
    AgentsAndCustomer,
}

/// What is recorded where the room is recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recording {
    /// Whether what is said aside in a consultation is recorded too.
    pub consultations: bool,
    /// Whether recording stops when the last agent leaves, and goes on when one is in again.
    pub stops_without_agents: bool,
    /// What is recorded beside the mix.
    pub tracks: Tracks,
}

/// What is recorded beside the mix.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tracks {
    /// Nothing.
    #[default]
    None,
    /// Each party's voice, and what it whispers, in a file each.
    Each,
}

/// Whom those in the conference see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Seeing {
    /// Whom a secondary agent sees while the primary is in.
    pub secondary: Sees,
    /// The name by which those from outside see ours, who then have no address either; empty: as
    /// they are.
    pub ours_as: String,
}

/// Whom a secondary agent sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Sees {
    /// Everybody.
    #[default]
    Everybody,
    /// The primary alone, as an internal transfer; so the primary sees it.
    Transfer,
}

/// How prompts are said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prompts {
    /// In which language: its tag (RFC 5646) in lower case, as the folders of prompts are named.
    pub language: PromptName,
}

impl Default for Prompts {
    fn default() -> Prompts {
        let language = PromptName::parse(LANGUAGE_AT_LEAST);
        Prompts { language: language.expect("English is a name, as a test of prompts shows") }
    }
}

/// One prompt that is said by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompted {
    /// When.
    pub when: Occasion,
    /// Which.
    pub play: PromptName,
    /// To whom.
    pub to: HeardBy,
    /// Whether recordings hold it.
    #[serde(default)]
    pub recorded: bool,
}

/// What happens to a party for which a prompt may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// It has come in.
    Joined,
    /// It has left.
    Left,
    /// It is set apart.
    Held,
    /// Its seat is to pass to somebody who is being called.
    Transferring,
    /// It was called and did not come, and no agent is in.
    NobodyAvailable,
    /// Recording has begun. To who comes in later it is said then.
    Recording,
}

/// Who hears a prompt. Who only monitors is none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeardBy {
    /// The party itself.
    Party,
    /// Those who stand in the room, without the party.
    Others,
    /// Customers, wherever they stand.
    Customer,
    /// All who are in.
    Everybody,
}

/// What texts mean that telephones send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Texts {
    /// What begins so is whispered to ours; where this is empty, nothing is.
    pub whisper: String,
}

impl Default for Texts {
    fn default() -> Texts {
        Texts { whisper: "/w ".to_owned() }
    }
}

impl Texts {
    /// What is whispered by a text, if it is a whisper.
    pub fn whispered<'t>(&self, text: &'t str) -> Option<&'t str> {
        text.strip_prefix(&self.whisper).filter(|_| !self.whisper.is_empty())
    }
}

/// One permission: these roles may do these actions in these relations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// Who.
    pub role: Vec<Role>,
    /// To whom.
    pub to: Vec<Relation>,
    /// What.
    pub may: Vec<Action>,
    /// All of these must hold.
    #[serde(default)]
    pub when: Vec<Condition>,
}

/// What must hold for a permission to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// No primary agent is in.
    PrimaryGone,
    /// There are exactly three parties.
    ExactlyThree,
    /// There are three parties at least, or the primary agent is in.
    ThreeOrPrimary,
    /// Somebody else of ours is in who would hear it.
    OursToHear,
    /// The hold was not placed by the primary agent.
    NotHeldByPrimary,
    /// The hold was placed by the author.
    OwnHold,
}

impl Condition {
    /// Every condition there is.
    pub const ALL: [Condition; 6] = [
        Condition::PrimaryGone,
        Condition::ExactlyThree,
        Condition::ThreeOrPrimary,
        Condition::OursToHear,
        Condition::NotHeldByPrimary,
        Condition::OwnHold,
    ];

    /// In words, as grids say it.
    pub fn words(self) -> &'static str {
        match self {
            Condition::PrimaryGone => "once the primary has left",
            Condition::ExactlyThree => "with exactly three parties",
            Condition::ThreeOrPrimary => "with three parties or the primary",
            Condition::OursToHear => "with somebody of ours to hear it",
            Condition::NotHeldByPrimary => "unless the primary placed the hold",
            Condition::OwnHold => "if it placed the hold itself",
        }
    }

    /// What is said where it does not hold.
    pub fn refusal(self) -> Refusal {
        match self {
            Condition::PrimaryGone => Refusal::PrimaryPresent,
            Condition::ExactlyThree => Refusal::NotThreeParties,
            Condition::ThreeOrPrimary => Refusal::TooFewParties,
            Condition::OursToHear => Refusal::NobodyToHear,
            Condition::NotHeldByPrimary | Condition::OwnHold => Refusal::NotYourHold,
        }
    }
}

impl Profile {
    /// The conditions under which this role may do this in this relation, one list for each
    /// permission that says so; none where it may not at all.
    pub fn permissions_for(
        &self,
        role: Role,
        action: Action,
        to: Relation,
    ) -> impl Iterator<Item = &[Condition]> {
        self.permissions
            .iter()
            .filter(move |row| {
                row.role.contains(&role) && row.to.contains(&to) && row.may.contains(&action)
            })
            .map(|row| row.when.as_slice())
    }

    /// Which roles can be in a conference of this profile: those that it gives, and those that
    /// somebody may appoint or that supervise.
    pub fn roles(&self) -> Vec<Role> {
        let speaks = |role: &Role| self.permissions.iter().any(|row| row.role.contains(role));
        Role::ALL.into_iter().filter(|role| speaks(role) || self.gives(*role)).collect()
    }

    fn gives(&self, role: Role) -> bool {
        let Roles { first_of_ours, of_ours, caller, outsider, inviter, .. } = &self.roles;
        [first_of_ours, of_ours, caller, outsider].contains(&&role) || *inviter == Some(role)
    }

    /// The role of somebody who comes in, by where it comes from and who is in already.
    pub fn role_for(&self, who: Affiliation, dialled_in: bool, present: &[Role]) -> Role {
        let has_agent = present.iter().any(|role| role.is_agent());
        let has_caller = present.contains(&self.roles.caller);
        match who {
            Affiliation::Ours if has_agent => self.roles.of_ours,
            Affiliation::Ours => self.roles.first_of_ours,
            Affiliation::Outside if dialled_in && !has_caller => self.roles.caller,
            Affiliation::Outside => self.roles.outsider,
        }
    }
}

//! The profiles that are shipped, and how one is read.

use model::Role;
use model::limits::{KEYS_WAIT_MS_RANGE, PARTIES_PER_CONFERENCE_MAX};
use model::profile::{Permission, Profile};

/// Name and text of each.
const SHIPPED: [(&str, &str); 7] = [
    ("cinnox", include_str!("../profiles/cinnox.toml")),
    ("connect_multi_party", include_str!("../profiles/connect_multi_party.toml")),
    ("connect_three_party", include_str!("../profiles/connect_three_party.toml")),
    ("expertflow", include_str!("../profiles/expertflow.toml")),
    ("genesys_instant", include_str!("../profiles/genesys_instant.toml")),
    ("helpdesk3", include_str!("../profiles/helpdesk3.toml")),
    ("open", include_str!("../profiles/open.toml")),
];

/// A text that is no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadProfile(String);

/// Reads a profile.
///
/// # Errors
/// Line, column and reason; or the rule of a profile that it breaks.
pub fn parse(text: &str) -> Result<Profile, BadProfile> {
    let profile: Profile = toml::from_str(text)
        .map_err(|error| BadProfile(error.to_string().trim_end().to_owned()))?;
    check(&profile).map_err(BadProfile)?;
    check_keys(&profile, text).map_err(BadProfile)?;
    Ok(profile)
}

/// What a profile must keep to whatever it allows.
fn check(profile: &Profile) -> Result<(), String> {
    let Profile { name, parties_max, permissions, roles, .. } = profile;
    let is_name = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(format!("name = {name:?}: it is of a-z, 0-9 and _"));
    }
    if !(1..=PARTIES_PER_CONFERENCE_MAX).contains(parties_max) {
        return Err(format!("parties_max = {parties_max}: 1 to {PARTIES_PER_CONFERENCE_MAX}"));
    }
    for given in [roles.first_of_ours, roles.of_ours, roles.caller, roles.outsider] {
        if matches!(given, Role::Admin | Role::Supervisor) {
            return Err(format!("[roles]: nobody comes in as {}", given.name()));
        }
    }
    for row in permissions {
        for action in &row.may {
            let of_conference = row.to.contains(&model::Relation::Conference);
            if row.to.is_empty() || of_conference != action.is_of_conference() {
                let (action, whom) = match of_conference {
                    true => (action.name(), "to somebody, not to the conference"),
                    false => (action.name(), "to the conference, not to somebody"),
                };
                return Err(format!("[[permission]]: {action} is done {whom}"));
            }
        }
    }
    Ok(())
}

/// Keys that say a verb say one that somebody may do, and each verb is said in one way.
fn check_keys(profile: &Profile, text: &str) -> Result<(), String> {
    let wait_ms = profile.keys.wait_ms;
    if !KEYS_WAIT_MS_RANGE.contains(&wait_ms) {
        let (least, most) = (KEYS_WAIT_MS_RANGE.start(), KEYS_WAIT_MS_RANGE.end());
        return Err(format!("[keys] wait_ms = {wait_ms}: {least} to {most}"));
    }
    for (keys, verb) in profile.keys.map.iter() {
        let (action, to) = verb.action();
        // Whoever has the API has no telephone.
        let has_keys = |row: &&Permission| row.role.iter().any(|role| *role != Role::Admin);
        let rows = profile.permissions.iter().filter(has_keys);
        let mut allowed = rows.filter(|row| row.may.contains(&action));
        let wrong = if profile.keys.map.keys_of(verb) != Some(keys) {
            "is said by other keys already"
        } else if !allowed.any(|row| row.to.iter().any(|relation| to.contains(relation))) {
            "is not allowed to anybody"
        } else {
            continue;
        };
        let quoted = format!("\"{keys}\"");
        let line = text.lines().position(|line| line.trim_start().starts_with(&quoted));
        let at = line.map_or(String::new(), |before| format!(" at line {}", before + 1));
        return Err(format!("[keys.map]{at}: {keys} = \"{}\" {wrong}", verb.name()));
    }
    Ok(())
}

/// The profiles that are shipped, by name.
pub fn shipped() -> Vec<Profile> {
    SHIPPED
        .iter()
        .map(|(name, text)| {
            let profile = parse(text).expect("what is shipped is read in a test");
            assert_eq!(profile.name, *name, "what is shipped is read in a test");
            profile
        })
        .collect()
}

/// The rules of a conference that is given no other: everybody may come in and speak.
pub fn open() -> Profile {
    shipped().into_iter().find(|profile| profile.name == "open").expect("open is shipped")
}

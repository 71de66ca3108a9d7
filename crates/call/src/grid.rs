//! A profile as a picture, and two as what differs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::keys::Needs;
use model::profile::{Condition, Profile};
use model::{Action, KeyVerb, Relation, Role};

/// What a role may do in a relation: each list is a way, and all that stands in it must hold.
fn cell(profile: &Profile, role: Role, action: Action, to: Relation) -> String {
    let mut ways: Vec<&[Condition]> = profile.permissions_for(role, action, to).collect();
    if ways.iter().any(|conditions| conditions.is_empty()) {
        return "yes".to_owned();
    }
    ways.sort_unstable();
    ways.dedup();
    let words = |conditions: &[Condition]| {
        let words: Vec<&str> = conditions.iter().map(|condition| condition.words()).collect();
        words.join(" and ")
    };
    ways.iter().map(|way| words(way)).collect::<Vec<_>>().join(", or ")
}

/// Where an action can be done: to somebody, or to the conference.
fn relations(action: Action) -> Vec<Relation> {
    let fits = |to: &Relation| (*to == Relation::Conference) == action.is_of_conference();
    Relation::ALL.into_iter().filter(fits).collect()
}

/// The settings that are no permissions, a name and a value each.
fn settings(profile: &Profile) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let told = toml::Value::try_from(profile).expect("a profile was read from such a table");
    for (name, value) in told.as_table().into_iter().flatten() {
        if let Some(inner) = value.as_table() {
            // What keys say is drawn by itself.
            for (key, value) in inner.iter().filter(|(_, value)| !value.is_table()) {
                settings.insert(format!("{name}.{key}"), value.to_string());
            }
        } else if !value.is_array() {
            settings.insert(name.clone(), value.to_string());
        }
    }
    settings
}

/// What is pressed to say a verb.
fn pressed(profile: &Profile, verb: KeyVerb) -> Option<String> {
    let keys = profile.keys.map.keys_of(verb)?;
    Some(match verb.needs() {
        Needs::Nothing => keys.to_string(),
        Needs::Number => format!("{keys} NUMBER #"),
        Needs::Place => format!("{keys} N #"),
    })
}

/// Which keys say which verb in each of these profiles: a table in Markdown.
pub fn keys_table(profiles: &[Profile]) -> String {
    let mut text = String::new();
    let heads: Vec<String> =
        profiles.iter().map(|profile| format!(" {} |", profile.name)).collect();
    line(&mut text, &format!("| |{}", heads.concat()));
    line(&mut text, &format!("|---|{}", "---|".repeat(profiles.len())));
    for verb in KeyVerb::ALL {
        let keys = profiles.iter().map(|profile| match pressed(profile, verb) {
            Some(keys) => format!(" `{keys}` |"),
            None => " |".to_owned(),
        });
        line(&mut text, &format!("| {} |{}", verb.words(), keys.collect::<String>()));
    }
    text
}

/// The profile as text: its settings, then for each role what it may do to whom, then what keys
/// say.
pub fn grid(profile: &Profile) -> String {
    let mut text = String::new();
    for (name, value) in settings(profile) {
        line(&mut text, &format!("{name} = {value}"));
    }
    for role in profile.roles() {
        let rows: Vec<(Action, Vec<String>)> = Action::ALL
            .into_iter()
            .map(|action| {
                let to = Relation::ALL.iter().filter(|to| relations(action).contains(to));
                (action, to.map(|to| cell(profile, role, action, *to)).collect::<Vec<_>>())
            })
            .filter(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()))
            .collect();
        if rows.is_empty() {
            continue;
        }
        line(&mut text, "");
        draw_role(&mut text, role, &rows);
    }
    draw_keys(&mut text, profile);
    text
}

fn draw_keys(text: &mut String, profile: &Profile) {
    let said: Vec<KeyVerb> = profile.keys.map.iter().map(|(_, verb)| verb).collect();
    if said.is_empty() {
        return;
    }
    line(text, "");
    line(text, "KEYS");
    for verb in said {
        let pressed = pressed(profile, verb).unwrap_or_default();
        line(text, &format!("  {pressed:<14}{}", verb.words()));
    }
}

fn draw_role(text: &mut String, role: Role, rows: &[(Action, Vec<String>)]) {
    let mut notes: Vec<&str> = Vec::new();
    let columns = &Relation::ALL[1..];
    let heads: String = columns.iter().map(|to| format!("{:<12}", to.name())).collect();
    line(text, format!("{:<14}{heads}", role.name().to_uppercase()).trim_end());
    for (action, cells) in rows {
        let mut row = format!("  {:<12}", action.name());
        if action.is_of_conference() {
            row += "the conference: ";
        }
        for cell in cells {
            let mark = match cell.as_str() {
                "" => "-".to_owned(),
                "yes" => "yes".to_owned(),
                condition => {
                    let known = notes.iter().position(|note| *note == condition);
                    let at = known.unwrap_or_else(|| {
                        notes.push(condition);
                        notes.len() - 1
                    });
                    format!("yes [{}]", at + 1)
                }
            };
            write!(row, "{mark:<12}").expect("a String takes what is written");
        }
        line(text, row.trim_end());
    }
    for (at, note) in notes.iter().enumerate() {
        line(text, &format!("  [{}] {note}", at + 1));
    }
}

/// What differs between two profiles, a sentence each; none if they say the same.
pub fn differences(a: &Profile, b: &Profile) -> Vec<String> {
    let mut sentences = Vec::new();
    let (in_a, in_b) = (settings(a), settings(b));
    let mut names: Vec<&String> = in_a.keys().chain(in_b.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names.into_iter().filter(|name| *name != "name" && *name != "about") {
        let says = |settings: &BTreeMap<String, String>| {
            settings.get(name).cloned().unwrap_or_else(|| "not set".to_owned())
        };
        let (one, other) = (says(&in_a), says(&in_b));
        if one != other {
            sentences.push(format!("{name} is {one} in {}, {other} in {}.", a.name, b.name));
        }
    }
    for verb in KeyVerb::ALL {
        let says = |profile| pressed(profile, verb).unwrap_or_else(|| "not there".to_owned());
        let (one, other) = (says(a), says(b));
        if one != other {
            let verb = verb.words();
            sentences.push(format!("{verb}: {one} in {}, {other} in {}.", a.name, b.name));
        }
    }
    for role in Role::ALL {
        for action in Action::ALL {
            for to in relations(action) {
                let (one, other) = (cell(a, role, action, to), cell(b, role, action, to));
                if one != other {
                    sentences.push(sentence(role, action, to, [(&a.name, one), (&b.name, other)]));
                }
            }
        }
    }
    sentences
}

fn sentence(role: Role, action: Action, to: Relation, says: [(&String, String); 2]) -> String {
    let is_of_conference = to == Relation::Conference;
    let whom = if is_of_conference { String::new() } else { format!(" {}", to.name()) };
    let [one, other] = says.map(|(name, cell)| match cell.as_str() {
        "" => format!("may not in {name}"),
        "yes" => format!("may in {name}"),
        condition => format!("may in {name} {condition}"),
    });
    format!("{} {}{whom}: {one}, {other}.", role.name(), action.name())
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

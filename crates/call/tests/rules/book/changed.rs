//! Profiles with one rule changed: a book that plays by the rule as it was has to notice.

use model::Role;
use model::profile::{
    Afterwards, Alone, Consulted, EndsWithout, Fate, HoldPath, Meanwhile, Permission, Profile,
    Stand, Tracks,
};

/// Changes that change nothing, and why.
pub(crate) const WITHOUT_EFFECT: [(&str, &str); 29] = [
    // Who comes in is staff first, and what it was before only then.
    ("cinnox", "Host may not Enter to [Conference]"),
    ("cinnox", "CoHost may not Enter to [Conference]"),
    // Guests come by links.
    ("cinnox", "Guest may not Enter to [Conference]"),
    ("cinnox", "Guest may not Remove to [Myself]"),
    ("cinnox", "Guest may not TakeOver to [Myself]"),
    // Nobody may set another apart, nor bring it back: it comes back by itself.
    ("cinnox", "afterwards"),
    ("cinnox", "path"),
    ("cinnox", "holds"),
    ("genesys_instant", "holds"),
    // Who invites as the primary is the primary who is in.
    ("connect_three_party", "[Primary] [Invite] without ThreeOrPrimary"),
    // It is over by then.
    ("expertflow", "stops_without_agents"),
    ("genesys_instant", "stops_without_agents"),
    ("helpdesk3", "stops_without_agents"),
    // All are guests, there is no agent and no host, and only an admin brings in, sets apart and
    // has somebody consult.
    ("open", "first_of_ours"),
    ("open", "of_ours"),
    ("open", "inviter"),
    ("open", "succession"),
    ("open", "first"),
    ("open", "room"),
    ("open", "afterwards"),
    ("open", "path"),
    ("open", "holds"),
    ("open", "dials"),
    ("open", "consulted"),
    ("open", "consultations"),
    ("open", "stops_without_agents"),
    ("open", "ends without Agents"),
    ("open", "ends without AgentsOrCustomer"),
    ("open", "ends without AgentsAndCustomer"),
];

/// What is changed, and the profile with that change.
type Changed = (String, Profile);

/// A profile with something else in one place, each place once.
pub(crate) fn changes(rules: &Profile) -> Vec<Changed> {
    let mut changes = permissions_changed(rules);
    changes.extend(consequences_changed(rules));
    changes
}

/// Each thing that a profile allows, not allowed; each condition, gone.
fn permissions_changed(rules: &Profile) -> Vec<Changed> {
    let mut changed = vec![];
    for (at, row) in rules.permissions.iter().enumerate() {
        let with = |row: Permission| {
            let mut rules = rules.clone();
            rules.permissions[at] = row;
            rules
        };
        for condition in 0..row.when.len() {
            let mut row = row.clone();
            let gone = row.when.remove(condition);
            changed.push((format!("{:?} {:?} without {gone:?}", row.role, row.may), with(row)));
        }
        for (role, action) in
            row.role.iter().flat_map(|role| row.may.iter().map(move |a| (role, a)))
        {
            // The row again, without it; and what else that role may do by it.
            let others = row.role.iter().copied().filter(|other| other != role).collect();
            let rest = row.may.iter().copied().filter(|other| other != action).collect();
            let mut rules = with(Permission { role: others, ..row.clone() });
            rules.permissions.push(Permission { role: vec![*role], may: rest, ..row.clone() });
            changed.push((format!("{role:?} may not {action:?} to {:?}", row.to), rules));
        }
    }
    changed
}

/// What follows from what, another way.
fn consequences_changed(rules: &Profile) -> Vec<Changed> {
    let other = |what: &str, change: fn(&mut Profile)| {
        let mut changed = rules.clone();
        change(&mut changed);
        (what.to_owned(), changed)
    };
    let changed = vec![
        other("parties_max", |rules| rules.parties_max -= 1),
        other("first_of_ours", |rules| rules.roles.first_of_ours = Role::Guest),
        other("of_ours", |rules| rules.roles.of_ours = Role::Guest),
        other("caller", |rules| rules.roles.caller = Role::Staff),
        other("outsider", |rules| rules.roles.outsider = Role::Staff),
        other("inviter", |rules| {
            rules.roles.inviter = rules.roles.inviter.is_none().then_some(Role::Host);
        }),
        other("succession", |rules| match rules.roles.succession.is_empty() {
            true => rules.roles.succession = vec![rules.roles.first_of_ours],
            false => rules.roles.succession.clear(),
        }),
        other("first", |rules| {
            rules.inviting.first = match rules.inviting.first {
                Stand::Room => Stand::Aside,
                Stand::Aside => Stand::Room,
            }
        }),
        other("one_at_a_time", |rules| {
            rules.inviting.one_at_a_time = !rules.inviting.one_at_a_time;
        }),
        other("room", |rules| {
            rules.consulting.room = match rules.consulting.room {
                Meanwhile::Held => Meanwhile::Stays,
                Meanwhile::Stays => Meanwhile::Held,
            }
        }),
        other("afterwards", |rules| {
            rules.consulting.afterwards = match rules.consulting.afterwards {
                Afterwards::Back => Afterwards::Held,
                Afterwards::Held => Afterwards::Back,
            }
        }),
        other("path", |rules| {
            rules.holding.path = match rules.holding.path {
                HoldPath::None => HoldPath::Placer,
                HoldPath::Placer => HoldPath::None,
            }
        }),
        other("alone", |rules| {
            rules.holding.alone = match rules.holding.alone {
                Alone::Silence => Alone::Music,
                Alone::Music => Alone::Silence,
            }
        }),
        other("holds", |rules| rules.leaving.holds = opposite(rules.leaving.holds)),
        other("dials", |rules| rules.leaving.dials = opposite(rules.leaving.dials)),
        other("consulted", |rules| {
            rules.leaving.consulted = match rules.leaving.consulted {
                Consulted::TakesOver => Consulted::Leaves,
                Consulted::Leaves => Consulted::TakesOver,
            }
        }),
        other("rejoin", |rules| match rules.leaving.rejoin.is_empty() {
            true => rules.leaving.rejoin = Role::ALL.to_vec(),
            false => rules.leaving.rejoin.clear(),
        }),
        other("no_return", |rules| match rules.leaving.no_return.is_empty() {
            true => rules.leaving.no_return = Role::ALL.to_vec(),
            false => rules.leaving.no_return.clear(),
        }),
        other("consultations", |rules| {
            rules.recording.consultations = !rules.recording.consultations;
        }),
        other("stops_without_agents", |rules| {
            rules.recording.stops_without_agents = !rules.recording.stops_without_agents;
        }),
        other("tracks", |rules| {
            rules.recording.tracks = match rules.recording.tracks {
                Tracks::None => Tracks::Each,
                Tracks::Each => Tracks::None,
            }
        }),
    ];
    let ends = [
        EndsWithout::Anybody,
        EndsWithout::Agents,
        EndsWithout::AgentsOrCustomer,
        EndsWithout::AgentsAndCustomer,
    ];
    let ends = ends.into_iter().filter(|end| *end != rules.ends_without);
    let ends = ends.map(|end| {
        (format!("ends without {end:?}"), Profile { ends_without: end, ..rules.clone() })
    });
    changed.into_iter().chain(ends).collect()
}

fn opposite(fate: Fate) -> Fate {
    match fate {
        Fate::Ends => Fate::Stays,
        Fate::Stays => Fate::Ends,
    }
}

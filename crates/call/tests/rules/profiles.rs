//! The shipped profiles: each is a picture, and each cell of it is tried.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::stage::Stage;
use call::{
    Hold, HoldReason, Party, Presence, Stance, differences, grid, judge, keys_table, parse, shipped,
};
use model::command::{Entrant, Readers, Supervision, Target};
use model::profile::{Condition, Profile};
use model::{
    Action, Affiliation, Author, Codec, Direction, LegId, PartyId, Refusal, Refused, Relation,
    Role, Verb,
};

#[test]
fn the_grid_of_each_profile_is_as_committed() {
    for profile in shipped() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("profiles")
            .join(format!("{}.grid", profile.name));
        let drawn = grid(&profile);
        if std::env::var_os("CONVOKE_DRAW").is_some() {
            std::fs::write(&path, &drawn).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(drawn, committed, "CONVOKE_DRAW=1 draws {} anew", path.display());
    }
}

#[test]
fn a_mistake_in_a_profile_is_told_with_line_and_reason() {
    let open = include_str!("../../profiles/open.toml");
    let wrong = |from: &str, to: &str| parse(&open.replacen(from, to, 1)).unwrap_err().to_string();
    let unknown = wrong("parties_max", "parties_most");
    assert!(unknown.contains("line 4") && unknown.contains("parties_most"), "{unknown}");
    let action = wrong("\"enter\"", "\"entre\"");
    assert!(action.contains("unknown variant `entre`"), "{action}");
    assert!(wrong("5000", "0").contains("parties_max = 0"));
    assert!(wrong("\"guest\"\nof_ours", "\"admin\"\nof_ours").contains("nobody comes in as admin"));
    let whom = wrong("[\"enter\", \"write\"]", "[\"hold\"]");
    assert!(whom.contains("hold is done to somebody"), "{whom}");
    assert!(wrong("\"open\"", "\"O pen\"").contains("a-z"));
}

#[test]
fn what_differs_is_told_in_sentences() {
    let profiles = shipped();
    let named = |name: &str| profiles.iter().find(|profile| profile.name == name).unwrap();
    let told = differences(named("connect_three_party"), named("connect_multi_party"));
    for sentence in [
        "parties_max is 3 in connect_three_party, 6 in connect_multi_party.",
        "holding.path is \"placer\" in connect_three_party, \"none\" in connect_multi_party.",
        "secondary hold customer: may in connect_three_party once the primary has left, \
         may in connect_multi_party.",
        "primary mute added: may not in connect_three_party, may in connect_multi_party.",
    ] {
        assert!(told.iter().any(|said| said == sentence), "{sentence}\n{told:#?}");
    }
    assert!(differences(named("open"), named("open")).is_empty());
}

/// Who is in a conference in which a cell is tried.
struct Cast {
    parties: Vec<Party>,
    by: Author,
    target: PartyId,
}

const ACTOR: PartyId = PartyId(1);
const TARGET: PartyId = PartyId(2);

fn party(id: u64, role: Role) -> Party {
    let presence = Presence::Connected { codec: Codec::Pcmu };
    Party::new(PartyId(id), LegId(id), format!("sip:{id}@h"), (role, Direction::Inbound), presence)
}

/// A conference in which somebody of a role means somebody in a relation, in which of all
/// conditions exactly these hold; none where there is no such conference.
fn cast(role: Role, to: Relation, conditions: &BTreeSet<Condition>) -> Option<Cast> {
    let holds = |condition| conditions.contains(&condition);
    let mut actor = party(1, role);
    let mut target = party(2, Role::External);
    match to {
        Relation::Conference | Relation::Myself => {}
        Relation::Supervisor => target.role = Role::Supervisor,
        Relation::Customer => target.role = Role::Customer,
        Relation::Added => target.added_by = Some(ACTOR),
        Relation::Colleague => target.role = Role::Staff,
        Relation::Third => {}
    }
    if role == Role::Admin && matches!(to, Relation::Myself | Relation::Added) {
        return None;
    }
    let mut others = Vec::new();
    let primary_is_in = role == Role::Primary || !holds(Condition::PrimaryGone);
    if role == Role::Primary && holds(Condition::PrimaryGone) {
        return None;
    }
    if primary_is_in && role != Role::Primary {
        others.push(party(3, Role::Primary));
    }
    let held = if to == Relation::Myself { &mut actor } else { &mut target };
    let placer = match (holds(Condition::OwnHold), holds(Condition::NotHeldByPrimary)) {
        (true, true) if role == Role::Admin => Some(Author::Admin),
        (true, true) => None,
        (true, false) if role == Role::Primary => Some(Author::Party(ACTOR)),
        (true, false) => return None,
        (false, true) => Some(Author::System),
        (false, false) if role != Role::Primary && primary_is_in => Some(Author::Party(PartyId(3))),
        (false, false) => return None,
    };
    if let Some(by) = placer {
        held.stance = Stance::Apart(Hold { by, reason: HoldReason::Asked, stood: None });
    }
    let mut parties = others;
    if role != Role::Admin {
        parties.push(actor);
    }
    if !matches!(to, Relation::Conference | Relation::Myself) {
        parties.push(target);
    }
    let target = if to == Relation::Myself { ACTOR } else { TARGET };
    fill(&mut parties, target, holds)?;
    let by = if role == Role::Admin { Author::Admin } else { Author::Party(ACTOR) };
    Some(Cast { parties, by, target })
}

/// Adds who is needed for the conditions that speak of numbers.
fn fill(
    parties: &mut Vec<Party>,
    target: PartyId,
    holds: impl Fn(Condition) -> bool,
) -> Option<()> {
    let hears = |parties: &[Party]| parties.iter().any(|p| p.role.is_ours() && p.id != target);
    if holds(Condition::OursToHear) && !hears(parties) {
        parties.push(party(4, Role::Staff));
    }
    if hears(parties) != holds(Condition::OursToHear) {
        return None;
    }
    let wanted = match (holds(Condition::ExactlyThree), holds(Condition::ThreeOrPrimary)) {
        (true, true) => 3,
        (true, false) => return None,
        (false, true) if holds(Condition::PrimaryGone) || parties.len() > 3 => 4,
        (false, _) => parties.len(),
    };
    while parties.len() < wanted {
        parties.push(party(5 + parties.len() as u64, Role::External));
    }
    let (count, primary) = (parties.len(), parties.iter().any(|p| p.role == Role::Primary));
    let exact = (count == 3) == holds(Condition::ExactlyThree);
    let enough = (count >= 3 || primary) == holds(Condition::ThreeOrPrimary);
    (exact && enough).then_some(())
}

fn verb(action: Action, party: PartyId) -> Verb {
    let target = Target::Address("sip:x@y".into());
    match action {
        Action::Enter => Verb::Enter(Entrant {
            party,
            leg: LegId(9),
            display_name: None,
            address: "sip:x@y".into(),
            affiliation: Affiliation::Ours,
        }),
        Action::Invite => Verb::invite("sip:x@y"),
        Action::Consult => Verb::Consult { party, target, room: None },
        Action::Swap => Verb::Swap { party },
        Action::Merge => Verb::Merge { party },
        Action::Complete => Verb::Complete { party },
        Action::Cancel => Verb::Cancel { party },
        Action::Transfer => Verb::Transfer { party, target },
        Action::TakeOver => {
            let address = "sip:x@y".to_owned();
            let (leg, display_name, affiliation) = (LegId(9), None, model::Affiliation::Outside);
            let newcomer = model::command::Newcomer { leg, display_name, address, affiliation };
            Verb::TakeOver { party, newcomer }
        }
        Action::Mute => Verb::Mute { party },
        Action::Unmute => Verb::Unmute { party },
        Action::Silence => Verb::Silence { party },
        Action::Unsilence => Verb::Unsilence { party },
        Action::Hold => Verb::Hold { party },
        Action::Resume => Verb::Resume { party },
        Action::Remove => Verb::Remove { party },
        Action::Whisper => Verb::Whisper { party, to: None },
        Action::Pair => Verb::Pair { party, with: None },
        Action::Supervise => Verb::Supervise { target, beside: party, mode: Supervision::Monitor },
        Action::Stand => Verb::Stand { party, beside: None, mode: Supervision::Barge },
        Action::Appoint => Verb::Appoint { party, role: Role::CoHost },
        Action::Play => {
            let prompt = model::PromptName::parse("on_hold").expect("a name");
            Verb::Play { prompt, to: None }
        }
        Action::Write => Verb::Write { to: Readers::Everybody, text: "x".into() },
        Action::SendDigits => {
            Verb::SendDigits { party, digits: "1#".parse().expect("keys of a telephone") }
        }
        Action::End => Verb::End,
        Action::Record => Verb::Record { on: true },
    }
}

/// All sets of conditions.
fn all_sets() -> Vec<BTreeSet<Condition>> {
    let all = Condition::ALL;
    (0..1_u32 << all.len())
        .map(|bits| (0..all.len()).filter(|at| bits >> at & 1 == 1).map(|at| all[at]).collect())
        .collect()
}

/// What the rows of the table say, read apart from `call`: allowed, or not, or when.
fn expected(
    profile: &Profile,
    role: Role,
    action: Action,
    to: Relation,
    holding: &BTreeSet<Condition>,
) -> bool {
    profile.permissions.iter().any(|row| {
        row.role.contains(&role)
            && row.to.contains(&to)
            && row.may.contains(&action)
            && row.when.iter().all(|condition| holding.contains(condition))
    })
}

#[test]
fn each_cell_of_each_profile_is_allowed_or_refused_as_the_table_says() {
    let mut tried = [0_u32; 2];
    for profile in shipped() {
        for role in profile.roles() {
            for to in Relation::ALL {
                for conditions in all_sets() {
                    let Some(cast) = cast(role, to, &conditions) else { continue };
                    for action in Action::ALL {
                        let of_conference = to == Relation::Conference;
                        // Who enters is not in yet: its role is told by the profile.
                        if action.is_of_conference() != of_conference || action == Action::Enter {
                            continue;
                        }
                        let verb = verb(action, cast.target);
                        let judged = judge(&profile, cast.by, &verb, &cast.parties);
                        let should = expected(&profile, role, action, to, &conditions);
                        assert_eq!(
                            judged.is_ok(),
                            should,
                            "{}: {role:?} {action:?} {to:?} when {conditions:?}: {judged:?}",
                            profile.name
                        );
                        tried[usize::from(should)] += 1;
                    }
                }
            }
        }
    }
    println!("{} cells allowed, {} refused", tried[1], tried[0]);
    assert!(tried[0] > 10_000 && tried[1] > 2_000, "{tried:?}");
}

#[test]
fn whoever_comes_in_by_itself_may() {
    for profile in shipped() {
        for affiliation in [Affiliation::Ours, Affiliation::Outside] {
            let mut present = Vec::new();
            for id in 1..4 {
                let entrant = Entrant {
                    party: PartyId(id),
                    leg: LegId(id),
                    display_name: None,
                    address: "sip:x@y".into(),
                    affiliation,
                };
                let verb = Verb::Enter(entrant);
                let by = Author::Party(PartyId(id));
                assert_eq!(judge(&profile, by, &verb, &present), Ok(()), "{}", profile.name);
                present.push(party(id, profile.role_for(affiliation, true, &[])));
            }
        }
    }
}

#[test]
fn whoever_monitors_is_not_there_for_agents_and_customers() {
    for profile in shipped() {
        let mut monitor = party(2, Role::Supervisor);
        monitor.stance = Stance::Beside(PartyId(3));
        for role in profile.roles() {
            let sees = matches!(role, Role::Supervisor | Role::Admin);
            let parties = [party(1, role), monitor.clone(), party(3, Role::Primary)];
            let by = if role == Role::Admin { Author::Admin } else { Author::Party(ACTOR) };
            let judged = judge(&profile, by, &Verb::Remove { party: TARGET }, &parties);
            assert_eq!(judged == Err(Refusal::NoSuchParty), !sees, "{}: {role:?}", profile.name);
        }
    }
}

#[test]
fn the_table_of_keys_is_as_committed() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/keys.md");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let (text, table) = committed.split_once("\n| |").expect("a table");
    let drawn = keys_table(&shipped());
    if std::env::var_os("CONVOKE_DRAW").is_some() {
        std::fs::write(&path, format!("{text}\n{drawn}")).unwrap();
    }
    assert_eq!(drawn, format!("| |{table}"), "CONVOKE_DRAW=1 draws {} anew", path.display());
}

#[test]
fn a_mistake_in_a_map_of_keys_is_told_with_line_and_reason() {
    let open = include_str!("../../profiles/open.toml");
    let line = open.lines().position(|line| line.starts_with("\"*1\"")).unwrap() + 1;
    let wrong = |from: &str, to: &str| parse(&open.replacen(from, to, 1)).unwrap_err().to_string();
    for (from, to, reason) in [
        ("\"*1\" = \"mute\"", "\"*1\" = \"mut\"", "unknown variant `mut`"),
        ("\"*1\" = \"mute\"", "\"*1\" = \"end\"", "is not allowed to anybody"),
        ("\"*1\" = \"mute\"", "\"*1\" = \"hold\"", "is said by other keys already"),
    ] {
        let told = wrong(from, to);
        // The second of two that say the same is the one that is told.
        let at = if to.contains("hold") { line + 1 } else { line };
        assert!(told.contains(&format!("line {at}")) && told.contains(reason), "{told}");
    }
    let told = wrong("\"*1\"", "\"*x\"");
    assert!(told.contains("line") && told.contains("is not one to 4 of the keys"), "{told}");
    let told = wrong("\"*1\"", "\"*8\"");
    assert!(told.contains("line") && told.contains("*8 is the beginning of *81"), "{told}");
    let told = wrong("[keys.map]", "[keys]\nwait_ms = 5\n[keys.map]");
    assert!(told.contains("wait_ms = 5: 500 to 30000"), "{told}");
}

#[test]
fn what_may_be_done_is_told_as_the_command_would_be_answered() {
    let mut stage = Stage::new("expertflow");
    let (customer, agent) = (stage.customer(), stage.agent("A1"));
    let told = |stage: &Stage, by, to: PartyId, action| {
        let allowed = stage.conference.allowed(stage.now_ms, by, None);
        assert_eq!(allowed.parties[0].party, customer, "S4.28");
        let mut with = allowed.parties.into_iter().find(|with| with.party == to).unwrap();
        let at = with.actions.iter().position(|verdict| verdict.action == action).unwrap();
        with.actions.remove(at).refused
    };
    let by = Author::Party(agent);
    let refused = |code: Refusal| Some(Refused { code, reason: code.sentence().to_owned() });
    // By the profile's table, by its conditions, and by how things stand.
    assert_eq!(told(&stage, by, customer, Action::Unmute), refused(Refusal::NotAllowed), "S0.7");
    assert_eq!(told(&stage, by, agent, Action::Whisper), refused(Refusal::NobodyToHear), "S1.30");
    assert_eq!(told(&stage, by, agent, Action::Merge), refused(Refusal::NoConsultation), "S3.3");
    assert_eq!(told(&stage, by, customer, Action::Hold), None);
    let guest = Author::Party(customer);
    assert_eq!(told(&stage, guest, agent, Action::Hold), refused(Refusal::NotAllowed));
    assert_eq!(stage.by(agent, Verb::Merge { party: agent }), Err(Refusal::NoConsultation));
    stage.agent("A2");
    assert_eq!(told(&stage, by, agent, Action::Whisper), None, "S1.30");
    let events = stage.events.len();
    let revision = stage.conference.revision();
    stage.conference.allowed(stage.now_ms, by, None);
    stage.drain();
    assert_eq!((stage.events.len(), stage.conference.revision()), (events, revision));
}

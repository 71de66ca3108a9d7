//! The roster as phones are told it: the conference event package (RFC 4575).
//!
//! A watcher is told the whole once, and again when it refreshes; in between only who came, changed
//! or went since it was told last. While a NOTIFY is under way nothing more is sent: what happens
//! meanwhile goes into the next one, so a busy room costs a slow watcher no queue.
//!
//! Roles are told to ours alone: from outside nobody is told how a call centre divides its work.
//! Whom somebody sees, and under which name, is as the profile says (`model::appearance`).
//!
//! Only who is in the conference may watch it: by a SUBSCRIBE in its call, by Target-Dialog
//! (RFC 4538), or from the host that it called from under the same address.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Instant;

use call::{Conference, Microphone, Party, Presence};
use model::appearance::{ANONYMOUS, Appearance, Seen};
use model::profile::Seeing;
use model::{ConferenceId, PartyId, Refusal, Role};
use sip::message::StatusCode;
use sip::{Notification, Subscribed, SubscriptionId};

use crate::limits::ROSTER_BYTES_MAX;
use crate::switchboard::Switchboard;

/// Who watches.
#[derive(Debug, Default)]
pub(crate) struct Watchers(BTreeMap<SubscriptionId, Watcher>);

#[derive(Debug)]
struct Watcher {
    conference: ConferenceId,
    /// For whom it watches.
    party: PartyId,
    /// The conference's address as the watcher knows it.
    entity: String,
    /// The number of the last document.
    version: u32,
    /// What it knows: each address with its lines.
    told: BTreeMap<String, String>,
    /// A NOTIFY is under way.
    waits: bool,
}

/// With whose eyes the parties are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Sight {
    /// As what the watcher looks.
    role: Role,
    /// Who sees itself otherwise than others of its role do.
    myself: Option<PartyId>,
}

impl Watcher {
    fn sight(&self, conference: &Conference) -> Sight {
        let role = conference.party(self.party).map_or(Role::Guest, |party| party.role);
        Sight { role, myself: role.is_agent().then_some(self.party) }
    }
}

/// A party as a watcher sees it.
#[derive(Debug, Clone, Copy)]
struct Shown<'p> {
    party: &'p Party,
    address: &'p str,
    display_name: Option<&'p str>,
}

/// The parties whom a watcher sees, as it sees them.
fn shown<'p>(parties: &'p [Party], seeing: &'p Seeing, sight: Sight) -> Vec<Shown<'p>> {
    let is_primary = |party: &Party| party.role == Role::Primary && party.is_connected();
    let primary_is_in = parties.iter().any(is_primary);
    // Who only monitors is nobody's business.
    let mut shown = Vec::new();
    for party in parties.iter().filter(|party| party.is_counted()) {
        let display_name = party.display_name.as_deref();
        let as_it_is = Shown { party, address: &party.address, display_name };
        let seen = Seen { role: party.role, is_beside: false };
        let appearance = match sight.myself == Some(party.id) {
            true => Appearance::Plain,
            false => seeing.appearance(sight.role, seen, primary_is_in),
        };
        shown.push(match appearance {
            Appearance::Hidden => continue,
            Appearance::Plain => as_it_is,
            Appearance::Named(name) => Shown { display_name: Some(name), ..as_it_is },
            Appearance::Nameless(name) => {
                Shown { party, address: ANONYMOUS, display_name: Some(name) }
            }
        });
    }
    shown
}

impl Watchers {
    pub(crate) fn forget(&mut self, id: SubscriptionId) {
        self.0.remove(&id);
    }
}

impl Switchboard {
    /// Somebody wants to watch a conference.
    pub(crate) fn subscribed(&mut self, now: Instant, id: SubscriptionId, asked: &Subscribed) {
        let (conference, party) = match self.may_watch(asked) {
            Ok(seat) => seat,
            Err(refusal) => {
                *self.refusals.entry(refusal.code()).or_default() += 1;
                let status = StatusCode::new(refusal.sip_status())
                    .expect("the refusals' table holds SIP statuses, which a test of it asserts");
                return self.sip.deny(now, id, status).expect("what was asked for waits");
            }
        };
        self.sip.grant(now, id).expect("what was asked for waits");
        let entity = asked.request_uri.to_string();
        let told = BTreeMap::new();
        let watcher = Watcher { conference, party, entity, version: 0, told, waits: false };
        self.watchers.0.insert(id, watcher);
        self.tell_whole_roster(now, id);
    }

    fn may_watch(&self, asked: &Subscribed) -> Result<(ConferenceId, PartyId), Refusal> {
        let dialog = asked.session.or(asked.known);
        if let Some(leg) = dialog.and_then(|session| self.legs_by_session.get(&session)) {
            let leg = &self.legs[leg];
            return Ok((leg.conference, leg.party));
        }
        let name = asked.request_uri.user().unwrap_or_default().to_lowercase();
        let named = self.names.iter().find(|(known, _)| known.as_str() == name);
        let conference = *named.ok_or(Refusal::NoSuchConference)?.1;
        let address = crate::signal::address(&asked.from.uri);
        let host = asked.flow.remote.ip();
        let is_party = |party: &Party| {
            let signalling = self.legs.get(&party.leg).and_then(|leg| leg.signalling);
            party.address == address && signalling == Some(host)
        };
        let found = self.conferences.get(&conference).ok_or(Refusal::NoSuchConference)?;
        let party = found.parties().iter().find(|party| is_party(party));
        party.map(|party| (conference, party.id)).ok_or(Refusal::NotAllowed)
    }

    /// The first word to a watcher, and the answer to its refresh.
    pub(crate) fn tell_whole_roster(&mut self, now: Instant, id: SubscriptionId) {
        let Some(watcher) = self.watchers.0.get_mut(&id) else { return };
        let Some(conference) = self.conferences.get(&watcher.conference) else { return };
        let Roster { users, connected } = Roster::of(conference, watcher.sight(conference));
        watcher.version += 1;
        let name = self.names.iter().find(|(_, named)| **named == watcher.conference);
        let name = name.map_or("", |(name, _)| name.as_str());
        let body = whole(&watcher.entity, watcher.version, name, connected, &users);
        watcher.told = users;
        watcher.waits = true;
        self.send_roster(now, id, body, None);
    }

    /// A watcher has taken what it was told.
    pub(crate) fn roster_taken(&mut self, now: Instant, id: SubscriptionId) {
        let Some(watcher) = self.watchers.0.get_mut(&id) else { return };
        watcher.waits = false;
        let conference = watcher.conference;
        self.roster_changed(now, conference);
    }

    /// Tells whoever watches what has changed, if anything has.
    pub(crate) fn roster_changed(&mut self, now: Instant, id: ConferenceId) {
        let watching = |(_, watcher): &(&SubscriptionId, &mut Watcher)| {
            watcher.conference == id && !watcher.waits
        };
        let mut documents = Vec::new();
        if let Some(conference) = self.conferences.get(&id) {
            let mut known = BTreeMap::new();
            for (subscription, watcher) in self.watchers.0.iter_mut().filter(watching) {
                let sight = watcher.sight(conference);
                let seen = || Roster::of(conference, sight);
                let Roster { users, connected } = known.entry(sight).or_insert_with(seen);
                if watcher.told == *users {
                    continue;
                }
                watcher.version += 1;
                let Watcher { entity, version, told, .. } = &*watcher;
                let body = partial(entity, *version, *connected, told, users);
                watcher.told.clone_from(users);
                watcher.waits = true;
                documents.push((*subscription, body));
            }
        }
        for (subscription, body) in documents {
            self.send_roster(now, subscription, body, None);
        }
    }

    /// The conference is over: so is watching it.
    pub(crate) fn roster_closed(&mut self, now: Instant, conference: ConferenceId) {
        let watching: Vec<SubscriptionId> = self
            .watchers
            .0
            .iter()
            .filter(|(_, watcher)| watcher.conference == conference)
            .map(|(id, _)| *id)
            .collect();
        for id in watching {
            self.watchers.forget(id);
            self.send_roster(now, id, String::new(), Some("noresource"));
        }
    }

    fn send_roster(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        body: String,
        over: Option<&'static str>,
    ) {
        let notification = Notification { body: body.into_bytes(), over };
        if self.sip.notify(now, id, notification).is_err() {
            // Its last NOTIFY is on the way already.
            self.watchers.forget(id);
        }
    }
}

/// What a document says of the parties.
struct Roster {
    /// Each address with the lines of its user: one endpoint for each party that has it.
    users: BTreeMap<String, String>,
    /// Those whose audio runs.
    connected: usize,
}

impl Roster {
    fn of(conference: &Conference, sight: Sight) -> Roster {
        Roster::seen(conference.parties(), &conference.profile().seeing, sight)
    }

    fn seen(parties: &[Party], seeing: &Seeing, sight: Sight) -> Roster {
        let shown = shown(parties, seeing, sight);
        let connected = shown.iter().filter(|shown| shown.party.is_connected()).count();
        let mut by_address: BTreeMap<&str, Vec<Shown<'_>>> = BTreeMap::new();
        for one in shown {
            by_address.entry(one.address).or_default().push(one);
        }
        let mut users = BTreeMap::new();
        let mut bytes = 0;
        for (address, shown) in by_address {
            let lines = user(address, &shown, sight);
            bytes += lines.len();
            if bytes > ROSTER_BYTES_MAX {
                break;
            }
            users.insert(address.to_owned(), lines);
        }
        Roster { users, connected }
    }
}

fn user(address: &str, shown: &[Shown<'_>], sight: Sight) -> String {
    let mut lines = format!("<user entity=\"{}\" state=\"full\">\n", escaped(address));
    if let Some(name) = shown.iter().find_map(|one| one.display_name) {
        writeln!(lines, "<display-text>{}</display-text>", escaped(name))
            .expect("a String takes what is written");
    }
    if sight.role.is_ours() {
        lines += &roles(shown);
    }
    for Shown { party, .. } in shown {
        writeln!(
            lines,
            "<endpoint entity=\"{};gr={}\" state=\"full\">\n<status>{}</status>\n</endpoint>",
            escaped(address),
            party.id,
            status(party)
        )
        .expect("a String takes what is written");
    }
    lines + "</user>\n"
}

/// RFC 4575 §5.6.3: each role once.
fn roles(shown: &[Shown<'_>]) -> String {
    let names: BTreeSet<&str> = shown.iter().map(|one| one.party.role.name()).collect();
    let entries: String = names.iter().map(|name| format!("<entry>{name}</entry>\n")).collect();
    format!("<roles>\n{entries}</roles>\n")
}

/// RFC 4575 §5.7.3.
fn status(party: &Party) -> &'static str {
    let microphone = match party.silenced_by.is_empty() {
        false => Microphone::Muted,
        true => party.microphone,
    };
    match (party.presence, microphone) {
        (Presence::Arriving, _) => "dialing-in",
        (Presence::Dialling { .. }, _) => "dialing-out",
        (Presence::Ringing { .. } | Presence::Early { .. }, _) => "alerting",
        (Presence::Connected { .. }, _) if party.is_held() => "on-hold",
        (Presence::Connected { .. }, Microphone::Muted) => "muted-via-focus",
        (Presence::Connected { .. }, Microphone::Open) => "connected",
    }
}

fn whole(
    entity: &str,
    version: u32,
    name: &str,
    count: usize,
    users: &BTreeMap<String, String>,
) -> String {
    let (uri, name) = (escaped(entity), escaped(name));
    let lines: String = users.values().map(String::as_str).collect();
    let description = format!(
        "<conference-description>\n<display-text>{name}</display-text>\n<conf-uris>\n\
         <entry>\n<uri>{uri}</uri>\n</entry>\n</conf-uris>\n</conference-description>\n"
    );
    let users = format!("<users state=\"full\">\n{lines}</users>\n");
    document(&uri, version, "full", count, &description, &users)
}

fn partial(
    entity: &str,
    version: u32,
    count: usize,
    before: &BTreeMap<String, String>,
    users: &BTreeMap<String, String>,
) -> String {
    let mut lines = String::new();
    for (address, changed) in users {
        if before.get(address) != Some(changed) {
            lines += changed;
        }
    }
    for gone in before.keys().filter(|address| !users.contains_key(*address)) {
        writeln!(lines, "<user entity=\"{}\" state=\"deleted\"/>", escaped(gone))
            .expect("a String takes what is written");
    }
    let users = format!("<users state=\"partial\">\n{lines}</users>\n");
    document(&escaped(entity), version, "partial", count, "", &users)
}

fn document(
    uri: &str,
    version: u32,
    state: &str,
    count: usize,
    description: &str,
    users: &str,
) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"{uri}\" \
         state=\"{state}\" version=\"{version}\">\n{description}\
         <conference-state>\n<user-count>{count}</user-count>\n<active>true</active>\n\
         </conference-state>\n{users}</conference-info>\n"
    )
}

/// A text as it stands in XML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            // Not even escaped may these stand in XML 1.0.
            sign if sign.is_control() || matches!(sign, '\u{fffe}' | '\u{ffff}') => {}
            sign => escaped.push(sign),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use model::{Codec, Direction, LegId, PartyId, Role};

    use super::*;

    fn party(id: u64, address: &str, presence: Presence) -> Party {
        Party::new(
            PartyId(id),
            LegId(id),
            address.to_owned(),
            (Role::Guest, Direction::Inbound),
            presence,
        )
    }

    const OURS: Sight = Sight { role: Role::Staff, myself: None };
    const OUTSIDE: Sight = Sight { role: Role::Guest, myself: None };

    fn users(parties: &[Party], sight: Sight) -> BTreeMap<String, String> {
        Roster::seen(parties, &Seeing::default(), sight).users
    }

    #[test]
    fn the_picture_of_a_whole_document_and_of_what_changed() {
        let connected = Presence::Connected { codec: Codec::Pcmu };
        let mut alice = party(1, "sip:alice@a.example", connected);
        alice.display_name = Some("Alice & <Co>".to_owned());
        let desk = party(2, "sip:bob@b.example", connected);
        let mobile = party(3, "sip:bob@b.example", Presence::Ringing { until_ms: 0 });
        let before = users(&[alice.clone(), desk.clone(), mobile], OURS);
        let mut seen = whole("sip:room@h", 1, "room", 2, &before);
        alice.microphone = Microphone::Muted;
        let carol = party(4, "sip:carol@c.example", Presence::Arriving);
        seen += &partial("sip:room@h", 2, 1, &before, &users(&[alice, carol], OUTSIDE));
        insta::assert_snapshot!(seen);
    }

    #[test]
    fn the_roster_of_phones_has_nobody_who_only_monitors() {
        let connected = Presence::Connected { codec: Codec::Pcmu };
        let agent = party(1, "sip:agent@h", connected);
        let mut monitor = party(2, "sip:eve@h", connected);
        monitor.stance = call::Stance::Beside(agent.id);
        let mut seen = users(&[agent.clone(), monitor.clone()], OURS);
        assert_eq!(seen, users(std::slice::from_ref(&agent), OURS));
        monitor.stance = call::Stance::Room;
        seen = users(&[agent, monitor], OURS);
        assert!(seen.contains_key("sip:eve@h"), "who barges in is there");
    }

    #[test]
    fn a_document_of_a_crowd_stays_within_its_bound() {
        let connected = Presence::Connected { codec: Codec::Pcmu };
        let crowd: Vec<Party> =
            (0..2_000).map(|id| party(id, &format!("sip:guest{id}@h"), connected)).collect();
        let users = users(&crowd, OUTSIDE);
        assert!(users.len() > 100, "{}", users.len());
        let document = whole("sip:room@h", 1, "room", crowd.len(), &users);
        assert!(document.len() < ROSTER_BYTES_MAX + 1_024);
        assert!(document.contains("<user-count>2000</user-count>"));
    }
}

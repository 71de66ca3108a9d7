//! What we do with trunks besides calls: ask whether they are there (OPTIONS, RFC 3261 §11), and
//! register with those that want it (§10.2).
//!
//! ```text
//!  due ─► looked up ─► request ─► final response ─► standing of the trunk ─► due again
//!                         ▲── 401, 407: the same with our answer ──┘
//! ```

mod leave;
mod probe;
mod register;
mod renew;
mod standing;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

pub use leave::Leave;
pub use standing::{Reach, Registered, Standing};

use crate::access::Trunk;
use crate::agenda::Agenda;
use crate::dialog::{Dialog, literal};
use crate::endpoint::Endpoint;
use crate::event::{Output, ResolveId};
use crate::flow::Flow;
use crate::limits::TARGETS_MAX;
use crate::locate::Server;
use crate::message::{Host, NameAddr, Response, StatusCode, Uri};
use crate::session::authorize::{Showing, is_same_host};
use crate::transaction::TransactionId;

/// What is done again and again with a trunk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Task {
    Probe,
    Register,
}

impl Task {
    const ALL: [Task; 2] = [Task::Probe, Task::Register];
}

/// Whether trunks are asked anything at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Watch {
    /// They are only called.
    NotBegun,
    /// Those that want it are probed and registered with.
    Begun,
}

/// One task with one trunk, by its place among the trunks.
type Errand = (usize, Task);

/// What is kept of an errand from one request to the next.
#[derive(Debug)]
struct Course {
    /// Call-ID, tag and number: one course for as long as the server runs (§10.2.4).
    dialog: Dialog,
    showing: Option<Showing>,
    /// Servers of the trunk's name that have not been asked this time, best first.
    left: VecDeque<Flow>,
    /// How long a registration is asked for \[s\].
    expires_s: u32,
}

/// What is done with trunks, and what is known of them.
#[derive(Debug)]
pub(crate) struct Trunks {
    /// In their order.
    names: Vec<String>,
    standings: Vec<Standing>,
    courses: BTreeMap<Errand, Course>,
    by_transaction: BTreeMap<TransactionId, Errand>,
    by_lookup: BTreeMap<ResolveId, Errand>,
    /// Registrations that are being withdrawn, as many as there were trunks that are gone, or are
    /// left because the server is to stop.
    leaving: BTreeMap<TransactionId, Course>,
    agenda: Agenda<Errand>,
    watch: Watch,
    /// When our registrations are over, if they are not prolonged.
    lapses: Agenda<usize>,
}

impl Trunks {
    pub(crate) fn new(trunks: &BTreeMap<String, Trunk>) -> Trunks {
        Trunks {
            names: trunks.keys().cloned().collect(),
            standings: trunks.values().map(Standing::at_first).collect(),
            courses: BTreeMap::new(),
            by_transaction: BTreeMap::new(),
            by_lookup: BTreeMap::new(),
            leaving: BTreeMap::new(),
            agenda: Agenda::new(),
            watch: Watch::NotBegun,
            lapses: Agenda::new(),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<(Instant, &'static str)> {
        let errand = self.agenda.next().map(|(at, (_, task))| {
            let why = match task {
                Task::Probe => "trunk to be probed",
                Task::Register => "registration with a trunk",
            };
            (at, why)
        });
        let lapse = self.lapses.next().map(|(at, _)| (at, "registration with a trunk is over"));
        errand.into_iter().chain(lapse).min()
    }
}

impl Endpoint {
    /// Begins to probe the trunks, and to register with those that want it. Without this they are
    /// only called.
    pub fn watch_trunks(&mut self, now: Instant) {
        self.trunks.watch = Watch::Begun;
        for place in 0..self.trunks.names.len() {
            self.watch(now, place);
        }
    }

    /// Has done at once what a trunk wants done again and again, if trunks are watched.
    fn watch(&mut self, now: Instant, place: usize) {
        let trunk = self.trunk_at(place);
        let (probed, registers) = (trunk.probe_every.is_some(), trunk.register_s.is_some());
        let takes_calls = trunk.proxy.is_some() && self.trunks.watch == Watch::Begun;
        for (task, is_asked) in [(Task::Probe, probed), (Task::Register, registers)] {
            if is_asked && takes_calls {
                self.trunks.agenda.set((place, task), now);
            }
        }
    }

    /// What is known of a trunk; `None` if there is none of that name.
    #[must_use]
    pub fn standing(&self, trunk: &str) -> Option<Standing> {
        let place = self.trunks.names.iter().position(|name| name == trunk)?;
        Some(self.trunks.standings[place])
    }

    /// Whether that realm has taken our password where we register with a trunk, or probe it.
    pub(crate) fn is_realm_of(&self, trunk: &str, realm: &str) -> bool {
        let Some(place) = self.trunks.names.iter().position(|name| name == trunk) else {
            return false;
        };
        let courses =
            Task::ALL.into_iter().filter_map(|task| self.trunks.courses.get(&(place, task)));
        let mut showings = courses.filter_map(|course| course.showing.as_ref());
        showings.any(|showing| showing.is_taken_by(realm))
    }

    fn trunk_at(&self, place: usize) -> &Trunk {
        let name = &self.trunks.names[place];
        self.config.access.trunks.get(name).expect("the trunks are those of the configuration")
    }

    /// Does what is due with trunks.
    pub(crate) fn trunks_due(&mut self, now: Instant) {
        while let Some(place) = self.trunks.lapses.pop(now) {
            self.registration_stands(place, Registered::No);
        }
        while let Some(errand) = self.trunks.agenda.pop(now) {
            self.run_errand(now, errand);
        }
    }

    fn run_errand(&mut self, now: Instant, errand: Errand) {
        let Some(proxy) = self.trunk_at(errand.0).proxy.clone() else { return };
        let Some(transports) = self.transports_for(&proxy) else {
            return self.errand_failed(now, errand);
        };
        if let Some((transport, address)) = literal(&Uri::Sip(proxy.clone())) {
            return self.errand_resolved(now, errand, &[Server { transport, address }]);
        }
        let Host::Name(host) = proxy.host else { return };
        let id = ResolveId(self.lookups_asked);
        self.lookups_asked += 1;
        self.trunks.by_lookup.insert(id, errand);
        self.outbox.push(Output::Resolve { id, host, port: proxy.port, transports });
    }

    /// A lookup is done; false if it was none of ours.
    pub(crate) fn trunk_resolved(
        &mut self,
        now: Instant,
        id: ResolveId,
        servers: &[Server],
    ) -> bool {
        let Some(errand) = self.trunks.by_lookup.remove(&id) else { return false };
        self.errand_resolved(now, errand, servers);
        true
    }

    fn errand_resolved(&mut self, now: Instant, errand: Errand, servers: &[Server]) {
        let flow = |server: &Server| self.config.flow_to(server.transport, server.address);
        let flows: VecDeque<Flow> = servers.iter().filter_map(flow).take(TARGETS_MAX).collect();
        let Some(first) = flows.front() else { return self.errand_failed(now, errand) };
        let fresh = self.course(errand, *first);
        self.trunks.courses.entry(errand).or_insert(fresh).left = flows;
        self.ask_next_server(now, errand);
    }

    /// Sends the request to the next server that was not asked (RFC 3263 §4.3): what a call may
    /// take the trunk may stand by. False when there is none.
    fn ask_next_server(&mut self, now: Instant, errand: Errand) -> bool {
        let Some(course) = self.trunks.courses.get_mut(&errand) else { return false };
        let Some(flow) = course.left.pop_front() else { return false };
        if !is_same_host(&course.dialog.flow, &flow)
            && let Some(showing) = &mut course.showing
        {
            showing.forget();
        }
        course.dialog.flow = flow;
        self.send_errand(now, errand);
        true
    }

    /// The course of an errand as it begins.
    fn course(&mut self, (place, task): Errand, flow: Flow) -> Course {
        let (call_id, tag) = (self.tokens.call_id(), self.tokens.tag());
        let trunk = self.trunk_at(place);
        let proxy = trunk.proxy.clone().expect("an errand goes to where calls go");
        let target = Uri::Sip(proxy.clone());
        let user = trunk.account.as_ref().map_or("", |account| account.user.as_str());
        let us = NameAddr::new("", Uri::sip(user, proxy.host.clone(), None));
        let remote = match task {
            Task::Probe => NameAddr::new("", target.clone()),
            Task::Register => us.clone(),
        };
        let dialog = Dialog {
            call_id,
            ours: true,
            local: us.with_tag(&tag),
            remote,
            local_cseq: 0,
            remote_cseq: None,
            remote_target: target,
            routes: Vec::new(),
            flow,
            appears_as: None,
            pinned: false,
        };
        Course {
            dialog,
            showing: trunk.account.clone().map(Showing::new),
            left: VecDeque::new(),
            expires_s: trunk.register_s.unwrap_or(0),
        }
    }

    fn send_errand(&mut self, now: Instant, errand: Errand) {
        let Some(mut course) = self.trunks.courses.remove(&errand) else { return };
        let transaction = self.send_course(now, errand.1, &mut course);
        self.trunks.courses.insert(errand, course);
        self.trunks.by_transaction.insert(transaction, errand);
    }

    /// Sends the next request of a course.
    fn send_course(&mut self, now: Instant, task: Task, course: &mut Course) -> TransactionId {
        let cnonce = self.tokens.tag();
        let flow = course.dialog.flow;
        course.dialog.local_cseq += 1;
        let mut request = match task {
            Task::Probe => probe::request(&course.dialog),
            Task::Register => register::request(&course.dialog, course.expires_s, &self.config),
        };
        if let Some(showing) = &mut course.showing {
            showing.show(&mut request, &cnonce);
        }
        let signed = self.sign(request, &flow);
        self.clients.start(now, &mut self.outbox, signed, flow, None)
    }

    /// A request to a trunk was answered, or not in time: `None`. False if it was none of ours.
    pub(crate) fn trunk_answered(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        answer: Option<(&Flow, &Response)>,
    ) -> bool {
        if let Some(course) = self.trunks.leaving.remove(&transaction) {
            self.withdrawal_answered(now, transaction, course, answer);
            return true;
        }
        let Some(&errand) = self.trunks.by_transaction.get(&transaction) else { return false };
        let Some((from, response)) = answer else {
            self.trunks.by_transaction.remove(&transaction);
            if !self.ask_next_server(now, errand) {
                self.errand_failed(now, errand);
            }
            return true;
        };
        if response.status.is_provisional() {
            return true;
        }
        self.trunks.by_transaction.remove(&transaction);
        let Some(course) = self.trunks.courses.get_mut(&errand) else { return true };
        let is_theirs = is_same_host(&course.dialog.flow, from);
        if let Some(showing) = course.showing.as_mut().filter(|_| is_theirs) {
            if response.status.is_success() {
                showing.accepted();
            } else if showing.take(response) {
                self.send_errand(now, errand);
                return true;
            }
        }
        let is_out = response.status == StatusCode::SERVICE_UNAVAILABLE;
        if is_out && self.ask_next_server(now, errand) {
            return true;
        }
        match errand.1 {
            Task::Probe => self.probed(now, errand.0, Some(response.status)),
            Task::Register => self.registered_at(now, errand.0, response),
        }
        true
    }

    /// Nothing could be sent, or nothing came.
    fn errand_failed(&mut self, now: Instant, (place, task): Errand) {
        match task {
            Task::Probe => self.probed(now, place, None),
            Task::Register => self.registration_unanswered(now, place),
        }
    }

    /// Something is known of a trunk; told if it is news.
    fn stands(&mut self, place: usize, standing: Standing) {
        if self.trunks.standings[place] != standing {
            self.trunks.standings[place] = standing;
            let name = self.trunks.names[place].clone();
            self.outbox.push(Output::Trunk(name, standing));
        }
    }
}

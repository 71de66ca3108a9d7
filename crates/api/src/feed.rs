//! What happened, as the api shows it: a view of each conference, its latest events, and who
//! follows them.
//!
//! A follower holds a number, not a queue: it asks for what comes after the number and is woken
//! when there may be more. So nothing is kept per follower, nothing is sent twice or left out, and
//! who is slow finds out when what comes next is not kept any more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::limits::{ENDED_CONFERENCES_KEPT, EVENTS_KEPT_PER_CONFERENCE};
use model::{
    Audience, ConferenceId, ConferenceName, ConferenceRef, ConferenceView, Event, EventKind,
    PartyId, Projection, Quality, Registration,
};
use tokio::sync::watch;

use crate::limits::{
    AUDIENCES_PER_CONFERENCE_MAX, EVENTS_KEPT_MAX, EVENTS_OF_EACH_KEPT, EVENTS_PER_BATCH_MAX,
};

/// Views and latest events of all conferences, live ones and those that ended lately.
#[derive(Debug)]
pub struct Feed {
    shelves: Mutex<Shelves>,
    changed: watch::Sender<()>,
    registrations: Mutex<BTreeMap<String, Registration>>,
}

/// What comes after a number.
#[derive(Debug, PartialEq)]
pub(crate) enum Batch {
    /// These, oldest first; the number of the last one.
    Events(Vec<Arc<Event>>, u64),
    /// Nothing so far.
    Nothing,
    /// Nothing, ever: the conference ended, and that was its last event.
    Ended,
    /// Nothing, ever: the server is shutting down.
    Closed,
    /// Something that is not kept any more; the oldest that is.
    Gone(u64),
}

#[derive(Debug)]
struct Shelves {
    by_conference: BTreeMap<ConferenceId, Shelf>,
    live_by_name: BTreeMap<ConferenceName, ConferenceId>,
    /// In the order of their ends.
    ended: VecDeque<ConferenceId>,
    /// The latest events of all conferences in the order in which they came, for those who follow
    /// all. What leaves here leaves its conference, too, unless it is of the latest there.
    log: VecDeque<Arc<Event>>,
    /// How many events came before the log's first one.
    log_start: u64,
    bounds: Bounds,
    closed: bool,
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Latest events of all conferences together.
    of_all: usize,
    /// Latest events of each conference, also where they are not among those.
    of_each: usize,
    /// Events of one conference.
    per_conference: usize,
}

/// One conference.
#[derive(Debug)]
struct Shelf {
    /// As those are told it who see everything.
    told: Told,
    /// How many of its events are not in the log any more: those that leave first.
    aged: usize,
    /// What it was before the oldest event that is kept.
    before: Option<ConferenceView>,
    /// As others are told it, who have looked.
    audiences: BTreeMap<Audience, (Projection, Told)>,
}

/// What one audience is told of one conference.
#[derive(Debug)]
struct Told {
    view: Arc<ConferenceView>,
    events: VecDeque<Arc<Event>>,
    changed: watch::Sender<()>,
}

impl Default for Feed {
    fn default() -> Feed {
        Feed::new()
    }
}

impl Feed {
    /// A feed that knows of nothing yet.
    pub fn new() -> Feed {
        Feed::with_bounds(Bounds {
            of_all: EVENTS_KEPT_MAX,
            of_each: EVENTS_OF_EACH_KEPT,
            per_conference: EVENTS_KEPT_PER_CONFERENCE,
        })
    }

    fn with_bounds(bounds: Bounds) -> Feed {
        Feed {
            shelves: Mutex::new(Shelves {
                by_conference: BTreeMap::new(),
                live_by_name: BTreeMap::new(),
                ended: VecDeque::new(),
                log: VecDeque::new(),
                log_start: 0,
                bounds,
                closed: false,
            }),
            changed: watch::Sender::new(()),
            registrations: Mutex::new(BTreeMap::new()),
        }
    }

    /// Takes in where a user can be reached.
    pub fn register(&self, registration: Registration) {
        let mut by_user = self.registrations.lock().unwrap_or_else(PoisonError::into_inner);
        match registration.contacts.is_empty() {
            true => by_user.remove(&registration.user),
            false => by_user.insert(registration.user.clone(), registration),
        };
    }

    /// Where users can be reached, by name.
    pub fn registrations(&self) -> Vec<Registration> {
        let by_user = self.registrations.lock().unwrap_or_else(PoisonError::into_inner);
        by_user.values().cloned().collect()
    }

    /// Takes in the next event of its conference and wakes who follows. Never waits: the lock is
    /// only ever held for a few microseconds. An event that is already in changes nothing.
    pub fn publish(&self, event: Event) {
        self.shelves().publish(event);
        self.changed.send_replace(());
    }

    /// Takes in a conference of before the server started: what it was before its first event that
    /// is known, if that is not its very first, and the events since.
    pub fn restore(&self, before: Option<ConferenceView>, events: impl IntoIterator<Item = Event>) {
        let mut shelves = self.shelves();
        if let Some(before) = before {
            shelves.begin(before);
        }
        for event in events {
            shelves.publish(event);
        }
    }

    /// Takes in how a party's audio was. Nobody is woken for it.
    pub fn measure(&self, conference: ConferenceId, party: PartyId, quality: Quality) {
        if let Some(shelf) = self.shelves().by_conference.get_mut(&conference) {
            Arc::make_mut(&mut shelf.told.view).measure(party, quality);
            for (projection, told) in shelf.audiences.values_mut() {
                projection.measure(party, quality);
                told.view = Arc::clone(projection.view());
            }
        }
    }

    /// No event follows: whoever follows gets what is there, and is let go.
    pub fn close(&self) {
        let mut shelves = self.shelves();
        shelves.closed = true;
        for shelf in shelves.by_conference.values() {
            shelf.wake();
        }
        drop(shelves);
        self.changed.send_replace(());
    }

    /// The view of a conference: by id also of one that ended lately, by name of the live one.
    pub fn view(&self, conference: &ConferenceRef) -> Option<Arc<ConferenceView>> {
        self.shelves().shelf(conference).map(|shelf| Arc::clone(&shelf.told.view))
    }

    /// What an audience sees of a conference, and the revision that all others see.
    pub(crate) fn view_for(
        &self,
        conference: &ConferenceRef,
        audience: Audience,
    ) -> Option<(Arc<ConferenceView>, u64)> {
        let mut shelves = self.shelves();
        let shelf = shelves.shelf_mut(conference)?;
        let revision = shelf.told.view.revision;
        Some((Arc::clone(&shelf.told_to(audience).view), revision))
    }

    /// The views of all conferences, live ones and those that ended lately, oldest first.
    pub fn views(&self) -> Vec<Arc<ConferenceView>> {
        self.shelves().views()
    }

    /// The kept events of a conference whose number is greater than `after`, and the oldest number
    /// that is kept, as an audience is told them; none if there is no such conference.
    pub(crate) fn events(
        &self,
        conference: &ConferenceRef,
        audience: Audience,
        after: u64,
    ) -> Option<(Vec<Arc<Event>>, u64)> {
        let mut shelves = self.shelves();
        let told = shelves.shelf_mut(conference)?.told_to(audience);
        let events = told.events.range(told.position_after(after)..).map(Arc::clone).collect();
        Some((events, told.oldest_seq()))
    }

    /// One conference's view and what wakes who follows it.
    pub(crate) fn follow(
        &self,
        conference: &ConferenceRef,
        audience: Audience,
    ) -> Option<(Arc<ConferenceView>, watch::Receiver<()>)> {
        let mut shelves = self.shelves();
        let told = shelves.shelf_mut(conference)?.told_to(audience);
        Some((Arc::clone(&told.view), told.changed.subscribe()))
    }

    /// All views, how many events made them, and what wakes who follows them all.
    pub(crate) fn follow_all(&self) -> (Vec<Arc<ConferenceView>>, u64, watch::Receiver<()>) {
        let shelves = self.shelves();
        (shelves.views(), shelves.log_end(), self.changed.subscribe())
    }

    /// What comes after `seq` in one conference, as an audience is told it.
    pub(crate) fn batch(&self, conference: ConferenceId, audience: Audience, seq: u64) -> Batch {
        let mut shelves = self.shelves();
        let closed = shelves.closed;
        let Some(shelf) = shelves.by_conference.get_mut(&conference) else {
            return Batch::Gone(0);
        };
        let gone = shelf.audiences.get(&audience).is_some_and(|(seen, _)| seen.is_gone());
        let told = shelf.told_to(audience);
        let oldest = told.oldest_seq();
        let start = told.position_after(seq);
        let events: Vec<_> =
            told.events.range(start..).take(EVENTS_PER_BATCH_MAX).map(Arc::clone).collect();
        match events.last() {
            _ if seq.saturating_add(1) < oldest => Batch::Gone(oldest),
            Some(last) => {
                let seq = last.seq;
                Batch::Events(events, seq)
            }
            None if told.view.ended_ms.is_some() || gone => Batch::Ended,
            None if closed => Batch::Closed,
            None => Batch::Nothing,
        }
    }

    /// What comes after the first `count` events of all conferences.
    pub(crate) fn batch_of_all(&self, count: u64) -> Batch {
        let shelves = self.shelves();
        if count < shelves.log_start {
            return Batch::Gone(shelves.log_start);
        }
        let skip = usize::try_from(count - shelves.log_start).unwrap_or(usize::MAX);
        let events: Vec<_> =
            shelves.log.iter().skip(skip).take(EVENTS_PER_BATCH_MAX).map(Arc::clone).collect();
        match events.len() {
            0 if shelves.closed => Batch::Closed,
            0 => Batch::Nothing,
            taken => Batch::Events(events, count + taken as u64),
        }
    }

    /// Waits until an event can be seen.
    pub(crate) async fn reached(&self, conference: ConferenceId, seq: u64) {
        let by_id = ConferenceRef::Id(conference);
        self.until(|| self.view(&by_id).is_some_and(|view| view.seq >= seq)).await;
    }

    /// Waits until events have made it so.
    pub(crate) async fn until(&self, is_so: impl Fn() -> bool) {
        let mut changed = self.changed.subscribe();
        while !is_so() {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        // A panic elsewhere while the lock was held leaves an event half taken in at worst; that is
        // no reason to end every request after it.
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelves {
    fn publish(&mut self, event: Event) {
        let id = event.conference;
        let event = Arc::new(event);
        match self.by_conference.get_mut(&id) {
            Some(shelf) => {
                let known = shelf.told.view.seq;
                if event.seq <= known {
                    return;
                }
                if event.seq != known + 1 {
                    tracing::error!(conference = %id, seq = event.seq, "an event is missing");
                }
                shelf.publish(&event);
            }
            None => {
                let Some(view) = ConferenceView::begin(&event) else {
                    tracing::error!(conference = %id, seq = event.seq, "it has no beginning");
                    return;
                };
                self.live_by_name.insert(view.name.clone(), id);
                let told = Told::new(Arc::new(view), VecDeque::from([Arc::clone(&event)]));
                self.by_conference.insert(id, Shelf::new(told, None));
            }
        }
        if let EventKind::Ended { .. } = &event.kind {
            self.end(id);
        }
        self.log.push_back(event);
        self.trim(id);
        if let Some(shelf) = self.by_conference.get(&id) {
            shelf.wake();
        }
    }

    /// A conference whose first events are not kept.
    fn begin(&mut self, before: ConferenceView) {
        self.live_by_name.insert(before.name.clone(), before.id);
        let (id, told) = (before.id, Told::new(Arc::new(before.clone()), VecDeque::new()));
        self.by_conference.insert(id, Shelf::new(told, Some(before)));
    }

    /// A conference ended: its name is free again, and the one that ended longest ago is forgotten.
    fn end(&mut self, id: ConferenceId) {
        // The name may belong to a successor already.
        if let Some(shelf) = self.by_conference.get(&id)
            && self.live_by_name.get(&shelf.told.view.name) == Some(&id)
        {
            self.live_by_name.remove(&shelf.told.view.name);
        }
        self.ended.push_back(id);
        if self.ended.len() > ENDED_CONFERENCES_KEPT
            && let Some(oldest) = self.ended.pop_front()
        {
            self.by_conference.remove(&oldest);
        }
    }

    /// Lets go of what is beyond the bounds: an event leaves the log, and it leaves its conference
    /// then or when enough others have come there.
    fn trim(&mut self, id: ConferenceId) {
        if self.log.len() > self.bounds.of_all
            && let Some(oldest) = self.log.pop_front()
        {
            self.log_start += 1;
            if let Some(shelf) = self.by_conference.get_mut(&oldest.conference) {
                shelf.age(oldest.seq);
                shelf.trim(self.bounds);
            }
        }
        if let Some(shelf) = self.by_conference.get_mut(&id) {
            shelf.trim(self.bounds);
        }
    }

    fn shelf(&self, conference: &ConferenceRef) -> Option<&Shelf> {
        self.by_conference.get(&self.id(conference)?)
    }

    fn shelf_mut(&mut self, conference: &ConferenceRef) -> Option<&mut Shelf> {
        let id = self.id(conference)?;
        self.by_conference.get_mut(&id)
    }

    fn id(&self, conference: &ConferenceRef) -> Option<ConferenceId> {
        match conference {
            ConferenceRef::Id(id) => Some(*id),
            ConferenceRef::Name(name) => self.live_by_name.get(name).copied(),
        }
    }

    fn views(&self) -> Vec<Arc<ConferenceView>> {
        let mut views: Vec<_> =
            self.by_conference.values().map(|shelf| Arc::clone(&shelf.told.view)).collect();
        views.sort_by_key(|view| (view.started_ms, view.id));
        views
    }

    fn log_end(&self) -> u64 {
        self.log_start + self.log.len() as u64
    }
}

impl Shelf {
    fn new(told: Told, before: Option<ConferenceView>) -> Shelf {
        Shelf { told, aged: 0, before, audiences: BTreeMap::new() }
    }

    fn publish(&mut self, event: &Arc<Event>) {
        Arc::make_mut(&mut self.told.view).apply(event);
        self.told.events.push_back(Arc::clone(event));
        for (projection, told) in self.audiences.values_mut() {
            told.events.extend(projection.apply(event).into_iter().map(Arc::new));
            told.view = Arc::clone(projection.view());
        }
    }

    /// What an audience is told. One that looks for the first time is told what is kept.
    fn told_to(&mut self, audience: Audience) -> &Told {
        if audience == Audience::Everything {
            return &self.told;
        }
        if !self.audiences.contains_key(&audience) {
            if self.audiences.len() >= AUDIENCES_PER_CONFERENCE_MAX {
                let idle = |told: &Told| told.changed.receiver_count() == 0;
                let out = self.audiences.iter().find(|(_, (_, told))| idle(told));
                let out = out.or(self.audiences.first_key_value()).map(|(audience, _)| *audience);
                if let Some(out) = out {
                    self.audiences.remove(&out);
                }
            }
            let told = self.tell_again(audience);
            self.audiences.insert(audience, told);
        }
        &self.audiences[&audience].1
    }

    /// The same events give the same numbers each time; where the first ones are not kept, greater
    /// ones, so that nobody takes new for old.
    fn tell_again(&self, audience: Audience) -> (Projection, Told) {
        let mut kept = self.told.events.iter();
        let (mut projection, first) = match &self.before {
            Some(before) => (Projection::from(audience, before.clone()), None),
            None => {
                let begun = kept.next().and_then(|first| Projection::begin(audience, first));
                let (projection, first) = begun.expect("its first event is kept, or what it made");
                (projection, Some(Arc::new(first)))
            }
        };
        let mut events: VecDeque<_> = first.into_iter().collect();
        for event in kept {
            events.extend(projection.apply(event).into_iter().map(Arc::new));
        }
        let told = Told::new(Arc::clone(projection.view()), events);
        (projection, told)
    }

    /// One of its events has left the log, if it has not left here before.
    fn age(&mut self, seq: u64) {
        self.aged = self.told.position_after(seq).max(self.aged);
    }

    /// Lets go of what is beyond the bounds.
    fn trim(&mut self, bounds: Bounds) {
        let kept = |shelf: &Shelf| shelf.told.events.len();
        while kept(self) > bounds.per_conference || (self.aged > 0 && kept(self) > bounds.of_each) {
            self.forget_oldest();
        }
        let bound = kept(self).max(bounds.of_each);
        for (_, told) in self.audiences.values_mut() {
            let beyond = told.events.len().saturating_sub(bound);
            told.events.drain(..beyond);
            give_back(&mut told.events);
        }
        give_back(&mut self.told.events);
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.told.events.pop_front() else { return };
        self.aged = self.aged.saturating_sub(1);
        match &mut self.before {
            Some(before) => before.apply(&oldest),
            None => self.before = ConferenceView::begin(&oldest),
        }
    }

    fn wake(&self) {
        self.told.changed.send_replace(());
        for (_, told) in self.audiences.values() {
            told.changed.send_replace(());
        }
    }
}

impl Told {
    fn new(view: Arc<ConferenceView>, events: VecDeque<Arc<Event>>) -> Told {
        Told { view, events, changed: watch::Sender::new(()) }
    }

    /// The number of the oldest event that is kept, or of the next one if none is.
    fn oldest_seq(&self) -> u64 {
        self.events.front().map_or(self.view.seq + 1, |event| event.seq)
    }

    fn position_after(&self, seq: u64) -> usize {
        self.events.partition_point(|event| event.seq <= seq)
    }
}

/// Gives room back that was needed once.
fn give_back(events: &mut VecDeque<Arc<Event>>) {
    if events.capacity() > 4 * events.len().max(EVENTS_OF_EACH_KEPT) {
        events.shrink_to(2 * events.len());
    }
}

#[cfg(test)]
mod tests;

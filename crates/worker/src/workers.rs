//! The control side: deals conferences to threads, binds sockets, makes orders ready.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError, mpsc};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use media::{Clips, Cue, Desk, Music, OrderError, Outbox, Stage};
use model::limits::LEGS_MAX;
use model::stats::MediaStats;
use model::{
    Chance, ConferenceId, LegId, LocalMedia, MediaOrder, MediaReport, RecordingId, TapFrame,
    TapRate,
};
use rtrb::{Consumer, Producer, RingBuffer};

use crate::clock::{Clock, ask_realtime, raise_descriptors};
use crate::limits::{
    ORDER_WAIT_MS_MAX, ORDERS_QUEUED_MAX, OTHER_DESCRIPTORS, RETURNS_QUEUED_MAX, RETURNS_WAIT_MAX,
    TRANSIT_RETRY,
};
use crate::ports::PortRange;
use crate::socket::{self, Io, Socket, Sockets};
use crate::tally::Tally;
use crate::transit::{Transit, Travellers};
use crate::turn::{MediaThread, Order, Return};

/// How the media threads are set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many there are; at least one.
    pub threads: usize,
    /// How busy conferences keep a thread before others go to the next \[µs per second\]; 0 deals
    /// them to all evenly. Usually [`THREAD_BUSY_US_MAX`](crate::limits::THREAD_BUSY_US_MAX).
    pub busy_us_max: u64,
    /// Among which UDP ports the even ones are given to legs.
    pub rtp_ports: RangeInclusive<u16>,
    /// What the streams' random numbers come from.
    pub seed: u64,
    /// How datagrams should go in and out of the kernel.
    pub io: Io,
    /// What those hear who wait.
    pub music: Music,
    /// What can be announced.
    pub clips: Clips,
}

/// How the media threads run on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// All of them run before whatever is not real-time (`SCHED_FIFO`).
    pub realtime: bool,
    /// How datagrams go in and out of the kernel: `io_uring` if all of them do so, else `epoll`.
    pub io: &'static str,
    /// How many there are.
    pub threads: usize,
    /// How many descriptors the process may hold.
    pub descriptors: u64,
}

/// One media thread as the control side sees it.
struct Lane {
    desk: Desk,
    orders: Producer<Order>,
    /// Sleeps while it has nobody.
    thread: Thread,
}

pub(crate) struct Seated {
    pub(crate) lane: usize,
    pub(crate) port: u16,
}

pub(crate) struct Control {
    lanes: Vec<Lane>,
    busy_us_max: u64,
    ports: PortRange,
    lanes_by_conference: BTreeMap<ConferenceId, usize>,
    pub(crate) legs: BTreeMap<LegId, Seated>,
    pub(crate) transit: Transit,
}

/// The media threads. Dropping it stops them.
pub struct Workers {
    clock: Clock,
    control: Arc<Mutex<Control>>,
    tallies: Vec<Arc<Tally>>,
    facts: Facts,
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    drained: Arc<AtomicBool>,
    reporter: Option<JoinHandle<()>>,
    /// The same, for media threads to wake.
    wakes: Arc<OnceLock<Thread>>,
}

impl Workers {
    /// Starts the threads. `report` is called from a thread of its own, never from a media thread;
    /// it must not wait long.
    ///
    /// # Errors
    /// If there is no even port in the range, or if the machine gives no thread or no epoll
    /// instance.
    pub fn start(
        settings: Settings,
        report: impl Fn(MediaReport) + Send + 'static,
    ) -> io::Result<Workers> {
        let ports = PortRange::new(settings.rtp_ports)?;
        let descriptors = raise_descriptors(LEGS_MAX as u64 + OTHER_DESCRIPTORS);
        let clock = Clock::start();
        let mut chance = Chance::new(settings.seed);
        let (mut lanes, mut returns) = (Vec::new(), Vec::new());
        let mut workers = Workers {
            clock,
            control: Arc::new(Mutex::new(Control {
                lanes: Vec::new(),
                busy_us_max: settings.busy_us_max,
                ports,
                lanes_by_conference: BTreeMap::new(),
                legs: BTreeMap::new(),
                transit: Transit::default(),
            })),
            tallies: Vec::new(),
            facts: Facts { realtime: true, io: socket::IO_URING, threads: 0, descriptors },
            stopping: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
            drained: Arc::new(AtomicBool::new(false)),
            reporter: None,
            wakes: Arc::default(),
        };
        for number in 0..settings.threads.max(1) {
            let (orders, back) = workers.spawn(number, settings.io, settings.music.clone())?;
            let thread = workers.threads[number].thread().clone();
            lanes.push(Lane {
                desk: Desk::with_clips(chance.draw(), settings.clips.clone()),
                orders,
                thread,
            });
            returns.push(back);
        }
        workers.lock().lanes = lanes;
        workers.spawn_reporter(returns, report)?;
        let Facts { realtime, io, threads, descriptors } = workers.facts;
        tracing::info!(realtime, io, threads, descriptors, "media threads run");
        Ok(workers)
    }

    /// Starts one media thread and waits until it is ready.
    fn spawn(
        &mut self,
        number: usize,
        io: Io,
        music: Music,
    ) -> io::Result<(Producer<Order>, Consumer<Return>)> {
        let (order_producer, orders) = RingBuffer::new(ORDERS_QUEUED_MAX);
        let (returns, return_consumer) = RingBuffer::new(RETURNS_QUEUED_MAX);
        let tally = Arc::new(Tally::default());
        self.tallies.push(Arc::clone(&tally));
        let (clock, stopping) = (self.clock, Arc::clone(&self.stopping));
        let reporter = Arc::clone(&self.wakes);
        let (ready, begun) = mpsc::channel();
        let name = format!("media-{number}");
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let sockets = match Sockets::new(io) {
                Ok(sockets) => sockets,
                Err(error) => return tell(&ready, Err(error)),
            };
            let name = sockets.name();
            let (stage, outbox) = (Stage::new(music), Outbox::new());
            let own = MediaStats::default();
            let thread = MediaThread {
                clock,
                stage,
                sockets,
                outbox,
                orders,
                returns,
                reporter,
                wakes_at: None,
                tally,
                stopping,
                own,
            };
            tell(&ready, Ok((ask_realtime(), name)));
            thread.run();
        })?;
        self.threads.push(thread);
        let died = || io::Error::other("a media thread has died at its start");
        let (realtime, name) = begun.recv().map_err(|_| died())??;
        self.facts.realtime &= realtime;
        if name != socket::IO_URING {
            self.facts.io = name;
        }
        self.facts.threads += 1;
        Ok((order_producer, return_consumer))
    }

    /// Starts the thread that tells and drops what comes back.
    fn spawn_reporter(
        &mut self,
        mut returns: Vec<Consumer<Return>>,
        report: impl Fn(MediaReport) + Send + 'static,
    ) -> io::Result<()> {
        let (wakes, drained) = (Arc::clone(&self.wakes), Arc::clone(&self.drained));
        let (control, clock) = (Arc::clone(&self.control), self.clock);
        let thread = std::thread::Builder::new().name("media-report".into()).spawn(move || {
            wakes.get_or_init(std::thread::current);
            let mut travellers = Travellers::default();
            loop {
                // Read before the rings: what came before the end is still told.
                let last = drained.load(Ordering::Acquire);
                for thing in
                    returns.iter_mut().flat_map(|ring| std::iter::from_fn(|| ring.pop().ok()))
                {
                    match thing {
                        Return::Report(told) => report(told),
                        Return::Spent(spent) => travellers.take_port(spent),
                        Return::Socket(socket) => travellers.take_socket(socket),
                        Return::Deaf(port) => {
                            tracing::error!(port = port.index(), "a media socket is not watched");
                        }
                    }
                }
                if last {
                    return;
                }
                let wait = match travellers.is_empty() {
                    true => RETURNS_WAIT_MAX,
                    false => land(&control, clock, &mut travellers),
                };
                std::thread::park_timeout(wait);
            }
        })?;
        self.reporter = Some(thread);
        Ok(())
    }

    /// Carries out an order. It is in effect from the next tick of its conference on; only to
    /// [`MediaOrder::Open`] is there an answer.
    ///
    /// This binds sockets and makes decoders, and it waits if a media thread has very many orders
    /// before it. [`MediaOrder::OpenTap`] is [`Workers::open_tap`]'s and is ignored here.
    pub fn order(&self, order: MediaOrder) -> Option<MediaReport> {
        if let MediaOrder::Open { leg, conference, local } = order {
            let opened = self.lock().open(self.clock, &order, leg, conference, local);
            return Some(match opened {
                Ok(rtp) => MediaReport::Opened { leg, local: LocalMedia { rtp } },
                Err(reason) => MediaReport::OpenFailed { leg, reason },
            });
        }
        if let Err(error) = self.lock().carry_out(self.clock, &order) {
            tracing::warn!(%error, "an order to media was not carried out");
        }
        None
    }

    /// Lets a recorder in: it is given a frame in every tick until it goes
    /// ([`MediaOrder::CloseTap`]) or its conference is over; then its ring is abandoned.
    pub fn open_tap(
        &self,
        conference: ConferenceId,
        recording: RecordingId,
        rate: TapRate,
        frames: Producer<TapFrame>,
    ) {
        let mut control = self.lock();
        let lane = control.lane(conference);
        let opened = control.lanes[lane].desk.open_tap(conference, recording, rate, frames);
        let sent = opened.map_err(|error| error.to_string());
        let sent = sent.and_then(|cue| control.send(self.clock, lane, cue, None));
        if let Err(error) = sent {
            tracing::error!(%recording, error, "a recorder was not let in");
        }
    }

    /// What all threads counted.
    pub fn stats(&self) -> MediaStats {
        let mut sum = MediaStats::default();
        for tally in &self.tallies {
            sum.add(&tally.read());
        }
        sum
    }

    /// How the threads run.
    pub fn facts(&self) -> Facts {
        self.facts
    }

    /// Stops the threads. What they reported until then is told before this returns.
    pub fn stop(self) {
        drop(self);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Control> {
        // A panic while it was held leaves at worst a leg that nobody closes.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("a media thread has panicked");
            }
        }
        self.drained.store(true, Ordering::Release);
        if let Some(reporter) = self.wakes.get() {
            reporter.unpark();
        }
        if self.reporter.take().is_some_and(|reporter| reporter.join().is_err()) {
            tracing::error!("the thread that tells what media reports has panicked");
        }
    }
}

/// Lets those in who are on their way to another media thread. Returns how long to wait for the
/// next to come back.
fn land(control: &Mutex<Control>, clock: Clock, travellers: &mut Travellers) -> Duration {
    // Never waits for the lock: who holds it may wait for a media thread that waits for this one.
    let mut control = match control.try_lock() {
        Ok(control) => control,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return TRANSIT_RETRY,
    };
    control.land(clock, travellers);
    RETURNS_WAIT_MAX
}

/// Tells the starting thread how it went; if that has gone there is nobody to tell.
fn tell<T>(ready: &mpsc::Sender<io::Result<T>>, how: io::Result<T>) {
    if ready.send(how).is_err() {
        tracing::debug!("a media thread began after the start was given up");
    }
}

impl Control {
    /// The thread of a conference. One that begins goes to the first that is not busy, so that few
    /// threads wake and each finds what it needs in its cache; if all are busy, to the least busy.
    fn lane(&self, conference: ConferenceId) -> usize {
        let known = self.lanes_by_conference.get(&conference).copied();
        let busy = |lane: &usize| self.lanes[*lane].desk.busy_us_per_s();
        let room = || (0..self.lanes.len()).find(|lane| busy(lane) < self.busy_us_max);
        let least = || (0..self.lanes.len()).min_by_key(busy);
        known.or_else(room).or_else(least).unwrap_or(0)
    }

    /// Opens a leg's port, and returns its address or why there is none.
    fn open(
        &mut self,
        clock: Clock,
        order: &MediaOrder,
        leg: LegId,
        conference: ConferenceId,
        local: IpAddr,
    ) -> Result<SocketAddr, String> {
        if self.legs.len() >= LEGS_MAX {
            return Err(OrderError::Full.to_string());
        }
        let (udp, address) = self.ports.bind(local).map_err(|error| error.to_string())?;
        let opened = self.seat(clock, order, leg, conference, udp);
        match opened {
            Ok(lane) => {
                self.lanes_by_conference.insert(conference, lane);
                self.legs.insert(leg, Seated { lane, port: address.port() });
                Ok(address)
            }
            Err(why) => {
                self.ports.give_back(address.port());
                Err(why)
            }
        }
    }

    fn seat(
        &mut self,
        clock: Clock,
        order: &MediaOrder,
        leg: LegId,
        conference: ConferenceId,
        udp: std::net::UdpSocket,
    ) -> Result<usize, String> {
        let socket = Socket::new(udp).map_err(|error| error.to_string())?;
        let lane = self.lane(conference);
        let desk = &mut self.lanes[lane].desk;
        let cue = desk.compile(order).map_err(|error| error.to_string())?;
        let socket = desk.port(leg).map(|port| (port, socket));
        self.send(clock, lane, cue, socket)?;
        Ok(lane)
    }

    /// Carries out any order but [`MediaOrder::Open`].
    pub(crate) fn carry_out(&mut self, clock: Clock, order: &MediaOrder) -> Result<(), String> {
        if let Some(kept) = self.transit.keep(order) {
            return kept;
        }
        let lane = match order {
            MediaOrder::Open { leg, .. }
            | MediaOrder::Connect { leg, .. }
            | MediaOrder::Move { leg, .. }
            | MediaOrder::Press { leg, .. }
            | MediaOrder::Close { leg } => {
                let seated = self.legs.get(leg);
                seated.map(|seated| seated.lane).ok_or_else(|| format!("{leg} has no port"))?
            }
            MediaOrder::Route { conference, .. }
            | MediaOrder::OpenTap { conference, .. }
            | MediaOrder::CloseTap { conference, .. }
            | MediaOrder::Play { conference, .. }
            | MediaOrder::StopPlaying { conference, .. }
            | MediaOrder::CloseConference { conference } => self.lane(*conference),
        };
        if let MediaOrder::Move { leg, conference } = order {
            let to = self.lane(*conference);
            self.lanes_by_conference.insert(*conference, to);
            if to != lane {
                return self.send_over(clock, *leg, (lane, to), *conference);
            }
        }
        let cue = self.lanes[lane].desk.compile(order).map_err(|error| error.to_string())?;
        match order {
            MediaOrder::Close { leg } => {
                if let Some(seated) = self.legs.remove(leg) {
                    // Until the media thread has let it go, binding it again fails and passes on.
                    self.ports.give_back(seated.port);
                }
            }
            MediaOrder::Route { conference, .. } => {
                self.lanes_by_conference.insert(*conference, lane);
            }
            MediaOrder::CloseConference { conference } => {
                self.lanes_by_conference.remove(conference);
            }
            MediaOrder::Open { .. }
            | MediaOrder::Connect { .. }
            | MediaOrder::Move { .. }
            | MediaOrder::Press { .. }
            | MediaOrder::OpenTap { .. }
            | MediaOrder::CloseTap { .. }
            | MediaOrder::Play { .. }
            | MediaOrder::StopPlaying { .. } => {}
        }
        self.send(clock, lane, cue, None)
    }

    pub(crate) fn desk(&mut self, lane: usize) -> &mut Desk {
        &mut self.lanes[lane].desk
    }

    /// Sends a cue to a media thread. If the ring is full this side waits, not that one.
    pub(crate) fn send(
        &mut self,
        clock: Clock,
        lane: usize,
        cue: Cue,
        socket: Option<(media::PortKey, Socket)>,
    ) -> Result<(), String> {
        let Lane { orders, thread, .. } = &mut self.lanes[lane];
        let mut order = Order { cue, socket };
        for _ in 0..ORDER_WAIT_MS_MAX {
            match orders.push(order) {
                Ok(()) => {
                    thread.unpark();
                    return Ok(());
                }
                Err(rtrb::PushError::Full(back)) => order = back,
            }
            clock.sleep_ms(1);
        }
        Err("the media thread takes no orders".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads that nobody runs.
    fn control(lanes: usize, busy_us_max: u64) -> Control {
        let lane = || Lane {
            desk: Desk::new(1),
            orders: RingBuffer::new(1).0,
            thread: std::thread::current(),
        };
        Control {
            lanes: std::iter::repeat_with(lane).take(lanes).collect(),
            busy_us_max,
            ports: PortRange::new(10_000..=10_001).unwrap(),
            lanes_by_conference: BTreeMap::new(),
            legs: BTreeMap::new(),
            transit: Transit::default(),
        }
    }

    /// Where each of so many conferences of two goes.
    fn dealt(control: &mut Control, conferences: u64) -> Vec<usize> {
        let deal = |number| {
            let conference = ConferenceId(number);
            let lane = control.lane(conference);
            control.lanes_by_conference.insert(conference, lane);
            for leg in [LegId(2 * number), LegId(2 * number + 1)] {
                let local = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
                let open = MediaOrder::Open { leg, conference, local };
                control.lanes[lane].desk.compile(&open).unwrap();
            }
            lane
        };
        (0..conferences).map(deal).collect()
    }

    #[test]
    fn a_thread_is_filled_before_the_next_is_used_and_full_ones_share_what_comes() {
        let mut control = control(2, 3 * 2 * 4_000);
        assert_eq!(dealt(&mut control, 9), [0, 0, 0, 1, 1, 1, 0, 1, 0]);
    }

    #[test]
    fn without_a_bound_conferences_are_dealt_evenly() {
        assert_eq!(dealt(&mut control(3, 0), 6), [0, 1, 2, 0, 1, 2]);
    }
}

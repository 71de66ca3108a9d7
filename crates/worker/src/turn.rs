//! A media thread: wake, take orders, receive, render, send, hand back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use media::limits::TURN_US;
use media::{Cue, Outbox, PortKey, Spent, Stage};
use model::MediaReport;
use model::stats::{MediaStats, TICK_US_BOUNDS};
use rtrb::{Consumer, Producer};

use crate::clock::Clock;
use crate::limits::{
    CATCH_UP_TURNS_MAX, IDLE_TURNS, IDLE_WAIT_MAX, LATE_US, ORDERS_PER_TURN_MAX,
    RETURNS_QUEUED_MAX, SPENT_TURNS_MAX,
};
use crate::socket::{Arrived, Socket, Sockets, Told};
use crate::tally::Tally;

/// An order, ready for the media thread.
pub(crate) struct Order {
    pub(crate) cue: Cue,
    /// The socket of a port that opens.
    pub(crate) socket: Option<(PortKey, Socket)>,
}

/// What comes back from a media thread.
pub(crate) enum Return {
    /// To be told.
    Report(MediaReport),
    /// To be dropped, unless it goes to another media thread.
    Spent(Spent),
    /// The same.
    Socket(Socket),
    /// The kernel would not watch a port's socket, so the port hears nothing.
    Deaf(PortKey),
}

impl Return {
    /// Whether somebody waits for it; what is only dropped has time.
    fn is_awaited(&self) -> bool {
        match self {
            Return::Report(_) | Return::Deaf(_) | Return::Spent(Spent::Departed(..)) => true,
            // Until it is closed its port cannot be had.
            Return::Socket(_) => true,
            Return::Spent(
                Spent::Port(..)
                | Spent::Link(_)
                | Spent::Plan(_)
                | Spent::Mixer(_)
                | Spent::Announcement(_)
                | Spent::Tap(_),
            ) => false,
        }
    }
}

/// All that a media thread owns.
pub(crate) struct MediaThread {
    pub(crate) clock: Clock,
    pub(crate) stage: Stage,
    pub(crate) sockets: Sockets,
    pub(crate) outbox: Outbox,
    pub(crate) orders: Consumer<Order>,
    pub(crate) returns: Producer<Return>,
    /// Who takes what comes back; it sleeps until there is something.
    pub(crate) reporter: Arc<OnceLock<Thread>>,
    /// The turn in which that one is woken, if something was given back.
    pub(crate) wakes_at: Option<u64>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) stopping: Arc<AtomicBool>,
    /// What the stage cannot count.
    pub(crate) own: MediaStats,
}

impl MediaThread {
    /// Turns until it is told to stop. A thread that has nobody waits until it is woken.
    pub(crate) fn run(mut self) {
        let mut turn = self.clock.now_us() / TURN_US + 1;
        let mut needed = turn;
        while !self.stopping.load(Ordering::Relaxed) {
            if !self.stage.is_empty() {
                needed = turn;
            }
            if turn > needed + IDLE_TURNS {
                std::thread::park_timeout(IDLE_WAIT_MAX);
                turn = self.clock.now_us() / TURN_US + 1;
            }
            self.clock.sleep_until_us(turn * TURN_US);
            turn = self.step(turn, self.clock.now_us());
        }
    }

    /// A turn that was due and begins at this time. Returns the one to sleep until.
    fn step(&mut self, turn: u64, begun_us: u64) -> u64 {
        let turn = self.keep_up(turn, begun_us);
        self.turn(turn, begun_us);
        // What comes in the meantime waits in the kernel, stamped with its time: it is of no use
        // before its conference is due.
        self.stage.next_turn(turn)
    }

    /// Counts a turn that begins late. Turns are made up for, one after the other, unless there are
    /// too many.
    fn keep_up(&mut self, turn: u64, now_us: u64) -> u64 {
        let late_us = now_us.saturating_sub(turn * TURN_US);
        if late_us > LATE_US {
            self.own.ticks_late += 1;
        }
        let current = now_us / TURN_US;
        if current.saturating_sub(turn) > CATCH_UP_TURNS_MAX { current } else { turn }
    }

    fn turn(&mut self, turn: u64, begun_us: u64) {
        // First, so that a packet that was sent after an order was given never meets it undone.
        self.take_orders(turn);
        let MediaThread { stage, sockets, .. } = self;
        sockets.receive(|told| match told {
            Told::Soon(port) => stage.expect(port),
            Told::Came(Arrived { port, remote, age_us, bytes }) => {
                stage.receive(port, remote, begun_us.saturating_sub(age_us), bytes);
            }
        });
        self.outbox.clear();
        self.stage.turn(turn, &mut self.outbox);
        self.own.send_errors += self.sockets.send(self.outbox.iter());
        self.hand_back(turn);
        self.count(self.clock.now_us().saturating_sub(begun_us));
    }

    fn take_orders(&mut self, turn: u64) {
        for _ in 0..ORDERS_PER_TURN_MAX {
            // An order may tell that a socket is deaf.
            if !self.stage.takes_cues() || self.returns.is_full() {
                return;
            }
            let Ok(Order { cue, socket }) = self.orders.pop() else { return };
            if let Some((port, socket)) = socket
                && !self.sockets.insert(port, socket)
            {
                self.give(turn, Return::Deaf(port));
            }
            self.stage.apply(cue);
        }
    }

    /// Hands reports and spent things back, as far as there is room.
    fn hand_back(&mut self, turn: u64) {
        while !self.returns.is_full() {
            let Some(report) = self.stage.next_report() else { break };
            self.give(turn, Return::Report(report));
        }
        while !self.returns.is_full() {
            let Some(spent) = self.stage.next_spent() else { break };
            match &spent {
                Spent::Port(port, _) => self.sockets.remove(*port, false),
                Spent::Departed(port, _) => self.sockets.remove(*port, true),
                Spent::Link(_)
                | Spent::Plan(_)
                | Spent::Mixer(_)
                | Spent::Announcement(_)
                | Spent::Tap(_) => {}
            }
            self.give(turn, Return::Spent(spent));
        }
        while !self.returns.is_full() {
            let Some(socket) = self.sockets.next_released() else { break };
            self.give(turn, Return::Socket(socket));
        }
        if self.wakes_at.is_some_and(|at| at <= turn)
            && let Some(reporter) = self.reporter.get()
        {
            self.wakes_at = None;
            reporter.unpark();
        }
    }

    /// The caller has made sure that there is room.
    fn give(&mut self, turn: u64, thing: Return) {
        let is_awaited = thing.is_awaited() || self.returns.slots() <= RETURNS_QUEUED_MAX / 2;
        let result = self.returns.push(thing);
        debug_assert!(result.is_ok(), "there is room for what is given back");
        let wakes_at = if is_awaited { turn } else { turn + SPENT_TURNS_MAX };
        self.wakes_at = Some(self.wakes_at.map_or(wakes_at, |at| at.min(wakes_at)));
    }

    /// Counts a turn that took so long, and shows all counters.
    fn count(&mut self, took_us: u64) {
        self.own.ticks += 1;
        self.own.tick_us_sum += took_us;
        let bucket = TICK_US_BOUNDS.partition_point(|bound| *bound < took_us);
        self.own.tick_us_buckets[bucket] += 1;
        let mut stats = *self.stage.stats();
        stats.add(&self.own);
        self.tally.publish(&stats);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, UdpSocket};

    use assert_no_alloc::{AllocDisabler, assert_no_alloc};
    use media::limits::{PHASES, TICK_MS};
    use media::{Desk, Music};
    use model::{
        ConferenceId, Connection, EarGroup, Gain, Hearing, LegId, MediaOrder, Place, Routing,
        Source, VoiceGroup,
    };
    use rtrb::RingBuffer;
    use wire::rtp::{HEADER_BYTES, Header, Rtp, write_header};

    use super::*;
    use crate::limits::ORDERS_QUEUED_MAX;
    use crate::socket::Io;

    #[global_allocator]
    static ALLOCATOR: AllocDisabler = AllocDisabler;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const LEGS: u64 = 3;
    const CONFERENCE: ConferenceId = ConferenceId(1);

    /// A conference of phones that speak, on a media thread that is turned by hand.
    struct Studio {
        thread: MediaThread,
        desk: Desk,
        orders: Producer<Order>,
        returns: Consumer<Return>,
        phones: Vec<(UdpSocket, u16)>,
    }

    impl Studio {
        fn new(io: Io) -> Studio {
            let (order_producer, orders) = RingBuffer::new(ORDERS_QUEUED_MAX);
            let (returns, return_consumer) = RingBuffer::new(RETURNS_QUEUED_MAX);
            let thread = MediaThread {
                clock: Clock::start(),
                stage: Stage::new(Music::house()),
                sockets: Sockets::new(io).unwrap(),
                outbox: Outbox::new(),
                orders,
                returns,
                reporter: Arc::default(),
                wakes_at: None,
                tally: Arc::new(Tally::default()),
                stopping: Arc::default(),
                own: MediaStats::default(),
            };
            let desk = Desk::new(1);
            let (orders, returns) = (order_producer, return_consumer);
            Studio { thread, desk, orders, returns, phones: Vec::new() }
        }

        fn order(&mut self, order: &MediaOrder, udp: Option<(LegId, UdpSocket)>) {
            let cue = self.desk.compile(order).unwrap();
            let socket =
                udp.map(|(leg, udp)| (self.desk.port(leg).unwrap(), Socket::new(udp).unwrap()));
            assert!(self.orders.push(Order { cue, socket }).is_ok());
        }

        fn enter(&mut self, leg: LegId) {
            let (ours, phone) =
                (UdpSocket::bind((LOCAL, 0)).unwrap(), UdpSocket::bind((LOCAL, 0)).unwrap());
            phone.connect(ours.local_addr().unwrap()).unwrap();
            phone.set_nonblocking(true).unwrap();
            let connection = Connection {
                codec: model::Codec::Pcmu,
                payload_type: 0,
                receive_payload_type: 0,
                telephone_event: None,
                alternatives: Vec::new(),
                ptime_ms: 20,
                fec: false,
                opus: Default::default(),
                remote: phone.local_addr().unwrap(),
                rtcp: model::Rtcp::Nowhere,
                voip_metrics: false,
                srtp: None,
                source: Source::Signalled { signalling: LOCAL },
                sends: true,
                receives: true,
                rtp_timeout_ms: None,
            };
            let open = MediaOrder::Open { leg, conference: CONFERENCE, local: LOCAL };
            self.order(&open, Some((leg, ours)));
            self.order(&MediaOrder::Connect { leg, connection }, None);
            self.phones.push((phone, 0));
        }

        fn route(&mut self) {
            let (ear, voice) = (EarGroup(0), VoiceGroup(0));
            let place = |leg| Place { leg: LegId(leg), ear: Some(ear), voice: Some(voice) };
            let routing = Routing {
                places: (0..LEGS).map(place).collect(),
                hears: vec![Hearing { ear, voice, gain: Gain::UNITY }],
                ..Routing::default()
            };
            self.order(&MediaOrder::Route { conference: CONFERENCE, routing }, None);
        }

        /// Every phone sends a packet; returns how many packets they had got.
        fn speak(&mut self) -> usize {
            let got = self.hear().len();
            for (phone, sequence) in &mut self.phones {
                let mut packet = [0x15; HEADER_BYTES + 160];
                let header = Header {
                    payload_type: 0,
                    marker: false,
                    sequence: *sequence,
                    timestamp: u32::from(*sequence) * 160,
                    ssrc: 7,
                };
                write_header(&mut packet, &header);
                *sequence += 1;
                assert_eq!(phone.send(&packet).unwrap(), packet.len());
            }
            got
        }

        /// What the phones got, each in its order.
        fn hear(&self) -> Vec<(usize, Vec<u8>)> {
            let mut packet = [0; 1_500];
            let mut got = Vec::new();
            for (number, (phone, _)) in self.phones.iter().enumerate() {
                while let Ok(length) = phone.recv(&mut packet) {
                    got.push((number, packet[..length].to_vec()));
                }
            }
            got
        }
    }

    fn turn_without_allocating(io: Io) {
        const TICKS: u64 = 40;
        let mut studio = Studio::new(io);
        (0..LEGS).for_each(|leg| studio.enter(LegId(leg)));
        studio.route();
        let (mut turn, mut got) = (1, 0);
        for _ in 0..TICKS {
            got += studio.speak();
            let thread = &mut studio.thread;
            turn = thread.stage.next_turn(turn);
            assert_no_alloc(|| thread.turn(turn, turn * TURN_US));
            while studio.returns.pop().is_ok() {}
        }
        let stats = studio.thread.tally.read();
        assert_eq!(stats.packets_in, TICKS * LEGS);
        assert!(got as u64 > (TICKS - 10) * LEGS, "{got} packets came back");
        for leg in 0..LEGS {
            studio.order(&MediaOrder::Close { leg: LegId(leg) }, None);
        }
        studio.order(&MediaOrder::CloseConference { conference: CONFERENCE }, None);
        let mut sockets = 0;
        for turn in turn + 1..turn + 12 {
            let thread = &mut studio.thread;
            assert_no_alloc(|| thread.turn(turn, turn * TURN_US));
            while let Ok(thing) = studio.returns.pop() {
                sockets += u64::from(matches!(thing, Return::Socket(_)));
            }
        }
        assert_eq!(sockets, LEGS, "every socket comes back to be closed");
    }

    /// After a second in which all goes well the thread does not run for so long, in which the
    /// phones go on to speak. Returns what each phone gets,
    /// from the last packet before that on.
    fn stall(stalled_ms: u64) -> (Studio, Vec<Vec<Vec<u8>>>) {
        let mut studio = Studio::new(Io::Auto);
        (0..LEGS).for_each(|leg| studio.enter(LegId(leg)));
        studio.route();
        let mut turn = 1;
        for _ in 0..50 {
            studio.speak();
            turn = studio.thread.step(turn, turn * TURN_US);
        }
        // What they got last before it.
        let mut got = vec![Vec::new(); LEGS as usize];
        studio.hear().into_iter().for_each(|(phone, packet)| got[phone] = vec![packet]);
        // The thread wakes late, and goes on until it has made up for it.
        let late_us = turn * TURN_US + stalled_ms * 1_000;
        (0..stalled_ms / TICK_MS).for_each(|_| {
            studio.speak();
        });
        while turn * TURN_US <= late_us {
            turn = studio.thread.step(turn, late_us);
        }
        for _ in 0..10 {
            studio.hear().into_iter().for_each(|(phone, packet)| got[phone].push(packet));
            studio.speak();
            turn = studio.thread.step(turn, turn * TURN_US);
        }
        (studio, got)
    }

    /// The steps of sequence numbers and of timestamps from packet to packet.
    fn steps(packets: &[Vec<u8>]) -> Vec<(u16, u32)> {
        let parsed = packets.iter().map(|packet| Rtp::parse(packet).unwrap());
        let places: Vec<_> = parsed.map(|rtp| (rtp.sequence, rtp.timestamp)).collect();
        let step = |pair: &[(u16, u32)]| {
            (pair[1].0.wrapping_sub(pair[0].0), pair[1].1.wrapping_sub(pair[0].1))
        };
        places.windows(2).map(step).collect()
    }

    #[test]
    fn a_tick_that_is_late_is_counted_and_made_up_without_a_hole() {
        const STALLED_TICKS: u64 = 3;
        let (studio, got) = stall(STALLED_TICKS * TICK_MS);
        for packets in &got {
            // Ten ticks in time, and those of the stall.
            assert!(packets.len() as u64 > 8 + STALLED_TICKS, "{} packets", packets.len());
            assert_eq!(steps(packets), vec![(1, 160); packets.len() - 1]);
            let silent = |packet: &Vec<u8>| packet[HEADER_BYTES..].iter().all(|byte| *byte == 0xFF);
            assert!(!packets.iter().any(silent), "the others are heard all the time");
        }
        assert_eq!(studio.thread.tally.read().ticks_late, STALLED_TICKS);
    }

    #[test]
    fn what_is_too_late_to_be_made_up_is_a_hole_that_the_far_end_is_told_of() {
        let (studio, got) = stall(2 * CATCH_UP_TURNS_MAX * TURN_US / 1_000);
        for packets in &got {
            let mut steps = steps(packets);
            let ticks = (2 * CATCH_UP_TURNS_MAX / PHASES) as u32;
            assert_eq!(steps.remove(0), (1, (ticks + 1) * 160));
            assert_eq!(steps, vec![(1, 160); steps.len()]);
            assert!(steps.len() > 8, "it goes on");
        }
        assert_eq!(studio.thread.tally.read().ticks_late, 1);
    }

    #[test]
    fn a_turn_does_not_allocate() {
        turn_without_allocating(Io::Auto);
    }

    #[test]
    fn a_turn_by_epoll_does_not_allocate() {
        turn_without_allocating(Io::Epoll);
    }
}

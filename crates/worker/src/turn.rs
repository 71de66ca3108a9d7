//! A media thread: wake, take orders, receive, render, send, hand back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use media::limits::TURN_US;
use media::{Cue, Outbox, PortKey, Spent, Stage};
use model::MediaReport;
use model::stats::{MediaStats, TICK_US_BOUNDS};
use rtrb::{Consumer, Producer};

use crate::clock::Clock;
use crate::limits::{CATCH_UP_TURNS_MAX, LATE_US, ORDERS_PER_TURN_MAX};
use crate::socket::{Socket, Sockets};
use crate::tally::Tally;

/// An order, ready for the media thread.
pub(crate) struct Order {
    pub(crate) cue: Cue,
    /// The socket of a port that opens.
    pub(crate) socket: Option<(PortKey, Socket)>,
}

/// What comes back from a media thread.
#[expect(dead_code, reason = "what is spent is only ever dropped")]
pub(crate) enum Return {
    /// To be told.
    Report(MediaReport),
    /// To be dropped, with the socket if it was a port's.
    Spent(Spent, Option<Socket>),
    /// To be dropped.
    Socket(Socket),
    /// The kernel would not watch a port's socket, so the port hears nothing.
    Deaf(PortKey),
}

/// All that a media thread owns.
pub(crate) struct MediaThread {
    pub(crate) clock: Clock,
    pub(crate) stage: Stage,
    pub(crate) sockets: Sockets,
    pub(crate) outbox: Outbox,
    pub(crate) orders: Consumer<Order>,
    pub(crate) returns: Producer<Return>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) stopping: Arc<AtomicBool>,
    /// What the stage cannot count.
    pub(crate) own: MediaStats,
}

impl MediaThread {
    /// Turns until it is told to stop.
    pub(crate) fn run(mut self) {
        let mut turn = self.clock.now_us() / TURN_US + 1;
        while !self.stopping.load(Ordering::Relaxed) {
            self.clock.sleep_until_us(turn * TURN_US);
            let begun_us = self.clock.now_us();
            turn = self.keep_up(turn, begun_us);
            self.turn(turn, begun_us);
            turn += 1;
        }
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
        self.take_orders();
        let MediaThread { stage, sockets, .. } = self;
        sockets.receive(|arrived| {
            let arrival_us = begun_us.saturating_sub(arrived.age_us);
            stage.receive(arrived.port, arrived.remote, arrival_us, arrived.bytes);
        });
        self.outbox.clear();
        self.stage.turn(turn, &mut self.outbox);
        self.own.send_errors += self.sockets.send(&self.outbox);
        self.hand_back();
        self.count(self.clock.now_us().saturating_sub(begun_us));
    }

    fn take_orders(&mut self) {
        for _ in 0..ORDERS_PER_TURN_MAX {
            // An order may bring a socket back and tell that another is deaf.
            if !self.stage.takes_cues() || self.returns.slots() < 2 {
                return;
            }
            let Ok(Order { cue, socket }) = self.orders.pop() else { return };
            if let Some((port, socket)) = socket {
                let (before, heard) = self.sockets.insert(port, socket);
                if let Some(before) = before {
                    self.give(Return::Socket(before));
                }
                if !heard {
                    self.give(Return::Deaf(port));
                }
            }
            self.stage.apply(cue);
        }
    }

    /// Hands reports and spent things back, as far as there is room.
    fn hand_back(&mut self) {
        while !self.returns.is_full() {
            let Some(report) = self.stage.next_report() else { break };
            self.give(Return::Report(report));
        }
        while !self.returns.is_full() {
            let Some(spent) = self.stage.next_spent() else { break };
            let socket = match &spent {
                Spent::Port(port, _) => self.sockets.remove(*port),
                Spent::Link(_) | Spent::Plan(_) | Spent::Mixer(_) | Spent::Tap(_) => None,
            };
            self.give(Return::Spent(spent, socket));
        }
    }

    /// The caller has made sure that there is room.
    fn give(&mut self, thing: Return) {
        let result = self.returns.push(thing);
        debug_assert!(result.is_ok(), "there is room for what is given back");
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

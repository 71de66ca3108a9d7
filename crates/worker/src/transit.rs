//! Legs on their way from one media thread to another.
//!
//! A conference is mixed by one thread, so a leg that goes over to another conference may have to
//! go to another thread. The one lets go of its port and its socket, both come back by the ring,
//! and the other takes them in: two turns or three, in which what comes waits in the socket.
//! Orders that concern the leg wait meanwhile.

use std::collections::BTreeMap;
use std::mem;

use media::{Port, Spent};
use model::{ConferenceId, LegId, MediaOrder};

use crate::clock::Clock;
use crate::limits::TRANSIT_ORDERS_MAX;
use crate::socket::Socket;
use crate::workers::Control;

/// The control side's part: orders that wait for their leg to arrive.
#[derive(Default)]
pub(crate) struct Transit(BTreeMap<LegId, Vec<MediaOrder>>);

impl Transit {
    /// Keeps an order whose leg is on its way. `None` says that it is not kept: its leg is where
    /// it belongs.
    pub(crate) fn keep(&mut self, order: &MediaOrder) -> Option<Result<(), String>> {
        let leg = match order {
            MediaOrder::Connect { leg, .. }
            | MediaOrder::Move { leg, .. }
            | MediaOrder::Press { leg, .. }
            | MediaOrder::Close { leg } => leg,
            MediaOrder::Open { .. }
            | MediaOrder::Route { .. }
            | MediaOrder::OpenTap { .. }
            | MediaOrder::CloseTap { .. }
            | MediaOrder::Play { .. }
            | MediaOrder::StopPlaying { .. }
            | MediaOrder::CloseConference { .. } => return None,
        };
        let waiting = self.0.get_mut(leg)?;
        if waiting.len() == TRANSIT_ORDERS_MAX {
            return Some(Err(format!("{leg} is on its way, and too much waits for it")));
        }
        waiting.push(order.clone());
        Some(Ok(()))
    }
}

/// What came back of legs on their way.
#[derive(Default)]
pub(crate) struct Travellers {
    ports: BTreeMap<LegId, Box<Port>>,
    /// By UDP port.
    sockets: BTreeMap<u16, Socket>,
}

impl Travellers {
    pub(crate) fn is_empty(&self) -> bool {
        self.ports.is_empty() && self.sockets.is_empty()
    }

    /// Whatever else is spent is dropped.
    pub(crate) fn take_port(&mut self, spent: Spent) {
        match spent {
            Spent::Departed(_, port) => {
                self.ports.insert(port.leg(), port);
            }
            Spent::Port(..)
            | Spent::Link(_)
            | Spent::Plan(_)
            | Spent::Mixer(_)
            | Spent::Announcement(_)
            | Spent::Tap(_) => {}
        }
    }

    /// Whatever does not travel is closed.
    pub(crate) fn take_socket(&mut self, socket: Socket) {
        if socket.travels {
            self.sockets.insert(socket.port, socket);
        }
    }
}

impl Control {
    /// Sends a leg to the thread of another conference.
    pub(crate) fn send_over(
        &mut self,
        clock: Clock,
        leg: LegId,
        (from, to): (usize, usize),
        conference: ConferenceId,
    ) -> Result<(), String> {
        let terms = self.desk(from).terms(leg).cloned();
        let expected = self.desk(to).expect(leg, conference, terms);
        let expected = expected.map_err(|error| error.to_string())?;
        let departs = self.desk(from).depart(leg).map_err(|error| error.to_string())?;
        if let Some(seated) = self.legs.get_mut(&leg) {
            seated.lane = to;
        }
        self.transit.0.insert(leg, Vec::new());
        self.send(clock, to, expected, None)?;
        self.send(clock, from, departs, None)
    }

    /// Lets those in of whom both port and socket are here; the others wait.
    pub(crate) fn land(&mut self, clock: Clock, travellers: &mut Travellers) {
        for (leg, port) in mem::take(&mut travellers.ports) {
            let Some(seated) = self.legs.get(&leg) else { continue };
            let lane = seated.lane;
            let Some(mut socket) = travellers.sockets.remove(&seated.port) else {
                travellers.ports.insert(leg, port);
                continue;
            };
            let landed = self.desk(lane).land(port).map_err(|error| error.to_string());
            let sent = landed.and_then(|(key, cue)| {
                socket.travels = false;
                self.send(clock, lane, cue, Some((key, socket)))
            });
            if let Err(error) = sent {
                tracing::error!(%leg, error, "a leg was lost on its way to another media thread");
            }
            for order in self.transit.0.remove(&leg).unwrap_or_default() {
                if let Err(error) = self.carry_out(clock, &order) {
                    tracing::warn!(%error, "an order to media was not carried out");
                }
            }
        }
    }
}

//! The media thread without its thread: orders in, datagrams in and out, a turn at a time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use media::{Clips, Desk, Music, Outbox, PortKey, Stage};
use model::limits::TAP_FRAMES_QUEUED_MAX;
use model::stats::MediaStats;
use model::{LegId, LocalMedia, MediaOrder, MediaReport, TapFrame, Track};

use crate::network::{Datagram, Kind};

pub struct Studio {
    desk: Desk,
    stage: Stage,
    outbox: Outbox,
    /// When its turns began: those of the world.
    started: Instant,
    addresses: BTreeMap<SocketAddr, LegId>,
    keys: BTreeMap<SocketAddr, PortKey>,
    next_port: u16,
    /// What the recorders are given.
    rings: BTreeMap<Track, rtrb::Consumer<TapFrame>>,
}

impl Studio {
    pub fn new(seed: u64, started: Instant, clips: Clips) -> Studio {
        Studio {
            desk: Desk::with_clips(seed, clips),
            stage: Stage::new(Music::house()),
            outbox: Outbox::new(),
            started,
            addresses: BTreeMap::new(),
            keys: BTreeMap::new(),
            next_port: 20_000,
            rings: BTreeMap::new(),
        }
    }

    /// Carries out an order; gives what the shell would report at once.
    pub fn order(&mut self, order: MediaOrder) -> Vec<MediaReport> {
        let cue = if let MediaOrder::OpenTap { conference, recording, track, rate } = &order {
            let (producer, consumer) = rtrb::RingBuffer::new(TAP_FRAMES_QUEUED_MAX);
            self.rings.insert(*track, consumer);
            self.desk.open_tap(*conference, *recording, *rate, producer)
        } else {
            self.desk.compile(&order)
        };
        self.stage.apply(cue.expect("an order can be carried out"));
        while let Some(spent) = self.stage.next_spent() {
            drop(spent);
        }
        match order {
            MediaOrder::Open { leg, local, .. } => {
                let rtp = SocketAddr::new(local, self.next_port);
                self.next_port += 2;
                self.addresses.insert(rtp, leg);
                self.keys.insert(rtp, self.desk.port(leg).expect("an opened leg has a port"));
                vec![MediaReport::Opened { leg, local: LocalMedia { rtp } }]
            }
            MediaOrder::Close { leg } => {
                let closed = self.addresses.iter().find(|(_, open)| **open == leg);
                if let Some(address) = closed.map(|(address, _)| *address) {
                    self.addresses.remove(&address);
                    self.keys.remove(&address);
                }
                vec![]
            }
            MediaOrder::Connect { .. }
            | MediaOrder::Move { .. }
            | MediaOrder::Route { .. }
            | MediaOrder::OpenTap { .. }
            | MediaOrder::CloseTap { .. }
            | MediaOrder::Play { .. }
            | MediaOrder::StopPlaying { .. }
            | MediaOrder::Press { .. }
            | MediaOrder::CloseConference { .. } => vec![],
        }
    }

    pub fn receive(&mut self, to: SocketAddr, from: SocketAddr, at: Instant, bytes: &[u8]) {
        let Some(key) = self.keys.get(&to) else { return };
        let arrival_us = at.saturating_duration_since(self.started).as_micros() as u64;
        self.stage.receive(*key, from, arrival_us, bytes);
    }

    /// Renders a turn; gives what it sends.
    pub fn turn(&mut self, turn: u64) -> Vec<Datagram> {
        self.outbox.clear();
        self.stage.turn(turn, &mut self.outbox);
        while let Some(spent) = self.stage.next_spent() {
            drop(spent);
        }
        let from: BTreeMap<PortKey, SocketAddr> =
            self.keys.iter().map(|(address, key)| (*key, *address)).collect();
        self.outbox
            .iter()
            .filter_map(|sent| {
                let from = *from.get(&sent.port)?;
                let bytes = sent.bytes.to_vec();
                Some(Datagram { kind: Kind::Audio, from, to: sent.remote, bytes })
            })
            .collect()
    }

    pub fn reports(&mut self) -> Vec<MediaReport> {
        std::iter::from_fn(|| self.stage.next_report()).collect()
    }

    /// What media counted.
    pub fn stats(&self) -> MediaStats {
        *self.stage.stats()
    }

    pub fn ports_open(&self) -> usize {
        self.keys.len()
    }

    /// What the mix's recorder was given since any was asked last.
    pub fn take_mix(&mut self) -> Vec<i16> {
        self.take_recorded().remove(&Track::Mix).unwrap_or_default()
    }

    /// What each recorder was given since it was asked last.
    pub fn take_recorded(&mut self) -> BTreeMap<Track, Vec<i16>> {
        self.rings.retain(|_, frames| !frames.is_empty() || !frames.is_abandoned());
        let rings = self.rings.iter_mut();
        rings
            .map(|(track, frames)| {
                let mut samples = Vec::new();
                while let Ok(frame) = frames.pop() {
                    samples.extend_from_slice(&frame.samples[..320]);
                }
                (*track, samples)
            })
            .collect()
    }
}

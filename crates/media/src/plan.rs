//! A routing made ready to be played: groups have become indexes, sums and encoders have their
//! memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use audio::mix;
use model::profile::Ringback;
use model::routing::TapPlace;
use model::{AnnouncementId, EarGroup, LegId, RecordingId, Routing, VoiceGroup};

use crate::announcer::{Announcer, Ringer};
use crate::crowd::Crowd;
use crate::limits::TICK_MS;
use crate::link::Link;
use crate::music::Music;
use crate::rate::{Rate, forwards, has_memory};
use crate::recipe::Recipe;
use crate::stage::{PortKey, Ports};
use crate::voice::{SharedVoice, VoiceKey};

/// One leg as the plan's maker knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat {
    pub(crate) leg: LegId,
    pub(crate) port: PortKey,
    pub(crate) recipe: Recipe,
    pub(crate) ptime_ms: u16,
}

/// One leg in the plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) port: PortKey,
    pub(crate) leg: LegId,
    pub(crate) ear: u16,
    pub(crate) voice: Option<u16>,
    /// How loud it would hear itself, in Q15.
    pub(crate) own_gain: u16,
    /// The routing knows it; else it hears nobody and nobody hears it.
    pub(crate) has_place: bool,
    pub(crate) bus: u16,
    /// Whether its codec is one in which every frame follows from those before it.
    pub(crate) memory: bool,
    /// Whether its far end has no wishes that others' encoders do not know.
    takes_payloads: bool,
    /// None if its packets are longer than a tick.
    pub(crate) shared: Option<u16>,
    pub(crate) wanted: Wanted,
}

impl Member {
    /// Whether it may be given the payloads of whoever it hears alone.
    pub(crate) fn takes_payloads(&self, link: &Link) -> bool {
        self.takes_payloads && forwards(link.terms.codec)
    }
}

/// Whether somebody hears a leg, and how.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted {
    pub(crate) heard: bool,
    /// Whether it is brought near the usual loudness.
    pub(crate) levelled: bool,
    pub(crate) rates: [bool; Rate::COUNT],
}

impl Wanted {
    /// What either wants.
    pub(crate) fn or(self, other: Wanted) -> Wanted {
        let rates = Rate::ALL.map(|r| self.rates[r.index()] || other.rates[r.index()]);
        let levelled = self.levelled || other.levelled;
        Wanted { heard: self.heard || other.heard, levelled, rates }
    }
}

/// Those who hear alike.
#[derive(Debug)]
pub(crate) struct Ear {
    /// None hears nothing.
    pub(crate) group: Option<EarGroup>,
    rows: Range<usize>,
    music_gain: u16,
    ringback_gain: u16,
    announced: Range<usize>,
    /// The bus of each rate.
    pub(crate) buses: [Option<u16>; Rate::COUNT],
    /// Where most of its members stood in the plan before; none is nowhere.
    pub(crate) from: Option<u16>,
    votes: u32,
}

/// A row of the table: voice group and gain in Q15.
#[derive(Debug, Clone, Copy)]
struct Row {
    voice: u16,
    gain: u16,
}

/// An announcement that an ear group hears, at a gain in Q15.
#[derive(Debug, Clone, Copy)]
struct Announced {
    announcement: AnnouncementId,
    gain: u16,
}

/// What is heard that no leg says.
pub(crate) struct Sounds<'a> {
    pub(crate) music: &'a Music,
    pub(crate) ringer: &'a Ringer,
    pub(crate) announcer: &'a Announcer,
}

#[derive(Debug, Default)]
struct Sum {
    samples: Box<[i32]>,
    live: bool,
}

/// Those who are heard alike: their sum, at each rate at which somebody hears them.
#[derive(Debug)]
struct Voices {
    wanted: Wanted,
    crowd: Crowd,
    sums: [Sum; Rate::COUNT],
}

/// What an ear group hears, at one rate, with nobody's own voice taken out.
#[derive(Debug)]
pub(crate) struct Bus {
    ear: u16,
    pub(crate) rate: Rate,
    pub(crate) sum: Box<[i32]>,
    pub(crate) silent: bool,
    /// Who sounds in it.
    pub(crate) crowd: Crowd,
}

/// A routing, ready.
#[derive(Default)]
pub struct Plan {
    pub(crate) members: Vec<Member>,
    pub(crate) ears: Vec<Ear>,
    rows: Vec<Row>,
    announced: Vec<Announced>,
    ringback: Ringback,
    /// In which tick it began to ring for somebody.
    rings_since: Option<u64>,
    voices: Vec<Voices>,
    pub(crate) buses: Vec<Bus>,
    /// By key.
    pub(crate) shared: Vec<SharedVoice>,
    taps: Vec<(RecordingId, u16)>,
}

impl Plan {
    /// Makes everything that the plan needs in a tick.
    pub(crate) fn compile(routing: &Routing, seats: &[Seat], taps: &[(RecordingId, Rate)]) -> Plan {
        let taps = taps_heard(&routing.taps, taps);
        let ear_of = |leg| routing.place(leg).and_then(|place| place.ear);
        let voice_of = |leg| routing.place(leg).and_then(|place| place.voice);
        let gains: BTreeMap<(EarGroup, VoiceGroup), u16> =
            routing.hears.iter().map(|row| ((row.ear, row.voice), row.gain.0)).collect();

        let seat_buses =
            seats.iter().map(|seat| (ear_of(seat.leg), Rate::of_codec(seat.recipe.codec)));
        let tap_buses = taps.iter().map(|(_, rate, ear)| (Some(*ear), *rate));
        let buses = indexed(seat_buses.chain(tap_buses));
        let ears = indexed(buses.keys().map(|(ear, _)| *ear));
        let voices = indexed(seats.iter().filter_map(|seat| voice_of(seat.leg)));
        let shared = indexed(seats.iter().filter_map(|seat| voice_key(seat, ear_of(seat.leg))));

        let mut plan = Plan { ringback: routing.ringback, ..Plan::default() };
        let announcements = routing.announcements.iter();
        let announcements = announcements.map(|place| (place.voice, place.announcement)).collect();
        plan.add_ears(&ears, (&voices, &announcements), &gains);
        plan.add_buses(&ears, &buses);
        plan.add_voices(voices.len());
        plan.shared = shared.keys().map(|key| SharedVoice::new(*key)).collect();
        plan.members = seats
            .iter()
            .map(|seat| {
                let (ear, voice) = (ear_of(seat.leg), voice_of(seat.leg));
                let own_gain = ear.zip(voice).and_then(|pair| gains.get(&pair)).copied();
                let voice_index = voice.map(|voice| voices[&voice]);
                let voices = voice_index.map(|index| &plan.voices[usize::from(index)]);
                Member {
                    port: seat.port,
                    leg: seat.leg,
                    ear: ears[&ear],
                    voice: voice_index,
                    wanted: Wanted {
                        levelled: routing.automatic_gain,
                        ..voices.map(|voices| voices.wanted).unwrap_or_default()
                    },
                    own_gain: own_gain.unwrap_or(0),
                    has_place: ear.is_some() || voice.is_some(),
                    bus: buses[&(ear, Rate::of_codec(seat.recipe.codec))],
                    memory: has_memory(seat.recipe.codec),
                    takes_payloads: seat.recipe.takes_payloads(),
                    shared: voice_key(seat, ear).map(|key| shared[&key]),
                }
            })
            .collect();
        plan.taps = taps.iter().map(|(id, _, ear)| (*id, ears[&Some(*ear)])).collect();
        plan
    }

    fn add_ears(
        &mut self,
        ears: &BTreeMap<Option<EarGroup>, u16>,
        (voices, announcements): (
            &BTreeMap<VoiceGroup, u16>,
            &BTreeMap<VoiceGroup, AnnouncementId>,
        ),
        gains: &BTreeMap<(EarGroup, VoiceGroup), u16>,
    ) {
        for group in ears.keys().copied() {
            let (start, first) = (self.rows.len(), self.announced.len());
            let (mut music_gain, mut ringback_gain) = (0, 0);
            if let Some(ear) = group {
                let all = (ear, VoiceGroup(0))..=(ear, VoiceGroup::MUSIC);
                for ((_, voice), gain) in gains.range(all).filter(|(_, gain)| **gain > 0) {
                    if *voice == VoiceGroup::MUSIC {
                        music_gain = *gain;
                    } else if *voice == VoiceGroup::RINGBACK {
                        ringback_gain = *gain;
                    } else if let Some(announcement) = announcements.get(voice) {
                        let announced = Announced { announcement: *announcement, gain: *gain };
                        self.announced.push(announced);
                    } else if let Some(voice) = voices.get(voice) {
                        self.rows.push(Row { voice: *voice, gain: *gain });
                    }
                }
            }
            let rows = start..self.rows.len();
            self.ears.push(Ear {
                group,
                rows,
                music_gain,
                ringback_gain,
                announced: first..self.announced.len(),
                buses: [None; Rate::COUNT],
                from: None,
                votes: 0,
            });
        }
    }

    fn add_buses(
        &mut self,
        ears: &BTreeMap<Option<EarGroup>, u16>,
        buses: &BTreeMap<(Option<EarGroup>, Rate), u16>,
    ) {
        for ((group, rate), index) in buses {
            let ear = ears[group];
            self.ears[usize::from(ear)].buses[rate.index()] = Some(*index);
            let sum = vec![0; rate.per_tick()].into_boxed_slice();
            let crowd = Crowd::NOBODY;
            self.buses.push(Bus { ear, rate: *rate, sum, silent: true, crowd });
        }
    }

    fn add_voices(&mut self, count: usize) {
        self.voices.resize_with(count, || Voices {
            wanted: Wanted::default(),
            crowd: Crowd::NOBODY,
            sums: Default::default(),
        });
        for ear in &self.ears {
            for row in &self.rows[ear.rows.clone()] {
                let voices = &mut self.voices[usize::from(row.voice)];
                voices.wanted.heard = true;
                for rate in Rate::ALL {
                    voices.wanted.rates[rate.index()] |= ear.buses[rate.index()].is_some();
                }
            }
        }
        for voices in &mut self.voices {
            for rate in Rate::ALL.into_iter().filter(|rate| voices.wanted.rates[rate.index()]) {
                voices.sums[rate.index()].samples = vec![0; rate.per_tick()].into_boxed_slice();
            }
        }
    }

    /// What an ear hears at a rate.
    pub(crate) fn bus(&self, ear: Option<u16>, rate: Rate) -> Option<&Bus> {
        let index = self.ears[usize::from(ear?)].buses[rate.index()]?;
        Some(&self.buses[usize::from(index)])
    }

    /// Whether somebody hears an announcement.
    pub(crate) fn announces(&self, announcement: AnnouncementId) -> bool {
        self.announced.iter().any(|announced| announced.announcement == announcement)
    }

    /// Where a recorder listens.
    pub(crate) fn tap_ear(&self, recording: RecordingId) -> Option<u16> {
        self.taps.iter().find(|(id, _)| *id == recording).map(|(_, ear)| *ear)
    }

    /// Sums the frames of those who sounded, once for each rate at which they are heard.
    pub(crate) fn sum(&mut self, ports: &Ports, tick: u64, sounds: &Sounds<'_>) {
        for voices in &mut self.voices {
            voices.crowd = Crowd::NOBODY;
            for sum in &mut voices.sums {
                sum.live = false;
            }
        }
        for member in &self.members {
            let Some(voice) = member.voice else { continue };
            let Some(link) = ports.link(member.port, member.leg) else { continue };
            if !link.sounding() {
                continue;
            }
            let voices = &mut self.voices[usize::from(voice)];
            voices.crowd.add(member.port, member.leg);
            for rate in Rate::ALL.into_iter().filter(|rate| voices.wanted.rates[rate.index()]) {
                let sum = &mut voices.sums[rate.index()];
                if !sum.live {
                    sum.samples.fill(0);
                    sum.live = true;
                }
                mix::add(&mut sum.samples, link.frame(rate));
            }
        }
        self.sum_buses(tick, sounds);
    }

    fn sum_buses(&mut self, tick: u64, sounds: &Sounds<'_>) {
        for bus in &mut self.buses {
            let ear = &self.ears[usize::from(bus.ear)];
            if !bus.silent {
                bus.sum.fill(0);
                bus.silent = true;
            }
            bus.crowd = Crowd::NOBODY;
            for row in &self.rows[ear.rows.clone()] {
                let voices = &self.voices[usize::from(row.voice)];
                bus.crowd.join(&voices.crowd, row.gain);
                let sum = &voices.sums[bus.rate.index()];
                if sum.live {
                    add_sum(&mut bus.sum, &sum.samples, row.gain);
                    bus.silent = false;
                }
            }
            if ear.music_gain > 0 {
                sounds.music.add(bus.rate, tick, &mut bus.sum, ear.music_gain);
                bus.crowd.join_music();
                bus.silent = false;
            }
            if ear.ringback_gain > 0 {
                let ticks = tick - self.rings_since.unwrap_or(tick);
                let (sum, gain) = (&mut bus.sum, ear.ringback_gain);
                bus.silent &= !sounds.ringer.add(self.ringback, bus.rate, ticks, sum, gain);
                bus.crowd.join_music();
            }
            for announced in &self.announced[ear.announced.clone()] {
                let Announced { announcement, gain } = *announced;
                let sum = &mut bus.sum;
                bus.silent &= !sounds.announcer.add(announcement, bus.rate, sum, gain);
                bus.crowd.join_music();
            }
        }
    }

    /// Whether it rings for somebody.
    fn rings(&self) -> bool {
        self.ears.iter().any(|ear| ear.ringback_gain > 0)
    }

    /// Takes over the shared voices of the plan that played, and finds out where the members of
    /// each ear group stood in it. It plays from this tick on.
    pub(crate) fn succeed(&mut self, before: &mut Plan, ports: &Ports, tick: u64) {
        self.rings_since = self.rings().then(|| before.rings_since.unwrap_or(tick));
        let mut old = before.shared.iter_mut().peekable();
        for voice in &mut self.shared {
            while old.next_if(|other| other.key < voice.key).is_some() {}
            if let Some(other) = old.next_if(|other| other.key == voice.key) {
                voice.take_over(other);
            }
        }
        // The majority vote of Boyer and Moore: one pass, no memory. Without a majority any does.
        for member in &self.members {
            let Some(link) = ports.link(member.port, member.leg) else { continue };
            let stood = link.standing.map(|standing| standing.ear);
            let ear = &mut self.ears[usize::from(member.ear)];
            if ear.votes == 0 {
                ear.from = stood;
                ear.votes = 1;
            } else if ear.from == stood {
                ear.votes += 1;
            } else {
                ear.votes -= 1;
            }
        }
    }
}

/// The recorders that are there and have a place: which, at which rate, with whose ear.
fn taps_heard(
    places: &[TapPlace],
    taps: &[(RecordingId, Rate)],
) -> Vec<(RecordingId, Rate, EarGroup)> {
    let place = |id: &RecordingId| places.iter().find(|place| place.recording == *id);
    taps.iter().filter_map(|(id, rate)| place(id).map(|place| (*id, *rate, place.ear))).collect()
}

/// With whom a leg shares its payloads; with nobody if its packets are longer than a tick.
fn voice_key(seat: &Seat, ear: Option<EarGroup>) -> Option<VoiceKey> {
    let ptime_ms = u64::from(seat.ptime_ms);
    let key = VoiceKey { ear, recipe: seat.recipe, halves: ptime_ms < TICK_MS };
    (ptime_ms <= TICK_MS).then_some(key)
}

/// Numbers things in their order. There are never more than legs and taps, which fit 16 bits.
fn indexed<T: Ord>(things: impl Iterator<Item = T>) -> BTreeMap<T, u16> {
    let things: BTreeSet<T> = things.collect();
    things.into_iter().zip(0..).collect()
}

/// Adds a sum to a sum at a gain in Q15.
fn add_sum(bus: &mut [i32], sum: &[i32], gain_q15: u16) {
    if gain_q15 == 1 << 15 {
        for (total, value) in bus.iter_mut().zip(sum) {
            *total += value;
        }
    } else {
        for (total, value) in bus.iter_mut().zip(sum) {
            *total += ((i64::from(*value) * i64::from(gain_q15) + (1 << 14)) >> 15) as i32;
        }
    }
}

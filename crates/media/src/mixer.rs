//! One conference, one tick: hear, sum, give, tap.

use std::collections::VecDeque;
use std::hint::black_box;
use std::ops::Range;

use audio::{Encoder, limiter, mix};
use model::limits::{TAP_SAMPLES_MAX, TAPS_PER_CONFERENCE_MAX};
use model::{AnnouncementId, Codec, RecordingId};

use crate::announcer::{Announcement, Announcer, Ringer};
use crate::carried::Carried;
use crate::cue::Spent;
use crate::ledger::Ledger;
use crate::limits::{PAYLOAD_BYTES_MAX, PRIVATE_TICKS, RAMP_MS, SPENT_QUEUED_MAX, TOUCHED_LEGS};
use crate::link::{Link, Standing};
use crate::music::Music;
use crate::outbox::Outbox;
use crate::outgoing::Sender;
use crate::plan::{Bus, Ear, Member, Plan, Sounds};
use crate::playout::Parcel;
use crate::port::Port;
use crate::rate::{Rate, has_memory, lands};
use crate::recipe::Recipe;
use crate::stage::{PortKey, Ports};
use crate::tap::Tap;
use crate::voice::SharedVoice;
use crate::way::{self, Given};

/// One conference's mixer.
pub struct Mixer {
    /// In which turn of a tick it is rendered.
    pub(crate) phase: u64,
    plan: Box<Plan>,
    /// Takes the plan's place at the next tick.
    next: Option<Box<Plan>>,
    #[expect(clippy::vec_box, reason = "to take a tap out of its box would free in a tick")]
    taps: Vec<Box<Tap>>,
    announcer: Announcer,
    /// Whether anybody heard a mix in the last tick: if not, nobody's samples were needed.
    mixes: bool,
}

/// What a mixer works with in a tick.
pub(crate) struct Floor<'a> {
    pub(crate) ports: &'a mut Ports,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) music: &'a Music,
    pub(crate) ringer: &'a Ringer,
    pub(crate) scratch: &'a mut Scratch,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) spent: &'a mut VecDeque<Spent>,
    pub(crate) now_us: u64,
}

impl Floor<'_> {
    /// What a listener heard at last, if that was no encoder of this mixer but now is one: so many
    /// samples in `pcm`.
    fn past(&mut self, member: &Member) -> Option<usize> {
        let link = self.ports.link(member.port, member.leg)?;
        let way = &link.voice.way;
        if !member.takes_payloads(link) || way.given != Given::Mix || link.voice.active.is_some() {
            return None;
        }
        let samples = link.rate().per_tick();
        let speaker = match way.before {
            Given::Own(port, leg) => self.ports.link(port, leg),
            Given::Mix | Given::Silence => None,
        };
        let past = &mut self.scratch.pcm[..samples];
        match speaker.map(Link::past).filter(|spoken| spoken.len() == samples) {
            Some(spoken) => past.copy_from_slice(spoken),
            None => past.fill(0),
        }
        Some(samples)
    }

    /// What a listener is given in this tick; somebody's own payload is fetched.
    fn given(&mut self, member: &Member, tick: u64) -> Given {
        let link = self.ports.link(member.port, member.leg).filter(|_| member.memory);
        let Some(link) = link else { return Given::Mix };
        let given = link.voice.way.given;
        if let Given::Own(port, leg) = given {
            self.scratch.carried.fetch(tick, (port, leg), self.ports);
        }
        given
    }
}

/// Room for one listener's frame on its way.
pub(crate) struct Scratch {
    sum: [i32; TAP_SAMPLES_MAX],
    old: [i32; TAP_SAMPLES_MAX],
    pcm: [i16; TAP_SAMPLES_MAX],
    carried: Carried,
    /// A payload of silence that needs no memory.
    silence: Vec<u8>,
}

/// What an Opus encoder makes of silence when nothing may be remembered. The first frames of an
/// encoder are longer.
fn opus_silence() -> Vec<u8> {
    let encoder = Encoder::new(Recipe::plain(Codec::Opus).settings());
    // As with any other memory, there is no going on without it.
    let mut encoder = encoder.expect("the settings are our own, so only memory can be missing");
    let mut payload = vec![0; PAYLOAD_BYTES_MAX];
    let mut length = 0;
    for _ in 0..PRIVATE_TICKS {
        encoder.land_next();
        length = encoder.encode(&[0; TAP_SAMPLES_MAX], &mut payload);
    }
    payload.truncate(length);
    payload
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        Scratch {
            sum: [0; TAP_SAMPLES_MAX],
            old: [0; TAP_SAMPLES_MAX],
            pcm: [0; TAP_SAMPLES_MAX],
            carried: Carried::nothing(),
            silence: opus_silence(),
        }
    }

    fn load(&mut self, bus: Option<&Bus>, samples: usize) {
        load(&mut self.sum[..samples], bus);
    }

    fn load_old(&mut self, bus: Option<&Bus>, samples: usize) {
        load(&mut self.old[..samples], bus);
    }

    /// Goes from what was heard before to what is heard from now on.
    fn fade(&mut self, rate: Rate) {
        let samples = rate.per_tick();
        mix::crossfade(&self.old[..samples], &mut self.sum[..samples], RAMP_MS * rate.per_ms());
    }

    /// Limits last, and without memory, so that all who hear the same get the same. A sum that is
    /// `plain` is one voice as it came, which the limiter would bend where it is loud.
    fn limited(&mut self, samples: usize, plain: bool) -> &[i16] {
        let (sum, pcm) = (&self.sum[..samples], &mut self.pcm[..samples]);
        if plain {
            for (sample, value) in pcm.iter_mut().zip(sum) {
                *sample = *value as i16;
            }
        } else {
            limiter::limit(sum, pcm);
        }
        pcm
    }

    /// What one listener hears, its own voice taken out.
    fn without_own(
        &mut self,
        plan: &Plan,
        before: Option<&Plan>,
        member: &Member,
        link: &Link,
    ) -> &[i16] {
        let (rate, own) = (link.rate(), link.frame(link.rate()));
        let samples = rate.per_tick();
        self.load(plan.bus(Some(member.ear), rate), samples);
        if link.sounding() && member.own_gain > 0 {
            mix::subtract_scaled(&mut self.sum[..samples], own, member.own_gain);
        }
        if let Some(before) = before {
            let bus = before.bus(link.standing.map(|standing| standing.ear), rate);
            self.load_old(bus, samples);
            let own_gain = link.standing.map_or(0, |standing| standing.own_gain);
            // Without a bus there was nothing that the own voice could be in.
            if link.sounding() && own_gain > 0 && bus.is_some() {
                mix::subtract_scaled(&mut self.old[..samples], own, own_gain);
            }
            self.fade(rate);
        }
        let crowd = plan.bus(Some(member.ear), rate).map(|bus| way::without(bus, member, link));
        let plain = before.is_none() && crowd.is_some_and(|crowd| crowd.is_plain());
        self.limited(samples, plain)
    }
}

fn load(out: &mut [i32], bus: Option<&Bus>) {
    match bus {
        Some(bus) => out.copy_from_slice(&bus.sum),
        None => out.fill(0),
    }
}

impl Mixer {
    /// A mixer in which nobody is.
    pub(crate) fn new(phase: u64) -> Mixer {
        let taps = Vec::with_capacity(TAPS_PER_CONFERENCE_MAX);
        let announcer = Announcer::default();
        Mixer { phase, plan: Box::default(), next: None, taps, announcer, mixes: true }
    }

    /// Reads ahead for some of the members: see [`Port::touch`].
    pub(crate) fn touch(&self, members: Range<usize>, ports: &Ports) {
        touch(&self.plan, members, ports);
    }

    /// Sets the plan from the next tick on, and returns the one that never played.
    pub(crate) fn route(&mut self, plan: Box<Plan>) -> Option<Box<Plan>> {
        self.next.replace(plan)
    }

    /// Lets a recorder in; back it comes if there are too many.
    pub(crate) fn open_tap(&mut self, tap: Box<Tap>) -> Option<Box<Tap>> {
        if self.taps.len() == TAPS_PER_CONFERENCE_MAX {
            return Some(tap);
        }
        self.taps.push(tap);
        None
    }

    /// Takes a recorder out.
    pub(crate) fn close_tap(&mut self, recording: RecordingId) -> Option<Box<Tap>> {
        let place = self.taps.iter().position(|tap| tap.recording == recording)?;
        Some(self.taps.swap_remove(place))
    }

    /// Lets an announcement in; back it comes if there are too many.
    pub(crate) fn play(&mut self, announcement: Box<Announcement>) -> Option<Box<Announcement>> {
        self.announcer.play(announcement)
    }

    /// An announcement goes when nobody hears it any more.
    pub(crate) fn stop_playing(&mut self, announcement: AnnouncementId) {
        self.announcer.stop(announcement);
    }

    /// A leg goes to another mixer, where its next frame is heard. It is not heard here again.
    pub(crate) fn let_out(&mut self, key: PortKey, port: &mut Port) {
        let stays = |member: &Member| (member.port, member.leg) != (key, port.leg);
        self.plan.members.retain(stays);
        if let Some(next) = &mut self.next {
            next.members.retain(stays);
        }
        port.step_out(&self.plan.shared);
    }

    /// Makes it fail in its next tick, as a bug would.
    #[cfg(test)]
    pub(crate) fn spoil(&mut self) {
        self.plan.members[0].ear = u16::MAX;
    }

    /// The conference is over: nobody is heard any more.
    pub(crate) fn dismiss(&self, ports: &mut Ports) {
        for member in &self.plan.members {
            if let Some(port) = ports.port_mut(member.port, member.leg) {
                port.plays = false;
            }
        }
    }

    /// Renders one tick.
    pub(crate) fn render(&mut self, tick: u64, floor: &mut Floor<'_>) {
        let room = floor.spent.len() < SPENT_QUEUED_MAX;
        let next = self.next.take_if(|_| room);
        self.announcer.begin(next.as_ref().unwrap_or(&self.plan));
        let Floor { music, ringer, .. } = *floor;
        let sounds = Sounds { music, ringer, announcer: &self.announcer };
        match next {
            None => {
                let needed = self.mixes || !self.taps.is_empty();
                let passes = !needed && !hear_all_but_passed(&self.plan, tick, floor);
                hear(&self.plan, None, tick, passes, floor);
                self.plan.sum(floor.ports, tick, &sounds);
                self.mixes = choose_encoders(&mut self.plan, None, tick, floor);
                give(&mut self.plan, None, tick, floor);
                tap(&mut self.taps, &self.plan, None, tick, floor);
            }
            Some(mut next) => {
                next.succeed(&mut self.plan, floor.ports, tick);
                hear(&next, Some(&self.plan), tick, false, floor);
                self.plan.sum(floor.ports, tick, &sounds);
                next.sum(floor.ports, tick, &sounds);
                self.mixes = choose_encoders(&mut next, Some(&self.plan), tick, floor);
                give(&mut next, Some(&self.plan), tick, floor);
                tap(&mut self.taps, &next, Some(&self.plan), tick, floor);
                step_over(&self.plan, &next, floor.ports);
                floor.spent.push_back(Spent::Plan(std::mem::replace(&mut self.plan, next)));
            }
        }
        self.announcer.step(&self.plan, floor.ledger, floor.spent);
    }
}

fn touch(plan: &Plan, members: Range<usize>, ports: &Ports) {
    let end = members.end.min(plan.members.len());
    let members = plan.members.get(members.start..end).unwrap_or_default();
    let words = members.iter().map(|member| ports.touch(member.port));
    black_box(words.fold(0, |all, word| all ^ word));
}

/// Plays the frames of all whose payloads are not passed on. Returns whether somebody began to
/// sound, who may have to be mixed with those.
fn hear_all_but_passed(plan: &Plan, tick: u64, floor: &mut Floor<'_>) -> bool {
    let time = (tick, floor.now_us);
    let mut joins = false;
    for member in &plan.members {
        let link = floor.ports.link_mut(member.port, member.leg);
        let Some(link) = link.filter(|link| !link.may_pass()) else { continue };
        let sounded = link.sounding();
        link.hear(member.leg, time, member.wanted, false, floor.ledger);
        joins |= link.sounding() && !sounded;
    }
    joins
}

/// Plays each leg's frame, or lets payloads that are only passed on go by if it `passes` them. In
/// the tick in which the plan changes, those who left are heard a last time.
fn hear(plan: &Plan, before: Option<&Plan>, tick: u64, passes: bool, floor: &mut Floor<'_>) {
    let time = (tick, floor.now_us);
    for (index, member) in plan.members.iter().enumerate() {
        if index % TOUCHED_LEGS == 0 && index > 0 {
            touch(plan, index..index + TOUCHED_LEGS, floor.ports);
        }
        let Some(link) = floor.ports.link_mut(member.port, member.leg) else { continue };
        let old = link.standing.filter(|_| before.is_some());
        let wanted = member.wanted.or(old.map(|old| old.wanted).unwrap_or_default());
        link.hear(member.leg, time, wanted, passes, floor.ledger);
    }
    for member in before.into_iter().flat_map(|before| &before.members) {
        if let Some(link) = floor.ports.link_mut(member.port, member.leg) {
            link.hear(member.leg, time, member.wanted, false, floor.ledger);
        }
    }
}

/// Decides who needs a voice of its own, before any encoder works. Codecs without memory have time
/// until then. Returns whether anybody hears a mix.
fn choose_encoders(
    plan: &mut Plan,
    before: Option<&Plan>,
    tick: u64,
    floor: &mut Floor<'_>,
) -> bool {
    let mut mixes = false;
    for index in 0..plan.members.len() {
        let member = plan.members[index];
        if !member.memory || floor.ports.is_served(member.port, member.leg, tick) {
            mixes = true;
            continue;
        }
        mixes |= way::decide(floor.ports, &member, plan, before);
        let past = floor.past(&member);
        let Some(link) = floor.ports.link_mut(member.port, member.leg) else { continue };
        match link.voice.way.given {
            Given::Mix => {
                let past = past.map(|samples| &floor.scratch.pcm[..samples]);
                choose(link, &member, before, plan, (tick, past, floor.ledger));
            }
            Given::Own(..) | Given::Silence => link.voice.active = None,
        }
    }
    mixes
}

/// The tick in which the plan changes, as one listener's ear group sees it.
struct Moved<'a> {
    before: &'a Plan,
    ear: &'a Ear,
}

impl Moved<'_> {
    /// Whether a listener stood elsewhere than most of those with whom it hears from now on.
    fn apart(&self, standing: Option<Standing>) -> bool {
        standing.map(|standing| standing.ear) != self.ear.from
    }

    /// Whether a listener was in another ear group, or in none.
    fn elsewhere(&self, standing: Option<Standing>) -> bool {
        standing.is_none_or(|standing| {
            self.before.ears[usize::from(standing.ear)].group != self.ear.group
        })
    }

    /// The shared voice that a listener heard. If it goes on in the next plan its memory is there.
    fn voice(&self, link: &Link, next: &[SharedVoice]) -> Option<Heard<'_>> {
        let heard = &self.before.shared[usize::from(link.standing?.shared?)];
        let place = next.binary_search_by_key(&heard.key, |voice| voice.key);
        Some(place.map_or(Heard::Gone(heard), Heard::GoesOn))
    }
}

/// A shared voice of the plan before.
enum Heard<'a> {
    /// It is the one of this index in the next plan.
    GoesOn(usize),
    /// It is in no plan any more.
    Gone(&'a SharedVoice),
}

/// Decides whether a listener gets a payload of its own in this tick, and lets the far decoder
/// land where the encoder changes.
fn choose(
    link: &mut Link,
    member: &Member,
    before: Option<&Plan>,
    plan: &mut Plan,
    (tick, past, ledger): (u64, Option<&[i16]>, &mut Ledger),
) {
    let Plan { ears, shared, .. } = plan;
    let moved = before.map(|before| Moved { before, ear: &ears[usize::from(member.ear)] });
    let codec = link.terms.codec;
    let own = link.sounding() && member.own_gain > 0;
    let own_before = link.sounding() && link.standing.is_some_and(|standing| standing.own_gain > 0);
    let fades_apart = moved.as_ref().is_some_and(|moved| own_before || moved.apart(link.standing));
    let elsewhere = moved.as_ref().is_some_and(|moved| moved.elsewhere(link.standing));
    // What a decoder cannot land on it is led to: its own encoder goes on until the states are one.
    let led = !lands(codec) && (elsewhere || link.voice.active.is_none());
    if own && has_memory(codec) || led {
        link.voice.until = tick + PRIVATE_TICKS;
    }
    if link.pressing.sounds(&link.terms) {
        // Nobody else hears the tones, nor the encoder that makes them.
        link.voice.until = tick + PRIVATE_TICKS;
    }
    let private = own || fades_apart || tick < link.voice.until || member.shared.is_none();
    if has_memory(codec) {
        let heard = moved.as_ref().and_then(|moved| moved.voice(link, shared));
        let target = member.shared.map(usize::from);
        switch(link, (private, elsewhere), heard, target, shared, (tick, past, ledger));
    }
    link.voice.active = Some(private);
}

/// Lets an encoder with memory go on where the one stopped that the far end heard.
fn switch(
    link: &mut Link,
    (private, elsewhere): (bool, bool),
    heard: Option<Heard<'_>>,
    target: Option<usize>,
    shared: &mut [SharedVoice],
    (tick, past, ledger): (u64, Option<&[i16]>, &mut Ledger),
) {
    match (link.voice.active, private, target) {
        (Some(true), true, _) | (_, false, None) => {}
        (None, true, _) => link.voice.land(past),
        (Some(false), true, target) => match (heard, target) {
            (Some(Heard::Gone(voice)), _) => link.voice.continue_from(voice),
            (Some(Heard::GoesOn(index)), _) | (None, Some(index)) => {
                link.voice.continue_from(&shared[index]);
            }
            (None, None) => {}
        },
        (Some(true), false, Some(target)) => shared[target].welcome(link.voice.encoder(), tick),
        (None, false, Some(target)) => shared[target].meet(past, tick, ledger),
        (Some(false), false, Some(_)) if !elsewhere => {}
        (Some(false), false, Some(target)) => match heard {
            Some(Heard::Gone(voice)) => shared[target].welcome(voice.encoder(), tick),
            Some(Heard::GoesOn(index)) => {
                if let Ok([target, voice]) = shared.get_disjoint_mut([target, index]) {
                    target.welcome(voice.encoder(), tick);
                }
            }
            None => shared[target].land(),
        },
    }
}

/// Gives each listener what it hears: one payload for all who hear the same, one for each who
/// must not hear its own voice.
fn give(plan: &mut Plan, before: Option<&Plan>, tick: u64, floor: &mut Floor<'_>) {
    for index in 0..plan.members.len() {
        let member = plan.members[index];
        if floor.ports.is_served(member.port, member.leg, tick) {
            continue;
        }
        let given = floor.given(&member, tick);
        let Some(port) = floor.ports.port_mut(member.port, member.leg) else { continue };
        let Some(link) = &mut port.link else { continue };
        if !member.memory {
            choose(link, &member, before, plan, (tick, None, floor.ledger));
        }
        port.outgoing.advance(tick, link.clock_hz());
        let Some(remote) = link.gate.reply_to().filter(|_| link.terms.sends) else {
            floor.ledger.stats.keys_dropped += link.pressing.clear() as u64;
            port.pause();
            continue;
        };
        let (outbox, ledger) = (&mut *floor.outbox, &mut *floor.ledger);
        let mut sender = Sender { key: member.port, remote, outbox, ledger };
        if !link.pressing.is_idle() && port.press(&mut floor.scratch.pcm, &mut sender) {
            continue;
        }
        let Some(link) = &mut port.link else { continue };
        match given {
            Given::Mix => port.outgoing.release(),
            Given::Own(..) => {
                let parcel = floor.scratch.carried.parcel();
                sender.pass_on(&mut port.outgoing, &link.terms, parcel);
                continue;
            }
            Given::Silence => {
                port.outgoing.release();
                let bytes = &floor.scratch.silence[..];
                let parcel = Parcel::Payload { bytes, after_loss: false };
                sender.pass_on(&mut port.outgoing, &link.terms, parcel);
                continue;
            }
        }
        let shared = member.shared.filter(|_| link.voice.active == Some(false));
        let Some(shared) = shared else {
            let pcm = floor.scratch.without_own(plan, before, &member, link);
            port.send_private(pcm, &mut sender);
            continue;
        };
        let voice = &mut plan.shared[usize::from(shared)];
        voice.bear(link.loss_percent);
        let bus = &plan.buses[usize::from(member.bus)];
        let from = plan.ears[usize::from(member.ear)].from;
        let old = before.map(|before| before.bus(from, bus.rate));
        let silent = bus.silent && old.flatten().is_none_or(|old| old.silent);
        if voice.begin(tick, silent) {
            let samples = bus.sum.len();
            floor.scratch.load(Some(bus), samples);
            if let Some(old) = old {
                floor.scratch.load_old(old, samples);
                floor.scratch.fade(bus.rate);
            }
            let plain = old.is_none() && bus.crowd.is_plain();
            voice.encode(floor.scratch.limited(samples, plain), silent, sender.ledger);
        }
        let clock_per_packet = link.clock_hz() as i32 / 50 / voice.packets() as i32;
        let payload_type = link.terms.payload_type;
        for number in 0..voice.packets() {
            let offset = number as i32 * clock_per_packet;
            let payload = voice.payload(number, sender.ledger);
            sender.send(&mut port.outgoing, payload_type, offset, payload);
        }
    }
}

/// Gives each recorder its frame, whether there is something to hear or not.
fn tap(
    taps: &mut [Box<Tap>],
    plan: &Plan,
    before: Option<&Plan>,
    tick: u64,
    floor: &mut Floor<'_>,
) {
    for tap in taps {
        let samples = tap.rate.per_tick();
        let ear = plan.tap_ear(tap.recording);
        floor.scratch.load(plan.bus(ear, tap.rate), samples);
        if let Some(before) = before {
            floor.scratch.load_old(before.bus(tap.ear, tap.rate), samples);
            floor.scratch.fade(tap.rate);
        }
        let bus = plan.bus(ear, tap.rate);
        let plain = before.is_none() && bus.is_none_or(|bus| bus.crowd.is_plain());
        tap.samples().copy_from_slice(floor.scratch.limited(samples, plain));
        tap.ear = ear;
        if !tap.push(tick) {
            floor.ledger.stats.tap_frames_lost += 1;
        }
    }
}

/// Everybody stands where the next plan says.
fn step_over(before: &Plan, next: &Plan, ports: &mut Ports) {
    for member in &before.members {
        if let Some(port) = ports.port_mut(member.port, member.leg) {
            port.plays = false;
        }
    }
    for member in &next.members {
        let Some(port) = ports.port_mut(member.port, member.leg) else { continue };
        port.plays = true;
        if let Some(link) = &mut port.link {
            let Member { ear, own_gain, has_place, wanted, shared, .. } = *member;
            link.standing = Some(Standing { ear, own_gain, has_place, wanted, shared });
        }
    }
}

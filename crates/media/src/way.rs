//! Which way sound goes to a listener: mixed and encoded, or the speaker's own payloads.
//!
//! | the listener hears | it is given |
//! |---|---|
//! | nobody, for a moment | the house's payload of silence |
//! | one voice, as loud as it came, in its own codec and packet time | that voice's payloads |
//! | anything else | what is mixed for it |
//!
//! Who wants something of Opus that a voice's own encoder does not know is given what is mixed.
//!
//! Where such a payload was lost there is a gap in the sequence, for the far decoder to repair.
//! Where one is late nothing is sent, and it follows without a gap: to the far end it is late, too.
//!
//! A far decoder remembers. From silence a voice's payloads begin at once; from the mix they take
//! over when the voice was alone for a moment, so that the mix was nearly the same sound; back to
//! the mix goes a payload that needs no memory. What is mixed is encoded once more and so comes
//! some milliseconds later: where payloads take over, those are skipped. That belongs between two
//! words ([`Lull`](crate::lull::Lull)), and into the change of talkers.

use model::LegId;

use crate::crowd::Crowd;
use crate::limits::{ALONE_TICKS, LULL_TICKS, SILENT_TICKS, TAKEN_OVER_TICKS, TICK_MS};
use crate::link::Link;
use crate::plan::{Bus, Member, Plan};
use crate::playout::Parcel;
use crate::stage::{PortKey, Ports};

/// What a listener is given in a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// What is mixed for it.
    Mix,
    /// Somebody's own payload.
    Own(PortKey, LegId),
    /// The payload of silence.
    Silence,
}

/// One listener's way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) given: Given,
    /// As it was a tick ago.
    pub(crate) before: Given,
    /// Ticks of the mix in which nobody was heard.
    silent_ticks: u32,
    /// Who was alone in the mix, for how many ticks.
    alone: Option<(PortKey, LegId)>,
    alone_ticks: u32,
    /// Ticks since payloads took over from the mix.
    taken_over_ticks: u32,
}

impl Way {
    /// Nothing was heard yet.
    pub(crate) fn new() -> Way {
        let given = Given::Silence;
        let (alone, alone_ticks) = (None, 0);
        let (silent_ticks, taken_over_ticks) = (0, TAKEN_OVER_TICKS);
        Way { given, before: given, silent_ticks, alone, alone_ticks, taken_over_ticks }
    }

    /// The listener is given a sound of our own making, as if it was mixed.
    fn mix(&mut self) {
        (self.before, self.given) = (self.given, Given::Mix);
        (self.silent_ticks, self.alone, self.alone_ticks) = (0, None, 0);
    }

    /// Goes a tick on.
    fn step(&mut self, crowd: &Crowd, moved: bool, lull: bool, parcel: Option<Parcel<'_>>) {
        self.before = self.given;
        let only = crowd.only();
        self.silent_ticks = if crowd.is_nobody() { self.silent_ticks.saturating_add(1) } else { 0 };
        let goes_on = only.is_some() && only == self.alone && !moved;
        self.alone_ticks = if goes_on { self.alone_ticks.saturating_add(1) } else { 0 };
        self.alone = only;
        self.given = match (only, parcel) {
            _ if moved => Given::Mix,
            (None, _) if crowd.is_nobody() => self.silence(),
            (Some((port, leg)), Some(Parcel::Payload { bytes, .. })) if is_mono(bytes) => {
                self.own(port, leg, lull)
            }
            (Some((port, leg)), Some(Parcel::Lost | Parcel::Late)) if self.given != Given::Mix => {
                self.own(port, leg, lull)
            }
            (Some(_) | None, _) => Given::Mix,
        };
        let takes_over = self.before == Given::Mix && matches!(self.given, Given::Own(..));
        self.taken_over_ticks =
            if takes_over { 0 } else { self.taken_over_ticks.saturating_add(1) };
    }

    fn silence(&self) -> Given {
        match self.given {
            Given::Mix if self.silent_ticks <= SILENT_TICKS => Given::Mix,
            Given::Mix | Given::Own(..) | Given::Silence => Given::Silence,
        }
    }

    fn own(&self, port: PortKey, leg: LegId, lull: bool) -> Given {
        let own = Given::Own(port, leg);
        match self.given {
            Given::Silence => own,
            Given::Own(..) if self.given == own => own,
            Given::Own(..) => Given::Mix,
            Given::Mix if self.alone_ticks < ALONE_TICKS => Given::Mix,
            Given::Mix if self.alone_ticks < LULL_TICKS && !lull => Given::Mix,
            Given::Mix if self.taken_over_ticks < TAKEN_OVER_TICKS => Given::Mix,
            Given::Mix => own,
        }
    }
}

/// Whether a packet of Opus is coded as mono (RFC 6716 section 3.1): a listener is sent no more
/// channels than the mix has.
pub(crate) fn is_mono(payload: &[u8]) -> bool {
    payload.first().is_some_and(|toc| toc & 4 == 0)
}

/// Decides what a listener is given. In the tick in which the plan changes its payloads go on only
/// if they are the same under both. Returns whether it needs anybody's samples.
pub(crate) fn decide(
    ports: &mut Ports,
    member: &Member,
    plan: &Plan,
    before: Option<&Plan>,
) -> bool {
    let Some(link) = ports.link_mut(member.port, member.leg) else { return false };
    if !member.takes_payloads(link) || u64::from(link.terms.ptime_ms) != TICK_MS {
        link.voice.way.given = Given::Mix;
        return true;
    }
    if link.pressing.sounds(&link.terms) {
        link.voice.way.mix();
        return true;
    }
    let Some(link) = ports.link(member.port, member.leg) else { return false };
    let bus = plan.bus(Some(member.ear), link.rate());
    let crowd = heard(bus, member, member.own_gain, link);
    let moved = before.is_some_and(|before| {
        let bus = before.bus(link.standing.map(|standing| standing.ear), link.rate());
        let own_gain = link.standing.map_or(0, |standing| standing.own_gain);
        heard(bus, member, own_gain, link) != crowd
    });
    let codec = link.terms.codec;
    let speaker = crowd.only().and_then(|(port, leg)| ports.link(port, leg));
    let mut way = link.voice.way;
    let lull = speaker.is_some_and(|speaker| speaker.lull.is_now());
    let parcel = speaker.filter(|speaker| speaker.terms.codec == codec).map(Link::parcel);
    way.step(&crowd, moved, lull, parcel);
    if let Some(link) = ports.link_mut(member.port, member.leg) {
        link.voice.way = way;
    }
    way.given == Given::Mix && !crowd.is_nobody()
}

/// Who is heard on a bus by somebody whose own voice is taken out of it.
pub(crate) fn without(bus: &Bus, member: &Member, link: &Link) -> Crowd {
    heard(Some(bus), member, member.own_gain, link)
}

/// Who is heard on a bus by somebody who does not hear itself.
fn heard(bus: Option<&Bus>, member: &Member, own_gain: u16, link: &Link) -> Crowd {
    match bus {
        None => Crowd::NOBODY,
        Some(bus) if link.sounding() && own_gain > 0 => bus.crowd.without(member.port, member.leg),
        Some(bus) => bus.crowd,
    }
}

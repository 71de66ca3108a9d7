//! The keys that a leg presses: telephone-events (RFC 4733) where they were agreed, else tones in
//! the sound. One way for each leg, so that no press counts twice.

use audio::dtmf::DtmfEar;
use model::{Connection, Content, LegId, MediaReport, TelephoneEvent};
use wire::rtp::Rtp;
use wire::telephone_event::{Digits, Event};

use crate::ledger::Ledger;
use crate::rate::Rate;

/// A key press whose packets stopped so long ago was reported one way or another \[ms\].
const PRESS_MS_FORGOTTEN: u64 = 2_000;

/// The keys that a leg presses.
pub(crate) enum Keys {
    /// They come in packets of their own.
    Events {
        presses: Presses,
        /// Of those that may come on other clocks, with other codecs, by payload type. Most legs
        /// have none.
        others: Box<[(u8, Presses)]>,
    },
    /// They sound.
    Tones(Box<DtmfEar>),
}

/// The keys that come on one clock.
pub(crate) struct Presses {
    digits: Digits,
    clock_hz: u32,
    /// Where the press that came last stood when it came: on the clock of events, and in samples.
    pressed: Option<(u64, i64)>,
    /// The RTP timestamp of the press that came last, and of the last that was reported, also by a
    /// link that was before: there the repeated ends of one may come after it.
    latest: Option<u32>,
    told: Option<u32>,
}

impl Presses {
    fn new(clock_rate_hz: u32) -> Presses {
        let clock_hz = clock_rate_hz.max(1);
        let digits = Digits::new(clock_hz);
        Presses { digits, clock_hz, pressed: None, latest: None, told: None }
    }

    /// A position of the leg's line of time \[samples\] on the clock of events.
    fn timestamp(&self, at: i64, rate: Rate) -> u64 {
        let ticks = i128::from(at) * i128::from(self.clock_hz) / i128::from(rate.hz());
        u64::try_from(ticks).unwrap_or(0)
    }

    fn receive(
        &mut self,
        leg: LegId,
        (at, arrival, rate): (i64, i64, Rate),
        (rtp, event): (&Rtp<'_>, Event),
        ledger: &mut Ledger,
    ) {
        if self.pressed.is_none() && self.told == Some(rtp.timestamp) {
            return;
        }
        let timestamp = self.timestamp(at, rate);
        self.latest = Some(rtp.timestamp);
        if event.end {
            self.told = self.latest;
        }
        self.pressed = Some((timestamp + u64::from(event.duration), arrival));
        for digit in self.digits.receive(timestamp, rtp.marker, event) {
            ledger.report(MediaReport::Digit { leg, digit: digit.key.to_char() });
        }
    }

    fn follow(&mut self, leg: LegId, (now, rate): (i64, Rate), ledger: &mut Ledger) {
        let Some((timestamp, arrival)) = self.pressed else { return };
        let passed = u64::try_from(now - arrival).unwrap_or(0);
        let ticks = passed * u64::from(self.clock_hz) / u64::from(rate.hz());
        if let Some(digit) = self.digits.elapse(timestamp + ticks) {
            self.told = self.latest;
            ledger.report(MediaReport::Digit { leg, digit: digit.key.to_char() });
        }
        if passed > PRESS_MS_FORGOTTEN * rate.per_ms() as u64 {
            self.pressed = None;
        }
    }
}

impl Keys {
    pub(crate) fn new(terms: &Connection, rate: Rate) -> Keys {
        let other = |one: &model::Alternative| match one.content {
            Content::Voice(_) => None,
            Content::Events { clock_rate_hz } => {
                Some((one.receive_payload_type, Presses::new(clock_rate_hz)))
            }
        };
        match terms.telephone_event {
            Some(TelephoneEvent { clock_rate_hz, .. }) => {
                let presses = Presses::new(clock_rate_hz);
                let others = terms.alternatives.iter().filter_map(other).collect();
                Keys::Events { presses, others }
            }
            None => Keys::Tones(Box::new(DtmfEar::new(rate.hz()))),
        }
    }

    /// Whether what was made for some terms does for others.
    pub(crate) fn suit(before: &Connection, after: &Connection) -> bool {
        let clock_hz = |terms: &Connection| terms.telephone_event.map(|event| event.clock_rate_hz);
        clock_hz(before) == clock_hz(after)
    }

    /// Goes on after a link that was before. A press that was reported there is not one here; one
    /// that is still down is reported here.
    pub(crate) fn succeed(&mut self, before: &Keys) {
        let Keys::Events { presses, others } = self else { return };
        let Keys::Events { presses: before, others: others_before } = before else { return };
        let told_by = |clock_hz| {
            let others = others_before.iter().map(|(_, presses)| presses);
            let alike = others.chain([before]).find(|before| before.clock_hz == clock_hz);
            alike.unwrap_or(before).told
        };
        presses.told = told_by(presses.clock_hz);
        for (_, presses) in others {
            presses.told = told_by(presses.clock_hz);
        }
    }

    /// Whether keys may come under a payload type beside the one that was agreed on for both ways.
    pub(crate) fn may_come_as(&self, payload_type: u8) -> bool {
        match self {
            Keys::Events { others, .. } => others.iter().any(|(other, _)| *other == payload_type),
            Keys::Tones(_) => false,
        }
    }

    /// Whether they are in the sound, which then has to be decoded for them.
    pub(crate) fn sound(&self) -> bool {
        matches!(self, Keys::Tones(_))
    }

    /// Takes a packet with its position, which came at that time \[both in samples\].
    pub(crate) fn receive(
        &mut self,
        leg: LegId,
        place: (i64, i64, Rate),
        (rtp, event): (&Rtp<'_>, Event),
        ledger: &mut Ledger,
    ) {
        let Keys::Events { presses, others } = self else { return };
        let other = others.iter_mut().find(|(other, _)| *other == rtp.payload_type);
        let presses = other.map_or(presses, |(_, presses)| presses);
        presses.receive(leg, place, (rtp, event), ledger);
    }

    /// Goes on to `now` \[samples\] with that tick's sound; none is silence. A key whose last
    /// packets were lost is released in time.
    pub(crate) fn follow(
        &mut self,
        leg: LegId,
        (now, rate): (i64, Rate),
        frame: Option<&[i16]>,
        ledger: &mut Ledger,
    ) {
        match self {
            Keys::Tones(ear) => match frame {
                Some(frame) => {
                    if let Some(digit) = ear.push(frame) {
                        ledger.report(MediaReport::Digit { leg, digit });
                    }
                }
                None => ear.rest(),
            },
            Keys::Events { presses, others } => {
                presses.follow(leg, (now, rate), ledger);
                for (_, presses) in others {
                    presses.follow(leg, (now, rate), ledger);
                }
            }
        }
    }
}

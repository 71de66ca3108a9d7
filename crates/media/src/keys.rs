//! The keys that a leg presses: telephone-events (RFC 4733) where they were agreed, else tones in
//! the sound. One way for each leg, so that no press counts twice.

use audio::dtmf::DtmfEar;
use model::{Connection, LegId, MediaReport};
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
        digits: Digits,
        clock_hz: u32,
        /// Where the press that came last stood when it came: on the clock of events, and in
        /// samples.
        pressed: Option<(u64, i64)>,
        /// The RTP timestamp of the press that came last, and of the last that was reported, also
        /// by a link that was before: there the repeated ends of one may come after it.
        latest: Option<u32>,
        told: Option<u32>,
    },
    /// They sound.
    Tones(Box<DtmfEar>),
}

impl Keys {
    pub(crate) fn new(terms: &Connection, rate: Rate) -> Keys {
        match terms.telephone_event {
            Some(event) => {
                let clock_hz = event.clock_rate_hz.max(1);
                let digits = Digits::new(clock_hz);
                Keys::Events { digits, clock_hz, pressed: None, latest: None, told: None }
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
        if let (Keys::Events { told, .. }, Keys::Events { told: before, .. }) = (self, before) {
            *told = *before;
        }
    }

    /// Whether they are in the sound, which then has to be decoded for them.
    pub(crate) fn sound(&self) -> bool {
        matches!(self, Keys::Tones(_))
    }

    /// Takes a packet with its extended timestamp, which came at that time \[samples\].
    pub(crate) fn receive(
        &mut self,
        leg: LegId,
        (timestamp, arrival): (u64, i64),
        (rtp, event): (&Rtp<'_>, Event),
        ledger: &mut Ledger,
    ) {
        let Keys::Events { digits, pressed, latest, told, .. } = self else { return };
        if pressed.is_none() && *told == Some(rtp.timestamp) {
            return;
        }
        *latest = Some(rtp.timestamp);
        if event.end {
            *told = *latest;
        }
        *pressed = Some((timestamp + u64::from(event.duration), arrival));
        for digit in digits.receive(timestamp, rtp.marker, event) {
            ledger.report(MediaReport::Digit { leg, digit: digit.key.to_char() });
        }
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
            Keys::Events { digits, clock_hz, pressed, latest, told } => {
                let Some((timestamp, arrival)) = *pressed else { return };
                let passed = u64::try_from(now - arrival).unwrap_or(0);
                let ticks = passed * u64::from(*clock_hz) / u64::from(rate.hz());
                if let Some(digit) = digits.elapse(timestamp + ticks) {
                    *told = *latest;
                    ledger.report(MediaReport::Digit { leg, digit: digit.key.to_char() });
                }
                if passed > PRESS_MS_FORGOTTEN * rate.per_ms() as u64 {
                    *pressed = None;
                }
            }
        }
    }
}

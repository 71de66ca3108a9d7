//! How many of its calls whoever sends them to us is to keep back: overload control (RFC 7339),
//! its algorithm by loss.
//!
//! Who supports it says `oc` in its Via, and each answer tells it how many of a hundred calls it
//! should refuse by itself while more come than can be done. So the refusals, too, are its work and
//! not ours, and it may try another server.

use std::time::{Duration, Instant};

use crate::limits::{FEEDBACK_KEPT_MIN, FEEDBACK_PERIOD, FEEDBACK_RECOVERS_BY, FEEDBACK_VALIDITY};
use crate::message::{HeaderName, Headers, Via, lexis};

/// The parameters of RFC 7339 §4.
const PARAMS: [&str; 4] = ["oc", "oc-algo", "oc-validity", "oc-seq"];

/// The share of calls that is to come, and what it is reckoned from.
#[derive(Debug)]
pub(crate) struct Feedback {
    /// When the first message came, by the monotonic clock and by that of the wall \[s\]: what
    /// comes after a restart counts as newer than what was said before.
    begun: Option<Instant>,
    begun_s: u64,
    /// How long ago that was.
    age: Duration,
    /// How much of it has been reckoned with.
    reckoned: Duration,
    period: Period,
    /// Of a hundred calls those that are to come.
    kept: u32,
}

/// The new calls of a period.
#[derive(Debug, Default)]
struct Period {
    /// From those who keep some back if they are told to.
    from_supporters: u32,
    from_others: u32,
    /// How many of all were refused, for there was no time for them.
    shed: u32,
}

impl Feedback {
    pub(crate) fn new(begun_s: u64) -> Feedback {
        let (age, reckoned) = (Duration::ZERO, Duration::ZERO);
        Feedback { begun: None, begun_s, age, reckoned, period: Period::default(), kept: 100 }
    }

    /// Time goes on.
    pub(crate) fn at(&mut self, now: Instant) {
        let begun = *self.begun.get_or_insert(now);
        self.age = now.saturating_duration_since(begun);
        // However long nothing came: after so many periods all are to come again.
        for _ in 0..=100 / FEEDBACK_RECOVERS_BY {
            if self.age - self.reckoned < FEEDBACK_PERIOD {
                return;
            }
            self.reckoned += FEEDBACK_PERIOD;
            self.reckon();
        }
        self.reckoned = self.age;
    }

    /// A new call came: taken, or refused because there was no time for it.
    pub(crate) fn came(&mut self, via: &Via, is_shed: bool) {
        match is_supported(via) {
            true => self.period.from_supporters += 1,
            false => self.period.from_others += 1,
        }
        self.period.shed += u32::from(is_shed);
    }

    /// A period is over. What supporters would have sent is as much more as they were told to keep
    /// back; of all that, what was taken is what can be done, and everybody gets the same share of
    /// it, whether it supports this or not (§5.10 asks that supporters do not get less).
    fn reckon(&mut self) {
        let Period { from_supporters, from_others, shed } = std::mem::take(&mut self.period);
        self.kept = match shed {
            0 => self.kept + FEEDBACK_RECOVERS_BY,
            shed => {
                let taken = u64::from((from_supporters + from_others).saturating_sub(shed));
                let meant = u64::from(from_supporters) * 100 / u64::from(self.kept);
                let kept = taken * 100 / (meant + u64::from(from_others)).max(1);
                u32::try_from(kept).unwrap_or(100)
            }
        };
        self.kept = self.kept.clamp(FEEDBACK_KEPT_MIN, 100);
    }

    /// Of a hundred calls those that are to be kept back.
    pub(crate) fn kept_back(&self) -> u32 {
        100 - self.kept
    }

    /// Tells it in an answer to who asks to be told: in the top Via (§4, §5.3).
    pub(crate) fn write(&self, headers: &mut Headers) {
        let Some(line) = headers.text(&HeaderName::Via) else { return };
        let says_oc = |part: &[u8]| part.eq_ignore_ascii_case(b";oc");
        if !line.as_bytes().windows(3).any(says_oc) {
            return;
        }
        let hops = lexis::split(&line, b',');
        let mut hops: Vec<String> = hops.map(|hop| lexis::trim(hop).to_owned()).collect();
        let Some(Ok(mut via)) = hops.first().map(|hop| hop.parse::<Via>()) else { return };
        if !is_supported(&via) {
            return;
        }
        PARAMS.iter().for_each(|name| via.params.remove(name));
        hops[0] = format!("{via}{}", self.params());
        headers.set(HeaderName::Via, hops.join(", "));
    }

    fn params(&self) -> String {
        // Where none is to be kept back nothing is in force (§4.3).
        let (oc, validity_ms) = match self.kept_back() {
            0 => (0, 0),
            oc => (oc, FEEDBACK_VALIDITY.as_millis()),
        };
        let second = self.begun_s + self.age.as_secs();
        let fraction = self.age.subsec_micros() / 10;
        format!(";oc={oc};oc-algo=\"loss\";oc-validity={validity_ms};oc-seq={second}.{fraction:05}")
    }
}

/// Whether the client of that hop keeps calls back as it is told, by loss, which all must know that
/// know any (§4.2).
fn is_supported(via: &Via) -> bool {
    let by_loss = |names: &str| names.split(',').any(|name| name.trim() == "loss");
    via.params.has("oc") && via.params.value("oc-algo").is_none_or(by_loss)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUPPORTER: &str = "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1;oc;oc-algo=\"rate,loss\"";

    fn told(feedback: &Feedback, via: &str) -> String {
        let mut headers = Headers::new();
        headers.push(HeaderName::Via, via);
        headers.push(HeaderName::Via, "SIP/2.0/UDP behind;branch=z9hG4bK2;oc");
        feedback.write(&mut headers);
        let [top, behind] = &headers.all(&HeaderName::Via).collect::<Vec<_>>()[..] else {
            panic!("{headers:?}")
        };
        assert_eq!(*behind, b"SIP/2.0/UDP behind;branch=z9hG4bK2;oc", "another hop's own");
        String::from_utf8(top.to_vec()).unwrap()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    fn who_supports_it_is_told_and_nobody_else() {
        let (mut feedback, begun) = (Feedback::new(1_282_321_615), Instant::now());
        feedback.at(begun);
        let calm = told(&feedback, SUPPORTER);
        let says = ";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=1282321615.00000";
        assert_eq!(calm, format!("SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1{says}"));
        for other in [
            "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1",
            "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1;octet=1",
            "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1;oc;oc-algo=\"rate\"",
        ] {
            assert_eq!(told(&feedback, other), other);
        }
        let via: Via = SUPPORTER.parse().unwrap();
        (0..10).for_each(|number| feedback.came(&via, number >= 7));
        feedback.at(begun + Duration::from_millis(501));
        let loaded = told(&feedback, &format!("{SUPPORTER}, SIP/2.0/UDP third;branch=z9hG4bK3"));
        let says = ";oc=30;oc-algo=\"loss\";oc-validity=1000;oc-seq=1282321615.50100";
        let third = "SIP/2.0/UDP third;branch=z9hG4bK3";
        assert_eq!(loaded, format!("SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1{says}, {third}"));
        feedback.at(begun + Duration::from_secs(3_600));
        assert_eq!(feedback.kept_back(), 0, "nothing comes any more");
    }

    /// Upstreams that mean to send so many calls a second each for a minute to who can do a
    /// thousand: how many of each supporter's and of each other's come, and how many are refused,
    /// in each of the last thirty seconds.
    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    fn run(supporters: u32, others: u32) -> [u32; 3] {
        let (mut feedback, begun) = (Feedback::new(0), Instant::now());
        let (plain, supporting) = ("SIP/2.0/UDP h".parse().unwrap(), SUPPORTER.parse().unwrap());
        let (mut came, mut shed) = ([0, 0], 0);
        for tick in 0..6_000_u32 {
            feedback.at(begun + Duration::from_millis(10 * u64::from(tick)));
            let (mut room, is_counted) = (10, tick >= 3_000);
            // They come in turns, so that each is refused as often as any other.
            for number in 0..supporters.max(others) {
                // Spread over time, a hundredth of what is meant is kept back for each percent.
                let is_kept = (number * 37 + tick * 61) % 100 >= feedback.kept_back();
                for (at, via, comes) in
                    [(0, &supporting, number < supporters && is_kept), (1, &plain, number < others)]
                {
                    if comes {
                        feedback.came(via, room == 0);
                        shed += u32::from(is_counted && room == 0);
                        room -= u32::from(room > 0);
                        came[at] += u32::from(is_counted);
                    }
                }
            }
        }
        [came[0] / 30, came[1] / 30, shed / 30]
    }

    #[test]
    fn at_twice_of_what_can_be_done_a_supporter_sends_nearly_what_can_be_and_little_is_refused() {
        let [came, _, shed] = run(20, 0);
        assert!((900..1_100).contains(&(came - shed)), "{came} came, {shed} were refused");
        assert!(shed < 100, "{shed} a second are refused; without it a thousand");
    }

    #[test]
    fn below_of_what_can_be_done_nobody_keeps_any_back() {
        assert_eq!(run(9, 0), [900, 0, 0]);
    }

    #[test]
    fn who_supports_it_gets_its_share_beside_who_does_not() {
        let [supporters, others, shed] = run(15, 15);
        assert_eq!(others, 1_500);
        // Two thirds are too many: of each a third is what can be done.
        assert!((400..700).contains(&supporters), "{supporters} came, {shed} were refused");
    }
}

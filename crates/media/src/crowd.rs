//! How many sound at once, and who it is if it is one.

use model::LegId;

use crate::stage::PortKey;

/// Those who sound in a sum. Who they are is only kept mixed up, so that taking one of two out
/// leaves the other, without a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crowd {
    count: u32,
    ports: u32,
    legs: u64,
    /// Whether each is as loud as it came.
    unity: bool,
}

impl Crowd {
    /// Nobody.
    pub(crate) const NOBODY: Crowd = Crowd { count: 0, ports: 0, legs: 0, unity: true };

    /// Somebody comes, or, if it was in, goes.
    fn toggle(&mut self, port: PortKey, leg: LegId) {
        self.ports ^= port.0;
        self.legs ^= leg.0;
    }

    /// Somebody sounds.
    pub(crate) fn add(&mut self, port: PortKey, leg: LegId) {
        self.toggle(port, leg);
        self.count += 1;
    }

    /// Others sound too, at a gain in Q15.
    pub(crate) fn join(&mut self, others: &Crowd, gain_q15: u16) {
        self.ports ^= others.ports;
        self.legs ^= others.legs;
        self.count += others.count;
        self.unity &= others.unity && (gain_q15 == 1 << 15 || others.count == 0);
    }

    /// Something may sound that is no leg: there is more than one voice, whoever speaks.
    pub(crate) fn join_music(&mut self) {
        self.count += 2;
        self.unity = false;
    }

    /// The same without somebody who is in it.
    pub(crate) fn without(mut self, port: PortKey, leg: LegId) -> Crowd {
        self.toggle(port, leg);
        self.count = self.count.saturating_sub(1);
        self
    }

    /// Whether nobody sounds.
    pub(crate) fn is_nobody(&self) -> bool {
        self.count == 0
    }

    /// Who sounds alone and as loud as it came.
    pub(crate) fn only(&self) -> Option<(PortKey, LegId)> {
        (self.count == 1 && self.unity).then_some((PortKey(self.ports), LegId(self.legs)))
    }

    /// Whether the sum is nothing but one voice as it came, or silence: it needs no limiter.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_nobody() || self.only().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: (PortKey, LegId) = (PortKey(3), LegId(10));
    const BEN: (PortKey, LegId) = (PortKey(5), LegId(12));

    fn crowd(members: &[(PortKey, LegId)]) -> Crowd {
        let mut crowd = Crowd::NOBODY;
        members.iter().for_each(|(port, leg)| crowd.add(*port, *leg));
        crowd
    }

    #[test]
    fn one_of_two_taken_out_leaves_the_other() {
        assert_eq!(crowd(&[ADA]).only(), Some(ADA));
        assert_eq!(crowd(&[ADA, BEN]).only(), None);
        assert_eq!(crowd(&[ADA, BEN]).without(ADA.0, ADA.1).only(), Some(BEN));
        assert!(crowd(&[ADA]).without(ADA.0, ADA.1).is_nobody());
    }

    #[test]
    fn a_voice_at_another_gain_or_with_music_is_not_alone() {
        for (gain, only) in [(32_768, Some(ADA)), (16_384, None)] {
            let mut bus = Crowd::NOBODY;
            bus.join(&crowd(&[ADA]), gain);
            bus.join(&Crowd::NOBODY, 8_192);
            assert_eq!(bus.only(), only);
            assert_eq!(bus.is_plain(), only.is_some());
        }
        let mut bus = crowd(&[ADA]);
        bus.join_music();
        assert_eq!(bus.only(), None);
        assert!(!bus.without(ADA.0, ADA.1).is_nobody());
    }
}

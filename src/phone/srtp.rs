//! The phone's side of SRTP.

use wire::rtp::{Packet, classify};
use wire::sdp::{Negotiated, Protected};
use wire::srtp::{Inbound, Outbound};

use super::Phone;

impl Phone {
    /// Counts its packets on from this number, as one does that has spoken for a while.
    pub fn count_on_from(&mut self, sequence: u16) {
        self.mouth.sequence = sequence;
    }

    /// Whether what it says and hears is protected by SRTP.
    pub fn is_protected(&self) -> bool {
        self.contexts.is_some()
    }

    pub(super) fn agree(&mut self, agreed: Negotiated) {
        self.contexts = Contexts::agree(self.contexts.take(), agreed.srtp);
        self.agreed = Some(agreed);
    }
}

/// What protects what it says, and opens what it hears.
pub(super) struct Contexts {
    outbound: Outbound,
    inbound: Inbound,
}

impl Contexts {
    /// Goes over to what was agreed; a key that serves already goes on where it was.
    pub(super) fn agree(before: Option<Contexts>, agreed: Option<Protected>) -> Option<Contexts> {
        let Protected { ours, theirs } = agreed?;
        let (outbound, inbound) = before.map_or((None, None), |it| {
            let Contexts { outbound, inbound } = it;
            (Some(outbound), Some(inbound))
        });
        Some(Contexts {
            outbound: outbound
                .filter(|it| *it.key() == ours)
                .unwrap_or_else(|| Outbound::new(&ours)),
            inbound: inbound
                .filter(|it| *it.key() == theirs)
                .unwrap_or_else(|| Inbound::new(&theirs)),
        })
    }

    pub(super) fn protect(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        packet.resize(packet.len() + self.outbound.overhead(), 0);
        self.outbound.protect(&mut packet).expect("a phone's own packet can be protected");
        packet
    }

    /// The packet without its protection; none if it has another.
    pub(super) fn open(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut packet = bytes.to_vec();
        let length = match classify(bytes) {
            Packet::Rtp => self.inbound.unprotect(&mut packet).ok()?,
            Packet::Rtcp | Packet::Stun | Packet::Dtls | Packet::Unknown => return None,
        };
        packet.truncate(length);
        Some(packet)
    }
}

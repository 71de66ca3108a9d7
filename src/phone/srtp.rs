//! The phone's side of SRTP.

use wire::rtp::{Packet, classify};
use wire::sdp::Protected;
use wire::srtp::{Inbound, Outbound};

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

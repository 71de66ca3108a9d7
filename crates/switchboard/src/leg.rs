//! A leg as signalling sees it: which session it is, and how far its audio is agreed on.

use std::net::IpAddr;

use call::Video;
use model::{ConferenceId, Connection, PartyId, SrtpPolicy};
use sip::SessionId;
use wire::sdp::{Description, Local, Negotiated};

use crate::caller::Caller;
use crate::digits::KeyWay;

/// A leg as signalling sees it.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) conference: ConferenceId,
    pub(crate) party: PartyId,
    /// None while an invitation waits for its port.
    pub(crate) session: Option<SessionId>,
    /// The host that signalling comes from.
    pub(crate) signalling: Option<IpAddr>,
    pub(crate) stage: Stage,
    /// Our last session description, so that one that says the same is known.
    pub(crate) said: String,
    /// Who is at its other end, if it came in.
    pub(crate) caller: Option<Box<Caller>>,
    /// How its keys come.
    pub(crate) keys: KeyWay,
    /// Whether its audio is protected.
    pub(crate) srtp: SrtpPolicy,
}

/// How far a leg's audio is agreed on.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Its port is being opened.
    Opening(Purpose),
    /// Our offer is out: in the 200 to an INVITE without one, or in our INVITE.
    Offered(Local),
    /// Our offer is out, and one of the phones that it reached has said what it sends before it is
    /// answered.
    Early {
        /// Our offer.
        local: Box<Local>,
        /// Which of our sessions said so: a leg may have several until one is answered.
        session: SessionId,
        /// What media was told then.
        connection: Box<Connection>,
        /// What it has changed that to since, by an offer of its own.
        renewed: Option<Box<(Local, Negotiated)>>,
    },
    /// Agreed.
    Up {
        /// What we said last.
        local: Box<Local>,
        /// What was agreed last.
        negotiated: Box<Negotiated>,
    },
}

impl Leg {
    /// Whether the far end's last description has video.
    pub(crate) fn video(&self) -> Video {
        let described = match &self.stage {
            Stage::Up { local, .. } => local.previous.as_ref(),
            Stage::Opening(_) | Stage::Offered(_) | Stage::Early { .. } => None,
        };
        match described.is_some_and(Description::has_video) {
            true => Video::Refused,
            false => Video::Unasked,
        }
    }
}

/// What a port is opened for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// To answer this offer.
    Answer(Box<Description>),
    /// To make an offer to a caller who made none.
    Offer,
    /// To call this address.
    Dial(String),
}

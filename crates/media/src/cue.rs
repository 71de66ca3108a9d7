//! Orders made ready off the media thread, and what comes back from it.

use model::{AnnouncementId, Connection, RecordingId};

use crate::announcer::Announcement;
use crate::link::Link;
use crate::mixer::Mixer;
use crate::plan::Plan;
use crate::port::Port;
use crate::pressing::Strokes;
use crate::stage::{MixerKey, PortKey};
use crate::tap::Tap;

/// An order with everything in it that it needs: applying it allocates nothing.
pub struct Cue(pub(crate) Change);

impl Cue {
    /// The port that this cue closes: no packet will be sent from it any more once the stage gave
    /// it back.
    pub fn closes(&self) -> Option<PortKey> {
        match &self.0 {
            Change::Close { port, .. } => Some(*port),
            Change::Open { .. }
            | Change::Connect { .. }
            | Change::Amend { .. }
            | Change::Move { .. }
            | Change::Depart { .. }
            | Change::Land { .. }
            | Change::Press { .. }
            | Change::Route { .. }
            | Change::OpenTap { .. }
            | Change::CloseTap { .. }
            | Change::Play { .. }
            | Change::StopPlaying { .. }
            | Change::CloseMixer { .. } => None,
        }
    }
}

/// A plan for a mixer.
pub(crate) struct Routed {
    pub(crate) mixer: MixerKey,
    pub(crate) plan: Box<Plan>,
}

/// What a cue does.
pub(crate) enum Change {
    /// A leg comes; its mixer too, if it is the first.
    Open { key: PortKey, port: Box<Port>, mixer: Option<Box<Mixer>> },
    /// Another codec was agreed.
    Connect { port: PortKey, link: Box<Link>, routed: Option<Routed> },
    /// Other terms were agreed for the same codec.
    Amend { port: PortKey, terms: Connection, routed: Option<Routed> },
    /// A leg goes from one mixer to another, which comes if it is not there.
    Move { port: PortKey, left: Option<Routed>, routed: Option<Routed>, mixer: Option<Box<Mixer>> },
    /// A leg goes to another stage.
    Depart { port: PortKey, routed: Option<Routed> },
    /// A leg comes from another stage, where it was expected.
    Land { key: PortKey, port: Box<Port>, routed: Option<Routed> },
    /// Keys are pressed at a leg's far end.
    Press { port: PortKey, strokes: Strokes },
    /// A leg goes.
    Close { port: PortKey, routed: Option<Routed> },
    /// Others hear each other; the mixer comes if it is not there.
    Route { routed: Option<Routed>, mixer: Option<Box<Mixer>> },
    /// A recorder comes.
    OpenTap { tap: Box<Tap>, routed: Option<Routed> },
    /// A recorder goes.
    CloseTap { recording: RecordingId, routed: Option<Routed> },
    /// An announcement comes.
    Play { mixer: MixerKey, announcement: Box<Announcement> },
    /// An announcement is to go.
    StopPlaying { mixer: MixerKey, announcement: AnnouncementId },
    /// A conference is over.
    CloseMixer { mixer: MixerKey },
}

/// What is of no use any more, to be dropped where time does not matter.
pub enum Spent {
    /// A port that was closed. Its socket is of no use any more either.
    Port(PortKey, Box<Port>),
    /// A port that goes to another stage, with its socket.
    Departed(PortKey, Box<Port>),
    /// What was agreed before.
    Link(Box<Link>),
    /// Who heard whom before.
    Plan(Box<Plan>),
    /// A conference that is over.
    Mixer(Box<Mixer>),
    /// An announcement that went.
    Announcement(Box<Announcement>),
    /// A recorder that went: dropping it tells the vault that nothing more comes.
    Tap(Box<Tap>),
}

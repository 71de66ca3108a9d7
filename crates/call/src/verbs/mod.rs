//! One file for each verb. A verb changes the conference and tells what happened; whether it is
//! allowed was judged before.

mod appoint;
mod consult;
mod end;
mod enter;
mod hold;
mod invite;
mod mute;
mod play;
mod record;
mod remove;
mod send_digits;
mod supervise;
mod take_over;
mod transfer;
mod whisper;
mod write;

use model::{AnnouncementId, PartyId, RecordingId};

pub(crate) use appoint::{appoint, become_host};
pub(crate) use consult::{cancel, complete, consult, merge, swap};
pub(crate) use end::end;
pub(crate) use enter::enter;
pub(crate) use hold::{hold, phone_key, resume};
pub(crate) use invite::invite;
pub(crate) use mute::{mute, silence, silence_without, unmute, unsilence};
pub(crate) use play::{play, stop_playing};
pub(crate) use record::record;
pub(crate) use remove::remove;
pub(crate) use send_digits::send_digits;
pub(crate) use supervise::{mode_of, stand, supervise};
pub(crate) use take_over::{take_over, take_seat};
pub(crate) use transfer::transfer;
pub(crate) use whisper::{pair, whisper};
pub(crate) use write::write;

/// What a verb brought about that its author could not name before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) party: Option<PartyId>,
    pub(crate) recording: Option<RecordingId>,
    pub(crate) announcement: Option<AnnouncementId>,
}

impl Done {
    fn party(party: PartyId) -> Done {
        Done { party: Some(party), ..Done::default() }
    }
}

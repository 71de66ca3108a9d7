//! The words everyone shares: ids, commands, events, refusals, routing, orders to media, limits.
//!
//! Values only. Nothing here reads a clock, opens a socket or decides anything but the meaning of
//! a value. Wall-clock times are milliseconds since the Unix epoch, stamped by whoever owns a
//! clock.

pub mod action;
pub mod allowed;
pub mod appearance;
pub mod audience;
pub mod chance;
pub mod command;
pub mod event;
pub mod household;
pub mod id;
pub mod keys;
pub mod limits;
pub mod media;
pub mod name;
pub mod profile;
pub mod prompt;
pub mod quality;
pub mod refusal;
pub mod registration;
pub mod role;
pub mod routing;
pub mod srtp;
pub mod stats;
pub mod tap;
pub mod trunk;
pub mod view;

pub use action::Action;
pub use allowed::{Allowed, AllowedTo, Refused, Verdict};
pub use audience::{Audience, Projection};
pub use chance::Chance;
pub use command::{Accepted, Author, Command, ConferenceRef, Verb};
pub use event::{Event, EventKind, LeaveReason, RecordingMode};
pub use household::household;
pub use id::{AnnouncementId, CommandId, ConferenceId, LegId, PartyId, RecordingId};
pub use keys::{Digits, KeyMap, KeySequence, KeyVerb, Keys};
pub use media::{
    Alternative, Codec, Connection, Content, LocalMedia, MediaOrder, MediaReport, OneWay,
    OpusWishes, Rtcp, Source, TelephoneEvent,
};
pub use name::ConferenceName;
pub use profile::Profile;
pub use prompt::{ClipName, PromptName};
pub use quality::{FarQuality, MosClass, Quality};
pub use refusal::{Fault, Refusal};
pub use registration::Registration;
pub use role::{Affiliation, Direction, Relation, Role};
pub use routing::{EarGroup, Gain, Hearing, Place, Routing, VoiceGroup};
pub use srtp::{Srtp, SrtpKey, SrtpKeys, SrtpPolicy, SrtpSuite};
pub use tap::{TapFrame, TapRate, Track};
pub use trunk::{TrunkRegistration, TrunkState, TrunkView};
pub use view::{ConferenceView, PartyState, PartyView, RecordingView, TrackView};

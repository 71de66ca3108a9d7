//! Session descriptions (RFC 8866) and offer/answer (RFC 3264) for one stream of audio.
//!
//! [`Description::parse`] reads what the far end sent. [`offer`] writes ours, [`answer`] writes our
//! reply to theirs, [`accept`] reads their reply to ours; both end in a [`Negotiated`] stream.
//! A later offer in the same session uses the same functions: see [`Local::previous`].
//!
//! `RTP/AVP` and `RTP/SAVP` are taken, each with `F` or without. The keys of SRTP come with the
//! description (RFC 4568): see [`Srtp`]. ICE, DTLS and bundle attributes of such a line are not
//! answered, so by their own rules the far end goes on without them.

mod crypto;
mod description;
mod direction;
mod format;
mod negotiation;
mod reading;
mod writing;

pub use crypto::{Keys, Protected, Srtp};
pub use description::{Audio, Description, Origin, SdpError};
pub use direction::Direction;
pub use format::{Encoding, Events, Format, Opus, Parameters};
pub use negotiation::{
    Alternative, Local, Negotiated, NotAcceptable, Preference, TelephoneEvent, accept, answer,
    offer,
};

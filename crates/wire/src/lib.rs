//! Bytes to meaning and back: RTP, RTCP, SRTP, telephone-event, and SDP with offer/answer.
//!
//! Everything here is a pure function or a small value: no sockets, no clocks, no threads.
//! What is read from a packet borrows the packet; nothing on the RTP, RTCP, SRTP and
//! telephone-event paths allocates, because media threads call them inside a tick.
//!
//! | module | meaning |
//! |---|---|
//! | [`rtp`] | what a datagram speaks, one RTP packet, counters made 64 bits wide |
//! | [`rtcp`] | reports of quality, names, goodbyes |
//! | [`srtp`] | packets that only the two ends can read and make (RFC 3711) |
//! | [`telephone_event`] | keys pressed and keys sent (RFC 4733) |
//! | [`sdp`] | descriptions of sessions, offers and answers (RFC 8866, RFC 3264) |
//! | [`limits`] | every bound, with its reason |

pub mod limits;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod srtp;
pub mod telephone_event;

//! Every bound of the api, with its reason.

use std::time::Duration;

/// Bytes of a request's body: the longest that any route reads is a SIP URI in a few words of
/// JSON; 64 KB leaves room for a proxy's padding and nothing to hold against memory.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// How long a body may take to come (acceptance F6).
pub(crate) const BODY_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a request's header may take to come, which is also how long a connection may idle
/// between two requests (acceptance F6).
pub(crate) const HEADER_WAIT_MAX: Duration = Duration::from_secs(10);

/// Characters of an idempotency key: a UUID has 36, a hash in hexadecimal 64.
pub(crate) const IDEMPOTENCY_KEY_LENGTH_MAX: usize = 128;

/// How long a command may stay unanswered. The shard answers within a turn or refuses as busy; a
/// longer silence means that it is stuck.
pub(crate) const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long an answer is kept back until its events can be seen. They go through the journal first,
/// so that a stalled disk may delay them; a client would rather have its answer.
pub(crate) const EFFECT_WAIT_MAX: Duration = Duration::from_millis(250);

/// Connections at once: about 20 KB each. More wait in the kernel's backlog.
pub(crate) const CONNECTIONS_MAX: usize = 1_024;

/// Proxies before this server that are looked past for who asks: more than anybody has one behind
/// the other.
pub(crate) const PROXY_HOPS_MAX: usize = 8;

/// Connections at once from one address that is not this machine's, or from all of an IPv6 /64
/// (acceptance F6).
pub(crate) const CONNECTIONS_PER_ADDRESS_MAX: usize = 100;

/// How long requests may go on after the shutdown's beginning. Commands are answered in less; a
/// download that takes longer is cut.
pub(crate) const SHUTDOWN_WAIT_MAX: Duration = Duration::from_secs(5);

/// Pause after a connection could not be accepted, mostly for want of descriptors: they come back
/// when somebody hangs up, not within microseconds.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Latest events kept of all conferences together, for those who follow all and for those who come
/// back to one: 20 s at a hundred calls a second and four events a call, twice
/// [`SEND_WAIT_MAX`], and hours where a few calls come in a minute, in about 2 MB. It is full
/// after 2,000 calls, and memory is as it stays. What is older is in the journal.
pub(crate) const EVENTS_KEPT_MAX: usize = 8_192;

/// Latest events kept of each conference, however many come elsewhere: a call of two from its
/// beginning until they have spoken by turns for a few minutes. Whoever lost its connection is
/// back by then, and who comes later begins with a snapshot. At 15 KB a conference these are 75 MB
/// where [`CONFERENCES_MAX`](model::limits::CONFERENCES_MAX) go on, which take more than that.
pub(crate) const EVENTS_OF_EACH_KEPT: usize = 64;

/// Audiences of one conference whose events are kept ready: its agents and a few customers. Another
/// one takes the place of one that does not look, and is told anew.
pub(crate) const AUDIENCES_PER_CONFERENCE_MAX: usize = 32;

/// Events taken from the feed at once for one client: keeps the feed's lock short, and a client's
/// share of memory small.
pub(crate) const EVENTS_PER_BATCH_MAX: usize = 256;

/// Time between two pings of a WebSocket; who sent nothing in between is gone (acceptance F6).
pub(crate) const PING_EVERY: Duration = Duration::from_secs(30);

/// How long one message may take to leave. Who reads slower than this is not reading.
pub(crate) const SEND_WAIT_MAX: Duration = Duration::from_secs(10);

/// Bytes of a message from a WebSocket client. None has a meaning; a pong carries 125 at most
/// (RFC 6455 §5.5).
pub(crate) const CLIENT_MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// Characters of a token: a JWT with a few claims and an RSA signature has under 1,000.
pub(crate) const TOKEN_LENGTH_MAX: usize = 4_096;

/// How far an issuer's clock may be off \[s\]: clocks that are kept by NTP differ by less.
pub(crate) const JWT_LEEWAY_S: u64 = 30;

/// Wrong tokens of one source that are looked at in [`WRONG_TOKENS_PER`] (acceptance S3).
pub(crate) const WRONG_TOKENS_MAX: u32 = 20;

/// See [`WRONG_TOKENS_MAX`].
pub(crate) const WRONG_TOKENS_PER: Duration = Duration::from_secs(60);

/// Sources of wrong tokens that are remembered: about 200 KB.
pub(crate) const WRONG_TOKEN_SOURCES_MAX: usize = 4_096;

/// Bytes of a recording read at once.
pub(crate) const RECORDING_CHUNK_BYTES: usize = 64 * 1024;

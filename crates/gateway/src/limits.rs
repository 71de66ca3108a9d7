//! Every bound of this room, with its reason.

use std::time::Duration;

/// Largest datagram that is read: what UDP can carry, and what `sip` parses.
pub const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Bytes of datagrams that the kernel keeps for each socket until they are read, which take there
/// about twice their length: some 2,000 requests. What it keeps unasked is filled by a hundred,
/// which come while a core does something else for 10 ms, and SIP repeats what is lost after half
/// a second.
pub const RECEIVE_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Messages that wait for the endpoint. Two seconds of 1,000 messages each; if every one is as
/// large as can be, 128 MB. When it is full datagrams are dropped, for SIP repeats them, and
/// streams wait.
pub const INBOUND_QUEUED_MAX: usize = 2_048;

/// Messages that wait on one connection. One call has fewer than five on their way, a trunk with
/// a hundred calls may ring them all at once. A peer that leaves more unread is cut.
pub const OUTGOING_QUEUED_MAX: usize = 256;

/// Connections at once: each of 5,000 legs may come over its own, and some are on their way out.
pub const CONNECTIONS_MAX: usize = 6_000;

/// Connections at once from one IPv4 address or IPv6 /64 (acceptance F6). A trunk needs a few; one
/// peer must not fill the table. A proxy on this machine, whose WebSockets are many browsers', is
/// free of it.
pub const CONNECTIONS_PER_IP_MAX: usize = 100;

/// Connections that are accepted together from one IPv4 address or IPv6 /64: all that it may have,
/// twice, as after a restart of ours.
pub const CONNECTIONS_BURST_MAX: u32 = 200;

/// Connections that are accepted from there in a second after that. Each may cost a handshake of
/// TLS, about a millisecond of the threads that the API is served by, too.
pub const CONNECTIONS_PER_SECOND_MAX: u32 = 50;

/// IPv4 addresses and IPv6 /64 of which is kept how often they came lately, at least: they are more
/// than there may be connections, so that none is forgotten that has one. Some 60 bytes each.
pub const COMERS_MAX: usize = 16_384;

/// Time between lines of the log on connections that cannot be accepted, which goes on for as long
/// as the system has no descriptor left.
pub const ACCEPT_TOLD_EVERY: Duration = Duration::from_secs(10);

/// Time in which an accepted connection must bring a whole message (acceptance F6).
pub const FIRST_MESSAGE_WITHIN: Duration = Duration::from_secs(10);

/// Time in which a message must be whole once it has begun (acceptance F6).
pub const MESSAGE_WITHIN: Duration = Duration::from_secs(30);

/// Time after which a connection without a message is closed. A phone that sends no keep-alives
/// says nothing between the INVITE and the BYE, so this is longer than any meeting. Peers that
/// have vanished are found much earlier, by the probes of TCP.
pub const IDLE_MAX: Duration = Duration::from_secs(8 * 60 * 60);

/// Silence after which TCP probes the peer, and the time between probes. Short enough to keep the
/// entry in a NAT, whose time-out must be no less than two hours by RFC 5382 and is five minutes
/// in the cheap ones.
pub const PROBE_EVERY: Duration = Duration::from_secs(60);

/// Time after which TCP gives up a peer that does not take what is sent: a transaction has timed
/// out by then. Without it the kernel repeats for a quarter of an hour, in which every call to a
/// phone that has lost its network is written and never heard.
pub const UNTAKEN_MAX: Duration = Duration::from_secs(30);

/// Probes without answer after which TCP gives the peer up. With [`PROBE_EVERY`], and as none is
/// waited for longer than [`UNTAKEN_MAX`], that is after two or three minutes.
pub const PROBES_MAX: u32 = 3;

/// Time in which the peer must take one message. Timer B gives a transaction 32 s; a peer that
/// takes nothing for 10 s has stopped reading.
pub const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Time for a connection to open: a SYN and two repetitions of it.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long answers are still written to a peer that has ended its side or broken the framing
/// (RFC 3261 §18.3: an unframed request is answered 400 before the connection is closed).
pub const LINGER: Duration = Duration::from_millis(500);

/// Bytes read from a connection at once: two messages of usual size.
pub const READ_BYTES: usize = 4_096;

/// Time for a name to be resolved; a caller waits for it.
pub const RESOLVE_WITHIN: Duration = Duration::from_secs(5);

/// Time for a name server to answer before it, or another one, is asked again: twice within
/// [`RESOLVE_WITHIN`].
pub const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Names that are resolved at once.
pub const RESOLVES_MAX: usize = 64;

/// Servers of a domain that are looked up: as many as a call tries addresses.
pub const SRV_TARGETS_MAX: usize = 4;

/// NAPTR records of a domain that are read: it has one for each transport, and some for other
/// services.
pub const RULES_MAX: usize = 16;

/// Transports of a domain whose servers are looked up: all that we can open.
pub const TRANSPORTS_MAX: usize = 3;

/// Attempts to find a port that is free for UDP and TCP when the system chooses it.
pub const PORT_CHOICES_MAX: usize = 16;

/// Longest time that a datagram is believed to have waited for us to read it: what
/// [`RECEIVE_BUFFER_BYTES`] keep is read within a second. More is a wall clock that was set.
pub const DATAGRAM_WAITED_MAX: Duration = Duration::from_secs(2);

/// Wait after an accept or a read from a socket failed, so that a lasting error (no descriptors)
/// does not spin.
pub const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Time between pings to a WebSocket client; one that says nothing for two of them is cut
/// (acceptance F6). Proxies before browsers drop what is silent for a minute.
pub const WEBSOCKET_PING_EVERY: Duration = Duration::from_secs(30);

/// Bytes that wait within a WebSocket, besides the messages of [`OUTGOING_QUEUED_MAX`]: one
/// message of greatest size with the frames of pongs.
pub const WEBSOCKET_BUFFER_BYTES_MAX: usize = 262_144;

/// Time between looks at whether the files of TLS were written. Whoever renews a certificate
/// expects it to be shown soon, not at once.
pub const TLS_FILES_LOOK_EVERY: Duration = Duration::from_secs(10);

/// Time before the end of a certificate from which on it is told to whoever has a configuration
/// checked. Those who renew them by a program do so a month before, so by then it has failed.
pub const CERTIFICATE_ENDS_SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Addresses whose name is kept for the check of their certificate: as many as lookups in a few
/// minutes. The name is needed until the connection is open, and to find it again.
pub const TLS_NAMES_MAX: usize = 1_024;

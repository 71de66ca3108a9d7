//! Every bound of this crate, with its reason.

use std::time::Duration;

use media::limits::PORTS_MAX;

/// Media threads. One for each core is what helps; more than any machine has is a slip, and each
/// takes memory and a ring of its own.
pub const MEDIA_THREADS_MAX: usize = 256;

/// Orders on their way to one media thread. It takes [`ORDERS_PER_TURN_MAX`] in each turn, at least
/// every 20 ms; when a burst fills the ring, whoever orders waits.
pub const ORDERS_QUEUED_MAX: usize = 1_024;

/// Orders that one turn takes: each is a few moves, so that all of them cost less than a room's
/// mix.
pub const ORDERS_PER_TURN_MAX: usize = 256;

/// How long an order waits for room in the ring before it is given up \[ms\]: the media thread has
/// been stuck for a thousand turns by then.
pub const ORDER_WAIT_MS_MAX: u64 = 5_000;

/// Reports and spent things on their way back from one media thread. What finds no room waits
/// where it is.
pub const RETURNS_QUEUED_MAX: usize = 8_192;

/// How long what came back is not looked at if nobody says that something did: whoever gives it
/// back says so, and this is only against a wake that came too early.
pub const RETURNS_WAIT_MAX: Duration = Duration::from_secs(1);

/// Turns that spent things wait to be dropped together, 100 ms: each time costs a wake, and a call
/// that comes or goes spends several. A media thread goes on for longer ([`IDLE_TURNS`]).
pub const SPENT_TURNS_MAX: u64 = 20;

/// Orders that wait for a leg on its way to another media thread: it takes two or three turns, in
/// which signalling agrees on something else once or twice.
pub const TRANSIT_ORDERS_MAX: usize = 64;

/// How long until it is tried again to let a leg in, when somebody else gives orders.
pub const TRANSIT_RETRY: Duration = Duration::from_millis(1);

/// Datagrams taken from one socket in a turn: 32 are 640 ms of packets of 20 ms, so a burst after a
/// stall is taken at once, and a flood on one port does not starve the others.
pub const DATAGRAMS_PER_SOCKET_MAX: usize = 32;

/// Longest datagram that is taken \[bytes\]: an Ethernet frame's; what is longer is cut and then
/// refused as RTP.
pub const DATAGRAM_BYTES_MAX: usize = 1_536;

/// Oldest stamp of the kernel that is believed \[µs\]: what seems to have waited for longer was
/// stamped before the wall clock was set.
pub const STAMP_AGE_US_MAX: u64 = 1_000_000;

/// Sockets that one turn reads: all of them.
pub const SOCKETS_PER_TURN_MAX: usize = PORTS_MAX;

/// Submissions to io_uring at once: some 16 µs of sends before the kernel is entered, and their
/// addresses stay in the first cache.
pub const SUBMISSIONS_MAX: usize = 256;

/// Room for what io_uring completed: twenty sockets with a burst each (they are done so many at a
/// time), and the kernel keeps what finds no room.
pub const COMPLETIONS_MAX: u32 = 4_096;

/// Sockets that io_uring is told at once to receive for: two packets each fill the buffers. A full
/// house is armed anew in as many entries as it takes to do all sockets.
pub const ARMED_AT_ONCE_MAX: usize = BUFFERS / 2;

/// Entries into the kernel in one turn: twice as many as it takes to do all sockets, twenty at a
/// time, so that a flood leaves time for the mix.
pub const ENTERS_PER_TURN_MAX: usize = 2 * PORTS_MAX / 20;

/// How often the kernel is asked to take what is queued: it takes all at once unless memory is
/// short.
pub const SUBMIT_TRIES_MAX: usize = 8;

/// Buffers that io_uring receives into: an entry takes some twenty packets, a burst at twenty
/// sockets 640. The kernel goes round through all of them, so few of them stay in the processor's
/// cache (200 KB). If they run out the rest waits in its sockets until some were given back.
pub const BUFFERS: usize = 128;

/// Packets that go out in one call: more than the two that a turn gives one socket at most.
pub const SENDS_PER_CALL_MAX: usize = 8;

/// Room in the kernel for each socket's datagrams \[bytes\], which it doubles: some 50 packets with
/// their bookkeeping, a second of one telephone.
pub const RECEIVE_BUFFER_BYTES: usize = 65_536;

/// How busy conferences keep a thread before others go to the next \[µs per second\]: two fifths of
/// a core, so that a machine half as fast as ours, and parties that come into conferences which
/// are there, still find time.
pub const THREAD_BUSY_US_MAX: u64 = 400_000;

/// A turn that begins so much late is counted \[µs\].
pub const LATE_US: u64 = 5_000;

/// Turns that are rendered one after the other to catch up: 200 ms. Whatever is older would only
/// fill the far ends' buffers, so it is left out and counted.
pub const CATCH_UP_TURNS_MAX: u64 = 40;

/// Turns that a media thread goes on after its last port and conference are gone: a second, in
/// which all that they leave behind is handed back.
pub const IDLE_TURNS: u64 = 200;

/// How long a media thread that has nobody sleeps if nobody wakes it. Whoever gives an order does,
/// and this only shows that the thread lives.
pub const IDLE_WAIT_MAX: Duration = Duration::from_secs(1);

/// Descriptors besides the media sockets: SIP and HTTP connections, recordings, the database.
pub const OTHER_DESCRIPTORS: u64 = 4_096;

/// Priority among real-time threads, 1 to 99: above whatever is not one, below what the kernel does
/// for interrupts (50).
pub const REALTIME_PRIORITY: i32 = 10;

/// Traffic class of what is sent: expedited forwarding (RFC 3246), shifted into the octet.
pub const TRAFFIC_CLASS: i32 = 46 << 2;

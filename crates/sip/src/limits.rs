//! Every bound of the endpoint, with its reason.

use std::time::Duration;

/// Largest message that is parsed, in bytes: what one UDP datagram can hold (RFC 3261 §18.1.1).
pub const MESSAGE_BYTES_MAX: usize = 65_536;

/// Most header lines of one message. The longest real ones have about 60 (Via and Route per hop).
pub const HEADERS_MAX: usize = 256;

/// Most comma separated values that are read of one header over all its lines: more than the 70
/// hops that a request may take, each of which adds a Via.
pub const HEADER_VALUES_MAX: usize = 128;

/// Most parameters of one URI or header value; real ones have fewer than ten.
pub const PARAMS_MAX: usize = 32;

/// Longest start line read from a stream before it is called garbage, in bytes.
/// RFC 4475 §3.1.1.7 has a Request-URI of some 350 bytes; HTTP servers allow 8 KB.
pub const START_LINE_BYTES_MAX: usize = 8_192;

/// Most parts of a multipart body that are looked at for the session description.
pub const MULTIPART_PARTS_MAX: usize = 16;

/// Longest boundary between the parts of a body, in bytes (RFC 2046 §5.1.1).
pub const BOUNDARY_BYTES_MAX: usize = 70;

/// Sessions at once, by default: a conference of 4,000 and as many calls again waiting or leaving.
pub const SESSIONS_MAX: usize = 8_192;

/// Calls a second that come and go and leave room for more: three times what must be taken.
const CALLS_PER_SECOND: usize = 1_500;

/// Transactions at once, by default: four for each session (its INVITE, a re-INVITE, a BYE, an
/// INFO), and the INVITE and the BYE of all calls that came and went in the last 64·T1 = 32 s, in
/// which copies of them may still come by UDP. Over the limit a request is answered 503 and nothing
/// is kept. One of those costs about half a kilobyte besides its response, so all of them 64 MB and
/// [`RESPONSE_BYTES_MAX`], whatever they hold.
pub const TRANSACTIONS_MAX: usize = 4 * SESSIONS_MAX + CALLS_PER_SECOND * 2 * 32;

/// Bytes of all responses that are kept because they may have to be sent again: one is as long as
/// its request has it, which is a stranger's choice. Those to the BYEs of all calls are 20 MB.
pub const RESPONSE_BYTES_MAX: usize = 128 << 20;

/// Addresses of one dialled name that are tried in turn (RFC 3263 §4.3): with Timer B at 32 s
/// nobody waits for more.
pub const TARGETS_MAX: usize = 4;

/// Answers (2xx) of different forks to one INVITE that are acknowledged and ended; the rest are
/// ignored, and their senders give up after 64·T1.
pub const FORKS_MAX: usize = 16;

/// Reliable provisional responses of one call that are acknowledged; a call that is answered later
/// still goes on without them. Real ones have fewer than ten.
pub const PRACKS_MAX: u32 = 256;

/// Longest wait for a final response to our INVITE once it rings. Timer C of a proxy is more than
/// three minutes (RFC 3261 §16.6), so a proxy in the way speaks first.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(200);

/// How long a request within a call waits for any response of a phone that has registered from
/// elsewhere since, before it goes there: with four copies by then, one of which would have come.
pub const MOVED_PATIENCE: Duration = Duration::from_secs(4);

/// Longest life of an INVITE that got provisional responses only: [`ANSWER_WAIT_MAX`], and 64·T1
/// for the answer to its CANCEL.
pub const FINAL_WAIT_MAX: Duration = Duration::from_secs(240);

/// A provisional response is repeated each minute while a caller waits (RFC 3261 §13.3.1.1).
pub const PROGRESS_INTERVAL: Duration = Duration::from_secs(60);

/// Longest time an INVITE may wait for its final response, whatever its `Expires` says: a queue may
/// hold a caller unanswered for long, but not for ever.
pub const EXPIRES_MAX: Duration = Duration::from_secs(3_600);

/// Shortest session interval that is accepted \[s\] (RFC 4028 §4 recommends 90 and forbids less).
pub const SESSION_INTERVAL_S_MIN: u32 = 90;

/// Longest session interval that is believed \[s\]: a day. What is longer finds no ghosts.
pub const SESSION_INTERVAL_S_MAX: u32 = 86_400;

/// Session interval that is asked for, by default \[s\] (RFC 4028 §4 recommends half an hour).
pub const SESSION_INTERVAL_S: u32 = 1_800;

/// Pause before a refresh that met another exchange is tried again: longer than the one of a
/// collision (RFC 3261 §14.1 has 4 s at most), shorter than the margin of any interval.
pub const REFRESH_PAUSE: Duration = Duration::from_secs(5);

/// Times an INVITE or a refresh is sent again because somebody on the way wants a longer session
/// interval: each time the interval grows, and there are few proxies.
pub const INTERVAL_RAISES_MAX: u8 = 4;

/// Headers that the user of the endpoint may add to one request: identity, privacy, diversion,
/// referral and user data make about ten; a trunk's own come on top.
pub const EXTRA_HEADERS_MAX: usize = 32;

/// Longest value of a header that is added, in bytes. User-to-User from contact centres holds up to
/// a thousand; the whole must stay far below [`MESSAGE_BYTES_MAX`].
pub const EXTRA_VALUE_BYTES_MAX: usize = 4_096;

/// Longest text of a MESSAGE, in bytes: three times what RFC 3428 §8 lets one be over UDP.
pub const TEXT_BYTES_MAX: usize = 4_096;

/// Subscriptions at once: one for each session, for a transfer under way or a roster that is shown.
/// Each remembers a dialog of about 1 KB.
pub const SUBSCRIPTIONS_MAX: usize = SESSIONS_MAX;

/// Shortest subscription that is granted, in seconds; a shorter one would be refreshed more often
/// than the roster changes.
pub const SUBSCRIPTION_S_MIN: u32 = 60;

/// Longest subscription that is granted, and that of a conference by default (RFC 4575 §3.4), in
/// seconds.
pub const SUBSCRIPTION_S_MAX: u32 = 3_600;

/// How long the progress of a REFER is told, and how long the next word of one of ours is awaited,
/// in seconds: longer than a call may ring
/// ([`ANSWER_WAIT_MAX`]).
pub const REFERRAL_S_MAX: u32 = 240;

/// `Retry-After` of a 503 when a limit is reached, in seconds, on average: each is told another one
/// from 1 to twice this.
pub const RETRY_AFTER_S: u32 = 5;

/// Hops a request of ours may take (RFC 3261 §8.1.1.6).
pub const MAX_FORWARDS: u8 = 70;

/// Longest reason phrase or reason text that is passed on, in bytes.
pub const PHRASE_BYTES_MAX: usize = 256;

/// How long a nonce of ours may be used. A registration's answer follows its challenge at once;
/// what comes later is challenged anew with `stale=true`, which phones answer without asking
/// anybody.
pub const NONCE_LIFE: Duration = Duration::from_secs(60);

/// Nonces with which a right password was shown and that are still in their life: 500 such requests
/// a second, each with a nonce of its own, for [`NONCE_LIFE`], and as many again. Over it a request
/// is answered 503.
pub const NONCES_KNOWN_MAX: usize = 65_536;

/// Places where one user may be reached at once: desk, softphone, mobile and their likes at home.
pub const BINDINGS_PER_USER_MAX: usize = 10;

/// Shortest registration, in seconds; a phone that asks for less is told (423). Phones behind NAT
/// like to ask for less than their NAT's minute, which is what keep-alives are for.
pub const REGISTRATION_S_MIN: u32 = 60;

/// Longest registration, in seconds; a phone that asks for more gets this.
pub const REGISTRATION_S_MAX: u32 = 7_200;

/// The registration of a phone that says nothing of its length, in seconds (RFC 3261 §10.2).
pub const REGISTRATION_S_DEFAULT: u32 = 3_600;

/// Fewest digits of a PIN: with fewer, what a caller may try of them in a day is a good part.
pub const PIN_LENGTH_MIN: usize = 4;

/// Most digits of a PIN: ISO 9564 has twelve.
pub const PIN_LENGTH_MAX: usize = 12;

/// The span over which wrong passwords are counted.
pub const GUESS_WINDOW: Duration = Duration::from_secs(60);

/// Wrong passwords of one source in [`GUESS_WINDOW`] that are looked at. Half of what an account
/// allows, so that one source that guesses does not lock the account's owner out elsewhere.
pub const GUESSES_PER_SOURCE_MAX: u32 = 10;

/// Wrong passwords for one account in [`GUESS_WINDOW`] that are looked at, whoever sends them: at
/// that pace a password of six letters takes thirty years.
pub const GUESSES_PER_ACCOUNT_MAX: u32 = 20;

/// Sources, and accounts, of wrong passwords that are counted at once. To be one a source must have
/// answered our nonce, so addresses cannot be made up. Over it only known phones may try.
pub const GUESSERS_KNOWN_MAX: usize = 16_384;

/// Signs by which the accounts of wrong passwords are told apart: more than a user's name has. A
/// guesser chooses the name, so each could otherwise be as long as a message.
pub const GUESSED_NAME_LENGTH_MAX: usize = 64;

/// Requests that a source may send at once before its rate counts: an office whose phones all
/// register when the power is back.
pub const REQUESTS_BURST_MAX: u32 = 400;

/// Requests of one source in a second: an office of some thousand phones behind one address, each
/// of which asks a few times a minute. Trusted hosts have no rate.
pub const REQUESTS_PER_SECOND_MAX: u32 = 100;

/// Requests that all strangers of one network (an IPv4 /24, an IPv6 /48) may send at once: all
/// phones of a large office that register when the power is back, each from its own address.
pub const NETWORK_REQUESTS_BURST_MAX: u32 = 10 * REQUESTS_BURST_MAX;

/// Requests of all strangers of one network in a second: those of ten sources. Who has all
/// addresses of a network floods no harder than that. Sources where a user has shown its password
/// are not counted.
pub const NETWORK_REQUESTS_PER_SECOND_MAX: u32 = 10 * REQUESTS_PER_SECOND_MAX;

/// Buckets that sources share, and as many that networks do; each has 16 bytes.
pub const SOURCES_COUNTED: usize = 16_384;

/// Longest pattern of a route, in bytes: longer than any number or name.
pub const PATTERN_BYTES_MAX: usize = 128;

/// Longest name that is looked up in the routes, in bytes; a longer one fits none.
pub const PATTERN_TEXT_MAX: usize = 255;

/// Challenges to one call of ours that are answered, to one request within it, or to one
/// registration until it is taken: one by the peer, one by a proxy before it, and each once more
/// with a fresh nonce.
pub const CHALLENGES_ANSWERED_MAX: u8 = 4;

/// Calls with a trunk at once, where nothing else is said: a primary rate interface has 30.
pub const TRUNK_CALLS: usize = 30;

/// Calls with a trunk that begin in one second, where nothing else is said: what carriers allow
/// small customers.
pub const TRUNK_CALLS_PER_SECOND: u32 = 5;

/// How long a call waits for any response of a trunk, where nothing else is said. A proxy that is
/// there says 100 within 200 ms (RFC 3261 §8.2.6.1); this leaves time for three losses.
pub const TRUNK_PATIENCE: Duration = Duration::from_secs(4);

/// How long a call then waits for more than 100 from a trunk that is not the last one, where
/// nothing else is said. By ITU-T E.721 it rings after 8 s abroad on average, and sooner elsewhere.
pub const TRUNK_PROGRESS_WITHIN: Duration = Duration::from_secs(10);

/// How often a trunk is asked whether it is there, where nothing else is said.
pub const TRUNK_PROBED_EVERY: Duration = Duration::from_secs(30);

/// How long a registration that failed waits to be tried again: soon enough after an outage, and
/// seldom enough not to be taken for somebody who guesses.
pub const REGISTER_AGAIN: Duration = Duration::from_secs(60);

/// The same while what was granted before still holds: a few tries before it is over, if that is
/// minutes away.
pub const REGISTER_SOON: Duration = Duration::from_secs(10);

/// Longest registration of ours with a trunk that is taken at its word, in seconds: a day.
pub const REGISTER_S_MAX: u32 = 86_400;

/// Largest request that goes by UDP where TCP can be had, in bytes (RFC 3261 §18.1.1): with its
/// headers of UDP and IP it fits into what a path of unknown MTU carries in one piece.
pub const DATAGRAM_BYTES_MAX: usize = 1_300;

/// How long messages may wait before they are looked at: nobody who calls notices it, and it is
/// long beside what is done with a message (a tenth of a millisecond). RFC 8289 §4.2 has the same.
pub const QUEUE_DELAY_MAX: Duration = Duration::from_millis(5);

/// Messages behind one that has waited that are a queue. Where fewer are, it was the machine that
/// came late (a neighbour had the core), and not too many that came.
pub const QUEUE_LENGTH_MIN: usize = 16;

/// For how long each of them may wait longer before new calls are refused: a burst, or a machine
/// that stood still, is caught up with by then, as it takes calls ten times faster than they come.
pub const OVERLOAD_BORNE: Duration = Duration::from_millis(100);

/// For how long it is remembered that new calls were refused: they are again as soon as messages
/// wait, so that the wait is bounded by [`QUEUE_DELAY_MAX`] and not by [`OVERLOAD_BORNE`].
pub const OVERLOAD_REMEMBERED: Duration = Duration::from_secs(1);

/// Emergency calls that may be there beyond the bounds of sessions, transactions, legs and
/// conferences: more than a house has people who call for help at once.
pub const EMERGENCY_RESERVE: usize = 32;

/// Emergency calls that are taken in one second in which others are refused for want of time: not a
/// hundredth of what can be done, so nobody floods us by them, and more than there are.
pub const EMERGENCY_CALLS_PER_SECOND_MAX: u32 = 10;

/// Over how long it is reckoned how many calls others should keep back (RFC 7339): a few hundred
/// calls where there are too many, and long beside the way to them and back.
pub const FEEDBACK_PERIOD: Duration = Duration::from_millis(500);

/// How long they are to keep them back if they are not told anew: two periods.
pub const FEEDBACK_VALIDITY: Duration = Duration::from_secs(1);

/// Of a hundred calls those that may come more after each period in which none was refused: from
/// nothing to all in ten seconds, and one in twenty is refused while the bound is felt for.
pub const FEEDBACK_RECOVERS_BY: u32 = 5;

/// Of a hundred calls those that may always come: without any it would not be seen that there is
/// room again.
pub const FEEDBACK_KEPT_MIN: u32 = 5;

/// A bound that others can run into. Each time is counted, in one place: where it is refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Limit {
    /// [`MESSAGE_BYTES_MAX`].
    MessageBytes,
    /// [`HEADERS_MAX`].
    Headers,
    /// [`HEADER_VALUES_MAX`], of Via: of other headers the rest is not read.
    HeaderValues,
    /// [`PARAMS_MAX`].
    Params,
    /// [`MULTIPART_PARTS_MAX`].
    MultipartParts,
    /// [`TEXT_BYTES_MAX`].
    TextBytes,
    /// [`SESSIONS_MAX`].
    Sessions,
    /// [`TRANSACTIONS_MAX`].
    Transactions,
    /// [`RESPONSE_BYTES_MAX`].
    ResponseBytes,
    /// [`SUBSCRIPTIONS_MAX`].
    Subscriptions,
    /// [`BINDINGS_PER_USER_MAX`].
    Bindings,
    /// [`NONCES_KNOWN_MAX`].
    Nonces,
    /// [`GUESSES_PER_SOURCE_MAX`], [`GUESSES_PER_ACCOUNT_MAX`] and [`GUESSERS_KNOWN_MAX`].
    WrongPasswords,
    /// [`QUEUE_DELAY_MAX`], for [`OVERLOAD_BORNE`].
    QueueDelay,
    /// [`REQUESTS_BURST_MAX`] and [`REQUESTS_PER_SECOND_MAX`].
    RequestRate,
    /// [`NETWORK_REQUESTS_BURST_MAX`] and [`NETWORK_REQUESTS_PER_SECOND_MAX`].
    NetworkRequestRate,
}

impl Limit {
    /// All that there are.
    pub const ALL: [Limit; 16] = [
        Limit::MessageBytes,
        Limit::Headers,
        Limit::HeaderValues,
        Limit::Params,
        Limit::MultipartParts,
        Limit::TextBytes,
        Limit::Sessions,
        Limit::Transactions,
        Limit::ResponseBytes,
        Limit::Subscriptions,
        Limit::Bindings,
        Limit::Nonces,
        Limit::WrongPasswords,
        Limit::QueueDelay,
        Limit::RequestRate,
        Limit::NetworkRequestRate,
    ];

    /// Its name among counters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Limit::MessageBytes => "message_bytes",
            Limit::Headers => "headers",
            Limit::HeaderValues => "header_values",
            Limit::Params => "params",
            Limit::MultipartParts => "multipart_parts",
            Limit::TextBytes => "text_bytes",
            Limit::Sessions => "sessions",
            Limit::Transactions => "transactions",
            Limit::ResponseBytes => "response_bytes",
            Limit::Subscriptions => "subscriptions",
            Limit::Bindings => "bindings",
            Limit::Nonces => "nonces",
            Limit::WrongPasswords => "wrong_passwords",
            Limit::QueueDelay => "queue_delay",
            Limit::RequestRate => "request_rate",
            Limit::NetworkRequestRate => "network_request_rate",
        }
    }
}

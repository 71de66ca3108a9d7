//! Messages at their bounds and one beyond: what is too much is refused at once, is counted, and
//! the next message is answered (acceptance F5).

use std::time::{Duration, Instant};

use sip::access::Access;
use sip::limits::{
    HEADER_VALUES_MAX, HEADERS_MAX, Limit, MULTIPART_PARTS_MAX, PARAMS_MAX, RESPONSE_BYTES_MAX,
};
use sip::message::{HeaderName, Message, StatusCode, parse};
use sip::{Alive, Config, Endpoint, Flow, LimitCounts, Output, SessionEvent, Transport};

use crate::world::World;

const STRANGER: &str = "192.0.2.99:5060";

/// What a fresh endpoint answers to a request with that head and body, and by which limits it is
/// refused.
fn answer(method: &str, more: &str, body: &str) -> (u16, Vec<Limit>) {
    let mut world = World::new(1, 1);
    let text = format!(
        "{method} sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {STRANGER};branch=z9hG4bKa\r\n\
         From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: a\r\nCSeq: 1 {method}\r\n\
         Max-Forwards: 70\r\nContact: <sip:a@{STRANGER}>\r\n{more}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    world.inject(0, STRANGER, text.as_bytes());
    let [(_, bytes), ..] = &world.caught[..] else { panic!("no answer to {more:.80}") };
    let Ok(Message::Response(response)) = parse(bytes) else { panic!("no response") };
    let stats = world.nodes[0].endpoint.stats();
    let reached = stats.limits.iter().filter(|(_, count)| *count > 0);
    let limits: Vec<Limit> = reached.map(|(limit, _)| limit).collect();
    assert!(limits.iter().all(|limit| stats.limits.of(*limit) == 1), "once each: {limits:?}");
    world.caught.clear();
    let options = text.replace(&format!("{method} "), "OPTIONS ").replace(method, "OPTIONS");
    let options = options.replace(more, "").replace("z9hG4bKa", "z9hG4bKb");
    let end = options.find("Content-Length").expect("a length");
    let options = format!("{}Content-Length: 0\r\n\r\n", &options[..end]);
    world.inject(0, STRANGER, options.as_bytes());
    assert_eq!(world.caught.len(), 1, "the next message is answered");
    (response.status.code(), limits)
}

#[test]
fn header_lines_and_values_are_bounded() {
    // The request has eight lines besides.
    let lines = |count: usize| "X-Line: 1\r\n".repeat(count - 8);
    assert_eq!(answer("OPTIONS", &lines(HEADERS_MAX), ""), (200, vec![]));
    assert_eq!(answer("OPTIONS", &lines(HEADERS_MAX + 1), ""), (400, vec![Limit::Headers]));
    // A Via of its own, and those that it claims to have passed.
    let vias = |count: usize| {
        let via = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx";
        format!("Via: {}\r\n", vec![via; count - 1].join(","))
    };
    assert_eq!(answer("OPTIONS", &vias(HEADER_VALUES_MAX - 1), ""), (200, vec![]));
    let refused = (400, vec![Limit::HeaderValues]);
    assert_eq!(answer("OPTIONS", &vias(HEADER_VALUES_MAX), ""), refused);
}

#[test]
fn parameters_of_a_uri_and_of_a_header_are_bounded() {
    let params = |count: usize| (0..count).map(|at| format!(";p{at}=1")).collect::<String>();
    let refused = (400, vec![Limit::Params]);
    let via = |count: usize| {
        let via = format!("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx{}\r\n", params(count - 1));
        answer("OPTIONS", &via, "")
    };
    assert_eq!(via(PARAMS_MAX), (200, vec![]));
    assert_eq!(via(PARAMS_MAX + 1), refused);
    // The user of a URI may hold semicolons, and so may what is quoted.
    let route = |user: usize, uri: usize| {
        let (user, uri) = (params(user), params(uri));
        answer("INVITE", &format!("Record-Route: <sip:u{user}@192.0.2.1;lr{uri}>\r\n"), "")
    };
    assert_eq!(route(40, PARAMS_MAX - 1), (100, vec![]));
    assert_eq!(route(0, PARAMS_MAX), refused);
}

/// A body of so many parts, the last of which is the description.
fn parts(count: usize) -> String {
    let other = "--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n".repeat(count - 1);
    format!("{other}--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--x--\r\n")
}

#[test]
fn a_description_is_looked_for_among_so_many_parts_and_not_within_parts() {
    let multipart = "Content-Type: multipart/mixed;boundary=x\r\n";
    assert_eq!(answer("INVITE", multipart, &parts(MULTIPART_PARTS_MAX)), (100, vec![]));
    let refused = (413, vec![Limit::MultipartParts]);
    assert_eq!(answer("INVITE", multipart, &parts(MULTIPART_PARTS_MAX + 1)), refused);
    // A text is looked for among as many.
    let pages = parts(MULTIPART_PARTS_MAX + 1).replace("plain", "html");
    assert_eq!(answer("MESSAGE", multipart, &pages), refused);
    let within = parts(1).replace("--x", "--y");
    let nested =
        format!("--x\r\nContent-Type: multipart/mixed;boundary=y\r\n\r\n{within}\r\n--x--\r\n");
    assert_eq!(answer("INVITE", multipart, &nested).0, 415);
    let deep = (0..1_000).fold(String::new(), |deep, _| {
        deep + "--x\r\nContent-Type: multipart/mixed;boundary=x\r\n\r\n"
    });
    assert_eq!(answer("INVITE", multipart, &deep), refused);
}

/// One who sends whatever it likes, and an endpoint that takes each of its calls.
struct Caller {
    endpoint: Endpoint,
    flow: Flow,
    now: Instant,
    calls: u64,
}

impl Caller {
    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    fn new() -> Caller {
        let [local, remote] = ["10.0.0.1:5060", STRANGER].map(|at| at.parse().expect("address"));
        let mut config = Config::new(vec![(Transport::Udp, local)]);
        // A trusted host has no rate.
        config.access = Access::everybody();
        let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
        Caller { endpoint: Endpoint::new(config, 1), flow, now: Instant::now(), calls: 0 }
    }

    /// Sends a request of the newest call and takes the status and To of the last answer.
    fn ask(&mut self, method: &str, to: &str, more: &str) -> Option<(StatusCode, String)> {
        let number = if method == "BYE" { 2 } else { 1 };
        let calls = self.calls;
        let text = format!(
            "{method} sip:b@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {STRANGER};branch=z9hG4bK{calls}\
             {method}\r\nFrom: <sip:p@x>;tag={calls}\r\nTo: {to}\r\nCall-ID: {calls}\r\n\
             CSeq: {number} {method}\r\nContact: <sip:p@{STRANGER}>\r\n{more}\r\n"
        );
        self.endpoint.receive(self.now, self.flow, text.as_bytes());
        let mut answer = None;
        while let Some(output) = self.endpoint.poll() {
            match output {
                Output::Session(id, SessionEvent::Incoming(_)) => {
                    self.endpoint.accept(self.now, id, b"v=0\r\n".to_vec()).expect("it waits");
                }
                Output::Transmit { bytes, .. } => {
                    let Ok(Message::Response(response)) = parse(&bytes) else {
                        panic!("a request")
                    };
                    let to = response.headers.text(&HeaderName::To).expect("a To");
                    answer = Some((response.status, to.into_owned()));
                }
                Output::Resolve { .. }
                | Output::Session(..)
                | Output::Registered(_)
                | Output::Security(_)
                | Output::Trunk(..)
                | Output::Subscription(..)
                | Output::Text(..) => {}
            }
        }
        answer
    }

    /// A call that is taken and ends at once.
    fn call(&mut self) {
        self.calls += 1;
        let (status, to) = self.ask("INVITE", "<sip:b@x>", "").expect("an answer");
        assert_eq!(status, StatusCode::OK, "call {}", self.calls);
        assert_eq!(self.ask("ACK", &to, ""), None);
        let (status, _) = self.ask("BYE", &to, "").expect("an answer");
        assert_eq!(status, StatusCode::OK, "call {}", self.calls);
    }

    fn wait(&mut self, span: Duration) {
        self.now += span;
        self.endpoint.handle_timeout(self.now);
    }
}

#[test]
fn fifteen_hundred_calls_come_and_go_each_second_for_longer_than_they_are_remembered() {
    let mut caller = Caller::new();
    for _ in 0..34 {
        caller.wait(Duration::from_secs(1));
        for _ in 0..1_500 {
            caller.call();
        }
    }
    let alive = caller.endpoint.alive();
    assert_eq!((alive.sessions, alive.server_transactions), (0, 1_500 * 2 * 32));
    assert_eq!(caller.endpoint.stats().limits, LimitCounts::default());
    caller.wait(Duration::from_secs(32));
    assert_eq!(caller.endpoint.alive(), Alive::default());
}

#[test]
fn long_answers_that_may_be_asked_for_again_take_so_much_room_and_no_more() {
    let mut caller = Caller::new();
    let proxies = format!("Via: SIP/2.0/UDP 192.0.2.1;x={}\r\n", "y".repeat(60_000));
    let mut taken = 0;
    let refused = loop {
        caller.calls += 1;
        let (status, to) = caller.ask("INVITE", "<sip:b@x>", &proxies).expect("an answer");
        if status != StatusCode::OK {
            break status;
        }
        caller.ask("ACK", &to, "");
        caller.ask("BYE", &to, &proxies);
        taken += 1;
    };
    assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(caller.endpoint.stats().limits.of(Limit::ResponseBytes), 1);
    // Each BYE's answer is longer than what it repeats, and not by much.
    assert!((60_000..60_500).contains(&(RESPONSE_BYTES_MAX / taken)), "{taken} were taken");
    caller.wait(Duration::from_secs(32));
    caller.call();
}

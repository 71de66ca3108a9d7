//! The focus (RFC 4579) as a phone that is written by hand sees it: who is told of the roster, and
//! who may add and remove others by REFER.

#![expect(clippy::unwrap_used, reason = "a test says that it failed by panicking")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use model::{LocalMedia, MediaOrder, MediaReport, TapRate};
use sip::access::{Access, Pattern, Route, Target, Template};
use sip::message::{HeaderName, Message, NameAddr, Request, Response, parse};
use sip::{Flow, Transport};
use switchboard::{Config, Input, Output, Room, Switchboard};

const SERVER: &str = "10.0.0.1:5060";

/// A profile in which whoever is in may call others in and remove them.
const TRUSTING: &str = r#"
name = "trusting"
about = "Whoever is in may call others in and remove them."
parties_max = 10

[roles]
first_of_ours = "guest"
of_ours = "guest"
caller = "guest"
outsider = "guest"

[[permission]]
role = ["guest"]
to = ["conference"]
may = ["enter", "invite"]

[[permission]]
role = ["guest"]
to = ["added", "third"]
may = ["remove"]
"#;

struct House {
    now: Instant,
    board: Switchboard,
    ports: u16,
    /// Messages that were sent, with where to.
    sent: Vec<(SocketAddr, Message)>,
}

impl House {
    fn new() -> House {
        House::letting_in(Access::everybody())
    }

    fn letting_in(access: Access) -> House {
        #[expect(clippy::disallowed_methods, reason = "virtual time begins at some instant")]
        let now = Instant::now();
        let listeners = vec![(Transport::Udp, SERVER.parse().unwrap())];
        let room = Room {
            record: false,
            recording_rate: TapRate::Hz16000,
            parties_max: 10,
            profile: call::parse(TRUSTING).unwrap(),
        };
        let config = Config {
            sip: sip::Config { focus: true, access, ..sip::Config::new(listeners) },
            rooms: BTreeMap::new(),
            any_room: room,
            started: now,
            started_ms: 1_700_000_000_000,
        };
        House { now, board: Switchboard::new(config, 7), ports: 20_000, sent: Vec::new() }
    }

    fn receive(&mut self, from: SocketAddr, text: &str) {
        let local = SERVER.parse().unwrap();
        let flow = Flow { transport: Transport::Udp, local, remote: from, connection: None };
        let bytes = text.as_bytes();
        self.board.handle(self.now, Input::Message { flow, bytes });
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.board.poll() {
            match output {
                Output::Transmit { flow, bytes } => {
                    self.sent.push((flow.remote, parse(&bytes).unwrap()));
                }
                Output::Media(MediaOrder::Open { leg, local, .. }) => {
                    self.ports += 2;
                    let local = LocalMedia { rtp: SocketAddr::new(local, self.ports) };
                    self.board.handle(self.now, Input::Media(MediaReport::Opened { leg, local }));
                }
                Output::Resolve { .. }
                | Output::Media(_)
                | Output::Answer { .. }
                | Output::Event(_)
                | Output::Quality { .. }
                | Output::Registered(_)
                | Output::Security(_) => {}
            }
        }
    }

    fn run(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.board.handle_timeout(self.now);
        self.drain();
    }

    /// What was sent to that address since it was asked last.
    fn take(&mut self, to: SocketAddr) -> Vec<Message> {
        let (taken, left) = self.sent.drain(..).partition(|(remote, _)| *remote == to);
        self.sent = left;
        let taken: Vec<(SocketAddr, Message)> = taken;
        taken.into_iter().map(|(_, message)| message).collect()
    }
}

/// A phone at an address of its own.
struct Phone {
    name: &'static str,
    address: SocketAddr,
    call_id: String,
    tag: String,
    cseq: u32,
}

impl Phone {
    fn new(name: &'static str, number: u8) -> Phone {
        let address = SocketAddr::from(([10, 0, 1, number], 5060));
        let (call_id, tag) = (format!("call-{name}"), String::new());
        Phone { name, address, call_id, tag, cseq: 0 }
    }

    /// A request, in the phone's dialog once it has one.
    fn request(&mut self, method: &str, more: &str, body: &str) -> String {
        self.cseq += u32::from(method != "ACK");
        let tag = if self.tag.is_empty() { String::new() } else { format!(";tag={}", self.tag) };
        let Phone { name, address, call_id, cseq, .. } = self;
        format!(
            "{method} sip:room@{SERVER} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {address};branch=z9hG4bK{method}{call_id}{cseq}\r\n\
             From: <sip:{name}@home>;tag=t{name}\r\nTo: <sip:room@{SERVER}>{tag}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{name}@{address}>\r\n\
             Max-Forwards: 70\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn send(&mut self, house: &mut House, method: &str, more: &str) -> Vec<Message> {
        let text = self.request(method, more, "");
        house.receive(self.address, &text);
        house.take(self.address)
    }

    /// Calls the room, and is in it.
    fn join(&mut self, house: &mut House) {
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP 0\r\n",
            ip = self.address.ip()
        );
        let invite = self.request("INVITE", "Content-Type: application/sdp\r\n", &sdp);
        house.receive(self.address, &invite);
        let messages = house.take(self.address);
        let Some(Message::Response(ok)) = messages.last() else { panic!("{messages:?}") };
        assert_eq!(ok.status.code(), 200);
        let to: NameAddr = text(&ok.headers, HeaderName::To).parse().unwrap();
        self.tag = to.tag().unwrap().to_owned();
        let ack = self.request("ACK", "", "");
        house.receive(self.address, &ack);
    }

    /// The same phone, outside of its dialog.
    fn outside(&self, call_id: &str) -> Phone {
        let (name, address) = (self.name, self.address);
        Phone { name, address, call_id: call_id.to_owned(), tag: String::new(), cseq: 0 }
    }

    /// The phone's dialog, as Target-Dialog names it.
    fn target_dialog(&self) -> String {
        let Phone { name, call_id, tag, .. } = self;
        format!("Target-Dialog: {call_id};local-tag={tag};remote-tag=t{name}\r\n")
    }

    fn answer(&self, house: &mut House, request: &Request) {
        use HeaderName::{CSeq, CallId, From, To, Via};
        let mut answer = "SIP/2.0 200 OK\r\n".to_owned();
        for name in [Via, From, To, CallId, CSeq] {
            let value = text(&request.headers, name.clone());
            answer += &format!("{}: {value}\r\n", name.spelling());
        }
        house.receive(self.address, &format!("{answer}Content-Length: 0\r\n\r\n"));
    }

    /// Takes a NOTIFY that has come; gives its standing and its body.
    fn take_notify(&self, house: &mut House) -> (String, String) {
        let messages = house.take(self.address);
        let notify = notify_in(&messages);
        self.answer(house, &notify);
        let body = String::from_utf8(notify.body).unwrap();
        (text(&notify.headers, HeaderName::SubscriptionState), body)
    }
}

fn text(headers: &sip::message::Headers, name: HeaderName) -> String {
    headers.text(&name).unwrap_or_default().into_owned()
}

fn notify_in(messages: &[Message]) -> Request {
    let notifies = messages.iter().filter_map(|message| match message {
        Message::Request(request) if request.method.name() == "NOTIFY" => Some(request.clone()),
        Message::Request(_) | Message::Response(_) => None,
    });
    let [notify] = &notifies.collect::<Vec<_>>()[..] else { panic!("{messages:?}") };
    notify.clone()
}

fn statuses(messages: &[Message]) -> Vec<u16> {
    let responses = messages.iter().filter_map(|message| match message {
        Message::Response(Response { status, .. }) => Some(status.code()),
        Message::Request(_) => None,
    });
    responses.collect()
}

#[test]
fn a_watcher_is_told_the_whole_then_what_changes_then_the_end() {
    let mut house = House::new();
    let (mut alice, mut bob) = (Phone::new("alice", 1), Phone::new("bob", 2));
    alice.join(&mut house);
    let subscribed = alice.send(&mut house, "SUBSCRIBE", "Event: conference\r\nExpires: 600\r\n");
    assert_eq!(statuses(&subscribed), [200]);
    let whole = notify_in(&subscribed);
    let body = String::from_utf8(whole.body.clone()).unwrap();
    assert!(body.contains("state=\"full\" version=\"1\""), "{body}");
    assert!(body.contains("sip:alice@home") && !body.contains("bob"), "{body}");
    // While its answer is out, what happens gathers.
    bob.join(&mut house);
    assert_eq!(house.take(alice.address), []);
    alice.answer(&mut house, &whole);
    let (_, body) = alice.take_notify(&mut house);
    assert!(body.contains("state=\"partial\" version=\"2\""), "{body}");
    assert!(body.contains("sip:bob@home") && !body.contains("entity=\"sip:alice@home"), "{body}");
    assert!(body.contains("<user-count>2</user-count>"), "{body}");
    bob.send(&mut house, "BYE", "");
    let (_, body) = alice.take_notify(&mut house);
    assert!(body.contains("<user entity=\"sip:bob@home\" state=\"deleted\"/>"), "{body}");
    alice.send(&mut house, "BYE", "");
    house.run(600);
    // The roster ends with the conference; the phone's BYE was answered before.
    let (standing, body) = alice.take_notify(&mut house);
    assert_eq!((standing.as_str(), body.as_str()), ("terminated;reason=noresource", ""));
    house.run(60_000);
    assert!(house.board.is_idle());
}

#[test]
fn only_who_is_in_a_conference_may_watch_it() {
    let mut house = House::new();
    let mut alice = Phone::new("alice", 1);
    alice.join(&mut house);
    let event = "Event: conference\r\nExpires: 0\r\n";
    let asked = |house: &mut House, phone: &mut Phone, more: &str| {
        let messages = phone.send(house, "SUBSCRIBE", &format!("{event}{more}"));
        if statuses(&messages) == [200] {
            let notify = notify_in(&messages);
            phone.answer(house, &notify);
        }
        statuses(&messages)
    };
    let mut stranger = Phone::new("mallory", 66);
    assert_eq!(asked(&mut house, &mut stranger, ""), [403]);
    // Under another's name, from elsewhere.
    let mut liar = Phone { name: "alice", ..Phone::new("mallory", 66) };
    liar.call_id = "lie".to_owned();
    assert_eq!(asked(&mut house, &mut liar, ""), [403]);
    // From the host that it called from; by naming its dialog; by guessing one.
    assert_eq!(asked(&mut house, &mut alice.outside("o1"), ""), [200]);
    let named = alice.target_dialog();
    assert_eq!(asked(&mut house, &mut Phone::new("desk", 7), &named), [200]);
    let guess = named.replace("local-tag=", "local-tag=x");
    assert_eq!(asked(&mut house, &mut Phone::new("thief", 8), &guess), [403]);
    let mut lost = Phone::new("lost", 9);
    let text = lost.request("SUBSCRIBE", event, "").replace("sip:room@", "sip:nowhere@");
    house.receive(lost.address, &text);
    assert_eq!(statuses(&house.take(lost.address)), [404]);
}

#[test]
fn a_participant_adds_and_removes_others_by_refer_to_the_conference() {
    let mut house = House::new();
    let (mut alice, bob) = (Phone::new("alice", 1), Phone::new("bob", 2));
    alice.join(&mut house);
    let known = alice.target_dialog();
    let invite = format!("Refer-To: <sip:bob@{};method=INVITE>\r\n", bob.address);
    let mut stranger = Phone::new("mallory", 66);
    assert_eq!(statuses(&stranger.send(&mut house, "REFER", &invite)), [403]);
    let mut outside = alice.outside("refer");
    let messages = outside.send(&mut house, "REFER", &format!("{invite}{known}"));
    assert_eq!(statuses(&messages), [202]);
    let trying = notify_in(&messages);
    assert_eq!(trying.body, b"SIP/2.0 100 Trying\r\n");
    outside.answer(&mut house, &trying);
    let called = house.take(bob.address);
    let [Message::Request(call)] = &called[..] else { panic!("{called:?}") };
    assert!(text(&call.headers, HeaderName::Contact).ends_with(";isfocus"));
    house.receive(bob.address, &busy(call));
    let (standing, body) = alice.take_notify(&mut house);
    assert_eq!(
        (standing.as_str(), body.as_str()),
        ("terminated;reason=noresource", "SIP/2.0 486 Busy Here\r\n")
    );
    // Now bob comes by himself, and alice has him removed.
    let mut bob = Phone::new("bob", 3);
    bob.join(&mut house);
    let bye = "Refer-To: <sip:bob@home;method=BYE>\r\nRefer-Sub: false\r\n";
    assert_eq!(statuses(&alice.send(&mut house, "REFER", bye)), [202]);
    let messages = house.take(bob.address);
    assert!(matches!(&messages[..], [Message::Request(bye)] if bye.method.name() == "BYE"));
    assert_eq!(statuses(&alice.send(&mut house, "REFER", bye)), [404], "nobody is there twice");
}

fn busy(call: &Request) -> String {
    use HeaderName::{CSeq, CallId, From, Via};
    let mut answer = "SIP/2.0 486 Busy Here\r\n".to_owned();
    for name in [Via, From, CallId, CSeq] {
        let value = text(&call.headers, name.clone());
        answer += &format!("{}: {value}\r\n", name.spelling());
    }
    let to = text(&call.headers, HeaderName::To);
    format!("{answer}To: {to};tag=b\r\nContent-Length: 0\r\n\r\n")
}

/// Else anybody could place calls at our cost, or sit down in another's seat.
#[test]
fn a_stranger_that_came_by_an_open_route_has_nobody_called_and_takes_no_seat() {
    let pattern: Pattern = "*".parse().unwrap();
    let to = Target::Conference(Template::parse("$1", &pattern).unwrap());
    let open = Route { from: sip::access::From::Any, pattern, to, open: true };
    let mut house = House::letting_in(Access { routes: vec![open], ..Access::local() });
    let (mut mallory, mut alice) = (Phone::new("mallory", 66), Phone::new("alice", 1));
    mallory.join(&mut house);
    alice.join(&mut house);
    for method in ["", ";method=INVITE"] {
        let canary = "10.0.1.9:5060";
        let refer = format!("Refer-To: <sip:toll@{canary}{method}>\r\n");
        assert_eq!(statuses(&mallory.send(&mut house, "REFER", &refer)), [403], "{method}");
        house.run(1_000);
        assert_eq!(house.take(canary.parse().unwrap()), []);
    }
    let Phone { name, call_id, tag, .. } = &alice;
    let replaces = format!("Replaces: {call_id};to-tag={tag};from-tag=t{name}\r\n");
    let mut thief = mallory.outside("theft");
    assert_eq!(statuses(&thief.send(&mut house, "INVITE", &replaces)), [403]);
}

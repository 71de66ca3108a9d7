//! A switchboard with phones that are written by hand.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use model::{
    Accepted, Action, Author, Command, ConferenceName, Connection, LocalMedia, MediaOrder,
    MediaReport, Refusal, TapRate,
};
use sip::access::{Access, From, Pattern, Route, Target, Template};
use sip::message::{HeaderName, Message, NameAddr, Request, Response, parse};
use sip::{ConnectionId, Flow, Transport};
use switchboard::{Config, Input, Output, Room, SrtpRules, Switchboard, TrunkAudio};

pub(crate) const SERVER: &str = "10.0.0.1:5060";

/// Where it listens by IPv6.
pub(crate) const SERVER_BY_IPV6: &str = "[2001:db8::1]:5060";

/// Where it listens for TLS.
pub(crate) const SERVER_BY_TLS: &str = "10.0.0.1:5061";

/// A profile in which whoever is in may call others in and remove them, and pass its seat on.
const TRUSTING: &str = r#"
name = "trusting"
about = "Whoever is in may call others in, remove them, and pass its seat on."
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
to = ["myself"]
may = ["transfer", "take_over"]

[[permission]]
role = ["guest"]
to = ["added", "third"]
may = ["remove"]

[[permission]]
role = ["admin"]
to = ["conference"]
may = ["invite"]

[[permission]]
role = ["admin"]
to = ["third"]
may = ["send_digits"]
"#;

pub(crate) struct House {
    pub(crate) now: Instant,
    pub(crate) board: Switchboard,
    ports: u16,
    /// Messages that were sent, with where to.
    sent: Vec<(SocketAddr, Message)>,
    answers: Vec<Result<Accepted, Refusal>>,
    /// What was agreed on with legs.
    pub(crate) connected: Vec<Connection>,
    /// Who had no right to what.
    pub(crate) denied: Vec<(Author, Action, Refusal)>,
    /// Why somebody was told of in the log.
    pub(crate) suspicions: Vec<&'static str>,
    /// Who had a country called that it had not called before.
    pub(crate) countries: Vec<(String, String)>,
    /// Who called which emergency number.
    pub(crate) emergencies: Vec<(Option<String>, String)>,
    /// With whom a call was not to be, for its keys would have been told.
    pub(crate) keys_in_clear: Vec<String>,
}

impl House {
    pub(crate) fn new() -> House {
        House::letting_in(Access::everybody())
    }

    pub(crate) fn letting_in(access: Access) -> House {
        House::agreeing(access, BTreeMap::new())
    }

    pub(crate) fn agreeing(access: Access, trunk_audio: BTreeMap<String, TrunkAudio>) -> House {
        House::protecting(access, trunk_audio, SrtpRules::default())
    }

    pub(crate) fn protecting(
        access: Access,
        trunk_audio: BTreeMap<String, TrunkAudio>,
        srtp: SrtpRules,
    ) -> House {
        House::furnished((access, trunk_audio, srtp), TRUSTING, None)
    }

    /// A house that is reached by that address from outside.
    pub(crate) fn advertising(advertised: IpAddr) -> House {
        let open = (Access::everybody(), BTreeMap::new(), SrtpRules::default());
        House::furnished(open, TRUSTING, Some(advertised))
    }

    /// A house whose rooms follow that profile.
    pub(crate) fn following(profile: &str) -> House {
        let open = (Access::everybody(), BTreeMap::new(), SrtpRules::default());
        House::furnished(open, profile, None)
    }

    fn furnished(
        (access, trunk_audio, srtp): (Access, BTreeMap<String, TrunkAudio>, SrtpRules),
        profile: &str,
        advertised: Option<IpAddr>,
    ) -> House {
        #[expect(clippy::disallowed_methods, reason = "virtual time begins at some instant")]
        let now = Instant::now();
        let (udp, tls) = (Transport::Udp, Transport::Tls);
        let listeners = [(udp, SERVER), (tls, SERVER_BY_TLS), (udp, SERVER_BY_IPV6)];
        let listeners = listeners.map(|(kind, at)| (kind, at.parse().unwrap())).to_vec();
        let room = Room {
            record: false,
            recording_rate: TapRate::Hz16000,
            parties_max: 10,
            profile: call::parse(profile).unwrap(),
        };
        let config = Config {
            sip: sip::Config { focus: true, access, advertised, ..sip::Config::new(listeners) },
            rooms: BTreeMap::new(),
            callers: [(ConferenceName::parse("desk").unwrap(), "+4930999".to_owned())].into(),
            trunk_audio,
            rtp_timeouts: switchboard::RtpTimeouts::default(),
            prompts: Default::default(),
            any_room: room,
            srtp,
            started: now,
            started_ms: 1_700_000_000_000,
        };
        let board = Switchboard::new(config, 7);
        House {
            now,
            board,
            ports: 20_000,
            sent: Vec::new(),
            answers: Vec::new(),
            connected: Vec::new(),
            denied: Vec::new(),
            suspicions: Vec::new(),
            countries: Vec::new(),
            emergencies: Vec::new(),
            keys_in_clear: Vec::new(),
        }
    }

    pub(crate) fn receive(&mut self, from: SocketAddr, text: &str) {
        let server = if from.is_ipv4() { SERVER } else { SERVER_BY_IPV6 };
        let local = server.parse().unwrap();
        let flow = Flow { transport: Transport::Udp, local, remote: from, connection: None };
        self.receive_along(flow, text);
    }

    /// The same over a connection by TLS.
    pub(crate) fn receive_by_tls(&mut self, from: SocketAddr, text: &str) {
        let local = SERVER_BY_TLS.parse().unwrap();
        let connection = Some(ConnectionId(u64::from(from.port())));
        let flow = Flow { transport: Transport::Tls, local, remote: from, connection };
        self.receive_along(flow, &text.replace("SIP/2.0/UDP", "SIP/2.0/TLS"));
    }

    fn receive_along(&mut self, flow: Flow, text: &str) {
        let bytes = text.as_bytes();
        self.board.handle(self.now, Input::Message { flow, bytes });
        self.drain();
    }

    /// Has the shell say something.
    pub(crate) fn input(&mut self, input: Input<'_>) {
        self.board.handle(self.now, input);
        self.drain();
    }

    /// Has a command carried out; gives its answer.
    pub(crate) fn command(&mut self, command: Command) -> Result<Accepted, Refusal> {
        self.board.handle(self.now, Input::Command(command));
        self.drain();
        self.answers.pop().unwrap()
    }

    fn drain(&mut self) {
        while let Some(output) = self.board.poll() {
            match output {
                // A call that leads back here.
                Output::Transmit { flow, bytes } if flow.remote == flow.local => {
                    self.board.handle(self.now, Input::Message { flow, bytes: &bytes });
                }
                Output::Transmit { flow, bytes } => {
                    self.sent.push((flow.remote, parse(&bytes).unwrap()));
                }
                Output::Media(MediaOrder::Open { leg, local, .. }) => {
                    self.ports += 2;
                    let local = LocalMedia { rtp: SocketAddr::new(local, self.ports) };
                    self.board.handle(self.now, Input::Media(MediaReport::Opened { leg, local }));
                }
                Output::Media(MediaOrder::Connect { connection, .. }) => {
                    self.connected.push(connection);
                }
                Output::Answer { answer, .. } => self.answers.push(answer),
                Output::Denied { by, action, refusal, .. } => {
                    self.denied.push((by, action, refusal));
                }
                Output::Resolve { .. }
                | Output::Media(_)
                | Output::Event(_)
                | Output::Quality { .. }
                | Output::Registered(_)
                | Output::Trunk(_) => {}
                Output::NewCountry { user, country, .. } => self.countries.push((user, country)),
                Output::Emergency { user, number, .. } => self.emergencies.push((user, number)),
                Output::KeysInClear { with } => self.keys_in_clear.push(with),
                Output::Security(suspicion) => self.suspicions.push(suspicion.reason),
            }
        }
    }

    pub(crate) fn run(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.board.handle_timeout(self.now);
        self.drain();
    }

    /// What was sent to that address since it was asked last.
    pub(crate) fn take(&mut self, to: SocketAddr) -> Vec<Message> {
        let (taken, left) = self.sent.drain(..).partition(|(remote, _)| *remote == to);
        self.sent = left;
        let taken: Vec<(SocketAddr, Message)> = taken;
        taken.into_iter().map(|(_, message)| message).collect()
    }
}

/// A phone at an address of its own.
pub(crate) struct Phone {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) call_id: String,
    pub(crate) tag: String,
    pub(crate) cseq: u32,
}

impl Phone {
    pub(crate) fn new(name: &'static str, number: u8) -> Phone {
        let address = SocketAddr::from(([10, 0, 1, number], 5060));
        let (call_id, tag) = (format!("call-{name}"), String::new());
        Phone { name, address, call_id, tag, cseq: 0 }
    }

    /// A request, in the phone's dialog once it has one.
    pub(crate) fn request(&mut self, method: &str, more: &str, body: &str) -> String {
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

    pub(crate) fn send(&mut self, house: &mut House, method: &str, more: &str) -> Vec<Message> {
        let text = self.request(method, more, "");
        house.receive(self.address, &text);
        house.take(self.address)
    }

    /// Calls the room, and is in it.
    pub(crate) fn join(&mut self, house: &mut House) {
        self.dial(house, "room", "");
    }

    /// Calls that name, and is answered.
    pub(crate) fn dial(&mut self, house: &mut House, name: &str, more: &str) {
        let messages = self.call(house, name, more);
        let Some(Message::Response(ok)) = messages.last() else { panic!("{messages:?}") };
        assert_eq!(ok.status.code(), 200);
        let to: NameAddr = text(&ok.headers, HeaderName::To).parse().unwrap();
        self.tag = to.tag().unwrap().to_owned();
        let ack = self.request("ACK", "", "");
        house.receive(self.address, &ack);
    }

    /// Calls that name; gives what comes at once.
    pub(crate) fn call(&mut self, house: &mut House, name: &str, more: &str) -> Vec<Message> {
        let more = format!("Content-Type: application/sdp\r\n{more}");
        let invite = self.request("INVITE", &more, &description(self.address, "0"));
        let target = format!("INVITE sip:{name}@");
        house.receive(self.address, &invite.replacen("INVITE sip:room@", &target, 1));
        house.take(self.address)
    }

    /// The same phone, outside of its dialog.
    pub(crate) fn outside(&self, call_id: &str) -> Phone {
        let (name, address) = (self.name, self.address);
        Phone { name, address, call_id: call_id.to_owned(), tag: String::new(), cseq: 0 }
    }

    /// The phone's dialog, as Target-Dialog names it.
    pub(crate) fn target_dialog(&self) -> String {
        let Phone { name, call_id, tag, .. } = self;
        format!("Target-Dialog: {call_id};local-tag={tag};remote-tag=t{name}\r\n")
    }

    pub(crate) fn answer(&self, house: &mut House, request: &Request) {
        house.receive(self.address, &reply(request, "200 OK", "", "", ""));
    }

    /// Takes a NOTIFY that has come; gives its standing and its body.
    pub(crate) fn take_notify(&self, house: &mut House) -> (String, String) {
        let messages = house.take(self.address);
        let notify = notify_in(&messages);
        self.answer(house, &notify);
        let body = String::from_utf8(notify.body).unwrap();
        (text(&notify.headers, HeaderName::SubscriptionState), body)
    }
}

/// Where everybody but strangers gets by dialling that.
pub(crate) fn route(dialled: &str, to: fn(Template) -> Target, at: &str) -> Route {
    let pattern: Pattern = dialled.parse().unwrap();
    let to = to(Template::parse(at, &pattern).unwrap());
    Route { from: From::Any, pattern, to, open: false }
}

pub(crate) fn text(headers: &sip::message::Headers, name: HeaderName) -> String {
    headers.text(&name).unwrap_or_default().into_owned()
}

pub(crate) fn notify_in(messages: &[Message]) -> Request {
    let notifies = messages.iter().filter_map(|message| match message {
        Message::Request(request) if request.method.name() == "NOTIFY" => Some(request.clone()),
        Message::Request(_) | Message::Response(_) => None,
    });
    let [notify] = &notifies.collect::<Vec<_>>()[..] else { panic!("{messages:?}") };
    notify.clone()
}

pub(crate) fn statuses(messages: &[Message]) -> Vec<u16> {
    let responses = messages.iter().filter_map(|message| match message {
        Message::Response(Response { status, .. }) => Some(status.code()),
        Message::Request(_) => None,
    });
    responses.collect()
}

/// What a peer at that address says of its audio.
pub(crate) fn description(address: SocketAddr, formats: &str) -> String {
    let ip = address.ip();
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP {formats}\r\n"
    )
}

/// An answer to a request of ours.
pub(crate) fn reply(request: &Request, status: &str, tag: &str, more: &str, body: &str) -> String {
    use HeaderName::{CSeq, CallId, From, Via};
    let mut answer = format!("SIP/2.0 {status}\r\n");
    for name in [Via, From, CallId, CSeq] {
        let value = text(&request.headers, name.clone());
        answer += &format!("{}: {value}\r\n", name.spelling());
    }
    let to = text(&request.headers, HeaderName::To);
    format!("{answer}To: {to}{tag}\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A refusal of a call of ours.
pub(crate) fn refusal(call: &Request, status: &str) -> String {
    reply(call, status, ";tag=b", "", "")
}

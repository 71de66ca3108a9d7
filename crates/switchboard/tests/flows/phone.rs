//! A phone with as many lines as are needed, and no audio.

use std::net::SocketAddr;
use std::time::Instant;

use sip::access::{Access, Trunk};
use sip::digest::{Account, Password};
use sip::message::{ExtraHeaders, HeaderName, Method, NameAddr, ReferTo, StatusCode, Uri};
use sip::{
    Config, Endpoint, Flow, Inquiry, Invite, Output, SessionEvent, SessionId, SubscriptionEvent,
    Transport,
};

use crate::world::SERVER;

/// What a phone does when it is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Manners {
    /// Rings and is picked up.
    Answers,
    /// Rings until somebody gives up.
    Rings,
    /// Refuses, with this status.
    Refuses(u16),
    /// Says that somebody else is to be called (302).
    Forwards(&'static str),
}

/// One call of a phone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    session: SessionId,
    shows: &'static str,
}

pub(crate) struct Phone {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) manners: Manners,
    /// Whether it offers video too.
    pub(crate) video: bool,
    pub(crate) sip: Endpoint,
    pub(crate) lines: Vec<Line>,
    /// How its last transfer ended, if it has.
    pub(crate) transfer: Option<u16>,
    /// What it was written, and how what it wrote was answered.
    pub(crate) texts: Vec<String>,
    /// Whether the server has it registered, if it wants to be.
    pub(crate) registered: Option<bool>,
    pub(crate) out: Vec<(Flow, Vec<u8>)>,
}

impl Phone {
    pub(crate) fn new(name: &'static str, number: u8, password: Option<&str>) -> Phone {
        let network = if password.is_some() { 2 } else { 1 };
        let address = SocketAddr::from(([10, 0, network, number], 5060));
        let mut access = Access::everybody();
        if let Some(password) = password {
            let proxy = match format!("sip:{SERVER}").parse().unwrap() {
                Uri::Sip(uri) => uri,
                Uri::Tel(_) | Uri::Other(_) => unreachable!("it is a sip: URI"),
            };
            let (user, realm) = (name.to_owned(), Some("convoke".to_owned()));
            let account = Account { user, realm, password: Password::new(password) };
            let home = Trunk {
                account: Some(account),
                register_s: Some(60),
                probe_every: None,
                ..Trunk::at(Some(proxy))
            };
            access.trunks.insert("home".to_owned(), home);
        }
        let config = Config { access, ..Config::new(vec![(Transport::Udp, address)]) };
        Phone {
            name,
            address,
            manners: Manners::Answers,
            video: false,
            sip: Endpoint::new(config, u64::from(number)),
            lines: Vec::new(),
            transfer: None,
            texts: Vec::new(),
            registered: password.map(|_| false),
            out: Vec::new(),
        }
    }

    fn description(&self, direction: &str, version: u32) -> Vec<u8> {
        let ip = self.address.ip();
        let video = if self.video { "m=video 4002 RTP/AVP 31\r\n" } else { "" };
        format!(
            "v=0\r\no=- 1 {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP 0\r\na={direction}\r\n{video}"
        )
        .into_bytes()
    }

    /// Calls somebody at the server, with these headers; without an offer if it is to make one.
    pub(crate) fn call(&mut self, now: Instant, user: &str, headers: &[(HeaderName, String)]) {
        let to = format!("sip:{user}@{SERVER}").parse().unwrap();
        let from = Uri::sip(self.name, sip::message::Host::Ip(self.address.ip()), None);
        let mut extra = ExtraHeaders::new();
        for (name, value) in headers {
            extra.push(name.clone(), value.clone()).unwrap();
        }
        let offer = self.description("sendrecv", 1);
        let invite = Invite { headers: extra, ..Invite::new(to, NameAddr::new("", from), offer) };
        let session = self.sip.invite(now, invite).unwrap();
        self.lines.push(Line { session, shows: "calls" });
        self.drain(now);
    }

    pub(crate) fn hold(&mut self, now: Instant, line: usize, held: bool) {
        let direction = if held { "sendonly" } else { "sendrecv" };
        let offer = self.description(direction, 2 + u32::from(!held));
        self.sip.reinvite(now, self.lines[line].session, offer).unwrap();
        self.drain(now);
    }

    /// A line's dialog as it has to be named to the server.
    pub(crate) fn named(&self, line: usize) -> String {
        self.sip.name_for_peer(self.lines[line].session).unwrap().to_string()
    }

    pub(crate) fn refer(&mut self, now: Instant, line: usize, to: &str) {
        self.transfer = None;
        let to: ReferTo = to.parse().unwrap();
        self.sip.refer(now, self.lines[line].session, &to).unwrap();
        self.drain(now);
    }

    /// One line is transferred to the other.
    pub(crate) fn put_together(&mut self, now: Instant, line: usize, other: usize) {
        let replaces = self.sip.name_for_peer(self.lines[other].session);
        let uri = format!("sip:{SERVER}").parse().unwrap();
        self.transfer = None;
        let to = ReferTo { replaces, ..ReferTo::new(uri) };
        self.sip.refer(now, self.lines[line].session, &to).unwrap();
        self.drain(now);
    }

    pub(crate) fn write(&mut self, now: Instant, line: usize, text: &str) {
        let body = Some(("text/plain".to_owned(), text.as_bytes().to_vec()));
        let inquiry = Inquiry { method: Method::Message, headers: ExtraHeaders::new(), body };
        self.sip.inquire(now, self.lines[line].session, inquiry).unwrap();
        self.drain(now);
    }

    pub(crate) fn hang_up(&mut self, now: Instant, line: usize) {
        self.sip.end(now, self.lines[line].session, None);
        self.drain(now);
    }

    pub(crate) fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let flow =
            Flow { transport: Transport::Udp, local: self.address, remote: from, connection: None };
        self.sip.receive(now, flow, bytes);
        self.drain(now);
    }

    pub(crate) fn drain(&mut self, now: Instant) {
        while let Some(output) = self.sip.poll() {
            match output {
                Output::Transmit { flow, bytes } => {
                    let bytes = self.with_forward(bytes);
                    self.out.push((flow, bytes));
                }
                Output::Session(session, event) => self.session(now, session, event),
                Output::Text(id, text) => {
                    self.texts.push(text.text.clone());
                    self.sip.answer_text(now, id, StatusCode::OK);
                }
                Output::Subscription(id, event) => match event {
                    SubscriptionEvent::Referred(_) | SubscriptionEvent::Subscribed(_) => {
                        self.sip.deny(now, id, StatusCode::DECLINE).unwrap();
                    }
                    SubscriptionEvent::Refreshed
                    | SubscriptionEvent::Delivered
                    | SubscriptionEvent::Ended => {}
                },
                Output::Trunk(_, standing) => {
                    self.registered = Some(standing.registered == sip::Registered::Yes);
                }
                Output::Resolve { .. } | Output::Registered(_) | Output::Security(_) => {}
            }
        }
    }

    /// The server's own endpoint, which a phone has here, forwards nobody and so names none.
    fn with_forward(&self, bytes: Vec<u8>) -> Vec<u8> {
        match self.manners {
            Manners::Forwards(to) if bytes.starts_with(b"SIP/2.0 302") => {
                let text = String::from_utf8(bytes).unwrap();
                text.replacen("\r\n", &format!("\r\nContact: <{to}>\r\n"), 1).into_bytes()
            }
            Manners::Forwards(_) | Manners::Answers | Manners::Rings | Manners::Refuses(_) => bytes,
        }
    }

    fn session(&mut self, now: Instant, session: SessionId, event: SessionEvent) {
        let mut show = |shows| {
            let line = self.lines.iter_mut().find(|line| line.session == session);
            line.unwrap().shows = shows;
        };
        match event {
            SessionEvent::Incoming(_) => {
                self.lines.push(Line { session, shows: "rings" });
                self.pick_up(now, session);
            }
            SessionEvent::Ringing { .. } => show("hears ringing"),
            SessionEvent::Established { .. } => show("talks"),
            SessionEvent::Ended { .. } => show("over"),
            SessionEvent::Reoffer { .. } => {
                let answer = self.description("sendrecv", 9);
                self.sip.accept(now, session, answer).unwrap();
            }
            SessionEvent::Referral { status, over } => {
                self.transfer = over.then_some(status.code());
            }
            SessionEvent::Replied { status, .. } => self.texts.push(status.to_string()),
            SessionEvent::ReofferWithdrawn
            | SessionEvent::Reanswered { .. }
            | SessionEvent::ReofferRefused { .. }
            | SessionEvent::Info { .. } => {}
        }
    }

    fn pick_up(&mut self, now: Instant, session: SessionId) {
        match self.manners {
            Manners::Refuses(status) => {
                let status = StatusCode::new(status).unwrap();
                self.sip.reject(now, session, status, None, None).unwrap();
            }
            Manners::Forwards(_) => {
                let moved = StatusCode::new(302).unwrap();
                self.sip.reject(now, session, moved, None, None).unwrap();
            }
            Manners::Rings => self.sip.ring(now, session).unwrap(),
            Manners::Answers => {
                self.sip.ring(now, session).unwrap();
                let answer = self.description("sendrecv", 1);
                self.sip.accept(now, session, answer).unwrap();
            }
        }
    }

    /// What it shows: its lines in their order, and what else there is to see.
    pub(crate) fn shows(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(|line| line.shows).collect();
        let transfer = self.transfer.map(|status| format!(" transfer {status}"));
        let texts = self.texts.iter().map(|text| format!(" \"{text}\"")).collect::<String>();
        let registered = self.registered.map(|it| if it { " registered" } else { " unregistered" });
        let rest =
            format!("{}{}{}", transfer.unwrap_or_default(), registered.unwrap_or_default(), texts);
        format!("{} {}{rest}", self.name, lines.join("+"))
    }
}

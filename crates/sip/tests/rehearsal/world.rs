//! Endpoints in virtual time over a network that can lose messages, and the ladder of what
//! happened.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sip::access::{Access, Suspicion};
use sip::framing::{Item, Splitter};
use sip::message::{HeaderName, Message, NameAddr, Reason, Request, StatusCode, Uri, parse};
use sip::{
    Alive, Config, ConnectionId, Endpoint, Flow, Invite, Output, Registration, Server,
    SessionError, SessionEvent, SessionId, Standing, SubscriptionEvent, SubscriptionId, Text,
    TextId, Transport,
};

/// A small generator for the network's luck (splitmix64); the endpoints have their own.
pub(crate) struct Luck(u64);

impl Luck {
    pub(crate) fn new(seed: u64) -> Luck {
        Luck(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// One endpoint with what it has told.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) endpoint: Endpoint,
    pub(crate) told: Vec<(SessionId, SessionEvent)>,
    /// What it was told of subscriptions.
    pub(crate) asked: Vec<(SubscriptionId, SubscriptionEvent)>,
    /// Texts that it was sent.
    pub(crate) texts: Vec<(TextId, Text)>,
    /// What each stream has not completed.
    splitters: BTreeMap<u64, Splitter>,
}

struct Packet {
    to: usize,
    flow: Flow,
    bytes: Vec<u8>,
}

/// The network, the clock and everybody on it.
pub(crate) struct World {
    start: Instant,
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Node>,
    pub(crate) ladder: String,
    pub(crate) luck: Luck,
    /// Of a thousand UDP messages, so many are lost.
    pub(crate) loss_per_mille: u64,
    /// Of a thousand UDP messages, so many arrive twice.
    pub(crate) doubled_per_mille: u64,
    /// UDP messages take up to that much longer than they need, so that they overtake each other.
    pub(crate) spread_ms: u64,
    /// Messages to addresses where no node is, with their flow: what a scripted stranger gets.
    pub(crate) caught: Vec<(Flow, Vec<u8>)>,
    /// What the gates told of.
    pub(crate) suspicions: Vec<Suspicion>,
    /// What the registrars told of.
    pub(crate) registrations: Vec<Registration>,
    /// What was told of trunks.
    pub(crate) standings: Vec<(String, Standing)>,
    /// Every message between nodes.
    pub(crate) written: Vec<Vec<u8>>,
    /// Messages still to be lost: sender's name and beginning of the summary.
    doomed: Vec<(&'static str, &'static str)>,
    /// Senders of whom nothing arrives any more.
    vanished: Vec<&'static str>,
    in_flight: BTreeMap<(Instant, u64), Packet>,
    sent: u64,
    /// Open streams: who opened it, to whom.
    streams: BTreeMap<u64, (usize, usize)>,
    streams_opened: u64,
}

const LATENCY: Duration = Duration::from_millis(20);

impl World {
    /// Endpoints named A, B … at 10.0.0.1, 10.0.0.2 …, each on UDP and TCP.
    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    pub(crate) fn new(nodes: usize, seed: u64) -> World {
        let start = Instant::now();
        let nodes = (0..nodes).map(|index| node(index, seed)).collect();
        World {
            start,
            now: start,
            nodes,
            ladder: String::new(),
            luck: Luck::new(seed),
            loss_per_mille: 0,
            doubled_per_mille: 0,
            spread_ms: 0,
            caught: Vec::new(),
            suspicions: Vec::new(),
            registrations: Vec::new(),
            standings: Vec::new(),
            written: Vec::new(),
            doomed: Vec::new(),
            vanished: Vec::new(),
            in_flight: BTreeMap::new(),
            sent: 0,
            streams: BTreeMap::new(),
            streams_opened: 0,
        }
    }

    /// Loses the next message of that sender whose summary begins so.
    pub(crate) fn lose(&mut self, sender: &'static str, summary: &'static str) {
        self.doomed.push((sender, summary));
    }

    /// Loses all that this sender sends from there on.
    pub(crate) fn vanish(&mut self, sender: &'static str) {
        self.vanished.push(sender);
    }

    /// Node 0 calls node 1.
    pub(crate) fn call(&mut self, transport: Transport) -> SessionId {
        self.call_between(0, 1, transport).expect("a call that can be made")
    }

    pub(crate) fn call_between(
        &mut self,
        from: usize,
        to: usize,
        transport: Transport,
    ) -> Result<SessionId, SessionError> {
        let address = self.nodes[to].address;
        let to: Uri =
            format!("sip:bob@{address};transport={}", transport.param_name()).parse().expect("uri");
        let caller = NameAddr::new("Alice", "sip:alice@a.example".parse().expect("uri"));
        let invite = Invite::new(to, caller, b"offer".to_vec());
        let result = self.nodes[from].endpoint.invite(self.now, invite);
        self.drain(from);
        result
    }

    pub(crate) fn ring(&mut self, node: usize, id: SessionId) {
        self.nodes[node].endpoint.ring(self.now, id).expect("an INVITE that waits");
        self.drain(node);
    }

    pub(crate) fn progress(&mut self, node: usize, id: SessionId, status: u16, sdp: Option<&str>) {
        let status = StatusCode::new(status).expect("a status");
        let sdp = sdp.map(|sdp| sdp.as_bytes().to_vec());
        let result = self.nodes[node].endpoint.progress(self.now, id, status, sdp);
        result.expect("an INVITE that waits");
        self.drain(node);
    }

    pub(crate) fn accept(&mut self, node: usize, id: SessionId) -> Result<(), SessionError> {
        self.note(format!("{}: accept", self.nodes[node].name));
        let result = self.nodes[node].endpoint.accept(self.now, id, b"answer".to_vec());
        self.drain(node);
        result
    }

    pub(crate) fn reject(
        &mut self,
        node: usize,
        id: SessionId,
        status: u16,
    ) -> Result<(), SessionError> {
        let status = StatusCode::new(status).expect("a status");
        let result = self.nodes[node].endpoint.reject(self.now, id, status, None, None);
        self.drain(node);
        result
    }

    pub(crate) fn reinvite(&mut self, node: usize, id: SessionId) -> Result<(), SessionError> {
        let result = self.nodes[node].endpoint.reinvite(self.now, id, b"reoffer".to_vec());
        self.drain(node);
        result
    }

    pub(crate) fn end(&mut self, node: usize, id: SessionId) {
        self.nodes[node].endpoint.end(self.now, id, Some(Reason::sip(480, "gone")));
        self.drain(node);
    }

    /// A message from nowhere reaches a node over UDP.
    pub(crate) fn inject(&mut self, node: usize, from: &str, bytes: &[u8]) {
        let (local, remote) = (self.nodes[node].address, from.parse().expect("address"));
        let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
        self.nodes[node].endpoint.receive(self.now, flow, bytes);
        self.drain(node);
    }

    /// Takes out what a node has to say after its endpoint was used directly.
    pub(crate) fn wake(&mut self, node: usize) {
        self.drain(node);
    }

    /// Closes a stream for both of its ends.
    pub(crate) fn close_stream(&mut self, stream: u64) {
        if let Some((one, other)) = self.streams.remove(&stream) {
            for node in [one, other] {
                self.nodes[node].endpoint.connection_closed(ConnectionId(stream));
                self.nodes[node].splitters.remove(&stream);
                self.drain(node);
            }
        }
    }

    /// The session of the last event of that node.
    pub(crate) fn last_session(&self, node: usize) -> SessionId {
        self.nodes[node].told.last().expect("something was told").0
    }

    pub(crate) fn events_of(&self, node: usize, id: SessionId) -> Vec<&SessionEvent> {
        let told = self.nodes[node].told.iter();
        told.filter(|(session, _)| *session == id).map(|(_, event)| event).collect()
    }

    /// Lets that much time pass.
    pub(crate) fn run(&mut self, duration: Duration) {
        let until = self.now + duration;
        loop {
            let arrival = self.in_flight.keys().next().map(|(at, _)| *at);
            let deadlines = self
                .nodes
                .iter()
                .filter_map(|node| node.endpoint.next_deadline())
                .map(|next| next.at);
            let Some(next) = arrival.into_iter().chain(deadlines).min() else { break };
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            while let Some(entry) = self.in_flight.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let packet = entry.remove();
                self.deliver(packet);
            }
            for node in 0..self.nodes.len() {
                self.nodes[node].endpoint.handle_timeout(self.now);
                self.drain(node);
            }
        }
        self.now = until;
    }

    pub(crate) fn run_ms(&mut self, ms: u64) {
        self.run(Duration::from_millis(ms));
    }

    /// Lets 64·T1 and the last timers pass; then nothing may be left anywhere.
    pub(crate) fn settle(&mut self) {
        let ladder = self.ladder.len();
        self.run(Duration::from_secs(75));
        for node in &self.nodes {
            assert_eq!(node.endpoint.alive(), Alive::default(), "{}\n{}", node.name, self.ladder);
            assert_eq!(node.endpoint.next_deadline(), None, "{}", node.name);
        }
        self.ladder.truncate(ladder);
    }

    fn note(&mut self, line: String) {
        let at = self.now.duration_since(self.start).as_secs_f64();
        writeln!(self.ladder, "{at:8.3}  {line}").expect("a String takes what is written");
    }

    /// Takes out what a node has to say.
    pub(crate) fn drain(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].endpoint.poll() {
            match output {
                Output::Transmit { flow, bytes } => self.transmit(node, flow, bytes),
                Output::Resolve { id, .. } => {
                    let (transport, address) = (Transport::Udp, self.nodes[1].address);
                    let servers = [Server { transport, address }];
                    self.nodes[node].endpoint.resolved(self.now, id, &servers);
                }
                Output::Trunk(name, standing) => self.standings.push((name, standing)),
                Output::Security(suspicion) => {
                    self.note(format!("{}: {suspicion:?}", self.nodes[node].name));
                    self.suspicions.push(suspicion);
                }
                Output::Registered(registration) => {
                    let bound = registration.bindings.len();
                    let (name, user) = (self.nodes[node].name, registration.user.clone());
                    self.note(format!("{name}: {user} is bound to {bound}"));
                    self.registrations.push(registration);
                }
                Output::Subscription(id, event) => {
                    let name = self.nodes[node].name;
                    self.note(format!("{name}: {}", subscription_text(&event)));
                    self.nodes[node].asked.push((id, event));
                }
                Output::Text(id, text) => {
                    let name = self.nodes[node].name;
                    self.note(format!("{name}: Text ({})", text.text));
                    self.nodes[node].texts.push((id, *text));
                }
                Output::Session(id, event) => {
                    self.note(format!("{}: {}", self.nodes[node].name, event_text(&event)));
                    self.nodes[node].told.push((id, event));
                }
            }
        }
    }

    fn transmit(&mut self, from: usize, flow: Flow, bytes: Vec<u8>) {
        let summary = summary(&bytes);
        let sender = self.nodes[from].name;
        let stream = match flow.transport {
            Transport::Udp => None,
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                self.stream_for(from, &flow)
            }
        };
        let to = match (flow.transport, stream) {
            (Transport::Udp, _) => self.nodes.iter().position(|node| node.address == flow.remote),
            (_, Some((_, to))) => Some(to),
            (Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss, None) => None,
        };
        let Some(to) = to else {
            self.note(format!("{sender} ──▶ {}  {summary} (nobody there)", flow.remote));
            self.caught.push((flow, bytes));
            return;
        };
        let doomed = self
            .doomed
            .iter()
            .position(|(name, beginning)| *name == sender && summary.starts_with(beginning));
        let unlucky = flow.transport == Transport::Udp
            && self.loss_per_mille > 0
            && self.luck.below(1_000) < self.loss_per_mille;
        let lost = doomed.is_some() || unlucky || self.vanished.contains(&sender);
        if let Some(doomed) = doomed {
            self.doomed.remove(doomed);
        }
        let mark = if lost { " (lost)" } else { "" };
        self.note(format!("{sender} ──▶ {}  {summary}{mark}", self.nodes[to].name));
        if lost {
            return;
        }
        let remote = match stream {
            // The one that opened it has a port that nobody listens on.
            Some((stream, _)) if self.streams[&stream].0 == from => {
                SocketAddr::new(self.nodes[from].address.ip(), 50_000 + stream as u16)
            }
            Some(_) | None => self.nodes[from].address,
        };
        let arriving = Flow {
            transport: flow.transport,
            local: self.nodes[to].address,
            remote,
            connection: stream.map(|(stream, _)| ConnectionId(stream)),
        };
        self.written.push(bytes.clone());
        let datagram = flow.transport == Transport::Udp;
        let doubled = datagram
            && self.doubled_per_mille > 0
            && self.luck.below(1_000) < self.doubled_per_mille;
        for _ in 0..1 + usize::from(doubled) {
            let late_ms = match datagram && self.spread_ms > 0 {
                true => self.luck.below(self.spread_ms + 1),
                false => 0,
            };
            self.sent += 1;
            let at = (self.now + LATENCY + Duration::from_millis(late_ms), self.sent);
            self.in_flight.insert(at, Packet { to, flow: arriving, bytes: bytes.clone() });
        }
    }

    /// The stream of a flow and its other end: the one named, one that is open, or one opened now.
    fn stream_for(&mut self, from: usize, flow: &Flow) -> Option<(u64, usize)> {
        if let Some(ConnectionId(stream)) = flow.connection {
            let (one, other) = *self.streams.get(&stream)?;
            return Some((stream, if one == from { other } else { one }));
        }
        let to = self.nodes.iter().position(|node| node.address == flow.remote)?;
        let open = self.streams.iter().find(|(_, ends)| **ends == (from, to)).map(|(id, _)| *id);
        let stream = open.unwrap_or_else(|| {
            self.streams_opened += 1;
            self.streams.insert(self.streams_opened, (from, to));
            self.streams_opened
        });
        Some((stream, to))
    }

    fn deliver(&mut self, packet: Packet) {
        let node = &mut self.nodes[packet.to];
        match packet.flow.connection {
            None => node.endpoint.receive(self.now, packet.flow, &packet.bytes),
            Some(ConnectionId(stream)) if self.streams.contains_key(&stream) => {
                let splitter = node.splitters.entry(stream).or_default();
                // Streams cut where they like.
                let middle = packet.bytes.len() / 2;
                for piece in [&packet.bytes[..middle], &packet.bytes[middle..]] {
                    splitter.push(piece);
                    while let Some(item) = splitter.next_item().expect("our own messages") {
                        if let Item::Message(message) = item {
                            node.endpoint.receive(self.now, packet.flow, &message);
                        }
                    }
                }
            }
            Some(_) => {}
        }
        self.drain(packet.to);
    }
}

fn node(index: usize, seed: u64) -> Node {
    let address: SocketAddr = format!("10.0.0.{}:5060", index + 1).parse().expect("address");
    let listeners = vec![(Transport::Udp, address), (Transport::Tcp, address)];
    let config = Config { access: Access::everybody(), ..Config::new(listeners) };
    Node {
        name: ["A", "B", "C"][index],
        address,
        endpoint: Endpoint::new(config, seed.wrapping_mul(31).wrapping_add(index as u64)),
        told: Vec::new(),
        asked: Vec::new(),
        texts: Vec::new(),
        splitters: BTreeMap::new(),
    }
}

/// A message in a few words.
pub(crate) fn summary(bytes: &[u8]) -> String {
    let (start, headers, body) = match parse(bytes).expect("endpoints write valid messages") {
        Message::Request(Request { method, headers, body, .. }) => {
            (method.to_string(), headers, body)
        }
        Message::Response(response) => {
            let cseq = response.headers.text(&HeaderName::CSeq).unwrap_or_default().into_owned();
            let method = cseq.split(' ').nth(1).unwrap_or("?").to_owned();
            let start = format!("{} {} to {method}", response.status, response.reason);
            (start, response.headers, response.body)
        }
    };
    let reason = headers.text(&HeaderName::Reason);
    let reason = reason.map(|reason| format!(" [{reason}]")).unwrap_or_default();
    match body.is_empty() {
        true => format!("{start}{reason}"),
        false => format!("{start}{reason} ({})", String::from_utf8_lossy(&body)),
    }
}

fn event_text(event: &SessionEvent) -> String {
    let text = |sdp: &Option<Vec<u8>>| match sdp {
        Some(sdp) => format!(" ({})", String::from_utf8_lossy(sdp)),
        None => String::new(),
    };
    match event {
        SessionEvent::Incoming(incoming) => format!("Incoming{}", text(&incoming.offer)),
        SessionEvent::Ringing { status, sdp } => format!("Ringing {status}{}", text(sdp)),
        SessionEvent::Established { sdp } => format!("Established{}", text(sdp)),
        SessionEvent::Reoffer { sdp } => format!("Reoffer{}", text(sdp)),
        SessionEvent::Reanswered { sdp } => format!("Reanswered{}", text(sdp)),
        SessionEvent::ReofferRefused { status } => format!("ReofferRefused {status}"),
        SessionEvent::ReofferWithdrawn => "ReofferWithdrawn".to_owned(),
        SessionEvent::Referral { status, over } => {
            format!("Referral {status}{}", if *over { ", over" } else { "" })
        }
        SessionEvent::Info { content_type, body } => {
            format!("Info {content_type} ({})", String::from_utf8_lossy(body))
        }
        SessionEvent::Replied { status, body, .. } => {
            format!("Replied {status} ({})", String::from_utf8_lossy(body))
        }
        SessionEvent::Ended { cause } => format!("Ended {cause:?}"),
    }
}

fn subscription_text(event: &SubscriptionEvent) -> String {
    match event {
        SubscriptionEvent::Referred(referred) => format!("Referred to {}", referred.refer_to.uri),
        SubscriptionEvent::Subscribed(subscribed) => {
            format!("Subscribed to {}", subscribed.package.name())
        }
        SubscriptionEvent::Refreshed => "Refreshed".to_owned(),
        SubscriptionEvent::Delivered => "Delivered".to_owned(),
        SubscriptionEvent::Ended => "Subscription ended".to_owned(),
    }
}

//! Somebody who knocks at the gate, with or without a password.

use std::net::SocketAddr;
use std::time::Duration;

use sip::access::{Access, From, Pattern, Route, Target, Template};
use sip::digest::{Account, Challenge, Password, Secrets};
use sip::limits::Limit;
use sip::message::{HeaderName, Message, Response, parse};
use sip::{Alive, Config, Endpoint, Transport};

use crate::world::World;

pub(crate) const SERVER: &str = "10.0.0.1:5060";

/// Sends requests to node 0 of a world and reads what comes back at once.
pub(crate) struct Knocker {
    pub(crate) world: World,
    pub(crate) source: &'static str,
    pub(crate) cseq: u32,
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
    /// Added to each request.
    pub(crate) more: String,
}

/// Alice is a user, `open-*` is open to strangers; no network is trusted.
pub(crate) fn guarded() -> Access {
    let pattern: Pattern = "open-*".parse().expect("a pattern");
    let route = |from, pattern: Pattern, to: &str, open| {
        let to = Target::Conference(Template::parse(to, &pattern).expect("a template"));
        Route { from, pattern, to, open }
    };
    let any: Pattern = "*".parse().expect("a pattern");
    let user = Target::User(Template::parse("$1", &any).expect("a template"));
    Access {
        users: [("alice", "wonder"), ("bob", "builder")]
            .map(|(user, password)| (user.to_owned(), Secrets::of(user, "convoke", password)))
            .into(),
        trusted: Vec::new(),
        routes: vec![
            route(From::Any, pattern, "$1", true),
            Route { from: From::Any, pattern: any.clone(), to: user, open: false },
            route(From::User, any, "$1", false),
        ],
        ..Access::local()
    }
}

impl Knocker {
    pub(crate) fn at(access: Access) -> Knocker {
        let mut world = World::new(1, 7);
        let address: SocketAddr = SERVER.parse().expect("address");
        let listeners = vec![(Transport::Udp, address)];
        world.nodes[0].endpoint = Endpoint::new(Config { access, ..Config::new(listeners) }, 7);
        let more = String::new();
        let (user, password) = ("alice", "wonder");
        Knocker { world, source: "192.0.2.7:5060", cseq: 0, user, password, more }
    }

    /// A request to that user of the server, with that Authorization.
    pub(crate) fn ask(&mut self, method: &str, to: &str, authorization: &str) -> Vec<Response> {
        self.cseq += 1;
        let (cseq, source, more) = (self.cseq, self.source, &self.more);
        let from = self.user;
        let host = source.split(':').next().expect("a host");
        let authorization = match authorization {
            "" => String::new(),
            value => format!("Authorization: {value}\r\n"),
        };
        let text = format!(
            "{method} sip:{to}@10.0.0.1 SIP/2.0\r\n\
             Via: SIP/2.0/UDP {source};branch=z9hG4bK{host}{cseq};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{from}@10.0.0.1>;tag=p\r\nTo: <sip:{to}@10.0.0.1>\r\n\
             Call-ID: call-{host}\r\nCSeq: {cseq} {method}\r\n{authorization}{more}\
             Content-Length: 0\r\n\r\n"
        );
        self.send(&text)
    }

    pub(crate) fn send(&mut self, text: &str) -> Vec<Response> {
        self.world.caught.clear();
        self.world.inject(0, self.source, text.as_bytes());
        self.heard()
    }

    pub(crate) fn heard(&mut self) -> Vec<Response> {
        let caught = std::mem::take(&mut self.world.caught);
        let responses = caught.iter().map(|(_, bytes)| parse(bytes).expect("valid"));
        responses
            .filter_map(|message| match message {
                Message::Response(response) => Some(response),
                Message::Request(_) => None,
            })
            .collect()
    }

    /// Asks, is challenged, and asks again with the password.
    pub(crate) fn show(&mut self, method: &str, to: &str) -> Vec<Response> {
        let challenged = self.ask(method, to, "");
        let answer = self.answer(&challenged[0], method, to, 1);
        self.ask(method, to, &answer)
    }

    /// The credentials that answer the best challenge of a response.
    pub(crate) fn answer(&self, to: &Response, method: &str, user: &str, count: u32) -> String {
        let account = Account {
            user: self.user.to_owned(),
            realm: None,
            password: Password::new(self.password),
        };
        let challenge = account.choose(&challenges(to)).expect("a challenge");
        let uri = format!("sip:{user}@10.0.0.1");
        account.answer(&challenge, (method, &uri), (count, "cnonce")).to_string()
    }

    pub(crate) fn alive(&self) -> Alive {
        self.world.nodes[0].endpoint.alive()
    }

    /// How many messages a limit let through no further.
    pub(crate) fn refused_by(&self, limit: Limit) -> u64 {
        self.world.nodes[0].endpoint.stats().limits.of(limit)
    }

    pub(crate) fn turned_away(&self, reason: &str) -> u64 {
        self.world.nodes[0].endpoint.stats().turned_away.of(reason)
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.world.run(Duration::from_secs(seconds));
    }
}

pub(crate) fn challenges(response: &Response) -> Vec<Challenge> {
    let values = response.headers.all(&HeaderName::WwwAuthenticate);
    values.filter_map(|value| Challenge::parse(&String::from_utf8_lossy(value))).collect()
}

pub(crate) fn codes(responses: &[Response]) -> Vec<u16> {
    responses.iter().map(|response| response.status.code()).collect()
}

//! Calls for callgrind: each goes into a room of its own, stays for 200 ms and leaves. Counted is
//! what the machines do with its three messages and what follows from them; no socket, no thread.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use media::{Clips, Desk, Music, Stage};
use model::{Codec, LocalMedia, MediaOrder, MediaReport, TapRate};
use sip::{Flow, Transport};
use switchboard::{Config, Input, Output, Room, RtpTimeouts, SrtpRules, Switchboard};

/// Between two calls.
const APART: Duration = Duration::from_millis(10);
/// So many stay until the next leaves: each for 200 ms.
const UP_AT_ONCE: usize = 20;
const ROOMS: u64 = 100;

/// The server without its shells.
struct House {
    board: Switchboard,
    desk: Desk,
    stage: Stage,
    now: Instant,
    flow: Flow,
    next_port: u16,
}

impl House {
    fn new() -> House {
        let server: SocketAddr = ([10, 0, 0, 1], 5060).into();
        #[expect(clippy::disallowed_methods, reason = "virtual time begins at some instant")]
        let now = Instant::now();
        let (record, recording_rate) = (false, TapRate::Hz16000);
        let config = Config {
            sip: sip::Config {
                access: sip::access::Access::everybody(),
                focus: true,
                ..sip::Config::new(vec![(Transport::Udp, server)])
            },
            rooms: [].into(),
            prompts: Clips::default().catalogue(),
            callers: [].into(),
            trunk_audio: [].into(),
            rtp_timeouts: RtpTimeouts::default(),
            any_room: Room { record, recording_rate, parties_max: 100, profile: call::open() },
            srtp: SrtpRules::default(),
            started: now,
            started_ms: 1_700_000_000_000,
        };
        let remote: SocketAddr = ([10, 0, 0, 2], 5060).into();
        House {
            board: Switchboard::new(config, 1),
            desk: Desk::with_clips(1, Clips::default()),
            stage: Stage::new(Music::house()),
            now,
            flow: Flow { transport: Transport::Udp, local: server, remote, connection: None },
            next_port: 20_000,
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        while self.board.next_deadline().is_some_and(|due| due.at <= self.now) {
            counted(|| self.board.handle_timeout(self.now));
            self.carry_out();
        }
    }

    /// A message comes; gives the last that was sent.
    fn message(&mut self, text: &str) -> String {
        let input = Input::Message { flow: self.flow, bytes: text.as_bytes() };
        counted(|| self.board.handle(self.now, input));
        self.carry_out()
    }

    fn carry_out(&mut self) -> String {
        let mut sent = Vec::new();
        while let Some(output) = counted(|| self.board.poll()) {
            match output {
                Output::Transmit { bytes, .. } => sent = bytes,
                Output::Media(order) => self.order(&order),
                Output::Event(_)
                | Output::Answer { .. }
                | Output::Quality { .. }
                | Output::Resolve { .. }
                | Output::Registered(_)
                | Output::KeysInClear { .. }
                | Output::NewCountry { .. }
                | Output::Emergency { .. }
                | Output::Security(_)
                | Output::Denied { .. }
                | Output::Trunk(_) => {}
            }
        }
        String::from_utf8(sent).expect("our messages are text")
    }

    fn order(&mut self, order: &MediaOrder) {
        let cue = counted(|| self.desk.compile(order)).expect("an order can be carried out");
        self.stage.apply(cue);
        counted(|| while self.stage.next_spent().is_some() {});
        if let MediaOrder::Open { leg, local, .. } = order {
            let rtp = SocketAddr::new(*local, self.next_port);
            self.next_port = if self.next_port > 60_000 { 20_000 } else { self.next_port + 2 };
            let report = MediaReport::Opened { leg: *leg, local: LocalMedia { rtp } };
            counted(|| self.board.handle(self.now, Input::Media(report)));
        }
    }
}

/// What callgrind counts.
#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    std::hint::black_box(work())
}

/// A caller's request.
fn request(method: &str, call: u64, to_tag: &str, cseq: u32, body: &str) -> String {
    let room = call % ROOMS;
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:room-{room}@10.0.0.1:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK-{call}-{method}\r\n\
         From: <sip:visitor@10.0.0.2:5060>;tag=4711s{call}\r\n\
         To: <sip:room-{room}@10.0.0.1:5060>{to_tag}\r\n\
         Call-ID: {call}-4711@10.0.0.2\r\n\
         CSeq: {cseq} {}\r\n\
         Contact: <sip:visitor@10.0.0.2:5060;transport=UDP>\r\n\
         Max-Forwards: 70\r\n\
         {kind}Content-Length: {}\r\n\r\n{body}",
        method,
        body.len(),
    )
}

/// The offer of bench/calls.d/visit.xml.
fn offer() -> String {
    let codec = Codec::Pcmu.to_string();
    format!(
        "v=0\r\no=visitor 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n\
         m=audio 33000 RTP/AVP 0\r\na=rtpmap:0 {codec}/8000\r\n"
    )
}

fn visit(house: &mut House, calls: u64) {
    let mut up = VecDeque::new();
    for call in 0..calls {
        let answer = house.message(&request("INVITE", call, "", 1, &offer()));
        let to = answer.lines().find(|line| line.starts_with("To:")).expect("a 200 has a To");
        let tag = to.split_once(";tag=").expect("and a tag").1;
        let tag = format!(";tag={tag}");
        house.message(&request("ACK", call, &tag, 1, ""));
        up.push_back((call, tag));
        house.wait(APART);
        if up.len() >= UP_AT_ONCE
            && let Some((call, tag)) = up.pop_front()
        {
            house.message(&request("BYE", call, &tag, 2, ""));
        }
    }
    for (call, tag) in up {
        house.message(&request("BYE", call, &tag, 2, ""));
    }
}

fn main() {
    let word = std::env::args().nth(1).expect("say CALLS");
    visit(&mut House::new(), word.parse().expect("a number"));
}

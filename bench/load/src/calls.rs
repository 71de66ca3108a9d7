//! The calls that put the legs into their rooms, and take them out again.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use anyhow::{Context, Result};
use audio::Codec;
use nix::sys::socket::{setsockopt, sockopt};
use wire::sdp::{self, Description, Encoding, Local};

use crate::clock::{MS, SECOND};
use crate::leg::Leg;
use crate::limits::{SIP_BYTES_MAX, SIP_PER_TURN_MAX};
use crate::message::{Dialog, Message, Start};

/// Time until a request is sent again; it doubles each time (T1, RFC 3261 section 17.1.1.2).
const RETRANSMIT_NS: u64 = 500 * MS;

/// Time after which a request has failed (64 × T1, timers B and F).
const TIMEOUT_NS: u64 = 32 * SECOND;

/// How often the calls' patience is looked at: often enough for [`RETRANSMIT_NS`].
const LOOK_NS: u64 = 100 * MS;

/// Room for what the server says while we hold still \[bytes\].
const RECEIVE_BYTES: usize = 4 << 20;

/// All calls of a run, over one socket.
pub(crate) struct Calls {
    socket: UdpSocket,
    server: SocketAddr,
    paced_ns: u64,
    calls: Vec<Call>,
    /// The next call to place or to end.
    next: usize,
    /// When that one is due.
    due_ns: u64,
    /// When the calls' patience is looked at next.
    look_ns: u64,
    /// Room for a message.
    received: Vec<u8>,
    hanging_up: bool,
    /// Refusals and failures, by what was said.
    pub(crate) failures: BTreeMap<String, usize>,
}

struct Call {
    dialog: Dialog,
    offered: Local,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Not placed yet.
    Waiting,
    /// The INVITE is out.
    Calling(Patience),
    /// A provisional response has come.
    Proceeding { since_ns: u64 },
    /// It is up.
    Up,
    /// The BYE is out.
    Ending(Patience),
    /// It is over, or never was.
    Over,
}

/// When a request was sent, and when it is to be sent again.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Patience {
    since_ns: u64,
    again_ns: u64,
    interval_ns: u64,
}

impl Patience {
    fn new(now_ns: u64) -> Patience {
        Patience { since_ns: now_ns, again_ns: now_ns + RETRANSMIT_NS, interval_ns: RETRANSMIT_NS }
    }

    fn doubled(self, now_ns: u64) -> Patience {
        let interval_ns = self.interval_ns * 2;
        Patience { again_ns: now_ns + interval_ns, interval_ns, ..self }
    }
}

impl Calls {
    /// One call for each leg, to be placed at this pace.
    pub(crate) fn new(
        server: SocketAddr,
        room_prefix: &str,
        per_second: u64,
        legs: &[Leg],
    ) -> Result<Calls> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("no socket for SIP")?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BYTES)?;
        let local = socket.local_addr()?;
        // Calls that come after others are none of theirs (RFC 3261 section 8.2.2.2).
        let run = format!("{}-{}", std::process::id(), local.port());
        let mut calls = Vec::with_capacity(legs.len());
        for (index, leg) in legs.iter().enumerate() {
            let uri = format!("sip:{room_prefix}{}@{server}", leg.room);
            // As telephones do: who offers no telephone-event is listened to for its tones.
            let codecs = vec![encoding(leg.codec), Encoding::TelephoneEvent];
            let offered = Local::new(leg.address()?, codecs, index as u64 + 1);
            let dialog = Dialog::new(format!("load-{run}-{index}"), local, uri);
            calls.push(Call { dialog, offered, state: State::Waiting });
        }
        Ok(Calls {
            socket,
            server,
            paced_ns: SECOND / per_second.max(1),
            calls,
            next: 0,
            due_ns: 0,
            look_ns: 0,
            received: vec![0; SIP_BYTES_MAX],
            hanging_up: false,
            failures: BTreeMap::new(),
        })
    }

    /// Places or ends what is due, and takes in what the server said. Each millisecond.
    pub(crate) fn turn(&mut self, now_ns: u64, legs: &mut [Leg]) -> Result<()> {
        if self.next < self.calls.len() && now_ns >= self.due_ns {
            self.begin(self.next, now_ns, legs);
            self.next += 1;
            self.due_ns = now_ns + self.paced_ns;
        }
        let mut bytes = std::mem::take(&mut self.received);
        for _ in 0..SIP_PER_TURN_MAX {
            // Nothing waits, or an ICMP error that the next retransmission will tell more about.
            let Ok(length) = self.socket.recv(&mut bytes) else { break };
            if let Ok(text) = std::str::from_utf8(&bytes[..length])
                && let Some(message) = Message::parse(text)
            {
                self.receive(now_ns, &message, legs)?;
            }
        }
        self.received = bytes;
        if now_ns >= self.look_ns {
            for index in 0..self.calls.len() {
                self.lose_patience(index, now_ns);
            }
            self.look_ns = now_ns + LOOK_NS;
        }
        Ok(())
    }

    /// Ends all calls from here on, at the pace at which they were placed.
    pub(crate) fn hang_up(&mut self) {
        self.hanging_up = true;
        self.next = 0;
    }

    /// Whether each call is up, or has failed.
    pub(crate) fn settled(&self) -> bool {
        self.calls.iter().all(|call| matches!(call.state, State::Up | State::Over))
    }

    /// Whether no call is left.
    pub(crate) fn over(&self) -> bool {
        self.calls.iter().all(|call| call.state == State::Over)
    }

    /// Calls that are up.
    pub(crate) fn up(&self) -> usize {
        self.calls.iter().filter(|call| call.state == State::Up).count()
    }

    fn begin(&mut self, index: usize, now_ns: u64, legs: &mut [Leg]) {
        let call = &mut self.calls[index];
        match (self.hanging_up, call.state) {
            (false, State::Waiting) => call.state = State::Calling(Patience::new(now_ns)),
            (true, State::Up) => {
                legs[index].disconnect();
                call.state = State::Ending(Patience::new(now_ns));
            }
            (_, _) => return,
        }
        self.transmit(index);
    }

    /// Sends the request that a call waits for an answer to.
    fn transmit(&self, index: usize) {
        let call = &self.calls[index];
        match call.state {
            State::Calling(_) => self.send(&call.dialog.invite(&sdp::offer(&call.offered))),
            State::Ending(_) => self.send(&call.dialog.bye()),
            State::Waiting | State::Proceeding { .. } | State::Up | State::Over => {}
        }
    }

    /// What cannot be sent is lost, as on any network; it is sent again in time.
    fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.server).ok();
    }

    fn lose_patience(&mut self, index: usize, now_ns: u64) {
        let call = &mut self.calls[index];
        let (since_ns, again) = match call.state {
            State::Calling(patience) | State::Ending(patience) => {
                (patience.since_ns, now_ns >= patience.again_ns)
            }
            State::Proceeding { since_ns } => (since_ns, false),
            State::Waiting | State::Up | State::Over => return,
        };
        if now_ns - since_ns >= TIMEOUT_NS {
            self.fail(index, "no final response");
        } else if again {
            match &mut call.state {
                State::Calling(patience) | State::Ending(patience) => {
                    *patience = patience.doubled(now_ns);
                }
                State::Waiting | State::Proceeding { .. } | State::Up | State::Over => {}
            }
            self.transmit(index);
        }
    }

    fn fail(&mut self, index: usize, why: &str) {
        self.calls[index].state = State::Over;
        *self.failures.entry(why.to_owned()).or_default() += 1;
    }

    fn receive(&mut self, now_ns: u64, message: &Message<'_>, legs: &mut [Leg]) -> Result<()> {
        let call_id = message.header("Call-ID", "i").unwrap_or_default();
        let index = call_id.rsplit('-').next().and_then(|index| index.parse::<usize>().ok());
        let index = index.filter(|index| {
            self.calls.get(*index).is_some_and(|call| call.dialog.call_id == call_id)
        });
        match (&message.start, index) {
            (Start::Request(method), index) => self.request(method, message, index, legs),
            (Start::Response(status), Some(index)) => {
                return self.response(now_ns, index, *status, message, legs);
            }
            (Start::Response(_), None) => {}
        }
        Ok(())
    }

    /// The far end hangs up, or asks for something that a plain phone agrees with or has not.
    fn request(
        &mut self,
        method: &str,
        message: &Message<'_>,
        index: Option<usize>,
        legs: &mut [Leg],
    ) {
        match (method, index) {
            ("ACK", _) => return,
            ("INVITE", _) => self.send(&message.response("488 Not Acceptable Here")),
            (_, _) => self.send(&message.response("200 OK")),
        }
        if let ("BYE", Some(index)) = (method, index) {
            legs[index].disconnect();
            if self.calls[index].state == State::Up {
                self.fail(index, "the server hung up");
            } else {
                self.calls[index].state = State::Over;
            }
        }
    }

    fn response(
        &mut self,
        now_ns: u64,
        index: usize,
        status: u16,
        message: &Message<'_>,
        legs: &mut [Leg],
    ) -> Result<()> {
        let call = &mut self.calls[index];
        match (message.method(), call.state, status) {
            (Some("INVITE"), State::Calling(_), 100..=199) => {
                call.state = State::Proceeding { since_ns: now_ns };
            }
            (Some("INVITE"), State::Calling(_) | State::Proceeding { .. }, 200..=299) => {
                call.dialog.target = message.contact().unwrap_or(&call.dialog.uri).to_owned();
                call.dialog.to = message.header("To", "t").unwrap_or_default().to_owned();
                call.state = State::Up;
                self.send(&self.calls[index].dialog.ack());
                self.answered(index, message.body, legs)?;
            }
            (Some("INVITE"), State::Up | State::Ending(_) | State::Over, 200..=299) => {
                // The acknowledgement was lost.
                self.send(&self.calls[index].dialog.ack());
            }
            (Some("INVITE"), State::Calling(_) | State::Proceeding { .. }, 300..) => {
                call.dialog.to = message.header("To", "t").unwrap_or_default().to_owned();
                self.send(&self.calls[index].dialog.ack_of_refusal());
                self.fail(index, &format!("status {status}"));
            }
            (Some("BYE"), State::Ending(_), 200..) => call.state = State::Over,
            (_, _, _) => {}
        }
        Ok(())
    }

    fn answered(&mut self, index: usize, body: &str, legs: &mut [Leg]) -> Result<()> {
        let agreed = Description::parse(body.as_bytes())
            .map_err(|error| error.to_string())
            .and_then(|answer| {
                sdp::accept(&self.calls[index].offered, &answer).map_err(|error| error.to_string())
            });
        match agreed {
            Ok(agreed) => legs[index].connect(
                agreed.remote,
                agreed.payload_type,
                agreed.receive_payload_type,
            )?,
            Err(error) => {
                self.send(&self.calls[index].dialog.bye());
                self.fail(index, &format!("the answer cannot be used: {error}"));
            }
        }
        Ok(())
    }
}

fn encoding(codec: Codec) -> Encoding {
    match codec {
        Codec::Pcmu => Encoding::Pcmu,
        Codec::Pcma => Encoding::Pcma,
        Codec::G722 => Encoding::G722,
        Codec::Opus => Encoding::Opus,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice::{Loops, Schedule};

    const SERVER: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

    /// A leg, its call, and a server that says what the test says.
    fn call() -> (Vec<Leg>, Calls, UdpSocket) {
        let server = UdpSocket::bind(SERVER).unwrap();
        server.set_nonblocking(true).unwrap();
        let mut loops = Loops::new(Schedule { talkers: 0, turns: false });
        let speech = loops.of(Codec::Pcmu, 0, 0).unwrap();
        let legs = vec![Leg::new(0, 0, Codec::Pcmu, speech).unwrap()];
        let calls = Calls::new(server.local_addr().unwrap(), "room-", 100, &legs).unwrap();
        (legs, calls, server)
    }

    fn text(server: &UdpSocket) -> Option<(String, SocketAddr)> {
        let mut bytes = [0; 2_000];
        let (length, from) = server.recv_from(&mut bytes).ok()?;
        Some((String::from_utf8(bytes[..length].to_vec()).unwrap(), from))
    }

    fn answer(request: &str, port: u16) -> String {
        let body = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0\r\n"
        );
        let response = Message::parse(request).unwrap().response("200 OK");
        let more = format!(
            "Contact: <sip:there@127.0.0.1:9>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        response.replace("Content-Length: 0\r\n\r\n", &more)
    }

    #[test]
    fn a_call_comes_up_speaks_and_ends() {
        let (mut legs, mut calls, server) = call();
        let there = UdpSocket::bind(SERVER).unwrap();
        calls.turn(0, &mut legs).unwrap();
        let (invite, phone) = text(&server).unwrap();
        assert!(invite.starts_with("INVITE sip:room-0@127.0.0.1:"), "{invite}");
        assert!(!legs[0].speak(0));

        let answered = answer(&invite, there.local_addr().unwrap().port());
        server.send_to(answered.as_bytes(), phone).unwrap();
        calls.turn(MS, &mut legs).unwrap();
        assert!(text(&server).unwrap().0.starts_with("ACK sip:there@127.0.0.1:9 "));
        assert!(calls.settled() && calls.up() == 1 && legs[0].speak(0));

        calls.hang_up();
        calls.turn(SECOND, &mut legs).unwrap();
        let (bye, _) = text(&server).unwrap();
        assert!(bye.starts_with("BYE sip:there@127.0.0.1:9 "), "{bye}");
        let goodbye = Message::parse(&bye).unwrap().response("200 OK");
        server.send_to(goodbye.as_bytes(), phone).unwrap();
        calls.turn(SECOND + MS, &mut legs).unwrap();
        assert!(calls.over() && calls.failures.is_empty());
    }

    #[test]
    fn a_refused_call_is_acknowledged_and_told() {
        let (mut legs, mut calls, server) = call();
        calls.turn(0, &mut legs).unwrap();
        let (invite, phone) = text(&server).unwrap();
        let busy = Message::parse(&invite).unwrap().response("486 Busy Here");
        server.send_to(busy.as_bytes(), phone).unwrap();
        calls.turn(MS, &mut legs).unwrap();
        assert!(text(&server).unwrap().0.starts_with("ACK sip:room-0@"));
        assert_eq!(calls.failures, BTreeMap::from([("status 486".to_owned(), 1)]));
        assert!(calls.settled() && calls.over());
    }

    #[test]
    fn a_call_that_nobody_answers_is_sent_again_and_fails() {
        let (mut legs, mut calls, server) = call();
        let mut invites = 0;
        for at_ms in (0..40_000).step_by(5) {
            calls.turn(at_ms * MS, &mut legs).unwrap();
            invites += usize::from(text(&server).is_some());
        }
        // At 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s (RFC 3261 section 17.1.1.2).
        assert_eq!(invites, 7);
        assert_eq!(calls.failures, BTreeMap::from([("no final response".to_owned(), 1)]));
    }

    #[test]
    fn a_server_that_hangs_up_is_answered_and_told() {
        let (mut legs, mut calls, server) = call();
        let there = UdpSocket::bind(SERVER).unwrap();
        calls.turn(0, &mut legs).unwrap();
        let (invite, phone) = text(&server).unwrap();
        let answered = answer(&invite, there.local_addr().unwrap().port());
        server.send_to(answered.as_bytes(), phone).unwrap();
        calls.turn(MS, &mut legs).unwrap();
        let ack = text(&server).unwrap().0;
        let bye = ack.replace("ACK", "BYE");
        server.send_to(bye.as_bytes(), phone).unwrap();
        calls.turn(2 * MS, &mut legs).unwrap();
        assert!(text(&server).unwrap().0.starts_with("SIP/2.0 200 OK"));
        assert!(!legs[0].speak(0));
        assert_eq!(calls.failures, BTreeMap::from([("the server hung up".to_owned(), 1)]));
    }
}

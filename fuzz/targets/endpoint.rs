//! The SIP endpoint: whatever comes, in whatever order, it neither panics nor keeps anything once
//! time has passed and all sessions were ended.
#![no_main]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use sip::message::StatusCode;
use sip::{
    Alive, Config, Endpoint, Flow, Output, SessionEvent, SessionId, SubscriptionEvent, Transport,
};

fuzz_target!(|bytes: &[u8]| {
    let local: SocketAddr = "192.0.2.1:5060".parse().expect("an address");
    let remote: SocketAddr = "192.0.2.2:5060".parse().expect("an address");
    let config = Config {
        access: sip::access::Access::everybody(),
        focus: true,
        ..Config::new(vec![(Transport::Udp, local)])
    };
    let mut endpoint = Endpoint::new(config, 1);
    let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
    let mut now = Instant::now();
    let mut sessions = Vec::new();
    // Messages are parted by a byte that is in none; the one before tells what the user does.
    for message in bytes.split(|byte| *byte == 0xff) {
        endpoint.receive(now, flow, message);
        let told = drain(&mut endpoint, now, &mut sessions);
        let Some(&id) = sessions.last() else { continue };
        let whim = message.len() % 8;
        // A verb that does not fit the state is refused, and that is in order.
        let _refused = match whim {
            0 => endpoint.accept(now, id, b"sdp".to_vec()).is_err(),
            1 => endpoint.ring(now, id).is_err(),
            2 => endpoint.reinvite(now, id, b"sdp".to_vec()).is_err(),
            3 => endpoint.progress(now, id, StatusCode::RINGING, None).is_err(),
            _ => told == 0,
        };
        now += Duration::from_millis(100 << whim);
        endpoint.handle_timeout(now);
        drain(&mut endpoint, now, &mut sessions);
    }
    for id in sessions.clone() {
        endpoint.end(now, id, None);
    }
    // Past all that a transaction waits for, then past the life of a subscription.
    for step in 0..600 {
        now += Duration::from_secs(if step < 400 { 1 } else { 1_800 });
        endpoint.handle_timeout(now);
        drain(&mut endpoint, now, &mut sessions);
    }
    assert_eq!(endpoint.alive(), Alive::default());
});

/// Takes everything out; notes sessions, answers what waits for an answer, and tells how many
/// outputs there were.
fn drain(endpoint: &mut Endpoint, now: Instant, sessions: &mut Vec<SessionId>) -> usize {
    let mut outputs = 0;
    while let Some(output) = endpoint.poll() {
        outputs += 1;
        match output {
            Output::Session(id, SessionEvent::Incoming(_)) => sessions.push(id),
            Output::Text(id, _) => endpoint.answer_text(now, id, StatusCode::OK),
            Output::Subscription(id, SubscriptionEvent::Referred(_)) => {
                endpoint.deny(now, id, StatusCode::FORBIDDEN).expect("it waits for an answer");
            }
            Output::Subscription(id, SubscriptionEvent::Subscribed(_)) => {
                endpoint.grant(now, id).expect("it waits for an answer");
            }
            _ => {}
        }
    }
    outputs
}

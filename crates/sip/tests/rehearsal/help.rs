//! Calls to emergency numbers where no others are taken (RFC 7339 §5.10.1).

use std::time::Duration;

use sip::access::{Access, Trunk};
use sip::limits::Limit;
use sip::{Config, Endpoint, Transport};

use crate::knock::{Knocker, SERVER, codes, guarded};

/// Who asks is trusted, and may call for help by a trunk.
fn with_help() -> Access {
    let mut access = Access { trusted: Access::everybody().trusted, ..guarded() };
    access.emergency.insert("112".to_owned());
    let trunk = Trunk { emergency: true, ..Trunk::at(None) };
    access.trunks.insert("carrier".to_owned(), trunk);
    access
}

fn waits(knocker: &mut Knocker, ms: u64) {
    let now = knocker.world.now;
    knocker.world.nodes[0].endpoint.waited(now, Duration::from_millis(ms), 100);
}

/// Another call each time.
fn call(knocker: &mut Knocker, to: &str) -> Vec<u16> {
    let (host, number) = (knocker.source, knocker.cseq);
    knocker.more = format!("Contact: <sip:p@{host}>\r\nX-Number: {number}\r\n");
    codes(&knocker.ask("INVITE", to, ""))
}

#[test]
fn in_an_overload_help_can_be_called_for_and_by_that_nobody_can_flood_us() {
    let mut knocker = Knocker::at(with_help());
    for _ in 0..4 {
        waits(&mut knocker, 50);
        knocker.world.run_ms(50);
    }
    assert_eq!(call(&mut knocker, "open-1"), [503]);
    for _ in 0..10 {
        waits(&mut knocker, 50);
        assert_eq!(call(&mut knocker, "112"), [100]);
    }
    waits(&mut knocker, 50);
    assert_eq!(call(&mut knocker, "112"), [503], "so many in a second");
    assert_eq!(knocker.refused_by(Limit::QueueDelay), 2);
    knocker.world.run_ms(1_000);
    waits(&mut knocker, 50);
    assert_eq!(call(&mut knocker, "112"), [100]);
    assert_eq!(call(&mut knocker, "open-1"), [503]);
}

#[test]
fn help_can_be_called_for_though_there_are_as_many_calls_as_there_may_be() {
    for (sessions_max, transactions_max, limit) in
        [(0, 100, Limit::Sessions), (100, 0, Limit::Transactions)]
    {
        let mut knocker = Knocker::at(with_help());
        let listeners = vec![(Transport::Udp, SERVER.parse().expect("an address"))];
        let config = Config::new(listeners);
        let config = Config { access: with_help(), sessions_max, transactions_max, ..config };
        knocker.world.nodes[0].endpoint = Endpoint::new(config, 7);
        assert_eq!(call(&mut knocker, "open-1"), [503]);
        let taken = (0..100).filter(|_| call(&mut knocker, "112") == [100]).count();
        assert_eq!(taken, sip::limits::EMERGENCY_RESERVE);
        assert_eq!(knocker.refused_by(limit), 1 + 100 - taken as u64);
    }
}

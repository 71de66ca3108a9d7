//! What the machine does not give: io_uring, and more ports.
#![expect(unsafe_code, reason = "a program is forbidden something between fork and exec")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use audio::Codec;

use crate::calls::tone;
use crate::line::Line;
use crate::server::Server;
use crate::sipp::Sipp;
use crate::{shared_machine, until};

/// System calls of io_uring, which have the same number on every machine.
const SETUP: u32 = 425;
const ENTER: u32 = 426;
const REGISTER: u32 = 427;

/// Lets a program have "not permitted" for a system call, as containers do (seccomp(2)).
fn forbid(command: &mut Command, call: u32) {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    // Is it that call? If not, the next statement is left out.
    let is = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned();
    let filter = [
        // The number is the first word of what a filter sees.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter { code: is as u16, jt: 0, jf: 1, k: call },
        statement(libc::BPF_RET | libc::BPF_K, refuse),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let install = move || {
        let program =
            libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
        // SAFETY: two system calls, and no memory of the parent's is written to. The filter lives
        // through the call, which only reads it.
        let done = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
                    == 0
        };
        if done { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: what runs between fork and exec only makes system calls.
    unsafe { command.pre_exec(install) };
}

#[test]
fn where_io_uring_is_forbidden_calls_go_by_epoll() {
    let _machine = shared_machine();
    for (call, ports) in [(SETUP, "62800-62819"), (ENTER, "62820-62839"), (REGISTER, "62840-62859")]
    {
        let server = Server::start_as(&["--rtp-ports", ports], |server| forbid(server, call));
        assert_eq!(server.metric("convoke_media_io_uring"), 0.0, "without {call}");
        let log = server.log();
        assert!(log.contains("there is no io_uring here"), "without {call}: {log}");
        assert!(log.contains("epoll"), "without {call}: {log}");

        let files = [("rooms.csv", b"SEQUENTIAL\nquay;\n".as_slice()), ("tone.pcmu", &tone())];
        let two = ["-inf", "rooms.csv", "-m", "2", "-l", "2", "-d", "1000"];
        Sipp::call_with(server.sip, "call", &files, &two).succeeds();
        // Two phones for a second: half of their packets says that they went both ways.
        let received = server.metric("convoke_rtp_packets_received_total");
        let sent = server.metric("convoke_rtp_packets_sent_total");
        assert!(received > 50.0 && sent > 50.0, "without {call}: {received} in, {sent} out");
    }
}

#[test]
fn beyond_the_ports_calls_are_refused_and_those_that_are_up_go_on() {
    const PORTS_IN_USE: &str = "convoke_rtp_ports_in_use";
    let _machine = shared_machine();
    let server = Server::start(&["--rtp-ports", "62900-62907"]);
    let files = [("rooms.csv", b"SEQUENTIAL\nquay;\n".as_slice()), ("tone.pcmu", &tone())];
    let two = ["-inf", "rooms.csv", "-r", "100", "-m", "2", "-l", "2", "-d", "4000"];
    let callers = Sipp::call_with(server.sip, "call", &files, &two);
    let lines = [("ada", 437.0), ("ben", 577.0)]
        .map(|(name, tone_hz)| Line::new(&server, name, Codec::Pcmu, tone_hz));
    lines.iter().for_each(|line| line.call("quay"));
    server.connected("quay", 4);
    until("four ports in use", || (server.metric(PORTS_IN_USE) == 4.0).then_some(()));

    // Into a room that is there, and into one that would begin.
    for room in ["quay", "pier"] {
        Sipp::call(server.sip, "full", &["-m", "1", "-s", room]).succeeds();
        assert_eq!(server.connected("quay", 4)["parties"].as_array().unwrap().len(), 4);
    }
    assert!(server.conference("pier").is_none(), "a conference in which nobody could be");

    let packets = || lines.each_ref().map(|line| line.wire().packets);
    let before = packets().map(|packets| packets.len());
    until("another second of sound", || {
        let is_heard = |(now, before): (&Vec<_>, &usize)| now.len() >= before + 50;
        packets().iter().zip(&before).all(is_heard).then_some(())
    });
    for packets in packets() {
        let follows = |pair: &[(u32, u16, u32)]| pair[1].1 == pair[0].1.wrapping_add(1);
        assert!(packets.windows(2).all(follows), "{packets:?}");
    }
    let closing = callers.succeeds();
    assert_eq!(closing.count("SuccessfulCall(C)"), 2, "{}", closing.text);

    drop(lines);
    let left = Instant::now();
    until("the ports' end", || (server.metric(PORTS_IN_USE) == 0.0).then_some(()));
    assert!(left.elapsed() <= Duration::from_secs(1), "{:?}", left.elapsed());
    let four = ["-inf", "rooms.csv", "-r", "100", "-m", "4", "-l", "4", "-d", "500"];
    Sipp::call_with(server.sip, "call", &files, &four).succeeds();
}

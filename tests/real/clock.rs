//! A wall clock that is set while calls are up.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use crate::calls::tone;
use crate::program::{Folder, signal};
use crate::server::Server;
use crate::sipp::Sipp;
use crate::strangers::{Ask, Stranger, status};
use crate::{shared_machine, until};

/// Stands before the C library: the wall clock is off by as many seconds as a file says.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile long *off_s;

__attribute__((constructor)) static void find(void) {
    int file = open(getenv("CLOCK_OFF_BY"), O_RDONLY);
    void *page = file < 0 ? MAP_FAILED : mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
    if (page == MAP_FAILED) abort();
    off_s = page;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    int failed = syscall(SYS_clock_gettime, clock, at);
    if (!failed && clock == CLOCK_REALTIME && off_s) at->tv_sec += *off_s;
    return failed;
}
"#;

/// A wall clock that can be set: the library before the C library, and the file that it reads.
struct Clock(Folder);

impl Clock {
    fn new() -> Clock {
        let folder = Folder::new();
        std::fs::write(folder.join("shim.c"), SHIM).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o", "shim.so", "shim.c"]).current_dir(folder.path());
        assert!(compiler.status().expect("a C compiler, which aws-lc needs, too").success());
        let clock = Clock(folder);
        clock.set(0);
        clock
    }

    /// Sets it off by so much [s].
    fn set(&self, off_s: i64) {
        // In place: what is mapped must not be gone for an instant.
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).open(self.0.join("off"));
        file.unwrap().write_all(&off_s.to_ne_bytes()).unwrap();
    }

    fn govern(&self, program: &mut Command) {
        program.env("LD_PRELOAD", self.0.join("shim.so")).env("CLOCK_OFF_BY", self.0.join("off"));
    }
}

/// Day and hour of the last line that the server logs when it reads its files anew.
fn hour_by_its_log(server: &Server, times: usize) -> String {
    signal(&server.process, "HUP");
    until("a line in the log", || {
        let log = server.log();
        let mut lines = log.lines().filter(|line| line.contains("were read anew"));
        lines.nth(times - 1).map(|line| line[..13].to_owned())
    })
}

#[test]
fn a_wall_clock_that_is_set_by_hours_ends_no_call_no_registration_and_no_nonce() {
    let _machine = shared_machine();
    let clock = Clock::new();
    let user = convoke::access::UserLines { name: "alice", realm: "convoke", password: "wonder" };
    let open = "[[routes]]\nmatch = \"hall-*\"\nconference = \"$1\"\nopen = true\n";
    let config = clock.0.join("convoke.toml");
    std::fs::write(&config, format!("{user}\n{open}")).unwrap();
    let config = config.display().to_string();
    let options = ["--rtp-ports", "62880-62899", "--config", &config];
    let server = Server::start_as(&options, |program| clock.govern(program));

    let register = Ask { method: "REGISTER", to: "alice", from: "alice", ..Ask::default() };
    let mut phone = Stranger::at(60, &server);
    let challenged = phone.ask(register);
    let show = |phone: &mut Stranger, count| {
        let more = Stranger::credentials(&challenged, "REGISTER", ("alice", "wonder"), count);
        status(&phone.ask(Ask { more: &more, ..register }))
    };
    assert_eq!(show(&mut phone, 1), 200);
    let registered = |server: &Server| server.metric("convoke_registered_phones");
    let files = [("rooms.csv", b"SEQUENTIAL\nhall-quay;\n".as_slice()), ("tone.pcmu", &tone())];
    let two = ["-inf", "rooms.csv", "-m", "2", "-l", "2", "-d", "2000"];
    let callers = Sipp::call_with(server.sip, "call", &files, &two);
    server.connected("quay", 2);

    // Longer than any registration, session interval or nonce lives, there and back.
    let hour = hour_by_its_log(&server, 1);
    for (times, off_s) in [(2, 3 * 3_600), (3, -3 * 3_600)] {
        clock.set(off_s);
        assert_ne!(hour_by_its_log(&server, times), hour, "the clock is set");
        let sent = server.metric("convoke_rtp_packets_sent_total");
        std::thread::sleep(Duration::from_millis(250));
        assert!(server.metric("convoke_rtp_packets_sent_total") > sent + 10.0);
        assert_eq!(server.connected("quay", 2)["parties"].as_array().unwrap().len(), 2);
        assert_eq!(registered(&server), 1.0);
        assert_eq!(show(&mut phone, times as u32), 200, "a nonce lives for a minute");
    }
    callers.succeeds();
}

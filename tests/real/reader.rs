//! Who reads the log, and does not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::program::{Folder, convoke, ended, free_address, signal};
use crate::{shared_machine, until};

/// Standard error that takes nothing more, as of a collector of logs that hangs, and its reader.
fn full() -> (Stdio, UnixStream) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    while ours.write(&[b'.'; 1_000]).is_ok() {}
    ours.set_nonblocking(false).unwrap();
    (Stdio::from(OwnedFd::from(ours)), theirs)
}

/// A server that logs all that it can, whose standard error this is.
struct Chatty {
    process: Child,
    http: std::net::SocketAddr,
    sip: std::net::SocketAddr,
    _folder: Folder,
}

impl Chatty {
    fn start(error: Stdio, ports: &str) -> Chatty {
        let folder = Folder::new();
        let data = folder.join("data").to_str().unwrap().to_owned();
        let (sip, http) = (free_address(), free_address());
        let (at, page) = (sip.to_string(), http.to_string());
        let process = convoke(&["--sip", &at, "--http", &page, "--data", &data, "--log", "debug"])
            .args(["--rtp-ports", ports])
            .stdout(Stdio::null())
            .stderr(error)
            .spawn()
            .unwrap();
        Chatty { process, http, sip, _folder: folder }
    }

    fn page(&self, path: &str) -> Option<String> {
        let mut page = TcpStream::connect(self.http).ok()?;
        page.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        page.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        page.read_to_string(&mut answer).ok()?;
        answer.contains("200 OK").then_some(answer)
    }

    /// Has it log that somebody came who does not speak SIP.
    fn come_and_go(&self) {
        let mut stranger = TcpStream::connect(self.sip).unwrap();
        stranger.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        stranger.read_to_end(&mut Vec::new()).unwrap();
    }
}

impl Drop for Chatty {
    fn drop(&mut self) {
        // Killing one that has ended by itself is no error.
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn a_log_that_nobody_reads_holds_up_no_call_and_is_whole_once_it_is_read() {
    let _machine = shared_machine();
    let (error, mut reader) = full();
    let mut server = Chatty::start(error, "63300-63319");
    until("an answer though the log is stuck", || server.page("/readyz"));
    server.come_and_go();
    server.come_and_go();
    let metrics = server.page("/metrics").unwrap();
    assert!(metrics.contains("\nconvoke_log_lines_lost_total 0\n"), "{metrics}");

    let read = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    signal(&server.process, "INT");
    assert_eq!(ended("the server", &mut server.process).code(), Some(0));
    let log = read.join().unwrap();
    assert_eq!(log.matches("connection ended").count(), 2, "{log}");
    assert!(log.contains("ending all calls"), "the end is told, too: {log}");
}

#[test]
fn a_log_that_nobody_reads_does_not_keep_the_server_from_its_end() {
    let _machine = shared_machine();
    let (error, _reader) = full();
    let mut server = Chatty::start(error, "63320-63339");
    until("an answer though the log is stuck", || server.page("/readyz"));
    let asked = Instant::now();
    signal(&server.process, "INT");
    assert_eq!(ended("the server", &mut server.process).code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
}

#[test]
fn why_a_server_cannot_start_holds_nobody_up_though_nobody_reads_it() {
    let _machine = shared_machine();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (error, _reader) = full();
    let folder = Folder::new();
    let mut process = convoke(&["--sip", "127.0.0.1:0", "--data"])
        .arg(folder.join("data"))
        .args(["--http", &taken.local_addr().unwrap().to_string()])
        .stderr(error)
        .spawn()
        .unwrap();
    assert_eq!(ended("the server", &mut process).code(), Some(1));
}

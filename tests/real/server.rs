//! A server of a test's own.

use std::fs::File;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;

use crate::program::{Folder, convoke, ended, signal};
use crate::until;

/// A server that runs; it is killed when it is dropped.
pub(crate) struct Server {
    pub(crate) process: Child,
    /// Where phones call.
    pub(crate) sip: SocketAddr,
    /// Where the API is.
    pub(crate) http: SocketAddr,
    /// TLS, if it was started with it.
    pub(crate) tls: Option<Tls>,
    folder: Folder,
    /// The files of TLS.
    more: Option<Folder>,
}

/// TLS of a server.
pub(crate) struct Tls {
    /// Where phones call.
    pub(crate) sip: SocketAddr,
    /// Where browsers connect, by plain WebSocket.
    pub(crate) websocket: SocketAddr,
}

impl Server {
    /// Starts a server with TLS and WebSocket.
    pub(crate) fn start_with_tls() -> Server {
        Server::start_with_tls_and("")
    }

    /// The same, with this before its tables in the configuration.
    pub(crate) fn start_with_tls_and(before: &str) -> Server {
        let own = Folder::new();
        let name = vec!["127.0.0.1".to_owned()];
        let certified = rcgen::generate_simple_self_signed(name).unwrap();
        std::fs::write(own.join("cert.pem"), certified.cert.pem()).unwrap();
        std::fs::write(own.join("key.pem"), certified.signing_key.serialize_pem()).unwrap();
        let folder = own.path().display();
        let config = format!(
            "{before}[tls]\nlisten = [\"127.0.0.1:0\"]\ncertificate = \"{folder}/cert.pem\"\n\
             key = \"{folder}/key.pem\"\nroots = \"{folder}/cert.pem\"\n\
             [websocket]\nlisten = [\"127.0.0.1:0\"]\n"
        );
        std::fs::write(own.join("convoke.toml"), config).unwrap();
        let mut server = Server::start(&["--config", own.join("convoke.toml").to_str().unwrap()]);
        let welcome = std::fs::read_to_string(server.folder.join("welcome")).unwrap();
        server.tls = Some(Tls {
            sip: address_after(&welcome, "sips:NAME@"),
            websocket: address_after(&welcome, "ws://"),
        });
        server.more = Some(own);
        server
    }

    /// Starts a server and waits until it says that it is ready.
    pub(crate) fn start(more: &[&str]) -> Server {
        Server::start_as(more, |_| {})
    }

    /// The same, as a program that something was done to before.
    pub(crate) fn start_as(more: &[&str], prepare: impl FnOnce(&mut Command)) -> Server {
        let folder = Folder::new();
        let process = spawn(&folder, more, prepare);
        let nowhere = SocketAddr::from(([0; 4], 0));
        let mut server =
            Server { process, sip: nowhere, http: nowhere, tls: None, folder, more: None };
        server.read_welcome();
        server
    }

    /// Kills it, and starts it anew with what it has kept, on other ports.
    pub(crate) fn kill_and_start_again(&mut self, more: &[&str]) {
        signal(&self.process, "KILL");
        ended("the server", &mut self.process);
        self.process = spawn(&self.folder, more, |_| {});
        self.read_welcome();
    }

    /// Waits until it says that it is ready.
    fn read_welcome(&mut self) {
        (self.sip, self.http) = until("the welcome", || {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("the server ended at once: {status}");
            }
            let welcome = std::fs::read_to_string(self.folder.join("welcome")).unwrap();
            welcome.contains("Ctrl-C").then(|| addresses(&welcome))
        });
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// The folder of all that it keeps.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A recording's file.
    pub(crate) fn recording(&self, id: &str) -> PathBuf {
        self.data().join("recordings").join(format!("{id}.wav"))
    }

    /// Asks for a page.
    pub(crate) fn page(&self, path: &str) -> String {
        let (status, text) = self.request("GET", path, "");
        assert_eq!(status, 200, "GET {path}: {text}");
        text
    }

    /// Asks the API for something that is there.
    pub(crate) fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.page(&format!("/api/v1/{path}"))).unwrap()
    }

    /// Asks the API for a conference, which may not be there.
    pub(crate) fn conference(&self, name: &str) -> Option<Value> {
        let (status, text) = self.request("GET", &format!("/api/v1/conferences/{name}"), "");
        (status == 200).then(|| serde_json::from_str(&text).unwrap())
    }

    /// Has the API do something, which it must accept.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, text) = self.request(method, &format!("/api/v1/{path}"), body);
        assert_eq!(status, 202, "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Asks the API for something as a party's desk does: gives the status and the answer.
    pub(crate) fn ask_as(&self, party: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.ask_with(&[("convoke-party", party)], method, path, body)
    }

    /// Asks the API for something with these headers: gives the status and the answer.
    pub(crate) fn ask_with(
        &self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: &str,
    ) -> (u16, Value) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let path = format!("/api/v1/{path}");
        let asked = request(self.http, method, &path, headers, body.to_owned());
        let (status, text) = runtime.block_on(asked);
        (status, serde_json::from_str(&text).unwrap())
    }

    /// Waits until so many parties stand in a conference, talking or not.
    pub(crate) fn connected(&self, conference: &str, count: usize) -> Value {
        until(&format!("{count} parties in {conference}"), || {
            let view = self.conference(conference)?;
            let parties = view["parties"].as_array().unwrap();
            let up = parties.iter().filter(|party| party["state"] == "connected").count();
            (up == count).then_some(view)
        })
    }

    /// The value of a metric's series, 0 where there is none yet. Names stand as they are scraped.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let metrics = self.page("/metrics");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{series} ")));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Whether it answers an OPTIONS with 200. Asked once a second, for UDP may lose one.
    pub(crate) fn assert_answers_options(&self) {
        let answer = self.options();
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    }

    /// How it answers an OPTIONS outside of any call.
    pub(crate) fn options(&self) -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let (own, sip) = (socket.local_addr().unwrap(), self.sip);
        let ping = format!(
            "OPTIONS sip:{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{own};rport\r\n\
             From: <sip:ping@{own}>;tag=1\r\nTo: <sip:{sip}>\r\nCall-ID: {own}\r\n\
             CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        until("an answer to OPTIONS", || {
            socket.send_to(ping.as_bytes(), sip).unwrap();
            let mut answer = [0; 2_048];
            let length = socket.recv(&mut answer).ok()?;
            Some(String::from_utf8_lossy(&answer[..length]).into_owned())
        })
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(request(self.http, method, path, &[], body.to_owned()))
    }
}

impl Server {
    /// Asserts that no bug of ours panicked in it, by its counter and by its log: it may have
    /// ended, and a panic of a thread that nobody fences in is not counted (acceptance P4).
    fn assert_no_panic(&mut self) {
        if self.process.try_wait().unwrap().is_none() {
            assert_eq!(self.metric("convoke_panics_total"), 0.0);
        }
        let log = self.log();
        let panic = log.lines().find(|line| line.contains("panicked at"));
        assert_eq!(panic, None);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_no_panic();
        }
        // Killing one that has ended by itself is no error.
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        if std::thread::panicking() {
            let log = std::fs::read(self.folder.join("log")).unwrap_or_default();
            let log = &log[log.len().saturating_sub(10_000)..];
            eprintln!("the server's log:\n{}", String::from_utf8_lossy(log));
        }
    }
}

/// The program on that folder.
fn spawn(folder: &Folder, more: &[&str], prepare: impl FnOnce(&mut Command)) -> Child {
    let file = |name: &str| File::create(folder.join(name)).unwrap();
    let mut command = convoke(&["--sip", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    prepare(&mut command);
    command
        .arg("--data")
        .arg(folder.join("data"))
        .args(more)
        .stdout(file("welcome"))
        .stderr(file("log"))
        .spawn()
        .unwrap()
}

/// The addresses for SIP and HTTP in the welcome.
fn addresses(welcome: &str) -> (SocketAddr, SocketAddr) {
    (address_after(welcome, "sip:NAME@"), address_after(welcome, "http://"))
}

fn address_after(welcome: &str, mark: &str) -> SocketAddr {
    let rest = welcome.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {welcome}")).1;
    let end = rest.find(|c: char| c.is_whitespace() || c == '/').unwrap();
    rest[..end].parse().unwrap_or_else(|_| panic!("no address after {mark} in {welcome}"))
}

async fn request(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> (u16, String) {
    let stream = tokio::net::TcpStream::connect(server).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    let request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("host", server.to_string())
        .header("content-type", "application/json");
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    driver.abort();
    (status, String::from_utf8_lossy(&text).into_owned())
}

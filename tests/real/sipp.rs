//! Debian's SIPp with the scenarios of tests/sipp.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};

use crate::program::{Folder, ended, free_address};

/// A SIPp that runs; it is killed when it is dropped.
pub(crate) struct Sipp {
    process: Child,
    folder: Folder,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// What SIPp said at its end.
pub(crate) struct Closing {
    /// Its exit code: 0 if all calls went as the scenario says.
    pub(crate) code: Option<i32>,
    /// Its closing screens, and what surprised it.
    pub(crate) text: String,
    counts: BTreeMap<String, String>,
}

impl Closing {
    /// A counter by its column in SIPp's statistics, e.g. `SuccessfulCall(C)`.
    pub(crate) fn count(&self, column: &str) -> u64 {
        let count = self.counts.get(column).and_then(|count| count.parse().ok());
        count.unwrap_or_else(|| panic!("no {column} in {:?}", self.counts))
    }
}

/// Where the next SIPp has its ports for audio: it takes more upwards from there as it has calls,
/// and ends if it finds the first ones taken.
fn media_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(61_000);
    let free = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    loop {
        let port = NEXT.fetch_add(20, Ordering::Relaxed);
        if (port..port + 4).all(free) {
            return port;
        }
    }
}

fn scenario_path(scenario: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests").join("sipp").join(format!("{scenario}.xml"))
}

fn folder_with(files: &[(&str, &[u8])]) -> Folder {
    let folder = Folder::new();
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    folder
}

impl Sipp {
    /// Lets it call a server.
    pub(crate) fn call(server: SocketAddr, scenario: &str, more: &[&str]) -> Sipp {
        let folder = Folder::new();
        Sipp::start(folder, Some(server), scenario, more)
    }

    /// The same, with files in its folder: name and bytes.
    pub(crate) fn call_with(
        server: SocketAddr,
        scenario: &str,
        files: &[(&str, &[u8])],
        more: &[&str],
    ) -> Sipp {
        Sipp::start(folder_with(files), Some(server), scenario, more)
    }

    /// Lets it wait for one call.
    pub(crate) fn wait(scenario: &str, more: &[&str]) -> Sipp {
        Sipp::wait_with(scenario, &[], more)
    }

    /// The same, with files in its folder: name and bytes.
    pub(crate) fn wait_with(scenario: &str, files: &[(&str, &[u8])], more: &[&str]) -> Sipp {
        let more = [&["-m", "1"], more].concat();
        let sipp = Sipp::start(folder_with(files), None, scenario, &more);
        // SIPp binds its socket before it writes the head of its statistics.
        crate::until("SIPp's socket", || sipp.folder.join("statistics").exists().then_some(()));
        sipp
    }

    fn start(folder: Folder, to: Option<SocketAddr>, scenario: &str, more: &[&str]) -> Sipp {
        let address = free_address();
        let media_port = media_port().to_string();
        let screen = File::create(folder.join("screen")).unwrap();
        let mut command = Command::new("sipp");
        command.args(to.map(|to| to.to_string()));
        let process = command
            .arg("-sf")
            .arg(scenario_path(scenario))
            .args(["-i", "127.0.0.1", "-p", &address.port().to_string()])
            .args(["-mi", "127.0.0.1", "-mp", &media_port])
            .args(["-nostdin", "-trace_err", "-error_file", "surprises", "-trace_stat"])
            .args(["-stf", "statistics", "-fd", "1", "-timeout", "60"])
            .args(more)
            .current_dir(folder.path())
            .stdin(std::process::Stdio::null())
            .stdout(screen.try_clone().unwrap())
            .stderr(screen)
            .spawn()
            .expect("SIPp is installed by tests/packages");
        Sipp { process, folder, address }
    }

    /// Waits until it has ended, and gives what it said.
    pub(crate) fn closing(mut self) -> Closing {
        let code = ended("SIPp", &mut self.process).code();
        let read = |name: &str| {
            let bytes = std::fs::read(self.folder.join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let statistics = read("statistics");
        let mut lines = statistics.lines();
        let names = lines.next().unwrap_or_default().split(';').map(str::to_owned);
        let values = lines.next_back().unwrap_or_default().split(';').map(str::to_owned);
        let counts = names.zip(values).collect();
        Closing { code, text: format!("{}\n{}", read("screen"), read("surprises")), counts }
    }

    /// Waits until it has ended, as its scenario says.
    pub(crate) fn succeeds(self) -> Closing {
        let closing = self.closing();
        assert_eq!(closing.code, Some(0), "{}", closing.text);
        closing
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        // Killing one that has ended by itself is no error.
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        if std::thread::panicking() {
            let screen = std::fs::read(self.folder.join("screen")).unwrap_or_default();
            eprintln!("SIPp said:\n{}", String::from_utf8_lossy(&screen));
        }
    }
}

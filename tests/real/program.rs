//! The program, and folders and signals for it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use crate::until;

/// A folder that is gone with its owner, unless the test fails.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("convoke-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }
}

/// The program with its options, none from the environment.
pub(crate) fn convoke(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convoke"));
    command.args(arguments);
    for name in ["CONFIG", "SIP", "HTTP", "DATA", "RTP_PORTS", "LOG"] {
        command.env_remove(format!("CONVOKE_{name}"));
    }
    command
}

/// Sends a process a signal by its name, e.g. `TERM`.
pub(crate) fn signal(process: &Child, name: &str) {
    // The shell's own kill, for a small system has no other.
    let kill = format!("kill -s {name} {}", process.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
}

/// Waits until a process has ended by itself.
pub(crate) fn ended(what: &str, process: &mut Child) -> ExitStatus {
    until(&format!("the end of {what}"), || process.try_wait().unwrap())
}

/// An address of loopback where nobody listens, by UDP or by TCP. It stands above the ports that
/// the system gives to others, so that none of them takes it meanwhile.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(64_000);
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

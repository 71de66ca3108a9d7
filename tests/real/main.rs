//! Real clients over real sockets: baresip and SIPp call the program as people start it.
//!
//! One binary, so that it is linked once. Each test starts a server of its own on free ports of the
//! loopback interface, with a data folder of its own. What the server logged is shown when the test
//! fails.
#![expect(clippy::unwrap_used, reason = "a test says that it failed by panicking")]
#![expect(clippy::print_stderr, reason = "what programs said is shown when a test fails")]
#![expect(clippy::disallowed_methods, reason = "real clients take real time")]

mod baresip;
mod ear;
mod line;
mod program;
mod server;
mod sipp;

mod bleed;
mod calls;
mod checked;
mod clock;
mod conference;
mod early;
mod frozen;
mod hostile;
mod machine;
mod reader;
mod reloaded;
mod scripts;
mod secure;
mod shutdown;
mod srtp;
mod startup;
mod stories;
mod strangers;
mod torture;
mod transfer;
mod trunks;
mod users;

use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// Held to read by each test, and to write by those that listen or load: two cores are too few to
/// hear tones without a gap while 200 calls come in.
static MACHINE: RwLock<()> = RwLock::new(());

/// Takes the machine for a test beside which others may run.
fn shared_machine() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(|failed| failed.into_inner())
}

/// Takes the machine for a test beside which no other may run.
fn whole_machine() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(|failed| failed.into_inner())
}

/// How often it is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(20);

/// How long something may take that takes no time on an idle machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// Looks until there is something to see.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(LOOK);
    }
}

//! Where users can be reached, kept over a restart: one JSON file that is replaced as a whole.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use model::Registration;

use crate::limits::{REGISTRATIONS_LAG, REGISTRATIONS_QUEUED_MAX};
use crate::whole;

/// The file, written by a thread of its own, so that a slow disk delays no call. Dropping it
/// writes what was taken in.
#[derive(Debug)]
pub struct Registrations {
    /// Absent only while it is dropped.
    changes: Option<SyncSender<Registration>>,
    writer: Option<JoinHandle<()>>,
}

impl Registrations {
    /// Opens the file in a vault's folder, and gives what it holds: nothing if it is not there or
    /// cannot be read, for phones will register again.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn open(data: &Path) -> io::Result<(Registrations, Vec<Registration>)> {
        let path = data.join("registrations.json");
        let kept: Vec<Registration> = whole::read(&path);
        let (changes, changed) = mpsc::sync_channel(REGISTRATIONS_QUEUED_MAX);
        let by_user = kept.iter().map(|one| (one.user.clone(), one.clone())).collect();
        let writer = thread::Builder::new()
            .name("vault-users".into())
            .spawn(move || write_changes(&path, by_user, &changed))?;
        Ok((Registrations { changes: Some(changes), writer: Some(writer) }, kept))
    }

    /// Takes in where a user can be reached. Never waits; when the queue is full the change is lost
    /// until the user's phone registers again.
    pub fn keep(&self, registration: Registration) {
        let Some(changes) = &self.changes else { return };
        if changes.try_send(registration).is_err() {
            tracing::warn!("a registration will not outlive a restart: the disk is too slow");
        }
    }
}

impl Drop for Registrations {
    fn drop(&mut self) {
        self.changes = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the thread that keeps registrations had died");
        }
    }
}

/// Takes in changes until there can be no more, and writes them when they have waited for long
/// enough: a thousand phones that register together make a few files, not a thousand.
fn write_changes(
    path: &Path,
    mut by_user: BTreeMap<String, Registration>,
    changed: &Receiver<Registration>,
) {
    let mut due: Option<Instant> = None;
    loop {
        let wait = due.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
        match changed.recv_timeout(wait) {
            Ok(one) => {
                match one.contacts.is_empty() {
                    true => by_user.remove(&one.user),
                    false => by_user.insert(one.user.clone(), one),
                };
                due.get_or_insert(Instant::now() + REGISTRATIONS_LAG);
            }
            Err(RecvTimeoutError::Timeout) => {
                replace(path, &by_user);
                due = None;
            }
            Err(RecvTimeoutError::Disconnected) => {
                if due.is_some() {
                    replace(path, &by_user);
                }
                return;
            }
        }
    }
}

fn replace(path: &Path, by_user: &BTreeMap<String, Registration>) {
    let all: Vec<&Registration> = by_user.values().collect();
    if let Err(error) = whole::replace(path, &all) {
        tracing::warn!(path = %path.display(), %error, "registrations cannot be written");
    }
}

#[cfg(test)]
mod tests {
    use model::registration::Contact;

    use super::*;

    fn registration(user: &str, contacts: usize) -> Registration {
        let contact = |number: usize| Contact {
            uri: format!("sip:{user}@192.0.2.{number}"),
            expires_ms: 1_700_000_000_000,
            q_thousandths: 1_000,
            path: Vec::new(),
            transport: "UDP".into(),
            local: "192.0.2.100:5060".parse().unwrap(),
            remote: "192.0.2.1:5060".parse().unwrap(),
            call_id: "c".into(),
            cseq: 1,
            user_agent: None,
        };
        Registration { user: user.into(), contacts: (0..contacts).map(contact).collect() }
    }

    #[test]
    fn what_was_kept_is_there_after_a_restart_and_what_has_left_is_not() {
        let data = tempfile::tempdir().unwrap();
        let (file, kept) = Registrations::open(data.path()).unwrap();
        assert_eq!(kept, []);
        for (user, contacts) in [("alice", 2), ("bob", 1), ("bob", 0), ("carol", 1)] {
            file.keep(registration(user, contacts));
        }
        drop(file);
        let (_file, kept) = Registrations::open(data.path()).unwrap();
        assert_eq!(kept, [registration("alice", 2), registration("carol", 1)]);
    }

    #[test]
    fn a_file_that_is_torn_stops_nothing() {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("registrations.json"), "[{\"user\":").unwrap();
        let (file, kept) = Registrations::open(data.path()).unwrap();
        assert_eq!(kept, []);
        file.keep(registration("alice", 1));
        drop(file);
        assert_eq!(Registrations::open(data.path()).unwrap().1, [registration("alice", 1)]);
    }
}

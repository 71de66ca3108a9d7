//! What stands behind the api.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use model::stats::{MediaStats, SignalStats};
use model::{
    Accepted, Allowed, Author, Command, CommandId, ConferenceId, PartyId, RecordingId, Refusal,
};

/// An answer that is on its way.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The server as the api sees it: it takes commands and tells its counters. The program wires it to
/// the shards.
pub trait Switch: Send + Sync + 'static {
    /// Carries out a command. The same id again gets the same answer.
    fn command(&self, command: Command) -> Reply<'_, Result<Accepted, Refusal>>;

    /// What an author may do in a conference at this moment: with one party, or with each.
    fn allowed(
        &self,
        conference: ConferenceId,
        by: Author,
        party: Option<PartyId>,
    ) -> Reply<'_, Result<Allowed, Refusal>>;

    /// What signalling counted.
    fn signal_stats(&self) -> Reply<'_, SignalStats>;

    /// What media counted, all threads together.
    fn media_stats(&self) -> MediaStats;

    /// What is known about the program itself.
    fn facts(&self) -> Facts;

    /// Whether calls are taken.
    fn readiness(&self) -> Readiness;

    /// Where a recording lies, if there is one of that id.
    fn recording_path(&self, id: RecordingId) -> Option<PathBuf>;

    /// An id that no command had: the api has no randomness of its own.
    fn command_id(&self) -> CommandId;
}

/// Whether calls are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// They are.
    Ready,
    /// They are not, for this reason.
    NotReady(String),
}

/// What is known about the program itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Its version.
    pub version: &'static str,
    /// When it started [ms since the Unix epoch].
    pub started_ms: u64,
    /// Where phones reach it, `host` or `host:port`, if one address is worth telling people.
    pub dial: Option<String>,
    /// Figures that only the program knows, shown as they are.
    pub gauges: Vec<Gauge>,
    /// What only the program counts, shown as it is.
    pub counters: Vec<Counter>,
}

/// One figure that only rises, from the start on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// Its name with the unit last and without the prefix `convoke_`, e.g. `recordings_recovered`.
    pub name: &'static str,
    /// What it counts, without a full stop at the end.
    pub help: &'static str,
    /// The figure.
    pub value: u64,
}

/// One figure that can rise and fall.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gauge {
    /// Its name with the unit last and without the prefix `convoke_`, e.g. `open_descriptors`.
    pub name: &'static str,
    /// What it means, without a full stop at the end.
    pub help: &'static str,
    /// The figure.
    pub value: f64,
}

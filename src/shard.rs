//! One shard: a task that runs its inputs in order through the switchboard, and hands on what the
//! switchboard wants done.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::Feed;
use gateway::{Gateway, Inbound};
use model::limits::{COMMANDS_QUEUED_MAX, TAP_FRAMES_QUEUED_MAX};
use model::stats::SignalStats;
use model::{
    Accepted, Allowed, Author, Command, CommandId, ConferenceId, MediaOrder, MediaReport, PartyId,
    RecordingId, Refusal, TrunkRegistration, TrunkState, TrunkView,
};
use sip::Flow;
use sip::access::Suspicion;
use switchboard::{HouseRules, Input, Output, Switchboard};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Sleep;
use vault::{Registrations, Vault};
use worker::Workers;

use crate::fence::{Broken, Fence};
use crate::limits::EMERGENCY_CALLS_END_WITHIN;

/// What the rest of the program asks of a shard.
pub enum Request {
    /// Carry this out.
    Command(Command, oneshot::Sender<Result<Accepted, Refusal>>),
    /// Say what somebody may do in a conference, with one party or with all.
    Allowed(Asked, oneshot::Sender<Result<Allowed, Refusal>>),
    /// Tell your counters.
    Stats(oneshot::Sender<SignalStats>),
    /// A recording could not be started or go on.
    RecordingFailed(RecordingId, String),
    /// Go by these rules from now on.
    Rules(Box<HouseRules>),
    /// Take no more calls; end yourself when the last one has ended, or all of them at that time.
    Drain(Instant),
    /// End all calls, then yourself.
    Stop,
}

/// Who asks what it may do, and with whom; none: with all.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Where.
    pub conference: ConferenceId,
    /// Who.
    pub by: Author,
    /// With whom.
    pub party: Option<PartyId>,
}

/// The way to a shard.
#[derive(Clone)]
pub struct Inlet(mpsc::Sender<Request>);

/// The other end of an [`Inlet`].
pub struct Outlet(mpsc::Receiver<Request>);

impl Inlet {
    /// A way to a shard that is still to be run.
    pub fn new() -> (Inlet, Outlet) {
        let (sender, receiver) = mpsc::channel(COMMANDS_QUEUED_MAX);
        (Inlet(sender), Outlet(receiver))
    }

    /// Asks for a command; a full queue is refused at once.
    pub async fn command(&self, command: Command) -> Result<Accepted, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Request::Command(command, answer)).map_err(|_| Refusal::Busy)?;
        answered.await.unwrap_or(Err(Refusal::Draining))
    }

    /// Asks what somebody may do; a full queue is refused at once.
    pub async fn allowed(&self, asked: Asked) -> Result<Allowed, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Request::Allowed(asked, answer)).map_err(|_| Refusal::Busy)?;
        answered.await.unwrap_or(Err(Refusal::Draining))
    }

    /// Asks for the counters; a shard that is too busy to tell has none to tell.
    pub async fn stats(&self) -> SignalStats {
        let (answer, answered) = oneshot::channel();
        match self.0.send(Request::Stats(answer)).await {
            Ok(()) => answered.await.unwrap_or_default(),
            Err(_) => SignalStats::default(),
        }
    }

    /// Rules that hold from now on.
    pub async fn rules(&self, rules: HouseRules) {
        if self.0.send(Request::Rules(Box::new(rules))).await.is_err() {
            tracing::debug!("the shard has ended already");
        }
    }

    /// Asks the shard to take no more calls, and to end after the last one or at that time.
    pub async fn drain(&self, by: Instant) {
        if self.0.send(Request::Drain(by)).await.is_err() {
            tracing::debug!("the shard has ended already");
        }
    }

    /// Asks the shard to end. Safe to be called from any thread but a task's.
    pub async fn stop(&self) {
        if self.0.send(Request::Stop).await.is_err() {
            tracing::debug!("the shard has ended already");
        }
    }

    /// Tells that a recording failed, from the vault's thread.
    pub fn recording_failed(&self, recording: RecordingId, reason: String) {
        if self.0.try_send(Request::RecordingFailed(recording, reason)).is_err() {
            tracing::error!(%recording, "the shard is too busy to hear that a recording failed");
        }
    }
}

/// The shells that a shard hands on to.
pub struct Shells {
    /// SIP sockets.
    pub gateway: Gateway,
    /// What comes from them.
    pub inbound: mpsc::Receiver<Inbound>,
    /// Media threads.
    pub workers: Arc<Workers>,
    /// What they report.
    pub reports: mpsc::UnboundedReceiver<MediaReport>,
    /// Disk.
    pub vault: Arc<Vault>,
    /// What outlives a restart of where users can be reached.
    pub registrations: Registrations,
    /// Whoever watches.
    pub feed: Arc<Feed>,
}

/// When a shard ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Not before it is asked to.
    Unasked,
    /// With the last call; at this time all that are up are ended, but for emergency calls.
    Draining(Instant),
    /// When everybody has heard that it ended; at this time whether they have or not.
    Stopping(Instant),
}

impl End {
    /// By when what is waited for is waited for no longer. Nobody who calls for help is cut off
    /// with the others.
    fn by(self, board: &Switchboard) -> Option<Instant> {
        match self {
            End::Unasked => None,
            End::Draining(by) if board.has_emergency_calls() => {
                Some(by + EMERGENCY_CALLS_END_WITHIN)
            }
            End::Draining(by) | End::Stopping(by) => Some(by),
        }
    }
}

/// Runs a shard until it is asked to stop and its last session has ended, or two seconds after it
/// was asked.
///
/// # Errors
/// [`Broken`]: bugs of ours came one after the other.
pub async fn run(
    board: Switchboard,
    mut requests: Outlet,
    mut shells: Shells,
) -> Result<(), Broken> {
    let mut board = Fenced { board, fence: Fence::default() };
    let mut owed = Owed::default();
    let mut end = End::Unasked;
    let mut shedding = Shedding::default();
    let mut alarm = Alarm::new();
    loop {
        let due = board.board.next_deadline().map(|due| due.at);
        let wake = [due, end.by(&board.board)].into_iter().flatten().min();
        tokio::select! {
            Some(inbound) = shells.inbound.recv() => {
                if let Inbound::Message { at, .. } = &inbound {
                    let now = Instant::now();
                    let delay = now.saturating_duration_since(*at);
                    board.board.waited(now, delay, shells.inbound.len());
                    shedding.tell(now, board.board.sheds());
                }
                board.handle(input(&inbound))?;
            }
            Some(report) = shells.reports.recv() => {
                board.handle(Input::Media(report))?;
            }
            Some(request) = requests.0.recv() => match request {
                Request::Command(command, answer) => {
                    let id = command.id;
                    owed.answers.entry(id).or_default().push(answer);
                    if board.handle(Input::Command(command))?.is_none() {
                        // Whoever asked is told that there is no answer.
                        owed.answers.remove(&id);
                    }
                }
                Request::Allowed(asked, answer) => {
                    let allowed = board.allowed(asked)?;
                    if allowed.is_some_and(|allowed| answer.send(allowed).is_err()) {
                        tracing::debug!("whoever asked what it may do has gone");
                    }
                }
                Request::Stats(answer) => {
                    let mut stats = board.board.stats();
                    stats.panics = board.fence.count();
                    for (limit, count) in shells.gateway.stats().limits() {
                        *stats.limits.entry(limit).or_default() += count;
                    }
                    if answer.send(stats).is_err() {
                        tracing::debug!("whoever asked for the counters has gone");
                    }
                }
                Request::RecordingFailed(recording, reason) => {
                    board.handle(Input::RecordingFailed { recording, reason })?;
                }
                Request::Rules(rules) => {
                    board.handle(Input::Rules(rules))?;
                }
                Request::Drain(by) => {
                    end = End::Draining(by);
                    board.handle(Input::Drain)?;
                }
                Request::Stop => end = board.stop()?,
            },
            () = alarm.ring(wake) => board.handle_timeout()?,
        }
        if let (End::Draining(_), Some(by)) = (end, end.by(&board.board))
            && (!board.board.has_calls() || Instant::now() >= by)
        {
            end = board.stop()?;
        }
        while let Some(output) = board.board.poll() {
            if let Some(report) = hand_on(output, &shells, &mut owed) {
                board.handle(Input::Media(report))?;
            }
        }
        for (flow, bytes) in owed.messages.drain(..) {
            shells.gateway.send(flow, bytes);
        }
        if let End::Stopping(by) = end
            && (board.board.is_idle() || Instant::now() >= by)
        {
            return Ok(());
        }
    }
}

/// What others wait for.
#[derive(Default)]
struct Owed {
    /// Who gets the answers to commands.
    answers: BTreeMap<CommandId, Vec<oneshot::Sender<Result<Accepted, Refusal>>>>,
    /// What is sent at the end of the turn: whoever waits for it is woken, and where it is on this
    /// machine it takes the core.
    messages: Vec<(Flow, Vec<u8>)>,
}

/// A switchboard that outlives a bug of ours.
struct Fenced {
    board: Switchboard,
    fence: Fence,
}

impl Fenced {
    /// Takes in what happened; `None` if that brought a bug to light.
    fn handle(&mut self, input: Input<'_>) -> Result<Option<()>, Broken> {
        let now = Instant::now();
        self.fence.within(now, || self.board.handle(now, input))
    }

    /// What somebody may do: every command is tried on a copy, so a bug of each is met here.
    fn allowed(&mut self, asked: Asked) -> Result<Option<Result<Allowed, Refusal>>, Broken> {
        let (now, Asked { conference, by, party }) = (Instant::now(), asked);
        self.fence.within(now, || self.board.allowed(now, conference, by, party))
    }

    /// Ends all calls; tells when to wait no longer.
    fn stop(&mut self) -> Result<End, Broken> {
        tracing::info!("ending all calls");
        self.handle(Input::Stop)?;
        Ok(End::Stopping(Instant::now() + STOPPING_MAX))
    }

    fn handle_timeout(&mut self) -> Result<(), Broken> {
        let now = Instant::now();
        self.fence.within(now, || self.board.handle_timeout(now)).map(|_| ())
    }
}

/// When it was last told that new calls are refused for want of time. In an overload that begins
/// and ends many times a second.
#[derive(Default)]
struct Shedding(Option<Instant>);

impl Shedding {
    fn tell(&mut self, now: Instant, sheds: bool) {
        if sheds && self.0.is_none_or(|told| now - told >= SHEDDING_TOLD_EVERY) {
            tracing::warn!("messages wait too long: new calls are refused");
            self.0 = Some(now);
        }
    }
}

/// How often an overload is told of: who looks at the log sees how long it goes on.
const SHEDDING_TOLD_EVERY: Duration = Duration::from_secs(10);

/// How long a shard that is to stop waits for the far ends to say that they heard its BYE.
const STOPPING_MAX: Duration = Duration::from_secs(2);

/// Wakes the shard when something is due. Most of what is set is called off before, so it is left
/// set and rings in vain: to set it anew for each message costs a system call.
struct Alarm {
    sleep: Pin<Box<Sleep>>,
    set: Option<Instant>,
}

impl Alarm {
    fn new() -> Alarm {
        Alarm { sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), set: None }
    }

    /// Waits until something is due; for ever if nothing is. May be given up and called again.
    async fn ring(&mut self, due: Option<Instant>) {
        let Some(due) = due else { return std::future::pending().await };
        loop {
            if self.set.is_none_or(|set| due < set) {
                self.sleep.as_mut().reset(due.into());
                self.set = Some(due);
            }
            self.sleep.as_mut().await;
            if self.set.take() >= Some(due) {
                return;
            }
        }
    }
}

fn input(inbound: &Inbound) -> Input<'_> {
    match inbound {
        Inbound::Message { flow, bytes, .. } => Input::Message { flow: *flow, bytes },
        Inbound::ConnectionClosed(connection) => Input::ConnectionClosed(*connection),
        Inbound::Resolved { id, servers } => Input::Resolved { id: *id, servers: servers.clone() },
        Inbound::Unreachable { flow } => Input::Unreachable { flow: *flow },
    }
}

/// Has the shells do something; what media says to it at once.
fn hand_on(output: Output, shells: &Shells, owed: &mut Owed) -> Option<MediaReport> {
    match output {
        Output::Transmit { flow, bytes } => owed.messages.push((flow, bytes)),
        Output::Resolve { id, host, port, transports } => {
            shells.gateway.resolve(id, host, port, transports);
        }
        Output::Media(MediaOrder::OpenTap { conference, recording, track, rate }) => {
            let (producer, consumer) = rtrb::RingBuffer::new(TAP_FRAMES_QUEUED_MAX);
            shells.vault.record(recording, track, rate, consumer);
            shells.workers.open_tap(conference, recording, rate, producer);
        }
        Output::Registered(registration) => {
            shells.registrations.keep(registration.clone());
            shells.feed.register(registration);
        }
        // One line that a program that shuts out by address (fail2ban) can read.
        Output::Security(Suspicion { source, reason }) => {
            tracing::warn!(target: "security", %source, reason, "turned away");
        }
        // Not that somebody is turned away: nobody is to be shut out for it unasked.
        Output::NewCountry { user, country, source } => {
            let source = source.map(tracing::field::display);
            tracing::warn!(target: "security", user, country, source, "first call to a country");
        }
        Output::Emergency { user, number, source } => {
            let source = source.map(tracing::field::display);
            tracing::warn!(target: "security", user, number, source, "emergency call");
        }
        Output::KeysInClear { with } => {
            tracing::warn!(
                ?with,
                "no call, for its keys for SRTP would be told without TLS; \
                srtp_keys = \"any\" would have it"
            );
        }
        Output::Denied { conference, id, by, action, refusal } => {
            let (action, code) = (action.name(), refusal.code());
            tracing::warn!(target: "security", %conference, command = %id, ?by, action, code,
                "denied");
        }
        Output::Trunk(TrunkView { name, state, registration, .. }) => {
            let is_out = state == TrunkState::Down || registration == TrunkRegistration::Failed;
            match is_out {
                true => tracing::warn!(trunk = name, ?state, ?registration, "trunk"),
                false => tracing::info!(trunk = name, ?state, ?registration, "trunk"),
            }
        }
        Output::Media(order) => return shells.workers.order(order),
        Output::Answer { id, answer } => {
            for waiting in owed.answers.remove(&id).unwrap_or_default() {
                if waiting.send(answer.clone()).is_err() {
                    tracing::debug!(%id, "whoever asked has gone");
                }
            }
        }
        Output::Quality { conference, party, quality } => {
            shells.feed.measure(conference, party, quality);
        }
        Output::Event(event) => {
            shells.vault.keep(&event);
            shells.feed.publish(event);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks it once, and gives up.
    async fn set(alarm: &mut Alarm, due: Instant) {
        tokio::select! {
            biased;
            () = alarm.ring(Some(due)) => panic!("it rings too early"),
            () = std::future::ready(()) => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_rings_when_something_is_due_whatever_it_was_set_for_before() {
        let begin = tokio::time::Instant::now();
        let at = |second| (begin + Duration::from_secs(second)).into_std();
        let mut alarm = Alarm::new();
        for (before, due) in [(1, 5), (60, 7), (8, 8)] {
            set(&mut alarm, at(before)).await;
            alarm.ring(Some(at(due))).await;
            assert_eq!(begin.elapsed().as_secs(), due);
        }
    }
}

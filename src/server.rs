//! `convoke` without a subcommand: starts everything, and ends everything in order.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use api::{Counter, Doors, Facts, Feed, Gauge, Neighbours, Proxies, Readiness, Reply, Switch};
use gateway::Gateway;
use model::stats::{MediaStats, SignalStats};
use model::{
    Accepted, Allowed, Author, Command, CommandId, ConferenceId, MediaReport, PartyId, RecordingId,
    Refusal,
};
use sip::Transport;
use switchboard::{HouseRules, SrtpRules};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use vault::{Interrupted, Registrations, Vault, VaultReport};
use worker::Workers;

use crate::config::{Config, ConfigError, Number, WebSocket};
use crate::log::{Log, Logging};
use crate::prompts::Prompts;
use crate::reload::{Reload, Takers};
use crate::shard::{self, Asked, Inlet, Shells};

/// Serves until the process is asked to end. At SIGTERM it takes no more calls and ends with the
/// last one, or when `drain_s` is over; at SIGINT, or a second signal, it ends all calls at once.
///
/// `started` is told, once all doors are open, in a few lines how to come in. `read` reads the
/// configuration anew, at each SIGHUP.
pub async fn serve(
    config: Config,
    read: impl Fn() -> Result<Config, ConfigError> + Send + Sync + 'static,
    logging: Logging,
    started: impl FnOnce(&str),
) -> Result<()> {
    let http = TcpListener::bind(config.http)
        .await
        .with_context(|| format!("HTTP cannot listen on {}", config.http))?;
    let http_address = http.local_addr()?;
    let signalling = Signalling::start().context("the system has no thread for signalling")?;
    let settings = gateway_settings(&config);
    let (gateway, inbound) = Gateway::bind_beside(settings, &signalling.runtime).await?;
    let sip_address = gateway.listeners().first().context("there is no address for SIP")?.1;

    let (inlet, outlet) = Inlet::new();
    let feed = Arc::new(Feed::new());
    let vault = {
        let (inlet, feed) = (inlet.clone(), Arc::clone(&feed));
        Arc::new(Vault::open(&config.data, move |report| told_by_vault(report, &inlet, &feed))?)
    };
    let (registrations, registered) =
        Registrations::open(&config.data).context("registrations cannot be kept")?;
    let (report, reports) = mpsc::unbounded_channel();
    let prompts = Prompts::load(config.prompts.folder.as_deref())?;
    let workers = Arc::new(start_workers(&config, &prompts, report)?);
    let rules = house_rules(&config)?;
    tell_of_open_keys(&rules, gateway.listeners());
    let board = board_config(&config, rules, &prompts, &gateway)?;
    let mut board = switchboard::Switchboard::new(board, seed());
    board.restore(Instant::now(), registered);
    board.watch_trunks(Instant::now());

    let (phase, phases) = watch::channel(Phase::Serving);
    let switch = Arc::new(Server {
        inlet: inlet.clone(),
        workers: Arc::clone(&workers),
        vault: Arc::clone(&vault),
        log: logging.lines.clone(),
        dial: sip_address,
        started_ms: unix_ms(),
        phase: phases.clone(),
    });
    let (doors, held) = watch::channel(doors(&config));
    tell_of_closed_api(&config, http_address);
    let pages = api::router(switch, Arc::clone(&feed), held.clone());
    let until_stopped = {
        let mut phases = phases;
        async move {
            if phases.wait_for(|phase| *phase == Phase::Closing).await.is_err() {
                tracing::debug!("the program has ended before its pages");
            }
        }
    };
    let web = tokio::spawn(api::serve(http, pages, held, until_stopped));
    let certificates = config.tls.is_some().then(|| gateway.certificates());
    let (drain_s, drains_for_s) = watch::channel(config.drain_s);
    let listeners = gateway.listeners().to_vec();
    let inlet_of_rules = inlet.clone();
    let takers = Takers { inlet: inlet_of_rules, listeners, certificates, doors, drain_s, logging };
    tokio::spawn(Reload::new(read, config.clone(), takers).on_hangup());
    let ways = welcome(&config, gateway.listeners(), http_address);
    let shells = Shells {
        gateway,
        inbound,
        workers: Arc::clone(&workers),
        reports,
        vault: Arc::clone(&vault),
        registrations,
        feed: Arc::clone(&feed),
    };
    let mut shard = signalling.runtime.spawn(shard::run(board, outlet, shells));

    started(&ways);
    let mut signals = Signals::new()?;
    let wish = tokio::select! {
        ended = &mut shard => {
            ended.context("the switchboard has failed")??;
            anyhow::bail!("the switchboard has ended without being asked to");
        }
        wish = signals.next() => wish,
    };
    phase.send_replace(Phase::Draining);
    match wish {
        Wish::Drain => {
            let most = Duration::from_secs((*drains_for_s.borrow()).into());
            tracing::info!(?most, "taking no more calls, and waiting for those that are up");
            inlet.drain(Instant::now() + most).await;
        }
        Wish::Stop => inlet.stop().await,
    }
    let ended = tokio::select! {
        ended = &mut shard => ended,
        _ = signals.next() => {
            inlet.stop().await;
            shard.await
        }
    };
    ended.context("the switchboard has failed while it ended")??;
    feed.close();
    phase.send_replace(Phase::Closing);
    web.await.context("the pages have failed")?;
    Ok(())
}

/// The thread of the shard. What else there is to do, such as handshakes of TLS and the API's
/// answers, is done on others; and messages that come wake one thread and not two.
struct Signalling {
    runtime: Handle,
    /// Dropped, it ends the thread.
    _goes_on: oneshot::Sender<()>,
}

impl Signalling {
    fn start() -> std::io::Result<Signalling> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (goes_on, ended) = oneshot::channel();
        let signalling = Signalling { runtime: runtime.handle().clone(), _goes_on: goes_on };
        std::thread::Builder::new().name("signalling".into()).spawn(move || {
            if runtime.block_on(ended).is_err() {
                tracing::debug!("signalling has ended");
            }
        })?;
        Ok(signalling)
    }
}

fn gateway_settings(config: &Config) -> gateway::Settings {
    let WebSocket { listen, listen_tls, origins } = config.websocket.clone();
    gateway::Settings {
        bind: config.sip.clone(),
        tls: config.tls.clone().map(Into::into),
        websocket: listen,
        secure_websocket: listen_tls,
        origins,
        ..Default::default()
    }
}

fn start_workers(
    config: &Config,
    prompts: &Prompts,
    report: mpsc::UnboundedSender<MediaReport>,
) -> Result<Workers> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let settings = worker::Settings {
        threads: config.media_threads.unwrap_or(cores),
        busy_us_max: worker::limits::THREAD_BUSY_US_MAX,
        rtp_ports: config.rtp_ports.into(),
        seed: seed(),
        io: config.media_io.into(),
        music: prompts.music.clone(),
        clips: prompts.clips.clone(),
    };
    // Not bounded by itself: each order that opens a port gives one report, and what media threads
    // report on their own comes through bounded rings.
    let told = move |told| {
        if report.send(told).is_err() {
            tracing::debug!("media reported to a switchboard that has ended");
        }
    };
    Workers::start(settings, told).context("the media threads cannot start")
}

pub(crate) fn house_rules(config: &Config) -> Result<HouseRules, ConfigError> {
    let room = |room: &crate::config::Room| -> Result<switchboard::Room, ConfigError> {
        Ok(switchboard::Room {
            record: room.record,
            recording_rate: room.recording_rate_hz,
            parties_max: room.parties_max,
            profile: config.profiles.get(&room.profile)?.clone(),
        })
    };
    let mut rooms = std::collections::BTreeMap::new();
    for (name, named) in &config.rooms {
        rooms.insert(name.clone(), room(named)?);
    }
    let callers = config.rooms.iter().filter_map(|(name, named)| {
        named.caller.as_ref().map(|Number(number)| (name.clone(), number.clone()))
    });
    Ok(HouseRules {
        access: config.access.clone(),
        trunk_audio: config.trunk_audio.clone(),
        srtp: config.srtp,
        srtp_keys: config.srtp_keys,
        srtp_by_user: config.srtp_by_user.clone(),
        rooms,
        callers: callers.collect(),
        any_room: room(&config.room)?,
    })
}

fn board_config(
    config: &Config,
    rules: HouseRules,
    prompts: &Prompts,
    gateway: &Gateway,
) -> Result<switchboard::Config> {
    let HouseRules { access, srtp, srtp_keys, srtp_by_user, .. } = rules;
    let HouseRules { trunk_audio, rooms, callers, any_room, .. } = rules;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the system has no randomness for keys")?;
    Ok(switchboard::Config {
        sip: sip::Config {
            advertised: config.advertised,
            access,
            session_expires_s: config.session_expires_s.seconds(),
            focus: true,
            ..sip::Config::new(gateway.listeners().to_vec())
        },
        rooms,
        prompts: prompts.clips.catalogue(),
        callers,
        trunk_audio,
        rtp_timeouts: config.rtp_timeouts,
        any_room,
        srtp: SrtpRules { any: srtp, users: srtp_by_user, keys: srtp_keys, secret },
        started: Instant::now(),
        started_ms: unix_ms(),
    })
}

/// Keys travel in the signalling (RFC 4568 section 8.2): who reads that can listen.
pub(crate) fn tell_of_open_keys(rules: &HouseRules, listeners: &[(Transport, SocketAddr)]) {
    let is_open = |transport: &Transport| match transport {
        Transport::Udp | Transport::Tcp | Transport::Ws => true,
        Transport::Tls | Transport::Wss => false,
    };
    if rules.needs_tls_for_keys() && listeners.iter().all(|(kind, _)| is_open(kind)) {
        tracing::warn!(
            "SRTP is required, its keys go by TLS only, and there is no TLS: calls that need it \
             are refused unless srtp_keys = \"any\""
        );
    }
    if rules.tells_keys_openly() && listeners.iter().any(|(kind, _)| is_open(kind)) {
        tracing::warn!(
            "SRTP is required, and SIP is taken without TLS: its keys can be read there"
        );
    }
}

pub(crate) fn doors(config: &Config) -> Doors {
    let mut near = sip::access::Network::loopback().to_vec();
    near.extend(&config.http_trusted);
    let proxies = config.http_proxies.clone();
    Doors {
        names: config.http_names.clone(),
        keyring: config.keyring.clone(),
        neighbours: Neighbours::new(move |address| near.iter().any(|net| net.contains(address))),
        proxies: Proxies::new(move |address| proxies.iter().any(|net| net.contains(address))),
    }
}

/// Who listens for others and believes nobody is asked in vain.
fn tell_of_closed_api(config: &Config, http: SocketAddr) {
    let is_closed = config.keyring.is_empty() && config.http_trusted.is_empty();
    if is_closed && !http.ip().is_loopback() {
        tracing::warn!(
            "there are no tokens: the API answers this machine only; see `convoke token`"
        );
    }
}

fn told_by_vault(report: VaultReport, inlet: &Inlet, feed: &Feed) {
    match report {
        VaultReport::Recovered { recording, path, duration_ms } => {
            tracing::warn!(%recording, path = %path.display(), duration_ms, "recording.recovered");
        }
        VaultReport::Finished { recording, path, duration_ms } => {
            tracing::info!(%recording, path = %path.display(), duration_ms, "recording complete");
        }
        VaultReport::Failed { recording, reason } => {
            tracing::error!(%recording, reason, "recording failed");
            inlet.recording_failed(recording, reason);
        }
        VaultReport::Interrupted(Interrupted { before, events, closing }) => {
            if let Some(event) = closing.first() {
                let (conference, events) = (event.conference, closing.len());
                tracing::warn!(%conference, events, "a conference that was live is closed");
            }
            feed.restore(before, events.into_iter().chain(closing));
        }
    }
}

fn welcome(config: &Config, sip: &[(Transport, SocketAddr)], http: SocketAddr) -> String {
    let recordings = config.data.join("recordings");
    let way = |transport: Transport| sip.iter().find(|(kind, _)| *kind == transport);
    let mut dial = String::new();
    for (transport, scheme, note) in [
        (Transport::Udp, "sip:NAME@", "   any NAME is a conference (UDP and TCP)"),
        (Transport::Tls, "sips:NAME@", "  (TLS)"),
        (Transport::Ws, "ws://", "  (WebSocket)"),
        (Transport::Wss, "wss://", "  (WebSocket)"),
    ] {
        if let Some((_, address)) = way(transport) {
            dial += &format!("\x20 dial       {scheme}{address}{note}\n");
        }
    }
    format!(
        "convoke {} is ready.\n\
         {dial}\
         \x20 page       http://{http}/\n\
         \x20 API        http://{http}/api/v1/openapi.json\n\
         \x20 metrics    http://{http}/metrics\n\
         \x20 recordings {}\n\
         No phone at hand? Run `convoke demo` in another terminal. Ctrl-C ends the server.",
        env!("CARGO_PKG_VERSION"),
        recordings.display(),
    )
}

/// Whether the server serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It does.
    Serving,
    /// It takes no more calls.
    Draining,
    /// All calls have ended, and the pages are to.
    Closing,
}

/// How whoever runs the server wants it to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// With the last call, or when the time for that is over: what supervisors ask for (SIGTERM).
    Drain,
    /// At once: what people ask for (SIGINT, Ctrl-C).
    Stop,
}

/// The signals by which it is asked to end.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Signals { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.terminate.recv() => Wish::Drain,
        }
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Randomness from the operating system, by way of the standard library's hasher keys.
fn seed() -> u64 {
    RandomState::new().hash_one(unix_ms())
}

/// The running server as the API sees it.
struct Server {
    inlet: Inlet,
    workers: Arc<Workers>,
    vault: Arc<Vault>,
    log: Log,
    dial: SocketAddr,
    started_ms: u64,
    phase: watch::Receiver<Phase>,
}

impl Switch for Server {
    fn command(&self, command: Command) -> Reply<'_, Result<Accepted, Refusal>> {
        Box::pin(self.inlet.command(command))
    }

    fn allowed(
        &self,
        conference: ConferenceId,
        by: Author,
        party: Option<PartyId>,
    ) -> Reply<'_, Result<Allowed, Refusal>> {
        Box::pin(self.inlet.allowed(Asked { conference, by, party }))
    }

    fn signal_stats(&self) -> Reply<'_, SignalStats> {
        Box::pin(self.inlet.stats())
    }

    fn media_stats(&self) -> MediaStats {
        self.workers.stats()
    }

    fn facts(&self) -> Facts {
        let media = self.workers.facts();
        let kept = self.vault.stats();
        let gauge = |name, help, value| Gauge { name, help, value };
        let counter = |name, help, value| Counter { name, help, value };
        let yes = |is: bool| if is { 1.0 } else { 0.0 };
        Facts {
            version: env!("CARGO_PKG_VERSION"),
            started_ms: self.started_ms,
            dial: Some(self.dial.to_string()),
            gauges: vec![
                gauge("media_threads", "Threads that mix", media.threads as f64),
                gauge(
                    "media_threads_realtime",
                    "1 if they run under SCHED_FIFO",
                    yes(media.realtime),
                ),
                gauge(
                    "media_io_uring",
                    "1 if audio goes by io_uring, 0 if by epoll",
                    yes(media.io == "io_uring"),
                ),
            ],
            counters: vec![
                counter(
                    "recordings_recovered",
                    "Recordings that a crash had left open, made whole at the start",
                    kept.recordings_recovered,
                ),
                counter(
                    "conferences_interrupted",
                    "Conferences that a crash had left live, closed at the start",
                    kept.conferences_interrupted,
                ),
                counter(
                    "recording_bytes",
                    "Audio written to recordings, in bytes",
                    kept.bytes_written,
                ),
                counter(
                    "recording_write_stalls",
                    "Turns of the writer that took longer than half a second",
                    kept.write_stalls,
                ),
                counter(
                    "journal_events_dropped",
                    "Events that are missing from the journal",
                    kept.journal_dropped,
                ),
                counter(
                    "log_lines_lost",
                    "Lines of the log that nobody read in time or that could not be written",
                    self.log.lost(),
                ),
            ],
        }
    }

    fn readiness(&self) -> Readiness {
        match *self.phase.borrow() {
            Phase::Serving => Readiness::Ready,
            Phase::Draining | Phase::Closing => Readiness::NotReady("draining".into()),
        }
    }

    fn recording_path(&self, id: RecordingId) -> Option<PathBuf> {
        let path = self.vault.recording_path(id);
        path.is_file().then_some(path)
    }

    fn command_id(&self) -> CommandId {
        CommandId(seed())
    }
}

//! SIGHUP: what is read anew while calls go on, and what is not.

use std::net::SocketAddr;
use std::sync::Arc;

use api::Doors;
use sip::Transport;
use tokio::sync::watch;

use crate::config::{Config, ConfigError};
use crate::log::Logging;
use crate::prompts::{Prompts, Written};
use crate::server::{doors, house_rules, tell_of_open_keys};
use crate::shard::Inlet;

/// What is told of a configuration that is read anew.
pub(crate) struct Reload<R> {
    read: Arc<R>,
    /// What the server began with, …
    began: Config,
    /// … and the files of prompts then.
    prompts: Written,
    inlet: Inlet,
    certificates: Option<gateway::Certificates>,
    doors: watch::Sender<Doors>,
    drain_s: watch::Sender<u32>,
    listeners: Vec<(Transport, SocketAddr)>,
    logging: Logging,
}

/// The shells that take something anew.
pub(crate) struct Takers {
    pub(crate) inlet: Inlet,
    pub(crate) certificates: Option<gateway::Certificates>,
    pub(crate) doors: watch::Sender<Doors>,
    /// How long calls may go on when the server is asked to end \[s\].
    pub(crate) drain_s: watch::Sender<u32>,
    /// Where SIP is taken, of which it depends who may read keys.
    pub(crate) listeners: Vec<(Transport, SocketAddr)>,
    pub(crate) logging: Logging,
}

impl<R> Reload<R>
where
    R: Fn() -> Result<Config, ConfigError> + Send + Sync + 'static,
{
    pub(crate) fn new(read: R, began: Config, takers: Takers) -> Reload<R> {
        let Takers { inlet, certificates, doors, drain_s, listeners, logging } = takers;
        let prompts = Prompts::written(began.prompts.folder.as_deref());
        Reload {
            read: Arc::new(read),
            began,
            prompts,
            inlet,
            certificates,
            doors,
            drain_s,
            listeners,
            logging,
        }
    }

    /// SIGHUP is how those who renew certificates tell a server, and how an admin tells it that
    /// users, trunks, routes, tokens, rooms or profiles are others. A file with a mistake changes
    /// nothing.
    pub(crate) async fn on_hangup(self) {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
        while hangup.recv().await.is_some() {
            let (read, certificates) = (Arc::clone(&self.read), self.certificates.clone());
            let files = move || {
                let config = read();
                let prompts = config.as_ref().ok().map(|config| config.prompts.folder.clone());
                let prompts = prompts.map(|folder| Prompts::written(folder.as_deref()));
                (config, prompts, certificates.map(|files| files.reload()))
            };
            match tokio::task::spawn_blocking(files).await {
                Ok((config, prompts, certificate)) => {
                    self.take(config, prompts).await;
                    tell_of(certificate);
                }
                Err(error) => tracing::error!(%error, "the files could not be read anew"),
            }
        }
    }

    async fn take(&self, config: Result<Config, ConfigError>, prompts: Option<Written>) {
        let both = config.and_then(|config| Ok((house_rules(&config)?, config)));
        let (rules, config) = match both {
            Ok(both) => both,
            Err(error) => {
                tracing::warn!(%error, "the rules stay as they were");
                return;
            }
        };
        tell_of_open_keys(&rules, &self.listeners);
        self.inlet.rules(rules).await;
        self.drain_s.send_replace(config.drain_s);
        self.doors.send_replace(doors(&config));
        if let Err(error) = self.logging.filter(&config.log) {
            tracing::warn!(error, "what is logged stays as it was");
        }
        tracing::info!(
            "users, networks, trunks, routes, tokens, SRTP, rooms and profiles were read anew"
        );
        let mut late = sections(&self.began, &config);
        if prompts.is_some_and(|prompts| prompts != self.prompts) {
            late.push("prompts");
        }
        if !late.is_empty() {
            tracing::warn!("needs a restart: {}", late.join(", "));
        }
    }
}

fn tell_of(certificate: Option<Result<(), gateway::TlsError>>) {
    match certificate {
        Some(Ok(())) => tracing::info!("the files of TLS were read anew"),
        Some(Err(error)) => tracing::warn!(%error, "the certificate stays as it was"),
        None => {}
    }
}

/// The sections of a configuration that are others than at the start and taken at a start only.
fn sections(began: &Config, now: &Config) -> Vec<&'static str> {
    // All are named, so that of a new one it is said whether a reload takes it.
    let Config {
        sip,
        tls,
        websocket,
        http,
        data,
        rtp_ports,
        log: _,
        media_threads,
        media_io,
        advertised,
        session_expires_s,
        rtp_timeouts,
        drain_s: _,
        http_names: _,
        http_trusted: _,
        http_proxies: _,
        access: _,
        keyring: _,
        profiles: _,
        prompts: _,
        trunk_audio: _,
        srtp: _,
        srtp_by_user: _,
        srtp_keys: _,
        room: _,
        rooms: _,
    } = began;
    let changed = [
        ("sip", *sip != now.sip),
        ("tls", *tls != now.tls),
        ("websocket", *websocket != now.websocket),
        ("http", *http != now.http),
        ("data", *data != now.data),
        ("rtp_ports", *rtp_ports != now.rtp_ports),
        ("media_threads", *media_threads != now.media_threads),
        ("media_io", *media_io != now.media_io),
        ("advertised", *advertised != now.advertised),
        ("session_expires_s", *session_expires_s != now.session_expires_s),
        ("rtp_timeout_s", rtp_timeouts.talking_s != now.rtp_timeouts.talking_s),
        ("rtp_timeout_hold_s", rtp_timeouts.held_s != now.rtp_timeouts.held_s),
    ];
    changed.into_iter().filter(|(_, is_other)| *is_other).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Options;

    use super::*;

    fn config(path: &Path, text: &str) -> Config {
        std::fs::write(path, text).unwrap();
        Config::load(&Options { config: Some(path.to_owned()), ..Options::default() }).unwrap()
    }

    #[test]
    fn what_a_reload_does_not_take_is_named_and_nothing_else() {
        let path = std::env::temp_dir().join(format!("convoke-reload-{}", std::process::id()));
        let began = config(&path, "");
        let tls = "[tls]\nlisten = []\ncertificate = \"c\"\nkey = \"k\"";
        for (text, name) in [
            ("sip = \"127.0.0.1:1\"", "sip"),
            (tls, "tls"),
            ("[websocket]\norigins = [\"https://a\"]", "websocket"),
            ("http = \"127.0.0.1:1\"", "http"),
            ("data = \"d\"", "data"),
            ("rtp_ports = \"2000-3000\"", "rtp_ports"),
            ("media_threads = 3", "media_threads"),
            ("media_io = \"epoll\"", "media_io"),
            ("advertised = \"192.0.2.1\"", "advertised"),
            ("session_expires_s = 95", "session_expires_s"),
            ("rtp_timeout_s = 95", "rtp_timeout_s"),
            ("rtp_timeout_hold_s = 95", "rtp_timeout_hold_s"),
        ] {
            assert_eq!(sections(&began, &config(&path, text)), [name], "{text}");
        }
        for text in [
            "log = \"debug\"",
            "http_names = [\"a\"]",
            "http_trusted = [\"10.0.0.0/8\"]",
            "http_proxies = [\"10.0.0.0/8\"]",
            "drain_s = 95",
            "srtp = \"required\"",
            "srtp_keys = \"any\"",
            "[room]\nrecord = true",
            "[trunks.a]\nproxy = \"sip:a\"",
        ] {
            assert_eq!(sections(&began, &config(&path, text)), Vec::<&str>::new(), "{text}");
        }
        std::fs::remove_file(path).unwrap();
    }
}

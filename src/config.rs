//! Configuration: a TOML file, environment variables `CONVOKE_…` over it, options over both.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use api::Keyring;
use model::limits::PARTIES_PER_CONFERENCE_MAX;
use model::{ConferenceName, SrtpKeys, SrtpPolicy, TapRate};
use serde::Deserialize;
use sip::access::{Access, Network};

use switchboard::limits::{RTP_TIMEOUT_HELD_S, RTP_TIMEOUT_TALKING_S};
use switchboard::{RtpTimeouts, TrunkAudio};

use crate::access::{AccessError, AccessTable, NetworkText, RouteLine, User};
use crate::tokens::{JwtTable, TokenError, TokenTable};
use crate::trunks::TrunkTable;

use crate::interval::SessionInterval;
use crate::profiles::{ProfileError, Profiles, ProfilesTable};
use crate::prompts::{PromptError, Prompts, PromptsTable};
use crate::sense::Senseless;

/// Where the server listens, what it keeps where, and its rooms.
#[derive(Debug, Clone)]
pub struct Config {
    /// SIP, UDP and TCP; the first is what people are told to dial.
    pub sip: Vec<SocketAddr>,
    /// SIP over TLS.
    pub tls: Option<Tls>,
    /// SIP over WebSocket.
    pub websocket: WebSocket,
    /// The page, the API and the metrics.
    pub http: SocketAddr,
    /// The folder of all that is kept.
    pub data: PathBuf,
    /// The ports for audio.
    pub rtp_ports: PortRange,
    /// What is logged, in the words of `tracing-subscriber`'s filters.
    pub log: String,
    /// Media threads; none is one for each core.
    pub media_threads: Option<usize>,
    /// How audio goes in and out of the kernel.
    pub media_io: MediaIo,
    /// The address that is told to phones where it is not the one that is listened on.
    pub advertised: Option<IpAddr>,
    /// How long a call outlives a phone that is gone.
    pub session_expires_s: SessionInterval,
    /// How long a call stays up of which nothing comes.
    pub rtp_timeouts: RtpTimeouts,
    /// How long calls that are up may go on at SIGTERM \[s\].
    pub drain_s: u32,
    /// The host names under which browsers and Prometheus reach the page, besides addresses and
    /// `localhost`; a request for any other name is refused.
    pub http_names: Vec<String>,
    /// The networks whose hosts may use the API as long as there are no tokens, besides this
    /// machine.
    pub http_trusted: Vec<Network>,
    /// The networks of proxies that are believed when they say for whom they ask the API.
    pub http_proxies: Vec<Network>,
    /// Who may do what.
    pub access: Access,
    /// Who may use the API.
    pub keyring: Keyring,
    /// The profiles that rooms may follow.
    pub profiles: Profiles,
    /// Where the user's own prompts and music are.
    pub prompts: PromptsTable,
    /// What is agreed on with each trunk.
    pub trunk_audio: BTreeMap<String, TrunkAudio>,
    /// Whether audio is protected by SRTP, of who is not named …
    pub srtp: SrtpPolicy,
    /// … and of users by name.
    pub srtp_by_user: BTreeMap<String, SrtpPolicy>,
    /// Along which signalling its keys come and go.
    pub srtp_keys: SrtpKeys,
    /// The settings of a room that is not named.
    pub room: Room,
    /// The settings of named rooms.
    pub rooms: BTreeMap<ConferenceName, Room>,
}

/// How long calls that are up may go on at SIGTERM unless the configuration says otherwise \[s\]:
/// whoever says goodbye can, and with the two seconds for BYE the program has ended before
/// `docker stop` kills it after ten.
const DRAIN_S: u32 = 5;

/// How audio goes in and out of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaIo {
    /// By io_uring where it is allowed, else by epoll.
    #[default]
    Auto,
    /// By io_uring; where it is forbidden, by epoll.
    IoUring,
    /// By epoll.
    Epoll,
}

impl From<MediaIo> for worker::Io {
    fn from(io: MediaIo) -> worker::Io {
        match io {
            MediaIo::Auto => worker::Io::Auto,
            MediaIo::IoUring => worker::Io::IoUring,
            MediaIo::Epoll => worker::Io::Epoll,
        }
    }
}

/// A room's settings. What a named room leaves out is as in `[room]`'s defaults.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Room {
    /// Recording begins with the first party.
    pub record: bool,
    /// The rate of recordings: 8000, 16000 or 48000 \[Hz\].
    pub recording_rate_hz: TapRate,
    /// Parties at most.
    pub parties_max: usize,
    /// The profile whose rules its conferences follow.
    pub profile: String,
    /// The number that it shows to whom it calls; without it, its name.
    pub caller: Option<Number>,
}

/// A telephone number.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Number(pub(crate) String);

impl TryFrom<String> for Number {
    type Error = String;
    fn try_from(text: String) -> Result<Number, String> {
        match sip::access::is_number(&text) {
            true => Ok(Number(text)),
            false => Err(format!("caller is a number such as +4930123, not {text:?}")),
        }
    }
}

impl Default for Room {
    fn default() -> Room {
        Room {
            record: false,
            recording_rate_hz: TapRate::Hz16000,
            parties_max: PARTIES_PER_CONFERENCE_MAX,
            profile: "open".to_owned(),
            caller: None,
        }
    }
}

/// One address, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a socket address, as 127.0.0.1:5060, or a list of them")]
enum Addresses {
    One(SocketAddr),
    Several(Vec<SocketAddr>),
}

/// SIP over TLS.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Where it is listened for.
    pub listen: Vec<SocketAddr>,
    /// A PEM file with our certificate and those between it and a root.
    pub certificate: PathBuf,
    /// A PEM file with its private key.
    pub key: PathBuf,
    /// A PEM file with the roots that those whom we call must be certified by; without it those
    /// of the system.
    #[serde(default)]
    pub roots: Option<PathBuf>,
    /// A PEM file with the roots of those who may connect; without it nobody is asked.
    #[serde(default)]
    pub client_roots: Option<PathBuf>,
    /// Whether one who has no certificate may connect as well.
    #[serde(default)]
    pub client_optional: bool,
}

impl From<Tls> for gateway::TlsSettings {
    fn from(tls: Tls) -> gateway::TlsSettings {
        use gateway::ClientCertificates;
        gateway::TlsSettings {
            bind: tls.listen,
            certificate: tls.certificate,
            key: tls.key,
            clients: match (tls.client_roots, tls.client_optional) {
                (None, _) => ClientCertificates::Unasked,
                (Some(roots), true) => ClientCertificates::Optional(roots),
                (Some(roots), false) => ClientCertificates::Required(roots),
            },
            roots: tls.roots,
        }
    }
}

/// SIP over WebSocket, for browsers.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebSocket {
    /// Where `ws:` is listened for: for a proxy that has TLS, or for trying out.
    pub listen: Vec<SocketAddr>,
    /// Where `wss:` is listened for, with the certificate of `[tls]`.
    pub listen_tls: Vec<SocketAddr>,
    /// The origins of pages that may connect, such as `https://phone.example`, besides those that
    /// come from the host that they connect to.
    pub origins: Vec<String>,
}

/// What stands in a file; all of it may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    sip: Option<Addresses>,
    tls: Option<Tls>,
    #[serde(default)]
    websocket: WebSocket,
    http: Option<SocketAddr>,
    data: Option<PathBuf>,
    rtp_ports: Option<PortRange>,
    log: Option<String>,
    media_threads: Option<usize>,
    #[serde(default)]
    media_io: MediaIo,
    advertised: Option<IpAddr>,
    #[serde(default)]
    session_expires_s: SessionInterval,
    rtp_timeout_s: Option<u32>,
    rtp_timeout_hold_s: Option<u32>,
    drain_s: Option<u32>,
    #[serde(default)]
    http_names: Vec<String>,
    #[serde(default)]
    http_trusted: Vec<NetworkText>,
    #[serde(default)]
    http_proxies: Vec<NetworkText>,
    #[serde(default)]
    srtp: SrtpPolicy,
    #[serde(default)]
    srtp_keys: SrtpKeys,
    #[serde(default)]
    access: AccessTable,
    #[serde(default)]
    users: BTreeMap<String, User>,
    #[serde(default)]
    tokens: BTreeMap<String, TokenTable>,
    #[serde(default)]
    jwt: Vec<JwtTable>,
    #[serde(default)]
    trunks: BTreeMap<String, TrunkTable>,
    #[serde(default)]
    routes: Vec<RouteLine>,
    #[serde(default)]
    profiles: ProfilesTable,
    #[serde(default)]
    prompts: PromptsTable,
    #[serde(default)]
    room: Room,
    #[serde(default)]
    rooms: BTreeMap<ConferenceName, Room>,
}

/// The options, and the environment variables behind them.
#[derive(Debug, Default, Clone, clap::Args)]
pub struct Options {
    /// A TOML file with settings; options and variables count over it
    #[arg(long, value_name = "FILE", env = "CONVOKE_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// Listen for SIP here, UDP and TCP; several with commas [default: 127.0.0.1:5060]
    #[arg(long, value_name = "ADDR", env = "CONVOKE_SIP", global = true, value_delimiter = ',')]
    pub sip: Vec<SocketAddr>,
    /// Listen for HTTP here [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", env = "CONVOKE_HTTP", global = true)]
    pub http: Option<SocketAddr>,
    /// Keep recordings and the journal in this folder [default: ./data]
    #[arg(long, value_name = "DIR", env = "CONVOKE_DATA", global = true)]
    pub data: Option<PathBuf>,
    /// Ports for audio [default: 16384-32767]
    #[arg(long, value_name = "LOW-HIGH", env = "CONVOKE_RTP_PORTS", global = true)]
    pub rtp_ports: Option<PortRange>,
    /// What to log: error, warn, info, debug or trace, also by room: info,gateway=debug
    /// [default: info]
    #[arg(long, value_name = "FILTER", env = "CONVOKE_LOG", global = true)]
    pub log: Option<String>,
}

/// What is wrong with a configuration, in a few lines.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said. It is part of the message, so it is not given as the source.
        reason: std::io::Error,
    },
    /// A profile cannot be had.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A prompt cannot be had.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// Users, trunks and routes do not fit together.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Tokens or issuers cannot be had.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It says what cannot be meant.
    #[error(transparent)]
    Senseless(#[from] Senseless),
    /// The file does not say what a configuration says.
    #[error("{}: {reason}", path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// The reason, with line and column where it has them.
        reason: String,
    },
}

impl Config {
    /// Reads the file that the options name, if any, and lays the options over it.
    pub fn load(options: &Options) -> Result<Config, ConfigError> {
        let file = match &options.config {
            Some(path) => read(path)?,
            None => File::default(),
        };
        Config::of(file, options).map_err(|error| match &options.config {
            Some(path) => ConfigError::Wrong { path: path.clone(), reason: error.to_string() },
            None => error,
        })
    }

    fn of(file: File, options: &Options) -> Result<Config, ConfigError> {
        let profiles = Profiles::load(file.profiles.folder.as_deref())?;
        let sounds = Prompts::load(file.prompts.folder.as_deref())?;
        for room in file.rooms.values().chain([&file.room]) {
            sounds.check(profiles.get(&room.profile)?)?;
        }
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let sip = match (options.sip.as_slice(), file.sip) {
            ([], None) => vec![loopback(5060)],
            ([], Some(Addresses::One(address))) => vec![address],
            ([], Some(Addresses::Several(addresses))) => addresses,
            (addresses, _) => addresses.to_vec(),
        };
        let srtp_of = |(name, user): (&String, &User)| Some((name.clone(), user.srtp?));
        let srtp_by_user = file.users.iter().filter_map(srtp_of).collect();
        let named = (file.users, file.trunks);
        let variable = |name: &str| std::env::var(name).ok();
        let keyring = crate::tokens::keyring(file.tokens, file.jwt, variable)?;
        let (access, trunk_audio) =
            crate::access::access(file.access, named, file.routes, variable)?;
        let config = Config {
            sip,
            srtp: file.srtp,
            srtp_by_user,
            srtp_keys: file.srtp_keys,
            tls: file.tls,
            websocket: file.websocket,
            http: options.http.or(file.http).unwrap_or(loopback(8080)),
            data: options.data.clone().or(file.data).unwrap_or_else(|| "./data".into()),
            rtp_ports: options.rtp_ports.or(file.rtp_ports).unwrap_or_default(),
            log: options.log.clone().or(file.log).unwrap_or_else(|| "info".into()),
            media_threads: file.media_threads,
            media_io: file.media_io,
            advertised: file.advertised,
            session_expires_s: file.session_expires_s,
            rtp_timeouts: RtpTimeouts {
                talking_s: file.rtp_timeout_s.unwrap_or(RTP_TIMEOUT_TALKING_S),
                held_s: file.rtp_timeout_hold_s.unwrap_or(RTP_TIMEOUT_HELD_S),
            },
            drain_s: file.drain_s.unwrap_or(DRAIN_S),
            http_names: file.http_names,
            http_trusted: networks(file.http_trusted),
            http_proxies: networks(file.http_proxies),
            profiles,
            prompts: file.prompts,
            access,
            keyring,
            trunk_audio,
            room: file.room,
            rooms: file.rooms,
        };
        crate::sense::check(&config)?;
        Ok(config)
    }
}

fn networks(texts: Vec<NetworkText>) -> Vec<Network> {
    texts.into_iter().map(|NetworkText(one)| one).collect()
}

fn read(path: &Path) -> Result<File, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|reason| ConfigError::Unreadable { path: path.into(), reason })?;
    toml::from_str(&text).map_err(|error| ConfigError::Wrong {
        path: path.into(),
        reason: error.to_string().trim_end().to_owned(),
    })
}

/// A range of UDP ports, both ends in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PortRange {
    low: u16,
    high: u16,
}

impl Default for PortRange {
    /// 8,192 pairs: more than the legs that one server takes.
    fn default() -> PortRange {
        PortRange { low: 16_384, high: 32_767 }
    }
}

impl From<PortRange> for RangeInclusive<u16> {
    fn from(range: PortRange) -> RangeInclusive<u16> {
        range.low..=range.high
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.low, self.high)
    }
}

/// A text that is not a range of ports.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("a range of ports is LOW-HIGH with 1024 ≤ LOW < HIGH ≤ 65535, e.g. 16384-32767")]
pub struct BadPortRange;

impl std::str::FromStr for PortRange {
    type Err = BadPortRange;
    fn from_str(text: &str) -> Result<PortRange, BadPortRange> {
        let (low, high) = text.split_once('-').ok_or(BadPortRange)?;
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| BadPortRange);
        let (low, high) = (port(low)?, port(high)?);
        if low < 1_024 || low >= high {
            return Err(BadPortRange);
        }
        Ok(PortRange { low, high })
    }
}

impl TryFrom<String> for PortRange {
    type Error = BadPortRange;
    fn try_from(text: String) -> Result<PortRange, BadPortRange> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        toml::from_str::<File>(text).unwrap_err().to_string()
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_reason() {
        let unknown = wrong("http = \"127.0.0.1:1\"\nsipp = \"x\"\n");
        assert!(
            unknown.contains("line 2") && unknown.contains("unknown field `sipp`"),
            "{unknown}"
        );
        let address = wrong("\n\nsip = \"here\"\n");
        assert!(address.contains("line 3") && address.contains("socket address"), "{address}");
        let ports = wrong("rtp_ports = \"9-5\"\n");
        assert!(ports.contains("line 1") && ports.contains("LOW-HIGH"), "{ports}");
        let rate = wrong("[rooms.a]\nrecording_rate_hz = 44100\n");
        assert!(rate.contains("line 2") && rate.contains("16000"), "{rate}");
        let interval = wrong("session_expires_s = 89\n");
        assert!(interval.contains("line 1") && interval.contains("90 to"), "{interval}");
        let io = wrong("media_io = \"kqueue\"\n");
        assert!(io.contains("line 1") && io.contains("io_uring"), "{io}");
        let srtp = wrong("[users.a]\npassword_env = \"A\"\nsrtp = \"maybe\"\n");
        assert!(srtp.contains("line 3") && srtp.contains("`required`"), "{srtp}");
        let keys = wrong("srtp_keys = \"tls\"\n");
        assert!(keys.contains("line 1") && keys.contains("`secure`"), "{keys}");
        let calls = wrong("[users.a]\npassword_env = \"A\"\ncalls_out_per_hour = 3601\n");
        assert!(calls.contains("line 1") && calls.contains("3600 at most"), "{calls}");
        let caller = wrong("[rooms.a]\ncaller = \"us\"\n");
        assert!(caller.contains("line 2") && caller.contains("+4930123"), "{caller}");
        let name = wrong("[rooms.\"a b\"]\nrecord = true\n");
        assert!(name.contains("line 1") && name.contains("letters, digits"), "{name}");
    }

    #[test]
    fn several_addresses_may_be_listened_on() {
        let file: File = toml::from_str("sip = [\"0.0.0.0:5060\", \"[::]:5060\"]\n").unwrap();
        assert!(matches!(file.sip, Some(Addresses::Several(two)) if two.len() == 2));
    }

    #[test]
    fn an_option_counts_over_the_file_and_the_file_over_the_default() {
        let folder = std::env::temp_dir().join(format!("convoke-config-{}", std::process::id()));
        std::fs::write(&folder, "sip = \"127.0.0.1:7000\"\nhttp = \"127.0.0.1:7001\"\n").unwrap();
        let options = Options {
            config: Some(folder.clone()),
            http: Some("127.0.0.1:9".parse().unwrap()),
            ..Options::default()
        };
        let config = Config::load(&options).unwrap();
        std::fs::remove_file(folder).unwrap();
        assert_eq!(config.sip, ["127.0.0.1:7000".parse().unwrap()]);
        assert_eq!(config.http.port(), 9);
        assert_eq!(config.data, PathBuf::from("./data"));
    }
}

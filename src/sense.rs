//! What a configuration says that cannot be meant, although each value is one by itself.

use std::net::{IpAddr, SocketAddr};

use model::ConferenceName;
use worker::limits::MEDIA_THREADS_MAX;

use crate::config::Config;

/// What cannot be meant, and what could be.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Senseless {
    /// Nothing is listened on.
    #[error("sip names no address; leave it out for 127.0.0.1:5060")]
    NoAddress,
    /// Nobody can send to that address.
    #[error(
        "advertised is the address by which phones reach this server, and none can send to {0}; \
         leave it out where they reach it by the one that it listens on"
    )]
    Advertised(IpAddr),
    /// Nothing is listened for by the protocol of that address.
    #[error("advertised is {0}, and sip names no address of that version of IP")]
    OtherFamily(IpAddr),
    /// No media thread, or too many.
    #[error("media_threads is 1 to {MEDIA_THREADS_MAX}, or left out for one on each core, not {0}")]
    MediaThreads(usize),
    /// Nobody could come in.
    #[error("{}: parties_max is 1 at least", room(.0.as_ref()))]
    NoParties(Option<ConferenceName>),
    /// Nobody is asked for a certificate.
    #[error("[tls] client_optional says what is asked of those whom client_roots names")]
    NoClientRoots,
    /// There is no certificate to show.
    #[error("[websocket] listen_tls needs the certificate of [tls]")]
    NoCertificate,
}

fn room(name: Option<&ConferenceName>) -> String {
    name.map_or_else(|| "[room]".to_owned(), |name| format!("[rooms.{name}]"))
}

/// Finds the first thing that cannot be meant.
pub(crate) fn check(config: &Config) -> Result<(), Senseless> {
    if config.sip.is_empty() {
        return Err(Senseless::NoAddress);
    }
    if let Some(advertised) = config.advertised {
        advertisable(advertised, &config.sip)?;
    }
    if let Some(threads) = config.media_threads.filter(|it| !(1..=MEDIA_THREADS_MAX).contains(it)) {
        return Err(Senseless::MediaThreads(threads));
    }
    let rooms = config.rooms.iter().map(|(name, room)| (Some(name), room));
    for (name, room) in rooms.chain([(None, &config.room)]) {
        if room.parties_max == 0 {
            return Err(Senseless::NoParties(name.cloned()));
        }
    }
    match &config.tls {
        Some(tls) if tls.client_optional && tls.client_roots.is_none() => {
            Err(Senseless::NoClientRoots)
        }
        None if !config.websocket.listen_tls.is_empty() => Err(Senseless::NoCertificate),
        Some(_) | None => Ok(()),
    }
}

fn advertisable(advertised: IpAddr, listened: &[SocketAddr]) -> Result<(), Senseless> {
    let is_broadcast = match advertised {
        IpAddr::V4(ip) => ip.is_broadcast(),
        IpAddr::V6(_) => false,
    };
    if advertised.is_unspecified() || advertised.is_multicast() || is_broadcast {
        return Err(Senseless::Advertised(advertised));
    }
    // `::` stands for the addresses of both.
    let is_for = |address: &SocketAddr| {
        address.is_ipv4() == advertised.is_ipv4()
            || address.is_ipv6() && address.ip().is_unspecified()
    };
    match listened.iter().any(is_for) {
        true => Ok(()),
        false => Err(Senseless::OtherFamily(advertised)),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Options;

    use super::*;

    /// What is said of a file with that text, which is in the folder of the test's name.
    fn told(test: &str, text: &str) -> String {
        let path = std::env::temp_dir().join(format!("convoke-{test}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let options = Options { config: Some(path.clone()), ..Options::default() };
        let told = match Config::load(&options) {
            Ok(_) => "in order".to_owned(),
            Err(wrong) => format!("{:#}", anyhow::Error::from(wrong)),
        };
        std::fs::remove_file(&path).unwrap();
        told.replace(&path.display().to_string(), "FILE")
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_its_file_before_anything_is_begun() {
        let tls = "[tls]\nlisten = []\ncertificate = \"c\"\nkey = \"k\"\n";
        for (text, part) in [
            ("sip = []", "sip names no address"),
            ("advertised = \"0.0.0.0\"", "none can send to 0.0.0.0"),
            ("advertised = \"239.1.2.3\"", "none can send to 239.1.2.3"),
            ("advertised = \"255.255.255.255\"", "none can send to"),
            ("advertised = \"2001:db8::1\"", "no address of that version of IP"),
            ("media_threads = 0", "media_threads is 1 to 256"),
            ("media_threads = 100000", "media_threads is 1 to 256"),
            ("[room]\nparties_max = 0", "[room]: parties_max is 1 at least"),
            ("[rooms.a]\nparties_max = 0", "[rooms.a]: parties_max is 1 at least"),
            (&format!("{tls}client_optional = true"), "client_optional"),
            ("[websocket]\nlisten_tls = [\"127.0.0.1:1\"]", "needs the certificate of [tls]"),
            ("[room]\nprofile = \"none\"", "there is no profile none"),
            ("[[routes]]\nmatch = \"0\"\nuser = \"bob\"", "there is no [users.bob]"),
        ] {
            let told = told("senseless", text);
            assert!(told.starts_with("FILE: ") && told.contains(part), "{text}: {told}");
        }
    }

    #[test]
    fn what_can_be_meant_is_in_order() {
        for text in [
            "advertised = \"203.0.113.7\"",
            "sip = \"[::]:5060\"\nadvertised = \"203.0.113.7\"",
            "sip = [\"127.0.0.1:5060\", \"[::1]:5060\"]\nadvertised = \"2001:db8::1\"",
            "media_threads = 1",
        ] {
            assert_eq!(told("sensible", text), "in order", "{text}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_once() {
        let options = Options { config: Some("/nowhere/at/all".into()), ..Options::default() };
        let wrong = anyhow::Error::from(Config::load(&options).unwrap_err());
        let told = format!("{wrong:#}");
        assert_eq!(told.matches("os error").count(), 1, "{told}");
    }
}

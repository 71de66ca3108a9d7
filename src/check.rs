//! `convoke check`: what a server would meet at its start, told before it is started.

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gateway::Finding;
use rustix::fs::Access;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, Options};

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// With these the server does not start, each in one line or with the place in a file.
    pub faults: Vec<String>,
    /// With these it starts, and something will not work as it is meant.
    pub warnings: Vec<String>,
}

/// Looks at a configuration file and at all that it names, and changes nothing.
pub fn check(file: &Path) -> Findings {
    let options = Options { config: Some(file.to_owned()), ..Options::default() };
    let mut found = Findings::default();
    let config = match Config::load(&options) {
        Ok(config) => config,
        Err(error) => {
            found.faults.push(error.to_string());
            return found;
        }
    };
    if let Err(error) = EnvFilter::try_new(&config.log) {
        found.faults.push(format!("log = {:?}: {error}", config.log));
    }
    if let Some(tls) = config.tls.clone() {
        for finding in gateway::TlsSettings::from(tls).examine(SystemTime::now()) {
            match finding {
                Finding::Fault(error) => found.faults.push(error.to_string()),
                Finding::Warning(error) => found.warnings.push(error.to_string()),
            }
        }
    }
    // What a vault makes in its folder.
    let kept = ["recordings", "journal"].map(|name| config.data.join(name));
    found.faults.extend(kept.iter().find_map(|folder| unusable(folder)));
    found.warnings.extend(addresses(&config).into_iter().filter_map(elsewhere));
    found
}

/// Why nothing can be kept in a folder that may be there already.
fn unusable(folder: &Path) -> Option<String> {
    let told = |at: &Path, why: &str| Some(format!("data: {}: {why}", at.display()));
    // The first that is there, for those below it are made.
    let folder = std::path::absolute(folder).unwrap_or_else(|_| PathBuf::from(folder));
    let there = folder.ancestors().find(|at| at.exists())?;
    if !there.is_dir() {
        return told(there, "it is no folder");
    }
    match rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => None,
        Err(error) => told(there, &format!("nothing can be written there: {error}")),
    }
}

/// All that are listened on.
fn addresses(config: &Config) -> Vec<SocketAddr> {
    let tls = config.tls.iter().flat_map(|tls| &tls.listen);
    let websocket = config.websocket.listen.iter().chain(&config.websocket.listen_tls);
    config.sip.iter().chain([&config.http]).chain(tls).chain(websocket).copied().collect()
}

/// That an address is none of this machine, which may not be the one that the file is for.
fn elsewhere(address: SocketAddr) -> Option<String> {
    match UdpSocket::bind((address.ip(), 0)) {
        Ok(_) => None,
        Err(error) => Some(format!("this machine cannot listen on {address}: {error}")),
    }
}

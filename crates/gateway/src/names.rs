//! Which name was called at an address: what its certificate must say.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits::TLS_NAMES_MAX;

/// The name that each address was found by last.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<BTreeMap<SocketAddr, Arc<str>>>);

impl Names {
    /// Notes that a host has these addresses. One that was called by its address alone keeps none.
    pub(crate) fn note(&self, host: &str, addresses: &[SocketAddr]) {
        let name: Arc<str> = Arc::from(host.trim_end_matches('.'));
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for address in addresses {
            // A name that is forgotten is asked for again with the next call to it; until then
            // its connection is opened only if the certificate names the address.
            if names.len() >= TLS_NAMES_MAX && !names.contains_key(address) {
                names.pop_first();
            }
            names.insert(*address, Arc::clone(&name));
        }
    }

    /// The name that was called at an address.
    pub(crate) fn of(&self, address: SocketAddr) -> Option<Arc<str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&address).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_bounded_and_the_last_name_counts() {
        let names = Names::default();
        let address = |port| SocketAddr::from(([192, 0, 2, 1], port));
        for port in 1..=2_000 {
            names.note("a.example.", &[address(port)]);
        }
        assert_eq!(names.0.lock().unwrap().len(), TLS_NAMES_MAX);
        names.note("b.example", &[address(2_000)]);
        assert_eq!(names.of(address(2_000)).as_deref(), Some("b.example"));
        assert_eq!(names.of(address(1_999)).as_deref(), Some("a.example"));
        assert_eq!(names.of(address(1)), None);
    }
}

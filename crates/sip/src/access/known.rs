//! Where users have shown their passwords from.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// The last source of each user. There are no more than there are users.
#[derive(Debug, Default)]
pub(crate) struct KnownSources {
    source_by_user: BTreeMap<String, IpAddr>,
    /// How many users each is the last source of.
    users_by_source: BTreeMap<IpAddr, usize>,
}

impl KnownSources {
    /// A user has shown its password.
    pub(crate) fn note(&mut self, user: &str, source: IpAddr) {
        let left = match self.source_by_user.get_mut(user) {
            Some(last) if *last == source => return,
            Some(last) => Some(std::mem::replace(last, source)),
            None => {
                self.source_by_user.insert(user.to_owned(), source);
                None
            }
        };
        *self.users_by_source.entry(source).or_default() += 1;
        if let Some(left) = left
            && let Some(users) = self.users_by_source.get_mut(&left)
        {
            *users -= 1;
            if *users == 0 {
                self.users_by_source.remove(&left);
            }
        }
    }

    /// Whether that user last showed its password from there.
    pub(crate) fn is_of(&self, user: &str, source: IpAddr) -> bool {
        self.source_by_user.get(user) == Some(&source)
    }

    /// Whether any user last showed its password from there.
    pub(crate) fn is_anybodys(&self, source: IpAddr) -> bool {
        self.users_by_source.contains_key(&source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_known_as_long_as_it_is_the_last_one_of_a_user() {
        let [office, home] = [1, 2].map(|host| IpAddr::from([192, 0, 2, host]));
        let mut known = KnownSources::default();
        for user in ["ada", "ben", "ada"] {
            known.note(user, office);
        }
        known.note("ada", home);
        assert!(known.is_of("ada", home) && !known.is_of("ada", office));
        assert!(known.is_anybodys(office) && known.is_anybodys(home));
        known.note("ben", home);
        assert!(!known.is_anybodys(office) && known.is_anybodys(home));
        assert_eq!(known.users_by_source.len(), 1);
    }
}

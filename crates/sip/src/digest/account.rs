//! Our own account with somebody else: a trunk that asks who we are.

use std::fmt;

use super::{Algorithm, Challenge, Credentials, Exchange, Ha1};

/// A password of ours. It is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Keeps a password.
    #[must_use]
    pub fn new(password: impl Into<String>) -> Password {
        Password(password.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Our account with one peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The name that it knows us by.
    pub user: String,
    /// The realm that it asks for; `None` takes any that the peer itself names.
    pub realm: Option<String>,
    /// The password.
    pub password: Password,
}

impl Account {
    /// The challenge to answer among those of one response: the strongest that names our realm
    /// (RFC 8760 §2.4). `None` if there is none: then nothing is shown to anybody.
    #[must_use]
    pub fn choose(&self, challenges: &[Challenge]) -> Option<Challenge> {
        let ours = |challenge: &&Challenge| {
            self.realm.as_ref().is_none_or(|realm| *realm == challenge.realm)
        };
        Algorithm::ALL
            .into_iter()
            .find_map(|best| challenges.iter().filter(ours).find(|one| one.algorithm == best))
            .cloned()
    }

    /// The answer to a challenge, for a request of that method to that URI. `count` is how often
    /// the nonce has been used, this time included.
    #[must_use]
    pub fn answer(
        &self,
        challenge: &Challenge,
        (method, uri): (&str, &str),
        (count, cnonce): (u32, &str),
    ) -> Credentials {
        let Challenge { realm, nonce, algorithm, opaque, counts, .. } = challenge;
        let counted = counts.then_some((count, cnonce));
        let exchange = Exchange { algorithm: *algorithm, method, uri, nonce, counted };
        let ha1 = Ha1::of(*algorithm, &self.user, realm, &self.password.0);
        Credentials {
            username: self.user.clone(),
            realm: realm.clone(),
            nonce: nonce.clone(),
            uri: uri.to_owned(),
            algorithm: *algorithm,
            counted: counted.map(|(count, cnonce)| (count, cnonce.to_owned())),
            response: exchange.response(&ha1),
            opaque: opaque.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(realm: Option<&str>) -> Account {
        Account {
            user: "us".into(),
            realm: realm.map(str::to_owned),
            password: Password::new("secret"),
        }
    }

    fn challenges(texts: &[&str]) -> Vec<Challenge> {
        texts.iter().map(|text| Challenge::parse(text).unwrap()).collect()
    }

    #[test]
    fn the_strongest_challenge_of_our_realm_is_answered_and_no_other() {
        let offered = challenges(&[
            "Digest realm=\"evil\", nonce=\"1\", algorithm=SHA-256, qop=\"auth\"",
            "Digest realm=\"trunk\", nonce=\"2\", qop=\"auth\"",
            "Digest realm=\"trunk\", nonce=\"3\", algorithm=SHA-256, qop=\"auth\"",
        ]);
        assert_eq!(account(Some("trunk")).choose(&offered).unwrap().nonce, "3");
        assert_eq!(account(None).choose(&offered).unwrap().nonce, "1");
        assert_eq!(account(Some("other")).choose(&offered), None);
    }

    #[test]
    fn an_answer_of_ours_shows_the_password_to_a_server_like_ours() {
        let ha1 = Ha1::of(Algorithm::Md5, "us", "r", "secret");
        let [counted] = &challenges(&["Digest realm=\"r\", nonce=\"n\", qop=\"auth\""])[..] else {
            panic!("one challenge");
        };
        let answer = account(None).answer(counted, ("REGISTER", "sip:r"), (1, "c"));
        let read = Credentials::parse(&answer.to_string()).unwrap();
        assert_eq!(read, answer);
        assert!(read.show(&ha1, "REGISTER"));
        let [old] = &challenges(&["Digest realm=\"r\", nonce=\"n\", opaque=\"o\""])[..] else {
            panic!("one challenge");
        };
        let answer = account(None).answer(old, ("REGISTER", "sip:r"), (1, "c"));
        assert!(answer.show(&ha1, "REGISTER"));
        assert!(!answer.to_string().contains("qop") && answer.to_string().contains("opaque"));
        assert!(!format!("{:?}", account(None)).contains("secret"));
    }
}

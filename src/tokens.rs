//! Who may use the API, as a configuration says it: `[tokens.NAME]` and `[[jwt]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use api::{
    BadGrant, BadKey, Bound, Capacity, CapacityName, Grant, Issuer, Keyring, Scope, Signature,
    TokenDigest,
};
use model::PartyId;
use serde::Deserialize;

use crate::access::NoPassword;

/// A token, `[tokens.NAME]`: its hash, or the name of a variable that holds it.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "TokenText")]
pub struct TokenTable {
    secret: Secret,
    capacity: Capacity,
    scopes: Option<BTreeSet<Scope>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Secret {
    Hashed(TokenDigest),
    Variable(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenText {
    sha256: Option<String>,
    token_env: Option<String>,
    role: CapacityName,
    user: Option<String>,
    conference: Option<String>,
    party: Option<PartyId>,
    scopes: Option<BTreeSet<Scope>>,
}

impl TryFrom<TokenText> for TokenTable {
    type Error = String;
    fn try_from(text: TokenText) -> Result<TokenTable, String> {
        let TokenText { sha256, token_env, role, user, conference, party, scopes } = text;
        let secret = match (sha256, token_env) {
            (Some(hash), None) => {
                Secret::Hashed(hash.parse().map_err(|wrong| format!("sha256: {wrong}"))?)
            }
            (None, Some(variable)) => Secret::Variable(variable),
            _ => {
                return Err("a token has sha256 (`convoke token NAME` makes it) or else token_env"
                    .to_owned());
            }
        };
        let bound = Bound { user, conference, party };
        let capacity = Capacity::new(role, bound).map_err(|wrong: BadGrant| wrong.to_string())?;
        Ok(TokenTable { secret, capacity, scopes })
    }
}

/// One of `[[jwt]]`: somebody whose signed tokens are believed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtTable {
    /// What its tokens have as `iss`.
    issuer: String,
    /// What they have as `aud`.
    audience: String,
    algorithm: Signature,
    /// A PEM file with its public key.
    key: Option<PathBuf>,
    /// For HS256: the variable that holds the secret.
    secret_env: Option<String>,
}

/// What is wrong with tokens and issuers.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// A secret is not where it should be.
    #[error(transparent)]
    Missing(#[from] NoPassword),
    /// A token that could be guessed, or that cannot be sent.
    #[error("token {0}: the variable holds 24 to 4096 letters, digits and -._~ at random")]
    Weak(String),
    /// A secret and a public key are two things.
    #[error("jwt of {0}: HS256 has secret_env, all others have key")]
    WrongKind(String),
    /// A key cannot be read.
    #[error("jwt of {issuer}: {}: {source}", path.display())]
    Unreadable {
        /// Whose.
        issuer: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A key cannot be used.
    #[error("jwt of {issuer}: {source}")]
    BadKey {
        /// Whose.
        issuer: String,
        /// Why.
        source: BadKey,
    },
}

/// Puts the tokens together. `variable` looks up a variable of the environment.
pub(crate) fn keyring(
    tokens: BTreeMap<String, TokenTable>,
    issuers: Vec<JwtTable>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Keyring, TokenError> {
    let mut keyring = Keyring::default();
    for (name, TokenTable { secret, capacity, scopes }) in tokens {
        let digest = match secret {
            Secret::Hashed(digest) => digest,
            Secret::Variable(at) => {
                let missing = || NoPassword::new(format!("token {name}"), at.clone());
                let token = variable(&at).ok_or_else(missing)?;
                if !is_strong(&token) {
                    return Err(TokenError::Weak(name));
                }
                TokenDigest::of(&token)
            }
        };
        keyring.add(digest, Grant::new(name, capacity, scopes));
    }
    for table in issuers {
        keyring.trust(issuer(table, &variable)?);
    }
    Ok(keyring)
}

fn issuer(
    table: JwtTable,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Issuer, TokenError> {
    let JwtTable { issuer, audience, algorithm, key, secret_env } = table;
    let key = match (algorithm, key, secret_env) {
        (Signature::Hs256, None, Some(at)) => {
            let missing = || NoPassword::new(format!("jwt of {issuer}"), at.clone());
            variable(&at).ok_or_else(missing)?.into_bytes()
        }
        (Signature::Rs256 | Signature::Es256 | Signature::EdDsa, Some(path), None) => {
            std::fs::read(&path).map_err(|source| TokenError::Unreadable {
                issuer: issuer.clone(),
                path,
                source,
            })?
        }
        (_, _, _) => return Err(TokenError::WrongKind(issuer)),
    };
    let bad = |source| TokenError::BadKey { issuer: issuer.clone(), source };
    Issuer::new(issuer.clone(), &audience, algorithm, &key).map_err(bad)
}

/// Long enough that nobody guesses it, and of characters that every header and subprotocol takes.
fn is_strong(token: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (24..=4_096).contains(&token.len()) && token.bytes().all(is_plain)
}

/// A new token, and the lines of a configuration that make it one: what `convoke token NAME`
/// prints.
#[derive(Debug)]
pub struct TokenLines<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub role: &'a str,
    /// Whose it is, if a user's.
    pub user: Option<&'a str>,
    /// For which conference, if for one.
    pub conference: Option<&'a str>,
    /// The token.
    pub token: &'a str,
}

impl fmt::Display for TokenLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // TOML reads a quoted text as JSON writes it.
        let quoted = |text: &str| serde_json::to_string(text).map_err(|_| fmt::Error);
        writeln!(f, "[tokens.{}]", quoted(self.name)?)?;
        writeln!(f, "sha256 = \"{}\"", TokenDigest::of(self.token))?;
        write!(f, "role = {}", quoted(self.role)?)?;
        for (key, bound) in [("user", self.user), ("conference", self.conference)] {
            if let Some(bound) = bound {
                write!(f, "\n{key} = {}", quoted(bound)?)?;
            }
        }
        Ok(())
    }
}

impl TokenLines<'_> {
    /// Whether they make a token: what is wrong, if not.
    ///
    /// # Errors
    /// What a configuration would be told about them.
    pub fn check(&self) -> Result<(), String> {
        let text = self.to_string();
        let table: toml::Table =
            text.parse().map_err(|wrong: toml::de::Error| wrong.to_string())?;
        let tokens = table.get("tokens").and_then(toml::Value::as_table);
        let one = tokens.and_then(|tokens| tokens.values().next()).cloned();
        let one = one.ok_or("it needs a name")?;
        let read = one.try_into::<TokenTable>();
        read.map(|_| ()).map_err(|wrong| wrong.message().to_owned())
    }
}

/// A token that nobody guesses: 256 bits of the system's randomness, behind letters by which those
/// who search for lost secrets know it.
///
/// # Errors
/// The system has no randomness.
pub fn draw() -> Result<String, getrandom::Error> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits)?;
    Ok(bits.iter().fold("cvk_".to_owned(), |token, byte| token + &format!("{byte:02x}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct File {
        #[serde(default)]
        tokens: BTreeMap<String, TokenTable>,
        #[serde(default)]
        jwt: Vec<JwtTable>,
    }

    fn read(text: &str) -> Result<Keyring, String> {
        let file: File = toml::from_str(text).map_err(|wrong| wrong.to_string())?;
        let variable = |name: &str| match name {
            "LONG" => Some("0123456789abcdef0123456789abcdef".to_owned()),
            "SHORT" => Some("wonder".to_owned()),
            _ => None,
        };
        keyring(file.tokens, file.jwt, variable).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn the_lines_that_are_printed_for_a_token_make_it_one() {
        let token = draw().unwrap();
        assert_ne!(token, draw().unwrap());
        assert!(is_strong(&token));
        let (name, user, conference) = ("al.ice", Some("alice"), None);
        let lines = TokenLines { name, role: "agent", user, conference, token: &token };
        lines.check().unwrap();
        assert!(!read(&lines.to_string()).unwrap().is_empty());
        assert!(!lines.to_string().contains(&token), "what is kept is not the token");
        let nobody = TokenLines { user: None, ..lines };
        assert!(nobody.check().unwrap_err().contains("names its user"));
    }

    #[test]
    fn no_token_is_guessed_or_sent_in_vain() {
        assert!(read("").unwrap().is_empty());
        assert!(read("[tokens.a]\ntoken_env = \"LONG\"\nrole = \"admin\"").is_ok());
        let weak = read("[tokens.a]\ntoken_env = \"SHORT\"\nrole = \"admin\"").unwrap_err();
        assert!(weak.contains("token a") && !weak.contains("wonder"), "{weak}");
        let hs = "[[jwt]]\nissuer = \"i\"\naudience = \"a\"\nalgorithm = \"HS256\"\n";
        assert!(read(&format!("{hs}secret_env = \"LONG\"")).is_ok());
        let weak = read(&format!("{hs}secret_env = \"SHORT\"")).unwrap_err();
        assert!(weak.contains("32 bytes") && !weak.contains("wonder"), "{weak}");
        // A public key as a secret is what an attacker would want.
        assert!(read(&format!("{hs}key = \"/dev/null\"")).unwrap_err().contains("secret_env"));
    }

    #[test]
    fn mistakes_are_told_with_line_and_reason() {
        for (text, line, reason) in [
            ("[tokens.a]\nrole = \"admin\"", 1, "sha256"),
            ("[tokens.a]\nrole = \"admin\"\nsha256 = \"12\"", 1, "64 hexadecimal digits"),
            ("[tokens.a]\nrole = \"king\"\nsha256 = \"12\"", 2, "king"),
            ("[tokens.a]\nrole = \"agent\"\ntoken_env = \"LONG\"", 1, "names its user"),
            ("[tokens.a]\nrole = \"guest\"\ntoken_env = \"LONG\"", 1, "names its conference"),
            ("[tokens.a]\ntoken = \"x\"", 2, "unknown field `token`"),
            ("[[jwt]]\nissuer = \"i\"\naudience = \"a\"\nalgorithm = \"none\"", 4, "none"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(&format!("line {line}")) && told.contains(reason), "{told}");
        }
        let told = read("[tokens.a]\ntoken_env = \"NONE\"\nrole = \"admin\"").unwrap_err();
        assert!(told.contains("token a") && told.contains("NONE"), "{told}");
    }
}

//! Who may do what, as a configuration says it: `[access]`, `[users.NAME]` and `[[routes]]`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use sip::access::{Access, From, Network, Pattern, PatternError, Route, Target, Template};
use sip::digest::{Algorithm, Ha1, Secrets};

/// The table `[access]`; all of it may be left out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessTable {
    /// Named in challenges; passwords are hashed with it.
    realm: String,
    /// Whether a password may be shown by MD5, which is all that many phones can.
    md5: bool,
    /// Networks whose hosts are asked for no password. Left out: this machine, as long as there
    /// are no users and no routes.
    trusted: Option<Vec<NetworkText>>,
}

impl Default for AccessTable {
    fn default() -> AccessTable {
        AccessTable { realm: "convoke".to_owned(), md5: true, trusted: None }
    }
}

/// A network, read from its text.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct NetworkText(pub(crate) Network);

impl TryFrom<String> for NetworkText {
    type Error = sip::access::NetworkError;
    fn try_from(text: String) -> Result<NetworkText, Self::Error> {
        text.parse().map(NetworkText)
    }
}

/// A user, `[users.NAME]`: one hash at least, or the name of a variable that holds the password.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "UserText")]
pub struct User {
    md5: Option<Ha1>,
    sha256: Option<Ha1>,
    password_env: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserText {
    ha1_md5: Option<String>,
    ha1_sha256: Option<String>,
    password_env: Option<String>,
}

impl TryFrom<UserText> for User {
    type Error = String;
    fn try_from(text: UserText) -> Result<User, String> {
        let ha1 = |algorithm, text: Option<String>| {
            text.map(|text| Ha1::parse(algorithm, &text)).transpose()
        };
        let md5 = ha1(Algorithm::Md5, text.ha1_md5).map_err(|wrong| wrong.to_string())?;
        let sha256 = ha1(Algorithm::Sha256, text.ha1_sha256).map_err(|wrong| wrong.to_string())?;
        let hashed = md5.is_some() || sha256.is_some();
        if hashed == text.password_env.is_some() {
            return Err(
                "a user has ha1_md5, ha1_sha256 or both (`convoke user NAME` makes them), \
                        or else password_env"
                    .to_owned(),
            );
        }
        Ok(User { md5, sha256, password_env: text.password_env })
    }
}

/// One of `[[routes]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RouteText")]
pub struct RouteLine(Route);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteText {
    #[serde(default)]
    from: FromText,
    #[serde(rename = "match")]
    pattern: String,
    conference: Option<String>,
    user: Option<String>,
    #[serde(default)]
    open: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FromText {
    #[default]
    Any,
    User,
}

impl TryFrom<RouteText> for RouteLine {
    type Error = String;
    fn try_from(text: RouteText) -> Result<RouteLine, String> {
        let told = |wrong: PatternError| wrong.to_string();
        let pattern: Pattern = text.pattern.parse().map_err(told)?;
        let template = |text: &str| Template::parse(text, &pattern).map_err(told);
        let to = match (&text.conference, &text.user) {
            (Some(name), None) => Target::Conference(template(name)?),
            (None, Some(name)) => Target::User(template(name)?),
            (None, None) | (Some(_), Some(_)) => {
                return Err("a route leads to one of conference, user".to_owned());
            }
        };
        let from = match text.from {
            FromText::Any => From::Any,
            FromText::User => From::User,
        };
        if text.open && from == From::User {
            return Err("a route for users is not open to strangers".to_owned());
        }
        Ok(RouteLine(Route { from, pattern, to, open: text.open }))
    }
}

/// A variable that a user's password should be in, and is not.
#[derive(Debug, thiserror::Error)]
#[error("user {user}: the variable {variable} is not set, or not UTF-8")]
pub struct NoPassword {
    user: String,
    variable: String,
}

/// Puts the tables together. `variable` looks up a variable of the environment.
pub(crate) fn access(
    table: AccessTable,
    users: BTreeMap<String, User>,
    routes: Vec<RouteLine>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Access, NoPassword> {
    let plain = users.is_empty() && routes.is_empty();
    let AccessTable { realm, md5, trusted } = table;
    let trusted = match trusted {
        Some(named) => named.into_iter().map(|NetworkText(network)| network).collect(),
        None if plain => Network::loopback().to_vec(),
        None => Vec::new(),
    };
    let mut kept = BTreeMap::new();
    for (name, User { md5, sha256, password_env }) in users {
        let secrets = match password_env {
            None => Secrets { md5, sha256 },
            Some(at) => match variable(&at) {
                Some(password) => Secrets::of(&name, &realm, &password),
                None => return Err(NoPassword { user: name, variable: at }),
            },
        };
        kept.insert(name, secrets);
    }
    let routes = routes.into_iter().map(|RouteLine(route)| route).collect();
    Ok(Access { realm, md5, users: kept, trusted, routes })
}

/// The lines of a configuration that make somebody a user: what `convoke user NAME` prints.
#[derive(Debug)]
pub struct UserLines<'a> {
    /// The user's name.
    pub name: &'a str,
    /// The realm of `[access]`.
    pub realm: &'a str,
    /// The password.
    pub password: &'a str,
}

impl fmt::Display for UserLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ha1 = |algorithm| Ha1::of(algorithm, self.name, self.realm, self.password);
        // TOML reads a quoted key as JSON writes a text.
        let name = serde_json::to_string(self.name).map_err(|_| fmt::Error)?;
        writeln!(f, "[users.{name}]")?;
        writeln!(f, "ha1_sha256 = \"{}\"", ha1(Algorithm::Sha256).reveal())?;
        write!(f, "ha1_md5 = \"{}\"", ha1(Algorithm::Md5).reveal())
    }
}

#[cfg(test)]
mod tests {
    use sip::access::{Destination, Origin};

    use super::*;

    #[derive(Debug, Deserialize)]
    struct File {
        #[serde(default)]
        access: AccessTable,
        #[serde(default)]
        users: BTreeMap<String, User>,
        #[serde(default)]
        routes: Vec<RouteLine>,
    }

    fn read(text: &str) -> Result<Access, String> {
        let file: File = toml::from_str(text).map_err(|wrong| wrong.to_string())?;
        let variable = |name: &str| (name == "SECRET").then(|| "wonder".to_owned());
        access(file.access, file.users, file.routes, variable).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn this_machine_is_trusted_until_there_are_users_or_routes() {
        let trusted = |text: &str| read(text).unwrap().trusted.len();
        assert_eq!(trusted(""), 2);
        assert_eq!(trusted("[users.alice]\npassword_env = \"SECRET\""), 0);
        assert_eq!(trusted("[[routes]]\nmatch = \"*\"\nconference = \"$1\""), 0);
        assert_eq!(trusted("[access]\ntrusted = [\"10.0.0.0/8\"]"), 1);
        let both = "[access]\ntrusted = [\"::1\"]\n[users.alice]\npassword_env = \"SECRET\"";
        assert_eq!(trusted(both), 1);
    }

    #[test]
    fn the_lines_that_are_printed_for_a_user_make_it_one() {
        let lines = UserLines { name: "al.ice", realm: "convoke", password: "wonder" }.to_string();
        let printed = read(&lines).unwrap();
        let named = read("[users.\"al.ice\"]\npassword_env = \"SECRET\"").unwrap();
        assert_eq!(printed.users, named.users);
        assert!(!lines.contains("wonder"));
    }

    #[test]
    fn routes_lead_where_they_say() {
        let access = read(
            "[users.alice]\npassword_env = \"SECRET\"\n\
             [[routes]]\nmatch = \"0800%\"\nconference = \"hotline-$1\"\nopen = true\n\
             [[routes]]\nfrom = \"user\"\nmatch = \"*\"\nuser = \"$1\"\n",
        )
        .unwrap();
        let hotline = access.route(&Origin::Stranger, "08001");
        assert_eq!(hotline, Ok(Destination::Conference("hotline-1".into())));
        assert!(access.route(&Origin::Stranger, "alice").is_err());
        let alice = access.route(&Origin::User("alice".into()), "alice");
        assert_eq!(alice, Ok(Destination::User("alice".into())));
    }

    #[test]
    fn mistakes_are_told_with_line_and_reason() {
        for (text, line, reason) in [
            ("[users.a]\nha1_md5 = \"12\"", 1, "32 hexadecimal digits"),
            ("\n[users.a]\n", 2, "ha1_md5, ha1_sha256"),
            ("[users.a]\npassword = \"x\"", 2, "unknown field `password`"),
            ("[[routes]]\nmatch = \"*\"", 1, "leads to one of"),
            ("[[routes]]\nmatch = \"*\"\nconference = \"$2\"", 1, "$2 is used"),
            ("[[routes]]\nmatch = \"\"\nconference = \"x\"", 1, "1 to 128 letters"),
            (
                "[[routes]]\nfrom = \"user\"\nmatch = \"*\"\nuser = \"$1\"\nopen = true",
                1,
                "not open",
            ),
            ("[access]\ntrusted = [\"10.0.0.0/99\"]", 2, "192.0.2.0/24"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(&format!("line {line}")) && told.contains(reason), "{told}");
        }
        let told = read("[users.a]\npassword_env = \"NONE\"").unwrap_err();
        assert!(told.contains("user a") && told.contains("NONE"), "{told}");
    }
}

//! Who may do what, as a configuration says it: `[access]`, `[users.NAME]` and `[[routes]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use model::SrtpPolicy;
use serde::Deserialize;
use sip::access::{
    Access, CallsOut, Choice, Cost, From, Network, Pattern, PatternError, Pin, Route, Target,
    Template, Trunk, is_number,
};
use sip::digest::{Algorithm, Ha1, Secrets};
use switchboard::TrunkAudio;
use switchboard::limits::CALLS_OUT_MAX;

use crate::trunks::TrunkTable;

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
    /// Emergency numbers: whoever may call out reaches them, without a route and beyond every
    /// bound.
    emergency: BTreeSet<String>,
}

impl Default for AccessTable {
    fn default() -> AccessTable {
        AccessTable {
            realm: "convoke".to_owned(),
            md5: true,
            trusted: None,
            emergency: BTreeSet::new(),
        }
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
    /// Whether its audio is protected by SRTP, where that is not as for others.
    pub(crate) srtp: Option<SrtpPolicy>,
    /// What bounds its calls out by trunks.
    calls_out: CallsOut,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserText {
    ha1_md5: Option<String>,
    ha1_sha256: Option<String>,
    password_env: Option<String>,
    srtp: Option<SrtpPolicy>,
    calls_out_per_hour: Option<u32>,
    calls_out_at_once: Option<u32>,
    spend_per_day: Option<f64>,
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
        let UserText { password_env, srtp, calls_out_per_hour, .. } = text;
        if calls_out_per_hour.is_some_and(|calls| calls > CALLS_OUT_MAX) {
            return Err(format!("calls_out_per_hour is {CALLS_OUT_MAX} at most, or left out"));
        }
        let spend_per_day = text.spend_per_day.map(Cost::try_from).transpose();
        let calls_out = CallsOut {
            per_hour: calls_out_per_hour,
            at_once: text.calls_out_at_once,
            spend_per_day: spend_per_day.map_err(|wrong| format!("spend_per_day: {wrong}"))?,
        };
        Ok(User { md5, sha256, password_env, srtp, calls_out })
    }
}

/// One of `[[routes]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RouteText")]
pub struct RouteLine {
    route: Route,
    /// The variable that holds the PIN which must be typed.
    pin_env: Option<String>,
}

impl RouteLine {
    /// The route, with the PIN that it wants.
    fn with_pin(self, variable: impl Fn(&str) -> Option<String>) -> Result<Route, AccessError> {
        let RouteLine { route, pin_env } = self;
        let Some(at) = pin_env else { return Ok(route) };
        let whose = || format!("the route {}", route.pattern);
        let digits = variable(&at).ok_or_else(|| NoPassword::new(whose(), at.clone()))?;
        let wrong = |wrong| AccessError::BadPin(whose(), at, wrong);
        let pin = digits.parse::<Pin>().map_err(wrong)?;
        let to = match route.to {
            Target::Conference(template) | Target::Lobby(template, _) => {
                Target::Lobby(template, pin)
            }
            to @ (Target::User(_) | Target::Number(..)) => to,
        };
        Ok(Route { to, ..route })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteText {
    #[serde(default)]
    from: FromText,
    #[serde(rename = "match")]
    pattern: String,
    conference: Option<String>,
    user: Option<String>,
    /// The number to call, by one of `trunks`.
    number: Option<String>,
    #[serde(default)]
    trunks: Vec<ChoiceText>,
    #[serde(default)]
    open: bool,
    pin_env: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FromText {
    #[default]
    Any,
    User,
    /// `from = { trunk = "NAME" }`
    Trunk(String),
}

/// A trunk that a number can be called by; those named alone are tried in their order.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a trunk's name, or { name = …, priority = …, weight = … }")]
enum ChoiceText {
    Name(String),
    Table(ChoiceTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChoiceTable {
    name: String,
    /// The lowest is tried first; left out, it is its place in the list.
    priority: Option<u16>,
    /// Of those with one priority, it comes first that often in proportion.
    weight: Option<u32>,
}

fn choice((place, text): (usize, ChoiceText)) -> Choice {
    let table = match text {
        ChoiceText::Name(name) => ChoiceTable { name, priority: None, weight: None },
        ChoiceText::Table(table) => table,
    };
    Choice {
        trunk: table.name,
        priority: table.priority.unwrap_or_else(|| u16::try_from(place).unwrap_or(u16::MAX)),
        weight: table.weight.unwrap_or(1),
    }
}

impl TryFrom<RouteText> for RouteLine {
    type Error = String;
    fn try_from(text: RouteText) -> Result<RouteLine, String> {
        let told = |wrong: PatternError| wrong.to_string();
        let pattern: Pattern = text.pattern.parse().map_err(told)?;
        let template = |text: &str| Template::parse(text, &pattern).map_err(told);
        let choices: Vec<Choice> = text.trunks.into_iter().enumerate().map(choice).collect();
        if text.number.is_some() == choices.is_empty() {
            return Err("a route to a number, and no other, has trunks = [\"NAME\"]".to_owned());
        }
        let leads_out = text.number.is_some();
        let to = match (&text.conference, &text.user, &text.number) {
            (Some(name), None, None) => Target::Conference(template(name)?),
            (None, Some(name), None) => Target::User(template(name)?),
            (None, None, Some(number)) => Target::Number(choices, template(number)?),
            _ => return Err("a route leads to one of conference, user, number".to_owned()),
        };
        let from = match text.from {
            FromText::Any => From::Any,
            FromText::User => From::User,
            FromText::Trunk(name) => From::Trunk(name),
        };
        if text.open && (from != From::Any || leads_out) {
            return Err("a route for users or by a trunk is not open to strangers".to_owned());
        }
        if text.pin_env.is_some() && text.conference.is_none() {
            return Err("a PIN is typed on the way into a conference".to_owned());
        }
        let route = Route { from, pattern, to, open: text.open };
        Ok(RouteLine { route, pin_env: text.pin_env })
    }
}

/// A variable that a password should be in, and is not.
#[derive(Debug, thiserror::Error)]
#[error("{whose}: the variable {variable} is not set, or not UTF-8")]
pub struct NoPassword {
    whose: String,
    variable: String,
}

impl NoPassword {
    pub(crate) fn new(whose: String, variable: String) -> NoPassword {
        NoPassword { whose, variable }
    }
}

/// What does not fit together.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A password is not where it should be.
    #[error(transparent)]
    NoPassword(#[from] NoPassword),
    /// What should be a PIN is none.
    #[error("{0}: {2}; in the variable {1} is something else")]
    BadPin(String, String, sip::access::BadPin),
    /// A route names a trunk that is not there, or that calls cannot go to.
    #[error("a route names the trunk {0}, which is not there or has no proxy")]
    NoTrunk(String),
    /// An emergency number is none.
    #[error("emergency = [{0:?}] is no number, such as 112")]
    NoNumber(String),
    /// No trunk takes emergency calls.
    #[error("[access] has emergency numbers, and no trunk with a proxy says emergency = true")]
    NoHelp,
    /// A route leads to somebody who is no user, and so nowhere.
    #[error("the route {0} leads to the user {1}, and there is no [users.{1}]")]
    NoUser(String, String),
    /// A user's calls are bounded by what they cost, and of a trunk's nobody knows.
    #[error("the user {0} has spend_per_day, and the trunk {1} no prices")]
    NoPrices(String, String),
}

/// Puts the tables together; gives also what is agreed on with each trunk. `variable` looks up a
/// variable of the environment.
pub(crate) fn access(
    table: AccessTable,
    (users, trunks): (BTreeMap<String, User>, BTreeMap<String, TrunkTable>),
    routes: Vec<RouteLine>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(Access, BTreeMap<String, TrunkAudio>), AccessError> {
    let plain = users.is_empty() && routes.is_empty() && trunks.is_empty();
    let (trunks, audio) = crate::trunks::trunks(trunks, &variable)?;
    let AccessTable { realm, md5, trusted, emergency } = table;
    let trusted = match trusted {
        Some(named) => named.into_iter().map(|NetworkText(network)| network).collect(),
        None if plain => Network::loopback().to_vec(),
        None => Vec::new(),
    };
    let bounded = users.iter().filter(|(_, user)| user.calls_out != CallsOut::default());
    let calls_out = bounded.map(|(name, user)| (name.clone(), user.calls_out)).collect();
    let mut kept = BTreeMap::new();
    for (name, User { md5, sha256, password_env, srtp: _, calls_out: _ }) in users {
        let secrets = match password_env {
            None => Secrets { md5, sha256 },
            Some(at) => match variable(&at) {
                Some(password) => Secrets::of(&name, &realm, &password),
                None => return Err(NoPassword::new(format!("user {name}"), at).into()),
            },
        };
        kept.insert(name, secrets);
    }
    let routes = routes.into_iter().map(|line| line.with_pin(&variable));
    let routes = routes.collect::<Result<Vec<Route>, AccessError>>()?;
    let access = Access { realm, md5, users: kept, calls_out, trunks, trusted, routes, emergency };
    let takes_any = |trunk: &Trunk| trunk.emergency && trunk.proxy.is_some();
    if let Some(number) = access.emergency.iter().find(|number| !is_number(number)) {
        return Err(AccessError::NoNumber(number.clone()));
    }
    if !access.emergency.is_empty() && !access.trunks.values().any(takes_any) {
        return Err(AccessError::NoHelp);
    }
    if let Some(missing) = access.routes.iter().find_map(|route| missing_trunk(&access, route)) {
        return Err(AccessError::NoTrunk(missing.to_owned()));
    }
    let mut bounded = access.calls_out.iter().filter(|(_, most)| most.spend_per_day.is_some());
    if let Some((user, _)) = bounded.next() {
        let has_none =
            |(_, trunk): &(&String, &Trunk)| trunk.proxy.is_some() && trunk.prices.is_empty();
        if let Some((trunk, _)) = access.trunks.iter().find(has_none) {
            return Err(AccessError::NoPrices(user.clone(), trunk.clone()));
        }
    }
    for route in &access.routes {
        if let Target::User(template) = &route.to
            && let Some(user) = template.constant()
            && !access.users.contains_key(&user)
        {
            return Err(AccessError::NoUser(route.pattern.to_string(), user));
        }
    }
    Ok((access, audio))
}

/// A trunk that a route names in vain.
fn missing_trunk<'r>(access: &Access, route: &'r Route) -> Option<&'r str> {
    let to: &[Choice] = match &route.to {
        Target::Number(choices, _) => choices,
        Target::Conference(_) | Target::Lobby(..) | Target::User(_) => &[],
    };
    let takes_calls = |name: &str| access.trunks.get(name).is_some_and(|one| one.proxy.is_some());
    let from = match &route.from {
        From::Trunk(name) => Some(name.as_str()).filter(|name| !access.trunks.contains_key(*name)),
        From::Any | From::User => None,
    };
    to.iter().map(|choice| choice.trunk.as_str()).find(|name| !takes_calls(name)).or(from)
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
        trunks: BTreeMap<String, TrunkTable>,
        #[serde(default)]
        routes: Vec<RouteLine>,
    }

    fn read(text: &str) -> Result<Access, String> {
        let file: File = toml::from_str(text).map_err(|wrong| wrong.to_string())?;
        let variable = |name: &str| match name {
            "SECRET" => Some("wonder".to_owned()),
            "PIN" => Some("4711".to_owned()),
            _ => None,
        };
        let File { access: table, users, trunks, routes } = file;
        let read = access(table, (users, trunks), routes, variable);
        read.map(|(access, _)| access).map_err(|wrong| wrong.to_string())
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
    fn numbers_outside_are_reached_by_users_and_trunks_only_as_routes_say() {
        let trunk = "[trunks.carrier]\nproxy = \"sip:gw\"\nsources = [\"192.0.2.1\"]\n";
        let route = "[[routes]]\nmatch = \"0%\"\nnumber = \"+49$1\"\n\
                     trunks = [\"carrier\", { name = \"carrier\", weight = 3 }]\n";
        let access = read(&format!("{trunk}{route}")).unwrap();
        let (alice, carrier) = (Origin::User("alice".into()), Origin::Trunk("carrier".into()));
        let choice = |priority, weight| Choice { trunk: "carrier".to_owned(), priority, weight };
        let choices = vec![choice(0, 1), choice(1, 3)];
        let out = Destination::Number { choices, number: "+49301".to_owned() };
        assert_eq!(access.route(&alice, "0301"), Ok(out));
        assert!(access.route(&carrier, "0301").is_err(), "nothing goes round");
        assert!(access.route(&Origin::Stranger, "0301").is_err());
        assert!(access.trusted.is_empty());
        let told = read(route).unwrap_err();
        assert!(told.contains("trunk carrier"), "{told}");
        let told = read(&format!("{trunk}{route}open = true")).unwrap_err();
        assert!(told.contains("not open to strangers"), "{told}");
        let told = read("[[routes]]\nmatch = \"*\"\nnumber = \"1\"").unwrap_err();
        assert!(told.contains("has trunks"), "{told}");
    }

    #[test]
    fn emergency_numbers_are_numbers_and_want_a_trunk_that_takes_them() {
        let access = "[access]\nemergency = [\"112\"]\n";
        let trunk = "[trunks.carrier]\nproxy = \"sip:gw\"\n";
        assert!(read(access).unwrap_err().contains("says emergency = true"));
        assert!(read(&format!("{access}{trunk}")).unwrap_err().contains("says emergency = true"));
        let ready = read(&format!("{access}{trunk}emergency = true\n")).unwrap();
        let alice = Origin::User("alice".into());
        let way = ready.route(&alice, "112").unwrap();
        assert!(matches!(way, Destination::Number { number, .. } if number == "112"));
        let told = read("[access]\nemergency = [\"help\"]\n").unwrap_err();
        assert!(told.contains("no number"), "{told}");
    }

    #[test]
    fn who_may_spend_so_much_needs_trunks_whose_prices_are_known() {
        let user = "[users.a]\npassword_env = \"SECRET\"\nspend_per_day = 20\n";
        let trunk = "[trunks.carrier]\nproxy = \"sip:gw\"\n";
        let told = read(&format!("{user}{trunk}")).unwrap_err();
        assert!(told.contains("user a") && told.contains("carrier no prices"), "{told}");
        let access = read(&format!("{user}{trunk}prices = [[\"+%\", 0.5]]")).unwrap();
        assert_eq!(access.calls_out["a"].spend_per_day, Some(Cost::try_from(20.0).unwrap()));
        let told = read(&user.replace("20", "-1")).unwrap_err();
        assert!(told.contains("spend_per_day: an amount of money"), "{told}");
    }

    #[test]
    fn a_route_to_a_user_by_name_wants_that_user() {
        let route = "[[routes]]\nmatch = \"0\"\nuser = \"bob\"\n";
        let told = read(route).unwrap_err();
        assert!(told.contains("route 0") && told.contains("[users.bob]"), "{told}");
        assert!(read(&format!("[users.bob]\npassword_env = \"SECRET\"\n{route}")).is_ok());
        // Of whom it captures it is known only when it is dialled.
        assert!(read("[[routes]]\nmatch = \"*\"\nuser = \"$1\"\n").is_ok());
    }

    #[test]
    fn a_route_may_want_a_pin_and_be_open() {
        let route = "[[routes]]\nmatch = \"900\"\nconference = \"desk\"\nopen = true\n";
        let access = read(&format!("{route}pin_env = \"PIN\"")).unwrap();
        let way = access.route(&Origin::Stranger, "900").unwrap();
        let Destination::Lobby { conference, pin } = &way else { panic!("{way:?}") };
        assert!(conference == "desk" && pin.fits("4711"));
        assert!(!format!("{access:?}{way:?}").contains("4711"));
        let told = read(&format!("{route}pin_env = \"NONE\"")).unwrap_err();
        assert!(told.contains("route 900") && told.contains("NONE"), "{told}");
        let told = read(&format!("{route}pin_env = \"SECRET\"")).unwrap_err();
        assert!(told.contains("4 to 12 digits") && !told.contains("wonder"), "{told}");
        let told = read("[[routes]]\nmatch = \"*\"\nuser = \"$1\"\npin_env = \"PIN\"").unwrap_err();
        assert!(told.contains("into a conference"), "{told}");
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

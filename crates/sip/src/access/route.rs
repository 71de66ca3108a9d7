//! Routes: who reaches what by which name.

use super::pattern::{Pattern, Template};
use super::{Access, Origin, Pin, Urgency};

/// One line of the table of routes.
#[derive(Clone, Debug)]
pub struct Route {
    /// For whom.
    pub from: From,
    /// For which names, or numbers.
    pub pattern: Pattern,
    /// Where to.
    pub to: Target,
    /// Whether strangers may come this way too.
    pub open: bool,
}

/// Whom a route is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum From {
    /// Everybody whom the table lets in.
    Any,
    /// Users that have shown their password, and trusted hosts.
    User,
    /// That trunk.
    Trunk(String),
}

/// Where a route leads, with holes for what its pattern captures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// Into a conference.
    Conference(Template),
    /// Into a conference, for who types this PIN.
    Lobby(Template, Pin),
    /// To a user's phones. A name that is no user's is left to the next route.
    User(Template),
    /// Out by one of these trunks, to that number. What comes from a trunk goes out again only by a
    /// route that names it.
    Number(Vec<Choice>, Template),
}

/// One of the trunks that a number can be called by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// Its name.
    pub trunk: String,
    /// The lowest is tried first (RFC 2782).
    pub priority: u16,
    /// Of those with one priority, it comes first that often in proportion.
    pub weight: u32,
}

/// Where a call goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    /// Into the conference of that name.
    Conference(String),
    /// Into that conference, once the PIN was typed.
    Lobby {
        /// Its name.
        conference: String,
        /// What must be typed.
        pin: Pin,
    },
    /// To the phones of that user.
    User(String),
    /// Out to a number.
    Number {
        /// The trunks that it can be called by.
        choices: Vec<Choice>,
        /// The number, as it is written here.
        number: String,
    },
}

/// Why a call goes nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denied {
    /// Who asks has to show who it is. Said to every stranger that no open route lets in, whether
    /// or not there is what it asks for.
    Unknown,
    /// There is no route for who asks by that name.
    NoRoute,
}

impl Access {
    /// Where somebody gets by dialling a name here. It is asked for a call that comes in, and for
    /// every other way of having a call made: REFER, redirection, an invitation by API.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn route(&self, origin: &Origin, name: &str) -> Result<Destination, Denied> {
        let name = &match origin {
            Origin::Trunk(trunk) => {
                let trunk = self.trunks.get(trunk);
                trunk.map_or_else(|| name.to_owned(), |trunk| trunk.written_here(name))
            }
            Origin::Stranger | Origin::Trusted | Origin::User(_) => name.to_owned(),
        };
        let found = self.routes.iter().find_map(|route| self.follow(route, origin, name));
        let found = match found {
            Some(to) if self.urgency(&to) == Urgency::Emergency => Some(self.also_by_help(to)),
            // No other route takes what somebody dials who needs help.
            other => self.help(origin, name).or(other),
        };
        let found = match found {
            None if self.routes.is_empty() => self.without_routes(origin, name),
            other => other,
        };
        found.ok_or(match origin {
            Origin::Stranger => Denied::Unknown,
            Origin::Trusted | Origin::User(_) | Origin::Trunk(_) => Denied::NoRoute,
        })
    }

    /// An emergency number is reached without a route, too, but not by who is not known, and not
    /// by whom a trunk sends.
    fn help(&self, origin: &Origin, name: &str) -> Option<Destination> {
        let may_call_out = match origin {
            Origin::Trusted | Origin::User(_) => true,
            Origin::Stranger | Origin::Trunk(_) => false,
        };
        let number = self.emergency.get(name).filter(|_| may_call_out)?.clone();
        Some(self.also_by_help(Destination::Number { choices: Vec::new(), number }))
    }

    /// The same, with all trunks for emergency calls behind its own.
    fn also_by_help(&self, mut to: Destination) -> Destination {
        if let Destination::Number { choices, .. } = &mut to {
            for (name, _) in self.trunks.iter().filter(|(_, trunk)| trunk.emergency) {
                if !choices.iter().any(|choice| choice.trunk == *name) {
                    choices.push(Choice { trunk: name.clone(), priority: u16::MAX, weight: 1 });
                }
            }
        }
        to
    }

    /// Where one route leads, if it is for that origin and name.
    fn follow(&self, route: &Route, origin: &Origin, name: &str) -> Option<Destination> {
        let leads_out = matches!(route.to, Target::Number(..));
        let lets_in = match (&route.from, origin) {
            (From::Any, Origin::Stranger) => route.open && !leads_out,
            (From::User | From::Trunk(_), Origin::Stranger) => false,
            (From::Any | From::User, Origin::Trusted | Origin::User(_)) => true,
            (From::Any, Origin::Trunk(_)) => !leads_out,
            (From::Trunk(named), Origin::Trunk(name)) => named == name,
            (From::Trunk(_), Origin::Trusted | Origin::User(_))
            | (From::User, Origin::Trunk(_)) => false,
        };
        if !lets_in {
            return None;
        }
        let captures = route.pattern.captures(name)?;
        match &route.to {
            Target::Conference(template) => Some(Destination::Conference(template.fill(&captures))),
            Target::Lobby(template, pin) => {
                let (conference, pin) = (template.fill(&captures), pin.clone());
                Some(Destination::Lobby { conference, pin })
            }
            Target::User(template) => {
                let user = template.fill(&captures);
                self.users.contains_key(&user).then_some(Destination::User(user))
            }
            Target::Number(choices, template) => {
                let (choices, number) = (choices.clone(), template.fill(&captures));
                Some(Destination::Number { choices, number })
            }
        }
    }

    /// Without a table, a name is a user's or a conference's, and strangers stay outside.
    fn without_routes(&self, origin: &Origin, name: &str) -> Option<Destination> {
        let name = name.to_owned();
        match (origin, self.users.contains_key(&name)) {
            (Origin::Stranger, _) => None,
            (Origin::Trusted | Origin::User(_) | Origin::Trunk(_), true) => {
                Some(Destination::User(name))
            }
            (Origin::Trusted | Origin::User(_) | Origin::Trunk(_), false) => {
                Some(Destination::Conference(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Secrets;

    fn route(from: From, pattern: &str, to: fn(Template) -> Target, at: &str, open: bool) -> Route {
        let pattern: Pattern = pattern.parse().unwrap();
        let to = to(Template::parse(at, &pattern).unwrap());
        Route { from, pattern, to, open }
    }

    fn access(routes: Vec<Route>) -> Access {
        let users = [("alice".to_owned(), Secrets::default())].into();
        Access { routes, users, ..Access::local() }
    }

    fn grid(access: &Access, names: &[&str]) -> String {
        let origins = [Origin::Stranger, Origin::Trusted, Origin::User("alice".into())];
        let mut text = String::new();
        for name in names {
            for origin in &origins {
                let way = access.route(origin, name);
                text.push_str(&format!("{name:8} {origin:?}: {way:?}\n"));
            }
        }
        text
    }

    #[test]
    fn without_a_table_names_are_users_or_conferences_and_strangers_stay_outside() {
        insta::assert_snapshot!(grid(&access(vec![]), &["alice", "standup"]), @r#"
        alice    Stranger: Err(Unknown)
        alice    Trusted: Ok(User("alice"))
        alice    User("alice"): Ok(User("alice"))
        standup  Stranger: Err(Unknown)
        standup  Trusted: Ok(Conference("standup"))
        standup  User("alice"): Ok(Conference("standup"))
        "#);
    }

    #[test]
    fn the_first_route_that_fits_counts_and_strangers_take_open_ones_only() {
        let access = access(vec![
            route(From::User, "private-*", Target::Conference, "p-$1", false),
            route(From::Any, "*", Target::User, "$1", false),
            route(From::Any, "open-*", Target::Conference, "$1", true),
            route(From::Any, "9%", Target::Conference, "room$1", false),
        ]);
        let names = ["private-a", "alice", "open-b", "900", "bob"];
        insta::assert_snapshot!(grid(&access, &names), @r#"
        private-a Stranger: Err(Unknown)
        private-a Trusted: Ok(Conference("p-a"))
        private-a User("alice"): Ok(Conference("p-a"))
        alice    Stranger: Err(Unknown)
        alice    Trusted: Ok(User("alice"))
        alice    User("alice"): Ok(User("alice"))
        open-b   Stranger: Ok(Conference("b"))
        open-b   Trusted: Ok(Conference("b"))
        open-b   User("alice"): Ok(Conference("b"))
        900      Stranger: Err(Unknown)
        900      Trusted: Ok(Conference("room00"))
        900      User("alice"): Ok(Conference("room00"))
        bob      Stranger: Err(Unknown)
        bob      Trusted: Err(NoRoute)
        bob      User("alice"): Err(NoRoute)
        "#);
    }
}

//! Trunks: other SIP systems that calls come from and go to.

use std::time::Duration;

use super::cost::Cost;
use super::network::Network;
use super::pattern::{Pattern, Template};
use crate::digest::Account;
use crate::flow::Flow;
use crate::message::{HeaderName, SipUri, TelUri, Uri};

/// Another SIP system: a PSTN gateway, a carrier, a PBX.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// Where its requests come from; a port that is named must be the source's.
    pub sources: Vec<(Network, Option<u16>)>,
    /// The user whose password its requests may show instead.
    pub user: Option<String>,
    /// Where calls to it go; without it none do.
    pub proxy: Option<SipUri>,
    /// How a number is written in the Request-URI.
    pub scheme: NumberScheme,
    /// Our account with it, shown if it asks.
    pub account: Option<Account>,
    /// Whether every call to an emergency number may go to it.
    pub emergency: bool,
    /// Whether it believes us, and we believe it, who calls (RFC 3325 §3).
    pub trusted: bool,
    /// Who calls, where the one who does has no number.
    pub caller: Option<String>,
    /// How the numbers that it sends are written here; the first that fits counts.
    pub inbound: Vec<Rewrite>,
    /// How numbers of ours are written there; the first that fits counts.
    pub outbound: Vec<Rewrite>,
    /// What a minute of a call to it costs, by number as it is written here; the first that fits
    /// counts.
    pub prices: Vec<(Pattern, Cost)>,
    /// Which headers its calls have.
    pub headers: TrunkHeaders,
    /// Most calls with it at once, either way.
    pub calls_max: usize,
    /// Most calls with it that begin in one second, either way.
    pub calls_per_second_max: u32,
    /// How long a call waits for any response before the next trunk is tried.
    pub patience: Duration,
    /// How long it then waits for more than 100 before the next trunk is tried, if there is one.
    pub progress_within: Duration,
    /// How often it is asked whether it is there; `None` for never.
    pub probe_every: Option<Duration>,
    /// For how long our registration with it is asked for \[s\]; `None` if it wants none.
    pub register_s: Option<u32>,
}

/// How a number is written in a Request-URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NumberScheme {
    /// As the user of a `sip:` URI at the proxy.
    #[default]
    Sip,
    /// As a `tel:` URI (RFC 3966), sent to the proxy by a Route.
    Tel,
}

/// Which headers of one call's INVITE the other's has, across a trunk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrunkHeaders {
    /// What each call to it says, whoever calls.
    pub set: Vec<(HeaderName, String)>,
    /// What goes across besides [`TrunkHeaders::CARRIED`].
    pub keep: Vec<HeaderName>,
    /// What does not go across.
    pub strip: Vec<HeaderName>,
}

impl TrunkHeaders {
    /// What goes across every trunk that does not strip it: RFC 7433 §4 asks it of whoever stands
    /// between two calls.
    pub const CARRIED: [HeaderName; 1] = [HeaderName::UserToUser];

    /// Whether a header goes across.
    #[must_use]
    pub fn carries(&self, name: &HeaderName) -> bool {
        let named = |names: &[HeaderName]| names.contains(name);
        (named(&Self::CARRIED) || named(&self.keep)) && !named(&self.strip)
    }
}

/// Whether a header says who calls, which is nothing to hand on unseen (RFC 3323, RFC 3325).
#[must_use]
pub fn is_of_trust(name: &HeaderName) -> bool {
    [HeaderName::PAssertedIdentity, HeaderName::PPreferredIdentity, HeaderName::Privacy]
        .contains(name)
}

/// Another way to write a number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rewrite {
    /// Which numbers.
    pub pattern: Pattern,
    /// How they are written.
    pub to: Template,
}

impl Trunk {
    /// A trunk that nothing is known of but where calls to it go.
    #[must_use]
    pub fn at(proxy: Option<SipUri>) -> Trunk {
        Trunk {
            sources: Vec::new(),
            user: None,
            proxy,
            scheme: NumberScheme::Sip,
            account: None,
            emergency: false,
            trusted: false,
            caller: None,
            inbound: Vec::new(),
            outbound: Vec::new(),
            prices: Vec::new(),
            headers: TrunkHeaders::default(),
            calls_max: crate::limits::TRUNK_CALLS,
            calls_per_second_max: crate::limits::TRUNK_CALLS_PER_SECOND,
            patience: crate::limits::TRUNK_PATIENCE,
            progress_within: crate::limits::TRUNK_PROGRESS_WITHIN,
            probe_every: Some(crate::limits::TRUNK_PROBED_EVERY),
            register_s: None,
        }
    }

    /// Whether a request that came along that way is from it.
    #[must_use]
    pub fn sends_from(&self, flow: &Flow) -> bool {
        self.sources.iter().any(|(network, port)| {
            network.contains(flow.remote.ip()) && port.is_none_or(|port| port == flow.remote.port())
        })
    }

    /// Whom a call to that number calls, and the Route that it takes if the address does not tell;
    /// `None` if no calls go there.
    #[must_use]
    pub fn address(&self, number: &str) -> Option<(Uri, Option<Uri>)> {
        let proxy = self.proxy.clone()?;
        let number = self.written_there(number);
        match self.scheme {
            NumberScheme::Tel if is_number(&number) => {
                let mut route = proxy;
                route.params.set("lr", None);
                let to = Uri::Tel(TelUri { number, params: Default::default() });
                Some((to, Some(Uri::Sip(route))))
            }
            NumberScheme::Sip | NumberScheme::Tel => {
                Some((Uri::Sip(SipUri { user: Some(number), ..proxy }), None))
            }
        }
    }

    /// What each minute of a call to that number costs that is begun; `None` where no price is
    /// named.
    #[must_use]
    pub fn price(&self, number: &str) -> Option<Cost> {
        let fits = |(pattern, _): &&(Pattern, Cost)| pattern.captures(number).is_some();
        self.prices.iter().find(fits).map(|(_, price)| *price)
    }

    /// A number of ours as the trunk writes it.
    #[must_use]
    pub fn written_there(&self, number: &str) -> String {
        rewritten(&self.outbound, number)
    }

    /// A number of the trunk's as it is written here.
    #[must_use]
    pub fn written_here(&self, number: &str) -> String {
        rewritten(&self.inbound, number)
    }
}

/// Whether a text can be dialled on a telephone, perhaps with a plus sign before it.
#[must_use]
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || b"*#".contains(&byte))
}

/// A number as the first rule that fits writes it; as it is if none does.
fn rewritten(rules: &[Rewrite], number: &str) -> String {
    let fits = |rule: &Rewrite| Some(rule.to.fill(&rule.pattern.captures(number)?));
    rules.iter().find_map(fits).unwrap_or_else(|| number.to_owned())
}

/// The dialled name or number of an address. Separators in a telephone number are for people only
/// (RFC 3966 §5.1.1), and a local number is one only together with its context (§5.1.4).
#[must_use]
pub fn dialled(target: &Uri) -> String {
    match target {
        Uri::Tel(tel) => digits_of(tel),
        Uri::Sip(sip) => telephone(sip)
            .as_ref()
            .map_or_else(|| target.user().unwrap_or("").to_owned(), digits_of),
        Uri::Other(_) => String::new(),
    }
}

/// The telephone number that a SIP URI stands for (RFC 3261 §19.1.6): where it says so, or where
/// parameters follow a number, as those of number portability do (RFC 4694).
fn telephone(sip: &SipUri) -> Option<TelUri> {
    let user = sip.user.as_deref()?;
    let is_said = sip.params.value("user").is_some_and(|kind| kind.eq_ignore_ascii_case("phone"));
    let has_params = user.split_once(';').is_some_and(|(number, _)| is_number(number));
    match format!("tel:{user}").parse() {
        Ok(Uri::Tel(tel)) if is_said || has_params => Some(tel),
        Ok(Uri::Tel(_) | Uri::Sip(_) | Uri::Other(_)) | Err(_) => None,
    }
}

fn digits_of(tel: &TelUri) -> String {
    let digits = tel.number.chars().filter(|sign| !"-.()".contains(*sign));
    let context = tel.params.value("phone-context").filter(|text| text.starts_with('+'));
    let context = context.filter(|_| !tel.number.starts_with('+')).unwrap_or("");
    context.chars().filter(|sign| !"-.()".contains(*sign)).chain(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(rules: &[(&str, &str)]) -> Vec<Rewrite> {
        let rule = |(pattern, to): &(&str, &str)| {
            let pattern: Pattern = pattern.parse().unwrap();
            let to = Template::parse(to, &pattern).unwrap();
            Rewrite { pattern, to }
        };
        rules.iter().map(rule).collect()
    }

    fn trunk() -> Trunk {
        let proxy = match "sip:gw.example:5070;transport=tcp".parse() {
            Ok(Uri::Sip(uri)) => Some(uri),
            other => panic!("{other:?}"),
        };
        let inbound = rules(&[("00%", "+$1"), ("0%", "+49$1"), ("%", "+4930$1")]);
        let outbound = rules(&[("+49%", "0$1"), ("+%", "00$1")]);
        Trunk { inbound, outbound, ..Trunk::at(proxy) }
    }

    #[test]
    fn numbers_are_written_in_e164_here_and_as_the_trunk_likes_there() {
        for (dialled, written) in
            [("00441234", "+441234"), ("0891234", "+49891234"), ("5678", "+49305678"), ("x", "x")]
        {
            assert_eq!(trunk().written_here(dialled), written);
        }
        let address = |number: &str| trunk().address(number).unwrap().0.to_string();
        assert_eq!(address("+4930123"), "sip:030123@gw.example:5070;transport=tcp");
        assert_eq!(address("+44123"), "sip:0044123@gw.example:5070;transport=tcp");
    }

    #[test]
    fn a_trunk_that_likes_telephone_uris_gets_them_by_a_route() {
        let trunk = Trunk { scheme: NumberScheme::Tel, outbound: Vec::new(), ..trunk() };
        let (to, route) = trunk.address("+4930123").unwrap();
        assert_eq!(to.to_string(), "tel:+4930123");
        assert_eq!(route.unwrap().to_string(), "sip:gw.example:5070;transport=tcp;lr");
        let (to, route) = trunk.address("alice").unwrap();
        assert_eq!(to.to_string(), "sip:alice@gw.example:5070;transport=tcp", "no number");
        assert_eq!(route, None);
    }

    #[test]
    fn a_telephone_uri_is_a_number_without_what_is_for_people() {
        for (uri, number) in [
            ("tel:+49-30-(12)34.5", "+493012345"),
            ("tel:7042;phone-context=+49-30", "+49307042"),
            ("tel:7042;phone-context=example.com", "7042"),
            ("sip:+12125551212;npdi;rn=+12125550000@x;user=phone", "+12125551212"),
            ("sip:+1-212-555@x;user=phone", "+1212555"),
            ("sip:7042;phone-context=+49-30@x;user=phone", "+49307042"),
            ("sip:+4930123;isub=1@x", "+4930123"),
            ("sip:a;b@x", "a;b"),
            ("sip:a-b@x", "a-b"),
            ("sip:x", ""),
        ] {
            assert_eq!(dialled(&uri.parse().unwrap()), number);
        }
    }

    #[test]
    fn a_header_goes_across_if_it_is_kept_and_not_stripped() {
        let (uui, own) = (HeaderName::UserToUser, HeaderName::Other("X-Own".into()));
        let plain = TrunkHeaders::default();
        assert!(plain.carries(&uui) && !plain.carries(&own));
        let other = TrunkHeaders { keep: vec![own.clone()], strip: vec![uui.clone()], ..plain };
        assert!(!other.carries(&uui) && other.carries(&own));
    }
}

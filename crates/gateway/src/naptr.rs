//! By which transports a domain wants to be reached (RFC 3263 §4.1), as its NAPTR records
//! (RFC 3403) say.

use sip::Transport;

/// One NAPTR record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Lower ones come first, whatever is preferred.
    pub(crate) order: u16,
    /// Among equals, lower ones are preferred.
    pub(crate) preference: u16,
    /// `s` says that the replacement is to be asked for SRV.
    pub(crate) flags: String,
    /// Such as `SIP+D2U`.
    pub(crate) service: String,
    pub(crate) replacement: String,
}

impl Rule {
    /// The transport that it is for.
    fn transport(&self) -> Option<Transport> {
        let services = [
            ("SIP+D2U", Transport::Udp),
            ("SIP+D2T", Transport::Tcp),
            ("SIPS+D2T", Transport::Tls),
        ];
        let known = services.iter().find(|(name, _)| name.eq_ignore_ascii_case(&self.service));
        known.map(|(_, transport)| *transport).filter(|_| self.flags.eq_ignore_ascii_case("s"))
    }
}

/// The transports of a domain that can be used, as it prefers them, each with the name that is to
/// be asked for SRV.
pub(crate) fn choose(mut rules: Vec<Rule>, usable: &[Transport]) -> Vec<(Transport, String)> {
    rules.sort_by_key(|rule| (rule.order, rule.preference));
    let chosen = rules.into_iter().filter_map(|rule| {
        let transport = rule.transport().filter(|transport| usable.contains(transport))?;
        Some((transport, rule.replacement))
    });
    chosen.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(order: u16, preference: u16, (flags, service): (&str, &str)) -> Rule {
        let replacement = format!("{service}.example.");
        Rule { order, preference, flags: flags.into(), service: service.into(), replacement }
    }

    /// RFC 3263 §4.1's example: TLS first, then TCP, then UDP.
    #[test]
    fn the_domain_prefers_and_the_client_takes_what_it_can() {
        let rules = vec![
            rule(90, 50, ("s", "SIP+D2T")),
            rule(100, 50, ("s", "SIP+D2U")),
            rule(50, 50, ("s", "SIPS+D2T")),
        ];
        let chosen = |usable: &[Transport]| {
            let chosen = choose(rules.clone(), usable).into_iter();
            chosen.map(|(transport, _)| transport).collect::<Vec<_>>()
        };
        let [udp, tcp, tls] = [Transport::Udp, Transport::Tcp, Transport::Tls];
        assert_eq!(chosen(&[udp, tcp, tls]), [tls, tcp, udp]);
        assert_eq!(chosen(&[udp, tcp]), [tcp, udp]);
        assert_eq!(chosen(&[tls]), [tls]);
        assert_eq!(chosen(&[]), []);
    }

    #[test]
    fn order_counts_before_preference_and_what_is_not_understood_is_passed_over() {
        let rules = vec![
            rule(10, 1, ("s", "SIP+D2S")),
            rule(10, 2, ("u", "SIP+D2U")),
            rule(20, 9, ("S", "sip+d2u")),
            rule(20, 8, ("s", "SIP+D2T")),
            rule(15, 99, ("s", "SIP+D2U")),
        ];
        let chosen = choose(rules, &[Transport::Udp, Transport::Tcp]);
        let names: Vec<_> = chosen.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["SIP+D2U.example.", "SIP+D2T.example.", "sip+d2u.example."]);
    }
}

//! Trunks, as a configuration says it: `[trunks.NAME]`.

use std::collections::BTreeMap;
use std::time::Duration;

use model::SrtpPolicy;
use serde::Deserialize;
use sip::access::{
    Cost, NoCost, NumberScheme, Pattern, PatternError, Rewrite, Template, Trunk, TrunkHeaders,
    is_number, is_of_trust,
};
use sip::digest::{Account, Password};
use sip::limits::{ANSWER_WAIT_MAX, REGISTER_S_MAX};
use sip::message::{ExtraHeaders, HeaderName, SipUri, Uri};
use switchboard::{KeyKind, TrunkAudio};
use wire::sdp::Encoding;

use crate::access::{NetworkText, NoPassword};

/// One of `[trunks]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "TrunkText")]
pub struct TrunkTable {
    trunk: Trunk,
    audio: TrunkAudio,
    account: Option<AccountText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrunkText {
    /// Networks that its requests come from …
    #[serde(default)]
    sources: Vec<NetworkText>,
    /// … and from which port, if from one only.
    source_port: Option<u16>,
    /// The user whose password its requests show instead.
    user: Option<String>,
    /// Where calls to it go, a SIP URI without user.
    proxy: Option<String>,
    #[serde(default)]
    uri: UriText,
    account: Option<AccountText>,
    /// Whether every call to an emergency number may go to it.
    #[serde(default)]
    emergency: bool,
    /// Whether it believes us, and we believe it, who calls.
    #[serde(default)]
    trusted: bool,
    /// Who calls, where the one who does has no number.
    caller: Option<String>,
    /// Pattern and template, each.
    #[serde(default)]
    inbound: Vec<(String, String)>,
    #[serde(default)]
    outbound: Vec<(String, String)>,
    /// Pattern of a number of ours, and what a minute costs.
    #[serde(default)]
    prices: Vec<(String, f64)>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    keep: Vec<String>,
    #[serde(default)]
    strip: Vec<String>,
    #[serde(default)]
    codecs: Vec<CodecText>,
    #[serde(default)]
    dtmf: DtmfText,
    srtp: Option<SrtpPolicy>,
    calls_max: Option<usize>,
    calls_per_second_max: Option<u32>,
    patience_s: Option<u16>,
    /// How long it may stay at 100 before the next is tried; 0 for as long as any call waits.
    trying_s: Option<u16>,
    /// How often it is asked whether it is there; 0 for never.
    probe_s: Option<u16>,
    /// For how long our account is registered with it; left out, it is not.
    register_s: Option<u32>,
}

/// How a number is written in the Request-URI.
#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum UriText {
    #[default]
    Sip,
    Tel,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CodecText {
    Opus,
    G722,
    Pcmu,
    Pcma,
}

/// How keys go there.
#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DtmfText {
    #[default]
    Rfc4733,
    Info,
    Inband,
}

/// Our account with a trunk.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountText {
    user: String,
    /// The variable that holds the password.
    password_env: String,
    realm: Option<String>,
}

impl TryFrom<TrunkText> for TrunkTable {
    type Error = String;
    fn try_from(text: TrunkText) -> Result<TrunkTable, String> {
        let proxy = text.proxy.as_deref().map(proxy).transpose()?;
        if text.sources.is_empty() && text.user.is_none() && proxy.is_none() {
            return Err("a trunk has sources or a user, a proxy, or both".to_owned());
        }
        if let Some(caller) = text.caller.as_ref().filter(|caller| !is_number(caller)) {
            return Err(format!("caller is a number such as +4930123, not {caller:?}"));
        }
        if text.register_s.is_some() && (text.account.is_none() || proxy.is_none()) {
            return Err("to be registered with a trunk takes its proxy and our account".to_owned());
        }
        if text.register_s.is_some_and(|s| !(60..=REGISTER_S_MAX).contains(&s)) {
            return Err(format!("register_s is 60 to {REGISTER_S_MAX}"));
        }
        let port = text.source_port;
        let plain = Trunk::at(proxy);
        let trunk = Trunk {
            sources: text.sources.into_iter().map(|NetworkText(network)| (network, port)).collect(),
            user: text.user,
            scheme: match text.uri {
                UriText::Sip => NumberScheme::Sip,
                UriText::Tel => NumberScheme::Tel,
            },
            emergency: text.emergency,
            trusted: text.trusted,
            caller: text.caller,
            inbound: rewrites(&text.inbound)?,
            outbound: rewrites(&text.outbound)?,
            prices: prices(&text.prices)?,
            headers: TrunkHeaders {
                set: headers(text.headers)?,
                keep: names(&text.keep)?,
                strip: names(&text.strip)?,
            },
            calls_max: text.calls_max.unwrap_or(plain.calls_max),
            calls_per_second_max: text.calls_per_second_max.unwrap_or(plain.calls_per_second_max),
            probe_every: match text.probe_s {
                None => plain.probe_every,
                Some(0) => None,
                Some(s) => Some(Duration::from_secs(s.into())),
            },
            register_s: text.register_s,
            patience: text.patience_s.map_or(plain.patience, |s| Duration::from_secs(s.into())),
            progress_within: match text.trying_s {
                None => plain.progress_within,
                Some(0) => ANSWER_WAIT_MAX,
                Some(s) => Duration::from_secs(s.into()),
            },
            ..plain
        };
        let audio = TrunkAudio {
            codecs: text.codecs.into_iter().map(encoding).collect(),
            keys: match text.dtmf {
                DtmfText::Rfc4733 => KeyKind::Events,
                DtmfText::Info => KeyKind::Info,
                DtmfText::Inband => KeyKind::Tones,
            },
            srtp: text.srtp,
        };
        Ok(TrunkTable { trunk, audio, account: text.account })
    }
}

fn encoding(codec: CodecText) -> Encoding {
    match codec {
        CodecText::Opus => Encoding::Opus,
        CodecText::G722 => Encoding::G722,
        CodecText::Pcmu => Encoding::Pcmu,
        CodecText::Pcma => Encoding::Pcma,
    }
}

fn proxy(text: &str) -> Result<SipUri, String> {
    match text.parse() {
        Ok(Uri::Sip(uri)) if uri.user.is_none() => Ok(uri),
        _ => Err(format!("{text:?} is not a SIP URI without user, such as sip:gw.example:5060")),
    }
}

fn rewrites(rules: &[(String, String)]) -> Result<Vec<Rewrite>, String> {
    let rewrite = |(pattern, to): &(String, String)| {
        let pattern: Pattern = pattern.parse()?;
        let to = Template::parse(to, &pattern)?;
        Ok(Rewrite { pattern, to })
    };
    let rules: Result<_, PatternError> = rules.iter().map(rewrite).collect();
    rules.map_err(|wrong| wrong.to_string())
}

fn prices(list: &[(String, f64)]) -> Result<Vec<(Pattern, Cost)>, String> {
    let price = |(numbers, amount): &(String, f64)| {
        let pattern = numbers.parse().map_err(|wrong: PatternError| wrong.to_string())?;
        let cost = Cost::try_from(*amount).map_err(|wrong: NoCost| wrong.to_string())?;
        Ok((pattern, cost))
    };
    list.iter().map(price).collect()
}

fn headers(named: BTreeMap<String, String>) -> Result<Vec<(HeaderName, String)>, String> {
    let mut tried = ExtraHeaders::new();
    let mut headers = Vec::new();
    for (name, value) in named {
        let known = header(&name)?;
        tried.push(known.clone(), value.as_str()).map_err(|wrong| format!("{name}: {wrong}"))?;
        headers.push((known, value));
    }
    Ok(headers)
}

fn names(names: &[String]) -> Result<Vec<HeaderName>, String> {
    let free = |name: &String| {
        let known = header(name)?;
        let tried = ExtraHeaders::new().push(known.clone(), "");
        tried.map_err(|wrong| format!("{name}: {wrong}"))?;
        match is_of_trust(&known) {
            true => Err(format!("{name} goes across by `trusted` alone")),
            false => Ok(known),
        }
    };
    names.iter().map(free).collect()
}

fn header(name: &str) -> Result<HeaderName, String> {
    HeaderName::parse(name).ok_or_else(|| format!("{name:?} is no header's name"))
}

/// The trunks, and what is agreed on with each.
type Trunks = (BTreeMap<String, Trunk>, BTreeMap<String, TrunkAudio>);

/// Reads the passwords of our accounts.
pub(crate) fn trunks(
    tables: BTreeMap<String, TrunkTable>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Trunks, NoPassword> {
    let (mut trunks, mut audios) = (BTreeMap::new(), BTreeMap::new());
    for (name, TrunkTable { trunk, audio, account }) in tables {
        let account = account.map(|AccountText { user, password_env, realm }| {
            let password = variable(&password_env).map(Password::new);
            let missing = || NoPassword::new(format!("trunk {name}"), password_env);
            Ok(Account { user, realm, password: password.ok_or_else(missing)? })
        });
        audios.insert(name.clone(), audio);
        trunks.insert(name, Trunk { account: account.transpose()?, ..trunk });
    }
    Ok((trunks, audios))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Trunks, String> {
        let tables = toml::from_str(text).map_err(|wrong| wrong.to_string())?;
        let variable = |name: &str| (name == "SECRET").then(|| "wonder".to_owned());
        trunks(tables, variable).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn a_trunk_is_read_with_all_that_it_has() {
        let (trunks, audios) = read(
            "[carrier]\nsources = [\"192.0.2.0/24\"]\nsource_port = 5060\n\
             proxy = \"sip:gw.example:5070;transport=tcp\"\nuri = \"tel\"\ntrusted = true\n\
             account = { user = \"us\", password_env = \"SECRET\", realm = \"carrier\" }\n\
             caller = \"+4930\"\ninbound = [[\"00%\", \"+$1\"]]\noutbound = [[\"+%\", \"00$1\"]]\n\
             prices = [[\"+49%\", 0.025], [\"+%\", 3]]\n\
             headers = { X-Customer = \"4711\" }\nkeep = [\"X-Tenant\"]\n\
             strip = [\"User-to-User\"]\n\
             codecs = [\"pcma\", \"g722\"]\ndtmf = \"info\"\n\
             srtp = \"required\"\ncalls_max = 3\npatience_s = 2\ntrying_s = 7\n",
        )
        .unwrap();
        let carrier = &trunks["carrier"];
        let (address, route) = carrier.address("+49301").unwrap();
        assert_eq!(address.to_string(), "tel:0049301");
        assert_eq!(route.unwrap().to_string(), "sip:gw.example:5070;transport=tcp;lr");
        assert_eq!(carrier.account.as_ref().map(|account| account.user.as_str()), Some("us"));
        assert_eq!((carrier.calls_max, carrier.patience), (3, Duration::from_secs(2)));
        assert_eq!(carrier.progress_within, Duration::from_secs(7));
        let price = |number| carrier.price(number).map(Ok);
        assert_eq!(price("+49301"), Some(Cost::try_from(0.025)));
        assert_eq!(price("+44"), Some(Cost::try_from(3.0)));
        assert_eq!(price("112"), None);
        assert_eq!(carrier.headers.set[0].1, "4711");
        assert!(carrier.headers.carries(&HeaderName::Other("x-tenant".into())));
        let codecs = vec![Encoding::Pcma, Encoding::G722];
        let srtp = Some(SrtpPolicy::Required);
        assert_eq!(audios["carrier"], TrunkAudio { codecs, keys: KeyKind::Info, srtp });
    }

    #[test]
    fn mistakes_are_told_with_their_reason() {
        for (text, reason) in [
            ("[a]\n", "sources or a user"),
            ("[a]\nproxy = \"gw.example\"", "SIP URI without user"),
            ("[a]\nproxy = \"sip:x@gw.example\"", "SIP URI without user"),
            ("[a]\nproxy = \"sip:x\"\noutbound = [[\"%\", \"$2\"]]", "$2 is used"),
            ("[a]\nproxy = \"sip:x\"\nheaders = { Via = \"x\" }", "writes this header itself"),
            ("[a]\nproxy = \"sip:x\"\nkeep = [\"Privacy\"]", "by `trusted` alone"),
            ("[a]\nproxy = \"sip:x\"\nstrip = [\"Contact\"]", "writes this header itself"),
            ("[a]\nproxy = \"sip:x\"\nregister_s = 600", "our account"),
            ("[a]\nproxy = \"sip:x\"\ncaller = \"us\"", "+4930123"),
            ("[a]\nproxy = \"sip:x\"\nprices = [[\"%\", -1]]", "amount of money"),
            ("[a]\nproxy = \"sip:x\"\ncodecs = [\"g729\"]", "unknown variant `g729`"),
            ("[a]\nproxy = \"sip:x\"\naccount = { user = \"u\", password_env = \"NO\" }", "NO"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(reason), "{told}");
        }
    }
}

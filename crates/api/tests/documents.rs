//! What other programs read: the OpenAPI document, the metrics, the page.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fake;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use api::{Bound, Capacity, CapacityName, Grant, Keyring, TokenDigest};
use axum::http::Method;
use fake::{CONFERENCE, PARTY, RECORDING, World, event, request, text};
use model::{EventKind, LeaveReason};
use serde_json::Value;

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/api/openapi.json")
}

#[test]
fn the_committed_openapi_document_is_that_of_the_routes() {
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(fixture().parent().unwrap()).unwrap();
        fs::write(fixture(), api::document()).unwrap();
    }
    let committed = fs::read_to_string(fixture()).unwrap_or_default();
    assert!(
        committed == api::document(),
        "the API changed. If that is meant: UPDATE=1 cargo test -p api, and commit \
         fixtures/api/openapi.json with the reason"
    );
}

#[tokio::test]
async fn the_openapi_document_is_whole() {
    let (_, document) = World::empty().get("/api/v1/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 10, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut operations = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{what} has no summary");
            assert!(operations.insert(operation["operationId"].to_string()), "{what}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{what} {parameter}");
            }
        }
    }
}

fn collect_references(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name == "$ref" {
                    references.insert(member.as_str().unwrap().to_owned());
                }
                collect_references(member, references);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn every_documented_route_is_there() {
    let world = World::standup();
    let document: Value = serde_json::from_str(api::document()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path
            .replace("{conference}", "standup")
            .replace("{party}", &PARTY.to_string())
            .replace("{recording}", &RECORDING.to_string())
            .replace("{doing}", "mute");
        for method in item.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answer = world.send(request(method.clone(), &path, Some("{}"))).await;
            let (status, body) = (answer.status().as_u16(), text(answer).await);
            let absent = status == 405 || body.contains("\"not_found\"");
            assert!(!absent, "{method} {path}: {status} {body}");
        }
    }
}

/// The series of a scrape by name and labels, after a check of the format: each family has one HELP
/// and one TYPE before its samples, each series stands once, and the text ends with EOF.
fn series(scrape: &str) -> BTreeMap<String, f64> {
    let body = scrape.strip_suffix("# EOF\n").expect("OpenMetrics ends with EOF");
    let (mut helps, mut types) = (BTreeSet::new(), BTreeMap::new());
    let mut series = BTreeMap::new();
    for line in body.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(words.ends_with('.') && !words.ends_with(".."), "{line}");
            assert!(helps.insert(name.to_owned()), "twice: {line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(name.starts_with("convoke_"), "{line}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{line}");
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
        } else {
            let (id, value) = line.rsplit_once(' ').unwrap();
            let name = id.split('{').next().unwrap();
            let suffixes: &[&str] = &["", "_total", "_bucket", "_sum", "_count"];
            let family = suffixes.iter().find_map(|s| types.get_key_value(name.strip_suffix(s)?));
            let (family, kind) = family.unwrap_or_else(|| panic!("no family: {line}"));
            assert!(helps.contains(family), "no help: {line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            let value = value.parse().unwrap_or_else(|_| panic!("not a number: {line}"));
            assert!(series.insert(id.to_owned(), value).is_none(), "twice: {line}");
        }
    }
    assert_eq!(helps.len(), types.len());
    series
}

async fn scrape(world: &World) -> BTreeMap<String, f64> {
    let answer = world.send(request(Method::GET, "/metrics", None)).await;
    assert!(answer.headers()["content-type"].to_str().unwrap().contains("openmetrics"));
    series(&text(answer).await)
}

#[tokio::test]
async fn metrics_show_what_was_counted() {
    let world = World::standup();
    world.feed.publish(event(CONFERENCE, 3, EventKind::RecordingStarted { recording: RECORDING }));
    {
        let mut signal = world.switch.signal.lock().unwrap();
        for (method, status) in [("INVITE", 200), ("BREW", 501), ("X\"}\n", 501), ("invite", 400)] {
            signal.requests.insert((method.to_owned(), status), 2);
        }
        signal.calls.insert(("in", "answered"), 4);
        signal.refusals.insert("busy", 5);
        signal.limits.insert("sessions", 7);
        signal.denials.insert(("end", "not_allowed"), 6);
        let mut media = world.switch.media.lock().unwrap();
        media.packets_in = u64::from(u32::MAX) * 2;
        media.tick_us_buckets[0] = 3;
        media.tick_us_buckets[12] = 1;
        media.tick_us_sum = 2_500_000;
    }
    let series = scrape(&world).await;
    for (id, value) in [
        ("convoke_build_info{version=\"9.9.9\"}", 1.0),
        ("convoke_start_time_seconds", 1.5),
        ("convoke_ready", 1.0),
        ("convoke_open_descriptors", 42.0),
        ("convoke_conferences", 1.0),
        ("convoke_parties{state=\"connected\",codec=\"OPUS\"}", 1.0),
        ("convoke_recordings_active", 1.0),
        ("convoke_sip_requests_total{method=\"INVITE\",code=\"200\"}", 2.0),
        ("convoke_sip_requests_total{method=\"other\",code=\"501\"}", 4.0),
        ("convoke_sip_requests_total{method=\"other\",code=\"400\"}", 2.0),
        ("convoke_calls_total{direction=\"in\",result=\"answered\"}", 4.0),
        ("convoke_commands_refused_total{reason=\"busy\"}", 5.0),
        ("convoke_limit_hit_total{limit=\"sessions\"}", 7.0),
        ("convoke_policy_denied_total{action=\"end\",reason=\"not_allowed\"}", 6.0),
        ("convoke_rtp_packets_received_total", 8_589_934_590.0),
        ("convoke_mixer_tick_seconds_bucket{le=\"0.00005\"}", 3.0),
        ("convoke_mixer_tick_seconds_bucket{le=\"0.1\"}", 3.0),
        ("convoke_mixer_tick_seconds_bucket{le=\"+Inf\"}", 4.0),
        ("convoke_mixer_tick_seconds_count", 4.0),
        ("convoke_mixer_tick_seconds_sum", 2.5),
    ] {
        assert_eq!(series.get(id), Some(&value), "{id} in {series:#?}");
    }
}

#[tokio::test]
async fn what_is_over_a_limit_of_the_api_is_counted() {
    let world = World::standup();
    let large = "x".repeat(65 * 1_024);
    for _ in 0..2 {
        let invite = request(Method::POST, "/api/v1/conferences/standup/parties", Some(&large));
        assert_eq!(world.send(invite).await.status(), 413);
    }
    let series = scrape(&world).await;
    let hit = |limit: &str| series[&format!("convoke_http_limit_hit_total{{limit=\"{limit}\"}}")];
    assert_eq!(hit("body_bytes"), 2.0);
    let others =
        ["connections", "connections_per_address", "body_wait", "wrong_tokens", "answer_wait"];
    assert_eq!(others.map(hit), [0.0; 5]);
}

#[tokio::test]
async fn metrics_are_well_formed_when_nothing_has_happened() {
    let series = scrape(&World::empty()).await;
    assert_eq!(series["convoke_conferences"], 0.0);
    assert_eq!(series["convoke_rtp_packets_sent_total"], 0.0);
    assert!(!series.keys().any(|id| id.starts_with("convoke_parties")));
}

const PAGE: &str = include_str!("../page/index.html");
const SCRIPT: &str = include_str!("../page/page.js");

#[tokio::test]
async fn the_page_loads_only_what_its_policy_lets_it() {
    let world = World::empty();
    let answer = world.send(request(Method::GET, "/", None)).await;
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"));
    assert!(!policy.contains("unsafe"));
    let page = text(answer).await;
    for inline in [" style=", "<style", " onclick", " onload", " onsubmit", "javascript:", "//"] {
        assert!(!page.contains(inline), "{inline}");
    }
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("></script>").count(), 1, "a script in the page itself");
    let links = page.split(['"', '\'']).filter(|part| part.starts_with('/'));
    let mut loaded = 0;
    for link in links {
        let answer = world.send(request(Method::GET, link, None)).await;
        assert_eq!(answer.status(), 200, "{link}");
        loaded += 1;
    }
    assert!(loaded >= 5);
}

/// A link carries no token, so the script fetches what wants one.
#[tokio::test]
async fn where_the_page_leads_is_to_be_had_with_tokens_too() {
    let mut keyring = Keyring::default();
    let admin = Capacity::new(CapacityName::Admin, Bound::default()).unwrap();
    keyring.add(TokenDigest::of("cvk_page"), Grant::new("page".to_owned(), admin, None));
    let world = World::empty().with(keyring);
    let mut fetched = 0;
    for tag in PAGE.split('<') {
        let quoted = |name: &str| {
            let (_, rest) = tag.split_once(&format!("{name}=\""))?;
            rest.split('"').next()
        };
        let Some(link) = quoted("href").or(quoted("src")) else { continue };
        if world.send(request(Method::GET, link, None)).await.status() == 401 {
            let id = quoted("id").unwrap_or_else(|| panic!("{link} wants a token"));
            assert!(SCRIPT.contains(&format!("fetchWithToken(byId(\"{id}\")")), "{id}");
            fetched += 1;
        }
    }
    assert_eq!(fetched, 1, "the API's description");
}

#[test]
fn the_page_never_makes_markup_of_text() {
    for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
        assert!(!SCRIPT.contains(word), "{word}");
    }
    assert!(SCRIPT.contains("textContent"));
}

/// The rest of what a screen reader is told is asked of a browser: tests/page/run.
#[test]
fn a_button_of_the_page_that_says_what_it_will_do_is_not_said_to_be_pressed_too() {
    assert!(!SCRIPT.contains("aria-pressed") && !PAGE.contains("aria-pressed"));
    assert!(SCRIPT.contains("aria-label"), "and it says to whom");
    assert!(!PAGE.contains("title=\"talking\""), "nobody talks as long as nobody is there");
}

#[test]
fn the_page_finds_every_element_that_it_asks_for() {
    for call in ["byId(\"", "template(\""] {
        for rest in SCRIPT.split(call).skip(1) {
            let id = rest.split('"').next().unwrap();
            assert!(PAGE.contains(&format!("id=\"{id}\"")), "{id}");
        }
    }
}

/// The page folds events itself; an event that it has never heard of would make it show something
/// else than the view.
#[test]
fn the_page_knows_every_event() {
    let document: Value = serde_json::from_str(api::document()).unwrap();
    let kinds = document["components"]["schemas"]["EventKind"]["oneOf"].as_array().unwrap();
    assert!(kinds.len() > 10);
    // These change no view.
    let silent = [
        "dtmf.received",
        "dtmf.refused",
        "dtmf.sent",
        "message.text",
        "announcement.started",
        "announcement.ended",
        "recording.mode_changed",
        "whisper.text",
        "transfer.requested",
        "transfer.completed",
        "transfer.failed",
        "participant.rejoined",
        "system.stranded_party",
    ];
    for kind in kinds {
        let name = kind["properties"]["type"]["enum"][0].as_str().unwrap();
        assert!(silent.contains(&name) || SCRIPT.contains(&format!("\"{name}\"")), "{name}");
    }
    let left = EventKind::Left { party: PARTY, reason: LeaveReason::Left };
    assert!(SCRIPT.contains(serde_json::to_value(left).unwrap()["type"].as_str().unwrap()));
}

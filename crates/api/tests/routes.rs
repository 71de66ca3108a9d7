//! The routes, asked one by one.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fake;

use std::fs;

use axum::body::Body;
use axum::http::{Method, Request};
use fake::{CONFERENCE, PARTY, RECORDING, Random, World, accepted, created, event, request, text};
use model::command::{Hearers, Readers, Supervision, Target};
use model::profile::Meanwhile;
use model::{
    Accepted, Author, CommandId, ConferenceId, ConferenceRef, EventKind, Refusal, Role, Verb,
};
use serde_json::json;

const STANDUP: &str = "/api/v1/conferences/standup";

fn standup() -> ConferenceRef {
    ConferenceRef::parse("standup").unwrap()
}

/// Asserts that this is a problem of that status and code, whole and consistent.
async fn assert_problem(world: &World, request: Request<Body>, status: u16, code: &str) {
    let what = format!("{} {}", request.method(), request.uri());
    let answer = world.send(request).await;
    assert_eq!(answer.status().as_u16(), status, "{what}");
    assert_eq!(answer.headers()["content-type"], "application/problem+json", "{what}");
    let problem: serde_json::Value = serde_json::from_str(&text(answer).await).unwrap();
    assert_eq!(problem["code"], code, "{what}");
    assert_eq!(problem["status"], status, "{what}");
    assert_eq!(problem["type"], format!("urn:convoke:problem:{code}"), "{what}");
    assert!(!problem["title"].as_str().unwrap().is_empty(), "{what}");
    assert!(!problem["detail"].as_str().unwrap().is_empty(), "{what}");
}

#[tokio::test]
async fn a_conference_is_shown_by_id_and_by_name() {
    let world = World::standup();
    let (status, by_name) = world.get(STANDUP).await;
    assert_eq!(status, 200);
    assert_eq!(by_name["name"], "standup");
    assert_eq!(by_name["seq"], 2);
    assert_eq!(by_name["parties"][0]["codec"], "OPUS");
    assert_eq!(world.get("/api/v1/conferences/STANDUP").await.1, by_name);
    assert_eq!(world.get(&format!("/api/v1/conferences/{CONFERENCE}")).await.1, by_name);
    assert_eq!(world.get(&format!("{STANDUP}?as=customer")).await.1, by_name);
    assert_eq!(world.get(&format!("{STANDUP}?as=nobody")).await.0, 400);
    let (_, parties) = world.get(&format!("{STANDUP}/parties")).await;
    assert_eq!(parties, by_name["parties"]);
    let (_, party) = world.get(&format!("{STANDUP}/parties/{PARTY}")).await;
    assert_eq!(party, parties[0]);
}

#[tokio::test]
async fn ended_conferences_are_listed_only_when_asked_for() {
    let world = World::standup();
    let other = ConferenceId(2);
    world.feed.publish(created(other, "retro"));
    world.feed.publish(event(other, 2, EventKind::Ended { duration_ms: 1 }));
    let (_, live) = world.get("/api/v1/conferences").await;
    assert_eq!(live.as_array().unwrap().len(), 1);
    let (_, all) = world.get("/api/v1/conferences?ended=true").await;
    assert_eq!(all.as_array().unwrap().len(), 2);
    let (status, ended) = world.get(&format!("/api/v1/conferences/{other}")).await;
    assert_eq!((status, &ended["ended_ms"]), (200, &json!(1_002)));
    let by_name = request(Method::GET, "/api/v1/conferences/retro", None);
    assert_problem(&world, by_name, 404, "no_such_conference").await;
}

#[tokio::test]
async fn each_request_that_changes_something_is_one_command() {
    let world = World::standup();
    let party = |doing: &str| format!("{STANDUP}/parties/{PARTY}{doing}");
    for (method, path, body, verb) in [
        (Method::DELETE, STANDUP.to_owned(), None, Verb::End),
        (
            Method::POST,
            format!("{STANDUP}/parties"),
            Some(r#"{"target": "sip:bob@192.0.2.1"}"#),
            Verb::invite("sip:bob@192.0.2.1"),
        ),
        (Method::DELETE, party(""), None, Verb::Remove { party: PARTY }),
        (
            Method::POST,
            party("/transfer"),
            Some(r#"{"target": "sip:carol@192.0.2.1"}"#),
            Verb::Transfer {
                party: PARTY,
                target: Target::Address("sip:carol@192.0.2.1".to_owned()),
            },
        ),
        (
            Method::POST,
            format!("{STANDUP}/messages"),
            Some(r#"{"text": "hello"}"#),
            Verb::Write { to: Readers::Everybody, text: "hello".to_owned() },
        ),
        (
            Method::POST,
            format!("{STANDUP}/messages"),
            Some(r#"{"text": "psst", "whisper": {"only": ["p0000000000007"]}}"#),
            Verb::Write {
                to: Readers::Whisper(Hearers::Only([PARTY].into())),
                text: "psst".to_owned(),
            },
        ),
        (
            Method::POST,
            party("/consult"),
            Some(r#"{"target": "queue:sales", "room": "held"}"#),
            Verb::Consult {
                party: PARTY,
                target: Target::Queue("sales".to_owned()),
                room: Some(Meanwhile::Held),
            },
        ),
        (
            Method::POST,
            party("/digits"),
            Some(r#"{"digits": "47#"}"#),
            Verb::SendDigits { party: PARTY, digits: "47#".parse().unwrap() },
        ),
        (
            Method::PUT,
            party("/whisper"),
            Some(r#"{"to": "ours"}"#),
            Verb::Whisper { party: PARTY, to: Some(Hearers::Ours) },
        ),
        (
            Method::PUT,
            party("/pair"),
            Some(r#"{"with": null}"#),
            Verb::Pair { party: PARTY, with: None },
        ),
        (
            Method::PUT,
            party("/role"),
            Some(r#"{"role": "co_host"}"#),
            Verb::Appoint { party: PARTY, role: Role::CoHost },
        ),
        (
            Method::PUT,
            party("/supervision"),
            Some(r#"{"mode": {"coach": {"only": ["p0000000000007"]}}}"#),
            Verb::Stand {
                party: PARTY,
                beside: None,
                mode: Supervision::Coach(Hearers::Only([PARTY].into())),
            },
        ),
        (
            Method::POST,
            format!("{STANDUP}/supervisors"),
            Some(r#"{"target": "sip:eve@h", "beside": "p0000000000007", "mode": "monitor"}"#),
            Verb::Supervise {
                target: Target::Address("sip:eve@h".to_owned()),
                beside: PARTY,
                mode: Supervision::Monitor,
            },
        ),
        (Method::POST, party("/swap"), None, Verb::Swap { party: PARTY }),
        (Method::POST, party("/merge"), None, Verb::Merge { party: PARTY }),
        (Method::POST, party("/complete"), None, Verb::Complete { party: PARTY }),
        (Method::POST, party("/cancel"), None, Verb::Cancel { party: PARTY }),
        (Method::POST, party("/silence"), None, Verb::Silence { party: PARTY }),
        (Method::POST, party("/unsilence"), None, Verb::Unsilence { party: PARTY }),
        (Method::POST, party("/mute"), None, Verb::Mute { party: PARTY }),
        (Method::POST, party("/unmute"), None, Verb::Unmute { party: PARTY }),
        (Method::POST, party("/hold"), None, Verb::Hold { party: PARTY }),
        (Method::POST, party("/resume"), None, Verb::Resume { party: PARTY }),
        (
            Method::PUT,
            format!("{STANDUP}/recording"),
            Some(r#"{"on": true}"#),
            Verb::Record { on: true },
        ),
    ] {
        let (status, answer) = world.ask(method.clone(), &path, body).await;
        assert_eq!(status, 202, "{method} {path}");
        assert_eq!(answer, json!({ "conference": CONFERENCE, "seq": 1 }));
        let commands = world.commands();
        assert_eq!(commands.len(), 1, "{method} {path}");
        assert_eq!(commands[0].verb, verb);
        assert_eq!(commands[0].by, Author::Admin);
        assert_eq!(commands[0].conference, standup());
    }
}

#[tokio::test]
async fn a_request_can_speak_for_a_party_and_name_the_revision_that_its_author_has_seen() {
    let world = World::standup();
    let path = format!("{STANDUP}/parties/{PARTY}/hold");
    let with = |headers: &[(&'static str, &str)]| {
        let mut request = request(Method::POST, &path, None);
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request
    };
    let party = PARTY.to_string();
    let headers = [("convoke-party", party.as_str()), ("if-match", "\"12\"")];
    assert_eq!(world.send(with(&headers)).await.status(), 202);
    let commands = world.commands();
    assert_eq!((commands[0].by, commands[0].if_revision), (Author::Party(PARTY), Some(12)));
    assert_eq!(world.send(with(&[("if-match", "*")])).await.status(), 202);
    assert_eq!(world.commands()[0].if_revision, None);
    assert_problem(&world, with(&[("if-match", "12")]), 400, "bad_if_match").await;
    assert_problem(&world, with(&[("convoke-party", "me")]), 400, "bad_party").await;
    world.refuse(Refusal::Stale);
    assert_problem(&world, with(&[("if-match", "\"1\"")]), 412, "stale").await;
}

#[tokio::test]
async fn an_answer_tells_where_to_look() {
    let world = World::standup();
    let locate = async |accepted: Accepted| {
        *world.switch.answer.lock().unwrap() = Ok(accepted);
        let answer = world.send(request(Method::DELETE, STANDUP, None)).await;
        answer.headers()["location"].to_str().unwrap().to_owned()
    };
    let conference = format!("/api/v1/conferences/{CONFERENCE}");
    assert_eq!(locate(accepted(1)).await, conference);
    let invited = Accepted { party: Some(PARTY), ..accepted(1) };
    assert_eq!(locate(invited).await, format!("{conference}/parties/{PARTY}"));
    let recorded = Accepted { recording: Some(RECORDING), ..accepted(1) };
    assert_eq!(locate(recorded).await, format!("/api/v1/recordings/{RECORDING}"));
}

#[tokio::test]
async fn a_retry_with_the_same_key_is_the_same_command() {
    let world = World::standup();
    let end = async |key: Option<&str>| {
        let mut request = request(Method::DELETE, STANDUP, None);
        if let Some(key) = key {
            request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        }
        assert_eq!(world.send(request).await.status(), 202);
        world.commands().pop().unwrap().id
    };
    assert_eq!(end(Some("one")).await, end(Some("one")).await);
    assert_ne!(end(Some("one")).await, end(Some("two")).await);
    assert_eq!((end(None).await, end(None).await), (CommandId(100), CommandId(101)));
    let mut bad = request(Method::DELETE, STANDUP, None);
    bad.headers_mut().insert("idempotency-key", "no good".parse().unwrap());
    assert_problem(&world, bad, 400, "bad_idempotency_key").await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_its_events_but_not_for_ever() {
    let world = World::standup();
    *world.switch.answer.lock().unwrap() = Ok(accepted(3));
    let feed = world.feed.clone();
    let publish = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        feed.publish(event(CONFERENCE, 3, EventKind::Muted { party: PARTY }));
    });
    let mute = format!("{STANDUP}/parties/{PARTY}/mute");
    assert_eq!(world.ask(Method::POST, &mute, None).await.0, 202);
    assert!(publish.is_finished());
    assert_eq!(world.get(STANDUP).await.1["parties"][0]["muted"], true);
    *world.switch.answer.lock().unwrap() = Ok(accepted(4));
    assert_eq!(world.ask(Method::POST, &mute, None).await.0, 202);
}

#[tokio::test]
async fn every_refusal_is_a_problem_of_its_own() {
    let world = World::standup();
    for refusal in Refusal::ALL {
        world.refuse(refusal);
        let (status, code) = (refusal.http_status(), refusal.code());
        let end = || request(Method::DELETE, STANDUP, None);
        assert_problem(&world, end(), status, code).await;
        let retry_after = world.send(end()).await.headers().get("retry-after").cloned();
        let expected = refusal.retry_after_s().map(|seconds| seconds.to_string());
        assert_eq!(retry_after.map(|value| value.to_str().unwrap().to_owned()), expected);
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let world = World::standup();
    let absent = ConferenceId(99);
    for (path, status, code) in [
        ("/nowhere".to_owned(), 404, "not_found"),
        ("/api/v1/nowhere".to_owned(), 404, "not_found"),
        ("/api/v1/conferences/nobody".to_owned(), 404, "no_such_conference"),
        (format!("/api/v1/conferences/{absent}"), 404, "no_such_conference"),
        (format!("/api/v1/conferences/{absent}/events"), 404, "no_such_conference"),
        (format!("/api/v1/conferences/{absent}/parties"), 404, "no_such_conference"),
        ("/api/v1/conferences/a%20b".to_owned(), 422, "bad_name"),
        ("/api/v1/conferences/%ff".to_owned(), 400, "http_error"),
        (format!("{STANDUP}/parties/p0000000000001"), 404, "no_such_party"),
        (format!("{STANDUP}/parties/bob"), 404, "no_such_party"),
        (format!("{STANDUP}/events?after=x"), 400, "bad_query"),
        (format!("{STANDUP}/events?afterwards=1"), 400, "bad_query"),
        (format!("{STANDUP}/events?after=-1"), 400, "bad_query"),
        ("/api/v1/conferences?ended=perhaps".to_owned(), 400, "bad_query"),
        ("/api/v1/events".to_owned(), 426, "upgrade_required"),
        ("/api/v1/recordings/r0000000000009".to_owned(), 404, "no_such_recording"),
    ] {
        assert_problem(&world, request(Method::GET, &path, None), status, code).await;
    }
    let dance = request(Method::POST, &format!("{STANDUP}/parties/{PARTY}/dance"), None);
    assert_problem(&world, dance, 404, "not_found").await;
    assert!(world.commands().is_empty());
}

#[tokio::test]
async fn a_method_without_a_rule_is_answered_405() {
    let world = World::standup();
    for (method, path, allow) in [
        (Method::POST, "/api/v1/conferences".to_owned(), "GET,HEAD"),
        (Method::OPTIONS, "/api/v1/conferences".to_owned(), "GET,HEAD"),
        (Method::PATCH, STANDUP.to_owned(), "GET,HEAD,DELETE"),
        (Method::GET, format!("{STANDUP}/parties/{PARTY}/mute"), "POST"),
        (Method::POST, format!("{STANDUP}/recording"), "PUT"),
        (Method::TRACE, "/healthz".to_owned(), "GET,HEAD"),
    ] {
        let asked = || request(method.clone(), &path, None);
        assert_problem(&world, asked(), 405, "method_not_allowed").await;
        let answer = world.send(asked()).await;
        assert_eq!(answer.headers()["allow"], allow, "{method} {path}");
    }
}

#[tokio::test]
async fn a_hostile_body_is_refused_before_it_is_a_command() {
    let world = World::standup();
    let deep = "[".repeat(100_000);
    let deep_inside = format!(r#"{{"target": {deep}"#);
    let nested = format!(r#"{{"target": {}1{}}}"#, "[".repeat(100), "]".repeat(100));
    let large = format!(r#"{{"target": "{}"}}"#, "a".repeat(10 << 20));
    for (body, status, code) in [
        ("", 400, "bad_json"),
        ("{", 400, "bad_json"),
        (r#"{"target": "a"} x"#, 400, "bad_json"),
        (&deep, 413, "body_too_large"),
        (&deep_inside, 413, "body_too_large"),
        (&deep[..60_000], 422, "bad_body"),
        (&deep_inside[..60_000], 422, "bad_body"),
        (&nested, 422, "bad_body"),
        (&large, 413, "body_too_large"),
        ("{}", 422, "bad_body"),
        ("[]", 422, "bad_body"),
        ("null", 422, "bad_body"),
        (r#"{"target": 5}"#, 422, "bad_body"),
        (r#"{"target": ["sip:a@b"]}"#, 422, "bad_body"),
        (r#"{"target": "sip:a@b", "target": "sip:c@d"}"#, 422, "bad_body"),
        (r#"{"target": "sip:a@b", "by": "system"}"#, 422, "bad_body"),
    ] {
        let asked = request(Method::POST, &format!("{STANDUP}/parties"), Some(body));
        assert_problem(&world, asked, status, code).await;
    }
    let mut form = request(Method::POST, &format!("{STANDUP}/parties"), Some("target=a"));
    let content_type = "application/x-www-form-urlencoded".parse().unwrap();
    form.headers_mut().insert("content-type", content_type);
    assert_problem(&world, form, 415, "unsupported_media_type").await;
    assert!(world.commands().is_empty());
}

#[tokio::test]
async fn no_mutation_of_a_body_gets_past_its_reader() {
    let world = World::standup();
    let seed = 0x5eed;
    let mut random = Random(seed);
    let body = br#"{"target": "sip:bob@192.0.2.1;transport=udp"}"#;
    for round in 0..2_000 {
        let mut bytes = body.to_vec();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes.insert(at, random.below(256) as u8),
                _ => {
                    bytes.remove(at);
                }
            }
        }
        let mut asked = request(Method::POST, &format!("{STANDUP}/parties"), Some(""));
        *asked.body_mut() = Body::from(bytes.clone());
        let status = world.send(asked).await.status().as_u16();
        let commands = world.commands();
        let read: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
        let target = read.as_ref().and_then(|value| value["target"].as_str());
        match status {
            202 => assert!(
                matches!(&commands[..], [one] if one.verb
                    == Verb::invite(target.unwrap_or(""))),
                "seed {seed:#x}, round {round}: {bytes:?}"
            ),
            400 | 422 => assert!(commands.is_empty(), "seed {seed:#x}, round {round}"),
            other => panic!("seed {seed:#x}, round {round}: {other}"),
        }
    }
}

#[tokio::test]
async fn another_sites_page_cannot_use_the_api() {
    let world = World::standup();
    let with = |host: &str, origin: Option<&str>| {
        let mut request = request(Method::DELETE, STANDUP, None);
        request.headers_mut().insert("host", host.parse().unwrap());
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        request
    };
    assert_problem(&world, with("evil.example", None), 403, "bad_host").await;
    let foreign = with("localhost:8080", Some("http://evil.example"));
    assert_problem(&world, foreign, 403, "foreign_origin").await;
    assert!(world.commands().is_empty());
    let own = with("localhost:8080", Some("http://localhost:8080"));
    assert_eq!(world.send(own).await.status(), 202);
    for open in ["/healthz", "/readyz", "/metrics"] {
        let mut probe = request(Method::GET, open, None);
        probe.headers_mut().insert("host", "convoke:8080".parse().unwrap());
        assert_eq!(world.send(probe).await.status(), 200, "{open}");
    }
}

#[tokio::test]
async fn probes_tell_in_plain_text() {
    let world = World::empty();
    let probe = async |path| {
        let answer = world.send(request(Method::GET, path, None)).await;
        (answer.status().as_u16(), text(answer).await)
    };
    assert_eq!(probe("/healthz").await, (200, "ok".to_owned()));
    assert_eq!(probe("/readyz").await, (200, "ready".to_owned()));
    *world.switch.readiness.lock().unwrap() = api::Readiness::NotReady("draining".to_owned());
    assert_eq!(probe("/readyz").await, (503, "draining".to_owned()));
    let (_, about) = world.get("/api/v1/about").await;
    assert_eq!(about, json!({ "version": "9.9.9", "started_ms": 1_500 }));
}

#[tokio::test]
async fn kept_events_are_a_list_for_who_does_not_follow() {
    let world = World::standup();
    let (_, all) = world.get(&format!("{STANDUP}/events")).await;
    let seqs: Vec<_> = all.as_array().unwrap().iter().map(|event| &event["seq"]).collect();
    assert_eq!(seqs, [1, 2]);
    assert_eq!(all[1]["type"], "participant.joined");
    let (_, rest) = world.get(&format!("{STANDUP}/events?after=1")).await;
    assert_eq!(rest, json!([all[1]]));
    // A command's answer may name an event that is still on its way here.
    let (status, none) = world.get(&format!("{STANDUP}/events?after=9")).await;
    assert_eq!((status, none), (200, json!([])));
}

#[tokio::test]
async fn events_that_are_not_kept_any_more_are_gone() {
    let world = World::standup();
    let kept = model::limits::EVENTS_KEPT_PER_CONFERENCE as u64;
    for seq in 3..=kept + 2 {
        world.feed.publish(fake::talking(CONFERENCE, seq));
    }
    let (status, rest) = world.get(&format!("{STANDUP}/events?after=2")).await;
    assert_eq!((status, rest.as_array().unwrap().len() as u64), (200, kept));
    let gone = request(Method::GET, &format!("{STANDUP}/events?after=1"), None);
    assert_problem(&world, gone, 410, "events_gone").await;
    let (status, all) = world.get(&format!("{STANDUP}/events")).await;
    assert_eq!((status, all[0]["seq"].as_u64()), (200, Some(3)));
}

#[tokio::test]
async fn a_recording_is_downloaded_whole() {
    let world = World::standup();
    let path = std::env::temp_dir().join(format!("convoke-api-{}.wav", std::process::id()));
    let url = format!("/api/v1/recordings/{RECORDING}");
    // Shorter than a chunk, a chunk, and more than two.
    for length in [0, 44, 64 * 1024, 150_001_usize] {
        let content: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        fs::write(&path, &content).unwrap();
        world.switch.recordings.lock().unwrap().insert(RECORDING, path.clone());
        let answer = world.send(request(Method::GET, &url, None)).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "audio/wav");
        assert_eq!(answer.headers()["content-length"], length.to_string().as_str());
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        assert!(body == content, "{length} bytes came back changed");
    }
    // One that still grows is given as long as it was.
    let answer = world.send(request(Method::GET, &url, None)).await;
    let mut more = fs::OpenOptions::new().append(true).open(&path).unwrap();
    std::io::Write::write_all(&mut more, &[0; 1_000]).unwrap();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    assert_eq!(body.len(), 150_001);
    fs::remove_file(&path).unwrap();
    assert_problem(&world, request(Method::GET, &url, None), 404, "no_such_recording").await;
}

#[tokio::test]
async fn a_recording_is_named_by_its_id_only() {
    let world = World::standup();
    for name in ["..%2f..%2fetc%2fpasswd", "%2e%2e", "r0000000000003.wav", "r000000000000O", "."] {
        let asked = request(Method::GET, &format!("/api/v1/recordings/{name}"), None);
        assert_problem(&world, asked, 404, "no_such_recording").await;
    }
}

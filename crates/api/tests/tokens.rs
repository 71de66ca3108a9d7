//! Who asks, and what it may: tokens at the door of every route.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fake;
mod signer;

use api::{Bound, Capacity, CapacityName, Grant, Issuer, Keyring, Peer, Scope, TokenDigest};
use axum::body::Body;
use axum::http::{Method, Request, Response};
use fake::{CONFERENCE, HIDDEN, PARTY, RECORDING, World, accepted, created, event, request, text};
use jsonwebtoken::get_current_timestamp;
use model::command::{Hearers, Supervision, Target};
use model::{
    Author, Codec, ConferenceId, Direction, Event, EventKind, LeaveReason, PartyId, Refusal, Role,
};
use serde_json::{Value, json};
use signer::{AUDIENCE, Signer};

const STANDUP: &str = "/api/v1/conferences/standup";
const ADMIN: &str = "cvk_admin_0123456789";
const PROGRAM: &str = "cvk_program_0123456789";
const BOSS: &str = "cvk_boss_0123456789";
const ALICE: &str = "cvk_alice_0123456789";
const GUEST: &str = "cvk_guest_0123456789";
const MONITOR: PartyId = PartyId(11);
const CUSTOMER: PartyId = PartyId(12);

fn keyring() -> Keyring {
    let mut keyring = Keyring::default();
    let user = |user: &str| Bound { user: Some(user.to_owned()), ..Bound::default() };
    let guest =
        Bound { conference: Some("standup".to_owned()), party: Some(CUSTOMER), ..Bound::default() };
    for (token, role, bound) in [
        (ADMIN, CapacityName::Admin, Bound::default()),
        (PROGRAM, CapacityName::Integration, Bound::default()),
        (BOSS, CapacityName::Supervisor, user("boss")),
        (ALICE, CapacityName::Agent, user("alice")),
        (GUEST, CapacityName::Guest, guest),
    ] {
        let capacity = Capacity::new(role, bound).unwrap();
        keyring.add(TokenDigest::of(token), Grant::new(token[4..8].to_owned(), capacity, None));
    }
    keyring
}

/// `standup` with an agent, a customer, and who monitors and is whispered to; and another one.
fn desk() -> World {
    let world = World::empty();
    let publish = |seq, kind| world.feed.publish(event(CONFERENCE, seq, kind));
    world.feed.publish(created(CONFERENCE, "standup"));
    publish(2, joined(PARTY, "sip:alice@example.org", Role::Primary));
    publish(3, joined(CUSTOMER, "sip:carl@elsewhere.example", Role::Customer));
    let address = "sip:eve@example.org".to_owned();
    let (party, role, direction) = (MONITOR, Role::Supervisor, Direction::Internal);
    publish(4, EventKind::Dialling { party, address, role, direction });
    let mode = Supervision::Coach(Hearers::Ours);
    publish(5, EventKind::Supervised { party: MONITOR, beside: Some(PARTY), mode });
    publish(6, joined(MONITOR, "sip:eve@example.org", Role::Supervisor));
    publish(7, EventKind::WhisperStarted { party: PARTY, to: Hearers::Ours });
    publish(8, EventKind::Talking { party: PARTY, talking: true });
    publish(9, EventKind::WhisperText { to: Hearers::Ours, text: "psst".to_owned() });
    publish(10, EventKind::Text { to: None, text: "hello".to_owned() });
    world.feed.publish(created(ConferenceId(2), "retro"));
    *world.switch.answer.lock().unwrap() = Ok(accepted(10));
    world.with(keyring())
}

fn joined(party: PartyId, address: &str, role: Role) -> EventKind {
    let direction = match role.is_ours() {
        true => Direction::Internal,
        false => Direction::Inbound,
    };
    came(party, address, role, direction)
}

fn came(party: PartyId, address: &str, role: Role, direction: Direction) -> EventKind {
    let (display_name, codec) = (None, Codec::Opus);
    EventKind::Joined { party, display_name, address: address.to_owned(), codec, role, direction }
}

fn with(token: &str, mut request: Request<Body>) -> Request<Body> {
    let value = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", value);
    request
}

fn get(token: &str, path: &str) -> Request<Body> {
    with(token, request(Method::GET, path, None))
}

async fn told(answer: Response<Body>) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: Value = serde_json::from_str(&text(answer).await).unwrap();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn every_route_wants_a_token_but_those_of_health_and_the_pages_own_files() {
    let world = desk();
    let document: Value = serde_json::from_str(api::document()).unwrap();
    let mut closed = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let real = path
            .replace("{conference}", "standup")
            .replace("{party}", &PARTY.to_string())
            .replace("{recording}", &RECORDING.to_string())
            .replace("{doing}", "mute");
        for (method, operation) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answer = world.send(request(method.clone(), &real, Some("{}"))).await;
            let status = answer.status().as_u16();
            if ["/healthz", "/readyz", "/metrics"].contains(&path.as_str()) {
                assert_eq!(status, 200, "{path}");
                assert_eq!(operation["security"], json!([{}]), "{path}");
                continue;
            }
            closed += 1;
            assert_eq!(status, 401, "{method} {path}");
            assert_eq!(answer.headers()["www-authenticate"], "Bearer realm=\"convoke\"");
            assert_eq!(told(answer).await.1, "no_token");
            assert_eq!(operation.get("security"), None, "{path}");
        }
    }
    assert!(closed > 20, "{closed}");
    assert_eq!(document["security"], json!([{ "bearer": [] }]));
    for file in ["/", "/page/page.js", "/page/style.css", "/page/icon.svg"] {
        assert_eq!(world.send(request(Method::GET, file, None)).await.status(), 200, "{file}");
    }
    assert!(world.commands().is_empty());
    assert_eq!(world.send(get(ADMIN, STANDUP)).await.status(), 200);
}

#[tokio::test]
async fn without_tokens_only_this_machine_may_ask() {
    let world = World::standup();
    let from = |address: &str, header: Option<&'static str>| {
        let mut request = request(Method::DELETE, STANDUP, None);
        request.extensions_mut().insert(Peer(address.parse().unwrap()));
        if let Some(name) = header {
            request.headers_mut().insert(name, "192.0.2.9".parse().unwrap());
        }
        request
    };
    for near in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(world.send(from(near, None)).await.status(), 202, "{near}");
    }
    world.commands();
    for far in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"] {
        assert_eq!(told(world.send(from(far, None)).await).await, (401, "no_token".into()));
    }
    for header in ["x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-host", "via"] {
        let answer = world.send(from("127.0.0.1", Some(header))).await;
        assert_eq!(answer.status(), 401, "a proxy asks for others: {header}");
    }
    assert!(world.commands().is_empty());
    // What a token says does not count where there are none.
    let answer = world.send(with("cvk_whatever", from("192.0.2.1", None))).await;
    assert_eq!(answer.status(), 401);
}

#[tokio::test(start_paused = true)]
async fn who_guesses_tokens_is_not_listened_to_for_a_minute() {
    let world = desk();
    let from = |address: &str, token: &str| {
        let mut request = get(token, STANDUP);
        request.extensions_mut().insert(Peer(address.parse().unwrap()));
        request
    };
    for n in 0..20 {
        let answer = world.send(from("192.0.2.1", &format!("cvk_guess_{n}"))).await;
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        assert_eq!(told(answer).await, (401, "bad_token".into()));
    }
    let late = world.send(from("192.0.2.1", ADMIN)).await;
    assert!(late.headers().contains_key("retry-after"));
    assert_eq!(told(late).await, (429, "too_many_tokens".into()));
    assert_eq!(world.send(from("192.0.2.2", ADMIN)).await.status(), 200);
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    assert_eq!(world.send(from("192.0.2.1", ADMIN)).await.status(), 200);
}

#[tokio::test]
async fn a_request_carries_one_token_that_can_be_read() {
    let world = desk();
    let mut two = get(ADMIN, STANDUP);
    two.headers_mut().append("authorization", format!("Bearer {ADMIN}").parse().unwrap());
    assert_eq!(told(world.send(two).await).await, (400, "bad_authorization".into()));
    let mut both = get(ADMIN, STANDUP);
    let offer = format!("convoke, bearer.{ADMIN}").parse().unwrap();
    both.headers_mut().insert("sec-websocket-protocol", offer);
    assert_eq!(told(world.send(both).await).await, (400, "bad_authorization".into()));
    for (value, status) in [
        (format!("bearer {ADMIN}"), 200),
        (format!("BEARER  {ADMIN} "), 200),
        (format!("Basic {ADMIN}"), 401),
        (ADMIN.to_owned(), 401),
        ("Bearer ".to_owned(), 400),
        (format!("Bearer {}", "a".repeat(8_000)), 401),
        ("Bearer a.b.c".to_owned(), 401),
    ] {
        let mut request = request(Method::GET, STANDUP, None);
        request.headers_mut().insert("authorization", value.parse().unwrap());
        assert_eq!(world.send(request).await.status(), status, "{value:.40}");
    }
    let in_url = request(Method::GET, &format!("{STANDUP}?access_token={ADMIN}"), None);
    assert_eq!(world.send(in_url).await.status(), 401, "never in an address");
}

#[tokio::test]
async fn a_token_is_good_for_its_scopes_only() {
    let world = desk();
    assert_eq!(world.send(get(PROGRAM, STANDUP)).await.status(), 200);
    let end = with(PROGRAM, request(Method::DELETE, STANDUP, None));
    let answer = world.send(end).await;
    assert_eq!(
        answer.headers()["www-authenticate"],
        "Bearer realm=\"convoke\", error=\"insufficient_scope\", scope=\"control\""
    );
    assert_eq!(told(answer).await, (403, "insufficient_scope".into()));
    let recording = format!("/api/v1/recordings/{RECORDING}");
    assert_eq!(world.send(get(PROGRAM, &recording)).await.status(), 403);
    assert_eq!(world.send(get(ADMIN, &recording)).await.status(), 404);
    assert!(world.commands().is_empty());
    assert_eq!(Scope::named_in("openid read email control"), [Scope::Read, Scope::Control].into());
}

#[tokio::test]
async fn an_agents_token_speaks_for_its_own_party_and_sees_its_own_conferences() {
    let world = desk();
    let mute = |token: &str| {
        with(token, request(Method::POST, &format!("{STANDUP}/parties/{CUSTOMER}/mute"), None))
    };
    let as_party = |mut request: Request<Body>, party: PartyId| {
        request.headers_mut().insert("convoke-party", party.to_string().parse().unwrap());
        request
    };
    assert_eq!(world.send(mute(ALICE)).await.status(), 202);
    assert_eq!(world.commands()[0].by, Author::Party(PARTY));
    assert_eq!(world.send(as_party(mute(ALICE), PARTY)).await.status(), 202);
    assert_eq!(world.commands()[0].by, Author::Party(PARTY));
    let another = world.send(as_party(mute(ALICE), CUSTOMER)).await;
    assert_eq!(told(another).await, (403, "not_your_party".into()));
    assert_eq!(world.send(as_party(mute(ADMIN), CUSTOMER)).await.status(), 202);
    assert_eq!(world.commands()[0].by, Author::Party(CUSTOMER));
    assert_eq!(world.send(mute(GUEST)).await.status(), 202);
    assert_eq!(world.commands()[0].by, Author::Party(CUSTOMER));
    for (token, count) in [(ADMIN, 2), (BOSS, 2), (ALICE, 1), (GUEST, 1)] {
        let answer = world.send(get(token, "/api/v1/conferences")).await;
        let seen: Value = serde_json::from_str(&text(answer).await).unwrap();
        assert_eq!(seen.as_array().unwrap().len(), count, "{token}");
    }
    for token in [ALICE, GUEST] {
        let path = "/api/v1/conferences/retro";
        for answer in [
            world.send(get(token, path)).await,
            world.send(get(token, &format!("{path}/events"))).await,
            world.send(with(token, request(Method::DELETE, path, None))).await,
        ] {
            assert_eq!(told(answer).await, (404, "no_such_conference".into()), "{token}");
        }
        for path in ["/api/v1/trunks", "/api/v1/registrations", "/api/v1/events"] {
            assert_eq!(told(world.send(get(token, path)).await).await.0, 403, "{token} {path}");
        }
        let looks = world.send(get(token, &format!("{STANDUP}?as=admin"))).await;
        assert_eq!(told(looks).await, (403, "not_for_you".into()));
    }
    assert!(world.commands().is_empty());
}

/// Whatever role the profile gives it: in `open` all have the same.
#[tokio::test]
async fn whoever_gives_a_users_name_from_outside_is_not_taken_for_the_user() {
    let world = desk();
    let names = ["sip:alice@example.org", "sip:alice@evil.example", "sips:alice@example.org"];
    let ways = [Direction::Inbound, Direction::Outbound];
    for (number, role) in (20..).zip([Role::Guest, Role::External, Role::Primary]) {
        let conference = ConferenceId(number);
        world.feed.publish(created(conference, &format!("room{number}")));
        let path = format!("/api/v1/conferences/room{number}");
        let mut seq = 1;
        for (name, direction) in names.iter().zip(ways.iter().cycle()) {
            seq += 1;
            let liar = came(PartyId(100 + seq), name, role, *direction);
            world.feed.publish(event(conference, seq, liar));
            let seen = world.send(get(ALICE, &path)).await;
            assert_eq!(told(seen).await, (404, "no_such_conference".into()), "{name} {role:?}");
            let ends = with(ALICE, request(Method::DELETE, &path, None));
            assert_eq!(world.send(ends).await.status(), 404, "{name} {role:?}");
        }
        assert!(world.commands().is_empty());
        let alice = came(PARTY, "sip:alice@example.org", role, Direction::Internal);
        world.feed.publish(event(conference, seq + 1, alice));
        let ends = with(ALICE, request(Method::DELETE, &path, None));
        assert_eq!(world.send(ends).await.status(), 202, "{role:?}");
        assert_eq!(world.commands()[0].by, Author::Party(PARTY), "{role:?}");
    }
}

#[tokio::test]
async fn a_supervisor_who_is_not_in_may_have_itself_called_and_no_more() {
    let world = desk();
    let supervise = |user: &str| {
        let body = format!(
            r#"{{"target": "sip:{user}@example.org", "beside": "{PARTY}", "mode": "monitor"}}"#
        );
        with(BOSS, request(Method::POST, &format!("{STANDUP}/supervisors"), Some(&body)))
    };
    assert_eq!(world.send(supervise("boss")).await.status(), 202);
    let command = world.commands().remove(0);
    assert_eq!(command.by, Author::Admin);
    // That it is the user's own address and not another boss's is for the switch to find out.
    let own = Target::Colleague("sip:boss@example.org".into());
    assert_eq!(command.verb.target(), Some(&own));
    for request in [supervise("mallory"), with(BOSS, request(Method::DELETE, STANDUP, None))] {
        assert_eq!(told(world.send(request).await).await, (403, "not_your_party".into()));
    }
    assert!(world.commands().is_empty());
    let boss = joined(PartyId(13), "sip:boss@example.org", Role::Supervisor);
    world.feed.publish(event(CONFERENCE, 11, boss));
    assert_eq!(world.send(with(BOSS, request(Method::DELETE, STANDUP, None))).await.status(), 202);
    assert_eq!(world.commands()[0].by, Author::Party(PartyId(13)));
}

async fn events(world: &World, token: &str) -> (Vec<Event>, String) {
    let answer = world.send(get(token, &format!("{STANDUP}/events"))).await;
    let body = text(answer).await;
    (serde_json::from_str(&body).unwrap(), body)
}

#[tokio::test]
async fn who_is_from_outside_is_told_nothing_by_which_it_could_know_of_a_whisper() {
    let world = desk();
    let (seen, body) = events(&world, GUEST).await;
    let seqs: Vec<u64> = seen.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=seen.len() as u64).collect::<Vec<_>>(), "no hole");
    assert_eq!(seen.len(), 4, "begun, two came, hello: {body}");
    for word in ["whisper", "superv", "psst", "eve", &MONITOR.to_string(), "talking"] {
        assert!(!body.contains(word), "{word} in {body}");
    }
    let view = text(world.send(get(GUEST, STANDUP)).await).await;
    let shown: Value = serde_json::from_str(&view).unwrap();
    assert_eq!((&shown["seq"], &shown["revision"]), (&json!(4), &json!(3)), "{view}");
    assert_eq!(shown["parties"][0]["role"], "customer", "it is on top");
    assert_eq!(shown["parties"].as_array().unwrap().len(), 2);
    assert_eq!(shown["parties"][1]["talking"], false, "whoever whispers looks silent");
    let monitor = format!("{STANDUP}/parties/{MONITOR}");
    for token in [GUEST, ALICE] {
        assert_eq!(world.send(get(token, &monitor)).await.status(), 404);
    }
    let (agents, body) = events(&world, ALICE).await;
    assert!(body.contains("psst") && body.contains("whisper.started") && !body.contains("eve"));
    assert!(agents.len() > seen.len());
    let (all, body) = events(&world, BOSS).await;
    assert!(body.contains("eve") && all.len() == 10);
    // A command's answer counts as its author does.
    let leave = request(Method::DELETE, &format!("{STANDUP}/parties/{CUSTOMER}"), None);
    let answer = text(world.send(with(GUEST, leave)).await).await;
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["seq"], 4);
}

#[tokio::test]
async fn who_counts_less_is_as_late_as_anybody_and_is_told_what_there_is() {
    let world = desk();
    let hold = |token: &str, revision: u64| {
        let path = format!("{STANDUP}/parties/{CUSTOMER}/hold");
        let mut request = with(token, request(Method::POST, &path, None));
        request.headers_mut().insert("if-match", format!("\"{revision}\"").parse().unwrap());
        request
    };
    assert_eq!(world.send(hold(GUEST, 3)).await.status(), 202);
    assert_eq!(world.commands()[0].if_revision, Some(7), "the one that all have");
    let answer = world.send(hold(GUEST, 7)).await;
    assert_eq!(answer.status(), 412);
    let problem: Value = serde_json::from_str(&text(answer).await).unwrap();
    assert_eq!((&problem["code"], &problem["revision"]), (&json!("stale"), &json!(3)));
    world.refuse(Refusal::Stale);
    let answer = world.send(hold(ADMIN, 6)).await;
    let problem: Value = serde_json::from_str(&text(answer).await).unwrap();
    assert_eq!((&problem["status"], &problem["revision"]), (&json!(412), &json!(7)), "S0.5");
}

/// The first answer was lost on its way: that its own command has changed what it saw must not
/// make the second one stale.
#[tokio::test]
async fn a_retry_of_who_counts_less_is_the_same_command_whatever_it_has_changed() {
    let world = desk();
    let hold = |key: Option<&str>| {
        let path = format!("{STANDUP}/parties/{CUSTOMER}/hold");
        let mut request = with(GUEST, request(Method::POST, &path, None));
        request.headers_mut().insert("if-match", "\"3\"".parse().unwrap());
        if let Some(key) = key {
            request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        }
        request
    };
    assert_eq!(world.send(hold(Some("one"))).await.status(), 202);
    world.feed.publish(event(CONFERENCE, 11, EventKind::Held { party: CUSTOMER }));
    assert_eq!(world.send(hold(None)).await.status(), 412, "another wish is stale");
    let first = world.commands();
    assert_eq!(first.len(), 1);
    assert_eq!(world.send(hold(Some("one"))).await.status(), 202);
    let again = world.commands();
    let ([first], [again]) = (&first[..], &again[..]) else { panic!("the switch is to say") };
    assert_eq!(first.id, again.id);
    assert!(again.if_revision.is_some_and(|seen| seen < 1), "no conference is as it has seen it");
}

/// It was answered, and the answer was lost: where it is by now must not make another wish of it.
#[tokio::test]
async fn a_retry_of_who_has_left_by_it_is_the_same_command() {
    let world = desk();
    let leave = |key: Option<&str>| {
        let path = format!("{STANDUP}/parties/{PARTY}");
        let mut request = with(ALICE, request(Method::DELETE, &path, None));
        if let Some(key) = key {
            request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        }
        request
    };
    assert_eq!(world.send(leave(Some("one"))).await.status(), 202);
    let reason = LeaveReason::Left;
    world.feed.publish(event(CONFERENCE, 11, EventKind::Left { party: PARTY, reason }));
    *world.switch.answer.lock().unwrap() = Ok(accepted(11));
    assert_eq!(world.send(leave(None)).await.status(), 404, "it is in no conference");
    assert_eq!(world.send(leave(Some("two"))).await.status(), 404);
    let again = world.send(leave(Some("one"))).await;
    assert_eq!(again.status(), 202);
    let told: Value = serde_json::from_str(&text(again).await).unwrap();
    assert_eq!(told["seq"], 0, "how much happened there is nothing for who is out");
    let commands = world.commands();
    let [first, again] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((first.id, first.by), (again.id, again.by));
}

/// The first one has it called, so that it is a party of its own when it asks again.
#[tokio::test]
async fn a_supervisor_who_has_itself_called_in_twice_by_one_key_is_called_once() {
    let world = desk();
    let supervise = || {
        let body = json!({ "target": "sip:boss@example.org", "beside": PARTY, "mode": "monitor" });
        let path = format!("{STANDUP}/supervisors");
        let mut request = with(BOSS, request(Method::POST, &path, Some(&body.to_string())));
        request.headers_mut().insert("idempotency-key", "one".parse().unwrap());
        request
    };
    assert_eq!(world.send(supervise()).await.status(), 202);
    let address = "sip:boss@example.org".to_owned();
    let (party, role, direction) = (PartyId(30), Role::Supervisor, Direction::Internal);
    let called = EventKind::Dialling { party, address, role, direction };
    world.feed.publish(event(CONFERENCE, 11, called));
    assert_eq!(world.send(supervise()).await.status(), 202);
    let commands = world.commands();
    let [first, again] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((first.id, first.by), (again.id, again.by));
}

#[tokio::test]
async fn what_may_be_done_is_told_to_who_asks_of_whom_it_sees() {
    let world = desk();
    let asked = async |token: &str, path: &str| -> Value {
        let answer = world.send(get(token, &format!("{STANDUP}{path}"))).await;
        serde_json::from_str(&text(answer).await).unwrap()
    };
    let told = asked(ALICE, "/actions").await;
    assert_eq!(*world.switch.asked.lock().unwrap(), Some(Author::Party(PARTY)));
    let parties = told["parties"].as_array().unwrap();
    assert_eq!(parties.len(), 1, "{HIDDEN} is not seen: {told}");
    assert_eq!(parties[0]["actions"][0], json!({ "action": "mute" }));
    let refused = &parties[0]["actions"][1]["refused"];
    assert_eq!(refused["code"], "not_allowed");
    let hold = with(ALICE, request(Method::POST, &format!("{STANDUP}/parties/{PARTY}/hold"), None));
    world.refuse(Refusal::NotAllowed);
    let problem: Value = serde_json::from_str(&text(world.send(hold).await).await).unwrap();
    assert_eq!((&problem["status"], &problem["detail"]), (&json!(403), &refused["reason"]));
    let one = asked(ALICE, &format!("/parties/{CUSTOMER}/actions")).await;
    assert_eq!(one["party"], CUSTOMER.to_string());
    assert_eq!(asked(ALICE, &format!("/parties/{MONITOR}/actions")).await["status"], 404);
    let boss = asked(BOSS, "/actions").await;
    assert_eq!(boss["conference"], json!([{ "action": "supervise" }]), "it is not in yet");
    assert_eq!(boss["parties"], json!([]));
}

#[tokio::test]
async fn a_signed_token_is_believed_as_its_issuer_signs_it_and_in_no_other_way() {
    for signer in Signer::all() {
        let world = desk();
        let mut keyring = keyring();
        keyring.trust(signer.issuer());
        let world = world.with(keyring);
        let now = get_current_timestamp();
        let claims = |change: &dyn Fn(&mut Value)| {
            let mut claims = json!({
                "iss": signer::ISSUER, "aud": AUDIENCE, "exp": now + 600, "role": "agent",
                "sub": "alice",
            });
            change(&mut claims);
            claims
        };
        let good = signer.sign(&claims(&|_| {}));
        assert_eq!(world.send(get(&good, STANDUP)).await.status(), 200, "{signer:?}");
        assert_eq!(world.send(get(&good, "/api/v1/trunks")).await.status(), 403);
        let (signed, mark) = good.rsplit_once('.').unwrap();
        let (_, payload) = signed.split_once('.').unwrap();
        let mut bad = vec![
            (format!("{signed}."), "no signature"),
            (format!("{signed}.{}", mark.chars().rev().collect::<String>()), "another signature"),
            (format!("eyJhbGciOiJub25lIn0.{payload}."), "alg none"),
            (signer.confused(&claims(&|_| {})), "the public key as a secret"),
            (Signer::stranger().sign(&claims(&|_| {})), "another key"),
        ];
        for (change, what) in [
            (&(|c: &mut Value| c["exp"] = json!(now - 60)) as &dyn Fn(&mut Value), "expired"),
            (&|c| c["nbf"] = json!(now + 120), "not yet valid"),
            (&|c| c["aud"] = json!("somebody"), "for somebody else"),
            (&|c| c["iss"] = json!("somebody"), "of somebody else"),
            (&|c| c["role"] = json!("king"), "no such role"),
            (&|c| c["sub"] = Value::Null, "an agent who is nobody"),
            (&|c| c["exp"] = Value::Null, "for ever"),
            (&|c| c["aud"] = Value::Null, "for nobody"),
            (&|c| c["iss"] = Value::Null, "of nobody"),
            (&|c| c["role"] = Value::Null, "no role"),
        ] {
            bad.push((signer.sign(&claims(change)), what));
        }
        for (token, what) in bad {
            let mut request = get(&token, STANDUP);
            // Each from elsewhere: else they would soon not be looked at.
            let source = format!("192.0.2.{}", what.len()).parse().unwrap();
            request.extensions_mut().insert(Peer(source));
            assert_eq!(told(world.send(request).await).await, (401, "bad_token".into()), "{what}");
        }
        let narrow = signer.sign(&claims(&|c| c["scope"] = json!("openid control")));
        assert_eq!(told(world.send(get(&narrow, STANDUP)).await).await.1, "insufficient_scope");
    }
}

#[tokio::test]
async fn no_secret_is_in_an_error_or_in_what_is_printed_for_debugging() {
    let world = desk();
    let answer = world.send(get("cvk_wrong_token", STANDUP)).await;
    assert!(!text(answer).await.contains("cvk_wrong"));
    let mut keyring = keyring();
    keyring.trust(Issuer::new("i".into(), "a", api::Signature::Hs256, &[b's'; 40]).unwrap());
    let printed = format!("{keyring:?}");
    assert!(!printed.contains("cvk_") && !printed.contains("115, 115"), "{printed}");
}

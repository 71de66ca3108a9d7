//! Trunks that are others from a reload on.

use sip::access::Access;

use super::*;

/// Lets it go by these trunks from now on.
fn reload(knocker: &mut Knocker, change: impl FnOnce(&mut Access)) {
    let now = knocker.world.now;
    let endpoint = &mut knocker.world.nodes[0].endpoint;
    let mut access = endpoint.access().clone();
    change(&mut access);
    endpoint.admit_by(now, access);
    knocker.world.wake(0);
    knocker.world.run_ms(1);
}

fn carrier(access: &mut Access) -> &mut Trunk {
    access.trunks.get_mut("carrier").expect("the trunk")
}

fn expires(request: &Request) -> String {
    request.headers.text(&HeaderName::Expires).expect("Expires").into_owned()
}

#[test]
fn a_trunk_that_is_gone_is_not_let_in_and_is_asked_to_forget_us() {
    let mut knocker = watching(Some(600));
    registered(&mut knocker);
    reload(&mut knocker, |access| {
        access.trunks.clear();
        access.routes.clear();
    });
    let withdrawn = asked(&mut knocker, "REGISTER").pop().expect("a REGISTER");
    assert_eq!(expires(&withdrawn), "0");
    // Its nonce is old by now: it is answered, once.
    knocker.world.inject(0, TRUNK, challenge(&withdrawn, &asks_by("second", true)).as_bytes());
    let showing = asked(&mut knocker, "REGISTER").pop().expect("our password");
    assert_eq!(expires(&showing), "0");
    assert_eq!(shown(&showing).map(|it| it.nonce), Some("second".to_owned()));
    knocker.world.inject(0, TRUNK, answer(&showing, "200 OK", "").as_bytes());
    assert_eq!(knocker.world.nodes[0].endpoint.standing("carrier"), None);
    knocker.world.run_ms(600_000);
    assert_eq!(asked(&mut knocker, "REGISTER"), [], "and never again");
    assert_eq!(knocker.world.nodes[0].endpoint.alive(), Alive::default());
    knocker.source = TRUNK;
    assert_eq!(codes(&knocker.ask("INVITE", "00493077", "")), [401]);
}

#[test]
fn a_trunk_that_is_asked_as_before_keeps_its_registration_whatever_else_is_changed() {
    let mut knocker = watching(Some(600));
    registered(&mut knocker);
    reload(&mut knocker, |access| {
        carrier(access).calls_max = 3;
        access.trunks.insert("alpha".to_owned(), Trunk::at(None));
    });
    assert_eq!(standing(&knocker).registered, Registered::Yes);
    assert_eq!(asked(&mut knocker, "REGISTER"), []);
    knocker.world.run_ms(76_000);
    let again = asked(&mut knocker, "REGISTER").pop().expect("in time");
    knocker.world.inject(0, TRUNK, answer(&again, "200 OK", "Expires: 100\r\n").as_bytes());
    assert_eq!(standing(&knocker).registered, Registered::Yes);
}

#[test]
fn a_registration_that_was_kept_at_a_reload_ends_when_it_is_over() {
    let mut knocker = watching(Some(600));
    registered(&mut knocker);
    reload(&mut knocker, |access| drop(access.trunks.insert("alpha".to_owned(), Trunk::at(None))));
    knocker.world.run_ms(99_000);
    assert_eq!(standing(&knocker).registered, Registered::Yes);
    knocker.world.run_ms(2_000);
    assert_eq!(standing(&knocker).registered, Registered::No);
}

#[test]
fn a_trunk_that_comes_is_registered_with_and_one_with_another_account_anew() {
    let mut knocker = watching(None);
    asked(&mut knocker, "OPTIONS");
    reload(&mut knocker, |access| carrier(access).register_s = Some(600));
    registered(&mut knocker);
    reload(&mut knocker, |access| {
        let user = "them".to_owned();
        carrier(access).account = Some(Account { user, ..account() });
    });
    let both = asked(&mut knocker, "REGISTER");
    let of: Vec<_> = both
        .iter()
        .map(|it| (it.headers.text(&HeaderName::To).expect("To").into_owned(), expires(it)))
        .collect();
    let account = |user: &str| format!("<sip:{user}@198.51.100.1>");
    assert_eq!(of, [(account("us"), "0".to_owned()), (account("them"), "600".to_owned())]);
    assert_eq!(standing(&knocker).registered, Registered::Trying);
}

/// A new password for the same account: who is registered there stays so, and nothing is withdrawn
/// that was just registered.
#[test]
fn an_account_whose_password_is_another_is_registered_anew_and_not_withdrawn() {
    let mut knocker = watching(Some(600));
    registered(&mut knocker);
    reload(&mut knocker, |access| {
        let password = Password::new("another");
        carrier(access).account = Some(Account { password, ..account() });
    });
    let asked = asked(&mut knocker, "REGISTER");
    assert_eq!(asked.iter().map(expires).collect::<Vec<_>>(), ["600"]);
}

//! Registering with a trunk.

use std::time::{Duration, Instant};

use super::{Registered, Standing, Task};
use crate::config::Config;
use crate::dialog::Dialog;
use crate::endpoint::Endpoint;
use crate::limits::{REGISTER_AGAIN, REGISTER_S_MAX, REGISTER_SOON};
use crate::message::{HeaderName, Headers, Method, NameAddr, Request, Response, StatusCode, Uri};

pub(super) fn request(dialog: &Dialog, expires_s: u32, config: &Config) -> Request {
    let mut request = dialog.request(Method::Register, dialog.local_cseq);
    request.headers.push(HeaderName::Contact, contact(dialog, config));
    request.headers.push(HeaderName::Expires, expires_s.to_string());
    request
}

/// Where calls to our account are to go.
fn contact(dialog: &Dialog, config: &Config) -> String {
    config.contact(&dialog.flow, dialog.local.uri.user().unwrap_or(""), false)
}

impl Endpoint {
    pub(super) fn registered_at(&mut self, now: Instant, place: usize, response: &Response) {
        let errand = (place, Task::Register);
        if response.status.is_success() {
            let Some(course) = self.trunks.courses.get(&errand) else { return };
            let ours = contact(&course.dialog, &self.config);
            let granted_s = granted_s(&response.headers, &ours, course.expires_s);
            self.registration_stands(place, Registered::Yes);
            let granted = Duration::from_secs(u64::from(granted_s.min(REGISTER_S_MAX)));
            self.trunks.lapses.set(place, now + granted);
            // In time for a second try before it is over, if the first is lost.
            let again = granted * 3 / 4;
            return self.trunks.agenda.set(errand, now + again.max(Duration::from_secs(1)));
        }
        let longer_s = match response.status {
            StatusCode::INTERVAL_TOO_BRIEF => number(&response.headers, &HeaderName::MinExpires),
            _ => None,
        };
        let course = self.trunks.courses.get_mut(&errand);
        match (course, longer_s.filter(|s| *s <= REGISTER_S_MAX)) {
            (Some(course), Some(longer_s)) if longer_s > course.expires_s => {
                course.expires_s = longer_s;
                self.send_errand(now, errand);
            }
            (_, Some(_) | None) => match response.status.code() {
                408 | 500..=599 => self.registration_unanswered(now, place),
                _ => self.registration_refused(now, place),
            },
        }
    }

    /// The trunk does not know us (any more).
    fn registration_refused(&mut self, now: Instant, place: usize) {
        self.trunks.lapses.clear(place);
        self.registration_stands(place, Registered::No);
        self.register_again(now + REGISTER_AGAIN, place);
    }

    /// The trunk cannot be asked, or has no time: what it has granted before holds all the same.
    pub(super) fn registration_unanswered(&mut self, now: Instant, place: usize) {
        if self.trunks.lapses.is_set(place) {
            return self.register_again(now + REGISTER_SOON, place);
        }
        self.registration_stands(place, Registered::No);
        self.register_again(now + REGISTER_AGAIN, place);
    }

    /// From the beginning: the trunk may have lost our nonce, or been told our password meanwhile.
    fn register_again(&mut self, at: Instant, place: usize) {
        let account = self.trunk_at(place).account.clone();
        if let Some(course) = self.trunks.courses.get_mut(&(place, Task::Register)) {
            course.showing = account.map(crate::session::authorize::Showing::new);
        }
        self.trunks.agenda.set((place, Task::Register), at);
    }

    pub(super) fn registration_stands(&mut self, place: usize, registered: Registered) {
        self.stands(place, Standing { registered, ..self.trunks.standings[place] });
    }
}

/// How long our binding lasts (§10.2.4): its own Contact tells. Where a registrar writes that as it
/// sees us behind NAT, it is one of our account, and of those the one that has longest to go, as it
/// is the newest. Else Expires tells for all, or what we asked for.
fn granted_s(headers: &Headers, ours: &str, asked_s: u32) -> u32 {
    let ours = ours.parse::<NameAddr>().ok().map(|ours| ours.uri);
    let contacts = headers.values(&HeaderName::Contact);
    let bindings = contacts.iter().filter_map(|value| value.parse::<NameAddr>().ok());
    let (mut own, mut of_account) = (None, None);
    for binding in bindings {
        let told = binding.params.value("expires").and_then(|text| text.parse::<u32>().ok());
        if Some(&binding.uri) == ours.as_ref() {
            own = own.or(told);
        } else if binding.uri.user() == ours.as_ref().and_then(Uri::user) {
            of_account = of_account.max(told.filter(|told| *told <= asked_s));
        }
    }
    own.or(of_account).or_else(|| number(headers, &HeaderName::Expires)).unwrap_or(asked_s)
}

fn number(headers: &Headers, name: &HeaderName) -> Option<u32> {
    headers.text(name)?.trim().parse().ok()
}

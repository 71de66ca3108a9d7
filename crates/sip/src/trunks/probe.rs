//! Asking a trunk whether it is there.

use std::time::Instant;

use super::{Reach, Standing, Task};
use crate::dialog::Dialog;
use crate::endpoint::Endpoint;
use crate::message::{HeaderName, Method, Request, StatusCode};

pub(super) fn request(dialog: &Dialog) -> Request {
    let mut request = dialog.request(Method::Options, dialog.local_cseq);
    request.headers.push(HeaderName::Accept, "application/sdp");
    request
}

impl Endpoint {
    /// A probe was answered with that status; `None` if it was not.
    pub(super) fn probed(&mut self, now: Instant, place: usize, status: Option<StatusCode>) {
        let reach = match status {
            None => Reach::Down,
            Some(StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT) => Reach::Down,
            // Whoever refuses is there.
            Some(_) => Reach::Up,
        };
        self.stands(place, Standing { reach, ..self.trunks.standings[place] });
        if let Some(every) = self.trunk_at(place).probe_every {
            self.trunks.agenda.set((place, Task::Probe), now + every);
        }
    }
}

//! Which of a user's bindings is one phone's, wherever it is at the moment.

use std::time::Instant;

use super::{Binding, Registrar};
use crate::dialog::Dialog;
use crate::flow::{Flow, Transport};
use crate::message::Uri;

/// By what a phone is known again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Phone {
    /// What it calls itself for life (RFC 5626 §4.1), if it does.
    instance: Option<String>,
    /// The Call-ID of its REGISTERs, which is the same until it is started anew (RFC 3261 §10.2.4).
    call_id: String,
}

/// How sure it is that a binding is a phone's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Likeness {
    /// It is.
    Same,
    /// It calls itself by the same user part: it, or another phone of its user.
    Alike,
}

impl Phone {
    fn has(&self, binding: &Binding) -> bool {
        let named = self.instance.is_some() && self.instance == binding.instance;
        named || self.call_id == binding.call_id
    }
}

impl Registrar {
    /// The phone of a user that a dialog is with.
    pub(crate) fn phone_at(&self, user: &str, flow: &Flow, contact: &Uri) -> Option<Phone> {
        let mut bindings = self.by_user.get(user)?.iter().rev();
        let is_it = |known: &&Binding| {
            known.path.is_empty() && (known.contact == *contact || known.flow.remote == flow.remote)
        };
        let Binding { instance, call_id, .. } = bindings.find(is_it)?;
        Some(Phone { instance: instance.clone(), call_id: call_id.clone() })
    }

    /// Where else than its dialog leads a phone has registered from, the newest place. Not one that
    /// it has left: where it has registered again from where its dialog leads, that is newer. By
    /// the same listener: what it is sent names that.
    pub(crate) fn place_besides(
        &self,
        now: Instant,
        (user, phone): (&str, Option<&Phone>),
        dialog: &Dialog,
    ) -> Option<(Flow, Likeness)> {
        let Flow { transport, local, remote, .. } = dialog.flow;
        let bindings = self.by_user.get(user)?;
        let here = bindings.iter().rposition(|known| known.flow.remote == remote);
        let since = bindings.get(here.map_or(0, |at| at + 1)..)?;
        let elsewhere = since.iter().rev().filter(|known| {
            let way = &known.flow;
            let is_open = transport == Transport::Udp || way.connection.is_some();
            known.expires_at > now
                && known.path.is_empty()
                && is_open
                && (way.transport, way.local) == (transport, local)
                && way.remote != remote
        });
        let same = |known: &&Binding| phone.is_some_and(|phone| phone.has(known));
        let alike = |known: &&Binding| {
            known.contact.user().is_some() && known.contact.user() == dialog.remote_target.user()
        };
        let is_same = elsewhere.clone().find(same).map(|known| (known.flow, Likeness::Same));
        let is_alike = || elsewhere.clone().find(alike).map(|known| (known.flow, Likeness::Alike));
        is_same.or_else(is_alike)
    }
}

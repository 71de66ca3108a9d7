//! Where an address leads, and who may have it called.

use model::command::Target;
use model::{ConferenceName, Refusal, Verb};
use sip::access::{Destination, Origin, dialled};
use sip::message::{Host, SipUri, Uri};
use sip::{Flow, SessionId};

use crate::switchboard::Switchboard;

/// Where a call of ours goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// Where a route leads.
    Routed(Destination),
    /// To the host that the address names.
    Straight,
}

/// By what somebody's call has reached us.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownAs {
    /// The name of ours that it dialled.
    host: Option<Host>,
    /// The proxies that its requests pass.
    proxies: Vec<(Host, u16)>,
}

impl KnownAs {
    /// The name or number that an address names at a proxy before us.
    fn behind_proxy(&self, target: &Uri) -> Option<String> {
        let Uri::Sip(uri) = target else { return None };
        self.proxies.contains(&place(uri)).then(|| uri.user.clone())?
    }
}

fn place(uri: &SipUri) -> (Host, u16) {
    (uri.host.clone(), uri.port.unwrap_or(5060))
}

impl Switchboard {
    /// Where somebody gets by having that address called: the one question that an INVITE, a REFER
    /// and an invitation by the API are asked. Here, and by telephone number, everybody reaches
    /// what the routes lead to. To any other host only who is trusted has a call made: whoever
    /// could, might name a gateway's own address, and so call at its owner's cost. Who came to us
    /// by a proxy means us where it names that proxy.
    ///
    /// # Errors
    /// [`Refusal::BadTarget`], [`Refusal::NotAllowed`].
    pub(crate) fn may_dial(
        &self,
        (origin, known_as): (&Origin, &KnownAs),
        target: &str,
    ) -> Result<Way, Refusal> {
        let callee = crate::signal::callable(target, &self.config.sip.listeners)?;
        let name = match &callee.uri {
            Uri::Tel(_) => Some(dialled(&callee.uri)),
            Uri::Sip(_) | Uri::Other(_) => self.own_name(&callee.uri, known_as.host.as_ref()),
        };
        let name = match (name, origin) {
            (Some(name), _) => name,
            (None, Origin::Trusted) => return Ok(Way::Straight),
            (None, Origin::Stranger | Origin::User(_) | Origin::Trunk(_)) => {
                known_as.behind_proxy(&callee.uri).ok_or(Refusal::NotAllowed)?
            }
        };
        let way = self.sip.access().route(origin, &name);
        way.map(Way::Routed).map_err(|_| Refusal::NotAllowed)
    }

    /// Which way whoever has the API has somebody called into that room, as that verb says; none
    /// if it calls nobody.
    ///
    /// # Errors
    /// As for [`Self::may_dial`] and [`Self::leads_elsewhere`].
    pub(crate) fn may_have_called(
        &self,
        verb: &Verb,
        room: Option<&ConferenceName>,
    ) -> Result<Option<Way>, Refusal> {
        let Some(target) = verb.target().and_then(Target::address) else { return Ok(None) };
        let way = self.may_dial((&Origin::Trusted, &KnownAs::default()), target)?;
        Self::leads_elsewhere(&way, room)?;
        Ok(Some(way))
    }

    /// A room that is called into itself would hear itself.
    ///
    /// # Errors
    /// [`Refusal::BadTarget`].
    pub(crate) fn leads_elsewhere(way: &Way, room: Option<&ConferenceName>) -> Result<(), Refusal> {
        let (Way::Routed(Destination::Conference(name))
        | Way::Routed(Destination::Lobby { conference: name, .. })) = way
        else {
            return Ok(());
        };
        match ConferenceName::parse(name).is_ok_and(|name| room == Some(&name)) {
            true => Err(Refusal::BadTarget),
            false => Ok(()),
        }
    }

    /// By which address a user is known (RFC 3261 §6), whichever of the names that lead to it was
    /// dialled.
    pub(crate) fn address_of_record(&self, user: &str) -> Uri {
        Uri::sip(user, Host::Name(self.sip.access().realm.clone()), None)
    }

    /// The way of a call to ourselves: from a listener to itself.
    pub(crate) fn way_home(&self) -> Option<Flow> {
        let mut listeners = self.config.sip.listeners.iter();
        let (transport, local) = *listeners.find(|(transport, _)| transport.reaches_out())?;
        Some(Flow { transport, local, remote: local, connection: None })
    }

    /// Who is on the other side of a session, and by what it has reached us.
    pub(crate) fn dialler(&self, session: SessionId) -> (Origin, KnownAs) {
        let origin = self.sip.origin(session).unwrap_or(Origin::Stranger);
        let host = match self.sip.dialled_as(session) {
            Some(Uri::Sip(uri)) => Some(uri.host.clone()),
            Some(Uri::Tel(_) | Uri::Other(_)) | None => None,
        };
        let proxies = self.sip.proxies(session).filter_map(|uri| match uri {
            Uri::Sip(uri) => Some(place(uri)),
            Uri::Tel(_) | Uri::Other(_) => None,
        });
        (origin, KnownAs { host, proxies: proxies.collect() })
    }

    /// The name or number that an address of ours names.
    fn own_name(&self, target: &Uri, known_as: Option<&Host>) -> Option<String> {
        let Uri::Sip(uri) = target else { return None };
        // Another port is another server, though it has our host's name.
        let listens = |port| self.config.sip.listeners.iter().any(|(_, at)| at.port() == port);
        let ours = match &uri.host {
            host if known_as == Some(host) && uri.port.is_none_or(listens) => true,
            Host::Name(name) => *name == self.sip.access().realm,
            Host::Ip(_) => self.is_own_address(target),
        };
        uri.user.clone().filter(|_| ours)
    }
}

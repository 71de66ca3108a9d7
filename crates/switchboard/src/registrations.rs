//! Registrations on their way out, to be shown and kept, and back in after a restart.

use std::time::Instant;

use model::Registration;
use model::registration::Contact;
use sip::{Binding, Flow, Transport};

use crate::switchboard::{Output, Switchboard};

impl Switchboard {
    /// Takes back what was told by [`Output::Registered`] before a restart.
    pub fn restore(&mut self, now: Instant, registrations: Vec<Registration>) {
        for Registration { user, contacts } in registrations {
            let bindings = contacts.into_iter().filter_map(|contact| self.binding(contact));
            let bindings = bindings.collect();
            self.sip.restore(now, sip::Registration { user, bindings });
        }
        self.drain_sip(now);
    }

    /// Where a user can be reached has changed.
    pub(crate) fn registered(&mut self, registration: sip::Registration) {
        let sip::Registration { user, bindings } = registration;
        let contacts = bindings.into_iter().map(|binding| self.contact(binding)).collect();
        self.outputs.push_back(Output::Registered(Registration { user, contacts }));
    }

    fn contact(&self, binding: Binding) -> Contact {
        Contact {
            uri: binding.contact.to_string(),
            expires_ms: self.config.at_ms(binding.expires_at),
            q_thousandths: binding.q_thousandths,
            path: binding.path.iter().map(ToString::to_string).collect(),
            transport: binding.flow.transport.via_name().to_owned(),
            local: binding.flow.local,
            remote: binding.flow.remote,
            call_id: binding.call_id,
            cseq: binding.cseq,
            user_agent: binding.user_agent,
        }
    }

    /// None if the file says what nobody could have written. A connection did not outlive the
    /// restart, so the phone is reached by a new one, or when it has registered again.
    fn binding(&self, contact: Contact) -> Option<Binding> {
        let path = contact.path.iter().map(|hop| hop.parse().ok()).collect::<Option<_>>()?;
        let (local, remote) = (contact.local, contact.remote);
        let transport = Transport::from_name(&contact.transport)?;
        Some(Binding {
            contact: contact.uri.parse().ok()?,
            expires_at: self.config.instant(contact.expires_ms),
            q_thousandths: contact.q_thousandths,
            path,
            flow: Flow { transport, local, remote, connection: None },
            call_id: contact.call_id,
            cseq: contact.cseq,
            // It says so again when it registers again.
            instance: None,
            way: None,
            user_agent: contact.user_agent,
        })
    }
}

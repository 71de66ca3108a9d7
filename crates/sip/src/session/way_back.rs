//! The way of a response whose connection is gone (RFC 3261 §18.2.2).
//!
//! Who is known may be connected to: at the address that its request came from, and the port that
//! its Via says it listens at. A stranger is not: it could have us knock at doors by its word. A
//! user's phone that has registered along another connection since is reached by that, for behind
//! its NAT it takes no other.

use std::time::Instant;

use super::SessionId;
use crate::access::Origin;
use crate::arrival::Arrival;
use crate::endpoint::Endpoint;
use crate::flow::Transport;
use crate::transaction::TransactionId;

impl Endpoint {
    /// The port that a connection may be opened to for the response to a request.
    pub(crate) fn listens_at(&self, arrival: &Arrival) -> Option<u16> {
        match arrival.source.transport {
            Transport::Tcp | Transport::Tls => {}
            Transport::Udp | Transport::Ws | Transport::Wss => return None,
        }
        let is_known = match self.config.access.by_source(&arrival.source) {
            Origin::Trusted | Origin::Trunk(_) => true,
            Origin::Stranger | Origin::User(_) => {
                self.gate.has_shown_itself(arrival.source.remote.ip())
            }
        };
        is_known.then(|| arrival.via.listens_at())
    }

    /// Leads the responses of a session along the connection that its user has registered by since
    /// the one of its request was closed.
    pub(super) fn find_way_back(&mut self, now: Instant, id: SessionId, request: TransactionId) {
        if !self.servers.is_cut_off(request) {
            return;
        }
        let Some(session) = self.sessions.get(&id) else { return };
        let Some(user) = session.origin.user() else { return };
        let contact = &session.dialog.remote_target;
        if let Some(flow) = self.registrar.connection_to(now, user, contact) {
            self.servers.lead(request, flow);
        }
    }

    /// Sends a response again.
    pub(super) fn answer_again(
        &mut self,
        now: Instant,
        id: SessionId,
        request: TransactionId,
        bytes: &[u8],
    ) {
        self.find_way_back(now, id, request);
        self.servers.resend(&mut self.outbox, request, bytes);
    }
}

//! A request that arrived, with the headers every request needs read once.

use std::borrow::Cow;
use std::net::SocketAddr;

use crate::flow::Flow;
use crate::limits::{HEADER_VALUES_MAX, Limit};
use crate::message::{CSeq, HeaderName, Headers, Method, NameAddr, Request, Via};
use crate::reply::Refusal;
use crate::transaction::{MergeKey, ServerKey};

/// A request that can be dealt with.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The request; its top Via tells the source (RFC 3261 §18.2.1).
    pub(crate) request: Request,
    pub(crate) via: Via,
    pub(crate) from: NameAddr,
    pub(crate) to: NameAddr,
    pub(crate) call_id: String,
    pub(crate) cseq: CSeq,
    /// Where it came from.
    pub(crate) source: Flow,
    /// Where responses go.
    pub(crate) reply_flow: Flow,
}

/// Headers that may be there once only (RFC 3261 §7.3.1, RFC 4475 §3.3.8).
const SINGLE: [HeaderName; 6] = [
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
    HeaderName::MaxForwards,
    HeaderName::ContentType,
];

impl Arrival {
    /// Reads what every request needs (RFC 3261 §8.1.1; Max-Forwards and tags may be missing, as
    /// from RFC 2543 clients).
    ///
    /// # Errors
    /// What is wrong, with the request.
    pub(crate) fn read(
        mut request: Request,
        source: Flow,
    ) -> Result<Arrival, (Refusal, Box<Request>)> {
        match essentials(&mut request, source) {
            Ok((via, reply_flow, from, to, call_id, cseq)) => {
                Ok(Arrival { request, via, from, to, call_id, cseq, source, reply_flow })
            }
            Err(refusal) => Err((refusal, Box::new(request))),
        }
    }

    /// What its transaction is found by; an ACK or a CANCEL asks for that of its INVITE.
    pub(crate) fn server_key(&self) -> ServerKey<'_> {
        let asks_for_invite = matches!(self.request.method, Method::Ack | Method::Cancel);
        let method = if asks_for_invite { &Method::Invite } else { &self.request.method };
        // Clients of RFC 2543 give no unique branch (§17.2.3). A line feed is in no header value.
        let branch = self.via.branch().map(Cow::Borrowed).unwrap_or_else(|| {
            let from_tag = self.from.tag().unwrap_or("");
            let (target, via) = (&self.request.target, &self.via);
            let number = self.cseq.number;
            format!("{target}\n{from_tag}\n{}\n{number}\n{via}", self.call_id).into()
        });
        ServerKey { branch, host: &self.via.host, port: self.via.port, method }
    }

    /// What it has in common with copies that came on other ways.
    pub(crate) fn merge_key(&self) -> MergeKey<'_> {
        MergeKey {
            call_id: &self.call_id,
            from_tag: self.from.tag().unwrap_or(""),
            cseq: self.cseq.number,
        }
    }

    /// Whether the peer itself sent it, with no proxy between.
    pub(crate) fn is_direct(&self) -> bool {
        self.request.headers.values(&HeaderName::Via).len() == 1
    }
}

type Essentials = (Via, Flow, NameAddr, NameAddr, String, CSeq);

fn essentials(request: &mut Request, source: Flow) -> Result<Essentials, Refusal> {
    if SINGLE.iter().any(|name| request.headers.all(name).count() > 1) {
        return Err("Header Repeated".into());
    }
    let hops = request.headers.values(&HeaderName::Via);
    let (via, reply_flow, line) =
        noted(&hops, &request.headers, source).ok_or("Missing Or Bad Via")?;
    // A hop further back cannot be checked by anyone but us (RFC 4475 §3.1.2.1).
    if hops.len() == HEADER_VALUES_MAX {
        return Err(Refusal::bad_request("Too Many Via").over(Limit::HeaderValues));
    }
    if !hops.iter().skip(1).all(|hop| hop.parse::<Via>().is_ok()) {
        return Err("Bad Via".into());
    }
    let text = |name: &HeaderName| request.headers.text(name);
    let address = |name: &HeaderName| text(name)?.parse::<NameAddr>().ok();
    let from = address(&HeaderName::From).ok_or("Missing Or Bad From")?;
    let to = address(&HeaderName::To).ok_or("Missing Or Bad To")?;
    let call_id = text(&HeaderName::CallId).ok_or("Missing Call-ID")?.into_owned();
    if call_id.is_empty() || call_id.contains([' ', '\t']) {
        return Err("Bad Call-ID".into());
    }
    let cseq = text(&HeaderName::CSeq).ok_or("Missing CSeq")?;
    let cseq: CSeq = cseq.parse().map_err(|_| "Bad CSeq")?;
    if cseq.method != request.method {
        return Err("CSeq Names Another Method".into());
    }
    if let Some(line) = line {
        request.headers.set(HeaderName::Via, line);
    }
    Ok((via, reply_flow, from, to, call_id, cseq))
}

/// Writes the source into the top Via, and tells where responses go: back along the connection, or
/// where the Via says (RFC 3261 §18.2.2, RFC 3581 §4).
pub(crate) fn note_source(request: &mut Request, source: Flow) -> Option<(Via, Flow)> {
    let hops = request.headers.values(&HeaderName::Via);
    let (via, flow, line) = noted(&hops, &request.headers, source)?;
    if let Some(line) = line {
        request.headers.set(HeaderName::Via, line);
    }
    Some((via, flow))
}

/// The top Via with its source, where responses go, and the first Via line as it is then, if that
/// is not as it came. `hops` are those of all Via lines.
fn noted(
    hops: &[Cow<'_, str>],
    headers: &Headers,
    source: Flow,
) -> Option<(Via, Flow, Option<String>)> {
    let mut via: Via = hops.first()?.parse().ok()?;
    let line = match via.note_source(source.remote) {
        false => None,
        true => {
            let mut line = via.to_string();
            // The first line may hold several hops; the others keep their lines.
            if hops.len() > 1 {
                let mut first = Headers::new();
                first.push(HeaderName::Via, headers.first(&HeaderName::Via)?);
                for hop in hops.get(1..first.values(&HeaderName::Via).len())? {
                    line.push_str(", ");
                    line.push_str(hop);
                }
            }
            Some(line)
        }
    };
    let remote: SocketAddr = match source.connection {
        Some(_) => source.remote,
        None => via.reply_address(source.remote),
    };
    Some((via, Flow { remote, ..source }, line))
}

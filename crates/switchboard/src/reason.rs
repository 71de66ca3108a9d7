//! Why a party is gone, in the words of SIP and of the telephone network (RFC 3326), both ways.

use model::LeaveReason;
use sip::EndCause;
use sip::message::Reason;

/// What the far end is told when its call ends: a cause that gateways pass on (ITU-T Q.850), and
/// words for people.
pub(crate) fn told(reason: LeaveReason) -> Reason {
    let (cause, text) = match reason {
        LeaveReason::Left => (16, "left"),
        LeaveReason::Removed => (16, "removed"),
        LeaveReason::Transferred => (16, "transferred"),
        LeaveReason::Ended => (16, "conference ended"),
        LeaveReason::NoAnswer => (19, "no answer"),
        LeaveReason::Busy => (17, "busy"),
        LeaveReason::Declined => (21, "declined"),
        LeaveReason::Failed => (41, "failed"),
        LeaveReason::Lost => (27, "lost"),
        LeaveReason::Interrupted => (41, "interrupted"),
    };
    Reason { protocol: "Q.850".to_owned(), cause: Some(cause), text: Some(text.to_owned()) }
}

/// What a phone is told that rang in vain: that somebody else took the call. It shows no missed
/// call then (RFC 3326 §3.1).
pub(crate) fn completed_elsewhere() -> Reason {
    Reason::sip(200, "Call completed elsewhere")
}

/// What the phones that still ring for a party are told when they are to stop.
pub(crate) fn told_ringing(reason: LeaveReason) -> Reason {
    match reason {
        LeaveReason::Transferred => completed_elsewhere(),
        LeaveReason::Left
        | LeaveReason::Removed
        | LeaveReason::Ended
        | LeaveReason::NoAnswer
        | LeaveReason::Busy
        | LeaveReason::Declined
        | LeaveReason::Failed
        | LeaveReason::Lost
        | LeaveReason::Interrupted => told(reason),
    }
}

/// Why a party is gone, by how its session ended.
pub(crate) fn heard(cause: &EndCause) -> LeaveReason {
    match cause {
        EndCause::Bye { reason: Some(reason) } if is_failure(reason) => LeaveReason::Lost,
        EndCause::Bye { .. } | EndCause::Cancelled { .. } => LeaveReason::Left,
        EndCause::LocalEnd => LeaveReason::Removed,
        EndCause::Rejected { status, .. } => match status.code() {
            486 | 600 => LeaveReason::Busy,
            603 => LeaveReason::Declined,
            408 | 480 => LeaveReason::NoAnswer,
            // 3xx among them: whom we call is decided here, not by whom we call.
            _ => LeaveReason::Failed,
        },
        EndCause::Unresolved => LeaveReason::Failed,
        EndCause::TimedOut | EndCause::TransportFailed | EndCause::Unknown => LeaveReason::Lost,
    }
}

/// Whether the far end hangs up because something broke: its session timer ran out, its own far
/// end or the network is gone.
fn is_failure(reason: &Reason) -> bool {
    let is = |protocol: &str| reason.protocol.eq_ignore_ascii_case(protocol);
    match reason.cause {
        Some(408 | 500..=599) => is("SIP"),
        // Destination out of order, network out of order, temporary failure, congestion.
        Some(27 | 38 | 41 | 42) => is("Q.850"),
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::message::StatusCode;

    #[test]
    fn a_phone_that_hangs_up_because_something_broke_is_lost() {
        let bye = |reason: &str| heard(&EndCause::Bye { reason: reason.parse().ok() });
        assert_eq!(bye("Q.850;cause=16"), LeaveReason::Left);
        assert_eq!(bye("SIP;cause=200;text=\"Call completed elsewhere\""), LeaveReason::Left);
        assert_eq!(bye("SIP;cause=408;text=\"Session Timer Expired\""), LeaveReason::Lost);
        assert_eq!(bye("q.850;cause=38"), LeaveReason::Lost);
        assert_eq!(bye("Q.850;cause=408"), LeaveReason::Left);
        assert_eq!(heard(&EndCause::Bye { reason: None }), LeaveReason::Left);
    }

    #[test]
    fn a_redirection_is_a_failure_and_not_an_order() {
        let moved = StatusCode::new(302).expect("a status");
        let cause = EndCause::Rejected { status: moved, phrase: String::new() };
        assert_eq!(heard(&cause), LeaveReason::Failed);
    }

    #[test]
    fn what_is_told_can_be_read() {
        let written = told(LeaveReason::NoAnswer).to_string();
        assert_eq!(written, "Q.850;cause=19;text=\"no answer\"");
        assert_eq!(written.parse(), Ok(told(LeaveReason::NoAnswer)));
    }
}

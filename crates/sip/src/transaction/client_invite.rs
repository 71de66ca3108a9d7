//! The INVITE client transaction: RFC 3261 §17.1.1 with the Accepted state of RFC 6026 §7.2.

use super::{Action, Action::*, Move, Timer};

/// How far the transaction is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Sent, and nothing heard.
    Calling,
    /// A provisional response was heard.
    Proceeding,
    /// Refused; refusals that come again are acknowledged again.
    Completed,
    /// Accepted; 2xx of this and other forks go to the user.
    Accepted,
    /// Over.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    /// A 1xx came.
    Provisional,
    /// A 2xx came.
    Success,
    /// Another final response came.
    Failure,
    /// The request is to be sent again.
    TimerA,
    /// Nothing was heard in time.
    TimerB,
    /// A final response has been owed for too long. The RFC knows it of proxies only (§16.6), but a
    /// re-INVITE whose final response is lost with its connection must not stay for ever.
    TimerC,
    /// No more refusals are to be expected.
    TimerD,
    /// No more 2xx are to be expected.
    TimerM,
    /// The transport could not send.
    TransportError,
}

const HEARD: &[Action] = &[Stop(Timer::A), Stop(Timer::B), Start(Timer::C), Report];
const REFUSED: &[Action] = &[
    Stop(Timer::A),
    Stop(Timer::B),
    Stop(Timer::C),
    Acknowledge,
    Report,
    Release,
    Start(Timer::D),
];
const REFUSED_RELIABLY: &[Action] =
    &[Stop(Timer::A), Stop(Timer::B), Stop(Timer::C), Acknowledge, Report];
const ACCEPTED: &[Action] =
    &[Stop(Timer::A), Stop(Timer::B), Stop(Timer::C), Report, Release, Start(Timer::M)];

/// The move for an input; `None` when nothing happens.
pub(crate) fn step(state: State, input: Input, reliable: bool) -> Option<Move<State>> {
    use Input as I;
    use State as S;
    // Timer D takes no time over a reliable transport (§17.1.1.2).
    let refused = if reliable {
        Move::to(S::Terminated, REFUSED_RELIABLY)
    } else {
        Move::to(S::Completed, REFUSED)
    };
    match (state, input) {
        (S::Calling, I::Provisional) => Some(Move::to(S::Proceeding, HEARD)),
        (S::Proceeding, I::Provisional) => Some(Move::to(S::Proceeding, &[Report])),
        (S::Calling | S::Proceeding, I::Success) => Some(Move::to(S::Accepted, ACCEPTED)),
        (S::Calling | S::Proceeding, I::Failure) => Some(refused),
        (S::Calling, I::TimerA) => Some(Move::to(S::Calling, &[Resend, Start(Timer::A)])),
        (S::Calling, I::TimerB) => Some(Move::to(S::Terminated, &[TellTimeout])),
        (S::Calling, I::TransportError) => Some(Move::to(S::Terminated, &[TellTransport])),
        (S::Proceeding, I::TimerC) => Some(Move::to(S::Terminated, &[TellTimeout])),
        (S::Completed, I::Failure) => Some(Move::to(S::Completed, &[Acknowledge])),
        // The user has its final response already; only the ACK was lost.
        (S::Completed, I::TimerD | I::TransportError) => Some(Move::to(S::Terminated, &[])),
        (S::Accepted, I::Success) => Some(Move::to(S::Accepted, &[Report])),
        (S::Accepted, I::TimerM) => Some(Move::to(S::Terminated, &[])),
        (S::Calling, I::TimerC | I::TimerD | I::TimerM)
        | (S::Proceeding, I::TimerA | I::TimerB | I::TimerD | I::TimerM | I::TransportError)
        | (
            S::Completed,
            I::Provisional | I::Success | I::TimerA | I::TimerB | I::TimerC | I::TimerM,
        )
        | (
            S::Accepted,
            I::Provisional
            | I::Failure
            | I::TimerA
            | I::TimerB
            | I::TimerC
            | I::TimerD
            | I::TransportError,
        )
        | (S::Terminated, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moves_are_those_of_the_picture() {
        use {Input as I, State as S};
        let states = [S::Calling, S::Proceeding, S::Completed, S::Accepted, S::Terminated];
        let inputs = [
            I::Provisional,
            I::Success,
            I::Failure,
            I::TimerA,
            I::TimerB,
            I::TimerC,
            I::TimerD,
            I::TimerM,
            I::TransportError,
        ];
        insta::assert_snapshot!(super::super::picture(&states, &inputs, step));
    }
}

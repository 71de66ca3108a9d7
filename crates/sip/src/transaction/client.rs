//! The client transaction of every other method: RFC 3261 §17.1.2.

use super::{Action, Action::*, Move, Timer};

/// How far the transaction is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Sent, and nothing heard.
    Trying,
    /// A provisional response was heard.
    Proceeding,
    /// Answered; responses that come again are absorbed.
    Completed,
    /// Over.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    /// A 1xx came.
    Provisional,
    /// A final response came.
    Final,
    /// The request is to be sent again.
    TimerE,
    /// Nothing was heard in time.
    TimerF,
    /// No more responses are to be expected.
    TimerK,
    /// The transport could not send.
    TransportError,
}

const ANSWERED: &[Action] = &[Stop(Timer::E), Stop(Timer::F), Report, Release, Start(Timer::K)];
const ANSWERED_RELIABLY: &[Action] = &[Stop(Timer::E), Stop(Timer::F), Report];

/// The move for an input; `None` when nothing happens.
pub(crate) fn step(state: State, input: Input, reliable: bool) -> Option<Move<State>> {
    use Input as I;
    use State as S;
    // Timer K takes no time over a reliable transport (§17.1.2.2).
    let answered = if reliable {
        Move::to(S::Terminated, ANSWERED_RELIABLY)
    } else {
        Move::to(S::Completed, ANSWERED)
    };
    match (state, input) {
        (S::Trying | S::Proceeding, I::Provisional) => Some(Move::to(S::Proceeding, &[Report])),
        (S::Trying | S::Proceeding, I::Final) => Some(answered),
        (S::Trying | S::Proceeding, I::TimerE) => Some(Move::to(state, &[Resend, Start(Timer::E)])),
        (S::Trying | S::Proceeding, I::TimerF) => Some(Move::to(S::Terminated, &[TellTimeout])),
        (S::Trying | S::Proceeding, I::TransportError) => {
            Some(Move::to(S::Terminated, &[TellTransport]))
        }
        (S::Completed, I::TimerK) => Some(Move::to(S::Terminated, &[])),
        (S::Trying | S::Proceeding, I::TimerK)
        | (S::Completed, I::Provisional | I::Final | I::TimerE | I::TimerF | I::TransportError)
        | (S::Terminated, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moves_are_those_of_the_picture() {
        use {Input as I, State as S};
        let states = [S::Trying, S::Proceeding, S::Completed, S::Terminated];
        let inputs = [I::Provisional, I::Final, I::TimerE, I::TimerF, I::TimerK, I::TransportError];
        insta::assert_snapshot!(super::super::picture(&states, &inputs, step));
    }
}

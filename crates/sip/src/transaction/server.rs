//! The server transaction of every other method: RFC 3261 §17.2.2.
//! Provisional responses are never sent here (RFC 4320 §4.1), so there is no Proceeding state.

use super::{Action::*, Move, Timer};

/// How far the transaction is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// No response yet.
    Trying,
    /// Answered; copies of the request get the same answer.
    Completed,
    /// Over.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    /// The request came again.
    Again,
    /// The user sends a final response.
    Final,
    /// No more copies of the request are to be expected.
    TimerJ,
}

/// The move for an input; `None` when nothing happens.
pub(crate) fn step(state: State, input: Input, reliable: bool) -> Option<Move<State>> {
    use Input as I;
    use State as S;
    match (state, input) {
        // Timer J takes no time over a reliable transport (§17.2.2).
        (S::Trying, I::Final) if reliable => Some(Move::to(S::Terminated, &[Send])),
        (S::Trying, I::Final) => Some(Move::to(S::Completed, &[Send, Start(Timer::J)])),
        (S::Completed, I::Again) => Some(Move::to(S::Completed, &[Resend])),
        (S::Completed, I::TimerJ) => Some(Move::to(S::Terminated, &[])),
        (S::Trying, I::Again | I::TimerJ) | (S::Completed, I::Final) | (S::Terminated, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moves_are_those_of_the_picture() {
        let states = [State::Trying, State::Completed, State::Terminated];
        let inputs = [Input::Again, Input::Final, Input::TimerJ];
        insta::assert_snapshot!(super::super::picture(&states, &inputs, step));
    }
}

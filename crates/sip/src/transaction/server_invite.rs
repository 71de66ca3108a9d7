//! The INVITE server transaction: RFC 3261 §17.2.1 with the Accepted state of RFC 6026 §7.1.

use super::{Action, Action::*, Move, Timer};

/// How far the transaction is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// No final response yet; 100 was sent at once.
    Proceeding,
    /// Refused; the refusal is repeated until it is acknowledged.
    Completed,
    /// The refusal was acknowledged; late copies are absorbed.
    Confirmed,
    /// Accepted; the user repeats the 2xx, copies of the request are absorbed.
    Accepted,
    /// Over.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    /// The request came again.
    Again,
    /// An ACK of the same branch came.
    Ack,
    /// The user sends a 1xx.
    Provisional,
    /// The user sends a 2xx.
    Success,
    /// The user sends another final response.
    Failure,
    /// The refusal is to be sent again.
    TimerG,
    /// The ACK did not come in time.
    TimerH,
    /// No more ACKs are to be expected.
    TimerI,
    /// No more copies of the request are to be expected.
    TimerL,
}

const REFUSED: &[Action] = &[Send, Start(Timer::G), Start(Timer::H)];
const REFUSED_RELIABLY: &[Action] = &[Send, Start(Timer::H)];
const ACCEPTED: &[Action] = &[Send, Release, Start(Timer::L)];
const CONFIRMED: &[Action] = &[Stop(Timer::G), Stop(Timer::H), Release, Start(Timer::I)];
const CONFIRMED_RELIABLY: &[Action] = &[Stop(Timer::G), Stop(Timer::H)];

/// The move for an input; `None` when nothing happens.
pub(crate) fn step(state: State, input: Input, reliable: bool) -> Option<Move<State>> {
    use Input as I;
    use State as S;
    let refused = if reliable { REFUSED_RELIABLY } else { REFUSED };
    // Timer I takes no time over a reliable transport (§17.2.1).
    let confirmed = if reliable {
        Move::to(S::Terminated, CONFIRMED_RELIABLY)
    } else {
        Move::to(S::Confirmed, CONFIRMED)
    };
    match (state, input) {
        (S::Proceeding | S::Completed, I::Again) => Some(Move::to(state, &[Resend])),
        (S::Proceeding, I::Provisional) => Some(Move::to(S::Proceeding, &[Send])),
        (S::Proceeding, I::Success) => Some(Move::to(S::Accepted, ACCEPTED)),
        (S::Proceeding, I::Failure) => Some(Move::to(S::Completed, refused)),
        (S::Completed, I::Ack) => Some(confirmed),
        (S::Completed, I::TimerG) => Some(Move::to(S::Completed, &[Resend, Start(Timer::G)])),
        // Nobody is told: a refused caller that does not answer changes nothing for the user.
        (S::Completed, I::TimerH) => Some(Move::to(S::Terminated, &[Stop(Timer::G)])),
        (S::Confirmed, I::TimerI) => Some(Move::to(S::Terminated, &[])),
        (S::Accepted, I::Ack) => Some(Move::to(S::Accepted, &[Report])),
        (S::Accepted, I::TimerL) => Some(Move::to(S::Terminated, &[])),
        (S::Proceeding, I::Ack | I::TimerG | I::TimerH | I::TimerI | I::TimerL)
        | (S::Completed, I::Provisional | I::Success | I::Failure | I::TimerI | I::TimerL)
        | (
            S::Confirmed,
            I::Again
            | I::Ack
            | I::Provisional
            | I::Success
            | I::Failure
            | I::TimerG
            | I::TimerH
            | I::TimerL,
        )
        | (
            S::Accepted,
            I::Again | I::Provisional | I::Success | I::Failure | I::TimerG | I::TimerH | I::TimerI,
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
        let states = [S::Proceeding, S::Completed, S::Confirmed, S::Accepted, S::Terminated];
        let inputs = [
            I::Again,
            I::Ack,
            I::Provisional,
            I::Success,
            I::Failure,
            I::TimerG,
            I::TimerH,
            I::TimerI,
            I::TimerL,
        ];
        insta::assert_snapshot!(super::super::picture(&states, &inputs, step));
    }
}

//! What calls cost.

/// An amount of money, kept in ten-thousandths of the currency that the configuration counts in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Cost(u64);

/// A number is no amount of money.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an amount of money is 0 to 1000000, such as 0.025")]
pub struct NoCost;

impl Cost {
    /// Nothing.
    pub const ZERO: Cost = Cost(0);

    /// What both cost together.
    #[must_use]
    pub fn plus(self, other: Cost) -> Cost {
        Cost(self.0.saturating_add(other.0))
    }
}

impl TryFrom<f64> for Cost {
    type Error = NoCost;

    /// What is less than a ten-thousandth counts as one.
    fn try_from(amount: f64) -> Result<Cost, NoCost> {
        match (0.0..=1e6).contains(&amount) {
            true => Ok(Cost((amount * 10_000.0 - 1e-6).ceil().max(0.0) as u64)),
            false => Err(NoCost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_kept_to_the_ten_thousandth_and_never_for_less_than_it_is() {
        let kept = |amount: f64| Cost::try_from(amount).map(|Cost(kept)| kept);
        assert_eq!(
            [0.0, 0.025, 1.1, 0.000_01, 20.0].map(kept).map(Result::unwrap),
            [0, 250, 11_000, 1, 200_000]
        );
        for none in [-0.01, 1e9, f64::NAN, f64::INFINITY] {
            assert_eq!(kept(none), Err(NoCost), "{none}");
        }
    }
}

//! Probabilities that have been checked once.

use serde::Serialize;
use thiserror::Error;

/// Why a number is no probability.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum Error {
    /// NaN, negative or greater than 1.
    #[error("a probability lies in 0..=1, not {0}")]
    Probability(f64),
}

/// A number in 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Probability(f64);

impl Probability {
    /// Impossible.
    pub const ZERO: Self = Self(0.0);
    /// Certain.
    pub const ONE: Self = Self(1.0);

    /// Checks `value`.
    ///
    /// # Errors
    /// [`Error::Probability`] for NaN and for numbers outside 0..=1.
    pub fn new(value: f64) -> Result<Self, Error> {
        // Adding zero turns -0.0 into 0.0, so that equal probabilities have equal bits.
        if (0.0..=1.0).contains(&value) { Ok(Self(value + 0.0)) } else { Err(Error::Probability(value)) }
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_closed_unit_interval_is_accepted() {
        for good in [0.0, 1e-300, 0.5, 1.0] {
            assert_eq!(Probability::new(good).unwrap().get(), good);
        }
        assert_eq!(Probability::new(-0.0).unwrap().get().to_bits(), 0);
        for bad in [-1e-300, 1.0 + f64::EPSILON, f64::INFINITY] {
            assert_eq!(Probability::new(bad), Err(Error::Probability(bad)));
        }
        assert!(Probability::new(f64::NAN).is_err());
    }
}

//! Ranges of values, from which binary points and scales follow.

use serde::Serialize;

/// The largest magnitude of a set of values; NaN and infinities do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Range {
    /// max|x| over the finite values, 0 when there is none.
    pub max_abs: f32,
}

impl Range {
    /// The range of `values`.
    pub fn of(values: &[f32]) -> Self {
        let mut range = Self::default();
        for &value in values {
            range.include(value);
        }
        range
    }

    /// Widens the range to hold `value`.
    pub fn include(&mut self, value: f32) {
        let magnitude = value.abs();
        if magnitude > self.max_abs && magnitude.is_finite() {
            self.max_abs = magnitude;
        }
    }

    /// The range of both sets together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { max_abs: self.max_abs.max(other.max_abs) }
    }

    /// The smallest `I` with max|x| < 2^I; it may be negative. 0 for a set of zeros.
    pub fn integer_bits(self) -> i32 {
        if self.max_abs == 0.0 {
            return 0;
        }
        // An f64 holds every f32 as a normal number, so its exponent field is floor(log2 x).
        let exponent = ((f64::from(self.max_abs).to_bits() >> 52) & 0x7ff) as i32 - 1023;
        exponent + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integer_bits_at_powers_of_two() {
        for (max_abs, expected) in [(0.0, 0), (1.0, 1), (0.999, 0), (0.5, 0), (0.25, -1), (7.9, 3), (8.0, 4)]
        {
            assert_eq!(Range { max_abs }.integer_bits(), expected, "max|x| = {max_abs}");
        }
        assert_eq!(Range { max_abs: f32::MAX }.integer_bits(), 128);
        assert_eq!(Range { max_abs: f32::from_bits(1) }.integer_bits(), -148);
    }

    #[test]
    fn non_finite_values_do_not_widen_a_range() {
        assert_eq!(Range::of(&[1.0, f32::NAN, f32::INFINITY, -2.0]).max_abs, 2.0);
    }

    proptest! {
        #[test]
        fn integer_bits_is_the_smallest(max_abs in proptest::num::f32::POSITIVE | proptest::num::f32::SUBNORMAL) {
            prop_assume!(max_abs > 0.0);
            let bits = Range { max_abs }.integer_bits();
            prop_assert!(f64::from(max_abs) < (f64::from(bits)).exp2());
            prop_assert!(f64::from(max_abs) >= (f64::from(bits) - 1.0).exp2());
        }
    }
}

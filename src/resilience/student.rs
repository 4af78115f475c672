//! Tails of Student's t distribution for whole degrees of freedom, in closed form. The same bits on every machine, by `libm`:
//! verdicts hang on them.

use std::f64::consts::FRAC_2_PI;

/// P(T > t) with `degrees_of_freedom` >= 1 and t finite; formulas 26.7.3 and 26.7.4 of Abramowitz and Stegun. Absolute error
/// about 1e-15.
pub fn upper_tail(t: f64, degrees_of_freedom: usize) -> f64 {
    let degrees = degrees_of_freedom as f64;
    let root = (degrees + t * t).sqrt();
    let (sine, cosine) = (t / root, degrees.sqrt() / root);
    // Powers of the cosine start at 1 for odd degrees of freedom and at 0 for even ones.
    let odd = degrees_of_freedom % 2;
    let (mut term, mut sum) = (if odd == 1 { cosine } else { 1.0 }, 0.0);
    for power in (odd..degrees_of_freedom.saturating_sub(1)).step_by(2) {
        sum += term;
        let power = power as f64;
        term *= cosine * cosine * (power + 1.0) / (power + 2.0);
    }
    let within =
        if odd == 1 { FRAC_2_PI * (libm::atan(t / degrees.sqrt()) + sine * sum) } else { sine * sum };
    (0.5 * (1.0 - within)).clamp(0.0, 1.0)
}

/// The t with P(T > t) = `tail`, a probability in (0, 0.5].
pub fn upper_quantile(tail: f64, degrees_of_freedom: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while upper_tail(high, degrees_of_freedom) > tail && high < 1e12 {
        (low, high) = (high, 2.0 * high);
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if upper_tail(middle, degrees_of_freedom) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{ContinuousCDF, StudentsT};

    #[test]
    fn quantiles_are_those_of_the_printed_tables() {
        // Abramowitz and Stegun, table 26.10: one-sided 2.5 %, 0.5 % and 0.05 %.
        let rows = [
            (1, [12.706, 63.657, 636.619]),
            (2, [4.303, 9.925, 31.598]),
            (9, [2.262, 3.250, 4.781]),
            (10, [2.228, 3.169, 4.587]),
            (29, [2.045, 2.756, 3.659]),
            (60, [2.000, 2.660, 3.460]),
        ];
        for (degrees, quantiles) in rows {
            for (tail, expected) in [0.025, 0.005, 0.0005].into_iter().zip(quantiles) {
                let found = upper_quantile(tail, degrees);
                assert!((found - expected).abs() < 1.2e-3 * expected.max(1.0), "{degrees}: {found}");
            }
        }
    }

    #[test]
    fn tails_agree_with_another_implementation() {
        for degrees in (1..=40).chain([99, 100, 999]) {
            let other = StudentsT::new(0.0, 1.0, degrees as f64).unwrap();
            for t in [-8.0, -1.5, 0.0, 0.3, 1.0, 2.5, 4.0, 12.0] {
                let (found, expected) = (upper_tail(t, degrees), 1.0 - other.cdf(t));
                assert!((found - expected).abs() < 1e-11, "{degrees} degrees, t = {t}: {found} {expected}");
            }
        }
        assert_eq!(upper_tail(0.0, 7), 0.5);
        assert!((upper_tail(upper_quantile(1e-4, 11), 11) - 1e-4).abs() < 1e-12);
    }
}

//! Statistics over trials: mean, spread and confidence interval.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Mean and spread of one figure over the trials of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Number of trials.
    pub count: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation with n - 1 in the denominator; `None` for fewer than two trials.
    pub std: Option<f64>,
    /// Two-sided 95 % interval of the mean by Student's t over trials (the images are fixed); `None` for fewer than two
    /// trials.
    pub ci95: Option<[f64; 2]>,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

impl Summary {
    /// Summarises `values`; `None` for no values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let std = (count > 1).then(|| {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            (squares / (count - 1) as f64).sqrt()
        });
        let ci95 = std.map(|std| {
            let half = t_quantile_975(count - 1) * std / (count as f64).sqrt();
            [mean - half, mean + half]
        });
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Self { count, mean, std, ci95, min, max })
    }
}

/// The 97.5 % quantile of Student's t distribution.
fn t_quantile_975(degrees_of_freedom: usize) -> f64 {
    let distribution = StudentsT::new(0.0, 1.0, degrees_of_freedom as f64);
    distribution.expect("location 0, scale 1 and at least one degree of freedom are valid").inverse_cdf(0.975)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_quantiles_are_those_of_the_printed_tables() {
        // Abramowitz and Stegun, table 26.10, two-sided 95 %.
        for (degrees, expected) in [(1, 12.706), (2, 4.303), (9, 2.262), (29, 2.045), (99, 1.984)] {
            assert!((t_quantile_975(degrees) - expected).abs() < 6e-4, "{degrees}");
        }
    }

    #[test]
    fn a_known_sample() {
        let summary = Summary::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert_eq!((summary.mean, summary.min, summary.max), (5.0, 2.0, 9.0));
        let std = summary.std.unwrap();
        assert!((std - (32.0f64 / 7.0).sqrt()).abs() < 1e-12);
        let [low, high] = summary.ci95.unwrap();
        assert!((high - 5.0 - 2.3646 * std / 8f64.sqrt()).abs() < 1e-3 && (low + high - 10.0).abs() < 1e-12);
    }

    #[test]
    fn one_trial_has_no_spread() {
        let summary = Summary::of(&[0.5]).unwrap();
        assert_eq!((summary.mean, summary.std, summary.ci95), (0.5, None, None));
        assert_eq!(Summary::of(&[]), None);
    }
}

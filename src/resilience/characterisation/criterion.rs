//! When enough devices were measured to say that a design seems to meet the floor, or not: by Student's t at every device, as if it
//! were the only look. That is quick, and wrong more often than its error rate says: a search sorts by it, and what it finds is
//! confirmed.

use super::Error;
use crate::campaign::Summary;
use crate::resilience::student;
use serde::Serialize;

/// Devices of the first verdict.
pub(super) const LEAST_TRIALS: u64 = 3;

/// Whether the mean relative prediction accuracy over devices is at or above the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DesignVerdict {
    /// It is.
    #[serde(rename = "above")]
    Meets,
    /// It is not.
    #[serde(rename = "below")]
    Fails,
    /// Not as surely as was asked for.
    Undecided,
}

/// What was measured of a design.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// Whether it meets the floor.
    pub verdict: DesignVerdict,
    /// Devices measured.
    pub trials: u64,
    /// Mean relative prediction accuracy over them.
    pub rpa_mean: f64,
    /// Bound above which the true mean is with this confidence, one-sided, by Student's t, if the number of devices were fixed.
    pub rpa_lower: f64,
    /// Confidence of the bound, in (0.5, 1).
    pub confidence: f64,
}

/// How surely the floor is to be met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Criterion {
    pub floor: f64,
    /// Probability of a wrong verdict, if one look were all.
    pub error_rate: f64,
    /// Devices after which nothing is decided.
    pub most_trials: u64,
}

impl Criterion {
    /// Measures devices until the verdict is sure enough. `rpa` gives the relative accuracy of device 0, 1, 2, ...
    ///
    /// # Errors
    /// Those of `rpa`.
    pub fn judge(&self, mut rpa: impl FnMut(u64) -> Result<f64, Error>) -> Result<Judgement, Error> {
        let mut values = Vec::new();
        loop {
            values.push(rpa(values.len() as u64)?);
            let trials = values.len() as u64;
            if trials < LEAST_TRIALS {
                continue;
            }
            let judgement = self.of(&values);
            if judgement.verdict != DesignVerdict::Undecided || trials >= self.most_trials {
                return Ok(judgement);
            }
        }
    }

    /// What `values`, at least one, say.
    pub fn of(&self, values: &[f64]) -> Judgement {
        let summary = Summary::of(values).expect("there is a value for every device");
        let half = summary.std.map_or(f64::INFINITY, |std| {
            let count = values.len() as f64;
            student::upper_quantile(self.error_rate, values.len() - 1) * std / count.sqrt()
        });
        let verdict = if summary.mean - half >= self.floor {
            DesignVerdict::Meets
        } else if summary.mean + half < self.floor {
            DesignVerdict::Fails
        } else {
            DesignVerdict::Undecided
        };
        Judgement {
            verdict,
            trials: values.len() as u64,
            rpa_mean: summary.mean,
            rpa_lower: summary.mean - half,
            confidence: 1.0 - self.error_rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(criterion: Criterion, values: &[f64]) -> Judgement {
        criterion.judge(|trial| Ok(values[trial as usize % values.len()])).unwrap()
    }

    #[test]
    fn clear_cases_take_three_devices_and_unclear_ones_all() {
        let criterion = Criterion { floor: 0.97, error_rate: 0.05, most_trials: 20 };
        let clear = judged(criterion, &[0.991, 0.989, 0.990]);
        assert_eq!((clear.verdict, clear.trials), (DesignVerdict::Meets, 3));
        let clear = judged(criterion, &[0.5, 0.6, 0.55]);
        assert_eq!((clear.verdict, clear.trials), (DesignVerdict::Fails, 3));
        let unclear = judged(criterion, &[0.90, 0.99, 1.0]);
        assert_eq!((unclear.verdict, unclear.trials), (DesignVerdict::Undecided, 20));
        let same = judged(criterion, &[0.97]);
        assert_eq!((same.verdict, same.rpa_mean, same.rpa_lower), (DesignVerdict::Meets, 0.97, 0.97));
    }

    /// Abramowitz and Stegun, table 26.10: the 95 % quantile for 9 degrees of freedom is 1.833.
    #[test]
    fn the_bound_is_that_of_students_t() {
        let values: Vec<f64> = (0..10).map(|index| 0.98 + 0.001 * f64::from(index)).collect();
        let judgement = Criterion { floor: 0.97, error_rate: 0.05, most_trials: 10 }.of(&values);
        let std = 0.001 * (110.0_f64 / 12.0).sqrt();
        assert!((judgement.rpa_lower - (0.9845 - 1.833 * std / 10f64.sqrt())).abs() < 1e-6);
        assert_eq!((judgement.verdict, judgement.trials), (DesignVerdict::Meets, 10));
    }
}

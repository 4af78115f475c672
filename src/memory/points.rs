//! Published points of a curve.

use serde::{Serialize, Serializer};
use thiserror::Error;

/// Why points are no curve of bit error rates.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum Error {
    /// Less than two points: no line goes through them.
    #[error("a curve needs at least two points, not {0}")]
    Few(usize),
    /// An abscissa that is not above the one before, the first not above 0, or one that is not finite.
    #[error("point {index}: {x} is not a finite number above {before}")]
    Order {
        /// Index of the point, from 0.
        index: usize,
        /// Its abscissa.
        x: f64,
        /// That of the point before; 0 for the first.
        before: f64,
    },
    /// A rate that is 0 or less, 1 or more, or NaN: it has no finite quantile.
    #[error("point {index}: a bit error rate between 0 and 1 is needed, not {rate}")]
    Rate {
        /// Index of the point, from 0.
        index: usize,
        /// The rate.
        rate: f64,
    },
    /// Two rates that run against the knob: maps of cells could not be nested.
    #[error("point {index}: the rate {rate} must not be {} the one before it, {before}", if *falls { "above" } else { "below" })]
    Direction {
        /// Index of the point, from 0.
        index: usize,
        /// Its rate.
        rate: f64,
        /// That of the point before.
        before: f64,
        /// Whether the rates must fall.
        falls: bool,
    },
}

/// How the rate changes as the abscissa grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    /// It never rises: voltage.
    Falls,
    /// It never falls: time.
    Rises,
}

/// At least two points (x, bit error rate): x > 0 and strictly rising, rates in (0, 1) and monotone.
#[derive(Clone, Debug, PartialEq)]
pub struct Points(Vec<(f64, f64)>);

impl Points {
    /// Checks `points`.
    ///
    /// # Errors
    /// [`enum@Error`] if they are not as this type says, or run against `trend`.
    pub fn new(points: Vec<(f64, f64)>, trend: Trend) -> Result<Self, Error> {
        if points.len() < 2 {
            return Err(Error::Few(points.len()));
        }
        let mut before: Option<(f64, f64)> = None;
        for (index, &(x, rate)) in points.iter().enumerate() {
            let least = before.map_or(0.0, |(x, _)| x);
            if !(x > least && x.is_finite()) {
                return Err(Error::Order { index, x, before: least });
            }
            if !(rate > 0.0 && rate < 1.0) {
                return Err(Error::Rate { index, rate });
            }
            let falls = trend == Trend::Falls;
            if let Some((_, last)) = before
                && (if falls { rate > last } else { rate < last })
            {
                return Err(Error::Direction { index, rate, before: last, falls });
            }
            before = Some((x, rate));
        }
        Ok(Self(points))
    }

    /// The points, by rising x.
    pub fn get(&self) -> &[(f64, f64)] {
        &self.0
    }

    /// Smallest and largest x.
    pub fn range(&self) -> [f64; 2] {
        [self.0[0].0, self.0[self.0.len() - 1].0]
    }

    /// The two points between which `x` lies, the outermost two where it lies outside.
    pub(in crate::memory) fn around(&self, x: f64) -> [(f64, f64); 2] {
        let above = self.0.partition_point(|&(at, _)| at <= x).clamp(1, self.0.len() - 1);
        [self.0[above - 1], self.0[above]]
    }
}

impl Serialize for Points {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_curves_are_accepted() {
        let falling = |points: &[(f64, f64)]| Points::new(points.to_vec(), Trend::Falls);
        let curve = falling(&[(0.5, 0.1), (0.6, 0.01), (0.7, 0.01)]).unwrap();
        assert_eq!(curve.range(), [0.5, 0.7]);
        assert_eq!(curve.around(0.1), [(0.5, 0.1), (0.6, 0.01)]);
        assert_eq!(curve.around(0.6), [(0.6, 0.01), (0.7, 0.01)]);
        assert_eq!(curve.around(9.0), [(0.6, 0.01), (0.7, 0.01)]);
        assert_eq!(falling(&[(0.5, 0.1)]), Err(Error::Few(1)));
        assert_eq!(falling(&[(0.5, 0.1), (0.5, 0.01)]), Err(Error::Order { index: 1, x: 0.5, before: 0.5 }));
        assert!(
            falling(&[(f64::NAN, 0.1), (0.5, 0.01)]).is_err() && falling(&[(0.0, 0.1), (0.5, 0.01)]).is_err()
        );
        assert_eq!(falling(&[(0.5, 0.1), (1.0, 0.0)]), Err(Error::Rate { index: 1, rate: 0.0 }));
        let against = Error::Direction { index: 1, rate: 0.2, before: 0.1, falls: true };
        assert_eq!(falling(&[(0.5, 0.1), (0.6, 0.2)]), Err(against));
        assert_eq!(against.to_string(), "point 1: the rate 0.2 must not be above the one before it, 0.1");
        assert!(Points::new(vec![(0.5, 0.1), (0.6, 0.2)], Trend::Rises).is_ok());
    }
}

//! The published joint scheme: data join one by one.

use super::measured::{Measured, Measurements, Scheme, WIDEST_BITS, Widths, gain_loss};
use super::{Error, SingleDatum};
use serde::Serialize;

/// What schemes have to meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Conditions {
    /// Least relative prediction accuracy, 0..=1.
    pub floor: f64,
    /// Least data volume reduction per loss of relative prediction accuracy, >= 0.
    pub gain_loss_floor: f64,
}

impl Conditions {
    /// Why predictions with a data volume reduction of `dvr` do not do.
    pub fn refuse(&self, measured: &Measured, dvr: f64) -> Option<Refusal> {
        if measured.rpa < self.floor {
            return Some(Refusal::Floor);
        }
        let gain_loss = gain_loss(dvr, 1.0 - measured.rpa);
        gain_loss.is_some_and(|ratio| ratio < self.gain_loss_floor).then_some(Refusal::GainLoss)
    }
}

/// Why a width or a whole step is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Relative prediction accuracy is below the floor.
    Floor,
    /// The scheme reduces the data volume by too little for what it loses.
    GainLoss,
    /// The datum has no width that meets the floor even alone.
    NoSingleWidth,
}

/// A width that was tried for the datum that joins.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attempt {
    /// Its width, 1..=32.
    pub bits: u32,
    /// Predictions of all joined data together.
    #[serde(flatten)]
    pub measured: Measured,
    /// Data volume reduction of all joined data per loss of relative prediction accuracy; `None` where nothing is lost.
    pub gain_loss: Option<f64>,
    /// Whether nothing is lost.
    pub no_loss: bool,
    /// Why it does not do.
    pub refused: Option<Refusal>,
}

/// A datum joins those before it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Index in [`Subject::data`](super::Subject::data).
    pub datum: usize,
    /// Its name.
    pub name: String,
    /// Words in the data volume.
    pub words: u64,
    /// Share of the data volume, 0..=1.
    pub share: f64,
    /// Its width alone, from which it is widened.
    pub single_bits: Option<u32>,
    /// Whether it joined.
    pub taken: bool,
    /// Its width.
    pub bits: Option<u32>,
    /// Why it did not join: the floor, where no width meets that, else gain per loss.
    pub refused: Option<Refusal>,
    /// Every width tried, the narrowest first.
    pub attempts: Vec<Attempt>,
    /// All data that have joined so far.
    pub scheme: Scheme,
    /// What this step adds to the reduction, per accuracy that it loses; `None` where it loses none, or was not taken.
    pub step_gain_loss: Option<f64>,
    /// Whether relative prediction accuracy did not fall in this step.
    pub step_no_loss: bool,
}

/// Joins `data` in their order, each with its width alone, widened bit by bit until the conditions hold. A step for which
/// no width does is not taken.
///
/// # Errors
/// Those of measuring.
pub(super) fn greedy(
    measurements: &mut Measurements<'_>,
    data: &[SingleDatum],
    conditions: Conditions,
) -> Result<Vec<Step>, Error> {
    let mut widths = Widths::new();
    let unapproximated = measurements.measure(&widths)?;
    let mut reached = measurements.scheme(&widths, unapproximated);
    let mut steps = Vec::new();
    for single in data {
        let attempts = attempts(measurements, &mut widths, single, conditions)?;
        let taken = attempts.last().filter(|attempt| attempt.refused.is_none());
        let before = reached.clone();
        if let Some(taken) = taken {
            reached = measurements.scheme(&widths, taken.measured);
        }
        let loss = before.measured.rpa - reached.measured.rpa;
        steps.push(Step {
            datum: single.datum,
            name: single.name.clone(),
            words: single.words,
            share: single.share,
            single_bits: single.bits,
            taken: taken.is_some(),
            bits: taken.map(|attempt| attempt.bits),
            refused: if taken.is_some() { None } else { Some(refusal(&attempts)) },
            scheme: reached.clone(),
            step_gain_loss: gain_loss(reached.dvr - before.dvr, loss),
            step_no_loss: loss <= 0.0,
            attempts,
        });
    }
    Ok(steps)
}

/// Tries widths of the datum that joins `widths`, to which the first one that does is added.
fn attempts(
    measurements: &mut Measurements<'_>,
    widths: &mut Widths,
    single: &SingleDatum,
    conditions: Conditions,
) -> Result<Vec<Attempt>, Error> {
    let mut attempts = Vec::new();
    let Some(least) = single.bits else { return Ok(attempts) };
    for bits in least..=WIDEST_BITS {
        widths.push((single.datum, bits));
        let measured = measurements.measure(widths)?;
        let scheme = measurements.scheme(widths, measured);
        let refused = conditions.refuse(&measured, scheme.dvr);
        let Scheme { gain_loss, no_loss, .. } = scheme;
        attempts.push(Attempt { bits, measured, gain_loss, no_loss, refused });
        if refused.is_none() {
            break;
        }
        widths.pop();
    }
    Ok(attempts)
}

/// Why none of `attempts` did.
fn refusal(attempts: &[Attempt]) -> Refusal {
    match attempts {
        [] => Refusal::NoSingleWidth,
        tried if tried.iter().any(|attempt| attempt.refused == Some(Refusal::GainLoss)) => Refusal::GainLoss,
        _ => Refusal::Floor,
    }
}

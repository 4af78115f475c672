//! Module 2: words of several data narrowed together.

use super::front::{explore, front};
use super::greedy::{Conditions, Step, greedy};
use super::measured::{Measurements, Narrowed, Scheme, Widths};
use super::search::search;
use super::{Error, Policy, Settings, SinglePolicy, Subject};
use crate::campaign::Schemes;
use serde::Serialize;

/// Data narrowed together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Joint {
    /// How words are narrowed.
    pub policy: Policy,
    /// Relative prediction accuracy that has to be met, 0..=1.
    pub floor: f64,
    /// Data volume reduction per loss of relative prediction accuracy that has to be met.
    pub gain_loss_floor: f64,
    /// Whether predictions were compared with labels; else accuracy is agreement with the unapproximated network.
    pub labelled: bool,
    /// Bits of the whole data volume for one image in fp32.
    pub volume_bits_fp32: u64,
    /// The published way: data join in the order of size.
    pub steps: Vec<Step>,
    /// What it ends with.
    pub greedy: Scheme,
    /// Forward passes that it took beside those of the single data.
    pub greedy_passes: u64,
    /// A better scheme, if there is one.
    pub search: Search,
    /// Of all schemes measured, single data and the unapproximated design included, those that no other one beats in volume
    /// and accuracy, the smallest volume first.
    pub front: Vec<Scheme>,
    /// Forward passes for further points of the front.
    pub front_passes: u64,
    /// Multiply-accumulates for one image that were computed, over all passes.
    pub macs_per_image: u64,
}

/// The search for a scheme of less volume than the greedy one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Search {
    /// The best scheme found; the greedy one where that is.
    pub scheme: Scheme,
    /// Bits of data volume by which it is smaller than the greedy one.
    pub gain_bits: u64,
    /// What it adds to the greedy one's data volume reduction.
    pub gain_dvr: f64,
    /// Forward passes that it took beside those of greedy.
    pub passes: u64,
    /// Passes after which it had to end.
    pub most_passes: u64,
    /// Whether it ended for that reason. Else every smaller scheme was ruled out, as far as narrowing a datum never helps.
    pub exhausted: bool,
}

/// Module 2: joins the data of `single`, a result of [`single`](super::single()) for this subject, one by one and then looks for a
/// scheme of less volume; `progress` is told what is measured.
///
/// # Errors
/// [`Error::NothingRight`] without an accuracy to be relative to; [`Error::Campaign`] if a scheme cannot be measured.
pub fn joint<'a>(
    subject: &Subject<'a>,
    schemes: &mut Schemes<'a>,
    single: &SinglePolicy,
    settings: &Settings,
    progress: &dyn Fn(&str),
) -> Result<Joint, Error> {
    let mut predictor = Narrowed { subject, schemes, policy: single.policy, progress };
    let mut measurements = Measurements::new(&mut predictor, subject.data(), subject.volume_words());
    joined(&mut measurements, single, settings, subject.prepared().is_labelled())
}

fn joined(
    measurements: &mut Measurements<'_>,
    single: &SinglePolicy,
    settings: &Settings,
    labelled: bool,
) -> Result<Joint, Error> {
    for datum in &single.data {
        for point in &datum.points {
            measurements.know(vec![(datum.datum, point.bits)], point.measured);
        }
    }
    let before = measurements.effort();
    let conditions = Conditions { floor: settings.floor, gain_loss_floor: settings.gain_loss_floor };
    let steps = greedy(measurements, &single.data, conditions)?;
    let greedy_effort = measurements.effort();
    let taken: Widths = steps.iter().filter_map(|step| Some((step.datum, step.bits?))).collect();
    let most_passes = settings.search.most_passes;
    let found = search(measurements, &single.data, &taken, conditions, most_passes)?;
    let search_effort = measurements.effort();
    explore(measurements, &found.widths, settings.floor, settings.search.front_passes)?;
    let effort = measurements.effort();

    let mut scheme = |widths: &Widths| -> Result<Scheme, Error> {
        let measured = measurements.measure(widths)?;
        Ok(measurements.scheme(widths, measured))
    };
    let (greedy, best) = (scheme(&taken)?, scheme(&found.widths)?);
    let search = Search {
        gain_bits: greedy.volume_bits - best.volume_bits,
        gain_dvr: best.dvr - greedy.dvr,
        scheme: best,
        passes: search_effort.passes - greedy_effort.passes,
        most_passes,
        exhausted: found.exhausted,
    };
    Ok(Joint {
        policy: single.policy,
        floor: settings.floor,
        gain_loss_floor: settings.gain_loss_floor,
        labelled,
        volume_bits_fp32: measurements.bits_fp32(),
        steps,
        greedy,
        greedy_passes: greedy_effort.passes - before.passes,
        search,
        front: front(measurements),
        front_passes: effort.passes - search_effort.passes,
        macs_per_image: u64::try_from(effort.macs_per_image - before.macs_per_image).unwrap_or(u64::MAX),
    })
}

#[cfg(test)]
mod tests;

//! Module 1: the narrowest words of each datum alone.

use super::measured::{Measurements, Narrowed, WIDEST_BITS};
use super::narrowest::{self, Point};
use super::{Datum, Error, Policy, Settings, Subject};
use crate::campaign::{Effort, Schemes};
use crate::network::{Network, Operand};
use crate::number::BinaryPoint;
use serde::{Serialize, Serializer};
use std::fmt;

/// The narrowest words of each datum alone, for every policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Single {
    /// Relative prediction accuracy that had to be met, 0..=1.
    pub floor: f64,
    /// Whether predictions were compared with labels; else accuracy is agreement with the unapproximated network.
    pub labelled: bool,
    /// Images evaluated.
    pub images: u64,
    /// Images that the unapproximated network classifies right.
    pub baseline_top1_correct: u64,
    /// One per policy, in the order of the settings.
    pub policies: Vec<SinglePolicy>,
}

/// The narrowest words of each datum alone, narrowed in one way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SinglePolicy {
    /// How words were narrowed.
    pub policy: Policy,
    /// The selected data, largest first.
    pub data: Vec<SingleDatum>,
}

/// The narrowest words of one datum, all others being fp32.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SingleDatum {
    /// Index in [`Subject::data`].
    pub datum: usize,
    /// Its name.
    pub name: String,
    /// Other readers of the same blob.
    pub shared_with: Vec<String>,
    /// Which operand it is.
    pub operand: Operand,
    /// Words in the data volume.
    pub words: u64,
    /// Share of the data volume, 0..=1.
    pub share: f64,
    /// The width at which the flow that comes down from 32 bits stops: its last one that meets the floor.
    pub bits: Option<u32>,
    /// Why there is none.
    pub reason: Option<NoWidth>,
    /// The narrowest of all measured widths that meets the floor.
    pub smallest_passing_bits: Option<u32>,
    /// Whether every measured width from `bits` on meets the floor and none below does.
    pub monotone: bool,
    /// Widths below `bits` that meet the floor all the same, the widest first.
    pub contradicting_bits: Vec<u32>,
    /// Whether all 32 widths were measured; else those of the bisection and two on either side of the answer.
    pub whole_curve: bool,
    /// Bits of the data volume that need not be moved for one image.
    pub volume_saved_bits: Option<u64>,
    /// Data volume reduction (eq. 1 of Chen et al., GLSVLSI'17): share x (32 - bits) / 32.
    pub dvr: Option<f64>,
    /// Every width measured, the widest first.
    pub points: Vec<Point>,
    /// Forward passes made.
    pub passes: u64,
    /// Forward passes that the published flow makes: 32 bits, then one less each time until the floor is missed.
    pub published_passes: u64,
    /// Multiply-accumulates for one image that were computed: passes start at the first layer that reads the datum.
    pub macs_per_image: u64,
    /// Those of the published flow, of the whole network in each pass.
    pub published_macs_per_image: u64,
}

/// Why a datum has no width that meets the floor. It is serialised as a sentence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoWidth {
    /// 32 bits of fixed point, the widest word of the flow, do not.
    BelowFloor {
        /// Relative prediction accuracy with 32 bits.
        rpa: f64,
    },
    /// 32 bits do not, and the binary point that was asked for leaves too few integer bits.
    Saturated {
        /// Integer bits asked for.
        integer_bits: i32,
        /// Integer bits of the largest value.
        needed: i32,
        /// Relative prediction accuracy with 32 bits.
        rpa: f64,
    },
}

impl fmt::Display for NoWidth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::BelowFloor { rpa } | Self::Saturated { rpa, .. }) = self;
        write!(formatter, "no width meets the floor: with 32 bits RPA is {:.2} %", rpa * 100.0)?;
        match self {
            Self::BelowFloor { .. } => Ok(()),
            Self::Saturated { integer_bits, needed, .. } => {
                write!(formatter, "; values saturate, {integer_bits} integer bits where they need {needed}")
            }
        }
    }
}

impl Serialize for NoWidth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Module 1: narrows each selected datum alone to the fewest bits that meet the floor, for every policy of `settings`; `progress` is
/// told what is measured.
///
/// # Errors
/// [`Error::NothingRight`] without an accuracy to be relative to; [`Error::Campaign`] if a scheme cannot be measured.
pub fn single<'a>(
    subject: &Subject<'a>,
    schemes: &mut Schemes<'a>,
    settings: &Settings,
    progress: &dyn Fn(&str),
) -> Result<Single, Error> {
    let baseline = schemes.baseline();
    let (images, baseline_top1_correct) = (baseline.images, baseline.top1_correct);
    if baseline_top1_correct == 0 {
        return Err(Error::NothingRight { images });
    }
    let selected = subject.selected(settings.selection);
    let mut policies = Vec::new();
    for &policy in &settings.policies {
        let mut predictor = Narrowed { subject, schemes: &mut *schemes, policy, progress };
        let mut measurements = Measurements::new(&mut predictor, subject.data(), subject.volume_words());
        let mut data = Vec::new();
        for (index, datum) in selected.iter().enumerate() {
            data.push(narrowed(subject, &mut measurements, settings, policy, index, datum)?);
        }
        policies.push(SinglePolicy { policy, data });
    }
    let labelled = subject.prepared().is_labelled();
    Ok(Single { floor: settings.floor, labelled, images, baseline_top1_correct, policies })
}

/// Narrows one datum.
fn narrowed(
    subject: &Subject<'_>,
    measurements: &mut Measurements<'_>,
    settings: &Settings,
    policy: Policy,
    index: usize,
    datum: &Datum,
) -> Result<SingleDatum, Error> {
    let before = measurements.effort();
    let search = if settings.curves { narrowest::whole } else { narrowest::bisected };
    let found = search(settings.floor, &mut |bits| measurements.measure(&[(index, bits)]))?;
    let Effort { passes, macs_per_image } = measurements.effort();
    let reason = match found.bits {
        Some(_) => None,
        None => Some(no_width(subject, policy, index, &found.points)?),
    };
    let published_passes = u64::from(published_passes(found.bits));
    let scheme = |bits| measurements.volume_bits(&[(index, bits)]);
    Ok(SingleDatum {
        datum: index,
        name: datum.name.clone(),
        shared_with: datum.shared_with.clone(),
        operand: datum.operand,
        words: datum.words,
        share: datum.share,
        bits: found.bits,
        reason,
        smallest_passing_bits: found.smallest_passing,
        monotone: found.contradicting.is_empty(),
        contradicting_bits: found.contradicting,
        whole_curve: settings.curves,
        volume_saved_bits: found.bits.map(|bits| measurements.bits_fp32() - scheme(bits)),
        dvr: found.bits.map(|bits| measurements.dvr(scheme(bits))),
        points: found.points,
        passes: passes - before.passes,
        published_passes,
        macs_per_image: saturated(macs_per_image - before.macs_per_image),
        published_macs_per_image: network_macs(subject.prepared().network()).saturating_mul(published_passes),
    })
}

/// Passes of the flow that comes down from 32 bits: one for each width that meets the floor, and the one that does not.
fn published_passes(bits: Option<u32>) -> u32 {
    match bits {
        None => 1,
        Some(bits) => (WIDEST_BITS - bits + 2).min(WIDEST_BITS),
    }
}

/// More than a `u64` holds is no network that can be run.
fn saturated(macs: u128) -> u64 {
    u64::try_from(macs).unwrap_or(u64::MAX)
}

/// Multiply-accumulates of the whole network for one image.
fn network_macs(network: &Network) -> u64 {
    network.layers_with_ids().map(|(id, _)| network.macs(id)).sum()
}

/// Why 32 bits of datum `index` miss the floor. Its points begin with them.
fn no_width(subject: &Subject<'_>, policy: Policy, index: usize, points: &[Point]) -> Result<NoWidth, Error> {
    let rpa = points.first().map_or(0.0, |widest| widest.measured.rpa);
    let BinaryPoint::At(integer_bits) = policy.binary_point else {
        return Ok(NoWidth::BelowFloor { rpa });
    };
    let own = Policy { binary_point: BinaryPoint::Subset, ..policy };
    let prepared = subject.prepared();
    let words = subject
        .narrowed(&[(index, WIDEST_BITS)], own)
        .words(prepared.network(), prepared.neuron_ranges())
        .map_err(crate::campaign::Error::from)?;
    let member = subject.data()[index].members.first();
    let needed = member.and_then(|&member| words[member].home.integer_bits());
    Ok(match needed {
        Some(needed) if needed > integer_bits => NoWidth::Saturated { integer_bits, needed, rpa },
        _ => NoWidth::BelowFloor { rpa },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_flow_stops_at_the_first_failure() {
        // 32 only; 32, 31; 32 down to 2 and 1, which fails; all.
        let expected = [(None, 1), (Some(32), 2), (Some(2), 32), (Some(1), 32), (Some(5), 29)];
        for (bits, passes) in expected {
            assert_eq!(published_passes(bits), passes, "{bits:?}");
        }
    }

    #[test]
    fn reasons_are_sentences_in_json() {
        let reason = NoWidth::Saturated { integer_bits: -8, needed: 2, rpa: 0.1135 };
        let expected = "no width meets the floor: with 32 bits RPA is 11.35 %; values saturate, -8 integer bits where they \
                        need 2";
        assert_eq!(serde_json::to_value(reason).unwrap(), expected);
    }
}

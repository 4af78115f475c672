//! The stored words of every data subset, once the ranges of its values are known.

use super::{Experiment, StoredSubset};
use crate::network::{BlobId, Network, Operand, Parameter};
use crate::number::{BinaryPoint, Codec, Error, Format, Granularity, Narrowing, Range};
use std::collections::BTreeMap;

/// The words of one data subset: at home, on the link, and as delivered to the arithmetic.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    /// The word in the home memory.
    pub home: Codec,
    /// The step that the link takes, where it narrows the word.
    pub narrowing: Option<Narrowing>,
    /// The word behind the last stop.
    pub delivered: Codec,
}

impl Words {
    fn new(home: Codec, stored: &StoredSubset, experiment: &Experiment) -> Result<Self, Error> {
        if stored.link_bits == home.bits() {
            return Ok(Self { delivered: home.clone(), home, narrowing: None });
        }
        let (delivered, narrowing) = home.narrowed(stored.link_bits, experiment.link.rounding)?;
        Ok(Self { home, narrowing: Some(narrowing), delivered })
    }

    /// Whether every value is delivered as it is when nothing errs.
    pub fn is_identity(&self) -> bool {
        self.home.is_identity() && self.narrowing.is_none()
    }

    /// Replaces values by what their words deliver when nothing errs; `values` are the words from `first_index` on.
    pub fn deliver_all(&self, first_index: usize, values: &mut [f32]) {
        if self.narrowing.is_none() {
            return self.home.quantise(first_index, values);
        }
        for (index, value) in values.iter_mut().enumerate() {
            *value = self.deliver(first_index + index, *value);
        }
    }

    /// The value that word `index` of the data subset delivers when nothing errs.
    pub fn deliver(&self, index: usize, value: f32) -> f32 {
        let code = self.home.encode(index, value);
        let code = self.narrowing.map_or(code, |narrowing| narrowing.apply(code));
        self.delivered.decode(index, code)
    }
}

impl Experiment {
    /// The words of every data subset, in the order of [`Experiment::subsets`]. `neurons` holds the range of each blob
    /// that a neuron subset stores, from an error-free pass over the calibration images.
    ///
    /// # Errors
    /// If a width is impossible (see [`Codec::new`] and [`Codec::narrowed`]), or a word is to be the code of a quantised
    /// network that does not quantise it.
    ///
    /// # Panics
    /// If the network's parameters have no values, or `neurons` lacks a blob.
    pub fn words(&self, network: &Network, neurons: &BTreeMap<BlobId, Range>) -> Result<Vec<Words>, Error> {
        let ranges: Vec<Vec<Range>> =
            self.subsets.iter().map(|stored| subset_ranges(stored, network, neurons)).collect();
        let shared = shared_range(&self.subsets, &ranges);
        let words = self.subsets.iter().zip(ranges).map(|(stored, ranges)| {
            let ranges = match stored.format {
                Format::Fixed { binary_point: BinaryPoint::Network, .. } => vec![shared],
                _ => ranges,
            };
            let home = match (stored.format, network.quantisation(&stored.subset)) {
                (Format::Int8 { granularity: Granularity::Model }, Some(quantisation)) => {
                    Codec::of_model(quantisation)
                }
                (format, _) => Codec::new(&format, &ranges, stored.subset.words as usize)?,
            };
            Words::new(home, stored, self)
        });
        words.collect()
    }
}

/// The range of all data subsets that share the network's binary point.
fn shared_range(subsets: &[StoredSubset], ranges: &[Vec<Range>]) -> Range {
    let shares = |format| matches!(format, Format::Fixed { binary_point: BinaryPoint::Network, .. });
    let sharing = subsets.iter().zip(ranges).filter(|(stored, _)| shares(stored.format));
    sharing.flat_map(|(_, ranges)| ranges.iter().copied()).fold(Range::default(), Range::union)
}

fn subset_ranges(stored: &StoredSubset, network: &Network, neurons: &BTreeMap<BlobId, Range>) -> Vec<Range> {
    let layer = network.layer(stored.subset.layer);
    let parameter = match stored.subset.operand {
        Operand::Weight => layer.weight.as_ref(),
        Operand::Bias => layer.bias.as_ref(),
        Operand::Neuron => {
            let blob = stored.subset.blob.expect("a neuron subset holds a blob");
            return vec![neurons[&blob]];
        }
    };
    let parameter = parameter.expect("a weight or bias subset belongs to a layer that has it");
    match stored.format {
        Format::Int8 { granularity: Granularity::Channel } => channel_ranges(parameter),
        _ => vec![Range::of(values(parameter))],
    }
}

fn channel_ranges(parameter: &Parameter) -> Vec<Range> {
    let words_per_channel = (parameter.words() / parameter.dims[0]).max(1);
    values(parameter).chunks(words_per_channel).map(Range::of).collect()
}

fn values(parameter: &Parameter) -> &[f32] {
    parameter.values.as_deref().expect("an experiment runs on a network whose weights are loaded")
}

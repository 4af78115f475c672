//! Data volume of an experiment: words, stored bits, moved bits.

use super::{Experiment, Stop, StoredSubset};
use serde::Serialize;

/// Bits of one binary32 word, the unit of the reduction (eq. 1 of Chen et al., GLSVLSI'17).
const BASELINE_BITS: u64 = 32;

/// Data volume for one image: all weights, all biases and the inputs of convolutions and fully connected layers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Volume {
    /// Number of words.
    pub words: u64,
    /// Bits of all words in fp32.
    pub bits_fp32: u64,
    /// Bits of all words in their home memories.
    pub bits_stored: u64,
    /// Bits moved when every word crosses the off-chip link once, at its width there.
    pub bits_moved: u64,
    /// Share of `bits_fp32` that need not be moved: 1 - `bits_moved` / `bits_fp32`.
    pub reduction: f64,
}

impl Volume {
    /// The volume of `experiment`.
    pub fn of(experiment: &Experiment) -> Self {
        let counted = || experiment.subsets.iter().filter(|stored| stored.subset.in_volume);
        let sum = |bits: fn(&StoredSubset) -> u32| -> u64 {
            counted().map(|stored| stored.subset.words * u64::from(bits(stored))).sum()
        };
        let words: u64 = counted().map(|stored| stored.subset.words).sum();
        let bits_fp32 = words * BASELINE_BITS;
        let bits_moved = sum(|stored| stored.link_bits);
        Self {
            words,
            bits_fp32,
            bits_stored: sum(|stored| stored.format.bits()),
            bits_moved,
            reduction: 1.0 - bits_moved as f64 / bits_fp32.max(1) as f64,
        }
    }
}

impl StoredSubset {
    /// Width of the stored word at stop `index` of the path.
    pub fn bits_at(&self, index: usize) -> u32 {
        let behind_link = self.path[..index].contains(&Stop::Link);
        if behind_link { self.link_bits } else { self.format.bits() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::tests::{experiment, stored};
    use crate::number::{BinaryPoint, Format, Rounding};

    #[test]
    fn v17_reduction_of_the_papers_table_4_schemes_on_exact_volumes() {
        // (words of the five largest subsets, their bits), words of all others: Chen et al., tables 2 and 4.
        let alexnet = [(37_748_736, 5), (16_777_216, 5), (4_096_000, 5), (884_736, 8), (663_552, 10)];
        let total = 61_380_259;
        let mut subsets: Vec<_> = alexnet.iter().map(|&(words, bits)| (words, bits)).collect();
        let listed: u64 = subsets.iter().map(|(words, _)| words).sum();
        subsets.push((total - listed, 32));
        let format =
            Format::Fixed { bits: 32, binary_point: BinaryPoint::Subset, rounding: Rounding::NearestEven };
        let subsets = subsets.into_iter().map(|(words, bits)| stored(words, format, bits, vec![])).collect();
        let volume = Volume::of(&experiment(subsets, vec![]));
        assert_eq!((volume.words, volume.bits_stored), (total, total * 32));
        assert!((volume.reduction - 0.8241).abs() < 5e-5, "{}", volume.reduction);
    }

    #[test]
    fn v17_reduction_of_the_papers_table_4_scheme_on_its_printed_shares() {
        // Shares of table 2 of Chen et al. in hundredths of a percent, AlexNet, with the bits of table 4.
        let printed = [(6150, 5), (2733, 5), (667, 5), (144, 8), (108, 10), (10_000 - 9802, 32)];
        let format =
            Format::Fixed { bits: 32, binary_point: BinaryPoint::Subset, rounding: Rounding::NearestEven };
        let subsets = printed.map(|(words, bits)| stored(words, format, bits, vec![]));
        let volume = Volume::of(&experiment(subsets.to_vec(), vec![]));
        assert!((volume.reduction - 0.8240).abs() < 1e-4, "{}", volume.reduction);
    }

    #[test]
    fn the_word_is_narrow_behind_the_link_only() {
        let subset = stored(1, Format::Fp32, 16, vec![Stop::Memory(0), Stop::Link, Stop::Memory(1)]);
        assert_eq!([subset.bits_at(0), subset.bits_at(1), subset.bits_at(2)], [32, 32, 16]);
    }
}

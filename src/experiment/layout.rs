//! Where every data subset rests: the cells of each stop, and what may go wrong there.

use super::{Experiment, Stop};
use crate::memory::residency::Residency;
use crate::memory::{Lifetime, Memory};
use crate::network::Operand;
use std::collections::BTreeMap;

/// One data subset at one memory of its path.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Index in [`Experiment::subsets`].
    pub subset: usize,
    /// Index in the path of the subset.
    pub stop: usize,
    /// Its cells.
    pub residency: Residency,
    /// Top bits of each word in precise cells.
    pub protected_msbs: u32,
    /// Probability that an approximate cell delivers the wrong bit.
    pub bit_error_rate: f64,
    /// Lifetime of the faults.
    pub lifetime: Lifetime,
    /// How often the words are exposed in one trial: once for weights and biases, once per image for neurons.
    pub exposures: u64,
}

impl Site {
    /// Approximate bits that hold the subset.
    pub fn bits_at_risk(&self) -> u64 {
        self.residency.words * u64::from(self.residency.word_bits - self.protected_msbs)
    }

    /// Mean number of wrong bits delivered in one trial (CF1: N·m·p per exposure).
    pub fn expected_flips(&self) -> f64 {
        self.bits_at_risk() as f64 * self.bit_error_rate * self.exposures as f64
    }

    /// Variance of the number of wrong bits delivered in one trial: binomial over independent draws; a permanent fault is
    /// the same draw at every exposure.
    pub fn flip_variance(&self) -> f64 {
        let exposures = self.exposures as f64;
        let once = self.bits_at_risk() as f64 * self.bit_error_rate * (1.0 - self.bit_error_rate);
        match self.lifetime {
            Lifetime::Transient => once * exposures,
            Lifetime::Permanent => once * exposures * exposures,
        }
    }
}

impl Memory {
    /// Lifetime of the faults that strike `operand` here.
    pub fn lifetime_for(&self, operand: Operand) -> Lifetime {
        self.lifetime.unwrap_or(match operand {
            Operand::Weight | Operand::Bias => Lifetime::Permanent,
            Operand::Neuron => Lifetime::Transient,
        })
    }
}

impl Experiment {
    /// Every data subset at every memory of its path, for `images` evaluation images. In each memory the subsets lie one
    /// behind the other in layer order; a blob that several layers read is one site, that of its first reader.
    pub fn sites(&self, images: u64) -> Vec<Site> {
        let mut next_cell = vec![0u64; self.memories.len()];
        let mut stored_blobs = BTreeMap::new();
        let mut sites = Vec::new();
        for (index, stored) in self.subsets.iter().enumerate() {
            if let Some(blob) = stored.subset.blob
                && stored_blobs.insert(blob, index).is_some()
            {
                continue;
            }
            for (stop, memory) in stored.path.iter().enumerate() {
                let &Stop::Memory(memory) = memory else { continue };
                let residency = Residency {
                    memory,
                    first_cell: next_cell[memory],
                    word_bits: stored.bits_at(stop),
                    words: stored.subset.words,
                };
                next_cell[memory] = residency.cells().end;
                let memory = &self.memories[memory];
                sites.push(Site {
                    subset: index,
                    stop,
                    residency,
                    protected_msbs: memory.protected_msbs,
                    bit_error_rate: memory.bit_error_rate(),
                    lifetime: memory.lifetime_for(stored.subset.operand),
                    exposures: if stored.subset.operand == Operand::Neuron { images } else { 1 },
                });
            }
        }
        sites
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::tests::{experiment, memory, neuron, stored};
    use crate::network::BlobId;
    use crate::number::Format;

    #[test]
    fn subsets_lie_one_behind_the_other_in_each_memory() {
        let both = vec![Stop::Memory(0), Stop::Link, Stop::Memory(1)];
        let subsets =
            vec![stored(10, Format::Fp32, 9, both), stored(5, Format::Fp32, 32, vec![Stop::Memory(1)])];
        let sites = experiment(subsets, vec![memory("dram", 1e-3, 2), memory("buffer", 0.0, 0)]).sites(7);
        let cells: Vec<_> =
            sites.iter().map(|site| (site.residency.memory, site.residency.cells())).collect();
        assert_eq!(cells, [(0, 0..320), (1, 0..90), (1, 90..250)]);
        assert_eq!(sites[0].bits_at_risk(), 300);
        assert!((sites[0].expected_flips() - 0.3).abs() < 1e-12);
        assert!((sites[0].flip_variance() - 0.3 * 0.999).abs() < 1e-12);
    }

    #[test]
    fn a_shared_blob_is_stored_once_and_exposed_once_per_image() {
        let path = || vec![Stop::Memory(0)];
        let subsets = vec![neuron("a", BlobId(3), 4, path()), neuron("b", BlobId(3), 4, path())];
        let sites = experiment(subsets, vec![memory("sram", 0.5, 0)]).sites(10);
        assert_eq!(sites.len(), 1);
        assert_eq!((sites[0].lifetime, sites[0].exposures), (Lifetime::Transient, 10));
        assert_eq!(sites[0].expected_flips(), 4.0 * 32.0 * 0.5 * 10.0);
    }
}

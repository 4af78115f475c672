//! What is evaluated: a network with its images, whose data are fp32 and precise unless a search says otherwise.

use super::{Policy, Selection, Target};
use crate::experiment::{Experiment, Prepared, Stop, StoredSubset};
use crate::memory::Memory;
use crate::network::{Operand, Subset};
use crate::number::{BinaryPoint, Format, Range};
use serde::Serialize;

/// Words before they are narrowed: the paper's flow is fp32, 32-bit fixed point, then fewer bits.
const WIDEST_BITS: u32 = 32;

/// Data that are stored as one: a data subset, with the other subsets of the volume that read the same blob.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Datum {
    /// Name of the data subset; of several readers, the first in the order of size and layer.
    pub name: String,
    /// Names of the other subsets that are the same blob: stored once, counted once for each reader.
    pub shared_with: Vec<String>,
    /// Which operand it is.
    pub operand: Operand,
    /// Words in the data volume, over all readers.
    pub words: u64,
    /// Share of the data volume, 0..=1.
    pub share: f64,
    /// Indices of all subsets of the experiment that are these words, readers outside of the volume too.
    #[serde(skip)]
    pub members: Vec<usize>,
}

/// A network with its images; every word in fp32, in precise memory.
#[derive(Debug)]
pub struct Subject<'a> {
    prepared: &'a Prepared,
    precise: Experiment,
    data: Vec<Datum>,
    volume_words: u64,
    /// Integer bits of all data of the volume together.
    network_integer_bits: i32,
}

impl<'a> Subject<'a> {
    /// The network and images of `experiment`. Its formats, link widths, paths and memories do not matter.
    ///
    /// # Panics
    /// If `prepared` was made for another network.
    pub fn new(experiment: &Experiment, prepared: &'a Prepared) -> Self {
        let mut precise = experiment.clone();
        for stored in &mut precise.subsets {
            stored.format = Format::Fp32;
            stored.link_bits = WIDEST_BITS;
            stored.path.clear();
        }
        precise.memories.clear();
        (precise.accelerator, precise.trace, precise.running, precise.erring) = (None, None, None, None);
        let network = prepared.network();
        let dominant = network.dominant_subsets();
        let data = data(&dominant, &precise.subsets, network.volume_words());
        let range =
            dominant.iter().map(|subset| range(subset, prepared)).fold(Range::default(), Range::union);
        Self {
            prepared,
            precise,
            data,
            volume_words: network.volume_words(),
            network_integer_bits: range.integer_bits(),
        }
    }

    /// The network, its images and its error-free pass.
    pub fn prepared(&self) -> &'a Prepared {
        self.prepared
    }

    /// Everything in fp32 and precise.
    pub fn precise(&self) -> &Experiment {
        &self.precise
    }

    /// All data of the volume, largest first; of equal sizes the later layer first.
    pub fn data(&self) -> &[Datum] {
        &self.data
    }

    /// The first of [`Self::data`], as many as `selection` asks for.
    pub fn selected(&self, selection: Selection) -> &[Datum] {
        let count = match selection {
            Selection::Largest(count) => count.min(self.data.len()),
            Selection::All => self.data.len(),
            Selection::Cover(share) => {
                let mut covered = 0;
                let least = share * self.volume_words as f64;
                let reached = self.data.iter().position(|datum| {
                    covered += datum.words;
                    covered as f64 >= least
                });
                reached.map_or(self.data.len(), |index| index + 1)
            }
        };
        &self.data[..count]
    }

    /// Words of the data volume.
    pub fn volume_words(&self) -> u64 {
        self.volume_words
    }

    /// Data narrowed from 32-bit fixed point to `widths`, pairs of an index of [`Self::data`] and a number of bits in 1..=32;
    /// all else fp32.
    ///
    /// # Panics
    /// If an index is none of [`Self::data`].
    pub fn narrowed(&self, widths: &[(usize, u32)], policy: Policy) -> Experiment {
        let mut experiment = self.precise.clone();
        experiment.link.rounding = policy.rounding;
        let format = Format::Fixed {
            bits: WIDEST_BITS,
            binary_point: self.binary_point(policy.binary_point),
            rounding: policy.rounding,
        };
        for &(datum, bits) in widths {
            for &member in &self.data[datum].members {
                let stored = &mut experiment.subsets[member];
                (stored.format, stored.link_bits) = (format, bits);
                stored.path = vec![Stop::Link];
            }
        }
        experiment
    }

    /// Data stored in `memory`, pairs of an index of [`Self::data`] and their word; all else fp32 and precise.
    ///
    /// # Panics
    /// If an index is none of [`Self::data`].
    pub fn stored(&self, words: &[(usize, Format)], memory: Memory) -> Experiment {
        let mut experiment = self.precise.clone();
        experiment.memories = vec![memory];
        for &(datum, format) in words {
            for &member in &self.data[datum].members {
                let stored = &mut experiment.subsets[member];
                (stored.format, stored.link_bits) = (format, format.bits());
                stored.path = vec![Stop::Memory(0)];
            }
        }
        experiment
    }

    /// The data that `target` strikes, as indices of [`Self::data`].
    pub fn struck(&self, target: &Target) -> Vec<usize> {
        let of = |operand| (0..self.data.len()).filter(move |&index| self.data[index].operand == operand);
        match target {
            Target::Weights => of(Operand::Weight).collect(),
            Target::Neurons => of(Operand::Neuron).collect(),
            Target::Datum(index) => vec![*index],
        }
    }

    /// `binary_point`, that of the network as a number.
    pub fn binary_point(&self, binary_point: BinaryPoint) -> BinaryPoint {
        match binary_point {
            BinaryPoint::Network => BinaryPoint::At(self.network_integer_bits),
            other => other,
        }
    }
}

fn data(dominant: &[Subset], stored: &[StoredSubset], volume_words: u64) -> Vec<Datum> {
    let mut data: Vec<Datum> = Vec::new();
    for subset in dominant {
        let same = |stored: &StoredSubset| match subset.blob {
            Some(blob) => stored.subset.blob == Some(blob),
            None => stored.subset.name == subset.name,
        };
        let members: Vec<usize> = (0..stored.len()).filter(|&index| same(&stored[index])).collect();
        match data.iter_mut().find(|datum| datum.members == members) {
            Some(datum) => {
                datum.shared_with.push(subset.name.clone());
                datum.words += subset.words;
            }
            None => data.push(Datum {
                name: subset.name.clone(),
                shared_with: Vec::new(),
                operand: subset.operand,
                words: subset.words,
                share: 0.0,
                members,
            }),
        }
    }
    for datum in &mut data {
        datum.share = datum.words as f64 / volume_words.max(1) as f64;
    }
    data
}

/// The range of the values of `subset`.
fn range(subset: &Subset, prepared: &Prepared) -> Range {
    let layer = prepared.network().layer(subset.layer);
    let parameter = match (subset.blob, subset.operand) {
        (Some(blob), _) => return prepared.neuron_ranges()[&blob],
        (None, Operand::Bias) => &layer.bias,
        (None, _) => &layer.weight,
    };
    let values = parameter.as_ref().and_then(|parameter| parameter.values.as_deref());
    Range::of(values.expect("a prepared network has the values of all of its parameters"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{BlobId, LayerId};

    fn subset(name: &str, layer: usize, operand: Operand, blob: Option<usize>, words: u64) -> Subset {
        let in_volume = !name.ends_with("pool");
        Subset { name: name.into(), layer: LayerId(layer), operand, blob: blob.map(BlobId), words, in_volume }
    }

    #[test]
    fn a_blob_of_several_readers_is_one_datum_counted_once_per_reader() {
        let subsets = [
            subset("weight_a", 0, Operand::Weight, None, 300),
            subset("neuron_pool", 1, Operand::Neuron, Some(7), 40),
            subset("neuron_b", 2, Operand::Neuron, Some(7), 40),
            subset("weight_b", 2, Operand::Weight, None, 20),
            subset("neuron_c", 3, Operand::Neuron, Some(7), 40),
        ];
        let format = Format::Fp32;
        let stored: Vec<_> = subsets
            .iter()
            .map(|subset| StoredSubset { subset: subset.clone(), format, link_bits: 32, path: vec![] })
            .collect();
        let dominant = [0, 4, 2, 3].map(|index: usize| subsets[index].clone());
        let data = data(&dominant, &stored, 400);
        let found: Vec<_> = data
            .iter()
            .map(|d| (d.name.as_str(), d.shared_with.join(" "), d.words, d.share, d.members.clone()))
            .collect();
        let expected = [
            ("weight_a", String::new(), 300, 0.75, vec![0]),
            ("neuron_c", "neuron_b".into(), 80, 0.2, vec![1, 2, 4]),
            ("weight_b", String::new(), 20, 0.05, vec![3]),
        ];
        assert_eq!(found, expected);
    }
}

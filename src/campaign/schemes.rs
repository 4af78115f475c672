//! Words without faults: many schemes of formats scored over one network.

use super::golden::{self, Golden};
use super::neurons::{Neurons, StoredBlob};
use super::outcome::Score;
use super::reference::Reference;
use super::runner::{Error, values};
use crate::experiment::{Experiment, Prepared, Words};
use crate::inference::{NoHook, Start, Weights};
use crate::network::{BlobId, LayerId, Operand};
use std::collections::BTreeMap;

/// Scores schemes of formats and link widths when nothing errs. A scheme starts at the first layer whose operands it changes,
/// from cached fp32 activations; only the weights that it changes are written, and written back.
///
/// Scores are those of [`Campaign::quantised`](super::Campaign::quantised) for the same experiment, bit for bit.
#[derive(Debug)]
pub struct Schemes<'a> {
    prepared: &'a Prepared,
    reference: Reference<'a>,
    baseline: Score,
    /// In fp32.
    weights: Weights,
    /// In fp32.
    golden: Golden,
    effort: Effort,
}

/// What scoring took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Forward passes over all evaluation images.
    pub passes: u64,
    /// Multiply-accumulates computed for one image, over all passes: less than `passes` whole networks where passes started at
    /// a later layer.
    pub macs_per_image: u128,
}

impl<'a> Schemes<'a> {
    /// Keeps what schemes start from.
    ///
    /// # Errors
    /// [`enum@Error`] if the network cannot be computed.
    pub fn new(prepared: &'a Prepared) -> Result<Self, Error> {
        let (network, engine) = (prepared.network(), prepared.engine());
        let weights = engine.pack(network)?;
        let kept = golden::worth_keeping(network, prepared.labels().len());
        let start = Start::new(network.input(), prepared.inputs());
        let values = engine.forward(&weights, &start, &kept, &NoHook)?;
        let reference = Reference::new(prepared.labels(), prepared.baseline_logits());
        let baseline = reference.score(prepared.baseline_logits());
        let golden = Golden(kept.into_iter().zip(values).collect());
        Ok(Self { prepared, reference, baseline, weights, golden, effort: Effort::default() })
    }

    /// fp32, nothing approximated.
    pub fn baseline(&self) -> &Score {
        &self.baseline
    }

    /// What the scores so far took.
    pub fn effort(&self) -> Effort {
        self.effort
    }

    /// Formats and link of `experiment` applied, no faults. Memories and paths do not matter.
    ///
    /// # Errors
    /// [`enum@Error`] for words that cannot be.
    ///
    /// # Panics
    /// If `experiment` is of another network than what was prepared.
    pub fn score(&mut self, experiment: &Experiment) -> Result<Score, Error> {
        let network = self.prepared.network();
        let words = experiment.words(network, self.prepared.neuron_ranges())?;
        let mut blobs: BTreeMap<BlobId, StoredBlob> = BTreeMap::new();
        let mut changed = Vec::new();
        for (stored, words) in experiment.subsets.iter().zip(words) {
            if words.is_identity() {
                continue;
            }
            match stored.subset.blob {
                Some(blob) => {
                    blobs.entry(blob).or_insert(StoredBlob { words, path: None, first_site: 0 });
                }
                None => changed.push((stored.subset.layer, stored.subset.operand, words)),
            }
        }
        let readers = blobs.keys().filter_map(|blob| network.readers(*blob).next());
        let Some(first) = readers.chain(changed.iter().map(|(layer, ..)| *layer)).min() else {
            return Ok(self.baseline.clone());
        };
        for (layer, operand, words) in &changed {
            self.write(*layer, *operand, Some(words));
        }
        let logits = self.forward(first, &blobs);
        for (layer, operand, _) in &changed {
            self.write(*layer, *operand, None);
        }
        logits
    }

    /// Writes a weight or bias as its words deliver it, or as it is.
    fn write(&mut self, layer: LayerId, operand: Operand, words: Option<&Words>) {
        let golden = values(self.prepared.network(), layer, operand);
        match words {
            None => self.weights.replace(layer, operand, golden),
            Some(words) => {
                let mut delivered = golden.to_vec();
                words.deliver_all(0, &mut delivered);
                self.weights.replace(layer, operand, &delivered);
            }
        }
    }

    /// A pass in which all layers from `first` on are computed.
    fn forward(&mut self, first: LayerId, blobs: &BTreeMap<BlobId, StoredBlob>) -> Result<Score, Error> {
        let (network, engine) = (self.prepared.network(), self.prepared.engine());
        let (start, restart) = self.golden.hooked_start(network, self.prepared.inputs(), first);
        let hook = Neurons { blobs, draw: None, devices: &BTreeMap::new(), flips: &[] };
        let logits = engine.forward(&self.weights, &start, &[engine.logits()], &hook)?;
        self.effort.passes += 1;
        let computed = network.layers_with_ids().map(|(id, _)| id).filter(|id| *id >= restart);
        self.effort.macs_per_image += computed.map(|id| u128::from(network.macs(id))).sum::<u128>();
        Ok(self.reference.score(&logits[0]))
    }
}

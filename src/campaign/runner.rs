//! All trials of one experiment.

use super::golden::{self, Golden};
use super::neurons::{Neurons, StoredBlob};
use super::outcome::{Outcome, Score, Trial};
use super::reference::Reference;
use crate::experiment::{Experiment, Prepared, Site, Stop, Words};
use crate::fault::{self, DeviceFaults, Draw, Journal, Path, Redraw, StoredWords, StrikeBuffers};
use crate::inference::{self, Weights};
use crate::network::{BlobId, LayerId, Network, Operand};
use crate::number;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use thiserror::Error;
use tracing::{info, info_span};

/// Why an experiment cannot be measured.
#[derive(Debug, Error)]
pub enum Error {
    /// A stored word that cannot be.
    #[error(transparent)]
    Word(#[from] number::Error),
    /// A path that cannot be.
    #[error(transparent)]
    Fault(#[from] fault::Error),
    /// A pass that cannot be computed.
    #[error(transparent)]
    Inference(#[from] inference::Error),
}

/// Runs all trials of `experiment`; `progress` is told the number of trials done.
///
/// Trials follow one another on one set of weights, struck in place and restored; the images of a trial are shared by
/// the threads of the current rayon pool. The outcome does not depend on their number.
///
/// # Errors
/// [`enum@Error`] for words and paths that cannot be.
pub fn run(experiment: &Experiment, prepared: &Prepared, progress: &dyn Fn(u64)) -> Result<Outcome, Error> {
    let mut campaign = Campaign::new(experiment, prepared)?;
    let mut trials = Vec::new();
    for index in 0..experiment.trials {
        trials.push(campaign.trial(index)?);
        progress(index + 1);
    }
    let Campaign { reference, quantised, sites, .. } = campaign;
    Ok(Outcome {
        labelled: prepared.is_labelled(),
        class_images: reference.class_images(),
        baseline: reference.score(prepared.baseline_logits()),
        quantised,
        sites,
        trials,
    })
}

/// A weight or bias that may err.
struct StoredParameter {
    layer: LayerId,
    operand: Operand,
    path: Path,
    first_site: usize,
    journal: Journal,
}

/// Where the words of an experiment lie, as far as they are not the network's own values in precise memory.
struct Store {
    parameters: Vec<StoredParameter>,
    blobs: BTreeMap<BlobId, StoredBlob>,
}

impl Store {
    fn new(experiment: &Experiment, sites: &[Site], words: Vec<Words>) -> Result<Self, Error> {
        let mut parameters = Vec::new();
        let mut blobs = BTreeMap::new();
        for (index, (stored, words)) in experiment.subsets.iter().zip(words).enumerate() {
            let (first_site, path) = path(experiment, sites, index, &words)?;
            let (layer, operand) = (stored.subset.layer, stored.subset.operand);
            match (stored.subset.blob, path) {
                (Some(blob), path) if path.is_some() || !words.is_identity() => {
                    blobs.entry(blob).or_insert(StoredBlob { words, path, first_site });
                }
                (None, Some(path)) => {
                    let journal = Journal::new();
                    parameters.push(StoredParameter { layer, operand, path, first_site, journal });
                }
                _ => {}
            }
        }
        Ok(Self { parameters, blobs })
    }
}

/// An experiment whose words are stored and whose golden activations are at hand: trials can be run in any order.
pub struct Campaign<'a> {
    experiment: Cow<'a, Experiment>,
    prepared: &'a Prepared,
    reference: Reference<'a>,
    sites: Vec<Site>,
    weights: Weights,
    parameters: Vec<StoredParameter>,
    blobs: BTreeMap<BlobId, StoredBlob>,
    golden: Golden,
    quantised: Score,
    buffers: StrikeBuffers,
}

impl<'a> Campaign<'a> {
    /// Stores every word of `experiment` and runs it once without faults.
    ///
    /// # Errors
    /// [`enum@Error`] for words and paths that cannot be.
    ///
    /// # Panics
    /// If `prepared` was made for another network.
    pub fn new(experiment: &'a Experiment, prepared: &'a Prepared) -> Result<Self, Error> {
        let span = info_span!("quantise").entered();
        let network = prepared.network();
        let sites = experiment.sites(prepared.labels().len() as u64);
        let words = experiment.words(network, prepared.neuron_ranges())?;
        let weights = quantised_weights(experiment, prepared, &words)?;
        let Store { parameters, blobs } = Store::new(experiment, &sites, words)?;
        let kept = golden::worth_keeping(network, prepared.labels().len());
        let hook = Neurons { blobs: &blobs, draw: None, devices: &BTreeMap::new(), flips: &[] };
        let outputs: Vec<_> = kept.iter().copied().chain([prepared.engine().logits()]).collect();
        let start = inference::Start::new(network.input(), prepared.inputs());
        let mut values = prepared.engine().forward(&weights, &start, &outputs, &hook)?;
        let logits = values.pop().expect("the logits were asked for");
        let reference = Reference::new(prepared.labels(), prepared.baseline_logits());
        let quantised = reference.score(&logits);
        drop(span);
        let golden = Golden(kept.into_iter().zip(values).collect());
        let buffers = StrikeBuffers::default();
        Ok(Self {
            experiment: Cow::Borrowed(experiment),
            prepared,
            reference,
            sites,
            weights,
            parameters,
            blobs,
            golden,
            quantised,
            buffers,
        })
    }

    /// Puts the words into other memories: from now on trials are those of `experiment`, which differs from the one before in
    /// memories, paths, lifetimes or seed, but delivers the same words when nothing errs. That pass is not computed again.
    ///
    /// # Errors
    /// [`enum@Error`] for paths that cannot be.
    ///
    /// # Panics
    /// If a word of `experiment` delivers other values than before when nothing errs.
    pub fn rearm(&mut self, experiment: Experiment) -> Result<(), Error> {
        let (network, ranges) = (self.prepared.network(), self.prepared.neuron_ranges());
        let words = experiment.words(network, ranges)?;
        assert!(self.experiment.words(network, ranges)? == words, "the words of the campaign are others");
        self.sites = experiment.sites(self.prepared.labels().len() as u64);
        let Store { parameters, blobs } = Store::new(&experiment, &self.sites, words)?;
        (self.parameters, self.blobs) = (parameters, blobs);
        self.experiment = Cow::Owned(experiment);
        Ok(())
    }

    /// fp32, nothing approximated.
    pub fn baseline(&self) -> Score {
        self.reference.score(self.prepared.baseline_logits())
    }

    /// Formats and link applied, no faults.
    pub fn quantised(&self) -> &Score {
        &self.quantised
    }

    /// Device instance `index`: faults are struck in place, all images are evaluated, the weights are restored.
    ///
    /// # Errors
    /// [`Error::Inference`] if a pass cannot be computed.
    pub fn trial(&mut self, index: u64) -> Result<Trial, Error> {
        let _span = info_span!("trial", index).entered();
        let mut flips = vec![0; self.sites.len()];
        let draw = Draw { seed: self.experiment.seed, trial: index, redraw: Redraw::Trial };
        let struck = self.strike_parameters(&draw, &mut flips);
        let devices = self.blob_devices(&draw);
        let first = self.blobs_that_err(&devices).chain(struck).min();
        let score = match first {
            None => Ok(self.quantised.clone()),
            Some(first) => self.evaluate(first, &draw, &devices, &mut flips),
        };
        for parameter in &mut self.parameters {
            let mut words = ParameterWords::new(&mut self.weights, parameter.layer, parameter.operand);
            parameter.journal.undo(&mut words);
        }
        Ok(Trial { index, score: score?, flips })
    }

    /// Strikes every weight and bias in place; yields the first layer that was hit.
    fn strike_parameters(&mut self, draw: &Draw, flips: &mut [u64]) -> Option<LayerId> {
        let network = self.prepared.network();
        let mut first = None;
        for parameter in &mut self.parameters {
            let (layer, operand) = (parameter.layer, parameter.operand);
            let _span =
                info_span!("layer", name = network.layer(layer).name, operand = operand.prefix()).entered();
            let golden = values(network, layer, operand);
            let flips = &mut flips[parameter.first_site..][..parameter.path.memory_stops()];
            let mut words = ParameterWords::new(&mut self.weights, layer, operand);
            let path = &parameter.path;
            parameter.journal.apply(&mut words, path, draw, &mut self.buffers, flips, |word| golden[word]);
            info!(flips = flips.iter().sum::<u64>(), words = parameter.journal.len(), "struck");
            if !parameter.journal.is_empty() {
                first = first.into_iter().chain([layer]).min();
            }
        }
        first
    }

    /// The permanent faults of this device under every blob: the same for all images.
    fn blob_devices(&mut self, draw: &Draw) -> BTreeMap<BlobId, DeviceFaults> {
        let buffers = &mut self.buffers;
        let stored = self.blobs.iter().filter_map(|(&blob, stored)| Some((blob, stored.path.as_ref()?)));
        stored.map(|(blob, path)| (blob, path.device(draw.seed, draw.trial, buffers))).collect()
    }

    /// The layers from which the blobs that err are computed anew: their producers.
    fn blobs_that_err(&self, devices: &BTreeMap<BlobId, DeviceFaults>) -> impl Iterator<Item = LayerId> {
        let network = self.prepared.network();
        let errs = |blob: &BlobId| {
            let path = self.blobs[blob].path.as_ref();
            path.is_some_and(|path| path.has_transient() || !devices[blob].is_empty())
        };
        let err: Vec<_> = self.blobs.keys().filter(|blob| errs(blob)).collect();
        err.into_iter().map(|blob| network.blob(*blob).producer.unwrap_or(LayerId(0)))
    }

    fn evaluate(
        &self,
        first: LayerId,
        draw: &Draw,
        devices: &BTreeMap<BlobId, DeviceFaults>,
        flips: &mut [u64],
    ) -> Result<Score, Error> {
        let (network, engine) = (self.prepared.network(), self.prepared.engine());
        let (start, restart) = self.golden.start(network, self.prepared.inputs(), first);
        let _span = info_span!("forward", restart = network.layer(restart).name).entered();
        let counters: Vec<_> = (0..flips.len()).map(|_| AtomicU64::new(0)).collect();
        let hook = Neurons { blobs: &self.blobs, draw: Some(*draw), devices, flips: &counters };
        let logits = engine.forward(&self.weights, &start, &[engine.logits()], &hook)?;
        for (flips, counter) in flips.iter_mut().zip(counters) {
            *flips += counter.load(Ordering::Relaxed);
        }
        Ok(self.reference.score(&logits[0]))
    }
}

/// A weight or bias among the packed weights.
struct ParameterWords<'a> {
    weights: &'a mut Weights,
    layer: LayerId,
    operand: Operand,
}

impl<'a> ParameterWords<'a> {
    fn new(weights: &'a mut Weights, layer: LayerId, operand: Operand) -> Self {
        Self { weights, layer, operand }
    }
}

impl StoredWords for ParameterWords<'_> {
    fn get(&self, index: usize) -> f32 {
        self.weights.get(self.layer, self.operand, index)
    }

    fn set(&mut self, index: usize, value: f32) {
        self.weights.set(self.layer, self.operand, index, value);
    }
}

/// Trained values of a weight or bias.
pub(super) fn values(network: &Network, layer: LayerId, operand: Operand) -> &[f32] {
    let layer = network.layer(layer);
    let parameter = if operand == Operand::Bias { &layer.bias } else { &layer.weight };
    let values = parameter.as_ref().and_then(|parameter| parameter.values.as_deref());
    values.expect("a prepared network has the values of all of its parameters")
}

/// The network's weights with every word replaced by what it delivers when nothing errs.
fn quantised_weights(
    experiment: &Experiment,
    prepared: &Prepared,
    words: &[Words],
) -> Result<Weights, Error> {
    let network = prepared.network();
    let mut weights = prepared.engine().pack(network)?;
    for (stored, words) in experiment.subsets.iter().zip(words) {
        if stored.subset.operand == Operand::Neuron || words.is_identity() {
            continue;
        }
        let (layer, operand) = (stored.subset.layer, stored.subset.operand);
        let mut delivered = values(network, layer, operand).to_vec();
        words.deliver_all(0, &mut delivered);
        weights.replace(layer, operand, &delivered);
    }
    Ok(weights)
}

/// The path of data subset `subset` and its first site; no path if none of its memories can err, or if it is a blob
/// whose sites belong to another reader.
fn path(
    experiment: &Experiment,
    sites: &[Site],
    subset: usize,
    words: &Words,
) -> Result<(usize, Option<Path>), Error> {
    let first_site = sites.iter().position(|site| site.subset == subset);
    let Some(first_site) = first_site else { return Ok((0, None)) };
    let mut own = sites[first_site..].iter().take_while(|site| site.subset == subset);
    let mut stops = Vec::new();
    let mut narrowing = words.narrowing;
    for stop in &experiment.subsets[subset].path {
        match stop {
            // A word that is narrow already crosses the link as it is.
            Stop::Link => stops.extend(narrowing.take().map(fault::Stop::Link)),
            Stop::Memory(memory) => {
                let site = own.next().expect("every memory of a path is a site");
                stops.push(fault::Stop::Memory(site.stop_at(&experiment.memories[*memory])));
            }
        }
    }
    let path = Path::new(words.home.clone(), words.delivered.clone(), &stops)?;
    Ok((first_site, path.can_err().then_some(path)))
}

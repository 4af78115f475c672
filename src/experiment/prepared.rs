//! An experiment made ready: network, images, and one error-free pass.

use super::{DatasetSource, Experiment};
use crate::dataset::{self, Dataset, Preprocessing};
use crate::inference::{self, Activations, Engine, NoHook, OperandBlock, OperandHook, Start, Weights};
use crate::network::{BlobId, Network, Shape};
use crate::number::Range;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use thiserror::Error;

/// Why an experiment cannot be made ready.
#[derive(Debug, Error)]
pub enum PrepareError {
    /// The data set cannot be read.
    #[error(transparent)]
    Dataset(#[from] dataset::Error),
    /// The network cannot be computed.
    #[error(transparent)]
    Inference(#[from] inference::Error),
    /// The experiment names no weights.
    #[error("the network has no weights: name a trained file as `weights` in [network]")]
    NoWeights,
    /// Images of another shape than the network's input.
    #[error("the images of `{images}` are {found}, the network's input is {expected}")]
    ImageShape {
        /// Image file as typed.
        images: String,
        /// Shape of the images.
        found: Shape,
        /// Shape of the network's input.
        expected: Shape,
    },
    /// A label that is no class of the network.
    #[error("image {image} has label {label}, but the network has {classes} classes (0 to {})", classes - 1)]
    Label {
        /// Index of the image, from 0.
        image: usize,
        /// Its label.
        label: u16,
        /// Number of logits.
        classes: usize,
    },
    /// More images asked for than there are.
    #[error("[experiment] asks for {key} = {asked}, the data set has {available} images")]
    Images {
        /// Key of the configuration.
        key: &'static str,
        /// Images asked for.
        asked: usize,
        /// Images in the data set.
        available: usize,
    },
}

impl DatasetSource {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`Dataset::read`].
    pub fn read(&self) -> Result<Dataset, dataset::Error> {
        Dataset::read(self.kind, &self.images.path, &self.labels.path)
    }

    /// How stored values become network inputs.
    pub fn preprocessing(&self) -> Preprocessing {
        Preprocessing { scale: self.scale, mean: self.mean.clone(), std: self.std.clone() }
    }
}

/// Network, images and one error-free pass: what all experiments on the same network and images share.
#[derive(Debug)]
pub struct Prepared {
    network: Network,
    engine: Engine,
    source: DatasetSource,
    asked_images: Option<usize>,
    calibration_images: Option<usize>,
    inputs: Activations,
    labels: Vec<u16>,
    neuron_ranges: BTreeMap<BlobId, Range>,
    /// One blob: the logits.
    baseline_logits: Vec<Activations>,
}

impl Prepared {
    /// Reads the data set of `experiment`, compiles `network` and runs it once in fp32: the baseline, and the ranges of
    /// the neuron subsets over the calibration images.
    ///
    /// # Errors
    /// [`PrepareError`] if the data set cannot be read or does not fit the network, or the network cannot be computed.
    pub fn new(network: Network, experiment: &Experiment) -> Result<Self, PrepareError> {
        let source = &experiment.dataset;
        if !network.has_weights() {
            return Err(PrepareError::NoWeights);
        }
        let engine = Engine::new(&network)?;
        let dataset = source.read()?;
        let images = experiment.evaluation_images(&dataset, &network)?;
        let weights = engine.pack(&network)?;
        let calibration = experiment.calibration_images(dataset.images())?;
        let inputs_of = |images| {
            let values = dataset.inputs(&source.preprocessing(), images)?;
            Ok::<_, PrepareError>(Activations::from_images(dataset.shape, images, &values)?)
        };
        let neuron_ranges = neuron_ranges(&network, &engine, &weights, &inputs_of(calibration)?)?;
        let inputs = inputs_of(images)?;
        let start = Start::new(network.input(), &inputs);
        let logits = engine.forward(&weights, &start, &[engine.logits()], &NoHook)?;
        Ok(Self {
            labels: dataset.labels[..images].to_vec(),
            source: source.clone(),
            asked_images: experiment.images,
            calibration_images: experiment.calibration_images,
            network,
            engine,
            inputs,
            neuron_ranges,
            baseline_logits: logits,
        })
    }

    /// Whether `experiment`, on the same network, asks for the same images and calibration.
    pub fn fits(&self, experiment: &Experiment) -> bool {
        self.source == experiment.dataset
            && self.asked_images == experiment.images
            && self.calibration_images == experiment.calibration_images
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The network, compiled.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Network inputs of the evaluation images.
    pub fn inputs(&self) -> &Activations {
        &self.inputs
    }

    /// Classes of the evaluation images.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The range of every blob that a neuron subset stores, in fp32 over the calibration images.
    pub fn neuron_ranges(&self) -> &BTreeMap<BlobId, Range> {
        &self.neuron_ranges
    }

    /// Logits of the evaluation images in fp32.
    pub fn baseline_logits(&self) -> &Activations {
        &self.baseline_logits[0]
    }
}

/// Images that give neuron subsets their ranges, unless the experiment says otherwise.
const DEFAULT_CALIBRATION_IMAGES: usize = 1000;

impl Experiment {
    /// Number of calibration images out of `available` ones.
    ///
    /// # Errors
    /// [`PrepareError::Images`] if more are asked for.
    pub fn calibration_images(&self, available: usize) -> Result<usize, PrepareError> {
        match self.calibration_images {
            Some(asked) if asked > available => {
                Err(PrepareError::Images { key: "calibration_images", asked, available })
            }
            asked => Ok(asked.unwrap_or(DEFAULT_CALIBRATION_IMAGES.min(available))),
        }
    }

    /// Number of evaluation images, once `dataset` is known to fit `network`.
    ///
    /// # Errors
    /// [`PrepareError::ImageShape`], [`PrepareError::Images`] (also for the calibration images) or [`PrepareError::Label`] if it does not.
    pub fn evaluation_images(&self, dataset: &Dataset, network: &Network) -> Result<usize, PrepareError> {
        let (found, expected) = (dataset.shape, network.blob(network.input()).shape);
        if found != expected {
            return Err(PrepareError::ImageShape {
                images: self.dataset.images.typed.clone(),
                found,
                expected,
            });
        }
        let available = dataset.images();
        let images = self.images.unwrap_or(available);
        if images > available {
            return Err(PrepareError::Images { key: "images", asked: images, available });
        }
        self.calibration_images(available)?;
        let classes = network.blob(network.output()).shape.elements();
        let mut labels = dataset.labels[..images].iter().enumerate();
        match labels.find(|(_, label)| usize::from(**label) >= classes) {
            Some((image, &label)) => Err(PrepareError::Label { image, label, classes }),
            None => Ok(images),
        }
    }
}

/// The range of every stored blob over the images of `inputs`.
fn neuron_ranges(
    network: &Network,
    engine: &Engine,
    weights: &Weights,
    inputs: &Activations,
) -> Result<BTreeMap<BlobId, Range>, PrepareError> {
    let blobs = network.subsets().into_iter().filter_map(|subset| subset.blob);
    let watch = RangeWatch(blobs.map(|blob| (blob, AtomicU32::new(0))).collect());
    engine.forward(weights, &Start::new(network.input(), inputs), &[engine.logits()], &watch)?;
    Ok(watch
        .0
        .into_iter()
        .map(|(blob, max)| (blob, Range { max_abs: f32::from_bits(max.into_inner()) }))
        .collect())
}

/// Keeps the largest finite magnitude of each blob, as bits: those of non-negative numbers are ordered as the numbers.
struct RangeWatch(BTreeMap<BlobId, AtomicU32>);

impl OperandHook for RangeWatch {
    fn stores(&self, blob: BlobId) -> bool {
        self.0.contains_key(&blob)
    }

    fn store(&self, blob: BlobId, _: usize, operand: &mut OperandBlock<'_>) {
        let images = operand.images();
        let mut range = Range::default();
        operand.for_each_row(|_, row| {
            for element in row.chunks_exact(inference::LANES) {
                element[..images].iter().for_each(|&value| range.include(value));
            }
        });
        self.0[&blob].fetch_max(range.max_abs.to_bits(), Ordering::Relaxed);
    }
}

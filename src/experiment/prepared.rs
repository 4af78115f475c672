//! An experiment made ready: network, images, and one error-free pass.

use super::{DatasetSource, Experiment};
use crate::dataset::{self, Dataset};
use crate::inference::{self, Activations, Engine, NoHook, OperandBlock, OperandHook, Start};
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
    #[error("{place} has label {label}, but the network has {classes} classes (0 to {})", classes.saturating_sub(1))]
    Label {
        /// The image: its file and line in the list, or its index from 0.
        place: String,
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
    /// Opens the data set for a network whose input is `expected`.
    ///
    /// # Errors
    /// See [`Dataset::open`]; [`PrepareError::ImageShape`] if the images are of another extent.
    pub fn open(&self, expected: Shape) -> Result<Dataset, PrepareError> {
        let dataset = Dataset::open(self)?;
        if dataset.shape() == expected {
            return Ok(dataset);
        }
        let images = self.files.images().map(|file| file.typed.clone()).unwrap_or_default();
        Err(PrepareError::ImageShape { images, found: dataset.shape(), expected })
    }
}

/// Most bytes of network inputs that are decoded at a time.
const RANGE_BYTES: usize = 64 << 20;

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
    is_labelled: bool,
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
        let dataset = source.open(network.blob(network.input()).shape)?;
        let images = experiment.evaluation_images(&dataset, &network)?;
        let calibration = experiment.calibration_images(dataset.images())?;
        let weights = engine.pack(&network)?;
        let watch = RangeWatch::new(&network);
        let zeros = engine.zeros(dataset.shape(), images);
        let inputs = read_inputs(&dataset, zeros, calibration, range_images(&dataset), |inputs| {
            engine.forward(&weights, &Start::new(network.input(), inputs), &[engine.logits()], &watch)?;
            Ok(())
        })?;
        let start = Start::new(network.input(), &inputs);
        let baseline_logits = engine.forward(&weights, &start, &[engine.logits()], &NoHook)?;
        let labels = dataset.labels().map(|labels| labels[..images].to_vec());
        Ok(Self {
            is_labelled: labels.is_some(),
            labels: labels.unwrap_or_else(|| predictions(&baseline_logits[0])),
            source: source.clone(),
            asked_images: experiment.images,
            calibration_images: experiment.calibration_images,
            network,
            engine,
            inputs,
            neuron_ranges: watch.ranges(),
            baseline_logits,
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

    /// Classes that predictions of the evaluation images are compared with: the labels or, where the data set has none,
    /// the baseline's own predictions, so that accuracy is agreement with it. An image that the baseline cannot classify
    /// then has the class 65535.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// Whether [`Self::labels`] are those of the data set.
    pub fn is_labelled(&self) -> bool {
        self.is_labelled
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

    /// Number of evaluation images, once `dataset` is known to suit `network` and this experiment.
    ///
    /// # Errors
    /// [`PrepareError::Images`] (also for the calibration images) or [`PrepareError::Label`] if it does not.
    pub fn evaluation_images(&self, dataset: &Dataset, network: &Network) -> Result<usize, PrepareError> {
        let available = dataset.images();
        let images = self.images.unwrap_or(available);
        if images > available {
            return Err(PrepareError::Images { key: "images", asked: images, available });
        }
        self.calibration_images(available)?;
        let classes = network.blob(network.output()).shape.elements();
        let mut labels = dataset.labels().unwrap_or_default().iter().take(images).enumerate();
        match labels.find(|(_, label)| usize::from(**label) >= classes) {
            Some((image, &label)) => {
                Err(PrepareError::Label { place: dataset.place(image).to_string(), label, classes })
            }
            None => Ok(images),
        }
    }
}

/// Number of images whose inputs fill [`RANGE_BYTES`], in whole blocks, at least one.
fn range_images(dataset: &Dataset) -> usize {
    let bytes = dataset.shape().elements() * size_of::<f32>();
    (RANGE_BYTES / bytes.max(1)).max(1).next_multiple_of(inference::LANES)
}

/// Fills `inputs` with the network inputs of the first images. `calibrate` is given those of the first `calibration` ones in parts
/// of at most `step` images: each image is decoded once, and only the result holds more than `step` of them.
fn read_inputs(
    dataset: &Dataset,
    mut inputs: Activations,
    calibration: usize,
    step: usize,
    mut calibrate: impl FnMut(&Activations) -> Result<(), PrepareError>,
) -> Result<Activations, PrepareError> {
    let (shape, elements) = (dataset.shape(), dataset.shape().elements());
    let images = inputs.images();
    let end = images.max(calibration);
    for first in (0..end).step_by(step) {
        let range = first..end.min(first + step);
        let values = dataset.inputs(range.clone())?;
        if first < images {
            inputs.set_images(first, &values[..(range.end.min(images) - first) * elements]);
        }
        if first < calibration {
            let count = range.end.min(calibration) - first;
            calibrate(&Activations::from_images(shape, count, &values[..count * elements])?)?;
        }
    }
    Ok(inputs)
}

/// The predicted class of every image; 65535 where there is none.
fn predictions(logits: &Activations) -> Vec<u16> {
    let classes = inference::classify(logits).top1.into_iter();
    classes.map(|class| class.and_then(|class| u16::try_from(class).ok()).unwrap_or(u16::MAX)).collect()
}

/// Keeps the largest finite magnitude of each blob, as bits: those of non-negative numbers are ordered as the numbers.
struct RangeWatch(BTreeMap<BlobId, AtomicU32>);

impl RangeWatch {
    /// Watches the blobs that neuron subsets of `network` store.
    fn new(network: &Network) -> Self {
        let blobs = network.subsets().into_iter().filter_map(|subset| subset.blob);
        Self(blobs.map(|blob| (blob, AtomicU32::new(0))).collect())
    }

    fn ranges(self) -> BTreeMap<BlobId, Range> {
        let range = |max: AtomicU32| Range { max_abs: f32::from_bits(max.into_inner()) };
        self.0.into_iter().map(|(blob, max)| (blob, range(max))).collect()
    }
}

impl OperandHook for RangeWatch {
    fn stores(&self, blob: BlobId) -> bool {
        self.0.contains_key(&blob)
    }

    fn store(&self, blob: BlobId, _: usize, operand: &mut OperandBlock<'_>) {
        let mut range = Range::default();
        operand.for_each(|value| range.include(value));
        self.0[&blob].fetch_max(range.max_abs.to_bits(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Files, Preprocessing, Source};
    use std::path::Path;

    #[test]
    fn inputs_and_calibration_do_not_depend_on_the_ranges() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
        let [images, labels] =
            ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"].map(|name| folder.join(name));
        let files = Files::Mnist { images, labels };
        let source = Source { files, crop: None, preprocessing: Preprocessing::default() };
        let dataset = Dataset::open(&source).unwrap();
        let whole = dataset.inputs(0..70).unwrap();
        for (counts, step) in [([50, 70], 16), ([70, 50], 16), ([70, 50], 48), ([70, 3], 100), ([3, 70], 1)] {
            let mut calibrated = Vec::new();
            let zeros = Activations::zeros(dataset.shape(), counts[0]);
            let inputs = read_inputs(&dataset, zeros, counts[1], step, |part| {
                assert!(part.images() <= step);
                calibrated.extend(part.to_images());
                Ok(())
            });
            assert!(inputs.unwrap().to_images().iter().eq(&whole[..counts[0] * 784]), "{counts:?} by {step}");
            assert!(calibrated.iter().eq(&whole[..counts[1] * 784]), "{counts:?} by {step}");
        }
        assert_eq!(range_images(&dataset), 21_408, "64 MiB of 784 values, up to the next block of 16");
    }
}

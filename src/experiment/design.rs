//! What one experiment asks for, after every check of the configuration.

use super::{Running, Workload};
use crate::accelerator::design::Accelerator;
use crate::dataset;
use crate::memory::Memory;
use crate::memory::transfer::Transfer;
use crate::network::Subset;
use crate::number::{Format, Rounding};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that the experiment reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// The path as the user typed it.
    pub typed: String,
    /// Where it is read: the typed path, started at the folder of the configuration or at the working directory.
    pub path: PathBuf,
}

impl AsRef<Path> for InputFile {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

/// Files of the network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkSource {
    /// Network definition.
    pub definition: InputFile,
    /// Trained weights; `None`: only what needs no values can be asked.
    pub weights: Option<InputFile>,
}

/// Files of the data set and how a stored value becomes a network input.
pub type DatasetSource = dataset::Source<InputFile>;

/// One stop of a data subset on its way from its home memory to the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Rests in the memory with this index of [`Experiment::memories`].
    Memory(usize),
    /// Crosses the off-chip link.
    Link,
}

/// A data subset with its word and its way through the memories.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSubset {
    /// The operand.
    pub subset: Subset,
    /// Its word in the home memory.
    pub format: Format,
    /// Width of its word on and behind the link; equal to the format's width when the link does not narrow it.
    pub link_bits: u32,
    /// Stops in order, the home memory first; empty when it rests in precise memory. A subset that the link narrows
    /// has a [`Stop::Link`], which comes first when its home is precise memory; it is narrowed at the first of them.
    pub path: Vec<Stop>,
}

/// The off-chip link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Link {
    /// How a word is narrowed to the link's width.
    pub rounding: Rounding,
    /// What it moves and what that costs.
    #[serde(flatten)]
    pub transfer: Transfer,
}

/// The memories, the words in them, and the accelerator: what a layer trace depends on beside the layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// Every data subset of the layers, in their order.
    pub subsets: Vec<StoredSubset>,
    /// Memories in the order of the configuration.
    pub memories: Vec<Memory>,
    /// The off-chip link.
    pub link: Link,
    /// How often inferences run.
    pub workload: Workload,
    /// The accelerator; its memories are those of [`Machine::memories`].
    pub accelerator: Accelerator,
    /// A layer trace in place of the one that the accelerator makes.
    pub trace: Option<InputFile>,
}

/// One experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// Network files.
    pub network: NetworkSource,
    /// Data set files and preprocessing.
    pub dataset: DatasetSource,
    /// Every data subset of the network, in layer order.
    pub subsets: Vec<StoredSubset>,
    /// Memories in the order of the configuration.
    pub memories: Vec<Memory>,
    /// The off-chip link.
    pub link: Link,
    /// How often inferences run.
    pub workload: Workload,
    /// The accelerator; its memories are those of [`Experiment::memories`]. `None`: how layers use the memories is unknown.
    pub accelerator: Option<Accelerator>,
    /// A layer trace in place of the one that the accelerator makes.
    pub trace: Option<InputFile>,
    /// The network on the accelerator, once [`Experiment::start`] has run it.
    pub running: Option<Arc<Running>>,
    /// The only memory that errs, of those in [`Experiment::memories`]; `None`: all do.
    pub erring: Option<usize>,
    /// Number of device instances to draw, >= 1.
    pub trials: u64,
    /// Seed of every random draw, below 2^63.
    pub seed: u64,
    /// Number of evaluation images, the first ones of the data set, >= 1; `None`: all of them.
    pub images: Option<usize>,
    /// Images of the error-free pass from which the ranges of neuron subsets are taken: the first ones, >= 1; `None`: 1000,
    /// or all if there are fewer.
    pub calibration_images: Option<usize>,
    /// Relative prediction accuracy below which a design is not acceptable, 0..=1.
    pub rpa_floor: f64,
}

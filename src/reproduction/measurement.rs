//! What was measured on one network, as it is saved: tables, figures and text are made from this alone. Run times are kept apart
//! ([`Times`]): measured again, nothing but those changes.

use super::published::DOMINANT;
use crate::network::{LayerKind, Network, Operand, Subset};
use crate::number::{BinaryPoint, Rounding};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// Layout of the saved files. Increased whenever a field changes its name or meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// Why a saved measurement cannot be used.
#[derive(Debug, Error)]
pub enum SavedError {
    /// No measurement.
    #[error("`{file}` holds no measurement")]
    Syntax {
        /// The file.
        file: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Of another version of this program.
    #[error("`{file}` has schema_version {found}, this version reads {SCHEMA_VERSION}: measure again")]
    Version {
        /// The file.
        file: String,
        /// Its version.
        found: u64,
    },
}

/// One network with its images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Version of the schema of saved measurements.
    pub schema_version: u32,
    /// Name on the command line.
    pub network: String,
    /// What the weights are.
    pub weights: String,
    /// What the images are.
    pub data_set: String,
    /// Evaluation images.
    pub images: u64,
    /// Whether the images have labels; else accuracy is agreement with the network itself.
    pub labelled: bool,
    /// Images that the network predicts right in fp32.
    pub baseline_correct: u64,
    /// What its definition tells.
    pub definition: NetworkFigures,
    /// What was asked for.
    pub settings: MeasuredSettings,
    /// The dominant data, largest first.
    pub data: Vec<MeasuredDatum>,
    /// Module 1, by policy; empty if it was not measured.
    pub single: Vec<SinglePolicy>,
    /// Module 2; `None` if it was not measured.
    pub joint: Option<Joint>,
    /// Module 3, by word; empty if it was not measured.
    pub random: Vec<RandomWord>,
}

/// What the definition of a network tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkFigures {
    /// Convolutions.
    pub convolutions: u64,
    /// Fully connected layers.
    pub fully_connected: u64,
    /// Words of all weights and biases.
    pub parameter_words: u64,
    /// Multiply-accumulates for one image.
    pub macs_per_image: u64,
    /// Words of the data volume for one image.
    pub volume_words: u64,
    /// The dominant data subsets, largest first.
    pub dominant: Vec<MeasuredDatum>,
}

impl NetworkFigures {
    /// Those of `network`.
    pub fn of(network: &Network) -> Self {
        let count = |is_kind: fn(&LayerKind) -> bool| {
            network.layers_with_ids().filter(|(_, layer)| is_kind(&layer.kind)).count() as u64
        };
        let parameters = network.subsets().into_iter().filter(|subset| subset.operand != Operand::Neuron);
        let dominant = network.dominant_subsets().into_iter().take(DOMINANT);
        Self {
            convolutions: count(|kind| matches!(kind, LayerKind::Convolution(_))),
            fully_connected: count(|kind| matches!(kind, LayerKind::InnerProduct { .. })),
            parameter_words: parameters.map(|subset| subset.words).sum(),
            macs_per_image: network.layers_with_ids().map(|(id, _)| network.macs(id)).sum(),
            volume_words: network.volume_words(),
            dominant: dominant.map(|Subset { name, words, .. }| MeasuredDatum { name, words }).collect(),
        }
    }

    /// Words of the dominant subsets; `None` for a network of fewer.
    pub fn dominant_words(&self) -> Option<[u64; DOMINANT]> {
        let words: Vec<u64> = self.dominant.iter().map(|subset| subset.words).collect();
        words.try_into().ok()
    }
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredSettings {
    /// The command, without the folders of this machine.
    pub command: String,
    /// Seed of every random draw.
    pub seed: u64,
    /// Relative prediction accuracy that a design must keep, 0..=1.
    pub floor: f64,
    /// Least gain/loss of a step of a joint scheme.
    pub gain_loss_floor: f64,
    /// Probability of a wrong verdict on random errors.
    pub error_rate: f64,
    /// Trials after which a point of random errors is left undecided.
    pub most_trials: u64,
}

/// One datum: a data subset, or several that are the same blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredDatum {
    /// Its name.
    pub name: String,
    /// Words in the data volume.
    pub words: u64,
}

/// How words of fixed point are narrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPolicy {
    /// Rounding.
    pub rounding: SavedRounding,
    /// Where the binary point comes from.
    pub binary_point: SavedBinaryPoint,
}

/// [`Rounding`], as it is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedRounding {
    /// To the nearest code, ties to the even one.
    NearestEven,
    /// The low bits of the code are dropped.
    Floor,
    /// Towards zero.
    Zero,
}

/// [`BinaryPoint`], as it is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedBinaryPoint {
    /// From the range of the subset.
    Subset,
    /// From the range of all subsets.
    Network,
    /// This number of integer bits.
    At(i32),
}

impl From<Rounding> for SavedRounding {
    fn from(rounding: Rounding) -> Self {
        match rounding {
            Rounding::NearestEven => Self::NearestEven,
            Rounding::Floor => Self::Floor,
            Rounding::Zero => Self::Zero,
        }
    }
}

impl From<BinaryPoint> for SavedBinaryPoint {
    fn from(binary_point: BinaryPoint) -> Self {
        match binary_point {
            BinaryPoint::Subset => Self::Subset,
            BinaryPoint::Network => Self::Network,
            BinaryPoint::At(integer_bits) => Self::At(integer_bits),
        }
    }
}

impl SavedPolicy {
    /// For a reader: `nearest_even, subset`.
    pub fn text(self) -> String {
        let rounding = match self.rounding {
            SavedRounding::NearestEven => "nearest_even",
            SavedRounding::Floor => "floor",
            SavedRounding::Zero => "zero",
        };
        format!("{rounding}, {}", self.binary_point.text())
    }
}

impl SavedBinaryPoint {
    /// For a reader.
    pub fn text(self) -> String {
        match self {
            Self::Subset => "subset".into(),
            Self::Network => "network".into(),
            Self::At(1) => "1 integer bit".into(),
            Self::At(integer_bits) => format!("{integer_bits} integer bits"),
        }
    }
}

/// Data narrowed one at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SinglePolicy {
    /// How.
    pub policy: SavedPolicy,
    /// One for each of [`Measurement::data`].
    pub data: Vec<SingleDatum>,
}

/// One datum narrowed, everything else fp32.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SingleDatum {
    /// Its smallest bit-width that keeps the floor; `None` if not even 32 bits do.
    pub bits: Option<u32>,
    /// Whether no measured width below `bits` keeps the floor and all above do.
    pub monotone: bool,
    /// Forward passes that this took.
    pub passes: u64,
    /// Forward passes of the published flow, which comes down from 32 bits one by one.
    pub published_passes: u64,
    /// The widths that were measured, narrowest first.
    pub points: Vec<WidthPoint>,
}

/// Accuracy at one width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WidthPoint {
    /// Word width.
    pub bits: u32,
    /// Images predicted right.
    pub correct: u64,
}

/// Data narrowed together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Joint {
    /// The paper's greedy search, by policy.
    pub greedy: Vec<GreedyScheme>,
    /// Forward passes of the greedy search under the first policy, beside those of the single data.
    pub greedy_passes: u64,
    /// The smallest volume that keeps the floor, found by the better search under the first policy; `None`: not looked for.
    pub smallest: Option<Scheme>,
    /// Forward passes of that search, beside those of the greedy one.
    pub search_passes: u64,
    /// Whether that search ended for having made its most passes.
    pub exhausted: bool,
    /// The paper's bit-widths on these weights, by policy, where the network is one of the paper's: those that the user gave, that it
    /// prints, or that are inferred from eq. (1). See [`ReductionRow::known`](super::ReductionRow).
    pub paper: Vec<PaperScheme>,
    /// Schemes of which no measured one is both smaller and more accurate, under the first policy.
    pub front: Vec<Scheme>,
}

/// Bit-widths of all dominant data, and what they cost and save.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scheme {
    /// One for each of [`Measurement::data`]; 32 where a datum is not narrowed.
    pub widths: Vec<u32>,
    /// Images predicted right.
    pub correct: u64,
}

/// The paper's bit-widths on weights of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaperScheme {
    /// How words are narrowed.
    pub policy: SavedPolicy,
    /// The bit-widths, and what they cost here.
    pub scheme: Scheme,
}

/// The paper's step-by-step search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GreedyScheme {
    /// How words are narrowed.
    pub policy: SavedPolicy,
    /// The steps, largest datum first.
    pub steps: Vec<GreedyStep>,
}

/// One datum joins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GreedyStep {
    /// Index in [`Measurement::data`].
    pub datum: usize,
    /// Whether it was taken; else it stays as it is.
    pub taken: bool,
    /// All data that have joined so far.
    pub scheme: Scheme,
}

/// Random errors in all weights, stored as one kind of word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomWord {
    /// Kind and width of the word: `fixed16`, `fp32`.
    pub word: String,
    /// Rounding and binary point of fixed-point words.
    pub policy: Option<SavedPolicy>,
    /// Relative prediction accuracy when nothing errs.
    pub quantised_rpa: f64,
    /// The largest decade of bit error rates that keeps the floor unprotected, with all below it.
    pub mtrer: Tolerated,
    /// The rates between which the floor is crossed: the largest one told to be above it, and the smallest one told to be below
    /// it; `None` if that was not looked for or not found.
    pub crossing: Option<[f64; 2]>,
    /// Rate at which protected bits were counted.
    pub protection_ber: f64,
    /// Fewest protected most significant bits that keep the floor at that rate; `None` if no number of bits does.
    pub protected_msbs: Option<u32>,
    /// The verdict with one protected bit less; `None` where there is none less.
    pub with_one_less: Option<SavedVerdict>,
    /// Every rate and protection that was measured, fewest protected bits and smallest rate first.
    pub points: Vec<RandomPoint>,
}

/// The largest tolerated decade of bit error rates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Tolerated {
    /// This one, and not the next.
    At {
        /// The rate.
        ber: f64,
        /// The verdict one decade above.
        next: SavedVerdict,
    },
    /// The largest one asked for.
    AtLeast {
        /// The rate.
        ber: f64,
    },
    /// Not even the smallest one asked for.
    Less {
        /// The rate.
        ber: f64,
        /// The verdict there.
        verdict: SavedVerdict,
    },
    /// The words miss the floor without any error.
    QuantisedMisses,
}

/// Whether a mean over devices reaches the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedVerdict {
    /// It does.
    Above,
    /// It does not.
    Below,
    /// The trials do not tell.
    Undecided,
}

/// Relative prediction accuracy at one rate and protection.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomPoint {
    /// Bit error rate.
    pub ber: f64,
    /// Protected most significant bits.
    pub protected_msbs: u32,
    /// Devices at this rate.
    pub trials: u64,
    /// Mean relative prediction accuracy over them.
    pub rpa: f64,
    /// 95 % interval of the mean, as if the number of trials had been fixed beforehand; `None` for a single one.
    pub interval: Option<[f64; 2]>,
    /// Whether the mean reaches the floor.
    pub verdict: SavedVerdict,
}

/// Run times by network. Kept apart from the measurements: they alone differ from run to run.
pub type Times = BTreeMap<String, RunTime>;

/// What measuring one network took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunTime {
    /// Threads.
    pub threads: u64,
    /// Seconds by part: reading the network and its images, single data, joint schemes, random errors.
    pub seconds: BTreeMap<String, f64>,
}

impl Measurement {
    /// Reads a saved measurement; `file` is named in errors.
    ///
    /// # Errors
    /// [`SavedError`] if it is none, or one of another version.
    pub fn parse(file: &str, text: &str) -> Result<Self, SavedError> {
        let wrong = |source| SavedError::Syntax { file: file.into(), source };
        let value: serde_json::Value = serde_json::from_str(text).map_err(wrong)?;
        match value.get("schema_version").and_then(serde_json::Value::as_u64) {
            Some(found) if found != u64::from(SCHEMA_VERSION) => {
                Err(SavedError::Version { file: file.into(), found })
            }
            _ => serde_json::from_value(value).map_err(wrong),
        }
    }

    /// Relative prediction accuracy of `correct` images; 0 when the network predicts none right in fp32.
    pub fn rpa(&self, correct: u64) -> f64 {
        if self.baseline_correct == 0 { 0.0 } else { correct as f64 / self.baseline_correct as f64 }
    }

    /// Reduction of the data volume by `widths` of the dominant data, eq. (1), 0..=1.
    pub fn reduction(&self, widths: &[u32]) -> f64 {
        let spared =
            |(datum, bits): (&MeasuredDatum, &u32)| datum.words * u64::from(32_u32.saturating_sub(*bits));
        let spared: u64 = self.data.iter().zip(widths).map(spared).sum();
        spared as f64 / (32 * self.definition.volume_words.max(1)) as f64
    }

    /// Reduction of volume per loss of relative prediction accuracy; `None` when nothing is lost.
    pub fn gain_loss(&self, scheme: &Scheme) -> Option<f64> {
        let loss = 1.0 - self.rpa(scheme.correct);
        (loss > 0.0).then(|| self.reduction(&scheme.widths) / loss)
    }

    /// The last scheme of the greedy search under the first policy that was taken.
    pub fn greedy(&self) -> Option<&Scheme> {
        self.joint.as_ref()?.greedy.first()?.last_taken()
    }
}

impl GreedyScheme {
    /// The scheme that it ends with.
    pub fn last_taken(&self) -> Option<&Scheme> {
        self.steps.iter().rev().find(|step| step.taken).map(|step| &step.scheme)
    }
}

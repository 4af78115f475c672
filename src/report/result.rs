//! The result schema: every figure of a run, with stable paths.

use super::attribution::AttributionFigures;
use super::energy::{self, EnergyFigures};
use super::running::{self, RunningFigures};
use crate::campaign::{ClassScore, Outcome, Score, Summary, Trial};
use crate::experiment::{Experiment, Site, Stop, StoredSubset, Volume, flip_std};
use serde::Serialize;

/// Version of the schema of `result.json` and `sweep.json`; a change of meaning or the removal of a path raises it.
pub const SCHEMA_VERSION: u32 = 1;

/// Where a data subset without a memory rests.
const PRECISE: &str = "precise";

/// Accuracy of one pass over the evaluation images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accuracy {
    /// Number of images.
    pub images: u64,
    /// Images predicted right.
    pub top1_correct: u64,
    /// Share of the images predicted right.
    pub top1: f64,
    /// Images whose label is among their five largest logits; null for networks of five classes or fewer.
    pub top5_correct: Option<u64>,
    /// Share of these images; null as above.
    pub top5: Option<f64>,
    /// `top1` relative to the baseline's; null when the baseline predicts no image right.
    pub rpa: Option<f64>,
    /// Images that are classified as by the baseline; never those with a NaN logit.
    pub agreeing_images: u64,
    /// Share of these images.
    pub agreement: f64,
    /// Images with a NaN logit.
    pub nan_images: u64,
    /// Images with an infinite logit and no NaN.
    pub infinite_images: u64,
}

impl Accuracy {
    fn of(score: &Score, baseline: &Score) -> Self {
        Self {
            images: score.images,
            top1_correct: score.top1_correct,
            top1: score.top1(),
            top5_correct: score.top5_correct,
            top5: score.top5(),
            rpa: score.rpa(baseline),
            agreeing_images: score.agreeing,
            agreement: score.agreement(),
            nan_images: score.nan_images,
            infinite_images: score.infinite_images,
        }
    }
}

/// Accuracy over the trials. Deviations have n - 1 in the denominator; intervals are Student's t over trials with the
/// images fixed; both are null for one trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Approximate {
    /// Number of trials.
    pub trials: usize,
    /// Mean share of the images predicted right.
    pub top1_mean: f64,
    /// Its standard deviation over trials.
    pub top1_std: Option<f64>,
    /// 95 % interval of its mean.
    pub top1_ci95: Option<[f64; 2]>,
    /// Worst trial.
    pub top1_min: f64,
    /// Best trial.
    pub top1_max: f64,
    /// Mean share of the images whose label is among their five largest logits; null for networks of five classes or fewer,
    /// as are all of its figures.
    pub top5_mean: Option<f64>,
    /// Its standard deviation over trials.
    pub top5_std: Option<f64>,
    /// 95 % interval of its mean.
    pub top5_ci95: Option<[f64; 2]>,
    /// Worst trial.
    pub top5_min: Option<f64>,
    /// Best trial.
    pub top5_max: Option<f64>,
    /// Mean relative prediction accuracy; null when the baseline predicts no image right, as are all of its figures.
    pub rpa_mean: Option<f64>,
    /// Its standard deviation over trials.
    pub rpa_std: Option<f64>,
    /// 95 % interval of its mean.
    pub rpa_ci95: Option<[f64; 2]>,
    /// Worst trial.
    pub rpa_min: Option<f64>,
    /// Best trial.
    pub rpa_max: Option<f64>,
    /// Mean share of the images that are classified as by the baseline.
    pub agreement_mean: f64,
    /// Its standard deviation over trials.
    pub agreement_std: Option<f64>,
    /// 95 % interval of its mean.
    pub agreement_ci95: Option<[f64; 2]>,
    /// Worst trial.
    pub agreement_min: f64,
    /// Best trial.
    pub agreement_max: f64,
    /// The floor of the experiment.
    pub rpa_floor: f64,
    /// Whether the mean is at or above the floor.
    pub meets_floor: Option<bool>,
    /// Mean number of images with a NaN logit.
    pub nan_images_mean: f64,
    /// Mean number of images with an infinite logit and no NaN.
    pub infinite_images_mean: f64,
}

/// One class of the network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassFigures {
    /// The class, from 0.
    pub class: usize,
    /// Images with this label.
    pub images: u64,
    /// Of these, the ones that the baseline predicts right.
    pub baseline_correct: u32,
    /// The same with formats and link applied.
    pub quantised_correct: u32,
    /// The same with faults, mean over trials.
    pub correct_mean: f64,
    /// Its standard deviation over trials; null for one trial.
    pub correct_std: Option<f64>,
    /// Images of any label that the baseline takes for this class.
    pub baseline_predicted: u32,
    /// The same with formats and link applied.
    pub quantised_predicted: u32,
    /// The same with faults, mean over trials.
    pub predicted_mean: f64,
}

impl ClassFigures {
    /// Share of the class's images that the baseline predicts right, less that over trials; `None` without images.
    pub fn loss(&self) -> Option<f64> {
        (self.images > 0).then(|| (f64::from(self.baseline_correct) - self.correct_mean) / self.images as f64)
    }
}

/// Faults at one stop of one data subset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StopFaults {
    /// Data subset.
    pub subset: String,
    /// Memory.
    pub memory: String,
    /// Bits per stored word at this stop.
    pub word_bits: u32,
    /// Top bits of each word in precise cells.
    pub protected_msbs: u32,
    /// Probability that an approximate bit is delivered wrong.
    pub bit_error_rate: f64,
    /// Approximate bits that hold the subset.
    pub bits_at_risk: u64,
    /// Wrong bits expected per trial.
    pub flips_expected: f64,
    /// Wrong bits delivered per trial, mean over trials.
    pub flips_mean: f64,
}

/// Faults in one memory, all data subsets together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryFaults {
    /// Memory.
    pub memory: String,
    /// Bits in cells that may err.
    pub bits_at_risk: u64,
    /// Wrong bits expected per trial.
    pub flips_expected: f64,
    /// Wrong bits delivered per trial, mean over trials.
    pub flips_mean: f64,
    /// Share of all wrong bits delivered; null if there are none.
    pub share: Option<f64>,
}

/// Faults per trial, expected and delivered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Faults {
    /// Approximate bits that hold data, over all stops.
    pub bits_at_risk: u64,
    /// Wrong bits expected per trial; a neuron bit counts once per image.
    pub flips_expected: f64,
    /// Standard deviation of that number over trials, by the binomial law; null where cells depend on each other (columns that share
    /// variation, bad lines, devices of different quality).
    pub flips_expected_std: Option<f64>,
    /// Wrong bits delivered per trial, mean over trials.
    pub flips_mean: f64,
    /// Standard deviation over trials; null for one trial.
    pub flips_std: Option<f64>,
    /// The same in each memory.
    pub by_memory: Vec<MemoryFaults>,
    /// The same at each stop of each data subset.
    pub by_stop: Vec<StopFaults>,
}

/// One data subset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SubsetFigures {
    /// Name.
    pub name: String,
    /// Words for one image.
    pub words: u64,
    /// Share of the data volume; 0 outside of it.
    pub share: f64,
    /// Whether it counts in the data volume.
    pub in_volume: bool,
    /// Kind of the stored word.
    pub format: String,
    /// Bits per word in its home memory.
    pub bits: u32,
    /// Bits per word on the link.
    pub link_bits: u32,
    /// Home memory; `precise` when it is not placed.
    pub memory: String,
    /// All stops in order.
    pub path: Vec<String>,
}

/// The result of one experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunResult {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the program.
    pub approxmem_version: &'static str,
    /// The resolved experiment.
    pub experiment: Experiment,
    /// Whether "right" means the label; else it means the baseline's own prediction, because the data set has no labels.
    pub labelled: bool,
    /// fp32, nothing approximated.
    pub baseline: Accuracy,
    /// Formats and link applied, no faults.
    pub quantised: Accuracy,
    /// With faults.
    pub approximate: Approximate,
    /// Every class in order.
    pub classes: Vec<ClassFigures>,
    /// Bit errors.
    pub faults: Faults,
    /// What each stop costs alone, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribution: Option<AttributionFigures>,
    /// Data volume.
    pub volume: Volume,
    /// Energy of the memories per inference; null where energies do not fit the operating point.
    pub energy: Option<EnergyFigures>,
    /// Cycles, traffic and energy on the accelerator; null without one.
    pub accelerator: Option<RunningFigures>,
    /// What a reader of the figures must know.
    pub notes: Vec<String>,
    /// Every data subset in layer order.
    pub subsets: Vec<SubsetFigures>,
}

impl RunResult {
    /// Gathers the figures of `outcome`.
    ///
    /// # Panics
    /// If the outcome holds no trial.
    pub fn new(experiment: &Experiment, outcome: &Outcome) -> Self {
        let mut notes = energy::notes(experiment);
        notes.extend(running::notes(experiment));
        let accelerator = RunningFigures::of(experiment).unwrap_or_else(|error| {
            notes.push(format!("what the accelerator costs is not known: {error}"));
            None
        });
        Self {
            schema_version: SCHEMA_VERSION,
            approxmem_version: env!("CARGO_PKG_VERSION"),
            experiment: experiment.clone(),
            labelled: outcome.labelled,
            baseline: Accuracy::of(&outcome.baseline, &outcome.baseline),
            quantised: Accuracy::of(&outcome.quantised, &outcome.baseline),
            approximate: approximate(experiment, outcome),
            classes: class_figures(outcome),
            faults: faults(experiment, outcome),
            attribution: None,
            volume: Volume::of(experiment),
            energy: EnergyFigures::of(experiment).ok(),
            accelerator,
            notes,
            subsets: subset_figures(experiment),
        }
    }
}

fn over_trials(outcome: &Outcome, figure: impl Fn(&Trial) -> f64) -> Summary {
    let values: Vec<f64> = outcome.trials.iter().map(figure).collect();
    Summary::of(&values).expect("an experiment has at least one trial")
}

/// As [`over_trials`], where every trial has the figure.
fn defined_over_trials(outcome: &Outcome, figure: impl Fn(&Trial) -> Option<f64>) -> Option<Summary> {
    let values: Option<Vec<f64>> = outcome.trials.iter().map(figure).collect();
    values.and_then(|values| Summary::of(&values))
}

fn approximate(experiment: &Experiment, outcome: &Outcome) -> Approximate {
    let top1 = over_trials(outcome, |trial| trial.score.top1());
    let top5 = defined_over_trials(outcome, |trial| trial.score.top5());
    let rpa = defined_over_trials(outcome, |trial| trial.score.rpa(&outcome.baseline));
    let agreement = over_trials(outcome, |trial| trial.score.agreement());
    Approximate {
        trials: top1.count,
        top1_mean: top1.mean,
        top1_std: top1.std,
        top1_ci95: top1.ci95,
        top1_min: top1.min,
        top1_max: top1.max,
        top5_mean: top5.map(|top5| top5.mean),
        top5_std: top5.and_then(|top5| top5.std),
        top5_ci95: top5.and_then(|top5| top5.ci95),
        top5_min: top5.map(|top5| top5.min),
        top5_max: top5.map(|top5| top5.max),
        rpa_mean: rpa.map(|rpa| rpa.mean),
        rpa_std: rpa.and_then(|rpa| rpa.std),
        rpa_ci95: rpa.and_then(|rpa| rpa.ci95),
        rpa_min: rpa.map(|rpa| rpa.min),
        rpa_max: rpa.map(|rpa| rpa.max),
        agreement_mean: agreement.mean,
        agreement_std: agreement.std,
        agreement_ci95: agreement.ci95,
        agreement_min: agreement.min,
        agreement_max: agreement.max,
        rpa_floor: experiment.rpa_floor,
        meets_floor: rpa.map(|rpa| rpa.mean >= experiment.rpa_floor),
        nan_images_mean: over_trials(outcome, |trial| trial.score.nan_images as f64).mean,
        infinite_images_mean: over_trials(outcome, |trial| trial.score.infinite_images as f64).mean,
    }
}

fn class_figures(outcome: &Outcome) -> Vec<ClassFigures> {
    let figures = outcome.class_images.iter().enumerate().map(|(class, &images)| {
        let of = |score: &Score| score.classes[class];
        let ClassScore { correct: baseline_correct, predicted: baseline_predicted } = of(&outcome.baseline);
        let ClassScore { correct: quantised_correct, predicted: quantised_predicted } =
            of(&outcome.quantised);
        let correct = over_trials(outcome, |trial| of(&trial.score).correct.into());
        ClassFigures {
            class,
            images,
            baseline_correct,
            quantised_correct,
            correct_mean: correct.mean,
            correct_std: correct.std,
            baseline_predicted,
            quantised_predicted,
            predicted_mean: over_trials(outcome, |trial| of(&trial.score).predicted.into()).mean,
        }
    });
    figures.collect()
}

fn faults(experiment: &Experiment, outcome: &Outcome) -> Faults {
    let flips = over_trials(outcome, |trial| trial.total_flips() as f64);
    let by_stop = outcome.sites.iter().enumerate().map(|(index, site)| StopFaults {
        subset: experiment.subsets[site.subset].subset.name.clone(),
        memory: experiment.memories[site.residency.memory].name.clone(),
        word_bits: site.residency.word_bits,
        protected_msbs: site.protected_msbs,
        bit_error_rate: site.bit_error_rate(),
        bits_at_risk: site.bits_at_risk(),
        flips_expected: site.expected_flips(),
        flips_mean: over_trials(outcome, |trial| trial.flips[index] as f64).mean,
    });
    let by_memory = experiment
        .memories
        .iter()
        .enumerate()
        .filter_map(|(memory, _)| memory_faults(experiment, outcome, memory, flips.mean));
    Faults {
        by_memory: by_memory.collect(),
        bits_at_risk: outcome.sites.iter().map(Site::bits_at_risk).sum(),
        flips_expected: outcome.sites.iter().map(Site::expected_flips).sum(),
        flips_expected_std: flip_std(&outcome.sites, &experiment.memories),
        flips_mean: flips.mean,
        flips_std: flips.std,
        by_stop: by_stop.collect(),
    }
}

/// The faults in memory `memory`; `None` if no data subset rests there.
fn memory_faults(
    experiment: &Experiment,
    outcome: &Outcome,
    memory: usize,
    all: f64,
) -> Option<MemoryFaults> {
    let here = |site: &Site| site.residency.memory == memory;
    let sites: Vec<_> = outcome.sites.iter().filter(|site| here(site)).collect();
    if sites.is_empty() {
        return None;
    }
    let flips = |trial: &Trial| -> u64 {
        outcome.sites.iter().zip(&trial.flips).filter(|(site, _)| here(site)).map(|(_, flips)| flips).sum()
    };
    let flips_mean = over_trials(outcome, |trial| flips(trial) as f64).mean;
    Some(MemoryFaults {
        memory: experiment.memories[memory].name.clone(),
        bits_at_risk: sites.iter().map(|site| site.bits_at_risk()).sum(),
        flips_expected: sites.iter().map(|site| site.expected_flips()).sum(),
        flips_mean,
        share: (all > 0.0).then(|| flips_mean / all),
    })
}

fn subset_figures(experiment: &Experiment) -> Vec<SubsetFigures> {
    let volume = Volume::of(experiment).words.max(1) as f64;
    let stop_name = |stop: &Stop| match stop {
        Stop::Memory(memory) => experiment.memories[*memory].name.clone(),
        Stop::Link => "link".to_owned(),
    };
    let home = |stored: &StoredSubset| match stored.path.first() {
        Some(Stop::Memory(memory)) => experiment.memories[*memory].name.clone(),
        Some(Stop::Link) | None => PRECISE.to_owned(),
    };
    let figures = experiment.subsets.iter().map(|stored| SubsetFigures {
        name: stored.subset.name.clone(),
        words: stored.subset.words,
        share: if stored.subset.in_volume { stored.subset.words as f64 / volume } else { 0.0 },
        in_volume: stored.subset.in_volume,
        format: stored.format.name(),
        bits: stored.format.bits(),
        link_bits: stored.link_bits,
        memory: home(stored),
        path: stored.path.iter().map(stop_name).collect(),
    });
    figures.collect()
}

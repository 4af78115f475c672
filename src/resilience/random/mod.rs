//! Module 3, random errors: how high a bit error rate data tolerate, and how many of their most significant bits must be
//! protected at a given rate.
//!
//! Every point (rate, protected bits) of one target in one format has the same trials: cells that fail at one rate fail at all
//! higher ones, and protection takes faults away without moving the others. So the mean over devices falls with the rate and
//! rises with the protected bits, and searches bisect.

mod claims;
mod ground;
mod search;

pub use claims::{Claim, Claims, PROTECTED_BER, TOLERATED_BER, claims};
pub use ground::MEMORY;

use super::verdict::{Judgement, Verdict};
use super::{Error, RandomSettings, Subject, Target};
use crate::memory::Lifetime;
use crate::network::Operand;
use crate::number::Format;
use ground::{Ground, Setting};
use serde::Serialize;

/// Steps of a decade that refined rates are told by.
pub const STEPS_PER_DECADE: i32 = 8;

/// Rates below 10 to this are too close to the smallest numbers.
const SMALLEST_EXPONENT: i32 = -300;

/// One rate and number of protected bits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Bit error rate.
    pub ber: f64,
    /// Protected most significant bits.
    pub protected_msbs: u32,
    /// Wrong bits delivered per trial, mean.
    pub flips_mean: f64,
    /// The higher rate at which trials were made besides, if any were.
    pub nested_ber: Option<f64>,
    /// Forward passes over all images: trials without a flip take none.
    pub passes: u64,
    /// Relative prediction accuracy over devices, and whether its mean reaches the floor.
    #[serde(flatten)]
    pub judgement: Judgement,
}

/// The largest decade of bit error rates at which, and at all smaller ones, mean relative prediction accuracy reaches the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Mtrer {
    /// 10^exponent.
    At {
        /// Exponent of ten.
        exponent: i32,
        /// The verdict one decade above: below the floor, or undecided.
        next: Verdict,
    },
    /// At least 10^exponent, the largest rate asked for.
    AtLeast {
        /// Exponent of ten.
        exponent: i32,
    },
    /// Not even 10^exponent, the smallest rate asked for.
    Less {
        /// Exponent of ten.
        exponent: i32,
        /// The verdict there: below the floor, or undecided.
        verdict: Verdict,
    },
    /// None: the words miss the floor without any error.
    QuantisedMisses,
}

/// The edge of the tolerated rates, in steps of an eighth of a decade.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refined {
    /// The largest rate measured whose mean is at or above the floor.
    pub highest_above: f64,
    /// The smallest rate measured above it whose mean is below the floor; `None` if none is.
    pub lowest_below: Option<f64>,
    /// Rates measured in between, which the trials do not decide.
    pub undecided: Vec<f64>,
}

/// The fewest protected most significant bits with which mean relative prediction accuracy reaches the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ProtectedBits {
    /// So many.
    Needed {
        /// Protected bits, 0 up to all of the word.
        msbs: u32,
        /// The verdict with one less: below the floor, or undecided; `None` for no protected bit.
        fewer: Option<Verdict>,
    },
    /// None: the words miss the floor without any error.
    QuantisedMisses,
}

/// What a search took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Effort {
    /// Points measured.
    pub points: u64,
    /// Devices drawn.
    pub trials: u64,
    /// Forward passes over all images, the one without errors among them.
    pub passes: u64,
    /// Trials of a plan that makes the most trials at every decade and every number of protected bits.
    pub fixed_plan_trials: u64,
}

/// What one target tolerates in one word format.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tolerance {
    /// What is struck: `weights`, `neurons` or the name of a data subset.
    pub target: String,
    /// Its word.
    pub format: Format,
    /// Width of the word in bits.
    pub bits: u32,
    /// Words that are struck.
    pub words: u64,
    /// Lifetime of the errors.
    pub lifetime: Lifetime,
    /// Relative prediction accuracy in this format without errors.
    pub quantised_rpa: f64,
    /// Maximum tolerated random error rate.
    pub mtrer: Mtrer,
    /// Its refined value; `None` if none was asked for, or there is no edge among the rates.
    pub refined: Option<Refined>,
    /// Rate at which protected bits are counted.
    pub protection_ber: f64,
    /// Protected bits needed at that rate.
    pub protected_msbs: ProtectedBits,
    /// Every point that was measured, fewest protected bits and smallest rate first.
    pub points: Vec<Point>,
    /// Verdicts that contradict one another.
    pub contradictions: Vec<String>,
    /// What it took.
    pub effort: Effort,
}

/// Module 3 of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RandomErrors {
    /// Whether predictions are compared with labels; else with the baseline's own predictions.
    pub labelled: bool,
    /// Relative prediction accuracy that must be reached.
    pub floor: f64,
    /// Probability of a wrong verdict at one point.
    pub error_rate: f64,
    /// Trials after which a point is left undecided.
    pub most_trials: u64,
    /// Exponents of the smallest and the largest decade.
    pub decades: [i32; 2],
    /// Each target in each format.
    pub tolerances: Vec<Tolerance>,
}

/// Measures what every target of `settings` tolerates in every format; `progress` is told what is being measured.
///
/// # Errors
/// [`enum@Error`] for words that cannot be, rates or decades that are none, and a baseline that predicts no image right.
///
/// # Panics
/// If a target is none of the subject's data.
pub fn evaluate(
    subject: &Subject<'_>,
    floor: f64,
    settings: &RandomSettings,
    progress: &dyn Fn(&str),
) -> Result<RandomErrors, Error> {
    let [smallest, largest] = settings.decades;
    if smallest > largest || largest > 0 || smallest < SMALLEST_EXPONENT {
        return Err(Error::Decades(settings.decades));
    }
    if !(settings.ber > 0.0 && settings.ber <= 1.0) {
        return Err(Error::BitErrorRate(settings.ber));
    }
    let mut tolerances = Vec::new();
    for format in &settings.formats {
        for target in &settings.targets {
            tolerances.push(tolerance(subject, floor, settings, target, *format, progress)?);
        }
    }
    Ok(RandomErrors {
        labelled: subject.prepared().is_labelled(),
        floor,
        error_rate: settings.verdict.error_rate,
        most_trials: settings.verdict.most_trials,
        decades: settings.decades,
        tolerances,
    })
}

/// What `target` tolerates in words of `format`.
fn tolerance(
    subject: &Subject<'_>,
    floor: f64,
    settings: &RandomSettings,
    target: &Target,
    format: Format,
    progress: &dyn Fn(&str),
) -> Result<Tolerance, Error> {
    let lifetime = lifetime(subject, target, settings.neuron_lifetime);
    let setting = Setting { target: target.clone(), format, lifetime, floor, verdict: settings.verdict };
    let name = target_name(subject, target);
    let told = |line: &str| progress(&format!("{name} in {}: {line}", format.name()));
    let stored = setting.experiment(subject, 0.0, 0);
    let mut ground = Ground::new(subject, setting, &stored, &told)?;
    let search = search::all(&mut ground, settings)?;
    let points: Vec<Point> = ground.points().cloned().collect();
    Ok(Tolerance {
        target: name.clone(),
        format,
        bits: format.bits(),
        words: ground.words(),
        lifetime,
        quantised_rpa: ground.quantised_rpa(),
        mtrer: search.mtrer,
        refined: search.refined,
        protection_ber: settings.ber,
        protected_msbs: search.protected_msbs,
        contradictions: search.contradictions,
        effort: Effort {
            points: points.len() as u64,
            trials: points.iter().map(Point::trials).sum(),
            passes: 1 + points.iter().map(|point| point.passes).sum::<u64>(),
            fixed_plan_trials: settings.verdict.most_trials
                * search::fixed_plan_points(settings, format.bits()),
        },
        points,
    })
}

impl Point {
    /// Devices drawn at this point and at its higher rate.
    pub fn trials(&self) -> u64 {
        self.judgement.summary.count as u64 + self.judgement.nested_trials
    }
}

impl Mtrer {
    /// The rate: 10^exponent where one was found to be tolerated.
    pub fn ber(&self) -> Option<f64> {
        match self {
            Self::At { exponent, .. } | Self::AtLeast { exponent } => Some(decade(*exponent)),
            Self::Less { .. } | Self::QuantisedMisses => None,
        }
    }
}

/// The name of a target: `weights`, `neurons` or that of a data subset.
pub fn target_name(subject: &Subject<'_>, target: &Target) -> String {
    match target {
        Target::Weights => "weights".to_owned(),
        Target::Neurons => "neurons".to_owned(),
        Target::Datum(index) => subject.data()[*index].name.clone(),
    }
}

fn lifetime(subject: &Subject<'_>, target: &Target, of_neurons: Lifetime) -> Lifetime {
    let is_neuron = |&datum: &usize| subject.data()[datum].operand == Operand::Neuron;
    if subject.struck(target).iter().any(is_neuron) { of_neurons } else { Lifetime::Permanent }
}

/// 10^`exponent`, the double nearest to it.
#[expect(clippy::missing_panics_doc, reason = "every integer is an exponent")]
pub fn decade(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().expect("an integer is an exponent")
}

/// The rate at which a cell fails that is laid over `devices` cells of rate `ber`.
fn higher_rate(ber: f64, devices: f64) -> f64 {
    -libm::expm1(devices * libm::log1p(-ber))
}

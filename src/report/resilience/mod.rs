//! Data resilience as text, tables and CSV.

mod characterisation;
mod joint;
mod random;
mod single;

pub use characterisation::{
    characterisation_text, characterised_data_csv, designs_csv, operating_points_csv,
};
pub use joint::{front_csv, front_text, joint_text, steps_csv};
pub use random::{claims_text, random_points_csv, random_text};
pub use single::{curves_csv, single_csv, single_text};

use super::text::{exact_percent, word};
use super::{SCHEMA_VERSION, grouped, percent};
use crate::experiment::{DatasetSource, Experiment, NetworkSource};
use crate::number::BinaryPoint;
use crate::resilience::characterisation::SchemeFigures;
use crate::resilience::evaluation::{Asked, Evaluation};
use crate::resilience::verdict::Verdict;
use crate::resilience::{Policy, Scheme};
use random::tolerance_text;
use serde::Serialize;
use std::fmt::Write as _;

/// Result of `approxmem resilience`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResilienceResult {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the program.
    pub approxmem_version: &'static str,
    /// Files of the network.
    pub network: NetworkSource,
    /// Files of the images.
    pub dataset: DatasetSource,
    /// Seed of every random draw.
    pub seed: u64,
    /// What was asked for.
    pub asked: Asked,
    /// What was found.
    #[serde(flatten)]
    pub evaluation: Evaluation,
}

impl ResilienceResult {
    /// What `asked` of the network of `experiment` found.
    pub fn new(experiment: &Experiment, asked: Asked, evaluation: Evaluation) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            approxmem_version: env!("CARGO_PKG_VERSION"),
            network: experiment.network.clone(),
            dataset: experiment.dataset.clone(),
            seed: experiment.seed,
            asked,
            evaluation,
        }
    }
}

/// The result as text, module by module.
pub fn resilience_text(result: &ResilienceResult) -> String {
    let Evaluation { single, joint, random, characterisation, scheme_passes, error_passes } =
        &result.evaluation;
    let baseline = single.baseline_top1_correct;
    let mut text = if single.labelled {
        let share = percent(baseline as f64 / single.images.max(1) as f64);
        format!(
            "fp32 predicts {} of {} images right ({share} %); RPA is accuracy relative to that.\n",
            grouped(baseline),
            grouped(single.images)
        )
    } else {
        format!(
            "The {} images have no labels: accuracy, and so RPA, is agreement with the predictions of the unapproximated network.\n",
            grouped(single.images)
        )
    };
    writeln!(
        text,
        "The floor is an RPA of {} %; one image is {} % of RPA.",
        exact_percent(single.floor),
        percent(1.0 / baseline.max(1) as f64)
    )
    .expect("writing to a string does not fail");
    text.push_str(&summary(&result.evaluation));
    for part in [
        single_text(single),
        joint_text(joint),
        front_text(joint),
        random_text(random),
        characterisation_text(characterisation),
    ] {
        text.push('\n');
        text.push_str(part.trim_end());
        text.push('\n');
    }
    let passes = grouped(scheme_passes + error_passes);
    writeln!(text, "\n{passes} forward passes of {} images in modules 1 to 3", grouped(single.images))
        .expect("writing to a string does not fail");
    text
}

/// What matters most, in a few lines.
fn summary(evaluation: &Evaluation) -> String {
    let Evaluation { joint, random, characterisation, .. } = evaluation;
    let mut lines = vec![String::new()];
    let scheme = &joint.search.scheme;
    lines.push(if scheme.widths.is_empty() {
        "* Words: no data can be narrowed".to_owned()
    } else {
        format!(
            "* Words: {}: {} % less data volume at an RPA of {} %",
            widths(scheme),
            percent(scheme.dvr),
            percent(scheme.measured.rpa)
        )
    });
    for tolerance in &random.tolerances {
        lines.push(format!("* Errors: {}", tolerance_text(tolerance)));
    }
    // What is headlined holds: designs that err are confirmed.
    let holds = |scheme: &&SchemeFigures| {
        scheme.verification.as_ref().is_none_or(|found| found.judgement.verdict == Verdict::Above)
    };
    let nothing = scheme.widths.is_empty();
    if nothing {
        lines.push("* Worth: nothing: no word can be narrowed".to_owned());
    } else if let Some(last) = characterisation.schemes.iter().rev().find(holds) {
        let saving = &last.saving;
        let shares = [("traffic", saving.traffic), ("cycles", saving.cycles), ("energy", saving.energy)];
        let told: Vec<String> = shares
            .into_iter()
            .filter_map(|(name, share)| Some(format!("{} % of the {name}", percent(share?))))
            .collect();
        if !told.is_empty() {
            lines.push(format!("* Worth: {} saved ({})", told.join(", "), last.design));
        }
    }
    lines.join("\n") + "\n"
}

/// How words were narrowed, in the words of the configuration.
fn policy(policy: Policy) -> String {
    let [rounding, binary_point] = policy_words(policy);
    format!("rounding {rounding}, binary point {binary_point}")
}

/// Rounding and binary point.
fn policy_words(policy: Policy) -> [String; 2] {
    let binary_point = match policy.binary_point {
        BinaryPoint::At(integer_bits) => integer_bits.to_string(),
        named => word(&named),
    };
    [word(&policy.rounding), binary_point]
}

/// What predictions are compared with, in a column of a table of numbers.
fn compared_with(labelled: bool) -> String {
    if labelled { "labels" } else { "fp32_predictions" }.to_owned()
}

/// What `top1_correct` counts when there are no labels.
fn measure(labelled: bool) -> &'static str {
    if labelled {
        ""
    } else {
        "\nno labels: an image is right when it is classified as by the unapproximated network"
    }
}

/// The widths of a scheme, one after the other.
fn widths(scheme: &Scheme) -> String {
    let named: Vec<_> = scheme.widths.iter().map(|width| format!("{} {}", width.name, width.bits)).collect();
    if named.is_empty() { "nothing narrowed".to_owned() } else { named.join(", ") }
}

//! `approxmem resilience`: which data may lose bits or err, how much, and what that buys.

use super::arguments::{Evaluating, Figure};
use super::failure::{Failure, Mistake};
use super::output::{self, Folder};
use super::progress::Voice;
use super::run;
use super::session::Session;
use crate::config::Evaluation;
use crate::experiment::Experiment;
use crate::network::Network;
use crate::report::{self, ResilienceResult};
use crate::resilience::characterisation::{CharacterisationSettings, Objective};
use crate::resilience::evaluation::{self, Asked};
use crate::resilience::verdict::{LEAST_NEAR_NORMAL, LEAST_TRIALS};
use crate::resilience::{Selection, Subject, Target};
use std::time::Instant;

/// Names of the result files.
const FILES: [&str; 9] = [
    "resilience.json",
    "subsets.csv",
    "widths.csv",
    "steps.csv",
    "front.csv",
    "errors.csv",
    "operating_points.csv",
    "characters.csv",
    "designs.csv",
];

/// Forward passes for further points of the Pareto front of a full evaluation.
const FRONT_PASSES: u64 = 40;

/// Evaluates the network of a configuration, prints what was found and writes `resilience.json` and its tables.
///
/// # Errors
/// Exit code 2 before anything is run, or exit code 1.
pub fn resilience(evaluating: &Evaluating, voice: Voice) -> Result<(), Failure> {
    let session = Session::open(&evaluating.config, &evaluating.overrides, voice)?;
    let experiment = &session.resolved.experiment;
    let evaluation = narrowed(evaluating, session.resolved.evaluation.clone())?;
    check_trials(&evaluation)?;
    let objective = objective(evaluating, experiment)?;
    let output = &evaluating.output;
    let folder = Folder::choose(output.out.as_deref(), output.json, &evaluating.config, &FILES)?;
    let start = Instant::now();
    let result = run::in_pool(output.threads, || {
        evaluate(session.network, experiment, &evaluation, objective, voice)
    })??;
    let json = output::json(&result);
    if let Some(folder) = &folder {
        let evaluation = &result.evaluation;
        folder.write(&[
            &json,
            &report::single_csv(&evaluation.single),
            &report::curves_csv(&evaluation.single),
            &report::steps_csv(&evaluation.joint),
            &report::front_csv(&evaluation.joint),
            &report::random_points_csv(&evaluation.random),
            &report::operating_points_csv(&evaluation.characterisation),
            &report::characterised_data_csv(&evaluation.characterisation),
            &report::designs_csv(&evaluation.characterisation),
        ])?;
    }
    if output.json {
        return output::print(&json);
    }
    output::print(&report::resilience_text(&result))?;
    voice.say(&format!("evaluated in {:.1} s", start.elapsed().as_secs_f64()));
    if let Some(folder) = &folder {
        output::print(&folder.summary())?;
    }
    Ok(())
}

/// The evaluation of the configuration, with what the options say.
fn narrowed(evaluating: &Evaluating, evaluation: Evaluation) -> Result<Evaluation, Failure> {
    let mut evaluation = if evaluating.full { evaluation.full() } else { evaluation };
    if let Some(count) = evaluating.subsets {
        evaluation.settings.selection = Selection::Largest(usize::try_from(count).unwrap_or(usize::MAX));
    }
    if let Some(share) = evaluating.cover {
        if !(share > 0.0 && share <= 1.0) {
            let message = format!("--cover must be a number above 0 up to 1, found {share}");
            return Err(Failure::bad_input(vec![Mistake::new(message)]));
        }
        evaluation.settings.selection = Selection::Cover(share);
    }
    if evaluating.full {
        evaluation.settings.search.front_passes = FRONT_PASSES;
    }
    Ok(evaluation)
}

/// Refuses fewer trials than any verdict takes.
fn check_trials(evaluation: &Evaluation) -> Result<(), Failure> {
    let trials = evaluation.settings.random.verdict.most_trials;
    if trials >= LEAST_TRIALS {
        return Ok(());
    }
    let message = format!("a verdict on random errors takes at least {LEAST_TRIALS} trials, found {trials}");
    let help = format!(
        "raise `experiment.trials`, or --trials; Student's t joins in from {LEAST_NEAR_NORMAL} trials on"
    );
    Err(Failure::bad_input(vec![Mistake::new(message).with_help(help)]))
}

/// What the cheapest design has least of.
fn objective(evaluating: &Evaluating, experiment: &Experiment) -> Result<Option<Objective>, Failure> {
    let objective = match evaluating.optimise {
        None if evaluating.full => Some(Objective::Energy),
        None => None,
        Some(Figure::Energy) => Some(Objective::Energy),
        Some(Figure::Traffic) => Some(Objective::Traffic),
        Some(Figure::Cycles) => Some(Objective::Cycles),
    };
    if objective == Some(Objective::Cycles) && experiment.accelerator.is_none() {
        let mistake = Mistake::new("cycles depend on the accelerator, and the configuration has none");
        return Err(Failure::bad_input(vec![
            mistake.with_help("add [accelerator]: see docs/accelerator.md"),
        ]));
    }
    Ok(objective)
}

fn evaluate(
    network: Network,
    experiment: &Experiment,
    evaluation: &Evaluation,
    objective: Option<Objective>,
    voice: Voice,
) -> Result<ResilienceResult, Failure> {
    let prepared = run::prepare(network, experiment)?;
    let subject = Subject::new(experiment, &prepared);
    let mut settings = evaluation.settings.clone();
    if evaluation.each_datum {
        let selected = subject.selected(settings.selection).len();
        settings.random.targets.extend((0..selected).map(Target::Datum));
    }
    let asked = Asked {
        settings,
        characterisation: CharacterisationSettings {
            optimise: objective,
            ..CharacterisationSettings::default()
        },
    };
    let teller = voice.teller();
    let evaluated = evaluation::evaluate(experiment, &subject, &asked, &|line| teller.tell(line));
    teller.finish();
    let evaluation = evaluated.map_err(|error| Failure::broken(&error))?;
    Ok(ResilienceResult::new(experiment, asked, evaluation))
}

//! `approxmem compare`: designs side by side.

use super::arguments::{Output, Overrides};
use super::failure::{Failure, Mistake};
use super::output::{self, Folder};
use super::progress::Voice;
use super::{run, session};
use crate::config::{Document, Doubt};
use crate::experiment::{Experiment, Prepared};
use crate::report::{CRITERIA, Comparison, Design, RunResult, Variation};
use std::path::{Path, PathBuf};

/// Names of the result files.
const FILES: [&str; 2] = ["compare.json", "compare.csv"];

/// What each uncertain constant is multiplied by.
const FACTORS: [f64; 2] = [0.5, 2.0];

/// One design on its way.
struct Candidate {
    name: String,
    document: Document,
    experiment: Experiment,
    /// Index of its network and images among the preparations.
    prepared: usize,
}

/// A constant in all designs that use it: index of the design, and where it would be typed there.
struct SharedDoubt {
    doubt: Doubt,
    places: Vec<(usize, Vec<String>)>,
}

/// Runs the experiments of all `configs`, prints them side by side and tells which rankings survive halving and doubling
/// every constant that is not a found one; writes `compare.json` and `compare.csv`.
///
/// # Errors
/// Exit code 2 before anything is run, or exit code 1.
pub fn compare(
    configs: &[PathBuf],
    variation_trials: u64,
    overrides: &Overrides,
    output: &Output,
    voice: Voice,
) -> Result<(), Failure> {
    let mut resolved = Vec::new();
    for config in configs {
        let document = session::document(config, overrides)?;
        let (network, found) = session::resolve(&document, voice)?;
        resolved.push((name(config), document, network, found.experiment));
    }
    check_names(&resolved.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>())?;
    let folder = Folder::choose(output.out.as_deref(), output.json, Path::new("compare"), &FILES)?;
    let comparison = run::in_pool(output.threads, || {
        let mut preparations: Vec<Prepared> = Vec::new();
        let mut candidates: Vec<Candidate> = Vec::new();
        for (name, document, network, experiment) in resolved {
            let known = candidates.iter().find(|other| {
                other.experiment.network == experiment.network
                    && preparations[other.prepared].fits(&experiment)
            });
            let prepared = if let Some(known) = known {
                known.prepared
            } else {
                preparations.push(run::prepare(network, &experiment)?);
                preparations.len() - 1
            };
            candidates.push(Candidate { name, document, experiment, prepared });
        }
        measure(&candidates, &preparations, variation_trials, voice)
    })??;
    let json = output::json(&comparison);
    if let Some(folder) = &folder {
        folder.write(&[&json, &comparison.csv()])?;
    }
    if output.json {
        return output::print(&json);
    }
    output::print(&comparison.text())?;
    if let Some(folder) = &folder {
        output::print(&folder.summary())?;
    }
    Ok(())
}

fn name(config: &Path) -> String {
    config.file_stem().unwrap_or(config.as_os_str()).to_string_lossy().into_owned()
}

/// Refuses designs that could not be told apart.
fn check_names(names: &[&str]) -> Result<(), Failure> {
    match names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
        Some((_, name)) => {
            let mistake = Mistake::new(format!("two of the files are called `{name}`"));
            Err(Failure::bad_input(vec![mistake.with_help("designs go by the name of their file")]))
        }
        None => Ok(()),
    }
}

fn measure(
    candidates: &[Candidate],
    preparations: &[Prepared],
    variation_trials: u64,
    voice: Voice,
) -> Result<Comparison, Failure> {
    let mut designs = Vec::new();
    for candidate in candidates {
        let prepared = &preparations[candidate.prepared];
        let (_, result) = run::measure(&candidate.experiment, prepared, voice)?;
        designs.push(Design { name: candidate.name.clone(), result });
    }
    let mut doubts = shared_doubts(candidates);
    // A constant that cannot even be typed as it stands is not in use: those of another curve, for instance.
    doubts.retain(|shared| vary(shared, &shared.doubt.unchanged(), candidates, preparations).is_ok());
    let bar = voice.bar((doubts.len() * FACTORS.len()) as u64, "constants halved and doubled");
    let (mut variations, mut not_varied) = (Vec::new(), Vec::new());
    for shared in &doubts {
        for factor in FACTORS {
            if let Some(value) = shared.doubt.scaled(factor) {
                let held =
                    if shared.doubt.is_held(factor) { format!(" (held at {value})") } else { String::new() };
                let name = format!("{}.{} x {factor}{held}", shared.doubt.preset, shared.doubt.key);
                match vary(shared, &value, candidates, preparations) {
                    Ok(varied) => {
                        variations.push(score(
                            name,
                            &varied,
                            &designs,
                            candidates,
                            preparations,
                            variation_trials,
                        )?);
                    }
                    Err(reason) => not_varied.push(format!("{name}: {reason}")),
                }
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let settings: Vec<_> = candidates.iter().map(|candidate| candidate.document.settings()).collect();
    Ok(Comparison::new(designs, &settings, &variations, doubts.len(), not_varied, variation_trials))
}

/// The uncertain constants of all designs; one that several use is one constant.
fn shared_doubts(candidates: &[Candidate]) -> Vec<SharedDoubt> {
    let mut shared: Vec<SharedDoubt> = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        for doubt in candidate.document.doubts() {
            let places = (index, doubt.places.clone());
            match shared
                .iter_mut()
                .find(|other| other.doubt.preset == doubt.preset && other.doubt.key == doubt.key)
            {
                Some(known) => known.places.push(places),
                None => shared.push(SharedDoubt { doubt, places: vec![places] }),
            }
        }
    }
    shared
}

/// The designs that use a constant, with `value` in its place; or why there is none.
fn vary(
    shared: &SharedDoubt,
    value: &str,
    candidates: &[Candidate],
    preparations: &[Prepared],
) -> Result<Vec<(usize, Experiment)>, String> {
    let mut varied = Vec::new();
    for (index, places) in &shared.places {
        let candidate = &candidates[*index];
        let mut document = candidate.document.clone();
        let first = |problems: crate::config::Problems| {
            problems.0.first().map_or_else(String::new, |problem| problem.message.clone())
        };
        for place in places {
            document.assign("compare", &format!("{place}={value}")).map_err(first)?;
        }
        let resolved = document.resolve(preparations[candidate.prepared].network()).map_err(first)?;
        let nominal = resolved.experiment.nominal().map_err(|error| error.to_string())?;
        for design in [&resolved.experiment, &nominal] {
            design.cost().map_err(|error| error.to_string())?;
        }
        varied.push((*index, resolved.experiment));
    }
    Ok(varied)
}

/// Scores of all designs, some of them varied: accuracy is measured again only where a bit error rate has changed.
fn score(
    name: String,
    varied: &[(usize, Experiment)],
    designs: &[Design],
    candidates: &[Candidate],
    preparations: &[Prepared],
    trials: u64,
) -> Result<Variation, Failure> {
    let mut scores = Vec::new();
    for (index, design) in designs.iter().enumerate() {
        let Some((_, experiment)) = varied.iter().find(|(other, _)| *other == index) else {
            scores.push(CRITERIA.map(|criterion| criterion.score(&design.result)));
            continue;
        };
        let candidate = &candidates[index];
        let result = if experiment.sites(1) == candidate.experiment.sites(1) {
            RunResult {
                energy: crate::report::EnergyFigures::of(experiment).ok(),
                accelerator: crate::report::RunningFigures::of(experiment).ok().flatten(),
                ..design.result.clone()
            }
        } else {
            let fewer = Experiment { trials: trials.min(experiment.trials), ..experiment.clone() };
            run::measure(&fewer, &preparations[candidate.prepared], Voice::new(true))?.1
        };
        scores.push(CRITERIA.map(|criterion| criterion.score(&result)));
    }
    Ok(Variation { name, scores })
}

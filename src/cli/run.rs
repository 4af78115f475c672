//! `approxmem run`: one experiment.

use super::arguments::{Output, Overrides};
use super::failure::Failure;
use super::output::{self, Folder};
use super::progress::Voice;
use super::session::Session;
use crate::campaign::{self, Outcome};
use crate::experiment::{Experiment, Prepared};
use crate::report::{self, AttributionFigures, RunResult};
use std::path::Path;

/// Names of the result files.
const FILES: [&str; 4] = ["result.json", "trials.csv", "classes.csv", "subsets.csv"];

/// Beyond this many threads starting them costs more than they bring on any machine.
const MOST_THREADS: usize = 256;

/// Runs the experiment of `config`, prints its result and writes `result.json` and the tables `trials.csv`, `classes.csv` and
/// `subsets.csv`.
///
/// # Errors
/// Exit code 2 before anything is run, or Exit code 1.
pub fn run(
    config: &Path,
    attribute: bool,
    overrides: &Overrides,
    output: &Output,
    voice: Voice,
) -> Result<(), Failure> {
    let session = Session::open(config, overrides, voice)?;
    let folder = Folder::choose(output.out.as_deref(), output.json, config, &FILES)?;
    let experiment = &session.resolved.experiment;
    let (outcome, result) = in_pool(output.threads, || {
        let prepared = prepare(session.network, experiment)?;
        let (outcome, mut result) = measure(experiment, &prepared, voice)?;
        if attribute {
            result.attribution = Some(split(experiment, &prepared, &result, voice)?);
        }
        Ok::<_, Failure>((outcome, result))
    })??;
    let json = output::json(&result);
    if let Some(folder) = &folder {
        let classes = report::classes_csv(&result.classes);
        let subsets = report::subsets_csv(&result.subsets);
        folder.write(&[&json, &report::trials_csv(&outcome), &classes, &subsets])?;
    }
    if output.json {
        return output::print(&json);
    }
    output::print(&report::run_text(&result))?;
    if let Some(folder) = &folder {
        output::print(&folder.summary())?;
    }
    Ok(())
}

/// The network with the data set and one error-free pass.
///
/// # Errors
/// Exit code 2 if the data set cannot be read or does not fit the network, or the network cannot be computed.
pub fn prepare(network: crate::network::Network, experiment: &Experiment) -> Result<Prepared, Failure> {
    Prepared::new(network, experiment).map_err(|error| Failure::refused(&error))
}

/// All trials of `experiment`, and the figures of its result.
///
/// # Errors
/// Exit code 1 if a trial cannot be computed.
pub fn measure(
    experiment: &Experiment,
    prepared: &Prepared,
    voice: Voice,
) -> Result<(Outcome, RunResult), Failure> {
    let bar = voice.bar(experiment.trials, "trials");
    let outcome = campaign::run(experiment, prepared, &|done| bar.set_position(done));
    bar.finish_and_clear();
    let outcome = outcome.map_err(|error| Failure::broken(&error))?;
    let result = RunResult::new(experiment, &outcome);
    Ok((outcome, result))
}

/// The accuracy loss of `result` split by stop.
fn split(
    experiment: &Experiment,
    prepared: &Prepared,
    result: &RunResult,
    voice: Voice,
) -> Result<AttributionFigures, Failure> {
    let bar =
        voice.bar(experiment.trials * experiment.erring_memories().len() as u64, "trials of stops alone");
    let attribution = campaign::attribute(experiment, prepared, &|done| bar.set_position(done));
    bar.finish_and_clear();
    let attribution = attribution.map_err(|error| Failure::broken(&error))?;
    Ok(AttributionFigures::new(experiment, result, &attribution))
}

/// Runs `work` on the number of threads asked for.
///
/// # Errors
/// Exit code 1 if the threads cannot be started.
pub fn in_pool<T: Send>(threads: Option<u16>, work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    let threads = threads.map_or(0, |threads| usize::from(threads).min(MOST_THREADS));
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let pool = builder.build().map_err(|error| Failure::broken(&error))?;
    Ok(pool.install(work))
}

//! `approxmem sweep`: one experiment at every point of a grid.

use super::arguments::{Output, Overrides};
use super::failure::{Failure, Mistake};
use super::output::{self, Folder};
use super::progress::Voice;
use super::{run, session};
use crate::config::{Document, Problem, Problems, axis};
use crate::dataset::Dataset;
use crate::experiment::{DatasetSource, Experiment, NetworkSource, Prepared};
use crate::inference::Engine;
use crate::network::Network;
use crate::report::{self, Point, SweepResult};
use std::collections::HashMap;
use std::path::Path;

/// Names of the result files.
const FILES: [&str; 2] = ["sweep.json", "sweep.csv"];

/// Most points of a grid: each is held as an experiment before the first is run.
const MOST_POINTS: usize = 10_000;

/// Runs the experiment of `config` at every point of the grid that `over` spans, prints one table and writes
/// `sweep.json` and `sweep.csv`.
///
/// # Errors
/// Exit code 2 before anything is run if any point is wrong, or exit code 1.
pub fn sweep(
    config: &Path,
    over: &[String],
    overrides: &Overrides,
    output: &Output,
    voice: Voice,
) -> Result<(), Failure> {
    let document = session::document(config, overrides)?;
    let axes = over.iter().map(|text| axis::parse(text)).collect::<Result<Vec<_>, _>>()?;
    check_axes(&axes)?;
    let points = grid(&axes);
    let mut plan = Plan::default();
    let mut doubts = Doubts::default();
    for point in &points {
        let mut document = document.clone();
        let assignments: Vec<_> =
            axes.iter().zip(point).map(|(axis, &value)| axis.assignment(value)).collect();
        for assignment in &assignments {
            document.assign("--over", assignment)?;
        }
        doubts.add(plan.add(&document, voice)?, &assignments);
    }
    session::warn(&doubts.warnings(points.len()), voice);
    let folder = Folder::choose(output.out.as_deref(), output.json, config, &FILES)?;
    let keys = axes.iter().map(|axis| axis.key.clone()).collect();
    let value = |(axis, index): (&axis::Axis, usize)| axis.values[index].clone();
    let values = points.into_iter().map(|point| axes.iter().zip(point).map(value).collect()).collect();
    let measured = run::in_pool(output.threads, || plan.measure(values, voice))??;
    let result = SweepResult::new(keys, measured);
    let json = output::json(&result);
    if let Some(folder) = &folder {
        folder.write(&[&json, &report::sweep_csv(&result)])?;
    }
    if output.json {
        return output::print(&json);
    }
    output::print(&report::sweep_text(&result))?;
    if let Some(folder) = &folder {
        output::print(&folder.summary())?;
    }
    Ok(())
}

/// Refuses axes that set the same key, and grids of too many points.
///
/// # Errors
/// Exit code 2.
pub(super) fn check_axes(axes: &[axis::Axis]) -> Result<(), Failure> {
    let mut mistakes = Vec::new();
    for (index, axis) in axes.iter().enumerate() {
        if let Some(other) = axes[..index].iter().find(|other| other.overlaps(axis)) {
            let message = format!("the axes `{}` and `{}` set the same key", other.key, axis.key);
            mistakes.push(Mistake::new(message).with_help("put all values into one axis"));
        }
    }
    let points = axes.iter().try_fold(1usize, |points, axis| points.checked_mul(axis.values.len()));
    if points.is_none_or(|points| points > MOST_POINTS) {
        let lengths: Vec<_> = axes.iter().map(|axis| axis.values.len().to_string()).collect();
        let message = format!("a grid of {} points, expected at most {MOST_POINTS}", lengths.join(" x "));
        mistakes.push(Mistake::new(message));
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Failure::bad_input(mistakes)) }
}

/// Every combination of the axes' values by index, the last axis running fastest.
pub(super) fn grid(axes: &[axis::Axis]) -> Vec<Vec<usize>> {
    axes.iter().fold(vec![Vec::new()], |points, axis| {
        let extended = points.iter().flat_map(|point| {
            (0..axis.values.len()).map(move |index| point.iter().copied().chain([index]).collect())
        });
        extended.collect()
    })
}

/// What is doubtful about the points of a sweep.
#[derive(Default)]
struct Doubts {
    /// Each distinct warning, in the order in which they are met.
    found: Vec<Warning>,
    /// Its index by its message, the name of its source, and offset and text of its place.
    indices: HashMap<(String, String, usize, String), usize>,
}

struct Warning {
    problem: Problem,
    /// The assignments of the first point that gives rise to it.
    first: String,
    /// How many points do.
    points: usize,
}

impl Doubts {
    /// Notes the warnings of the point that `assignments` make.
    fn add(&mut self, warnings: Problems, assignments: &[String]) {
        for problem in warnings.0 {
            let Problem { message, source, span, .. } = &problem;
            let place = source.text.get(span.clone()).unwrap_or_default().to_owned();
            let key = (message.clone(), source.name.clone(), span.start, place);
            let index = *self.indices.entry(key).or_insert(self.found.len());
            if index == self.found.len() {
                self.found.push(Warning { problem, first: assignments.join(", "), points: 0 });
            }
            self.found[index].points += 1;
        }
    }

    /// Each warning once, with the point that causes it unless all `points` do.
    fn warnings(self, points: usize) -> Vec<Problem> {
        let told = self.found.into_iter().map(|warning| {
            let Warning { mut problem, first, points: caused_by } = warning;
            if caused_by < points {
                let others = if caused_by == 1 {
                    String::new()
                } else {
                    format!(", the first of {caused_by} points of {points}")
                };
                problem.message = format!("{} (at {first}{others})", problem.message);
            }
            problem
        });
        told.collect()
    }
}

/// The experiments of a sweep over the networks that they name; most sweeps name one.
#[derive(Default)]
struct Plan {
    networks: Vec<(NetworkSource, Network)>,
    /// Index of the network, and the experiment.
    experiments: Vec<(usize, Experiment)>,
    /// The data set of the point before.
    dataset: Option<(DatasetSource, Dataset)>,
}

impl Plan {
    /// Adds the experiment of `document`; returns what is doubtful about it.
    fn add(&mut self, document: &Document, voice: Voice) -> Result<Problems, Failure> {
        let source = document.network_source()?;
        let known = self.networks.iter().position(|(known, _)| *known == source);
        let (index, resolved) = if let Some(index) = known {
            (index, document.resolve(&self.networks[index].1)?)
        } else {
            let (network, resolved) = session::load(document, voice)?;
            Engine::new(&network).map_err(|error| Failure::refused(&error))?;
            self.networks.push((source, network));
            (self.networks.len() - 1, resolved)
        };
        session::check_cost(&resolved.experiment)?;
        self.check_dataset(index, &resolved.experiment)?;
        self.experiments.push((index, resolved.experiment));
        Ok(resolved.warnings)
    }

    fn check_dataset(&mut self, network: usize, experiment: &Experiment) -> Result<(), Failure> {
        let known = self.dataset.take().filter(|(source, _)| *source == experiment.dataset);
        let (source, dataset) = if let Some(known) = known {
            known
        } else {
            let input = self.networks[network].1.blob(self.networks[network].1.input()).shape;
            let dataset = experiment.dataset.open(input).map_err(|error| Failure::refused(&error))?;
            (experiment.dataset.clone(), dataset)
        };
        let fits = experiment.evaluation_images(&dataset, &self.networks[network].1);
        self.dataset = Some((source, dataset));
        fits.map(drop).map_err(|error| Failure::refused(&error))
    }

    /// Measures every point; points in a row that share network, data set and images share one preparation.
    fn measure(self, values: Vec<Vec<String>>, voice: Voice) -> Result<Vec<Point>, Failure> {
        let mut points = Vec::with_capacity(values.len());
        let mut current: Option<(usize, Prepared)> = None;
        let bar = voice.bar(values.len() as u64, "points");
        for ((network, experiment), values) in self.experiments.iter().zip(values) {
            let fits = |(known, prepared): &(usize, Prepared)| known == network && prepared.fits(experiment);
            if !current.as_ref().is_some_and(fits) {
                current = Some((*network, run::prepare(self.networks[*network].1.clone(), experiment)?));
            }
            let (_, prepared) = current.as_ref().expect("the point's preparation was made above");
            let (_, result) = run::measure(experiment, prepared, Voice::new(true))?;
            points.push(Point { values, result });
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_axis_runs_fastest() {
        let axes = ["a.b=0..1", "c=[x, y, z]"].map(|text| axis::parse(text).unwrap());
        assert_eq!(grid(&axes), [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]);
    }
}

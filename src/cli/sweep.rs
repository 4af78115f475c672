//! `approxmem sweep`: one experiment at every point of a grid.

use super::arguments::{Output, Overrides};
use super::failure::Failure;
use super::output::{self, Folder};
use super::progress::Voice;
use super::{run, session};
use crate::config::{Document, axis};
use crate::experiment::{Experiment, NetworkSource, Prepared};
use crate::network::Network;
use crate::report::{self, Point, SweepResult};
use std::path::Path;

/// Runs the experiment of `config` at every point of the grid that `over` spans, prints one table and writes
/// `sweep.json` and `sweep.csv`.
///
/// # Errors
/// Exit code 2 before anything is run if any point is wrong, or Exit code 1.
pub fn sweep(
    config: &Path,
    over: &[String],
    overrides: &Overrides,
    output: &Output,
    voice: Voice,
) -> Result<(), Failure> {
    let document = session::document(config, overrides)?;
    let axes = over.iter().map(|text| axis::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let points = grid(&axes);
    let mut plan = Plan::default();
    let silence = Voice::new(true);
    for (index, values) in points.iter().enumerate() {
        let mut document = document.clone();
        for (axis, value) in axes.iter().zip(values) {
            document.assign("--over", &format!("{}={value}", axis.key))?;
        }
        // What is doubtful about the configuration is said once, not at every point.
        plan.add(&document, if index == 0 { voice } else { silence })?;
    }
    let folder = Folder::choose(output.out.as_deref(), output.json, config)?;
    let keys = axes.iter().map(|axis| axis.key.clone()).collect();
    let measured = run::in_pool(output.threads, || plan.measure(points, voice))??;
    let result = SweepResult::new(keys, measured);
    let json = output::json(&result);
    if let Some(folder) = &folder {
        folder.write(&[("sweep.json", &json), ("sweep.csv", &report::sweep_csv(&result))])?;
    }
    if output.json {
        return output::print(&json);
    }
    output::print(&report::sweep_text(&result))?;
    if let Some(folder) = &folder {
        output::print(&format!("results: {}/{{sweep.json, sweep.csv}}\n", folder.path().display()))?;
    }
    Ok(())
}

/// Every combination of the axes' values, the last axis running fastest.
fn grid(axes: &[axis::Axis]) -> Vec<Vec<String>> {
    axes.iter().fold(vec![Vec::new()], |points, axis| {
        let extended = points.iter().flat_map(|point| {
            axis.values.iter().map(move |value| point.iter().cloned().chain([value.clone()]).collect())
        });
        extended.collect()
    })
}

/// The experiments of a sweep over the networks that they name; most sweeps name one.
#[derive(Default)]
struct Plan {
    networks: Vec<(NetworkSource, Network)>,
    /// Index of the network, and the experiment.
    experiments: Vec<(usize, Experiment)>,
}

impl Plan {
    fn add(&mut self, document: &Document, voice: Voice) -> Result<(), Failure> {
        let source = document.network_source()?;
        let known = self.networks.iter().position(|(known, _)| *known == source);
        let (index, resolved) = if let Some(index) = known {
            (index, document.resolve(&self.networks[index].1)?)
        } else {
            let (network, resolved) = session::resolve(document, voice)?;
            self.networks.push((source, network));
            (self.networks.len() - 1, resolved)
        };
        self.experiments.push((index, resolved.experiment));
        Ok(())
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
        let points: Vec<String> = grid(&axes).iter().map(|point| point.join("")).collect();
        assert_eq!(points, ["0x", "0y", "0z", "1x", "1y", "1z"]);
    }
}

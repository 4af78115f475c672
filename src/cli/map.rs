//! `approxmem map`: the permanent faults of one device.

use super::arguments::Overrides;
use super::failure::{Failure, Mistake};
use super::output;
use super::progress::Voice;
use super::session::Session;
use crate::experiment::{Experiment, Site};
use crate::fault;
use crate::memory::Geometry;
use crate::memory::measured::{self, MeasuredMap};
use crate::report::{MapFigures, map_text};
use std::io::Write as _;
use std::path::Path;

/// Prints the fault maps of device `trial` in the memories of `config`, or in `memory` alone, and writes them as CSV to
/// `export`.
///
/// # Errors
/// Exit code 2 for bad input, exit code 1 if the file cannot be written.
pub fn map(
    config: &Path,
    memory: Option<&str>,
    trial: u64,
    export: Option<&Path>,
    overrides: &Overrides,
    json: bool,
    voice: Voice,
) -> Result<(), Failure> {
    let session = Session::open(config, overrides, voice)?;
    let experiment = &session.resolved.experiment;
    let chosen = chosen(experiment, memory)?;
    let sites = experiment.sites(1);
    let mut maps = Vec::new();
    for index in chosen {
        let sites: Vec<_> = sites.iter().filter(|site| site.residency.memory == index).collect();
        let memory = &experiment.memories[index];
        let stops: Vec<_> = sites.iter().map(|site| site.stop_at(memory)).collect();
        let map =
            fault::weak_cells(&stops, experiment.seed, trial).map_err(|error| Failure::refused(&error))?;
        maps.push((memory.name.as_str(), memory.geometry, occupied(&sites, &memory.geometry), map));
    }
    if let Some(path) = export {
        write(path, &maps).map_err(|error| {
            Failure::run(Mistake::new(format!("cannot write the map to `{}`: {error}", path.display())))
        })?;
        voice.say(&format!("map: {}", path.display()));
    }
    let figures: Vec<_> = maps
        .iter()
        .map(|(name, geometry, cells, map)| MapFigures::new(name, geometry, *cells, map))
        .collect();
    output::print(&if json { output::json(&figures) } else { map_text(&figures, trial) })
}

/// Indices of the memories asked for.
fn chosen(experiment: &Experiment, memory: Option<&str>) -> Result<Vec<usize>, Failure> {
    let Some(name) = memory else { return Ok((0..experiment.memories.len()).collect()) };
    let names: Vec<_> = experiment.memories.iter().map(|memory| memory.name.as_str()).collect();
    if let Some(index) = names.iter().position(|other| *other == name) {
        return Ok(vec![index]);
    }
    let mistake = Mistake::new(format!("the configuration has no memory `{name}`"));
    Err(Failure::bad_input(vec![mistake.with_help(format!("its memories: {}", names.join(", ")))]))
}

/// Cells that hold bits which may err: all that a memory has, at most, where more than its capacity passes.
fn occupied(sites: &[&Site], geometry: &Geometry) -> u64 {
    let first_visits = sites.iter().filter(|site| site.is_first_visit);
    let bits: u64 = first_visits.map(|site| site.bits_at_risk()).sum();
    geometry.capacity_bits().map_or(bits, |capacity| capacity.min(bits))
}

/// Writes all maps as one file that appears whole or not at all.
fn write(path: &Path, maps: &[(&str, Geometry, u64, MeasuredMap)]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().tempfile_in(folder)?;
    let maps: Vec<_> = maps.iter().map(|(name, geometry, _, map)| (*name, geometry, map)).collect();
    measured::write(file.as_file_mut(), &maps)?;
    file.flush()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

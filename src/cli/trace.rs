//! `approxmem trace`: what every layer does on the accelerator.

use super::arguments::Tracing;
use super::failure::{Failure, Mistake};
use super::output::{self, Folder};
use super::progress::Voice;
use super::session::{self, read_definition};
use crate::accelerator::dram::Request;
use crate::accelerator::dram::export::write_trace;
use crate::accelerator::execution::{self, Timing, Transfer};
use crate::accelerator::operation::Operation;
use crate::accelerator::problem;
use crate::accelerator::trace_file::{self, Format};
use crate::accelerator::{lowering, topology};
use crate::config::{Document, ResolvedMachine, given_trace};
use crate::experiment::{Machine, Running};
use crate::report::{self, ScaleSimLayer, TileFigures, TraceFigures, TraceSource};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

/// Names of the result files.
const FILES: [&str; 5] = ["trace.json", "layers.csv", "movements.csv", "energy.csv", "layer_trace.csv"];

/// Largest topology that is read, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// What runs on what.
struct Workload {
    /// Name of the network, or of the file with the layers.
    name: String,
    machine: Machine,
    operations: Vec<Operation>,
}

/// Traces the layers that `tracing` names and prints what it asks for.
///
/// # Errors
/// Exit code 2 for bad input, exit code 1 if a file cannot be written.
pub fn trace(tracing: &Tracing, voice: Voice) -> Result<(), Failure> {
    let mut workload = workload(tracing, voice)?;
    let folder = match &tracing.out {
        Some(out) => Folder::choose(Some(out), tracing.json, &tracing.source, &FILES)?,
        None => None,
    };
    let given = workload.machine.trace.as_ref().map(given_trace).transpose()?;
    let running = workload.machine.start(workload.operations.clone(), given);
    let running = running.map_err(|error| Failure::refused(&error))?;
    let figures = figures(&workload, &running, tracing.scalesim)?;
    if let Some(folder) = &folder {
        let contents = [
            output::json(&figures),
            report::trace_layers_csv(&figures),
            report::trace_movements_csv(&figures),
            report::trace_energy_csv(&figures),
            trace_file::write(running.trace(), Format::Csv).map_err(|error| Failure::broken(&error))?,
        ];
        folder.write(&contents.each_ref().map(String::as_str))?;
    }
    if let Some(path) = &tracing.export_topology {
        export_topology(path, &workload.operations, voice)?;
    }
    if let Some(path) = &tracing.export_dram {
        export_dram(path, &workload.machine, &running, voice)?;
    }
    output::print(&shown(tracing, &figures))?;
    match &folder {
        Some(folder) if !tracing.csv && !tracing.json => output::print(&folder.summary()),
        _ => Ok(()),
    }
}

/// What goes to standard output.
fn shown(tracing: &Tracing, figures: &TraceFigures) -> String {
    match (tracing.json, tracing.csv) {
        (true, _) => output::json(figures),
        (false, true) if tracing.roofline => report::trace_roofline_csv(figures),
        (false, true) if tracing.scalesim => report::trace_scalesim_csv(figures),
        (false, true) => report::trace_layers_csv(figures),
        (false, false) if tracing.roofline => report::trace_roofline_text(figures),
        (false, false) if tracing.scalesim => report::trace_scalesim_text(figures),
        (false, false) => report::trace_text(figures),
    }
}

/// Reads and checks everything that `tracing` names.
fn workload(tracing: &Tracing, voice: Voice) -> Result<Workload, Failure> {
    let is_topology = tracing.source.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
    let (config, topology) = match (&tracing.on, is_topology) {
        (Some(config), true) => (config, Some(&tracing.source)),
        (None, false) => (&tracing.source, None),
        (None, true) => {
            let mistake =
                Mistake::new(format!("`{}` is a topology: it has no accelerator", tracing.source.display()));
            let help = "name a configuration with [accelerator] and its memories: --on CONFIG.toml";
            return Err(Failure::bad_input(vec![mistake.with_help(help)]));
        }
        (Some(_), false) => {
            let mistake = Mistake::new(format!(
                "`{}` is no topology, but --on names a configuration",
                tracing.source.display()
            ));
            let help = "a topology is a file with the extension .csv; leave --on out to trace the network of a configuration";
            return Err(Failure::bad_input(vec![mistake.with_help(help)]));
        }
    };
    let document = document(config, tracing)?;
    match topology {
        Some(path) => on_layers(&document, path, voice),
        None => on_network(&document, voice),
    }
}

fn document(config: &Path, tracing: &Tracing) -> Result<Document, Failure> {
    let mut document = Document::read(config)?;
    if let Some(network) = &tracing.network {
        let path = network.display().to_string();
        document.assign("--network", &format!("network.definition={}", toml_text(&path)))?;
    }
    for assignment in &tracing.set {
        document.set(assignment)?;
    }
    Ok(document)
}

/// `text` as a TOML string.
fn toml_text(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn on_network(document: &Document, voice: Voice) -> Result<Workload, Failure> {
    let definition = document.network_definition()?;
    let network = read_definition(&definition.path, voice)?;
    let ResolvedMachine { machine, warnings } = document.machine(&network)?;
    session::warn(&warnings.0, voice);
    let operations = lowering::operations(&network, &machine.accelerator.fuse);
    let operations = operations.map_err(|error| Failure::refused(&error))?;
    Ok(Workload { name: network.name, machine, operations })
}

fn on_layers(document: &Document, path: &Path, voice: Voice) -> Result<Workload, Failure> {
    let text = read_text(path)?;
    let operations = topology::read(&text).map_err(|problems| refused(path, &text, &problems))?;
    let ResolvedMachine { machine, warnings } = document.machine_of_operations(&operations)?;
    session::warn(&warnings.0, voice);
    let name = path.file_name().unwrap_or(OsStr::new("topology")).to_string_lossy().into_owned();
    Ok(Workload { name, machine, operations })
}

/// The text of a topology.
fn read_text(path: &Path) -> Result<String, Failure> {
    let refused = |reason: String| {
        let message = format!("cannot read the topology {}: {reason}", path.display());
        Failure::bad_input(vec![Mistake::new(message)])
    };
    let metadata = fs::metadata(path).map_err(|error| refused(error.to_string()))?;
    if !metadata.is_file() {
        return Err(refused("it is no regular file".to_owned()));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(refused("it is larger than 64 MiB".to_owned()));
    }
    fs::read_to_string(path).map_err(|error| refused(error.to_string()))
}

/// Every mistake of a file at its place.
fn refused(path: &Path, text: &str, problems: &problem::Problems) -> Failure {
    let (name, text) = (path.display().to_string(), Arc::from(text));
    let mistake = |problem: &problem::Problem| {
        let mistake = Mistake::new(problem.message.clone()).at(&name, &text, problem.span.clone(), "here");
        match &problem.help {
            Some(help) => mistake.with_help(help.clone()),
            None => mistake,
        }
    };
    Failure::bad_input(problems.0.iter().map(mistake).collect())
}

fn figures(workload: &Workload, running: &Running, scalesim: bool) -> Result<TraceFigures, Failure> {
    let Workload { name, machine, operations } = workload;
    let refused = |error: &(dyn std::error::Error + 'static)| Failure::refused(error);
    let spending = machine.spending(running).map_err(|error| refused(&error))?;
    let array = &machine.accelerator.array;
    let scalesim = if scalesim {
        let layers = operations.iter().map(|operation| ScaleSimLayer::of(operation, array));
        let layers: Result<Vec<_>, _> = layers.collect();
        layers.map_err(|error| refused(&error))?.into_iter().flatten().collect()
    } else {
        Vec::new()
    };
    let compulsory: Vec<_> = running.execution.layers.iter().map(|layer| layer.plan.compulsory).collect();
    Ok(TraceFigures::new(TraceSource {
        name: name.clone(),
        trace: running.trace(),
        spending: &spending,
        accelerator: &machine.accelerator,
        compulsory: &compulsory,
        tiles: running.execution.layers.iter().map(TileFigures::of).collect(),
        dram_bytes_per_cycle: dram_bytes_per_cycle(machine).map_err(|error| refused(&error))?,
        scalesim,
    }))
}

/// What the DRAM sustains on a sequential stream of reads, bytes per cycle of the accelerator's clock.
fn dram_bytes_per_cycle(machine: &Machine) -> Result<Option<f64>, execution::Error> {
    let Machine { accelerator, memories, .. } = machine;
    let Some(system) = execution::system(accelerator, memories)? else { return Ok(None) };
    Ok(match Timing::analytic(&system, accelerator.clock_mhz)? {
        Timing::Analytic { read, .. } => Some(system.burst_bytes() as f64 / read),
        Timing::Replay { .. } => None,
    })
}

fn export_topology(path: &Path, operations: &[Operation], voice: Voice) -> Result<(), Failure> {
    let export = topology::convolutions(operations);
    for note in &export.notes {
        voice.say(&format!("note: {note}"));
    }
    write_whole(path, |file| file.write_all(export.text.as_bytes()))?;
    voice.say(&format!("topology: {}", path.display()));
    Ok(())
}

/// Writes every burst of `running` with the DRAM's cycle at which its tile may begin to move.
fn export_dram(path: &Path, machine: &Machine, running: &Running, voice: Voice) -> Result<(), Failure> {
    let refused = |error: execution::Error| Failure::refused(&error);
    if running.execution.layers.is_empty() {
        let mistake =
            Mistake::new("a given layer trace holds no addresses, and so no address trace of the DRAM");
        return Err(Failure::bad_input(vec![mistake.with_help("leave --export-dram or [trace] out")]));
    }
    let Some(system) = execution::system(&machine.accelerator, &machine.memories).map_err(refused)? else {
        let mistake = Mistake::new("there is no DRAM, and so no address trace of it: dram = \"none\"");
        return Err(Failure::bad_input(vec![mistake.with_help("leave --export-dram out")]));
    };
    let burst_bytes = system.burst_bytes();
    let dram_cycles = 1e3 / (machine.accelerator.clock_mhz * system.cycle_ns());
    let mut transfers: Vec<(u64, Transfer)> = Vec::new();
    execution::run_with(&running.task(machine.design()), &mut |start_cycle, transfer| {
        transfers.push(((start_cycle * dram_cycles).floor() as u64, transfer.clone()));
    })
    .map_err(refused)?;
    let requests = transfers.iter().flat_map(|(cycle, transfer)| {
        let is_write = transfer.is_write;
        transfer.bursts.clone().map(move |burst| (*cycle, Request { address: burst * burst_bytes, is_write }))
    });
    write_whole(path, |file| write_trace(file, requests).map(drop))?;
    voice.say(&format!("DRAM address trace: {}", path.display()));
    Ok(())
}

/// Writes a file that appears whole or not at all.
fn write_whole(path: &Path, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<(), Failure> {
    let refused =
        |error: io::Error| Failure::run(Mistake::new(format!("cannot write `{}`: {error}", path.display())));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().tempfile_in(folder).map_err(refused)?;
    let mut buffer = BufWriter::new(file.as_file_mut());
    write(&mut buffer).and_then(|()| buffer.flush()).map_err(refused)?;
    drop(buffer);
    output::readable_by_all(file.as_file()).map_err(refused)?;
    file.persist(path).map_err(|error| refused(error.error))?;
    Ok(())
}

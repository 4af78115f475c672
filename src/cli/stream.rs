//! `approxmem memory --stream`: a stream of bursts through a DRAM.

use super::failure::{Failure, Mistake};
use super::memory::{Form, warn};
use super::output;
use super::progress::Voice;
use super::sweep::{check_axes, grid};
use crate::accelerator::dram::{
    self, Direction, Pattern, QueueStructure, Replay, Stream, System, closed_form, export, ini,
};
use crate::config::{Document, axis};
use crate::report::{self, StreamPoint, StreamTable};
use clap::ValueEnum;
use std::io::BufWriter;
use std::path::Path;

/// Which bursts a stream has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StreamKind {
    /// Read, one after the other.
    Read,
    /// Written, one after the other.
    Write,
    /// Two streams read and one written, a burst of each in turn.
    Mix,
    /// Read anywhere.
    Random,
    /// Written anywhere.
    RandomWrite,
}

/// What `--stream` asks for.
pub struct Options<'a> {
    /// Which bursts.
    pub kind: StreamKind,
    /// How many bytes.
    pub bytes: u64,
    /// Where they are written to.
    pub export: Option<&'a Path>,
}

/// The map in which consecutive bursts fall in different bank groups.
const ADDRESS_MAP: &str = "rochrabacobg";
/// Requests that a controller holds, as in the configurations that come with `DRAMsim3`.
const QUEUE_DEPTH: u32 = 32;
/// Most bursts that are replayed.
const MOST_BURSTS: u64 = 1 << 30;

/// Keys of the controllers; the others are the memory's.
#[derive(Clone, Debug, Default)]
struct Settings(Vec<(String, String)>);

impl Settings {
    const KEYS: [&str; 8] = [
        "address_map",
        "channels",
        "ranks",
        "queue_depth",
        "outstanding",
        "command_queue",
        "write_threshold",
        "queue_structure",
    ];

    /// Takes `assignment` if its key is one of these; whether it did.
    fn take(&mut self, assignment: &str) -> bool {
        let Some((key, value)) = assignment.split_once('=') else { return false };
        let key = key.trim();
        let is_own = Self::KEYS.contains(&key);
        if is_own {
            self.0.push((key.to_owned(), value.trim().trim_matches('"').to_owned()));
        }
        is_own
    }

    fn apply(&self, mut system: System) -> Result<System, Failure> {
        for (key, value) in &self.0 {
            let count = || {
                value.parse::<u32>().map_err(|_| {
                    let message = format!("`{key}` = `{value}` must be a whole number from 1");
                    Failure::bad_input(vec![Mistake::new(message)])
                })
            };
            match key.as_str() {
                "address_map" => {
                    system.address_map =
                        value.parse().map_err(|error: dram::Error| Failure::refused(&error))?;
                }
                "channels" => system.channels = count()?,
                "ranks" => system.ranks = count()?,
                "queue_depth" => system.queue_depth = count()?,
                "outstanding" => system.outstanding = Some(count()?),
                "command_queue" => system.command_queue = count()?,
                "write_threshold" => system.write_threshold = count()?,
                _ => {
                    system.queue_structure = match value.as_str() {
                        "per_bank" => QueueStructure::PerBank,
                        "per_rank" => QueueStructure::PerRank,
                        _ => {
                            let message = format!("`{key}` = `{value}` is none of `per_bank`, `per_rank`");
                            return Err(Failure::bad_input(vec![Mistake::new(message)]));
                        }
                    };
                }
            }
        }
        system.check().map_err(|error| Failure::refused(&error))?;
        Ok(system)
    }
}

/// Where the devices are described.
enum Source {
    Presets(Document),
    File(Box<System>),
}

impl Source {
    fn open(memory: &[String], voice: Voice) -> Result<Self, Failure> {
        let is_file = |name: &str| Path::new(name).extension().is_some_and(|extension| extension == "ini");
        match memory {
            [name] if is_file(name) => {
                let refused = |error: &dyn std::fmt::Display| {
                    Failure::bad_input(vec![Mistake::new(format!("{name}: {error}"))])
                };
                let text = std::fs::read_to_string(name).map_err(|error| refused(&error))?;
                let file = ini::read(name, &text).map_err(|error| refused(&error))?;
                let defaults = file.defaults.iter().map(|(key, value)| format!("{key} = {value}"));
                let defaults: Vec<_> = defaults.collect();
                if !defaults.is_empty() {
                    voice
                        .say(&format!("{name}: not in the file, so as in DRAMsim3: {}", defaults.join(", ")));
                }
                for note in &file.notes {
                    voice.say(&format!("{name}: {note}"));
                }
                Ok(Self::File(Box::new(file.system)))
            }
            _ => Ok(Self::Presets(Document::of_presets(memory)?)),
        }
    }

    /// The system at one point of the grid; `assignments` are those of the command line in order, with their option.
    fn system(&self, assignments: &[(&'static str, String)], voice: Voice) -> Result<System, Failure> {
        let mut settings = Settings::default();
        let (own, others): (Vec<_>, Vec<_>) =
            assignments.iter().partition(|(_, assignment)| settings.take(assignment));
        drop(own);
        let system = match self {
            Self::File(system) => {
                if let Some((option, assignment)) = others.first() {
                    let message = format!("{option} {assignment}: devices of a file are changed in the file");
                    let help = format!("keys of its controller: {}", Settings::KEYS.join(", "));
                    return Err(Failure::bad_input(vec![Mistake::new(message).with_help(help)]));
                }
                System::clone(system)
            }
            Self::Presets(document) => {
                let mut document = document.clone();
                for (option, assignment) in others {
                    document.assign_to_memory(option, assignment)?;
                }
                let (memory, doubts) = document.memory_alone()?;
                warn(doubts.0, voice);
                let Some((device, intervals_ms)) = memory.dram() else {
                    let message = "a stream needs a DRAM whose devices are known";
                    let help = "name a preset of the table dram.energy, such as `ddr4_2400_8gb_x8`";
                    return Err(Failure::bad_input(vec![Mistake::new(message).with_help(help)]));
                };
                let map = ADDRESS_MAP.parse().map_err(|error: dram::Error| Failure::refused(&error))?;
                System::new(device, map, 1, 1, QUEUE_DEPTH)
                    .and_then(|system| system.refreshed_every(&intervals_ms))
                    .map_err(|error| Failure::refused(&error))?
            }
        };
        settings.apply(system)
    }
}

/// Prints time, bandwidth, limits and energy of a stream through `memory` at every point of the grid that `over` spans.
///
/// # Errors
/// Exit code 2 with the first mistake; 1 if the trace cannot be written.
pub fn stream(
    memory: &[String],
    options: &Options<'_>,
    over: &[String],
    set: &[String],
    form: Form,
    voice: Voice,
) -> Result<(), Failure> {
    let source = Source::open(memory, voice)?;
    let axes = over.iter().map(|text| axis::parse(text)).collect::<Result<Vec<_>, _>>()?;
    check_axes(&axes)?;
    let (pattern, direction) = match options.kind {
        StreamKind::Read => (Pattern::Sequential, Direction::Read),
        StreamKind::Write => (Pattern::Sequential, Direction::Write),
        StreamKind::Mix => (Pattern::Sequential, Direction::Mixed),
        StreamKind::Random => (Pattern::Random, Direction::Read),
        StreamKind::RandomWrite => (Pattern::Random, Direction::Write),
    };
    let stream = Stream { pattern, direction, bytes: options.bytes };
    let mut points = Vec::new();
    for point in grid(&axes) {
        let mut assignments: Vec<_> = set.iter().map(|text| ("--set", text.clone())).collect();
        assignments.extend(axes.iter().zip(&point).map(|(axis, &value)| ("--over", axis.assignment(value))));
        let system = source.system(&assignments, voice)?;
        if stream.bytes == 0 || stream.bursts(&system) > MOST_BURSTS {
            let message = format!("--bytes {}: a stream has 1 to {MOST_BURSTS} bursts", stream.bytes);
            return Err(Failure::bad_input(vec![Mistake::new(message)]));
        }
        if let Some(path) = options.export {
            export_trace(path, &system, &stream)?;
        }
        let estimate = closed_form(&system, &stream).map_err(|error| Failure::refused(&error))?;
        let run = Replay::run(&system, &stream).map_err(|error| Failure::refused(&error))?;
        let values = axes.iter().zip(point).map(|(axis, value)| axis.values[value].clone()).collect();
        points.push(StreamPoint::new(values, system, &stream, estimate, run));
    }
    let keys = axes.into_iter().map(|axis| axis.key).collect();
    let table = StreamTable::new(memory.to_vec(), stream, keys, points);
    output::print(&match form {
        Form::Text => report::stream_text(&table),
        Form::Csv => report::stream_csv(&table),
        Form::Json => output::json(&table),
    })
}

/// Writes the bursts of `stream`, which may all be made from cycle 0 on.
fn export_trace(path: &Path, system: &System, stream: &Stream) -> Result<(), Failure> {
    let requests = stream.requests(system).map_err(|error| Failure::refused(&error))?;
    let write = || {
        let file = BufWriter::new(std::fs::File::create(path)?);
        export::write_trace(file, requests.map(|request| (0, request)))
    };
    write().map(drop).map_err(|error| {
        Failure::run(Mistake::new(format!("cannot write the trace to `{}`: {error}", path.display())))
    })
}

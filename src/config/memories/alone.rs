//! A memory alone, without network: `[memory]`, with a few keys that an experiment does not have.

use super::{Common, ENERGY, ERROR, KINDS, Kind, Purpose};
use super::{dram, dram_parameters, energy, geometry, present, protection, sram, sram_parameters, uniform};
use crate::config::constants::Constants;
use crate::config::document::Document;
use crate::config::key::Assignment;
use crate::config::problem::{Location, Problem, Problems, Source};
use crate::config::reader::{Section, listed, suggestion};
use crate::config::tree::shortened;
use crate::memory::energy::dram::Device;
use crate::memory::energy::sram::Energy;
use crate::memory::operating_point::{Cells, OperatingPoint};
use crate::memory::preset::{self, Preset, Table};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of its table.
const TABLE: &str = "memory";
/// Key of the width of a data word.
pub(super) const WORD_BITS: &str = "word_bits";

/// Keys that need not name their table, by table; of equal names the first holds.
fn keys(kind: Kind) -> Vec<(&'static str, Vec<&'static str>)> {
    let own: &[&str] = if kind == Kind::Uniform { &["ber"] } else { &[] };
    let memory: Vec<_> =
        own.iter().chain(&[WORD_BITS, "protected_msbs"]).chain(&geometry::KEYS).copied().collect();
    let [error, energy] = match kind {
        Kind::Uniform => [Vec::new(), Vec::new()],
        Kind::Sram => [sram::keys(Purpose::Alone), Energy::KEYS.to_vec()],
        Kind::Dram => [dram::keys(Purpose::Alone), Device::KEYS.to_vec()],
    };
    let error = error.into_iter().filter(|key| !["preset", super::MAP, "ser_fit_per_mbit"].contains(key));
    vec![
        ("", memory),
        (protection::TABLE, protection::KEYS.to_vec()),
        (ERROR, error.collect()),
        (ENERGY, energy),
    ]
}

/// The technology of a preset, and its table in `[memory]`; `None`: it is of no memory.
fn place(preset: &Preset) -> Option<(Kind, &'static str)> {
    Some(match preset.table {
        Table::Uniform => (Kind::Uniform, ""),
        Table::SramError => (Kind::Sram, ERROR),
        Table::SramEnergy => (Kind::Sram, ENERGY),
        Table::DramError => (Kind::Dram, ERROR),
        Table::DramEnergy => (Kind::Dram, ENERGY),
        Table::AcceleratorEnergy => return None,
    })
}

impl Document {
    /// `[memory]` with the presets called `names`: one of a uniform memory, or one of errors, one of energy, or both, of one
    /// technology.
    ///
    /// # Errors
    /// If there is no such preset, or they do not go together.
    pub fn of_presets(names: &[String]) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut chosen: Vec<(&Preset, Kind, &str)> = Vec::new();
        for name in names {
            let source =
                Source { name: "PRESET".into(), text: name.as_str().into(), directory: PathBuf::new() };
            let at = Location { source: Arc::new(source), span: 0..name.len() };
            let Some(preset) = preset::find(name) else {
                problems.push(unknown_preset(name, &at));
                continue;
            };
            let Some((kind, table)) = place(preset) else {
                let message = format!("`{name}` ({}) is of no memory", preset.table);
                let help = format!("`approxmem presets show {name}` shows it");
                problems.push(Problem::new(&at, message, "of another kind").with_help(help));
                continue;
            };
            let clash = chosen.iter().find(|&&(_, other, other_table)| kind != other || table == other_table);
            if let Some((other, ..)) = clash {
                let message = format!(
                    "`{name}` ({}) does not go together with `{}` ({})",
                    preset.table, other.name, other.table
                );
                let help = "name one preset of errors, one of energy, or both, of one technology";
                problems.push(Problem::new(&at, message, "of another kind").with_help(help));
            }
            chosen.push((preset, kind, table));
        }
        if !problems.0.is_empty() {
            return Err(problems);
        }
        let mut text = format!("[{TABLE}]\n");
        for (index, (preset, kind, table)) in chosen.iter().enumerate() {
            if index == 0 {
                let name = KINDS.iter().find(|(_, other)| other == kind).map_or("", |(name, _)| name);
                writeln!(text, "technology = {name:?}").expect("writing to a string does not fail");
            }
            if !table.is_empty() {
                writeln!(text, "[{TABLE}.{table}]").expect("writing to a string does not fail");
            }
            writeln!(text, "preset = {:?}", preset.name).expect("writing to a string does not fail");
        }
        Self::parse(Path::new(&names.join(" ")), &text)
    }

    /// Applies an override to `[memory]`, as typed after `option`: `key=value`, where a key need not name its table.
    ///
    /// # Errors
    /// As [`Document::assign`]; if the memory has no such key.
    pub fn assign_to_memory(&mut self, option: &str, assignment: &str) -> Result<(), Problems> {
        let kind = self
            .root()
            .section(TABLE, &mut Problems::default())
            .and_then(|section| section.choice("technology", &KINDS, &mut Problems::default()));
        self.assign_routed(option, assignment, |source, parsed| route(source, parsed, kind))
    }

    /// The memory that `[memory]` describes, at its operating point, and what is doubtful about it.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn memory_alone(&self) -> Result<(OperatingPoint, Problems), Problems> {
        let (mut problems, mut warnings) = (Problems::default(), Problems::default());
        let root = self.root();
        let point = root
            .required_section(TABLE, "it describes one memory", &mut problems)
            .and_then(|section| operating_point(&section, &mut problems, &mut warnings));
        match point {
            Some(point) if problems.0.is_empty() => Ok((point, self.sorted(warnings))),
            _ => Err(self.sorted(problems)),
        }
    }
}

/// The preset whose name is most like `name`, if one is near enough to be meant.
pub fn nearest_preset(name: &str) -> Option<&'static str> {
    let all: Vec<_> = preset::all().iter().map(|preset| preset.name.as_str()).collect();
    suggestion(name, &all)
}

fn unknown_preset(name: &str, at: &Location) -> Problem {
    let nearest = nearest_preset(name).map_or(String::new(), |name| format!("did you mean `{name}`? "));
    let message = format!("there is no preset `{}`", shortened(name));
    Problem::new(at, message, "unknown").with_help(nearest + "`approxmem presets` lists them")
}

/// The key of `[memory]` that `typed` means.
fn route(source: &Arc<Source>, typed: Assignment, kind: Option<Kind>) -> Result<Assignment, Problem> {
    let Some((first, span)) = typed.segments.first().cloned() else { return Ok(typed) };
    let tables = keys(kind.unwrap_or(Kind::Uniform));
    let is_table = tables.iter().any(|(table, _)| *table == first) && typed.segments.len() > 1;
    let table = if is_table {
        ""
    } else {
        let home = tables.iter().find(|(_, keys)| keys.contains(&first.as_str()));
        home.map(|(table, _)| *table).ok_or_else(|| {
            let all: Vec<_> = tables.iter().flat_map(|(_, keys)| keys.iter().copied()).collect();
            let nearest =
                suggestion(&first, &all).map_or(String::new(), |key| format!("did you mean `{key}`? "));
            let at = Location { source: Arc::clone(source), span: span.clone() };
            let message = format!("unknown key `{}`", shortened(&first));
            Problem::new(&at, message, "unknown").with_help(format!("{nearest}valid keys: {}", listed(&all)))
        })?
    };
    let path = [TABLE, table].into_iter().filter(|name| !name.is_empty());
    let segments = path.map(|name| (name.to_owned(), span.clone())).chain(typed.segments).collect();
    Ok(Assignment { segments, ..typed })
}

fn operating_point(
    section: &Section<'_>,
    problems: &mut Problems,
    warnings: &mut Problems,
) -> Option<OperatingPoint> {
    let common = Common::read(section, Purpose::Alone, problems, warnings);
    let word_bits = section.find(WORD_BITS).map(|_| section.integer(WORD_BITS, 1..=32, problems));
    let word_bits = present(word_bits)?.map(|bits| bits as u32);
    let error = section.find(ERROR).and_then(|_| section.section(ERROR, problems));
    let has_errors = error.as_ref().is_some_and(|error| error.find("preset").is_some());
    let cells = match common.kind? {
        Kind::Uniform => Cells::Uniform(uniform::parameters(section, Purpose::Alone, problems)?),
        Kind::Sram if has_errors => {
            Cells::Sram(sram_parameters(section, error, common.geometry, Purpose::Alone, problems)?)
        }
        Kind::Dram if has_errors => {
            Cells::Dram(dram_parameters(section, error, Purpose::Alone, problems, warnings)?)
        }
        Kind::Sram => {
            let constants = Constants::open(section.section(ENERGY, problems)?, Table::SramEnergy, problems);
            let energy = energy::sram(&constants, common.geometry, false, problems);
            let v = error.and_then(|error| {
                let constants = Constants::open(error, Table::SramError, problems);
                sram::voltage_alone(&constants, problems)
            });
            let energy = energy?;
            let voltage = energy::voltage(&energy, v);
            let is_possible = energy::check_voltage(&constants, &energy, voltage, problems);
            is_possible.then_some(Cells::SramEnergy { energy, voltage })?
        }
        Kind::Dram => {
            let constants = Constants::open(section.section(ENERGY, problems)?, Table::DramEnergy, problems);
            let device = energy::dram(&constants, problems)?;
            let refresh_interval_ms = match error {
                Some(error) => {
                    let constants = Constants::open(error, Table::DramError, problems);
                    dram::interval_alone(&constants, &device, problems)?
                }
                None => device.timing.refresh_window_ms.into(),
            };
            Cells::DramEnergy { device, refresh_interval_ms }
        }
    };
    let point =
        OperatingPoint { cells, geometry: common.geometry?, protection: common.protection?, word_bits };
    check_width(section, &point, problems);
    Some(point)
}

/// Notes a missing width of words, and more protected bits than it.
fn check_width(section: &Section<'_>, point: &OperatingPoint, problems: &mut Problems) {
    let (msbs, at) = (point.protection.msbs, section.find("protected_msbs"));
    match point.word_bits {
        None if point.needs_word_bits() => {
            let meaning = "the width of a data word, 1 to 32: what differs by bit is a mean over its bits";
            section.require(WORD_BITS, meaning, problems);
        }
        Some(bits) if msbs > bits => {
            let message =
                format!("`{}` is {msbs}, but a word has {bits} bits", section.key("protected_msbs"));
            let at = at.map_or(section.location(), |entry| &entry.node.location);
            problems.push(Problem::new(at, message, format!("expected 0 to {bits}")));
        }
        _ => {}
    }
}

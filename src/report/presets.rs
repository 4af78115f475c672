//! Presets, with the source of every constant.

use super::result::SCHEMA_VERSION;
use super::text::table;
use crate::memory::preset::{Constant, Preset, Tag, Value};
use serde::Serialize;

/// One preset in the list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PresetSummary {
    /// Its name.
    pub name: String,
    /// The table where it can be named.
    pub table: String,
    /// What it is.
    pub summary: String,
}

impl PresetSummary {
    /// The summary of `preset`.
    pub fn of(preset: &Preset) -> Self {
        Self { name: preset.name.clone(), table: preset.table.to_string(), summary: preset.summary.clone() }
    }
}

/// One preset with its constants.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PresetFigures {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Name, table and summary.
    #[serde(flatten)]
    pub preset: PresetSummary,
    /// The constants, in the order of the file.
    pub constants: Vec<ConstantFigures>,
}

/// One constant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConstantFigures {
    /// Key by which a configuration overrides it.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// Its unit; `1` for pure numbers.
    pub unit: String,
    /// `found`, `recalled` or `derived`.
    pub known: &'static str,
    /// Where it is from.
    pub source: String,
    /// Smallest and largest valid value.
    pub range: Option<[f64; 2]>,
    /// What is uncertain about it.
    pub doubt: Option<String>,
}

impl PresetFigures {
    /// Everything in `preset`.
    pub fn of(preset: &Preset) -> Self {
        let constant = |(key, constant): &(String, Constant)| ConstantFigures {
            key: key.clone(),
            value: constant.value.clone(),
            unit: constant.unit.clone(),
            known: match constant.tag {
                Tag::Found => "found",
                Tag::Recalled => "recalled",
                Tag::Derived => "derived",
            },
            source: constant.source.clone(),
            range: constant.range,
            doubt: constant.doubt.clone(),
        };
        Self {
            schema_version: SCHEMA_VERSION,
            preset: PresetSummary::of(preset),
            constants: preset.constants.iter().map(constant).collect(),
        }
    }
}

/// Most characters of a line.
const MOST_COLUMNS: usize = 120;

/// Words of `text` in lines that go on below `indent` blanks; `first` stands before the first word.
fn push_wrapped(text: &mut String, first: &str, indent: usize, words: &str) {
    let mut line = first.to_owned();
    let mut is_fresh = true;
    for word in words.split_whitespace() {
        if !is_fresh && line.chars().count() + 1 + word.chars().count() > MOST_COLUMNS {
            text.push_str(line.trim_end());
            text.push('\n');
            line = " ".repeat(indent);
            is_fresh = true;
        }
        if !is_fresh {
            line.push(' ');
        }
        line.push_str(word);
        is_fresh = false;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// The list for the terminal.
pub fn presets_text(presets: &[PresetSummary]) -> String {
    let width = |text: fn(&PresetSummary) -> &str| presets.iter().map(|preset| text(preset).len()).max();
    let name = width(|preset| &preset.name).unwrap_or(0);
    let place = width(|preset| &preset.table).unwrap_or(0);
    let mut text = format!("{:name$}  {:place$}  what it is\n", "preset", "table");
    for PresetSummary { name: called, table, summary } in presets {
        let first = format!("{called:name$}  {table:place$}  ");
        push_wrapped(&mut text, &first, name + place + 4, summary);
    }
    text.push('\n');
    let places = "sram.error, sram.energy, dram.error and dram.energy are the tables [memories.NAME.error] and \
                  [memories.NAME.energy] of a memory of that technology, uniform is [memories.NAME] itself. \
                  `approxmem presets show NAME` shows every constant with its source.";
    push_wrapped(&mut text, "", 0, places);
    text
}

/// One preset for the terminal.
pub fn preset_text(figures: &PresetFigures) -> String {
    let PresetSummary { name, table: place, summary } = &figures.preset;
    let mut text = String::new();
    push_wrapped(&mut text, &format!("{name} ({place}): "), 4, summary);
    for constant in &figures.constants {
        push(&mut text, constant);
    }
    text
}

fn push(text: &mut String, constant: &ConstantFigures) {
    let ConstantFigures { key, value, unit, known, source, range, doubt } = constant;
    text.push('\n');
    if let Value::Rows(rows) = value {
        let cells = |row: &Vec<f64>| row.iter().map(f64::to_string).collect();
        let columns: Vec<_> = unit.split([',', ';']).map(str::trim).collect();
        let rows = table(&columns, rows.iter().map(cells));
        text.extend([key, " =\n"]);
        text.extend(rows.lines().flat_map(|line| ["       ", line.trim_end(), "\n"]));
    } else {
        let value = match value {
            Value::Number(number) => number.to_string(),
            Value::Text(word) => word.clone(),
            other => format!("{:?}", other.numbers()),
        };
        let unit = if unit == "1" { "" } else { unit };
        push_wrapped(text, &format!("{key} = "), 4, &format!("{value} {unit}"));
    }
    let range = range.map_or(String::new(), |[low, high]| format!(", valid {low} to {high}"));
    push_wrapped(text, &format!("    {known}{range}: "), 8, source);
    if let Some(doubt) = doubt {
        push_wrapped(text, "    doubt: ", 8, doubt);
    }
}

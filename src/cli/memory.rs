//! `approxmem memory`: a memory at its operating points, without any network.

use super::failure::{Failure, MISTAKES_SHOWN, Mistake};
use super::output;
use super::progress::Voice;
use super::sweep::{check_axes, grid};
use crate::config::{Document, Problem, axis};
use crate::report::{self, MemoryPoint, MemoryTable};

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A table for the terminal.
    Text,
    /// CSV.
    Csv,
    /// JSON.
    Json,
}

/// Prints the figures of the memory that `presets` and `set` describe at every point of the grid that `over` spans.
///
/// # Errors
/// Exit code 2 with every mistake at the first point that has one.
pub fn memory(
    presets: &[String],
    over: &[String],
    set: &[String],
    form: Form,
    voice: Voice,
) -> Result<(), Failure> {
    let mut document = Document::of_presets(presets)?;
    for assignment in set {
        document.assign_to_memory("--set", assignment)?;
    }
    let axes = over.iter().map(|text| axis::parse(text)).collect::<Result<Vec<_>, _>>()?;
    check_axes(&axes)?;
    let mut points = Vec::new();
    let mut warnings: Vec<Problem> = Vec::new();
    for point in grid(&axes) {
        let mut document = document.clone();
        for (axis, &value) in axes.iter().zip(&point) {
            document.assign_to_memory("--over", &axis.assignment(value))?;
        }
        let (memory, doubts) = document.memory_alone()?;
        warnings.extend(doubts.0);
        points.push(MemoryPoint {
            values: axes.iter().zip(point).map(|(axis, value)| axis.values[value].clone()).collect(),
            figures: memory.figures().map_err(|error| Failure::refused(&error))?,
        });
    }
    warn(warnings, voice);
    let keys = axes.into_iter().map(|axis| axis.key).collect();
    let table = MemoryTable::new(presets.to_vec(), keys, points);
    output::print(&match form {
        Form::Text => report::memory_text(&table),
        Form::Csv => report::memory_csv(&table),
        Form::Json => output::json(&table),
    })
}

/// Says each doubt once, whatever the number of points that have it.
pub(super) fn warn(mut warnings: Vec<Problem>, voice: Voice) {
    warnings.sort_by(|one, other| one.message.cmp(&other.message));
    warnings.dedup_by(|one, other| one.message == other.message);
    for warning in warnings.iter().take(MISTAKES_SHOWN) {
        voice.say(Mistake::from(warning).into_warning().rendered().trim_end());
    }
    if warnings.len() > MISTAKES_SHOWN {
        voice.say(&format!("{} warnings, {MISTAKES_SHOWN} shown", warnings.len()));
    }
}

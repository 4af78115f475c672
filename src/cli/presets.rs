//! `approxmem presets`: the published constants of memories.

use super::failure::{Failure, Mistake};
use super::output;
use crate::config;
use crate::memory::preset;
use crate::report::{self, PresetFigures, PresetSummary};

/// Lists every preset.
///
/// # Errors
/// Exit code 1 if standard output cannot be written.
pub fn list(json: bool) -> Result<(), Failure> {
    let summaries: Vec<_> = preset::all().iter().map(PresetSummary::of).collect();
    output::print(&if json { output::json(&summaries) } else { report::presets_text(&summaries) })
}

/// Shows every constant of the preset called `name`.
///
/// # Errors
/// Exit code 2 if there is none.
pub fn show(name: &str, json: bool) -> Result<(), Failure> {
    let Some(preset) = preset::find(name) else {
        let nearest = config::nearest_preset(name);
        let help = nearest.map_or(String::new(), |nearest| format!("did you mean `{nearest}`? "));
        let mistake = Mistake::new(format!("there is no preset `{name}`"));
        return Err(Failure::bad_input(vec![mistake.with_help(help + "`approxmem presets` lists them")]));
    };
    let figures = PresetFigures::of(preset);
    output::print(&if json { output::json(&figures) } else { report::preset_text(&figures) })
}

//! Results as tables, JSON and CSV.

mod attribution;
mod compare;
mod csv_files;
mod energy;
mod map;
mod memory;
mod presets;
mod result;
mod sweep;
mod text;

pub use attribution::{AttributionFigures, PartLoss};
pub use compare::{CRITERIA, Comparison, Design, Variation};
pub use csv_files::{classes_csv, subsets_csv, sweep_csv, trials_csv};
pub use energy::EnergyFigures;
pub use map::{MapFigures, map_text};
pub use memory::{MemoryPoint, MemoryTable, memory_csv, memory_text};
pub use presets::{ConstantFigures, PresetFigures, PresetSummary, preset_text, presets_text};
pub use result::{
    Accuracy, Approximate, ClassFigures, Faults, MemoryFaults, RunResult, SCHEMA_VERSION, StopFaults,
    SubsetFigures,
};
pub use sweep::{Point, SweepResult};
pub use text::{grouped, percent, run_text, sweep_text, table};

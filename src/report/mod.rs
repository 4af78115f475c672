//! Results as tables, JSON and CSV.

mod attribution;
pub mod chart;
mod compare;
mod csv_files;
mod energy;
mod map;
mod memory;
mod presets;
mod resilience;
mod result;
mod running;
mod stream;
mod sweep;
mod text;
mod trace;

pub use attribution::{AttributionFigures, PartLoss};
pub use compare::{CRITERIA, Comparison, Design, Variation};
pub use csv_files::{classes_csv, subsets_csv, sweep_csv, trials_csv};
pub use energy::EnergyFigures;
pub use map::{MapFigures, map_text};
pub use memory::{MemoryPoint, MemoryTable, memory_csv, memory_text};
pub use presets::{ConstantFigures, PresetFigures, PresetSummary, preset_text, presets_text};
pub use resilience::{
    ResilienceResult, characterisation_text, characterised_data_csv, claims_text, curves_csv, designs_csv,
    front_csv, front_text, joint_text, operating_points_csv, random_points_csv, random_text, resilience_text,
    single_csv, single_text, steps_csv,
};
pub use result::{
    Accuracy, Approximate, ClassFigures, Faults, MemoryFaults, RunResult, SCHEMA_VERSION, StopFaults,
    SubsetFigures,
};
pub use running::RunningFigures;
pub use stream::{StreamFigure, StreamPoint, StreamTable, stream_csv, stream_text};
pub use sweep::{Point, SweepResult};
pub use text::{grouped, percent, run_text, sweep_text, table};
pub use trace::{
    ScaleSimLayer, TileFigures, TraceFigures, TraceSource, trace_energy_csv, trace_layers_csv,
    trace_movements_csv, trace_roofline_csv, trace_roofline_text, trace_scalesim_csv, trace_scalesim_text,
    trace_text,
};

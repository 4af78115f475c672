//! Results as tables, JSON and CSV.

mod csv_files;
mod result;
mod sweep;
mod text;

pub use csv_files::{classes_csv, subsets_csv, sweep_csv, trials_csv};
pub use result::{
    Accuracy, Approximate, ClassFigures, Faults, RunResult, SCHEMA_VERSION, StopFaults, SubsetFigures,
};
pub use sweep::{Point, SweepResult};
pub use text::{grouped, percent, run_text, sweep_text, table};

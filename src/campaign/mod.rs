//! Trials of an experiment, and their statistics.

mod attribution;
mod golden;
mod neurons;
mod outcome;
mod reference;
mod runner;
mod schemes;
mod statistics;

pub use attribution::{Attribution, attribute};
pub use golden::BUDGET_BYTES as GOLDEN_BUDGET_BYTES;
pub use outcome::{ClassScore, Outcome, Score, Trial};
pub use runner::{Campaign, Error, run};
pub use schemes::{Effort, Schemes};
pub use statistics::Summary;

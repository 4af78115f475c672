//! Trials of an experiment, and their statistics.

mod golden;
mod neurons;
mod outcome;
mod runner;
mod statistics;

pub use outcome::{Outcome, Score, Trial};
pub use runner::{Campaign, Error, run};
pub use statistics::Summary;

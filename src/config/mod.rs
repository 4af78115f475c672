//! Configuration: TOML text and overrides → a validated [`Experiment`](crate::experiment::Experiment).
//!
//! A [`Document`] holds exactly what was typed, each value with the place it was typed at. [`Document::resolve`] checks
//! all of it against a network and reports every mistake at once as [`Problems`]; a sweep applies the points of its
//! [`axis::Axis`]es to clones of one document and resolves each.

mod accelerator;
pub mod axis;
mod constants;
mod dataset;
mod decimal;
mod document;
mod doubts;
mod files;
mod formats;
mod key;
mod machine;
mod memories;
mod paths;
mod patterns;
mod placed;
mod problem;
mod reader;
mod resilience;
mod resolve;
mod tree;

#[cfg(test)]
mod dataset_tests;
#[cfg(test)]
mod message_tests;
#[cfg(test)]
mod placed_tests;
#[cfg(test)]
mod resilience_tests;
#[cfg(test)]
mod resolve_tests;
#[cfg(test)]
mod sample;
mod start;
#[cfg(test)]
mod storage_message_tests;

pub use document::Document;
pub use doubts::Doubt;
pub use machine::ResolvedMachine;
pub use memories::nearest_preset;
pub use problem::{Problem, Problems, Related, Source};
pub use resilience::Evaluation;
pub use resolve::Resolved;
pub use start::given_trace;

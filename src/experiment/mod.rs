//! Plain validated types of one experiment, and the experiment prepared by one error-free pass.

mod design;

pub use design::{DatasetSource, Experiment, Link, NetworkSource, Stop, StoredSubset};

//! Memories: technologies with their error models, the cell split, and where data subsets rest.

pub mod residency;
mod technology;
pub mod uniform;

pub use technology::{Lifetime, Memory, Technology};

//! Memories: technologies with their error, energy and timing models, the cell split, the off-chip link, and where data subsets
//! rest.

mod by_bit;
pub mod cells;
pub mod cost;
pub mod dram;
pub mod energy;
pub mod geometry;
pub mod measured;
pub mod operating_point;
pub mod passage;
pub mod points;
pub mod preset;
pub mod protection;
pub mod protection_cost;
pub mod residency;
pub mod secded;
pub mod sram;
mod technology;
pub mod transfer;
mod transient;
pub mod uniform;

pub use by_bit::{ByBit, Empty};
pub use geometry::Geometry;
pub use passage::Passage;
pub use points::Points;
pub use protection::Protection;
pub use technology::{Lifetime, Memory, Technology};

//! The accelerator: what its array, buffers and DRAM do for every layer of a network, in cycles and words.
//!
//! * [`design`]: the accelerator as a configuration describes it;
//! * [`operation`]: the layers as an accelerator sees them, from a network or another tool's file;
//! * [`lowering`]: operations from the layers of a network;
//! * [`topology`]: operations from SCALE-Sim's topology files, and back;
//! * [`mod@array`]: cycles and buffer accesses of the array under each dataflow;
//! * [`tiling`]: which part of each operand a buffer holds, and what is therefore fetched again;
//! * [`dram`]: time, commands and energy of off-chip memory;
//! * [`energy`]: what arithmetic and registers cost;
//! * [`execution`]: all of these put together into a layer trace;
//! * [`trace`]: what it comes to, per layer, operand and memory;
//! * [`trace_file`]: layer traces as CSV and TOML files;
//! * [`residence`]: how long words stay in a memory, and how often they are accessed there;
//! * [`spending`]: what a trace costs.

pub mod array;
mod cells;
pub mod design;
pub mod dram;
pub mod energy;
pub mod execution;
pub mod lowering;
pub mod operation;
pub mod problem;
pub mod residence;
pub mod spending;
pub mod tiling;
pub mod topology;
pub mod trace;
pub mod trace_file;

pub use trace::Trace;

//! The accelerator as a configuration describes it, after every check.

use super::array::Array;
use super::dram::AddressMap;
use super::energy::OperationEnergy;
use super::lowering::Fuse;
use super::tiling::{Buffering, Objective, Tiling};
use super::trace::Fidelity;
use serde::Serialize;
use std::collections::BTreeMap;

/// An accelerator. Memories are indices in the list of the configuration's memories.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accelerator {
    /// Clock of array and buffers, MHz, > 0.
    pub clock_mhz: f64,
    /// The array.
    pub array: Array,
    /// Results of pooling, normalisation and element-wise layers per cycle, >= 1.
    pub elementwise_lanes: u64,
    /// Images computed together, >= 1.
    pub batch: u64,
    /// Bits of a partial sum in its buffer and in DRAM, 1..=64.
    pub partial_sum_bits: u32,
    /// Whether a buffer is filled while it is read.
    pub buffering: Buffering,
    /// Which layers work on the results of their producer before these are stored.
    pub fuse: Fuse,
    /// Whether a layer's outputs stay in their buffer for the next one where they fit.
    pub keep_on_chip: bool,
    /// What the search of a tiling makes small.
    pub objective: Objective,
    /// How traces are made: [`Fidelity::Analytic`] or [`Fidelity::Replay`].
    pub fidelity: Fidelity,
    /// Tilings in place of the search, by layer name.
    pub tilings: BTreeMap<String, Tiling>,
    /// Where operands rest on chip.
    pub buffers: Buffers,
    /// Where they rest off chip; `None`: everything rests in the buffers.
    pub dram: Option<DramSystem>,
    /// What operations cost; `None`: unknown, and not reported.
    pub energy: Option<OperationEnergy>,
}

/// The buffers of the operands; one memory may serve several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Buffers {
    /// Of inputs.
    pub ifmap: Buffer,
    /// Of weights and biases.
    pub filter: Buffer,
    /// Of outputs and partial sums.
    pub ofmap: Buffer,
    /// Ports of each bank, >= 1: each reads or writes once per cycle.
    pub ports: u64,
}

/// A memory as a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Buffer {
    /// The memory; it has a capacity.
    pub memory: usize,
    /// Bits of one access of a port, >= 1.
    pub port_bits: u32,
}

/// The off-chip memory. Row policy, timing and energies are those of the memory's data sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DramSystem {
    /// The memory; it is a DRAM with a data sheet.
    pub memory: usize,
    /// How addresses are spread.
    pub address_map: AddressMap,
    /// Channels, a power of two, 1..=64.
    pub channels: u32,
    /// Ranks of a channel, a power of two, 1..=16.
    pub ranks: u32,
    /// Requests that the controller of a channel holds, 1..=1024.
    pub queue_depth: u32,
}

impl Buffers {
    /// The memories of the buffers, each once, in the order ifmap, filter, ofmap.
    pub fn memories(&self) -> Vec<usize> {
        let mut memories = Vec::new();
        for buffer in [self.ifmap, self.filter, self.ofmap] {
            if !memories.contains(&buffer.memory) {
                memories.push(buffer.memory);
            }
        }
        memories
    }
}

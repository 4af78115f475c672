//! What every layer does to every memory: plain data, whether computed or read from a file.

use super::operation::Kind;
use serde::Serialize;

/// An operand of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operand {
    /// Inputs; of an element-wise layer the first of them.
    Ifmap,
    /// Second input of an element-wise layer.
    SecondIfmap,
    /// Weights.
    Filter,
    /// Bias.
    Bias,
    /// Outputs.
    Ofmap,
    /// Sums that are not complete yet.
    PartialSum,
}

/// How a trace was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fidelity {
    /// Closed forms.
    Analytic,
    /// Tile by tile, with every DRAM command.
    Replay,
    /// Read from a file.
    Given,
}

/// Cycles of the accelerator's clock that a layer takes; the total is their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cycles {
    /// The array fills.
    pub fill: u64,
    /// The array computes.
    pub compute: u64,
    /// The array waits for a memory.
    pub stall: u64,
    /// The array drains.
    pub drain: u64,
}

/// What a layer waits for most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The processing elements.
    Array,
    /// The ports of this buffer (index in [`Trace::memories`]).
    Buffer(usize),
    /// The DRAM.
    Dram,
}

/// What moves between one operand of a layer and one memory, over one batch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Movement {
    /// The operand.
    pub operand: Operand,
    /// Index in [`Trace::memories`].
    pub memory: usize,
    /// Bits of a word there.
    pub word_bits: u32,
    /// Words read.
    pub words_read: u64,
    /// Words written.
    pub words_written: u64,
    /// Bytes read, as a whole; of DRAM without the rest of bursts.
    pub bytes_read: u64,
    /// Bytes written, likewise.
    pub bytes_written: u64,
    /// DRAM bursts read, of a buffer accesses of its ports.
    pub bursts_read: u64,
    /// DRAM bursts written, of a buffer accesses of its ports.
    pub bursts_written: u64,
    /// DRAM rows opened for it; 0 for buffers.
    pub activations: u64,
    /// Cycle of the network's first use of it in this memory.
    pub first_use_cycle: u64,
    /// Cycle of the last use.
    pub last_use_cycle: u64,
    /// Cycles that a word of it stays in this memory: the mean over its tiles.
    pub residency_cycles: u64,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerTrace {
    /// Its name.
    pub name: String,
    /// What it computes.
    pub kind: Kind,
    /// Multiply-accumulates of a batch.
    pub macs: u64,
    /// Results of pooling, normalisation and element-wise work of a batch, that of followers included.
    pub results: u64,
    /// Bits read from the registers of processing elements.
    pub register_bits_read: u64,
    /// Bits written to them.
    pub register_bits_written: u64,
    /// When it starts, cycles after the network's start.
    pub start_cycle: u64,
    /// How long it takes.
    pub cycles: Cycles,
    /// What binds it.
    pub bound: Bound,
    /// What it moves.
    pub movements: Vec<Movement>,
}

/// A network on an accelerator, over one batch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trace {
    /// How it was made.
    pub fidelity: Fidelity,
    /// The accelerator's clock.
    pub clock_mhz: f64,
    /// Images of a batch.
    pub batch: u64,
    /// Names of the memories.
    pub memories: Vec<String>,
    /// Layers in order.
    pub layers: Vec<LayerTrace>,
}

impl Movement {
    /// Nothing moved yet between `operand` and `memory`.
    pub fn of(operand: Operand, memory: usize, word_bits: u32) -> Self {
        Self {
            operand,
            memory,
            word_bits,
            words_read: 0,
            words_written: 0,
            bytes_read: 0,
            bytes_written: 0,
            bursts_read: 0,
            bursts_written: 0,
            activations: 0,
            first_use_cycle: 0,
            last_use_cycle: 0,
            residency_cycles: 0,
        }
    }
}

impl Trace {
    /// Cycles of a batch; `None` beyond 2^64.
    pub fn cycles(&self) -> Option<u64> {
        self.layers.iter().try_fold(0u64, |sum, layer| sum.checked_add(layer.cycles.total()?))
    }

    /// Seconds of a batch.
    pub fn seconds(&self) -> f64 {
        let cycles: f64 = (self.layers.iter())
            .map(|layer| {
                let Cycles { fill, compute, stall, drain } = layer.cycles;
                fill as f64 + compute as f64 + stall as f64 + drain as f64
            })
            .sum();
        self.seconds_of(cycles)
    }

    /// Seconds of `cycles` of the accelerator's clock.
    pub fn seconds_of(&self, cycles: f64) -> f64 {
        cycles / (self.clock_mhz * 1e6)
    }

    /// The layer called `name`.
    pub fn layer(&self, name: &str) -> Option<&LayerTrace> {
        self.layers.iter().find(|layer| layer.name == name)
    }
}

impl Cycles {
    /// Fill, compute, stall and drain together; `None` beyond 2^64.
    pub fn total(&self) -> Option<u64> {
        self.fill.checked_add(self.compute)?.checked_add(self.stall)?.checked_add(self.drain)
    }
}

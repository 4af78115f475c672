//! What the array does for a layer or a part of it.

use super::{Accesses, Array, Dataflow, Error, Mapping, Phases};
use serde::Serialize;

/// Cycles and accesses of the array for one or more matrix products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Times that the array is filled with new stationary operands or outputs.
    pub folds: u64,
    /// Cycles.
    pub phases: Phases,
    /// Words read from and written to the buffers.
    pub accesses: Accesses,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Processing elements in use, summed over the folds.
    pub occupied_elements: u64,
}

impl Counts {
    /// Both together, fills and drains of both included; [`Array::layer`] closes the sum of the tiles of a layer.
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`] for a count beyond 2^64 - 1.
    pub fn add(&self, other: &Self) -> Result<Self, Error> {
        self.zip(other, u64::checked_add)
    }

    /// The same `n` times, fills and drains included.
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`] for a count beyond 2^64 - 1.
    pub fn times(&self, n: u64) -> Result<Self, Error> {
        self.zip(self, |one, _| one.checked_mul(n))
    }

    fn zip(&self, other: &Self, both: impl Fn(u64, u64) -> Option<u64>) -> Result<Self, Error> {
        let with = |count, one, two| both(one, two).ok_or(Error::Overflow { count });
        let (phases, others) = (&self.phases, &other.phases);
        let (accesses, theirs) = (&self.accesses, &other.accesses);
        let phases = Phases {
            fill_cycles: with("fill cycles", phases.fill_cycles, others.fill_cycles)?,
            compute_cycles: with("compute cycles", phases.compute_cycles, others.compute_cycles)?,
            drain_cycles: with("drain cycles", phases.drain_cycles, others.drain_cycles)?,
        };
        phases.total().ok_or(Error::Overflow { count: "cycles" })?;
        Ok(Self {
            folds: with("folds", self.folds, other.folds)?,
            phases,
            accesses: Accesses {
                ifmap_reads: with("ifmap reads", accesses.ifmap_reads, theirs.ifmap_reads)?,
                filter_reads: with("filter reads", accesses.filter_reads, theirs.filter_reads)?,
                ofmap_writes: with("ofmap writes", accesses.ofmap_writes, theirs.ofmap_writes)?,
                partial_sum_reads: with(
                    "partial sum reads",
                    accesses.partial_sum_reads,
                    theirs.partial_sum_reads,
                )?,
            },
            macs: with("multiply-accumulates", self.macs, other.macs)?,
            occupied_elements: with("occupied elements", self.occupied_elements, other.occupied_elements)?,
        })
    }

    /// Multiply-accumulates over those that the array could do in the same cycles, fill and drain included: 0 to 1.
    pub fn utilisation(&self, array: &Array) -> f64 {
        let Phases { fill_cycles, compute_cycles, drain_cycles } = self.phases;
        let cycles = fill_cycles as f64 + compute_cycles as f64 + drain_cycles as f64;
        share(self.macs, cycles, array)
    }

    /// Share of the processing elements in use, the mean over the folds: 0 to 1.
    pub fn mapping_efficiency(&self, array: &Array) -> f64 {
        share(self.occupied_elements, self.folds as f64, array)
    }

    /// Bits read from and written to the registers of the processing elements.
    ///
    /// Every multiply-accumulate reads both operands and the partial sum, and writes the partial sum and each operand that its
    /// neighbour takes over: input and weight of an output-stationary array, the input of a weight-stationary, the weight of an
    /// input-stationary one. Under the vector mapping both operands are new in every cycle, hence written. Loading what stays
    /// in place counts once per element in use and fold.
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`] beyond 2^64 - 1 bits.
    pub fn register_bits(
        &self,
        mapping: Mapping,
        ifmap_bits: u32,
        filter_bits: u32,
        partial_sum_bits: u32,
    ) -> Result<(u64, u64), Error> {
        let [ifmap, filter, sum] = [ifmap_bits, filter_bits, partial_sum_bits].map(u64::from);
        let (moved, loaded) = match mapping {
            Mapping::Stationary(Dataflow::OutputStationary) | Mapping::Vector => (ifmap + filter, 0),
            Mapping::Stationary(Dataflow::WeightStationary) => (ifmap, filter),
            Mapping::Stationary(Dataflow::InputStationary) => (filter, ifmap),
        };
        let bits = |count, words: u64, bits: u64| words.checked_mul(bits).ok_or(Error::Overflow { count });
        let (read, written) = ("register bits read", "register bits written");
        let streamed = bits(written, self.macs, moved + sum)?;
        let stationary = bits(written, self.occupied_elements, loaded)?;
        let total = streamed.checked_add(stationary).ok_or(Error::Overflow { count: written })?;
        Ok((bits(read, self.macs, ifmap + filter + sum)?, total))
    }
}

/// `done` of what all processing elements of `array` do in `rounds`; 0 where there are none.
fn share(done: u64, rounds: f64, array: &Array) -> f64 {
    if rounds == 0.0 { 0.0 } else { done as f64 / (rounds * (array.rows as f64) * (array.columns as f64)) }
}

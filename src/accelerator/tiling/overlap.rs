//! How long tiles take when their transfers run beside the computation, or do not.

use super::Buffering;
use serde::Serialize;

/// What one tile takes, in cycles of the accelerator's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct TileTimes {
    /// From DRAM, before it can compute.
    pub load_cycles: u64,
    /// In the array.
    pub compute_cycles: u64,
    /// To DRAM, once it has computed.
    pub store_cycles: u64,
}

/// What all tiles take together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Elapsed {
    /// From the first load to the last store.
    pub total_cycles: u64,
    /// In the array.
    pub compute_cycles: u64,
    /// On the channel to DRAM.
    pub transfer_cycles: u64,
}

impl Elapsed {
    /// Cycles in which the array waits: the total without those in the array.
    pub fn stall_cycles(&self) -> u64 {
        self.total_cycles - self.compute_cycles
    }

    /// Whether transfers take longer than the array.
    pub fn is_bound_by_transfers(&self) -> bool {
        self.transfer_cycles > self.compute_cycles
    }
}

/// Tiles that take turns at one array and at one channel to DRAM, fed one after the other in execution order.
///
/// With l, c and s the cycles of load, computation and store of tile i of n: single-buffered they take the sum of all,
/// double-buffered `l_0 + sum_i max(c_i, l_(i+1) + s_(i-1)) + s_(n-1)`. Every sum is at least that of the c alone and that of the
/// l and s alone.
#[derive(Clone, Debug)]
pub struct Overlap {
    buffering: Buffering,
    elapsed: Elapsed,
    /// The tile that computes while the next is loaded, and the store of the one before it.
    computing: Option<(TileTimes, u64)>,
}

impl Overlap {
    /// No tiles yet.
    pub fn new(buffering: Buffering) -> Self {
        Self { buffering, elapsed: Elapsed::default(), computing: None }
    }

    /// Appends `times` tiles of equal length; `None` beyond 2^64 cycles.
    #[must_use = "cycles beyond 2^64 are not counted"]
    pub fn push(&mut self, tile: TileTimes, times: u64) -> Option<()> {
        if times == 0 {
            return Some(());
        }
        let transfer = tile.load_cycles.checked_add(tile.store_cycles)?;
        let elapsed = &mut self.elapsed;
        elapsed.compute_cycles =
            elapsed.compute_cycles.checked_add(tile.compute_cycles.checked_mul(times)?)?;
        elapsed.transfer_cycles = elapsed.transfer_cycles.checked_add(transfer.checked_mul(times)?)?;
        if self.buffering == Buffering::Single {
            return self.add(transfer.checked_add(tile.compute_cycles)?, times);
        }
        self.follow(tile)?;
        if times > 1 {
            self.follow(tile)?;
            self.add(tile.compute_cycles.max(transfer), times - 2)?;
        }
        Some(())
    }

    /// Appends one tile, double-buffered.
    fn follow(&mut self, tile: TileTimes) -> Option<()> {
        let stored_before = match self.computing {
            None => {
                self.add(tile.load_cycles, 1)?;
                0
            }
            Some((last, stored_before)) => {
                self.add(last.compute_cycles.max(tile.load_cycles.checked_add(stored_before)?), 1)?;
                last.store_cycles
            }
        };
        self.computing = Some((tile, stored_before));
        Some(())
    }

    fn add(&mut self, cycles: u64, times: u64) -> Option<()> {
        self.elapsed.total_cycles = self.elapsed.total_cycles.checked_add(cycles.checked_mul(times)?)?;
        Some(())
    }

    /// What all tiles take; `None` beyond 2^64 cycles.
    pub fn finish(mut self) -> Option<Elapsed> {
        if let Some((last, stored_before)) = self.computing.take() {
            self.add(last.compute_cycles.max(stored_before), 1)?;
            self.add(last.store_cycles, 1)?;
        }
        Some(self.elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The published sums, written down.
    fn expected(tiles: &[TileTimes], buffering: Buffering) -> u64 {
        let single = |tile: &TileTimes| tile.load_cycles + tile.compute_cycles + tile.store_cycles;
        if buffering == Buffering::Single {
            return tiles.iter().map(single).sum();
        }
        let (Some(first), Some(last)) = (tiles.first(), tiles.last()) else { return 0 };
        let middle = tiles.iter().enumerate().map(|(index, tile)| {
            let next = tiles.get(index + 1).map_or(0, |tile| tile.load_cycles);
            let before = index.checked_sub(1).map_or(0, |index| tiles[index].store_cycles);
            tile.compute_cycles.max(next + before)
        });
        first.load_cycles + middle.sum::<u64>() + last.store_cycles
    }

    proptest! {
        #[test]
        fn repeats_add_up_to_the_published_sums(
            tiles in proptest::collection::vec(((0..50u64, 0..50u64, 0..50u64), 0..5u64), 0..8),
        ) {
            for buffering in [Buffering::Single, Buffering::Double] {
                let mut overlap = Overlap::new(buffering);
                let mut all = Vec::new();
                for &((load_cycles, compute_cycles, store_cycles), times) in &tiles {
                    let tile = TileTimes { load_cycles, compute_cycles, store_cycles };
                    overlap.push(tile, times).unwrap();
                    all.extend((0..times).map(|_| tile));
                }
                let elapsed = overlap.finish().unwrap();
                prop_assert_eq!(elapsed.total_cycles, expected(&all, buffering));
                prop_assert!(elapsed.total_cycles >= elapsed.compute_cycles.max(elapsed.transfer_cycles));
                prop_assert_eq!(elapsed.stall_cycles(), elapsed.total_cycles - elapsed.compute_cycles);
            }
        }
    }

    #[test]
    fn cycles_beyond_64_bits_are_refused() {
        let tile = TileTimes { load_cycles: u64::MAX / 4, compute_cycles: 1, store_cycles: u64::MAX / 4 };
        for buffering in [Buffering::Single, Buffering::Double] {
            assert!(Overlap::new(buffering).push(tile, 3).is_none());
        }
    }
}

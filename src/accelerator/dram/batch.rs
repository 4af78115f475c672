//! Time of the transfers of a layer or a tile, from their counts.

use super::layout::Layout;
use super::{Error, System};
use serde::Serialize;

/// Bursts that are moved together: those of a tile, of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// Bursts read.
    pub read_bursts: u64,
    /// Bursts written.
    pub write_bursts: u64,
    /// Rows opened.
    pub activations: u64,
    /// How often the bus turns from reading to writing and back.
    pub turnarounds: u64,
}

impl System {
    /// Rows that a run of `bytes` consecutive bytes from a round address opens, refresh apart: 0 for none.
    pub fn rows_of_run(&self, bytes: u64) -> u64 {
        Layout::new(self).rows_touched(bytes.div_ceil(self.burst_bytes().max(1)))
    }
}

/// DRAM cycles of `batch`, were its bursts spread evenly over all channels and their bank groups: the larger of
/// `bursts max(BL/2, tCCD_S) + turnarounds (t_RW + t_WR)` and `activations max(tRRD_S, tFAW / 4) / ranks` per channel, and the
/// latency of the first burst, over the share of the time that refresh leaves. Not covered: runs that stay in one bank group or
/// one channel, several runs in the rows of one bank, random bursts in few banks; [`super::Replay`] covers all of them.
///
/// # Errors
/// Those of [`System::check`]; [`Error::Overflow`] if the cycles do not fit.
pub fn time_of_tiles(system: &System, batch: &Batch) -> Result<u64, Error> {
    let c = system.constraints()?;
    let bursts = u128::from(batch.read_bursts) + u128::from(batch.write_bursts);
    if bursts == 0 {
        return Ok(0);
    }
    let channels = f64::from(system.channels);
    // A write after a read and a read after a write, each over a burst of the same direction.
    let turn = (c.read_to_write + c.write_to_read_rank).saturating_sub(2 * c.column_rank) as f64;
    let bus = bursts as f64 * c.column_rank as f64 + batch.turnarounds as f64 * turn;
    let activate = (c.activate_rank as f64).max(c.four_activates as f64 / 4.0);
    let rows = batch.activations as f64 * activate / f64::from(system.ranks);
    let busy = if system.ranks == 1 { c.refresh_alone() } else { c.refresh };
    let refresh = c.refresh_interval.map_or(0.0, |interval| busy as f64 / interval as f64);
    let latency = (c.activate_to_column + c.read_latency) as f64;
    let cycles = (bus.max(rows) / channels / (1.0 - refresh) + latency).ceil();
    // Up to 2^53 every whole number is one of f64.
    if cycles <= (1_u64 << 53) as f64 {
        Ok(cycles as u64)
    } else {
        Err(Error::Overflow("cycles of the transfers"))
    }
}

//! Least cycles between two commands, from the data sheet; as `DRAMsim3`, src/timing.cc.

use super::{Error, System};

/// Cycles from one command to another. Suffixes: `_group` same bank group, `_rank` same rank, `_other` other rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Constraints {
    pub burst: u64,
    pub column_group: u64,
    pub column_rank: u64,
    pub column_other_read: u64,
    pub column_other_write: u64,
    pub read_to_write: u64,
    pub read_to_write_other: u64,
    pub write_to_read_group: u64,
    pub write_to_read_rank: u64,
    pub write_to_read_other: u64,
    pub read_to_precharge: u64,
    pub write_to_precharge: u64,
    /// From a read that closes its row.
    pub read_close_to_activate: u64,
    pub read_close_to_refresh: u64,
    /// From a write that closes its row.
    pub write_close_to_activate: u64,
    pub precharge_to_activate: u64,
    pub precharge_to_precharge: u64,
    pub activate_to_column: u64,
    pub activate_to_precharge: u64,
    pub activate_bank: u64,
    pub activate_group: u64,
    pub activate_rank: u64,
    pub four_activates: u64,
    pub refresh: u64,
    /// Between two refreshes of one rank; `None`: none.
    pub refresh_interval: Option<u64>,
    /// From a read to its last transfer.
    pub read_latency: u64,
    /// From a write to its last transfer.
    pub write_latency: u64,
}

impl Constraints {
    pub fn new(system: &System) -> Result<Self, Error> {
        let device = &system.device;
        let t = &device.timing;
        for (key, long, short) in
            [("ccd_l", t.ccd_l, t.ccd_s), ("rrd_l", t.rrd_l, t.rrd_s), ("wtr_l", t.wtr_l, t.wtr_s)]
        {
            if long < short {
                return Err(Error::Range {
                    key,
                    value: long.into(),
                    range: "at least that of other bank groups",
                });
            }
        }
        let cycles = |count: u32| u64::from(count);
        // Without groups the device keeps the short distances.
        let group = |long: u32, short: u32| cycles(if device.bank_groups == 1 { short } else { long });
        let burst = system.burst_cycles();
        let (read_latency, write_latency) = (cycles(t.cl) + burst, cycles(t.cwl) + burst);
        let write_to_precharge = write_latency + cycles(t.wr);
        let refresh = refresh_cycles("rfc_ns", t.rfc_ns / t.tck_ns, f64::ceil)?;
        let interval = t.refi_ns * system.refresh_multiplier / t.tck_ns;
        let refresh_interval =
            if interval.is_finite() { Some(refresh_cycles("refi_ns", interval, f64::floor)?) } else { None };
        let constraints = Self {
            burst,
            column_group: group(t.ccd_l, t.ccd_s).max(burst),
            column_rank: cycles(t.ccd_s).max(burst),
            column_other_read: burst + cycles(t.rtrs),
            column_other_write: burst,
            read_to_write: (read_latency + cycles(t.rtrs)).saturating_sub(cycles(t.cwl)),
            read_to_write_other: (read_latency + burst + cycles(t.rtrs)).saturating_sub(write_latency),
            write_to_read_group: write_latency + group(t.wtr_l, t.wtr_s),
            write_to_read_rank: write_latency + cycles(t.wtr_s),
            write_to_read_other: (write_latency + burst + cycles(t.rtrs)).saturating_sub(read_latency),
            read_to_precharge: cycles(t.rtp),
            write_to_precharge,
            read_close_to_activate: burst + cycles(t.rtp) + cycles(t.rp),
            read_close_to_refresh: cycles(t.rtp) + cycles(t.rp),
            write_close_to_activate: write_to_precharge + cycles(t.rp),
            precharge_to_activate: cycles(t.rp),
            precharge_to_precharge: cycles(t.ppd),
            activate_to_column: cycles(t.rcd),
            activate_to_precharge: cycles(t.ras),
            activate_bank: cycles(t.ras) + cycles(t.rp),
            activate_group: group(t.rrd_l, t.rrd_s),
            activate_rank: cycles(t.rrd_s),
            four_activates: cycles(t.faw),
            refresh,
            refresh_interval,
            read_latency,
            write_latency,
        };
        if let Some(interval_cycles) = refresh_interval {
            let busy_cycles = constraints.refresh_alone();
            if busy_cycles >= interval_cycles || interval_cycles < u64::from(system.ranks) {
                return Err(Error::Refresh { busy_cycles, interval_cycles });
            }
        }
        Ok(constraints)
    }

    /// Cycles that a refresh takes from the only rank of a channel: its rows are closed before and opened after it.
    pub fn refresh_alone(&self) -> u64 {
        self.refresh + self.precharge_to_activate + self.activate_to_column + self.read_to_precharge
    }
}

/// A time of refresh in whole cycles. What lies within a millionth of a whole number is that number: nanoseconds come from
/// cycles in the first place.
fn refresh_cycles(key: &'static str, cycles: f64, round: fn(f64) -> f64) -> Result<u64, Error> {
    const MOST: f64 = (1_u64 << 53) as f64;
    let nearest = cycles.round();
    let whole = if (cycles - nearest).abs() <= 1e-6 * nearest.max(1.0) { nearest } else { round(cycles) };
    if (1.0..=MOST).contains(&whole) {
        Ok(whole as u64)
    } else {
        Err(Error::Range { key, value: whole, range: "1 to 2^53 cycles" })
    }
}

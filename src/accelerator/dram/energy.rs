//! What was done, and what it cost, by command.

use super::System;
use crate::memory::energy::dram::Standby;
use serde::Serialize;

/// What the channels of a DRAM did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Activity {
    /// Cycles from the first to the last.
    pub cycles: u64,
    /// Bursts read.
    pub reads: u64,
    /// Bursts written.
    pub writes: u64,
    /// Rows opened.
    pub activations: u64,
    /// Bursts in a row that was open for another burst before.
    pub row_hits: u64,
    /// Refresh commands, each of one rank.
    pub refreshes: u64,
    /// Requests answered by a queue: reads of what waits to be written or read, writes of what waits to be written.
    pub merged: u64,
    /// Cycles in which a rank has a row open, summed over ranks.
    pub active_cycles: u64,
    /// Cycles in which a rank has none, summed over ranks.
    pub precharged_cycles: u64,
}

/// What it cost, pJ over all devices of all ranks and channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Energy {
    /// Rows opened and closed.
    pub activate_pj: f64,
    /// Bursts read.
    pub read_pj: f64,
    /// Bursts written.
    pub write_pj: f64,
    /// Refresh commands.
    pub refresh_pj: f64,
    /// Standby of all ranks, a row open or none.
    pub background_pj: f64,
    /// Interface and PHY.
    pub interface_pj: f64,
}

impl Energy {
    /// Energy of `activity`, by command: its currents against standby, times the time that it takes (`DRAMsim3`,
    /// src/configuration.cc, whose V mA cycles are multiplied by the period of the clock). Refresh that is spared for some bits
    /// of a word alone is spared here and not in time.
    pub fn of(system: &System, activity: &Activity) -> Self {
        let device = &system.device;
        let devices = f64::from(device.devices);
        let burst_bits = 8.0 * system.burst_bytes() as f64;
        let standby = |cycles: u64, standby| {
            // mW times ns are pJ.
            cycles as f64 * device.timing.tck_ns * device.background_mw(standby) * devices
        };
        // The refreshes counted are as frequent as the shortest interval asks for.
        let spared = if system.refresh_multiplier.is_finite() {
            system.refresh_rate * system.refresh_multiplier
        } else {
            1.0
        };
        Self {
            activate_pj: activity.activations as f64 * device.act_pre_pj() * devices,
            read_pj: activity.reads as f64 * burst_bits * device.read_pj_per_bit(),
            write_pj: activity.writes as f64 * burst_bits * device.write_pj_per_bit(),
            refresh_pj: activity.refreshes as f64 * device.refresh_pj() * devices * spared,
            background_pj: standby(activity.active_cycles, Standby::Open)
                + standby(activity.precharged_cycles, Standby::Closed),
            interface_pj: (activity.reads + activity.writes) as f64 * burst_bits * device.io_pj_per_bit,
        }
    }

    /// Sum of the parts, pJ.
    pub fn total_pj(&self) -> f64 {
        self.commands_pj() + self.refresh_pj + self.background_pj
    }

    /// What moving the data costs: activates, reads, writes and the interface, pJ.
    pub fn commands_pj(&self) -> f64 {
        self.activate_pj + self.read_pj + self.write_pj + self.interface_pj
    }
}

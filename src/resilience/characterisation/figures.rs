//! What a design moves, how long it takes and what it spends.

use super::{Error, Objective};
use crate::experiment::{Experiment, MachineFigures, Volume};
use serde::Serialize;
use std::collections::BTreeSet;

/// What passes one memory in an inference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryTraffic {
    /// Its name.
    pub memory: String,
    /// Bytes read: of DRAM in whole bursts.
    pub read_bytes: f64,
    /// Bytes written.
    pub written_bytes: f64,
    /// Energy of accesses, standby and refresh, pJ; null where no constant tells.
    pub energy_pj: Option<f64>,
}

/// One design over one inference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DesignFigures {
    /// Bits of the data volume, every word moved once.
    pub volume_bits: u64,
    /// Bytes to and from DRAM on an accelerator that has one, of all buffers on one without; without an accelerator the bytes of
    /// the data volume.
    pub traffic_bytes: f64,
    /// Cycles of the accelerator; null without one.
    pub cycles: Option<f64>,
    /// Seconds that they take.
    pub seconds: Option<f64>,
    /// Energy: on an accelerator of everything, without one of memories and link; null where no constant tells.
    pub energy_pj: Option<f64>,
    /// Memories through which words pass.
    pub memories: Vec<MemoryTraffic>,
    /// Bytes that cross the link.
    pub link_bytes: u64,
}

/// Shares of fp32 that a design saves, each 1 - design / fp32; null where one is unknown or fp32 needs none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DesignSavings {
    /// Of the data volume.
    pub volume: Option<f64>,
    /// Of the traffic.
    pub traffic: Option<f64>,
    /// Of the cycles.
    pub cycles: Option<f64>,
    /// Of the energy.
    pub energy: Option<f64>,
}

impl DesignFigures {
    /// The figures of `experiment`, which has been started; `precise` holds the data subsets and memories where words rest in the
    /// precise part of one, if it has no accelerator.
    pub(super) fn of(experiment: &Experiment, precise: &BTreeSet<(usize, usize)>) -> Result<Self, Error> {
        let cost = experiment.cost_beside(precise)?;
        let memories: Vec<MemoryTraffic> = (cost.memories.iter())
            .map(|memory| MemoryTraffic {
                memory: memory.memory.clone(),
                read_bytes: memory.bits_read / 8.0,
                written_bytes: memory.bits_written / 8.0,
                energy_pj: memory.total_pj,
            })
            .collect();
        let volume_bits = Volume::of(experiment).bits_moved;
        let link_bytes = cost.link.bytes;
        let (Some(machine), Some(running)) = (experiment.machine(), &experiment.running) else {
            let has_energies = !cost.memories.is_empty();
            return Ok(Self {
                volume_bits,
                traffic_bytes: volume_bits as f64 / 8.0,
                cycles: None,
                seconds: None,
                energy_pj: cost.total_pj.filter(|_| has_energies),
                memories,
                link_bytes,
            });
        };
        let figures = MachineFigures::of(&machine, running)?;
        let of_buffers = || memories.iter().map(|memory| memory.read_bytes + memory.written_bytes).sum();
        let has_dram = machine.accelerator.dram.is_some();
        Ok(Self {
            volume_bits,
            traffic_bytes: if has_dram { figures.dram_bytes() } else { of_buffers() },
            cycles: Some(figures.cycles),
            seconds: Some(figures.seconds),
            energy_pj: figures.energy_pj,
            memories,
            link_bytes,
        })
    }

    /// The figure that `objective` makes small.
    pub fn of_objective(&self, objective: Objective) -> Option<f64> {
        match objective {
            Objective::Energy => self.energy_pj,
            Objective::Traffic => Some(self.traffic_bytes),
            Objective::Cycles => self.cycles,
        }
    }

    /// What this design saves of `other`.
    pub fn saving_of(&self, other: &Self) -> DesignSavings {
        let saved = |one: Option<f64>, other: Option<f64>| {
            one.zip(other).filter(|(_, other)| *other > 0.0).map(|(one, other)| 1.0 - one / other)
        };
        DesignSavings {
            volume: saved(Some(self.volume_bits as f64), Some(other.volume_bits as f64)),
            traffic: saved(Some(self.traffic_bytes), Some(other.traffic_bytes)),
            cycles: saved(self.cycles, other.cycles),
            energy: saved(self.energy_pj, other.energy_pj),
        }
    }
}

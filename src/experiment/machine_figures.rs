//! Cycles, traffic and energy of a design on the accelerator.

use super::{Machine, Running, RunningError};
use crate::accelerator::spending::{Component, Spending, sum};
use crate::accelerator::trace::Movement;
use serde::Serialize;

/// Energy of one component per inference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComponentEnergy {
    /// `arithmetic`, `registers`, `elementwise`, `link`, or a memory's name with `access`, `standby` or `refresh`.
    pub component: String,
    /// Picojoules; null where no constant tells.
    pub energy_pj: Option<f64>,
}

/// One design on the accelerator, per inference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MachineFigures {
    /// Cycles of the accelerator's clock.
    pub cycles: f64,
    /// Of these, the ones in which the array waits.
    pub stall_cycles: f64,
    /// Time, s.
    pub seconds: f64,
    /// Seconds from one inference to the next.
    pub period_s: f64,
    /// Bytes read from DRAM; 0 without one, as are the next two.
    pub dram_read_bytes: f64,
    /// Bytes written to DRAM.
    pub dram_written_bytes: f64,
    /// Bursts read and written.
    pub dram_bursts: f64,
    /// Energy by component.
    pub components: Vec<ComponentEnergy>,
    /// Sum of the components; null if one of them is.
    pub energy_pj: Option<f64>,
}

/// Shares saved, each 1 - this design / the other one; null where the other is 0 or unknown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Savings {
    /// Of the time.
    pub cycles: Option<f64>,
    /// Of the bytes to and from DRAM.
    pub dram_bytes: Option<f64>,
    /// Of the energy.
    pub energy: Option<f64>,
}

fn component_name(component: Component, machine: &Machine) -> String {
    let of = |memory: usize, what: &str| format!("{} {what}", machine.memories[memory].name);
    match component {
        Component::Arithmetic => "arithmetic".into(),
        Component::Registers => "registers".into(),
        Component::Elementwise => "elementwise".into(),
        Component::Link => "link".into(),
        Component::Access(memory) => of(memory, "access"),
        Component::Standby(memory) => of(memory, "standby"),
        Component::Refresh(memory) => of(memory, "refresh"),
    }
}

impl MachineFigures {
    /// The figures of `machine`, on which `running` runs.
    ///
    /// # Errors
    /// [`RunningError`] for energies that do not fit the operating point.
    pub fn of(machine: &Machine, running: &Running) -> Result<Self, RunningError> {
        let trace = running.trace();
        let images = trace.batch as f64;
        let spending: Spending = machine.spending(running)?;
        let dram = machine.accelerator.dram.map(|dram| dram.memory);
        let movements = trace.layers.iter().flat_map(|layer| &layer.movements);
        let off_chip: Vec<_> = movements.filter(|movement| Some(movement.memory) == dram).collect();
        let total = |count: fn(&Movement) -> u64| {
            off_chip.iter().map(|movement| count(movement) as f64).sum::<f64>() / images
        };
        let stalls: f64 = trace.layers.iter().map(|layer| layer.cycles.stall as f64).sum();
        let components = (spending.components().into_iter())
            .map(|component| ComponentEnergy {
                component: component_name(component, machine),
                energy_pj: spending.component_pj(component).map(|pj| pj / images),
            })
            .collect();
        Ok(Self {
            cycles: trace.seconds() * trace.clock_mhz * 1e6 / images,
            stall_cycles: stalls / images,
            seconds: running.seconds_per_inference(),
            period_s: machine.period_s(running),
            dram_read_bytes: total(|movement| movement.bytes_read),
            dram_written_bytes: total(|movement| movement.bytes_written),
            dram_bursts: total(|movement| movement.bursts_read + movement.bursts_written),
            components,
            energy_pj: sum(spending.parts()).map(|pj| pj / images),
        })
    }

    /// Bytes to and from DRAM.
    pub fn dram_bytes(&self) -> f64 {
        self.dram_read_bytes + self.dram_written_bytes
    }

    /// What this design saves of `other`.
    pub fn saving_of(&self, other: &Self) -> Savings {
        let saved = |one: Option<f64>, other: Option<f64>| {
            one.zip(other).filter(|(_, other)| *other > 0.0).map(|(one, other)| 1.0 - one / other)
        };
        Savings {
            cycles: saved(Some(self.cycles), Some(other.cycles)),
            dram_bytes: saved(Some(self.dram_bytes()), Some(other.dram_bytes())),
            energy: saved(self.energy_pj, other.energy_pj),
        }
    }
}

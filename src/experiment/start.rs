//! Running the network of an experiment on its accelerator, before anything else is asked of it.

use super::{Design, Experiment, Machine, Running, RunningError, Stop, StoredSubset};
use crate::accelerator::Trace;
use crate::accelerator::operation::Operation;
use crate::accelerator::spending::Spending;
use crate::memory::{Protection, transfer};
use crate::network;
use crate::number::Format;
use std::sync::Arc;

impl Machine {
    /// What runs, and where.
    pub fn design(&self) -> Design<'_> {
        Design {
            subsets: &self.subsets,
            memories: &self.memories,
            link: &self.link,
            accelerator: &self.accelerator,
        }
    }

    /// Runs `operations`, or takes `given` in place of that; paths lose the stops that their words do not pass.
    ///
    /// # Errors
    /// [`enum@RunningError`].
    pub fn start(
        &mut self,
        operations: Vec<Operation>,
        given: Option<Trace>,
    ) -> Result<Running, RunningError> {
        let running = Running::new(self.design(), operations.clone(), given.clone())?;
        let mut subsets = self.subsets.clone();
        if !prune(&mut subsets, &running, self.design())? {
            self.subsets = subsets;
            return Ok(running);
        }
        // What stays on chip is not narrowed by the link: wider words, and other tiles.
        self.subsets = subsets;
        Running::new(self.design(), operations, given)
    }

    /// The period of an inference on `running`, s: as asked for, but not shorter than it takes.
    pub fn period_s(&self, running: &Running) -> f64 {
        self.workload.period_on(running)
    }

    /// Energy of a batch on `running`.
    ///
    /// # Errors
    /// [`enum@RunningError`].
    pub fn spending(&self, running: &Running) -> Result<Spending, RunningError> {
        running.spending_every(self.design(), self.period_s(running))
    }

    /// The same machine in fp32 with nothing approximated: the baseline.
    #[must_use]
    pub fn baseline(&self) -> Self {
        let mut baseline = self.precise();
        for stored in &mut baseline.subsets {
            stored.format = Format::Fp32;
            stored.link_bits = Format::Fp32.bits();
        }
        baseline
    }

    /// The same words in the same memories without approximation: precise memories, words at their full width on the link.
    #[must_use]
    pub fn precise(&self) -> Self {
        let mut precise = self.clone();
        for memory in &mut precise.memories {
            *memory = memory.precise();
            memory.protection = Protection::dual_rail(0);
        }
        for stored in &mut precise.subsets {
            stored.link_bits = stored.format.bits();
        }
        // Planes and containers are there to save bits; whole words need neither.
        precise.link.transfer.layout = transfer::Layout::Packed;
        precise
    }
}

impl Experiment {
    /// The machine, if the experiment has an accelerator.
    pub fn machine(&self) -> Option<Machine> {
        Some(Machine {
            subsets: self.subsets.clone(),
            memories: self.memories.clone(),
            link: self.link,
            workload: self.workload,
            accelerator: self.accelerator.clone()?,
            trace: self.trace.clone(),
        })
    }

    /// What runs, and where, if the experiment has an accelerator.
    pub fn design(&self) -> Option<Design<'_>> {
        Some(Design {
            subsets: &self.subsets,
            memories: &self.memories,
            link: &self.link,
            accelerator: self.accelerator.as_ref()?,
        })
    }

    /// Runs `operations` on the accelerator, or takes `given` in place of that; without an accelerator nothing is done. Paths lose
    /// the stops that their words do not pass: of what is fused, all; of what stays on chip, DRAM and link.
    ///
    /// # Errors
    /// [`enum@RunningError`].
    pub fn start(&mut self, operations: Vec<Operation>, given: Option<Trace>) -> Result<(), RunningError> {
        let Some(mut machine) = self.machine() else { return Ok(()) };
        self.running = Some(Arc::new(machine.start(operations, given)?));
        self.subsets = machine.subsets;
        Ok(())
    }
}

/// Takes from the paths of `subsets` the stops that their words do not pass. Whether a word is wider than before for it.
fn prune(subsets: &mut [StoredSubset], running: &Running, design: Design<'_>) -> Result<bool, RunningError> {
    let mut is_wider = false;
    for (index, stored) in subsets.iter_mut().enumerate() {
        if !running.is_stored(index) {
            stored.path.clear();
            stored.link_bits = stored.format.bits();
            continue;
        }
        let (passed, possible) = (running.memories_of(index), possible(stored, design));
        for stop in &stored.path {
            if let Stop::Memory(memory) = stop
                && !possible.contains(memory)
                && !passed.contains(memory)
            {
                let name = |&index: &usize| format!("`{}`", design.memories[index].name);
                return Err(RunningError::Misplaced {
                    subset: stored.subset.name.clone(),
                    memory: design.memories[*memory].name.clone(),
                    through: possible.iter().map(name).collect::<Vec<_>>().join(" and "),
                });
            }
        }
        stored.path.retain(|stop| match stop {
            Stop::Memory(memory) => passed.contains(memory),
            Stop::Link => true,
        });
        arrange(stored, design)?;
        let off_chip = design.accelerator.dram.map(|dram| dram.memory);
        let is_off_chip = off_chip.is_some_and(|dram| passed.contains(&dram));
        if !is_off_chip && stored.path.contains(&Stop::Link) {
            stored.path.retain(|stop| *stop != Stop::Link);
            stored.path.dedup();
            is_wider |= stored.link_bits != stored.format.bits();
            stored.link_bits = stored.format.bits();
        }
    }
    Ok(is_wider)
}

/// Brings the link, which weights cross on their way from DRAM, before the first buffer: a path that does not name it, or not
/// the DRAM, has it where it was put for lack of a better place.
fn arrange(stored: &mut StoredSubset, design: Design<'_>) -> Result<(), RunningError> {
    let Some(dram) = design.accelerator.dram.map(|dram| dram.memory) else { return Ok(()) };
    let first_buffer = |path: &[Stop]| {
        path.iter().position(|stop| !matches!(stop, Stop::Link) && *stop != Stop::Memory(dram))
    };
    let Some(buffer) = first_buffer(&stored.path) else { return Ok(()) };
    let is_weight = stored.subset.operand != network::Operand::Neuron;
    let behind =
        |stop: &Stop| stored.path.iter().rposition(|other| other == stop).is_some_and(|at| at > buffer);
    if is_weight && behind(&Stop::Memory(dram)) {
        let Stop::Memory(memory) = stored.path[buffer] else { return Ok(()) };
        return Err(RunningError::Order {
            subset: stored.subset.name.clone(),
            buffer: design.memories[memory].name.clone(),
            dram: design.memories[dram].name.clone(),
        });
    }
    let has_dram = stored.path.contains(&Stop::Memory(dram));
    if stored.path.contains(&Stop::Link) && (is_weight || !has_dram) {
        stored.path.retain(|stop| *stop != Stop::Link);
        let at = first_buffer(&stored.path).unwrap_or(0);
        stored.path.insert(at, Stop::Link);
    }
    Ok(())
}

/// Memories through which the accelerator may move words of the operand of `stored`.
fn possible(stored: &StoredSubset, design: Design<'_>) -> Vec<usize> {
    let buffers = &design.accelerator.buffers;
    let mut memories: Vec<usize> = design.accelerator.dram.map(|dram| dram.memory).into_iter().collect();
    match stored.subset.operand {
        network::Operand::Neuron => memories.extend([buffers.ifmap.memory, buffers.ofmap.memory]),
        network::Operand::Weight | network::Operand::Bias => memories.push(buffers.filter.memory),
    }
    memories.sort_unstable();
    memories.dedup();
    memories
}

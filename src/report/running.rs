//! What an experiment costs on its accelerator, beside the same design without approximation and beside fp32.

use super::energy::{picojoules, share};
use super::text::{grouped, table};
use crate::accelerator::trace::{Bound, Fidelity};
use crate::experiment::{Experiment, Machine, MachineFigures, Running, RunningError, Savings, Stop};
use serde::Serialize;

/// What an experiment costs on its accelerator.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunningFigures {
    /// How the layer trace was made.
    pub fidelity: Fidelity,
    /// Images of a batch.
    pub batch_images: u64,
    /// Layers by what binds them: `array`, `dram` or the name of a buffer.
    pub bound_layers: Vec<(String, usize)>,
    /// This design.
    pub design: MachineFigures,
    /// The same words in the same memories at their precise operating point, at full width on the link, without protection.
    /// Null for a given trace, which holds for its own words alone, as are the next three.
    pub nominal: Option<MachineFigures>,
    /// The same network in fp32 with nothing approximated.
    pub baseline: Option<MachineFigures>,
    /// This design against the nominal one.
    pub saving_of_nominal: Option<Savings>,
    /// This design against fp32.
    pub saving_of_baseline: Option<Savings>,
}

/// Runs `machine` anew.
fn ran(mut machine: Machine, running: &Running) -> Result<MachineFigures, RunningError> {
    let again = machine.start(running.operations.clone(), None)?;
    MachineFigures::of(&machine, &again)
}

impl RunningFigures {
    /// The figures of `experiment`; `None` without an accelerator.
    ///
    /// # Errors
    /// [`RunningError`] for energies that do not fit the operating point.
    pub fn of(experiment: &Experiment) -> Result<Option<Self>, RunningError> {
        let (Some(machine), Some(running)) = (experiment.machine(), &experiment.running) else {
            return Ok(None);
        };
        let trace = running.trace();
        let design = MachineFigures::of(&machine, running)?;
        let (nominal, baseline) = if trace.fidelity == Fidelity::Given {
            (None, None)
        } else {
            (Some(ran(machine.precise(), running)?), Some(ran(machine.baseline(), running)?))
        };
        let mut bound_layers: Vec<(String, usize)> = Vec::new();
        for layer in &trace.layers {
            let name = match layer.bound {
                Bound::Array => "array",
                Bound::Dram => "dram",
                Bound::Buffer(memory) => &trace.memories[memory],
            };
            match bound_layers.iter_mut().find(|(other, _)| other == name) {
                Some((_, layers)) => *layers += 1,
                None => bound_layers.push((name.to_owned(), 1)),
            }
        }
        Ok(Some(Self {
            fidelity: trace.fidelity,
            batch_images: trace.batch,
            bound_layers,
            saving_of_nominal: nominal.as_ref().map(|nominal| design.saving_of(nominal)),
            saving_of_baseline: baseline.as_ref().map(|baseline| design.saving_of(baseline)),
            design,
            nominal,
            baseline,
        }))
    }

    /// The table for the terminal.
    pub(super) fn text(&self) -> String {
        let header = [
            "design",
            "cycles",
            "stall_cycles",
            "time_ms",
            "dram_read_bytes",
            "dram_written_bytes",
            "energy_pj",
        ];
        let whole = |count: f64| grouped(count.round() as u64);
        let row = |name: &str, figures: &MachineFigures| {
            vec![
                name.to_owned(),
                whole(figures.cycles),
                whole(figures.stall_cycles),
                format!("{:.4}", figures.seconds * 1e3),
                whole(figures.dram_read_bytes),
                whole(figures.dram_written_bytes),
                picojoules(figures.energy_pj),
            ]
        };
        let mut rows = vec![row("this", &self.design)];
        rows.extend(self.nominal.as_ref().map(|nominal| row("nominal", nominal)));
        rows.extend(self.baseline.as_ref().map(|baseline| row("fp32", baseline)));
        let saved = |name: &str, savings: &Savings| {
            format!(
                "saved of {name}: {} % of the cycles, {} % of the DRAM bytes, {} % of the energy",
                share(savings.cycles),
                share(savings.dram_bytes),
                share(savings.energy)
            )
        };
        let mut lines = Vec::new();
        lines.extend(self.saving_of_nominal.as_ref().map(|savings| saved("nominal", savings)));
        lines.extend(self.saving_of_baseline.as_ref().map(|savings| saved("fp32", savings)));
        let parts = self.design.components.iter().map(|part| {
            let of_total = part.energy_pj.zip(self.design.energy_pj).filter(|(_, total)| *total > 0.0);
            let of_total = of_total.map(|(part, total)| part / total);
            vec![part.component.clone(), picojoules(part.energy_pj), share(of_total)]
        });
        let bound: Vec<String> =
            self.bound_layers.iter().map(|(name, layers)| format!("{layers} by {name}")).collect();
        format!(
            "On the accelerator, per inference ({} trace, batches of {}; layers bound: {})\n{}\n{}\n\nEnergy of this design by \
             component, per inference\n{}",
            match self.fidelity {
                Fidelity::Analytic => "analytic",
                Fidelity::Replay => "replayed",
                Fidelity::Given => "given",
            },
            self.batch_images,
            bound.join(", "),
            table(&header, rows),
            if lines.is_empty() {
                "what it saves is not known: a given trace holds for its own words alone".to_owned()
            } else {
                lines.push(
                    "nominal: the same words, fp32: all words in fp32, both without approximation".to_owned(),
                );
                lines.join("\n")
            },
            table(&["component", "energy_pj", "of_total_%"], parts)
        )
    }
}

/// What a reader of the figures must know: where words pass an erring memory in its precise part, which figures are missing.
pub(super) fn notes(experiment: &Experiment) -> Vec<String> {
    let (Some(running), Some(accelerator)) = (&experiment.running, &experiment.accelerator) else {
        return Vec::new();
    };
    let mut notes = Vec::new();
    for (index, memory) in experiment.memories.iter().enumerate() {
        if memory.bit_error_rate() == 0.0 {
            continue;
        }
        let passes_precisely = |subset: &usize| {
            let path = &experiment.subsets[*subset].path;
            running.memories_of(*subset).contains(&index) && !path.contains(&Stop::Memory(index))
        };
        let subsets: Vec<&str> = (0..experiment.subsets.len())
            .filter(passes_precisely)
            .map(|subset| experiment.subsets[subset].subset.name.as_str())
            .collect();
        if !subsets.is_empty() {
            notes.push(format!(
                "memory `{}`: {} pass it in precise cells at the nominal operating point: [placement] does not name it for them",
                memory.name,
                subsets.join(", ")
            ));
        }
    }
    if accelerator.energy.is_none() {
        notes.push(
            "energies of arithmetic and registers are not known, and so no total: [accelerator.energy] is missing"
                .to_owned(),
        );
    }
    if running.trace().fidelity == Fidelity::Given {
        notes.push(
            "the layer trace is given: words lie one behind the other around each buffer, not tile by tile, and other words share \
             a weak cell than under the computed trace; the nominal energies of the memories are those of the given traffic"
                .to_owned(),
        );
    }
    notes
}

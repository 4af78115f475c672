//! What a layer trace costs: energy by layer, component and operand; totals are the sums of these parts.

use super::energy::{Arithmetic, OperationEnergy};
use super::trace::{LayerTrace, Movement, Operand, Trace};
use crate::memory::Memory;
use crate::memory::cost::{Accesses, Error, Word};
use serde::Serialize;

/// What spends energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// Multiply-accumulates.
    Arithmetic,
    /// Registers of the processing elements.
    Registers,
    /// Pooling, normalisation and element-wise work.
    Elementwise,
    /// Accesses of the memory with this index in [`Trace::memories`]; of DRAM its commands and its interface.
    Access(usize),
    /// The off-chip link, on top of the interfaces of the memories.
    Link,
    /// Leakage or background of a memory.
    Standby(usize),
    /// Refresh of a memory.
    Refresh(usize),
}

/// One part of the energy of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Part {
    /// What spends it.
    pub component: Component,
    /// For which operand, where it is for one.
    pub operand: Option<Operand>,
    /// Picojoules over a batch; null where no constant tells.
    pub pj: Option<f64>,
}

/// Power that a memory draws all the time, mW.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StandingPower {
    /// Leakage or background; `None` where no constant tells.
    pub standby_mw: Option<f64>,
    /// Refresh; `None` where no constant tells.
    pub refresh_mw: Option<f64>,
}

/// How a layer's words are computed and stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerWords {
    /// Arithmetic of its inputs.
    pub ifmap: Arithmetic,
    /// Arithmetic of its weights.
    pub filter: Arithmetic,
    /// Bits of its sums.
    pub partial_sum_bits: u32,
}

/// What a trace is priced with.
pub struct Prices<'a> {
    /// Arithmetic and registers; `None`: unknown.
    pub operations: Option<&'a OperationEnergy>,
    /// The memories of the trace, in its order.
    pub memories: &'a [Memory],
    /// What they draw all the time, in the same order.
    pub standing: &'a [StandingPower],
    /// Energy of the link per layer, pJ over a batch, in the order of the layers.
    pub link_pj: &'a [f64],
    /// Words of each layer.
    pub words: &'a [LayerWords],
    /// Whether a movement is of words in the precise part of the memory.
    pub is_precise: &'a dyn Fn(&LayerTrace, &Movement) -> bool,
}

/// Energy of a batch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spending {
    /// Parts of each layer, in the order of the trace.
    pub layers: Vec<Vec<Part>>,
    /// What memories draw between the end of a batch and the start of the next.
    pub idle: Vec<Part>,
}

impl Spending {
    /// Energy of `trace`, of which a batch starts every `period_s` seconds.
    ///
    /// # Errors
    /// [`enum@Error`] for energies that do not fit the operating point of a memory.
    pub fn of(trace: &Trace, period_s: f64, prices: &Prices<'_>) -> Result<Self, Error> {
        let mut layers = Vec::with_capacity(trace.layers.len());
        for (index, layer) in trace.layers.iter().enumerate() {
            let mut parts = operations(layer, &prices.words[index], prices.operations);
            for movement in &layer.movements {
                parts.push(access(layer, movement, prices)?);
            }
            let link_pj = prices.link_pj[index];
            if link_pj > 0.0 {
                parts.push(Part { component: Component::Link, operand: None, pj: Some(link_pj) });
            }
            let seconds = trace.seconds_of(layer.cycles.total().map_or(f64::NAN, |cycles| cycles as f64));
            parts.extend(standing(prices, seconds));
            layers.push(parts);
        }
        let idle_s = (period_s - trace.seconds()).max(0.0);
        Ok(Self { layers, idle: standing(prices, idle_s).collect() })
    }

    /// All parts.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.layers.iter().flatten().chain(&self.idle)
    }

    /// Sum of all parts, pJ; `None` if one is unknown.
    pub fn total_pj(&self) -> Option<f64> {
        sum(self.parts())
    }

    /// Sum of the parts of `component`, pJ; `None` if one is unknown.
    pub fn component_pj(&self, component: Component) -> Option<f64> {
        sum(self.parts().filter(|part| part.component == component))
    }

    /// Components with a part, each once, in order.
    pub fn components(&self) -> Vec<Component> {
        let mut components: Vec<_> = self.parts().map(|part| part.component).collect();
        components.sort_unstable();
        components.dedup();
        components
    }
}

/// Sum of `parts`, pJ; `None` if one is unknown.
pub fn sum<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Option<f64> {
    parts.into_iter().try_fold(0.0, |sum, part| Some(sum + part.pj?))
}

fn operations(layer: &LayerTrace, words: &LayerWords, energy: Option<&OperationEnergy>) -> Vec<Part> {
    let part = |component, pj| Part { component, operand: None, pj };
    let mut parts = Vec::new();
    if layer.macs > 0 {
        let each = energy.map(|energy| energy.mac_pj(words.ifmap, words.filter, words.partial_sum_bits));
        parts.push(part(Component::Arithmetic, each.map(|pj| pj * layer.macs as f64)));
        let registers = energy.map(|energy| {
            layer.register_bits_read as f64 * energy.register_read_pj_per_bit
                + layer.register_bits_written as f64 * energy.register_write_pj_per_bit
        });
        parts.push(part(Component::Registers, registers));
    }
    if layer.results > 0 {
        let each = energy.map(|energy| energy.add_pj(words.ifmap));
        parts.push(part(Component::Elementwise, each.map(|pj| pj * layer.results as f64)));
    }
    parts
}

fn access(layer: &LayerTrace, movement: &Movement, prices: &Prices<'_>) -> Result<Part, Error> {
    let word = Word { bits: movement.word_bits, is_precise: (prices.is_precise)(layer, movement) };
    let accesses = Accesses {
        reads: movement.bursts_read as f64,
        writes: movement.bursts_written as f64,
        activations: movement.activations as f64,
    };
    Ok(Part {
        component: Component::Access(movement.memory),
        operand: Some(movement.operand),
        pj: prices.memories[movement.memory].access_pj(word, accesses)?,
    })
}

/// What all memories draw in `seconds`.
fn standing(prices: &Prices<'_>, seconds: f64) -> impl Iterator<Item = Part> {
    // mW over seconds in pJ.
    let part = move |component, mw: Option<f64>| Part {
        component,
        operand: None,
        pj: mw.map(|mw| mw * seconds * 1e9),
    };
    prices.standing.iter().enumerate().flat_map(move |(memory, power)| {
        let standby = part(Component::Standby(memory), power.standby_mw);
        let refreshes = power.refresh_mw != Some(0.0);
        let refresh = refreshes.then(|| part(Component::Refresh(memory), power.refresh_mw));
        std::iter::once(standby).chain(refresh)
    })
}

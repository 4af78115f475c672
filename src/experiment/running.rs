//! The network of an experiment on its accelerator: the layer trace, and what it means for every data subset.

use super::{Link, Stop, StoredSubset};
use crate::accelerator::design::Accelerator;
use crate::accelerator::energy::Arithmetic;
use crate::accelerator::execution::{self, Execution, Passing, ReadWords, StoredWord, Task, Words};
use crate::accelerator::operation::{Operation, Source};
use crate::accelerator::residence;
use crate::accelerator::spending::{LayerWords, Prices, Spending, StandingPower};
use crate::accelerator::trace::{LayerTrace, Movement, Operand, Trace};
use crate::memory::cost::{self, Traffic, Word};
use crate::memory::residency::Exposure;
use crate::memory::{Memory, transfer};
use crate::network;
use crate::number::Format;
use std::collections::BTreeMap;
use thiserror::Error;

/// Why a network cannot run on the accelerator of an experiment.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum RunningError {
    /// Array, tiles or DRAM.
    #[error(transparent)]
    Execution(#[from] execution::Error),
    /// A layer without a trace.
    #[error("the layer trace has no layer `{0}`, which the network has")]
    NoTrace(String),
    /// A trace without a layer.
    #[error(
        "the layer trace has a layer `{0}`, which the network has not: is it fused with its producer here?"
    )]
    NoLayer(String),
    /// A memory that the trace names and the configuration does not.
    #[error("the layer trace names a memory `{0}`, which the configuration has not")]
    NoMemory(String),
    /// A trace of another design.
    #[error("the layer trace is of another design: {what} is {found} there and {expected} here")]
    Contradiction {
        /// What differs.
        what: String,
        /// Its value in the trace.
        found: String,
        /// Its value in the configuration.
        expected: String,
    },
    /// Words that should pass a memory before another.
    #[error("`{subset}` is placed in memory `{buffer}` before DRAM `{dram}`, but weights come from there")]
    Order {
        /// The data subset.
        subset: String,
        /// The buffer.
        buffer: String,
        /// The DRAM.
        dram: String,
    },
    /// A path that the accelerator does not take.
    #[error("`{subset}` is placed in memory `{memory}`, but the accelerator moves it through {through}")]
    Misplaced {
        /// The data subset.
        subset: String,
        /// Where it is placed.
        memory: String,
        /// Where it passes.
        through: String,
    },
    /// Cost of a memory.
    #[error(transparent)]
    Cost(#[from] cost::Error),
    /// The link.
    #[error("link: {0}")]
    Link(#[from] transfer::Error),
}

/// What runs, and where.
#[derive(Clone, Copy)]
pub struct Design<'a> {
    /// Every data subset.
    pub subsets: &'a [StoredSubset],
    /// The memories.
    pub memories: &'a [Memory],
    /// The link.
    pub link: &'a Link,
    /// The accelerator.
    pub accelerator: &'a Accelerator,
}

/// A network that has run.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// Its operations.
    pub operations: Vec<Operation>,
    /// Their words.
    pub words: Vec<Words>,
    /// What moved. A given trace has no layers beside those of the trace.
    pub execution: Execution,
    /// Data subset of each operand, by operation.
    subsets: BTreeMap<(usize, Operand), usize>,
    /// Operation and operand of each data subset that is stored.
    places: BTreeMap<usize, (usize, Operand)>,
}

/// Data subsets by the operations and operands that hold them.
fn assign(operations: &[Operation], subsets: &[StoredSubset]) -> BTreeMap<(usize, Operand), usize> {
    let by_name: BTreeMap<&str, usize> =
        subsets.iter().enumerate().map(|(index, stored)| (stored.subset.name.as_str(), index)).collect();
    let mut assigned = BTreeMap::new();
    for (index, operation) in operations.iter().enumerate() {
        let name = |operand: network::Operand, layer: &str| format!("{}_{layer}", operand.prefix());
        let own = [
            (Operand::Ifmap, name(network::Operand::Neuron, &operation.name)),
            (Operand::Filter, name(network::Operand::Weight, &operation.name)),
            (Operand::Bias, name(network::Operand::Bias, &operation.name)),
        ];
        let added = operation.added.iter().map(|added| (Operand::SecondIfmap, added.subset.clone()));
        // Those of a follower are stored with its host's.
        let followers = operation.followers.iter().flat_map(|follower| {
            [
                (Operand::Filter, name(network::Operand::Weight, &follower.name)),
                (Operand::Bias, name(network::Operand::Bias, &follower.name)),
            ]
        });
        for (operand, name) in own.into_iter().chain(added).chain(followers) {
            if let Some(&subset) = by_name.get(name.as_str()) {
                assigned.entry((index, operand)).or_insert(subset);
            }
        }
    }
    assigned
}

/// Operation and operand of each data subset.
fn places(operations: &[Operation], subsets: &[StoredSubset]) -> BTreeMap<usize, (usize, Operand)> {
    let mut places = BTreeMap::new();
    for (index, stored) in subsets.iter().enumerate() {
        let name = stored.subset.name.as_str();
        let of = |prefix: network::Operand| name.strip_prefix(prefix.prefix())?.strip_prefix('_');
        let found = operations.iter().enumerate().find_map(|(operation, candidate)| {
            let is_layer = |layer: &str| {
                candidate.name == layer || candidate.followers.iter().any(|follower| follower.name == layer)
            };
            if of(network::Operand::Neuron) == Some(candidate.name.as_str()) {
                return Some((operation, Operand::Ifmap));
            }
            if candidate.added.iter().any(|added| added.subset == name) {
                return Some((operation, Operand::SecondIfmap));
            }
            if of(network::Operand::Weight).is_some_and(is_layer) {
                return Some((operation, Operand::Filter));
            }
            of(network::Operand::Bias).is_some_and(is_layer).then_some((operation, Operand::Bias))
        });
        if let Some(place) = found {
            places.insert(index, place);
        }
    }
    places
}

/// The word of `stored` in DRAM, on the link and in the buffers.
fn word(stored: &StoredSubset) -> StoredWord {
    StoredWord {
        container_bits: stored.format.bits(),
        bits: stored.link_bits,
        arithmetic: Arithmetic::of(&stored.format, stored.link_bits),
    }
}

/// A word of `format` that nothing narrows.
fn plain(format: Format) -> StoredWord {
    let bits = format.bits();
    StoredWord { container_bits: bits, bits, arithmetic: Arithmetic::of(&format, bits) }
}

fn task<'a>(operations: &'a [Operation], words: &'a [Words], design: Design<'a>) -> Task<'a> {
    Task {
        operations,
        words,
        accelerator: design.accelerator,
        memories: design.memories,
        transfer: design.link.transfer,
    }
}

/// `trace` with layers in the order of the operations and memories in that of the design.
fn bound(
    trace: &Trace,
    operations: &[Operation],
    words: &[Words],
    design: Design<'_>,
) -> Result<Trace, RunningError> {
    let differ = |what: &str, found: String, expected: String| RunningError::Contradiction {
        what: what.to_owned(),
        found,
        expected,
    };
    if trace.batch != design.accelerator.batch {
        return Err(differ("the batch", trace.batch.to_string(), design.accelerator.batch.to_string()));
    }
    if trace.clock_mhz != design.accelerator.clock_mhz {
        let (found, expected) = (trace.clock_mhz.to_string(), design.accelerator.clock_mhz.to_string());
        return Err(differ("the clock in MHz", found, expected));
    }
    let mut indices = Vec::new();
    for name in &trace.memories {
        let index = design.memories.iter().position(|memory| memory.name == *name);
        indices.push(index.ok_or_else(|| RunningError::NoMemory(name.clone()))?);
    }
    if let Some(layer) = trace.layers.iter().find(|layer| !operations.iter().any(|o| o.name == layer.name)) {
        return Err(RunningError::NoLayer(layer.name.clone()));
    }
    let mut layers = Vec::new();
    for (operation, words) in operations.iter().zip(words) {
        let layer = trace.layer(&operation.name);
        let mut layer = layer.cloned().ok_or_else(|| RunningError::NoTrace(operation.name.clone()))?;
        for movement in &mut layer.movements {
            movement.memory = indices[movement.memory];
            let expected = words.bits(movement.operand, design.accelerator.partial_sum_bits);
            if movement.word_bits != expected {
                let what = format!("the word of the {:?} of layer `{}`", movement.operand, operation.name);
                return Err(differ(
                    &what.to_lowercase(),
                    format!("of {} bits", movement.word_bits),
                    format!("of {expected}"),
                ));
            }
        }
        if let crate::accelerator::trace::Bound::Buffer(memory) = &mut layer.bound {
            *memory = indices[*memory];
        }
        layers.push(layer);
    }
    let memories = design.memories.iter().map(|memory| memory.name.clone()).collect();
    Ok(Trace { fidelity: trace.fidelity, clock_mhz: trace.clock_mhz, batch: trace.batch, memories, layers })
}

impl Running {
    /// Runs `operations` on the accelerator of `design`, or takes `given` in place of that.
    ///
    /// # Errors
    /// [`enum@RunningError`].
    pub fn new(
        design: Design<'_>,
        operations: Vec<Operation>,
        given: Option<Trace>,
    ) -> Result<Self, RunningError> {
        let subsets = assign(&operations, design.subsets);
        let places = places(&operations, design.subsets);
        let read: Vec<ReadWords> = (0..operations.len())
            .map(|index| {
                let of =
                    |operand| subsets.get(&(index, operand)).map(|&subset| word(&design.subsets[subset]));
                let ifmap = of(Operand::Ifmap).unwrap_or(plain(Format::default()));
                let filter = of(Operand::Filter).unwrap_or(ifmap);
                ReadWords { ifmap, filter, bias: of(Operand::Bias).unwrap_or(filter) }
            })
            .collect();
        let words = Words::of(&operations, &read);
        let execution = match given {
            Some(trace) => {
                Execution { trace: bound(&trace, &operations, &words, design)?, layers: Vec::new() }
            }
            None => execution::run(&task(&operations, &words, design))?,
        };
        Ok(Self { operations, words, execution, subsets, places })
    }

    /// What runs.
    pub fn task<'a>(&'a self, design: Design<'a>) -> Task<'a> {
        task(&self.operations, &self.words, design)
    }

    /// The trace.
    pub fn trace(&self) -> &Trace {
        &self.execution.trace
    }

    /// Seconds of one inference if the next batch starts as soon as one ends.
    pub fn seconds_per_inference(&self) -> f64 {
        self.trace().seconds() / self.trace().batch as f64
    }

    /// Whether data subset `subset` is stored at all, or formed and used up on its way through a fused layer.
    pub fn is_stored(&self, subset: usize) -> bool {
        self.places.contains_key(&subset)
    }

    /// Memories through which the words of data subset `subset` pass.
    pub fn memories_of(&self, subset: usize) -> Vec<usize> {
        let Some(&(index, operand)) = self.places.get(&subset) else { return Vec::new() };
        let layer = &self.trace().layers[index];
        let mut memories: Vec<usize> = (layer.movements.iter())
            .filter(|movement| movement.operand == operand)
            .map(|movement| movement.memory)
            .collect();
        // Where its producers leave it.
        if matches!(operand, Operand::Ifmap | Operand::SecondIfmap) {
            for source in &self.operations[index].sources {
                if let Source::Operation(producer) = source {
                    let written = self.trace().layers[*producer].movements.iter();
                    let left = written.filter(|movement| movement.operand == Operand::Ofmap);
                    memories.extend(left.map(|movement| movement.memory));
                }
            }
        }
        memories.sort_unstable();
        memories.dedup();
        memories
    }

    /// What the words of data subset `subset` go through in memory `memory`; `None` if they do not pass it.
    pub fn exposure(&self, subset: usize, memory: usize, period_s: f64) -> Option<Exposure> {
        let &(index, operand) = self.places.get(&subset)?;
        let (trace, operations) = (self.trace(), &self.operations);
        let read = residence::exposure(trace, operations, index, operand, memory, period_s);
        // A buffer of its producer that it leaves for another: for as long as it is written there.
        read.or_else(|| {
            let producer = operations[index].sources.iter().find_map(Source::operation)?;
            residence::exposure(trace, operations, producer, Operand::Ofmap, memory, period_s)
        })
    }

    /// How the words of data subset `subset` pass through memory `memory`, where its tiles decide.
    pub fn passing(&self, design: Design<'_>, subset: usize, memory: usize) -> Option<Passing> {
        let &(index, operand) = self.places.get(&subset)?;
        if self.execution.layers.is_empty() {
            return None;
        }
        let passing = self.execution.passing(&self.task(design), index, operand)?;
        (passing.memory == memory).then_some(passing)
    }

    /// Data subset that a movement is of: outputs are what their first reader reads.
    pub fn subset_of(&self, index: usize, operand: Operand) -> Option<usize> {
        match operand {
            Operand::PartialSum => None,
            Operand::Ofmap => {
                let reads = |operation: &Operation| operation.sources.contains(&Source::Operation(index));
                let reader = self.operations.iter().position(reads)?;
                self.subsets.get(&(reader, Operand::Ifmap)).copied()
            }
            _ => self.subsets.get(&(index, operand)).copied(),
        }
    }

    /// Whether a movement is of words in the precise part of the memory: partial sums, and whatever is not placed in it.
    fn is_precise(&self, design: Design<'_>, index: usize, movement: &Movement) -> bool {
        let subset = self.subset_of(index, movement.operand);
        !subset.is_some_and(|subset| design.subsets[subset].path.contains(&Stop::Memory(movement.memory)))
    }

    /// What passes each memory in one inference, without what is stored there.
    pub fn traffic(&self, design: Design<'_>) -> Vec<Traffic> {
        let mut traffic = vec![Traffic::default(); design.memories.len()];
        let images = self.trace().batch as f64;
        if let Some(dram) = design.accelerator.dram {
            traffic[dram.memory].ranks = u64::from(dram.channels) * u64::from(dram.ranks);
        }
        for (index, layer) in self.trace().layers.iter().enumerate() {
            for movement in &layer.movements {
                let memory = &design.memories[movement.memory];
                let is_dram = design.accelerator.dram.is_some_and(|dram| dram.memory == movement.memory);
                let sum = &mut traffic[movement.memory];
                let is_precise = self.is_precise(design, index, movement);
                let word = Word { bits: movement.word_bits, is_precise };
                let counts = [
                    (&mut sum.reads, movement.bursts_read),
                    (&mut sum.writes, movement.bursts_written),
                    (&mut sum.activations, movement.activations),
                ];
                for (counts, count) in counts {
                    *counts.entry(word).or_default() += count as f64 / images;
                }
                let bits = |bytes: u64, bursts: u64| match memory.access_bits() {
                    Some(burst) if is_dram => bursts as f64 * burst / images,
                    _ => 8.0 * bytes as f64 / images,
                };
                sum.read_bits += bits(movement.bytes_read, movement.bursts_read);
                sum.written_bits += bits(movement.bytes_written, movement.bursts_written);
            }
        }
        traffic
    }

    /// Words, bytes, bursts and energy of the link in each layer, over a batch: everything to and from DRAM crosses it.
    ///
    /// # Errors
    /// [`RunningError::Link`].
    pub fn link(&self, design: Design<'_>) -> Result<Vec<super::LinkCost>, RunningError> {
        let dram = design.accelerator.dram.map(|dram| dram.memory);
        let transfer = design.link.transfer;
        let mut costs = Vec::new();
        for (index, layer) in self.trace().layers.iter().enumerate() {
            let mut cost = super::LinkCost::default();
            let crossing = layer.movements.iter().filter(|movement| Some(movement.memory) == dram);
            for movement in crossing {
                let container = self.container_bits(index, movement);
                for words in [movement.words_read, movement.words_written] {
                    let moved = transfer.bursts(words, container, movement.word_bits, 0)?;
                    cost.words += words;
                    cost.bytes += moved.bytes;
                    cost.bursts += moved.bursts;
                    cost.energy_pj += transfer.energy_pj(words, container, movement.word_bits, 0)?;
                }
            }
            costs.push(cost);
        }
        Ok(costs)
    }

    /// What crosses the link in one inference.
    ///
    /// # Errors
    /// [`RunningError::Link`].
    pub fn link_per_inference(&self, design: Design<'_>) -> Result<super::LinkCost, RunningError> {
        let batch = self.trace().batch;
        let mut sum = super::LinkCost::default();
        for cost in self.link(design)? {
            sum.words += cost.words;
            sum.bytes += cost.bytes;
            sum.bursts += cost.bursts;
            sum.energy_pj += cost.energy_pj;
        }
        Ok(super::LinkCost {
            words: sum.words / batch,
            bytes: sum.bytes.div_ceil(batch),
            bursts: sum.bursts.div_ceil(batch),
            energy_pj: sum.energy_pj / batch as f64,
        })
    }

    fn container_bits(&self, index: usize, movement: &Movement) -> u32 {
        let words = &self.words[index];
        let bits = match movement.operand {
            Operand::Ifmap | Operand::SecondIfmap => words.ifmap.container_bits,
            Operand::Filter => words.filter.container_bits,
            Operand::Bias => words.bias.container_bits,
            Operand::Ofmap => words.ofmap.container_bits,
            Operand::PartialSum => movement.word_bits,
        };
        bits.max(movement.word_bits)
    }

    /// What every memory holds: each data subset in each memory that it passes.
    pub fn stored(&self, design: Design<'_>) -> Vec<Traffic> {
        let mut traffic = vec![Traffic::default(); design.memories.len()];
        for (index, stored) in design.subsets.iter().enumerate() {
            for memory in self.memories_of(index) {
                let is_precise = !stored.path.contains(&Stop::Memory(memory));
                let is_dram = design.accelerator.dram.is_some_and(|dram| dram.memory == memory);
                let bits = if is_dram { stored.format.bits() } else { stored.link_bits };
                let sum = &mut traffic[memory];
                let words = stored.subset.words as f64;
                *sum.stored.entry(Word { bits, is_precise }).or_default() += words * f64::from(bits);
                if !is_precise {
                    let coded = design.memories[memory].protection.coded_msbs();
                    sum.check_bits += 8.0 * (words * f64::from(coded) / 64.0).ceil();
                }
            }
        }
        traffic
    }

    /// Energy of a batch if an inference starts every `period_s` seconds.
    ///
    /// # Errors
    /// [`RunningError::Cost`], [`RunningError::Link`].
    pub fn spending_every(&self, design: Design<'_>, period_s: f64) -> Result<Spending, RunningError> {
        let mut traffic = self.traffic(design);
        for (traffic, stored) in traffic.iter_mut().zip(self.stored(design)) {
            (traffic.stored, traffic.check_bits) = (stored.stored, stored.check_bits);
        }
        self.spending(design, period_s * self.trace().batch as f64, &traffic)
    }

    /// Energy of a batch of which one starts every `period_s` seconds, while memory i holds what `stored[i]` tells.
    ///
    /// # Errors
    /// [`RunningError::Cost`], [`RunningError::Link`].
    fn spending(
        &self,
        design: Design<'_>,
        period_s: f64,
        stored: &[Traffic],
    ) -> Result<Spending, RunningError> {
        let mut standing = Vec::new();
        for (memory, traffic) in design.memories.iter().zip(stored) {
            let busy = memory
                .busy_s(traffic)
                .map_or(0.0, |busy| (busy * self.trace().batch as f64 / period_s).min(1.0));
            let is_used = traffic.bits_stored() + traffic.read_bits + traffic.written_bits > 0.0;
            let power = if is_used { memory.standing(traffic, busy)? } else { None };
            standing.push(match power {
                Some(power) => {
                    StandingPower { standby_mw: power.standby_mw, refresh_mw: Some(power.refresh_mw) }
                }
                None if is_used => StandingPower::default(),
                None => StandingPower { standby_mw: Some(0.0), refresh_mw: Some(0.0) },
            });
        }
        let words: Vec<LayerWords> = (self.words.iter())
            .map(|words| LayerWords {
                ifmap: words.ifmap.arithmetic,
                filter: words.filter.arithmetic,
                partial_sum_bits: design.accelerator.partial_sum_bits,
            })
            .collect();
        let link_pj: Vec<f64> = self.link(design)?.iter().map(|cost| cost.energy_pj).collect();
        let is_precise = |layer: &LayerTrace, movement: &Movement| {
            let index = self.trace().layers.iter().position(|other| std::ptr::eq(other, layer));
            index.is_none_or(|index| self.is_precise(design, index, movement))
        };
        let prices = Prices {
            operations: design.accelerator.energy.as_ref(),
            memories: design.memories,
            standing: &standing,
            link_pj: &link_pj,
            words: &words,
            is_precise: &is_precise,
        };
        Ok(Spending::of(self.trace(), period_s, &prices)?)
    }
}

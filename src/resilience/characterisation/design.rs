//! Designs: data in words of fixed point, in memories at chosen operating points.

use super::figures::DesignFigures;
use super::{Error, Tolerance};
use crate::accelerator::lowering;
use crate::accelerator::operation::Operation;
use crate::experiment::{Experiment, Running, Stop, StoredSubset};
use crate::memory::transfer::Layout;
use crate::memory::{ByBit, Protection, Technology};
use crate::network::Operand;
use crate::number::Format;
use crate::resilience::{Policy, Subject};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A memory that errs, and how much of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setting {
    /// Index of the memory.
    pub memory: usize,
    /// What its cells are, at their operating point.
    pub technology: Technology,
    /// Top bits of each word that never err.
    pub protected_msbs: u32,
}

/// One design.
#[derive(Clone, Debug)]
pub(super) struct Design {
    /// What a campaign measures. Words in the precise part of a memory do not name it in their path.
    pub experiment: Experiment,
    /// The same with the paths of all words, and those in the precise part of a memory: what a cost without accelerator needs.
    priced: Option<(Experiment, BTreeSet<(usize, usize)>)>,
}

/// Makes designs of one configuration.
pub(super) struct Designer<'a> {
    configured: Experiment,
    subject: &'a Subject<'a>,
    policy: Policy,
    operations: Option<Vec<Operation>>,
}

impl Design {
    pub fn figures(&self) -> Result<DesignFigures, Error> {
        match &self.priced {
            Some((experiment, precise)) => DesignFigures::of(experiment, precise),
            None => DesignFigures::of(&self.experiment, &BTreeSet::new()),
        }
    }

    fn each(&mut self, change: impl Fn(&mut Experiment)) {
        change(&mut self.experiment);
        if let Some((priced, _)) = &mut self.priced {
            change(priced);
        }
    }

    /// Puts the words of data subset `subset` into the precise part of memory `memory`.
    fn rest_precisely(&mut self, subset: usize, memory: usize) {
        self.experiment.subsets[subset].path.retain(|stop| *stop != Stop::Memory(memory));
        if let Some((_, precise)) = &mut self.priced {
            precise.insert((subset, memory));
        }
    }

    /// The operands of the words that rest in the part of memory `memory` that may err.
    pub fn operands_in(&self, memory: usize) -> BTreeSet<&'static str> {
        let placed =
            self.experiment.subsets.iter().filter(|stored| stored.path.contains(&Stop::Memory(memory)));
        placed
            .map(|stored| if stored.subset.operand == Operand::Neuron { "neurons" } else { "weights" })
            .collect()
    }

    /// This design with memories that err as `settings` say; words of fewer bits than are protected rest in the precise part.
    /// The trace stays: it must be of these intervals.
    #[must_use]
    pub fn with(&self, settings: &[Setting]) -> Self {
        let mut design = self.clone();
        for &Setting { memory, ref technology, protected_msbs } in settings {
            design.each(|experiment| {
                let memory = &mut experiment.memories[memory];
                memory.protection = Protection::dual_rail(protected_msbs);
                memory.technology = technology.clone();
            });
            for subset in 0..design.experiment.subsets.len() {
                let stored = &design.experiment.subsets[subset];
                if stored.path.contains(&Stop::Memory(memory)) && stored.link_bits < protected_msbs {
                    design.rest_precisely(subset, memory);
                }
            }
        }
        design
    }

    /// This design, which has been started, on a trace that is at hand, with memories that err as `settings` say: `running` is of
    /// the same words and refresh interval.
    #[must_use]
    pub fn on(&self, running: Option<&Arc<Running>>, settings: &[Setting]) -> Self {
        let mut design = self.with(settings);
        if let Some(running) = running {
            design.experiment.running = Some(Arc::clone(running));
        }
        design
    }
}

impl<'a> Designer<'a> {
    /// Designs of `experiment`, words as `policy` says. A given layer trace holds for its own words: layers are traced anew.
    ///
    /// # Errors
    /// [`Error::Lowering`].
    pub fn new(experiment: &Experiment, subject: &'a Subject<'a>, policy: Policy) -> Result<Self, Error> {
        let mut configured = experiment.clone();
        (configured.trace, configured.erring) = (None, None);
        // Planes and containers are there to save bits of narrowed words; here words are stored as narrow as they are moved.
        configured.link.transfer.layout = Layout::Packed;
        let operations = match (&experiment.accelerator, &experiment.running) {
            (None, _) => None,
            (Some(_), Some(running)) => Some(running.operations.clone()),
            (Some(accelerator), None) => {
                Some(lowering::operations(subject.prepared().network(), &accelerator.fuse)?)
            }
        };
        Ok(Self { configured, subject, policy, operations })
    }

    pub fn subject(&self) -> &'a Subject<'a> {
        self.subject
    }

    /// The configuration that designs are of.
    pub fn configured(&self) -> &Experiment {
        &self.configured
    }

    /// Data of `widths`, pairs of an index of [`Subject::data`] and a number of bits, in words of fixed point that lie where the
    /// configuration places them; everything else in fp32 and in the precise part of its memories. No memory errs. Not started.
    fn words(&self, widths: &[(usize, u32)]) -> Design {
        let mut priced = self.configured.clone();
        for memory in &mut priced.memories {
            // A map holds for the operating point at which it was measured.
            memory.measured = None;
            // A uniform memory has no precise operating point of its own: its cells are precise where its rate is none.
            *memory = memory.precise();
            if let Technology::Uniform(parameters) = &mut memory.technology {
                parameters.ber = ByBit::from(0.0);
            }
        }
        let mut formats = vec![None; priced.subsets.len()];
        for &(datum, bits) in widths {
            let binary_point = self.subject.binary_point(self.policy.binary_point);
            for &member in &self.subject.data()[datum].members {
                formats[member] = Some(Format::Fixed { bits, binary_point, rounding: self.policy.rounding });
            }
        }
        for (stored, format) in priced.subsets.iter_mut().zip(&formats) {
            stored.format = format.unwrap_or(Format::Fp32);
            stored.link_bits = stored.format.bits();
        }
        let mut design = Design { experiment: priced.clone(), priced: Some((priced, BTreeSet::new())) };
        for (subset, _) in formats.iter().enumerate().filter(|(_, format)| format.is_none()) {
            for memory in 0..self.configured.memories.len() {
                design.rest_precisely(subset, memory);
            }
        }
        design
    }

    /// Runs `design` on the accelerator, if there is one.
    fn start(&self, mut design: Design) -> Result<Design, Error> {
        if let Some(operations) = &self.operations {
            design.experiment.start(operations.clone(), None)?;
            design.priced = None;
        }
        Ok(design)
    }

    /// `widths` in precise memories.
    pub fn precise(&self, widths: &[(usize, u32)]) -> Result<Design, Error> {
        self.start(self.words(widths))
    }

    /// fp32 in precise memories.
    pub fn baseline(&self) -> Result<Design, Error> {
        self.precise(&[])
    }

    /// `widths` in memories that err as `settings` say.
    pub fn design(&self, widths: &[(usize, u32)], settings: &[Setting]) -> Result<Design, Error> {
        self.start(self.words(widths).with(settings))
    }
}

/// Most memories on the way of one word of `design`.
pub(super) fn most_on_path(design: &Design) -> usize {
    design.experiment.subsets.iter().map(|stored| memories_on_path(stored).len()).max().unwrap_or(0)
}

fn memories_on_path(stored: &StoredSubset) -> BTreeSet<usize> {
    let memory = |stop: &Stop| if let Stop::Memory(memory) = stop { Some(*memory) } else { None };
    stored.path.iter().filter_map(memory).collect()
}

/// How often the memories of `design` may err if weights and neurons tolerate what `tolerances` say, by memory: of a rate, each
/// memory on the way of a word gets an equal part. Memories with words of which no tolerance is known are not among them.
pub(super) fn limits(
    design: &Design,
    weights: Option<Tolerance>,
    neurons: Option<Tolerance>,
) -> BTreeMap<usize, Tolerance> {
    let mut limits: BTreeMap<usize, Option<Tolerance>> = BTreeMap::new();
    for stored in &design.experiment.subsets {
        let memories = memories_on_path(stored);
        let tolerance = if stored.subset.operand == Operand::Neuron { neurons } else { weights };
        for &memory in &memories {
            let share = tolerance.map(|tolerance| Tolerance {
                bit_error_rate: tolerance.bit_error_rate / memories.len() as f64,
                ..tolerance
            });
            let limit = limits.entry(memory).or_insert(share);
            *limit = limit.zip(share).map(|(one, other)| Tolerance {
                protected_msbs: one.protected_msbs.max(other.protected_msbs),
                word_bits: one.word_bits.min(other.word_bits),
                bit_error_rate: one.bit_error_rate.min(other.bit_error_rate),
            });
        }
    }
    limits.into_iter().filter_map(|(memory, limit)| Some((memory, limit?))).collect()
}

//! From the document to the experiment: reads every table, then checks them against each other and the network.

use super::accelerator::{self, AcceleratorTable, Layers};
use super::document::Document;
use super::key::quoted;
use super::memories::{Declared, memories};
use super::paths::{self, LINK_BITS, LinkTable, PLACEMENT};
use super::placed::{self, word_bits_at};
use super::problem::{Problem, Problems};
use super::reader::Section;
use super::resilience::Evaluation;
use super::tree::Entry;
use super::{dataset, files, formats, patterns, resilience};
use crate::accelerator::design::Accelerator;
use crate::experiment::{
    DatasetSource, Experiment, InputFile, Machine, NetworkSource, Stop, StoredSubset, Workload,
};
use crate::memory::{Memory, Technology};
use crate::network::{BlobId, Network, Subset};
use crate::number::{Format, Granularity};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// An experiment, and what is doubtful about its configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The experiment.
    pub experiment: Experiment,
    /// What a data resilience evaluation is asked for.
    pub evaluation: Evaluation,
    /// Settings without effect: memories that no data subset uses, patterns that decide nothing.
    pub warnings: Problems,
}

impl Document {
    /// The files of the network, which must be read before [`Document::resolve`].
    ///
    /// # Errors
    /// If they are not named or cannot be read: then everything that can be found wrong without the network, in all tables.
    pub fn network_source(&self) -> Result<NetworkSource, Problems> {
        let mut found = Problems::default();
        match files::network(&self.root(), &mut found) {
            Some(source) if found.0.is_empty() => Ok(source),
            _ => Err(self.problems_without_network()),
        }
    }

    /// Everything that can be found wrong without the network; empty if that is nothing.
    pub fn problems_without_network(&self) -> Problems {
        let mut problems = Problems::default();
        Tables::read(&self.root(), Scope::Experiment(None), &mut problems, &mut Problems::default());
        self.sorted(problems)
    }

    /// The experiment on `network`.
    ///
    /// # Errors
    /// Every mistake of the configuration.
    pub fn resolve(&self, network: &Network) -> Result<Resolved, Problems> {
        let mut problems = Problems::default();
        let mut warnings = Problems::default();
        let scope = Scope::Experiment(Some(network));
        let tables = Tables::read(&self.root(), scope, &mut problems, &mut warnings);
        let subsets = tables.stored(words_of(network), &mut problems, &mut warnings);
        let layers = Layers::of_network(network);
        let accelerator =
            tables.accelerator.as_ref().map(|table| table.accelerator(&layers, &mut problems, &mut warnings));
        let evaluation = tables.evaluation.clone();
        match tables.experiment(subsets, accelerator) {
            Some(mut experiment) if problems.0.is_empty() => {
                self.start(&mut experiment, network)?;
                Ok(Resolved { experiment, evaluation, warnings: self.sorted(warnings) })
            }
            _ => Err(self.sorted(problems)),
        }
    }
}

/// Every table.
const TABLES: [&str; 11] = [
    "network",
    "dataset",
    formats::TABLE,
    "memories",
    "link",
    PLACEMENT,
    "workload",
    accelerator::TABLE,
    files::TRACE,
    "experiment",
    resilience::TABLE,
];

/// `[experiment]`.
struct Sampling {
    trials: u64,
    seed: u64,
    images: Option<usize>,
    calibration_images: Option<usize>,
    rpa_floor: f64,
}

impl Sampling {
    fn read(root: &Section<'_>, problems: &mut Problems) -> Self {
        let mut sampling =
            Self { trials: 100, seed: 1, images: None, calibration_images: None, rpa_floor: 0.97 };
        let Some(section) = root.section("experiment", problems) else {
            return sampling;
        };
        section.check_keys(&["trials", "seed", "images", "calibration_images", "rpa_floor"], problems);
        if let Some(trials) = section.integer("trials", 1..=1_000_000, problems) {
            sampling.trials = trials as u64;
        }
        if let Some(seed) = section.integer("seed", 0..=i64::MAX, problems) {
            sampling.seed = seed as u64;
        }
        sampling.images = section.integer("images", 1..=i64::MAX, problems).map(|images| images as usize);
        let calibration = section.integer("calibration_images", 1..=i64::MAX, problems);
        sampling.calibration_images = calibration.map(|images| images as usize);
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        if let Some(floor) = section.number("rpa_floor", "a number from 0 to 1", is_share, problems) {
            sampling.rpa_floor = floor;
        }
        sampling
    }
}

/// Reads `[workload]`.
fn workload(root: &Section<'_>, problems: &mut Problems) -> Workload {
    let Some(section) = root.section("workload", problems) else {
        return Workload::default();
    };
    section.check_keys(&["inferences_per_second"], problems);
    let is_rate = |rate: f64| rate > 0.0 && rate.is_finite();
    let rate = section.number("inferences_per_second", "a number above 0", is_rate, problems);
    Workload { inferences_per_second: rate }
}

/// Notes memories whose errors depend on how long their data rest, if that is unknown.
fn check_exposure(memories: &[Declared<'_>], workload: Workload, problems: &mut Problems) {
    if workload.inferences_per_second.is_some() {
        return;
    }
    for Declared { entry, memory, .. } in memories {
        let Some(memory) = memory else { continue };
        let (soft, is_timed, is_refreshed) = match &memory.technology {
            Technology::Uniform(uniform) => (uniform.ser_fit_per_mbit, false, false),
            Technology::Sram(sram) => {
                let is_timed = sram.energy.as_ref().is_some_and(|energy| !energy.table.access_ns.is_empty());
                (sram.error.ser_fit_per_mbit, is_timed, false)
            }
            Technology::Dram(dram) => {
                (dram.error.ser_fit_per_mbit, dram.energy.is_some(), dram.error.access_refreshes)
            }
        };
        if is_timed || !(soft > 0.0 || is_refreshed) {
            continue;
        }
        let name = quoted(&memory.name);
        let message = if is_refreshed {
            format!(
                "memory `{name}` is refreshed by each access to a row, but how often its rows are read is unknown"
            )
        } else {
            format!("memory `{name}` has soft errors, but how long its data rest is unknown")
        };
        let mut help = "say how often the network runs: `inferences_per_second` in [workload]".to_owned();
        if is_refreshed {
            write!(
                help,
                "; or how fast the memory is: [memories.{name}.energy]; or set `memories.{name}.error.access_refreshes` = false"
            )
            .expect("writing to a string does not fail");
        }
        problems.push(Problem::new(&entry.node.location, message, "needs [workload]").with_help(help));
    }
}

/// What is asked of a configuration.
#[derive(Clone, Copy)]
pub(super) enum Scope<'n> {
    /// An experiment, on this network if it could be read.
    Experiment(Option<&'n Network>),
    /// The trace of its network: weights, data set and experiment do not matter.
    Trace,
    /// The trace of other layers: neither does the network.
    Machine,
}

/// All tables as read one by one; `None` stands for something wrong that has been noted, or that the scope leaves out.
pub(super) struct Tables<'d> {
    network: Option<NetworkSource>,
    dataset: Option<DatasetSource>,
    formats: Patterns<'d, Format>,
    memories: Vec<Declared<'d>>,
    link: LinkTable<'d>,
    link_bits: Patterns<'d, u32>,
    placement: Patterns<'d, Vec<Stop>>,
    workload: Workload,
    sampling: Sampling,
    evaluation: Evaluation,
    /// `None`: there is none.
    pub accelerator: Option<AcceleratorTable<'d>>,
    #[expect(clippy::option_option, reason = "left out, wrong and right are three things")]
    trace: Option<Option<InputFile>>,
    /// Whether the layers are those that the configuration was written for.
    has_own_layers: bool,
}

/// A value is wrong, and that has been noted.
struct Noted;

/// A table of patterns with their values; `None` for a wrong one.
struct Patterns<'d, T> {
    table: &'static str,
    entries: &'d [Entry],
    values: Vec<Option<T>>,
}

impl<'d, T> Patterns<'d, T> {
    fn read(table: &'static str, entries: &'d [Entry], read: impl FnMut(&'d Entry) -> Option<T>) -> Self {
        Self { table, entries, values: entries.iter().map(read).collect() }
    }

    /// For each data subset the entry that decides.
    fn decide(
        &self,
        subsets: &[Subset],
        unmatched: &mut Problems,
        problems: &mut Problems,
        warnings: &mut Problems,
    ) -> Vec<Option<usize>> {
        patterns::decide(self.table, self.entries, subsets, unmatched, problems, warnings)
    }

    /// The value of the entry that decides, if one does.
    fn value(&self, winner: Option<usize>) -> Result<Option<&T>, Noted> {
        winner.map(|index| self.values[index].as_ref().ok_or(Noted)).transpose()
    }
}

/// One data subset with what was decided for it.
struct Choice {
    subset: Subset,
    /// Its word where no pattern decides.
    default_format: Format,
    format_entry: Option<usize>,
    bits_entry: Option<usize>,
    path_entry: Option<usize>,
    /// `None` if one of the values is wrong.
    stored: Option<StoredSubset>,
}

impl<'d> Tables<'d> {
    pub fn read(
        root: &Section<'d>,
        scope: Scope<'_>,
        problems: &mut Problems,
        warnings: &mut Problems,
    ) -> Self {
        root.check_keys(&TABLES, problems);
        let memories = memories(root, problems, warnings);
        let accelerator = AcceleratorTable::read(root, &memories, problems);
        let workload = workload(root, problems);
        let (network, dataset) = match scope {
            Scope::Experiment(network) => {
                check_exposure(&memories, workload, problems);
                (files::network(root, problems), dataset::dataset(root, network, problems))
            }
            Scope::Trace => {
                files::definition(root, problems);
                (None, None)
            }
            Scope::Machine => (None, None),
        };
        let link = paths::link(root, problems);
        let sampling = Sampling::read(root, problems);
        let evaluation = resilience::evaluation(root, sampling.rpa_floor, sampling.trials, problems);
        let formats_section = root.section(formats::TABLE, problems);
        let placement = root.section(PLACEMENT, problems);
        Self {
            network,
            dataset,
            accelerator,
            trace: files::trace(root, problems),
            has_own_layers: !matches!(scope, Scope::Machine),
            formats: Patterns::read(formats::TABLE, formats_section.map_or(&[], |s| s.entries()), |entry| {
                if problems.is_full() { None } else { formats::format(entry, problems) }
            }),
            link_bits: Patterns::read(LINK_BITS, link.bits, |entry| {
                if problems.is_full() { None } else { paths::link_bits(entry, problems) }
            }),
            placement: Patterns::read(PLACEMENT, placement.map_or(&[], |s| s.entries()), |entry| {
                paths::stops(entry, &memories, problems)
            }),
            workload,
            sampling,
            evaluation,
            memories,
            link,
        }
    }

    /// The experiment, once every table is right; of `accelerator`, the outer `None`: there is none.
    #[expect(clippy::option_option, reason = "left out, wrong and right are three things")]
    fn experiment(
        self,
        subsets: Option<Vec<StoredSubset>>,
        accelerator: Option<Option<Accelerator>>,
    ) -> Option<Experiment> {
        Some(Experiment {
            network: self.network?,
            dataset: self.dataset?,
            subsets: subsets?,
            memories: self.memories.into_iter().map(|m| m.memory).collect::<Option<Vec<Memory>>>()?,
            link: self.link.link,
            workload: self.workload,
            accelerator: accelerator.map_or(Some(None), |accelerator| accelerator.map(Some))?,
            trace: self.trace?,
            running: None,
            erring: None,
            trials: self.sampling.trials,
            seed: self.sampling.seed,
            images: self.sampling.images,
            calibration_images: self.sampling.calibration_images,
            rpa_floor: self.sampling.rpa_floor,
        })
    }

    /// The machine, once every table is right.
    pub fn machine(
        self,
        subsets: Option<Vec<StoredSubset>>,
        accelerator: Option<Accelerator>,
    ) -> Option<Machine> {
        Some(Machine {
            subsets: subsets?,
            memories: self.memories.into_iter().map(|m| m.memory).collect::<Option<Vec<Memory>>>()?,
            link: self.link.link,
            workload: self.workload,
            accelerator: accelerator?,
            trace: self.trace?,
        })
    }

    /// Word and path of data subsets, each given with its word where no pattern decides; `None` if one is wrong.
    pub fn stored(
        &self,
        subsets: Vec<(Subset, Format)>,
        problems: &mut Problems,
        warnings: &mut Problems,
    ) -> Option<Vec<StoredSubset>> {
        let (subsets, default_formats): (Vec<_>, Vec<_>) = subsets.into_iter().unzip();
        let mut unmatched = Problems::default();
        let format_entries = self.formats.decide(&subsets, &mut unmatched, problems, warnings);
        let bits_entries = self.link_bits.decide(&subsets, &mut unmatched, problems, warnings);
        let path_entries = self.placement.decide(&subsets, &mut unmatched, problems, warnings);
        // A configuration that other layers run on was written for layers that it need not have.
        let noted = if self.has_own_layers { &mut *problems } else { &mut *warnings };
        for problem in unmatched.0 {
            noted.push(problem);
        }
        let mut choices: Vec<Choice> = subsets
            .into_iter()
            .enumerate()
            .map(|(index, subset)| Choice {
                default_format: default_formats[index],
                subset,
                format_entry: format_entries[index],
                bits_entry: bits_entries[index],
                path_entry: path_entries[index],
                stored: None,
            })
            .collect();
        self.check_words(&choices, problems);
        for choice in &mut choices {
            choice.stored = self.stored_subset(choice);
        }
        self.check_protection(&choices, problems);
        self.check_shared_blobs(&choices, problems);
        self.warn_of_unused_memories(&choices, warnings);
        let placed: Vec<_> = choices.iter().filter_map(|choice| choice.stored.as_ref()).collect();
        placed::warn_of_unused_entries(&self.memories, &placed, warnings);
        placed::warn_of_wires_counted_twice(&self.memories, &self.link, &placed, warnings);
        choices.into_iter().map(|choice| choice.stored).collect()
    }

    /// The word of a data subset; `None` if the value that decides is wrong.
    fn format(&self, choice: &Choice) -> Option<Format> {
        Some(self.formats.value(choice.format_entry).ok()?.copied().unwrap_or(choice.default_format))
    }

    fn stored_subset(&self, choice: &Choice) -> Option<StoredSubset> {
        let format = self.format(choice)?;
        let bits = self.link_bits.value(choice.bits_entry).ok()?.copied();
        let mut path = self.placement.value(choice.path_entry).ok()?.cloned().unwrap_or_default();
        // What has a width on the link crosses it, where the path does not say: right behind its home memory.
        if bits.is_some() && !path.contains(&Stop::Link) {
            path.insert(path.len().min(1), Stop::Link);
        }
        let link_bits = bits.unwrap_or(format.bits());
        (format.least_bits()..=format.bits()).contains(&link_bits).then(|| StoredSubset {
            subset: choice.subset.clone(),
            format,
            link_bits,
            path,
        })
    }

    /// Notes words that the operand cannot have or the link cannot make; each pattern once.
    fn check_words(&self, choices: &[Choice], problems: &mut Problems) {
        let mut is_format_noted = vec![false; self.formats.entries.len()];
        let mut is_bits_noted = vec![false; self.link_bits.entries.len()];
        for choice in choices {
            let Some(format) = self.format(choice) else { continue };
            if let Some(index) = choice.format_entry
                && !is_format_noted[index]
            {
                let entry = &self.formats.entries[index];
                let quantised = choice.default_format == MODEL;
                is_format_noted[index] =
                    formats::check_operand(entry, format, &choice.subset, quantised, problems);
            }
            if let Some(index) = choice.bits_entry
                && !is_bits_noted[index]
                && let Some(bits) = self.link_bits.values[index]
            {
                let entry = &self.link_bits.entries[index];
                is_bits_noted[index] =
                    paths::check_link_bits(entry, bits, format, &choice.subset.name, problems);
            }
        }
    }

    /// Notes memories that protect more bits than the narrowest word in them has.
    fn check_protection(&self, choices: &[Choice], problems: &mut Problems) {
        for (index, declared) in self.memories.iter().enumerate() {
            let Some(memory) = &declared.memory else { continue };
            let narrowest = choices
                .iter()
                .filter_map(|choice| choice.stored.as_ref())
                .filter_map(|stored| word_bits_at(stored, index).map(|bits| (bits, &stored.subset.name)))
                .min_by_key(|(bits, _)| *bits);
            if let Some((bits, subset)) = narrowest
                && memory.protection.msbs > bits
            {
                let message = format!(
                    "memory `{}` protects {} bits of each word, but a word of `{subset}` has {bits} bits there",
                    memory.name, memory.protection.msbs
                );
                let problem = Problem::new(declared.protected_at, message, format!("expected 0 to {bits}"));
                problems.push(problem.with_help(format!(
                    "protect at most {bits} bits, or place `{subset}` in another memory"
                )));
            }
        }
    }

    /// Notes readers of one blob that want it stored in different ways.
    fn check_shared_blobs(&self, choices: &[Choice], problems: &mut Problems) {
        let mut first_readers: BTreeMap<BlobId, &Choice> = BTreeMap::new();
        for choice in choices {
            let Some(blob) = choice.subset.blob else { continue };
            let first = *first_readers.entry(blob).or_insert(choice);
            let (Some(a), Some(b)) = (&first.stored, &choice.stored) else { continue };
            let conflict = if a.format != b.format {
                conflict(&self.formats, "formats", first, choice, |c| c.format_entry)
            } else if a.link_bits != b.link_bits {
                conflict(&self.link_bits, "widths on the link", first, choice, |c| c.bits_entry)
            } else if a.path == b.path {
                None
            } else if first.path_entry == choice.path_entry {
                // Only a width on the link, which leads a path over it, can then make the paths differ.
                conflict(&self.link_bits, "paths", first, choice, |c| c.bits_entry)
            } else {
                conflict(&self.placement, "paths", first, choice, |c| c.path_entry)
            };
            problems.0.extend(conflict);
        }
    }

    fn warn_of_unused_memories(&self, choices: &[Choice], warnings: &mut Problems) {
        for (index, declared) in self.memories.iter().enumerate() {
            let is_used = |choice: &Choice| {
                choice.stored.as_ref().is_some_and(|stored| stored.path.contains(&Stop::Memory(index)))
            };
            let is_buffer = self.accelerator.as_ref().is_some_and(|table| table.uses(index));
            if !choices.iter().any(is_used) && !is_buffer {
                let name = &declared.entry.key;
                let message = format!("memory `{name}` is not used: no data subset is placed in it");
                warnings.push(
                    Problem::new(&declared.entry.key_location, message, "not used")
                        .with_help(format!("name it in a path: [{PLACEMENT}] \"weight_*\" = [{name:?}]")),
                );
            }
        }
    }
}

/// The codes of a quantised network.
const MODEL: Format = Format::Int8 { granularity: Granularity::Model };

/// Every data subset of `network` with its word unless the configuration decides: the code that the network itself stores, or
/// else fp32.
pub(super) fn words_of(network: &Network) -> Vec<(Subset, Format)> {
    let word = |subset: &Subset| network.quantisation(subset).map_or_else(Format::default, |_| MODEL);
    network.subsets().into_iter().map(|subset| (subset.clone(), word(&subset))).collect()
}

/// The problem of two readers of one blob for which different patterns decide.
///
/// `None` only if no pattern decides for either, and then nothing can differ.
fn conflict<T>(
    patterns: &Patterns<'_, T>,
    what: &str,
    first: &Choice,
    second: &Choice,
    entry: impl Fn(&Choice) -> Option<usize>,
) -> Option<Problem> {
    let place = |choice: &Choice| entry(choice).map(|index| &patterns.entries[index].key_location);
    let (a, b) = (&first.subset.name, &second.subset.name);
    let message = format!("`{a}` and `{b}` are one stored tensor, but have different {what}");
    let decides = |name: &str| format!("decides for `{name}`");
    let problem = match (place(first), place(second)) {
        (Some(one), Some(two)) => Problem::new(two, message, decides(b)).with_related(one, decides(a)),
        (None, Some(one)) => Problem::new(one, message, decides(b)),
        (Some(one), None) => Problem::new(one, message, decides(a)),
        (None, None) => return None,
    };
    Some(problem.with_help("several layers read it: give all of them the same"))
}

//! `[resilience]`: what the data resilience evaluation is asked for.

use super::formats::{self, ROUNDINGS};
use super::problem::{Problem, Problems};
use super::reader::{Section, choice, integer, unexpected};
use super::tree::{Node, Value};
use crate::memory::Lifetime;
use crate::number::{BinaryPoint, Format, Granularity, Rounding};
use crate::resilience::{
    Policy, RandomSettings, SearchSettings, Selection, Settings, Target, VerdictSettings,
};

/// Name of the table.
pub(super) const TABLE: &str = "resilience";

const KEYS: [&str; 14] = [
    "subsets",
    "cover",
    "roundings",
    "binary_points",
    "curves",
    "gain_loss_floor",
    "formats",
    "targets",
    "ber",
    "decades",
    "neuron_lifetime",
    "error_rate",
    "refine",
    "map",
];

/// Exponents of bit error rates that can be asked for: at 1e-12 not one cell of the largest network fails.
const EXPONENTS: [i64; 2] = [-12, 0];
/// The paper joins the five largest data subsets.
const LARGEST: usize = 5;
const GAIN_LOSS_FLOOR: f64 = 20.0;
/// The word of module 3 unless the configuration names others.
const WORD: Format =
    Format::Fixed { bits: 16, binary_point: BinaryPoint::Subset, rounding: Rounding::NearestEven };

/// What `targets` may name.
#[derive(Clone, Copy, PartialEq)]
enum Struck {
    Weights,
    Neurons,
    Subsets,
}

const TARGETS: [(&str, Struck); 3] =
    [("weights", Struck::Weights), ("neurons", Struck::Neurons), ("subsets", Struck::Subsets)];

/// An evaluation, as far as it can be told without the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// What is asked for; of [`RandomSettings::targets`], those that are no single data subset.
    pub settings: Settings,
    /// Whether random errors strike each of the selected data alone, too.
    pub each_datum: bool,
}

impl Evaluation {
    /// All that can be asked for: every subset, whole curves, every word, every rate with every number of protected bits.
    #[must_use]
    pub fn full(mut self) -> Self {
        let settings = &mut self.settings;
        settings.selection = Selection::All;
        settings.curves = true;
        let rounding = Rounding::NearestEven;
        let fixed = |bits| Format::Fixed { bits, binary_point: BinaryPoint::Subset, rounding };
        let words = [
            Format::Fp32,
            Format::Fp16 { rounding },
            Format::Bf16 { rounding },
            fixed(32),
            fixed(16),
            fixed(8),
            Format::Int8 { granularity: Granularity::Tensor },
        ];
        let random = &mut settings.random;
        random
            .formats
            .extend(words.into_iter().filter(|word| !random.formats.contains(word)).collect::<Vec<_>>());
        random.targets = vec![Target::Weights, Target::Neurons];
        (random.refine, random.map) = (true, true);
        self.each_datum = true;
        self
    }
}

/// Reads the table; keys that are absent or wrong (noted) have their defaults. `floor` and `trials` are those of `[experiment]`.
pub(super) fn evaluation(root: &Section<'_>, floor: f64, trials: u64, problems: &mut Problems) -> Evaluation {
    let mut evaluation = Evaluation { settings: default(floor, trials), each_datum: false };
    let Some(section) = root.section(TABLE, problems) else { return evaluation };
    section.check_keys(&KEYS, problems);
    let settings = &mut evaluation.settings;
    if let Some(selection) = selection(&section, problems) {
        settings.selection = selection;
    }
    settings.policies = policies(&section, problems);
    let is_ratio = |ratio: f64| ratio >= 0.0 && ratio.is_finite();
    set(
        &mut settings.gain_loss_floor,
        section.number("gain_loss_floor", "a number of at least 0", is_ratio, problems),
    );
    set(&mut settings.curves, flag(&section, "curves", problems));
    let random = &mut settings.random;
    let words = list(&section, "formats", problems, word);
    set(&mut random.formats, words);
    set(&mut random.refine, flag(&section, "refine", problems));
    set(&mut random.map, flag(&section, "map", problems));
    let is_rate = |rate: f64| rate > 0.0 && rate <= 1.0;
    set(&mut random.ber, section.number("ber", "a number above 0 up to 1", is_rate, problems));
    set(&mut random.decades, decades(&section, problems));
    let lifetimes = [("permanent", Lifetime::Permanent), ("transient", Lifetime::Transient)];
    set(&mut random.neuron_lifetime, section.choice("neuron_lifetime", &lifetimes, problems));
    let is_error = |rate: f64| rate > 0.0 && rate <= 0.5;
    let rate = section.number("error_rate", "a number above 0 up to 0.5", is_error, problems);
    set(&mut random.verdict.error_rate, rate);
    let read = |name: &str, node: &Node, problems: &mut Problems| choice(name, node, &TARGETS, problems);
    if let Some(struck) = list(&section, "targets", problems, read) {
        evaluation.each_datum = struck.contains(&Struck::Subsets);
        random.targets = struck
            .into_iter()
            .filter_map(|struck| match struck {
                Struck::Weights => Some(Target::Weights),
                Struck::Neurons => Some(Target::Neurons),
                Struck::Subsets => None,
            })
            .collect();
    }
    evaluation
}

fn default(floor: f64, trials: u64) -> Settings {
    Settings {
        floor,
        selection: Selection::Largest(LARGEST),
        policies: vec![Policy::default()],
        curves: false,
        gain_loss_floor: GAIN_LOSS_FLOOR,
        search: SearchSettings::default(),
        random: RandomSettings {
            formats: vec![WORD],
            targets: vec![Target::Weights],
            ber: 1e-3,
            decades: [-8, -1],
            neuron_lifetime: Lifetime::Transient,
            verdict: VerdictSettings { most_trials: trials, ..VerdictSettings::default() },
            refine: false,
            map: false,
        },
    }
}

fn set<T>(setting: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *setting = value;
    }
}

/// Reads `subsets` or `cover`.
fn selection(section: &Section<'_>, problems: &mut Problems) -> Option<Selection> {
    let largest = section.integer("subsets", 1..=i64::MAX, problems);
    let is_share = |share: f64| share > 0.0 && share <= 1.0;
    let cover = section.number("cover", "a number above 0 up to 1", is_share, problems);
    if let (Some(_), Some(entry)) = (section.find("subsets"), section.find("cover")) {
        let message = format!(
            "`{}` and `{}` both say which data subsets",
            section.key("subsets"),
            section.key("cover")
        );
        problems.push(
            Problem::new(&entry.key_location, message, "the other one is given")
                .with_help("leave one of them out"),
        );
        return None;
    }
    cover.map(Selection::Cover).or(largest.map(|count| Selection::Largest(count as usize)))
}

/// Every rounding with every binary point.
fn policies(section: &Section<'_>, problems: &mut Problems) -> Vec<Policy> {
    let read = |name: &str, node: &Node, problems: &mut Problems| choice(name, node, &ROUNDINGS, problems);
    let roundings = list(section, "roundings", problems, read).unwrap_or_else(|| vec![Rounding::default()]);
    let points = list(section, "binary_points", problems, formats::binary_point);
    let points = points.unwrap_or_else(|| vec![BinaryPoint::default()]);
    let with = |binary_point| roundings.iter().map(move |&rounding| Policy { rounding, binary_point });
    points.into_iter().flat_map(with).collect()
}

/// Reads a word that all data of a network can have.
fn word(name: &str, node: &Node, problems: &mut Problems) -> Option<Format> {
    match formats::of_node(name, node, problems)? {
        Format::Int8 { granularity: Granularity::Channel | Granularity::Model } => {
            let message = format!("`{name}`: not every data subset has such a scale");
            problems.push(
                Problem::new(&node.location, message, "of some data subsets only")
                    .with_help("use scale = \"tensor\""),
            );
            None
        }
        word => Some(word),
    }
}

/// Reads `[smallest, largest]`, two exponents of ten.
fn decades(section: &Section<'_>, problems: &mut Problems) -> Option<[i32; 2]> {
    let entry = section.find("decades")?;
    let name = section.key("decades");
    let [least, most] = EXPONENTS;
    let found = match &entry.node.value {
        Value::List(items) => match &items[..] {
            [first, last] => {
                let mut read = |node| integer(&name, node, least..=most, problems);
                let (first, last) = (read(first), read(last));
                [first?, last?]
            }
            _ => [1, 0],
        },
        _ => [1, 0],
    };
    if found[0] > found[1] {
        let expected = "two exponents of ten, the smaller first, as in [-8, -1]";
        problems.push(unexpected(&name, &entry.node, expected));
        return None;
    }
    Some(found.map(|exponent| exponent as i32))
}

fn flag(section: &Section<'_>, key: &str, problems: &mut Problems) -> Option<bool> {
    let entry = section.find(key)?;
    if let Value::Boolean(value) = entry.node.value {
        return Some(value);
    }
    problems.push(unexpected(&section.key(key), &entry.node, "true or false"));
    None
}

/// Reads a list without repeats of at least one item; `None` if it is absent, or if any item is wrong (noted).
fn list<T: PartialEq>(
    section: &Section<'_>,
    key: &str,
    problems: &mut Problems,
    mut read: impl FnMut(&str, &Node, &mut Problems) -> Option<T>,
) -> Option<Vec<T>> {
    let entry = section.find(key)?;
    let name = section.key(key);
    let items = match &entry.node.value {
        Value::List(items) if !items.is_empty() => items,
        _ => {
            problems.push(unexpected(&name, &entry.node, "a list of at least one item"));
            return None;
        }
    };
    let mut values: Vec<T> = Vec::with_capacity(items.len());
    let mut is_right = true;
    for node in items {
        if problems.is_full() {
            return None;
        }
        match read(&name, node, problems) {
            Some(value) if values.contains(&value) => {
                let message = format!("`{name}` has the same item twice");
                problems.push(Problem::new(&node.location, message, "the second one"));
                is_right = false;
            }
            Some(value) => values.push(value),
            None => is_right = false,
        }
    }
    is_right.then_some(values)
}

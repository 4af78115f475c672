//! `[formats]`: the stored word of each data subset.

use super::key::quoted;
use super::problem::{Problem, Problems};
use super::reader::{Section, choice, integer, listed, unexpected};
use super::tree::{Entry, Node, Value};
use crate::network::{Operand, Subset};
use crate::number::{BinaryPoint, Format, Granularity, Rounding};

/// Dotted key of the table.
pub(super) const TABLE: &str = "formats";

/// Names of the roundings.
pub(super) const ROUNDINGS: [(&str, Rounding); 3] =
    [("nearest_even", Rounding::NearestEven), ("floor", Rounding::Floor), ("zero", Rounding::Zero)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Fp32,
    Fp16,
    Bf16,
    Fixed,
    Int8,
}

const KINDS: [(&str, Kind); 5] = [
    ("fp32", Kind::Fp32),
    ("fp16", Kind::Fp16),
    ("bf16", Kind::Bf16),
    ("fixed", Kind::Fixed),
    ("int8", Kind::Int8),
];

impl Kind {
    fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// The keys that apply besides `kind`.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Fp32 => &[],
            Self::Fp16 | Self::Bf16 => &["rounding"],
            Self::Fixed => &["bits", "binary_point", "rounding"],
            Self::Int8 => &["scale"],
        }
    }

    /// The format of this kind with the parameters that apply to it; `None` for fixed point without its width.
    fn format(
        self,
        bits: Option<u32>,
        binary_point: BinaryPoint,
        rounding: Rounding,
        granularity: Granularity,
    ) -> Option<Format> {
        Some(match self {
            Self::Fp32 => Format::Fp32,
            Self::Fp16 => Format::Fp16 { rounding },
            Self::Bf16 => Format::Bf16 { rounding },
            Self::Fixed => Format::Fixed { bits: bits?, binary_point, rounding },
            Self::Int8 => Format::Int8 { granularity },
        })
    }
}

/// Reads the value of one pattern; `None` if it is wrong (noted).
pub(super) fn format(entry: &Entry, problems: &mut Problems) -> Option<Format> {
    of_node(&format!("{TABLE}.{}", quoted(&entry.key)), &entry.node, problems)
}

/// Reads the word at `path`; `None` if it is wrong (noted).
pub(super) fn of_node(path: &str, node: &Node, problems: &mut Problems) -> Option<Format> {
    match &node.value {
        Value::Text(_) => {
            let kind = choice(path, node, &KINDS, problems)?;
            let format =
                kind.format(None, BinaryPoint::default(), Rounding::default(), Granularity::default());
            if format.is_none() {
                let message = format!("`{path}`: a fixed-point word needs its width");
                problems.push(
                    Problem::new(&node.location, message, "bits are missing")
                        .with_help("write { kind = \"fixed\", bits = 16 }"),
                );
            }
            format
        }
        Value::Table(table) => from_table(&Section::new(path.to_owned(), table, &node.location), problems),
        _ => {
            let expected = "a table such as { kind = \"fixed\", bits = 16 } or the name of a kind";
            problems.push(unexpected(path, node, expected));
            None
        }
    }
}

fn from_table(section: &Section<'_>, problems: &mut Problems) -> Option<Format> {
    section.require(
        "kind",
        "one of `fp32`, `fp16`, `bf16`, `fixed`, `int8`: how a value is stored as bits",
        problems,
    );
    let kind = section.choice("kind", &KINDS, problems);
    check_keys(section, kind, problems);
    let bits = section.integer("bits", 1..=32, problems);
    let binary_point = section
        .find("binary_point")
        .map(|entry| binary_point(&section.key("binary_point"), &entry.node, problems));
    let rounding = section.choice("rounding", &ROUNDINGS, problems).unwrap_or_default();
    let scales =
        [("tensor", Granularity::Tensor), ("channel", Granularity::Channel), ("model", Granularity::Model)];
    let granularity = section.choice("scale", &scales, problems).unwrap_or_default();
    let kind = kind?;
    if kind == Kind::Fixed {
        section.require("bits", "the width of a fixed-point word, 1 to 32, the sign bit counted", problems);
    }
    kind.format(
        bits.map(|bits| bits as u32),
        binary_point.flatten().unwrap_or_default(),
        rounding,
        granularity,
    )
}

/// Notes unknown keys, and keys that mean nothing for this kind.
fn check_keys(section: &Section<'_>, kind: Option<Kind>, problems: &mut Problems) {
    section.check_keys(&["kind", "bits", "binary_point", "rounding", "scale"], problems);
    let Some(kind) = kind else { return };
    for entry in section.entries() {
        let applies_to: Vec<_> = KINDS
            .iter()
            .filter(|(_, kind)| kind.keys().contains(&entry.key.as_str()))
            .map(|(name, _)| *name)
            .collect();
        if !applies_to.is_empty() && !kind.keys().contains(&entry.key.as_str()) {
            let message = format!("`{}` does not apply to kind `{}`", section.key(&entry.key), kind.name());
            problems.push(
                Problem::new(&entry.key_location, message, format!("not a key of `{}`", kind.name()))
                    .with_help(format!("`{}` is a key of kind {}", entry.key, listed(&applies_to))),
            );
        }
    }
}

/// Reads a binary-point policy; `None` if it is wrong (noted).
pub(super) fn binary_point(name: &str, node: &Node, problems: &mut Problems) -> Option<BinaryPoint> {
    match &node.value {
        Value::Text(text) if text == "subset" => Some(BinaryPoint::Subset),
        Value::Text(text) if text == "network" => Some(BinaryPoint::Network),
        Value::Integer(_) => {
            integer(name, node, -126..=128, problems).map(|bits| BinaryPoint::At(bits as i32))
        }
        _ => {
            let expected = "`subset`, `network` or an integer from -126 to 128";
            problems.push(unexpected(name, node, expected));
            None
        }
    }
}

/// Notes an int8 scale that `subset` cannot have: one per channel for activations, which have no output channels, or that
/// of the model where the network does not quantise the subset.
///
/// Returns whether it was noted, so that one pattern is noted once.
pub(super) fn check_operand(
    entry: &Entry,
    format: Format,
    subset: &Subset,
    is_quantised: bool,
    problems: &mut Problems,
) -> bool {
    let (reason, help) = match format {
        Format::Int8 { granularity: Granularity::Channel } if subset.operand == Operand::Neuron => {
            ("a scale per channel is for weights and biases", "use scale = \"tensor\" for `neuron_*`")
        }
        Format::Int8 { granularity: Granularity::Model } if !is_quantised => (
            "the scale of the model is for data subsets that the network definition quantises",
            "use scale = \"tensor\", or name the quantised data subsets only",
        ),
        _ => return false,
    };
    let key = quoted(&entry.key);
    let message = format!("`{TABLE}.{key}`: {reason}, but the pattern decides for `{}`", subset.name);
    let at = match &entry.node.value {
        Value::Table(table) => table.find("scale").map_or(&entry.node.location, |e| &e.node.location),
        _ => &entry.node.location,
    };
    problems.push(Problem::new(at, message, format!("decides for `{}`", subset.name)).with_help(help));
    true
}

//! Values with names and places, from either format, made into the parts of a trace.

use super::fields::{BATCH, BUFFER, CLOCK, KINDS, OPERANDS};
use crate::accelerator::problem::{Collected, count, quoted};
use crate::accelerator::trace::{Bound, Cycles, LayerTrace, Movement};
use crate::network::spelling::nearest;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};

/// A value as it was typed.
#[derive(Clone, Debug)]
pub(super) enum Typed<'t> {
    /// A cell of a table: text or number.
    Cell(Cow<'t, str>),
    /// An integer: its digits, with a sign, and their base.
    Integer(Cow<'t, str>, u32),
    /// A number with a point or an exponent.
    Float(Cow<'t, str>),
    /// A string.
    Text(Cow<'t, str>),
    /// Something that no value of a trace is.
    Other(&'static str),
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Value<'t> {
    pub typed: Typed<'t>,
    pub span: Range<usize>,
}

/// Named values of one layer, movement or trace.
#[derive(Debug)]
pub(super) struct Record<'t> {
    /// For messages, such as ``layer `conv1` ``.
    pub title: String,
    /// Where a missing value is reported.
    pub span: Range<usize>,
    pub values: Vec<(Cow<'t, str>, Value<'t>)>,
}

/// Names that may be used once.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub names: Vec<String>,
    index: HashMap<String, usize>,
}

impl Value<'_> {
    fn description(&self) -> String {
        match &self.typed {
            Typed::Cell(text) if text.is_empty() => "nothing".into(),
            Typed::Cell(text) | Typed::Float(text) | Typed::Integer(text, 10) => quoted(text),
            Typed::Integer(text, base) => format!("{} in base {base}", quoted(text)),
            Typed::Text(text) => format!("the string {}", quoted(text)),
            Typed::Other(what) => (*what).into(),
        }
    }

    fn text(&self) -> Option<&str> {
        match &self.typed {
            Typed::Cell(text) | Typed::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn count(&self) -> Result<u64, String> {
        match &self.typed {
            Typed::Cell(text) => count(text),
            Typed::Integer(digits, base) => u64::from_str_radix(digits, *base)
                .map_err(|_| format!("expected an integer from 0 to 2^64 - 1, found {}", self.description())),
            _ => Err(format!("expected an integer, found {}", self.description())),
        }
    }

    fn float(&self) -> Option<f64> {
        match &self.typed {
            Typed::Cell(text) | Typed::Float(text) | Typed::Integer(text, 10) => text.parse().ok(),
            Typed::Integer(..) | Typed::Text(_) | Typed::Other(_) => None,
        }
    }
}

impl Names {
    /// Notes `name`; refuses an empty one and one that is there already.
    pub fn add(&mut self, name: &str, what: &str) -> Result<(), String> {
        if name.is_empty() {
            return Err(format!("expected the name of a {what}, found nothing"));
        }
        if self.index.insert(name.to_owned(), self.names.len()).is_some() {
            return Err(format!("there is another {what} {}", quoted(name)));
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    fn listed(&self) -> String {
        let listed: Vec<_> = self.names.iter().take(20).map(|name| quoted(name)).collect();
        if listed.is_empty() {
            "the trace names none".into()
        } else {
            format!("there is {}", listed.join(", "))
        }
    }
}

impl<'t> Record<'t> {
    fn value(&self, key: &str, found: &mut Collected) -> Option<&Value<'t>> {
        let value = self.values.iter().find(|(name, _)| name == key).map(|(_, value)| value);
        if value.is_none() {
            found.add(&self.span, format!("{}: `{key}` is missing", self.title));
        }
        value
    }

    /// The count under `key`.
    pub fn count(&self, key: &str, range: RangeInclusive<u64>, found: &mut Collected) -> Option<u64> {
        let value = self.value(key, found)?;
        let wrong = match value.count() {
            Ok(count) if range.contains(&count) => return Some(count),
            Ok(count) if *range.end() == u64::MAX => {
                format!("expected at least {}, found {count}", range.start())
            }
            Ok(count) => format!("expected {} to {}, found {count}", range.start(), range.end()),
            Err(message) => message,
        };
        found.add(&value.span, format!("{}: `{key}`: {wrong}", self.title));
        None
    }

    /// The text under `key` and its place.
    pub fn text(&self, key: &str, found: &mut Collected) -> Option<(&str, &Range<usize>)> {
        let value = self.value(key, found)?;
        let text = value.text();
        if text.is_none() {
            let wrong = format!("{}: `{key}`: expected a name, found {}", self.title, value.description());
            found.add(&value.span, wrong);
        }
        text.map(|text| (text, &value.span))
    }

    /// The one of `names` under `key`.
    fn choice<T: Copy>(&self, key: &str, names: &[(T, &str)], found: &mut Collected) -> Option<T> {
        let (text, span) = self.text(key, found)?;
        let choice = names.iter().find(|(_, name)| *name == text).map(|(value, _)| *value);
        if choice.is_none() {
            let all: Vec<_> = names.iter().map(|(_, name)| format!("`{name}`")).collect();
            let wrong =
                format!("{}: `{key}`: expected {}, found {}", self.title, all.join(", "), quoted(text));
            found.add(span, wrong);
        }
        choice
    }

    /// Index of the memory called `name`.
    fn memory(
        &self,
        key: &str,
        name: &str,
        span: &Range<usize>,
        memories: &Names,
        found: &mut Collected,
    ) -> Option<usize> {
        let index = memories.index.get(name).copied();
        if index.is_none() {
            let wrong = format!("{}: `{key}`: unknown memory {}", self.title, quoted(name));
            found.add_with(span, wrong, Some(memories.listed()));
        }
        index
    }

    /// Clock in megahertz and images of a batch.
    pub fn clock_and_batch(&self, found: &mut Collected) -> Option<(f64, u64)> {
        let batch = self.count(BATCH, 1..=u64::MAX, found);
        let value = self.value(CLOCK, found)?;
        let clock = value.float().filter(|clock| clock.is_finite() && *clock > 0.0);
        if clock.is_none() {
            let found_here = value.description();
            let wrong = format!("{}: `{CLOCK}`: expected a positive number, found {found_here}", self.title);
            found.add(&value.span, wrong);
        }
        Some((clock?, batch?))
    }

    /// The layer of this record, without movements.
    pub fn layer(&self, name: &str, memories: &Names, found: &mut Collected) -> Option<LayerTrace> {
        let kind = self.choice("kind", &KINDS, found);
        let mut count = |key| self.count(key, 0..=u64::MAX, found);
        let (macs, start_cycle) = (count("macs"), count("start_cycle"));
        let (fill, compute) = (count("fill_cycles"), count("compute_cycles"));
        let (stall, drain) = (count("stall_cycles"), count("drain_cycles"));
        let results = count("results");
        let registers = (count("register_bits_read"), count("register_bits_written"));
        let bound = self.bound(memories, found);
        let (start_cycle, cycles) =
            (start_cycle?, Cycles { fill: fill?, compute: compute?, stall: stall?, drain: drain? });
        if cycles.total().and_then(|total| total.checked_add(start_cycle)).is_none() {
            found.add(&self.span, format!("{}: its cycles end beyond 2^64 - 1", self.title));
            return None;
        }
        let (name, movements) = (name.to_owned(), Vec::new());
        Some(LayerTrace {
            name,
            kind: kind?,
            macs: macs?,
            results: results?,
            register_bits_read: registers.0?,
            register_bits_written: registers.1?,
            start_cycle,
            cycles,
            bound: bound?,
            movements,
        })
    }

    fn bound(&self, memories: &Names, found: &mut Collected) -> Option<Bound> {
        let (text, span) = self.text("bound", found)?;
        match text {
            "array" => return Some(Bound::Array),
            "dram" => return Some(Bound::Dram),
            _ => {}
        }
        let Some(name) = text.strip_prefix(BUFFER) else {
            let wrong = format!(
                "{}: `bound`: expected `array`, `dram` or `{BUFFER}MEMORY`, found {}",
                self.title,
                quoted(text)
            );
            found.add(span, wrong);
            return None;
        };
        self.memory("bound", name, span, memories, found).map(Bound::Buffer)
    }

    /// The movement of this record.
    pub fn movement(&self, memories: &Names, found: &mut Collected) -> Option<Movement> {
        let operand = self.choice("operand", &OPERANDS, found);
        let memory = self
            .text("memory", found)
            .and_then(|(name, span)| self.memory("memory", name, span, memories, found));
        let word_bits = self.count("word_bits", 1..=64, found);
        let mut count = |key| self.count(key, 0..=u64::MAX, found);
        let (words_read, words_written) = (count("words_read"), count("words_written"));
        let (bytes_read, bytes_written) = (count("bytes_read"), count("bytes_written"));
        let (bursts_read, bursts_written) = (count("bursts_read"), count("bursts_written"));
        let (activations, residency_cycles) = (count("activations"), count("residency_cycles"));
        let (first_use_cycle, last_use_cycle) = (count("first_use_cycle"), count("last_use_cycle"));
        if let (Some(first), Some(last)) = (first_use_cycle, last_use_cycle)
            && last < first
        {
            found.add(
                &self.span,
                format!("{}: its last use, in cycle {last}, is before the first, in {first}", self.title),
            );
        }
        Some(Movement {
            operand: operand?,
            memory: memory?,
            word_bits: word_bits? as u32,
            words_read: words_read?,
            words_written: words_written?,
            bytes_read: bytes_read?,
            bytes_written: bytes_written?,
            bursts_read: bursts_read?,
            bursts_written: bursts_written?,
            activations: activations?,
            first_use_cycle: first_use_cycle?,
            last_use_cycle: last_use_cycle?,
            residency_cycles: residency_cycles?,
        })
    }
}

/// Refuses a key or column that is none of `known`.
pub(super) fn unknown<'k>(
    key: &str,
    span: &Range<usize>,
    what: &str,
    known: impl Iterator<Item = &'k str> + Clone,
    found: &mut Collected,
) {
    let help = match nearest(key, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are `{}`", known.collect::<Vec<_>>().join("`, `")),
    };
    found.add_with(span, format!("unknown {what} {}", quoted(key)), Some(help));
}

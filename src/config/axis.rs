//! Axes of a sweep: `memories.dram.protected_msbs=0..8`.

use super::decimal::Decimal;
use super::document::syntax_problems;
use super::key::Assignment;
use super::problem::{Location, Problem, Problems, Source};
use std::path::PathBuf;
use std::sync::Arc;
use toml::de::DeValue;

/// Most points of one axis.
const MAX_POINTS: usize = 10_000;

const FORMS: &str =
    "write `0..8` (integers), `0.5..0.9/5` (5 points), `1e-8..1e-1*10` (each 10 times the last) or `[x, y]`";

/// One axis: a key of the configuration and the values that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Dotted key, as typed.
    pub key: String,
    /// Names along the key.
    path: Vec<String>,
    /// Values in order, as text for [`Document::set`](super::Document::set); at least one.
    pub values: Vec<String>,
}

impl Axis {
    /// Whether both axes set the same key, or one a part of what the other sets.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.path.starts_with(&other.path) || other.path.starts_with(&self.path)
    }

    /// The override that sets point `index`: `key=value`.
    ///
    /// # Panics
    /// If `index` is not below the number of values.
    pub fn assignment(&self, index: usize) -> String {
        format!("{}={}", self.key, self.values[index])
    }
}

/// Reads an axis as typed after `--over`: `key=0..8` (integers, both ends included, also downwards), `key=a..b/n` (n points
/// at equal distances, both ends included), `key=a..b*f` (from a, each point f times the last, up to and including b) or
/// `key=[x, y]` (any values). Points are decimal and exact as far as 18 digits go.
///
/// # Errors
/// If the text has none of these forms, or has more than 10,000 points.
pub fn parse(text: &str) -> Result<Axis, Problems> {
    let source = Arc::new(Source { name: "--over".into(), text: text.into(), directory: PathBuf::new() });
    let at = |span| Location { source: Arc::clone(&source), span };
    let assignment = Assignment::parse(text).map_err(|error| {
        Problem::new(&at(error.span), error.message, "here")
            .with_help("write `dotted.key=values`, for example `memories.dram.protected_msbs=0..8`")
    })?;
    let place = at(assignment.value.clone());
    let values = if place.text().starts_with('[') {
        list(&place)?
    } else {
        range(place.text())
            .map_err(|message| Problem::new(&place, message, "not the values of an axis").with_help(FORMS))?
    };
    let name_end = assignment.segments.last().map_or(0, |(_, span)| span.end);
    let path = assignment.segments.into_iter().map(|(name, _)| name).collect();
    Ok(Axis { key: text[..name_end].trim().to_owned(), path, values })
}

/// The items of a TOML list as typed. A list of bare words, which a shell makes by removing quotes, is taken as strings.
fn list(place: &Location) -> Result<Vec<String>, Problems> {
    let text = place.text();
    let (value, errors) = DeValue::parse_recoverable(text);
    let items: Vec<String> = match (value.get_ref(), bare_words(text)) {
        (DeValue::Array(items), _) if errors.is_empty() => {
            items.iter().map(|item| text[item.span()].to_owned()).collect()
        }
        (_, Some(words)) => words,
        _ => return Err(syntax_problems(&place.source, &errors, place.span.start)),
    };
    match items.len() {
        0 => Err(Problem::new(place, "the axis has no values", "an empty list").with_help(FORMS).into()),
        1..=MAX_POINTS => Ok(items),
        _ => Err(Problem::new(place, too_many(), "too many values").into()),
    }
}

/// The items between brackets, if none is empty or needs a parser.
fn bare_words(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let words: Vec<_> = inner.split(',').map(|word| word.trim().to_owned()).collect();
    let is_plain = |word: &String| !word.is_empty() && !word.contains(['"', '\'', '[', ']', '{', '}', '#']);
    words.iter().all(is_plain).then_some(words)
}

fn range(text: &str) -> Result<Vec<String>, String> {
    let shown = super::tree::shortened(text);
    let Some((first, rest)) = text.split_once("..") else {
        return Err(format!("`{shown}` is no range and no list"));
    };
    let (last, step) = match rest.find(['/', '*']) {
        Some(at) => (&rest[..at], Some((&rest[at..=at], &rest[at + 1..]))),
        None => (rest, None),
    };
    let (first, last) = (first.trim(), last.trim());
    let is_scientific = [first, last].iter().any(|end| end.contains(['e', 'E']));
    match step {
        None => integers(first, last),
        Some(("/", points)) => linear(number(first)?, number(last)?, points.trim(), is_scientific),
        Some((_, factor)) => geometric(number(first)?, number(last)?, number(factor.trim())?, is_scientific),
    }
}

fn number(text: &str) -> Result<Decimal, String> {
    Decimal::parse(text)
        .ok_or_else(|| format!("`{}` is no number of at most 18 digits", super::tree::shortened(text)))
}

fn too_many() -> String {
    format!("the axis has more than {MAX_POINTS} points")
}

fn integers(first: &str, last: &str) -> Result<Vec<String>, String> {
    let integer = |text: &str| {
        text.parse::<i64>().map_err(|_| {
            let shown = super::tree::shortened(text);
            match Decimal::parse(text) {
                Some(_) => format!("`{shown}` is no integer: say how many points, or which factor"),
                None => format!("`{shown}` is no integer"),
            }
        })
    };
    let (first, last) = (integer(first)?, integer(last)?);
    if first.abs_diff(last) >= MAX_POINTS as u64 {
        return Err(too_many());
    }
    Ok(if first <= last {
        (first..=last).map(|value| value.to_string()).collect()
    } else {
        (last..=first).rev().map(|value| value.to_string()).collect()
    })
}

fn linear(first: Decimal, last: Decimal, points: &str, is_scientific: bool) -> Result<Vec<String>, String> {
    let points = points
        .parse::<usize>()
        .ok()
        .filter(|points| (2..=MAX_POINTS).contains(points))
        .ok_or_else(|| format!("the number of points must be an integer from 2 to {MAX_POINTS}"))?;
    if first == last {
        return Err("the two ends are equal".into());
    }
    (0..points)
        .map(|index| {
            first.between(last, index as i128, points as i128).map(|point| point.text(is_scientific))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| "the ends are too many decades apart for equal distances".into())
}

fn geometric(
    first: Decimal,
    last: Decimal,
    factor: Decimal,
    is_scientific: bool,
) -> Result<Vec<String>, String> {
    if !(first.is_positive() && last.is_positive() && factor.is_positive()) {
        return Err("the ends and the factor of a geometric axis must be positive".into());
    }
    let one = number("1")?;
    let leads_there = (last > first && factor > one) || (last < first && factor < one);
    if !leads_there {
        return Err(
            "the factor must lead from the first end to the last: above 1 upwards, below 1 downwards".into(),
        );
    }
    let mut values = Vec::new();
    let mut point = first;
    while if factor > one { point <= last } else { point >= last } {
        if values.len() == MAX_POINTS {
            return Err(too_many());
        }
        values.push(point.text(is_scientific));
        point = point.times(factor);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(text: &str) -> Vec<String> {
        parse(text).unwrap().values
    }

    #[test]
    fn integers_include_both_ends() {
        let axis = parse(" memories.dram.protected_msbs = 0..8 ").unwrap();
        assert_eq!(axis.key, "memories.dram.protected_msbs");
        assert_eq!(axis.values, ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
        assert_eq!(axis.assignment(3), "memories.dram.protected_msbs=3");
        assert_eq!(values("a=2..-1"), ["2", "1", "0", "-1"]);
        assert_eq!(values("a=5..5"), ["5"]);
    }

    #[test]
    fn points_at_equal_distances_are_exact_decimals() {
        assert_eq!(values("a=0.5..0.9/5"), ["0.5", "0.6", "0.7", "0.8", "0.9"]);
        assert_eq!(values("a=0..1/3"), ["0", "0.5", "1"]);
        assert_eq!(values("a=1..0/2"), ["1", "0"]);
        assert_eq!(values("a=1e-3..2e-3/3"), ["1e-3", "1.5e-3", "2e-3"]);
    }

    #[test]
    fn geometric_points_do_not_drift() {
        let decades = ["1e-8", "1e-7", "1e-6", "1e-5", "1e-4", "1e-3", "1e-2", "1e-1"];
        assert_eq!(values("memories.dram.ber=1e-8..1e-1*10"), decades);
        let numbers: Vec<f64> = decades.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(numbers, [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]);
        assert_eq!(values("a=1..100*3"), ["1", "3", "9", "27", "81"]);
        assert_eq!(values("a=1e-1..1e-3*0.1"), ["1e-1", "1e-2", "1e-3"]);
        assert_eq!(values("a=0.001..0.1*10"), ["0.001", "0.01", "0.1"]);
    }

    #[test]
    fn lists_keep_their_items_as_typed() {
        assert_eq!(values(r#"a=[1, "b, c", 1e-3, [2, 3]]"#), ["1", "\"b, c\"", "1e-3", "[2, 3]"]);
        assert_eq!(values("a=[floor, nearest_even]"), ["floor", "nearest_even"]);
        assert_eq!(values("formats.'weight_*'.kind=[\"fp16\",]"), ["\"fp16\""]);
    }

    #[test]
    fn every_broken_axis_is_refused_with_its_reason() {
        for (text, expected) in [
            ("a.b", "--over:1:4: expected `key=value`, found no `=`"),
            ("a=3", "--over:1:3: `3` is no range and no list"),
            ("a=0.5..0.9", "--over:1:3: `0.5` is no integer: say how many points, or which factor"),
            ("a=0..x", "--over:1:3: `x` is no integer"),
            ("a=x..1/3", "--over:1:3: `x` is no number of at most 18 digits"),
            ("a=0..99999999999", "--over:1:3: the axis has more than 10000 points"),
            ("a=0..1/1", "--over:1:3: the number of points must be an integer from 2 to 10000"),
            ("a=0..1/1.5", "--over:1:3: the number of points must be an integer from 2 to 10000"),
            ("a=1..1/3", "--over:1:3: the two ends are equal"),
            ("a=1e-40..1/3", "--over:1:3: the ends are too many decades apart for equal distances"),
            ("a=0..1*10", "--over:1:3: the ends and the factor of a geometric axis must be positive"),
            ("a=1..10*1", "--over:1:3: the factor must lead from the first end to the last"),
            ("a=1..10*0.1", "--over:1:3: the factor must lead from the first end to the last"),
            ("a=1..10*1.0000001", "--over:1:3: the axis has more than 10000 points"),
            ("a=[]", "--over:1:3: the axis has no values"),
            ("a=[1, \"b]", "--over:1:10: TOML syntax: unclosed array, expected `]`"),
        ] {
            let rendered = parse(text).unwrap_err().to_string();
            assert!(rendered.starts_with(expected), "{text}: {rendered}");
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_an_axis_or_a_reason(text in "[a-z0-9.=*/\\[\\],\"' e+-]{0,30}") {
            match parse(&text) {
                Ok(axis) => prop_assert!((1..=MAX_POINTS).contains(&axis.values.len())),
                Err(problems) => prop_assert!(!problems.to_string().is_empty()),
            }
        }
    }
}

//! Patterns over the names of data subsets: which of them decides for which data subset.

use super::key::quoted;
use super::problem::{Problem, Problems};
use super::reader::nearest;
use super::tree::{Entry, shortened};
use crate::network::Subset;
use std::collections::BTreeSet;

/// Whether `name` matches `pattern`: `*` stands for any run of characters, also an empty one.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // The last star, and the first byte that it has not swallowed yet. Bytes suffice: a UTF-8 character never matches
    // inside another one.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, n));
            p += 1;
        } else if p < pattern.len() && pattern[p] == name[n] {
            p += 1;
            n += 1;
        } else if let Some((at, swallowed)) = star {
            star = Some((at, swallowed + 1));
            p = at + 1;
            n = swallowed + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// How specific a matching pattern is: an exact name beats every pattern, then the number of literal characters counts.
fn specificity(pattern: &str, name: &str) -> usize {
    if pattern == name { usize::MAX } else { pattern.chars().filter(|&c| c != '*').count() }
}

/// For each data subset the index of the entry whose pattern decides, if one matches.
///
/// Notes patterns that match nothing as `unmatched`, ties as problems, and warns of patterns that decide nothing. `table` is the
/// dotted key of the table in which the entries stand.
pub(super) fn decide(
    table: &str,
    entries: &[Entry],
    subsets: &[Subset],
    unmatched: &mut Problems,
    problems: &mut Problems,
    warnings: &mut Problems,
) -> Vec<Option<usize>> {
    let mut ties = BTreeSet::new();
    let mut is_matched = vec![false; entries.len()];
    let mut decides = vec![false; entries.len()];
    let winners: Vec<_> = subsets
        .iter()
        .map(|subset| {
            let candidates: Vec<_> = (0..entries.len())
                .filter(|&index| matches(&entries[index].key, &subset.name))
                .map(|index| (specificity(&entries[index].key, &subset.name), index))
                .collect();
            let best = candidates.iter().map(|(rank, _)| *rank).max()?;
            let mut winner = None;
            for &(rank, index) in &candidates {
                is_matched[index] = true;
                if rank == best {
                    decides[index] = true;
                    let first = *winner.get_or_insert(index);
                    if first != index && ties.insert((first, index)) {
                        problems.push(tie(table, &entries[first], &entries[index], &subset.name));
                    }
                }
            }
            winner
        })
        .collect();
    for (index, entry) in entries.iter().enumerate() {
        if !is_matched[index] {
            if unmatched.is_full() {
                break;
            }
            unmatched.push(without_match(table, entry, subsets));
        } else if !decides[index] {
            let message = format!(
                "pattern {:?} in [{table}] has no effect: a more specific pattern decides for each of its data subsets",
                shortened(&entry.key)
            );
            warnings.push(Problem::new(&entry.key_location, message, "decides nothing"));
        }
    }
    winners
}

fn tie(table: &str, first: &Entry, second: &Entry, subset: &str) -> Problem {
    let message = format!(
        "patterns {:?} and {:?} in [{table}] are equally specific for data subset `{subset}`",
        shortened(&first.key),
        shortened(&second.key)
    );
    Problem::new(&second.key_location, message, format!("matches `{subset}`"))
        .with_related(&first.key_location, format!("matches `{subset}` with as many literal characters"))
        .with_help(format!("decide with a line of its own: {} = …", quoted(subset)))
}

fn without_match(table: &str, entry: &Entry, subsets: &[Subset]) -> Problem {
    let names: Vec<_> = subsets.iter().map(|subset| subset.name.as_str()).collect();
    let message = format!("pattern {:?} in [{table}] matches no data subset", shortened(&entry.key));
    let problem = Problem::new(&entry.key_location, message, "matches nothing");
    let literal: String = entry.key.chars().filter(|&c| c != '*').take(200).collect();
    match nearest(&literal, &names) {
        Some(name) => problem.with_help(format!("the nearest data subset is `{name}`")),
        None => problem.with_help("the network has no data subsets"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, without any cleverness.
    fn matches_by_definition(pattern: &[char], name: &[char]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => (0..=name.len()).any(|from| matches_by_definition(rest, &name[from..])),
            Some((first, rest)) => name.first() == Some(first) && matches_by_definition(rest, &name[1..]),
        }
    }

    #[test]
    fn a_star_matches_any_run_also_slashes_and_nothing() {
        for (pattern, name, expected) in [
            ("weight_*", "weight_conv1/7x7_s2", true),
            ("weight_*", "weight_", true),
            ("weight_*", "bias_fc1", false),
            ("*", "", true),
            ("*_fc*", "weight_fc1", true),
            ("weight_fc1", "weight_fc1", true),
            ("weight_fc1", "weight_fc10", false),
            ("*fc1", "weight_fc1_fc1", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} against {name}");
        }
    }

    #[test]
    fn an_exact_name_beats_any_pattern() {
        assert!(specificity("weight_fc1", "weight_fc1") > specificity("weight_fc1*", "weight_fc1"));
        assert!(specificity("weight_fc*", "weight_fc1") > specificity("weight_*", "weight_fc1"));
        assert_eq!(specificity("*weight_*", "weight_fc1"), specificity("weight_*", "weight_fc1"));
    }

    proptest! {
        #[test]
        fn matching_is_as_defined(pattern in "[ab*ä]{0,8}", name in "[abä]{0,8}") {
            let expected = matches_by_definition(
                &pattern.chars().collect::<Vec<_>>(),
                &name.chars().collect::<Vec<_>>(),
            );
            prop_assert_eq!(matches(&pattern, &name), expected);
        }
    }
}

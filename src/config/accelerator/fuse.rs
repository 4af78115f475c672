//! `accelerator.fuse`: which layers work on the results of their producer before these are stored.

use super::layers::{Layers, nearest_layer};
use crate::accelerator::lowering::Fuse;
use crate::config::patterns::matches;
use crate::config::problem::{Problem, Problems};
use crate::config::reader::{Section, text, unexpected};
use crate::config::tree::{Node, Value, shortened};
use std::collections::BTreeSet;

const KEY: &str = "fuse";
const EXPECTED: &str = "`true`, `false` or a list of patterns of layer names";

/// The value as read without the layers.
pub(super) enum FuseTable<'d> {
    /// All or none.
    All(bool),
    /// The layers that a pattern matches.
    Patterns(Vec<(&'d str, &'d Node)>),
}

/// Reads the key, `true` if it is absent; `None` if it is wrong (noted).
pub(super) fn fuse<'d>(section: &Section<'d>, problems: &mut Problems) -> Option<FuseTable<'d>> {
    let Some(entry) = section.find(KEY) else { return Some(FuseTable::All(true)) };
    let key = section.key(KEY);
    match &entry.node.value {
        Value::Boolean(all) => Some(FuseTable::All(*all)),
        Value::List(items) if !items.is_empty() => {
            let patterns = items.iter().map(|item| {
                if problems.is_full() {
                    return None;
                }
                Some((text(&key, item, "a list of patterns of layer names", problems)?, item))
            });
            let patterns: Vec<_> = patterns.collect();
            patterns.into_iter().collect::<Option<_>>().map(FuseTable::Patterns)
        }
        _ => {
            problems.push(unexpected(&key, &entry.node, EXPECTED));
            None
        }
    }
}

impl FuseTable<'_> {
    /// The layers to fuse. A pattern that matches none that can be fused is noted.
    pub fn resolved(&self, layers: &Layers<'_>, problems: &mut Problems, warnings: &mut Problems) -> Fuse {
        let patterns = match self {
            Self::All(true) => return Fuse::All,
            Self::All(false) => return Fuse::None,
            Self::Patterns(patterns) => patterns,
        };
        let fusable: Vec<_> = layers.fusable().collect();
        let mut names = BTreeSet::new();
        for (pattern, node) in patterns {
            let matched: Vec<_> = fusable.iter().filter(|name| matches(pattern, name)).collect();
            if !matched.is_empty() {
                names.extend(matched.into_iter().map(|name| (*name).to_owned()));
                continue;
            }
            let message = format!(
                "`accelerator.{KEY}`: pattern {:?} matches no pooling, normalisation or element-wise layer",
                shortened(pattern)
            );
            let literal: String = pattern.chars().filter(|&c| c != '*').collect();
            let problem = Problem::new(&node.location, message, "matches nothing");
            layers.note(problem.with_help(nearest_layer(&literal, &fusable)), problems, warnings);
        }
        Fuse::Layers(names)
    }
}

//! `[memories.NAME]`: the memories in which data subsets rest.

use super::problem::{Location, Problem, Problems};
use super::reader::{Section, integer};
use super::tree::Entry;
use crate::memory::{Lifetime, Memory, Technology, uniform};

/// Name of the off-chip link in a path; no memory can have it.
pub(super) const LINK: &str = "link";

/// A memory of the configuration.
pub(super) struct Declared<'d> {
    pub entry: &'d Entry,
    /// `None` if something is wrong with it (noted); it can still be named in a path.
    pub memory: Option<Memory>,
    /// Where its number of protected bits was typed.
    pub protected_at: &'d Location,
}

#[derive(Clone, Copy)]
enum Kind {
    Uniform,
}

const COMMON_KEYS: [&str; 3] = ["technology", "protected_msbs", "lifetime"];

/// Reads `[memories]`, in the order of the text.
pub(super) fn memories<'d>(root: &Section<'d>, problems: &mut Problems) -> Vec<Declared<'d>> {
    let Some(section) = root.section("memories", problems) else {
        return Vec::new();
    };
    section
        .entries()
        .iter()
        .map(|entry| {
            if problems.is_full() {
                return Declared { entry, memory: None, protected_at: &entry.key_location };
            }
            if entry.key == LINK {
                let message = "a memory cannot be called `link`: in a path that is the off-chip link";
                problems.push(
                    Problem::new(&entry.key_location, message, "reserved")
                        .with_help("choose another name; the link's own settings stand in [link]"),
                );
            }
            let inner = Section::of_entry(section.key(&entry.key), entry, problems);
            let protected = inner.as_ref().and_then(|inner| inner.find("protected_msbs"));
            Declared {
                entry,
                protected_at: protected.map_or(&entry.key_location, |entry| &entry.node.location),
                memory: inner.and_then(|inner| memory(&entry.key, &inner, problems)),
            }
        })
        .collect()
}

fn memory(name: &str, section: &Section<'_>, problems: &mut Problems) -> Option<Memory> {
    section.require(
        "technology",
        "`uniform`: every approximate bit errs with the same probability",
        problems,
    );
    let kind = section.choice("technology", &[("uniform", Kind::Uniform)], problems);
    let protected_msbs = section
        .find("protected_msbs")
        .map(|entry| integer(&section.key("protected_msbs"), &entry.node, 0..=32, problems));
    let lifetimes = [("permanent", Lifetime::Permanent), ("transient", Lifetime::Transient)];
    let lifetime = section.choice("lifetime", &lifetimes, problems);
    let technology = match kind {
        Some(Kind::Uniform) => uniform(section, problems),
        // Which further keys are valid depends on the technology: without one, none is called unknown.
        None => None,
    };
    Some(Memory {
        name: name.to_owned(),
        technology: technology?,
        protected_msbs: protected_msbs.map_or(Some(0), |bits| bits.map(|bits| bits as u32))?,
        lifetime,
    })
}

fn uniform(section: &Section<'_>, problems: &mut Problems) -> Option<Technology> {
    let keys: Vec<_> = COMMON_KEYS.into_iter().chain(["ber"]).collect();
    section.check_keys(&keys, problems);
    section.require("ber", "the probability that a stored bit is read wrong, 0 to 1", problems);
    let ber = section.number("ber", "a number from 0 to 1", |ber| (0.0..=1.0).contains(&ber), problems)?;
    // Minus zero is no other rate than zero.
    let ber = ber + 0.0;
    Some(Technology::Uniform(uniform::Parameters { ber }))
}

//! Messages about memories, as printed.

#![expect(clippy::too_many_lines, reason = "tables of mistakes and their messages")]

mod cells;
mod constants;
mod energy;
mod surroundings;

use crate::config::sample::{Folder, TEXT};

/// The sample's memory.
const MEMORY: &str = "technology = \"uniform\"\nprotected_msbs = 3\nber = 1e-3\n";

/// The sample with another memory, whose first line is the 13th of the text.
fn with_memory(memory: &str) -> String {
    assert!(TEXT.contains(MEMORY));
    TEXT.replacen(MEMORY, memory, 1)
}

/// Checks what is printed for the sample with another memory: (memory, printed).
#[track_caller]
fn check(cases: &[(&str, &str)]) {
    let folder = Folder::new();
    for (memory, expected) in cases {
        let found = folder.problems(&with_memory(memory), &[]);
        assert_eq!(found, *expected, "{memory}\n--- found\n{found}\n---");
    }
}

//! Doubts that show once words are placed, as printed.

use super::sample::{Folder, TEXT};

const MEMORY: &str = "technology = \"uniform\"\nprotected_msbs = 3\nber = 1e-3\n";
const DRAM: &str = "technology = \"dram\"\n[memories.dram.error]\npreset = \"dram.flikker48\"\ncell_layout = \"half\"\n\
                    refresh_interval_ms = 64\n";
const ENERGY: &str = "[memories.dram.energy]\npreset = \"ddr4_2400_8gb_x8\"\n";

fn warnings(memory: &str, overrides: &[&str]) -> String {
    let folder = Folder::new();
    let overrides: Vec<_> = overrides.iter().copied().chain(["workload.inferences_per_second=10"]).collect();
    let resolved = folder.resolve(&TEXT.replacen(MEMORY, memory, 1), &overrides);
    folder.without_folder(&resolved.unwrap_or_else(|problems| panic!("{problems}")).warnings)
}

#[test]
fn entries_that_a_word_has_no_bit_for_are_named() {
    let uniform =
        |entries: usize| format!("technology = \"uniform\"\nber = [{}]\n", vec!["1e-3"; entries].join(", "));
    // The words of weight_fc1 are narrowed on the link, behind the memory: they rest there at 16 bits.
    assert_eq!(warnings(&uniform(16), &[]), "");
    assert_eq!(
        warnings(&uniform(17), &[]),
        "c.toml:14:7: `memories.dram.ber` has 17 entries, but a word of `weight_conv1/5x5` has 16 bits there: the last 1 have no \
         effect on it\n    help: the list runs from the most significant bit down"
    );
    let returned = ["placement.\"weight_*\"=[\"dram\",\"link\",\"dram\"]"];
    assert_eq!(
        warnings(&DRAM.replace("= 64\n", "= [64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64]\n"), &returned),
        "c.toml:17:23: `memories.dram.error.refresh_interval_ms` has 11 entries, but a word of `weight_fc1` has 8 bits there: the \
         last 3 have no effect on it\n    help: the list runs from the most significant bit down"
    );
}

#[test]
fn wires_that_count_twice_are_named() {
    let both = format!("{DRAM}{ENERGY}");
    let io = "link.io_pj_per_bit=5";
    let found = warnings(&both, &[io]);
    let start = "--set:1:20: the wires between memory `dram` and the link, which `weight_fc1` crosses, are counted twice: ";
    assert!(found.starts_with(start) && found.contains(" and 5 by `link.io_pj_per_bit`"), "{found}");
    assert_eq!(found.matches("counted twice").count(), 1);
    for (memory, overrides) in [
        (both.as_str(), &["link.io_pj_per_bit=0"][..]),
        (&both, &[]),
        (&both, &[io, "memories.dram.energy.io_pj_per_bit=0"]),
        (DRAM, &[io]),
    ] {
        assert_eq!(warnings(memory, overrides), "", "{overrides:?}");
    }
    // Words that never cross the link use the interface of the DRAM alone; a buffer between them is no neighbour.
    let buffer = "memories.buffer={technology=\"uniform\", ber=0}";
    let apart = [io, buffer, "placement.\"weight_*\"=[\"dram\",\"buffer\",\"link\"]"];
    assert_eq!(warnings(&both, &apart), "");
}

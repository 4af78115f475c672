//! Messages about memories together with `[workload]` and `[link]`, as printed.

use super::{check, with_memory};
use crate::config::sample::{Folder, TEXT};

#[test]
fn what_depends_on_the_workload_needs_one() {
    check(&[
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
cell_layout = "half"
refresh_interval_ms = 1000
"#,
            "c.toml:12:1: memory `dram` is refreshed by each access to a row, but how often its rows are read is unknown
    help: say how often the network runs: `inferences_per_second` in [workload]; or how fast the memory is: [memories.dram.energy]; or set `memories.dram.error.access_refreshes` = false",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
ser_fit_per_mbit = 1000
"#,
            "c.toml:12:1: memory `dram` has soft errors, but how long its data rest is unknown
    help: say how often the network runs: `inferences_per_second` in [workload]",
        ),
        (
            r#"technology = "uniform"
ber = 0
ser_fit_per_mbit = 1000
"#,
            "c.toml:12:1: memory `dram` has soft errors, but how long its data rest is unknown
    help: say how often the network runs: `inferences_per_second` in [workload]",
        ),
    ]);
}

#[test]
fn doubts_are_warnings() {
    let folder = Folder::new();
    for (memory, expected) in [
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
cell_layout = "half"
refresh_interval_ms = 200000
[workload]
inferences_per_second = 10
"#,
            "c.toml:17:23: `memories.dram.error.refresh_interval_ms`: after 200000 ms at 48 °C a share of 8.952e-3 of the cells has failed, more than the 1e-3 up to which the curve is known: the rate is an extrapolation beyond the tail that was recorded",
        ),
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
cell_layout = "half"
refresh_interval_ms = [64, 500, 20000]
temp_c = 58
[workload]
inferences_per_second = 10
"#,
            "c.toml:17:23: `memories.dram.error.refresh_interval_ms`: 20000 ms at 58 °C are as 40.000 s at 48 °C, outside of the 1 to 20 s that were recorded: the rate is extrapolated",
        ),
        (
            r#"technology = "sram"
protected_msbs = 3
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
[memories.dram.protection]
how = "8t"
delta_v = 0.1
"#,
            "c.toml:18:1: [memories.dram.protection]: `r8`, the access energy of an 8T cell over a 6T cell at the same voltage, has no verified published value: 1.0 is taken; sweep 1.0..1.5",
        ),
        (
            r#"technology = "uniform"
ber = 0
protection = { how = "secded" }
"#,
            "c.toml:15:14: [memories.dram.protection] protects nothing: `protected_msbs` is missing
    help: set `memories.dram.protected_msbs`",
        ),
    ] {
        let warnings = folder.resolve(&with_memory(memory), &[]).unwrap().warnings;
        assert_eq!(folder.without_folder(&warnings), expected, "{memory}");
    }
}

#[test]
fn the_link_says_what_it_moves() {
    let folder = Folder::new();
    let text = TEXT.replace(
        "[link.bits]",
        r#"[link]
rounding = "floor"
layout = "packd"
granule_bytes = 0
tag_bits = -1
block_words = 0
io_pj_per_bit = -1
pack_pj_per_word = "x"
[link.bits]"#,
    );
    let expected = r#"c.toml:18:10: `link.layout` must be one of `padded`, `packed`, `bitplane`, found the string "packd"
    help: did you mean `packed`?
c.toml:19:17: `link.granule_bytes` must be an integer from 1 to 1048576, found the integer 0
c.toml:20:12: `link.tag_bits` must be an integer from 0 to 1024, found the integer -1
c.toml:21:15: `link.block_words` must be an integer from 1 to 4294967296, found the integer 0
c.toml:22:17: `link.io_pj_per_bit` must be a number of at least 0 (pJ), found the integer -1
c.toml:23:20: `link.pack_pj_per_word` must be a number of at least 0 (pJ), found the string "x""#;
    assert_eq!(folder.problems(&text, &[]), expected);
}

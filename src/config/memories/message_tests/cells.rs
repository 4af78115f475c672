//! Messages about `capacity_bytes` and its like, `[memories.NAME.protection]` and measured maps, as printed.

use super::check;

#[test]
fn cells_have_a_place() {
    check(&[
        (
            r#"technology = "uniform"
ber = 0
capacity_bytes = 63
"#,
            "c.toml:15:18: `memories.dram.capacity_bytes`: a capacity of 504 bits is not a whole number of rows of 512 bits in each of 1 bank(s), at least one
    help: a row is 64 bytes (`row_bytes`), in each of 1 bank(s)",
        ),
        (
            r#"technology = "uniform"
ber = 0
capacity_bytes = 192
banks = 2
"#,
            "c.toml:15:18: `memories.dram.capacity_bytes`: a capacity of 1536 bits is not a whole number of rows of 512 bits in each of 2 bank(s), at least one
    help: a row is 64 bytes (`row_bytes`), in each of 2 bank(s)",
        ),
        (
            r#"technology = "uniform"
ber = 0
banks = 2
"#,
            "c.toml:15:9: `memories.dram.banks` needs `capacity_bytes`
    help: a memory without a capacity has as many rows as its data need, in one bank",
        ),
        (
            r#"technology = "uniform"
ber = 0
capacity_bytes = 0
row_bytes = 0
interleave = 0
"#,
            "c.toml:15:18: `memories.dram.capacity_bytes` must be an integer from 1 to 72057594037927936, found the integer 0
c.toml:16:13: `memories.dram.row_bytes` must be an integer from 1 to 4294967296, found the integer 0
c.toml:17:14: `memories.dram.interleave` must be an integer from 1 to 65536, found the integer 0",
        ),
        (
            r#"technology = "uniform"
ber = 0
row_bytes = 10
"#,
            "c.toml:15:13: a row of `memories.dram` is 10 bytes, no whole number of columns of 64 bits",
        ),
    ]);
}

#[test]
fn protection_is_possible_and_complete() {
    check(&[
        (
            r#"technology = "sram"
protected_msbs = 3
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
[memories.dram.protection]
how = "8t"
"#,
            "c.toml:18:1: missing key `memories.dram.protection.delta_v`
    help: the voltage by which 8T cells fail later than 6T cells, in the unit of `v`: no source states a value, sweep it, for example from 0.10 to 0.25 V",
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
a8 = 3
r8 = 0
"#,
            "c.toml:21:6: `memories.dram.protection.a8` must be a number from 1 to 2, found the integer 3
c.toml:22:6: `memories.dram.protection.r8` must be a number above 0, found the integer 0",
        ),
        (
            r#"technology = "uniform"
ber = 0
protected_msbs = 3
protection = { how = "8t", delta_v = 0.1 }
"#,
            r#"c.toml:16:22: `memories.dram.protection.how` = "8t" is for technology `sram`
    help: eight transistors make an SRAM cell"#,
        ),
        (
            r#"technology = "uniform"
ber = 0
protected_msbs = 3
protection = { how = "secdedd", delta_v = 0.1 }
"#,
            r#"c.toml:16:22: `memories.dram.protection.how` must be one of `dual_rail`, `8t`, `secded`, `precise_bank`, found the string "secdedd"
    help: did you mean `secded`?"#,
        ),
        (
            r#"technology = "uniform"
ber = 0
protected_msbs = 3
protection = { how = "secded", r8 = 0.1 }
"#,
            "c.toml:16:32: `memories.dram.protection.r8` does not apply to `how` other than `8t`",
        ),
        (
            r#"technology = "uniform"
ber = 0
protected_msbs = 3
protection = {}
"#,
            "c.toml:16:14: missing key `memories.dram.protection.how`
    help: `dual_rail`, `8t`, `secded` or `precise_bank`: what protects the top bits",
        ),
    ]);
}

#[test]
fn maps_of_measured_chips_fit_the_memory() {
    check(&[(
        r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
map = "gone.csv"
"#,
        "c.toml:17:7: `memories.dram.error.map`: cannot read the file gone.csv: it does not exist
    help: relative paths start at the folder of the configuration file",
    )]);
}

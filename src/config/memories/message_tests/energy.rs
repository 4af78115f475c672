//! Messages about `[memories.NAME.energy]`, as printed.

use super::check;

#[test]
fn energy_is_told_where_its_tables_reach() {
    check(&[
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
[memories.dram.energy]
preset = "cacti7.45nm.lstp"
"#,
            "c.toml:17:1: missing key `memories.dram.energy.size_bytes`
    help: the size of one bank in bytes; every bank is an array of its own; no preset states it
c.toml:17:1: missing key `memories.dram.energy.vmin_v`
    help: the lowest voltage without a failing cell, in volts: it relates `v` to `v_nom`; no preset states it",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
[memories.dram.energy]
preset = "cacti7.45nm.lstp"
size_bytes = 1024
vmin_v = 0.6
"#,
            "c.toml:19:14: [memories.dram.energy]: `read_pj` is known for sizes in bytes of 2048 to 1048576, not 1024; figures of another array can be given as `read_pj`",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
[memories.dram.energy]
preset = "cacti7.45nm.lstp"
size_bytes = 65536.5
vmin_v = 0.6
"#,
            "c.toml:19:14: [memories.dram.energy]: `size_bytes` = 65536.5 is outside whole numbers from 0",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
[memories.dram.energy]
preset = "cacti7.45nm.lstp"
size_bytes = 65536
vmin_v = 1.3
"#,
            "c.toml:17:1: [memories.dram.energy]: `v` = 1.1375 is outside (0, v_nom]: the figures scale down from the nominal voltage",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
[memories.dram.energy]
preset = "cacti7.45nm.lstp"
size_bytes = 65536
vmin_v = 0.6
word_bits = 8
"#,
            "c.toml:21:13: [memories.dram.energy]: `width_read_pj` is known for access widths in bits of 64 to 64, not 8; figures of another array can be given as `width_read_pj`",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
[memories.dram.energy]
preset = "cacti7.45nm.lstp"
size_bytes = 65536
vmin_v = 0.6
rail = "cell"
array_share = 2
leak_exp = "x"
"#,
            r#"c.toml:21:8: `memories.dram.energy.rail` must be one of `macro`, `array_only`, found the string "cell"
c.toml:22:15: `memories.dram.energy.array_share` must be a number from 0 to 1, the valid range of `cacti7.45nm.lstp`, found the integer 2
c.toml:23:12: `memories.dram.energy.leak_exp` must be a finite number, found the string "x""#,
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
[memories.dram.energy]
preset = "cacti7.45nm.lstp"
size_bytes = 65536
vmin_v = 0.6
read_pj = [[1, 2, 3]]
write_pj = 3
"#,
            "c.toml:21:11: `memories.dram.energy.read_pj` must be a list of rows of 2 finite numbers, found a list
c.toml:22:12: `memories.dram.energy.write_pj` must be a list of rows of 2 finite numbers, found the integer 3",
        ),
        (
            r#"technology = "sram"
capacity_bytes = 65536
banks = 2
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
[memories.dram.energy]
preset = "cacti7.45nm.lstp"
size_bytes = 65536
vmin_v = 0.6
"#,
            "c.toml:21:14: `memories.dram.energy.size_bytes` is 65536, but `capacity_bytes` and `banks` make banks of 32768 bytes
    help: leave it out: a bank is an array of its own",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
[memories.dram.energy]
preset = "cacti7.45nm.lstp"
size_bytes = 65536
vmin_v = 0.6
timing = "alpha_power"
"#,
            "c.toml:17:1: [memories.dram.energy]: `alpha` must be given: no source states it for this memory",
        ),
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
cell_layout = "half"
refresh_interval_ms = 1000
[memories.dram.energy]
preset = "ddr4_2400_8gb_x8"
idd0_ma = [1, 2]
"#,
            "c.toml:20:11: [memories.dram.energy]: `idd0_ma` has 2 entries, `voltage_v` 1: one per rail",
        ),
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
cell_layout = "half"
refresh_interval_ms = 1000
[memories.dram.energy]
preset = "ddr4_2400_8gb_x8"
idd0_ma = 1
row_policy = "shut"
cl = 1.5
"#,
            r#"c.toml:21:14: `memories.dram.energy.row_policy` must be one of `open`, `closed`, found the string "shut"
c.toml:22:6: [memories.dram.energy]: `cl` = 1.5 is outside whole numbers from 0"#,
        ),
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
cell_layout = "half"
refresh_interval_ms = 1000
[memories.dram.energy]
idd0_ma = 1
"#,
            "c.toml:18:1: [memories.dram.energy] lacks `rails`, `voltage_v`, `idd2n_ma`, `idd2p_ma`, `idd3n_ma`, `idd4r_ma`, `idd4w_ma`, `idd5b_ma`, `idd6_ma`, `tck_ns`, `cl`, `cwl`, `rcd`, `rp`, `ras`, `rrd_s`, `rrd_l`, `faw`, `ccd_s`, `ccd_l`, … and 19 more
    help: name a preset that has them: `ddr3_1600_1gb_x8`, `ddr3l_1600_4gb_x8`, `ddr4_2400_4gb_x8`, `ddr4_2400_8gb_x8`, `hbm2_2000_8gb_x128`, `lpddr4_3200_8gb_x16`",
        ),
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
cell_layout = "half"
refresh_interval_ms = 16
[memories.dram.energy]
preset = "lpddr4_3200_8gb_x16"
"#,
            "c.toml:17:23: `memories.dram.error.refresh_interval_ms` must be a number of at least 32 (ms), the nominal interval of the device at 48 °C, or a list of such numbers, found the integer 16",
        ),
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
cell_layout = "half"
refresh_interval_ms = 31
temp_c = 85.5
[memories.dram.energy]
preset = "ddr4_2400_8gb_x8"
"#,
            "c.toml:17:23: `memories.dram.error.refresh_interval_ms` must be a number of at least 32 (ms), the nominal interval of the device at 85.5 °C, or a list of such numbers, found the integer 31",
        ),
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
cell_layout = "half"
refresh_interval_ms = 63
temp_c = 85
[memories.dram.energy]
preset = "ddr4_2400_8gb_x8"
"#,
            "c.toml:17:23: `memories.dram.error.refresh_interval_ms` must be a number of at least 64 (ms), the nominal interval of the device at 85 °C, or a list of such numbers, found the integer 63",
        ),
        (
            r#"technology = "sram"
protected_msbs = 1
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.9
[memories.dram.protection]
how = "ecc"
"#,
            r#"c.toml:19:7: `memories.dram.protection.how` must be one of `dual_rail`, `8t`, `secded`, `precise_bank`, found the string "ecc"
    help: did you mean `secded`?"#,
        ),
    ]);
}

//! Messages about presets and constants of any table, as printed.

use super::check;

#[test]
fn a_missing_table_or_preset_is_named_with_what_would_do() {
    check(&[
        (
            r#"technology = "sram"
"#,
            r#"c.toml:12:1: missing table [memories.dram.error]
    help: it says what the cells do wrong: preset = "sram.14nm.stutz21" or "sram.14nm.stutz21.chip2" or "sram.45nm.dpcs15""#,
        ),
        (
            r#"technology = "dram"
error = 3
"#,
            "c.toml:14:9: `memories.dram.error` must be a table, found the integer 3",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz12"
v = 0.9
"#,
            "c.toml:15:10: `memories.dram.error.preset`: there is no preset `sram.14nm.stutz12`
    help: did you mean `sram.14nm.stutz21`? presets for this table: `sram.14nm.stutz21`, `sram.14nm.stutz21.chip2`, `sram.45nm.dpcs15`",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "dram.flikker48"
v = 0.9
"#,
            r#"c.toml:15:10: `memories.dram.error.preset`: the preset `dram.flikker48` belongs in [memories.NAME.error] with technology = "dram"
    help: presets for this table: `sram.14nm.stutz21`, `sram.14nm.stutz21.chip2`, `sram.45nm.dpcs15`"#,
        ),
        (
            r#"technology = "uniform"
preset = "sram.45nm.dpcs15"
"#,
            r#"c.toml:14:10: `memories.dram.preset`: the preset `sram.45nm.dpcs15` belongs in [memories.NAME.error] with technology = "sram"
    help: presets for this table: `stt.delta30`, `stt.delta25`, `pcm.mlc4.t035`, `pcm.mlc4.t040`, `pcm.mlc4.t045`, `pcm.mlc4.t050`, `pcm.mlc4.t060`, `edram.rana18`, `enerj.sram.mild`, `enerj.sram.medium`, `enerj.sram.aggressive`, `enerj.dram.mild`, `enerj.dram.medium`, `enerj.dram.aggressive`"#,
        ),
        (
            r#"technology = "uniform"
preset = 3
"#,
            "c.toml:14:10: `memories.dram.preset` must be the name of a preset, found the integer 3",
        ),
    ]);
}

#[test]
fn missing_constants_say_what_they_mean_and_who_states_them() {
    check(&[
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
"#,
            "c.toml:14:1: missing key `memories.dram.error.v`
    help: the supply voltage, in the unit of `v_unit`; no preset states it",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.45nm.dpcs15"
v = 0.7
spatial = "iid"
"#,
            "c.toml:14:1: missing key `memories.dram.error.direction`
    help: `flip`: a faulty cell delivers the inverse; `stuck`: always the same; `sram.45nm.dpcs15` does not state it; presets that do: `sram.14nm.stutz21`, `sram.14nm.stutz21.chip2`",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
v = 0.7
"#,
            "c.toml:14:1: missing key `memories.dram.error.v_unit`
    help: the unit of every voltage here: `vmin`, multiples of the lowest voltage without a failing cell, or `volt`; presets that state it: `sram.14nm.stutz21`, `sram.14nm.stutz21.chip2`, `sram.45nm.dpcs15`
c.toml:14:1: missing key `memories.dram.error.v_range`
    help: the lowest and the highest voltage that the curve is known for; presets that state it: `sram.14nm.stutz21`, `sram.14nm.stutz21.chip2`, `sram.45nm.dpcs15`
c.toml:14:1: missing key `memories.dram.error.curve`
    help: `probit`, `probit2` or `table`: the share of faulty cells over the voltage; presets that state it: `sram.14nm.stutz21`, `sram.14nm.stutz21.chip2`, `sram.45nm.dpcs15`
c.toml:14:1: missing key `memories.dram.error.ber_clip`
    help: the largest rate that the curve gives; presets that state it: `sram.14nm.stutz21`, `sram.14nm.stutz21.chip2`, `sram.45nm.dpcs15`
c.toml:14:1: missing key `memories.dram.error.direction`
    help: `flip`: a faulty cell delivers the inverse; `stuck`: always the same; presets that state it: `sram.14nm.stutz21`, `sram.14nm.stutz21.chip2`
c.toml:14:1: missing key `memories.dram.error.persistent_fraction`
    help: the share of the rate that sits in cells that are faulty for the life of the device; presets that state it: `sram.14nm.stutz21`, `sram.14nm.stutz21.chip2`, `sram.45nm.dpcs15`
c.toml:14:1: missing key `memories.dram.error.spatial`
    help: `iid`, `column`, `bad_columns` or `bad_rows`: where faulty cells lie; presets that state it: `sram.14nm.stutz21`, `sram.14nm.stutz21.chip2`",
        ),
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
"#,
            "c.toml:14:1: missing key `memories.dram.error.cell_layout`
    help: `all_true`, `all_anti`, `half` or `row_blocks`: which value a cell holds as charge; it differs by vendor; no preset states it
c.toml:14:1: missing key `memories.dram.error.refresh_interval_ms`
    help: milliseconds between two refreshes of a cell, or a list by bit from the most significant down; no preset states it",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
spatial = "column"
"#,
            "c.toml:14:1: missing key `memories.dram.error.column_sigma`
    help: the standard deviation of the minimum voltage that the cells of a column share, in the unit of `v`, below `sigma`; no preset states it",
        ),
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
cell_layout = "row_blocks"
refresh_interval_ms = 64
"#,
            "c.toml:14:1: missing key `memories.dram.error.row_block`
    help: the rows of one block of true cells or anti-cells; no preset states it",
        ),
    ]);
}

#[test]
fn unknown_keys_of_memories_name_the_nearest() {
    check(&[
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
mue = 0.7
"#,
            "c.toml:17:1: unknown key `mue` in [memories.dram.error]
    help: did you mean `mu`? valid keys: `preset`, `v`, `curve`, `mu`, `sigma`, `scale`, `z0`, `z1`, `z2`, `table_points`, `v_unit`, `v_range`, `ber_clip`, `direction`, `p01_share`, `persistent_fraction`, `spatial`, `column_sigma`, `column_ratio`, `bad_share`, … and 4 more",
        ),
        (
            r#"technology = "sram"
lifetime = "transient"
ber = 0.1
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.9
"#,
            "c.toml:14:1: `memories.dram.lifetime` does not apply to technology `sram` and `dram`: their weak cells are permanent
    help: `error.persistent_fraction` of an SRAM is the share of the rate that weak cells have
c.toml:15:1: unknown key `ber` in [memories.dram]
    help: valid keys: `technology`, `protected_msbs`, `error`, `energy`, `protection`, `capacity_bytes`, `banks`, `row_bytes`, `column_bits`, `interleave`",
        ),
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
cell_layout = "half"
refresh_interval_ms = 1000
interval_ms = 1
"#,
            "c.toml:12:1: memory `dram` is refreshed by each access to a row, but how often its rows are read is unknown
    help: say how often the network runs: `inferences_per_second` in [workload]; or how fast the memory is: [memories.dram.energy]; or set `memories.dram.error.access_refreshes` = false
c.toml:18:1: unknown key `interval_ms` in [memories.dram.error]
    help: valid keys: `preset`, `refresh_interval_ms`, `cell_layout`, `row_block`, `temp_c`, `retention`, `mu_ln_s`, `sigma_ln`, `b1`, `beta`, `table_points`, `t_range_s`, `supported_share`, `t_ref_c`, `temp_halving_c`, `module_scale`, `module_sigma`, `access_refreshes`, `ser_fit_per_mbit`, `map`",
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
leakage = 1
"#,
            "c.toml:21:1: unknown key `leakage` in [memories.dram.energy]
    help: did you mean `leakage_mw`? valid keys: `preset`, `size_bytes`, `word_bits`, `table_word_bits`, `read_pj`, `write_pj`, `access_ns`, `leakage_mw`, `area_mm2`, `width_read_pj`, `rail`, `array_share`, `leak_exp`, `v_nom`, `vmin_v`, `access_scale`, `leak_scale`, `timing`, `alpha`, `vt_v`",
        ),
        (
            r#"technology = "uniform"
ber = 0
protected_msbs = 1
[memories.dram.protection]
who = "8t"
"#,
            "c.toml:16:1: missing key `memories.dram.protection.how`
    help: `dual_rail`, `8t`, `secded` or `precise_bank`: what protects the top bits
c.toml:17:1: unknown key `who` in [memories.dram.protection]
    help: valid keys: `how`, `delta_v`, `a8`, `r8`",
        ),
    ]);
}

#[test]
fn values_of_constants_have_ranges() {
    check(&[
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.7
"#,
            "c.toml:16:5: `memories.dram.error.v`: 0.7 Vmin lies outside of the voltages that `sram.14nm.stutz21` was fitted to, 0.75 to 1 Vmin
    help: nothing is known about the errors out there; a curve of your own brings its own `v_range`",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0
mu = 0.8
sigma = 0
"#,
            "c.toml:16:5: `memories.dram.error.v` must be a number above 0, found the integer 0
c.toml:17:6: `memories.dram.error.mu` must be a number from 0 to 0.75 (V/Vmin), the valid range of `sram.14nm.stutz21`, found the float 0.8
c.toml:18:9: `memories.dram.error.sigma` must be a number above 0, found the integer 0",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = "low"
ber_clip = 0.6
persistent_fraction = 2
"#,
            r#"c.toml:16:5: `memories.dram.error.v` must be a number above 0, found the string "low"
c.toml:17:12: `memories.dram.error.ber_clip` must be a number above 0, at most 0.5, found the float 0.6
c.toml:18:23: `memories.dram.error.persistent_fraction` must be a number from 0 to 1, found the integer 2"#,
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
read_upset = 0.1
write_fail = -1
ser_fit_per_mbit = -1
"#,
            "c.toml:17:14: `memories.dram.error.read_upset` must be a number from 0 to 0.01, found the float 0.1
c.toml:18:14: `memories.dram.error.write_fail` must be a number from 0 to 0.01, found the integer -1
c.toml:19:20: `memories.dram.error.ser_fit_per_mbit` must be a number of at least 0, found the integer -1",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
v_range = [0.9, 0.8]
"#,
            "c.toml:17:11: `memories.dram.error.v_range` must be a list [low, high] of two rising numbers, found a list",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
curve = "table"
table_points = [[0.8, 0.1], [0.7, 0.2]]
"#,
            "c.toml:18:16: `memories.dram.error.table_points` is no curve: point 1: 0.7 is not a finite number above 0.8",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
curve = "table"
table_points = [[0.8, 0.1, 0.3], [0.7, 0.2]]
"#,
            "c.toml:18:16: `memories.dram.error.table_points` must be a list of points [x, bit error rate]",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
curve = "table"
table_points = 0.1
"#,
            "c.toml:18:16: `memories.dram.error.table_points` must be a list of points [x, bit error rate], found the float 0.1",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.45nm.dpcs15"
v = 0.7
spatial = "iid"
direction = "flip"
z2 = -50
"#,
            "c.toml:19:6: `memories.dram.error.z2`: the rate rises with the voltage somewhere from 0.4 to 1: a cell that fails at a voltage must fail at every lower one",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
spatial = "column"
column_sigma = 0.06
"#,
            "c.toml:18:16: `memories.dram.error.column_sigma` must be a number of at least 0, below `sigma` = 0.05526, found the float 0.06",
        ),
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
cell_layout = "half"
refresh_interval_ms = 32
temp_c = 96
"#,
            "c.toml:17:23: `memories.dram.error.refresh_interval_ms` must be a number of at least 64 (ms), the nominal interval of the device, or a list of such numbers, found the integer 32
c.toml:18:10: `memories.dram.error.temp_c` must be a number from 0 to 95, found the integer 96",
        ),
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
cell_layout = "half"
refresh_interval_ms = [64, 1]
temp_halving_c = 5
"#,
            "c.toml:17:28: `memories.dram.error.refresh_interval_ms` must be a number of at least 64 (ms), the nominal interval of the device at 48 °C, or a list of such numbers, found the integer 1
c.toml:18:18: `memories.dram.error.temp_halving_c` must be a number from 10 to 50, found the integer 5",
        ),
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
cell_layout = "half"
refresh_interval_ms = []
module_scale = 100
access_refreshes = 1
"#,
            "c.toml:17:23: `memories.dram.error.refresh_interval_ms` must be a number, or a list of 1 to 32 of them by bit from the most significant down, found an empty list
c.toml:18:16: `memories.dram.error.module_scale` must be a number from 0.1 to 10, found the integer 100
c.toml:19:20: `memories.dram.error.access_refreshes` must be `true` or `false`, found the integer 1",
        ),
        (
            r#"technology = "uniform"
ber = [0.1, 2]
"#,
            "c.toml:14:13: `memories.dram.ber` must be a number from 0 to 1, found the integer 2",
        ),
        (
            r#"technology = "uniform"
ber = []
"#,
            "c.toml:14:7: `memories.dram.ber` must be a number, or a list of 1 to 32 of them by bit from the most significant down, found an empty list",
        ),
    ]);
}

#[test]
fn keys_that_a_choice_makes_meaningless_are_refused() {
    check(&[
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
z0 = 1
table_points = [[0.8, 0.1]]
"#,
            "c.toml:17:1: `memories.dram.error.z0` does not apply to curve `probit`
c.toml:18:1: `memories.dram.error.table_points` does not apply to curve `probit`",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
p01_share = 0.3
bad_share = 0.1
"#,
            "c.toml:17:1: `memories.dram.error.p01_share` does not apply to direction `flip`
c.toml:18:1: `memories.dram.error.bad_share` does not apply to spatial `iid`",
        ),
        (
            r#"technology = "sram"
[memories.dram.error]
preset = "sram.14nm.stutz21"
v = 0.875
curve = "table"
spatial = "column"
column_sigma = 0.01
"#,
            "c.toml:14:1: missing key `memories.dram.error.column_ratio`
    help: the standard deviation of what the cells of a column share over that of shared and own part together; no preset states it
c.toml:19:1: `memories.dram.error.column_sigma` does not apply to curves other than `probit`: give `column_ratio`",
        ),
        (
            r#"technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
cell_layout = "half"
refresh_interval_ms = 1000
b1 = 0.1
row_block = 512
"#,
            "c.toml:12:1: memory `dram` is refreshed by each access to a row, but how often its rows are read is unknown
    help: say how often the network runs: `inferences_per_second` in [workload]; or how fast the memory is: [memories.dram.energy]; or set `memories.dram.error.access_refreshes` = false
c.toml:18:1: `memories.dram.error.b1` does not apply to retention `log_normal`
c.toml:19:1: `memories.dram.error.row_block` does not apply to cell_layout other than `row_blocks`",
        ),
    ]);
}

//! Every message, as printed.

use super::sample::{Folder, TEXT, network};

/// Checks what is printed for the sample with one text replaced by another: (replaced, replacement, printed).
#[track_caller]
pub(super) fn check(cases: &[(&str, &str, &str)]) {
    let folder = Folder::new();
    for (replaced, replacement, expected) in cases {
        assert!(TEXT.contains(replaced), "the sample has {replaced:?}");
        let found = folder.problems(&TEXT.replacen(replaced, replacement, 1), &[]);
        assert_eq!(found, *expected, "{replaced:?} → {replacement:?}\n--- found\n{found}\n---");
    }
}

#[test]
fn every_mistake_is_reported_at_once_in_the_order_of_the_text() {
    let folder = Folder::new();
    let text = TEXT
        .replace("scale =", "scal =")
        .replace("bits = 16", "bits = 40")
        .replace("ber = 1e-3", "ber = -1")
        .replace("\"weight_fc1\" = 8", "\"weight_fc9\" = 8")
        .replace("[\"dram\"]", "[\"dram\", \"sram\"]")
        .replace("labels.gz", "gone.gz")
        .replace("[experiment]", "[experimnt]");
    let mut document = folder.parse(&text).unwrap();
    document.assign("--seed", "experiment.seed=-7").unwrap();
    document.set("memories.dram.lifetime=always").unwrap();
    let problems = document.resolve(&network()).unwrap_err();
    let places: Vec<_> = problems
        .0
        .iter()
        .map(|problem| (problem.source.name.rsplit('/').next().unwrap(), problem.line(), problem.column()))
        .collect();
    let expected = [
        ("c.toml", 7, 10),
        ("c.toml", 8, 1),
        ("c.toml", 10, 39),
        ("c.toml", 15, 7),
        ("c.toml", 17, 1),
        ("c.toml", 19, 23),
        ("c.toml", 20, 2),
        ("--seed", 1, 17),
        ("--set", 1, 24),
    ];
    assert_eq!(places, expected, "{problems}");
}

#[test]
fn the_second_place_is_marked_too() {
    let folder = Folder::new();
    for (replaced, replacement, first, second) in [
        ("\"bias_*\"", "\"*weight_*\"", "\"*weight_*\"", "\"weight_*\""),
        ("\"bias_*\" = \"fp16\"", "neuron_fc1 = \"fp16\"\nneuron_fc2 = \"bf16\"", "neuron_fc2", "neuron_fc1"),
    ] {
        let problems = folder.resolve(&TEXT.replace(replaced, replacement), &[]).unwrap_err().0;
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        let [related] = &problem.related[..] else { panic!("{problem:?}") };
        assert_eq!(&problem.source.text[problem.span.clone()], first);
        assert_eq!(&related.source.text[related.span.clone()], second);
    }
    let refusal = folder.parse(TEXT).unwrap().set("memories.dram.ber.x=1").unwrap_err();
    assert_eq!(&*refusal.0[0].related[0].source.text, TEXT, "the place in the file");
}

#[test]
fn unknown_keys_and_tables_name_the_nearest_and_all_valid_ones() {
    check(&[
        (
            "protected_msbs",
            "protectd_msbs",
            "c.toml:14:1: unknown key `protectd_msbs` in [memories.dram]
    help: did you mean `protected_msbs`? valid keys: `technology`, `protected_msbs`, `lifetime`, `ber`, `preset`, `ser_fit_per_mbit`, `protection`, `capacity_bytes`, `banks`, `row_bytes`, `column_bits`, `interleave`",
        ),
        (
            "[placement]",
            "[placment]",
            "c.toml:18:2: unknown table [placment]
    help: did you mean `placement`? valid tables: `network`, `dataset`, `formats`, `memories`, `link`, `placement`, `workload`, `accelerator`, `trace`, `experiment`, `resilience`",
        ),
        (
            "[experiment]",
            "[zzz]",
            "c.toml:20:2: unknown table [zzz]
    help: valid tables: `network`, `dataset`, `formats`, `memories`, `link`, `placement`, `workload`, `accelerator`, `trace`, `experiment`, `resilience`",
        ),
        (
            "[network]",
            "[netwrk]",
            "c.toml:1:1: missing table [network]
    help: `network.definition` names the file that defines the network
c.toml:1:2: unknown table [netwrk]
    help: did you mean `network`? valid tables: `network`, `dataset`, `formats`, `memories`, `link`, `placement`, `workload`, `accelerator`, `trace`, `experiment`, `resilience`",
        ),
        (
            "ber = 1e-3",
            "ber = 1e-3
vdd = 0.7",
            "c.toml:16:1: unknown key `vdd` in [memories.dram]
    help: valid keys: `technology`, `protected_msbs`, `lifetime`, `ber`, `preset`, `ser_fit_per_mbit`, `protection`, `capacity_bytes`, `banks`, `row_bytes`, `column_bits`, `interleave`",
        ),
        (
            "trials = 10",
            "trials = 10
[link]
round = 1",
            "c.toml:23:1: unknown key `round` in [link]
    help: did you mean `rounding`? valid keys: `rounding`, `bits`, `layout`, `granule_bytes`, `tag_bits`, `block_words`, `io_pj_per_bit`, `pack_pj_per_word`",
        ),
        (
            "[network]
",
            "seed = 3
[network]
",
            "c.toml:1:1: unknown key `seed` at the top level
    help: valid tables: `network`, `dataset`, `formats`, `memories`, `link`, `placement`, `workload`, `accelerator`, `trace`, `experiment`, `resilience`",
        ),
    ]);
}

#[test]
fn wrong_types_and_ranges_say_what_is_expected() {
    check(&[
        (
            "trials = 10",
            r#"trials = "ten""#,
            r#"c.toml:21:10: `experiment.trials` must be an integer from 1 to 1000000, found the string "ten""#,
        ),
        (
            "trials = 10",
            "trials = 10.0",
            "c.toml:21:10: `experiment.trials` must be an integer from 1 to 1000000, found the float 10.0",
        ),
        (
            "trials = 10",
            "trials = 0",
            "c.toml:21:10: `experiment.trials` must be an integer from 1 to 1000000, found the integer 0",
        ),
        (
            "trials = 10",
            "trials = 99999999999999999999999999999999999999999999999",
            "c.toml:21:10: `experiment.trials` must be an integer from 1 to 1000000, found the integer 99999999999999999999999999999999999999999999999",
        ),
        (
            "trials = 10",
            "trials = 1979-05-27",
            "c.toml:21:10: `experiment.trials` must be an integer from 1 to 1000000, found a date or time",
        ),
        (
            "ber = 1e-3",
            "ber = 2",
            "c.toml:15:7: `memories.dram.ber` must be a number from 0 to 1, found the integer 2",
        ),
        (
            "ber = 1e-3",
            "ber = -1e-9",
            "c.toml:15:7: `memories.dram.ber` must be a number from 0 to 1, found the float -1e-9",
        ),
        (
            "ber = 1e-3",
            "ber = nan",
            "c.toml:15:7: `memories.dram.ber` must be a number from 0 to 1, found the float nan",
        ),
        (
            "ber = 1e-3",
            "ber = 1e999",
            "c.toml:15:7: `memories.dram.ber` must be a number from 0 to 1, found the float 1e999",
        ),
        (
            "ber = 1e-3",
            r#"ber = "1e-3""#,
            r#"c.toml:15:7: `memories.dram.ber` must be a number from 0 to 1, found the string "1e-3""#,
        ),
        (
            "protected_msbs = 3",
            "protected_msbs = 33",
            "c.toml:14:18: `memories.dram.protected_msbs` must be an integer from 0 to 32, found the integer 33",
        ),
        (
            "trials = 10",
            "seed = -1
images = 0
calibration_images = 0
rpa_floor = 1.1",
            "c.toml:21:8: `experiment.seed` must be an integer of at least 0, found the integer -1
c.toml:22:10: `experiment.images` must be an integer of at least 1, found the integer 0
c.toml:23:22: `experiment.calibration_images` must be an integer of at least 1, found the integer 0
c.toml:24:13: `experiment.rpa_floor` must be a number from 0 to 1, found the float 1.1",
        ),
        (
            "trials = 10",
            "seed = 9223372036854775808",
            "c.toml:21:8: `experiment.seed` must be an integer from 0 to 9223372036854775807, found the integer 9223372036854775808",
        ),
        (
            "[memories.dram]",
            "[memories]
sram = 3
[memories.dram]",
            "c.toml:13:8: `memories.sram` must be a table, found the integer 3",
        ),
        (
            "protected_msbs = 3",
            r#"lifetime = "permanant""#,
            r#"c.toml:14:12: `memories.dram.lifetime` must be one of `permanent`, `transient`, found the string "permanant"
    help: did you mean `permanent`?"#,
        ),
    ]);
}

#[test]
fn missing_keys_are_described() {
    check(&[
        (
            "ber = 1e-3
",
            "",
            "c.toml:12:1: missing key `memories.dram.ber`
    help: the probability that a stored bit is read wrong, 0 to 1, or a list by bit from the most significant down; presets that state it: `stt.delta30`, `stt.delta25`, `pcm.mlc4.t035`, `pcm.mlc4.t040`, `pcm.mlc4.t045`, `pcm.mlc4.t050`, `pcm.mlc4.t060`, `edram.rana18`, `enerj.sram.mild`, `enerj.sram.medium`, `enerj.sram.aggressive`, `enerj.dram.mild`, `enerj.dram.medium`, `enerj.dram.aggressive`",
        ),
        (
            r#"technology = "uniform"
"#,
            "",
            "c.toml:12:1: missing key `memories.dram.technology`
    help: `uniform`, `sram` or `dram`: what its cells are",
        ),
        (
            r#"definition = "net.prototxt"
"#,
            "",
            "c.toml:1:1: missing key `network.definition`
    help: the file that defines the network, for example a .prototxt",
        ),
        (
            r#"kind = "mnist"
images = "images.gz"
"#,
            "",
            "c.toml:4:1: missing key `dataset.kind`
    help: the kind of the files: one of `mnist`, `cifar10`, `images`, `npy`
c.toml:4:1: missing key `dataset.images`
    help: the file that holds the images",
        ),
        (
            ", bits = 16 }",
            " }",
            r#"c.toml:10:14: missing key `formats."weight_*".bits`
    help: the width of a fixed-point word, 1 to 32, the sign bit counted"#,
        ),
        (
            r#"kind = "fixed", "#,
            "",
            r#"c.toml:10:14: missing key `formats."weight_*".kind`
    help: one of `fp32`, `fp16`, `bf16`, `fixed`, `int8`: how a value is stored as bits"#,
        ),
    ]);
}

#[test]
fn files_must_be_there() {
    check(&[
        (
            "net.caffemodel",
            "no.caffemodel",
            "c.toml:3:11: `network.weights`: cannot read the file no.caffemodel: it does not exist
    help: relative paths start at the folder of the configuration file",
        ),
        (
            r#""net.caffemodel""#,
            r#"".""#,
            "c.toml:3:11: `network.weights`: cannot read the file .: it is a folder
    help: relative paths start at the folder of the configuration file",
        ),
        (
            r#""net.caffemodel""#,
            r#""""#,
            r#"c.toml:3:11: `network.weights` must be the path of a file, found the string """#,
        ),
        (
            "net.caffemodel",
            r"x\u0000y",
            r#"c.toml:3:11: `network.weights` must be the path of a file, found the string "x\0y""#,
        ),
        (
            r#""images.gz""#,
            "3",
            "c.toml:6:10: `dataset.images` must be a string: the path of a file, found the integer 3",
        ),
        (
            r#"kind = "mnist""#,
            r#"kind = "minst""#,
            r#"c.toml:5:8: `dataset.kind` must be one of `mnist`, `cifar10`, `images`, `npy`, found the string "minst"
    help: did you mean `mnist`?"#,
        ),
    ]);
}

#[test]
fn preprocessing_is_finite_and_fits_the_channels() {
    check(&[
        (
            "scale = 0.00390625",
            "scale = 0
mean = [0.5, inf]
std = [0, true]",
            "c.toml:8:9: `dataset.scale` must be a finite binary32 number other than 0, found the integer 0
c.toml:9:8: `dataset.mean` lists 2 numbers, but the network's input has 1 channel
    help: give one number, or one per channel
c.toml:9:14: `dataset.mean` must be a finite binary32 number, found the float inf
c.toml:10:7: `dataset.std` lists 2 numbers, but the network's input has 1 channel
    help: give one number, or one per channel
c.toml:10:8: `dataset.std` must be a finite binary32 number other than 0, found the integer 0
c.toml:10:11: `dataset.std` must be a finite binary32 number other than 0, found the boolean true",
        ),
        (
            "scale = 0.00390625",
            "mean = [1, 2, 3]
std = []",
            "c.toml:8:8: `dataset.mean` lists 3 numbers, but the network's input has 1 channel
    help: give one number, or one per channel
c.toml:9:7: `dataset.std` must be a finite binary32 number other than 0, or a list of one per channel, found an empty list",
        ),
        (
            "scale = 0.00390625",
            "scale = 1e39
std = 1e-60",
            "c.toml:8:9: `dataset.scale` must be a finite binary32 number other than 0, found the float 1e39
c.toml:9:7: `dataset.std` must be a finite binary32 number other than 0, or a list of one per channel, found the float 1e-60",
        ),
    ]);
}

#[test]
fn syntax_errors_have_their_place() {
    check(&[
        (
            "trials = 10",
            "trials = 10
trials = 11",
            "c.toml:22:1: TOML syntax: duplicate key",
        ),
        (
            "trials = 10",
            "trials 10
seed 1",
            "c.toml:21:8: TOML syntax: key with no value, expected `=`
c.toml:22:6: TOML syntax: key with no value, expected `=`",
        ),
        (
            "bits = 16 }",
            "bits = 16 ",
            "c.toml:11:1: TOML syntax: missing comma between key-value pairs, expected `,`
    help: is a `{` before this place not closed?",
        ),
        (r#""uniform""#, r#""uniform"#, r#"c.toml:13:22: TOML syntax: invalid basic string, expected `"`"#),
        ("[placement]", "[placement", "c.toml:18:11: TOML syntax: unclosed table, expected `]`"),
        (
            "[network]
",
            "",
            "c.toml:1:1: unknown key `definition` at the top level
    help: valid tables: `network`, `dataset`, `formats`, `memories`, `link`, `placement`, `workload`, `accelerator`, `trace`, `experiment`, `resilience`
c.toml:1:1: missing table [network]
    help: `network.definition` names the file that defines the network
c.toml:2:1: unknown key `weights` at the top level
    help: valid tables: `network`, `dataset`, `formats`, `memories`, `link`, `placement`, `workload`, `accelerator`, `trace`, `experiment`, `resilience`",
        ),
    ]);
}

#[test]
fn overrides_are_quoted_as_typed() {
    let folder = Folder::new();
    for (assignment, expected) in [
        (
            "memories.dram.ber=2",
            "--set:1:19: `memories.dram.ber` must be a number from 0 to 1, found the integer 2",
        ),
        (
            "memories.dram.ber",
            "--set:1:18: expected `key=value`, found no `=`
    help: write `dotted.key=value`, for example `memories.dram.ber=1e-3`",
        ),
        (
            "memories.dram.ber.x=1",
            "--set:1:15: `memories.dram.ber` is the float 1e-3, not a table: it has no keys",
        ),
        (
            "memories.dram.bre=1",
            "--set:1:15: unknown key `bre` in [memories.dram]
    help: did you mean `ber`? valid keys: `technology`, `protected_msbs`, `lifetime`, `ber`, `preset`, `ser_fit_per_mbit`, `protection`, `capacity_bytes`, `banks`, `row_bytes`, `column_bits`, `interleave`",
        ),
        ("a.b=[1", "--set:1:7: TOML syntax: unclosed array, expected `]`"),
        (
            "formats.bias_*.bits=8",
            r#"--set:1:9: `formats."bias_*"` is the string "fp16", not a table: it has no keys"#,
        ),
        (
            "network.weights=gone.caffemodel",
            "--set:1:17: `network.weights`: cannot read the file gone.caffemodel: it does not exist
    help: relative paths start at the working directory",
        ),
        (
            "memories..x=1",
            "--set:1:10: a name is missing in the key
    help: write `dotted.key=value`, for example `memories.dram.ber=1e-3`",
        ),
        (
            "formats.weight_fc9.bits=3",
            r#"--set:1:9: missing key `formats.weight_fc9.kind`
    help: one of `fp32`, `fp16`, `bf16`, `fixed`, `int8`: how a value is stored as bits
--set:1:9: pattern "weight_fc9" in [formats] matches no data subset
    help: the nearest data subset is `weight_fc1`"#,
        ),
        ("experiment=3", "--set:1:12: `experiment` must be a table, found the integer 3"),
        (
            "memories.dram.technology=",
            "--set:1:25: the value is missing after `=`
    help: write `dotted.key=value`, for example `memories.dram.ber=1e-3`",
        ),
        (
            "experiment.trials=many words",
            r#"--set:1:19: `experiment.trials` must be an integer from 1 to 1000000, found the string "many words""#,
        ),
        (
            r#"formats."weight_fc2".kind="fp"#,
            r#"--set:1:30: TOML syntax: invalid basic string, expected `"`"#,
        ),
    ] {
        assert_eq!(folder.problems(TEXT, &[assignment]), expected, "{assignment}");
    }
}

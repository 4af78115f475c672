//! Messages about words, memories and paths, as printed.

use super::message_tests::check;

#[test]
fn formats_take_the_keys_of_their_kind() {
    check(&[
        (
            "bits = 16 }",
            r#"bits = 16, scale = "tensor" }"#,
            r#"c.toml:10:43: `formats."weight_*".scale` does not apply to kind `fixed`
    help: `scale` is a key of kind `int8`"#,
        ),
        (
            r#""fp16""#,
            r#"{ kind = "int8", bits = 8, rounding = "floor" }"#,
            r#"c.toml:11:29: `formats."bias_*".bits` does not apply to kind `int8`
    help: `bits` is a key of kind `fixed`
c.toml:11:39: `formats."bias_*".rounding` does not apply to kind `int8`
    help: `rounding` is a key of kind `fp16`, `bf16`, `fixed`"#,
        ),
        (
            r#""fp16""#,
            r#"{ kind = "fp32", rounding = "floor" }"#,
            r#"c.toml:11:29: `formats."bias_*".rounding` does not apply to kind `fp32`
    help: `rounding` is a key of kind `fp16`, `bf16`, `fixed`"#,
        ),
        (
            "bits = 16 }",
            "bits = 33 }",
            r#"c.toml:10:39: `formats."weight_*".bits` must be an integer from 1 to 32, found the integer 33"#,
        ),
        (
            "bits = 16 }",
            r#"bits = 16, binary_point = "subst" }"#,
            r#"c.toml:10:58: `formats."weight_*".binary_point` must be `subset`, `network` or an integer from -126 to 128, found the string "subst""#,
        ),
        (
            "bits = 16 }",
            "bits = 16, binary_point = 129 }",
            r#"c.toml:10:58: `formats."weight_*".binary_point` must be an integer from -126 to 128, found the integer 129"#,
        ),
        (
            "bits = 16 }",
            r#"bits = 16, rounding = "nearest" }"#,
            r#"c.toml:10:54: `formats."weight_*".rounding` must be one of `nearest_even`, `floor`, `zero`, found the string "nearest"
    help: did you mean `nearest_even`?"#,
        ),
        (
            r#"kind = "fixed""#,
            r#"kind = "fixd""#,
            r#"c.toml:10:23: `formats."weight_*".kind` must be one of `fp32`, `fp16`, `bf16`, `fixed`, `int8`, found the string "fixd"
    help: did you mean `fixed`?"#,
        ),
        (
            r#""fp16""#,
            r#""fixed""#,
            r#"c.toml:11:12: `formats."bias_*"`: a fixed-point word needs its width
    help: write { kind = "fixed", bits = 16 }"#,
        ),
        (
            r#""fp16""#,
            "16",
            r#"c.toml:11:12: `formats."bias_*"` must be a table such as { kind = "fixed", bits = 16 } or the name of a kind, found the integer 16"#,
        ),
        (
            r#""bias_*" = "fp16""#,
            r#""neuron_*" = { kind = "int8", scale = "channel" }"#,
            r#"c.toml:11:39: `formats."neuron_*"`: a scale per channel is for weights and biases, but the pattern decides for `neuron_conv1/5x5`
    help: use scale = "tensor" for `neuron_*`"#,
        ),
        (
            r#""bias_*" = "fp16""#,
            r#""bias_*" = { kind = "int8", scale = "model" }"#,
            r#"c.toml:11:37: `formats."bias_*"`: the scale of the model is for data subsets that the network definition quantises, but the pattern decides for `bias_conv1/5x5`
    help: use scale = "tensor", or name the quantised data subsets only"#,
        ),
    ]);
}

#[test]
fn patterns_must_match_and_not_tie() {
    check(&[
        (
            r#""weight_*" = ["dram"]"#,
            r#""weight_*" = ["dram"]
"neuron_fc3" = ["dram"]"#,
            r#"c.toml:20:1: pattern "neuron_fc3" in [placement] matches no data subset
    help: the nearest data subset is `neuron_fc1`"#,
        ),
        (
            r#""bias_*""#,
            r#""weight_conv2*""#,
            r#"c.toml:11:1: pattern "weight_conv2*" in [formats] matches no data subset
    help: the nearest data subset is `weight_conv1/5x5`"#,
        ),
        (
            r#""bias_*""#,
            r#""*weight_*""#,
            r#"c.toml:11:1: patterns "weight_*" and "*weight_*" in [formats] are equally specific for data subset `weight_conv1/5x5`
    help: decide with a line of its own: "weight_conv1/5x5" = …"#,
        ),
        (
            r#""bias_*" = "fp16""#,
            r#""*weight_*" = "fp16"
"**weight_*" = "fp16""#,
            r#"c.toml:11:1: patterns "weight_*" and "*weight_*" in [formats] are equally specific for data subset `weight_conv1/5x5`
    help: decide with a line of its own: "weight_conv1/5x5" = …
c.toml:12:1: patterns "weight_*" and "**weight_*" in [formats] are equally specific for data subset `weight_conv1/5x5`
    help: decide with a line of its own: "weight_conv1/5x5" = …"#,
        ),
        (
            r#""weight_fc1" = 8"#,
            r#""weight_fc1" = 8
"weight_fc_" = 4"#,
            r#"c.toml:18:1: pattern "weight_fc_" in [link.bits] matches no data subset
    help: the nearest data subset is `weight_fc1`"#,
        ),
    ]);
}

#[test]
fn technologies_are_listed() {
    check(&[
        (
            r#"technology = "uniform""#,
            r#"technology = "unifrom""#,
            r#"c.toml:13:14: `memories.dram.technology` must be one of `uniform`, `sram`, `dram`, found the string "unifrom"
    help: did you mean `uniform`?"#,
        ),
        (
            r#"technology = "uniform""#,
            r#"technology = "mram"
vdd = 1"#,
            r#"c.toml:13:14: `memories.dram.technology` must be one of `uniform`, `sram`, `dram`, found the string "mram"
    help: did you mean `sram`?"#,
        ),
        (
            "[memories.dram]",
            "[memories.link]",
            r#"c.toml:12:11: a memory cannot be called `link`: in a path that is the off-chip link
    help: choose another name; the link's own settings stand in [link]
c.toml:19:15: `placement."weight_*"` names the unknown stop "dram"
    help: valid stops: `link`"#,
        ),
    ]);
}

#[test]
fn paths_name_memories_and_the_link() {
    check(&[
        (
            r#"["dram"]"#,
            r#"["drm"]"#,
            r#"c.toml:19:15: `placement."weight_*"` names the unknown stop "drm"
    help: did you mean `dram`? valid stops: `dram`, `link`"#,
        ),
        (
            r#"["dram"]"#,
            r#"["dram", "dram"]"#,
            r#"c.toml:19:23: `placement."weight_*"` names the stop "dram" twice in a row: a word that returns has been elsewhere"#,
        ),
        (
            r#"["dram"]"#,
            r#"["dram", "link", "dram", "link", "link"]"#,
            r#"c.toml:19:47: `placement."weight_*"` names the stop "link" twice in a row: a word that returns has been elsewhere"#,
        ),
        (
            r#"["dram"]"#,
            r#"["dram", "link", "dram", "link", "dram", "link", "dram", "link", "dram", "link", "dram", "link", "dram", "link", "dram", "link", "dram"]"#,
            r#"c.toml:19:14: `placement."weight_*"` must be a list of at most 16 stops, found 17"#,
        ),
        (
            r#"["dram"]"#,
            r#"["link", "dram"]"#,
            r#"c.toml:19:15: `placement."weight_*"` starts with `link`: the home memory comes first"#,
        ),
        (
            r#"["dram"]"#,
            "[]",
            r#"c.toml:19:14: `placement."weight_*"` must be a list of at least one stop, found an empty list
    help: leave the line out: what is not placed rests in precise memory"#,
        ),
        (
            r#"["dram"]"#,
            r#""dram""#,
            r#"c.toml:19:14: `placement."weight_*"` must be a list of stops such as ["dram", "link"], found the string "dram""#,
        ),
        (
            r#"["dram"]"#,
            "[1]",
            r#"c.toml:19:15: `placement."weight_*"` must be a list of names of memories, found the integer 1"#,
        ),
    ]);
}

#[test]
fn words_have_as_many_bits_as_are_protected_or_moved() {
    check(&[
        (
            "protected_msbs = 3",
            "protected_msbs = 17",
            "c.toml:14:18: memory `dram` protects 17 bits of each word, but a word of `weight_conv1/5x5` has 16 bits there
    help: protect at most 16 bits, or place `weight_conv1/5x5` in another memory",
        ),
        (
            r#"protected_msbs = 3
ber = 1e-3
[link.bits]
"weight_fc1" = 8
[placement]
"weight_*" = ["dram"]"#,
            r#"protected_msbs = 9
ber = 1e-3
[memories.far]
technology = "uniform"
protected_msbs = 16
ber = 0
[link.bits]
"weight_fc1" = 8
[placement]
"weight_*" = ["far", "link", "dram"]"#,
            "c.toml:14:18: memory `dram` protects 9 bits of each word, but a word of `weight_fc1` has 8 bits there
    help: protect at most 8 bits, or place `weight_fc1` in another memory",
        ),
        (
            r#""weight_fc1" = 8"#,
            r#""weight_fc1" = 17"#,
            "c.toml:17:16: `link.bits.weight_fc1`: the 16-bit word of `weight_fc1` can be narrowed to 1 to 16 bits, not to 17",
        ),
        (
            r#""weight_fc1" = 8"#,
            r#""bias_*" = 5"#,
            r#"c.toml:17:12: `link.bits."bias_*"`: the 16-bit word of `bias_conv1/5x5` can be narrowed to 6 to 16 bits, not to 5"#,
        ),
        (
            r#""weight_fc1" = 8"#,
            r#""neuron_pool1" = 8"#,
            "c.toml:17:18: `link.bits.neuron_pool1`: the 32-bit word of `neuron_pool1` can be narrowed to 9 to 32 bits, not to 8",
        ),
        (
            r#""weight_fc1" = 8"#,
            r#""weight_fc1" = 0"#,
            "c.toml:17:16: `link.bits.weight_fc1` must be an integer from 1 to 32, found the integer 0",
        ),
    ]);
}

#[test]
fn readers_of_one_blob_agree() {
    check(&[
        (
            r#""bias_*" = "fp16""#,
            r#""neuron_fc1" = "fp16"
"neuron_fc2" = "bf16""#,
            "c.toml:12:1: `neuron_fc1` and `neuron_fc2` are one stored tensor, but have different formats
    help: several layers read it: give all of them the same",
        ),
        (
            r#""bias_*" = "fp16""#,
            r#""neuron_fc1" = "fp16""#,
            "c.toml:11:1: `neuron_fc1` and `neuron_fc2` are one stored tensor, but have different formats
    help: several layers read it: give all of them the same",
        ),
        (
            r#""weight_fc1" = 8"#,
            r#""neuron_fc2" = 12"#,
            "c.toml:17:1: `neuron_fc1` and `neuron_fc2` are one stored tensor, but have different widths on the link
    help: several layers read it: give all of them the same",
        ),
        (
            r#""weight_fc1" = 8"#,
            r#""neuron_fc2" = 32"#,
            "c.toml:17:1: `neuron_fc1` and `neuron_fc2` are one stored tensor, but have different paths
    help: several layers read it: give all of them the same",
        ),
        (
            r#"["dram"]"#,
            r#"["dram"]
neuron_fc1 = ["dram"]"#,
            "c.toml:20:1: `neuron_fc1` and `neuron_fc2` are one stored tensor, but have different paths
    help: several layers read it: give all of them the same",
        ),
    ]);
}

//! Messages about the accelerator, as printed.

#![expect(clippy::too_many_lines, reason = "tables of mistakes and their messages")]

use super::super::sample::Folder;
use super::tests::TEXT;

/// Checks what is printed for the sample with one text replaced by another: (replaced, replacement, printed).
#[track_caller]
fn check(cases: &[(&str, &str, &str)]) {
    let folder = Folder::new();
    for (replaced, replacement, expected) in cases {
        assert!(TEXT.contains(replaced), "the sample has {replaced:?}");
        let found = folder.problems(&TEXT.replacen(replaced, replacement, 1), &[]);
        assert_eq!(found, *expected, "{replaced:?} → {replacement:?}\n--- found\n{found}\n---");
    }
}

#[test]
fn missing_keys_and_tables_say_what_they_mean() {
    check(&[
        ("clock_mhz = 200\n", "\n", "c.toml:1:1: missing key `accelerator.clock_mhz`
    help: the clock of array and buffers in MHz: without it DRAM time is no number of cycles"),
        ("rows = 12\ncolumns = 14\n", "\n\n", "c.toml:1:1: missing key `accelerator.rows`
    help: the rows of the array of processing elements
c.toml:1:1: missing key `accelerator.columns`
    help: the columns of the array of processing elements"),
        ("dataflow = \"output_stationary\"\n", "\n", "c.toml:1:1: missing key `accelerator.dataflow`
    help: `output_stationary`, `weight_stationary` or `input_stationary`: which operand stays in place"),
        ("filter = \"global_buffer\"\n", "\n", "c.toml:9:1: missing key `accelerator.buffers.filter`
    help: the memory that holds weights and biases on chip"),
        (
            "[accelerator.buffers]\nifmap = \"global_buffer\"\nfilter = \"global_buffer\"\nofmap = \"global_buffer\"\n",
            "",
            "c.toml:1:1: missing table [accelerator.buffers]
    help: it names the memories that hold `ifmap`, `filter` and `ofmap` on chip; one name may stand three times",
        ),
        ("[accelerator.dram]\nmemory = \"dram\"\naddress_map = \"rochrabacobg\"\n", "", r#"c.toml:1:1: missing table [accelerator.dram]
    help: it describes the memory off chip; `dram = "none"` in [accelerator] says that there is none"#),
        ("memory = \"dram\"\naddress_map = \"rochrabacobg\"\n", "\n\n", "c.toml:13:1: missing key `accelerator.dram.memory`
    help: the memory off chip, of technology `dram` with its data sheet
c.toml:13:1: missing key `accelerator.dram.address_map`
    help: which bits of an address choose row, bank and column: `rochrabacobg` interleaves bank groups"),
        ("preset = \"horowitz.45nm\"\n", "fp32_add_pj = 0.9\n", "c.toml:16:1: [accelerator.energy] lacks `int32_mult_pj`, `int32_add_pj`, `fp16_mult_pj`, `fp16_add_pj`, `bf16_mult_pj`, `bf16_add_pj`, `fp32_mult_pj`, `register_read_pj_per_bit`, `register_write_pj_per_bit`
    help: name a preset that has them: `horowitz.45nm`"),
        ("conv1/5x5\" = { images = 1, rows = 8, ", "conv1/5x5\" = { ", r#"c.toml:8:15: missing key `accelerator.tilings."conv1/5x5".images`
    help: images of a tile
c.toml:8:15: missing key `accelerator.tilings."conv1/5x5".rows`
    help: rows of what is stored of a tile"#),
    ]);
}

#[test]
fn unknown_keys_and_names_tell_the_nearest() {
    check(&[
        ("clock_mhz", "clock_mz", "c.toml:1:1: missing key `accelerator.clock_mhz`
    help: the clock of array and buffers in MHz: without it DRAM time is no number of cycles
c.toml:2:1: unknown key `clock_mz` in [accelerator]
    help: did you mean `clock_mhz`? valid keys: `clock_mhz`, `rows`, `columns`, `dataflow`, `fold_overlap`, `fully_connected`, `elementwise_lanes`, `batch`, `partial_sum_bits`, `buffering`, `fuse`, `keep_on_chip`, `tiling`, `fidelity`, `tilings`, `buffers`, `dram`, `energy`"),
        ("[accelerator.buffers]", "[accelerator.buffer]", "c.toml:1:1: missing table [accelerator.buffers]
    help: it names the memories that hold `ifmap`, `filter` and `ofmap` on chip; one name may stand three times
c.toml:9:14: unknown key `buffer` in [accelerator]
    help: did you mean `buffers`? valid keys: `clock_mhz`, `rows`, `columns`, `dataflow`, `fold_overlap`, `fully_connected`, `elementwise_lanes`, `batch`, `partial_sum_bits`, `buffering`, `fuse`, `keep_on_chip`, `tiling`, `fidelity`, `tilings`, `buffers`, `dram`, `energy`"),
        ("filter = \"global_buffer\"", "weight = \"global_buffer\"", "c.toml:9:1: missing key `accelerator.buffers.filter`
    help: the memory that holds weights and biases on chip
c.toml:11:1: unknown key `weight` in [accelerator.buffers]
    help: valid keys: `ifmap`, `filter`, `ofmap`, `ports`, `port_bits`"),
        ("filter = \"global_buffer\"", "filter = \"globl_buffer\"", r#"c.toml:11:10: `accelerator.buffers.filter` names the unknown memory "globl_buffer"
    help: did you mean `global_buffer`? memories: `global_buffer`, `dram`, `old_dram`, `scratch`, `plain`"#),
        ("memory = \"dram\"", "memory = \"dran\"", r#"c.toml:14:10: `accelerator.dram.memory` names the unknown memory "dran"
    help: did you mean `dram`? memories: `global_buffer`, `dram`, `old_dram`, `scratch`, `plain`"#),
        ("address_map = ", "adress_map = ", "c.toml:13:1: missing key `accelerator.dram.address_map`
    help: which bits of an address choose row, bank and column: `rochrabacobg` interleaves bank groups
c.toml:15:1: unknown key `adress_map` in [accelerator.dram]
    help: did you mean `address_map`? valid keys: `memory`, `address_map`, `channels`, `ranks`, `queue_depth`"),
        ("preset = \"horowitz.45nm\"", "preset = \"horowitz.54nm\"", "c.toml:17:10: `accelerator.energy.preset`: there is no preset `horowitz.54nm`
    help: did you mean `horowitz.45nm`? presets for this table: `horowitz.45nm`"),
        ("preset = \"horowitz.45nm\"", "preset = \"cacti7.45nm.hp\"", r#"c.toml:17:10: `accelerator.energy.preset`: the preset `cacti7.45nm.hp` belongs in [memories.NAME.energy] with technology = "sram"
    help: presets for this table: `horowitz.45nm`"#),
        ("preset = \"horowitz.45nm\"", "preset = \"horowitz.45nm\"\nmac_pj = 1", "c.toml:18:1: unknown key `mac_pj` in [accelerator.energy]
    help: valid keys: `preset`, `int32_mult_pj`, `int32_add_pj`, `fp16_mult_pj`, `fp16_add_pj`, `bf16_mult_pj`, `bf16_add_pj`, `fp32_mult_pj`, `fp32_add_pj`, `register_read_pj_per_bit`, `register_write_pj_per_bit`"),
        ("\"conv1/5x5\" =", "\"conv1\" =", "c.toml:8:1: [accelerator.tilings]: there is no layer `conv1` to compute
    help: the nearest layer is `conv1/5x5`"),
        ("\"conv1/5x5\" =", "\"data\" =", "c.toml:8:1: [accelerator.tilings]: there is no layer `data` to compute
    help: the nearest layer is `conv1/5x5`"),
        ("rows = 8,", "row = 8,", r#"c.toml:8:15: missing key `accelerator.tilings."conv1/5x5".rows`
    help: rows of what is stored of a tile
c.toml:8:29: unknown key `row` in [accelerator.tilings."conv1/5x5"]
    help: did you mean `rows`? valid keys: `images`, `rows`, `filters`, `channels`, `order`"#),
        ("fuse = [\"pool*\"]", "fuse = [\"pool*\", \"conv*\"]", r#"c.toml:6:18: `accelerator.fuse`: pattern "conv*" matches no pooling, normalisation or element-wise layer
    help: the nearest layer is `pool1`"#),
        ("file = \"images.gz\"", "path = \"images.gz\"", "c.toml:18:1: missing key `trace.file`
    help: the layer trace: TOML or CSV
c.toml:19:1: unknown key `path` in [trace]
    help: valid keys: `file`"),
    ]);
}

#[test]
fn values_are_of_a_kind_and_in_a_range() {
    check(&[
        (
            "clock_mhz = 200",
            "clock_mhz = 0",
            "c.toml:2:13: `accelerator.clock_mhz` must be a number above 0, at most 1000000 (MHz), found the integer 0",
        ),
        (
            "clock_mhz = 200",
            "clock_mhz = inf",
            "c.toml:2:13: `accelerator.clock_mhz` must be a number above 0, at most 1000000 (MHz), found the float inf",
        ),
        (
            "rows = 12",
            "rows = 0",
            "c.toml:3:8: `accelerator.rows` must be an integer from 1 to 1048576, found the integer 0",
        ),
        (
            "columns = 14",
            "columns = 14.5",
            "c.toml:4:11: `accelerator.columns` must be an integer from 1 to 1048576, found the float 14.5",
        ),
        (
            "columns = 14",
            "columns = 99999999999",
            "c.toml:4:11: `accelerator.columns` must be an integer from 1 to 1048576, found the integer 99999999999",
        ),
        (
            "dataflow = \"output_stationary\"",
            "dataflow = \"output_stationery\"",
            r#"c.toml:5:12: `accelerator.dataflow` must be one of `output_stationary`, `weight_stationary`, `input_stationary`, found the string "output_stationery"
    help: did you mean `output_stationary`?"#,
        ),
        (
            "dataflow = \"output_stationary\"",
            "dataflow = \"output_stationary\"\nfold_overlap = \"pipeline\"",
            r#"c.toml:6:16: `accelerator.fold_overlap` must be one of `none`, `pipelined`, found the string "pipeline"
    help: did you mean `pipelined`?"#,
        ),
        (
            "dataflow = \"output_stationary\"",
            "dataflow = \"output_stationary\"\nfully_connected = \"fast\"",
            r#"c.toml:6:19: `accelerator.fully_connected` must be one of `array`, `vector`, found the string "fast""#,
        ),
        (
            "dataflow = \"output_stationary\"",
            "dataflow = \"output_stationary\"\nelementwise_lanes = 0",
            "c.toml:6:21: `accelerator.elementwise_lanes` must be an integer from 1 to 1048576, found the integer 0",
        ),
        (
            "dataflow = \"output_stationary\"",
            "dataflow = \"output_stationary\"\nbatch = 0",
            "c.toml:6:9: `accelerator.batch` must be an integer from 1 to 4096, found the integer 0",
        ),
        (
            "dataflow = \"output_stationary\"",
            "dataflow = \"output_stationary\"\npartial_sum_bits = 65",
            "c.toml:6:20: `accelerator.partial_sum_bits` must be an integer from 1 to 64, found the integer 65",
        ),
        (
            "dataflow = \"output_stationary\"",
            "dataflow = \"output_stationary\"\nbuffering = \"triple\"",
            r#"c.toml:6:13: `accelerator.buffering` must be one of `double`, `single`, found the string "triple""#,
        ),
        (
            "dataflow = \"output_stationary\"",
            "dataflow = \"output_stationary\"\nkeep_on_chip = 1",
            "c.toml:6:16: `accelerator.keep_on_chip` must be `true` or `false`, found the integer 1",
        ),
        (
            "dataflow = \"output_stationary\"",
            "dataflow = \"output_stationary\"\ntiling = \"best\"",
            r#"c.toml:6:10: `accelerator.tiling` must be one of `least_traffic`, `least_cycles`, found the string "best""#,
        ),
        (
            "dataflow = \"output_stationary\"",
            "dataflow = \"output_stationary\"\nfidelity = \"given\"",
            r#"c.toml:6:12: `accelerator.fidelity` must be one of `analytic`, `replay`, found the string "given""#,
        ),
        (
            "fuse = [\"pool*\"]",
            "fuse = \"pool*\"",
            r#"c.toml:6:8: `accelerator.fuse` must be `true`, `false` or a list of patterns of layer names, found the string "pool*""#,
        ),
        (
            "fuse = [\"pool*\"]",
            "fuse = []",
            "c.toml:6:8: `accelerator.fuse` must be `true`, `false` or a list of patterns of layer names, found an empty list",
        ),
        (
            "fuse = [\"pool*\"]",
            "fuse = [1]",
            "c.toml:6:9: `accelerator.fuse` must be a list of patterns of layer names, found the integer 1",
        ),
        (
            "rows = 8,",
            "rows = 0,",
            r#"c.toml:8:36: `accelerator.tilings."conv1/5x5".rows` must be an integer from 1 to 1099511627776, found the integer 0"#,
        ),
        (
            "\"row_filter_channel\"",
            "\"filter_row\"",
            r#"c.toml:8:74: `accelerator.tilings."conv1/5x5".order` must be one of `row_filter_channel`, `filter_row_channel`, `row_channel_filter`, `filter_channel_row`, `channel_row_filter`, `channel_filter_row`, found the string "filter_row"
    help: did you mean `filter_row_channel`?"#,
        ),
        (
            "{ images = 1, rows = 8, filters = 3, channels = 1, order = \"row_filter_channel\" }",
            "\"best\"",
            r#"c.toml:8:15: `accelerator.tilings."conv1/5x5"` must be a table, found the string "best""#,
        ),
        (
            "ofmap = \"global_buffer\"",
            "ofmap = 3",
            "c.toml:12:9: `accelerator.buffers.ofmap` must be the name of a memory, found the integer 3",
        ),
        (
            "ofmap = \"global_buffer\"",
            "ofmap = \"global_buffer\"\nports = 0",
            "c.toml:13:9: `accelerator.buffers.ports` must be an integer from 1 to 1024, found the integer 0",
        ),
        (
            "ofmap = \"global_buffer\"",
            "ofmap = \"global_buffer\"\nport_bits = -8",
            "c.toml:13:13: `accelerator.buffers.port_bits` must be an integer from 1 to 1048576, found the integer -8",
        ),
        (
            "address_map = \"rochrabacobg\"",
            "address_map = \"rorachbaco\"",
            "c.toml:15:15: [accelerator.dram]: `address_map` = `rorachbaco`: 10 letters instead of 12; it names the fields ro, ch, ra, ba, bg and co once each, most significant first, as in rochrabacobg",
        ),
        (
            "address_map = \"rochrabacobg\"",
            "address_map = \"rochrabacoba\"",
            "c.toml:15:15: [accelerator.dram]: `address_map` = `rochrabacoba`: `ba` stands twice; it names the fields ro, ch, ra, ba, bg and co once each, most significant first, as in rochrabacobg",
        ),
        (
            "address_map = \"rochrabacobg\"",
            "address_map = 12",
            r#"c.toml:15:15: `accelerator.dram.address_map` must be a string such as "rochrabacobg", found the integer 12"#,
        ),
        (
            "address_map = \"rochrabacobg\"",
            "address_map = \"rochrabacobg\"\nranks = 3",
            "c.toml:16:9: `accelerator.dram.ranks` must be a power of two, found 3",
        ),
        (
            "address_map = \"rochrabacobg\"",
            "address_map = \"rochrabacobg\"\nchannels = 128",
            "c.toml:16:12: `accelerator.dram.channels` must be an integer from 1 to 64, found the integer 128",
        ),
        (
            "address_map = \"rochrabacobg\"",
            "address_map = \"rochrabacobg\"\nqueue_depth = 0",
            "c.toml:16:15: `accelerator.dram.queue_depth` must be an integer from 1 to 1024, found the integer 0",
        ),
        (
            "preset = \"horowitz.45nm\"",
            "preset = \"horowitz.45nm\"\nint32_mult_pj = -3.1",
            "c.toml:18:17: `accelerator.energy.int32_mult_pj` must be a number of at least 0, found the float -3.1",
        ),
        (
            "preset = \"horowitz.45nm\"",
            "preset = \"horowitz.45nm\"\nint32_mult_pj = 3100.5",
            "c.toml:18:17: `accelerator.energy.int32_mult_pj` must be a number from 0 to 1000 (pJ), the valid range of `horowitz.45nm`, found the float 3100.5",
        ),
        (
            "file = \"images.gz\"",
            "file = \"gone.csv\"",
            "c.toml:19:8: `trace.file`: cannot read the file gone.csv: it does not exist
    help: relative paths start at the folder of the configuration file",
        ),
        (
            "file = \"images.gz\"",
            "",
            "c.toml:18:1: missing key `trace.file`
    help: the layer trace: TOML or CSV",
        ),
    ]);
}

#[test]
fn memories_fit_what_the_accelerator_makes_of_them() {
    check(&[
        (
            "preset = \"ddr4_2400_8gb_x8\"\n",
            "preset = \"ddr4_2400_8gb_x8\"\ndevices = 3\n",
            "c.toml:14:10: [accelerator.dram]: the number of bytes of a burst is 24: a field of the address needs a power of two",
        ),
        ("filter = \"global_buffer\"", "filter = \"scratch\"", "c.toml:11:10: `accelerator.buffers.filter`: memory `scratch` has no capacity: a buffer is of finite size
    help: give `memories.scratch.capacity_bytes`
c.toml:11:10: `accelerator.buffers.filter`: how many bits a port of memory `scratch` moves per cycle is unknown
    help: give `accelerator.buffers.port_bits`"),
        ("filter = \"global_buffer\"", "filter = \"plain\"", "c.toml:11:10: `accelerator.buffers.filter`: how many bits a port of memory `plain` moves per cycle is unknown
    help: give `accelerator.buffers.port_bits`"),
        ("filter = \"global_buffer\"", "filter = \"scratch\"\nport_bits = 64", "c.toml:11:10: `accelerator.buffers.filter`: memory `scratch` has no capacity: a buffer is of finite size
    help: give `memories.scratch.capacity_bytes`"),
        ("memory = \"dram\"", "memory = \"plain\"", r#"c.toml:14:10: `accelerator.dram.memory`: memory `plain` is no DRAM
    help: name a memory with technology = "dram"; `dram = "none"` in [accelerator] says that there is none"#),
        ("memory = \"dram\"", "memory = \"old_dram\"", r#"c.toml:14:10: `accelerator.dram.memory`: memory `old_dram` has no data sheet: its timing is unknown
    help: give [memories.old_dram.energy], for example with preset = "ddr4_2400_8gb_x8""#),
        ("memory = \"dram\"", "memory = \"global_buffer\"", "c.toml:14:10: `accelerator.dram.memory`: memory `global_buffer` is a buffer: it cannot be off chip, too"),
        ("ofmap = \"global_buffer\"", "ofmap = \"dram\"\nport_bits = 64", "c.toml:12:9: `accelerator.buffers.ofmap`: memory `dram` has no capacity: a buffer is of finite size
    help: give `memories.dram.capacity_bytes`"),
        ("capacity_bytes = 110592", "capacity_bytes = 110593", "c.toml:22:18: `memories.global_buffer.capacity_bytes`: a capacity of 884744 bits is not a whole number of rows of 512 bits in each of 1 bank(s), at least one
    help: a row is 64 bytes (`row_bytes`), in each of 1 bank(s)
c.toml:28:1: missing key `memories.global_buffer.energy.size_bytes`
    help: the size of one bank in bytes; every bank is an array of its own; no preset states it"),
        (
            "[accelerator.dram]\nmemory = \"dram\"\naddress_map = \"rochrabacobg\"\n",
            "[accelerator.dram]\nmemory = 3\naddress_map = \"rochrabacobg\"\n",
            "c.toml:14:10: `accelerator.dram.memory` must be the name of a memory, found the integer 3",
        ),
        (
            "ifmap = \"global_buffer\"\nfilter = \"global_buffer\"\nofmap = \"global_buffer\"\n",
            "ifmap = \"plain\"\nfilter = \"plain\"\nofmap = \"plain\"\n",
            "c.toml:10:9: `accelerator.buffers.ifmap`: how many bits a port of memory `plain` moves per cycle is unknown
    help: give `accelerator.buffers.port_bits`",
        ),
        ("[memories.global_buffer.energy]\npreset = \"cacti7.45nm.hp\"\nrail = \"array_only\"\n", "", "c.toml:10:9: `accelerator.buffers.ifmap`: how many bits a port of memory `global_buffer` moves per cycle is unknown
    help: give `accelerator.buffers.port_bits`, or [memories.global_buffer.energy] with `word_bits`"),
        (
            "fuse = [\"pool*\"]\n[accelerator.tilings]\n\"conv1/5x5\" = { images = 1, rows = 8, filters = 3, channels = 1, order = \"row_filter_channel\" }\n[accelerator.buffers]\nifmap = \"global_buffer\"\nfilter = \"global_buffer\"\nofmap = \"global_buffer\"\n[accelerator.dram]\nmemory = \"dram\"\naddress_map = \"rochrabacobg\"\n[accelerator.energy]\npreset = \"horowitz.45nm\"\n",
            "dram = \"nothing\"\nenergy = \"horowitz\"\nbuffers = \"global_buffer\"\ntilings = \"best\"\n",
            r#"c.toml:6:8: `accelerator.dram` must be a table, or "none" where everything rests on chip, found the string "nothing"
c.toml:7:10: `accelerator.energy` must be a table, found the string "horowitz"
c.toml:8:11: `accelerator.buffers` must be a table, found the string "global_buffer"
c.toml:9:11: `accelerator.tilings` must be a table, found the string "best""#,
        ),
        ("[trace]\nfile = \"images.gz\"\n", "[trace.file]\nname = \"images.gz\"\n", "c.toml:18:1: `trace.file` must be a string: the path of a file, found a table"),
    ]);
}

#[test]
fn every_mistake_is_reported_at_once_in_the_order_of_the_text() {
    let folder = Folder::new();
    let text = TEXT
        .replace("clock_mhz = 200", "clock_mhz = -1")
        .replace("rows = 12", "rows = 0")
        .replace("fuse = [\"pool*\"]", "fuse = [\"poll*\"]")
        .replace("ifmap = \"global_buffer\"", "ifmap = \"scratch\"")
        .replace("rochrabacobg", "rochrabaco")
        .replace("\"conv1/5x5\" =", "\"conv9\" =")
        .replace("horowitz.45nm", "horowitz");
    let problems = folder.resolve(&text, &["accelerator.batch=0"]).unwrap_err();
    let places: Vec<_> = problems
        .0
        .iter()
        .map(|problem| (problem.source.name.rsplit('/').next().unwrap(), problem.line(), problem.column()))
        .collect();
    let expected = [
        ("c.toml", 2, 13),
        ("c.toml", 3, 8),
        ("c.toml", 6, 9),
        ("c.toml", 8, 1),
        ("c.toml", 10, 9),
        ("c.toml", 10, 9),
        ("c.toml", 15, 15),
        ("c.toml", 17, 10),
        ("--set", 1, 19),
    ];
    assert_eq!(places, expected, "{problems}");
}

use super::*;
use crate::accelerator::operation::Kind;
use crate::accelerator::trace::{Bound, Cycles, Fidelity, LayerTrace, Movement, Operand};
use proptest::prelude::*;

const FORMATS: [Format; 2] = [Format::Csv, Format::Toml];

/// The block of the documentation that is marked as `language`.
fn documented(language: &str) -> &'static str {
    let text = include_str!("../../../docs/accelerator-traces.md");
    let (_, block) = text.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```").unwrap().0
}

fn example() -> Trace {
    read(documented("toml"), Format::Toml).unwrap()
}

/// What is said about the documented example after `old` is replaced by `new`, once.
fn mistakes(format: Format, old: &str, new: &str) -> String {
    let text = documented(if format == Format::Csv { "csv" } else { "toml" });
    assert!(text.contains(old), "{old}");
    read(&text.replacen(old, new, 1), format).unwrap_err().to_string()
}

fn of_toml(old: &str, new: &str) -> String {
    mistakes(Format::Toml, old, new)
}

fn of_csv(old: &str, new: &str) -> String {
    mistakes(Format::Csv, old, new)
}

#[test]
fn the_documented_files_are_one_trace() {
    let trace = example();
    assert_eq!(read(documented("csv"), Format::Csv).unwrap(), trace);
    assert_eq!((trace.fidelity, trace.clock_mhz, trace.batch), (Fidelity::Given, 200.0, 1));
    assert_eq!(trace.memories, ["buffer", "dram"]);
    let [conv1, fc3] = &trace.layers[..] else { panic!() };
    assert_eq!((&*conv1.name, conv1.kind, conv1.macs), ("conv1", Kind::Convolution, 86_400));
    assert_eq!(conv1.cycles, Cycles { fill: 1116, compute: 450, stall: 120, drain: 0 });
    assert_eq!(conv1.bound, Bound::Buffer(0));
    assert_eq!(fc3.start_cycle, conv1.cycles.total().unwrap());
    assert_eq!((conv1.movements.len(), fc3.movements.len()), (2, 1));
    let filter = Movement {
        operand: Operand::Filter,
        memory: 0,
        word_bits: 8,
        words_read: 2700,
        words_written: 150,
        bytes_read: 2700,
        bytes_written: 150,
        bursts_read: 338,
        bursts_written: 19,
        activations: 0,
        first_use_cycle: 20,
        last_use_cycle: 1686,
        residency_cycles: 1666,
    };
    assert_eq!(conv1.movements[1], filter);
    assert_eq!(write(&trace, Format::Toml).unwrap(), documented("toml"));
    assert_eq!(write(&trace, Format::Csv).unwrap(), documented("csv"));
}

#[test]
fn names_in_files_are_those_of_results() {
    let of = |value: serde_json::Value| value.as_str().unwrap().to_owned();
    for (kind, name) in fields::KINDS {
        assert_eq!(of(serde_json::to_value(kind).unwrap()), name);
    }
    for (operand, name) in fields::OPERANDS {
        assert_eq!(of(serde_json::to_value(operand).unwrap()), name);
    }
}

#[test]
fn extensions_tell_the_format() {
    assert_eq!(Format::of_extension("CSV"), Some(Format::Csv));
    assert_eq!(Format::of_extension("toml"), Some(Format::Toml));
    assert_eq!(Format::of_extension("json"), None);
}

#[test]
fn wrong_keys_are_named_with_their_place() {
    assert_eq!(
        of_toml("residency_cycles", "residency"),
        "19:5: layer `conv1`, movement 1: `residency_cycles` is missing\n32:5: unknown key `residency`"
            .to_owned()
            + "\n    help: known are `operand`, `memory`, `word_bits`, `words_read`, `words_written`, `bytes_read`, \
               `bytes_written`, `bursts_read`, `bursts_written`, `activations`, `first_use_cycle`, `last_use_cycle`, \
               `residency_cycles`"
    );
    assert_eq!(
        of_toml("stall_cycles", "stal_cycles"),
        "5:1: layer `conv1`: `stall_cycles` is missing\n12:1: unknown key `stal_cycles`\n    help: did you mean `stall_cycles`?"
    );
    assert_eq!(
        of_toml("memories = [\"buffer\", \"dram\"]\n", "").lines().next(),
        Some("1:1: trace: `memories` is missing")
    );
    assert!(of_toml("clock_mhz = 200.0\n", "").contains("1:1: trace: `clock_mhz` is missing"));
    assert!(of_toml("macs", "kind").contains("duplicate key"));
    assert_eq!(
        of_csv("words_read", "words_red"),
        "1:185: unknown column `words_red`\n    help: did you mean `words_read`?\n1:320: the column `words_read` is missing"
    );
    assert!(of_csv("words_read", "words_written").contains("there are two columns `words_written`"));
    assert!(of_csv("macs,", "").contains("the column `macs` is missing"));
}

#[test]
fn wrong_values_are_named_with_their_place() {
    let mut others = Vec::new();
    for (old, new, message) in [
        ("200.0", "-200.0", "1:13: trace: `clock_mhz`: expected a positive number, found `-200.0`"),
        ("200.0", "inf", "1:13: trace: `clock_mhz`: expected a positive number, found `inf`"),
        (
            "200.0",
            "\"200 MHz\"",
            "1:13: trace: `clock_mhz`: expected a positive number, found the string `200 MHz`",
        ),
        ("images = 1", "images = 0", "2:16: trace: `batch_images`: expected at least 1, found 0"),
        (
            "= 86400",
            "= -86400",
            "8:8: layer `conv1`: `macs`: expected an integer from 0 to 2^64 - 1, found `-86400`",
        ),
        ("= 86400", "= 8.64e4", "8:8: layer `conv1`: `macs`: expected an integer, found `8.64e4`"),
        (
            "= 86400",
            "= 18446744073709551616",
            "8:8: layer `conv1`: `macs`: expected an integer from 0 to 2^64 - 1, found `18446744073709551616`",
        ),
        (
            "= 86400",
            "= \"86400\"",
            "8:8: layer `conv1`: `macs`: expected an integer, found the string `86400`",
        ),
        ("= 86400", "= [86400]", "8:8: layer `conv1`: `macs`: expected an integer, found a list"),
        (
            "compute_cycles = 450",
            "compute_cycles = 18446744073709551615",
            "5:1: layer `conv1`: its cycles end beyond 2^64 - 1",
        ),
        (
            "\"convolution\"",
            "\"conv\"",
            "7:8: layer `conv1`: `kind`: expected `convolution`, `fully_connected`, `pooling`, `normalisation`, `elementwise`, found `conv`",
        ),
        (
            "\"array\"",
            "\"sram\"",
            "58:9: layer `fc3`: `bound`: expected `array`, `dram` or `buffer:MEMORY`, found `sram`",
        ),
        (
            "buffer:buffer",
            "buffer:weights",
            "14:9: layer `conv1`: `bound`: unknown memory `weights`\n    help: there is `buffer`, `dram`",
        ),
        (
            "memory = \"dram\"",
            "memory = \"drum\"",
            "21:14: layer `conv1`, movement 1: `memory`: unknown memory `drum`\n    help: there is `buffer`, `dram`",
        ),
        (
            "word_bits = 8",
            "word_bits = 0",
            "22:17: layer `conv1`, movement 1: `word_bits`: expected 1 to 64, found 0",
        ),
        (
            "word_bits = 8",
            "word_bits = 65",
            "22:17: layer `conv1`, movement 1: `word_bits`: expected 1 to 64, found 65",
        ),
        (
            "last_use_cycle = 1686",
            "last_use_cycle = 19",
            "34:5: layer `conv1`, movement 2: its last use, in cycle 19, is before the first, in 20",
        ),
        ("\"fc3\"", "\"conv1\"", "50:8: there is another layer `conv1`"),
        ("\"fc3\"", "\"\"", "50:8: layer ``: `name`: expected a name, found the string ``"),
        ("\"dram\"]", "\"buffer\"]", "3:23: trace: `memories`: there is another memory `buffer`"),
        (
            "[\"buffer\"",
            "[7, \"buffer\"",
            "3:13: trace: `memories`: expected the name of a memory, found a number",
        ),
        ("[\"buffer\", \"dram\"]", "\"dram\"", "3:12: trace: `memories`: expected a list of names"),
    ] {
        let found = of_toml(old, new);
        if !found.starts_with(message) {
            others.push(format!("{old} -> {new}: {found}"));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
    assert_eq!(
        read("layer = 1", Format::Toml).unwrap_err().0.last().unwrap().message,
        "trace: `layer`: expected tables, each under its own `[[…]]`"
    );
    let empty = "clock_mhz = 1\nbatch_images = 1\nmemories = []\n";
    assert_eq!(
        read(empty, Format::Toml).unwrap_err().to_string(),
        "1:1: trace: expected at least one `[[layer]]`, found none"
    );
}

#[test]
fn wrong_rows_are_named_with_their_place() {
    let mut others = Vec::new();
    for (old, new, message) in [
        (
            "conv1,convolution,86400",
            "conv1,convolution,x",
            "4:27: layer `conv1`: `macs`: expected an integer without sign, point or unit, found `x`",
        ),
        (
            "conv1,convolution,86400",
            "conv1,convolution,",
            "4:27: layer `conv1`: `macs`: expected an integer, found nothing",
        ),
        ("conv1,convolution,86400", ",convolution,86400", "4:9: expected the name of a layer, found nothing"),
        (
            "200.0,1,conv1",
            "100.0,1,conv1",
            "4:1: trace: `clock_mhz`: expected `200.0` as in the first row, found `100.0`",
        ),
        ("200.0,1,,", "0,1,,", "2:1: trace: `clock_mhz`: expected a positive number, found `0`"),
        (
            "fc3",
            "conv1",
            "6:15: layer `conv1`: `kind`: expected `convolution` as in the layer's first row, found `fully_connected`",
        ),
        (",dram,,", ",buffer,,", "3:22: there is another memory `buffer`"),
        (
            ",,,dram,",
            ",,ifmap,dram,",
            "3:1: expected nothing but the name of a memory in a row without a layer",
        ),
        ("1666\n", "1666,9\n", "5:138: found 28 cells under 27 columns"),
    ] {
        let found = of_csv(old, new);
        if !found.starts_with(message) {
            others.push(format!("{old} -> {new}: {found}"));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
    let lines: Vec<_> = documented("csv").lines().collect();
    let apart = [lines[0], lines[1], lines[2], lines[3], lines[5], lines[4]].join("\n");
    assert_eq!(read(&apart, Format::Csv).unwrap_err().to_string(), "6:9: there is another layer `conv1`");
    let none = lines[..3].join("\n");
    assert_eq!(
        read(&none, Format::Csv).unwrap_err().to_string(),
        format!("3:{}: trace: expected at least one layer, found none", lines[2].len() + 1)
    );
    assert!(read("", Format::Csv).unwrap_err().to_string().contains("found an empty file"));
    assert!(read(lines[0], Format::Csv).unwrap_err().to_string().contains("expected at least one layer"));
    let (first, row) = (lines[..4].join("\n"), lines[3].split(",ifmap").next().unwrap());
    let only = "5:1: layer `conv1`: a row without a movement is its only one";
    assert_eq!(read(&format!("{first}\n{row}"), Format::Csv).unwrap_err().to_string(), only);
    let blank = lines[..3].join("\n") + "\n" + row;
    assert!(read(&blank, Format::Csv).unwrap().layers[0].movements.is_empty());
    let twice = format!("{blank}\n{}", lines[3]);
    assert_eq!(read(&twice, Format::Csv).unwrap_err().to_string(), only);
    let late = format!("{first}\n{}", lines[1].replace("buffer", "late"));
    assert!(
        read(&late, Format::Csv).unwrap_err().to_string().starts_with("5:9: expected the name of a layer")
    );
    let many = format!("{}\n{}", lines[0], "1,1,a,x,x,x,x,x,x,x,x,x,x,x,x\n".repeat(1000));
    assert_eq!(read(&many, Format::Csv).unwrap_err().0.len(), 100);
}

#[test]
fn columns_may_stand_in_any_order() {
    let reversed: Vec<_> =
        documented("csv").lines().map(|line| line.split(',').rev().collect::<Vec<_>>().join(",")).collect();
    assert_eq!(read(&reversed.join("\r\n"), Format::Csv).unwrap(), example());
}

#[test]
fn traces_that_could_not_be_read_are_not_written() {
    for format in FORMATS {
        let mut trace = example();
        trace.layers[0].movements[0].memory = 2;
        let refused = Unwritable::Memory { layer: "conv1".into(), index: 2, memories: 2 };
        assert_eq!(write(&trace, format), Err(refused));
        let mut trace = example();
        trace.layers[1].bound = Bound::Buffer(7);
        assert!(matches!(write(&trace, format), Err(Unwritable::Memory { index: 7, .. })));
        for spoil in [
            |trace: &mut Trace| trace.clock_mhz = f64::NAN,
            |trace: &mut Trace| trace.batch = 0,
            |trace: &mut Trace| trace.layers[1].name = "conv1".into(),
            |trace: &mut Trace| trace.layers[1].name.clear(),
            |trace: &mut Trace| trace.layers[1].cycles.stall = u64::MAX,
            |trace: &mut Trace| trace.layers.clear(),
        ] {
            let mut trace = example();
            spoil(&mut trace);
            assert!(matches!(write(&trace, format), Err(Unwritable::Inconsistent(_))));
        }
    }
}

fn any_movement(memories: usize) -> impl Strategy<Value = Movement> {
    let counts = prop::array::uniform9(prop_oneof![any::<u64>(), 0..100u64]);
    let operands = fields::OPERANDS.map(|(operand, _)| operand);
    (prop::sample::select(operands.to_vec()), 0..memories, 1..=64u32, counts, any::<u64>()).prop_map(
        |(operand, memory, word_bits, counts, last)| Movement {
            operand,
            memory,
            word_bits,
            words_read: counts[0],
            words_written: counts[1],
            bytes_read: counts[2],
            bytes_written: counts[3],
            bursts_read: counts[4],
            bursts_written: counts[5],
            activations: counts[6],
            first_use_cycle: counts[7].min(last),
            last_use_cycle: last,
            residency_cycles: counts[8],
        },
    )
}

fn any_layer(memories: usize) -> impl Strategy<Value = LayerTrace> {
    let cycles = prop::array::uniform5(0..u64::MAX / 5);
    let kinds = fields::KINDS.map(|(kind, _)| kind);
    let bound = prop_oneof![Just(Bound::Array), Just(Bound::Dram), (0..memories).prop_map(Bound::Buffer)];
    let movements = prop::collection::vec(any_movement(memories), 0..4);
    let name = "(?s).{1,8}|[ ,\"'\\\\\n\r\t=\\[\\]#a]{1,8}";
    (name, prop::sample::select(kinds.to_vec()), any::<u64>(), cycles, bound, movements).prop_map(
        |(name, kind, macs, [start_cycle, fill, compute, stall, drain], bound, movements)| LayerTrace {
            name,
            kind,
            macs,
            results: macs / 3,
            register_bits_read: macs / 5,
            register_bits_written: macs / 7,
            start_cycle,
            cycles: Cycles { fill, compute, stall, drain },
            bound,
            movements,
        },
    )
}

fn any_trace() -> impl Strategy<Value = Trace> {
    let memories = prop::collection::btree_set("(?s).{1,8}|[a-z]{1,4}|[ ,\"\n\r]{1,3}", 1..4);
    let clock = prop_oneof![Just(200.0), f64::MIN_POSITIVE..f64::MAX, 1.0..1e4];
    (memories, clock, 1..=u64::MAX).prop_flat_map(|(memories, clock_mhz, batch)| {
        let memories: Vec<_> = memories.into_iter().rev().collect();
        prop::collection::vec(any_layer(memories.len()), 1..5).prop_map(move |mut layers| {
            for (index, layer) in layers.iter_mut().enumerate() {
                layer.name.insert_str(0, &format!("{index}"));
            }
            Trace { fidelity: Fidelity::Given, clock_mhz, batch, memories: memories.clone(), layers }
        })
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_identically(trace in any_trace()) {
        for format in FORMATS {
            let text = write(&trace, format).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(&read(&text, format).unwrap(), &trace);
        }
    }

    #[test]
    fn damaged_files_are_read_or_refused(at in 0..4000usize, length in 0..40usize, new in "[\\[\\]=,\"\n0-9a-z.-]{0,6}") {
        for (format, language) in [(Format::Csv, "csv"), (Format::Toml, "toml")] {
            let text = documented(language);
            let start = at % text.len();
            let end = (start + length).min(text.len());
            let _ = read(&format!("{}{new}{}", &text[..start], &text[end..]), format);
        }
    }
}

use super::*;
use crate::accelerator::array::{Array, Dataflow, FoldOverlap, FullyConnected, Gemm};
use crate::accelerator::operation::{Extent, Follower, Kind, Operation, Source, Window};
use proptest::prelude::*;

const HEADER: &str =
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n";

/// AlexNet as Caffe defines it, inputs padded, one of two groups of the grouped layers.
const ALEXNET: &str = "conv1, 227, 227, 11, 11, 3, 96, 4,
conv2_g, 31, 31, 5, 5, 48, 128, 1,
conv3, 15, 15, 3, 3, 256, 384, 1,
conv4_g, 15, 15, 3, 3, 192, 192, 1,
conv5_g, 15, 15, 3, 3, 192, 128, 1,
fc6, 6, 6, 6, 6, 256, 4096, 1,
fc7, 1, 1, 1, 1, 4096, 4096, 1,
fc8, 1, 1, 1, 1, 4096, 1000, 1,
";

fn gemm(operation: &Operation) -> Gemm {
    let [height, width] = operation.window.kernel;
    Gemm {
        pixels: operation.output.height * operation.output.width,
        filters: operation.output.channels / operation.groups,
        window: operation.input.channels / operation.groups * height * width,
    }
}

fn rows(text: &str) -> Vec<Operation> {
    read(&format!("{HEADER}{text}")).unwrap()
}

fn mistakes(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

/// The mistakes of one row, without its line.
fn refused(row: &str) -> String {
    mistakes(&format!("{HEADER}{row}")).strip_prefix("2:").unwrap().to_owned()
}

fn convolution(name: &str, channels: [u64; 2], extent: u64, window: Window, groups: u64) -> Operation {
    let along = |axis: usize| {
        let padded = extent + window.pad[axis] + window.pad_end[axis];
        (padded - (window.kernel[axis] - 1) * window.dilation[axis] - 1) / window.stride[axis] + 1
    };
    Operation {
        name: name.into(),
        kind: Kind::Convolution,
        input: Extent::new(channels[0], extent, extent),
        output: Extent::new(channels[1], along(0), along(1)),
        window,
        groups,
        has_bias: true,
        followers: Vec::new(),
        sources: vec![Source::Input],
        added: Vec::new(),
    }
}

fn notes(export: &Export) -> Vec<String> {
    export.notes.iter().map(ToString::to_string).collect()
}

#[test]
fn alexnet_is_read_as_the_products_that_scalesim_counts() {
    let operations = rows(ALEXNET);
    let products: Vec<_> = operations.iter().map(gemm).map(|g| (g.pixels, g.filters, g.window)).collect();
    assert_eq!(
        products,
        [
            (3025, 96, 363),
            (729, 128, 1200),
            (169, 384, 2304),
            (169, 192, 1728),
            (169, 128, 1728),
            (1, 4096, 9216),
            (1, 4096, 4096),
            (1, 1000, 4096),
        ]
    );
    let kinds: Vec<_> = operations.iter().map(|operation| operation.kind).collect();
    assert_eq!(kinds[..5], [Kind::Convolution; 5]);
    assert_eq!(kinds[5..], [Kind::FullyConnected; 3]);
    assert_eq!(operations[5].input, Extent::new(9216, 1, 1));
    assert_eq!(operations[0].sources, [Source::Input]);
    assert_eq!(operations[7].sources, [Source::Operation(6)]);
    let array = Array {
        rows: 32,
        columns: 32,
        dataflow: Dataflow::OutputStationary,
        fold_overlap: FoldOverlap::None,
        fully_connected: FullyConnected::Array,
    };
    let cycles = |operation| array.run(&gemm(operation)).unwrap().phases.total().unwrap() - 1;
    let printed = [121_124, 116_103, 170_351, 64_439, 42_959, 1_187_583, 532_223, 133_055];
    assert_eq!(operations.iter().map(cycles).collect::<Vec<_>>(), printed);
}

/// Layers whose last window hangs over the edge, that are whole, flat or points, and products.
const ODD: [&str; 2] = [
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
hanging, 12, 10, 3, 3, 2, 5, 2,
wide_stride, 9, 20, 2, 4, 3, 7, 5,
flat, 1, 40, 1, 7, 4, 33, 3,
whole_input, 5, 4, 5, 4, 6, 21, 1,
point, 7, 7, 1, 1, 30, 17, 1,
skipping, 10, 10, 2, 2, 3, 15, 3,
",
    "Layer, M, N, K,
low, 37, 29, 50,
row, 1, 70, 45,
column, 60, 1, 9,
",
];

#[test]
fn odd_layers_on_oblong_arrays_count_as_in_scalesim() {
    let operations: Vec<_> = ODD.iter().flat_map(|text| read(text).unwrap()).collect();
    let runs = include_str!("scalesim_runs.csv").lines().filter(|line| !line.starts_with('#')).skip(1);
    let mut compared = 0;
    for run in runs {
        let cells: Vec<_> = run.split(',').collect();
        let number = |column: usize| cells[column].parse::<u64>().unwrap();
        let dataflow = match cells[2] {
            "os" => Dataflow::OutputStationary,
            "ws" => Dataflow::WeightStationary,
            _ => Dataflow::InputStationary,
        };
        let array = Array {
            rows: number(0),
            columns: number(1),
            dataflow,
            fold_overlap: FoldOverlap::None,
            fully_connected: FullyConnected::Array,
        };
        let operation = operations.iter().find(|operation| operation.name == cells[3]).unwrap();
        let counts = array.run(&gemm(operation)).unwrap();
        let too_many = if cells[2] == "os" { (array.rows + array.columns) * counts.folds } else { 0 };
        let accesses = counts.accesses;
        assert_eq!(
            [
                counts.phases.total().unwrap() - 1,
                accesses.ifmap_reads,
                accesses.filter_reads,
                accesses.ofmap_writes + too_many
            ],
            [number(4), number(5), number(6), number(7)],
            "{run}"
        );
        let printed: f64 = cells[8].parse().unwrap();
        assert!((counts.mapping_efficiency(&array) * 100.0 - printed).abs() < 1e-6, "{run}");
        compared += 1;
    }
    assert_eq!(compared, 81);
}

#[test]
fn a_stride_that_does_not_divide_adds_an_output_where_caffe_adds_none() {
    let odd = &rows("c, 12, 10, 3, 3, 2, 4, 2,")[0];
    assert_eq!((odd.output.height, odd.output.width), (6, 5), "ceil((12-3+2)/2) and ceil((10-3+2)/2)");
    assert_eq!(odd.window.pad_end, [1, 1]);
    let floor = |extent: u64, kernel: u64, stride: u64| (extent - kernel) / stride + 1;
    assert_eq!(floor(12, 3, 2), 5, "Caffe");
    assert_eq!(rows("c, 13, 13, 3, 3, 2, 4, 2,")[0].window.pad_end, [0, 0]);
    assert_eq!(rows("c, 3, 9, 3, 3, 2, 4, 5,")[0].output, Extent::new(4, 1, 3));
}

#[test]
fn spellings_of_the_header_and_missing_commas_are_tolerated() {
    let plain = rows("c, 8, 8, 3, 3, 2, 4, 1,");
    for text in [
        "Layer name,IFMAP height,IFMAP width,Filter height,Filter width,Channels,Num filter,Stride height,Stride width,\nc,8,8,3,3,2,4,1,1,\n",
        "layer_name,ifmap_height,ifmap_width,filter_height,filter_width,channels,num_filters,stride\nc,8,8,3,3,2,4,1",
        "\u{feff}Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides, Sparsity,\r\n\r\nc, 8, 8, 3, 3, 2, 4, 1, 1:1,\r\n",
        "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides, Sparsity,\nc, 8, 8, 3, 3, 2, 4, 1,",
        "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\nc, 8, 8, 3, 3, 2, 4, 1, 4:4,",
    ] {
        assert_eq!(read(text).unwrap(), plain, "{text}");
    }
    let text = "Layer name,IFMAP height,IFMAP width,Filter height,Filter width,Channels,Num filter,Stride height,Stride width,\nc,8,8,3,3,2,4,1,5,\n";
    assert_eq!(read(text).unwrap()[0].output, Extent::new(4, 6, 2));
}

#[test]
fn products_are_read() {
    let operations = read("Layer, M, N, K,\nlow, 128, 64, 32,\nvector,1,1000,4096, 1:1,\n").unwrap();
    assert_eq!(gemm(&operations[0]), Gemm { pixels: 128, filters: 64, window: 32 });
    assert_eq!(gemm(&operations[1]), Gemm { pixels: 1, filters: 1000, window: 4096 });
    assert_eq!((operations[0].kind, operations[1].kind), (Kind::Convolution, Kind::FullyConnected));
    assert_eq!(products(&operations, 1).text, "Layer, M, N, K,\nlow, 128, 64, 32,\nvector, 1, 1000, 4096,\n");
    assert_eq!(products(&operations, 8).text.lines().last(), Some("vector, 8, 1000, 4096,"));
}

#[test]
fn wrong_headers_are_named() {
    assert!(mistakes("\n").starts_with("2:1: expected the header `Layer name, IFMAP Height"));
    assert!(mistakes("conv1, 8, 8, 3, 3, 2, 4, 1,\n").contains("1:1: header: expected `Layer name,"));
    assert!(mistakes("Layer, X, N, K").contains("1:8: header: expected `Layer name,"));
    assert_eq!(mistakes("Layer, M, K, N\n"), "1:11: header: expected `N`, found `K`");
    assert_eq!(mistakes("Layer, M, N,\n"), "1:12: header: the column `K` is missing");
    assert_eq!(mistakes("Layer, M, N, K, Batch,\n"), "1:17: header: unknown column `Batch`");
    assert_eq!(
        mistakes("Layer, M, N, K,\n"),
        "2:1: expected at least one layer below the header, found none"
    );
    assert_eq!(mistakes("Layer, M, N, K,\n\"a, 1, 1, 1"), "2:1: this quote is never closed");
}

#[test]
fn wrong_rows_are_named_with_line_and_column() {
    let mut others = Vec::new();
    for (row, message) in [
        ("c, 2, 8, 3, 3, 2, 4, 1,", "10: layer `c`: `Filter Height` 3 is larger than the input's 2"),
        ("c, 8, 2, 3, 3, 2, 4, 1,", "13: layer `c`: `Filter Width` 3 is larger than the input's 2"),
        ("c, 8, 8, 3, 3, 0, 4, 1,", "16: layer `c`: `Channels`: expected at least 1, found 0"),
        ("c, 8, 8, 3, 3, 2, 4, 0,", "22: layer `c`: `Strides`: expected at least 1, found 0"),
        (
            "c, 8, 8, 3, 3, x, 4, 1,",
            "16: layer `c`: `Channels`: expected an integer without sign, point or unit, found `x`",
        ),
        (
            "c, 8, 8, 3, 3, -2, 4, 1,",
            "16: layer `c`: `Channels`: expected an integer without sign, point or unit, found `-2`",
        ),
        ("c, 8, 8, 3, 3, , 4, 1,", "16: layer `c`: `Channels`: expected an integer, found nothing"),
        ("c, 8, 8, 3, 3, 2, 4,", "20: layer `c`: `Strides` is missing"),
        ("c, 8, 8, 3, 3, 2, 4, 1, 2:4,", "25: layer `c`: expected dense weights (sparsity 1:1), found `2:4`"),
        ("c, 8, 8, 3, 3, 2, 4, 1, 2,", "25: layer `c`: expected a sparsity N:M, found `2`"),
        ("c, 8, 8, 3, 3, 2, 4, 1, 1:1, 9,", "30: layer `c`: found 10 cells, expected at most 9"),
        (
            "c, 8, 8, 3, 3, 99999999999999999999, 4, 1,",
            "16: layer `c`: `Channels`: expected an integer up to 2^64 - 1, found `99999999999999999999`",
        ),
        (
            "c, 8, 8, 3, 3, 9999999999999999999, 4, 1,",
            "1: layer `c`: its multiply-accumulates or words are beyond 2^64 - 1",
        ),
        (
            "c, 18446744073709551615, 3, 2, 2, 1, 1, 2,",
            "1: layer `c`: its multiply-accumulates or words are beyond 2^64 - 1",
        ),
        (", 8, 8, 3, 3, 2, 4, 1,", "1: layer ``: expected its name, found nothing"),
    ] {
        let found = refused(row);
        if found != message {
            others.push(format!("{row}: {found}"));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
    assert!(refused("convDP1, 8, 8, 3, 3, 2, 1, 1,").contains("SCALE-Sim expands a layer with `DP`"));
    assert_eq!(
        mistakes(&format!("{HEADER}c, 8, 8, 3, 3, 2, 4, 1,\nc, 8, 8, 3, 3, 2, 4, 1,")),
        "3:1: line 2 has a layer `c` too\n    help: give every layer a name of its own"
    );
    let two = format!("{HEADER}a, 0, 8, 3, 3, 2, 4, 1,\nb, 8, 8, 3, 3, 2, 4,\n");
    assert_eq!(
        mistakes(&two),
        "2:4: layer `a`: `IFMAP Height`: expected at least 1, found 0\n3:20: layer `b`: `Strides` is missing"
    );
    let many = format!("{HEADER}{}", "a, x, x, x, x, x, x, x,\n".repeat(1000));
    assert_eq!(read(&many).unwrap_err().0.len(), 100);
}

#[test]
fn what_was_read_is_written_as_it_was() {
    let hanging = format!("{HEADER}c, 12, 10, 3, 3, 2, 4, 2,\nd, 31, 31, 5, 5, 48, 128, 2147483648,\n");
    assert_eq!(convolutions(&read(&hanging).unwrap()), Export { text: hanging, notes: Vec::new() });
    let convolutional: String = ALEXNET.split_inclusive('\n').take(5).collect();
    let export = convolutions(&rows(&convolutional));
    assert_eq!(export, Export { text: format!("{HEADER}{convolutional}"), notes: Vec::new() });
    let fc6 = rows("fc6, 6, 6, 6, 6, 256, 4096, 1,");
    assert_eq!(convolutions(&fc6).text, format!("{HEADER}fc6, 1, 1, 1, 1, 9216, 4096, 1,\n"));
}

#[test]
fn padding_groups_and_rows_that_are_never_read_are_written_out() {
    let padded = Window { kernel: [5; 2], pad: [2; 2], pad_end: [2; 2], ..Window::POINT };
    let conv2 = convolution("conv2", [96, 256], 27, padded, 2);
    let strided = Window { kernel: [3; 2], stride: [2; 2], ..Window::POINT };
    let odd = convolution("odd", [2, 4], 12, strided, 1);
    assert_eq!(odd.output.height, 5, "Caffe's floor");
    let export = convolutions(&[conv2.clone(), odd.clone()]);
    let written = "conv2_g1, 31, 31, 5, 5, 48, 128, 1,\nconv2_g2, 31, 31, 5, 5, 48, 128, 1,\nodd, 11, 11, 3, 3, 2, 4, 2,\n";
    assert_eq!(export.text, format!("{HEADER}{written}"));
    assert_eq!(
        notes(&export),
        ["layer `odd`: its padded input of 12 x 12 is written as 11 x 11, which is what its windows reach"]
    );
    let back = read(&export.text).unwrap();
    assert_eq!(back.iter().map(gemm).collect::<Vec<_>>(), [gemm(&conv2), gemm(&conv2), gemm(&odd)]);
    assert_eq!(
        products(&[conv2, odd], 3).text,
        "Layer, M, N, K,\nconv2_g1, 2187, 128, 1200,\nconv2_g2, 2187, 128, 1200,\nodd, 75, 4, 18,\n"
    );
}

#[test]
fn what_the_format_cannot_hold_is_left_out_and_named() {
    let window = Window { kernel: [3; 2], ..Window::POINT };
    let dilated = convolution("dilated", [2, 2], 9, Window { dilation: [2; 2], ..window }, 1);
    let uneven = convolution("uneven", [2, 2], 9, Window { stride: [1, 2], ..window }, 1);
    let grouped = convolution("grouped", [3, 2], 9, window, 2);
    let pool = Operation { kind: Kind::Pooling, ..convolution("pool", [2, 2], 9, window, 1) };
    let follower = Follower {
        name: "lrn".into(),
        kind: Kind::Normalisation,
        window: None,
        span: 1,
        output: Extent::new(2, 7, 7),
        parameters: [0; 2],
    };
    let fused = Operation { followers: vec![follower], ..convolution("conv", [2, 2], 9, window, 1) };
    let zero = Operation { output: Extent::new(2, 0, 7), ..convolution("zero", [2, 2], 9, window, 1) };
    let huge = Operation { input: Extent::new(2, u64::MAX, 7), ..convolution("huge", [2, 2], 9, window, 1) };
    let huge = Operation { window: Window { pad: [1; 2], ..window }, ..huge };
    let operations = [dilated, uneven, grouped, pool, fused, zero, huge];
    let export = convolutions(&operations);
    assert_eq!(export.text, format!("{HEADER}conv, 9, 9, 3, 3, 2, 2, 1,\n"));
    assert_eq!(
        notes(&export),
        [
            "layer `dilated` is left out: a topology has no dilation, it has 2 x 2",
            "layer `uneven` is left out: a topology has one stride per layer, it has 1 and 2",
            "layer `grouped` is left out: its 2 groups do not divide its channels or are more than 65536",
            "layer `pool` is left out: a topology has no pooling layers",
            "layer `lrn` is left out: a topology has no normalisation layers",
            "layer `zero` is left out: an extent is 0 or a count beyond 2^64 - 1",
            "layer `huge` is left out: an extent is 0 or a count beyond 2^64 - 1",
        ]
    );
    let export = products(&operations, 1);
    assert_eq!(
        export.text,
        "Layer, M, N, K,\ndilated, 25, 2, 18,\nuneven, 28, 2, 18,\nconv, 49, 2, 18,\nhuge, 49, 2, 18,\n"
    );
    assert_eq!(export.notes.len(), 4);
    assert_eq!(products(&operations[..1], u64::MAX).text, "Layer, M, N, K,\n");
    assert_eq!(
        products(&operations[..1], u64::MAX).notes[0].to_string(),
        notes(&convolutions(&operations))[6].replace("huge", "dilated")
    );
}

#[test]
fn names_that_scalesim_would_misread_are_changed() {
    let window = Window { kernel: [3; 2], ..Window::POINT };
    let operations =
        ["convDP", "a,b", "a_b", " ", "inception/3x3"].map(|name| convolution(name, [2, 2], 9, window, 1));
    let export = convolutions(&operations);
    let back: Vec<_> = read(&export.text).unwrap().into_iter().map(|operation| operation.name).collect();
    assert_eq!(back, ["convDp", "a_b", "a_b_2", "layer", "inception/3x3"]);
    assert_eq!(
        notes(&export)[..2],
        ["layer `convDP` is written as `convDp`", "layer `a,b` is written as `a_b`"]
    );
    assert_eq!(export.notes.len(), 4);
}

proptest! {
    #[test]
    fn any_convolution_keeps_its_products(
        name in "[A-Za-z_,\" DP\u{a0}ä]{0,6}", groups in 1..4u64, channels in 1..5u64, filters in 1..5u64, extent in 7..40u64,
        kernel in prop::array::uniform2(1..5u64), stride in 1..5u64, pad in prop::array::uniform4(0..3u64),
    ) {
        let window = Window {
            kernel, stride: [stride; 2], pad: [pad[0], pad[1]], pad_end: [pad[2], pad[3]], dilation: [1; 2],
        };
        let operation = convolution(&name, [channels * groups, filters * groups], extent, window, groups);
        let back = read(&convolutions(std::slice::from_ref(&operation)).text).unwrap();
        prop_assert_eq!(back.len() as u64, groups);
        let sum: u64 = back.iter().map(|row| row.macs().unwrap()).sum();
        prop_assert_eq!(sum, operation.macs().unwrap());
        for row in &back {
            prop_assert_eq!(gemm(row), gemm(&operation));
        }
        let rewritten = convolutions(&back);
        prop_assert!(rewritten.notes.is_empty());
        prop_assert_eq!(read(&rewritten.text).unwrap(), back);
        let products = read(&products(std::slice::from_ref(&operation), 1).text).unwrap();
        prop_assert!(products.iter().all(|row| gemm(row) == gemm(&operation)));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(Layer, M, N, K,?\n)?([a-cDP]|[0-9]{1,20}|[,\n\r\" :-])*") {
        let _ = read(&text);
        let _ = read(&format!("{HEADER}{text}"));
    }
}

//! Definitions that are refused: the message names layer, field, value and expectation, and the place is the value's.

use super::read;
use crate::network::caffe::read_definition;

/// Reads a network whose second line is `layer { name: 'l' … }` and expects an error about the text `place` in it.
#[track_caller]
fn refused_layer(fields: &str, place: &str, message: &str) {
    refused(
        &format!(
            "input: 'x' input_dim: 1 input_dim: 6 input_dim: 12 input_dim: 10\n\
             layer {{ name: 'l' bottom: 'x' top: 'y' {fields} }}"
        ),
        place,
        message,
    );
}

#[track_caller]
fn refused(text: &str, place: &str, message: &str) {
    let error = read(text).expect_err(text);
    assert!(error.to_string().contains(message), "{text}\n{error}\nlacks: {message}");
    let (source, span) = error.source_span().expect("definitions have their text");
    assert_eq!(&source[span.clone()], place, "{text}\n{error}");
    let (line, column) = error.location().expect("definitions have a place");
    let start = text.split_inclusive('\n').take(line - 1).map(str::len).sum::<usize>() + column - 1;
    assert_eq!(start, span.start, "the texts here are ASCII");
    assert!(error.to_string().starts_with(&format!("net.prototxt:{line}:{column}: ")), "{error}");
    assert!(error.to_string().ends_with(&error.detail()));
}

#[test]
fn text_that_is_no_definition() {
    refused("layer {", "", "reached end of input");
    refused("layer }", "}", "expected");
    refused(
        "nam: 'x'",
        "nam",
        "field 'nam' not found for message 'caffe.NetParameter'; did you mean 'name'?",
    );
    refused("name: 'x' name: 'y'", "'y'", "already set");
    refused("name: 3", "3", "expected a string");
    refused("", "", "network: found no layer");
    refused(
        "layers { name: 'a' } layer { name: 'b' }",
        "layers",
        "found both 'layer' and the older 'layers'",
    );
    refused("layers { layer { name: 'a' type: 'conv' } }", "layer", "the layer format of 2013");
}

#[test]
fn fields_that_are_not_known() {
    let message =
        "field 'kernel_sise' not found for message 'caffe.ConvolutionParameter'; did you mean 'kernel_size'?";
    refused_layer(
        "type: 'Convolution' convolution_param { num_output: 1 kernel_sise: 3 }",
        "kernel_sise",
        message,
    );
    refused_layer(
        "type: 'Pooling' pooling_param { ceil_mode: false }",
        "ceil_mode",
        "field 'ceil_mode' not found",
    );
    refused_layer("type: 'ReLU' blobs { num: 1 }", "blobs", "field 'blobs' not found");
}

#[test]
fn layer_types_that_are_not_supported() {
    refused_layer(
        "type: 'Power'",
        "'Power'",
        "layer 'l' is of type 'Power', which is not supported; supported are",
    );
    for kind in ["AbsVal", "ArgMax", "Bias", "BNLL", "Crop", "Deconvolution", "ELU", "Exp", "Slice", "Swish"]
    {
        let message = format!("layer 'l' is of type '{kind}', which is not supported");
        refused_layer(&format!("type: '{kind}'"), &format!("'{kind}'"), &message);
    }
    refused_layer("type: \"Relu\"", "\"Relu\"", "did you mean 'ReLU'?");
    // The parser stops at prelu_param; the type says more.
    refused_layer(
        "type: 'PReLU' prelu_param { channel_shared: true }",
        "'PReLU'",
        "of type 'PReLU', which is not",
    );
    refused_layer("", "layer", "layer 'l': found no type");
    let v1 = |kind: &str| {
        format!("input: 'x' input_dim: [1, 1, 1, 1] layers {{ name: 'l' bottom: 'x' top: 'y' type: {kind} }}")
    };
    refused(&v1("ABSVAL"), "ABSVAL", "layer 'l' is of type 'ABSVAL', which is not supported");
    refused(&v1("99"), "99", "layer 'l' is of type '99', which is not supported");
    refused(&v1("RELU6"), "RELU6", "layer 'l' is of type 'RELU6'");
    refused(&v1("SLICE slice_param { slice_dim: 1 }"), "SLICE", "of type 'SLICE', which is not supported");
}

#[test]
fn values_that_convolutions_cannot_have() {
    let refused = |fields: &str, place: &str, message: &str| {
        refused_layer(&format!("type: 'Convolution' convolution_param {{ {fields} }}"), place, message);
    };
    refused("kernel_size: 3", "convolution_param", "layer 'l': found no num_output");
    refused("num_output: 0 kernel_size: 3", "0", "layer 'l': found num_output = 0, expected at least 1");
    refused(
        "num_output: 4",
        "convolution_param",
        "layer 'l': found no kernel_size, expected kernel_size, or kernel_h and kernel_w",
    );
    refused("num_output: 4 kernel_size: 0", "0", "found kernel_size = 0, expected at least 1");
    refused("num_output: 4 kernel_size: 3 stride: 0", "0", "found stride = 0, expected at least 1");
    refused(
        "num_output: 4 kernel_size: 3 stride_h: 1 stride_w: 0",
        "0",
        "found stride_w = 0, expected at least 1",
    );
    refused("num_output: 4 kernel_size: 3 stride_h: 2", "2", "stride_h is set but stride_w is not");
    refused("num_output: 4 kernel_size: 3 dilation: 0", "0", "found dilation = 0, expected at least 1");
    refused(
        "num_output: 4 kernel_size: 3 kernel_h: 5",
        "3",
        "kernel_size is set together with kernel_h or kernel_w",
    );
    refused("num_output: 4 kernel_size: [1, 1, 7]", "7", "found 3 values of kernel_size");
    refused(
        "num_output: 4 kernel_size: 13",
        "13",
        "layer 'l': input is 6x12x10, which with padding makes 12 rows, expected at least the kernel's extent (13 at dilation 1)",
    );
    refused(
        "num_output: 4 kernel_size: 3 dilation: [1, 5]",
        "3",
        "makes 10 columns, expected at least the kernel's extent (3 at dilation 5)",
    );
    refused("num_output: 4 kernel_size: 3 group: 4", "4", "expected a multiple of 4 channels (group)");
    refused(
        "num_output: 4 kernel_size: 3 group: 3",
        "4",
        "found num_output = 4, expected a multiple of group = 3",
    );
    refused("num_output: 4 kernel_size: 3 group: 0", "0", "found group = 0, expected at least 1");
    refused("num_output: 4 kernel_size: 3 axis: 2", "2", "found axis = 2, expected 1 (the channels)");
    refused("num_output: 4294967295 kernel_size: 3", "4294967295", "has more than 2147483648 elements");
    refused(
        "num_output: 1 kernel_size: 1 pad: 4294967295",
        "1",
        "its output of 1x8589934602x8589934600 has more than",
    );
    let most = 4_294_967_295_u32;
    refused(
        &format!("num_output: 1 kernel_size: {most} dilation: {most}"),
        "4294967295",
        "expected at least the kernel's extent",
    );
    refused_layer("type: 'Convolution'", "layer", "layer 'l': found no convolution_param");
}

#[test]
fn values_that_pooling_cannot_have() {
    let refused = |fields: &str, place: &str, message: &str| {
        refused_layer(&format!("type: 'Pooling' pooling_param {{ {fields} }}"), place, message);
    };
    refused("pool: STOCHASTIC kernel_size: 2", "STOCHASTIC", "found pool = STOCHASTIC, expected MAX or AVE");
    refused("pool: 7 kernel_size: 2", "7", "found pool = 7, expected MAX or AVE");
    refused("kernel_size: 2 round_mode: 2", "2", "found round_mode = 2");
    refused("pool: MAX", "pooling_param", "found no kernel_size");
    refused("kernel_size: 2 pad: 2", "2", "found pad = 2, expected less than the kernel's 2");
    refused(
        "kernel_size: 2 global_pooling: true",
        "true",
        "global_pooling is set together with a kernel size",
    );
    refused("stride: 2 global_pooling: true", "true", "global_pooling is set together with a stride");
    refused(
        "kernel_size: 11",
        "11",
        "makes 10 columns, expected at least the kernel's extent (11 at dilation 1)",
    );
    refused("kernel_size: 1 stride: 10", "10", "which a stride of 10 leaves before the last window");
    refused_layer("type: 'Pooling'", "layer", "layer 'l': found no pooling_param");
}

#[test]
fn values_that_other_layers_cannot_have() {
    let fc = |fields: &str| format!("type: 'InnerProduct' inner_product_param {{ {fields} }}");
    refused_layer(&fc("num_output: 0"), "0", "found num_output = 0");
    refused_layer(&fc("num_output: 3 axis: 2"), "2", "found axis = 2");
    refused_layer(&fc("num_output: 3 transpose: true"), "true", "found transpose = true, expected false");
    refused_layer(
        &fc("num_output: 3000000"),
        "3000000",
        "its weight of 3000000x720 has more than 2147483648 elements",
    );
    refused_layer("type: 'InnerProduct'", "layer", "found no inner_product_param");
    let lrn = |fields: &str| format!("type: 'LRN' lrn_param {{ {fields} }}");
    refused_layer(&lrn("local_size: 4"), "4", "found local_size = 4, expected an odd number");
    refused_layer(&lrn("alpha: nan"), "nan", "found alpha = NaN, expected a finite number");
    refused_layer(&lrn("norm_region: 2"), "2", "found norm_region = 2");
    refused_layer(&lrn("norm_region: WITHIN_CHANNEL k: 2"), "2", "found k = 2, expected 1 with norm_region");
    refused_layer("type: 'Softmax' softmax_param { axis: -1 }", "-1", "found axis = -1");
    refused_layer("type: 'ReLU' relu_param { negative_slope: inf }", "inf", "found negative_slope = inf");
}

#[test]
fn layers_that_do_not_connect() {
    refused_layer(
        "type: 'ReLU' bottom: 'z'",
        "'z'",
        "layer 'l': reads blob 'z', which no earlier layer writes",
    );
    refused_layer(
        "type: 'ReLU' bottom: 'x'",
        "'x'",
        "found 2 blobs to read, expected one for a layer of type ReLU",
    );
    refused_layer("type: 'ReLU' top: 'z'", "'z'", "found 2 blobs to write, expected one");
    let after = |layer: &str| {
        format!(
            "input: 'data' input_dim: [1, 1, 4, 4]\nlayer {{ name: 'a' type: 'ReLU' bottom: 'data' top: 'a' }} layer {{ {layer} }}"
        )
    };
    refused(&after("name: 'b' type: 'ReLU' bottom: 'dat' top: 'b'"), "'dat'", "did you mean 'data'?");
    refused(
        &after("name: 'a' type: 'ReLU' bottom: 'a' top: 'b'"),
        "'a'",
        "layer 'a': an earlier layer has the same name",
    );
    refused(
        &after("name: 'b' type: 'ReLU' bottom: 'a' top: 'data'"),
        "'data'",
        "writes blob 'data', which already exists",
    );
    refused(&after("name: 'b' type: 'ReLU' top: 'b'"), "layer", "layer 'b': found no bottom");
    refused(&after("name: 'b' type: 'ReLU' bottom: 'a'"), "layer", "layer 'b': found no top");
    refused(&after("type: 'ReLU' bottom: 'a' top: 'b'"), "layer", "found no name");
    refused(&after("name: 'b' type: 'LRN' bottom: 'a' top: 'a'"), "'a'", "which a layer of type LRN cannot");
    refused(
        &after("name: 'b' type: 'Accuracy' bottom: 'label'"),
        "'label'",
        "reads blob 'label', which no earlier",
    );
    let data =
        "layer { name: 'd' type: 'Input' top: 'x' top: 'label' input_param { shape { dim: [1, 2] } } }";
    refused(
        &format!("{data} layer {{ name: 'l' type: 'ReLU' bottom: 'label' top: 'y' }}"),
        "'label'",
        "layer 'l': reads blob 'label', which is left out with layer 'd'",
    );
    let shared = "type: 'InnerProduct' inner_product_param { num_output: 2 } param { name: 'w' }";
    refused(
        &format!(
            "input: 'x' input_dim: [1, 2, 1, 1] layer {{ name: 'a' bottom: 'x' top: 'a' {shared} }}\nlayer {{ name: 'b' bottom: 'a' top: 'b' {shared} }}"
        ),
        "param",
        "layer 'b': shares parameter 'w' with layer 'a'",
    );
}

#[test]
fn phases_and_rules_that_are_not_supported() {
    refused_layer("type: 'ReLU' phase: TRAIN", "TRAIN", "found phase = TRAIN");
    refused_layer("type: 'ReLU' include { phase: TEST stage: 'deploy' }", "include", "found a rule on stage");
    refused_layer(
        "type: 'ReLU' exclude { phase: TRAIN } exclude { min_level: 1 }",
        "exclude",
        "found a rule on min_level",
    );
    refused_layer("type: 'ReLU' include { } exclude { }", "exclude", "found both include and exclude rules");
}

#[test]
fn inputs_that_are_not_stated() {
    let layer = "layer { name: 'l' type: 'ReLU' bottom: 'x' top: 'y' }";
    let of = |input: &str| format!("{input}\n{layer}");
    refused(&of(""), "'x'", "reads blob 'x', which no earlier layer writes");
    refused(&of("input: 'x'"), "", "network: found no input_shape");
    refused(&of("input: 'x' input_dim: 1"), "1", "found input_dim = 1 values, expected four for each input");
    refused(
        &of("input: 'x' input_shape { dim: 0 dim: 3 }"),
        "input_shape",
        "found input_shape = 0x3, expected extents of at least 1",
    );
    refused(&of("input: 'x' input_dim: [1, -3, 4, 4]"), "1", "found input_dim = 1x-3x4x4");
    refused(&of("input: 'x' input_shape { dim: [1, 2, 3] }"), "input_shape", "found input_shape = 3 extents");
    refused(
        &of("input: 'x' input_shape { dim: [1, 2] } input_shape { dim: [1, 2] }"),
        "input_shape",
        "extents of 2 inputs, expected as many as input names: 1",
    );
    refused(
        &of("input: 'x' input_shape { dim: [1, 2] } input_dim: 1"),
        "1",
        "found both input_shape and input_dim",
    );
    refused(&of("input_dim: [1, 1, 1, 1]"), "1", "as many as input names: 0");
    refused(&of("input: ['x', 'x'] input_dim: [1, 1, 1, 1, 1, 1, 1, 1]"), "'x'", "input 'x' is there twice");
    refused(
        &of("input: 'x' input_shape { dim: [1, 65536, 65536, 1] }"),
        "input_shape",
        "its blob of 65536x65536x1 has more than",
    );
    refused(
        &of(
            "input: 'x' input_shape { dim: [1, 9223372036854775807, 9223372036854775807, 9223372036854775807] }",
        ),
        "input_shape",
        "has more than 2147483648 elements",
    );
    let data = |fields: &str| of(&format!("layer {{ name: 'd' type: 'Data' top: 'x' {fields} }}"));
    refused(&data(""), "layer", "layer 'd': found no input_param, expected input_param { shape");
    refused(
        &data("transform_param { crop_size: 227 }"),
        "layer",
        "(crop_size = 227 gives rows and columns, not channels)",
    );
    refused(&data("input_param { }"), "input_param", "found no shape");
    refused(
        &data("memory_data_param { channels: 3 height: 4 }"),
        "memory_data_param",
        "found channels, height, width = 1x3x4x0",
    );
}

#[test]
fn files_that_are_no_definition() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.prototxt");
    let error = || read_definition(&path).unwrap_err().to_string();
    assert!(error().contains("net.prototxt: cannot be read"), "{}", error());
    std::fs::write(&path, b"name: '\xff'").unwrap();
    assert!(error().contains("byte 7 is not UTF-8 text"), "{}", error());
    std::fs::write(&path, vec![b' '; (4 << 20) + 1]).unwrap();
    assert!(error().contains("found 4194305 bytes, expected a network definition"), "{}", error());
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(error().contains("is not a regular file"), "{}", error());
}

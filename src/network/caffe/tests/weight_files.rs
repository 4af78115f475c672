//! Weight files, encoded here field by field.

use super::{SMALL, read};
use crate::network::Network;
use crate::network::caffe::WeightsProblem;
use crate::network::caffe::schema::{BlobProto, BlobShape, WeightFile, WeightFileLayer};
use crate::network::caffe::weights::load_bytes;
use half::f16;
use prost::Message;

/// Wire types of protobuf.
const VARINT: u64 = 0;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3 | VARINT), varint(value)].concat()
}

fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field << 3 | BYTES), varint(content.len() as u64), content.to_vec()].concat()
}

fn shape(dims: &[u64]) -> Vec<u8> {
    bytes(7, &bytes(1, &dims.iter().flat_map(|&dim| varint(dim)).collect::<Vec<_>>()))
}

fn legacy(dims: [u64; 4]) -> Vec<u8> {
    (1..).zip(dims).flat_map(|(field, dim)| number(field, dim)).collect()
}

fn packed(values: &[f32]) -> Vec<u8> {
    bytes(5, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}

fn unpacked(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| [varint(5 << 3 | FIXED32), value.to_le_bytes().to_vec()].concat())
        .collect()
}

fn layer(name: &str, blobs: &[Vec<u8>]) -> Vec<u8> {
    let blobs = blobs.iter().flat_map(|blob| bytes(7, blob));
    let named = [bytes(1, name.as_bytes()), bytes(2, b"Convolution")].concat();
    bytes(100, &named.into_iter().chain(blobs).collect::<Vec<_>>())
}

fn v1_layer(name: &str, blobs: &[Vec<u8>]) -> Vec<u8> {
    let blobs = blobs.iter().flat_map(|blob| bytes(6, blob));
    let named = [bytes(2, b"bottom"), bytes(4, name.as_bytes()), number(5, 4)].concat();
    bytes(2, &named.into_iter().chain(blobs).collect::<Vec<_>>())
}

/// Weights of the convolution (2x1x2x2), its biases, weights of the fully connected layer (1x18), its bias.
fn values() -> [Vec<f32>; 4] {
    let ramp = |start: f32, count: u16| (0..count).map(|i| start + 0.125 * f32::from(i)).collect::<Vec<_>>();
    [ramp(-0.5, 8), vec![f32::NEG_INFINITY, -0.0], ramp(1.0, 18), vec![1e-40]]
}

/// A file for the network `SMALL` in today's format.
pub fn small_file() -> Vec<u8> {
    let [conv, conv_bias, fc, fc_bias] = values();
    let blob = |dims: &[u64], values: &[f32]| [packed(values), shape(dims)].concat();
    [
        bytes(1, b"net"),
        layer("conv", &[blob(&[2, 1, 2, 2], &conv), blob(&[2], &conv_bias)]),
        layer("relu", &[]),
        layer("fc", &[blob(&[1, 18], &fc), blob(&[1], &fc_bias)]),
    ]
    .concat()
}

fn small() -> Network {
    read(SMALL).unwrap()
}

#[track_caller]
fn loaded(file: Vec<u8>) -> [Vec<f32>; 4] {
    let mut network = small();
    let notes = load_bytes(&mut network, file.into()).unwrap();
    assert_eq!(notes, Vec::<String>::new());
    assert!(network.has_weights());
    let mut values = network
        .layers
        .into_iter()
        .flat_map(|layer| [layer.weight, layer.bias])
        .flatten()
        .map(|parameter| parameter.values.unwrap());
    std::array::from_fn(|_| values.next().unwrap())
}

#[track_caller]
fn refused(file: Vec<u8>) -> WeightsProblem {
    let mut network = small();
    let problem = load_bytes(&mut network, file.into()).unwrap_err();
    assert_eq!(network, small(), "an error leaves the network as it was");
    problem
}

fn bits(values: [Vec<f32>; 4]) -> [Vec<u32>; 4] {
    values.map(|values| values.into_iter().map(f32::to_bits).collect())
}

#[test]
fn todays_format_loads() {
    assert_eq!(bits(loaded(small_file())), bits(values()));
}

#[test]
fn messages_of_the_schema_load() {
    let [conv, conv_bias, fc, fc_bias] = values();
    let blob = |dim: &[i64], data: Vec<f32>| {
        let shape = Some(BlobShape { dim: dim.to_vec() });
        BlobProto { shape, data, ..BlobProto::default() }.encode_to_vec().into()
    };
    let layer = |name: &str, blobs| {
        let name = Some(name.to_owned());
        WeightFileLayer { name, blobs }.encode_to_vec().into()
    };
    let file = WeightFile {
        layer: vec![
            layer("fc", vec![blob(&[1, 18], fc), blob(&[1], fc_bias)]),
            layer("conv", vec![blob(&[2, 1, 2, 2], conv), blob(&[2], conv_bias)]),
        ],
        layers: Vec::new(),
    };
    assert_eq!(bits(loaded(file.encode_to_vec())), bits(values()));
}

#[test]
fn v1_layers_with_four_dimensional_blobs_load() {
    let [conv, conv_bias, fc, fc_bias] = values();
    let blob = |dims, values: &[f32]| [legacy(dims), packed(values)].concat();
    let file = [
        v1_layer("conv", &[blob([2, 1, 2, 2], &conv), blob([1, 1, 1, 2], &conv_bias)]),
        v1_layer("fc", &[blob([1, 1, 1, 18], &fc), blob([1, 1, 1, 1], &fc_bias)]),
    ]
    .concat();
    assert_eq!(bits(loaded(file)), bits(values()));
}

#[test]
fn unpacked_values_and_differences_load() {
    let [conv, conv_bias, fc, fc_bias] = values();
    let differences = bytes(6, &[0x55; 72]);
    // Values in pieces, some packed, some not, as a parser must accept them.
    let pieces = [unpacked(&fc[..5]), packed(&fc[5..11]), unpacked(&fc[11..]), shape(&[1, 18])].concat();
    let file = [
        layer(
            "conv",
            &[
                [shape(&[2, 1, 2, 2]), unpacked(&conv), differences].concat(),
                [unpacked(&conv_bias), shape(&[2])].concat(),
            ],
        ),
        layer("fc", &[pieces, [unpacked(&fc_bias), shape(&[1])].concat()]),
    ]
    .concat();
    assert_eq!(bits(loaded(file)), bits(values()));
}

/// A file in which only the weight of the fully connected layer is stored in another way.
fn with_fc(blob: Vec<u8>) -> Vec<u8> {
    let [conv, conv_bias, _, fc_bias] = values();
    [
        layer(
            "conv",
            &[[packed(&conv), shape(&[2, 1, 2, 2])].concat(), [packed(&conv_bias), shape(&[2])].concat()],
        ),
        layer("fc", &[blob, [packed(&fc_bias), shape(&[1])].concat()]),
    ]
    .concat()
}

#[test]
fn doubles_and_half_precision_load() {
    let fc = &values()[2];
    // All of them are binary16 numbers.
    let codes: Vec<_> = fc.iter().map(|&value| f16::from_f32(value).to_bits()).collect();
    let doubles: Vec<_> = fc.iter().flat_map(|&value| f64::from(value).to_le_bytes()).collect();
    let floats: Vec<_> = fc.iter().flat_map(|value| value.to_le_bytes()).collect();
    let halves: Vec<_> = codes.iter().flat_map(|code| code.to_le_bytes()).collect();
    let packed_codes: Vec<_> = codes.iter().flat_map(|&code| varint(u64::from(code))).collect();
    for (name, stored) in [
        ("double_data", bytes(8, &doubles)),
        ("half_data", bytes(10, &packed_codes)),
        ("raw double", bytes(12, &doubles)),
        ("raw float", [number(10, 1), bytes(12, &floats)].concat()),
        ("raw binary16", [number(10, 2), bytes(12, &halves)].concat()),
    ] {
        assert_eq!(loaded(with_fc([stored, shape(&[1, 18])].concat()))[2], *fc, "{name}");
    }
}

#[test]
fn values_stored_in_other_ways_are_refused() {
    let cases = [
        ([number(10, 3), bytes(12, &[0; 72])].concat(), "raw data of type INT"),
        ([number(10, 9), bytes(12, &[0; 72])].concat(), "raw data of type 9"),
        (
            [number(10, 1), bytes(12, &[0; 71])].concat(),
            "71 bytes of raw data, which 4-byte values do not fill",
        ),
        ([packed(&[1.0; 18]), bytes(12, &[0; 72])].concat(), "raw data beside other values"),
        ([packed(&[1.0; 18]), bytes(8, &[0; 144])].concat(), "values of several types"),
        (bytes(10, &varint(65536)), "codes wider than 16 bits"),
    ];
    for (stored, expected) in cases {
        let problem = refused(with_fc([stored, shape(&[1, 18])].concat()));
        let WeightsProblem::ValueType { found, parameter: "weight", .. } = &problem else {
            panic!("{problem}")
        };
        assert_eq!(found, expected);
    }
}

#[test]
fn blobs_of_another_shape_are_refused() {
    let fc = packed(&values()[2]);
    for (stored, expected) in [
        (shape(&[18, 1]), "18x1"),
        (shape(&[18]), "18"),
        (shape(&[1, 1, 1, 18]), "1x1x1x18"),
        (shape(&[1, 18, 1]), "1x18x1"),
        (shape(&[1, u64::MAX]), "1x-1"),
        (shape(&[]), "no extent"),
        (shape(&[1; 12]), "1x1x1x1x1x1x1x1x… (12 extents)"),
        (legacy([1, 1, 18, 1]), "1x1x18x1 (four-dimensional form)"),
        (Vec::new(), "no shape"),
    ] {
        let problem = refused(with_fc([stored, fc.clone()].concat()));
        let message = format!("layer 'fc': found a weight of {expected}, expected 1x18");
        assert_eq!(problem.to_string(), message);
    }
    let problem = refused(with_fc([shape(&[1, 18]), packed(&[0.0; 17])].concat()));
    assert_eq!(problem.to_string(), "layer 'fc': found 17 values of the weight, expected 18");
}

#[test]
fn files_of_another_network_are_refused() {
    let problem = refused([layer("ip1", &[shape(&[1])]), layer("conv", &[])].concat());
    assert_eq!(
        problem.to_string(),
        "found no parameters for layer 'conv', expected a weight of 2x1x2x2 and a bias of 2; the file has parameters \
         for 'ip1': is it the weight file of another network?"
    );
    let [conv, ..] = values();
    let problem = refused(layer("conv", &[[packed(&conv), shape(&[2, 1, 2, 2])].concat()]));
    assert_eq!(
        problem.to_string(),
        "layer 'conv': found 1 blobs, expected 2 (a weight of 2x1x2x2 and a bias of 2)"
    );
    let problem = refused([small_file(), layer("fc", &[shape(&[1])])].concat());
    assert_eq!(problem, WeightsProblem::LayerTwice { layer: "fc".to_owned() });
}

#[test]
fn layers_that_the_definition_lacks_are_noted() {
    let mut network = small();
    let file = [layer("auxiliary", &[shape(&[1]), shape(&[1])]), small_file(), layer("loss", &[])].concat();
    let notes = load_bytes(&mut network, file.into()).unwrap();
    assert_eq!(
        notes,
        ["layer 'auxiliary' of the weight file left out: the definition has no parameters for its 2 blobs"]
    );
    assert!(network.has_weights());
}

#[test]
fn files_of_another_format_are_refused() {
    let hdf5 = b"\x89HDF\r\n\x1a\n\0\0\0\0".to_vec();
    assert_eq!(refused(hdf5), WeightsProblem::OtherFormat { format: "HDF5" });
    for other in [Vec::new(), b"name: \"LeNet\"".to_vec(), b"PK\x03\x04\0\0".to_vec(), bytes(1, b"empty net")]
    {
        let problem = refused(other);
        assert!(matches!(problem, WeightsProblem::Damaged { .. }), "{problem}");
    }
}

/// A length far beyond the file's end must be found out before memory is taken for it.
#[test]
fn lengths_beyond_the_end_are_refused() {
    for length in [1 << 20, 1 << 40, u64::MAX >> 1, u64::MAX] {
        let endless = |field: u64| [varint(field << 3 | BYTES), varint(length), vec![0; 8]].concat();
        for blob in [endless(5), endless(7), endless(8), endless(10), endless(12)] {
            let problem = refused(with_fc([shape(&[1, 18]), blob].concat()));
            assert!(matches!(problem, WeightsProblem::Damaged { .. }), "{problem}");
        }
        assert!(matches!(refused(endless(100)), WeightsProblem::Damaged { .. }));
        assert!(matches!(refused(endless(2)), WeightsProblem::Damaged { .. }));
    }
}

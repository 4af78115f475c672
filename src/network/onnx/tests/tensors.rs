//! How tensors are stored: raw and typed, and in other files.

use super::super::schema::StringStringEntryProto;
use super::super::schema::tensor_proto::DataLocation;
use super::*;
use half::{bf16, f16};

const VALUES: [f32; 4] = [1.0, -0.5, 3.25, 1024.0];

fn typed(kind: DataType) -> TensorProto {
    TensorProto {
        name: Some("c".into()),
        dims: vec![4],
        data_type: Some(kind as i32),
        ..TensorProto::default()
    }
}

fn raw<const N: usize>(kind: DataType, word: impl Fn(f32) -> [u8; N]) -> TensorProto {
    TensorProto {
        raw_data: Some(VALUES.iter().flat_map(|&value| word(value)).collect::<Vec<_>>().into()),
        ..typed(kind)
    }
}

fn values(tensor: TensorProto) -> Result<Vec<f32>, String> {
    single(13, &[1, 4], ("Mul", "x c", &[]), &[tensor])
        .map(|network| parameters(&network, 0)[0].unwrap().to_vec())
        .map_err(|error| error.to_string())
}

#[test]
fn every_encoding_gives_the_same_numbers() {
    let halves = |code: fn(f32) -> u16| VALUES.iter().map(|&value| i32::from(code(value))).collect();
    for tensor in [
        raw(DataType::Float, f32::to_le_bytes),
        raw(DataType::Double, |value| f64::from(value).to_le_bytes()),
        raw(DataType::Float16, |value| f16::from_f32(value).to_le_bytes()),
        raw(DataType::Bfloat16, |value| bf16::from_f32(value).to_le_bytes()),
        TensorProto { float_data: VALUES.to_vec(), ..typed(DataType::Float) },
        TensorProto { double_data: VALUES.map(f64::from).to_vec(), ..typed(DataType::Double) },
        TensorProto {
            int32_data: halves(|value| f16::from_f32(value).to_bits()),
            ..typed(DataType::Float16)
        },
        TensorProto {
            int32_data: halves(|value| bf16::from_f32(value).to_bits()),
            ..typed(DataType::Bfloat16)
        },
    ] {
        let kind = tensor.data_type;
        assert_eq!(values(tensor).as_deref(), Ok(VALUES.as_slice()), "type {kind:?}");
    }
}

#[test]
fn every_integer_encoding_gives_the_same_shape() {
    let shape = [1_i64, 2, -1];
    let typed = |kind| TensorProto { dims: vec![3], ..typed(kind) };
    let bytes = |words: Vec<u8>| Some(words.into());
    for tensor in [
        TensorProto { int64_data: shape.to_vec(), ..typed(DataType::Int64) },
        TensorProto { int32_data: shape.map(|dim| dim as i32).to_vec(), ..typed(DataType::Int32) },
        TensorProto {
            raw_data: bytes(shape.iter().flat_map(|dim| dim.to_le_bytes()).collect()),
            ..typed(DataType::Int64)
        },
        TensorProto {
            raw_data: bytes(shape.iter().flat_map(|&dim| (dim as i32).to_le_bytes()).collect()),
            ..typed(DataType::Int32)
        },
    ] {
        let network = single(13, &[1, 12], ("Reshape", "x c", &[]), &[tensor]).unwrap();
        assert_eq!(output(&network), Shape::new(2, 1, 6));
    }
}

#[test]
fn values_that_do_not_fit_are_refused() {
    let cut = |count: usize| TensorProto { float_data: VALUES[..count].to_vec(), ..typed(DataType::Float) };
    for (tensor, expected) in [
        (cut(3), "tensor 'c': found values = 3 of type FLOAT (float_data is set), expected 4 (4)"),
        (cut(0), "tensor 'c': found values = none, expected 4 (4)"),
        (
            TensorProto { raw_data: Some(vec![0; 15].into()), ..typed(DataType::Float) },
            "tensor 'c': found bytes of raw data = 15, expected 16 for 4 values of type FLOAT",
        ),
        (
            TensorProto { raw_data: Some(vec![0; 16].into()), ..cut(4) },
            "tensor 'c': found values = float_data and raw_data, expected one of them",
        ),
        (
            TensorProto { dims: vec![1 << 31, 1 << 31, 1 << 31], ..cut(4) },
            "tensor 'c': a tensor of 2147483648x2147483648x2147483648 has more than 2147483648 elements",
        ),
        (
            TensorProto { dims: vec![i64::MAX, 0], ..cut(4) },
            "tensor 'c': a tensor of 9223372036854775807x0 has more",
        ),
        (TensorProto { dims: vec![-4], ..cut(4) }, "tensor 'c': found extents = -4, expected none below 0"),
        (TensorProto { data_type: Some(99), ..cut(4) }, "tensor 'c': found data type = 99"),
        (
            TensorProto { int32_data: vec![1, 2, 3, 1 << 16], ..typed(DataType::Float16) },
            "node 'l' (Mul): found codes wider than 16 bits",
        ),
        (
            TensorProto { data_type: Some(DataType::Uint16 as i32), ..cut(0) },
            "node 'l' (Mul): found data type = UINT16",
        ),
        (
            TensorProto { segment: Some(super::super::schema::tensor_proto::Segment::default()), ..cut(4) },
            "tensor 'c': found a piece",
        ),
    ] {
        let found = values(tensor).unwrap_err();
        assert!(found.starts_with(&format!("net.onnx: {expected}")), "{found}");
    }
}

fn external(entries: &[(&str, &str)]) -> TensorProto {
    let entry = |&(key, value): &(&str, &str)| StringStringEntryProto {
        key: Some(key.into()),
        value: Some(value.into()),
    };
    TensorProto {
        data_location: Some(DataLocation::External as i32),
        external_data: entries.iter().map(entry).collect(),
        ..typed(DataType::Float)
    }
}

#[test]
fn external_tensors_are_read_from_the_model_folder() {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("model");
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    let bytes: Vec<u8> = [9.0_f32, 9.0].iter().chain(&VALUES).flat_map(|value| value.to_le_bytes()).collect();
    for file in [folder.join("w.bin"), folder.join("sub/w.bin"), outside.path().join("secret.bin")] {
        std::fs::write(file, &bytes).unwrap();
    }
    let path = folder.join("net.onnx");
    let read = |entries: &[(&str, &str)]| {
        let nodes = vec![node("Mul", "l", "x c", "y", &[])];
        std::fs::write(&path, model(13, &[1, 4], nodes, vec![external(entries)]).encode_to_vec()).unwrap();
        super::super::read_definition(&path)
            .map(|network| parameters(&network, 0)[0].unwrap().to_vec())
            .map_err(|error| error.to_string().replace(&path.display().to_string(), "net.onnx"))
    };
    for entries in [
        &[("location", "w.bin"), ("offset", "8")][..],
        &[("location", "sub/w.bin"), ("offset", "8"), ("length", "16"), ("checksum", "?")],
        &[("location", "./w.bin"), ("offset", "8"), ("length", "16")],
    ] {
        assert_eq!(read(entries).as_deref(), Ok(VALUES.as_slice()), "{entries:?}");
    }
    for (entries, expected) in [
        (&[("location", "../secret.bin")][..], "expected a path relative to the model's folder"),
        (&[("location", "sub/../../secret.bin")], "expected a path relative to the model's folder"),
        (&[("location", "/etc/passwd")], "expected a path relative to the model's folder"),
        (&[("location", "")], "expected a path relative to the model's folder"),
        (&[("offset", "8")], "found no external data location"),
        (&[("location", "gone.bin")], "gone.bin: cannot be read"),
        (&[("location", "sub")], "expected a regular file"),
        (&[("location", "w.bin"), ("offset", "12")], "found external data = 16 bytes from byte 12 on"),
        (&[("location", "w.bin"), ("offset", "18446744073709551615")], "found external data = 16 bytes from"),
        (
            &[("location", "w.bin"), ("offset", "-1")],
            "found external data offset = \"-1\", expected a number",
        ),
        (&[("location", "w.bin"), ("length", "8")], "found external data length = 8, expected 16"),
        (&[("location", "w.bin"), ("cipher", "x")], "found external data key = \"cipher\""),
    ] {
        let found = read(entries).unwrap_err();
        assert!(found.contains(expected), "{found}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_does_not_lead_out_of_the_model_folder() {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("model");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(outside.path().join("secret.bin"), [0; 16]).unwrap();
    std::os::unix::fs::symlink("../secret.bin", folder.join("w.bin")).unwrap();
    let path = folder.join("net.onnx");
    let nodes = vec![node("Mul", "l", "x c", "y", &[])];
    let model = model(13, &[1, 4], nodes, vec![external(&[("location", "w.bin")])]);
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    let error = super::super::read_definition(&path).unwrap_err().to_string();
    assert!(error.contains("expected a file inside the model's folder"), "{error}");
}

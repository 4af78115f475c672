//! Writes a weight file (caffemodel) of seeded random weights for a network definition: full-size networks without their
//! trained weights, to measure speed and to compare engines.
//!
//! `cargo run --release --example random_weights -- DEFINITION.prototxt OUT.caffemodel SEED`
//!
//! Without arguments, the weights of LeNet-5 go to a temporary folder. The file has the same bytes for the same seed on every
//! machine, and is written value by value: memory stays small.
//!
//! Values are uniform. Their range is He's (He et al., "Delving Deep into Rectifiers", 2015), from an estimate of the mean
//! square of each layer's input, so that activations neither vanish nor explode: for inputs in -128..128 (8-bit pixels less
//! their mean) with a standard deviation of about 52, the outputs of all layers have one of about 64, which local response
//! normalisation notices, and those in front of a softmax one of about 4, which does not saturate it.

use approxmem::network::{self, Layer, LayerKind, Network, Parameter, PoolingMethod};
use rand::Rng;
use rand_pcg::Pcg64Dxsm;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Mean square of the network's input: that of the mean of two numbers uniform in -128..128.
const INPUT_MEAN_SQUARE: f64 = 128.0 * 128.0 / 6.0;

/// Standard deviation of the outputs of convolutions and fully connected layers.
const DEVIATION: f64 = 64.0;

/// Standard deviation of the inputs of a softmax.
const LOGIT_DEVIATION: f64 = 4.0;

/// Share of the outputs' standard deviation that biases have.
const BIAS_SHARE: f64 = 0.1;

/// Ranges `-limit..limit` of the weight and the bias of a layer.
#[derive(Clone, Copy)]
struct Limits {
    weight: f64,
    bias: f64,
}

/// Per layer the limits of its parameters, where it has any.
fn limits(network: &Network) -> Result<Vec<Option<Limits>>, Box<dyn Error>> {
    let last = network.layers.iter().rposition(|layer| layer.weight.is_some());
    let ends_in_softmax = matches!(network.layers.last(), Some(Layer { kind: LayerKind::Softmax, .. }));
    let mut squares = vec![INPUT_MEAN_SQUARE; network.blobs.len()];
    let mut limits = vec![];
    for (index, layer) in network.layers.iter().enumerate() {
        let deviation = if ends_in_softmax && Some(index) == last { LOGIT_DEVIATION } else { DEVIATION };
        let input = squares[layer.inputs[0].0];
        let (square, limit) = match (&layer.kind, &layer.weight) {
            (LayerKind::Convolution(_) | LayerKind::InnerProduct { .. }, Some(weight)) => {
                let terms = weight.dims[1..].iter().product::<usize>() as f64;
                // A uniform distribution in -a..a has the variance a²/3.
                let weight = (3.0 * deviation * deviation / (terms * input)).sqrt();
                let bias = BIAS_SHARE * deviation * 3.0_f64.sqrt();
                (deviation * deviation, Some(Limits { weight, bias }))
            }
            (_, Some(_)) => {
                return Err(format!(
                    "layer {}: its weights stand for statistics, not drawn here",
                    layer.name
                )
                .into());
            }
            _ => (mean_square(network, layer, &squares), None),
        };
        squares[layer.output.0] = square;
        limits.push(limit);
    }
    Ok(limits)
}

/// Estimate of the mean square of what a layer without parameters yields. It need only be right within a factor of two or so,
/// and must not call the system's mathematical library, whose last bit differs between machines.
fn mean_square(network: &Network, layer: &Layer, squares: &[f64]) -> f64 {
    let input = squares[layer.inputs[0].0];
    match &layer.kind {
        // Half of the values of a symmetric distribution stay.
        LayerKind::Relu { .. } => input / 2.0,
        LayerKind::Pooling(pooling) => {
            let elements = pooling.window.kernel[0] * pooling.window.kernel[1];
            match pooling.method {
                // Between equal values (once) and independent rectified ones (3.1 times for four, 5.1 times for nine), as
                // measured with such weights: 1.4 to 2.2 for windows of four, 1.6 to 3.7 for nine.
                PoolingMethod::Max => input * (1.0 + 0.35 * f64::from(elements.max(1).ilog2())),
                // The mean of rectified values stays, their variance does not.
                PoolingMethod::Average { .. } => input * (0.64 + 0.36 / elements as f64),
            }
        }
        LayerKind::Concat => {
            let part = |id: &network::BlobId| squares[id.0] * network.blob(*id).shape.elements() as f64;
            let elements = network.blob(layer.output).shape.elements() as f64;
            layer.inputs.iter().map(part).sum::<f64>() / elements
        }
        // As measured with such weights and the parameters of AlexNet and cifar10_full.
        LayerKind::LocalResponse(_) => input * 0.7,
        LayerKind::Eltwise(_) => layer.inputs.iter().map(|id| squares[id.0]).sum(),
        _ => input,
    }
}

/// Appends `value` as a base-128 varint of Protocol Buffers.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends tag and length of field `number`, which is length-delimited.
fn header(out: &mut Vec<u8>, number: u64, length: usize) {
    varint(out, number << 3 | 2);
    varint(out, length as u64);
}

/// Everything of a `BlobProto` in front of its values, whose tag and length are the last of it: `shape` (field 7) with
/// packed `dim` (1), then `data` (5).
fn blob_head(parameter: &Parameter) -> Vec<u8> {
    let (mut dims, mut shape, mut head) = (vec![], vec![], vec![]);
    parameter.dims.iter().for_each(|&dim| varint(&mut dims, dim as u64));
    header(&mut shape, 1, dims.len());
    shape.extend(dims);
    header(&mut head, 7, shape.len());
    head.extend(shape);
    header(&mut head, 5, 4 * parameter.words());
    head
}

/// Writes `count` values uniform in `-limit..limit`, keyed by `seed` and `stream`.
fn write_values(
    file: &mut impl Write,
    (seed, stream): (u64, u64),
    limit: f64,
    count: usize,
) -> io::Result<()> {
    let mut random = Pcg64Dxsm::new((u128::from(seed) << 64) | u128::from(stream), u128::from(stream));
    for _ in 0..count {
        let unit = f64::from(random.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0;
        file.write_all(&((unit * limit) as f32).to_le_bytes())?;
    }
    Ok(())
}

/// Writes one `LayerParameter` (field 100 of `NetParameter`): `name` (1), `type` (2), `blobs` (7).
fn write_layer(
    file: &mut impl Write,
    index: usize,
    layer: &Layer,
    limits: Limits,
    seed: u64,
) -> io::Result<()> {
    let parameters: Vec<_> = [(&layer.weight, limits.weight), (&layer.bias, limits.bias)]
        .into_iter()
        .filter_map(|(parameter, limit)| parameter.as_ref().map(|parameter| (parameter, limit)))
        .collect();
    let mut start = vec![];
    header(&mut start, 1, layer.name.len());
    start.extend(layer.name.bytes());
    header(&mut start, 2, layer.kind.name().len());
    start.extend(layer.kind.name().bytes());
    let mut heads = vec![];
    for (parameter, _) in &parameters {
        let blob = blob_head(parameter);
        let mut head = vec![];
        header(&mut head, 7, blob.len() + 4 * parameter.words());
        head.extend(blob);
        heads.push(head);
    }
    let values: usize = parameters.iter().map(|(parameter, _)| 4 * parameter.words()).sum();
    let mut tag = vec![];
    header(&mut tag, 100, start.len() + heads.iter().map(Vec::len).sum::<usize>() + values);
    file.write_all(&tag)?;
    file.write_all(&start)?;
    for (number, ((parameter, limit), head)) in parameters.iter().zip(heads).enumerate() {
        file.write_all(&head)?;
        write_values(file, (seed, (2 * index + number) as u64), *limit, parameter.words())?;
    }
    Ok(())
}

/// Writes weights for the network in `definition` to `out`.
fn write_weights(definition: &Path, out: &Path, seed: u64) -> Result<(), Box<dyn Error>> {
    let network = network::read_definition(definition)?;
    let limits = limits(&network)?;
    let mut file = BufWriter::with_capacity(1 << 20, File::create(out)?);
    let mut name = vec![];
    header(&mut name, 1, network.name.len());
    name.extend(network.name.bytes());
    file.write_all(&name)?;
    for (index, (layer, limits)) in network.layers.iter().zip(limits).enumerate() {
        if let Some(limits) = limits {
            write_layer(&mut file, index, layer, limits, seed)?;
        }
    }
    file.flush()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = tempfile::tempdir()?;
    let (definition, out, seed) = match &arguments[..] {
        [] => {
            let definition = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/lenet5/lenet5.prototxt");
            (definition, folder.path().join("lenet5.caffemodel"), 1)
        }
        [definition, out, seed] => (PathBuf::from(definition), PathBuf::from(out), seed.parse()?),
        _ => return Err("usage: random_weights DEFINITION.prototxt OUT.caffemodel SEED".into()),
    };
    write_weights(&definition, &out, seed)?;
    println!("{}: {} bytes, seed {seed}", out.display(), out.metadata()?.len());
    if arguments.is_empty() {
        let mut network = network::read_definition(&definition)?;
        network::load_weights(&mut network, &out)?;
        println!("read back: every layer has its weights: {}", network.has_weights());
    }
    Ok(())
}

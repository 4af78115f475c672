//! Weight files.

use super::error::{Error, WeightsProblem};
use super::normalisation::Statistics;
use super::schema::{BlobProto, RawType, WeightFile, WeightFileLayer, WeightFileV1Layer};
use crate::network::{Layer, Network, Normalisation, Scaling, file};
use half::f16;
use prost::Message;
use prost::bytes::Bytes;
use std::collections::HashMap;
use std::path::Path;

/// Largest weight file that is read, in bytes: the limit of the protobuf format.
const MAX_BYTES: u64 = (1 << 31) - 1;

/// How many layer names a message lists.
const NAMES_SHOWN: usize = 8;

/// Loads weights and biases of `network` from the caffemodel `path`. On error the network is left as it was.
pub fn load(network: &mut Network, path: &Path) -> Result<Vec<String>, Error> {
    let bytes = file::read(path, MAX_BYTES, "a caffemodel")?;
    load_bytes(network, bytes).map_err(|problem| Error::Weights { path: path.to_owned(), problem })
}

/// Values of the weight and the bias of one layer.
type Values = [Option<Vec<f32>>; 2];

pub fn load_bytes(network: &mut Network, bytes: Bytes) -> Result<Vec<String>, WeightsProblem> {
    if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
        return Err(WeightsProblem::OtherFormat { format: "HDF5" });
    }
    let mut stored = stored_layers(bytes)?;
    let mut values = Vec::with_capacity(network.layers.len());
    for (id, layer) in network.layers_with_ids() {
        values.push(match network.normalisations.get(&id) {
            None => layer_values(layer, &mut stored)?,
            Some(normalisation) => {
                statistics(layer, normalisation, &mut stored)?.affine(normalisation)?.map(Some)
            }
        });
    }
    for (layer, [weight, bias]) in network.layers.iter_mut().zip(values) {
        for (parameter, values) in [(&mut layer.weight, weight), (&mut layer.bias, bias)] {
            if let Some(parameter) = parameter {
                parameter.values = values;
            }
        }
    }
    let mut left_out: Vec<_> = stored.into_iter().collect();
    left_out.sort_by_key(|(_, layer)| layer.position);
    let note = |(name, layer): (String, Stored)| {
        let blobs = layer.blobs.len();
        format!(
            "layer '{name}' of the weight file left out: the definition has no parameters for its {blobs} blobs"
        )
    };
    Ok(left_out.into_iter().map(note).collect())
}

/// A layer's blobs as they are in the file, each an encoded `BlobProto`.
struct Stored {
    position: usize,
    blobs: Vec<Bytes>,
}

/// The layers that have blobs, by name.
fn stored_layers(bytes: Bytes) -> Result<HashMap<String, Stored>, WeightsProblem> {
    let length = bytes.len();
    let damaged = |place: String| {
        move |error: prost::DecodeError| WeightsProblem::Damaged { place, reason: error.to_string() }
    };
    let file = WeightFile::decode(bytes).map_err(damaged(format!("all {length} bytes")))?;
    if file.layer.is_empty() && file.layers.is_empty() {
        let reason = "it holds no layer".to_owned();
        return Err(WeightsProblem::Damaged { place: format!("all {length} bytes"), reason });
    }
    let mut stored = HashMap::new();
    let mut insert = |name: String, position, blobs: Vec<Bytes>| {
        if blobs.is_empty() {
            return Ok(());
        }
        match stored.insert(name.clone(), Stored { position, blobs }) {
            None => Ok(()),
            Some(_) => Err(WeightsProblem::LayerTwice { layer: name }),
        }
    };
    for (position, bytes) in file.layers.into_iter().enumerate() {
        let layer =
            WeightFileV1Layer::decode(bytes).map_err(damaged(format!("layer {} (V1)", position + 1)))?;
        insert(layer.name.unwrap_or_default(), position, layer.blobs)?;
    }
    for (position, bytes) in file.layer.into_iter().enumerate() {
        let layer = WeightFileLayer::decode(bytes).map_err(damaged(format!("layer {}", position + 1)))?;
        insert(layer.name.unwrap_or_default(), position, layer.blobs)?;
    }
    Ok(stored)
}

/// Takes the values for `layer` out of `stored`.
fn layer_values(layer: &Layer, stored: &mut HashMap<String, Stored>) -> Result<Values, WeightsProblem> {
    let mut values: Values = [None, None];
    let wanted: Vec<_> = [("weight", &layer.weight), ("bias", &layer.bias)]
        .into_iter()
        .enumerate()
        .filter_map(|(slot, (name, parameter))| {
            Some((slot, Wanted { name, dims: &parameter.as_ref()?.dims }))
        })
        .collect();
    if wanted.is_empty() {
        return Ok(values);
    }
    let (slots, wanted): (Vec<_>, Vec<_>) = wanted.into_iter().unzip();
    for (slot, numbers) in slots.into_iter().zip(take(&layer.name, &wanted, stored)?) {
        values[slot] = Some(numbers.into_single());
    }
    Ok(values)
}

/// Takes what belongs to the batch normalisation in the affine layer `layer` out of `stored`.
fn statistics(
    layer: &Layer,
    normalisation: &Normalisation,
    stored: &mut HashMap<String, Stored>,
) -> Result<Statistics, WeightsProblem> {
    let channels: &[usize] = layer.weight.as_ref().map_or(&[], |weight| &weight.dims);
    let of = |name, dims| Wanted { name, dims };
    let wanted = [of("mean", channels), of("variance", channels), of("factor", &[1])];
    let mut numbers = take(&normalisation.layer, &wanted, stored)?.into_iter().map(Numbers::into_double);
    let mut next = || numbers.next().unwrap_or_default();
    let (mean, variance, factor) = (next(), next(), next());
    let wanted = [of("scale", channels), of("shift", channels)];
    let wanted = match normalisation.scaling {
        Scaling::None => &wanted[..0],
        Scaling::Scale => &wanted[..1],
        Scaling::ScaleAndShift => &wanted,
    };
    let numbers = if wanted.is_empty() { Vec::new() } else { take(&layer.name, wanted, stored)? };
    let mut numbers = numbers.into_iter().map(Numbers::into_double);
    Ok(Statistics {
        mean,
        variance,
        factor: factor.first().copied().unwrap_or_default(),
        scale: numbers.next(),
        shift: numbers.next(),
    })
}

/// A blob that a layer must have.
struct Wanted<'a> {
    name: &'static str,
    dims: &'a [usize],
}

/// Takes the blobs of layer `name` out of `stored`, as many as are wanted.
fn take(
    name: &str,
    wanted: &[Wanted<'_>],
    stored: &mut HashMap<String, Stored>,
) -> Result<Vec<Numbers>, WeightsProblem> {
    let expected = || {
        let shown = |wanted: &Wanted<'_>| format!("a {} of {}", wanted.name, extents(wanted.dims));
        wanted.iter().map(shown).collect::<Vec<_>>().join(" and ")
    };
    let Some(found) = stored.remove(name) else {
        return Err(WeightsProblem::LayerMissing {
            layer: name.to_owned(),
            expected: expected(),
            present: names(stored),
        });
    };
    if found.blobs.len() != wanted.len() {
        return Err(WeightsProblem::BlobCount {
            layer: name.to_owned(),
            found: found.blobs.len(),
            expected: format!("{} ({})", wanted.len(), expected()),
        });
    }
    found.blobs.into_iter().zip(wanted).map(|(bytes, wanted)| parameter_values(bytes, name, wanted)).collect()
}

/// The values in the encoded blob `bytes`, for what is `wanted` of `layer`.
fn parameter_values(bytes: Bytes, layer: &str, wanted: &Wanted<'_>) -> Result<Numbers, WeightsProblem> {
    let (name, words) = (wanted.name, wanted.dims.iter().product::<usize>());
    // Room for all values at once: a growing vector would hold the largest blobs twice. The file bounds it.
    let values = Vec::with_capacity(words.min(bytes.len() / size_of::<f32>()));
    let mut blob = BlobProto { data: values, ..BlobProto::default() };
    blob.merge(bytes).map_err(|error| WeightsProblem::Damaged {
        place: format!("the {name} of layer '{layer}'"),
        reason: error.to_string(),
    })?;
    if !has_shape(&blob, wanted.dims) {
        return Err(WeightsProblem::BlobShape {
            layer: layer.to_owned(),
            parameter: name,
            found: stored_extents(&blob),
            expected: extents(wanted.dims),
        });
    }
    let values = blob_values(blob).map_err(|found| WeightsProblem::ValueType {
        layer: layer.to_owned(),
        parameter: name,
        found,
    })?;
    if values.len() != words {
        return Err(WeightsProblem::ValueCount {
            layer: layer.to_owned(),
            parameter: name,
            found: values.len(),
            expected: words,
        });
    }
    Ok(values)
}

fn legacy_dims(blob: &BlobProto) -> [i64; 4] {
    [blob.num(), blob.channels(), blob.height(), blob.width()].map(i64::from)
}

fn is_legacy(blob: &BlobProto) -> bool {
    [blob.num, blob.channels, blob.height, blob.width].iter().any(Option::is_some)
}

/// Whether the blob's extents are `dims`; in the older form they have four, with leading ones.
fn has_shape(blob: &BlobProto, dims: &[usize]) -> bool {
    let dims = || dims.iter().map(|&dim| dim as i64);
    match &blob.shape {
        Some(shape) => shape.dim.iter().copied().eq(dims()),
        None if is_legacy(blob) && dims().len() <= 4 => {
            let ones = std::iter::repeat_n(1, 4 - dims().len());
            legacy_dims(blob).into_iter().eq(ones.chain(dims()))
        }
        None => false,
    }
}

fn extents(dims: &[usize]) -> String {
    dims.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

fn stored_extents(blob: &BlobProto) -> String {
    let shown =
        |dims: &[i64]| dims.iter().take(NAMES_SHOWN).map(ToString::to_string).collect::<Vec<_>>().join("x");
    match &blob.shape {
        Some(shape) if shape.dim.len() > NAMES_SHOWN => {
            format!("{}x… ({} extents)", shown(&shape.dim), shape.dim.len())
        }
        Some(shape) if shape.dim.is_empty() => "no extent".to_owned(),
        Some(shape) => shown(&shape.dim),
        None if is_legacy(blob) => format!("{} (four-dimensional form)", shown(&legacy_dims(blob))),
        None => "no shape".to_owned(),
    }
}

/// The extents that `blob` gives, in either form.
pub fn stored_dims(blob: &BlobProto) -> Option<Vec<i64>> {
    match &blob.shape {
        Some(shape) => Some(shape.dim.clone()),
        None => is_legacy(blob).then(|| legacy_dims(blob).to_vec()),
    }
}

/// Values in the precision in which they are stored.
pub enum Numbers {
    Single(Vec<f32>),
    Double(Vec<f64>),
}

impl Numbers {
    pub fn len(&self) -> usize {
        match self {
            Self::Single(values) => values.len(),
            Self::Double(values) => values.len(),
        }
    }

    /// Caffe, too, rounds to the nearest single-precision number.
    pub fn into_single(self) -> Vec<f32> {
        match self {
            Self::Single(values) => values,
            Self::Double(values) => values.into_iter().map(|value| value as f32).collect(),
        }
    }

    fn into_double(self) -> Vec<f64> {
        match self {
            Self::Single(values) => values.into_iter().map(f64::from).collect(),
            Self::Double(values) => values,
        }
    }
}

/// The values of `blob`; else how they are stored.
pub fn blob_values(blob: BlobProto) -> Result<Numbers, String> {
    let BlobProto { data, double_data, half_data, raw_data, .. } = blob;
    if let Some(raw) = raw_data {
        if !data.is_empty() || !double_data.is_empty() {
            return Err("raw data beside other values".to_owned());
        }
        let kind = half_data.last().map_or(Ok(RawType::Double), |&number| RawType::try_from(number as i32));
        return raw_values(&raw, kind.map_err(|unknown| format!("raw data of type {}", unknown.0))?);
    }
    match (data.is_empty(), double_data.is_empty(), half_data.is_empty()) {
        (_, true, true) => Ok(Numbers::Single(data)),
        (true, false, true) => Ok(Numbers::Double(double_data)),
        (true, true, false) => {
            let code = |&code: &u32| u16::try_from(code).map(f16::from_bits).map(f16::to_f32);
            let values = half_data.iter().map(code).collect::<Result<_, _>>();
            values.map(Numbers::Single).map_err(|_| "codes wider than 16 bits".to_owned())
        }
        _ => Err("values of several types".to_owned()),
    }
}

fn raw_values(raw: &[u8], kind: RawType) -> Result<Numbers, String> {
    fn convert<const N: usize, T>(raw: &[u8], value: fn([u8; N]) -> T) -> Result<Vec<T>, String> {
        let (words, rest) = raw.as_chunks::<N>();
        if !rest.is_empty() {
            return Err(format!("{} bytes of raw data, which {N}-byte values do not fill", raw.len()));
        }
        Ok(words.iter().map(|&word| value(word)).collect())
    }
    match kind {
        RawType::Double => convert(raw, f64::from_le_bytes).map(Numbers::Double),
        RawType::Float => convert(raw, f32::from_le_bytes).map(Numbers::Single),
        RawType::Float16 => convert(raw, |word| f16::from_le_bytes(word).to_f32()).map(Numbers::Single),
        RawType::Int | RawType::Uint => Err(format!("raw data of type {}", kind.as_str_name())),
    }
}

/// The first few of the layers in `stored`, in file order.
fn names(stored: &HashMap<String, Stored>) -> String {
    let mut layers: Vec<_> = stored.iter().collect();
    layers.sort_by_key(|(_, layer)| layer.position);
    let shown: Vec<_> = layers.iter().take(NAMES_SHOWN).map(|(name, _)| format!("'{name}'")).collect();
    match layers.len() {
        0 => "no other layer".to_owned(),
        count if count > NAMES_SHOWN => format!("{} and {} more", shown.join(", "), count - NAMES_SHOWN),
        _ => shown.join(", "),
    }
}

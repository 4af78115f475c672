//! A batch normalisation and the scale layer behind it as one affine layer.

use crate::network::{BlobId, Layer, LayerId, LayerKind, Network, Scaling};
use std::collections::HashMap;

/// How many layer pairs the note lists.
const PAIRS_SHOWN: usize = 4;

/// Makes one layer of each batch normalisation whose output only a scale layer reads, with the scale layer's name.
pub fn fold(network: &mut Network) {
    let folded = pairs(network);
    if folded.is_empty() {
        return;
    }
    note(network, &folded);
    let mut normalisations = std::mem::take(&mut network.normalisations);
    let mut scaled: HashMap<LayerId, (LayerId, Scaling)> = HashMap::new();
    for &(normalisation, scale) in &folded {
        let input = network.layer(normalisation).inputs[0];
        let scale_layer = &mut network.layers[scale.0];
        let scaling = if scale_layer.bias.is_some() { Scaling::ScaleAndShift } else { Scaling::Scale };
        scale_layer.inputs = vec![input];
        scale_layer.bias.clone_from(&scale_layer.weight);
        scaled.insert(normalisation, (scale, scaling));
    }
    let gone: Vec<bool> = (0..network.layers.len()).map(|id| scaled.contains_key(&LayerId(id))).collect();
    let mut blobs_gone = vec![false; network.blobs.len()];
    for (layer, _) in network.layers.iter().zip(&gone).filter(|(_, gone)| **gone) {
        blobs_gone[layer.output.0] = true;
    }
    let (layer_ids, blob_ids) = (places(&gone), places(&blobs_gone));
    retain(&mut network.layers, &gone);
    retain(&mut network.blobs, &blobs_gone);
    for layer in &mut network.layers {
        for blob in layer.inputs.iter_mut().chain([&mut layer.output]) {
            *blob = BlobId(blob_ids[blob.0]);
        }
    }
    for producer in network.blobs.iter_mut().filter_map(|blob| blob.producer.as_mut()) {
        *producer = LayerId(layer_ids[producer.0]);
    }
    for (&id, normalisation) in &mut normalisations {
        let mut layer = id;
        if let Some(&(scale, scaling)) = scaled.get(&id) {
            layer = scale;
            normalisation.scaling = scaling;
        }
        network.normalisations.insert(LayerId(layer_ids[layer.0]), normalisation.clone());
    }
}

/// Each batch normalisation that a scale layer takes over.
fn pairs(network: &Network) -> Vec<(LayerId, LayerId)> {
    let mut readers = vec![0; network.blobs.len()];
    for blob in network.layers.iter().flat_map(|layer| &layer.inputs) {
        readers[blob.0] += 1;
    }
    let pair = |(id, layer): (LayerId, &Layer)| {
        let is_scale = layer.kind == LayerKind::Affine && !network.normalisations.contains_key(&id);
        let input = layer.inputs[0];
        let normalisation = network.blob(input).producer.filter(|_| is_scale && readers[input.0] == 1)?;
        network.normalisations.contains_key(&normalisation).then_some((normalisation, id))
    };
    network.layers_with_ids().filter_map(pair).collect()
}

fn note(network: &mut Network, folded: &[(LayerId, LayerId)]) {
    let name = |id: LayerId| &network.layer(id).name;
    let shown: Vec<_> = folded
        .iter()
        .take(PAIRS_SHOWN)
        .map(|&(normalisation, scale)| format!("'{}' in '{}'", name(normalisation), name(scale)))
        .collect();
    let more = match folded.len().saturating_sub(PAIRS_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let note = format!("BatchNorm computed in the Scale layer behind it: {}{more}", shown.join(", "));
    network.notes.push(note);
}

/// The index of each element once those that are gone are removed.
fn places(gone: &[bool]) -> Vec<usize> {
    gone.iter()
        .scan(0, |next, &gone| {
            let place = *next;
            *next += usize::from(!gone);
            Some(place)
        })
        .collect()
}

fn retain<T>(elements: &mut Vec<T>, gone: &[bool]) {
    let mut gone = gone.iter();
    elements.retain(|_| !gone.next().copied().unwrap_or_default());
}

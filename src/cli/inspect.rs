//! `approxmem inspect`: what a network consists of.

use super::failure::Failure;
use super::progress::Voice;
use super::{output, session};
use crate::network::{LayerId, Network, Subset};
use crate::report::{grouped, percent, table};
use serde::Serialize;
use std::path::Path;

/// One layer.
#[derive(Serialize)]
struct LayerFigures {
    name: String,
    kind: &'static str,
    output_shape: String,
    output_words: usize,
    weight_words: usize,
    bias_words: usize,
    macs: u64,
}

/// One data subset of the volume.
#[derive(Serialize)]
struct SubsetShare {
    name: String,
    words: u64,
    share: f64,
}

/// Everything that `inspect` tells.
#[derive(Serialize)]
struct Inspection {
    schema_version: u32,
    network: String,
    input_shape: String,
    layers: Vec<LayerFigures>,
    macs: u128,
    volume_words: u64,
    /// Largest first.
    subsets: Vec<SubsetShare>,
    /// Stored operands that do not count in the volume.
    outside_volume: Vec<SubsetShare>,
}

/// Prints layers, shapes, multiply-accumulates and data subsets of the network at `path`, with their share of the data
/// volume (Table 2 of Chen et al., GLSVLSI'17); `weights` are checked against it.
///
/// # Errors
/// Exit code 2 if a file cannot be read or is wrong.
pub fn inspect(path: &Path, weights: Option<&Path>, json: bool, voice: Voice) -> Result<(), Failure> {
    let mut network = session::read_definition(path, voice)?;
    if let Some(weights) = weights {
        session::load_weights(&mut network, weights, voice)?;
    }
    let inspection = Inspection::of(&network);
    output::print(&if json { output::json(&inspection) } else { inspection.text() })
}

impl Inspection {
    fn of(network: &Network) -> Self {
        let volume_words = network.volume_words();
        let share = |subset: &Subset| SubsetShare {
            name: subset.name.clone(),
            words: subset.words,
            share: subset.words as f64 / volume_words.max(1) as f64,
        };
        let layers: Vec<_> = network.layers_with_ids().map(|(id, _)| layer_figures(network, id)).collect();
        let outside = network.subsets().into_iter().filter(|subset| !subset.in_volume);
        Self {
            schema_version: crate::report::SCHEMA_VERSION,
            network: network.name.clone(),
            input_shape: network.blob(network.input()).shape.to_string(),
            macs: layers.iter().map(|layer| u128::from(layer.macs)).sum(),
            layers,
            volume_words,
            subsets: network.dominant_subsets().iter().map(share).collect(),
            outside_volume: outside.map(|subset| SubsetShare { share: 0.0, ..share(&subset) }).collect(),
        }
    }

    fn text(&self) -> String {
        let layer_header =
            ["layer", "kind", "output_shape", "output_words", "weight_words", "bias_words", "macs_per_image"];
        let layers = self.layers.iter().map(|layer| {
            vec![
                layer.name.clone(),
                layer.kind.to_owned(),
                layer.output_shape.clone(),
                grouped(layer.output_words as u64),
                grouped(layer.weight_words as u64),
                grouped(layer.bias_words as u64),
                grouped(layer.macs),
            ]
        });
        let subsets = self
            .subsets
            .iter()
            .map(|subset| vec![subset.name.clone(), grouped(subset.words), percent(subset.share)]);
        let mut text = format!(
            "{}: input {}, {} MACs per image\n{}\n\n\
             Data volume: {} words for one image (weights, biases, inputs of conv and fc layers)\n{}\n",
            self.network,
            self.input_shape,
            grouped(self.macs),
            table(&layer_header, layers),
            grouped(self.volume_words),
            table(&["subset", "words", "share_%"], subsets),
        );
        if !self.outside_volume.is_empty() {
            let outside =
                self.outside_volume.iter().map(|subset| vec![subset.name.clone(), grouped(subset.words)]);
            text.push_str("\nStored operands outside of the volume\n");
            text.push_str(&table(&["subset", "words"], outside));
            text.push('\n');
        }
        text
    }
}

fn layer_figures(network: &Network, id: LayerId) -> LayerFigures {
    let layer = network.layer(id);
    let output = network.blob(layer.output).shape;
    LayerFigures {
        name: layer.name.clone(),
        kind: layer.kind.name(),
        output_shape: output.to_string(),
        output_words: output.elements(),
        weight_words: layer.weight.as_ref().map_or(0, crate::network::Parameter::words),
        bias_words: layer.bias.as_ref().map_or(0, crate::network::Parameter::words),
        macs: network.macs(id),
    }
}

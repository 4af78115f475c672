//! Data subsets: the operands that live in memories, named as in the paper.

use super::{BlobId, LayerId, LayerKind, Network, PoolingMethod};
use crate::number::Quantisation;
use serde::Serialize;

/// Which operand of a layer a data subset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operand {
    /// The layer's input activations.
    Neuron,
    /// The layer's weight.
    Weight,
    /// The layer's bias.
    Bias,
}

impl Operand {
    /// Prefix of the data subset's name.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Neuron => "neuron",
            Self::Weight => "weight",
            Self::Bias => "bias",
        }
    }
}

/// One operand of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subset {
    /// `weight_<layer>`, `neuron_<layer>` (the layer's input; `neuron_<layer>.1` its second input, and so on) or
    /// `bias_<layer>`.
    pub name: String,
    /// The layer that reads it.
    pub layer: LayerId,
    /// Which operand of the layer.
    pub operand: Operand,
    /// The blob that a neuron subset holds. Several subsets may share one: it is stored once.
    pub blob: Option<BlobId>,
    /// Number of words, for one image.
    pub words: u64,
    /// Whether it counts in the data volume: weights, biases and inputs of convolutions and fully connected layers.
    /// Inputs of unfused pooling, normalisation and element-wise layers are subsets outside the volume.
    pub in_volume: bool,
}

/// Whether a layer's inputs count in the data volume; `None` for layers that are fused with the producer of their input
/// or only arrange it.
fn stored_input(kind: &LayerKind) -> Option<bool> {
    match kind {
        LayerKind::Convolution(_) | LayerKind::InnerProduct { .. } => Some(true),
        LayerKind::Pooling(_) | LayerKind::LocalResponse(_) | LayerKind::Eltwise(_) => Some(false),
        LayerKind::Relu { .. }
        | LayerKind::Softmax
        | LayerKind::Dropout
        | LayerKind::Concat
        | LayerKind::Affine
        | LayerKind::Sigmoid
        | LayerKind::Tanh
        | LayerKind::Clip { .. }
        | LayerKind::Reshape
        | LayerKind::Quantise(_) => None,
    }
}

impl Network {
    /// All data subsets in layer order; per layer: neuron, weight, bias.
    pub fn subsets(&self) -> Vec<Subset> {
        let mut subsets = Vec::new();
        for (id, layer) in self.layers_with_ids() {
            let named = |operand: Operand, blob, words: usize, in_volume| Subset {
                name: format!("{}_{}", operand.prefix(), layer.name),
                layer: id,
                operand,
                blob,
                words: words as u64,
                in_volume,
            };
            for (index, &input) in layer.inputs.iter().enumerate() {
                let Some(in_volume) = stored_input(&layer.kind) else { break };
                let words = self.blob(input).shape.elements();
                let mut subset = named(Operand::Neuron, Some(input), words, in_volume);
                if index > 0 {
                    subset.name = format!("{}.{index}", subset.name);
                }
                subsets.push(subset);
            }
            for (operand, parameter) in [(Operand::Weight, &layer.weight), (Operand::Bias, &layer.bias)] {
                if let Some(parameter) = parameter {
                    subsets.push(named(operand, None, parameter.words(), true));
                }
            }
        }
        subsets
    }

    /// How the network itself quantises the words of `subset` to 8-bit codes, if it does: those of a weight or bias that the
    /// definition stores as codes, or of activations that a quantising layer writes. Layers that only pass values on
    /// (reshaping, Dropout, max pooling) keep the codes.
    pub fn quantisation(&self, subset: &Subset) -> Option<Quantisation> {
        let layer = self.layer(subset.layer);
        let Some(mut blob) = subset.blob else {
            let parameter = if subset.operand == Operand::Bias { &layer.bias } else { &layer.weight };
            return parameter.as_ref()?.quantisation.clone();
        };
        // Ends: a layer reads what an earlier one wrote.
        loop {
            let producer = self.layer(self.blob(blob).producer?);
            blob = match &producer.kind {
                LayerKind::Quantise(quantiser) => return Some(Quantisation::per_tensor(*quantiser)),
                LayerKind::Reshape | LayerKind::Dropout => producer.inputs[0],
                LayerKind::Pooling(pooling) if pooling.method == PoolingMethod::Max => producer.inputs[0],
                _ => return None,
            };
        }
    }

    /// The data volume in words for one image: all weights, all biases, and the inputs of every convolution and fully
    /// connected layer, counted per reader (the sum behind Table 2 of Chen et al., GLSVLSI'17).
    pub fn volume_words(&self) -> u64 {
        self.subsets().iter().filter(|subset| subset.in_volume).map(|subset| subset.words).sum()
    }

    /// The data subsets of the volume, largest first; of equal sizes the later layer first.
    pub fn dominant_subsets(&self) -> Vec<Subset> {
        let mut subsets: Vec<_> = self.subsets().into_iter().filter(|subset| subset.in_volume).collect();
        subsets.sort_by_key(|subset| (std::cmp::Reverse(subset.words), std::cmp::Reverse(subset.layer)));
        subsets
    }
}

//! Packed weights, of which single words can be read and changed in place.

use super::Error;
use crate::network::{Layer, LayerId, Operand, Parameter};

/// How the output channels of one group are cut into panels of nearly equal height: the first `tall` panels have
/// `height` channels, the others one fewer. No channel is padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Panels {
    pub count: usize,
    pub height: usize,
    tall: usize,
}

impl Panels {
    /// Panels of at most `most` of `outputs` >= 1 channels.
    pub fn new(outputs: usize, most: usize) -> Self {
        let count = outputs.div_ceil(most);
        let height = outputs.div_ceil(count);
        Self { count, height, tall: outputs - (height - 1) * count }
    }

    /// First channel and height of a panel.
    pub fn panel(&self, index: usize) -> (usize, usize) {
        let short = index.saturating_sub(self.tall);
        (index * self.height - short, if index < self.tall { self.height } else { self.height - 1 })
    }

    /// First channel and height of the panel that holds a channel.
    fn panel_of(&self, channel: usize) -> (usize, usize) {
        let tall_channels = self.tall * self.height;
        if channel < tall_channels {
            self.panel(channel / self.height)
        } else {
            self.panel(self.tall + (channel - tall_channels) / (self.height - 1))
        }
    }
}

/// How the weight of one layer is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packing {
    /// Words of each output.
    pub depth: usize,
    pub groups: usize,
    /// Outputs of a group.
    pub group_outputs: usize,
    pub panels: Panels,
}

impl Packing {
    /// One word for each of `channels` >= 1 channels, in their order.
    pub fn per_channel(channels: usize) -> Self {
        Self { depth: 1, groups: 1, group_outputs: channels, panels: Panels::new(channels, channels) }
    }

    fn outputs(&self) -> usize {
        self.groups * self.group_outputs
    }

    /// Place in the packed weight of word `index` of the row-major tensor.
    fn place(&self, index: usize) -> usize {
        let (output, k) = (index / self.depth, index % self.depth);
        let (group, channel) = (output / self.group_outputs, output % self.group_outputs);
        let (first, height) = self.panels.panel_of(channel);
        (group * self.group_outputs + first) * self.depth + k * height + channel - first
    }
}

/// Packed weight and bias of one layer: `[group][panel][k][channel of the panel]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LayerWeights {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    has_bias: bool,
    packing: Packing,
}

/// The weights and biases of a network, packed for the kernels of one [`super::Engine`]. They never need repacking:
/// [`Self::set`] changes a word in constant time.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    pub(super) layers: Vec<Option<LayerWeights>>,
}

impl Weights {
    /// Packs the parameters of one layer.
    pub(super) fn pack_layer(layer: &Layer, packing: Packing) -> Result<LayerWeights, Error> {
        let values = |parameter: &Option<Parameter>, operand| match parameter {
            Some(Parameter { values: Some(values), dims }) => {
                let words = dims.iter().product::<usize>();
                if values.len() == words {
                    Ok(Some(values.clone()))
                } else {
                    let reason = format!("its {operand} has {} values instead of {words}", values.len());
                    Err(Error::Inconsistent { layer: layer.name.clone(), reason })
                }
            }
            Some(_) => Err(Error::MissingValues { layer: layer.name.clone(), operand }),
            None => Ok(None),
        };
        let weight = values(&layer.weight, "weight")?.unwrap_or_default();
        let bias = values(&layer.bias, "bias")?;
        let mut packed = LayerWeights {
            weight: vec![0.0; weight.len()],
            has_bias: bias.is_some(),
            bias: bias.unwrap_or_else(|| vec![0.0; packing.outputs()]),
            packing,
        };
        if !packed.fits(packing) {
            return Err(Error::ForeignWeights);
        }
        packed.pack(&weight);
        Ok(packed)
    }

    /// Number of words of an operand of a layer; 0 where it has none.
    pub fn words(&self, layer: LayerId, operand: Operand) -> usize {
        match (self.layers.get(layer.0), operand) {
            (Some(Some(weights)), Operand::Weight) => weights.weight.len(),
            (Some(Some(weights)), Operand::Bias) if weights.has_bias => weights.bias.len(),
            _ => 0,
        }
    }

    /// Word `index` of a weight or bias, in the row-major order of its tensor.
    ///
    /// # Panics
    /// If `index` is not below [`Self::words`].
    pub fn get(&self, layer: LayerId, operand: Operand, index: usize) -> f32 {
        self.check(layer, operand, index);
        match (&self.layers[layer.0], operand) {
            (Some(weights), Operand::Weight) => weights.weight[weights.packing.place(index)],
            (Some(weights), _) => weights.bias[index],
            (None, _) => unreachable!("a layer with words has weights"),
        }
    }

    /// Changes word `index` of a weight or bias, in the row-major order of its tensor.
    ///
    /// # Panics
    /// If `index` is not below [`Self::words`].
    pub fn set(&mut self, layer: LayerId, operand: Operand, index: usize, value: f32) {
        self.check(layer, operand, index);
        match (&mut self.layers[layer.0], operand) {
            (Some(weights), Operand::Weight) => {
                let place = weights.packing.place(index);
                weights.weight[place] = value;
            }
            (Some(weights), _) => weights.bias[index] = value,
            (None, _) => unreachable!("a layer with words has weights"),
        }
    }

    /// Replaces a whole weight or bias by `values`, in the row-major order of its tensor.
    ///
    /// # Panics
    /// If `values` has not [`Self::words`] elements.
    pub fn replace(&mut self, layer: LayerId, operand: Operand, values: &[f32]) {
        assert_eq!(values.len(), self.words(layer, operand), "words of the {} of a layer", operand.prefix());
        match (self.layers.get_mut(layer.0), operand) {
            (Some(Some(weights)), Operand::Weight) => weights.pack(values),
            (Some(Some(weights)), Operand::Bias) if weights.has_bias => weights.bias.copy_from_slice(values),
            _ => {}
        }
    }

    fn check(&self, layer: LayerId, operand: Operand, index: usize) {
        let words = self.words(layer, operand);
        assert!(index < words, "word {index} of the {words} of a layer's {}", operand.prefix());
    }
}

impl LayerWeights {
    /// Whether these weights were packed as `packing` says.
    pub fn fits(&self, packing: Packing) -> bool {
        self.packing == packing
            && self.bias.len() == packing.outputs()
            && self.weight.len() == packing.outputs() * packing.depth
    }

    fn pack(&mut self, values: &[f32]) {
        let Packing { depth, groups, group_outputs, panels } = self.packing;
        for group in 0..groups {
            for index in 0..panels.count {
                let (first, height) = panels.panel(index);
                let start = (group * group_outputs + first) * depth;
                let panel = start..start + height * depth;
                let rows = &values[panel.clone()];
                for (k, packed) in self.weight[panel].chunks_exact_mut(height).enumerate() {
                    for (row, word) in packed.iter_mut().enumerate() {
                        *word = rows[row * depth + k];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Panels;

    #[test]
    fn panels_partition_the_channels() {
        for outputs in 1..200 {
            for most in 1..=12 {
                let panels = Panels::new(outputs, most);
                let mut next = 0;
                for index in 0..panels.count {
                    let (first, height) = panels.panel(index);
                    assert_eq!(first, next, "{outputs} channels, at most {most}");
                    assert!(height >= 1 && height <= most && height + 1 >= panels.height);
                    for channel in first..first + height {
                        assert_eq!(panels.panel_of(channel), (first, height));
                    }
                    next = first + height;
                }
                assert_eq!(next, outputs);
            }
        }
    }
}

//! Packed weights, of which single words can be read and changed in place.

use super::buffer::Buffer;
use super::kernel::CHAIN;
use super::{Error, LANES};
use crate::network::{Layer, LayerId, Operand, Parameter};
use rayon::prelude::*;
use std::ops::Range;

/// How the output channels of one group are cut into panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Panels {
    /// Panels of nearly equal height: the first `tall` have `height` channels, the others one fewer. No channel is padded.
    Even { count: usize, height: usize, tall: usize },
    /// Panels of `height` channels, a multiple of the vector's; the last holds what is left, padded to whole vectors.
    Vectors { outputs: usize, height: usize },
}

impl Panels {
    /// Panels of at most `most` of `outputs` >= 1 channels.
    pub fn even(outputs: usize, most: usize) -> Self {
        let count = outputs.div_ceil(most);
        let height = outputs.div_ceil(count);
        Self::Even { count, height, tall: outputs - (height - 1) * count }
    }

    /// Panels of `most` vectors of `outputs` >= 1 channels.
    pub fn vectors(outputs: usize, most: usize) -> Self {
        Self::Vectors { outputs, height: most * LANES }
    }

    pub fn count(&self) -> usize {
        match *self {
            Self::Even { count, .. } => count,
            Self::Vectors { outputs, height } => outputs.div_ceil(height),
        }
    }

    /// Height of the first panel, the largest.
    pub fn height(&self) -> usize {
        self.panel(0).1
    }

    /// Channels of all panels, padding included.
    pub fn padded(&self) -> usize {
        match *self {
            Self::Even { count, height, tall } => (height - 1) * count + tall,
            Self::Vectors { outputs, .. } => outputs.next_multiple_of(LANES),
        }
    }

    /// Terms of one chain, after which the next panel's weights lie: those of a tile, so that they are read in their order.
    fn chain(&self, depth: usize) -> usize {
        match self {
            Self::Even { .. } => depth,
            Self::Vectors { .. } => CHAIN,
        }
    }

    /// First channel and height of a panel, padding included.
    pub fn panel(&self, index: usize) -> (usize, usize) {
        match *self {
            Self::Even { height, tall, .. } => {
                let short = index.saturating_sub(tall);
                (index * height - short, if index < tall { height } else { height - 1 })
            }
            Self::Vectors { height, .. } => {
                let first = index * height;
                (first, height.min(self.padded() - first))
            }
        }
    }

    /// First channel and height of the panel that holds a channel.
    fn panel_of(&self, channel: usize) -> (usize, usize) {
        match *self {
            Self::Even { height, tall, .. } if channel < tall * height => self.panel(channel / height),
            Self::Even { height, tall, .. } => self.panel(tall + (channel - tall * height) / (height - 1)),
            Self::Vectors { height, .. } => self.panel(channel / height),
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
    /// One word for each of `channels` >= 1 channels, in their order, padded to whole vectors.
    pub fn per_channel(channels: usize) -> Self {
        let panels = Panels::vectors(channels, channels.div_ceil(LANES));
        Self { depth: 1, groups: 1, group_outputs: channels, panels }
    }

    fn outputs(&self) -> usize {
        self.groups * self.group_outputs
    }

    /// Words of the weight.
    pub fn words(&self) -> usize {
        self.outputs() * self.depth
    }

    /// Outputs of all groups, padding included.
    pub fn padded_outputs(&self) -> usize {
        self.groups * self.panels.padded()
    }

    /// Place in the packed weight of word `index` of the row-major tensor.
    fn place(&self, index: usize) -> usize {
        let (output, k) = (index / self.depth, index % self.depth);
        let (group, channel) = (output / self.group_outputs, output % self.group_outputs);
        let (first, height) = self.panels.panel_of(channel);
        let chain = self.chain(k - k % self.panels.chain(self.depth), group, (first, height));
        chain.start + k % self.panels.chain(self.depth) * height + channel - first
    }

    /// Where the terms from `start` on, the first of a chain, of a panel of a group lie: `[k][channel of the panel]`.
    pub fn chain(&self, start: usize, group: usize, (first, height): (usize, usize)) -> Range<usize> {
        let terms = self.panels.chain(self.depth).min(self.depth - start);
        let place = group * self.panels.padded() * self.depth + start * self.panels.padded() + first * terms;
        place..place + terms * height
    }
}

/// Packed weight and bias of one layer: `[group][chain][panel][k of the chain][channel of the panel]`. Only groups of whole vectors are
/// padded, or a single one; the padding is zero.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LayerWeights {
    weight: Buffer,
    bias: Buffer,
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
        let weight = parameter_values(layer, layer.weight.as_ref(), "weight")?.unwrap_or_default();
        let bias = parameter_values(layer, layer.bias.as_ref(), "bias")?;
        if weight.len() != packing.words() || bias.is_some_and(|bias| bias.len() != packing.outputs()) {
            return Err(Error::ForeignWeights);
        }
        let zeros = |values: usize| Buffer::zeroed(values.div_ceil(LANES));
        let mut packed = LayerWeights {
            weight: zeros(packing.padded_outputs() * packing.depth),
            bias: zeros(packing.padded_outputs()),
            has_bias: bias.is_some(),
            packing,
        };
        packed.pack(weight);
        if let Some(bias) = bias {
            packed.bias_mut().copy_from_slice(bias);
        }
        Ok(packed)
    }

    /// Number of words of an operand of a layer; 0 where it has none.
    pub fn words(&self, layer: LayerId, operand: Operand) -> usize {
        match (self.layers.get(layer.0), operand) {
            (Some(Some(weights)), Operand::Weight) => weights.packing.words(),
            (Some(Some(weights)), Operand::Bias) if weights.has_bias => weights.packing.outputs(),
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
            (Some(weights), Operand::Weight) => weights.weight()[weights.packing.place(index)],
            (Some(weights), _) => weights.bias()[index],
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
                bytemuck::cast_slice_mut::<_, f32>(&mut weights.weight)[place] = value;
            }
            (Some(weights), _) => weights.bias_mut()[index] = value,
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
            (Some(Some(weights)), Operand::Bias) if weights.has_bias => {
                weights.bias_mut().copy_from_slice(values);
            }
            _ => {}
        }
    }

    fn check(&self, layer: LayerId, operand: Operand, index: usize) {
        let words = self.words(layer, operand);
        assert!(index < words, "word {index} of the {words} of a layer's {}", operand.prefix());
    }
}

/// The values of a trained tensor, as many as its extents announce.
fn parameter_values<'a>(
    layer: &Layer,
    parameter: Option<&'a Parameter>,
    operand: &'static str,
) -> Result<Option<&'a [f32]>, Error> {
    match parameter {
        Some(Parameter { values: Some(values), dims, .. }) => {
            let words = dims.iter().product::<usize>();
            if values.len() == words {
                return Ok(Some(values));
            }
            let reason = format!("its {operand} has {} values instead of {words}", values.len());
            Err(Error::Inconsistent { layer: layer.name.clone(), reason })
        }
        Some(_) => Err(Error::MissingValues { layer: layer.name.clone(), operand }),
        None => Ok(None),
    }
}

/// Words of a row that are packed before the next row's, so that what is written stays in a cache.
const PACKED_TOGETHER: usize = 64;

impl LayerWeights {
    /// Whether these weights were packed as `packing` says.
    pub fn fits(&self, packing: Packing) -> bool {
        self.packing == packing
    }

    /// The packed weight.
    pub fn weight(&self) -> &[f32] {
        bytemuck::cast_slice(&self.weight)
    }

    /// The bias by output, padded to whole vectors; zeros where the layer has none.
    pub fn bias(&self) -> &[f32] {
        bytemuck::cast_slice(&self.bias)
    }

    fn bias_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.bias)[..self.packing.outputs()]
    }

    fn pack(&mut self, values: &[f32]) {
        let packing = self.packing;
        let Packing { depth, group_outputs, panels, .. } = packing;
        let mut rest = bytemuck::cast_slice_mut::<_, f32>(&mut self.weight);
        let mut chains = Vec::new();
        for (group, values) in values.chunks_exact(group_outputs * depth).enumerate() {
            for start in (0..depth).step_by(panels.chain(depth)) {
                for index in 0..panels.count() {
                    let (first, height) = panels.panel(index);
                    let rows = &values[first * depth..values.len().min((first + height) * depth)];
                    let (chain, behind) =
                        rest.split_at_mut(packing.chain(start, group, (first, height)).len());
                    chains.push((rows, start, chain, height));
                    rest = behind;
                }
            }
        }
        chains.into_par_iter().for_each(|(rows, start, chain, height)| {
            let parts = chain.chunks_mut(height * PACKED_TOGETHER);
            for (part, start) in parts.zip((start..depth).step_by(PACKED_TOGETHER)) {
                let terms = part.len() / height;
                for (channel, row) in rows.chunks_exact(depth).enumerate() {
                    for (k, &word) in row[start..start + terms].iter().enumerate() {
                        part[k * height + channel] = word;
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{LANES, Panels};

    #[test]
    fn panels_partition_the_channels() {
        for outputs in 1..200 {
            for most in 1..=12 {
                check(outputs, Panels::even(outputs, most), most, 1);
            }
            for most in 1..=3 {
                check(outputs, Panels::vectors(outputs, most), most * LANES, LANES);
            }
        }
    }

    fn check(outputs: usize, panels: Panels, most: usize, multiple: usize) {
        let mut next = 0;
        for index in 0..panels.count() {
            let (first, height) = panels.panel(index);
            assert_eq!(first, next, "{outputs} channels, at most {most}");
            assert!(height >= 1 && height <= most && height.is_multiple_of(multiple));
            assert!(first < outputs);
            for channel in first..outputs.min(first + height) {
                assert_eq!(panels.panel_of(channel), (first, height));
            }
            next = first + height;
        }
        assert_eq!(next, outputs.next_multiple_of(multiple));
        assert_eq!(next, panels.padded());
    }
}

//! What the lanes of a vector hold.

use super::LANES;
use crate::network::{LayerKind, Network};
use std::fmt;

/// What the sixteen lanes of a vector hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arrangement {
    /// Sixteen images of one element: no lane is idle whatever the number of channels, if there are images enough.
    Images,
    /// Sixteen channels of one pixel of one image: an image alone is as fast as many.
    Channels,
}

/// Least share of the lanes that convolutions and fully connected layers must fill with channels, weighted by their work.
const LEAST_CHANNEL_LANES: f64 = 0.85;

impl Arrangement {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Images, Self::Channels];

    /// The better one for `network`: channels, unless too many lanes would be idle.
    pub fn of(network: &Network) -> Self {
        let (mut useful, mut computed) = (0.0, 0.0);
        for layer in &network.layers {
            let shape = network.blob(layer.output).shape;
            let outputs = match layer.kind {
                LayerKind::Convolution(_) | LayerKind::InnerProduct { .. } => shape.channels,
                _ => continue,
            };
            let words = layer
                .weight
                .as_ref()
                .map_or(0.0, |weight| weight.dims.iter().map(|&extent| extent as f64).product());
            let work = words * shape.height as f64 * shape.width as f64;
            useful += work;
            computed += work * outputs.next_multiple_of(LANES) as f64 / outputs as f64;
        }
        if useful >= LEAST_CHANNEL_LANES * computed { Self::Channels } else { Self::Images }
    }
}

impl fmt::Display for Arrangement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Images => "images in the lanes",
            Self::Channels => "channels in the lanes",
        })
    }
}

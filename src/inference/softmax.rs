//! Softmax over the channels.

use super::elementary::exponential;
use super::layout::Layout;
use super::{LANES, Lanes};

/// Softmax of one block over the channels of each pixel: e^(x - max) over the sum in channel order.
pub(super) fn softmax(input: &[Lanes], from: &Layout, output: &mut [Lanes], to: &Layout) {
    let shape = from.shape;
    for row in 0..shape.height {
        for column in 0..shape.width {
            for lane in 0..LANES {
                let logit = |channel| input[from.at(channel, row, column)].0[lane];
                let largest = (0..shape.channels)
                    .map(logit)
                    .fold(f32::NEG_INFINITY, |largest, x| if x > largest { x } else { largest });
                let mut sum = 0.0;
                for channel in 0..shape.channels {
                    let e = exponential(logit(channel) - largest);
                    sum += e;
                    output[to.at(channel, row, column)].0[lane] = e;
                }
                for channel in 0..shape.channels {
                    output[to.at(channel, row, column)].0[lane] /= sum;
                }
            }
        }
    }
}

//! Softmax over the channels.

use super::elementary::exponential;
use super::layout::Layout;

/// Softmax of one block over the channels of each pixel: e^(x - max) over the sum in channel order.
pub(super) fn softmax(input: &[f32], from: &Layout, output: &mut [f32], to: &Layout) {
    let shape = from.shape;
    for row in 0..shape.height {
        for column in 0..shape.width {
            for image in 0..from.order.block_images() {
                let logit = |channel| input[from.element(channel, row, column) + image];
                let largest = (0..shape.channels)
                    .map(logit)
                    .fold(f32::NEG_INFINITY, |largest, x| if x > largest { x } else { largest });
                let mut sum = 0.0;
                for channel in 0..shape.channels {
                    let e = exponential(logit(channel) - largest);
                    sum += e;
                    output[to.element(channel, row, column) + image] = e;
                }
                for channel in 0..shape.channels {
                    output[to.element(channel, row, column) + image] /= sum;
                }
            }
        }
    }
}

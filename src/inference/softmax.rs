//! Softmax over the channels, with an exponential that gives the same bits on every machine.

use super::layout::Layout;
use super::{LANES, Lanes};

/// e^x by argument reduction and a polynomial of degree 7, from fused multiply-adds and multiplications only, so that
/// its bits do not depend on a system library. Relative error below 1.2e-7 where the result is a normal number; below
/// that it is rounded to the grid of subnormal numbers, and 0 for x < -104. Infinite for x > 88.73.
fn exponential(x: f32) -> f32 {
    if x.is_nan() {
        return x;
    }
    let x = x.clamp(-110.0, 90.0);
    let n = (x * std::f32::consts::LOG2_E).round_ties_even();
    // ln 2 in two parts: the first has few enough bits for n times it to be exact.
    let r = (-n).mul_add(0.693_145_75, x);
    let r = (-n).mul_add(1.428_606_8e-6, r);
    let coefficients = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let p = coefficients.iter().fold(1.0 / 5040.0_f32, |p, &c| p.mul_add(r, c));
    // 2^n in two factors: n reaches beyond the exponents of normal numbers on both sides.
    let n = n as i32;
    let power = |n: i32| f32::from_bits(((n + 127) as u32) << 23);
    p * power(n / 2) * power(n - n / 2)
}

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

#[cfg(test)]
mod tests {
    use super::exponential;

    #[test]
    fn exponential_agrees_with_the_system_library() {
        let mut worst = 0.0_f64;
        for step in 0..2_000_000 {
            let x = -87.0 + step as f32 * 8.75e-5;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exponential(x)) / exact - 1.0).abs());
        }
        assert!(worst < 1.2e-7, "relative error {worst:e}");
    }

    #[test]
    fn exponential_at_its_ends() {
        assert_eq!(exponential(0.0), 1.0);
        assert_eq!(exponential(f32::NEG_INFINITY), 0.0);
        assert_eq!(exponential(f32::INFINITY), f32::INFINITY);
        assert_eq!(exponential(89.0), f32::INFINITY);
        assert!(exponential(f32::NAN).is_nan());
        for step in 0..17_000 {
            let x = -104.0 + step as f32 * 1e-3;
            let error = (f64::from(exponential(x)) - f64::from(x).exp()).abs();
            assert!(error <= 2.0_f64.powi(-149), "e^{x} is off by {error:e}");
        }
    }
}

//! Single layers over many geometries: bit-equal to the canonical reference with every instruction set, close to the
//! reference in binary64.

use super::network::{Builder, window};
use super::{arranged, bits, blob, canonical_blobs, images, reference, variants};
use crate::inference::{Activations, Engine, NoHook, Start};
use crate::network::{LayerId, Network, Operand, PoolingMethod, Shape, Window};
use proptest::prelude::*;

/// Checks the network's output for `count` images.
fn check(network: &Network, count: usize) {
    let images = images(network, count);
    let expected = &canonical_blobs(network, &images)[network.output().0];
    for variant in variants() {
        let engine = variant.engine(network);
        let found = blob(&engine, network, &images, network.output());
        assert_eq!(&bits(&found), expected, "{variant}");
        let image: Vec<f32> = images.image(count - 1).collect();
        let exact = reference::forward::<f64>(network, &image).swap_remove(network.output().0);
        let largest = exact.iter().fold(1.0_f64, |largest, x| largest.max(x.abs()));
        for (found, exact) in found.image(count - 1).zip(exact) {
            assert!((f64::from(found) - exact).abs() <= 1e-5 * largest, "{variant}: {found} for {exact}");
        }
    }
}

prop_compose! {
    fn any_window()(
        kernel in [1..5_usize, 1..4_usize],
        stride in [1..4_usize, 1..3_usize],
        pad in [0..3_usize, 0..3_usize],
        pad_end in [0..3_usize, 0..3_usize],
        dilation in [1..3_usize, 1..3_usize],
    ) -> Window {
        Window { kernel, stride, pad, pad_end, dilation }
    }
}

/// Outputs of a group: parts of vectors, and whole ones.
fn any_outputs() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1..15_usize, 1 => Just(16), 1 => Just(32), 1 => 17..50_usize]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn convolutions(
        window in any_window(), groups in 1..4_usize, inputs in 1..4_usize, outputs in any_outputs(),
        height in 7..12_usize, width in 7..14_usize, count in 1..35_usize, relu: bool, seed: u64,
    ) {
        let layer = Builder::new(groups * inputs, height, width)
            .seed(seed >> 8)
            .convolution(groups * outputs, groups, window);
        check(&if relu { layer.relu() } else { layer }.build(), count);
    }

    #[test]
    fn convolutions_with_pooling(
        first in any_window(), kernel in [1..4_usize, 1..4_usize], stride in [1..4_usize, 1..4_usize],
        pool_pad in 0..2_usize, dilation in 1..3_usize, method in 0..3, relu_first: bool, relu_last: bool,
        outputs in 1..8_usize, last in any_window(), seed: u64,
    ) {
        let pad = [pool_pad.min(kernel[0] - 1), pool_pad.min(kernel[1] - 1)];
        let pooling = Window { kernel, stride, pad, pad_end: pad, dilation: [dilation; 2] };
        let method = match method {
            0 => PoolingMethod::Max,
            n => PoolingMethod::Average { count_padding: n == 1 },
        };
        let mut layers = Builder::new(2, 17, 19).seed(seed >> 8).convolution(outputs, 1, first);
        if relu_first {
            layers = layers.relu();
        }
        layers = layers.pool(method, pooling);
        if relu_last {
            layers = layers.relu();
        }
        let shape = layers.shape();
        let fits = |axis: usize, extent: usize| {
            extent + last.pad[axis] + last.pad_end[axis] > last.dilation[axis] * (last.kernel[axis] - 1)
        };
        if fits(0, shape.height) && fits(1, shape.width) {
            layers = layers.convolution(3, 1, last);
        }
        let network = layers.build();
        // A dilated window can step over the whole image; such pooling is refused.
        if Engine::new(&network).is_ok() || dilation == 1 {
            check(&network, 17);
        }
    }

    #[test]
    fn inner_products(
        inputs in 1..600_usize, outputs in 1..40_usize, count in 1..70_usize, relu: bool, seed: u64,
    ) {
        let layer = Builder::new(inputs, 1, 1).seed(seed >> 8).inner_product(outputs);
        check(&if relu { layer.relu() } else { layer }.build(), count);
    }

    #[test]
    fn a_changed_word_equals_packing_anew(
        groups in 1..3_usize, inputs in 1..4_usize, outputs in any_outputs(), place: prop::sample::Index,
        bias: bool,
    ) {
        let mut network = Builder::new(groups * inputs, 6, 6)
            .convolution(groups * outputs, groups, window(3, 1))
            .inner_product(outputs)
            .build();
        for engine in arranged(&network) {
            let original = engine.pack(&network).unwrap();
            for layer in [LayerId(0), LayerId(1)] {
                let operand = if bias { Operand::Bias } else { Operand::Weight };
                let mut changed = original.clone();
                let index = place.index(changed.words(layer, operand));
                let target = &mut network.layers[layer.0];
                let tensor = if bias { target.bias.as_mut() } else { target.weight.as_mut() };
                let values = tensor.unwrap().values.as_mut().unwrap();
                prop_assert_eq!(changed.get(layer, operand, index), values[index]);
                values[index] = 42.0;
                changed.set(layer, operand, index, 42.0);
                let mut replaced = original.clone();
                replaced.replace(layer, operand, values);
                prop_assert_eq!(&changed, &engine.pack(&network).unwrap());
                prop_assert_eq!(&changed, &replaced);
                let target = &mut network.layers[layer.0];
                let tensor = if bias { target.bias.as_mut() } else { target.weight.as_mut() };
                tensor.unwrap().values.as_mut().unwrap()[index] = original.get(layer, operand, index);
            }
        }
    }
}

#[test]
fn convolution_of_many_channels_and_of_one_pixel() {
    check(&Builder::new(70, 5, 6).convolution(33, 1, window(3, 1)).build(), 20);
    check(&Builder::new(9, 3, 3).convolution(31, 1, window(3, 1)).relu().build(), 33);
    check(&Builder::new(8, 6, 6).convolution(8, 8, window(3, 1)).build(), 16);
}

#[test]
fn weights_too_large_for_the_cache_take_the_other_loop_order() {
    check(&Builder::new(300, 1, 1).inner_product(700).relu().build(), 70);
    let layer = Builder::new(30, 4, 5).convolution(600, 1, window(3, 1));
    check(&layer.build(), 3);
}

#[test]
fn a_fused_pooling_keeps_rows_that_only_a_later_window_reads() {
    // The first window reads row 1 only (its row -1 is padding), the second rows 0 and 2.
    let pooling = Window { kernel: [2, 1], pad: [1, 0], pad_end: [1, 0], dilation: [2, 1], ..window(1, 1) };
    check(
        &Builder::new(1, 17, 3).convolution(1, 1, window(1, 1)).pool(PoolingMethod::Max, pooling).build(),
        1,
    );
}

#[test]
fn layers_without_bias() {
    let mut network = Builder::new(3, 8, 8).convolution(5, 1, window(3, 1)).inner_product(7).build();
    network.layers.iter_mut().for_each(|layer| layer.bias = None);
    check(&network, 18);
    let engine = Engine::new(&network).unwrap();
    let weights = engine.pack(&network).unwrap();
    assert_eq!(weights.words(LayerId(0), Operand::Bias), 0);
    assert_eq!(weights.words(LayerId(0), Operand::Weight), 135);
}

/// The outputs of a pooling layer over one image, for every instruction set the same.
fn pooled(input: (Shape, &[f32]), method: PoolingMethod, window: Window) -> (Shape, Vec<f32>) {
    let (shape, values) = input;
    let network = Builder::new(shape.channels, shape.height, shape.width).pool(method, window).build();
    let image = Activations::from_images(shape, 1, values).unwrap();
    let mut results = variants().into_iter().map(|variant| {
        let engine = variant.engine(&network);
        let output = blob(&engine, &network, &image, network.output());
        (output.shape(), bits(&output))
    });
    let first = results.next().unwrap();
    results.for_each(|other| assert_eq!(first, other));
    (first.0, first.1.into_iter().map(f32::from_bits).collect())
}

const AVERAGE: PoolingMethod = PoolingMethod::Average { count_padding: true };
const AVERAGE_INSIDE: PoolingMethod = PoolingMethod::Average { count_padding: false };

#[test]
fn windows_are_clipped_at_the_end() {
    // Caffe's rounding up: (5 - 2) / 2 + 1 = 2.5 gives 3 columns, the last over one element.
    let row = (Shape::new(1, 1, 5), &[1.0, 5.0, 2.0, 4.0, -3.0][..]);
    let window = Window { kernel: [1, 2], stride: [1, 2], ..window(1, 1) };
    assert_eq!(pooled(row, PoolingMethod::Max, window), (Shape::new(1, 1, 3), vec![5.0, 4.0, -3.0]));
    assert_eq!(pooled(row, AVERAGE, window).1, [3.0, 3.0, -3.0]);
}

#[test]
fn padding_never_wins_and_counts_only_where_asked() {
    let square = (Shape::new(1, 2, 2), &[-1.0, -2.0, -3.0, -4.0][..]);
    let window = Window { pad: [1; 2], pad_end: [1; 2], ..window(2, 2) };
    assert_eq!(pooled(square, PoolingMethod::Max, window).1, [-1.0, -2.0, -3.0, -4.0]);
    assert_eq!(pooled(square, AVERAGE, window).1, [-0.25, -0.5, -0.75, -1.0]);
    assert_eq!(pooled(square, AVERAGE_INSIDE, window).1, [-1.0, -2.0, -3.0, -4.0]);
}

#[test]
fn averages_clip_their_divisor_against_the_padded_image() {
    // Kernel 3, stride 2, padding 1 over 6 elements: windows start at -1, 1, 3, 5; the last holds elements 5 and the
    // padding behind it.
    let row = (Shape::new(1, 1, 6), &[6.0, 12.0, 18.0, 24.0, 30.0, 36.0][..]);
    let window = Window { kernel: [1, 3], stride: [1, 2], pad: [0, 1], pad_end: [0, 1], ..window(1, 1) };
    assert_eq!(pooled(row, AVERAGE, window).1, [6.0, 18.0, 30.0, 18.0]);
    assert_eq!(pooled(row, AVERAGE_INSIDE, window).1, [9.0, 18.0, 30.0, 36.0]);
}

#[test]
fn a_nan_never_wins_a_maximum() {
    let row = (Shape::new(1, 1, 6), &[f32::NAN, 1.0, 2.0, f32::NAN, f32::NAN, f32::NEG_INFINITY][..]);
    let window = Window { kernel: [1, 2], stride: [1, 2], ..window(1, 1) };
    assert_eq!(pooled(row, PoolingMethod::Max, window).1, [1.0, 2.0, f32::MIN]);
    assert!(pooled(row, AVERAGE, window).1[0].is_nan());
}

#[test]
fn softmax_agrees_with_the_system_library() {
    let network = Builder::new(21, 2, 3).convolution(11, 1, window(1, 1)).softmax().build();
    let images = images(&network, 19);
    let engine = Engine::new(&network).unwrap();
    let found = blob(&engine, &network, &images, network.output());
    for image in 0..19 {
        let values: Vec<f32> = images.image(image).collect();
        let logits = reference::forward::<f64>(&network, &values).swap_remove(1);
        for (element, p) in found.image(image).enumerate() {
            let total: f64 = (0..11).map(|class| logits[class * 6 + element % 6].exp()).sum();
            let exact = logits[element].exp() / total;
            assert!((f64::from(p) / exact - 1.0).abs() < 5e-6, "{p} for {exact}");
        }
    }
    for variant in variants() {
        let engine = variant.engine(&network);
        assert_eq!(bits(&blob(&engine, &network, &images, network.output())), bits(&found));
    }
}

#[test]
fn nan_and_infinity_pass_through_products_and_relu() {
    let mut network = Builder::new(3, 1, 1).inner_product(4).relu().build();
    let weight = network.layers[0].weight.as_mut().unwrap().values.as_mut().unwrap();
    weight[0] = f32::from_bits(0xffab_cdef);
    weight[4] = f32::INFINITY;
    weight[8] = f32::NEG_INFINITY;
    let image = Activations::from_images(Shape::new(3, 1, 1), 1, &[1.0, 1.0, 1.0]).unwrap();
    for variant in variants() {
        let engine = variant.engine(&network);
        let weights = engine.pack(&network).unwrap();
        assert_eq!(weights.get(LayerId(0), Operand::Weight, 0).to_bits(), 0xffab_cdef);
        let start = Start::new(network.input(), &image);
        let found = engine.forward(&weights, &start, &[network.output()], &NoHook).unwrap().remove(0);
        let found: Vec<u32> = found.image(0).map(f32::to_bits).collect();
        assert_eq!(found[..3], [0x7fc0_0000, f32::INFINITY.to_bits(), 0], "{variant}");
    }
}

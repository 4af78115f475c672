//! The layer kinds beside convolution, pooling and products: known values, special values, refusals; and graphs that make
//! storages overlap.

use super::network::{Builder, window};
use super::{assert_bits, bits, blob, canonical_blobs, images, reference, variants};
use crate::inference::{Activations, Engine, NoHook, Start};
use crate::network::{BlobId, Eltwise, LayerKind, LocalResponse, Network, Operand, Shape, Window};
use crate::number::{CodeKind, Quantiser};

/// The output for one image, the same bits for every instruction set.
fn output(network: &Network, image: &[f32]) -> Vec<f32> {
    let shape = network.blob(network.input()).shape;
    let image = Activations::from_images(shape, 1, image).unwrap();
    let mut results = variants().into_iter().map(|variant| {
        let engine = variant.engine(network);
        bits(&blob(&engine, network, &image, network.output()))
    });
    let first = results.next().unwrap();
    results.for_each(|other| assert_eq!(first, other));
    first.into_iter().map(f32::from_bits).collect()
}

/// Checks every blob, together and alone.
fn check(network: &Network, count: usize) {
    let images = images(network, count);
    let expected = canonical_blobs(network, &images);
    let all: Vec<_> = (0..network.blobs.len()).map(BlobId).collect();
    for variant in variants() {
        let engine = variant.engine(network);
        let weights = engine.pack(network).unwrap();
        let start = Start::new(network.input(), &images);
        for (id, found) in engine.forward(&weights, &start, &all, &NoHook).unwrap().iter().enumerate() {
            assert_bits(found, &expected[id], &format!("blob {id}, {variant}"));
            let alone = blob(&engine, network, &images, BlobId(id));
            assert_bits(&alone, &expected[id], &format!("blob {id} alone, {variant}"));
        }
    }
}

fn response(size: usize, beta: f32, within_channel: bool) -> LayerKind {
    LayerKind::LocalResponse(LocalResponse { size, alpha: 3.0, beta, k: 2.0, within_channel })
}

#[test]
fn local_response_of_known_sums() {
    // k + alpha/3 · (1 + 4 + 4) = 11 for the middle channel, 2 + 5 = 7 and 2 + 8 = 10 for the others.
    let network = Builder::new(3, 1, 1).plain(response(3, 1.0, false)).build();
    assert_eq!(output(&network, &[1.0, 2.0, -2.0]), [1.0 / 7.0, 2.0 / 11.0, -0.2]);
    // Within a channel alpha is divided by 9; all elements of a 2 x 2 image are near each other: 2 + 30/3.
    let network = Builder::new(1, 2, 2).plain(response(3, 1.0, true)).build();
    assert_eq!(output(&network, &[1.0, 2.0, 3.0, 4.0]), [1.0, 2.0, 3.0, 4.0].map(|x| x / 12.0));
    // Of an even size the further element lies behind.
    let network = Builder::new(3, 1, 1).plain(response(2, 1.0, false)).build();
    assert_eq!(output(&network, &[0.0, 2.0, 4.0]), [0.0, 2.0 / 32.0, 4.0 / 26.0]);
}

#[test]
fn local_response_is_as_exact_as_documented() {
    for within_channel in [false, true] {
        for (beta, bound) in
            [(0.25, 2.7e-7), (0.5, 2.7e-7), (0.75, 2.7e-7), (1.0, 2.7e-7), (0.6, 1.2e-7), (-1.3, 1.2e-7)]
        {
            let network = Builder::new(7, 6, 5).plain(response(5, beta, within_channel)).build();
            let images = images(&network, 40);
            let engine = Engine::new(&network).unwrap();
            let found = blob(&engine, &network, &images, network.output());
            for image in 0..40 {
                let values: Vec<f32> = images.image(image).collect();
                let exact = reference::forward::<f64>(&network, &values).swap_remove(1);
                for (found, exact) in found.image(image).zip(exact) {
                    // The sum of 25 squares adds at most 26 roundings, to the power of beta.
                    let bound = bound + f64::from(beta).abs() * 27.0 * 2.0_f64.powi(-24);
                    let error = (f64::from(found) / exact - 1.0).abs();
                    assert!(error <= bound, "beta {beta}: {found} for {exact}, off by {error:e}");
                }
            }
        }
    }
}

#[test]
fn local_response_of_values_that_overflow() {
    let network = Builder::new(3, 1, 1).plain(response(3, 0.75, false)).build();
    let found = output(&network, &[1e30, 1.0, f32::NAN]);
    assert_eq!(found[0], 0.0, "the sum of squares is infinite");
    assert!(found[1].is_nan() && found[2].is_nan());
    assert!(output(&network, &[f32::INFINITY, 0.0, 0.0])[0].is_nan());
}

#[test]
fn activations_of_special_values() {
    let of =
        |kind: LayerKind, image: &[f32]| output(&Builder::new(image.len(), 1, 1).plain(kind).build(), image);
    let special = [f32::NEG_INFINITY, -0.0, 1.0, f32::INFINITY];
    assert_eq!(of(LayerKind::Sigmoid, &special)[..2], [0.0, 0.5]);
    assert_eq!(of(LayerKind::Tanh, &special)[3], 1.0);
    assert_eq!(of(LayerKind::Clip { min: -1.0, max: 0.5 }, &special), [-1.0, 0.0, 0.5, 0.5]);
    for kind in [LayerKind::Sigmoid, LayerKind::Tanh, LayerKind::Clip { min: 0.0, max: 1.0 }] {
        assert_eq!(of(kind, &[f32::from_bits(0xffab_cdef)])[0].to_bits(), 0x7fc0_0000);
    }
}

#[test]
fn quantising_yields_the_values_of_codes() {
    let quantiser = |codes, scale, zero_point| Quantiser::new(codes, scale, zero_point).unwrap();
    let of = |quantiser, image: &[f32]| {
        output(&Builder::new(image.len(), 1, 1).plain(LayerKind::Quantise(quantiser)).build(), image)
    };
    // By hand: code = round(x / 0.5) + 3, saturated to 0..=255; value = (code - 3) · 0.5.
    let found = of(quantiser(CodeKind::Uint8, 0.5, 3), &[0.25, 0.75, -0.25, -1.6, 126.1, f32::NAN, -0.1]);
    assert_eq!(found, [0.0, 1.0, 0.0, -1.5, 126.0, 0.0, 0.0]);
    assert!(found.iter().all(|value| value.to_bits() != (-0.0_f32).to_bits()));
    let found = of(quantiser(CodeKind::Int8, 2.0, -1), &[f32::INFINITY, f32::NEG_INFINITY, 3.0, 5.0]);
    assert_eq!(found, [256.0, -254.0, 4.0, 4.0]);
}

#[test]
fn quantising_between_layers_is_that_of_the_reference() {
    let quantise =
        |codes, scale, zero_point| LayerKind::Quantise(Quantiser::new(codes, scale, zero_point).unwrap());
    // Alone, in place, before and behind a ReLU, where another layer reads the input, too, and behind a border.
    let network = Builder::new(3, 5, 4)
        .plain(quantise(CodeKind::Uint8, 0.013, 100))
        .convolution(4, 1, Window { pad: [1; 2], pad_end: [1; 2], ..window(3, 1) })
        .plain(quantise(CodeKind::Int8, 0.031, -7))
        .relu()
        .plain(quantise(CodeKind::Uint8, 0.0171, 0))
        .plain(quantise(CodeKind::Int8, 0.05, 0))
        .eltwise(Eltwise::Sum { coefficients: vec![1.0; 2] }, vec![BlobId(3), BlobId(6)])
        .convolution(2, 1, Window { pad: [1; 2], pad_end: [1; 2], ..window(3, 1) })
        .relu()
        .plain(quantise(CodeKind::Uint8, 0.02, 0))
        .build();
    check(&network, 37);
}

#[test]
fn eltwise_of_special_values() {
    let of = |eltwise: Eltwise| {
        let network = Builder::new(4, 1, 1).relu().leaky_relu(2.0).from(BlobId(0)).affine(false);
        let mut network = network.eltwise(eltwise, vec![BlobId(0), BlobId(3)]).build();
        network.layers[2].weight.as_mut().unwrap().values = Some(vec![1.0, f32::NAN, f32::INFINITY, -1.0]);
        output(&network, &[f32::NAN, 2.0, 3.0, 0.5])
    };
    let most = of(Eltwise::Max);
    assert!(most[0].is_nan(), "both are NaN");
    assert_eq!(most[1..], [2.0, f32::INFINITY, 0.5]);
    let sum = of(Eltwise::Sum { coefficients: vec![1.0, 2.0] });
    assert!(sum[0].is_nan() && sum[1].is_nan());
    assert_eq!(sum[2..], [f32::INFINITY, -0.5]);
    assert_eq!(of(Eltwise::Product)[3], -0.25);
}

#[test]
fn affine_layers_have_words() {
    let network = Builder::new(5, 3, 2).affine(true).affine(false).build();
    check(&network, 17);
    let engine = Engine::new(&network).unwrap();
    let mut weights = engine.pack(&network).unwrap();
    let [first, second] = [0, 1].map(crate::network::LayerId);
    let words = [Operand::Weight, Operand::Bias]
        .map(|operand| (weights.words(first, operand), weights.words(second, operand)));
    assert_eq!(words, [(5, 5), (5, 0)]);
    let values = network.layers[0].weight.as_ref().unwrap().values.as_ref().unwrap();
    for (word, &value) in values.iter().enumerate() {
        assert_eq!(weights.get(first, Operand::Weight, word), value);
    }
    weights.set(first, Operand::Weight, 3, 7.0);
    weights.set(first, Operand::Bias, 3, 0.5);
    let image = Activations::from_images(Shape::new(5, 3, 2), 1, &[1.0; 30]).unwrap();
    let start = Start::new(network.input(), &image);
    let found = engine.forward(&weights, &start, &[BlobId(1)], &NoHook).unwrap().remove(0);
    assert_eq!(found.image(0).skip(18).take(6).collect::<Vec<_>>(), [7.5; 6]);
}

fn padded() -> Window {
    Window { pad: [1; 2], pad_end: [1; 2], ..window(3, 1) }
}

#[test]
fn a_start_that_only_shares_its_storage_is_loaded_before_the_trunk() {
    let dropout = Builder::new(2, 4, 4).dropout().convolution(3, 1, padded()).inner_product(2);
    check(&dropout.build(), 20);
    let concat = Builder::new(2, 4, 4).relu();
    let concat = concat.concat(vec![BlobId(1), BlobId(0)]).convolution(3, 1, padded()).inner_product(2);
    check(&concat.build(), 20);
}

#[test]
fn one_blob_may_be_read_twice_by_one_layer() {
    let branch = || Builder::new(3, 4, 5).convolution(4, 1, padded());
    check(&branch().sum(vec![BlobId(1), BlobId(1)]).relu().build(), 18);
    check(&branch().concat(vec![BlobId(1), BlobId(1), BlobId(0)]).convolution(2, 1, padded()).build(), 18);
}

#[test]
fn branches_that_end_in_a_sum_or_side_by_side() {
    // Residual: the shortcut is read again behind the branch, then in place.
    let trunk = Builder::new(3, 6, 6).convolution(4, 1, padded()).affine(true).relu();
    let shortcut = trunk.last;
    let branch =
        trunk.convolution(4, 1, padded()).affine(true).relu().convolution(4, 1, padded()).affine(false);
    let sum = vec![shortcut, branch.last];
    let residual = branch.sum(sum).relu().max_pool(2, 2).inner_product(5).softmax();
    check(&residual.build(), 34);

    // Inception: branches with ReLUs, a pooled one, concatenated twice over.
    let trunk = Builder::new(2, 7, 7).convolution(6, 1, padded()).relu();
    let shared = trunk.last;
    let one = trunk.convolution(3, 1, window(1, 1)).relu();
    let three = {
        let last = one.last;
        (one.from(shared).convolution(2, 1, window(1, 1)).relu().convolution(4, 1, padded()).relu(), last)
    };
    let (builder, first) = three;
    let second = builder.last;
    let pooled = builder
        .from(shared)
        .pool(crate::network::PoolingMethod::Max, padded())
        .convolution(2, 1, window(1, 1))
        .relu();
    let third = pooled.last;
    let inner = pooled.concat(vec![first, second, third]);
    let concatenated = inner.last;
    let outer = inner.convolution(2, 1, padded()).relu();
    let more = outer.last;
    let network =
        outer.concat(vec![more, concatenated, shared]).convolution(3, 1, padded()).inner_product(4).build();
    check(&network, 33);
}

#[test]
fn fully_connected_layers_may_meet_in_a_concatenation() {
    let flat = Builder::new(6, 1, 1).inner_product(5).relu();
    let first = flat.last;
    let flat = flat.inner_product(4);
    let second = flat.last;
    let network = flat.concat(vec![first, second]).inner_product(3).build();
    check(&network, 90);
}

#[test]
fn shapes_that_contradict_each_other_are_refused() {
    let refused = |network: Network, message: &str| {
        let error = Engine::new(&network).unwrap_err().to_string();
        assert!(error.contains(message), "{error:?} should contain {message:?}");
    };
    let start = || Builder::new(2, 4, 4).relu();
    let two = || vec![BlobId(0), BlobId(1)];
    let mut network = start().concat(two()).build();
    network.blobs[2].shape.channels = 5;
    refused(network, "layer `layer1`: it reads blobs of 2x4x4, 2x4x4 for an output of 5x4x4");
    let mut network = start().sum(two()).build();
    network.blobs[2].shape.height = 5;
    refused(network, "it reads a blob of 2x4x4 for an output of 2x5x4");
    let network = start().eltwise(Eltwise::Sum { coefficients: vec![1.0] }, two()).build();
    refused(network, "it has 1 coefficients for 2 inputs");
    let network = start().join(LayerKind::Tanh, two(), Shape::new(2, 4, 4), None, false).build();
    refused(network, "it reads 2 blobs instead of one");
    let network = start().join(LayerKind::Concat, vec![], Shape::new(2, 4, 4), None, false).build();
    refused(network, "it reads 0 blobs instead of one");
    refused(start().reshape(Shape::new(2, 4, 5)).build(), "its input is 2x4x4 and its output 2x4x5");
    refused(start().plain(response(0, 0.75, false)).build(), "it sums over 0 elements");
    let mut network = start().affine(true).build();
    network.layers[1].weight.as_mut().unwrap().dims = vec![3];
    refused(network, "its weight is [3] instead of [2]");
}

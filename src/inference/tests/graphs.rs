//! Random graphs of all layer kinds: the bits of every blob are those of the reference, whichever blobs are asked for,
//! stored or given, and close to the reference in binary64.

use super::network::{Builder, window};
use super::{arranged, assert_bits, images, reference, variants};
use crate::inference::{Activations, NoHook, OperandBlock, OperandHook, Start};
use crate::network::{
    BlobId, Eltwise, LayerId, LayerKind, LocalResponse, Network, PoolingMethod, Shape, Window,
};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeSet;

/// Adds one random layer.
fn grow(builder: Builder, random: &mut Pcg64Mcg) -> Builder {
    let blobs = builder.network.blobs.len();
    // Mostly a recent blob, so that graphs get deep.
    let read = if random.random_bool(0.7) { blobs - 1 } else { random.random_range(0..blobs) };
    let builder = builder.from(BlobId(read));
    let shape = builder.shape();
    let others = |fits: &dyn Fn(Shape) -> bool, random: &mut Pcg64Mcg| {
        let fitting: Vec<_> =
            (0..blobs).map(BlobId).filter(|&blob| fits(builder.network.blob(blob).shape)).collect();
        let mut chosen = vec![BlobId(read)];
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..=chosen.len());
            chosen.insert(at, fitting[random.random_range(0..fitting.len())]);
        }
        chosen
    };
    match random.random_range(0..17) {
        0..3 => {
            let pad = random.random_range(0..3);
            let kernel = random.random_range(1..=(shape.height + pad).min(shape.width + pad).min(3));
            let window = Window { pad: [pad, pad / 2], pad_end: [pad, pad - pad / 2], ..window(kernel, 1) };
            let groups = match random.random_range(0..4) {
                0 => shape.channels,
                1 | 2 if shape.channels.is_multiple_of(2) => 2,
                _ => 1,
            };
            // Groups of whole vectors, of a vector and a part, and small ones.
            let outputs = match random.random_range(0..6) {
                0 if groups < 3 => 16 * random.random_range(1..3),
                1 if groups < 3 => random.random_range(10..40),
                _ => random.random_range(1..4),
            };
            builder.convolution(groups * outputs, groups, window)
        }
        3 => builder.inner_product(random.random_range(1..9)),
        4 => {
            let kernel = random.random_range(1..=shape.height.min(shape.width).min(3));
            let average = PoolingMethod::Average { count_padding: random.random() };
            let method = if random.random() { PoolingMethod::Max } else { average };
            let stride = random.random_range(1..3);
            // A window behind the end holds nothing.
            let stride = if kernel < stride { kernel } else { stride };
            builder.pool(method, window(kernel, stride))
        }
        5 => builder.relu(),
        6 => builder.leaky_relu(0.25),
        7 => builder.plain(LayerKind::Sigmoid),
        8 => builder.plain(LayerKind::Tanh),
        9 => builder.plain(LayerKind::Clip { min: -0.5, max: 0.75 }),
        10 => builder.affine(random.random()),
        11 => builder.dropout(),
        12 => {
            let size = random.random_range(1..6);
            let beta = [0.75, 0.5, 1.0, 0.6][random.random_range(0..4)];
            let within_channel = random.random();
            builder.plain(LayerKind::LocalResponse(LocalResponse {
                size,
                alpha: 0.5,
                beta,
                k: 1.5,
                within_channel,
            }))
        }
        13 | 14 => {
            let inputs = others(&|other| other == shape, random);
            let coefficients = inputs.iter().map(|_| [1.0, 1.0, -0.75][random.random_range(0..3)]).collect();
            let kinds = [Eltwise::Sum { coefficients }, Eltwise::Product, Eltwise::Max];
            builder.eltwise(kinds[random.random_range(0..3)].clone(), inputs)
        }
        15 => {
            let inputs = others(&|other| (other.height, other.width) == (shape.height, shape.width), random);
            builder.concat(inputs)
        }
        _ => {
            let Shape { channels, height, width } = shape;
            let shapes = [
                Shape::new(channels * height * width, 1, 1),
                Shape::new(width, channels, height),
                Shape::new(height, width * channels, 1),
            ];
            builder.reshape(shapes[random.random_range(0..3)])
        }
    }
}

fn network(random: &mut Pcg64Mcg) -> Network {
    let channels =
        if random.random_bool(0.8) { random.random_range(1..4) } else { random.random_range(14..36) };
    let [height, width] = [random.random_range(1..7), random.random_range(1..7)];
    let mut builder = Builder::new(channels, height, width).seed(random.random_range(0..1 << 40));
    for _ in 0..random.random_range(2..14) {
        // Concatenations of concatenations grow fast.
        let next = grow(builder, random);
        let large = next.shape().elements() > 2_000;
        builder = if large { next.inner_product(3) } else { next };
    }
    builder.build()
}

/// Changes some blobs: every value times -0.5 (exact), plus 0.25 (rounded).
struct Change(BTreeSet<usize>);

impl Change {
    fn value(x: f32) -> f32 {
        x * -0.5 + 0.25
    }
}

impl OperandHook for Change {
    fn stores(&self, blob: BlobId) -> bool {
        self.0.contains(&blob.0)
    }

    fn store(&self, _: BlobId, _: usize, operand: &mut OperandBlock<'_>) {
        operand.change_all(|values| values.iter_mut().for_each(|x| *x = Self::value(*x)));
    }
}

fn some(blobs: usize, probability: f64, random: &mut Pcg64Mcg) -> BTreeSet<usize> {
    (0..blobs).filter(|_| random.random_bool(probability)).collect()
}

/// The blobs that layers from `layer` on read and that earlier ones wrote.
fn cut(network: &Network, layer: LayerId) -> BTreeSet<usize> {
    let read = network.layers[layer.0..].iter().flat_map(|layer| &layer.inputs);
    let earlier = read.filter(|blob| network.blob(**blob).producer.is_none_or(|producer| producer < layer));
    earlier.map(|blob| blob.0).collect()
}

/// The reference's blobs, image after image; blobs before the first layer of a restart are `given`.
fn expected(
    network: &Network,
    images: &Activations,
    hook: &Change,
    given: Option<(LayerId, &[Activations])>,
) -> Vec<Vec<u32>> {
    let mut blobs = vec![Vec::new(); network.blobs.len()];
    for index in 0..images.images() {
        let image: Vec<f32> = images.image(index).collect();
        let store = |blob: usize, values: &mut [f32]| {
            if let Some((layer, golden)) = given
                && network.blobs[blob].producer.is_none_or(|producer| producer < layer)
            {
                values.iter_mut().zip(golden[blob].image(index)).for_each(|(x, given)| *x = given);
            }
            if hook.0.contains(&blob) {
                for x in values {
                    *x = Change::value(*x);
                }
            }
        };
        let computed = reference::forward_stored::<f32>(network, &image, store);
        for (blob, values) in blobs.iter_mut().zip(computed) {
            blob.extend(values.iter().map(|x| x.to_bits()));
        }
    }
    blobs
}

/// Compares the values of the last image with those in binary64, each blob by the largest value up to it.
fn check_precision(network: &Network, images: &Activations, found: &[Activations]) {
    let last = images.images() - 1;
    let image: Vec<f32> = images.image(last).collect();
    let mut largest = 1.0_f64;
    for (blob, exact) in reference::forward::<f64>(network, &image).iter().enumerate() {
        largest = exact.iter().fold(largest, |largest, x| largest.max(x.abs()));
        for (found, exact) in found[blob].image(last).zip(exact) {
            let error = (f64::from(found) - exact).abs();
            assert!(error <= 2e-5 * largest, "blob {blob}: {found} for {exact} (of {largest})");
        }
    }
}

fn check(seed: u64) {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let network = network(&mut random);
    let blobs = network.blobs.len();
    let images = images(&network, random.random_range(1..36));
    let all: Vec<_> = (0..blobs).map(BlobId).collect();
    let plain = expected(&network, &images, &Change(BTreeSet::new()), None);
    let hook = Change(some(blobs, 0.3, &mut random));
    let changed = expected(&network, &images, &hook, None);
    for variant in variants() {
        let engine = variant.engine(&network);
        let weights = engine.pack(&network).unwrap();
        let run = |start: &Start<'_>, outputs: &[BlobId], hook: &dyn OperandHook, expected: &[Vec<u32>]| {
            let found = engine.forward(&weights, start, outputs, hook).unwrap();
            for (blob, found) in outputs.iter().zip(&found) {
                assert_bits(found, &expected[blob.0], &format!("seed {seed}, blob {}, {variant}", blob.0));
            }
            found
        };
        let start = Start::new(network.input(), &images);
        let golden = run(&start, &all, &NoHook, &plain);
        check_precision(&network, &images, &golden);
        let stored = run(&start, &all, &hook, &changed);
        run(&start, &[network.output()], &NoHook, &plain);
        run(&start, &[network.output()], &hook, &changed);
        let outputs: Vec<_> = some(blobs, 0.2, &mut random).into_iter().map(BlobId).collect();
        run(&start, &outputs, &hook, &changed);

        let layer = LayerId(random.random_range(0..network.layers.len()));
        let mut starts = [Start::default(), Start::default()];
        for blob in cut(&network, layer) {
            starts[0] = starts[0].clone().with_stored(BlobId(blob), &stored[blob]);
            starts[1] = starts[1].clone().with(BlobId(blob), &golden[blob]);
        }
        let later =
            network.layers[layer.0..].iter().map(|layer| layer.output).filter(|_| random.random_bool(0.5));
        let outputs: Vec<_> = later.chain([network.output()]).collect();
        run(&starts[0], &outputs, &hook, &changed);
        run(&starts[1], &outputs, &NoHook, &plain);
        // Given blobs go through the hook.
        run(&starts[1], &outputs, &hook, &expected(&network, &images, &hook, Some((layer, &golden))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn random_graphs_have_the_bits_of_the_reference(seed: u64) {
        check(seed);
    }
}

#[test]
fn bits_do_not_depend_on_threads_or_batch() {
    let mut random = Pcg64Mcg::seed_from_u64(5);
    for _ in 0..12 {
        let network = network(&mut random);
        let all = images(&network, 83);
        let engines = arranged(&network);
        let expected = super::blob(&engines[0], &network, &all, network.output()).to_images();
        for engine in &engines {
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let found = pool.install(|| super::blob(engine, &network, &all, network.output()));
                assert_eq!(found.to_images(), expected);
            }
            let (nchw, size) = (all.to_images(), all.shape().elements());
            let classes = network.blob(network.output()).shape.elements();
            for (first, count) in [(0, 1), (15, 2), (82, 1), (20, 40)] {
                let part = &nchw[first * size..][..count * size];
                let part = Activations::from_images(all.shape(), count, part).unwrap();
                let found = super::blob(engine, &network, &part, network.output()).to_images();
                assert_eq!(found, expected[first * classes..][..count * classes]);
            }
        }
    }
}

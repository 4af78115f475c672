//! Whole networks: fusion, restarts, threads, batches, the operand hook, refusals.

use super::network::{Builder, small_lenet, values, window};
use super::{arranged, bits, blob, canonical_blobs, images, variants};
use crate::inference::{
    Activations, Arrangement, Engine, Error, LANES, NoHook, OperandBlock, OperandHook, Start,
};
use crate::network::{BlobId, LayerKind, Network, Parameter, PoolingMethod, Shape, Window};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// All blobs of the network as outputs of one pass.
fn all_blobs(
    engine: &Engine,
    network: &Network,
    images: &Activations,
    hook: &dyn OperandHook,
) -> Vec<Activations> {
    let weights = engine.pack(network).unwrap();
    let blobs: Vec<_> = (0..network.blobs.len()).map(BlobId).collect();
    engine.forward(&weights, &Start::new(network.input(), images), &blobs, hook).unwrap()
}

/// Two branches over one blob, with different padding, and a dropout whose input is read twice.
fn branches() -> Vec<Network> {
    let trunk = || Builder::new(2, 9, 9).convolution(5, 1, window(3, 1)).relu();
    let padded = Window { pad: [2, 1], pad_end: [1, 2], ..window(3, 2) };
    let shared = trunk().last;
    vec![
        trunk().convolution(4, 1, padded).from(shared).dropout().convolution(4, 1, window(2, 1)).build(),
        trunk().dropout().relu().from(shared).convolution(3, 1, padded).inner_product(6).build(),
        trunk()
            .inner_product(9)
            .from(shared)
            .convolution(3, 1, padded)
            .relu()
            .max_pool(2, 2)
            .inner_product(4)
            .build(),
        trunk().leaky_relu(0.5).from(shared).max_pool(3, 2).inner_product(4).build(),
    ]
}

#[test]
fn fused_or_not_the_bits_are_those_of_the_reference() {
    for network in branches().into_iter().chain([small_lenet()]) {
        let images = images(&network, 37);
        let expected = canonical_blobs(&network, &images);
        for variant in variants() {
            let engine = variant.engine(&network);
            for (id, found) in all_blobs(&engine, &network, &images, &NoHook).iter().enumerate() {
                assert_eq!(bits(found), expected[id], "blob {id}, {variant}");
                let alone = blob(&engine, &network, &images, BlobId(id));
                assert_eq!(bits(&alone), expected[id], "blob {id} alone, {variant}");
            }
        }
    }
}

#[test]
fn a_pass_from_any_blob_equals_the_full_pass() {
    let network = small_lenet();
    let images = images(&network, 50);
    let engines = arranged(&network);
    let golden = engines.each_ref().map(|engine| all_blobs(engine, &network, &images, &NoHook));
    // Activations of either arrangement serve both engines.
    for (engine, golden) in
        engines.iter().flat_map(|engine| golden.iter().map(move |golden| (engine, golden)))
    {
        let weights = engine.pack(&network).unwrap();
        for (start, activations) in golden.iter().enumerate() {
            for start in [Start::new(BlobId(start), activations), Start::stored(BlobId(start), activations)] {
                let found = engine.forward(&weights, &start, &[network.output()], &NoHook).unwrap().remove(0);
                assert_eq!(bits(&found), bits(&golden[network.output().0]));
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads_batch_or_position() {
    let network = small_lenet();
    let all = images(&network, 131);
    let engines = arranged(&network);
    let expected = blob(&engines[0], &network, &all, network.output()).to_images();
    for engine in &engines {
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found = pool.install(|| blob(engine, &network, &all, network.output()));
            assert_eq!(found.to_images(), expected, "{threads} threads");
        }
        let (nchw, size) = (all.to_images(), all.shape().elements());
        let classes = network.blob(network.output()).shape.elements();
        for (first, count) in [(0, 1), (1, 1), (15, 2), (64, 67), (130, 1), (3, 33)] {
            let part =
                Activations::from_images(all.shape(), count, &nchw[first * size..][..count * size]).unwrap();
            let found = blob(engine, &network, &part, network.output()).to_images();
            assert_eq!(found, expected[first * classes..][..count * classes], "{count} images from {first}");
        }
    }
}

#[test]
fn large_fully_connected_layers_take_more_blocks_at_a_time_and_threads_together() {
    let network = Builder::new(4, 9, 9).max_pool(2, 2).inner_product(700).relu().inner_product(600).build();
    let images = images(&network, 150);
    let expected = &canonical_blobs(&network, &images)[network.output().0];
    for engine in arranged(&network) {
        for threads in [1, 2, 3, 7] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found = pool.install(|| blob(&engine, &network, &images, network.output()));
            assert_eq!(&bits(&found), expected, "{threads} threads, {}", engine.arrangement());
        }
    }
}

/// Halves the values of some blobs and records its calls.
struct Halve {
    blobs: Vec<usize>,
    calls: Mutex<BTreeMap<(usize, usize), (usize, usize)>>,
}

impl Halve {
    fn new(blobs: Vec<usize>) -> Self {
        Self { blobs, calls: Mutex::default() }
    }
}

impl OperandHook for Halve {
    fn stores(&self, blob: BlobId) -> bool {
        self.blobs.contains(&blob.0)
    }

    fn store(&self, blob: BlobId, first_image: usize, operand: &mut OperandBlock<'_>) {
        let (shape, images) = (operand.shape(), operand.images());
        let (mut read, mut sum) = (0, 0.0);
        operand.for_each(|x| {
            read += 1;
            sum += f64::from(x);
        });
        assert_eq!(read, shape.elements() * images);
        operand.change_all(|values| values.iter_mut().for_each(|x| *x *= 0.5));
        let halves: f64 = (0..images)
            .flat_map(|image| (0..shape.elements()).map(move |element| (element, image)))
            .map(|(element, image)| f64::from(operand.get(element, image)))
            .sum();
        assert!((halves * 2.0 - sum).abs() <= 1e-9 * read as f64, "each value is changed once");
        let mut calls = self.calls.lock().unwrap();
        let call = calls.entry((blob.0, first_image)).or_insert((0, operand.images()));
        call.0 += 1;
    }
}

/// The network with the halving written out as a leaky ReLU pair would be; halving is exact, so it may be moved into the
/// weights of the next product.
fn halved_by_weights(network: &Network, layer: usize) -> Network {
    let mut network = network.clone();
    let weight = network.layers[layer].weight.as_mut().unwrap().values.as_mut().unwrap();
    for w in weight {
        *w *= 0.5;
    }
    network
}

#[test]
fn what_the_hook_stores_is_what_readers_read() {
    let network = small_lenet();
    let images = images(&network, 45);
    let engine = Engine::new(&network).unwrap();
    let weights = engine.pack(&network).unwrap();
    let products: Vec<usize> =
        (0..network.layers.len()).filter(|&l| network.layers[l].weight.is_some()).collect();
    for layer in products {
        let stored = network.layers[layer].inputs[0];
        let hook = Halve::new(vec![stored.0]);
        let start = Start::new(network.input(), &images);
        let outputs = [network.output(), stored];
        let found = engine.forward(&weights, &start, &outputs, &hook).unwrap();
        let expected = halved_by_weights(&network, layer);
        let unhalved = blob(&engine, &expected, &images, stored).to_images();
        assert_eq!(bits(&found[0]), bits(&blob(&engine, &expected, &images, network.output())));
        assert_eq!(found[1].to_images(), unhalved.iter().map(|x| x * 0.5).collect::<Vec<_>>());

        let calls: Vec<_> = hook.calls.into_inner().unwrap().into_iter().collect();
        let at = |image| (stored.0, image);
        assert_eq!(calls, [(at(0), (1, 16)), (at(16), (1, 16)), (at(32), (1, 13))]);

        let hook = Halve::new(vec![stored.0]);
        let single = Engine::arranged(&network, engine.instruction_set(), Arrangement::Channels).unwrap();
        let weights_of_single = single.pack(&network).unwrap();
        let same = single.forward(&weights_of_single, &start, &outputs, &hook).unwrap();
        assert_eq!([&same[0], &same[1]].map(bits), [&found[0], &found[1]].map(bits));
        let calls = hook.calls.into_inner().unwrap().into_iter();
        assert!(calls.eq((0..45).map(|image| (at(image), (1, 1)))), "each image once, alone");

        let hook = Halve::new(vec![stored.0]);
        let restart = Start::stored(stored, &found[1]);
        let again = engine.forward(&weights, &restart, &[network.output()], &hook).unwrap();
        assert_eq!(bits(&again[0]), bits(&found[0]));
        assert!(hook.calls.into_inner().unwrap().is_empty(), "a stored start is not stored again");
    }
}

#[test]
fn a_hook_that_changes_nothing_changes_no_bit_whatever_it_stores() {
    struct Watch(Vec<bool>);
    impl OperandHook for Watch {
        fn stores(&self, blob: BlobId) -> bool {
            self.0[blob.0]
        }
        fn store(&self, _: BlobId, _: usize, operand: &mut OperandBlock<'_>) {
            let value = operand.get(operand.shape().elements() - 1, operand.images() - 1);
            operand.set(operand.shape().elements() - 1, operand.images() - 1, value);
        }
    }
    for network in branches().into_iter().chain([small_lenet()]) {
        let images = images(&network, 20);
        let engine = Engine::new(&network).unwrap();
        let weights = engine.pack(&network).unwrap();
        let expected = bits(&blob(&engine, &network, &images, network.output()));
        let blobs = network.blobs.len();
        for stored in 0..=blobs {
            let hook = Watch((0..blobs).map(|blob| blob == stored || stored == blobs).collect());
            let start = Start::new(network.input(), &images);
            let found = engine.forward(&weights, &start, &[network.output()], &hook).unwrap();
            assert_eq!(bits(&found[0]), expected, "blob {stored}");
        }
    }
}

#[test]
fn a_hook_never_sees_the_padding() {
    struct FillInput;
    impl OperandHook for FillInput {
        fn stores(&self, blob: BlobId) -> bool {
            blob.0 == 0
        }
        fn store(&self, _: BlobId, _: usize, operand: &mut OperandBlock<'_>) {
            operand.change_all(|values| values.fill(1.0));
        }
    }
    let padded = Window { pad: [1; 2], pad_end: [1; 2], ..window(3, 1) };
    let mut network = Builder::new(1, 2, 2).convolution(1, 1, padded).build();
    network.layers[0].weight.as_mut().unwrap().values = Some(vec![1.0; 9]);
    network.layers[0].bias = None;
    let engine = Engine::new(&network).unwrap();
    let weights = engine.pack(&network).unwrap();
    let images = images(&network, 1);
    let start = Start::new(network.input(), &images);
    let found = engine.forward(&weights, &start, &[network.output()], &FillInput).unwrap();
    assert_eq!(found[0].to_images(), [4.0; 4]);
}

#[test]
fn a_start_needs_what_the_outputs_need() {
    let network = small_lenet();
    let engine = Engine::new(&network).unwrap();
    let weights = engine.pack(&network).unwrap();
    let input = images(&network, 3);
    let golden = all_blobs(&engine, &network, &input, &NoHook);
    let run = |start: &Start<'_>, outputs: &[BlobId]| engine.forward(&weights, start, outputs, &NoHook);
    let later = Start::new(BlobId(3), &golden[3]);
    assert_eq!(run(&later, &[BlobId(2)]), Err(Error::Unreachable("data".into())));
    assert_eq!(run(&Start::default(), &[BlobId(2)]), Err(Error::Unreachable("data".into())));
    assert_eq!(run(&later, &[BlobId(99)]), Err(Error::UnknownBlob(99)));
    assert_eq!(run(&Start::new(BlobId(99), &input), &[BlobId(2)]), Err(Error::UnknownBlob(99)));
    let misfit = run(&Start::new(BlobId(2), &input), &[BlobId(3)]);
    assert!(matches!(misfit, Err(Error::StartShape { found, .. }) if found == input.shape()));
    let fewer = images(&network, 2);
    let uneven = run(&later.clone().with_stored(BlobId(0), &fewer), &[BlobId(3)]);
    assert_eq!(uneven, Err(Error::StartImages(3, 2)));
    let other = Engine::new(&Builder::new(1, 14, 13).inner_product(3).build()).unwrap();
    let start = Start::new(network.input(), &input);
    assert_eq!(other.forward(&weights, &start, &[], &NoHook), Err(Error::ForeignWeights));
    let none = Activations::from_images(input.shape(), 0, &[]).unwrap();
    let empty = run(&Start::new(network.input(), &none), &[network.output()]).unwrap();
    assert_eq!(empty[0].to_images(), [0.0; 0]);
}

/// What makes a network inconsistent.
type Change<'a> = &'a dyn Fn(&mut Network);

#[test]
fn what_cannot_be_computed_is_refused_by_name() {
    let good = small_lenet();
    let refused = |change: Change<'_>| {
        let mut network = good.clone();
        change(&mut network);
        Engine::new(&network).unwrap_err().to_string()
    };
    let parameter =
        |dims: &[usize]| Some(Parameter { dims: dims.to_vec(), values: None, quantisation: None });
    let cases: [(Change<'_>, &str); 9] = [
        (&|n| n.layers.clear(), "no layer"),
        (&|n| n.layers[0].weight = None, "layer `layer0`: it has no weight"),
        (&|n| n.layers[6].weight = parameter(&[37, 1]), "layer `layer6`: its weight is [37, 1]"),
        (&|n| n.layers[0].bias = parameter(&[usize::MAX, 2]), "layer `layer0`: its bias"),
        (
            &|n| n.blobs[1].shape.height = 11,
            "layer `layer0`: its output is declared 6x11x9 but computed 6x10x9",
        ),
        (&|n| n.layers[2].inputs = vec![BlobId(7)], "layer `layer2`: it reads a blob that no earlier layer"),
        (&|n| n.layers[2].output = BlobId(1), "layer `layer2`: it writes a blob that exists"),
        (&|n| n.blobs[0].shape.width = usize::MAX, "layer `layer0`"),
        (&|n| n.blobs[5].shape.height = 9, "layer `layer4`: a window holds no element"),
    ];
    for (change, message) in cases {
        let found = refused(change);
        assert!(found.contains(message), "{found:?} should contain {message:?}");
    }
    let shape = Shape::new(2, 5, 5);
    let huge = |kernel: usize, pad: usize| {
        let window = Window { pad: [pad; 2], pad_end: [pad; 2], ..window(kernel, 1) };
        let pooling = crate::network::Pooling { method: PoolingMethod::Max, window };
        Builder::new(2, 5, 5).layer(LayerKind::Pooling(pooling), shape, None, false).build()
    };
    assert!(Engine::new(&huge(usize::MAX, usize::MAX)).is_err());
    assert!(Engine::new(&huge(1 << 60, 1 << 40)).is_ok(), "one clipped window may cover the image");

    let mut network = good.clone();
    network.layers[0].weight.as_mut().unwrap().values = None;
    let engine = Engine::new(&network).unwrap();
    assert_eq!(engine.pack(&network).unwrap_err().to_string(), "layer `layer0` has no values for its weight");
    network.layers[0].weight.as_mut().unwrap().values = Some(vec![0.0]);
    assert!(engine.pack(&network).is_err());
}

#[test]
fn images_survive_every_arrangement() {
    let shape = Shape::new(2, 3, 5);
    for count in [0, 1, 15, 16, 17, 40] {
        let nchw = values(5, count * shape.elements());
        let planar = Activations::from_images(shape, count, &nchw).unwrap();
        assert_eq!(planar.to_images(), nchw);
        assert_eq!(planar.to_array().into_raw_vec_and_offset().0, nchw);
        assert_eq!(Activations::from_array(&planar.to_array().view()), planar);
        let mut interleaved = Activations::interleaved(shape, count);
        interleaved.set_images(0, &nchw);
        assert_eq!(interleaved.to_images(), nchw);
        for first in (0..count).step_by(LANES) {
            let vector = interleaved.vector(first, 7);
            assert_eq!(vector, planar.vector(first, 7));
            assert!(vector[LANES.min(count - first)..].iter().all(|&lane| lane == 0.0));
        }
        for activations in [&mut interleaved.clone(), &mut planar.clone()] {
            for image in 0..count {
                activations.set(image, 11, image as f32);
                assert_eq!(activations.get(image, 11), image as f32);
            }
            let changed = activations.to_images();
            assert!(changed.iter().zip(&nchw).enumerate().all(|(at, (x, old))| at % 30 == 11 || x == old));
        }
    }
    assert_eq!(
        Activations::from_images(shape, 2, &[0.0; 59]),
        Err(Error::Length { images: 2, shape, found: 59 })
    );
    assert!(Activations::from_images(Shape::new(usize::MAX, 2, 1), 1, &[]).is_err());
}

#[test]
fn logits_are_the_input_of_a_final_softmax() {
    let network = small_lenet();
    assert_eq!(Engine::new(&network).unwrap().logits(), BlobId(10));
    let network = Builder::new(3, 2, 2).inner_product(4).build();
    assert_eq!(Engine::new(&network).unwrap().logits(), BlobId(1));
}

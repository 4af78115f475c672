//! Speed of the forward pass: LeNet-5 of the paper's shape, and each of its layers, on one thread.
//!
//! With the arguments `--rounds FILE` no criterion runs. Instead the LeNet-5 whose parameters (weight and bias of each
//! layer, then 10,000 images, as little-endian binary32) lie in FILE is evaluated once for each line on standard input,
//! and each time the seconds are printed; before the first, the predicted classes. `benches/onnxruntime/compare.py`
//! measures side by side with it.

use approxmem::inference::{Activations, Engine, NoHook, Start, Weights, classify};
use approxmem::network::{
    Blob, BlobId, Convolution, Layer, LayerId, LayerKind, Network, Parameter, Pooling, PoolingMethod, Shape,
    Window,
};
use criterion::{Criterion, Throughput};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Dxsm;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Images of one round.
const ROUND_IMAGES: usize = 10_000;

/// Images of one criterion iteration.
const IMAGES: usize = 1_024;

/// Builds a chain of layers.
struct Chain(Network);

impl Chain {
    fn new(input: Shape) -> Self {
        let data = Blob { name: "data".into(), shape: input, producer: None };
        Self(Network {
            name: "benchmark".into(),
            blobs: vec![data],
            layers: vec![],
            normalisations: BTreeMap::new(),
            notes: vec![],
        })
    }

    fn layer(mut self, kind: LayerKind, shape: Shape, weight: Option<Vec<usize>>) -> Self {
        let network = &mut self.0;
        let id = LayerId(network.layers.len());
        let (input, output) = (BlobId(network.blobs.len() - 1), BlobId(network.blobs.len()));
        let parameter = |dims: Vec<usize>| Parameter {
            values: Some(values(id.0, dims.iter().product())),
            dims,
            quantisation: None,
        };
        let bias = weight.is_some().then(|| parameter(vec![shape.channels]));
        network.blobs.push(Blob { name: format!("blob{}", id.0), shape, producer: Some(id) });
        let (name, weight) = (format!("layer{}", id.0), weight.map(parameter));
        network.layers.push(Layer { name, kind, inputs: vec![input], output, weight, bias });
        self
    }

    fn shape(&self) -> Shape {
        self.0.blob(self.0.output()).shape
    }

    fn convolution(self, outputs: usize, kernel: usize) -> Self {
        let input = self.shape();
        let shape = Shape::new(outputs, input.height - kernel + 1, input.width - kernel + 1);
        let kind = LayerKind::Convolution(Convolution { outputs, window: window(kernel, 1), groups: 1 });
        self.layer(kind, shape, Some(vec![outputs, input.channels, kernel, kernel]))
    }

    fn max_pool(self) -> Self {
        let input = self.shape();
        let kind = LayerKind::Pooling(Pooling { method: PoolingMethod::Max, window: window(2, 2) });
        self.layer(kind, Shape::new(input.channels, input.height / 2, input.width / 2), None)
    }

    fn inner_product(self, outputs: usize) -> Self {
        let inputs = self.shape().elements();
        self.layer(
            LayerKind::InnerProduct { outputs },
            Shape::new(outputs, 1, 1),
            Some(vec![outputs, inputs]),
        )
    }

    fn relu(self) -> Self {
        let shape = self.shape();
        self.layer(LayerKind::Relu { negative_slope: 0.0 }, shape, None)
    }
}

fn window(kernel: usize, stride: usize) -> Window {
    Window { kernel: [kernel; 2], stride: [stride; 2], pad: [0; 2], pad_end: [0; 2], dilation: [1; 2] }
}

/// Uniform values in -0.1..0.1.
fn values(seed: usize, count: usize) -> Vec<f32> {
    let mut random = Pcg64Dxsm::seed_from_u64(seed as u64);
    (0..count).map(|_| random.next_u32() as f32 / 2.0_f32.powi(32) * 0.2 - 0.1).collect()
}

/// The LeNet-5 of the paper: 6, 16, 120, 84 and 10 outputs.
fn lenet5() -> Network {
    let trunk = Chain::new(Shape::new(1, 28, 28)).convolution(6, 5).relu().max_pool();
    let trunk = trunk.convolution(16, 5).relu().max_pool();
    trunk.inner_product(120).relu().inner_product(84).relu().inner_product(10).0
}

/// A network ready to run on one thread.
struct Setup {
    network: Network,
    engine: Engine,
    weights: Weights,
    images: Activations,
    pool: ThreadPool,
}

impl Setup {
    fn new(network: Network, images: usize, nchw: &[f32]) -> Self {
        let engine = Engine::new(&network).expect("the engine computes these layers");
        let weights = engine.pack(&network).expect("all parameters have values");
        let shape = network.blob(network.input()).shape;
        let images =
            Activations::from_images(shape, images, nchw).expect("there is a value for each element");
        let pool = ThreadPoolBuilder::new().num_threads(1).build().expect("one thread can be started");
        Self { network, engine, weights, images, pool }
    }

    fn run(&self) -> Activations {
        let start = Start::new(self.network.input(), &self.images);
        let logits = [self.engine.logits()];
        let forward = || self.engine.forward(&self.weights, &start, &logits, &NoHook);
        self.pool.install(forward).expect("the start fits the network").remove(0)
    }
}

fn criterion(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("forward");
    group.measurement_time(Duration::from_secs(3)).sample_size(20);
    let of = |channels, extent| Chain::new(Shape::new(channels, extent, extent));
    let flat = |inputs| Chain::new(Shape::new(inputs, 1, 1));
    let networks = [
        ("lenet5", lenet5()),
        ("conv 6@5x5 of 1x28x28", of(1, 28).convolution(6, 5).0),
        ("conv 6@5x5 of 1x28x28, relu, pool", of(1, 28).convolution(6, 5).relu().max_pool().0),
        ("conv 16@5x5 of 6x12x12", of(6, 12).convolution(16, 5).0),
        ("conv 50@5x5 of 20x12x12", of(20, 12).convolution(50, 5).0),
        ("pool 2x2 of 6x24x24", of(6, 24).max_pool().0),
        ("inner product 120x256", flat(256).inner_product(120).0),
        ("inner product 84x120", flat(120).inner_product(84).0),
        ("inner product 10x84", flat(84).inner_product(10).0),
    ];
    for (name, network) in networks {
        let elements = network.blob(network.input()).shape.elements();
        let macs: u64 = (0..network.layers.len()).map(|layer| network.macs(LayerId(layer))).sum();
        let setup = Setup::new(network, IMAGES, &values(7, IMAGES * elements));
        group.throughput(Throughput::Elements(macs.max(elements as u64) * IMAGES as u64));
        group.bench_function(format!("{name}, {IMAGES} images"), |b| b.iter(|| black_box(setup.run())));
    }
    group.finish();
}

/// Evaluates the network of `file` once per line of standard input.
fn rounds(file: &Path) -> std::io::Result<()> {
    let bytes = std::fs::read(file)?;
    let mut values = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let mut network = lenet5();
    for layer in &mut network.layers {
        for parameter in [&mut layer.weight, &mut layer.bias].into_iter().flatten() {
            let words = parameter.words();
            parameter.values = Some(values.by_ref().take(words).collect());
        }
    }
    let setup = Setup::new(network, ROUND_IMAGES, &values.collect::<Vec<_>>());
    let classes: Vec<_> =
        classify(&setup.run()).top1.iter().map(|class| class.map_or("-".into(), |c| c.to_string())).collect();
    println!("{}", classes.join(" "));
    std::io::stdout().flush()?;
    for line in std::io::stdin().lock().lines() {
        line?;
        let start = Instant::now();
        black_box(classify(&setup.run()));
        println!("{}", start.elapsed().as_secs_f64());
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--rounds") {
        let file = arguments.get(at + 1).expect("--rounds takes a file");
        rounds(Path::new(file)).expect("the file of parameters can be read");
        return;
    }
    let mut settings = Criterion::default().configure_from_args();
    criterion(&mut settings);
    settings.final_summary();
}

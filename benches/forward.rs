//! Speed of the forward pass on one thread: LeNet-5, and single layers at the shapes that they have in LeNet-5, Caffe's
//! LeNet, `cifar10_full`, AlexNet, VGG-16 and SqueezeNet v1.1, for 1 and 16 images.
//!
//! Throughput is in multiply-accumulates, for layers without any in elements read. `cargo bench --bench forward -- FILTER`
//! runs some of them. Whole networks beside onnxruntime: `benches/onnxruntime/compare.py`.

use approxmem::inference::{Activations, Engine, NoHook, Start, Weights};
use approxmem::network::{
    self, Blob, BlobId, Convolution, Layer, LayerId, LayerKind, LocalResponse, Network, Parameter, Pooling,
    PoolingMethod, Shape, Window,
};
use criterion::{BenchmarkId, Criterion, Throughput};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Dxsm;
use rayon::ThreadPoolBuilder;
use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

/// The allocator of the `approxmem` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One layer; extents are those of square images and kernels.
#[derive(Clone, Copy)]
enum Single {
    Convolution { outputs: usize, kernel: usize, stride: usize, pad: usize, groups: usize },
    InnerProduct { outputs: usize },
    Max { kernel: usize, stride: usize },
    Average { kernel: usize, stride: usize },
    Normalise { size: usize, within_channel: bool },
    Relu,
    Softmax,
}

use Single::{Average, InnerProduct, Max, Normalise, Relu, Softmax};

/// A convolution of stride 1 without groups.
const fn convolution(outputs: usize, kernel: usize, pad: usize) -> Single {
    Single::Convolution { outputs, kernel, stride: 1, pad, groups: 1 }
}

const fn grouped(outputs: usize, kernel: usize, pad: usize) -> Single {
    Single::Convolution { outputs, kernel, stride: 1, pad, groups: 2 }
}

const fn strided(outputs: usize, kernel: usize, stride: usize) -> Single {
    Single::Convolution { outputs, kernel, stride, pad: 0, groups: 1 }
}

const ACROSS: Single = Normalise { size: 5, within_channel: false };
const WITHIN: Single = Normalise { size: 3, within_channel: true };

/// Name, channels and extent of the input, and the layer.
const LAYERS: [(&str, [usize; 2], Single); 44] = [
    ("lenet5 conv1", [1, 28], convolution(6, 5, 0)),
    ("lenet5 pool1", [6, 24], Max { kernel: 2, stride: 2 }),
    ("lenet5 conv2", [6, 12], convolution(16, 5, 0)),
    ("lenet5 fc1", [256, 1], InnerProduct { outputs: 120 }),
    ("lenet5 fc2", [120, 1], InnerProduct { outputs: 84 }),
    ("lenet5 fc3", [84, 1], InnerProduct { outputs: 10 }),
    ("lenet_caffe conv1", [1, 28], convolution(20, 5, 0)),
    ("lenet_caffe conv2", [20, 12], convolution(50, 5, 0)),
    ("lenet_caffe ip1", [800, 1], InnerProduct { outputs: 500 }),
    ("cifar10_full conv1", [3, 32], convolution(32, 5, 2)),
    ("cifar10_full pool1", [32, 32], Max { kernel: 3, stride: 2 }),
    ("cifar10_full norm1", [32, 16], WITHIN),
    ("cifar10_full conv2", [32, 16], convolution(32, 5, 2)),
    ("cifar10_full pool2", [32, 16], Average { kernel: 3, stride: 2 }),
    ("cifar10_full conv3", [32, 8], convolution(64, 5, 2)),
    ("alexnet conv1", [3, 227], strided(96, 11, 4)),
    ("alexnet relu1", [96, 55], Relu),
    ("alexnet norm1", [96, 55], ACROSS),
    ("alexnet pool1", [96, 55], Max { kernel: 3, stride: 2 }),
    ("alexnet conv2", [96, 27], grouped(256, 5, 2)),
    ("alexnet norm2", [256, 27], ACROSS),
    ("alexnet conv3", [256, 13], convolution(384, 3, 1)),
    ("alexnet conv4", [384, 13], grouped(384, 3, 1)),
    ("alexnet conv5", [384, 13], grouped(256, 3, 1)),
    ("alexnet fc6", [9216, 1], InnerProduct { outputs: 4096 }),
    ("alexnet fc7", [4096, 1], InnerProduct { outputs: 4096 }),
    ("alexnet fc8", [4096, 1], InnerProduct { outputs: 1000 }),
    ("alexnet prob", [1000, 1], Softmax),
    ("vgg16 conv1_1", [3, 224], convolution(64, 3, 1)),
    ("vgg16 conv1_2", [64, 224], convolution(64, 3, 1)),
    ("vgg16 pool1", [64, 224], Max { kernel: 2, stride: 2 }),
    ("vgg16 conv2_2", [128, 112], convolution(128, 3, 1)),
    ("vgg16 conv3_2", [256, 56], convolution(256, 3, 1)),
    ("vgg16 conv4_2", [512, 28], convolution(512, 3, 1)),
    ("vgg16 conv5_2", [512, 14], convolution(512, 3, 1)),
    ("squeezenet conv1", [3, 227], strided(64, 3, 2)),
    ("squeezenet fire2 squeeze1x1", [64, 56], convolution(16, 1, 0)),
    ("squeezenet fire2 expand1x1", [16, 56], convolution(64, 1, 0)),
    ("squeezenet fire2 expand3x3", [16, 56], convolution(64, 3, 1)),
    ("squeezenet fire9 squeeze1x1", [512, 14], convolution(64, 1, 0)),
    ("squeezenet fire9 expand1x1", [64, 14], convolution(256, 1, 0)),
    ("squeezenet fire9 expand3x3", [64, 14], convolution(256, 3, 1)),
    ("squeezenet conv10", [512, 14], convolution(1000, 1, 0)),
    ("squeezenet pool10", [1000, 14], Average { kernel: 14, stride: 1 }),
];

fn window(kernel: usize, stride: usize, pad: usize) -> Window {
    Window { kernel: [kernel; 2], stride: [stride; 2], pad: [pad; 2], pad_end: [pad; 2], dilation: [1; 2] }
}

/// Uniform values in -0.1..0.1.
fn values(seed: u64, count: usize) -> Vec<f32> {
    let mut random = Pcg64Dxsm::seed_from_u64(seed);
    (0..count).map(|_| random.next_u32() as f32 / 2.0_f32.powi(32) * 0.2 - 0.1).collect()
}

impl Single {
    /// Kind, output and extents of the weight of the layer on images of shape `input`.
    fn describe(self, input: Shape) -> (LayerKind, Shape, Option<Vec<usize>>) {
        let square = |channels, extent| Shape::new(channels, extent, extent);
        // Caffe rounds extents of pooling up.
        let pool = |method, kernel, stride| {
            let pooling = LayerKind::Pooling(Pooling { method, window: window(kernel, stride, 0) });
            (pooling, square(input.channels, (input.height - kernel).div_ceil(stride) + 1), None)
        };
        match self {
            Self::Convolution { outputs, kernel, stride, pad, groups } => {
                let window = window(kernel, stride, pad);
                let kind = LayerKind::Convolution(Convolution { outputs, window, groups });
                let shape = square(outputs, (input.height + 2 * pad - kernel) / stride + 1);
                (kind, shape, Some(vec![outputs, input.channels / groups, kernel, kernel]))
            }
            InnerProduct { outputs } => {
                let weight = vec![outputs, input.elements()];
                (LayerKind::InnerProduct { outputs }, Shape::new(outputs, 1, 1), Some(weight))
            }
            Max { kernel, stride } => pool(PoolingMethod::Max, kernel, stride),
            Average { kernel, stride } => {
                pool(PoolingMethod::Average { count_padding: true }, kernel, stride)
            }
            Normalise { size, within_channel } => {
                let response = LocalResponse { size, alpha: 1e-4, beta: 0.75, k: 1.0, within_channel };
                (LayerKind::LocalResponse(response), input, None)
            }
            Relu => (LayerKind::Relu { negative_slope: 0.0 }, input, None),
            Softmax => (LayerKind::Softmax, input, None),
        }
    }

    /// Multiply-accumulates for one image, or elements read where there are none.
    fn work(self, input: Shape) -> u64 {
        let (_, output, weight) = self.describe(input);
        let words = weight.map(|dims| dims.iter().product::<usize>() * output.height * output.width);
        words.unwrap_or(input.elements()) as u64
    }

    /// A network of this layer alone.
    fn network(self, input: Shape) -> Network {
        let (kind, shape, weight) = self.describe(input);
        let parameter = |dims: Vec<usize>| {
            let values = Some(values(1, dims.iter().product()));
            Parameter { dims, values, quantisation: None }
        };
        let bias = weight.is_some().then(|| parameter(vec![shape.channels]));
        let weight = weight.map(parameter);
        let (inputs, output) = (vec![BlobId(0)], BlobId(1));
        let layer = Layer { name: "layer".into(), kind, inputs, output, weight, bias };
        Network {
            name: "benchmark".into(),
            blobs: vec![
                Blob { name: "data".into(), shape: input, producer: None },
                Blob { name: "layer".into(), shape, producer: Some(LayerId(0)) },
            ],
            layers: vec![layer],
            normalisations: BTreeMap::new(),
            notes: vec![],
        }
    }
}

/// The LeNet-5 of `models/lenet5`.
fn lenet5() -> Network {
    let file = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("models/lenet5").join(name);
    let mut network = network::read_definition(&file("lenet5.prototxt")).expect("the definition is shipped");
    network::load_weights(&mut network, &file("lenet5.caffemodel")).expect("the weights are shipped");
    network
}

/// A network ready to evaluate some images.
struct Setup {
    engine: Engine,
    weights: Weights,
    input: BlobId,
    images: Activations,
    output: BlobId,
}

impl Setup {
    fn new(network: &Network, images: usize) -> Self {
        let engine = Engine::new(network).expect("the engine computes these layers");
        let weights = engine.pack(network).expect("all parameters have values");
        let (input, output) = (network.input(), network.output());
        let shape = network.blob(input).shape;
        let values = values(7, images * shape.elements());
        let images = Activations::from_images(shape, images, &values).expect("a value for each element");
        Self { engine, weights, input, images, output }
    }

    fn run(&self) -> Vec<Activations> {
        let start = Start::new(self.input, &self.images);
        let outputs = [self.output];
        self.engine.forward(&self.weights, &start, &outputs, &NoHook).expect("the start fits the network")
    }
}

/// Measures one network, which is built only if it is wanted. `work` is that of one image.
fn measure(criterion: &mut Criterion, name: &str, images: usize, work: u64, network: &dyn Fn() -> Network) {
    let mut group = criterion.benchmark_group("forward");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1)).sample_size(10);
    group.throughput(Throughput::Elements(work * images as u64));
    let setup = LazyCell::new(|| Setup::new(&network(), images));
    group.bench_function(BenchmarkId::new(name, images), |bencher| {
        let setup = &*setup;
        bencher.iter(|| black_box(setup.run()));
    });
    group.finish();
}

fn measure_all() {
    let mut criterion = Criterion::default().configure_from_args();
    let network = lenet5();
    let macs = (0..network.layers.len()).map(|layer| network.macs(LayerId(layer))).sum();
    for images in [64, 1024] {
        measure(&mut criterion, "lenet5", images, macs, &lenet5);
    }
    for (name, [channels, extent], layer) in LAYERS {
        let input = Shape::new(channels, extent, extent);
        for images in [1, 16] {
            measure(&mut criterion, name, images, layer.work(input), &|| layer.network(input));
        }
    }
    criterion.final_summary();
}

fn main() {
    let pool = ThreadPoolBuilder::new().num_threads(1).build().expect("one thread can be started");
    // All of it runs in the pool, so that no measurement waits for a thread that only hands it on.
    pool.install(measure_all);
}

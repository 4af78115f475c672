//! Trained networks against blobs and predictions that another engine computed (OpenCV, binary32; see the README of the
//! test data).

#![allow(clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

use approxmem::campaign;
use approxmem::config::Document;
use approxmem::dataset::{ChannelOrder, Dataset, Files, Mean, Preprocessing, Source};
use approxmem::experiment::Prepared;
use approxmem::inference::{Activations, Classes, Engine, NoHook, Ranking, Start, classify, rank};
use approxmem::network::{BlobId, Network, caffe};
use ndarray::{ArrayD, Axis};
use ndarray_npy::read_npy;
use prost::Message;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The folder of test data.
fn data() -> PathBuf {
    PathBuf::from(std::env::var_os("APPROXMEM_TEST_DATA").expect("APPROXMEM_TEST_DATA names the test data"))
}

/// What a gzip file holds.
fn unzipped(path: &Path) -> Vec<u8> {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

/// The 10,000 MNIST test images, preprocessed, and their labels.
fn mnist(preprocess: fn(f32) -> f32) -> (Vec<f32>, Vec<u16>) {
    let folder = data().join("mnist");
    let images = unzipped(&folder.join("t10k-images-idx3-ubyte.gz")).split_off(16);
    let labels = unzipped(&folder.join("t10k-labels-idx1-ubyte.gz")).split_off(8);
    let labels = labels.into_iter().map(u16::from).collect();
    (images.into_iter().map(|x| preprocess(f32::from(x))).collect(), labels)
}

/// The last blob of a name.
fn named(network: &Network, name: &str) -> BlobId {
    BlobId(network.blobs.iter().rposition(|blob| blob.name == name).expect("the network has the blob"))
}

/// Largest difference, as a fraction of the largest oracle value.
fn distance(found: &[f32], oracle: &ArrayD<f32>) -> f32 {
    assert_eq!(found.len(), oracle.len());
    let largest = oracle.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    found.iter().zip(oracle).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs())) / largest
}

/// Difference of the two largest logits of an image, as a fraction of the largest.
fn margin(logits: &Activations, image: usize) -> f32 {
    let mut values: Vec<f32> = logits.image(image).collect();
    values.sort_by(|a, b| b.total_cmp(a));
    (values[0] - values[1]) / values[0].abs()
}

fn read(path: &Path) -> ArrayD<f32> {
    read_npy(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A trained network and the folder with its oracle files.
struct Model {
    network: Network,
    oracle: PathBuf,
}

impl Model {
    fn read(folder: &str, definition: &str, weights: &str) -> Self {
        let folder = data().join("models").join(folder);
        let mut network = caffe::read_definition(&folder.join(definition)).unwrap();
        caffe::load_weights(&mut network, &folder.join(weights)).unwrap();
        Self { network, oracle: folder.join("oracle") }
    }

    /// Checks blobs of the first image and probabilities of all images of the stored input.
    fn check_input(&self, blobs: &[&str]) {
        let Self { network, oracle } = self;
        let engine = Engine::new(network).unwrap();
        let weights = engine.pack(network).unwrap();
        let input = read(&oracle.join("input.npy"));
        let shape = network.blob(network.input()).shape;
        assert_eq!(input.shape()[1..], [shape.channels, shape.height, shape.width]);
        let values: Vec<f32> = input.iter().copied().collect();
        let images = Activations::from_images(shape, input.shape()[0], &values).unwrap();
        let start = Start::new(network.input(), &images);

        let mut outputs = vec![network.output()];
        outputs.extend(blobs.iter().map(|name| named(network, name)));
        let results = engine.forward(&weights, &start, &outputs, &NoHook).unwrap();
        for (name, result) in blobs.iter().zip(&results[1..]) {
            let expected = read(&oracle.join(format!("blob_{}.npy", name.replace('/', "_"))));
            let difference = distance(&result.image(0).collect::<Vec<_>>(), &expected);
            println!("{name}: {difference:e} of the largest value");
            assert!(difference < 1e-4, "{name} differs by {difference:e}");
        }
        let expected = read(&oracle.join("output.npy"));
        assert_eq!(expected.shape()[0], images.images());
        let mut worst = 0.0_f32;
        for (image, expected) in expected.axis_iter(Axis(0)).enumerate() {
            for (p, q) in results[0].image(image).zip(expected) {
                assert!((p - q).abs() < 1e-5, "image {image}: probability {p}, oracle {q}");
                worst = worst.max((p - q).abs());
            }
        }
        println!("probabilities: {worst:e}");
        let alone = engine.forward(&weights, &start, &[network.output()], &NoHook).unwrap();
        assert_eq!(alone[0], results[0], "fused layers give the same probabilities");
    }

    /// Checks all predictions, near ties apart; yields the classes and their ranking.
    fn check_predictions(&self, images: &[f32], labels: &[u16]) -> (Classes, Ranking) {
        let Self { network, oracle } = self;
        let engine = Engine::new(network).unwrap();
        let weights = engine.pack(network).unwrap();
        let input = read(&oracle.join("input.npy"));
        assert_eq!(input.iter().copied().collect::<Vec<_>>(), images[..input.len()], "preprocessing");

        let shape = network.blob(network.input()).shape;
        let images = Activations::from_images(shape, labels.len(), images).unwrap();
        let start = Start::new(network.input(), &images);
        let logits = engine.forward(&weights, &start, &[engine.logits()], &NoHook).unwrap().remove(0);
        let (classes, ranking) = (classify(&logits), rank(&logits));
        let predictions: ArrayD<u16> = read_npy(oracle.join("predictions.u16.npy")).unwrap();
        let pairs = classes.top1.iter().zip(&predictions).enumerate();
        let different: Vec<_> = pairs
            .filter(|(_, (ours, oracle))| **ours != Some(usize::from(**oracle)))
            .map(|(i, _)| i)
            .collect();
        assert!(different.len() <= 2, "predictions of images {different:?} differ");
        for image in different {
            let margin = margin(&logits, image);
            println!("image {image}: a near tie, {margin:e}");
            assert!(margin < 1e-4, "image {image} is no near tie: {margin:e}");
        }
        (classes, ranking)
    }

    /// Runs the 1,300 pictures, lists the predictions that differ from the oracle's, and yields the numbers of right
    /// images, top-1 and top-5. The decoder of the `image` crate and the oracle's libjpeg-turbo differ by a level here and
    /// there, which tips what is near a tie.
    fn check_pictures(&self, crop: Option<[usize; 2]>) -> [usize; 2] {
        let files = Files::Images {
            images: data().join("imagenet"),
            labels: Some(data().join("imagenet/labels.txt")),
            channel_order: ChannelOrder::Bgr,
            resize: None,
        };
        let mean = Mean::Numbers(vec![104.0, 117.0, 123.0]);
        let preprocessing = Preprocessing { mean, ..Preprocessing::default() };
        let dataset = Dataset::open(&Source { files, crop, preprocessing }).unwrap();
        let (shape, labels) = (dataset.shape(), dataset.labels().unwrap());
        let engine = Engine::new(&self.network).unwrap();
        let weights = engine.pack(&self.network).unwrap();
        let predictions: ArrayD<u16> = read_npy(self.oracle.join("predictions.u16.npy")).unwrap();
        let predictions: Vec<usize> = predictions.iter().map(|&class| class.into()).collect();
        let (mut right, mut different) = ([0, 0], 0);
        for first in (0..dataset.images()).step_by(100) {
            let range = first..dataset.images().min(first + 100);
            let images = dataset.inputs(range.clone()).unwrap();
            let images = Activations::from_images(shape, range.len(), &images).unwrap();
            let start = Start::new(self.network.input(), &images);
            let logits = engine.forward(&weights, &start, &[engine.logits()], &NoHook).unwrap().remove(0);
            let classes = classify(&logits);
            right[0] += classes.correct(&labels[range.clone()]);
            right[1] += rank(&logits).top5_correct(&labels[range.clone()]);
            for (image, class) in classes.top1.iter().enumerate() {
                let oracle = predictions[first + image];
                if *class != Some(oracle) {
                    let margin = margin(&logits, image);
                    println!("image {}: {class:?} instead of {oracle}, margin {margin:.4}", first + image);
                    assert!(margin < 0.01, "image {} is no near tie", first + image);
                    different += 1;
                }
            }
        }
        println!("{different} of {} predictions differ", dataset.images());
        right
    }

    /// Checks everything on the MNIST test images; yields the numbers of right images, top-1 and top-5.
    fn check_mnist(&self, blobs: &[&str], preprocess: fn(f32) -> f32) -> [usize; 2] {
        self.check_input(blobs);
        let (images, labels) = mnist(preprocess);
        let (classes, ranking) = self.check_predictions(&images, &labels);
        [classes.correct(&labels), ranking.top5_correct(&labels)]
    }
}

/// Pixel values to 0..1, as Caffe's LeNet takes them.
fn to_unit(x: f32) -> f32 {
    x * 0.003_906_25
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn lenet_caffe() {
    let model = Model::read("lenet_caffe", "lenet.prototxt", "lenet_iter_10000.caffemodel");
    assert_eq!(model.check_mnist(&["conv1", "pool2", "ip2"], to_unit), [9_914, 10_000]);
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn lenet_caffe_v1() {
    let model = Model::read("lenet_caffe_v1", "lenet.prototxt", "lenet_iter_10000.caffemodel");
    assert_eq!(model.check_mnist(&["conv1", "pool2", "ip2"], to_unit), [9_905, 10_000]);
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn lenet5() {
    let model = Model::read("lenet5", "deploy.prototxt", "FYH620.caffemodel");
    let preprocess = |x: f32| (x / 255.0 - 0.1307) / 0.3081;
    assert_eq!(model.check_mnist(&["conv1", "pool2", "fc3"], preprocess), [9_813, 9_965]);
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn lenet_untrained() {
    let model = Model::read("lenet_untrained", "lenet.prototxt", "lenet.caffemodel");
    assert_eq!(model.check_mnist(&["conv1", "pool2", "ip2"], to_unit), [5_837, 9_360]);
}

/// The CIFAR-10 test images less the mean image in the file `mean`, and their labels.
fn cifar10(mean: &Path) -> (Vec<f32>, Vec<u16>) {
    /// What Caffe's `BlobProto` holds of a mean image.
    #[derive(prost::Message)]
    struct Mean {
        #[prost(float, repeated, tag = "5")]
        data: Vec<f32>,
    }
    let mean = Mean::decode(std::fs::read(mean).unwrap().as_slice()).unwrap().data;
    let records = unzipped(&data().join("cifar10/test_batch.bin.gz"));
    assert_eq!((mean.len(), records.len()), (3_072, 10_000 * 3_073));
    let labels = records.iter().step_by(3_073).map(|&label| u16::from(label)).collect();
    let pixels = records.chunks_exact(3_073).flat_map(|record| record[1..].iter().zip(&mean));
    (pixels.map(|(&pixel, mean)| f32::from(pixel) - mean).collect(), labels)
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn cifar10_full() {
    let model = Model::read("cifar10_full", "cifar10_full.prototxt", "cifar10_full_iter_70000.caffemodel");
    model.check_input(&["conv1", "norm1", "pool2", "ip1"]);
    let (images, labels) = cifar10(&data().join("cifar10/mean.binaryproto"));
    let (classes, ranking) = model.check_predictions(&images, &labels);
    assert_eq!((classes.correct(&labels), ranking.top5_correct(&labels)), (8_211, 9_922));
    let per_class = classes.per_class(&labels);
    assert!(per_class.iter().all(|class| class.images == 1_000));
    assert_eq!(per_class.iter().map(|class| class.correct).sum::<usize>(), 8_211);
}

/// The definition of this project, with the weights of Caffe's example.
#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn our_definition_of_cifar10_full() {
    let caffe = Model::read("cifar10_full", "cifar10_full.prototxt", "cifar10_full_iter_70000.caffemodel");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/cifar10_full/cifar10_full.prototxt");
    let mut network = caffe::read_definition(&path).unwrap();
    let weights = data().join("models/cifar10_full/cifar10_full_iter_70000.caffemodel");
    caffe::load_weights(&mut network, &weights).unwrap();
    assert_eq!(network.layers, caffe.network.layers);
}

/// Weights that this project trained give the stated accuracy, and its mean image is Caffe's, byte for byte.
#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn our_weights_of_cifar10_full() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/cifar10_full");
    let mean = folder.join("mean.binaryproto");
    let published = data().join("cifar10/mean.binaryproto");
    assert_eq!(std::fs::read(&mean).unwrap(), std::fs::read(published).unwrap());

    let mut network = caffe::read_definition(&folder.join("cifar10_full.prototxt")).unwrap();
    caffe::load_weights(&mut network, &folder.join("cifar10_full.caffemodel")).unwrap();
    let engine = Engine::new(&network).unwrap();
    let weights = engine.pack(&network).unwrap();
    let (images, labels) = cifar10(&mean);
    let shape = network.blob(network.input()).shape;
    let images = Activations::from_images(shape, labels.len(), &images).unwrap();
    let start = Start::new(network.input(), &images);
    let logits = engine.forward(&weights, &start, &[engine.logits()], &NoHook).unwrap().remove(0);
    assert_eq!((classify(&logits).correct(&labels), rank(&logits).top5_correct(&labels)), (8_343, 9_931));
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn squeezenet() {
    let model = Model::read("squeezenet_v1.1", "deploy.prototxt", "squeezenet_v1.1.caffemodel");
    model.check_input(&["pool1", "fire5/concat", "pool10"]);
    // The oracle's 947 and 1,181: another JPEG decoder.
    assert_eq!(model.check_pictures(None), [943, 1_181]);
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn googlenet() {
    let model = Model::read("bvlc_googlenet", "deploy.prototxt", "bvlc_googlenet.caffemodel");
    model.check_input(&["pool1/norm1", "inception_3a/output", "pool5/7x7_s1", "loss3/classifier"]);
    // The oracle's 1,038 and 1,226.
    assert_eq!(model.check_pictures(Some([224, 224])), [1_038, 1_226]);
}

/// Runs the network in `folder` on `dataset` without any approximation and compares every count of the result with the
/// oracle's predictions; `expected` are the oracle's numbers of right images, top-1 and top-5.
fn check_result(folder: &str, definition: &str, weights: &str, dataset: &str, expected: [u64; 2]) {
    let folder = data().join("models").join(folder);
    let text = format!(
        "network = {{ definition = '{}', weights = '{}' }}\ndataset = {dataset}\nexperiment = {{ trials = 1 }}",
        folder.join(definition).display(),
        folder.join(weights).display()
    )
    .replace("DATA", data().to_str().unwrap());
    let document = Document::parse(Path::new("experiment.toml"), &text).unwrap();
    let mut network = caffe::read_definition(&folder.join(definition)).unwrap();
    caffe::load_weights(&mut network, &folder.join(weights)).unwrap();
    let experiment = document.resolve(&network).unwrap().experiment;
    let prepared = Prepared::new(network, &experiment).unwrap();
    let outcome = campaign::run(&experiment, &prepared, &|_| {}).unwrap();

    let predictions: Vec<usize> = read_npy::<_, ArrayD<u16>>(folder.join("oracle/predictions.u16.npy"))
        .unwrap()
        .iter()
        .map(|&class| class.into())
        .collect();
    let labels: Vec<usize> = prepared.labels().iter().map(|&label| label.into()).collect();
    let count = |fits: &dyn Fn(usize, usize) -> bool| {
        predictions.iter().zip(&labels).filter(|(class, label)| fits(**class, **label)).count()
    };
    for (design, score) in [("baseline", &outcome.baseline), ("trial", &outcome.trials[0].score)] {
        assert_eq!([score.top1_correct, score.top5_correct.unwrap()], expected, "{design}");
        assert_eq!((score.agreeing, score.nan_images, score.infinite_images), (10_000, 0, 0), "{design}");
        for (class, found) in score.classes.iter().enumerate() {
            assert_eq!(outcome.class_images[class] as usize, count(&|_, label| label == class));
            assert_eq!(found.correct as usize, count(&|found, label| label == class && found == class));
            assert_eq!(found.predicted as usize, count(&|found, _| found == class));
        }
    }
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn results_are_the_oracles() {
    let mnist = "{ kind = \"mnist\", images = \"DATA/mnist/t10k-images-idx3-ubyte.gz\", \
                 labels = \"DATA/mnist/t10k-labels-idx1-ubyte.gz\", PREPROCESSING }";
    let to_unit = mnist.replace("PREPROCESSING", "scale = 0.00390625");
    let standard = mnist.replace("PREPROCESSING", "scale = 0.00392156862745098, mean = 0.1307, std = 0.3081");
    let weights = "lenet_iter_10000.caffemodel";
    check_result("lenet_caffe", "lenet.prototxt", weights, &to_unit, [9_914, 10_000]);
    check_result("lenet_untrained", "lenet.prototxt", "lenet.caffemodel", &to_unit, [5_837, 9_360]);
    check_result("lenet5", "deploy.prototxt", "FYH620.caffemodel", &standard, [9_813, 9_965]);
    let cifar10 = "{ kind = \"cifar10\", images = \"DATA/cifar10/test_batch.bin.gz\", \
                   mean = \"DATA/cifar10/mean.binaryproto\" }";
    let weights = "cifar10_full_iter_70000.caffemodel";
    check_result("cifar10_full", "cifar10_full.prototxt", weights, cifar10, [8_211, 9_922]);
}

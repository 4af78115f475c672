//! Trained networks against blobs and predictions that another engine computed (OpenCV, binary32; see the README of the
//! test data).

#![allow(clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

use approxmem::inference::{Activations, Classes, Engine, NoHook, Start, classify};
use approxmem::network::{BlobId, Network, caffe};
use ndarray::{ArrayD, Axis};
use ndarray_npy::read_npy;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The folder of test data.
fn data() -> PathBuf {
    PathBuf::from(std::env::var_os("APPROXMEM_TEST_DATA").expect("APPROXMEM_TEST_DATA names the test data"))
}

/// The 10,000 MNIST test images, preprocessed, and their labels.
fn mnist(preprocess: fn(f32) -> f32) -> (Vec<f32>, Vec<u16>) {
    let read = |name: &str, header: usize| {
        let file = std::fs::File::open(data().join("mnist").join(name)).unwrap();
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        bytes.split_off(header)
    };
    let images = read("t10k-images-idx3-ubyte.gz", 16);
    let labels = read("t10k-labels-idx1-ubyte.gz", 8);
    (
        images.into_iter().map(|x| preprocess(f32::from(x))).collect(),
        labels.into_iter().map(u16::from).collect(),
    )
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

struct Model {
    network: Network,
    oracle: PathBuf,
    images: Vec<f32>,
    labels: Vec<u16>,
}

impl Model {
    fn read(folder: &str, definition: &str, weights: &str, preprocess: fn(f32) -> f32) -> Self {
        let folder = data().join("models").join(folder);
        let mut network = caffe::read_definition(&folder.join(definition)).unwrap();
        caffe::load_weights(&mut network, &folder.join(weights)).unwrap();
        let (images, labels) = mnist(preprocess);
        Self { network, oracle: folder.join("oracle"), images, labels }
    }

    /// Checks blobs, probabilities and all predictions; yields the classes.
    fn check(&self, blobs: &[&str]) -> Classes {
        let Self { network, oracle, .. } = self;
        let read = |path: &Path| -> ArrayD<f32> { read_npy(path).unwrap() };
        let engine = Engine::new(network).unwrap();
        let weights = engine.pack(network).unwrap();
        let input = read(&oracle.join("input.npy"));
        assert_eq!(input.iter().copied().collect::<Vec<_>>(), self.images[..input.len()], "preprocessing");

        let shape = network.blob(network.input()).shape;
        let images = Activations::from_images(shape, self.labels.len(), &self.images).unwrap();
        let mut outputs = vec![engine.logits(), network.output()];
        outputs.extend(blobs.iter().map(|name| named(network, name)));
        let start = Start::new(network.input(), &images);
        let results = engine.forward(&weights, &start, &outputs, &NoHook).unwrap();
        for (name, result) in blobs.iter().zip(&results[2..]) {
            let expected = read(&oracle.join(format!("blob_{name}.npy")));
            let difference = distance(&result.image(0).collect::<Vec<_>>(), &expected);
            println!("{name}: {difference:e} of the largest value");
            assert!(difference < 1e-4, "{name} differs by {difference:e}");
        }
        let expected = read(&oracle.join("output.npy"));
        for (image, expected) in expected.axis_iter(Axis(0)).enumerate() {
            for (p, q) in results[1].image(image).zip(expected) {
                assert!((p - q).abs() < 1e-5, "image {image}: probability {p}, oracle {q}");
            }
        }
        let classes = classify(&results[0]);
        let predictions: ArrayD<u16> = read_npy(oracle.join("predictions.u16.npy")).unwrap();
        let pairs = classes.top1.iter().zip(&predictions).enumerate();
        let different: Vec<_> = pairs
            .filter(|(_, (ours, oracle))| **ours != Some(usize::from(**oracle)))
            .map(|(i, _)| i)
            .collect();
        assert!(different.len() <= 2, "predictions of images {different:?} differ");
        for image in different {
            let margin = margin(&results[0], image);
            println!("image {image}: a near tie, {margin:e}");
            assert!(margin < 1e-4, "image {image} is no near tie: {margin:e}");
        }
        println!("{} of {} right", classes.correct(&self.labels), self.labels.len());

        let alone = engine.forward(&weights, &start, &[engine.logits()], &NoHook).unwrap();
        assert_eq!(alone[0], results[0], "fused layers give the same logits");
        classes
    }
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn lenet_caffe() {
    let model =
        Model::read("lenet_caffe", "lenet.prototxt", "lenet_iter_10000.caffemodel", |x| x * 0.003_906_25);
    assert_eq!(model.check(&["conv1", "pool2", "ip2"]).correct(&model.labels), 9_914);
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn lenet_caffe_v1() {
    let model =
        Model::read("lenet_caffe_v1", "lenet.prototxt", "lenet_iter_10000.caffemodel", |x| x * 0.003_906_25);
    assert_eq!(model.check(&["conv1", "pool2", "ip2"]).correct(&model.labels), 9_905);
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn lenet5() {
    let preprocess = |x: f32| (x / 255.0 - 0.1307) / 0.3081;
    let model = Model::read("lenet5", "deploy.prototxt", "FYH620.caffemodel", preprocess);
    assert_eq!(model.check(&["conv1", "pool2", "fc3"]).correct(&model.labels), 9_813);
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn lenet_untrained() {
    let model = Model::read("lenet_untrained", "lenet.prototxt", "lenet.caffemodel", |x| x * 0.003_906_25);
    assert_eq!(model.check(&["conv1", "pool2", "ip2"]).correct(&model.labels), 5_837);
}

//! Network inputs against those that an independent engine was given; pictures decoded by libjpeg-turbo.

use super::*;
use ndarray::Array4;
use std::path::PathBuf;

fn data(path: &str) -> PathBuf {
    let folder = std::env::var_os("APPROXMEM_TEST_DATA").expect("APPROXMEM_TEST_DATA names the test data");
    PathBuf::from(folder).join(path)
}

fn oracle(model: &str) -> Array4<f32> {
    ndarray_npy::read_npy(data(&format!("models/{model}/oracle/input.npy"))).unwrap()
}

fn opened(files: Files<PathBuf>, crop: Option<[usize; 2]>, preprocessing: Preprocessing<PathBuf>) -> Dataset {
    Dataset::open(&Source { files, crop, preprocessing }).unwrap()
}

fn mnist() -> Files<PathBuf> {
    Files::Mnist {
        images: data("mnist/t10k-images-idx3-ubyte.gz"),
        labels: data("mnist/t10k-labels-idx1-ubyte.gz"),
    }
}

fn assert_equal(dataset: &Dataset, oracle: &Array4<f32>) {
    let (images, channels, height, width) = oracle.dim();
    assert_eq!(dataset.shape(), Shape::new(channels, height, width));
    assert!(dataset.inputs(0..images).unwrap().iter().eq(oracle.iter()));
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn mnist_inputs_are_exact() {
    let scaled = || Preprocessing { scale: 0.003_906_25, ..Preprocessing::default() };
    for model in ["lenet_caffe", "lenet_caffe_v1", "lenet_untrained"] {
        assert_equal(&opened(mnist(), None, scaled()), &oracle(model));
    }
}

/// lenet5 divides by 255 where the configuration multiplies: equal within the rounding of one factor.
#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn normalised_mnist_inputs_differ_by_rounding_only() {
    let preprocessing =
        Preprocessing { scale: 1.0 / 255.0, mean: Mean::Numbers(vec![0.1307]), std: vec![0.3081] };
    let (dataset, oracle) = (opened(mnist(), None, preprocessing), oracle("lenet5"));
    let inputs = dataset.inputs(0..oracle.dim().0).unwrap();
    let worst = inputs.iter().zip(&oracle).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 5e-7, "{worst}");
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn cifar10_inputs_are_exact() {
    let preprocessing =
        Preprocessing { mean: Mean::Image(data("cifar10/mean.binaryproto")), ..Preprocessing::default() };
    let files = Files::Cifar10 { images: vec![data("cifar10/test_batch.bin.gz")] };
    let dataset = opened(files, None, preprocessing);
    assert_eq!(dataset.images(), 10_000);
    let mut counts = [0; 10];
    for &label in dataset.labels().unwrap() {
        counts[usize::from(label)] += 1;
    }
    assert_eq!(counts, [1000; 10]);
    assert_equal(&dataset, &oracle("cifar10_full"));
}

fn imagenet(crop: Option<[usize; 2]>) -> Dataset {
    let files = Files::Images {
        images: data("imagenet"),
        labels: Some(data("imagenet/labels.txt")),
        channel_order: ChannelOrder::Bgr,
        resize: None,
    };
    let mean = Mean::Numbers(vec![104.0, 117.0, 123.0]);
    opened(files, crop, Preprocessing { mean, ..Preprocessing::default() })
}

/// How many values differ by 0, 1, 2, … levels.
fn differences(dataset: &Dataset, oracle: &Array4<f32>) -> Vec<usize> {
    let (images, channels, height, width) = oracle.dim();
    assert_eq!(dataset.shape(), Shape::new(channels, height, width));
    let mut counts = vec![0; 256];
    for (input, expected) in dataset.inputs(0..images).unwrap().iter().zip(oracle) {
        let levels = (input - expected).abs();
        assert_eq!(levels, levels.trunc(), "both are whole levels less the same mean");
        counts[levels as usize] += 1;
    }
    while counts.last() == Some(&0) {
        counts.pop();
    }
    counts
}

/// The decoder here and libjpeg-turbo round the inverse transform and the interpolated chroma in different places.
#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn pictures_differ_by_the_jpeg_decoder_only() {
    for (model, crop) in [("squeezenet_v1.1", None), ("bvlc_googlenet", Some([224, 224]))] {
        let dataset = imagenet(crop);
        assert_eq!(dataset.images(), 1300);
        let counts = differences(&dataset, &oracle(model));
        println!("{model}: values that differ by 0, 1, 2, … levels: {counts:?}");
        let values: usize = counts.iter().sum();
        assert!(counts.len() <= 5, "{model}: {counts:?}");
        assert!(counts[0] * 4 >= values * 3, "{model}: more than a quarter differs: {counts:?}");
        assert!(counts[3..].iter().sum::<usize>() * 500 <= values, "{model}: {counts:?}");
    }
}

/// Every picture of the set is decoded, a part at a time.
#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn all_pictures_decode() {
    let dataset = imagenet(None);
    assert_eq!(&dataset.labels().unwrap()[..3], [472, 260, 300]);
    for first in (0..dataset.images()).step_by(100) {
        let inputs = dataset.inputs(first..first + 100).unwrap();
        assert!(inputs.iter().all(|value| (-123.0..=151.0).contains(value)));
    }
}

/// The published mean has 256 x 256 values per channel: of these the centre is subtracted.
#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn a_larger_mean_image_is_cut_to_the_crop() {
    let mean = crate::network::caffe::read_blob(&data("imagenet/imagenet_mean.binaryproto")).unwrap();
    assert_eq!(mean.shape(), [1, 3, 256, 256]);
    let files = || Files::Images {
        images: data("imagenet"),
        labels: Some(data("imagenet/labels.txt")),
        channel_order: ChannelOrder::Bgr,
        resize: None,
    };
    let image = Mean::Image(data("imagenet/imagenet_mean.binaryproto"));
    let with = opened(files(), Some([224, 224]), Preprocessing { mean: image, ..Preprocessing::default() });
    let without = opened(files(), Some([224, 224]), Preprocessing::default());
    let (with, without) = (with.inputs(7..8).unwrap(), without.inputs(7..8).unwrap());
    for (channel, row, column) in [(0, 0, 0), (1, 100, 3), (2, 223, 223)] {
        let at = (channel * 224 + row) * 224 + column;
        assert_eq!(with[at], without[at] - mean[[0, channel, row + 16, column + 16]]);
    }
}

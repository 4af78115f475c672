use super::*;
use crate::network::caffe;
use ndarray::{Array1, Array3, Array4};
use ndarray_npy::write_npy;
use proptest::prelude::*;
use std::path::PathBuf;

fn mnist() -> [PathBuf; 2] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
    ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"].map(|name| folder.join(name))
}

fn source(files: Files<PathBuf>) -> Source<PathBuf> {
    Source { files, crop: None, preprocessing: Preprocessing::default() }
}

/// A folder with files that the tests write.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    fn tensor<T: ndarray_npy::WritableElement>(&self, values: &Array4<T>) -> Source<PathBuf> {
        write_npy(self.path("images.npy"), values).unwrap();
        source(Files::Npy { images: self.path("images.npy"), labels: None })
    }
}

/// Values that tell image, channel, row and column.
fn numbered(images: usize, channels: usize, height: usize, width: usize) -> Array4<f32> {
    Array4::from_shape_fn((images, channels, height, width), |(n, c, y, x)| {
        (n * 1000 + c * 100 + y * 10 + x) as f32
    })
}

#[test]
fn the_embedded_test_set_is_complete() {
    let [images, labels] = mnist();
    let dataset = Dataset::open(&source(Files::Mnist { images, labels })).unwrap();
    assert_eq!((dataset.images(), dataset.shape()), (10_000, Shape::new(1, 28, 28)));
    let labels = dataset.labels().unwrap();
    assert_eq!(&labels[..5], &[7, 2, 1, 0, 4]);
    // Digits per class, as published with the data set.
    let mut counts = [0; 10];
    for &label in labels {
        counts[usize::from(label)] += 1;
    }
    assert_eq!(counts, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
}

#[test]
fn labels_of_another_count_are_refused() {
    let folder = Folder::new();
    let [images, _] = mnist();
    let labels = folder.write("labels", &[0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]);
    let error = Dataset::open(&source(Files::Mnist { images, labels })).unwrap_err();
    assert!(matches!(error, Error::Count { images: 10_000, labels: 3, .. }));
    let mut tensor = folder.tensor(&numbered(2, 1, 1, 1));
    write_npy(folder.path("labels.npy"), &Array1::from(vec![0i64, 1, 2])).unwrap();
    let Files::Npy { labels, .. } = &mut tensor.files else { unreachable!() };
    *labels = Some(folder.path("labels.npy"));
    assert!(matches!(Dataset::open(&tensor), Err(Error::Count { images: 2, labels: 3, .. })));
}

#[test]
fn preprocessing_is_scale_then_mean_then_std() {
    let folder = Folder::new();
    let stored = Array4::from_shape_vec((2, 2, 1, 1), vec![0u8, 255, 128, 64]).unwrap();
    let mut source = folder.tensor(&stored);
    source.preprocessing =
        Preprocessing { scale: 1.0 / 256.0, mean: Mean::Numbers(vec![0.5, 0.25]), std: vec![2.0] };
    let dataset = Dataset::open(&source).unwrap();
    assert_eq!(dataset.inputs(0..2).unwrap(), [-0.25, (255.0 / 256.0 - 0.25) / 2.0, 0.0, 0.0]);
    source.preprocessing.mean = Mean::Numbers(vec![0.0; 3]);
    assert!(matches!(Dataset::open(&source), Err(Error::Channels { found: 3, channels: 2, .. })));
    source.preprocessing = Preprocessing { std: vec![], ..Preprocessing::default() };
    assert!(matches!(Dataset::open(&source), Err(Error::Channels { key: "dataset.std", found: 0, .. })));
}

#[test]
fn batches_of_cifar10_follow_each_other() {
    let folder = Folder::new();
    let record = |label: u8, first: u8| [vec![label, first], vec![label; 3071]].concat();
    let one = folder.write("1.bin", &[record(3, 100), record(5, 101)].concat());
    let two = folder.write("2.bin", &record(9, 102));
    let dataset = Dataset::open(&source(Files::Cifar10 { images: vec![one, two] })).unwrap();
    assert_eq!((dataset.images(), dataset.shape()), (3, Shape::new(3, 32, 32)));
    assert_eq!(dataset.labels(), Some([3, 5, 9].as_slice()));
    let inputs = dataset.inputs(1..3).unwrap();
    assert_eq!((inputs[0], inputs[1], inputs[3072], inputs[3073]), (101.0, 5.0, 102.0, 9.0));
}

#[test]
fn the_centre_is_cut_out_as_caffe_does() {
    let folder = Folder::new();
    let mut source = folder.tensor(&numbered(2, 2, 5, 6));
    source.crop = Some([2, 3]);
    let dataset = Dataset::open(&source).unwrap();
    assert_eq!(dataset.shape(), Shape::new(2, 2, 3));
    // (5 - 2) / 2 = 1 row and (6 - 3) / 2 = 1 column in front.
    let expected = [11, 12, 13, 21, 22, 23, 111, 112, 113, 121, 122, 123].map(|value| value as f32 + 1000.0);
    assert_eq!(dataset.inputs(1..2).unwrap(), expected);
    source.crop = Some([6, 6]);
    let message = Dataset::open(&source).unwrap_err().to_string();
    assert_eq!(message, "`dataset.crop` is 6x6, larger than the images of 2x5x6");
}

#[test]
fn mean_images_are_subtracted_value_by_value() {
    let folder = Folder::new();
    let mut source = folder.tensor(&numbered(1, 2, 2, 2));
    let mean = Array3::from_shape_fn((2, 4, 5), |(c, y, x)| (c * 100 + y * 10 + x) as f64);
    write_npy(folder.path("mean.npy"), &mean).unwrap();
    source.preprocessing.mean = Mean::Image(folder.path("mean.npy"));
    source.preprocessing.scale = 2.0;
    // Of the 4x5 mean the centre counts: row 1 and column 1 in front.
    let expected: Vec<f32> =
        [(0, 11), (1, 12), (10, 21), (11, 22), (100, 111), (101, 112), (110, 121), (111, 122)]
            .iter()
            .map(|&(value, mean)| value as f32 * 2.0 - mean as f32)
            .collect();
    assert_eq!(Dataset::open(&source).unwrap().inputs(0..1).unwrap(), expected);
    let refused = |source: &Source<PathBuf>| Dataset::open(source).unwrap_err().to_string();
    for (shape, expected) in [((2, 1, 5), "is 2x1x5, expected"), ((3, 4, 5), "is 3x4x5, expected")] {
        write_npy(folder.path("mean.npy"), &Array3::<f32>::zeros(shape)).unwrap();
        let message = refused(&source);
        assert!(message.contains(expected), "{message}");
    }
    write_npy(folder.path("mean.npy"), &Array3::<f32>::from_elem((2, 2, 2), f32::NAN)).unwrap();
    assert!(refused(&source).contains("value 0 (of the centre, from 0) is NaN"));
    write_npy(folder.path("mean.npy"), &Array1::<f32>::zeros(2)).unwrap();
    assert!(refused(&source).contains("found extents [2], expected channels x height x width"));
    source.preprocessing.mean = Mean::Image(folder.write("mean.binaryproto", b"\x89PNG"));
    assert!(matches!(Dataset::open(&source), Err(Error::MeanBlob(caffe::BlobError::Content { .. }))));
}

#[test]
fn stored_nan_and_infinity_stay() {
    let folder = Folder::new();
    let values = Array4::from_shape_vec((1, 1, 1, 3), vec![f32::NAN, f32::INFINITY, -1.0]).unwrap();
    let inputs = Dataset::open(&folder.tensor(&values)).unwrap().inputs(0..1).unwrap();
    assert!(inputs[0].is_nan());
    assert_eq!(inputs[1..], [f32::INFINITY, -1.0]);
}

#[test]
fn ranges_beyond_the_data_set_are_refused() {
    let folder = Folder::new();
    let dataset = Dataset::open(&folder.tensor(&numbered(3, 1, 1, 1))).unwrap();
    assert!(dataset.inputs(3..3).unwrap().is_empty());
    for range in [2..4, 4..4, Range { start: 2, end: 1 }, 0..usize::MAX] {
        let error = dataset.inputs(range.clone()).unwrap_err();
        assert!(matches!(error, Error::Range { images: 3, .. }), "{range:?}");
    }
}

proptest! {
    #[test]
    fn any_split_into_ranges_gives_the_same_inputs(split in 0usize..8, height in 1usize..6, width in 1usize..6) {
        let folder = Folder::new();
        let stored = numbered(7, 2, height, width);
        let dataset = Dataset::open(&folder.tensor(&stored)).unwrap();
        let split = split.min(7);
        let inputs = [dataset.inputs(0..split).unwrap(), dataset.inputs(split..7).unwrap()].concat();
        prop_assert!(inputs.iter().eq(stored.iter()));
    }

    #[test]
    fn damaged_files_are_read_or_refused(at in 0usize..200, byte in any::<u8>(), length in 0usize..200) {
        let folder = Folder::new();
        folder.tensor(&numbered(3, 1, 2, 2));
        let mut bytes = std::fs::read(folder.path("images.npy")).unwrap();
        let last = bytes.len() - 1;
        bytes[at.min(last)] = byte;
        bytes.truncate(bytes.len().saturating_sub(length / 50));
        let images = folder.write("images.npy", &bytes);
        let labels = None;
        if let Ok(dataset) = Dataset::open(&source(Files::Npy { images, labels })) {
            let elements = dataset.images() * dataset.shape().elements();
            prop_assert_eq!(dataset.inputs(0..dataset.images()).unwrap().len(), elements);
        }
    }
}

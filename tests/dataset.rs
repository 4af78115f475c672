//! Data sets of every kind through the binary: the same images give the same figures however they are stored, and what
//! is wrong with them is said with its file and line.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use assert_cmd::Command;
use flate2::read::GzDecoder;
use image::GrayImage;
use ndarray::{Array1, Array4};
use ndarray_npy::write_npy;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const IMAGES: usize = 300;
const PIXELS: usize = 28 * 28;

/// The first images of the embedded test set and their labels.
fn digits() -> (Vec<u8>, Vec<u8>) {
    let unpacked = |name: &str, header: usize| {
        let mut bytes = Vec::new();
        GzDecoder::new(File::open(format!("{ROOT}/data/mnist/{name}")).unwrap())
            .read_to_end(&mut bytes)
            .unwrap();
        bytes.split_off(header)
    };
    let mut images = unpacked("t10k-images-idx3-ubyte.gz", 16);
    let mut labels = unpacked("t10k-labels-idx1-ubyte.gz", 8);
    images.truncate(IMAGES * PIXELS);
    labels.truncate(IMAGES);
    (images, labels)
}

/// The shipped experiment with another table `[dataset]`.
fn config(folder: &TempDir, dataset: &str) -> String {
    let text = fs::read_to_string(format!("{ROOT}/configs/lenet5.toml")).unwrap();
    let (start, rest) = text.split_once("[dataset]").unwrap();
    let (_, rest) = rest.split_once("[formats]").unwrap();
    let start = start.replace("\"../", &format!("\"{ROOT}/"));
    let path = folder.path().join("experiment.toml");
    fs::write(&path, format!("{start}[dataset]\n{dataset}\nscale = 0.00390625\n[formats]{rest}")).unwrap();
    path.to_str().unwrap().to_owned()
}

fn approxmem(folder: &Path, arguments: &[&str]) -> assert_cmd::assert::Assert {
    Command::cargo_bin("approxmem").unwrap().current_dir(folder).args(arguments).assert()
}

/// The result without the record of the experiment, in which the data sets differ.
fn result(folder: &TempDir, dataset: &str) -> Value {
    let config = config(folder, dataset);
    let arguments = [
        "run",
        &config,
        "--json",
        "--trials",
        "2",
        "--images",
        "300",
        "--set",
        "experiment.calibration_images=200",
    ];
    let output = approxmem(folder.path(), &arguments).success().get_output().stdout.clone();
    let mut result: Value = serde_json::from_slice(&output).unwrap();
    result.as_object_mut().unwrap().remove("experiment").expect("results record the experiment");
    result
}

/// What the command says when it refuses the input, in one line.
fn refusal(folder: &TempDir, dataset: &str, command: &str) -> String {
    let config = config(folder, dataset);
    let output =
        approxmem(folder.path(), &[command, &config, "--images", "300"]).code(2).get_output().clone();
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    text.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ")
}

fn mnist() -> String {
    format!(
        "kind = 'mnist'\nimages = '{ROOT}/data/mnist/t10k-images-idx3-ubyte.gz'\nlabels = '{ROOT}/data/mnist/t10k-labels-idx1-ubyte.gz'"
    )
}

/// Writes the digits as a tensor and its labels.
fn write_tensor(folder: &TempDir) {
    let (images, labels) = digits();
    write_npy(folder.path().join("x.npy"), &Array4::from_shape_vec((IMAGES, 1, 28, 28), images).unwrap())
        .unwrap();
    write_npy(folder.path().join("y.npy"), &Array1::from_iter(labels.into_iter().map(i64::from))).unwrap();
}

/// Writes the digits as PNG files with a list.
fn write_pictures(folder: &TempDir) {
    let (images, labels) = digits();
    let mut list = String::new();
    fs::create_dir(folder.path().join("digits")).unwrap();
    for (index, (pixels, label)) in images.chunks(PIXELS).zip(labels).enumerate() {
        let picture = GrayImage::from_vec(28, 28, pixels.to_vec()).unwrap();
        picture.save(folder.path().join(format!("digits/{index:03}.png"))).unwrap();
        writeln!(list, "{index:03}.png {label}").unwrap();
    }
    fs::write(folder.path().join("list.txt"), list).unwrap();
}

const PICTURES: &str = "kind = 'images'\nimages = 'digits'\nlabels = 'list.txt'\nchannel_order = 'grey'";

#[test]
fn the_same_images_give_the_same_figures_in_every_kind_of_file() {
    let folder = TempDir::new().unwrap();
    write_tensor(&folder);
    write_pictures(&folder);
    let expected = result(&folder, &mnist());
    assert!(expected["baseline"]["top1"].as_f64().unwrap() > 0.95);
    assert_eq!(result(&folder, "kind = 'npy'\nimages = 'x.npy'\nlabels = 'y.npy'"), expected);
    assert_eq!(result(&folder, PICTURES), expected);
}

#[test]
fn without_labels_accuracy_is_agreement_with_the_baseline() {
    let folder = TempDir::new().unwrap();
    write_tensor(&folder);
    let labelled = result(&folder, &mnist());
    let unlabelled = result(&folder, "kind = 'npy'\nimages = 'x.npy'");
    assert_eq!(unlabelled["baseline"]["top1"], 1.0);
    assert!(labelled["baseline"]["top1"].as_f64().unwrap() < 1.0, "else the comparison says nothing");
}

#[test]
fn pictures_that_cannot_be_used_are_named_with_their_line() {
    let folder = TempDir::new().unwrap();
    write_pictures(&folder);
    let picture = folder.path().join("digits/007.png");
    let bytes = fs::read(&picture).unwrap();
    fs::write(&picture, &bytes[..bytes.len() / 2]).unwrap();
    let said = refusal(&folder, PICTURES, "run");
    assert!(said.contains("list.txt`, line 8: picture") && said.contains("007.png"), "{said}");
    fs::remove_file(&picture).unwrap();
    let said = refusal(&folder, PICTURES, "check");
    assert!(said.contains("list.txt`, line 8: picture") && said.contains("cannot be read"), "{said}");
    fs::write(&picture, bytes).unwrap();
    let list = fs::read_to_string(folder.path().join("list.txt")).unwrap();
    fs::write(folder.path().join("list.txt"), list.replace("007.png 9", "007.png 10")).unwrap();
    let said = refusal(&folder, PICTURES, "run");
    assert!(
        said.contains("line 8: picture") && said.contains("has label 10, but the network has 10 classes"),
        "{said}"
    );
}

#[test]
fn images_of_another_extent_are_refused_by_check() {
    let folder = TempDir::new().unwrap();
    write_pictures(&folder);
    let said = refusal(&folder, &PICTURES.replace("grey", "bgr"), "check");
    assert!(said.contains("the images of `digits` are 3x28x28, the network's input is 1x28x28"), "{said}");
    let said = refusal(&folder, &format!("{PICTURES}\ncrop = 20"), "check");
    assert!(said.contains("makes images of 20x20, but the network's input is 28x28"), "{said}");
}

//! `approxmem resilience` as a user meets it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use approxmem::config::Document;
use approxmem::network;
use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// LeNet-5 without a machine, and with one.
const PLAIN: &str = "lenet5";
const MACHINE: &str = "lenet5-resilience";

fn shipped(name: &str) -> String {
    format!("{ROOT}/configs/{name}.toml")
}

/// Standard output and standard error of a command that ends with `code`.
fn output(folder: &Path, arguments: &[&str], code: i32) -> [String; 2] {
    let mut command = Command::cargo_bin("approxmem").unwrap();
    let output = command.current_dir(folder).arg("resilience").args(arguments).assert().code(code);
    let output = output.get_output();
    [&output.stdout, &output.stderr].map(|text| String::from_utf8(text.clone()).unwrap())
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let [stdout, _] = output(folder, &[arguments, &["--json"]].concat(), 0);
    serde_json::from_str(&stdout).expect("standard output is JSON and nothing else")
}

/// What is said, without the line breaks and frames of the terminal.
fn said(stderr: &str) -> String {
    stderr.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ")
}

/// What a command says that is refused; nothing may have been written or printed.
fn refused(arguments: &[&str]) -> String {
    let folder = TempDir::new().unwrap();
    let [stdout, stderr] = output(folder.path(), arguments, 2);
    assert!(stdout.is_empty() && fs::read_dir(folder.path()).unwrap().count() == 0, "{stdout}");
    said(&stderr)
}

fn list<'v>(value: &'v Value, key: &str) -> &'v Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("no list {key}"))
}

#[test]
fn results_are_the_same_bytes_for_any_number_of_threads() {
    let folder = TempDir::new().unwrap();
    let mut written = Vec::new();
    for threads in ["1", "3"] {
        let out = folder.path().join(threads);
        let arguments = ["--images", "300", "--trials", "20", "--threads", threads, "--out"];
        let config = shipped(MACHINE);
        let arguments = [&[config.as_str()], &arguments[..], &[out.to_str().unwrap()]].concat();
        let [stdout, _] = output(folder.path(), &arguments, 0);
        for said in ["Module 1", "Module 2", "Module 3", "What the schemes buy", "results:"] {
            assert!(stdout.contains(said), "{said}: {stdout}");
        }
        let mut files: Vec<_> = fs::read_dir(&out).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let contents =
            files.iter().map(|file| (file.file_name().unwrap().to_owned(), fs::read(file).unwrap()));
        written.push(contents.collect::<Vec<_>>());
    }
    assert_eq!(written[0].len(), 9);
    assert!(written[0] == written[1], "results depend on the number of threads");
    let result: Value =
        serde_json::from_slice(&written[0].iter().find(|(name, _)| name == "resilience.json").unwrap().1)
            .unwrap();
    let policies = list(&result["single"], "policies");
    let saved: u64 = list(&result["joint"]["search"]["scheme"], "widths")
        .iter()
        .map(|width| {
            let data = list(&policies[0], "data");
            let datum = data.iter().find(|datum| datum["name"] == width["name"]).unwrap();
            datum["words"].as_u64().unwrap() * (32 - width["bits"].as_u64().unwrap())
        })
        .sum();
    let fp32 = result["joint"]["volume_bits_fp32"].as_u64().unwrap();
    let dvr = result["joint"]["search"]["scheme"]["dvr"].as_f64().unwrap();
    assert!((dvr - saved as f64 / fp32 as f64).abs() < 1e-12, "eq. 1 on exact volumes");
}

#[test]
fn options_choose_the_data() {
    let folder = TempDir::new().unwrap();
    let small = ["--images", "64", "--trials", "3", "--set", "resilience.decades=[-5, -4]"];
    let config = shipped(PLAIN);
    let names = |options: &[&str]| -> Vec<String> {
        let result = json(folder.path(), &[&[config.as_str()], &small[..], options].concat());
        let data = list(&list(&result["single"], "policies")[0], "data").clone();
        data.iter().map(|datum| datum["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["--subsets", "2"]), ["weight_fc1", "weight_fc2"]);
    // 66.02 and 21.66 % of the volume.
    assert_eq!(names(&["--cover", "0.8769"]), ["weight_fc1", "weight_fc2", "weight_conv2"]);
    assert_eq!(names(&["--set", "resilience.cover=0.8"]), ["weight_fc1", "weight_fc2"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "--json writes no file");
}

#[test]
fn what_cannot_be_is_said_before_anything_runs() {
    let config = shipped(PLAIN);
    let cases: [(&[&str], &str); 5] = [
        (&["--optimise", "cycles"], "cycles depend on the accelerator, and the configuration has none"),
        (&["--cover", "0"], "--cover must be a number above 0 up to 1, found 0"),
        (&["--set", "resilience.subset=3"], "did you mean `subsets`?"),
        (&["--set", "resilience.roundings=[\"up\"]"], "must be one of `nearest_even`, `floor`, `zero`"),
        (&["--subsets", "2", "--cover", "0.5"], "cannot be used with"),
    ];
    for (options, expected) in cases {
        let found = refused(&[&[config.as_str()], options].concat());
        assert!(found.contains(expected), "{options:?}: {found}");
    }
    let found = refused(&[&shipped("alexnet"), "--set", &format!("dataset.images={ROOT}/data/mnist")]);
    assert!(found.contains("weights") || found.contains("labels"), "{found}");
}

#[test]
fn a_floor_that_cannot_be_met_is_no_zero() {
    let folder = TempDir::new().unwrap();
    let config = shipped(PLAIN);
    // Eight integer bits below the point: every weight saturates at 2^-8.
    let options = [
        config.as_str(),
        "--images",
        "200",
        "--trials",
        "3",
        "--set",
        "resilience.binary_points=[-8]",
        "--set",
        "resilience.formats=[{ kind = \"fixed\", bits = 16, binary_point = -8 }]",
    ];
    let result = json(folder.path(), &options);
    for datum in list(&list(&result["single"], "policies")[0], "data") {
        let (bits, reason) = (&datum["bits"], datum["reason"].as_str());
        assert!(bits.is_null() == reason.is_some(), "{datum}");
    }
    let first = &list(&list(&result["single"], "policies")[0], "data")[0];
    assert!(first["reason"].as_str().unwrap().contains("values saturate"), "{first}");
    let step = &list(&result["joint"], "steps")[0];
    assert_eq!(step["taken"], false);
    let tolerance = &list(&result["random"], "tolerances")[0];
    assert_eq!(tolerance["mtrer"]["outcome"], "quantised_misses");
    assert_eq!(tolerance["protected_msbs"]["outcome"], "quantised_misses");
    let text = output(folder.path(), &[&options[..], &["--out", "out"]].concat(), 0)[0].clone();
    assert!(text.contains("no width meets the floor") && text.contains("without"), "{text}");
}

/// The first images of the shipped data set as `.npy`, without their labels.
fn unlabelled(folder: &Path, images: usize) -> String {
    let document = Document::read(Path::new(&shipped(PLAIN))).unwrap();
    let network = network::read_definition(&document.network_source().unwrap().definition.path).unwrap();
    let experiment = document.resolve(&network).unwrap().experiment;
    let dataset = experiment.dataset.open(network.blob(network.input()).shape).unwrap();
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({images}, 1, 28, 28), }}").into_bytes();
    header.resize((10 + header.len() + 1).next_multiple_of(64) - 11, b' ');
    header.push(b'\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    file.extend(header);
    file.extend(dataset.inputs(0..images).unwrap().iter().flat_map(|value| value.to_le_bytes()));
    fs::write(folder.join("images.npy"), file).unwrap();
    format!(
        "network = {{ definition = '{ROOT}/models/lenet5/lenet5.prototxt', weights = '{ROOT}/models/lenet5/lenet5.caffemodel' }}\n\
         dataset = {{ kind = 'npy', images = 'images.npy' }}\n"
    )
}

#[test]
fn images_without_labels_are_judged_by_agreement() {
    let folder = TempDir::new().unwrap();
    let text = unlabelled(folder.path(), 100);
    let file = folder.path().join("unlabelled.toml");
    fs::write(&file, text).unwrap();
    let options = [file.to_str().unwrap(), "--trials", "3", "--subsets", "1", "--out", "out"];
    let [text, _] = output(folder.path(), &options, 0);
    assert!(text.contains("have no labels") && text.contains("agreement"), "{text}");
    let result = json(folder.path(), &options[..5]);
    assert_eq!(result["single"]["labelled"], false);
    assert_eq!(result["single"]["baseline_top1_correct"], 100);
}

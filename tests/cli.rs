//! The binary as a user meets it: results, determinism, and what it says of bad input.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use assert_cmd::Command;
use image::RgbImage;
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn approxmem(folder: &Path, arguments: &[&str]) -> assert_cmd::assert::Assert {
    Command::cargo_bin("approxmem").unwrap().current_dir(folder).args(arguments).assert()
}

fn lenet5() -> String {
    format!("{ROOT}/configs/lenet5.toml")
}

/// The shipped configuration with its paths made absolute and `edits` applied to the text.
fn config(folder: &TempDir, edits: &[(&str, &str)]) -> PathBuf {
    let mut text = fs::read_to_string(lenet5()).unwrap().replace("\"../", &format!("\"{ROOT}/"));
    for (from, to) in edits {
        assert!(text.contains(from), "the shipped configuration has no `{from}`");
        text = text.replace(from, to);
    }
    let path = folder.path().join("experiment.toml");
    fs::write(&path, text).unwrap();
    path
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output = approxmem(folder, arguments).success().get_output().stdout.clone();
    serde_json::from_slice(&output).expect("standard output is JSON and nothing else")
}

/// What the command says when it fails with `code`; nothing may have been written.
fn refused(folder: &TempDir, arguments: &[&str], code: i32) -> String {
    let before = listing(folder.path());
    let output = approxmem(folder.path(), arguments).code(code).get_output().clone();
    assert_eq!(listing(folder.path()), before, "something was written");
    assert!(output.stdout.is_empty(), "something was printed on standard output");
    // Lines are wrapped for the terminal; the words are what counts.
    String::from_utf8(output.stderr)
        .unwrap()
        .split_whitespace()
        .filter(|word| *word != "|")
        .collect::<Vec<_>>()
        .join(" ")
}

fn listing(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "expected `{part}` in: {text}");
    }
}

#[test]
fn run_gives_every_documented_figure() {
    let folder = TempDir::new().unwrap();
    let result = json(folder.path(), &["run", &lenet5(), "--json", "--trials", "3", "--images", "500"]);
    assert_eq!(result["schema_version"], 1);
    assert_eq!(result["baseline"]["images"], 500);
    let correct = result["baseline"]["top1_correct"].as_f64().unwrap();
    assert_eq!(result["baseline"]["top1"].as_f64().unwrap(), correct / 500.0);
    assert!(correct > 490.0);
    assert!(result["quantised"]["top1"].as_f64().unwrap() > 0.98);
    assert_eq!(
        (&result["baseline"]["agreement"], &result["baseline"]["infinite_images"]),
        (&1.0.into(), &0.into())
    );
    assert!(result["baseline"]["top5"].as_f64().unwrap() >= result["baseline"]["top1"].as_f64().unwrap());
    let approximate = &result["approximate"];
    assert_eq!(approximate["trials"], 3);
    for path in
        ["top1_mean", "top1_std", "top5_mean", "top5_std", "agreement_mean", "agreement_std", "rpa_mean"]
    {
        assert!(approximate[path].is_f64(), "{path}");
    }
    let interval: Vec<f64> =
        approximate["rpa_ci95"].as_array().unwrap().iter().map(|bound| bound.as_f64().unwrap()).collect();
    let mean = approximate["rpa_mean"].as_f64().unwrap();
    assert!(interval[0] <= mean && mean <= interval[1]);
    // 44,190 weights of 16 bits, 2 of them protected, at 1e-3.
    assert_eq!(result["faults"]["bits_at_risk"], 44_190 * 14);
    assert!((result["faults"]["flips_expected"].as_f64().unwrap() - 618.66).abs() < 1e-9);
    assert!(
        (result["faults"]["flips_mean"].as_f64().unwrap() - 618.66).abs() < 5.0 * (618.66f64 / 3.0).sqrt()
    );
    let volume = &result["volume"];
    assert_eq!(volume["words"], 46_534);
    assert_eq!(volume["bits_fp32"], 46_534 * 32);
    assert_eq!(volume["bits_stored"], 46_534 * 32 - 44_190 * 16);
    assert_eq!(volume["bits_moved"], volume["bits_stored"]);
    let reduction = 44_190.0 * 16.0 / (46_534.0 * 32.0);
    assert!((volume["reduction"].as_f64().unwrap() - reduction).abs() < 1e-12);
    let subsets = result["subsets"].as_array().unwrap();
    let share: f64 = subsets.iter().map(|subset| subset["share"].as_f64().unwrap()).sum();
    assert!((share - 1.0).abs() < 1e-12);
    let fc1 = subsets.iter().find(|subset| subset["name"] == "weight_fc1").unwrap();
    assert_eq!((&fc1["words"], &fc1["bits"], &fc1["memory"]), (&30_720.into(), &16.into(), &"dram".into()));
    assert!(listing(folder.path()).is_empty(), "--json without --out writes no file");
}

/// The labels in the shipped label file.
fn mnist_labels(images: usize) -> Vec<usize> {
    let file = fs::File::open(format!("{ROOT}/data/mnist/t10k-labels-idx1-ubyte.gz")).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes[8..][..images].iter().map(|&label| label.into()).collect()
}

#[test]
fn classes_add_up_to_the_whole() {
    let folder = TempDir::new().unwrap();
    let arguments = ["--trials", "3", "--images", "500", "--set", "memories.dram.ber=0.02", "--out", "."];
    let command: Vec<_> = ["run", &lenet5()].into_iter().chain(arguments).map(str::to_owned).collect();
    approxmem(folder.path(), &command.iter().map(String::as_str).collect::<Vec<_>>()).success();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let result: Value = serde_json::from_str(&read("result.json")).unwrap();
    let classes = result["classes"].as_array().unwrap();
    let labels = mnist_labels(500);
    for (class, figures) in classes.iter().enumerate() {
        let images = labels.iter().filter(|&&label| label == class).count();
        assert_eq!((&figures["class"], &figures["images"]), (&class.into(), &images.into()));
    }
    let sum = |path: &str| classes.iter().map(|class| class[path].as_f64().unwrap()).sum::<f64>();
    for (design, correct) in [("baseline", "baseline_correct"), ("quantised", "quantised_correct")] {
        assert_eq!(result[design]["top1_correct"].as_f64().unwrap(), sum(correct));
    }
    let correct = result["approximate"]["top1_mean"].as_f64().unwrap() * 500.0;
    assert!((correct - sum("correct_mean")).abs() < 1e-9);
    let nan = result["approximate"]["nan_images_mean"].as_f64().unwrap();
    assert!((500.0 - nan - sum("predicted_mean")).abs() < 1e-9);

    let csv = read("classes.csv");
    let row = |class: usize| csv.lines().nth(1 + class).unwrap().split(',').collect::<Vec<_>>();
    assert_eq!(csv.lines().count(), 11);
    assert_eq!(row(7)[4].parse::<f64>().unwrap(), classes[7]["correct_mean"].as_f64().unwrap());
    // One row per trial; the means are those of the columns.
    let csv = read("trials.csv");
    let column = |name: &str| {
        let place = csv.lines().next().unwrap().split(',').position(|found| found == name).unwrap();
        csv.lines().skip(1).map(|row| row.split(',').nth(place).unwrap().parse::<f64>().unwrap()).sum::<f64>()
    };
    for (name, mean) in [("top1", "top1_mean"), ("top5", "top5_mean"), ("agreement", "agreement_mean")] {
        assert!((column(name) / 3.0 - result["approximate"][mean].as_f64().unwrap()).abs() < 1e-12, "{name}");
    }
    assert!(column("agreeing_images") / 3.0 < 500.0 && column("top5_correct_images") >= correct * 3.0);
}

/// An array of bytes or of 64-bit integers as numpy saves it.
fn npy(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), values].concat()
}

#[test]
fn without_labels_right_is_what_the_baseline_says() {
    let folder = TempDir::new().unwrap();
    let mut pixels = Vec::new();
    let file = fs::File::open(format!("{ROOT}/data/mnist/t10k-images-idx3-ubyte.gz")).unwrap();
    flate2::read::GzDecoder::new(file).take(16 + 300 * 784).read_to_end(&mut pixels).unwrap();
    fs::write(folder.path().join("images.npy"), npy("|u1", "(300, 1, 28, 28)", &pixels[16..])).unwrap();
    let dataset = "dataset={kind=\"npy\", images=\"images.npy\", scale=0.00390625}";
    let settings = ["--set", dataset, "--set", "memories.dram.ber=0.03", "--images", "300", "--trials", "2"];
    let command: Vec<_> = ["run", &lenet5()].into_iter().chain(settings).map(str::to_owned).collect();
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let result = json(folder.path(), &[&command[..], &["--json"]].concat());
    assert_eq!((&result["labelled"], &result["baseline"]["top1"]), (&false.into(), &1.0.into()));
    for figure in ["mean", "std", "min", "max"] {
        let of = |name: &str| &result["approximate"][format!("{name}_{figure}")];
        assert!(of("agreement").is_f64());
        assert_eq!(of("top1"), of("agreement"));
    }
    for class in result["classes"].as_array().unwrap() {
        assert_eq!(class["images"], class["baseline_predicted"]);
    }
    let said = approxmem(folder.path(), &command).success().get_output().stdout.clone();
    assert_says(&String::from_utf8(said).unwrap(), &["No labels: agreement with the baseline's predictions"]);
}

#[test]
fn tables_are_at_most_120_columns_wide() {
    let folder = TempDir::new().unwrap();
    let few = ["--trials", "3", "--images", "1000", "--set", "memories.dram.ber=1e-2"];
    let over = ["--over", "memories.dram.protected_msbs=0..1"];
    let lenet5 = lenet5();
    let commands =
        [[&["run", &lenet5], &few[..], &[]].concat(), [&["sweep", &lenet5], &few[..], &over].concat()];
    for command in commands {
        let text = approxmem(folder.path(), &command).success().get_output().stdout.clone();
        let text = String::from_utf8(text).unwrap();
        assert_says(&text, &["agreement_%", "top1_%", "rpa_%"]);
        let widest = text.lines().max_by_key(|line| line.trim_end().chars().count()).unwrap();
        assert!(widest.trim_end().chars().count() <= 120, "{widest}");
    }
}

#[test]
fn one_trial_has_no_interval() {
    let folder = TempDir::new().unwrap();
    let result = json(folder.path(), &["run", &lenet5(), "--json", "--trials", "1", "--images", "100"]);
    assert!(result["approximate"]["rpa_ci95"].is_null() && result["approximate"]["top1_std"].is_null());
}

#[test]
fn result_files_are_the_same_bytes_for_any_number_of_threads() {
    let folder = TempDir::new().unwrap();
    let neurons = config(&folder, &[("\"weight_*\" = [\"dram\"]", "\"*\" = [\"dram\"]")]);
    for config in [PathBuf::from(lenet5()), neurons] {
        let files: Vec<Vec<Vec<u8>>> = ["1", "2", "5"]
            .iter()
            .map(|threads| {
                let out = folder.path().join(threads);
                let arguments = ["--trials", "3", "--images", "333", "--threads", threads, "--out"];
                let mut command = vec!["run", config.to_str().unwrap()];
                command.extend(arguments);
                command.push(out.to_str().unwrap());
                approxmem(folder.path(), &command).success();
                let names = ["result.json", "trials.csv", "classes.csv", "subsets.csv"];
                names.iter().map(|name| fs::read(out.join(name)).unwrap()).collect()
            })
            .collect();
        assert_eq!(files[0], files[1]);
        assert_eq!(files[0], files[2]);
        let text = String::from_utf8(files[0][0].clone()).unwrap();
        assert!(!text.contains(ROOT) && !text.contains(folder.path().to_str().unwrap()), "an absolute path");
    }
}

#[test]
fn a_sweep_shares_its_faults_and_agrees_with_single_runs() {
    let folder = TempDir::new().unwrap();
    let common = ["--json", "--trials", "2", "--images", "200"];
    let arguments = |extra: &[&str]| -> Vec<String> {
        extra.iter().chain(&common).map(|argument| (*argument).to_owned()).collect()
    };
    let run = |extra: &[&str]| {
        let arguments = arguments(extra);
        json(folder.path(), &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let over = "memories.dram.protected_msbs=0..2";
    let sweep = run(&["sweep", &lenet5(), "--over", over, "--over", "memories.dram.ber=[1e-4, 1e-3]"]);
    let points = sweep["points"].as_array().unwrap();
    assert_eq!(points.len(), 6);
    assert_eq!(sweep["axes"], serde_json::json!(["memories.dram.protected_msbs", "memories.dram.ber"]));
    let single = run(&[
        "run",
        &lenet5(),
        "--set",
        "memories.dram.protected_msbs=1",
        "--set",
        "memories.dram.ber=1e-3",
    ]);
    let at = |point: usize| &points[point]["result"];
    assert_eq!(at(3), &single, "a point does not depend on the sweep around it");
    let flips = |point: usize| at(point)["faults"]["flips_mean"].as_f64().unwrap();
    assert!(flips(0) < flips(1) && flips(5) <= flips(3) && flips(3) <= flips(1), "faults are nested");
}

#[test]
fn sweep_writes_one_row_per_point() {
    let folder = TempDir::new().unwrap();
    let over = "formats.\"weight_*\".bits=[8, 16]";
    let arguments = ["sweep", &lenet5(), "--over", over, "--trials", "1", "--images", "100", "--out", "s"];
    approxmem(folder.path(), &arguments).success();
    let csv = fs::read_to_string(folder.path().join("s/sweep.csv")).unwrap();
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].starts_with("8,100,1,") && lines[2].starts_with("16,100,1,"), "{csv}");
    assert!(folder.path().join("s/sweep.json").exists());
}

/// A sweep of the shipped DRAM over `over`, and what it says on standard output and on standard error.
fn swept_dram(folder: &TempDir, over: &str, per_second: &str) -> (String, String) {
    let config = format!("{ROOT}/configs/lenet5-dram-refresh.toml");
    let rate = format!("workload.inferences_per_second={per_second}");
    let few = ["--trials", "1", "--images", "20", "--set", &rate, "--over", over, "--out", "."];
    let command = [&["sweep", config.as_str()], &few[..]].concat();
    let output = approxmem(folder.path(), &command).success().get_output().clone();
    // Lines are wrapped for the terminal.
    let joined = |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        text.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ")
    };
    (joined(output.stdout), joined(output.stderr))
}

#[test]
fn a_sweep_warns_of_every_point_once() {
    let folder = TempDir::new().unwrap();
    let key = "memories.dram.error.refresh_interval_ms";
    let (out, said) = swept_dram(&folder, &format!("{key}=[64,600000]"), "0.001");
    assert_eq!(said.matches("beyond the tail that was recorded").count(), 1, "{said}");
    assert_says(&said, &["after 600000 ms at 48 °C", &format!("(at {key}=600000)")]);
    // The result says so too, of that point only.
    assert_says(&out, &["note (at 1 of 2 points): memory `dram`: after 600000 ms without refresh"]);
    let sweep: Value = serde_json::from_slice(&fs::read(folder.path().join("sweep.json")).unwrap()).unwrap();
    let notes = |point: usize| sweep["points"][point]["result"]["notes"].as_array().unwrap().clone();
    assert!(notes(0).is_empty(), "the nominal interval is no extrapolation: {:?}", notes(0));
    assert_eq!(notes(1).len(), 1);
    assert_says(notes(1)[0].as_str().unwrap(), &["recorded: 1 to 20 s", "at 48 °C", "extrapolated"]);

    // A doubt about all points is said once, and blames none.
    let config = format!("{ROOT}/configs/lenet5-dram-refresh.toml");
    let beyond = format!("{key}=600000");
    let over = "experiment.seed=1..3";
    let command =
        ["sweep", &config, "--set", &beyond, "--over", over, "--trials", "1", "--images", "1", "--quiet"];
    approxmem(folder.path(), &command).success().stderr("");
    let command = &command[..command.len() - 1];
    let output = approxmem(folder.path(), command).success().get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.matches("warning:").count(), 1, "{said}");
    assert!(!said.contains("experiment.seed"), "{said}");
}

#[test]
fn a_sweep_shows_each_note_once_with_its_points() {
    let folder = TempDir::new().unwrap();
    // At 1000 inferences per second accesses refresh every row long before 20 s are over, at 0.05 they do not.
    let over = "workload.inferences_per_second=[1000, 0.05]";
    let (out, _) = swept_dram(&folder, over, "1");
    assert_says(&out, &["note (at 1 of 2 points): memory `dram`: each inference reads every row, 1.0000 ms"]);
    let (out, _) = swept_dram(&folder, "experiment.seed=1..3", "1000");
    assert_says(&out, &["note (at 3 of 3 points): memory `dram`: each inference reads every row"]);
    assert_eq!(out.matches("each inference reads every row").count(), 1, "{out}");
}

#[test]
fn a_sweep_shows_energy_and_flips_by_memory() {
    let folder = TempDir::new().unwrap();
    let over = "memories.dram.error.refresh_interval_ms=[64, 20000]";
    let (out, _) = swept_dram(&folder, over, "0.05");
    assert_says(&out, &["energy_pj", "saving_%"]);
    let sweep: Value = serde_json::from_slice(&fs::read(folder.path().join("sweep.json")).unwrap()).unwrap();
    let csv = fs::read_to_string(folder.path().join("sweep.csv")).unwrap();
    let header: Vec<_> = csv.lines().next().unwrap().split(',').collect();
    for (point, row) in csv.lines().skip(1).enumerate() {
        let cell = |name: &str| -> f64 {
            let column = header.iter().position(|found| *found == name).unwrap();
            row.split(',').nth(column).unwrap().parse().unwrap()
        };
        let result = &sweep["points"][point]["result"];
        let energy = |path: &str| result["energy"][path].as_f64().unwrap();
        assert_eq!(cell("energy_pj"), energy("total_pj"));
        assert_eq!(cell("energy_saving"), energy("saving"));
        assert_eq!(cell("allocated_energy_saving"), energy("allocated_saving"));
        let memories = result["energy"]["memories"].as_array().unwrap();
        let allocated: f64 = memories.iter().map(|memory| memory["allocated_pj"].as_f64().unwrap()).sum();
        let link = result["energy"]["link"]["energy_pj"].as_f64().unwrap();
        assert_eq!(cell("allocated_energy_pj"), allocated + link);
        assert_eq!(cell("flips_mean_dram"), result["faults"]["flips_mean"].as_f64().unwrap());
        // Neither design of this sweep costs more than the nominal one by as much as a hundredth of a percent.
        let saved = format!("{:.2}", energy("saving").max(0.0) * 100.0);
        assert_says(&out, &[&saved]);
    }
    assert_eq!(csv.lines().count(), 3);

    // A memory whose energy is not known has none to show.
    let arguments = ["sweep", &lenet5(), "--over", "experiment.seed=1..2", "--trials", "1", "--images", "1"];
    let text = approxmem(folder.path(), &arguments).success().get_output().stdout.clone();
    assert!(!String::from_utf8(text).unwrap().contains("energy_pj"));
}

#[test]
fn inspect_reproduces_table_2_for_lenet5() {
    let network = format!("{ROOT}/models/lenet5/lenet5.prototxt");
    let inspection = json(Path::new(ROOT), &["inspect", &network, "--json"]);
    assert_eq!(inspection["volume_words"], 46_534);
    assert_eq!(inspection["subsets"][0]["name"], "weight_fc1");
    assert_eq!(inspection["macs"], 281_640);
    let weights = format!("{ROOT}/models/lenet5/lenet5.caffemodel");
    approxmem(Path::new(ROOT), &["inspect", &network, "--weights", &weights]).success();
}

#[test]
fn networks_of_any_size_are_inspected() {
    let folder = TempDir::new().unwrap();
    let layer = |index: usize| {
        let input = if index == 0 { "x".to_owned() } else { format!("c{}", index - 1) };
        format!(
            "layer {{ name: 'c{index}' type: 'Convolution' bottom: '{input}' top: 'c{index}' \
             convolution_param {{ num_output: 1 kernel_size: 46001 pad: 23000 }} }}\n"
        )
    };
    let layers: String = (0..40).map(layer).collect();
    let text = format!("input: 'x' input_dim: 1 input_dim: 1 input_dim: 23000 input_dim: 23000\n{layers}");
    let path = folder.path().join("net.prototxt");
    fs::write(&path, text).unwrap();
    let inspection = json(folder.path(), &["inspect", path.to_str().unwrap(), "--json"]);
    let macs = 40.0 * (46_001f64 * 23_000.0).powi(2);
    assert!(macs > u64::MAX as f64);
    assert!((inspection["macs"].as_f64().unwrap() / macs - 1.0).abs() < 1e-12);
}

#[test]
fn check_forecasts_without_running() {
    let folder = TempDir::new().unwrap();
    let forecast = json(folder.path(), &["check", &lenet5(), "--json"]);
    assert_eq!(forecast["bits_at_risk"], 44_190 * 14);
    assert_eq!(forecast["forward_passes_images"], 1_000_000);
    assert!(listing(folder.path()).is_empty());
}

#[test]
fn a_misspelt_key_names_the_nearest() {
    let folder = TempDir::new().unwrap();
    let path = config(&folder, &[("protected_msbs", "protected_msb")]);
    let said = refused(&folder, &["run", path.to_str().unwrap()], 2);
    assert_says(&said, &["protected_msb", "protected_msbs", "experiment.toml:25:1"]);
}

#[test]
fn every_mistake_is_told_at_once() {
    let folder = TempDir::new().unwrap();
    let edits =
        [("ber = 1e-3", "ber = 2.0"), ("bits = 16", "bits = \"sixteen\""), ("trials = 100", "trails = 100")];
    let path = config(&folder, &edits);
    let said = refused(&folder, &["check", path.to_str().unwrap()], 2);
    assert_says(&said, &["trails", "trials", "sixteen", "2.0", "3 mistakes"]);
}

#[test]
fn mistakes_beyond_number_and_measure_are_told_in_brief() {
    let folder = TempDir::new().unwrap();
    let shipped = config(&folder, &[]);
    let shipped = fs::read_to_string(shipped).unwrap();
    let (start, _) = shipped.split_once("[placement]").unwrap();
    let check = |text: &str| {
        let path = folder.path().join("experiment.toml");
        fs::write(&path, text).unwrap();
        let said = refused(&folder, &["check", path.to_str().unwrap()], 2);
        assert!(said.len() < 100_000, "{} bytes", said.len());
        said
    };
    let lines = |count: usize, line: fn(usize) -> String| (0..count).map(line).collect::<Vec<_>>().concat();
    let memories = lines(30_000, |index| format!("[memories.m{index}]\nbir = 1\n"));
    assert_says(
        &check(&(shipped.clone() + &memories)),
        &["missing key `memories.m0.technology`", "1000 mistakes found, 100 shown"],
    );
    let keys = lines(200_000, |index| format!("k{index} = 1\n"));
    assert_says(&check(&(keys + &shipped)), &["more than 100000 keys"]);
    // A line of 640 kB: a picture of it helps nobody.
    let stops = "\"dram\", ".repeat(80_000);
    let said = check(&format!("{start}[placement]\n\"*\" = [{stops}]\n"));
    assert_says(
        &said,
        &["experiment.toml:29:7: `placement.\"*\"` must be a list of at most 16 stops, found 80000"],
    );
    assert_says(&check(&format!("x = {}", "{a=".repeat(500_000))), &["experiment.toml:1:", "recursion"]);
}

#[test]
fn a_value_out_of_range_names_the_range() {
    let folder = TempDir::new().unwrap();
    let said = refused(&folder, &["run", &lenet5(), "--set", "memories.dram.ber=1.5"], 2);
    assert_says(&said, &["1.5", "from 0 to 1"]);
    let said = refused(&folder, &["run", &lenet5(), "--set", "memories.dram.protected_msbs=17"], 2);
    assert_says(&said, &["17", "16", "weight_"]);
}

#[test]
fn patterns_must_match_and_must_not_tie() {
    let folder = TempDir::new().unwrap();
    let path = config(&folder, &[("\"weight_*\" = [\"dram\"]", "\"weight_fc9\" = [\"dram\"]")]);
    assert_says(&refused(&folder, &["run", path.to_str().unwrap()], 2), &["weight_fc9", "no data subset"]);
    let tie = "\"weight_*\" = { kind = \"fixed\", bits = 16 }\n\"*_fc1\" = \"fp16\"\n\"weight_f*\" = \"fp16\"\n\"*ight_fc1\" = \"fp16\"";
    let path = config(&folder, &[("\"weight_*\" = { kind = \"fixed\", bits = 16 }", tie)]);
    assert_says(
        &refused(&folder, &["run", path.to_str().unwrap()], 2),
        &["weight_f*", "*ight_fc1", "weight_fc1"],
    );
}

#[test]
fn missing_and_damaged_files_are_named() {
    let folder = TempDir::new().unwrap();
    let path = config(&folder, &[("lenet5.caffemodel", "nowhere.caffemodel")]);
    assert_says(&refused(&folder, &["run", path.to_str().unwrap()], 2), &["nowhere.caffemodel", "weights"]);

    let images = fs::read(format!("{ROOT}/data/mnist/t10k-images-idx3-ubyte.gz")).unwrap();
    fs::write(folder.path().join("short.gz"), &images[..images.len() / 2]).unwrap();
    let said = refused(&folder, &["run", &lenet5(), "--set", "dataset.images=short.gz"], 2);
    assert_says(&said, &["short.gz", "expected 7840000 values"]);

    fs::write(folder.path().join("labels"), [0, 0, 8, 1, 0, 0, 0, 2, 7, 2]).unwrap();
    let said = refused(&folder, &["run", &lenet5(), "--set", "dataset.labels=labels"], 2);
    assert_says(&said, &["10000 images", "2 labels"]);

    let said = refused(&folder, &["run", &format!("{}/nothing.toml", folder.path().display())], 2);
    assert_says(&said, &["nothing.toml"]);
}

#[test]
fn networks_that_do_not_fit_are_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let prototxt = fs::read_to_string(format!("{ROOT}/models/lenet5/lenet5.prototxt")).unwrap();
    let write = |from: &str, to: &str| {
        assert!(prototxt.contains(from));
        fs::write(folder.path().join("net.prototxt"), prototxt.replacen(from, to, 1)).unwrap();
    };
    let run = ["run", &lenet5(), "--set", "network.definition=net.prototxt"].map(str::to_owned);
    let run: Vec<&str> = run.iter().map(String::as_str).collect();
    write("\"Convolution\"", "\"Convolutoin\"");
    assert_says(&refused(&folder, &run, 2), &["Convolutoin", "conv1", "net.prototxt"]);
    write("num_output: 120", "num_output: 121");
    assert_says(&refused(&folder, &run, 2), &["fc1", "lenet5.caffemodel", "120"]);
    write("\"fc1\"", "\"other\"");
    assert_says(&refused(&folder, &run, 2), &["other"]);
    fs::write(folder.path().join("bad.caffemodel"), b"\x0a\xff\xff\xff\xff\xff\x0f").unwrap();
    let said = refused(&folder, &["run", &lenet5(), "--set", "network.weights=bad.caffemodel"], 2);
    assert_says(&said, &["bad.caffemodel"]);
}

#[test]
fn more_images_than_there_are_is_bad_input() {
    let folder = TempDir::new().unwrap();
    let said = refused(&folder, &["run", &lenet5(), "--images", "10001"], 2);
    assert_says(&said, &["10001", "10000"]);
}

#[test]
fn axes_must_not_set_the_same_key_nor_span_too_many_points() {
    let folder = TempDir::new().unwrap();
    let sweep = |axes: [&str; 2]| {
        refused(&folder, &["sweep", &lenet5(), "--over", axes[0], "--over", axes[1], "--images", "10"], 2)
    };
    assert_says(&sweep(["memories.dram.ber=[0.1, 0.2]", "memories.dram.ber=[0.3]"]), &["the same key"]);
    let inner = "formats.\"weight_*\".bits=8..9";
    assert_says(&sweep(["formats.weight_*=[fp16, bf16]", inner]), &["the same key"]);
    assert_says(
        &sweep(["experiment.seed=0..9999", "memories.dram.ber=0..1/1000"]),
        &["10000 x 1000", "10000"],
    );
}

#[test]
fn a_sweep_refuses_a_late_point_before_it_runs_the_first() {
    let folder = TempDir::new().unwrap();
    let over = "experiment.images=[10, 20000]";
    assert_says(
        &refused(&folder, &["sweep", &lenet5(), "--over", over, "--trials", "1"], 2),
        &["20000", "10000"],
    );
    let over = "experiment.calibration_images=[10, 20000]";
    let said = refused(&folder, &["sweep", &lenet5(), "--over", over, "--trials", "1"], 2);
    assert_says(&said, &["calibration_images = 20000"]);
}

/// The experiments whose weights a user brings.
#[test]
fn check_needs_no_weights() {
    let folder = TempDir::new().unwrap();
    RgbImage::new(300, 280).save(folder.path().join("picture.png")).unwrap();
    let pictures = format!("dataset.images={}", folder.path().display());
    for (name, words) in [("alexnet", 61_380_259), ("vgg16", 147_472_680)] {
        let config = format!("{ROOT}/configs/{name}.toml");
        let forecast = json(folder.path(), &["check", &config, "--set", &pictures, "--json"]);
        assert_eq!(forecast["volume"]["words"], words);
        assert_eq!(forecast["images"], 1);
        let said = refused(&folder, &["run", &config, "--set", &pictures], 2);
        assert_says(&said, &["the network has no weights"]);
    }
}

#[test]
fn check_refuses_what_run_refuses() {
    let folder = TempDir::new().unwrap();
    let mut labels = vec![0, 0, 8, 1, 0, 0, 0x27, 0x10];
    labels.resize(8 + 10_000, 77);
    fs::write(folder.path().join("labels"), labels).unwrap();
    for command in ["check", "run"] {
        let said = refused(&folder, &[command, &lenet5(), "--set", "dataset.labels=labels"], 2);
        assert_says(&said, &["label 77", "10 classes"]);
    }
}

#[test]
fn results_replace_the_old_ones_together_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    fs::create_dir_all(out.join("trials.csv")).unwrap();
    fs::write(out.join("result.json"), "old").unwrap();
    let arguments = ["run", &lenet5(), "--trials", "1", "--images", "10", "--out", "out"];
    assert_says(&refused(&folder, &arguments, 1), &["trials.csv"]);
    assert_eq!(fs::read_to_string(out.join("result.json")).unwrap(), "old");
}

#[test]
fn an_output_folder_that_cannot_be_written_fails_the_run() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let said =
        refused(&folder, &["run", &lenet5(), "--trials", "1", "--images", "1", "--out", "file/results"], 1);
    assert_says(&said, &["file/results", "cannot write"]);
}

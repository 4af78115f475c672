//! `approxmem trace` as a user meets it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// conv2 of AlexNet, one of its two groups, padded; fc8.
const TOPOLOGY: &str = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n\
                        conv2_g, 31, 31, 5, 5, 48, 128, 1,\n\
                        fc8, 1, 1, 1, 1, 4096, 1000, 1,\n";

fn shipped(name: &str) -> String {
    format!("{ROOT}/configs/{name}.toml")
}

/// Standard output and standard error of a command that ends with `code`.
fn output(folder: &Path, arguments: &[&str], code: i32) -> [String; 2] {
    let mut command = Command::cargo_bin("approxmem").unwrap();
    let output = command.current_dir(folder).arg("trace").args(arguments).assert().code(code);
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
fn refused(folder: &TempDir, arguments: &[&str]) -> String {
    let files = || fs::read_dir(folder.path()).unwrap().count();
    let before = files();
    let [stdout, stderr] = output(folder.path(), arguments, 2);
    assert!(stdout.is_empty() && files() == before, "{stdout}");
    said(&stderr)
}

fn list<'v>(value: &'v Value, key: &str) -> &'v Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("no list {key}"))
}

fn count(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("no count {key} in {value}"))
}

fn energy(parts: &[Value]) -> f64 {
    parts.iter().map(|part| part["energy_pj"].as_f64().unwrap()).sum()
}

/// The configurations name neither weights nor pictures.
#[test]
fn shipped_configurations_are_traced_and_totals_are_sums() {
    let folder = TempDir::new().unwrap();
    for name in ["alexnet-eyeriss", "alexnet-systolic32", "vgg16-eyeriss", "vgg16-systolic32"] {
        let figures = json(folder.path(), &[&shipped(name)]);
        let (layers, totals) = (list(&figures, "layers"), &figures["totals"]);
        let macs = if name.starts_with("alexnet") { 724_406_816 } else { 15_470_264_320 };
        assert_eq!(count(totals, "macs"), macs, "{name}");
        for key in ["macs", "fill_cycles", "compute_cycles", "stall_cycles", "drain_cycles", "total_cycles"] {
            let sum: u64 = layers.iter().map(|layer| count(layer, key)).sum();
            assert_eq!(count(totals, key), sum, "{name}: {key}");
        }
        for layer in layers.iter().chain([totals]) {
            let parts = ["fill_cycles", "compute_cycles", "stall_cycles", "drain_cycles"];
            let sum: u64 = parts.map(|key| count(layer, key)).iter().sum();
            assert_eq!(sum, count(layer, "total_cycles"));
        }
        let movements = || layers.iter().flat_map(|layer| list(layer, "movements"));
        let off_chip = || movements().filter(|movement| movement["is_off_chip"] == true);
        let words =
            off_chip().map(|movement| count(movement, "read_words") + count(movement, "written_words"));
        assert_eq!(count(totals, "dram_words"), words.sum::<u64>(), "{name}");
        let least = off_chip().map(|movement| count(movement, "compulsory_words")).sum::<u64>();
        assert_eq!(count(totals, "compulsory_dram_words"), least, "{name}");
        assert!(least <= count(totals, "dram_words"), "{name}");
        let sum: f64 = layers.iter().map(|layer| energy(list(layer, "energy"))).sum();
        let sum = sum + energy(list(&figures, "idle_energy"));
        let total = totals["energy_pj"].as_f64().unwrap();
        assert!((sum / total - 1.0).abs() < 1e-9, "{name}: {sum} is not {total}");
        assert!((energy(list(totals, "energy")) / total - 1.0).abs() < 1e-9, "{name}");
    }
}

/// `nn_dataflow` comes to 62.99 M words, pooling apart and without normalisation.
#[test]
fn alexnet_through_one_buffer_of_108_kib() {
    let folder = TempDir::new().unwrap();
    let eyeriss = shipped("alexnet-eyeriss");
    let fused = json(folder.path(), &[&eyeriss]);
    let words = count(&fused["totals"], "dram_words");
    assert!(words <= 62_830_000, "{words} words, double-buffered with fused pooling");
    let apart = ["--set", "accelerator.fuse=[\"norm*\"]", "--set", "accelerator.buffering=single"];
    let apart = json(folder.path(), &[&[eyeriss.as_str()][..], &apart].concat());
    let words = count(&apart["totals"], "dram_words");
    assert!(words <= 62_930_000, "{words} words, single-buffered with pooling apart");
    assert_eq!((list(&fused, "layers").len(), list(&apart, "layers").len()), (8, 11));
}

/// SCALE-Sim 3.0.0 prints 125,095 and 389,119 cycles, one less than the count.
#[test]
fn topologies_have_scalesims_counts_and_survive_being_exported() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("topology.csv"), TOPOLOGY).unwrap();
    let config = shipped("alexnet-systolic32");
    let weights = "accelerator.dataflow=weight_stationary";
    let of = |topology: &str, more: &[&str]| {
        let arguments = [topology, "--on", &config, "--scalesim", "--csv", "--set", weights];
        output(folder.path(), &[&arguments, more].concat(), 0)
    };
    let expected = "layer,groups,pixels,filters,window,total_cycles,sram_ifmap_read_words,sram_filter_read_words,\
                    sram_ofmap_write_words,sram_partial_sum_read_words,dram_filter_read_words\n\
                    conv2_g,1,729,128,1200,125096,3499200,153600,3545856,3452544,153600\n\
                    fc8,1,1,1000,4096,389120,131072,4096000,128000,127000,4096000\n";
    let [stdout, stderr] = of("topology.csv", &["--export-topology", "again.csv"]);
    assert_eq!(stdout, expected);
    let doubt = said(&stderr);
    assert!(doubt.contains("pattern \"bias_*\" in [placement] matches no data subset"), "{doubt}");
    assert_eq!(fs::read_to_string(folder.path().join("again.csv")).unwrap(), TOPOLOGY);
    assert_eq!(of("again.csv", &["-q"]), [expected.to_owned(), String::new()]);
    let figures = json(folder.path(), &["topology.csv", "--on", &config]);
    assert_eq!(figures["source"], "topology.csv");
    assert_eq!(figures["layers"][0]["macs"], 729 * 128 * 1200);
}

/// LeNet-5 is not AlexNet: its layers are computed on the machine of the configuration.
#[test]
fn bursts_are_exported_in_order_and_complete() {
    let folder = TempDir::new().unwrap();
    let network = format!("{ROOT}/models/lenet5/lenet5.prototxt");
    let config = shipped("alexnet-systolic32");
    let figures = json(folder.path(), &[&config, "--network", &network, "--export-dram", "bursts.trc"]);
    assert_eq!((figures["source"].as_str(), list(&figures, "layers").len()), (Some("LeNet-5"), 5));
    let off_chip = |total: &&Value| total["is_off_chip"] == true;
    let totals: Vec<_> = list(&figures["totals"], "movements").iter().filter(off_chip).collect();
    let bursts = |key| totals.iter().map(|total| count(total, key)).sum::<u64>();
    let text = fs::read_to_string(folder.path().join("bursts.trc")).unwrap();
    let (mut reads, mut writes, mut last) = (0, 0, 0);
    for line in text.lines() {
        let parts: Vec<_> = line.split(' ').collect();
        let address = u64::from_str_radix(parts[0].strip_prefix("0x").unwrap(), 16).unwrap();
        assert_eq!(address % 64, 0, "a burst of DDR4");
        match parts[1] {
            "READ" => reads += 1,
            "WRITE" => writes += 1,
            other => panic!("{other}"),
        }
        let cycle: u64 = parts[2].parse().unwrap();
        assert!(cycle >= last, "{line}");
        last = cycle;
    }
    assert_eq!((reads, writes), (bursts("read_bursts"), bursts("written_bursts")));
    // 1.2 GHz beside 700 MHz; nothing begins behind the last cycle.
    let end = count(&figures["totals"], "total_cycles") as f64 * 1200.0 / 700.0;
    assert!(last > 0 && (last as f64) < 1.01 * end, "{last} of {end}");
}

#[test]
fn a_layer_trace_can_be_written_and_given() {
    let folder = TempDir::new().unwrap();
    let network = format!("{ROOT}/models/lenet5/lenet5.prototxt");
    let config = shipped("alexnet-eyeriss");
    let computed = [config.as_str(), "--network", &network];
    let [text, _] = output(folder.path(), &[&computed[..], &["--out", "out"]].concat(), 0);
    assert!(
        text.ends_with("results: out/{trace.json, layers.csv, movements.csv, energy.csv, layer_trace.csv}\n"),
        "{text}"
    );
    let read = |name: &str| fs::read_to_string(folder.path().join("out").join(name)).unwrap();
    assert!(read("layers.csv").starts_with("layer,kind,macs,start_cycle,fill_cycles,"));
    assert!(read("energy.csv").starts_with("layer,component,memory,operand,energy_pj\n"));
    let computed: Value = serde_json::from_str(&read("trace.json")).unwrap();
    let given = [config.as_str(), "--network", &network, "--set", "trace.file=out/layer_trace.csv"];
    let given = json(folder.path(), &given);
    assert_eq!((&computed["fidelity"], &given["fidelity"]), (&"analytic".into(), &"given".into()));
    for key in ["total_cycles", "dram_words", "dram_bytes", "energy_pj"] {
        assert_eq!(computed["totals"][key], given["totals"][key], "{key}");
    }
    assert_eq!(given["totals"]["compulsory_dram_words"], Value::Null, "not in the file");
    fs::write(folder.path().join("short.csv"), read("layer_trace.csv").replace("fc3,", "fc9,")).unwrap();
    let refused = refused(&folder, &[&config, "--network", &network, "--set", "trace.file=short.csv"]);
    assert!(refused.contains("fc9"), "{refused}");
}

#[test]
fn views_and_runs_agree() {
    let folder = TempDir::new().unwrap();
    let config = shipped("alexnet-eyeriss");
    let [text, _] = output(folder.path(), &["-q", &config], 0);
    assert_eq!(
        output(folder.path(), &["-q", &config], 0),
        [text.clone(), String::new()],
        "no draw, no clock"
    );
    for heading in [
        "Cycles of the accelerator's clock",
        "Traffic of DRAM `dram`",
        "Accesses of the buffers",
        "Energy of a batch",
    ] {
        assert!(text.contains(heading), "{text}");
    }
    let [csv, _] = output(folder.path(), &[&config, "--csv"], 0);
    assert_eq!(csv.lines().count(), 9, "{csv}");
    let [roofline, _] = output(folder.path(), &[&config, "--roofline"], 0);
    let fc6 = roofline.lines().find(|line| line.trim_start().starts_with("fc6")).unwrap();
    assert!(fc6.contains(" 0.500 ") && fc6.contains(" dram "), "one MAC per weight of two bytes: {fc6}");
    let [csv, _] = output(folder.path(), &[&config, "--roofline", "--csv"], 0);
    assert!(csv.starts_with("layer,macs,dram_bytes,macs_per_byte,attainable_macs_per_cycle,roof,"), "{csv}");
}

#[test]
fn bad_input_is_refused_with_what_would_do() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("topology.csv"), TOPOLOGY).unwrap();
    fs::write(folder.path().join("broken.csv"), TOPOLOGY.replace("128, 1,", "0, 1,")).unwrap();
    let (config, lenet5) = (shipped("alexnet-eyeriss"), shipped("lenet5"));
    let said = |arguments: &[&str]| refused(&folder, arguments);
    let found = said(&["topology.csv"]);
    assert!(found.contains("`topology.csv` is a topology: it has no accelerator"), "{found}");
    let found = said(&[&config, "--on", &config]);
    assert!(found.contains("is no topology, but --on names a configuration"), "{found}");
    let found = said(&[&lenet5]);
    assert!(found.contains("missing table [accelerator]"), "{found}");
    let found = said(&["broken.csv", "--on", &config]);
    assert!(found.contains("broken.csv:2:"), "{found}");
    let found = said(&["gone.csv", "--on", &config]);
    assert!(found.contains("cannot read the topology gone.csv"), "{found}");
    let found = said(&[&config, "--set", "accelerator.rows=0", "--set", "accelerator.buffers.filter=sram"]);
    assert!(found.contains("2 mistakes found") && found.contains("the unknown memory \"sram\""), "{found}");
    let [small, single] = ["memories.global_buffer.capacity_bytes=2048", "memories.global_buffer.banks=1"];
    let found = said(&[&config, "--set", small, "--set", single]);
    assert!(found.contains("too small"), "{found}");
    let found = said(&[&config, "--set", "accelerator.dram=none"]);
    assert!(found.contains("on chip"), "the weights of AlexNet: {found}");
}

//! `approxmem run` with an accelerator: one layer trace behind exposure, cells, traffic, cycles and energy.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn config() -> String {
    format!("{ROOT}/configs/lenet5-accelerator.toml")
}

fn approxmem(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::cargo_bin("approxmem").unwrap();
    command.current_dir(folder).args(arguments).assert().success().get_output().stdout.clone()
}

fn run(folder: &Path, arguments: &[&str]) -> Value {
    let config = config();
    let fixed = ["run", &config, "--json", "-q", "--trials", "2", "--images", "50"];
    serde_json::from_slice(&approxmem(folder, &[&fixed[..], arguments].concat())).unwrap()
}

/// What a run says that is refused, without the line breaks and frames of the terminal.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::cargo_bin("approxmem").unwrap();
    let assert = command.current_dir(folder).arg("run").arg(config()).args(arguments).assert().code(2);
    let said = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    said.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ")
}

fn trace(folder: &Path, arguments: &[&str]) -> Value {
    let config = config();
    let stdout = approxmem(folder, &[&["trace", &config, "--json", "-q"][..], arguments].concat());
    serde_json::from_slice(&stdout).unwrap()
}

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number {pointer}"))
}

fn by_stop<'v>(result: &'v Value, subset: &str) -> Vec<&'v Value> {
    let stops = result["faults"]["by_stop"].as_array().unwrap();
    stops.iter().filter(|stop| stop["subset"] == subset).collect()
}

#[test]
fn one_run_reports_accuracy_traffic_cycles_and_energy_of_one_trace() {
    let folder = TempDir::new().unwrap();
    let (result, traced) = (run(folder.path(), &[]), trace(folder.path(), &[]));
    assert!(number(&result, "/approximate/top1_mean") > 0.9);
    let design = &result["accelerator"]["design"];
    assert_eq!(number(design, "/cycles"), number(&traced, "/totals/total_cycles"));
    let dram_bytes = number(design, "/dram_read_bytes") + number(design, "/dram_written_bytes");
    assert_eq!(dram_bytes, number(&traced, "/totals/dram_bytes"));
    let energy = number(design, "/energy_pj");
    assert!((energy / number(&traced, "/totals/energy_pj") - 1.0).abs() < 1e-12);
    let parts: f64 =
        design["components"].as_array().unwrap().iter().map(|part| number(part, "/energy_pj")).sum();
    assert!((parts / energy - 1.0).abs() < 1e-12, "{parts} {energy}");
    // The energy of the memories, told by memory, is that of the trace without arithmetic.
    let of_array: f64 = (design["components"].as_array().unwrap().iter())
        .filter(|part| {
            ["arithmetic", "registers", "elementwise"].contains(&part["component"].as_str().unwrap())
        })
        .map(|part| number(part, "/energy_pj"))
        .sum();
    assert!((number(&result, "/energy/total_pj") / (energy - of_array) - 1.0).abs() < 1e-9);
    for (saving, other) in [("saving_of_nominal", "nominal"), ("saving_of_baseline", "baseline")] {
        let other = &result["accelerator"][other];
        let expected = 1.0 - number(design, "/cycles") / number(other, "/cycles");
        assert_eq!(number(&result["accelerator"][saving], "/cycles"), expected);
        let expected = 1.0 - energy / number(other, "/energy_pj");
        assert!((number(&result["accelerator"][saving], "/energy") - expected).abs() < 1e-12);
    }
}

#[test]
fn fused_activations_are_never_stored_and_handed_on_ones_never_leave() {
    let folder = TempDir::new().unwrap();
    let result = run(folder.path(), &[]);
    assert!(by_stop(&result, "neuron_pool1").is_empty(), "formed and used up on its way");
    let memory = |subset: &str| by_stop(&result, subset)[0]["memory"].as_str().unwrap().to_owned();
    assert_eq!(memory("neuron_conv1"), "input_buffer");
    // Outputs stay where they are written: the two buffers are used in turn.
    assert_eq!([memory("neuron_conv2"), memory("neuron_fc1")], ["output_buffer", "input_buffer"]);
    let apart =
        run(folder.path(), &["--set", "accelerator.fuse=false", "--set", "accelerator.keep_on_chip=false"]);
    assert!(!by_stop(&apart, "neuron_pool1").is_empty());
    assert!(
        number(&apart, "/accelerator/design/dram_written_bytes")
            > number(&result, "/accelerator/design/dram_written_bytes")
    );
}

#[test]
fn exposure_follows_the_trace() {
    let folder = TempDir::new().unwrap();
    // Ten seconds between refreshes, one inference every ten milliseconds: what rests for a layer keeps its charge, and weights
    // are refreshed by being read.
    let often = run(folder.path(), &["--set", "workload.inferences_per_second=100"]);
    let seldom = run(folder.path(), &["--set", "workload.inferences_per_second=0.05"]);
    let rate = |result: &Value| number(by_stop(result, "weight_fc1")[0], "/bit_error_rate");
    assert_eq!(by_stop(&often, "weight_fc1")[0]["memory"], "dram");
    assert!(
        rate(&seldom) > 1e-6 && rate(&often) < rate(&seldom) / 100.0,
        "{} {}",
        rate(&often),
        rate(&seldom)
    );
    // An inference cannot be asked for more often than it takes.
    let fastest = run(folder.path(), &["--set", "workload.inferences_per_second=1e9"]);
    let design = &fastest["accelerator"]["design"];
    assert_eq!(number(design, "/period_s"), number(design, "/seconds"));
}

#[test]
fn a_given_trace_takes_the_place_of_the_computed_one() {
    let folder = TempDir::new().unwrap();
    let computed = run(folder.path(), &[]);
    approxmem(folder.path(), &["trace", &config(), "-q", "--out", "traced"]);
    let given = run(folder.path(), &["--set", "trace.file=traced/layer_trace.csv"]);
    assert_eq!(given["accelerator"]["fidelity"], "given");
    let (one, other) = (&given["accelerator"]["design"], &computed["accelerator"]["design"]);
    for figure in
        ["cycles", "stall_cycles", "seconds", "period_s", "dram_read_bytes", "dram_bursts", "energy_pj"]
    {
        assert_eq!(one[figure], other[figure], "{figure}");
    }
    assert_eq!(given["energy"]["total_pj"], computed["energy"]["total_pj"]);
    let rates = |result: &Value| -> Vec<Value> {
        let stops = result["faults"]["by_stop"].as_array().unwrap();
        stops.iter().map(|stop| stop["bit_error_rate"].clone()).collect()
    };
    assert_eq!(rates(&given), rates(&computed));
    // What the same design would take without approximation, no file tells.
    assert!(given["accelerator"]["nominal"].is_null() && given["accelerator"]["saving_of_nominal"].is_null());
    for (key, message) in [
        ("accelerator.clock_mhz=100", "the clock in MHz is 200 there and 100 here"),
        ("accelerator.batch=2", "the batch is 1 there and 2 here"),
        (
            "link.bits.\"weight_*\"=5",
            "the word of the filter of layer `conv1` is of 6 bits there and of 5 here",
        ),
    ] {
        let arguments = ["--set", "trace.file=traced/layer_trace.csv", "--set", key];
        let said = refused(folder.path(), &arguments);
        assert!(said.contains(message), "{said}");
    }
    // A layer that the trace has not is named.
    let text = std::fs::read_to_string(folder.path().join("traced/layer_trace.csv")).unwrap();
    let without: Vec<&str> = text.lines().filter(|line| !line.contains(",fc2,")).collect();
    std::fs::write(folder.path().join("short.csv"), without.join("\n")).unwrap();
    let said = refused(folder.path(), &["--set", "trace.file=short.csv"]);
    assert!(said.contains("has no layer `fc2`"), "{said}");
}

#[test]
fn placements_that_the_accelerator_does_not_follow_are_refused() {
    let folder = TempDir::new().unwrap();
    let place = |path: &str| refused(folder.path(), &["--set", &format!("placement.\"weight_*\"={path}")]);
    let said = place("[\"input_buffer\"]");
    assert!(said.contains("is placed in memory `input_buffer`"), "{said}");
    let said = place("[\"weight_buffer\", \"dram\"]");
    assert!(said.contains("is placed in memory `weight_buffer` before DRAM `dram`"), "{said}");
}

#[test]
fn what_a_placement_does_not_name_is_precise_and_said_to_be() {
    let folder = TempDir::new().unwrap();
    let result = run(folder.path(), &["--set", "placement.\"neuron_*\"=[\"input_buffer\"]"]);
    assert!(by_stop(&result, "neuron_conv2").is_empty());
    let notes = result["notes"].as_array().unwrap();
    let is_said = |note: &Value| {
        let note = note.as_str().unwrap();
        note.starts_with("memory `output_buffer`: neuron_conv2, neuron_fc2") && note.contains("precise cells")
    };
    assert!(notes.iter().any(is_said), "{notes:?}");
    // Weights at home in a precise DRAM: narrowed on their way into the buffer.
    let result = run(folder.path(), &["--set", "placement.\"weight_*\"=[\"weight_buffer\"]"]);
    let stops = by_stop(&result, "weight_fc1");
    assert_eq!(
        (stops.len(), &stops[0]["memory"], &stops[0]["word_bits"]),
        (1, &"weight_buffer".into(), &6.into())
    );
}

#[test]
fn every_rank_draws_power() {
    let folder = TempDir::new().unwrap();
    let standing = |ranks: &str| {
        let traced = trace(folder.path(), &["--set", &format!("accelerator.dram.ranks={ranks}")]);
        let parts = traced["totals"]["energy"].as_array().unwrap();
        let of = |component: &str| -> f64 {
            let part = |part: &&Value| part["component"] == component && part["memory"] == "dram";
            number(parts.iter().find(part).unwrap(), "/energy_pj")
        };
        [of("standby"), of("refresh")]
    };
    let [one, four] = [standing("1"), standing("4")];
    for (one, four) in one.into_iter().zip(four) {
        assert!((four / one / 4.0 - 1.0).abs() < 1e-3, "{one} {four}");
    }
}

#[test]
fn losses_can_be_attributed() {
    let folder = TempDir::new().unwrap();
    let result = run(folder.path(), &["--attribute"]);
    let parts = result["attribution"]["parts"].as_array().unwrap();
    let names: Vec<_> = parts.iter().map(|part| part["part"].as_str().unwrap()).collect();
    assert_eq!(names, ["formats", "link", "dram", "weight_buffer", "input_buffer", "output_buffer"]);
}

#[test]
fn any_number_of_threads_and_a_sweep_give_the_same() {
    let folder = TempDir::new().unwrap();
    let config = config();
    let fixed = ["run", &config, "--json", "-q", "--trials", "3", "--images", "50"];
    let results: Vec<_> = ["1", "2", "5"]
        .map(|threads| approxmem(folder.path(), &[&fixed[..], &["--threads", threads]].concat()))
        .into();
    assert!(results.iter().all(|result| *result == results[0]));
    let swept = approxmem(
        folder.path(),
        &[
            "sweep",
            &config,
            "--json",
            "-q",
            "--trials",
            "3",
            "--images",
            "50",
            "--over",
            "accelerator.rows=[8, 16]",
        ],
    );
    let swept: Value = serde_json::from_slice(&swept).unwrap();
    let single: Value = serde_json::from_slice(&results[0]).unwrap();
    let points = swept["points"].as_array().unwrap();
    assert_eq!(points[1]["result"]["accelerator"], single["accelerator"]);
    assert_ne!(points[0]["result"]["accelerator"], single["accelerator"]);
}

//! `approxmem presets` and `approxmem memory`, against published figures and closed forms.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use assert_cmd::Command;
use serde_json::Value;

fn output(arguments: &[&str], code: i32) -> [String; 2] {
    let output = Command::cargo_bin("approxmem").unwrap().args(arguments).assert().code(code);
    let output = output.get_output();
    [&output.stdout, &output.stderr].map(|text| String::from_utf8(text.clone()).unwrap())
}

fn json(arguments: &[&str]) -> Value {
    let [stdout, _] = output(&[arguments, &["--json"]].concat(), 0);
    serde_json::from_str(&stdout).expect("standard output is JSON and nothing else")
}

/// The figure `name` at every point.
fn figures(result: &Value, name: &str) -> Vec<f64> {
    let points = result["points"].as_array().unwrap();
    points
        .iter()
        .map(|point| point["figures"][name].as_f64().unwrap_or_else(|| panic!("no {name}")))
        .collect()
}

/// What is said, without the line breaks of the terminal.
fn said(stderr: &str) -> String {
    stderr.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found / expected - 1.0).abs() <= tolerance, "{found} is not {expected}");
    }
}

#[test]
fn presets_are_listed_with_their_tables() {
    let [text, _] = output(&["presets"], 0);
    let list = json(&["presets"]);
    let presets = list.as_array().unwrap();
    assert!(presets.len() > 25);
    for preset in presets {
        let [name, table, summary] =
            ["name", "table", "summary"].map(|key| preset[key].as_str().unwrap().to_owned());
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        assert!(line.contains(&format!(" {table} ")), "{line}");
        assert!(said(&text).contains(&format!("{name} {table} {summary}")), "{text}");
        let [shown, _] = output(&["presets", "show", &name], 0);
        assert!(shown.lines().chain(text.lines()).all(|line| line.chars().count() <= 120), "{shown}");
        let shown = json(&["presets", "show", &name]);
        assert_eq!((&shown["name"], &shown["table"]), (&preset["name"], &preset["table"]));
    }
}

#[test]
fn every_constant_is_shown_with_its_source() {
    let [text, _] = output(&["presets", "show", "sram.14nm.stutz21"], 0);
    for part in [
        "sram.14nm.stutz21 (sram.error): 6T SRAM of a 14 nm FinFET test chip",
        "mu = 0.70545 V/Vmin\n    derived, valid 0 to 0.75: probit fit",
        "found: Stutz et al., MLSys 2021",
        "    doubt: Vmin in volts is not published",
        "0.9583333333333334",
    ] {
        assert!(text.contains(part), "expected `{part}` in {text}");
    }
    let shown = json(&["presets", "show", "dram.flikker48"]);
    for constant in shown["constants"].as_array().unwrap() {
        let known = constant["known"].as_str().unwrap();
        assert!(["found", "recalled", "derived"].contains(&known));
        assert!(!constant["source"].as_str().unwrap().is_empty() && constant["unit"].is_string());
    }
    let [_, stderr] = output(&["presets", "show", "sram.14nm.stutz12"], 2);
    let expected = "error: there is no preset `sram.14nm.stutz12` help: did you mean `sram.14nm.stutz21`? `approxmem presets` \
                    lists them";
    assert_eq!(said(&stderr), expected);
}

#[test]
fn v1_v3_sram_over_voltage() {
    let over =
        "v=[0.75, 0.7916666666666666, 0.8333333333333334, 0.875, 0.9166666666666666, 0.9583333333333334]";
    let arguments = ["memory", "sram.14nm.stutz21", "--over", over];
    let published = [0.2056, 5.573e-2, 1.115e-2, 1.29e-3, 6.866e-5, 1.907e-6];
    let probit = json(&arguments);
    assert_near(&figures(&probit, "bit_error_rate"), &published, 0.25);
    let table = json(&[&arguments[..], &["--set", "curve=table"]].concat());
    assert_near(&figures(&table, "bit_error_rate"), &published, 1e-12);
    let energies: Vec<f64> =
        [18.0, 19.0, 20.0, 21.0, 22.0, 23.0].map(|k: f64| (k / 24.0) * (k / 24.0)).to_vec();
    assert_near(&figures(&probit, "access_energy_over_vmin"), &energies, 1e-12);
    assert!(probit["columns"].as_array().unwrap().iter().all(|column| column != "read_pj"));
}

#[test]
fn the_published_example_of_protection_that_loses() {
    let arguments = ["memory", "sram.14nm.stutz21", "--over", "bit_error_rate=[1e-4, 1e-3, 1e-2]", "--set"];
    let unprotected = json(&[&arguments[..], &["word_bits=8"]].concat());
    assert_near(&figures(&unprotected, "bit_error_rate"), &[1e-4, 1e-3, 1e-2], 1e-9);
    let all = figures(&unprotected, "access_energy_over_vmin");
    let protected = |word_bits: &str| {
        let set = ["protected_msbs=3", "--set", "how=dual_rail", "--set", word_bits];
        figures(&json(&[&arguments[..], &set].concat()), "protected_energy_over_vmin")
    };
    // Three digits are published.
    for (found, expected) in [
        (&all, [0.830, 0.768, 0.696]),
        (&protected("word_bits=8"), [0.894, 0.855, 0.810]),
        (&protected("word_bits=16"), [0.862, 0.812, 0.753]),
    ] {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-3, "{found} is not {expected}");
        }
    }
    assert!(protected("word_bits=8")[1] > all[0] && protected("word_bits=16")[1] < all[0]);
}

#[test]
fn v4_v5_sram_of_45_nm_with_its_array_on_a_rail() {
    let arguments = [
        "memory",
        "sram.45nm.dpcs15",
        "cacti7.45nm.hp",
        "--set",
        "direction=flip",
        "--set",
        "size_bytes=65536",
        "--set",
        "rail=array_only",
        "--over",
        "v=[0.5, 0.6, 0.7, 0.8, 0.9, 1.0]",
    ];
    let result = json(&arguments);
    let rates = [1.93e-3, 1.35e-4, 6.44e-6, 2.16e-7, 5.24e-9, 9.49e-11];
    assert_near(&figures(&result, "bit_error_rate"), &rates, 0.03);
    // V5: access energy 0.5/1.0 V, static power 0.7/1.0 V; the tool's array draws 29.0 pJ and 59.7 mW at 1 V.
    let reads = figures(&result, "read_pj");
    assert_near(&[reads[0] / reads[5], reads[5]], &[0.797, 29.0], 0.03);
    let leakage = figures(&result, "leakage_mw");
    assert_near(&[leakage[2] / leakage[5], leakage[5]], &[0.495, 59.7], 0.03);
}

#[test]
fn v8_v10_v11_dram_over_refresh() {
    let arguments = ["memory", "dram.flikker48", "ddr4_2400_8gb_x8", "--set", "devices=1"];
    let axis = ["--over", "refresh_interval_ms=[1000, 2000, 5000, 10000, 20000]"];
    let result = json(&[&arguments[..], &axis].concat());
    let rates = [4.0e-8, 2.6e-7, 3.8e-6, 2.0e-5, 1.3e-4];
    assert_near(&figures(&result, "weak_cell_share"), &rates, 0.2);
    let half: Vec<f64> = figures(&result, "weak_cell_share").iter().map(|share| share / 2.0).collect();
    assert_near(&figures(&result, "bit_error_rate"), &half, 1e-12);
    // Slowing refresh by m divides its power and the time that it takes.
    let nominal = json(&[&arguments[..], &["--set", "refresh_interval_ms=64"]].concat());
    let [power] = figures(&nominal, "refresh_mw")[..] else { panic!("one point") };
    let [lost] = figures(&nominal, "refresh_time_share")[..] else { panic!("one point") };
    assert_near(&[power, lost], &[11.2, 0.045], 0.02);
    let slowed: Vec<f64> = [1.0, 2.0, 5.0, 10.0, 20.0].map(|seconds| power * 0.064 / seconds).to_vec();
    assert_near(&figures(&result, "refresh_mw"), &slowed, 1e-12);
    let share = figures(&nominal, "refresh_share_of_standby")[0];
    assert_near(&[share], &[power / (power + 1.2 * 34.0)], 1e-12);
    let devices = [
        ("ddr4_2400_8gb_x8", 5.73),
        ("ddr4_2400_4gb_x8", 8.78),
        ("ddr3l_1600_4gb_x8", 12.6),
        ("lpddr4_3200_8gb_x16", 8.47),
        ("hbm2_2000_8gb_x128", 1.57),
    ];
    for (device, read) in devices {
        assert_near(&figures(&json(&["memory", device]), "read_pj_per_bit"), &[read], 0.01);
    }
}

#[test]
fn v12_dram_latency() {
    let result = json(&["memory", "ddr4_2400_8gb_x8"]);
    for (name, expected) in [("hit_ns", 17.5), ("closed_ns", 31.7), ("conflict_ns", 45.8)] {
        assert!((figures(&result, name)[0] - expected).abs() < 0.1);
    }
}

#[test]
fn intervals_by_bit_and_precise_bits_share_the_refresh() {
    let refresh = |settings: &[&str]| {
        let mut arguments = vec!["memory", "ddr4_2400_8gb_x8", "--set", "word_bits=8"];
        arguments.extend(settings.iter().flat_map(|setting| ["--set", *setting]));
        figures(&json(&arguments), "refresh_mw")[0]
    };
    let nominal = refresh(&[]);
    let by_bit = refresh(&["refresh_interval_ms=[64, 64, 640]"]);
    assert_near(&[by_bit], &[nominal * (2.0 + 6.0 / 10.0) / 8.0], 1e-12);
    let split = refresh(&["refresh_interval_ms=640", "protected_msbs=2", "how=precise_bank"]);
    assert_near(&[split], &[by_bit], 1e-12);
}

#[test]
fn codes_and_thicker_cells_protect_less_than_perfectly() {
    let arguments = ["memory", "sram.14nm.stutz21", "--set", "v=0.875", "--set", "word_bits=8", "--set"];
    let with = |settings: &[&str]| {
        let mut all = arguments.to_vec();
        all.extend(settings);
        json(&all)
    };
    let coded = with(&["protected_msbs=8", "--set", "how=secded", "--set", "curve=table"]);
    // CF11 at the published rate of 1.29e-3.
    let residual = 1.29e-3 * (1.0 - (1.0_f64 - 1.29e-3).powi(71));
    assert_near(&figures(&coded, "protected_bit_error_rate"), &[residual], 1e-9);
    assert_near(&figures(&coded, "protected_area_over_unprotected"), &[1.125], 1e-12);
    assert!(coded["points"][0]["figures"]["bit_error_rate"].is_null(), "no bit is left unprotected");
    let thick = with(&["protected_msbs=3", "--set", "how=8t", "--set", "delta_v=0.0416666666666667"]);
    assert_near(&figures(&thick, "protected_bit_error_rate"), &[6.866e-5], 0.25);
    // V15.
    assert_near(&figures(&thick, "protected_area_over_unprotected"), &[1.116], 5e-4);
}

#[test]
fn uniform_memories_have_their_rate() {
    let result = json(&["memory", "stt.delta25", "--set", "word_bits=4", "--over", "ber=[0.1, [0, 0, 0.5]]"]);
    assert_near(&figures(&result, "bit_error_rate"), &[0.1, 0.25], 1e-12);
}

#[test]
fn csv_has_units_and_gaps_are_empty() {
    let arguments =
        ["memory", "cacti7.22nm.lstp", "--set", "size_bytes=65536", "--over", "v=[0.4, 0.8]", "--csv"];
    let [csv, stderr] = output(&arguments, 0);
    let lines: Vec<_> = csv.lines().collect();
    let header = "v,v_volts,access_energy_over_nominal,read_pj,write_pj,leakage_mw,access_ns,area_mm2";
    assert_eq!(lines[0], header);
    assert_eq!(lines[2], "0.8,0.8,1,5.67,,,,");
    assert_eq!((lines.len(), stderr.as_str()), (3, ""));
    let [text, _] = output(&arguments[..arguments.len() - 1], 0);
    assert!(text.contains("5.67") && text.contains("- : not published"), "{text}");
}

#[test]
fn doubts_are_said_once_on_standard_error() {
    let arguments = [
        "memory",
        "dram.ddr3l_70c",
        "--over",
        "refresh_interval_ms=[2000, 500000]",
        "--over",
        "row_block=[1]",
    ];
    let [_, stderr] = output(&arguments, 2);
    assert!(said(&stderr).contains("`memory.error.row_block` does not apply"), "{stderr}");
    let [stdout, stderr] = output(&arguments[..4], 0);
    assert_eq!(stdout.lines().count(), 5);
    let message = "`memory.error.refresh_interval_ms`: after 500000 ms at 70 °C a share of";
    assert_eq!(said(&stderr).matches(message).count(), 1, "{stderr}");
    assert_eq!(stderr.matches("warning:").count(), 1);
    let [_, quiet] = output(&[&arguments[..4], &["--quiet"]].concat(), 0);
    assert_eq!(quiet, "");
}

#[test]
fn mistakes_are_told_where_they_were_typed() {
    for (arguments, expected) in [
        (
            &["sram.14nm.stutz21", "--over", "v=0.5..1.0/3"][..],
            "error: `memory.error.v`: 0.5 Vmin lies outside of the voltages that `sram.14nm.stutz21` was fitted to, 0.75 to 1 Vmin \
             ,-[--over:1:3]",
        ),
        (&["sram.14nm.stutz21"], "error: missing key `memory.error.v` ,-[sram.14nm.stutz21:3:1]"),
        (&["sram.14nm.stutz21", "--set", "vdd=1"], "error: unknown key `vdd` ,-[--set:1:1]"),
        (
            &["sram.14nm.stutz21", "--set", "refresh_interval_ms=64"],
            "error: unknown key `refresh_interval_ms` ,-[--set:1:1]",
        ),
        (&["sram.14nm.stutz21", "--set", "error.vv=1"], "error: missing key `memory.error.v`"),
        (
            &["sram.14nm.stutz21", "dram.flikker48"],
            "error: `dram.flikker48` (dram.error) does not go together with `sram.14nm.stutz21` (sram.error) ,-[PRESET:1:1]",
        ),
        (&["sram.14nm.stutz", "cacti"], "error: there is no preset `sram.14nm.stutz` ,-[PRESET:1:1]"),
        (
            &["sram.14nm.stutz21", "--over", "bit_error_rate=[0.4]"],
            "error: `memory.error.bit_error_rate`: 4e-1 is not the rate at any of the voltages that the curve is known for, which \
             is 4.904e-8 to 2.101e-1",
        ),
        (
            &["sram.14nm.stutz21", "--set", "bit_error_rate=0.1", "--set", "v=0.9"],
            "error: `v` and `bit_error_rate` exclude each other",
        ),
        (
            &["sram.14nm.stutz21", "--set", "v=0.9", "--set", "protected_msbs=3"],
            "error: missing key `memory.word_bits`",
        ),
        (
            &["sram.14nm.stutz21", "--set", "v=0.9", "--set", "protected_msbs=9", "--set", "word_bits=8"],
            "error: `memory.protected_msbs` is 9, but a word has 8 bits",
        ),
        (
            &["sram.14nm.stutz21", "--over", "v=[0.9]", "--over", "v=[0.8]"],
            "error: the axes `v` and `v` set the same key",
        ),
        (
            &["ddr4_2400_8gb_x8", "--set", "refresh_interval_ms=32"],
            "error: `memory.error.refresh_interval_ms` must be a number of at least 64 (ms), the nominal interval of the device",
        ),
        (
            &["cacti7.45nm.hp", "--set", "size_bytes=65536", "--set", "v=1.2"],
            "error: [memory.energy]: `v` = 1.2 is outside (0, v_nom]",
        ),
        (
            &["sram.14nm.stutz21", "--set", "v=0.9", "--set", "error.ser_fit_per_mbit=1000"],
            "error: `memory.error.ser_fit_per_mbit` does not apply to a memory alone: how long its data rest is unknown",
        ),
    ] {
        let [stdout, stderr] = output(&[&["memory"], arguments].concat(), 2);
        assert!(said(&stderr).contains(expected), "{arguments:?}: {}", said(&stderr));
        assert_eq!(stdout, "");
    }
}

/// 243,860,928 bytes on DDR4-2400 with two ranks: 13.25 ms of `DRAMsim3`, whose clock is 0.4 % faster.
#[test]
fn a_stream_shows_closed_form_beside_replay() {
    let arguments =
        ["memory", "ddr4_2400_8gb_x8", "--stream", "read", "--bytes", "24386048", "--set", "ranks=2"];
    let result = json(&arguments);
    let point = &result["points"][0];
    assert_eq!(point["closed_form"]["binding"], "bus");
    let figure = |name: &str, kind: &str| {
        let figures = point["figures"].as_array().unwrap();
        let found = figures.iter().find(|figure| figure["name"] == name).unwrap();
        found[kind].as_f64().unwrap_or_else(|| panic!("no {name}"))
    };
    for kind in ["closed_form", "replay"] {
        assert_near(&[figure("time_us", kind)], &[1325.0 * 0.833 / 0.83], 0.01);
        assert_near(&[figure("bandwidth_of_peak", kind)], &[0.9548], 0.01);
        let parts = ["activate_pj", "read_pj", "write_pj", "interface_pj", "refresh_pj", "background_pj"];
        let sum: f64 = parts.iter().map(|part| figure(part, kind)).sum();
        assert_near(&[sum], &[figure("total_pj", kind)], 1e-12);
    }
    let [text, _] = output(&arguments, 0);
    for part in [
        "address map rochrabacobg, bursts of 64 bytes; energy of 16 devices: channels 1, ranks 2, devices 8 of 8 bits",
        "what binds: bus",
        "refresh takes 4.50 % of the time",
    ] {
        assert!(said(&text).contains(part), "expected `{part}` in {text}");
    }
    let [csv, _] = output(&[&arguments[..], &["--csv"]].concat(), 0);
    assert!(csv.starts_with("closed_form_cycles,") && csv.lines().count() == 2, "{csv}");
}

#[test]
fn a_poor_map_is_named_and_an_axis_compares_it() {
    let arguments = [
        "memory",
        "ddr4_2400_8gb_x8",
        "--stream",
        "read",
        "--bytes",
        "6400000",
        "--over",
        r#"address_map=["rochrabacobg", "rochrababgco"]"#,
    ];
    let result = json(&arguments);
    let bindings: Vec<_> = result["points"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["closed_form"]["binding"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(bindings, ["bus", "bank_group"]);
    let [text, _] = output(&arguments, 0);
    assert!(said(&text).contains("a map that ends in bg avoids it"), "{text}");
}

#[test]
fn a_stream_needs_a_dram_and_good_keys() {
    let stream = |memory: &str, extra: &[&str]| {
        let arguments = [&["memory", memory, "--stream", "read", "--bytes", "64000"], extra].concat();
        said(&output(&arguments, 2)[1])
    };
    let error = stream("sram.14nm.stutz21", &["--set", "v=0.9"]);
    assert!(error.contains("a stream needs a DRAM whose devices are known"), "{error}");
    let error = stream("ddr4_2400_8gb_x8", &["--set", "address_map=rochraba"]);
    assert!(error.contains("`address_map` = `rochraba`: 8 letters instead of 12"), "{error}");
    let error = stream("ddr4_2400_8gb_x8", &["--set", "ranks=3"]);
    assert!(
        error.contains("the number of ranks is 3: a field of the address needs a power of two"),
        "{error}"
    );
    let error = stream("nowhere.ini", &[]);
    assert!(error.contains("nowhere.ini: "), "{error}");
    let error = said(&output(&["memory", "ddr4_2400_8gb_x8", "--stream", "read"], 2)[1]);
    assert!(error.contains("--bytes <N>"), "{error}");
}

#[test]
fn a_file_of_dramsim3_stands_for_a_preset_and_its_trace_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (file, trace) = (folder.path().join("ddr3.ini"), folder.path().join("stream.trace"));
    let text = "[dram_structure]\nprotocol = DDR3\nbankgroups = 1\nbanks_per_group = 8\n[timing]\ntCK = 1.25\n\
                [system]\nchannel_size = 8192\naddress_mapping = rochrababgco\n";
    std::fs::write(&file, text).unwrap();
    let [file, trace] = [&file, &trace].map(|path| path.to_str().unwrap());
    let arguments = ["memory", file, "--stream", "mix", "--bytes", "19200", "--export", trace, "--json"];
    let [stdout, stderr] = output(&arguments, 0);
    let result: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(result["points"][0]["replay"]["activity"]["reads"], 200);
    assert!(said(&stderr).contains("not in the file, so as in DRAMsim3:"), "{stderr}");
    assert!(stderr.contains("tREFI = 7800"), "{stderr}");
    let trace = std::fs::read_to_string(trace).unwrap();
    assert_eq!(trace.lines().count(), 300);
    assert!(
        trace.starts_with("0x0 READ 0\n") && trace.lines().nth(2).unwrap().ends_with(" WRITE 0"),
        "{trace}"
    );
}

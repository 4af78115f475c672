//! `approxmem reproduce`: the paper's tables on the command line.

#![allow(clippy::unwrap_used, reason = "a command that cannot be run fails the test")]

use assert_cmd::Command;
use predicates::prelude::*;
use serde_json::Value;
use std::path::Path;

fn reproduce(arguments: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("approxmem").unwrap();
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("reproduce").args(arguments).assert()
}

fn json(arguments: &[&str]) -> Value {
    let output = reproduce(arguments).success().get_output().stdout.clone();
    serde_json::from_slice(&output).unwrap()
}

/// A share in percent with two decimals, as a table prints it.
fn printed(share: &Value) -> String {
    format!("{:.2}", share.as_f64().unwrap() * 100.0)
}

#[test]
fn v17_table_2_has_the_papers_volumes_and_shares() {
    let tables = json(&["table2", "--json"])["table2"].clone();
    let of = |name: &str| tables.as_array().unwrap().iter().find(|t| t["network"] == name).unwrap().clone();
    let volumes =
        ["lenet5", "cifar10_full", "alexnet", "vgg16"].map(|name| of(name)["volume_words"].as_u64().unwrap());
    assert_eq!(volumes, [46_534, 103_914, 61_380_259, 147_472_680]);
    let alexnet = of("alexnet");
    let subsets = alexnet["subsets"].as_array().unwrap();
    let names: Vec<_> = subsets.iter().map(|subset| subset["subset"].as_str().unwrap()).collect();
    assert_eq!(names, ["weight_fc6", "weight_fc7", "weight_fc8", "weight_conv3", "weight_conv4"]);
    for key in ["share", "printed_share"] {
        let shares: Vec<_> = subsets.iter().map(|subset| printed(&subset[key])).collect();
        assert_eq!(shares, ["61.50", "27.33", "6.67", "1.44", "1.08"], "{key}");
    }
    assert_eq!([printed(&alexnet["share_sum"]), printed(&alexnet["printed_share_sum"])], ["98.03", "98.02"]);
    assert_eq!(of("lenet5")["printed_volume_words"], 46_834);
}

#[test]
fn v17_table_4_gives_the_papers_reductions_on_printed_shares_and_on_exact_volumes() {
    let value = json(&["table4", "--json", "--images", "50"])["table4"].clone();
    let rows = value["rows"].as_array().unwrap();
    let column = |key: &str| rows.iter().map(|row| printed(&row[key])).collect::<Vec<_>>();
    assert_eq!(column("dvr_on_printed_shares"), ["86.60", "78.71", "82.40", "73.80"]);
    assert_eq!(column("printed_dvr"), ["86.60", "78.71", "82.40", "73.80"]);
    assert_eq!(column("dvr"), ["87.17", "78.71", "82.41", "73.79"]);
    assert_eq!(printed(&value["mean"]["dvr_on_printed_shares"]), "80.38");
    assert_eq!(printed(&value["mean"]["printed_dvr"]), "80.38");
    let sources: Vec<_> = rows.iter().map(|row| row["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["inferred", "inferred", "printed", "inferred"]);
    assert_eq!(rows[2]["widths_bits"], serde_json::json!([5, 5, 5, 8, 10]));
    assert!(rows[0]["consistent_schemes"].as_u64().unwrap() > 1);
}

#[test]
fn widths_of_the_user_replace_inferred_ones() {
    let given = [
        "table4",
        "--json",
        "--networks",
        "lenet5",
        "--images",
        "50",
        "--paper-widths",
        "lenet5=16,16,16,16,16",
    ];
    let table = json(&given)["table4"].clone();
    let row = table["rows"][0].clone();
    assert_eq!((row["source"].as_str().unwrap(), &row["gives_both"]), ("given", &Value::Bool(false)));
    // Half of all bits of the five subsets, which are 44,904 of 46,534 words.
    assert!((row["dvr"].as_f64().unwrap() - 44_904.0 / 46_534.0 / 2.0).abs() < 1e-12);
    let measured = table["measured"].as_array().unwrap().iter();
    let paper: Vec<_> = measured.filter(|scheme| scheme["search"] == "paper's bit-widths").collect();
    assert_eq!(paper.len(), 6, "one for each rounding and binary point");
    // 16 bits are more than enough: nothing is lost, whatever the rounding.
    assert!(
        paper.iter().all(|scheme| scheme["widths_bits"] == row["widths_bits"] && scheme["rpa"] == 1.0),
        "{paper:?}"
    );
}

#[test]
fn what_is_no_part_network_or_folder_is_bad_input() {
    reproduce(&["tabel2"]).code(2).stderr(predicate::str::contains("table2"));
    reproduce(&["table2", "--networks", "lenet4"])
        .code(2)
        .stderr(predicate::str::contains("did you mean `lenet5`"));
    reproduce(&["table2", "--data", "nowhere"])
        .code(2)
        .stderr(predicate::str::contains("`nowhere` is no folder"));
    reproduce(&["table2", "--checkout", "src"]).code(2).stderr(predicate::str::contains("--checkout DIR"));
    reproduce(&["table4", "--from", "src/nothing"]).code(2);
    reproduce(&["table3", "--weights", "alexnet"]).code(2).stderr(predicate::str::contains("NETWORK=FILE"));
    for widths in ["lenet5=3,3,4,4", "lenet5=0,3,4,4,4", "lenet5=33,3,4,4,4", "lenet5=a,b,c,d,e"] {
        let expected = "expected NETWORK= and 5 numbers from 1 to 32";
        reproduce(&["table4", "--paper-widths", widths]).code(2).stderr(predicate::str::contains(expected));
    }
    reproduce(&["table4", "--paper-widths", "squeezenet=1,1,1,1,1"]).code(2);
}

#[test]
fn networks_without_weights_or_images_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    reproduce(&["figure4", "--networks", "alexnet", "--out", out])
        .code(2)
        .stderr(predicate::str::contains("bring a caffemodel with --weights alexnet=FILE"))
        .stderr(predicate::str::contains("figure4: nothing to show of alexnet"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is written");
    reproduce(&["table2", "--networks", "lenet5,lenet5_fyh620"])
        .code(2)
        .stderr(predicate::str::contains("nothing to show of lenet5_fyh620"));
    reproduce(&["figure7", "--networks", "vgg16", "--from", "docs/reproduction"])
        .code(2)
        .stderr(predicate::str::contains("holds no measurement"));
}

#[test]
fn a_damaged_measurement_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lenet5.json");
    let from = folder.path().to_str().unwrap();
    for (text, expected) in [
        ("{", "holds no measurement"),
        ("{ \"schema_version\": 1 }", "missing field"),
        ("{ \"schema_version\": 9999 }", "schema_version 9999"),
    ] {
        std::fs::write(&file, text).unwrap();
        reproduce(&["table3", "--from", from]).code(2).stderr(predicate::str::contains(expected));
    }
}

#[test]
fn a_measurement_gives_the_same_document_again() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let few = ["--networks", "lenet5", "--images", "200", "--trials", "3"];
    let asked = [&["all", "--out", first.to_str().unwrap()][..], &few].concat();
    reproduce(&asked).success();
    let saved = first.join("reproduction");
    let again =
        ["all", "--networks", "lenet5", "--from", saved.to_str().unwrap(), "--out", second.to_str().unwrap()];
    reproduce(&again).success();
    let read = |folder: &Path, name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    for name in ["reproduction.md", "reproduction/tables.json", "reproduction/figure7-lenet5.svg"] {
        assert_eq!(read(&first, name), read(&second, name), "{name}");
    }
    let text = read(&first, "reproduction.md");
    assert!(
        text.contains("`approxmem reproduce --networks lenet5 --seed 1 --images 200 --trials 3`"),
        "{text}"
    );
    for number in 4..=8 {
        assert!(text.contains(&format!("(reproduction/figure{number}-lenet5.svg)")), "figure {number}");
    }
}

#[test]
fn folders_without_measurements_and_weights_that_are_no_file_are_refused() {
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().to_str().unwrap();
    let refused = |arguments: &[&str], said: &str| {
        reproduce(arguments).code(2).stderr(predicate::str::contains(said)).stdout("");
    };
    refused(&["--from", folder], "holds no measurement");
    refused(&["table3", "--networks", "alexnet", "--weights", "alexnet=gone.caffemodel"], "is no file");
}

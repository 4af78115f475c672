use super::*;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_embedded_file_is_a_preset() {
    for text in FILES {
        let preset = Preset::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(!preset.summary.is_empty() && !preset.constants.is_empty(), "{}", preset.name);
    }
}

#[test]
fn every_file_of_the_folder_is_embedded_under_its_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/presets");
    let files: BTreeSet<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let names: BTreeSet<_> = all().iter().map(|preset| format!("{}.toml", preset.name)).collect();
    assert_eq!(names, files);
    assert_eq!(names.len(), FILES.len(), "two presets of one name");
}

#[test]
fn every_constant_has_unit_source_and_a_value_in_its_range() {
    for preset in all() {
        for (key, constant) in &preset.constants {
            let place = format!("{} of {}", key, preset.name);
            assert!(!constant.unit.is_empty() && constant.source.len() > 10, "{place}");
            assert!(constant.doubt.as_ref().is_none_or(|doubt| !doubt.is_empty()), "{place}");
            let numbers = constant.value.numbers();
            assert!(numbers.iter().all(|number| number.is_finite()), "{place}");
            if let Value::Rows(rows) = &constant.value {
                assert!(!rows.is_empty() && rows.iter().all(|row| row.len() == rows[0].len()), "{place}");
            }
            if let Some([least, greatest]) = constant.range {
                assert!(least < greatest && !numbers.is_empty(), "{place}");
                assert!(numbers.iter().all(|number| (least..=greatest).contains(number)), "{place}");
            }
        }
    }
}

/// What is recalled can only be checked by who knows where to look: a work and its year.
#[test]
fn every_recalled_constant_names_a_citation() {
    let cites = |source: &str| {
        source
            .as_bytes()
            .windows(4)
            .any(|year| matches!(&year[..2], b"19" | b"20") && year[2..].iter().all(u8::is_ascii_digit))
    };
    assert!(cites("Liu et al., ASPLOS 2011") && !cites("well known, 999 times"));
    for preset in all() {
        for (key, constant) in &preset.constants {
            assert!(constant.tag != Tag::Recalled || cites(&constant.source), "{} of {}", key, preset.name);
        }
    }
}

#[test]
fn presets_are_found_by_name_with_their_constants_in_the_order_of_the_file() {
    let preset = find("sram.14nm.stutz21").unwrap();
    assert_eq!((preset.table, preset.table.to_string().as_str()), (Table::SramError, "sram.error"));
    let keys: Vec<_> = preset.constants.iter().map(|(key, _)| key.as_str()).take(3).collect();
    assert_eq!(keys, ["curve", "mu", "sigma"]);
    let mu = preset.constant("mu").unwrap();
    assert_eq!((&mu.value, mu.tag, mu.range), (&Value::Number(0.70545), Tag::Derived, Some([0.0, 0.75])));
    assert!(preset.constant("nu").is_none() && find("sram").is_none());
}

#[test]
fn mistyped_files_are_refused() {
    let text = FILES[0];
    for (from, to) in [
        ("tag = \"D\"", "tag = \"R-\""),
        ("table = \"sram.error\"", "table = \"sram\""),
        ("unit = \"V/Vmin\"", "units = \"V/Vmin\""),
        ("range = [0.0, 0.75]", "range = [0.0]"),
        ("value = 0.70545", "value = true"),
    ] {
        assert!(text.contains(from) && Preset::parse(&text.replacen(from, to, 1)).is_err(), "{to}");
    }
}

/// Retention of STT-MRAM: P(1 s) at a thermal stability of 30 and of 25.
#[test]
fn v13_stt_retention_after_one_second() {
    for (name, delta, published) in [("stt.delta30", 30.0_f64, 9.36e-5), ("stt.delta25", 25.0, 1.38e-2)] {
        let Value::Number(ber) = find(name).unwrap().constant("ber").unwrap().value else { panic!("{name}") };
        assert!((ber / published - 1.0).abs() < 0.01, "{name}: {ber:e}");
        let exact = -(-1e9 * (-delta).exp()).exp_m1();
        assert!((ber / exact - 1.0).abs() < 1e-4, "{name}: {ber:e}, exactly {exact:e}");
    }
}

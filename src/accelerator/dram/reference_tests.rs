//! Closed form and replay against runs of `DRAMsim3`: `dramsim3_runs.csv` and the cycles per burst of eleven more, all driven
//! through its programming interface on DDR4-2400 x64 with a full queue of 32 or as many requests as stated. Its energies are
//! multiplied by the period of the clock.

use super::*;
use crate::memory::energy::dram::Device;
use crate::memory::preset::{self, Value};

pub(super) fn device(name: &str, keys: &[(&str, f64)]) -> Device {
    let constants = preset::find(name).unwrap();
    let keys: Vec<_> = keys.iter().map(|&(key, value)| (key, Value::Number(value))).collect();
    Device::from_constants(name, &|key| {
        let typed = keys.iter().find(|(typed, _)| *typed == key).map(|(_, value)| value);
        typed.or(constants.constant(key).map(|known| &known.value))
    })
    .unwrap()
}

/// The system of one of the configurations, with `DRAMsim3`'s rounding of the clock and no energy of the interface.
pub(super) fn ddr4(configuration: &str) -> System {
    let refresh_cycles = match configuration {
        name if name.ends_with("noref") => 999_999_999.0,
        name if name.ends_with("2xref") => 4680.0,
        _ => 9360.0,
    };
    let map = if configuration.contains("stock") { "rochrababgco" } else { "rochrabacobg" };
    let ranks = if configuration.contains("1rank") { 1 } else { 2 };
    let keys = [
        ("tck_ns", 0.83),
        ("rfc_ns", 420.0 * 0.83),
        ("refi_ns", refresh_cycles * 0.83),
        ("io_pj_per_bit", 0.0),
    ];
    System::new(device("ddr4_2400_8gb_x8", &keys), map.parse().unwrap(), 1, ranks, 32).unwrap()
}

/// A row of `dramsim3_runs.csv`.
struct Reference {
    configuration: String,
    kind: String,
    stream: Stream,
    cycles: f64,
    activations: f64,
    refreshes: f64,
    row_hits: f64,
    energy_uj: f64,
}

fn rows() -> Vec<Reference> {
    let mut reader = csv::Reader::from_reader(include_str!("dramsim3_runs.csv").as_bytes());
    let header = reader.headers().unwrap().clone();
    let read = |row: csv::Result<csv::StringRecord>| {
        let row = row.unwrap();
        let text = |name: &str| row[header.iter().position(|column| column == name).unwrap()].to_owned();
        let number = |name: &str| text(name).parse::<f64>().unwrap();
        let (pattern, direction) = match text("kind").as_str() {
            "seqr" => (Pattern::Sequential, Direction::Read),
            "seqw" => (Pattern::Sequential, Direction::Write),
            "rndr" => (Pattern::Random, Direction::Read),
            "mix" => (Pattern::Sequential, Direction::Mixed),
            kind => panic!("{kind}"),
        };
        Reference {
            configuration: text("cfg"),
            kind: text("kind"),
            stream: Stream { pattern, direction, bytes: number("bytes") as u64 },
            cycles: number("cycles"),
            activations: number("acts"),
            refreshes: number("refs"),
            row_hits: number("row_hit_rate"),
            energy_uj: number("E_total_uJ_xtCK"),
        }
    };
    reader.records().map(read).collect()
}

#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    let error = found / expected - 1.0;
    assert!(error.abs() <= tolerance, "{what}: {found}, DRAMsim3 {expected}, {:+.2} %", 100.0 * error);
}

/// Ten times as near as asked for: what is left is the sequence of random addresses, and writes that the reference leaves in its
/// queues.
fn replay_agrees(kinds: &[&str], cycles: f64, energy: f64) {
    let rows: Vec<_> = rows().into_iter().filter(|row| kinds.contains(&row.kind.as_str())).collect();
    assert!(!rows.is_empty());
    for row in rows {
        let run = Replay::run(&ddr4(&row.configuration), &row.stream).unwrap();
        let Activity { reads, writes, merged, activations, refreshes, row_hits, .. } = run.activity;
        let what = format!("{} {}", row.configuration, row.kind);
        assert_close(run.activity.cycles as f64, row.cycles, cycles, &what);
        assert_close(run.energy.total_pj() * 1e-6, row.energy_uj, energy, &format!("energy of {what}"));
        assert_close(activations as f64, row.activations, cycles, &format!("activates of {what}"));
        assert!((refreshes as f64 - row.refreshes).abs() <= 1.0, "{what}: {refreshes}");
        assert!(
            (row_hits as f64 / (reads + writes) as f64 - row.row_hits).abs() < 1e-3,
            "{what}: {row_hits}"
        );
        assert_eq!(reads + writes + merged, row.stream.bytes.div_ceil(64), "{what}");
    }
}

#[test]
fn replay_of_sequential_reads() {
    replay_agrees(&["seqr"], 1e-5, 1e-4);
}

#[test]
fn replay_of_sequential_writes() {
    replay_agrees(&["seqw"], 1e-3, 1e-3);
}

#[test]
fn replay_of_random_reads() {
    replay_agrees(&["rndr"], 0.01, 5e-3);
}

#[test]
fn replay_of_two_reads_and_a_write() {
    replay_agrees(&["mix"], 0.01, 5e-3);
}

#[test]
fn closed_form_of_the_reference_runs() {
    for row in rows() {
        let estimate = closed_form(&ddr4(&row.configuration), &row.stream).unwrap();
        let what = format!("{} {}", row.configuration, row.kind);
        let is_stock = row.configuration.contains("stock");
        assert_eq!(
            estimate.not_covered.contains(&Case::OneBankGroup),
            is_stock && row.kind != "rndr",
            "{what}"
        );
        assert_eq!(estimate.not_covered.contains(&Case::MixedDirections), row.kind == "mix", "{what}");
        assert_eq!(estimate.not_covered.contains(&Case::RandomOverRanks), row.kind == "rndr", "{what}");
        let [cycles, energy] = match (row.kind.as_str(), is_stock) {
            ("seqr" | "seqw", false) => {
                assert_eq!((estimate.binding, estimate.not_covered.len()), (Binding::Bus, 0), "{what}");
                [0.01, 0.02]
            }
            ("seqr" | "seqw", true) => {
                assert_eq!(estimate.binding, Binding::BankGroup, "{what}");
                [0.025, 0.02]
            }
            ("rndr", _) => [0.05, 0.02],
            _ => continue,
        };
        assert_close(estimate.activity.cycles as f64, row.cycles, cycles, &what);
        assert_close(estimate.energy.total_pj() * 1e-6, row.energy_uj, energy, &format!("energy of {what}"));
    }
}

/// Cycles per burst of the reference, how near the closed form must be, and what it must say binds.
#[test]
fn cycles_per_burst_at_any_depth() {
    use Binding::{Bus, FourActivates, Latency};
    use Pattern::{Random, Sequential};
    let table = [
        ("1rank_noref", Sequential, None, 4.0007, 0.01, Bus),
        ("1rank", Sequential, None, 4.2108, 0.01, Bus),
        ("2ranks", Sequential, None, 4.1894, 0.01, Bus),
        ("1rank_noref", Random, None, 6.526, 0.01, FourActivates),
        ("1rank", Random, None, 6.8935, 0.01, FourActivates),
        ("1rank_noref", Random, Some(1), 56.99, 0.01, Latency),
        ("1rank", Random, Some(4), 16.63, 0.1, Latency),
        ("1rank", Random, Some(16), 7.149, 0.1, FourActivates),
        ("1rank", Sequential, Some(1), 24.45, 0.1, Latency),
        ("1rank", Sequential, Some(4), 6.08, 0.1, Latency),
        ("1rank", Sequential, Some(8), 4.236, 0.01, Bus),
    ];
    for (configuration, pattern, outstanding, reference, tolerance, binding) in table {
        let system = System { outstanding, ..ddr4(configuration) };
        let bursts = 100_000;
        let stream = Stream { pattern, direction: Direction::Read, bytes: 64 * bursts };
        let what = format!("{configuration} {pattern:?}, {outstanding:?} outstanding");
        let estimate = closed_form(&system, &stream).unwrap();
        assert_close(estimate.activity.cycles as f64 / bursts as f64, reference, tolerance, &what);
        assert_eq!(estimate.binding, binding, "{what}");
        let run = Replay::run(&system, &stream).unwrap();
        assert_close(
            run.activity.cycles as f64 / bursts as f64,
            reference,
            0.004,
            &format!("replay of {what}"),
        );
    }
}

/// 61 M weights of 32 bits: 13.25 ms and 24.06 mJ.
#[test]
fn weights_of_alexnet() {
    let stream = Stream { pattern: Pattern::Sequential, direction: Direction::Read, bytes: 243_860_928 };
    let estimate = closed_form(&ddr4("2ranks"), &stream).unwrap();
    assert!((estimate.seconds * 1e3 - 13.25).abs() < 0.005, "{estimate:?}");
    assert!((estimate.energy.total_pj() * 1e-9 - 24.06).abs() < 0.05, "{estimate:?}");
}

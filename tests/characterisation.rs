//! The characterisation against designs that are configured, priced and measured one by one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use approxmem::campaign::{Campaign, Schemes};
use approxmem::config::Document;
use approxmem::experiment::{Experiment, Prepared};
use approxmem::network;
use approxmem::report::{RunningFigures, characterisation_text, designs_csv};
use approxmem::resilience::characterisation::{
    Character, Characterisation, CharacterisationSettings, Cheapest, CheapestDesign, DesignFigures, End,
    Error, Findings, Kind, Objective, Reach, SearchSettings, Tolerance, characterise,
};
use approxmem::resilience::verdict::{Basis, Verdict};
use approxmem::resilience::{NoWidth, Policy, Subject};
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const IMAGES: usize = 500;
const FLOOR: f64 = 0.97;
const SATURATED: NoWidth = NoWidth::Saturated { integer_bits: -8, needed: 2, rpa: 0.1135 };

/// A shipped configuration with `edits` of its text and `settings`.
fn resolve(config: &str, edits: &[(&str, &str)], settings: &[String]) -> (Experiment, network::Network) {
    let path = PathBuf::from(ROOT).join("configs").join(config);
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (from, to) in edits {
        assert!(text.contains(from), "{config} has no `{from}`");
        text = text.replace(from, to);
    }
    let mut document = Document::parse(&path, &text).unwrap();
    document.set(&format!("experiment.images={IMAGES}")).unwrap();
    for setting in settings {
        document.set(setting).unwrap();
    }
    let source = document.network_source().unwrap();
    let mut network = network::read_definition(source.definition.as_ref()).unwrap();
    let experiment = document.resolve(&network).unwrap().experiment;
    network::load_weights(&mut network, Path::new(source.weights.as_ref().unwrap().as_ref())).unwrap();
    (experiment, network)
}

/// fp32 everywhere, nothing on the link, weights in their buffer only, everything precise: a machine to which designs are added.
const PLAIN: [(&str, &str); 7] = [
    ("\"weight_*\" = { kind = \"fixed\", bits = 8 }\n", ""),
    ("\"bias_*\" = { kind = \"fixed\", bits = 16 }\n", ""),
    ("\"neuron_*\" = { kind = \"fixed\", bits = 8 }\n", ""),
    ("[link.bits]\n\"weight_*\" = 6\n", ""),
    ("\"weight_*\" = [\"dram\", \"link\", \"weight_buffer\"]", "\"weight_*\" = [\"weight_buffer\"]"),
    ("\"neuron_*\" = [\"output_buffer\", \"input_buffer\"]\n", ""),
    ("inferences_per_second = 0.05", "inferences_per_second = 10000"),
];

fn all_precise() -> Vec<String> {
    let mut settings = vec!["memories.dram.error.refresh_interval_ms=64".to_owned()];
    for memory in ["weight_buffer", "input_buffer", "output_buffer"] {
        settings.push(format!("memories.{memory}.error.v=1.0"));
        settings.push(format!("memories.{memory}.protected_msbs=0"));
    }
    settings
}

/// The weights that the joint scheme of the tests narrows, with their bits.
const JOINT: [(&str, u32); 3] = [("weight_fc1", 4), ("weight_fc2", 5), ("weight_conv2", 6)];

fn findings(subject: &Subject<'_>) -> Findings {
    let index = |name: &str| subject.data().iter().position(|datum| datum.name == name).unwrap();
    let tolerance =
        |protected_msbs, bit_error_rate| Tolerance { protected_msbs, word_bits: 8, bit_error_rate };
    Findings {
        rpa_floor: FLOOR,
        policy: Policy::default(),
        alone: vec![
            (index("weight_fc1"), Some(3)),
            (index("weight_fc2"), Some(9)),
            (index("weight_conv1"), None),
        ],
        reasons: Vec::new(),
        joint: JOINT.iter().map(|&(name, bits)| (index(name), bits)).collect(),
        weights: vec![tolerance(0, 1e-3), tolerance(3, 1e-2)],
        neurons: Vec::new(),
    }
}

fn characterised(
    (experiment, network): (Experiment, network::Network),
    settings: &CharacterisationSettings,
    change: impl Fn(&mut Findings),
) -> Result<Characterisation, Error> {
    let prepared = Prepared::new(network, &experiment).unwrap();
    let subject = Subject::new(&experiment, &prepared);
    let mut findings = findings(&subject);
    change(&mut findings);
    characterise(&experiment, &subject, &findings, settings, &|_| {})
}

fn searching(objective: Objective, search: SearchSettings) -> CharacterisationSettings {
    CharacterisationSettings { optimise: Some(objective), search, ..CharacterisationSettings::default() }
}

fn tiny() -> SearchSettings {
    SearchSettings {
        points_per_memory: 4,
        most_protected_msbs: 1,
        widened_by_bits: vec![0, 2],
        uniform_bits: vec![8],
        ..SearchSettings::default()
    }
}

fn design(result: &Characterisation) -> &CheapestDesign {
    match result.cheapest.as_ref().unwrap() {
        Cheapest::Design(design) => design,
        Cheapest::Preset(preset) => panic!("{preset:?}"),
    }
}

/// Formats of a scheme: some weights, or all weights and neurons.
fn formats(more: u32, uniform: Option<u32>) -> Vec<String> {
    let format = |name: &str, bits| format!("formats.\"{name}\"={{kind=\"fixed\",bits={bits}}}");
    match uniform {
        Some(bits) => ["weight_*", "neuron_conv*", "neuron_fc*"].map(|name| format(name, bits)).to_vec(),
        None => JOINT.iter().map(|&(name, bits)| format(name, bits + more)).collect(),
    }
}

fn placed(uniform: bool) -> Vec<(&'static str, String)> {
    let names: Vec<_> = JOINT.iter().map(|(name, _)| format!("\"{name}\" = [\"weight_buffer\"]")).collect();
    let joint = names.join("\n");
    let all = "\"weight_*\" = [\"weight_buffer\"]";
    vec![(all, if uniform { all.to_owned() } else { joint })]
}

/// One design, configured by hand: its figures, and the mean accuracy of `trials` devices.
fn by_hand(
    more: u32,
    uniform: Option<u32>,
    v: f64,
    msbs: u32,
    trials: std::ops::Range<u64>,
) -> (f64, f64, Vec<f64>) {
    let mut settings = all_precise();
    settings.extend(formats(more, uniform));
    settings.push(format!("memories.weight_buffer.error.v={v}"));
    settings.push(format!("memories.weight_buffer.protected_msbs={msbs}"));
    let placed = placed(uniform.is_some());
    let mut edits = PLAIN.to_vec();
    edits.extend(placed.iter().map(|(from, to)| (*from, to.as_str())));
    let (experiment, network) = resolve("lenet5-accelerator.toml", &edits, &settings);
    let figures = RunningFigures::of(&experiment).unwrap().unwrap().design;
    let prepared = Prepared::new(network, &experiment).unwrap();
    let baseline = Schemes::new(&prepared).unwrap().baseline().clone();
    let mut campaign = Campaign::new(&experiment, &prepared).unwrap();
    let rpa = trials.map(|trial| campaign.trial(trial).unwrap().score.rpa(&baseline).unwrap()).collect();
    (figures.energy_pj.unwrap(), figures.cycles, rpa)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn the_cheapest_design_is_that_of_exhaustion() {
    let result = characterised(
        resolve("lenet5-accelerator.toml", &PLAIN, &all_precise()),
        &searching(Objective::Energy, tiny()),
        |findings| findings.weights.clear(),
    )
    .unwrap();
    let cheapest = design(&result);
    // Three schemes; the precise buffer and four voltages with 0 or 1 protected bits.
    assert_eq!(cheapest.designs, 3 * 9);
    assert!(cheapest.end == End::NothingCheaper && cheapest.measured < cheapest.designs + 10);
    let mut designs = Vec::new();
    for (more, uniform) in [(0, None), (2, None), (0, Some(8))] {
        let points = [0.4, 0.55, 0.7, 0.85].into_iter().flat_map(|v| [(v, 0), (v, 1)]);
        for (v, msbs) in points.chain([(1.0, 0)]) {
            let (energy, cycles, rpa) = by_hand(more, uniform, v, msbs, 0..40);
            designs.push((energy, cycles, mean(&rpa), v, msbs));
        }
    }
    designs.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (energy, cycles, rpa, v, msbs) =
        designs.iter().find(|(_, _, rpa, ..)| *rpa >= FLOOR).copied().unwrap();
    let winner = cheapest.winner.as_ref().unwrap();
    assert!(
        (winner.figures.energy_pj.unwrap() / energy - 1.0).abs() < 1e-12,
        "{winner:?}, by hand {energy} {v} {msbs} {rpa}"
    );
    assert_eq!(winner.figures.cycles, Some(cycles));
    let buffer = winner.memories.iter().find(|memory| memory.holds_words).unwrap();
    assert_eq!((buffer.memory.as_str(), buffer.protected_msbs), ("weight_buffer", msbs));
    assert!((buffer.setting.unwrap_or(1.0) - v).abs() < 1e-12);
    let text = characterisation_text(&result);
    assert!(text.contains("cheapest") && text.contains("at or above the floor with"), "{text}");
    assert!(designs_csv(&result).lines().any(|line| line.starts_with("cheapest,")));
}

#[test]
fn the_cheapest_design_meets_the_floor_on_other_devices() {
    let settings = searching(Objective::Energy, SearchSettings { points_per_memory: 6, ..tiny() });
    let result =
        characterised(resolve("lenet5-accelerator.toml", &PLAIN, &all_precise()), &settings, |findings| {
            findings.weights.clear();
        })
        .unwrap();
    let winner = design(&result).winner.clone().unwrap();
    let confirmation = winner.confirmation.unwrap();
    assert_eq!(confirmation.judgement.verdict, Verdict::Above);
    assert!(confirmation.error_rate <= 0.025 && confirmation.judgement.summary.mean >= FLOOR);
    let (more, uniform) = match winner.words.as_str() {
        "joint" => (0, None),
        "joint + 2 bits" => (2, None),
        "weights and neurons 8 bits" => (0, Some(8)),
        other => panic!("{other}"),
    };
    let buffer = winner.memories.iter().find(|memory| memory.holds_words).unwrap();
    let v = buffer.setting.unwrap_or(1.0);
    let (energy, _, rpa) = by_hand(more, uniform, v, buffer.protected_msbs, 5_000_000..5_000_060);
    assert!(mean(&rpa) >= FLOOR, "{}", mean(&rpa));
    assert!((winner.figures.energy_pj.unwrap() / energy - 1.0).abs() < 1e-12);
    // No technology alone is cheaper than the best of all.
    for found in &design(&result).by_technology {
        let Some(other) = &found.design else { continue };
        assert!(other.figures.energy_pj >= winner.figures.energy_pj, "{:?}", found.kind);
    }
    assert_eq!(
        design(&result).by_technology.iter().map(|found| found.kind).collect::<Vec<_>>(),
        [Some(Kind::Sram), None]
    );
}

#[test]
fn the_shipped_machine_with_everything_placed() {
    let settings = searching(
        Objective::Energy,
        SearchSettings { points_per_memory: 3, most_protected_msbs: 2, uniform_bits: vec![8], ..tiny() },
    );
    let result = characterised(resolve("lenet5-accelerator.toml", &[], &[]), &settings, |findings| {
        findings.neurons = vec![Tolerance { protected_msbs: 0, word_bits: 8, bit_error_rate: 1e-4 }];
    })
    .unwrap();
    let [fp32, joint, ..] = result.schemes.as_slice() else { panic!("{:?}", result.schemes) };
    let saving = joint.saving;
    assert!(saving.volume.unwrap() > 0.5 && saving.traffic.unwrap() > 0.5 && saving.energy.unwrap() > 0.0);
    assert_eq!(fp32.figures.volume_bits, 46_534 * 32);
    assert_eq!(result.schemes.len(), 4, "unprotected and with three protected bits");
    let plain = &result.schemes[2];
    let by_name = |name: &str| plain.memories.iter().find(|memory| memory.memory == name).unwrap();
    // The weights pass two memories, each of which gets half of the rate.
    let rate = by_name("weight_buffer").bit_error_rate.unwrap();
    let factor = 10f64.powi(-(plain.lowered_decades as i32));
    assert!(rate <= 5e-4 * factor && rate > 4.9e-4 * factor, "{rate}");
    assert_eq!(by_name("dram").reach, Some(Reach::Edge));
    let verified = plain.verification.as_ref().unwrap();
    assert_ne!(verified.judgement.verdict, Verdict::Below, "{verified:?}");
    assert!(plain.figures.energy_pj < joint.figures.energy_pj);
    let cheapest = design(&result);
    let winner = cheapest.winner.as_ref().unwrap();
    assert!(winner.figures.energy_pj <= plain.figures.energy_pj.map(|pj| pj * 1.05), "{winner:?}");
    assert_eq!(cheapest.by_technology.len(), 3, "SRAM alone, DRAM alone, narrower words alone");
}

#[test]
fn what_the_schemes_cost_is_what_a_run_says() {
    let (experiment, network) = resolve("lenet5-accelerator.toml", &PLAIN, &all_precise());
    let run = RunningFigures::of(&experiment).unwrap().unwrap();
    let result = characterised((experiment, network), &CharacterisationSettings::default(), |_| {}).unwrap();
    let fp32 = &result.schemes[0].figures;
    let baseline = run.baseline.unwrap();
    assert_eq!((fp32.cycles, fp32.energy_pj), (Some(baseline.cycles), baseline.energy_pj));
    assert_eq!(fp32.traffic_bytes, baseline.dram_bytes());
    let (energy, cycles, rpa) = by_hand(0, None, 1.0, 0, 0..1);
    let joint = &result.schemes[1];
    assert_eq!((joint.figures.energy_pj, joint.figures.cycles), (Some(energy), Some(cycles)));
    assert_eq!(joint.rpa_without_errors, rpa[0]);
    // What it is called: resilient at the width that is stated, and not where no width is enough.
    let character: Vec<_> = result.data.iter().map(|datum| (datum.joint_bits, datum.character)).collect();
    assert_eq!(
        character,
        [(Some(4), Character::Resilient), (Some(5), Character::Sensitive), (None, Character::Sensitive)]
    );
}

#[test]
fn a_floor_that_no_design_meets_is_said_with_the_best_design() {
    let search = SearchSettings { widened_by_bits: vec![0], uniform_bits: vec![2], ..tiny() };
    let settings = searching(Objective::Energy, search);
    let machine = resolve("lenet5-accelerator.toml", &PLAIN, &all_precise());
    let result = characterised(machine, &settings, |findings| {
        for (_, bits) in &mut findings.joint {
            *bits = 1;
        }
    })
    .unwrap();
    let cheapest = design(&result);
    assert!(cheapest.winner.is_none() && cheapest.end == End::NothingCheaper);
    let best = cheapest.best.as_ref().unwrap();
    assert!((0.01..FLOOR).contains(&best.search.unwrap().rpa_mean), "{best:?}");
    assert!(cheapest.by_technology.iter().all(|found| found.design.is_none()));
    assert!(characterisation_text(&result).contains("no design meets the floor; the best one"));
}

#[test]
fn without_accelerator_memories_are_priced_and_cycles_are_refused() {
    let result = characterised(
        resolve("lenet5-sram-voltage.toml", &[], &[]),
        &searching(Objective::Energy, SearchSettings { uniform_bits: vec![8], ..tiny() }),
        |_| {},
    )
    .unwrap();
    let winner = design(&result).winner.clone().unwrap();
    assert_eq!(winner.figures.cycles, None);
    assert_eq!(winner.figures.traffic_bytes, winner.figures.volume_bits as f64 / 8.0);
    assert!(
        winner.saving.energy.unwrap() > 0.0
            && winner.memories.iter().any(|memory| memory.bit_error_rate.is_some())
    );
    assert!(result.notes.iter().any(|note| note.contains("cycles need an accelerator")));
    let refused = characterised(
        resolve("lenet5-sram-voltage.toml", &[], &[]),
        &searching(Objective::Cycles, tiny()),
        |_| {},
    );
    assert!(matches!(refused, Err(Error::NoAccelerator)));
}

#[test]
fn without_energies_the_presets_are_compared() {
    let result =
        characterised(resolve("lenet5.toml", &[], &[]), &searching(Objective::Energy, tiny()), |_| {})
            .unwrap();
    let Some(Cheapest::Preset(cheapest)) = &result.cheapest else { panic!("{:?}", result.cheapest) };
    // At 14 nm unprotected words at 1e-3 cost less (0.768) than words with 3 of 8 protected bits at 1e-2 (0.810).
    let best = cheapest.sram.iter().find(|choice| choice.point.preset == "sram.14nm.stutz21").unwrap();
    assert_eq!(best.point.tolerance.protected_msbs, 0);
    assert!((best.energy_ratio - 0.768).abs() < 1e-3);
    assert!(cheapest.volume_bits < cheapest.volume_bits_fp32 && !cheapest.dram.is_empty());
}

#[test]
fn a_design_of_least_traffic_has_the_narrowest_words_that_suffice() {
    let result = characterised(
        resolve("lenet5-accelerator.toml", &PLAIN, &all_precise()),
        &searching(Objective::Traffic, tiny()),
        |_| {},
    )
    .unwrap();
    let cheapest = design(&result);
    let winner = cheapest.winner.as_ref().unwrap();
    let narrow = cheapest.by_technology.iter().find(|found| found.kind.is_none()).unwrap();
    // Errors save no traffic; they decide between designs of equal traffic.
    assert_eq!(winner.figures.traffic_bytes, narrow.design.as_ref().unwrap().figures.traffic_bytes);
    assert!(winner.figures.energy_pj <= narrow.design.as_ref().unwrap().figures.energy_pj);
}

/// Whatever the report says is confirmed, or has no errors and meets the floor, is not cheaper than the winner.
#[test]
fn no_design_of_the_report_is_cheaper_than_the_winner() {
    for objective in [Objective::Energy, Objective::Traffic, Objective::Cycles] {
        let result = characterised(
            resolve("lenet5-accelerator.toml", &PLAIN, &all_precise()),
            &searching(objective, SearchSettings { most_measured: 12, most_confirmations: 1, ..tiny() }),
            |_| {},
        )
        .unwrap();
        let cheapest = design(&result);
        let cost = |figures: &DesignFigures| {
            let costs = [figures.energy_pj, Some(figures.traffic_bytes), figures.cycles];
            costs[match objective {
                Objective::Energy => 0,
                Objective::Traffic => 1,
                Objective::Cycles => 2,
            }]
            .unwrap()
        };
        let winner = cost(&cheapest.winner.as_ref().unwrap().figures) - 1e-3;
        let confirmed = result.schemes.iter().filter(|scheme| {
            let verified = scheme.verification.as_ref().map(|known| known.judgement.verdict);
            verified.map_or(scheme.rpa_without_errors >= FLOOR, |verdict| verdict == Verdict::Above)
        });
        let mut others: Vec<_> = confirmed.map(|scheme| cost(&scheme.figures)).collect();
        let by_technology = cheapest.by_technology.iter().filter_map(|found| found.design.as_ref());
        others.extend(by_technology.map(|design| cost(&design.figures)));
        assert!(others.len() > 1 && others.iter().all(|other| winner <= *other), "{objective}: {others:?}");
        assert!(cheapest.by_technology.iter().all(|found| found.unconfirmed <= 1));
    }
}

#[test]
fn memories_as_tolerated_are_verified_for_any_number_of_looks() {
    let machine = || resolve("lenet5-accelerator.toml", &PLAIN, &all_precise());
    let result = characterised(machine(), &CharacterisationSettings::default(), |_| {}).unwrap();
    for scheme in result.schemes.iter().filter(|scheme| scheme.verification.is_some()) {
        let verification = scheme.verification.as_ref().unwrap();
        // Five rates may be tried, down to four decades below the tolerated one.
        assert_eq!(verification.error_rate, 0.05 / 5.0);
        let judgement = &verification.judgement;
        match judgement.basis {
            Some(Basis::NearNormal) => assert!(judgement.summary.count >= 16),
            Some(_) => {}
            None => assert_eq!(judgement.summary.count, 40),
        }
    }
    // Three devices without a loss are no certainty.
    let settings = CharacterisationSettings { verification_trials: 3, ..CharacterisationSettings::default() };
    let result = characterised(machine(), &settings, |_| {}).unwrap();
    let verified = result.schemes[2].verification.as_ref().unwrap();
    assert_eq!(verified.judgement.verdict, Verdict::Undecided);
    let text = characterisation_text(&result);
    assert!(text.contains("seems to meet the floor, not with 99.0 % confidence"), "{text}");
    // The weights rest in one memory here.
    assert!(text.contains("each memory has the tolerated rate"), "{text}");
}

#[test]
fn every_memory_is_named() {
    let result = characterised(
        resolve("lenet5-accelerator.toml", &[], &[]),
        &CharacterisationSettings::default(),
        |findings| findings.reasons = vec![(findings.alone[2].0, SATURATED)],
    )
    .unwrap();
    let names: Vec<_> = result.schemes[2].memories.iter().map(|memory| memory.memory.as_str()).collect();
    assert_eq!(names, ["dram", "weight_buffer", "input_buffer", "output_buffer"]);
    let text = characterisation_text(&result);
    for name in names {
        assert!(text.contains(&format!("\n  {name}: ")), "{text}");
    }
    assert!(text.contains("split evenly among the memories on the way of a word (2 at most)"), "{text}");
    // What cannot be represented is not called sensitive.
    assert_eq!(result.data[2].character, Character::NotRepresentable);
    assert!(text.contains("weight_conv1: no width meets the floor"), "{text}");
}

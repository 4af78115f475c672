//! Campaigns against reconstructions by hand: struck weights put into the network itself, error-free designs, restarts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use approxmem::campaign::{self, Campaign, ClassScore, Outcome, Score};
use approxmem::config::Document;
use approxmem::experiment::{Experiment, Prepared};
use approxmem::fault::{FaultMap, MapKey, StoredImage};
use approxmem::inference::Activations;
use approxmem::network::{self, Network, Operand};
use approxmem::random::Probability;
use std::path::Path;

const IMAGES: usize = 400;

fn resolve(settings: &[&str]) -> (Network, Experiment) {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/lenet5.toml");
    let mut document = Document::read(&config).unwrap();
    document.set(&format!("experiment.images={IMAGES}")).unwrap();
    for setting in settings {
        document.set(setting).unwrap();
    }
    let source = document.network_source().unwrap();
    let mut network = network::read_definition(source.definition.as_ref()).unwrap();
    network::load_weights(&mut network, source.weights.unwrap().as_ref()).unwrap();
    let experiment = document.resolve(&network).unwrap().experiment;
    (network, experiment)
}

fn measure(settings: &[&str]) -> Outcome {
    let (network, experiment) = resolve(settings);
    let prepared = Prepared::new(network, &experiment).unwrap();
    campaign::run(&experiment, &prepared, &|_| {}).unwrap()
}

/// The network with the words of trial `trial` in place of its weights: every word encoded, flipped and decoded.
fn struck_by_hand(prepared: &Prepared, experiment: &Experiment, trial: u64) -> (Network, u64) {
    let mut struck = prepared.network().clone();
    let words = experiment.words(prepared.network(), prepared.neuron_ranges()).unwrap();
    let mut flips = 0;
    for site in experiment.sites(IMAGES as u64) {
        let subset = &experiment.subsets[site.subset].subset;
        assert_eq!(subset.operand, Operand::Weight);
        let memory = &experiment.memories[site.residency.memory];
        let key = MapKey::permanent(&memory.name, experiment.seed, trial);
        let map = FaultMap::new(key, Probability::new(site.bit_error_rate()).unwrap());
        let mut masks = vec![0; subset.words as usize];
        for word in StoredImage::new(site.residency, site.protected_msbs).unwrap().word_flips(&map) {
            masks[word.word as usize] = word.mask;
            flips += u64::from(word.mask.count_ones());
        }
        let words = &words[site.subset];
        let values = struck.layers[subset.layer.0].weight.as_mut().unwrap().values.as_mut().unwrap();
        for (index, (value, mask)) in values.iter_mut().zip(masks).enumerate() {
            let code = words.home.encode(index, *value) ^ mask;
            let code = words.narrowing.map_or(code, |narrowing| narrowing.apply(code));
            *value = words.delivered.decode(index, code);
        }
    }
    (struck, flips)
}

/// Classes of each image, the largest logit first, of equal ones the lowest class first; none with a NaN.
fn orders(logits: &Activations) -> Vec<Vec<usize>> {
    let order = |image| {
        let logits: Vec<f32> = logits.image(image).collect();
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].partial_cmp(&logits[a]).unwrap_or(std::cmp::Ordering::Equal));
        if logits.iter().any(|logit| logit.is_nan()) { Vec::new() } else { order }
    };
    (0..logits.images()).map(order).collect()
}

/// What `logits` score, image by image.
fn scored_by_hand(logits: &Activations, baseline: &Activations, labels: &[u16]) -> Score {
    let classes = baseline.shape().elements();
    let mut score =
        Score { top5_correct: Some(0), classes: vec![ClassScore::default(); classes], ..Score::default() };
    for (image, (order, golden)) in orders(logits).into_iter().zip(orders(baseline)).enumerate() {
        score.images += 1;
        let label = usize::from(labels[image]);
        let Some(&class) = order.first() else {
            score.nan_images += 1;
            continue;
        };
        score.infinite_images += u64::from(logits.image(image).any(f32::is_infinite));
        score.agreeing += u64::from(golden.first() == Some(&class));
        score.classes[class].predicted += 1;
        if class == label {
            score.top1_correct += 1;
            score.classes[class].correct += 1;
        }
        *score.top5_correct.as_mut().unwrap() += u64::from(order[..5].contains(&label));
    }
    score
}

/// Every trial of `settings` (weights in one memory) equals the error-free pass of a network struck by hand.
#[track_caller]
fn assert_trials_are_networks_struck_by_hand(settings: &[&str]) {
    let (network, experiment) = resolve(settings);
    let prepared = Prepared::new(network, &experiment).unwrap();
    let mut campaign = Campaign::new(&experiment, &prepared).unwrap();
    for index in 0..4 {
        let trial = campaign.trial(index).unwrap();
        let (struck, flips) = struck_by_hand(&prepared, &experiment, index);
        let by_hand = Prepared::new(struck, &experiment).unwrap();
        let score = scored_by_hand(by_hand.baseline_logits(), prepared.baseline_logits(), prepared.labels());
        assert_eq!((&trial.score, trial.total_flips()), (&score, flips), "{settings:?}, trial {index}");
    }
}

#[test]
fn trials_are_networks_struck_by_hand() {
    assert_trials_are_networks_struck_by_hand(&["memories.dram.ber=1e-2"]);
    assert_trials_are_networks_struck_by_hand(&["memories.dram.ber=1e-3", "formats.\"weight_*\"=\"fp32\""]);
    assert_trials_are_networks_struck_by_hand(&[
        "memories.dram.ber=0.02",
        "formats.\"weight_*\"={kind=\"int8\",scale=\"channel\"}",
    ]);
    assert_trials_are_networks_struck_by_hand(&["memories.dram.ber=1e-2", "link.bits={\"weight_*\"=9}"]);
    // Exponents are hit: logits become infinite and NaN.
    let unprotected = "memories.dram={technology=\"uniform\",ber=1e-3}";
    assert_trials_are_networks_struck_by_hand(&[unprotected, "formats={}"]);
}

#[test]
fn few_flips_restart_deep_and_change_nothing() {
    // About one flip per trial: most trials restart behind conv1, many have no flip at all.
    assert_trials_are_networks_struck_by_hand(&["memories.dram.ber=1e-6", "experiment.seed=3"]);
    assert_trials_are_networks_struck_by_hand(&[
        "memories.dram.ber=0.3",
        "placement={weight_fc3=[\"dram\"]}",
    ]);
}

#[test]
fn trials_do_not_depend_on_the_ones_before() {
    let (network, experiment) = resolve(&["memories.dram.ber=1e-2", "placement={\"*\"=[\"dram\"]}"]);
    let prepared = Prepared::new(network, &experiment).unwrap();
    let outcome = campaign::run(&Experiment { trials: 4, ..experiment.clone() }, &prepared, &|_| {}).unwrap();
    let mut alone = Campaign::new(&experiment, &prepared).unwrap();
    assert_eq!(alone.trial(3).unwrap(), outcome.trials[3]);
    assert_eq!(alone.trial(1).unwrap(), outcome.trials[1]);
    assert_ne!(outcome.trials[1].flips, outcome.trials[3].flips);
}

#[test]
fn without_errors_every_design_is_its_quantised_one() {
    let placed = "placement={\"*\"=[\"dram\"]}";
    for formats in ["{}", "{\"*\"={kind=\"fixed\",bits=8}}", "{\"*\"=\"int8\"}", "{\"*\"=\"bf16\"}"] {
        let outcome =
            measure(&["memories.dram.ber=0", "experiment.trials=2", placed, &format!("formats={formats}")]);
        for trial in &outcome.trials {
            assert_eq!((&trial.score, trial.total_flips()), (&outcome.quantised, 0));
        }
        assert!(outcome.quantised.top1() > 0.97, "{formats}");
    }
    let outcome = measure(&["memories.dram.ber=0", "experiment.trials=1", placed, "formats={}"]);
    assert_eq!(outcome.quantised, outcome.baseline);
}

#[test]
fn damaged_networks_are_counted_in_full() {
    let unprotected = "memories.dram={technology=\"uniform\",ber=1e-3}";
    let outcome = measure(&[unprotected, "formats={}", "experiment.trials=6"]);
    assert!(outcome.trials.iter().any(|trial| trial.score.nan_images + trial.score.infinite_images > 0));
    assert_eq!(outcome.class_images.iter().sum::<u64>(), IMAGES as u64);
    for score in outcome.trials.iter().map(|trial| &trial.score) {
        let sum = |count: fn(&ClassScore) -> u32| -> u64 {
            score.classes.iter().map(|class| u64::from(count(class))).sum()
        };
        assert_eq!(score.top1_correct, sum(|class| class.correct));
        assert_eq!(score.images - score.nan_images, sum(|class| class.predicted));
        assert!(score.top5_correct >= Some(score.top1_correct) && score.agreement() < 1.0);
    }
}

#[test]
fn neuron_faults_are_binomial_over_images() {
    let outcome = measure(&[
        "memories.dram={technology=\"uniform\",ber=1e-3,protected_msbs=1}",
        "placement={\"neuron_*\"=[\"dram\"]}",
        "formats={\"neuron_*\"={kind=\"fixed\",bits=8}}",
        "experiment.trials=5",
    ]);
    for (index, site) in outcome.sites.iter().enumerate() {
        let delivered: u64 = outcome.trials.iter().map(|trial| trial.flips[index]).sum();
        let (mean, variance) = (5.0 * site.expected_flips(), 5.0 * site.flip_variance().unwrap());
        assert!(
            (delivered as f64 - mean).abs() < 5.0 * variance.sqrt(),
            "{delivered} flips, expected {mean}"
        );
    }
}

#[test]
fn permanent_neuron_faults_hit_every_image_alike() {
    let outcome = measure(&[
        "memories.dram={technology=\"uniform\",ber=1e-3,lifetime=\"permanent\"}",
        "placement={neuron_fc1=[\"dram\"]}",
        "formats={}",
        "experiment.trials=3",
    ]);
    for trial in &outcome.trials {
        assert_eq!(trial.total_flips() % IMAGES as u64, 0);
    }
    assert!(outcome.trials.iter().any(|trial| trial.total_flips() > 0));
}

//! A quantised network: the words of its data subsets are the codes in the ONNX file, and faults strike these.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use approxmem::campaign::{Campaign, Outcome, run};
use approxmem::config::Document;
use approxmem::experiment::{Experiment, Prepared};
use approxmem::fault::{FaultMap, MapKey, StoredImage};
use approxmem::inference::{Activations, Engine, NoHook, OperandBlock, OperandHook, Start, classify};
use approxmem::network::{BlobId, LayerKind, Network, Operand, read_definition};
use approxmem::number::{CodeKind, Format, Granularity};
use approxmem::random::Probability;
use ndarray::Array2;
use std::fs;
use std::path::{Path, PathBuf};

const IMAGES: usize = 400;

const MODEL: Format = Format::Int8 { granularity: Granularity::Model };

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn resolve(settings: &[&str]) -> (Network, Experiment) {
    let mut document = Document::read(&root("configs/lenet5_int8.toml")).unwrap();
    for setting in settings {
        document.set(setting).unwrap();
    }
    let source = document.network_source().unwrap();
    let network = read_definition(source.definition.as_ref()).unwrap();
    let experiment = document.resolve(&network).unwrap().experiment;
    (network, experiment)
}

fn measure(settings: &[&str]) -> Outcome {
    let (network, experiment) = resolve(settings);
    let prepared = Prepared::new(network, &experiment).unwrap();
    run(&experiment, &prepared, &|_| {}).unwrap()
}

/// Logits of the first images, one row each.
fn logits(network: &Network, inputs: &Activations, hook: &dyn OperandHook) -> Activations {
    let engine = Engine::new(network).unwrap();
    let weights = engine.pack(network).unwrap();
    let start = Start::new(network.input(), inputs);
    engine.forward(&weights, &start, &[network.output()], hook).unwrap().remove(0)
}

#[test]
fn logits_are_those_of_onnxruntime() {
    let (network, experiment) = resolve(&["experiment.images=128"]);
    let prepared = Prepared::new(network, &experiment).unwrap();
    let expected: Array2<f32> = ndarray_npy::read_npy(root("models/lenet5/lenet5_int8_logits.npy")).unwrap();
    let found = prepared.baseline_logits().to_images();
    assert_eq!(found.len(), expected.len());
    // Sums are rounded in another order; none of these lies near the middle between two codes.
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!((found - expected).abs() < 1e-4, "value {index} is {found}, not {expected}");
    }
}

#[test]
fn accuracy_is_that_of_onnxruntime_and_words_change_nothing() {
    let placed = ["memories.dram.ber=0", "memories.sram.ber=0", "experiment.trials=1"];
    let outcome = measure(&placed);
    // As models/lenet5/quantise.py prints.
    assert_eq!((outcome.baseline.images, outcome.baseline.top1_correct), (10_000, 9951));
    assert_eq!(outcome.quantised, outcome.baseline);
    assert_eq!(outcome.trials[0].total_flips(), 0);
    assert_eq!(outcome.trials[0].score, outcome.baseline);
}

#[test]
fn the_words_are_the_codes_of_the_model() {
    let (network, experiment) =
        resolve(&[&format!("experiment.images={IMAGES}"), "experiment.calibration_images=16"]);
    for stored in &experiment.subsets {
        let is_bias = stored.subset.operand == Operand::Bias;
        assert_eq!(stored.format, if is_bias { Format::Fp32 } else { MODEL }, "{}", stored.subset.name);
    }
    let file = fs::read(root("models/lenet5/lenet5_int8.onnx")).unwrap();
    let prepared = Prepared::new(network, &experiment).unwrap();
    let words = experiment.words(prepared.network(), prepared.neuron_ranges()).unwrap();
    for (stored, words) in experiment.subsets.iter().zip(&words) {
        if stored.subset.operand == Operand::Weight {
            let layer = prepared.network().layer(stored.subset.layer);
            let values = layer.weight.as_ref().unwrap().values.as_ref().unwrap();
            let codes: Vec<u8> = values
                .iter()
                .enumerate()
                .map(|(index, &value)| words.home.encode(index, value) as u8)
                .collect();
            place(&file, &codes);
        }
    }
}

/// Where the tensor of `codes` begins in `file`, which has it once.
fn place(file: &[u8], codes: &[u8]) -> usize {
    let mut places = (0..=file.len() - codes.len()).filter(|&at| file[at..].starts_with(codes));
    let first = places.next().expect("the file has the codes");
    assert_eq!(places.next(), None);
    first
}

/// The ONNX file with the bits of its weights changed that trial `trial` flips; and how many those are.
fn struck_file(prepared: &Prepared, experiment: &Experiment, trial: u64) -> (Vec<u8>, u64) {
    let mut file = fs::read(root("models/lenet5/lenet5_int8.onnx")).unwrap();
    let words = experiment.words(prepared.network(), prepared.neuron_ranges()).unwrap();
    let mut flips = 0;
    for site in experiment.sites(IMAGES as u64) {
        let subset = &experiment.subsets[site.subset].subset;
        assert_eq!(subset.operand, Operand::Weight);
        let values = &prepared.network().layer(subset.layer).weight.as_ref().unwrap().values;
        let encode = |(index, &value)| words[site.subset].home.encode(index, value) as u8;
        let codes: Vec<u8> = values.as_ref().unwrap().iter().enumerate().map(encode).collect();
        let at = place(&file, &codes);
        let memory = &experiment.memories[site.residency.memory];
        let key = MapKey::permanent(&memory.name, experiment.seed, trial);
        let map = FaultMap::new(key, Probability::new(site.bit_error_rate()).unwrap());
        for word in StoredImage::new(site.residency, site.protected_msbs).unwrap().word_flips(&map) {
            file[at + word.word as usize] ^= word.mask as u8;
            flips += u64::from(word.mask.count_ones());
        }
    }
    (file, flips)
}

#[test]
fn a_trial_is_the_network_with_its_codes_changed() {
    let folder = tempfile::tempdir().unwrap();
    let images = format!("experiment.images={IMAGES}");
    for settings in [
        &["memories.dram.ber=1e-3"][..],
        &["memories.dram.ber=0.03"],
        &["memories.dram.ber=1", "memories.dram.protected_msbs=7"],
        &["memories.dram.ber=0.2", "memories.dram.protected_msbs=5"],
        &["memories.dram.ber=1e-5", "experiment.seed=4"],
    ] {
        let only_weights =
            ["placement={\"weight_*\"=[\"dram\"]}", &images, "experiment.calibration_images=16"];
        let (network, experiment) = resolve(&[settings, &only_weights[..]].concat());
        let prepared = Prepared::new(network, &experiment).unwrap();
        let mut campaign = Campaign::new(&experiment, &prepared).unwrap();
        for index in 0..3 {
            let trial = campaign.trial(index).unwrap();
            let (file, flips) = struck_file(&prepared, &experiment, index);
            let path = folder.path().join("struck.onnx");
            fs::write(&path, file).unwrap();
            let struck = read_definition(&path).unwrap();
            let expected = classify(&logits(&struck, prepared.inputs(), &NoHook));
            let correct = expected.correct(prepared.labels()) as u64;
            assert_eq!((trial.score.top1_correct, trial.total_flips()), (correct, flips), "{settings:?}");
        }
    }
}

/// Flips the same bits of the code of every activation of one blob: by hand, from scale and zero point in the graph.
struct Flip {
    blob: BlobId,
    mask: i32,
    scale: f64,
    zero_point: i32,
}

impl OperandHook for Flip {
    fn stores(&self, blob: BlobId) -> bool {
        blob == self.blob
    }

    fn store(&self, _: BlobId, _: usize, operand: &mut OperandBlock<'_>) {
        operand.change_all(|values| {
            for value in values {
                let code = (f64::from(*value) / self.scale).round() as i32 + self.zero_point;
                *value = (f64::from((code ^ self.mask) - self.zero_point) * self.scale) as f32;
            }
        });
    }
}

#[test]
fn faults_strike_the_codes_of_activations() {
    // At a rate of 1 every approximate bit of every word errs: the bits behind the protected ones.
    for subset in ["conv1", "conv2", "fc2"] {
        for (protected, mask) in [(7, 1), (6, 3), (5, 7), (0, 255)] {
            let settings = [
                format!("placement={{neuron_{subset}=[\"sram\"]}}"),
                "memories.sram.ber=1".into(),
                format!("memories.sram.protected_msbs={protected}"),
                format!("experiment.images={IMAGES}"),
                "experiment.calibration_images=16".into(),
            ];
            let (network, experiment) = resolve(&settings.each_ref().map(String::as_str));
            let prepared = Prepared::new(network, &experiment).unwrap();
            let trial = Campaign::new(&experiment, &prepared).unwrap().trial(0).unwrap();
            let network = prepared.network();
            let stored =
                network.subsets().into_iter().find(|s| s.name == format!("neuron_{subset}")).unwrap();
            let blob = stored.blob.unwrap();
            let producer = network.layer(network.blob(blob).producer.unwrap());
            let LayerKind::Quantise(quantiser) = producer.kind else { panic!("{producer:?}") };
            assert_eq!(quantiser.codes(), CodeKind::Uint8);
            let (scale, zero_point) = (f64::from(quantiser.scale()), quantiser.zero_point());
            let hook = Flip { blob, mask, scale, zero_point };
            let expected = classify(&logits(network, prepared.inputs(), &hook));
            let correct = expected.correct(prepared.labels()) as u64;
            let flips = stored.words * IMAGES as u64 * u64::from(mask.count_ones());
            assert_eq!((trial.score.top1_correct, trial.total_flips()), (correct, flips), "{settings:?}");
        }
    }
}

//! Modules 1 and 2 of the data resilience evaluation on trained networks, against words that this file computes by its own
//! arithmetic and puts into the network, and against campaigns.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use approxmem::campaign::{Campaign, Schemes};
use approxmem::config::Document;
use approxmem::experiment::{Experiment, Prepared, Volume};
use approxmem::inference::{NoHook, OperandBlock, OperandHook, Start, classify};
use approxmem::memory::Lifetime;
use approxmem::network::{self, BlobId, Operand};
use approxmem::number::{BinaryPoint, Rounding};
use approxmem::report::{curves_csv, front_csv, front_text, joint_text, single_csv, single_text, steps_csv};
use approxmem::resilience::{
    Joint, NoWidth, Policy, RandomSettings, SearchSettings, Selection, Settings, Single, Subject,
    VerdictSettings, joint, single,
};
use std::path::{Path, PathBuf};

const ROUNDINGS: [Rounding; 3] = [Rounding::NearestEven, Rounding::Floor, Rounding::Zero];

/// An experiment on a network with its weights, made ready.
fn prepare(document: &Document) -> (Experiment, Prepared) {
    let source = document.network_source().unwrap();
    let mut network = network::read_definition(source.definition.as_ref()).unwrap();
    network::load_weights(&mut network, source.weights.unwrap().as_ref()).unwrap();
    let experiment = document.resolve(&network).unwrap().experiment;
    let prepared = Prepared::new(network, &experiment).unwrap();
    (experiment, prepared)
}

/// The LeNet-5 of this project on the first images.
fn lenet5(images: usize) -> (Experiment, Prepared) {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/lenet5.toml");
    let mut document = Document::read(&config).unwrap();
    document.set(&format!("experiment.images={images}")).unwrap();
    prepare(&document)
}

fn settings() -> Settings {
    Settings {
        floor: 0.97,
        selection: Selection::Largest(5),
        policies: vec![Policy::default()],
        curves: false,
        gain_loss_floor: 20.0,
        search: SearchSettings::default(),
        random: RandomSettings {
            formats: Vec::new(),
            targets: Vec::new(),
            ber: 1e-3,
            decades: [-8, -1],
            neuron_lifetime: Lifetime::Transient,
            verdict: VerdictSettings::default(),
            refine: false,
            map: false,
        },
    }
}

/// A word of 32 bits of fixed point with `integer_bits`, narrowed to `bits`: two roundings, each to an integer.
fn narrowed(value: f32, integer_bits: i32, bits: u32, rounding: Rounding) -> f32 {
    let round = |x: f64| match rounding {
        Rounding::Floor => x.floor(),
        Rounding::Zero => x.trunc(),
        Rounding::NearestEven => {
            let below = x.floor();
            let up = x - below > 0.5 || (x - below == 0.5 && below % 2.0 != 0.0);
            if up { below + 1.0 } else { below }
        }
    };
    let [least, most] = [-(2f64.powi(31)), 2f64.powi(31) - 1.0];
    let word = round(f64::from(value) * 2f64.powi(31 - integer_bits)).max(least).min(most);
    let narrow = round(word / 2f64.powi(32 - bits as i32)).min(2f64.powi(bits as i32 - 1) - 1.0);
    (narrow * 2f64.powi(integer_bits - (bits as i32 - 1))) as f32
}

/// The smallest number of integer bits for `values`.
fn integer_bits(values: impl Iterator<Item = f32>) -> i32 {
    let largest = values.fold(0.0f32, |largest, value| largest.max(value.abs()));
    (-148..=128).find(|bits| f64::from(largest) < 2f64.powi(*bits)).unwrap()
}

/// Activations of blobs narrowed by hand: blob, integer bits, bits, rounding.
struct ByHand(Vec<(BlobId, i32, u32, Rounding)>);

impl OperandHook for ByHand {
    fn stores(&self, blob: BlobId) -> bool {
        self.0.iter().any(|(stored, ..)| *stored == blob)
    }

    fn store(&self, blob: BlobId, _: usize, operand: &mut OperandBlock<'_>) {
        let (_, integer_bits, bits, rounding) = *self.0.iter().find(|(stored, ..)| *stored == blob).unwrap();
        operand.change_all(|values| {
            for value in values {
                *value = narrowed(*value, integer_bits, bits, rounding);
            }
        });
    }
}

/// Right images of a network whose words this file narrows: whole passes, nothing kept.
fn correct_by_hand(
    subject: &Subject<'_>,
    widths: &[(usize, u32)],
    rounding: Rounding,
    binary_point: Option<i32>,
) -> u64 {
    let prepared = subject.prepared();
    let (mut changed, engine) = (prepared.network().clone(), prepared.engine());
    let start = Start::new(changed.input(), prepared.inputs());
    let mut hook = ByHand(Vec::new());
    for &(datum, bits) in widths {
        let datum = &subject.data()[datum];
        let subset = subject.precise().subsets[datum.members[0]].subset.clone();
        if let Some(blob) = subset.blob {
            let weights = engine.pack(prepared.network()).unwrap();
            let golden = engine.forward(&weights, &start, &[blob], &NoHook).unwrap().remove(0);
            let calibration = (0..1000).flat_map(|image| golden.image(image));
            let point = binary_point.unwrap_or_else(|| integer_bits(calibration));
            hook.0.push((blob, point, bits, rounding));
        } else {
            let values = changed.layers[subset.layer.0].weight.as_mut().unwrap().values.as_mut().unwrap();
            let point = binary_point.unwrap_or_else(|| integer_bits(values.iter().copied()));
            for value in values {
                *value = narrowed(*value, point, bits, rounding);
            }
        }
    }
    let weights = engine.pack(&changed).unwrap();
    let logits = engine.forward(&weights, &start, &[engine.logits()], &hook).unwrap().remove(0);
    classify(&logits).correct(prepared.labels()) as u64
}

/// The datum of this name.
fn datum(subject: &Subject<'_>, name: &str) -> usize {
    subject.data().iter().position(|datum| datum.name == name).unwrap()
}

/// Points of module 1, one of so many, and every step of module 2 are the counts of networks narrowed by hand.
fn assert_counts(subject: &Subject<'_>, single: &Single, joint: &Joint, every: usize) {
    let mut checked = 0;
    for policy in &single.policies {
        let rounding = policy.policy.rounding;
        let point = match policy.policy.binary_point {
            BinaryPoint::At(integer_bits) => Some(integer_bits),
            _ => None,
        };
        for datum in &policy.data {
            for point_of_curve in datum.points.iter().step_by(every) {
                let by_hand =
                    correct_by_hand(subject, &[(datum.datum, point_of_curve.bits)], rounding, point);
                println!("{} {}: {by_hand}", datum.name, point_of_curve.bits);
                assert_eq!(point_of_curve.measured.top1_correct, by_hand, "{} {rounding:?}", datum.name);
                checked += 1;
            }
        }
    }
    let schemes = joint.steps.iter().map(|step| &step.scheme).chain([&joint.search.scheme]);
    for scheme in schemes {
        let widths: Vec<_> = scheme.widths.iter().map(|width| (width.datum, width.bits)).collect();
        let by_hand = correct_by_hand(subject, &widths, joint.policy.rounding, None);
        println!("{widths:?}: {by_hand}");
        assert_eq!(scheme.measured.top1_correct, by_hand, "{widths:?}");
        checked += 1;
    }
    assert!(checked > 10, "{checked} points");
}

/// What a result says of its schemes holds.
fn assert_consistent(subject: &Subject<'_>, settings: &Settings, joint: &Joint) {
    let front = joint.front.iter();
    for scheme in [&joint.greedy, &joint.search.scheme].into_iter().chain(front) {
        let widths: Vec<_> = scheme.widths.iter().map(|width| (width.datum, width.bits)).collect();
        let volume = Volume::of(&subject.narrowed(&widths, joint.policy));
        assert_eq!((scheme.volume_bits, scheme.dvr), (volume.bits_moved, volume.reduction));
    }
    for scheme in [&joint.greedy, &joint.search.scheme] {
        assert!(scheme.measured.rpa >= settings.floor);
        assert!(scheme.gain_loss.is_none_or(|ratio| ratio >= settings.gain_loss_floor));
    }
    assert!(joint.search.scheme.volume_bits <= joint.greedy.volume_bits);
}

#[test]
fn scores_are_those_of_campaigns() {
    let (experiment, prepared) = lenet5(1000);
    let subject = Subject::new(&experiment, &prepared);
    let mut schemes = Schemes::new(&prepared).unwrap();
    let at = |name| datum(&subject, name);
    let floor = Policy { rounding: Rounding::Floor, ..Policy::default() };
    let point = Policy { binary_point: BinaryPoint::At(0), ..Policy::default() };
    let network = Policy { binary_point: BinaryPoint::Network, ..Policy::default() };
    let cases: [(Vec<(usize, u32)>, Policy); 9] = [
        (vec![], Policy::default()),
        (vec![(at("weight_conv1"), 3)], Policy::default()),
        (vec![(at("weight_fc3"), 2)], floor),
        (vec![(at("weight_fc1"), 4)], Policy::default()),
        (vec![(at("neuron_conv1"), 1)], floor),
        (vec![(at("neuron_fc3"), 2)], Policy::default()),
        (vec![(at("weight_fc1"), 3), (at("neuron_conv2"), 3)], point),
        (vec![(at("weight_fc2"), 5), (at("neuron_fc2"), 4), (at("weight_conv2"), 4)], network),
        ((0..subject.data().len()).map(|index| (index, 6)).collect(), Policy::default()),
    ];
    let mut counts = Vec::new();
    for (widths, policy) in &cases {
        let narrowed = subject.narrowed(widths, *policy);
        let campaign = Campaign::new(&narrowed, &prepared).unwrap();
        let score = schemes.score(&narrowed).unwrap();
        assert_eq!(&score, campaign.quantised(), "{widths:?} {policy:?}");
        counts.push(score.top1_correct);
    }
    // Later schemes see nothing of those before them.
    for ((widths, policy), count) in cases.iter().zip(&counts).rev() {
        assert_eq!(schemes.score(&subject.narrowed(widths, *policy)).unwrap().top1_correct, *count);
    }
    counts.dedup();
    assert!(counts.len() > 6, "the schemes differ: {counts:?}");
}

#[test]
fn modules_1_and_2_give_the_counts_of_words_narrowed_by_hand() {
    let (experiment, prepared) = lenet5(1000);
    let subject = Subject::new(&experiment, &prepared);
    let mut schemes = Schemes::new(&prepared).unwrap();
    let mut settings = settings();
    settings.policies = ROUNDINGS.map(|rounding| Policy { rounding, ..Policy::default() }).to_vec();
    settings.policies.push(Policy { rounding: Rounding::Floor, binary_point: BinaryPoint::At(2) });
    let before = schemes.effort();
    let found = single(&subject, &mut schemes, &settings, &|_| {}).unwrap();
    let joined = joint(&subject, &mut schemes, &found.policies[0], &settings, &|_| {}).unwrap();
    assert_counts(&subject, &found, &joined, 2);
    assert_consistent(&subject, &settings, &joined);

    let data = found.policies.iter().flat_map(|policy| &policy.data);
    let passes: u64 = data.clone().map(|datum| datum.passes).sum();
    let joint_passes = joined.greedy_passes + joined.search.passes + joined.front_passes;
    assert_eq!(schemes.effort().passes - before.passes, passes + joint_passes);
    let macs: u64 = data.clone().map(|datum| datum.macs_per_image).sum();
    assert_eq!(schemes.effort().macs_per_image, u128::from(macs + joined.macs_per_image));
    for datum in data {
        assert_eq!(datum.passes, datum.points.len() as u64);
        assert!(datum.passes < datum.published_passes, "{}", datum.name);
        let bits = datum.bits.unwrap();
        let saved = datum.words * u64::from(32 - bits);
        assert_eq!(datum.volume_saved_bits, Some(saved));
        let dvr = datum.share * f64::from(32 - bits) / 32.0;
        assert!((datum.dvr.unwrap() - dvr).abs() < 1e-12, "eq. 1");
    }
    // Dropping low bits biases every sum: the data need more of them than with nearest-even.
    let sum = |policy: usize| found.policies[policy].data.iter().filter_map(|datum| datum.bits).sum::<u32>();
    assert!(sum(0) < sum(1), "{} and {} bits", sum(0), sum(1));
}

#[test]
fn whole_curves_hold_the_answers_of_the_bisection() {
    let (experiment, prepared) = lenet5(500);
    let subject = Subject::new(&experiment, &prepared);
    let mut schemes = Schemes::new(&prepared).unwrap();
    let settings = Settings { search: SearchSettings { most_passes: 30, front_passes: 60 }, ..settings() };
    let bisected = single(&subject, &mut schemes, &settings, &|_| {}).unwrap();
    let whole =
        single(&subject, &mut schemes, &Settings { curves: true, ..settings.clone() }, &|_| {}).unwrap();
    for (bisected, whole) in bisected.policies[0].data.iter().zip(&whole.policies[0].data) {
        assert_eq!((whole.points.len(), whole.passes, whole.whole_curve), (32, 32, true));
        for point in &bisected.points {
            assert_eq!(whole.points[32 - point.bits as usize], *point);
        }
        assert_eq!(bisected.bits, whole.bits, "{} is monotone: {}", whole.name, whole.monotone);
    }
    let joined = joint(&subject, &mut schemes, &whole.policies[0], &settings, &|_| {}).unwrap();
    assert_consistent(&subject, &settings, &joined);
    assert!(joined.front.first().unwrap().measured.rpa < settings.floor);
    assert!(joined.front.last().unwrap().measured.rpa >= 1.0);

    let text = single_text(&whole) + &joint_text(&joined) + &front_text(&joined);
    for name in ["weight_fc1", "Module 1", "Module 2", "Pareto front", "rounding nearest_even", "97.00 %"] {
        assert!(text.contains(name), "{name} in\n{text}");
    }
    println!("{text}");
    assert_eq!(curves_csv(&whole).lines().count(), 1 + 5 * 32);
    assert_eq!(single_csv(&whole).lines().count(), 1 + 5);
    assert_eq!(front_csv(&joined).lines().count(), 1 + joined.front.len());
    let attempts: usize = joined.steps.iter().map(|step| step.attempts.len()).sum();
    assert_eq!(steps_csv(&joined).lines().count(), 1 + attempts);
}

#[test]
fn binary_points_that_no_width_saves_are_told() {
    let (experiment, prepared) = lenet5(200);
    let subject = Subject::new(&experiment, &prepared);
    let mut schemes = Schemes::new(&prepared).unwrap();
    let at = |integer_bits| Policy { binary_point: BinaryPoint::At(integer_bits), ..Policy::default() };
    let mut settings = settings();
    // Every value saturates near zero; every value is less than half a step of 2^29.
    settings.policies = vec![at(-40), at(60)];
    let found = single(&subject, &mut schemes, &settings, &|_| {}).unwrap();
    for (policy, saturates) in found.policies.iter().zip([true, false]) {
        for datum in &policy.data {
            assert_eq!((datum.bits, datum.volume_saved_bits, datum.dvr), (None, None, None));
            let reason = datum.reason.unwrap();
            assert_eq!(matches!(reason, NoWidth::Saturated { integer_bits: -40, .. }), saturates);
            assert!(reason.to_string().starts_with("no width meets the floor"));
        }
    }
    let joined = joint(&subject, &mut schemes, &found.policies[0], &settings, &|_| {}).unwrap();
    assert!(joined.steps.iter().all(|step| !step.taken));
    assert_eq!((joined.greedy.dvr, joined.greedy.no_loss), (0.0, true));
    let text = single_text(&found) + &joint_text(&joined);
    assert!(text.contains("values saturate") && text.contains("no width meets the floor even alone"));
    // JSON has no number that JSON cannot hold, and no zero for what there is not.
    let json = serde_json::to_value((&found, &joined)).unwrap();
    assert!(json[0]["policies"][0]["data"][0]["bits"].is_null());
    assert!(json[1]["greedy"]["gain_loss"].is_null());
}

#[test]
fn a_floor_above_the_network_is_told() {
    let (experiment, prepared) = lenet5(200);
    let subject = Subject::new(&experiment, &prepared);
    let mut schemes = Schemes::new(&prepared).unwrap();
    let settings = Settings { floor: 1.5, ..settings() };
    let found = single(&subject, &mut schemes, &settings, &|_| {}).unwrap();
    for datum in &found.policies[0].data {
        assert!(matches!(datum.reason, Some(NoWidth::BelowFloor { .. })), "{:?}", datum.reason);
        assert_eq!((datum.published_passes, datum.monotone), (1, true));
    }
    let joined = joint(&subject, &mut schemes, &found.policies[0], &settings, &|_| {}).unwrap();
    assert!(joined.search.scheme.widths.is_empty());
    assert_eq!(joined.greedy_passes + joined.search.passes, 0);
}

#[test]
fn without_labels_accuracy_is_agreement() {
    let (_, labelled) = lenet5(300);
    let folder = tempfile::TempDir::new().unwrap();
    let images: Vec<f32> =
        (0..300).flat_map(|image| labelled.inputs().image(image).collect::<Vec<_>>()).collect();
    let images = ndarray::Array4::from_shape_vec((300, 1, 28, 28), images).unwrap();
    ndarray_npy::write_npy(folder.path().join("images.npy"), &images).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/lenet5");
    let text = format!(
        "network = {{ definition = '{}', weights = '{}' }}\ndataset = {{ kind = 'npy', images = '{}' }}",
        root.join("lenet5.prototxt").display(),
        root.join("lenet5.caffemodel").display(),
        folder.path().join("images.npy").display(),
    );
    let (experiment, prepared) = prepare(&Document::parse(Path::new("experiment.toml"), &text).unwrap());
    let subject = Subject::new(&experiment, &prepared);
    let mut schemes = Schemes::new(&prepared).unwrap();
    let found = single(&subject, &mut schemes, &settings(), &|_| {}).unwrap();
    let joined = joint(&subject, &mut schemes, &found.policies[0], &settings(), &|_| {}).unwrap();
    assert!(!found.labelled && !joined.labelled);
    assert_eq!(found.baseline_top1_correct, 300);
    for point in found.policies[0].data.iter().flat_map(|datum| &datum.points) {
        assert_eq!(point.measured.top1_correct, point.measured.agreeing);
    }
    assert!(single_text(&found).contains("no labels") && joint_text(&joined).contains("no labels"));
}

/// The folder of test data.
fn data() -> PathBuf {
    PathBuf::from(std::env::var_os("APPROXMEM_TEST_DATA").expect("APPROXMEM_TEST_DATA names the test data"))
}

/// A network of the test data on the first images.
fn published(
    folder: &str,
    definition: &str,
    weights: &str,
    dataset: &str,
    images: usize,
) -> (Experiment, Prepared) {
    let folder = data().join("models").join(folder);
    let text = format!(
        "network = {{ definition = '{}', weights = '{}' }}\ndataset = {dataset}\n\
         experiment = {{ images = {images} }}",
        folder.join(definition).display(),
        folder.join(weights).display()
    )
    .replace("DATA", data().to_str().unwrap());
    prepare(&Document::parse(Path::new("experiment.toml"), &text).unwrap())
}

fn check_published((experiment, prepared): &(Experiment, Prepared), every: usize) {
    let subject = Subject::new(experiment, prepared);
    let mut schemes = Schemes::new(prepared).unwrap();
    let mut settings = settings();
    settings.policies.push(Policy { rounding: Rounding::Floor, ..Policy::default() });
    let say = |line: &str| println!("{line}");
    let found = single(&subject, &mut schemes, &settings, &say).unwrap();
    let joined = joint(&subject, &mut schemes, &found.policies[0], &settings, &say).unwrap();
    println!("{}{}", single_text(&found), joint_text(&joined));
    assert_consistent(&subject, &settings, &joined);
    assert_counts(&subject, &found, &joined, every);
    assert!(found.policies[0].data.iter().any(|datum| datum.operand == Operand::Weight));
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn published_lenet5_gives_the_counts_of_words_narrowed_by_hand() {
    let dataset = "{ kind = \"mnist\", images = \"DATA/mnist/t10k-images-idx3-ubyte.gz\", \
                   labels = \"DATA/mnist/t10k-labels-idx1-ubyte.gz\", \
                   scale = 0.00392156862745098, mean = 0.1307, std = 0.3081 }";
    let lenet5 = published("lenet5", "deploy.prototxt", "FYH620.caffemodel", dataset, 10_000);
    check_published(&lenet5, 2);
    assert_eq!(Schemes::new(&lenet5.1).unwrap().baseline().top1_correct, 9_813);
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn published_cifar10_full_gives_the_counts_of_words_narrowed_by_hand() {
    let dataset = "{ kind = \"cifar10\", images = \"DATA/cifar10/test_batch.bin.gz\", \
                   mean = \"DATA/cifar10/mean.binaryproto\" }";
    let weights = "cifar10_full_iter_70000.caffemodel";
    let cifar10 = published("cifar10_full", "cifar10_full.prototxt", weights, dataset, 1000);
    check_published(&cifar10, 5);
}

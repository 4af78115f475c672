//! The document of a measurement whose figures are known.

use super::*;
use crate::reproduction::measurement::{
    GreedyScheme, GreedyStep, Joint, MeasuredDatum, MeasuredSettings, Measurement, NetworkFigures,
    RandomPoint, RandomWord, RunTime, SCHEMA_VERSION, SavedBinaryPoint, SavedPolicy, SavedRounding,
    SavedVerdict, Scheme, SingleDatum, Tolerated, WidthPoint,
};
use crate::reproduction::sources;

const NEAREST: SavedPolicy =
    SavedPolicy { rounding: SavedRounding::NearestEven, binary_point: SavedBinaryPoint::Subset };
const FLOOR: SavedPolicy = SavedPolicy { rounding: SavedRounding::Floor, ..NEAREST };

fn datum(name: &str, words: u64) -> MeasuredDatum {
    MeasuredDatum { name: name.into(), words }
}

fn definition() -> NetworkFigures {
    let sizes = [
        ("weight_fc1", 30_720),
        ("weight_fc2", 10_080),
        ("weight_conv2", 2_400),
        ("neuron_conv2", 864),
        ("weight_fc3", 840),
    ];
    NetworkFigures {
        convolutions: 2,
        fully_connected: 3,
        parameter_words: 44_426,
        macs_per_image: 281_640,
        volume_words: 46_534,
        dominant: sizes.map(|(name, words)| datum(name, words)).to_vec(),
    }
}

fn single(bits: [u32; 2]) -> Vec<SingleDatum> {
    let datum = |bits: u32| SingleDatum {
        bits: Some(bits),
        monotone: bits != 3,
        passes: 9,
        published_passes: 30,
        points: (1..=8).map(|b| WidthPoint { bits: b, correct: if b < bits { 500 } else { 970 } }).collect(),
    };
    bits.map(datum).to_vec()
}

fn random_point(ber: f64, protected_msbs: u32, rpa: f64, verdict: SavedVerdict) -> RandomPoint {
    RandomPoint { ber, protected_msbs, trials: 16, rpa, interval: Some([rpa - 0.01, rpa + 0.01]), verdict }
}

/// 1,000 images, of which 980 are right in fp32; two data of 30,720 and 10,080 words.
fn measurement() -> Measurement {
    let scheme = |widths: [u32; 2], correct| Scheme { widths: widths.to_vec(), correct };
    let step = |datum, widths, correct| GreedyStep { datum, taken: true, scheme: scheme(widths, correct) };
    Measurement {
        schema_version: SCHEMA_VERSION,
        network: "lenet5".into(),
        weights: "trained for this project".into(),
        data_set: "MNIST test set".into(),
        images: 1_000,
        labelled: true,
        baseline_correct: 980,
        definition: definition(),
        settings: MeasuredSettings {
            command: "approxmem reproduce --networks lenet5 --seed 1".into(),
            seed: 1,
            floor: 0.97,
            gain_loss_floor: 20.0,
            error_rate: 0.05,
            most_trials: 100,
        },
        data: definition().dominant[..2].to_vec(),
        single: vec![
            SinglePolicy { policy: NEAREST, data: single([3, 4]) },
            SinglePolicy { policy: FLOOR, data: single([5, 8]) },
        ],
        joint: Some(Joint {
            greedy: vec![GreedyScheme {
                policy: NEAREST,
                steps: vec![step(0, [4, 32], 980), step(1, [4, 4], 960)],
            }],
            greedy_passes: 3,
            smallest: Some(scheme([3, 5], 955)),
            search_passes: 12,
            exhausted: false,
            paper: Vec::new(),
            front: vec![scheme([4, 4], 960), scheme([32, 32], 980)],
        }),
        random: vec![RandomWord {
            word: "fixed16".into(),
            policy: Some(NEAREST),
            quantised_rpa: 1.0,
            mtrer: Tolerated::At { ber: 1e-4, next: SavedVerdict::Below },
            crossing: Some([2e-4, 3e-4]),
            protection_ber: 1e-3,
            protected_msbs: Some(3),
            with_one_less: Some(SavedVerdict::Below),
            points: vec![
                random_point(1e-4, 0, 0.99, SavedVerdict::Above),
                random_point(1e-3, 0, 0.5, SavedVerdict::Below),
                random_point(1e-3, 2, 0.9, SavedVerdict::Below),
                random_point(1e-3, 3, 0.98, SavedVerdict::Above),
            ],
        }],
    }
}

fn made(measurement: &Measurement, seconds: f64) -> Document {
    let source = sources::source("lenet5").unwrap();
    let subject = Subject { source, definition: definition(), measured: Some(measurement) };
    let seconds = BTreeMap::from([("single".to_owned(), seconds)]);
    let times = Times::from([("lenet5".to_owned(), RunTime { threads: 2, seconds })]);
    document(&[subject], &Given::new(), &times).unwrap()
}

#[test]
fn figures_are_those_of_the_measurement() {
    let text = made(&measurement(), 1.0).text;
    // Table 1: 980 of 1,000. Table 3: two data under two policies, one curve not monotone.
    assert!(text.contains("| 46,534 | 1,000 | 98.00 |"), "{text}");
    assert!(text.contains("| LeNet-5 (`lenet5`) | weight_fc1 | 66.02 | 3* | 5 |"), "{text}");
    assert!(text.contains("| LeNet-5 (`lenet5`) | weight_fc2 | 21.66 | 4 | 8 |"), "{text}");
    assert!(text.contains("* LeNet-5 (`lenet5`): +2 to +4 (floor, subset)."), "{text}");
    // Eq. (1) of 4 and 4 bits: 40,800 words x 28 / 32 of 46,534; a loss of 20 of 980 images.
    let dvr: f64 = 40_800.0 * 28.0 / 32.0 / 46_534.0;
    let row = format!("| 4, 4 | {:.2} | 97.96 | {:.1} |", dvr * 100.0, dvr / (20.0 / 980.0));
    assert!(text.contains(&row), "{row} in {text}");
    assert!(text.contains("single data took 36 passes by bisection in place of 120 step by step"), "{text}");
}

#[test]
fn claims_are_told_word_by_word() {
    let text = made(&measurement(), 1.0).text;
    let first =
        "**No protection below 1e-4.** Holds up to 1e-4 for `lenet5` in fixed16 (nearest_even, subset).";
    let second = "**3 MSBs at 1e-3.** Three are needed and suffice for `lenet5` in fixed16 (nearest_even, subset) (**3**).";
    assert!(text.contains(first) && text.contains(second), "{text}");
    assert!(text.contains("99.00 [98.00, 100.00], 16, above"), "{text}");
    let mut without = measurement();
    without.random[0].mtrer = Tolerated::QuantisedMisses;
    (without.random[0].protected_msbs, without.random[0].with_one_less) = (None, None);
    without.random[0].points.clear();
    let text = made(&without, 1.0).text;
    assert!(text.contains("none: the floor is missed without errors"), "{text}");
    assert!(text.contains("**No protection below 1e-4.** Does not hold for `lenet5`"), "{text}");
}

#[test]
fn run_times_change_the_last_section_only() {
    let (first, second) = (made(&measurement(), 1.0), made(&measurement(), 2.0));
    let head = |text: &str| text.split("## Run time").next().unwrap().to_owned();
    assert_ne!(first.text, second.text);
    assert_eq!(head(&first.text), head(&second.text));
    assert_eq!(first.charts, second.charts);
}

#[test]
fn what_was_not_measured_is_said_and_not_drawn() {
    let mut bare = measurement();
    (bare.single, bare.joint, bare.random, bare.labelled) = (Vec::new(), None, Vec::new(), false);
    let made = made(&bare, 1.0);
    assert!(made.charts.is_empty());
    assert_eq!(made.text.matches("Not measured.").count(), 2, "tables 3 and the claims: {}", made.text);
    assert!(made.text.contains("`lenet5` was measured without labels"), "{}", made.text);
}

#[test]
fn a_saved_measurement_is_read_again() {
    let saved = serde_json::to_string_pretty(&measurement()).unwrap();
    assert_eq!(Measurement::parse("lenet5.json", &saved).unwrap(), measurement());
    let other = saved.replace("\"schema_version\": 1", "\"schema_version\": 2");
    let refused = Measurement::parse("lenet5.json", &other).unwrap_err().to_string();
    assert!(refused.contains("schema_version 2"), "{refused}");
}

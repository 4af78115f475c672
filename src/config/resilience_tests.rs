//! What `[resilience]` means, and what is said of what is wrong in it.

use super::message_tests::check;
use super::sample::{Folder, TEXT};
use crate::memory::Lifetime;
use crate::number::{BinaryPoint, Format, Rounding};
use crate::resilience::{Policy, Selection, Target};

fn fixed(bits: u32) -> Format {
    Format::Fixed { bits, binary_point: BinaryPoint::Subset, rounding: Rounding::NearestEven }
}

#[test]
fn what_is_not_said_is_the_papers_default() {
    let evaluation = Folder::new().resolve(TEXT, &["experiment.rpa_floor=0.9"]).unwrap().evaluation;
    let settings = &evaluation.settings;
    assert_eq!((settings.floor, settings.selection), (0.9, Selection::Largest(5)));
    assert_eq!(
        settings.policies,
        [Policy { rounding: Rounding::NearestEven, binary_point: BinaryPoint::Subset }]
    );
    assert_eq!((settings.gain_loss_floor, settings.curves), (20.0, false));
    let random = &settings.random;
    assert_eq!(
        (random.formats.as_slice(), random.targets.as_slice()),
        (&[fixed(16)][..], &[Target::Weights][..])
    );
    assert_eq!((random.ber, random.decades, random.neuron_lifetime), (1e-3, [-8, -1], Lifetime::Transient));
    assert_eq!((random.verdict.error_rate, random.verdict.most_trials), (0.05, 10));
    assert!(!random.refine && !random.map && !evaluation.each_datum);
}

#[test]
fn every_key_is_read() {
    let text = format!(
        "{TEXT}[resilience]\ncover = 0.95\nroundings = [\"floor\", \"zero\"]\nbinary_points = [\"network\", -2]\n\
         curves = true\ngain_loss_floor = 5\nformats = [\"bf16\", {{ kind = \"fixed\", bits = 8 }}]\n\
         targets = [\"neurons\", \"subsets\"]\nber = 1e-2\ndecades = [-5, -2]\nneuron_lifetime = \"permanent\"\n\
         error_rate = 0.01\nrefine = true\nmap = true\n"
    );
    let evaluation = Folder::new().resolve(&text, &["experiment.trials=7"]).unwrap().evaluation;
    let settings = &evaluation.settings;
    assert_eq!(settings.selection, Selection::Cover(0.95));
    let policies: Vec<_> =
        settings.policies.iter().map(|policy| (policy.rounding, policy.binary_point)).collect();
    let expected = [
        (Rounding::Floor, BinaryPoint::Network),
        (Rounding::Zero, BinaryPoint::Network),
        (Rounding::Floor, BinaryPoint::At(-2)),
        (Rounding::Zero, BinaryPoint::At(-2)),
    ];
    assert_eq!(policies, expected);
    assert_eq!((settings.gain_loss_floor, settings.curves), (5.0, true));
    let random = &settings.random;
    assert_eq!(random.formats, [Format::Bf16 { rounding: Rounding::NearestEven }, fixed(8)]);
    assert_eq!((random.targets.as_slice(), evaluation.each_datum), (&[Target::Neurons][..], true));
    assert_eq!((random.ber, random.decades, random.neuron_lifetime), (1e-2, [-5, -2], Lifetime::Permanent));
    assert_eq!((random.verdict.error_rate, random.verdict.most_trials), (0.01, 7));
    assert!(random.refine && random.map);
}

#[test]
fn a_full_evaluation_asks_for_everything_and_keeps_its_first_word() {
    let evaluation =
        Folder::new().resolve(TEXT, &["resilience.formats=[\"bf16\"]"]).unwrap().evaluation.full();
    let names: Vec<_> = evaluation.settings.random.formats.iter().map(Format::name).collect();
    assert_eq!(names, ["bf16", "fp32", "fp16", "fixed32", "fixed16", "fixed8", "int8"]);
    assert!(evaluation.each_datum && evaluation.settings.curves && evaluation.settings.random.map);
    assert_eq!(evaluation.settings.selection, Selection::All);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let cases: Vec<(String, &str)> = [
        (
            r"subset = 5",
            r"c.toml:23:1: unknown key `subset` in [resilience]
    help: did you mean `subsets`? valid keys: `subsets`, `cover`, `roundings`, `binary_points`, `curves`, `gain_loss_floor`, `formats`, `targets`, `ber`, `decades`, `neuron_lifetime`, `error_rate`, `refine`, `map`",
        ),
        (
            r"subsets = 0",
            r"c.toml:23:11: `resilience.subsets` must be an integer of at least 1, found the integer 0",
        ),
        (
            r"cover = 1.5",
            r"c.toml:23:9: `resilience.cover` must be a number above 0 up to 1, found the float 1.5",
        ),
        (
            r"subsets = 5
cover = 0.9",
            r"c.toml:24:1: `resilience.subsets` and `resilience.cover` both say which data subsets
    help: leave one of them out",
        ),
        (
            r#"roundings = "floor""#,
            r#"c.toml:23:13: `resilience.roundings` must be a list of at least one item, found the string "floor""#,
        ),
        (
            r#"roundings = ["flor"]"#,
            r#"c.toml:23:14: `resilience.roundings` must be one of `nearest_even`, `floor`, `zero`, found the string "flor"
    help: did you mean `floor`?"#,
        ),
        (
            r#"roundings = ["zero", "zero"]"#,
            r"c.toml:23:22: `resilience.roundings` has the same item twice",
        ),
        (
            r#"binary_points = ["word"]"#,
            r#"c.toml:23:18: `resilience.binary_points` must be `subset`, `network` or an integer from -126 to 128, found the string "word""#,
        ),
        (
            r"formats = []",
            r"c.toml:23:11: `resilience.formats` must be a list of at least one item, found an empty list",
        ),
        (
            r#"formats = [{ kind = "fixed" }]"#,
            r"c.toml:23:12: missing key `resilience.formats.bits`
    help: the width of a fixed-point word, 1 to 32, the sign bit counted",
        ),
        (
            r#"formats = [{ kind = "int8", scale = "channel" }]"#,
            r#"c.toml:23:12: `resilience.formats`: not every data subset has such a scale
    help: use scale = "tensor""#,
        ),
        (
            r#"targets = ["biases"]"#,
            r#"c.toml:23:12: `resilience.targets` must be one of `weights`, `neurons`, `subsets`, found the string "biases""#,
        ),
        (
            r"ber = 0",
            r"c.toml:23:7: `resilience.ber` must be a number above 0 up to 1, found the integer 0",
        ),
        (
            r"decades = [-1, -8]",
            r"c.toml:23:11: `resilience.decades` must be two exponents of ten, the smaller first, as in [-8, -1], found a list",
        ),
        (
            r"decades = [-20, -1]",
            r"c.toml:23:12: `resilience.decades` must be an integer from -12 to 0, found the integer -20",
        ),
        (
            r"decades = -3",
            r"c.toml:23:11: `resilience.decades` must be two exponents of ten, the smaller first, as in [-8, -1], found the integer -3",
        ),
        (
            r#"neuron_lifetime = "forever""#,
            r#"c.toml:23:19: `resilience.neuron_lifetime` must be one of `permanent`, `transient`, found the string "forever""#,
        ),
        (
            r"error_rate = 0.9",
            r"c.toml:23:14: `resilience.error_rate` must be a number above 0 up to 0.5, found the float 0.9",
        ),
        (
            r"refine = 1",
            r"c.toml:23:10: `resilience.refine` must be true or false, found the integer 1",
        ),
        (
            r"gain_loss_floor = -1",
            r"c.toml:23:19: `resilience.gain_loss_floor` must be a number of at least 0, found the integer -1",
        ),
    ]
    .map(|(line, expected)| (format!("trials = 10\n[resilience]\n{line}"), expected))
    .to_vec();
    let cases: Vec<_> =
        cases.iter().map(|(with, expected)| ("trials = 10", with.as_str(), *expected)).collect();
    check(&cases);
}

//! Module 3 on LeNet-5: searches against full lists, and trials against configurations that say the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use approxmem::campaign::{self, Campaign};
use approxmem::config::Document;
use approxmem::experiment::{Experiment, Prepared};
use approxmem::memory::{Geometry, Lifetime, Memory, Protection, Technology, uniform};
use approxmem::network::{self, Network};
use approxmem::number::{BinaryPoint, Format, Granularity, Rounding};
use approxmem::report::{claims_text, random_points_csv, random_text};
use approxmem::resilience::random::{
    MEMORY, Mtrer, Point, ProtectedBits, RandomErrors, Tolerance, claims, evaluate,
};
use approxmem::resilience::verdict::{Basis, Certain, Question, Sequential, Verdict};
use approxmem::resilience::{RandomSettings, Subject, Target, VerdictSettings};
use std::path::Path;

const FLOOR: f64 = 0.97;
const FIXED16: Format = fixed(16);

const fn fixed(bits: u32) -> Format {
    Format::Fixed { bits, binary_point: BinaryPoint::Subset, rounding: Rounding::NearestEven }
}

fn resolve(settings: &[&str]) -> (Network, Experiment) {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/lenet5.toml");
    let mut document = Document::read(&config).unwrap();
    document.set("experiment.images=500").unwrap();
    for setting in settings {
        document.set(setting).unwrap();
    }
    let source = document.network_source().unwrap();
    let mut network = network::read_definition(source.definition.as_ref()).unwrap();
    network::load_weights(&mut network, source.weights.unwrap().as_ref()).unwrap();
    let experiment = document.resolve(&network).unwrap().experiment;
    (network, experiment)
}

fn prepared() -> (Experiment, Prepared) {
    let (network, experiment) = resolve(&[]);
    let prepared = Prepared::new(network, &experiment).unwrap();
    (experiment, prepared)
}

fn settings(format: Format, target: Target) -> RandomSettings {
    RandomSettings {
        formats: vec![format],
        targets: vec![target],
        ber: 1e-3,
        decades: [-8, -1],
        neuron_lifetime: Lifetime::Transient,
        verdict: VerdictSettings { error_rate: 0.05, most_trials: 100 },
        refine: false,
        map: false,
    }
}

fn tolerance(subject: &Subject<'_>, floor: f64, settings: &RandomSettings) -> Tolerance {
    let mut errors: RandomErrors = evaluate(subject, floor, settings, &|_| {}).unwrap();
    errors.tolerances.remove(0)
}

fn point(tolerance: &Tolerance, ber: f64, msbs: u32) -> &Point {
    tolerance.points.iter().find(|point| point.ber == ber && point.protected_msbs == msbs).unwrap()
}

#[test]
fn bisection_finds_what_the_full_map_has() {
    let (experiment, prepared) = prepared();
    let subject = Subject::new(&experiment, &prepared);
    for format in [fixed(8), Format::Int8 { granularity: Granularity::Tensor }] {
        let search = RandomSettings { decades: [-5, -1], ..settings(format, Target::Weights) };
        let full = tolerance(&subject, FLOOR, &RandomSettings { map: true, ..search.clone() });
        let search = tolerance(&subject, FLOOR, &search);
        assert_eq!(full.points.len(), 5 * 9);
        assert!(full.contradictions.is_empty(), "{:?}", full.contradictions);
        // The full list: the largest decade up to which all are above.
        let all = (-5..=-1).take_while(|exponent| {
            let ber = format!("1e{exponent}").parse().unwrap();
            point(&full, ber, 0).judgement.verdict == Verdict::Above
        });
        let Mtrer::At { exponent, .. } = search.mtrer else { panic!("{:?}", search.mtrer) };
        assert_eq!(exponent, all.last().unwrap());
        assert_eq!(search.mtrer, full.mtrer);
        let first_above = (0..=8).find(|&msbs| point(&full, 1e-3, msbs).judgement.verdict == Verdict::Above);
        let ProtectedBits::Needed { msbs, .. } = search.protected_msbs else { panic!() };
        assert_eq!(Some(msbs), first_above);
        // What both measured is the same; below the largest decade that is above, a glance does.
        let glance = point(&search, format!("1e{}", exponent - 1).parse().unwrap(), 0);
        assert!(glance.judgement.summary.count <= 16 && glance.judgement.nested_trials == 0);
        assert_eq!(glance.judgement.verdict, Verdict::Above);
        for found in search.points.iter().filter(|found| *found != glance) {
            assert_eq!(found, point(&full, found.ber, found.protected_msbs));
        }
        assert!(search.effort.trials < search.effort.fixed_plan_trials / 2, "{:?}", search.effort);
    }
}

#[test]
fn points_are_runs_of_a_configuration_that_says_the_same() {
    let (experiment, prepared) = prepared();
    let subject = Subject::new(&experiment, &prepared);
    let found = tolerance(&subject, FLOOR, &settings(FIXED16, Target::Weights));
    for measured in found.points.iter().filter(|point| point.ber >= 1e-3 && point.protected_msbs < 16) {
        let trials = measured.judgement.summary.count;
        let (network, experiment) = resolve(&[
            &format!("experiment.trials={trials}"),
            &format!("memories.dram.ber={:e}", measured.ber),
            &format!("memories.dram.protected_msbs={}", measured.protected_msbs),
        ]);
        let prepared = Prepared::new(network, &experiment).unwrap();
        let run = campaign::run(&experiment, &prepared, &|_| {}).unwrap();
        let rpa: Vec<f64> = run.trials.iter().map(|trial| trial.score.rpa(&run.baseline).unwrap()).collect();
        assert_eq!(campaign::Summary::of(&rpa).unwrap(), measured.judgement.summary);
        let flips = run.trials.iter().map(campaign::Trial::total_flips).sum::<u64>() as f64;
        assert_eq!(flips / trials as f64, measured.flips_mean);
    }
}

fn memory(ber: f64, msbs: u32, lifetime: Lifetime) -> Memory {
    Memory {
        name: MEMORY.to_owned(),
        technology: Technology::Uniform(uniform::Parameters::from(ber)),
        geometry: Geometry::default(),
        protection: Protection::dual_rail(msbs),
        lifetime: Some(lifetime),
        measured: None,
    }
}

#[test]
fn rearmed_trials_are_those_of_a_new_campaign_and_faults_are_nested() {
    let (experiment, prepared) = prepared();
    let subject = Subject::new(&experiment, &prepared);
    for (target, lifetime) in [
        (Target::Weights, Lifetime::Permanent),
        (Target::Neurons, Lifetime::Permanent),
        (Target::Neurons, Lifetime::Transient),
    ] {
        let words: Vec<_> = subject.struck(&target).into_iter().map(|datum| (datum, FIXED16)).collect();
        let at = |ber: f64, msbs: u32| subject.stored(&words, memory(ber, msbs, lifetime));
        let first = at(0.0, 0);
        let mut rearmed = Campaign::new(&first, &prepared).unwrap();
        let mut flips = Vec::new();
        for (ber, msbs) in [(1e-3, 3), (1e-3, 1), (1e-3, 0), (5e-3, 0), (2e-2, 0)] {
            rearmed.rearm(at(ber, msbs)).unwrap();
            let experiment = at(ber, msbs);
            let mut new = Campaign::new(&experiment, &prepared).unwrap();
            let trials: Vec<_> = (0..3).map(|index| rearmed.trial(index).unwrap()).collect();
            for trial in &trials {
                assert_eq!(*trial, new.trial(trial.index).unwrap(), "{target:?} {lifetime:?} {ber} {msbs}");
            }
            flips.push(trials.iter().map(|trial| trial.flips.clone()).collect::<Vec<_>>());
        }
        // Fewer protected bits and higher rates only add faults, at every site of every trial.
        for pair in flips.windows(2) {
            let sites = pair[0].iter().flatten().zip(pair[1].iter().flatten());
            assert!(sites.clone().all(|(fewer, more)| fewer <= more));
            assert!(sites.clone().any(|(fewer, more)| fewer < more));
        }
    }
}

#[test]
fn all_bits_protected_is_the_network_without_errors() {
    let (experiment, prepared) = prepared();
    let subject = Subject::new(&experiment, &prepared);
    let settings =
        RandomSettings { decades: [-2, -1], ber: 0.5, map: true, ..settings(fixed(6), Target::Weights) };
    let found = tolerance(&subject, 0.9, &settings);
    for ber in [1e-2, 1e-1] {
        let precise = point(&found, ber, 6);
        let summary = precise.judgement.summary;
        assert_eq!([summary.mean, summary.min, summary.max], [found.quantised_rpa; 3]);
        assert_eq!((precise.flips_mean, precise.passes), (0.0, 0));
        assert_eq!(precise.judgement.basis, Some(Basis::Certain));
    }
    // At a rate of one half unprotected bits are noise: nearly all must be protected, and all bits suffice.
    let ProtectedBits::Needed { msbs, .. } = found.protected_msbs else { panic!() };
    assert!((3..=6).contains(&msbs), "{msbs}");
    assert_eq!(point(&found, 0.5, msbs).judgement.verdict, Verdict::Above);
}

#[test]
fn edges_beyond_the_decades_are_named() {
    let (experiment, prepared) = prepared();
    let subject = Subject::new(&experiment, &prepared);
    let low = RandomSettings { decades: [-8, -7], ..settings(FIXED16, Target::Weights) };
    let found = tolerance(&subject, FLOOR, &low);
    assert_eq!(found.mtrer, Mtrer::AtLeast { exponent: -7 });
    assert_eq!((found.mtrer.ber(), found.refined), (Some(1e-7), None));
    let high = RandomSettings { decades: [-2, -1], ..settings(Format::Fp32, Target::Weights) };
    let found = tolerance(&subject, FLOOR, &high);
    assert_eq!(found.mtrer, Mtrer::Less { exponent: -2, verdict: Verdict::Below });
    assert_eq!(found.mtrer.ber(), None);
    for decades in [[-1, -2], [-3, 1], [i32::MIN, 0]] {
        let settings = RandomSettings { decades, ..settings(FIXED16, Target::Weights) };
        assert!(evaluate(&subject, FLOOR, &settings, &|_| {}).is_err());
    }
    for ber in [0.0, -1.0, 1.5, f64::NAN] {
        let settings = RandomSettings { ber, ..settings(FIXED16, Target::Weights) };
        assert!(evaluate(&subject, FLOOR, &settings, &|_| {}).is_err());
    }
}

#[test]
fn few_flips_are_certain_and_rare_kinds_are_told_from_nested_devices() {
    let (experiment, prepared) = prepared();
    let subject = Subject::new(&experiment, &prepared);
    let settings = RandomSettings { decades: [-8, -6], ..settings(Format::Fp32, Target::Weights) };
    let found = tolerance(&subject, FLOOR, &RandomSettings { map: true, ..settings.clone() });
    let at = |ber: f64| &point(&found, ber, 0).judgement;
    // (1 - 1e-8)^(32 * words) is 0.986 for the 44,190 weights.
    assert_eq!((at(1e-8).verdict, at(1e-8).basis), (Verdict::Above, Some(Basis::Certain)));
    assert_eq!((at(1e-7).verdict, at(1e-7).basis), (Verdict::Above, Some(Basis::Nested)));
    assert!(at(1e-7).nested_trials > 0 && point(&found, 1e-7, 0).nested_ber.unwrap() > 2e-7);
}

/// What verdicts from nested devices assume, on words of floating point, where few flips are catastrophes: P(x >= v at p)^m is
/// at least P(x >= v at 1 - (1 - p)^m).
#[test]
fn devices_at_a_higher_rate_are_no_better_than_all_of_those_they_hold() {
    let (experiment, prepared) = prepared();
    let subject = Subject::new(&experiment, &prepared);
    let words: Vec<_> =
        subject.struck(&Target::Weights).into_iter().map(|datum| (datum, Format::Fp32)).collect();
    let precise = subject.stored(&words, memory(0.0, 0, Lifetime::Permanent));
    let mut campaign = Campaign::new(&precise, &prepared).unwrap();
    let baseline = campaign.baseline();
    let mut unharmed = |ber: f64, trials: u64| {
        campaign.rearm(subject.stored(&words, memory(ber, 0, Lifetime::Permanent))).unwrap();
        let rpa = (0..trials).map(|index| campaign.trial(index).unwrap().score.rpa(&baseline).unwrap());
        rpa.filter(|rpa| *rpa >= 0.985).count() as f64 / trials as f64
    };
    let (ber, devices) = (2e-6, 16.0_f64);
    let one = unharmed(ber, 600);
    let all = unharmed(1.0 - (1.0 - ber).powf(devices), 300);
    // Three standard deviations of either share.
    let error = 3.0 * ((one * (1.0 - one) / 600.0).sqrt() + (all * (1.0 - all) / 300.0).sqrt() / devices);
    assert!(one < 1.0 && all < one, "{one} {all}");
    assert!(
        one + error >= all.powf(1.0 / devices),
        "{one} at {ber:e}, {all} where {devices} are laid on one another"
    );
}

#[test]
fn words_that_miss_the_floor_have_no_rate() {
    let (experiment, prepared) = prepared();
    let subject = Subject::new(&experiment, &prepared);
    // No fraction bits at all: every weight is rounded to a whole number.
    let format = Format::Fixed { bits: 8, binary_point: BinaryPoint::At(7), rounding: Rounding::NearestEven };
    let found = tolerance(&subject, FLOOR, &settings(format, Target::Weights));
    assert!(found.quantised_rpa < FLOOR);
    assert_eq!((found.mtrer, found.protected_msbs), (Mtrer::QuantisedMisses, ProtectedBits::QuantisedMisses));
    assert_eq!((found.mtrer.ber(), found.points.len(), found.effort.trials), (None, 0, 0));
    let claims = claims(&subject, format, FLOOR, VerdictSettings::default(), &|_| {}).unwrap();
    assert!(claims.claims.is_empty());
}

#[test]
fn too_few_trials_leave_points_undecided() {
    let (experiment, prepared) = prepared();
    let subject = Subject::new(&experiment, &prepared);
    let verdict = VerdictSettings { error_rate: 0.05, most_trials: 4 };
    let few =
        RandomSettings { verdict, refine: true, decades: [-5, -2], ..settings(FIXED16, Target::Weights) };
    let found = tolerance(&subject, FLOOR, &few);
    // Four trials are never enough to be sure that the mean is above.
    assert_eq!(found.mtrer, Mtrer::Less { exponent: -5, verdict: Verdict::Undecided });
    assert_eq!(found.refined, None);
    let undecided = found.points.iter().find(|point| point.ber == 1e-5).unwrap();
    assert_eq!((undecided.judgement.basis, undecided.judgement.summary.count), (None, 4));
    // All bits protected need no trial.
    assert_eq!(found.protected_msbs, ProtectedBits::Needed { msbs: 16, fewer: Some(Verdict::Undecided) });
}

#[test]
fn refined_edges_enclose_the_decade() {
    let (experiment, prepared) = prepared();
    let subject = Subject::new(&experiment, &prepared);
    let settings = RandomSettings { refine: true, ..settings(fixed(8), Target::Weights) };
    let found = tolerance(&subject, FLOOR, &settings);
    let (ber, refined) = (found.mtrer.ber().unwrap(), found.refined.clone().unwrap());
    assert!(ber <= refined.highest_above && refined.highest_above < 10.0 * ber);
    let below = refined.lowest_below.unwrap();
    assert!(refined.highest_above < below && below <= 10.0 * ber);
    assert_eq!(point(&found, refined.highest_above, 0).judgement.verdict, Verdict::Above);
    assert_eq!(point(&found, below, 0).judgement.verdict, Verdict::Below);
    for ber in &refined.undecided {
        assert_eq!(point(&found, *ber, 0).judgement.verdict, Verdict::Undecided);
    }
    // Neighbouring steps, but for what is undecided.
    let steps = (8.0 * (below / refined.highest_above).log10()).round() as usize;
    assert!(steps <= 1 + 2 * refined.undecided.len() + 1, "{steps} steps, {:?}", refined.undecided);
}

#[test]
fn results_do_not_depend_on_threads() {
    let (experiment, prepared) = prepared();
    let subject = Subject::new(&experiment, &prepared);
    let mut settings = settings(FIXED16, Target::Neurons);
    (settings.decades, settings.verdict.most_trials) = ([-3, -2], 20);
    settings.targets.push(Target::Datum(0));
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| evaluate(&subject, FLOOR, &settings, &|_| {}).unwrap())
    };
    let one = with(1);
    assert_eq!(one, with(3));
    assert_eq!(one.tolerances[1].target, subject.data()[0].name);
}

#[test]
fn reports_say_what_was_found_and_what_not() {
    let (experiment, prepared) = prepared();
    let subject = Subject::new(&experiment, &prepared);
    let misses = Format::Fixed { bits: 8, binary_point: BinaryPoint::At(7), rounding: Rounding::NearestEven };
    let mut settings = settings(fixed(4), Target::Weights);
    settings.formats.push(misses);
    (settings.decades, settings.map, settings.refine) = ([-8, -6], true, true);
    let errors = evaluate(&subject, 0.9, &settings, &|_| {}).unwrap();
    let text = random_text(&errors);
    for expected in [
        "at or above 90.00 %",
        "at least 1e-6",
        "none suffices",
        "below the floor: no rate is tolerated",
        "1e-6 is the largest rate asked for",
        "Mean RPA in %, weights in fixed4 subset nearest_even",
        "fixed8 I=7 nearest_even",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
    let csv = random_points_csv(&errors);
    let points: usize = errors.tolerances.iter().map(|tolerance| tolerance.points.len()).sum();
    assert_eq!(csv.lines().count(), 1 + points);
    let columns = csv.lines().next().unwrap().split(',').count();
    assert!(csv.lines().all(|line| line.split(',').count() == columns));
    let json = serde_json::to_value(&errors).unwrap();
    assert_eq!(json["tolerances"][0]["mtrer"], serde_json::json!({ "outcome": "at_least", "exponent": -6 }));
    assert_eq!(json["tolerances"][1]["protected_msbs"]["outcome"], "quantised_misses");
    assert_eq!(
        json["tolerances"][0]["points"][0]["mean"].as_f64(),
        Some(errors.tolerances[0].points[0].judgement.summary.mean)
    );

    let held = claims(&subject, fixed(4), 0.9, VerdictSettings::default(), &|_| {}).unwrap();
    let missed = claims(&subject, misses, 0.9, VerdictSettings::default(), &|_| {}).unwrap();
    // Rates and protected bits of the claims are those of the paper.
    let points: Vec<_> =
        held.claims.iter().map(|claim| (claim.point.ber, claim.point.protected_msbs)).collect();
    assert_eq!(points, [(1e-5, 0), (1e-4, 0), (1e-3, 3), (1e-3, 2), (1e-3, 0)]);
    let text = claims_text(&[held, missed]);
    assert!(
        text.contains("three protected bits suffice at 1e-3")
            && text.contains("misses the floor without errors")
    );
}

/// Error rates on the trials that campaigns really have, at floors slightly off their mean.
#[test]
fn trials_of_lenet5_are_told_at_the_stated_error_rate() {
    let (experiment, prepared) = prepared();
    let subject = Subject::new(&experiment, &prepared);
    let words: Vec<_> = subject.struck(&Target::Weights).into_iter().map(|datum| (datum, FIXED16)).collect();
    for ber in [1e-3, 3e-3] {
        let stored = subject.stored(&words, memory(ber, 0, Lifetime::Permanent));
        let mut campaign = Campaign::new(&stored, &prepared).unwrap();
        let baseline = campaign.baseline();
        let trials: Vec<f64> =
            (0..150).map(|index| campaign.trial(index).unwrap().score.rpa(&baseline).unwrap()).collect();
        let summary = campaign::Summary::of(&trials).unwrap();
        for off in [0.1, 0.3] {
            for side in [-1.0, 1.0] {
                let floor = summary.mean + side * off * summary.std.unwrap();
                let wrong = if side > 0.0 { Verdict::Above } else { Verdict::Below };
                let share = share_of(&trials, floor, wrong);
                assert!(share < 0.067, "{share} of the verdicts at {ber:e} are {wrong:?}, {off} off");
            }
        }
    }
}

/// How often campaigns of trials drawn from `trials` end with `verdict`.
fn share_of(trials: &[f64], floor: f64, verdict: Verdict) -> f64 {
    use rand::{RngExt, SeedableRng};
    const RUNS: u32 = 1500;
    let mut random = rand_pcg::Pcg64Mcg::seed_from_u64(11);
    let ceiling = 1.02;
    let certain = Certain { least: 0.0, most: ceiling };
    let question = Question { floor, ceiling, step: 2e-3, certain, near_normal: true, nested: None };
    let mut count = 0;
    for _ in 0..RUNS {
        let mut sequential =
            Sequential::new(question, VerdictSettings { error_rate: 0.05, most_trials: 100 });
        while sequential.goes_on() {
            sequential.push(trials[random.random_range(0..trials.len())]);
        }
        count += u32::from(sequential.verdict().is_some_and(|(told, _)| told == verdict));
    }
    f64::from(count) / f64::from(RUNS)
}

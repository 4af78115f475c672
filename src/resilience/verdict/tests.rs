use super::*;
use crate::random::normal;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

const FLOOR: f64 = 0.97;
const CEILING: f64 = 1.01;
const ERROR_RATE: f64 = 0.05;
const RUNS: u32 = 1500;
/// Error rate that is not exceeded by chance: three standard deviations of a binomial share.
const NOTICEABLE: f64 = 0.067;

fn question(near_normal: bool) -> Question {
    let certain = Certain { least: 0.0, most: CEILING };
    Question { floor: FLOOR, ceiling: CEILING, step: 1e-4, certain, near_normal, nested: None }
}

/// Shares of the campaigns that end above and below, and the mean number of trials.
struct Rates {
    above: f64,
    below: f64,
    trials: f64,
}

fn rates(question: Question, most_trials: u64, draw: impl Fn(&mut Pcg64Mcg) -> f64) -> Rates {
    let mut random = Pcg64Mcg::seed_from_u64(7);
    let (mut above, mut below, mut trials) = (0, 0, 0);
    for _ in 0..RUNS {
        let settings = VerdictSettings { error_rate: ERROR_RATE, most_trials };
        let mut sequential = Sequential::new(question, settings);
        while sequential.goes_on() {
            sequential.push(draw(&mut random).clamp(0.0, CEILING));
        }
        above += u32::from(matches!(sequential.verdict(), Some((Verdict::Above, _))));
        below += u32::from(matches!(sequential.verdict(), Some((Verdict::Below, _))));
        trials += sequential.values().len() as u32;
    }
    let [above, below, trials] = [above, below, trials].map(|sum| f64::from(sum) / f64::from(RUNS));
    Rates { above, below, trials }
}

fn uniform(random: &mut Pcg64Mcg) -> f64 {
    random.random_range(1e-12..1.0)
}

fn standard_normal(random: &mut Pcg64Mcg) -> f64 {
    normal::quantile(uniform(random))
}

/// Loses `depth` with the probability that makes the mean loss `mean`, else nothing.
fn mixture(mean: f64, depth: f64) -> impl Fn(&mut Pcg64Mcg) -> f64 {
    move |random| if uniform(random) < mean / depth { 1.0 - depth } else { 1.0 }
}

#[test]
fn normal_trials_are_told_at_the_stated_error_rate() {
    for (std, off) in [(0.003, 0.0005), (0.01, 0.001), (0.01, 0.003), (0.01, 0.01), (0.03, 0.005)] {
        let above = rates(question(true), 100, |random| FLOOR + off + std * standard_normal(random));
        let below = rates(question(true), 100, |random| FLOOR - off + std * standard_normal(random));
        assert!(above.below < NOTICEABLE && below.above < NOTICEABLE, "std {std}, off by {off}");
    }
    // One standard deviation off the floor the answer takes a few dozen trials, far off a handful.
    let near = rates(question(true), 100, |random| FLOOR + 0.01 + 0.01 * standard_normal(random));
    assert!(near.above > 0.99 && near.trials < 30.0, "{} in {} trials", near.above, near.trials);
    let far = rates(question(true), 100, |random| FLOOR - 0.4 + 0.1 * standard_normal(random));
    assert!(far.below > 0.999 && far.trials < 4.0, "{} in {} trials", far.below, far.trials);
}

#[test]
fn skewed_losses_are_told_at_the_stated_error_rate() {
    for off in [0.001, 0.003, 0.01] {
        let exponential = |mean: f64| move |random: &mut Pcg64Mcg| 1.0 + mean * libm::log(uniform(random));
        // exp(N - 1/2) has a mean of 1 and a standard deviation of 1.3.
        let log_normal =
            |mean: f64| move |random: &mut Pcg64Mcg| 1.0 - mean * libm::exp(standard_normal(random) - 0.5);
        for [low, high] in [
            [
                rates(question(true), 100, exponential(0.03 + off)),
                rates(question(true), 100, exponential(0.03 - off)),
            ],
            [
                rates(question(true), 100, log_normal(0.03 + off)),
                rates(question(true), 100, log_normal(0.03 - off)),
            ],
            [
                rates(question(true), 100, mixture(0.03 + off, 0.1)),
                rates(question(true), 100, mixture(0.03 - off, 0.1)),
            ],
        ] {
            assert!(
                low.above < NOTICEABLE && high.below < NOTICEABLE,
                "off by {off}: {} {}",
                low.above,
                high.below
            );
        }
    }
}

#[test]
fn trials_far_above_the_floor_are_told_at_the_first_look_however_skewed() {
    // A spread of 3e-4 lies a hundred deviations above the floor: there the correction must not turn round.
    let tight = rates(question(true), 100, |random| 1.0 + 3e-4 * libm::log(uniform(random)));
    assert!(tight.above > 0.999 && tight.trials < 16.5, "{} in {} trials", tight.above, tight.trials);
    // Hall's cubic at u = 1, g = -1, n = 16 by hand: 4 (1 - 1/3 + 1/27 - 1/96).
    assert!((unskewed(4.0, -1.0, 16.0) - 4.0 * (1.0 - 1.0 / 3.0 + 1.0 / 27.0 - 1.0 / 96.0)).abs() < 1e-12);
    assert_eq!((unskewed(4.0, 0.0, 16.0), unskewed(4.0, 1.0, 16.0)), (4.0, 4.0));
    for skewness in [-0.5, -1.0, -3.0] {
        let bent: Vec<f64> = (0..4000).map(|t| unskewed(f64::from(t) * 0.1, skewness, 16.0)).collect();
        assert!(bent.windows(2).all(|pair| pair[0] <= pair[1]), "skewness {skewness}");
    }
}

/// Why Student's t is not asked where kinds of flips are rare, and what holds without it.
#[test]
fn rare_catastrophes_deceive_near_normal_trials_only() {
    for depth in [0.3, 0.5, 0.9] {
        let low = mixture(0.031, depth);
        let (near_normal, any) = (rates(question(true), 300, &low), rates(question(false), 300, &low));
        assert!(near_normal.above > 0.1, "{} at depth {depth}", near_normal.above);
        assert!(any.above < NOTICEABLE, "{} at depth {depth}", any.above);
        let high = rates(question(false), 300, mixture(0.029, depth));
        assert!(high.below < NOTICEABLE, "{} at depth {depth}", high.below);
    }
}

/// Devices that lose `depth` where any of many cells fails: at the higher rate 1 - (1 - q)^m of them do.
#[test]
fn nested_devices_tell_rare_catastrophes_at_the_stated_error_rate() {
    let nested = Nested::new(FLOOR, 1.0, 1e9).unwrap();
    assert!((nested.unharmed - 0.985).abs() < 1e-12);
    // A share of 1/e of the higher rate is where the mean reaches the floor.
    assert!((nested.share(FLOOR) - libm::exp(-1.0)).abs() < 1e-9);
    let question = Question { nested: Some(nested), ..question(false) };
    let settings = VerdictSettings { error_rate: ERROR_RATE, most_trials: 100 };
    let share_above = |rate: f64, depth: f64| {
        let mut random = Pcg64Mcg::seed_from_u64(3);
        let higher = 1.0 - libm::pow(1.0 - rate, nested.devices);
        let (mut above, mut trials) = (0, 0);
        for _ in 0..RUNS {
            let mut sequential = Sequential::new(question, settings);
            let mut device = |rate: f64| if uniform(&mut random) < rate { 1.0 - depth } else { 1.0 };
            while sequential.goes_on() && !sequential.wants_nested() {
                sequential.push(device(rate));
            }
            while sequential.wants_nested() {
                sequential.push_nested(device(higher));
            }
            while sequential.goes_on() {
                sequential.push(device(rate));
            }
            above += u32::from(matches!(sequential.verdict(), Some((Verdict::Above, _))));
            trials += sequential.values().len() as u64 + sequential.nested_trials;
        }
        (f64::from(above) / f64::from(RUNS), trials as f64 / f64::from(RUNS))
    };
    for depth in [0.05, 0.3, 1.0] {
        let (wrong, _) = share_above(0.0305 / depth, depth);
        assert!(wrong < NOTICEABLE, "{wrong} at depth {depth}");
    }
    // Of devices that all lose at most a fifth of what is allowed the answer takes a fifth of the trials of a plain bet.
    let (right, trials) = share_above(0.006, 0.9);
    assert!(right > 0.97 && trials < 60.0, "{right} in {trials} trials");
}

#[test]
fn certainty_takes_no_luck() {
    // Ten bits of rate 0.01: nothing errs in 90.4 % of the devices.
    let precise = libm::pow(0.99, 10.0);
    let certain = Certain::of(precise, 0.99, CEILING);
    assert!((certain.least - 0.904_382_075 * 0.99).abs() < 1e-8);
    assert!((certain.most - certain.least - 0.095_617_925 * CEILING).abs() < 1e-8);
    assert_eq!(Certain::of(1.0, 0.99, CEILING), Certain { least: 0.99, most: 0.99 });
    for (certain, value, expected) in [
        (Certain { least: 0.97, most: 1.0 }, 0.0, Verdict::Above),
        (Certain { least: 0.1, most: 0.9699 }, 1.0, Verdict::Below),
    ] {
        let question = Question { certain, ..question(true) };
        let mut sequential = Sequential::new(question, VerdictSettings::default());
        while sequential.goes_on() {
            sequential.push(value);
        }
        let judgement = sequential.judgement().unwrap();
        assert_eq!((judgement.verdict, judgement.basis), (expected, Some(Basis::Certain)));
        assert_eq!((judgement.summary.count as u64, judgement.doubt), (LEAST_TRIALS, 0.0));
    }
}

#[test]
fn trials_that_are_all_alike_are_told_apart_from_the_floor_by_more_than_an_image() {
    let trials_of = |value: f64| {
        let mut sequential = Sequential::new(question(true), VerdictSettings::default());
        while sequential.goes_on() {
            sequential.push(value);
        }
        let judgement = sequential.judgement().unwrap();
        (judgement.verdict, judgement.basis, judgement.summary.count as u64)
    };
    assert_eq!(trials_of(1.0), (Verdict::Above, Some(Basis::NearNormal), LEAST_NEAR_NORMAL));
    assert_eq!(trials_of(FLOOR), (Verdict::Undecided, None, 100));
    assert_eq!(trials_of(FLOOR + 1e-6).0, Verdict::Undecided);
    assert_eq!(trials_of(0.1), (Verdict::Below, Some(Basis::AnyDistribution), LEAST_TRIALS));
}

#[test]
fn perfect_trials_are_above_without_assumptions_after_as_many_as_the_bet_takes() {
    let settings = VerdictSettings { error_rate: ERROR_RATE, most_trials: 1000 };
    let mut sequential = Sequential::new(question(false), settings);
    while sequential.goes_on() {
        sequential.push(1.0);
    }
    assert_eq!(sequential.verdict(), Some((Verdict::Above, Basis::AnyDistribution)));
    // 0.75 (1 + 0.98 * 0.03 / 0.97)^n reaches 40.
    let by_hand = (libm::log(40.0 / 0.75) / libm::log1p(0.98 * 0.03 / 0.97)).ceil() as usize;
    let trials = sequential.values().len();
    assert!(trials == by_hand || trials + 1 == by_hand, "{trials} trials, {by_hand} with one stake alone");
    assert!(sequential.judgement().unwrap().doubt <= 0.025);
    // No rule that assumes nothing can do with fewer than this, within twice as many: q = 0.03 hides with (1 - q)^n.
    assert!(trials as f64 > libm::log(0.05) / libm::log1p(-0.03));
}

#[test]
fn looks_end_with_the_last_trial() {
    assert_eq!(looks(100), [16, 24, 32, 48, 64, 96, 100]);
    assert_eq!((looks(16), looks(17)), (vec![16], vec![16, 17]));
    assert!(looks(3).is_empty());
    for most_trials in [0, 3, 5] {
        let settings = VerdictSettings { error_rate: 0.05, most_trials };
        let mut sequential = Sequential::new(question(true), settings);
        while sequential.goes_on() {
            sequential.push(1.0);
        }
        assert_eq!(sequential.values().len() as u64, most_trials.max(LEAST_TRIALS));
        assert_eq!(sequential.judgement().unwrap().verdict, Verdict::Undecided);
    }
}

proptest! {
    /// Whatever comes, campaigns end and what is reported are numbers.
    #[test]
    fn any_trials_are_judged(
        values in prop::collection::vec(0.0..=1.01f64, 1..40),
        floor in 0.0..=1.0f64,
        near_normal in any::<bool>(),
    ) {
        let question = Question { floor, near_normal, ..question(true) };
        let mut sequential = Sequential::new(question, VerdictSettings { error_rate: 0.05, most_trials: 50 });
        let mut values = values.iter().cycle();
        while sequential.goes_on() {
            sequential.push(*values.next().unwrap());
        }
        let judgement = sequential.judgement().unwrap();
        prop_assert!(judgement.summary.count <= 50);
        prop_assert!((0.0..=1.0).contains(&judgement.doubt));
        let [low, high] = judgement.sequential.unwrap();
        prop_assert!(low <= judgement.summary.mean && judgement.summary.mean <= high);
    }
}

//! Whether the mean of a figure over devices reaches a floor, told with as few devices as the answer takes.
//!
//! A device is one trial; its figure x (relative prediction accuracy) lies between 0 and a ceiling U that is known, because no
//! network predicts more than all images right. The mean is over devices, the images being fixed. Trials are looked at one by
//! one, and the first look that is sure enough ends them. The error rate e is the probability that the verdict is wrong. Of any
//! one mean only one of the two verdicts can be wrong, so each may spend all of e. A verdict rests on one of four things, and
//! [`Judgement::basis`] says on which:
//!
//! * [`Basis::Certain`]: the share of devices (or images) in which nothing errs bounds the mean; see [`Certain`].
//! * [`Basis::AnyDistribution`]: betting (Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting",
//!   JRSS-B 86, 2024). A capital of 1 is multiplied by 1 - c (x - floor) at each trial, with several stakes c below
//!   1 / (U - floor). Were the mean at or above the floor, the capital would be a supermartingale and would ever reach 1/e with
//!   probability e at most (Ville's inequality), for every distribution on [0, U] and however often one looks. *Below* is told by
//!   nothing else. *Above* is told by the same bet the other way round at e/2. That is slow: for a floor of 0.97 it takes more than
//!   120 trials even where all are perfect, because one device in 33 that loses everything would hide from fewer.
//! * [`Basis::NearNormal`]: *above* is also told, with the other e/2 divided evenly over looks at [`LEAST_NEAR_NORMAL`] and more
//!   trials, by Student's t with the correction for skewness of Hall (JRSS-B 54, 1992), where it makes the verdict later. It holds
//!   where the mean of that many trials is near normal after this correction: in simulations at means just below the floor it is
//!   wrong in fewer than e of the campaigns for normal, exponential and log-normal losses and for trials of LeNet-5. It does *not*
//!   hold where a few devices lose much and all others nothing: a mode of one device in ten that loses 0.3 is missed more often
//!   than e says, rarer and worse ones mostly, for it is in none of n trials with probability (1 - q)^n, and until then all looks
//!   perfect. Words of floating point are like that: few of their flips strike the exponent. So this is asked only where
//!   each device has several flips at every bit of the word ([`Question::near_normal`]), and no kind of flip is rare.
//! * [`Basis::Nested`]: where kinds of flips are rare, *above* is told with that e/2 from devices at a higher rate. A cell fails at
//!   rate 1 - (1 - p)^m if and only if it fails in one of m devices at rate p. So a device at the higher rate is m devices at
//!   rate p laid on one another, and if more flips never make a device better, then P(x >= v at p)^m >= P(x >= v at the higher
//!   rate) (Bollobas and Thomason, Combinatorica 7, 1987), from which the mean at p is at least v P(x >= v at the higher
//!   rate)^(1/m). A bet against P <= (floor / v)^m tells when that reaches the floor: one device does the work of m.
//!
//! A search over rates adds a fifth, [`Basis::HigherRate`]: no trials here, but the verdict of a higher rate.
//!
//! Trials that are all alike have a variance of zero, which Student's t takes for certainty. Accuracy is counted in whole images,
//! and a spread below one image does not show: the variance of a figure rounded to steps of one image, step^2 / 12, is added.

use super::settings::VerdictSettings;
use super::student;
use crate::campaign::Summary;
use serde::Serialize;

/// Trials before which nothing but certainty is told.
pub const LEAST_TRIALS: u64 = 3;

/// Trials before which Student's t tells nothing.
pub const LEAST_NEAR_NORMAL: u64 = 16;

/// Which side of the floor the mean is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// At or above the floor.
    Above,
    /// Below the floor.
    Below,
    /// The trials do not tell.
    Undecided,
}

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Bounds that hold without a trial.
    Certain,
    /// Trials, whatever their distribution.
    AnyDistribution,
    /// Trials, if their mean is near normal.
    NearNormal,
    /// Trials at a higher rate, if more flips never make a device better.
    Nested,
    /// The verdict above the floor at a higher rate, if more flips never make the mean better. A few trials do not contradict it.
    HigherRate,
}

/// What is known of a mean without a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Certain {
    /// The mean is at least this.
    pub least: f64,
    /// The mean is at most this.
    pub most: f64,
}

impl Certain {
    /// Of a figure that is `error_free` where nothing errs, and in 0..=`ceiling` else: a share `precise` of all devices (or of
    /// all images, in every device) has no error.
    pub fn of(precise: f64, error_free: f64, ceiling: f64) -> Self {
        let least = precise * error_free;
        Self { least, most: least + (1.0 - precise) * ceiling }
    }
}

/// A figure whose mean is told from a floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question {
    /// The floor, 0 up to the ceiling.
    pub floor: f64,
    /// No device has more than this.
    pub ceiling: f64,
    /// The figure comes in multiples of this, >= 0.
    pub step: f64,
    /// What is known without a trial.
    pub certain: Certain,
    /// Whether the mean of [`LEAST_NEAR_NORMAL`] trials may be taken for near normal.
    pub near_normal: bool,
    /// Devices that are trials at a higher rate.
    pub nested: Option<Nested>,
}

/// Devices at a higher rate, each of which is several devices at the rate in question laid on one another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nested {
    /// How many, above 1.
    pub devices: f64,
    /// Figure that counts as unharmed, above the floor.
    pub unharmed: f64,
}

impl Nested {
    /// As many devices as are best for telling that the mean is at least `floor` of a figure that is `error_free` where nothing
    /// errs, but at most `most_devices`; `None` where there is no room between the two.
    pub fn new(floor: f64, error_free: f64, most_devices: f64) -> Option<Self> {
        let unharmed = 0.5 * (floor + error_free);
        // So many that a device at the higher rate need be unharmed with a probability of 1/e only: each look is worth most there.
        let devices = (1.0 / libm::log(unharmed / floor)).min(most_devices);
        (error_free > floor && devices >= 2.0).then_some(Self { devices, unharmed })
    }

    /// Share of unharmed devices at the higher rate from which the mean reaches `floor`.
    fn share(self, floor: f64) -> f64 {
        libm::pow(floor / self.unharmed, self.devices)
    }
}

/// What trials say of a mean.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// Which side of the floor it is on.
    pub verdict: Verdict,
    /// What the verdict rests on; `None` where there is none.
    pub basis: Option<Basis>,
    /// Mean, spread and 95 % interval by Student's t as if the number of trials had been fixed beforehand.
    #[serde(flatten)]
    pub summary: Summary,
    /// Interval that contains the mean at all looks of Student's t with probability 1 - error rate, if trials are near normal;
    /// `None` for fewer than two trials.
    pub sequential: Option<[f64; 2]>,
    /// With nothing assumed: if the mean were on the other side of the floor, the bet against it would have come this far with at
    /// most this probability; 0 where the verdict is certain. Of an undecided mean, that of the side it seems to be on.
    pub doubt: f64,
    /// Trials at a higher rate that were made besides.
    pub nested_trials: u64,
}

/// Stakes of the bet for a mean at or above the floor, as shares of the largest, with the capital that is put on each: trials
/// close together just above the floor are won by large stakes, widely spread ones by small stakes.
const STAKES_ABOVE: [(f64, f64); 2] = [(0.98, 0.75), (0.25, 0.25)];

/// The same for a mean below the floor: a stake off by a factor of the square root of two wins at least four fifths of the best.
const STAKES_BELOW: [(f64, f64); 6] = [
    (0.98, 1.0 / 6.0),
    (0.49, 1.0 / 6.0),
    (0.245, 1.0 / 6.0),
    (0.12, 1.0 / 6.0),
    (0.06, 1.0 / 6.0),
    (0.03, 1.0 / 6.0),
];

/// The same for the share of unharmed devices at a higher rate.
const STAKES_NESTED: [(f64, f64); 2] = [(0.6, 0.5), (0.2, 0.5)];

/// Capital at which the bet on devices at a higher rate is given up: most of them are harmed.
const LEAST_CAPITAL: f64 = 0.05;

/// A bet against one side of the floor.
#[derive(Clone, Debug)]
struct Bet {
    /// Stake, and logarithm of its capital.
    stakes: Vec<(f64, f64)>,
}

impl Bet {
    fn new(stakes: &[(f64, f64)], largest: f64) -> Self {
        Self {
            stakes: stakes.iter().map(|(share, capital)| (share * largest, libm::log(*capital))).collect(),
        }
    }

    /// Wins where `gain` is positive.
    fn settle(&mut self, gain: f64) {
        for (stake, capital) in &mut self.stakes {
            *capital += libm::log((1.0 + *stake * gain).max(f64::MIN_POSITIVE));
        }
    }

    /// Logarithm of the capital.
    fn capital(&self) -> f64 {
        let largest = self.stakes.iter().map(|(_, capital)| *capital).fold(f64::NEG_INFINITY, f64::max);
        let shares = self.stakes.iter().map(|(_, capital)| libm::exp(capital - largest));
        largest + libm::log(shares.sum::<f64>())
    }
}

/// Student's `t` of `count` trials of skewness g without what their skew adds, by the monotone cubic of Hall: with u = t / sqrt(n)
/// it is sqrt(n) (u + g u^2 / 3 + g^2 u^3 / 27 + g / (6 n)). Never more than `t`: losses that are mostly small and sometimes large
/// make means seem better known than they are.
fn unskewed(t: f64, skewness: f64, count: f64) -> f64 {
    let u = t / count.sqrt();
    let bent = u + skewness * u * u / 3.0 + skewness * skewness * u * u * u / 27.0 + skewness / (6.0 * count);
    t.min(count.sqrt() * bent)
}

/// Trials of one figure, looked at one by one.
#[derive(Clone, Debug)]
pub struct Sequential {
    question: Question,
    settings: VerdictSettings,
    /// Numbers of trials at which Student's t is asked, ascending.
    looks: Vec<u64>,
    values: Vec<f64>,
    above: Bet,
    below: Bet,
    nested: Bet,
    /// Trials at the higher rate.
    nested_trials: u64,
    /// Largest logarithm of the capital that the bets on above and below have had.
    best: [f64; 2],
    verdict: Option<(Verdict, Basis)>,
}

/// Numbers of trials at which Student's t is asked: each a third or a half more than the one before, and the last.
fn looks(most_trials: u64) -> Vec<u64> {
    let mut looks = Vec::new();
    let mut look = LEAST_NEAR_NORMAL;
    while look < most_trials {
        looks.push(look);
        look += if look.is_multiple_of(3) { look / 3 } else { look / 2 };
    }
    looks.extend((most_trials >= LEAST_NEAR_NORMAL).then_some(most_trials));
    looks
}

impl Sequential {
    /// No trial yet.
    pub fn new(question: Question, settings: VerdictSettings) -> Self {
        let Question { floor, ceiling, .. } = question;
        let inverse = |width: f64| if width > 0.0 { 1.0 / width } else { 0.0 };
        Self {
            question,
            settings,
            looks: looks(settings.most_trials),
            values: Vec::new(),
            above: Bet::new(&STAKES_ABOVE, inverse(floor)),
            below: Bet::new(&STAKES_BELOW, inverse(ceiling - floor)),
            nested: Bet::new(&STAKES_NESTED, question.nested.map_or(0.0, |nested| 1.0 / nested.share(floor))),
            nested_trials: 0,
            best: [f64::NEG_INFINITY; 2],
            verdict: None,
        }
    }

    /// The figures of the trials so far.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The verdict so far and what it rests on.
    pub fn verdict(&self) -> Option<(Verdict, Basis)> {
        self.verdict
    }

    /// Whether another trial is of use: none has been told, and there are any left.
    pub fn goes_on(&self) -> bool {
        let trials = self.values.len() as u64;
        trials < LEAST_TRIALS || (self.verdict.is_none() && trials < self.settings.most_trials)
    }

    /// Whether another trial at the higher rate is of more use: kinds of flips are rare, and it has been looked whether the mean
    /// is plainly below the floor.
    pub fn wants_nested(&self) -> bool {
        let trials = self.values.len() as u64;
        !self.question.near_normal
            && self.question.nested.is_some()
            && self.verdict.is_none()
            && trials >= LEAST_NEAR_NORMAL.min(self.settings.most_trials)
            && self.nested_trials < self.settings.most_trials
            && self.nested.capital() > libm::log(LEAST_CAPITAL)
    }

    /// One more trial.
    pub fn push(&mut self, value: f64) {
        self.values.push(value);
        let gain = value - self.question.floor;
        self.above.settle(gain);
        self.below.settle(-gain);
        self.best[0] = self.best[0].max(self.above.capital());
        self.best[1] = self.best[1].max(self.below.capital());
        if self.values.len() as u64 >= LEAST_TRIALS && self.verdict.is_none() {
            self.verdict = self.look();
        }
    }

    /// One more trial at the higher rate of [`Question::nested`].
    pub fn push_nested(&mut self, value: f64) {
        let Some(nested) = self.question.nested else { return };
        self.nested_trials += 1;
        let unharmed = if value >= nested.unharmed { 1.0 } else { 0.0 };
        self.nested.settle(unharmed - nested.share(self.question.floor));
        if self.verdict.is_none() && self.nested.capital() >= -libm::log(0.5 * self.settings.error_rate) {
            self.verdict = Some((Verdict::Above, Basis::Nested));
        }
    }

    fn look(&self) -> Option<(Verdict, Basis)> {
        let Question { floor, certain, .. } = self.question;
        if certain.least >= floor {
            return Some((Verdict::Above, Basis::Certain));
        }
        if certain.most < floor {
            return Some((Verdict::Below, Basis::Certain));
        }
        let error_rate = self.settings.error_rate;
        if self.best[1] >= -libm::log(error_rate) {
            return Some((Verdict::Below, Basis::AnyDistribution));
        }
        if self.best[0] >= -libm::log(0.5 * error_rate) {
            return Some((Verdict::Above, Basis::AnyDistribution));
        }
        let is_look = self.question.near_normal && self.looks.contains(&(self.values.len() as u64));
        (is_look && self.tail() <= self.spent_per_look()).then_some((Verdict::Above, Basis::NearNormal))
    }

    /// Error that one look of Student's t may spend on one side.
    fn spent_per_look(&self) -> f64 {
        0.5 * self.settings.error_rate / self.looks.len().max(1) as f64
    }

    /// Mean and standard error of the mean of the trials, at least two.
    fn mean(&self) -> (f64, f64) {
        let count = self.values.len() as f64;
        let mean = self.values.iter().sum::<f64>() / count;
        let squares: f64 = self.values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let step = self.question.step;
        (mean, ((squares / (count - 1.0) + step * step / 12.0) / count).sqrt())
    }

    /// Probability of a mean as large as that of the trials, if it were at the floor and trials were near normal but for a skew.
    fn tail(&self) -> f64 {
        let (mean, error) = self.mean();
        let distance = mean - self.question.floor;
        if error == 0.0 {
            return if distance > 0.0 { 0.0 } else { 1.0 };
        }
        let t = unskewed(distance / error, self.skewness(mean, error), self.values.len() as f64);
        student::upper_tail(t, self.values.len() - 1)
    }

    /// Skewness of the trials, at least three, whose mean has the standard error `error`.
    fn skewness(&self, mean: f64, error: f64) -> f64 {
        let count = self.values.len() as f64;
        let distances = self.values.iter().map(|value| value - mean);
        let cubes: f64 = distances.map(|distance| distance * distance * distance).sum();
        let std = error * count.sqrt();
        cubes * count / ((count - 1.0) * (count - 2.0)) / (std * std * std)
    }

    /// What the trials say; `None` before the first one.
    pub fn judgement(&self) -> Option<Judgement> {
        let summary = Summary::of(&self.values)?;
        let sequential = (self.values.len() > 1).then(|| {
            let (mean, error) = self.mean();
            let half = error * student::upper_quantile(self.spent_per_look(), self.values.len() - 1);
            [mean - half, mean + half]
        });
        let (verdict, basis) =
            self.verdict.map_or((Verdict::Undecided, None), |(verdict, basis)| (verdict, Some(basis)));
        let best = match verdict {
            Verdict::Above => self.best[0],
            Verdict::Below => self.best[1],
            Verdict::Undecided => self.best[0].max(self.best[1]),
        };
        let doubt = if basis == Some(Basis::Certain) { 0.0 } else { libm::exp(-best).min(1.0) };
        Some(Judgement { verdict, basis, summary, sequential, doubt, nested_trials: self.nested_trials })
    }
}

#[cfg(test)]
mod tests;

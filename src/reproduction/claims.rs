//! The paper's two claims on random errors, word by word: all weights need no protection below 1e-4, and three most significant
//! bits must be protected at 1e-3.

use super::measurement::{Measurement, RandomPoint, RandomWord, SavedVerdict, Tolerated};
use super::published::{PROTECTED_BER, PROTECTED_MSBS, UNPROTECTED_BER};
use super::sheet::Sheet;
use super::tables::Subject;
use crate::report::percent;
use serde::Serialize;

/// Whether a claim holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It does.
    Holds,
    /// At the decade below the rate of the claim, but not up to that rate.
    InDecades,
    /// It does not.
    Fails,
    /// The trials do not tell.
    Undecided,
}

/// Both claims for all weights of one network in one kind of word.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claims {
    /// Name on the command line.
    pub network: String,
    /// Name for a reader.
    pub title: String,
    /// Kind and width of the word.
    pub word: String,
    /// Rounding and binary point of fixed-point words.
    pub policy: Option<String>,
    /// Relative prediction accuracy when nothing errs.
    pub quantised_rpa: f64,
    /// One decade below 1e-4, and at 1e-4, unprotected; at 1e-3 with three protected bits and with two; `None` where the search for
    /// the fewest did not need it.
    pub points: [Option<RandomPoint>; 4],
    /// The largest tolerated decade.
    pub mtrer: Tolerated,
    /// Between which rates the floor is crossed.
    pub crossing: Option<[f64; 2]>,
    /// Protected bits that suffice at 1e-3, as few as the trials tell.
    pub protected_msbs: Option<u32>,
    /// The fewest that may suffice there: of one less the trials tell that it does not.
    pub least_protected_msbs: u32,
    /// All weights need no protection at rates below 1e-4.
    pub unprotected: Outcome,
    /// Three bits must be protected at 1e-3: three suffice and two do not.
    pub three_bits: Outcome,
}

/// Rate and protected bits of [`Claims::points`].
const POINTS: [(f64, u32); 4] = [
    (UNPROTECTED_BER / 10.0, 0),
    (UNPROTECTED_BER, 0),
    (PROTECTED_BER, PROTECTED_MSBS),
    (PROTECTED_BER, PROTECTED_MSBS - 1),
];

/// The claims for every measured word of `subjects`.
pub fn claims(subjects: &[Subject<'_>]) -> Vec<Claims> {
    let measured = subjects.iter().filter_map(|subject| Some((subject, subject.measured?)));
    let words =
        measured.flat_map(|(subject, measured)| measured.random.iter().map(move |word| (subject, word)));
    words.map(|(subject, word)| of_word(subject, word)).collect()
}

fn of_word(subject: &Subject<'_>, word: &RandomWord) -> Claims {
    let points = POINTS.map(|(ber, msbs)| word.at(ber, msbs).copied());
    Claims {
        network: subject.source.name.into(),
        title: subject.source.title.into(),
        word: word.word.clone(),
        policy: word.policy.map(super::measurement::SavedPolicy::text),
        quantised_rpa: word.quantised_rpa,
        points,
        mtrer: word.mtrer,
        crossing: word.crossing,
        protected_msbs: word.protected_msbs,
        least_protected_msbs: word.least_protected_msbs(),
        unprotected: unprotected(word),
        three_bits: three_bits(word),
    }
}

impl RandomWord {
    /// The point at `ber` with `protected_msbs`, if it was measured. Rates are compared as shares of each other: a tenth of 1e-4
    /// is not the double nearest to 1e-5.
    pub fn at(&self, ber: f64, protected_msbs: u32) -> Option<&RandomPoint> {
        let is_there = |point: &&RandomPoint| {
            point.protected_msbs == protected_msbs && (point.ber / ber - 1.0).abs() < 1e-9
        };
        self.points.iter().find(is_there)
    }

    /// One more than the most protected bits with which the floor is missed at 1e-3.
    fn least_protected_msbs(&self) -> u32 {
        let too_few = self.points.iter().filter(|point| {
            (point.ber / PROTECTED_BER - 1.0).abs() < 1e-9 && point.verdict == SavedVerdict::Below
        });
        too_few.map(|point| point.protected_msbs + 1).max().unwrap_or(0)
    }
}

/// At rates below 1e-4: told at 1e-4 itself, or by any rate below it; the decade below is named, as rates are told in decades.
fn unprotected(word: &RandomWord) -> Outcome {
    if word.mtrer == Tolerated::QuantisedMisses {
        return Outcome::Fails;
    }
    let verdict = |ber| word.at(ber, 0).map(|point| point.verdict);
    let fails = |below: f64| {
        word.points.iter().any(|point| {
            point.protected_msbs == 0
                && point.verdict == SavedVerdict::Below
                && point.ber < below * (1.0 - 1e-9)
        })
    };
    let in_decades = verdict(UNPROTECTED_BER / 10.0) == Some(SavedVerdict::Above);
    if verdict(UNPROTECTED_BER) == Some(SavedVerdict::Above) {
        Outcome::Holds
    } else if in_decades && (fails(UNPROTECTED_BER) || verdict(UNPROTECTED_BER) == Some(SavedVerdict::Below))
    {
        Outcome::InDecades
    } else if fails(UNPROTECTED_BER) {
        Outcome::Fails
    } else {
        Outcome::Undecided
    }
}

/// Three suffice and two do not: both are told, or the claim is refuted, or the trials do not tell.
fn three_bits(word: &RandomWord) -> Outcome {
    let least = word.least_protected_msbs();
    match word.protected_msbs {
        Some(PROTECTED_MSBS) if least == PROTECTED_MSBS => Outcome::Holds,
        Some(msbs) if msbs >= PROTECTED_MSBS && least <= PROTECTED_MSBS => Outcome::Undecided,
        _ => Outcome::Fails,
    }
}

/// The claims for a reader, network by network; `found` are those of `subjects`.
pub fn claims_sheets(subjects: &[Subject<'_>], found: &[Claims]) -> Vec<Sheet> {
    let measured = subjects.iter().filter_map(|subject| Some((subject, subject.measured?)));
    let sheets = measured.map(|(subject, measured)| {
        let own = found.iter().filter(|claims| claims.network == subject.source.name);
        claims_sheet(measured, &subject.named(), own)
    });
    sheets.collect()
}

fn claims_sheet<'c>(measured: &Measurement, title: &str, claims: impl Iterator<Item = &'c Claims>) -> Sheet {
    let header = [
        "word",
        "rounding, binary point",
        "RPA without errors, %",
        "1e-5, unprotected",
        "1e-4, unprotected",
        "tolerated decade",
        "floor crossed between",
        "1e-3, 3 MSBs",
        "1e-3, 2 MSBs",
        "MSBs needed at 1e-3",
        "unprotected below 1e-4",
        "3 MSBs at 1e-3",
    ];
    let heading = format!(
        "{title}: all weights struck. RPA in %, mean over devices with its 95 % interval and the number of devices; verdict against \
         {} %.",
        measured.settings.floor * 100.0
    );
    let mut sheet = Sheet::new(heading, &header);
    // No network predicts more than all images right.
    let most = measured.images as f64 / measured.baseline_correct.max(1) as f64;
    sheet.rows = claims.map(|claims| claims.cells(most)).collect();
    sheet
}

impl Claims {
    /// `most` is the largest relative prediction accuracy there can be.
    fn cells(&self, most: f64) -> Vec<String> {
        let text = |point| point_text(point, most);
        let [low, at, three, two] = self.points.map(|point| point.map_or("-".into(), text));
        vec![
            self.word.clone(),
            self.policy.clone().unwrap_or_else(|| "-".into()),
            percent(self.quantised_rpa),
            low,
            at,
            tolerated_text(self.mtrer),
            self.crossing.map_or("-".into(), |[low, high]| format!("{low:.1e} and {high:.1e}")),
            three,
            two,
            self.needed_text(),
            self.unprotected.text().into(),
            self.three_text(),
        ]
    }

    fn three_text(&self) -> String {
        match (self.three_bits, self.protected_msbs) {
            (Outcome::Fails, Some(msbs)) if msbs < PROTECTED_MSBS => "fewer do".into(),
            (Outcome::Fails, Some(_)) => "not enough".into(),
            (outcome, _) => outcome.text().into(),
        }
    }

    /// How many bits must be protected at 1e-3: `4`, or `3 to 4` where the trials leave it open.
    pub fn needed_text(&self) -> String {
        match self.protected_msbs {
            None => "none suffices".into(),
            Some(msbs) if self.least_protected_msbs < msbs => {
                format!("{} to {msbs}", self.least_protected_msbs)
            }
            Some(msbs) => msbs.to_string(),
        }
    }

    /// `fixed16 (nearest_even, subset)`.
    pub fn word_text(&self) -> String {
        match &self.policy {
            Some(policy) => format!("{} ({policy})", self.word),
            None => self.word.clone(),
        }
    }
}

impl Outcome {
    /// For a reader.
    pub fn text(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::InDecades => "at 1e-5, not up to 1e-4",
            Self::Fails => "does not hold",
            Self::Undecided => "undecided",
        }
    }
}

fn tolerated_text(tolerated: Tolerated) -> String {
    match tolerated {
        Tolerated::At { ber, next: SavedVerdict::Undecided } => format!("{ber:e} (next undecided)"),
        Tolerated::At { ber, .. } => format!("{ber:e}"),
        Tolerated::AtLeast { ber } => format!("at least {ber:e}"),
        Tolerated::Less { ber, verdict: SavedVerdict::Undecided } => format!("{ber:e} is undecided"),
        Tolerated::Less { ber, .. } => format!("less than {ber:e}"),
        Tolerated::QuantisedMisses => "none: the floor is missed without errors".into(),
    }
}

fn point_text(point: RandomPoint, most: f64) -> String {
    let interval = point.interval.map(|ends| ends.map(|end| percent(end.clamp(0.0, most))));
    let interval = interval.map_or(String::new(), |[low, high]| format!(" [{low}, {high}]"));
    let verdict = match point.verdict {
        SavedVerdict::Above => "above",
        SavedVerdict::Below => "below",
        SavedVerdict::Undecided => "undecided",
    };
    format!("{}{interval}, {}, {verdict}", percent(point.rpa), point.trials)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(
        mtrer: Tolerated,
        protected_msbs: Option<u32>,
        with_one_less: Option<SavedVerdict>,
    ) -> RandomWord {
        RandomWord {
            word: "fixed16".into(),
            policy: None,
            quantised_rpa: 1.0,
            mtrer,
            crossing: None,
            protection_ber: 1e-3,
            protected_msbs,
            with_one_less,
            points: Vec::new(),
        }
    }

    fn point(ber: f64, verdict: SavedVerdict) -> RandomPoint {
        RandomPoint { ber, protected_msbs: 0, trials: 9, rpa: 0.9, interval: Some([0.8, 1.0]), verdict }
    }

    #[test]
    fn the_first_claim_is_decided_at_its_rate_and_a_decade_below() {
        use SavedVerdict::{Above, Below, Undecided};
        let at = |low, high| {
            let mut tolerant = word(Tolerated::At { ber: 1e-5, next: Below }, Some(4), Some(Below));
            tolerant.points = vec![point(1e-5, low), point(1e-4, high)];
            unprotected(&tolerant)
        };
        assert_eq!(at(Above, Above), Outcome::Holds);
        assert_eq!(at(Above, Below), Outcome::InDecades);
        assert_eq!(at(Below, Below), Outcome::Fails);
        assert_eq!([at(Undecided, Below), at(Above, Undecided)], [Outcome::Undecided; 2]);
        let between = |low| {
            let mut tolerant = word(Tolerated::At { ber: 1e-6, next: Below }, Some(4), Some(Below));
            tolerant.points = vec![point(1e-5, low), point(1.8e-5, Below), point(1e-4, Below)];
            unprotected(&tolerant)
        };
        assert_eq!([between(Undecided), between(Above)], [Outcome::Fails, Outcome::InDecades]);
        assert_eq!(unprotected(&word(Tolerated::QuantisedMisses, None, None)), Outcome::Fails);
    }

    #[test]
    fn intervals_end_where_accuracy_does() {
        let wide = RandomPoint { interval: Some([-0.3, 1.4]), ..point(1e-4, SavedVerdict::Below) };
        assert_eq!(point_text(wide, 1.005), "90.00 [0.00, 100.50], 9, below");
    }

    #[test]
    fn three_bits_are_needed_only_where_two_do_not_do() {
        use SavedVerdict::{Below, Undecided};
        // Protected bits that suffice, and those that were measured beside them.
        let of = |msbs: Option<u32>, others: &[(u32, SavedVerdict)]| {
            let mut found = word(Tolerated::At { ber: 1e-4, next: Below }, msbs, None);
            let others = others.iter();
            found.points = others
                .map(|&(protected_msbs, verdict)| RandomPoint { protected_msbs, ..point(1e-3, verdict) })
                .collect();
            (three_bits(&found), found.least_protected_msbs())
        };
        assert_eq!(of(Some(3), &[(0, Below), (2, Below)]), (Outcome::Holds, 3));
        assert_eq!(of(Some(3), &[(1, Below), (2, Undecided)]), (Outcome::Undecided, 2));
        assert_eq!(of(Some(4), &[(3, Below)]), (Outcome::Fails, 4));
        assert_eq!(of(Some(4), &[(2, Below), (3, Undecided)]), (Outcome::Undecided, 3));
        assert_eq!(of(Some(9), &[(7, Below), (8, Undecided)]), (Outcome::Fails, 8));
        assert_eq!(of(Some(2), &[(1, Below)]), (Outcome::Fails, 2));
        assert_eq!(of(Some(0), &[]), (Outcome::Fails, 0));
        assert_eq!(of(None, &[]), (Outcome::Fails, 0));
    }

    #[test]
    fn points_are_found_by_their_rate() {
        let mut found = word(Tolerated::QuantisedMisses, None, None);
        found.points = vec![point(1e-5, SavedVerdict::Above)];
        assert!(
            found.at(1e-4 / 10.0, 0).is_some() && found.at(1e-4, 0).is_none() && found.at(1e-5, 1).is_none()
        );
    }
}

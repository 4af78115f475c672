//! What the paper claims of random errors: all weights unprotected tolerate rates below 1e-4, and three protected most
//! significant bits suffice at 1e-3 (Chen et al., GLSVLSI'17, figures 7 and 8).

use super::Point;
use super::ground::{Ground, Setting};
use crate::memory::Lifetime;
use crate::number::Format;
use crate::resilience::verdict::Verdict;
use crate::resilience::{Error, Subject, Target, VerdictSettings};
use serde::Serialize;

/// The rate below which all weights are claimed to need no protection.
pub const TOLERATED_BER: f64 = 1e-4;

/// The rate at which three protected bits are claimed to suffice.
pub const PROTECTED_BER: f64 = 1e-3;

/// One claim at one point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// The claim in words.
    pub statement: &'static str,
    /// Whether it holds; `None` if the trials do not tell.
    pub holds: Option<bool>,
    /// Where it was measured.
    pub point: Point,
}

/// The claims for all weights in words of one format.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claims {
    /// The word, with its rounding and binary point.
    pub format: Format,
    /// Relative prediction accuracy in this format without errors; nothing is claimed of words that miss the floor already.
    pub quantised_rpa: f64,
    /// Relative prediction accuracy that must be reached.
    pub floor: f64,
    /// Rates a decade below 1e-4 and at 1e-4 without protection, then 1e-3 with three protected bits and with two: what the paper
    /// claims, what it does not, and how much less would do. Empty if the words miss the floor without errors.
    pub claims: Vec<Claim>,
}

/// Rate, protected bits and statement of every claim.
const STATEMENTS: [(f64, u32, &str); 5] = [
    (1e-5, 0, "no protection is needed at 1e-5"),
    (TOLERATED_BER, 0, "no protection is needed at 1e-4"),
    (PROTECTED_BER, 3, "three protected bits suffice at 1e-3"),
    (PROTECTED_BER, 2, "two protected bits suffice at 1e-3"),
    (PROTECTED_BER, 0, "no protection is needed at 1e-3"),
];

/// Whether the paper's claims hold for all weights of `subject` in words of `format`; `progress` is told what is being measured.
///
/// # Errors
/// [`enum@Error`] for words that cannot be and a baseline that predicts no image right.
pub fn claims(
    subject: &Subject<'_>,
    format: Format,
    floor: f64,
    verdict: VerdictSettings,
    progress: &dyn Fn(&str),
) -> Result<Claims, Error> {
    let setting = Setting { target: Target::Weights, format, lifetime: Lifetime::Permanent, floor, verdict };
    let stored = setting.experiment(subject, 0.0, 0);
    let mut ground = Ground::new(subject, setting, &stored, progress)?;
    let mut claims = Vec::new();
    if ground.meets_floor() {
        for (ber, msbs, statement) in STATEMENTS {
            let point = ground.point(ber, msbs.min(format.bits()))?.clone();
            let holds = match point.judgement.verdict {
                Verdict::Above => Some(true),
                Verdict::Below => Some(false),
                Verdict::Undecided => None,
            };
            claims.push(Claim { statement, holds, point });
        }
    }
    Ok(Claims { format, quantised_rpa: ground.quantised_rpa(), floor, claims })
}

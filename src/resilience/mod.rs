//! Data resilience evaluation: which data of a network may lose bits or err, how much, and what that buys. The four modules of
//! Chen et al. (GLSVLSI'17), as searches over campaigns.

mod balance;
pub mod characterisation;
pub mod evaluation;
mod front;
mod greedy;
mod joint;
mod measured;
mod narrowest;
pub mod random;
mod search;
mod settings;
mod single;
mod student;
mod subject;
pub mod verdict;

pub use greedy::{Attempt, Refusal, Step};
pub use joint::{Joint, Search, joint};
pub use measured::{Measured, Scheme, Width};
pub use narrowest::Point;
pub use settings::{Policy, RandomSettings, SearchSettings, Selection, Settings, Target, VerdictSettings};
pub use single::{NoWidth, Single, SingleDatum, SinglePolicy, single};
pub use subject::{Datum, Subject};

use crate::campaign;
use thiserror::Error;

/// Why an evaluation cannot be made.
#[derive(Debug, Error)]
pub enum Error {
    /// A scheme or a campaign that cannot be measured.
    #[error(transparent)]
    Campaign(#[from] campaign::Error),
    /// Relative prediction accuracy has no meaning.
    #[error(
        "of {images} images the unapproximated network classifies none right: its accuracy can be no measure"
    )]
    NothingRight {
        /// Images evaluated.
        images: u64,
    },
    /// Decades that are none.
    #[error("decades of bit error rates run from the smaller exponent to the larger, from -300 to 0: not from {} to {}", .0[0], .0[1])]
    Decades([i32; 2]),
    /// A rate that is none.
    #[error("a bit error rate is above 0 and at most 1, not {0}")]
    BitErrorRate(f64),
}

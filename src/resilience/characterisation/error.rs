//! Why a network cannot be characterised.

use super::Objective;
use crate::experiment::{CostError, RunningError};
use crate::memory::{energy, protection_cost};
use crate::{accelerator::lowering, campaign};
use thiserror::Error;

/// Why a network cannot be characterised.
#[derive(Debug, Error)]
pub enum Error {
    /// A trial.
    #[error(transparent)]
    Campaign(#[from] campaign::Error),
    /// A design on the accelerator.
    #[error(transparent)]
    Running(#[from] RunningError),
    /// The layers of the network on the accelerator.
    #[error(transparent)]
    Lowering(#[from] lowering::Error),
    /// The cost of a design without accelerator.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// The energy of a preset.
    #[error(transparent)]
    Energy(#[from] energy::Error),
    /// The protection of a preset.
    #[error(transparent)]
    Protection(#[from] protection_cost::Error),
    /// A preset without a constant that its error model needs.
    #[error("preset `{preset}` has no usable constant `{key}`")]
    Constant {
        /// The preset.
        preset: String,
        /// The constant.
        key: &'static str,
    },
    /// Relative accuracy has no meaning.
    #[error("the network predicts none of the images right in fp32: no accuracy is relative to that")]
    NoBaseline,
    /// Cycles of a design whose layers are not timed.
    #[error("cycles can be optimised on an accelerator only: [accelerator] is missing")]
    NoAccelerator,
    /// An objective that no constant tells.
    #[error("{0} cannot be computed: {1}")]
    Unknown(Objective, &'static str),
}

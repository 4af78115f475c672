//! Which stop costs how much accuracy: every stop alone.

use super::outcome::{Score, Trial};
use super::runner::{Campaign, Error, run};
use crate::experiment::{Experiment, Prepared};

/// What each part of a design does alone. Losses need not add up: errors of two memories may hit the same image, or the
/// second one a word that is wrong already.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// Formats alone: full width on the link, no faults.
    pub formats: Score,
    /// For each memory in which a cell may err, its index in the experiment and the trials in which it alone errs, with
    /// formats and link as in the whole.
    pub memories: Vec<(usize, Vec<Trial>)>,
}

/// Runs `experiment` once more for each memory that errs, with the same faults as in the whole; `progress` is told the
/// number of trials done.
///
/// # Errors
/// As [`run`].
pub fn attribute(
    experiment: &Experiment,
    prepared: &Prepared,
    progress: &dyn Fn(u64),
) -> Result<Attribution, Error> {
    let mut without_link = experiment.clone();
    for stored in &mut without_link.subsets {
        stored.link_bits = stored.format.bits();
    }
    let formats = Campaign::new(&without_link, prepared)?.quantised().clone();
    let mut memories = Vec::new();
    for (done, memory) in (0u64..).zip(experiment.erring_memories()) {
        let alone = Experiment { erring: Some(memory), ..experiment.clone() };
        let outcome = run(&alone, prepared, &|trial| progress(done * experiment.trials + trial))?;
        memories.push((memory, outcome.trials));
    }
    Ok(Attribution { formats, memories })
}

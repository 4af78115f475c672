//! Whether a design meets the floor, told on devices that no search has seen, with an error rate that holds.

use super::Error;
use super::schemes::relative;
use crate::campaign::Campaign;
use crate::experiment::{Experiment, Site};
use crate::resilience::VerdictSettings;
use crate::resilience::verdict::{self, Certain, Question, Sequential};
use serde::Serialize;
use std::collections::BTreeMap;

/// First device of confirmations: no search measures so many.
pub(super) const CONFIRMATION_FIRST: u64 = 1 << 32;

/// What devices that no search has seen say of a design.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confirmation {
    /// Probability of a wrong verdict, the part of the error rate asked for that this design has of all that may be confirmed.
    pub error_rate: f64,
    /// Whether the mean relative prediction accuracy over devices reaches the floor.
    #[serde(flatten)]
    pub judgement: verdict::Judgement,
}

/// Flips that each device must have on average at each bit of the words of a memory, so that no kind of flip is rare among devices:
/// a device then has none at a given bit with a probability of 5 %.
const LEAST_FLIPS_PER_BIT: f64 = 3.0;

/// Measures devices from number `first` on until the verdict is sure enough. The campaign is of `experiment`.
pub(super) fn confirmed(
    campaign: &mut Campaign<'_>,
    experiment: &Experiment,
    floor: f64,
    settings: VerdictSettings,
    first: u64,
) -> Result<Confirmation, Error> {
    let baseline = campaign.baseline();
    let error_free = relative(campaign.quantised(), &baseline)?;
    let right = baseline.top1_correct as f64;
    let ceiling = baseline.images as f64 / right;
    let sites = experiment.sites(baseline.images);
    let question = Question {
        floor: floor.min(ceiling),
        ceiling,
        step: 1.0 / right,
        certain: Certain::of(precise_share(&sites), error_free, ceiling),
        near_normal: has_many_of_each(&sites, experiment),
        nested: None,
    };
    let mut sequential = Sequential::new(question, settings);
    let mut trial = first;
    while sequential.goes_on() {
        sequential.push(relative(&campaign.trial(trial)?.score, &baseline)?);
        trial += 1;
    }
    let judgement = sequential.judgement().ok_or(Error::NoBaseline)?;
    Ok(Confirmation { error_rate: settings.error_rate, judgement })
}

/// Rates at which bit `bit` of the words at `site` is struck: by the device, and in each residency.
fn rates(site: &Site, bit: u32) -> [f64; 2] {
    let weak = if site.is_first_visit { site.faults.weak[bit as usize] } else { 0.0 };
    [weak, site.faults.upset[bit as usize]]
}

/// Bits of the words at `site` that may err.
fn approximate(site: &Site) -> std::ops::Range<u32> {
    0..site.residency.word_bits - site.precise_msbs
}

/// Share of the devices in which no cell errs, at least: cells that depend on each other, or serve several words, leave more.
fn precise_share(sites: &[Site]) -> f64 {
    let of_site = |site: &Site| -> f64 {
        let words = site.residency.words as f64;
        let none = |bit| {
            let [weak, upset] = rates(site, bit);
            words * (libm::log1p(-weak) + site.exposures as f64 * libm::log1p(-upset))
        };
        approximate(site).map(none).sum()
    };
    libm::exp(sites.iter().map(of_site).sum())
}

/// Whether every device has several flips at every bit of the words in each memory that errs, counted in cells: a cell that serves
/// several words errs in all of them or in none.
fn has_many_of_each(sites: &[Site], experiment: &Experiment) -> bool {
    let mut cells: BTreeMap<usize, f64> = BTreeMap::new();
    // By memory and bit from the most significant one.
    let mut flips: BTreeMap<(usize, u32), f64> = BTreeMap::new();
    for site in sites {
        let (memory, word_bits, words) =
            (site.residency.memory, site.residency.word_bits, site.residency.words as f64);
        *cells.entry(memory).or_default() += words * f64::from(word_bits);
        for bit in approximate(site) {
            let [weak, upset] = rates(site, bit);
            if weak + upset > 0.0 {
                let count = words * (weak + upset * site.exposures as f64);
                *flips.entry((memory, word_bits - bit)).or_default() += count;
            }
        }
    }
    flips.into_iter().all(|((memory, _), count)| {
        let capacity = experiment.memories[memory].geometry.capacity_bits();
        let share = capacity.map_or(1.0, |capacity| (capacity as f64 / cells[&memory]).min(1.0));
        count * share >= LEAST_FLIPS_PER_BIT
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::tests::experiment;
    use crate::memory::cells::CellFaults;
    use crate::memory::residency::Residency;
    use crate::memory::{Geometry, Memory, Protection, Technology};

    fn site(words: u64, weak: f64, upset: f64, precise_msbs: u32) -> Site {
        Site {
            subset: 0,
            stop: 0,
            residency: Residency { memory: 0, first_cell: 0, word_bits: 8, words },
            passage: None,
            faults: CellFaults::uniform(8, weak, upset),
            protected_msbs: precise_msbs,
            precise_msbs,
            coded_msbs: 0,
            first_check_cell: 0,
            is_first_visit: true,
            measured: None,
            visible: 1.0,
            exposures: 10,
        }
    }

    #[test]
    fn devices_without_errors_are_those_in_which_every_cell_holds() {
        let share = precise_share(&[site(100, 1e-4, 0.0, 3), site(10, 0.0, 1e-3, 0)]);
        let expected = (1.0 - 1e-4f64).powi(500) * (1.0 - 1e-3f64).powi(10 * 8 * 10);
        assert!((share - expected).abs() < 1e-12, "{share}, expected {expected}");
        assert_eq!(precise_share(&[]), 1.0);
    }

    #[test]
    fn kinds_of_flips_are_rare_where_cells_are_few() {
        let with = |capacity_bits| {
            let geometry = Geometry::new(capacity_bits, 1, 1, 64).unwrap();
            let technology = Technology::Uniform(0.01.into());
            let protection = Protection::dual_rail(0);
            let name = "buffer".to_owned();
            let memory = Memory { name, technology, geometry, protection, lifetime: None, measured: None };
            experiment(Vec::new(), vec![memory])
        };
        // 4 flips at each bit of 400 words, 1 at each bit of 100; cells for half of the words have half of the flips.
        assert!(has_many_of_each(&[site(400, 0.01, 0.0, 0)], &with(1 << 20)));
        assert!(!has_many_of_each(&[site(100, 0.01, 0.0, 0)], &with(1 << 20)));
        assert!(!has_many_of_each(&[site(400, 0.01, 0.0, 0)], &with(1600)));
        // Upsets are drawn for each of ten images.
        assert!(has_many_of_each(&[site(100, 0.0, 0.01, 0)], &with(1 << 20)));
        assert!(has_many_of_each(&[site(100, 0.0, 0.0, 0)], &with(1 << 20)), "nothing errs");
    }
}

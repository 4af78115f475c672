//! What the memories and the link cost per inference, and what the same design would cost without approximation.

use super::text::{grouped, percent, table};
use crate::experiment::{Cost, CostError, Experiment, MemoryCost};
use crate::memory::Technology;
use crate::memory::dram::Parameters;
use serde::Serialize;

/// Energy of one inference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EnergyFigures {
    /// This design.
    #[serde(flatten)]
    pub design: Cost,
    /// The same words in the same memories at their precise operating point, at full width on the link, without protection.
    pub nominal: Cost,
    /// 1 - total of the design / total of the nominal one; null if one is unknown.
    pub saving: Option<f64>,
    /// The same with standby and refresh at the share of the devices that the data occupy.
    pub allocated_saving: Option<f64>,
}

impl EnergyFigures {
    /// The figures of `experiment`.
    ///
    /// # Errors
    /// [`CostError`] for energies that do not fit the operating point.
    pub fn of(experiment: &Experiment) -> Result<Self, CostError> {
        let (design, nominal) = (experiment.cost()?, experiment.nominal()?.cost()?);
        let whole_saving = saving(design.total_pj, nominal.total_pj);
        let allocated_saving = saving(allocated_pj(&design), allocated_pj(&nominal));
        Ok(Self { design, nominal, saving: whole_saving, allocated_saving })
    }

    /// Energy of this design with standby and refresh at the share of the devices that the data occupy, pJ.
    pub fn allocated_pj(&self) -> Option<f64> {
        allocated_pj(&self.design)
    }

    /// The table for the terminal.
    pub(super) fn text(&self) -> String {
        let Cost { period_s, is_back_to_back, memories, link, total_pj } = &self.design;
        if memories.is_empty() && link.words == 0 {
            return "Energy: every data subset rests in precise memory".to_owned();
        }
        let bytes = |bits: f64| grouped((bits / 8.0).ceil() as u64);
        let traffic = memories.iter().map(|memory| {
            let MemoryCost { bits_stored, bits_read, bits_written, allocated_share, .. } = *memory;
            vec![
                memory.memory.clone(),
                bytes(bits_stored),
                share(allocated_share),
                bytes(bits_read),
                bytes(bits_written),
                "-".to_owned(),
            ]
        });
        let crossing = (link.words > 0).then(|| {
            let moved = grouped(link.bytes);
            vec![
                "link".to_owned(),
                "-".to_owned(),
                "-".to_owned(),
                moved,
                "-".to_owned(),
                grouped(link.bursts),
            ]
        });
        let traffic_header =
            ["memory", "stored_bytes", "of_device_%", "read_bytes", "written_bytes", "link_bursts"];
        let energies = memories.iter().zip(&self.nominal.memories).map(|(memory, nominal)| {
            let energies = [memory.access_pj, memory.standby_pj, memory.refresh_pj, memory.total_pj];
            let figures = energies.into_iter().chain([memory.allocated_pj, nominal.total_pj]).map(picojoules);
            let saved = share(saving(memory.total_pj, nominal.total_pj));
            [memory.memory.clone()].into_iter().chain(figures).chain([saved]).collect()
        });
        let wires = (link.energy_pj > 0.0).then(|| {
            let nominal = self.nominal.link.energy_pj;
            let energy = picojoules(Some(link.energy_pj));
            let saved = share(saving(Some(link.energy_pj), Some(nominal)));
            let none = || "-".to_owned();
            vec![
                "link".to_owned(),
                energy.clone(),
                none(),
                none(),
                energy.clone(),
                energy,
                picojoules(Some(nominal)),
                saved,
            ]
        });
        let energy_header = [
            "memory",
            "access_pj",
            "standby_pj",
            "refresh_pj",
            "total_pj",
            "allocated_pj",
            "nominal_pj",
            "saving_%",
        ];
        let period = match (period_s, is_back_to_back) {
            (None, _) => "the period of an inference is not known: no standby energy".to_owned(),
            (Some(period), true) => {
                format!("back to back: every {period:.3e} s, as fast as the slowest memory moves the data")
            }
            (Some(period), false) => format!("one inference every {period:.3e} s"),
        };
        let total = format!(
            "total {} pJ, nominal {} pJ, saving {} % (whole devices), {} % (allocated share)",
            picojoules(*total_pj),
            picojoules(self.nominal.total_pj),
            share(self.saving),
            share(self.allocated_saving)
        );
        format!(
            "Traffic of the memories per inference\n{}\n\nEnergy of the memories per inference\n{}\n{total}\n{period}; nominal: \
             the same words at the precise\noperating point, full width on the link, nothing protected",
            table(&traffic_header, traffic.chain(crossing)),
            table(&energy_header, energies.chain(wires))
        )
    }
}

/// 1 - energy / nominal energy.
fn saving(energy: Option<f64>, nominal: Option<f64>) -> Option<f64> {
    energy.zip(nominal).filter(|(_, nominal)| *nominal > 0.0).map(|(energy, nominal)| 1.0 - energy / nominal)
}

fn allocated_pj(cost: &Cost) -> Option<f64> {
    let memories: Option<f64> = cost.memories.iter().map(|memory| memory.allocated_pj).sum();
    memories.map(|memories| memories + cost.link.energy_pj)
}

/// An energy, or a dash where it is not known.
pub(super) fn picojoules(energy: Option<f64>) -> String {
    energy.map_or("-".to_owned(), |energy| {
        if energy >= 1e6 { format!("{energy:.4e}") } else { format!("{energy:.1}") }
    })
}

/// A share as percent, or a dash where it is not known.
pub(super) fn share(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), percent)
}

/// What a reader of the figures must know.
pub(super) fn notes(experiment: &Experiment) -> Vec<String> {
    let period_s = experiment.period_s();
    let notes = experiment.memories.iter().flat_map(|memory| match &memory.technology {
        Technology::Dram(parameters) => {
            [hot_rows(&memory.name, parameters, period_s), extrapolation(&memory.name, parameters, period_s)]
        }
        Technology::Uniform(_) | Technology::Sram(_) => [None, None],
    });
    notes.flatten().collect()
}

/// Says that accesses refresh the rows before their refresh is due.
fn hot_rows(name: &str, parameters: &Parameters, period_s: Option<f64>) -> Option<String> {
    let period_ms = period_s? * 1e3;
    let interval = parameters.error.refresh_interval_ms.from_msb().iter().copied().fold(0.0, f64::max);
    (parameters.error.access_refreshes && period_ms < interval).then(|| {
        format!(
            "memory `{name}`: each inference reads every row, {period_ms:.4} ms after the one before; these accesses refresh the \
             hot rows, so that the refresh interval of {interval} ms decides no error (give [workload] \
             inferences_per_second, or access_refreshes = false, to see what it does to rows that rest)",
        )
    })
}

/// Says that cells rest without refresh for longer than nominal, and for a time that the retention curve was not recorded for.
fn extrapolation(name: &str, parameters: &Parameters, period_s: Option<f64>) -> Option<String> {
    let errors = &parameters.error;
    let nominal_s = parameters.nominal_interval_ms() / 1e3;
    let effective = |ms: &f64| errors.effective_s(*ms, period_s.unwrap_or(f64::INFINITY));
    let longer = || errors.refresh_interval_ms.from_msb().iter().map(effective).filter(|&s| s > nominal_s);
    let beyond_tail = longer().find(|&s| errors.leaves_tail(s));
    let interval_s = beyond_tail.or_else(|| longer().find(|&s| !errors.supports(s)))?;
    let [first, last] = errors.t_range_s;
    let tail = beyond_tail.map_or(String::new(), |_| {
        format!(", beyond the tail of {:e} up to which the curve is known", errors.supported_share)
    });
    Some(format!(
        "memory `{name}`: after {} ms without refresh at {} °C (as {:.3} s at {} °C; recorded: {first} to {last} s) a share of \
         {:.3e} of the cells is weak{tail}: the error rate is extrapolated",
        interval_s * 1e3,
        errors.temp_c,
        errors.equivalent_s(interval_s),
        errors.t_ref_c,
        errors.bit_error_rate(interval_s),
    ))
}

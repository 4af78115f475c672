//! A replay that moves every row of every tensor: what a plan says it moves and occupies is what its steps move and need.

use super::any::{any_buffers, any_operation, any_residents, any_widths};
use super::*;
use crate::accelerator::trace::Operand;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What moves as one: a row of an activation, the window of one filter in one channel, a bias, a word of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Unit {
    Ifmap(u64, u64, u64),
    Filter(u64, u64),
    Bias(u64),
    Sum(u64, u64, u64),
    Other(Operand, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Load,
    Create,
    Use,
}

/// Everything that happens to every unit, by step.
#[derive(Default)]
struct Replay {
    events: BTreeMap<Unit, Vec<(usize, Event)>>,
    /// Step at which a sum became complete.
    complete: HashMap<Unit, usize>,
    /// Channels already in a sum.
    formed: HashMap<Unit, BTreeSet<u64>>,
    stored: HashMap<Unit, usize>,
    /// Bits on their way to DRAM during a step.
    leaving: Vec<u64>,
    moved: HashMap<Run, u64>,
    written: HashMap<Run, u64>,
    weights: HashMap<(u64, u64), Unit>,
    at: HashMap<Unit, (u64, u64)>,
}

/// Rows of `window` for `row` that lie in an input of `height`.
fn window_rows(window: &Window, row: u64, height: u64) -> impl Iterator<Item = u64> {
    let (window, first) = (*window, row * window.stride[0]);
    (0..window.kernel[0])
        .map(move |tap| first + tap * window.dilation[0])
        .filter_map(move |row| row.checked_sub(window.pad[0]))
        .filter(move |&row| row < height)
}

/// Rows (image, channel, row) of a run in a tensor.
fn rows_of(run: &Run, extent: Extent) -> impl Iterator<Item = (u64, u64, u64)> + use<> {
    assert_eq!((run.first_word % extent.width, run.words % extent.width), (0, 0), "{run:?} of {extent:?}");
    let first = run.first_word / extent.width;
    (first..first + run.words / extent.width).map(move |row| {
        let channel = row / extent.height;
        (channel / extent.channels, channel % extent.channels, row % extent.height)
    })
}

impl Replay {
    fn push(&mut self, unit: Unit, step: usize, event: Event) {
        self.events.entry(unit).or_default().push((step, event));
    }

    fn load(&mut self, problem: &Problem<'_>, index: usize, step: &Step<'_>, run: Run) {
        let operation = problem.operation;
        *self.moved.entry(run).or_default() += 1;
        let is_streamed = !matches!(operation.kind, Kind::Convolution | Kind::FullyConnected);
        let weights = if is_streamed {
            0
        } else {
            operation.output.channels * operation.input.channels / operation.groups * taps(operation)
        };
        match run.operand {
            Operand::Ifmap => {
                for (image, channel, row) in rows_of(&run, operation.input) {
                    self.push(Unit::Ifmap(image, channel, row), index, Event::Load);
                }
            }
            Operand::Filter if run.first_word < weights => self.load_weights(operation, index, step, run),
            Operand::Bias if operation.has_bias && run.first_word < operation.output.channels => {
                for word in run.first_word..run.first_word + run.words {
                    self.push(Unit::Bias(word), index, Event::Load);
                }
            }
            Operand::PartialSum => {
                for (image, channel, row) in rows_of(&run, operation.output) {
                    self.push(Unit::Sum(image, channel, row), index, Event::Load);
                }
            }
            operand => {
                for word in run.first_word..run.first_word + run.words {
                    self.push(Unit::Other(operand, word), index, Event::Load);
                }
            }
        }
    }

    /// Weights lie in the order of the tiling: what a run holds is told by its tile, and stays so.
    fn load_weights(&mut self, operation: &Operation, index: usize, step: &Step<'_>, run: Run) {
        let (channels, filters) =
            (operation.input.channels / operation.groups, operation.output.channels / operation.groups);
        let mut word = run.first_word;
        for filter in step.filters.clone() {
            for channel in step.channels.clone() {
                let unit = Unit::Filter(step.group * filters + filter, step.group * channels + channel);
                let place = (word, word + taps(operation));
                assert_eq!(*self.weights.entry(place).or_insert(unit), unit);
                assert_eq!(*self.at.entry(unit).or_insert(place), place);
                self.push(unit, index, Event::Load);
                word += taps(operation);
            }
        }
        assert_eq!(word, run.first_word + run.words);
    }

    fn compute(&mut self, problem: &Problem<'_>, index: usize, step: &Step<'_>) {
        let operation = problem.operation;
        let is_streamed = !matches!(operation.kind, Kind::Convolution | Kind::FullyConnected);
        let (channels, filters) =
            (operation.input.channels / operation.groups, operation.output.channels / operation.groups);
        if step.computed_rows.is_empty() && !is_streamed {
            self.pass(operation, index, step);
        }
        for image in step.images.clone() {
            for row in step.computed_rows.clone() {
                for filter in step.filters.clone().map(|filter| step.group * filters + filter) {
                    let sum = Unit::Sum(image, filter, row);
                    let formed = self.formed.entry(sum).or_default();
                    let is_first = formed.is_empty();
                    let taken: Vec<u64> = if is_streamed {
                        vec![filter]
                    } else {
                        step.channels.clone().map(|c| step.group * channels + c).collect()
                    };
                    assert!(taken.iter().all(|&channel| formed.insert(channel)), "a channel is added twice");
                    let needed = if is_streamed { 1 } else { channels as usize };
                    if formed.len() == needed {
                        self.complete.insert(sum, index);
                    }
                    self.push(sum, index, if is_first { Event::Create } else { Event::Use });
                    if is_first {
                        self.push(sum, index, Event::Use);
                    }
                    if operation.has_bias && is_first && !is_streamed {
                        self.push(Unit::Bias(filter), index, Event::Use);
                    }
                    for channel in taken {
                        for row in window_rows(&operation.window, row, operation.input.height) {
                            self.push(Unit::Ifmap(image, channel, row), index, Event::Use);
                        }
                        if !is_streamed {
                            self.push(Unit::Filter(filter, channel), index, Event::Use);
                        }
                    }
                }
            }
        }
    }

    /// A tile that only pools fetches what it would compute with.
    fn pass(&mut self, operation: &Operation, index: usize, step: &Step<'_>) {
        let (channels, filters) =
            (operation.input.channels / operation.groups, operation.output.channels / operation.groups);
        for filter in step.filters.clone().map(|filter| step.group * filters + filter) {
            if operation.has_bias && step.channels.start == 0 {
                self.push(Unit::Bias(filter), index, Event::Use);
            }
            for channel in step.channels.clone().map(|channel| step.group * channels + channel) {
                self.push(Unit::Filter(filter, channel), index, Event::Use);
            }
        }
    }

    fn store(&mut self, problem: &Problem<'_>, index: usize, run: Run) {
        let operation = problem.operation;
        *self.written.entry(run).or_default() += 1;
        if run.operand == Operand::PartialSum {
            self.leaving[index + 1] += run.words * u64::from(problem.widths.partial_sum_bits);
            for (image, channel, row) in rows_of(&run, operation.output) {
                let sum = Unit::Sum(image, channel, row);
                assert!(!self.formed[&sum].is_empty() && !self.complete.contains_key(&sum));
            }
            return;
        }
        self.leaving[index + 1] += run.words * u64::from(problem.widths.ofmap_bits);
        for (image, channel, row) in rows_of(&run, operation.stored()) {
            for sum in sources(operation, image, channel, row) {
                assert!(self.complete.get(&sum).is_some_and(|&complete| complete <= index), "{sum:?}");
                self.push(sum, index, Event::Use);
            }
            let written =
                self.stored.insert(Unit::Other(Operand::Ofmap, (image << 32) | (channel << 16) | row), index);
            assert!(written.is_none(), "an output is written twice");
        }
    }

    /// Bits that each buffer holds during each step, at least, if everything leaves as soon as it can.
    fn occupied(&self, problem: &Problem<'_>, steps: usize) -> Vec<Vec<u64>> {
        let (operation, widths) = (problem.operation, problem.widths);
        let roles = problem.roles();
        let mut occupied = vec![vec![0; steps]; problem.buffers.buffers.len()];
        let mut coming = vec![0; steps];
        let is_double = problem.buffers.buffering == Buffering::Double;
        let is_streamed = !matches!(operation.kind, Kind::Convolution | Kind::FullyConnected);
        let sum_bits =
            if is_streamed { widths.ofmap_bits } else { widths.partial_sum_bits.max(widths.ofmap_bits) };
        for (&unit, events) in &self.events {
            let (buffer, bits) = match unit {
                Unit::Ifmap(..) => (roles.ifmap, u64::from(widths.ifmap_bits) * operation.input.width),
                Unit::Filter(..) => (roles.filter, u64::from(widths.filter_bits) * taps(operation)),
                Unit::Bias(_) | Unit::Other(Operand::Bias, _) => (roles.filter, u64::from(widths.bias_bits)),
                Unit::Other(Operand::Filter, _) => (roles.filter, u64::from(widths.filter_bits)),
                Unit::Other(..) => (roles.ofmap, u64::from(widths.ifmap_bits)),
                Unit::Sum(..) => (roles.ofmap, u64::from(sum_bits) * operation.output.width),
            };
            for (from, to, event) in stays(unit, events, steps) {
                let is_ahead = is_double && event == Event::Load && from > 0;
                if is_ahead && matches!(unit, Unit::Sum(..)) {
                    coming[from - 1] += bits;
                }
                let ahead = usize::from(is_ahead && !matches!(unit, Unit::Sum(..)));
                let complete = self.complete.get(&unit).copied().unwrap_or(steps);
                let during = occupied[buffer].iter_mut().enumerate().take(to + 1).skip(from - ahead);
                for (step, occupied) in during {
                    let waits = matches!(unit, Unit::Sum(..)) && step > complete;
                    *occupied +=
                        if waits { u64::from(widths.ofmap_bits) * operation.output.width } else { bits };
                }
            }
        }
        for step in 0..steps {
            if is_double {
                // Sums that leave make room for those that come.
                occupied[roles.ofmap][step] += self.leaving[step].max(coming[step]);
            }
            if problem.residents.ofmap {
                let words = operation.stored().words().unwrap() * problem.batch;
                occupied[roles.ofmap][step] += words * u64::from(widths.ofmap_bits);
            }
            if problem.residents.ifmap {
                let words = operation.input.words().unwrap() * problem.batch;
                occupied[roles.ifmap][step] += words * u64::from(widths.ifmap_bits);
            }
        }
        occupied
    }
}

/// From which step to which a unit stays, and how it came.
fn stays(unit: Unit, events: &[(usize, Event)], steps: usize) -> Vec<(usize, usize, Event)> {
    let mut events = events.to_vec();
    events.sort_unstable();
    events.dedup();
    // A further input and parameters are loaded once: the latter stay.
    if let Unit::Other(operand, _) = unit {
        assert_eq!(events.len(), 1);
        let last = if operand == Operand::SecondIfmap { events[0].0 } else { steps - 1 };
        return vec![(events[0].0, last, Event::Load)];
    }
    let mut stays: Vec<(usize, usize, Event)> = Vec::new();
    for &(step, event) in &events {
        match (event, stays.last_mut()) {
            (Event::Load | Event::Create, _) => stays.push((step, step, event)),
            (Event::Use, Some(stay)) => stay.1 = step,
            (Event::Use, None) => panic!("{unit:?} is used at step {step} but was never loaded"),
        }
    }
    let used: Vec<usize> = events.iter().filter(|event| event.1 == Event::Use).map(|event| event.0).collect();
    let is_used = |&(from, to, _): &(usize, usize, Event)| used.iter().any(|step| (from..=to).contains(step));
    if matches!(unit, Unit::Ifmap(..)) {
        // Whole rows between the elements of a dilated kernel come along.
        return stays;
    }
    assert!(stays.iter().all(is_used), "{unit:?} is loaded in vain: {events:?}");
    stays
}

fn taps(operation: &Operation) -> u64 {
    operation.window.kernel[0] * operation.window.kernel[1]
}

/// The results that a stored row comes from.
fn sources(operation: &Operation, image: u64, channel: u64, row: u64) -> Vec<Unit> {
    let rows: Vec<u64> = match operation.pooled() {
        Some(window) => window_rows(&window, row, operation.output.height).collect(),
        None => vec![row],
    };
    let spans = operation.followers.iter().map(|follower| follower.span);
    let span = spans.max().unwrap_or(1);
    let channels =
        channel.saturating_sub((span - 1) / 2)..(channel + span / 2 + 1).min(operation.output.channels);
    channels.flat_map(|channel| rows.iter().map(move |&row| Unit::Sum(image, channel, row))).collect()
}

/// Replays `plan` and compares all that it says.
fn check(problem: &Problem<'_>, plan: &Plan) {
    let operation = problem.operation;
    let steps: Vec<Step<'_>> = plan.steps().collect();
    let mut replay = Replay { leaving: vec![0; steps.len() + 1], ..Replay::default() };
    for (index, step) in steps.iter().enumerate() {
        for run in step.loads() {
            replay.load(problem, index, step, run);
        }
        if problem.residents.ifmap {
            load_whole_input(problem, &mut replay, index);
        }
        replay.compute(problem, index, step);
        for run in step.stores() {
            replay.store(problem, index, run);
        }
    }
    let outputs = operation.output.words().unwrap() / operation.output.width * problem.batch;
    assert_eq!(replay.complete.len() as u64, outputs, "every sum is formed");
    if !problem.residents.ofmap {
        let stored = operation.stored();
        assert_eq!(replay.stored.len() as u64, stored.channels * stored.height * problem.batch);
    }
    let occupied = if problem.residents.ifmap {
        replay.events.retain(|unit, _| !matches!(unit, Unit::Ifmap(..)));
        replay.occupied(problem, steps.len())
    } else {
        replay.occupied(problem, steps.len())
    };
    for (buffer, occupied) in occupied.into_iter().enumerate() {
        let most = occupied.into_iter().max().unwrap();
        let (claimed, capacity) =
            (plan.occupied_bytes[buffer], problem.buffers.buffers[buffer].capacity_bytes);
        assert!(
            most.div_ceil(8) <= claimed,
            "buffer {buffer}: {} of {claimed} bytes: {plan:?}",
            most.div_ceil(8)
        );
        assert!(claimed <= capacity);
    }
    check_traffic(problem, plan, &replay);
    check_shapes(problem, plan, &steps);
}

fn load_whole_input(problem: &Problem<'_>, replay: &mut Replay, index: usize) {
    let input = problem.operation.input;
    let words = input.words().unwrap() * problem.batch;
    for (image, channel, row) in rows_of(&Run { operand: Operand::Ifmap, first_word: 0, words }, input) {
        replay.push(Unit::Ifmap(image, channel, row), index, Event::Load);
    }
}

fn check_traffic(problem: &Problem<'_>, plan: &Plan, replay: &Replay) {
    let words = |runs: &HashMap<Run, u64>, operand| {
        runs.iter()
            .filter(|(run, _)| run.operand == operand)
            .map(|(run, times)| run.words * times)
            .sum::<u64>()
    };
    let moved = Traffic {
        ifmap_reads: words(&replay.moved, Operand::Ifmap),
        second_ifmap_reads: words(&replay.moved, Operand::SecondIfmap),
        filter_reads: words(&replay.moved, Operand::Filter),
        bias_reads: words(&replay.moved, Operand::Bias),
        ofmap_writes: words(&replay.written, Operand::Ofmap),
        partial_sum_writes: words(&replay.written, Operand::PartialSum),
        partial_sum_reads: words(&replay.moved, Operand::PartialSum),
    };
    assert_eq!(plan.traffic, moved);
    let operands = [
        Operand::Ifmap,
        Operand::SecondIfmap,
        Operand::Filter,
        Operand::Bias,
        Operand::Ofmap,
        Operand::PartialSum,
    ];
    for operand in operands {
        let mut closed: HashMap<Run, u64> = HashMap::new();
        for RepeatedRun { run, times } in plan.runs(operand) {
            *closed.entry(run).or_default() += times;
        }
        for replayed in [&replay.moved, &replay.written] {
            let replayed: HashMap<Run, u64> = replayed
                .iter()
                .filter(|(run, _)| run.operand == operand)
                .map(|(&run, &times)| (run, times))
                .collect();
            assert!(replayed.is_empty() || replayed == closed, "{operand:?}: {replayed:?} {closed:?}");
        }
        if closed.is_empty() {
            assert_eq!(words(&replay.moved, operand) + words(&replay.written, operand), 0, "{operand:?}");
        }
    }
    let Traffic { partial_sum_writes, partial_sum_reads, .. } = plan.traffic;
    assert_eq!(partial_sum_writes, partial_sum_reads);
    let (least, actual) = (plan.compulsory, plan.traffic);
    assert!(problem.residents.ifmap || actual.ifmap_reads >= least.ifmap_reads);
    assert!(actual.filter_reads >= least.filter_reads && actual.bias_reads >= least.bias_reads);
    assert!(problem.residents.ofmap || actual.ofmap_writes == least.ofmap_writes);
}

fn check_shapes(problem: &Problem<'_>, plan: &Plan, steps: &[Step<'_>]) {
    let mut walked: HashMap<Gemm, u64> = HashMap::new();
    for step in steps.iter().filter(|step| step.gemm.pixels > 0) {
        *walked.entry(step.gemm).or_default() += 1;
    }
    let mut closed: HashMap<Gemm, u64> = HashMap::new();
    for (gemm, times) in plan.shapes() {
        *closed.entry(gemm).or_default() += times;
    }
    assert_eq!(walked, closed);
    if matches!(problem.operation.kind, Kind::Convolution | Kind::FullyConnected) {
        let macs: u64 =
            closed.iter().map(|(gemm, times)| gemm.pixels * gemm.filters * gemm.window * times).sum();
        assert_eq!(macs, problem.operation.macs().unwrap() * problem.batch);
        let cycles: u64 = closed.iter().map(|(gemm, times)| output_stationary(gemm).unwrap() * times).sum();
        assert_eq!(plan.compute_cycles, cycles);
    }
}

fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::TooSmall { .. })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn searched_plans_replay_exactly(
        operation in any_operation().prop_filter_map("a window larger than its input", |operation| operation),
        (widths, buffers, residents) in (any_widths(), any_buffers(), any_residents()),
        batch in 1..=3u64,
        objective in prop_oneof![Just(Objective::LeastTraffic), Just(Objective::LeastCycles)],
    ) {
        let problem = Problem { operation: &operation, widths, buffers: &buffers, residents, batch };
        let searched = problem.search(objective, &output_stationary);
        prop_assert_eq!(searched.is_ok(), problem.fits().unwrap());
        match searched {
            Ok(plan) => check(&problem, &plan),
            Err(error) => prop_assert!(is_refusal(&error), "{error}"),
        }
    }

    #[test]
    fn given_plans_replay_exactly(
        operation in any_operation().prop_filter_map("a window larger than its input", |operation| operation),
        (widths, buffers, residents) in (any_widths(), any_buffers(), any_residents()),
        batch in 1..=3u64,
        parts in [0..64u64, 0..64u64, 0..64u64, 0..64u64],
        order in proptest::sample::select(Order::ALL.to_vec()),
    ) {
        let problem = Problem { operation: &operation, widths, buffers: &buffers, residents, batch };
        let is_product = operation.kind == Kind::Convolution;
        let channels = operation.input.channels / operation.groups;
        let filters = operation.output.channels / operation.groups;
        let filters = if is_product { parts[2] % filters + 1 } else { filters };
        let tiling = Tiling {
            images: parts[0] % batch + 1,
            rows: parts[1] % operation.stored().height + 1,
            filters,
            channels: if is_product { parts[3] % channels + 1 } else { filters },
            order,
        };
        match problem.given(tiling, &output_stationary) {
            Ok(plan) => check(&problem, &plan),
            Err(error) => prop_assert!(is_refusal(&error), "{error}"),
        }
    }
}

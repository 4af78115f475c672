//! What must hold between plans of one operation.

use super::any::{any_buffers, any_operation, any_residents, any_widths};
use super::*;
use proptest::prelude::*;

/// Bits that move in all.
fn bits(traffic: &Traffic, widths: &Widths) -> u64 {
    let ifmap = (traffic.ifmap_reads + traffic.second_ifmap_reads) * u64::from(widths.ifmap_bits);
    let filter = traffic.filter_reads * u64::from(widths.filter_bits);
    let bias = traffic.bias_reads * u64::from(widths.bias_bits);
    let sums = (traffic.partial_sum_writes + traffic.partial_sum_reads) * u64::from(widths.partial_sum_bits);
    ifmap + filter + bias + sums + traffic.ofmap_writes * u64::from(widths.ofmap_bits)
}

/// Words that no tiling can save.
fn least(plan: &Plan) -> u64 {
    let Residents { ifmap, ofmap, .. } = plan.residents;
    let kept_input = if ifmap { plan.compulsory.ifmap_reads } else { 0 };
    let kept_output = if ofmap { plan.compulsory.ofmap_writes } else { 0 };
    plan.compulsory.words().unwrap() - kept_input - kept_output
}

/// The fewest bits of all tilings of the extents that the search tries, one after the other.
fn least_given(problem: &Problem<'_>) -> Option<u64> {
    let operation = problem.operation;
    let is_product = operation.kind == Kind::Convolution;
    let (channels, filters) =
        (operation.input.channels / operation.groups, operation.output.channels / operation.groups);
    let mut least: Option<u64> = None;
    for images in search::extents(problem.batch) {
        for rows in search::extents(operation.stored().height) {
            for filters in search::extents(filters) {
                for channels in if is_product { search::extents(channels) } else { vec![filters] } {
                    for order in Order::ALL {
                        let tiling = Tiling { images, rows, filters, channels, order };
                        if let Ok(plan) = problem.given(tiling, &output_stationary) {
                            let bits = bits(&plan.traffic, &problem.widths);
                            least = Some(least.map_or(bits, |least| least.min(bits)));
                        }
                    }
                }
            }
        }
    }
    least
}

proptest! {
    #[test]
    fn no_tiling_is_overlooked(
        operation in any_operation().prop_filter_map("a window larger than its input", |operation| operation),
        (widths, buffers, residents) in (any_widths(), any_buffers(), any_residents()),
        batch in 1..=3u64,
    ) {
        let problem = Problem { operation: &operation, widths, buffers: &buffers, residents, batch };
        let searched = problem.search(Objective::LeastTraffic, &output_stationary);
        let searched = searched.ok().map(|plan| bits(&plan.traffic, &widths));
        prop_assert_eq!(searched, least_given(&problem));
    }

    #[test]
    fn more_buffer_never_moves_more(
        operation in any_operation().prop_filter_map("a window larger than its input", |operation| operation),
        (widths, buffers, residents) in (any_widths(), any_buffers(), any_residents()),
        (batch, which, more) in (1..=3u64, 0..3usize, 1..2000u64),
    ) {
        let mut larger = buffers.clone();
        larger.buffers[which].capacity_bytes += more;
        let problem = Problem { operation: &operation, widths, buffers: &buffers, residents, batch };
        if let Ok(plan) = problem.search(Objective::LeastTraffic, &output_stationary) {
            let with_more = Problem { buffers: &larger, ..problem };
            let with_more = with_more.search(Objective::LeastTraffic, &output_stationary).unwrap();
            prop_assert!(bits(&with_more.traffic, &widths) <= bits(&plan.traffic, &widths));
            prop_assert!(with_more.traffic.words().unwrap() >= least(&plan));
            let fast = problem.search(Objective::LeastCycles, &output_stationary).unwrap();
            prop_assert!(fast.compute_cycles <= plan.compute_cycles);
            prop_assert!(bits(&fast.traffic, &widths) >= bits(&plan.traffic, &widths));
        }
    }

    #[test]
    fn halved_bits_move_at_most_half_rounded_up(
        operation in any_operation().prop_filter_map("a window larger than its input", |operation| operation),
        (widths, buffers, residents) in (any_widths(), any_buffers(), any_residents()),
        batch in 1..=3u64,
    ) {
        let twice = Widths {
            ifmap_bits: 2 * widths.ifmap_bits,
            filter_bits: 2 * widths.filter_bits,
            bias_bits: 2 * widths.bias_bits,
            ofmap_bits: 2 * widths.ofmap_bits,
            partial_sum_bits: 2 * widths.partial_sum_bits,
        };
        let problem = Problem { operation: &operation, widths: twice, buffers: &buffers, residents, batch };
        if let Ok(plan) = problem.search(Objective::LeastTraffic, &output_stationary) {
            let halved = Problem { widths, ..problem };
            let halved = halved.search(Objective::LeastTraffic, &output_stationary).unwrap();
            prop_assert!(2 * bits(&halved.traffic, &widths) <= bits(&plan.traffic, &twice));
        }
    }

    #[test]
    fn the_searched_tiling_is_found_again_when_given(
        operation in any_operation().prop_filter_map("a window larger than its input", |operation| operation),
        (widths, buffers, residents) in (any_widths(), any_buffers(), any_residents()),
        batch in 1..=3u64,
    ) {
        let problem = Problem { operation: &operation, widths, buffers: &buffers, residents, batch };
        if let Ok(plan) = problem.search(Objective::LeastTraffic, &output_stationary) {
            let given = problem.given(plan.tiling, &output_stationary).unwrap();
            prop_assert_eq!(given.traffic, plan.traffic);
            prop_assert_eq!(given.compute_cycles, plan.compute_cycles);
        }
    }
}

#[test]
fn every_number_of_blocks_is_tried_with_its_smallest_extent() {
    for all in 1..300u64 {
        let counts: std::collections::BTreeSet<u64> = (1..=all).map(|extent| all.div_ceil(extent)).collect();
        let extents = search::extents(all);
        assert_eq!(
            extents.iter().map(|&extent| all.div_ceil(extent)).collect::<std::collections::BTreeSet<_>>(),
            counts
        );
        assert_eq!(extents.len(), counts.len());
        let is_smallest = |&extent: &u64| extent == 1 || all.div_ceil(extent - 1) > all.div_ceil(extent);
        assert!(extents.iter().all(is_smallest), "{all}: {extents:?}");
    }
}

/// Every extent of every loop, not only one of each number of blocks.
#[test]
fn no_other_tile_moves_less() {
    let window = Window { kernel: [3, 3], stride: [2, 1], pad: [1, 1], pad_end: [1, 1], dilation: [1, 1] };
    let operation = convolution(Extent::new(5, 11, 4), 6, window, 1);
    for capacity in [60, 90, 140, 220, 400, 900] {
        for buffers in [shared(capacity, Buffering::Double), separate([capacity; 3], Buffering::Single)] {
            let residents = Residents::default();
            let problem =
                Problem { operation: &operation, widths: widths(8), buffers: &buffers, residents, batch: 2 };
            let best = problem
                .search(Objective::LeastTraffic, &output_stationary)
                .map(|plan| plan.traffic.words().unwrap());
            let mut least = None;
            for images in 1..=2 {
                for rows in 1..=operation.output.height {
                    for filters in 1..=6 {
                        for channels in 1..=5 {
                            for order in Order::ALL {
                                let tiling = Tiling { images, rows, filters, channels, order };
                                let plan = problem.given(tiling, &output_stationary);
                                let words = plan.ok().and_then(|plan| plan.traffic.words());
                                least = words.map_or(least, |words| {
                                    Some(least.map_or(words, |least: u64| least.min(words)))
                                });
                            }
                        }
                    }
                }
            }
            assert_eq!(best.ok(), least, "{capacity}");
        }
    }
}

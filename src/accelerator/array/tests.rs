use super::walk::{naive, operands, walk};
use super::*;
use proptest::prelude::*;

const DATAFLOWS: [Dataflow; 3] =
    [Dataflow::OutputStationary, Dataflow::WeightStationary, Dataflow::InputStationary];

fn array(rows: u64, columns: u64, dataflow: Dataflow, fold_overlap: FoldOverlap) -> Array {
    Array { rows, columns, dataflow, fold_overlap, fully_connected: FullyConnected::Array }
}

fn systolic(rows: u64, columns: u64, dataflow: Dataflow) -> Array {
    array(rows, columns, dataflow, FoldOverlap::None)
}

fn gemm(pixels: u64, filters: u64, window: u64) -> Gemm {
    Gemm { pixels, filters, window }
}

fn dataflow(short: &str) -> Dataflow {
    match short {
        "os" => Dataflow::OutputStationary,
        "ws" => Dataflow::WeightStationary,
        "is" => Dataflow::InputStationary,
        _ => panic!("{short}"),
    }
}

/// Rows of the published runs: the text columns and the numbers in their places.
fn published() -> Vec<(Vec<&'static str>, Vec<Option<u64>>)> {
    let lines = include_str!("scalesim.csv").lines().filter(|line| !line.starts_with('#'));
    let cells = lines.skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    cells.map(|cells| (cells.clone(), cells.iter().map(|cell| cell.parse().ok()).collect())).collect()
}

#[test]
fn cycles_and_buffer_accesses_equal_every_run_of_scalesim() {
    let rows = published();
    assert_eq!(rows.len(), 78);
    for (text, number) in &rows {
        let number = |column: usize| number[column].unwrap();
        let array = systolic(number(0), number(1), dataflow(text[2]));
        let counts = array.run(&gemm(number(5), number(6), number(7))).unwrap();
        let Accesses { ifmap_reads, filter_reads, ofmap_writes, .. } = counts.accesses;
        assert_eq!(counts.phases.total(), Some(number(8)), "cycles of {text:?}");
        assert_eq!(
            [ifmap_reads, filter_reads, ofmap_writes],
            [number(9), number(10), number(11)],
            "{text:?}"
        );
        if text[2] == "ws" {
            assert_eq!(filter_reads, number(12), "a weight is fetched once: {text:?}");
        }
    }
}

/// Layers and their groups, of networks whose totals SCALE-Sim's runs give.
fn network_total(network: &str, rows: u64, short: &str) -> (Counts, Array) {
    let array = systolic(rows, rows, dataflow(short));
    let mut total = Counts::default();
    for (text, number) in published()
        .iter()
        .filter(|(text, number)| (text[2], text[3]) == (short, network) && number[0] == Some(rows))
    {
        let one = array.run(&gemm(number[5].unwrap(), number[6].unwrap(), number[7].unwrap())).unwrap();
        let groups = if text[4].ends_with("_g") { 2 } else { 1 };
        total = total.add(&one.times(groups).unwrap()).unwrap();
    }
    (total, array)
}

#[test]
fn layers_and_groups_add_up_to_the_published_totals_of_networks() {
    let totals = [
        ("lenet5_paper", 32, [(3_954, 6.96), (5_925, 4.64), (5_636, 4.88)]),
        ("lenet5_paper", 128, [(3_021, 0.57), (3_382, 0.51), (4_598, 0.37)]),
        ("alexnet_caffe_grouped", 32, [(2_591_349, 27.3), (6_321_428, 11.19), (3_023_408, 23.4)]),
        ("alexnet_caffe_grouped", 128, [(548_428, 8.06), (1_481_151, 2.99), (693_832, 6.37)]),
    ];
    for (network, rows, of_dataflows) in totals {
        for (short, (cycles, utilisation_percent)) in ["os", "ws", "is"].into_iter().zip(of_dataflows) {
            let (total, array) = network_total(network, rows, short);
            assert_eq!(total.phases.total(), Some(cycles), "{network} {rows} {short}");
            let percent = total.utilisation(&array) * 100.0;
            assert!((percent - utilisation_percent).abs() <= 0.0051, "{network} {rows} {short}: {percent}");
        }
    }
}

#[test]
fn shares_of_the_array_equal_those_that_scalesim_prints() {
    // conv5 of AlexNet, one group, 32 x 32, output stationary.
    let array = systolic(32, 32, Dataflow::OutputStationary);
    let counts = array.run(&gemm(169, 128, 1728)).unwrap();
    assert!((counts.utilisation(&array) * 100.0 - 84.972_067_039_106_16).abs() < 1e-9);
    assert!((counts.mapping_efficiency(&array) * 100.0 - 88.020_833_333_333_34).abs() < 1e-9);
    assert_eq!(Counts::default().utilisation(&array), 0.0);
    assert_eq!(Counts::default().mapping_efficiency(&array), 0.0);
}

#[test]
fn the_vector_mapping_of_alexnets_fc6_takes_36864_cycles() {
    let array = systolic(32, 32, Dataflow::OutputStationary);
    let fc6 = gemm(1, 4096, 9216);
    let counts = array.vector(&fc6).unwrap();
    assert_eq!(counts.phases, Phases { fill_cycles: 0, compute_cycles: 36_864, drain_cycles: 31 });
    assert_eq!(
        counts.accesses,
        Accesses {
            ifmap_reads: 9216 * 128,
            filter_reads: 37_748_736,
            ofmap_writes: 4096,
            partial_sum_reads: 0
        }
    );
    assert_eq!(counts.mapping_efficiency(&array), 1.0);
    assert_eq!(array.run(&fc6).unwrap().phases.total(), Some(1_187_584));
}

#[test]
fn overlapping_tiles_fill_and_drain_once() {
    let (big, tile) = (gemm(64, 32, 100), gemm(16, 32, 100));
    for dataflow in DATAFLOWS {
        let alone = systolic(16, 16, dataflow);
        let pipelined = array(16, 16, dataflow, FoldOverlap::Pipelined);
        let mapping = Mapping::Stationary(dataflow);
        let tiles = pipelined.run(&tile).unwrap().times(4).unwrap();
        let layer = pipelined.layer(mapping, &tiles).unwrap();
        assert_eq!(layer.phases.fill_cycles, tiles.phases.fill_cycles / 4);
        assert_eq!(layer.phases.drain_cycles, tiles.phases.drain_cycles / 4);
        assert_eq!(Counts { phases: tiles.phases, ..layer }, tiles);
        let tiles = alone.run(&tile).unwrap().times(4).unwrap();
        assert_eq!(alone.layer(mapping, &tiles).unwrap(), tiles);
        if dataflow == Dataflow::OutputStationary {
            assert_eq!(layer.phases, pipelined.run(&big).unwrap().phases);
        }
        let tiles = alone.vector(&tile).unwrap().times(4).unwrap();
        let layer = alone.layer(Mapping::Vector, &tiles).unwrap();
        assert_eq!(layer, alone.vector(&big).unwrap());
        assert_eq!(layer.phases.drain_cycles, 15);
    }
    let array = systolic(4, 4, Dataflow::OutputStationary);
    assert_eq!(array.layer(Mapping::Vector, &Counts::default()).unwrap(), Counts::default());
}

#[test]
fn registers_are_read_thrice_and_written_where_operands_move() {
    let array = systolic(4, 4, Dataflow::OutputStationary);
    let counts = array.run(&gemm(10, 6, 9)).unwrap();
    let macs = 10 * 6 * 9;
    let bits = |mapping| counts.register_bits(mapping, 8, 5, 32).unwrap();
    let output = Mapping::Stationary(Dataflow::OutputStationary);
    assert_eq!(bits(output), (macs * (8 + 5 + 32), macs * (8 + 5 + 32)));
    assert_eq!(bits(Mapping::Vector), (macs * 45, macs * 45));
    let weight = Mapping::Stationary(Dataflow::WeightStationary);
    let counts = array.count(weight, &gemm(10, 6, 9)).unwrap();
    assert_eq!(counts.register_bits(weight, 8, 5, 32), Ok((macs * 45, macs * (8 + 32) + 9 * 6 * 5)));
    let input = Mapping::Stationary(Dataflow::InputStationary);
    let counts = array.count(input, &gemm(10, 6, 9)).unwrap();
    assert_eq!(counts.register_bits(input, 8, 5, 32), Ok((macs * 45, macs * (5 + 32) + 9 * 10 * 8)));
    let full = Counts { macs: u64::MAX / 45, ..Counts::default() };
    assert!(full.register_bits(output, 8, 5, 32).is_ok());
    let full = Counts { macs: u64::MAX / 45 + 1, ..Counts::default() };
    assert_eq!(full.register_bits(output, 8, 5, 32), Err(Error::Overflow { count: "register bits written" }));
}

#[test]
fn arrays_and_products_without_extent_are_refused() {
    let empty = systolic(0, 4, Dataflow::OutputStationary);
    assert_eq!(empty.check(), Err(Error::NoElements { rows: 0, columns: 4 }));
    assert_eq!(empty.vector(&gemm(1, 1, 1)), Err(Error::NoElements { rows: 0, columns: 4 }));
    assert!(systolic(4, 0, Dataflow::OutputStationary).check().is_err());
    let array = systolic(1, 1, Dataflow::OutputStationary);
    for none in [gemm(0, 1, 1), gemm(1, 0, 1), gemm(1, 1, 0)] {
        let Gemm { pixels, filters, window } = none;
        assert_eq!(array.run(&none), Err(Error::NoWork { pixels, filters, window }));
    }
}

#[test]
fn counts_beyond_64_bits_are_errors() {
    let overflow = |count| Err(Error::Overflow { count });
    let array = systolic(1, 1, Dataflow::OutputStationary);
    assert_eq!(array.run(&gemm(1 << 32, 1 << 32, 1)), overflow("folds"));
    assert_eq!(array.run(&gemm(1 << 30, 1 << 30, 1 << 30)), overflow("compute cycles"));
    assert_eq!(array.vector(&gemm(1 << 22, 1 << 22, 1 << 22)), overflow("folds"));
    let wide = systolic(u64::MAX / 2, u64::MAX / 2, Dataflow::WeightStationary);
    assert_eq!(wide.run(&gemm(1, 1, 1)), overflow("cycles"));
    assert_eq!(wide.run(&gemm(3, u64::MAX / 2, u64::MAX / 2)), overflow("ifmap reads"));
    let high = systolic(u64::MAX, 1, Dataflow::InputStationary);
    assert_eq!(high.check(), Err(Error::Overflow { count: "cycles to fill the array" }));
    let one = Counts { macs: u64::MAX, ..Counts::default() };
    assert_eq!(one.add(&Counts { macs: 1, ..Counts::default() }), overflow("multiply-accumulates"));
    assert_eq!(one.times(2), overflow("multiply-accumulates"));
    let phases = Phases { fill_cycles: u64::MAX, ..Phases::default() };
    let compute = Phases { compute_cycles: 1, ..Phases::default() };
    let [fill, compute] = [phases, compute].map(|phases| Counts { phases, ..Counts::default() });
    assert_eq!(fill.add(&compute), overflow("cycles"));
}

fn any_array() -> impl Strategy<Value = Array> {
    let overlap = prop_oneof![Just(FoldOverlap::None), Just(FoldOverlap::Pipelined)];
    (1..=6u64, 1..=6u64, prop::sample::select(&DATAFLOWS[..]), overlap)
        .prop_map(|(rows, columns, dataflow, overlap)| array(rows, columns, dataflow, overlap))
}

proptest! {
    #[test]
    fn a_walk_cycle_by_cycle_comes_to_the_same(
        array in any_array(),
        (pixels, filters, window) in (1..=14u64, 1..=14u64, 1..=14u64),
        vector: bool,
    ) {
        let gemm = gemm(pixels, filters, window);
        let mapping = if vector { Mapping::Vector } else { Mapping::Stationary(array.dataflow) };
        let counts = array.count(mapping, &gemm).unwrap();
        let (inputs, weights) = operands(&gemm);
        let walked = walk(&array, mapping, &inputs, &weights);
        prop_assert_eq!(&walked.product, &naive(&inputs, &weights));
        prop_assert_eq!(walked.cycles, counts.phases.total().unwrap());
        prop_assert_eq!(walked.accesses, counts.accesses);
        prop_assert_eq!(walked.folds, counts.folds);
        prop_assert_eq!(walked.macs, counts.macs);
        prop_assert_eq!(walked.occupied_elements, counts.occupied_elements);
    }

    #[test]
    fn nothing_is_lost_and_more_work_is_never_less(
        rows in 1..200u64, columns in 1..200u64,
        shape in prop::array::uniform3(1..3000u64), more in prop::array::uniform3(0..300u64),
        dataflow in prop::sample::select(&DATAFLOWS[..]), vector: bool,
    ) {
        let mapping = if vector { Mapping::Vector } else { Mapping::Stationary(dataflow) };
        let [pixels, filters, window] = shape;
        let small = gemm(pixels, filters, window);
        let large = gemm(pixels + more[0], filters + more[1], window + more[2]);
        for overlap in [FoldOverlap::None, FoldOverlap::Pipelined] {
            let array = array(rows, columns, dataflow, overlap);
            let counts = array.count(mapping, &small).unwrap();
            let total = counts.phases.total().unwrap();
            prop_assert!(total * rows * columns >= counts.macs);
            let Accesses { ifmap_reads, filter_reads, ofmap_writes, partial_sum_reads } = counts.accesses;
            prop_assert_eq!(ofmap_writes - partial_sum_reads, pixels * filters, "every output once more than it is read");
            prop_assert!(ifmap_reads >= pixels * window && filter_reads >= window * filters);
            prop_assert!((0.0..=1.0).contains(&counts.utilisation(&array)));
            prop_assert!((0.0..=1.0).contains(&counts.mapping_efficiency(&array)));
            let more = array.count(mapping, &large).unwrap();
            prop_assert!(more.phases.total().unwrap() >= total);
            prop_assert!(more.accesses.ifmap_reads >= ifmap_reads && more.accesses.filter_reads >= filter_reads);
            prop_assert!(more.accesses.partial_sum_reads >= partial_sum_reads);
        }
        let alone = systolic(rows, columns, dataflow).count(mapping, &small).unwrap();
        let overlapped = array(rows, columns, dataflow, FoldOverlap::Pipelined).count(mapping, &small).unwrap();
        prop_assert!(overlapped.phases.total() <= alone.phases.total());
        prop_assert_eq!(overlapped.accesses, alone.accesses);
    }
}

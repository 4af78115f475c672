//! Whole networks on whole accelerators: both fidelities, conservation, and other tools' figures.

use super::*;
use crate::accelerator::array::{Array, Dataflow, FoldOverlap};
use crate::accelerator::design::{self, DramSystem};
use crate::accelerator::energy::Arithmetic;
use crate::accelerator::lowering::{self, Fuse};
use crate::accelerator::operation::{Extent, Window};
use crate::accelerator::tiling::{Buffering, Objective, Run};
use crate::accelerator::trace::Operand;
use crate::memory::dram::{CellLayout, Errors, Parameters, Retention};
use crate::memory::energy::dram::Device;
use crate::memory::{ByBit, Geometry, Protection, preset, uniform};
use crate::network;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

fn memory(name: &str, technology: Technology, capacity_bytes: Option<u64>) -> Memory {
    let geometry =
        capacity_bytes.map_or(Geometry::default(), |bytes| Geometry::new(8 * bytes, 1, 8, 64).unwrap());
    Memory {
        name: name.into(),
        technology,
        geometry,
        protection: Protection::dual_rail(0),
        lifetime: None,
        measured: None,
    }
}

fn buffer(name: &str, capacity_bytes: u64) -> Memory {
    memory(name, Technology::Uniform(uniform::Parameters::from(0.0)), Some(capacity_bytes))
}

fn dram() -> Memory {
    let preset = preset::find("ddr4_2400_8gb_x8").unwrap();
    let lookup = |key: &str| preset.constant(key).map(|constant| &constant.value);
    let device = Device::from_constants(&preset.name, &lookup).unwrap();
    let error = Errors {
        preset: None,
        retention: Retention::LogNormal { mu_ln_s: 9.444, sigma_ln: 1.751 },
        t_range_s: [1.0, 20.0],
        supported_share: 1e-3,
        t_ref_c: 48.0,
        temp_c: 48.0,
        temp_halving_c: 10.0,
        refresh_interval_ms: ByBit::from(64.0),
        cell_layout: CellLayout::Half,
        module_scale: 1.0,
        module_sigma: 0.0,
        access_refreshes: true,
        ser_fit_per_mbit: 0.0,
    };
    memory("dram", Technology::Dram(Parameters { error, energy: Some(device) }), None)
}

/// 12 x 14 with one buffer of 108 KiB, as Eyeriss has.
fn eyeriss(buffering: Buffering, dataflow: Dataflow) -> Accelerator {
    let shared = design::Buffer { memory: 0, port_bits: 64 };
    Accelerator {
        clock_mhz: 200.0,
        array: Array {
            rows: 12,
            columns: 14,
            dataflow,
            fold_overlap: FoldOverlap::None,
            fully_connected: FullyConnected::Array,
        },
        elementwise_lanes: 14,
        batch: 1,
        partial_sum_bits: 16,
        buffering,
        fuse: Fuse::All,
        keep_on_chip: false,
        objective: Objective::LeastTraffic,
        fidelity: Fidelity::Analytic,
        tilings: BTreeMap::new(),
        buffers: design::Buffers { ifmap: shared, filter: shared, ofmap: shared, ports: 27 },
        dram: Some(DramSystem {
            memory: 1,
            address_map: "rochrabacobg".parse().unwrap(),
            channels: 1,
            ranks: 2,
            queue_depth: 32,
        }),
        energy: None,
    }
}

fn lowered(path: &str, fuse: &Fuse) -> Vec<Operation> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    lowering::operations(&network::read_definition(&path).unwrap(), fuse).unwrap()
}

const ALEXNET: &str = "models/alexnet/alexnet.prototxt";

fn words(operations: &[Operation], bits: u32) -> Vec<Words> {
    let word = StoredWord { container_bits: bits, bits, arithmetic: Arithmetic::Integer(bits) };
    vec![Words { ifmap: word, filter: word, bias: word, ofmap: word }; operations.len()]
}

fn execute(operations: &[Operation], accelerator: &Accelerator, bits: u32) -> Execution {
    let words = words(operations, bits);
    let memories = [buffer("global", 108 * 1024), dram()];
    let transfer = LinkTransfer::default();
    run(&Task { operations, words: &words, accelerator, memories: &memories, transfer }).unwrap()
}

fn dram_words(execution: &Execution) -> u64 {
    let movements = execution.trace.layers.iter().flat_map(|layer| &layer.movements);
    movements.filter(|movement| movement.memory == 1).map(|m| m.words_read + m.words_written).sum()
}

#[test]
fn alexnet_moves_what_its_tilings_say_and_less_than_nn_dataflow() {
    for (buffering, fuse, most) in [
        (Buffering::Double, Fuse::All, 62_830_000),
        (Buffering::Single, Fuse::Layers(["norm1".to_owned(), "norm2".to_owned()].into()), 62_930_000),
    ] {
        let operations = lowered(ALEXNET, &fuse);
        let execution = execute(&operations, &eyeriss(buffering, Dataflow::WeightStationary), 16);
        let planned: u64 = execution.layers.iter().map(|layer| layer.plan.traffic.words().unwrap()).sum();
        assert_eq!(dram_words(&execution), planned);
        assert!(planned <= most, "{buffering:?}: {planned}");
    }
}

#[test]
fn both_fidelities_move_the_same_and_agree_in_time() {
    let operations = lowered(ALEXNET, &Fuse::All);
    for dataflow in [Dataflow::OutputStationary, Dataflow::WeightStationary, Dataflow::InputStationary] {
        let mut accelerator = eyeriss(Buffering::Double, dataflow);
        accelerator.array.rows = 32;
        accelerator.array.columns = 32;
        let analytic = execute(&operations, &accelerator, 16);
        accelerator.fidelity = Fidelity::Replay;
        let replay = execute(&operations, &accelerator, 16);
        for (one, other) in analytic.trace.layers.iter().zip(&replay.trace.layers) {
            let counts = |layer: &LayerTrace| -> Vec<_> {
                let counts = layer.movements.iter().map(|m| {
                    (m.operand, m.memory, m.words_read, m.words_written, m.bursts_read, m.bursts_written)
                });
                counts.collect()
            };
            assert_eq!(counts(one), counts(other), "{}", one.name);
            let total = |layer: &LayerTrace| layer.cycles.total().unwrap() as f64;
            let rows = |layer: &LayerTrace| layer.movements.iter().map(|m| m.activations).sum::<u64>();
            if rows(one) * 2 < rows(other) || rows(other) * 2 < rows(one) {
                println!("{dataflow:?} {}: rows {} {}", one.name, rows(one), rows(other));
            }
            assert!((total(one) / total(other) - 1.0).abs() < 0.05, "{}", one.name);
        }
    }
}

fn convolution(input: [u64; 3], filters: u64, kernel: u64, stride: u64, groups: u64) -> Operation {
    let extent = |size: u64| (size - kernel) / stride + 1;
    Operation {
        name: "conv".into(),
        kind: Kind::Convolution,
        input: Extent::new(input[0], input[1], input[2]),
        output: Extent::new(filters, extent(input[1]), extent(input[2])),
        window: Window { kernel: [kernel; 2], stride: [stride; 2], ..Window::POINT },
        groups,
        has_bias: true,
        followers: Vec::new(),
        sources: vec![Source::Input],
        added: Vec::new(),
    }
}

fn any_convolution() -> impl Strategy<Value = Operation> {
    (1u64..4, 1u64..4, 1u64..5, 1u64..4, 1u64..4, 3u64..12).prop_map(
        |(groups, channels, filters, kernel, stride, size)| {
            convolution(
                [channels * groups, size.max(kernel), size.max(kernel)],
                filters * groups,
                kernel,
                stride,
                groups,
            )
        },
    )
}

fn any_array() -> impl Strategy<Value = Array> {
    let dataflows = [Dataflow::OutputStationary, Dataflow::WeightStationary, Dataflow::InputStationary];
    let overlaps = [FoldOverlap::None, FoldOverlap::Pipelined];
    (1u64..9, 1u64..9, prop::sample::select(dataflows.to_vec()), prop::sample::select(overlaps.to_vec()))
        .prop_map(|(rows, columns, dataflow, fold_overlap)| Array {
            rows,
            columns,
            dataflow,
            fold_overlap,
            fully_connected: FullyConnected::Array,
        })
}

/// Runs one operation with a buffer of so many bytes; `None` where that is too small.
fn alone(operation: &Operation, accelerator: &Accelerator, bits: u32, bytes: u64) -> Option<Execution> {
    let operations = std::slice::from_ref(operation);
    let words = words(operations, bits);
    let memories = [buffer("global", bytes), dram()];
    let transfer = LinkTransfer::default();
    match run(&Task { operations, words: &words, accelerator, memories: &memories, transfer }) {
        Ok(execution) => Some(execution),
        Err(Error::Tiling(tiling::Error::TooSmall { .. })) => None,
        Err(error) => panic!("{error}"),
    }
}

fn moved(layer: &LayerTrace, operand: Operand, memory: usize) -> [u64; 2] {
    let found = layer.movements.iter().find(|m| m.operand == operand && m.memory == memory);
    found.map_or([0; 2], |movement| [movement.words_read, movement.words_written])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_goes_in_comes_out(
        operation in any_convolution(),
        array in any_array(),
        single: bool,
        replayed: bool,
        rows in 8u64..60,
    ) {
        let buffering = if single { Buffering::Single } else { Buffering::Double };
        let mut accelerator = eyeriss(buffering, array.dataflow);
        accelerator.array = array;
        accelerator.fidelity = if replayed { Fidelity::Replay } else { Fidelity::Analytic };
        let Some(execution) = alone(&operation, &accelerator, 16, 64 * rows) else { return Ok(()) };
        let (layer, plan) = (&execution.trace.layers[0], &execution.layers[0].plan);
        // Every word that a buffer gets from DRAM was read there; every word written there was read from a buffer.
        for operand in [Operand::Ifmap, Operand::Filter, Operand::Bias] {
            prop_assert_eq!(moved(layer, operand, 1)[0], moved(layer, operand, 0)[1]);
        }
        let outputs = operation.output.words().unwrap();
        prop_assert_eq!(moved(layer, Operand::Ofmap, 1), [0, outputs]);
        prop_assert_eq!(moved(layer, Operand::Ofmap, 0), [outputs, outputs]);
        let spilled = moved(layer, Operand::PartialSum, 1);
        prop_assert_eq!(spilled[0], spilled[1], "spills are read back");
        let sums = moved(layer, Operand::PartialSum, 0);
        prop_assert_eq!(sums[0], sums[1], "sums are read as often as written");
        // The array computes each product once, however it is cut.
        prop_assert_eq!(execution.layers[0].counts.macs, operation.macs().unwrap());
        prop_assert_eq!(layer.macs, operation.macs().unwrap());
        let least = plan.compulsory.words().unwrap();
        prop_assert!(plan.traffic.words().unwrap() >= least);
        let cycles = layer.cycles;
        let phases = execution.layers[0].counts.phases;
        prop_assert_eq!([cycles.fill, cycles.compute, cycles.drain], [phases.fill_cycles, phases.compute_cycles, phases.drain_cycles]);
        prop_assert!(cycles.total().unwrap() as f64 >= execution.layers[0].dram_cycles);
    }

    #[test]
    fn a_layer_takes_the_published_time(operation in any_convolution(), array in any_array(), single: bool, rows in 8u64..60) {
        let buffering = if single { Buffering::Single } else { Buffering::Double };
        let mut accelerator = eyeriss(buffering, array.dataflow);
        // Folds and tiles one by one, and ports that never bind.
        accelerator.array = Array { fold_overlap: FoldOverlap::None, ..array };
        accelerator.buffers.ports = 1 << 20;
        let Some(execution) = alone(&operation, &accelerator, 16, 64 * rows) else { return Ok(()) };
        let system = system(&accelerator, &[buffer("global", 64), dram()]).unwrap().unwrap();
        let (operations, sum_bits) = (std::slice::from_ref(&operation), accelerator.partial_sum_bits);
        let transfer = LinkTransfer::default();
        let tensors = Tensors::new(operations, &words(operations, 16), sum_bits, 1, transfer, system.burst_bytes()).unwrap();
        let mut timing = Timing::analytic(&system, accelerator.clock_mhz).unwrap();
        let mut time = |runs: &[(Run, bool)]| {
            let mut transfers = Vec::new();
            for (run, is_write) in runs {
                tensors.bursts(0, run, |bursts| transfers.push(Transfer { bursts, is_write: *is_write }));
            }
            timing.pass(0.0, &transfers, system.burst_bytes()).unwrap().end
        };
        let steps: Vec<_> = execution.layers[0].plan.steps().collect();
        let loads: Vec<Vec<_>> = steps.iter().map(|step| step.loads().map(|run| (run, false)).collect()).collect();
        let stores: Vec<Vec<_>> = steps.iter().map(|step| step.stores().map(|run| (run, true)).collect()).collect();
        let mapping = Mapping::Stationary(array.dataflow);
        let computed = |index: usize| {
            let counts = accelerator.array.count(mapping, &steps[index].gemm).unwrap();
            counts.phases.total().unwrap() as f64
        };
        let last = steps.len() - 1;
        let expected: f64 = if single {
            (0..=last).map(|index| time(&loads[index]) + computed(index) + time(&stores[index])).sum()
        } else {
            let mut sum = time(&loads[0]) + time(&stores[last]);
            for index in 0..=last {
                let before = if index > 0 { &stores[index - 1][..] } else { &[] };
                let next = if index < last { &loads[index + 1][..] } else { &[] };
                sum += computed(index).max(time(&[before, next].concat()));
            }
            sum
        };
        let total = execution.trace.layers[0].cycles.total().unwrap() as f64;
        prop_assert!((total - expected).abs() < 1.0 + 1e-9 * expected, "{} {}", total, expected);
    }

    #[test]
    fn more_buffer_never_moves_more_and_fewer_bits_fewer_bytes(
        operation in any_convolution(), array in any_array(), rows in 8u64..60, more in 1u64..60
    ) {
        let mut accelerator = eyeriss(Buffering::Double, array.dataflow);
        (accelerator.array, accelerator.partial_sum_bits) = (array, 8);
        let Some(small) = alone(&operation, &accelerator, 8, 64 * rows) else { return Ok(()) };
        let large = alone(&operation, &accelerator, 8, 64 * (rows + more)).unwrap();
        prop_assert!(dram_words(&large) <= dram_words(&small));
        // Half the bits per word, in the same tiles.
        accelerator.tilings = [("conv".to_owned(), small.layers[0].plan.tiling)].into();
        let whole = alone(&operation, &accelerator, 8, 64 * rows).unwrap();
        let half = alone(&operation, &accelerator, 4, 64 * rows).unwrap();
        let runs: u64 = whole.layers[0].plan.steps().map(|step| (step.loads().count() + step.stores().count()) as u64).sum();
        let bursts = |execution: &Execution| -> u64 {
            let movements = execution.trace.layers[0].movements.iter().filter(|m| m.memory == 1);
            movements.map(|m| m.bursts_read + m.bursts_written).sum()
        };
        prop_assert!(bursts(&half) <= bursts(&whole).div_ceil(2) + runs, "{} {}", bursts(&half), bursts(&whole));
    }

    #[test]
    fn a_slower_refresh_never_costs_time(operation in any_convolution(), array in any_array(), factor in 1.0f64..100.0) {
        let mut accelerator = eyeriss(Buffering::Double, array.dataflow);
        accelerator.array = array;
        let operations = [operation];
        let words = words(&operations, 16);
        let cycles = |interval_ms: f64| {
            let mut memories = [buffer("global", 108 * 1024), dram()];
            if let Technology::Dram(parameters) = &mut memories[1].technology {
                parameters.error.refresh_interval_ms = ByBit::from(interval_ms);
            }
            let transfer = LinkTransfer::default();
            let task = Task { operations: &operations, words: &words, accelerator: &accelerator, memories: &memories, transfer };
            run(&task).unwrap().trace.cycles().unwrap()
        };
        prop_assert!(cycles(64.0 * factor) <= cycles(64.0));
    }
}

#[test]
fn without_dram_nothing_leaves_the_chip() {
    let operations = lowered("models/lenet5/lenet5.prototxt", &Fuse::All);
    let mut accelerator = eyeriss(Buffering::Double, Dataflow::OutputStationary);
    accelerator.dram = None;
    let execution = execute(&operations, &accelerator, 16);
    let movements = || execution.trace.layers.iter().flat_map(|layer| &layer.movements);
    assert!(movements().all(|movement| movement.memory == 0 && movement.activations == 0));
    assert!(execution.trace.layers.iter().all(|layer| layer.cycles.stall == 0));
    let words = words(&operations, 16);
    let memories = [buffer("global", 64 * 1024), dram()];
    let transfer = LinkTransfer::default();
    let task = Task {
        operations: &operations,
        words: &words,
        accelerator: &accelerator,
        memories: &memories,
        transfer,
    };
    let error = run(&task).unwrap_err().to_string();
    assert!(error.contains("without DRAM") && error.contains("lacks"), "{error}");
}

#[test]
fn what_cannot_run_is_refused_by_name() {
    let operations = lowered("models/vgg16/vgg16.prototxt", &Fuse::All);
    let words = words(&operations, 16);
    let accelerator = eyeriss(Buffering::Double, Dataflow::WeightStationary);
    let refused = |memories: &[Memory]| {
        let transfer = LinkTransfer::default();
        run(&Task { operations: &operations, words: &words, accelerator: &accelerator, memories, transfer })
            .unwrap_err()
            .to_string()
    };
    let tiny = refused(&[buffer("global", 64), dram()]);
    assert!(tiny.contains("layer `conv1_1`") && tiny.contains("of 64 bytes is too small"), "{tiny}");
    let endless = memory("global", Technology::Uniform(uniform::Parameters::from(0.0)), None);
    assert!(refused(&[endless, dram()]).contains("needs a capacity"));
    assert!(
        refused(&[buffer("global", 1 << 20), buffer("dram", 1 << 20)])
            .contains("memory `dram` is the accelerator's DRAM")
    );
}

#[test]
fn one_row_of_a_tile_is_enough_for_vgg_and_counts_do_not_wrap() {
    let operations = lowered("models/vgg16/vgg16.prototxt", &Fuse::None);
    let words = words(&operations, 16);
    let accelerator = eyeriss(Buffering::Single, Dataflow::WeightStationary);
    let memories = [buffer("global", 4096), dram()];
    let transfer = LinkTransfer::default();
    let task = Task {
        operations: &operations,
        words: &words,
        accelerator: &accelerator,
        memories: &memories,
        transfer,
    };
    let execution = run(&task).unwrap();
    let macs: u64 = execution.layers.iter().map(|layer| layer.counts.macs).sum();
    assert_eq!(macs, 15_470_264_320);
    for (layer, trace) in execution.layers.iter().zip(&execution.trace.layers) {
        assert!(layer.plan.traffic.words() >= layer.plan.compulsory.words(), "{}", trace.name);
    }
}

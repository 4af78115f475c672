//! What valid configurations of an accelerator come to.

use super::super::sample::{Folder, network};
use crate::accelerator::array::{Array, Dataflow, FoldOverlap, FullyConnected};
use crate::accelerator::design::{Buffer, Buffers, DramSystem};
use crate::accelerator::lowering::Fuse;
use crate::accelerator::operation::{Extent, Kind, Operation, Window};
use crate::accelerator::tiling::{Buffering, Objective, Order, Tiling};
use crate::accelerator::trace::Fidelity;
use crate::experiment::{Machine, Stop};

/// A valid configuration; line numbers of the message tests refer to it.
pub(super) const TEXT: &str = r#"[accelerator]
clock_mhz = 200
rows = 12
columns = 14
dataflow = "output_stationary"
fuse = ["pool*"]
[accelerator.tilings]
"conv1/5x5" = { images = 1, rows = 8, filters = 3, channels = 1, order = "row_filter_channel" }
[accelerator.buffers]
ifmap = "global_buffer"
filter = "global_buffer"
ofmap = "global_buffer"
[accelerator.dram]
memory = "dram"
address_map = "rochrabacobg"
[accelerator.energy]
preset = "horowitz.45nm"
[trace]
file = "images.gz"
[memories.global_buffer]
technology = "sram"
capacity_bytes = 110592
[memories.global_buffer.error]
preset = "sram.45nm.dpcs15"
direction = "flip"
spatial = "iid"
v = 0.9
[memories.global_buffer.energy]
preset = "cacti7.45nm.hp"
rail = "array_only"
[memories.dram]
technology = "dram"
[memories.dram.error]
preset = "dram.flikker48"
refresh_interval_ms = 64
cell_layout = "half"
[memories.dram.energy]
preset = "ddr4_2400_8gb_x8"
[memories.old_dram]
technology = "dram"
[memories.old_dram.error]
preset = "dram.flikker48"
refresh_interval_ms = 64
cell_layout = "half"
access_refreshes = false
[memories.scratch]
technology = "uniform"
ber = 0
[memories.plain]
technology = "uniform"
ber = 0
capacity_bytes = 4096
[network]
definition = "net.prototxt"
weights = "net.caffemodel"
[dataset]
kind = "mnist"
images = "images.gz"
labels = "labels.gz"
scale = 0.00390625
[formats]
"weight_*" = { kind = "fixed", bits = 16 }
[link.bits]
"weight_fc1" = 5
[placement]
"weight_*" = ["dram", "global_buffer"]
"#;

const TILING: Tiling = Tiling { images: 1, rows: 8, filters: 3, channels: 1, order: Order::RowFilterChannel };

/// What the sample with one text replaced by another comes to; nothing is run on it.
fn machine(replaced: &str, replacement: &str) -> Machine {
    assert!(TEXT.contains(replaced), "{replaced}");
    let folder = Folder::new();
    let document = folder.parse(&TEXT.replacen(replaced, replacement, 1)).unwrap();
    document.machine(&network()).unwrap_or_else(|problems| panic!("{problems}")).machine
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let accelerator = machine("", "").accelerator;
    assert_eq!(
        accelerator.array,
        Array {
            rows: 12,
            columns: 14,
            dataflow: Dataflow::OutputStationary,
            fold_overlap: FoldOverlap::None,
            fully_connected: FullyConnected::Array,
        }
    );
    assert_eq!((accelerator.clock_mhz, accelerator.elementwise_lanes, accelerator.batch), (200.0, 14, 1));
    assert_eq!((accelerator.partial_sum_bits, accelerator.keep_on_chip), (32, false));
    assert_eq!(accelerator.buffering, Buffering::Double);
    assert_eq!(accelerator.objective, Objective::LeastTraffic);
    assert_eq!(accelerator.fidelity, Fidelity::Analytic);
    assert_eq!(accelerator.fuse, Fuse::Layers(["pool1".to_owned()].into()));
    assert_eq!(accelerator.tilings, [("conv1/5x5".to_owned(), TILING)].into());
    let shared = Buffer { memory: 0, port_bits: 64 };
    assert_eq!(accelerator.buffers, Buffers { ifmap: shared, filter: shared, ofmap: shared, ports: 1 });
    assert_eq!(accelerator.buffers.memories(), [0]);
    let address_map = "rochrabacobg".parse().unwrap();
    let dram = DramSystem { memory: 1, address_map, channels: 1, ranks: 1, queue_depth: 32 };
    assert_eq!(accelerator.dram, Some(dram));
    let energy = accelerator.energy.unwrap();
    assert_eq!(
        (energy.preset.as_str(), energy.int32_mult_pj, energy.fp32_add_pj),
        ("horowitz.45nm", 3.1, 0.9)
    );
    let plain = machine("fuse = [\"pool*\"]\n", "").accelerator;
    assert_eq!(plain.fuse, Fuse::All);
}

#[test]
fn everything_can_be_said() {
    let settings = "fold_overlap = \"pipelined\"\nfully_connected = \"vector\"\nelementwise_lanes = 7\nbatch = 4\n\
                    partial_sum_bits = 24\nbuffering = \"single\"\nfuse = false\nkeep_on_chip = true\n\
                    tiling = \"least_cycles\"\nfidelity = \"replay\"\ndram = \"none\"\n";
    let without_dram =
        TEXT.replace("[accelerator.dram]\nmemory = \"dram\"\naddress_map = \"rochrabacobg\"\n", "");
    let text = without_dram
        .replace("fuse = [\"pool*\"]\n", settings)
        .replace("filter = \"global_buffer\"", "filter = \"plain\"\nports = 2\nport_bits = 128")
        .replace("preset = \"horowitz.45nm\"", "preset = \"horowitz.45nm\"\nint32_add_pj = 0.2");
    let folder = Folder::new();
    let resolved = folder.parse(&text).unwrap().machine(&network());
    let accelerator = resolved.unwrap_or_else(|problems| panic!("{problems}")).machine.accelerator;
    assert_eq!(accelerator.array.fold_overlap, FoldOverlap::Pipelined);
    assert_eq!(accelerator.array.fully_connected, FullyConnected::Vector);
    assert_eq!((accelerator.elementwise_lanes, accelerator.batch, accelerator.partial_sum_bits), (7, 4, 24));
    assert_eq!((accelerator.buffering, accelerator.fuse), (Buffering::Single, Fuse::None));
    assert_eq!((accelerator.objective, accelerator.fidelity), (Objective::LeastCycles, Fidelity::Replay));
    assert!(accelerator.keep_on_chip && accelerator.dram.is_none());
    let [global, plain] = [0, 4].map(|memory| Buffer { memory, port_bits: 128 });
    assert_eq!(accelerator.buffers, Buffers { ifmap: global, filter: plain, ofmap: global, ports: 2 });
    assert_eq!(accelerator.buffers.memories(), [0, 4]);
    assert_eq!(accelerator.energy.unwrap().int32_add_pj, 0.2);
}

#[test]
fn an_experiment_needs_neither_accelerator_nor_trace() {
    assert_eq!(machine("", "").trace.unwrap().typed, "images.gz");
    let folder = Folder::new();
    let from = TEXT.find("[memories.global_buffer]").unwrap();
    let experiment = folder.resolve(&TEXT[from..], &[]).unwrap().experiment;
    assert_eq!((experiment.accelerator, experiment.trace), (None, None));
    let computed = TEXT.replace("[trace]\nfile = \"images.gz\"\n", "");
    let experiment =
        folder.resolve(&computed, &[]).unwrap_or_else(|problems| panic!("{problems}")).experiment;
    assert_eq!(experiment.accelerator, Some(machine("", "").accelerator));
}

#[test]
fn a_trace_needs_neither_weights_nor_data_set() {
    let folder = Folder::new();
    let text = TEXT
        .replace("net.caffemodel", "gone.caffemodel")
        .replace("images = \"images.gz\"", "images = \"gone.gz\"");
    let document = folder.parse(&text).unwrap();
    assert!(document.resolve(&network()).is_err(), "an experiment needs both");
    assert_eq!(document.network_definition().unwrap().typed, "net.prototxt");
    let traced = document.machine(&network()).unwrap_or_else(|problems| panic!("{problems}")).machine;
    let fc1 = traced.subsets.iter().find(|stored| stored.subset.name == "weight_fc1").unwrap();
    assert_eq!((fc1.format.bits(), fc1.link_bits), (16, 5));
    assert_eq!(fc1.path, [Stop::Memory(1), Stop::Link, Stop::Memory(0)]);
    assert_eq!(traced.memories.len(), 5);
    assert_eq!(traced.accelerator, machine("", "").accelerator);
    let from = TEXT.find("[memories.global_buffer]").unwrap();
    let problems = folder.parse(&TEXT[from..]).unwrap().machine(&network()).unwrap_err();
    assert_eq!(
        folder.without_folder(&problems),
        "c.toml:1:1: missing table [accelerator]\n    help: a layer trace needs array, buffers and off-chip memory"
    );
}

#[test]
fn layers_of_another_tool_have_data_subsets_of_the_same_names() {
    let operation = |name: &str, kind| Operation {
        name: name.into(),
        kind,
        input: Extent::new(3, 8, 8),
        output: Extent::new(6, 6, 6),
        window: Window { kernel: [3; 2], ..Window::POINT },
        groups: 1,
        has_bias: false,
        followers: Vec::new(),
        sources: Vec::new(),
        added: Vec::new(),
    };
    let mut operations = vec![operation("fc1", Kind::Convolution), operation("b", Kind::Convolution)];
    let tiling = "b = { images = 1, rows = 8, filters = 3, channels = 1, order = \"row_filter_channel\" }\n";
    let text = TEXT.replace("[accelerator.tilings]\n", &format!("[accelerator.tilings]\n{tiling}"));
    let text = text.replace("[placement]\n", "[placement]\n\"bias_*\" = [\"dram\", \"global_buffer\"]\n");
    let text = text.replace("definition = \"net.prototxt\"", "definition = \"gone\"");
    let folder = Folder::new();
    let document = folder.parse(&text).unwrap();
    let resolved = document.machine_of_operations(&operations);
    let resolved = resolved.unwrap_or_else(|problems| panic!("{problems}"));
    let machine = resolved.machine;
    let words: Vec<_> = (machine.subsets.iter())
        .map(|stored| {
            (stored.subset.name.as_str(), stored.subset.words, stored.format.bits(), stored.link_bits)
        })
        .collect();
    let expected = [
        ("neuron_fc1", 192, 32, 32),
        ("weight_fc1", 162, 16, 5),
        ("neuron_b", 192, 32, 32),
        ("weight_b", 162, 16, 16),
    ];
    assert_eq!(words, expected);
    assert_eq!(machine.accelerator.tilings.keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(machine.accelerator.fuse, Fuse::Layers([].into()));
    let warnings = folder.without_folder(&resolved.warnings);
    for doubt in [
        "c.toml:6:9: `accelerator.fuse`: pattern \"pool*\" matches no pooling, normalisation or element-wise layer",
        "c.toml:9:1: [accelerator.tilings]: there is no layer `\"conv1/5x5\"` to compute",
        "pattern \"bias_*\" in [placement] matches no data subset",
    ] {
        assert!(warnings.contains(doubt), "{warnings}");
    }
    operations[1].input.channels = u64::MAX;
    let problems = document.machine_of_operations(&operations).unwrap_err();
    assert_eq!(folder.without_folder(&problems), "c.toml:1:1: layer `b` has more than 2^64 words");
}

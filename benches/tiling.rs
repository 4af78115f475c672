//! The search for tilings of AlexNet and VGG-16 under the three dataflows of SCALE-Sim's arrays, and the walk over their
//! steps.
//!
//! `cargo bench --bench tiling`; with `-- --test` every figure once.

use approxmem::accelerator::array::Gemm;
use approxmem::accelerator::lowering::{Fuse, operations};
use approxmem::accelerator::operation::Operation;
use approxmem::accelerator::tiling::{
    Buffer, Buffering, Buffers, Objective, Plan, Problem, Residents, Widths,
};
use approxmem::config::Document;
use approxmem::network::read_definition;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;

const WIDTHS: Widths =
    Widths { ifmap_bits: 16, filter_bits: 16, bias_bits: 16, ofmap_bits: 16, partial_sum_bits: 32 };

/// Cycles on 32 rows and 32 columns: output, weight and input stationary.
const DATAFLOWS: [fn(&Gemm) -> Option<u64>; 3] = [
    |gemm| folds(gemm.pixels, gemm.filters).checked_mul(gemm.window + 62),
    |gemm| folds(gemm.window, gemm.filters).checked_mul(gemm.pixels + 94),
    |gemm| folds(gemm.window, gemm.pixels).checked_mul(gemm.filters + 94),
];

fn folds(rows: u64, columns: u64) -> u64 {
    rows.div_ceil(32) * columns.div_ceil(32)
}

fn layers(network: &str) -> Vec<Operation> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(network);
    let network = read_definition(&path).expect("the definition is part of the repository");
    operations(&network, &Fuse::All).expect("a published network can be lowered")
}

fn buffers(capacity_bytes: u64, indices: [usize; 3]) -> Buffers {
    let [ifmap, filter, ofmap] = indices;
    Buffers {
        buffers: vec![Buffer { capacity_bytes }; 3],
        ifmap,
        filter,
        ofmap,
        buffering: Buffering::Double,
    }
}

fn plans(layers: &[Operation], buffers: &Buffers, cycles: fn(&Gemm) -> Option<u64>) -> Vec<Plan> {
    let plan = |operation| {
        let problem =
            Problem { operation, widths: WIDTHS, buffers, residents: Residents::default(), batch: 1 };
        problem.search(Objective::LeastTraffic, &cycles).expect("the buffers hold more than a row")
    };
    layers.iter().map(plan).collect()
}

fn search(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("search, three dataflows");
    group.sample_size(10);
    for (name, path) in
        [("AlexNet", "models/alexnet/alexnet.prototxt"), ("VGG-16", "models/vgg16/vgg16.prototxt")]
    {
        let layers = layers(path);
        for kibibytes in [36, 108, 1024] {
            for (kind, indices) in [("separate", [0, 1, 2]), ("shared", [0, 0, 0])] {
                let buffers = buffers(kibibytes << 10, indices);
                let label = format!("{kibibytes} KiB {kind}");
                group.bench_function(BenchmarkId::new(name, label), |bencher| {
                    bencher
                        .iter(|| DATAFLOWS.map(|cycles| black_box(plans(&layers, &buffers, cycles)).len()));
                });
            }
        }
    }
    group.finish();
}

fn walk(criterion: &mut Criterion) {
    let layers = layers("models/vgg16/vgg16.prototxt");
    let plans = plans(&layers, &buffers(108 << 10, [0, 0, 0]), DATAFLOWS[0]);
    let words = |plan: &Plan| {
        let steps =
            plan.steps().map(|step| step.loads().chain(step.stores()).map(|run| run.words).sum::<u64>());
        steps.sum::<u64>()
    };
    for plan in &plans {
        assert_eq!(Some(words(plan)), plan.traffic.words());
    }
    criterion.bench_function("walk, VGG-16, 108 KiB shared", |bencher| {
        bencher.iter(|| plans.iter().map(words).sum::<u64>());
    });
}

/// The whole analytic trace of each shipped configuration: tiles, array, buffers, DRAM.
fn trace(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("analytic trace");
    for name in ["alexnet-eyeriss", "alexnet-systolic32", "vgg16-eyeriss", "vgg16-systolic32"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("configs/{name}.toml"));
        let document = Document::read(&path).expect("the configuration is part of the repository");
        let definition = document.network_definition().expect("it names its network");
        let network = read_definition(&definition.path).expect("the definition is part of the repository");
        let machine = document.machine(&network).expect("a shipped configuration is valid").machine;
        let operations = operations(&network, &machine.accelerator.fuse).expect("the network can be lowered");
        group.bench_function(name, |bencher| {
            bencher.iter(|| machine.clone().start(black_box(operations.clone()), None).is_ok());
        });
    }
    group.finish();
}

criterion_group!(benches, search, walk, trace);
criterion_main!(benches);

//! Bursts per second of the DRAM replay, and the time of one closed form.

use approxmem::accelerator::dram::{Direction, Pattern, Replay, Stream, System, closed_form};
use approxmem::memory::energy::dram::Device;
use approxmem::memory::preset;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

fn system(address_map: &str) -> System {
    let name = "ddr4_2400_8gb_x8";
    let preset = preset::find(name).expect("an embedded preset");
    let device = Device::from_constants(name, &|key| preset.constant(key).map(|known| &known.value))
        .expect("a complete preset");
    System::new(device, address_map.parse().expect("a map"), 1, 2, 32).expect("a system")
}

fn dram(criterion: &mut Criterion) {
    const BURSTS: u64 = 200_000;
    let streams = [
        ("sequential_read", Pattern::Sequential, Direction::Read, "rochrabacobg"),
        ("sequential_write", Pattern::Sequential, Direction::Write, "rochrabacobg"),
        ("one_bank_group", Pattern::Sequential, Direction::Read, "rochrababgco"),
        ("random_read", Pattern::Random, Direction::Read, "rochrabacobg"),
        ("mixed", Pattern::Sequential, Direction::Mixed, "rochrabacobg"),
    ];
    let mut group = criterion.benchmark_group("dram_replay");
    group.throughput(Throughput::Elements(BURSTS)).sample_size(10);
    for (name, pattern, direction, map) in streams {
        let (system, stream) = (system(map), Stream { pattern, direction, bytes: 64 * BURSTS });
        group.bench_function(name, |bencher| bencher.iter(|| Replay::run(&system, black_box(&stream))));
    }
    group.finish();
    let stream = Stream { pattern: Pattern::Sequential, direction: Direction::Read, bytes: 243_860_928 };
    let system = system("rochrabacobg");
    criterion.bench_function("dram_closed_form", |bencher| {
        bencher.iter(|| closed_form(&system, black_box(&stream)));
    });
}

criterion_group!(benches, dram);
criterion_main!(benches);

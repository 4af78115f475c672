//! Fault injection: drawing maps, striking words, per-image draws of neurons, and the gap/mask crossover.
//!
//! The yardstick of the large maps is a copy of the tensor that they strike, timed in the same run.

use approxmem::fault::{
    Draw, FaultMap, Journal, MapKey, MemoryStop, Path, Redraw, Stop, StoredImage, StrikeBuffers,
};
use approxmem::memory::cells::{Axis, Failure, Lines, Polarity};
use approxmem::memory::residency::Residency;
use approxmem::memory::{Geometry, Lifetime};
use approxmem::number::{Codec, Format, Range};
use approxmem::random::{Geometric, Key, Label, Masks, Probability};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;

const LENET_WORDS: usize = 44_190;
const ALEXNET_WORDS: usize = 61_000_000;

fn probability(p: f64) -> Probability {
    Probability::new(p).expect("a bench asks for probabilities in 0..=1")
}

fn residency(words: usize, word_bits: u32) -> Residency {
    Residency { memory: 0, first_cell: 0, word_bits, words: words as u64 }
}

fn fp32_path(words: usize, rate: f64, lifetime: Lifetime) -> Path {
    let codec = Codec::new(&Format::Fp32, &[Range { max_abs: 1.0 }], words).expect("fp32 is a format");
    let stop =
        Stop::Memory(MemoryStop::uniform("dram", residency(words, 32), probability(rate), 0, lifetime));
    Path::new(codec.clone(), codec, &[stop]).expect("one stop of 32-bit words")
}

fn weights(words: usize) -> Vec<f32> {
    (0..words).map(|index| (index % 1000) as f32 * 1e-3 - 0.5).collect()
}

fn with_one_thread<R: Send>(run: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread can be started");
    pool.install(run)
}

fn large_maps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("alexnet_fp32");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let golden = weights(ALEXNET_WORDS);
    let mut stored = golden.clone();
    group.bench_function("memcpy", |bencher| {
        bencher.iter(|| black_box(&mut stored).copy_from_slice(black_box(&golden)));
    });
    let image = StoredImage::new(residency(ALEXNET_WORDS, 32), 0).expect("61 M words fit");
    for rate in [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1] {
        let mut trial = 0;
        group.bench_function(BenchmarkId::new("draw_cells", rate), |bencher| {
            let mut buffers = approxmem::fault::MapBuffers::default();
            bencher.iter(|| {
                trial += 1;
                let map = FaultMap::new(MapKey::permanent("dram", 1, trial), probability(rate));
                let chunks = (32 * ALEXNET_WORDS as u64).div_ceil(approxmem::fault::CHUNK_CELLS);
                (0..chunks).map(|chunk| map.chunk(chunk, 0..1 << 20, &mut buffers).len()).sum::<usize>()
            });
        });
        if rate <= 1e-3 {
            group.bench_function(BenchmarkId::new("draw_word_flips", rate), |bencher| {
                with_one_thread(|| {
                    bencher.iter(|| {
                        trial += 1;
                        let map = FaultMap::new(MapKey::permanent("dram", 1, trial), probability(rate));
                        image.word_flips(&map)
                    });
                });
            });
        }
        let path = fp32_path(ALEXNET_WORDS, rate, Lifetime::Permanent);
        let mut buffers = StrikeBuffers::default();
        group.bench_function(BenchmarkId::new("strike_in_place", rate), |bencher| {
            bencher.iter(|| {
                trial += 1;
                let draw = Draw { seed: 1, trial, redraw: Redraw::Trial };
                path.strike(
                    &draw,
                    None,
                    &mut buffers,
                    &mut [0],
                    |word| golden[word],
                    |word, value| stored[word] = value,
                );
            });
        });
    }
    group.finish();
}

/// 1.95 Gbit at 1e-4 in memories of other kinds; compare with `alexnet_fp32/memcpy`.
fn memories(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("alexnet_fp32_memories");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let golden = weights(ALEXNET_WORDS);
    let mut stored = golden.clone();
    group.bench_function("memcpy", |bencher| {
        bencher.iter(|| black_box(&mut stored).copy_from_slice(black_box(&golden)));
    });
    let codec =
        Codec::new(&Format::Fp32, &[Range { max_abs: 1.0 }], ALEXNET_WORDS).expect("fp32 is a format");
    let plain =
        MemoryStop::uniform("dram", residency(ALEXNET_WORDS, 32), probability(1e-4), 0, Lifetime::Permanent);
    let with = |change: &dyn Fn(&mut MemoryStop)| {
        let mut stop = plain.clone();
        change(&mut stop);
        stop
    };
    let buffer = Geometry::new(8 << 20, 16, 8, 64).expect("1 MiB in 16 banks");
    for (name, stop) in [
        ("inverted", plain.clone()),
        ("half_anti_cells", with(&|stop| stop.faults.failure = Failure::Stuck(Polarity::Share(0.5)))),
        ("row_blocks", with(&|stop| stop.faults.failure = Failure::Stuck(Polarity::RowBlocks(512)))),
        ("by_bit", with(&|stop| stop.faults.weak[24..].fill(1e-6))),
        ("interleaved", with(&|stop| stop.geometry.interleave = 4)),
        ("buffer_of_1_mib", with(&|stop| stop.geometry = buffer)),
        (
            "bad_columns",
            with(&|stop| {
                stop.geometry = buffer;
                stop.faults.lines = Lines::Bad { axis: Axis::Column, share: 0.01 };
            }),
        ),
        ("secded_8_msbs", with(&|stop| stop.coded_msbs = 8)),
    ] {
        let path =
            Path::new(codec.clone(), codec.clone(), &[Stop::Memory(stop)]).expect("one stop of 32-bit words");
        let mut buffers = StrikeBuffers::default();
        let mut trial = 0;
        group.bench_function(BenchmarkId::new("map", name), |bencher| {
            bencher.iter(|| {
                trial += 1;
                path.device(1, trial, &mut buffers)
            });
        });
        group.bench_function(BenchmarkId::new("strike_in_place", name), |bencher| {
            bencher.iter(|| {
                trial += 1;
                let draw = Draw { seed: 1, trial, redraw: Redraw::Trial };
                let strike = |word: usize, value| stored[word] = value;
                path.strike(&draw, None, &mut buffers, &mut [0], |word| golden[word], strike);
            });
        });
    }
    group.finish();
}

fn lenet(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lenet_fp32");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let golden = weights(LENET_WORDS);
    for rate in [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1] {
        let path = fp32_path(LENET_WORDS, rate, Lifetime::Permanent);
        let (mut buffers, mut journal, mut stored) =
            (StrikeBuffers::default(), Journal::new(), golden.clone());
        let mut trial = 0;
        group.bench_function(BenchmarkId::new("apply_and_undo", rate), |bencher| {
            bencher.iter(|| {
                trial += 1;
                let draw = Draw { seed: 1, trial, redraw: Redraw::Trial };
                journal
                    .apply(stored.as_mut_slice(), &path, &draw, &mut buffers, &mut [0], |word| golden[word]);
                journal.undo(stored.as_mut_slice());
            });
        });
    }
    group.finish();
}

fn neurons(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("neurons_per_image");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    for (words, rate) in [
        (256, 1e-8),
        (256, 1e-6),
        (256, 1e-5),
        (256, 1e-4),
        (256, 1e-3),
        (4704, 1e-4),
        (4704, 1e-3),
        (4704, 1e-2),
    ] {
        let golden = weights(words);
        let path = fp32_path(words, rate, Lifetime::Transient);
        let mut buffers = StrikeBuffers::default();
        let mut image = 0;
        group.bench_function(BenchmarkId::new(format!("{words}_words"), rate), |bencher| {
            bencher.iter(|| {
                image += 1;
                let draw = Draw { seed: 1, trial: 0, redraw: Redraw::Activation { image, blob: 3 } };
                let mut sum = 0.0;
                path.strike(
                    &draw,
                    None,
                    &mut buffers,
                    &mut [0],
                    |word| golden[word],
                    |_, value| sum += value,
                );
                sum
            });
        });
    }
    group.finish();
}

/// One chunk of cells of a shell, by gaps and by masks: where the lines cross, the shells change their law.
fn crossover(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("crossover");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let cells = 1u32 << 20;
    for shell in 3..9u32 {
        let q = 1.0 / f64::from((1 << (shell + 1)) - 1);
        let key = |chunk: u64| Key::new(Label::new("bench")).with(Label::new("chunk"), chunk);
        let mut chunk = 0;
        let geometric = Geometric::new(probability(q)).expect("q lies inside (0, 1)");
        group.bench_function(BenchmarkId::new("gaps", format!("{q:.4}")), |bencher| {
            bencher.iter_batched_ref(
                || vec![0u64; 1 << 14],
                |bitmap| {
                    chunk += 1;
                    let first = key(chunk).words().at(0);
                    geometric.successes(first, &mut key(chunk).generator(), cells, |block| {
                        for &cell in block {
                            bitmap[(cell / 64) as usize] |= 1 << (cell % 64);
                        }
                    });
                },
                BatchSize::LargeInput,
            );
        });
        let masks = Masks::new(probability(q)).expect("q is below 1");
        group.bench_function(BenchmarkId::new("masks", format!("{q:.4}")), |bencher| {
            bencher.iter_batched_ref(
                || vec![0u64; 1 << 14],
                |bitmap| {
                    chunk += 1;
                    masks.fill(key(chunk).words(), 0, bitmap);
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, neurons, crossover, lenet, large_maps, memories);
criterion_main!(benches);

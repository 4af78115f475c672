//! What this machine can do at most: fused multiply-adds of binary32 in registers, and reading from memory, with one thread
//! and with all. The fractions of peak that `benches/onnxruntime/compare.py` prints refer to it.
//!
//! `cargo bench --bench machine`; with `-- --json` one line of JSON, with `-- --test` hardly any work.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

/// Independent chains of multiply-adds: more than the latency (4 cycles) times the units (2) of any processor today, and no
/// more than AVX2 has registers for.
const CHAINS: usize = 12;

/// Steps of one measurement: less than a millisecond, so that some measurements are not interrupted on a busy machine.
const STEPS: usize = 1 << 17;

/// Bytes that each thread reads in all, larger than its share of any cache, and in one measurement.
const BLOCK: usize = 512 << 20;
const PIECE: usize = 16 << 20;

/// Measurements of multiply-adds; the best counts.
const BURSTS: usize = 2_000;

/// Times that the block is read; the best piece counts.
const SWEEPS: usize = 4;

/// `steps` multiply-adds on each of [`CHAINS`] vectors; returns the number of floating-point operations.
fn multiply_add(steps: usize) -> f64 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has AVX-512F.
            return unsafe { multiply_add_avx512(steps) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has AVX2 and FMA.
            return unsafe { multiply_add_avx2(steps) };
        }
    }
    let mut sums = [1.0_f32; CHAINS];
    let (factor, summand) = (black_box(0.5_f32), black_box(0.25_f32));
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = sum.mul_add(factor, summand);
        }
    }
    black_box(sums);
    (2 * CHAINS * steps) as f64
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn multiply_add_avx512(steps: usize) -> f64 {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_set1_ps};
    let mut sums = [_mm512_set1_ps(1.0); CHAINS];
    let (factor, summand) = (_mm512_set1_ps(black_box(0.5)), _mm512_set1_ps(black_box(0.25)));
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(*sum, factor, summand);
        }
    }
    black_box(sums);
    (2 * 16 * CHAINS * steps) as f64
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn multiply_add_avx2(steps: usize) -> f64 {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps};
    let mut sums = [_mm256_set1_ps(1.0); CHAINS];
    let (factor, summand) = (_mm256_set1_ps(black_box(0.5)), _mm256_set1_ps(black_box(0.25)));
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = _mm256_fmadd_ps(*sum, factor, summand);
        }
    }
    black_box(sums);
    (2 * 8 * CHAINS * steps) as f64
}

/// Reads `words` once; returns the bytes.
fn read(words: &[u64]) -> f64 {
    // Sums of integers may be reordered, so the compiler makes as many chains of them as the memory keeps up with.
    black_box(words.iter().fold(0_u64, |sum, word| sum.wrapping_add(*word)));
    size_of_val(words) as f64
}

/// Starts `threads` threads with a measurement each, which `work` makes; each measurement tells how much it has done. Returns
/// the most that all did together per second in one of `count` measurements that began at the same time.
fn best_rate<W: FnMut(usize) -> f64>(threads: usize, count: usize, work: impl Fn() -> W + Sync) -> f64 {
    let barrier = Barrier::new(threads);
    let member = || {
        let mut work = work();
        let measure = |index| {
            barrier.wait();
            let start = Instant::now();
            (work(index), start.elapsed().as_secs_f64())
        };
        (0..count).map(measure).collect::<Vec<_>>()
    };
    let measured: Vec<_> = thread::scope(|scope| {
        let members: Vec<_> = (0..threads).map(|_| scope.spawn(member)).collect();
        members.into_iter().map(|member| member.join().expect("no thread panics")).collect()
    });
    let together = |index: usize| {
        let done: f64 = measured.iter().map(|member| member[index].0).sum();
        done / measured.iter().map(|member| member[index].1).fold(0.0, f64::max)
    };
    (0..count).map(together).fold(0.0, f64::max)
}

/// Floating-point operations per second.
fn multiply_add_rate(threads: usize, bursts: usize) -> f64 {
    best_rate(threads, bursts, || |_| multiply_add(STEPS))
}

/// Bytes read per second.
fn read_rate(threads: usize, block: usize, sweeps: usize) -> f64 {
    let (words, piece) = (block / 8, PIECE / 8);
    best_rate(threads, sweeps * words / piece, || {
        // Not zero: pages of zeros that were never written share one page of memory.
        let block = vec![1_u64; words];
        move |index| read(&block[index * piece % words..][..piece])
    })
}

fn main() {
    let has = |name: &str| std::env::args().any(|argument| argument == name);
    let (bursts, block, sweeps) = if has("--test") { (1, PIECE, 1) } else { (BURSTS, BLOCK, SWEEPS) };
    let all = thread::available_parallelism().map_or(1, usize::from);
    let counts = if all > 2 { vec![1, 2, all] } else { (1..=all).collect() };
    let mut rows = vec![];
    for threads in counts {
        let gflops = multiply_add_rate(threads, bursts) / 1e9;
        let gigabytes = read_rate(threads, block, sweeps) / 1e9;
        if !has("--json") {
            println!("{threads} threads: {gflops:.1} GFLOP/s fused multiply-add, {gigabytes:.1} GB/s read");
        }
        rows.push(
            serde_json::json!({ "threads": threads, "gflops": gflops, "read_gbytes_per_s": gigabytes }),
        );
    }
    if has("--json") {
        println!("{}", serde_json::Value::from(rows));
    }
}

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

/// Floating-point numbers in the block that is read: 256 MiB, more than any cache.
const BLOCK: usize = 64 << 20;

/// Times that everything is measured; the best counts.
const REPETITIONS: usize = 7;

/// What the threads did together.
#[derive(Clone, Copy)]
enum Work {
    /// Steps of [`CHAINS`] vectors.
    MultiplyAdd { steps: usize },
    /// Floating-point numbers that each thread reads.
    Read { block: usize },
}

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

/// Reads `block` once; returns the bytes.
fn read(block: &[u64]) -> f64 {
    // Sums of integers may be reordered, so the compiler makes as many chains of them as the memory keeps up with.
    black_box(block.iter().fold(0_u64, |sum, word| sum.wrapping_add(*word)));
    size_of_val(block) as f64
}

/// What `threads` threads reach together, per second.
fn rate(threads: usize, work: Work, repetitions: usize) -> f64 {
    let barrier = Barrier::new(threads);
    let member = || {
        let block = match work {
            // Not zero: pages of zeros that were never written share one page of memory.
            Work::Read { block } => vec![1_u64; block / 2],
            Work::MultiplyAdd { .. } => vec![],
        };
        let mut best = 0.0_f64;
        for _ in 0..=repetitions {
            barrier.wait();
            let start = Instant::now();
            let done = match work {
                Work::MultiplyAdd { steps } => multiply_add(steps),
                Work::Read { .. } => read(&block),
            };
            // Nobody is done before all are: otherwise the last would have the machine for itself.
            barrier.wait();
            best = best.max(done / start.elapsed().as_secs_f64());
        }
        best
    };
    thread::scope(|scope| {
        let members: Vec<_> = (0..threads).map(|_| scope.spawn(member)).collect();
        members.into_iter().map(|member| member.join().expect("no thread panics")).sum()
    })
}

fn main() {
    let has = |name: &str| std::env::args().any(|argument| argument == name);
    let (steps, block, repetitions) =
        if has("--test") { (1 << 10, 1 << 16, 1) } else { (1 << 23, BLOCK, REPETITIONS) };
    let all = thread::available_parallelism().map_or(1, usize::from);
    let counts = if all > 2 { vec![1, 2, all] } else { (1..=all).collect() };
    let mut rows = vec![];
    for threads in counts {
        let gflops = rate(threads, Work::MultiplyAdd { steps }, repetitions) / 1e9;
        let gigabytes = rate(threads, Work::Read { block }, repetitions) / 1e9;
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

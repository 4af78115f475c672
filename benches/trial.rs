//! Speed of a whole trial: inject, evaluate 10,000 images, undo. LeNet-5 of `configs/lenet5.toml`, on one thread.
//!
//! With the argument `--rounds` no criterion runs: one trial at a bit error rate of 1e-3 without protected MSBs is run for
//! each line on standard input, and each time the seconds are printed. `benches/onnxruntime/compare.py` measures side by
//! side with it.

use approxmem::campaign::Campaign;
use approxmem::config::Document;
use approxmem::experiment::{Experiment, Prepared};
use approxmem::memory::Technology;
use approxmem::network;
use criterion::{BenchmarkId, Criterion};
use rayon::ThreadPoolBuilder;
use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

/// What is placed in the faulty memory.
#[derive(Clone, Copy)]
enum Placed {
    Weights,
    Neurons,
}

fn prepare(placed: Placed) -> Result<(Experiment, Prepared), Box<dyn Error>> {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/lenet5.toml");
    let mut document = Document::read(&config)?;
    document.set("memories.dram.protected_msbs=0")?;
    if let Placed::Neurons = placed {
        document.set("placement={\"neuron_*\"=[\"dram\"]}")?;
        document.set("formats={\"neuron_*\"={kind=\"fixed\",bits=16}}")?;
    }
    let source = document.network_source()?;
    let mut network = network::read_definition(source.definition.as_ref())?;
    if let Some(weights) = &source.weights {
        network::load_weights(&mut network, weights.as_ref())?;
    }
    let experiment = document.resolve(&network)?.experiment;
    let prepared = Prepared::new(network, &experiment)?;
    Ok((experiment, prepared))
}

fn set_rate(experiment: &mut Experiment, rate: f64) {
    for memory in &mut experiment.memories {
        memory.technology = Technology::Uniform(rate.into());
    }
}

fn criterion(settings: &mut Criterion) -> Result<(), Box<dyn Error>> {
    for (name, placed) in [("trial/weights", Placed::Weights), ("trial/neurons", Placed::Neurons)] {
        let (mut experiment, prepared) = prepare(placed)?;
        let mut group = settings.benchmark_group(name);
        group.sample_size(10);
        for rate in [1e-6, 1e-5, 1e-4, 1e-3, 1e-2] {
            set_rate(&mut experiment, rate);
            let mut campaign = Campaign::new(&experiment, &prepared)?;
            let mut index = 0;
            group.bench_function(BenchmarkId::from_parameter(format!("{rate:e}")), |bencher| {
                bencher.iter(|| {
                    index += 1;
                    black_box(campaign.trial(index).expect("the trial can be run"))
                });
            });
        }
        group.finish();
    }
    Ok(())
}

fn rounds() -> Result<(), Box<dyn Error>> {
    let (experiment, prepared) = prepare(Placed::Weights)?;
    let mut campaign = Campaign::new(&experiment, &prepared)?;
    for (index, line) in std::io::stdin().lock().lines().enumerate() {
        line?;
        let start = Instant::now();
        black_box(campaign.trial(index as u64)?);
        println!("{}", start.elapsed().as_secs_f64());
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    ThreadPoolBuilder::new().num_threads(1).build_global()?;
    if std::env::args().any(|argument| argument == "--rounds") {
        return rounds();
    }
    let mut settings = Criterion::default().configure_from_args();
    criterion(&mut settings)?;
    settings.final_summary();
    Ok(())
}

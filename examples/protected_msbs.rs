//! How many most significant bits must sit in precise cells? Typed fields instead of TOML: one prepared network, several
//! designs, the same faults.
//!
//! `cargo run --release --example protected_msbs`

use approxmem::campaign::{self, Summary};
use approxmem::config::Document;
use approxmem::experiment::Prepared;
use approxmem::network;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/lenet5.toml");
    let document = Document::read(&config)?;
    let source = document.network_source()?;
    let mut network = network::read_definition(&source.definition.path)?;
    if let Some(weights) = &source.weights {
        network::load_weights(&mut network, &weights.path)?;
    }
    let mut experiment = document.resolve(&network)?.experiment;
    experiment.trials = 10;
    experiment.images = Some(1000);

    let prepared = Prepared::new(network, &experiment)?;
    println!("protected_msbs  flips_mean_per_trial  rpa_mean_%");
    for protected_msbs in 0..=4 {
        experiment.memories[0].protection.msbs = protected_msbs;
        let outcome = campaign::run(&experiment, &prepared, &|_| {})?;
        let mean = |values: Vec<f64>| Summary::of(&values).map_or(f64::NAN, |summary| summary.mean);
        let flips = mean(outcome.trials.iter().map(|trial| trial.total_flips() as f64).collect());
        let rpa =
            mean(outcome.trials.iter().filter_map(|trial| trial.score.rpa(&outcome.baseline)).collect());
        println!("{protected_msbs:>14}  {flips:>20.1}  {:>10.2}", rpa * 100.0);
    }
    Ok(())
}

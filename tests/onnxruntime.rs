//! Networks as exporters and quantisers write them, against onnxruntime.
//!
//! `.ci/onnxruntime-cases.sh FOLDER` (or `tests/onnxruntime/make_cases.py`) makes them;
//! `APPROXMEM_ONNXRUNTIME_CASES=FOLDER cargo test --test onnxruntime -- --ignored --nocapture` compares.

#![allow(clippy::unwrap_used, reason = "a test fails where its files are not as expected")]

use approxmem::inference::{Activations, Engine, NoHook, Start};
use approxmem::network::{LayerKind, Network, read_definition};
use ndarray::{Array2, Array4};
use std::path::PathBuf;

/// Of the largest value: what an output in single precision may differ by.
const TOLERANCE: f32 = 1e-4;

/// Share of the outputs of a quantised network that may differ: sums are rounded in another order, and what then lies on
/// the other side of a tie differs by a code, in that layer and in those behind it.
const TIPPED: f64 = 0.02;

/// Codes by which such an output may differ.
const STEPS: f32 = 3.0;

fn compute(network: &Network, images: &Activations) -> Vec<f32> {
    let engine = Engine::new(network).unwrap();
    let weights = engine.pack(network).unwrap();
    let start = Start::new(network.input(), images);
    engine.forward(&weights, &start, &[network.output()], &NoHook).unwrap()[0].to_images()
}

/// The scale of the network's output, where it is quantised.
fn step(network: &Network) -> Option<f32> {
    match network.layers.last()?.kind {
        LayerKind::Quantise(quantiser) => Some(quantiser.scale()),
        _ => None,
    }
}

#[test]
#[ignore = "needs APPROXMEM_ONNXRUNTIME_CASES"]
fn outputs_are_those_of_onnxruntime() {
    let folder = std::env::var_os("APPROXMEM_ONNXRUNTIME_CASES")
        .expect("APPROXMEM_ONNXRUNTIME_CASES names the folder that tests/onnxruntime/make_cases.py filled");
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let mut failed = Vec::new();
    for case in &cases {
        let name = case.file_name().unwrap().to_string_lossy();
        let network = match read_definition(&case.join("model.onnx")) {
            Ok(network) => network,
            Err(error) => {
                failed.push(error.to_string());
                continue;
            }
        };
        let input: Array4<f32> = ndarray_npy::read_npy(case.join("input.npy")).unwrap();
        let expected: Array2<f32> = ndarray_npy::read_npy(case.join("output.npy")).unwrap();
        let found = compute(&network, &Activations::from_array(&input.view()));
        assert_eq!(found.len(), expected.len(), "{name}");
        let largest = expected.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
        let differences: Vec<f32> =
            found.iter().zip(&expected).map(|(found, expected)| (found - expected).abs()).collect();
        let tipped = differences.iter().filter(|&&difference| difference > TOLERANCE * largest).count();
        let most = differences.iter().copied().fold(0.0, f32::max);
        let share = tipped as f64 / differences.len() as f64;
        println!("{name}: largest difference {most:e} of {largest}, {tipped} of {} differ", found.len());
        let passed = match step(&network) {
            None => tipped == 0,
            Some(step) => share <= TIPPED && most <= STEPS * step,
        };
        if !passed {
            failed.push(format!("{name}: largest difference {most:e} of {largest}, {tipped} differ"));
        }
    }
    assert!(failed.is_empty() && cases.len() > 40, "{} cases, failed:\n{}", cases.len(), failed.join("\n"));
}

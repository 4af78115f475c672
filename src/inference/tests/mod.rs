//! The engine against references written from the definitions.

mod classes;
mod forward;
mod graphs;
mod kinds;
mod layers;
mod network;
mod plans;
mod reference;

use super::{Activations, Arrangement, Engine, InstructionSet, NoHook, Start};
use crate::network::{BlobId, Network};
use network::values;
use std::fmt;

/// One way to compute that this machine can check.
#[derive(Clone, Copy, Debug)]
struct Variant(InstructionSet, Arrangement);

impl Variant {
    fn engine(self, network: &Network) -> Engine {
        Engine::arranged(network, self.0, self.1).unwrap()
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.0, self.1)
    }
}

/// All ways to compute that this machine can check.
fn variants() -> Vec<Variant> {
    let sets = InstructionSet::ALL.into_iter().filter(|set| set.is_available());
    sets.flat_map(|set| Arrangement::ALL.map(|arrangement| Variant(set, arrangement))).collect()
}

/// An engine of the fastest instruction set for each arrangement.
fn arranged(network: &Network) -> [Engine; 2] {
    Arrangement::ALL.map(|arrangement| Variant(InstructionSet::detect(), arrangement).engine(network))
}

/// Seeded images for a network.
fn images(network: &Network, count: usize) -> Activations {
    let shape = network.blob(network.input()).shape;
    Activations::from_images(shape, count, &values(99, count * shape.elements())).unwrap()
}

/// One blob of a pass from the input.
fn blob(engine: &Engine, network: &Network, images: &Activations, blob: BlobId) -> Activations {
    let weights = engine.pack(network).unwrap();
    engine.forward(&weights, &Start::new(network.input(), images), &[blob], &NoHook).unwrap().remove(0)
}

/// The bits of a blob, image after image.
fn bits(activations: &Activations) -> Vec<u32> {
    activations.to_images().iter().map(|x| x.to_bits()).collect()
}

/// Compares bits and shows the first that differ.
#[track_caller]
fn assert_bits(found: &Activations, expected: &[u32], context: &str) {
    let found = bits(found);
    assert_eq!(found.len(), expected.len(), "{context}");
    if let Some(at) = found.iter().zip(expected).position(|(found, expected)| found != expected) {
        let [found, expected] = [found[at], expected[at]].map(f32::from_bits);
        panic!("{context}: element {at} is {found} instead of {expected}");
    }
}

/// Every blob of the network as the canonical reference computes it, image after image.
fn canonical_blobs(network: &Network, images: &Activations) -> Vec<Vec<u32>> {
    let mut blobs = vec![Vec::new(); network.blobs.len()];
    for image in 0..images.images() {
        let image: Vec<f32> = images.image(image).collect();
        for (blob, values) in blobs.iter_mut().zip(reference::forward::<f32>(network, &image)) {
            blob.extend(values.iter().map(|x| x.to_bits()));
        }
    }
    blobs
}

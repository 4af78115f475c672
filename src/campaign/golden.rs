//! Golden activations: error-free values from which a trial restarts behind the layers that it left untouched.

use crate::inference::{Activations, Start};
use crate::network::{BlobId, LayerId, Network};
use std::collections::{BTreeMap, BTreeSet};

/// Most that golden activations may take, in bytes.
pub const BUDGET_BYTES: usize = 1 << 30;

/// The blobs that layers from `layer` on read and that earlier ones wrote: a pass from `layer` on starts from these.
pub(super) fn cut(network: &Network, layer: LayerId) -> BTreeSet<BlobId> {
    let readers = network.layers_with_ids().filter(|(id, _)| *id >= layer);
    let read = readers.flat_map(|(_, reader)| reader.inputs.iter().copied());
    read.filter(|blob| network.blob(*blob).producer.is_none_or(|producer| producer < layer)).collect()
}

/// Blobs worth keeping for `images` images: those in front of layers with parameters, the deepest layer first (it saves
/// the most work and mostly has the smallest blobs), as far as the budget goes. The network's input is always at hand.
pub(super) fn worth_keeping(network: &Network, images: usize) -> Vec<BlobId> {
    let mut kept = BTreeSet::new();
    let mut bytes = 0;
    let layers: Vec<_> = network.layers_with_ids().filter(|(_, layer)| layer.weight.is_some()).collect();
    for (id, _) in layers.into_iter().rev() {
        let at_hand = |blob: &BlobId| *blob == network.input() || kept.contains(blob);
        let more: Vec<_> = cut(network, id).into_iter().filter(|blob| !at_hand(blob)).collect();
        let size: usize =
            more.iter().map(|blob| network.blob(*blob).shape.elements() * images * size_of::<f32>()).sum();
        if bytes + size > BUDGET_BYTES {
            break;
        }
        bytes += size;
        kept.extend(more);
    }
    kept.into_iter().collect()
}

/// Golden activations by blob.
#[derive(Debug)]
pub(super) struct Golden(pub BTreeMap<BlobId, Activations>);

impl Golden {
    /// The deepest start from which all layers from `first` on are computed: the cut in front of `first`, or of the
    /// nearest layer before it whose cut is kept. The second value is the layer that the pass restarts at. Kept blobs are
    /// what their readers saw: they do not go through the hook again.
    pub fn start<'a>(
        &'a self,
        network: &Network,
        inputs: &'a Activations,
        first: LayerId,
    ) -> (Start<'a>, LayerId) {
        self.start_with(network, inputs, first, Start::with_stored)
    }

    /// [`Self::start`] from blobs that were kept before any hook: they go through it now.
    pub fn hooked_start<'a>(
        &'a self,
        network: &Network,
        inputs: &'a Activations,
        first: LayerId,
    ) -> (Start<'a>, LayerId) {
        self.start_with(network, inputs, first, Start::with)
    }

    fn start_with<'a>(
        &'a self,
        network: &Network,
        inputs: &'a Activations,
        first: LayerId,
        with_kept: impl Fn(Start<'a>, BlobId, &'a Activations) -> Start<'a>,
    ) -> (Start<'a>, LayerId) {
        for layer in (0..=first.0).rev().map(LayerId) {
            let blobs = cut(network, layer);
            let kept = |blob: &BlobId| *blob == network.input() || self.0.contains_key(blob);
            if !blobs.iter().all(kept) {
                continue;
            }
            let start = blobs.iter().fold(Start::default(), |start, blob| {
                if *blob == network.input() {
                    start.with(*blob, inputs)
                } else {
                    with_kept(start, *blob, &self.0[blob])
                }
            });
            return (start, layer);
        }
        (Start::new(network.input(), inputs), LayerId(0))
    }
}

//! Neuron subsets as stored words: every image's activations are encoded, struck and decoded between two layers.

use crate::experiment::Words;
use crate::fault::{DeviceFaults, Draw, Path, Redraw, StrikeBuffers};
use crate::inference::{OperandBlock, OperandHook};
use crate::network::BlobId;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// One stored blob.
#[derive(Debug)]
pub(super) struct StoredBlob {
    /// Its words.
    pub words: Words,
    /// Its way through the memories, if any of them may err.
    pub path: Option<Path>,
    /// Index of the first of its sites; one site per memory stop of the path.
    pub first_site: usize,
}

/// The neuron subsets of an experiment during one pass.
pub(super) struct Neurons<'a> {
    pub blobs: &'a BTreeMap<BlobId, StoredBlob>,
    /// The draw, without the image; `None`: nothing errs.
    pub draw: Option<Draw>,
    /// Permanent faults of the draw's device, by blob.
    pub devices: &'a BTreeMap<BlobId, DeviceFaults>,
    /// Wrong bits delivered, per site.
    pub flips: &'a [AtomicU64],
}

#[derive(Default)]
struct Buffers {
    strike: StrikeBuffers,
    flips: Vec<u64>,
    hits: Vec<(usize, usize, f32)>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

impl OperandHook for Neurons<'_> {
    fn stores(&self, blob: BlobId) -> bool {
        self.blobs.contains_key(&blob)
    }

    fn store(&self, blob: BlobId, first_image: usize, operand: &mut OperandBlock<'_>) {
        let stored = &self.blobs[&blob];
        BUFFERS.with_borrow_mut(|buffers| {
            buffers.hits.clear();
            // Words are struck by the value that was stored, before it is replaced by what its word delivers.
            if let (Some(path), Some(draw)) = (&stored.path, self.draw) {
                self.strike(blob, stored.first_site, path, draw, first_image, operand, buffers);
            }
            if !stored.words.is_identity() {
                // A blob has one scale: the index, which would select a channel's, does not matter.
                operand.change_all(|values| stored.words.deliver_all(0, values));
            }
            for &(element, lane, value) in &buffers.hits {
                operand.set(element, lane, value);
            }
        });
    }
}

impl Neurons<'_> {
    #[expect(clippy::too_many_arguments, reason = "one call site; the parts of a strike do not form a thing")]
    fn strike(
        &self,
        blob: BlobId,
        first_site: usize,
        path: &Path,
        draw: Draw,
        first_image: usize,
        operand: &OperandBlock<'_>,
        buffers: &mut Buffers,
    ) {
        let Buffers { strike, flips, hits } = buffers;
        let device = self.devices.get(&blob);
        flips.clear();
        flips.resize(path.memory_stops(), 0);
        for lane in 0..operand.images() {
            let redraw = Redraw::Activation { image: (first_image + lane) as u64, blob: blob.0 as u64 };
            let golden = |element| operand.get(element, lane);
            path.strike(&Draw { redraw, ..draw }, device, strike, flips, golden, |element, value| {
                hits.push((element, lane, value));
            });
        }
        for (total, &flips) in self.flips[first_site..].iter().zip(flips.iter()) {
            total.fetch_add(flips, Ordering::Relaxed);
        }
    }
}

//! Where the tensors of a network lie in DRAM, and which bursts move their runs of words.

use super::{Error, StoredWord, Words};
use crate::accelerator::operation::{Operation, Source};
use crate::accelerator::tiling::Run;
use crate::accelerator::trace::Operand;
use crate::memory::transfer::{Layout, Transfer};
use std::ops::Range;

/// A tensor in DRAM.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tensor {
    /// Its first burst.
    pub first_burst: u64,
    /// Its words, over a batch.
    pub words: u64,
    /// Its word.
    pub word: StoredWord,
}

/// The tensors that one operation reads and writes.
#[derive(Clone, Debug)]
struct Places {
    /// Its input: tensors with their words per image.
    ifmap: Vec<(Tensor, u64)>,
    added: Vec<(Tensor, u64)>,
    filter: Tensor,
    bias: Tensor,
    ofmap: Tensor,
    sums: Tensor,
}

/// All tensors of a network, one behind the other, each from a burst's start on.
#[derive(Clone, Debug)]
pub struct Tensors {
    transfer: Transfer,
    burst_bits: u64,
    places: Vec<Places>,
    /// Bursts of all tensors.
    pub bursts: u64,
}

/// Takes room for tensors.
struct Allocator {
    transfer: Transfer,
    burst_bits: u64,
    next: u64,
}

impl Allocator {
    fn take(&mut self, words: Option<u64>, word: StoredWord) -> Option<Tensor> {
        let words = words?;
        let tensor = Tensor { first_burst: self.next, words, word };
        let bursts = tensor.bursts(&self.transfer, self.burst_bits)?;
        self.next = self.next.checked_add(bursts)?;
        Some(tensor)
    }
}

impl Tensor {
    /// Bursts of one plane, or of all its words.
    fn part_bursts(&self, transfer: &Transfer, burst_bits: u64) -> Option<u64> {
        let bits = match transfer.layout {
            Layout::Padded => self.word.container_bits,
            Layout::Packed => self.word.bits,
            Layout::Bitplane => 1,
        };
        Some(self.words.checked_mul(u64::from(bits))?.div_ceil(burst_bits))
    }

    fn bursts(&self, transfer: &Transfer, burst_bits: u64) -> Option<u64> {
        // Words at rest keep their containers: the link cuts them on their way.
        let parts = if transfer.layout == Layout::Bitplane { u64::from(self.word.container_bits) } else { 1 };
        let tags = self.words.div_ceil(transfer.block_words).checked_mul(u64::from(transfer.tag_bits))?;
        let parts = parts.checked_mul(self.part_bursts(transfer, burst_bits)?)?;
        parts.checked_add(tags.div_ceil(burst_bits))
    }
}

impl Tensors {
    /// Places for everything that `operations` read and write in batches of `batch` images.
    ///
    /// # Errors
    /// [`Error::Overflow`].
    pub fn new(
        operations: &[Operation],
        words: &[Words],
        partial_sum_bits: u32,
        batch: u64,
        transfer: Transfer,
        burst_bytes: u64,
    ) -> Result<Self, Error> {
        let burst_bits = burst_bytes * 8;
        let mut allocator = Allocator { transfer, burst_bits, next: 0 };
        let mut places: Vec<Places> = Vec::new();
        let mut input = None;
        for (operation, words) in operations.iter().zip(words) {
            let place = place(operation, words, partial_sum_bits, batch, &mut allocator, &mut input, &places);
            places.push(place.ok_or_else(|| Error::overflow(operation, "bytes in DRAM"))?);
        }
        Ok(Self { transfer, burst_bits, places, bursts: allocator.next })
    }

    /// Bursts that move `run` of operation `operation`, in ascending order of each piece.
    pub fn bursts(&self, operation: usize, run: &Run, mut visit: impl FnMut(Range<u64>)) {
        let place = &self.places[operation];
        match run.operand {
            Operand::Filter => self.of_tensor(&place.filter, run.first_word, run.words, &mut visit),
            Operand::Bias => self.of_tensor(&place.bias, run.first_word, run.words, &mut visit),
            Operand::Ofmap => self.of_tensor(&place.ofmap, run.first_word, run.words, &mut visit),
            Operand::PartialSum => self.of_tensor(&place.sums, run.first_word, run.words, &mut visit),
            Operand::Ifmap => self.of_parts(&place.ifmap, run, &mut visit),
            Operand::SecondIfmap => self.of_parts(&place.added, run, &mut visit),
        }
    }

    /// A run over tensors whose images lie one behind the other, part by part.
    fn of_parts(&self, parts: &[(Tensor, u64)], run: &Run, visit: &mut impl FnMut(Range<u64>)) {
        if let [(tensor, _)] = parts {
            return self.of_tensor(tensor, run.first_word, run.words, visit);
        }
        let per_image: u64 = parts.iter().map(|(_, words)| words).sum();
        let (mut first, end) = (run.first_word, run.first_word + run.words);
        while first < end && per_image > 0 {
            let (image, within) = (first / per_image, first % per_image);
            let mut before = 0;
            for (tensor, words) in parts {
                if within < before + words {
                    let offset = within - before;
                    let count = (words - offset).min(end - first);
                    self.of_tensor(tensor, image * words + offset, count, visit);
                    first += count;
                    break;
                }
                before += words;
            }
        }
    }

    fn of_tensor(&self, tensor: &Tensor, first_word: u64, words: u64, visit: &mut impl FnMut(Range<u64>)) {
        let mut cut = |first_burst: u64, first_bit: u64, bits: u64| {
            if bits > 0 {
                let last = first_bit + bits - 1;
                visit(first_burst + first_bit / self.burst_bits..first_burst + last / self.burst_bits + 1);
            }
        };
        let part = tensor.part_bursts(&self.transfer, self.burst_bits).unwrap_or(0);
        let parts = match self.transfer.layout {
            Layout::Padded | Layout::Packed => {
                let packed = self.transfer.layout == Layout::Packed;
                let bits = u64::from(if packed { tensor.word.bits } else { tensor.word.container_bits });
                cut(tensor.first_burst, first_word * bits, words * bits);
                1
            }
            Layout::Bitplane => {
                for plane in 0..u64::from(tensor.word.bits) {
                    cut(tensor.first_burst + plane * part, first_word, words);
                }
                u64::from(tensor.word.container_bits)
            }
        };
        if self.transfer.tag_bits > 0 && words > 0 {
            let (block, tag) = (self.transfer.block_words, u64::from(self.transfer.tag_bits));
            let (first, last) = (first_word / block, (first_word + words - 1) / block);
            cut(tensor.first_burst + parts * part, first * tag, (last + 1 - first) * tag);
        }
    }
}

fn place(
    operation: &Operation,
    words: &Words,
    partial_sum_bits: u32,
    batch: u64,
    allocator: &mut Allocator,
    input: &mut Option<Tensor>,
    before: &[Places],
) -> Option<Places> {
    let of_batch = |words: Option<u64>| words?.checked_mul(batch);
    let mut of_sources = |sources: &[Source], per_image: u64, allocator: &mut Allocator| {
        let mut parts = Vec::new();
        for source in sources {
            let tensor = match source {
                Source::Operation(index) => before.get(*index)?.ofmap,
                Source::Input => match *input {
                    Some(tensor) => tensor,
                    None => *input.insert(allocator.take(of_batch(Some(per_image)), words.ifmap)?),
                },
            };
            parts.push((tensor, tensor.words / batch));
        }
        Some(parts)
    };
    let ifmap = of_sources(&operation.sources, operation.input.words()?, allocator)?;
    let mut added = Vec::new();
    for further in &operation.added {
        added.extend(of_sources(&further.sources, further.words, allocator)?);
    }
    let of_followers = |index: usize| {
        (operation.followers.iter())
            .try_fold(0u64, |sum, follower| sum.checked_add(follower.parameters[index]))
    };
    let weights = operation.weight_words()?.checked_add(of_followers(0)?);
    let biases = if operation.has_bias { operation.output.channels } else { 0 }.checked_add(of_followers(1)?);
    let sum_word = StoredWord { container_bits: partial_sum_bits, bits: partial_sum_bits, ..words.ofmap };
    Some(Places {
        ifmap,
        added,
        filter: allocator.take(weights, words.filter)?,
        bias: allocator.take(biases, words.bias)?,
        ofmap: allocator.take(of_batch(operation.stored().words()), words.ofmap)?,
        sums: allocator.take(of_batch(operation.output.words()), sum_word)?,
    })
}

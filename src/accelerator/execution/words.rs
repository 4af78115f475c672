//! How the words of an operation are stored and computed.

use crate::accelerator::energy::Arithmetic;
use crate::accelerator::operation::{Operation, Source};
use crate::accelerator::tiling::Widths;
use crate::accelerator::trace::Operand;

/// A stored word of one operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredWord {
    /// Bits of its place in DRAM where words are padded: those of its untruncated format.
    pub container_bits: u32,
    /// Bits that move and that the buffers hold, 1..=`container_bits`.
    pub bits: u32,
    /// How it is computed with.
    pub arithmetic: Arithmetic,
}

/// The words of one operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Words {
    /// Inputs, further inputs included.
    pub ifmap: StoredWord,
    /// Weights.
    pub filter: StoredWord,
    /// Biases.
    pub bias: StoredWord,
    /// Outputs: the inputs of what reads them.
    pub ofmap: StoredWord,
}

/// The words of one operation but those of its outputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReadWords {
    /// Inputs.
    pub ifmap: StoredWord,
    /// Weights.
    pub filter: StoredWord,
    /// Biases.
    pub bias: StoredWord,
}

impl Words {
    /// The words of `operations`, of which `read` tells what each reads: an output is what its first reader reads; what nothing
    /// reads has the word of its operation's input.
    pub fn of(operations: &[Operation], read: &[ReadWords]) -> Vec<Self> {
        let reader = |index: usize| {
            operations.iter().position(|operation| {
                let sources = operation.sources.iter();
                let added = operation.added.iter().flat_map(|added| &added.sources);
                sources.chain(added).any(|source| *source == Source::Operation(index))
            })
        };
        (read.iter().enumerate())
            .map(|(index, &ReadWords { ifmap, filter, bias })| Self {
                ifmap,
                filter,
                bias,
                ofmap: reader(index).map_or(ifmap, |reader| read[reader].ifmap),
            })
            .collect()
    }

    /// Bits of a word of `operand` that move and that its buffer holds.
    pub fn bits(&self, operand: Operand, partial_sum_bits: u32) -> u32 {
        match operand {
            Operand::Ifmap | Operand::SecondIfmap => self.ifmap.bits,
            Operand::Filter => self.filter.bits,
            Operand::Bias => self.bias.bits,
            Operand::Ofmap => self.ofmap.bits,
            Operand::PartialSum => partial_sum_bits,
        }
    }

    /// The widths in the buffers.
    pub fn widths(&self, partial_sum_bits: u32) -> Widths {
        Widths {
            ifmap_bits: self.ifmap.bits,
            filter_bits: self.filter.bits,
            bias_bits: self.bias.bits,
            ofmap_bits: self.ofmap.bits,
            partial_sum_bits,
        }
    }
}

//! Layers in SCALE-Sim's terms: the whole layer through the array at once, which never waits.

use crate::accelerator::array::{Array, Dataflow, Error, FoldOverlap, Gemm};
use crate::accelerator::operation::Operation;
use serde::Serialize;

/// One convolution or fully connected layer, all of its groups, of one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScaleSimLayer {
    /// Its name.
    pub layer: String,
    /// Groups of channels, one after the other.
    pub groups: u64,
    /// The matrix product of one group: output pixels, filters, elements of the window.
    #[serde(flatten)]
    pub gemm: Gemm,
    /// Cycles; SCALE-Sim prints one less for each group, the index of the last one.
    pub total_cycles: u64,
    /// Inputs that the array reads.
    pub sram_ifmap_read_words: u64,
    /// Weights that the array reads.
    pub sram_filter_read_words: u64,
    /// Outputs and partial sums that the array writes; SCALE-Sim adds rows and columns per fold of an output-stationary array.
    pub sram_ofmap_write_words: u64,
    /// Partial sums that the array reads back, which SCALE-Sim leaves out.
    pub sram_partial_sum_read_words: u64,
    /// Weights read from DRAM, of a weight-stationary array: each once. Null for the other dataflows, where SCALE-Sim's count
    /// follows from its rule of dropping the whole buffer.
    pub dram_filter_read_words: Option<u64>,
}

impl ScaleSimLayer {
    /// `operation` on `array`; `None` if it is no matrix product. Folds do not overlap.
    ///
    /// # Errors
    /// [`enum@Error`], of a count beyond 2^64 above all.
    pub fn of(operation: &Operation, array: &Array) -> Result<Option<Self>, Error> {
        if !operation.is_product() {
            return Ok(None);
        }
        let overflow = |count| Error::Overflow { count };
        let groups = operation.groups;
        let pixels = operation.output.height.checked_mul(operation.output.width);
        let gemm = Gemm {
            pixels: pixels.ok_or(overflow("output pixels"))?,
            filters: operation.output.channels / groups.max(1),
            window: operation.window_elements().ok_or(overflow("elements of the window"))?,
        };
        let array = Array { fold_overlap: FoldOverlap::None, ..*array };
        let counts = array.run(&gemm)?.times(groups)?;
        let is_weight_stationary = array.dataflow == Dataflow::WeightStationary;
        Ok(Some(Self {
            layer: operation.name.clone(),
            groups,
            gemm,
            total_cycles: counts.phases.total().ok_or(overflow("cycles"))?,
            sram_ifmap_read_words: counts.accesses.ifmap_reads,
            sram_filter_read_words: counts.accesses.filter_reads,
            sram_ofmap_write_words: counts.accesses.ofmap_writes,
            sram_partial_sum_read_words: counts.accesses.partial_sum_reads,
            dram_filter_read_words: is_weight_stationary.then_some(counts.accesses.filter_reads),
        }))
    }
}

/// Columns of the table.
pub(super) const HEADER: [&str; 11] = [
    "layer",
    "groups",
    "pixels",
    "filters",
    "window",
    "total_cycles",
    "sram_ifmap_read_words",
    "sram_filter_read_words",
    "sram_ofmap_write_words",
    "sram_partial_sum_read_words",
    "dram_filter_read_words",
];

impl ScaleSimLayer {
    /// Its row under [`HEADER`].
    pub(super) fn row(&self, text: impl Fn(&u64) -> String, unknown: &str) -> Vec<String> {
        let Gemm { pixels, filters, window } = self.gemm;
        let counts = [
            self.groups,
            pixels,
            filters,
            window,
            self.total_cycles,
            self.sram_ifmap_read_words,
            self.sram_filter_read_words,
            self.sram_ofmap_write_words,
            self.sram_partial_sum_read_words,
        ];
        let dram = self.dram_filter_read_words.as_ref().map_or_else(|| unknown.to_owned(), &text);
        let counts = counts.iter().map(&text);
        [self.layer.clone()].into_iter().chain(counts).chain([dram]).collect()
    }
}

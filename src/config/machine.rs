//! From the document to what a layer trace depends on: neither weights nor data set.

use super::accelerator::{Layers, TABLE};
use super::document::Document;
use super::problem::{Problem, Problems};
use super::resolve::{Scope, Tables, words_of};
use crate::accelerator::operation::{Kind, Operation};
use crate::experiment::{InputFile, Machine};
use crate::network::{LayerId, Network, Operand, Subset};
use crate::number::Format;

/// A machine, and what is doubtful about its configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedMachine {
    /// The machine.
    pub machine: Machine,
    /// Settings without effect.
    pub warnings: Problems,
}

impl Document {
    /// The definition of the network, which must be read before [`Document::machine`].
    ///
    /// # Errors
    /// If it is not named or cannot be read: then everything that can be found wrong without the network, but in `[dataset]`.
    pub fn network_definition(&self) -> Result<InputFile, Problems> {
        let mut problems = Problems::default();
        match super::files::definition(&self.root(), &mut problems) {
            Some(definition) if problems.0.is_empty() => Ok(definition),
            _ => {
                let mut problems = Problems::default();
                Tables::read(&self.root(), Scope::Trace, &mut problems, &mut Problems::default());
                Err(self.sorted(problems))
            }
        }
    }

    /// The memories, words and accelerator for `network`. `[dataset]` and the weights do not matter and are not looked at.
    ///
    /// # Errors
    /// Every mistake of the configuration; if it has no `[accelerator]`.
    pub fn machine(&self, network: &Network) -> Result<ResolvedMachine, Problems> {
        self.machine_of(Scope::Trace, words_of(network), &Layers::of_network(network))
    }

    /// The memories, words and accelerator for `operations` that no network stands behind. Their data subsets are called as those
    /// of a network's layers. `[network]` and `[dataset]` do not matter and are not looked at. Names and patterns that mean none of
    /// these layers are no mistakes: the configuration was written for others.
    ///
    /// # Errors
    /// Every mistake of the configuration; if it has no `[accelerator]`.
    pub fn machine_of_operations(&self, operations: &[Operation]) -> Result<ResolvedMachine, Problems> {
        let subsets = words_of_operations(operations).map_err(|layer| {
            let message = format!("layer `{layer}` has more than 2^64 words");
            Problem::new(self.root().location(), message, "here")
        })?;
        self.machine_of(Scope::Machine, subsets, &Layers::of_operations(operations))
    }

    fn machine_of(
        &self,
        scope: Scope<'_>,
        subsets: Vec<(Subset, Format)>,
        layers: &Layers<'_>,
    ) -> Result<ResolvedMachine, Problems> {
        let (mut problems, mut warnings) = (Problems::default(), Problems::default());
        let root = self.root();
        let purpose = "a layer trace needs array, buffers and off-chip memory";
        if root.find(TABLE).is_none() {
            root.required_section(TABLE, purpose, &mut problems);
        }
        let tables = Tables::read(&root, scope, &mut problems, &mut warnings);
        let subsets = tables.stored(subsets, &mut problems, &mut warnings);
        let accelerator = tables
            .accelerator
            .as_ref()
            .and_then(|table| table.accelerator(layers, &mut problems, &mut warnings));
        match tables.machine(subsets, accelerator) {
            Some(machine) if problems.0.is_empty() => {
                Ok(ResolvedMachine { machine, warnings: self.sorted(warnings) })
            }
            _ => Err(self.sorted(problems)),
        }
    }
}

/// Every data subset of `operations`, in fp32 where the configuration does not decide; else the name of a layer with more words
/// than can be counted.
fn words_of_operations(operations: &[Operation]) -> Result<Vec<(Subset, Format)>, &str> {
    let mut subsets = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        let in_volume = matches!(operation.kind, Kind::Convolution | Kind::FullyConnected);
        let pixels = operation.output.height.checked_mul(operation.output.width);
        let weights = operation.macs().zip(pixels).map(|(macs, pixels)| macs / pixels.max(1));
        let biases = if operation.has_bias { operation.output.channels } else { 0 };
        let operands = [
            (Operand::Neuron, operation.input.words()),
            (Operand::Weight, weights),
            (Operand::Bias, Some(biases)),
        ];
        for (operand, words) in operands {
            let words = words.ok_or(operation.name.as_str())?;
            if words == 0 {
                continue;
            }
            let name = format!("{}_{}", operand.prefix(), operation.name);
            let subset = Subset { name, layer: LayerId(index), operand, blob: None, words, in_volume };
            subsets.push((subset, Format::default()));
        }
    }
    Ok(subsets)
}

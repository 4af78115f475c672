//! Plain validated types of one experiment, and the experiment prepared by one error-free pass.

mod cost;
mod design;
mod layout;
mod machine_figures;
mod prepared;
mod record;
mod running;
mod start;
mod volume;
mod words;
mod workload;

pub use cost::{Cost, Error as CostError, LinkCost, MemoryCost};
pub use design::{DatasetSource, Experiment, InputFile, Link, Machine, NetworkSource, Stop, StoredSubset};
pub use layout::{Site, flip_std};
pub use machine_figures::{ComponentEnergy, MachineFigures, Savings};
pub use prepared::{PrepareError, Prepared};
pub use running::{Design, Running, RunningError};
pub use volume::Volume;
pub use words::Words;
pub use workload::Workload;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::dataset::{Files, Preprocessing};
    use crate::memory::{Geometry, Memory, Protection, Technology, uniform};
    use crate::network::{BlobId, LayerId, Operand, Subset};
    use crate::number::Format;

    fn file(typed: &str) -> InputFile {
        InputFile { typed: typed.into(), path: typed.into() }
    }

    pub(crate) fn memory(name: &str, ber: f64, protected_msbs: u32) -> Memory {
        let technology = Technology::Uniform(uniform::Parameters::from(ber));
        Memory {
            name: name.into(),
            technology,
            geometry: Geometry::default(),
            protection: Protection::dual_rail(protected_msbs),
            lifetime: None,
            measured: None,
        }
    }

    pub(crate) fn stored(words: u64, format: Format, link_bits: u32, path: Vec<Stop>) -> StoredSubset {
        let subset = Subset {
            name: "weight_fc".into(),
            layer: LayerId(0),
            operand: Operand::Weight,
            blob: None,
            words,
            in_volume: true,
        };
        StoredSubset { subset, format, link_bits, path }
    }

    pub(crate) fn neuron(layer: &str, blob: BlobId, words: u64, path: Vec<Stop>) -> StoredSubset {
        let mut stored = stored(words, Format::Fp32, 32, path);
        stored.subset.name = format!("neuron_{layer}");
        stored.subset.operand = Operand::Neuron;
        stored.subset.blob = Some(blob);
        stored
    }

    pub(crate) fn experiment(subsets: Vec<StoredSubset>, memories: Vec<Memory>) -> Experiment {
        Experiment {
            network: NetworkSource { definition: file("a.prototxt"), weights: None },
            dataset: DatasetSource {
                files: Files::Mnist { images: file("images"), labels: file("labels") },
                crop: None,
                preprocessing: Preprocessing::default(),
            },
            subsets,
            memories,
            link: Link::default(),
            workload: Workload::default(),
            accelerator: None,
            trace: None,
            running: None,
            erring: None,
            trials: 1,
            seed: 1,
            images: Some(10),
            calibration_images: None,
            rpa_floor: 0.97,
        }
    }
}

//! The experiment as result files show it: fixed order of keys, names instead of indices, no absolute path.

use super::{Experiment, InputFile, Stop, StoredSubset};
use crate::number::Format;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use std::path::Path;

impl Serialize for InputFile {
    /// The path as typed; of an absolute path only the name of the file, so that results do not depend on the machine.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let typed = Path::new(&self.typed);
        match typed.file_name() {
            Some(name) if typed.is_absolute() => serializer.serialize_str(&name.to_string_lossy()),
            _ => serializer.serialize_str(&self.typed),
        }
    }
}

/// A data subset with its word and the names of its stops.
#[derive(Serialize)]
struct SubsetRecord<'e> {
    name: &'e str,
    words: u64,
    format: &'e Format,
    bits: u32,
    link_bits: u32,
    path: Vec<&'e str>,
}

impl<'e> SubsetRecord<'e> {
    fn new(experiment: &'e Experiment, stored: &'e StoredSubset) -> Self {
        let stop_name = |stop: &Stop| match *stop {
            Stop::Memory(index) => experiment.memories[index].name.as_str(),
            Stop::Link => "link",
        };
        Self {
            name: &stored.subset.name,
            words: stored.subset.words,
            format: &stored.format,
            bits: stored.format.bits(),
            link_bits: stored.link_bits,
            path: stored.path.iter().map(stop_name).collect(),
        }
    }
}

impl Serialize for Experiment {
    /// Keys as in the configuration; `images` is null when all images are evaluated, `calibration_images` when it is left to the data set; every data subset is listed, in layer
    /// order, with the word and the path that were decided for it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let subsets: Vec<_> = self.subsets.iter().map(|stored| SubsetRecord::new(self, stored)).collect();
        let mut record = serializer.serialize_struct("Experiment", 11)?;
        record.serialize_field("network", &self.network)?;
        record.serialize_field("dataset", &self.dataset)?;
        record.serialize_field("memories", &self.memories)?;
        record.serialize_field("link", &self.link)?;
        record.serialize_field("workload", &self.workload)?;
        record.serialize_field("subsets", &subsets)?;
        record.serialize_field("trials", &self.trials)?;
        record.serialize_field("seed", &self.seed)?;
        record.serialize_field("images", &self.images)?;
        record.serialize_field("calibration_images", &self.calibration_images)?;
        record.serialize_field("rpa_floor", &self.rpa_floor)?;
        record.end()
    }
}

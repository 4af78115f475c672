//! Presets: published constants of technologies, each with its unit, its source and how sure it is.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::LazyLock;
use toml::Spanned;

/// The files of `configs/presets`, in the order in which they are listed.
const FILES: [&str; 32] = [
    include_str!("../../configs/presets/sram.14nm.stutz21.toml"),
    include_str!("../../configs/presets/sram.14nm.stutz21.chip2.toml"),
    include_str!("../../configs/presets/sram.45nm.dpcs15.toml"),
    include_str!("../../configs/presets/dram.flikker48.toml"),
    include_str!("../../configs/presets/dram.ddr3l_70c.toml"),
    include_str!("../../configs/presets/dram.ddr3l_20c.toml"),
    include_str!("../../configs/presets/cacti7.45nm.hp.toml"),
    include_str!("../../configs/presets/cacti7.45nm.lstp.toml"),
    include_str!("../../configs/presets/cacti7.32nm.hp.toml"),
    include_str!("../../configs/presets/cacti7.22nm.hp.toml"),
    include_str!("../../configs/presets/cacti7.22nm.lstp.toml"),
    include_str!("../../configs/presets/ddr3_1600_1gb_x8.toml"),
    include_str!("../../configs/presets/ddr3l_1600_4gb_x8.toml"),
    include_str!("../../configs/presets/ddr4_2400_4gb_x8.toml"),
    include_str!("../../configs/presets/ddr4_2400_8gb_x8.toml"),
    include_str!("../../configs/presets/hbm2_2000_8gb_x128.toml"),
    include_str!("../../configs/presets/lpddr4_3200_8gb_x16.toml"),
    include_str!("../../configs/presets/horowitz.45nm.toml"),
    include_str!("../../configs/presets/stt.delta30.toml"),
    include_str!("../../configs/presets/stt.delta25.toml"),
    include_str!("../../configs/presets/pcm.mlc4.t035.toml"),
    include_str!("../../configs/presets/pcm.mlc4.t040.toml"),
    include_str!("../../configs/presets/pcm.mlc4.t045.toml"),
    include_str!("../../configs/presets/pcm.mlc4.t050.toml"),
    include_str!("../../configs/presets/pcm.mlc4.t060.toml"),
    include_str!("../../configs/presets/edram.rana18.toml"),
    include_str!("../../configs/presets/enerj.sram.mild.toml"),
    include_str!("../../configs/presets/enerj.sram.medium.toml"),
    include_str!("../../configs/presets/enerj.sram.aggressive.toml"),
    include_str!("../../configs/presets/enerj.dram.mild.toml"),
    include_str!("../../configs/presets/enerj.dram.medium.toml"),
    include_str!("../../configs/presets/enerj.dram.aggressive.toml"),
];

/// Named constants for one table of a memory or of the accelerator.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preset {
    /// Name by which configurations call it.
    pub name: String,
    /// The table where it may be named.
    pub table: Table,
    /// What it is, in one sentence.
    pub summary: String,
    /// Key of the table and its value, in the order of the file.
    pub constants: Vec<(String, Constant)>,
}

/// A table of the configuration that may name a preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Table {
    /// `[memories.NAME]` of a uniform memory.
    #[serde(rename = "uniform")]
    Uniform,
    /// `[memories.NAME.error]` of an SRAM.
    #[serde(rename = "sram.error")]
    SramError,
    /// `[memories.NAME.energy]` of an SRAM.
    #[serde(rename = "sram.energy")]
    SramEnergy,
    /// `[memories.NAME.error]` of a DRAM.
    #[serde(rename = "dram.error")]
    DramError,
    /// `[memories.NAME.energy]` of a DRAM.
    #[serde(rename = "dram.energy")]
    DramEnergy,
    /// `[accelerator.energy]`.
    #[serde(rename = "accelerator.energy")]
    AcceleratorEnergy,
}

/// One constant of a preset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// Its value.
    pub value: Value,
    /// Its unit; `1` for pure numbers.
    pub unit: String,
    /// How it is known.
    pub tag: Tag,
    /// Where it is from.
    pub source: String,
    /// Smallest and largest valid value of each of its numbers, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
    /// What is uncertain about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

/// Value of a constant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A word, such as a choice.
    Text(String),
    /// Numbers.
    List(Vec<f64>),
    /// Rows of a table.
    Rows(Vec<Vec<f64>>),
}

/// How a constant is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Tag {
    /// Found: read in the source itself.
    #[serde(rename = "F")]
    Found,
    /// Recalled from the literature that the source names.
    #[serde(rename = "R")]
    Recalled,
    /// Derived by calculation from constants that are found or recalled.
    #[serde(rename = "D")]
    Derived,
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Uniform => "uniform",
            Self::SramError => "sram.error",
            Self::SramEnergy => "sram.energy",
            Self::DramError => "dram.error",
            Self::DramEnergy => "dram.energy",
            Self::AcceleratorEnergy => "accelerator.energy",
        })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Found => "F",
            Self::Recalled => "R",
            Self::Derived => "D",
        })
    }
}

impl Value {
    /// Every number in it, in the order of the text.
    pub fn numbers(&self) -> Vec<f64> {
        match self {
            Self::Number(number) => vec![*number],
            Self::Text(_) => Vec::new(),
            Self::List(list) => list.clone(),
            Self::Rows(rows) => rows.concat(),
        }
    }
}

impl Preset {
    /// The constant that stands for `key`.
    pub fn constant(&self, key: &str) -> Option<&Constant> {
        self.constants.iter().find(|(name, _)| name == key).map(|(_, constant)| constant)
    }

    /// Reads one file.
    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        /// A file as it is written.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            name: String,
            table: Table,
            summary: String,
            constants: std::collections::BTreeMap<String, Spanned<Constant>>,
        }
        let file: File = toml::from_str(text)?;
        let mut constants: Vec<_> = file.constants.into_iter().collect();
        constants.sort_by_key(|(_, constant)| constant.span().start);
        Ok(Self {
            name: file.name,
            table: file.table,
            summary: file.summary,
            constants: constants.into_iter().map(|(key, constant)| (key, constant.into_inner())).collect(),
        })
    }
}

/// Every preset, in the order in which they are listed.
pub fn all() -> &'static [Preset] {
    static ALL: LazyLock<Vec<Preset>> = LazyLock::new(|| {
        let parse = |text: &&str| Preset::parse(text).expect("a test parses every embedded file");
        FILES.iter().map(parse).collect()
    });
    &ALL
}

/// The preset called `name`.
pub fn find(name: &str) -> Option<&'static Preset> {
    all().iter().find(|preset| preset.name == name)
}

#[cfg(test)]
mod tests;

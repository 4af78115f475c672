//! Configuration files of `DRAMsim3`: one device and its controller. What a file leaves out has the value that
//! src/configuration.cc gives it; which keys these are is reported.

use super::{QueueStructure, System};
use crate::memory::energy;
use crate::memory::energy::dram::{Currents, Device, RowPolicy, Timing};
use std::collections::BTreeMap;
use thiserror::Error;

/// A configuration as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// What it describes. The interface has no energy there.
    pub system: System,
    /// Keys that the file leaves out, with the value that they have then.
    pub defaults: Vec<(&'static str, String)>,
    /// What is taken otherwise than written.
    pub notes: Vec<String>,
}

/// Why a configuration cannot be read.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Error {
    /// A line that is neither a section, a key with its value nor a comment.
    #[error("line {line}: `{text}` is no section, no key = value and no comment")]
    Syntax {
        /// Its number, from 1.
        line: usize,
        /// Its text.
        text: String,
    },
    /// A value of another kind.
    #[error("line {line}: `{key}` = `{value}` must be {expected}")]
    Value {
        /// Line of the key.
        line: usize,
        /// The key.
        key: &'static str,
        /// What was given.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// Something that is not modelled.
    #[error("`{key}` = `{value}` is not modelled: {why}")]
    Unsupported {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is.
        why: &'static str,
    },
    /// No such device is possible.
    #[error(transparent)]
    Device(#[from] energy::Error),
    /// No such system is possible.
    #[error(transparent)]
    System(#[from] super::Error),
}

/// Most bytes of a file: the longest that comes with the tool has some 2000.
const MOST_BYTES: usize = 1 << 20;

/// What was typed, by section and key, with its line.
struct File<'a> {
    values: BTreeMap<(&'a str, &'a str), (usize, &'a str)>,
    defaults: Vec<(&'static str, String)>,
    notes: Vec<String>,
}

/// Reads the text of a configuration; `name` is what reports call the device.
///
/// # Errors
/// [`enum@Error`] at the first mistake.
pub fn read(name: &str, text: &str) -> Result<Configuration, Error> {
    let mut file = File::parse(text)?;
    let device = file.device(name)?;
    let system = file.system(device)?;
    Ok(Configuration { system, defaults: file.defaults, notes: file.notes })
}

impl<'a> File<'a> {
    fn parse(text: &'a str) -> Result<Self, Error> {
        let syntax = |line, text: &str| Error::Syntax { line, text: text.chars().take(40).collect() };
        if text.len() > MOST_BYTES {
            return Err(syntax(1, "more than a MiB of text"));
        }
        let (mut values, mut section) = (BTreeMap::new(), "");
        for (line, content) in (1..).zip(text.lines()) {
            // `;` and `#` begin a comment, as do the words after a value.
            let content = content.split([';', '#']).next().unwrap_or("").trim();
            if content.is_empty() {
                continue;
            }
            if let Some(name) = content.strip_prefix('[') {
                section = name.strip_suffix(']').ok_or_else(|| syntax(line, content))?.trim();
                continue;
            }
            let (key, value) = content.split_once('=').ok_or_else(|| syntax(line, content))?;
            if key.trim().is_empty() {
                return Err(syntax(line, content));
            }
            values.insert((section, key.trim()), (line, value.trim()));
        }
        Ok(Self { values, defaults: Vec::new(), notes: Vec::new() })
    }

    fn value<T: Clone + ToString>(
        &mut self,
        section: &str,
        key: &'static str,
        default: T,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Error> {
        let Some(&(line, value)) = self.values.get(&(section, key)) else {
            self.defaults.push((key, default.to_string()));
            return Ok(default);
        };
        parse(value).ok_or_else(|| Error::Value {
            line,
            key,
            value: value.chars().take(40).collect(),
            expected,
        })
    }

    fn count(&mut self, section: &str, key: &'static str, default: u32) -> Result<u32, Error> {
        self.value(section, key, default, "a whole number from 0 below 2^31", |text| {
            text.parse().ok().filter(|&count: &u32| count < 1 << 31)
        })
    }

    fn cycles(&mut self, key: &'static str, default: u32) -> Result<u32, Error> {
        self.count("timing", key, default)
    }

    fn number(&mut self, section: &str, key: &'static str, default: f64) -> Result<f64, Error> {
        self.value(section, key, default, "a number", |text| {
            text.parse().ok().filter(|number: &f64| number.is_finite())
        })
    }

    fn flag(&mut self, section: &str, key: &'static str, default: bool) -> Result<bool, Error> {
        self.value(section, key, default, "true or false", |text| match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        })
    }

    fn word(&mut self, section: &str, key: &'static str, default: &str) -> Result<String, Error> {
        self.value(section, key, default.to_owned(), "a word", |text| Some(text.to_owned()))
    }

    /// Refuses a flag that is set.
    fn refuse_flag(&mut self, key: &'static str, why: &'static str) -> Result<(), Error> {
        if self.flag("system", key, false)? {
            return Err(Error::Unsupported { key, value: "true".to_owned(), why });
        }
        Ok(())
    }

    fn device(&mut self, name: &str) -> Result<Device, Error> {
        const STRUCTURE: &str = "dram_structure";
        let protocol = self.word(STRUCTURE, "protocol", "DDR3")?;
        let is_known =
            ["DDR3", "DDR4", "LPDDR", "LPDDR3", "LPDDR4", "HBM", "HBM2"].contains(&protocol.as_str());
        if !is_known {
            let why = "two transfers per cycle are: DDR3, DDR4, LPDDR, LPDDR3, LPDDR4, HBM, HBM2";
            return Err(Error::Unsupported { key: "protocol", value: protocol, why });
        }
        let is_hbm = protocol.starts_with("HBM");
        let groups = self.count(STRUCTURE, "bankgroups", 2)?;
        let banks_per_group = self.count(STRUCTURE, "banks_per_group", 2)?;
        let has_groups = self.flag(STRUCTURE, "bankgroup_enable", true)?;
        let rows = self.count(STRUCTURE, "rows", 1 << 16)?;
        let columns = self.count(STRUCTURE, "columns", 1 << 10)?;
        let device_bits = self.count(STRUCTURE, "device_width", 8)?;
        let burst_length = self.count(STRUCTURE, "BL", 8)?;
        let bus_bits = self.count("system", "bus_width", 64)?;
        let is_dual = is_hbm && self.flag(STRUCTURE, "hbm_dual_cmd", true)?;
        // A column of HBM is as wide as two transfers.
        let columns = u64::from(columns) * if is_hbm { 2 } else { 1 };
        let page_bytes = columns * u64::from(device_bits) / 8;
        let banks = u64::from(groups) * u64::from(banks_per_group);
        let density_bits = page_bytes
            .checked_mul(8 * u64::from(rows))
            .and_then(|bits| bits.checked_mul(banks))
            .ok_or(super::Error::Overflow("bits of a device"))?;
        let device = Device {
            preset: name.to_owned(),
            rails: "VDD".to_owned(),
            voltage_v: vec![self.number("power", "VDD", 1.2)?],
            currents: self.currents()?,
            timing: self.timing(&protocol)?,
            burst_length,
            device_bits,
            page_bytes,
            density_bits,
            banks_per_device: u32::try_from(banks).unwrap_or(u32::MAX),
            bank_groups: if has_groups { groups } else { 1 },
            command_buses: if is_dual { 2 } else { 1 },
            devices: bus_bits.checked_div(device_bits).unwrap_or(0),
            io_pj_per_bit: 0.0,
            row_policy: match self.word("system", "row_buf_policy", "OPEN_PAGE")?.as_str() {
                "CLOSE_PAGE" => RowPolicy::Closed,
                _ => RowPolicy::Open,
            },
        };
        device.check()?;
        Ok(device)
    }

    fn currents(&mut self) -> Result<Currents, Error> {
        let mut current = |key, default| Ok::<_, Error>(vec![self.number("power", key, default)?]);
        Ok(Currents {
            idd0_ma: current("IDD0", 48.0)?,
            idd2n_ma: current("IDD2N", 34.0)?,
            idd2p_ma: current("IDD2P", 25.0)?,
            idd3n_ma: current("IDD3N", 43.0)?,
            idd4r_ma: current("IDD4R", 135.0)?,
            idd4w_ma: current("IDD4W", 123.0)?,
            idd5b_ma: current("IDD5AB", 250.0)?,
            idd6_ma: current("IDD6x", 31.0)?,
        })
    }

    /// The additive latency AL delays column commands from the activate on: the distances it shortens and those it lengthens are
    /// given with it.
    fn timing(&mut self, protocol: &str) -> Result<Timing, Error> {
        let tck_ns = self.number("timing", "tCK", 1.0)?;
        let additive = self.cycles("AL", 0)?;
        let rcd = if protocol.starts_with("HBM") {
            let (read, write) = (self.cycles("tRCDRD", 24)?, self.cycles("tRCDWR", 20)?);
            if read != write {
                self.notes.push(format!("tRCDRD = {read}, tRCDWR = {write}: the longer counts for both"));
            }
            read.max(write)
        } else {
            self.cycles("tRCD", 10)?
        };
        let rcd = rcd.checked_sub(additive).ok_or_else(|| Error::Unsupported {
            key: "AL",
            value: additive.to_string(),
            why: "an additive latency up to tRCD is",
        })?;
        let refi = self.cycles("tREFI", 7800)?;
        let refi_ns = f64::from(refi) * tck_ns;
        let ppd = if protocol == "LPDDR4" { self.cycles("tPPD", 0)? } else { 0 };
        Ok(Timing {
            tck_ns,
            cl: self.cycles("CL", 12)? + additive,
            cwl: self.cycles("CWL", 12)? + additive,
            rcd,
            rp: self.cycles("tRP", 10)?,
            ras: self.cycles("tRAS", 24)?,
            rrd_s: self.cycles("tRRD_S", 4)?,
            rrd_l: self.cycles("tRRD_L", 4)?,
            faw: self.cycles("tFAW", 50)?,
            ccd_s: self.cycles("tCCD_S", 4)?,
            ccd_l: self.cycles("tCCD_L", 6)?,
            wr: self.cycles("tWR", 10)?,
            rtp: self.cycles("tRTP", 5)? + additive,
            wtr_s: self.cycles("tWTR_S", 5)?,
            wtr_l: self.cycles("tWTR_L", 5)?,
            rtrs: self.cycles("tRTRS", 2)?,
            ppd,
            rfc_ns: f64::from(self.cycles("tRFC", 74)?) * tck_ns,
            refi_ns,
            // 8192 refresh commands reach every row (JEDEC).
            refresh_window_ms: 8192.0 * refi_ns * 1e-6,
        })
    }

    fn system(&mut self, device: Device) -> Result<System, Error> {
        const SYSTEM: &str = "system";
        self.refuse_flag("unified_queue", "reads and writes that wait apart are")?;
        self.refuse_flag("enable_self_refresh", "ranks that stay awake are")?;
        let map = self.word(SYSTEM, "address_mapping", "chrobabgraco")?.parse()?;
        let channels = self.count(SYSTEM, "channels", 1)?;
        let ranks = self.ranks(&device)?;
        let policy = self.word(SYSTEM, "refresh_policy", "RANK_LEVEL_STAGGERED")?;
        if policy != "RANK_LEVEL_STAGGERED" && !(policy == "RANK_LEVEL_SIMULTANEOUS" && ranks == 1) {
            let why = "RANK_LEVEL_STAGGERED is";
            return Err(Error::Unsupported { key: "refresh_policy", value: policy, why });
        }
        let structure = self.word(SYSTEM, "queue_structure", "PER_BANK")?;
        let queue_structure = match structure.as_str() {
            "PER_BANK" => QueueStructure::PerBank,
            "PER_RANK" => QueueStructure::PerRank,
            _ => {
                let why = "PER_BANK and PER_RANK are";
                return Err(Error::Unsupported { key: "queue_structure", value: structure, why });
            }
        };
        let depth = self.count(SYSTEM, "trans_queue_size", 32)?;
        let system = System {
            queue_structure,
            command_queue: self.count(SYSTEM, "cmd_queue_size", 16)?,
            write_threshold: self.count(SYSTEM, "write_buf_size", 16)?,
            ..System::new(device, map, channels, ranks, depth)?
        };
        system.check()?;
        Ok(system)
    }

    /// Ranks that make up a channel of the size asked for; one if it is smaller.
    fn ranks(&mut self, device: &Device) -> Result<u32, Error> {
        let channel_mib = u64::from(self.count("system", "channel_size", 1024)?);
        let rank_mib = device.density_bits / 8 / (1 << 20) * u64::from(device.devices);
        if rank_mib == 0 || rank_mib > channel_mib {
            self.notes.push(format!("channel_size = {channel_mib} MiB is less than a rank: one rank"));
            return Ok(1);
        }
        Ok(u32::try_from(channel_mib / rank_mib).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
#[path = "ini_tests.rs"]
mod tests;

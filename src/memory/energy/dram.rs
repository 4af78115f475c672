//! Energy, power, time and bandwidth of DRAM devices from their data-sheet currents.
//!
//! Per command and device, summed over the supply rails (V in volts, I in mA, t in ns give pJ), as in `DRAMsim3`
//! `src/configuration.cc` and Micron TN-41-01:
//!
//! * `E_ACT+PRE = V (IDD0 tRC - IDD3N tRAS - IDD2N tRP)`;
//! * `E_RD = V (IDD4R - IDD3N) (BL / 2) tCK`, `E_WR` likewise with IDD4W;
//! * `E_REF = V (IDD5B - IDD3N) tRFC`;
//! * background `V IDD3N` (a row open), `V IDD2N` (all closed), `V IDD2P` (power down), `V IDD6` (self refresh).

use super::constants::Constants;
use super::{Error, within};
use crate::memory::preset::Value;
use serde::Serialize;

/// What the controller does with a row after an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowPolicy {
    /// Leaves it open: the next access hits or conflicts.
    Open,
    /// Closes it: every access activates.
    Closed,
}

/// Supply currents of one device, in mA: one entry per rail, in the order of [`Device::voltage_v`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Currents {
    /// Key `idd0_ma`: one bank activated and precharged every tRC.
    pub idd0_ma: Vec<f64>,
    /// Key `idd2n_ma`: standby, all banks closed.
    pub idd2n_ma: Vec<f64>,
    /// Key `idd2p_ma`: power down, all banks closed.
    pub idd2p_ma: Vec<f64>,
    /// Key `idd3n_ma`: standby, a row open.
    pub idd3n_ma: Vec<f64>,
    /// Key `idd4r_ma`: reading bursts back to back.
    pub idd4r_ma: Vec<f64>,
    /// Key `idd4w_ma`: writing bursts back to back.
    pub idd4w_ma: Vec<f64>,
    /// Key `idd5b_ma`: refreshing every tRFC.
    pub idd5b_ma: Vec<f64>,
    /// Key `idd6_ma`: self refresh.
    pub idd6_ma: Vec<f64>,
}

/// Timing of one device, in clock cycles unless the name says ns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// Key `tck_ns`: period of the clock; two transfers each.
    pub tck_ns: f64,
    /// Key `cl`: read latency.
    pub cl: u32,
    /// Key `cwl`: write latency.
    pub cwl: u32,
    /// Key `rcd`: activate to column command.
    pub rcd: u32,
    /// Key `rp`: precharge of one bank.
    pub rp: u32,
    /// Key `ras`: activate to precharge; tRC = tRAS + tRP.
    pub ras: u32,
    /// Key `rrd_s`: activate to activate, other bank group.
    pub rrd_s: u32,
    /// Key `rrd_l`: activate to activate, same bank group.
    pub rrd_l: u32,
    /// Key `faw`: window of four activates.
    pub faw: u32,
    /// Key `ccd_s`: column command to column command, other bank group.
    pub ccd_s: u32,
    /// Key `ccd_l`: column command to column command, same bank group.
    pub ccd_l: u32,
    /// Key `wr`: write recovery.
    pub wr: u32,
    /// Key `rtp`: read to precharge.
    pub rtp: u32,
    /// Key `wtr_s`: end of a written burst to read, other bank group.
    pub wtr_s: u32,
    /// Key `wtr_l`: end of a written burst to read, same bank group.
    pub wtr_l: u32,
    /// Key `rtrs`: the bus handed from one rank to another.
    pub rtrs: u32,
    /// Key `ppd`: precharge to precharge of another bank; 0 where there is no such limit.
    pub ppd: u32,
    /// Key `rfc_ns`: one refresh command.
    pub rfc_ns: f64,
    /// Key `refi_ns`: between two refresh commands, nominally.
    pub refi_ns: f64,
    /// Key `refresh_window_ms`: nominal interval in which every cell is refreshed once.
    pub refresh_window_ms: f64,
}

/// Devices of one rank and what they cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Device {
    /// Name of the preset, or `custom`.
    pub preset: String,
    /// Key `rails`: their names, in order.
    pub rails: String,
    /// Key `voltage_v`: supply voltage of each rail, V.
    pub voltage_v: Vec<f64>,
    /// Currents.
    #[serde(flatten)]
    pub currents: Currents,
    /// Timing.
    #[serde(flatten)]
    pub timing: Timing,
    /// Key `burst_length`: transfers per column command, >= 2.
    pub burst_length: u32,
    /// Key `device_bits`: data pins of one device, >= 1.
    pub device_bits: u32,
    /// Key `page_bytes`: row buffer of one device.
    pub page_bytes: u64,
    /// Key `density_bits`: cells of one device.
    pub density_bits: u64,
    /// Key `banks_per_device`: banks of one device.
    pub banks_per_device: u32,
    /// Key `bank_groups`: groups that these banks form, >= 1; 1 where the device has none.
    pub bank_groups: u32,
    /// Key `command_buses`: 1, or 2 where row and column commands have a bus each.
    pub command_buses: u32,
    /// Key `devices`: devices that answer one access together (a rank), >= 1.
    pub devices: u32,
    /// Key `io_pj_per_bit`: what interface and PHY add to each bit moved, pJ; outside IDD but for LPDDR4's VDDQ.
    pub io_pj_per_bit: f64,
    /// Key `row_policy`: `open` | `closed`.
    pub row_policy: RowPolicy,
}

/// What a device does while no command is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standby {
    /// A row is open.
    Open,
    /// All banks are closed.
    Closed,
    /// Clock stopped, all banks closed.
    PowerDown,
    /// The device refreshes itself; IDD6 holds its refresh.
    SelfRefresh,
}

/// Time from a column access to its last bit, ns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// The row is open: CL + BL / 2.
    pub hit_ns: f64,
    /// The bank is closed: tRCD more.
    pub closed_ns: f64,
    /// Another row is open: tRP more still.
    pub conflict_ns: f64,
}

/// Power of the ranks that hold some data, mW.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Power {
    /// Ranks that the data need; they draw power as a whole, whatever part of them is used.
    pub ranks: u64,
    /// Background of these ranks.
    pub background_mw: f64,
    /// Refresh of these ranks.
    pub refresh_mw: f64,
    /// Share of the cells of these ranks that the data occupy, 0..=1: what of both may be charged to the data if others use the
    /// rest.
    pub allocated_share: f64,
}

impl Device {
    /// Every key that [`Device::from_constants`] reads.
    pub const KEYS: [&str; 40] = [
        "rails",
        "voltage_v",
        "idd0_ma",
        "idd2n_ma",
        "idd2p_ma",
        "idd3n_ma",
        "idd4r_ma",
        "idd4w_ma",
        "idd5b_ma",
        "idd6_ma",
        "tck_ns",
        "cl",
        "cwl",
        "rcd",
        "rp",
        "ras",
        "rrd_s",
        "rrd_l",
        "faw",
        "ccd_s",
        "ccd_l",
        "wr",
        "rtp",
        "wtr_s",
        "wtr_l",
        "rtrs",
        "ppd",
        "rfc_ns",
        "refi_ns",
        "refresh_window_ms",
        "burst_length",
        "device_bits",
        "page_bytes",
        "density_bits",
        "banks_per_device",
        "bank_groups",
        "command_buses",
        "devices",
        "io_pj_per_bit",
        "row_policy",
    ];

    /// The device that `lookup` describes: what was typed, else the constant of the preset called `preset`.
    ///
    /// # Errors
    /// [`Error::Missing`] if a key is given nowhere; [`Error::Kind`] or [`Error::Choice`] if a value is none of its key; those of
    /// [`Device::check`].
    pub fn from_constants<'v>(
        preset: &str,
        lookup: &dyn Fn(&str) -> Option<&'v Value>,
    ) -> Result<Self, Error> {
        let constants = Constants(lookup);
        let device = Self {
            preset: preset.to_owned(),
            rails: constants.text("rails")?,
            voltage_v: constants.list("voltage_v")?,
            currents: Currents::from_constants(constants)?,
            timing: Timing::from_constants(constants)?,
            burst_length: constants.small_count("burst_length")?,
            device_bits: constants.small_count("device_bits")?,
            page_bytes: constants.count("page_bytes")?,
            density_bits: constants.count("density_bits")?,
            banks_per_device: constants.small_count("banks_per_device")?,
            bank_groups: constants.small_count("bank_groups")?,
            command_buses: constants.small_count("command_buses")?,
            devices: constants.small_count("devices")?,
            io_pj_per_bit: constants.number("io_pj_per_bit")?,
            row_policy: constants
                .choice("row_policy", &[("open", RowPolicy::Open), ("closed", RowPolicy::Closed)])?,
        };
        device.check()?;
        Ok(device)
    }

    /// Checks every parameter; the other functions assume it done.
    ///
    /// # Errors
    /// [`Error::Rails`], [`Error::Range`] or [`Error::Negative`].
    pub fn check(&self) -> Result<(), Error> {
        let rails = self.voltage_v.len();
        within("voltage_v", rails as f64, rails > 0, "at least one rail")?;
        for (key, list) in self.currents.by_key() {
            if list.len() != rails {
                return Err(Error::Rails { key, found: list.len(), rails });
            }
            for &current in list {
                within(key, current, current >= 0.0, "[0, inf) mA")?;
            }
        }
        for &voltage in &self.voltage_v {
            within("voltage_v", voltage, voltage > 0.0, "(0, inf) V")?;
        }
        let timing = &self.timing;
        for (key, time) in [
            ("tck_ns", timing.tck_ns),
            ("rfc_ns", timing.rfc_ns),
            ("refi_ns", timing.refi_ns),
            ("refresh_window_ms", timing.refresh_window_ms),
        ] {
            within(key, time, time > 0.0, "(0, inf)")?;
        }
        within("rfc_ns", timing.rfc_ns, timing.rfc_ns < timing.refi_ns, "(0, refi_ns)")?;
        for (key, count) in [
            ("ccd_s", f64::from(timing.ccd_s)),
            ("device_bits", f64::from(self.device_bits)),
            ("page_bytes", self.page_bytes as f64),
            ("density_bits", self.density_bits as f64),
            ("banks_per_device", f64::from(self.banks_per_device)),
            ("devices", f64::from(self.devices)),
        ] {
            within(key, count, count >= 1.0, "1..")?;
        }
        within("burst_length", f64::from(self.burst_length), self.burst_length >= 2, "2..")?;
        let groups = self.bank_groups;
        let is_divisor = groups >= 1 && self.banks_per_device.is_multiple_of(groups);
        within("bank_groups", f64::from(groups), is_divisor, "the divisors of `banks_per_device`")?;
        let buses = self.command_buses;
        within("command_buses", f64::from(buses), buses == 1 || buses == 2, "1..=2")?;
        within("io_pj_per_bit", self.io_pj_per_bit, self.io_pj_per_bit >= 0.0, "[0, inf) pJ")?;
        for (what, energy) in [
            ("an activate and precharge", self.act_pre_pj()),
            ("a read burst", self.read_pj_per_bit()),
            ("a write burst", self.write_pj_per_bit()),
            ("a refresh", self.refresh_pj()),
        ] {
            if energy < 0.0 {
                return Err(Error::Negative(what));
            }
        }
        Ok(())
    }

    /// Power that `current` draws on all rails, mW.
    fn power(&self, current: &[f64]) -> f64 {
        self.voltage_v.iter().zip(current).map(|(volts, milliamperes)| volts * milliamperes).sum()
    }

    /// Energy of activating and precharging a row of one device, pJ.
    pub fn act_pre_pj(&self) -> f64 {
        let Currents { idd0_ma, idd2n_ma, idd3n_ma, .. } = &self.currents;
        let (ras, rp) = (f64::from(self.timing.ras), f64::from(self.timing.rp));
        let cycles =
            self.power(idd0_ma) * (ras + rp) - self.power(idd3n_ma) * ras - self.power(idd2n_ma) * rp;
        cycles * self.timing.tck_ns
    }

    /// Energy that the core of a device spends on a bit read, pJ; interface apart.
    pub fn read_pj_per_bit(&self) -> f64 {
        self.column_pj_per_bit(&self.currents.idd4r_ma)
    }

    /// Energy that the core of a device spends on a bit written, pJ; interface apart.
    pub fn write_pj_per_bit(&self) -> f64 {
        self.column_pj_per_bit(&self.currents.idd4w_ma)
    }

    fn column_pj_per_bit(&self, current: &[f64]) -> f64 {
        // BL / 2 cycles move BL transfers: the burst length cancels out.
        let power = self.power(current) - self.power(&self.currents.idd3n_ma);
        power * self.timing.tck_ns / 2.0 / f64::from(self.device_bits)
    }

    /// Energy of one refresh command of one device, pJ.
    pub fn refresh_pj(&self) -> f64 {
        (self.power(&self.currents.idd5b_ma) - self.power(&self.currents.idd3n_ma)) * self.timing.rfc_ns
    }

    /// Energy per bit of refreshing every cell once, pJ.
    pub fn refresh_pass_pj_per_bit(&self) -> f64 {
        let commands = self.timing.refresh_window_ms * 1e6 / self.timing.refi_ns;
        self.refresh_pj() * commands / self.density_bits as f64
    }

    /// Power of one device while no command is under way, mW.
    pub fn background_mw(&self, standby: Standby) -> f64 {
        self.power(match standby {
            Standby::Open => &self.currents.idd3n_ma,
            Standby::Closed => &self.currents.idd2n_ma,
            Standby::PowerDown => &self.currents.idd2p_ma,
            Standby::SelfRefresh => &self.currents.idd6_ma,
        })
    }

    /// The device at `temp_c` degrees Celsius: above 85 it is refreshed twice as often, every cell within 32 ms instead of 64
    /// (JEDEC's extended temperature range); a device with no longer interval than that stays as it is.
    #[must_use]
    pub fn at_temperature(&self, temp_c: f64) -> Self {
        /// Nominal interval above 85 degrees, ms.
        const HOT_WINDOW_MS: f64 = 32.0;
        let mut device = self.clone();
        let window_ms = self.timing.refresh_window_ms;
        if temp_c > 85.0 && window_ms > HOT_WINDOW_MS {
            device.timing.refresh_window_ms = (window_ms / 2.0).max(HOT_WINDOW_MS);
            device.timing.refi_ns *= device.timing.refresh_window_ms / window_ms;
        }
        device
    }

    /// Refresh interval over the nominal one.
    ///
    /// # Errors
    /// [`Error::RefreshInterval`] if it is shorter; [`Error::Range`] if it is no number. An infinite one is no refresh at all.
    pub fn multiplier(&self, interval_ms: f64) -> Result<f64, Error> {
        let nominal_ms = self.timing.refresh_window_ms;
        if interval_ms.is_nan() {
            return Err(Error::Range {
                key: "refresh_interval_ms",
                value: interval_ms,
                range: "[nominal, inf]",
            });
        }
        if interval_ms < nominal_ms {
            return Err(Error::RefreshInterval { interval_ms, nominal_ms });
        }
        Ok(interval_ms / nominal_ms)
    }

    /// Mean refresh rate over the nominal one if the bits of a word are refreshed at different intervals, each in devices of its
    /// own (Sparkk): one interval per bit position.
    ///
    /// # Errors
    /// As [`Device::multiplier`]; [`Error::Range`] if there is no interval.
    pub fn refresh_rate(&self, intervals_ms: &[f64]) -> Result<f64, Error> {
        let bits = intervals_ms.len() as f64;
        within("refresh_interval_ms", bits, bits >= 1.0, "at least one interval")?;
        let mut sum = 0.0;
        for &interval in intervals_ms {
            sum += 1.0 / self.multiplier(interval)?;
        }
        Ok(sum / bits)
    }

    /// Refresh power of one device at `multiplier` times the nominal interval, mW.
    pub fn refresh_mw(&self, multiplier: f64) -> f64 {
        self.refresh_pj() / (self.timing.refi_ns * multiplier)
    }

    /// Share of the time in which a rank is refreshed and answers nothing, at `multiplier` times the nominal interval. Of devices
    /// with different intervals the shortest counts: the others are refreshed along with them.
    pub fn time_lost_share(&self, multiplier: f64) -> f64 {
        self.timing.rfc_ns / (multiplier * self.timing.refi_ns)
    }

    /// Read latencies.
    pub fn latency(&self) -> Latency {
        let Timing { tck_ns, cl, rcd, rp, .. } = self.timing;
        let hit = f64::from(cl) + f64::from(self.burst_length) / 2.0;
        let closed = hit + f64::from(rcd);
        Latency {
            hit_ns: hit * tck_ns,
            closed_ns: closed * tck_ns,
            conflict_ns: (closed + f64::from(rp)) * tck_ns,
        }
    }

    /// Mean read latency, ns, where a share `row_hits` (0..=1) of the accesses goes to the row of the one before it. Under the
    /// closed policy no access hits and none conflicts.
    pub fn mean_latency_ns(&self, row_hits: f64) -> f64 {
        let Latency { hit_ns, closed_ns, conflict_ns } = self.latency();
        match self.row_policy {
            RowPolicy::Open => row_hits * hit_ns + (1.0 - row_hits) * conflict_ns,
            RowPolicy::Closed => closed_ns,
        }
    }

    /// Bytes of one burst of the rank.
    pub fn burst_bytes(&self) -> f64 {
        f64::from(self.devices) * f64::from(self.device_bits) * f64::from(self.burst_length) / 8.0
    }

    /// Largest data rate of the rank, bytes per second: bursts back to back.
    pub fn peak_bytes_per_second(&self) -> f64 {
        let cycles = (f64::from(self.burst_length) / 2.0).max(f64::from(self.timing.ccd_s));
        self.burst_bytes() / (cycles * self.timing.tck_ns) * 1e9
    }

    /// Bytes that a rank holds.
    pub fn rank_bytes(&self) -> f64 {
        f64::from(self.devices) * self.density_bits as f64 / 8.0
    }

    /// Energy of commands to the rank, interface included, pJ.
    pub fn commands_pj(&self, activations: f64, read_bursts: f64, write_bursts: f64) -> f64 {
        let bits = 8.0 * self.burst_bytes();
        let read = self.read_pj_per_bit() + self.io_pj_per_bit;
        let write = self.write_pj_per_bit() + self.io_pj_per_bit;
        let activation = f64::from(self.devices) * self.act_pre_pj();
        activations * activation + bits * (read_bursts * read + write_bursts * write)
    }

    /// Power of the ranks that hold `used_bytes` of data, in `standby`, refreshed at one interval per bit position of a word. In
    /// self refresh the device keeps its own rate and `refresh_mw` is part of the background.
    ///
    /// # Errors
    /// As [`Device::refresh_rate`].
    pub fn power_of(&self, used_bytes: u64, standby: Standby, intervals_ms: &[f64]) -> Result<Power, Error> {
        let rate = self.refresh_rate(intervals_ms)?;
        let ranks = (used_bytes as f64 / self.rank_bytes()).ceil().max(1.0);
        let devices = ranks * f64::from(self.devices);
        let refresh = match standby {
            Standby::SelfRefresh => 0.0,
            _ => self.refresh_mw(1.0) * rate,
        };
        Ok(Power {
            ranks: ranks as u64,
            background_mw: devices * self.background_mw(standby),
            refresh_mw: devices * refresh,
            allocated_share: used_bytes as f64 / (ranks * self.rank_bytes()),
        })
    }
}

impl Timing {
    fn from_constants(constants: Constants<'_, '_>) -> Result<Self, Error> {
        Ok(Self {
            tck_ns: constants.number("tck_ns")?,
            cl: constants.small_count("cl")?,
            cwl: constants.small_count("cwl")?,
            rcd: constants.small_count("rcd")?,
            rp: constants.small_count("rp")?,
            ras: constants.small_count("ras")?,
            rrd_s: constants.small_count("rrd_s")?,
            rrd_l: constants.small_count("rrd_l")?,
            faw: constants.small_count("faw")?,
            ccd_s: constants.small_count("ccd_s")?,
            ccd_l: constants.small_count("ccd_l")?,
            wr: constants.small_count("wr")?,
            rtp: constants.small_count("rtp")?,
            wtr_s: constants.small_count("wtr_s")?,
            wtr_l: constants.small_count("wtr_l")?,
            rtrs: constants.small_count("rtrs")?,
            ppd: constants.small_count("ppd")?,
            rfc_ns: constants.number("rfc_ns")?,
            refi_ns: constants.number("refi_ns")?,
            refresh_window_ms: constants.number("refresh_window_ms")?,
        })
    }
}

impl Currents {
    fn from_constants(constants: Constants<'_, '_>) -> Result<Self, Error> {
        Ok(Self {
            idd0_ma: constants.list("idd0_ma")?,
            idd2n_ma: constants.list("idd2n_ma")?,
            idd2p_ma: constants.list("idd2p_ma")?,
            idd3n_ma: constants.list("idd3n_ma")?,
            idd4r_ma: constants.list("idd4r_ma")?,
            idd4w_ma: constants.list("idd4w_ma")?,
            idd5b_ma: constants.list("idd5b_ma")?,
            idd6_ma: constants.list("idd6_ma")?,
        })
    }

    fn by_key(&self) -> [(&'static str, &[f64]); 8] {
        [
            ("idd0_ma", &self.idd0_ma),
            ("idd2n_ma", &self.idd2n_ma),
            ("idd2p_ma", &self.idd2p_ma),
            ("idd3n_ma", &self.idd3n_ma),
            ("idd4r_ma", &self.idd4r_ma),
            ("idd4w_ma", &self.idd4w_ma),
            ("idd5b_ma", &self.idd5b_ma),
            ("idd6_ma", &self.idd6_ma),
        ]
    }
}

#[cfg(test)]
#[path = "dram_tests.rs"]
mod tests;

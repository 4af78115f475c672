//! Energy, leakage, delay and area of an SRAM array over its size, width and supply voltage.
//!
//! At nominal voltage the figures come from a table over size and access width (CACTI 7 runs in the presets), interpolated in the
//! logarithms of size, width and value. Below it
//!
//! * macro: `E = E_nom (V / Vnom)^2`; array only: `E = E_nom (1 - s (1 - V / Vnom))`;
//! * leakage: `P = P_nom (V / Vnom)^x`;
//! * delay: constant frequency, or the alpha-power law `t ~ V / (V - Vt)^alpha`.

use super::constants::Constants;
use super::{Error, within};
use crate::memory::preset::Value;
use serde::Serialize;

/// Which part of the array follows the scaled supply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rail {
    /// The whole macro: cells, decoders and sense amplifiers. Energy goes with V².
    Macro,
    /// Only the cell array; the periphery stays at the nominal voltage. Energy falls linearly by [`Energy::array_share`].
    ArrayOnly,
}

/// How the access time follows the supply.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// The clock is the one of the nominal voltage: access time stays; what is too slow counts as a bit error.
    ConstantFrequency,
    /// Alpha-power law (Sakurai and Newton): t(V) / t(Vnom) = [V / (V - Vt)^alpha] / [Vnom / (Vnom - Vt)^alpha].
    AlphaPower {
        /// Key `alpha`; 1 to 2, typically 1.3 to 1.5.
        alpha: f64,
        /// Key `vt_v`: threshold voltage, V; below every operating voltage.
        vt_v: f64,
    },
}

/// A supply voltage, as error models state it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Voltage {
    /// In volts.
    Volts(f64),
    /// Over Vmin, the lowest voltage without a failing cell.
    OverVmin(f64),
}

/// Figures of arrays at nominal voltage. A column that was not published is empty.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// Key `table_word_bits`: access width of all columns but [`Table::width_read_pj`].
    pub word_bits: u32,
    /// Key `read_pj`: rows of bytes and energy per read, pJ.
    pub read_pj: Vec<[f64; 2]>,
    /// Key `write_pj`: rows of bytes and energy per write, pJ.
    pub write_pj: Vec<[f64; 2]>,
    /// Key `access_ns`: rows of bytes and access time, ns.
    pub access_ns: Vec<[f64; 2]>,
    /// Key `leakage_mw`: rows of bytes and leakage power, mW.
    pub leakage_mw: Vec<[f64; 2]>,
    /// Key `area_mm2`: rows of bytes and area, mm².
    pub area_mm2: Vec<[f64; 2]>,
    /// Key `width_read_pj`: rows of bytes, access width in bits and energy per read, pJ, on a full grid.
    pub width_read_pj: Vec<[f64; 3]>,
}

/// Energy model of one SRAM array.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Energy {
    /// Name of the preset, or `custom`.
    pub preset: String,
    /// Figures at nominal voltage.
    pub table: Table,
    /// Key `size_bytes`: size of one bank; every bank is an array of its own.
    pub size_bytes: u64,
    /// Key `word_bits`: bits per access, >= 1.
    pub word_bits: u32,
    /// Key `rail`: `macro` | `array_only`.
    pub rail: Rail,
    /// Key `array_share`: share of the access energy that scales with the array rail, 0..=1. Used by [`Rail::ArrayOnly`].
    pub array_share: f64,
    /// Key `leak_exp`: exponent of V in the leakage, 0..=6.
    pub leak_exp: f64,
    /// Key `v_nom`: voltage of the table, V, > 0.
    pub v_nom: f64,
    /// Key `vmin_v`: Vmin of the cells in volts; `None`: unknown. Required where the error model states voltages over Vmin.
    pub vmin_v: Option<f64>,
    /// Key `access_scale`: factor on all access energies, > 0, default 1.
    pub access_scale: f64,
    /// Key `leak_scale`: factor on the leakage, > 0, default 1.
    pub leak_scale: f64,
    /// Key `timing`: `constant_frequency` | `alpha_power`.
    pub timing: Timing,
}

/// An array at its operating point; `None`: not published for this array.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SramPoint {
    /// Energy per read of one access width, pJ.
    pub read_pj: f64,
    /// Energy per write of one access width, pJ.
    pub write_pj: Option<f64>,
    /// Leakage, mW.
    pub leakage_mw: Option<f64>,
    /// Access time, ns.
    pub access_ns: Option<f64>,
    /// Area, mm².
    pub area_mm2: Option<f64>,
}

impl Energy {
    /// Every key that [`Energy::from_constants`] reads.
    pub const KEYS: [&str; 19] = [
        "size_bytes",
        "word_bits",
        "table_word_bits",
        "read_pj",
        "write_pj",
        "access_ns",
        "leakage_mw",
        "area_mm2",
        "width_read_pj",
        "rail",
        "array_share",
        "leak_exp",
        "v_nom",
        "vmin_v",
        "access_scale",
        "leak_scale",
        "timing",
        "alpha",
        "vt_v",
    ];

    /// The model that `lookup` describes: what was typed, else the constant of the preset called `preset`.
    ///
    /// # Errors
    /// [`Error::Missing`] if a key without published value was not given; [`Error::Kind`] or [`Error::Choice`] if a value is none
    /// of its key; [`Error::Range`], [`Error::OutsideTable`] or [`Error::Table`] as [`Energy::at`] at the nominal voltage.
    pub fn from_constants<'v>(
        preset: &str,
        lookup: &dyn Fn(&str) -> Option<&'v Value>,
    ) -> Result<Self, Error> {
        let constants = Constants(lookup);
        let energy = Self {
            preset: preset.to_owned(),
            table: Table {
                word_bits: constants.small_count("table_word_bits")?,
                read_pj: constants.rows("read_pj")?,
                write_pj: constants.rows("write_pj")?,
                access_ns: constants.rows("access_ns")?,
                leakage_mw: constants.rows("leakage_mw")?,
                area_mm2: constants.rows("area_mm2")?,
                width_read_pj: constants.rows("width_read_pj")?,
            },
            size_bytes: constants.count("size_bytes")?,
            word_bits: constants.small_count("word_bits")?,
            rail: constants.choice("rail", &[("macro", Rail::Macro), ("array_only", Rail::ArrayOnly)])?,
            array_share: constants.number("array_share")?,
            leak_exp: constants.number("leak_exp")?,
            v_nom: constants.number("v_nom")?,
            vmin_v: constants.optional_number("vmin_v")?,
            access_scale: constants.number("access_scale")?,
            leak_scale: constants.number("leak_scale")?,
            timing: if constants.choice("timing", &[("constant_frequency", false), ("alpha_power", true)])? {
                Timing::AlphaPower { alpha: constants.number("alpha")?, vt_v: constants.number("vt_v")? }
            } else {
                Timing::ConstantFrequency
            },
        };
        energy.at(1.0)?;
        Ok(energy)
    }

    /// V / Vnom at `voltage`.
    ///
    /// # Errors
    /// [`Error::UnknownVmin`] if `voltage` is relative to Vmin and `vmin_v` is not given; [`Error::Range`] if the ratio is not in
    /// (0, 1].
    pub fn ratio(&self, voltage: Voltage) -> Result<f64, Error> {
        within("v_nom", self.v_nom, self.v_nom > 0.0, "(0, inf) V")?;
        let volts = match voltage {
            Voltage::Volts(volts) => volts,
            Voltage::OverVmin(v) => {
                let vmin = self.vmin_v.ok_or(Error::UnknownVmin)?;
                within("vmin_v", vmin, vmin > 0.0, "(0, inf) V")?;
                v * vmin
            }
        };
        let ratio = volts / self.v_nom;
        within(
            "v",
            volts,
            ratio > 0.0 && ratio <= 1.0,
            "(0, v_nom]: the figures scale down from the nominal voltage",
        )?;
        Ok(ratio)
    }

    /// Access energy at `v_ratio` = V / Vnom over the nominal one.
    pub fn access_factor(&self, v_ratio: f64) -> f64 {
        match self.rail {
            Rail::Macro => v_ratio * v_ratio,
            Rail::ArrayOnly => 1.0 - self.array_share * (1.0 - v_ratio),
        }
    }

    /// Leakage at `v_ratio` = V / Vnom over the nominal one.
    pub fn leakage_factor(&self, v_ratio: f64) -> f64 {
        libm::pow(v_ratio, self.leak_exp)
    }

    /// Access energy at `v` = V / Vmin over that at Vmin: `v^2` for a macro, for which no absolute voltage need be known.
    ///
    /// # Errors
    /// [`Error::UnknownVmin`] if only the array is scaled and `vmin_v` is not given; [`Error::Range`] if `v` is not in (0, 1].
    pub fn relative_to_vmin(&self, v: f64) -> Result<f64, Error> {
        within("v", v, v > 0.0 && v <= 1.0, "(0, 1] Vmin")?;
        match self.rail {
            Rail::Macro => Ok(v * v),
            Rail::ArrayOnly => {
                let at = |v| Ok(self.access_factor(self.ratio(Voltage::OverVmin(v))?));
                Ok(at(v)? / at(1.0)?)
            }
        }
    }

    /// Access time at `v_ratio` = V / Vnom over the nominal one.
    ///
    /// # Errors
    /// [`Error::Range`] if alpha is not in 1..=2 or the threshold voltage is not below the supply.
    pub fn delay_factor(&self, v_ratio: f64) -> Result<f64, Error> {
        match self.timing {
            Timing::ConstantFrequency => Ok(1.0),
            Timing::AlphaPower { alpha, vt_v } => {
                within("alpha", alpha, (1.0..=2.0).contains(&alpha), "1..2")?;
                let below = vt_v >= 0.0 && vt_v < v_ratio * self.v_nom;
                within("vt_v", vt_v, below, "[0, v): the cells switch only above their threshold")?;
                let overdrive = (self.v_nom - vt_v) / (v_ratio * self.v_nom - vt_v);
                Ok(v_ratio * libm::pow(overdrive, alpha))
            }
        }
    }

    /// The array at `v_ratio` = V / Vnom, see [`Energy::ratio`].
    ///
    /// # Errors
    /// [`Error::Range`] if a parameter is outside its range; [`Error::OutsideTable`] if size or width is outside the table;
    /// [`Error::Table`] if a table is none.
    pub fn at(&self, v_ratio: f64) -> Result<SramPoint, Error> {
        self.check(v_ratio)?;
        let size = self.size_bytes as f64;
        let width = f64::from(self.word_bits);
        let other_width = self.word_bits != self.table.word_bits;
        let column = |key, rows: &[[f64; 2]]| {
            if rows.is_empty() || other_width { Ok(None) } else { along_size(key, rows, size).map(Some) }
        };
        let access = self.access_scale * self.access_factor(v_ratio);
        let leakage = self.leak_scale * self.leakage_factor(v_ratio);
        let delay = self.delay_factor(v_ratio)?;
        let read_pj = self.table.read(size, width)?;
        let write_pj = column("write_pj", &self.table.write_pj)?;
        let leakage_mw = column("leakage_mw", &self.table.leakage_mw)?;
        let access_ns = column("access_ns", &self.table.access_ns)?;
        Ok(SramPoint {
            read_pj: read_pj * access,
            write_pj: write_pj.map(|nominal| nominal * access),
            leakage_mw: leakage_mw.map(|nominal| nominal * leakage),
            access_ns: access_ns.map(|nominal| nominal * delay),
            area_mm2: column("area_mm2", &self.table.area_mm2)?,
        })
    }

    fn check(&self, v_ratio: f64) -> Result<(), Error> {
        let share = self.array_share;
        within("v", v_ratio, v_ratio > 0.0 && v_ratio <= 1.0, "(0, 1] of v_nom")?;
        within("v_nom", self.v_nom, self.v_nom > 0.0, "(0, inf) V")?;
        within("size_bytes", self.size_bytes as f64, self.size_bytes > 0, "1..")?;
        within("word_bits", f64::from(self.word_bits), self.word_bits > 0, "1..")?;
        within("array_share", share, (0.0..=1.0).contains(&share), "0..1")?;
        within("leak_exp", self.leak_exp, (0.0..=6.0).contains(&self.leak_exp), "0..6")?;
        within("access_scale", self.access_scale, self.access_scale > 0.0, "(0, inf)")?;
        within("leak_scale", self.leak_scale, self.leak_scale > 0.0, "(0, inf)")
    }
}

impl Table {
    /// Energy of a read of `width` bits in an array of `size` bytes, pJ: the column of the table's own width times the ratio of
    /// the two widths in [`Table::width_read_pj`].
    fn read(&self, size: f64, width: f64) -> Result<f64, Error> {
        let nominal = along_size("read_pj", &self.read_pj, size)?;
        let own = f64::from(self.word_bits);
        if width == own {
            return Ok(nominal);
        }
        if self.width_read_pj.is_empty() {
            let (column, what) = ("width_read_pj", "access widths in bits of");
            return Err(Error::OutsideTable { column, what, low: own, high: own, value: width });
        }
        Ok(nominal * self.grid(size, width)? / self.grid(size, own)?)
    }

    /// The grid of [`Table::width_read_pj`], interpolated along the width at the sizes that it has, then along the size.
    fn grid(&self, size: f64, width: f64) -> Result<f64, Error> {
        const KEY: &str = "width_read_pj";
        let mut sizes: Vec<f64> = self.width_read_pj.iter().map(|row| row[0]).collect();
        sizes.sort_by(f64::total_cmp);
        sizes.dedup();
        let mut at_width = Vec::with_capacity(sizes.len());
        for bank in sizes {
            let rows = self.width_read_pj.iter().filter(|row| row[0] == bank);
            let rows: Vec<[f64; 2]> = rows.map(|row| [row[1], row[2]]).collect();
            at_width.push([bank, interpolated(KEY, "access widths in bits of", &rows, width)?]);
        }
        along_size(KEY, &at_width, size)
    }
}

fn along_size(key: &'static str, rows: &[[f64; 2]], size: f64) -> Result<f64, Error> {
    interpolated(key, "sizes in bytes of", rows, size)
}

/// Value at `x` of `rows`, pairs in any order: linear between the logarithms of both, exact at the rows.
fn interpolated(column: &'static str, what: &'static str, rows: &[[f64; 2]], x: f64) -> Result<f64, Error> {
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let positive = rows.iter().flatten().all(|number| number.is_finite() && *number > 0.0);
    let distinct = rows.windows(2).all(|pair| pair[0][0] < pair[1][0]);
    let (true, true, Some(first), Some(last)) = (positive, distinct, rows.first(), rows.last()) else {
        return Err(Error::Table { column });
    };
    if !(first[0]..=last[0]).contains(&x) {
        return Err(Error::OutsideTable { column, what, low: first[0], high: last[0], value: x });
    }
    let above = rows.partition_point(|row| row[0] < x);
    let [x1, y1] = rows[above];
    if x1 == x {
        return Ok(y1);
    }
    // `x` lies above the first row and is not at `above`, so that a row lies below it.
    let [x0, y0] = rows[above - 1];
    let share = libm::log(x / x0) / libm::log(x1 / x0);
    Ok(y0 * libm::pow(y1 / y0, share))
}

#[cfg(test)]
#[path = "sram_tests.rs"]
mod tests;

//! The plots of docs/memories.md, from the models and presets of the library: SVG files into `docs/plots`, or into the folder
//! given as argument. Every run writes the same bytes.
//!
//! `cargo run --release --example memory_plots`

mod presets;

use approxmem::memory::preset::{self, Table, Tag};
use approxmem::memory::protection_cost::{Relative, cost};
use approxmem::memory::secded::{self, CODE_BITS};
use approxmem::memory::transfer::{Layout, Transfer};
use approxmem::memory::{Protection, dram};
use approxmem::random::{Key, Label, ln, ln_one_minus, open_unit};
use approxmem::report::chart::{Axis, BLUE, Figure, GREEN, INK, Layer, ORANGE, RGBColor, Shape};
use std::error::Error;
use std::path::PathBuf;

type Drawn = Result<Figure, Box<dyn Error>>;

fn main() -> Result<(), Box<dyn Error>> {
    let shipped = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/plots");
    let folder = std::env::args_os().nth(1).map_or_else(shipped, PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    for figure in [
        sram_14nm()?,
        sram_45nm()?,
        sram_energy()?,
        dram_flikker()?,
        dram_ddr3l()?,
        dram_temperature()?,
        uniform_presets()?,
        link_bursts()?,
        secded_residual(),
        protection_energy()?,
    ] {
        let file = folder.join(&figure.file);
        std::fs::write(&file, figure.svg()?).map_err(|error| format!("{}: {error}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(())
}

fn curve(name: &str, colour: RGBColor, valid: [f64; 2], model: impl Fn(f64) -> f64 + 'static) -> Layer {
    Layer::Curve { name: name.into(), colour, valid, model: Box::new(move |x| Some(model(x))) }
}

fn published(name: &str, shape: Shape, points: Vec<(f64, f64)>) -> Layer {
    Layer::Points { name: name.into(), colour: INK, shape, hollow: false, joined: false, points }
}

fn series(name: &str, colour: RGBColor, shape: Shape, points: Vec<(f64, f64)>) -> Layer {
    Layer::Points { name: name.into(), colour, shape, hollow: false, joined: true, points }
}

fn sram_14nm() -> Drawn {
    let preset = presets::find("sram.14nm.stutz21")?;
    let (probit, table) = (presets::sram(preset, "probit")?, presets::sram(preset, "table")?);
    let points = presets::points(preset)?;
    let between = [points[0].0, points[points.len() - 1].0];
    Ok(Figure {
        file: "sram-14nm.svg".into(),
        title: "SRAM, 14 nm: bit error rate over voltage".into(),
        x: Axis::linear("supply voltage v / Vmin", [0.70, 1.05], 0.05, 2),
        y: Axis::decades("bit error rate", [-10, 0], 1),
        layers: vec![
            curve("sram.14nm.stutz21, curve = table", ORANGE, between, move |v| table.bit_error_rate_at(v)),
            curve("sram.14nm.stutz21, curve = probit", BLUE, probit.v_range, move |v| {
                probit.bit_error_rate_at(v)
            }),
            Layer::Level { name: "one cell of the 2^20 measured".into(), value: 1.0 / 1_048_576.0 },
            published(
                "measured: Stutz et al., MLSys 2021, Fig. 1 (at Vmin no cell of 2^20)",
                Shape::Circle,
                points,
            ),
        ],
    })
}

fn sram_45nm() -> Drawn {
    let preset = presets::find("sram.45nm.dpcs15")?;
    let (probit2, probit) = (presets::sram(preset, "probit2")?, presets::sram(preset, "probit")?);
    let valid = probit2.v_range;
    Ok(Figure {
        file: "sram-45nm.svg".into(),
        title: "SRAM, 45 nm SOI: bit error rate over voltage".into(),
        x: Axis::linear("supply voltage of the cell array, V", [0.2, 1.1], 0.1, 1),
        y: Axis::decades("bit error rate", [-12, 0], 2),
        layers: vec![
            curve("sram.45nm.dpcs15, curve = probit", ORANGE, valid, move |v| probit.bit_error_rate_at(v)),
            curve("sram.45nm.dpcs15, curve = probit2", BLUE, valid, move |v| probit2.bit_error_rate_at(v)),
            published(
                "margin model of the authors: Gottscho et al., DAC 2014 and TACO 2015, parameter file",
                Shape::Circle,
                presets::points(preset)?,
            ),
        ],
    })
}

fn sram_energy() -> Drawn {
    let preset = presets::find("cacti7.45nm.lstp")?;
    let (whole, array) = (presets::energy(preset, "macro")?, presets::energy(preset, "array_only")?);
    let of_24 = |points: [(f64, f64); 7]| points.map(|(v, energy)| (v / 24.0, energy)).to_vec();
    let over = |nominal: f64, points: &[(f64, f64)]| points.iter().map(|(v, y)| (*v, y / nominal)).collect();
    Ok(Figure {
        file: "sram-energy.svg".into(),
        title: "SRAM: energy of an access and leakage over voltage".into(),
        x: Axis::linear("supply voltage over Vmin (14 nm) or over 1.0 V (45 nm)", [0.4, 1.0], 0.1, 1),
        y: Axis::linear("energy or power over that at 1.0", [0.0, 1.2], 0.2, 1),
        layers: vec![
            curve(
                "rail = macro: access energy ~ v²; leakage with leak_exp = 2",
                BLUE,
                [0.4, 1.0],
                move |v| whole.access_factor(v),
            ),
            curve("rail = array_only, array_share = 0.407: access energy", ORANGE, [0.4, 1.0], move |v| {
                array.access_factor(v)
            }),
            published(
                "access energy, 14 nm: Stutz et al., MLSys 2021, Fig. 1",
                Shape::Circle,
                of_24([
                    (18.0, 0.5625),
                    (19.0, 0.6267),
                    (20.0, 0.6944),
                    (21.0, 0.7656),
                    (22.0, 0.8403),
                    (23.0, 0.9184),
                    (24.0, 1.0),
                ]),
            ),
            published(
                "access energy, 45 nm SOI: Gottscho et al., TACO 2015, parameter file",
                Shape::Square,
                over(
                    26.07,
                    &[
                        (0.40, 19.74),
                        (0.45, 20.25),
                        (0.50, 20.77),
                        (0.55, 21.29),
                        (0.60, 21.81),
                        (0.65, 22.34),
                        (0.70, 22.86),
                        (0.75, 23.39),
                        (0.80, 23.92),
                        (0.90, 24.99),
                        (1.00, 26.07),
                    ],
                ),
            ),
            Layer::Points {
                name: "static power, 45 nm SOI: same file, above 0.6 V, where no block is switched off"
                    .into(),
                colour: INK,
                shape: Shape::Triangle,
                hollow: true,
                joined: false,
                points: over(157.6, &[(0.65, 68.6), (0.70, 78.0), (0.75, 88.0), (0.80, 98.9), (0.90, 124.7)]),
            },
        ],
    })
}

fn dram_flikker() -> Drawn {
    let preset = presets::find("dram.flikker48")?;
    let (log_normal, power_law) = (presets::dram(preset, "log_normal")?, presets::dram(preset, "power_law")?);
    let (valid, supported) = (log_normal.t_range_s, log_normal.supported_share);
    Ok(Figure {
        file: "dram-flikker48.svg".into(),
        title: "DRAM at 48 °C: weak cells over the refresh interval".into(),
        x: Axis::logarithmic(
            "refresh interval, s",
            [0.5, 100.0],
            &[0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0],
        ),
        y: Axis::decades("share of weak cells F", [-9, -2], 1),
        layers: vec![
            curve("dram.flikker48, retention = power_law", ORANGE, valid, move |t| {
                power_law.bit_error_rate(t)
            }),
            curve("dram.flikker48, retention = log_normal", BLUE, valid, move |t| {
                log_normal.bit_error_rate(t)
            }),
            tail(supported),
            published(
                "Flikker, ASPLOS 2011, after Bhalodia 2005 (recalled)",
                Shape::Circle,
                presets::points(preset)?,
            ),
        ],
    })
}

fn tail(supported: f64) -> Layer {
    Layer::Level { name: "supported_share: end of the leaky tail".into(), value: supported }
}

/// Bits of a DDR3L module.
const MODULE_BITS: f64 = 17_179_869_184.0;

fn dram_ddr3l() -> Drawn {
    let (warm, cold) = (presets::find("dram.ddr3l_70c")?, presets::find("dram.ddr3l_20c")?);
    let (at_70, at_20) = (presets::dram(warm, "log_normal")?, presets::dram(cold, "log_normal")?);
    let (valid, supported) = (at_70.t_range_s, at_70.supported_share);
    Ok(Figure {
        file: "dram-ddr3l.svg".into(),
        title: "DDR3L modules: weak cells over the refresh interval".into(),
        x: Axis::logarithmic(
            "refresh interval, s",
            [0.25, 100.0],
            &[0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0],
        ),
        y: Axis::decades("share of weak cells F", [-13, -1], 2),
        layers: vec![
            curve("dram.ddr3l_70c, retention = log_normal", BLUE, valid, move |t| at_70.bit_error_rate(t)),
            curve("dram.ddr3l_20c, retention = log_normal", ORANGE, valid, move |t| at_20.bit_error_rate(t)),
            tail(supported),
            published(
                "70 °C, mean of 31 modules: Chang et al., SIGMETRICS 2017, data set",
                Shape::Circle,
                presets::points(warm)?,
            ),
            Layer::Points {
                name: "70 °C, 0.512 s: 0.15 bits per module, not fitted".into(),
                colour: INK,
                shape: Shape::Circle,
                hollow: true,
                joined: false,
                points: vec![(0.512, 0.15 / MODULE_BITS)],
            },
            published("20 °C, same data set", Shape::Square, presets::points(cold)?),
        ],
    })
}

fn dram_temperature() -> Drawn {
    /// The longest recorded interval, s.
    const INTERVAL: f64 = 2.048;
    let (warm, cold) = (presets::find("dram.ddr3l_70c")?, presets::find("dram.ddr3l_20c")?);
    let mut layers = Vec::new();
    for (halving, colour) in [(50.0, ORANGE), (32.0, GREEN), (10.0, BLUE)] {
        let mut dram = presets::dram(warm, "log_normal")?;
        dram.temp_halving_c = halving;
        // The temperature at which the interval acts as the shortest recorded one does at 70 degrees.
        let coldest = dram.t_ref_c + halving * libm::log2(dram.t_range_s[0] / INTERVAL);
        let name = format!("dram.ddr3l_70c, temp_halving_c = {halving}");
        layers.push(curve(&name, colour, [coldest, dram.t_ref_c], move |temp_c| {
            dram::Errors { temp_c, ..dram.clone() }.bit_error_rate(INTERVAL)
        }));
    }
    let mut points = Vec::new();
    for preset in [cold, warm] {
        let recorded = presets::points(preset)?.into_iter().find(|(t, _)| *t == INTERVAL);
        let (_, rate) = recorded.ok_or("2.048 s is not recorded")?;
        points.push((presets::number(preset, "t_ref_c")?, rate));
    }
    layers.push(published(
        "mean of 31 modules after 2.048 s: Chang et al., SIGMETRICS 2017, data set",
        Shape::Circle,
        points,
    ));
    Ok(Figure {
        file: "dram-temperature.svg".into(),
        title: "DDR3L modules refreshed every 2.048 s: weak cells over temperature".into(),
        x: Axis::linear("temperature, °C", [0.0, 90.0], 10.0, 0),
        y: Axis::decades("share of weak cells F", [-14, -4], 1),
        layers,
    })
}

fn uniform_presets() -> Drawn {
    let mut names = Vec::new();
    let (mut derived, mut recalled, mut found) = (Vec::new(), Vec::new(), Vec::new());
    // The first preset stands at the top.
    for preset in preset::all().iter().rev().filter(|preset| preset.table == Table::Uniform) {
        let row = names.len() as f64;
        names.push(preset.name.as_str());
        let rates = match preset.constant("ber").map(|constant| constant.tag) {
            Some(Tag::Derived) => &mut derived,
            Some(Tag::Recalled) => &mut recalled,
            Some(Tag::Found) => &mut found,
            None => return Err(format!("{} has no ber", preset.name).into()),
        };
        rates.push((presets::number(preset, "ber")?, row));
    }
    let mut layers = Vec::new();
    for (name, shape, colour, points) in [
        ("found in the source", Shape::Triangle, INK, found),
        ("derived from the source: by formula, or digitised from a plot", Shape::Circle, BLUE, derived),
        ("recalled from the literature", Shape::Square, ORANGE, recalled),
    ] {
        if !points.is_empty() {
            layers.push(Layer::Points {
                name: name.into(),
                colour,
                shape,
                hollow: false,
                joined: false,
                points,
            });
        }
    }
    Ok(Figure {
        file: "uniform-presets.svg".into(),
        title: "Presets of one bit error rate".into(),
        x: Axis::decades("bit error rate", [-10, 0], 1),
        y: Axis::names(&names),
        layers,
    })
}

fn link_bursts() -> Drawn {
    const BITS: u32 = 16;
    let bursts = |words: u64, layout: Layout, bits: u32| -> Result<f64, Box<dyn Error>> {
        let link = Transfer { layout, ..Transfer::default() };
        Ok(link.bursts(words, BITS, bits, 0)?.bursts as f64)
    };
    let over_bits = |words: u64, layout: Layout| -> Result<Vec<(f64, f64)>, Box<dyn Error>> {
        let untruncated = bursts(words, Layout::Padded, BITS)?;
        (1..=BITS).map(|bits| Ok((f64::from(bits), bursts(words, layout, bits)? / untruncated))).collect()
    };
    Ok(Figure {
        file: "link-bursts.svg".into(),
        title: "Link: bursts of 64 bytes over precision, words of 16 bits".into(),
        x: Axis::linear("bits of a word that cross the link", [0.0, 17.0], 2.0, 0),
        y: Axis::linear("bursts over those of 16 bits, padded", [0.0, 3.5], 0.5, 1),
        layers: vec![
            series(
                "bitplane, 150 words: each plane takes a burst of its own",
                INK,
                Shape::Diamond,
                over_bits(150, Layout::Bitplane)?,
            ),
            series(
                "padded, any number of words: bursts of full width",
                ORANGE,
                Shape::Triangle,
                over_bits(400_000, Layout::Padded)?,
            ),
            series("packed, 150 words: whole bursts", GREEN, Shape::Square, over_bits(150, Layout::Packed)?),
            series(
                "packed and bitplane, 400 000 words",
                BLUE,
                Shape::Circle,
                over_bits(400_000, Layout::Packed)?,
            ),
        ],
    })
}

/// Bit error rate of the data of `words` code words behind the decoder, each stored bit erring with probability `q`.
fn decoded_error_rate(q: f64, words: u64) -> f64 {
    let key = Key::new(Label::new("decoded error rate")).with(Label::new("q"), q.to_bits());
    let (gaps, data) = (key.with(Label::new("gaps"), 0).words(), key.with(Label::new("data"), 0).words());
    let code_bits = u64::from(CODE_BITS);
    // The next wrong bit of the code words laid end to end, by geometric gaps.
    let mut draws = 0;
    let mut gap = || {
        draws += 1;
        (ln(open_unit(gaps.at(draws))) / ln_one_minus(q)) as u64
    };
    let (mut wrong, mut next) = (0, gap());
    while next < words * code_bits {
        let word = next / code_bits;
        let written = data.at(word);
        let (mut read, mut check) = (written, secded::encode(written));
        while next / code_bits == word {
            match next % code_bits {
                bit @ ..64 => read ^= 1 << bit,
                bit => check ^= 1 << (bit - 64),
            }
            next += 1 + gap();
        }
        wrong += u64::from((secded::decode(read, check).data ^ written).count_ones());
    }
    wrong as f64 / (64 * words) as f64
}

fn secded_residual() -> Figure {
    let simulated = [
        (1e-4, 40_000_000),
        (3e-4, 4_000_000),
        (1e-3, 1_000_000),
        (3e-3, 200_000),
        (1e-2, 100_000),
        (3e-2, 100_000),
        (1e-1, 100_000),
    ];
    let simulated = simulated.map(|(q, words)| (q, decoded_error_rate(q, words)));
    Figure {
        file: "secded.svg".into(),
        title: "SECDED(72,64): wrong data bits behind the decoder".into(),
        x: Axis::decades("bit error rate of the stored bits", [-6, 0], 1),
        y: Axis::decades("bit error rate of the data", [-11, 0], 1),
        layers: vec![
            curve("without a code", ORANGE, [1e-6, 1.0], |q| q),
            curve(
                "closed form q (1 - (1 - q)^71): two errors and more stay as they are",
                BLUE,
                [1e-6, 1.0],
                secded::residual_bit_error_rate,
            ),
            published("real code words, encoded, hit and decoded", Shape::Circle, simulated.to_vec()),
        ],
    }
}

fn protection_energy() -> Drawn {
    let errors = presets::sram(presets::find("sram.14nm.stutz21")?, "probit")?;
    let energy = presets::energy(presets::find("cacti7.45nm.lstp")?, "macro")?;
    // Voltage is the parameter of the curves.
    let at = |v: f64, msbs: u32, word_bits: u32| -> Result<(f64, f64), Box<dyn Error>> {
        let access = energy.relative_to_vmin(v)?;
        let relative = Relative { access, leakage: access };
        let cost = cost(Protection::dual_rail(msbs), word_bits, relative)?;
        Ok((errors.bit_error_rate_at(v), cost.access))
    };
    // The rate falls with the voltage: half the interval, time after time.
    let voltage = |rate: f64| {
        let halve = |[low, high]: [f64; 2], _| {
            let middle = f64::midpoint(low, high);
            if errors.bit_error_rate_at(middle) > rate { [middle, high] } else { [low, middle] }
        };
        (0..60).fold(errors.v_range, halve)[1]
    };
    let line = |msbs, word_bits| -> Result<Vec<_>, Box<dyn Error>> {
        (-13..=-2).map(|step| at(voltage(libm::pow(10.0, f64::from(step) / 2.0)), msbs, word_bits)).collect()
    };
    let marked = [at(voltage(1e-4), 0, 8)?, at(voltage(1e-3), 3, 8)?, at(voltage(1e-3), 3, 16)?];
    let [plain, of_8, of_16] = marked.map(|(_, energy)| format!("{energy:.3}"));
    Ok(Figure {
        file: "protection-energy.svg".into(),
        title: "SRAM, 14 nm: what three protected bits cost with a dual rail".into(),
        x: Axis::decades("bit error rate of the unprotected bits", [-7, -1], 1),
        y: Axis::linear("energy of an access over that at Vmin", [0.6, 1.0], 0.05, 2),
        layers: vec![
            series("3 protected bits of 8", ORANGE, Shape::Square, line(3, 8)?),
            series("3 protected bits of 16", GREEN, Shape::Diamond, line(3, 16)?),
            series("no protected bits", BLUE, Shape::Circle, line(0, 8)?),
            Layer::Points {
                name: format!("{plain} unprotected at 1e-4; {of_8} (3 of 8) and {of_16} (3 of 16) at 1e-3"),
                colour: INK,
                shape: Shape::Ring,
                hollow: true,
                joined: false,
                points: marked.to_vec(),
            },
        ],
    })
}

//! What the scheme of Chen et al. (GLSVLSI'17, table 4) does to AlexNet: data volume, DRAM time and energy.
//!
//! `cargo run --release --example table4` prints the table of `docs/accelerator.md`. The DRAM is DDR4-2400 x64 in two ranks with
//! the timing of DRAMsim3's configuration, without the energy of the interface, as DRAMsim3 counts.

use approxmem::accelerator::dram::{Direction, Pattern, Replay, Stream, System, closed_form};
use approxmem::accelerator::lowering;
use approxmem::config::Document;
use approxmem::experiment::{Machine, MachineFigures};
use approxmem::memory::energy::dram::Device;
use approxmem::memory::preset;
use approxmem::network::{self, Operand};
use std::path::Path;

/// The scheme: data subset, bits.
const SCHEME: [(&str, u64); 5] =
    [("weight_fc6", 5), ("weight_fc7", 5), ("weight_fc8", 5), ("weight_conv3", 8), ("weight_conv4", 10)];
/// Shares of these subsets in the data volume as the paper prints them (table 2), in hundredths of a percent.
const PRINTED_SHARES: [u64; 5] = [6150, 2733, 667, 144, 108];

fn bits(subset: &str) -> u64 {
    SCHEME.iter().find(|(name, _)| *name == subset).map_or(32, |(_, bits)| *bits)
}

/// DDR4-2400 of 8 Gb x8, timed as in DRAMsim3's `DDR4_8Gb_x8_2400.ini`.
fn dram() -> Result<System, Box<dyn std::error::Error>> {
    let preset = preset::find("ddr4_2400_8gb_x8").ok_or("the preset is embedded")?;
    let lookup = |key: &str| preset.constant(key).map(|constant| &constant.value);
    let mut device = Device::from_constants(&preset.name, &lookup)?;
    (device.timing.tck_ns, device.io_pj_per_bit) = (0.83, 0.0);
    (device.timing.rfc_ns, device.timing.refi_ns) = (420.0 * 0.83, 9360.0 * 0.83);
    Ok(System::new(device, "rochrabacobg".parse()?, 1, 2, 32)?)
}

/// Milliseconds and millijoules of reading `bytes` once, in closed form and command by command.
fn read_once(system: &System, bytes: u64) -> Result<[f64; 4], Box<dyn std::error::Error>> {
    let stream = Stream { pattern: Pattern::Sequential, direction: Direction::Read, bytes };
    let (estimate, run) = (closed_form(system, &stream)?, Replay::run(system, &stream)?);
    Ok([
        estimate.seconds * 1e3,
        estimate.energy.total_pj() * 1e-9,
        run.seconds * 1e3,
        run.energy.total_pj() * 1e-9,
    ])
}

/// AlexNet with fp32 words but for the scheme's, on the array of `config`.
fn machine(config: &Path, scheme: bool) -> Result<MachineFigures, Box<dyn std::error::Error>> {
    let refused = |problems: approxmem::config::Problems| problems.to_string();
    let mut document = Document::read(config).map_err(refused)?;
    for pattern in ["weight_*", "bias_*", "neuron_*"] {
        document.set(&format!("formats.\"{pattern}\"={{ kind = \"fp32\" }}")).map_err(refused)?;
    }
    for (subset, bits) in SCHEME.iter().filter(|_| scheme) {
        let word = format!("formats.{subset}={{ kind = \"fixed\", bits = {bits} }}");
        document.set(&word).map_err(refused)?;
    }
    let definition = document.network_definition().map_err(refused)?;
    let network = network::read_definition(&definition.path)?;
    let mut machine: Machine = document.machine(&network).map_err(refused)?.machine;
    let operations = lowering::operations(&network, &machine.accelerator.fuse)?;
    let running = machine.start(operations, None)?;
    Ok(MachineFigures::of(&machine, &running)?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let network = network::read_definition(&root.join("models/alexnet/alexnet.prototxt"))?;
    let subsets = network.subsets();
    let volume: u64 = subsets.iter().filter(|s| s.in_volume).map(|s| s.words).sum();
    let moved: u64 = subsets.iter().filter(|s| s.in_volume).map(|s| s.words * bits(&s.name)).sum();
    let printed: u64 = PRINTED_SHARES.iter().zip(SCHEME).map(|(share, (_, bits))| share * (32 - bits)).sum();
    println!(
        "Data volume reduction (eq. 1): {:.2} % on the printed shares, {:.2} % on {volume} words",
        printed as f64 / 320_000.0 * 100.0,
        (1.0 - moved as f64 / (32 * volume) as f64) * 100.0,
    );

    let is_weight = |operand| matches!(operand, Operand::Weight | Operand::Bias);
    let weights = || subsets.iter().filter(|subset| is_weight(subset.operand));
    let fp32: u64 = weights().map(|subset| 4 * subset.words).sum();
    let scheme = weights().map(|subset| subset.words * bits(&subset.name)).sum::<u64>().div_ceil(8);
    println!("\nWeights and biases read once, DDR4-2400 x64, 2 ranks (closed form / command by command):\n");
    println!("| | bytes | time_ms | energy_mj |\n|---|---|---|---|");
    let system = dram()?;
    for (name, bytes) in [("fp32", fp32), ("scheme", scheme)] {
        let [ms, mj, replayed_ms, replayed_mj] = read_once(&system, bytes)?;
        println!("| {name} | {bytes} | {ms:.2} / {replayed_ms:.2} | {mj:.2} / {replayed_mj:.2} |");
    }
    println!("\nThe scheme saves {:.2} % of the bytes.", (1.0 - scheme as f64 / fp32 as f64) * 100.0);

    let config = root.join("configs/alexnet-systolic32.toml");
    println!("\nThe whole network on `configs/alexnet-systolic32.toml`, per inference:\n");
    println!("| | cycles | stall_cycles | dram_bytes | energy_mj |\n|---|---|---|---|---|");
    for (name, scheme) in [("fp32", false), ("scheme", true)] {
        let figures = machine(&config, scheme)?;
        let energy = figures.energy_pj.map_or("-".to_owned(), |pj| format!("{:.2}", pj * 1e-9));
        println!(
            "| {name} | {} | {} | {} | {energy} |",
            figures.cycles,
            figures.stall_cycles,
            figures.dram_bytes()
        );
    }
    Ok(())
}

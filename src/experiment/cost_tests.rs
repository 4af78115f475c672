use super::*;
use crate::experiment::Stop;
use crate::experiment::tests::{experiment, neuron, stored};
use crate::memory::dram::{CellLayout, Errors as DramErrors, Retention};
use crate::memory::energy::{dram, sram};
use crate::memory::sram::VoltageUnit;
use crate::memory::sram::{Curve, Direction, Errors as SramErrors, Spatial};
use crate::memory::transfer::Layout;
use crate::memory::{ByBit, Protection};
use crate::memory::{Geometry, preset};
use crate::number::{BinaryPoint, Format, Rounding};

fn fixed(bits: u32) -> Format {
    Format::Fixed { bits, binary_point: BinaryPoint::Subset, rounding: Rounding::NearestEven }
}

fn memory(name: &str, technology: Technology) -> Memory {
    Memory {
        name: name.into(),
        technology,
        geometry: Geometry::default(),
        protection: Protection::dual_rail(0),
        lifetime: None,
        measured: None,
    }
}

fn sram_energy() -> sram::Energy {
    let preset = preset::find("cacti7.45nm.hp").unwrap();
    let size = preset::Value::Number(8192.0);
    let lookup = |key: &str| {
        if key == "size_bytes" { Some(&size) } else { preset.constant(key).map(|constant| &constant.value) }
    };
    sram::Energy::from_constants(&preset.name, &lookup).unwrap()
}

fn sram(v: f64) -> Memory {
    let error = SramErrors {
        preset: None,
        curve: Curve::Probit { mu: 0.065, sigma: 0.144, scale: 1.5 },
        v,
        v_unit: VoltageUnit::Volt,
        v_range: [0.4, 1.0],
        ber_clip: 0.5,
        direction: Direction::Flip,
        p01_share: 0.5,
        persistent_fraction: 1.0,
        spatial: Spatial::Iid,
        read_upset: 0.0,
        write_fail: 0.0,
        ser_fit_per_mbit: 0.0,
    };
    let parameters = crate::memory::sram::Parameters { error, energy: Some(sram_energy()) };
    memory("sram", Technology::Sram(parameters))
}

fn device() -> dram::Device {
    let preset = preset::find("ddr4_2400_8gb_x8").unwrap();
    let lookup = |key: &str| preset.constant(key).map(|constant| &constant.value);
    dram::Device::from_constants(&preset.name, &lookup).unwrap()
}

fn dram(interval_ms: f64) -> Memory {
    let error = DramErrors {
        preset: None,
        retention: Retention::LogNormal { mu_ln_s: 9.444, sigma_ln: 1.751 },
        t_range_s: [1.0, 20.0],
        supported_share: 1e-3,
        t_ref_c: 48.0,
        temp_c: 48.0,
        temp_halving_c: 10.0,
        refresh_interval_ms: ByBit::from(interval_ms),
        cell_layout: CellLayout::Half,
        module_scale: 1.0,
        module_sigma: 0.0,
        access_refreshes: true,
        ser_fit_per_mbit: 0.0,
    };
    let parameters = crate::memory::dram::Parameters { error, energy: Some(device()) };
    memory("dram", Technology::Dram(parameters))
}

fn close(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-12, "{found}, expected {expected}");
}

fn at_rate(mut experiment: Experiment, per_second: f64) -> Experiment {
    experiment.workload.inferences_per_second = Some(per_second);
    experiment
}

#[test]
fn weights_of_an_sram_are_read_in_accesses_of_its_port() {
    // 100 words of 12 bits are 1,200 bits: 19 accesses of 64 bits at 5.29 pJ; 8.8 mW over 1 ms are 8.8e6 pJ.
    let subsets = vec![stored(100, fixed(12), 12, vec![Stop::Memory(0)])];
    let cost = at_rate(experiment(subsets, vec![sram(1.0)]), 1000.0).cost().unwrap();
    let memory = &cost.memories[0];
    assert_eq!((memory.bits_stored, memory.bits_read, memory.bits_written), (1200.0, 1200.0, 0.0));
    close(memory.access_pj.unwrap(), 19.0 * 5.29);
    close(memory.standby_pj.unwrap(), 8.8e6);
    close(memory.allocated_share.unwrap(), 1200.0 / 65536.0);
    close(memory.allocated_pj.unwrap(), 19.0 * 5.29 + 8.8e6 * 1200.0 / 65536.0);
    close(cost.total_pj.unwrap(), 19.0 * 5.29 + 8.8e6);
}

#[test]
fn cf12_half_the_voltage_is_a_quarter_of_the_energy_of_unprotected_bits() {
    let design = |v, protected| {
        let mut memory = sram(v);
        memory.protection = Protection::dual_rail(protected);
        at_rate(experiment(vec![stored(640, fixed(8), 8, vec![Stop::Memory(0)])], vec![memory]), 1.0)
    };
    let access = |v, protected| design(v, protected).cost().unwrap().memories[0].access_pj.unwrap();
    close(access(0.5, 0) / access(1.0, 0), 0.25);
    close(access(0.5, 3) / access(1.0, 0), (3.0 + 5.0 * 0.25) / 8.0);
    assert_eq!(design(0.5, 3).nominal().unwrap().cost().unwrap(), design(1.0, 0).cost().unwrap());
}

#[test]
fn a_hot_dram_is_nominal_at_half_the_window_and_twice_the_refresh() {
    let design = |interval_ms, celsius| {
        let mut memory = dram(interval_ms);
        let Technology::Dram(parameters) = &mut memory.technology else { panic!("it is a DRAM") };
        parameters.error.temp_c = celsius;
        at_rate(experiment(vec![stored(640, fixed(8), 8, vec![Stop::Memory(0)])], vec![memory]), 1.0)
    };
    let refresh = |experiment: &Experiment| experiment.cost().unwrap().memories[0].refresh_pj.unwrap();
    let hot = design(1000.0, 90.0).nominal().unwrap();
    assert_eq!(hot, design(32.0, 90.0));
    assert_eq!(design(1000.0, 85.0).nominal().unwrap(), design(64.0, 85.0));
    close(refresh(&hot), 2.0 * refresh(&design(64.0, 85.0)));
    // What is spent depends on the interval, not on what is nominal.
    close(refresh(&design(64.0, 90.0)), refresh(&design(64.0, 85.0)));
}

#[test]
fn dram_moves_bursts_and_opens_a_row_per_page() {
    // 10,000 words of 16 bits: 20,000 bytes in 313 bursts of 64, three rows of 8 KiB over eight devices.
    let subsets = vec![stored(10_000, fixed(16), 16, vec![Stop::Memory(0)])];
    let design = |interval| at_rate(experiment(subsets.clone(), vec![dram(interval)]), 10.0);
    let cost = design(64.0).cost().unwrap();
    let (memory, device) = (&cost.memories[0], device());
    assert_eq!(memory.bits_read, 313.0 * 512.0);
    close(memory.access_pj.unwrap(), device.commands_pj(3.0, 313.0, 0.0));
    close(memory.refresh_pj.unwrap(), 8.0 * device.refresh_mw(1.0) * 0.1 * 1e9);
    let rarely = design(640.0).cost().unwrap();
    close(rarely.memories[0].refresh_pj.unwrap(), memory.refresh_pj.unwrap() / 10.0);
    assert_eq!(rarely.memories[0].standby_pj, memory.standby_pj);
    close(memory.busy_s.unwrap(), 313.0 * 64.0 / device.peak_bytes_per_second());
}

#[test]
fn only_packed_words_save_bursts() {
    let design = |layout, bits| {
        let path = vec![Stop::Memory(0), Stop::Link];
        let mut experiment = experiment(vec![stored(64_000, fixed(8), bits, path)], vec![dram(64.0)]);
        experiment.link.transfer.layout = layout;
        at_rate(experiment, 10.0).cost().unwrap()
    };
    let whole = design(Layout::Packed, 8);
    assert_eq!((whole.link.words, whole.link.bytes, whole.link.bursts), (64_000, 64_000, 1000));
    let packed = design(Layout::Packed, 5);
    assert_eq!((packed.link.bytes, packed.link.bursts), (40_000, 625));
    assert_eq!(packed.memories[0].bits_read, 625.0 * 512.0);
    let padded = design(Layout::Padded, 5);
    assert_eq!(padded.link.bursts, 1000);
    assert_eq!(padded.memories, whole.memories);
}

#[test]
fn a_blob_is_written_once_and_read_by_each_reader() {
    let path = || vec![Stop::Memory(0)];
    let blob = BlobId(2);
    let subsets = vec![neuron("a", blob, 64, path()), neuron("b", blob, 64, path())];
    let cost = at_rate(experiment(subsets, vec![sram(1.0)]), 1.0).cost().unwrap();
    let memory = &cost.memories[0];
    assert_eq!((memory.bits_stored, memory.bits_read, memory.bits_written), (2048.0, 4096.0, 2048.0));
    close(memory.access_pj.unwrap(), 64.0 * 5.29 + 32.0 * 6.50);
}

#[test]
fn back_to_back_the_slowest_memory_sets_the_period() {
    let subsets = vec![stored(64_000, fixed(8), 8, vec![Stop::Memory(0), Stop::Memory(1)])];
    let experiment = experiment(subsets, vec![dram(64.0), sram(1.0)]);
    let cost = experiment.cost().unwrap();
    let busy: Vec<f64> = cost.memories.iter().map(|memory| memory.busy_s.unwrap()).collect();
    close(busy[1], 2.0 * 8000.0 * 0.29e-9);
    assert_eq!(cost.period_s, busy.iter().copied().reduce(f64::max));
    assert!(cost.is_back_to_back);
    assert_eq!(experiment.exposure(0, 0).reuse_interval_s, cost.period_s.unwrap());
    let total: f64 = cost.memories.iter().map(|memory| memory.total_pj.unwrap()).sum();
    close(cost.total_pj.unwrap(), total + cost.link.energy_pj);
}

#[test]
fn a_memory_of_unknown_energy_leaves_the_total_unknown() {
    let subsets = vec![stored(64, fixed(8), 8, vec![Stop::Memory(0), Stop::Memory(1)])];
    let uniform = crate::experiment::tests::memory("pcm", 1e-3, 0);
    let cost = at_rate(experiment(subsets, vec![sram(1.0), uniform]), 1.0).cost().unwrap();
    assert!(cost.memories[0].total_pj.is_some());
    assert_eq!((cost.memories[1].total_pj, cost.total_pj), (None, None));
}

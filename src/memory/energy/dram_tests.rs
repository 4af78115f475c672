//! The DRAM model against figures derived by hand from the same data sheets, and its own laws.

use super::*;
use crate::memory::preset;
use proptest::prelude::*;

fn device_with(name: &str, keys: &[(&str, Value)]) -> Result<Device, Error> {
    let constants = preset::find(name).unwrap();
    Device::from_constants(name, &|key| {
        let typed = keys.iter().find(|(typed, _)| *typed == key).map(|(_, value)| value);
        typed.or(constants.constant(key).map(|known| &known.value))
    })
}

fn device(name: &str) -> Device {
    device_with(name, &[]).unwrap()
}

fn close(value: f64, expected: f64, tolerance: f64) -> bool {
    (value / expected - 1.0).abs() <= tolerance
}

const FIVE: [&str; 5] = [
    "ddr4_2400_8gb_x8",
    "ddr4_2400_4gb_x8",
    "ddr3l_1600_4gb_x8",
    "lpddr4_3200_8gb_x16",
    "hbm2_2000_8gb_x128",
];

#[test]
fn v10_refresh_of_ddr4() {
    let device = device("ddr4_2400_8gb_x8");
    assert!(close(device.refresh_mw(1.0), 11.2, 0.02), "{}", device.refresh_mw(1.0));
    assert!(close(device.time_lost_share(1.0), 0.045, 0.02));
}

#[test]
fn v11_read_energy_per_bit() {
    for (name, expected) in FIVE.into_iter().zip([5.73, 8.78, 12.6, 8.47, 1.57]) {
        let read = device(name).read_pj_per_bit();
        assert!(close(read, expected, 0.01), "{name}: {read}");
    }
}

#[test]
fn v12_latency() {
    let table = [
        ("ddr4_2400_8gb_x8", [17.5, 31.7, 45.8]),
        ("lpddr4_3200_8gb_x16", [22.5, 40.6, 58.8]),
        ("hbm2_2000_8gb_x128", [16.0, 30.0, 44.0]),
    ];
    for (name, [hit, closed, conflict]) in table {
        let latency = device(name).latency();
        for (value, expected) in
            [(latency.hit_ns, hit), (latency.closed_ns, closed), (latency.conflict_ns, conflict)]
        {
            assert!((value - expected).abs() <= 0.1, "{name}: {latency:?}");
        }
    }
}

#[test]
fn commands_of_five_devices() {
    // Activate and precharge pJ, write pJ/bit, refresh nJ, refresh mW, refresh pass pJ/bit, time lost %.
    let table = [
        [431.0, 4.98, 86.6, 11.2, 0.083, 4.5],
        [1013.0, 7.80, 23.2, 3.0, 0.044, 3.3],
        [1230.0, 9.18, 69.2, 8.9, 0.132, 3.3],
        [1205.0, 5.03, 22.4, 5.7, 0.021, 7.2],
        [828.0, 2.09, 60.8, 15.6, 0.058, 6.7],
    ];
    for (name, expected) in FIVE.into_iter().zip(table) {
        let device = device(name);
        let values = [
            device.act_pre_pj(),
            device.write_pj_per_bit(),
            device.refresh_pj() / 1e3,
            device.refresh_mw(1.0),
            device.refresh_pass_pj_per_bit(),
            100.0 * device.time_lost_share(1.0),
        ];
        for (value, expected) in values.into_iter().zip(expected) {
            // The last digits printed of 0.021 and 3.0 are worth two per cent.
            assert!(close(value, expected, 0.02), "{name}: {values:?}");
        }
    }
}

#[test]
fn lpddr4_reads_by_rail() {
    let mut device = device("lpddr4_3200_8gb_x16");
    device.voltage_v[2] = 0.0;
    assert!((device.read_pj_per_bit() - 5.3).abs() < 0.05, "the core");
    device.voltage_v = vec![0.0, 0.0, 1.1];
    assert!((device.read_pj_per_bit() - 3.2).abs() < 0.05, "VDDQ");
}

#[test]
fn activation_per_bit_of_one_burst_and_of_a_page() {
    let table = [(6.74, 0.053), (15.8, 0.12), (19.2, 0.15), (4.71, 0.074), (1.62, 0.10)];
    for (name, (burst, page)) in FIVE.into_iter().zip(table) {
        let device = device(name);
        let burst_bits = f64::from(device.burst_length * device.device_bits);
        assert!(close(device.act_pre_pj() / burst_bits, burst, 0.01), "{name}");
        assert!(close(device.act_pre_pj() / (8 * device.page_bytes) as f64, page, 0.04), "{name}");
    }
}

#[test]
fn peak_bandwidth_is_pins_times_rate() {
    let table = [
        ("ddr4_2400_8gb_x8", 19.2e9),
        ("ddr3_1600_1gb_x8", 12.8e9),
        ("lpddr4_3200_8gb_x16", 6.4e9),
        ("hbm2_2000_8gb_x128", 32e9),
    ];
    for (name, expected) in table {
        let peak = device(name).peak_bytes_per_second();
        assert!(close(peak, expected, 1e-3), "{name}: {peak}");
    }
    let slow = device_with("ddr4_2400_8gb_x8", &[("ccd_s", Value::Number(8.0))]).unwrap();
    assert!(
        close(slow.peak_bytes_per_second(), 9.6e9, 1e-3),
        "half the bursts where commands are twice as far apart"
    );
}

#[test]
fn commands_add_up_over_the_rank() {
    let device = device("ddr4_2400_8gb_x8");
    assert_eq!(device.burst_bytes(), 64.0);
    let burst = 512.0 * (device.read_pj_per_bit() + 15.0);
    assert!(close(device.commands_pj(0.0, 1.0, 0.0), burst, 1e-12));
    let all = device.commands_pj(2.0, 3.0, 4.0);
    let parts =
        2.0 * 8.0 * device.act_pre_pj() + 3.0 * burst + 4.0 * 512.0 * (device.write_pj_per_bit() + 15.0);
    assert!(close(all, parts, 1e-12));
}

#[test]
fn a_rank_draws_power_as_a_whole() {
    let device = device("ddr4_2400_8gb_x8");
    let gibibyte = 1 << 30;
    let power = device.power_of(gibibyte, Standby::Closed, &[64.0]).unwrap();
    assert_eq!((power.ranks, power.allocated_share), (1, 0.125));
    assert!(close(power.background_mw, 8.0 * 1.2 * 34.0, 1e-12));
    assert!(close(power.refresh_mw, 8.0 * 11.2, 0.02));
    let two = device.power_of(9 * gibibyte, Standby::Open, &[64.0]).unwrap();
    assert_eq!((two.ranks, two.allocated_share), (2, 9.0 / 16.0));
    assert!(close(two.background_mw, 16.0 * 1.2 * 43.0, 1e-12));
    let asleep = device.power_of(gibibyte, Standby::SelfRefresh, &[64.0]).unwrap();
    assert!(asleep.refresh_mw == 0.0 && close(asleep.background_mw, 8.0 * 36.0, 1e-12));
    assert_eq!(device.power_of(0, Standby::Closed, &[64.0]).unwrap().ranks, 1);
}

#[test]
fn intervals_by_bit_position_are_averaged() {
    let device = device("ddr4_2400_8gb_x8");
    // Of eight bits two at the nominal rate, two at a quarter, four at a hundredth.
    let intervals = [64.0, 64.0, 256.0, 256.0, 6400.0, 6400.0, 6400.0, 6400.0];
    let rate = device.refresh_rate(&intervals).unwrap();
    assert!(close(rate, (2.0 + 0.5 + 0.04) / 8.0, 1e-12));
    let power = device.power_of(1, Standby::Closed, &intervals).unwrap();
    assert!(close(power.refresh_mw, 8.0 * device.refresh_mw(1.0) * rate, 1e-12));
    assert_eq!(device.refresh_rate(&[f64::INFINITY]), Ok(0.0));
    let error = device.refresh_rate(&[64.0, 32.0]).unwrap_err();
    let message = "a refresh interval of 32 ms is shorter than the nominal 64 ms of this device";
    assert_eq!(error.to_string(), message);
    assert!(device.refresh_rate(&[]).is_err() && device.refresh_rate(&[f64::NAN]).is_err());
}

#[test]
fn the_row_policy_decides_who_hits() {
    let device = device("hbm2_2000_8gb_x128");
    assert_eq!(device.mean_latency_ns(1.0), 16.0);
    assert_eq!(device.mean_latency_ns(0.5), 30.0);
    assert_eq!(Device { row_policy: RowPolicy::Closed, ..device }.mean_latency_ns(1.0), 30.0);
}

#[test]
fn impossible_devices_are_refused() {
    let typed = |key, value| device_with("ddr4_2400_8gb_x8", &[(key, value)]);
    let two = Value::List(vec![1.2, 2.5]);
    assert_eq!(typed("voltage_v", two), Err(Error::Rails { key: "idd0_ma", found: 1, rails: 2 }));
    assert_eq!(typed("idd4r_ma", Value::Number(10.0)), Err(Error::Negative("a read burst")));
    assert!(matches!(typed("idd2n_ma", Value::Number(-1.0)), Err(Error::Range { key: "idd2n_ma", .. })));
    assert!(matches!(typed("rfc_ns", Value::Number(8000.0)), Err(Error::Range { key: "rfc_ns", .. })));
    assert!(matches!(typed("devices", Value::Number(0.0)), Err(Error::Range { key: "devices", .. })));
    assert!(matches!(typed("burst_length", Value::Number(1.0)), Err(Error::Range { .. })));
    assert!(matches!(typed("tck_ns", Value::Number(f64::NAN)), Err(Error::Range { key: "tck_ns", .. })));
    assert!(matches!(typed("io_pj_per_bit", Value::Number(-1.0)), Err(Error::Range { .. })));
    assert!(matches!(typed("cl", Value::Number(1e12)), Err(Error::Range { key: "cl", .. })));
    assert!(matches!(typed("row_policy", Value::Text("timeout".to_owned())), Err(Error::Choice { .. })));
    assert!(matches!(
        typed("voltage_v", Value::List(Vec::new())),
        Err(Error::Range { key: "voltage_v", .. })
    ));
    let nothing = Device::from_constants("custom", &|_| None);
    assert_eq!(nothing, Err(Error::Missing { key: "rails" }));
}

#[test]
fn every_preset_constant_has_a_key_and_every_key_a_constant() {
    let mut presets = 0;
    for preset in preset::all().iter().filter(|preset| preset.table == preset::Table::DramEnergy) {
        presets += 1;
        let keys: Vec<_> = preset.constants.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, Device::KEYS, "{}", preset.name);
        assert_eq!(device(&preset.name).preset, preset.name);
    }
    assert_eq!(presets, 6);
}

proptest! {
    #[test]
    fn cf12_refresh_power_and_lost_time_go_with_one_over_m(multiplier in 1.0f64..1e4) {
        let device = device("lpddr4_3200_8gb_x16");
        prop_assert!(close(device.refresh_mw(multiplier) * multiplier, device.refresh_mw(1.0), 1e-12));
        prop_assert!(close(device.time_lost_share(multiplier) * multiplier, device.time_lost_share(1.0), 1e-12));
        let m = device.multiplier(32.0 * multiplier).unwrap();
        prop_assert!(close(device.refresh_rate(&[32.0 * multiplier]).unwrap(), 1.0 / m, 1e-12));
    }

    #[test]
    fn a_longer_interval_never_costs_more(interval in 64.0f64..1e5, longer in 1.0f64..10.0) {
        let device = device("ddr4_2400_4gb_x8");
        let rate = |interval| device.refresh_rate(&[64.0, interval]).unwrap();
        prop_assert!(rate(interval * longer) <= rate(interval));
    }
}

#[test]
fn above_85_degrees_a_device_is_refreshed_twice_as_often() {
    let device = device("ddr4_2400_8gb_x8");
    assert_eq!(device.at_temperature(85.0), device);
    let hot = device.at_temperature(85.1);
    assert_eq!((hot.timing.refresh_window_ms, hot.timing.refi_ns), (32.0, device.timing.refi_ns / 2.0));
    assert!(close(hot.refresh_mw(1.0), 2.0 * device.refresh_mw(1.0), 1e-12));
    assert!(close(hot.refresh_pass_pj_per_bit(), device.refresh_pass_pj_per_bit(), 1e-12));
    assert!(close(hot.multiplier(64.0).unwrap(), 2.0, 1e-12) && hot.multiplier(31.0).is_err());
    let mobile = self::device("lpddr4_3200_8gb_x16");
    assert_eq!(mobile.timing.refresh_window_ms, 32.0);
    assert_eq!(mobile.at_temperature(95.0), mobile, "32 ms already");
}

//! Laws of address maps, closed form and replay.

use super::reference_tests::{ddr4, device};
use super::*;
use crate::memory::energy::dram::RowPolicy;
use proptest::prelude::*;

const PRESETS: [&str; 6] = [
    "ddr3_1600_1gb_x8",
    "ddr3l_1600_4gb_x8",
    "ddr4_2400_4gb_x8",
    "ddr4_2400_8gb_x8",
    "hbm2_2000_8gb_x128",
    "lpddr4_3200_8gb_x16",
];
const MAPS: [&str; 6] =
    ["rochrabacobg", "rochrababgco", "chrobabgraco", "rorabgbachco", "rocorababgch", "chrababgcoro"];

fn system(preset: &str, map: &str, channels: u32, ranks: u32) -> System {
    System::new(device(preset, &[]), map.parse().unwrap(), channels, ranks, 32).unwrap()
}

fn streams() -> impl Strategy<Value = Stream> {
    let patterns = prop_oneof![Just(Pattern::Sequential), Just(Pattern::Random)];
    let directions = prop_oneof![Just(Direction::Read), Just(Direction::Write), Just(Direction::Mixed)];
    (patterns, directions, 1_u64..200_000).prop_map(|(pattern, direction, bytes)| Stream {
        pattern,
        direction,
        bytes,
    })
}

fn systems() -> impl Strategy<Value = System> {
    let choices = (0..PRESETS.len(), 0..MAPS.len(), 0_u32..3, 0_u32..3);
    let queues = (1_u32..40, 1_u32..20, 1_u32..40, proptest::option::of(1_u32..50));
    let modes = (any::<bool>(), any::<bool>());
    (choices, queues, modes).prop_map(|((preset, map, channels, ranks), queues, (closed, per_rank))| {
        let (queue_depth, command_queue, write_threshold, outstanding) = queues;
        let mut system = system(PRESETS[preset], MAPS[map], 1 << channels, 1 << ranks);
        if closed {
            system.device.row_policy = RowPolicy::Closed;
        }
        let queue_structure = if per_rank { QueueStructure::PerRank } else { QueueStructure::PerBank };
        System { queue_depth, outstanding, queue_structure, command_queue, write_threshold, ..system }
    })
}

#[test]
fn address_maps_are_read_as_written() {
    for map in MAPS {
        assert_eq!(map.parse::<AddressMap>().unwrap().to_string(), map);
    }
    for (map, problem) in [
        ("rochraba", "8 letters instead of 12"),
        ("rochrabacoco", "`co` stands twice"),
        ("rochrabaccbg", "there is no field `cc`"),
        ("rochrabacobgch", "14 letters instead of 12"),
        ("", "0 letters instead of 12"),
        ("ROchrabacobg", "there is no field `RO`"),
    ] {
        let error = map.parse::<AddressMap>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("`address_map` = `{map}`: {problem}; ")), "{error}");
    }
}

/// Bits from the least significant up: 6 within the burst, 2 of the bank group, 7 of the column, 2 of the bank, 1 of the rank,
/// none of the channel, 16 of the row.
#[test]
fn fields_lie_where_the_map_says() {
    let system = ddr4("bglow");
    let address = (0xabcd << 18) | (1 << 17) | (2 << 15) | (0x55 << 8) | (3 << 6) | 0x3f;
    let location = Location { channel: 0, rank: 1, bank_group: 3, bank: 2, row: 0xabcd, column: 0x55 };
    assert_eq!(system.locate(address), Ok(location));
    assert_eq!(system.address(location), Ok(address & !0x3f));
    assert_eq!(system.capacity_bytes(), Ok(1 << 34));
    assert!(matches!(system.address(Location { bank: 4, ..location }), Err(Error::Range { key: "ba", .. })));
}

#[test]
fn impossible_systems_are_refused() {
    let good = ddr4("bglow");
    let refused = |system: System| system.check().unwrap_err();
    assert!(matches!(refused(System { ranks: 3, ..good.clone() }), Error::PowerOfTwo { value: 3, .. }));
    assert!(matches!(refused(System { channels: 0, ..good.clone() }), Error::Range { key: "channels", .. }));
    assert!(matches!(refused(System { queue_depth: 0, ..good.clone() }), Error::Range { .. }));
    assert!(matches!(refused(System { outstanding: Some(0), ..good.clone() }), Error::Range { .. }));
    assert!(matches!(refused(System { refresh_multiplier: 0.5, ..good.clone() }), Error::Range { .. }));
    assert!(matches!(refused(System { refresh_rate: f64::NAN, ..good.clone() }), Error::Range { .. }));
    let mut wide = good.clone();
    wide.device.density_bits = 1 << 63;
    assert!(matches!(refused(wide), Error::AddressBits(_)));
    let mut busy = good.clone();
    busy.device.timing.refi_ns = 430.0 * 0.83;
    assert_eq!(refused(busy), Error::Refresh { busy_cycles: 463, interval_cycles: 430 });
    let mut short = good.clone();
    short.device.timing.ccd_l = 3;
    assert!(matches!(refused(short), Error::Range { key: "ccd_l", .. }));
    let stream = Stream { pattern: Pattern::Sequential, direction: Direction::Read, bytes: u64::MAX };
    assert_eq!(closed_form(&good, &stream), Err(Error::Overflow("cycles of the stream")));
}

#[test]
fn transfers_keep_the_state_of_the_banks() {
    let system = ddr4("1rank_noref");
    let request = |address| Request { address, is_write: false };
    let mut replay = Replay::new(&system).unwrap();
    // Two cycles of the controller, tRCD, CL and BL / 2; the second time the row is open.
    assert_eq!(replay.transfer(0, [request(0)]), Ok(1 + 17 + 17 + 4));
    assert_eq!(replay.transfer(1000, [request(0)]), Ok(1000 + 1 + 17 + 4));
    // Another row of the same bank: tRP more.
    assert_eq!(replay.transfer(2000, [request(1 << 20)]), Ok(2000 + 1 + 17 + 17 + 17 + 4));
    let activity = replay.activity();
    assert_eq!((activity.reads, activity.activations, activity.row_hits), (3, 2, 1));
    assert_eq!(replay.transfer(5, [request(0)]), Err(Error::Past { start: 5, now: 2056 }));
    assert_eq!(replay.transfer(3000, []), Ok(3000));
}

#[test]
fn idle_time_is_refreshed_and_stands_by() {
    let system = ddr4("2ranks");
    let mut replay = Replay::new(&system).unwrap();
    replay.transfer(936_000, []).unwrap();
    let activity = replay.activity();
    // Each rank every 9360 cycles, half an interval apart; the last falls on the end.
    assert_eq!((activity.refreshes, activity.cycles), (200, 936_000));
    assert_eq!((activity.active_cycles, activity.precharged_cycles), (0, 2 * 936_000));
    // Without refresh an open row stays open.
    let mut replay = Replay::new(&ddr4("noref")).unwrap();
    replay.transfer(0, [Request { address: 0, is_write: false }]).unwrap();
    replay.transfer(10_000, []).unwrap();
    let activity = replay.activity();
    assert_eq!((activity.active_cycles, activity.precharged_cycles), (9_999, 10_001));
}

#[test]
fn requests_for_one_burst_are_answered_by_one_burst() {
    let system = ddr4("bglow");
    let mut replay = Replay::new(&system).unwrap();
    let write = Request { address: 64, is_write: true };
    let read = Request { address: 100, is_write: false };
    // The write waits; what is read of it and written over it costs no burst.
    assert_eq!(replay.transfer(0, [write, read, write]), Ok(1));
    // Two reads of a burst that is not written are one.
    let other = Request { address: 1 << 20, is_write: false };
    replay.transfer(10, [other, other]).unwrap();
    replay.finish();
    let activity = replay.activity();
    assert_eq!((activity.reads, activity.writes, activity.merged), (1, 1, 3));
}

#[test]
fn closed_rows_open_one_row_per_burst() {
    let mut system = ddr4("bglow");
    system.device.row_policy = RowPolicy::Closed;
    let stream = Stream { pattern: Pattern::Sequential, direction: Direction::Read, bytes: 64 * 5000 };
    let run = Replay::run(&system, &stream).unwrap();
    // A refresh may close a row before its burst: it is opened again.
    assert!((5000..5000 + 4 * run.activity.refreshes).contains(&run.activity.activations), "{run:?}");
    assert_eq!(run.activity.row_hits, 0);
    let estimate = closed_form(&system, &stream).unwrap();
    assert_eq!(estimate.activity.activations, 5000);
    assert!(estimate.not_covered.contains(&Case::ClosedRows));
}

#[test]
fn channels_work_side_by_side_only_where_the_map_spreads_bursts() {
    let stream = Stream { pattern: Pattern::Sequential, direction: Direction::Read, bytes: 64 * 65_536 };
    let cycles = |map: &str| {
        let system = system("ddr4_2400_8gb_x8", map, 4, 1);
        let estimate = closed_form(&system, &stream).unwrap();
        let run = Replay::run(&system, &stream).unwrap();
        let ratio = estimate.activity.cycles as f64 / run.activity.cycles as f64;
        assert!((ratio - 1.0).abs() < 0.1, "{map}: {ratio}");
        (run.activity.cycles as f64, estimate.binding)
    };
    let (spread, bus) = cycles("rorabacobgch");
    let (serial, channels) = cycles("chrorabacobg");
    assert_eq!((bus, channels), (Binding::Bus, Binding::Channels), "the stream stays in the first channel");
    assert!((serial / spread - 4.0).abs() < 0.1, "{serial} {spread}");
    let (coarse, binding) = cycles("rorabachcobg");
    assert_eq!(binding, Binding::Channels);
    assert!(coarse > 3.0 * spread, "{coarse} {spread}");
}

#[test]
fn intervals_by_bit_spare_energy_and_the_shortest_spares_time() {
    let system = ddr4("bglow");
    let nominal = system.device.timing.refresh_window_ms;
    let relaxed = system.clone().refreshed_every(&[nominal, 4.0 * nominal]).unwrap();
    let stream = Stream { pattern: Pattern::Sequential, direction: Direction::Read, bytes: 64 * 100_000 };
    let run = |system: &System| Replay::run(system, &stream).unwrap();
    let (precise, mixed) = (run(&system), run(&relaxed));
    assert_eq!(precise.activity, mixed.activity, "half of the bits keep the nominal interval");
    let ratio = mixed.energy.refresh_pj / precise.energy.refresh_pj;
    assert!((ratio - 0.625).abs() < 1e-12, "{ratio}");
    let all = run(&system.clone().refreshed_every(&[4.0 * nominal]).unwrap());
    assert!(all.activity.cycles < precise.activity.cycles);
    assert!((precise.activity.refreshes as f64 / all.activity.refreshes as f64 - 4.0).abs() < 0.3);
    let none = run(&system.refreshed_every(&[f64::INFINITY]).unwrap());
    assert_eq!((none.activity.refreshes, none.energy.refresh_pj), (0, 0.0));
}

/// What the closed form does not list it covers: within 3 % of the replay on every preset, as far as queues are deep.
#[test]
fn closed_form_and_replay_agree_on_every_preset() {
    for preset in PRESETS {
        for (pattern, direction) in [
            (Pattern::Sequential, Direction::Read),
            (Pattern::Sequential, Direction::Write),
            (Pattern::Random, Direction::Read),
            (Pattern::Random, Direction::Write),
        ] {
            for map in ["rochrabacobg", "rochrababgco"] {
                let system = system(preset, map, 1, 1);
                let stream = Stream { pattern, direction, bytes: system.burst_bytes() * 20_000 };
                let estimate = closed_form(&system, &stream).unwrap();
                let run = Replay::run(&system, &stream).unwrap();
                let tolerance = match estimate.not_covered[..] {
                    [Case::OneBankGroup] => 0.04,
                    [Case::RandomWrites | Case::SharedQueues] | [Case::RandomWrites, Case::SharedQueues] => {
                        0.1
                    }
                    [] => 0.03,
                    ref cases => panic!("{preset} {map}: {cases:?}"),
                };
                let what = format!("{preset} {map} {pattern:?} {direction:?}");
                let ratio = estimate.activity.cycles as f64 / run.activity.cycles as f64;
                assert!((ratio - 1.0).abs() < tolerance, "{what}: {ratio}");
                let ratio = estimate.energy.total_pj() / run.energy.total_pj();
                assert!((ratio - 1.0).abs() < 0.02, "energy of {what}: {ratio}");
            }
        }
    }
}

proptest! {
    #[test]
    fn addresses_and_locations_are_one_to_one(
        preset in 0..PRESETS.len(),
        map in 0..MAPS.len(),
        channels in 0_u32..4,
        ranks in 0_u32..3,
        address in any::<u64>(),
    ) {
        let system = system(PRESETS[preset], MAPS[map], 1 << channels, 1 << ranks);
        let capacity = system.capacity_bytes().unwrap();
        let burst = address % capacity / system.burst_bytes() * system.burst_bytes();
        let location = system.locate(address).unwrap();
        prop_assert_eq!(system.address(location), Ok(burst));
        prop_assert_eq!(system.locate(burst), Ok(location));
    }

    #[test]
    fn every_request_is_answered_once(system in systems(), stream in streams()) {
        let run = Replay::run(&system, &stream).unwrap();
        let Activity { reads, writes, merged, activations, row_hits, cycles, .. } = run.activity;
        let requests = stream.bursts(&system);
        prop_assert_eq!(reads + writes + merged, requests);
        prop_assert_eq!(activations >= reads + writes - row_hits, true);
        let standby = run.activity.active_cycles + run.activity.precharged_cycles;
        prop_assert_eq!(standby, cycles * u64::from(system.ranks * system.channels));
        // The bus carries one burst at a time.
        let least = (reads + writes) / u64::from(system.channels) * system.burst_cycles();
        prop_assert!(cycles >= least, "{} < {}", cycles, least);
        prop_assert_eq!(Replay::run(&system, &stream).unwrap(), run);
    }

    #[test]
    fn energy_is_the_sum_of_its_parts(system in systems(), stream in streams()) {
        let estimate = closed_form(&system, &stream).unwrap();
        let Energy { activate_pj, read_pj, write_pj, refresh_pj, background_pj, interface_pj } = estimate.energy;
        let parts = [activate_pj, read_pj, write_pj, refresh_pj, background_pj, interface_pj];
        prop_assert!(parts.iter().all(|&part| part >= 0.0));
        prop_assert!((parts.iter().sum::<f64>() / estimate.energy.total_pj() - 1.0).abs() < 1e-12);
        prop_assert_eq!(estimate.activity.reads + estimate.activity.writes, stream.bursts(&system));
        prop_assert!(estimate.limits.iter().any(|limit| limit.binding == Binding::Bus));
    }

    #[test]
    fn slower_or_shorter_refresh_never_costs_time(
        system in systems(),
        stream in streams(),
        slower in 1.0f64..100.0,
        shorter in 0.1f64..1.0,
    ) {
        let cycles = |system: &System| closed_form(system, &stream).unwrap().activity.cycles;
        let nominal = cycles(&system);
        let relaxed = System { refresh_multiplier: slower, refresh_rate: 1.0 / slower, ..system.clone() };
        prop_assert!(cycles(&relaxed) <= nominal);
        let mut quick = system;
        quick.device.timing.rfc_ns *= shorter;
        prop_assert!(cycles(&quick) <= nominal);
    }

    #[test]
    fn more_bytes_never_take_less(system in systems(), stream in streams(), more in 0_u64..100_000) {
        let cycles = |bytes| closed_form(&system, &Stream { bytes, ..stream }).unwrap().activity.cycles;
        prop_assert!(cycles(stream.bytes + more) >= cycles(stream.bytes));
    }
}

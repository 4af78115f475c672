//! Configuration files of `DRAMsim3`.

use super::*;
use crate::accelerator::dram::{Direction, Pattern, Replay, Stream};

/// The configuration of the reference runs `ddr4_2400_stock`.
const STOCK: &str = "
; comments begin with a semicolon
[dram_structure]
protocol = DDR4
bankgroups = 4
banks_per_group = 4
rows = 65536
columns = 1024
device_width = 8
BL = 8

[timing]
tCK = 0.83
AL = 0
CL = 17
CWL = 12
tRCD = 17
tRP = 17
tRAS = 39
tRFC = 420
tREFI = 9360
tRRD_S = 4
tRRD_L = 6
tWTR_S = 3
tWTR_L = 9
tFAW = 26
tWR = 18
tRTP = 9
tCCD_S = 4
tCCD_L = 6
tRTRS = 1

[power]
VDD = 1.2
IDD0 = 48
IDD2P = 25
IDD2N = 34
IDD3N = 43
IDD4W = 123
IDD4R = 135
IDD5AB = 250
IDD6x = 30

[system]
channel_size = 16384
channels = 1
bus_width = 64
address_mapping = rochrababgco
queue_structure = PER_BANK
refresh_policy = RANK_LEVEL_STAGGERED
row_buf_policy = OPEN_PAGE
cmd_queue_size = 8
trans_queue_size = 32

[thermal]
power_epoch_period = 100000; power epoch period (# cycle)
";

fn with(from: &str, to: &str) -> Result<Configuration, Error> {
    assert!(STOCK.contains(from), "{from}");
    read("stock", &STOCK.replace(from, to))
}

#[test]
fn a_configuration_is_a_device_and_a_controller() {
    let Configuration { system, defaults, notes } = read("stock", STOCK).unwrap();
    assert_eq!((system.ranks, system.channels, system.queue_depth, system.command_queue), (2, 1, 32, 8));
    assert_eq!(system.address_map.to_string(), "rochrababgco");
    assert_eq!((system.burst_bytes(), system.row_bursts()), (64, 128));
    assert_eq!(system.capacity_bytes().unwrap(), 16 << 30);
    let device = &system.device;
    assert_eq!((device.devices, device.page_bytes, device.density_bits), (8, 1024, 8 << 30));
    assert!((device.timing.refi_ns - 9360.0 * 0.83).abs() < 1e-9 && device.io_pj_per_bit == 0.0);
    let keys: Vec<_> = defaults.iter().map(|(key, _)| *key).collect();
    assert_eq!(
        keys,
        ["bankgroup_enable", "unified_queue", "enable_self_refresh", "write_buf_size"],
        "what the file does not say"
    );
    assert!(notes.is_empty());
}

#[test]
fn its_stream_takes_what_the_tool_takes() {
    let system = read("stock", STOCK).unwrap().system;
    let stream = Stream { pattern: Pattern::Sequential, direction: Direction::Write, bytes: 24_386_048 };
    let run = Replay::run(&system, &stream).unwrap();
    // 1,954,191 cycles and 2529.675 uJ, some writes still in the queues.
    assert!((run.activity.cycles as f64 / 1_954_191.0 - 1.0).abs() < 1e-3, "{run:?}");
    assert!((run.energy.total_pj() * 1e-6 / 2529.675 - 1.0).abs() < 1e-3, "{run:?}");
}

#[test]
fn additive_latency_moves_column_commands() {
    let timing = with("AL = 0", "AL = 5").unwrap().system.device.timing;
    assert_eq!((timing.rcd, timing.cl, timing.cwl, timing.rtp), (12, 22, 17, 14));
    assert!(matches!(with("AL = 0", "AL = 18"), Err(Error::Unsupported { key: "AL", .. })));
}

#[test]
fn hbm_has_wide_columns_and_two_command_buses() {
    let text = STOCK
        .replace("DDR4", "HBM")
        .replace("columns = 1024", "columns = 64")
        .replace("device_width = 8", "device_width = 128")
        .replace("bus_width = 64", "bus_width = 128")
        .replace("BL = 8", "BL = 4")
        .replace("rows = 65536", "rows = 32768")
        .replace("PER_BANK", "PER_RANK")
        .replace("channel_size = 16384", "channel_size = 1024")
        .replace("tRCD = 17", "tRCDRD = 14\ntRCDWR = 12");
    let Configuration { system, notes, .. } = read("hbm", &text).unwrap();
    assert_eq!((system.device.page_bytes, system.ranks, system.device.command_buses), (2048, 1, 2));
    assert_eq!((system.device.timing.rcd, system.queue_structure), (14, QueueStructure::PerRank));
    assert_eq!(notes, ["tRCDRD = 14, tRCDWR = 12: the longer counts for both"]);
}

#[test]
fn what_is_not_modelled_is_refused_by_name() {
    for (from, to, key) in [
        ("protocol = DDR4", "protocol = GDDR5", "protocol"),
        ("RANK_LEVEL_STAGGERED", "BANK_LEVEL_STAGGERED", "refresh_policy"),
        ("PER_BANK", "PER_CHANNEL", "queue_structure"),
        ("channels = 1", "unified_queue = true", "unified_queue"),
    ] {
        let Err(Error::Unsupported { key: found, .. }) = with(from, to) else { panic!("{to}") };
        assert_eq!(found, key);
    }
}

#[test]
fn bad_files_are_refused_with_their_line() {
    let error = read("x", "[timing]\ntCK = soon\n").unwrap_err();
    assert_eq!(error.to_string(), "line 2: `tCK` = `soon` must be a number");
    let error = read("x", "[timing]\n\nnothing\n").unwrap_err();
    assert_eq!(error.to_string(), "line 3: `nothing` is no section, no key = value and no comment");
    assert!(matches!(read("x", "[timing"), Err(Error::Syntax { line: 1, .. })));
    assert!(matches!(with("device_width = 8", "device_width = 0"), Err(Error::Device(_))));
    assert!(matches!(with("rochrababgco", "rochrababg"), Err(Error::System(_))));
    assert!(matches!(with("rows = 65536", "rows = 65535"), Err(Error::System(_))));
    assert!(matches!(with("tREFI = 9360", "tREFI = 421"), Err(Error::System(_))));
    assert!(matches!(with("tRFC = 420", "tRFC = -1"), Err(Error::Value { key: "tRFC", .. })));
    assert!(read("x", &"\n".repeat(MOST_BYTES + 1)).is_err());
    // A file may be anything.
    for text in [
        "=",
        "[]\n=",
        "[dram_structure]\nBL = 0",
        "[system]\nchannels = 3",
        "[dram_structure]\nbankgroups = 0",
    ] {
        assert!(read("x", text).is_err(), "{text}");
    }
}

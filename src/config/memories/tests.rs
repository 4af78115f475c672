//! What valid memories resolve to.

use super::super::sample::{Folder, TEXT};
use crate::memory::dram::{CellLayout, Retention};
use crate::memory::measured::Direction;
use crate::memory::protection::How;
use crate::memory::protection_cost::EightTransistorCell;
use crate::memory::sram::{Curve, Spatial, VoltageUnit};
use crate::memory::transfer::Layout;
use crate::memory::{ByBit, Geometry, Memory, Protection, Technology};

/// The sample's memory, otherwise.
fn memory(folder: &Folder, memory: &str) -> Memory {
    let text = TEXT.replacen("technology = \"uniform\"\nprotected_msbs = 3\nber = 1e-3\n", memory, 1);
    let resolved = folder.resolve(&text, &["workload.inferences_per_second=100"]);
    let mut experiment = resolved.unwrap_or_else(|problems| panic!("{problems}")).experiment;
    assert_eq!(experiment.workload.inferences_per_second, Some(100.0));
    experiment.memories.remove(0)
}

#[test]
fn what_was_typed_wins_over_the_preset() {
    let text = "technology = \"sram\"\nprotected_msbs = 2\ncapacity_bytes = 65536\nbanks = 4\nrow_bytes = 128\n\
                column_bits = 32\ninterleave = 8\n\
                [memories.dram.error]\npreset = \"sram.14nm.stutz21\"\nv = 0.875\nsigma = 0.06\n\
                spatial = \"column\"\ncolumn_sigma = 0.03\nread_upset = 1e-6\n\
                [memories.dram.energy]\npreset = \"cacti7.45nm.lstp\"\nvmin_v = 0.7\nleak_exp = 3\n\
                [memories.dram.protection]\nhow = \"8t\"\ndelta_v = 0.1\nr8 = 1.2\n";
    let memory = memory(&Folder::new(), text);
    let geometry = Geometry { banks: 4, rows: Some(128), columns: 32, column_bits: 32, interleave: 8 };
    assert_eq!(memory.geometry, geometry);
    let cell = EightTransistorCell { a8: 1.31, r8: 1.2 };
    assert_eq!(memory.protection, Protection { msbs: 2, how: How::EightTransistor { delta_v: 0.1, cell } });
    let Technology::Sram(sram) = memory.technology else { panic!("it is an SRAM") };
    let error = sram.error;
    assert_eq!(error.curve, Curve::Probit { mu: 0.70545, sigma: 0.06, scale: 1.0 });
    assert_eq!((error.v, error.v_unit, error.v_range), (0.875, VoltageUnit::Vmin, [0.75, 1.0]));
    assert_eq!(error.spatial, Spatial::Column { column_ratio: 0.03 / 0.06 });
    assert_eq!((error.read_upset, error.write_fail, error.ser_fit_per_mbit), (1e-6, 0.0, 0.0));
    assert_eq!(error.preset.as_deref(), Some("sram.14nm.stutz21"));
    let energy = sram.energy.unwrap();
    assert_eq!((energy.size_bytes, energy.leak_exp, energy.vmin_v), (16_384, 3.0, Some(0.7)));
    assert_eq!((energy.preset.as_str(), energy.word_bits), ("cacti7.45nm.lstp", 64));
}

#[test]
fn intervals_and_rates_may_differ_by_bit() {
    let folder = Folder::new();
    let text = "technology = \"dram\"\n[memories.dram.error]\npreset = \"dram.flikker48\"\nretention = \"power_law\"\n\
                refresh_interval_ms = [64, 64, 2000]\ncell_layout = \"row_blocks\"\nrow_block = 512\naccess_refreshes = false\n\
                [memories.dram.energy]\npreset = \"ddr4_2400_8gb_x8\"\ndevices = 4\n";
    let Technology::Dram(dram) = memory(&folder, text).technology else { panic!("it is a DRAM") };
    assert_eq!(dram.error.refresh_interval_ms.from_msb(), [64.0, 64.0, 2000.0]);
    assert_eq!(dram.error.retention, Retention::PowerLaw { b1: 4.15e-8, beta: 2.7 });
    assert_eq!(dram.error.cell_layout, CellLayout::RowBlocks { row_block: 512 });
    assert_eq!((dram.error.access_refreshes, dram.error.module_scale), (false, 1.0));
    assert_eq!(dram.energy.unwrap().devices, 4);
    let uniform = |text: &str| match memory(&folder, text).technology {
        Technology::Uniform(parameters) => parameters,
        other => panic!("{other:?}"),
    };
    let typed = uniform("technology = \"uniform\"\nber = [0, -0.0, 1e-3]\n");
    assert_eq!((typed.ber.from_msb(), typed.preset), (&[0.0, 0.0, 1e-3][..], None));
    let preset = uniform("technology = \"uniform\"\npreset = \"stt.delta30\"\n");
    assert_eq!((preset.ber, preset.preset.as_deref()), (ByBit::from(9.3572e-5), Some("stt.delta30")));
}

#[test]
fn curves_of_ones_own_need_no_preset() {
    let text = "technology = \"sram\"\n[memories.dram.error]\ncurve = \"table\"\ntable_points = [[0.5, 0.01], [0.7, 1e-4]]\n\
                v = 0.6\nv_unit = \"volt\"\nv_range = [0.5, 0.7]\nber_clip = 0.5\ndirection = \"stuck\"\np01_share = 0.1\n\
                persistent_fraction = 1\nspatial = \"bad_rows\"\nbad_share = 0.2\n";
    let Technology::Sram(sram) = memory(&Folder::new(), text).technology else { panic!("it is an SRAM") };
    // The mean of the quantiles of 0.01 and 1e-4, -2.3263 and -3.7190.
    assert!((sram.error.bit_error_rate() - 1.2526e-3).abs() < 1e-6, "{}", sram.error.bit_error_rate());
    assert_eq!((sram.error.p01_share, sram.error.preset), (0.1, None));
    assert_eq!(sram.error.spatial, Spatial::BadRows { bad_share: 0.2 });
}

#[test]
fn a_measured_chip_brings_its_map() {
    let folder = Folder::new();
    std::fs::write(
        folder.file("map.csv"),
        "memory,bank,row,column,bit,direction\ndram,0,1,2,3,stuck_at_1\nother,9,9,9,9,flip\n",
    )
    .unwrap();
    let text = "technology = \"sram\"\ncapacity_bytes = 128\n[memories.dram.error]\npreset = \"sram.14nm.stutz21\"\nv = 0.9\n\
                map = \"map.csv\"\n";
    let found = memory(&folder, text).measured.unwrap();
    assert_eq!(found.cells(), [(512 + 2 * 64 + 3, Direction::StuckAtOne)]);
    let other = TEXT.replacen(
        "technology = \"uniform\"\nprotected_msbs = 3\nber = 1e-3\n",
        &text.replace("128", "64"),
        1,
    );
    assert_eq!(
        folder.problems(&other, &[]),
        "c.toml:18:7: `memories.dram.error.map`: map.csv: line 2: bank 0, row 1, column 2, bit 3 is no cell of a memory of \
         1 bank(s), 1 row(s), 8 column(s) of 64 bits: the map is of another geometry"
    );
}

#[test]
fn the_link_and_paths_that_return() {
    let text = TEXT
        .replace(
            "[link.bits]",
            "[link]\nlayout = \"bitplane\"\ngranule_bytes = 32\ntag_bits = 4\nblock_words = 16\nio_pj_per_bit = 7\n[link.bits]",
        )
        .replace(
            "\"weight_*\" = [\"dram\"]",
            "\"weight_*\" = [\"dram\", \"link\", \"dram\", \"link\", \"dram\"]",
        );
    let experiment = Folder::new().resolve(&text, &[]).unwrap().experiment;
    let transfer = experiment.link.transfer;
    assert_eq!((transfer.layout, transfer.granule_bytes), (Layout::Bitplane, 32));
    assert_eq!((transfer.tag_bits, transfer.block_words, transfer.io_pj_per_bit), (4, 16, 7.0));
    let fc1 = experiment.subsets.iter().find(|stored| stored.subset.name == "weight_fc1").unwrap();
    assert_eq!((0..5).map(|stop| fc1.bits_at(stop)).collect::<Vec<_>>(), [16, 16, 8, 8, 8]);
}

//! Maps as files: what is read back, and what is refused with its line.

use super::*;

const HEADER: &str = "memory,bank,row,column,bit,direction\n";

fn geometry() -> Geometry {
    Geometry::new(2 * 4 * 3 * 8, 2, 3, 8).unwrap()
}

fn read(rows: &str) -> Result<MeasuredMap, Error> {
    MeasuredMap::read(format!("{HEADER}{rows}").as_bytes(), "sram", &geometry())
}

#[test]
fn what_is_written_is_read() {
    let all = [Direction::Inverted, Direction::StuckAtOne, Direction::StuckAtZero];
    let map = MeasuredMap::new((0..192).step_by(5).map(|cell| (cell, all[cell as usize % 3])).collect());
    let mut file = Vec::new();
    map.write(&mut file, "sram", &geometry()).unwrap();
    let stated = "# memory sram: banks=2 rows=4 columns=3 column_bits=8 interleave=1\n";
    assert!(file.starts_with(format!("{stated}{HEADER}").as_bytes()));
    assert_eq!(MeasuredMap::read(file.as_slice(), "sram", &geometry()).unwrap(), map);
    assert_eq!(map.within(5..11), [(5, all[2]), (10, all[1])]);
    assert_eq!(MeasuredMap::read(HEADER.as_bytes(), "sram", &geometry()).unwrap(), MeasuredMap::default());
}

#[test]
fn rows_of_other_memories_are_left_out() {
    let map = read("dram,9,9,9,9,flip\nsram,1,3,2,7,stuck_at_1\n").unwrap();
    assert_eq!(map.cells(), [(191, Direction::StuckAtOne)]);
}

#[test]
fn what_is_no_map_of_the_memory_is_refused_with_its_line() {
    for (rows, message) in [
        (
            "sram,0,4,0,0,flip\n",
            "line 2: bank 0, row 4, column 0, bit 0 is no cell of a memory of 2 bank(s), 4 row(s), 3 column(s) of 8 bits",
        ),
        ("sram,0,0,0,0,flip\nsram,0,0,0,0,flip\n", "line 3: bank 0, row 0, column 0, bit 0 is listed twice"),
        ("dram,0,0,0,0,flip\n", "no row of memory `sram`, only of dram"),
        (
            "sram,0,0,0,0,up\n",
            "line 2: `direction` is `up`, expected one of `flip`, `stuck_at_0`, `stuck_at_1`",
        ),
        ("sram,0,x,0,0,flip\n", "line 2: `row` is `x`, expected an integer from 0"),
        ("sram,0,0,0,-1,flip\n", "line 2: `bit` is `-1`, expected an integer from 0"),
        ("sram,0,0\n", "line 2: found 3 fields instead of 6"),
    ] {
        let error = read(rows).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    for (text, message) in [
        ("a,b\n1,2\n", "line 1: found the columns `a,b`, expected `memory,bank,row,column,bit,direction`"),
        ("", "line 1: found the columns ``, expected"),
        (
            "# a\n# b\nmemory,bank,row,column,bit,way\n",
            "line 3: found the columns `memory,bank,row,column,bit,way`",
        ),
    ] {
        let error = MeasuredMap::read(text.as_bytes(), "sram", &geometry()).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn every_mistake_is_told_up_to_ten() {
    let error =
        read("sram,0,0,0,0,flip\nsram,0,x,0,0,flip\nsram,0,0\nsram,0,0,0,0,flip\n").unwrap_err().to_string();
    let expected = "3 mistakes\n    line 3: `row` is `x`, expected an integer from 0\n    \
                    line 4: found 3 fields instead of 6\n    \
                    line 5: bank 0, row 0, column 0, bit 0 is listed twice";
    assert_eq!(error, expected);
    let Error::Several(errors) = read(&"sram,0,0,0,9,flip\n".repeat(50)).unwrap_err() else { panic!() };
    assert_eq!(errors.iter().map(Error::line).collect::<Vec<_>>(), (2..12).collect::<Vec<_>>());
}

#[test]
fn a_map_of_another_geometry_is_refused_though_its_cells_fit() {
    let map = MeasuredMap::new(vec![(0, Direction::Inverted)]);
    let any = Geometry { rows: None, banks: 1, ..geometry() };
    let others = [
        (Geometry { interleave: 2, ..geometry() }, "banks=2 rows=4 columns=3 column_bits=8 interleave=2"),
        (
            Geometry::new(4 * 4 * 3 * 8, 4, 3, 8).unwrap(),
            "banks=4 rows=4 columns=3 column_bits=8 interleave=1",
        ),
        (any, "banks=1 rows=any columns=3 column_bits=8 interleave=1"),
    ];
    let found = "banks=2 rows=4 columns=3 column_bits=8 interleave=1";
    let mut file = Vec::new();
    write(&mut file, &[("other", &any, &map), ("sram", &geometry(), &map)]).unwrap();
    for (geometry, expected) in others {
        let error = MeasuredMap::read(file.as_slice(), "sram", &geometry).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "line 2: the map of memory `sram` is of another geometry: found `{found}`, expected `{expected}`"
            )
        );
    }
    assert_eq!(MeasuredMap::read(file.as_slice(), "other", &any).unwrap(), map);
}

#[test]
fn names_of_any_kind_keep_their_geometry() {
    let map = MeasuredMap::new(vec![(7, Direction::StuckAtOne)]);
    for name in ["#1", "a: b", "a\nb", "a\\nb", "", "ä"] {
        let mut file = Vec::new();
        map.write(&mut file, name, &geometry()).unwrap();
        assert_eq!(MeasuredMap::read(file.as_slice(), name, &geometry()).unwrap(), map, "{name}");
        let other = Geometry { interleave: 4, ..geometry() };
        let error = MeasuredMap::read(file.as_slice(), name, &other).unwrap_err();
        assert!(matches!(error, Error::Geometry { line: 1, .. }), "{name}: {error}");
    }
}

#[test]
fn a_chip_without_weak_cells_beside_another_is_empty_where_its_geometry_is_stated() {
    let weak = MeasuredMap::new(vec![(7, Direction::Inverted)]);
    let mut file = Vec::new();
    write(&mut file, &[("a", &geometry(), &weak), ("b", &geometry(), &MeasuredMap::default())]).unwrap();
    assert_eq!(MeasuredMap::read(file.as_slice(), "b", &geometry()).unwrap(), MeasuredMap::default());
    let error = MeasuredMap::read(file.as_slice(), "c", &geometry()).unwrap_err().to_string();
    assert_eq!(error, "the map has no row of memory `c`, only of a, b");
}

#[test]
fn comments_are_bounded_and_count_as_lines() {
    let read = |text: String| MeasuredMap::read(text.as_bytes(), "sram", &geometry());
    let error = read(format!("# a chip: of 2024\n#\r\n{HEADER}sram,0,0,0,9,flip\n")).unwrap_err();
    assert!(matches!(error, Error::Place { line: 4, .. }), "{error}");
    assert!(read(format!("{}{HEADER}", "#\n".repeat(1000))).is_ok());
    let error = read(format!("{}{HEADER}", "#\n".repeat(1001))).unwrap_err().to_string();
    assert_eq!(error, "line 1001: found more than 1000 lines of comment");
    let error = read("#".repeat(1 << 17)).unwrap_err().to_string();
    assert_eq!(error, "line 1: found a comment of more than 65536 bytes");
}

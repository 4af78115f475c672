//! Fault maps of one device: how many cells are weak, which way, and how they gather on lines.

use super::text::{grouped, table};
use crate::memory::Geometry;
use crate::memory::measured::{Direction, MeasuredMap};
use serde::Serialize;
use std::collections::BTreeMap;

/// The map of one memory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MapFigures {
    /// Memory.
    pub memory: String,
    /// Cells that hold bits which may err: precise bits are in others.
    pub cells: u64,
    /// Of these, the weak ones.
    pub weak_cells: u64,
    /// Their share.
    pub weak_share: f64,
    /// Weak cells that deliver the inverse of what they hold.
    pub flip: u64,
    /// Weak cells that always deliver a zero.
    pub stuck_at_0: u64,
    /// Weak cells that always deliver a one.
    pub stuck_at_1: u64,
    /// Rows with a weak cell, of all banks.
    pub weak_rows: u64,
    /// Most weak cells in one row.
    pub row_most: u64,
    /// Bitlines with a weak cell, of all banks.
    pub weak_bitlines: u64,
    /// Most weak cells on one bitline.
    pub bitline_most: u64,
    /// Where the cells are.
    pub geometry: Geometry,
}

impl MapFigures {
    /// The figures of `map`, of memory `memory`, in which `cells` cells hold bits that may err.
    pub fn new(memory: &str, geometry: &Geometry, cells: u64, map: &MeasuredMap) -> Self {
        let count = |direction| map.cells().iter().filter(|weak| weak.1 == direction).count() as u64;
        let lines = |line: &dyn Fn(u64) -> u64| {
            let mut lines: BTreeMap<u64, u64> = BTreeMap::new();
            for (cell, _) in map.cells() {
                *lines.entry(line(*cell)).or_default() += 1;
            }
            (lines.len() as u64, lines.values().copied().max().unwrap_or(0))
        };
        let (weak_rows, row_most) = lines(&|cell| geometry.wordline(cell));
        let (weak_bitlines, bitline_most) = lines(&|cell| geometry.bitline(cell));
        let weak_cells = map.cells().len() as u64;
        Self {
            memory: memory.to_owned(),
            cells,
            weak_cells,
            weak_share: weak_cells as f64 / cells.max(1) as f64,
            flip: count(Direction::Inverted),
            stuck_at_0: count(Direction::StuckAtZero),
            stuck_at_1: count(Direction::StuckAtOne),
            weak_rows,
            row_most,
            weak_bitlines,
            bitline_most,
            geometry: *geometry,
        }
    }
}

/// The table for the terminal, of device `trial`.
pub fn map_text(maps: &[MapFigures], trial: u64) -> String {
    let header = [
        "memory",
        "cells",
        "weak_cells",
        "weak_share",
        "flip",
        "stuck_at_0",
        "stuck_at_1",
        "weak_rows",
        "row_most",
        "weak_bitlines",
        "bitline_most",
        "banks",
        "row_bits",
    ];
    let rows = maps.iter().map(|map| {
        vec![
            map.memory.clone(),
            grouped(map.cells),
            grouped(map.weak_cells),
            format!("{:.3e}", map.weak_share),
            grouped(map.flip),
            grouped(map.stuck_at_0),
            grouped(map.stuck_at_1),
            grouped(map.weak_rows),
            grouped(map.row_most),
            grouped(map.weak_bitlines),
            grouped(map.bitline_most),
            grouped(map.geometry.banks),
            grouped(map.geometry.row_bits()),
        ]
    });
    format!(
        "Permanent faults of device {trial} in the cells that hold approximate bits\n{}\n",
        table(&header, rows)
    )
}

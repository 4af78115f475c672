//! The loop nest of one tiling: what its places take and what moves.

use super::geometry::Geometry;
use super::retention::{Placed, Retention};
use super::{Error, Plan, Problem, Tiles, Tiling};
use crate::accelerator::trace::Operand;
use std::collections::BTreeMap;

/// Blocks of `rows` rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowBlocks {
    pub rows: u64,
    pub count: u64,
    /// Most input rows of a block.
    pub input_rows: u64,
    /// Most input rows of a block that the one before does not have.
    pub fresh_rows: u64,
    /// Input rows of all blocks together.
    pub fetched_rows: u64,
    /// Input rows that any block needs.
    pub touched_rows: u64,
    /// Most rows of the product of a block.
    pub computed_rows: u64,
    /// How many blocks compute how many rows.
    pub computed: Vec<(u64, u64)>,
}

impl RowBlocks {
    pub fn new(geometry: &Geometry, rows: u64) -> Self {
        let count = geometry.stored_rows.div_ceil(rows);
        let (mut input_rows, mut fresh_rows, mut fetched_rows) = (0, 0, 0);
        let mut computed = BTreeMap::new();
        for index in 0..count {
            let tile = geometry.row_tile(index, rows);
            let reached = geometry.touched_by(&tile.computed);
            let fresh = geometry.touched(tile.computed.end) - geometry.touched(tile.computed.start);
            input_rows = reached.max(input_rows);
            fresh_rows = fresh.max(fresh_rows);
            fetched_rows += reached;
            *computed.entry(tile.computed.end - tile.computed.start).or_insert(0) += 1;
        }
        let computed: Vec<_> = computed.into_iter().rev().collect();
        Self {
            rows,
            count,
            input_rows,
            fresh_rows,
            fetched_rows,
            touched_rows: geometry.touched(geometry.computed_rows),
            computed_rows: computed[0].0,
            computed,
        }
    }
}

/// A tile's extents and numbers of blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks<'a> {
    pub images: u64,
    pub rows: &'a RowBlocks,
    pub filters: u64,
    pub channels: u64,
    /// How many there are.
    pub tiles: Tiles,
}

/// One tiling of one operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nest<'a> {
    pub problem: &'a Problem<'a>,
    pub geometry: &'a Geometry,
    pub blocks: Blocks<'a>,
    pub retention: Retention,
}

/// What a nest lacks of a buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lack {
    pub missing_bytes: u64,
    /// What takes most of the buffer.
    pub operand: Operand,
    pub operand_bytes: u64,
    pub needed_bytes: u64,
    pub buffer: usize,
}

impl Nest<'_> {
    pub fn tiling(&self) -> Tiling {
        Tiling {
            images: self.blocks.images,
            rows: self.blocks.rows.rows,
            filters: self.blocks.filters,
            channels: self.blocks.channels,
            order: self.retention.order,
        }
    }

    /// Bytes taken of the buffer number `index`.
    fn occupied(&self, index: usize, places: [u64; 3]) -> u64 {
        let roles = self.problem.roles();
        let of_buffer = |placed: &Placed| roles.of(*placed) == index;
        Placed::ALL.iter().zip(places).filter(|(placed, _)| of_buffer(placed)).map(|(_, bytes)| bytes).sum()
    }

    /// Whether all places fit their buffers.
    pub fn fits(&self) -> bool {
        if self.spills_residents() {
            return false;
        }
        let places = Placed::ALL.map(|placed| self.place_bytes(placed));
        let roles = self.problem.roles();
        [roles.ifmap, roles.filter, roles.ofmap]
            .into_iter()
            .all(|index| self.occupied(index, places) <= self.problem.buffers.buffers[index].capacity_bytes)
    }

    fn spills_residents(&self) -> bool {
        let streamed = self.geometry.streamed;
        self.problem.residents.ofmap
            && !streamed
            && self.retention.repeats(&self.blocks.tiles, Placed::Ofmap) > 1
    }

    /// The buffer that lacks most, and its largest operand.
    pub fn lack(&self) -> Lack {
        let places = Placed::ALL.map(|placed| self.place_bytes(placed));
        let roles = self.problem.roles();
        let lacks = Placed::ALL.map(|placed| {
            let buffer = roles.of(placed);
            let sharing = Placed::ALL.iter().zip(places).filter(|&(&other, _)| roles.of(other) == buffer);
            let (operand, operand_bytes) = sharing
                .map(|(placed, bytes)| (placed.operand(), bytes))
                .max_by_key(|&(_, bytes)| bytes)
                .expect("an operand shares its buffer at least with itself");
            let needed_bytes = self.occupied(buffer, places);
            let capacity_bytes = self.problem.buffers.buffers[buffer].capacity_bytes;
            let missing_bytes = needed_bytes.saturating_sub(capacity_bytes);
            // Sums that may not be spilled rule out a nest whatever its buffers hold.
            let missing_bytes = if self.spills_residents() { u64::MAX } else { missing_bytes };
            Lack { missing_bytes, operand, operand_bytes, needed_bytes, buffer }
        });
        let [first, second, third] = lacks;
        [second, third]
            .into_iter()
            .fold(first, |most, lack| if lack.missing_bytes > most.missing_bytes { lack } else { most })
    }

    /// The plan of this nest, whose tiles compute for `compute_cycles`.
    ///
    /// # Errors
    /// More words than can be counted.
    pub fn plan(&self, compute_cycles: u64) -> Result<Plan, Error> {
        let places = Placed::ALL.map(|placed| self.place_bytes(placed));
        let overflow = || Error::Overflow { layer: self.geometry.layer.clone(), what: "words moved" };
        Ok(Plan {
            tiling: self.tiling(),
            tiles: self.blocks.tiles,
            places: self.retention.places,
            retention: self.retention,
            traffic: self.traffic().ok_or_else(overflow)?,
            compulsory: self.compulsory(),
            occupied_bytes: (0..self.problem.buffers.buffers.len())
                .map(|index| self.occupied(index, places))
                .collect(),
            compute_cycles,
            residents: self.problem.residents,
            geometry: self.geometry.clone(),
            computed: self.blocks.rows.computed.clone(),
        })
    }
}

//! The tiles of every layer, and what they cost the array.

use crate::accelerator::execution::LayerExecution;
use crate::accelerator::tiling::{Places, Tiling};
use crate::report::text::{grouped, table, word};
use serde::Serialize;
use std::fmt::Write;

/// Compute cycles of all tiles beyond which, over those of the layer in one piece, a table says so.
const WASTEFUL: f64 = 1.5;

/// The tiles of one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TileFigures {
    /// Extent of a tile and the order of the loops, as `[accelerator.tilings]` takes them.
    pub tiling: Tiling,
    /// How many there are.
    pub tiles: u128,
    /// How much of each operand its buffer keeps: a tile, all tiles of the inner loop, or all of a group.
    pub places: Places,
    /// Bytes occupied at most, per buffer.
    pub occupied_bytes: Vec<u64>,
    /// Cycles of the array for all tiles, fill and drain included.
    pub tiled_cycles: u64,
    /// The same for the layer in one piece, as SCALE-Sim counts it.
    pub whole_layer_cycles: u64,
}

impl TileFigures {
    /// The tiles of `layer`.
    pub fn of(layer: &LayerExecution) -> Self {
        let tiles = layer.plan.tiles;
        let counts = [tiles.groups, tiles.images, tiles.rows, tiles.filters, tiles.channels];
        Self {
            tiling: layer.plan.tiling,
            tiles: counts.into_iter().map(u128::from).product(),
            places: layer.plan.places,
            occupied_bytes: layer.plan.occupied_bytes.clone(),
            tiled_cycles: layer.counts.phases.total().unwrap_or(u64::MAX),
            whole_layer_cycles: layer.whole.phases.total().unwrap_or(u64::MAX),
        }
    }

    /// Whether tiles leave much of the array idle.
    fn is_wasteful(&self) -> bool {
        self.whole_layer_cycles > 0 && self.tiled_cycles as f64 > WASTEFUL * self.whole_layer_cycles as f64
    }
}

/// The table for the terminal, and a hint where tiles leave much of the array idle; layers with their tiles.
pub(super) fn text<'a>(layers: impl Iterator<Item = (&'a str, &'a TileFigures)> + Clone) -> String {
    let header = [
        "layer",
        "images",
        "rows",
        "filters",
        "channels",
        "order",
        "tiles",
        "ifmap_held",
        "filter_held",
        "ofmap_held",
        "tiled_cycles",
        "whole_layer_cycles",
    ];
    let rows = layers.clone().map(|(name, figures)| {
        let TileFigures { tiling, places, .. } = figures;
        let extents = [tiling.images, tiling.rows, tiling.filters, tiling.channels].map(grouped);
        let tail = [
            word(&tiling.order),
            grouped(figures.tiles),
            word(&places.ifmap),
            word(&places.filter),
            word(&places.ofmap),
            grouped(figures.tiled_cycles),
            grouped(figures.whole_layer_cycles),
        ];
        [name.to_owned()].into_iter().chain(extents).chain(tail).collect()
    });
    let mut text = format!("Tiles, extents of the largest\n{}", table(&header, rows));
    let wasteful: Vec<_> =
        layers.filter(|(_, figures)| figures.is_wasteful()).map(|(name, _)| name).collect();
    if !wasteful.is_empty() {
        let hint = "leave much of the array idle: they move the fewest words, or are given; tiling = \"least_cycles\" weighs cycles \
                    first";
        write!(text, "\nnote: the tiles of {} {hint}", wasteful.join(", "))
            .expect("writing to a string does not fail");
    }
    text
}

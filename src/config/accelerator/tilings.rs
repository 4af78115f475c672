//! `[accelerator.tilings]`: tilings in place of the search, by layer.

use super::layers::Layers;
use crate::accelerator::tiling::{Order, Tiling};
use crate::config::problem::Problems;
use crate::config::reader::Section;
use crate::config::tree::Entry;
use std::collections::BTreeMap;

/// Name of the table.
pub(super) const TABLE: &str = "tilings";

/// The parts of a tile, each with what it counts.
const PARTS: [(&str, &str); 4] = [
    ("images", "images of a tile"),
    ("rows", "rows of what is stored of a tile"),
    ("filters", "filters of a tile, of one group"),
    ("channels", "input channels of a tile, of one group"),
];
const ORDER: &str = "order";
/// Most of a part.
const MOST: i64 = 1 << 40;

const ORDERS: [(&str, Order); 6] = [
    ("row_filter_channel", Order::RowFilterChannel),
    ("filter_row_channel", Order::FilterRowChannel),
    ("row_channel_filter", Order::RowChannelFilter),
    ("filter_channel_row", Order::FilterChannelRow),
    ("channel_row_filter", Order::ChannelRowFilter),
    ("channel_filter_row", Order::ChannelFilterRow),
];

/// The table as read without the layers.
pub(super) struct Tilings<'d> {
    path: String,
    /// `None` for a wrong tiling (noted).
    entries: Vec<(&'d Entry, Option<Tiling>)>,
}

/// Reads the table.
pub(super) fn tilings<'d>(accelerator: &Section<'d>, problems: &mut Problems) -> Tilings<'d> {
    let path = accelerator.key(TABLE);
    let Some(section) = accelerator.section(TABLE, problems) else {
        return Tilings { path, entries: Vec::new() };
    };
    let read = |entry: &'d Entry| {
        let inner = Section::of_entry(section.key(&entry.key), entry, problems);
        (entry, inner.and_then(|inner| tiling(&inner, problems)))
    };
    Tilings { path, entries: section.entries().iter().map(read).collect() }
}

fn tiling(section: &Section<'_>, problems: &mut Problems) -> Option<Tiling> {
    let parts = PARTS.map(|(part, _)| part);
    let keys: Vec<_> = parts.into_iter().chain([ORDER]).collect();
    section.check_keys(&keys, problems);
    let [images, rows, filters, channels] = PARTS.map(|(part, meaning)| {
        section.require(part, meaning, problems);
        section.integer(part, 1..=MOST, problems).map(|count| count as u64)
    });
    section.require(ORDER, "the loops over tiles, outermost first, such as \"row_filter_channel\"", problems);
    let order = section.choice(ORDER, &ORDERS, problems);
    Some(Tiling { images: images?, rows: rows?, filters: filters?, channels: channels?, order: order? })
}

impl Tilings<'_> {
    /// The tilings by layer; `None` if one is wrong (noted). One of no layer is noted, too.
    pub fn resolved(
        &self,
        layers: &Layers<'_>,
        problems: &mut Problems,
        warnings: &mut Problems,
    ) -> Option<BTreeMap<String, Tiling>> {
        let mut tilings = BTreeMap::new();
        let mut is_right = true;
        for (entry, tiling) in &self.entries {
            if problems.is_full() || warnings.is_full() {
                return None;
            }
            let is_known = layers.check_name(&self.path, entry, problems, warnings);
            match tiling {
                Some(tiling) if is_known => drop(tilings.insert(entry.key.clone(), *tiling)),
                Some(_) => {}
                None => is_right = false,
            }
        }
        is_right.then_some(tilings)
    }
}

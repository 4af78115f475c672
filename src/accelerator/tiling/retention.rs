//! What the places keep from one tile to the next.

use super::{Held, Loop, Order, Places, Tiles};
use crate::accelerator::trace::Operand;

/// The operands that have a place of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    Ifmap,
    Filter,
    Ofmap,
}

impl Placed {
    pub const ALL: [Self; 3] = [Self::Ifmap, Self::Filter, Self::Ofmap];

    /// The loop that it does not depend on.
    pub fn free(self) -> Loop {
        match self {
            Self::Ifmap => Loop::Filter,
            Self::Filter => Loop::Row,
            Self::Ofmap => Loop::Channel,
        }
    }

    pub fn operand(self) -> Operand {
        match self {
            Self::Ifmap => Operand::Ifmap,
            Self::Filter => Operand::Filter,
            Self::Ofmap => Operand::Ofmap,
        }
    }
}

/// Order and places, and what follows from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    pub order: Order,
    pub places: Places,
    /// Per operand the loops that it depends on and whose blocks its place holds all of.
    covered: [Loops; 3],
    /// Those whose blocks take turns in its place.
    exposed: [Loops; 3],
    /// Of these the ones inside the loop that it does not depend on: if they have several blocks, every iteration of that
    /// loop fetches them again.
    inner: [Loops; 3],
}

/// A set of loops, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Loops(u8);

impl Loops {
    fn of(loops: impl IntoIterator<Item = Loop>) -> Self {
        Self(loops.into_iter().fold(0, |set, which| set | 1 << which as u8))
    }

    fn contains(self, which: Loop) -> bool {
        self.0 & 1 << which as u8 != 0
    }

    fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl Retention {
    pub fn new(order: Order, places: Places) -> Self {
        let covers = |placed: Placed, which: Loop| match places.held(placed) {
            Held::Tile => false,
            Held::Whole => which != placed.free(),
            Held::Inner => order.loops().into_iter().rfind(|&inner| inner != placed.free()) == Some(which),
        };
        let exposes = |placed: Placed, which: Loop| which != placed.free() && !covers(placed, which);
        let is_inner = |placed: Placed, which: Loop| order.position(which) > order.position(placed.free());
        let loops = |holds: &dyn Fn(Placed, Loop) -> bool| {
            Placed::ALL
                .map(|placed| Loops::of(order.loops().into_iter().filter(|&which| holds(placed, which))))
        };
        Self {
            order,
            places,
            covered: loops(&covers),
            exposed: loops(&exposes),
            inner: loops(&|placed, which| exposes(placed, which) && is_inner(placed, which)),
        }
    }

    /// Those of `orders` with all places that can differ in what they take or cause, the smallest first.
    pub fn all(orders: &[Order]) -> Vec<Self> {
        let of =
            |&order: &Order| Places::useful(order).into_iter().map(move |places| Self::new(order, places));
        orders.iter().flat_map(of).collect()
    }

    /// Whether the place of `placed` holds all blocks of the loop `which`.
    pub fn covers(&self, placed: Placed, which: Loop) -> bool {
        self.covered[placed as usize].contains(which)
    }

    /// Whether the contents of the place of `placed` are ever replaced.
    pub fn replaces(&self, tiles: &Tiles, placed: Placed) -> bool {
        tiles.groups > 1 || self.exposed[placed as usize].meets(tiles.several())
    }

    /// How often all that `placed` depends on is fetched; of sums how often each is formed further.
    pub fn repeats(&self, tiles: &Tiles, placed: Placed) -> u64 {
        if self.inner[placed as usize].meets(tiles.several()) { tiles.of(placed.free()) } else { 1 }
    }

    /// Whether the loop of filters is outside that of rows.
    pub fn filters_outside(&self) -> bool {
        self.order.position(Loop::Filter) < self.order.position(Loop::Row)
    }

    /// How often the biases are fetched: they come with the filters of the first block of channels.
    pub fn bias_repeats(&self, tiles: &Tiles) -> u64 {
        let stay = tiles.filters == 1 || self.covers(Placed::Filter, Loop::Filter) || self.filters_outside();
        if stay { 1 } else { tiles.of(Loop::Row) }
    }
}

impl Tiles {
    /// Blocks of a loop.
    pub(super) fn of(&self, which: Loop) -> u64 {
        match which {
            Loop::Row => self.images * self.rows,
            Loop::Filter => self.filters,
            Loop::Channel => self.channels,
        }
    }

    /// Loops of more than one block.
    fn several(&self) -> Loops {
        let bit = |which: Loop| u8::from(self.of(which) > 1) << which as u8;
        Loops(bit(Loop::Row) | bit(Loop::Filter) | bit(Loop::Channel))
    }
}

impl Places {
    fn held(self, placed: Placed) -> Held {
        match placed {
            Placed::Ifmap => self.ifmap,
            Placed::Filter => self.filter,
            Placed::Ofmap => self.ofmap,
        }
    }

    /// The places that can differ in what they take or cause under `order`, the smallest first.
    fn useful(order: Order) -> Vec<Self> {
        let held = |placed: Placed| match (order.position(placed.free()), placed) {
            // What is never fetched twice gains by a larger place only where that saves the halo.
            (2, Placed::Filter | Placed::Ofmap) => vec![Held::Tile],
            (1, Placed::Filter | Placed::Ofmap) => vec![Held::Tile, Held::Inner],
            (_, Placed::Filter | Placed::Ofmap) => vec![Held::Tile, Held::Whole],
            (2, Placed::Ifmap) if order.position(Loop::Row) == 0 => vec![Held::Tile, Held::Whole],
            (0, Placed::Ifmap) if order.position(Loop::Row) == 1 => vec![Held::Tile, Held::Whole],
            (1, Placed::Ifmap) if order.position(Loop::Row) == 2 => vec![Held::Tile, Held::Inner],
            (2, Placed::Ifmap) => vec![Held::Tile, Held::Inner],
            (_, Placed::Ifmap) => vec![Held::Tile, Held::Inner, Held::Whole],
        };
        let mut places = Vec::new();
        for ifmap in held(Placed::Ifmap) {
            for filter in held(Placed::Filter) {
                places.extend(held(Placed::Ofmap).into_iter().map(|ofmap| Self { ifmap, filter, ofmap }));
            }
        }
        places
    }
}

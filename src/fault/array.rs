//! The weak cells of a memory as the words of one residency meet them: rates by bit, lines that share variation, cells that
//! are stuck, words that wrap around a small memory, and maps measured on a chip.

use super::lines::LineRates;
use super::map::{MapBuffers, chunk_of, within_chunk};
use super::{CHUNK_CELLS, FaultMap, MapKey};
use crate::memory::cells::{Failure, Lines, Polarity};
use crate::memory::measured::{Direction, MeasuredMap};
use crate::memory::residency::Residency;
use crate::memory::{Geometry, Passage};
use crate::random::{Label, Probability, Words, normal};
use std::ops::Range;
use std::sync::Arc;

const DEVICE: Label = Label::new("device");
const POLARITY: Label = Label::new("polarity");

/// What the cells of one stored word do to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WordFaults {
    /// Index of the word in its data subset.
    pub word: u64,
    /// Bits that are delivered inverted.
    pub inverted: u32,
    /// Bits that are delivered as they are in `ones`, whatever was stored.
    pub stuck: u32,
    /// Stuck bits that are delivered as ones.
    pub ones: u32,
}

impl WordFaults {
    /// What is delivered of the stored word `code`.
    #[inline]
    pub fn apply(&self, code: u32) -> u32 {
        ((code ^ self.inverted) & !self.stuck) | self.ones
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.inverted |= other.inverted;
        self.stuck |= other.stuck;
        self.ones |= other.ones;
    }
}

/// Cells of one memory that may be weak, under words of one residency.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CellArray {
    pub residency: Residency,
    pub geometry: Geometry,
    /// How the words pass through the cells, if tile by tile; `None`: one behind the other, around the memory.
    pub passage: Option<Passage>,
    /// By bit of the word: probability that its cell is weak, before the factor of the device; 0 for precise bits.
    pub weak: Vec<f64>,
    pub failure: Failure,
    pub lines: Lines,
    pub device_sigma: f64,
    /// Bits from here on sit in precise cells.
    pub approximate_bits: u32,
    /// Takes the place of the rates.
    pub measured: Option<Arc<MeasuredMap>>,
}

impl CellArray {
    /// Whether any cell may be weak.
    pub fn can_err(&self) -> bool {
        let rates = &self.weak[..self.approximate_bits as usize];
        rates.iter().any(|&rate| rate > 0.0) || self.measured.is_some() && !rates.is_empty()
    }

    /// Cells that the words occupy, counted from the first.
    fn cells(&self) -> u64 {
        self.residency.words * u64::from(self.residency.word_bits)
    }

    /// Where the cells from the one `offset` cells behind the first on lie.
    fn places_from(&self, offset: u64) -> Places {
        let degree = self.geometry.interleave.max(1);
        let group_bits = degree * u64::from(self.residency.word_bits);
        let group = offset / group_bits;
        Places {
            first_word: group * degree,
            within: offset - group * group_bits,
            word_bits: u64::from(self.residency.word_bits),
            group_bits,
            degree,
            words: self.residency.words,
        }
    }

    /// The cell of bit `bit` of word `word`.
    fn cell_of(&self, word: u64, bit: u32) -> u64 {
        let degree = self.geometry.interleave.max(1);
        if let Some(passage) = &self.passage {
            let place = passage.place(word, self.residency.words);
            return self.cell_at(place, bit);
        }
        let first = word / degree * degree;
        let words = degree.min(self.residency.words - first);
        let offset = first * u64::from(self.residency.word_bits) + u64::from(bit) * words + (word - first);
        let cell = self.residency.first_cell + offset;
        self.geometry.capacity_bits().map_or(cell, |capacity| cell % capacity)
    }

    /// The cell of bit `bit` of the word in place `place` of a passage.
    fn cell_at(&self, place: u64, bit: u32) -> u64 {
        let degree = self.geometry.interleave.max(1);
        let group = place / degree * degree * u64::from(self.residency.word_bits);
        self.residency.first_cell + group + u64::from(bit) * degree + place % degree
    }

    /// The cells under the places of `passage`, whole groups of interleaved words.
    pub fn passage_cells(&self, passage: &Passage) -> Range<u64> {
        let places = passage.places().next_multiple_of(self.geometry.interleave.max(1));
        let first = self.residency.first_cell;
        first..first + places * u64::from(self.residency.word_bits)
    }

    /// Place and bit of `cell`, one of [`CellArray::passage_cells`].
    fn place_of(&self, cell: u64) -> (u64, u32) {
        let degree = self.geometry.interleave.max(1);
        let group_bits = degree * u64::from(self.residency.word_bits);
        let offset = cell - self.residency.first_cell;
        let (group, within) = (offset / group_bits, offset % group_bits);
        (group * degree + within % degree, (within / degree) as u32)
    }

    /// The weak cells under the words in the device of `key`, ascending.
    pub fn weak_cells(&self, key: MapKey) -> Vec<(u64, Direction)> {
        let device = Device::new(self, key);
        let (mut stream, mut buffers) = (FaultStream::default(), MapBuffers::default());
        let mut cells = Vec::new();
        while let Some(word) = stream.head(&device, &mut buffers) {
            let Some(faults) = stream.take(word) else { continue };
            for bit in (0..u32::BITS).filter(|bit| (faults.inverted | faults.stuck) >> bit & 1 == 1) {
                let direction = match (faults.stuck >> bit & 1, faults.ones >> bit & 1) {
                    (0, _) => Direction::Inverted,
                    (_, 0) => Direction::StuckAtZero,
                    _ => Direction::StuckAtOne,
                };
                cells.push((self.cell_of(word, bit), direction));
            }
        }
        cells.sort_unstable();
        // A cell through which several words pass is listed once.
        cells.dedup();
        cells
    }

    /// Words whose cells all lie among the first `cells` ones.
    fn complete_words(&self, cells: u64) -> u64 {
        let degree = self.geometry.interleave.max(1);
        cells / (degree * u64::from(self.residency.word_bits)) * degree
    }
}

/// Words and bits of the cells behind one of them.
#[derive(Clone, Copy, Debug)]
struct Places {
    /// First word of the group that the first cell belongs to.
    first_word: u64,
    /// The first cell, counted from the start of that group.
    within: u64,
    word_bits: u64,
    group_bits: u64,
    degree: u64,
    words: u64,
}

impl Places {
    /// Word and bit of the cell `distance` cells behind the first one.
    #[inline]
    fn at(&self, distance: u64) -> (u64, u32) {
        let offset = self.within + distance;
        if self.degree == 1 {
            // Runs end with a chunk of the map: a narrow division, which takes a quarter of the time, will mostly do.
            return match (u32::try_from(offset), self.word_bits as u32) {
                (Ok(offset), bits) => (self.first_word + u64::from(offset / bits), offset % bits),
                (Err(_), _) => (self.first_word + offset / self.word_bits, (offset % self.word_bits) as u32),
            };
        }
        let first = self.first_word + offset / self.group_bits * self.degree;
        let within = offset % self.group_bits;
        // The words left over at the end are interleaved among themselves.
        let words = self.degree.min(self.words - first);
        (first + within % words, (within / words) as u32)
    }
}

/// The cells of one device instance.
#[derive(Clone, Debug)]
pub(super) struct Device<'a> {
    array: &'a CellArray,
    /// The rates of this device by bit.
    rates: Vec<f64>,
    /// All cells that fail at the largest rate of any bit on any line.
    map: FaultMap,
    /// Whether some of these cells survive: those of bits or lines with a smaller rate.
    is_thinned: bool,
    lines: LineRates,
    polarity: Words,
}

impl<'a> Device<'a> {
    /// The device of `key`, which names memory, seed and trial.
    pub fn new(array: &'a CellArray, key: MapKey) -> Self {
        let factor = device_factor(array.device_sigma, key);
        let rates: Vec<f64> = array.weak.iter().map(|rate| (rate * factor).clamp(0.0, 1.0)).collect();
        let lines = LineRates::new(&array.lines, &array.geometry, &rates, key);
        let approximate = &rates[..array.approximate_bits as usize];
        let largest = approximate.iter().copied().fold(0.0, f64::max);
        let is_even = approximate.iter().all(|&rate| rate == largest);
        let bound = Probability::new(lines.largest(largest)).unwrap_or(Probability::ONE);
        Self {
            array,
            map: FaultMap::new(key, bound),
            is_thinned: !is_even || !lines.is_independent(),
            lines,
            rates,
            polarity: key.words(POLARITY),
        }
    }

    /// The weak cells among `cells`, ascending, each with its number (0 where no cell of the map survives).
    fn candidates(&self, cells: Range<u64>, buffers: &mut MapBuffers, mut visit: impl FnMut(u64, f64)) {
        let mut start = cells.start;
        while start < cells.end {
            let chunk = chunk_of(start);
            let end = cells.end.min((chunk + 1) * CHUNK_CELLS);
            if self.is_thinned {
                for weak in self.map.numbered(chunk, &(start..end)) {
                    visit(weak.cell, weak.u);
                }
            } else {
                let base = chunk * CHUNK_CELLS;
                for &cell in self.map.chunk(chunk, within_chunk(chunk, &(start..end)), buffers) {
                    visit(base + u64::from(cell), 0.0);
                }
            }
            start = end;
        }
    }

    /// Whether the cell `cell` of number `u` fails where it holds bit `bit` of a word.
    #[inline]
    fn fails(&self, cell: u64, u: f64, bit: u32) -> bool {
        bit < self.array.approximate_bits
            && (!self.is_thinned
                || self.lines.fails(&self.array.geometry, cell, u, self.rates[bit as usize], bit))
    }

    /// Whether the cell `cell` of number `u` fails where it holds the bit of the largest rate, and so whether it fails at all.
    fn may_fail(&self, cell: u64, u: f64) -> bool {
        let rates = self.rates[..self.array.approximate_bits as usize].iter().enumerate();
        let largest = rates.max_by(|one, other| one.1.total_cmp(other.1));
        largest.is_some_and(|(bit, _)| self.fails(cell, u, bit as u32))
    }

    /// The weak cells under the places of `passage`, ascending by place.
    fn placed(&self, passage: &Passage, buffers: &mut MapBuffers) -> Vec<PlacedFault> {
        let (array, cells) = (self.array, self.array.passage_cells(passage));
        let mut placed = Vec::new();
        if let Some(measured) = &array.measured {
            for &(cell, direction) in measured.within(cells) {
                let (place, bit) = array.place_of(cell);
                if bit < array.approximate_bits {
                    placed.push(PlacedFault { place, bit, direction });
                }
            }
        } else {
            self.candidates(cells, buffers, |cell, u| {
                let (place, bit) = array.place_of(cell);
                if self.fails(cell, u, bit) {
                    placed.push(PlacedFault { place, bit, direction: self.direction(cell) });
                }
            });
        }
        placed.sort_by_key(|fault| fault.place);
        placed
    }

    /// What a weak cell delivers.
    fn direction(&self, cell: u64) -> Direction {
        let is_one = match self.array.failure {
            Failure::Inverted => return Direction::Inverted,
            Failure::Stuck(Polarity::Share(0.0)) => false,
            Failure::Stuck(Polarity::Share(share)) => unit(self.polarity.at(cell)) < share,
            Failure::Stuck(Polarity::RowBlocks(rows)) => {
                !(self.array.geometry.row(cell) / rows).is_multiple_of(2)
            }
        };
        if is_one { Direction::StuckAtOne } else { Direction::StuckAtZero }
    }
}

/// The factor on all rates of one device: log-normal of median 1.
fn device_factor(sigma: f64, key: MapKey) -> f64 {
    if sigma == 0.0 {
        return 1.0;
    }
    libm::exp(sigma * standard_normal(key.words(DEVICE).at(0)))
}

/// A random word as a number in [0, 1).
#[inline]
pub(super) fn unit(word: u64) -> f64 {
    (word >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// The standard normal deviate of a random word.
pub(super) fn standard_normal(word: u64) -> f64 {
    normal::quantile(unit(word) + 0.5 / (1u64 << 53) as f64)
}

/// A weak cell under one place of a passage.
#[derive(Clone, Copy, Debug)]
struct PlacedFault {
    place: u64,
    bit: u32,
    direction: Direction,
}

/// The faults of all words of a residency in ascending order, drawn run by run as they are read.
#[derive(Clone, Debug, Default)]
pub(super) struct FaultStream {
    faults: Vec<WordFaults>,
    position: usize,
    /// Words below this one are complete.
    complete: u64,
    /// Cells of the residency drawn so far.
    drawn: u64,
    at_origin: bool,
    /// All weak cells of a memory through which the words pass more than once.
    repeated: Option<Vec<(u64, f64)>>,
    /// Those under the places of a passage, ascending by place.
    placed: Option<Vec<PlacedFault>>,
}

impl FaultStream {
    /// Starts over, in the memory already taken; with the words at the first cell if `at_origin`.
    pub fn reopen(&mut self, at_origin: bool) {
        let mut faults = std::mem::take(&mut self.faults);
        faults.clear();
        *self = Self { faults, at_origin, ..Self::default() };
    }

    /// The word of the next faults, which stay the next until [`FaultStream::take`].
    #[inline]
    pub fn head(&mut self, device: &Device<'_>, buffers: &mut MapBuffers) -> Option<u64> {
        loop {
            if let Some(head) = self.faults.get(self.position)
                && head.word < self.complete
            {
                return Some(head.word);
            }
            if self.drawn == device.array.cells() {
                return None;
            }
            self.draw(device, buffers);
        }
    }

    /// The faults of `word` if it is the head, which then moves on.
    #[inline]
    pub fn take(&mut self, word: u64) -> Option<WordFaults> {
        let head = self.faults.get(self.position).filter(|head| head.word == word)?;
        self.position += 1;
        Some(*head)
    }

    /// Draws the next run of cells: up to the end of a chunk of the map or of the memory.
    fn draw(&mut self, device: &Device<'_>, buffers: &mut MapBuffers) {
        self.faults.drain(..self.position);
        self.position = 0;
        let array = device.array;
        if let Some(passage) = array.passage {
            self.draw_block(device, &passage, buffers);
            return;
        }
        let capacity = array.geometry.capacity_bits();
        let first = if self.at_origin { 0 } else { array.residency.first_cell } + self.drawn;
        let start = capacity.map_or(first, |capacity| first % capacity);
        let run_end = capacity.unwrap_or(u64::MAX).min((chunk_of(start) + 1).saturating_mul(CHUNK_CELLS));
        let run = (run_end - start).min(array.cells() - self.drawn);
        let places = array.places_from(self.drawn);
        let faults = &mut self.faults;
        let mut visit = |cell: u64, u: f64| {
            let (word, bit) = places.at(cell - start);
            if device.fails(cell, u, bit) {
                push(faults, word, bit, device.direction(cell));
            }
        };
        if let Some(measured) = &array.measured {
            for &(cell, direction) in measured.within(start..start + run) {
                let (word, bit) = places.at(cell - start);
                if bit < array.approximate_bits {
                    push(faults, word, bit, direction);
                }
            }
        } else if let Some(capacity) = capacity.filter(|&capacity| capacity < array.cells()) {
            let repeated = self.repeated.get_or_insert_with(|| {
                let mut all = Vec::new();
                device.candidates(0..capacity, buffers, |cell, u| {
                    // Few of the candidates fail where lines differ: looked at once, not once per pass.
                    if device.may_fail(cell, u) {
                        all.push((cell, u));
                    }
                });
                all
            });
            let from = repeated.partition_point(|&(cell, _)| cell < start);
            let within = repeated[from..].iter().take_while(|&&(cell, _)| cell < start + run);
            within.for_each(|&(cell, u)| visit(cell, u));
        } else {
            device.candidates(start..start + run, buffers, visit);
        }
        self.drawn += run;
        if array.geometry.interleave > 1 {
            self.arrange();
        }
        self.complete = if self.drawn == array.cells() { u64::MAX } else { array.complete_words(self.drawn) };
    }

    /// Draws the next block of units of a passage.
    fn draw_block(&mut self, device: &Device<'_>, passage: &Passage, buffers: &mut MapBuffers) {
        let (array, words) = (device.array, device.array.residency.words);
        let placed = self.placed.get_or_insert_with(|| device.placed(passage, buffers));
        let bits = u64::from(array.residency.word_bits);
        let mut end = words;
        for tile in passage.block(passage.block_of(self.drawn / bits), words) {
            end = words.min((tile.first_unit + tile.units) * passage.unit_words);
            let from = placed.partition_point(|fault| fault.place < tile.place);
            for fault in placed[from..].iter().take_while(|fault| fault.place < tile.places().end) {
                let offset = fault.place - tile.place;
                let unit = tile.first_unit + offset / tile.words;
                let word = unit * passage.unit_words + tile.first_word + offset % tile.words;
                push(&mut self.faults, word, fault.bit, fault.direction);
            }
        }
        self.arrange();
        self.drawn = end * bits;
        self.complete = if end == words { u64::MAX } else { end };
    }

    /// Brings the faults in the order of words, one entry each.
    fn arrange(&mut self) {
        self.faults.sort_by_key(|faults| faults.word);
        self.faults.dedup_by(|next, kept| {
            let is_same = next.word == kept.word;
            if is_same {
                kept.join(next);
            }
            is_same
        });
    }
}

/// Adds the fault of one bit, to the last word's if it is the same.
#[inline]
fn push(faults: &mut Vec<WordFaults>, word: u64, bit: u32, direction: Direction) {
    let mask = 1u32 << bit;
    let fault = match direction {
        Direction::Inverted => WordFaults { word, inverted: mask, ..WordFaults::default() },
        Direction::StuckAtZero => WordFaults { word, stuck: mask, ..WordFaults::default() },
        Direction::StuckAtOne => WordFaults { word, stuck: mask, ones: mask, ..WordFaults::default() },
    };
    match faults.last_mut() {
        Some(last) if last.word == word => last.join(&fault),
        _ => faults.push(fault),
    }
}

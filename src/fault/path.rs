//! The words of a data subset on their way through memories and the link.

use super::Error;
use super::array::WordFaults;
use super::block::{self, Block, UNIT};
use super::map::MapBuffers;
use super::rest::{Rest, Streams};
use crate::memory::cells::CellFaults;
use crate::memory::measured::MeasuredMap;
use crate::memory::residency::Residency;
use crate::memory::{Geometry, Lifetime, Passage};
use crate::number::{Codec, Narrowing};
use crate::random::Probability;
use std::sync::Arc;

/// A stop at which words rest in a memory.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryStop {
    /// Name of the memory: its faults are its own.
    pub memory: String,
    /// Cells that the words occupy: addresses beyond the memory's capacity wrap around.
    pub residency: Residency,
    /// How they pass through these cells, if tile by tile: they then lie from the first cell on, within the capacity.
    pub passage: Option<Passage>,
    /// Where the cells are.
    pub geometry: Geometry,
    /// What may go wrong in them: one rate per bit of the word.
    pub faults: CellFaults,
    /// Top bits of every word that sit in cells that never err.
    pub precise_msbs: u32,
    /// Top bits of every word that are stored with the check bits of a SECDED code.
    pub coded_msbs: u32,
    /// First cell of the check bits, in an array of their own; 0 without a code.
    pub first_check_cell: u64,
    /// The permanent faults, where they have been measured.
    pub measured: Option<Arc<MeasuredMap>>,
}

impl MemoryStop {
    /// A memory whose cells are all alike: its approximate bits err with probability `rate`, independently.
    pub fn uniform(
        memory: &str,
        residency: Residency,
        rate: Probability,
        precise_msbs: u32,
        lifetime: Lifetime,
    ) -> Self {
        let (weak, upset) = match lifetime {
            Lifetime::Permanent => (rate.get(), 0.0),
            Lifetime::Transient => (0.0, rate.get()),
        };
        Self {
            memory: memory.to_owned(),
            residency,
            passage: None,
            geometry: Geometry::default(),
            faults: CellFaults::uniform(residency.word_bits, weak, upset),
            precise_msbs,
            coded_msbs: 0,
            first_check_cell: 0,
            measured: None,
        }
    }
}

/// One stop of a path.
#[expect(clippy::large_enum_variant, reason = "a path has a handful of stops")]
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// The words rest in a memory.
    Memory(MemoryStop),
    /// The words cross the off-chip link.
    Link(Narrowing),
}

/// Which residency of the words a strike is about: permanent faults do not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Redraw {
    /// Words that stay for the whole trial: weights and biases.
    Trial,
    /// Words fetched anew for this image: weights and biases with a redraw per image.
    Image(u64),
    /// Words made for this image: a blob of activations. Transient faults are those of the words' own cells, counted
    /// from the first, wherever they rest: a residency of few words costs no look at the cells before it.
    Activation {
        /// Index of the image.
        image: u64,
        /// Index of the blob or layer; all readers of one blob give the same.
        blob: u64,
    },
}

/// One draw of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Draw {
    /// Seed of the experiment.
    pub seed: u64,
    /// Index of the trial: of the device instance.
    pub trial: u64,
    /// Which residency.
    pub redraw: Redraw,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Index into the rests.
    Rest(usize),
    Link(Narrowing),
}

/// The way of one data subset from its home memory to the arithmetic.
#[derive(Clone, Debug)]
pub struct Path {
    home: Codec,
    delivered: Codec,
    steps: Vec<Step>,
    rests: Vec<Rest>,
    words: u64,
    /// Words that are looked at together: 1, or [`UNIT`] where a code joins them.
    unit: u64,
}

/// The permanent faults of one device at every memory stop of a path: what does not change from image to image.
#[derive(Clone, Debug)]
pub struct DeviceFaults {
    /// Of the words and of the check bits at each rest.
    rests: Vec<[Vec<WordFaults>; 2]>,
}

/// Scratch memory of [`Path::strike`], kept from strike to strike; one per thread.
#[derive(Clone, Debug, Default)]
pub struct StrikeBuffers {
    map: MapBuffers,
    streams: Streams,
}

impl DeviceFaults {
    /// Whether no cell is weak.
    pub fn is_empty(&self) -> bool {
        self.rests.iter().flatten().all(Vec::is_empty)
    }

    /// The faults of the words and of the check bits at memory stop `stop`.
    #[cfg(test)]
    pub(super) fn lists(&self, stop: usize) -> &[Vec<WordFaults>; 2] {
        &self.rests[stop]
    }
}

impl Path {
    /// The path through `stops`, of words stored as `home` first and delivered as `delivered`. Words that pass the same cells
    /// again meet their permanent faults once.
    ///
    /// # Errors
    /// [`enum@Error`] if a residency cannot be, if the stops hold different numbers of words, or words of a width that does
    /// not reach them, or if `home` and `delivered` differ without a link.
    pub fn new(home: Codec, delivered: Codec, stops: &[Stop]) -> Result<Self, Error> {
        let mut path = Self {
            home,
            delivered,
            steps: Vec::with_capacity(stops.len()),
            rests: Vec::new(),
            words: 0,
            unit: 1,
        };
        let mut arriving = path.home.bits();
        for (index, stop) in stops.iter().enumerate() {
            match stop {
                Stop::Link(narrowing) => {
                    arriving = path.delivered.bits();
                    path.steps.push(Step::Link(*narrowing));
                }
                Stop::Memory(stop) => {
                    let Residency { word_bits, words, .. } = stop.residency;
                    if word_bits != arriving {
                        return Err(Error::PathWidth { stop: index, stored: word_bits, arriving });
                    }
                    if !path.rests.is_empty() && words != path.words {
                        return Err(Error::PathWords { stop: index, words, before: path.words });
                    }
                    path.words = words;
                    if stop.coded_msbs > 0 {
                        path.unit = UNIT;
                    }
                    let earlier = stops[..index].iter().filter_map(|other| match other {
                        Stop::Memory(other) if other.memory == stop.memory => Some(other),
                        _ => None,
                    });
                    let is_same_cells = (earlier.clone())
                        .any(|other| other.residency == stop.residency && other.passage == stop.passage);
                    path.steps.push(Step::Rest(path.rests.len()));
                    path.rests.push(Rest::new(stop, earlier.count() as u64, is_same_cells)?);
                }
            }
        }
        let has_link = path.steps.iter().any(|step| matches!(step, Step::Link(_)));
        if !has_link && path.home != path.delivered {
            return Err(Error::PathCodec { home: path.home.bits(), delivered: path.delivered.bits() });
        }
        Ok(path)
    }

    /// Number of memory stops.
    pub fn memory_stops(&self) -> usize {
        self.rests.len()
    }

    /// Whether a cell on the way may err.
    pub fn can_err(&self) -> bool {
        self.rests.iter().any(Rest::can_err)
    }

    /// Whether there are faults that are drawn anew for each residency.
    pub fn has_transient(&self) -> bool {
        self.rests.iter().any(Rest::has_transient)
    }

    /// What word `index` of value `value` delivers when no cell errs.
    pub fn deliver(&self, index: usize, value: f32) -> f32 {
        let code = self.steps.iter().fold(self.home.encode(index, value), |code, step| match step {
            Step::Rest(_) => code,
            Step::Link(narrowing) => narrowing.apply(code),
        });
        self.delivered.decode(index, code)
    }

    /// The permanent faults of device `trial`, for many strikes on words that pass the same cells.
    pub fn device(&self, seed: u64, trial: u64, buffers: &mut StrikeBuffers) -> DeviceFaults {
        let list = |rest: &Rest| rest.permanent_faults(seed, trial, &mut buffers.map);
        DeviceFaults { rests: self.rests.iter().map(list).collect() }
    }

    /// Calls `hit` with the index and the delivered value of every word that is changed at some stop, ascending, and adds the
    /// bits delivered wrong by each memory stop to `flips`, one count per stop.
    ///
    /// `golden` yields the value of a word before it was ever stored; `device` the permanent faults of the draw's device,
    /// where they are at hand. Words that are not changed deliver [`Path::deliver`]; so may one that is, if the link drops
    /// the bit or a later stop changes it back.
    ///
    /// # Panics
    /// If `flips` has not one count per memory stop, or in `golden` or `hit`.
    pub fn strike(
        &self,
        draw: &Draw,
        device: Option<&DeviceFaults>,
        buffers: &mut StrikeBuffers,
        flips: &mut [u64],
        golden: impl Fn(usize) -> f32,
        mut hit: impl FnMut(usize, f32),
    ) {
        assert_eq!(flips.len(), self.rests.len(), "one count of flips per memory stop");
        if self.rests.iter().all(Rest::is_alike) && device.is_none_or(DeviceFaults::is_empty) {
            return self.strike_alike(draw, buffers, flips, golden, hit);
        }
        let StrikeBuffers { map, streams } = buffers;
        let mut open: Vec<_> = (self.rests.iter().enumerate())
            .map(|(index, rest)| rest.open(draw, device.map(|device| &device.rests[index]), streams))
            .collect();
        if self.unit == 1 {
            while let Some(word) = open.iter_mut().filter_map(|rest| rest.head(map)).min() {
                let index = word as usize;
                let mut code = self.home.encode(index, golden(index));
                let mut is_changed = false;
                for step in &self.steps {
                    match *step {
                        Step::Link(narrowing) => code = narrowing.apply(code),
                        Step::Rest(rest) => {
                            let delivered = open[rest].deliver(word, code);
                            flips[rest] += u64::from((delivered ^ code).count_ones());
                            is_changed |= delivered != code;
                            code = delivered;
                        }
                    }
                }
                if is_changed {
                    hit(index, self.delivered.decode(index, code));
                }
            }
        } else {
            while let Some(word) = open.iter_mut().filter_map(|rest| rest.head(map)).min() {
                let first = word / UNIT * UNIT;
                let count = UNIT.min(self.words - first) as usize;
                let mut words = Block::new(first, count, |index| self.home.encode(index, golden(index)));
                for step in &self.steps {
                    match *step {
                        Step::Link(narrowing) => words.narrow(narrowing),
                        Step::Rest(rest) => {
                            flips[rest] +=
                                block::deliver(&self.rests[rest], &mut open[rest], &mut words, map);
                        }
                    }
                }
                for (index, code) in words.changed() {
                    hit(index, self.delivered.decode(index, code));
                }
            }
        }
        for rest in open {
            rest.close(streams);
        }
    }

    /// [`Path::strike`] where every memory has one kind of fault in cells that are all alike. The loop is short enough for a
    /// processor to look several words ahead, which is what hides the time that it takes to fetch them.
    fn strike_alike(
        &self,
        draw: &Draw,
        buffers: &mut StrikeBuffers,
        flips: &mut [u64],
        golden: impl Fn(usize) -> f32,
        mut hit: impl FnMut(usize, f32),
    ) {
        let StrikeBuffers { map, streams } = buffers;
        let streams = streams.alike(self.rests.iter().map(|rest| rest.alike(draw)));
        loop {
            let next = streams.iter_mut().filter_map(|stream| stream.head(map)).min();
            let Some(word) = next else { return };
            let index = word as usize;
            let mut code = self.home.encode(index, golden(index));
            for step in &self.steps {
                match *step {
                    Step::Link(narrowing) => code = narrowing.apply(code),
                    Step::Rest(rest) => {
                        if let Some(mask) = streams[rest].take(word) {
                            flips[rest] += u64::from(mask.count_ones());
                            code ^= mask;
                        }
                    }
                }
            }
            hit(index, self.delivered.decode(index, code));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{FaultMap, MapKey, StoredImage};
    use crate::number::{BinaryPoint, Format, Range, Rounding};

    const WORDS: usize = 20_000;

    fn codec(bits: u32) -> Codec {
        let format =
            Format::Fixed { bits, binary_point: BinaryPoint::At(1), rounding: Rounding::NearestEven };
        Codec::new(&format, &[Range { max_abs: 1.0 }], WORDS).unwrap()
    }

    fn memory(name: &str, word_bits: u32, p: f64, lifetime: Lifetime) -> MemoryStop {
        let residency = Residency { memory: 0, first_cell: 500, word_bits, words: WORDS as u64 };
        MemoryStop::uniform(name, residency, Probability::new(p).unwrap(), 1, lifetime)
    }

    fn golden(word: usize) -> f32 {
        (word as f32 * 0.618_034).fract() * 2.0 - 1.0
    }

    fn strike(path: &Path, trial: u64, redraw: Redraw) -> (Vec<u64>, Vec<(usize, f32)>) {
        let (mut flips, mut hits) = (vec![0; path.memory_stops()], Vec::new());
        let draw = Draw { seed: 9, trial, redraw };
        path.strike(&draw, None, &mut StrikeBuffers::default(), &mut flips, golden, |word, value| {
            hits.push((word, value));
        });
        (flips, hits)
    }

    fn one_stop(p: f64, lifetime: Lifetime) -> Path {
        Path::new(codec(12), codec(12), &[Stop::Memory(memory("buffer", 12, p, lifetime))]).unwrap()
    }

    #[test]
    fn stops_act_in_order_on_words_of_their_own_width() {
        let home = codec(16);
        let (delivered, narrowing) = home.narrowed(10, Rounding::NearestEven).unwrap();
        let dram = memory("dram", 16, 0.02, Lifetime::Permanent);
        let buffer = memory("buffer", 10, 0.01, Lifetime::Permanent);
        let stops = [Stop::Memory(dram.clone()), Stop::Link(narrowing), Stop::Memory(buffer.clone())];
        let path = Path::new(home.clone(), delivered.clone(), &stops).unwrap();
        let (flips, hits) = strike(&path, 1, Redraw::Trial);

        // The same word by word, from the maps of the two memories.
        let masks = |stop: &MemoryStop| {
            let image = StoredImage::new(stop.residency, stop.precise_msbs).unwrap();
            let rate = Probability::new(stop.faults.weak[0]).unwrap();
            let map = FaultMap::new(MapKey::permanent(&stop.memory, 9, 1), rate);
            let mut masks = vec![0u32; WORDS];
            for flips in image.word_flips(&map) {
                masks[flips.word as usize] = flips.mask;
            }
            masks
        };
        let (first, second) = (masks(&dram), masks(&buffer));
        let mut expected = Vec::new();
        for word in 0..WORDS {
            if first[word] | second[word] != 0 {
                let code = narrowing.apply(home.encode(word, golden(word)) ^ first[word]) ^ second[word];
                expected.push((word, delivered.decode(word, code)));
            } else {
                let quiet = narrowing.apply(home.encode(word, golden(word)));
                assert_eq!(path.deliver(word, golden(word)), delivered.decode(word, quiet));
            }
        }
        assert_eq!(hits, expected);
        let count = |masks: &[u32]| masks.iter().map(|mask| u64::from(mask.count_ones())).sum::<u64>();
        assert_eq!(flips, [count(&first), count(&second)]);
    }

    #[test]
    fn transient_faults_follow_image_and_blob_and_permanent_ones_do_not() {
        let activation = |image, blob| Redraw::Activation { image, blob };
        let transient = one_stop(0.01, Lifetime::Transient);
        let one = strike(&transient, 0, activation(1, 1));
        assert_eq!(one, strike(&transient, 0, activation(1, 1)));
        let others = [
            (0, activation(2, 1)),
            (0, activation(1, 2)),
            (1, activation(1, 1)),
            (0, Redraw::Image(1)),
            (0, Redraw::Trial),
        ];
        for (trial, redraw) in others {
            assert_ne!(one, strike(&transient, trial, redraw), "trial {trial}, {redraw:?}");
        }
        let permanent = one_stop(0.01, Lifetime::Permanent);
        let fixed = strike(&permanent, 0, activation(1, 1));
        assert_eq!(fixed, strike(&permanent, 0, activation(2, 3)));
        assert_eq!(fixed, strike(&permanent, 0, Redraw::Trial));
        assert_ne!(fixed, strike(&permanent, 1, Redraw::Trial));
    }

    #[test]
    fn an_activation_has_the_same_transient_faults_wherever_it_rests() {
        let mut stop = memory("buffer", 12, 0.01, Lifetime::Transient);
        let here = Path::new(codec(12), codec(12), &[Stop::Memory(stop.clone())]).unwrap();
        stop.residency.first_cell = 77_000_000;
        let there = Path::new(codec(12), codec(12), &[Stop::Memory(stop)]).unwrap();
        let redraw = Redraw::Activation { image: 5, blob: 6 };
        assert_eq!(strike(&here, 0, redraw), strike(&there, 0, redraw));
        assert_ne!(strike(&here, 0, Redraw::Trial), strike(&there, 0, Redraw::Trial));
    }

    #[test]
    fn transient_faults_are_nested_and_shared_by_all_protections() {
        let redraw = Redraw::Activation { image: 0, blob: 2 };
        let mut inner: Vec<usize> = Vec::new();
        for p in [1e-5, 1e-4, 1e-3, 5e-3, 0.02, 0.3] {
            let (_, hits) = strike(&one_stop(p, Lifetime::Transient), 0, redraw);
            let words: Vec<_> = hits.iter().map(|hit| hit.0).collect();
            assert!(inner.iter().all(|word| words.binary_search(word).is_ok()), "p = {p}");
            inner = words;
        }
    }

    #[test]
    fn a_memory_passed_twice_strikes_anew_only_with_transient_faults() {
        let passed = |times, lifetime| {
            let stop = Stop::Memory(memory("buffer", 12, 0.01, lifetime));
            Path::new(codec(12), codec(12), &vec![stop; times]).unwrap()
        };
        // The cells are the same: what they did to the word they have done.
        let (flips, hits) = strike(&passed(2, Lifetime::Permanent), 0, Redraw::Trial);
        let (once, expected) = strike(&passed(1, Lifetime::Permanent), 0, Redraw::Trial);
        assert_eq!((flips, hits), (vec![once[0], 0], expected));
        let (flips, _) = strike(&passed(2, Lifetime::Transient), 0, Redraw::Trial);
        assert!(flips[0] != flips[1] && flips[1] > 0);
    }

    #[test]
    fn paths_that_cannot_be_are_refused() {
        let stop = |bits| Stop::Memory(memory("buffer", bits, 0.1, Lifetime::Permanent));
        let error = |home, delivered, stops: &[Stop]| Path::new(home, delivered, stops).unwrap_err();
        assert_eq!(
            error(codec(12), codec(12), &[stop(12), stop(11)]),
            Error::PathWidth { stop: 1, stored: 11, arriving: 12 }
        );
        let (narrow, narrowing) = codec(12).narrowed(8, Rounding::Floor).unwrap();
        assert_eq!(
            error(codec(12), narrow, &[stop(12), Stop::Link(narrowing), stop(12)]),
            Error::PathWidth { stop: 2, stored: 12, arriving: 8 }
        );
        assert_eq!(error(codec(12), codec(8), &[stop(12)]), Error::PathCodec { home: 12, delivered: 8 });
        let mut short = memory("dram", 12, 0.1, Lifetime::Permanent);
        short.residency.words = 3;
        assert_eq!(
            error(codec(12), codec(12), &[stop(12), Stop::Memory(short)]),
            Error::PathWords { stop: 1, words: 3, before: WORDS as u64 }
        );
        let mut guarded = memory("dram", 12, 0.1, Lifetime::Permanent);
        guarded.precise_msbs = 13;
        assert_eq!(
            error(codec(12), codec(12), &[Stop::Memory(guarded)]),
            Error::ProtectedMsbs { protected_msbs: 13, word_bits: 12 }
        );
    }
}

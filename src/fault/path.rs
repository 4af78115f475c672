//! The words of a data subset on their way through memories and the link.

use super::image::FlipStream;
use super::map::MapBuffers;
use super::{Error, FaultMap, MapKey, StoredImage};
use crate::memory::Lifetime;
use crate::memory::residency::Residency;
use crate::number::{Codec, Narrowing};
use crate::random::Probability;

/// A stop at which words rest in a memory.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryStop {
    /// Name of the memory: its faults are its own.
    pub memory: String,
    /// Cells that the words occupy.
    pub residency: Residency,
    /// Bit error rate of an approximate cell.
    pub bit_error_rate: Probability,
    /// Top bits of every word that sit in precise cells.
    pub protected_msbs: u32,
    /// How long its faults last.
    pub lifetime: Lifetime,
}

/// One stop of a path.
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

/// A memory stop made ready.
#[derive(Clone, Copy, Debug)]
struct Rest {
    image: StoredImage,
    bit_error_rate: Probability,
    lifetime: Lifetime,
    /// Key of the memory, trial not yet named.
    memory_key: MapKey,
    /// How many earlier stops of the path rest in the same memory.
    visit: u64,
    /// The map of no trial: it holds what depends on the rate alone.
    map: FaultMap,
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
}

/// Scratch memory of [`Path::strike`], kept from strike to strike; one per thread.
#[derive(Clone, Debug, Default)]
pub struct StrikeBuffers {
    map: MapBuffers,
    streams: Vec<FlipStream>,
}

impl Path {
    /// The path through `stops`, of words stored as `home` first and delivered as `delivered`.
    ///
    /// # Errors
    /// [`enum@Error`] if a residency cannot be, if the stops hold different numbers of words, or words of a width that does
    /// not reach them, or if `home` and `delivered` differ without a link.
    pub fn new(home: Codec, delivered: Codec, stops: &[Stop]) -> Result<Self, Error> {
        let mut path = Self { home, delivered, steps: Vec::with_capacity(stops.len()), rests: Vec::new() };
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
                    if let Some(before) = path.rests.first().map(|rest| rest.image.residency().words)
                        && words != before
                    {
                        return Err(Error::PathWords { stop: index, words, before });
                    }
                    let visit = stops[..index]
                        .iter()
                        .filter(|other| matches!(other, Stop::Memory(other) if other.memory == stop.memory))
                        .count() as u64;
                    path.steps.push(Step::Rest(path.rests.len()));
                    path.rests.push(Rest::new(stop, visit)?);
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

    /// Approximate bits at each memory stop.
    pub fn bits_at_risk(&self) -> impl Iterator<Item = u64> + '_ {
        self.rests.iter().map(|rest| rest.image.bits_at_risk())
    }

    /// Expected flips of one strike at each memory stop.
    pub fn expected_flips(&self) -> impl Iterator<Item = f64> + '_ {
        self.rests.iter().map(|rest| rest.image.expected_flips(rest.bit_error_rate))
    }

    /// What word `index` of value `value` delivers when no cell errs.
    pub fn deliver(&self, index: usize, value: f32) -> f32 {
        let code = self.steps.iter().fold(self.home.encode(index, value), |code, step| match step {
            Step::Rest(_) => code,
            Step::Link(narrowing) => narrowing.apply(code),
        });
        self.delivered.decode(index, code)
    }

    /// Calls `hit` with the index and the delivered value of every word that errs at some stop, ascending, and adds the
    /// flips at each memory stop to `flips`, one count per stop.
    ///
    /// `golden` yields the value of a word before it was ever stored. Words that do not err deliver [`Path::deliver`];
    /// so may a word that errs, if the link drops the bit or a later stop flips it back.
    ///
    /// # Panics
    /// If `flips` has not one count per memory stop, or in `golden` or `hit`.
    pub fn strike(
        &self,
        draw: &Draw,
        buffers: &mut StrikeBuffers,
        flips: &mut [u64],
        golden: impl Fn(usize) -> f32,
        mut hit: impl FnMut(usize, f32),
    ) {
        assert_eq!(flips.len(), self.rests.len(), "one count of flips per memory stop");
        let StrikeBuffers { map: map_buffers, streams } = buffers;
        for (index, rest) in self.rests.iter().enumerate() {
            let (image, map) = (rest.image_of(draw), rest.map.with_key(rest.key(draw)));
            match streams.get_mut(index) {
                Some(stream) => stream.reopen(image, map),
                None => streams.push(FlipStream::new(image, map)),
            }
        }
        let streams = &mut streams[..self.rests.len()];
        loop {
            let next = streams.iter_mut().filter_map(|stream| stream.head(map_buffers)).min();
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

impl Rest {
    fn new(stop: &MemoryStop, visit: u64) -> Result<Self, Error> {
        let memory_key = match stop.lifetime {
            Lifetime::Permanent => MapKey::permanent_of(&stop.memory),
            Lifetime::Transient => MapKey::transient_of(&stop.memory),
        };
        Ok(Self {
            image: StoredImage::new(stop.residency, stop.protected_msbs)?,
            bit_error_rate: stop.bit_error_rate,
            lifetime: stop.lifetime,
            memory_key,
            visit,
            map: FaultMap::new(memory_key, stop.bit_error_rate),
        })
    }

    fn key(&self, draw: &Draw) -> MapKey {
        let key = self.memory_key.of_trial(draw.seed, draw.trial);
        match (self.lifetime, draw.redraw) {
            (Lifetime::Permanent, _) => key,
            (Lifetime::Transient, Redraw::Trial) => key.visit(self.visit),
            (Lifetime::Transient, Redraw::Image(image)) => key.image(image).visit(self.visit),
            (Lifetime::Transient, Redraw::Activation { image, blob }) => {
                key.activation(image, blob).visit(self.visit)
            }
        }
    }

    fn image_of(&self, draw: &Draw) -> StoredImage {
        match (self.lifetime, draw.redraw) {
            (Lifetime::Transient, Redraw::Activation { .. }) => self.image.at_origin(),
            _ => self.image,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::{BinaryPoint, Format, Range, Rounding};

    const WORDS: usize = 20_000;

    fn codec(bits: u32) -> Codec {
        let format =
            Format::Fixed { bits, binary_point: BinaryPoint::At(1), rounding: Rounding::NearestEven };
        Codec::new(&format, &[Range { max_abs: 1.0 }], WORDS).unwrap()
    }

    fn memory(name: &str, word_bits: u32, p: f64, lifetime: Lifetime) -> MemoryStop {
        MemoryStop {
            memory: name.to_owned(),
            residency: Residency { memory: 0, first_cell: 500, word_bits, words: WORDS as u64 },
            bit_error_rate: Probability::new(p).unwrap(),
            protected_msbs: 1,
            lifetime,
        }
    }

    fn golden(word: usize) -> f32 {
        (word as f32 * 0.618_034).fract() * 2.0 - 1.0
    }

    fn strike(path: &Path, trial: u64, redraw: Redraw) -> (Vec<u64>, Vec<(usize, f32)>) {
        let (mut flips, mut hits) = (vec![0; path.memory_stops()], Vec::new());
        let draw = Draw { seed: 9, trial, redraw };
        path.strike(&draw, &mut StrikeBuffers::default(), &mut flips, golden, |word, value| {
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
            let image = StoredImage::new(stop.residency, stop.protected_msbs).unwrap();
            let map = FaultMap::new(MapKey::permanent(&stop.memory, 9, 1), stop.bit_error_rate);
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
        assert_eq!(path.bits_at_risk().collect::<Vec<_>>(), [WORDS as u64 * 15, WORDS as u64 * 9]);
        let expected: Vec<_> = path.expected_flips().collect();
        assert_eq!(expected, [WORDS as f64 * 15.0 * 0.02, WORDS as f64 * 9.0 * 0.01]);
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
        let twice = |lifetime| {
            let stop = Stop::Memory(memory("buffer", 12, 0.01, lifetime));
            Path::new(codec(12), codec(12), &[stop.clone(), stop]).unwrap()
        };
        let (flips, hits) = strike(&twice(Lifetime::Permanent), 0, Redraw::Trial);
        assert_eq!(flips[0], flips[1]);
        assert!(
            hits.iter().all(|&(word, value)| value == twice(Lifetime::Permanent).deliver(word, golden(word)))
        );
        let (flips, _) = strike(&twice(Lifetime::Transient), 0, Redraw::Trial);
        assert_ne!(flips[0], flips[1]);
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
        guarded.protected_msbs = 13;
        assert_eq!(
            error(codec(12), codec(12), &[Stop::Memory(guarded)]),
            Error::ProtectedMsbs { protected_msbs: 13, word_bits: 12 }
        );
    }
}

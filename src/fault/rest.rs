//! One memory stop of a path made ready, and its faults as they are read.

use super::array::{CellArray, Device, FaultStream, WordFaults};
use super::block;
use super::image::FlipStream;
use super::map::MapBuffers;
use super::path::{Draw, MemoryStop, Redraw};
use super::{Error, FaultMap, MapKey, StoredImage};
use crate::memory::cells::{Failure, Lines};
use crate::memory::measured::MeasuredMap;
use crate::memory::residency::Residency;
use crate::memory::{Geometry, Passage};
use crate::random::Probability;
use std::sync::Arc;

/// Check bits of one block.
const CHECK_BITS: u32 = 8;

/// Where faults come from.
#[derive(Clone, Debug)]
enum Source {
    /// Cells that are all alike and hold one word behind the other: the fast way.
    Alike(StoredImage, FaultMap),
    /// All others.
    Array(CellArray),
}

impl Source {
    /// `None` where no cell can err.
    fn new(array: CellArray, memory_key: MapKey) -> Result<Option<Self>, Error> {
        let precise = array.residency.word_bits - array.approximate_bits;
        // Also refuses what no array can be.
        let image = StoredImage::new(array.residency, precise)?;
        if !array.can_err() {
            return Ok(None);
        }
        if let Some(passage) = &array.passage {
            passage.check()?;
            let (cells, capacity) = (array.passage_cells(passage), array.geometry.capacity_bits());
            if let Some(capacity) = capacity.filter(|&capacity| cells.end > capacity) {
                return Err(Error::Passage { cells: cells.end, capacity });
            }
        }
        let rate = array.weak[0];
        let is_alike = array.weak[..array.approximate_bits as usize].iter().all(|&other| other == rate);
        let cells = array.residency.cells();
        let is_alike = is_alike
            && array.failure == Failure::Inverted
            && array.lines == Lines::Independent
            && array.device_sigma == 0.0
            && array.geometry.interleave <= 1
            && array.geometry.capacity_bits().is_none_or(|capacity| cells.end <= capacity)
            && array.passage.is_none()
            && array.measured.is_none();
        Ok(Some(match Probability::new(rate) {
            Ok(rate) if is_alike => Self::Alike(image, FaultMap::new(memory_key, rate)),
            _ => Self::Array(array),
        }))
    }
}

/// A memory stop made ready.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    permanent: Option<Source>,
    transient: Option<Source>,
    /// The same of the check bits: words of 8 bits, one per block.
    permanent_checks: Option<Source>,
    transient_checks: Option<Source>,
    /// Keys of the memory, trial not yet named.
    permanent_key: MapKey,
    transient_key: MapKey,
    /// How many earlier stops of the path rest in the same memory.
    visit: u64,
    pub word_bits: u32,
    /// Top bits of every word that a code protects.
    pub coded_msbs: u32,
}

impl Rest {
    pub fn new(stop: &MemoryStop, visit: u64, is_same_cells: bool) -> Result<Self, Error> {
        let Residency { word_bits, words, .. } = stop.residency;
        let guarded = stop.precise_msbs.max(stop.coded_msbs);
        if guarded > word_bits {
            return Err(Error::ProtectedMsbs { protected_msbs: guarded, word_bits });
        }
        if stop.faults.weak.len() != word_bits as usize || stop.faults.upset.len() != word_bits as usize {
            return Err(Error::Rates {
                rates: stop.faults.weak.len().min(stop.faults.upset.len()),
                word_bits,
            });
        }
        let permanent_key = MapKey::permanent_of(&stop.memory);
        let transient_key = MapKey::transient_of(&stop.memory);
        let data = data_array(stop);
        // A chip's map says nothing of check bits, and a memory has one for eight of its cells at most.
        let check_geometry = Geometry { interleave: 1, ..check_geometry(&stop.geometry) };
        let check_words = block::blocks(words, stop.coded_msbs);
        let checks = CellArray {
            residency: Residency {
                memory: stop.residency.memory,
                first_cell: stop.first_check_cell,
                word_bits: CHECK_BITS,
                words: check_words,
            },
            geometry: check_geometry,
            passage: None,
            weak: vec![stop.faults.check.weak; CHECK_BITS as usize],
            approximate_bits: CHECK_BITS,
            measured: None,
            ..data.clone()
        };
        let strikes_again = !is_same_cells;
        let permanent = |array: &CellArray, key| {
            if strikes_again { Source::new(array.clone(), key) } else { Ok(None) }
        };
        let transient = |array: &CellArray, rates: &[f64], key| Source::new(fleeting(array, rates), key);
        let has_code = stop.coded_msbs > 0;
        let upset_checks = [stop.faults.check.upset; CHECK_BITS as usize];
        Ok(Self {
            permanent: permanent(&data, permanent_key)?,
            transient: transient(&data, &stop.faults.upset, transient_key)?,
            permanent_checks: if has_code {
                permanent(&checks, permanent_key.of_check_bits())?
            } else {
                None
            },
            transient_checks: if has_code {
                transient(&checks, &upset_checks, transient_key.of_check_bits())?
            } else {
                None
            },
            permanent_key,
            transient_key,
            visit,
            word_bits,
            coded_msbs: stop.coded_msbs,
        })
    }

    pub fn can_err(&self) -> bool {
        [&self.permanent, &self.transient, &self.permanent_checks, &self.transient_checks]
            .into_iter()
            .any(Option::is_some)
    }

    pub fn has_transient(&self) -> bool {
        self.transient.is_some() || self.transient_checks.is_some()
    }

    /// Whether it has at most one kind of fault, in cells that are all alike.
    pub fn is_alike(&self) -> bool {
        let sources = [&self.permanent, &self.transient, &self.permanent_checks, &self.transient_checks];
        let mut present = sources.into_iter().flatten();
        let is_alike = |source: &Source| matches!(source, Source::Alike(..));
        present.next().is_none_or(is_alike) && present.next().is_none() && self.coded_msbs == 0
    }

    /// The words and the map of `draw` where [`Rest::is_alike`]; `None` where nothing errs.
    pub fn alike(&self, draw: &Draw) -> Option<(StoredImage, FaultMap)> {
        match (&self.permanent, &self.transient) {
            (Some(Source::Alike(image, map)), _) => {
                Some((*image, map.with_key(self.permanent_key.of_trial(draw.seed, draw.trial))))
            }
            (_, Some(Source::Alike(image, map))) => {
                let (key, at_origin) = self.transient_draw(draw);
                Some((if at_origin { image.at_origin() } else { *image }, map.with_key(key)))
            }
            _ => None,
        }
    }

    /// The key of the transient faults of `draw`, and whether words count from the first cell.
    fn transient_draw(&self, draw: &Draw) -> (MapKey, bool) {
        let key = self.transient_key.of_trial(draw.seed, draw.trial);
        let (key, at_origin) = match draw.redraw {
            Redraw::Trial => (key, false),
            Redraw::Image(image) => (key.image(image), false),
            Redraw::Activation { image, blob } => (key.activation(image, blob), true),
        };
        (key.visit(self.visit), at_origin)
    }

    /// The permanent faults of words and of check bits.
    pub fn permanent_faults(&self, seed: u64, trial: u64, buffers: &mut MapBuffers) -> [Vec<WordFaults>; 2] {
        let key = self.permanent_key.of_trial(seed, trial);
        [(&self.permanent, key), (&self.permanent_checks, key.of_check_bits())].map(|(source, key)| {
            let Some(source) = source else { return Vec::new() };
            let mut stream = Stream::open(source, key, false, &mut Streams::default());
            let mut all = Vec::new();
            while let Some(word) = stream.head(buffers) {
                all.extend(stream.take(word));
            }
            all
        })
    }

    /// The faults of `draw` as they are read; the permanent ones from `device`, where they are at hand.
    pub fn open<'a>(
        &'a self,
        draw: &Draw,
        device: Option<&'a [Vec<WordFaults>; 2]>,
        pool: &mut Streams,
    ) -> OpenRest<'a> {
        let permanent_key = self.permanent_key.of_trial(draw.seed, draw.trial);
        let (transient_key, at_origin) = self.transient_draw(draw);
        let mut permanent = |source: &'a Option<Source>, listed: usize, key| match device {
            Some(device) if device[listed].is_empty() => None,
            Some(device) => Some(Stream::Listed(&device[listed])),
            None => source.as_ref().map(|source| Stream::open(source, key, false, pool)),
        };
        let data = permanent(&self.permanent, 0, permanent_key);
        let checks = permanent(&self.permanent_checks, 1, permanent_key.of_check_bits());
        let mut transient = |source: &'a Option<Source>, key| {
            source.as_ref().map(|source| Stream::open(source, key, at_origin, pool))
        };
        OpenRest {
            words: [transient(&self.transient, transient_key), data],
            checks: [transient(&self.transient_checks, transient_key.of_check_bits()), checks],
            coded_msbs: self.coded_msbs,
        }
    }
}

/// The array that holds the words.
fn data_array(stop: &MemoryStop) -> CellArray {
    CellArray {
        residency: stop.residency,
        geometry: stop.geometry,
        passage: stop.passage,
        weak: stop.faults.weak.clone(),
        failure: stop.faults.failure,
        lines: stop.faults.lines,
        device_sigma: stop.faults.device_sigma,
        approximate_bits: stop.residency.word_bits.saturating_sub(stop.precise_msbs),
        measured: stop.measured.clone(),
    }
}

/// The weak cells under the words that rest at `stops` of one memory, in device `trial`. Check bits of a code are not listed.
///
/// # Errors
/// [`enum@Error`] for a residency that cannot be.
pub fn weak_cells(stops: &[MemoryStop], seed: u64, trial: u64) -> Result<MeasuredMap, Error> {
    let mut cells = Vec::new();
    for stop in stops {
        Rest::new(stop, 0, false)?;
        let array = data_array(stop);
        if array.can_err() {
            cells.extend(array.weak_cells(MapKey::permanent_of(&stop.memory).of_trial(seed, trial)));
        }
    }
    cells.sort_unstable();
    cells.dedup();
    Ok(MeasuredMap::new(cells))
}

/// Bits of the words at `residency` that the weak cells of a measured chip invert, and those that they hold fast; a cell
/// counts as often as words pass it.
pub fn measured_bits(
    measured: &Arc<MeasuredMap>,
    geometry: &Geometry,
    residency: &Residency,
    passage: Option<Passage>,
    precise_msbs: u32,
) -> [u64; 2] {
    let array = CellArray {
        residency: *residency,
        geometry: *geometry,
        passage,
        weak: vec![0.0; residency.word_bits as usize],
        failure: Failure::Inverted,
        lines: Lines::Independent,
        device_sigma: 0.0,
        approximate_bits: residency.word_bits.saturating_sub(precise_msbs),
        measured: Some(Arc::clone(measured)),
    };
    // No draw enters: any key will do.
    let key = MapKey::permanent_of("");
    let device = Device::new(&array, key);
    let (mut stream, mut buffers) = (FaultStream::default(), MapBuffers::default());
    let mut bits = [0; 2];
    while let Some(word) = stream.head(&device, &mut buffers) {
        if let Some(faults) = stream.take(word) {
            bits[0] += u64::from(faults.inverted.count_ones());
            bits[1] += u64::from(faults.stuck.count_ones());
        }
    }
    bits
}

/// The array of check bits: an eighth of the memory's rows would hold them all.
fn check_geometry(geometry: &Geometry) -> Geometry {
    let rows = geometry.rows.map(|rows| rows.div_ceil(8));
    Geometry { rows, ..*geometry }
}

/// The same words with transient faults: each residency is drawn anew, whichever cells it is in.
fn fleeting(array: &CellArray, rates: &[f64]) -> CellArray {
    CellArray {
        geometry: Geometry::default(),
        passage: None,
        weak: rates.to_vec(),
        failure: Failure::Inverted,
        lines: Lines::Independent,
        device_sigma: 0.0,
        measured: None,
        ..array.clone()
    }
}

/// Streams that are not in use, with the memory they have taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    alike: Vec<FlipStream>,
    arrays: Vec<FaultStream>,
}

impl Streams {
    /// One stream for each of `maps`, in the memory already taken.
    pub fn alike(
        &mut self,
        maps: impl Iterator<Item = Option<(StoredImage, FaultMap)>>,
    ) -> &mut [FlipStream] {
        let mut count = 0;
        for (index, map) in maps.enumerate() {
            count = index + 1;
            match (map, self.alike.get_mut(index)) {
                (Some((image, map)), Some(stream)) => stream.reopen(image, map),
                (Some((image, map)), None) => self.alike.push(FlipStream::new(image, map)),
                (None, Some(stream)) => stream.exhaust(),
                (None, None) => self.alike.push(FlipStream::exhausted()),
            }
        }
        &mut self.alike[..count]
    }
}

/// Faults in ascending order of words.
enum Stream<'a> {
    Alike(FlipStream),
    Array(Box<Device<'a>>, FaultStream),
    Listed(&'a [WordFaults]),
}

impl<'a> Stream<'a> {
    fn open(source: &'a Source, key: MapKey, at_origin: bool, pool: &mut Streams) -> Self {
        match source {
            Source::Alike(image, map) => {
                let image = if at_origin { image.at_origin() } else { *image };
                let map = map.with_key(key);
                Self::Alike(match pool.alike.pop() {
                    Some(mut stream) => {
                        stream.reopen(image, map);
                        stream
                    }
                    None => FlipStream::new(image, map),
                })
            }
            Source::Array(array) => {
                let mut stream = pool.arrays.pop().unwrap_or_default();
                stream.reopen(at_origin);
                Self::Array(Box::new(Device::new(array, key)), stream)
            }
        }
    }

    fn head(&mut self, buffers: &mut MapBuffers) -> Option<u64> {
        match self {
            Self::Alike(stream) => stream.head(buffers),
            Self::Array(device, stream) => stream.head(device, buffers),
            Self::Listed(list) => list.first().map(|faults| faults.word),
        }
    }

    /// The faults of `word` if it is the head.
    fn take(&mut self, word: u64) -> Option<WordFaults> {
        match self {
            Self::Alike(stream) => {
                stream.take(word).map(|inverted| WordFaults { word, inverted, ..WordFaults::default() })
            }
            Self::Array(_, stream) => stream.take(word),
            Self::Listed(list) => {
                let (first, rest) = list.split_first().filter(|(first, _)| first.word == word)?;
                *list = rest;
                Some(*first)
            }
        }
    }

    fn close(self, pool: &mut Streams) {
        match self {
            Self::Alike(stream) => pool.alike.push(stream),
            Self::Array(_, stream) => pool.arrays.push(stream),
            Self::Listed(_) => {}
        }
    }
}

/// The faults of one draw at one rest. What a cell is stuck at hides an upset of it: transient faults come first.
pub(super) struct OpenRest<'a> {
    words: [Option<Stream<'a>>; 2],
    checks: [Option<Stream<'a>>; 2],
    coded_msbs: u32,
}

impl OpenRest<'_> {
    /// The next word that anything happens to, or the first of the unit whose check bits it happens to.
    pub fn head(&mut self, buffers: &mut MapBuffers) -> Option<u64> {
        let words = self.words.iter_mut().flatten().filter_map(|stream| stream.head(buffers)).min();
        let blocks = self.checks.iter_mut().flatten().filter_map(|stream| stream.head(buffers)).min();
        let unit = blocks.map(|block| block::first_word(block, self.coded_msbs));
        [words, unit].into_iter().flatten().min()
    }

    /// What is delivered of word `word` stored as `code`; [`OpenRest::head`] has been asked before.
    #[inline]
    pub fn deliver(&mut self, word: u64, code: u32) -> u32 {
        let taken = self.words.iter_mut().flatten().filter_map(|stream| stream.take(word));
        taken.fold(code, |code, faults| faults.apply(code))
    }

    /// Calls `visit` with the faults of all words below `end`, the transient ones of all words first.
    pub fn words_below(&mut self, end: u64, buffers: &mut MapBuffers, mut visit: impl FnMut(&WordFaults)) {
        below(&mut self.words, end, buffers, &mut visit);
    }

    /// Calls `visit` with the faults of the check bits of all blocks below `end`, one word per block.
    pub fn checks_below(&mut self, end: u64, buffers: &mut MapBuffers, mut visit: impl FnMut(&WordFaults)) {
        below(&mut self.checks, end, buffers, &mut visit);
    }

    /// Gives the memory of the streams back.
    pub fn close(self, pool: &mut Streams) {
        self.words.into_iter().chain(self.checks).flatten().for_each(|stream| stream.close(pool));
    }
}

fn below(
    streams: &mut [Option<Stream<'_>>; 2],
    end: u64,
    buffers: &mut MapBuffers,
    visit: &mut impl FnMut(&WordFaults),
) {
    for stream in streams.iter_mut().flatten() {
        while let Some(word) = stream.head(buffers).filter(|&word| word < end) {
            if let Some(faults) = stream.take(word) {
                visit(&faults);
            }
        }
    }
}

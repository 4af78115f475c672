//! The plan of a pass: which layers run, which are fused, and where each blob lies in the workspace.

use super::Error;
use super::engine::{Engine, Operation};
use super::layout::{Layout, MOST_TASK_BLOCKS};
use super::product::Outputs;
use crate::network::{BlobId, Shape};

/// What a caller asks of a pass.
pub(super) struct Request<'a> {
    /// Given blobs, and whether each still has to go through the hook.
    pub starts: &'a [(BlobId, bool)],
    pub outputs: &'a [BlobId],
    /// Per blob whether the hook stores it.
    pub stores: &'a [bool],
}

/// One thing to do for a block of images; indices are those of layers and blobs.
#[derive(Debug)]
pub(super) enum Action {
    /// Copies a given blob into the workspace.
    Load { start: usize, blob: usize },
    /// A convolution or fully connected layer.
    Product { layer: usize, from: usize, to: usize, relu: bool, outputs: Outputs },
    /// A convolution whose output rows are pooled as soon as a window is complete.
    Pooled(Box<Pooled>),
    /// A pooling layer.
    Pool { layer: usize, from: usize, to: usize, relu: bool },
    /// A ReLU; in place when both blobs share their storage.
    Relu { slope: f32, from: usize, to: usize },
    /// A softmax.
    Softmax { from: usize, to: usize },
    /// An identity that could not share its input's storage.
    Copy { from: usize, to: usize },
    /// The operand hook.
    Store { blob: usize },
    /// Copies a blob to a requested output.
    Emit { blob: usize, output: usize },
}

/// A convolution fused with the pooling behind it.
#[derive(Debug)]
pub(super) struct Pooled {
    pub product: usize,
    pub pool: usize,
    pub from: usize,
    pub to: usize,
    pub product_relu: bool,
    pub pool_relu: bool,
    /// The few rows of the convolution's output that are kept.
    pub ring: Layout,
    pub outputs: Outputs,
    /// Where the ring lies in the workspace.
    pub place: usize,
}

/// Where the vectors of a blob are during a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the given activations with this index: read only.
    Start(usize),
    /// In the workspace; blocks lie `stride` vectors apart, or, with stride 0, replace each other.
    Workspace { offset: usize, stride: usize },
}

/// A plan. The trunk runs block by block; then the head, which starts at the first fully connected layer, runs once for
/// all blocks of a task.
#[derive(Debug)]
pub(super) struct Pass {
    pub trunk: Vec<Action>,
    pub head: Vec<Action>,
    /// Per blob.
    pub places: Vec<Option<Place>>,
    /// Vectors of workspace.
    pub vectors: usize,
    /// Blocks that a task processes together.
    pub task_blocks: usize,
}

/// Weights of fully connected layers beyond this size are read from memory once for a task, not kept in a cache.
const CACHED_WEIGHTS_BYTES: usize = 1 << 20;

impl Pass {
    /// Plans a pass over `blocks` blocks of images.
    pub fn new(engine: &Engine, request: &Request<'_>, blocks: usize) -> Result<Self, Error> {
        let mut planner = Planner::new(engine, request)?;
        planner.layers();
        let head_at = planner.head_at.unwrap_or(planner.actions.len());
        let mut head = planner.actions.split_off(head_at);
        let mut trunk = planner.actions;
        let mut loads = Vec::new();
        for (index, &(blob, hooked)) in request.starts.iter().enumerate() {
            let copied = planner.places[blob.0].is_none();
            if !planner.needed[blob.0] {
                continue;
            }
            let mut first = Vec::new();
            if copied {
                first.push(Action::Load { start: index, blob: blob.0 });
                if hooked && request.stores[blob.0] {
                    first.push(Action::Store { blob: blob.0 });
                }
            }
            emit(request, blob.0, &mut first);
            let in_trunk = trunk.iter().any(|action| action.blobs().contains(&Some(blob.0)));
            loads.push((in_trunk, first));
        }
        for (in_trunk, first) in loads {
            let actions = if in_trunk { &mut trunk } else { &mut head };
            actions.splice(0..0, first);
        }
        let head_bytes: usize = head.iter().map(|action| action.weight_bytes(engine)).sum();
        let most = if head_bytes <= CACHED_WEIGHTS_BYTES { 2 } else { MOST_TASK_BLOCKS };
        let task_blocks = most.min(blocks.div_ceil(rayon::current_num_threads())).max(1);
        let mut pass = Self { trunk, head, places: planner.places, vectors: 0, task_blocks };
        pass.place(engine, &planner.storage);
        Ok(pass)
    }

    /// Lays the storages out in the workspace: two may overlap when their lives do not.
    fn place(&mut self, engine: &Engine, storage: &[usize]) {
        let mut lives: Vec<Life> = Vec::new();
        let trunk = self.trunk.len();
        for (index, action) in self.trunk.iter().chain(&self.head).enumerate() {
            for blob in action.blobs().into_iter().flatten() {
                if self.places[blob].is_some() {
                    continue;
                }
                let id = storage[blob];
                let life = if let Some(life) = lives.iter_mut().find(|life| life.id == Owner::Blob(id)) {
                    life
                } else {
                    let vectors = engine.layouts[id].vectors();
                    lives.push(Life { id: Owner::Blob(id), first: index, last: index, vectors, blocks: 1 });
                    lives.last_mut().expect("one was just pushed")
                };
                life.last = index;
                if index >= trunk {
                    life.blocks = self.task_blocks;
                    if life.first < trunk {
                        // Every block of the trunk writes it before the head reads it.
                        life.first = 0;
                    }
                }
            }
            if let Action::Pooled(pooled) = action {
                let vectors = pooled.ring.vectors();
                lives.push(Life { id: Owner::Ring(index), first: index, last: index, vectors, blocks: 1 });
            }
        }
        let (offsets, vectors) = arrange(&lives);
        self.vectors = vectors;
        for (blob, place) in self.places.iter_mut().enumerate() {
            if let Some(at) = lives.iter().position(|life| life.id == Owner::Blob(storage[blob])) {
                let stride = if lives[at].blocks > 1 { lives[at].vectors } else { 0 };
                place.get_or_insert(Place::Workspace { offset: offsets[at], stride });
            }
        }
        for (index, action) in self.trunk.iter_mut().chain(&mut self.head).enumerate() {
            if let Action::Pooled(pooled) = action
                && let Some(at) = lives.iter().position(|life| life.id == Owner::Ring(index))
            {
                pooled.place = offsets[at];
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Blob(usize),
    Ring(usize),
}

/// Storage needed from one action to another, both included.
#[derive(Debug)]
struct Life {
    id: Owner,
    first: usize,
    last: usize,
    vectors: usize,
    blocks: usize,
}

/// First-fit offsets, and the end of the last.
fn arrange(lives: &[Life]) -> (Vec<usize>, usize) {
    let size = |life: &Life| life.vectors * life.blocks;
    let mut offsets: Vec<usize> = Vec::new();
    for life in lives {
        let mut taken: Vec<(usize, usize)> = lives
            .iter()
            .zip(&offsets)
            .filter(|(other, _)| other.first <= life.last && life.first <= other.last)
            .map(|(other, &offset)| (offset, offset + size(other)))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (start, end) in taken {
            if offset + size(life) <= start {
                break;
            }
            offset = offset.max(end);
        }
        offsets.push(offset);
    }
    let end = lives.iter().zip(&offsets).map(|(life, offset)| offset + size(life)).max();
    (offsets, end.unwrap_or(0))
}

/// Appends the copies of `blob` to the outputs that ask for it.
fn emit(request: &Request<'_>, blob: usize, actions: &mut Vec<Action>) {
    let wanted = request.outputs.iter().enumerate().filter(|(_, output)| output.0 == blob);
    actions.extend(wanted.map(|(output, _)| Action::Emit { blob, output }));
}

impl Action {
    /// Blobs that the action reads or writes.
    fn blobs(&self) -> [Option<usize>; 2] {
        match *self {
            Self::Load { blob, .. } | Self::Store { blob } | Self::Emit { blob, .. } => [Some(blob), None],
            Self::Product { from, to, .. }
            | Self::Pool { from, to, .. }
            | Self::Relu { from, to, .. }
            | Self::Softmax { from, to }
            | Self::Copy { from, to } => [Some(from), Some(to)],
            Self::Pooled(ref pooled) => [Some(pooled.from), Some(pooled.to)],
        }
    }

    fn weight_bytes(&self, engine: &Engine) -> usize {
        match self {
            Self::Product { layer, .. } => match &engine.steps[*layer].operation {
                Operation::Product(product) => product.words() * size_of::<f32>(),
                _ => 0,
            },
            _ => 0,
        }
    }
}

struct Planner<'a> {
    engine: &'a Engine,
    request: &'a Request<'a>,
    /// Per blob whether the pass needs it.
    needed: Vec<bool>,
    /// Per blob the layers that read it in this pass.
    readers: Vec<Vec<usize>>,
    /// Per layer whether it runs, and is not yet part of an action.
    pending: Vec<bool>,
    places: Vec<Option<Place>>,
    /// Per blob the blob whose storage it uses.
    storage: Vec<usize>,
    actions: Vec<Action>,
    head_at: Option<usize>,
}

impl<'a> Planner<'a> {
    fn new(engine: &'a Engine, request: &'a Request<'a>) -> Result<Self, Error> {
        let blobs = engine.layouts.len();
        let mut needed = vec![false; blobs];
        for output in request.outputs {
            needed[output.0] = true;
        }
        let mut given = vec![false; blobs];
        let mut places = vec![None; blobs];
        for (index, &(blob, hooked)) in request.starts.iter().enumerate() {
            given[blob.0] = true;
            if engine.layouts[blob.0].is_plain() && !(hooked && request.stores[blob.0]) {
                places[blob.0] = Some(Place::Start(index));
            }
        }
        let mut readers = vec![Vec::new(); blobs];
        let mut pending = vec![false; engine.steps.len()];
        let mut produced = vec![false; blobs];
        for (layer, step) in engine.steps.iter().enumerate().rev() {
            if needed[step.output.0] && !given[step.output.0] {
                pending[layer] = true;
                produced[step.output.0] = true;
                needed[step.input.0] = true;
                readers[step.input.0].push(layer);
            }
        }
        let missing = (0..blobs).find(|&blob| needed[blob] && !given[blob] && !produced[blob]);
        if let Some(blob) = missing {
            return Err(Error::Unreachable(engine.names[blob].clone()));
        }
        let storage = (0..blobs).collect();
        Ok(Self {
            engine,
            request,
            needed,
            readers,
            pending,
            places,
            storage,
            actions: Vec::new(),
            head_at: None,
        })
    }

    /// The only reader of a blob that nobody else looks at, so that it need not be kept.
    fn only_reader(&self, blob: usize) -> Option<usize> {
        let wanted = self.request.outputs.iter().any(|output| output.0 == blob);
        match self.readers[blob][..] {
            [reader] if !wanted => Some(reader),
            _ => None,
        }
    }

    /// Takes the reader of `blob` into the current action if the blob need not exist and `accept` agrees.
    fn fuse(&mut self, blob: usize, accept: impl Fn(&Operation) -> bool) -> Option<usize> {
        if self.request.stores[blob] {
            return None;
        }
        let reader = self.only_reader(blob).filter(|&layer| accept(&self.engine.steps[layer].operation))?;
        self.pending[reader] = false;
        Some(reader)
    }

    /// Fuses a plain ReLU behind `blob`; the blob that is written then, and whether there was one.
    fn fuse_relu(&mut self, blob: usize) -> (usize, bool) {
        match self.fuse(blob, |operation| matches!(operation, Operation::Relu(0.0))) {
            Some(relu) => (self.engine.steps[relu].output.0, true),
            None => (blob, false),
        }
    }

    fn layers(&mut self) {
        let engine = self.engine;
        for (layer, step) in engine.steps.iter().enumerate() {
            if !std::mem::take(&mut self.pending[layer]) {
                continue;
            }
            let (from, to) = (step.input.0, step.output.0);
            let written = match &step.operation {
                Operation::Product(product) => self.product(layer, product.is_flat(), from, to),
                Operation::Pool(_) => {
                    let (to, relu) = self.fuse_relu(to);
                    self.actions.push(Action::Pool { layer, from, to, relu });
                    to
                }
                Operation::Softmax => {
                    self.actions.push(Action::Softmax { from, to });
                    to
                }
                Operation::Relu(slope) => {
                    self.share(from, to);
                    self.actions.push(Action::Relu { slope: *slope, from, to });
                    to
                }
                Operation::Identity => {
                    if !self.share(from, to) {
                        self.actions.push(Action::Copy { from, to });
                    }
                    to
                }
            };
            if self.request.stores[written] {
                self.actions.push(Action::Store { blob: written });
            }
            emit(self.request, written, &mut self.actions);
        }
    }

    /// Lets `to` use the storage of `from` where nobody else needs what `from` holds.
    fn share(&mut self, from: usize, to: usize) -> bool {
        let shared = self.places[from].is_none() && self.only_reader(from).is_some();
        if shared {
            self.storage[to] = self.storage[from];
        }
        shared
    }

    fn product(&mut self, layer: usize, flat: bool, from: usize, to: usize) -> usize {
        if flat {
            self.head_at.get_or_insert(self.actions.len());
        }
        let (middle, relu) = self.fuse_relu(to);
        let pool = if flat { None } else { self.fuse(middle, |op| matches!(op, Operation::Pool(_))) };
        let Some(pool) = pool else {
            let outputs = Outputs::pixels(&self.engine.layouts[middle]);
            self.actions.push(Action::Product { layer, from, to: middle, relu, outputs });
            return middle;
        };
        let (to, pool_relu) = self.fuse_relu(self.engine.steps[pool].output.0);
        let ring = self.ring(pool, self.engine.layouts[middle].shape);
        self.actions.push(Action::Pooled(Box::new(Pooled {
            product: layer,
            pool,
            from,
            to,
            product_relu: relu,
            pool_relu,
            ring,
            outputs: Outputs::pixels(&ring),
            place: 0,
        })));
        to
    }

    fn ring(&self, pool: usize, shape: Shape) -> Layout {
        match &self.engine.steps[pool].operation {
            Operation::Pool(pool) => Layout::ring(shape, pool.most_rows()),
            _ => unreachable!("only pooling layers are fused behind a convolution"),
        }
    }
}

impl Place {
    /// The vectors of `blocks` blocks from `block` on in the workspace; `None` for given activations.
    pub fn range(self, block: usize, blocks: usize, vectors: usize) -> Option<std::ops::Range<usize>> {
        match self {
            Self::Start(_) => None,
            Self::Workspace { offset, stride } => {
                let start = offset + block * stride;
                Some(start..start + (blocks - 1) * stride + vectors)
            }
        }
    }
}

//! The plan of a pass: which layers run, which are fused, and where each blob lies in the workspace.

use super::Error;
use super::activation::Activation;
use super::eltwise::Combination;
use super::engine::{Engine, Operation};
use super::layout::{Layout, Order};
use super::product::Outputs;
use super::storage::{Life, Lives, Owner, Sharing};
use super::{Arrangement, LANES};
use crate::network::BlobId;

/// A blob that a caller gives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    pub blob: BlobId,
    /// Whether it still has to go through the hook.
    pub hooked: bool,
    /// Whether it can be read where it is.
    pub in_place: bool,
}

/// What a caller asks of a pass.
pub(super) struct Request<'a> {
    pub starts: &'a [Given],
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
    /// An element-wise layer of one input; in place when both blobs share their storage.
    Map { layer: usize, from: usize, to: usize, relu: bool },
    /// Input number `input` of an element-wise layer of several; in place when both blobs share their storage.
    Combine { layer: usize, input: usize, from: usize, to: usize, relu: bool },
    /// A local response normalisation.
    Normalise { layer: usize, from: usize, to: usize },
    /// A softmax.
    Softmax { from: usize, to: usize },
    /// Copies all elements in their order, from channel `channel` of the output on.
    Copy { from: usize, to: usize, channel: usize },
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
    /// Whether tasks compute the head together.
    pub shares_head: bool,
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
        for (index, &Given { blob, hooked, .. }) in request.starts.iter().enumerate() {
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
            let holder = planner.sharing.holder(blob.0).0;
            let in_trunk = trunk.iter().any(|action| {
                action.blobs().into_iter().flatten().any(|other| planner.sharing.holder(other).0 == holder)
            });
            loads.push((in_trunk, first));
        }
        for (in_trunk, first) in loads {
            let actions = if in_trunk { &mut trunk } else { &mut head };
            actions.splice(0..0, first);
        }
        let head_bytes: usize = head.iter().map(|action| action.weight_bytes(engine)).sum();
        let threads = rayon::current_num_threads();
        let is_cached = head_bytes <= CACHED_WEIGHTS_BYTES;
        let most = if is_cached { 2 } else { Order::from(engine.arrangement).most_task_blocks() };
        let task_blocks = most.min(blocks.div_ceil(threads)).max(1);
        let shares_head = !is_cached && threads > 1 && engine.arrangement == Arrangement::Channels;
        let mut pass = Self { trunk, head, places: planner.places, vectors: 0, task_blocks, shares_head };
        pass.place(engine, &planner.sharing);
        Ok(pass)
    }

    /// Lays the storages out in the workspace: two may overlap when their lives do not.
    fn place(&mut self, engine: &Engine, sharing: &Sharing) {
        let mut lives = Lives::default();
        let trunk = self.trunk.len();
        for (index, action) in self.trunk.iter().chain(&self.head).enumerate() {
            let new = |vectors| Life { first: index, last: index, vectors, blocks: 1 };
            for blob in action.blobs().into_iter().flatten() {
                if self.places[blob].is_some() {
                    continue;
                }
                let (holder, _) = sharing.holder(blob);
                let life = lives.of(Owner::Blob(holder), || new(engine.layouts[holder].vectors()));
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
                lives.of(Owner::Ring(index), || new(pooled.ring.vectors()));
            }
        }
        let arrangement = lives.arrange();
        self.vectors = arrangement.vectors();
        for (blob, place) in self.places.iter_mut().enumerate() {
            let (holder, start) = sharing.holder(blob);
            if let Some((offset, stride)) = arrangement.place(Owner::Blob(holder)) {
                place.get_or_insert(Place::Workspace { offset: offset + start, stride });
            }
        }
        for (index, action) in self.trunk.iter_mut().chain(&mut self.head).enumerate() {
            if let Action::Pooled(pooled) = action
                && let Some((offset, _)) = arrangement.place(Owner::Ring(index))
            {
                pooled.place = offset;
            }
        }
    }
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
            | Self::Map { from, to, .. }
            | Self::Combine { from, to, .. }
            | Self::Normalise { from, to, .. }
            | Self::Softmax { from, to }
            | Self::Copy { from, to, .. } => [Some(from), Some(to)],
            Self::Pooled(ref pooled) => [Some(pooled.from), Some(pooled.to)],
        }
    }

    fn weight_bytes(&self, engine: &Engine) -> usize {
        match self {
            Self::Product { layer, .. } => match &engine.steps[*layer].operation {
                Operation::Product(product) => product.packing().words() * size_of::<f32>(),
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
    /// Per blob the layers that read it in this pass, the last one first; twice where a layer reads it twice.
    readers: Vec<Vec<usize>>,
    /// Per layer whether it runs, and is not yet part of an action.
    pending: Vec<bool>,
    places: Vec<Option<Place>>,
    sharing: Sharing,
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
        for (index, &Given { blob, hooked, in_place }) in request.starts.iter().enumerate() {
            given[blob.0] = true;
            if in_place && !(hooked && request.stores[blob.0]) {
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
                for input in &step.inputs {
                    needed[input.0] = true;
                    readers[input.0].push(layer);
                }
            }
        }
        let missing = (0..blobs).find(|&blob| needed[blob] && !given[blob] && !produced[blob]);
        if let Some(blob) = missing {
            return Err(Error::Unreachable(engine.names[blob].clone()));
        }
        Ok(Self {
            engine,
            request,
            needed,
            readers,
            pending,
            places,
            sharing: Sharing::new(blobs),
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
        match self.fuse(blob, |operation| matches!(operation, Operation::Map(Activation::Relu(0.0)))) {
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
            let (from, to) = (step.inputs[0].0, step.output.0);
            let written = match &step.operation {
                Operation::Product(product) => self.product(layer, product.is_flat(), from, to),
                Operation::Pool(_) => {
                    let (to, relu) = self.fuse_relu(to);
                    self.actions.push(Action::Pool { layer, from, to, relu });
                    to
                }
                Operation::Map(_) => {
                    let (to, relu) = self.fuse_relu(to);
                    self.share(layer, from, to);
                    self.actions.push(Action::Map { layer, from, to, relu });
                    to
                }
                Operation::Combine(combinations) => self.combine(layer, combinations, to),
                Operation::Normalise(_) => {
                    self.actions.push(Action::Normalise { layer, from, to });
                    to
                }
                Operation::Softmax => {
                    self.actions.push(Action::Softmax { from, to });
                    to
                }
                Operation::Concat => {
                    self.concat(layer, to);
                    to
                }
                Operation::Rearrange => {
                    if !self.share(layer, from, to) {
                        self.actions.push(Action::Copy { from, to, channel: 0 });
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

    /// Whether `blob` lies in the workspace and `layer` reads it once, and no layer reads it later.
    fn is_last_reader(&self, layer: usize, blob: usize) -> bool {
        let readers = &self.readers[blob];
        self.places[blob].is_none() && readers.first() == Some(&layer) && readers.get(1) != Some(&layer)
    }

    /// Lets `to` use the storage of `from` where both lie in the same order and no later layer reads `from`.
    fn share(&mut self, layer: usize, from: usize, to: usize) -> bool {
        let layouts = &self.engine.layouts;
        let shared = layouts[from].holds_alike(&layouts[to]) && self.is_last_reader(layer, from);
        if shared {
            self.sharing.share(to, from);
        }
        shared
    }

    /// A layer that combines its inputs element by element, in the storage of the first where possible.
    fn combine(&mut self, layer: usize, combinations: &[Combination], to: usize) -> usize {
        let inputs = &self.engine.steps[layer].inputs;
        let (to, relu) = self.fuse_relu(to);
        let shared = self.share(layer, inputs[0].0, to);
        for (input, (blob, &combination)) in inputs.iter().zip(combinations).enumerate() {
            let last = input + 1 == inputs.len();
            let done = shared && input == 0 && combination.keeps_first();
            if !done || (last && relu) {
                let (from, relu) = (blob.0, relu && last);
                self.actions.push(Action::Combine { layer, input, from, to, relu });
            }
        }
        to
    }

    /// Puts channels one behind the other: an input whose storage can become part of the output's is there already.
    fn concat(&mut self, layer: usize, to: usize) {
        let engine = self.engine;
        let whole = &engine.layouts[to];
        let mut channel = 0_usize;
        for input in &engine.steps[layer].inputs {
            let part = &engine.layouts[input.0];
            let channels = part.shape.channels;
            let fits = match whole.order {
                Order::Images | Order::Planar => true,
                // Whole vectors, but for those behind which there is nothing.
                Order::Channels => {
                    channel.is_multiple_of(LANES)
                        && (channels.is_multiple_of(LANES) || channel + channels == whole.shape.channels)
                }
            };
            let placed = fits && part.with_channels(whole.shape.channels) == *whole && {
                let start = whole.bordered(channel, 0, 0) / LANES;
                self.is_last_reader(layer, input.0) && self.sharing.become_part(input.0, to, start)
            };
            if !placed {
                self.actions.push(Action::Copy { from: input.0, to, channel });
            }
            channel += channels;
        }
    }

    fn product(&mut self, layer: usize, flat: bool, from: usize, to: usize) -> usize {
        if flat {
            self.head_at.get_or_insert(self.actions.len());
        }
        let (middle, relu) = self.fuse_relu(to);
        if flat {
            self.sharing.keep_adjacent(middle);
        }
        let pool = match &self.engine.steps[layer].operation {
            Operation::Product(product) if !flat && product.yields_rows() => {
                self.fuse(middle, |operation| matches!(operation, Operation::Pool(_)))
            }
            _ => None,
        };
        let Some(pool) = pool else {
            let outputs = Outputs::pixels(&self.engine.layouts[middle]);
            self.actions.push(Action::Product { layer, from, to: middle, relu, outputs });
            return middle;
        };
        let (to, pool_relu) = self.fuse_relu(self.engine.steps[pool].output.0);
        let ring = self.ring(pool, &self.engine.layouts[middle]);
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

    fn ring(&self, pool: usize, layout: &Layout) -> Layout {
        match &self.engine.steps[pool].operation {
            Operation::Pool(pool) => layout.ring(pool.most_rows()),
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

//! Forward passes over many images.

use super::activation::Map;
use super::buffer::Buffer;
use super::eltwise::Combine;
use super::engine::{Engine, Operation, Step};
use super::hook::{OperandBlock, OperandHook};
use super::layout::{Layout, Order, copy_elements};
use super::lrn::Normalise;
use super::pass::{Action, Given, Pass, Place, Pooled, Request};
use super::pooling::Pool;
use super::product::Weighted;
use super::softmax::softmax;
use super::together::{self, Columns};
use super::transfer::{emit, is_read_in_place, load};
use super::weights::LayerWeights;
use super::{Activations, Arrangement, Error, LANES, Weights};
use crate::network::{BlobId, Shape};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// The blobs from which a pass starts: the network's input, or cached blobs of an earlier pass.
#[derive(Clone, Debug, Default)]
pub struct Start<'a> {
    blobs: Vec<(BlobId, bool, &'a Activations)>,
}

impl<'a> Start<'a> {
    /// Starts from a blob that goes through the operand hook first, if the hook stores it.
    pub fn new(blob: BlobId, activations: &'a Activations) -> Self {
        Self::default().with(blob, activations)
    }

    /// Starts from a blob as readers saw it in an earlier pass: the hook is not called for it again.
    pub fn stored(blob: BlobId, activations: &'a Activations) -> Self {
        Self::default().with_stored(blob, activations)
    }

    /// Adds a blob as [`Self::new`] does.
    #[must_use]
    pub fn with(mut self, blob: BlobId, activations: &'a Activations) -> Self {
        self.blobs.push((blob, true, activations));
        self
    }

    /// Adds a blob as [`Self::stored`] does.
    #[must_use]
    pub fn with_stored(mut self, blob: BlobId, activations: &'a Activations) -> Self {
        self.blobs.push((blob, false, activations));
        self
    }
}

/// Buffers of finished tasks, for the next ones.
#[derive(Debug, Default)]
pub(super) struct Workspaces(Mutex<Vec<Buffer>>);

impl Workspaces {
    fn take(&self) -> Buffer {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, workspace: Buffer) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
    }
}

impl Engine {
    /// Computes `outputs` from `start`, with the threads of the current rayon pool. Only the layers between them run.
    ///
    /// The activations returned are in the order of `outputs` and hold what readers of the blob see, that is, after the
    /// hook. Their bits do not depend on the number of threads, the number of images or the blob that the pass starts
    /// from.
    ///
    /// # Errors
    /// [`Error::UnknownBlob`], [`Error::StartShape`], [`Error::StartImages`] for a start that does not fit,
    /// [`Error::Unreachable`] if it does not suffice, [`Error::ForeignWeights`].
    pub fn forward(
        &self,
        weights: &Weights,
        start: &Start<'_>,
        outputs: &[BlobId],
        hook: &dyn OperandHook,
    ) -> Result<Vec<Activations>, Error> {
        let images = self.check(weights, start, outputs)?;
        let given = |&(blob, hooked, activations): &(BlobId, bool, &Activations)| Given {
            blob,
            hooked,
            in_place: is_read_in_place(activations.values(), &self.layouts[blob.0]),
        };
        let starts: Vec<_> = start.blobs.iter().map(given).collect();
        let stores: Vec<_> = (0..self.layouts.len()).map(|blob| hook.stores(BlobId(blob))).collect();
        let request = Request { starts: &starts, outputs, stores: &stores };
        let blocks = images.div_ceil(self.block_images());
        let pass = Pass::new(self, &request, blocks)?;

        let mut results: Vec<_> =
            outputs.iter().map(|blob| self.zeros(self.layouts[blob.0].shape, images)).collect();
        let mut parts: Vec<Vec<&mut [f32]>> =
            (0..blocks.div_ceil(pass.task_blocks)).map(|_| Vec::with_capacity(outputs.len())).collect();
        for result in &mut results {
            let block = self.emitted_block(result.shape());
            for (part, values) in
                parts.iter_mut().zip(result.values_mut().chunks_mut(pass.task_blocks * block))
            {
                part.push(values);
            }
        }
        let task = |(index, outputs): (usize, Vec<_>)| {
            let first = index * pass.task_blocks;
            let blocks = pass.task_blocks.min(blocks - first);
            let mut workspace = self.workspaces.take();
            if workspace.len() < pass.vectors {
                workspace = Buffer::zeroed(pass.vectors);
            }
            let pass = &pass;
            Task { engine: self, weights, start, hook, pass, first, blocks, images, workspace, outputs }
        };
        if pass.shares_head {
            let mut parts = parts.into_iter().enumerate();
            loop {
                let wave = parts.by_ref().take(rayon::current_num_threads());
                let mut tasks: Vec<_> = wave.map(task).collect();
                if tasks.is_empty() {
                    break;
                }
                together::run(self, &pass.head, &mut tasks);
                for task in tasks {
                    self.workspaces.give_back(task.workspace);
                }
            }
        } else {
            parts.into_par_iter().enumerate().for_each(|part| {
                let mut task = task(part);
                task.run();
                self.workspaces.give_back(task.workspace);
            });
        }
        Ok(results)
    }

    /// `images` images of zeros, arranged as this engine reads and returns them.
    pub fn zeros(&self, shape: Shape, images: usize) -> Activations {
        match self.arrangement {
            Arrangement::Images => Activations::interleaved(shape, images),
            Arrangement::Channels => Activations::zeros(shape, images),
        }
    }

    /// Images of a block.
    fn block_images(&self) -> usize {
        Order::from(self.arrangement).block_images()
    }

    /// Values of a block of requested activations.
    fn emitted_block(&self, shape: Shape) -> usize {
        shape.elements() * self.block_images()
    }

    /// Checks what the caller gave, and yields the number of images.
    fn check(&self, weights: &Weights, start: &Start<'_>, outputs: &[BlobId]) -> Result<usize, Error> {
        let fits = |(step, layer): (&Step, &Option<LayerWeights>)| match (step.packing, layer) {
            (Some(packing), Some(weights)) => weights.fits(packing),
            (Some(_), None) => false,
            (None, _) => true,
        };
        if weights.layers.len() != self.steps.len() || !self.steps.iter().zip(&weights.layers).all(fits) {
            return Err(Error::ForeignWeights);
        }
        let blobs = start.blobs.iter().map(|(blob, ..)| blob).chain(outputs);
        if let Some(unknown) = blobs.into_iter().find(|blob| blob.0 >= self.layouts.len()) {
            return Err(Error::UnknownBlob(unknown.0));
        }
        let mut images = None;
        for &(blob, _, activations) in &start.blobs {
            let (expected, found) = (self.layouts[blob.0].shape, activations.shape());
            if expected != found {
                return Err(Error::StartShape { blob: self.names[blob.0].clone(), expected, found });
            }
            let first = *images.get_or_insert(activations.images());
            if first != activations.images() {
                return Err(Error::StartImages(first, activations.images()));
            }
        }
        Ok(images.unwrap_or(0))
    }
}

/// One task: a few blocks of images.
pub(super) struct Task<'a> {
    engine: &'a Engine,
    weights: &'a Weights,
    start: &'a Start<'a>,
    hook: &'a dyn OperandHook,
    pass: &'a Pass,
    /// First block.
    first: usize,
    /// Number of blocks.
    pub blocks: usize,
    /// Images of the whole pass.
    images: usize,
    workspace: Buffer,
    /// Per requested output the vectors of this task.
    outputs: Vec<&'a mut [f32]>,
}

/// Parts of the workspace, or of the given activations, that one action works on.
struct Views<'a> {
    input: &'a [f32],
    output: &'a mut [f32],
    scratch: &'a mut [f32],
}

impl<'a> Task<'a> {
    fn run(&mut self) {
        self.trunk();
        for action in &self.pass.head {
            self.head_action(action);
        }
    }

    /// Does what is done block by block.
    pub fn trunk(&mut self) {
        for block in 0..self.blocks {
            for action in &self.pass.trunk {
                self.act(action, block);
            }
        }
    }

    /// Does one action for all blocks.
    pub fn head_action(&mut self, action: &Action) {
        match *action {
            Action::Product { layer, from, to, relu, .. } if self.engine.is_flat(layer) => {
                self.inner_product(layer, from, to, relu);
            }
            _ => (0..self.blocks).for_each(|block| self.act(action, block)),
        }
    }

    /// Does one action for one block.
    fn act(&mut self, action: &Action, block: usize) {
        let set = self.engine.set;
        match *action {
            Action::Load { start, blob } => self.load(start, blob, block),
            Action::Product { layer, from, to, relu, ref outputs } => {
                let product = self.product(layer, relu);
                let layout = self.layout(to);
                let Views { input, output, .. } = self.views(from, to, 0..0, block, 1);
                layout.clear_border(output);
                product.rows(0..layout.shape.height, input, outputs, output);
            }
            Action::Pooled(ref pooled) => self.pooled(pooled, block),
            Action::Pool { layer, from, to, relu } => {
                let pool = self.pool(layer);
                let layouts = (self.layout(from), self.layout(to));
                let Views { input, output, .. } = self.views(from, to, 0..0, block, 1);
                layouts.1.clear_border(output);
                for row in 0..layouts.1.shape.height {
                    pool.row(set, row, relu, (input, &layouts.0), (output, &layouts.1));
                }
            }
            Action::Map { layer, from, to, relu } => self.map(layer, relu, from, to, block),
            Action::Combine { layer, input, from, to, relu } => {
                self.combine(layer, input, relu, (from, to), block);
            }
            Action::Normalise { layer, from, to } => self.normalise(layer, from, to, block),
            Action::Softmax { from, to } => {
                let layouts = (self.layout(from), self.layout(to));
                let Views { input, output, .. } = self.views(from, to, 0..0, block, 1);
                layouts.1.clear_border(output);
                softmax(input, &layouts.0, output, &layouts.1);
            }
            Action::Copy { from, to, channel } => self.copy(from, to, channel, block),
            Action::Store { blob } => self.store(blob, block),
            Action::Emit { blob, output } => self.emit(blob, output, block),
        }
    }

    fn layout(&self, blob: usize) -> Layout {
        self.engine.layouts[blob]
    }

    pub fn product(&self, layer: usize, relu: bool) -> Weighted<'a> {
        match (&self.engine.steps[layer].operation, &self.weights.layers[layer]) {
            (Operation::Product(product), Some(weights)) => {
                Weighted { product, weights, set: self.engine.set, relu }
            }
            _ => unreachable!("the plan takes only such layers for products, and their weights were checked"),
        }
    }

    fn pool(&self, layer: usize) -> &'a Pool {
        match &self.engine.steps[layer].operation {
            Operation::Pool(pool) => pool,
            _ => unreachable!("the plan takes only such layers for pooling"),
        }
    }

    /// The values of `blocks` given blocks from `block` of this task on, read where they are.
    fn given(&self, start: usize, block: usize, blocks: usize) -> &'a [f32] {
        let activations = self.start.blobs[start].2;
        let values = self.engine.emitted_block(activations.shape());
        &activations.values().as_slice()[(self.first + block) * values..][..blocks * values]
    }

    fn place(&self, blob: usize) -> Place {
        self.pass.places[blob].expect("the plan gives a place to every blob of its actions")
    }

    /// The workspace of `blob` for `blocks` blocks from `block` on.
    fn range(&self, blob: usize, block: usize, blocks: usize) -> Range<usize> {
        let range = self.place(blob).range(block, blocks, self.layout(blob).vectors());
        range.expect("what an action writes lies in the workspace")
    }

    /// What an action reads, what it writes, and its scratch space, for `blocks` blocks from `block` on.
    fn views(
        &mut self,
        from: usize,
        to: usize,
        scratch: Range<usize>,
        block: usize,
        blocks: usize,
    ) -> Views<'_> {
        let to = self.range(to, block, blocks);
        let apart = "blobs that live at the same time do not overlap";
        let views = |input, output, scratch| Views {
            input,
            output: bytemuck::cast_slice_mut(output),
            scratch: bytemuck::cast_slice_mut(scratch),
        };
        if let Place::Start(start) = self.place(from) {
            let given = self.given(start, block, blocks);
            let [output, scratch] = self.workspace.get_disjoint_mut([to, scratch]).expect(apart);
            return views(given, output, scratch);
        }
        let from = self.range(from, block, blocks);
        let [input, output, scratch] = self.workspace.get_disjoint_mut([from, to, scratch]).expect(apart);
        views(bytemuck::cast_slice(input), output, scratch)
    }

    /// What one action writes, or changes, in block `block`.
    fn written(&mut self, blob: usize, block: usize) -> &mut [f32] {
        let range = self.range(blob, block, 1);
        bytemuck::cast_slice_mut(&mut self.workspace[range])
    }

    fn inner_product(&mut self, layer: usize, from: usize, to: usize, relu: bool) {
        let product = self.product(layer, relu);
        let (blocks, layout) = (self.blocks, self.layout(to));
        let input_stride = match self.place(from) {
            Place::Start(_) => self.layout(from).values(),
            Place::Workspace { stride, .. } => stride * LANES,
        };
        let Views { input, output, .. } = self.views(from, to, 0..0, 0, blocks);
        for block in output.chunks_exact_mut(layout.values()) {
            layout.clear_border(block);
        }
        product.blocks(blocks, (input, input_stride), (output, &layout));
    }

    /// All blocks of a blob that a fully connected layer reads.
    pub fn columns(&self, blob: usize) -> Columns<'_> {
        match self.place(blob) {
            Place::Start(start) => {
                let stride = self.layout(blob).values();
                Columns { values: self.given(start, 0, self.blocks), blocks: self.blocks, stride }
            }
            Place::Workspace { stride, .. } => {
                let range = self.range(blob, 0, self.blocks);
                let values = bytemuck::cast_slice(&self.workspace[range]);
                Columns { values, blocks: self.blocks, stride: stride * LANES }
            }
        }
    }

    /// Lets `write` fill the vectors of each block of a blob of one pixel.
    pub fn write_vectors(
        &mut self,
        blob: usize,
        write: impl Fn(usize, &mut dyn Iterator<Item = &mut [f32]>),
    ) {
        let layout = self.layout(blob);
        for block in 0..self.blocks {
            let values = self.written(blob, block);
            layout.clear_border(values);
            let first = layout.at(0, 0, 0);
            let planes = values.chunks_mut(layout.plane_stride());
            write(block, &mut planes.map(|plane| &mut plane[first..first + LANES]));
        }
    }

    /// A convolution and its pooling: each output row of the pooling is made as soon as the rows that it needs exist.
    fn pooled(&mut self, pooled: &Pooled, block: usize) {
        let Pooled { product_relu, pool_relu, ref ring, ref outputs, .. } = *pooled;
        let product = self.product(pooled.product, product_relu);
        let (pool, set, layout) = (self.pool(pooled.pool), self.engine.set, self.layout(pooled.to));
        let scratch = pooled.place..pooled.place + ring.vectors();
        let Views { input, output, scratch } = self.views(pooled.from, pooled.to, scratch, block, 1);
        layout.clear_border(output);
        let mut done = 0;
        for (row, needed) in pool.bands.iter().enumerate() {
            if needed.end > done {
                let new = done.max(needed.start)..needed.end;
                product.rows(new, input, outputs, scratch);
                done = needed.end;
            }
            pool.row(set, row, pool_relu, (scratch, ring), (output, &layout));
        }
    }

    fn load(&mut self, start: usize, blob: usize, block: usize) {
        let (layout, first) = (self.layout(blob), self.first_image(block));
        let given = self.start.blobs[start].2;
        load(given, first, &layout, self.written(blob, block));
    }

    /// Copies all elements in their order to the channels of `to` from `channel` on.
    fn copy(&mut self, from: usize, to: usize, channel: usize, block: usize) {
        let layouts = (self.layout(from), self.layout(to));
        let Views { input, output, .. } = self.views(from, to, 0..0, block, 1);
        layouts.1.clear_border(output);
        copy_elements((input, &layouts.0), (output, &layouts.1), channel);
    }

    /// What is read, none where it is what is written, and what is written.
    fn in_place_views(&mut self, from: usize, to: usize, block: usize) -> (Option<&[f32]>, &mut [f32]) {
        if self.pass.places[from] == self.pass.places[to] {
            return (None, self.written(to, block));
        }
        let Views { input, output, .. } = self.views(from, to, 0..0, block, 1);
        (Some(input), output)
    }

    fn map(&mut self, layer: usize, relu: bool, from: usize, to: usize, block: usize) {
        let engine = self.engine;
        let Operation::Map(activation) = engine.steps[layer].operation else {
            unreachable!("the plan takes only such layers for this action");
        };
        let weights = self.weights.layers[layer].as_ref();
        let (from_layout, layout) = (self.layout(from), self.layout(to));
        let (input, output) = self.in_place_views(from, to, block);
        if input.is_some() {
            layout.clear_border(output);
        }
        let input = input.map(|input| (input, from_layout));
        Map { activation, weights, relu, input, output, layout }.run(engine.set);
    }

    fn combine(&mut self, layer: usize, input: usize, relu: bool, blobs: (usize, usize), block: usize) {
        let engine = self.engine;
        let Operation::Combine(combinations) = &engine.steps[layer].operation else {
            unreachable!("the plan takes only such layers for this action");
        };
        let (from_layout, layout) = (self.layout(blobs.0), self.layout(blobs.1));
        let (vectors, output) = self.in_place_views(blobs.0, blobs.1, block);
        let (combination, first) = (combinations[input], input == 0);
        if first && vectors.is_some() {
            layout.clear_border(output);
        }
        let input = vectors.map(|vectors| (vectors, from_layout));
        Combine { combination, first, relu, input, output, layout }.run(engine.set);
    }

    fn normalise(&mut self, layer: usize, from: usize, to: usize, block: usize) {
        let engine = self.engine;
        let Operation::Normalise(normalisation) = &engine.steps[layer].operation else {
            unreachable!("the plan takes only such layers for this action");
        };
        let layouts = (self.layout(from), self.layout(to));
        let Views { input, output, .. } = self.views(from, to, 0..0, block, 1);
        layouts.1.clear_border(output);
        Normalise { normalisation, input, from: layouts.0, output, to: layouts.1 }.run(engine.set);
    }

    /// First image of a block of this task.
    fn first_image(&self, block: usize) -> usize {
        (self.first + block) * self.engine.block_images()
    }

    /// Images of a block.
    fn block_images(&self, block: usize) -> usize {
        self.engine.block_images().min(self.images - self.first_image(block))
    }

    fn store(&mut self, blob: usize, block: usize) {
        let (layout, images, first) = (self.layout(blob), self.block_images(block), self.first_image(block));
        let hook = self.hook;
        let mut operand = OperandBlock::new(self.written(blob, block), layout, images);
        hook.store(BlobId(blob), first, &mut operand);
    }

    fn emit(&mut self, blob: usize, output: usize, block: usize) {
        let layout = self.layout(blob);
        let values = match self.place(blob) {
            Place::Start(start) => self.given(start, block, 1),
            Place::Workspace { .. } => bytemuck::cast_slice(&self.workspace[self.range(blob, block, 1)]),
        };
        let length = self.engine.emitted_block(layout.shape);
        let result = &mut self.outputs[output][block * length..][..length];
        emit(values, &layout, self.engine.arrangement, result);
    }
}

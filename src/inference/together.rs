//! Fully connected layers of several tasks at a time: each thread reads a part of the weights, once for the images of all
//! tasks, because weights that no cache holds cost more time than the products.

use super::LANES;
use super::engine::Engine;
use super::forward::Task;
use super::pass::Action;
use rayon::prelude::*;
use std::ops::Range;

/// Runs tasks side by side, one for each thread.
pub(super) fn run(engine: &Engine, actions: &[Action], tasks: &mut [Task<'_>]) {
    tasks.par_iter_mut().for_each(Task::trunk);
    for action in actions {
        match *action {
            Action::Product { layer, from, to, relu, .. } if engine.is_flat(layer) => {
                inner_product(tasks, layer, from, to, relu);
            }
            _ => tasks.par_iter_mut().for_each(|task| task.head_action(action)),
        }
    }
}

/// The blocks of one task that a fully connected layer reads.
pub(super) struct Columns<'a> {
    pub values: &'a [f32],
    pub blocks: usize,
    /// From one block to the next, in values.
    pub stride: usize,
}

/// One fully connected layer for all tasks, its panels of output channels shared among the threads.
fn inner_product(tasks: &mut [Task<'_>], layer: usize, from: usize, to: usize, relu: bool) {
    let Some(first) = tasks.first() else { return };
    let product = first.product(layer, relu);
    let columns: Vec<_> = tasks.iter().map(|task| task.columns(from)).collect();
    let panels = product.product.packing().panels.count();
    let threads = rayon::current_num_threads().clamp(1, panels);
    let parts: Vec<Range<usize>> =
        (0..threads).map(|part| part * panels / threads..(part + 1) * panels / threads).collect();
    let outputs: Vec<_> = parts.into_par_iter().map(|panels| product.panels(panels, &columns)).collect();
    let blocks: Vec<_> = tasks.iter().map(|task| task.blocks).collect();
    let mut before = 0;
    for (task, blocks) in tasks.iter_mut().zip(blocks) {
        task.write_vectors(to, |block, vectors| {
            let parts = outputs.iter().flat_map(|part| part.block(before + block));
            vectors.zip(parts).for_each(|(to, from)| to.copy_from_slice(from));
        });
        before += blocks;
    }
}

/// Some vectors of output channels of all blocks: `[block][vector][channel of the vector]`.
pub(super) struct Part {
    pub values: Vec<f32>,
    /// Values of a block.
    pub stride: usize,
}

impl Part {
    fn block(&self, block: usize) -> impl Iterator<Item = &[f32]> {
        self.values[block * self.stride..][..self.stride].chunks_exact(LANES)
    }
}

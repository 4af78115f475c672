//! What a pass does not do: copies that sharing storage avoids.

use super::network::{Builder, window};
use crate::inference::Engine;
use crate::inference::pass::{Action, Given, Pass, Request};
use crate::network::{BlobId, LayerKind, Network, Window};

/// The actions for the network's output, and the vectors of workspace.
fn plan(network: &Network) -> (Vec<Action>, usize) {
    let engine = Engine::new(network).unwrap();
    let stores = vec![false; network.blobs.len()];
    let starts = [Given { blob: network.input(), hooked: true, in_place: engine.layouts[0].is_plain() }];
    let outputs = [network.output()];
    let request = Request { starts: &starts, outputs: &outputs, stores: &stores };
    let pass = Pass::new(&engine, &request, 1).unwrap();
    (pass.trunk.into_iter().chain(pass.head).collect(), pass.vectors)
}

fn count(actions: &[Action], wanted: fn(&Action) -> bool) -> usize {
    actions.iter().filter(|action| wanted(action)).count()
}

fn is_copy(action: &Action) -> bool {
    matches!(action, Action::Copy { .. })
}

/// A fire module of SqueezeNet: two convolutions with ReLU side by side.
fn fire(builder: Builder) -> Builder {
    let padded = Window { pad: [1; 2], pad_end: [1; 2], ..window(3, 1) };
    let squeezed = builder.convolution(2, 1, window(1, 1)).relu();
    let shared = squeezed.last;
    let one = squeezed.convolution(4, 1, window(1, 1)).relu();
    let first = one.last;
    let three = one.from(shared).convolution(4, 1, padded).relu();
    let second = three.last;
    three.concat(vec![first, second])
}

#[test]
fn branches_write_into_their_concatenation() {
    let network = fire(fire(Builder::new(3, 8, 8))).build();
    let (actions, vectors) = plan(&network);
    assert_eq!(count(&actions, is_copy), 0, "{actions:?}");
    // Three products per module, and the output.
    assert_eq!(actions.len(), 7, "{actions:?}");
    // One concatenated blob and one squeezed blob in its border exist at a time.
    assert_eq!(vectors, 8 * 64 + 2 * 100);
}

#[test]
fn a_branch_that_is_read_later_is_copied() {
    let network = Builder::new(3, 8, 8).convolution(4, 1, window(1, 1)).relu();
    let network = network.concat(vec![BlobId(2), BlobId(0)]);
    let (whole, early) = (network.last, BlobId(2));
    let network = network.convolution(4, 1, window(1, 1)).sum(vec![early, BlobId(4)]);
    let last = network.last;
    let (actions, _) = plan(&network.concat(vec![last, whole]).build());
    // The ReLU that the sum reads again, and the input, which is given; the second concatenation takes both as parts.
    assert_eq!(count(&actions, is_copy), 2, "{actions:?}");
}

#[test]
fn a_residual_block_adds_in_place() {
    let padded = Window { pad: [1; 2], pad_end: [1; 2], ..window(3, 1) };
    let block = Builder::new(4, 8, 8).convolution(4, 1, padded).affine(true).relu();
    let shortcut = block.last;
    let block = block.convolution(4, 1, padded).affine(true);
    let branch = block.last;
    let (actions, vectors) = plan(&block.sum(vec![shortcut, branch]).relu().build());
    // Product and affine layer with ReLU; product and affine layer; sum with ReLU; the copies at both ends.
    assert_eq!(actions.len(), 7, "{actions:?}");
    assert_eq!(count(&actions, |action| matches!(action, Action::Combine { relu: true, .. })), 1);
    assert_eq!(count(&actions, |action| matches!(action, Action::Map { relu: true, .. })), 1);
    assert_eq!(count(&actions, is_copy), 0);
    assert_eq!(vectors, 2 * 4 * 100, "all blobs lie in two storages");
}

#[test]
fn a_long_chain_of_layers_needs_two_storages() {
    let mut chain = Builder::new(2, 4, 4);
    for _ in 0..300 {
        chain = chain.convolution(2, 1, window(1, 1)).plain(LayerKind::Tanh).affine(false);
    }
    let (actions, vectors) = plan(&chain.build());
    assert_eq!((actions.len(), vectors), (901, 2 * 32));
}

//! The definitions that this project provides.

use super::output;
use crate::network::{LayerId, LayerKind, Network, Shape, read_definition};
use std::path::Path;

fn definition(name: &str) -> Network {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name);
    let network = read_definition(&folder.join(format!("{name}.prototxt"))).unwrap();
    assert_eq!(network.notes.len(), 1, "the input layer: {:?}", network.notes);
    network
}

fn macs(network: &Network) -> u64 {
    (0..network.layers.len()).map(|layer| network.macs(LayerId(layer))).sum()
}

fn count(network: &Network, wanted: fn(&LayerKind) -> bool) -> usize {
    network.layers.iter().filter(|layer| wanted(&layer.kind)).count()
}

/// Volumes are those behind Table 2 of Chen et al., GLSVLSI'17.
#[test]
fn data_volumes_are_those_of_the_paper() {
    for (name, words) in [("alexnet", 61_380_259), ("vgg16", 147_472_680), ("cifar10_full", 103_914)] {
        assert_eq!(definition(name).volume_words(), words, "{name}");
    }
}

#[test]
fn alexnet() {
    let network = definition("alexnet");
    assert_eq!(network.blob(network.input()).shape, Shape::new(3, 227, 227));
    assert_eq!(output(&network), Shape::new(1000, 1, 1));
    // Krizhevsky et al., 2012, section 3: the two groups of conv2, conv4 and conv5 halve their work.
    assert_eq!(macs(&network), 724_406_816);
    assert_eq!(count(&network, |kind| matches!(kind, LayerKind::LocalResponse(_))), 2);
    assert_eq!(count(&network, |kind| matches!(kind, LayerKind::Dropout)), 2);
    assert_eq!(count(&network, |kind| matches!(kind, LayerKind::Convolution(c) if c.groups == 2)), 3);
}

#[test]
fn vgg16() {
    let network = definition("vgg16");
    assert_eq!(network.blob(network.input()).shape, Shape::new(3, 224, 224));
    assert_eq!(output(&network), Shape::new(1000, 1, 1));
    // 15.35 G for the convolutions (Simonyan & Zisserman, 2015, configuration D), 124 M for the fully connected layers.
    assert_eq!(macs(&network), 15_470_264_320);
    assert_eq!(count(&network, |kind| matches!(kind, LayerKind::Convolution(_))), 13);
}

#[test]
fn cifar10_full() {
    let network = definition("cifar10_full");
    assert_eq!(network.blob(network.input()).shape, Shape::new(3, 32, 32));
    assert_eq!(output(&network), Shape::new(10, 1, 1));
    assert_eq!(macs(&network), 32 * 75 * 1024 + 32 * 800 * 256 + 64 * 800 * 64 + 10 * 1024);
    assert_eq!(count(&network, |kind| matches!(kind, LayerKind::LocalResponse(l) if l.within_channel)), 2);
}

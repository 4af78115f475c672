//! The layers that names and patterns of `[accelerator]` can mean.

use crate::accelerator::operation::{Kind, Operation};
use crate::config::key::quoted;
use crate::config::problem::{Problem, Problems};
use crate::config::reader::nearest;
use crate::config::tree::{Entry, shortened};
use crate::network::{LayerKind, Network};

/// The layers that an accelerator computes, in order.
pub(in crate::config) struct Layers<'n> {
    layers: Vec<(&'n str, Kind)>,
    /// Whether the configuration was written for them, and must name none that is not there.
    are_its_own: bool,
}

impl<'n> Layers<'n> {
    /// The layers of `network`: those that only work on results as they are formed, or place them, are none.
    pub fn of_network(network: &'n Network) -> Self {
        let kind = |kind: &LayerKind| match kind {
            LayerKind::Convolution(_) => Some(Kind::Convolution),
            LayerKind::InnerProduct { .. } => Some(Kind::FullyConnected),
            LayerKind::Pooling(_) => Some(Kind::Pooling),
            LayerKind::LocalResponse(_) => Some(Kind::Normalisation),
            LayerKind::Eltwise(_) => Some(Kind::Elementwise),
            LayerKind::Relu { .. }
            | LayerKind::Softmax
            | LayerKind::Dropout
            | LayerKind::Concat
            | LayerKind::Affine
            | LayerKind::Sigmoid
            | LayerKind::Tanh
            | LayerKind::Clip { .. }
            | LayerKind::Reshape
            | LayerKind::Quantise(_) => None,
        };
        let layers = network.layers.iter();
        let layers = layers.filter_map(|layer| Some((layer.name.as_str(), kind(&layer.kind)?))).collect();
        Self { layers, are_its_own: true }
    }

    /// The layers of operations that no network stands behind.
    pub fn of_operations(operations: &'n [Operation]) -> Self {
        let layers = operations.iter().map(|operation| (operation.name.as_str(), operation.kind)).collect();
        Self { layers, are_its_own: false }
    }

    /// Names of the layers.
    pub fn names(&self) -> impl Iterator<Item = &'n str> {
        self.layers.iter().map(|(name, _)| *name)
    }

    /// Names of the layers that can be fused with their producer.
    pub fn fusable(&self) -> impl Iterator<Item = &'n str> {
        let is_fusable = |kind| matches!(kind, Kind::Pooling | Kind::Normalisation | Kind::Elementwise);
        self.layers.iter().filter(move |(_, kind)| is_fusable(*kind)).map(|(name, _)| *name)
    }

    /// Notes a name or pattern that means none of the layers: a mistake, but of layers that the configuration was not written for
    /// only a doubt.
    pub fn note(&self, problem: Problem, problems: &mut Problems, warnings: &mut Problems) {
        let noted = if self.are_its_own { problems } else { warnings };
        noted.push(problem);
    }

    /// Notes the entry of `table` whose key is no name of a layer; whether it is one.
    pub fn check_name(
        &self,
        table: &str,
        entry: &Entry,
        problems: &mut Problems,
        warnings: &mut Problems,
    ) -> bool {
        let names: Vec<_> = self.names().collect();
        let is_known = names.contains(&entry.key.as_str());
        if !is_known {
            let message =
                format!("[{table}]: there is no layer `{}` to compute", quoted(&shortened(&entry.key)));
            let problem = Problem::new(&entry.key_location, message, "no such layer");
            self.note(problem.with_help(nearest_layer(&entry.key, &names)), problems, warnings);
        }
        is_known
    }
}

/// What to say of a name that none of `names` is.
pub(super) fn nearest_layer(typed: &str, names: &[&str]) -> String {
    let start: String = typed.chars().take(200).collect();
    match nearest(&start, names) {
        Some(name) => format!("the nearest layer is `{name}`"),
        None => "there are no such layers".to_owned(),
    }
}

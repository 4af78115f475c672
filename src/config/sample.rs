//! A small network and a valid configuration of it, for tests.

use super::{Document, Problems, Resolved};
use crate::network::{
    Blob, BlobId, Convolution, Layer, LayerId, LayerKind, Network, Parameter, Pooling, PoolingMethod, Shape,
    Window,
};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A valid configuration; line numbers of the message tests refer to it.
pub(super) const TEXT: &str = r#"[network]
definition = "net.prototxt"
weights = "net.caffemodel"
[dataset]
kind = "mnist"
images = "images.gz"
labels = "labels.gz"
scale = 0.00390625
[formats]
"weight_*" = { kind = "fixed", bits = 16 }
"bias_*" = "fp16"
[memories.dram]
technology = "uniform"
protected_msbs = 3
ber = 1e-3
[link.bits]
"weight_fc1" = 8
[placement]
"weight_*" = ["dram"]
[experiment]
trials = 10
"#;

/// A folder with the files that [`TEXT`] names.
pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["net.prototxt", "net.caffemodel", "images.gz", "labels.gz"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        Self(folder)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn parse(&self, text: &str) -> Result<Document, Problems> {
        Document::parse(&self.file("c.toml"), text)
    }

    /// Parses `text`, applies `overrides` and resolves against [`network`].
    pub fn resolve(&self, text: &str, overrides: &[&str]) -> Result<Resolved, Problems> {
        let mut document = self.parse(text)?;
        for assignment in overrides {
            document.set(assignment)?;
        }
        document.resolve(&network())
    }

    /// The problems of `text` with `overrides`, as printed, the folder left out.
    pub fn problems(&self, text: &str, overrides: &[&str]) -> String {
        self.without_folder(&self.resolve(text, overrides).unwrap_err())
    }

    pub fn without_folder(&self, problems: &Problems) -> String {
        problems.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// conv1/5x5 → pool1 → fc1 and fc2, which read one blob.
pub(super) fn network() -> Network {
    let window = |kernel, stride| Window {
        kernel: [kernel; 2],
        stride: [stride; 2],
        pad: [0; 2],
        pad_end: [0; 2],
        dilation: [1; 2],
    };
    let blob = |name: &str, shape, producer: Option<usize>| Blob {
        name: name.into(),
        shape,
        producer: producer.map(LayerId),
    };
    let parameter =
        |dims: &[usize]| Some(Parameter { dims: dims.to_vec(), values: None, quantisation: None });
    let layer = |name: &str, kind, input, output, weight, bias| Layer {
        name: name.into(),
        kind,
        inputs: vec![BlobId(input)],
        output: BlobId(output),
        weight,
        bias,
    };
    let convolution = LayerKind::Convolution(Convolution { outputs: 6, window: window(5, 1), groups: 1 });
    let pooling = LayerKind::Pooling(Pooling { method: PoolingMethod::Max, window: window(2, 2) });
    let inner = |outputs| LayerKind::InnerProduct { outputs };
    Network {
        name: "sample".into(),
        blobs: vec![
            blob("data", Shape::new(1, 28, 28), None),
            blob("conv1", Shape::new(6, 24, 24), Some(0)),
            blob("pool1", Shape::new(6, 12, 12), Some(1)),
            blob("fc1", Shape::new(10, 1, 1), Some(2)),
            blob("fc2", Shape::new(4, 1, 1), Some(3)),
        ],
        layers: vec![
            layer("conv1/5x5", convolution, 0, 1, parameter(&[6, 1, 5, 5]), parameter(&[6])),
            layer("pool1", pooling, 1, 2, None, None),
            layer("fc1", inner(10), 2, 3, parameter(&[10, 864]), parameter(&[10])),
            layer("fc2", inner(4), 2, 4, parameter(&[4, 864]), None),
        ],
        normalisations: BTreeMap::new(),
        notes: Vec::new(),
    }
}

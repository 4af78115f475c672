//! The networks that can be measured: where their definition, weights and images are.

use std::path::{Path, PathBuf};

/// The folder that a path starts at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// A checkout of this project.
    Checkout,
    /// A folder with trained networks of others and their data sets.
    Data,
}

/// Which images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// The 10,000 MNIST test images; keys of `[dataset]` for their preprocessing.
    Mnist(&'static str),
    /// The 10,000 CIFAR-10 test images, less the mean image.
    Cifar10,
    /// The pictures listed in `imagenet/labels.txt`; keys of `[dataset]` for their preprocessing.
    Pictures(&'static str),
}

/// How long a pass over all images takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Hundredths of a second.
    Small,
    /// Seconds.
    Medium,
    /// Many seconds.
    Large,
}

/// One network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its name for a reader.
    pub title: &'static str,
    /// Name of the network of the paper that it is, if it is one.
    pub published: Option<&'static str>,
    /// Where its definition and weights are.
    pub home: Home,
    /// Its definition.
    pub definition: &'static str,
    /// Its weights; `None`: the user brings them.
    pub weights: Option<&'static str>,
    /// What the weights are.
    pub weights_title: &'static str,
    /// Its images.
    pub images: Images,
    /// How long a pass takes, which decides how much is measured.
    pub size: Size,
}

/// All networks.
pub const SOURCES: [Source; 8] = [
    Source {
        name: "lenet5",
        title: "LeNet-5",
        published: Some("lenet5"),
        home: Home::Checkout,
        definition: "models/lenet5/lenet5.prototxt",
        weights: Some("models/lenet5/lenet5.caffemodel"),
        weights_title: "trained for this project",
        images: Images::Mnist("scale = 0.00390625"),
        size: Size::Small,
    },
    Source {
        name: "cifar10_full",
        title: "Cifar10-full",
        published: Some("cifar10_full"),
        home: Home::Checkout,
        definition: "models/cifar10_full/cifar10_full.prototxt",
        weights: Some("models/cifar10_full/cifar10_full.caffemodel"),
        weights_title: "trained for this project",
        images: Images::Cifar10,
        size: Size::Medium,
    },
    Source {
        name: "alexnet",
        title: "AlexNet",
        published: Some("alexnet"),
        home: Home::Checkout,
        definition: "models/alexnet/alexnet.prototxt",
        weights: None,
        weights_title: "the user's",
        images: Images::Pictures("resize = [256, 256]\ncrop = 227\nmean = [104.007, 116.669, 122.679]"),
        size: Size::Large,
    },
    Source {
        name: "vgg16",
        title: "VGG-16",
        published: Some("vgg16"),
        home: Home::Checkout,
        definition: "models/vgg16/vgg16.prototxt",
        weights: None,
        weights_title: "the user's",
        images: Images::Pictures("resize = 256\ncrop = 224\nmean = [103.939, 116.779, 123.68]"),
        size: Size::Large,
    },
    Source {
        name: "lenet5_fyh620",
        title: "LeNet-5 (FYH620)",
        published: Some("lenet5"),
        home: Home::Data,
        definition: "models/lenet5/deploy.prototxt",
        weights: Some("models/lenet5/FYH620.caffemodel"),
        weights_title: "GitHub repository FYH620/lenet-mnist-openvino",
        images: Images::Mnist("scale = 0.00392156862745098\nmean = 0.1307\nstd = 0.3081"),
        size: Size::Small,
    },
    Source {
        name: "cifar10_full_caffe",
        title: "Cifar10-full (Caffe)",
        published: Some("cifar10_full"),
        home: Home::Data,
        definition: "models/cifar10_full/cifar10_full.prototxt",
        weights: Some("models/cifar10_full/cifar10_full_iter_70000.caffemodel"),
        weights_title: "Caffe's example, 70,000 iterations",
        images: Images::Cifar10,
        size: Size::Medium,
    },
    Source {
        name: "squeezenet_v1.1",
        title: "SqueezeNet v1.1",
        published: None,
        home: Home::Data,
        definition: "models/squeezenet_v1.1/deploy.prototxt",
        weights: Some("models/squeezenet_v1.1/squeezenet_v1.1.caffemodel"),
        weights_title: "of its authors",
        images: Images::Pictures("mean = [104.0, 117.0, 123.0]"),
        size: Size::Large,
    },
    Source {
        name: "bvlc_googlenet",
        title: "GoogLeNet",
        published: None,
        home: Home::Data,
        definition: "models/bvlc_googlenet/deploy.prototxt",
        weights: Some("models/bvlc_googlenet/bvlc_googlenet.caffemodel"),
        weights_title: "Caffe's model zoo (BVLC)",
        images: Images::Pictures("crop = 224\nmean = [104.0, 117.0, 123.0]"),
        size: Size::Large,
    },
];

/// The network of that name.
pub fn source(name: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|source| source.name == name)
}

/// Where files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// A checkout of this project.
    pub checkout: PathBuf,
    /// A folder with trained networks of others and their data sets, laid out as `models/`, `mnist/`, `cifar10/`, `imagenet/`.
    pub data: Option<PathBuf>,
}

/// Files of one network that can be measured, and how its images are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The network definition.
    pub definition: PathBuf,
    /// The weights.
    pub weights: PathBuf,
    /// `[dataset]` of its configuration.
    pub dataset: String,
}

/// What keeps a network from being measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent(pub String);

impl Folders {
    /// The folder of `home`, if it was named.
    fn of(&self, home: Home) -> Option<&Path> {
        match home {
            Home::Checkout => Some(&self.checkout),
            Home::Data => self.data.as_deref(),
        }
    }

    /// The definition of `source`, if its folder was named.
    pub fn definition(&self, source: &Source) -> Option<PathBuf> {
        self.of(source.home).map(|folder| folder.join(source.definition))
    }

    /// The files of `source`, with `weights` of the user's in place of its own.
    ///
    /// # Errors
    /// [`Absent`]: what is missing, and how to bring it.
    pub fn files(&self, source: &Source, weights: Option<&Path>) -> Result<Files, Absent> {
        let Some(home) = self.of(source.home) else {
            return Err(Absent("it is in the folder that --data names".into()));
        };
        let weights = match (weights, source.weights) {
            (Some(weights), _) => weights.to_owned(),
            (None, Some(weights)) => home.join(weights),
            (None, None) => {
                return Err(Absent(format!(
                    "it has no weights here: bring a caffemodel with --weights {}=FILE",
                    source.name
                )));
            }
        };
        let dataset = self.dataset(source)?;
        Ok(Files { definition: home.join(source.definition), weights, dataset })
    }

    /// `[dataset]` of `source`.
    fn dataset(&self, source: &Source) -> Result<String, Absent> {
        match source.images {
            Images::Mnist(preprocessing) => {
                let folder = match (source.home, &self.data) {
                    (Home::Data, Some(data)) => data.join("mnist"),
                    _ => self.checkout.join("data/mnist"),
                };
                let images = quoted(&folder.join("t10k-images-idx3-ubyte.gz"));
                let labels = quoted(&folder.join("t10k-labels-idx1-ubyte.gz"));
                Ok(format!("kind = \"mnist\"\nimages = {images}\nlabels = {labels}\n{preprocessing}\n"))
            }
            Images::Cifar10 => {
                let fetched = self.checkout.join("data/cifar10/test_batch.bin");
                let brought = self.data.as_ref().map(|data| data.join("cifar10/test_batch.bin.gz"));
                let batch = if fetched.is_file() { Some(fetched) } else { brought };
                let Some(batch) = batch else {
                    return Err(Absent(
                        "the CIFAR-10 test images are not here: fetch them with `python3 data/cifar10/fetch.py`, or name a \
                         folder that holds cifar10/test_batch.bin.gz with --data"
                            .into(),
                    ));
                };
                let mean = self.checkout.join("models/cifar10_full/mean.binaryproto");
                Ok(format!("kind = \"cifar10\"\nimages = {}\nmean = {}\n", quoted(&batch), quoted(&mean)))
            }
            Images::Pictures(preprocessing) => {
                let Some(data) = &self.data else {
                    return Err(Absent(
                        "its pictures are in the folder that --data names (imagenet/labels.txt)".into(),
                    ));
                };
                let [images, labels] =
                    ["imagenet", "imagenet/labels.txt"].map(|name| quoted(&data.join(name)));
                Ok(format!(
                    "kind = \"images\"\nimages = {images}\nlabels = {labels}\nchannel_order = \"bgr\"\n{preprocessing}\n"
                ))
            }
        }
    }
}

impl Images {
    /// For a reader.
    pub fn title(self) -> &'static str {
        match self {
            Self::Mnist(_) => "MNIST test set",
            Self::Cifar10 => "CIFAR-10 test set",
            Self::Pictures(_) => "pictures of the ImageNet validation set",
        }
    }
}

impl Files {
    /// A configuration of this network: `images` evaluation images (all if `None`), `seed`.
    pub fn configuration(&self, images: Option<u64>, seed: u64) -> String {
        let count = images.map_or_else(String::new, |images| format!("images = {images}\n"));
        format!(
            "[network]\ndefinition = {}\nweights = {}\n\n[dataset]\n{}\n[experiment]\ntrials = 1\nseed = {seed}\n{count}",
            quoted(&self.definition),
            quoted(&self.weights),
            self.dataset
        )
    }
}

/// `path` as a string of TOML.
fn quoted(path: &Path) -> String {
    toml::Value::String(path.display().to_string()).to_string()
}

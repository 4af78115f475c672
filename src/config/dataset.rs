//! `[dataset]`: the evaluation images and how they become network inputs.

use super::files::{file, file_at, folder};
use super::problem::{Problem, Problems};
use super::reader::{Section, integer, listed, number, unexpected};
use super::tree::{Entry, Node, Value};
use crate::dataset::{ChannelOrder, Files, Mean, Preprocessing, Resize};
use crate::experiment::{DatasetSource, InputFile};
use crate::network::{Network, Shape};

const FINITE: &str = "a finite binary32 number";
const FINITE_NON_ZERO: &str = "a finite binary32 number other than 0";
const PER_CHANNEL: &str = "or a list of one per channel";
const MEAN_IMAGE: &str = "the path of a mean image (.binaryproto or .npy)";
const MEAN_EXTENSIONS: [&str; 2] = ["binaryproto", "npy"];

/// Longest side of an image that can be asked for.
const MAX_SIDE: i64 = 16_384;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Mnist,
    Cifar10,
    Images,
    Npy,
}

const KINDS: [(&str, Kind); 4] =
    [("mnist", Kind::Mnist), ("cifar10", Kind::Cifar10), ("images", Kind::Images), ("npy", Kind::Npy)];
const KEYS: [&str; 9] =
    ["kind", "images", "labels", "channel_order", "resize", "crop", "scale", "mean", "std"];

impl Kind {
    fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    fn takes(self, key: &str) -> bool {
        match key {
            "labels" => self != Self::Cifar10,
            "channel_order" | "resize" => self == Self::Images,
            _ => true,
        }
    }

    /// What `dataset.images` names.
    fn images(self) -> &'static str {
        match self {
            Self::Mnist => "the file that holds the images",
            Self::Cifar10 => "a file of the binary version, or a list of them",
            Self::Images => "the folder of the pictures",
            Self::Npy => "the file that holds the tensor of images",
        }
    }
}

/// Reads `[dataset]`; `network` tells the extent of the images.
pub(super) fn dataset(
    root: &Section<'_>,
    network: Option<&Network>,
    problems: &mut Problems,
) -> Option<DatasetSource> {
    let section = root.required_section(
        "dataset",
        "`dataset.kind` and `dataset.images` name the evaluation images",
        problems,
    )?;
    section.require("kind", "the kind of the files: one of `mnist`, `cifar10`, `images`, `npy`", problems);
    let kind = section.choice("kind", &KINDS, problems);
    check_keys(&section, kind, problems);
    section.require("images", kind.map_or(Kind::Mnist.images(), Kind::images), problems);
    if kind == Some(Kind::Mnist) {
        section.require("labels", "the file that holds the labels", problems);
    }
    let input = network.map(|network| network.blob(network.input()).shape);
    let files = kind.map(|kind| files(kind, &section, problems));
    let crop = side_lengths(&section, "crop", problems).map(|size| match size {
        Resize::Shorter(side) => [side; 2],
        Resize::Exact(size) => size,
    });
    let files = files.flatten();
    check_size(&section, files.as_ref(), crop, input, problems);
    let preprocessing = preprocessing(&section, input, problems);
    Some(DatasetSource { files: files?, crop, preprocessing: preprocessing? })
}

/// Notes every key that does not exist or, which is said in other words, does not belong to `kind`.
fn check_keys(section: &Section<'_>, kind: Option<Kind>, problems: &mut Problems) {
    let Some(kind) = kind else {
        return section.check_keys(&KEYS, problems);
    };
    let valid: Vec<_> = KEYS.into_iter().filter(|key| kind.takes(key)).collect();
    for entry in section.entries().iter().filter(|entry| !valid.contains(&entry.key.as_str())) {
        if !KEYS.contains(&entry.key.as_str()) {
            problems.push(section.unknown(entry, &valid));
            continue;
        }
        let message = format!("`{}` does not apply to kind `{}`", section.key(&entry.key), kind.name());
        let help = if entry.key == "labels" {
            "leave it out: the image files hold the labels".to_owned()
        } else {
            format!("valid keys: {}", listed(&valid))
        };
        problems.push(Problem::new(&entry.key_location, message, "does not apply").with_help(help));
    }
}

fn files(kind: Kind, section: &Section<'_>, problems: &mut Problems) -> Option<Files<InputFile>> {
    if kind == Kind::Cifar10 {
        return batches(section, problems).map(|images| Files::Cifar10 { images });
    }
    let images = match kind {
        Kind::Images => folder(section, "images", problems),
        _ => file(section, "images", problems),
    };
    let labels = section.find("labels").map(|_| file(section, "labels", problems));
    if kind == Kind::Mnist {
        return Some(Files::Mnist { images: images?, labels: labels?? });
    }
    // A wrong file is noted; only without the key is there none.
    let labels = labels.map_or(Some(None), |file| file.map(Some));
    if kind == Kind::Npy {
        return Some(Files::Npy { images: images?, labels: labels? });
    }
    let orders = [("rgb", ChannelOrder::Rgb), ("bgr", ChannelOrder::Bgr), ("grey", ChannelOrder::Grey)];
    let channel_order = section.choice("channel_order", &orders, problems).unwrap_or_default();
    let resize = side_lengths(section, "resize", problems);
    Some(Files::Images { images: images?, labels: labels?, channel_order, resize })
}

/// The file or the files of a CIFAR-10 set.
fn batches(section: &Section<'_>, problems: &mut Problems) -> Option<Vec<InputFile>> {
    let (name, node) = (section.key("images"), &section.find("images")?.node);
    let Value::List(items) = &node.value else {
        return file_at(&name, node, problems).map(|file| vec![file]);
    };
    if items.is_empty() {
        problems.push(unexpected(&name, node, "the path of a file, or a list of at least one"));
        return None;
    }
    let files: Vec<_> = items.iter().map(|item| file_at(&name, item, problems)).collect();
    files.into_iter().collect()
}

/// One side or height and width: `Shorter` for an integer, `Exact` for a list of two.
fn side_lengths(section: &Section<'_>, key: &str, problems: &mut Problems) -> Option<Resize> {
    let node = &section.find(key)?.node;
    let name = section.key(key);
    let expected = format!("an integer from 1 to {MAX_SIDE}, or a list of two: height and width");
    match &node.value {
        Value::List(items) if items.len() == 2 => {
            let sides: Vec<_> =
                items.iter().map(|item| integer(&name, item, 1..=MAX_SIDE, problems)).collect();
            Some(Resize::Exact([sides[0]? as usize, sides[1]? as usize]))
        }
        Value::Integer(side) if (1..=i128::from(MAX_SIDE)).contains(side) => {
            Some(Resize::Shorter(*side as usize))
        }
        _ => {
            problems.push(unexpected(&name, node, &expected));
            None
        }
    }
}

/// Notes a crop that no resized picture contains, and a size of the images that is not that of the network's input.
fn check_size(
    section: &Section<'_>,
    files: Option<&Files<InputFile>>,
    crop: Option<[usize; 2]>,
    input: Option<Shape>,
    problems: &mut Problems,
) {
    let resize = match files {
        Some(Files::Images { resize, .. }) => *resize,
        _ => None,
    };
    let entry = |key| section.find(key);
    if let (Some([height, width]), Some(at)) = (crop, entry("crop")) {
        let is_too_large = match resize {
            Some(Resize::Exact(size)) => height > size[0] || width > size[1],
            Some(Resize::Shorter(side)) => height.min(width) > side,
            None => false,
        };
        if is_too_large {
            let message =
                format!("`{}` of {height}x{width} is larger than the resized pictures", section.key("crop"));
            let problem = Problem::new(&at.node.location, message, "larger than `resize`");
            problems.push(problem.with_help("`resize` comes first, then the centre is cut out"));
            return;
        }
    }
    let last = match (crop, resize) {
        (Some(size), _) => entry("crop").zip(Some(size)),
        (None, Some(Resize::Exact(size))) => entry("resize").zip(Some(size)),
        _ => None,
    };
    if let (Some((at, size)), Some(input)) = (last, input)
        && size != [input.height, input.width]
    {
        problems.push(unfit(section, at, size, input));
    }
}

fn unfit(section: &Section<'_>, at: &Entry, [height, width]: [usize; 2], input: Shape) -> Problem {
    let name = section.key(&at.key);
    let message = format!(
        "`{name}` makes images of {height}x{width}, but the network's input is {}x{}",
        input.height, input.width
    );
    Problem::new(&at.node.location, message, format!("expected {}x{}", input.height, input.width))
        .with_help("height comes first, then width")
}

fn preprocessing(
    section: &Section<'_>,
    input: Option<Shape>,
    problems: &mut Problems,
) -> Option<Preprocessing<InputFile>> {
    let channels = input.map(|shape| shape.channels);
    let scale = section.number("scale", FINITE_NON_ZERO, is_finite_non_zero, problems).unwrap_or(1.0) as f32;
    let mean_expected = format!("{FINITE}, a list of one per channel, or {MEAN_IMAGE}");
    let mean = match section.find("mean").map(|entry| &entry.node) {
        Some(Node { value: Value::Text(typed), .. }) if is_mean_image(typed) => {
            file(section, "mean", problems).map(Mean::Image)
        }
        _ => {
            let expected = [FINITE, &mean_expected];
            per_channel(section, "mean", expected, is_finite, channels, problems).map(Mean::Numbers)
        }
    };
    let std_expected = [FINITE_NON_ZERO, &format!("{FINITE_NON_ZERO}, {PER_CHANNEL}")];
    let std = per_channel(section, "std", std_expected, is_finite_non_zero, channels, problems);
    let defaults = Preprocessing::default();
    let mean = if section.find("mean").is_none() { Some(defaults.mean) } else { mean };
    let std = if section.find("std").is_none() { Some(defaults.std) } else { std };
    Some(Preprocessing { scale, mean: mean?, std: std? })
}

fn is_mean_image(typed: &str) -> bool {
    let (_, extension) = typed.rsplit_once('.').unwrap_or_default();
    MEAN_EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// Whether the binary32 number that will be used is finite.
fn is_finite(value: f64) -> bool {
    (value as f32).is_finite()
}

/// Whether the binary32 number that will be used is finite and not 0.
fn is_finite_non_zero(value: f64) -> bool {
    is_finite(value) && value as f32 != 0.0
}

/// One number, or a list of one number per channel; `expected` says what one number and what the whole value may be.
fn per_channel(
    section: &Section<'_>,
    key: &str,
    [expected, expected_whole]: [&str; 2],
    is_valid: fn(f64) -> bool,
    channels: Option<usize>,
    problems: &mut Problems,
) -> Option<Vec<f32>> {
    let node = &section.find(key)?.node;
    let name = section.key(key);
    let Value::List(items) = &node.value else {
        return number(&name, node, expected_whole, is_valid, problems).map(|value| vec![value as f32]);
    };
    if items.is_empty() {
        problems.push(unexpected(&name, node, expected_whole));
        return None;
    }
    if let Some(channels) = channels
        && ![1, channels].contains(&items.len())
    {
        let message = format!(
            "`{name}` lists {} numbers, but the network's input has {}",
            items.len(),
            if channels == 1 { "1 channel".into() } else { format!("{channels} channels") }
        );
        problems.push(
            Problem::new(&node.location, message, format!("{} numbers", items.len()))
                .with_help("give one number, or one per channel"),
        );
    }
    let values = items.iter().map(|item| number(&name, item, expected, is_valid, problems));
    // Every item is looked at, so that each wrong one is noted.
    values.collect::<Vec<_>>().into_iter().map(|value| value.map(|value| value as f32)).collect()
}

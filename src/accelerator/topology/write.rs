//! Operations written as a topology.

use crate::accelerator::operation::{Kind, Operation};
use std::collections::HashSet;
use std::fmt::{self, Write};

/// Most rows that one grouped layer may come to.
const MOST_GROUPS: u64 = 1 << 16;

/// A topology, and what it does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The file.
    pub text: String,
    /// What was left out or changed, in the order of the layers.
    pub notes: Vec<Note>,
}

/// Where a topology differs from the operations that it was written from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The layer has no row.
    LeftOut {
        /// Its name.
        layer: String,
        /// Why.
        why: Omission,
    },
    /// The row has another name: SCALE-Sim splits at commas, expands `DP`, and layers need names of their own.
    Renamed {
        /// The layer.
        layer: String,
        /// Its row.
        row: String,
    },
    /// The input has the extent that its windows reach: rows and columns beyond, for which SCALE-Sim would count another
    /// output, are cut off.
    Cut {
        /// The layer.
        layer: String,
        /// Padded height and width.
        padded: [u64; 2],
        /// Height and width in the file.
        written: [u64; 2],
    },
}

/// Why a layer cannot be a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omission {
    /// Only convolutions and fully connected layers can.
    Kind(Kind),
    /// Distance between the elements of its filter.
    Dilation([u64; 2]),
    /// Its strides differ.
    Strides([u64; 2]),
    /// Its groups do not divide its channels, or there are more than 65,536.
    Groups(u64),
    /// An extent is 0, or a number of words or multiply-accumulates beyond 2^64 - 1.
    Extent,
}

impl fmt::Display for Omission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => {
                let kind = match kind {
                    Kind::Convolution => "convolution",
                    Kind::FullyConnected => "fully connected",
                    Kind::Pooling => "pooling",
                    Kind::Normalisation => "normalisation",
                    Kind::Elementwise => "element-wise",
                };
                write!(f, "a topology has no {kind} layers")
            }
            Self::Dilation([y, x]) => write!(f, "a topology has no dilation, it has {y} x {x}"),
            Self::Strides([y, x]) => write!(f, "a topology has one stride per layer, it has {y} and {x}"),
            Self::Groups(groups) => {
                write!(f, "its {groups} groups do not divide its channels or are more than {MOST_GROUPS}")
            }
            Self::Extent => f.write_str("an extent is 0 or a count beyond 2^64 - 1"),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut { layer, why } => write!(f, "layer `{layer}` is left out: {why}"),
            Self::Renamed { layer, row } => write!(f, "layer `{layer}` is written as `{row}`"),
            Self::Cut { layer, padded: [h, w], written: [height, width] } => write!(
                f,
                "layer `{layer}`: its padded input of {h} x {w} is written as {height} x {width}, which is what its windows reach"
            ),
        }
    }
}

/// `operations` as a convolution topology, one image, every input padded already.
pub fn convolutions(operations: &[Operation]) -> Export {
    let mut file = File::new(
        "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n",
    );
    for operation in operations {
        match convolution(operation) {
            Ok((columns, cut)) => {
                file.notes.extend(cut);
                file.rows(operation, &columns);
            }
            Err(why) => file.leave_out(operation, why),
        }
    }
    file.finish()
}

/// `operations` as a product topology, over a batch of `batch` images. Dilation and strides are of no matter here.
pub fn products(operations: &[Operation], batch: u64) -> Export {
    let mut file = File::new("Layer, M, N, K,\n");
    for operation in operations {
        match product(operation, batch) {
            Ok(columns) => file.rows(operation, &columns),
            Err(why) => file.leave_out(operation, why),
        }
    }
    file.finish()
}

/// Channels and filters of one group.
fn of_group(operation: &Operation) -> Result<[u64; 2], Omission> {
    let groups = operation.groups;
    let channels = [operation.input.channels, operation.output.channels];
    if !matches!(operation.kind, Kind::Convolution | Kind::FullyConnected) {
        return Err(Omission::Kind(operation.kind));
    }
    if channels.contains(&0) {
        return Err(Omission::Extent);
    }
    if !(1..=MOST_GROUPS).contains(&groups) || channels.iter().any(|channels| channels % groups != 0) {
        return Err(Omission::Groups(groups));
    }
    Ok(channels.map(|channels| channels / groups))
}

/// The columns after the name.
fn convolution(operation: &Operation) -> Result<([u64; 7], Option<Note>), Omission> {
    let [channels, filters] = of_group(operation)?;
    let window = &operation.window;
    if (0..2).any(|axis| window.dilation[axis] != 1 && window.kernel[axis] != 1) {
        return Err(Omission::Dilation(window.dilation));
    }
    let [stride, horizontal] = window.stride;
    if stride != horizontal {
        return Err(Omission::Strides(window.stride));
    }
    let inputs = [operation.input.height, operation.input.width];
    let outputs = [operation.output.height, operation.output.width];
    let mut padded = [0; 2];
    let mut written = [0; 2];
    for axis in 0..2 {
        let (pad, pad_end, kernel) = (window.pad[axis], window.pad_end[axis], window.kernel[axis]);
        let extents = || {
            let padded = inputs[axis].checked_add(pad)?.checked_add(pad_end)?;
            Some((padded, outputs[axis].checked_sub(1)?.checked_mul(stride)?.checked_add(kernel)?))
        };
        let (all, reached) = extents().ok_or(Omission::Extent)?;
        // The last window of SCALE-Sim may hang over the edge: what it hangs over is no part of the input.
        let hangs = pad == 0 && all == reached && pad_end < stride && inputs[axis] >= kernel;
        padded[axis] = if hangs { inputs[axis] } else { all };
        written[axis] = if hangs { inputs[axis] } else { reached };
    }
    let [kernel_height, kernel_width] = window.kernel;
    let columns = [written[0], written[1], kernel_height, kernel_width, channels, filters, stride];
    let words = product_of(&[written[0], written[1], channels]);
    let macs = product_of(&[outputs[0], outputs[1], kernel_height, kernel_width, channels, filters]);
    if stride == 0 || words.and(macs).is_none() {
        return Err(Omission::Extent);
    }
    let layer = operation.name.clone();
    Ok((columns, (padded != written).then_some(Note::Cut { layer, padded, written })))
}

/// The product of numbers that are all at least 1; `None` if one is not, or beyond 2^64 - 1.
fn product_of(numbers: &[u64]) -> Option<u64> {
    numbers
        .iter()
        .try_fold(1_u64, |product, number| product.checked_mul(*number))
        .filter(|product| *product > 0)
}

/// M, N and K.
fn product(operation: &Operation, batch: u64) -> Result<[u64; 3], Omission> {
    let [channels, filters] = of_group(operation)?;
    let [height, width] = operation.window.kernel;
    let pixels = product_of(&[operation.output.height, operation.output.width, batch]);
    let window = product_of(&[channels, height, width]);
    let (pixels, window) = pixels.zip(window).ok_or(Omission::Extent)?;
    product_of(&[pixels, filters, window]).ok_or(Omission::Extent)?;
    Ok([pixels, filters, window])
}

/// A topology being written.
struct File {
    text: String,
    names: HashSet<String>,
    notes: Vec<Note>,
}

impl File {
    fn new(header: &str) -> Self {
        Self { text: header.to_owned(), names: HashSet::new(), notes: Vec::new() }
    }

    fn leave_out(&mut self, operation: &Operation, why: Omission) {
        self.notes.push(Note::LeftOut { layer: operation.name.clone(), why });
    }

    /// One row per group. What is fused into the layer has none.
    fn rows(&mut self, operation: &Operation, columns: &[u64]) {
        for group in 1..=operation.groups {
            let wanted = match operation.groups {
                1 => operation.name.clone(),
                _ => format!("{}_g{group}", operation.name),
            };
            let name = self.free_name(&wanted);
            self.text.push_str(&name);
            for column in columns {
                write!(self.text, ", {column}").expect("a string takes any text");
            }
            self.text.push_str(",\n");
            if name != wanted {
                self.notes.push(Note::Renamed { layer: wanted, row: name });
            }
        }
        self.notes.extend(operation.followers.iter().map(|follower| Note::LeftOut {
            layer: follower.name.clone(),
            why: Omission::Kind(follower.kind),
        }));
    }

    /// `wanted`, or the name nearest to it that SCALE-Sim reads as one layer and no row has yet.
    fn free_name(&mut self, wanted: &str) -> String {
        let plain = wanted.replace(|c: char| c == ',' || c == '"' || c.is_control(), "_").replace("DP", "Dp");
        let plain = match plain.trim().trim_start_matches('\u{feff}') {
            "" => "layer",
            name => name,
        };
        let numbered = (2_u64..).map(|number| format!("{plain}_{number}"));
        let mut names = std::iter::once(plain.to_owned()).chain(numbered);
        let name = names.find(|name| !self.names.contains(name)).expect("fewer rows than numbers");
        self.names.insert(name.clone());
        name
    }

    fn finish(self) -> Export {
        Export { text: self.text, notes: self.notes }
    }
}

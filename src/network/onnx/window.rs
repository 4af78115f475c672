//! Kernel, stride, padding and dilation of convolutions and pooling, and the output extents that follow.

use super::error::{Problem, extents};
use super::node::{Node, bounded};
use super::tensor::MAX_ELEMENTS;
use crate::network::{Shape, Window};

/// How the padding is chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Padding {
    /// As the attribute `pads` says.
    Explicit,
    /// None.
    Valid,
    /// So that there is one output per stride; of an odd number the larger half lies at the end.
    SameUpper,
    /// The same with the larger half at the beginning.
    SameLower,
}

/// The attribute `kernel_shape`, if it is there.
pub fn kernel(node: &Node<'_>) -> Result<Option<[usize; 2]>, Problem> {
    node.list("kernel_shape")?.map(|_| node.pair("kernel_shape", 1, 1)).transpose()
}

/// The window of `node` with `kernel` over `input`, and the rows and columns of the output. With `ceil` a last window that
/// reaches beyond the padding counts, unless it starts there.
pub fn of(
    node: &Node<'_>,
    kernel: [usize; 2],
    input: Shape,
    ceil: bool,
) -> Result<(Window, [usize; 2]), Problem> {
    let stride = node.pair("strides", 1, 1)?;
    let dilation = node.pair("dilations", 1, 1)?;
    let padding = padding(node)?;
    let explicit = explicit_pads(node)?;
    if padding != Padding::Explicit && explicit != [[0; 2]; 2] {
        return Err(Problem::unsupported("found both auto_pad and pads, expected one of them"));
    }
    let mut window = Window { kernel, stride, pad: explicit[0], pad_end: explicit[1], dilation };
    for axis in 0..2 {
        if reach(&window, axis) > MAX_ELEMENTS {
            let (kernel, dilation) = (window.kernel[axis], window.dilation[axis]);
            let found = format!("{dilation} for a kernel of {kernel}");
            return Err(Problem::value("dilations", found, format!("a reach of at most {MAX_ELEMENTS}")));
        }
    }
    let mut output = [0; 2];
    for (axis, extent) in [input.height, input.width].into_iter().enumerate() {
        output[axis] = match padding {
            Padding::Explicit | Padding::Valid => {
                let count =
                    steps(&window, axis, extent, ceil).ok_or_else(|| too_small(&window, axis, input))?;
                // The specification rounds down, onnxruntime and ONNX's own inference of shapes round up.
                if padding == Padding::Valid && steps(&window, axis, extent, false) != Some(count) {
                    return Err(ambiguous("VALID with ceil_mode = 1 and a last window that is cut off"));
                }
                count
            }
            Padding::SameUpper | Padding::SameLower => {
                let (pads, count) = same(&window, axis, extent, padding).ok_or_else(|| {
                    ambiguous("SAME with strides that leave out two elements or more at the end")
                })?;
                [window.pad[axis], window.pad_end[axis]] = pads;
                count
            }
        };
    }
    Ok((window, output))
}

fn padding(node: &Node<'_>) -> Result<Padding, Problem> {
    match node.text("auto_pad")?.unwrap_or_default() {
        "" | "NOTSET" => Ok(Padding::Explicit),
        "VALID" => Ok(Padding::Valid),
        "SAME_UPPER" => Ok(Padding::SameUpper),
        "SAME_LOWER" => Ok(Padding::SameLower),
        other => Err(Problem::value("auto_pad", other, "NOTSET, VALID, SAME_UPPER or SAME_LOWER")),
    }
}

/// The attribute `pads`: rows above and columns to the left, rows below and columns to the right.
fn explicit_pads(node: &Node<'_>) -> Result<[[usize; 2]; 2], Problem> {
    match node.list("pads")? {
        None | Some([]) => Ok([[0; 2]; 2]),
        Some(&[top, left, bottom, right]) => {
            let pad = |value| bounded("pads", value, 0);
            Ok([[pad(top)?, pad(left)?], [pad(bottom)?, pad(right)?]])
        }
        Some(other) => {
            let expected = "four integers: top, left, bottom, right";
            Err(Problem::value("pads", extents(other), expected))
        }
    }
}

/// Elements that the kernel reaches over on `axis`.
fn reach(window: &Window, axis: usize) -> u64 {
    (window.kernel[axis] as u64 - 1) * window.dilation[axis] as u64 + 1
}

/// Number of outputs along `axis` over `extent` elements; `None` if the kernel is larger than they are with the padding.
fn steps(window: &Window, axis: usize, extent: usize, ceil: bool) -> Option<usize> {
    let (stride, before) = (window.stride[axis] as u64, window.pad[axis] as u64 + extent as u64);
    let room = (before + window.pad_end[axis] as u64).checked_sub(reach(window, axis))?;
    let whole = room / stride + 1;
    // One more that is cut off at the end, if it starts inside.
    let cut = ceil && !room.is_multiple_of(stride) && whole * stride < before;
    Some((whole + u64::from(cut)) as usize)
}

/// Padding and number of outputs along `axis` over `extent` elements, one output per stride. `None` if the windows leave out
/// two elements or more: the specification pads nothing then, onnxruntime moves the windows to the middle.
fn same(window: &Window, axis: usize, extent: usize, padding: Padding) -> Option<([usize; 2], usize)> {
    let count = extent.div_ceil(window.stride[axis]);
    let covered = (count as u64 - 1) * window.stride[axis] as u64 + reach(window, axis);
    if covered + 2 <= extent as u64 {
        return None;
    }
    let total = covered.saturating_sub(extent as u64) as usize;
    let (less, more) = (total / 2, total.div_ceil(2));
    Some((if padding == Padding::SameUpper { [less, more] } else { [more, less] }, count))
}

/// What implementations compute differently is refused: whichever way is taken, some users would get other figures than
/// from the runtime that they know.
fn ambiguous(found: &str) -> Problem {
    Problem::value("auto_pad", found, "pads in its place: implementations do not agree on this")
}

fn too_small(window: &Window, axis: usize, input: Shape) -> Problem {
    let padded = [window.pad, window.pad_end].iter().map(|pad| pad[axis]).sum::<usize>();
    let (kernel, dilation) = (window.kernel[axis], window.dilation[axis]);
    let expected = format!(
        "at least the kernel's extent on that axis ({kernel} at dilation {dilation}) with {padded} of padding"
    );
    let found = format!("{} {}", [input.height, input.width][axis], ["rows", "columns"][axis]);
    Problem::value("input", found, expected)
}

/// Refuses windows of pooling that hold nothing, because the padding is as large as the kernel, and those whose padding
/// follows from a dilated kernel, which onnxruntime takes without its gaps.
pub fn check_pooling(node: &Node<'_>, window: &Window) -> Result<(), Problem> {
    let automatic = matches!(padding(node)?, Padding::SameUpper | Padding::SameLower);
    for axis in 0..2 {
        if automatic && window.kernel[axis] > 1 && window.dilation[axis] > 1 {
            return Err(ambiguous("SAME with dilations"));
        }
        let largest = window.pad[axis].max(window.pad_end[axis]) as u64;
        if largest >= reach(window, axis) {
            let expected = format!("less than the kernel's extent, {}", reach(window, axis));
            return Err(Problem::value("pads", largest, expected));
        }
    }
    Ok(())
}

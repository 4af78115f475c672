//! Kernel, stride, padding and dilation of convolutions and pooling, and the output extents that follow.

use super::fault::{Fault, Section};
use super::schema::{ConvolutionParameter, PoolingParameter, pooling_parameter::RoundMode};
use crate::network::{Shape, Window};

/// A pair `[vertical, horizontal]` as Caffe spells it: either `name` (none, one value or two) or `name_h` and `name_w`.
struct Pair<'a> {
    names: [&'static str; 3],
    repeated: &'a [u32],
    vertical: Option<u32>,
    horizontal: Option<u32>,
    default: Option<u32>,
}

impl Pair<'_> {
    fn read(&self, section: &Section, least: u32) -> Result<[usize; 2], Fault> {
        let [name, name_h, name_w] = self.names;
        let pair = match (self.repeated, self.vertical, self.horizontal) {
            (&[both], None, None) => [both, both],
            (&[vertical, horizontal], None, None) | ([], Some(vertical), Some(horizontal)) => {
                [vertical, horizontal]
            }
            ([], None, None) => {
                let value = self
                    .default
                    .ok_or_else(|| section.missing(name, format!("{name}, or {name_h} and {name_w}")))?;
                [value, value]
            }
            ([], vertical, horizontal) => {
                let (present, absent) = if vertical.is_some() { (name_h, name_w) } else { (name_w, name_h) };
                // Caffe reads the other one as 0, which only padding can be.
                if least > 0 {
                    return Err(section.conflict(present, format!("{present} is set but {absent} is not")));
                }
                [vertical.unwrap_or(0), horizontal.unwrap_or(0)]
            }
            (more, None, None) => {
                return Err(section.conflict_at(
                    (name, 2),
                    format!(
                        "found {} values of {name}, expected one, or two for rows and columns",
                        more.len()
                    ),
                ));
            }
            _ => {
                return Err(section.conflict(
                    name,
                    format!("{name} is set together with {name_h} or {name_w}, expected one or the other"),
                ));
            }
        };
        if let Some(&low) = pair.iter().find(|&&value| value < least) {
            let field = if !self.repeated.is_empty() || self.vertical.is_none() {
                name
            } else if pair[0] < least {
                name_h
            } else {
                name_w
            };
            return Err(section.value(field, low, format!("at least {least}")));
        }
        Ok(pair.map(|value| value as usize))
    }
}

/// The window of a convolution.
pub fn of_convolution(parameter: &ConvolutionParameter, section: &Section) -> Result<Window, Fault> {
    let kernel = Pair {
        names: ["kernel_size", "kernel_h", "kernel_w"],
        repeated: &parameter.kernel_size,
        vertical: parameter.kernel_h,
        horizontal: parameter.kernel_w,
        default: None,
    };
    let stride = Pair {
        names: ["stride", "stride_h", "stride_w"],
        repeated: &parameter.stride,
        vertical: parameter.stride_h,
        horizontal: parameter.stride_w,
        default: Some(1),
    };
    let pad = Pair {
        names: ["pad", "pad_h", "pad_w"],
        repeated: &parameter.pad,
        vertical: parameter.pad_h,
        horizontal: parameter.pad_w,
        default: Some(0),
    };
    let dilation = Pair {
        names: ["dilation", "dilation", "dilation"],
        repeated: &parameter.dilation,
        vertical: None,
        horizontal: None,
        default: Some(1),
    };
    let pad = pad.read(section, 0)?;
    Ok(Window {
        kernel: kernel.read(section, 1)?,
        stride: stride.read(section, 1)?,
        pad,
        pad_end: pad,
        dilation: dilation.read(section, 1)?,
    })
}

/// The window of a pooling layer over `input`.
pub fn of_pooling(parameter: &PoolingParameter, section: &Section, input: Shape) -> Result<Window, Fault> {
    let single = |value: &Option<u32>| value.iter().copied().collect::<Vec<_>>();
    let stride = Pair {
        names: ["stride", "stride_h", "stride_w"],
        repeated: &single(&parameter.stride),
        vertical: parameter.stride_h,
        horizontal: parameter.stride_w,
        default: Some(1),
    };
    let pad = Pair {
        names: ["pad", "pad_h", "pad_w"],
        repeated: &single(&parameter.pad),
        vertical: parameter.pad_h,
        horizontal: parameter.pad_w,
        default: Some(0),
    };
    let (stride, pad) = (stride.read(section, 1)?, pad.read(section, 0)?);
    let kernel_size = single(&parameter.kernel_size);
    let kernel = Pair {
        names: ["kernel_size", "kernel_h", "kernel_w"],
        repeated: &kernel_size,
        vertical: parameter.kernel_h,
        horizontal: parameter.kernel_w,
        default: None,
    };
    let kernel = if parameter.global_pooling() {
        if !kernel_size.is_empty() || parameter.kernel_h.is_some() || parameter.kernel_w.is_some() {
            return Err(
                section.conflict("global_pooling", "global_pooling is set together with a kernel size")
            );
        }
        if stride != [1, 1] || pad != [0, 0] {
            return Err(section.conflict(
                "global_pooling",
                "global_pooling is set together with a stride other than 1 or a padding other than 0",
            ));
        }
        [input.height, input.width]
    } else {
        kernel.read(section, 1)?
    };
    for axis in 0..2 {
        if pad[axis] >= kernel[axis] {
            let (pad, kernel) = (pad[axis], kernel[axis]);
            return Err(section
                .conflict("pad", format!("found pad = {pad}, expected less than the kernel's {kernel}")));
        }
    }
    Ok(Window { kernel, stride, pad, pad_end: pad, dilation: [1, 1] })
}

/// How many steps the window makes along each axis: the largest extent that is whole (rounded down).
fn steps(window: &Window, input: Shape, section: &Section) -> Result<[Step; 2], Fault> {
    let axis = |axis: usize, extent: usize, name: &'static str| {
        let padded = extent as u64 + window.pad[axis] as u64 + window.pad_end[axis] as u64;
        let reach = (window.kernel[axis] as u64 - 1).checked_mul(window.dilation[axis] as u64);
        match reach.and_then(|reach| padded.checked_sub(reach.checked_add(1)?)) {
            Some(room) => Ok(Step { room, stride: window.stride[axis] as u64 }),
            None => Err(section.extent(
                "kernel_size",
                input,
                format!(
                    "which with padding makes {padded} {name}, expected at least the kernel's extent ({} at dilation {})",
                    window.kernel[axis], window.dilation[axis]
                ),
            )),
        }
    };
    Ok([axis(0, input.height, "rows")?, axis(1, input.width, "columns")?])
}

/// Room that is left for the window to move in, and its step.
struct Step {
    room: u64,
    stride: u64,
}

/// Rows and columns of a convolution's output: only whole windows count.
pub fn convolved(window: &Window, input: Shape, section: &Section) -> Result<[usize; 2], Fault> {
    Ok(steps(window, input, section)?.map(|step| (step.room / step.stride + 1) as usize))
}

/// Rows and columns of a pooling layer's output. Caffe rounds up, but with any padding leaves out a last window that
/// would start behind the image's end. Without padding it keeps that window, which holds nothing: refused.
pub fn pooled(
    window: &Window,
    input: Shape,
    rounding: RoundMode,
    section: &Section,
) -> Result<[usize; 2], Fault> {
    let [rows, columns] = steps(window, input, section)?;
    let padded = window.pad != [0, 0];
    let count = |step: &Step, extent: usize, pad: usize| {
        let extent = extent as u64;
        let count = match rounding {
            RoundMode::Ceil => step.room.div_ceil(step.stride) + 1,
            RoundMode::Floor => step.room / step.stride + 1,
        };
        let behind = (count - 1) * step.stride >= extent + pad as u64;
        match (behind, padded) {
            (false, _) => Ok(count as usize),
            (true, true) => Ok(count as usize - 1),
            (true, false) => Err(section.extent(
                "stride",
                input,
                format!("which a stride of {} leaves before the last window, rounded up", step.stride),
            )),
        }
    };
    Ok([count(&rows, input.height, window.pad[0])?, count(&columns, input.width, window.pad[1])?])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Caffe's own arithmetic (`pooling_layer.cpp`), in floating point.
    fn caffe_pooled(extent: usize, kernel: usize, stride: usize, pad: usize) -> usize {
        let mut pooled = ((extent + 2 * pad - kernel) as f64 / stride as f64).ceil() as usize + 1;
        if pad > 0 && (pooled - 1) * stride >= extent + pad {
            pooled -= 1;
        }
        pooled
    }

    #[test]
    fn pooling_extents_are_caffes() {
        let section = Section::network();
        let mut clipped = 0;
        for extent in 1..20 {
            for kernel in 1..=6 {
                for stride in 1..=6 {
                    for pad in 0..kernel {
                        if extent + 2 * pad < kernel {
                            continue;
                        }
                        let window = Window {
                            kernel: [kernel; 2],
                            stride: [stride; 2],
                            pad: [pad; 2],
                            pad_end: [pad; 2],
                            dilation: [1; 2],
                        };
                        let input = Shape::new(1, extent, extent);
                        let expected = caffe_pooled(extent, kernel, stride, pad);
                        let found = pooled(&window, input, RoundMode::Ceil, &section);
                        if pad == 0 && (expected - 1) * stride >= extent {
                            assert!(found.is_err(), "{window:?} over {extent} has an empty window");
                            continue;
                        }
                        assert_eq!(found, Ok([expected; 2]), "{window:?} over {extent}");
                        let whole = (extent + 2 * pad - kernel) / stride + 1;
                        clipped += usize::from(whole != expected);
                    }
                }
            }
        }
        assert!(clipped > 100, "the two rounding rules were told apart {clipped} times only");
    }

    #[test]
    fn a_dilated_kernel_counts_with_its_gaps() {
        let window =
            Window { kernel: [3, 3], stride: [1, 2], pad: [2, 2], pad_end: [2, 2], dilation: [2, 3] };
        // Rows: 8 + 4 - 5 + 1; columns: (9 + 4 - 7) / 2 + 1.
        assert_eq!(convolved(&window, Shape::new(1, 8, 9), &Section::network()), Ok([8, 4]));
    }
}

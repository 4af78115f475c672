//! Padding and output extents of convolutions and pooling.

use super::*;
use crate::network::{LayerKind, Window};

fn window(network: &Network) -> Window {
    match &network.layers[0].kind {
        LayerKind::Pooling(pooling) => pooling.window,
        LayerKind::Convolution(convolution) => convolution.window,
        other => panic!("{other:?}"),
    }
}

fn pool(extent: i64, attributes: &[AttributeProto]) -> Result<Network, Error> {
    single(13, &[1, 1, extent, extent], ("MaxPool", "x", attributes), &[])
}

/// The number of places where a window of `kernel` elements, `dilation` apart, can start: counted one by one.
fn places(
    extent: i64,
    kernel: i64,
    dilation: i64,
    stride: i64,
    [before, after]: [i64; 2],
    ceil: bool,
) -> usize {
    let reach = (kernel - 1) * dilation;
    // No more windows than elements.
    (0..extent + before + after)
        .map(|index| index * stride)
        // The first element of a cut-off window lies before the padding at the end.
        .take_while(|start| {
            start + reach < extent + before + after
                || (ceil && {
                    let previous = start - stride;
                    previous + reach + 1 < extent + before + after && *start < extent + before
                })
        })
        .count()
}

#[test]
fn pooling_extents_count_the_windows() {
    let mut cut = 0;
    for extent in 1..12 {
        for kernel in 1..=4 {
            for dilation in 1..=2 {
                for stride in 1..=4 {
                    let reach = (kernel - 1) * dilation + 1;
                    for (before, after) in
                        (0..reach).flat_map(|before| (0..reach).map(move |after| (before, after)))
                    {
                        let attributes = |ceil| {
                            [
                                ints("kernel_shape", &[kernel; 2]),
                                ints("strides", &[stride; 2]),
                                ints("dilations", &[dilation; 2]),
                                ints("pads", &[before, before, after, after]),
                                int("ceil_mode", ceil),
                            ]
                        };
                        let found = [0, 1]
                            .map(|ceil| pool(extent, &attributes(ceil)).map(|network| output(&network)));
                        if extent + before + after < reach {
                            assert!(found.iter().all(Result::is_err));
                            continue;
                        }
                        let expected = [false, true]
                            .map(|ceil| places(extent, kernel, dilation, stride, [before, after], ceil));
                        let found = found.map(|shape| shape.unwrap());
                        assert_eq!(
                            found,
                            expected.map(|count| Shape::new(1, count, count)),
                            "{:?}",
                            attributes(1)
                        );
                        cut += usize::from(expected[0] != expected[1]);
                    }
                }
            }
        }
    }
    assert!(cut > 500, "the two rounding rules were told apart {cut} times only");
}

#[test]
fn automatic_padding_gives_one_output_per_stride() {
    let mut uneven = 0;
    for extent in 1..10 {
        for kernel in 1..5 {
            for stride in 1..4 {
                let padded = |auto_pad: &'static str| {
                    let attributes = [
                        ints("kernel_shape", &[kernel; 2]),
                        ints("strides", &[stride; 2]),
                        text("auto_pad", auto_pad),
                    ];
                    pool(extent, &attributes).map(|network| (window(&network), output(&network)))
                };
                let count = usize::try_from((extent + stride - 1) / stride).unwrap();
                let end = (count - 1) * stride as usize + kernel as usize;
                if end + 2 <= extent as usize {
                    assert!(padded("SAME_UPPER").is_err() && padded("SAME_LOWER").is_err());
                    continue;
                }
                let (upper, lower) = (padded("SAME_UPPER").unwrap(), padded("SAME_LOWER").unwrap());
                assert_eq!((upper.1, lower.1), (Shape::new(1, count, count), Shape::new(1, count, count)));
                assert_eq!((upper.0.pad, upper.0.pad_end), (lower.0.pad_end, lower.0.pad));
                let more = upper.0.pad_end[0] - upper.0.pad[0];
                assert!(more <= 1);
                uneven += more;
                // The last window ends with the padding; without padding it may end before.
                let total = upper.0.pad_end[0] + upper.0.pad[0];
                assert!(end == extent as usize + total || (total == 0 && end < extent as usize));
                match padded("VALID") {
                    Ok((window, shape)) => {
                        assert_eq!((window.pad, window.pad_end), ([0; 2], [0; 2]));
                        assert_eq!(shape.height, places(extent, kernel, 1, stride, [0, 0], false));
                    }
                    Err(_) => assert!(kernel > extent),
                }
            }
        }
    }
    assert!(uneven > 20, "{uneven} windows with one side more padded than the other");
}

#[test]
fn automatic_padding_counts_dilated_kernels_whole() {
    let attributes = [ints("dilations", &[2, 3]), text("auto_pad", "SAME_LOWER")];
    let network =
        single(11, &[1, 1, 8, 8], ("Conv", "x w", &attributes), &[counted("w", &[1, 1, 3, 2])]).unwrap();
    assert_eq!(output(&network), Shape::new(1, 8, 8));
    // 5 rows: 4 of padding; 4 columns: 3, the larger part first.
    assert_eq!((window(&network).pad, window(&network).pad_end), ([2, 2], [2, 1]));
}

/// onnxruntime 1.32 and the ONNX project's reference evaluator compute these differently.
#[test]
fn automatic_padding_that_implementations_understand_differently_is_refused() {
    let expected = "expected pads in its place: implementations do not agree on this";
    let two = || ints("kernel_shape", &[2, 2]);
    for attributes in [
        vec![two(), ints("strides", &[2, 2]), text("auto_pad", "VALID"), int("ceil_mode", 1)],
        vec![two(), ints("dilations", &[1, 2]), text("auto_pad", "SAME_UPPER")],
        vec![ints("kernel_shape", &[1, 1]), ints("strides", &[4, 4]), text("auto_pad", "SAME_LOWER")],
    ] {
        // 7 elements: one is left over at stride 2, two at stride 4.
        let refused = refusal(pool(7, &attributes));
        assert!(
            refused.starts_with("node 'l' (MaxPool): found auto_pad = ") && refused.ends_with(expected),
            "{refused}"
        );
    }
    // Nothing is left over, or the kernel has no gaps: all agree.
    let valid = [two(), ints("strides", &[2, 2]), text("auto_pad", "VALID"), int("ceil_mode", 1)];
    assert_eq!(output(&pool(8, &valid).unwrap()), Shape::new(1, 4, 4));
    let gapless = [ints("kernel_shape", &[2, 1]), ints("dilations", &[1, 2]), text("auto_pad", "SAME_UPPER")];
    assert_eq!(output(&pool(7, &gapless).unwrap()), Shape::new(1, 7, 7));
}

#[test]
fn windows_that_cannot_be_are_refused() {
    let kernel = || ints("kernel_shape", &[3, 3]);
    for (attributes, expected) in [
        (vec![], "found no attribute kernel_shape"),
        (vec![ints("kernel_shape", &[3])], "found kernel_shape = 3, expected two integers"),
        (vec![ints("kernel_shape", &[0, 3])], "found kernel_shape = 0, expected 1 to 2^31"),
        (vec![ints("kernel_shape", &[i64::MAX, 1])], "found kernel_shape = 9223372036854775807"),
        (
            vec![ints("kernel_shape", &[1 << 31, 1])],
            "found input = 5 rows, expected at least the kernel's extent",
        ),
        (vec![ints("kernel_shape", &[6, 1])], "found input = 5 rows, expected at least the kernel's extent"),
        (vec![kernel(), ints("strides", &[1, 0])], "found strides = 0"),
        (vec![kernel(), ints("dilations", &[1 << 31, 1])], "found dilations = 2147483648 for a kernel of 3"),
        (vec![kernel(), ints("pads", &[0, 0, -1, 0])], "found pads = -1"),
        (vec![kernel(), ints("pads", &[0, 0])], "found pads = 0x0, expected four integers"),
        (
            vec![kernel(), ints("pads", &[0, 3, 0, 0])],
            "found pads = 3, expected less than the kernel's extent, 3",
        ),
        (vec![kernel(), text("auto_pad", "SAME")], "found auto_pad = SAME, expected NOTSET, VALID"),
        (vec![kernel(), text("auto_pad", "VALID"), ints("pads", &[1; 4])], "found both auto_pad and pads"),
        (vec![kernel(), int("ceil_mode", 2)], "found ceil_mode = 2, expected 0 or 1"),
        (vec![float("kernel_shape", 3.0)], "found attribute kernel_shape of type = FLOAT, expected INTS"),
    ] {
        let refused = refusal(pool(5, &attributes));
        assert!(refused.starts_with(&format!("node 'l' (MaxPool): {expected}")), "{refused}");
    }
}

//! Bilinear resizing as OpenCV does it (`INTER_LINEAR` on 8-bit pictures), which is what Caffe's tools call: half-pixel
//! centres, no low-pass filter in front of a reduction, weights in 11-bit fixed point.
//!
//! Source of the arithmetic: OpenCV, `modules/imgproc/src/resize.cpp`, `resizeGeneric_` with `HResizeLinear` and
//! `VResizeLinear<uchar, int, short>`.

/// Weights are multiples of 1/2048.
const UNIT: f32 = 2048.0;

/// Where one output row or column is taken from: two neighbours and their weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tap {
    places: [usize; 2],
    weights: [i32; 2],
}

/// One tap for each of `to` output places over `from` input places.
fn taps(from: usize, to: usize) -> impl Iterator<Item = Tap> {
    let ratio = 1.0 / (to as f64 / from as f64);
    (0..to).map(move |index| {
        let centre = ((index as f64 + 0.5) * ratio - 0.5) as f32;
        let first = centre.floor();
        let share = centre - first;
        let weight = |share: f32| (share * UNIT).round_ties_even() as i32;
        let last = from as i64 - 1;
        let place = |at: i64| at.clamp(0, last) as usize;
        let first = first as i64;
        Tap { places: [place(first), place(first + 1)], weights: [weight(1.0 - share), weight(share)] }
    })
}

/// The picture `pixels` of height and width `from`, with `channels` values per pixel, at height and width `to`.
pub(super) fn resize(pixels: &[u8], channels: usize, from: [usize; 2], to: [usize; 2]) -> Vec<u8> {
    let columns: Vec<_> = taps(from[1], to[1]).collect();
    let mut resized = vec![0; to[0] * to[1] * channels];
    // Rows of weighted sums, by input row; consecutive output rows share theirs.
    let mut rows = [(usize::MAX, vec![0; to[1] * channels]), (usize::MAX, vec![0; to[1] * channels])];
    for (tap, output) in taps(from[0], to[0]).zip(resized.chunks_exact_mut(to[1] * channels)) {
        if rows[1].0 == tap.places[0] {
            rows.swap(0, 1);
        }
        for (row, place) in rows.iter_mut().zip(tap.places) {
            if row.0 != place {
                row.0 = place;
                let input = &pixels[place * from[1] * channels..][..from[1] * channels];
                weigh_columns(input, channels, &columns, &mut row.1);
            }
        }
        for ((value, upper), lower) in output.iter_mut().zip(&rows[0].1).zip(&rows[1].1) {
            let part = |weight: i32, sum: &i32| (weight * (sum >> 4)) >> 16;
            let sum = part(tap.weights[0], upper) + part(tap.weights[1], lower);
            *value = ((sum + 2) >> 2).clamp(0, 255) as u8;
        }
    }
    resized
}

fn weigh_columns(input: &[u8], channels: usize, columns: &[Tap], sums: &mut [i32]) {
    for (tap, sums) in columns.iter().zip(sums.chunks_exact_mut(channels)) {
        let [left, right] = tap.places.map(|place| &input[place * channels..][..channels]);
        for ((sum, &left), &right) in sums.iter_mut().zip(left).zip(right) {
            *sum = i32::from(left) * tap.weights[0] + i32::from(right) * tap.weights[1];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The top bytes of the linear congruential generator of Numerical Recipes, from 1.
    fn noise(length: usize) -> Vec<u8> {
        let next = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*state >> 24) as u8)
        };
        std::iter::repeat(()).scan(1u32, |state, ()| next(state)).take(length).collect()
    }

    fn fnv1a(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    /// Expected: OpenCV 4.14.0, `cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)`.
    #[test]
    fn small_pictures_are_those_of_opencv() {
        let picture = noise(12);
        assert_eq!(picture, [60, 94, 129, 180, 12, 94, 198, 142, 4, 163, 64, 108]);
        assert_eq!(resize(&picture, 1, [3, 4], [2, 3]), [55, 120, 166, 29, 122, 113]);
        assert_eq!(
            resize(&picture, 1, [3, 4], [4, 5]),
            [60, 84, 111, 144, 180, 30, 75, 133, 167, 156, 9, 86, 134, 142, 129, 4, 115, 113, 77, 108]
        );
    }

    /// Expected: FNV-1a of the bytes that OpenCV 4.14.0 gives.
    #[test]
    fn pictures_of_many_sizes_are_those_of_opencv_bit_by_bit() {
        for (from, to, channels, expected) in [
            ([75, 100], [51, 51], 3, 0xc4b7_a034_67ed_42e9),
            ([20, 13], [51, 52], 1, 0xfa48_e53d_a521_edb0),
            ([67, 100], [51, 76], 3, 0x0865_3e86_0031_9a88),
            ([2, 2], [5, 7], 3, 0xc517_f3fc_3cfc_2a27),
            ([1, 1], [4, 4], 3, 0x706c_ec9a_35d2_57d5),
            ([64, 64], [32, 32], 3, 0x4459_5c09_000b_738e),
            ([2, 60], [7, 7], 3, 0xcfe0_3e30_78c4_691e),
            ([27, 27], [24, 24], 3, 0xaa79_17a6_68e4_d3c2),
            ([50, 51], [50, 25], 3, 0x31ce_bc5c_e7f1_2c93),
            ([3, 200], [3, 1], 1, 0x6620_691a_6ea1_889a),
            ([90, 41], [13, 6], 3, 0x778c_969b_e334_4273),
        ] {
            let resized = resize(&noise(from[0] * from[1] * channels), channels, from, to);
            assert_eq!(fnv1a(&resized), expected, "{from:?} to {to:?}");
        }
    }

    proptest! {
        #[test]
        fn resizing_stays_between_the_extremes(
            height in 1usize..20, width in 1usize..20, to_height in 1usize..40, to_width in 1usize..40,
            seed in any::<u64>(),
        ) {
            let pixels: Vec<u8> = (0..height * width)
                .map(|at| (seed.wrapping_mul(at as u64 + 1) >> 32) as u8)
                .collect();
            let resized = resize(&pixels, 1, [height, width], [to_height, to_width]);
            prop_assert_eq!(resized.len(), to_height * to_width);
            let (least, most) = (pixels.iter().min().unwrap(), pixels.iter().max().unwrap());
            // Truncations lose less than one level.
            prop_assert!(resized.iter().all(|value| value >= &least.saturating_sub(1) && value <= most));
            prop_assert_eq!(resize(&pixels, 1, [height, width], [height, width]), pixels);
        }
    }
}

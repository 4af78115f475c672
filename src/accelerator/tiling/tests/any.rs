//! Random small operations, widths and buffers.

use super::*;
use crate::accelerator::operation::{Added, Follower};
use proptest::prelude::*;

/// Windows that slide over 1 to 8 rows and columns.
pub(super) fn any_window() -> impl Strategy<Value = Window> {
    let pair = |most: u64| [1..=most, 1..=most];
    (pair(3), pair(3), [0..=1u64, 0..=1u64], [0..=1u64, 0..=1u64], pair(2)).prop_map(
        |(kernel, stride, pad, pad_end, dilation)| Window { kernel, stride, pad, pad_end, dilation },
    )
}

/// Extent of what a window yields, rounded up if it pools.
fn slide(input: Extent, window: &Window, round_up: bool) -> Option<Extent> {
    let along = |extent: u64, axis: usize| {
        let reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
        let free = (extent + window.pad[axis] + window.pad_end[axis]).checked_sub(reach)?;
        let steps = if round_up { free.div_ceil(window.stride[axis]) } else { free / window.stride[axis] };
        Some(steps + 1)
    };
    Some(Extent { height: along(input.height, 0)?, width: along(input.width, 1)?, ..input })
}

/// Whether every window has a part in the input.
fn touches(input: Extent, output: Extent, window: &Window) -> bool {
    let along = |input: u64, output: u64, axis: usize| {
        let reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
        window.pad[axis] < reach && (output - 1) * window.stride[axis] < input + window.pad[axis]
    };
    along(input.height, output.height, 0) && along(input.width, output.width, 1)
}

prop_compose! {
    pub(super) fn any_operation()(
        kind in prop_oneof![4 => Just(Kind::Convolution), 1 => Just(Kind::Pooling), 1 => Just(Kind::Elementwise), 1 => Just(Kind::Normalisation)],
        (groups, channels, filters) in (1..=2u64, 1..=4u64, 1..=4u64),
        (height, width) in (1..=8u64, 1..=4u64),
        (window, pooling) in (any_window(), proptest::option::of(any_window())),
        (span, has_bias, round_up) in (1..=4u64, any::<bool>(), any::<bool>()),
        (parameters, added) in ([0..=3u64, 0..=3u64], proptest::option::of(any::<bool>())),
    ) -> Option<Operation> {
        let groups = if kind == Kind::Convolution { groups } else { 1 };
        let window = if matches!(kind, Kind::Convolution | Kind::Pooling) { window } else { Window::POINT };
        let input = Extent::new(channels * groups, height, width);
        let filters = if kind == Kind::Convolution { filters * groups } else { channels };
        let output = Extent { channels: filters, ..slide(input, &window, false)? };
        if kind == Kind::Pooling && !touches(input, output, &window) {
            return None;
        }
        let mut followers = Vec::new();
        let mut stored = output;
        if let Some(window) = pooling.filter(|_| kind != Kind::Pooling) {
            stored = slide(output, &window, round_up)?;
            if !touches(output, stored, &window) {
                return None;
            }
            let name = "pool".to_owned();
            followers.push(Follower {
                name, kind: Kind::Pooling, window: Some(window), span: 1, output: stored, parameters: [0, 0],
            });
        }
        let name = "norm".to_owned();
        followers.push(Follower { name, kind: Kind::Normalisation, window: None, span, output: stored, parameters });
        let words = |before: bool| if before { output.words() } else { stored.words() };
        let added = added.map(|before| Added {
            subset: "other".to_owned(), words: words(before).unwrap_or(1), sources: Vec::new(),
        });
        Some(Operation {
            name: "layer".to_owned(), kind, input, output, window, groups,
            has_bias: has_bias && kind == Kind::Convolution, followers, sources: Vec::new(),
            added: added.into_iter().collect(),
        })
    }
}

pub(super) fn any_widths() -> impl Strategy<Value = Widths> {
    [1..=12u32, 1..=12u32, 1..=12u32, 1..=12u32, 1..=12u32].prop_map(|bits| Widths {
        ifmap_bits: bits[0],
        filter_bits: bits[1],
        bias_bits: bits[2],
        ofmap_bits: bits[3],
        partial_sum_bits: bits[4],
    })
}

pub(super) fn any_buffers() -> impl Strategy<Value = Buffers> {
    let capacity = || (3..=12u32, 0..1024u64).prop_map(|(power, rest)| (1 << power) + rest % (1 << power));
    let roles =
        prop_oneof![Just([0, 1, 2]), Just([0, 0, 0]), Just([0, 1, 0]), Just([0, 0, 1]), Just([1, 0, 0])];
    let buffering = prop_oneof![Just(Buffering::Single), Just(Buffering::Double)];
    ([capacity(), capacity(), capacity()], roles, buffering).prop_map(|(capacities, roles, buffering)| {
        Buffers {
            buffers: capacities.map(|capacity_bytes| Buffer { capacity_bytes }).to_vec(),
            ifmap: roles[0],
            filter: roles[1],
            ofmap: roles[2],
            buffering,
        }
    })
}

pub(super) fn any_residents() -> impl Strategy<Value = Residents> {
    let stays = || proptest::bool::weighted(0.2);
    (stays(), stays(), any::<bool>()).prop_map(|(ifmap, ofmap, swapped)| Residents { ifmap, ofmap, swapped })
}

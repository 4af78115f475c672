//! Bursts of runs against counting them granule by granule.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn transfer(layout: Layout, granule_bytes: u64) -> Transfer {
    Transfer {
        layout,
        granule_bytes,
        tag_bits: 0,
        block_words: 64,
        io_pj_per_bit: 0.0,
        pack_pj_per_word: 0.0,
    }
}

/// Granules that the bits of a packed run touch, one by one.
fn touched(first_byte: u64, bits: u64, granule: u64) -> u64 {
    (0..bits).map(|bit| (first_byte * 8 + bit) / (8 * granule)).collect::<BTreeSet<_>>().len() as u64
}

#[test]
fn cf16_bursts() {
    let packed = transfer(Layout::Packed, 64);
    // 1000 words of 12 bits are 1500 bytes: 24 bursts aligned, 25 from byte 60 on.
    assert_eq!(packed.bursts(1000, 32, 12, 0).unwrap(), Traffic { bytes: 1500, bursts: 24 });
    assert_eq!(packed.bursts(1000, 32, 12, 60).unwrap(), Traffic { bytes: 1500, bursts: 25 });
    assert_eq!(packed.bursts(1000, 32, 12, 64 * 7).unwrap().bursts, 24);
    let tagged = Transfer { tag_bits: 5, block_words: 64, ..packed };
    // 16 blocks of 5 bits: 10 bytes.
    assert_eq!(tagged.bursts(1000, 32, 12, 0).unwrap(), Traffic { bytes: 1510, bursts: 24 });
    assert_eq!(packed.bursts(0, 32, 12, 63).unwrap(), Traffic { bytes: 0, bursts: 0 });
    let planes = transfer(Layout::Bitplane, 64);
    let all = planes.bursts(512 * 10, 16, 16, 0).unwrap();
    for bits in 1..=16 {
        let upper = planes.bursts(512 * 10, 16, bits, 0).unwrap();
        assert_eq!(upper.bursts * 16, all.bursts * u64::from(bits), "planes of whole granules");
    }
    // Planes of 8 bytes fill an eighth of their burst each: more bursts than packed words need.
    assert_eq!(planes.bursts(64, 16, 8, 0).unwrap(), Traffic { bytes: 64, bursts: 8 });
}

#[test]
fn cf16_mean_bursts_of_a_run_at_any_bit() {
    for (granule, bits) in [(32, 1), (32, 8), (64, 12), (64, 512), (64, 513), (32, 2000)] {
        let starts = 8 * granule;
        let sum: u64 = (0..starts).map(|first| (first + bits - 1) / (8 * granule) + 1).sum();
        let mean = sum as f64 / starts as f64;
        let expected = transfer(Layout::Packed, granule).mean_bursts(bits);
        assert!((mean - expected).abs() < 1e-12, "{granule} {bits}: {mean} {expected}");
    }
}

#[test]
fn whole_bursts_cross_the_wires_but_dropped_padding_is_quiet() {
    let costs = |layout, bits| {
        let transfer = Transfer { io_pj_per_bit: 2.0, pack_pj_per_word: 0.5, ..transfer(layout, 64) };
        transfer.energy_pj(1024, 32, bits, 0).unwrap()
    };
    assert_eq!(costs(Layout::Padded, 32), 65_536.0);
    assert_eq!(costs(Layout::Padded, 8), 16_384.0);
    assert_eq!(costs(Layout::Packed, 8), 16_384.0 + 512.0);
    assert_eq!(costs(Layout::Packed, 32), 65_536.0);
    assert_eq!(costs(Layout::Bitplane, 32), 65_536.0 + 512.0);
}

#[test]
fn impossible_transfers_are_refused() {
    let packed = transfer(Layout::Packed, 64);
    assert_eq!(packed.bursts(1, 8, 9, 0), Err(Error::Wider { before: 8, on_link: 9 }));
    assert_eq!(packed.bursts(u64::MAX, 32, 32, u64::MAX), Err(Error::TooLarge { words: u64::MAX }));
    assert!(transfer(Layout::Packed, 0).bursts(1, 8, 8, 0).is_err());
    assert!(Transfer { block_words: 0, ..packed }.bursts(1, 8, 8, 0).is_err());
    assert!(Transfer { io_pj_per_bit: f64::NAN, ..packed }.bursts(1, 8, 8, 0).is_err());
    assert!(transfer(Layout::Packed, u64::MAX).bursts(u64::MAX, 1, 1, u64::MAX).is_ok());
    assert!(transfer(Layout::Bitplane, 1).bursts(u64::MAX, 32, 32, 0).is_err());
}

proptest! {
    #[test]
    fn packed_bursts_are_the_granules_touched(
        words in 1u64..200, before in 1u32..=32, less in 0u32..32, offset in 0u64..300, granule in 1u64..70,
    ) {
        let on_link = before.saturating_sub(less).max(1);
        let traffic = transfer(Layout::Packed, granule).bursts(words, before, on_link, offset).unwrap();
        let bits = words * u64::from(on_link);
        prop_assert_eq!(traffic.bytes, bits.div_ceil(8));
        prop_assert_eq!(traffic.bursts, touched(offset % granule, bits, granule));
    }

    #[test]
    fn packing_never_needs_more_bursts_than_padding(
        words in 0u64..10_000, before in 1u32..=32, less in 0u32..32, offset in 0u64..300, tag in 0u32..9,
    ) {
        let on_link = before.saturating_sub(less);
        let bursts = |layout| {
            let transfer = Transfer { tag_bits: tag, ..transfer(layout, 64) };
            transfer.bursts(words, before, on_link, offset).unwrap().bursts
        };
        prop_assert!(bursts(Layout::Packed) <= bursts(Layout::Padded));
        let uncut = Transfer { tag_bits: tag, ..transfer(Layout::Padded, 64) };
        prop_assert_eq!(bursts(Layout::Padded), uncut.bursts(words, before, before, offset).unwrap().bursts);
    }

    #[test]
    fn halving_the_bits_halves_bytes_and_bursts(
        words in 0u64..10_000, half in 1u32..=16, offset in 0u64..300, granule in 1u64..70,
    ) {
        let of = |bits| transfer(Layout::Packed, granule).bursts(words, 32, bits, offset).unwrap();
        prop_assert_eq!(of(half).bytes, of(2 * half).bytes.div_ceil(2));
        prop_assert!(of(half).bursts <= of(2 * half).bursts.div_ceil(2) + 1);
    }
}

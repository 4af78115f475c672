//! Eq. (1) of the paper: the reduction of the data volume, on exact words and on printed shares, and its inverse: the
//! bit-widths that give printed figures.

use super::published::{DOMINANT, PublishedNetwork};

/// Bit-widths of the dominant subsets, largest subset first.
pub type Widths = [u32; DOMINANT];

/// Bits of a word that is not narrowed.
const FULL_BITS: u32 = 32;

/// Widest word that [`consistent`] tries.
pub const WIDEST_TRIED: u32 = 16;

/// Sum of `parts`, each times the bits that `widths` spares of 32.
fn spared(parts: [u64; DOMINANT], widths: Widths) -> u64 {
    parts.iter().zip(widths).map(|(part, bits)| part * u64::from(FULL_BITS.saturating_sub(bits))).sum()
}

/// Eq. (1) on exact volumes: the share of `volume_words` words of 32 bits that is spared when the subsets of `words` have
/// `widths`, 0..=1.
pub fn on_volume(words: [u64; DOMINANT], volume_words: u64, widths: Widths) -> f64 {
    spared(words, widths) as f64 / (volume_words.max(1) * u64::from(FULL_BITS)) as f64
}

/// Eq. (1) on printed shares in hundredths of a percent, 0..=1.
pub fn on_shares(shares_bp: [u64; DOMINANT], widths: Widths) -> f64 {
    spared(shares_bp, widths) as f64 / (10_000 * u64::from(FULL_BITS)) as f64
}

/// Whether `numerator / denominator` rounds to `printed`, either way where it lies in the middle.
fn rounds_to(numerator: u64, denominator: u64, printed: u64) -> bool {
    let (numerator, denominator) = (u128::from(numerator), u128::from(denominator));
    2 * numerator.abs_diff(denominator * u128::from(printed)) <= denominator
}

/// Whether eq. (1) gives both figures of `network` for `widths`: the printed one on the shares of table 2, and the one on
/// exact volumes.
pub fn gives_both(
    network: &PublishedNetwork,
    words: [u64; DOMINANT],
    volume_words: u64,
    widths: Widths,
) -> bool {
    let printed = spared(network.printed_shares_bp(words), widths);
    let full = u64::from(FULL_BITS);
    rounds_to(printed, full, network.reduction_bp)
        && rounds_to(spared(words, widths) * 10_000, volume_words * full, network.exact_reduction_bp)
}

/// All bit-widths in 1..=the widest that is tried for which eq. (1) gives both figures of `network`, the likeliest first: those with the
/// fewest inversions (a larger subset with wider words than a smaller one: narrow words save more where there are more of
/// them), then those of the smallest spread, then in order. Of the schemes consistent with `AlexNet`'s figures the one that
/// the paper prints comes first.
pub fn consistent(network: &PublishedNetwork, words: [u64; DOMINANT], volume_words: u64) -> Vec<Widths> {
    let mut found = Vec::new();
    let mut widths = [1; DOMINANT];
    loop {
        if gives_both(network, words, volume_words, widths) {
            found.push(widths);
        }
        let Some(place) = (0..DOMINANT).rfind(|&place| widths[place] < WIDEST_TRIED) else { break };
        widths[place] += 1;
        widths[place + 1..].fill(1);
    }
    found.sort_by_key(|widths| (inversions(widths), spread(widths), *widths));
    found
}

/// Pairs of subsets of which the larger has the wider words.
fn inversions(widths: &Widths) -> usize {
    let behind = |at: usize| widths[at + 1..].iter().filter(move |&&bits| bits < widths[at]).count();
    (0..DOMINANT).map(behind).sum()
}

fn spread(widths: &Widths) -> u32 {
    let (least, most) = widths.iter().fold((u32::MAX, 0), |(least, most), &b| (least.min(b), most.max(b)));
    most - least
}

#[cfg(test)]
mod tests {
    use super::super::published;
    use super::*;

    const ALEXNET: [u64; DOMINANT] = [37_748_736, 16_777_216, 4_096_000, 884_736, 663_552];
    const ALEXNET_VOLUME: u64 = 61_380_259;

    #[test]
    fn v17_alexnets_printed_widths_come_first_of_those_that_give_its_figures() {
        let network = published::network("alexnet").unwrap();
        let found = consistent(network, ALEXNET, ALEXNET_VOLUME);
        assert_eq!(found[0], [5, 5, 5, 8, 10]);
        assert!(found.len() > 100, "{} schemes: eq. (1) does not determine the widths", found.len());
        for widths in &found {
            let both = [
                on_shares(network.printed_shares_bp(ALEXNET), *widths),
                on_volume(ALEXNET, ALEXNET_VOLUME, *widths),
            ];
            assert!((both[0] - 0.8240).abs() <= 5.000_001e-5, "{widths:?}: {both:?}");
            assert!((both[1] - 0.8241).abs() <= 5.000_001e-5, "{widths:?}: {both:?}");
        }
        let mut once = found.clone();
        once.dedup();
        assert_eq!(once.len(), found.len());
    }

    #[test]
    fn words_that_are_not_narrowed_spare_nothing() {
        assert_eq!(on_volume(ALEXNET, ALEXNET_VOLUME, [32; DOMINANT]), 0.0);
        assert_eq!(on_shares([2_000; DOMINANT], [16; DOMINANT]), 0.5);
    }

    #[test]
    fn inversions_are_counted_by_pairs() {
        assert_eq!([[5, 5, 5, 8, 10], [10, 8, 5, 5, 5], [4, 7, 7, 5, 8]].map(|w| inversions(&w)), [0, 7, 2]);
    }
}

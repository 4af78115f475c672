//! What the paper prints, as far as it is known here: Y. Chen, Y. Zhu, F. Qiao, J. Han, Y. Liu, H. Yang, "Evaluating Data
//! Resilience in CNNs from an Approximate Memory Perspective", GLSVLSI 2017, doi:10.1145/3060403.3060435. Shares are in
//! hundredths of a percent (basis points), as printed.

/// Data subsets of tables 2 to 4: the largest ones.
pub const DOMINANT: usize = 5;

/// Mean reduction of the data volume over the four networks (abstract), in hundredths of a percent.
pub const MEAN_REDUCTION_BP: u64 = 8_038;

/// Mean loss of relative prediction accuracy of the four schemes (abstract), in hundredths of a percent.
pub const MEAN_LOSS_BP: u64 = 269;

/// Bit error rate below which all weights need no protection (abstract).
pub const UNPROTECTED_BER: f64 = 1e-4;

/// Bit error rate at which [`PROTECTED_MSBS`] are told (abstract).
pub const PROTECTED_BER: f64 = 1e-3;

/// Most significant bits that must be protected at [`PROTECTED_BER`] (abstract).
pub const PROTECTED_MSBS: u32 = 3;

/// One network of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedNetwork {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its name in the paper.
    pub title: &'static str,
    /// Words of which the shares of table 2 are shares. For LeNet-5 the printed percentages imply 300 words more than the
    /// network of the text has.
    pub volume_words: u64,
    /// Shares of the dominant subsets as table 2 prints them, where known here.
    pub shares_bp: Option<[u64; DOMINANT]>,
    /// Bit-widths of the dominant subsets in table 4, where known here.
    pub widths: Option<[u32; DOMINANT]>,
    /// Reduction of the data volume in table 4: eq. (1) on the printed shares.
    pub reduction_bp: u64,
    /// Eq. (1) with the printed bit-widths on the exact volumes.
    pub exact_reduction_bp: u64,
}

/// The four networks, in the order of the paper's table 4.
pub const NETWORKS: [PublishedNetwork; 4] = [
    PublishedNetwork {
        name: "lenet5",
        title: "LeNet-5",
        volume_words: 46_834,
        shares_bp: None,
        widths: None,
        reduction_bp: 8_660,
        exact_reduction_bp: 8_717,
    },
    PublishedNetwork {
        name: "cifar10_full",
        title: "Cifar10-full",
        volume_words: 103_914,
        shares_bp: None,
        widths: None,
        reduction_bp: 7_871,
        exact_reduction_bp: 7_871,
    },
    PublishedNetwork {
        name: "alexnet",
        title: "AlexNet",
        volume_words: 61_380_259,
        shares_bp: Some([6_150, 2_733, 667, 144, 108]),
        widths: Some([5, 5, 5, 8, 10]),
        reduction_bp: 8_240,
        exact_reduction_bp: 8_241,
    },
    PublishedNetwork {
        name: "vgg16",
        title: "VGG-16",
        volume_words: 147_472_680,
        shares_bp: None,
        widths: None,
        reduction_bp: 7_380,
        exact_reduction_bp: 7_379,
    },
];

/// The network of that name.
pub fn network(name: &str) -> Option<&'static PublishedNetwork> {
    NETWORKS.iter().find(|network| network.name == name)
}

impl PublishedNetwork {
    /// Shares that table 2 prints for subsets of `words`: where they are not known here, those of the volume behind the print,
    /// rounded as a table would.
    pub fn printed_shares_bp(&self, words: [u64; DOMINANT]) -> [u64; DOMINANT] {
        self.shares_bp.unwrap_or(words.map(|words| rounded_bp(words, self.volume_words)))
    }
}

/// `part` of `whole` in hundredths of a percent, rounded half up.
pub fn rounded_bp(part: u64, whole: u64) -> u64 {
    let whole = u128::from(whole.max(1));
    ((u128::from(part) * 20_000 + whole) / (2 * whole)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_abstracts_mean_is_that_of_table_4() {
        let sum: u64 = NETWORKS.iter().map(|network| network.reduction_bp).sum();
        assert_eq!((sum + 2) / 4, MEAN_REDUCTION_BP);
    }

    #[test]
    fn shares_are_rounded_half_up() {
        assert_eq!([rounded_bp(1, 3), rounded_bp(2, 3), rounded_bp(1, 20_000)], [3_333, 6_667, 1]);
    }
}

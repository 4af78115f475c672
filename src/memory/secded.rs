//! SECDED(72,64): the odd-weight-column code of Hsiao (IBM J. Res. Dev. 1970), as memories use it.
//!
//! Each data bit has a column of eight bits of odd weight: all 56 of weight three and eight of weight five, so that each check
//! bit covers 26 data bits; check bits have the unit columns. One error gives the syndrome of its column. Two errors give a
//! syndrome of even weight, which no column has: detected. Three or more errors of odd number give an odd syndrome: where a
//! column has it, that bit is turned although it was right; four or more of even number may give none at all.

/// Bits of a code word; positions 0..64 are data, 64..72 check bits.
pub const CODE_BITS: u32 = 72;

/// Positions that a syndrome stands for, [`NOWHERE`] where no column has it.
const NOWHERE: u8 = u8::MAX;

/// Columns of the data bits.
const COLUMNS: [u8; 64] = columns();
/// Data bits that each check bit covers.
const MASKS: [u64; 8] = masks();
/// Position that each syndrome stands for.
const POSITIONS: [u8; 256] = positions();

const fn columns() -> [u8; 64] {
    let mut columns = [0; 64];
    let mut filled = 0;
    let mut column: u8 = 0;
    while column < u8::MAX {
        if column.count_ones() == 3 {
            columns[filled] = column;
            filled += 1;
        }
        column += 1;
    }
    // The eight rotations of one pattern load each check bit alike.
    let mut turn = 0;
    while filled < columns.len() {
        columns[filled] = 0b0001_1111_u8.rotate_left(turn);
        filled += 1;
        turn += 1;
    }
    columns
}

const fn masks() -> [u64; 8] {
    let mut masks = [0; 8];
    let mut check = 0;
    while check < masks.len() {
        let mut bit = 0;
        while bit < COLUMNS.len() {
            masks[check] |= ((COLUMNS[bit] >> check) as u64 & 1) << bit;
            bit += 1;
        }
        check += 1;
    }
    masks
}

const fn positions() -> [u8; 256] {
    let mut positions = [NOWHERE; 256];
    let mut bit = 0;
    while bit < COLUMNS.len() {
        positions[COLUMNS[bit] as usize] = bit as u8;
        bit += 1;
    }
    let mut check = 0;
    while check < 8 {
        positions[1 << check] = (COLUMNS.len() + check) as u8;
        check += 1;
    }
    positions
}

/// What a decoder says of a code word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No error seen.
    Clean,
    /// One bit turned, at this position of the code word: data 0..64, check bits 64..72.
    Corrected(u32),
    /// More errors than can be corrected; the word is delivered as it was read.
    Detected,
}

/// A decoded code word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Data bits as delivered.
    pub data: u64,
    /// Check bits as delivered.
    pub check: u8,
    /// What was done.
    pub verdict: Verdict,
}

/// Check bits of `data`.
pub fn encode(data: u64) -> u8 {
    let mut check = 0;
    for (bit, mask) in MASKS.iter().enumerate() {
        check |= (((data & mask).count_ones() & 1) as u8) << bit;
    }
    check
}

/// Decodes a code word: corrects one error, detects two, and errs on three or more as the circuit does.
pub fn decode(data: u64, check: u8) -> Decoded {
    let syndrome = encode(data) ^ check;
    if syndrome == 0 {
        return Decoded { data, check, verdict: Verdict::Clean };
    }
    match POSITIONS[usize::from(syndrome)] {
        NOWHERE => Decoded { data, check, verdict: Verdict::Detected },
        position @ ..64 => {
            let verdict = Verdict::Corrected(u32::from(position));
            Decoded { data: data ^ (1 << position), check, verdict }
        }
        position => {
            let verdict = Verdict::Corrected(u32::from(position));
            Decoded { data, check: check ^ (1 << (position - 64)), verdict }
        }
    }
}

/// Share of code words with more errors than can be corrected, if each of their bits errs with probability `q` (0..=1):
/// `1 - (1 - q)^72 - 72 q (1 - q)^71`.
pub fn uncorrectable_share(q: f64) -> f64 {
    let n = f64::from(CODE_BITS);
    let none = |bits: f64| libm::exp(bits * libm::log1p(-q));
    if q > 0.01 {
        return if q < 1.0 { 1.0 - none(n) - n * q * none(n - 1.0) } else { 1.0 };
    }
    // Of small rates the difference would leave no digit: the binomial tail is summed term by term.
    let mut term = n * (n - 1.0) / 2.0 * q * q * none(n - 2.0);
    let mut sum = 0.0;
    let mut errors = 2.0;
    while errors <= n {
        sum += term;
        term *= (n - errors) / (errors + 1.0) * q / (1.0 - q);
        errors += 1.0;
    }
    sum
}

/// Bit error rate of the data behind a decoder that leaves words with two or more errors as they are: `q (1 - (1 - q)^71)`. The
/// real one turns a right bit in some words of three and more errors: a little more.
pub fn residual_bit_error_rate(q: f64) -> f64 {
    -q * libm::expm1(f64::from(CODE_BITS - 1) * libm::log1p(-q))
}

#[cfg(test)]
#[path = "secded_tests.rs"]
mod tests;

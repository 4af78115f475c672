//! Decimal numbers as typed, so that the points of a sweep do not drift: 1e-8 times 10 is 1e-7, not 9.999…e-8.

use std::cmp::Ordering;

/// Most significant digits that are kept: the product of two mantissas then fits.
const MAX_DIGITS: u32 = 18;
/// Largest power of ten, above and below which no binary64 number lies.
const MAX_EXPONENT: i32 = 400;

/// `mantissa`·10^`exponent`, with at most [`MAX_DIGITS`] digits and no trailing zero in the mantissa.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    mantissa: i128,
    exponent: i32,
}

impl Decimal {
    /// A TOML number without underscores; `None` for anything else, and for more than 18 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let (digits, exponent) = match digits.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (digits, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) || exponent.abs() > MAX_EXPONENT {
            return None;
        }
        let digits = format!("{whole}{}", fraction.trim_end_matches('0'));
        if digits.trim_start_matches('0').len() > MAX_DIGITS as usize || digits.len() > 400 {
            return None;
        }
        let mantissa: i128 = digits.parse().ok()?;
        let decimals = fraction.trim_end_matches('0').len() as i32;
        Some(Self { mantissa: sign * mantissa, exponent: exponent - decimals }.normalised())
    }

    /// The integer `value`; `None` for more than 18 digits.
    #[cfg(test)]
    pub fn integer(value: i64) -> Option<Self> {
        Self::parse(&value.to_string())
    }

    pub fn is_positive(self) -> bool {
        self.mantissa > 0
    }

    /// The product, rounded to 18 digits where it has more.
    pub fn times(self, other: Self) -> Self {
        Self { mantissa: self.mantissa * other.mantissa, exponent: self.exponent + other.exponent }
            .normalised()
    }

    /// Point `index` of `points` >= 2 points from `self` to `end` at equal distances: exact where it has at most 6 decimals
    /// more than the ends, else the nearest binary64 number. `None` if the ends are too many decades apart.
    pub fn between(self, end: Self, index: i128, points: i128) -> Option<Self> {
        let exponent = self.exponent.min(end.exponent);
        let aligned = |value: Self| {
            10i128
                .checked_pow((value.exponent - exponent) as u32)
                .and_then(|factor| value.mantissa.checked_mul(factor))
                .filter(|mantissa| mantissa.abs() < 10i128.pow(26))
        };
        let intervals = points - 1;
        let sum = aligned(self)? * (intervals - index) + aligned(end)? * index;
        let quotient = |decimals: u32| Self {
            mantissa: sum * 10i128.pow(decimals) / intervals,
            exponent: exponent - decimals as i32,
        };
        if let Some(decimals) = (0..=6).find(|&decimals| (sum * 10i128.pow(decimals)) % intervals == 0) {
            return Some(quotient(decimals).normalised());
        }
        // More digits than decide the rounding to binary64, fewer than overflow.
        let Self { mantissa, exponent } = quotient(36 - sum.unsigned_abs().ilog10());
        let nearest: f64 = format!("{mantissa}e{exponent}").parse().ok()?;
        Self::parse(&format!("{nearest:e}"))
    }

    /// Without trailing zeros, and rounded to [`MAX_DIGITS`].
    fn normalised(self) -> Self {
        let Self { mut mantissa, mut exponent } = self;
        let limit = 10i128.pow(MAX_DIGITS);
        while mantissa.abs() >= limit {
            // Rounding half up at each digit but the last would round twice; one step of the right size does not.
            let digits = mantissa.unsigned_abs().ilog10() + 1;
            let drop = digits - MAX_DIGITS;
            let unit = 10i128.pow(drop);
            mantissa = (mantissa + mantissa.signum() * unit / 2) / unit;
            exponent += drop as i32;
        }
        if mantissa == 0 {
            return Self { mantissa, exponent: 0 };
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        Self { mantissa, exponent }
    }

    /// The power of ten of the leading digit of a number other than 0.
    fn magnitude(self) -> i32 {
        self.exponent + self.mantissa.unsigned_abs().ilog10() as i32
    }

    /// As a TOML number: `1.5e-7` if `is_scientific`, else `0.00000015`; integers without a point.
    pub fn text(self, is_scientific: bool) -> String {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs().to_string();
        if self.mantissa == 0 {
            return "0".into();
        }
        if is_scientific || self.magnitude().abs() > 40 {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            return format!("{sign}{first}{point}{rest}e{}", self.magnitude());
        }
        if self.exponent >= 0 {
            return format!("{sign}{digits}{}", "0".repeat(self.exponent as usize));
        }
        let decimals = self.exponent.unsigned_abs() as usize;
        let digits = format!("{digits:0>width$}", width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        format!("{sign}{whole}.{fraction}")
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let signs = self.mantissa.signum().cmp(&other.mantissa.signum());
        if signs != Ordering::Equal || self.mantissa == 0 {
            return signs;
        }
        let magnitudes = self.magnitude().cmp(&other.magnitude()).then_with(|| {
            // Equal magnitudes differ in their numbers of digits by less than MAX_DIGITS.
            let exponent = self.exponent.min(other.exponent);
            let aligned = |v: &Self| v.mantissa.abs() * 10i128.pow((v.exponent - exponent) as u32);
            aligned(self).cmp(&aligned(other))
        });
        if self.mantissa < 0 { magnitudes.reverse() } else { magnitudes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn texts_keep_their_value() {
        for (text, plain, scientific) in [
            ("0", "0", "0"),
            ("-0.50", "-0.5", "-5e-1"),
            ("1e-3", "0.001", "1e-3"),
            ("+1.25E2", "125", "1.25e2"),
            ("1000", "1000", "1e3"),
            ("0.00000015", "0.00000015", "1.5e-7"),
            ("1e300", "1e300", "1e300"),
        ] {
            assert_eq!(decimal(text).text(false), plain);
            assert_eq!(decimal(text).text(true), scientific);
        }
        for text in ["", "-", "1.", ".5", "1e", "1e9999", "nan", "0x10", "1_0", "1234567890123456789", "--1"]
        {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn points_between_are_exact_or_the_nearest_binary64() {
        let points = |a: &str, b: &str, n| {
            (0..n).map(|i| decimal(a).between(decimal(b), i, n).unwrap().text(false)).collect::<Vec<_>>()
        };
        assert_eq!(points("0.1", "0.5", 5), ["0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(points("1", "0", 5), ["1", "0.75", "0.5", "0.25", "0"]);
        assert_eq!(points("0", "1", 4), ["0", "0.3333333333333333", "0.6666666666666666", "1"]);
        assert_eq!(decimal("1e-30").between(decimal("1"), 1, 3), None);
    }

    proptest! {
        #[test]
        fn order_and_text_agree_with_binary64(a in -1e12f64..1e12, b in -1e-9f64..1e3) {
            let [x, y] = [a, b].map(|value| decimal(&format!("{value:e}")));
            prop_assert_eq!(x.cmp(&y), a.total_cmp(&b));
            prop_assert_eq!(x.cmp(&x), Ordering::Equal);
            prop_assert_eq!(x.text(true).parse::<f64>().unwrap(), a);
            prop_assert_eq!(y.text(false).parse::<f64>().unwrap(), b);
        }

        #[test]
        fn products_of_integers_are_exact(a in -1_000_000_000i64..1_000_000_000, b in 1i64..100_000_000) {
            let product = Decimal::integer(a).unwrap().times(Decimal::integer(b).unwrap());
            prop_assert_eq!(product.text(false), (a * b).to_string());
        }
    }
}

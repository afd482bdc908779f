//! [`Amount`]: decimal text to ten-thousandths, digit by digit.
//!
//! `"-12.34565e1"` is a sign, the digits `1234565`, and a point whose place follows from the text and the exponent.
//! Moving the point four places to the right leaves whole units on its left; what is on its right decides the rounding,
//! half to even. No step is a float, and no step allocates more than the digits of the text.

use std::fmt;

use thiserror::Error;

use crate::Invalid;

const DECIMALS: i64 = 4;
const UNITS_PER_ONE: i64 = 10_i64.pow(4);
/// 10^10 in units; amounts stay below it.
const UNITS_END: i64 = 10_000_000_000 * UNITS_PER_ONE;
/// Digits that a number of units below the bound can have.
const UNIT_DIGITS_MAX: u32 = 14;

const _: () = assert!(10_i64.pow(UNIT_DIGITS_MAX) == UNITS_END);

/// An amount of money in ten-thousandths (10^-4), of absolute value below 10^10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i64);

/// Why a text is no amount. A client hears of the two by different statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AmountError {
    /// The text is no decimal number at all.
    #[error("amount must be a decimal number such as 12.50")]
    NotANumber,
    /// The text is a number that is infinite, NaN or too large.
    #[error("amount must be finite and below 10000000000 in absolute value")]
    OutOfRange,
}

impl Amount {
    /// Takes ten-thousandths from a file.
    pub const fn from_ten_thousandths(units: i64) -> Result<Self, Invalid> {
        if units > -UNITS_END && units < UNITS_END {
            Ok(Self(units))
        } else {
            Err(Invalid::new("amount", "must be finite and below 10000000000 in absolute value"))
        }
    }

    /// The amount in ten-thousandths: 12.5 is 125000.
    pub const fn ten_thousandths(self) -> i64 {
        self.0
    }

    /// Reads decimal text, with or without sign, fraction and exponent, rounded half-even to four decimals.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        let (is_negative, unsigned) = split_sign(text);
        if ["nan", "inf", "infinity"].iter().any(|word| unsigned.eq_ignore_ascii_case(word)) {
            return Err(AmountError::OutOfRange);
        }
        let units = Decimal::parse(unsigned).ok_or(AmountError::NotANumber)?.units()?;
        let signed = if is_negative { -units } else { units };
        Self::from_ten_thousandths(signed).map_err(|_| AmountError::OutOfRange)
    }
}

/// The amount with its four decimals, such as `-12.5000`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.abs();
        write!(f, "{sign}{}.{:04}", units / UNITS_PER_ONE, units % UNITS_PER_ONE)
    }
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// An unsigned decimal number: `0.d1d2d3... * 10^point`.
struct Decimal {
    /// The digits without leading zeros, each 0 to 9.
    digits: Vec<u8>,
    /// How many digits stand before the decimal point; negative if zeros follow it.
    point: i64,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = parse_digits(whole, fraction)?;
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        let point = (i64::try_from(whole.len()).ok()? - i64::try_from(zeros).ok()?).saturating_add(exponent);
        Some(Self { digits: digits.into_iter().skip(zeros).collect(), point })
    }

    /// The number in ten-thousandths, half rounded to even.
    fn units(&self) -> Result<i64, AmountError> {
        let count = self.point.saturating_add(DECIMALS);
        if self.digits.is_empty() || count < 0 {
            return Ok(0);
        }
        if count > i64::from(UNIT_DIGITS_MAX) {
            return Err(AmountError::OutOfRange);
        }
        let count = usize::try_from(count).unwrap_or_default();
        let padded = self.digits.iter().copied().chain(std::iter::repeat(0)).take(count);
        let units = padded.fold(0, |units, digit| units * 10 + i64::from(digit));
        let rest = self.digits.get(count..).unwrap_or_default();
        Ok(units + i64::from(rounds_up(units, rest)))
    }
}

/// Whether the digits `rest`, which stand behind the point, round `units` up.
fn rounds_up(units: i64, rest: &[u8]) -> bool {
    match rest.split_first() {
        Some((5, tail)) if tail.iter().all(|digit| *digit == 0) => units % 2 == 1,
        Some((first, _)) => *first >= 5,
        None => false,
    }
}

/// The digits of both parts together; at least one, and nothing but digits.
fn parse_digits(whole: &str, fraction: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|byte| byte.wrapping_sub(b'0')).collect();
    let is_number = !digits.is_empty() && digits.iter().all(|digit| *digit <= 9);
    is_number.then_some(digits)
}

/// A signed exponent; one that is too long to count stands for a very large one.
fn parse_exponent(text: &str) -> Option<i64> {
    let (is_negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse().unwrap_or(i64::MAX / 2);
    Some(if is_negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimal_text_becomes_ten_thousandths_without_a_float() {
        for (text, units) in [
            ("0", 0),
            ("-0.0", 0),
            ("49.99", 499_900),
            ("+49.99", 499_900),
            ("-12.5", -125_000),
            (".5", 5_000),
            ("5.", 50_000),
            ("1e3", 10_000_000),
            ("1E+3", 10_000_000),
            ("12345e-4", 12_345),
            ("0.1", 1_000),
            ("1.005", 10_050),
            ("0000000000000000000000001", 10_000),
            ("0.00000000000000000000000001e26", 10_000),
            ("9999999999.9999", 99_999_999_999_999),
            ("-9999999999.9999", -99_999_999_999_999),
            ("0e999999999999999999999999", 0),
            ("1e-999999999999999999999999", 0),
        ] {
            assert_eq!(Amount::parse(text).unwrap().ten_thousandths(), units, "{text}");
        }
    }

    #[test]
    fn the_fifth_decimal_rounds_half_to_even() {
        for (text, units) in [
            ("0.00004", 0),
            ("0.00005", 0),
            ("0.000050000000000000000000000000001", 1),
            ("0.00006", 1),
            ("0.00015", 2),
            ("0.00025", 2),
            ("-0.00015", -2),
            ("2.00005", 20_000),
            ("2.00015", 20_002),
            ("5e-5", 0),
            ("5.0001e-5", 1),
            ("5e-6", 0),
        ] {
            assert_eq!(Amount::parse(text).unwrap().ten_thousandths(), units, "{text}");
        }
    }

    #[test]
    fn a_number_of_ten_billion_or_more_is_out_of_range() {
        let endless = "9".repeat(5000);
        for text in ["1e10", "-1e10", "10000000000", "1e11", "9999999999.99999", "1e999999999999999999999", &endless] {
            assert_eq!(Amount::parse(text), Err(AmountError::OutOfRange), "{text}");
        }
        for text in ["NaN", "nan", "Infinity", "-inf"] {
            assert_eq!(Amount::parse(text), Err(AmountError::OutOfRange), "{text}");
        }
    }

    #[test]
    fn text_that_is_no_number_is_told_apart() {
        for text in
            ["", "abc", "-", ".", "1.2.3", "1e", "1e+", "e5", "1 000", " 1", "1,50", "0x10", "--1", "1e1.5", "١"]
        {
            assert_eq!(Amount::parse(text), Err(AmountError::NotANumber), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_amount_survives_its_text(units in -UNITS_END + 1..UNITS_END) {
            let amount = Amount::from_ten_thousandths(units).unwrap();
            prop_assert_eq!(Amount::parse(&amount.to_string()), Ok(amount));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.eE]{0,40}|\\PC*") {
            Amount::parse(&text).ok();
        }
    }
}

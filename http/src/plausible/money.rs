//! Sums of money as Plausible answers them: the number, the currency, and two texts for people.

use serde_json::{Value, json};

const TEN_THOUSANDTHS: u128 = 10_000;

/// How English texts call a currency, where that is not its code (Unicode CLDR).
const SYMBOLS: [(&str, &str); 21] = [
    ("AUD", "A$"),
    ("BRL", "R$"),
    ("CAD", "CA$"),
    ("CNY", "CN¥"),
    ("EUR", "€"),
    ("GBP", "£"),
    ("HKD", "HK$"),
    ("ILS", "₪"),
    ("INR", "₹"),
    ("JPY", "¥"),
    ("KRW", "₩"),
    ("MXN", "MX$"),
    ("NZD", "NZ$"),
    ("PHP", "₱"),
    ("TWD", "NT$"),
    ("USD", "$"),
    ("VND", "₫"),
    ("XAF", "FCFA"),
    ("XCD", "EC$"),
    ("XOF", "F\u{202f}CFA"),
    ("XPF", "CFPF"),
];

/// Currencies without a smaller unit, and those with a thousand of them to one (ISO 4217).
const WHOLE: [&str; 17] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
    "XPF",
];
const IN_THOUSANDS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// A sum, given in ten-thousandths.
pub(super) fn shown(ten_thousandths: i128, currency: &str) -> Value {
    json!({
        "value": number(ten_thousandths),
        "currency": currency,
        "short": signed(ten_thousandths, currency, short(ten_thousandths.unsigned_abs())),
        "long": signed(ten_thousandths, currency, long(ten_thousandths.unsigned_abs(), decimals(currency))),
    })
}

/// The number, without decimals if it has none.
fn number(ten_thousandths: i128) -> Value {
    let whole = i64::try_from(ten_thousandths / 10_000).ok().filter(|_| ten_thousandths % 10_000 == 0);
    whole.map_or_else(|| json!(amount(ten_thousandths)), |whole| json!(whole))
}

/// The number nearest to it.
#[expect(clippy::cast_precision_loss, reason = "JSON has no other numbers; the texts are exact")]
pub(super) fn amount(ten_thousandths: i128) -> f64 {
    ten_thousandths as f64 / 10_000.0
}

fn signed(ten_thousandths: i128, currency: &str, number: String) -> String {
    let sign = if ten_thousandths < 0 { "-" } else { "" };
    let known = SYMBOLS.iter().find(|(code, _)| *code == currency);
    known.map_or_else(|| format!("{sign}{currency}\u{a0}{number}"), |(_, symbol)| format!("{sign}{symbol}{number}"))
}

fn decimals(currency: &str) -> u32 {
    match (WHOLE.contains(&currency), IN_THOUSANDS.contains(&currency)) {
        (true, _) => 0,
        (_, true) => 3,
        _ => 2,
    }
}

/// With all digits, in groups of three.
fn long(ten_thousandths: u128, decimals: u32) -> String {
    let unit = 10_u128.pow(decimals);
    let units = (ten_thousandths * unit + TEN_THOUSANDTHS / 2) / TEN_THOUSANDTHS;
    let whole = (units / unit).to_string();
    let mut text = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    match usize::try_from(decimals) {
        Ok(width @ 1..) => format!("{text}.{:0width$}", units % unit),
        _ => text,
    }
}

/// With one decimal and a letter for thousands, millions and so on.
fn short(ten_thousandths: u128) -> String {
    let mut unit = TEN_THOUSANDTHS;
    for letter in ["", "K", "M", "B", "T"] {
        let tenths = (ten_thousandths * 10 + unit / 2) / unit;
        if tenths < 10_000 || letter == "T" {
            return format!("{}.{}{letter}", tenths / 10, tenths % 10);
        }
        unit *= 1000;
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ten_thousandths: i128, currency: &str) -> (String, String) {
        let shown = shown(ten_thousandths, currency);
        let text = |field: &str| shown[field].as_str().unwrap().to_owned();
        (text("short"), text("long"))
    }

    #[test]
    fn a_sum_has_its_number_and_both_texts() {
        let expected = json!({ "short": "$96.3M", "value": 96_336_315, "long": "$96,336,315.00", "currency": "USD" });
        assert_eq!(shown(963_363_150_000, "USD"), expected);
        assert_eq!(
            shown(5_002_007_002_500, "EUR"),
            json!({ "short": "€500.2M", "value": 500_200_700.25,
            "long": "€500,200,700.25", "currency": "EUR" })
        );
    }

    #[test]
    fn sums_are_rounded_to_the_digits_of_their_currency_and_shortened_without_a_thousand_of_a_unit() {
        for (sum, currency, short, long) in [
            (0, "USD", "$0.0", "$0.00"),
            (-12_345_678, "GBP", "-£1.2K", "-£1,234.57"),
            (12_345_000, "JPY", "¥1.2K", "¥1,235"),
            (12_345_678, "KWD", "KWD\u{a0}1.2K", "KWD\u{a0}1,234.568"),
            (9_999_600_000, "USD", "$1.0M", "$999,960.00"),
            (i128::from(i64::MAX) * 10_000, "USD", "$9223372.0T", "$9,223,372,036,854,775,807.00"),
        ] {
            assert_eq!(texts(sum, currency), (short.to_owned(), long.to_owned()), "{sum} {currency}");
        }
    }
}

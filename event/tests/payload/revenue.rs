//! Revenue: decimal digits in, decimal digits out.

use mallard_event::Currency;
use mallard_event::payload::PayloadErrorKind::{Invalid, WrongType};

use crate::{accepted_with, assert_refused_with};

const RANGE: &str = "ra (revenue.amount) must be finite and below 10000000000 in absolute value";
const NUMBER: &str = "ra (revenue.amount) must be a number, or a string such as \"12.50\"";

fn amount(sent: &str) -> Option<String> {
    accepted_with(&format!(r#""ra":{sent}"#)).revenue_amount.map(|amount| amount.to_string())
}

#[test]
fn an_amount_is_a_number_or_a_numeric_string() {
    for (sent, kept) in [
        ("49.99", "49.9900"),
        ("\"49.99\"", "49.9900"),
        ("0", "0.0000"),
        ("-12", "-12.0000"),
        ("1e3", "1000.0000"),
        ("\"1E-2\"", "0.0100"),
        ("9999999999.9999", "9999999999.9999"),
    ] {
        assert_eq!(amount(sent).as_deref(), Some(kept), "{sent}");
    }
    assert_eq!(amount("null"), None);
}

#[test]
fn an_amount_is_never_a_binary_float() {
    // As floats these are 0.12344999..., 0.12355000...01, and 1234567890.1235 rounded the other way.
    assert_eq!(amount("0.12345").as_deref(), Some("0.1234"));
    assert_eq!(amount("0.12355").as_deref(), Some("0.1236"));
    assert_eq!(amount("0.1235500000000000000000000000001").as_deref(), Some("0.1236"));
    assert_eq!(amount("1234567890.12345").as_deref(), Some("1234567890.1234"));
}

#[test]
fn a_number_out_of_range_is_invalid_and_what_is_no_number_has_the_wrong_type() {
    for sent in ["1e11", "10000000000", "-1e10", "1e999", "\"1e11\"", "\"NaN\"", "\"Infinity\"", "\"-inf\""] {
        assert_refused_with(&format!(r#""ra":{sent}"#), Invalid, RANGE);
        assert_refused_with(&format!(r#""revenue":{{"amount":{sent}}}"#), Invalid, RANGE);
    }
    for sent in ["\"abc\"", "\"\"", "\"1,50\"", "true", "{}", "[1]"] {
        assert_refused_with(&format!(r#""ra":{sent}"#), WrongType, NUMBER);
        assert_refused_with(&format!(r#""$":{{"amount":{sent}}}"#), WrongType, NUMBER);
    }
}

#[test]
fn a_currency_is_exactly_three_letters() {
    for (sent, kept) in [("\"EUR\"", Some("EUR")), ("\"usd\"", Some("USD")), ("null", None)] {
        let payload = accepted_with(&format!(r#""ra":1,"rc":{sent}"#));
        assert_eq!(payload.revenue_currency.as_ref().map(Currency::as_str), kept);
    }
    for sent in ["", "EU", "EURO", "E1R", "€"] {
        let rule = "rc (revenue.currency) must be exactly 3 letters such as EUR";
        assert_refused_with(&format!(r#""rc":"{sent}""#), Invalid, rule);
    }
    assert_refused_with(r#""rc":978"#, WrongType, "rc (revenue.currency) must be a string");
}

#[test]
fn revenue_may_be_an_object_under_two_names() {
    for name in ["revenue", "$"] {
        let payload = accepted_with(&format!(r#""{name}":{{"currency":"usd","amount":"12.5","more":[]}}"#));
        assert_eq!(payload.revenue_amount.unwrap().to_string(), "12.5000");
        assert_eq!(payload.revenue_currency.unwrap().as_str(), "USD");
    }
    for (fields, name) in [(r#""revenue":5"#, "revenue"), (r#""$":"5""#, "$ (revenue)"), (r#""revenue":[]"#, "revenue")]
    {
        assert_refused_with(fields, WrongType, &format!("{name} must be an object with amount and currency"));
    }
    assert_eq!(accepted_with(r#""revenue":null,"$":{}"#).revenue_amount, None);
}

#[test]
fn each_half_of_revenue_comes_from_its_shortest_form() {
    let payload = accepted_with(r#""$":{"amount":3,"currency":"CCC"},"revenue":{"amount":2,"currency":"BBB"},"ra":1"#);
    assert_eq!(payload.revenue_amount.unwrap().to_string(), "1.0000");
    assert_eq!(payload.revenue_currency.unwrap().as_str(), "BBB");
}

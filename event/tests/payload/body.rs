//! The body as a whole: syntax, then what is missing, then the types.

use mallard_event::payload::PayloadErrorKind::{Missing, Syntax, WrongType};
use mallard_event::payload::RawPayload;

use crate::{accepted, assert_refused, refused};

#[test]
fn the_least_payload_is_accepted() {
    let payload = accepted(r#"{"d":"example.com","n":"pageview","u":"https://example.com/a"}"#);
    assert_eq!(payload.site.as_str(), "example.com");
    assert_eq!(payload.name.as_str(), "pageview");
    assert_eq!(payload.url.pathname, "/a");
    assert!(payload.referrer.is_none() && payload.props.is_none() && payload.id.is_none());
    assert_eq!((payload.screen_width, payload.interactive, payload.revenue_amount), (None, None, None));
}

#[test]
fn a_body_that_is_no_json_says_where_it_breaks() {
    for (body, message) in [
        ("", "body is not valid JSON: EOF while parsing a value at line 1 column 0"),
        ("{", "body is not valid JSON: EOF while parsing an object at line 1 column 1"),
        ("nonsense", "body is not valid JSON: expected ident at line 1 column 2"),
        (r#"{"d":"a""n":"b"}"#, "body is not valid JSON: expected `,` or `}` at line 1 column 9"),
        (r#"{"d":"a"} x"#, "body is not valid JSON: trailing characters at line 1 column 11"),
        (r#"{"ra":NaN}"#, "body is not valid JSON: expected value at line 1 column 7"),
        ("{\n\"d\": 'a'}", "body is not valid JSON: expected value at line 2 column 6"),
        ("[1,", "body is not valid JSON: EOF while parsing a value at line 1 column 3"),
    ] {
        assert_refused(body, Syntax, message);
    }
}

#[test]
fn a_body_that_is_not_utf_8_is_no_json() {
    let error = RawPayload::parse(b"{\"d\":\"\xff\"}").unwrap_err();
    assert_eq!(error.kind, Syntax);
    assert_eq!(error.message, "body is not valid JSON: invalid utf-8 sequence of 1 bytes from index 6");
}

#[test]
fn json_that_is_no_object_has_the_wrong_type() {
    for body in ["[]", "[{}]", "\"text\"", "1", "true", "null"] {
        assert_refused(body, WrongType, "body must be a JSON object");
    }
}

#[test]
fn what_is_missing_is_named() {
    for (body, message) in [
        ("{}", "d (domain) is missing"),
        (r#"{"d":null,"n":"a","u":"/"}"#, "d (domain) is missing"),
        (r#"{"d":"a","u":"/"}"#, "n (name) is missing"),
        (r#"{"d":"a","n":"b"}"#, "u (url) is missing"),
    ] {
        assert_refused(body, Missing, message);
    }
}

#[test]
fn a_missing_field_is_told_before_a_wrong_type_and_both_before_a_wrong_value() {
    assert_eq!(refused(r#"{"d":5,"n":""}"#).0, Missing);
    assert_eq!(refused(r#"{"d":"","n":"","u":"","w":"wide"}"#).0, WrongType);
}

#[test]
fn unknown_fields_are_ignored_whatever_they_hold() {
    let payload = accepted(r#"{"v":28,"e":1000,"sd":[1,{"d":"x"}],"d":"a","n":"b","u":"/","":null,"D":5}"#);
    assert_eq!(payload.site.as_str(), "a");
}

#[test]
fn the_last_of_two_equal_keys_wins() {
    assert_eq!(accepted(r#"{"d":"first","d":"last","n":"b","u":"/"}"#).site.as_str(), "last");
}

#[test]
fn keys_and_values_may_be_escaped() {
    let payload = accepted(r#"{"\u0064":"\u0061.b","n":"a\"b\\c\n","u":"\/x"}"#);
    assert_eq!((payload.site.as_str(), payload.name.as_str()), ("a.b", "a\"b\\c\n"));
    assert_eq!(payload.url.pathname, "/x");
}

#[test]
fn half_a_surrogate_pair_is_replaced() {
    let payload = accepted(r#"{"d":"a","n":"cut \ud83d","u":"/"}"#);
    assert_eq!(payload.name.as_str().trim_end_matches('\u{fffd}'), "cut ");
}

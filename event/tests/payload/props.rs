//! Custom properties: what is cut, what is dropped, and that the rest is valid JSON.

use mallard_event::payload::PayloadErrorKind::{Invalid, WrongType};

use crate::{accepted_with, assert_refused_with};

/// The stored JSON of `"p": sent`.
fn stored(sent: &str) -> Option<String> {
    accepted_with(&format!(r#""p":{sent}"#)).props.map(|props| props.as_str().to_owned())
}

/// A JSON string that holds `text`.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn value(json: &str) -> serde_json::Value {
    serde_json::from_str(json).unwrap()
}

#[test]
fn an_object_is_stored_as_compact_json_in_its_order() {
    let sent = "{ \"z\": \"last\\u0021\", \"a\" : 1.50, \"yes\":true,\"no\":false, \"big\":12345678901234567890123 }";
    let kept = r#"{"z":"last!","a":1.50,"yes":true,"no":false,"big":12345678901234567890123}"#;
    assert_eq!(stored(sent).as_deref(), Some(kept));
}

#[test]
fn nested_null_blank_and_infinite_values_are_dropped() {
    let sent = r#"{"object":{"a":1},"array":[1],"null":null,"empty":"","blank":" \n","":"no key"," ":"blank key",
        "huge":1e999,"kept":"x"}"#;
    assert_eq!(stored(sent).as_deref(), Some(r#"{"kept":"x"}"#));
}

#[test]
fn an_object_with_nothing_to_keep_is_not_stored() {
    for sent in ["{}", r#"{"a":null}"#, r#"{"a":{"b":"c"}}"#, "null", r#""""#, r#""  ""#, r#""null""#, r#""{}""#] {
        assert_eq!(stored(sent), None, "{sent}");
    }
}

#[test]
fn the_first_30_pairs_are_kept() {
    let pairs: Vec<_> = (0..40).map(|n| format!("\"k{n}\":{n}")).collect();
    let expected = format!("{{{}}}", pairs[..30].join(","));
    assert_eq!(stored(&format!("{{{}}}", pairs.join(","))), Some(expected));
}

#[test]
fn keys_and_values_are_cut_by_characters() {
    let sent = format!(r#"{{"{}":"{}"}}"#, "é".repeat(301), "x".repeat(2001));
    let kept = format!(r#"{{"{}":"{}"}}"#, "é".repeat(300), "x".repeat(2000));
    assert_eq!(stored(&sent), Some(kept));
    let digits = format!(r#"{{"number":0.{},"kept":1}}"#, "1".repeat(2000));
    assert_eq!(stored(&digits).as_deref(), Some(r#"{"kept":1}"#));
}

#[test]
fn trailing_pairs_are_dropped_until_the_json_has_4096_bytes() {
    // {"a":"<2000>","b":"<2000>", is 2 * 2007 bytes and its brace; 80 are left for "c" and the last brace.
    let object = |last: usize| {
        let long = "x".repeat(2000);
        format!(r#"{{"a":"{long}","b":"{long}","c":"{}"}}"#, "x".repeat(last))
    };
    let fits = 4096 - object(0).len();
    assert_eq!(stored(&object(fits)), Some(object(fits)));
    assert_eq!(object(fits).len(), 4096);
    let cut = stored(&object(fits + 1)).unwrap();
    assert_eq!(value(&cut).as_object().unwrap().keys().collect::<Vec<_>>(), ["a", "b"]);
    // What comes after a pair that does not fit is trailing too, even if it is short.
    let sent = format!(r#"{{"first":1,"wide":"{}","short":2}}"#, "🦆".repeat(2000));
    assert_eq!(stored(&sent).as_deref(), Some(r#"{"first":1}"#));
}

#[test]
fn the_last_value_of_a_key_wins_also_when_cutting_made_the_keys_equal() {
    assert_eq!(stored(r#"{"a":1,"b":2,"a":3}"#).as_deref(), Some(r#"{"a":3,"b":2}"#));
    let long = "k".repeat(300);
    let sent = format!(r#"{{"{long}x":1,"{long}y":2}}"#);
    assert_eq!(stored(&sent), Some(format!(r#"{{"{long}":2}}"#)));
}

#[test]
fn text_that_holds_json_is_that_json() {
    for (text, kept) in [
        (r#"{"a": "b", "n": {"x":1}}"#, r#"{"a":"b"}"#),
        (" [1, 2] ", "[1, 2]"),
        ("5", "5"),
        ("true", "true"),
        ("\"inner\"", "\"inner\""),
    ] {
        assert_eq!(stored(&quoted(text)).as_deref(), Some(kept), "{text}");
    }
}

#[test]
fn text_that_is_no_json_is_a_json_string() {
    for text in
        ["plain", " plain ", "{broken", "{\"a\":1} trailing", "NaN", "1e999", "quote\"back\\slash\u{1}", "{'a':1}"]
    {
        assert_eq!(stored(&quoted(text)), Some(quoted(text)), "{text}");
    }
}

#[test]
fn text_has_at_most_4096_bytes_however_long_its_escapes_are() {
    for text in ["x".repeat(4096), "\u{1}".repeat(4096), format!("[{}]", "1".repeat(300))] {
        let kept = stored(&quoted(&text)).unwrap();
        value(&kept);
    }
    let too_long = quoted(&"x".repeat(4097));
    assert_refused_with(
        &format!(r#""p":{too_long}"#),
        Invalid,
        "p (props) must be at most 4096 bytes when it is a string",
    );
    let too_long = quoted(&format!(r#"{{"a":"{}"}}"#, "x".repeat(4096)));
    assert_refused_with(
        &format!(r#""p":{too_long}"#),
        Invalid,
        "p (props) must be at most 4096 bytes when it is a string",
    );
}

#[test]
fn other_types_are_refused() {
    for sent in ["5", "true", "[]", "[{}]"] {
        let rule = "p (props) must be an object, or a string that holds JSON";
        assert_refused_with(&format!(r#""p":{sent}"#), WrongType, rule);
    }
}

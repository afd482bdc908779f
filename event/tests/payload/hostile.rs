//! Input that means harm: depth, size and noise.

use mallard_event::payload::PayloadErrorKind::Syntax;
use mallard_event::payload::{PageUrl, RawPayload, Trust};
use proptest::prelude::*;

use crate::{accepted_with, body_with, refused};

const DEPTH: usize = 30_000;

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    let array = format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
    let object = format!("{}1{}", "{\"a\":".repeat(DEPTH / 4), "}".repeat(DEPTH / 4));
    for deep in [&array, &object] {
        assert!(accepted_with(&format!(r#""unknown":{deep}"#)).props.is_none());
        assert!(accepted_with(&format!(r#""p":{{"deep":{deep}}}"#)).props.is_none());
        assert!(accepted_with(&format!(r#""timestamp":{deep}"#)).timestamp.is_none());
    }
    assert_eq!(refused(&"[".repeat(DEPTH)).0, Syntax);
    assert_eq!(refused(&array).1, "body must be a JSON object");
}

#[test]
fn text_of_deep_json_is_stored_as_text() {
    let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
    let stored = accepted_with(&format!(r#""p":"{deep}""#)).props.unwrap();
    assert_eq!(stored.as_str(), format!("\"{deep}\""));
}

proptest! {
    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        RawPayload::parse(&body).and_then(|raw| raw.validate(Trust::Keyed)).ok();
    }

    #[test]
    fn no_json_in_any_field_panics(
        key in "d|n|u|r|w|p|props|ra|rc|revenue|\\$|id|i|h|timestamp|ip|user_agent|user_id",
        value in "\"\\PC{0,20}\"|-?[0-9]{1,30}(\\.[0-9]{1,9})?([eE][-+]?[0-9]{1,9})?|\\{\"amount\":[0-9]{1,3}\\}|\\[\\]|null|true",
    ) {
        let body = body_with(&format!(r#""{key}":{value}"#));
        RawPayload::parse(body.as_bytes()).and_then(|raw| raw.validate(Trust::Keyed)).ok();
    }

    #[test]
    fn any_text_is_a_page_within_its_bounds(text in "\\PC{0,40}|https?://\\PC{0,40}|[a-z:/?#@\\[\\]%+&=\\\\.]{0,60}", hash_mode: bool) {
        let page = PageUrl::parse(&text, hash_mode);
        prop_assert!(page.pathname.starts_with('/'));
        prop_assert!(page.pathname.chars().count() <= 2048);
        prop_assert!(!page.pathname.contains(char::is_control));
        prop_assert!(page.hostname.is_none_or(|host| !host.is_empty() && !host.contains(char::is_uppercase)));
    }

    #[test]
    fn stored_props_are_valid_json_within_the_bound(
        pairs in prop::collection::vec(("\\PC{0,30}", "\\PC{0,400}"), 0..40)
    ) {
        let json: serde_json::Map<_, _> = pairs.into_iter().map(|(key, value)| (key, value.into())).collect();
        let props = accepted_with(&format!(r#""p":{}"#, serde_json::Value::from(json))).props;
        if let Some(props) = props {
            prop_assert!(props.as_str().len() <= 4096);
            let stored: serde_json::Map<String, serde_json::Value> = serde_json::from_str(props.as_str()).unwrap();
            prop_assert!((1..=30).contains(&stored.len()));
        }
    }
}

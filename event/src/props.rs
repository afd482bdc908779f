//! [`Props`]: the custom properties of an event as JSON text.

use std::borrow::Cow;

use crate::Invalid;
use crate::payload::json;
use crate::text::text_newtype;
use serde_json::value::RawValue;

/// What a client may send as text, and what an object is cut down to.
pub(crate) const SENT_BYTES_MAX: usize = 4096;
/// Text that is not JSON is kept as a JSON string, in which every byte may need an escape of six.
const STORED_BYTES_MAX: usize = 6 * SENT_BYTES_MAX + 2;

text_newtype! {
    /// Properties: JSON text, usually one flat object. At most 4096 bytes, except for text that became a JSON string.
    Props
}

impl Props {
    /// Takes JSON text that is already within the rules of the wire.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.len() > STORED_BYTES_MAX {
            return Err(Invalid::new("props", "must be at most 4096 bytes"));
        }
        match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => Ok(Self(text.into())),
            Err(_) => Err(Invalid::new("props", "must be valid JSON")),
        }
    }
}

/// The value of the property `key` in stored JSON text: a text itself, a number or a boolean as it is written. `None` if
/// there is no such property, it is null or nested, or the JSON is no object. Of two equal keys the later counts.
pub fn prop<'a>(props: &'a str, key: &str) -> Option<Cow<'a, str>> {
    let mut found = None;
    let each = |name: Cow<'_, str>, value: &'a RawValue| {
        if name == key {
            found = json::text(value).or_else(|| scalar(value.get()));
        }
    };
    json::for_each_pair(props, each).ok()?;
    found
}

fn scalar(raw: &str) -> Option<Cow<'_, str>> {
    let is_scalar = raw != "null" && !raw.starts_with(['{', '[']);
    is_scalar.then_some(Cow::Borrowed(raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_is_found_by_its_key_and_read_as_text() {
        let props = r#"{"plan":"pr\u00f6","seats":12.50,"ok":true,"none":null,"deep":{"plan":"x"},"plan":"last"}"#;
        for (key, value) in
            [("plan", Some("last")), ("seats", Some("12.50")), ("ok", Some("true")), ("none", None), ("deep", None)]
        {
            assert_eq!(prop(props, key).as_deref(), value, "{key}");
        }
        assert_eq!(prop(r#"{"a":"\u00e4"}"#, "a").as_deref(), Some("ä"));
        for other in ["[1]", "\"a\"", "7"] {
            assert_eq!(prop(other, "a"), None, "{other}");
        }
    }

    #[test]
    fn props_are_valid_json_within_the_bound() {
        let text = format!("\"{}\"", "\\u0001".repeat(SENT_BYTES_MAX));
        for accepted in ["{}", r#"{"plan":"pro"}"#, "[1]", "\"text\"", &text] {
            assert_eq!(Props::parse(accepted).unwrap().as_str(), accepted);
        }
        for (refused, message) in [
            ("", "props must be valid JSON"),
            ("{", "props must be valid JSON"),
            ("plain", "props must be valid JSON"),
            (&format!("{text} "), "props must be at most 4096 bytes"),
        ] {
            assert_eq!(Props::parse(refused).unwrap_err().to_string(), message, "{refused:?}");
        }
    }
}

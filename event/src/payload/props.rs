//! Custom properties, from an object or from text, to the JSON that is stored.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{PayloadError, field, json};
use crate::Props;
use crate::props::SENT_BYTES_MAX;
use crate::text::first_chars;

const PAIRS_MAX: usize = 30;
const KEY_CHARS_MAX: usize = 300;
const VALUE_CHARS_MAX: usize = 2000;

/// Properties by the type they came in.
pub(super) enum RawProps<'a> {
    Object(&'a str),
    Text(Cow<'a, str>),
}

impl<'a> RawProps<'a> {
    pub(super) fn of(value: &'a RawValue) -> Result<Self, PayloadError> {
        match json::text(value) {
            Some(text) => Ok(Self::Text(text)),
            None if json::is_object(value) => Ok(Self::Object(value.get())),
            None => Err(PayloadError::wrong_type(field::PROPS, "must be an object, or a string that holds JSON")),
        }
    }

    /// What is stored; nothing if nothing is left.
    pub(super) fn validate(self) -> Result<Option<Props>, PayloadError> {
        let stored = match self {
            Self::Object(object) => stored_object(object),
            Self::Text(text) if text.len() > SENT_BYTES_MAX => {
                return Err(PayloadError::invalid(field::PROPS, "must be at most 4096 bytes when it is a string"));
            }
            Self::Text(text) => stored_text(&text),
        };
        stored.as_deref().map(Props::parse).transpose().map_err(PayloadError::refused(field::PROPS))
    }
}

/// Text that holds JSON is that JSON; other text is a JSON string.
fn stored_text(text: &str) -> Option<String> {
    let trimmed = text.trim();
    // A whole value is parsed, and not only scanned: its bounded depth and finite numbers keep every later reader safe.
    match serde_json::from_str(trimmed) {
        _ if trimmed.is_empty() => None,
        Ok(Value::Null) => None,
        Ok(Value::Object(_)) => stored_object(trimmed),
        Ok(_) => Some(trimmed.to_owned()),
        Err(_) => Some(Value::from(text).to_string()),
    }
}

/// The object with as many of its first pairs as the bounds allow.
fn stored_object(object: &str) -> Option<String> {
    let mut stored = String::from("{");
    for (key, value) in kept_pairs(object) {
        let comma = if stored.len() > 1 { "," } else { "" };
        let pair = format!("{comma}{}:{value}", Value::from(key));
        if stored.len() + pair.len() + "}".len() > SENT_BYTES_MAX {
            break;
        }
        stored.push_str(&pair);
    }
    stored.push('}');
    (stored.len() > 2).then_some(stored)
}

/// The pairs that may be stored, each value as JSON. Of two equal keys the later value stands at the earlier place.
fn kept_pairs(object: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut seen = 0;
    let each = |key: Cow<'_, str>, value: &RawValue| {
        seen += 1;
        if seen > PAIRS_MAX || key.trim().is_empty() {
            return;
        }
        let Some(value) = kept_value(value) else { return };
        let key = first_chars(&key, KEY_CHARS_MAX);
        match pairs.iter_mut().find(|(held, _)| held == key) {
            Some((_, held)) => *held = value,
            None => pairs.push((key.to_owned(), value)),
        }
    };
    // The caller's object has been scanned as a part of the body or of the text.
    json::for_each_pair(object, each).ok();
    pairs
}

/// The value as JSON text, unless it is nested, null, blank, or a number that not every reader of JSON takes.
fn kept_value(value: &RawValue) -> Option<String> {
    if let Some(text) = json::text(value) {
        let is_blank = text.trim().is_empty();
        return (!is_blank).then(|| Value::from(first_chars(&text, VALUE_CHARS_MAX)).to_string());
    }
    let raw = value.get();
    let is_kept = match raw {
        "true" | "false" => true,
        _ => raw.len() <= VALUE_CHARS_MAX && raw.parse::<f64>().is_ok_and(f64::is_finite),
    };
    is_kept.then(|| raw.to_owned())
}

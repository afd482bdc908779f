//! JSON without a tree: the pairs of an object as raw text, and the few types that fields have.
//!
//! Raw values are scanned without recursion and keep numbers as the digits that were sent.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::PayloadError;

/// Calls `each` with every pair of the object `json`, in order.
pub(crate) fn for_each_pair<'a>(
    json: &'a str,
    each: impl FnMut(Cow<'a, str>, &'a RawValue),
) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_map(Pairs(each))?;
    deserializer.end()
}

/// Whether `value` is an object.
pub(super) fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

/// The text of a JSON string; `None` for any other type.
pub(crate) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    if value.get().starts_with('"') { serde_json::from_str(value.get()).map(|Text(text)| text).ok() } else { None }
}

/// The text of a field that must be a string.
pub(super) fn required_text<'a>(field: &'static str, value: &'a RawValue) -> Result<Cow<'a, str>, PayloadError> {
    text(value).ok_or_else(|| PayloadError::wrong_type(field, "must be a string"))
}

/// The value of a field that must be a boolean.
pub(super) fn boolean(field: &'static str, value: &RawValue) -> Result<bool, PayloadError> {
    match value.get() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(PayloadError::wrong_type(field, "must be true or false")),
    }
}

/// The value of a field that must be a boolean, or 0 or 1 in its place.
pub(super) fn flag(field: &'static str, value: &RawValue) -> Result<bool, PayloadError> {
    match value.get() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(PayloadError::wrong_type(field, "must be true, false, 1 or 0")),
    }
}

struct Pairs<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> Visitor<'de> for Pairs<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((Text(key), value)) = map.next_entry()? {
            (self.0)(key, value);
        }
        Ok(())
    }
}

/// A JSON string as text. It is asked for as bytes, because only so `serde_json` lets half a surrogate pair pass.
struct Text<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Text<'de>, E> {
        // Nearly all text is whole, and checking that costs a fraction of looking for what is not.
        Ok(Text(std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(String::from_utf8_lossy(bytes).into_owned())))
    }
}

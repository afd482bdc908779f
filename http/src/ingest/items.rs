//! The items of a batch: where one ends and the next begins, and the ids that they get from the batch's own. What an item
//! says is not looked at here.

use hyper::header::HeaderValue;
use mallard_event::EventId;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::ApiError;

/// Items of one batch.
pub(super) const ITEMS_MAX: usize = 1000;

/// How the items are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A JSON array.
    Array,
    /// A JSON value per line; empty lines are none.
    Lines,
}

impl Form {
    /// By the content type; without one, an array.
    pub(super) fn of(content_type: Option<&HeaderValue>) -> Result<Self, ApiError> {
        let Some(content_type) = content_type else { return Ok(Self::Array) };
        let text = content_type.to_str().unwrap_or_default().to_ascii_lowercase();
        let essence = text.split(';').next().unwrap_or_default().trim();
        match essence {
            "application/x-ndjson" | "application/ndjson" => Ok(Self::Lines),
            _ if super::event::is_json_or_text(content_type) => Ok(Self::Array),
            _ => Err(ApiError::UnsupportedMediaType),
        }
    }
}

/// The items of `body`: 1 to [`ITEMS_MAX`].
pub(super) fn split(body: &[u8], form: Form) -> Result<Vec<&[u8]>, ApiError> {
    let items = match form {
        Form::Array => array(body)?,
        Form::Lines => {
            let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            lines.take(ITEMS_MAX + 1).collect()
        }
    };
    match items.len() {
        0 => Err(ApiError::bad_request("body holds no event")),
        1..=ITEMS_MAX => Ok(items),
        _ => Err(ApiError::bad_request(format!("body must hold at most {ITEMS_MAX} events"))),
    }
}

/// The ids that items without one of their own get: `<key>:<index>`.
pub(super) fn ids(key: Option<&str>, count: usize) -> Result<Vec<Option<EventId>>, ApiError> {
    let Some(key) = key else { return Ok(vec![None; count]) };
    let ids = (0..count).map(|index| EventId::parse(&format!("{key}:{index}")).map(Some));
    ids.collect::<Result<_, _>>().map_err(|_| {
        ApiError::bad_request("Idempotency-Key with :<index> behind it must be 1 to 64 visible ASCII characters")
    })
}

fn array(body: &[u8]) -> Result<Vec<&[u8]>, ApiError> {
    let malformed = |error: serde_json::Error| ApiError::bad_request(format!("body is not a JSON array: {error}"));
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let items = deserializer.deserialize_seq(Items).map_err(malformed)?;
    deserializer.end().map_err(malformed)?;
    Ok(items.into_iter().map(|item| item.get().as_bytes()).collect())
}

/// As many items as there may be.
struct Items;

impl<'de> Visitor<'de> for Items {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
            if items.len() > ITEMS_MAX {
                return Err(A::Error::custom(format!("more than {ITEMS_MAX} events")));
            }
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(body: &str, form: Form) -> Result<Vec<String>, String> {
        let items = split(body.as_bytes(), form).map_err(|error| error.to_string())?;
        Ok(items.into_iter().map(|item| String::from_utf8_lossy(item).into_owned()).collect())
    }

    #[test]
    fn an_array_and_lines_hold_the_same_items() {
        let expected = vec![r#"{"a":[1,"]"]}"#.to_owned(), "7".to_owned()];
        assert_eq!(items(r#" [{"a":[1,"]"]}, 7] "#, Form::Array).unwrap(), expected);
        assert_eq!(items("{\"a\":[1,\"]\"]}\n\n7\n", Form::Lines).unwrap(), expected);
        assert_eq!(items("{}\r\n{}", Form::Lines).unwrap(), ["{}\r", "{}"]);
    }

    #[test]
    fn what_is_no_array_or_holds_nothing_or_too_much_is_refused() {
        for body in ["", "{}", "7", "[1,", "[1] x", "[1,]", "null"] {
            assert!(items(body, Form::Array).unwrap_err().starts_with("body is not a JSON array: "), "{body}");
        }
        assert_eq!(items("[]", Form::Array).unwrap_err(), "body holds no event");
        assert_eq!(items(" \n\n", Form::Lines).unwrap_err(), "body holds no event");
        let of = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert_eq!(items(&of(1000), Form::Array).unwrap().len(), 1000);
        assert!(items(&of(1001), Form::Array).unwrap_err().contains("more than 1000 events"));
        assert_eq!(items(&"1\n".repeat(1001), Form::Lines).unwrap_err(), "body must hold at most 1000 events");
    }

    #[test]
    fn a_batchs_id_becomes_one_per_item() {
        let ids =
            |key: &str, count| super::ids(Some(key), count).map(|ids| ids[count - 1].as_ref().unwrap().to_string());
        assert_eq!(ids("K", 1000).unwrap(), "K:999");
        assert_eq!(ids(&"k".repeat(62), 10).unwrap().len(), 64);
        assert!(ids(&"k".repeat(62), 11).is_err() && ids("a b", 1).is_err());
    }
}

//! Any bytes as the body of `POST /api/events`, as a JSON array and as lines: no panic, and every item is one JSON value or one line,
//! in order, within the bounds. Takes the file of the HTTP crate alone, for that crate links DuckDB.
#![no_main]

/// What that file takes from the rest of its crate.
mod error {
    #[derive(Debug)]
    pub enum ApiError {
        UnsupportedMediaType,
        BadRequest,
    }

    impl ApiError {
        pub fn bad_request(_message: impl Into<String>) -> Self {
            Self::BadRequest
        }
    }
}
mod event {
    pub fn is_json_or_text(_content_type: &hyper::header::HeaderValue) -> bool {
        true
    }
}
#[expect(dead_code, reason = "the form of a batch and its ids are the request's, not the body's")]
#[path = "../../http/src/ingest/items.rs"]
mod items;

use items::{Form, split};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

const ITEMS_MAX: usize = 1000;

fuzz_target!(|body: &[u8]| {
    let array = split(body, Form::Array).unwrap_or_default();
    // As text: what is not UTF-8 may be skipped by a reader, and is no item.
    if let Some(all) = str::from_utf8(body).ok().and_then(|text| serde_json::from_str::<Vec<IgnoredAny>>(text).ok()) {
        assert_eq!(array.len(), if all.len() > ITEMS_MAX { 0 } else { all.len() }, "every value is an item");
    }
    for item in &array {
        assert!(serde_json::from_slice::<IgnoredAny>(item).is_ok(), "an item is a JSON value");
    }
    let lines = split(body, Form::Lines).unwrap_or_default();
    for line in &lines {
        assert!(!line.contains(&b'\n') && !line.trim_ascii().is_empty(), "an item is a line");
    }
    for items in [array, lines] {
        assert!(items.len() <= ITEMS_MAX);
        let starts: Vec<_> = items.iter().map(|item| item.as_ptr()).collect();
        assert!(starts.is_sorted(), "items are in the order of the body");
    }
});

//! `GET /api/openapi.json`: the API as an OpenAPI 3.1 document.
//!
//! It is written by hand, one file per area in `http/openapi/`, and put together once. A route is added to its file when it
//! is added to the table: the tests here compare the two in both directions, `http/tests/openapi.rs` compares the schemas
//! with real answers, and `scripts/api` lets a generator of requests look for answers that no schema describes.

use std::sync::LazyLock;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;
use crate::request::Request;
use crate::response::{self, JSON, Response};

/// What the document is made of. The first one has what belongs to no area.
const PARTS: [&str; 9] = [
    include_str!("../openapi/root.json"),
    include_str!("../openapi/ingest.json"),
    include_str!("../openapi/reports.json"),
    include_str!("../openapi/plausible.json"),
    include_str!("../openapi/access.json"),
    include_str!("../openapi/segments.json"),
    include_str!("../openapi/sites.json"),
    include_str!("../openapi/store.json"),
    include_str!("../openapi/operation.json"),
];

/// The document as it is sent, with its tag.
#[derive(Debug)]
struct Document {
    body: Bytes,
    etag: HeaderValue,
}

static DOCUMENT: LazyLock<Result<Document, String>> = LazyLock::new(|| Document::assemble().map_err(|e| e.to_string()));

/// The document.
pub(crate) fn get(request: &Request) -> Result<Response, ApiError> {
    let document = DOCUMENT.as_ref().map_err(ApiError::internal)?;
    let is_known = request.headers().get(IF_NONE_MATCH) == Some(&document.etag);
    let mut response = match is_known {
        true => response::empty(StatusCode::NOT_MODIFIED),
        false => response::body(StatusCode::OK, JSON, document.body.clone()),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.headers_mut().insert(ETAG, document.etag.clone());
    Ok(response)
}

impl Document {
    fn assemble() -> Result<Self, Box<dyn std::error::Error>> {
        let body = whole()?.to_string();
        let hash: String = Sha256::digest(&body).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { etag: HeaderValue::try_from(format!("\"{hash}\""))?, body: body.into() })
    }
}

/// All parts as one object, under the version of this program.
fn whole() -> Result<Value, serde_json::Error> {
    let mut whole = Value::Null;
    for part in PARTS {
        merge(&mut whole, serde_json::from_str(part)?);
    }
    if let Some(version) = whole.pointer_mut("/info/version") {
        *version = env!("CARGO_PKG_VERSION").into();
    }
    Ok(whole)
}

/// Objects become one object; anything else takes the place of what was there.
fn merge(into: &mut Value, part: Value) {
    match (into, part) {
        (Value::Object(into), Value::Object(part)) => {
            for (key, value) in part {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, part) => *into = part,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// `GET /api/stats/breakdown/{}`: what stands between braces is a name for the reader.
    fn documented() -> BTreeSet<String> {
        let whole = whole().unwrap();
        let mut routes = BTreeSet::new();
        for (path, item) in whole["paths"].as_object().unwrap() {
            let path: Vec<&str> = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect();
            for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
                routes.insert(format!("{} {}", method.to_uppercase(), path.join("/")));
            }
        }
        routes
    }

    /// The lines of the table in `routes.rs`, read from its source: `(&Method::GET, ["api", "stats", name]) => ..`.
    fn in_table() -> BTreeSet<String> {
        let (table, _tests) = include_str!("routes.rs").split_once("#[cfg(test)]").unwrap();
        let mut routes = BTreeSet::new();
        for line in table.split("(&Method::").skip(1) {
            let (method, patterns) = line.split_once(',').unwrap();
            let (patterns, _handler) = patterns.split_once("=>").unwrap();
            for pattern in patterns.split('[').skip(1) {
                let segments = pattern.split(']').next().unwrap().split(',').map(str::trim);
                let path: String = segments
                    .map(|segment| match segment.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
                        Some(literal) => format!("/{literal}"),
                        None => "/{}".to_owned(),
                    })
                    .collect();
                routes.insert(format!("{method} {path}"));
            }
        }
        routes
    }

    #[test]
    fn every_route_is_documented_and_every_documented_route_exists() {
        let (documented, in_table) = (documented(), in_table());
        let missing: Vec<_> = in_table.difference(&documented).collect();
        assert!(missing.is_empty(), "not in http/openapi/: {missing:?}");
        let invented: Vec<_> = documented.difference(&in_table).collect();
        assert!(invented.is_empty(), "documented, and not in the table: {invented:?}");
    }

    /// A generator that checks statuses would take any status for described where there is a `default`.
    #[test]
    fn every_status_is_named_and_those_that_any_request_can_meet_are_everywhere() {
        let whole = whole().unwrap();
        for (path, item) in whole["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let place = format!("{method} {path}");
                let statuses: BTreeSet<&str> =
                    operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
                let has = |expected: &[&str]| {
                    expected.iter().for_each(|status| assert!(statuses.contains(status), "{place} lacks {status}"));
                };
                assert!(statuses.iter().all(|status| status.parse::<u16>().is_ok()), "{place}: {statuses:?}");
                has(&["414", "431", "500"]);
                if operation.get("requestBody").is_some() {
                    has(&["400", "408", "413", "503"]);
                }
                let ways = operation["security"].as_array().unwrap();
                if !ways.is_empty() && !ways.contains(&serde_json::json!({})) {
                    has(&["401", "403"]);
                }
                if path.contains("{site_id}") {
                    has(&["400"]);
                }
                if path.contains("{id}") {
                    has(&["404"]);
                }
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_no_name_is_taken_twice() {
        let whole = whole().unwrap();
        let mut waiting = vec![&whole];
        while let Some(value) = waiting.pop() {
            if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
                assert!(whole.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
            }
            match value {
                Value::Object(fields) => waiting.extend(fields.values()),
                Value::Array(items) => waiting.extend(items),
                _ => {}
            }
        }
        let items = whole["paths"].as_object().unwrap().values();
        let operations = items.flat_map(|item| item.as_object().unwrap().values());
        let ids: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    }
}

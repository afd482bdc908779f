//! An export that is larger than all that a connection buffers.

use serde_json::{Value, json};

use super::{Server, Session};

/// Its events, of `large.example`; twenty megabytes and more.
pub(crate) const LARGE: usize = 30_000;
/// The export, a line for each.
pub(crate) const EXPORT: &str = "/api/stats/export?site_id=large.example&period=7d&kind=events&format=json";

/// Stores the events.
pub(crate) fn fill(server: &Server, session: &Session<'_>) {
    let key = session.create_key(&json!({ "name": "filler", "scope": "Ingest" }));
    let item = json!({ "d": "large.example", "n": "pageview", "u": "/", "p": { "text": "x".repeat(600) } });
    let batch = Value::Array(vec![item; 1000]);
    for _ in 0..LARGE / 1000 {
        server.post_batch(&key, &batch);
    }
}

/// The request for it.
pub(crate) fn request(session: &Session<'_>) -> Vec<u8> {
    format!("GET {EXPORT} HTTP/1.1\r\nhost: localhost\r\ncookie: {}\r\n\r\n", session.cookie()).into_bytes()
}

//! Questions that take too long, over HTTP: they end at the time limit, or when their client has gone, and the next one is
//! answered.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, prints its counts, and is no interface"
)]

mod support;

use serde_json::{Value, json};
use support::http::Client;
use support::{Server, Session, until};

const SITE: &str = "slow.example";
/// Matches nothing, after a hundred ways of going on have been followed through all of a long text.
const PATTERN: &str = "x[xy]{100}[0-9A-F]{2}";
/// Long paths, in as many batches as the longest body takes.
const BATCHES: usize = 5;
const EVENTS: usize = 400;
/// What is asked in between.
const QUICK: &str = "/api/stats/main?site_id=quick.example&period=day";

/// A server with one query at a time, and events over which the slow question takes minutes.
fn slow_server(data_dir: &std::path::Path, timeout_secs: &str) -> Server {
    let limits = [
        ("MALLARD_MAX_CONCURRENT_QUERIES", "1"),
        ("MALLARD_QUERY_TIMEOUT_SECS", timeout_secs),
        ("MALLARD_CACHE_TTL", "0"),
    ];
    let server = Server::with_password(data_dir, &limits);
    let key = server.log_in().create_key(&json!({ "name": "importer", "scope": "Ingest" }));
    let event = json!({ "d": SITE, "n": "pageview", "u": format!("https://{SITE}/{}", without_order()) });
    for _ in 0..BATCHES {
        server.post_batch(&key, &Value::Array(vec![event.clone(); EVENTS]));
    }
    server
}

/// A long text of two letters that does not repeat itself.
fn without_order() -> String {
    let mut state = 1_u32;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if state >> 31 == 0 { 'x' } else { 'y' }
    };
    (0..1980).map(|_| letter()).collect()
}

/// A question with as many patterns as a filter may have.
fn slow_question() -> String {
    let term = json!(["matches", "event:page", vec![PATTERN; 10]]);
    let filters = json!([["or", [term, term]]]).to_string();
    let filters: String = url::form_urlencoded::byte_serialize(filters.as_bytes()).collect();
    format!("/api/stats/main?site_id={SITE}&period=day&filters={filters}")
}

/// A client that has asked the slow question and waits.
fn ask_slowly(server: &Server, session: &Session<'_>) -> Client {
    let mut client = server.connect();
    let request =
        format!("GET {} HTTP/1.1\r\nhost: localhost\r\ncookie: {}\r\n\r\n", slow_question(), session.cookie());
    client.send(request.as_bytes()).unwrap();
    client
}

#[test]
fn a_query_whose_client_has_gone_ends_and_the_next_one_is_answered() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = slow_server(data_dir.path(), "600");
    let session = server.log_in();
    let mut slow = ask_slowly(&server, &session);
    while session.get(QUICK).status == 200 {
        if slow.has_answer() {
            assert_eq!(slow.read_response().unwrap().status, 429, "it may have met the question in between");
            slow = ask_slowly(&server, &session);
        }
    }
    drop(slow);
    until("a question is answered again", || session.get(QUICK).status == 200);
    assert_eq!(server.metric("mallard_query_rejections_total{reason=\"cancelled\"}"), 1);
    assert_eq!(server.metric("mallard_query_rejections_total{reason=\"time\"}"), 0);
}

#[test]
fn a_query_past_its_time_limit_says_so_and_the_next_one_is_answered() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = slow_server(data_dir.path(), "1");
    let session = server.log_in();
    let slow = session.get(&slow_question());
    assert_eq!((slow.status, slow.error()), (503, "Query time limit exceeded".into()));
    assert_eq!(slow.header("retry-after"), Some("1"));
    assert_eq!(server.metric("mallard_query_rejections_total{reason=\"time\"}"), 1);
    assert_eq!(session.get(QUICK).status, 200);
}

#[test]
fn a_query_that_needs_too_much_memory_says_so_and_the_next_one_is_answered() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let key = session.create_key(&json!({ "name": "importer", "scope": "Ingest" }));
    // More text of different pages than one answer may hold.
    for batch in 0..25 {
        let path = |number: usize| format!("https://{SITE}/{}/{batch}/{number}", "p".repeat(1980));
        let events = (0..EVENTS).map(|number| json!({ "d": SITE, "n": "pageview", "u": path(number) }));
        server.post_batch(&key, &events.collect());
    }
    let refused = session.get(&format!("/api/stats/breakdown/pages?site_id={SITE}&period=day"));
    assert_eq!(
        (refused.status, refused.error()),
        (503, "Query memory limit exceeded. Ask for a shorter range.".into())
    );
    assert_eq!(server.metric("mallard_query_rejections_total{reason=\"memory\"}"), 1);
    assert_eq!(session.pageviews(SITE), 25 * EVENTS as u64, "other questions are answered");
}

//! The cache of answers: it is used, bounded, switched off by its variables, and never answers what is not true any more.

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

use serde_json::json;
use support::Server;

const PATH: &str = "/api/stats/main?site_id=a.example&period=7d";

fn count(server: &Server) {
    assert_eq!(server.post_event(&json!({ "d": "a.example", "n": "pageview", "u": "/" })).status, 202);
}

/// Hits, misses and entries.
fn figures(server: &Server) -> [u64; 3] {
    let metrics = server.get("/metrics").text();
    ["mallard_cache_hits_total", "mallard_cache_misses_total", "mallard_cache_entries"].map(|name| {
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is not in {metrics}"))
    })
}

#[test]
fn the_same_question_is_answered_from_the_cache_until_an_event_arrives() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_CACHE_TTL", "86400")]);
    let session = server.log_in();
    count(&server);
    assert_eq!(session.json(PATH)["total_pageviews"], 1);
    assert_eq!(figures(&server), [0, 1, 1]);
    assert_eq!(session.json(PATH)["total_pageviews"], 1);
    assert_eq!(figures(&server), [1, 1, 1]);
    count(&server);
    assert_eq!(session.json(PATH)["total_pageviews"], 2, "the answer reflects the event at once");
    assert_eq!(figures(&server)[..2], [1, 2]);
    let health = session.json("/health/detailed");
    assert_eq!((&health["cache_entries"], &health["cache_empty"]), (&json!(1), &json!(false)));
}

#[test]
fn without_a_time_to_live_nothing_is_kept() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_CACHE_TTL_SECS", "0")]);
    let session = server.log_in();
    count(&server);
    for _ in 0..3 {
        assert_eq!(session.json(PATH)["total_pageviews"], 1);
    }
    assert_eq!(figures(&server), [0, 3, 0]);
    assert_eq!(session.json("/health/detailed")["cache_empty"], true);
}

#[test]
fn no_more_is_kept_than_the_bound() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_CACHE_MAX_ENTRIES", "1")]);
    let session = server.log_in();
    for site in ["a.example", "b.example"] {
        assert_eq!(server.post_event(&json!({ "d": site, "n": "pageview", "u": "/" })).status, 202);
        assert_eq!(session.pageviews(site), 1);
    }
    assert_eq!(figures(&server), [0, 2, 1]);
}

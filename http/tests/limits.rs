//! What the HTTP front allows: lines, headers, methods, and what every answer carries.

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

use std::fs;
use std::path::Path;

use serde_json::json;
use support::Server;

fn server(data_dir: &tempfile::TempDir) -> Server {
    Server::start(data_dir.path(), &[])
}

#[test]
fn long_lines_and_large_headers_have_statuses_of_their_own() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = server(&data_dir);
    let long_line = server.get(&format!("/health?{}", "x".repeat(8 << 10)));
    assert_eq!((long_line.status, long_line.error().as_str()), (414, "Request line must be at most 8192 bytes"));
    let large = "x".repeat(17 << 10);
    let large = server.connect().request("GET", "/health", &[("x-large", &large)], "").unwrap();
    assert_eq!((large.status, large.error().as_str()), (431, "Request headers must be at most 16384 bytes"));
    let larger = "x".repeat(30 << 10);
    assert_eq!(server.connect().request("GET", "/health", &[("x-larger", &larger)], "").unwrap().status, 431);
    let many = [("x-many", "1"); 101];
    assert_eq!(server.connect().request("GET", "/health", &many, "").unwrap().status, 431);
    assert_eq!(server.get("/health").text(), "ok");
}

#[test]
fn head_is_get_without_the_body_and_wrong_methods_name_the_right_ones() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = server(&data_dir);
    let get = server.get("/mallard.js");
    let mut connection = server.connect();
    let head = connection.request("HEAD", "/mallard.js", &[], "").unwrap();
    assert_eq!((head.status, head.header("content-length")), (200, get.header("content-length")));
    assert_eq!(head.header("etag"), get.header("etag"));
    let wrong = connection.request("DELETE", "/api/stats/main", &[], "").unwrap();
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("HEAD, GET, OPTIONS")));
    assert_eq!(wrong.error(), "Method not allowed");
    let unknown = connection.request("POST", "/nowhere", &[], "").unwrap();
    assert_eq!((unknown.status, unknown.error().as_str()), (404, "Not found"));
}

#[test]
fn a_preflight_is_answered_by_the_rules_of_its_path() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[("MALLARD_DASHBOARD_ORIGIN", "https://dash.example")]);
    let preflight =
        |path: &str| server.connect().request("OPTIONS", path, &[("origin", "https://x.example")], "").unwrap();
    let ingest = preflight("/api/event");
    assert_eq!((ingest.status, ingest.header("access-control-allow-origin")), (204, Some("*")));
    assert_eq!(ingest.header("access-control-allow-headers"), Some("content-type, idempotency-key"));
    let stats = preflight("/api/stats/main");
    assert_eq!((stats.status, stats.header("access-control-allow-origin")), (204, Some("https://dash.example")));
    assert_eq!(stats.header("access-control-allow-credentials"), Some("true"));
    let health = preflight("/health");
    assert_eq!((health.status, health.header("access-control-allow-origin")), (204, None));
}

#[test]
fn every_answer_has_the_security_headers_and_the_requests_id() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = server(&data_dir);
    for path in ["/", "/health", "/api/sites", "/nowhere", "/mallard.js"] {
        let answer = server.connect().request("GET", path, &[("x-request-id", "r-1")], "").unwrap();
        assert_eq!(answer.header("x-request-id"), Some("r-1"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(answer.header("strict-transport-security"), None, "{path}");
    }
}

#[test]
fn no_cache_keeps_json_or_a_refusal() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = server(&data_dir);
    for (path, status) in
        [("/api/auth/status", 200), ("/api/sites", 401), ("/api/nowhere", 404), ("/health/detailed", 200)]
    {
        let answer = server.get(path);
        let kept = (answer.status, answer.header("cache-control"));
        assert_eq!(kept, (status, Some("no-store, no-cache")), "{path}");
    }
    let pixel = server.get("/api/event");
    assert_eq!((pixel.status, pixel.header("cache-control")), (400, Some("no-store")));
    let refused = server.post_event(&json!({ "d": "a.example" }));
    assert_eq!((refused.status, refused.header("cache-control")), (422, Some("no-store, no-cache")));
    let exposed = refused.header("access-control-expose-headers").unwrap();
    assert!(
        exposed.split(", ").any(|name| name == "retry-after"),
        "the tracker waits as long as it is told: {exposed}"
    );
}

#[test]
fn without_a_session_nothing_can_be_read() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = server(&data_dir);
    for path in ["/api/stats/main?site_id=a", "/api/stats/timeseries", "/api/stats/breakdown/pages", "/api/sites"] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")), "{path}");
    }
}

#[test]
fn the_metrics_token_is_asked_for_when_it_is_set() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[("MALLARD_METRICS_TOKEN", "s3cret")]);
    let refused = server.get("/metrics");
    assert_eq!((refused.status, refused.text().as_str()), (401, "Unauthorized"));
    let headers = [("authorization", "Bearer s3cret")];
    let metrics = server.connect().request("GET", "/metrics", &headers, "").unwrap();
    assert_eq!((metrics.status, metrics.header("content-type")), (200, Some("text/plain; version=0.0.4")));
    for name in ["mallard_buffered_events 0", "# TYPE mallard_events_ingested_total counter", "mallard_wal_poisoned 0"]
    {
        assert!(metrics.text().lines().any(|line| line == name), "{name}");
    }
}

/// Compaction never comes: it is asked for at a backlog beyond the one at which events are refused.
#[test]
fn a_backlog_slows_senders_down_before_it_answers_503_and_what_was_acknowledged_stays() {
    let data_dir = tempfile::tempdir().unwrap();
    let variables = [("MALLARD_TEST_BACKLOG_KB", "16"), ("MALLARD_FLUSH_COUNT", "1000000")];
    let server = Server::with_password(data_dir.path(), &variables);
    let event = json!({ "d": "a.example", "n": "pageview", "u": "/" });
    let mut accepted = 0;
    let refused = loop {
        match server.post_event(&event) {
            answer if answer.status == 202 => accepted += 1,
            answer => break answer,
        }
    };
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{}", refused.text());
    let slowed = server.metric("mallard_events_slowed_total");
    assert!(slowed > 2 && slowed < accepted, "{slowed} of {accepted} were slowed down, and the first was not");
    assert_eq!(server.get("/health/ready").status, 200);
    assert_eq!(server.log_in().pageviews("a.example"), accepted);
    server.kill();

    let server = Server::with_password(data_dir.path(), &[]);
    assert_eq!(server.post_event(&event).status, 202, "with room again");
    assert_eq!(server.metric("mallard_events_slowed_total"), 0);
    assert_eq!(server.log_in().pageviews("a.example"), accepted + 1);
}

/// The number that the name of a segment that is prepared has, if one is.
fn prepared_segment(wal: &Path) -> Option<u64> {
    let names = fs::read_dir(wal).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(".wal.new")?.parse().ok()).max()
}

#[test]
fn a_log_that_cannot_begin_a_segment_is_not_ready_until_it_can() {
    let data_dir = tempfile::tempdir().unwrap();
    let wal = data_dir.path().join("wal");
    let server = Server::with_password(data_dir.path(), &[("MALLARD_FLUSH_COUNT", "1")]);
    let event = json!({ "d": "a.example", "n": "pageview", "u": "/" });
    let mut accepted = 0;
    let mut send = || {
        let status = server.post_event(&event).status;
        accepted += u64::from(status == 202);
        status
    };
    assert_eq!(send(), 202);
    let number = loop {
        match prepared_segment(&wal) {
            Some(number) => break number,
            None => assert_eq!(send(), 202),
        }
    };
    // Folders have the names of the segments after it.
    let blocked: Vec<_> = (number + 1..number + 10).map(|next| wal.join(format!("{next:020}.wal.new"))).collect();
    blocked.iter().for_each(|folder| fs::create_dir(folder).unwrap());
    let is_off = (0..10_000).any(|_| {
        send();
        server.get("/health/ready").status == 503
    });
    assert!(is_off, "no event needs another segment any more, or readiness says nothing");
    let session = server.log_in();
    let health = session.json("/health/detailed");
    assert_eq!((&health["status"], &health["ingest"]), (&json!("degraded"), &json!("no_segment")), "{health}");
    let not_ready = server.get("/health/ready");
    assert_eq!((not_ready.status, not_ready.text().as_str()), (503, "database not ready"));
    let refused = server.post_event(&event);
    assert_eq!((refused.status, refused.lsn()), (503, None), "{}", refused.text());
    blocked.iter().for_each(|folder| fs::remove_dir(folder).unwrap());
    while send() != 202 {}
    assert_eq!(server.get("/health/ready").status, 200);
    assert_eq!(session.pageviews("a.example"), accepted);
}

#[test]
fn at_debug_a_request_is_one_line_without_its_query() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[("RUST_LOG", "mallard_metrics=debug")]);
    let asked = server.connect().request("GET", "/health?secret=quince", &[("x-request-id", "r-7")], "").unwrap();
    assert_eq!(asked.status, 200);
    let line = loop {
        let line = server.next_line();
        assert!(!line.to_string().contains("quince"), "{line}");
        if line["target"] == "mallard_metrics::http" {
            break line;
        }
    };
    let fields = &line["fields"];
    assert_eq!((&line["level"], &line["request_id"]), (&json!("DEBUG"), &json!("r-7")), "{line}");
    assert_eq!((&fields["method"], &fields["uri"], &fields["status"]), (&json!("GET"), &json!("/health"), &json!(200)));
    assert!(fields["latency_ms"].is_u64(), "{line}");
}

//! Rate limits of the real binary: what is beyond them, who pays for whom, and what costs nothing.

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
use support::http::Response;

fn send(server: &Server, site: &str, headers: &[(&str, &str)]) -> Response {
    let body = json!({ "d": site, "n": "pageview", "u": "/" }).to_string();
    server.connect().request("POST", "/api/event", headers, &body).unwrap()
}

fn metric(server: &Server, name: &str) -> u64 {
    let metrics = server.get("/metrics").text();
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is not in {metrics}"))
}

#[test]
fn a_site_over_its_rate_is_429_and_others_are_not() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_RATE_LIMIT", "1")]);
    let mut connection = server.connect();
    let body = json!({ "d": "a.example", "n": "pageview", "u": "/" }).to_string();
    let mut accepted = 0;
    let refused = loop {
        let answer = connection.request("POST", "/api/event", &[], &body).unwrap();
        if answer.status == 429 {
            break answer;
        }
        accepted += 1;
        assert_eq!(answer.lsn(), Some(accepted));
    };
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.error(), "Too many events for this site. Try again in a moment.");
    assert_eq!(metric(&server, "mallard_rate_limit_rejections_total"), 1);
    assert_eq!(metric(&server, "mallard_events_rejected_total{reason=\"rate_limit\"}"), 1);
    assert_eq!(send(&server, "b.example", &[]).lsn(), Some(accepted + 1));
    let session = server.log_in();
    assert_eq!(session.pageviews("a.example"), accepted, "a refused event is not stored");
    let key = session.create_key(&json!({ "name": "server", "scope": "Ingest" }));
    for _ in 0..5 {
        assert_eq!(send(&server, "a.example", &[("x-api-key", &key)]).status, 202, "a key has no limit");
    }
}

#[test]
fn one_client_over_its_limit_does_not_stop_another() {
    let data_dir = tempfile::tempdir().unwrap();
    let server =
        Server::start(data_dir.path(), &[("MALLARD_RATE_LIMIT_PER_CLIENT", "1"), ("MALLARD_RATE_LIMIT", "1000")]);
    let from = |address: &str| send(&server, "a.example", &[("x-forwarded-for", address)]);
    let refused = (0..100).map(|_| from("203.0.113.5")).find(|answer| answer.status == 429).unwrap();
    assert_eq!((refused.header("retry-after"), refused.error().contains("this client")), (Some("1"), true));
    assert_eq!(from("203.0.113.6").status, 202);
    let pixel = (0..100).map(|_| {
        let headers = [("x-forwarded-for", "203.0.113.5")];
        server.connect().request("GET", "/api/event?d=a.example&u=%2F", &headers, "").unwrap()
    });
    let pixel = pixel.into_iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!((pixel.header("content-type"), pixel.header("retry-after")), (Some("image/gif"), Some("1")));
}

#[test]
fn bots_and_duplicates_spend_nothing_of_the_rate() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[("MALLARD_RATE_LIMIT", "2")]);
    let body = json!({ "d": "a.example", "n": "pageview", "u": "/", "id": "x" }).to_string();
    let once = |headers: &[(&str, &str)]| server.connect().request("POST", "/api/event", headers, &body).unwrap();
    assert_eq!(once(&[]).lsn(), Some(1));
    for _ in 0..20 {
        assert_eq!(once(&[("user-agent", "Googlebot/2.1")]).status, 202);
        assert_eq!(once(&[]).header("x-mallard-duplicate"), Some("1"));
    }
    assert_eq!(send(&server, "a.example", &[]).lsn(), Some(2));
}

//! Events over the wire: what is accepted, what is refused and why, and that no refusal hurts the next event.

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
use support::Server;
use support::http::Response;

/// Deadlines short enough for a test that waits for them.
const IMPATIENT: (&str, &str) = ("MALLARD_TEST_CLIENT_TIMEOUT_MS", "300");

fn pageview(site: &str) -> Value {
    json!({ "d": site, "n": "pageview", "u": format!("https://{site}/pricing?utm_source=x") })
}

fn with(field: &str, value: Value) -> String {
    let mut event = pageview("bad.example");
    event[field] = value;
    event.to_string()
}

fn post(server: &Server, headers: &[(&str, &str)], body: &str) -> Response {
    server.connect().request("POST", "/api/event", headers, body).unwrap()
}

/// Body, expected status, what the message must name.
fn refusals() -> Vec<(String, u16, &'static str)> {
    let without = |field: &str| {
        let mut event = pageview("bad.example");
        event.as_object_mut().unwrap().remove(field);
        event.to_string()
    };
    vec![
        (String::new(), 400, "body"),
        ("{".into(), 400, "body"),
        ("\u{0}".into(), 400, "body"),
        (r#"{"d":"bad.example","n":"pageview","u":"/"} x"#.into(), 400, "body"),
        ("[]".into(), 422, "body"),
        ("null".into(), 422, "body"),
        (without("d"), 422, "d"),
        (without("n"), 422, "n"),
        (without("u"), 422, "u"),
        (with("d", json!(7)), 422, "d"),
        (with("n", json!(["x"])), 422, "n"),
        (with("u", json!({})), 422, "u"),
        (with("r", json!(1)), 422, "r"),
        (with("w", json!("wide")), 422, "w"),
        (with("w", json!(-1)), 422, "w"),
        (with("i", json!("yes")), 422, "i"),
        (with("id", json!(5)), 422, "id"),
        (with("ra", json!("abc")), 422, "ra"),
        (with("d", json!("")), 400, "d"),
        (with("d", json!("x".repeat(257))), 400, "d"),
        (with("d", json!("a.example,b.example")), 400, "d"),
        (with("d", json!("a/../b")), 400, "d"),
        (with("n", json!("")), 400, "n"),
        (with("n", json!("x".repeat(257))), 400, "n"),
        (with("u", json!("")), 400, "u"),
        (with("u", json!("https://a.example/".to_owned() + &"x".repeat(2048))), 400, "u"),
        (with("u", json!("javascript:alert(1)")), 400, "u"),
        (with("r", json!("x".repeat(2049))), 400, "r"),
        (with("ra", json!(1e11)), 400, "ra"),
        (with("ra", json!("NaN")), 400, "ra"),
        (with("rc", json!("EURO")), 400, "rc"),
        (with("id", json!("x".repeat(65))), 400, "id"),
        (with("id", json!("a b")), 400, "id"),
        (with("p", json!("x".repeat(4097))), 400, "p"),
    ]
}

#[test]
fn a_bad_event_is_refused_by_name_and_the_next_good_one_of_another_site_is_counted() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let mut lsn = 0;
    for (body, status, field) in refusals() {
        let answer = post(&server, &[], &body);
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(answer.error().starts_with(&format!("{field} ")), "{body}: {}", answer.text());
        lsn += 1;
        let good = server.post_event(&pageview("good.example"));
        assert_eq!((good.status, good.lsn()), (202, Some(lsn)), "after {body}");
    }
    assert_eq!(session.pageviews("good.example"), lsn);
    assert_eq!(session.pageviews("bad.example"), 0);
    let sites = session.json("/api/sites");
    assert_eq!(sites.as_array().unwrap().len(), 1, "a refused event creates no site: {sites}");
}

#[test]
fn a_body_of_64_kib_is_read_and_a_larger_one_is_413() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let of_length = |length: usize| {
        let body = pageview("a.example").to_string();
        format!("{body}{}", " ".repeat(length - body.len()))
    };
    assert_eq!(post(&server, &[], &of_length(65_536)).lsn(), Some(1));
    for length in [65_537, 66_560, 400_000] {
        let answer = post(&server, &[], &of_length(length));
        assert_eq!(answer.status, 413, "{length}");
        assert_eq!(answer.error(), "Request body must be at most 65536 bytes");
    }
    assert_eq!(server.post_event(&pageview("a.example")).lsn(), Some(2));
    assert_eq!(server.log_in().pageviews("a.example"), 2);
}

#[test]
fn slow_headers_and_a_slow_body_are_408_and_the_next_event_is_counted() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[IMPATIENT]);
    let mut slow_headers = server.connect();
    slow_headers.send(b"POST /api/event HTTP/1.1\r\nhost: localhost\r\ncontent-").unwrap();
    let answer = slow_headers.read_response().unwrap();
    assert_eq!((answer.status, answer.error().as_str()), (408, "Request headers were not received in time"));
    assert!(slow_headers.is_closed());
    let mut idle = server.connect();
    assert!(idle.is_closed(), "who has sent nothing hears nothing");

    let mut slow_body = server.connect();
    slow_body.send(b"POST /api/event HTTP/1.1\r\nhost: localhost\r\ncontent-length: 90\r\n\r\n{\"d\":").unwrap();
    let answer = slow_body.read_response().unwrap();
    assert_eq!(answer.status, 408);
    assert_eq!(answer.error(), "Request body was not received in time");
    assert!(slow_body.is_closed());

    assert_eq!(server.post_event(&pageview("a.example")).lsn(), Some(1));
    assert_eq!(server.log_in().pageviews("a.example"), 1);
}

#[test]
fn unusual_site_ids_are_sites_like_any_other() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_FLUSH_COUNT", "1")]);
    let long = "x".repeat(256);
    let sites = ["..", ".", "a..b", "A:8080", "-", long.as_str()];
    for (site, lsn) in sites.iter().zip(1..) {
        let event = json!({ "d": site, "n": "pageview", "u": "/" });
        assert_eq!(server.post_event(&event).lsn(), Some(lsn), "{site}");
    }
    server.logged("Flushed events to Parquet");
    let session = server.log_in();
    for site in sites {
        assert_eq!(session.pageviews(site), 1, "{site}");
    }
    assert!(!data_dir.path().parent().unwrap().join("date").exists());
}

#[test]
fn an_event_is_acknowledged_with_its_position_and_its_id() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let mut event = pageview("a.example");
    let generated = server.post_event(&event);
    assert_eq!((generated.status, generated.lsn(), generated.body.len()), (202, Some(1), 0));
    assert_eq!(generated.header("x-mallard-event-id").map(str::len), Some(36));
    assert_eq!(generated.header("access-control-allow-origin"), Some("*"));

    event["id"] = json!("from-body");
    let headers = [("content-type", "application/json"), ("idempotency-key", "from-header")];
    let from_body = post(&server, &headers, &event.to_string());
    assert_eq!(from_body.header("x-mallard-event-id"), Some("from-body"));
    let from_header = post(&server, &headers, &pageview("a.example").to_string());
    assert_eq!(from_header.header("x-mallard-event-id"), Some("from-header"));

    let refused = post(&server, &[("idempotency-key", "a b")], &pageview("a.example").to_string());
    assert_eq!((refused.status, refused.error().starts_with("Idempotency-Key")), (400, true));
    let refused = post(&server, &[("content-type", "text/html")], &pageview("a.example").to_string());
    assert_eq!(refused.status, 415);
}

#[test]
fn bots_are_dropped_politely_unless_the_operator_wants_them() {
    let data_dir = tempfile::tempdir().unwrap();
    let bot = [("user-agent", "Googlebot/2.1")];
    let server = Server::start(data_dir.path(), &[]);
    let dropped = post(&server, &bot, &pageview("a.example").to_string());
    assert_eq!((dropped.status, dropped.lsn(), dropped.header("x-mallard-dropped")), (202, None, Some("bot")));
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("mallard_events_dropped_total{reason=\"bot\"} 1\n"), "{metrics}");
    let from = |referrer: &str| json!({ "d": "a.example", "n": "pageview", "u": "/", "r": referrer }).to_string();
    let spam = from("http://www.semalt.semalt.com/crawler.php?u=http://a.example");
    let dropped = post(&server, &[], &spam);
    assert_eq!((dropped.status, dropped.lsn(), dropped.header("x-mallard-dropped")), (202, None, Some("spam")));
    assert_eq!(server.metric("mallard_events_dropped_total{reason=\"spam\"}"), 1);
    assert_eq!(post(&server, &[], &from("https://notsemalt.com/")).lsn(), Some(1), "another name with the same end");
    drop(server);

    let server = Server::start(data_dir.path(), &[("MALLARD_FILTER_BOTS", "false")]);
    assert_eq!(post(&server, &bot, &pageview("a.example").to_string()).lsn(), Some(2));
    assert_eq!(post(&server, &[], &spam).lsn(), Some(3));
}

#[test]
fn an_allowlist_covers_both_the_origin_and_the_site() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[("MALLARD_SITE_IDS", "a.example,b.example")]);
    let send = |site: &str, origin: Option<&str>| {
        let headers: Vec<(&str, &str)> = origin.map(|origin| ("origin", origin)).into_iter().collect();
        post(&server, &headers, &pageview(site).to_string()).status
    };
    assert_eq!(send("a.example", Some("https://a.example")), 202);
    assert_eq!(send("a.example", Some("https://b.example:8443")), 202);
    assert_eq!(send("a.example", None), 202);
    assert_eq!(send("a.example", Some("https://evil.example")), 403);
    assert_eq!(send("evil.example", Some("https://a.example")), 403);
    assert_eq!(send("evil.example", None), 403);
}

#[test]
fn invented_sites_end_at_the_limit() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[("MALLARD_MAX_SITES", "2")]);
    let send = |site: &str| server.post_event(&pageview(site)).status;
    assert_eq!([send("a.example"), send("b.example"), send("c.example")], [202, 202, 403]);
    assert_eq!(send("a.example"), 202);
}

#[test]
fn the_pixel_counts_and_its_status_tells_the_truth() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let good = server.get("/api/event?d=a.example&u=https%3A%2F%2Fa.example%2Fmail&w=1200");
    assert_eq!((good.status, good.header("content-type"), good.body.len()), (200, Some("image/gif"), 43));
    assert_eq!(good.header("cache-control"), Some("no-store"));
    let bad = server.get("/api/event?d=a.example");
    assert_eq!((bad.status, bad.header("content-type"), bad.body.len()), (400, Some("image/gif"), 43));
    let head = server.connect().request("HEAD", "/api/event?d=a.example&u=%2F", &[], "").unwrap();
    assert_eq!((head.status, head.header("allow")), (405, Some("GET, POST, OPTIONS")));
    let session = server.log_in();
    assert_eq!(session.pageviews("a.example"), 1);
    let pages = session.json("/api/stats/breakdown/pages?site_id=a.example&period=day");
    assert_eq!(pages, json!([{ "value": "/mail", "visitors": 1, "pageviews": 1 }]));
}

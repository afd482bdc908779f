//! Log-ins, sessions and signals over time, with the real binary: what a restart, a limit or a moment changes for those who come in.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, prints its counts, and is no interface"
)]

mod support;

use std::path::Path;

use rustix::process::Signal;
use serde_json::json;
use support::http::Response;
use support::volume::holders;
use support::{Server, until};

const OWN: Option<&str> = Some("http://localhost");

fn log_in(server: &Server, password: &str, headers: &[(&str, &str)]) -> Response {
    let body = json!({ "password": password }).to_string();
    let headers = [&[("content-type", "application/json")], headers].concat();
    server.connect().request("POST", "/api/auth/login", &headers, &body).unwrap()
}

fn cookie_of(answer: &Response) -> String {
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

/// The status of a report for the holder of this cookie.
fn report(server: &Server, cookie: &str) -> u16 {
    let path = "/api/stats/main?site_id=a.example";
    server.connect().request("GET", path, &[("cookie", cookie)], "").unwrap().status
}

#[test]
fn on_fly_the_address_that_fly_names_is_the_clients_and_elsewhere_it_is_not() {
    let data_dir = tempfile::tempdir().unwrap();
    let limit = [("MALLARD_MAX_LOGIN_ATTEMPTS", "2")];
    let try_from = |server: &Server, address: &str| log_in(server, "wrong", &[("fly-client-ip", address)]).status;
    let server = Server::with_password(data_dir.path(), &[&limit[..], &[("FLY_APP_NAME", "app")]].concat());
    assert_eq!([1, 2, 3].map(|_| try_from(&server, "203.0.113.1")), [401, 401, 429]);
    assert_eq!(try_from(&server, "203.0.113.2"), 401, "another client is not locked out");
    let spoofed = [("fly-client-ip", "203.0.113.1"), ("x-forwarded-for", "203.0.113.9")];
    assert_eq!(log_in(&server, "wrong", &spoofed).status, 429, "what the client says of itself changes nothing");
    drop(server);
    let server = Server::with_password(data_dir.path(), &limit);
    let statuses = ["203.0.113.1", "203.0.113.2", "203.0.113.3"].map(|address| try_from(&server, address));
    assert_eq!(statuses, [401, 401, 429], "one peer, whatever the header says");
}

#[test]
fn cookies_are_secure_where_browsers_come_over_https() {
    let data_dir = tempfile::tempdir().unwrap();
    for (variable, value, is_secure) in [
        ("MALLARD_SECURE_COOKIES", "true", true),
        ("MALLARD_DASHBOARD_ORIGIN", "https://stats.example", true),
        ("MALLARD_DASHBOARD_ORIGIN", "http://stats.example", false),
        ("MALLARD_SECURE_COOKIES", "false", false),
    ] {
        let server = Server::with_password(data_dir.path(), &[(variable, value)]);
        let answer = log_in(&server, "correct horse battery", &[]);
        let attributes: Vec<&str> = answer.header("set-cookie").unwrap().split("; ").skip(1).collect();
        assert_eq!(attributes.contains(&"Secure"), is_secure, "{variable}={value}: {attributes:?}");
        assert!(attributes.contains(&"HttpOnly") && attributes.contains(&"SameSite=Strict"), "{attributes:?}");
    }
}

#[test]
fn a_session_ends_with_its_time_and_with_another_password_and_not_with_a_restart() {
    let data_dir = tempfile::tempdir().unwrap();
    let with = |password: &str, ttl: &str| {
        let variables = [("MALLARD_ADMIN_PASSWORD", password), ("MALLARD_SESSION_TTL", ttl)];
        Server::start(data_dir.path(), &variables)
    };
    let server = with("first password", "3600");
    let cookie = cookie_of(&log_in(&server, "first password", &[]));
    assert_eq!(report(&server, &cookie), 200);
    drop(server);
    let server = with("first password", "3600");
    assert_eq!(report(&server, &cookie), 200, "a restart with the same password");
    drop(server);
    let server = with("second password", "1");
    assert_eq!(report(&server, &cookie), 401, "another password ends every session");
    assert_eq!(log_in(&server, "first password", &[]).status, 401);
    let cookie = cookie_of(&log_in(&server, "second password", &[]));
    until("the session has ended", || report(&server, &cookie) != 200);
    assert_eq!(report(&server, &cookie), 401, "its time is over");
    assert_eq!(report(&server, &cookie_of(&log_in(&server, "second password", &[]))), 200);
}

#[test]
fn a_lockout_ends_by_itself() {
    let data_dir = tempfile::tempdir().unwrap();
    let limits = [("MALLARD_MAX_LOGIN_ATTEMPTS", "1"), ("MALLARD_LOGIN_LOCKOUT", "1")];
    let server = Server::with_password(data_dir.path(), &limits);
    assert_eq!(log_in(&server, "wrong", &[]).status, 401);
    let locked = log_in(&server, "correct horse battery", &[]);
    assert_eq!((locked.status, locked.header("retry-after")), (429, Some("1")));
    until("the lockout has ended", || log_in(&server, "correct horse battery", &[]).status != 429);
    assert_eq!(log_in(&server, "correct horse battery", &[]).status, 200);
}

#[test]
fn ids_beyond_the_bound_are_forgotten_oldest_first_and_the_metrics_say_so() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_DEDUP_MAX_IDS", "1000")]);
    let key = server.log_in().create_key(&json!({ "name": "i", "scope": "Ingest" }));
    let event = |number: u32| json!({ "d": "a.example", "n": "pageview", "u": "/", "id": format!("order-{number}") });
    let all = |from: u32, to: u32| (from..to).map(event).collect::<Vec<_>>();
    server.post_batch(&key, &json!(all(0, 1000)));
    assert_eq!(server.post_event(&event(0)).header("x-mallard-duplicate"), Some("1"));
    server.post_batch(&key, &json!(all(1000, 1500)));
    assert!(server.metric("mallard_dedup_entries") <= 1000);
    assert!(server.metric("mallard_dedup_window_seconds") < 86_400, "less than configured");
    assert_eq!(server.post_event(&event(1499)).header("x-mallard-duplicate"), Some("1"), "the newest are known");
    assert_eq!(server.post_event(&event(0)).lsn(), Some(1501), "the oldest is not");
}

#[test]
fn a_second_signal_ends_the_server_at_once_and_loses_nothing() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_SHUTDOWN_TIMEOUT", "600")]);
    let event = json!({ "d": "a.example", "n": "pageview", "u": "/" });
    assert_eq!(server.post_event(&event).status, 202);
    // A request whose body does not come keeps an orderly stop waiting.
    let mut slow = server.connect();
    slow.send(b"POST /api/event HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{").unwrap();
    server.get("/health");
    server.signal(Signal::TERM);
    server.logged("Received SIGTERM");
    server.signal(Signal::INT);
    server.logged("Received a second signal, stopping at once");
    assert_eq!(server.wait().code(), Some(130));
    let server = Server::with_password(data_dir.path(), &[]);
    assert_eq!(server.log_in().pageviews("a.example"), 1);
}

fn send_days(server: &Server, days: &[(&str, &str)]) {
    let key = server.log_in().create_key(&json!({ "name": "i", "scope": "Ingest" }));
    let events: Vec<_> = days
        .iter()
        .map(|(day, page)| {
            json!({ "d": "a.example", "n": "pageview", "u": format!("/{page}"), "ip": "203.0.113.7",
                    "user_agent": "Mozilla/5.0 Firefox/120.0", "timestamp": format!("{day}T10:00:00Z") })
        })
        .collect();
    server.post_batch(&key, &json!(events));
}

fn erased(server: &Server, query: &str) -> (u64, u64) {
    let answer = server.log_in().delete(&format!("/api/gdpr/erase?site_id=a.example&{query}"), OWN);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    (body["db_records_deleted"].as_u64().unwrap(), body["snapshots_rewritten"].as_u64().unwrap())
}

fn count(data_dir: &Path, marker: &str) -> usize {
    holders(data_dir, marker).len()
}

#[test]
fn an_erasure_of_some_days_leaves_nothing_of_them_and_all_of_the_others() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_FLUSH_COUNT", "4")]);
    let days = [("2026-01-01", "medlar"), ("2026-01-02", "quince"), ("2026-01-03", "quince"), ("2026-01-04", "walnut")];
    send_days(&server, &days);
    server.logged("Flushed events to Parquet");
    assert_eq!(server.log_in().post("/api/store/snapshots", OWN).status, 201);
    // Some of the days are hot, too.
    send_days(&server, &days[1..3]);
    assert_eq!(erased(&server, "start_date=2026-01-02&end_date=2026-01-03"), (4, 1));
    assert_eq!(count(data_dir.path(), "quince"), 0);
    assert!(count(data_dir.path(), "medlar") >= 2 && count(data_dir.path(), "walnut") >= 2, "in files and a snapshot");
}

#[test]
fn a_visitor_is_erased_from_a_snapshot_as_well() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_FLUSH_COUNT", "2")]);
    send_days(&server, &[("2026-01-01", "quince"), ("2026-01-02", "walnut")]);
    server.logged("Flushed events to Parquet");
    assert_eq!(server.log_in().post("/api/store/snapshots", OWN).status, 201);
    let export =
        "/api/stats/export?site_id=a.example&kind=events&format=json&start_date=2026-01-01&end_date=2026-01-01";
    let row: serde_json::Value = serde_json::from_slice(&server.log_in().get(export).body).unwrap();
    let visitor = row["visitor_id"].as_str().unwrap();
    assert!(count(data_dir.path(), visitor) >= 1, "by a raw search");
    let days = "start_date=2025-01-01&end_date=2026-12-31";
    assert_eq!(erased(&server, &format!("{days}&visitor_id={visitor}")), (1, 1));
    assert_eq!((count(data_dir.path(), visitor), count(data_dir.path(), "quince")), (0, 0));
    assert!(count(data_dir.path(), "walnut") >= 1, "the same person of another day is another id, and stays");
}

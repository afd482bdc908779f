//! The list of sites and what operators decide about each, against the real binary.

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

fn body(answer: &Response, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn a_site_is_listed_at_once_with_its_settings_which_survive_sigkill() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let before =
        body(&session.send_json("PUT", "/api/sites/a.example%3A8080", &json!({ "timezone": "europe/berlin" })), 200);
    let settings = json!({ "site_id": "a.example:8080", "timezone": "Europe/Berlin", "identify_users": false,
                           "first_event_at": null, "last_event_at": null, "events_total": 0 });
    assert_eq!(before, settings);
    assert_eq!(session.json("/api/sites"), json!([]), "a site is listed when it has an event");
    for site in ["b.example", "a.example:8080", "b.example"] {
        assert_eq!(server.post_event(&json!({ "d": site, "n": "pageview", "u": "/" })).status, 202);
    }
    server.kill();

    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let changed = session.send_json("PUT", "/api/sites/a.example:8080", &json!({ "identify_users": true }));
    let changed = body(&changed, 200);
    let sites = session.json("/api/sites");
    assert_eq!(sites[0], changed);
    assert_eq!((&changed["timezone"], &changed["identify_users"]), (&json!("Europe/Berlin"), &json!(true)));
    assert_eq!((&sites[1]["timezone"], &sites[1]["identify_users"]), (&json!("UTC"), &json!(false)));
    assert_eq!((&sites[0]["events_total"], &sites[1]["events_total"]), (&json!(1), &json!(2)));
    assert_eq!(sites[0]["first_event_at"], sites[0]["last_event_at"]);
}

#[test]
fn the_days_of_a_site_are_those_of_its_zone_unless_a_question_names_another() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let key = session.create_key(&json!({ "name": "i", "scope": "Ingest" }));
    let event =
        json!([{ "d": "a.example", "n": "pageview", "u": "/", "timestamp": "2024-01-31T23:30:00Z" }]).to_string();
    let sent = server.connect().request("POST", "/api/events", &[("x-api-key", &key)], &event).unwrap();
    assert_eq!(body(&sent, 202)["accepted"], 1);
    let views = |day: &str, zone: &str| {
        let path = format!("/api/stats/main?site_id=a.example&start_date={day}&end_date={day}{zone}");
        session.json(&path)["total_pageviews"].as_u64().unwrap()
    };
    assert_eq!([views("2024-01-31", ""), views("2024-02-01", "")], [1, 0]);
    let berlin = session.send_json("PUT", "/api/sites/a.example", &json!({ "timezone": "Europe/Berlin" }));
    assert_eq!(berlin.status, 200);
    assert_eq!([views("2024-01-31", ""), views("2024-02-01", "")], [0, 1]);
    assert_eq!([views("2024-01-31", "&timezone=UTC"), views("2024-02-01", "&timezone=UTC")], [1, 0]);
}

#[test]
fn who_may_not_change_a_site_does_not() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let put = |site: &str, key: &str| {
        let headers = [("x-api-key", key)];
        server.connect().request("PUT", &format!("/api/sites/{site}"), &headers, "{\"identify_users\":true}").unwrap()
    };
    let reader = session.create_key(&json!({ "name": "r", "scope": "ReadOnly" }));
    let admin = session.create_key(&json!({ "name": "a", "scope": "Admin", "sites": ["a.example"] }));
    assert_eq!(put("a.example", "").status, 401);
    assert_eq!(put("a.example", &reader).status, 403);
    assert_eq!(put("b.example", &admin).status, 403);
    assert_eq!(put("a.example", &admin).status, 200);
    for (request, status, message) in [
        (json!({ "timezone": "Mars/Base" }), 400, "Invalid timezone: 'Mars/Base'."),
        (json!({ "identify_users": "yes" }), 422, "Invalid JSON: "),
    ] {
        let answer = session.send_json("PUT", "/api/sites/a.example", &request);
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.error().starts_with(message), "{}", answer.text());
    }
    assert_eq!(session.send_json("PUT", "/api/sites/a%2Fb", &json!({})).status, 400);
}

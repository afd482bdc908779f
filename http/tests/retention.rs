//! What ends with its time, on the whole volume of a real server: events past retention, and the salt of a past day. And sites
//! of any name, which expire and are erased like any other.

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
use std::process::Command;

use jiff::{ToSpan as _, Zoned, tz::TimeZone};
use serde_json::{Value, json};
use support::volume::holders;
use support::{Server, Session};

const OWN: Option<&str> = Some("http://localhost");
const OLD_ONLY: &str = "old.example";

fn day(days_ago: i64) -> String {
    (Zoned::now().with_time_zone(TimeZone::UTC).date() - days_ago.days()).to_string()
}

/// Site ids that are file names of another meaning, or too long for one.
fn sites() -> [String; 5] {
    ["..".into(), ".".into(), "a..b".into(), "a.example".into(), "x".repeat(256)]
}

fn view(site: &str, page: &str, day: &str) -> Value {
    json!({ "d": site, "n": "pageview", "u": format!("/{page}"), "timestamp": format!("{day}T10:00:00Z") })
}

/// Two old events of each site and one of today; the old ones are called quince.
fn send(server: &Server, session: &Session<'_>) {
    let key = session.create_key(&json!({ "name": "i", "scope": "Ingest" }));
    let mut events = vec![view(OLD_ONLY, "quince", &day(400))];
    for site in sites() {
        events.extend([
            view(&site, "quince", &day(400)),
            view(&site, "quince", &day(366)),
            view(&site, "walnut", &day(1)),
        ]);
    }
    server.post_batch(&key, &Value::Array(events));
}

fn verify(data_dir: &Path) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
    command.env_clear().args(["verify", "--data-dir"]).arg(data_dir).output().unwrap().status.code()
}

#[test]
fn events_past_retention_leave_every_tier_of_every_site_and_answers_are_zeros() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = Server::with_password(&data_dir, &[("MALLARD_FLUSH_COUNT", "16")]);
    send(&server, &server.log_in());
    server.logged("Flushed events to Parquet");
    send(&server, &server.log_in());
    server.logged("Flushed events to Parquet");
    server.kill();
    // A third time into the log alone, and all of it into a snapshot.
    let server = Server::with_password(&data_dir, &[]);
    send(&server, &server.log_in());
    assert_eq!(server.log_in().post("/api/store/snapshots", OWN).status, 201);
    assert!(holders(&data_dir, "quince").len() > 3 * sites().len());
    server.kill();

    let server = Server::with_password(&data_dir, &[("MALLARD_RETENTION_DAYS", "365")]);
    let line = server.logged("Data retention cleanup completed");
    assert_eq!(line["fields"]["retention_days"], 365);
    while !holders(&data_dir, "quince").is_empty() {
        server.get("/health");
    }
    let session = server.log_in();
    let range = format!("start_date={}&end_date={}", day(401), day(0));
    let count =
        |site: &str| session.json(&format!("/api/stats/main?site_id={site}&{range}"))["total_pageviews"].clone();
    for site in sites() {
        assert_eq!(count(&site), 3, "{site}");
    }
    assert_eq!(count(OLD_ONLY), 0, "the last file of a site is gone: zeros and no error");
    // By day: how many months 402 days touch depends on the day of the month.
    let days = session.json(&format!("/api/stats/timeseries?site_id={OLD_ONLY}&{range}&interval=day"));
    assert_eq!(days.as_array().unwrap().len(), 402);
    assert_eq!(session.json(&format!("/api/stats/breakdown/pages?site_id={OLD_ONLY}&{range}")), json!([]));
    let listed = session.json("/api/sites");
    assert_eq!(listed.as_array().unwrap().len(), sites().len());
    assert_eq!(server.metric("mallard_events_expired_total"), 33);
    assert_eq!(verify(&data_dir), Some(0));
    let outside: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(outside, ["data"], "nothing is outside of the data directory");
}

#[test]
fn sites_of_any_name_are_erased_from_the_volume_and_no_other_is_touched() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = Server::with_password(&data_dir, &[("MALLARD_FLUSH_COUNT", "1")]);
    let session = server.log_in();
    for (number, site) in sites().iter().enumerate() {
        let event = json!({ "d": site, "n": "pageview", "u": format!("/fruit-{number}-of-its-own") });
        assert_eq!(server.post_event(&event).status, 202);
    }
    server.logged("Flushed events to Parquet");
    for (number, site) in sites().iter().enumerate() {
        let path = format!("/api/gdpr/erase?site_id={site}&start_date={}&end_date={}", day(1), day(0));
        let erased: Value = serde_json::from_slice(&session.delete(&path, OWN).body).unwrap();
        assert_eq!((&erased["status"], &erased["db_records_deleted"]), (&json!("erased"), &json!(1)), "{site}");
        for (other, _) in sites().iter().enumerate() {
            let is_there = !holders(&data_dir, &format!("fruit-{other}-of-its-own")).is_empty();
            assert_eq!(is_there, other > number, "{site}: fruit {other}");
        }
        assert_eq!(session.pageviews(site), 0);
    }
    assert_eq!(session.json("/api/sites"), json!([]));
    let outside: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(outside, ["data"]);
}

#[test]
fn the_salt_of_a_past_day_is_nowhere_on_the_volume() {
    let data_dir = tempfile::tempdir().unwrap();
    let event = json!({ "d": "a.example", "n": "pageview", "u": "/" });
    let server = Server::with_password(data_dir.path(), &[]);
    assert_eq!(server.post_event(&event).status, 202);
    let path = data_dir.path().join("control/salt");
    let mut document: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let salt = document["salts"][0]["salt"].as_str().unwrap().to_owned();
    assert_eq!((salt.len(), holders(data_dir.path(), &salt).len()), (64, 1));
    assert_eq!(server.log_in().post("/api/store/snapshots", OWN).status, 201);
    assert_eq!(holders(data_dir.path(), &salt).len(), 1, "it is in no copy, even on its day");
    server.kill();
    document.as_object_mut().unwrap().remove("crc32");
    // The day that has passed.
    document["salts"][0]["date"] = json!(day(2));
    fs::write(&path, document.to_string()).unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    assert_eq!(server.post_event(&event).status, 202);
    assert_eq!(holders(data_dir.path(), &salt), Vec::<String>::new());
    let main = server.log_in().json("/api/stats/main?site_id=a.example&period=7d");
    assert_eq!(
        (&main["total_pageviews"], &main["unique_visitors"]),
        (&json!(2), &json!(2)),
        "another salt, another id"
    );
}

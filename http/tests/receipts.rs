//! What an erasure has removed and what is left, with the real binary: its receipt counts what this erasure has removed, beside
//! others and over a crash; the metrics account for every accepted event at any time; those who wait for an erasure keep nobody
//! else from working.

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

use std::fs::File;
use std::path::Path;
use std::thread::{self, JoinHandle};

use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use support::http::Response;
use support::{Server, Session};

const OWN: Option<&str> = Some("http://localhost");
const DAYS: &str = "start_date=2025-01-01&end_date=2034-12-31";

/// More than the threads that there were for everything.
const ERASURES: u64 = 80;

fn view(server: &Server, site: &str, times: u64) {
    for number in 0..times {
        let event = json!({ "d": site, "n": "pageview", "u": format!("https://{site}/{number}") });
        assert_eq!(server.post_event(&event).status, 202);
    }
}

/// While this lives, no snapshot can be rewritten, and so no erasure be finished.
fn hold_snapshots(data_dir: &Path) -> File {
    let lock = File::open(data_dir.join("snapshots/LOCK")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    lock
}

/// Begins the erasure of a site; returns when no answer shows its events any more.
fn begin(session: &Session<'_>, site: &str) -> JoinHandle<Option<Response>> {
    let path = format!("/api/gdpr/erase?site_id={site}&{DAYS}");
    let erasing = thread::spawn(session.deleting(path, "http://localhost"));
    while session.pageviews(site) > 0 {
        assert!(!erasing.is_finished(), "it cannot be finished yet");
    }
    erasing
}

fn counts(erasing: JoinHandle<Option<Response>>) -> (Value, Value, Value) {
    let answer = erasing.join().unwrap().unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let count = |name: &str| body[name].clone();
    (count("db_records_deleted"), count("parquet_partitions_deleted"), count("wal_segments_rewritten"))
}

#[test]
fn erasures_that_wait_for_each_other_count_what_each_has_removed() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::with_password(home.path(), &[]);
    let session = server.log_in();
    view(&server, "first.example", 1);
    view(&server, "a.example", 2);
    assert_eq!(session.post("/api/store/snapshots", OWN).status, 201);
    let lock = hold_snapshots(home.path());
    let first = begin(&session, "first.example");
    while server.metric("mallard_wal_compacted_lsn") < 4 {
        assert!(!first.is_finished(), "it cannot be finished yet");
    }
    // The first has put these two into a file; the rest is hot, and one compaction leaves it out for both.
    view(&server, "a.example", 3);
    view(&server, "b.example", 4);
    let (one, other) = (begin(&session, "a.example"), begin(&session, "b.example"));
    drop(lock);
    assert_eq!(counts(first), (json!(1), json!(0), json!(1)));
    assert_eq!(counts(one), (json!(5), json!(1), json!(1)));
    assert_eq!(counts(other), (json!(4), json!(0), json!(1)));
    assert_eq!(server.metric("mallard_events_erased_total"), 10);
}

#[test]
fn what_an_erasure_removed_before_a_crash_is_in_its_receipt() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::with_password(home.path(), &[]);
    let session = server.log_in();
    view(&server, "a.example", 3);
    assert_eq!(session.post("/api/store/snapshots", OWN).status, 201);
    let lock = hold_snapshots(home.path());
    let erasing = begin(&session, "a.example");
    while server.metric("mallard_wal_compacted_lsn") < 4 {
        assert!(!erasing.is_finished(), "it cannot be finished yet");
    }
    server.kill();
    assert!(erasing.join().unwrap().is_none(), "nobody has heard of the end");
    drop(lock);
    let server = Server::with_password(home.path(), &[]);
    let line = server.logged("GDPR erasure completed");
    assert_eq!((&line["fields"]["site_id"], &line["fields"]["db_records_deleted"]), (&json!("a.example"), &json!(3)));
    assert_eq!(server.log_in().pageviews("a.example"), 0);
}

/// Accepted, stored, erased and expired, as the metrics say.
fn balance(server: &Server) -> [u64; 4] {
    let text = server.get("/metrics").text();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<u64>().ok()).unwrap_or_else(|| panic!("{name}: {text}"))
    };
    let figures = [
        value("mallard_events_ingested_total"),
        value("mallard_events_stored"),
        value("mallard_events_erased_total"),
        value("mallard_events_expired_total"),
    ];
    assert_eq!(figures[0], figures[1] + figures[2] + figures[3], "accepted = stored + erased + expired: {figures:?}");
    figures
}

#[test]
fn every_accepted_event_is_stored_erased_or_expired_at_any_time_and_in_every_life() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::with_password(home.path(), &[("MALLARD_FLUSH_COUNT", "8")]);
    assert_eq!(balance(&server), [0, 0, 0, 0]);
    let session = server.log_in();
    let key = session.create_key(&json!({ "name": "i", "scope": "Ingest" }));
    let old = json!({ "d": "a.example", "n": "pageview", "u": "/", "timestamp": "2025-01-02T10:00:00Z" });
    server.post_batch(&key, &json!([old, old, old, old]));
    view(&server, "a.example", 4);
    server.logged("Flushed events to Parquet");
    assert_eq!(balance(&server), [8, 8, 0, 0]);
    assert_eq!(session.post("/api/store/snapshots", OWN).status, 201);
    let lock = hold_snapshots(home.path());
    view(&server, "b.example", 3);
    let erasing = begin(&session, "b.example");
    view(&server, "c.example", 2);
    assert_eq!(balance(&server), [13, 10, 3, 0], "the erasure is not finished, and what it took is no more");
    server.kill();
    drop((erasing.join().unwrap(), lock));

    let server = Server::with_password(home.path(), &[]);
    server.logged("GDPR erasure completed");
    assert_eq!(balance(&server), [13, 10, 3, 0]);
    view(&server, "c.example", 1);
    assert_eq!(balance(&server), [14, 11, 3, 0]);
    server.kill();
    let server = Server::with_password(home.path(), &[("MALLARD_RETENTION_DAYS", "1")]);
    server.logged("Data retention cleanup completed");
    assert_eq!(balance(&server), [14, 7, 3, 4]);
    let session = server.log_in();
    let stored: u64 = ["a.example", "b.example", "c.example"].iter().map(|site| session.pageviews(site)).sum();
    assert_eq!(stored, 7, "what the metrics call stored is what reports show");
    server.kill();
    assert_eq!(balance(&Server::with_password(home.path(), &[])), [14, 7, 3, 4]);
}

#[test]
fn nobody_waits_for_a_thread_behind_those_who_wait_for_their_erasures() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::with_password(home.path(), &[]);
    let session = server.log_in();
    view(&server, "a.example", 1);
    assert_eq!(session.post("/api/store/snapshots", OWN).status, 201);
    let lock = hold_snapshots(home.path());
    let erasures: Vec<_> = (0..ERASURES)
        .map(|number| {
            let path = format!("/api/gdpr/erase?site_id=site-{number}&{DAYS}");
            thread::spawn(session.deleting(path, "http://localhost"))
        })
        .collect();
    // One event, and a record for each erasure.
    while server.metric("mallard_wal_durable_lsn") < 1 + ERASURES {
        assert!(!erasures.iter().any(JoinHandle::is_finished), "none can be finished yet");
    }
    assert_eq!(server.log_in().pageviews("a.example"), 1, "a password is checked, and a report made");
    drop(lock);
    for erasing in erasures {
        assert_eq!(counts(erasing), (json!(0), json!(0), json!(0)));
    }
}

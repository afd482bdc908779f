//! `demo`: what it stores is all there, once, whatever interrupted it, and it keeps away from what is not its own.

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

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{Server, until};

const ARGUMENTS: [&str; 3] = ["demo", "--events", "2000"];

/// Every event of a site, as it is exported.
fn exported(server: &Server, site: &str) -> Vec<Value> {
    let path = format!("/api/stats/export?site_id={site}&period=90d&kind=events&format=json");
    let answer = server.log_in_with("mallard-demo").get(&path);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Ids of all events of both sites; none may be there twice. Reports count as many.
fn ids(server: &Server) -> BTreeSet<String> {
    let session = server.log_in_with("mallard-demo");
    let sites = session.json("/api/sites");
    let mut ids = BTreeSet::new();
    for site in sites.as_array().unwrap() {
        let name = site["site_id"].as_str().unwrap();
        let events = exported(server, name);
        let views = events.iter().filter(|event| event["event_name"] == "pageview").count();
        let main = session.json(&format!("/api/stats/main?site_id={name}&period=90d"));
        assert_eq!(main["total_pageviews"].as_u64(), Some(views as u64), "{name}");
        assert!(views > 100, "{name} has {views}");
        for event in events {
            assert!(ids.insert(event["event_id"].as_str().unwrap().to_owned()), "twice: {event}");
        }
    }
    assert_eq!(sites.as_array().unwrap().len(), 2, "{sites}");
    ids
}

/// The number in the line that says that the demo is filled.
fn filled(server: &Server) -> Option<u64> {
    let is_it = |line: &&Value| line["fields"]["message"] == "The demo is filled";
    server.start_lines().iter().find(is_it).map(|line| line["fields"]["events"].as_u64().unwrap())
}

/// Starts a demo for which nothing is ever compacted, so that there is no room for all of it, and kills it when it waits.
fn interrupt(data_dir: &Path) {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"))
        .env_clear()
        .env("MALLARD_DATA_DIR", data_dir)
        .envs([("MALLARD_PORT", "0"), ("MALLARD_TEST_BACKLOG_KB", "16"), ("MALLARD_FLUSH_COUNT", "1000000")])
        .args(ARGUMENTS)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let segment = data_dir.join("wal/00000000000000000001.wal");
    // Behind the header page stands the first frame.
    until("the first frame is in the segment", || {
        fs::read(&segment).is_ok_and(|bytes| bytes.get(4096).is_some_and(|byte| *byte != 0))
    });
    demo.kill().unwrap();
    demo.wait().unwrap();
}

#[test]
fn a_demo_that_was_interrupted_is_filled_further_and_then_left_as_it_is() {
    let data_dir = tempfile::tempdir().unwrap();
    interrupt(data_dir.path());
    let server = Server::run(&ARGUMENTS, data_dir.path(), &[]);
    let going_on = |line: &&Value| line["fields"]["message"] == "The demo was interrupted; it is filled further";
    let line = server.start_lines().iter().find(going_on).expect("it was interrupted");
    let before = line["fields"]["events"].as_u64().unwrap();
    let events = filled(&server).unwrap();
    assert!(before > 0 && before < events, "{before} of {events}");
    let first = ids(&server);
    assert_eq!(first.len() as u64, events);
    server.kill();

    let server = Server::run(&ARGUMENTS, data_dir.path(), &[]);
    assert_eq!(filled(&server), None);
    assert_eq!(ids(&server), first);
}

#[test]
fn a_store_that_is_not_a_demos_is_refused_and_its_password_stays() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let cookie = session.cookie().to_owned();
    assert_eq!(server.post_event(&json!({ "d": "a.example", "n": "pageview", "u": "/" })).status, 202);
    server.kill();
    let output = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"))
        .env_clear()
        .env("MALLARD_DATA_DIR", data_dir.path())
        .env("MALLARD_PORT", "0")
        .args(ARGUMENTS)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{text}");
    assert!(text.contains("a store that is not a demo's; choose another MALLARD_DATA_DIR"), "{text}");

    let server = Server::with_password(data_dir.path(), &[]);
    let again = server.connect().request("GET", "/api/sites", &[("cookie", &cookie)], "").unwrap();
    assert_eq!(again.status, 200, "the session has not ended");
    assert_eq!(server.log_in().pageviews("a.example"), 1);
}

//! What an accepted event can count on in the real binary: at once, over a kill in the middle of a stop, beside events of any
//! bytes, beside a question that goes on, and whatever became of derived or of other sites' files.

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
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};
use support::large::{LARGE, fill, request};
use support::load::{Books, Load};
use support::{Server, Session, until};

const FLUSH: [(&str, &str); 2] = [("MALLARD_FLUSH_COUNT", "1"), ("MALLARD_FLUSH_INTERVAL", "1")];
const STOPS: u64 = 12;

fn view(site: &str) -> Value {
    json!({ "d": site, "n": "pageview", "u": format!("https://{site}/") })
}

#[test]
fn one_event_on_a_quiet_site_is_in_the_next_answer_and_in_the_list_and_survives_sigkill() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    assert_eq!(session.pageviews("a.example"), 0, "an answer that is kept");
    assert_eq!(server.post_event(&view("a.example")).lsn(), Some(1));
    assert_eq!(session.pageviews("a.example"), 1);
    let sites = session.json("/api/sites");
    assert_eq!((&sites[0]["site_id"], &sites[0]["events_total"]), (&json!("a.example"), &json!(1)));
    server.kill();
    let server = Server::with_password(data_dir.path(), &[]);
    assert_eq!(server.log_in().pageviews("a.example"), 1);
    assert_eq!(server.log_in().json("/api/sites"), sites);
}

#[test]
fn a_stop_that_is_cut_short_by_sigkill_loses_nothing_acknowledged() {
    let data_dir = tempfile::tempdir().unwrap();
    let mut books = Books::default();
    for round in 0..STOPS {
        let server = Server::start(data_dir.path(), &[("MALLARD_FLUSH_COUNT", "50")]);
        let load = Load::start(server.address(), round);
        load.wait_for(100);
        server.signal(if round % 2 == 0 { Signal::TERM } else { Signal::INT });
        // The later the round, the further the stop has come.
        load.wait_for((round * 5) as usize);
        server.kill();
        load.settle(&mut books);
    }
    let counts = books.check(data_dir.path());
    println!("{STOPS} stops cut short, {counts:?}");
    assert!(counts.acknowledged as u64 >= 100 * STOPS);
}

/// Bodies that somebody might send by mistake or to see what happens.
fn odd_bodies() -> Vec<Vec<u8>> {
    let site = "odd.example";
    let event = |name: &str, url: &str, props: Value| {
        json!({ "d": site, "n": name, "u": url, "p": props }).to_string().into_bytes()
    };
    let controls: String = (0..32_u8).chain([127]).map(char::from).collect();
    let nested = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let mut bodies = vec![
        event("pageview", &format!("https://{site}/{controls}"), json!({ controls.as_str(): controls })),
        event("\u{202e}\u{0}\u{feff}", "/\u{10ffff}", json!({ "a": "\u{fffd}".repeat(600) })),
        event(&"n".repeat(256), &format!("/{}", "u".repeat(2047)), json!({ "k".repeat(400): "v".repeat(3000) })),
        event("'; DROP TABLE events; --", "/?utm_source=%00%ff%zz&utm_medium=+", json!("{\"not\": closed")),
        event("pageview", "/../../etc/passwd", json!((0..200).map(|n| (n.to_string(), n)).collect::<Vec<_>>())),
        format!(r#"{{"d":"{site}","n":"pageview","u":"/\ud800","p":{{"a":"\udfff"}}}}"#).into_bytes(),
        format!(r#"{{"d":"{site}","n":"pageview","u":"/","ra":1e400,"w":4294967295}}"#).into_bytes(),
        format!(r#"{{"d":"{site}","n":"buy","u":"/","ra":"-9999999999.99995","rc":"eur"}}"#).into_bytes(),
        format!(r#"{{"d":"{site}","n":"pageview","u":"/","p":{nested}}}"#).into_bytes(),
        format!(r#"{{"d":"{site}","d":"other.example","n":"pageview","u":"/"}}"#).into_bytes(),
    ];
    bodies.push([&b"{\"d\":\"odd.example\",\"n\":\"pageview\",\"u\":\"/"[..], &[0xff, 0xfe, 0x80], b"\"}"].concat());
    bodies.extend((0..=255_u8).step_by(17).map(|byte| vec![byte; 300]));
    bodies
}

#[test]
fn no_event_whatever_its_bytes_holds_up_compaction_or_another_site() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &FLUSH);
    let session = server.log_in();
    let (mut odd, mut good) = (0, 0);
    for body in odd_bodies() {
        let mut client = server.connect();
        let head = format!("POST /api/event HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
        client.send(&[head.as_bytes(), &body].concat()).unwrap();
        let answer = client.read_response().unwrap();
        assert!([202, 400, 422].contains(&answer.status), "{}", answer.text());
        odd += u64::from(answer.lsn().is_some());
        good += 1;
        assert!(server.post_event(&view("good.example")).lsn().is_some());
        assert_eq!(session.pageviews("good.example"), good);
    }
    assert!(odd >= 6, "{odd} of them are events");
    until("everything is compacted", || server.metric("mallard_buffered_events") == 0);
    assert_eq!(server.metric("mallard_flush_failures_total"), 0);
    assert_eq!(server.metric("mallard_quarantined_files"), 0);
    assert_eq!(session.json("/health/detailed")["status"], "ok");
    let sites = session.json("/api/sites");
    let total = |site: &str| {
        let found = sites.as_array().unwrap().iter().find(|one| one["site_id"] == site);
        found.map_or(0, |one| one["events_total"].as_u64().unwrap())
    };
    assert_eq!((total("odd.example") + total("other.example"), total("good.example")), (odd, good));
    let events = session.get("/api/stats/export?site_id=odd.example&period=day&kind=events&format=json").text();
    let rows: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len() as u64, total("odd.example"));
    for row in rows.iter().filter_map(|row| row["props"].as_str()) {
        assert!(serde_json::from_str::<Value>(row).is_ok(), "{row}");
    }
}

#[test]
fn events_compaction_and_readiness_do_not_wait_for_a_question_that_goes_on() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[FLUSH[0], ("MALLARD_MAX_CONCURRENT_QUERIES", "2")]);
    let session = server.log_in();
    fill(&server, &session);
    // Nobody takes a byte: the question is not over while the connection stands.
    let mut reader = server.connect();
    reader.send(&request(&session)).unwrap();
    until("everything is compacted", || server.metric("mallard_buffered_events") == 0);
    for number in 1..=20 {
        assert_eq!(server.post_event(&view("a.example")).status, 202);
        assert_eq!(session.pageviews("a.example"), number);
    }
    until("everything is compacted", || server.metric("mallard_buffered_events") == 0);
    assert_eq!(server.get("/health/ready").text(), "ready");
    let answer = reader.read_response().unwrap();
    assert_eq!((answer.status, answer.text().lines().count()), (200, LARGE), "and it ends when it is read");
}

/// The only Parquet file of a site.
fn file_of(data_dir: &Path, site: &str) -> PathBuf {
    let day = fs::read_dir(data_dir.join(format!("events/site_id={site}"))).unwrap().next().unwrap().unwrap().path();
    let files: Vec<PathBuf> = fs::read_dir(day).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    files[0].clone()
}

fn answer(session: &Session<'_>, site: &str) -> (u16, Option<String>) {
    let answer = session.get(&format!("/api/stats/main?site_id={site}&period=7d"));
    (answer.status, answer.header("x-mallard-incomplete").map(str::to_owned))
}

#[test]
fn files_that_are_cut_emptied_or_changed_are_named_and_others_answer_in_full() {
    let data_dir = tempfile::tempdir().unwrap();
    let data_dir = data_dir.path();
    let server = Server::with_password(data_dir, &[("MALLARD_FLUSH_COUNT", "4")]);
    let damaged = ["cut.example", "empty.example", "changed.example"];
    for site in damaged.into_iter().chain(["sound.example"]) {
        assert_eq!(server.post_event(&view(site)).status, 202);
    }
    server.logged("Flushed events to Parquet");
    server.kill();
    let files = damaged.map(|site| file_of(data_dir, site));
    let bytes = fs::read(&files[0]).unwrap();
    fs::write(&files[0], &bytes[..bytes.len() / 2]).unwrap();
    fs::write(&files[1], []).unwrap();
    let mut bytes = fs::read(&files[2]).unwrap();
    bytes[200] ^= 4;
    fs::write(&files[2], &bytes).unwrap();

    let server = Server::with_password(data_dir, &[]);
    let session = server.log_in();
    assert_eq!(answer(&session, "sound.example"), (200, None));
    assert_eq!(session.pageviews("sound.example"), 1);
    for site in damaged {
        assert_eq!(answer(&session, site).0, 500, "{site}: never a zero");
        assert_eq!(server.post_event(&view(site)).status, 202);
        let (status, incomplete) = answer(&session, site);
        assert_eq!(status, 200, "what came since can be read");
        assert!(incomplete.unwrap().starts_with(site), "and the answer says what it misses");
    }
    until("three files are in quarantine", || server.metric("mallard_quarantined_files") >= 3);
    let health = session.json("/health/detailed");
    let reasons: Vec<&str> = health["degraded_reasons"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!((&health["status"], reasons.len()), (&json!("degraded"), 3), "{reasons:?}");
    let mut verify = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
    let output = verify.env_clear().args(["verify", "--data-dir"]).arg(data_dir).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(74), "{said}");
    for file in &files {
        let name = file.strip_prefix(data_dir).unwrap().to_str().unwrap();
        assert!(said.contains(name) && reasons.iter().any(|reason| reason.contains(name)), "{name}: {said}");
        assert!(data_dir.join("quarantine").join(file.file_name().unwrap()).exists(), "{name}");
    }
}

#[test]
fn a_duckdb_file_that_is_damaged_or_missing_is_made_anew_and_changes_no_answer() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &FLUSH);
    assert_eq!(server.post_event(&view("a.example")).status, 202);
    server.logged("Flushed events to Parquet");
    server.kill();
    let derived = data_dir.path().join("mallard.duckdb");
    for damage in ["garbage", "no file", "empty", "half"] {
        let sound = fs::read(&derived).unwrap();
        match damage {
            "garbage" => fs::write(&derived, [7; 5000]).unwrap(),
            "no file" => fs::remove_file(&derived).unwrap(),
            "empty" => fs::write(&derived, []).unwrap(),
            _ => fs::write(&derived, &sound[..sound.len() / 2]).unwrap(),
        }
        let server = Server::with_password(data_dir.path(), &FLUSH);
        let session = server.log_in();
        assert_eq!(session.pageviews("a.example"), 1, "{damage}");
        assert_eq!(session.json("/health/detailed")["status"], "ok", "{damage}");
        // The second event's compaction renews the view.
        assert_eq!(server.post_event(&view("b.example")).status, 202);
        server.logged("Flushed events to Parquet");
        assert_eq!(session.pageviews("a.example"), 1, "{damage}");
        while !fs::read(&derived).is_ok_and(|bytes| bytes.get(8..12) == Some(b"DUCK")) {
            server.get("/health");
        }
        server.kill();
    }
}

//! What may happen to a data directory between two lives of the server: damage to the log, a move, a second process, a
//! program of another age.

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
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::Server;

const SITE: &str = "a.example";

fn post(server: &Server, count: usize) {
    let event = json!({ "d": SITE, "n": "pageview", "u": format!("https://{SITE}/") });
    for _ in 0..count {
        assert_eq!(server.post_event(&event).status, 202);
    }
}

/// The exit code of a start that fails, and its last words.
fn refused(data_dir: &Path, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"))
        .env_clear()
        .envs([("MALLARD_HOST", "127.0.0.1"), ("MALLARD_PORT", "0")])
        .env("MALLARD_DATA_DIR", data_dir)
        .envs(variables.iter().copied())
        .stdout(Stdio::null())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// A store of twenty events, the first of which is damaged: the segment of its log, and what it holds now.
fn damaged_store(data_dir: &Path) -> (PathBuf, Vec<u8>) {
    let server = Server::start(data_dir, &[]);
    post(&server, 20);
    server.kill();
    let segment = data_dir.join("wal/00000000000000000001.wal");
    let mut bytes = fs::read(&segment).unwrap();
    // In the body of the first record, behind the header page and the header of its frame.
    bytes[4096 + 80 + 100] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    (segment, bytes)
}

fn health(server: &Server) -> Value {
    serde_json::from_slice(&server.get("/health/detailed").body).unwrap()
}

#[test]
fn a_damaged_log_is_salvaged_and_the_loss_named_or_refused_and_left_alone() {
    let data_dir = tempfile::tempdir().unwrap();
    let (segment, bytes) = damaged_store(data_dir.path());
    let (code, text) = refused(data_dir.path(), &[("MALLARD_ON_CORRUPTION", "refuse")]);
    assert!(code == Some(74) && text.contains("00000000000000000001.wal is damaged at byte 4096"), "{code:?} {text}");
    assert_eq!(fs::read(&segment).unwrap(), bytes, "nothing was touched");

    let server = Server::with_password(data_dir.path(), &[]);
    assert_eq!(server.log_in().pageviews(SITE), 19);
    let incomplete = |server: &Server, site: &str, range: &str| {
        let answer = server.log_in().get(&format!("/api/stats/main?site_id={site}&{range}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("x-mallard-incomplete").map(str::to_owned)
    };
    let named = incomplete(&server, SITE, "period=7d").expect("the answer may miss events");
    assert!(named.starts_with("a.example 20") && named.contains(".."), "{named}");
    let other = incomplete(&server, "b.example", "period=7d").expect("nobody knows whose events were lost");
    assert_eq!(other, named.replace("a.example", "b.example"));
    let earlier = "period=custom&start_date=2024-01-01&end_date=2024-01-31";
    assert_eq!(incomplete(&server, SITE, earlier), None, "the log says when it was");
    let health = health(&server);
    let reasons: Vec<&str> = health["degraded_reasons"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(health["status"], "degraded");
    assert!(reasons.contains(&"lost lsn 1-1"), "{reasons:?}");
    post(&server, 1);
    server.kill();
    let kept = fs::read_dir(data_dir.path().join("quarantine")).unwrap().map(|entry| entry.unwrap().path());
    assert!(kept.into_iter().any(|file| fs::read(file).unwrap() == bytes), "the damaged original is kept");

    let server = Server::with_password(data_dir.path(), &[]);
    assert_eq!(server.log_in().pageviews(SITE), 20, "a second start loses nothing more");
    assert_eq!(incomplete(&server, SITE, "period=7d").as_ref(), Some(&named));
    let session = server.log_in();
    assert_eq!(session.post("/api/store/acknowledge-loss", Some("http://localhost")).status, 200);
    assert_eq!(incomplete(&server, SITE, "period=7d").as_ref(), Some(&named), "answers say so for ever");
    assert_eq!(self::health(&server)["status"], "ok", "whoever has taken note knows");
}

/// What `mallard-metrics <command>` says about the store, and its exit code.
fn command(command: &str, data_dir: &Path, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
    let output =
        process.env_clear().envs(variables.iter().copied()).args([command, "--data-dir"]).arg(data_dir).output();
    let output = output.unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn a_loss_that_the_policy_refuses_is_not_acknowledged_unseen() {
    let data_dir = tempfile::tempdir().unwrap();
    let (segment, bytes) = damaged_store(data_dir.path());
    let refuse = [("MALLARD_ON_CORRUPTION", "refuse")];
    let (code, text) = command("acknowledge-loss", data_dir.path(), &refuse);
    assert!(code == Some(74) && text.contains("is damaged at byte 4096"), "{code:?} {text}");
    assert_eq!(fs::read(&segment).unwrap(), bytes, "nothing was touched");
    let (code, text) = command("acknowledge-loss", data_dir.path(), &[]);
    assert!(code == Some(0) && text.contains("acknowledged: lost lsn 1-1\n"), "{code:?} {text}");
    let (code, text) = command("verify", data_dir.path(), &[]);
    assert!(code == Some(0) && text.contains("acknowledged: lost lsn 1-1\n"), "{code:?} {text}");
}

#[test]
fn a_lost_log_is_refused_or_named_and_no_position_is_given_out_twice() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_FLUSH_COUNT", "5")]);
    post(&server, 5);
    server.logged("Flushed events to Parquet");
    post(&server, 3);
    server.kill();
    for entry in fs::read_dir(data_dir.path().join("wal")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let (code, text) = command("verify", data_dir.path(), &[]);
    assert!(code == Some(74) && text.contains("there is no log: everything from LSN 6 on is missing"), "{text}");
    let (code, text) = refused(data_dir.path(), &[("MALLARD_ON_CORRUPTION", "refuse")]);
    let says = |word: &str| text.contains(word);
    assert!(code == Some(74) && says("lost everything from LSN 6 on") && says("repair") && says("restore"), "{text}");

    let server = Server::with_password(data_dir.path(), &[]);
    let health = health(&server);
    assert_eq!(health["status"], "degraded");
    let last = health["durable_lsn"].as_u64().unwrap();
    let reasons: Vec<&str> = health["degraded_reasons"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(last >= 8 && reasons.contains(&format!("lost lsn 6-{last}").as_str()), "{reasons:?}");
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains(&format!("\nmallard_wal_lost_lsn_total {}\n", last - 5)), "{metrics}");
    assert_eq!(server.log_in().pageviews(SITE), 5);
    let answer = server.log_in().get(&format!("/api/stats/main?site_id={SITE}&period=7d"));
    assert!(answer.header("x-mallard-incomplete").is_some(), "{}", answer.text());
    let event = json!({ "d": SITE, "n": "pageview", "u": format!("https://{SITE}/") });
    assert_eq!(
        server.post_event(&event).lsn(),
        Some(last + 1),
        "what was acknowledged as LSN 6 to 8 was something else"
    );
}

#[test]
fn the_remains_of_a_write_that_a_crash_cut_off_are_no_damage() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[]);
    post(&server, 5);
    server.kill();
    let segment = data_dir.path().join("wal/00000000000000000001.wal");
    let mut bytes = fs::read(&segment).unwrap();
    // Where the next frame would begin.
    let end = (bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1).next_multiple_of(4096);
    bytes[end..end + 300].fill(7);
    fs::write(&segment, &bytes).unwrap();

    let server = Server::with_password(data_dir.path(), &[]);
    let health = health(&server);
    assert_eq!((&health["status"], &health["degraded_reasons"]), (&json!("ok"), &json!([])));
    assert_eq!(server.log_in().pageviews(SITE), 5);
    let kept = fs::read_dir(data_dir.path().join("quarantine")).unwrap().count();
    assert_eq!(kept, 1, "a copy is kept all the same");
}

#[test]
fn a_moved_data_directory_is_the_same_store() {
    let home = tempfile::tempdir().unwrap();
    let (before, after) = (home.path().join("before"), home.path().join("after"));
    let server = Server::with_password(&before, &[("MALLARD_FLUSH_COUNT", "5")]);
    post(&server, 5);
    server.logged("Flushed events to Parquet");
    post(&server, 3);
    server.kill();
    fs::rename(&before, &after).unwrap();
    let server = Server::with_password(&after, &[]);
    assert_eq!(server.log_in().pageviews(SITE), 8);
    post(&server, 1);
    assert_eq!(health(&server)["status"], "ok");
    assert_eq!(health(&server)["durable_lsn"], 9);
}

#[test]
fn a_second_process_is_refused_and_disturbs_nothing() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    post(&server, 3);
    let (code, text) = refused(data_dir.path(), &[]);
    assert!(code == Some(75) && text.contains("is in use by another process; stop it first"), "{code:?} {text}");
    post(&server, 3);
    assert_eq!(server.log_in().pageviews(SITE), 6);
}

#[test]
fn a_store_of_a_newer_program_is_refused_with_advice_and_left_alone() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[]);
    post(&server, 3);
    server.kill();
    let path = data_dir.path().join("STORE");
    let mut store = fs::read(&path).unwrap();
    store[8] = 2;
    let crc = crc32(&store[..40]);
    store[40..].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, &store).unwrap();
    let (code, text) = refused(data_dir.path(), &[]);
    assert!(code == Some(74) && text.contains("run a newer mallard-metrics"), "{code:?} {text}");
    assert_eq!(fs::read(&path).unwrap(), store);
}

/// Gives a record of a segment another kind and version, with every checksum that vouches for it, as docs/format.md draws them.
fn forge(segment: &Path, lsn: u64, kind: u8, version: u8) {
    let mut bytes = fs::read(segment).unwrap();
    let number = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let tag = crc32(&bytes[16..32]).to_le_bytes();
    let signed = |bytes: &[u8]| crc32(&[bytes, &tag].concat()).to_le_bytes();
    let alignment = number(&bytes, 12) as usize;
    let (mut chain, mut at, mut forged) = (number(&bytes, 4092).to_le_bytes(), 4096, 0);
    while bytes[at..].starts_with(b"MWF\x01") {
        let end = at + 80 + number(&bytes, at + 8) as usize;
        let mut record = at + 80;
        while record < end {
            let crc = record + number(&bytes, record) as usize;
            if bytes[crc - 8..crc] == lsn.to_le_bytes() {
                bytes[record + 4..record + 6].copy_from_slice(&[kind, version]);
                let crc_of_record = signed(&bytes[record..crc]);
                bytes[crc..crc + 4].copy_from_slice(&crc_of_record);
                forged += 1;
            }
            record = crc + 4;
        }
        let crc_of_payload = crc32(&bytes[at + 80..end]).to_le_bytes();
        bytes[at + 52..at + 56].copy_from_slice(&chain);
        bytes[at + 56..at + 60].copy_from_slice(&crc_of_payload);
        let crc_of_header = signed(&bytes[at..at + 76]);
        bytes[at + 76..at + 80].copy_from_slice(&crc_of_header);
        chain = crc32(&[chain, crc_of_header, crc_of_payload].concat()).to_le_bytes();
        at = end.next_multiple_of(alignment);
    }
    assert_eq!(forged, 1, "records at LSN {lsn}");
    fs::write(segment, bytes).unwrap();
}

#[test]
fn a_log_of_a_newer_program_is_refused_with_advice_and_nothing_of_it_is_set_aside() {
    // The first is none: it shows that the forgery is one that the log believes.
    for (kind, version, is_newer) in [(1, 1, false), (1, 9, true), (2, 9, true), (3, 1, true), (200, 1, true)] {
        let data_dir = tempfile::tempdir().unwrap();
        let server = Server::start(data_dir.path(), &[]);
        post(&server, 5);
        server.kill();
        forge(&data_dir.path().join("wal/00000000000000000001.wal"), 3, kind, version);
        if !is_newer {
            let server = Server::start(data_dir.path(), &[]);
            assert_eq!((health(&server)["status"].as_str(), server.metric("mallard_buffered_events")), (Some("ok"), 5));
            continue;
        }
        for start in 0..3 {
            let (code, said) = refused(data_dir.path(), &[("MALLARD_FLUSH_COUNT", "1")]);
            let expected = format!(
                "the record at LSN 3 (kind {kind}, version {version}) was written by a newer program; use that"
            );
            assert!(code == Some(74) && said.contains(&expected), "start {start}: {code:?} {said}");
        }
        let names = |folder: &str| fs::read_dir(data_dir.path().join(folder)).unwrap().count();
        assert_eq!((names("quarantine"), names("events")), (0, 0), "nothing was compacted, nothing set aside");
    }
}

/// CRC-32 as gzip has it: a downgrade must be told from damage.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

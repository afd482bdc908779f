//! `mallard-metrics repair` with the real binary: a server that refuses to start starts again, counts what it counted, and
//! says so until somebody has taken note.

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

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::Server;

const SITE: &str = "a.example";
const FLUSH: [(&str, &str); 1] = [("MALLARD_FLUSH_COUNT", "5")];

fn post(server: &Server, count: usize) {
    let event = json!({ "d": SITE, "n": "pageview", "u": format!("https://{SITE}/") });
    for _ in 0..count {
        assert_eq!(server.post_event(&event).status, 202);
    }
}

/// Runs a command to its end: exit code, standard output, standard error.
fn run(data_dir: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"))
        .env_clear()
        .envs([("MALLARD_HOST", "127.0.0.1"), ("MALLARD_PORT", "0")])
        .env("MALLARD_DATA_DIR", data_dir)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn health(server: &Server) -> Value {
    serde_json::from_slice(&server.get("/health/detailed").body).unwrap()
}

/// Every file but the lock, by its path.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("LOCK") {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

fn newest_manifest(data_dir: &Path) -> PathBuf {
    files(&data_dir.join("manifest")).pop_last().unwrap().0
}

/// Ten events in Parquet files and three in the log; the server was killed.
fn killed() -> tempfile::TempDir {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &FLUSH);
    for _ in 0..2 {
        post(&server, 5);
        server.logged("Flushed events to Parquet");
    }
    post(&server, 3);
    server.kill();
    data_dir
}

#[test]
fn a_server_with_a_damaged_manifest_starts_again_after_a_repair_and_counts_what_it_counted() {
    let data_dir = killed();
    let data_dir = data_dir.path();
    let manifest = newest_manifest(data_dir);
    let mut bytes = fs::read(&manifest).unwrap();
    bytes[4096 + 100] ^= 1;
    fs::write(&manifest, &bytes).unwrap();

    let (code, _, text) = run(data_dir, &[]);
    assert!(code == Some(74) && text.contains("run `mallard-metrics repair`"), "{code:?} {text}");
    let before = files(data_dir);
    let (code, plan, text) = run(data_dir, &["repair", "--dry-run"]);
    assert_eq!((code, text.trim_end()), (Some(74), "not repaired: this was a dry run"), "{plan}");
    assert!(plan.contains("would repair: manifest: "), "{plan}");
    assert_eq!(files(data_dir), before, "a dry run changes nothing");

    let (code, done, text) = run(data_dir, &["repair", "--json"]);
    assert_eq!(code, Some(0), "{done}{text}");
    let done: Value = serde_json::from_str(&done).unwrap();
    let kept = done["actions"].as_array().unwrap().iter().filter_map(|action| action["kept"].as_str());
    assert!(
        kept.into_iter().any(|path| fs::read(data_dir.join(path)).unwrap() == bytes),
        "the original is kept: {done}"
    );
    let (code, text, _) = run(data_dir, &["verify"]);
    assert!(code == Some(74) && text.contains("repaired: manifest: "), "{code:?} {text}");

    let server = Server::with_password(data_dir, &FLUSH);
    assert_eq!(server.log_in().pageviews(SITE), 13);
    let health = health(&server);
    assert_eq!(health["status"], "degraded");
    assert!(health["degraded_reasons"].to_string().contains("repaired: manifest: "), "{health}");
    post(&server, 2);
    assert_eq!(server.log_in().pageviews(SITE), 15);
    server.kill();

    let (code, text, _) = run(data_dir, &["acknowledge-loss"]);
    assert!(code == Some(0) && text.contains("acknowledged: repaired: manifest: "), "{code:?} {text}");
    assert_eq!(run(data_dir, &["verify"]).0, Some(0));
    let server = Server::with_password(data_dir, &FLUSH);
    assert_eq!((&self::health(&server)["status"], server.log_in().pageviews(SITE)), (&json!("ok"), 15));
}

#[test]
fn a_store_that_has_lost_its_newest_manifest_is_refused_before_anything_is_removed() {
    let data_dir = tempfile::tempdir().unwrap();
    let data_dir = data_dir.path();
    let server = Server::with_password(data_dir, &FLUSH);
    post(&server, 5);
    server.logged("Flushed events to Parquet");
    server.kill();
    // A second life has a manifest file of its own, which alone knows what it compacts.
    let server = Server::with_password(data_dir, &FLUSH);
    post(&server, 5);
    server.logged("Flushed events to Parquet");
    // The log is trimmed after the compaction, and reaches down to the older manifest's checkpoint no more.
    while data_dir.join("wal/00000000000000000006.wal").exists() {
        server.get("/health");
    }
    server.kill();
    fs::remove_file(newest_manifest(data_dir)).unwrap();

    let before = files(data_dir);
    let (code, _, text) = run(data_dir, &[]);
    assert!(
        code == Some(74) && text.contains("a newer one is missing; run `mallard-metrics repair`"),
        "{code:?} {text}"
    );
    assert_eq!(files(data_dir), before);
    assert_eq!(run(data_dir, &["repair"]).0, Some(0));
    let server = Server::with_password(data_dir, &FLUSH);
    assert_eq!(server.log_in().pageviews(SITE), 10);
}

#[test]
fn a_damaged_document_is_set_aside_and_what_follows_from_it_is_said() {
    let data_dir = killed();
    let data_dir = data_dir.path();
    let server = Server::with_password(data_dir, &FLUSH);
    let session = server.log_in();
    let key = session.post("/api/keys", Some("http://localhost"));
    assert_ne!(key.status, 401);
    drop(session);
    server.kill();
    for name in ["keys", "sessions", "salt", "goals"] {
        fs::write(data_dir.join("control").join(name), b"\0\0\0\0").unwrap();
    }
    fs::write(data_dir.join(".secret"), b"  ").unwrap();

    let (code, _, text) = run(data_dir, &[]);
    assert!(code == Some(74) && text.contains("mallard-metrics repair"), "{code:?} {text}");
    let (code, done, text) = run(data_dir, &["repair"]);
    assert_eq!(code, Some(0), "{done}{text}");
    for expected in [
        "control/keys: it is damaged (line 1, column 1); set aside: no API key will work, and new ones have to be made -> quarantine/repaired/control/keys",
        "control/sessions: it is damaged",
        "control/salt: it is damaged",
        "control/goals: it is damaged",
        ".secret: it holds no text",
    ] {
        assert!(done.contains(expected), "{done}");
    }
    assert!(!data_dir.join("quarantine/repaired/control/salt").exists(), "a salt is kept nowhere");
    let server = Server::with_password(data_dir, &FLUSH);
    assert_eq!(server.log_in().pageviews(SITE), 13);
}

/// No crash loop: what the server can do without does not keep it from starting.
#[test]
fn damaged_goals_funnels_segments_settings_salts_and_sessions_set_themselves_aside() {
    let data_dir = killed();
    let data_dir = data_dir.path();
    let names = ["goals", "funnels", "segments", "sites", "salt", "sessions"];
    for name in names {
        fs::write(data_dir.join("control").join(name), format!("damaged {name}")).unwrap();
    }
    let server = Server::with_password(data_dir, &FLUSH);
    assert_eq!(server.log_in().pageviews(SITE), 13);
    let reasons = health(&server)["degraded_reasons"].to_string();
    for name in names {
        assert!(
            reasons.contains(&format!("set aside: control/{name}: it is damaged (line 1, column 1): ")),
            "{reasons}"
        );
        let kept = fs::read_to_string(data_dir.join("quarantine/repaired/control").join(name)).ok();
        let is_kept = !["salt", "sessions"].contains(&name);
        assert_eq!(kept, is_kept.then(|| format!("damaged {name}")), "{name}");
    }
    post(&server, 1);
    server.kill();

    let server = Server::with_password(data_dir, &FLUSH);
    assert_eq!(health(&server)["status"], "degraded", "until somebody knows");
    assert_eq!(server.log_in().pageviews(SITE), 14);
    server.kill();
    let (code, text, _) = run(data_dir, &["acknowledge-loss"]);
    assert!(code == Some(0) && text.contains("acknowledged: set aside: control/goals: "), "{code:?} {text}");
    let server = Server::with_password(data_dir, &FLUSH);
    assert_eq!(health(&server)["status"], "ok");
    server.kill();

    fs::write(data_dir.join("control/password"), "damaged").unwrap();
    let (code, _, text) = run(data_dir, &[]);
    assert!(code == Some(74) && text.contains("control document `password` is damaged"), "{code:?} {text}");
}

#[test]
fn nothing_is_done_beside_a_server_to_a_sound_store_or_to_what_is_none() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &FLUSH);
    post(&server, 3);
    let (code, _, text) = run(data_dir.path(), &["repair"]);
    assert!(code == Some(75) && text.contains("is in use by another process; stop it first"), "{code:?} {text}");
    post(&server, 1);
    server.kill();
    let before = files(data_dir.path());
    for arguments in [&["repair"][..], &["repair", "--dry-run"]] {
        let (code, text, _) = run(data_dir.path(), arguments);
        assert_eq!((code, text.as_str()), (Some(0), "nothing keeps this store from opening\n"));
        assert_eq!(files(data_dir.path()), before);
    }
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("notes.txt"), "mine").unwrap();
    let (code, _, text) = run(other.path(), &["repair"]);
    assert!(code == Some(74) && text.contains("this is no data directory"), "{code:?} {text}");
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 1);
}

/// In a container that restarts for ever nobody could call `repair`.
#[test]
fn the_first_process_of_a_container_waits_for_a_repair_instead_of_ending() {
    const UNSHARE: &str = "/usr/bin/unshare";
    let is_able =
        Command::new(UNSHARE).args(["--pid", "--fork", "true"]).output().is_ok_and(|one| one.status.success());
    if !is_able {
        support::skip::skip("this user may not make a process the first of its own numbers");
        return;
    }
    let data_dir = killed();
    let data_dir = data_dir.path();
    fs::write(data_dir.join("control/keys"), "damaged").unwrap();
    let mut waiting = Command::new(UNSHARE)
        .env_clear()
        .env("MALLARD_DATA_DIR", data_dir)
        .envs([("MALLARD_HOST", "127.0.0.1"), ("MALLARD_PORT", "0")])
        .args(["--pid", "--fork", "--kill-child", env!("CARGO_BIN_EXE_mallard-metrics")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(waiting.stdout.take().unwrap()).lines();
    let said = lines.find(|line| line.as_ref().unwrap().contains("which waits to be stopped"));
    assert!(said.is_some(), "it has ended: {:?}", waiting.wait());
    let (code, done, text) = run(data_dir, &["repair"]);
    assert!(code == Some(0) && done.contains("repaired: control/keys: "), "{done}{text}");
    assert_eq!(waiting.try_wait().unwrap(), None, "it is still there");
    let number = waiting.id();
    let child = fs::read_to_string(format!("/proc/{number}/task/{number}/children")).unwrap();
    assert!(Command::new("/bin/kill").args(["-TERM", child.trim()]).status().unwrap().success());
    assert_eq!(waiting.wait().unwrap().code(), Some(74));
    let server = Server::with_password(data_dir, &FLUSH);
    assert_eq!(server.log_in().pageviews(SITE), 13);
}

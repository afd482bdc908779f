//! `mallard-metrics verify`: sound beside a running server and after SIGKILL; a damaged byte is named with its file, and
//! with the site and day whose answers it affects.

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

use serde_json::{Value, json};
use support::Server;

const EVENTS: u64 = 50;

fn verify(data_dir: &Path) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
    let output = command.env_clear().args(["verify", "--json", "--data-dir"]).arg(data_dir).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let found =
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), found)
}

fn send(server: &Server, site: &str) {
    for page in 0..EVENTS {
        let event = json!({ "d": site, "n": "pageview", "u": format!("https://{site}/{page}") });
        assert!(server.post_event(&event).lsn().is_some());
    }
}

/// Files below `folder` with this ending, in the order of their names.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// A data directory with Parquet files of two sites and one event that is in the log only; the server was killed.
fn killed() -> tempfile::TempDir {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[("MALLARD_FLUSH_COUNT", "1")]);
    for site in ["a.example", "b.example"] {
        send(&server, site);
        server.logged("Flushed events to Parquet");
    }
    server.kill();
    let server = Server::start(data_dir.path(), &[]);
    send(&server, "a.example");
    let (code, found) = verify(data_dir.path());
    assert_eq!((code, &found["sound"]), (Some(0), &json!(true)), "beside a running server: {found}");
    assert_eq!(found["durable_lsn"], 3 * EVENTS);
    server.kill();
    data_dir
}

#[test]
fn a_store_is_sound_beside_its_server_and_after_sigkill_and_is_not_changed() {
    let data_dir = killed();
    let before: Vec<_> =
        files(data_dir.path(), "").iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    let (code, found) = verify(data_dir.path());
    assert_eq!((code, &found["sound"]), (Some(0), &json!(true)), "{found}");
    assert_eq!(found["durable_lsn"], 3 * EVENTS);
    assert!(found["parquet"]["records"].as_u64().unwrap() >= 2, "{found}");
    let after: Vec<_> = files(data_dir.path(), "").iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    assert_eq!(before, after);
}

#[test]
fn a_damaged_parquet_file_is_named_with_its_site_and_day() {
    let data_dir = killed();
    let victim = files(&data_dir.path().join("events/site_id=b.example"), ".parquet").remove(0);
    flip(&victim, 100);
    let (code, found) = verify(data_dir.path());
    assert_eq!(code, Some(74));
    let fault = &found["faults"][0];
    assert_eq!(found["faults"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(fault["path"], victim.strip_prefix(data_dir.path()).unwrap().to_str().unwrap());
    assert_eq!(fault["site_id"], "b.example");
    assert!(victim.to_string_lossy().contains(fault["date"].as_str().unwrap()), "{found}");
}

#[test]
fn a_damaged_segment_a_missing_log_and_a_missing_parquet_file_are_named() {
    let data_dir = killed();
    let newest = files(&data_dir.path().join("wal"), ".wal").pop().unwrap();
    flip(&newest, 4096 + 100);
    let (code, found) = verify(data_dir.path());
    assert_eq!((code, found["faults"].as_array().unwrap().len()), (Some(74), 1), "{found}");
    assert_eq!(found["faults"][0]["path"], newest.strip_prefix(data_dir.path()).unwrap().to_str().unwrap());

    let data_dir = killed();
    files(&data_dir.path().join("wal"), ".wal").iter().for_each(|segment| fs::remove_file(segment).unwrap());
    let (code, found) = verify(data_dir.path());
    let fault = &found["faults"][0];
    assert_eq!((code, &fault["path"]), (Some(74), &json!("wal")), "{found}");
    assert!(fault["what"].as_str().unwrap().starts_with("there is no log: everything from LSN "), "{found}");

    let data_dir = killed();
    let victim = files(&data_dir.path().join("events/site_id=a.example"), ".parquet").remove(0);
    fs::remove_file(&victim).unwrap();
    let (code, found) = verify(data_dir.path());
    assert_eq!((code, &found["faults"][0]["site_id"]), (Some(74), &json!("a.example")), "{found}");
}

#[test]
fn a_folder_without_a_store_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
    let output = command.env_clear().args(["verify", "--data-dir"]).arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    assert!(String::from_utf8_lossy(&output.stderr).contains("STORE"), "{output:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn a_manifest_that_cannot_be_read_is_said_in_json_too() {
    let data_dir = killed();
    flip(&files(&data_dir.path().join("manifest"), ".manifest").pop().unwrap(), 4096 + 100);
    let (code, found) = verify(data_dir.path());
    assert_eq!((code, &found["sound"]), (Some(74), &json!(false)), "{found}");
    let error = found["error"].as_str().unwrap();
    assert!(error.contains(".manifest") && error.contains("repair"), "{error}");
}

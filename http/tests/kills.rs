//! SIGKILL while copies are taken and restored, spread over the time that each takes: what is left is whole, or no store that
//! opens, and the next attempt succeeds.

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
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::Server;
use support::load::{Books, Load};

const BUSY: [(&str, &str); 2] = [("MALLARD_FLUSH_COUNT", "40"), ("MALLARD_FLUSH_INTERVAL", "1")];

/// Kills of each command, unless `MALLARD_TEST_COPY_KILLS` says otherwise.
fn kills() -> u32 {
    std::env::var("MALLARD_TEST_COPY_KILLS").ok().map_or(12, |text| text.parse().expect("a number"))
}

fn spawn(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
    command.env_clear().args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Runs a command to its end: exit code and standard error.
fn run(arguments: &[&str], data_dir: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
    let variables = [("MALLARD_HOST", "127.0.0.1"), ("MALLARD_PORT", "0")];
    let output =
        command.env_clear().envs(variables).env("MALLARD_DATA_DIR", data_dir).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// How long a command takes that nobody kills.
fn time_of(arguments: &[&str]) -> Duration {
    let begun = Instant::now();
    assert!(spawn(arguments).wait().unwrap().success(), "{arguments:?}");
    begun.elapsed()
}

/// Starts a command and kills it after so long; whether it had come to its end before.
fn kill_after(arguments: &[&str], time: Duration) -> bool {
    let mut child = spawn(arguments);
    let begun = Instant::now();
    while begun.elapsed() < time {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap().success()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A store that was killed under load, and what was acknowledged by it.
fn store(data_dir: &Path) -> Books {
    let mut books = Books::default();
    let server = Server::start(data_dir, &BUSY);
    let load = Load::start(server.address(), 0);
    load.wait_for(300);
    server.logged("Flushed events to Parquet");
    load.wait_for(300);
    server.kill();
    load.settle(&mut books);
    books
}

#[test]
fn a_restore_that_is_killed_leaves_no_half_store_and_the_next_one_succeeds() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let books = store(&data_dir);
    let copy = home.path().join("copy.tar");
    assert_eq!(run(&["backup", "--to", text(&copy)], &data_dir).0, Some(0));
    let first = home.path().join("first");
    let whole = time_of(&["restore", "--from", text(&copy), "--data-dir", text(&first)]);
    books.check(&first);
    let mut finished = 0;
    for kill in 0..kills() {
        let restored = home.path().join(format!("restored-{kill}"));
        let restore = ["restore", "--from", text(&copy), "--data-dir", text(&restored)];
        kill_after(&restore, whole * kill / kills());
        let is_begun = restored.join("RESTORING").exists();
        let is_empty = fs::read_dir(&restored).map_or(true, |mut entries| entries.next().is_none());
        if is_begun {
            let (code, text) = run(&[], &restored);
            let expected = "a restore into this directory was not finished; empty the directory and restore again";
            assert!(code == Some(74) && text.contains(expected), "{code:?} {text}");
            let (code, text) = run(&restore, &restored);
            assert!(code == Some(73) && text.contains("a restore into it did not finish"), "{code:?} {text}");
            fs::remove_dir_all(&restored).unwrap();
        }
        if is_begun || is_empty {
            assert_eq!(run(&restore, &restored).0, Some(0));
        } else {
            finished += 1;
        }
        books.check(&restored);
    }
    println!("{} kills of a restore that takes {whole:?}, {finished} of them too late", kills());
}

#[test]
fn a_snapshot_or_backup_that_is_killed_under_load_leaves_a_whole_copy_or_none_and_the_next_one_succeeds() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let mut books = store(&data_dir);
    let server = Server::start(&data_dir, &BUSY);
    let load = Load::start(server.address(), 1);
    let snapshot = ["snapshot", "--data-dir", text(&data_dir)];
    let whole = time_of(&snapshot);
    let mut copies = 0;
    for kill in 0..kills() {
        load.wait_for(20);
        let to = home.path().join(format!("backup-{kill}"));
        let backup = ["backup", "--to", text(&to), "--data-dir", text(&data_dir)];
        kill_after(if kill % 2 == 0 { &snapshot } else { &backup }, whole * kill / kills());
        let restored = home.path().join(format!("restored-{kill}"));
        if to.exists() {
            let (code, text) = run(&["restore", "--from", text(&to)], &restored);
            assert_eq!(code == Some(0), to.join("STORE").exists(), "{code:?} {text}");
        }
        copies += 1;
    }
    assert_eq!(run(&["snapshot"], &data_dir).0, Some(0));
    let taken = fs::read_dir(data_dir.join("snapshots")).unwrap().map(|entry| entry.unwrap().path());
    let taken: Vec<_> = taken.filter(|path| path.is_dir()).collect();
    let last = home.path().join("last.tar");
    assert_eq!(run(&["backup", "--to", text(&last)], &data_dir).0, Some(0));
    server.kill();
    let before = books.clone();
    load.settle(&mut books);
    for (number, path) in taken.iter().enumerate() {
        assert!(!text(path).ends_with(".new"), "the next snapshot has removed what a killed one left");
        let restored = home.path().join(format!("of-snapshot-{number}"));
        let (code, text) = run(&["restore", "--from", text(path)], &restored);
        assert_eq!(code, Some(0), "{text}");
        before.check_between(&books, &restored);
    }
    println!("{copies} kills of snapshots and backups, {} snapshots are whole", taken.len());
    books.check(&data_dir);
}

//! SIGKILL in the middle of everything: of a start and its replay, of a seal, a compaction, a merge, a snapshot, a backup and a
//! restore. What is left is whole, or no store that opens, and the next attempt succeeds.
//!
//! Where a process is, its files tell: it is killed when they have changed so many times, or when the file has come that only
//! this piece of work makes. How many of the kills have hit the middle is counted, and must be most.

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
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use support::load::{Books, Load};
use support::{Server, until};

const BUSY: [(&str, &str); 2] = [("MALLARD_FLUSH_COUNT", "40"), ("MALLARD_FLUSH_INTERVAL", "1")];
/// Each compaction makes a file for each site, and eight of one level are merged. NOTE: with a much smaller count the next
/// compaction is always due, and goes first.
const MERGING: [(&str, &str); 2] = [("MALLARD_FLUSH_COUNT", "400"), ("MALLARD_FLUSH_INTERVAL", "1")];
/// Everything stays in the log.
const LAZY: [(&str, &str); 2] = [("MALLARD_FLUSH_COUNT", "1000000"), ("MALLARD_FLUSH_INTERVAL", "86400")];

/// Kills of each kind, unless `MALLARD_TEST_COPY_KILLS` says otherwise.
fn kills() -> usize {
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

/// The files below a folder, and their lengths.
fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    for entry in entries {
        // One that is gone meanwhile is a change that the next look sees.
        let Ok(kind) = entry.metadata() else { continue };
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        }
        found.push((entry.path(), kind.len()));
    }
    found.sort_unstable();
    found
}

/// Lets a process go on until the files below a folder have changed so often, and kills it; how often they have, which is less
/// where it came to its end before.
fn kill_at(child: &mut Child, folder: &Path, changes: usize, mut is_over: impl FnMut() -> bool) -> usize {
    let mut seen = 0;
    let mut last = files(folder);
    while seen < changes && !is_over() && child.try_wait().unwrap().is_none() {
        let now = files(folder);
        seen += usize::from(now != last);
        last = now;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    seen
}

/// How often the files below a folder change by a command that nobody kills.
fn changes_of(arguments: &[&str], folder: &Path) -> usize {
    let mut child = spawn(arguments);
    let changes = kill_at(&mut child, folder, usize::MAX, || false);
    assert!(child.wait().unwrap().success(), "{arguments:?}");
    assert!(changes > 0, "{arguments:?} changes nothing");
    changes
}

/// The number of changes after which the kill with this number comes, of `changes` that were seen.
fn share(changes: usize, kill: usize) -> usize {
    changes * kill * 3 / (kills() * 4)
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
    let whole = changes_of(&["restore", "--from", text(&copy), "--data-dir", text(&first)], &first);
    books.check(&first);
    let (mut begun, mut finished) = (0, 0);
    for kill in 0..kills() {
        let restored = home.path().join(format!("restored-{kill}"));
        let restore = ["restore", "--from", text(&copy), "--data-dir", text(&restored)];
        kill_at(&mut spawn(&restore), &restored, share(whole, kill), || false);
        let is_begun = restored.join("RESTORING").exists();
        let is_empty = fs::read_dir(&restored).map_or(true, |mut entries| entries.next().is_none());
        begun += usize::from(is_begun);
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
    println!("{} kills of a restore of {whole} changes: {begun} in its middle, {finished} too late", kills());
    assert!(begun >= kills() / 2, "{begun} of {} kills were in the middle", kills());
}

#[test]
fn a_snapshot_or_backup_that_is_killed_under_load_leaves_a_whole_copy_or_none_and_the_next_one_succeeds() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let mut books = store(&data_dir);
    let server = Server::start(&data_dir, &BUSY);
    let load = Load::start(server.address(), 1);
    let snapshots = data_dir.join("snapshots");
    let snapshot = ["snapshot", "--data-dir", text(&data_dir)];
    let changes_of_snapshot = changes_of(&snapshot, &snapshots);
    let first = home.path().join("backup");
    let changes_of_backup = changes_of(&["backup", "--to", text(&first), "--data-dir", text(&data_dir)], &first);
    let (mut halves, mut copies) = (0, Vec::new());
    for kill in 0..2 * kills() {
        load.wait_for(20);
        let to = home.path().join(format!("backup-{kill}"));
        let backup = ["backup", "--to", text(&to), "--data-dir", text(&data_dir)];
        let before = books.with(&load.books());
        if kill % 2 == 0 {
            kill_at(&mut spawn(&snapshot), &snapshots, share(changes_of_snapshot, kill / 2), || false);
            let left = fs::read_dir(&snapshots).unwrap().map(|entry| entry.unwrap().file_name());
            halves += usize::from(left.into_iter().any(|name| name.to_str().unwrap().ends_with(".new")));
            continue;
        }
        kill_at(&mut spawn(&backup), &to, share(changes_of_backup, kill / 2), || false);
        if !to.exists() {
            continue;
        }
        let restored = home.path().join(format!("restored-{kill}"));
        let (code, text) = run(&["restore", "--from", text(&to)], &restored);
        assert_eq!(code == Some(0), to.join("STORE").exists(), "{code:?} {text}");
        match code {
            Some(0) => copies.push((restored, before, books.with(&load.books()))),
            _ => halves += 1,
        }
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
    for (restored, before, after) in &copies {
        before.check_between(after, restored);
    }
    println!(
        "{} kills of snapshots and backups: {halves} left a half, {} backups and {} snapshots are whole",
        2 * kills(),
        copies.len(),
        taken.len()
    );
    assert!(halves >= kills() / 4, "{halves} of {} kills were in the middle", 2 * kills());
    books.check(&data_dir);
}

/// Starts a server of which nobody waits until it listens; kills it when its files have changed so often, or when it does.
/// Whether it came so far.
fn kill_start_at(data_dir: &Path, changes: usize) -> (usize, bool) {
    let log = data_dir.with_extension("log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
    command.env_clear().envs(LAZY).envs([("MALLARD_HOST", "127.0.0.1"), ("MALLARD_PORT", "0")]);
    command.env("MALLARD_DATA_DIR", data_dir).env("MALLARD_LOG_FORMAT", "json");
    let mut child = command.stdout(fs::File::create(&log).unwrap()).stderr(Stdio::null()).spawn().unwrap();
    let listens = || {
        let mut said = String::new();
        fs::File::open(&log).unwrap().read_to_string(&mut said).unwrap();
        said.contains("\"Listening\"")
    };
    let seen = kill_at(&mut child, data_dir, changes, listens);
    (seen, listens())
}

#[test]
fn a_start_that_is_killed_before_it_listens_loses_nothing_and_the_next_one_replays_the_same_log() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let mut books = Books::default();
    let mut live = |round: u64, count| {
        let server = Server::start(&data_dir, &LAZY);
        let load = Load::start(server.address(), round);
        load.wait_for(count);
        server.kill();
        load.settle(&mut books);
    };
    live(0, 4_000);
    let whole = kill_start_at(&data_dir, usize::MAX).0;
    assert!(whole > 2, "a start changes its files {whole} times");
    let mut early = 0;
    for kill in 0..2 * kills() {
        early += usize::from(!kill_start_at(&data_dir, 1 + whole * kill / (2 * kills())).1);
        if kill % 6 == 5 {
            live(1 + kill as u64, 100);
        }
    }
    println!("{} kills of a start of {whole} changes, {early} of them before it listened", 2 * kills());
    assert!(early >= kills() / 4, "{early} of {} kills came before the server listened", 2 * kills());
    let counts = books.check(&data_dir);
    assert!(counts.acknowledged > 4_000, "{counts:?}");
}

/// What a server does between its commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Seal,
    Compaction,
    Merge,
}

/// The names in a folder of a store.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn segments(data_dir: &Path) -> Vec<String> {
    let mut segments = names(&data_dir.join("wal"));
    segments.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "wal"));
    segments.sort_unstable();
    segments
}

/// Whether the work is under way: the file lies in `tmp/` that it writes, of level 0 or of a higher one.
fn is_writing(data_dir: &Path, work: Work) -> bool {
    let is_of_level_0 = |name: &str| name.starts_with("0-");
    let mut parquet = names(&data_dir.join("tmp")).into_iter().filter(|name| name.ends_with(".parquet"));
    parquet.any(|name| is_of_level_0(&name) == (work == Work::Compaction))
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_a_seal_a_compaction_or_a_merge_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let mut books = Books::default();
    let mut hits = [0; 3];
    for round in 0..3 * kills() {
        let server = Server::start(&data_dir, &MERGING);
        let load = Load::start(server.address(), round as u64);
        load.wait_for(10 + round * 7 % 100);
        let work = [Work::Seal, Work::Compaction, Work::Merge][round % 3];
        let before = segments(&data_dir);
        until("the work is under way", || match work {
            Work::Seal => segments(&data_dir).last() > before.last(),
            Work::Compaction | Work::Merge => is_writing(&data_dir, work),
        });
        server.kill();
        load.settle(&mut books);
        // The dead leave their files where they were.
        hits[round % 3] += match work {
            Work::Seal => usize::from(segments(&data_dir).len() > 1),
            Work::Compaction | Work::Merge => usize::from(is_writing(&data_dir, work)),
        };
    }
    let [seals, compactions, merges] = hits;
    println!("{} kills each: {seals} behind a seal, {compactions} in a compaction, {merges} in a merge", kills());
    assert!(hits.iter().all(|hits| *hits >= kills() / 2), "seals, compactions, merges: {hits:?}");
    books.check(&data_dir);
}

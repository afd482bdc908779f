//! Snapshots, backups and restores of the real binary, under load: a restored store holds every event that was acknowledged
//! before the copy was begun, nothing twice, and nothing that was not sent before it was done.

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
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use support::Server;
use support::load::{Books, Load};

const BUSY: [(&str, &str); 2] = [("MALLARD_FLUSH_COUNT", "40"), ("MALLARD_FLUSH_INTERVAL", "1")];
const DRILLS: usize = 12;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
    command.env_clear().args(arguments);
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn succeed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Copies the store in one of four ways; returns where to restore it from.
fn copy(way: usize, data_dir: &Path, folder: &Path) -> String {
    let data = text(data_dir);
    match way {
        0 => {
            let id = succeed(&["snapshot", "--data-dir", data]);
            format!("{data}/snapshots/{}", id.trim())
        }
        1 | 2 => {
            let to = text(folder).to_owned() + if way == 1 { "/copy" } else { "/copy.tar" };
            succeed(&["backup", "--to", &to, "--data-dir", data]);
            to
        }
        _ => {
            let to = folder.join("stream.tar");
            let file = fs::File::create_new(&to).unwrap();
            let mut backup = command(&["backup", "--to", "-", "--data-dir", data]);
            assert!(backup.stdout(file).stderr(Stdio::null()).status().unwrap().success());
            text(&to).to_owned()
        }
    }
}

#[test]
fn what_is_restored_is_the_store_of_a_moment_between_begin_and_end_of_the_copy() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let mut copies: Vec<(String, Books, Books)> = Vec::new();
    let server = Server::start(&data_dir, &BUSY);
    let load = Load::start(server.address(), 0);
    for drill in 0..DRILLS {
        load.wait_for(20 + drill * 37);
        let folder = home.path().join(format!("copies-{drill}"));
        fs::create_dir(&folder).unwrap();
        let before = load.books();
        let from = copy(drill % 4, &data_dir, &folder);
        copies.push((from, before, load.books()));
    }
    server.kill();
    load.settle(&mut Books::default());

    for (drill, (from, before, after)) in copies.iter().enumerate() {
        let restored = home.path().join(format!("restored-{drill}"));
        succeed(&["restore", "--from", from, "--data-dir", text(&restored)]);
        succeed(&["verify", "--data-dir", text(&restored)]);
        let counts = before.check_between(after, &restored);
        println!("{from}: {counts:?}");
    }
}

#[test]
fn a_restored_store_is_one_of_its_own_and_takes_events() {
    let home = tempfile::tempdir().unwrap();
    let (data_dir, restored) = (home.path().join("data"), home.path().join("restored"));
    let event = json!({ "d": "a.example", "n": "pageview", "u": "https://a.example/" });
    let server = Server::with_password(&data_dir, &[]);
    let lsns: Vec<_> = (0..5).map(|_| server.post_event(&event).lsn().unwrap()).collect();
    assert_eq!(lsns, [1, 2, 3, 4, 5]);
    let to = home.path().join("copy.tar");
    succeed(&["backup", "--to", text(&to), "--data-dir", text(&data_dir)]);
    let names = String::from_utf8(Command::new("tar").arg("-tf").arg(&to).output().unwrap().stdout).unwrap();
    assert!(names.lines().any(|name| name == ".secret"), "{names}");
    assert!(!names.contains("control/salt") && !names.contains("control/sessions"), "{names}");
    assert_eq!(names.lines().last(), Some("STORE"), "what is cut off is no store");

    succeed(&["restore", "--from", text(&to), "--data-dir", text(&restored)]);
    assert_ne!(fs::read(data_dir.join("STORE")).unwrap(), fs::read(restored.join("STORE")).unwrap());
    let fork = Server::with_password(&restored, &[]);
    assert_eq!(fork.log_in().pageviews("a.example"), 5);
    assert_eq!(fork.post_event(&event).lsn(), Some(6), "the log goes on where the copy ended");
    assert_eq!(server.log_in().pageviews("a.example"), 5, "the first store knows nothing of it");
    fork.kill();
    let again = Server::with_password(&restored, &[]);
    assert_eq!(again.log_in().pageviews("a.example"), 6);
}

#[test]
fn a_restore_overwrites_nothing_and_one_that_was_cut_off_is_no_store() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = Server::start(&data_dir, &[]);
    server.post_event(&json!({ "d": "a.example", "n": "pageview", "u": "https://a.example/" }));
    let to = home.path().join("copy.tar");
    succeed(&["backup", "--to", text(&to), "--data-dir", text(&data_dir)]);

    let output = run(&["restore", "--from", text(&to), "--data-dir", text(&data_dir)]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(73), "{message}");
    assert!(message.contains("it is not empty; restore into an empty folder"), "{message}");
    let output = run(&["backup", "--to", text(&to), "--data-dir", text(&data_dir)]);
    assert_eq!(output.status.code(), Some(74), "a backup overwrites nothing either");

    // What is mistyped leaves nothing behind that the corrected command would stumble over.
    let output =
        run(&["restore", "--from", text(&home.path().join("nope.tar")), "--data-dir", text(&home.path().join("r"))]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(74), "{message}");
    assert!(message.contains("nope.tar: No such file") && !home.path().join("r").exists(), "{message}");
    let output = run(&["backup", "--to", text(&home.path().join("copy.tgz")), "--data-dir", text(&data_dir)]);
    assert_eq!((output.status.code(), home.path().join("copy.tgz").exists()), (Some(64), false));

    let whole = fs::read(&to).unwrap();
    let cut = home.path().join("cut.tar");
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let restored = home.path().join("restored");
    let again = ["restore", "--from", text(&cut), "--data-dir", text(&restored)];
    let output = run(&again);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(74), "{message}");
    assert!(message.contains("cut.tar: the copy is incomplete"), "{message}");
    let message = String::from_utf8(run(&again).stderr).unwrap();
    assert!(message.contains("a restore into it did not finish"), "{message}");
    let output = run(&["acknowledge-loss", "--data-dir", text(&restored)]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("a restore into this directory was not finished"), "{message}");

    let damaged = home.path().join("damaged.tar");
    let at = whole.windows(8).rposition(|bytes| bytes == b"MWF\x01\x01\x01P\0").expect("a frame");
    let mut bytes = whole;
    bytes[at + 200] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let restored = home.path().join("restored-damaged");
    let output = run(&["restore", "--from", text(&damaged), "--data-dir", text(&restored)]);
    assert_ne!(output.status.code(), Some(0), "what does not verify is not restored");
    let restored = home.path().join("restored-in-part");
    succeed(&["restore", "--accept-damage", "--from", text(&damaged), "--data-dir", text(&restored)]);

    let (nowhere, new) = (home.path().join("nowhere"), home.path().join("new.tar"));
    for arguments in [&["backup", "--to", text(&new)][..], &["snapshot"], &["acknowledge-loss"]] {
        let output = run(&[arguments, &["--data-dir", text(&nowhere)]].concat());
        assert_eq!(output.status.code(), Some(73), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(!nowhere.exists() && !new.exists(), "nothing is made where there is no store");
}

#[test]
fn snapshots_of_a_running_server_are_taken_listed_and_removed_by_operators() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::with_password(home.path(), &[]);
    server.post_event(&json!({ "d": "a.example", "n": "pageview", "u": "https://a.example/" }));
    let session = server.log_in();
    let (path, own) = ("/api/store/snapshots", Some("http://localhost"));
    assert_eq!(server.get(path).status, 401);
    assert_eq!(session.post(path, None).status, 403);
    let answer = session.post(path, own);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let taken: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(session.json(path), json!([taken]));
    let id = taken["id"].as_str().unwrap();
    assert!(home.path().join("snapshots").join(id).join("STORE").exists());
    assert_eq!(session.delete(&format!("{path}/..%2F..%2Fwal"), own).status, 404);
    assert_eq!(session.delete(&format!("{path}/{id}"), None).status, 403);
    assert_eq!(session.delete(&format!("{path}/{id}"), own).status, 200);
    assert_eq!(session.delete(&format!("{path}/{id}"), own).status, 404);
    assert_eq!(session.json(path), json!([]));
}

#[test]
fn a_schedule_takes_the_first_snapshot_at_once() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(home.path(), &[("MALLARD_SNAPSHOT_INTERVAL_HOURS", "24")]);
    let line = server.logged("Snapshot taken on schedule");
    let id = line["fields"]["id"].as_str().unwrap();
    assert!(home.path().join("snapshots").join(id).is_dir());
}

#[test]
fn a_schedule_keeps_as_many_of_its_own_snapshots_as_it_may_and_every_one_that_somebody_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let schedule = [("MALLARD_SNAPSHOT_INTERVAL_HOURS", "1"), ("MALLARD_SNAPSHOT_KEEP", "2")];
    let folder = home.path().join("snapshots");
    let (mut asked_for, mut scheduled) = (Vec::new(), Vec::new());
    for life in 0..4 {
        let server = Server::with_password(home.path(), &schedule);
        let line = server.logged("Snapshot taken on schedule");
        let session = server.log_in();
        if life < 2 {
            let answer = session.post("/api/store/snapshots", Some("http://localhost"));
            assert_eq!(answer.status, 201, "{}", answer.text());
            let taken: Value = serde_json::from_slice(&answer.body).unwrap();
            asked_for.push(taken["id"].as_str().unwrap().to_owned());
        }
        let id = line["fields"]["id"].as_str().unwrap();
        // An hour and more passes: the name is the time.
        let old = format!("2025010{}T000000000Z-scheduled", life + 1);
        scheduled.push(old.clone());
        let listed = session.json("/api/store/snapshots");
        let mut listed: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
        listed.sort_unstable();
        let before = scheduled.len() - 1;
        let mut expected: Vec<_> = scheduled[before.saturating_sub(1)..before].iter().map(String::as_str).collect();
        expected.extend(asked_for.iter().map(String::as_str));
        expected.push(id);
        expected.sort_unstable();
        assert_eq!(listed, expected, "life {life}");
        server.kill();
        fs::rename(folder.join(id), folder.join(&old)).unwrap();
    }
}

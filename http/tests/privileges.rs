//! Started as root, as in a container with a new volume: the server hands its data directory over and gives root up.
//! Needs root; says so where it is not.

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
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use serde_json::json;
use support::Server;

const SERVICE: u32 = 65_532;

fn is_root() -> bool {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root {
        support::skip::skip("needs root");
    }
    is_root
}

/// Everything that the kernel says of a process under this name: real, effective, saved and file system user.
fn status(server: &Server, name: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').split_whitespace().map(str::to_owned).collect()
}

fn owners(folder: &Path, found: &mut BTreeSet<u32>) {
    found.insert(fs::symlink_metadata(folder).unwrap().uid());
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        found.insert(fs::symlink_metadata(&entry).unwrap().uid());
        if entry.is_dir() {
            owners(&entry, found);
        }
    }
}

fn owners_of(folder: &Path) -> Vec<u32> {
    let mut found = BTreeSet::new();
    owners(folder, &mut found);
    found.into_iter().collect()
}

fn run(data_dir: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
    let output = command.env_clear().env("MALLARD_DATA_DIR", data_dir).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

#[test]
fn a_server_that_was_started_as_root_gives_it_up_for_good_and_owns_its_files() {
    if !is_root() {
        return;
    }
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let everywhere = vec![SERVICE.to_string(); 4];
    assert_eq!(status(&server, "Uid"), everywhere);
    assert_eq!(status(&server, "Gid"), everywhere);
    assert_eq!(status(&server, "Groups"), [""; 0]);
    for rights in ["CapEff", "CapPrm", "CapInh"] {
        assert_eq!(status(&server, rights), ["0000000000000000"], "{rights}");
    }
    let event = json!({ "d": "a.example", "n": "pageview", "u": "https://a.example/" });
    assert_eq!(server.post_event(&event).status, 202);
    assert_eq!(server.log_in().pageviews("a.example"), 1);
    assert_eq!(owners_of(data_dir.path()), [SERVICE]);

    // Commands of root beside it leave nothing that the server could not use.
    let outside = tempfile::tempdir().unwrap();
    run(data_dir.path(), &["snapshot"]);
    run(data_dir.path(), &["backup", "--to", outside.path().join("copy.tar").to_str().unwrap()]);
    assert_eq!(owners_of(data_dir.path()), [SERVICE]);
    assert_eq!(owners_of(outside.path()), [0], "the copy is whose command it was");
    server.kill();
    let server = Server::with_password(data_dir.path(), &[]);
    assert_eq!(server.log_in().pageviews("a.example"), 1);
}

#[test]
fn a_directory_that_somebody_has_already_stays_theirs_whatever_root_does_beside_them() {
    if !is_root() {
        return;
    }
    let (data_dir, owner) = (tempfile::tempdir().unwrap(), 12_345);
    std::os::unix::fs::chown(data_dir.path(), Some(owner), Some(owner)).unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    assert_eq!(status(&server, "Uid"), vec![owner.to_string(); 4]);
    run(data_dir.path(), &["snapshot"]);
    run(data_dir.path(), &["backup", "--to", "-"]);
    let outside = tempfile::tempdir().unwrap();
    run(data_dir.path(), &["backup", "--to", outside.path().join("copy").to_str().unwrap()]);
    assert_eq!(owners_of(data_dir.path()), [owner]);
}

#[test]
fn where_the_user_could_not_reach_its_files_the_server_starts_all_the_same() {
    if !is_root() {
        return;
    }
    let closed = tempfile::tempdir().unwrap();
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let data_dir = closed.path().join("data");
    let server = Server::start(&data_dir, &[]);
    assert_eq!(status(&server, "Uid")[0], "0");
    assert_eq!(server.get("/health/ready").text(), "ready");
    assert_eq!(owners_of(&data_dir), [0]);
}

#[test]
fn folders_that_have_to_be_made_on_the_way_belong_to_the_user_of_the_server() {
    if !is_root() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let server = Server::start(&home.path().join("made/on/the/way"), &[]);
    assert_eq!(status(&server, "Uid")[0], SERVICE.to_string());
    assert_eq!(server.get("/health/ready").text(), "ready");
    assert_eq!(owners_of(&home.path().join("made")), [SERVICE]);
}

#[test]
fn a_folder_that_holds_other_things_is_not_given_away() {
    if !is_root() {
        return;
    }
    let shared = tempfile::tempdir().unwrap();
    fs::write(shared.path().join("passwd"), "root").unwrap();
    let server = Server::start(shared.path(), &[]);
    assert_eq!(server.get("/health/ready").text(), "ready");
    assert_eq!(owners_of(shared.path()), [0]);
}

/// Stores one event and returns when it is in a file.
fn store_in_a_file(server: &Server) {
    let event = json!({ "d": "a.example", "n": "pageview", "u": "https://a.example/" });
    assert_eq!(server.post_event(&event).status, 202);
    server.logged("Flushed events to Parquet");
}

const COMPACT_AT_ONCE: [(&str, &str); 1] = [("MALLARD_FLUSH_COUNT", "1")];

#[test]
fn a_stray_file_in_the_directory_of_a_store_does_not_keep_the_server_root() {
    if !is_root() {
        return;
    }
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &COMPACT_AT_ONCE);
    store_in_a_file(&server);
    server.kill();
    let stray = data_dir.path().join("backup.tar");
    fs::write(&stray, "tar").unwrap();

    let server = Server::with_password(data_dir.path(), &COMPACT_AT_ONCE);
    assert_eq!(status(&server, "Uid"), vec![SERVICE.to_string(); 4]);
    store_in_a_file(&server);
    assert_eq!(server.log_in().pageviews("a.example"), 2);
    assert_eq!(fs::metadata(&stray).unwrap().uid(), 0, "what is not of a store stays whose it is");
    fs::remove_file(&stray).unwrap();
    assert_eq!(owners_of(data_dir.path()), [SERVICE]);
}

#[test]
fn what_a_server_wrote_that_had_to_stay_root_is_handed_over_by_the_next_that_need_not() {
    if !is_root() {
        return;
    }
    let top = tempfile::tempdir().unwrap();
    let data_dir = top.path().join("data");
    let set = |mode| fs::set_permissions(top.path(), fs::Permissions::from_mode(mode)).unwrap();
    for (mode, user) in [(0o755, SERVICE), (0o700, 0), (0o755, SERVICE)] {
        set(mode);
        let server = Server::with_password(&data_dir, &COMPACT_AT_ONCE);
        assert_eq!(status(&server, "Uid")[0], user.to_string());
        store_in_a_file(&server);
        server.kill();
    }
    assert_eq!(owners_of(&data_dir), [SERVICE]);
    let server = Server::with_password(&data_dir, &[]);
    assert_eq!(server.log_in().pageviews("a.example"), 3);
    let health = server.get("/health/detailed").text();
    assert!(health.contains("\"status\":\"ok\""), "{health}");
}

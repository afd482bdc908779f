//! The structure that ARCHITECTURE.md promises, read from the manifests and the sources.

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

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Who may depend on whom, complete.
const ALLOWED: [(&str, &[&str]); 5] = [
    ("event", &[]),
    ("wal", &[]),
    ("compactor", &["event", "wal"]),
    ("engine", &["compactor", "event", "wal"]),
    ("http", &["engine", "event"]),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn manifest(folder: &str) -> toml::Table {
    let path = workspace().join(folder).join("Cargo.toml");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).parse().unwrap()
}

/// The folders of ours that `folder` depends on, in any section of its manifest.
fn edges(folder: &str) -> BTreeSet<String> {
    let manifest = manifest(folder);
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
    let owners = targets.filter_map(toml::Value::as_table).chain([&manifest]);
    let tables = owners.flat_map(|owner| sections.iter().filter_map(|section| owner.get(*section)?.as_table()));
    tables
        .flatten()
        .map(|(name, value)| package(name, value))
        .filter_map(|name| name.strip_prefix("mallard-"))
        .map(str::to_owned)
        .collect()
}

/// The package behind the name of a dependency, which may be called otherwise.
fn package<'a>(name: &'a str, dependency: &'a toml::Value) -> &'a str {
    dependency.get("package").and_then(toml::Value::as_str).unwrap_or(name)
}

#[test]
fn crates_depend_on_each_other_only_as_the_design_allows() {
    for (folder, allowed) in ALLOWED {
        for edge in edges(folder) {
            assert!(allowed.contains(&edge.as_str()), "{folder} must not depend on {edge}");
        }
    }
}

#[test]
fn every_member_of_the_workspace_is_known_here() {
    let members = manifest(".")["workspace"]["members"].as_array().unwrap().clone();
    let members: BTreeSet<&str> = members.iter().map(|member| member.as_str().unwrap()).collect();
    let known: BTreeSet<&str> = ALLOWED.iter().map(|(folder, _)| *folder).chain(["benches"]).collect();
    assert_eq!(members, known);
}

#[test]
fn what_fuzzing_and_storage_link_is_free_of_duckdb() {
    for folder in ["event", "wal", "compactor", "fuzz"] {
        let manifest = std::fs::read_to_string(workspace().join(folder).join("Cargo.toml")).unwrap();
        assert!(!manifest.contains("duckdb") && !manifest.contains("mallard-engine"), "{folder} must build in minutes");
    }
}

#[test]
fn every_source_file_says_at_its_top_what_it_owns_and_stays_short() {
    for (folder, _) in ALLOWED {
        for file in sources(&workspace().join(folder).join("src")) {
            if file.ends_with("tests.rs") {
                continue; // what it tests says what it owns
            }
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("//!"), "{} does not begin with //!", file.display());
            let lines = text.lines().count();
            assert!(lines <= 600, "{} has {lines} lines: split it by role", file.display());
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

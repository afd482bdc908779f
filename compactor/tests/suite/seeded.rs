//! Known bugs that only a damaged medium brings out; those that a crash brings out are seeded in the engine's simulation.

use std::path::Path;

use crate::manifest_log::{edit, open, state, two_commits};
use crate::media::states_of_damaged_manifests;
use crate::parquet_files::one_file;
use crate::support::ROOT;
use mallard_compactor::read_file;
use mallard_wal::seeded::{self, Bug};

type Detector = fn() -> (usize, usize);

/// Damaged manifests that are taken for an older state.
fn commits_that_are_gone() -> (usize, usize) {
    let states = states_of_damaged_manifests();
    (states.iter().flatten().filter(|state| **state != self::state(2)).count(), states.len())
}

/// Stores whose newest manifest is damaged, and which open with the one before it.
fn older_manifests() -> (usize, usize) {
    let (env, disk, ..) = two_commits();
    open(&env).unwrap().commit(&edit(3)).unwrap();
    let newest = crate::manifest_log::newest(&env);
    disk.corrupt(&newest, 4096 + 100, 1).unwrap();
    let is_older = open(&env).is_ok_and(|log| **log.manifest() != state(3));
    (usize::from(is_older), 1)
}

/// Damaged Parquet files of which rows are read.
fn believed_files() -> (usize, usize) {
    let (store, entry, bytes) = one_file(3, 65_536);
    let path = store.root().join(&*entry.path);
    let is_believed = |at: &usize| {
        store.disk.corrupt(&path, *at as u64, 2).unwrap();
        let read = read_file(&store.env, Path::new(ROOT), &entry, &mut |_| {});
        store.disk.corrupt(&path, *at as u64, 2).unwrap();
        read.is_ok()
    };
    let places: Vec<usize> = (0..bytes.len()).step_by(61).collect();
    (places.iter().filter(|at| is_believed(at)).count(), places.len())
}

const DETECTORS: [(Bug, Detector); 3] = [
    (Bug::LeaveOutManifestMark, commits_that_are_gone),
    (Bug::FallBackToOlderManifest, older_manifests),
    (Bug::SkipFileChecksum, believed_files),
];

#[test]
fn the_detectors_are_silent_where_there_is_no_bug() {
    for (bug, detector) in DETECTORS {
        assert_eq!(detector().0, 0, "{bug:?}");
    }
}

#[test]
fn every_seeded_bug_of_manifest_and_parquet_files_is_seen() {
    for (bug, detector) in DETECTORS {
        let planted = seeded::plant(bug);
        let (seen, tried) = detector();
        drop(planted);
        println!("{bug:?}: seen by {seen} of {tried} damages");
        assert!(seen > 0, "{bug:?} is not seen");
    }
}

//! The manifest's files: what was committed is there after any crash, and damage is never taken for a state.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support::{ROOT, STORE_ID, day, site};
use mallard_compactor::{Edit, Error, FileEntry, LsnRange, Manifest, ManifestError, ManifestLog, ReplayError, layout};
use mallard_wal::Lsn;
use mallard_wal::disk::sim::{self, CrashMode, EIO, Fault, SimDisk, SimRng};
use mallard_wal::disk::{self, Env};

fn new_disk() -> (Env, SimDisk) {
    let (env, disk, _clock) = sim::env(3);
    env.disk.create_dir(Path::new(ROOT)).unwrap();
    env.disk.sync_dir(Path::new("/")).unwrap();
    (env, disk)
}

pub(crate) fn open(env: &Env) -> Result<ManifestLog, Error> {
    ManifestLog::open(env, Path::new(ROOT), STORE_ID)
}

/// The edit of a compaction of one record into one file.
pub(crate) fn edit(lsn: u64) -> Edit {
    let (site, date) = (site("a.example"), day("2026-03-01"));
    let entry = FileEntry {
        date,
        level: 0,
        schema_version: 1,
        lsns: LsnRange::one(Lsn::new(lsn)),
        rows: 1,
        bytes: 100,
        column_bytes: 20,
        min_timestamp: date.start(),
        max_timestamp: date.start(),
        crc32: 0,
        path: Arc::from(format!("{}/0-{lsn}.parquet", layout::partition_folder(&site, date))),
        site,
    };
    Edit { add: vec![entry], checkpoint: Some(Lsn::new(lsn)), ..Edit::default() }
}

/// The state after the edits of LSN 1 to `last`.
pub(crate) fn state(last: u64) -> Manifest {
    let mut manifest = Manifest::default();
    for lsn in 1..=last {
        manifest.apply(&edit(lsn)).unwrap();
    }
    manifest
}

fn manifest_files(env: &Env) -> Vec<String> {
    let entries = env.disk.list(&Path::new(ROOT).join("manifest")).unwrap();
    entries.into_iter().map(|entry| entry.name).collect()
}

pub(crate) fn newest(env: &Env) -> PathBuf {
    Path::new(ROOT).join("manifest").join(manifest_files(env).last().unwrap())
}

#[test]
fn a_new_store_has_an_empty_manifest_and_a_file_with_its_checkpoint() {
    let (env, _) = new_disk();
    assert_eq!(**open(&env).unwrap().manifest(), Manifest::default());
    assert_eq!(manifest_files(&env), ["00000000000000000001.manifest"]);
}

#[test]
fn what_was_committed_is_there_after_opening_again_however_many_files_it_took() {
    let (env, _) = new_disk();
    for round in 0..3 {
        let mut log = open(&env).unwrap();
        for lsn in round * 40 + 1..=round * 40 + 40 {
            assert_eq!(*log.commit(&edit(lsn)).unwrap(), state(lsn));
        }
    }
    assert_eq!(**open(&env).unwrap().manifest(), state(120));
    let files = manifest_files(&env);
    assert_eq!(files.len(), 3, "the newest and two before it: {files:?}");
    assert!(files[2].as_str() > "00000000000000000007.manifest", "edits have outgrown files: {files:?}");
}

#[test]
fn an_edit_that_does_not_fit_is_refused_and_the_log_goes_on() {
    let (env, _) = new_disk();
    let mut log = open(&env).unwrap();
    log.commit(&edit(1)).unwrap();
    let refused = log.commit(&edit(1));
    assert!(matches!(refused, Err(Error::Manifest(ManifestError::CheckpointBack { .. }))), "{refused:?}");
    log.commit(&edit(2)).unwrap();
    drop(log);
    assert_eq!(**open(&env).unwrap().manifest(), state(2));
}

/// An edit of some megabytes, with a long site id in every file.
fn huge_edit(first: u64, files: u64) -> Edit {
    let date = day("2026-03-01");
    let entry = |lsn: u64| {
        let site = site(&format!("{lsn:0>256}"));
        let path = Arc::from(format!("{}/0-{lsn}.parquet", layout::partition_folder(&site, date)));
        FileEntry { site, lsns: LsnRange::one(Lsn::new(lsn)), path, ..edit(1).add[0].clone() }
    };
    let checkpoint = Some(Lsn::new(first + files - 1));
    Edit { add: (first..first + files).map(entry).collect(), checkpoint, ..Edit::default() }
}

#[test]
fn an_edit_beyond_the_size_of_a_frame_is_committed_as_a_whole() {
    let (env, disk) = new_disk();
    let mut log = open(&env).unwrap();
    // The first outgrows the file and becomes the checkpoint of the next, which then has room for the second.
    let one = log.commit(&huge_edit(1, 2500)).unwrap();
    let operations = disk.operations();
    let two = log.commit(&huge_edit(2501, 2100)).unwrap();
    let (of_second, bytes) = (disk.operations() - operations, huge_edit(2501, 2100).encode().len());
    assert!(bytes > 1 << 20 && of_second > 4, "{bytes} bytes in {of_second} operations");
    drop(log);
    assert_eq!(*open(&env).unwrap().manifest(), two);

    for operation in 1..=of_second {
        let (env, disk) = new_disk();
        let mut log = open(&env).unwrap();
        log.commit(&huge_edit(1, 2500)).unwrap();
        disk.cut_power_at(disk.operations() + operation);
        log.commit(&huge_edit(2501, 2100)).unwrap_err();
        disk.crash_by(CrashMode::KeepAll, &mut SimRng::new(operation));
        let after = open(&env).unwrap();
        assert!(*after.manifest() == one || *after.manifest() == two, "operation {operation}: half an edit");
    }
}

#[test]
fn a_power_cut_at_any_moment_leaves_the_state_before_or_after_each_commit() {
    let mut cuts = 0;
    for seed in 0..4 {
        for operation in 1.. {
            let (env, disk) = new_disk();
            disk.cut_power_at(disk.operations() + operation);
            let mut acknowledged = None;
            let mut attempted = 0;
            if let Ok(mut log) = open(&env) {
                acknowledged = Some(0);
                // Enough to begin a second file.
                for lsn in 1..=20 {
                    attempted = lsn;
                    let Ok(_) = log.commit(&edit(lsn)) else { break };
                    acknowledged = Some(lsn);
                }
            }
            let is_complete = acknowledged == Some(20);
            disk.crash(&mut SimRng::new(seed * 1000 + operation));
            env.disk.create_dir(Path::new(ROOT)).unwrap();
            let found = open(&env).unwrap().manifest().checkpoint().get();
            assert!(
                found >= acknowledged.unwrap_or(0) && found <= attempted,
                "operation {operation}: acknowledged {acknowledged:?}, found {found}\n{}",
                disk.trace().join("\n")
            );
            assert_eq!(**open(&env).unwrap().manifest(), state(found));
            cuts += 1;
            if is_complete {
                break;
            }
        }
    }
    assert!(cuts > 200, "{cuts} power cuts");
}

#[test]
fn after_a_failed_write_or_sync_nothing_is_committed_any_more() {
    for operation in 1..=4 {
        let (env, disk) = new_disk();
        let mut log = open(&env).unwrap();
        log.commit(&edit(1)).unwrap();
        disk.fail_at(disk.operations() + operation, Fault::ErrorOnce(EIO));
        assert!(matches!(log.commit(&edit(2)), Err(Error::Io { .. })), "operation {operation}");
        assert!(matches!(log.commit(&edit(2)), Err(Error::Poisoned)), "operation {operation}");
        assert_eq!(**log.manifest(), state(1), "an unknown outcome is not shown as a state");
        drop(log);
        disk.crash(&mut SimRng::new(operation));
        let found = open(&env).unwrap().manifest().checkpoint().get();
        assert!(found == 1 || found == 2);
    }
}

#[test]
fn a_new_file_that_finds_no_room_on_the_disk_can_be_tried_again() {
    let (env, disk) = new_disk();
    let mut log = open(&env).unwrap();
    disk.set_capacity(1 << 40);
    let used = (1 << 40) - env.disk.free_bytes(Path::new(ROOT)).unwrap();
    disk.set_capacity(used + 10_000);
    let mut last = 0;
    while log.commit(&edit(last + 1)).is_ok() {
        last += 1;
    }
    assert!(last > 5, "the first file has room for {last} edits whatever the disk has");
    assert!(matches!(log.commit(&edit(last + 1)), Err(Error::Io { .. })), "still full, but not poisoned");
    disk.set_capacity(1 << 40);
    assert_eq!(*log.commit(&edit(last + 1)).unwrap(), state(last + 1));
    drop(log);
    assert_eq!(**open(&env).unwrap().manifest(), state(last + 1));
}

/// The bytes of the newest manifest file, after two commits.
pub(crate) fn two_commits() -> (Env, SimDisk, PathBuf, Vec<u8>) {
    let (env, disk) = new_disk();
    let mut log = open(&env).unwrap();
    log.commit(&edit(1)).unwrap();
    log.commit(&edit(2)).unwrap();
    drop(log);
    let path = newest(&env);
    let bytes = disk::read(env.disk.as_ref(), &path).unwrap();
    (env, disk, path, bytes)
}

#[test]
fn a_damaged_newest_file_is_refused_although_an_older_one_is_sound() {
    let (env, disk) = new_disk();
    open(&env).unwrap();
    open(&env).unwrap().commit(&edit(1)).unwrap();
    let newest = newest(&env);
    disk.corrupt(&newest, 2 * 4096 + 100, 1).unwrap();
    let error = open(&env).unwrap_err();
    assert!(
        matches!(&error, Error::ManifestUnusable { path, source: ReplayError::Damaged { .. } } if *path == newest),
        "{error}"
    );
    assert_eq!(manifest_files(&env).len(), 2, "nothing was removed");
}

#[test]
fn a_manifest_of_another_store_or_name_is_refused() {
    let (env, _) = new_disk();
    open(&env).unwrap();
    let foreign = ManifestLog::open(&env, Path::new(ROOT), STORE_ID + 1);
    assert!(matches!(foreign, Err(Error::ManifestHeader { .. })), "{foreign:?}");
    let path = newest(&env);
    env.disk.rename(&path, &path.with_file_name("00000000000000000009.manifest")).unwrap();
    assert!(matches!(open(&env), Err(Error::ManifestMisnamed { number: 1, .. })));
}

#[test]
fn a_store_with_files_but_without_a_manifest_is_refused() {
    let (env, _) = new_disk();
    env.disk.create_dir(&Path::new(ROOT).join("events")).unwrap();
    open(&env).unwrap();
    let folder = Path::new(ROOT).join("manifest");
    for name in manifest_files(&env) {
        env.disk.remove_file(&folder.join(name)).unwrap();
    }
    env.disk.create_dir(&Path::new(ROOT).join("events/site_id=a")).unwrap();
    assert!(matches!(open(&env), Err(Error::ManifestMissing { .. })));
}

#[test]
fn an_unfinished_file_of_an_earlier_life_is_removed() {
    let (env, _) = new_disk();
    open(&env).unwrap().commit(&edit(1)).unwrap();
    env.disk.create(&Path::new(ROOT).join("manifest/00000000000000000002.manifest.new")).unwrap();
    assert_eq!(**open(&env).unwrap().manifest(), state(1));
    assert_eq!(manifest_files(&env), ["00000000000000000001.manifest", "00000000000000000002.manifest"]);
}

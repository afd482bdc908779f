//! An examination sees every damage, blames nothing that is sound, and changes nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::{Files, Home, STORE_ID, files_of, install, small};
use mallard_wal::disk::sim::{self, SimDisk};
use mallard_wal::{Drive, Examination, Examined, Fault, Lsn};

/// Three segments with four records each; the last one is being written.
fn log() -> (Home, common::Running) {
    let (env, ..) = sim::env(1);
    let home = Home::new(env, Path::new("/"), small());
    let running = home.start(0, Drive::Manual).unwrap();
    for item in 1..=12 {
        running.commit(item, 30);
        if item % 4 == 0 && item < 12 {
            running.log.seal().unwrap().unwrap();
        }
    }
    (home, running)
}

fn examine(home: &Home, disk: &SimDisk) -> Vec<Examined> {
    let examination = Examination::begin(disk, &home.dir, STORE_ID).unwrap();
    examination.map(Result::unwrap).collect()
}

fn faults(files: &Files, damage: impl Fn(&Home, &SimDisk)) -> Vec<Option<Fault>> {
    let (home, disk) = install(files);
    damage(&home, &disk);
    let before = files_of(&home);
    let faults = examine(&home, &disk).into_iter().map(|examined| examined.fault).collect();
    assert_eq!(files_of(&home), before, "an examination changes nothing");
    faults
}

#[test]
fn a_log_that_is_being_written_is_sound() {
    let (home, running) = log();
    let (copy, disk) = install(&files_of(&home));
    let examined = examine(&copy, &disk);
    let ranges: Vec<_> = examined.iter().map(|segment| (segment.first_lsn.get(), segment.last_lsn.get())).collect();
    assert_eq!(ranges, [(1, 4), (5, 8), (9, 12)]);
    assert!(examined.iter().all(|segment| segment.fault.is_none() && segment.records == 4 && segment.gaps.is_empty()));
    drop(running);
}

#[test]
fn whoever_wants_the_records_is_shown_each_of_them_once_in_log_order() {
    let (home, running) = log();
    let (copy, disk) = install(&files_of(&home));
    let mut examination = Examination::begin(&disk, &copy.dir, STORE_ID).unwrap();
    let mut lsns = Vec::new();
    while let Some(segment) = examination.next_with(&mut |record| lsns.push(record.lsn.get())) {
        assert_eq!(segment.unwrap().fault, None);
    }
    assert!(lsns.iter().copied().eq(1..=12), "{lsns:?}");
    drop(running);
}

#[test]
fn every_flipped_bit_of_a_sealed_segment_is_seen_and_blamed_on_that_segment() {
    let (home, running) = log();
    let files = files_of(&home);
    drop(running);
    let victim = &files[1];
    for at in 0..victim.1.len() as u64 {
        let faults = faults(&files, |_, disk| disk.corrupt(&victim.0, at, 1 << (at % 8)).unwrap());
        assert!(faults[1].is_some(), "byte {at}");
        assert_eq!((faults[0], faults[2]), (None, None), "byte {at}");
    }
}

#[test]
fn a_missing_segment_is_a_log_that_does_not_continue() {
    let (home, running) = log();
    let mut files = files_of(&home);
    drop(running);
    files.remove(1);
    assert_eq!(faults(&files, |_, _| {}), [None, Some(Fault::Discontinued { expected: Lsn::new(5) })]);
}

#[test]
fn a_segment_of_another_history_does_not_continue_the_log() {
    let (home, running) = log();
    let mut files = files_of(&home);
    drop(running);
    let (env, ..) = sim::env(2);
    let other = Home::new(env, Path::new("/"), small());
    let running = other.start(0, Drive::Manual).unwrap();
    for item in 1..=8 {
        running.commit(item, 30);
        if item % 4 == 0 {
            running.log.seal().unwrap().unwrap();
        }
    }
    files[1] = files_of(&other).remove(1);
    let expected = Some(Fault::Discontinued { expected: Lsn::new(5) });
    assert_eq!(faults(&files, |_, _| {})[..2], [None, expected]);
}

#[test]
fn gaps_that_a_recovery_left_are_named() {
    let (home, running) = log();
    let files = files_of(&home);
    drop(running);
    let (home, disk) = install(&files);
    disk.corrupt(&files[0].0, 4096 + 90, 1).unwrap();
    home.recover(0).unwrap();
    let examined = examine(&home, &disk);
    assert!(examined.iter().all(|segment| segment.fault.is_none()));
    let gaps: Vec<_> = examined.iter().flat_map(|segment| segment.gaps.clone()).collect();
    assert_eq!(gaps, [(Lsn::new(1), Lsn::new(1))]);
}

#[test]
fn a_segment_that_the_device_cannot_read_is_a_fault_of_that_segment() {
    let (home, running) = log();
    let files = files_of(&home);
    drop(running);
    let (home, disk) = install(&files);
    disk.break_sector(&files[1].0, 4096).unwrap();
    let faults: Vec<_> = examine(&home, &disk).into_iter().map(|examined| examined.fault).collect();
    assert_eq!(faults, [None, Some(Fault::Unreadable), None]);
}

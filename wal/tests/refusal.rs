//! What a recovery does not take: files that are not its own, and, if it is told to be strict, any damage.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::{Delivered, Files, Home, files_of, install, small};
use mallard_wal::disk::{self, Disk, sim};
use mallard_wal::{Corruption, Drive, Error, Lsn, OnCorruption, Origin, recover};

/// Two sealed segments, with LSNs 1 to `cut` and `cut + 1` to 4.
fn history(seed: u64, cut: u64) -> Files {
    let (env, ..) = sim::env(seed);
    let home = Home::new(env, Path::new("/"), small());
    let running = home.start(0, Drive::Manual).unwrap();
    for item in 1..=4 {
        running.commit(item, 10);
        if item == cut {
            running.log.seal().unwrap();
        }
    }
    running.log.close().unwrap();
    files_of(&home)
}

#[test]
fn a_strict_recovery_refuses_damage_and_touches_nothing() {
    let files = history(1, 2);
    let (mut home, disk) = install(&files);
    home.config.on_corruption = OnCorruption::Refuse;
    disk.corrupt(&files[0].0, 4096 + 100, 1).unwrap();
    let damaged = files_of(&home);
    let error = home.recover(0).unwrap_err();
    assert!(matches!(&error, Error::Damaged { path, at: 4096, .. } if *path == files[0].0), "{error}");
    assert_eq!(files_of(&home), damaged);
    assert!(home.quarantined().is_empty());
}

#[test]
fn a_strict_recovery_refuses_a_log_with_a_hole() {
    let files = history(1, 2);
    let (mut home, disk) = install(&files);
    home.config.on_corruption = OnCorruption::Refuse;
    disk::durable::remove(&disk, &files[0].0).unwrap();
    let error = home.recover(0).unwrap_err();
    assert!(matches!(error, Error::Missing { first, last, .. } if (first.get(), last.get()) == (1, 2)), "{error}");
}

#[test]
fn a_strict_recovery_drops_a_torn_frame_as_any_other() {
    let (env, disk, _) = sim::env(1);
    let mut home = Home::new(env, Path::new("/"), small());
    home.config.on_corruption = OnCorruption::Refuse;
    let running = home.start(0, Drive::Manual).unwrap();
    running.commit(1, 10);
    running.commit(2, 10);
    drop(running);
    disk.corrupt(&home.segments()[0], 4608 + 90, 0xff).unwrap();
    let (recovery, delivered) = home.recover(0).unwrap();
    assert_eq!(delivered, [Delivered::Record(1, 1)]);
    assert_eq!(recovery.report().torn_frames, 1);
}

#[test]
fn a_segment_of_another_store_is_refused_and_not_touched() {
    let files = history(1, 2);
    let (home, _disk) = install(&files);
    let origin = Origin::new(99, Lsn::ZERO);
    let result = recover(&home.env, &home.dir, &home.quarantine, &home.config, origin, &mut |_| {});
    assert!(matches!(result, Err(Error::Refused { .. })));
    assert_eq!(files_of(&home), files);
}

#[test]
fn a_segment_of_a_newer_format_is_refused_and_not_touched() {
    let mut files = history(1, 2);
    let header = &mut files[0].1[..4096];
    header[8] = 2;
    let crc = crc32fast::hash(&header[..4092]);
    header[4092..].copy_from_slice(&crc.to_le_bytes());
    let (home, _disk) = install(&files);
    let error = home.recover(0).unwrap_err();
    assert!(error.to_string().contains("format version 2"), "{error}");
    assert_eq!(files_of(&home), files);
}

#[test]
fn a_segment_under_another_name_is_refused_and_not_touched() {
    for name in ["00000000000000000002.wal", "copy of 1.wal"] {
        let mut files = history(1, 2);
        files[0].0.set_file_name(name);
        let (home, _disk) = install(&files);
        assert!(matches!(home.recover(0), Err(Error::Misnamed { .. })), "{name}");
        files.sort();
        assert_eq!(files_of(&home), files);
    }
}

#[test]
fn two_segments_with_the_same_lsns_are_refused() {
    let mut files = history(1, 2);
    // Of another history the segment with LSN 4, which the second segment holds too.
    files.push(history(2, 3).remove(1));
    let (home, _disk) = install(&files);
    assert!(matches!(home.recover(0), Err(Error::Overlap { first, .. }) if first.get() == 4));
}

#[test]
fn a_segment_replaced_by_one_of_another_history_is_seen() {
    // The same records, another nonce: sound in itself, but the next segment does not continue it.
    let forged = vec![history(2, 2).remove(0), history(1, 2).remove(1)];
    let (mut home, _disk) = install(&forged);
    let (recovery, delivered) = home.recover(0).unwrap();
    assert_eq!(delivered, (1..=4).map(|lsn| Delivered::Record(lsn, lsn)).collect::<Vec<_>>());
    assert_eq!(recovery.report().quarantined.len(), 1);
    home = install(&forged).0;
    home.config.on_corruption = OnCorruption::Refuse;
    assert!(matches!(home.recover(0), Err(Error::Damaged { reason: Corruption::Link, .. })));
}

#[test]
fn files_that_are_nothing_of_the_log_are_left_alone() {
    let (home, disk) = install(&history(1, 2));
    disk.create(&home.dir.join("notes.txt")).unwrap();
    disk.create(&home.dir.join("00000000000000000009.wal.new")).unwrap();
    home.recover(0).unwrap();
    let names: Vec<_> = disk.list(&home.dir).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["00000000000000000001.wal", "00000000000000000003.wal", "notes.txt"]);
}

//! A copy holds what was acknowledged before it began, and damage to it never passes for the end of the log.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::{Delivered, Files, Home, STORE_ID, files_of, install, small};
use mallard_wal::disk::Disk as _;
use mallard_wal::disk::sim;
use mallard_wal::{Drive, Examination, Lsn, copy};

/// Copies a log with eight sealed records and four in an open segment, the last of them without a MARK.
fn copied() -> Files {
    let (env, disk, _) = sim::env(1);
    let home = Home::new(env, Path::new("/"), small());
    let running = home.start(0, Drive::Manual).unwrap();
    for item in 1..=12 {
        running.commit(item, 30);
        if item == 8 {
            running.log.seal().unwrap().unwrap();
        }
    }
    let to = Path::new("/copy");
    disk.create_dir(to).unwrap();
    let copied = copy(&disk, &home.dir, to, STORE_ID, Lsn::ZERO).unwrap().unwrap();
    let mut files = files_of(&Home { dir: to.to_owned(), ..home.clone() });
    assert_eq!((copied.segments, copied.last_lsn), (2, Some(Lsn::new(12))));
    assert_eq!(copied.bytes, files.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>());
    for (path, _) in &mut files {
        *path = home.dir.join(path.file_name().unwrap());
    }
    files
}

fn all() -> Vec<Delivered> {
    (1..=12).map(|item| Delivered::Record(item, item)).collect()
}

#[test]
fn a_copy_recovers_to_every_record() {
    let (home, _) = install(&copied());
    let (_, delivered) = home.recover(0).unwrap();
    assert_eq!(delivered, all());
}

#[test]
fn a_flipped_bit_in_the_newest_segment_of_a_copy_is_seen_or_costs_no_record() {
    let files = copied();
    let (path, bytes) = files.last().unwrap();
    for at in 0..bytes.len() as u64 {
        let (home, disk) = install(&files);
        disk.corrupt(path, at, 1 << (at % 8)).unwrap();
        let mut examined = Examination::begin(&disk, &home.dir, STORE_ID).unwrap().map(Result::unwrap);
        if examined.all(|segment| segment.fault.is_none()) {
            let (_, delivered) = home.recover(0).unwrap();
            assert_eq!(delivered, all(), "byte {at}");
        }
    }
}

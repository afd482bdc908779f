//! Known bugs that only a damaged medium, a foreign file or a forged record brings out: each detector is silent without
//! the bug and sees it with it. Bugs that a crash brings out are in `engine/tests/simulation/seeded.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use common::{Delivered, Files, Home, STORE_ID, draft, files_of, install, small};
use mallard_wal::disk::sim;
use mallard_wal::seeded::{self, Bug};
use mallard_wal::segment::{SegmentHeader, SegmentWriter};
use mallard_wal::{Draft, Drive, End, Kind, Lsn, Origin, StoreTag, scan};

/// LSN of the last record of [`log`].
const LAST: u64 = 9;

/// A segment with frames of one and of several records, and a MARK behind them; sealed or not.
fn log(is_sealed: bool, seed: u64) -> Files {
    let (env, ..) = sim::env(seed);
    let home = Home::new(env, Path::new("/"), small());
    let running = home.start(0, Drive::Manual).unwrap();
    for item in 1..=6 {
        running.commit(item, 200);
    }
    running.log.append_all((7..=LAST).map(|item| (draft(item, 100), item)).collect()).unwrap();
    running.log.pump().unwrap();
    running.log.pump().unwrap();
    if is_sealed {
        running.log.seal().unwrap();
        running.commit(LAST + 1, 10);
        running.log.close().unwrap();
    }
    files_of(&home)
}

/// How many of some attempts showed that something is wrong.
type Detector = fn() -> (usize, usize);

fn count(attempts: impl Iterator<Item = bool>) -> (usize, usize) {
    attempts.fold((0, 0), |(seen, tried), is_seen| (seen + usize::from(is_seen), tried + 1))
}

/// Where the bytes of the log that are not zero end, without the MARK.
fn end_of_data(files: &Files) -> usize {
    files[0].1.chunks(512).rposition(|sector| sector.iter().any(|byte| *byte != 0)).unwrap() * 512
}

/// Acknowledged records that are damaged are missing without a gap.
fn silent_losses() -> (usize, usize) {
    let files = log(false, 1);
    let end = end_of_data(&files);
    count((4096..end).step_by(41).map(|at| {
        let (home, disk) = install(&files);
        disk.corrupt(&files[0].0, at as u64, 0x10).unwrap();
        let (_, delivered) = home.recover(0).unwrap();
        let last = delivered.last().map_or(0, |last| match *last {
            Delivered::Record(lsn, _) | Delivered::Gap(_, lsn) => lsn,
        });
        last < LAST
    }))
}

/// LSNs of acknowledged records whose segment was cut are given out again.
fn lsns_given_out_again() -> (usize, usize) {
    let files = log(false, 1);
    count((4096..end_of_data(&files)).step_by(113).map(|length| {
        let (home, disk) = install(&files);
        disk.truncate(&files[0].0, length as u64).unwrap();
        home.recover(0).unwrap().0.report().next_lsn.get() <= LAST
    }))
}

/// Damage that no quarantine keeps.
fn originals_not_kept() -> (usize, usize) {
    let files = log(true, 1);
    count((0..files[0].1.len()).step_by(173).map(|at| {
        let (home, disk) = install(&files);
        disk.corrupt(&files[0].0, at as u64, 4).unwrap();
        home.recover(0).unwrap();
        home.quarantined().is_empty()
    }))
}

/// Padding of an unsealed segment that is not what was written.
fn unseen_padding() -> (usize, usize) {
    let files = log(false, 1);
    let padding = (4096..end_of_data(&files)).filter(|at| at % 512 == 500 && files[0].1[*at] == 0);
    count(padding.map(|at| {
        let (home, disk) = install(&files);
        disk.corrupt(&files[0].0, at as u64, 4).unwrap();
        home.recover(0).unwrap();
        home.quarantined().is_empty()
    }))
}

/// Frames of one history behind those of another that began with the same header: a machine that was put back to an
/// earlier state and lived on, over a disk that was not.
fn spliced_histories() -> (usize, usize) {
    let write = |base: u64| {
        let (env, disk, _) = sim::env(1);
        let header = SegmentHeader {
            store_id: STORE_ID,
            number: 1,
            base_lsn: Lsn::FIRST,
            epoch: 1,
            nonce: 7,
            created_us: 0,
            previous_chain: 0,
            commit_align: 512,
            flags: 0,
            prepared_bytes: 0,
            frame_payload_bytes_max: 8192,
        };
        let mut writer = SegmentWriter::create(env.disk.create(Path::new("/segment")).unwrap(), header).unwrap();
        for item in 0..5 {
            writer.commit(&[draft(base + item, 50)]).unwrap();
        }
        mallard_wal::disk::read(&disk, Path::new("/segment")).unwrap()
    };
    let (one, other) = (write(1), write(100));
    count((1..5).map(|frames| {
        let at = 4096 + frames * 512;
        let spliced = [&one[..at], &other[at..]].concat();
        !matches!(scan(&spliced, STORE_ID).unwrap().end, End::Corrupt { .. })
    }))
}

/// A segment of another history of the same store between two of this one.
fn unseen_strangers() -> (usize, usize) {
    count((2..6).map(|seed| {
        let mut files = log(true, 1);
        files[0].1 = log(true, seed).remove(0).1;
        let (home, _) = install(&files);
        home.recover(0).unwrap();
        home.quarantined().is_empty()
    }))
}

/// Records that a stranger wrote into a body and that are delivered as records of the log.
fn forged_records() -> (usize, usize) {
    let mut forged = Vec::new();
    draft(666, 0).finish_into(StoreTag::of(STORE_ID - 1), Lsn::new(1), &mut forged);
    let (env, ..) = sim::env(1);
    let home = Home::new(env, Path::new("/"), small());
    let running = home.start(0, Drive::Manual).unwrap();
    running.log.append(Draft::new(Kind::EVENT, 1, 0, 0, [0; 16], &forged.repeat(3)).unwrap(), 1).unwrap();
    running.log.pump().unwrap();
    running.log.close().unwrap();
    let files = files_of(&home);
    count([20, 0, 1, 2, 3].into_iter().map(|at| {
        let (home, disk) = install(&files);
        disk.corrupt(&files[0].0, 4096 + 80 + at, 1).unwrap();
        home.recover(0).unwrap().1 != [Delivered::Gap(1, 1)]
    }))
}

/// Segments of another store that are taken for this one's.
fn foreign_segments() -> (usize, usize) {
    let (home, _) = install(&log(true, 1));
    count((1..5).map(|other| {
        let origin = Origin::new(STORE_ID + other, Lsn::ZERO);
        mallard_wal::recover(&home.env, &home.dir, &home.quarantine, &home.config, origin, &mut |_| {}).is_ok()
    }))
}

const DETECTORS: [(Bug, Detector); 9] = [
    (Bug::LeaveOutMark, silent_losses),
    (Bug::TornForCorrupt, silent_losses),
    (Bug::ReuseLostLsns, lsns_given_out_again),
    (Bug::DropOriginal, originals_not_kept),
    (Bug::IgnorePadding, unseen_padding),
    (Bug::ForgetChain, spliced_histories),
    (Bug::ForgetLink, unseen_strangers),
    (Bug::IgnoreStoreTag, forged_records),
    (Bug::IgnoreStoreId, foreign_segments),
];

#[test]
fn the_detectors_are_silent_where_there_is_no_bug() {
    for (bug, detector) in DETECTORS {
        let (seen, tried) = detector();
        assert!(seen == 0 && tried > 3, "{bug:?}: seen by {seen} of {tried}");
    }
}

#[test]
fn every_seeded_bug_of_the_log_is_seen() {
    for (bug, detector) in DETECTORS {
        let planted = seeded::plant(bug);
        // A wrong record makes the observer panic, which is as good as a count.
        let looked = panic::catch_unwind(AssertUnwindSafe(detector));
        drop(planted);
        let (seen, tried) = looked.unwrap_or((1, 1));
        println!("{bug:?}: seen by {seen} of {tried} damages");
        assert!(seen > 0, "{bug:?} is not seen");
    }
}

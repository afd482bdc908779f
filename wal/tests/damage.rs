//! Damaged media: whatever happens to the bytes of a segment, it is seen, no wrong record is delivered, and no record is
//! missing without a gap that says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::outcome::{Outcome, recover};
use common::{Delivered, Files, Home, STORE_ID, assert_dense, draft, files_of, install, small};
use mallard_wal::disk;
use mallard_wal::disk::sim::{self, SimRng};
use mallard_wal::{Draft, Drive, Kind, Lsn, Origin, SealedSegment, StoreTag};

/// The victim is the first of these segments; it holds LSNs 1 to `VICTIM_LAST`.
const VICTIM_LAST: u64 = 12;
/// The segment after it ends here.
const LAST: u64 = 15;

/// Frames of one, of several and of large records, and a MARK.
fn fill(home: &Home) -> common::Running {
    let running = home.start(0, Drive::Manual).unwrap();
    running.commit(1, 20);
    running.log.append_all((2..=8).map(|item| (draft(item, 40), item)).collect()).unwrap();
    running.log.pump().unwrap();
    running.log.pump().unwrap();
    running.commit(9, 700);
    for item in 10..=VICTIM_LAST {
        running.log.append(draft(item, 0), item).unwrap();
    }
    running.log.pump().unwrap();
    running
}

/// A sealed segment with a sealed one behind it.
fn in_the_middle() -> (Files, SealedSegment) {
    let (env, ..) = sim::env(1);
    let home = Home::new(env, Path::new("/"), small());
    let running = fill(&home);
    let victim = running.log.seal().unwrap().unwrap();
    for item in VICTIM_LAST + 1..=LAST {
        running.commit(item, 10);
    }
    running.log.close().unwrap();
    (files_of(&home), victim)
}

/// A sealed segment with nothing behind it.
fn at_the_end() -> (Files, SealedSegment) {
    let (env, ..) = sim::env(1);
    let home = Home::new(env, Path::new("/"), small());
    let running = fill(&home);
    running.log.close().unwrap();
    let victim = running.log.sealed().remove(0);
    (files_of(&home), victim)
}

/// A segment without a SEAL, whose last frame is a MARK.
fn marked() -> Files {
    let (env, ..) = sim::env(1);
    let home = Home::new(env, Path::new("/"), small());
    let running = fill(&home);
    running.log.pump().unwrap();
    drop(running);
    let files = files_of(&home);
    assert_eq!(files[0].1[mark_at(&files)..][..5], *b"MWF\x01\x02", "the last frame is a MARK");
    files
}

/// Position of the last frame of the first file, which is one sector long.
fn mark_at(files: &Files) -> usize {
    files[0].1.chunks(512).rposition(|sector| sector.iter().any(|byte| *byte != 0)).unwrap() * 512
}

/// Positions and masks: one random bit of every byte, all eight of those that are headers.
fn flips(bytes: &[u8], seed: u64) -> Vec<(u64, u8)> {
    let mut rng = SimRng::new(seed);
    let is_header = |at: usize| at < 100 || (at >= 4096 && at % 512 < 80);
    let masks = |at: usize, rng: &mut SimRng| -> Vec<u8> {
        if is_header(at) { (0..8).map(|bit| 1 << bit).collect() } else { vec![1 << rng.below(8)] }
    };
    (0..bytes.len()).flat_map(|at| masks(at, &mut rng).into_iter().map(move |mask| (at as u64, mask))).collect()
}

#[test]
fn a_flipped_bit_in_a_sealed_segment_is_seen_and_costs_at_most_its_own_record() {
    for ((files, victim), last) in [(in_the_middle(), LAST), (at_the_end(), VICTIM_LAST)] {
        let cases = flips(&files[0].1, last);
        println!("{} flips", cases.len());
        for (at, mask) in cases {
            let case = format!("bits {mask:#04x} of byte {at}");
            let (home, disk) = install(&files);
            disk.corrupt(&victim.path, at, mask).unwrap();
            assert!(victim.load(&disk).is_err(), "{case}: the load went well");
            let outcome = recover(&home, last, &case);
            assert_eq!(home.quarantined().len(), 1, "{case}: the damage went unseen");
            assert!(outcome.lost <= 1, "{case}: more than one record is lost: {:?}", outcome.delivered);
            assert_eq!(outcome.next, last + 1, "{case}: the damage is bounded exactly");
        }
    }
}

#[test]
fn a_flipped_bit_before_a_mark_is_corruption_and_costs_at_most_its_own_record() {
    let files = marked();
    let path = files[0].0.clone();
    let mark_at = mark_at(&files);
    for (at, mask) in flips(&files[0].1[..mark_at], 7) {
        let case = format!("bits {mask:#04x} of byte {at}");
        let (home, disk) = install(&files);
        disk.corrupt(&path, at, mask).unwrap();
        let outcome = recover(&home, VICTIM_LAST, &case);
        assert_eq!(home.quarantined().len(), 1, "{case}: the damage went unseen");
        assert!(outcome.lost <= 1, "{case}: more than one record is lost: {:?}", outcome.delivered);
    }
    // In the MARK itself, or in the zeros behind it, there is nothing to lose.
    for (at, mask) in flips(&files[0].1, 8).into_iter().filter(|(at, _)| *at >= mark_at as u64).step_by(7) {
        let (home, disk) = install(&files);
        disk.corrupt(&path, at, mask).unwrap();
        let outcome = recover(&home, VICTIM_LAST, &format!("bits {mask:#04x} of byte {at}"));
        assert_eq!(outcome.lost, 0);
    }
}

#[test]
fn a_cut_sealed_segment_is_seen_and_what_it_lost_is_a_gap() {
    let (files, victim) = in_the_middle();
    for length in 0..victim.bytes {
        let case = format!("cut to {length} bytes");
        let (home, disk) = install(&files);
        disk.truncate(&victim.path, length).unwrap();
        assert!(victim.load(&disk).is_err(), "{case}: the load went well");
        let outcome = recover(&home, LAST, &case);
        assert_eq!(home.quarantined().len(), 1, "{case}: the damage went unseen");
        assert_eq!(outcome.next, LAST + 1, "{case}: the next segment is whole");
    }
}

#[test]
fn a_cut_last_segment_is_seen_and_no_lsn_of_it_is_given_out_again() {
    for files in [at_the_end().0, marked()] {
        for length in 0..files[0].1.len() as u64 {
            let case = format!("cut to {length} bytes");
            let (home, disk) = install(&files);
            disk.truncate(&files[0].0, length).unwrap();
            let outcome = recover(&home, VICTIM_LAST, &case);
            assert_eq!(home.quarantined().len(), 1, "{case}: the damage went unseen");
            assert!(outcome.next > VICTIM_LAST, "{case}: LSN {} would be given out again", outcome.next);
        }
    }
}

#[test]
fn an_unreadable_sector_is_damage_and_never_the_end_of_the_recovery() {
    let (files, victim) = in_the_middle();
    for sector in 0..victim.bytes / 512 {
        let case = format!("unreadable sector {sector}");
        let (home, disk) = install(&files);
        disk.break_sector(&victim.path, sector * 512).unwrap();
        let (recovery, _) = home.recover(0).unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(recovery.report().unreadable_bytes, 512, "{case}");
        assert_eq!(recovery.report().quarantined.len(), 1, "{case}");
        let outcome = recover_again(&home, &case);
        let lost_at_most = if sector < 8 { 0 } else { 8 };
        assert!(outcome.lost <= lost_at_most, "{case}: {:?}", outcome.delivered);
    }
}

/// [`recover`] of what is recovered already.
fn recover_again(home: &Home, case: &str) -> Outcome {
    let (recovery, delivered) = home.recover(0).unwrap_or_else(|error| panic!("{case}, again: {error}"));
    let next = assert_dense(&delivered, 1);
    let lost = recovery.report().gaps.iter().map(|(first, last)| last.get() - first.get() + 1).sum();
    Outcome { lost, next, delivered }
}

#[test]
fn a_missing_segment_is_a_gap_that_the_next_recoveries_know_too() {
    let (env, disk, _) = sim::env(1);
    let home = Home::new(env, Path::new("/"), small());
    let running = home.start(0, Drive::Manual).unwrap();
    for item in 1..=12 {
        running.commit(item, 10);
        if item % 3 == 0 {
            running.log.seal().unwrap();
        }
    }
    drop(running);
    for missing in [0, 1, 2] {
        let (home, disk) = install(&files_of(&home));
        disk::durable::remove(&disk, &home.segments()[missing]).unwrap();
        let outcome = recover(&home, 12, &format!("segment {missing} is missing"));
        let first = missing as u64 * 3 + 1;
        assert!(outcome.delivered.contains(&Delivered::Gap(first, first + 2)), "{:?}", outcome.delivered);
        assert_eq!((outcome.lost, outcome.next), (3, 13));
    }
    // Two in a row are one gap; those below the checkpoint are not missed.
    disk::durable::remove(&disk, &home.segments()[0]).unwrap();
    disk::durable::remove(&disk, &home.segments()[0]).unwrap();
    let (recovery, delivered) = home.recover(4).unwrap();
    assert_eq!(delivered.first(), Some(&Delivered::Gap(5, 6)));
    assert_eq!(recovery.report().gaps, [(Lsn::new(5), Lsn::new(6))]);
}

#[test]
fn a_gap_record_survives_another_damage_to_its_segment() {
    let (files, victim) = in_the_middle();
    let (home, disk) = install(&files);
    // Into the body of the record with LSN 9, then into one of those before it.
    disk.corrupt(&victim.path, 6144 + 80 + 300, 1).unwrap();
    assert_eq!(recover(&home, LAST, "first").delivered[8], Delivered::Gap(9, 9));
    disk.corrupt(&victim.path, 4096 + 80 + 33, 1).unwrap();
    let (recovery, delivered) = home.recover(0).unwrap();
    assert_eq!(delivered[0], Delivered::Gap(1, 1));
    assert_eq!(delivered[8], Delivered::Gap(9, 9));
    assert_eq!(recovery.report().quarantined, [format!("{}.1", file_name(&victim.path))]);
    assert_eq!(recovery.report().damaged, recovery.report().quarantined);
    assert_eq!(home.quarantined().len(), 2);
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn a_torn_frame_is_dropped_without_alarm_and_kept_for_inspection() {
    let (env, disk, _) = sim::env(1);
    let home = Home::new(env, Path::new("/"), small());
    let running = home.start(0, Drive::Manual).unwrap();
    running.commit(1, 10);
    running.commit(2, 10);
    drop(running);
    let path = home.segments().remove(0);
    // Into the second frame: no MARK follows, so it may never have been acknowledged.
    disk.corrupt(&path, 4608 + 90, 0xff).unwrap();
    let (recovery, delivered) = home.recover(0).unwrap();
    assert_eq!(delivered, [Delivered::Record(1, 1)]);
    let report = recovery.report();
    assert_eq!((report.torn_frames, report.torn_bytes > 0), (1, true));
    assert_eq!(report.gaps, []);
    assert_eq!(report.quarantined, [file_name(&path)]);
    assert_eq!(report.damaged, Vec::<String>::new(), "what was never acknowledged is no damage");
    assert_eq!(report.next_lsn, Lsn::new(2));
}

/// A sealed segment that begins with a record whose body a stranger has chosen, LSN 1, and goes on with a real one in the
/// same frame and a real one in the next.
fn with_body(body: &[u8]) -> Files {
    let (env, ..) = sim::env(1);
    let home = Home::new(env, Path::new("/"), small());
    let running = home.start(0, Drive::Manual).unwrap();
    let outer = Draft::new(Kind::EVENT, 1, 0, 0, [0; 16], body).unwrap();
    running.log.append_all(vec![(outer, 1), (draft(2, 20), 2)]).unwrap();
    running.log.pump().unwrap();
    running.commit(3, 20);
    running.log.close().unwrap();
    files_of(&home)
}

/// `bytes`, then their plain crc32, as who knows the format but not the store would end them.
fn with_plain_crc(bytes: &[u8]) -> Vec<u8> {
    [bytes, &crc32fast::hash(bytes).to_le_bytes()].concat()
}

#[test]
fn a_record_inside_the_body_of_another_is_not_taken_for_one() {
    let mut forged = Vec::new();
    draft(666, 0).finish_into(StoreTag::of(STORE_ID - 1), Lsn::new(1), &mut forged);
    let plain = with_plain_crc(&forged[..forged.len() - 4]);
    for body in [forged, plain].map(|record| record.repeat(3)) {
        let files = with_body(&body);
        // Into the key of the outer record, and into each byte of its length, after which its body is searched. The inner
        // records have the very LSN that is missing.
        for at in [20, 0, 1, 2, 3] {
            let (home, disk) = install(&files);
            disk.corrupt(&files[0].0, 4096 + 80 + at, 1).unwrap();
            let (_, delivered) = home.recover(0).unwrap();
            assert_eq!(
                delivered,
                [Delivered::Gap(1, 1), Delivered::Record(2, 2), Delivered::Record(3, 3)],
                "byte {at}"
            );
        }
    }
}

#[test]
fn a_frame_inside_the_body_of_a_record_is_not_taken_for_one() {
    // At the next sector of the file, so that it is where a frame may start: of any nonce, LSNs 1 to 999.
    let mut forged = b"MWF\x01\x01\x01\x50\x00".to_vec();
    forged.extend([64, 1].map(u32::to_le_bytes).concat());
    forged.extend([1, 0, 77, 1].map(u64::to_le_bytes).concat());
    forged.extend([0; 16]);
    forged.extend(999u64.to_le_bytes());
    forged.extend([0; 4]);
    let body = [vec![1; 512 - 80 - 32], with_plain_crc(&forged), vec![1; 300]].concat();
    let files = with_body(&body);
    assert_eq!(files[0].1[4096 + 512..][..4], *b"MWF\x01");
    // Without the header page and the frame around it, nothing but its checksum speaks against the forged one.
    let (home, disk) = install(&files);
    disk.corrupt(&files[0].0, 20, 1).unwrap();
    disk.corrupt(&files[0].0, 4096 + 30, 1).unwrap();
    let mut keys = Vec::new();
    let origin = Origin::new(STORE_ID, Lsn::ZERO);
    let recovery = mallard_wal::recover(&home.env, &home.dir, &home.quarantine, &home.config, origin, &mut |record| {
        keys.push(record.lsn.get());
    });
    assert_eq!((keys, recovery.unwrap().report().gaps.len()), (vec![1, 2, 3], 0));
}

#[test]
fn a_sector_in_the_place_of_another_costs_no_more_than_that_other_and_delivers_nothing_twice() {
    let (env, ..) = sim::env(1);
    let home = Home::new(env, Path::new("/"), small());
    let running = home.start(0, Drive::Manual).unwrap();
    for item in 1..=6 {
        running.commit(item, usize::try_from(item).unwrap() % 3 * 400);
        running.log.pump().unwrap();
    }
    running.log.seal().unwrap();
    running.commit(7, 0);
    running.log.close().unwrap();
    let files = files_of(&home);
    let sectors = files[0].1.len() / 512;
    for (from, to) in (8..sectors).flat_map(|from| (8..sectors).map(move |to| (from, to))) {
        let case = format!("sector {from} in the place of sector {to}");
        let mut damaged = files.clone();
        damaged[0].1.copy_within(from * 512..(from + 1) * 512, to * 512);
        let outcome = recover(&install(&damaged).0, 7, &case);
        assert!(outcome.lost <= 1 && outcome.next == 8, "{case}: {:?}", outcome.delivered);
    }
}

#[test]
fn what_a_torn_frame_says_to_be_durable_is_a_gap_where_it_is_lost() {
    let (env, disk, _) = sim::env(1);
    let home = Home::new(env, Path::new("/"), small());
    let running = home.start(0, Drive::Manual).unwrap();
    for item in 1..=6 {
        running.commit(item, 10);
    }
    drop(running);
    let path = home.segments().remove(0);
    // The frames of LSN 3 to 5 are lost, and the one of LSN 6, the last, is not whole.
    for sector in 2..5 {
        disk.break_sector(&path, 4096 + sector * 512).unwrap();
    }
    disk.corrupt(&path, 4096 + 5 * 512 + 90, 1).unwrap();
    let (recovery, delivered) = home.recover(0).unwrap();
    assert_eq!(delivered, [Delivered::Record(1, 1), Delivered::Record(2, 2), Delivered::Gap(3, 5)]);
    assert_eq!((recovery.report().next_lsn, recovery.report().torn_frames), (Lsn::new(6), 1));
}

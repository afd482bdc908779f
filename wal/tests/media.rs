//! Every way in which a medium may change a sealed segment of 64 KiB or the header of one that was being written: single
//! bits, cuts, and sectors that are zero, in each other's place, or what they were before.
//!
//! That the damage is *seen* is tried for each of them, and of the header of a segment that was being written what recovery
//! then makes of it. Of a sealed segment that is tried for a sample that takes some seconds; `MALLARD_TEST_FULL=1` recovers
//! from all (minutes; `just soak`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::path::PathBuf;

use common::outcome::recover;
use common::{Files, Home, STORE_ID, draft, files_of, install_with, is_full, on_all_cores, small};
use mallard_wal::disk::sim;
use mallard_wal::{Config, Drive, End, scan};

const SEGMENT_BYTES: usize = 64 * 1024;
const HEADER_BYTES: usize = 4096;
/// The longest run of records in one frame, or in one page.
const RECORDS_AT_A_TIME: u64 = 30;

fn sizes() -> Config {
    Config { segment_bytes: 64 * 1024, first_segment_bytes: 64 * 1024, ..small() }
}

/// A log whose first segment is full and sealed, and whose second has one record; the LSN of that one.
fn log() -> (Files, u64) {
    let (env, ..) = sim::env(1);
    let home = Home::new(env, std::path::Path::new("/"), sizes());
    let running = home.start(0, Drive::Manual).unwrap();
    let mut item = 0;
    while running.log.sealed().is_empty() {
        let frame = item + 1..=item + 1 + item % RECORDS_AT_A_TIME;
        item = *frame.end();
        let records = frame.map(|item| (draft(item, usize::try_from(item % 7 * 30).unwrap()), item)).collect();
        running.log.append_all(records).unwrap();
        running.log.pump().unwrap();
        if item % 3 == 0 {
            running.log.pump().unwrap();
        }
    }
    running.log.close().unwrap();
    let files = files_of(&home);
    assert!(files[0].1.len() > SEGMENT_BYTES - 8192, "{} bytes", files[0].1.len());
    (files, item)
}

/// Whether a scan sees that this is not the sealed segment that it was.
fn is_seen(bytes: &[u8]) -> bool {
    !matches!(scan(bytes, STORE_ID), Ok(scan) if matches!(scan.end, End::Sealed(_)))
}

/// Recovers a log whose first segment is this one; at most `lost_max` of its records may be missing, each in a gap.
fn check(files: &Files, last: u64, bytes: Vec<u8>, lost_max: u64, case: &str) {
    let mut damaged = files.clone();
    damaged[0].1 = bytes;
    let outcome = recover(&install_with(sizes(), &damaged).0, last, case);
    assert!(outcome.lost <= lost_max, "{case}: {} records are lost", outcome.lost);
    assert_eq!(outcome.next, last + 1, "{case}: the damage is bounded exactly");
}

/// Every `step`th number; all of them in a full run.
fn sample(count: usize, step: usize) -> Vec<usize> {
    (0..count).step_by(if is_full() { 1 } else { step }).collect()
}

#[test]
fn every_flipped_bit_of_a_sealed_segment_of_64_kib_is_seen_and_costs_at_most_its_own_record() {
    let (files, last) = log();
    let sealed = &files[0].1;
    let bytes: Vec<usize> = (0..sealed.len()).collect();
    on_all_cores(&bytes, |&at| {
        let mut damaged = sealed.clone();
        for bit in 0..8 {
            damaged[at] ^= 1 << bit;
            assert!(is_seen(&damaged), "bit {bit} of byte {at}");
            damaged[at] ^= 1 << bit;
        }
    });
    let recovered = sample(sealed.len() * 8, 131);
    on_all_cores(&recovered, |&at| {
        let mut damaged = sealed.clone();
        damaged[at / 8] ^= 1 << (at % 8);
        check(&files, last, damaged, 1, &format!("bit {} of byte {}", at % 8, at / 8));
    });
    println!("{} flips seen, {} recovered from", sealed.len() * 8, recovered.len());
}

#[test]
fn every_cut_of_a_sealed_segment_of_64_kib_is_seen_and_what_it_lost_is_a_gap() {
    let (files, last) = log();
    let sealed = &files[0].1;
    let lengths: Vec<usize> = (0..sealed.len()).collect();
    on_all_cores(&lengths, |&length| assert!(is_seen(&sealed[..length]), "cut to {length} bytes"));
    let recovered = sample(sealed.len(), 37);
    on_all_cores(&recovered, |&length| {
        check(&files, last, sealed[..length].to_vec(), last, &format!("cut to {length} bytes"));
    });
    println!("{} cuts seen, {} recovered from", sealed.len(), recovered.len());
}

/// Sectors of one size that are not what they should be: what is put where.
fn sector_cases(sealed: &[u8], sector_bytes: usize) -> Vec<(String, Vec<u8>)> {
    let sectors: Vec<&[u8]> = sealed.chunks(sector_bytes).collect();
    let with = |at: usize, content: &[u8]| {
        let mut damaged = sealed.to_vec();
        let end = (at * sector_bytes + content.len()).min(damaged.len());
        damaged[at * sector_bytes..end].copy_from_slice(&content[..end - at * sector_bytes]);
        damaged
    };
    let mut cases = Vec::new();
    for at in 0..sectors.len() {
        cases.push((format!("{sector_bytes} zeros in place of sector {at}"), with(at, &vec![0; sector_bytes])));
        cases.push((format!("{sector_bytes} ones in place of sector {at}"), with(at, &vec![0xff; sector_bytes])));
        for other in 0..sectors.len() {
            if other != at {
                cases.push((format!("sector {other} in place of sector {at}"), with(at, sectors[other])));
            }
            if other < at && sectors[at].len() == sectors[other].len() {
                let mut swapped = with(at, sectors[other]);
                swapped[other * sector_bytes..][..sectors[at].len()].copy_from_slice(sectors[at]);
                cases.push((format!("sectors {other} and {at} of {sector_bytes} bytes swapped"), swapped));
            }
        }
    }
    cases.retain(|(_, damaged)| damaged != sealed);
    cases
}

#[test]
fn zeroed_misplaced_and_swapped_sectors_of_a_sealed_segment_are_seen_and_what_they_lost_is_a_gap() {
    let (files, last) = log();
    for (sector_bytes, step) in [(512, 211), (4096, 7)] {
        let cases = sector_cases(&files[0].1, sector_bytes);
        on_all_cores(&cases, |(case, damaged)| assert!(is_seen(damaged), "{case}"));
        let recovered = sample(cases.len(), step);
        // A sector has at most so many records, a frame before it may lose its end, and two are swapped.
        let lost_max = 2 * (sector_bytes as u64 / 60 + RECORDS_AT_A_TIME);
        on_all_cores(&recovered, |&at| {
            let (case, damaged) = &cases[at];
            check(&files, last, damaged.clone(), lost_max, case);
        });
        println!("{} damages of {sector_bytes} bytes seen, {} recovered from", cases.len(), recovered.len());
    }
}

/// The same segment at each moment of its life, as the device held it after each sync: without the SEAL's cut, which the
/// last one has behind it.
fn versions() -> (PathBuf, Vec<Vec<u8>>) {
    let (env, ..) = sim::env(1);
    let home = Home::new(env, std::path::Path::new("/"), small());
    let running = home.start(0, Drive::Manual).unwrap();
    let mut versions = Vec::new();
    for item in 1..=12 {
        running.commit(item, 300);
        versions.push(files_of(&home).remove(0).1);
        if item % 4 == 0 {
            running.log.pump().unwrap();
            versions.push(files_of(&home).remove(0).1);
        }
    }
    let path = home.segments().remove(0);
    running.log.seal().unwrap();
    versions.push(files_of(&home).remove(0).1);
    (path, versions)
}

/// A device that says "written" and keeps the old sector.
#[test]
fn a_stale_sector_of_a_sealed_segment_is_seen_and_costs_what_it_held() {
    let (path, versions) = versions();
    let sealed = versions.last().unwrap();
    let mut cases = 0;
    for (old, sector_bytes) in versions.iter().flat_map(|old| [512, 4096].map(|bytes| (old, bytes))) {
        for start in (0..sealed.len()).step_by(sector_bytes) {
            let end = (start + sector_bytes).min(sealed.len());
            let mut damaged = sealed.clone();
            damaged[start..end].copy_from_slice(&old[start..end]);
            if damaged == *sealed {
                continue;
            }
            cases += 1;
            let case = format!("bytes {start} to {end} are stale");
            assert!(is_seen(&damaged), "{case}");
            let outcome = recover(&install_with(small(), &vec![(path.clone(), damaged)]).0, 12, &case);
            assert!(outcome.lost <= sector_bytes as u64 / 512 + 1, "{case}: {:?}", outcome.delivered);
            assert!(outcome.next > 12, "{case}: an LSN would be given out again");
        }
    }
    println!("{cases} stale sectors seen and recovered from");
}

#[test]
fn no_flipped_bit_of_the_header_of_a_segment_that_was_being_written_costs_a_record_and_no_cut_of_it_an_lsn() {
    let (path, versions) = versions();
    let marked = &versions[versions.len() - 2];
    let flips: Vec<usize> = (0..HEADER_BYTES * 8).collect();
    on_all_cores(&flips, |&at| {
        let mut damaged = marked.clone();
        damaged[at / 8] ^= 1 << (at % 8);
        let outcome = recover(&install_with(small(), &vec![(path.clone(), damaged)]).0, 12, &format!("bit {at}"));
        assert_eq!(outcome.lost, 0, "bit {at}");
        assert!(outcome.next > 12, "bit {at}: an LSN would be given out again");
    });
    let lengths: Vec<usize> = (0..HEADER_BYTES).collect();
    on_all_cores(&lengths, |&length| {
        let files = vec![(path.clone(), marked[..length].to_vec())];
        let outcome = recover(&install_with(small(), &files).0, 12, &format!("cut to {length}"));
        assert!(outcome.next > 12, "cut to {length}: an LSN would be given out again");
    });
    println!("{} flips and {} cuts of a header recovered from", flips.len(), lengths.len());
}

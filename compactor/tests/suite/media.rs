//! Every way in which a medium may change a manifest file or a Parquet file: single bits, cuts, and sectors that are zero,
//! in each other's place, or what they were before. A manifest is refused or yields the state that was committed; a
//! Parquet file is not believed.
//!
//! Of the zeros that fill a manifest file up, a sample is tried; `MALLARD_TEST_FULL=1` tries all.

use std::path::{Path, PathBuf};

use crate::manifest_log::{edit, newest, open, state, two_commits};
use crate::parquet_files::one_file;
use crate::support::{ROOT, STORE_ID};
use mallard_compactor::{Error, FileEntry, Manifest, ManifestLog, read_file};
use mallard_wal::disk::sim::{self, SimDisk};
use mallard_wal::disk::{self, Env};

/// What a damage of the manifest came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// The store does not open.
    Refused,
    /// It opens with the state that was committed: nothing that counts was hit.
    Harmless,
}

/// Reads a manifest whose last committed state is the one after two edits.
fn look(disk: &SimDisk, case: &str) -> Seen {
    match ManifestLog::peek(disk, Path::new(ROOT), STORE_ID) {
        Ok(manifest) => {
            assert_eq!(manifest, state(2), "{case}: another state than the one that was committed");
            Seen::Harmless
        }
        Err(Error::ManifestUnusable { .. } | Error::ManifestHeader { .. }) => Seen::Refused,
        Err(other) => panic!("{case}: {other}"),
    }
}

/// Every `step`th number; all of them in a full run.
fn sample(count: usize, step: usize) -> impl Iterator<Item = usize> {
    let is_full = std::env::var_os("MALLARD_TEST_FULL").is_some();
    (0..count).step_by(if is_full { 1 } else { step })
}

/// Where the bytes that are not zero end.
fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

#[test]
fn every_flipped_bit_of_a_manifest_is_refused_or_harmless() {
    let (_, disk, path, bytes) = two_commits();
    let last_mark = used(&bytes) / 4096 * 4096;
    let mut seen = (0, 0);
    // All of the pages that were written, and some of the zeros behind them.
    let used_bits = (last_mark + 4096) * 8;
    let zeros = sample(bytes.len() * 8 - used_bits, 509).map(|bit| used_bits + bit);
    for bit in (0..used_bits).chain(zeros) {
        let (at, mask) = ((bit / 8) as u64, 1 << (bit % 8));
        disk.corrupt(&path, at, mask).unwrap();
        match look(&disk, &format!("bit {bit}")) {
            Seen::Refused => seen.0 += 1,
            Seen::Harmless => {
                assert!(bit >= last_mark * 8, "bit {bit}: damage before the last MARK went unseen");
                seen.1 += 1;
            }
        }
        disk.corrupt(&path, at, mask).unwrap();
    }
    println!("{} flips of a manifest refused, {} harmless, at or behind the last MARK", seen.0, seen.1);
}

#[test]
fn every_cut_of_a_manifest_is_refused() {
    let (_, _, path, bytes) = two_commits();
    // From the longest to the shortest, on one disk.
    let (_, disk) = with_manifest(&path, &bytes);
    let lengths: Vec<usize> =
        (0..used(&bytes)).chain(sample(bytes.len() - used(&bytes), 127).map(|at| used(&bytes) + at)).collect();
    for length in lengths.iter().rev() {
        disk.truncate(&path, *length as u64).unwrap();
        assert_eq!(look(&disk, &format!("cut to {length}")), Seen::Refused, "cut to {length}");
    }
    println!("{} cuts of a manifest refused", lengths.len());
}

/// A machine with one manifest file.
fn with_manifest(path: &Path, bytes: &[u8]) -> (Env, SimDisk) {
    let (env, disk, _clock) = sim::env(4);
    disk::durable::create_dirs(&disk, Path::new("/"), path.parent().unwrap().strip_prefix("/").unwrap()).unwrap();
    env.disk.create(path).unwrap().write_all_at(bytes, 0).unwrap();
    (env, disk)
}

/// The bytes of the manifest file after each step of its life.
fn versions() -> (PathBuf, Vec<Vec<u8>>) {
    let (env, ..) = two_commits();
    let read = |path: &Path| disk::read(env.disk.as_ref(), path).unwrap();
    let mut log = open(&env).unwrap();
    let path = newest(&env);
    let mut versions = vec![vec![0; read(&path).len()], read(&path)];
    for lsn in 3..=5 {
        log.commit(&edit(lsn)).unwrap();
        versions.push(read(&path));
    }
    (path, versions)
}

#[test]
fn no_zeroed_misplaced_swapped_or_stale_sector_of_a_manifest_yields_another_state() {
    let (path, versions) = versions();
    let sound = versions.last().unwrap();
    let mut damages: Vec<Vec<u8>> = Vec::new();
    for sector_bytes in [512, 4096] {
        let sectors = used(sound).div_ceil(sector_bytes) + 1;
        let range = |at: usize| at * sector_bytes..(at + 1) * sector_bytes;
        for (at, other) in (0..sectors).flat_map(|at| (0..sectors).map(move |other| (at, other))) {
            let mut misplaced = sound.clone();
            misplaced.copy_within(range(other), range(at).start);
            let mut swapped = misplaced.clone();
            swapped[range(other)].copy_from_slice(&sound[range(at)]);
            damages.extend([misplaced, swapped]);
        }
        for (old, at) in versions.iter().flat_map(|old| (0..sectors).map(move |at| (old, at))) {
            let mut stale = sound.clone();
            stale[range(at)].copy_from_slice(&old[range(at)]);
            damages.push(stale);
        }
    }
    damages.retain(|damaged| damaged != sound);
    let mut harmless = 0;
    for (case, damaged) in damages.iter().enumerate() {
        let (_, disk) = with_manifest(&path, damaged);
        match ManifestLog::peek(&disk, Path::new(ROOT), STORE_ID) {
            Ok(manifest) => {
                assert_eq!(manifest, state(5), "case {case}: another state than the one that was committed");
                harmless += 1;
            }
            Err(Error::ManifestUnusable { .. } | Error::ManifestHeader { .. }) => {}
            Err(other) => panic!("case {case}: {other}"),
        }
    }
    println!("{} damaged sectors of a manifest, {harmless} of them harmless", damages.len());
}

/// Whether a damaged file is refused before a row of it is believed.
fn is_refused(env: &Env, entry: &FileEntry) -> bool {
    let read = read_file(env, Path::new(ROOT), entry, &mut |_| panic!("a damaged file was read"));
    matches!(read, Err(Error::FileDamaged { .. }))
}

#[test]
fn every_flipped_bit_every_cut_and_every_changed_sector_of_a_parquet_file_is_seen() {
    let (store, entry, bytes) = one_file(20, 65_536);
    let path = store.root().join(&*entry.path);
    for bit in 0..bytes.len() * 8 {
        let (at, mask) = ((bit / 8) as u64, 1 << (bit % 8));
        store.disk.corrupt(&path, at, mask).unwrap();
        assert!(is_refused(&store.env, &entry), "bit {bit}");
        store.disk.corrupt(&path, at, mask).unwrap();
    }
    let mut sectors = 0;
    for sector_bytes in [512, 4096] {
        let sectors_of = |bytes: &[u8]| bytes.len() / sector_bytes;
        for (at, other) in (0..sectors_of(&bytes)).flat_map(|at| (0..=sectors_of(&bytes)).map(move |other| (at, other)))
        {
            let mut damaged = bytes.clone();
            match other == sectors_of(&bytes) {
                true => damaged[at * sector_bytes..(at + 1) * sector_bytes].fill(0),
                false => damaged.copy_within(other * sector_bytes..(other + 1) * sector_bytes, at * sector_bytes),
            }
            if damaged != bytes {
                store.env.disk.open_write(&path).unwrap().write_all_at(&damaged, 0).unwrap();
                assert!(is_refused(&store.env, &entry), "sector {other} in place of sector {at}");
                sectors += 1;
            }
        }
    }
    store.env.disk.open_write(&path).unwrap().write_all_at(&bytes, 0).unwrap();
    for length in (0..bytes.len()).rev() {
        store.disk.truncate(&path, length as u64).unwrap();
        assert!(is_refused(&store.env, &entry), "cut to {length}");
    }
    println!("{} flips, {} cuts and {sectors} changed sectors of a Parquet file seen", bytes.len() * 8, bytes.len());
}

/// The states that a manifest with one damaged byte is taken for; none where it is refused.
pub(crate) fn states_of_damaged_manifests() -> Vec<Option<Manifest>> {
    let (env, disk, path, bytes) = two_commits();
    let peek = |at: usize| {
        disk.corrupt(&path, at as u64, 4).unwrap();
        let peeked = open(&env).map(|log| log.manifest().as_ref().clone());
        disk.corrupt(&path, at as u64, 4).unwrap();
        // What the opening has added goes, so that the damaged file is the newest again.
        let newest = newest(&env);
        if newest != path {
            env.disk.remove_file(&newest).unwrap();
        }
        peeked.ok()
    };
    (4096..used(&bytes)).step_by(29).map(peek).collect()
}

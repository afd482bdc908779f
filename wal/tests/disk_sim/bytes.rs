//! What a crash does to bytes and lengths.

use std::collections::BTreeSet;
use std::io;

use mallard_wal::disk::sim::{CrashMode, SECTOR_BYTES, SimRng};
use mallard_wal::disk::{Disk, File, read};

use super::{SEEDS, crash, disk_with_file, outcomes, path};

#[test]
fn synced_bytes_under_a_synced_name_survive_every_crash() {
    for seed in 0..SEEDS {
        let (disk, _file) = disk_with_file(seed, &[7; 5000]);
        crash(&disk, seed);
        assert_eq!(read(&disk, path("/file")).unwrap(), [7; 5000]);
    }
}

#[test]
fn every_subset_of_the_unsynced_sectors_may_survive() {
    let found = outcomes(|seed| {
        let (disk, file) = disk_with_file(seed, &[0; 3 * SECTOR_BYTES]);
        file.write_all_at(&[1; 3 * SECTOR_BYTES], 0).unwrap();
        crash(&disk, seed);
        let bytes = read(&disk, path("/file")).unwrap();
        let (sectors, rest) = bytes.as_chunks::<SECTOR_BYTES>();
        assert!(rest.is_empty());
        assert!(sectors.iter().all(|sector| *sector == [sector[0]; SECTOR_BYTES]), "a torn sector");
        sectors.iter().map(|sector| sector[0]).collect::<Vec<_>>()
    });
    assert_eq!(found.len(), 8, "{found:?}");
}

#[test]
fn unsynced_growth_may_be_lost_or_partial_or_a_hole_of_zeros() {
    let found = outcomes(|seed| {
        let (disk, file) = disk_with_file(seed, &[1; 100]);
        file.write_all_at(&[2; 2000], 100).unwrap();
        crash(&disk, seed);
        let bytes = read(&disk, path("/file")).unwrap();
        assert_eq!(bytes[..100], [1; 100]);
        (bytes.len(), bytes[100..].contains(&0))
    });
    for wanted in [(100, false), (2100, true), (2100, false), (512, false), (512, true)] {
        assert!(found.contains(&wanted), "{wanted:?} in {found:?}");
    }
}

#[test]
fn a_version_between_the_synced_and_the_newest_one_may_survive() {
    let found = outcomes(|seed| {
        let (disk, file) = disk_with_file(seed, &[1]);
        file.write_all_at(&[2], 0).unwrap();
        file.write_all_at(&[3], 0).unwrap();
        crash(&disk, seed);
        read(&disk, path("/file")).unwrap()
    });
    assert_eq!(found, BTreeSet::from([vec![1], vec![2], vec![3]]));
}

#[test]
fn an_unsynced_cut_may_be_undone_and_the_old_bytes_be_back() {
    let found = outcomes(|seed| {
        let (disk, file) = disk_with_file(seed, &[1; 2000]);
        file.set_len(10).unwrap();
        crash(&disk, seed);
        read(&disk, path("/file")).unwrap()
    });
    assert!(found.contains(&vec![1; 10]));
    assert!(found.contains(&vec![1; 2000]));
}

#[test]
fn a_synced_cut_is_never_undone() {
    for seed in 0..SEEDS {
        let (disk, file) = disk_with_file(seed, &[1; 2000]);
        file.set_len(10).unwrap();
        file.sync_data().unwrap();
        crash(&disk, seed);
        assert_eq!(read(&disk, path("/file")).unwrap(), [1; 10]);
    }
}

/// Sectors of a file image, each filled up by zeros.
fn sector(image: &[u8], number: usize) -> [u8; SECTOR_BYTES] {
    let mut sector = [0; SECTOR_BYTES];
    for (to, from) in sector.iter_mut().zip(image.iter().skip(number * SECTOR_BYTES)) {
        *to = *from;
    }
    sector
}

/// Does something at random to a file, in the simulation and to `versions`: the images since the last sync.
fn step(file: &dyn File, versions: &mut Vec<Vec<u8>>, rng: &mut SimRng) -> io::Result<()> {
    let mut image = versions.last().cloned().unwrap_or_default();
    match rng.below(8) {
        0 => {
            file.sync_data()?;
            versions.clear();
        }
        1 => {
            let length = rng.below(4000);
            file.set_len(length)?;
            image.resize(usize::try_from(length).unwrap_or(0), 0);
        }
        _ => {
            let start = usize::try_from(rng.below(3000)).unwrap_or(0);
            let mut bytes = vec![0; usize::try_from(rng.below(1500)).unwrap_or(0)];
            rng.fill(&mut bytes);
            file.write_all_at(&bytes, start as u64)?;
            if !bytes.is_empty() {
                image.resize(image.len().max(start + bytes.len()), 0);
            }
            image.iter_mut().skip(start).zip(&bytes).for_each(|(to, from)| *to = *from);
        }
    }
    versions.push(image);
    Ok(())
}

#[test]
fn after_any_history_every_sector_is_one_of_its_versions_since_the_last_sync() {
    for seed in 0..SEEDS {
        let mut rng = SimRng::new(seed);
        let (disk, mut file) = disk_with_file(seed, &[]);
        let mut versions = vec![Vec::new()];
        for _ in 0..5 {
            for _ in 0..rng.below(9) {
                step(file.as_ref(), &mut versions, &mut rng).unwrap();
            }
            disk.crash(&mut rng);
            let found = read(&disk, path("/file")).unwrap();
            let longest = versions.iter().map(Vec::len).max().unwrap();
            let shortest = versions.iter().map(Vec::len).min().unwrap();
            assert!((shortest..=longest).contains(&found.len()), "seed {seed}: {} bytes", found.len());
            for number in 0..found.len().div_ceil(SECTOR_BYTES) {
                let length = SECTOR_BYTES.min(found.len() - number * SECTOR_BYTES);
                let survivor = &sector(&found, number)[..length];
                let known = versions.iter().any(|image| sector(image, number)[..length] == *survivor);
                assert!(known, "seed {seed}: sector {number} was never so: {:#?}", disk.trace());
            }
            versions = vec![found];
            file = disk.open_write(path("/file")).unwrap();
        }
    }
}

#[test]
fn a_crash_that_loses_all_leaves_the_last_sync_and_one_that_keeps_all_the_newest_state() {
    for seed in 0..SEEDS {
        for mode in [CrashMode::LoseAll, CrashMode::KeepAll] {
            let mut rng = SimRng::new(seed);
            let (disk, file) = disk_with_file(seed, b"first");
            let mut versions = vec![b"first".to_vec()];
            for _ in 0..10 {
                step(file.as_ref(), &mut versions, &mut rng).unwrap();
            }
            disk.create(path("/unsynced")).unwrap();
            disk.crash_by(mode, &mut rng);
            let keeps = mode == CrashMode::KeepAll;
            let expected = if keeps { versions.last() } else { versions.first() };
            assert_eq!(Some(&read(&disk, path("/file")).unwrap()), expected);
            assert_eq!(disk.open(path("/unsynced")).is_ok(), keeps);
        }
    }
}

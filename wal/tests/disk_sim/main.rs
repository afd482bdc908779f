//! What a program may and may not rely on when the simulated power fails.

mod bytes;
mod faults;
mod names;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use mallard_wal::disk::sim::{SimDisk, SimRng, env};
use mallard_wal::disk::{Disk, File, read};

const SEEDS: u64 = 500;

fn root() -> &'static Path {
    Path::new("/")
}

fn path(path: &str) -> &Path {
    Path::new(path)
}

fn crash(disk: &SimDisk, seed: u64) {
    disk.crash(&mut SimRng::new(seed));
}

/// A disk on which `/file` durably holds `bytes`, and a handle of it.
fn disk_with_file(seed: u64, bytes: &[u8]) -> (SimDisk, Box<dyn File>) {
    let disk = SimDisk::new(seed);
    let file = disk.create(path("/file")).expect("the disk is empty");
    file.write_all_at(bytes, 0).expect("the disk has room");
    file.sync_data().expect("no fault is planned");
    disk.sync_dir(root()).expect("no fault is planned");
    (disk, file)
}

fn names(disk: &SimDisk) -> Vec<String> {
    disk.list(root()).expect("the root is there").into_iter().map(|entry| entry.name).collect()
}

/// The different outcomes of a situation over many seeds.
fn outcomes<T: Ord>(situation: impl Fn(u64) -> T) -> BTreeSet<T> {
    (0..SEEDS).map(situation).collect()
}

/// All that a simulation can see after a random life with crashes.
fn life(seed: u64) -> io::Result<Vec<Vec<u8>>> {
    let (env, disk, clock) = env(seed);
    let mut rng = SimRng::new(seed);
    let mut observed = Vec::new();
    for _ in 0..20 {
        clock.advance_us(1);
        let name = format!("/{}", rng.below(5));
        let file = disk.open_write(path(&name)).or_else(|_| disk.create(path(&name)))?;
        let mut bytes = vec![0; 700];
        env.entropy.fill(&mut bytes);
        file.write_all_at(&bytes, rng.below(1000))?;
        if rng.chance(1, 3) {
            disk.sync_dir(root())?;
        }
        if rng.chance(1, 3) {
            disk.crash(&mut rng);
        }
        for entry in disk.list(root())? {
            observed.push(read(&disk, path(&entry.name))?);
        }
        observed.push(env.clock.now_us().to_le_bytes().to_vec());
    }
    Ok(observed)
}

#[test]
fn the_same_seed_gives_the_same_life() {
    for seed in 0..50 {
        assert_eq!(life(seed).unwrap(), life(seed).unwrap());
        assert_ne!(life(seed).unwrap(), life(seed + 1).unwrap());
    }
}

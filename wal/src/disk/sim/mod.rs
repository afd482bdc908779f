//! A machine in memory whose power fails: the file system, clock and random bytes of a simulation.
//!
//! [`SimDisk`] behaves like [`RealDisk`](super::real::RealDisk) for as long as the power is on (a conformance test
//! holds the two against each other). What differs is [`SimDisk::crash`], which keeps only what was synced and *any
//! subset* of the rest. The model is the most hostile one that a Linux file system on a disk with 512-byte sectors may
//! be, because code that survives it needs to know nothing about ext4, XFS or Btrfs.
//!
//! # What a crash keeps
//!
//! ```text
//!               certain                                 perhaps, each independently of all others
//! bytes         as of the last `sync_data` of the file  each sector written since, in any version it has had since
//! length        as of the last `sync_data` of the file  any length it has had since; growth also in part, to any
//!                                                       sector boundary; zeros where no sector was kept
//! names         as of the last `sync_dir` of the folder each creation, link, removal and rename since
//! ```
//!
//! - A sync of a file says nothing about its name, and a sync of a folder nothing about the files and folders in it.
//! - A rename inside one folder is one change: both names change or neither. A rename across folders is two, one in
//!   each folder: POSIX promises no more, and after a crash the file may have both names or none.
//! - A file or folder of which no name survives is gone.
//! - Handles and locks of before the crash are dead: every call on them fails.
//!
//! # A failed sync
//!
//! A `sync_data` that is made to fail behaves as Linux does: some of the sectors reached the disk, the others never
//! will, and all of them count as clean. Reads still show them and the next `sync_data` says `Ok`; a crash or a
//! [`forget_cache`](super::File::forget_cache) shows what the disk holds. So code that repeats a failed fsync loses
//! data here as it does there. The names of a failed `sync_dir` are treated likewise.
//!
//! # What it does not model
//!
//! Renamed folders (refused), symbolic links, permissions, sparse files (a longer file takes its whole length at
//! once), more than one file system, more than the last eight versions of a sector. Space is given back when the last
//! name of a file is *durably* gone and its last handle dropped.
//!
//! Everything is deterministic: ordered maps, no clock, no randomness but from seeds.

mod disk;
mod fate;
mod fault;
mod folder;
mod handle;
mod inode;
mod machine;
mod rng;
mod world;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use disk::SimDisk;
pub use fate::CrashMode;
pub use fault::{EIO, ENOSPC, Fault};
pub use inode::SECTOR_BYTES;
pub use rng::SimRng;
pub use world::{SimClock, SimEntropy};

use super::Env;

/// A simulated machine, and the handles by which a test drives it.
pub fn env(seed: u64) -> (Env, SimDisk, Arc<SimClock>) {
    let disk = SimDisk::new(seed);
    let clock = Arc::new(SimClock::default());
    let entropy = Arc::new(SimEntropy::new(seed));
    let env = Env { disk: Arc::new(disk.clone()), clock: clock.clone(), entropy };
    (env, disk, clock)
}

/// Locks a mutex, also one that a failed assertion of a test has poisoned.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

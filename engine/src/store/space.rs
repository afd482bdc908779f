//! [`Space`]: the free space of the volume, what is kept back of it, and the ballast.
//!
//! ```text
//! free space   above the reserve      events are accepted
//!              below the reserve      events are refused; queries, compaction, retention go on with what is left
//!              none at all            maintenance, or the open, fails, gives the ballast up and tries again
//! ```
//! The reserve is for maintenance, which needs room to make room: a compaction writes Parquet files before it unlinks
//! segments. The ballast is for the day on which another program has taken the reserve.
//!
//! The operating system is asked at most every [`LOOK_US`]: what can be written in between is a small part of the
//! smallest reserve. Nothing here waits, and nothing here has to be told when there is room again.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use mallard_wal::disk::{Clock, Disk, Env, durable};

use crate::layout::Layout;

/// How long an answer of the operating system is believed.
const LOOK_US: i64 = 200_000;
/// The part of the reserve that the ballast has.
const BALLAST_SHARE: u64 = 4;
const CHUNK_BYTES: usize = 256 << 10;
static ZEROS: [u8; CHUNK_BYTES] = [0; CHUNK_BYTES];

/// The volume of a store.
#[derive(Debug)]
pub(super) struct Space {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    root: PathBuf,
    ballast: PathBuf,
    reserve_bytes: u64,
    /// Free bytes when last looked at; [`UNKNOWN`] if the operating system would not say.
    free_bytes: AtomicU64,
    looked_at_us: AtomicI64,
}

/// NOTE: as large as can be: what is not known is no reason to refuse an event.
const UNKNOWN: u64 = u64::MAX;

impl Space {
    pub(super) fn new(env: &Env, layout: &Layout, reserve_bytes: u64) -> Self {
        Self {
            disk: Arc::clone(&env.disk),
            clock: Arc::clone(&env.clock),
            root: layout.root().to_owned(),
            ballast: layout.ballast(),
            reserve_bytes,
            free_bytes: AtomicU64::new(UNKNOWN),
            looked_at_us: AtomicI64::new(i64::MIN),
        }
    }

    /// Whether less is free than is kept back.
    pub(super) fn is_short(&self) -> bool {
        self.look() < self.reserve_bytes
    }

    /// Free bytes, unless the operating system would not say.
    pub(super) fn free_bytes(&self) -> Option<u64> {
        Some(self.look()).filter(|free| *free != UNKNOWN)
    }

    /// What to tell an operator when it is short.
    pub(super) fn shortage(&self) -> String {
        let (free_mb, reserve_mb) = (self.look() >> 20, self.reserve_bytes >> 20);
        format!("disk reserve reached: {free_mb} MB are free, {reserve_mb} MB are kept back; make room")
    }

    /// What is kept back.
    pub(super) fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes
    }

    fn look(&self) -> u64 {
        let now_us = self.clock.steady_us();
        let looked_at_us = self.looked_at_us.load(Ordering::Relaxed);
        if looked_at_us != i64::MIN && now_us < looked_at_us.saturating_add(LOOK_US) {
            return self.free_bytes.load(Ordering::Relaxed);
        }
        let free = self.disk.free_bytes(&self.root).unwrap_or(UNKNOWN);
        self.free_bytes.store(free, Ordering::Relaxed);
        self.looked_at_us.store(now_us, Ordering::Relaxed);
        free
    }

    /// Makes the ballast, if there is none and plenty of room for it. Failing to is no failure.
    pub(super) fn hold_ballast(&self) {
        let bytes = self.reserve_bytes / BALLAST_SHARE;
        if bytes == 0 {
            return;
        }
        let has_room = self.free_bytes().is_some_and(|free| free > self.reserve_bytes.saturating_add(2 * bytes));
        if !has_room || self.disk.open(&self.ballast).is_ok() {
            return;
        }
        if let Err(error) = self.make_ballast(bytes) {
            tracing::debug!(%error, "the ballast could not be made");
            self.disk.remove_file(&self.ballast).ok();
        }
    }

    /// Real zeros: a file with holes would free nothing.
    fn make_ballast(&self, bytes: u64) -> io::Result<()> {
        let file = self.disk.create(&self.ballast)?;
        let mut done = 0;
        while done < bytes {
            file.write_all_at(&ZEROS, done)?;
            file.sync_data()?;
            done += CHUNK_BYTES as u64;
        }
        Ok(())
    }

    /// Gives the ballast up; whether there was any.
    pub(super) fn drop_ballast(&self) -> bool {
        let had_ballast = self.disk.open(&self.ballast).is_ok();
        had_ballast && durable::remove(self.disk.as_ref(), &self.ballast).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mallard_wal::disk::sim::{self, SimClock, SimDisk};

    use super::*;

    const MB: u64 = 1 << 20;
    const CAPACITY_BYTES: u64 = 64 * MB;

    fn volume() -> (Space, SimDisk, Arc<SimClock>) {
        let (env, disk, clock) = sim::env(1);
        disk.set_capacity(CAPACITY_BYTES);
        durable::create_dirs(&disk, Path::new("/"), Path::new("data")).unwrap();
        (Space::new(&env, &Layout::new("/data"), 16 * MB), disk, clock)
    }

    /// Another program's file of so many bytes.
    fn fill(disk: &SimDisk, bytes: u64) -> Box<dyn mallard_wal::disk::File> {
        let file = disk.create(Path::new("/data/filler")).unwrap();
        file.set_len(bytes).unwrap();
        file
    }

    #[test]
    fn a_volume_is_short_below_the_reserve_and_is_looked_at_again_after_a_while() {
        let (space, disk, clock) = volume();
        assert!(!space.is_short());
        let filler = fill(&disk, CAPACITY_BYTES - 16 * MB + 1);
        assert!(!space.is_short(), "an answer is believed for a moment");
        clock.advance_us(LOOK_US);
        assert!(space.is_short());
        assert_eq!(space.free_bytes(), Some(16 * MB - 1));
        assert!(space.shortage().starts_with("disk reserve reached: 15 MB are free, 16 MB are kept back"));
        filler.set_len(0).unwrap();
        clock.jump_us(-86_400_000_000);
        clock.advance_us(LOOK_US);
        assert!(!space.is_short(), "a clock that is set back does not stop the looking");
    }

    #[test]
    fn the_ballast_takes_its_share_and_gives_it_back() {
        let (space, disk, clock) = volume();
        space.hold_ballast();
        clock.advance_us(LOOK_US);
        assert_eq!(space.free_bytes(), Some(CAPACITY_BYTES - 4 * MB));
        assert!(space.drop_ballast());
        assert!(!space.drop_ballast(), "there is one ballast");
        clock.advance_us(LOOK_US);
        assert_eq!(space.free_bytes(), Some(CAPACITY_BYTES));
        fill(&disk, CAPACITY_BYTES - 24 * MB);
        clock.advance_us(LOOK_US);
        space.hold_ballast();
        assert!(!space.drop_ballast(), "none is made where room is scarce");
    }
}

//! [`Snapshots`]: images that are kept in `snapshots/`, named by the time at which they were taken.
//!
//! A snapshot costs a second name for each file, and the space of what the store itself has merged or dropped since. One
//! that is being taken ends in `.new`; what a crash leaves of it goes when the next one is taken. One that the schedule takes says
//! so in its name: only those are removed when there are enough newer ones, never one that somebody has asked for.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mallard_compactor::ManifestLog;
use mallard_wal::disk::{Env, Lock, durable};

use super::image::{self, Image, remove_tree};
use crate::error::{Error, IoContext as _};
use crate::identity::Identity;
use crate::layout::Layout;

const UNFINISHED: &str = ".new";
const SCHEDULED: &str = "-scheduled";
const ID_FORMAT: &str = "%Y%m%dT%H%M%S%3fZ";

/// A snapshot that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name: the time at which it was taken, `20261231T235959999Z`; of one that the schedule has taken
    /// `20261231T235959999Z-scheduled`.
    pub id: String,
    /// The same time in microseconds since 1970, to the millisecond.
    pub taken_us: i64,
    /// What it holds.
    pub image: Image,
}

/// The snapshots of a data directory.
#[derive(Clone, Debug)]
pub struct Snapshots {
    env: Env,
    layout: Layout,
}

impl Snapshots {
    /// Those of the store in `data_dir`, which may be open in a server.
    pub fn of(env: Env, data_dir: &Path) -> Self {
        Self { env, layout: Layout::new(data_dir) }
    }

    /// Takes one that stays until somebody removes it, without the documents in `without`.
    pub fn take(&self, without: &[&str]) -> Result<Snapshot, Error> {
        self.take_as("", without)
    }

    /// Takes one of which the newest `keep` stay, at least one, and removes the others; says how many these were.
    pub fn take_on_schedule(&self, keep: usize, without: &[&str]) -> Result<(Snapshot, usize), Error> {
        // Before, so that a full volume gets room; but the last whole one stays until there is a newer one.
        let surplus = self.prune(keep.saturating_sub(1).max(1))?;
        let snapshot = self.take_as(SCHEDULED, without)?;
        Ok((snapshot, surplus + self.prune(keep.max(1))?))
    }

    fn take_as(&self, kind: &str, without: &[&str]) -> Result<Snapshot, Error> {
        let _lock = self.lock()?;
        let id = id_of(self.env.clock.now_us()) + kind;
        let target = self.folder(&id);
        let unfinished = self.layout.snapshots().join(format!("{id}{UNFINISHED}"));
        let image = self.image_in(&unfinished, without)?;
        self.env.disk.rename(&unfinished, &target).at(&target).inspect_err(|_| self.give_up(&unfinished))?;
        self.env.disk.sync_dir(&self.layout.snapshots()).at(&target)?;
        Ok(Snapshot { taken_us: taken_us(&id).unwrap_or_default(), id, image })
    }

    /// Takes an image that lasts for as long as `using` does.
    pub(super) fn with_passing<T>(
        &self,
        without: &[&str],
        using: impl FnOnce(&Path, Image) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _lock = self.lock()?;
        let folder = self.layout.snapshots().join(format!("passing{UNFINISHED}"));
        let image = self.image_in(&folder, without)?;
        let outcome = using(&folder, image);
        remove_tree(self.env.disk.as_ref(), &folder)?;
        outcome
    }

    /// Takes an image, of which nothing stays if that fails: on a full volume its second names would keep what is removed.
    fn image_in(&self, folder: &Path, without: &[&str]) -> Result<Image, Error> {
        image::take(&self.env, &self.layout, folder, without).inspect_err(|_| self.give_up(folder))
    }

    /// If this fails too, whoever takes the lock next does it.
    fn give_up(&self, unfinished: &Path) {
        remove_tree(self.env.disk.as_ref(), unfinished).ok();
    }

    /// All of them, oldest first.
    pub fn list(&self) -> Result<Vec<Snapshot>, Error> {
        let mut snapshots = Vec::new();
        for (id, taken_us) in self.ids()? {
            snapshots.push(Snapshot { taken_us, image: self.image(&id)?, id });
        }
        Ok(snapshots)
    }

    /// When the schedule took its newest. One that is dated in the future was taken under a date that has been set back since: how
    /// long ago that was nobody can say, so it does not count.
    pub fn newest_us(&self) -> Result<Option<i64>, Error> {
        let now_us = self.env.clock.now_us();
        Ok(self.scheduled()?.into_iter().map(|(_, taken_us)| taken_us).filter(|taken_us| *taken_us <= now_us).max())
    }

    /// Removes one; false if there is none of that name.
    pub fn remove(&self, id: &str) -> Result<bool, Error> {
        if taken_us(id).is_none() || !self.ids()?.iter().any(|(other, _)| other == id) {
            return Ok(false);
        }
        let _lock = self.lock()?;
        self.discard(id).map(|()| true)
    }

    /// Removes one, for whoever holds the lock.
    pub(super) fn discard(&self, id: &str) -> Result<(), Error> {
        let disk = self.env.disk.as_ref();
        // IMPORTANT: the name first, so that half a snapshot never looks like one.
        let unfinished = self.layout.snapshots().join(format!("{id}{UNFINISHED}"));
        disk.rename(&self.folder(id), &unfinished).at(&unfinished)?;
        disk.sync_dir(&self.layout.snapshots()).at(&unfinished)?;
        remove_tree(disk, &unfinished)
    }

    /// Removes all of the schedule's but the newest `keep`; returns how many. Those that are dated in the future count as the oldest: they were
    /// taken before the date was set back.
    pub fn prune(&self, keep: usize) -> Result<usize, Error> {
        let now_us = self.env.clock.now_us();
        let mut ids = self.scheduled()?;
        ids.sort_by_key(|(_, taken_us)| (*taken_us <= now_us, *taken_us));
        let surplus = ids.len().saturating_sub(keep);
        for (id, _) in ids.iter().take(surplus) {
            self.remove(id)?;
        }
        Ok(surplus)
    }

    pub(super) fn env(&self) -> &Env {
        &self.env
    }

    /// Whether there is a folder of snapshots. Nobody takes one without making it first.
    pub(super) fn exist(&self) -> Result<bool, Error> {
        match self.env.disk.list(&self.layout.snapshots()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            listed => listed.at(&self.layout.snapshots()).map(|_| true),
        }
    }

    pub(super) fn folder(&self, id: &str) -> PathBuf {
        self.layout.snapshots().join(id)
    }

    fn scheduled(&self) -> Result<Vec<(String, i64)>, Error> {
        Ok(self.ids()?.into_iter().filter(|(id, _)| id.ends_with(SCHEDULED)).collect())
    }

    pub(super) fn ids(&self) -> Result<Vec<(String, i64)>, Error> {
        let folder = self.layout.snapshots();
        let entries = match self.env.disk.list(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            listed => listed.at(&folder)?,
        };
        let folders = entries.into_iter().filter(|entry| entry.is_dir);
        Ok(folders.filter_map(|entry| taken_us(&entry.name).map(|at| (entry.name, at))).collect())
    }

    fn image(&self, id: &str) -> Result<Image, Error> {
        let disk = self.env.disk.as_ref();
        let layout = Layout::new(self.folder(id));
        let identity = Identity::load(disk, &layout)?;
        let manifest = ManifestLog::peek(disk, layout.root(), identity.store_id)?;
        let segments = disk.list(&layout.wal()).at(&layout.wal())?;
        let totals = manifest.totals();
        Ok(Image {
            events: totals.rows,
            compacted_lsn: manifest.checkpoint().get(),
            last_lsn: None,
            bytes: totals.bytes + segments.iter().map(|entry| entry.bytes).sum::<u64>(),
        })
    }

    /// One at a time, among all processes; what earlier ones left unfinished is removed.
    pub(super) fn lock(&self) -> Result<Box<dyn Lock>, Error> {
        let (disk, folder) = (self.env.disk.as_ref(), self.layout.snapshots());
        // Nothing is made where there is no store.
        Identity::load(disk, &self.layout)?;
        durable::create_dirs(disk, self.layout.root(), Path::new("snapshots")).at(&folder)?;
        let path = folder.join("LOCK");
        let lock = disk.lock(&path).map_err(|source| match source.kind() {
            ErrorKind::WouldBlock => Error::Locked { path },
            _ => Error::Io { path, source },
        })?;
        for entry in disk.list(&folder).at(&folder)? {
            if entry.is_dir && entry.name.ends_with(UNFINISHED) {
                remove_tree(disk, &folder.join(&entry.name))?;
            }
        }
        // IMPORTANT: or a power cut brings back what an erasure was told is gone. Also when nothing was there: an earlier
        // life may have removed it and been killed before this line.
        disk.sync_dir(&folder).at(&folder)?;
        Ok(lock)
    }
}

fn id_of(at_us: i64) -> String {
    let at = Timestamp::from_microsecond(at_us).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::UTC).strftime(ID_FORMAT).to_string()
}

/// The time in a name; `None` if it is none of ours.
fn taken_us(id: &str) -> Option<i64> {
    let id = id.strip_suffix(SCHEDULED).unwrap_or(id);
    let at = jiff::civil::DateTime::strptime(ID_FORMAT, id).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    (id_of(at.as_microsecond()) == id).then(|| at.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_time_and_nothing_else_is_a_name() {
        let at_us = 1_798_761_599_999_000;
        assert_eq!(id_of(at_us), "20261231T235959999Z");
        assert_eq!(taken_us("20261231T235959999Z"), Some(at_us));
        assert_eq!(taken_us("20261231T235959999Z-scheduled"), Some(at_us));
        for other in ["-scheduled", "20261231T235959999Z-scheduled-scheduled", "20261231T235959999Z-scheduled.new"] {
            assert_eq!(taken_us(other), None, "{other}");
        }
        for other in ["", "..", "LOCK", "20261231T235959999Z.new", "20261331T235959999Z", "20261231T235959Z"] {
            assert_eq!(taken_us(other), None, "{other}");
        }
    }
}

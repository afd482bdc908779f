//! A manifest made anew out of the Parquet files, for a store whose own cannot be believed. Only `repair` does this.
//!
//! ```text
//! evidence   what older or damaged manifest files still say: how things once were, and how files looked
//! survey     every file below events/, the highest level first: which LSNs does it add to those before it?
//! checkpoint chosen by the caller, who has the log: everything above it comes from the log
//! plan       keep       a file that alone has its rows
//!            rewrite    one that shares rows with a file of a higher level, or with the log: its other rows, one level up
//!            damaged    one that cannot be read, as long as nothing else has its positions: live, so that answers say so
//!            aside      one that adds nothing
//! write      the rewrites; then the manifest that names the result
//! ```
//!
//! Why this finds every event once: a published file is complete and never changes, and a row has its LSN. A merge has all
//! rows of its inputs, so what an input shares with it is left to it. What an erasure has left of a file is one level higher
//! than the file; that it shares nothing with is what was erased, which the caller erases again. So whatever files of the
//! past are still there, each LSN is taken from one of them, and nothing is taken that was not once acknowledged.
//!
//! What nobody can tell any more: whether a position that is in no file was erased, has expired, or is lost. It is counted.

mod evidence;
mod inspect;
mod lsns;
mod plan;

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use mallard_event::{Date, SiteId};
use mallard_wal::disk::{self, Disk, Env};
use mallard_wal::{Lsn, Record, StoreTag};

use self::evidence::Evidence;
use self::inspect::{Contents, Place, inspect};
pub use self::lsns::LsnSet;
pub use self::plan::RebuildPlan;
use crate::adopt::SCHEMA_ADOPTED;
use crate::error::{Error, at};
use crate::layout;
use crate::manifest::{FileEntry, LsnRange, Manifest};
use crate::orphans::parquet_files;
use crate::parquet::whole;

/// Every Parquet file there is, and what of it counts.
#[derive(Debug)]
pub struct Rebuild {
    past: Manifest,
    /// Files that can be read and have rows that none before them has.
    sound: Vec<Sound>,
    unreadable: Vec<Unreadable>,
    aside: Vec<Aside>,
    /// Positions that are a row, in quarantine or known to be lost.
    accounted: LsnSet,
    quarantined: Vec<Lsn>,
    /// The highest level in each folder.
    levels: BTreeMap<String, u8>,
}

/// A file that is no part of the store any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// Relative to the data directory.
    pub path: String,
    /// Why.
    pub reason: String,
}

#[derive(Debug)]
struct Sound {
    entry: FileEntry,
    /// The LSNs that count, ascending, if they are not all of them.
    only: Option<Vec<u64>>,
}

#[derive(Debug)]
struct Unreadable {
    path: String,
    reason: String,
    bytes: u64,
    crc32: u32,
    known: Option<FileEntry>,
}

impl Rebuild {
    /// Reads every Parquet file and every manifest file of the store in `root`. `progress` hears how many bytes of how many
    /// Parquet files have been read.
    ///
    /// # Errors
    /// [`Error::ManifestUnusable`] or [`Error::ManifestHeader`] if a manifest file is of a newer program; [`Error::Io`].
    pub fn survey(env: &Env, root: &Path, store_id: u128, progress: &mut dyn FnMut(u64, u64)) -> Result<Self, Error> {
        let disk = env.disk.as_ref();
        let evidence = Evidence::gather(disk, root, store_id)?;
        let mut rebuild = Self {
            past: evidence.past(),
            sound: Vec::new(),
            unreadable: Vec::new(),
            aside: Vec::new(),
            accounted: LsnSet::default(),
            quarantined: quarantined_lsns(disk, root, store_id)?,
            levels: BTreeMap::new(),
        };
        rebuild.account_for_the_past();
        let found = parquet_files(disk, root)?;
        let (total, mut read) = (found.values().sum(), 0);
        for (path, bytes) in highest_level_first(found) {
            rebuild.file(disk, root, &evidence, &path)?;
            read += bytes;
            progress(read, total);
        }
        rebuild.missing_but_damaged();
        Ok(rebuild)
    }

    /// Whether this position is a row of a file, in quarantine, or known to be lost.
    pub fn accounts_for(&self, lsn: Lsn) -> bool {
        self.accounted.contains(lsn.get())
    }

    /// The highest position that is accounted for, or that the log was once in Parquet through.
    pub fn newest(&self) -> Lsn {
        let unreadable = self.unreadable.iter().filter_map(|file| Some(Place::of(&file.path)?.identity?.1.last));
        unreadable.max().unwrap_or(Lsn::ZERO).max(self.accounted.last()).max(self.past.checkpoint())
    }

    /// The log was once in Parquet through here, so it still is.
    pub fn floor(&self) -> Lsn {
        self.past.checkpoint()
    }

    fn account_for_the_past(&mut self) {
        let known = self.past.gaps().iter().chain(self.past.quarantined());
        let lsns = known.flat_map(|range| range.first.get()..=range.last.get());
        self.accounted.add(lsns.chain(self.quarantined.iter().map(|lsn| lsn.get())));
    }

    fn file(&mut self, disk: &dyn Disk, root: &Path, evidence: &Evidence, path: &str) -> Result<(), Error> {
        if let Some((folder, _)) = path.rsplit_once('/') {
            let level = Place::of(path).and_then(|place| place.identity).map_or(0, |(level, _)| level);
            let highest = self.levels.entry(folder.to_owned()).or_insert(level);
            *highest = level.max(*highest);
        }
        let bytes = match disk.open(&root.join(path)).and_then(|file| whole(file.as_ref())) {
            Ok(bytes) => bytes,
            // A device that cannot read it has damaged it.
            Err(error) if error.raw_os_error() == Some(EIO) => Bytes::new(),
            Err(error) => return Err(at("read", &root.join(path))(error)),
        };
        match inspect(path, &bytes, evidence.of(path)) {
            Ok(contents) => self.take(contents),
            Err(reason) => self.unreadable.push(Unreadable {
                path: path.to_owned(),
                reason,
                bytes: bytes.len() as u64,
                // Not its own: what nobody has described never passes for what was written.
                crc32: !crc32fast::hash(&bytes),
                known: evidence.of(path).cloned(),
            }),
        }
        Ok(())
    }

    /// Takes those rows of a file that no file before it has.
    fn take(&mut self, contents: Contents) {
        let Contents { mut entry, lsns, is_certain } = contents;
        if entry.schema_version == SCHEMA_ADOPTED {
            if is_certain && self.accounted.count_in(entry.lsns) > 0 {
                self.aside.push(Aside::new(&entry.path, "what an erasure has left of it is in another file"));
                return;
            }
            entry.lsns = self.positions_of_adopted(&entry);
            self.accounted.add(entry.lsns.first.get()..=entry.lsns.last.get());
            self.sound.push(Sound { entry, only: None });
            return;
        }
        let mut only: Vec<u64> = lsns.iter().copied().filter(|lsn| self.accounted.insert(*lsn)).collect();
        if only.is_empty() {
            self.aside.push(Aside::new(&entry.path, "its rows are in files of a higher level"));
            return;
        }
        only.sort_unstable();
        let only = (only.len() < lsns.len()).then_some(only);
        self.sound.push(Sound { entry, only });
    }

    /// Files of the original product stand over positions that no log ever had, from the first on, in the order of paths.
    /// Those that a manifest has given them stay.
    fn positions_of_adopted(&self, entry: &FileEntry) -> LsnRange {
        let adopted = self.sound.iter().filter(|file| file.entry.schema_version == SCHEMA_ADOPTED);
        let last = adopted.map(|file| file.entry.lsns.last).max().unwrap_or(Lsn::ZERO);
        match self.accounted.count_in(entry.lsns) {
            0 => entry.lsns,
            _ => LsnRange::new(last.next(), last.advance(entry.rows)),
        }
    }

    /// Files that were known to be damaged, and are not even there.
    fn missing_but_damaged(&mut self) {
        for (entry, _) in self.past.damaged() {
            let is_there = self.sound.iter().any(|file| file.entry.path == entry.path)
                || self.unreadable.iter().any(|file| *file.path == *entry.path);
            if !is_there {
                let (path, reason) = (entry.path.to_string(), "it is missing".to_owned());
                let known = Some(FileEntry::clone(entry));
                self.unreadable.push(Unreadable { path, reason, bytes: entry.bytes, crc32: entry.crc32, known });
            }
        }
    }
}

/// The device's own refusal.
const EIO: i32 = 5;

impl Aside {
    fn new(path: &str, reason: &str) -> Self {
        Self { path: path.to_owned(), reason: reason.to_owned() }
    }
}

/// Files in the order in which their rows count.
fn highest_level_first(found: BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let level = |path: &str| Place::of(path).and_then(|place| place.identity).map_or(0, |(level, _)| level);
    let mut files: Vec<_> = found.into_iter().collect();
    files.sort_by_key(|(path, _)| std::cmp::Reverse(level(path)));
    files
}

/// The LSNs of the records that compaction has put into quarantine.
fn quarantined_lsns(disk: &dyn Disk, root: &Path, store_id: u128) -> Result<Vec<Lsn>, Error> {
    let folder = root.join(layout::QUARANTINE);
    let mut lsns = Vec::new();
    let entries = match disk.list(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        entries => entries.map_err(at("list", &folder))?,
    };
    for entry in entries {
        if !entry.name.ends_with(".records") {
            continue;
        }
        let path = folder.join(&entry.name);
        let bytes = disk::read(disk, &path).map_err(at("read", &path))?;
        let mut rest = bytes.as_slice();
        while let Ok((record, length)) = Record::parse(rest, StoreTag::of(store_id)) {
            lsns.push(record.lsn);
            rest = rest.get(length..).unwrap_or_default();
        }
    }
    Ok(lsns)
}

/// A day and a site that a file set aside belongs to, by its path; none if its name does not tell.
pub fn place_of(path: &str) -> Option<(SiteId, Date)> {
    let place = Place::of(path)?;
    Some((place.site?, place.date))
}

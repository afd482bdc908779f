//! Files that no manifest names: what a crash leaves behind, and what a commit has just replaced.
//!
//! A listing of folders serves to delete, and for nothing else. It follows no symbolic link, and it touches `*.parquet`
//! two folders below `events/`. Folders that become empty go too. Not to be used beside a job.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use mallard_event::{Date, Timestamp};
use mallard_wal::disk::{Disk, Entry, Env};

use crate::erasure::Erasure;
use crate::error::{Error, at};
use crate::layout;
use crate::manifest::{Edit, Manifest};

/// What [`remove_orphans`] found.
#[derive(Debug, Default)]
pub struct Orphans {
    /// Paths, relative to the data directory, of the files it removed.
    pub removed: Vec<String>,
    /// Live files that are not there in their full length. If there is any, nothing below `events/` was removed: what
    /// looks like an orphan may be what is left of the data.
    pub missing: Vec<String>,
    /// Why folders could not be looked at. Nothing was removed from them, and nothing is known to be missing.
    pub unread: Vec<Error>,
}

/// Removes the Parquet files that `manifest` does not name, from the folders that can be listed. For the opening of a store.
pub fn remove_orphans(env: &Env, root: &Path, manifest: &Manifest) -> Result<Orphans, Error> {
    let disk = env.disk.as_ref();
    let mut walk = Walk::default();
    for site in walk.folders(disk, root, layout::EVENTS) {
        for date in walk.folders(disk, root, &site) {
            walk.files(disk, root, &date);
        }
    }
    let Walk { found, unread } = walk;
    let is_unread = |path: &str| unread.iter().any(|(folder, _)| is_below(path, folder));
    let is_missing = |path: &str, bytes: u64| found.get(path) != Some(&bytes) && !is_unread(path);
    let live = manifest.files().filter(|entry| !manifest.is_damaged(&entry.path));
    let live = live.filter(|entry| is_missing(&entry.path, entry.bytes));
    let missing: Vec<String> = live.map(|entry| entry.path.to_string()).collect();
    let mut removed = Vec::new();
    if missing.is_empty() {
        removed.extend(found.into_keys().filter(|path| !manifest.contains(path)));
    }
    remove_all(disk, root, &removed)?;
    Ok(Orphans { removed, missing, unread: unread.into_iter().map(|(_, error)| error).collect() })
}

/// What the folders below `events/` hold, as far as they can be listed.
#[derive(Default)]
struct Walk {
    /// Parquet files, with their lengths.
    found: BTreeMap<String, u64>,
    /// Folders, and why they cannot.
    unread: Vec<(String, Error)>,
}

impl Walk {
    fn folders(&mut self, disk: &dyn Disk, root: &Path, folder: &str) -> Vec<String> {
        folders_in(disk, root, folder).unwrap_or_else(|error| self.skip(folder, error))
    }

    fn files(&mut self, disk: &dyn Disk, root: &Path, folder: &str) {
        let files = parquet_in(disk, root, folder).unwrap_or_else(|error| self.skip(folder, error));
        self.found.extend(files);
    }

    fn skip<T>(&mut self, folder: &str, error: Error) -> Vec<T> {
        self.unread.push((folder.to_owned(), error));
        Vec::new()
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Removes the files that a committed edit has taken out of the manifest, and the folders that they leave empty.
///
/// Called when no query reads them any more. Files that are gone already are fine.
pub fn unlink(env: &Env, root: &Path, edit: &Edit) -> Result<(), Error> {
    remove_all(env.disk.as_ref(), root, &edit.remove)
}

/// Makes durable which files the partitions have that an erasure reaches.
///
/// An earlier life may have unlinked a file and ended before it could sync the folder; a power cut would bring the name back.
pub fn sync_partitions(env: &Env, root: &Path, erasure: &Erasure) -> Result<(), Error> {
    let disk = env.disk.as_ref();
    let days = [erasure.start_us, erasure.end_us.saturating_sub(1)];
    let [first, last] = days.map(|at_us| Timestamp::saturating_from_micros(at_us).date());
    let site = format!("{}/site_id={}", layout::EVENTS, erasure.site.folder());
    for date in folders_in(disk, root, &site)? {
        let day = date.rsplit_once("date=").and_then(|(_, day)| Date::parse(day).ok());
        if day.is_none_or(|day| (first..=last).contains(&day)) {
            sync(disk, root, &date)?;
        }
    }
    sync(disk, root, &site)?;
    sync(disk, root, layout::EVENTS)
}

/// All Parquet files below `events/`, with their lengths.
pub fn parquet_files(disk: &dyn Disk, root: &Path) -> Result<BTreeMap<String, u64>, Error> {
    let mut files = BTreeMap::new();
    for site in folders_in(disk, root, layout::EVENTS)? {
        for date in folders_in(disk, root, &site)? {
            files.extend(parquet_in(disk, root, &date)?);
        }
    }
    Ok(files)
}

fn parquet_in(disk: &dyn Disk, root: &Path, folder: &str) -> Result<Vec<(String, u64)>, Error> {
    let entries = list(disk, root, folder)?.into_iter();
    let parquet = entries.filter(|entry| !entry.is_dir && entry.name.ends_with(layout::PARQUET));
    Ok(parquet.map(|entry| (format!("{folder}/{}", entry.name), entry.bytes)).collect())
}

fn folders_in(disk: &dyn Disk, root: &Path, folder: &str) -> Result<Vec<String>, Error> {
    let entries = list(disk, root, folder)?.into_iter().filter(|entry| entry.is_dir);
    Ok(entries.map(|entry| format!("{folder}/{}", entry.name)).collect())
}

/// The entries of a folder; none if it does not exist.
fn list(disk: &dyn Disk, root: &Path, folder: &str) -> Result<Vec<Entry>, Error> {
    let folder = root.join(folder);
    match disk.list(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result.map_err(at("list", &folder)),
    }
}

/// Removes files, then the folders that this leaves empty, and syncs every other folder that has lost a name, once.
fn remove_all(disk: &dyn Disk, root: &Path, paths: &[String]) -> Result<(), Error> {
    for path in paths {
        let path = root.join(path);
        // What is not unlinked has not become undone: it may be tried again, unlike the sync that follows.
        absent_is_fine(disk.remove_file(&path)).map_err(at("unlink", &path))?;
    }
    let mut folders: BTreeSet<&str> = paths.iter().filter_map(|path| parent(path)).collect();
    while !folders.is_empty() {
        for folder in &folders {
            settle(disk, root, folder)?;
        }
        folders = folders.into_iter().filter_map(parent).collect();
    }
    Ok(())
}

/// Removes a partition's or a site's folder if it is empty, else makes durable what it has lost.
fn settle(disk: &dyn Disk, root: &Path, folder: &str) -> Result<(), Error> {
    let path = root.join(folder);
    let is_removable = parent(folder).is_some() && list(disk, root, folder)?.is_empty();
    if is_removable {
        absent_is_fine(disk.remove_dir(&path)).map_err(at("unlink", &path))
    } else {
        sync(disk, root, folder)
    }
}

/// Makes durable what a folder has lost; one that is not there has nothing.
fn sync(disk: &dyn Disk, root: &Path, folder: &str) -> Result<(), Error> {
    let path = root.join(folder);
    absent_is_fine(disk.sync_dir(&path)).map_err(at("sync", &path))
}

/// The folder of a path inside the data directory; `None` for the folders directly in it.
fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(folder, _)| folder)
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

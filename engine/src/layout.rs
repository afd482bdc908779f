//! The names inside a data directory, in one place (drawn in `ARCHITECTURE.md`).
//!
//! This module makes folders and sees that nobody else can look into them; what a file contains is its owner's business.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mallard_wal::disk::{Disk, durable};

use crate::error::{Error, IoContext};
use crate::private;

/// Folders that every open makes sure of.
const FOLDERS: [&str; 6] = ["wal", "manifest", "events", "quarantine", "control", "tmp"];

/// The paths of one data directory.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Where repair keeps what it has replaced, relative to the data directory.
    pub(crate) const REPAIRED_FILES: &str = "quarantine/repaired";

    /// The layout of the data directory at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Creates the root and its folders, durably; those that exist are made private.
    pub(crate) fn create(&self, disk: &dyn Disk) -> Result<(), Error> {
        self.create_root(disk)?;
        for folder in FOLDERS {
            durable::create_dirs(disk, &self.root, Path::new(folder)).at(&self.root)?;
        }
        private::keep(disk, self);
        Ok(())
    }

    /// Creates the root itself, with the folders above it that are missing, durably.
    ///
    /// NOTE: the lowest folder that is there is made durable too: an earlier life may have been killed before it had done so.
    /// Where this process may not look into the folder above, somebody else has made it.
    pub(crate) fn create_root(&self, disk: &dyn Disk) -> Result<(), Error> {
        let named = self.root.ancestors().filter(|folder| folder.file_name().is_some());
        let mut folders = Vec::new();
        for folder in named {
            let is_there = disk.list(folder).is_ok();
            folders.push((folder, is_there));
            if is_there {
                break;
            }
        }
        for (folder, is_there) in folders.into_iter().rev() {
            match durable::create_dir(disk, folder) {
                Err(error) if is_there && error.kind() == ErrorKind::PermissionDenied => {}
                result => result.at(folder)?,
            }
        }
        Ok(())
    }

    /// The data directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The exclusive lock.
    pub fn lock(&self) -> PathBuf {
        self.root.join("LOCK")
    }

    /// How many positions no repair of the manifest could account for: `control/unaccounted`, so that copies have it.
    pub(crate) fn unaccounted(&self) -> PathBuf {
        self.control().join("unaccounted")
    }

    /// Store id and format version.
    pub fn store(&self) -> PathBuf {
        self.root.join("STORE")
    }

    /// Log segments.
    pub fn wal(&self) -> PathBuf {
        self.root.join("wal")
    }

    /// The log of manifest edits.
    pub fn manifest(&self) -> PathBuf {
        self.root.join("manifest")
    }

    /// Damaged originals, never deleted by the program.
    pub fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// Small durable documents.
    pub fn control(&self) -> PathBuf {
        self.root.join("control")
    }

    /// The work area of maintenance, emptied on open.
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The secret generated when none is configured.
    pub fn secret(&self) -> PathBuf {
        self.root.join(".secret")
    }

    /// Space to give up when there is none left.
    pub fn ballast(&self) -> PathBuf {
        self.root.join("ballast")
    }

    /// Images of the store.
    pub fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    /// There while a restore into this directory is not finished.
    pub fn restoring(&self) -> PathBuf {
        self.root.join("RESTORING")
    }

    /// There while a repair of this directory is not finished.
    pub fn repairing(&self) -> PathBuf {
        self.root.join("REPAIRING")
    }

    /// What repairs have done, what starts have found damaged, and nobody has acknowledged.
    pub fn repaired(&self) -> PathBuf {
        self.root.join("REPAIRED")
    }

    /// There while the directory of the original program is being adopted.
    pub(crate) fn adopting(&self) -> PathBuf {
        self.root.join("ADOPTING")
    }

    /// The API keys of the original program.
    pub(crate) fn original_keys(&self) -> PathBuf {
        self.root.join("api_keys.json")
    }

    /// Parquet files by site and day.
    pub(crate) fn events(&self) -> PathBuf {
        self.root.join("events")
    }

    /// The ledger of erasures.
    pub fn ledger(&self) -> PathBuf {
        self.root.join("erasure.log")
    }

    /// The derived DuckDB file.
    pub fn duckdb(&self) -> PathBuf {
        self.root.join("mallard.duckdb")
    }
}

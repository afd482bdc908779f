//! The names inside a data directory, in one place (drawn in `ARCHITECTURE.md`).
//!
//! This module makes folders and nothing else; what a file contains is its owner's business.

use std::path::{Path, PathBuf};

use mallard_wal::disk::{Disk, durable};

use crate::error::{Error, IoContext};

/// Folders that every open makes sure of.
const FOLDERS: [&str; 6] = ["wal", "manifest", "events", "quarantine", "control", "tmp"];

/// The paths of one data directory.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of the data directory at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Creates the root and its folders, durably; those that exist are left alone.
    pub(crate) fn create(&self, disk: &dyn Disk) -> Result<(), Error> {
        self.create_root(disk)?;
        for folder in FOLDERS {
            durable::create_dirs(disk, &self.root, Path::new(folder)).at(&self.root)?;
        }
        Ok(())
    }

    /// Creates the root itself, with the folders above it that are missing.
    pub(crate) fn create_root(&self, disk: &dyn Disk) -> Result<(), Error> {
        let missing: Vec<&Path> = self
            .root
            .ancestors()
            .filter(|folder| !folder.as_os_str().is_empty())
            .take_while(|folder| disk.list(folder).is_err())
            .collect();
        for folder in missing.into_iter().rev() {
            disk.create_dir(folder).at(folder)?;
            let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
            disk.sync_dir(parent.unwrap_or(Path::new("."))).at(folder)?;
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

    /// The work area of maintenance, emptied at its first step.
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

    /// The derived DuckDB file.
    pub fn duckdb(&self) -> PathBuf {
        self.root.join("mallard.duckdb")
    }
}

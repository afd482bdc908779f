//! [`Evidence`]: what the manifest files that there are still say. None of it is believed to be how things are; all of it
//! is how they once were.
//!
//! - The **past**: the state up to which the newest file can be read, or the one before it. Files have been made, merged and
//!   removed since; what was lost, quarantined, erased or acknowledged by then stays so.
//! - The **descriptions** of all files that were ever added, as far as they are written there: a Parquet file never changes
//!   under its name, so its length and checksum of then are those of now.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mallard_wal::disk::{self, Disk};
use mallard_wal::segment::{HeaderError, scan};

use crate::error::Error;
use crate::layout;
use crate::manifest::{Edit, EditError, FileEntry, Manifest, ReplayError, manifest_numbers, salvage};

/// What is left of the manifest files.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    past: Option<Manifest>,
    descriptions: BTreeMap<Arc<str>, FileEntry>,
}

impl Evidence {
    /// Reads every manifest file as far as it goes. One of a newer program is refused: it knows more than this one.
    pub(super) fn gather(disk: &dyn Disk, root: &Path, store_id: u128) -> Result<Self, Error> {
        let folder = root.join(layout::MANIFEST);
        let mut evidence = Self::default();
        for number in manifest_numbers(disk, &folder)?.into_iter().rev() {
            let path = folder.join(layout::manifest_name(number));
            // One that the device cannot read says nothing.
            let Ok(bytes) = disk::read(disk, &path) else { continue };
            match scan(&bytes, store_id) {
                Ok(scan) => {
                    let past = salvage(&scan, &mut |edit| evidence.note(edit));
                    evidence.past = evidence.past.or(past.map_err(|source| newer(&path, source))?);
                }
                Err(source @ HeaderError::Unsupported { .. }) => return Err(Error::ManifestHeader { path, source }),
                Err(HeaderError::Damaged | HeaderError::Foreign { .. }) => {}
            }
        }
        Ok(evidence)
    }

    fn note(&mut self, edit: &Edit) {
        for entry in &edit.add {
            self.descriptions.entry(Arc::clone(&entry.path)).or_insert_with(|| entry.clone());
        }
    }

    /// A state that the store once had; empty if none is known.
    pub(super) fn past(&self) -> Manifest {
        self.past.clone().unwrap_or_default()
    }

    /// What a manifest said about the file at `path`.
    pub(super) fn of(&self, path: &str) -> Option<&FileEntry> {
        self.descriptions.get(path)
    }
}

fn newer(path: &Path, source: EditError) -> Error {
    Error::ManifestUnusable { path: path.to_owned(), source: ReplayError::Edit(source) }
}

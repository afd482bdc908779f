//! `tmp/`: what an earlier life has left there goes before anything new comes.
//!
//! What DuckDB has spilled of a question, a file that was not published, a document that did not get its name: all of it may
//! hold events, which an erasure could not know of. A `mallard-metrics sql` that runs beside this spills into a folder of
//! its own, whose lock it holds (`engine/src/sql/spill.rs`); that one is left alone.

use std::io::ErrorKind;

use mallard_wal::disk::Disk;

use crate::backup::remove_tree;
use crate::error::{Error, IoContext as _};
use crate::layout::Layout;
use crate::sql::is_spilling;

/// Empties `tmp/`, durably.
pub(super) fn empty_tmp(disk: &dyn Disk, layout: &Layout) -> Result<(), Error> {
    let tmp = layout.tmp();
    for entry in disk.list(&tmp).at(&tmp)? {
        let path = tmp.join(&entry.name);
        let removed = match entry.is_dir {
            true if is_spilling(disk, &path, &entry.name) => Ok(()),
            true => remove_tree(disk, &path),
            false => disk.remove_file(&path).at(&path),
        };
        match removed {
            // Whoever spilled there has just ended.
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            removed => removed?,
        }
    }
    disk.sync_dir(&tmp).at(&tmp)
}

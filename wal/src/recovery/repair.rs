//! Replacing a segment: the original is kept in the quarantine, a sound and sealed one takes its name.
//!
//! ```text
//! quarantine  hard link -> sync the quarantine folder               the original has a second, durable name
//! rebuild     write <number>.wal.new -> sync -> rename over -> sync the folder
//! ```
//!
//! A power cut at any point leaves the original under its name, or the rebuilt segment under it; recovery starts over.

use std::io;
use std::path::{Path, PathBuf};

use super::salvage::Piece;
use crate::Error;
use crate::disk::{Disk, durable};
use crate::names;
use crate::seeded::{Bug, is_seeded};
use crate::segment::{SegmentHeader, SegmentWriter};

/// How many originals of one name the quarantine keeps.
const COPIES_MAX: u32 = 1000;

/// Gives the file at `path` a second name in the quarantine; returns that name.
pub(super) fn quarantine(disk: &dyn Disk, path: &Path, quarantine: &Path) -> Result<String, Error> {
    let name = names::file_name(path);
    let free = (0..COPIES_MAX).find_map(|copy| {
        let kept = if copy == 0 { name.clone() } else { format!("{name}.{copy}") };
        match disk.hard_link(path, &quarantine.join(&kept)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
            linked => Some(linked.map(|()| kept)),
        }
    });
    let linked = free.unwrap_or_else(|| Err(io::ErrorKind::AlreadyExists.into()));
    let kept = linked.map_err(Error::io("keep in the quarantine", path))?;
    disk.sync_dir(quarantine).map_err(Error::io("sync", quarantine))?;
    Ok(kept)
}

/// A segment to be written by recovery.
pub(super) struct Rebuild<'a> {
    pub(super) dir: &'a Path,
    pub(super) header: SegmentHeader,
    /// What the next segment carries as `previous_chain`; none if there is no next one.
    pub(super) link: Option<u32>,
    pub(super) now_us: i64,
}

impl Rebuild<'_> {
    /// Writes, syncs and names the segment, replacing what had its name.
    pub(super) fn run<'p>(&self, disk: &dyn Disk, pieces: impl Iterator<Item = Piece<'p>>) -> Result<PathBuf, Error> {
        let path = names::segment(self.dir, self.header.base_lsn);
        let unfinished = names::unfinished(self.dir, self.header.number);
        self.write(disk, &unfinished, &path, pieces).map_err(Error::io("rebuild", &path))?;
        Ok(path)
    }

    fn write<'p>(
        &self,
        disk: &dyn Disk,
        unfinished: &Path,
        path: &Path,
        pieces: impl Iterator<Item = Piece<'p>>,
    ) -> io::Result<()> {
        let is_in_place = is_seeded(Bug::RepairInPlace);
        let file = if is_in_place { disk.open_write(path)? } else { disk.create(unfinished)? };
        let mut writer = SegmentWriter::create(file, self.header)?;
        for piece in pieces {
            match piece {
                Piece::Record(record) => writer.copy(&record)?,
                Piece::Gap(last) => writer.copy_gap(last, self.now_us)?,
            }
        }
        writer.finish_copies()?;
        match self.link {
            Some(link) => writer.seal_with_link(link)?,
            None => writer.seal()?,
        };
        if is_in_place { Ok(()) } else { durable::publish(disk, unfinished, path) }
    }
}

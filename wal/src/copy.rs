//! A copy of the log, while a server may be writing it: what a crash at this moment would have left.
//!
//! ```text
//! every segment but the newest   does not change any more: copied as it is
//! the newest                     read while frames are added to it: its records up to the last whole frame, sealed
//! ```
//! Every record whose receipt was given before the copy began is in it. The SEAL makes the end of the copy known: without
//! it, damage to the last frame would pass for a frame that was torn before anybody heard of it. What is damaged is copied
//! as it is: a copy is no place to repair. The caller says from which LSN on the log is needed, and learns if it has been trimmed meanwhile.

use std::io;
use std::path::Path;

use crate::disk::{self, Disk};
use crate::recovery::{Found, Survey};
use crate::segment::{End, FLAG_REBUILT, Scan, SegmentHeader, SegmentWriter, scan};
use crate::{Error, Lsn};

/// How often the newest segment is read again because it seems to be torn, which a frame being written looks like.
const READS_MAX: usize = 5;

/// What a copy holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Segments.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The last LSN of the newest segment; none if the log has no segment, or the newest is damaged.
    pub last_lsn: Option<Lsn>,
}

/// Copies the segments in `from` that hold records above `checkpoint` into the folder `to`, which exists, and makes their
/// bytes durable; their names are the caller's to sync. `None` if segments were trimmed before they could be read: look at
/// the checkpoint again, and begin anew in an empty folder.
pub fn copy(disk: &dyn Disk, from: &Path, to: &Path, store_id: u128, checkpoint: Lsn) -> Result<Option<Copied>, Error> {
    let segments = match Survey::take(disk, from, store_id) {
        Ok(survey) => survey.segments,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    if segments.first().is_some_and(|first| first.base > checkpoint.next()) {
        return Ok(None);
    }
    let mut copied = Copied::default();
    for (at, found) in segments.iter().enumerate() {
        let next = segments.get(at + 1);
        if next.is_some_and(|next| next.base <= checkpoint.next()) {
            continue;
        }
        let path = to.join(found.path.file_name().unwrap_or_default());
        let written = match next {
            Some(_) => whole(disk, found).and_then(|bytes| write(disk, &path, &bytes)),
            None => newest(disk, found, &path, store_id, &mut copied.last_lsn),
        };
        copied.bytes += match written {
            Ok(bytes) => bytes,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        copied.segments += 1;
    }
    Ok(Some(copied))
}

fn whole(disk: &dyn Disk, found: &Found) -> Result<Vec<u8>, Error> {
    disk::read(disk, &found.path).map_err(Error::io("read", &found.path))
}

/// The newest segment. If it goes on looking torn or damaged, it is, and is copied as it is.
fn newest(disk: &dyn Disk, found: &Found, to: &Path, store_id: u128, last_lsn: &mut Option<Lsn>) -> Result<u64, Error> {
    let mut read = Ok(Vec::new());
    for _ in 0..READS_MAX {
        read = whole(disk, found);
        // It was sealed, and so cut, while it was read.
        if read.as_ref().is_err_and(is_cut) {
            continue;
        }
        let Ok(bytes) = &read else { break };
        let Ok(scan) = scan(bytes, store_id) else { break };
        if !matches!(scan.end, End::Clean { .. } | End::Sealed(_)) {
            continue;
        }
        *last_lsn = Some(scan.next_lsn().previous());
        if matches!(scan.end, End::Clean { .. }) && scan.records().next().is_some() {
            return seal(disk, to, &scan);
        }
        break;
    }
    write(disk, to, &read?)
}

/// A sealed segment with the records of an open one; returns its length.
fn seal(disk: &dyn Disk, to: &Path, scan: &Scan<'_>) -> Result<u64, Error> {
    let header = SegmentHeader { flags: scan.header.flags | FLAG_REBUILT, ..scan.header };
    let at = Error::io("write", to);
    let file = disk.create(to).map_err(Error::io("create", to))?;
    let sealed = SegmentWriter::create(file, header).and_then(|mut writer| {
        scan.records().try_for_each(|record| writer.copy(&record))?;
        writer.finish_copies()?;
        let bytes = writer.sealed_bytes();
        writer.seal().map(|_| bytes)
    });
    sealed.map_err(at)
}

/// Makes a file of these bytes; returns their number.
fn write(disk: &dyn Disk, to: &Path, bytes: &[u8]) -> Result<u64, Error> {
    let file = disk.create(to).map_err(Error::io("create", to))?;
    file.write_all_at(bytes, 0).and_then(|()| file.sync_data()).map_err(Error::io("write", to))?;
    Ok(bytes.len() as u64)
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

fn is_cut(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof)
}

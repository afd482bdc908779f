//! A copy of the log, while a server may be writing it: what a crash at this moment would have left.
//!
//! ```text
//! every segment but the newest   does not change any more: copied as it is
//! the newest                     read while frames are added to it: copied up to its last whole frame, zeros behind
//! ```
//! Every record whose receipt was given before the copy began is in it. What is damaged is copied as it is: a copy is no
//! place to repair. The caller says from which LSN on the log is needed, and learns if it has been trimmed meanwhile.

use std::io;
use std::path::Path;

use crate::disk::{self, Disk};
use crate::recovery::{Found, Survey};
use crate::segment::{End, scan};
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
        let read =
            if next.is_some() { whole(disk, found) } else { newest(disk, found, store_id, &mut copied.last_lsn) };
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        write(disk, found, to, &bytes)?;
        copied.segments += 1;
        copied.bytes += bytes.len() as u64;
    }
    Ok(Some(copied))
}

fn whole(disk: &dyn Disk, found: &Found) -> Result<Vec<u8>, Error> {
    disk::read(disk, &found.path).map_err(Error::io("read", &found.path))
}

/// The newest segment up to its last whole frame. If it goes on looking torn or damaged, it is.
fn newest(disk: &dyn Disk, found: &Found, store_id: u128, last_lsn: &mut Option<Lsn>) -> Result<Vec<u8>, Error> {
    let mut read = Ok(Vec::new());
    for _ in 0..READS_MAX {
        read = whole(disk, found);
        // It was sealed, and so cut, while it was read.
        if read.as_ref().is_err_and(is_cut) {
            continue;
        }
        let Ok(bytes) = &read else { break };
        let Ok(scan) = scan(bytes, store_id) else { break };
        if matches!(scan.end, End::Clean { .. } | End::Sealed(_)) {
            *last_lsn = Some(scan.next_lsn().previous());
            break;
        }
    }
    read
}

fn write(disk: &dyn Disk, found: &Found, to: &Path, bytes: &[u8]) -> Result<(), Error> {
    let path = to.join(found.path.file_name().unwrap_or_default());
    let file = disk.create(&path).map_err(Error::io("create", &path))?;
    file.write_all_at(bytes, 0).and_then(|()| file.sync_data()).map_err(Error::io("write", &path))
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

fn is_cut(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof)
}

//! The seam between the storage engine and the operating system.
//!
//! Everything below `http` that touches a file goes through [`Disk`] and [`File`], asks [`Clock`] for the time and
//! [`Entropy`] for random bytes. [`real`] is the machine; [`sim`] is a machine in memory that loses unsynced sectors,
//! creations, renames and unlinks in any combination, so that a power cut at any moment can be rehearsed from a seed.
//!
//! What is durable when: bytes after [`File::sync_data`] of their file, a name after [`Disk::sync_dir`] of its folder.
//! [`durable`] holds the few sequences built from these (publish, replace, create folders), each in one place.
//!
//! This module does not retry, does not buffer and does not know what a file contains.

pub mod durable;
mod map;
pub mod real;
pub mod sim;

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;

pub use map::Bytes;

/// The outside world as an argument: files, time, randomness.
#[derive(Clone, Debug)]
pub struct Env {
    /// Where files live.
    pub disk: Arc<dyn Disk>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where nonces and ids come from.
    pub entropy: Arc<dyn Entropy>,
}

/// Time, as a date and as a duration.
pub trait Clock: Send + Sync + Debug {
    /// Microseconds since 1970-01-01T00:00:00Z, as the machine has it: someone may set it, forward and back.
    fn now_us(&self) -> i64;
    /// Microseconds since some moment of the past. Nobody sets it, so durations, intervals and deadlines are measured by it.
    fn steady_us(&self) -> i64;
}

/// A source of random bytes.
pub trait Entropy: Send + Sync + Debug {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name inside the folder; names that are not UTF-8 are not listed.
    pub name: String,
    /// Length in bytes; 0 for folders.
    pub bytes: u64,
    /// Whether it is a folder.
    pub is_dir: bool,
}

/// Files and folders by path.
pub trait Disk: Send + Sync + Debug {
    /// Creates a file that must not exist, readable and writable by the owner only (0600).
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Opens an existing file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Opens an existing file for reading and writing.
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Creates one folder (0700); one that exists is fine.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Renames a file, replacing the target. Durable after [`Disk::sync_dir`] of the folder(s).
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name, which must not exist.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a name.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes the names inside a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// The entries of a folder in the order of their names.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;
    /// Bytes that an unprivileged process may still write on the file system that holds `path`.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
    /// Takes an exclusive lock on `path`, creating it; fails with [`io::ErrorKind::WouldBlock`] if another process
    /// (or another open store of this one) holds it. Dropping the guard releases it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>>;
}

/// A held lock; released by drop.
pub trait Lock: Send + Sync + Debug {}

/// An open file, addressed by offset.
pub trait File: Send + Sync + Debug {
    /// Reads up to `buffer.len()` bytes at `offset`; 0 means end of file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`; after an error any part of it may have been written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the file's bytes and length durable (`fdatasync`).
    fn sync_data(&self) -> io::Result<()>;
    /// Cuts or extends the file; durable after [`File::sync_data`].
    fn set_len(&self, bytes: u64) -> io::Result<()>;
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Drops what the operating system has cached of this file, so that the next read asks the device.
    fn forget_cache(&self) -> io::Result<()>;
    /// The whole file as bytes: memory-mapped where that is possible, else read. Only for files that never change.
    fn bytes(&self) -> io::Result<Bytes>;
}

/// Whether a read that has failed says something about the file: it is gone, or the device cannot read it. A process that
/// has too many files open, or too little memory, says nothing about it.
pub fn is_about_the_file(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

/// Whether there was no room: none on the volume, or none left of a quota.
pub fn is_lack_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What a sync that has failed is told by: the operating system's answer alone does not say which call it was.
#[derive(Debug, thiserror::Error)]
#[error("a sync has failed: {0}")]
struct FailedSync(#[source] io::Error);

/// The error of a sync that has failed with this answer. Its kind stays.
fn failed_sync(answer: io::Error) -> io::Error {
    io::Error::new(answer.kind(), FailedSync(answer))
}

/// Whether this is the error of a sync that has failed. The kernel may have given up what was to be synced and take it for
/// clean, so the next sync would say "done": IMPORTANT: it may not be tried again, whatever the reason.
pub fn is_failed_sync(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(inner) if inner.is::<FailedSync>())
}

/// Whether the operating system refused before anything could reach a device: no room, no permission, too many open files.
/// Then the same may be tried again. NOTE: never so of a sync, which meets a full volume or a quota after the writes that
/// it is about, where space is given out late.
pub fn is_refusal(error: &io::Error) -> bool {
    if is_failed_sync(error) {
        return false;
    }
    let too_many = [Errno::MFILE, Errno::NFILE].map(|errno| Some(errno.raw_os_error()));
    let is_denied = error.kind() == io::ErrorKind::PermissionDenied;
    is_lack_of_space(error) || is_denied || too_many.contains(&error.raw_os_error())
}

/// Fills `buffer` from `offset`, failing with [`io::ErrorKind::UnexpectedEof`] at the end of the file.
pub fn read_exact_at(file: &dyn File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + done as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => done += read,
        }
    }
    Ok(())
}

/// The whole file at `path`.
pub fn read(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    read_whole(disk.open(path)?.as_ref())
}

/// The whole file at `path` as the device has it, not as the operating system remembers it.
pub fn read_from_device(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    file.forget_cache()?;
    read_whole(file.as_ref())
}

/// The whole content of an open file.
fn read_whole(file: &dyn File) -> io::Result<Vec<u8>> {
    let length = usize::try_from(file.len()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; length];
    read_exact_at(file, &mut bytes, 0)?;
    Ok(bytes)
}

//! A segment file in memory, read past sectors that the device cannot read.
//!
//! Read by `pread`, never mapped: an unreadable sector under a map kills the process, here it is damage like any other.
//! What cannot be read is filled with ones, so that it never passes for the zeros of unused space.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use crate::disk::{Disk, File};

const CHUNK_BYTES: usize = 256 * 1024;
const SECTOR_BYTES: usize = 512;
const UNREADABLE: u8 = 0xff;

/// The bytes of a file; the buffer is reused from file to file.
#[derive(Debug, Default)]
pub(super) struct Image {
    bytes: Vec<u8>,
    unreadable_bytes: u64,
}

impl Image {
    /// Reads a file of at most `bytes_max` bytes.
    pub(super) fn read(&mut self, file: &dyn File, bytes_max: u64) -> io::Result<()> {
        let bytes = file.len()?;
        if bytes > bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.read_first(file, bytes)
    }

    /// Reads the first `bytes` of a file, or all if it has fewer.
    pub(super) fn read_first(&mut self, file: &dyn File, bytes: u64) -> io::Result<()> {
        let length = usize::try_from(file.len()?.min(bytes)).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.unreadable_bytes = 0;
        self.bytes.clear();
        self.bytes.resize(length, UNREADABLE);
        let (mut offset, mut unreadable_bytes) = (0, 0);
        for chunk in self.bytes.chunks_mut(CHUNK_BYTES) {
            if !is_readable(file, chunk, offset)? {
                unreadable_bytes += read_by_sector(file, chunk, offset)?;
            }
            offset += chunk.len() as u64;
        }
        self.unreadable_bytes = unreadable_bytes;
        Ok(())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) const fn unreadable_bytes(&self) -> u64 {
        self.unreadable_bytes
    }
}

/// The bytes of a file as far as the device can read them, for whoever only wants to know what can be known of it: what cannot
/// be read never passes for what was written.
pub fn read_past_damage(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let mut image = Image::default();
    image.read(disk.open(path)?.as_ref(), u64::MAX)?;
    Ok(image.bytes)
}

/// Reads sector by sector; returns how many bytes could not be read.
fn read_by_sector(file: &dyn File, chunk: &mut [u8], offset: u64) -> io::Result<u64> {
    let mut unreadable_bytes = 0;
    let mut at = offset;
    for sector in chunk.chunks_mut(SECTOR_BYTES) {
        if !is_readable(file, sector, at)? {
            sector.fill(UNREADABLE);
            unreadable_bytes += sector.len() as u64;
        }
        at += sector.len() as u64;
    }
    Ok(unreadable_bytes)
}

/// Fills `buffer`; false if the device cannot read all of it. Other errors are no property of the medium.
fn is_readable(file: &dyn File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    match crate::disk::read_exact_at(file, buffer, offset) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => Ok(false),
        Err(error) => Err(error),
    }
}

//! [`Sink`]: a new file as `io::Write`, which counts and checksums what passes.

use std::io::{self, Write};

use crc32fast::Hasher;
use mallard_wal::disk::File;

/// Writes a file from its beginning to its end, and knows its length and CRC-32 at every moment.
///
/// It does not buffer: the Parquet writer hands over whole pages. It does not sync: publishing does.
#[derive(Debug)]
pub(super) struct Sink {
    file: Box<dyn File>,
    bytes: u64,
    crc: Hasher,
}

impl Sink {
    /// Starts at the beginning of an empty file.
    pub(super) fn new(file: Box<dyn File>) -> Self {
        Self { file, bytes: 0, crc: Hasher::new() }
    }

    /// How many bytes were written.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The CRC-32 of what was written.
    pub(super) fn crc32(&self) -> u32 {
        self.crc.clone().finalize()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all_at(bytes, self.bytes)?;
        self.crc.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

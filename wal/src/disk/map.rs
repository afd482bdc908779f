//! [`Bytes`]: the content of a file that never changes, memory-mapped or read.
//!
//! A sealed segment is read twice, once to verify it and once to compact it. On a machine with 256 MB a mapping keeps
//! those 8 MiB in the page cache, which the kernel may reclaim, instead of on the heap, which it may not.
//!
//! This file holds the only `unsafe` of the workspace. A process that wants none of its risk sets
//! [`RealDisk::map`](super::real::RealDisk::map) to false and gets the same bytes in an owned buffer.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::unix::fs::FileExt;

use memmap2::Mmap;

/// How much of a file is read at a time to learn, before it is mapped, whether it can be read at all.
const PROBE_BYTES: usize = 64 * 1024;

/// The bytes of a whole file.
pub struct Bytes(Content);

enum Content {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl Bytes {
    /// Maps a file that was opened for reading only and that nobody will ever write to or cut again.
    #[expect(unsafe_code, reason = "a mapping is the one thing of this workspace that the compiler cannot check")]
    pub(super) fn map(file: &File) -> io::Result<Self> {
        let length = probe(file)?;
        if length == 0 {
            return Ok(Self(Content::Owned(Vec::new())));
        }
        // SAFETY: a mapping is a `&[u8]` whose memory belongs to a file, so it is sound for as long as no one changes
        // the file's bytes (undefined behaviour) and no page of it becomes unreachable (SIGBUS). Both rest on rules of
        // the store, not on this function, and here they are:
        //
        // - No writer in this process. Only sealed segments and finished Parquet files are mapped. Sealing ends with the
        //   last write, the cut to the final length and a sync; after it the program has no call that opens the file for
        //   writing. Recovery writes a repaired segment under another name and renames it over the old one, and trimming
        //   unlinks: both leave the mapped inode as it is, and the mapping keeps it alive. A Parquet file is written under
        //   a name in `tmp/` and renamed when it is whole. Handles made by `create` and `open_write` never map
        //   (`RealFile::bytes` reads for them), so a file being written cannot be mapped by mistake.
        // - No writer in another process. The data directory is locked for the life of the process, its folders are
        //   0700 and its files 0600. Someone with the same user id who writes into a sealed segment regardless could
        //   as well write into this process's memory.
        // - No page out of reach. `length` is the length just measured, and the file is never cut afterwards. `probe`
        //   has read every byte by `read` calls, so that a bad sector is an `io::Error` here and not a signal later.
        //   What is left is a page that was read well, was evicted, and fails when it is read again while somebody
        //   looks at it. The device is dying then, and the process dies with it as it does after a failed fsync; after
        //   the restart `probe` meets the bad sector, so there is no loop of crashes. And it is a crash, never a wrong
        //   byte: every checksum is verified on the mapped bytes themselves.
        let map = unsafe { memmap2::MmapOptions::new().len(length).map(file)? };
        Ok(Self(Content::Mapped(map)))
    }
}

/// Reads the file once from its beginning to its end and returns its length.
fn probe(file: &File) -> io::Result<usize> {
    let mut buffer = vec![0; PROBE_BYTES];
    let mut length = 0;
    loop {
        match file.read_at(&mut buffer, length as u64) {
            Ok(0) => return Ok(length),
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Content::Owned(bytes))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Content::Mapped(map) => map,
            Content::Owned(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match &self.0 {
            Content::Mapped(_) => "mapped",
            Content::Owned(_) => "owned",
        };
        write!(f, "Bytes({} {origin})", self.len())
    }
}

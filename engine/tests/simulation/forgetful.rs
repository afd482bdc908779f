//! Known durability bugs as a disk: it leaves out one kind of sync, as a store that forgot it would. Proof that this
//! simulation sees what it is there to see.

use std::io;
use std::path::{Path, PathBuf};

use mallard_wal::disk::sim::SimDisk;
use mallard_wal::disk::{Bytes, Disk, Entry, File, Lock};

/// What is never made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgets {
    /// The bytes of segments: events are acknowledged that are not on the disk.
    SegmentBytes,
    /// The names of segments.
    SegmentNames,
    /// The bytes of Parquet files: the manifest names what is not on the disk, and segments are trimmed for it.
    ParquetBytes,
    /// The names of Parquet files.
    ParquetNames,
    /// Edits of the manifest: segments are trimmed, and files unlinked, before the commit that allows it.
    ManifestBytes,
    /// The names of manifest files.
    ManifestNames,
}

impl Forgets {
    pub const ALL: [Self; 6] = [
        Self::SegmentBytes,
        Self::SegmentNames,
        Self::ParquetBytes,
        Self::ParquetNames,
        Self::ManifestBytes,
        Self::ManifestNames,
    ];

    fn file(self, path: &Path) -> bool {
        match self {
            Self::SegmentBytes => path.starts_with("/data/wal"),
            Self::ParquetBytes => path.extension().is_some_and(|extension| extension == "parquet"),
            Self::ManifestBytes => path.starts_with("/data/manifest"),
            Self::SegmentNames | Self::ParquetNames | Self::ManifestNames => false,
        }
    }

    fn folder(self, path: &Path) -> bool {
        match self {
            Self::SegmentNames => path == Path::new("/data/wal"),
            Self::ParquetNames => path.starts_with("/data/events"),
            Self::ManifestNames => path == Path::new("/data/manifest"),
            Self::SegmentBytes | Self::ParquetBytes | Self::ManifestBytes => false,
        }
    }
}

#[derive(Debug)]
pub struct Forgetful {
    pub disk: SimDisk,
    pub forgets: Forgets,
}

#[derive(Debug)]
struct ForgetfulFile {
    file: Box<dyn File>,
    path: PathBuf,
    forgets: Forgets,
}

impl Forgetful {
    fn wrap(&self, file: Box<dyn File>, path: &Path) -> Box<dyn File> {
        Box::new(ForgetfulFile { file, path: path.to_owned(), forgets: self.forgets })
    }
}

impl File for ForgetfulFile {
    fn sync_data(&self) -> io::Result<()> {
        if self.forgets.file(&self.path) { Ok(()) } else { self.file.sync_data() }
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn forget_cache(&self) -> io::Result<()> {
        self.file.forget_cache()
    }
    fn bytes(&self) -> io::Result<Bytes> {
        self.file.bytes()
    }
}

impl Disk for Forgetful {
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if self.forgets.folder(path) { Ok(()) } else { self.disk.sync_dir(path) }
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.disk.create(path).map(|file| self.wrap(file, path))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.disk.open(path).map(|file| self.wrap(file, path))
    }
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.disk.open_write(path).map(|file| self.wrap(file, path))
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.hard_link(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.disk.list(path)
    }
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        self.disk.free_bytes(path)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.disk.lock(path)
    }
}

//! Known durability bugs as a disk: it leaves out one kind of sync, or takes a failed one lightly, as a store that forgot
//! it would.

use std::io;
use std::path::{Path, PathBuf};

use mallard_wal::disk::sim::SimDisk;
use mallard_wal::disk::{Bytes, Disk, Entry, File, Lock, is_failed_sync};

/// What is never made durable, or what becomes of a sync that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgets {
    /// The bytes of segments: events are acknowledged that are not on the disk.
    SegmentBytes,
    /// The names of segments: a segment is begun before its name is durable.
    SegmentNames,
    /// The bytes of Parquet files: the manifest names what is not on the disk, and segments are trimmed for it.
    ParquetBytes,
    /// The names of Parquet files.
    ParquetNames,
    /// The names of the folders of days.
    DayFolders,
    /// The names of the folders of sites.
    SiteFolders,
    /// The bytes of manifest files: segments are trimmed, and files unlinked, before the commit that allows it.
    ManifestBytes,
    /// The names of manifest files.
    ManifestNames,
    /// The names of the data directory's own folders, and of `STORE`.
    TopFolders,
    /// The name of the data directory itself.
    RootFolder,
    /// The bytes of `STORE`.
    StoreBytes,
    /// The names of snapshots.
    SnapshotNames,
    /// The names of what is in a snapshot.
    SnapshotFolders,
    /// The bytes of a snapshot's log and manifest, which are no second names.
    SnapshotBytes,
    /// The names in `quarantine/`, from which an erasure removes originals.
    QuarantineNames,
    /// The bytes of the ledger of erasures.
    LedgerBytes,
    /// The bytes of what is kept of erased ids.
    ErasedIdsBytes,
    /// Its name.
    ErasedIdsNames,
    /// A sync that failed is tried again.
    ToGiveUp,
    /// A sync that failed is taken for one that did not.
    Failures,
}

impl Forgets {
    pub const ALL: [Self; 13] = [
        Self::SegmentBytes,
        Self::SegmentNames,
        Self::ParquetBytes,
        Self::ParquetNames,
        Self::DayFolders,
        Self::SiteFolders,
        Self::ManifestBytes,
        Self::ManifestNames,
        Self::TopFolders,
        Self::RootFolder,
        Self::StoreBytes,
        Self::ToGiveUp,
        Self::Failures,
    ];

    /// What only a snapshot shows.
    pub const OF_SNAPSHOTS: [Self; 3] = [Self::SnapshotNames, Self::SnapshotFolders, Self::SnapshotBytes];

    /// What only an erasure shows.
    pub const OF_ERASURES: [Self; 2] = [Self::QuarantineNames, Self::LedgerBytes];

    /// What only a retry of an erased event shows.
    pub const OF_RETRIES: [Self; 2] = [Self::ErasedIdsBytes, Self::ErasedIdsNames];

    fn file(self, path: &Path) -> bool {
        match self {
            Self::SnapshotBytes => path.starts_with("/data/snapshots"),
            Self::SegmentBytes => path.starts_with("/data/wal"),
            Self::ParquetBytes => path.extension().is_some_and(|extension| extension == "parquet"),
            Self::ManifestBytes => path.starts_with("/data/manifest"),
            Self::LedgerBytes => path == Path::new("/data/tmp/erasure.log"),
            Self::ErasedIdsBytes => path == Path::new("/data/control/erased-ids.new"),
            Self::StoreBytes => path == Path::new("/data/tmp/STORE"),
            _ => false,
        }
    }

    fn folder(self, path: &Path) -> bool {
        let is_at_depth = |depth| path.starts_with("/data/events") && path.components().count() == depth;
        match self {
            Self::SegmentNames => path == Path::new("/data/wal"),
            Self::ParquetNames => is_at_depth(5),
            Self::DayFolders => is_at_depth(4),
            Self::SiteFolders => is_at_depth(3),
            Self::ManifestNames => path == Path::new("/data/manifest"),
            Self::TopFolders => path == Path::new("/data"),
            Self::RootFolder => path == Path::new("/"),
            Self::QuarantineNames => path == Path::new("/data/quarantine"),
            Self::ErasedIdsNames => path == Path::new("/data/control"),
            Self::SnapshotNames => path == Path::new("/data/snapshots"),
            Self::SnapshotFolders => path.starts_with("/data/snapshots/") && path != Path::new("/data/snapshots"),
            _ => false,
        }
    }

    fn settle(self, sync: impl Fn() -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::ToGiveUp => sync().or_else(|_| sync()),
            Self::Failures => sync().or_else(|error| if is_failed_sync(&error) { Ok(()) } else { Err(error) }),
            _ => sync(),
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
        if self.forgets.file(&self.path) { Ok(()) } else { self.forgets.settle(|| self.file.sync_data()) }
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
        if self.forgets.folder(path) { Ok(()) } else { self.forgets.settle(|| self.disk.sync_dir(path)) }
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

//! A known bug as a disk: proof that the simulation sees what it is there to see.

use std::io;
use std::path::Path;

use mallard_wal::disk::sim::SimDisk;
use mallard_wal::disk::{Bytes, Disk, Entry, File, Lock};

/// A disk that leaves out one kind of sync, as a log that forgot it would.
#[derive(Debug)]
pub(crate) struct Forgetful {
    disk: SimDisk,
    forgets: Forgets,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgets {
    /// Bytes of files.
    Files,
    /// Names in the log's folder.
    Folders,
}

#[derive(Debug)]
struct ForgetfulFile(Box<dyn File>);

impl Forgetful {
    pub(crate) fn new(disk: SimDisk, forgets: Forgets) -> Self {
        Self { disk, forgets }
    }

    fn wrap(&self, file: Box<dyn File>) -> Box<dyn File> {
        if self.forgets == Forgets::Files { Box::new(ForgetfulFile(file)) } else { file }
    }
}

impl File for ForgetfulFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn forget_cache(&self) -> io::Result<()> {
        self.0.forget_cache()
    }
    fn bytes(&self) -> io::Result<Bytes> {
        self.0.bytes()
    }
}

impl Disk for Forgetful {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.disk.create(path).map(|file| self.wrap(file))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.disk.open(path).map(|file| self.wrap(file))
    }
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.disk.open_write(path).map(|file| self.wrap(file))
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
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if self.forgets == Forgets::Folders && path.ends_with("wal") { Ok(()) } else { self.disk.sync_dir(path) }
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

//! Whole files are never read into one buffer, however large they are: a machine with 256 MB would not survive it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mallard_compactor::{Error, Rebuild, adopt};
use mallard_wal::disk::{Bytes, Disk, Entry, Env, File, Lock};

use crate::support::{ROOT, STORE_ID, Store, event, record, us};

/// A disk that remembers the longest buffer a Parquet file was read into.
#[derive(Debug)]
struct Watched {
    disk: Arc<dyn Disk>,
    longest: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct WatchedFile {
    file: Box<dyn File>,
    longest: Arc<AtomicUsize>,
}

impl Disk for Watched {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.disk.create(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = self.disk.open(path)?;
        if path.extension().is_none_or(|extension| extension != "parquet") {
            return Ok(file);
        }
        Ok(Box::new(WatchedFile { file, longest: Arc::clone(&self.longest) }))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.disk.open_write(path)
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
        self.disk.sync_dir(path)
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

impl File for WatchedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.longest.fetch_max(buffer.len(), Ordering::Relaxed);
        self.file.read_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
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

#[test]
fn neither_an_adoption_nor_a_repair_reads_a_whole_file_into_memory() {
    let mut store = Store::with_segments(&[vec![record(&event("a", us("2026-01-01T12:00:00Z"), 1))]]);
    store.settle(us("2026-01-01T13:00:00Z"));
    let bytes = store.manifest().files().next().unwrap().bytes;
    let longest = Arc::new(AtomicUsize::new(0));
    let disk = Watched { disk: Arc::clone(&store.env.disk), longest: Arc::clone(&longest) };
    let env = Env { disk: Arc::new(disk), ..store.env.clone() };
    let adopted = adopt(&env, Path::new(ROOT));
    assert!(matches!(adopted, Err(Error::ManifestMissing { .. })), "its rows were read: {adopted:?}");
    Rebuild::survey(&env, Path::new(ROOT), STORE_ID, &mut |_, _| {}).unwrap();
    assert!((longest.load(Ordering::Relaxed) as u64) < bytes, "{longest:?} of {bytes} bytes at once");
}

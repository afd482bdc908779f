//! The machine: files of a Linux file system, its clock, its random bytes.
//!
//! Every call is one system call, or one loop over one. What the storage engine relies on and how it is had:
//!
//! | wanted | by |
//! |---|---|
//! | bytes and length of a file are durable | `fdatasync`, which includes the metadata needed to read the data back |
//! | names in a folder are durable | `fsync` of the opened folder |
//! | one process per data directory | `flock`, held by the open file, released by the kernel however the process ends |
//! | nobody else reads personal data | files 0600, folders 0700, whatever the umask; what is found is made so |
//!
//! # Assumptions about the medium
//!
//! The file system and the device keep the promise of `fsync`: a write cache is flushed or protected. Nothing is
//! assumed about the order or the atomicity of what was not synced; [`sim`](super::sim) is that assumption as a
//! program.
//!
//! # Interrupted calls
//!
//! A read or write that a signal interrupts is repeated: the bytes are still in the caller's buffer. `fsync` and
//! `fdatasync` are **never** repeated, and called without the repetition that `std` puts around them. The kernel
//! reports a failed write-back once and then takes the pages for clean, so a second call may say "done" about bytes
//! that are nowhere. An interrupted sync is treated like any other failed one: the log is poisoned.
//!
//! This file is the one home of [`SystemTime::now`] and [`Instant::now`] (a clippy rule bans them elsewhere).

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process;
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{Advice, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

use super::{Bytes, Clock, Disk, Entropy, Entry, Env, File, Lock, failed_sync};

/// Readable and writable by the owner only.
const FILE_MODE: u32 = 0o600;
/// Usable by the owner only.
const FOLDER_MODE: u32 = 0o700;
/// The rights of the group and of everyone else.
const OTHERS: u32 = 0o077;

/// The machine that this process runs on.
pub fn env() -> Env {
    Env { disk: Arc::new(RealDisk::default()), clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
}

/// The file systems of this machine.
#[derive(Clone, Debug)]
pub struct RealDisk {
    /// Whether [`File::bytes`] of a file opened for reading maps it into memory. The bytes are the same either way.
    pub map: bool,
}

impl Default for RealDisk {
    fn default() -> Self {
        Self { map: true }
    }
}

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = writable().create_new(true).open(path)?;
        Ok(Box::new(RealFile { file, map: false }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(RealFile { file: fs::File::open(path)?, map: self.map }))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(RealFile { file: writable().open(path)?, map: false }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(FOLDER_MODE).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        }
    }

    fn make_private(&self, path: &Path) -> io::Result<()> {
        let found = fs::symlink_metadata(path)?;
        if found.is_symlink() && !path.is_dir() {
            return Ok(());
        }
        let mut permissions = fs::metadata(path)?.permissions();
        if permissions.mode() & OTHERS == 0 {
            return Ok(());
        }
        permissions.set_mode(permissions.mode() & !OTHERS);
        fs::set_permissions(path, permissions)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the disk that the rule sends everyone to")]
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the disk that the rule sends everyone to")]
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let folder = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::fs::fsync(folder).map_err(|answer| failed_sync(answer.into()))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for item in fs::read_dir(path)? {
            entries.extend(entry(&item?)?);
        }
        entries.sort();
        Ok(entries)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let volume = rustix::fs::statvfs(path)?;
        Ok(volume.f_bavail.saturating_mul(volume.f_frsize))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let mut file = writable().create(true).open(path)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        // The pid is for a person who wonders who holds the lock. The program never reads it: the lock is the flock, and a
        // volume without room for a number must not keep a store from opening.
        file.set_len(0).and_then(|()| writeln!(file, "{}", process::id())).ok();
        Ok(Box::new(RealLock { _file: file }))
    }
}

fn writable() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(FILE_MODE);
    options
}

/// What a listing shows of one name: nothing if it is not UTF-8, or if it was removed since the folder was read.
fn entry(item: &fs::DirEntry) -> io::Result<Option<Entry>> {
    let Ok(name) = item.file_name().into_string() else {
        return Ok(None);
    };
    match item.metadata() {
        Ok(metadata) => {
            let is_dir = metadata.is_dir();
            Ok(Some(Entry { name, bytes: if is_dir { 0 } else { metadata.len() }, is_dir }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The lock is a property of the open file: it ends with it, and so with the process.
///
/// NOTE: the file is never removed. If it were, a second process could lock the unlinked file while a third locks its
/// successor of the same name, and both would own the directory.
#[derive(Debug)]
struct RealLock {
    _file: fs::File,
}

impl Lock for RealLock {}

#[derive(Debug)]
struct RealFile {
    file: fs::File,
    /// Whether `bytes` may map: false for every handle that can write.
    map: bool,
}

impl File for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match self.file.read_at(buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        // `std` repeats short and interrupted writes.
        self.file.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        // IMPORTANT: not `File::sync_data`, which repeats an interrupted call. See "Interrupted calls" above.
        rustix::fs::fdatasync(&self.file).map_err(|answer| failed_sync(answer.into()))
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn forget_cache(&self) -> io::Result<()> {
        Ok(rustix::fs::fadvise(&self.file, 0, None, Advice::DontNeed)?)
    }

    fn bytes(&self) -> io::Result<Bytes> {
        if self.map {
            return Bytes::map(&self.file);
        }
        super::read_whole(self).map(Bytes::from)
    }
}

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_us(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that the rule sends everyone to")]
        let now = SystemTime::now();
        match now.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |us| -us),
        }
    }

    fn steady_us(&self) -> i64 {
        static START: OnceLock<Instant> = OnceLock::new();
        #[expect(clippy::disallowed_methods, reason = "this is the clock that the rule sends everyone to")]
        let now = Instant::now();
        let since = now.saturating_duration_since(*START.get_or_init(|| now));
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }
}

/// The random bytes of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// Asks the kernel itself: a static binary alone in its root has no `/dev/urandom`.
    fn fill(&self, bytes: &mut [u8]) {
        let mut filled = 0;
        while let Some(missing) = bytes.get_mut(filled..).filter(|missing| !missing.is_empty()) {
            match getrandom(missing, GetRandomFlags::empty()) {
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                // A kernel without random bytes cannot make a nonce or a key; there is nothing to fall back to.
                Err(error) => panic!("the kernel gives no random bytes (Linux 3.17 or newer is needed): {error}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn folder_with_file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        RealDisk::default().create(&path).unwrap().write_all_at(bytes, 0).unwrap();
        (folder, path)
    }

    #[test]
    fn only_the_owner_can_use_what_is_created() {
        let (folder, file) = folder_with_file(b"");
        let disk = RealDisk::default();
        disk.create_dir(&folder.path().join("folder")).unwrap();
        let _lock = disk.lock(&folder.path().join("LOCK")).unwrap();
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(&folder.path().join("LOCK")), 0o600);
        assert_eq!(mode(&folder.path().join("folder")), 0o700);
    }

    #[test]
    fn a_file_opened_for_reading_is_mapped_and_the_bytes_are_those_that_reading_gives() {
        let content: Vec<u8> = (0..PAGES * 4096 + 17).map(|at| (at / 7).to_le_bytes()[0]).collect();
        let (_folder, path) = folder_with_file(&content);
        let mapped = RealDisk { map: true }.open(&path).unwrap().bytes().unwrap();
        let read = RealDisk { map: false }.open(&path).unwrap().bytes().unwrap();
        assert_eq!(format!("{mapped:?} {read:?}"), "Bytes(163857 mapped) Bytes(163857 owned)");
        assert_eq!(*mapped, *content);
        assert_eq!(*read, *content);
    }

    const PAGES: u32 = 40;

    #[test]
    fn a_mapping_outlives_the_name_and_the_handle() {
        let (folder, path) = folder_with_file(&[7; 10_000]);
        let bytes = RealDisk::default().open(&path).unwrap().bytes().unwrap();
        drop(folder);
        assert_eq!(*bytes, [7; 10_000]);
    }

    #[test]
    fn a_handle_that_can_write_never_maps() {
        let (_folder, path) = folder_with_file(b"bytes");
        let bytes = RealDisk::default().open_write(&path).unwrap().bytes().unwrap();
        assert_eq!(format!("{bytes:?}"), "Bytes(5 owned)");
    }

    #[test]
    fn an_empty_file_has_empty_bytes() {
        let (_folder, path) = folder_with_file(b"");
        assert!(RealDisk::default().open(&path).unwrap().bytes().unwrap().is_empty());
    }

    #[test]
    fn the_lock_file_names_the_process_that_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("LOCK");
        let _lock = RealDisk::default().lock(&path).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), format!("{}\n", process::id()));
    }

    /// A device that takes no byte stands for a volume that is full.
    #[test]
    fn a_lock_is_held_also_where_nobody_can_be_told_by_whom() {
        match RealDisk::default().lock(Path::new("/dev/full")) {
            // Another test run on this machine holds it.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            locked => drop(locked.unwrap()),
        }
    }

    #[test]
    fn a_listing_is_sorted_and_leaves_out_names_that_are_not_text() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let (folder, _file) = folder_with_file(b"bytes");
        let disk = RealDisk::default();
        disk.create_dir(&folder.path().join("a folder")).unwrap();
        disk.create(&folder.path().join(OsStr::from_bytes(b"\xff"))).unwrap();
        let expected = [
            Entry { name: "a folder".to_owned(), bytes: 0, is_dir: true },
            Entry { name: "file".to_owned(), bytes: 5, is_dir: false },
        ];
        assert_eq!(disk.list(folder.path()).unwrap(), expected);
    }

    #[test]
    fn a_volume_has_some_free_space() {
        let folder = tempfile::tempdir().unwrap();
        assert!(RealDisk::default().free_bytes(folder.path()).unwrap() > 0);
    }

    #[test]
    fn the_machine_knows_the_time_and_has_random_bytes() {
        let env = env();
        let start_of_2026_us = 1_767_225_600_000_000;
        assert!(env.clock.now_us() > start_of_2026_us);
        let (mut first, mut second) = ([0; 32], [0; 32]);
        env.entropy.fill(&mut first);
        env.entropy.fill(&mut second);
        assert_ne!(first, second);
    }
}

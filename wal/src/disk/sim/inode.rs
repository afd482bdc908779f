//! [`Inode`]: the content of one simulated file, as programs see it and as the disk holds it.
//!
//! Writes are applied to `bytes` at once. What a crash may bring back is kept on the side, sector by sector, so that a
//! write costs what it touches and not what the file holds, and a sync is a `clear`.
//!
//! ```text
//!  bytes   what every read sees
//!  dirty   sectors changed since the last sync, with the versions that a crash may bring back
//!  lost    sectors that a failed sync gave up: clean for the kernel, but the disk holds this instead
//!  length  the lengths that a crash may bring back, if the length changed since the last sync
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use rustix::io::Errno;

use super::fate::{Fate, History};

/// What a disk writes as a whole or not at all.
pub const SECTOR_BYTES: usize = 512;

/// How many times its length a growing file gets in memory.
const GROWTH: usize = 4;

static ZEROS: [u8; SECTOR_BYTES] = [0; SECTOR_BYTES];

/// The bytes of a volume, shared by all its files.
#[derive(Debug)]
pub(super) struct Space {
    capacity: AtomicU64,
    used: AtomicU64,
}

impl Space {
    pub(super) fn new(capacity: u64) -> Arc<Self> {
        Arc::new(Self { capacity: AtomicU64::new(capacity), used: AtomicU64::new(0) })
    }

    pub(super) fn set_capacity(&self, bytes: u64) {
        self.capacity.store(bytes, Ordering::SeqCst);
    }

    pub(super) fn free(&self) -> u64 {
        self.capacity.load(Ordering::SeqCst).saturating_sub(self.used.load(Ordering::SeqCst))
    }

    fn resize(&self, before: usize, after: usize) {
        self.used.fetch_add(after as u64, Ordering::SeqCst);
        self.used.fetch_sub(before as u64, Ordering::SeqCst);
    }
}

/// The content of one sector; bytes beyond the end of the file are zeros.
enum Sector {
    Zero,
    Data(Box<[u8; SECTOR_BYTES]>),
}

impl Sector {
    fn of(chunk: &[u8]) -> Self {
        if ZEROS.starts_with(chunk) {
            return Self::Zero;
        }
        let mut data = Box::new(ZEROS);
        data.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        Self::Data(data)
    }

    fn bytes(&self) -> &[u8; SECTOR_BYTES] {
        match self {
            Self::Zero => &ZEROS,
            Self::Data(data) => data,
        }
    }
}

/// One file without its names.
pub(super) struct Inode {
    bytes: Vec<u8>,
    dirty: BTreeMap<usize, History<Sector>>,
    lost: BTreeMap<usize, Sector>,
    length: Option<History<usize>>,
    unreadable: BTreeSet<usize>,
    /// Finds the guard of the lock on this file while somebody holds it.
    lock: Weak<()>,
    space: Arc<Space>,
}

impl Inode {
    pub(super) const fn new(space: Arc<Space>) -> Self {
        Self {
            bytes: Vec::new(),
            dirty: BTreeMap::new(),
            lost: BTreeMap::new(),
            length: None,
            unreadable: BTreeSet::new(),
            lock: Weak::new(),
            space,
        }
    }

    pub(super) const fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The length up to which the volume lets the file grow.
    fn room(&self) -> u64 {
        self.len().saturating_add(self.space.free())
    }

    /// Takes the lock, if it is free: it is held until the guard is dropped.
    pub(super) fn lock(&mut self) -> Option<Arc<()>> {
        if self.lock.strong_count() > 0 {
            return None;
        }
        let guard = Arc::new(());
        self.lock = Arc::downgrade(&guard);
        Some(guard)
    }

    /// Reads up to the end of the file or the first unreadable sector; at such a sector, fails.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = position(offset)?;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let wanted = rest.len().min(buffer.len());
        let readable = match self.unreadable.range(sectors(start..start + wanted)).next() {
            Some(sector) => (sector * SECTOR_BYTES).saturating_sub(start),
            None => wanted,
        };
        if readable == 0 && wanted > 0 {
            return Err(Errno::IO.into());
        }
        if let (Some(to), Some(from)) = (buffer.get_mut(..readable), rest.get(..readable)) {
            to.copy_from_slice(from);
        }
        Ok(readable)
    }

    /// Writes as much as the volume has room for, and fails if that is not all.
    pub(super) fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let room = self.room().saturating_sub(offset);
        let fitting = position(room).ok().and_then(|room| bytes.get(..room)).unwrap_or(bytes);
        if !fitting.is_empty() {
            self.put(fitting, position(offset)?);
        }
        if fitting.len() < bytes.len() { Err(Errno::NOSPC.into()) } else { Ok(()) }
    }

    fn put(&mut self, bytes: &[u8], start: usize) {
        let range = start..start + bytes.len();
        let before = self.bytes.len();
        if range.end > before {
            self.resize(range.end);
        }
        let is_of_zeros = is_zero(bytes);
        for sector in sectors(range.clone()) {
            // NOTE: what was never there and is zero now is zero whatever survives. Files are zero-filled a lot.
            let is_new = is_of_zeros && sector * SECTOR_BYTES >= before && !self.has_history(sector);
            if !is_new {
                self.remember(sector);
            }
            self.unreadable.remove(&sector);
        }
        if is_of_zeros && range.start >= before {
            return;
        }
        if let Some(target) = self.bytes.get_mut(range) {
            target.copy_from_slice(bytes);
        }
    }

    /// Cuts the file, or extends it by zeros.
    pub(super) fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        if bytes > self.room() {
            return Err(Errno::NOSPC.into());
        }
        let length = position(bytes)?;
        for sector in sectors(length..self.bytes.len()) {
            self.remember(sector);
        }
        if length != self.bytes.len() {
            self.resize(length);
        }
        Ok(())
    }

    fn resize(&mut self, length: usize) {
        let before = self.bytes.len();
        match &mut self.length {
            Some(history) => history.push(before),
            None => self.length = Some(History::new(before)),
        }
        if length > self.bytes.capacity() {
            // Files that are zero-filled piece by piece are not to be moved for each piece.
            self.bytes.reserve(GROWTH * length - before);
        }
        self.bytes.resize(length, 0);
        self.space.resize(before, length);
    }

    fn has_history(&self, sector: usize) -> bool {
        self.dirty.contains_key(&sector) || self.lost.contains_key(&sector)
    }

    /// Notes what a sector holds before it changes.
    fn remember(&mut self, sector: usize) {
        let before = Sector::of(self.sector(sector));
        if let Some(history) = self.dirty.get_mut(&sector) {
            history.push(before);
            return;
        }
        let history = match self.lost.remove(&sector) {
            Some(on_disk) => {
                let mut history = History::new(on_disk);
                history.push(before);
                history
            }
            None => History::new(before),
        };
        self.dirty.insert(sector, history);
    }

    fn sector(&self, sector: usize) -> &[u8] {
        let start = sector * SECTOR_BYTES;
        let end = self.bytes.len().min(start + SECTOR_BYTES);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Overwrites a sector, as far as the file has it, without leaving a trace.
    fn place(&mut self, sector: usize, content: &Sector) {
        let target = self.bytes.iter_mut().skip(sector * SECTOR_BYTES);
        target.zip(content.bytes()).for_each(|(to, from)| *to = *from);
    }

    /// Everything written so far is on the disk, except what an earlier failure has given up.
    pub(super) fn sync(&mut self) {
        self.dirty.clear();
        self.length = None;
    }

    /// Some sectors reach the disk, the others never will, and nobody will be told again.
    pub(super) fn fail_sync(&mut self, fate: &mut Fate<'_>) {
        fate.turn();
        for (sector, history) in mem::take(&mut self.dirty) {
            if let Some(on_disk) = history.survivor(fate) {
                self.lost.insert(sector, on_disk);
            }
        }
    }

    /// Reads show again what the disk holds. Dirty sectors stay, as the kernel drops clean pages only.
    pub(super) fn forget_cache(&mut self) {
        for (sector, on_disk) in mem::take(&mut self.lost) {
            self.place(sector, &on_disk);
        }
    }

    /// The power was cut: `bytes` becomes what the disk holds.
    pub(super) fn crash(&mut self, fate: &mut Fate<'_>) {
        fate.turn();
        let before = self.bytes.len();
        let after = self.surviving_length(fate);
        self.bytes.resize(before.max(after), 0);
        self.forget_cache();
        for (sector, history) in mem::take(&mut self.dirty) {
            if let Some(on_disk) = history.survivor(fate) {
                self.place(sector, &on_disk);
            }
        }
        self.bytes.truncate(after);
        self.space.resize(before, after);
        self.lock = Weak::new();
    }

    fn surviving_length(&mut self, fate: &mut Fate<'_>) -> usize {
        let newest = self.bytes.len();
        let Some(history) = self.length.take() else {
            return newest;
        };
        let synced = *history.synced();
        let length = history.survivor(fate).unwrap_or(newest);
        if length <= synced || fate.keeps() {
            return length;
        }
        // Growth in part: the file system has written the length together with some of the data.
        let boundary = (synced + fate.between(length - synced)) / SECTOR_BYTES * SECTOR_BYTES;
        boundary.max(synced)
    }

    /// Changes a byte behind the back of everybody.
    pub(super) fn corrupt(&mut self, offset: u64, xor: u8) -> io::Result<()> {
        let byte = self.bytes.get_mut(position(offset)?).ok_or(io::ErrorKind::UnexpectedEof)?;
        *byte ^= xor;
        Ok(())
    }

    /// Flips bits of one byte on the disk alone: what is cached of it still shows what it was.
    pub(super) fn rot(&mut self, offset: u64, xor: u8) -> io::Result<()> {
        let at = position(offset)?;
        let (sector, within) = (at / SECTOR_BYTES, at % SECTOR_BYTES);
        let start = sector * SECTOR_BYTES;
        let end = self.bytes.len().min(start + SECTOR_BYTES);
        let mut on_disk = self.bytes.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?.to_vec();
        *on_disk.get_mut(within).ok_or(io::ErrorKind::UnexpectedEof)? ^= xor;
        self.lost.insert(sector, Sector::of(&on_disk));
        Ok(())
    }

    /// Cuts the file behind the back of everybody: durably, and with all that was still unsynced.
    pub(super) fn cut(&mut self, bytes: u64) -> io::Result<()> {
        let length = position(bytes)?;
        if length > self.bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.space.resize(self.bytes.len(), length);
        self.bytes.truncate(length);
        self.dirty.clear();
        self.lost.clear();
        self.length = None;
        Ok(())
    }

    /// Makes the sector at `offset` unreadable until it is written.
    pub(super) fn break_sector(&mut self, offset: u64) -> io::Result<()> {
        self.unreadable.insert(position(offset)? / SECTOR_BYTES);
        Ok(())
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        self.space.resize(self.bytes.len(), 0);
    }
}

/// The sectors that hold the bytes of a range.
fn sectors(bytes: Range<usize>) -> Range<usize> {
    let end = bytes.end.div_ceil(SECTOR_BYTES);
    if bytes.is_empty() { end..end } else { bytes.start / SECTOR_BYTES..end }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(SECTOR_BYTES).all(|chunk| ZEROS.starts_with(chunk))
}

fn position(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| Errno::FBIG.into())
}

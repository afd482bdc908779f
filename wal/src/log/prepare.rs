//! The next segment file, zero-filled before it is needed.
//!
//! A file full of zeros costs a group commit nothing but its own pages: the space is allocated, the length does not
//! change, so a sync writes no metadata. And a full disk is met here, before an event is accepted.
//!
//! One file is kept ready. With [`Drive::Thread`] a thread fills it in small synced chunks, so that a commit that
//! syncs at the same time waits for one chunk at most; with [`Drive::Manual`] it is filled inline.
//!
//! A preparation that fails is forgotten, with its file. Whoever then needs the file tries once more, at once and on his
//! own thread: a new file, so no failed sync is repeated. If that fails too he is told, and nothing else has happened.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::Drive;
use crate::disk::{Disk, File};
use crate::{Error, names};

const CHUNK_BYTES: u32 = 256 * 1024;
static ZEROS: [u8; CHUNK_BYTES as usize] = [0; CHUNK_BYTES as usize];

/// A file of zeros that waits to become a segment.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) path: PathBuf,
    pub(super) file: Box<dyn File>,
    pub(super) bytes: u32,
    /// The number of the segment it will be.
    pub(super) number: u64,
}

/// Makes [`Prepared`] files.
#[derive(Debug, Clone)]
struct Workshop {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    cancelled: Arc<AtomicBool>,
}

impl Workshop {
    fn make(&self, number: u64, bytes: u32) -> io::Result<Prepared> {
        let path = names::unfinished(&self.dir, number);
        self.check_room(bytes)?;
        remove_if_there(self.disk.as_ref(), &path)?;
        let filled = self.disk.create(&path).and_then(|file| self.fill(file.as_ref(), bytes).map(|()| file));
        match filled {
            Ok(file) => Ok(Prepared { path, file, bytes, number }),
            Err(error) => {
                // Gives the space back; if that fails too, the next recovery does it.
                remove_if_there(self.disk.as_ref(), &path).ok();
                Err(error)
            }
        }
    }

    fn check_room(&self, bytes: u32) -> io::Result<()> {
        let free = self.disk.free_bytes(&self.dir)?;
        if free >= u64::from(bytes) {
            return Ok(());
        }
        let message = format!("the disk has {free} bytes left, a segment needs {bytes}: make room");
        Err(io::Error::new(io::ErrorKind::StorageFull, message))
    }

    fn fill(&self, file: &dyn File, bytes: u32) -> io::Result<()> {
        let mut done = 0;
        while done < bytes {
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let chunk = CHUNK_BYTES.min(bytes - done);
            file.write_all_at(ZEROS.get(..chunk as usize).unwrap_or(&ZEROS), u64::from(done))?;
            file.sync_data()?;
            done += chunk;
        }
        Ok(())
    }
}

fn remove_if_there(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Keeps one file ready.
#[derive(Debug)]
pub(super) struct Preparer {
    workshop: Workshop,
    ahead: Ahead,
}

/// How a file is made ahead of time.
#[derive(Debug)]
enum Ahead {
    Inline(Option<Prepared>),
    Thread(Worker),
}

impl Preparer {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: PathBuf, drive: Drive) -> Result<Self, Error> {
        let workshop = Workshop { disk, dir, cancelled: Arc::default() };
        let ahead = match drive {
            Drive::Manual => Ahead::Inline(None),
            Drive::Thread => Ahead::Thread(Worker::spawn(&workshop)?),
        };
        Ok(Self { workshop, ahead })
    }

    /// Begins to make a file that will be needed.
    pub(super) fn order(&mut self, number: u64, bytes: u32) {
        match &mut self.ahead {
            Ahead::Inline(ready) => *ready = self.workshop.make(number, bytes).ok(),
            Ahead::Thread(worker) => worker.order(number, bytes),
        }
    }

    /// The file that was ordered, or one made now.
    pub(super) fn take(&mut self, number: u64, bytes: u32) -> io::Result<Prepared> {
        let ready = match &mut self.ahead {
            Ahead::Inline(ready) => ready.take(),
            Ahead::Thread(worker) => worker.collect(),
        };
        match ready {
            Some(prepared) => Ok(prepared),
            None => self.workshop.make(number, bytes),
        }
    }
}

/// The thread that prepares; dropping it stops it at the next chunk.
#[derive(Debug)]
struct Worker {
    orders: Option<mpsc::Sender<(u64, u32)>>,
    results: mpsc::Receiver<Option<Prepared>>,
    is_busy: bool,
    cancelled: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn spawn(workshop: &Workshop) -> Result<Self, Error> {
        let (orders, inbox) = mpsc::channel::<(u64, u32)>();
        let (outbox, results) = mpsc::channel();
        let own = workshop.clone();
        let work = move || {
            for (number, bytes) in inbox {
                if outbox.send(own.make(number, bytes).ok()).is_err() {
                    break;
                }
            }
        };
        let spawned = thread::Builder::new().name("wal-prepare".to_owned()).spawn(work);
        let thread = spawned.map_err(Error::io("start a thread for", &workshop.dir))?;
        let cancelled = workshop.cancelled.clone();
        Ok(Self { orders: Some(orders), results, is_busy: false, cancelled, thread: Some(thread) })
    }

    fn order(&mut self, number: u64, bytes: u32) {
        // A thread that is gone makes no file: the one who needs it makes it himself.
        self.is_busy = self.orders.as_ref().is_some_and(|orders| orders.send((number, bytes)).is_ok());
    }

    /// Waits for what was ordered.
    fn collect(&mut self) -> Option<Prepared> {
        if std::mem::take(&mut self.is_busy) { self.results.recv().ok().flatten() } else { None }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.orders = None;
        // A panic over there has no one left to hurt.
        self.thread.take().map(JoinHandle::join);
    }
}

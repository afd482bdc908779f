//! What the tests of the log share: small sizes, numbered records, an observer that remembers.
#![allow(dead_code, reason = "every test binary uses a part of it")]

pub(crate) mod forgetful;
pub(crate) mod outcome;

use std::panic;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use mallard_wal::disk::sim::{self, SimDisk};
use mallard_wal::disk::{self, Disk, Env};
use mallard_wal::{
    Committed, Config, Draft, Drive, Error, Kind, KnownEnd, Log, Lsn, Observer, Origin, Record, Recovery, Report,
    SealedSegment, recover,
};

pub(crate) const STORE_ID: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;

/// Sizes at which every edge is near: segments of a few frames.
pub(crate) fn small() -> Config {
    Config {
        segment_bytes: 32 * 1024,
        first_segment_bytes: 16 * 1024,
        commit_align: 512,
        frame_payload_bytes_max: 8 * 1024,
        queue_bytes_max: 64 * 1024,
        mark_idle_ms: 1,
        ..Config::default()
    }
}

/// The record that stands for `item`: its key and body follow from it, so that a wrong one is seen.
pub(crate) fn draft(item: u64, body_bytes: usize) -> Draft {
    Draft::new(Kind::EVENT, 1, 0, received_us(item), key(item), &body(item, body_bytes)).unwrap()
}

fn received_us(item: u64) -> i64 {
    1_000_000 + i64::try_from(item % 1_000_000_000).unwrap()
}

fn key(item: u64) -> [u8; 16] {
    (u128::from(item) * 0x9E37_79B9_7F4A_7C15).to_le_bytes()
}

fn body(item: u64, bytes: usize) -> Vec<u8> {
    let mut body = item.to_le_bytes().to_vec();
    body.extend((0..bytes as u64).map(|at| u8::try_from((item % 251 * 31 + at * 7) % 251).unwrap()));
    body
}

/// The item that a record stands for; panics if it is not exactly the record that was sent.
pub(crate) fn item_of(record: &Record<'_>) -> u64 {
    let item = u64::from_le_bytes(record.body[..8].try_into().unwrap());
    assert_eq!(record.kind, Kind::EVENT);
    assert_eq!(record.key, key(item), "a wrong record was delivered");
    assert_eq!(record.body, body(item, record.body.len() - 8), "a wrong record was delivered");
    assert_eq!(record.received_us, received_us(item));
    item
}

/// What an observer heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// (LSN, item) of every committed record.
    pub(crate) committed: Vec<(u64, u64)>,
    pub(crate) sealed: Vec<SealedSegment>,
    pub(crate) poisoned: Vec<String>,
    pub(crate) synced_records: usize,
}

/// An observer that remembers.
#[derive(Debug, Default)]
pub(crate) struct Ears(pub(crate) Mutex<Heard>);

impl Observer<u64> for Ears {
    fn committed(&self, batch: Committed<u64>) {
        let first = batch.first_lsn().get();
        let items = batch.into_items().into_iter();
        self.0.lock().unwrap().committed.extend(items.zip(first..).map(|(item, lsn)| (lsn, item)));
    }

    fn sealed(&self, segment: SealedSegment) {
        self.0.lock().unwrap().sealed.push(segment);
    }

    fn poisoned(&self, cause: &str) {
        self.0.lock().unwrap().poisoned.push(cause.to_owned());
    }

    fn synced(&self, _micros: u64, records: usize) {
        self.0.lock().unwrap().synced_records += records;
    }
}

/// What a recovery delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// LSN and item.
    Record(u64, u64),
    /// First and last lost LSN.
    Gap(u64, u64),
}

/// Whether a test is to try all that it knows, and not what fits into a run of the suite.
pub(crate) fn is_full() -> bool {
    std::env::var_os("MALLARD_TEST_FULL").is_some()
}

/// Does `work` with every item, on all cores. The first panic is the caller's.
pub(crate) fn on_all_cores<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let worker = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(item);
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
    });
}

/// Where a log lives, and by which sizes.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) env: Env,
    pub(crate) dir: PathBuf,
    pub(crate) quarantine: PathBuf,
    pub(crate) config: Config,
}

impl Home {
    /// Two folders below `root`, durable.
    pub(crate) fn new(env: Env, root: &Path, config: Config) -> Self {
        let home = Self { env, dir: root.join("wal"), quarantine: root.join("quarantine"), config };
        home.env.disk.create_dir(&home.dir).unwrap();
        home.env.disk.create_dir(&home.quarantine).unwrap();
        home.env.disk.sync_dir(root).unwrap();
        home
    }

    pub(crate) fn recover(&self, checkpoint: u64) -> Result<(Recovery, Vec<Delivered>), Error> {
        self.recover_from(checkpoint, None)
    }

    /// The same, for a log of which somebody knows how far it has gone.
    pub(crate) fn recover_from(
        &self,
        checkpoint: u64,
        end: Option<KnownEnd>,
    ) -> Result<(Recovery, Vec<Delivered>), Error> {
        let origin = Origin { end, ..Origin::new(STORE_ID, Lsn::new(checkpoint)) };
        let mut delivered = Vec::new();
        let recovery = recover(&self.env, &self.dir, &self.quarantine, &self.config, origin, &mut |record| {
            delivered.push(match record.gap() {
                Some((first, last)) => Delivered::Gap(first.get(), last.get()),
                None => Delivered::Record(record.lsn.get(), item_of(&record)),
            });
        })?;
        Ok((recovery, delivered))
    }

    pub(crate) fn start(&self, checkpoint: u64, drive: Drive) -> Result<Running, Error> {
        let (recovery, delivered) = self.recover(checkpoint)?;
        let report = recovery.report().clone();
        let ears = Arc::new(Ears::default());
        let log = recovery.start(ears.clone(), drive)?;
        Ok(Running { log, ears, report, delivered })
    }

    /// Names of the segment files.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let entries = self.env.disk.list(&self.dir).unwrap().into_iter();
        let paths = entries.map(|entry| self.dir.join(entry.name));
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "wal")).collect()
    }

    pub(crate) fn quarantined(&self) -> Vec<String> {
        self.env.disk.list(&self.quarantine).unwrap().into_iter().map(|entry| entry.name).collect()
    }
}

/// The files of a log's folder.
pub(crate) type Files = Vec<(PathBuf, Vec<u8>)>;

pub(crate) fn files_of(home: &Home) -> Files {
    let read = |path: PathBuf| (path.clone(), disk::read(home.env.disk.as_ref(), &path).unwrap());
    home.segments().into_iter().map(read).collect()
}

/// A machine that holds these files.
pub(crate) fn install(files: &Files) -> (Home, SimDisk) {
    install_with(small(), files)
}

/// The same, for a log of other sizes.
pub(crate) fn install_with(config: Config, files: &Files) -> (Home, SimDisk) {
    let (env, disk, _) = sim::env(2);
    let home = Home::new(env, Path::new("/"), config);
    for (path, bytes) in files {
        let file = disk.create(path).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file.sync_data().unwrap();
    }
    disk.sync_dir(&home.dir).unwrap();
    (home, disk)
}

/// A started log.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) log: Log<u64>,
    pub(crate) ears: Arc<Ears>,
    pub(crate) report: Report,
    pub(crate) delivered: Vec<Delivered>,
}

impl Running {
    /// Appends one record and commits it (manual drive); returns its LSN.
    pub(crate) fn commit(&self, item: u64, body_bytes: usize) -> u64 {
        let mut receipt = self.log.append(draft(item, body_bytes), item).unwrap();
        assert!(self.log.pump().unwrap());
        receipt.try_wait().unwrap().unwrap().get()
    }
}

/// The LSNs that deliveries stand for, asserting that they are dense from `first`; returns the next one.
pub(crate) fn assert_dense(delivered: &[Delivered], first: u64) -> u64 {
    delivered.iter().fold(first, |next, delivery| match delivery {
        Delivered::Record(lsn, _) => {
            assert_eq!(*lsn, next, "LSNs are not dense: {delivered:?}");
            next + 1
        }
        Delivered::Gap(from, to) => {
            assert!(*from <= next && next <= *to, "a gap is out of place: {delivered:?}");
            to + 1
        }
    })
}

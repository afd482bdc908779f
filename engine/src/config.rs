//! Everything about the engine that can be set, with bounds. Units are in the names.

use std::path::PathBuf;

use mallard_compactor::Limits;
use mallard_wal as wal;
use mallard_wal::record::RECORD_OVERHEAD_BYTES;

use crate::query::QueryConfig;
use crate::tail::ROW_BYTES;

/// How a store behaves. [`Config::new`] gives the defaults that the configuration documents.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data directory; created if missing.
    pub data_dir: PathBuf,
    /// Seal and compact when this many events wait in the log.
    pub flush_events: u64,
    /// Seal and compact when the oldest waiting event is this old.
    pub flush_interval_us: i64,
    /// Seal and compact when the hot tail holds this much memory.
    pub tail_bytes: usize,
    /// Hold senders back ([`crate::Engine::hold_back_us`]) when the hot tail holds more than this: compaction does not keep
    /// up. Above `tail_bytes`, below `tail_bytes_max`.
    pub tail_bytes_slow: usize,
    /// Refuse events ([`crate::AppendError::Busy`]) when the hot tail holds this much all the same.
    pub tail_bytes_max: usize,
    /// Refuse events ([`crate::AppendError::DiskReserve`]) when less than this is free on the volume.
    pub disk_reserve_bytes: u64,
    /// Refuse events ([`crate::AppendError::TooManySites`]) of further sites.
    pub sites_max: usize,
    /// How long an event's id is remembered, so that a retry is stored once; 0: not at all.
    pub dedup_window_us: i64,
    /// Ids remembered at most, at about 40 bytes each.
    pub dedup_ids_max: usize,
    /// Whether retention goes by the date without asking whether it has leapt ahead: for a copy, whose owner has asked.
    pub is_date_sure: bool,
    /// The write-ahead log.
    pub wal: wal::Config,
    /// Compaction, merging, retention.
    pub limits: Limits,
    /// DuckDB.
    pub query: QueryConfig,
}

/// A quarter of the hot tail's memory budget on the smallest machine stays free for the rows that arrive while the
/// rest is being compacted.
const TAIL_BYTES: usize = 18 << 20;
/// What is being compacted, as much again behind it, and then senders are slowed down.
const TAIL_BYTES_SLOW: usize = 2 * TAIL_BYTES;
const TAIL_BYTES_MAX: usize = 64 << 20;
const _: () = assert!(TAIL_BYTES < TAIL_BYTES_SLOW && TAIL_BYTES_SLOW < TAIL_BYTES_MAX);

impl Config {
    /// The defaults, for the data directory at `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            flush_events: 50_000,
            flush_interval_us: 300 * 1_000_000,
            tail_bytes: TAIL_BYTES,
            tail_bytes_slow: TAIL_BYTES_SLOW,
            tail_bytes_max: TAIL_BYTES_MAX,
            disk_reserve_bytes: 64 << 20,
            sites_max: 1000,
            dedup_window_us: 86_400 * 1_000_000,
            dedup_ids_max: 150_000,
            is_date_sure: false,
            wal: wal::Config::default(),
            limits: Limits::default(),
            query: QueryConfig::default(),
        }
    }

    /// How many records the log can have taken above the checkpoint, at most: as many as the hot tail holds, and what was
    /// let in before it was full.
    pub(crate) fn backlog_max(&self) -> u64 {
        let rows = self.tail_bytes_max / ROW_BYTES;
        let queued = 2 * self.wal.queue_bytes_max / RECORD_OVERHEAD_BYTES;
        (rows + queued) as u64
    }
}

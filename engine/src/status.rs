//! Figures about a store, for health pages and metrics. Reading them never waits for a query or a compaction.

use std::sync::atomic::{AtomicU64, Ordering};

use mallard_event::{SiteId, Timestamp};

/// Whether events are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ingest {
    /// Yes.
    Accepting,
    /// No: less space is free than is kept back for maintenance. Resumes by itself.
    DiskReserve,
    /// Not beyond what is left of the active segment: no next one can be made, and not for want of room. Resumes by itself.
    NoSegment,
    /// No: a write or sync failed, and the process must be restarted.
    Poisoned,
}

/// A store at one moment.
#[derive(Clone, Debug)]
pub struct Status {
    /// Newest committed LSN.
    pub durable_lsn: u64,
    /// LSN through which the log is in Parquet.
    pub compacted_lsn: u64,
    /// Events that are durable in the log and not yet in Parquet.
    pub buffered_events: u64,
    /// Memory of the hot tail, estimated from above.
    pub buffered_bytes: u64,
    /// What became of every event since the store was made.
    pub balance: Balance,
    /// Whether events are accepted.
    pub ingest: Ingest,
    /// Live Parquet files.
    pub parquet_files: u64,
    /// Sites with a stored event.
    pub sites: u64,
    /// Bytes of log segments on disk.
    pub wal_bytes: u64,
    /// Bytes waiting for the next group commit.
    pub queue_bytes: u64,
    /// Free space of the volume; `None` if the operating system would not say.
    pub disk_free_bytes: Option<u64>,
    /// Free space below which events are refused.
    pub disk_reserve_bytes: u64,
    /// Ids of events that are remembered, so that retries are stored once.
    pub dedup_ids: u64,
    /// How far back every such id is known, in microseconds: the window, or less when there was no room.
    pub dedup_window_us: i64,
    /// Records that could not be decoded and were set aside.
    pub quarantined: u64,
    /// Acknowledged positions of the log that damage has destroyed.
    pub lost_lsns: u64,
    /// Kinds of maintenance that go on failing; why is among the reasons below.
    pub failing: u64,
    /// What an operator should look at; empty when all is well.
    pub degraded_reasons: Vec<String>,
}

/// What became of the events of a store since it was made, over all its lives. At any moment `accepted` is the sum of the
/// others. Events that damage has destroyed count until the life in which that was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Events stored at the start of this life, or removed before it, and those committed since.
    pub accepted: u64,
    /// Events in files and in the hot tail. Those in a file that an erasure is to take count until it is written anew.
    pub stored: u64,
    /// Events that erasures have removed.
    pub erased: u64,
    /// Events that retention has removed.
    pub expired: u64,
}

/// One site with stored events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSummary {
    /// The site.
    pub site: SiteId,
    /// Its earliest event.
    pub first_event_at: Timestamp,
    /// Its latest event.
    pub last_event_at: Timestamp,
    /// Number of its events.
    pub events_total: u64,
}

impl SiteSummary {
    pub(crate) fn new(site: SiteId, first: Timestamp, last: Timestamp, events: u64) -> Self {
        Self { site, first_event_at: first, last_event_at: last, events_total: events }
    }

    pub(crate) fn add(&mut self, first: Timestamp, last: Timestamp, events: u64) {
        self.first_event_at = self.first_event_at.min(first);
        self.last_event_at = self.last_event_at.max(last);
        self.events_total += events;
    }
}

/// Upper bounds of the sync histogram's buckets in microseconds; a last bucket takes the rest.
pub const SYNC_BUCKETS_US: [u64; 10] = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000];

/// Counters that only grow, for metrics.
#[derive(Debug, Default)]
pub struct Progress {
    sync_counts: [AtomicU64; SYNC_BUCKETS_US.len() + 1],
    sync_us: AtomicU64,
    compactions: AtomicU64,
    compaction_failures: AtomicU64,
    maintenance_failures: AtomicU64,
    events_compacted: AtomicU64,
    erasures: AtomicU64,
    erasure_failures: AtomicU64,
}

/// The counters of a [`Progress`] at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Syncs of the log by duration: one count per bucket of [`SYNC_BUCKETS_US`], then the rest.
    pub sync_counts: [u64; SYNC_BUCKETS_US.len() + 1],
    /// Total time spent in syncs of the log, in microseconds.
    pub sync_us: u64,
    /// Compactions published.
    pub compactions: u64,
    /// Compactions that failed.
    pub compaction_failures: u64,
    /// Failures of other maintenance.
    pub maintenance_failures: u64,
    /// Events that compaction has put into files.
    pub events_compacted: u64,
    /// Erasures that were finished for those who asked.
    pub erasures: u64,
    /// Erasures whose asker heard that they are not finished.
    pub erasure_failures: u64,
}

impl Progress {
    pub(crate) fn synced(&self, micros: u64) {
        let bucket = SYNC_BUCKETS_US.partition_point(|bound| *bound < micros);
        if let Some(count) = self.sync_counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sync_us.fetch_add(micros, Ordering::Relaxed);
    }

    pub(crate) fn compacted(&self, events: u64) {
        self.compactions.fetch_add(1, Ordering::Relaxed);
        self.events_compacted.fetch_add(events, Ordering::Relaxed);
    }

    pub(crate) fn compaction_failed(&self) {
        self.compaction_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn maintenance_failed(&self) {
        self.maintenance_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn erasure_finished(&self) {
        self.erasures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn erasure_failed(&self) {
        self.erasure_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// The counters now.
    pub fn totals(&self) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            sync_counts: std::array::from_fn(|bucket| self.sync_counts.get(bucket).map_or(0, read)),
            sync_us: read(&self.sync_us),
            compactions: read(&self.compactions),
            compaction_failures: read(&self.compaction_failures),
            maintenance_failures: read(&self.maintenance_failures),
            events_compacted: read(&self.events_compacted),
            erasures: read(&self.erasures),
            erasure_failures: read(&self.erasure_failures),
        }
    }
}

//! The hot tail: every committed event above the checkpoint, in memory, by site.
//!
//! ```text
//! site -> chunks: Arrow batches of CHUNK_ROWS rows, immutable     (what queries read without copying)
//!         open:   the newest rows, one by one                     (fewer than CHUNK_ROWS; a query turns them into a batch)
//!         days:   rows and newest LSN of each UTC day             (what a cached answer depends on)
//! ```
//! `Tail::push` takes [`Committed`], which only the commit thread of the log can build: what is visible is durable.
//! The tail is a view of the log: it is filled by replay, trimmed when the manifest takes its rows over, and never
//! written anywhere. Its size is bounded by its owner, which seals and compacts when [`Tail::bytes`] grows.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, TimestampMicrosecondArray, UInt64Array};
use arrow::compute::{filter_record_batch, not};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use mallard_compactor::Erasure;
use mallard_event::columns::{self, RowError};
use mallard_event::{Date, Event, SiteId, Stored, Timestamp};
use mallard_wal::{Committed, Lsn};

use crate::store::{Claim, Newcomer};

/// Rows of a chunk. Small enough that a query copies little, large enough that chunks are few.
const CHUNK_ROWS: usize = 512;
/// What a row costs beside its text: the struct of an open row, or its offsets in a chunk, rounded up.
pub(crate) const ROW_BYTES: usize = 640;

/// An event on its way through the log.
#[derive(Debug)]
pub(crate) struct Pending {
    /// What happened.
    pub(crate) event: Event,
    /// When the server received it.
    pub(crate) received_at: Timestamp,
    /// Length of its record's body: what its texts occupy, nearly.
    pub(crate) body_bytes: usize,
    /// The right to store it, if it came with an id of its sender's.
    pub(crate) claim: Option<Claim>,
    /// Its place among the sites, if it is the first of one.
    pub(crate) newcomer: Option<Newcomer>,
}

/// What the log carries for its owner.
#[derive(Debug)]
pub(crate) enum Entry {
    /// An event.
    Event(Box<Pending>),
    /// An erasure of events before it.
    Erasure(Arc<Erasure>),
}

/// What a group commit has brought.
#[derive(Debug)]
pub(crate) struct Pushed {
    /// The last LSN.
    pub(crate) last: Lsn,
    /// Number of events.
    pub(crate) events: u64,
    /// Erasures, with their LSNs.
    pub(crate) erasures: Vec<Arc<Erasure>>,
}

/// All committed events above the checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    sites: BTreeMap<SiteId, SiteTail>,
    events: u64,
    bytes: usize,
    /// The LSNs above the checkpoint that an erasure has taken.
    erased: BTreeSet<u64>,
}

/// The committed events of one site above the checkpoint. Cloning shares the rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct SiteTail {
    chunks: Vec<Arc<Chunk>>,
    open: Vec<Row>,
    days: BTreeMap<Date, DayRows>,
}

/// How much of one day is in the tail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DayRows {
    pub(crate) rows: u64,
    pub(crate) last_lsn: u64,
    pub(crate) first_us: i64,
    pub(crate) last_us: i64,
}

#[derive(Clone, Debug)]
struct Row {
    stored: Arc<Stored>,
    lsn: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Chunk {
    batch: RecordBatch,
    first_lsn: u64,
    last_lsn: u64,
    bytes: usize,
}

impl Tail {
    /// Adds what the log has just committed. An erasure takes effect here, in the same moment as the events after it.
    pub(crate) fn push(&mut self, batch: Committed<Entry>) -> Pushed {
        let mut next = batch.first_lsn();
        let mut pushed = Pushed { last: next.previous(), events: 0, erasures: Vec::new() };
        for entry in batch.into_items() {
            match entry {
                Entry::Event(pending) => {
                    self.push_replayed(next, *pending);
                    pushed.events += 1;
                }
                Entry::Erasure(erasure) => {
                    let erasure = Arc::new(Erasure { lsn: next, ..Erasure::clone(&erasure) });
                    self.erase(&erasure);
                    pushed.erasures.push(erasure);
                }
            }
            pushed.last = next;
            next = next.next();
        }
        pushed
    }

    /// Forgets the rows that an erasure takes.
    pub(crate) fn erase(&mut self, erasure: &Erasure) {
        if let Some(site) = self.sites.get_mut(&erasure.site) {
            let before: BTreeSet<u64> = site.lsns().collect();
            site.erase(erasure);
            let after: BTreeSet<u64> = site.lsns().collect();
            self.erased.extend(before.difference(&after));
            self.settle();
        }
    }

    /// Adds an event that replay has read from the log.
    pub(crate) fn push_replayed(&mut self, lsn: Lsn, pending: Pending) {
        // NOTE: the newcomer lives until its site is in the tail.
        let Pending { event, received_at, body_bytes, claim, newcomer: _newcomer } = pending;
        // Whoever waits for it to be stored may know now: it is durable.
        if let Some(claim) = claim {
            claim.settle(lsn.get());
        }
        let row = Row {
            lsn: lsn.get(),
            bytes: ROW_BYTES + body_bytes,
            stored: Arc::new(Stored { lsn: Some(lsn.get()), received_at, event }),
        };
        self.events += 1;
        self.bytes += row.bytes;
        self.sites.entry(row.stored.event.site.clone()).or_default().push(row);
    }

    /// Forgets every row at or below `checkpoint`: they are in files now.
    pub(crate) fn trim(&mut self, checkpoint: Lsn) {
        for site in self.sites.values_mut() {
            site.trim(checkpoint.get());
        }
        self.erased.retain(|lsn| *lsn > checkpoint.get());
        self.settle();
    }

    /// Adds up again what is left.
    fn settle(&mut self) {
        self.sites.retain(|_, site| !site.is_empty());
        self.events = self.sites.values().map(SiteTail::rows).sum();
        self.bytes = self.sites.values().map(SiteTail::bytes).sum();
    }

    /// The rows of one site, shared, not copied.
    pub(crate) fn site(&self, site: &SiteId) -> SiteTail {
        self.sites.get(site).cloned().unwrap_or_default()
    }

    /// The sites that have rows here.
    pub(crate) fn sites(&self) -> impl Iterator<Item = (&SiteId, &SiteTail)> {
        self.sites.iter()
    }

    /// Whether `site` has rows here.
    pub(crate) fn contains(&self, site: &SiteId) -> bool {
        self.sites.contains_key(site)
    }

    /// Events committed and not yet in a file.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// Events committed that an erasure has taken before they came into a file, and that the manifest does not count yet.
    pub(crate) fn erased_events(&self) -> u64 {
        self.erased.len() as u64
    }

    /// Memory held, estimated from above.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl SiteTail {
    fn push(&mut self, row: Row) {
        let at = row.stored.event.timestamp;
        self.days.entry(at.date()).or_default().add(at.micros(), row.lsn);
        self.open.push(row);
        if self.open.len() >= CHUNK_ROWS {
            self.freeze();
        }
    }

    /// Turns the open rows into an immutable chunk.
    fn freeze(&mut self) {
        let rows = std::mem::take(&mut self.open);
        self.chunks.push(Arc::new(Chunk {
            batch: batch_of(rows.iter()),
            first_lsn: rows.first().map_or(0, |row| row.lsn),
            last_lsn: rows.last().map_or(0, |row| row.lsn),
            bytes: rows.iter().map(|row| row.bytes).sum(),
        }));
    }

    fn trim(&mut self, checkpoint: u64) {
        self.open.retain(|row| row.lsn > checkpoint);
        self.chunks.retain(|chunk| chunk.last_lsn > checkpoint);
        for chunk in &mut self.chunks {
            if chunk.first_lsn <= checkpoint {
                *chunk = Arc::new(chunk.above(checkpoint));
            }
        }
        self.days = self.count_days();
    }

    fn erase(&mut self, erasure: &Erasure) {
        self.open.retain(|row| !erasure.takes(&row.stored.event, Lsn::new(row.lsn), row.stored.received_at));
        for chunk in &mut self.chunks {
            if let Some(left) = chunk.without(erasure) {
                *chunk = Arc::new(left);
            }
        }
        self.chunks.retain(|chunk| chunk.batch.num_rows() > 0);
        self.days = self.count_days();
    }

    fn lsns(&self) -> impl Iterator<Item = u64> {
        let chunks = self.chunks.iter().flat_map(|chunk| chunk.times_and_lsns()).map(|(_, lsn)| lsn);
        chunks.chain(self.open.iter().map(|row| row.lsn))
    }

    fn count_days(&self) -> BTreeMap<Date, DayRows> {
        let mut days = BTreeMap::<Date, DayRows>::new();
        for (at_us, lsn) in self.chunks.iter().flat_map(|chunk| chunk.times_and_lsns()) {
            days.entry(Timestamp::saturating_from_micros(at_us).date()).or_default().add(at_us, lsn);
        }
        for row in &self.open {
            let at = row.stored.event.timestamp;
            days.entry(at.date()).or_default().add(at.micros(), row.lsn);
        }
        days
    }

    /// The rows of one UTC day as batches of all columns, in LSN order.
    pub(crate) fn day(&self, date: Date) -> Result<Vec<RecordBatch>, ArrowError> {
        if !self.days.contains_key(&date) {
            return Ok(Vec::new());
        }
        let mut batches = Vec::with_capacity(self.chunks.len() + 1);
        for chunk in &self.chunks {
            let rows = chunk.of_day(date)?;
            if rows.num_rows() > 0 {
                batches.push(rows);
            }
        }
        let open = batch_of(self.open.iter().filter(|row| row.stored.event.timestamp.date() == date));
        if open.num_rows() > 0 {
            batches.push(open);
        }
        Ok(batches)
    }

    /// The rows with these positions, in no order.
    pub(crate) fn rows_of(&self, lsns: &RangeInclusive<u64>) -> Result<Vec<Stored>, RowError> {
        let is_of_them = |row: &Stored| row.lsn.is_some_and(|lsn| lsns.contains(&lsn));
        let open = self.open.iter().map(|row| Stored::clone(&row.stored));
        let mut rows: Vec<Stored> = open.filter(|row| is_of_them(row)).collect();
        let has_some = |chunk: &&Arc<Chunk>| chunk.first_lsn <= *lsns.end() && *lsns.start() <= chunk.last_lsn;
        for chunk in self.chunks.iter().filter(has_some) {
            rows.extend(columns::rows_from(&chunk.batch)?.into_iter().filter(is_of_them));
        }
        Ok(rows)
    }

    /// The UTC days that have rows here, with what a cached answer over them depends on.
    pub(crate) fn days(&self) -> &BTreeMap<Date, DayRows> {
        &self.days
    }

    /// The days within `range` that have rows here.
    pub(crate) fn days_in(&self, range: RangeInclusive<Date>) -> impl Iterator<Item = Date> {
        self.days.range(range).map(|(date, _)| *date)
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> u64 {
        self.days.values().map(|day| day.rows).sum()
    }

    fn bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|chunk| chunk.bytes).sum();
        chunks + self.open.iter().map(|row| row.bytes).sum::<usize>()
    }

    fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.open.is_empty()
    }
}

impl DayRows {
    fn add(&mut self, at_us: i64, lsn: u64) {
        let first = self.rows == 0;
        self.first_us = if first { at_us } else { self.first_us.min(at_us) };
        self.last_us = if first { at_us } else { self.last_us.max(at_us) };
        self.last_lsn = self.last_lsn.max(lsn);
        self.rows += 1;
    }
}

impl Chunk {
    /// The rows above `checkpoint`, without copying them.
    fn above(&self, checkpoint: u64) -> Self {
        let skip = self.lsns().map_or(0, |lsns| lsns.values().partition_point(|lsn| *lsn <= checkpoint));
        let rows = self.batch.num_rows() - skip;
        let bytes = self.bytes / self.batch.num_rows().max(1) * rows;
        Self { batch: self.batch.slice(skip, rows), first_lsn: checkpoint + 1, last_lsn: self.last_lsn, bytes }
    }

    /// The rows that an erasure leaves; `None` if it leaves all.
    fn without(&self, erasure: &Erasure) -> Option<Self> {
        let taken = erasure.mask(&self.batch).filter(|taken| taken.true_count() > 0)?;
        let batch = not(&taken).and_then(|left| filter_record_batch(&self.batch, &left));
        let batch = batch.expect("a mask of a batch has its length");
        let bytes = self.bytes / self.batch.num_rows().max(1) * batch.num_rows();
        Some(Self { batch, first_lsn: self.first_lsn, last_lsn: self.last_lsn, bytes })
    }

    fn of_day(&self, date: Date) -> Result<RecordBatch, ArrowError> {
        let Some(times) = self.times() else { return Ok(self.batch.slice(0, 0)) };
        let (start, end) = (date.start().micros(), date.end().micros());
        let inside = |at_us: &i64| (start..end).contains(at_us);
        if times.values().iter().all(inside) {
            return Ok(self.batch.clone());
        }
        let mask: BooleanArray = times.values().iter().map(|at_us| Some(inside(at_us))).collect();
        filter_record_batch(&self.batch, &mask)
    }

    fn times_and_lsns(&self) -> impl Iterator<Item = (i64, u64)> {
        let times = self.times().into_iter().flat_map(|times| times.values().iter().copied());
        let lsns = self.lsns().into_iter().flat_map(|lsns| lsns.values().iter().copied());
        times.zip(lsns)
    }

    fn times(&self) -> Option<&TimestampMicrosecondArray> {
        self.batch.column_by_name("timestamp")?.as_any().downcast_ref()
    }

    fn lsns(&self) -> Option<&UInt64Array> {
        self.batch.column_by_name("lsn")?.as_any().downcast_ref()
    }
}

fn batch_of<'a>(rows: impl Iterator<Item = &'a Row>) -> RecordBatch {
    let mut builder = columns::RowBuilder::new(CHUNK_ROWS);
    for row in rows {
        builder.push(&row.stored);
    }
    builder.finish()
}

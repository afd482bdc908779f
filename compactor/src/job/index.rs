//! [`Index`], the first pass over the segments of a compaction: what each record is and where its row belongs.
//!
//! It costs 24 bytes per event. Events are decoded here to learn their site and day, dropped, and decoded again when
//! their partition is written: twice the work of the cheapest step, instead of all segments on the heap.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use mallard_event::{Date, Event, SiteId, Timestamp, codec};
use mallard_wal::segment::{LoadedSegment, SealedSegment};
use mallard_wal::{Kind, Lsn, Record};

use super::shares::Shares;
use crate::Error;
use crate::erasure::Erasure;
use crate::manifest::{LsnRange, range_push};

/// Every record of the segments, by what becomes of it.
#[derive(Debug, Default)]
pub(super) struct Index<'a> {
    /// The events of each site and UTC day.
    pub(super) partitions: BTreeMap<(SiteId, Date), Rows<'a>>,
    /// Events that erasures take.
    pub(super) erased: Shares<'a>,
    /// The erasures that were made here.
    pub(super) made: Vec<Erasure>,
    /// Records that this program cannot turn into rows, in LSN order.
    pub(super) unreadable: Vec<Record<'a>>,
    /// What the log has lost.
    pub(super) gaps: Vec<LsnRange>,
    /// The last LSN indexed.
    pub(super) last: Lsn,
}

/// The records of one segment.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) loaded: LoadedSegment,
    /// From memory: without the events that an erasure takes.
    pub(super) is_remembered: bool,
}

/// The rows of one file to be, in LSN order.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    pub(super) places: Vec<Place<'a>>,
    pub(super) lsns: LsnRange,
    /// The earliest and the latest event.
    pub(super) times: (Timestamp, Timestamp),
}

/// Where an event is, and when it happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) timestamp: Timestamp,
    /// The whole record, in the memory of its segment.
    pub(super) encoded: &'a [u8],
}

impl<'a> Index<'a> {
    /// An empty index, for the records after `checkpoint` without the events that `erasures` take.
    pub(super) fn after(checkpoint: Lsn, erasures: &'a [Arc<Erasure>]) -> Self {
        Self { last: checkpoint, erased: Shares::new(erasures), ..Self::default() }
    }

    /// Adds the segment that follows the ones before.
    pub(super) fn add(&mut self, segment: &SealedSegment, input: &'a Input) -> Result<(), Error> {
        for record in input.loaded.records() {
            if input.is_remembered {
                self.pass_over(record.lsn.previous(), segment.first_lsn);
            }
            self.add_record(record, segment.first_lsn)?;
        }
        if input.is_remembered {
            self.pass_over(segment.last_lsn, segment.first_lsn);
        }
        if self.last == segment.last_lsn {
            Ok(())
        } else {
            Err(Error::NotDense { expected: segment.last_lsn, found: self.last })
        }
    }

    /// What memory does not have through `last` was erased.
    fn pass_over(&mut self, last: Lsn, segment: Lsn) {
        self.erased.take_unseen(last.get().saturating_sub(self.last.get()), segment);
        self.last = self.last.max(last);
    }

    fn add_record(&mut self, record: Record<'a>, segment: Lsn) -> Result<(), Error> {
        if record.lsn != self.last.next() {
            return Err(Error::NotDense { expected: self.last.next(), found: record.lsn });
        }
        self.last = record.last_lsn();
        if let Some((first, last)) = record.gap() {
            range_push(&mut self.gaps, LsnRange { first, last });
        } else if let Some(event) = event_of(&record) {
            let received_at = Timestamp::saturating_from_micros(record.received_us);
            if !self.erased.take(&event, record.lsn, received_at, segment) {
                self.add_event(&record, event);
            }
        } else if let Some(erasure) = Erasure::of(&record) {
            self.made.push(erasure);
        } else {
            self.unreadable.push(record);
        }
        Ok(())
    }

    fn add_event(&mut self, record: &Record<'a>, event: Event) {
        let place = Place { timestamp: event.timestamp, encoded: record.encoded() };
        match self.partitions.entry((event.site, event.timestamp.date())) {
            Entry::Vacant(entry) => {
                entry.insert(Rows::new(record.lsn, place));
            }
            Entry::Occupied(mut entry) => entry.get_mut().push(record.lsn, place),
        }
    }
}

/// The event of a record that has one. Kinds and versions that this program does not understand are kept in quarantine.
fn event_of(record: &Record<'_>) -> Option<Event> {
    if record.kind != Kind::EVENT {
        return None;
    }
    codec::decode(record.body_version, record.body).ok()
}

impl<'a> Rows<'a> {
    fn new(lsn: Lsn, place: Place<'a>) -> Self {
        Self { places: vec![place], lsns: LsnRange::one(lsn), times: (place.timestamp, place.timestamp) }
    }

    fn push(&mut self, lsn: Lsn, place: Place<'a>) {
        self.places.push(place);
        self.lsns.last = lsn;
        self.times = (self.times.0.min(place.timestamp), self.times.1.max(place.timestamp));
    }
}

//! What the store remembers of a sealed segment that cannot be read any more.
//!
//! A segment that rots after it was sealed could never be compacted, and a restart could save only what can still be read of
//! it. But all of its events above the checkpoint are rows of the hot tail, and every erasure that it records is unfinished:
//! an erasure ends when the log is in Parquet through its position. So compaction goes on with records made of these. They
//! are encoded again as they were: what was acknowledged, at its position.
//!
//! The rows that an unfinished erasure takes are in memory no more. In a segment of this life every position without a row
//! and without an erasure is one of these. In a segment of an earlier life it may also be a gap, or a record that this program
//! does not understand: with such a position nothing is remembered, and the loss is left to the recovery of the next start.

use std::sync::Arc;

use mallard_compactor::{ERASURE_VERSION, Erasure, Memory, Reach};
use mallard_event::{Stored, codec};
use mallard_wal::{Draft, Kind, LoadedSegment, Lsn, SealedSegment, StoreTag};

use super::erase::shown;
use super::{Store, fingerprint};
use crate::tail::SiteTail;

impl Memory for Store {
    fn recall(&self, segment: &SealedSegment, error: &mallard_wal::Error) -> Option<LoadedSegment> {
        let mut records = self.remembered(segment)?;
        records.sort_by_key(|(lsn, _)| *lsn);
        let positions = segment.last_lsn.get() - segment.first_lsn.get() + 1;
        let is_of_this_life = segment.first_lsn > self.opened_at;
        if records.len() as u64 != positions && !is_of_this_life {
            return None;
        }
        tracing::error!(%error, "a segment of the log cannot be read; it is compacted from memory, and nothing of it is lost");
        Some(LoadedSegment::remembered(StoreTag::of(self.identity.store_id), records))
    }
}

impl Store {
    /// The records of a segment that are in memory.
    fn remembered(&self, segment: &SealedSegment) -> Option<Vec<(Lsn, Draft)>> {
        let (first, last) = (segment.first_lsn, segment.last_lsn);
        let (sites, erasing): (Vec<SiteTail>, _) = {
            let state = self.shared.state();
            (state.tail.sites().map(|(_, site)| site.clone()).collect(), Arc::clone(&state.erasing))
        };
        let is_of_segment = |erasure: &Erasure| {
            let is_own = erasure.store == shown(self.identity.store_id) && erasure.reach == Reach::Lsn;
            is_own && (first..=last).contains(&erasure.lsn)
        };
        let mut records = Vec::new();
        for erasing in erasing.iter().filter(|erasing| is_of_segment(&erasing.erasure)) {
            records.push((erasing.erasure.lsn, erasure_record(&erasing.erasure)?));
        }
        for site in sites {
            for row in site.rows_of(&(first.get()..=last.get())).ok()? {
                records.push((Lsn::new(row.lsn?), event_record(&row)?));
            }
        }
        Some(records)
    }
}

fn event_record(row: &Stored) -> Option<Draft> {
    let key = fingerprint(&row.event.site, row.event.event_id.as_str());
    let body = codec::encode(&row.event);
    Draft::new(Kind::EVENT, codec::BODY_VERSION, 0, row.received_at.micros(), key, &body).ok()
}

fn erasure_record(erasure: &Erasure) -> Option<Draft> {
    let body = Erasure { lsn: Lsn::ZERO, ..erasure.clone() }.encode();
    Draft::new(Kind::ERASURE, ERASURE_VERSION, 0, erasure.at_us, erasure.id, &body).ok()
}

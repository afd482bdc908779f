//! [`Shares`]: what each erasure takes from the inputs of one job. An event counts for the first that takes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use mallard_event::{Date, Event, Timestamp};
use mallard_wal::Lsn;

use crate::erasure::Erasure;
use crate::manifest::{Edit, Manifest, Taken};

/// The shares of some erasures, in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Shares<'a> {
    erasures: &'a [Arc<Erasure>],
    shares: Vec<Share>,
}

#[derive(Clone, Debug, Default)]
struct Share {
    events: u64,
    days: BTreeSet<Date>,
    /// By their first LSN.
    segments: BTreeSet<Lsn>,
}

impl<'a> Shares<'a> {
    /// Nothing taken yet.
    pub(super) fn new(erasures: &'a [Arc<Erasure>]) -> Self {
        Self { erasures, shares: vec![Share::default(); erasures.len()] }
    }

    /// All events taken.
    pub(super) fn events(&self) -> u64 {
        self.shares.iter().map(|share| share.events).sum()
    }

    /// Whether an erasure takes this event, of the segment that begins at an LSN; if so, it is counted.
    pub(super) fn take(&mut self, event: &Event, lsn: Lsn, received_at: Timestamp, segment: Lsn) -> bool {
        let mut pairs = self.erasures.iter().zip(&mut self.shares);
        let Some((_, share)) = pairs.find(|(erasure, _)| erasure.takes(event, lsn, received_at)) else { return false };
        share.events += 1;
        share.segments.insert(segment);
        true
    }

    /// Counts events of a segment that are known to be erased and nothing else. Nobody can say by which erasure: they count for
    /// the first.
    pub(super) fn take_unseen(&mut self, events: u64, segment: Lsn) {
        if let Some(share) = self.shares.first_mut().filter(|_| events > 0) {
            share.events += events;
            share.segments.insert(segment);
        }
    }

    /// Counts rows of a file of this day for an erasure.
    pub(super) fn count(&mut self, id: [u8; 16], rows: u64, date: Date) {
        let mut pairs = self.erasures.iter().zip(&mut self.shares);
        if let Some((_, share)) = pairs.find(|(erasure, _)| erasure.id == id && rows > 0) {
            share.events += rows;
            share.days.insert(date);
        }
    }

    /// Writes them into the edit of the job. An erasure that the manifest does not know yet, because its record is still in
    /// the log, begins there.
    pub(super) fn write(self, manifest: &Manifest, edit: &mut Edit) {
        for (erasure, share) in self.erasures.iter().zip(self.shares).filter(|(_, share)| share.events > 0) {
            let (partitions, segments) = (share.days.len() as u64, share.segments.len() as u64);
            edit.taken.push((erasure.id, Taken { events: share.events, partitions, segments }));
            let is_it = |known: &Erasure| known.id == erasure.id;
            if !manifest.erasures().iter().any(|known| is_it(known)) && !edit.begun.iter().any(is_it) {
                edit.begun.push(Erasure::clone(erasure));
            }
        }
    }
}

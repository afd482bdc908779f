//! What a segment holds, counted by its writer and by its reader in the same way.

use super::Seal;
use crate::Lsn;

/// Running totals over the records of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contents {
    base: Lsn,
    next: Lsn,
    records: u64,
    min_received_us: i64,
    max_received_us: i64,
}

impl Contents {
    /// Nothing yet; the first record will have the LSN `base`.
    pub(super) const fn new(base: Lsn) -> Self {
        Self { base, next: base, records: 0, min_received_us: i64::MAX, max_received_us: i64::MIN }
    }

    /// Counts a record that stands for the LSNs from the next one to `last`.
    pub(super) fn count(&mut self, last: Lsn, received_us: i64) {
        assert!(last >= self.next, "LSNs rise");
        self.next = last.next();
        self.records += 1;
        self.min_received_us = self.min_received_us.min(received_us);
        self.max_received_us = self.max_received_us.max(received_us);
    }

    /// The LSN after the last record.
    pub(super) const fn next(&self) -> Lsn {
        self.next
    }

    /// Number of records.
    pub(super) const fn records(&self) -> u64 {
        self.records
    }

    /// Smallest `received_us`, if there is a record.
    pub(super) fn oldest_us(&self) -> Option<i64> {
        (self.records > 0).then_some(self.min_received_us)
    }

    /// The SEAL of a segment with these records.
    pub(super) const fn seal(&self, frames: u32, file_crc: u32, link: u32) -> Seal {
        Seal {
            first_lsn: self.base,
            last_lsn: self.next.previous(),
            records: self.records,
            min_received_us: self.min_received_us,
            max_received_us: self.max_received_us,
            frames,
            file_crc,
            link,
        }
    }
}

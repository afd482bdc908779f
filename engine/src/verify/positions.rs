//! Whether rows are at the positions of the log that the manifest gives them.
//!
//! Every row keeps its LSN. So that each event counts once, no two rows of the store may have the same, and none that of an
//! event which is lost or in quarantine. Files of the original product have no LSNs, and are counted only.
//!
//! It takes a bit for each position: 12 MB for a hundred million.

use std::collections::BTreeSet;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::UInt64Type;
use mallard_compactor::{Erasure, FileEntry, LsnRange, LsnSet, Manifest, SCHEMA_ADOPTED};
use mallard_wal::Lsn;

/// The positions of all rows that were read.
#[derive(Debug)]
pub(super) struct Positions {
    seen: LsnSet,
    /// What no row can have, in ascending order.
    without_rows: Vec<LsnRange>,
}

/// What was found in one file.
#[derive(Debug, Default)]
pub(super) struct FileRows {
    /// Its rows.
    pub(super) count: u64,
    /// Those without a position, or with one that is not of the file.
    misplaced: u64,
    /// Those with the position of another row.
    doubled: u64,
    /// Those with a position that is lost or in quarantine.
    risen: u64,
}

impl Positions {
    pub(super) fn new(manifest: &Manifest) -> Self {
        let without_rows = LsnRange::union(manifest.gaps(), manifest.quarantined());
        Self { seen: LsnSet::default(), without_rows }
    }

    /// Takes some rows of a file, whose checksum is that of the manifest.
    pub(super) fn take(&mut self, file: &FileEntry, batch: &RecordBatch, rows: &mut FileRows) {
        rows.count += batch.num_rows() as u64;
        if file.schema_version == SCHEMA_ADOPTED {
            return;
        }
        let lsns = batch.column_by_name("lsn").and_then(|column| column.as_primitive_opt::<UInt64Type>());
        let Some(lsns) = lsns else {
            rows.misplaced += batch.num_rows() as u64;
            return;
        };
        for lsn in lsns {
            match lsn {
                Some(lsn) if file.lsns.contains(Lsn::new(lsn)) => {
                    rows.doubled += u64::from(!self.seen.insert(lsn));
                    rows.risen += u64::from(self.has_no_row(Lsn::new(lsn)));
                }
                _ => rows.misplaced += 1,
            }
        }
    }

    fn has_no_row(&self, lsn: Lsn) -> bool {
        let at = self.without_rows.partition_point(|range| range.last < lsn);
        self.without_rows.get(at).is_some_and(|range| range.contains(lsn))
    }
}

impl FileRows {
    /// What is wrong with a file that could be read.
    pub(super) fn wrong(&self, file: &FileEntry) -> Option<String> {
        let Self { count, misplaced, doubled, risen } = self;
        [
            (*count != file.rows, format!("it has {count} rows where the manifest says {}", file.rows)),
            (*misplaced > 0, format!("{misplaced} of its rows are not within its positions {}", file.lsns)),
            (*doubled > 0, format!("{doubled} of its rows have the position of another row")),
            (*risen > 0, format!("{risen} of its rows have a position that is lost or in quarantine")),
        ]
        .into_iter()
        .find_map(|(is_so, what)| is_so.then_some(what))
    }
}

/// Positions through the checkpoint for which the manifest has no explanation.
pub(super) fn unaccounted(manifest: &Manifest) -> u64 {
    let totals = manifest.totals();
    let count = |ranges: &[LsnRange]| ranges.iter().map(LsnRange::count).sum::<u64>();
    let known =
        [totals.rows, totals.expired_rows, totals.erased_rows, count(manifest.gaps()), count(manifest.quarantined())];
    known.into_iter().fold(manifest.checkpoint().get(), u64::saturating_sub)
}

/// How many of these nothing else explains: neither the erasures that the ledger and the manifest know, nor what repairs could
/// not account for.
pub(crate) fn missing(manifest: &Manifest, ledger: &[Erasure], by_repairs: u64) -> u64 {
    unaccounted(manifest).saturating_sub(erasures(manifest, ledger)).saturating_sub(by_repairs)
}

/// How many positions through the checkpoint are those of erasures.
fn erasures(manifest: &Manifest, ledger: &[Erasure]) -> u64 {
    let known = manifest.erasures().iter().map(|erasure| &**erasure).chain(ledger);
    let behind = known.filter(|erasure| (Lsn::new(1)..=manifest.checkpoint()).contains(&erasure.lsn));
    behind.map(|erasure| erasure.id).collect::<BTreeSet<_>>().len() as u64
}

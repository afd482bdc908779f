//! What an edit must keep true, asked before it is written and again when it is read back.
//!
//! - A removed file is live; an added one is not, and was not before: files never change under their name.
//! - The checkpoint moves forward only. No file, gap or quarantined record lies above it.
//! - New rows lie above the old checkpoint, rewritten ones at or below it, and none straddles it.
//! - Rows are neither made nor lost: rows removed == rows rewritten + rows expired + rows erased, and new rows, erased and
//!   quarantined records and gaps fit between the old checkpoint and the new.
//! - An erasure begins once, and only one that has begun takes anything and ends.
//! - A file's path is in the folder of its site and day, its times are of that day, its rows fit into its LSNs.

use std::collections::BTreeSet;

use mallard_wal::Lsn;
use thiserror::Error;

use super::{Edit, FileEntry, LsnRange, Manifest, range};
use crate::layout;

/// Why an edit does not fit the manifest. Nothing of it was taken. It is an error of the program, or a manifest that
/// another program wrote; stop, and keep the directory as it is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// The edit removes a file that is not live, or removes it twice, or says in what condition it is.
    #[error("the edit speaks of {path}, which is not a live file")]
    NotLive {
        /// The file.
        path: String,
    },
    /// The edit adds a file under a name that is or was taken, or adds it twice.
    #[error("the edit adds {path}, a name that is already taken")]
    Taken {
        /// The file.
        path: String,
    },
    /// The checkpoint would not move forward.
    #[error("the edit moves the checkpoint from LSN {from} to {to}; it only ever moves forward")]
    CheckpointBack {
        /// Where it is.
        from: Lsn,
        /// Where the edit puts it.
        to: Lsn,
    },
    /// A file, a gap or a quarantined record is on the wrong side of the checkpoint, or out of order.
    #[error("the edit has LSNs {lsns} where only {floor} < LSN <= {ceiling} may be")]
    Misplaced {
        /// The LSNs in question.
        lsns: LsnRange,
        /// Nothing at or below.
        floor: Lsn,
        /// Nothing above.
        ceiling: Lsn,
    },
    /// The description of a file contradicts itself.
    #[error("the edit describes {path} with an impossible {what}")]
    Impossible {
        /// The file.
        path: String,
        /// Which part of the description.
        what: &'static str,
    },
    /// A checkpoint removes files, which there are none of before it.
    #[error("a checkpoint removes files")]
    CheckpointRemoves,
    /// Rows would be lost or made.
    #[error("the edit removes {removed} rows, but rewrites {rewritten}, lets {expired} expire and erases {erased}")]
    RowsLost {
        /// Rows of the removed files.
        removed: u64,
        /// Rows of added files that lie at or below the old checkpoint.
        rewritten: u64,
        /// Rows said to have expired.
        expired: u64,
        /// Rows said to be erased.
        erased: u64,
    },
    /// An erasure begins twice, or one ends or takes something that has not begun.
    #[error("the edit begins an erasure that has begun, or speaks of one that has not")]
    Erasure,
    /// There are more rows than positions.
    #[error("the edit accounts for {accounted} records where the log has only {positions} positions")]
    RowsMade {
        /// Rows, quarantined records and gaps.
        accounted: u64,
        /// Positions between the old checkpoint and the new.
        positions: u64,
    },
}

/// Whether `edit` may follow `manifest`.
pub(super) fn check_edit(manifest: &Manifest, edit: &Edit) -> Result<(), ManifestError> {
    let floor = manifest.checkpoint();
    let ceiling = edit.checkpoint.unwrap_or(floor);
    if edit.checkpoint.is_some() && ceiling <= floor {
        return Err(ManifestError::CheckpointBack { from: floor, to: ceiling });
    }
    let removed = check_removes(manifest, edit)?;
    check_adds(manifest, edit, ceiling)?;
    check_order(&edit.gaps, floor, ceiling)?;
    check_order(&edit.quarantined, floor, ceiling)?;
    check_order(&edit.acknowledged, Lsn::ZERO, Lsn::MAX)?;
    check_conditions(edit, |path| manifest.contains(path) && !edit.remove.iter().any(|removed| removed == path))?;

    let (rewritten, new) = split_rows(edit, floor)?;
    let (expired, erased) = (edit.expired_rows, edit.erased_rows);
    if removed != sum([rewritten, expired, erased]) {
        return Err(ManifestError::RowsLost { removed, rewritten, expired, erased });
    }
    check_erasures(manifest, edit)?;
    check_room(edit, new, ceiling.get() - floor.get())
}

/// Whether `edit` describes a whole state.
pub(super) fn check_checkpoint(edit: &Edit) -> Result<(), ManifestError> {
    if !edit.remove.is_empty() {
        return Err(ManifestError::CheckpointRemoves);
    }
    let ceiling = edit.checkpoint.unwrap_or(Lsn::ZERO);
    check_adds(&Manifest::default(), edit, ceiling)?;
    check_order(&edit.gaps, Lsn::ZERO, ceiling)?;
    check_order(&edit.quarantined, Lsn::ZERO, ceiling)?;
    check_order(&edit.acknowledged, Lsn::ZERO, Lsn::MAX)?;
    check_conditions(edit, |_| false)?;
    let rows = sum(edit.add.iter().map(|entry| entry.rows));
    check_erasures(&Manifest::default(), edit)?;
    check_room(edit, sum([rows, edit.expired_rows, edit.erased_rows]), ceiling.get())
}

/// The rows of all files that the edit removes.
fn check_removes(manifest: &Manifest, edit: &Edit) -> Result<u64, ManifestError> {
    let mut seen = BTreeSet::new();
    let mut rows = 0_u64;
    for path in &edit.remove {
        match manifest.get(path) {
            Some(entry) if seen.insert(path) => rows = rows.saturating_add(entry.rows),
            _ => return Err(ManifestError::NotLive { path: path.clone() }),
        }
    }
    Ok(rows)
}

fn check_adds(manifest: &Manifest, edit: &Edit, ceiling: Lsn) -> Result<(), ManifestError> {
    let mut seen = BTreeSet::new();
    for entry in &edit.add {
        check_entry(entry)?;
        if entry.lsns.last > ceiling {
            return Err(ManifestError::Misplaced { lsns: entry.lsns, floor: Lsn::ZERO, ceiling });
        }
        if manifest.contains(&entry.path) || !seen.insert(&entry.path) {
            return Err(ManifestError::Taken { path: entry.path.to_string() });
        }
    }
    Ok(())
}

/// Conditions are those of files that are live after the edit.
fn check_conditions(edit: &Edit, stays: impl Fn(&str) -> bool) -> Result<(), ManifestError> {
    let mut conditions = edit.conditions.iter();
    match conditions.find(|(path, _)| !stays(path) && !edit.add.iter().any(|entry| *entry.path == **path)) {
        Some((path, _)) => Err(ManifestError::NotLive { path: path.clone() }),
        None => Ok(()),
    }
}

fn check_erasures(manifest: &Manifest, edit: &Edit) -> Result<(), ManifestError> {
    let mut known: BTreeSet<[u8; 16]> = manifest.erasures().iter().map(|erasure| erasure.id).collect();
    let is_new = edit.begun.iter().all(|erasure| known.insert(erasure.id));
    let is_known = edit.taken.iter().all(|(id, _)| known.contains(id)) && edit.ended.iter().all(|id| known.remove(id));
    if is_new && is_known { Ok(()) } else { Err(ManifestError::Erasure) }
}

fn check_entry(entry: &FileEntry) -> Result<(), ManifestError> {
    let folder = layout::partition_folder(&entry.site, entry.date);
    let is_in_folder = entry.path.strip_prefix(&folder).is_some_and(|rest| rest.starts_with('/'));
    let times = entry.min_timestamp..=entry.max_timestamp;
    let is_of_day = times.start().date() == entry.date && times.end().date() == entry.date && !times.is_empty();
    let lsns = entry.lsns.first > Lsn::ZERO && entry.lsns.first <= entry.lsns.last;
    let facts = [
        (is_in_folder && layout::is_event_path(&entry.path), "path"),
        (lsns, "range of LSNs"),
        (is_of_day, "range of times"),
        (lsns && (1..=entry.lsns.count()).contains(&entry.rows), "number of rows"),
    ];
    match facts.into_iter().find(|(holds, _)| !holds) {
        Some((_, what)) => Err(ManifestError::Impossible { path: entry.path.to_string(), what }),
        None => Ok(()),
    }
}

/// Ranges ascend without touching each other's positions, within `floor < LSN <= ceiling`.
fn check_order(ranges: &[LsnRange], floor: Lsn, ceiling: Lsn) -> Result<(), ManifestError> {
    let mut floor = floor;
    for lsns in ranges {
        if lsns.first <= floor || lsns.first > lsns.last || lsns.last > ceiling {
            return Err(ManifestError::Misplaced { lsns: *lsns, floor, ceiling });
        }
        floor = lsns.last;
    }
    Ok(())
}

/// The rows of added files at or below the old checkpoint, and of those above it.
fn split_rows(edit: &Edit, floor: Lsn) -> Result<(u64, u64), ManifestError> {
    let (mut rewritten, mut new) = (0_u64, 0_u64);
    for FileEntry { lsns, rows, .. } in &edit.add {
        if lsns.last <= floor {
            rewritten = rewritten.saturating_add(*rows);
        } else if lsns.first > floor {
            new = new.saturating_add(*rows);
        } else {
            return Err(ManifestError::Misplaced { lsns: *lsns, floor, ceiling: lsns.last });
        }
    }
    Ok((rewritten, new))
}

fn check_room(edit: &Edit, rows: u64, positions: u64) -> Result<(), ManifestError> {
    let accounted = sum([rows, edit.erased_records, range::count(&edit.gaps), range::count(&edit.quarantined)]);
    if accounted > positions { Err(ManifestError::RowsMade { accounted, positions }) } else { Ok(()) }
}

fn sum(numbers: impl IntoIterator<Item = u64>) -> u64 {
    numbers.into_iter().fold(0, u64::saturating_add)
}

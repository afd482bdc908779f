//! [`plan`]: what to do next, from the state alone. Nothing here does I/O or reads a clock.
//!
//! ```text
//!  0 erase    apart from the rest, by plan_erasure: somebody waits for it
//!  1 compact  sealed segments above the checkpoint: they hold memory and lengthen a restart
//!  2 expire   files of days past retention: merging them first would be wasted
//!  3 merge    the partition whose merge removes the most files
//!       open day    >= merge_files_min files of one level -> one file of the next level
//!       closed day  as many of its files as fit, the smallest first, down to one file where that is within bounds
//! ```
//!
//! What ends the merging of a closed day: each merge leaves fewer files. What keeps a late event from rewriting its whole
//! day again and again: above `merge_small_rows_max` the largest input may be at most `merge_growth_max` times as large
//! as all the others together, so a row is rewritten a number of times that grows with the logarithm of its day.

use std::sync::Arc;

use mallard_event::{Date, SiteId, Timestamp, columns};
use mallard_wal::seeded::{Bug, is_seeded};
use mallard_wal::segment::SealedSegment;

use crate::Limits;
use crate::erasure::Erasure;
use crate::job::Job;
use crate::manifest::{FileEntry, Manifest, Partition};
use crate::parquet::Order;

/// The next job, if there is any: pure, so the same state gives the same answer.
///
/// `segments` are the sealed segments in LSN order, `now_us` is microseconds since 1970.
pub fn plan(manifest: &Manifest, segments: &[SealedSegment], now_us: i64, limits: &Limits) -> Option<Job> {
    plan_without(manifest, segments, now_us, limits, &|_, _| false)
}

/// [`plan`], without merges of the partitions that `rests` says.
pub fn plan_without(
    manifest: &Manifest,
    segments: &[SealedSegment],
    now_us: i64,
    limits: &Limits,
    rests: &dyn Fn(&SiteId, Date) -> bool,
) -> Option<Job> {
    let now = Timestamp::saturating_from_micros(now_us);
    compact(manifest, segments, limits)
        .or_else(|| expire(manifest, now, limits))
        .or_else(|| merge(manifest, now, limits, rests))
}

/// NOTE: a segment at or below the checkpoint was compacted before a crash that came before it was trimmed.
fn compact(manifest: &Manifest, segments: &[SealedSegment], limits: &Limits) -> Option<Job> {
    let is_due = |segment: &&SealedSegment| segment.last_lsn > manifest.checkpoint() || is_seeded(Bug::CompactTwice);
    let above = segments.iter().filter(is_due);
    let segments: Vec<_> = above.take(limits.segments_max).cloned().collect();
    (!segments.is_empty()).then_some(Job::Compact { segments })
}

fn expire(manifest: &Manifest, now: Timestamp, limits: &Limits) -> Option<Job> {
    let days = i32::try_from(limits.retention_days?).unwrap_or(i32::MAX);
    let first_kept = Date::from_days(now.date().days().saturating_sub(days)).unwrap_or(Date::MIN);
    let expired = manifest.files().filter(|entry| entry.date < first_kept);
    let files: Vec<_> = expired.take(limits.expire_files_max).map(|entry| FileEntry::clone(entry)).collect();
    (!files.is_empty()).then_some(Job::Expire { files })
}

/// The live files of days after `after` that an erasure may take rows from, day by day.
pub fn erasure_files<'a>(
    manifest: &'a Manifest,
    erasure: &'a Erasure,
    after: Option<Date>,
) -> impl Iterator<Item = &'a Arc<FileEntry>> {
    let first = Timestamp::saturating_from_micros(erasure.start_us).date();
    let last = Timestamp::saturating_from_micros(erasure.end_us.saturating_sub(1)).date();
    let files = manifest.files_of(&erasure.site, first..=last);
    files.filter(move |file| after.is_none_or(|after| file.date > after) && erasure.may_take_from(file))
}

/// The next job of an erasure whose days until `after` are done, and the last day that this job does. `None` if there is
/// nothing left in files.
pub fn plan_erasure(
    manifest: &Manifest,
    erasure: &Erasure,
    after: Option<Date>,
    now_us: i64,
    limits: &Limits,
) -> Option<(Job, Date)> {
    let mut files: Vec<FileEntry> = Vec::new();
    for file in erasure_files(manifest, erasure, after) {
        let is_of_next_day = files.last().is_some_and(|last| last.date < file.date);
        if is_of_next_day && files.len() >= limits.erase_files_max {
            break;
        }
        files.push(FileEntry::clone(file));
    }
    let last = files.last()?.date;
    let is_closed = now_us >= last.end().micros().saturating_add(limits.day_closed_after_us);
    let order = if is_closed { Order::Visitor } else { Order::Time };
    Some((Job::Erase { files, order }, last))
}

fn merge(manifest: &Manifest, now: Timestamp, limits: &Limits, rests: &dyn Fn(&SiteId, Date) -> bool) -> Option<Job> {
    let partitions = manifest.partitions().filter(|partition| !rests(partition.site, partition.date));
    let merges = partitions.filter_map(|partition| Merge::of(manifest, partition, now, limits));
    // The first of the largest, so that the choice does not depend on how ties are broken.
    let largest = merges.reduce(|best, next| if next.inputs.len() > best.inputs.len() { next } else { best })?;
    largest.into_job()
}

/// A merge that is worth while.
struct Merge<'a> {
    partition: Partition<'a>,
    inputs: Vec<&'a Arc<FileEntry>>,
    order: Order,
}

impl<'a> Merge<'a> {
    fn of(manifest: &Manifest, partition: Partition<'a>, now: Timestamp, limits: &Limits) -> Option<Self> {
        if partition.files.len() < 2 {
            return None;
        }
        let closed_us = partition.date.end().micros().saturating_add(limits.day_closed_after_us);
        let (order, inputs) = if now.micros() >= closed_us {
            (Order::Visitor, of_closed_day(mergeable(manifest, partition), limits))
        } else {
            (Order::Time, of_open_day(mergeable(manifest, partition), limits))
        };
        (inputs.len() >= 2).then_some(Self { partition, inputs, order })
    }

    fn into_job(mut self) -> Option<Job> {
        self.inputs.sort_by_key(|entry| entry.lsns.first);
        let level = self.inputs.iter().map(|entry| entry.level).max()?.checked_add(1)?;
        let inputs = self.inputs.into_iter().map(|entry| FileEntry::clone(entry)).collect();
        let Partition { site, date, .. } = self.partition;
        Some(Job::Merge { site: site.clone(), date, inputs, level, order: self.order })
    }
}

/// A file of the last level has no level above it; one of another schema must be rewritten by other means; a damaged one
/// cannot be read.
fn mergeable<'a>(manifest: &Manifest, partition: Partition<'a>) -> Vec<&'a Arc<FileEntry>> {
    let is_mergeable = |entry: &&Arc<FileEntry>| {
        entry.level < u8::MAX && entry.schema_version == columns::SCHEMA_VERSION && !manifest.is_damaged(&entry.path)
    };
    partition.files.iter().filter(is_mergeable).collect()
}

/// The oldest files of the lowest level that has enough of them.
fn of_open_day<'a>(mut files: Vec<&'a Arc<FileEntry>>, limits: &Limits) -> Vec<&'a Arc<FileEntry>> {
    files.sort_by_key(|entry| (entry.level, entry.lsns.first));
    files
        .chunk_by(|one, next| one.level == next.level)
        .filter(|level| level.len() >= limits.merge_files_min)
        .map(|level| fitting(level, limits).to_vec())
        .find(|inputs| inputs.len() >= 2)
        .unwrap_or_default()
}

/// As many files as fit, the smallest first, without a largest one that the others do not justify.
fn of_closed_day<'a>(mut files: Vec<&'a Arc<FileEntry>>, limits: &Limits) -> Vec<&'a Arc<FileEntry>> {
    files.sort_by_key(|entry| (entry.rows, entry.lsns.first));
    let mut inputs = fitting(&files, limits);
    while let [others @ .., largest] = inputs
        && !is_worth_while(others, largest, limits)
    {
        inputs = others;
    }
    inputs.to_vec()
}

fn is_worth_while(others: &[&Arc<FileEntry>], largest: &FileEntry, limits: &Limits) -> bool {
    let rows: u64 = others.iter().map(|entry| entry.rows).sum();
    rows + largest.rows <= limits.merge_small_rows_max || largest.rows <= rows.saturating_mul(limits.merge_growth_max)
}

/// The longest beginning of `files` that one merge may read.
fn fitting<'a, 'f>(files: &'f [&'a Arc<FileEntry>], limits: &Limits) -> &'f [&'a Arc<FileEntry>] {
    let (mut rows, mut bytes, mut column_bytes) = (0_u64, 0_u64, 0_u64);
    let fits = |entry: &&&Arc<FileEntry>| {
        rows = rows.saturating_add(entry.rows);
        bytes = bytes.saturating_add(entry.bytes);
        column_bytes = column_bytes.saturating_add(entry.column_bytes);
        rows <= limits.merge_rows_max
            && bytes <= limits.merge_bytes_max
            && column_bytes <= limits.merge_column_bytes_max
    };
    let count = files.iter().take(limits.merge_files_max).take_while(fits).count();
    files.get(..count).unwrap_or(files)
}

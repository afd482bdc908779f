//! The window of ids at a start: what the newest Parquet files know of the last hours, and what was kept of erased events.
//! The log fills in the rest.
//!
//! Files are asked from the newest on, by their last LSN, until one has no row within the window: the rows of all further
//! ones are older still. A file that does not say so in its footer is not read at all, so the start of a store costs what
//! has arrived within the window and not its history.

use std::sync::Arc;

use mallard_compactor::{FileEntry, IdRow, Manifest};
use mallard_event::SiteId;
use mallard_wal::disk::Env;

use super::dedup::{Dedup, Entry};
use super::{erased_ids, fingerprint};
use crate::layout::Layout;

/// Times of arrival may have been rounded down to the hour.
pub(super) const HOUR_US: i64 = 3_600 * 1_000_000;

/// When an event arrived at the latest, which is what its window counts from.
pub(super) fn latest_arrival_us(received_us: i64, now_us: i64) -> i64 {
    if received_us % HOUR_US == 0 { (received_us + HOUR_US).min(now_us).max(received_us) } else { received_us }
}

/// Fills the window from files. Damaged ones are left out: whoever reads them for answers reports them.
pub(super) fn recall(env: &Env, layout: &Layout, manifest: &Manifest, dedup: &Dedup, window_us: i64, ids_max: usize) {
    let now_us = env.clock.now_us();
    let mut found: Vec<Entry> = Vec::new();
    for file in newest_first(manifest) {
        if found.len() >= ids_max {
            break;
        }
        let read = read(env, layout, file, now_us, now_us.saturating_sub(window_us), &mut found);
        match read {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => tracing::warn!(%error, "retries of events in this file will not be recognised"),
        }
    }
    // NOTE: behind those of the files, which know the time of arrival better; of two the first counts.
    found.extend(erased_ids::recall(env, layout, window_us));
    found.sort_by_key(|entry| entry.lsn);
    for Entry { fingerprint, lsn, stored_us } in found {
        dedup.remember(fingerprint, lsn, stored_us);
    }
}

/// When the newest event in files was received, if its file says so.
pub(super) fn newest_arrival_us(env: &Env, layout: &Layout, manifest: &Manifest) -> Option<i64> {
    let newest = newest_first(manifest).into_iter().next()?;
    mallard_compactor::newest_arrival(env, layout.root(), newest).ok()?
}

fn newest_first(manifest: &Manifest) -> Vec<&Arc<FileEntry>> {
    let mut files: Vec<_> = manifest.files().filter(|file| !manifest.is_damaged(&file.path)).collect();
    files.sort_unstable_by_key(|file| std::cmp::Reverse(file.lsns.last));
    files
}

/// Takes what is within the window; false if nothing can be.
fn read(
    env: &Env,
    layout: &Layout,
    file: &FileEntry,
    now_us: i64,
    cutoff_us: i64,
    found: &mut Vec<Entry>,
) -> Result<bool, mallard_compactor::Error> {
    let newest_us = mallard_compactor::newest_arrival(env, layout.root(), file)?;
    if newest_us.is_none_or(|newest_us| latest_arrival_us(newest_us, now_us) <= cutoff_us) {
        return Ok(false);
    }
    let site: &SiteId = &file.site;
    mallard_compactor::read_ids(env, layout.root(), file, &mut |IdRow { lsn, received_us, event_id }| {
        let stored_us = latest_arrival_us(received_us, now_us);
        if stored_us > cutoff_us {
            found.push(Entry { fingerprint: fingerprint(site, event_id), lsn, stored_us });
        }
    })?;
    Ok(true)
}

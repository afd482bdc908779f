//! `control/erased-ids`: by what retries of erased events are recognised after a restart.
//!
//! ```text
//!   0   8 magic "MALLEIDS"
//!   8   2 version: 1
//!  10   6 zero
//!  16   8 expires_us: from then on the file says nothing any more, and is removed
//!  24     entries: 16 fingerprint of site and id, u64 LSN, i64 arrival in whole hours, as microseconds
//! end-4   u32 crc32 of all bytes before
//! ```
//! The window of ids is filled from the log and from Parquet files at a start, and an erasure takes events out of both. So
//! before anything leaves them, what the window holds is written here, as a whole: no more entries than the window has, none
//! of them an id or a site, none kept longer than the window. Arrivals lose what is finer than an hour, because nothing finer
//! may be kept of an event whose time is rounded; they count as late as they can have been.
//!
//! A file that is damaged costs the recognition of retries, and is no reason not to start.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::MutexGuard;

use mallard_wal::disk::{self, Env, durable};

use super::Store;
use super::dedup::Entry;
use super::history::{HOUR_US, latest_arrival_us};
use super::maintain::Maintenance;
use crate::error::{Error, IoContext as _};
use crate::layout::Layout;

const MAGIC: &[u8; 8] = b"MALLEIDS";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 24;
const ENTRY_BYTES: usize = 32;
const CRC_BYTES: usize = 4;
const NEVER_US: i64 = i64::MAX;

/// What maintenance remembers of the file, in this life.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The erasures that the file was written for.
    covered: BTreeSet<[u8; 16]>,
    /// When the file is to be removed; [`NEVER_US`] if there is none, `None` until it was looked at.
    expires_us: Option<i64>,
}

impl Store {
    /// IMPORTANT: to be called before a job leaves out or removes what an unfinished erasure takes.
    pub(super) fn keep_erased_ids(&self, maintenance: &mut MutexGuard<'_, Maintenance>) -> Result<(), Error> {
        let unfinished: BTreeSet<_> = self.erasures().iter().map(|erasure| erasure.id).collect();
        let progress = &mut maintenance.erased_ids;
        if self.config.dedup_window_us == 0 || unfinished.is_subset(&progress.covered) {
            return Ok(());
        }
        let entries = self.dedup.entries(self.calendar.steady_date_us());
        let newest_us = entries.iter().map(|entry| entry.stored_us).max();
        if let Some(newest_us) = newest_us {
            let expires_us = newest_us.saturating_add(HOUR_US).saturating_add(self.config.dedup_window_us);
            let path = path(&self.layout);
            let written =
                durable::replace(self.env.disk.as_ref(), &self.new_path(), &path, &encode(&entries, expires_us));
            // A failed sync may not be tried again; a refusal comes before any sync.
            written.at(&path).inspect_err(|error| self.stop_unless_refused(error))?;
            progress.expires_us = Some(expires_us);
        }
        progress.covered = unfinished;
        Ok(())
    }

    /// Removes the file when the last of its entries has left the window.
    pub(super) fn forget_erased_ids(&self, maintenance: &mut MutexGuard<'_, Maintenance>) -> Result<(), Error> {
        let path = path(&self.layout);
        let expires_us = *maintenance.erased_ids.expires_us.get_or_insert_with(|| {
            // What cannot be read is of no use and may go.
            read(&self.env, &self.layout).map_or(i64::MIN, |kept| kept.map_or(NEVER_US, |kept| kept.expires_us))
        });
        if expires_us <= self.calendar.steady_date_us() {
            let removed = durable::remove(self.env.disk.as_ref(), &path).at(&path);
            removed.inspect_err(|error| self.stop_unless_refused(error))?;
            maintenance.erased_ids.expires_us = Some(NEVER_US);
        }
        Ok(())
    }

    fn new_path(&self) -> PathBuf {
        self.layout.control().join("erased-ids.new")
    }
}

/// What the file says.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    expires_us: i64,
    entries: Vec<Entry>,
}

/// The entries that are still within the window, in the order in which they were stored.
pub(super) fn recall(env: &Env, layout: &Layout, window_us: i64) -> Vec<Entry> {
    let now_us = env.clock.now_us();
    let kept = match read(env, layout) {
        Ok(kept) => kept,
        Err(reason) => {
            let path = path(layout);
            tracing::warn!(path = %path.display(), reason, "retries of erased events will not be recognised");
            None
        }
    };
    let entries = kept.into_iter().flat_map(|kept| kept.entries);
    let entries = entries.map(|entry| Entry { stored_us: latest_arrival_us(entry.stored_us, now_us), ..entry });
    entries.filter(|entry| entry.stored_us > now_us.saturating_sub(window_us)).collect()
}

/// Why the file cannot be read, if there is one.
pub(crate) fn check(env: &Env, layout: &Layout) -> Result<(), String> {
    read(env, layout).map(drop)
}

pub(crate) fn path(layout: &Layout) -> PathBuf {
    layout.control().join("erased-ids")
}

fn read(env: &Env, layout: &Layout) -> Result<Option<Kept>, String> {
    match disk::read(env.disk.as_ref(), &path(layout)) {
        Ok(bytes) => decode(&bytes).map(Some).ok_or_else(|| "it is damaged, or of a newer program".to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn encode(entries: &[Entry], expires_us: i64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + entries.len() * ENTRY_BYTES + CRC_BYTES);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(expires_us.to_le_bytes());
    for entry in entries {
        bytes.extend(entry.fingerprint);
        bytes.extend(entry.lsn.to_le_bytes());
        bytes.extend((entry.stored_us - entry.stored_us.rem_euclid(HOUR_US)).to_le_bytes());
    }
    let crc = crc32fast::hash(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

/// `None` if the bytes are not what [`encode`] wrote.
fn decode(bytes: &[u8]) -> Option<Kept> {
    let (body, crc) = bytes.split_last_chunk::<CRC_BYTES>()?;
    let (head, body) = body.split_first_chunk::<HEAD_BYTES>()?;
    let is_sound = crc32fast::hash(bytes.get(..bytes.len() - CRC_BYTES)?).to_le_bytes() == *crc;
    let (magic, rest) = head.split_first_chunk::<8>()?;
    let (version, rest) = rest.split_first_chunk::<2>()?;
    if !is_sound || magic != MAGIC || *version != VERSION.to_le_bytes() || body.len() % ENTRY_BYTES != 0 {
        return None;
    }
    let expires_us = i64::from_le_bytes(*rest.last_chunk()?);
    let entry = |bytes: &[u8]| {
        let (fingerprint, rest) = bytes.split_first_chunk::<16>()?;
        let (lsn, rest) = rest.split_first_chunk::<8>()?;
        let stored_us = i64::from_le_bytes(*rest.first_chunk()?);
        Some(Entry { fingerprint: *fingerprint, lsn: u64::from_le_bytes(*lsn), stored_us })
    };
    let entries = body.chunks_exact(ENTRY_BYTES).map(entry).collect::<Option<_>>()?;
    Some(Kept { expires_us, entries })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_file_of_version_1_stays_readable_and_is_written_byte_for_byte() {
        // Made from docs/format.md by other code.
        let golden = include_bytes!("../../tests/fixtures/v1/erased-ids");
        let entry = |fingerprint, lsn, hour| Entry { fingerprint, lsn, stored_us: hour * HOUR_US };
        let counting = std::array::from_fn(|index| u8::try_from(index).unwrap());
        let entries = vec![entry([1; 16], 9, 472_221), entry(counting, 10, 472_220)];
        let kept = Kept { expires_us: 472_222 * HOUR_US + 5, entries };
        assert_eq!(encode(&kept.entries, kept.expires_us), golden);
        assert_eq!(decode(golden), Some(kept));
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_noticed() {
        let bytes = encode(&[Entry { fingerprint: [1; 16], lsn: 9, stored_us: HOUR_US }], 2 * HOUR_US);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&damaged), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "length {length}");
        }
    }
}

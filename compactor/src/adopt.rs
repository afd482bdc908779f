//! Files of the original program: each is read from end to end, and described for a manifest as it is and where it is.
//!
//! They have the first 25 columns of the table, no LSN, and names of their own. In a manifest they stand under
//! [`SCHEMA_ADOPTED`], which no merge takes, and over positions of the log that were never written: from LSN 1 on, as many as
//! there are rows, so that what counts rows by LSNs stays true. The caller moves what is refused, and founds the manifest.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use mallard_event::columns::rows_from;
use mallard_event::{Date, SiteId, Timestamp};
use mallard_wal::Lsn;
use mallard_wal::disk::{Disk, Env};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::{Error, at};
use crate::layout;
use crate::manifest::{FileEntry, LsnRange};
use crate::orphans::parquet_files;
use crate::parquet::whole;

/// The schema version of adopted files: columns from `lsn` on are missing, types may be narrower than the table's.
pub const SCHEMA_ADOPTED: u16 = 0;

const BATCH_ROWS: usize = 8192;

/// What there is to adopt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adoption {
    /// Files that verify, in the order of their paths, over positions from 1 on.
    pub files: Vec<FileEntry>,
    /// Their rows.
    pub rows: u64,
    /// Files that do not.
    pub refused: Vec<RefusedFile>,
}

/// A file that is not adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedFile {
    /// Relative to the data directory.
    pub path: String,
    /// Why.
    pub reason: String,
    /// The site and day of its folder; `None` if it is in no such folder, or has rows of others.
    pub place: Option<(SiteId, Date)>,
}

/// What one sound file holds.
struct Contents {
    rows: u64,
    times: (Timestamp, Timestamp),
}

/// Why a file is not adopted.
enum Refusal {
    /// It is not a sound file of events in its place.
    Unsound(String),
    /// It has rows of another site or day than its folder.
    Misplaced,
    /// Its rows have LSNs: it is of this program, and only its manifest can say what it is.
    Ours,
}

/// Reads every Parquet file below `events/` of the store in `root`, which has no manifest.
///
/// # Errors
/// [`Error::ManifestMissing`] if one of them was written by this program; [`Error::Io`] if one cannot be read.
pub fn adopt(env: &Env, root: &Path) -> Result<Adoption, Error> {
    let mut adoption = Adoption::default();
    for path in parquet_files(env.disk.as_ref(), root)?.into_keys() {
        let bytes = read(env.disk.as_ref(), &root.join(&path))?;
        match describe(&path, &bytes, Lsn::new(adoption.rows + 1)) {
            Ok(entry) => {
                adoption.rows += entry.rows;
                adoption.files.push(entry);
            }
            Err(Refusal::Unsound(reason)) => {
                let place = place_of(&path);
                adoption.refused.push(RefusedFile { path, reason, place });
            }
            Err(Refusal::Misplaced) => {
                let reason = "it has rows of another site or day than its folder".to_owned();
                adoption.refused.push(RefusedFile { path, reason, place: None });
            }
            Err(Refusal::Ours) => return Err(Error::ManifestMissing { root: root.to_owned() }),
        }
    }
    Ok(adoption)
}

fn read(disk: &dyn Disk, path: &Path) -> Result<bytes::Bytes, Error> {
    disk.open(path).and_then(|file| whole(file.as_ref())).map_err(at("read", path))
}

fn describe(path: &str, bytes: &bytes::Bytes, first: Lsn) -> Result<FileEntry, Refusal> {
    let place = place_of(path).ok_or_else(|| unsound("it is in no folder of a site and a day"))?;
    let (site, date) = place;
    // NOTE: a reader of a complicated format may panic over bytes that nothing has checked.
    let contents = catch_unwind(AssertUnwindSafe(|| contents(bytes, &site, date)));
    let contents = contents.unwrap_or_else(|_| Err(unsound("it cannot be read")))?;
    let last = Lsn::new(first.get() + contents.rows - 1);
    Ok(FileEntry {
        site,
        date,
        level: 0,
        schema_version: SCHEMA_ADOPTED,
        lsns: LsnRange::new(first, last),
        rows: contents.rows,
        bytes: bytes.len() as u64,
        // Only merges ask for it.
        column_bytes: bytes.len() as u64,
        min_timestamp: contents.times.0,
        max_timestamp: contents.times.1,
        crc32: crc32fast::hash(bytes),
        path: Arc::from(path),
    })
}

/// `events/site_id=<site>/date=<day>/<name>`.
fn place_of(path: &str) -> Option<(SiteId, Date)> {
    let mut parts = path.split('/').skip(1);
    let site = SiteId::parse(parts.next()?.strip_prefix("site_id=")?).ok()?;
    let date = Date::parse(parts.next()?.strip_prefix("date=")?).ok()?;
    let folder = layout::partition_folder(&site, date);
    path.strip_prefix(&folder).is_some_and(|rest| rest.starts_with('/')).then_some((site, date))
}

/// Reads all rows: every one a valid event, of this site and day.
fn contents(bytes: &bytes::Bytes, site: &SiteId, date: Date) -> Result<Contents, Refusal> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).map_err(unsound)?;
    let (mut rows, mut times) = (0, None);
    for batch in reader.with_batch_size(BATCH_ROWS).build().map_err(unsound)? {
        for row in rows_from(&batch.map_err(unsound)?).map_err(unsound)? {
            let at = row.event.timestamp;
            if row.lsn.is_some() {
                return Err(Refusal::Ours);
            }
            if row.event.site != *site || at.date() != date {
                return Err(Refusal::Misplaced);
            }
            let (first, last) = times.unwrap_or((at, at));
            times = Some((first.min(at), last.max(at)));
            rows += 1;
        }
    }
    let times = times.ok_or_else(|| unsound("it has no rows"))?;
    Ok(Contents { rows, times })
}

fn unsound(reason: impl ToString) -> Refusal {
    Refusal::Unsound(reason.to_string())
}

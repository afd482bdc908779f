//! Names inside the data directory: which folder holds what, and what a file is called.
//!
//! ```text
//! manifest/<n, 20 digits>.manifest
//! events/site_id=<site>/date=<YYYY-MM-DD>/<level>-<first lsn>-<last lsn>.parquet      LSNs in 20 digits
//! quarantine/<first lsn>-<last lsn>.records
//! tmp/
//! ```
//!
//! A name is an identity: it is computed from what the file holds, so that a job that runs again after a crash writes
//! the same names again. Two different live files never share one. Inside a partition every LSN is in exactly one
//! file, so two files of one level differ in their first LSN, and a merge writes one level above all its inputs.
//!
//! A site id cannot leave its folder: its alphabet has no slash, and `..` becomes `site_id=..`.

use mallard_event::{Date, SiteId};
use mallard_wal::Lsn;

use crate::manifest::LsnRange;

/// The folder of the log.
pub const WAL: &str = "wal";
/// The folder of the manifest files.
pub const MANIFEST: &str = "manifest";
/// The folder of the Parquet files.
pub const EVENTS: &str = "events";
/// The folder of files in the making.
pub const TMP: &str = "tmp";
/// The folder of what could not be read.
pub const QUARANTINE: &str = "quarantine";
/// The ending of a Parquet file.
pub(crate) const PARQUET: &str = ".parquet";

/// The folder of the files of one site and one UTC day, relative to the data directory.
pub fn partition_folder(site: &SiteId, date: Date) -> String {
    format!("{EVENTS}/site_id={}/date={date}", site.folder())
}

/// The name of a Parquet file inside its partition's folder.
pub(crate) fn parquet_name(level: u8, lsns: LsnRange) -> String {
    format!("{level}-{:020}-{:020}{PARQUET}", lsns.first.get(), lsns.last.get())
}

/// Level and LSNs of a Parquet file by its name; `None` for a name that no job has made.
pub(crate) fn parquet_identity(name: &str) -> Option<(u8, LsnRange)> {
    let mut parts = name.strip_suffix(PARQUET)?.split('-');
    let level = parts.next()?.parse().ok()?;
    let (first, last) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let is_range = (Lsn::FIRST.get()..=last).contains(&first) && last <= Lsn::MAX.get();
    let lsns = is_range.then(|| LsnRange::new(Lsn::new(first), Lsn::new(last)))?;
    (parquet_name(level, lsns) == name).then_some((level, lsns))
}

/// The file that keeps records of these positions which could not become rows, relative to the data directory.
pub(crate) fn quarantine_path(lsns: LsnRange) -> String {
    format!("{QUARANTINE}/{:020}-{:020}.records", lsns.first.get(), lsns.last.get())
}

/// The name of the `number`th manifest file.
pub(crate) fn manifest_name(number: u64) -> String {
    format!("{number:020}.manifest")
}

/// The number in the name of a manifest file; `None` for any other name.
pub(crate) fn manifest_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".manifest")?;
    let number = digits.parse().ok()?;
    (manifest_name(number) == name).then_some(number)
}

/// Whether a path read from a manifest names a file below `events/` and nothing else.
pub(crate) fn is_event_path(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.next() == Some(EVENTS)
        && path.ends_with(PARQUET)
        && parts.all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'))
}

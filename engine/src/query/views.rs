//! `mallard.duckdb`: a derived database file with one view, `events`, over the live Parquet files, so that any DuckDB
//! client can open the data directory of a stopped server.
//!
//! It is never read by the program and never written in place: a new file is built in the work area and takes the old
//! one's name, so no crash leaves half of one, and no old one, damaged or with a leftover DuckDB WAL of its own, is ever
//! opened. A file of that name that is not a DuckDB database is moved aside to `mallard.duckdb.broken-<n>`.
//!
//! The view names files by absolute path, because DuckDB resolves relative ones against the working directory of whoever
//! reads. A data directory that was moved has its view rebuilt at the next start. The newest events, which are in the log only, are
//! in no file yet and so not in the view.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use mallard_wal::disk::{Disk, durable, read_exact_at};

use super::pool::Lease;
use super::question::QueryError;
use super::sql;

/// Every DuckDB file has this at offset 8.
const MAGIC: &[u8; 4] = b"DUCK";
const MAGIC_OFFSET: u64 = 8;
/// What DuckDB appends to a database's name for its write-ahead log.
const WAL: &str = ".wal";
/// The oldest storage version that DuckDB writes, so that old clients can open the file.
const STORAGE_VERSION: &str = "v1.0.0";

/// Replaces the database file at `path` by one over exactly `files`, building it at `draft`. `is_alike` says that the files
/// all have the same columns: then one footer is read, however many there are.
pub(super) fn refresh(
    lease: &Lease<'_>,
    disk: &dyn Disk,
    path: &Path,
    draft: &Path,
    (files, is_alike): (&[PathBuf], bool),
) -> Result<(), QueryError> {
    let failed = |error: io::Error| QueryError::Internal(format!("{}: {error}", path.display()));
    durable::remove(disk, draft).map_err(failed)?;
    durable::remove(disk, &with_suffix(draft, WAL)).map_err(failed)?;
    build(lease, draft, &sql::view_of(files, is_alike)?)?;
    replace(disk, path, draft).map_err(failed)
}

fn replace(disk: &dyn Disk, path: &Path, draft: &Path) -> io::Result<()> {
    if !is_replaceable(disk, path)? {
        disk.rename(path, &unused_name(disk, path))?;
    }
    durable::remove(disk, &with_suffix(path, WAL))?;
    durable::publish(disk, draft, path)
}

fn build(lease: &Lease<'_>, draft: &Path, rows: &str) -> Result<(), QueryError> {
    let attach = format!("ATTACH {} AS derived (STORAGE_VERSION '{STORAGE_VERSION}')", sql::path(draft)?);
    let view = format!("CREATE VIEW derived.events AS {rows}");
    lease.execute(&attach)?;
    let built = lease.execute(&view);
    let detached = lease.execute("DETACH derived");
    built.and(detached)
}

/// Whether `path` is free, or holds a DuckDB database.
fn is_replaceable(disk: &dyn Disk, path: &Path) -> io::Result<bool> {
    let mut magic = [0; MAGIC.len()];
    match disk.open(path).and_then(|file| read_exact_at(file.as_ref(), &mut magic, MAGIC_OFFSET)) {
        Ok(()) => Ok(magic == *MAGIC),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn unused_name(disk: &dyn Disk, path: &Path) -> PathBuf {
    let is_unused = |name: &PathBuf| disk.open(name).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    let mut names = (1_u64..).map(|number| with_suffix(path, &format!(".broken-{number}")));
    names.find(is_unused).unwrap_or_else(|| with_suffix(path, ".broken"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

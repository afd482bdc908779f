//! What a Parquet file says about itself when no manifest says it: read from end to end, and described.
//!
//! ```text
//! the path       site (unless its id is long), UTC day, level, first and last LSN
//! every row      a valid event of that site and day, its LSN within those of the name
//! the footer     schema version, what the widest column takes
//! ```
//! A file that a manifest has described is held against that length and checksum instead, and only its LSNs are read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, UInt64Array};
use bytes::Bytes;
use mallard_event::columns::rows_from;
use mallard_event::{Date, SiteId, Timestamp};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use crate::adopt::SCHEMA_ADOPTED;
use crate::layout;
use crate::manifest::{FileEntry, LsnRange};
use crate::parquet::widest_column;

const BATCH_ROWS: usize = 8192;
const SCHEMA_KEY: &str = "mallard.schema_version";

/// A file that can be read.
#[derive(Debug)]
pub(super) struct Contents {
    /// As a manifest would describe it.
    pub(super) entry: FileEntry,
    /// The LSNs of its rows. Those of an adopted file have none.
    pub(super) lsns: Vec<u64>,
    /// Whether its positions are certain; those of an adopted file are in no row of it.
    pub(super) is_certain: bool,
}

/// What the path alone says.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// None if the id is too long for a folder's name.
    pub(super) site: Option<SiteId>,
    /// The UTC day.
    pub(super) date: Date,
    /// Level and LSNs; files adopted from the original product have other names.
    pub(super) identity: Option<(u8, LsnRange)>,
}

impl Place {
    /// `events/site_id=<site>/date=<day>/<name>`; `None` for any other path.
    pub(super) fn of(path: &str) -> Option<Self> {
        let mut parts = path.split('/').skip(1);
        let site = SiteId::parse(parts.next()?.strip_prefix("site_id=")?).ok();
        let date = Date::parse(parts.next()?.strip_prefix("date=")?).ok()?;
        Some(Self { site, date, identity: layout::parquet_identity(parts.next()?) })
    }
}

/// Describes the file of these bytes, or says why it cannot be believed. `known` is what a manifest once said of it.
pub(super) fn inspect(path: &str, bytes: &Bytes, known: Option<&FileEntry>) -> Result<Contents, String> {
    // NOTE: a reader of a complicated format may panic over bytes that nothing has checked.
    let contents = catch_unwind(AssertUnwindSafe(|| match known {
        Some(entry) => of_known(bytes, entry),
        None => of_unknown(path, bytes),
    }));
    let contents = contents.unwrap_or_else(|_| Err("it cannot be read".to_owned()))?;
    let mut lsns = contents.lsns.clone();
    lsns.sort_unstable();
    match lsns.windows(2).any(|pair| pair.first() == pair.last()) {
        true => Err("it has a row twice".to_owned()),
        false => Ok(contents),
    }
}

fn of_known(bytes: &Bytes, entry: &FileEntry) -> Result<Contents, String> {
    if (bytes.len() as u64, crc32fast::hash(bytes)) != (entry.bytes, entry.crc32) {
        return Err("it is not what was written".to_owned());
    }
    let mut lsns = Vec::new();
    if entry.schema_version != SCHEMA_ADOPTED {
        read(bytes, Some("lsn"), &mut |batch| {
            let column = batch.column_by_name("lsn").and_then(|column| column.as_any().downcast_ref::<UInt64Array>());
            let column = column.filter(|column| column.null_count() == 0).ok_or("its column lsn is not one of LSNs")?;
            lsns.extend(column.values());
            Ok(())
        })?;
        if lsns.len() as u64 != entry.rows {
            return Err(format!("it has {} rows instead of {}", lsns.len(), entry.rows));
        }
    }
    Ok(Contents { entry: entry.clone(), lsns, is_certain: true })
}

fn of_unknown(path: &str, bytes: &Bytes) -> Result<Contents, String> {
    let place = Place::of(path).ok_or("it is in no folder of a site and a day")?;
    let mut found = Found { place: &place, site: place.site.clone(), rows: 0, times: None, lsns: Vec::new() };
    let (schema, column_bytes) = read(bytes, None, &mut |batch| found.add(batch))?;
    let Found { site, rows, times, lsns, .. } = found;
    let (Some(site), Some((min_timestamp, max_timestamp))) = (site, times) else { return Err("it has no rows".into()) };
    if !path.strip_prefix(&layout::partition_folder(&site, place.date)).is_some_and(|rest| rest.starts_with('/')) {
        return Err("it is in the folder of another site".to_owned());
    }
    let is_adopted = lsns.is_empty();
    // What an erasure has left of an adopted file has no LSNs, and positions in its name.
    let (level, range) = match place.identity {
        Some(identity) => identity,
        None if is_adopted => (0, LsnRange::of_first(rows)),
        None => return Err("its name does not tell its level and its LSNs".to_owned()),
    };
    let entry = FileEntry {
        site,
        date: place.date,
        level,
        schema_version: if is_adopted { SCHEMA_ADOPTED } else { schema },
        lsns: range,
        rows,
        bytes: bytes.len() as u64,
        column_bytes,
        min_timestamp,
        max_timestamp,
        crc32: crc32fast::hash(bytes),
        path: Arc::from(path),
    };
    Ok(Contents { entry, lsns, is_certain: place.identity.is_some() })
}

/// What the rows of a file add up to.
struct Found<'a> {
    place: &'a Place,
    site: Option<SiteId>,
    rows: u64,
    times: Option<(Timestamp, Timestamp)>,
    lsns: Vec<u64>,
}

impl Found<'_> {
    fn add(&mut self, batch: &RecordBatch) -> Result<(), String> {
        for row in rows_from(batch).map_err(|error| error.to_string())? {
            let at = row.event.timestamp;
            if *self.site.get_or_insert_with(|| row.event.site.clone()) != row.event.site
                || at.date() != self.place.date
            {
                return Err("it has rows of another site or day than its folder".to_owned());
            }
            if self.lsns.len() as u64 != if row.lsn.is_some() { self.rows } else { 0 } {
                return Err("some of its rows have an LSN and some have none".to_owned());
            }
            if let Some(lsn) = row.lsn {
                let is_in_name =
                    self.place.identity.is_some_and(|(_, range)| range.contains(mallard_wal::Lsn::new(lsn)));
                if !is_in_name {
                    return Err(format!("LSN {lsn} is not among those of its name"));
                }
                self.lsns.push(lsn);
            }
            let (first, last) = self.times.unwrap_or((at, at));
            self.times = Some((first.min(at), last.max(at)));
            self.rows += 1;
        }
        Ok(())
    }
}

/// Reads one column or all; returns the schema version of the footer and what the widest column takes.
fn read(
    bytes: &Bytes,
    column: Option<&str>,
    on_batch: &mut dyn FnMut(&RecordBatch) -> Result<(), String>,
) -> Result<(u16, u64), String> {
    let unreadable = |error: &dyn std::error::Error| error.to_string();
    let options = ArrowReaderOptions::default();
    let metadata = ArrowReaderMetadata::load(bytes, options).map_err(|error| unreadable(&error))?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata.clone());
    let mask = match column {
        Some(column) => ProjectionMask::columns(builder.parquet_schema(), [column]),
        None => ProjectionMask::all(),
    };
    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build();
    for batch in reader.map_err(|error| unreadable(&error))? {
        on_batch(&batch.map_err(|error| unreadable(&error))?)?;
    }
    let metadata = metadata.metadata();
    let pairs = metadata.file_metadata().key_value_metadata().map_or(&[][..], Vec::as_slice);
    let version = pairs.iter().find(|pair| pair.key == SCHEMA_KEY).and_then(|pair| pair.value.as_deref()?.parse().ok());
    Ok((version.unwrap_or(SCHEMA_ADOPTED), widest_column(metadata)))
}

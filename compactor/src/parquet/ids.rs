//! Who was stored when: ids, LSNs and times of arrival of a live file, without its other columns.

use std::path::Path;

use arrow::array::{Array, StringArray, TimestampMicrosecondArray, UInt64Array};
use mallard_wal::disk::Env;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::statistics::Statistics;

use super::reader::Verified;
use crate::error::{Error, at};
use crate::manifest::FileEntry;

const COLUMNS: [&str; 3] = ["lsn", "event_id", "received_at"];
const BATCH_ROWS: usize = 8192;

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct IdRow<'a> {
    /// Its place in the log.
    pub lsn: u64,
    /// When the server received it, in microseconds since 1970.
    pub received_us: i64,
    /// The id under which it is stored once.
    pub event_id: &'a str,
}

/// When the newest row of a live file was received, in microseconds since 1970, by the file's footer alone; `None` if it does
/// not say. NOTE: the checksum is not verified, so this decides what to read and nothing else.
pub fn newest_arrival(env: &Env, root: &Path, entry: &FileEntry) -> Result<Option<i64>, Error> {
    Ok(arrivals(env, root, entry)?.map(|(_, newest)| newest))
}

/// When the oldest and the newest row of a live file were received, likewise.
pub fn arrivals(env: &Env, root: &Path, entry: &FileEntry) -> Result<Option<(i64, i64)>, Error> {
    let path = root.join(&*entry.path);
    let file = env.disk.open(&path).map_err(at("open", &path))?;
    let bytes = bytes::Bytes::from_owner(super::reader::Shared(file.bytes().map_err(at("read", &path))?));
    let metadata = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::default()).map_err(Error::parquet(&path))?;
    let schema = metadata.metadata().file_metadata().schema_descr();
    let column = (0..schema.num_columns()).find(|number| schema.column(*number).name() == "received_at");
    let Some(column) = column else { return Ok(None) };
    let groups = metadata.metadata().row_groups().iter().filter_map(|group| {
        match group.columns().get(column)?.statistics()? {
            Statistics::Int64(statistics) => Some((*statistics.min_opt()?, *statistics.max_opt()?)),
            _ => None,
        }
    });
    Ok(groups.reduce(|(oldest, newest), (first, last)| (oldest.min(first), newest.max(last))))
}

/// Reads the rows of a live file that have an LSN and an id, after verifying its length and checksum.
pub fn read_ids(env: &Env, root: &Path, entry: &FileEntry, on_row: &mut dyn FnMut(IdRow<'_>)) -> Result<(), Error> {
    let file = Verified::open(env.disk.as_ref(), root, entry)?;
    for batch in file.batches(Some(&COLUMNS), BATCH_ROWS)? {
        let batch = batch?;
        let [lsns, ids, times] = COLUMNS.map(|column| file.column(&batch, column).map(|values| (column, values)));
        let ((lsn, lsns), (id, ids), (time, times)) = (lsns?, ids?, times?);
        let lsns: &UInt64Array = lsns.as_any().downcast_ref().ok_or_else(|| file.bad_column(lsn))?;
        let ids: &StringArray = ids.as_any().downcast_ref().ok_or_else(|| file.bad_column(id))?;
        let times: &TimestampMicrosecondArray = times.as_any().downcast_ref().ok_or_else(|| file.bad_column(time))?;
        for ((lsn, event_id), received_us) in lsns.iter().zip(ids.iter()).zip(times.iter()) {
            if let (Some(lsn), Some(event_id), Some(received_us)) = (lsn, event_id, received_us) {
                on_row(IdRow { lsn, received_us, event_id });
            }
        }
    }
    Ok(())
}

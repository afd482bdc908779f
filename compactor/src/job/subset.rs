//! Some rows of a file as a file of their own: what `repair` keeps of one whose other rows are elsewhere.

use arrow::array::{BooleanArray, UInt64Array};

use super::Context;
use super::sorted::{BATCH_ROWS, Sorted};
use crate::error::Error;
use crate::manifest::FileEntry;
use crate::parquet::{Identity, Order, Verified};

/// Writes the rows of `file` whose LSN `is_wanted` as a file of `level`; `None` if there is none.
pub(crate) fn subset(
    context: &Context<'_>,
    file: &FileEntry,
    level: u8,
    is_wanted: &dyn Fn(u64) -> bool,
) -> Result<Option<FileEntry>, Error> {
    let input = Verified::open(context.disk(), context.root, file)?;
    let mut left_out = Vec::new();
    for batch in input.batches(Some(&["lsn"]), BATCH_ROWS)? {
        let column = input.column(&batch?, "lsn")?;
        let lsns = column.as_any().downcast_ref::<UInt64Array>().ok_or_else(|| input.bad_column("lsn"))?;
        left_out.push(lsns.iter().map(|lsn| Some(!lsn.is_some_and(is_wanted))).collect::<BooleanArray>());
    }
    let closed_us = file.date.end().micros().saturating_add(context.limits.day_closed_after_us);
    let order = if context.env.clock.now_us() >= closed_us { Order::Visitor } else { Order::Time };
    let (rows, keys) = Sorted::read(vec![input], order, left_out)?;
    let Some((lsns, times)) = keys.ranges(&rows) else { return Ok(None) };
    let identity = Identity { site: &file.site, date: file.date, level, lsns, rows: rows.len() as u64, times, order };
    rows.write(context, identity).map(Some)
}

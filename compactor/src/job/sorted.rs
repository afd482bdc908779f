//! The rows of some files in one order, column by column: what a merge and an erasure write.
//!
//! ```text
//!  1 of every row the sort columns               -> the order of all rows: (batch, row in the batch)
//!  2 per row group and column: the column of all inputs -> its values in that order -> encoded -> written
//! ```
//!
//! Inputs are read once per row group of the output; in exchange no more than one column is in memory at a time, and 16
//! bytes per row for the order.

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array};
use arrow::compute::interleave;
use mallard_event::Timestamp;
use mallard_wal::Lsn;

use super::Context;
use crate::error::Error;
use crate::manifest::{FileEntry, LsnRange};
use crate::parquet::{Draft, Identity, Order, Verified};

/// Rows that are read at a time.
pub(super) const BATCH_ROWS: usize = 8192;

/// The rows of all inputs, and the order in which they are written.
pub(super) struct Sorted {
    inputs: Vec<Verified>,
    /// The length of each batch of `order`.
    batch_rows: Vec<usize>,
    /// Batch and row in it, for each row of the output.
    order: Vec<(usize, usize)>,
}

impl Sorted {
    /// The rows of `inputs` in `order`. `left_out` marks the rows of each batch that are not wanted; empty, it marks none.
    pub(super) fn read(
        inputs: Vec<Verified>,
        order: Order,
        left_out: Vec<BooleanArray>,
    ) -> Result<(Self, Keys), Error> {
        let keys = Keys { left_out, ..Keys::read(&inputs, order)? };
        let order = keys.order();
        Ok((Self { inputs, batch_rows: keys.batch_rows(), order }, keys))
    }

    /// How many rows these are.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Writes all of them as one file.
    pub(super) fn write(&self, context: &Context<'_>, identity: Identity<'_>) -> Result<FileEntry, Error> {
        let mut draft = Draft::create(context, identity)?.by_column()?;
        for group in self.order.chunks(context.limits.row_group_rows_max) {
            draft.write_group(|column| self.gather(column, group))?;
        }
        draft.publish()
    }

    /// The values of one column for some rows of the output.
    fn gather(&self, column: &'static str, rows: &[(usize, usize)]) -> Result<ArrayRef, Error> {
        let mut values: Vec<ArrayRef> = Vec::with_capacity(self.batch_rows.len());
        for input in &self.inputs {
            for batch in input.complete_batches(Some(&[column]), BATCH_ROWS)? {
                values.push(input.column(&batch?, column)?);
            }
        }
        let is_aligned = values.iter().map(Array::len).eq(self.batch_rows.iter().copied());
        assert!(is_aligned, "a file is read in the same batches whatever the column");
        let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
        Ok(interleave(&values, rows)?)
    }
}

/// The sort columns of every row, batch by batch.
pub(super) struct Keys {
    batches: Vec<KeyBatch>,
    /// For each batch, the rows that are left out; no batch has any if this is empty.
    left_out: Vec<BooleanArray>,
}

struct KeyBatch {
    /// Only where the order asks for it.
    visitor: Option<StringArray>,
    timestamp: TimestampMicrosecondArray,
    lsn: UInt64Array,
}

impl Keys {
    fn read(inputs: &[Verified], order: Order) -> Result<Self, Error> {
        let mut batches = Vec::new();
        for input in inputs {
            let mut position = input.adopted_from().map(Lsn::get);
            for batch in input.complete_batches(Some(order.columns()), BATCH_ROWS)? {
                let batch = KeyBatch::of(input, &batch?, order, position)?;
                position = position.map(|first| first + batch.lsn.len() as u64);
                batches.push(batch);
            }
        }
        Ok(Self { batches, left_out: Vec::new() })
    }

    fn batch_rows(&self) -> Vec<usize> {
        self.batches.iter().map(|batch| batch.lsn.len()).collect()
    }

    /// All rows in the order of their keys.
    fn order(&self) -> Vec<(usize, usize)> {
        let rows = |(index, batch): (usize, &KeyBatch)| (0..batch.lsn.len()).map(move |row| (index, row));
        let mut order: Vec<_> = self.batches.iter().enumerate().flat_map(rows).collect();
        order.retain(|(index, row)| !self.left_out.get(*index).is_some_and(|mask| mask.value(*row)));
        order.sort_unstable_by_key(|place| self.key(*place));
        order
    }

    fn key(&self, (batch, row): (usize, usize)) -> (&str, i64, u64) {
        let batch = self.batches.get(batch).expect("the order names batches that were read");
        let visitor = batch.visitor.as_ref().map_or("", |visitor| visitor.value(row));
        (visitor, batch.timestamp.value(row), batch.lsn.value(row))
    }

    /// An LSN that two rows share.
    pub(super) fn duplicate(&self, sorted: &Sorted) -> Option<u64> {
        let order = &sorted.order;
        let is_same = |pair: &&[(usize, usize)]| matches!(pair, [one, next] if self.key(*one) == self.key(*next));
        let [one, _] = order.windows(2).find(is_same)? else { return None };
        Some(self.key(*one).2)
    }
}

impl Keys {
    /// The lowest and the highest LSN, the earliest and the latest time of the rows; `None` if there is none.
    pub(super) fn ranges(&self, sorted: &Sorted) -> Option<(LsnRange, (Timestamp, Timestamp))> {
        let keys = || sorted.order.iter().map(|place| self.key(*place));
        let lsns = || keys().map(|(_, _, lsn)| Lsn::new(lsn));
        let times = || keys().map(|(_, at_us, _)| Timestamp::saturating_from_micros(at_us));
        Some((LsnRange::new(lsns().min()?, lsns().max()?), (times().min()?, times().max()?)))
    }
}

impl KeyBatch {
    /// `position` is that of the first row in an adopted file, whose rows have no LSN and keep their order by it.
    fn of(input: &Verified, batch: &RecordBatch, order: Order, position: Option<u64>) -> Result<Self, Error> {
        let visitor = match order {
            Order::Time => None,
            Order::Visitor => Some(typed(input, batch, "visitor_id")?),
        };
        let lsn = match position {
            Some(first) => UInt64Array::from_iter_values((first..).take(batch.num_rows())),
            None => typed(input, batch, "lsn")?,
        };
        Ok(Self { visitor, timestamp: typed(input, batch, "timestamp")?, lsn })
    }
}

/// A column of the type that its file must have, without NULLs.
fn typed<T: Array + Clone + 'static>(input: &Verified, batch: &RecordBatch, column: &'static str) -> Result<T, Error> {
    let values = input.column(batch, column)?;
    let typed = values.as_any().downcast_ref::<T>().filter(|values| values.null_count() == 0);
    typed.cloned().ok_or_else(|| input.bad_column(column))
}

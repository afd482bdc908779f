//! Merge: some files of one site and day become one file that holds exactly their rows, in the order asked for.
//!
//! ```text
//!  1 of every row the sort columns               -> the order of all rows: (batch, row in the batch)
//!  2 per row group and column: the column of all inputs -> its values in that order -> encoded -> written
//! ```
//!
//! Inputs are read once per row group of the output; in exchange no more than one column is in memory at a time, and 16
//! bytes per row for the order. `Limits` bounds both.

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array};
use arrow::compute::interleave;
use mallard_event::{Date, SiteId};

use super::{Context, check_not_live};
use crate::error::Error;
use crate::manifest::{Edit, FileEntry, LsnRange, Manifest};
use crate::parquet::{Draft, Identity, Order, Verified};

/// Rows that are read at a time.
const BATCH_ROWS: usize = 8192;

/// A merge, as the plan describes it.
#[derive(Debug)]
pub(super) struct Merge<'a> {
    pub(super) site: &'a SiteId,
    pub(super) date: Date,
    pub(super) inputs: &'a [FileEntry],
    pub(super) level: u8,
    pub(super) order: Order,
}

impl Merge<'_> {
    /// Writes the file and returns the edit that puts it in the place of the inputs.
    pub(super) fn run(&self, context: &Context<'_>, manifest: &Manifest) -> Result<Edit, Error> {
        let identity = self.identity();
        check_not_live(manifest, identity.path())?;
        let rows = self.sorted(context, &identity)?;
        let mut draft = Draft::create(context, identity)?.by_column()?;
        for group in rows.order.chunks(context.limits.row_group_rows_max) {
            draft.write_group(|column| rows.gather(column, group))?;
        }
        Ok(Edit {
            add: vec![draft.publish()?],
            remove: self.inputs.iter().map(|entry| entry.path.to_string()).collect(),
            ..Edit::default()
        })
    }

    /// NOTE: the plan gives a merge at least two inputs; each of them bounds its own rows.
    fn identity(&self) -> Identity<'_> {
        let [first, others @ ..] = self.inputs else { panic!("a merge has inputs") };
        let start = (first.lsns, (first.min_timestamp, first.max_timestamp));
        let (lsns, times) = others.iter().fold(start, |(lsns, times), entry| {
            let lsns = LsnRange::new(lsns.first.min(entry.lsns.first), lsns.last.max(entry.lsns.last));
            (lsns, (times.0.min(entry.min_timestamp), times.1.max(entry.max_timestamp)))
        });
        let rows = self.inputs.iter().map(|entry| entry.rows).sum();
        Identity { site: self.site, date: self.date, level: self.level, lsns, rows, times, order: self.order }
    }

    fn sorted(&self, context: &Context<'_>, identity: &Identity<'_>) -> Result<Sorted, Error> {
        let open = |entry| Verified::open(context.disk(), context.root, entry);
        let inputs: Vec<Verified> = self.inputs.iter().map(open).collect::<Result<_, Error>>()?;
        let keys = Keys::read(&inputs, self.order)?;
        let order = keys.order();
        if order.len() as u64 != identity.rows {
            return Err(Error::RowCount { path: identity.path(), expected: identity.rows, found: order.len() as u64 });
        }
        match keys.duplicate(&order) {
            Some(lsn) => Err(Error::Duplicate { path: identity.path(), lsn }),
            None => Ok(Sorted { inputs, batch_rows: keys.batch_rows(), order }),
        }
    }
}

/// The rows of all inputs, and the order in which they are written.
struct Sorted {
    inputs: Vec<Verified>,
    /// The length of each batch of `order`.
    batch_rows: Vec<usize>,
    /// Batch and row in it, for each row of the output.
    order: Vec<(usize, usize)>,
}

impl Sorted {
    /// The values of one column for some rows of the output.
    fn gather(&self, column: &'static str, rows: &[(usize, usize)]) -> Result<ArrayRef, Error> {
        let mut values: Vec<ArrayRef> = Vec::with_capacity(self.batch_rows.len());
        for input in &self.inputs {
            for batch in input.batches(Some(&[column]), BATCH_ROWS)? {
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
struct Keys(Vec<KeyBatch>);

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
            for batch in input.batches(Some(order.columns()), BATCH_ROWS)? {
                batches.push(KeyBatch::of(input, &batch?, order)?);
            }
        }
        Ok(Self(batches))
    }

    fn batch_rows(&self) -> Vec<usize> {
        self.0.iter().map(|batch| batch.lsn.len()).collect()
    }

    /// All rows in the order of their keys.
    fn order(&self) -> Vec<(usize, usize)> {
        let rows = |(index, batch): (usize, &KeyBatch)| (0..batch.lsn.len()).map(move |row| (index, row));
        let mut order: Vec<_> = self.0.iter().enumerate().flat_map(rows).collect();
        order.sort_unstable_by_key(|place| self.key(*place));
        order
    }

    fn key(&self, (batch, row): (usize, usize)) -> (&str, i64, u64) {
        let batch = self.0.get(batch).expect("the order names batches that were read");
        let visitor = batch.visitor.as_ref().map_or("", |visitor| visitor.value(row));
        (visitor, batch.timestamp.value(row), batch.lsn.value(row))
    }

    /// An LSN that two rows share.
    fn duplicate(&self, order: &[(usize, usize)]) -> Option<u64> {
        let is_same = |pair: &&[(usize, usize)]| matches!(pair, [one, next] if self.key(*one) == self.key(*next));
        let [one, _] = order.windows(2).find(is_same)? else { return None };
        Some(self.key(*one).2)
    }
}

impl KeyBatch {
    fn of(input: &Verified, batch: &RecordBatch, order: Order) -> Result<Self, Error> {
        let visitor = match order {
            Order::Time => None,
            Order::Visitor => Some(typed(input, batch, "visitor_id")?),
        };
        Ok(Self { visitor, timestamp: typed(input, batch, "timestamp")?, lsn: typed(input, batch, "lsn")? })
    }
}

/// A column of the type that its file must have, without NULLs.
fn typed<T: Array + Clone + 'static>(input: &Verified, batch: &RecordBatch, column: &'static str) -> Result<T, Error> {
    let values = input.column(batch, column)?;
    let typed = values.as_any().downcast_ref::<T>().filter(|values| values.null_count() == 0);
    typed.cloned().ok_or_else(|| input.bad_column(column))
}

//! Rows as reports read them: typed views over Arrow batches, whether they come from DuckDB or from the hot tail.
//!
//! A batch is found by column names, so both sources only have to agree on names and types: those of the column table.

use std::cmp::Ordering;
use std::rc::Rc;

use arrow::array::{Array, BooleanArray, Decimal128Array, StringArray, TimestampMicrosecondArray, UInt64Array};
use arrow::record_batch::RecordBatch;

use super::question::QueryError;
use super::sessions::Act;

/// The columns that every report reads, beside those it asks for.
const COLUMNS: [&str; 6] = ["visitor_id", "timestamp", "lsn", "event_name", "interactive", "time_rounded"];

/// The column of revenue, in ten-thousandths.
pub(super) const AMOUNT: &str = "revenue_amount";

const PAGEVIEW: &str = "pageview";
const ENGAGEMENT: &str = "engagement";

/// What an event counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Named exactly `pageview`.
    Pageview,
    /// Named exactly `engagement`: keeps a session alive and counts as nothing else.
    Engagement,
    /// Any other name.
    Custom,
}

impl Kind {
    fn of(name: &str) -> Self {
        match name {
            PAGEVIEW => Self::Pageview,
            ENGAGEMENT => Self::Engagement,
            _ => Self::Custom,
        }
    }
}

/// The columns of text that are read, beside those that every report reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texts<'a> {
    /// What a report asks for: [`Row::text`], [`Row::values`]. [`AMOUNT`], which is no text, may come last:
    /// [`Row::amount`].
    pub(super) values: &'a [&'static str],
    /// What a filter looks at: [`Row::tested`].
    pub(super) tested: &'a [&'static str],
}

impl Texts<'_> {
    /// The names of all columns to read, each once.
    pub(super) fn column_names(self) -> Vec<&'static str> {
        let mut names = COLUMNS.to_vec();
        for column in self.values.iter().chain(self.tested) {
            if !names.contains(column) {
                names.push(column);
            }
        }
        names
    }
}

/// A batch with the columns that a report asks for.
#[derive(Debug)]
pub(super) struct Rows {
    visitors: StringArray,
    timestamps: TimestampMicrosecondArray,
    lsns: UInt64Array,
    names: StringArray,
    interactive: BooleanArray,
    rounded: BooleanArray,
    values: Vec<StringArray>,
    tested: Vec<StringArray>,
    amounts: Option<Decimal128Array>,
}

/// Where a row stands in the order of a day: by visitor, then time, then the log. Rows adopted without an LSN come first.
type Position<'a> = (&'a str, i64, Option<u64>);

/// One event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    rows: &'a Rc<Rows>,
    index: usize,
}

/// An event that keeps its batch in memory.
#[derive(Clone, Debug)]
pub(super) struct HeldRow {
    rows: Rc<Rows>,
    index: usize,
}

impl HeldRow {
    pub(super) fn row(&self) -> Row<'_> {
        Row { rows: &self.rows, index: self.index }
    }
}

impl Rows {
    /// The rows of `batch`, with some columns of text.
    pub(super) fn new(batch: &RecordBatch, texts: Texts<'_>) -> Result<Rc<Self>, QueryError> {
        let [visitors, timestamps, lsns, names, interactive, rounded] = COLUMNS;
        let (values, has_amount) = match texts.values.split_last() {
            Some((&AMOUNT, values)) => (values, true),
            _ => (texts.values, false),
        };
        let columns = |names: &[&'static str]| names.iter().map(|name| column(batch, name)).collect::<Result<_, _>>();
        Ok(Rc::new(Self {
            visitors: column(batch, visitors)?,
            timestamps: column(batch, timestamps)?,
            lsns: column(batch, lsns)?,
            names: column(batch, names)?,
            interactive: column(batch, interactive)?,
            rounded: column(batch, rounded)?,
            values: columns(values)?,
            amounts: has_amount.then(|| column(batch, AMOUNT)).transpose()?,
            tested: columns(texts.tested)?,
        }))
    }

    pub(super) fn iter(self: &Rc<Self>) -> impl Iterator<Item = Row<'_>> {
        (0..self.visitors.len()).map(move |index| Row { rows: self, index })
    }
}

impl<'a> Row<'a> {
    pub(super) fn visitor(self) -> &'a str {
        self.rows.visitors.value(self.index)
    }

    pub(super) fn position(self) -> Position<'a> {
        (
            self.visitor(),
            self.rows.timestamps.value(self.index),
            value_of(&self.rows.lsns, self.index, UInt64Array::value),
        )
    }

    pub(super) fn compare(self, other: Row<'_>) -> Ordering {
        self.position().cmp(&other.position())
    }

    pub(super) fn act(self) -> Act {
        let is_true = |flags: &BooleanArray| flags.is_valid(self.index) && flags.value(self.index);
        Act {
            at_us: self.rows.timestamps.value(self.index),
            kind: Kind::of(self.rows.names.value(self.index)),
            is_interactive: is_true(&self.rows.interactive),
            is_rounded: is_true(&self.rows.rounded),
        }
    }

    /// The value of the column of text that was asked for as number `nth`, from 0.
    pub(super) fn text(self, nth: usize) -> Option<&'a str> {
        let values = self.rows.values.get(nth)?;
        values.is_valid(self.index).then(|| values.value(self.index))
    }

    /// The value in a column that the filter looks at, by its place in [`Texts::tested`].
    pub(super) fn tested(self, place: usize) -> Option<&'a str> {
        let values = self.rows.tested.get(place)?;
        values.is_valid(self.index).then(|| values.value(self.index))
    }

    /// The event, beyond the life of its batch.
    pub(super) fn hold(self) -> HeldRow {
        HeldRow { rows: Rc::clone(self.rows), index: self.index }
    }

    /// The revenue, in ten-thousandths, if it was asked for.
    pub(super) fn amount(self) -> Option<i128> {
        self.rows.amounts.as_ref().and_then(|amounts| value_of(amounts, self.index, Decimal128Array::value))
    }

    /// The event's name.
    pub(super) fn name(self) -> &'a str {
        self.rows.names.value(self.index)
    }

    /// The value of each column of text that was asked for, in the order of asking.
    pub(super) fn values(self) -> impl Iterator<Item = Option<&'a str>> {
        self.rows.values.iter().map(move |values| values.is_valid(self.index).then(|| values.value(self.index)))
    }
}

fn value_of<'a, A: Array, T>(array: &'a A, index: usize, value: impl Fn(&'a A, usize) -> T) -> Option<T> {
    array.is_valid(index).then(|| value(array, index))
}

fn column<A: Array + Clone + 'static>(batch: &RecordBatch, name: &str) -> Result<A, QueryError> {
    let array = batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<A>());
    let shape = || batch.schema().field_with_name(name).map_or_else(|error| error.to_string(), ToString::to_string);
    array
        .cloned()
        .ok_or_else(|| QueryError::Internal(format!("column {name} has not the type of the column table: {}", shape())))
}

//! [`rows_from`]: a batch back into rows, by the names of its columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, StringArray, TimestampMicrosecondArray, UInt64Array, new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use smol_str::SmolStr;
use thiserror::Error;

use super::{COLUMNS, Column};
use crate::{Amount, Currency, Event, EventId, EventName, Invalid, Props, SiteId, Stored, Timestamp, VisitorId};

/// What stands in memory for the id that an adopted row never had. It is not written back.
const ADOPTED_EVENT_ID: &str = "adopted";

/// Why a batch does not hold rows of events.
#[derive(Debug, Error)]
pub enum RowError {
    /// A column that every file of events has is not there.
    #[error("column {column} is missing: these are not rows of events")]
    MissingColumn {
        /// The name of the column.
        column: &'static str,
    },
    /// A column has values that do not fit the type of the table.
    #[error("column {column} of type {got} does not hold {expected}: {source}")]
    WrongType {
        /// The name of the column.
        column: &'static str,
        /// The type of the table.
        expected: DataType,
        /// The type of the batch.
        got: DataType,
        /// What the conversion met.
        source: ArrowError,
    },
    /// Columns that do not fit together.
    #[error("the columns are no table: {0}")]
    Table(ArrowError),
    /// A value that every event has is null.
    #[error("column {column} is null in row {row}, where every event has a value")]
    Null {
        /// The name of the column.
        column: &'static str,
        /// The row within the batch, from 0.
        row: usize,
    },
    /// A value does not obey the rule of its field.
    #[error("row {row} is not a valid event: {source}")]
    Invalid {
        /// The row within the batch, from 0.
        row: usize,
        /// The field and its rule.
        source: Invalid,
    },
}

/// The rows of `batch`, in its order.
///
/// Columns are found by name, in any order; others than those of the table are ignored. A nullable one may be missing,
/// and a type may differ where every value can be converted without loss, as in files of the original.
pub fn rows_from(batch: &RecordBatch) -> Result<Vec<Stored>, RowError> {
    let columns = Columns::of(batch)?;
    (0..batch.num_rows()).map(|row| Row { columns: &columns, row }.read()).collect()
}

/// Some columns of `batch` by name, or all of the table, as the table has them: what [`rows_from`] accepts, converted.
pub fn complete(batch: &RecordBatch, columns: Option<&[&str]>) -> Result<RecordBatch, RowError> {
    let wanted = COLUMNS.iter().filter(|column| columns.is_none_or(|names| names.contains(&column.name)));
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for column in wanted {
        fields.push(Field::new(column.name, column.data_type(), column.nullable));
        arrays.push(find(batch, column)?);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(RowError::Table)
}

/// The columns of the table as arrays of exactly its types.
struct Columns(HashMap<&'static str, ArrayRef>);

impl Columns {
    fn of(batch: &RecordBatch) -> Result<Self, RowError> {
        COLUMNS.iter().map(|column| Ok((column.name, find(batch, column)?))).collect::<Result<_, _>>().map(Self)
    }

    fn get<A: Array + 'static>(&self, column: &'static str) -> Result<&A, RowError> {
        let array = self.0.get(column).and_then(|array| array.as_any().downcast_ref());
        array.ok_or(RowError::MissingColumn { column })
    }
}

fn find(batch: &RecordBatch, column: &Column) -> Result<ArrayRef, RowError> {
    let expected = column.data_type();
    match batch.column_by_name(column.name) {
        Some(array) if *array.data_type() == expected => Ok(ArrayRef::clone(array)),
        Some(array) => convert(array, column.name, expected),
        None if column.nullable => Ok(new_null_array(&expected, batch.num_rows())),
        None => Err(RowError::MissingColumn { column: column.name }),
    }
}

fn convert(array: &ArrayRef, column: &'static str, expected: DataType) -> Result<ArrayRef, RowError> {
    // `safe` would turn what does not fit into null.
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, &expected, &options).map_err(|source| {
        let got = array.data_type().clone();
        RowError::WrongType { column, expected, got, source }
    })
}

/// One row of the columns.
#[derive(Clone, Copy)]
struct Row<'a> {
    columns: &'a Columns,
    row: usize,
}

impl<'a> Row<'a> {
    fn read(self) -> Result<Stored, RowError> {
        let lsn = self.lsn()?;
        let event = self.event(lsn.is_some())?;
        let received_at = match lsn {
            Some(_) => self.timestamp("received_at")?,
            None => event.timestamp,
        };
        Ok(Stored { lsn, received_at, event })
    }

    fn event(self, has_id: bool) -> Result<Event, RowError> {
        let event_id = if has_id { self.required("event_id")? } else { ADOPTED_EVENT_ID };
        Ok(Event {
            site: self.valid(SiteId::parse(self.required("site_id")?))?,
            visitor: self.valid(VisitorId::parse(self.required("visitor_id")?))?,
            timestamp: self.timestamp("timestamp")?,
            name: self.valid(EventName::parse(self.required("event_name")?))?,
            pathname: self.required("pathname")?.into(),
            hostname: self.owned("hostname")?,
            referrer: self.owned("referrer")?,
            referrer_source: self.owned("referrer_source")?,
            utm_source: self.owned("utm_source")?,
            utm_medium: self.owned("utm_medium")?,
            utm_campaign: self.owned("utm_campaign")?,
            utm_content: self.owned("utm_content")?,
            utm_term: self.owned("utm_term")?,
            browser: self.owned("browser")?,
            browser_version: self.owned("browser_version")?,
            os: self.owned("os")?,
            os_version: self.owned("os_version")?,
            device_type: self.owned("device_type")?,
            screen_size: self.owned("screen_size")?,
            country_code: self.owned("country_code")?,
            region: self.owned("region")?,
            city: self.owned("city")?,
            props: self.valid(self.text("props")?.map(Props::parse).transpose())?,
            revenue_amount: self.amount("revenue_amount")?,
            revenue_currency: self.valid(self.text("revenue_currency")?.map(Currency::parse).transpose())?,
            event_id: self.valid(EventId::parse(event_id))?,
            channel: self.owned("channel")?,
            user_hash: self.owned("user_hash")?,
            interactive: self.boolean("interactive")?,
            time_rounded: self.boolean("time_rounded")?,
        })
    }

    fn text(self, column: &'static str) -> Result<Option<&'a str>, RowError> {
        let cells: &StringArray = self.columns.get(column)?;
        Ok(cells.is_valid(self.row).then(|| cells.value(self.row)))
    }

    fn required(self, column: &'static str) -> Result<&'a str, RowError> {
        self.text(column)?.ok_or(RowError::Null { column, row: self.row })
    }

    fn owned(self, column: &'static str) -> Result<Option<SmolStr>, RowError> {
        Ok(self.text(column)?.map(Into::into))
    }

    fn timestamp(self, column: &'static str) -> Result<Timestamp, RowError> {
        let cells: &TimestampMicrosecondArray = self.columns.get(column)?;
        if cells.is_null(self.row) {
            return Err(RowError::Null { column, row: self.row });
        }
        self.valid(Timestamp::from_micros(cells.value(self.row)))
    }

    fn amount(self, column: &'static str) -> Result<Option<Amount>, RowError> {
        let cells: &Decimal128Array = self.columns.get(column)?;
        if cells.is_null(self.row) {
            return Ok(None);
        }
        let units = i64::try_from(cells.value(self.row)).unwrap_or(i64::MAX);
        self.valid(Amount::from_ten_thousandths(units)).map(Some)
    }

    fn lsn(self) -> Result<Option<u64>, RowError> {
        let cells: &UInt64Array = self.columns.get("lsn")?;
        Ok(cells.is_valid(self.row).then(|| cells.value(self.row)))
    }

    fn boolean(self, column: &'static str) -> Result<Option<bool>, RowError> {
        let cells: &BooleanArray = self.columns.get(column)?;
        Ok(cells.is_valid(self.row).then(|| cells.value(self.row)))
    }

    fn valid<T>(self, value: Result<T, Invalid>) -> Result<T, RowError> {
        value.map_err(|source| RowError::Invalid { row: self.row, source })
    }
}

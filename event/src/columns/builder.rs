//! [`RowBuilder`]: rows into a batch.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Decimal128Builder, StringBuilder, TimestampMicrosecondBuilder, UInt16Builder,
    UInt64Builder,
};
use arrow::record_batch::RecordBatch;

use super::{COLUMNS, Column, Getter, schema};
use crate::Stored;

/// Collects rows column by column.
#[derive(Debug)]
pub struct RowBuilder {
    columns: Vec<Cells>,
}

/// The cells of one column, with the getter that fills them.
#[derive(Debug)]
enum Cells {
    Text(for<'a> fn(&'a Stored) -> Option<&'a str>, StringBuilder),
    Timestamp(fn(&Stored) -> Option<i64>, TimestampMicrosecondBuilder),
    Amount(fn(&Stored) -> Option<i64>, Decimal128Builder),
    U64(fn(&Stored) -> Option<u64>, UInt64Builder),
    U16(fn(&Stored) -> Option<u16>, UInt16Builder),
    Boolean(fn(&Stored) -> Option<bool>, BooleanBuilder),
}

impl RowBuilder {
    /// A builder with room for `rows`; more make it grow.
    pub fn new(rows: usize) -> Self {
        Self { columns: COLUMNS.iter().map(|column| Cells::new(column, rows)).collect() }
    }

    /// Appends one row.
    pub fn push(&mut self, row: &Stored) {
        for cells in &mut self.columns {
            cells.push(row);
        }
    }

    /// The rows pushed so far as one batch; the builder is empty afterwards and can be used again.
    pub fn finish(&mut self) -> RecordBatch {
        let arrays = self.columns.iter_mut().map(Cells::finish).collect();
        RecordBatch::try_new(schema(), arrays)
            .expect("every push adds one cell of its type to every column of the table")
    }
}

impl Cells {
    fn new(column: &Column, rows: usize) -> Self {
        match column.get {
            Getter::Text(get) => Self::Text(get, StringBuilder::with_capacity(rows, 0)),
            Getter::Timestamp(get) => Self::Timestamp(get, TimestampMicrosecondBuilder::with_capacity(rows)),
            Getter::Amount(get) => {
                Self::Amount(get, Decimal128Builder::with_capacity(rows).with_data_type(column.data_type()))
            }
            Getter::U64(get) => Self::U64(get, UInt64Builder::with_capacity(rows)),
            Getter::U16(get) => Self::U16(get, UInt16Builder::with_capacity(rows)),
            Getter::Boolean(get) => Self::Boolean(get, BooleanBuilder::with_capacity(rows)),
        }
    }

    fn push(&mut self, row: &Stored) {
        match self {
            Self::Text(get, cells) => cells.append_option(get(row)),
            Self::Timestamp(get, cells) => cells.append_option(get(row)),
            Self::Amount(get, cells) => cells.append_option(get(row).map(i128::from)),
            Self::U64(get, cells) => cells.append_option(get(row)),
            Self::U16(get, cells) => cells.append_option(get(row)),
            Self::Boolean(get, cells) => cells.append_option(get(row)),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(_, cells) => Arc::new(cells.finish()),
            Self::Timestamp(_, cells) => Arc::new(cells.finish()),
            Self::Amount(_, cells) => Arc::new(cells.finish()),
            Self::U64(_, cells) => Arc::new(cells.finish()),
            Self::U16(_, cells) => Arc::new(cells.finish()),
            Self::Boolean(_, cells) => Arc::new(cells.finish()),
        }
    }
}

//! The columns of an event, in one table: name, type, whether it may be null, and where its value comes from.
//!
//! [`COLUMNS`] is the order of the Parquet files and of every batch. Columns are read by name, and new ones are only
//! appended, so that old and new files are read together. The Arrow type follows from the kind of the getter, so the
//! two cannot disagree.
//!
//! [`RowBuilder`] writes rows into a batch, [`rows_from`] reads them back. Rows adopted from files of the original have
//! no LSN; those files lack the columns from `lsn` on, and whatever rewrites such a row leaves these null again.

mod builder;
mod rows;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::{Amount, Currency, Props, Stored, Timestamp};

pub use builder::RowBuilder;
pub use rows::{RowError, complete, rows_from};

/// The version of this layout, in the column `schema_version` and in the files' metadata.
pub const SCHEMA_VERSION: u16 = 1;

const AMOUNT_PRECISION: u8 = 18;
const AMOUNT_SCALE: i8 = 4;

/// One column.
#[derive(Debug)]
pub struct Column {
    /// The name, by which it is read.
    pub name: &'static str,
    /// Whether a row may have no value.
    pub nullable: bool,
    get: Getter,
}

/// Where the value of a row comes from; the variant is its type.
#[derive(Clone, Copy, Debug)]
enum Getter {
    Text(for<'a> fn(&'a Stored) -> Option<&'a str>),
    Timestamp(fn(&Stored) -> Option<i64>),
    Amount(fn(&Stored) -> Option<i64>),
    U64(fn(&Stored) -> Option<u64>),
    U16(fn(&Stored) -> Option<u16>),
    Boolean(fn(&Stored) -> Option<bool>),
}

/// The table. The first 25 are those of the original.
pub static COLUMNS: [Column; 33] = [
    required("site_id", Getter::Text(|row| Some(row.event.site.as_str()))),
    required("visitor_id", Getter::Text(|row| Some(row.event.visitor.as_str()))),
    required("timestamp", Getter::Timestamp(|row| Some(row.event.timestamp.micros()))),
    required("event_name", Getter::Text(|row| Some(row.event.name.as_str()))),
    required("pathname", Getter::Text(|row| Some(&row.event.pathname))),
    optional("hostname", Getter::Text(|row| row.event.hostname.as_deref())),
    optional("referrer", Getter::Text(|row| row.event.referrer.as_deref())),
    optional("referrer_source", Getter::Text(|row| row.event.referrer_source.as_deref())),
    optional("utm_source", Getter::Text(|row| row.event.utm_source.as_deref())),
    optional("utm_medium", Getter::Text(|row| row.event.utm_medium.as_deref())),
    optional("utm_campaign", Getter::Text(|row| row.event.utm_campaign.as_deref())),
    optional("utm_content", Getter::Text(|row| row.event.utm_content.as_deref())),
    optional("utm_term", Getter::Text(|row| row.event.utm_term.as_deref())),
    optional("browser", Getter::Text(|row| row.event.browser.as_deref())),
    optional("browser_version", Getter::Text(|row| row.event.browser_version.as_deref())),
    optional("os", Getter::Text(|row| row.event.os.as_deref())),
    optional("os_version", Getter::Text(|row| row.event.os_version.as_deref())),
    optional("device_type", Getter::Text(|row| row.event.device_type.as_deref())),
    optional("screen_size", Getter::Text(|row| row.event.screen_size.as_deref())),
    optional("country_code", Getter::Text(|row| row.event.country_code.as_deref())),
    optional("region", Getter::Text(|row| row.event.region.as_deref())),
    optional("city", Getter::Text(|row| row.event.city.as_deref())),
    optional("props", Getter::Text(|row| row.event.props.as_ref().map(Props::as_str))),
    optional("revenue_amount", Getter::Amount(|row| row.event.revenue_amount.map(Amount::ten_thousandths))),
    optional("revenue_currency", Getter::Text(|row| row.event.revenue_currency.as_ref().map(Currency::as_str))),
    optional("lsn", Getter::U64(|row| row.lsn)),
    optional("event_id", Getter::Text(|row| row.lsn.map(|_| row.event.event_id.as_str()))),
    optional("received_at", Getter::Timestamp(|row| row.lsn.map(|_| row.received_at.micros()))),
    optional("schema_version", Getter::U16(|_| Some(SCHEMA_VERSION))),
    optional("channel", Getter::Text(|row| row.event.channel.as_deref())),
    optional("user_hash", Getter::Text(|row| row.event.user_hash.as_deref())),
    optional("interactive", Getter::Boolean(|row| row.event.interactive)),
    optional("time_rounded", Getter::Boolean(|row| row.event.time_rounded)),
];

/// The Arrow schema of [`COLUMNS`].
pub fn schema() -> SchemaRef {
    let fields = COLUMNS.iter().map(|column| Field::new(column.name, column.data_type(), column.nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The value of a column in one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Text.
    Text(&'a str),
    /// A moment.
    Timestamp(Timestamp),
    /// Money.
    Amount(Amount),
    /// A whole number.
    Number(u64),
    /// Yes or no.
    Boolean(bool),
}

impl Column {
    /// The value in `row`; `None` if it has none.
    pub fn cell<'a>(&self, row: &'a Stored) -> Option<Cell<'a>> {
        match self.get {
            Getter::Text(get) => get(row).map(Cell::Text),
            Getter::Timestamp(get) => get(row).map(Timestamp::saturating_from_micros).map(Cell::Timestamp),
            Getter::Amount(get) => {
                get(row).and_then(|units| Amount::from_ten_thousandths(units).ok()).map(Cell::Amount)
            }
            Getter::U64(get) => get(row).map(Cell::Number),
            Getter::U16(get) => get(row).map(u64::from).map(Cell::Number),
            Getter::Boolean(get) => get(row).map(Cell::Boolean),
        }
    }

    /// The Arrow type.
    pub fn data_type(&self) -> DataType {
        match self.get {
            Getter::Text(_) => DataType::Utf8,
            Getter::Timestamp(_) => DataType::Timestamp(TimeUnit::Microsecond, None),
            Getter::Amount(_) => DataType::Decimal128(AMOUNT_PRECISION, AMOUNT_SCALE),
            Getter::U64(_) => DataType::UInt64,
            Getter::U16(_) => DataType::UInt16,
            Getter::Boolean(_) => DataType::Boolean,
        }
    }
}

const fn required(name: &'static str, get: Getter) -> Column {
    Column { name, nullable: false, get }
}

const fn optional(name: &'static str, get: Getter) -> Column {
    Column { name, nullable: true, get }
}

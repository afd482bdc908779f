//! The vocabulary of events by name or property, of realtime and of daily lines. Nothing here computes.

use std::fmt;

use super::question::{Bucket, MainReport};

const UNITS_PER_ONE: u128 = 10_000;

/// What events are grouped by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Grouping {
    /// The name of custom events.
    Name,
    /// The value of a property, of any events that have it.
    Property(Box<str>),
}

/// One value that events were grouped by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueRow {
    /// The value.
    pub value: String,
    /// Visitors with such an event, each UTC day counted apart.
    pub visitors: u64,
    /// Pageviews among these events.
    pub pageviews: u64,
    /// Custom events among them.
    pub events: u64,
    /// Their revenue, one sum for each currency, by currency.
    pub revenue: Vec<Revenue>,
}

/// A sum of money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revenue {
    /// The currency's code; `None` if the events did not say.
    pub currency: Option<String>,
    /// The sum, in ten-thousandths.
    pub ten_thousandths: i128,
}

/// The sum with its four decimals, such as `-12.5000`.
impl fmt::Display for Revenue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.ten_thousandths < 0 { "-" } else { "" };
        let units = self.ten_thousandths.unsigned_abs();
        write!(f, "{sign}{}.{:04}", units / UNITS_PER_ONE, units % UNITS_PER_ONE)
    }
}

/// What happens now.
#[derive(Clone, Debug, PartialEq)]
pub struct Realtime {
    /// The figures of the present.
    pub figures: MainReport,
    /// The minutes before.
    pub minutes: Vec<Bucket>,
}

/// One local day in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyRow {
    /// The day, `YYYY-MM-DD`.
    pub date: String,
    /// Distinct visitors of each UTC day within it, added up.
    pub visitors: u64,
    /// Pageviews.
    pub pageviews: u64,
    /// The first line of its breakdown by page; `None` for a day without events.
    pub top_page: Option<String>,
    /// The first line of its breakdown by source: `None` for direct visits, and for a day without any.
    pub top_source: Option<String>,
}

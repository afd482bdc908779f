//! Parquet files of one site and one UTC day each: how they are written, named, published and read back.
//!
//! ```text
//!  Identity (site, date, level, LSNs, rows, order)
//!    -> tmp/<name>          ArrowWriter -> Sink (length and CRC-32 in one pass)
//!    -> sync, rename, sync  events/site_id=<site>/date=<date>/<name>
//!    -> FileEntry           for the edit that will make it live
//! ```
//!
//! - Columns and their types are `mallard_event::columns`; nothing here names one but for the sort order and the filter.
//! - Zstandard level 1, row groups of at most [`Limits::row_group_rows_max`](crate::Limits), minima and maxima per row
//!   group, a bloom filter on `visitor_id`, and in the footer the store, the LSNs and the schema version. The Arrow
//!   schema is left out: it would double the size of a small file, and the Parquet schema says as much.
//! - The same rows make the same bytes, so a job that runs again after a crash writes the same file again.
//! - A published file is not live. Only the manifest makes it so.

mod ids;
mod loose;
mod properties;
mod reader;
mod sink;
mod writer;

pub use ids::{IdRow, arrivals, newest_arrival, read_ids};
pub use loose::Loose;
pub(crate) use reader::{Verified, whole};
pub use reader::{check_file, forget_cached, read_file};
pub(crate) use writer::{Draft, Identity, widest_column};

/// In which order the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// By (timestamp, LSN): what happened last lies together. Files of open days.
    Time,
    /// By (visitor, timestamp, LSN): what a visitor did lies together. Merged files of closed days.
    Visitor,
}

impl Order {
    /// The columns, the most significant first.
    pub(crate) const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Time => &["timestamp", "lsn"],
            Self::Visitor => &["visitor_id", "timestamp", "lsn"],
        }
    }
}

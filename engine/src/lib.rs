//! The storage engine as a library: open and recover, append, query, maintain, close.
//!
//! ```text
//! Engine
//!   Store   the log, the manifest and the hot tail as one thing; everything durable        store/
//!   Duck    DuckDB over explicit file lists, day by day; everything derived                query/
//! ```
//!
//! An event is accepted when its [`Receipt`] says so: it is then durable and in the answer to the next question. What
//! maintenance does in the meantime changes no answer. The whole story of one event is in `ARCHITECTURE.md`.
//!
//! The engine knows neither HTTP nor JSON nor addresses, has no async code (a [`Receipt`] merely can be awaited), and
//! shows its callers no type of DuckDB or Arrow. The outside world ([`env`]) is an argument.

// Tests inside and outside of this crate share a reference, which names the crate from outside.
#[cfg(test)]
extern crate self as mallard_engine;

mod adopt;
mod backup;
mod config;
mod control;
mod engine;
mod erasure;
mod error;
mod export;
mod flights;
mod identity;
mod layout;
mod maintenance;
mod owner;
mod private;
mod query;
mod receipt;
mod repair;
mod reports;
mod snapshot;
mod sql;
mod status;
mod store;
mod tail;
mod verify;

pub use backup::{Archive, Image, Restore, Restored, Snapshot, Snapshots, backup};
pub use config::Config;
pub use control::Control;
pub use engine::Engine;
pub use erasure::{EraseError, Erased, ErasureRequest};
pub use error::{AppendError, Error, ReceiptError};
pub use export::Export;
pub use jiff::tz::TimeZone;
pub use layout::Layout;
pub use maintenance::Maintenance;
pub use mallard_compactor::Limits;
pub use mallard_wal::OnCorruption;
pub use owner::{Owner, hand_over, obstacle};
pub use query::{
    Answer, BreakdownRow, Bucket, CacheFigures, Cancel, Cell, Cohort, DailyRow, Dimension, Direction, Figures, Filter,
    FilterError, FlowRow, Funnel, FunnelReport, FunnelStep, GoalReport, GoalRow, GoalTotals, Group, Grouping, Groups,
    Identity, Interval, Journey, Journeys, Key, MainReport, PathRow, Paths, Pick, Position, QueryConfig, QueryError,
    Question, Realtime, Revenue, Span, SqlCancel, SqlError, SqlPart, Subject, Takings, Term, ValueRow, labels,
};
pub use receipt::Receipt;
pub use repair::{Action, Repair, Repaired};
pub use reports::Reports;
pub use sql::{Missing, Sql};
pub use status::{Ingest, Progress, SYNC_BUCKETS_US, SiteSummary, Status, Totals};
pub use store::{Claim, Claimed, Step, Store, View, Waiting};
pub use verify::{Checked, Fault, Verification, verify};

/// The outside world as an argument: files, time, randomness.
pub mod env {
    pub use mallard_wal::disk::real::env as real;
    pub use mallard_wal::disk::{Clock, Disk, Entropy, Env};
}

//! The manifest: which Parquet files are live, and through which LSN the log is in them.
//!
//! ```text
//!  ManifestLog::open  newest file, verified -> Manifest (in memory) -> a new file that begins with it
//!  Manifest::apply    checks one Edit against the state, then takes it
//!  ManifestLog::commit  Edit -> one synced group of records            <- the only commit point of the store
//! ```
//!
//! - [`Edit`] is a change and its bytes, [`FileEntry`] one file, [`Manifest`] the state that edits add up to,
//!   [`ManifestLog`] the files under `manifest/`.
//! - A file that the manifest does not name does not exist for a query, whatever a folder lists. A file that it names
//!   exists, complete and synced, since before the edit that named it.
//! - In any state an LSN at or below [`Manifest::checkpoint`] is a row of exactly one live file, or was quarantined, or is
//!   a known gap, or was never an event, or has expired, or was erased. An LSN above it is in the log and in no live file.
//! - An erasure that has begun is remembered until nothing is left of what it takes: see [`Erasure`](crate::Erasure).
//!
//! Nothing here reads a Parquet file or decides what to do next.

mod check;
pub(crate) mod codec;
mod edit;
mod file;
mod log;
mod range;
mod replay;
mod state;

pub use check::ManifestError;
pub use edit::{Condition, EDIT_VERSION, Edit, EditError, Taken};
pub(crate) use edit::{take_lsn, take_text};
pub use file::FileEntry;
pub(crate) use log::numbers as manifest_numbers;
pub use log::{ManifestLog, ManifestRecovery};
pub use range::LsnRange;
pub(crate) use range::{count as range_count, push as range_push};
pub use replay::ReplayError;
pub(crate) use replay::salvage;
pub use state::{Manifest, Partition, SiteTotals, Totals};

//! Cold files: sealed log segments become Parquet files, and a manifest says which files are live.
//!
//! The words, in the order in which they happen:
//!
//! - [`plan`] looks at the [`Manifest`] and the sealed segments and names one [`Job`], or none. It is pure.
//! - [`run`] does the job: it reads its inputs, verifies them, writes and publishes new files, and returns an [`Edit`]. It
//!   may be cut off anywhere and run again.
//! - [`ManifestLog::commit`] makes the edit durable. **This is the only commit point**: before it, new files are orphans;
//!   after it, they are live, what they replace is not, and the log is in Parquet through the new checkpoint.
//! - [`unlink`] removes what the edit took out, once no query reads it. [`remove_orphans`] removes what a crash left.
//!
//! ```text
//!  sealed segments ──┐                             ┌─> events/site_id=../date=../<level>-<first>-<last>.parquet
//!                    ├─ plan ─> Job ─> run ────────┤
//!  Manifest ─────────┘                             └─> Edit ─> ManifestLog::commit ─> Arc<Manifest>
//! ```
//!
//! Invariants:
//!
//! - An LSN at or below the checkpoint is in exactly one live file, or in quarantine, or a known gap, or erased or expired;
//!   one above it is in none. Jobs count their records and fail rather than commit a wrong sum; [`Manifest::apply`] counts again.
//! - Files never change. Names follow from content, so that a rerun writes the same names.
//! - Nothing is dropped: a record without a row is kept as it is in `quarantine/`, and its LSN in the manifest.
//! - Every file is checked against the length and the checksum of the manifest before it is merged.
//!
//! This crate starts no thread, reads no clock but for the time that a manifest file carries, never touches the active
//! segment, and never makes its own output live. It knows neither queries nor HTTP.

pub mod layout;

mod adopt;
mod erasure;
mod error;
mod job;
mod limits;
mod manifest;
mod orphans;
mod parquet;
mod plan;
mod quarantine;
mod rebuild;
#[cfg(feature = "seeded-bugs")]
mod seeded;

pub use adopt::{Adoption, RefusedFile, SCHEMA_ADOPTED, adopt};
pub use erasure::{COLUMNS as ERASURE_COLUMNS, ERASURE_VERSION, Erasure, Reach};
pub use error::Error;
pub use job::{Context, Job, Memory, run};
pub use limits::Limits;
pub use manifest::{
    Condition, EDIT_VERSION, Edit, EditError, FileEntry, LsnRange, Manifest, ManifestError, ManifestLog,
    ManifestRecovery, Partition, ReplayError, SiteTotals, Taken, Totals,
};
pub use orphans::{Orphans, parquet_files as parquet_paths, remove_orphans, sync_partitions, unlink};
pub use parquet::{IdRow, Loose, Order, arrivals, check_file, forget_cached, newest_arrival, read_file, read_ids};
pub use plan::{erasure_files, plan, plan_erasure, plan_without};
pub use rebuild::{Aside, LsnSet, Rebuild, RebuildPlan, place_of};

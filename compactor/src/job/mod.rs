//! Doing what the plan says: a job turns inputs into published files and an edit that would make them live.
//!
//! ```text
//!  Compact   sealed segments           -> one file per (site, day), level 0, by time     + checkpoint
//!  Merge     files of one (site, day)  -> one file, one level higher
//!  Expire    files of days past retention                                                -> nothing
//!  Erase     files with rows that an erasure may take -> the same without them, one level higher
//! ```
//!
//! - [`run`] never commits. It may be cut off anywhere and run again: the same names are written again, and what is left
//!   behind is an orphan until then.
//! - Every record of the inputs is accounted for, or the job fails with the numbers.
//! - One job at a time: all of them work in the same `tmp/`.

mod compact;
mod erase;
mod index;
mod merge;
mod shares;
mod sorted;
mod subset;

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use mallard_event::{Date, SiteId};
use mallard_wal::disk::{Disk, Env, durable};
use mallard_wal::segment::{LoadedSegment, SealedSegment};

use crate::erasure::Erasure;
use crate::error::at;
use crate::manifest::{Edit, FileEntry, Manifest};
use crate::parquet::Order;
use crate::{Error, Limits, layout};

pub(crate) use self::subset::subset;

/// Something to do, as [`plan`](crate::plan) found it.
#[derive(Clone, Debug)]
pub enum Job {
    /// Put the records of these segments, the oldest ones, into files.
    Compact {
        /// In LSN order, from the checkpoint on.
        segments: Vec<SealedSegment>,
    },
    /// Replace some files of one site and day by one.
    Merge {
        /// The site.
        site: SiteId,
        /// The UTC day.
        date: Date,
        /// At least two live files, in the order of their first LSN.
        inputs: Vec<FileEntry>,
        /// The level of the result.
        level: u8,
        /// The order of the result.
        order: Order,
    },
    /// Drop files whose day is past retention.
    Expire {
        /// Live files.
        files: Vec<FileEntry>,
    },
    /// Take out of these files what the erasures of the [`Context`] take.
    Erase {
        /// Live files.
        files: Vec<FileEntry>,
        /// The order of the results.
        order: Order,
    },
}

/// Whoever still knows what the segments of the log hold.
pub trait Memory: Debug {
    /// The records of a sealed segment that cannot be read, in LSN order. An LSN that is missing is one of an event that an
    /// erasure takes. `None` if not all of the others are known.
    fn recall(&self, segment: &SealedSegment, error: &mallard_wal::Error) -> Option<LoadedSegment>;
}

/// What every job works with.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Disk, clock, randomness.
    pub env: &'a Env,
    /// The data directory.
    pub root: &'a Path,
    /// The store that the files say they belong to.
    pub store_id: u128,
    /// The bounds of the work.
    pub limits: &'a Limits,
    /// The erasures that are not finished, whether the manifest has them or only the log: no job writes what they take from
    /// the log, or from the files of a [`Job::Erase`].
    pub erasures: &'a [Arc<Erasure>],
    /// Asked about a segment that cannot be read.
    pub memory: Option<&'a dyn Memory>,
}

impl Context<'_> {
    pub(crate) fn disk(&self) -> &dyn Disk {
        self.env.disk.as_ref()
    }
}

/// Does a job of `manifest`'s plan and returns the edit that commits it; nothing is live before that is committed.
pub fn run(context: &Context<'_>, manifest: &Manifest, job: &Job) -> Result<Edit, Error> {
    let tmp = context.root.join(layout::TMP);
    durable::create_dirs(context.disk(), context.root, layout::TMP.as_ref()).map_err(at("create", &tmp))?;
    match job {
        Job::Compact { segments } => compact::compact(context, manifest, segments),
        Job::Merge { site, date, inputs, level, order } => {
            merge::Merge { site, date: *date, inputs, level: *level, order: *order }.run(context, manifest)
        }
        Job::Expire { files } => Ok(expire(files)),
        Job::Erase { files, order } => erase::erase(context, manifest, files, *order),
    }
}

fn expire(files: &[FileEntry]) -> Edit {
    Edit {
        remove: files.iter().map(|entry| entry.path.to_string()).collect(),
        expired_rows: files.iter().map(|entry| entry.rows).sum(),
        ..Edit::default()
    }
}

/// A job's file may not replace a live one; names are made so that it cannot happen.
fn check_not_live(manifest: &Manifest, path: String) -> Result<(), Error> {
    if manifest.contains(&path) { Err(Error::Live { path }) } else { Ok(()) }
}

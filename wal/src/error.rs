//! What can go wrong, as situations a caller treats differently.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::Lsn;
use crate::segment::{Corruption, HeaderError};

/// An operation of the log failed.
#[derive(Debug, Error)]
pub enum Error {
    /// The operating system refused; nothing acknowledged is lost by it.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Another process works on this folder.
    #[error("{} is locked by another process: stop it first", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A segment is damaged, and the caller asked not to repair it (or does not repair: a load).
    #[error("segment {} is damaged at byte {at} ({reason}): start with MALLARD_ON_CORRUPTION=salvage, or run `mallard-metrics repair`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damage starts.
        at: u64,
        /// How it was seen.
        reason: Corruption,
    },
    /// Records are missing, and the caller asked not to go on without them.
    #[error("the log lacks LSNs {first} to {last}, which should precede {}: bring the segment back, start with MALLARD_ON_CORRUPTION=salvage, or run `mallard-metrics repair`", path.display())]
    Missing {
        /// The segment after the hole.
        path: PathBuf,
        /// First missing LSN.
        first: Lsn,
        /// Last missing LSN.
        last: Lsn,
    },
    /// The end of the log is missing, or all of it, and the caller asked not to go on without it.
    #[error("the log in {} has lost everything from LSN {first} on: bring its segments back, start with MALLARD_ON_CORRUPTION=salvage, run `mallard-metrics repair`, or `restore` a backup", dir.display())]
    EndMissing {
        /// The folder of the log.
        dir: PathBuf,
        /// The first LSN that is missing.
        first: Lsn,
    },
    /// A file that this program must not touch: another store's, a newer format's.
    #[error("{} is refused: {source}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        source: HeaderError,
    },
    /// A file whose name and header disagree, or whose name is not a segment's: someone renamed or put it there.
    #[error("{} does not carry the name of its first LSN: move it out of the log's folder, or run `mallard-metrics repair`", path.display())]
    Misnamed {
        /// The file.
        path: PathBuf,
    },
    /// Two segments hold the same LSN.
    #[error("{} starts at LSN {first}, which an earlier segment already holds: move one of the two away, or run `mallard-metrics repair`", path.display())]
    Overlap {
        /// The later file.
        path: PathBuf,
        /// Its first LSN.
        first: Lsn,
    },
    /// A write or sync failed before; the process must be restarted.
    #[error("the log is poisoned ({cause}): restart to recover")]
    Poisoned {
        /// The first failure.
        cause: String,
    },
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}

impl Error {
    /// For `map_err`: an I/O error with what was tried on what.
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { operation, path: path.to_owned(), source }
    }
}

//! What can go wrong in the engine, by what the caller does about it.

use std::io;
use std::path::{Path, PathBuf};

use mallard_wal::disk;

/// Opening, maintaining or closing a store failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process (or another open store of this one) holds the data directory: wait for it to end.
    #[error("{} is in use by another process; stop it first", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A file says something this program must not act on; it was left as it is.
    #[error("{}: {reason}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What it says and what to do.
        reason: String,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// The log refused, is damaged, or is poisoned.
    #[error(transparent)]
    Wal(#[from] mallard_wal::Error),
    /// A compaction or the manifest failed.
    #[error(transparent)]
    Compactor(#[from] mallard_compactor::Error),
    /// Stored rows are not what the schema says: a fault of this program.
    #[error("stored rows cannot be read: {0}")]
    Rows(String),
    /// A fault of this program ended a piece of maintenance; nothing of it was committed.
    #[error("a fault of this program: {0}")]
    Panicked(String),
    /// Somebody still reads what has to go, or takes a snapshot of it: it is tried again.
    #[error("files that have to go are still being read or copied")]
    Busy,
    /// An earlier write or sync failed, so nothing more may be promised: restart the process.
    #[error("the store is poisoned: {0}; restart the server")]
    Poisoned(String),
}

impl Error {
    /// Whether a Parquet file cannot be read as what was published. It is left out when the work is tried again.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::Compactor(error) if error.damaged_file().is_some())
    }

    /// Whether a write or a sync has failed, after which only a restart helps: and a restart does.
    pub fn is_poisoned(&self) -> bool {
        matches!(
            self,
            Self::Poisoned(_)
                | Self::Wal(mallard_wal::Error::Poisoned { .. })
                | Self::Compactor(mallard_compactor::Error::Poisoned)
        )
    }

    /// Whether the device could not read it.
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()))
    }

    /// Whether the volume was full, or a quota was used up.
    pub fn is_lack_of_space(&self) -> bool {
        self.io().is_some_and(disk::is_lack_of_space)
    }

    /// Whether the operating system refused before anything could reach a device, so that it may be tried again.
    pub(crate) fn is_refusal(&self) -> bool {
        self.io().is_some_and(disk::is_refusal)
    }

    /// The operating system's answer, if that is what it is about.
    fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Io { source, .. }
            | Self::Compactor(mallard_compactor::Error::Io { source, .. })
            | Self::Wal(mallard_wal::Error::Io { source, .. }) => Some(source),
            _ => None,
        }
    }
}

/// An event was not accepted. Nothing of it was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The queue, or the backlog that waits for compaction, is full: try again in a moment.
    #[error("the log is busy; try again in a moment")]
    Busy,
    /// Less space is free than is kept back for maintenance: make room, or wait for retention.
    #[error("the disk is full up to its reserve")]
    DiskReserve,
    /// An earlier write or sync failed: the process must be restarted.
    #[error("the log is poisoned; the server must be restarted")]
    Poisoned,
    /// The store is closing.
    #[error("the server is stopping")]
    Closed,
    /// The site has no event, and there are as many sites as there may be.
    #[error("there are as many sites as there may be")]
    TooManySites,
    /// The event, or the batch, does not fit into one record or frame.
    #[error("the event is too large for the log")]
    TooLarge,
}

/// An event was handed to the log and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The log failed before saying that the event is durable: it may be stored or not.
    #[error("outcome unknown; retry with the same id")]
    OutcomeUnknown,
    /// There is no room for another log segment. The event is not stored; the log goes on when there is room.
    #[error("not stored: {0}")]
    NoSpace(String),
    /// No log segment could be made, for another reason. The event is not stored; the log goes on when one can be.
    #[error("not stored: {0}")]
    NotWritten(String),
}

/// Adds the path to an I/O error.
pub(crate) trait IoContext<T> {
    fn at(self, path: &Path) -> Result<T, Error>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io { path: path.to_owned(), source })
    }
}

//! How the process ends: the exit codes of CONTRACT §3.1 and which failure is which.

use std::io;
use std::process::ExitCode;

use mallard_engine::Error;

use crate::config::ConfigError;

/// The exit codes, for `--help`.
pub(crate) const CODES_HELP: &str = "Exit codes:
  0    clean
  1    healthcheck: not ready; sql: the statement failed, or met a limit
  64   configuration or command line
  69   cannot listen
  70   internal
  71   a write or sync failed while the server ran, or no space is left: a start recovers what was acknowledged
  73   the data directory cannot be created or written
  74   corruption, or a read or write failed at a start: a restart finds the same
  75   another process has the data directory
  130  sql: ended by Ctrl-C";

/// The program could not start, or did not stop as it should.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line or the configuration is wrong.
    #[error("Configuration error: {0}")]
    Configuration(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another MALLARD_HOST or MALLARD_PORT")]
    Bind {
        /// What was asked for.
        address: String,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A fault of this program or its surroundings.
    #[error("{0}")]
    Internal(String),
    /// The data directory cannot be created or written.
    #[error("cannot use the data directory: {0}")]
    DataDirectory(Error),
    /// The store is damaged, or a read or write failed. A restart finds the same.
    #[error("{0}")]
    Store(Error),
    /// A write or sync failed while the server ran. A restart recovers everything that was acknowledged.
    #[error("{0}")]
    Poisoned(Error),
    /// There is no room on the volume of the data directory. A start finds everything once there is some.
    #[error("no space is left on the volume of the data directory: {0}; make room")]
    NoSpace(Error),
    /// A document under `control/` cannot be read, or not be written.
    #[error("{0}")]
    Documents(String),
    /// Another process has the data directory.
    #[error("{0}")]
    Locked(Error),
    /// `verify` found damage, or a loss. The details are on standard output.
    #[error(
        "not sound: {faults} faults, {lost} events lost, {repaired} notes of damage and repairs that nobody has acknowledged"
    )]
    Unsound {
        /// Number of faults.
        faults: usize,
        /// Number of lost LSNs.
        lost: u64,
        /// Number of unacknowledged notes of damage and repairs.
        repaired: usize,
    },
    /// A statement of `sql` has no answer, or no whole one: its fault, or a limit that was met.
    #[error("{0}")]
    Query(String),
    /// `sql` would have to answer without data that is lost or damaged.
    #[error("{0}; --accept-damage answers from what is there")]
    Incomplete(String),
    /// Somebody ended what was asked for.
    #[error("cancelled")]
    Cancelled,
    /// `repair --dry-run` found something to repair. The details are on standard output.
    #[error("not repaired: this was a dry run")]
    Unrepaired,
    /// The server asked for by `healthcheck` is not ready. Already said.
    #[error("not ready: {0}")]
    Unhealthy(String),
}

impl Failure {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Unhealthy(_) | Self::Query(_) => 1,
            Self::Configuration(_) => 64,
            Self::Bind { .. } => 69,
            Self::Internal(_) => 70,
            Self::Poisoned(_) | Self::NoSpace(_) => 71,
            Self::DataDirectory(_) => 73,
            Self::Store(_) | Self::Documents(_) | Self::Unsound { .. } | Self::Unrepaired | Self::Incomplete(_) => 74,
            Self::Locked(_) => 75,
            // The shells' convention of 128 + signal number.
            Self::Cancelled => 130,
        }
    }
}

impl Failure {
    /// Whether the next start would fail in the same way, until somebody has repaired the store.
    pub(crate) const fn needs_a_repair(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Documents(_))
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        failure.code().into()
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Configuration(error.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            _ if error.is_poisoned() => Self::Poisoned(error),
            _ if error.is_lack_of_space() => Self::NoSpace(error),
            Error::Locked { .. } => Self::Locked(error),
            Error::Rows(_) | Error::Busy | Error::Panicked(_) => Self::Internal(error.to_string()),
            Error::Io { ref source, .. } if is_about_access(source) => Self::DataDirectory(error),
            Error::Refused { .. } | Error::Io { .. } | Error::Wal(_) | Error::Compactor(_) | Error::Poisoned(_) => {
                Self::Store(error)
            }
        }
    }
}

/// Whether the operator has to change a path or its permissions, as opposed to a disk that fails.
fn is_about_access(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), AlreadyExists | NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_situation_has_the_exit_code_of_the_contract() {
        let io = |kind: io::ErrorKind| Error::Io { path: "data".into(), source: kind.into() };
        let code = |error: Error| Failure::from(error).code();
        assert_eq!(code(Error::Locked { path: "data/LOCK".into() }), 75);
        assert_eq!(code(io(io::ErrorKind::PermissionDenied)), 73);
        assert_eq!(code(io(io::ErrorKind::Other)), 74);
        assert_eq!((code(io(io::ErrorKind::StorageFull)), code(io(io::ErrorKind::QuotaExceeded))), (71, 71));
        assert_eq!(code(Error::Poisoned("fdatasync".into())), 71);
        assert_eq!(code(Error::Rows("a column is missing".into())), 70);
        assert_eq!(Failure::Configuration("x".into()).to_string(), "Configuration error: x");
    }
}

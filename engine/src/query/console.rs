//! [`Console`]: a user's SQL over given files, in a DuckDB of its own.
//!
//! ```text
//! given          the view `events`; now() and today() as moments of UTC, for DuckDB's own need an extension
//! allowed        one statement that DuckDB's own parser takes for a SELECT (with WITH, FROM, VALUES, DESCRIBE, SHOW,
//!                SUMMARIZE), or EXPLAIN [ANALYZE] of one; the view `events`
//! not allowed    every file but the given ones, folders, network, extensions, ATTACH, COPY, SET, PRAGMA, writes of any kind
//! bounded        time, memory, threads, spilled bytes, rows, the length of the statement
//! ```
//! The statement is text of a user; nothing else of the instance is theirs. What is refused is refused twice: by the parser's
//! verdict, and by an instance that has no access to anything, in a transaction that cannot write.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use duckdb::Connection;
use rustix::io::fcntl_dupfd_cloexec;

use super::cell::{Cell, cell};
use super::config::QueryConfig;
use super::deadline::{Deadline, Watchdog};
use super::pool::settings;
use super::question::QueryError;
use super::sql;
use crate::error::Error;

/// Numbers for what DuckDB opens meanwhile.
const NUMBERS_LEFT_FREE: RawFd = 64;
/// Numbers below this one are taken, or were.
static TAKEN: Mutex<RawFd> = Mutex::new(0);
/// The longest statement.
const STATEMENT_BYTES_MAX: usize = 1 << 20;

/// Ends a question in SQL from another thread: somebody pressed Ctrl-C.
#[derive(Clone, Debug)]
pub struct SqlCancel {
    watchdog: Arc<Watchdog>,
    is_cancelled: Arc<AtomicBool>,
}

impl SqlCancel {
    /// Something that can be ended.
    pub fn new() -> io::Result<Self> {
        Ok(Self { watchdog: Arc::new(Watchdog::start()?), is_cancelled: Arc::default() })
    }

    /// Ends it, now or when it begins.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::SeqCst);
        self.watchdog.end_all();
    }

    /// Whether it has to end.
    pub(crate) fn check(&self, deadline: &Deadline) -> Result<(), SqlError> {
        match deadline.check() {
            _ if self.is_cancelled.load(Ordering::SeqCst) => Err(SqlError::Cancelled),
            Err(_) => Err(SqlError::TimedOut),
            Ok(()) => Ok(()),
        }
    }
}

/// A part of an answer.
#[derive(Debug)]
pub enum SqlPart<'a> {
    /// The names of its columns, before all rows.
    Columns(&'a [String]),
    /// A row: a value for every column.
    Row(&'a [Cell]),
}

/// Why a statement has no answer, or no whole one.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// It is not one statement that reads.
    #[error("{0}")]
    Refused(String),
    /// DuckDB's own words: what it does not understand, may not do, or has no memory for.
    #[error("{0}")]
    Statement(String),
    /// It took longer than it may.
    #[error("the query took too long and was stopped; raise the time limit, or ask for less")]
    TimedOut,
    /// Somebody ended it.
    #[error("cancelled")]
    Cancelled,
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] Error),
}

/// A locked-down DuckDB with the view `events`.
#[derive(Debug)]
pub(crate) struct Console {
    connection: Connection,
    /// What the view reads, for as long as it can be asked.
    files: Vec<OwnedFd>,
    deadline: Deadline,
    cancel: SqlCancel,
}

impl Console {
    /// An instance with the view `events` over exactly `files`, which may read nothing else.
    pub(crate) fn open(
        config: &QueryConfig,
        spill_dir: &Path,
        files: Vec<File>,
        has_adopted: bool,
        deadline: Deadline,
        cancel: &SqlCancel,
    ) -> Result<Self, SqlError> {
        let connection = settings(config, spill_dir)
            .and_then(Connection::open_in_memory_with_flags)
            .map_err(|error| failed(&error))?;
        let mut console = Self { connection, files: Vec::new(), deadline, cancel: cancel.clone() };
        console.confine(files, has_adopted)?;
        Ok(console)
    }

    /// NOTE: DuckDB follows a link before it asks whether a path is allowed. That of an open file leads to the file's name
    /// while it has one, and nowhere afterwards. So each file is allowed by both: by its name, and by a number that no open
    /// file has yet, which it then gets.
    fn confine(&mut self, files: Vec<File>, has_adopted: bool) -> Result<(), SqlError> {
        let numbers = numbers_for(&files);
        let links: Vec<PathBuf> = numbers.iter().copied().map(link).collect();
        let names = files.iter().map(|file| link(file.as_raw_fd())).chain(links.iter().cloned());
        let names = names.map(|name| sql::path(&name)).collect::<Result<Vec<_>, _>>().map_err(ours)?.join(", ");
        let rows = sql::rows_of(&links, has_adopted).map_err(ours)?;
        let now = sql::moment(self.deadline.now_us());
        let allow = format!("SET allowed_paths = [{names}]; SET enable_external_access = false");
        self.watched(|| self.connection.execute_batch(&allow))?;
        self.files = move_to(files, numbers)?;
        // IMPORTANT: access is cut down before a file is read, and the lock comes last.
        let define = format!(
            "CREATE VIEW events AS {rows}; \
             CREATE MACRO now() AS {now}; CREATE MACRO today() AS CAST({now} AS DATE); SET lock_configuration = true"
        );
        self.watched(|| self.connection.execute_batch(&define))
    }

    /// See [`crate::Sql::ask`].
    pub(crate) fn ask(
        &self,
        statement: &str,
        rows_max: u64,
        take: &mut dyn FnMut(SqlPart<'_>) -> bool,
    ) -> Result<bool, SqlError> {
        self.check(statement)?;
        let _watched = self.watch();
        self.run("BEGIN TRANSACTION READ ONLY")?;
        let answered = self.answer(statement, rows_max, take);
        // A transaction that has failed takes no more statements, and this one has changed nothing.
        self.connection.execute_batch("ROLLBACK").ok();
        answered
    }

    fn run(&self, statement: &str) -> Result<(), SqlError> {
        self.connection.execute_batch(statement).map_err(|error| self.failure(&error))
    }

    fn answer(
        &self,
        statement: &str,
        rows_max: u64,
        take: &mut dyn FnMut(SqlPart<'_>) -> bool,
    ) -> Result<bool, SqlError> {
        let mut prepared = self.connection.prepare(statement).map_err(|error| self.failure(&error))?;
        let batches = prepared.stream_arrow([]).map_err(|error| self.failure(&error))?;
        let schema = batches.get_schema();
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let mut is_wanted = take(SqlPart::Columns(&names));
        let mut rows = 0;
        let mut cells = Vec::with_capacity(names.len());
        for batch in batches {
            let batch = batch.map_err(|error| self.failure(&error))?;
            self.cancel.check(&self.deadline)?;
            for row in 0..batch.num_rows() {
                if !is_wanted || rows == rows_max {
                    return Ok(!is_wanted);
                }
                cells.clear();
                cells.extend(batch.columns().iter().map(|column| cell(column.as_ref(), row)));
                is_wanted = take(SqlPart::Row(&cells));
                rows += 1;
            }
        }
        Ok(true)
    }

    /// Refuses everything but one statement that reads.
    ///
    /// IMPORTANT: before it is prepared, which runs all statements of a text but the last.
    fn check(&self, statement: &str) -> Result<(), SqlError> {
        if statement.len() > STATEMENT_BYTES_MAX {
            return Err(SqlError::Refused(format!("a statement may have at most {STATEMENT_BYTES_MAX} bytes")));
        }
        let (error, message, statements) = self.parsed(sql::without_explain(statement))?;
        match (error.as_deref(), statements) {
            (None, 1) => Ok(()),
            (None, 0) => Err(SqlError::Refused("there is no statement".into())),
            (None, _) => Err(SqlError::Refused("only one statement is taken at a time".into())),
            // What DuckDB cannot parse is not run, and what it says when it is asked to shows the place.
            (Some("parser"), _) => match self.connection.prepare(statement) {
                Err(error) => Err(self.failure(&error)),
                Ok(_) => Err(SqlError::Refused(message)),
            },
            (Some(_), _) => Err(SqlError::Refused(
                "only statements that read are taken: SELECT, WITH, FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN"
                    .into(),
            )),
        }
    }

    /// What DuckDB's parser makes of a text: the kind of its error if it has one, its message, and how many SELECTs there are.
    fn parsed(&self, text: &str) -> Result<(Option<String>, String, i64), SqlError> {
        let asked = self.connection.query_row(sql::PARSE, [text], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        asked.map_err(|error| self.failure(&error))
    }

    fn watch(&self) -> super::deadline::Watched<'_> {
        let interrupt = self.connection.interrupt_handle();
        self.cancel.watchdog.watch(&self.deadline, move || interrupt.interrupt())
    }

    fn watched<T>(&self, work: impl FnOnce() -> Result<T, duckdb::Error>) -> Result<T, SqlError> {
        let _watched = self.watch();
        self.cancel.check(&self.deadline)?;
        work().map_err(|error| self.failure(&error))
    }

    /// What went wrong; an interrupt has one of two reasons.
    fn failure(&self, error: &duckdb::Error) -> SqlError {
        match failed(error) {
            SqlError::Statement(text) if text.starts_with("INTERRUPT Error") => {
                self.cancel.check(&self.deadline).err().unwrap_or(SqlError::Cancelled)
            }
            other => other,
        }
    }
}

/// The name of an open file of this process.
fn link(number: RawFd) -> PathBuf {
    format!("/proc/self/fd/{number}").into()
}

/// Numbers for the same files that no open file has (this process may have inherited some), nor another console.
fn numbers_for(files: &[File]) -> Vec<RawFd> {
    let highest = files.iter().map(File::as_raw_fd).max().unwrap_or(0);
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let is_free = |number: &RawFd| link(*number).symlink_metadata().is_err();
    let numbers: Vec<RawFd> = (taken.max(highest + NUMBERS_LEFT_FREE)..).filter(is_free).take(files.len()).collect();
    *taken = numbers.last().map_or(*taken, |last| last + 1);
    numbers
}

/// Gives each file its number.
fn move_to(files: Vec<File>, numbers: Vec<RawFd>) -> Result<Vec<OwnedFd>, SqlError> {
    let moved = files.into_iter().zip(numbers).map(|(file, number)| {
        let moved = fcntl_dupfd_cloexec(&file, number).map_err(io::Error::from)?;
        if moved.as_raw_fd() == number { Ok(moved) } else { Err(io::ErrorKind::ResourceBusy.into()) }
    });
    moved.collect::<io::Result<_>>().map_err(|source| Error::Io { path: link(0), source }.into())
}

fn failed(error: &duckdb::Error) -> SqlError {
    SqlError::Statement(error.to_string().trim_end().to_owned())
}

fn ours(error: QueryError) -> SqlError {
    SqlError::Statement(error.to_string())
}

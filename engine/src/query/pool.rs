//! DuckDB: one instance in memory, a few connections, a limit on everything.
//!
//! The instance holds no data. It reads Parquet files that it is given by name, inside the data directory and nowhere
//! else, with bounded memory and a bounded spill folder; it loads no extension. It is opened by the first query that has
//! a file to read: an empty store, or one whose rows are all in the hot tail, never pays for it.
//!
//! ```text
//! query ── lease ──> a free connection, or wait for one until the deadline ── statement ──> rows
//!                    the watchdog interrupts the statement at the deadline, or when the engine closes
//! ```
//! A fatal fault invalidates a whole DuckDB instance. Whoever meets one gets the error; the next query gets a new instance.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use arrow::record_batch::RecordBatch;
use duckdb::Connection;

use super::config::QueryConfig;
use super::deadline::{Deadline, Watchdog, Watched};
use super::question::QueryError;
use super::sql;

/// The connections to the DuckDB instance of a data directory.
#[derive(Debug)]
pub(super) struct Pool {
    data_dir: PathBuf,
    config: QueryConfig,
    state: Mutex<State>,
    returned: Condvar,
    watchdog: Watchdog,
    is_stopping: AtomicBool,
    /// Whether the last attempt to open DuckDB failed.
    is_failing: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// Keeps the instance open and makes connections; never runs a query itself.
    instance: Option<Connection>,
    /// How many instances have been given up. A connection of an earlier one is not taken back.
    generation: u64,
    idle: Vec<Connection>,
    leased: usize,
}

impl Pool {
    /// Prepares an instance that reads below `data_dir`; opens nothing.
    pub(super) fn new(data_dir: &Path, config: &QueryConfig) -> io::Result<Self> {
        sql::path(data_dir).map_err(io::Error::other)?;
        Ok(Self {
            data_dir: std::path::absolute(data_dir)?,
            config: config.clone(),
            state: Mutex::default(),
            returned: Condvar::new(),
            watchdog: Watchdog::start()?,
            is_stopping: AtomicBool::new(false),
            is_failing: AtomicBool::new(false),
        })
    }

    /// Interrupts what runs and refuses what comes: the engine is closing.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        self.watchdog.end_all();
        self.returned.notify_all();
    }

    /// Whether DuckDB could not be opened when it was needed last. Waits for nothing.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::SeqCst)
    }

    #[cfg(test)]
    pub(super) fn pretend_to_fail(&self) {
        self.is_failing.store(true, Ordering::SeqCst);
    }

    /// A connection, for as long as the lease lives or until `deadline`.
    pub(super) fn lease(&self, deadline: &Deadline) -> Result<Lease<'_>, QueryError> {
        let mut state = self.lock();
        while state.leased >= self.config.concurrent_max {
            self.check(deadline)?;
            state = self.returned.wait_timeout(state, deadline.patience()).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.connected(state, deadline, 1)
    }

    /// A connection beside those that queries wait for: maintenance waits for no query. There is one at a time.
    pub(super) fn lease_aside(&self, deadline: &Deadline) -> Result<Lease<'_>, QueryError> {
        self.connected(self.lock(), deadline, 0)
    }

    fn connected<'a>(
        &'a self,
        mut state: MutexGuard<'_, State>,
        deadline: &Deadline,
        turns: usize,
    ) -> Result<Lease<'a>, QueryError> {
        self.check(deadline)?;
        let connection = match state.idle.pop() {
            Some(connection) => connection,
            None => {
                let connected = state.connect(|| self.open());
                self.is_failing.store(connected.is_err(), Ordering::SeqCst);
                connected?
            }
        };
        let interrupt = connection.interrupt_handle();
        let watched = self.watchdog.watch(deadline, move || interrupt.interrupt());
        state.leased += turns;
        let (deadline, generation) = (deadline.clone(), state.generation);
        Ok(Lease { pool: self, connection: Some(connection), watched: Some(watched), deadline, generation, turns })
    }

    fn check(&self, deadline: &Deadline) -> Result<(), QueryError> {
        if self.is_stopping() { Err(QueryError::NotReady) } else { deadline.check() }
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    fn open(&self) -> Result<Connection, QueryError> {
        let folder = sql::path(&self.data_dir)?;
        let connection = settings(&self.config, &self.data_dir.join("tmp").join("duckdb"))
            .and_then(Connection::open_in_memory_with_flags)
            .map_err(QueryError::internal)?;
        // IMPORTANT: what may be read is settled before access is cut down to it, and the lock comes last.
        let confine = format!(
            "SET allowed_directories = [{folder}]; SET enable_external_access = false; SET lock_configuration = true;"
        );
        connection.execute_batch(&confine).map_err(QueryError::internal)?;
        Ok(connection)
    }

    /// A panic while the state was locked can only have happened before it was changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What every instance is bounded by. What does not fit into its memory is spilled to `spill_dir`, which it makes and removes.
pub(super) fn settings(config: &QueryConfig, spill_dir: &Path) -> Result<duckdb::Config, duckdb::Error> {
    duckdb::Config::default()
        .with("memory_limit", format!("{}MB", config.memory_mb))?
        .with("threads", config.threads.to_string())?
        .with("temp_directory", spill_dir.to_string_lossy())?
        .with("max_temp_directory_size", format!("{}B", config.temp_bytes_max))?
        .with("preserve_insertion_order", "false")?
        .with("autoinstall_known_extensions", "false")?
        .with("autoload_known_extensions", "false")?
        // The operating system caches files already.
        .with("enable_external_file_cache", "false")
}

impl State {
    fn connect(&mut self, open: impl FnOnce() -> Result<Connection, QueryError>) -> Result<Connection, QueryError> {
        if self.instance.is_none() {
            self.instance = Some(open()?);
        }
        let instance = self.instance.as_ref().ok_or(QueryError::NotReady)?;
        instance.try_clone().map_err(QueryError::internal)
    }

    fn give_up_instance(&mut self, generation: u64) {
        if self.generation == generation {
            self.idle.clear();
            self.instance = None;
            self.generation += 1;
        }
    }
}

/// A connection in use by one query.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    /// Both are taken by drop.
    connection: Option<Connection>,
    watched: Option<Watched<'a>>,
    deadline: Deadline,
    generation: u64,
    /// How many of the turns of queries it takes: one or none.
    turns: usize,
}

impl Lease<'_> {
    /// Runs a query and hands every batch of its rows to `take`, as DuckDB produces them.
    pub(super) fn query(
        &self,
        sql: &str,
        mut take: impl FnMut(&RecordBatch) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let connection = self.connection.as_ref().ok_or(QueryError::NotReady)?;
        let mut statement = connection.prepare(sql).map_err(|error| self.failure(&error))?;
        for batch in statement.stream_arrow([]).map_err(|error| self.failure(&error))? {
            take(&batch.map_err(|error| self.failure(&error))?)?;
        }
        Ok(())
    }

    /// Runs statements that answer nothing.
    pub(super) fn execute(&self, sql: &str) -> Result<(), QueryError> {
        let connection = self.connection.as_ref().ok_or(QueryError::NotReady)?;
        connection.execute_batch(sql).map_err(|error| self.failure(&error))
    }

    /// Lets the next query open a new instance; this connection is not returned.
    pub(super) fn give_up_instance(&self) {
        self.pool.lock().give_up_instance(self.generation);
    }

    /// What went wrong. DuckDB tells its errors apart by the first words of their text only.
    fn failure(&self, error: &duckdb::Error) -> QueryError {
        let text = error.to_string();
        if text.starts_with("FATAL Error") || text.starts_with("INTERNAL Error") {
            self.give_up_instance();
        }
        match () {
            () if text.starts_with("INTERRUPT Error") && self.pool.is_stopping() => QueryError::NotReady,
            () if text.starts_with("INTERRUPT Error") => self.deadline.check().err().unwrap_or(QueryError::TimedOut),
            () if text.starts_with("Out of Memory Error") => QueryError::OutOfMemory,
            () => QueryError::Internal(text),
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // IMPORTANT: the watch ends before the connection is returned, or its interrupt could meet the next query.
        self.watched = None;
        let mut state = self.pool.lock();
        state.leased -= self.turns;
        if state.generation == self.generation {
            state.idle.extend(self.connection.take());
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}

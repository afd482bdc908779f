//! [`Sql`]: a question in SQL to a store, beside its server or without one.
//!
//! ```text
//! moment.rs            manifest + log -> the files of one moment, held open; the events above them, in memory
//! query/console.rs     a DuckDB of its own over these, locked down: one statement that reads
//! ```
//! Nothing is asked of the server and nothing of the store is changed: no lock, no file, no second name, but a folder under
//! `tmp/` for what does not fit into memory. What is held is held by this process, and is gone with it. Why so: `docs/decisions/0011-sql.md`.

mod moment;
mod spill;

use std::path::Path;

use mallard_event::SiteId;
use mallard_wal::disk::Env;

use crate::layout::Layout;
use crate::query::{Console, Deadline, QueryConfig, SqlCancel, SqlError, SqlPart};
use moment::Moment;
use spill::Spill;
pub(crate) use spill::is_spilling;

/// Something that is lost or damaged, and so in no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What it is, in words.
    pub what: String,
    /// Whether an operator has taken note of it.
    pub is_acknowledged: bool,
}

/// The view `events` over one moment of a store.
#[derive(Debug)]
pub struct Sql {
    console: Console,
    moment: Moment,
    /// NOTE: after the console, which removes what it has spilled.
    _spill: Spill,
}

impl Sql {
    /// Finds a moment of the store in `data_dir`: every event that was acknowledged before the call is in it. With `site`,
    /// the view has the events of that site alone, and no other file is read. The time of `config` begins now.
    ///
    /// # Errors
    /// [`SqlError::Store`] if there is no store or it cannot be read; [`SqlError::TimedOut`], [`SqlError::Cancelled`].
    pub fn open(
        data_dir: &Path,
        env: &Env,
        config: &QueryConfig,
        site: Option<&SiteId>,
        cancel: &SqlCancel,
    ) -> Result<Self, SqlError> {
        let deadline = Deadline::after(&env.clock, config.timeout_us);
        let layout = Layout::new(data_dir);
        let mut moment = Moment::find(env, &layout, site, &|| cancel.check(&deadline))?;
        let spill = Spill::new(env, &layout);
        let files = moment.take_files();
        let console = Console::open(config, spill.folder(), files, moment.has_adopted, deadline, cancel)?;
        Ok(Self { console, moment, _spill: spill })
    }

    /// What no answer has.
    pub fn missing(&self) -> &[Missing] {
        &self.moment.missing
    }

    /// The newest LSN of the moment.
    pub fn as_of(&self) -> u64 {
        self.moment.as_of.get()
    }

    /// Runs one statement that reads and hands its columns and then its rows, at most `rows_max`, to `take`, until that
    /// answers `false`. Returns whether there were no more rows.
    ///
    /// # Errors
    /// [`SqlError::Statement`] with DuckDB's text, or a limit that was met.
    pub fn ask(
        &self,
        statement: &str,
        rows_max: u64,
        take: &mut dyn FnMut(SqlPart<'_>) -> bool,
    ) -> Result<bool, SqlError> {
        self.console.ask(statement, rows_max, take)
    }
}

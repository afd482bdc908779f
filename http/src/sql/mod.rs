//! `mallard-metrics sql`: one question in SQL about the view `events`, beside a running server or without one.
//!
//! ```text
//! shape.rs    an answer as a table, CSV, JSON or NDJSON; each row is written as it comes
//! ```
//! What may be asked, and what is read, is `mallard_engine::Sql`'s. Answers go to standard output and everything else to
//! standard error, so that an answer can be piped.

mod shape;

use std::io::{self, BufWriter, ErrorKind, Read as _, Write};
use std::thread;

use clap::Args;
use mallard_engine::{Missing, QueryConfig, Sql, SqlCancel, SqlError, SqlPart, env};
use mallard_event::SiteId;

use crate::backup::command::Store;
use crate::config::Environment;
use crate::exit::Failure;
use crate::serve::query_memory_mb;
use crate::server::stop::{Signals, Stop};
use shape::{Format, Shape};

/// Signals interrupt a blocking wait of their thread; it calls two functions.
const STACK_BYTES: usize = 256 << 10;
/// The longest statement that is read from standard input; a longer one is refused by whoever parses it.
const STATEMENT_BYTES_MAX: u64 = (1 << 20) + 1;

const EXAMPLES: &str = "\
Examples:
  mallard-metrics sql \"describe events\"
  mallard-metrics sql \"select site_id, count(*) from events group by all order by 2 desc\"
  mallard-metrics sql --format csv --max-rows 1000000 \"from events where timestamp >= today() - 7\" > week.csv
  mallard-metrics sql --site example.com --format ndjson - < question.sql

The view events has the columns of the Parquet files; times are UTC, and so are now() and today(). Memory, threads and spilled \
bytes are limited as the server's are (MALLARD_QUERY_MEMORY_MB).

Exit codes: 1 the statement failed or a limit was met; 74 data is lost or damaged; 130 ended by Ctrl-C.";

/// The question, and how to answer it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// One statement that reads: SELECT, WITH, FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN; - reads it from standard
    /// input.
    #[arg(value_name = "SQL")]
    statement: String,
    /// How the answer is written; csv and ndjson can be read while they are made.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Rows that are answered at most, 1 to 10000000; whether there were more is said on standard error.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    max_rows: u64,
    /// Seconds after which the question is given up, 1 to 86400 [default: MALLARD_QUERY_TIMEOUT_SECS].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    time_limit: Option<u32>,
    /// Only the events of this site: no file of another one is read.
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
    /// Answer from what is there although some of the store is lost or damaged.
    #[arg(long)]
    accept_damage: bool,
    #[command(flatten)]
    store: Store,
}

/// Asks and prints the answer.
pub(crate) fn run(options: &Options, environment: &Environment) -> Result<(), Failure> {
    let site = options.site.as_deref().map(SiteId::parse).transpose();
    let site = site.map_err(|error| Failure::Configuration(format!("--site: {error}")))?;
    let config = options.store.config(environment)?;
    let limits = QueryConfig {
        memory_mb: query_memory_mb(&config),
        timeout_us: i64::from(options.time_limit.unwrap_or(config.query_timeout_secs)) * 1_000_000,
        ..QueryConfig::default()
    };
    let statement = options.statement()?;
    let data_dir = options.store.existing_as_owner(environment)?;
    let cancel = SqlCancel::new().and_then(|cancel| cancel_on_signal(&cancel).map(|()| cancel));
    let cancel = cancel.map_err(|error| Failure::Internal(format!("cannot watch signals: {error}")))?;
    let sql = Sql::open(&data_dir, &env::real(), &limits, site.as_ref(), &cancel).map_err(failure)?;
    options.heed(sql.missing())?;
    options.answer(&sql, &statement)
}

impl Options {
    fn statement(&self) -> Result<String, Failure> {
        if self.statement != "-" {
            return Ok(self.statement.clone());
        }
        let mut text = String::new();
        let read = io::stdin().lock().take(STATEMENT_BYTES_MAX).read_to_string(&mut text);
        read.map_err(|error| Failure::Query(format!("standard input: {error}")))?;
        Ok(text)
    }

    /// Says what is missing, and goes on if that is known or accepted.
    fn heed(&self, missing: &[Missing]) -> Result<(), Failure> {
        let (known, unknown): (Vec<_>, Vec<_>) =
            missing.iter().partition(|missing| self.accept_damage || missing.is_acknowledged);
        for missing in known {
            tell(&format!("not in the answer: {}", missing.what));
        }
        let unknown: Vec<&str> = unknown.iter().map(|missing| missing.what.as_str()).collect();
        if unknown.is_empty() { Ok(()) } else { Err(Failure::Incomplete(unknown.join("; "))) }
    }

    fn answer(&self, sql: &Sql, statement: &str) -> Result<(), Failure> {
        let mut shape = Shape::new(self.format, BufWriter::new(io::stdout().lock()));
        let mut written = Ok(());
        let asked = sql.ask(statement, self.max_rows, &mut |part| {
            written = match part {
                SqlPart::Columns(names) => shape.columns(names),
                SqlPart::Row(cells) => shape.row(cells),
            };
            written.is_ok()
        });
        let is_whole = match (asked, written) {
            // Whoever reads has read enough.
            (_, Err(error)) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            (_, Err(error)) => return Err(output(&error)),
            (asked, Ok(())) => asked,
        };
        // What came before a failure is shown; the exit code says that it is not all.
        if is_whole.is_ok() { shape.finish() } else { shape.flush() }.or_else(|error| match error.kind() {
            ErrorKind::BrokenPipe => Ok(()),
            _ => Err(output(&error)),
        })?;
        if !is_whole.map_err(failure)? {
            tell(&format!("there are more than these {} rows; --max-rows says how many are answered", self.max_rows));
        }
        tell(&format!("as of LSN {}", sql.as_of()));
        Ok(())
    }
}

/// The first signal ends the question, a second one the process.
fn cancel_on_signal(cancel: &SqlCancel) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _inside = runtime.enter();
        Signals::register()?
    };
    let (stop, cancel) = (Stop::default(), cancel.clone());
    let watch = async move {
        let begun = stop.clone();
        tokio::join!(signals.watch(stop), async {
            begun.begun().await;
            cancel.cancel();
        });
    };
    thread::Builder::new().name("signals".into()).stack_size(STACK_BYTES).spawn(move || runtime.block_on(watch))?;
    Ok(())
}

fn failure(error: SqlError) -> Failure {
    match error {
        SqlError::Store(error) => error.into(),
        SqlError::Cancelled => Failure::Cancelled,
        SqlError::Refused(_) | SqlError::Statement(_) | SqlError::TimedOut => Failure::Query(error.to_string()),
    }
}

fn output(error: &io::Error) -> Failure {
    Failure::Internal(format!("standard output: {error}"))
}

/// Nothing can be done about a standard error that is closed.
fn tell(text: &str) {
    writeln!(io::stderr(), "{text}").ok();
}

//! A store made of Parquet files and batches, as queries see one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::record_batch::RecordBatch;
use mallard_compactor::Erasure;
use mallard_event::columns::{RowBuilder, schema};
use mallard_event::{Date, SiteId, Stored};
use mallard_wal::disk::{Env, real};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use crate::Layout;
use crate::query::{Deadline, Duck, QueryConfig, QueryError, Snapshot, Source, SourceFile, Span};

/// A data directory with a DuckDB over it.
pub(super) struct Fixture {
    pub(super) dir: TempDir,
    pub(super) duck: Duck,
    pub(super) env: Env,
    snapshots: AtomicU64,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::with(&QueryConfig::default())
    }

    pub(super) fn with(config: &QueryConfig) -> Self {
        // The path of a data directory is an operator's business.
        let dir = tempfile::Builder::new().prefix("mallard's {ü} ").tempdir().unwrap();
        let (layout, env) = (Layout::new(dir.path()), real::env());
        layout.create(env.disk.as_ref()).unwrap();
        let duck = Duck::open(config, &layout, env.clone()).unwrap();
        Self { dir, duck, env, snapshots: AtomicU64::new(0) }
    }

    pub(super) fn deadline(&self) -> Deadline {
        Deadline::after(&self.env.clock, 60_000_000)
    }

    /// A snapshot of `site` in which row `n` is in the hot tail if `places[n]` is 0, else in that file of its day.
    pub(super) fn snapshot(&self, site: &SiteId, rows: &[Stored], places: &[usize]) -> Days {
        let mut days = BTreeMap::<Date, BTreeMap<usize, Vec<&Stored>>>::new();
        for (row, place) in rows.iter().zip(places).filter(|(row, _)| row.event.site == *site) {
            days.entry(row.event.timestamp.date()).or_default().entry(*place).or_default().push(row);
        }
        let folder = tempfile::tempdir_in(self.dir.path().join("events")).unwrap();
        let version = self.snapshots.fetch_add(1, Ordering::Relaxed);
        let day = |(date, places): (Date, BTreeMap<usize, Vec<&Stored>>)| {
            (date, Day { version, ..Day::new(folder.path(), date, &places) })
        };
        let (days, as_of) = (days.into_iter().map(day).collect(), rows.len() as u64);
        Days { days, gap_us: None, as_of, _folder: folder }
    }
}

/// What a snapshot is made of; every part may be changed by a test.
pub(super) struct Days {
    pub(super) days: BTreeMap<Date, Day>,
    /// When the log has lost events.
    pub(super) gap_us: Option<i64>,
    as_of: u64,
    _folder: TempDir,
}

#[derive(Default)]
pub(super) struct Day {
    pub(super) files: Vec<SourceFile>,
    pub(super) tail: Vec<RecordBatch>,
    pub(super) erasures: Vec<Arc<Erasure>>,
    pub(super) damaged: Vec<String>,
    pub(super) version: u64,
}

impl Day {
    fn new(folder: &Path, date: Date, places: &BTreeMap<usize, Vec<&Stored>>) -> Self {
        let mut day = Self::default();
        for (place, rows) in places {
            match place {
                // Two batches: the tail is a list of them.
                0 => day.tail = rows.chunks(rows.len().div_ceil(2)).map(batch).collect(),
                _ => day.files.push(write(&folder.join(format!("{date}-{place}.parquet")), rows)),
            }
        }
        day
    }
}

impl Snapshot for Days {
    fn as_of(&self) -> u64 {
        self.as_of
    }

    fn days_with_data(&self, range: RangeInclusive<Date>) -> Vec<Date> {
        self.days.range(range).map(|(date, _)| *date).collect()
    }

    fn day(&self, date: Date) -> Result<Source, QueryError> {
        let Day { files, tail, erasures, damaged, .. } = &self.days[&date];
        Ok(Source { files: files.clone(), erasures: erasures.clone(), tail: tail.clone(), damaged: damaged.clone() })
    }

    fn lost(&self, span: Span, _: Option<u64>) -> Vec<String> {
        self.gap_us.filter(|at_us| span.contains(*at_us)).map(|at_us| format!("lost at {at_us}")).into_iter().collect()
    }

    fn day_version(&self, date: Date) -> u64 {
        self.days[&date].version
    }
}

pub(super) fn batch(rows: &[&Stored]) -> RecordBatch {
    let mut builder = RowBuilder::new(rows.len());
    rows.iter().for_each(|row| builder.push(row));
    builder.finish()
}

/// Writes rows into a Parquet file, in small row groups.
pub(super) fn write(path: &Path, rows: &[&Stored]) -> SourceFile {
    let mut writer = ArrowWriter::try_new(File::create_new(path).unwrap(), schema(), None).unwrap();
    for rows in rows.chunks(50_000) {
        writer.write(&batch(rows)).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    source_file(path.to_owned())
}

pub(super) fn source_file(path: PathBuf) -> SourceFile {
    let crc32 = crc32fast::hash(&fs::read(&path).unwrap());
    SourceFile { path, crc32, is_adopted: false }
}

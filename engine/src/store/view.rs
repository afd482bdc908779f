//! One consistent moment of one site: live files below the checkpoint, hot rows above it.
//!
//! While an erasure is not finished, a file of which it takes everything is not named, and every other one comes with the
//! erasures that may take rows of it: whoever reads it leaves those rows out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::compute::{filter_record_batch, not};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use mallard_compactor::{Erasure, FileEntry, Manifest};
use mallard_event::{Date, SiteId, Stored, columns};
use mallard_wal::Lsn;
use mallard_wal::disk::Env;
use mallard_wal::seeded::{Bug, is_seeded};

use super::Store;
use super::gaps::LostDays;
use super::state::Erasing;
use crate::error::Error;
use crate::query::{Question, Span};
use crate::tail::SiteTail;

/// Every day there is.
const ALL_DAYS: RangeInclusive<Date> = Date::MIN..=Date::MAX;

/// What queries read. Holding it keeps the files it names from being unlinked.
#[derive(Clone, Debug)]
pub struct View {
    site: SiteId,
    env: Env,
    root: PathBuf,
    manifest: Arc<Manifest>,
    suspects: Arc<BTreeMap<String, String>>,
    erasing: Arc<Vec<Erasing>>,
    lost_days: Arc<Vec<LostDays>>,
    tail: SiteTail,
    high_water: Lsn,
}

/// Two views are equal if nothing was stored, erased, compacted or found damaged between them.
impl PartialEq for View {
    fn eq(&self, other: &Self) -> bool {
        self.site == other.site
            && self.high_water == other.high_water
            && Arc::ptr_eq(&self.manifest, &other.manifest)
            && Arc::ptr_eq(&self.suspects, &other.suspects)
            && Arc::ptr_eq(&self.erasing, &other.erasing)
            && Arc::ptr_eq(&self.lost_days, &other.lost_days)
    }
}

impl Store {
    /// The committed events of `site`, as of now. Every event whose receipt has been given is in it.
    pub fn view(&self, site: &SiteId) -> View {
        let state = self.shared.state();
        View {
            site: site.clone(),
            env: self.env.clone(),
            root: self.layout.root().to_owned(),
            manifest: Arc::clone(&state.manifest),
            suspects: Arc::clone(&state.suspects),
            erasing: Arc::clone(&state.erasing),
            lost_days: Arc::clone(&state.lost_days),
            tail: state.tail.site(site),
            high_water: state.high_water,
        }
    }

    /// Whether the files of `view` may have been replaced since.
    pub(crate) fn has_replaced(&self, view: &View) -> bool {
        !Arc::ptr_eq(&view.manifest, &self.shared.state().manifest)
    }

    /// Every stored event of `site` in the order of the log, read without DuckDB: for exports, audits and as the
    /// reference in tests. Needs memory for all of them.
    pub fn events(&self, site: &SiteId) -> Result<Vec<Stored>, Error> {
        let view = self.view(site);
        let mut batches = Vec::new();
        for file in view.manifest.files_of(site, ALL_DAYS) {
            batches.extend(view.read(file)?);
        }
        for date in view.tail.days_in(ALL_DAYS) {
            batches.extend(view.tail.day(date).map_err(|error| Error::Rows(error.to_string()))?);
        }
        let mut rows = Vec::new();
        for batch in &batches {
            rows.extend(columns::rows_from(batch).map_err(|error| Error::Rows(error.to_string()))?);
        }
        rows.sort_by_key(|row| row.lsn);
        Ok(rows)
    }
}

impl View {
    /// The site.
    pub fn site(&self) -> &SiteId {
        &self.site
    }

    /// The newest LSN this view includes.
    pub fn high_water(&self) -> Lsn {
        self.high_water
    }

    /// The folder that the paths of files are relative to.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The live files of one UTC day that may be read, but for the rows that [`View::erasures`] take.
    pub(crate) fn files(&self, date: Date) -> impl Iterator<Item = &Arc<FileEntry>> {
        self.sound_files(date).filter(|file| !self.erasures_of(file).any(|erasure| erasure.takes_all_of(file)))
    }

    /// The unfinished erasures that may take rows of the files of one UTC day, each once.
    pub(crate) fn erasures(&self, date: Date) -> Vec<Arc<Erasure>> {
        let mut erasures: Vec<Arc<Erasure>> = Vec::new();
        for erasure in self.sound_files(date).flat_map(|file| self.erasures_of(file)) {
            if !erasures.iter().any(|known| known.id == erasure.id) {
                erasures.push(Arc::clone(erasure));
            }
        }
        erasures
    }

    fn sound_files(&self, date: Date) -> impl Iterator<Item = &Arc<FileEntry>> {
        self.manifest.files_of(&self.site, date..=date).filter(|file| !self.is_damaged(file))
    }

    /// The unfinished erasures that may take rows of a file.
    fn erasures_of<'a>(&'a self, file: &'a FileEntry) -> impl Iterator<Item = &'a Arc<Erasure>> {
        let has_to_go = move |erasing: &&Erasing| {
            erasing.done_until.is_none_or(|done| file.date > done) && erasing.erasure.may_take_from(file)
        };
        let erasing = if is_seeded(Bug::ShowErased) { &[][..] } else { self.erasing.as_slice() };
        erasing.iter().filter(has_to_go).map(|erasing| &erasing.erasure)
    }

    /// The rows of a live file that no unfinished erasure takes.
    fn read(&self, file: &FileEntry) -> Result<Vec<RecordBatch>, mallard_compactor::Error> {
        let erasures: Vec<&Arc<Erasure>> = self.erasures_of(file).collect();
        if erasures.iter().any(|erasure| erasure.takes_all_of(file)) {
            return Ok(Vec::new());
        }
        let mut batches = Vec::new();
        mallard_compactor::read_file(&self.env, &self.root, file, &mut |batch| batches.push(batch))?;
        let without = |batch| erasures.iter().try_fold(batch, |batch, erasure| without(&batch, erasure));
        Ok(batches.into_iter().map(without).collect::<Result<_, ArrowError>>()?)
    }

    /// The live files of one UTC day that are damaged: what they held is missing.
    pub(crate) fn damaged_files(&self, date: Date) -> impl Iterator<Item = &Arc<FileEntry>> {
        self.manifest.files_of(&self.site, date..=date).filter(|file| self.is_damaged(file))
    }

    fn is_damaged(&self, file: &FileEntry) -> bool {
        self.manifest.is_damaged(&file.path) || self.suspects.contains_key(&*file.path)
    }

    /// The days of a question of which a gap in the log may have taken events: `<site> <UTC date>..<UTC date>` each.
    pub(crate) fn lost(&self, question: &Question) -> Vec<String> {
        self.lost_in(question.span, question.as_of)
    }

    /// The same of a stretch of time and a position.
    pub(crate) fn lost_in(&self, span: Span, as_of: Option<u64>) -> Vec<String> {
        let days = self.lost_days.iter().filter_map(|lost| lost.of(span, as_of));
        let mut parts: Vec<String> =
            days.map(|days| format!("{} {}..{}", self.site, days.start(), days.end())).collect();
        parts.dedup();
        parts
    }

    /// The hot rows of one UTC day, as batches of all columns.
    pub(crate) fn hot(&self, date: Date) -> Result<Vec<RecordBatch>, ArrowError> {
        self.tail.day(date)
    }

    /// What a cached answer over hot rows of this day depends on: their number and newest LSN.
    pub(crate) fn hot_version(&self, date: Date) -> (u64, u64) {
        self.tail.days().get(&date).map_or((0, 0), |day| (day.rows, day.last_lsn))
    }

    /// The UTC days within `range` that have events, ascending.
    pub fn days(&self, range: RangeInclusive<Date>) -> Vec<Date> {
        let files = self.manifest.files_of(&self.site, range.clone()).map(|file| file.date);
        files.chain(self.tail.days_in(range)).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// The rows of a batch that an erasure does not take.
fn without(batch: &RecordBatch, erasure: &Erasure) -> Result<RecordBatch, ArrowError> {
    let taken = erasure.mask(batch).ok_or_else(|| ArrowError::SchemaError("these are not rows of events".into()))?;
    filter_record_batch(batch, &not(&taken)?)
}

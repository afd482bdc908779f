//! One consistent moment of one site: live files below the checkpoint, hot rows above it.
//!
//! While an erasure is not finished, a file that may hold what it takes is not named. What is left of its rows is handed
//! over beside the hot ones, so that whoever reads a view cannot see an erased event, and need not know of erasures.

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
use crate::query::Question;
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

    /// The live files of one UTC day that may be read.
    pub(crate) fn files(&self, date: Date) -> impl Iterator<Item = &Arc<FileEntry>> {
        let sound = self.manifest.files_of(&self.site, date..=date).filter(|file| !self.is_damaged(file));
        sound.filter(|file| self.erasures_of(file).next().is_none())
    }

    /// The live files of one UTC day that may hold what an unfinished erasure takes, and those erasures: what is left of
    /// them is in [`View::left`].
    pub(crate) fn erasing_files(&self, date: Date) -> impl Iterator<Item = (&Arc<FileEntry>, Vec<&Erasure>)> {
        let sound = self.manifest.files_of(&self.site, date..=date).filter(|file| !self.is_damaged(file));
        sound
            .map(|file| (file, self.erasures_of(file).collect()))
            .filter(|(_, erasures): &(_, Vec<_>)| !erasures.is_empty())
    }

    /// The rows that unfinished erasures leave of the files of one UTC day which they have not been through.
    pub(crate) fn left(&self, date: Date) -> Result<Vec<RecordBatch>, mallard_compactor::Error> {
        let mut batches = Vec::new();
        for (file, _) in self.erasing_files(date) {
            batches.extend(self.read(file)?);
        }
        Ok(batches)
    }

    /// The unfinished erasures that may take rows of a file.
    fn erasures_of<'a>(&'a self, file: &'a FileEntry) -> impl Iterator<Item = &'a Erasure> {
        let has_to_go = move |erasing: &&Erasing| {
            erasing.done_until.is_none_or(|done| file.date > done) && erasing.erasure.may_take_from(file)
        };
        let erasing = if is_seeded(Bug::ShowErased) { &[][..] } else { self.erasing.as_slice() };
        erasing.iter().filter(has_to_go).map(|erasing| &*erasing.erasure)
    }

    /// The rows of a live file that no unfinished erasure takes.
    fn read(&self, file: &FileEntry) -> Result<Vec<RecordBatch>, mallard_compactor::Error> {
        let erasures: Vec<&Erasure> = self.erasures_of(file).collect();
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
        let days = self.lost_days.iter().filter_map(|lost| lost.of(question));
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

//! [`Manifest`], the state that edits add up to, and the questions that the engine and the planner ask it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeInclusive};
use std::sync::Arc;

use mallard_event::{Date, SiteId, Timestamp};
use mallard_wal::Lsn;

use super::check::{ManifestError, check_checkpoint, check_edit};
use super::{Condition, Edit, FileEntry, LsnRange, Taken, range};
use crate::erasure::Erasure;

/// Which files are live, and through which LSN the log is in them.
///
/// A clone costs one pointer per file and per site, not the files' descriptions: the engine keeps an `Arc<Manifest>`,
/// clones it for each commit and lets running queries keep the old one. At 5,000 files that is well below a
/// millisecond, once per compaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    checkpoint: Lsn,
    by_path: BTreeMap<Arc<str>, Arc<FileEntry>>,
    sites: BTreeMap<SiteId, Arc<SiteFiles>>,
    gaps: Vec<LsnRange>,
    quarantined: Vec<LsnRange>,
    /// The live files that are not what was published, and whether an operator knows.
    damaged: BTreeMap<Arc<str>, bool>,
    acknowledged: Vec<LsnRange>,
    /// The newest LSN that the log is known to have held; none if no log has been begun.
    high_water: Option<Lsn>,
    /// Those that are not finished, in the order in which they began.
    erasures: Vec<Arc<Erasure>>,
    /// What these have taken so far, by their ids.
    taken: BTreeMap<[u8; 16], Taken>,
    totals: Totals,
}

/// Sums over all live files, and what has left them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Live files.
    pub files: u64,
    /// Their rows.
    pub rows: u64,
    /// Their bytes on disk.
    pub bytes: u64,
    /// Rows that retention has removed since the store was made.
    pub expired_rows: u64,
    /// Events that erasures have removed since the store was made, from files and before they were in one.
    pub erased_rows: u64,
}

/// What the live files of one site add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteTotals {
    /// Rows.
    pub rows: u64,
    /// The earliest event.
    pub min_timestamp: Timestamp,
    /// The latest event.
    pub max_timestamp: Timestamp,
}

/// The live files of one site and one UTC day.
#[derive(Clone, Copy, Debug)]
pub struct Partition<'a> {
    /// The site.
    pub site: &'a SiteId,
    /// The day.
    pub date: Date,
    /// Its files, at least one.
    pub files: &'a [Arc<FileEntry>],
}

/// A site that has at least one live file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SiteFiles {
    days: BTreeMap<Date, Vec<Arc<FileEntry>>>,
    totals: SiteTotals,
}

impl Manifest {
    /// The state that a full checkpoint describes.
    pub fn from_checkpoint(checkpoint: &Edit) -> Result<Self, ManifestError> {
        check_checkpoint(checkpoint)?;
        let mut manifest = Self::default();
        manifest.take(checkpoint);
        Ok(manifest)
    }

    /// The edit that makes this state out of nothing.
    pub fn to_checkpoint(&self) -> Edit {
        Edit {
            add: self.files().map(|entry| FileEntry::clone(entry)).collect(),
            remove: Vec::new(),
            checkpoint: Some(self.checkpoint).filter(|lsn| *lsn > Lsn::ZERO),
            gaps: self.gaps.clone(),
            quarantined: self.quarantined.clone(),
            expired_rows: self.totals.expired_rows,
            acknowledged: self.acknowledged.clone(),
            conditions: self.damaged().map(|(file, condition)| (file.path.to_string(), condition)).collect(),
            erased_rows: self.totals.erased_rows,
            erased_records: 0,
            begun: self.erasures.iter().map(|erasure| Erasure::clone(erasure)).collect(),
            ended: Vec::new(),
            taken: self.taken.iter().map(|(id, taken)| (*id, *taken)).collect(),
            high_water: self.high_water,
        }
    }

    /// Takes an edit as a whole, or says why it does not fit and changes nothing.
    pub fn apply(&mut self, edit: &Edit) -> Result<(), ManifestError> {
        check_edit(self, edit)?;
        self.take(edit);
        Ok(())
    }

    /// A seeded bug's way past the checks.
    #[cfg(feature = "seeded-bugs")]
    pub(crate) fn take_unchecked(&mut self, edit: &Edit) {
        self.take(edit);
    }

    fn take(&mut self, edit: &Edit) {
        let mut touched = BTreeSet::new();
        for path in &edit.remove {
            touched.insert(self.unlist(path));
        }
        for entry in &edit.add {
            touched.insert(entry.site.clone());
            self.list(Arc::new(entry.clone()));
        }
        for site in &touched {
            self.settle(site);
        }
        for gap in &edit.gaps {
            range::push(&mut self.gaps, *gap);
        }
        for lost in &edit.quarantined {
            range::push(&mut self.quarantined, *lost);
        }
        for (path, condition) in &edit.conditions {
            self.note(path, *condition);
        }
        self.acknowledged = LsnRange::union(&self.acknowledged, &edit.acknowledged);
        self.high_water = self.high_water.max(edit.high_water);
        self.totals.expired_rows = self.totals.expired_rows.saturating_add(edit.expired_rows);
        let erased = edit.erased_rows.saturating_add(edit.erased_records);
        self.totals.erased_rows = self.totals.erased_rows.saturating_add(erased);
        self.erasures.extend(edit.begun.iter().cloned().map(Arc::new));
        self.erasures.retain(|erasure| !edit.ended.contains(&erasure.id));
        for (id, taken) in &edit.taken {
            self.taken.entry(*id).or_default().add(taken);
        }
        self.taken.retain(|id, _| !edit.ended.contains(id));
        self.checkpoint = edit.checkpoint.unwrap_or(self.checkpoint);
    }

    fn note(&mut self, path: &str, condition: Condition) {
        let file = self.by_path.get(path).expect("an edit is checked before it is taken");
        match condition {
            Condition::Sound => drop(self.damaged.remove(path)),
            Condition::Damaged => drop(self.damaged.insert(Arc::clone(&file.path), false)),
            Condition::Acknowledged => drop(self.damaged.insert(Arc::clone(&file.path), true)),
        }
    }

    fn list(&mut self, entry: Arc<FileEntry>) {
        self.totals.files += 1;
        self.totals.rows = self.totals.rows.saturating_add(entry.rows);
        self.totals.bytes = self.totals.bytes.saturating_add(entry.bytes);
        let site = self.sites.entry(entry.site.clone()).or_insert_with(|| Arc::new(SiteFiles::new(&entry)));
        Arc::make_mut(site).days.entry(entry.date).or_default().push(Arc::clone(&entry));
        let earlier = self.by_path.insert(Arc::clone(&entry.path), entry);
        assert!(earlier.is_none(), "an edit is checked before it is taken");
    }

    fn unlist(&mut self, path: &str) -> SiteId {
        let entry = self.by_path.remove(path).expect("an edit is checked before it is taken");
        self.damaged.remove(path);
        self.totals.files -= 1;
        self.totals.rows = self.totals.rows.saturating_sub(entry.rows);
        self.totals.bytes = self.totals.bytes.saturating_sub(entry.bytes);
        let site = self.sites.get_mut(&entry.site).expect("the site of a live file is known");
        let days = &mut Arc::make_mut(site).days;
        let files = days.get_mut(&entry.date).expect("the day of a live file is known");
        files.retain(|other| other.path != entry.path);
        if files.is_empty() {
            days.remove(&entry.date);
        }
        entry.site.clone()
    }

    /// Adds a changed site up again, or forgets it with its last file.
    fn settle(&mut self, site: &SiteId) {
        let Some(files) = self.sites.get_mut(site) else { return };
        match SiteTotals::of(files.files()) {
            Some(totals) => Arc::make_mut(files).totals = totals,
            None => drop(self.sites.remove(site)),
        }
    }

    /// The log is in Parquet through this LSN.
    pub fn checkpoint(&self) -> Lsn {
        self.checkpoint
    }

    /// All live files, by site and day.
    pub fn files(&self) -> impl Iterator<Item = &Arc<FileEntry>> {
        self.sites.values().flat_map(|site| site.files())
    }

    /// The live files of one site within some UTC days, day by day.
    pub fn files_of(&self, site: &SiteId, dates: RangeInclusive<Date>) -> impl Iterator<Item = &Arc<FileEntry>> {
        // A range that ends before it begins names no day; BTreeMap::range would panic.
        let site = self.sites.get(site).filter(|_| !dates.is_empty());
        site.into_iter().flat_map(move |site| site.days.range(dates.clone())).flat_map(|(_, files)| files)
    }

    /// All partitions that have a live file, by site and day.
    pub fn partitions(&self) -> impl Iterator<Item = Partition<'_>> {
        self.sites.iter().flat_map(|(site, files)| {
            files.days.iter().map(move |(date, files)| Partition { site, date: *date, files })
        })
    }

    /// The sites that have a live file, and what these add up to.
    pub fn sites(&self) -> impl Iterator<Item = (&SiteId, &SiteTotals)> {
        self.sites.iter().map(|(site, files)| (site, &files.totals))
    }

    /// What the live files of one site add up to; `None` if it has none.
    pub fn site(&self, site: &SiteId) -> Option<&SiteTotals> {
        self.sites.get(site).map(|files| &files.totals)
    }

    /// Sums over all live files.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The live file at `path`.
    pub fn get(&self, path: &str) -> Option<&FileEntry> {
        self.by_path.get(path).map(Arc::as_ref)
    }

    /// The live file that follows `path` in the order of paths.
    pub fn file_after(&self, path: &str) -> Option<&Arc<FileEntry>> {
        let after = (Bound::Excluded(path), Bound::Unbounded);
        self.by_path.range::<str, _>(after).next().map(|(_, entry)| entry)
    }

    /// Whether `path`, relative to the data directory, is a live file.
    pub fn contains(&self, path: &str) -> bool {
        self.by_path.contains_key(path)
    }

    /// The live files that are not what was published.
    pub fn damaged(&self) -> impl Iterator<Item = (&Arc<FileEntry>, Condition)> {
        self.damaged.iter().filter_map(|(path, is_known)| {
            let condition = if *is_known { Condition::Acknowledged } else { Condition::Damaged };
            Some((self.by_path.get(path)?, condition))
        })
    }

    /// Whether the live file at `path` is known not to be what was published.
    pub fn is_damaged(&self, path: &str) -> bool {
        self.damaged.contains_key(path)
    }

    /// LSNs of which an operator knows that they are lost or in quarantine, in ascending order.
    pub fn acknowledged(&self) -> &[LsnRange] {
        &self.acknowledged
    }

    /// The newest LSN that the log is known to have held: one that ends before it has lost its end. `None` if no log has
    /// been begun, so that none can be lost.
    pub fn high_water(&self) -> Option<Lsn> {
        self.high_water
    }

    /// The same state for a store whose log has not been begun: of a copy that everything was compacted in.
    #[must_use]
    pub fn without_log(&self) -> Self {
        Self { high_water: None, ..self.clone() }
    }

    /// A log that holds everything through `high_water`, and has lost `lost`, goes on from this state. What an operator
    /// knows of is what is lost: an earlier program noted it less exactly.
    pub(super) fn go_on(&mut self, high_water: Option<Lsn>, lost: &[LsnRange]) {
        self.high_water = self.high_water.max(high_water);
        let known = LsnRange::union(&LsnRange::union(&self.gaps, &self.quarantined), lost);
        let within = self.acknowledged.iter().flat_map(|range| range.within(&known));
        self.acknowledged = within.collect();
    }

    /// The erasures that have begun and are not finished.
    pub fn erasures(&self) -> &[Arc<Erasure>] {
        &self.erasures
    }

    /// What an erasure that is not finished has taken so far, in this life of the process and before.
    pub fn taken(&self, id: [u8; 16]) -> Taken {
        self.taken.get(&id).copied().unwrap_or_default()
    }

    /// LSNs that the log has lost.
    pub fn gaps(&self) -> &[LsnRange] {
        &self.gaps
    }

    /// LSNs whose records lie in quarantine.
    pub fn quarantined(&self) -> &[LsnRange] {
        &self.quarantined
    }
}

impl Taken {
    fn add(&mut self, more: &Self) {
        self.events = self.events.saturating_add(more.events);
        self.partitions = self.partitions.saturating_add(more.partitions);
        self.segments = self.segments.saturating_add(more.segments);
    }
}

impl SiteFiles {
    fn new(first: &FileEntry) -> Self {
        Self { days: BTreeMap::new(), totals: SiteTotals::new(first) }
    }

    fn files(&self) -> impl Iterator<Item = &Arc<FileEntry>> {
        self.days.values().flatten()
    }
}

impl SiteTotals {
    fn new(entry: &FileEntry) -> Self {
        Self { rows: entry.rows, min_timestamp: entry.min_timestamp, max_timestamp: entry.max_timestamp }
    }

    fn of<'a>(files: impl Iterator<Item = &'a Arc<FileEntry>>) -> Option<Self> {
        files.map(|entry| Self::new(entry)).reduce(|sum, next| Self {
            rows: sum.rows.saturating_add(next.rows),
            min_timestamp: sum.min_timestamp.min(next.min_timestamp),
            max_timestamp: sum.max_timestamp.max(next.max_timestamp),
        })
    }
}

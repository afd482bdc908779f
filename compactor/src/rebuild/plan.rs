//! [`RebuildPlan`]: which files a rebuilt manifest names, which rows have to be written anew, and what cannot be said.

use std::collections::BTreeMap;
use std::sync::Arc;

use mallard_wal::Lsn;

use super::inspect::Place;
use super::lsns::LsnSet;
use super::{Aside, Rebuild, Sound, Unreadable};
use crate::erasure::Erasure;
use crate::error::Error;
use crate::job::{Context, subset};
use crate::manifest::{Condition, Edit, FileEntry, LsnRange, Manifest, range_count, range_push};

/// What a rebuilt manifest will say, and what has to be done before.
#[derive(Debug)]
pub struct RebuildPlan {
    /// The log is in Parquet through here.
    pub checkpoint: Lsn,
    /// Files that are live as they are.
    pub keep: Vec<FileEntry>,
    /// Files of which some rows are written anew, and how many.
    pub rewrite: Vec<(FileEntry, u64)>,
    /// Live files that cannot be read, and why.
    pub damaged: Vec<(FileEntry, String)>,
    /// Files that are no part of the store; those to be rewritten among them.
    pub aside: Vec<Aside>,
    /// Positions through the checkpoint that are in no file: erasures, what they or retention took, or lost.
    pub unaccounted: u64,
    sources: Vec<Source>,
    past: Manifest,
    gaps: Vec<LsnRange>,
    quarantined: Vec<LsnRange>,
    levels: BTreeMap<String, u8>,
}

/// Rows of a file that are to be written anew.
#[derive(Debug)]
struct Source {
    entry: FileEntry,
    only: Option<Vec<u64>>,
}

impl Rebuild {
    /// What the manifest is to be if the log holds everything above `checkpoint`. `lost` are further gaps at or below it.
    pub fn plan(self, checkpoint: Lsn, lost: &[LsnRange]) -> RebuildPlan {
        let mut gaps: Vec<LsnRange> = Vec::new();
        let mut known: Vec<LsnRange> = self.past.gaps().iter().chain(lost).copied().collect();
        known.sort_unstable();
        for gap in known.into_iter().filter(|gap| gap.first <= checkpoint) {
            let first = gap.first.max(gaps.last().map_or(Lsn::ZERO, |last: &LsnRange| last.last.next()));
            if first <= gap.last.min(checkpoint) {
                range_push(&mut gaps, LsnRange::new(first, gap.last.min(checkpoint)));
            }
        }
        let mut quarantined = Vec::new();
        let mut set_apart: Vec<Lsn> = self.quarantined.clone();
        let past = self.past.quarantined().iter();
        set_apart.extend(past.flat_map(|range| (range.first.get()..=range.last.get()).map(Lsn::new)));
        set_apart.sort_unstable();
        set_apart.dedup();
        for lsn in set_apart.into_iter().filter(|lsn| *lsn <= checkpoint && !gaps.iter().any(|gap| gap.contains(*lsn)))
        {
            range_push(&mut quarantined, LsnRange::one(lsn));
        }
        let mut plan = RebuildPlan {
            checkpoint,
            keep: Vec::new(),
            rewrite: Vec::new(),
            damaged: Vec::new(),
            aside: self.aside,
            unaccounted: 0,
            sources: Vec::new(),
            past: self.past,
            gaps,
            quarantined,
            levels: self.levels,
        };
        self.sound.into_iter().for_each(|file| plan.sound(file));
        let mut accounted = self.accounted;
        self.unreadable.into_iter().for_each(|file| plan.unreadable(file, &mut accounted));
        plan.count();
        plan
    }
}

impl RebuildPlan {
    fn sound(&mut self, file: Sound) {
        let Sound { entry, only } = file;
        let first = only.as_ref().and_then(|lsns| lsns.first().copied()).unwrap_or(entry.lsns.first.get());
        let last = only.as_ref().and_then(|lsns| lsns.last().copied()).unwrap_or(entry.lsns.last.get());
        let checkpoint = self.checkpoint.get();
        if first > checkpoint {
            self.aside.push(Aside::new(&entry.path, "it lies above the checkpoint: the log has its rows"));
        } else if only.is_none() && last <= checkpoint {
            self.keep.push(entry);
        } else {
            // Without a list of its LSNs the file's own first and last say only that there may be rows on either side.
            let rows = only.as_ref().map_or(entry.rows, |lsns| lsns.partition_point(|lsn| *lsn <= checkpoint) as u64);
            self.aside.push(Aside::new(
                &entry.path,
                "other files or the log have some of its rows; the rest was written anew",
            ));
            self.rewrite.push((entry.clone(), rows));
            self.sources.push(Source { entry, only });
        }
    }

    /// A file that cannot be read is live, as damaged, if it may be the only one with some position; then nothing tells
    /// which, and it stands for all of those that are in no other.
    fn unreadable(&mut self, file: Unreadable, accounted: &mut LsnSet) {
        let place = Place::of(&file.path);
        let range =
            file.known.as_ref().map(|known| known.lsns).or(place.as_ref().and_then(|place| Some(place.identity?.1)));
        let site = file.known.as_ref().map(|known| known.site.clone());
        let site = site.or(place.as_ref().and_then(|place| place.site.clone()));
        let (Some(place), Some(range), Some(site)) = (place, range, site) else {
            self.aside
                .push(Aside::new(&file.path, &format!("{}, and its name does not tell what it was", file.reason)));
            return;
        };
        let checkpoint = self.checkpoint;
        let missing = if range.first > checkpoint {
            0
        } else {
            accounted.missing_in(LsnRange::new(range.first, range.last.min(checkpoint)))
        };
        if missing == 0 {
            let reason = format!("{}; files of a higher level or the log have its rows", file.reason);
            self.aside.push(Aside::new(&file.path, &reason));
            return;
        }
        let lsns = LsnRange::new(range.first, range.last.min(checkpoint));
        let rows = file.known.as_ref().map_or(missing, |known| known.rows.min(missing));
        let times = file
            .known
            .as_ref()
            .map_or((place.date.start(), place.date.start()), |known| (known.min_timestamp, known.max_timestamp));
        // It stands for so many positions, whichever: they must not stand for a second damaged file.
        let free = (lsns.first.get()..=lsns.last.get()).filter(|lsn| !accounted.contains(*lsn));
        let taken: Vec<u64> = free.take(usize::try_from(rows).unwrap_or(usize::MAX)).collect();
        accounted.add(taken);
        let entry = FileEntry {
            site,
            date: place.date,
            level: place.identity.map_or(0, |(level, _)| level),
            schema_version: file
                .known
                .as_ref()
                .map_or(mallard_event::columns::SCHEMA_VERSION, |known| known.schema_version),
            lsns,
            rows,
            bytes: file.known.as_ref().map_or(file.bytes, |known| known.bytes),
            column_bytes: file.known.as_ref().map_or(file.bytes, |known| known.column_bytes),
            min_timestamp: times.0,
            max_timestamp: times.1,
            crc32: file.known.as_ref().map_or(file.crc32, |known| known.crc32),
            path: Arc::from(&*file.path),
        };
        self.damaged.push((entry, file.reason));
    }

    fn count(&mut self) {
        let rows =
            self.keep.iter().chain(self.damaged.iter().map(|(entry, _)| entry)).map(|entry| entry.rows).sum::<u64>();
        let rewritten = self.rewrite.iter().map(|(_, rows)| *rows).sum::<u64>();
        let totals = self.past.totals();
        let known = [rows, rewritten, range_count(&self.gaps), range_count(&self.quarantined)];
        let gone = totals.expired_rows.saturating_add(totals.erased_rows);
        self.unaccounted = self.checkpoint.get().saturating_sub(known.iter().sum::<u64>()).saturating_sub(gone);
    }

    /// The newest LSN that the log is known to have held.
    pub fn high_water(&self) -> Lsn {
        self.past.high_water().unwrap_or_default().max(self.checkpoint)
    }

    /// Does the rewrites and returns the manifest, which the caller makes the newest. May be cut off and begun again with a
    /// new survey. `erasures` are begun by the new manifest.
    pub fn write(&self, context: &Context<'_>, erasures: Vec<Erasure>) -> Result<Manifest, Error> {
        let mut add = self.keep.clone();
        for source in &self.sources {
            let folder = source.entry.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let highest = self.levels.get(folder).copied().unwrap_or(source.entry.level);
            let path = source.entry.path.to_string();
            let level = highest.checked_add(1).ok_or(Error::Live { path })?;
            let is_wanted = |lsn: u64| {
                let is_own = source.only.as_ref().is_none_or(|only| only.binary_search(&lsn).is_ok());
                is_own && lsn <= self.checkpoint.get()
            };
            add.extend(subset(context, &source.entry, level, &is_wanted)?);
        }
        add.extend(self.damaged.iter().map(|(entry, _)| entry.clone()));
        let conditions =
            self.damaged.iter().map(|(entry, _)| (entry.path.to_string(), self.condition_of(entry))).collect();
        let mut begun: Vec<Erasure> = self.past.erasures().iter().map(|erasure| Erasure::clone(erasure)).collect();
        begun.extend(
            erasures.into_iter().filter(|erasure| !self.past.erasures().iter().any(|one| one.id == erasure.id)),
        );
        let (gaps, quarantined) = (self.gaps.clone(), self.quarantined.clone());
        let rows = add.iter().map(|entry| entry.rows).sum::<u64>();
        let taken = rows.saturating_add(range_count(&gaps)).saturating_add(range_count(&quarantined));
        let room = self.checkpoint.get().saturating_sub(taken);
        let totals = self.past.totals();
        let expired_rows = totals.expired_rows.min(room);
        let edit = Edit {
            add,
            checkpoint: Some(self.checkpoint).filter(|lsn| *lsn > Lsn::ZERO),
            gaps,
            quarantined,
            expired_rows,
            erased_rows: totals.erased_rows.min(room - expired_rows),
            acknowledged: self.past.acknowledged().to_vec(),
            conditions,
            begun,
            high_water: Some(self.high_water()),
            ..Edit::default()
        };
        Ok(Manifest::from_checkpoint(&edit)?)
    }

    fn condition_of(&self, entry: &FileEntry) -> Condition {
        let known = self.past.damaged().find(|(other, _)| other.path == entry.path);
        known.map_or(Condition::Damaged, |(_, condition)| condition)
    }
}

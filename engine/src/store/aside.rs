//! What was set aside, and when it goes: originals of damaged segments and files, of what a repair has replaced, and of what
//! the adoption of the original's directory did not take.
//!
//! ```text
//! quarantine/<first lsn>.wal[.<n>]               a segment            any erasure of earlier events; a day after its newest record expires
//! quarantine/<name of a Parquet file>            a damaged live file  with that file
//! quarantine/original-<crc>.<day>.<site>.parquet not adopted          an erasure of the site and day; when the day expires
//! quarantine/original-<crc>.parquet              not adopted, and nobody can say whose rows are in it          any erasure
//! quarantine/repaired/                           under the path that it had, by the same rules
//! mallard.duckdb.original[.wal]                  the original's database, of any site and day                  any erasure
//! ```
//! An erasure is to leave nothing: where nobody can say what is in a file, it goes. Retention is about age: where nobody can
//! say how old a file is, it stays. Every removal is a warning in the log.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mallard_compactor::{Erasure, Reach};
use mallard_event::{Date, Timestamp, codec};
use mallard_wal::disk::{self, Disk, durable};
use mallard_wal::recovery::read_past_damage;
use mallard_wal::{Kind, Lsn, scan};

use super::tidy::PARQUET;
use super::{Store, damage};
use crate::adopt::{DATABASE, NotAdopted};
use crate::error::{Error, IoContext as _};
use crate::layout::Layout;

/// Records of a damaged segment that do not verify are at most that much younger than those that do: a segment is sealed when
/// an event in it has waited for the flush interval, which is a day at most.
const UNREAD_DAYS: i32 = 1;

impl Store {
    /// Removes the second names of Parquet files that are live no more, whoever has taken those out of the manifest: an earlier
    /// life may have been killed before it came here.
    pub(super) fn forget_dead_copies(&self) -> Result<(), Error> {
        let is_copy = |name: &str| name.ends_with(PARQUET) && NotAdopted::named(name).is_none();
        let copies = self.quarantined(is_copy)?;
        if copies.is_empty() {
            return Ok(());
        }
        let (manifest, mut dead) = (self.manifest(), copies.clone());
        for file in manifest.files() {
            let live = damage::Copy::of(file);
            let is_of_earlier_version = manifest.is_damaged(&file.path) && !copies.contains(&live.name);
            dead.retain(|name| *name != live.name && !(is_of_earlier_version && *name == live.bare));
        }
        if dead.is_empty() { Ok(()) } else { self.forget_quarantined(&dead) }
    }

    /// Removes what may hold events of an erasure. The sound records of segments were recovered.
    pub(super) fn forget_originals(&self, erasure: &Erasure) -> Result<(), Error> {
        let days = days_of(erasure);
        let site = erasure.site.folder();
        let is_meant = |name: &str| match (first_lsn(name), NotAdopted::named(name)) {
            (Some(first), _) => erasure.reach == Reach::Received || first < erasure.lsn,
            (None, Some(file)) => file.place.is_none_or(|(date, of)| of == site && (days.0..=days.1).contains(&date)),
            (None, None) => false,
        };
        self.forget_quarantined(&self.quarantined(is_meant)?)?;
        self.forget_database()?;
        let repaired = self.repaired_segments()?.into_iter().chain(self.repaired_files(|of_site, date| {
            of_site == format!("site_id={site}") && (days.0..=days.1).contains(&date)
        })?);
        self.forget(repaired, "an original that a repair had set aside was removed by an erasure")
    }

    /// Removes what holds nothing but events before the first day that is kept.
    pub(super) fn forget_expired(&self, first_kept: Date) -> Result<(), Error> {
        let quarantine = self.layout.quarantine();
        let mut names = self.quarantined(|name| {
            NotAdopted::named(name).and_then(|file| file.place).is_some_and(|(date, _)| date < first_kept)
        })?;
        for name in self.quarantined(|name| first_lsn(name).is_some())? {
            if self.has_expired(&quarantine.join(&name), first_kept)? {
                names.push(name);
            }
        }
        if !names.is_empty() {
            self.forget_quarantined(&names)?;
        }
        let mut repaired = self.repaired_files(|_, date| date < first_kept)?;
        for path in self.repaired_segments()? {
            if self.has_expired(&path, first_kept)? {
                repaired.push(path);
            }
        }
        self.forget(repaired, "an original that a repair had set aside was removed by retention")
    }

    /// Whether a segment holds no event from this day on, as far as it can be read.
    fn has_expired(&self, path: &Path, first_kept: Date) -> Result<bool, Error> {
        let bytes = match read_past_damage(self.env.disk.as_ref(), path) {
            Err(error) if disk::is_about_the_file(&error) => return Ok(false),
            bytes => bytes.at(path)?,
        };
        let Ok(scan) = scan(&bytes, self.identity.store_id) else { return Ok(false) };
        let newest_us = scan.records().fold(scan.header.created_us, |newest_us, record| {
            let event = (record.kind == Kind::EVENT).then(|| codec::decode(record.body_version, record.body).ok());
            let at_us = event.flatten().map_or(record.received_us, |event| event.timestamp.micros());
            newest_us.max(at_us).max(record.received_us)
        });
        let newest = Timestamp::saturating_from_micros(newest_us).date();
        Ok(newest.days().saturating_add(UNREAD_DAYS) < first_kept.days())
    }

    /// The names in `quarantine/` that are meant.
    fn quarantined(&self, is_meant: impl Fn(&str) -> bool) -> Result<Vec<String>, Error> {
        let quarantine = self.layout.quarantine();
        let entries = self.env.disk.list(&quarantine).at(&quarantine)?;
        Ok(entries.into_iter().map(|entry| entry.name).filter(|name| is_meant(name)).collect())
    }

    fn forget_quarantined(&self, names: &[String]) -> Result<(), Error> {
        let quarantine = self.layout.quarantine();
        for name in names {
            match self.env.disk.remove_file(&quarantine.join(name)) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => {
                    removed.at(&quarantine)?;
                    tracing::warn!(file = name, "a damaged original was removed by an erasure or by retention");
                }
            }
        }
        // NOTE: also when nothing was removed: an earlier life may have been killed before it came here.
        self.sync_folder(&quarantine)
    }

    /// IMPORTANT: a failed sync may not be tried again. The next one would say "done" over names that a power cut can bring back.
    pub(super) fn sync_folder(&self, folder: &Path) -> Result<(), Error> {
        self.env.disk.sync_dir(folder).at(folder).inspect_err(|error| self.stop_unless_refused(error))
    }

    /// The original's database: nobody here can say whose rows an unclean stop has left in it.
    fn forget_database(&self) -> Result<(), Error> {
        let disk = self.env.disk.as_ref();
        for name in DATABASE {
            let path = self.layout.root().join(name);
            match disk.remove_file(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => {
                    removed.at(&path)?;
                    tracing::warn!(file = name, "the database of the original was removed by an erasure");
                }
            }
        }
        self.sync_folder(self.layout.root())
    }

    /// Segments that a repair has set aside.
    fn repaired_segments(&self) -> Result<Vec<PathBuf>, Error> {
        let wal = self.layout.root().join(Layout::REPAIRED_FILES).join("wal");
        Ok(list(self.env.disk.as_ref(), &wal)?.into_iter().map(|entry| wal.join(entry.name)).collect())
    }

    /// Parquet files that a repair has set aside, of the folders of sites and the days that are meant.
    fn repaired_files(&self, is_meant: impl Fn(&str, Date) -> bool) -> Result<Vec<PathBuf>, Error> {
        let disk = self.env.disk.as_ref();
        let events = self.layout.root().join(Layout::REPAIRED_FILES).join("events");
        let mut paths = Vec::new();
        for site in list(disk, &events)? {
            for day in list(disk, &events.join(&site.name))? {
                let date = day.name.strip_prefix("date=").and_then(|date| Date::parse(date).ok());
                if date.is_some_and(|date| is_meant(&site.name, date)) {
                    let folder = events.join(&site.name).join(&day.name);
                    paths.extend(list(disk, &folder)?.into_iter().map(|entry| folder.join(entry.name)));
                }
            }
        }
        Ok(paths)
    }

    fn forget(&self, paths: impl IntoIterator<Item = PathBuf>, message: &'static str) -> Result<(), Error> {
        for path in paths {
            let removed = durable::remove(self.env.disk.as_ref(), &path).at(&path);
            removed.inspect_err(|error| self.stop_unless_refused(error))?;
            tracing::warn!(file = %path.display(), "{message}");
        }
        Ok(())
    }
}

/// The first position of a segment, by its name.
fn first_lsn(name: &str) -> Option<Lsn> {
    name.split_once(".wal").and_then(|(digits, _)| digits.parse().ok()).map(Lsn::new)
}

/// The first and the last UTC day that an erasure is about.
fn days_of(erasure: &Erasure) -> (Date, Date) {
    let day = |at_us| Timestamp::saturating_from_micros(at_us).date();
    (day(erasure.start_us), day(erasure.end_us.saturating_sub(1)))
}

/// The entries of a folder; none if there is none.
fn list(disk: &dyn Disk, folder: &Path) -> Result<Vec<disk::Entry>, Error> {
    match disk.list(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries.at(folder),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use mallard_event::{Event, EventId, EventName, SiteId, VisitorId};
    use mallard_wal::disk::{Clock, Env, real};

    use super::*;
    use crate::{Config, Engine, Step};

    const DAY_US: i64 = 86_400_000_000;

    #[derive(Debug)]
    struct At(AtomicI64);

    impl Clock for At {
        fn now_us(&self) -> i64 {
            self.0.load(Ordering::SeqCst)
        }

        fn steady_us(&self) -> i64 {
            self.now_us()
        }
    }

    fn settle(engine: &Engine) {
        while !matches!(engine.maintain().unwrap(), Step::Idle { .. }) {}
    }

    #[test]
    fn a_damaged_segment_goes_a_day_after_its_newest_record_has_expired_and_one_of_unknown_age_stays() {
        let root = tempfile::tempdir().unwrap();
        let noon = Timestamp::parse("2024-01-15T12:00:00Z").unwrap();
        let clock = Arc::new(At(AtomicI64::new(noon.micros())));
        let open = || {
            let mut config = Config::new(root.path());
            config.disk_reserve_bytes = 0;
            config.limits.retention_days = Some(30);
            Engine::open(config, Env { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..real::env() }).unwrap()
        };
        // An event of now, so that the next start believes the date.
        let receive = || {
            let now = Timestamp::saturating_from_micros(clock.now_us());
            let event = Event::new(
                SiteId::parse("a.example").unwrap(),
                VisitorId::parse("visitor").unwrap(),
                now,
                EventName::parse("pageview").unwrap(),
                "/quince",
                EventId::parse(&now.micros().to_string()).unwrap(),
            );
            let engine = open();
            engine.append(event, now).unwrap().wait().unwrap();
            engine.close().unwrap();
        };
        receive();
        let (wal, quarantine) = (root.path().join("wal"), root.path().join("quarantine"));
        let segment = fs::read_dir(&wal)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|extension| extension == "wal"));
        let original = quarantine.join("00000000000000000001.wal.1");
        let unreadable = quarantine.join("00000000000000000009.wal");
        fs::copy(segment.unwrap(), &original).unwrap();
        // No segment, whatever its name says.
        fs::copy(root.path().join("STORE"), &unreadable).unwrap();
        for (days, is_there) in [(0, true), (31, true), (32, false)] {
            clock.0.store(noon.micros() + days * DAY_US, Ordering::SeqCst);
            receive();
            let engine = open();
            settle(&engine);
            engine.close().unwrap();
            assert_eq!((original.exists(), unreadable.exists()), (is_there, true), "after {days} days");
        }
    }
}

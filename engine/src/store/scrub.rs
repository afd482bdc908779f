//! The scrub: every live Parquet file is read once a week, so that damage is found while there are copies to repair it
//! from, and not on the day on which somebody asks. Each pass begins with the manifest, which is in memory, too.
//!
//! One file at a time, when maintenance has nothing else to do, at [`RATE_BYTES_PER_SEC`] on average. What is read is
//! dropped from the page cache before and after. A process that lives for minutes begins somewhere else each time, so that every
//! file has its turn.

use std::sync::{Mutex, MutexGuard, PoisonError};

use mallard_compactor::check_file;

use super::Store;
use super::failures::Work;

/// Bounds what the scrub takes from a small volume.
const RATE_BYTES_PER_SEC: u64 = 1 << 20;
const PASS_US: i64 = 7 * 86_400 * 1_000_000;
/// How long after the opening of the store the first pass begins: a start has better things to do.
const DELAY_US: i64 = 60 * 1_000_000;

/// Where the scrub is.
#[derive(Debug)]
pub(super) struct Scrub(Mutex<Pass>);

#[derive(Debug)]
struct Pass {
    began_us: i64,
    next_us: i64,
    /// The path of the last file; `None` before the first.
    last: Option<String>,
    /// Files that are left in this pass; `None` before it begins.
    left: Option<usize>,
}

impl Scrub {
    pub(super) fn new(now_us: i64) -> Self {
        let first_us = now_us.saturating_add(DELAY_US);
        Self(Mutex::new(Pass { began_us: first_us, next_us: first_us, last: None, left: None }))
    }

    fn pass(&self) -> MutexGuard<'_, Pass> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Reads the next file, if one is due; returns when the next one is, in microseconds from now. To be called when
    /// nothing else is to be done.
    pub(crate) fn scrub(&self) -> i64 {
        let mut pass = self.scrub.pass();
        let now_us = self.env.clock.steady_us();
        if now_us >= pass.next_us {
            let bytes = self.scrub_next(&mut pass, now_us);
            let pause_us = bytes.saturating_mul(1_000_000) / RATE_BYTES_PER_SEC;
            pass.next_us = now_us.saturating_add(i64::try_from(pause_us).unwrap_or(PASS_US));
            if pass.left == Some(0) {
                tracing::info!("every Parquet file has been read");
                pass.next_us = pass.next_us.max(pass.began_us.saturating_add(PASS_US));
                pass.left = None;
            }
        }
        pass.next_us.saturating_sub(now_us).max(0)
    }

    /// Reads one file; returns its length.
    fn scrub_next(&self, pass: &mut Pass, now_us: i64) -> u64 {
        if pass.left.is_none() {
            // What comes of it is noted.
            self.failures.attempt(&Work::Manifest, || self.check_manifest()).ok();
        }
        let manifest = self.manifest();
        let count = usize::try_from(manifest.totals().files).unwrap_or(usize::MAX);
        if count == 0 {
            pass.left = Some(0);
            pass.began_us = now_us;
            return 0;
        }
        if pass.left.is_none() {
            pass.began_us = now_us;
            // Any place will do, as long as it is not always the same.
            let date_us = self.env.clock.now_us();
            let skipped = usize::try_from(date_us.unsigned_abs() / 1_000_000).unwrap_or(0) % count;
            pass.last = pass.last.take().or_else(|| Some(manifest.files().nth(skipped)?.path.to_string()));
        }
        let left = pass.left.unwrap_or(count);
        let after = pass.last.as_deref().and_then(|last| manifest.file_after(last));
        let Some(file) = after.or_else(|| manifest.file_after("")) else { return 0 };
        if !manifest.is_damaged(&file.path)
            && let Err(error) = check_file(&self.env, self.layout.root(), file)
        {
            self.suspect_input(&error);
        }
        pass.last = Some(file.path.to_string());
        pass.left = Some(left - 1);
        file.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use mallard_event::{Date, Event, EventId, EventName, SiteId, Timestamp, VisitorId};
    use mallard_wal::Drive;
    use mallard_wal::disk::sim::{self, SimClock, SimDisk};
    use mallard_wal::disk::{Disk as _, Env};

    use super::*;
    use crate::config::Config;
    use crate::status::Progress;
    use crate::store::Step;

    fn store(env: Env) -> Store {
        let mut config = Config::new("/data");
        config.flush_events = 1;
        Store::open(config, env, Drive::Manual, Arc::new(Progress::default())).unwrap()
    }

    fn event(number: usize) -> Event {
        let (site, visitor) = (format!("site-{number}"), VisitorId::parse("visitor").unwrap());
        let (name, id) = (EventName::parse("pageview").unwrap(), EventId::parse(&number.to_string()).unwrap());
        Event::new(SiteId::parse(&site).unwrap(), visitor, Timestamp::saturating_from_micros(0), name, "/", id)
    }

    /// A store with one file for each of so many sites.
    fn store_of(sites: usize) -> (Store, SimDisk, Arc<SimClock>) {
        let (env, disk, clock) = sim::env(1);
        let store = store(env);
        for number in 0..sites {
            let event = event(number);
            let at = event.timestamp;
            let receipt = store.append(event, at).unwrap();
            store.pump().unwrap();
            receipt.wait().unwrap();
        }
        while !matches!(store.maintain(&|_| {}).unwrap(), Step::Idle { .. }) {}
        (store, disk, clock)
    }

    #[test]
    fn every_file_is_read_once_a_week() {
        let (store, disk, clock) = store_of(5);
        assert_eq!(store.scrub(), DELAY_US, "a start has better things to do");
        clock.advance_us(DELAY_US);
        for site in 0..5 {
            let file = store.manifest().files().nth(site).unwrap().path.to_string();
            disk.open_write(&Path::new("/data").join(file)).unwrap().write_all_at(b"x", 10).unwrap();
        }
        let pauses_us: Vec<i64> = (0..5)
            .map(|_| {
                let pause_us = store.scrub();
                clock.advance_us(pause_us);
                pause_us
            })
            .collect();
        assert_eq!(store.shared.state().suspects.len(), 5, "one file at a time, none twice");
        assert!(pauses_us[..4].iter().all(|pause_us| *pause_us < 1_000_000), "{pauses_us:?}");
        assert!(pauses_us[4] > PASS_US / 2, "then not for a week");
        let site = SiteId::parse("site-3").unwrap();
        let view = store.view(&site);
        assert_eq!(view.days(Date::MIN..=Date::MAX).len(), 1);
    }

    #[test]
    fn a_store_without_files_has_nothing_to_read() {
        let (store, _, clock) = store_of(0);
        clock.advance_us(DELAY_US);
        assert!(store.scrub() > PASS_US / 2);
    }
}

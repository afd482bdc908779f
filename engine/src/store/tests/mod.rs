//! What maintenance does when something of the machine fails for good, on a simulated machine.

mod backlog;
mod clock;
mod full;
mod generations;
mod leftovers;
pub(super) mod losses;
mod newer;
mod orphans;
mod pacing;
mod panics;
mod quarantine;
mod rotten;
mod snapshots;
mod unreadable;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mallard_compactor::FileEntry;
use mallard_event::{Date, Event, EventId, EventName, SiteId, Timestamp, VisitorId};
use mallard_wal::Drive;
use mallard_wal::disk::sim::{self, SimClock, SimDisk};
use mallard_wal::disk::{Clock as _, Env};

use super::{Step, Store};
use crate::backup::Snapshots;
use crate::config::Config;
use crate::error::{AppendError, Error};
use crate::receipt::Receipt;
use crate::status::Progress;

const ROOT: &str = "/data";
const DAY_US: i64 = 86_400 * 1_000_000;

/// A store, and the machine it is on.
struct Bench {
    store: Option<Store>,
    config: Config,
    env: Env,
    disk: SimDisk,
    clock: Arc<SimClock>,
    sent: usize,
}

impl Bench {
    /// An empty store that compacts when this many events wait, and merges two files.
    fn new(flush_events: u64) -> Self {
        Self::with(|config| config.flush_events = flush_events)
    }

    fn with(set: impl FnOnce(&mut Config)) -> Self {
        let (env, disk, clock) = sim::env(1);
        let mut config = Config::new(ROOT);
        config.wal.segment_bytes = 64 << 10;
        config.limits.merge_files_min = 2;
        set(&mut config);
        let mut bench = Self { store: None, config, env, disk, clock, sent: 0 };
        bench.restart();
        bench
    }

    /// What a kill and a start do.
    fn restart(&mut self) {
        self.store = None;
        self.store = Some(self.open().unwrap());
    }

    fn open(&self) -> Result<Store, Error> {
        let (config, env, progress) = (self.config.clone(), self.env.clone(), Arc::new(Progress::default()));
        Store::open(config, env, Drive::Manual, progress)
    }

    fn snapshots(&self) -> Snapshots {
        Snapshots::of(self.env.clone(), Path::new(ROOT))
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn offer(&mut self, site: &str) -> Result<Receipt, AppendError> {
        self.sent += 1;
        let (visitor, name) = (VisitorId::parse("visitor").unwrap(), EventName::parse("pageview").unwrap());
        let id = EventId::parse(&self.sent.to_string()).unwrap();
        let at = Timestamp::saturating_from_micros(self.clock.now_us());
        let event = Event::new(SiteId::parse(site).unwrap(), visitor, at, name, "/", id);
        self.store().append(event, at)
    }

    /// Stores events of a site, each in a commit of its own.
    fn send(&mut self, site: &str, count: usize) {
        for _ in 0..count {
            let receipt = self.offer(site).unwrap();
            self.store().pump().unwrap();
            receipt.wait().unwrap();
        }
    }

    /// Maintains until nothing is due; what fails is tried again as often as the thread of maintenance would within minutes.
    fn settle(&self) -> Vec<Result<Step, Error>> {
        let mut steps = Vec::new();
        for _ in 0..100 {
            let step = self.store().maintain(&|_| {});
            let is_idle = matches!(step, Ok(Step::Idle { .. }));
            steps.push(step);
            if is_idle {
                break;
            }
        }
        steps
    }

    /// Maintains until nothing is due; nothing may fail.
    fn settle_well(&self) {
        let steps = self.settle();
        assert!(matches!(steps.last(), Some(Ok(Step::Idle { .. }))), "{steps:?}");
        assert!(steps.iter().all(Result::is_ok), "{steps:?}");
    }

    /// A file for each so many events of a site.
    fn files(&mut self, site: &str, count: usize) {
        for _ in 0..count {
            let events = usize::try_from(self.config.flush_events).unwrap();
            self.send(site, events);
            self.settle_well();
        }
    }

    /// The live files of a site, by path.
    fn live(&self, site: &str) -> Vec<FileEntry> {
        let manifest = self.store().manifest();
        let site = SiteId::parse(site).unwrap();
        manifest.files_of(&site, Date::MIN..=Date::MAX).map(|file| FileEntry::clone(file)).collect()
    }

    fn path(file: &FileEntry) -> PathBuf {
        Path::new(ROOT).join(&*file.path)
    }

    fn reasons(&self) -> Vec<String> {
        self.store().status().degraded_reasons
    }

    /// The ids of a site's events, as queries see them.
    fn rows(&self, site: &str) -> Vec<u64> {
        let rows = self.store().events(&SiteId::parse(site).unwrap()).unwrap();
        rows.iter().filter_map(|row| row.event.event_id.as_str().parse().ok()).collect()
    }
}

//! One simulated machine with a store on it, and the oracle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use mallard_engine::{Config, Progress, Receipt, Step, Store};
use mallard_event::{Event, EventId, EventName, SiteId, Timestamp, VisitorId};
use mallard_wal::Drive;
use mallard_wal::disk::Env;
use mallard_wal::disk::sim::{self, CrashMode, EIO, Fault, SimClock, SimDisk, SimRng};

use crate::forgetful::{Forgetful, Forgets};

pub const SITES: [&str; 3] = ["a.example", "b.example", ".."];
const DAY_US: i64 = 86_400 * 1_000_000;

/// The machine, the store and what the clients know.
pub struct World {
    pub disk: SimDisk,
    /// Said in every failure.
    pub context: String,
    /// Whether every step is checked, and not only the state after a restart.
    pub is_watchful: bool,
    /// Whether something was told to go wrong in this life: only then may an operation fail.
    may_fail: bool,
    env: Env,
    clock: Arc<SimClock>,
    store: Option<Arc<Store>>,
    sent: BTreeSet<String>,
    acknowledged: BTreeMap<String, u64>,
    waiting: Vec<(String, Receipt)>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let (env, disk, clock) = sim::env(seed);
        Self {
            disk,
            context: String::new(),
            is_watchful: false,
            may_fail: false,
            env,
            clock,
            store: None,
            sent: BTreeSet::new(),
            acknowledged: BTreeMap::new(),
            waiting: Vec::new(),
        }
    }

    /// A machine whose disk leaves out some syncs.
    pub fn forgetting(seed: u64, forgets: Forgets) -> Self {
        let mut world = Self::new(seed);
        world.env.disk = Arc::new(Forgetful { disk: world.disk.clone(), forgets });
        world
    }

    fn config() -> Config {
        let mut config = Config::new(Path::new("/data"));
        config.flush_events = 4;
        config.flush_interval_us = 60 * 1_000_000;
        config.wal.segment_bytes = 64 << 10;
        config.limits.merge_files_min = 2;
        config
    }

    /// The power goes off at this mutating operation of the disk.
    pub fn cut_power_at(&mut self, operation: u64) {
        self.disk.cut_power_at(operation);
        self.may_fail = true;
    }

    /// This operation of the disk fails, once.
    pub fn fail_at(&mut self, operation: u64) {
        self.disk.fail_at(operation, Fault::ErrorOnce(EIO));
        self.may_fail = true;
    }

    pub fn open(&mut self) {
        assert!(self.try_open(), "the store does not open: {}", self.context);
    }

    /// Opens the store; false if the power went off meanwhile.
    pub fn try_open(&mut self) -> bool {
        self.store = None;
        match Store::open(Self::config(), self.env.clone(), Drive::Manual, Arc::new(Progress::default())) {
            Ok(store) => self.store = Some(Arc::new(store)),
            Err(error) => assert!(self.may_fail, "{error} ({})", self.context),
        }
        self.store.is_some()
    }

    pub fn append(&mut self, count: usize) {
        for _ in 0..count {
            let number = self.sent.len();
            let id = format!("event-{number}");
            self.sent.insert(id.clone());
            let event = event(number, &id, self.clock_us());
            let at = event.timestamp;
            if let Some(Ok(receipt)) = self.store.as_ref().map(|store| store.append(event, at)) {
                self.waiting.push((id, receipt));
            }
        }
    }

    /// One group commit, then what the clients hear of it.
    pub fn pump(&mut self) {
        let Some(store) = &self.store else { return };
        let worked = store.pump();
        assert!(worked.is_ok() || self.may_fail, "{worked:?} ({})", self.context);
        for (id, receipt) in self.waiting.drain(..) {
            if let Ok(lsn) = receipt.wait() {
                self.acknowledged.insert(id, lsn);
            }
        }
        if self.is_watchful {
            self.check_visible();
        }
    }

    /// One step of maintenance; the same events are visible before it, between its commit and its cleaning up, and after.
    pub fn maintain(&self) -> Option<Step> {
        let store = self.store.as_ref()?;
        let before = self.watched_rows();
        let check_same = |when: &str| {
            let now = self.watched_rows();
            let is_same = before.is_none() || now.is_none() || before == now;
            assert!(is_same, "{when} maintenance other events are visible: {before:?}, {now:?} ({})", self.context);
        };
        match store.maintain(&|_| check_same("during")) {
            Ok(step) => {
                check_same("after");
                Some(step)
            }
            Err(error) => {
                assert!(self.may_fail, "{error} ({})", self.context);
                None
            }
        }
    }

    /// Maintains until nothing is due.
    pub fn settle(&mut self) {
        self.pump();
        for _ in 0..1_000 {
            let store = self.store.as_ref().unwrap();
            if matches!(store.maintain(&|_| {}).unwrap(), Step::Idle { .. }) {
                return;
            }
        }
        panic!("maintenance does not come to an end ({})", self.context);
    }

    /// A day passes.
    pub fn rest(&mut self) {
        self.clock.advance_us(DAY_US);
    }

    /// The power goes off and comes back.
    pub fn crash(&mut self, rng: &mut SimRng, mode: CrashMode) {
        self.waiting.clear();
        self.disk.crash_by(mode, rng);
        self.store = None;
        self.may_fail = false;
    }

    /// The invariants, after a restart or at any quiet moment.
    pub fn check(&self) {
        let rows = self.rows().unwrap();
        let lsns: Vec<u64> = rows.keys().copied().collect();
        let last = lsns.last().copied().unwrap_or(0);
        assert_eq!(lsns, (1..=last).collect::<Vec<_>>(), "LSNs are not dense ({})", self.context);
        let ids: BTreeSet<&String> = rows.values().collect();
        assert_eq!(ids.len(), rows.len(), "an event is visible twice ({})", self.context);
        for id in ids {
            assert!(self.sent.contains(id), "{id} is visible and was never sent ({})", self.context);
        }
        self.check_visible();
    }

    fn check_visible(&self) {
        let Some(rows) = self.rows() else { return };
        for (id, lsn) in &self.acknowledged {
            assert_eq!(rows.get(lsn), Some(id), "{id} was acknowledged with lsn {lsn} ({})", self.context);
        }
    }

    /// The open store, for another thread to look at.
    pub fn store(&self) -> Arc<Store> {
        Arc::clone(self.store.as_ref().unwrap())
    }

    /// Number of visible events.
    pub fn visible(&self) -> usize {
        self.rows().unwrap().len()
    }

    fn watched_rows(&self) -> Option<BTreeMap<u64, String>> {
        if self.is_watchful { self.rows() } else { None }
    }

    /// Every visible event by LSN; fails on an LSN that is visible twice. `None` if the disk does not answer, as it was
    /// told to.
    fn rows(&self) -> Option<BTreeMap<u64, String>> {
        let store = self.store.as_ref()?;
        let mut rows = BTreeMap::new();
        for site in SITES {
            let events = match store.events(&SiteId::parse(site).unwrap()) {
                Ok(events) => events,
                Err(_) if self.may_fail => return None,
                Err(error) => panic!("{error} ({})", self.context),
            };
            for row in events {
                let (lsn, id) = (row.lsn.unwrap(), row.event.event_id.as_str().to_owned());
                assert!(rows.insert(lsn, id).is_none(), "lsn {lsn} is visible twice ({})", self.context);
            }
        }
        Some(rows)
    }

    fn clock_us(&self) -> i64 {
        use mallard_wal::disk::Clock as _;
        self.clock.now_us()
    }
}

fn event(number: usize, id: &str, now_us: i64) -> Event {
    Event {
        site: SiteId::parse(SITES[number % SITES.len()]).unwrap(),
        visitor: VisitorId::parse(&format!("visitor-{}", number % 5)).unwrap(),
        // Every fourth event happened yesterday.
        timestamp: Timestamp::saturating_from_micros(now_us - if number % 4 == 3 { DAY_US } else { 0 }),
        name: EventName::parse("pageview").unwrap(),
        pathname: format!("/page/{number}").into(),
        hostname: None,
        referrer: None,
        referrer_source: None,
        utm_source: None,
        utm_medium: None,
        utm_campaign: None,
        utm_content: None,
        utm_term: None,
        browser: Some("Firefox".into()),
        browser_version: None,
        os: None,
        os_version: None,
        device_type: None,
        screen_size: None,
        country_code: None,
        region: None,
        city: None,
        props: None,
        revenue_amount: None,
        revenue_currency: None,
        event_id: EventId::parse(id).unwrap(),
        channel: None,
        user_hash: None,
        interactive: None,
        time_rounded: None,
    }
}

//! Senders that send again, erasures, and the power cut at every operation: an id that was acknowledged is answered with its
//! position, whatever was erased meanwhile, until its window is over. Then nothing of it is kept.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mallard_engine::{Claimed, Config, ErasureRequest, Progress, Receipt, Span, Step, Store};
use mallard_event::{Event, EventId, EventName, SiteId, Timestamp, VisitorId};
use mallard_wal::Drive;
use mallard_wal::disk::sim::{self, CrashMode, SimClock, SimDisk, SimRng};
use mallard_wal::disk::{Disk as _, Env};

use crate::cores;
use crate::forgetful::{Forgetful, Forgets};
use crate::lives::case;

const HOUR_US: i64 = 3_600 * 1_000_000;
const WINDOW_US: i64 = 24 * HOUR_US;
const SITES: [&str; 2] = ["a.example", "b.example"];
const KEPT: &str = "/data/control/erased-ids";

/// A machine, a store, and what was acknowledged of it: site, id and LSN.
struct Sender {
    env: Env,
    disk: SimDisk,
    clock: Arc<SimClock>,
    store: Option<Store>,
    acknowledged: Vec<(usize, String, u64)>,
}

impl Sender {
    fn new() -> Self {
        Self::forgetting(None)
    }

    fn forgetting(forgets: Option<Forgets>) -> Self {
        let (mut env, disk, clock) = sim::env(3);
        if let Some(forgets) = forgets {
            env.disk = Arc::new(Forgetful { disk: disk.clone(), forgets });
        }
        // Not at the start of an hour: times of arrival are kept in whole hours.
        clock.advance_us(10 * HOUR_US + 1_234_567);
        Self { env, disk, clock, store: None, acknowledged: Vec::new() }
    }

    fn open(&mut self) -> bool {
        self.store = None;
        let mut config = Config::new(Path::new("/data"));
        config.flush_events = 2;
        config.wal.segment_bytes = 16 << 10;
        config.wal.commit_align = 512;
        let opened = Store::open(config, self.env.clone(), Drive::Manual, Arc::new(Progress::default()));
        self.store = opened.ok();
        self.store.is_some()
    }

    fn store(&self) -> &Store {
        self.store.as_ref().expect("the store is open")
    }

    /// One event; noted if it is acknowledged.
    fn send(&mut self, site: usize, id: &str) {
        self.clock.advance_us(1_000_000);
        let (site_id, event_id) = (SiteId::parse(SITES[site]).unwrap(), EventId::parse(id).unwrap());
        let now = Timestamp::saturating_from_micros(self.env.clock.now_us());
        let Claimed::New(claim) = self.store().claim(&site_id, &event_id) else { panic!("{id} is new") };
        let visitor = VisitorId::parse("somebody").unwrap();
        let event = Event::new(site_id, visitor, now, EventName::parse("pageview").unwrap(), "/", event_id);
        let receipt = self.store().append_quietly(event, now, Some(claim));
        if let Some(lsn) = receipt.ok().and_then(|receipt| self.settle(receipt)) {
            self.acknowledged.push((site, id.to_owned(), lsn));
        }
    }

    /// Asks for the erasure of a whole site.
    fn erase(&self, site: usize) {
        let request = ErasureRequest {
            site: SiteId::parse(SITES[site]).unwrap(),
            span: Span { start_us: 0, end_us: i64::MAX },
            subject: None,
        };
        if let Ok((_, receipt)) = self.store().begin_erasure(&request) {
            self.settle(receipt);
        }
    }

    fn settle(&self, mut receipt: Receipt) -> Option<u64> {
        self.store().pump().ok();
        match Pin::new(&mut receipt).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome.ok(),
            Poll::Pending => None,
        }
    }

    fn maintain(&self) {
        while self.store().maintain(&|_| {}).is_ok_and(|step| !matches!(step, Step::Idle { .. })) {}
    }

    /// Events in files, in the log and in memory; erasures of each kind of them; events after those.
    fn live(&mut self) {
        for (number, site) in [0, 1, 0, 0, 1].into_iter().enumerate() {
            self.send(site, &format!("first-{number}"));
        }
        self.maintain();
        self.send(0, "second");
        self.erase(0);
        self.send(0, "third");
        self.erase(1);
        self.maintain();
        self.send(1, "fourth");
        self.erase(0);
        self.maintain();
    }

    fn events(&self) -> usize {
        self.store().sites().iter().map(|site| site.events_total as usize).sum()
    }

    /// Every acknowledged id is answered with its position.
    fn retry(&self) {
        for (site, id, lsn) in &self.acknowledged {
            let claimed = self.store().claim(&SiteId::parse(SITES[*site]).unwrap(), &EventId::parse(id).unwrap());
            assert!(matches!(claimed, Claimed::Stored(stored) if stored == *lsn), "{id} at {lsn}: {claimed:?}");
        }
    }
}

fn operations() -> u64 {
    let mut sender = Sender::new();
    sender.open();
    sender.live();
    assert_eq!((sender.acknowledged.len(), sender.events()), (8, 1));
    sender.disk.operations()
}

fn cut_off(at: u64, mode: CrashMode) {
    let mut sender = Sender::new();
    sender.disk.cut_power_at(at);
    if sender.open() {
        // What a client does without an answer is another matter: here it gives up.
        sender.live();
    }
    sender.store = None;
    sender.disk.crash_by(mode, &mut SimRng::new(at));
    for _ in 0..2 {
        assert!(sender.open());
        sender.retry();
        sender.maintain();
        sender.retry();
    }
}

/// The power goes when all is done, on a disk that leaves a sync out.
pub fn cut_off_in_the_end(forgets: Option<Forgets>, survivors: u64, mode: CrashMode) {
    let mut sender = Sender::forgetting(forgets);
    assert!(sender.open());
    sender.live();
    sender.store = None;
    sender.disk.crash_by(mode, &mut SimRng::new(survivors));
    assert!(sender.open());
    sender.retry();
}

#[test]
fn a_retry_of_an_erased_event_is_recognised_after_a_power_cut_at_any_operation() {
    let moments: Vec<u64> = (1..=operations()).collect();
    cores::map(&moments, |&at| {
        for mode in [CrashMode::LoseAll, CrashMode::Random, CrashMode::KeepAll] {
            case(&format!("power cut at operation {at}, {mode:?}"), || cut_off(at, mode));
        }
    });
    println!("{} power cuts", 3 * moments.len());
}

#[test]
fn nothing_is_kept_of_an_erased_id_beyond_its_window() {
    let mut sender = Sender::new();
    sender.open();
    sender.live();
    assert!(sender.disk.open(Path::new(KEPT)).is_ok());
    sender.clock.advance_us(WINDOW_US - 60 * 1_000_000);
    assert!(sender.open());
    sender.retry();
    sender.clock.advance_us(2 * HOUR_US);
    sender.maintain();
    assert!(sender.disk.open(Path::new(KEPT)).is_err(), "it is removed while the server runs");
    assert!(sender.open());
    for (site, id, _) in sender.acknowledged.clone() {
        let claimed = sender.store().claim(&SiteId::parse(SITES[site]).unwrap(), &EventId::parse(&id).unwrap());
        assert!(matches!(claimed, Claimed::New(_)), "{id}: {claimed:?}");
    }
}

/// Whoever sets the date a year ahead, and back, does not make the store forget what it has acknowledged.
#[test]
fn a_date_that_leaps_empties_no_window() {
    let mut sender = Sender::new();
    sender.open();
    sender.live();
    for by_us in [365 * 24 * HOUR_US, -365 * 24 * HOUR_US] {
        sender.clock.jump_us(by_us);
        sender.retry();
        sender.maintain();
    }
    assert!(sender.open());
    sender.retry();
}

#[test]
fn what_is_kept_holds_no_id_no_site_and_no_time_finer_than_an_hour() {
    let mut sender = Sender::new();
    sender.open();
    sender.live();
    let bytes = mallard_wal::disk::read(&sender.disk, Path::new(KEPT)).unwrap();
    for text in ["first", "second", "example"] {
        assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
    let entries = &bytes[24..bytes.len() - 4];
    assert_eq!(entries.len() % 32, 0);
    for entry in entries.chunks(32) {
        let arrived_us = i64::from_le_bytes(entry[24..].try_into().unwrap());
        assert_eq!(arrived_us % HOUR_US, 0);
    }
    // Bytes that were damaged cost the retries, not the start.
    sender.store = None;
    sender.disk.corrupt(Path::new(KEPT), 30, 1).unwrap();
    assert!(sender.open());
    sender.maintain();
    assert!(sender.disk.open(Path::new(KEPT)).is_err(), "what says nothing is removed");
}

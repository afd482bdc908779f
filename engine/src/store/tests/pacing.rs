//! How often work that goes on failing is tried again, through the loop of the maintenance thread: whatever fails, the rest
//! has its turn.

use std::time::Duration;

use super::*;
use crate::maintenance::{Maintained, run};

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;
/// How often an event comes, where there is traffic.
const TRAFFIC_US: i64 = 10 * SECOND_US;

/// The maintenance thread of a bench, on the simulated clock.
struct Thread<'a> {
    bench: &'a mut Bench,
    until_us: i64,
    /// The site to which an event comes every now and then.
    traffic: Option<&'static str>,
    next_us: i64,
    steps: usize,
}

impl Thread<'_> {
    /// Lets time pass; events that come meanwhile end it if `until_work`.
    fn pass(&mut self, time: Duration, until_work: bool) {
        let end_us = self.bench.clock.steady_us() + i64::try_from(time.as_micros()).unwrap();
        let end_us = end_us.min(self.until_us);
        while let Some(site) = self.traffic.filter(|_| self.next_us <= end_us) {
            self.advance_to(self.next_us);
            self.next_us += TRAFFIC_US;
            self.bench.send(site, 1);
            if until_work {
                return;
            }
        }
        self.advance_to(end_us);
    }

    fn advance_to(&self, at_us: i64) {
        self.bench.clock.advance_us((at_us - self.bench.clock.steady_us()).max(0));
    }
}

impl Maintained for Thread<'_> {
    fn is_stopped(&self) -> bool {
        self.bench.clock.steady_us() >= self.until_us
    }

    fn maintain(&mut self) -> Result<Step, Error> {
        self.steps += 1;
        assert!(self.steps < 100_000, "it runs hot");
        match self.bench.store().maintain(&|_| {}) {
            Ok(Step::Idle { next_in_us }) => Ok(Step::Idle { next_in_us: next_in_us.min(self.bench.store().scrub()) }),
            step => step,
        }
    }

    fn pause_us(&self) -> i64 {
        self.bench.store().pause_us()
    }

    fn wait_for_work(&mut self, limit: Duration) {
        self.pass(limit, true);
    }

    fn wait(&mut self, time: Duration) {
        self.pass(time, false);
    }
}

/// The thread maintains for so many minutes, while events come to `traffic`; returns how often it has looked for work.
fn maintain(bench: &mut Bench, minutes: i64, traffic: Option<&'static str>) -> usize {
    let now_us = bench.clock.steady_us();
    let until_us = now_us + minutes * MINUTE_US;
    let mut thread = Thread { bench, until_us, traffic, next_us: now_us + TRAFFIC_US, steps: 0 };
    run(&mut thread);
    thread.steps
}

#[test]
fn a_folder_that_cannot_be_listed_keeps_no_other_work_from_its_turn_however_long_it_was_quiet() {
    let mut bench = Bench::new(1);
    bench.files("a", 1);
    bench.disk.break_folder(Path::new("/data/events/site_id=a"), true).unwrap();
    bench.restart();
    let quiet = maintain(&mut bench, 20, None);
    assert!((40..200).contains(&quiet), "it is tried twice a minute: {quiet} steps");
    maintain(&mut bench, 10, Some("b"));
    let waiting = bench.store().status().buffered_events;
    assert!(waiting <= 2 && !bench.live("b").is_empty(), "{waiting} events wait");
    assert!(bench.reasons()[0].starts_with("failing: the removal of leftovers, "), "{:?}", bench.reasons());
    assert!(bench.store().scrub() > DAY_US, "and every file has been read");
    bench.disk.break_folder(Path::new("/data/events/site_id=a"), false).unwrap();
    maintain(&mut bench, 1, None);
    assert_eq!(bench.reasons(), Vec::<String>::new(), "what can be done again is done within the rest");
}

#[test]
fn an_erasure_that_goes_on_failing_keeps_no_other_work_from_its_turn() {
    let mut bench = Bench::new(1);
    bench.files("a", 1);
    super::unreadable::erase_visitor(&bench, "a");
    bench.settle_well();
    let ledger = bench.store().layout().ledger();
    bench.disk.corrupt(&ledger, 20, 1).unwrap();
    super::unreadable::erase_visitor(&bench, "b");
    maintain(&mut bench, 10, None);
    maintain(&mut bench, 10, Some("b"));
    let waiting = bench.store().status().buffered_events;
    assert!(waiting <= 2 && !bench.live("b").is_empty(), "{waiting} events wait");
    assert!(bench.reasons()[0].starts_with("failing: an erasure, "), "{:?}", bench.reasons());
    bench.disk.corrupt(&ledger, 20, 1).unwrap();
    maintain(&mut bench, 1, None);
    assert!(!bench.store().is_erasing());
    assert_eq!(bench.reasons(), Vec::<String>::new());
}

#[test]
fn a_full_volume_is_asked_again_within_its_rest_and_not_all_the_time() {
    let mut bench = Bench::new(1);
    bench.files("a", 1);
    bench.send("a", 1);
    bench.store().log.seal().unwrap();
    bench.disk.set_capacity(0);
    let steps = maintain(&mut bench, 20, None);
    assert!(steps < 200, "{steps} steps");
    bench.disk.set_capacity(1 << 30);
    maintain(&mut bench, 1, None);
    assert_eq!((bench.live("a").len(), bench.store().status().buffered_events), (1, 0), "compacted, then merged");
}

#[test]
fn a_poisoned_store_is_looked_at_once_a_second() {
    let mut bench = Bench::new(1);
    bench.store().poison("it has failed");
    let steps = maintain(&mut bench, 1, None);
    assert_eq!(steps, 60);
}

//! Random histories: run in parallel, replayed from a seed, made short before they are reported.
//!
//! `MALLARD_TEST_SCHEDULES` is their number, `MALLARD_TEST_FIRST_SEED` the first seed, `MALLARD_TEST_SEED` the one history
//! to run alone.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use mallard_wal::disk::sim::SimRng;

use crate::act::{self, Act};
use crate::quiet::quietly;
use crate::world::{Setting, World};

/// Seeds that a thread takes at a time.
const SEEDS_AT_A_TIME: u64 = 32;
/// How often a long run says how far it is.
const SCHEDULES_PER_REPORT: u64 = 50_000;

/// A history and the store it happens to.
#[derive(Clone, Debug)]
pub struct History {
    pub setting: Setting,
    pub acts: Vec<Act>,
}

impl History {
    pub fn draw(seed: u64) -> Self {
        let mut rng = SimRng::new(seed);
        let setting = Setting::draw(seed, &mut rng);
        Self { setting, acts: act::history(&mut rng) }
    }

    /// Lives; fails if an invariant does. Returns how many operations the disk was asked for.
    pub fn run(&self) -> u64 {
        let mut world = World::new(self.setting);
        world.open();
        for act in &self.acts {
            world.act(*act);
        }
        world.finish();
        world.disk.operations()
    }

    /// The same failure with as few acts as possible: leaves out whatever it fails without.
    pub fn shrink(mut self) -> Self {
        self.setting.is_watchful |= self.with_watch().fails();
        let mut length = self.acts.len().div_ceil(2);
        while length > 0 {
            let mut at = 0;
            while at < self.acts.len() {
                let mut shorter = self.clone();
                shorter.acts.drain(at..(at + length).min(self.acts.len()));
                if shorter.fails() {
                    self = shorter;
                } else {
                    at += length;
                }
            }
            length /= 2;
        }
        self
    }

    fn with_watch(&self) -> Self {
        Self { setting: Setting { is_watchful: true, ..self.setting }, acts: self.acts.clone() }
    }

    fn fails(&self) -> bool {
        quietly(|| self.run()).is_err()
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Runs histories on all cores until one fails or all are through.
pub fn run_all(default: u64) {
    let first = number("MALLARD_TEST_SEED").or(number("MALLARD_TEST_FIRST_SEED")).unwrap_or(0);
    let count =
        if number("MALLARD_TEST_SEED").is_some() { 1 } else { number("MALLARD_TEST_SCHEDULES").unwrap_or(default) };
    let run =
        Run { next: AtomicU64::new(0), operations: AtomicU64::new(0), failed: Mutex::new(None), stop: false.into() };
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| run.work(first, count, started));
        }
    });
    let failed = run.failed.into_inner().unwrap();
    if let Some((seed, message)) = failed {
        report(seed, &message);
    }
    let (seconds, operations) = (started.elapsed().as_secs_f64(), run.operations.into_inner());
    println!(
        "{count} schedules, {operations} disk operations, in {seconds:.1} s: {:.0} schedules/s on {} threads",
        count as f64 / seconds,
        thread::available_parallelism().map_or(1, usize::from),
    );
}

struct Run {
    next: AtomicU64,
    operations: AtomicU64,
    failed: Mutex<Option<(u64, String)>>,
    stop: AtomicBool,
}

impl Run {
    fn work(&self, first: u64, count: u64, started: Instant) {
        while !self.stop.load(Ordering::Relaxed) {
            let start = self.next.fetch_add(SEEDS_AT_A_TIME, Ordering::Relaxed);
            if start >= count {
                return;
            }
            for index in start..(start + SEEDS_AT_A_TIME).min(count) {
                self.one(first.wrapping_add(index));
            }
            let done = start + SEEDS_AT_A_TIME;
            if done % SCHEDULES_PER_REPORT < SEEDS_AT_A_TIME {
                println!("{done} schedules, {:.0}/s", done as f64 / started.elapsed().as_secs_f64());
            }
        }
    }

    fn one(&self, seed: u64) {
        match quietly(|| History::draw(seed).run()) {
            Ok(operations) => drop(self.operations.fetch_add(operations, Ordering::Relaxed)),
            Err(message) => {
                self.stop.store(true, Ordering::Relaxed);
                self.failed.lock().unwrap().get_or_insert((seed, message));
            }
        }
    }
}

/// Fails, with all that is needed to see it again.
fn report(seed: u64, message: &str) -> ! {
    let shortest = History::draw(seed).shrink();
    let shown = quietly(|| shortest.run()).err().unwrap_or_default();
    println!("seed {seed}: {message}\nto replay: MALLARD_TEST_SEED={seed}\nshortest history with a failure ({shown}):");
    println!("{:?}\n{:?}", shortest.setting, shortest.acts);
    panic!("seed {seed}: {message}");
}

//! Power cuts and failing calls at every moment, on a simulated disk that keeps any subset of what was not synced.
//!
//! The oracle knows what was sent, acknowledged and refused. After every crash a recovery must give back
//!
//! - every acknowledged record above the checkpoint, at its LSN,
//! - nothing that was not sent, nothing that was refused, nothing twice, in the order it was sent,
//! - dense LSNs without a single gap, for a crash is not damage.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;

use common::forgetful::{Forgetful, Forgets};
use common::{Delivered, Home, Running, assert_dense, draft, small};
use mallard_wal::disk::sim::{self, CrashMode, EIO, ENOSPC, Fault, SimDisk, SimRng};
use mallard_wal::{Drive, Error, LogError, Lsn, Receipt, Refused};

#[derive(Clone, Debug)]
enum Step {
    /// Append this many records of this size and commit them.
    Commit(usize, usize),
    /// Append them as one group.
    CommitAll(usize, usize),
    /// Pump the idle log, which writes a MARK.
    Idle,
    Seal,
    /// Move the checkpoint behind the oldest sealed segment and trim.
    Trim,
    /// Close and start again.
    Restart,
    /// Start again without closing.
    Kill,
}

/// A little of everything; rolls over, seals, trims and restarts.
fn script() -> Vec<Step> {
    vec![
        Step::Commit(1, 10),
        Step::CommitAll(3, 100),
        Step::Idle,
        Step::Commit(5, 1500),
        Step::Commit(2, 3000),
        Step::Commit(6, 2500),
        Step::Seal,
        Step::Commit(2, 50),
        Step::Kill,
        Step::Commit(1, 700),
        Step::Trim,
        Step::Idle,
        Step::Restart,
        Step::CommitAll(4, 1900),
        Step::Seal,
        Step::Trim,
        Step::Commit(1, 0),
    ]
}

/// What a client and an operator know.
#[derive(Debug, Default)]
struct Oracle {
    next_item: u64,
    /// Item by LSN.
    acknowledged: BTreeMap<u64, u64>,
    /// Items of which the log said that nothing was written.
    refused: BTreeSet<u64>,
    checkpoint: u64,
}

/// The life of a log ended early.
struct Ended;

impl From<Error> for Ended {
    fn from(_: Error) -> Self {
        Self
    }
}

impl Oracle {
    /// Runs a script until it is through or the log has failed for good.
    fn live(&mut self, home: &Home, script: &[Step]) -> Result<(), Ended> {
        let mut running = self.start(home)?;
        for step in script {
            let result = self.perform(home, &mut running, step);
            if result.is_err() {
                check_end(&running);
                return Err(Ended);
            }
        }
        Ok(())
    }

    fn start(&mut self, home: &Home) -> Result<Running, Error> {
        let running = home.start(self.checkpoint, Drive::Manual)?;
        self.check(&running.delivered);
        assert_eq!(running.report.gaps, []);
        Ok(running)
    }

    fn perform(&mut self, home: &Home, running: &mut Running, step: &Step) -> Result<(), Ended> {
        match *step {
            Step::Commit(count, size) => {
                let receipts = (0..count).map(|_| self.append(running, &[size])).collect::<Result<Vec<_>, _>>();
                self.settle(running, receipts?)?;
            }
            Step::CommitAll(count, size) => {
                let receipt = self.append(running, &vec![size; count])?;
                self.settle(running, vec![receipt])?;
            }
            Step::Idle => {
                running.log.pump()?;
            }
            Step::Seal => {
                running.log.seal()?;
            }
            Step::Trim => {
                if let Some(oldest) = running.log.sealed().first() {
                    self.checkpoint = oldest.last_lsn.get();
                }
                running.log.trim(Lsn::new(self.checkpoint))?;
            }
            Step::Restart => {
                running.log.close()?;
                *running = self.start(home)?;
            }
            Step::Kill => *running = self.start(home)?,
        }
        Ok(())
    }

    fn append(&mut self, running: &Running, sizes: &[usize]) -> Result<(Receipt, Vec<u64>), Ended> {
        let items: Vec<_> = (self.next_item..).take(sizes.len()).collect();
        self.next_item += sizes.len() as u64;
        let records = items.iter().zip(sizes).map(|(&item, &size)| (draft(item, size), item)).collect();
        match running.log.append_all(records) {
            Ok(receipt) => Ok((receipt, items)),
            Err(Refused::Poisoned) => Err(Ended),
            Err(refused) => panic!("{refused}"),
        }
    }

    /// Commits what waits and notes the answers.
    fn settle(&mut self, running: &Running, waiting: Vec<(Receipt, Vec<u64>)>) -> Result<(), Ended> {
        let mut result = Ok(true);
        while matches!(result, Ok(true)) {
            result = running.log.pump();
        }
        for (receipt, items) in waiting {
            match receipt.wait() {
                Ok(first) => self.acknowledged.extend((first.get()..).zip(items)),
                Err(LogError::NotWritten(_)) => self.refused.extend(items),
                Err(LogError::OutcomeUnknown) => assert!(result.is_err(), "only a poisoned log does not know"),
            }
        }
        Ok(result.map(|_| ())?)
    }

    /// What a recovery delivered is what was promised.
    fn check(&mut self, delivered: &[Delivered]) {
        assert_dense(delivered, self.checkpoint + 1);
        let mut found = BTreeMap::new();
        for delivery in delivered {
            let Delivered::Record(lsn, item) = *delivery else { panic!("a crash is not damage: {delivered:?}") };
            assert!(item < self.next_item, "item {item} was never sent");
            assert!(!self.refused.contains(&item), "item {item} was refused and is there");
            let newest = found.last_key_value().map_or(0, |(_, item)| *item);
            assert!(found.is_empty() || newest < item, "item {item} is there twice or out of order: {delivered:?}");
            found.insert(lsn, item);
        }
        for (lsn, item) in self.acknowledged.range(self.checkpoint + 1..) {
            assert_eq!(found.get(lsn), Some(item), "acknowledged LSN {lsn} is lost: {delivered:?}");
        }
        // What was delivered once is a promise from now on.
        self.acknowledged.extend(found);
    }

    /// Recovers twice; both must give what was promised, and the same.
    fn check_twice(&mut self, home: &Home) {
        let (recovery, once) = home.recover(self.checkpoint).unwrap();
        self.check(&once);
        assert_eq!(recovery.report().gaps, []);
        assert_eq!(recovery.report().quarantined.len() as u64, recovery.report().torn_frames);
        let (_, twice) = home.recover(self.checkpoint).unwrap();
        assert_eq!(once, twice);
        // The log goes on behind what is there.
        let running = self.start(home).unwrap();
        let item = self.next_item;
        self.next_item += 1;
        let lsn = running.commit(item, 33);
        assert_eq!(lsn, recovery.report().next_lsn.get());
        self.acknowledged.insert(lsn, item);
    }
}

/// A log that failed says so to everybody, once, and takes nothing more.
fn check_end(running: &Running) {
    let Some(cause) = running.log.status().poisoned else { return };
    assert_eq!(running.ears.0.lock().unwrap().poisoned, [cause]);
    assert_eq!(running.log.append(draft(u64::MAX, 0), u64::MAX).unwrap_err(), Refused::Poisoned);
    assert!(matches!(running.log.pump(), Err(Error::Poisoned { .. })));
    assert!(matches!(running.log.seal(), Err(Error::Poisoned { .. })));
    assert!(matches!(running.log.close(), Err(Error::Poisoned { .. })));
}

fn machine(seed: u64) -> (Home, SimDisk, SimRng) {
    let (env, disk, _) = sim::env(seed);
    (Home::new(env, Path::new("/"), small()), disk, SimRng::new(seed))
}

/// The numbers of the mutating calls that the script makes when nothing fails.
fn operations() -> RangeInclusive<u64> {
    let (home, disk, _) = machine(0);
    let before = disk.operations();
    assert!(Oracle::default().live(&home, &script()).is_ok());
    assert!(disk.operations() > before + 100, "the script does too little");
    before + 1..=disk.operations()
}

/// Prints the last calls if the closure panics.
#[allow(clippy::print_stdout, reason = "the output of a failed test is shown")]
fn traced(disk: &SimDisk, case: &str, run: impl FnOnce()) {
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    if let Err(panic) = result {
        println!("{case} failed; the calls:\n{}", disk.trace().join("\n"));
        panic::resume_unwind(panic);
    }
}

#[test]
fn a_power_cut_at_any_call_loses_nothing_acknowledged() {
    let mut cases = 0;
    for cut in operations() {
        for seed in 0..12 {
            let (home, disk, mut rng) = machine(seed);
            traced(&disk, &format!("power cut at call {cut}, seed {seed}"), || {
                let mut oracle = Oracle::default();
                disk.cut_power_at(cut);
                assert!(oracle.live(&home, &script()).is_err());
                match seed {
                    0 => disk.crash_by(CrashMode::LoseAll, &mut rng),
                    1 => disk.crash_by(CrashMode::KeepAll, &mut rng),
                    _ => disk.crash(&mut rng),
                }
                oracle.check_twice(&home);
                disk.crash_by(CrashMode::LoseAll, &mut rng);
                oracle.check_twice(&home);
            });
            cases += 1;
        }
    }
    println!("{cases} power cuts");
}

#[test]
fn a_power_cut_at_any_call_of_a_recovery_loses_nothing_acknowledged() {
    let mut cases = 0;
    for cut in operations().step_by(3) {
        for again in 1.. {
            let (home, disk, mut rng) = machine(cut * 1000 + again);
            let mut is_through = false;
            traced(&disk, &format!("power cut at call {cut}, then at call {again} of the recovery"), || {
                let mut oracle = Oracle::default();
                disk.cut_power_at(cut);
                assert!(oracle.live(&home, &script()).is_err());
                disk.crash(&mut rng);
                disk.cut_power_at(disk.operations() + again);
                is_through = oracle.start(&home).is_ok();
                disk.crash(&mut rng);
                oracle.check_twice(&home);
            });
            cases += 1;
            if is_through {
                break;
            }
        }
    }
    println!("{cases} power cuts during recovery");
}

#[test]
fn a_failing_call_is_never_followed_by_a_false_acknowledgement() {
    let faults = [Fault::ErrorOnce(EIO), Fault::ErrorOnce(ENOSPC), Fault::ErrorForEver(EIO), Fault::ShortWrite];
    let mut cases = 0;
    for at in operations() {
        for (fault, seed) in faults.into_iter().flat_map(|fault| (0..4).map(move |seed| (fault, seed))) {
            let (home, disk, mut rng) = machine(seed);
            traced(&disk, &format!("{fault:?} at call {at}, seed {seed}"), || {
                let mut oracle = Oracle::default();
                disk.fail_at(at, fault);
                // The end of it is not asserted: a failed preparation or trim is survived, the rest is not.
                let _ended = oracle.live(&home, &script());
                if fault == Fault::ErrorForEver(EIO) || seed % 2 == 0 {
                    disk.crash(&mut rng);
                }
                // Without the crash this is a restart of the process: the cache may show what the disk does not hold.
                oracle.check_twice(&home);
                disk.crash_by(CrashMode::LoseAll, &mut rng);
                oracle.check_twice(&home);
            });
            cases += 1;
        }
    }
    println!("{cases} failing calls");
}

#[test]
fn this_simulation_sees_a_log_that_forgets_a_sync() {
    for forgets in [Forgets::Files, Forgets::Folders] {
        let seen = (1..200).filter(|&seed| {
            let (mut home, disk, mut rng) = machine(seed);
            home.env.disk = Arc::new(Forgetful::new(disk.clone(), forgets));
            let mut oracle = Oracle::default();
            disk.cut_power_at(disk.operations() + 10 + seed / 4);
            assert!(oracle.live(&home, &script()).is_err());
            disk.crash(&mut rng);
            panic::catch_unwind(AssertUnwindSafe(|| oracle.check_twice(&home))).is_err()
        });
        let seen = seen.count();
        assert!(seen > 20, "only {seen} of 199 power cuts showed what was forgotten: {forgets:?}");
    }
}

#[test]
fn random_lives_and_deaths_lose_nothing_acknowledged() {
    for seed in 0..1500 {
        let (home, disk, mut rng) = machine(seed);
        traced(&disk, &format!("seed {seed}"), || {
            let mut oracle = Oracle::default();
            for _ in 0..5 {
                let script: Vec<_> = (0..rng.below(25)).map(|_| random_step(&mut rng)).collect();
                let at = disk.operations() + 1 + rng.below(120);
                match rng.below(4) {
                    0 => disk.fail_at(at, Fault::ErrorOnce(EIO)),
                    1 => disk.fail_at(at, Fault::ShortWrite),
                    _ => disk.cut_power_at(at),
                }
                let _ended = oracle.live(&home, &script);
                if rng.chance(4, 5) {
                    disk.crash(&mut rng);
                }
            }
            disk.crash(&mut rng);
            oracle.check_twice(&home);
        });
    }
}

fn random_step(rng: &mut SimRng) -> Step {
    let count = usize::try_from(1 + rng.below(5)).unwrap();
    let size = usize::try_from(if rng.chance(1, 4) { rng.below(1500) } else { rng.below(200) }).unwrap();
    match rng.below(12) {
        0..=4 => Step::Commit(count, size),
        5 | 6 => Step::CommitAll(count, size),
        7 => Step::Idle,
        8 => Step::Seal,
        9 => Step::Trim,
        10 => Step::Restart,
        _ => Step::Kill,
    }
}

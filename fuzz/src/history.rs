//! Lives of a log on a simulated disk, as steps of a script: appends, seals, trims, restarts, kills, power cuts, failing
//! calls. And an oracle that knows what was sent, acknowledged and refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mallard_wal::disk::sim::{self, EIO, ENOSPC, Fault, SimDisk, SimRng};
use mallard_wal::disk::{self, Env};
use mallard_wal::{Committed, Drive, Error, Log, LogError, Lsn, Observer, Origin, Receipt, Recovery, SealedSegment};

use crate::damage::{Contents, Damage, Strike};
use crate::script::Script;
use crate::{STORE_ID, config, entry};

const WAL: &str = "/wal";
const QUARANTINE: &str = "/quarantine";
/// Starts that are tried while calls fail; after a power cut none fails any more.
const STARTS_MAX: usize = 3;

/// What a recovery delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// LSN and number of an entry.
    Entry(u64, u64),
    /// First and last lost LSN.
    Gap(u64, u64),
}

/// A machine with a log's two folders.
pub struct Machine {
    env: Env,
    disk: SimDisk,
}

impl Machine {
    fn new(seed: u64) -> Self {
        let (env, disk, _) = sim::env(seed);
        for folder in [WAL, QUARANTINE] {
            env.disk.create_dir(Path::new(folder)).expect("an empty disk has room");
        }
        env.disk.sync_dir(Path::new("/")).expect("no call fails yet");
        Self { env, disk }
    }

    /// A machine with these files.
    pub fn with_files<'a>(files: impl IntoIterator<Item = (&'a PathBuf, &'a Vec<u8>)>) -> Self {
        let machine = Self::new(2);
        for (path, bytes) in files {
            let file = machine.env.disk.create(path).expect("an empty disk has room");
            file.write_all_at(bytes, 0).and_then(|()| file.sync_data()).expect("no call fails");
        }
        machine.env.disk.sync_dir(Path::new(WAL)).expect("no call fails");
        machine
    }

    /// Recovers the log, whatever may be in its records; `on_record` hears of each.
    pub fn recover(
        &self,
        checkpoint: u64,
        on_record: &mut dyn FnMut(mallard_wal::Record<'_>),
    ) -> Result<Recovery, Error> {
        let origin = Origin::new(STORE_ID, Lsn::new(checkpoint));
        mallard_wal::recover(&self.env, Path::new(WAL), Path::new(QUARANTINE), &config(), origin, on_record)
    }

    /// Recovers a log of numbered entries.
    pub fn recover_entries(&self, checkpoint: u64) -> Result<(Recovery, Vec<Delivered>), Error> {
        let mut delivered = Vec::new();
        let recovery = self.recover(checkpoint, &mut |record| {
            delivered.push(match record.gap() {
                Some((first, last)) => Delivered::Gap(first.get(), last.get()),
                None => Delivered::Entry(record.lsn.get(), entry::item_of(&record)),
            });
        })?;
        Ok((recovery, delivered))
    }

    /// The segment files, by name.
    fn files(&self) -> (Vec<PathBuf>, Contents) {
        let entries = self.env.disk.list(Path::new(WAL)).expect("no call fails");
        let names = entries.into_iter().filter(|entry| entry.name.ends_with(".wal")).map(|entry| entry.name);
        let read = |name: String| {
            let path = Path::new(WAL).join(name);
            let bytes = disk::read(self.env.disk.as_ref(), &path).expect("no call fails");
            (path, bytes)
        };
        names.map(read).unzip()
    }
}

/// What a client and an operator know.
#[derive(Debug, Default)]
struct Oracle {
    next_item: u64,
    /// Entry by LSN.
    acknowledged: BTreeMap<u64, u64>,
    /// Entries of which the log said that nothing was written.
    refused: BTreeSet<u64>,
    checkpoint: u64,
}

impl Oracle {
    /// Checks what holds after any damage: dense LSNs, no entry but those sent, none twice, all in order, and under an
    /// LSN that was acknowledged the entry it was acknowledged for, or a gap.
    fn check_damaged(&self, delivered: &[Delivered]) {
        let mut next = self.checkpoint + 1;
        let mut items = 0..self.next_item;
        for delivery in delivered {
            match *delivery {
                Delivered::Entry(lsn, item) => {
                    assert_eq!(lsn, next, "LSNs are not dense: {delivered:?}");
                    assert!(items.contains(&item), "entry {item} is there twice or was never sent: {delivered:?}");
                    assert!(!self.refused.contains(&item), "entry {item} was refused and is there");
                    let promised = self.acknowledged.get(&lsn);
                    assert!(promised.is_none_or(|promised| *promised == item), "LSN {lsn} has entry {item}");
                    items.start = item + 1;
                    next += 1;
                }
                Delivered::Gap(first, last) => {
                    assert!(first <= next && next <= last, "a gap is out of place: {delivered:?}");
                    next = last + 1;
                }
            }
        }
    }

    /// Checks what holds if there was none: all that was acknowledged is there. What was delivered once is a promise.
    fn check(&mut self, delivered: &[Delivered]) {
        self.check_damaged(delivered);
        let mut found = BTreeMap::new();
        for delivery in delivered {
            let Delivered::Entry(lsn, item) = *delivery else { panic!("no damage, and yet a gap: {delivered:?}") };
            found.insert(lsn, item);
        }
        for (lsn, item) in self.acknowledged.range(self.checkpoint + 1..) {
            assert_eq!(found.get(lsn), Some(item), "acknowledged LSN {lsn} is lost: {delivered:?}");
        }
        self.acknowledged.extend(found);
    }
}

/// Nobody listens.
struct Silence;

impl Observer<()> for Silence {
    fn committed(&self, _: Committed<()>) {}
    fn sealed(&self, _: SealedSegment) {}
    fn poisoned(&self, _: &str) {}
}

/// A life ended early.
struct Ended;

impl From<Error> for Ended {
    fn from(_: Error) -> Self {
        Self
    }
}

/// The lives of one log.
pub struct History {
    machine: Machine,
    oracle: Oracle,
    log: Option<Log<()>>,
    /// Receipts that were not asked, with the entries they stand for.
    waiting: Vec<(Receipt, Vec<u64>)>,
}

impl History {
    /// Lives the script until it ends, or until its step for the end of the last life.
    pub fn live(script: &mut Script<'_>) -> Self {
        let machine = Machine::new(1);
        let mut history = Self { machine, oracle: Oracle::default(), log: None, waiting: Vec::new() };
        history.start();
        while let Some(step) = script.step(16).filter(|step| *step < 15) {
            if history.perform(step, script).is_err() {
                history.cut_power(script.u8());
            }
        }
        history.end();
        history
    }

    fn perform(&mut self, step: u8, script: &mut Script<'_>) -> Result<(), Ended> {
        match step {
            0..=3 => {
                for _ in 0..=script.u8() % 4 {
                    self.append(&[script.u16() % 2600])?;
                }
                self.settle()?;
            }
            4 | 5 => {
                let sizes: Vec<_> = (0..=script.u8() % 4).map(|_| script.u16() % 1900).collect();
                self.append(&sizes)?;
                self.settle()?;
            }
            // Left in the queue for whatever comes next.
            6 => self.append(&[script.u16() % 2600])?,
            7 => {
                self.log().pump()?;
                self.settle()?;
            }
            8 => {
                self.log().seal()?;
            }
            9 => self.trim()?,
            10 => {
                self.log().close()?;
                self.settle_closed();
                self.start();
            }
            11 => self.start(),
            12 => self.cut_power(script.u8()),
            13 => self.machine.disk.cut_power_at(self.soon(script.u8())),
            _ => {
                let fault = if script.u8() % 2 == 0 { EIO } else { ENOSPC };
                self.machine.disk.fail_at(self.soon(script.u8()), Fault::ErrorOnce(fault));
            }
        }
        Ok(())
    }

    fn soon(&self, calls: u8) -> u64 {
        self.machine.disk.operations() + 1 + u64::from(calls % 64)
    }

    fn log(&self) -> &Log<()> {
        self.log.as_ref().expect("a log runs between two steps")
    }

    fn append(&mut self, sizes: &[u16]) -> Result<(), Ended> {
        let items: Vec<_> = (self.oracle.next_item..).take(sizes.len()).collect();
        self.oracle.next_item += sizes.len() as u64;
        let drafts = items.iter().zip(sizes).map(|(&item, &size)| (entry::draft(item, size.into()), ()));
        match self.log().append_all(drafts.collect()) {
            Ok(receipt) => self.waiting.push((receipt, items)),
            Err(mallard_wal::Refused::Poisoned) => return Err(Ended),
            Err(_) => self.oracle.refused.extend(items),
        }
        Ok(())
    }

    /// Commits what waits and notes the answers.
    fn settle(&mut self) -> Result<(), Ended> {
        let mut result = Ok(true);
        while matches!(result, Ok(true)) {
            result = self.log().pump();
        }
        for (receipt, items) in self.waiting.drain(..) {
            match receipt.wait() {
                Ok(first) => self.oracle.acknowledged.extend((first.get()..).zip(items)),
                Err(LogError::NotWritten(_)) => self.oracle.refused.extend(items),
                Err(LogError::OutcomeUnknown) => assert!(result.is_err(), "only a poisoned log does not know"),
            }
        }
        Ok(result.map(|_| ())?)
    }

    fn settle_closed(&mut self) {
        for (receipt, items) in self.waiting.drain(..) {
            match receipt.wait() {
                Ok(first) => self.oracle.acknowledged.extend((first.get()..).zip(items)),
                Err(LogError::NotWritten(_)) => self.oracle.refused.extend(items),
                Err(LogError::OutcomeUnknown) => panic!("a log that was closed well knows"),
            }
        }
    }

    fn trim(&mut self) -> Result<(), Ended> {
        if let Some(oldest) = self.log().sealed().first() {
            self.oracle.checkpoint = oldest.last_lsn.get();
        }
        self.log().trim(Lsn::new(self.oracle.checkpoint))?;
        Ok(())
    }

    fn cut_power(&mut self, seed: u8) {
        self.stop();
        self.machine.disk.crash(&mut SimRng::new(seed.into()));
        self.start();
    }

    fn stop(&mut self) {
        self.log = None;
        self.waiting.clear();
    }

    /// Starts the log; while calls fail that includes power cuts.
    fn start(&mut self) {
        self.stop();
        for seed in 0..STARTS_MAX as u64 {
            match self.try_start() {
                Ok(log) => {
                    self.log = Some(log);
                    return;
                }
                Err(_) => self.machine.disk.crash(&mut SimRng::new(seed)),
            }
        }
        panic!("the log does not start after a power cut: {:?}", self.try_start().err());
    }

    fn try_start(&mut self) -> Result<Log<()>, Error> {
        let (recovery, delivered) = self.machine.recover_entries(self.oracle.checkpoint)?;
        self.oracle.check(&delivered);
        assert_eq!(recovery.report().quarantined.len() as u64, recovery.report().torn_frames, "a crash is not damage");
        recovery.start(Arc::new(Silence), Drive::Manual)
    }

    /// The last life ends as by a kill, with everything written in its place.
    fn end(&mut self) {
        self.stop();
        self.machine.disk.crash_by(sim::CrashMode::KeepAll, &mut SimRng::new(0));
    }

    /// What is left after the strikes of the rest of the script: a recovery delivers nothing wrong, says what is missing,
    /// and does the same again.
    pub fn damage(self, script: &mut Script<'_>) {
        let Self { machine, mut oracle, .. } = self;
        let (paths, mut contents) = machine.files();
        let (mut removed, mut unreadable) = (BTreeSet::new(), Vec::new());
        let mut is_damaged = false;
        while let Some(strike) = Strike::parse(script, &contents) {
            match strike.damage {
                Damage::Remove => drop(removed.insert(strike.file)),
                Damage::Unreadable => unreadable.push(strike),
                _ => strike.apply(&mut contents),
            }
            is_damaged = true;
        }
        let left = || paths.iter().zip(&contents).enumerate().filter(|(index, _)| !removed.contains(index));
        let damaged = Machine::with_files(left().map(|(_, file)| file));
        for strike in unreadable.iter().filter(|strike| !removed.contains(&strike.file)) {
            // A file that was cut may not have that sector any more.
            let _ = damaged.disk.break_sector(&paths[strike.file], strike.at as u64);
        }
        let (recovery, delivered) = damaged.recover_entries(oracle.checkpoint).expect("no damage stops a recovery");
        if is_damaged { oracle.check_damaged(&delivered) } else { oracle.check(&delivered) }
        check_report(&recovery, &delivered, oracle.checkpoint);
        let (again, same) = damaged.recover_entries(oracle.checkpoint).expect("what was recovered is sound");
        assert_eq!(same, delivered, "a second recovery delivers the same");
        drop(again.start(Arc::new(Silence), Drive::Manual).expect("what was recovered goes on"));
        let (third, same) = damaged.recover_entries(oracle.checkpoint).expect("what went on is sound");
        assert_eq!(same, delivered, "a third recovery delivers the same");
        assert!(third.report().quarantined.is_empty(), "once a log has gone on, there is nothing left to find");
    }
}

/// The report names each gap, and the LSN that comes next.
fn check_report(recovery: &Recovery, delivered: &[Delivered], checkpoint: u64) {
    let gaps = delivered.iter().filter_map(|delivery| match delivery {
        Delivered::Gap(first, last) => Some((Lsn::new(*first.max(&(checkpoint + 1))), Lsn::new(*last))),
        Delivered::Entry(..) => None,
    });
    assert!(gaps.eq(recovery.report().gaps.iter().copied()), "every gap is reported");
    let last = delivered.last().map_or(checkpoint, |delivery| match delivery {
        Delivered::Entry(lsn, _) => *lsn,
        Delivered::Gap(_, last) => *last,
    });
    assert!(recovery.report().next_lsn.get() > last.max(checkpoint));
}

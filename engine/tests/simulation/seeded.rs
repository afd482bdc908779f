//! The detectors detected: with any known durability bug switched on, the same lives and histories that pass without it
//! must fail.
//!
//! Each bug is tried against five detectors, the functions that the tests of [`lives`](crate::lives) and
//! [`history`](crate::history) run; the test prints how often each of them saw it. Bugs that only damaged media bring out
//! have their table in `wal/tests/damage` and `compactor/tests/suite`.

use std::rc::Rc;

use mallard_wal::disk::sim::{CrashMode, SimRng};
use mallard_wal::seeded::{self, Bug};

use crate::act::Act;
use crate::cores;
use crate::erasing;
use crate::forgetful::Forgets;
use crate::history::History;
use crate::lives;
use crate::quiet::quietly;
use crate::retries;
use crate::world::{Setting, World};

/// Every how many operations of the life the power is cut a second time, in the recovery.
const TWICE_STEP: usize = 7;
/// About the operations of a recovery.
const RECOVERY_OPERATIONS: u64 = 48;
const HISTORIES: u64 = 300;
/// A bug that was seen so often is seen. `MALLARD_TEST_FULL=1` makes all attempts, for the figures in the documentation.
const ENOUGH: usize = 3;

/// Bugs of the store that a crash, an error or a reader at the wrong moment brings out.
const BUGS: [Bug; 15] = [
    Bug::AcknowledgeBeforeSync,
    Bug::ShowBeforeSync,
    Bug::GoOnAfterFailure,
    Bug::CutBeforeSeal,
    Bug::NameBeforeBytes,
    Bug::AppendToOldTail,
    Bug::RepairInPlace,
    Bug::ReuseLsn,
    Bug::TrimOneTooMany,
    Bug::TrimBeforeCommit,
    Bug::UnlinkBeforeCommit,
    Bug::KeepTail,
    Bug::UnlinkViewed,
    Bug::CompactTwice,
    Bug::OpenByListing,
];

const DETECTORS: [&str; 5] = ["power cuts", "second power cuts", "kills", "errors", "histories"];

/// One way to bring a bug out.
#[derive(Clone, Copy, Debug)]
enum Attempt {
    PowerCut(u64),
    SecondPowerCut(u64, u64),
    Kill(u64),
    Error(u64, bool),
    History(u64),
}

impl Attempt {
    /// All there are, in a random order.
    fn all() -> Vec<Self> {
        let operations = || 1..=lives::OPERATIONS;
        let recoveries = operations()
            .step_by(TWICE_STEP)
            .flat_map(|first| (1..=RECOVERY_OPERATIONS).map(move |second| (first, second)));
        let mut all: Vec<Self> = operations().map(Self::PowerCut).collect();
        all.extend(recoveries.map(|(first, second)| Self::SecondPowerCut(first, second)));
        all.extend(operations().map(Self::Kill));
        all.extend(operations().flat_map(|at| [true, false].map(|goes_on| Self::Error(at, goes_on))));
        all.extend((0..HISTORIES).map(Self::History));
        let mut rng = SimRng::new(1);
        all.sort_by_cached_key(|_| rng.next_u64());
        all
    }

    const fn detector(self) -> usize {
        match self {
            Self::PowerCut(_) => 0,
            Self::SecondPowerCut(..) => 1,
            Self::Kill(_) => 2,
            Self::Error(..) => 3,
            Self::History(_) => 4,
        }
    }

    fn run(self, forgets: Option<Forgets>) {
        let setting = |seed| Setting { forgets, ..Setting::new(seed) };
        let mode = |at: u64| if at.is_multiple_of(2) { CrashMode::LoseAll } else { CrashMode::Random };
        match self {
            Self::PowerCut(at) => lives::cut_off(setting(1), at, mode(at), at.is_multiple_of(3)),
            Self::SecondPowerCut(first, second) => drop(lives::cut_twice(setting(2), first, second)),
            Self::Kill(at) => lives::kill(setting(3), at, mode(at)),
            Self::Error(at, goes_on) => lives::fail_once(setting(3), at, mode(at), goes_on),
            Self::History(seed) => {
                let mut history = History::draw(seed);
                history.setting.forgets = forgets;
                history.run();
            }
        }
    }
}

/// Bugs of erasure, and what they let an erased event survive in.
const ERASURE_BUGS: [Bug; 6] = [
    Bug::CompactErased,
    Bug::EraseForgetsFiles,
    Bug::EraseForgetsSnapshots,
    Bug::ForgetErasing,
    Bug::RestoreErased,
    Bug::ShowErased,
];

/// How often each detector saw a bug, and of how many attempts.
#[derive(Default)]
struct Sightings {
    seen: [usize; DETECTORS.len()],
    tried: [usize; DETECTORS.len()],
    first: Option<String>,
}

impl Sightings {
    fn of(forgets: Option<Forgets>, attempts: &[Attempt]) -> Self {
        let mut sightings = Self::default();
        let enough = if lives::is_full() { usize::MAX } else { ENOUGH };
        for attempt in attempts {
            sightings.tried[attempt.detector()] += 1;
            if let Err(message) = quietly(|| attempt.run(forgets)) {
                sightings.seen[attempt.detector()] += 1;
                sightings.first.get_or_insert(message);
            }
            if sightings.seen.iter().sum::<usize>() >= enough {
                break;
            }
        }
        sightings
    }

    fn is_seen(&self) -> bool {
        self.seen.iter().sum::<usize>() > 0
    }

    fn report(&self, bug: &str) {
        let figures = self.seen.iter().zip(self.tried).zip(DETECTORS);
        let figures: Vec<_> =
            figures.map(|((seen, tried), detector)| format!("{seen} of {tried} {detector}")).collect();
        println!("{bug}: seen by {}", figures.join(", "));
        println!("    {}", self.first.as_deref().and_then(|text| text.lines().next()).unwrap_or("not seen"));
    }
}

#[test]
fn the_detectors_are_silent_where_there_is_no_bug() {
    let attempts = Attempt::all();
    let parts: Vec<_> = attempts.chunks(64).step_by(4).collect();
    for sightings in cores::map(&parts, |part| Sightings::of(None, part)) {
        assert!(!sightings.is_seen(), "{:?}", sightings.first);
    }
}

#[test]
fn every_sync_that_is_left_out_is_missed() {
    let attempts = Attempt::all();
    let all = cores::map(&Forgets::ALL, |forgets| Sightings::of(Some(*forgets), &attempts));
    all.iter().zip(Forgets::ALL).for_each(|(sightings, forgets)| sightings.report(&format!("{forgets:?} forgotten")));
    assert!(all.iter().all(Sightings::is_seen));
}

#[test]
fn every_seeded_bug_of_the_store_is_seen() {
    let attempts = Attempt::all();
    let all = cores::map(&BUGS, |bug| {
        let _planted = seeded::plant(*bug);
        Sightings::of(None, &attempts)
    });
    all.iter().zip(BUGS).for_each(|(sightings, bug)| sightings.report(&format!("{bug:?}")));
    assert!(all.iter().all(Sightings::is_seen));
}

#[test]
fn every_seeded_bug_of_erasure_is_seen() {
    let cuts: Vec<u64> = (1..=erasing::operations()).step_by(9).collect();
    let seen = cores::map(&ERASURE_BUGS, |bug| {
        let _planted = seeded::plant(*bug);
        let tries = cuts.iter().map(|&at| quietly(|| erasing::cut_off(at, CrashMode::Random)).err());
        tries.flatten().take(ENOUGH).collect::<Vec<_>>()
    });
    for (bug, seen) in ERASURE_BUGS.iter().zip(&seen) {
        println!("{bug:?}: seen by {} of {} power cuts at the most", seen.len(), cuts.len());
        println!("    {}", seen.first().and_then(|text| text.lines().next()).unwrap_or("not seen"));
    }
    assert!(seen.iter().all(|seen| !seen.is_empty()));
}

#[test]
fn every_sync_of_a_snapshot_that_is_left_out_is_missed() {
    let missed = |forgets| {
        let setting = Setting { forgets, is_watchful: true, ..Setting::new(9) };
        let snapshot = [Act::Append(5), Act::Pump, Act::Settle, Act::Append(3), Act::Pump, Act::Snapshot];
        let acts = |survivors| [&snapshot[..], &[Act::PowerCut(survivors)]].concat();
        (0..16).filter(|survivors| quietly(|| History { setting, acts: acts(*survivors) }.run()).is_err()).count()
    };
    assert_eq!(missed(None), 0, "where nothing is left out");
    for forgets in Forgets::OF_SNAPSHOTS {
        let missed = missed(Some(forgets));
        println!("{forgets:?} forgotten: seen by {missed} of 16 power cuts");
        assert!(missed > 0, "{forgets:?}");
    }
}

/// An erasure of what lies in files, in the log and in `quarantine/`; then the power goes.
fn erase_and_cut_off(forgets: Option<Forgets>, survivors: u64, mode: CrashMode) {
    let mut world = World::new(Setting { forgets, ..Setting::new(9) });
    world.open();
    let live = [Act::Append(5), Act::Pump, Act::Settle, Act::Append(3), Act::Pump];
    live.into_iter().for_each(|act| world.act_only(act));
    world.set_aside();
    [Act::Erase(0), Act::Pump, Act::Settle].into_iter().for_each(|act| world.act_only(act));
    assert!(world.oracle.borrow().has_erased() && !world.store().is_erasing());
    world.crash_only(&mut SimRng::new(survivors), mode);
    world.check_originals();
    world.assert_verified();
}

#[test]
fn every_sync_of_an_erasure_that_is_left_out_is_missed() {
    type CutOff = fn(Option<Forgets>, u64, CrashMode);
    let missed = |cut_off: CutOff, forgets| {
        let modes = [CrashMode::LoseAll, CrashMode::Random];
        let attempts = (0..8).flat_map(|survivors| modes.map(|mode| (survivors, mode)));
        attempts.filter(|(survivors, mode)| quietly(|| cut_off(forgets, *survivors, *mode)).is_err()).count()
    };
    let of_erasures = Forgets::OF_ERASURES.map(|forgets| (erase_and_cut_off as CutOff, forgets));
    let of_retries = Forgets::OF_RETRIES.map(|forgets| (retries::cut_off_in_the_end as CutOff, forgets));
    for (cut_off, forgets) in of_erasures.into_iter().chain(of_retries) {
        assert_eq!(missed(cut_off, None), 0, "where nothing is left out");
        let missed = missed(cut_off, Some(forgets));
        println!("{forgets:?} forgotten: seen by {missed} of 16 power cuts");
        assert!(missed > 0, "{forgets:?}");
    }
}

/// The one bug that no crash shows, only a reader between two steps. The tests in [`moments`](crate::moments) look for it
/// in threads; here the reader comes at the right moment.
#[test]
fn a_reader_between_the_swap_of_the_manifest_and_that_of_the_tail_sees_events_twice() {
    let world = Rc::new(std::cell::RefCell::new(World::new(Setting::new(8))));
    world.borrow_mut().open();
    let compact = || [Act::Append(4), Act::Pump].into_iter().for_each(|act| world.borrow_mut().act_only(act));
    compact();
    let store = world.borrow().store();
    let _planted = seeded::plant(Bug::SwapSeparately);
    let looks = Rc::new(std::cell::Cell::new(0));
    seeded::look_between({
        let looks = Rc::clone(&looks);
        move || {
            let visible: u64 = store.sites().iter().map(|site| site.events_total).sum();
            looks.set(looks.get() + usize::from(visible != store.high_water().get()));
        }
    });
    world.borrow_mut().act(Act::Settle);
    println!("SwapSeparately: seen by {} of 1 looks", looks.get());
    assert_eq!(looks.get(), 1);
}

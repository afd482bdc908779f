//! Every call of a life fails, in every way: those that write, sync, create, rename, unlink and cut, and those that open,
//! read, list and measure.
//!
//! Nobody restarts the process in between. So this also sees what a store does that has failed: it must refuse events, go
//! on showing what it has, and never acknowledge anything again.
//!
//! The life that appends, compacts and merges meets all six faults at each call; the one full of erasures, snapshots and
//! backups two of them, in turns, or with `MALLARD_TEST_FULL=1` all.

use std::collections::BTreeMap;

use mallard_engine::Ingest;
use mallard_wal::disk::sim::{CrashMode, EIO, ENOSPC, Fault, SimRng};

use crate::act::{Act, ERASING_LIFE, LIFE};
use crate::cores;
use crate::lives::{case, is_full};
use crate::world::{Setting, World};

const FAULTS: [Fault; 6] = [
    Fault::ErrorOnce(EIO),
    Fault::ErrorForEver(EIO),
    Fault::ErrorOnce(ENOSPC),
    Fault::ErrorForEver(ENOSPC),
    Fault::ShortWrite,
    Fault::Interrupted,
];

/// What is swept.
struct Life {
    acts: Vec<Act>,
    /// Whether an original of an earlier life lies in `quarantine/`.
    has_original: bool,
}

impl Life {
    /// Acts, and then a stop and a kill with something between them.
    fn new(acts: &[Act], has_original: bool) -> Self {
        let end = [Act::Stop, Act::Append(5), Act::Pump, Act::Kill, Act::Maintain, Act::Maintain];
        Self { acts: [acts, &end].concat(), has_original }
    }
}

fn setting() -> Setting {
    Setting { is_attended: false, ..Setting::new(7) }
}

/// The worst that became of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    DidNotOpen,
    Poisoned,
    WentOn,
}

/// The machine, and the number of its last call before the life that is swept.
fn begin(has_original: bool) -> (World, u64) {
    let mut world = World::new(setting());
    if has_original {
        world.open();
        [Act::Append(3), Act::Pump].into_iter().for_each(|act| world.act_only(act));
        world.set_aside();
        world.act_only(Act::Stop);
        world.shut();
    }
    let calls = world.disk.calls();
    (world, calls)
}

/// What a fault at this call of a life came to: the first call that it struck, and the worst that became of the store.
fn fail(life: &Life, call: u64, fault: Fault) -> (String, Fate) {
    let (mut world, calls) = begin(life.has_original);
    world.fail_call_at(calls + call, fault);
    world.try_open();
    let mut fate = fate_of(&world);
    for act in &life.acts {
        world.act(*act);
        fate = fate.min(fate_of(&world));
    }
    let struck = world.disk.first_struck().unwrap_or_default();
    // An error that lasts ends with the volume mounted anew, which forgets the page cache; after others a restart finds it.
    // So does a folder's sync that failed after names were removed: see "What is not promised" in docs/reliability.md.
    let folders = ["/data/snapshots/", "/data/events", "/data/quarantine"];
    let is_of_names = folders.iter().any(|folder| struck.starts_with(&format!("sync_dir {folder}")));
    if matches!(fault, Fault::ErrorForEver(_)) || is_of_names {
        world.crash(&mut SimRng::new(call), CrashMode::Random);
    } else {
        world.heal();
        world.open();
    }
    world.act(Act::Append(2));
    world.act(Act::Pump);
    world.crash(&mut SimRng::new(call), CrashMode::LoseAll);
    world.finish();
    world.check_originals();
    (struck, fate)
}

/// A store that has failed says so, everywhere.
fn fate_of(world: &World) -> Fate {
    let Some(store) = world.open_store() else { return Fate::DidNotOpen };
    let status = store.status();
    let says_so = status.degraded_reasons.iter().any(|reason| reason.starts_with("poisoned: "));
    let is_poisoned = store.poisoned().is_some();
    assert_eq!((status.ingest == Ingest::Poisoned, says_so), (is_poisoned, is_poisoned));
    if is_poisoned { Fate::Poisoned } else { Fate::WentOn }
}

/// The kind of a call, and of what it is about.
fn kind_of(struck: &str) -> String {
    let mut words = struck.split(' ');
    let (call, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut parts = path.split('/').skip(2);
    format!("{call} {}", parts.next().unwrap_or("."))
}

/// Whether nothing may go on after this sync has failed once, for whatever reason: the next one would say "done" over what the disk does not hold.
/// Not so where whatever was synced is thrown away and made anew, or belongs to a copy of the store; of the root it cannot be told,
/// since the ballast and the folder of the snapshots are made in it, too.
fn is_final(struck: &str) -> bool {
    let is_made_anew = struck.ends_with(".wal.new") || matches!(struck, "sync_dir /data/tmp" | "sync_dir /data");
    let is_of_a_copy = struck.contains("/data/snapshots") || !struck.contains(" /data");
    struck.starts_with("sync_") && !is_made_anew && !is_of_a_copy
}

fn faults_at(call: u64, is_full: bool) -> impl Iterator<Item = (u64, Fault)> {
    let is_in_turn = move |at: &usize| is_full || call % 3 == *at as u64 % 3;
    (0..FAULTS.len()).filter(is_in_turn).map(move |at| (call, FAULTS[at]))
}

#[test]
fn whichever_call_fails_nothing_is_acknowledged_falsely_and_a_restart_finds_all_that_was() {
    sweep(&Life::new(LIFE, false), true);
}

#[test]
fn whichever_call_of_an_erasure_or_a_copy_fails_a_restart_makes_it_good() {
    let kinds = sweep(&Life::new(ERASING_LIFE, true), is_full());
    // Which faults a call meets goes by turns, so not each of the few removals has met an error.
    assert!(kinds.contains_key("sync_dir quarantine"), "the life removes an original: {kinds:?}");
}

/// What became of the store, by the kind of the call that failed.
type Fates = BTreeMap<String, BTreeMap<Fate, usize>>;

fn sweep(life: &Life, is_full: bool) -> Fates {
    let (mut world, before) = begin(life.has_original);
    let operations_before = world.disk.operations();
    world.open();
    life.acts.iter().for_each(|act| world.act_only(*act));
    let (calls, operations) = (world.disk.calls() - before, world.disk.operations() - operations_before);
    assert!(operations > 300 && calls > 600, "the life is too short: {operations} operations, {calls} calls");
    let cases: Vec<(u64, Fault)> = (1..=calls).flat_map(|call| faults_at(call, is_full)).collect();
    let fates = cores::map(&cases, |(call, fault)| {
        let mut fate = None;
        case(&format!("{fault:?} at call {call} of {calls}"), || fate = Some(fail(life, *call, *fault)));
        fate.unwrap()
    });
    let mut kinds = Fates::new();
    let mut syncs = 0;
    for ((call, fault), (struck, fate)) in cases.iter().zip(fates) {
        if is_final(&struck) {
            assert!(fate < Fate::WentOn, "the store went on after a failed {struck}: {fault:?} at call {call}");
            syncs += 1;
        }
        if matches!(fault, Fault::ErrorOnce(_)) {
            *kinds.entry(kind_of(&struck)).or_default().entry(fate).or_default() += 1;
        }
    }
    println!("{} failures: {calls} calls, {operations} of which change something", cases.len());
    println!("{syncs} of them of syncs that are final; of single errors:");
    kinds.iter().for_each(|(kind, fates)| println!("    {kind}: {fates:?}"));
    kinds
}

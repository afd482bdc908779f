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

/// A life, and then a stop and a kill with something between them.
fn acts(life: &[Act]) -> Vec<Act> {
    [life, &[Act::Stop, Act::Append(5), Act::Pump, Act::Kill, Act::Maintain, Act::Maintain]].concat()
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

fn fail(acts: &[Act], call: u64, fault: Fault) -> (String, Fate) {
    let mut world = World::new(setting());
    world.fail_call_at(call, fault);
    world.try_open();
    let mut fate = fate_of(&world);
    for act in acts {
        world.act(*act);
        fate = fate.min(fate_of(&world));
    }
    let struck = world.disk.struck().unwrap_or_default();
    // An error that lasts ends with the volume mounted anew, which forgets the page cache; after others a restart finds it.
    // So does a folder's sync that failed after names were removed: see "What is not promised" in docs/reliability.md.
    let is_of_names = struck.starts_with("sync_dir /data/snapshots/") || struck.starts_with("sync_dir /data/events");
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

/// Whether nothing may go on after this sync has failed once: the next one would say "done" over what the disk does not hold.
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
    sweep(LIFE, true);
}

#[test]
fn whichever_call_of_an_erasure_or_a_copy_fails_a_restart_makes_it_good() {
    sweep(ERASING_LIFE, is_full());
}

fn sweep(life: &[Act], is_full: bool) {
    let acts = acts(life);
    let mut world = World::new(setting());
    world.open();
    acts.iter().for_each(|act| world.act_only(*act));
    let (calls, operations) = (world.disk.calls(), world.disk.operations());
    assert!(operations > 300 && calls > 600, "the life is too short: {operations} operations, {calls} calls");
    let cases: Vec<(u64, Fault)> = (1..=calls).flat_map(|call| faults_at(call, is_full)).collect();
    let fates = cores::map(&cases, |(call, fault)| {
        let mut fate = None;
        case(&format!("{fault:?} at call {call} of {calls}"), || fate = Some(fail(&acts, *call, *fault)));
        fate.unwrap()
    });
    let mut kinds = BTreeMap::<String, BTreeMap<Fate, usize>>::new();
    for ((_, fault), (struck, fate)) in cases.iter().zip(fates) {
        if *fault == Fault::ErrorOnce(EIO) {
            assert!(!is_final(&struck) || fate < Fate::WentOn, "the store went on after a failed {struck}");
            *kinds.entry(kind_of(&struck)).or_default().entry(fate).or_default() += 1;
        }
    }
    println!("{} failures: {calls} calls, {operations} of which change something; of single I/O errors:", cases.len());
    kinds.iter().for_each(|(kind, fates)| println!("    {kind}: {fates:?}"));
}

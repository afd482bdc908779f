//! A life full of erasures, with the power cut, a kill or an error at every third operation of it, or with
//! `MALLARD_TEST_FULL=1` (`just soak`) at every one.
//!
//! What is checked beside everything else: an event that was erased is never visible again once the erasure is
//! acknowledged, no other event is touched, and in the end nothing of it is found on the disk, in a snapshot, or in a copy
//! that is restored with the ledger.

use mallard_wal::disk::sim::{CrashMode, EIO, ENOSPC, Fault, SimRng};

use crate::act::{Act, ERASING_LIFE};
use crate::cores;
use crate::history::History;
use crate::lives::{case, is_full, play_until_dark};
use crate::world::{Setting, World};

fn setting() -> Setting {
    Setting { is_watchful: true, ..Setting::new(11) }
}

/// How many mutating operations the life needs when nothing goes wrong.
pub fn operations() -> u64 {
    let mut world = World::new(setting());
    world.open();
    ERASING_LIFE.iter().for_each(|act| world.act_only(*act));
    world.finish();
    assert!(world.oracle.borrow().erased().len() >= 8, "{:?}", world.oracle.borrow().erased());
    world.disk.operations()
}

/// Every operation, or every so many of them.
fn moments() -> Vec<u64> {
    (1..=operations()).step_by(if is_full() { 1 } else { 3 }).collect()
}

/// A life that is cut off, a restart, and the life again.
pub fn cut_off(at: u64, mode: CrashMode) {
    let mut world = World::new(setting());
    world.cut_power_at(at);
    world.try_open();
    play_until_dark(&mut world, ERASING_LIFE);
    world.crash(&mut SimRng::new(at), mode);
    if at.is_multiple_of(4) {
        ERASING_LIFE.iter().for_each(|act| world.act_only(*act));
    }
    world.finish();
}

/// A life in which one operation fails.
pub fn fail(at: u64, fault: Fault) {
    let mut world = World::new(setting());
    world.fail_at(at, fault);
    if world.try_open() {
        play_until_dark(&mut world, ERASING_LIFE);
    }
    world.heal();
    world.open();
    world.act(Act::Append(1));
    world.finish();
}

#[test]
fn a_power_cut_at_every_third_operation_of_an_erasure_brings_nothing_back_and_touches_nothing_else() {
    let moments = moments();
    cores::map(&moments, |&at| {
        for mode in [CrashMode::LoseAll, CrashMode::Random] {
            case(&format!("power cut at operation {at}, {mode:?}"), || cut_off(at, mode));
        }
    });
    println!("{} power cuts during erasures", 2 * moments.len());
}

#[test]
fn a_kill_or_an_error_at_every_third_operation_of_an_erasure_is_made_good() {
    let moments = moments();
    cores::map(&moments, |&at| {
        for fault in [Fault::Killed, Fault::ErrorOnce(EIO), Fault::ErrorOnce(ENOSPC)] {
            case(&format!("{fault:?} at operation {at}"), || fail(at, fault));
        }
    });
    println!("{} failures during erasures", 3 * moments.len());
}

/// What seed 123940 found: the names of the half were removed and not synced, so a second power cut brought them back.
#[test]
fn the_half_of_a_snapshot_that_a_power_cut_left_is_gone_for_good_before_an_erasure_is_done() {
    use Act::{Append, Erase, Maintain, PowerCut, PowerCutIn, Snapshot, Stop};
    /// Draws an erasure of the site that has events.
    const ALL: u64 = 2_124_982_806_036_750_359;
    let moments: Vec<u64> = (1..=60).collect();
    cores::map(&moments, |&at| {
        let mut acts = vec![Append(3), Stop, PowerCutIn(at, at.wrapping_mul(ALL)), Snapshot, Erase(ALL), Stop];
        acts.extend([Maintain; 6]);
        acts.push(PowerCut(at));
        let setting = Setting { flush_events: 1, ..setting() };
        case(&format!("power cut at operation {at} of a snapshot"), || {
            History { setting, acts }.run();
        });
    });
}

//! The store on a simulated machine: power cuts at every mutating operation of append, seal, compaction, commit, merge
//! and trim, and long random histories. The oracle is a list of what was sent and what was acknowledged.
//!
//! Checked after every restart (DESIGN §5, invariants 1 to 5):
//! acknowledged ⊆ visible ⊆ sent; nothing twice; LSNs dense; the same events with and without maintenance.
//!
//! The simulation is itself tested: with one kind of sync left out (`forgetful.rs`) it must fail. `docs/reliability.md`
//! lists what it was seen to catch. `MALLARD_TEST_SCHEDULES` sets the number of random histories.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, prints its counts, and is no interface"
)]

mod forgetful;
mod moments;
mod world;

use std::panic::{self, AssertUnwindSafe};

use forgetful::Forgets;
use mallard_engine::Step;
use mallard_wal::disk::sim::{CrashMode, SimRng};
use world::World;

/// What a history consists of.
#[derive(Clone, Copy, Debug)]
enum Act {
    Append(usize),
    Pump,
    Maintain,
    Rest,
}

/// A short life that goes through every kind of write: two compactions, a merge, trims, a day's change.
const LIFE: &[Act] = {
    use Act::{Append, Maintain, Pump, Rest};
    &[
        Maintain,
        Append(3),
        Pump,
        Append(2),
        Pump,
        Maintain,
        Maintain,
        Maintain,
        Maintain,
        Append(4),
        Pump,
        Maintain,
        Append(1),
        Pump,
        Maintain,
        Maintain,
        Maintain,
        Rest,
        Append(2),
        Pump,
        Rest,
        Maintain,
        Maintain,
        Maintain,
        Maintain,
        Maintain,
        Maintain,
    ]
};

/// Lives; returns the steps of maintenance.
fn play(world: &mut World, life: &[Act]) -> Vec<Step> {
    let mut steps = Vec::new();
    for act in life {
        match act {
            Act::Append(count) => world.append(*count),
            Act::Pump => world.pump(),
            Act::Maintain => steps.extend(world.maintain()),
            Act::Rest => world.rest(),
        }
    }
    steps
}

/// How many mutating operations the life needs when nothing goes wrong.
fn operations_of(seed: u64) -> u64 {
    let mut world = World::new(seed);
    world.open();
    let steps = play(&mut world, LIFE);
    let count = |is_kind: fn(&Step) -> bool| steps.iter().filter(|step| is_kind(step)).count();
    assert!(count(|step| matches!(step, Step::Compacted { .. })) >= 2, "{steps:?}");
    assert!(count(|step| matches!(step, Step::Merged { .. })) >= 1, "{steps:?}");
    assert!(count(|step| matches!(step, Step::Trimmed { .. })) >= 3, "{steps:?}");
    world.disk.operations()
}

#[test]
fn power_cut_at_every_operation_loses_nothing_acknowledged_and_doubles_nothing() {
    let operations = operations_of(1);
    assert!(operations > 100, "the life is too short to mean anything: {operations} operations");
    let modes = [CrashMode::LoseAll, CrashMode::KeepAll, CrashMode::Random];
    for cut in 1..=operations {
        for (run, mode) in modes.into_iter().enumerate() {
            let mut world = World::new(1);
            world.context = format!("cut at operation {cut} of {operations}, {mode:?} run {run}");
            world.cut_power_at(cut);
            world.try_open();
            play(&mut world, LIFE);
            world.crash(&mut SimRng::new(cut * 31 + run as u64), mode);
            world.open();
            world.check();
            // A whole life costs three times as much as its end: one of the three goes on.
            if (cut as usize + run).is_multiple_of(modes.len()) {
                play(&mut world, LIFE);
                world.check();
            }
        }
    }
    println!("{} power cuts, nothing acknowledged lost, nothing doubled", operations * modes.len() as u64);
}

#[test]
fn a_second_power_cut_during_recovery_changes_nothing() {
    let operations = operations_of(2);
    let mut cuts = 0;
    for first in (1..=operations).step_by(23) {
        for second in 1.. {
            let mut world = World::new(2);
            world.context = format!("cut at {first}, then at operation {second} of the recovery");
            world.cut_power_at(first);
            world.try_open();
            play(&mut world, LIFE);
            world.crash(&mut SimRng::new(first), CrashMode::Random);
            let next = world.disk.operations() + second;
            world.cut_power_at(next);
            let recovered = world.try_open();
            world.crash(&mut SimRng::new(second), CrashMode::Random);
            world.open();
            world.check();
            cuts += 1;
            if recovered {
                break;
            }
        }
    }
    println!("{cuts} power cuts during recovery");
}

#[test]
fn random_histories_of_appends_maintenance_and_power_cuts_agree_with_the_model() {
    let schedules = std::env::var("MALLARD_TEST_SCHEDULES").map_or(250, |count| count.parse().unwrap());
    let (mut crashes, mut events) = (0, 0);
    for seed in 0..schedules {
        let mut rng = SimRng::new(seed);
        let mut world = World::new(seed);
        world.context = format!("seed {seed}");
        world.is_watchful = true;
        world.open();
        for _ in 0..=rng.below(3) {
            let soon = world.disk.operations() + 1 + rng.below(120);
            world.cut_power_at(soon);
            for _ in 0..rng.below(40) {
                let act = match rng.below(8) {
                    0..3 => Act::Append(1 + usize::try_from(rng.below(4)).unwrap()),
                    3..5 => Act::Pump,
                    5..7 => Act::Maintain,
                    _ => Act::Rest,
                };
                play(&mut world, &[act]);
            }
            world.crash(&mut rng, CrashMode::Random);
            world.open();
            world.check();
            crashes += 1;
        }
        world.settle();
        world.check();
        events += world.visible();
    }
    println!("{schedules} histories, {crashes} power cuts, {events} events visible at their ends");
}

#[test]
fn a_failed_sync_is_final_and_a_restart_finds_what_was_acknowledged() {
    let operations = operations_of(3);
    for at in 1..=operations {
        let mut world = World::new(3);
        world.context = format!("I/O error at operation {at}");
        world.fail_at(at);
        if world.try_open() {
            play(&mut world, LIFE);
        }
        world.crash(&mut SimRng::new(at), CrashMode::Random);
        world.open();
        world.check();
    }
    println!("{operations} single I/O errors");
}

#[test]
fn what_is_sealed_is_compacted_before_more_is_sealed() {
    use Act::{Append, Maintain, Pump};
    let mut world = World::new(5);
    world.open();
    let steps = play(&mut world, &[Append(4), Pump, Maintain, Maintain]);
    assert_eq!(steps, [Step::Cleaned { files: 0 }, Step::Sealed]);
    let steps = play(&mut world, &[Append(5), Pump, Maintain, Maintain, Maintain]);
    assert_eq!(steps, [Step::Compacted { events: 4 }, Step::Trimmed { files: 1 }, Step::Sealed]);
}

#[test]
fn this_simulation_sees_a_store_that_forgets_a_sync() {
    let operations = operations_of(4);
    for forgets in Forgets::ALL {
        let is_seen = |cut: &u64| {
            let mut world = World::forgetting(4, forgets);
            world.context = format!("{forgets:?}, cut at operation {cut}");
            world.cut_power_at(*cut);
            world.try_open();
            play(&mut world, LIFE);
            world.crash(&mut SimRng::new(*cut), CrashMode::Random);
            let looked = panic::catch_unwind(AssertUnwindSafe(|| {
                world.open();
                world.check();
            }));
            looked.is_err()
        };
        let cuts = (1..=operations).step_by(7);
        let (count, seen) = (cuts.clone().count(), cuts.filter(is_seen).count());
        println!("{forgets:?}: seen by {seen} of {count} power cuts");
        assert!(seen > 0, "no power cut showed what was forgotten: {forgets:?}");
    }
}

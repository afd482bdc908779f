//! One life through every kind of write, with the power cut, or an error, at every operation of it.

use mallard_engine::Step;
use mallard_wal::disk::sim::{CrashMode, EIO, Fault, SimRng};

use crate::act::{Act, LIFE};
use crate::cores;
use crate::quiet::quietly;
use crate::world::{Setting, World};

/// At most the mutating operations of the life.
pub const OPERATIONS: u64 = 340;

/// Lives; returns the steps of maintenance.
fn play(world: &mut World, life: &[Act]) -> Vec<Step> {
    life.iter().filter_map(|act| world.act(*act)).collect()
}

/// Lives until the power is off.
pub fn play_until_dark(world: &mut World, life: &[Act]) {
    for act in life {
        if !world.disk.has_power() {
            return;
        }
        world.act(*act);
    }
}

/// How many mutating operations the life needs when nothing goes wrong.
pub fn operations() -> u64 {
    let mut world = World::new(Setting { is_watchful: true, ..Setting::new(1) });
    world.open();
    let steps = play(&mut world, LIFE);
    let count = |is_kind: fn(&Step) -> bool| steps.iter().filter(|step| is_kind(step)).count();
    assert!(count(|step| matches!(step, Step::Compacted { .. })) >= 2, "{steps:?}");
    assert!(count(|step| matches!(step, Step::Merged { .. })) >= 1, "{steps:?}");
    assert!(count(|step| matches!(step, Step::Trimmed { .. })) >= 3, "{steps:?}");
    let operations = world.disk.operations();
    assert!((200..=OPERATIONS).contains(&operations), "{operations} operations");
    operations
}

/// Whether a test is to try all that it knows, and not what fits into a run of the suite.
pub fn is_full() -> bool {
    std::env::var_os("MALLARD_TEST_FULL").is_some()
}

/// Says which case it was that failed.
pub fn case(name: &str, run: impl FnOnce()) {
    if let Err(message) = quietly(run) {
        panic!("{name}: {message}");
    }
}

/// A life that is cut off, and what a restart finds.
pub fn cut_off(setting: Setting, cut: u64, mode: CrashMode, goes_on: bool) {
    let mut world = World::new(setting);
    world.cut_power_at(cut);
    world.try_open();
    play_until_dark(&mut world, LIFE);
    world.crash(&mut SimRng::new(cut), mode);
    if goes_on {
        play(&mut world, LIFE);
        world.finish();
    }
}

#[test]
fn a_power_cut_at_every_operation_loses_nothing_acknowledged_and_doubles_nothing() {
    let operations = operations();
    let cuts: Vec<u64> = (1..=operations).collect();
    let modes = [CrashMode::LoseAll, CrashMode::KeepAll, CrashMode::Random];
    cores::map(&cuts, |&cut| {
        for (run, mode) in modes.into_iter().enumerate() {
            // A whole life costs three times as much as its end: one of the three goes on.
            let goes_on = (cut as usize + run).is_multiple_of(modes.len());
            case(&format!("power cut at operation {cut} of {operations}, {mode:?}"), || {
                cut_off(Setting::new(1), cut, mode, goes_on);
            });
        }
    });
    println!("{} power cuts, nothing acknowledged lost, nothing doubled", operations * modes.len() as u64);
}

/// A life that is cut off, a recovery that is cut off, and what a restart finds; whether the recovery came to its end.
pub fn cut_twice(setting: Setting, first: u64, second: u64) -> bool {
    let mut world = World::new(setting);
    world.cut_power_at(first);
    world.try_open();
    play_until_dark(&mut world, LIFE);
    world.crash_only(&mut SimRng::new(first), CrashMode::Random);
    world.cut_power_at(world.disk.operations() + second);
    let has_recovered = world.try_open();
    world.crash(&mut SimRng::new(second), CrashMode::Random);
    has_recovered
}

#[test]
fn a_second_power_cut_at_every_operation_of_a_recovery_changes_nothing() {
    let firsts: Vec<u64> = (1..=operations()).step_by(7).collect();
    let cuts = cores::map(&firsts, |&first| {
        let mut has_recovered = false;
        for second in 1.. {
            case(&format!("power cut at {first}, then at operation {second} of the recovery"), || {
                has_recovered = cut_twice(Setting::new(2), first, second);
            });
            if has_recovered {
                return second;
            }
        }
        unreachable!()
    });
    println!("{} power cuts during recovery", cuts.iter().sum::<u64>());
}

/// A life with one error, a restart of the process, and then a power cut: what the page cache showed in between must be
/// on the disk. The life goes on after the error, or it ends with the process that met it.
pub fn fail_once(setting: Setting, at: u64, mode: CrashMode, goes_on: bool) {
    let mut world = World::new(Setting { is_watchful: true, is_attended: goes_on, ..setting });
    world.fail_at(at, Fault::ErrorOnce(EIO));
    if world.try_open() {
        LIFE.iter()
            .take_while(|act| {
                world.is_well() && {
                    world.act(**act);
                    true
                }
            })
            .count();
    }
    end(world, at, mode);
}

/// A restart on the same page cache, an event, a power cut, and all that follows.
fn end(mut world: World, survivors: u64, mode: CrashMode) {
    world.heal();
    world.open();
    world.act(Act::Append(2));
    world.act(Act::Pump);
    world.crash(&mut SimRng::new(survivors), mode);
    world.finish();
}

/// A life whose process is killed, a restart, and then a power cut: what the restart found must be on the disk.
pub fn kill(setting: Setting, at: u64, mode: CrashMode) {
    let mut world = World::new(setting);
    world.fail_at(at, Fault::Killed);
    if world.try_open() {
        play_until_dark(&mut world, LIFE);
    }
    end(world, at, mode);
}

/// Every operation of the life, each with two ways to lose what was not synced.
fn moments() -> Vec<(u64, CrashMode)> {
    (1..=operations()).flat_map(|at| [CrashMode::LoseAll, CrashMode::Random].map(|mode| (at, mode))).collect()
}

#[test]
fn an_error_at_every_operation_is_final_where_it_must_be_and_loses_nothing_acknowledged() {
    let moments = moments();
    cores::map(&moments, |&(at, mode)| {
        for goes_on in [true, false] {
            let name = format!("I/O error at operation {at}, {mode:?}, goes on: {goes_on}");
            case(&name, || fail_once(Setting::new(3), at, mode, goes_on));
        }
    });
    println!("{} single I/O errors", 2 * moments.len());
}

#[test]
fn a_kill_at_every_operation_and_then_a_power_cut_lose_nothing_acknowledged_or_shown() {
    let moments = moments();
    cores::map(&moments, |&(at, mode)| {
        case(&format!("killed at operation {at}, {mode:?}"), || kill(Setting::new(3), at, mode));
    });
    println!("{} kills", moments.len());
}

#[test]
fn what_is_sealed_is_compacted_before_more_is_sealed() {
    use Act::{Append, Maintain, Pump};
    let mut world = World::new(Setting::new(5));
    world.open();
    let steps = play(&mut world, &[Append(4), Pump, Maintain, Maintain]);
    assert_eq!(steps, [Step::Cleaned { files: 0 }, Step::Sealed]);
    let steps = play(&mut world, &[Append(5), Pump, Maintain, Maintain, Maintain]);
    assert_eq!(steps, [Step::Compacted { events: 4 }, Step::Trimmed { files: 1 }, Step::Sealed]);
}

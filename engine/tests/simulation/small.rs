//! Small enough to try everything: every workload of up to three commits, with the power cut at every operation of each.
//!
//! With nothing left of what was not synced, and with any part of it.

use mallard_wal::disk::sim::{CrashMode, SimRng};

use crate::act::Act;
use crate::cores;
use crate::lives::{case, play_until_dark};
use crate::world::{Setting, World};

const COMMITS_MAX: u32 = 3;

/// What may happen after a commit and before the next one: nothing, some steps of maintenance or all, a restart by force
/// or in order, a day that passes.
const PAUSES: [&[Act]; 7] = {
    use Act::{Day, Kill, Maintain, Settle, Stop};
    [&[], &[Maintain], &[Maintain, Maintain, Maintain], &[Settle], &[Kill], &[Stop, Settle], &[Day, Settle]]
};

/// Every sequence of up to three commits with one of the pauses behind each, as all but the last of them, and the last.
fn workloads() -> Vec<(Vec<Act>, Vec<Act>)> {
    let mut all = Vec::new();
    for commits in 0..=COMMITS_MAX {
        for number in 0..PAUSES.len().pow(commits) {
            let pauses = (0..commits).map(|commit| number / PAUSES.len().pow(commit) % PAUSES.len());
            let mut acts: Vec<Vec<Act>> =
                pauses.map(|pause| [&[Act::Append(1), Act::Pump], PAUSES[pause]].concat()).collect();
            let last = acts.pop().unwrap_or_default();
            all.push((acts.concat(), last));
        }
    }
    all
}

/// Compacts after each commit; the next pause merges.
fn setting() -> Setting {
    Setting { flush_events: 1, ..Setting::new(6) }
}

/// The operations of the opening and of these acts.
fn operations(workload: &[Act]) -> u64 {
    let mut world = World::new(Setting { is_watchful: true, ..setting() });
    world.open();
    play_until_dark(&mut world, workload);
    world.disk.operations()
}

fn cut_off(workload: &[Act], cut: u64, mode: CrashMode) {
    let mut world = World::new(setting());
    world.cut_power_at(cut);
    world.try_open();
    play_until_dark(&mut world, workload);
    world.crash(&mut SimRng::new(cut), mode);
    // And goes on: leftovers are removed, what was found is compacted and merged, and all of it is looked at again.
    world.finish();
}

/// The cuts in the end of a workload; returns how many. Those in its beginning are the cuts of a shorter workload.
fn cut_everywhere(beginning: &[Act], end: &[Act]) -> u64 {
    let workload = [beginning, end].concat();
    let first = if workload.is_empty() { 1 } else { operations(beginning) + 1 };
    let last = operations(&workload) + 1;
    let modes = [CrashMode::LoseAll, CrashMode::Random];
    let mut cuts = 0;
    for (cut, mode) in (first..=last).flat_map(|cut| modes.map(|mode| (cut, mode))) {
        case(&format!("{workload:?}, power cut at operation {cut}, {mode:?}"), || cut_off(&workload, cut, mode));
        cuts += 1;
    }
    cuts
}

#[test]
fn a_power_cut_at_every_operation_of_every_workload_of_up_to_three_commits_loses_nothing() {
    let mut workloads = workloads();
    // The longest first, so that no core is left with one at the end.
    workloads.reverse();
    let cuts = cores::map(&workloads, |(beginning, end)| cut_everywhere(beginning, end));
    println!("{} workloads, {} power cuts", workloads.len(), cuts.iter().sum::<u64>());
}

//! A repair that is cut off at any operation of the disk: nothing opens the store, and the next repair comes to the same end.

use std::collections::BTreeSet;
use std::path::Path;

use mallard_wal::disk::Disk as _;
use mallard_wal::disk::sim::{CrashMode, Fault, SimRng};

use crate::life::{Image, Machine, Moment, last};
use crate::matrix::check_repaired;

/// A store whose STORE, manifest, ledger and oldest segment are damaged.
fn damaged() -> (Moment, Image) {
    let moment = last();
    let mut image = moment.image.clone();
    for (path, bytes) in &mut image {
        if path.starts_with("manifest") || path == Path::new("STORE") || path == Path::new("erasure.log") {
            let at = bytes.len() - 2;
            bytes[at.min(5000)] ^= 1;
        }
    }
    (moment, image)
}

/// Cuts a repair off, looks at what is there, and repairs again.
fn cut_off(moment: &Moment, image: &Image, strike: impl FnOnce(&Machine), survive: impl FnOnce(&Machine)) {
    let machine = Machine::with(image);
    strike(&machine);
    let is_over = machine.repair(false).is_ok();
    survive(&machine);
    if !is_over {
        let opened = machine.open();
        let is_marked = machine.disk.open(Path::new("/data/REPAIRING")).is_ok();
        assert!(opened.is_err() || !is_marked, "half a repair opens");
    }
    let repaired = machine.repair(false).unwrap();
    let found = check_repaired(&machine, moment, &repaired);
    assert_eq!(moment.events.difference(&found).copied().collect::<BTreeSet<_>>(), BTreeSet::new());
}

fn operations(image: &Image) -> (u64, u64) {
    let machine = Machine::with(image);
    let before = machine.disk.operations();
    machine.repair(false).unwrap();
    (before, machine.disk.operations())
}

#[test]
fn a_power_cut_at_every_operation_of_a_repair_costs_nothing_and_the_next_one_finishes_it() {
    let (moment, image) = damaged();
    let (first, last) = operations(&image);
    for at in first + 1..=last {
        for mode in [CrashMode::LoseAll, CrashMode::KeepAll, CrashMode::Random] {
            let survive = |machine: &Machine| machine.disk.crash_by(mode, &mut SimRng::new(at));
            cut_off(&moment, &image, |machine| machine.disk.cut_power_at(at), survive);
        }
    }
    println!("{} power cuts during a repair", 3 * (last - first));
    assert!(last - first > 60);
}

#[test]
fn a_kill_or_an_error_at_every_operation_of_a_repair_costs_nothing_and_the_next_one_finishes_it() {
    let (moment, image) = damaged();
    let (first, last) = operations(&image);
    for at in first + 1..=last {
        for fault in [Fault::Killed, Fault::ErrorOnce(mallard_wal::disk::sim::ENOSPC)] {
            cut_off(&moment, &image, |machine| machine.disk.fail_at(at, fault), |machine| machine.disk.heal());
        }
    }
    println!("{} kills and full disks during a repair", 2 * (last - first));
}

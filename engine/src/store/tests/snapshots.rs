//! How many snapshots are kept, which, and what taking one costs.

use mallard_wal::disk::Disk as _;
use mallard_wal::disk::sim::{ENOSPC, Fault};

use super::*;

const HOUR_US: i64 = 3_600 * 1_000_000;

/// The schedule takes one an hour later, and keeps all; returns its name.
fn take(bench: &Bench) -> String {
    bench.clock.advance_us(HOUR_US);
    bench.snapshots().take_on_schedule(100, &[]).unwrap().0.id
}

fn kept(bench: &Bench) -> Vec<String> {
    bench.snapshots().list().unwrap().into_iter().map(|snapshot| snapshot.id).collect()
}

#[test]
fn the_newest_snapshots_are_kept_whole_and_the_others_are_gone_from_the_disk() {
    let mut bench = Bench::new(1);
    bench.files("a", 1);
    let ids: Vec<String> = (0..5).map(|_| take(&bench)).collect();
    assert_eq!(bench.snapshots().prune(5).unwrap(), 0);
    assert_eq!(bench.snapshots().prune(2).unwrap(), 3);
    assert_eq!(kept(&bench), ids[3..]);
    let left = bench.disk.list(&bench.store().layout().snapshots()).unwrap();
    assert_eq!(left.iter().filter(|entry| entry.is_dir).count(), 2, "{left:?}");
    assert_eq!(bench.snapshots().list().unwrap()[0].image.events, 1);
    assert_eq!(bench.snapshots().newest_us().unwrap(), Some(bench.clock.now_us()));
    assert_eq!(bench.snapshots().prune(2).unwrap(), 0);
    assert_eq!(bench.snapshots().prune(0).unwrap(), 2);
    assert_eq!(kept(&bench), Vec::<String>::new());
}

#[test]
fn a_snapshot_that_is_dated_in_the_future_does_not_stop_the_schedule_and_goes_first() {
    let bench = Bench::new(1);
    let old = take(&bench);
    bench.clock.jump_us(1_000 * HOUR_US);
    let future = take(&bench);
    bench.clock.jump_us(-1_000 * HOUR_US);
    let newest_us = bench.snapshots().newest_us().unwrap().unwrap();
    assert_eq!(newest_us, bench.clock.now_us() - HOUR_US, "the older one says when the next is due");
    let next = take(&bench);
    assert_eq!(kept(&bench), [old.clone(), next.clone(), future]);
    assert_eq!(bench.snapshots().prune(2).unwrap(), 1);
    assert_eq!(kept(&bench), [old, next]);
}

#[test]
fn the_schedule_removes_its_own_snapshots_only_and_those_before_it_takes_the_next() {
    let mut bench = Bench::new(1);
    bench.files("a", 1);
    bench.clock.advance_us(HOUR_US);
    let own = bench.snapshots().take(&[]).unwrap().id;
    assert_eq!(bench.snapshots().newest_us().unwrap(), None, "the schedule has taken none");
    let schedule = |keep| {
        bench.clock.advance_us(HOUR_US);
        bench.snapshots().take_on_schedule(keep, &[])
    };
    let taken: Vec<String> = (0..4).map(|_| schedule(2).unwrap().0.id).collect();
    assert_eq!(kept(&bench), [own.clone(), taken[2].clone(), taken[3].clone()]);
    // The first thing that is done makes room, and nothing is left of what found none.
    let folder = bench.store().layout().snapshots();
    bench.disk.fail_at(bench.disk.operations() + 60, Fault::ErrorOnce(ENOSPC));
    schedule(2).unwrap_err();
    let left: Vec<_> = bench.disk.list(&folder).unwrap().into_iter().filter(|entry| entry.is_dir).collect();
    assert_eq!(left.iter().map(|entry| &entry.name).collect::<Vec<_>>(), [&own, &taken[3]]);
    let (only, removed) = schedule(1).unwrap();
    assert_eq!((kept(&bench), removed), (vec![own.clone(), only.id], 1));
    bench.disk.fail_at(bench.disk.operations() + 20, Fault::ErrorOnce(ENOSPC));
    schedule(1).unwrap_err();
    assert_eq!(kept(&bench).len(), 2, "where one is kept it stays until there is another");
}

#[test]
fn nothing_is_left_of_a_snapshot_that_cannot_be_taken() {
    for operation in 1.. {
        let mut bench = Bench::new(1);
        bench.files("a", 1);
        bench.snapshots().take(&[]).unwrap();
        bench.clock.advance_us(HOUR_US);
        bench.disk.fail_at(bench.disk.operations() + operation, Fault::ErrorOnce(ENOSPC));
        let taken = bench.snapshots().take(&[]);
        if bench.disk.struck().is_none() {
            assert!(taken.is_ok() && operation > 20, "operation {operation}: {taken:?}");
            return;
        }
        let folder = bench.store().layout().snapshots();
        let left = bench.disk.list(&folder).unwrap();
        let unfinished = left.iter().find(|entry| entry.name.ends_with(".new"));
        let struck = bench.disk.struck();
        assert!(taken.is_ok() || unfinished.is_none(), "{struck:?}: {left:?}");
    }
}

/// Ten sites of a year: what a snapshot costs is a link for each file, and one creation and one sync for each folder.
#[test]
fn taking_a_snapshot_syncs_each_folder_once() {
    const SITES: usize = 10;
    const DAYS: usize = 365;
    let mut bench = Bench::with(|config| {
        (config.flush_events, config.limits.merge_files_min, config.limits.is_compressed) = (3_650, 50, false);
    });
    for _ in 0..DAYS {
        for site in 0..SITES {
            drop(bench.offer(&format!("site-{site}")).unwrap());
        }
        bench.store().pump().unwrap();
        bench.clock.advance_us(DAY_US);
    }
    bench.settle_well();
    // The last events may still be in the log.
    let files = usize::try_from(bench.store().status().parquet_files).unwrap();
    assert!(files > SITES * (DAYS - 10), "{files}");
    let before = bench.disk.operations();
    bench.snapshots().take(&[]).unwrap();
    let operations = bench.disk.operations() - before;
    // events/, a folder for each site, one for each day of it.
    let folders = 1 + SITES + files;
    let of_files = (files + 2 * folders) as u64;
    assert!(
        (of_files..of_files + 300).contains(&operations),
        "{operations} operations, {of_files} for files and folders"
    );
}

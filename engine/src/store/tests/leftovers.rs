//! What a start finds in `tmp/`, folders that cannot be listed, and syncs that failed after a removal.

use std::path::Path;

use mallard_wal::disk::Disk as _;
use mallard_wal::disk::sim::{EIO, ENOSPC, Fault};
use rustix::io::Errno;

use super::*;

const TMP: &str = "/data/tmp";
const REST_US: i64 = 30_000_000;
/// A volume that is full, or a quota, may show itself as late as in a sync: what was written before is as lost as by any other.
const FAILED_SYNCS: [i32; 3] = [EIO, ENOSPC, Errno::DQUOT.raw_os_error()];

fn plant(bench: &Bench, path: &str) {
    let path = Path::new(TMP).join(path);
    bench.disk.create_dir(path.parent().unwrap()).unwrap();
    bench.disk.create(&path).unwrap().write_all_at(b"a visitor", 0).unwrap();
}

fn names(bench: &Bench) -> Vec<String> {
    bench.disk.list(Path::new(TMP)).unwrap().into_iter().map(|entry| entry.name).collect()
}

#[test]
fn a_start_empties_tmp_folders_and_all_but_what_a_running_sql_spills() {
    let mut bench = Bench::new(1);
    for path in ["duckdb/spilled", "sql-1/spilled", "sql-0123/spilled", "0-1-2.parquet"] {
        plant(&bench, path);
    }
    let running = bench.disk.lock(Path::new("/data/tmp/sql-0123/LOCK")).unwrap();
    bench.restart();
    assert_eq!(names(&bench), ["sql-0123"]);
    assert_eq!(bench.disk.list(Path::new("/data/tmp/sql-0123")).unwrap().len(), 2, "it is left as it is");
    drop(running);
    bench.restart();
    assert_eq!((names(&bench), bench.reasons()), (vec![], vec![]));
}

/// The number of the next call of this kind, of one more life that does the same.
fn strike(bench: &mut Bench, errno: i32, kind: &str, work: impl Fn(&Bench)) {
    for operation in 1.. {
        bench.disk.fail_at(bench.disk.operations() + operation, Fault::ErrorOnce(errno));
        work(bench);
        let struck = bench.disk.struck().unwrap_or_default();
        if struck.starts_with(kind) {
            return;
        }
        assert!(!bench.disk.is_sound() || operation < 500, "no {kind}");
        bench.disk.heal();
        bench.restart();
        bench.send("a", 1);
    }
}

#[test]
fn a_failed_sync_after_segments_were_trimmed_is_not_tried_again_in_the_same_life() {
    for errno in FAILED_SYNCS {
        let mut bench = Bench::new(1);
        bench.send("a", 1);
        strike(&mut bench, errno, "sync_dir /data/wal", |bench| drop(bench.settle()));
        let poisoned = bench.store().poisoned().unwrap();
        assert!(poisoned.contains("/data/wal"), "{poisoned}");
        assert!(matches!(bench.offer("a"), Err(AppendError::Poisoned)));
    }
}

#[test]
fn a_failed_sync_of_quarantine_is_not_tried_again_before_an_erasure_is_done() {
    for errno in FAILED_SYNCS {
        let bench = (1..500).find_map(|operation| {
            let mut bench = Bench::new(1);
            bench.files("a", 1);
            super::unreadable::erase_visitor(&bench, "a");
            bench.disk.fail_at(bench.disk.operations() + operation, Fault::ErrorOnce(errno));
            bench.settle();
            let struck = bench.disk.struck().expect("the sync comes before the erasure is done");
            (struck == "sync_dir /data/quarantine").then_some(bench)
        });
        let bench = bench.unwrap();
        assert!(bench.store().poisoned().is_some(), "errno {errno}");
        bench.clock.advance_us(REST_US);
        bench.settle();
        assert!(bench.store().is_erasing(), "errno {errno}: it is not done");
    }
}

#[test]
fn a_folder_that_cannot_be_listed_is_named_and_other_work_goes_on() {
    let mut bench = Bench::new(1);
    bench.files("a", 1);
    bench.files("b", 1);
    bench.send("c", 1);
    let orphan = Path::new(ROOT).join("events/site_id=b/date=2020-01-01/0-1-2.parquet");
    bench.disk.create_dir(orphan.parent().unwrap()).unwrap();
    bench.disk.create(&orphan).unwrap();
    bench.disk.break_folder(Path::new("/data/events/site_id=a"), true).unwrap();
    bench.restart();
    for _ in 0..10 {
        bench.settle();
        bench.clock.advance_us(REST_US);
    }
    assert_eq!(bench.store().poisoned(), None);
    assert!(bench.disk.open(&orphan).is_err(), "the other folders are tidied");
    assert_eq!(bench.live("c").len(), 1, "and compaction goes on");
    let reasons = bench.reasons();
    assert!(reasons[0].starts_with("failing: the removal of leftovers, "), "{reasons:?}");
    assert!(reasons[0].contains("cannot list /data/events/site_id=a"), "{reasons:?}");
    assert_eq!(bench.rows("a"), [1], "its files are not taken for missing");
    bench.disk.break_folder(Path::new("/data/events/site_id=a"), false).unwrap();
    bench.clock.advance_us(REST_US);
    bench.settle_well();
    assert_eq!(bench.reasons(), Vec::<String>::new());
}

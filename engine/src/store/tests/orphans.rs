//! Files that no manifest names and that hold rows: none is left when an erasure is called done, and none is left for ever.

use mallard_compactor::Manifest;
use mallard_event::Subject;
use mallard_wal::disk::sim::Fault;
use mallard_wal::disk::{Disk as _, durable};
use rustix::io::Errno;

use super::*;
use crate::erasure::ErasureRequest;
use crate::query::Span;

const REST_US: i64 = 30_000_000;
const EVENTS: &str = "/data/events";
const QUARANTINE: &str = "/data/quarantine";
const TMP: &str = "/data/tmp";

/// Erases everything of a site, of the last days.
pub(super) fn erase_site(bench: &Bench, site: &str, days: i64) {
    let (site, now_us) = (SiteId::parse(site).unwrap(), bench.clock.now_us());
    let subject: Option<Subject> = None;
    let span = Span { start_us: now_us - days * DAY_US, end_us: now_us + DAY_US };
    drop(bench.store().begin_erasure(&ErasureRequest { site, span, subject }).unwrap());
    bench.store().pump().unwrap();
}

/// Maintains until nothing is due, and again after what fails has rested.
fn settle_in_the_end(bench: &Bench) {
    for _ in 0..5 {
        bench.settle();
        bench.clock.advance_us(REST_US);
    }
    bench.settle();
}

fn names(bench: &Bench, folder: impl AsRef<Path>) -> Vec<String> {
    let entries = bench.disk.list(folder.as_ref()).unwrap_or_default().into_iter();
    entries.map(|entry| entry.name).collect()
}

/// Every file of a site below `events/`.
fn files_of(bench: &Bench, site: &str) -> Vec<String> {
    let folder = Path::new(EVENTS).join(format!("site_id={site}"));
    let days = names(bench, &folder).into_iter();
    days.flat_map(|day| names(bench, folder.join(day))).collect()
}

fn drafts(bench: &Bench) -> Vec<String> {
    names(bench, TMP).into_iter().filter(|name| name.ends_with(".parquet")).collect()
}

fn copies(bench: &Bench) -> Vec<String> {
    names(bench, QUARANTINE).into_iter().filter(|name| name.ends_with(".parquet")).collect()
}

/// For every operation of the disk in the first step that `prepare` leaves to do: it is refused, the site is erased at once.
/// Returns how many refusals had left files behind.
fn erase_after_every_refusal(errno: Errno, prepare: impl Fn(&mut Bench)) -> (usize, usize) {
    let (mut orphans, mut partial) = (0, 0);
    for operation in 1.. {
        let mut bench = Bench::new(1);
        bench.files("c", 1);
        prepare(&mut bench);
        let live: Vec<_> =
            bench.live("a").iter().map(|file| file.path.rsplit('/').next().unwrap().to_owned()).collect();
        bench.disk.fail_at(bench.disk.operations() + operation, Fault::ErrorOnce(errno.raw_os_error()));
        let failed = bench.store().maintain(&|_| {}).is_err();
        if !bench.disk.is_sound() {
            return (orphans, partial);
        }
        let struck = bench.disk.struck().unwrap();
        // No device refuses a sync like that.
        if !failed || struck.starts_with("sync_") || bench.store().poisoned().is_some() {
            continue;
        }
        orphans += usize::from(files_of(&bench, "a") != live);
        partial += usize::from(!drafts(&bench).is_empty());
        erase_site(&bench, "a", 1);
        settle_in_the_end(&bench);
        assert_eq!(bench.store().poisoned(), None, "{struck}");
        assert!(!bench.store().is_erasing(), "{struck}");
        assert_eq!((files_of(&bench, "a"), drafts(&bench)), (vec![], vec![]), "{errno:?} at {struck}");
        assert_eq!((bench.rows("a"), bench.rows("c")), (vec![], vec![1]), "{struck}");
    }
    unreachable!("there is an operation after the last");
}

#[test]
fn an_erasure_is_not_done_while_a_file_of_a_refused_compaction_holds_its_rows() {
    for errno in [Errno::NOSPC, Errno::MFILE] {
        let found = erase_after_every_refusal(errno, |bench| {
            bench.send("a", 1);
            bench.send("b", 1);
            bench.store().log.seal().unwrap();
        });
        assert!(found.0 > 2 && found.1 > 2, "{found:?}");
    }
}

#[test]
fn an_erasure_is_not_done_while_a_file_of_a_refused_merge_holds_its_rows() {
    let found = erase_after_every_refusal(Errno::NOSPC, |bench| {
        bench.files("a", 1);
        bench.send("a", 1);
        while !matches!(bench.store().maintain(&|_| {}), Ok(Step::Compacted { .. })) {}
        let store = bench.store();
        let mut maintenance = store.maintenance.lock().unwrap();
        store.unlink_retired(&mut maintenance).unwrap();
        store.trim_log(store.manifest().checkpoint()).unwrap();
    });
    assert!(found.0 + found.1 > 0, "{found:?}");
}

#[test]
fn a_folder_of_another_site_that_cannot_be_listed_does_not_hold_up_an_erasure() {
    let mut bench = Bench::new(1);
    bench.files("a", 1);
    bench.files("b", 1);
    let orphan = Path::new(EVENTS).join("site_id=a/date=2020-01-01/0-1-2.parquet");
    bench.disk.create_dir(orphan.parent().unwrap()).unwrap();
    bench.disk.create(&orphan).unwrap();
    bench.disk.break_folder(Path::new("/data/events/site_id=b"), true).unwrap();
    bench.restart();
    erase_site(&bench, "a", 1);
    settle_in_the_end(&bench);
    assert!(!bench.store().is_erasing());
    assert_eq!(files_of(&bench, "a"), Vec::<String>::new());
    assert!(bench.reasons()[0].starts_with("failing: the removal of leftovers, "), "{:?}", bench.reasons());
    bench.disk.break_folder(Path::new("/data/events/site_id=b"), false).unwrap();
    settle_in_the_end(&bench);
    assert_eq!(bench.reasons(), Vec::<String>::new());
}

#[test]
fn a_file_that_is_missing_keeps_orphans_only_until_that_is_recorded() {
    let mut bench = Bench::new(1);
    bench.files("a", 1);
    bench.files("b", 1);
    let orphan = Path::new(EVENTS).join("site_id=b/date=2020-01-01/0-1-2.parquet");
    bench.disk.create_dir(orphan.parent().unwrap()).unwrap();
    bench.disk.create(&orphan).unwrap();
    durable::remove(&bench.disk, &Bench::path(&bench.live("a")[0])).unwrap();
    bench.restart();
    bench.settle_well();
    assert!(bench.store().manifest().is_damaged(&bench.live("a")[0].path));
    assert!(bench.disk.open(&orphan).is_err(), "it is gone in the same life");
}

/// Makes the only file of a site a damaged one, with a second name in quarantine.
fn damaged(bench: &mut Bench, site: &str) {
    bench.files(site, 1);
    let file = bench.live(site).remove(0);
    bench.disk.corrupt(&Bench::path(&file), 100, 1).unwrap();
    assert!(bench.store().suspect(&Bench::path(&file), "its crc32 is another"));
    bench.settle_well();
}

fn plant(bench: &Bench, name: &str) {
    bench.disk.create(&Path::new(QUARANTINE).join(name)).unwrap();
}

/// Maintains until the manifest knows a site no more, and dies before anything follows from that.
fn die_without(bench: &Bench, site: &str) {
    let site = SiteId::parse(site).unwrap();
    let published = |manifest: &Manifest| assert!(manifest.site(&site).is_some(), "killed");
    for _ in 0..50 {
        if matches!(bench.store().maintain(&published), Err(Error::Panicked(_))) {
            return;
        }
    }
    panic!("the site is still there");
}

#[test]
fn the_copy_of_a_damaged_file_does_not_outlive_an_erasure_that_was_cut_off_after_its_commit() {
    for is_killed in [true, false] {
        let mut bench = Bench::new(1);
        damaged(&mut bench, "a");
        damaged(&mut bench, "b");
        for name in ["original-00000001.2020-01-01.c.parquet", "original-00000002.2020-01-01.a.parquet"] {
            plant(&bench, name);
        }
        assert_eq!(copies(&bench).len(), 4);
        erase_site(&bench, "a", 1);
        die_without(&bench, "a");
        assert!(bench.live("a").is_empty() && copies(&bench).len() == 4, "it was committed");
        if is_killed {
            bench.restart();
        }
        settle_in_the_end(&bench);
        assert!(!bench.store().is_erasing());
        let kept = bench.live("b").remove(0).path.rsplit('/').next().unwrap().to_owned();
        let expected =
            [kept, "original-00000001.2020-01-01.c.parquet".into(), "original-00000002.2020-01-01.a.parquet".into()];
        assert_eq!(copies(&bench), expected, "killed: {is_killed}");
    }
}

#[test]
fn the_copy_of_a_damaged_file_does_not_outlive_retention_that_was_cut_off_after_its_commit() {
    let mut bench = Bench::with(|config| {
        (config.flush_events, config.limits.retention_days, config.is_date_sure) = (1, Some(2), true);
    });
    damaged(&mut bench, "a");
    bench.clock.advance_us(5 * DAY_US);
    die_without(&bench, "a");
    assert!(bench.live("a").is_empty(), "it has expired");
    bench.restart();
    bench.settle_well();
    assert_eq!(copies(&bench), Vec::<String>::new());
}

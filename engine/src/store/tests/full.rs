//! A volume without room, and what else the operating system refuses before anything reaches a device.

use std::path::Path;

use mallard_wal::Drive;
use mallard_wal::disk::sim::Fault;
use mallard_wal::disk::{Disk as _, File};
use rustix::io::Errno;

use super::*;
use crate::erasure::ErasureRequest;
use crate::error::ReceiptError;
use crate::query::Span;
use crate::status::Ingest;

const CAPACITY_BYTES: u64 = 64 << 20;
const REST_US: i64 = 30_000_000;

/// Takes all space, as another program does.
fn fill(bench: &Bench) -> Box<dyn File> {
    let filler = bench.disk.create(Path::new("/data/filler")).unwrap();
    filler.set_len(bench.disk.free_bytes(Path::new(ROOT)).unwrap()).unwrap();
    filler
}

fn try_open(bench: &Bench) -> Result<Store, Error> {
    Store::open(bench.config.clone(), bench.env.clone(), Drive::Manual, Arc::new(Progress::default()))
}

#[test]
fn a_store_on_a_full_volume_opens_with_the_room_of_the_ballast() {
    let mut bench = Bench::with(|config| config.disk_reserve_bytes = 16 << 20);
    bench.disk.set_capacity(CAPACITY_BYTES);
    bench.clock.advance_us(1_000_000);
    bench.send("a", 3);
    bench.store().hold_ballast();
    let filler = fill(&bench);
    bench.restart();
    assert_eq!(bench.rows("a"), [1, 2, 3]);
    assert!(bench.disk.open(&bench.store().layout().ballast()).is_err(), "it was given up");
    assert!(matches!(bench.offer("a"), Err(AppendError::DiskReserve)));
    assert_eq!(bench.store().poisoned(), None);
    filler.set_len(0).unwrap();
    bench.clock.advance_us(1_000_000);
    bench.send("a", 1);
    assert_eq!(bench.rows("a"), [1, 2, 3, 5]);
}

#[test]
fn without_a_ballast_the_open_says_that_there_is_no_room_and_a_later_one_finds_everything() {
    let mut bench = Bench::with(|config| config.disk_reserve_bytes = 0);
    bench.disk.set_capacity(CAPACITY_BYTES);
    bench.send("a", 3);
    let filler = fill(&bench);
    bench.store = None;
    let error = try_open(&bench).unwrap_err();
    assert!(error.is_lack_of_space(), "{error}");
    filler.set_len(0).unwrap();
    bench.restart();
    assert_eq!(bench.rows("a"), [1, 2, 3]);
}

#[test]
fn a_volume_without_room_for_a_new_manifest_file_fails_the_work_and_not_the_store() {
    let mut bench = Bench::new(1);
    let mut failures = Vec::new();
    for _ in 0..24 {
        bench.send("a", 1);
        let used = (4 << 30) - bench.disk.free_bytes(Path::new(ROOT)).unwrap();
        // Enough for a Parquet file.
        bench.disk.set_capacity(used + (100 << 10));
        failures.extend(bench.settle().into_iter().filter_map(Result::err).map(|error| error.to_string()));
        assert_eq!(bench.store().poisoned(), None);
        bench.disk.set_capacity(4 << 30);
        bench.clock.advance_us(REST_US);
        bench.settle_well();
    }
    assert!(failures.iter().any(|failure| failure.starts_with("cannot write /data/manifest/")), "{failures:?}");
    let rows: Vec<u64> = (1..=24).collect();
    assert_eq!((bench.rows("a"), bench.reasons()), (rows.clone(), vec![]));
    bench.restart();
    assert_eq!(bench.rows("a"), rows);
}

#[test]
fn what_is_refused_before_it_reaches_a_device_is_tried_again_in_the_same_life() {
    for errno in [Errno::NOSPC, Errno::DQUOT, Errno::ACCESS, Errno::MFILE] {
        for operation in 1.. {
            let mut bench = Bench::new(1);
            bench.files("a", 1);
            bench.send("a", 1);
            bench.disk.fail_at(bench.disk.operations() + operation, Fault::ErrorOnce(errno.raw_os_error()));
            bench.settle();
            if !bench.disk.is_sound() {
                assert!(operation > 40, "compaction and a merge are more than {operation} operations");
                break;
            }
            let struck = bench.disk.struck().unwrap();
            let poisoned = bench.store().poisoned();
            // No device refuses a sync like that; and where the log or the manifest goes on in a file that has a name, what
            // the file holds is unknown.
            let may_be_final = struck.starts_with("sync_") || struck.contains("/data/wal/");
            if may_be_final || poisoned.as_ref().is_some_and(|cause| cause.contains("cannot commit to /data/manifest"))
            {
                continue;
            }
            assert_eq!(poisoned, None, "{errno:?} at {struck}");
            bench.clock.advance_us(REST_US);
            bench.settle_well();
            assert_eq!(bench.rows("a"), [1, 2], "{errno:?} at {struck}");
        }
    }
}

#[test]
fn a_log_that_cannot_begin_a_segment_says_why_and_goes_on_when_it_can() {
    let mut bench = Bench::new(10_000);
    // A folder has the name of the segment after the next.
    let wal = bench.store().layout().wal();
    let made =
        bench.disk.list(&wal).unwrap().into_iter().find_map(|entry| entry.name.strip_suffix(".wal.new")?.parse().ok());
    let number: u64 = made.unwrap();
    let blocked = wal.join(format!("{:020}.wal.new", number + 1));
    bench.disk.create_dir(&blocked).unwrap();
    let refused = (0..100).find_map(|_| {
        let receipt = bench.offer("a").unwrap();
        bench.store().pump().unwrap();
        receipt.wait().err()
    });
    assert!(matches!(refused, Some(ReceiptError::NotWritten(_))), "it is not for want of room: {refused:?}");
    let status = bench.store().status();
    assert_eq!(status.ingest, Ingest::NoSegment);
    assert!(
        status.degraded_reasons[0].starts_with("the log cannot begin a segment: "),
        "{:?}",
        status.degraded_reasons
    );
    bench.disk.remove_dir(&blocked).unwrap();
    bench.send("a", 1);
    let status = bench.store().status();
    assert_eq!((status.ingest, status.degraded_reasons), (Ingest::Accepting, vec![]));
}

/// A store that cannot begin a segment for want of room.
fn without_a_segment() -> Bench {
    let mut bench = Bench::with(|config| config.disk_reserve_bytes = 0);
    bench.disk.set_capacity(0);
    let refused = (0..1_000).find_map(|_| {
        let receipt = bench.offer("a").unwrap();
        bench.store().pump().unwrap();
        receipt.wait().err()
    });
    assert!(matches!(refused, Some(ReceiptError::NoSpace(_))), "{refused:?}");
    bench.store().log.seal().unwrap();
    assert_eq!(bench.store().status().ingest, Ingest::DiskReserve);
    bench
}

#[test]
fn an_erasure_that_was_not_recorded_is_not_remembered() {
    let bench = without_a_segment();
    let site = SiteId::parse("a").unwrap();
    let request = ErasureRequest { site, span: Span { start_us: 0, end_us: DAY_US }, subject: None };
    let (id, receipt) = bench.store().begin_erasure(&request).unwrap();
    bench.store().pump().unwrap();
    assert!(bench.store().recorded(id, receipt).is_err());
    assert_eq!(bench.store().shared.state().ended.len(), 0);
}

#[test]
fn a_log_that_could_not_begin_a_segment_begins_one_when_there_is_room_though_no_event_comes() {
    let mut bench = without_a_segment();
    bench.disk.set_capacity(4 << 30);
    bench.clock.advance_us(REST_US);
    bench.settle_well();
    assert_eq!((bench.store().status().ingest, bench.reasons()), (Ingest::Accepting, vec![]));
    bench.send("a", 1);
}

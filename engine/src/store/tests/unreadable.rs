//! A Parquet file with a sector that the device cannot read is damaged, whoever meets it: the scrub, a merge, an erasure.

use mallard_event::{SiteId, Subject, VisitorId};
use mallard_wal::disk::sim::{EIO, Fault};
use mallard_wal::disk::{Clock as _, Disk as _};

use super::{Bench, DAY_US};
use crate::erasure::ErasureRequest;
use crate::query::Span;

#[test]
fn the_scrub_finds_a_sector_that_cannot_be_read() {
    let mut bench = Bench::new(1);
    bench.files("a", 1);
    let file = bench.live("a").remove(0);
    bench.disk.break_sector(&Bench::path(&file), 0).unwrap();
    bench.clock.advance_us(bench.store().scrub());
    bench.store().scrub();
    bench.settle_well();
    assert!(bench.reasons()[0].contains(&*file.path), "{:?}", bench.reasons());
    assert_eq!(bench.store().status().quarantined, 1);
}

#[test]
fn the_scrub_and_verify_ask_the_device_and_not_the_page_cache() {
    let mut bench = Bench::new(1);
    bench.files("a", 1);
    let file = bench.live("a").remove(0);
    bench.disk.rot(&Bench::path(&file), 10, 0xff).unwrap();
    assert_eq!(bench.rows("a"), [1], "it is cached");
    bench.clock.advance_us(bench.store().scrub());
    bench.store().scrub();
    bench.settle_well();
    assert!(bench.reasons()[0].contains(&*file.path), "{:?}", bench.reasons());

    let mut bench = Bench::new(1);
    bench.files("a", 1);
    bench.disk.rot(&Bench::path(&bench.live("a")[0]), 10, 0xff).unwrap();
    let found = crate::verify::verify(std::path::Path::new(super::ROOT), &bench.env, &mut |_, _| {}).unwrap();
    assert_eq!(found.faults.len(), 1, "{found:?}");
}

#[test]
fn a_manifest_that_rots_is_written_anew_while_there_is_a_memory_of_it() {
    let mut bench = Bench::new(1);
    bench.files("a", 2);
    let manifest = bench.store().layout().manifest();
    let newest = bench.disk.list(&manifest).unwrap().pop().unwrap().name;
    bench.disk.rot(&manifest.join(&newest), 5000, 0xff).unwrap();
    bench.clock.advance_us(bench.store().scrub());
    bench.store().scrub();
    let reasons = bench.reasons();
    assert!(reasons[0].starts_with("the manifest was damaged while the server ran"), "{reasons:?}");
    bench.send("a", 1);
    bench.settle_well();
    bench.restart();
    assert_eq!((bench.rows("a"), bench.reasons()), (vec![1, 2, 3], reasons), "until an operator acknowledges it");
    bench.store().acknowledge_loss(&|_| {}).unwrap();
    assert_eq!(bench.reasons(), Vec::<String>::new());
}

#[test]
fn a_merge_goes_on_without_a_file_that_cannot_be_read() {
    let mut bench = Bench::with(|config| (config.flush_events, config.limits.merge_files_min) = (1, 3));
    bench.files("a", 2);
    let broken = bench.live("a").remove(0);
    bench.disk.break_sector(&Bench::path(&broken), 0).unwrap();
    bench.send("a", 1);
    let steps = bench.settle();
    assert!(matches!(steps.last(), Some(Ok(crate::Step::Idle { .. }))), "{steps:?}");
    assert_eq!(steps.iter().filter(|step| step.is_err()).count(), 1, "it fails once: {steps:?}");
    bench.files("a", 1);
    let files = bench.live("a");
    assert!(files.iter().any(|file| file.level > 0), "the others are merged: {files:?}");
    assert!(bench.store().manifest().is_damaged(&broken.path));
    assert!(bench.reasons()[0].contains(&*broken.path), "{:?}", bench.reasons());
}

#[test]
fn an_erasure_removes_a_file_that_cannot_be_read_and_comes_to_an_end() {
    let mut bench = Bench::new(1);
    bench.files("a", 1);
    bench.files("b", 1);
    let broken = bench.live("a").remove(0);
    bench.disk.break_sector(&Bench::path(&broken), 0).unwrap();
    erase_visitor(&bench, "a");
    let steps = bench.settle();
    assert!(!bench.store().is_erasing(), "{steps:?}");
    assert_eq!((bench.live("a").len(), bench.rows("b")), (0, vec![2]));
    assert!(bench.disk.open(&Bench::path(&broken)).is_err(), "it is gone from the disk");
}

/// A file that is left out is removed by an erasure as a whole, so one failed read must not be enough for that.
#[test]
fn one_failed_read_does_not_make_a_file_damaged() {
    let mut struck = Vec::new();
    for call in 1.. {
        let mut bench = Bench::new(1);
        bench.files("a", 1);
        bench.clock.advance_us(bench.store().scrub());
        bench.disk.fail_call_at(bench.disk.calls() + call, Fault::ErrorOnce(EIO));
        bench.store().scrub();
        if !bench.disk.is_sound() {
            break;
        }
        struck.extend(bench.disk.struck());
        bench.settle_well();
        assert_eq!((bench.reasons(), bench.rows("a")), (vec![], vec![1]), "{struck:?}");
    }
    let reads = |folder: &str| struck.iter().filter(|call| call.starts_with(&format!("read /data/{folder}/"))).count();
    assert!(reads("events") > 0 && reads("manifest") > 0, "{struck:?}");
}

/// Erases one visitor's events of today.
pub(super) fn erase_visitor(bench: &Bench, site: &str) {
    let (site, visitor) = (SiteId::parse(site).unwrap(), VisitorId::parse("visitor").unwrap());
    let now_us = bench.clock.now_us();
    let subject = Some(Subject::visitor(&site, &visitor));
    let request = ErasureRequest { site, span: Span { start_us: now_us - DAY_US, end_us: now_us + DAY_US }, subject };
    drop(bench.store().begin_erasure(&request).unwrap());
    bench.store().pump().unwrap();
}

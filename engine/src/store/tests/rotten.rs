//! A sealed segment that cannot be read any more, and work that goes on failing.

use super::{Bench, Step};

/// Seals what is in the log and breaks the segment.
fn seal_and_break(bench: &Bench) {
    let sealed = bench.store().log.seal().unwrap().unwrap();
    bench.disk.break_sector(&sealed.path, sealed.bytes - 1).unwrap();
}

#[test]
fn a_segment_that_rots_after_it_was_sealed_is_compacted_from_memory() {
    let mut bench = Bench::new(100);
    bench.send("a", 3);
    bench.send("b", 2);
    seal_and_break(&bench);
    bench.send("a", 1);
    bench.settle_well();
    assert_eq!((bench.rows("a"), bench.rows("b")), (vec![1, 2, 3, 6], vec![4, 5]));
    assert_eq!((bench.live("a").len(), bench.live("b").len()), (1, 1), "they are in files");
    assert_eq!(bench.store().status().compacted_lsn, 5);
    bench.restart();
    assert_eq!((bench.rows("a"), bench.rows("b")), (vec![1, 2, 3, 6], vec![4, 5]));
    assert_eq!((bench.reasons(), bench.store().status().lost_lsns), (vec![], 0));
}

#[test]
fn rows_in_chunks_and_a_segment_of_an_earlier_life_are_remembered_too() {
    let mut bench = Bench::new(10_000);
    bench.send("a", 600);
    bench.restart();
    let sealed = bench.store().log.sealed();
    sealed.iter().for_each(|segment| bench.disk.break_sector(&segment.path, 5000).unwrap());
    bench.settle_well();
    assert_eq!(bench.store().status().compacted_lsn, 600);
    assert_eq!(bench.rows("a"), (1..=600).collect::<Vec<u64>>());
}

#[test]
fn what_an_erasure_takes_from_a_segment_that_rots_does_not_come_back_and_is_counted() {
    let mut bench = Bench::new(100);
    bench.send("a", 2);
    bench.send("b", 2);
    super::unreadable::erase_visitor(&bench, "a");
    bench.send("a", 1);
    seal_and_break(&bench);
    bench.settle_well();
    assert_eq!((bench.rows("a"), bench.rows("b")), (vec![5], vec![3, 4]));
    assert!(!bench.store().is_erasing());
    assert_eq!(bench.store().status().balance.erased, 2);
    bench.restart();
    assert_eq!((bench.rows("a"), bench.rows("b")), (vec![5], vec![3, 4]));
}

#[test]
fn work_that_goes_on_failing_is_named_in_health_rests_and_is_forgotten_when_it_succeeds() {
    let mut bench = Bench::new(1);
    bench.files("a", 1);
    bench.send("a", 1);
    bench.store().log.seal().unwrap();
    bench.disk.set_capacity(0);
    for attempt in 1..=3 {
        // What the last attempt has left is removed first.
        let failed = (0..2).any(|_| bench.store().maintain(&|_| {}).is_err());
        assert!(failed, "attempt {attempt}");
        assert_eq!(bench.store().status().failing, u64::from(attempt == 3));
    }
    let reasons = bench.reasons();
    assert!(
        reasons[0].starts_with("failing: compaction, 3 times in a row since 2026-01-01T00:00:00Z: "),
        "{reasons:?}"
    );
    let Some(Ok(Step::Idle { next_in_us })) = bench.settle().pop() else { panic!("it rests") };
    assert_eq!(next_in_us, 30_000_000);
    bench.clock.advance_us(next_in_us);
    assert!(bench.store().maintain(&|_| {}).is_err(), "it is tried again");
    bench.disk.set_capacity(1 << 30);
    bench.clock.advance_us(next_in_us);
    bench.settle_well();
    assert_eq!((bench.reasons(), bench.store().status().failing), (vec![], 0));
    assert_eq!(bench.rows("a"), [1, 2]);
}

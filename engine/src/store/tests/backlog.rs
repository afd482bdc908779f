//! When compaction does not keep up: senders are slowed down, then refused, and a full disk is another refusal. An erasure
//! gives way before that.

use super::*;

const TAIL_BYTES_SLOW: usize = 20_000;
const TAIL_BYTES_MAX: usize = 40_000;

#[test]
fn a_growing_backlog_slows_senders_down_before_it_refuses_them_and_a_full_disk_refuses_in_its_own_way() {
    let mut bench = Bench::with(|config| {
        config.flush_events = u64::MAX;
        (config.tail_bytes_slow, config.tail_bytes_max) = (TAIL_BYTES_SLOW, TAIL_BYTES_MAX);
    });
    let mut waits = Vec::new();
    while let Ok(receipt) = bench.offer("a") {
        bench.store().pump().unwrap();
        receipt.wait().unwrap();
        waits.push(bench.store().hold_back_us());
    }
    let at_once = waits.iter().take_while(|wait| **wait == 0).count();
    let slowed = &waits[at_once..];
    assert!(at_once > 10 && slowed.len() > 10, "{waits:?}");
    assert!(slowed.is_sorted() && slowed[0] < 100_000, "{slowed:?}");
    assert_eq!(slowed.last(), Some(&1_000_000), "the longest wait comes before the first refusal");
    assert_eq!(bench.offer("a").unwrap_err(), AppendError::Busy);

    bench.disk.set_capacity(0);
    bench.clock.advance_us(1_000_000);
    assert_eq!(bench.offer("a").unwrap_err(), AppendError::DiskReserve);
    bench.disk.set_capacity(1 << 30);
    bench.clock.advance_us(1_000_000);
    bench.store().log.seal().unwrap();
    bench.settle_well();
    assert_eq!(bench.store().hold_back_us(), 0);
    bench.send("a", 1);
}

#[test]
fn a_long_erasure_gives_way_to_a_backlog_that_slows_senders_down() {
    let mut bench = Bench::with(|config| {
        (config.flush_events, config.limits.erase_files_max) = (1, 1);
        (config.tail_bytes_slow, config.tail_bytes_max) = (5_000, 40_000);
    });
    for _ in 0..8 {
        bench.files("a", 1);
        bench.clock.advance_us(DAY_US);
    }
    bench.config.flush_events = 10_000;
    bench.restart();
    bench.settle_well();
    super::orphans::erase_site(&bench, "a", 20);
    while bench.live("a").len() > 5 {
        bench.store().maintain(&|_| {}).unwrap();
    }
    while bench.store().hold_back_us() == 0 {
        bench.send("b", 1);
    }
    let steps: Vec<_> = (0..2).map(|_| bench.store().maintain(&|_| {}).unwrap()).collect();
    assert!(matches!(steps[..], [Step::Sealed, Step::Compacted { .. }]), "{steps:?}");
    assert_eq!(bench.store().hold_back_us(), 0);
    assert!(bench.store().is_erasing());
    bench.settle_well();
    assert!(!bench.store().is_erasing() && bench.live("a").is_empty());
}

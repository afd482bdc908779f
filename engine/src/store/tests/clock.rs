//! A date that is set forward or back while the store is open.

use mallard_wal::disk::Clock;

use super::*;
use crate::query::Deadline;

const HOUR_US: i64 = 3_600 * 1_000_000;
const FLUSH_US: i64 = 60 * 1_000_000;

#[test]
fn a_date_that_is_set_back_does_not_put_off_compaction_queries_and_the_scrub() {
    let mut bench = Bench::with(|config| config.flush_interval_us = FLUSH_US);
    bench.send("a", 1);
    bench.settle_well();
    assert!(bench.live("a").is_empty());
    let clock: Arc<dyn Clock> = Arc::clone(&bench.clock) as _;
    let deadline = Deadline::after(&clock, FLUSH_US);
    let scrub_us = bench.store().scrub();
    bench.clock.jump_us(-HOUR_US);
    bench.clock.advance_us(FLUSH_US);
    bench.settle_well();
    assert_eq!(bench.live("a").len(), 1, "it is compacted when the interval has passed");
    assert!(deadline.check().is_err(), "a query ends when its time is up");
    bench.clock.advance_us(scrub_us);
    assert!(bench.store().scrub() > DAY_US, "and the scrub has read the file and rests for a week");
}

#[test]
fn a_date_that_is_set_forward_does_not_end_queries() {
    let bench = Bench::new(1);
    let clock: Arc<dyn Clock> = Arc::clone(&bench.clock) as _;
    let deadline = Deadline::after(&clock, FLUSH_US);
    bench.clock.jump_us(400 * DAY_US);
    assert!(deadline.check().is_ok());
}

/// Retention of ten days.
fn ten_days() -> Bench {
    Bench::with(|config| (config.flush_events, config.limits.retention_days) = (1, Some(10)))
}

#[test]
fn a_date_that_leaps_ahead_deletes_nothing_until_it_has_stayed_ahead_for_a_day() {
    let mut bench = ten_days();
    bench.files("a", 1);
    for leap_days in [30, 365] {
        bench.clock.jump_us(leap_days * DAY_US);
        bench.settle_well();
        bench.clock.jump_us(-leap_days * DAY_US);
        bench.settle_well();
        assert_eq!(bench.rows("a"), [1], "{leap_days} days");
    }
    bench.clock.jump_us(30 * DAY_US);
    bench.files("a", 1);
    bench.clock.advance_us(DAY_US - 1);
    bench.settle_well();
    assert_eq!(bench.rows("a"), [1, 2]);
    bench.clock.advance_us(1);
    bench.settle_well();
    assert_eq!(bench.rows("a"), [2], "the date is believed");
}

#[test]
fn retention_goes_by_a_date_that_goes_on_by_itself_and_by_one_that_was_behind() {
    let mut bench = ten_days();
    bench.files("a", 1);
    bench.clock.jump_us(-DAY_US * 5);
    bench.settle_well();
    bench.clock.jump_us(DAY_US * 5);
    for _ in 0..11 {
        assert_eq!(bench.rows("a"), [1]);
        bench.clock.advance_us(DAY_US);
        bench.settle_well();
    }
    assert_eq!(bench.rows("a"), Vec::<u64>::new());
}

#[test]
fn a_start_with_a_date_far_ahead_of_the_newest_event_waits_a_day_in_every_tier() {
    let mut bench = ten_days();
    bench.files("a", 1);
    bench.snapshots().take(&[]).unwrap();
    bench.clock.jump_us(30 * DAY_US);
    bench.restart();
    bench.settle_well();
    assert_eq!(bench.rows("a"), [1]);
    assert_eq!(bench.snapshots().list().unwrap()[0].image.events, 1);
    bench.clock.advance_us(DAY_US);
    bench.settle_well();
    assert_eq!(bench.rows("a"), Vec::<u64>::new());
    assert_eq!(bench.snapshots().list().unwrap()[0].image.events, 0);
}

#[test]
fn after_a_silence_of_days_and_a_restart_retention_goes_on_at_once() {
    let mut bench = ten_days();
    bench.files("a", 1);
    // Nobody sends anything.
    for _ in 0..9 {
        bench.clock.advance_us(DAY_US);
        bench.settle_well();
    }
    for _ in 0..2 {
        assert_eq!(bench.rows("a"), [1]);
        bench.clock.advance_us(DAY_US);
        bench.restart();
        bench.settle_well();
    }
    assert_eq!(bench.rows("a"), Vec::<u64>::new());
}

#[test]
fn lives_of_an_hour_with_half_a_day_between_them_apply_retention() {
    let mut bench = ten_days();
    bench.files("a", 1);
    for _ in 0..20 {
        assert_eq!(bench.rows("a"), [1]);
        bench.settle_well();
        bench.clock.advance_us(HOUR_US);
        bench.settle_well();
        bench.clock.advance_us(DAY_US / 2 - HOUR_US);
        bench.restart();
    }
    bench.clock.advance_us(DAY_US);
    bench.settle_well();
    assert_eq!(bench.rows("a"), Vec::<u64>::new());
}

#[test]
fn after_days_without_power_the_second_start_believes_the_date() {
    let mut bench = ten_days();
    bench.files("a", 1);
    bench.clock.jump_us(12 * DAY_US);
    bench.restart();
    bench.settle_well();
    assert_eq!(bench.rows("a"), [1], "it may have leapt");
    bench.clock.jump_us(DAY_US);
    bench.restart();
    bench.settle_well();
    assert_eq!(bench.rows("a"), Vec::<u64>::new(), "two starts agree");
}

#[test]
fn a_date_that_leaps_ahead_at_every_start_deletes_nothing() {
    let mut bench = ten_days();
    bench.files("a", 1);
    bench.clock.jump_us(30 * DAY_US);
    for leap_days in [0, 93, 365, 3650] {
        bench.clock.jump_us(leap_days * DAY_US);
        bench.restart();
        bench.settle_well();
        // Also if events arrive meanwhile.
        bench.files("b", 1);
        assert_eq!(bench.rows("a"), [1], "{leap_days} days");
    }
    bench.clock.advance_us(DAY_US);
    bench.settle_well();
    assert_eq!(bench.rows("a"), Vec::<u64>::new(), "it has stayed there for a day");
}

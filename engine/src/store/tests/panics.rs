//! A fault of this program in the middle of maintenance, and merges that fail for good.

use mallard_compactor::Job;

use super::super::failures::Work;
use super::*;

const REST_US: i64 = 30_000_000;

#[test]
fn a_panic_is_a_failure_of_its_work_and_other_work_goes_on() {
    let mut bench = Bench::new(1);
    bench.files("a", 1);
    for attempt in 1..=3 {
        bench.send("a", 1);
        let step = bench.store().maintain(&|_| panic!("views"));
        let failed = std::iter::once(step).chain((0..5).map(|_| bench.store().maintain(&|_| panic!("views"))));
        assert!(failed.into_iter().any(|step| matches!(step, Err(Error::Panicked(_)))), "attempt {attempt}");
    }
    assert_eq!(bench.store().poisoned(), None, "what was committed is whole");
    bench.clock.advance_us(REST_US);
    bench.settle_well();
    assert_eq!((bench.rows("a"), bench.reasons()), (vec![1, 2, 3, 4], vec![]));
}

#[test]
fn a_panic_in_a_commit_poisons_the_store() {
    let mut bench = Bench::new(1);
    bench.send("a", 1);
    bench.store().log.seal().unwrap();
    let store = bench.store();
    let mut maintenance = store.maintenance.lock().unwrap();
    let manifest = store.manifest();
    let committed = store.failures.attempt(&Work::Planning, || {
        store.commit(&mut maintenance, &manifest, mallard_compactor::Edit::default(), |_| panic!("half"))
    });
    assert!(matches!(committed, Err(Error::Panicked(_))), "{committed:?}");
    drop(maintenance);
    assert!(bench.store().poisoned().unwrap().contains("a commit of the manifest"));
    bench.restart();
    assert_eq!(bench.rows("a"), [1]);
}

#[test]
fn a_merge_that_fails_for_good_keeps_no_other_from_its_turn() {
    let mut bench = Bench::with(|config| (config.flush_events, config.limits.merge_files_min) = (1, 3));
    bench.files("a", 2);
    bench.files("b", 2);
    let job = |bench: &Bench| {
        let store = bench.store();
        store.next_job(&[]).1.map(|job| match job {
            Job::Merge { site, .. } => site.to_string(),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(job(&bench), None);
    for site in ["a", "b"] {
        bench.send(site, 1);
        bench.store().log.seal().unwrap();
        while !matches!(bench.store().maintain(&|_| {}), Ok(Step::Compacted { .. })) {}
    }
    let (site, date) = (SiteId::parse("a").unwrap(), bench.live("a")[0].date);
    // The first of the two would be merged each time.
    for _ in 0..3 {
        assert_eq!(job(&bench).as_deref(), Some("a"));
        let work = Work::Merging { site: site.clone(), date };
        bench.store().failures.attempt(&work, || Err::<(), _>(Error::Rows("for good".into()))).unwrap_err();
    }
    assert_eq!(job(&bench).as_deref(), Some("b"));
    bench.settle_well();
    assert_eq!((bench.live("a").len(), bench.live("b").len()), (3, 1));
    assert!(
        bench.reasons()[0].starts_with("failing: a merge of site a, day 2026-01-01, 3 times"),
        "{:?}",
        bench.reasons()
    );
    bench.clock.advance_us(REST_US);
    bench.settle_well();
    assert_eq!((bench.live("a").len(), bench.reasons()), (1, vec![]));
}

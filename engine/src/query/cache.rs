//! Partials that are kept: what a day answered stays valid until the day changes.
//!
//! - Bounded by bytes and by number; the partial not used for longest goes first. None is used beyond its time to live.
//! - An entry is used only by a snapshot whose version of the day is the same, so an answer from the cache equals one
//!   computed from the rows, always.
//! - Whoever needs a partial that another query is computing waits for it: the questions of one dashboard read each day
//!   once, however many arrive together.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use mallard_event::{Date, SiteId};

use super::config::QueryConfig;
use super::cuts::Cuts;
use super::deadline::Deadline;
use super::dimension::Facets;
use super::filter::Filter;
use super::partial::DayPartial;
use super::question::QueryError;

/// What an entry costs beside what it counts itself, from above: key, map, list, allocations. So the bound on bytes also
/// bounds the number of entries.
const ENTRY_BYTES: usize = 512;

/// What a partial is an answer to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) site: SiteId,
    pub(super) date: Date,
    pub(super) cuts: Cuts,
    pub(super) facets: Facets,
    pub(super) filter: Arc<Filter>,
    pub(super) as_of: Option<u64>,
}

/// Partials by what they answer.
#[derive(Debug)]
pub(super) struct PartialCache {
    state: Mutex<State>,
    finished: Condvar,
    bytes_max: usize,
    /// 0: no bound.
    entries_max: usize,
    /// 0: nothing is kept.
    ttl_us: i64,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// How the cache of answers does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheFigures {
    /// Days of answers that are kept.
    pub entries: u64,
    /// Days that were answered from the cache since the start.
    pub hits: u64,
    /// Days that had to be computed.
    pub misses: u64,
}

#[derive(Debug)]
struct State {
    kept: LruCache<Arc<Key>, Kept>,
    /// The filter of the kept partials, each held and counted once, and by how many it is used.
    filters: HashMap<Arc<Filter>, usize>,
    bytes: usize,
    running: HashSet<(Arc<Key>, u64)>,
}

#[derive(Debug)]
struct Kept {
    version: u64,
    partial: Arc<DayPartial>,
    bytes: usize,
    computed_us: i64,
}

impl PartialCache {
    pub(super) fn new(config: &QueryConfig) -> Self {
        let state = State { kept: LruCache::unbounded(), filters: HashMap::new(), bytes: 0, running: HashSet::new() };
        Self {
            state: Mutex::new(state),
            finished: Condvar::new(),
            bytes_max: config.cache_bytes_max,
            entries_max: config.cache_entries_max,
            ttl_us: config.cache_ttl_us,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// How it does.
    pub(super) fn figures(&self) -> CacheFigures {
        CacheFigures {
            entries: self.lock().kept.len() as u64,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }

    /// Forgets everything that is kept.
    pub(super) fn clear(&self) {
        let mut state = self.lock();
        state.kept.clear();
        state.filters.clear();
        state.bytes = 0;
    }

    /// The partial for `key` at this version of its day: kept, awaited from another query, or computed.
    pub(super) fn get_or_compute(
        &self,
        mut key: Key,
        version: u64,
        deadline: &Deadline,
        compute: impl FnOnce(&Key) -> Result<DayPartial, QueryError>,
    ) -> Result<Arc<DayPartial>, QueryError> {
        let mut state = self.lock();
        if let Some((filter, _)) = state.filters.get_key_value(&key.filter) {
            key.filter = Arc::clone(filter);
        }
        let key = Arc::new(key);
        loop {
            let oldest_us = deadline.steady_us().saturating_sub(self.ttl_us);
            if let Some(partial) = state.get(&key, version, oldest_us) {
                self.hits.fetch_add(1, Ordering::Relaxed);
                return Ok(partial);
            }
            if state.running.insert((Arc::clone(&key), version)) {
                break;
            }
            deadline.check()?;
            state = self.finished.wait_timeout(state, deadline.patience()).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        self.misses.fetch_add(1, Ordering::Relaxed);
        let computed_us = deadline.steady_us();
        let turn = Turn { cache: self, key: Arc::clone(&key), version };
        let partial = Arc::new(compute(&key)?);
        self.keep(key, Kept { version, partial: Arc::clone(&partial), bytes: 0, computed_us });
        drop(turn);
        Ok(partial)
    }

    fn keep(&self, key: Arc<Key>, kept: Kept) {
        if self.ttl_us > 0 {
            let entries_max = if self.entries_max == 0 { usize::MAX } else { self.entries_max };
            self.lock().put(key, kept, self.bytes_max, entries_max);
        }
    }

    /// A panic cannot leave the state half changed in a way that matters: at worst its bytes are counted too high.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn get(&mut self, key: &Key, version: u64, oldest_us: i64) -> Option<Arc<DayPartial>> {
        let kept = self.kept.get(key).filter(|kept| kept.version == version && kept.computed_us > oldest_us);
        kept.map(|kept| Arc::clone(&kept.partial))
    }

    fn put(&mut self, key: Arc<Key>, mut kept: Kept, bytes_max: usize, entries_max: usize) {
        kept.bytes = ENTRY_BYTES + key.cuts.bytes() + kept.partial.bytes();
        self.bytes += kept.bytes;
        self.hold(&key.filter);
        if let Some((replaced, kept)) = self.kept.push(key, kept) {
            self.forget(&replaced, &kept);
        }
        while self.bytes > bytes_max || self.kept.len() > entries_max {
            let Some((oldest, kept)) = self.kept.pop_lru() else { return };
            self.forget(&oldest, &kept);
        }
    }

    fn hold(&mut self, filter: &Arc<Filter>) {
        let users = self.filters.entry(Arc::clone(filter)).or_default();
        *users += 1;
        if *users == 1 {
            self.bytes += filter.bytes();
        }
    }

    fn forget(&mut self, key: &Key, kept: &Kept) {
        self.bytes -= kept.bytes;
        let Some(users) = self.filters.get_mut(&key.filter) else { return };
        *users -= 1;
        if *users == 0 {
            self.filters.remove(&key.filter);
            self.bytes -= key.filter.bytes();
        }
    }
}

/// One query's turn to compute a partial; ends however it ends.
#[derive(Debug)]
struct Turn<'a> {
    cache: &'a PartialCache,
    key: Arc<Key>,
    version: u64,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.cache.lock().running.remove(&(Arc::clone(&self.key), self.version));
        self.cache.finished.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::{Barrier, mpsc};
    use std::thread;

    use mallard_wal::disk::Clock;
    use mallard_wal::disk::real::SystemClock;

    use super::super::filter::{Subject, Term};
    use super::super::partial::Fold;
    use super::super::question::Span;
    use super::*;

    fn deadline() -> Deadline {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Deadline::after(&clock, 60_000_000)
    }

    fn key(days: i32) -> Key {
        let date = Date::from_days(days).unwrap();
        let window = Span { start_us: date.start().micros(), end_us: date.end().micros() };
        let cuts = Cuts { window, days: Box::default(), hours: Box::default() };
        let (filter, facets) = (Arc::default(), Facets::NONE);
        Key { site: SiteId::parse("a").unwrap(), date, cuts, facets, filter, as_of: None }
    }

    fn of_bytes(bytes_max: usize) -> PartialCache {
        PartialCache::new(&QueryConfig { cache_bytes_max: bytes_max, ..QueryConfig::default() })
    }

    fn partial(key: &Key) -> DayPartial {
        Fold::new(&key.cuts, key.facets).finish(None).unwrap()
    }

    fn entry_bytes() -> usize {
        ENTRY_BYTES + partial(&key(0)).bytes()
    }

    /// Of all partials of the same filter.
    fn filter_bytes() -> usize {
        Filter::default().bytes()
    }

    /// Asks for a day and says whether it was computed.
    fn is_computed(cache: &PartialCache, days: i32, version: u64) -> bool {
        let mut is_computed = false;
        let compute = |key: &Key| {
            is_computed = true;
            Ok(partial(key))
        };
        cache.get_or_compute(key(days), version, &deadline(), compute).unwrap();
        is_computed
    }

    #[test]
    fn a_partial_is_computed_once_and_again_when_its_day_has_changed() {
        let cache = of_bytes(1 << 20);
        assert!(is_computed(&cache, 1, 7));
        assert!(!is_computed(&cache, 1, 7));
        assert!(is_computed(&cache, 1, 8));
        assert!(is_computed(&cache, 1, 7), "an older snapshot must not be answered from a newer day");
        assert!(is_computed(&cache, 2, 7));
    }

    #[test]
    fn memory_is_bounded_and_the_day_used_longest_ago_goes_first() {
        let cache = of_bytes(3 * entry_bytes() + filter_bytes());
        for days in [1, 2, 3, 1, 4] {
            is_computed(&cache, days, 0);
        }
        assert!(!is_computed(&cache, 1, 0));
        assert!(is_computed(&cache, 2, 0));
        assert!(cache.lock().bytes <= cache.bytes_max);
        assert_eq!(cache.lock().kept.len(), 3);
    }

    #[test]
    fn the_partials_of_one_filter_share_it_and_it_is_counted_once_and_until_the_last_is_gone() {
        let cache = of_bytes(1 << 20);
        let long = |days| {
            let values = ["x".repeat(2000)];
            let term = Term::is(Subject::EventName, values.iter().map(String::as_str), true).unwrap();
            Key { filter: Arc::new(Filter::Term(term)), ..key(days) }
        };
        for days in 0..10 {
            cache.get_or_compute(long(days), 0, &deadline(), |key| Ok(partial(key))).unwrap();
        }
        assert_eq!(cache.lock().bytes, 10 * entry_bytes() + long(0).filter.bytes());
        let shared = cache.lock().kept.iter().map(|(key, _)| Arc::as_ptr(&key.filter)).collect::<HashSet<_>>();
        assert_eq!(shared.len(), 1);
        cache.lock().put(
            Arc::new(key(1)),
            Kept { version: 0, partial: Arc::new(partial(&key(1))), bytes: 0, computed_us: 0 },
            0,
            0,
        );
        let state = cache.lock();
        assert_eq!((state.bytes, state.filters.len()), (0, 0));
    }

    #[test]
    fn no_more_partials_are_kept_than_the_bound_unless_it_is_0() {
        let kept = |cache_entries_max| {
            let cache = PartialCache::new(&QueryConfig { cache_entries_max, ..QueryConfig::default() });
            (0..50).for_each(|days| assert!(is_computed(&cache, days, 0)));
            cache.figures().entries
        };
        assert_eq!((kept(3), kept(0)), (3, 50));
    }

    /// Time stands still, or is what the test says.
    #[derive(Debug, Default)]
    struct Hands(std::sync::atomic::AtomicI64);

    impl Clock for Hands {
        fn now_us(&self) -> i64 {
            0
        }

        fn steady_us(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_partial_is_used_for_its_time_to_live_and_not_at_all_without_one() {
        let clock = Arc::new(Hands::default());
        let computed_at = |cache: &PartialCache, now_us: i64| {
            clock.0.store(now_us, Ordering::Relaxed);
            let clock: Arc<dyn Clock> = Arc::clone(&clock) as _;
            let mut is_computed = false;
            let compute = |key: &Key| {
                is_computed = true;
                Ok(partial(key))
            };
            cache.get_or_compute(key(1), 0, &Deadline::after(&clock, 1_000_000), compute).unwrap();
            is_computed
        };
        let cache = PartialCache::new(&QueryConfig { cache_ttl_us: 1000, ..QueryConfig::default() });
        assert_eq!(
            [0, 999, 1000, 1500, 2000].map(|now_us| computed_at(&cache, now_us)),
            [true, false, true, false, true]
        );
        assert_eq!(cache.figures(), CacheFigures { entries: 1, hits: 2, misses: 3 });
        let off = PartialCache::new(&QueryConfig { cache_ttl_us: 0, ..QueryConfig::default() });
        assert_eq!([0, 0].map(|now_us| computed_at(&off, now_us)), [true, true]);
        assert_eq!(off.figures(), CacheFigures { entries: 0, hits: 0, misses: 2 });
    }

    #[test]
    fn a_partial_larger_than_the_cache_is_answered_and_not_kept() {
        let cache = of_bytes(entry_bytes() + filter_bytes() - 1);
        assert!(is_computed(&cache, 1, 0));
        assert!(is_computed(&cache, 1, 0));
        assert_eq!(cache.lock().bytes, 0);
    }

    #[test]
    fn queries_that_arrive_together_compute_a_partial_once() {
        const QUERIES: usize = 8;
        let (cache, computed, start) = (of_bytes(1 << 20), AtomicUsize::new(0), Barrier::new(QUERIES));
        thread::scope(|scope| {
            for _ in 0..QUERIES {
                scope.spawn(|| {
                    start.wait();
                    let compute = |key: &Key| {
                        computed.fetch_add(1, Ordering::Relaxed);
                        Ok(partial(key))
                    };
                    cache.get_or_compute(key(1), 0, &deadline(), compute).unwrap();
                });
            }
        });
        assert_eq!(computed.into_inner(), 1);
    }

    #[test]
    fn when_a_computation_fails_the_next_query_takes_its_turn() {
        let cache = of_bytes(1 << 20);
        let (started, is_started) = mpsc::channel();
        let (go, may_fail) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let cache = &cache;
            scope.spawn(move || {
                let compute = |_: &Key| {
                    started.send(()).unwrap();
                    may_fail.recv().unwrap();
                    Err(QueryError::OutOfMemory)
                };
                let failed = cache.get_or_compute(key(1), 0, &deadline(), compute);
                assert_eq!(failed.unwrap_err(), QueryError::OutOfMemory);
            });
            is_started.recv().unwrap();
            let waiter = scope.spawn(|| is_computed(cache, 1, 0));
            go.send(()).unwrap();
            assert!(waiter.join().unwrap());
        });
    }

    #[test]
    fn waiting_for_another_query_ends_at_the_deadline() {
        let cache = of_bytes(1 << 20);
        let nested = |outer: &Key| {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let soon = Deadline::after(&clock, 1_000);
            let late = cache.get_or_compute(outer.clone(), 0, &soon, |_| panic!("must wait"));
            assert_eq!(late.unwrap_err(), QueryError::TimedOut);
            Ok(partial(outer))
        };
        cache.get_or_compute(key(1), 0, &deadline(), nested).unwrap();
    }
}

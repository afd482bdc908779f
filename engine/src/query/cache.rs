//! Partials that are kept: what a day answered stays valid until the day changes.
//!
//! - Bounded by bytes; the partial not used for longest goes first.
//! - An entry is used only by a snapshot whose version of the day is the same, so an answer from the cache equals one
//!   computed from the rows, always.
//! - Whoever needs a partial that another query is computing waits for it: the questions of one dashboard read each day
//!   once, however many arrive together.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use mallard_event::{Date, SiteId};

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
}

#[derive(Debug)]
struct State {
    kept: LruCache<Arc<Key>, Kept>,
    bytes: usize,
    running: HashSet<(Arc<Key>, u64)>,
}

#[derive(Debug)]
struct Kept {
    version: u64,
    partial: Arc<DayPartial>,
    bytes: usize,
}

impl PartialCache {
    pub(super) fn new(bytes_max: usize) -> Self {
        let state = State { kept: LruCache::unbounded(), bytes: 0, running: HashSet::new() };
        Self { state: Mutex::new(state), finished: Condvar::new(), bytes_max }
    }

    /// The partial for `key` at this version of its day: kept, awaited from another query, or computed.
    pub(super) fn get_or_compute(
        &self,
        key: Key,
        version: u64,
        deadline: &Deadline,
        compute: impl FnOnce(&Key) -> Result<DayPartial, QueryError>,
    ) -> Result<Arc<DayPartial>, QueryError> {
        let key = Arc::new(key);
        let mut state = self.lock();
        loop {
            if let Some(partial) = state.get(&key, version) {
                return Ok(partial);
            }
            if state.running.insert((Arc::clone(&key), version)) {
                break;
            }
            deadline.check()?;
            state = self.finished.wait_timeout(state, deadline.remaining()).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        let turn = Turn { cache: self, key: Arc::clone(&key), version };
        let partial = Arc::new(compute(&key)?);
        self.lock().put(key, version, &partial, self.bytes_max);
        drop(turn);
        Ok(partial)
    }

    /// A panic cannot leave the state half changed in a way that matters: at worst its bytes are counted too high.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn get(&mut self, key: &Key, version: u64) -> Option<Arc<DayPartial>> {
        self.kept.get(key).filter(|kept| kept.version == version).map(|kept| Arc::clone(&kept.partial))
    }

    fn put(&mut self, key: Arc<Key>, version: u64, partial: &Arc<DayPartial>, bytes_max: usize) {
        let bytes = ENTRY_BYTES + key.cuts.bytes() + key.filter.bytes() + partial.bytes();
        let kept = Kept { version, partial: Arc::clone(partial), bytes };
        self.bytes += bytes;
        if let Some((_, replaced)) = self.kept.push(key, kept) {
            self.bytes -= replaced.bytes;
        }
        while self.bytes > bytes_max {
            let Some((_, oldest)) = self.kept.pop_lru() else { return };
            self.bytes -= oldest.bytes;
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
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, mpsc};
    use std::thread;

    use mallard_wal::disk::Clock;
    use mallard_wal::disk::real::SystemClock;

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

    fn partial(key: &Key) -> DayPartial {
        Fold::new(&key.cuts, key.facets).finish(None).unwrap()
    }

    fn entry_bytes() -> usize {
        ENTRY_BYTES + Filter::default().bytes() + partial(&key(0)).bytes()
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
        let cache = PartialCache::new(1 << 20);
        assert!(is_computed(&cache, 1, 7));
        assert!(!is_computed(&cache, 1, 7));
        assert!(is_computed(&cache, 1, 8));
        assert!(is_computed(&cache, 1, 7), "an older snapshot must not be answered from a newer day");
        assert!(is_computed(&cache, 2, 7));
    }

    #[test]
    fn memory_is_bounded_and_the_day_used_longest_ago_goes_first() {
        let cache = PartialCache::new(3 * entry_bytes());
        for days in [1, 2, 3, 1, 4] {
            is_computed(&cache, days, 0);
        }
        assert!(!is_computed(&cache, 1, 0));
        assert!(is_computed(&cache, 2, 0));
        assert!(cache.lock().bytes <= cache.bytes_max);
        assert_eq!(cache.lock().kept.len(), 3);
    }

    #[test]
    fn a_partial_larger_than_the_cache_is_answered_and_not_kept() {
        let cache = PartialCache::new(entry_bytes() - 1);
        assert!(is_computed(&cache, 1, 0));
        assert!(is_computed(&cache, 1, 0));
        assert_eq!(cache.lock().bytes, 0);
    }

    #[test]
    fn queries_that_arrive_together_compute_a_partial_once() {
        const QUERIES: usize = 8;
        let (cache, computed, start) = (PartialCache::new(1 << 20), AtomicUsize::new(0), Barrier::new(QUERIES));
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
        let cache = PartialCache::new(1 << 20);
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
        let cache = PartialCache::new(1 << 20);
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

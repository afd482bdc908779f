//! [`Dedup`]: which events were stored in the last hours, so that a client's retry is stored once.
//!
//! ```text
//! claim(site, id) ── unknown ──> Claim, which travels with the event through the log ── committed ──> remembered: its LSN
//!                 │                                                                  └─ dropped ───> forgotten again
//!                 ├─ on its way ──> Waiting: what becomes of the first one
//!                 └─ stored ─────> Stored: the original LSN
//! ```
//! What is kept of an id is 16 bytes of a hash over site and id, never the id. About 40 bytes each: an entry of 32 bytes in a
//! ring, oldest first, and 4 bytes in a table that finds it. At most `ids_max` are kept, and none longer than the window;
//! the oldest go first. At a start the window is filled from the newest files ([`super::history`]), from what was kept of erased
//! events ([`super::erased_ids`]) and from the log.
//!
//! The first to claim is the only one to append; the others wait for it without holding anything.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use hashbrown::HashTable;

/// 128 bits of SHA-256 over a site and an id.
pub(crate) type Fingerprint = [u8; 16];

/// The answer to "may this event be stored?".
#[derive(Debug)]
pub enum Claimed {
    /// Nobody has sent it within the window: append it, with the claim.
    New(Claim),
    /// It is stored, under this LSN.
    Stored(u64),
    /// Another request is about to store it.
    Waiting(Waiting),
}

/// The right to store one event. Dropping it without an append, or a failed append, gives the right back.
pub struct Claim {
    dedup: Arc<Dedup>,
    fingerprint: Fingerprint,
    claimed_us: i64,
    is_settled: bool,
}

/// Resolves to the LSN of the event that was being stored, or to `None` if it was not: then the claim is to be asked for again.
#[derive(Debug)]
pub struct Waiting(oneshot::AsyncReceiver<u64>);

/// The window of ids.
pub(crate) struct Dedup {
    window_us: i64,
    ids_max: usize,
    state: Mutex<State>,
}

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) entries: u64,
    /// How far back every id is known.
    pub(crate) effective_us: i64,
}

/// An event that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) lsn: u64,
    /// When it arrived, at the latest.
    pub(crate) stored_us: i64,
}

#[derive(Default)]
struct State {
    /// Stored ids, oldest first.
    ring: VecDeque<Entry>,
    /// The number of the ring's first entry; numbers wrap.
    first: u32,
    /// The numbers of the entries by their fingerprints.
    index: HashTable<u32>,
    hasher: RandomState,
    /// Ids on their way, and who waits for them.
    pending: HashMap<Fingerprint, Vec<oneshot::Sender<u64>>>,
    /// When an id was last forgotten for want of room, its own time.
    crowded_out_us: Option<i64>,
}

impl Dedup {
    /// A window of so many microseconds and ids.
    pub(crate) fn new(window_us: i64, ids_max: usize) -> Arc<Self> {
        Arc::new(Self { window_us, ids_max, state: Mutex::default() })
    }

    /// Asks for the right to store an event.
    pub(crate) fn claim(self: &Arc<Self>, fingerprint: Fingerprint, now_us: i64) -> Claimed {
        let mut state = self.state();
        state.forget_until(now_us.saturating_sub(self.window_us));
        if let Some(lsn) = state.lsn(&fingerprint) {
            return Claimed::Stored(lsn);
        }
        if let Some(waiting) = state.pending.get_mut(&fingerprint) {
            let (sender, receiver) = oneshot::async_channel();
            waiting.push(sender);
            return Claimed::Waiting(Waiting(receiver));
        }
        state.pending.insert(fingerprint, Vec::new());
        Claimed::New(Claim { dedup: Arc::clone(self), fingerprint, claimed_us: now_us, is_settled: false })
    }

    /// Remembers an event that is stored already. To be called in the order of the log.
    pub(crate) fn remember(&self, fingerprint: Fingerprint, lsn: u64, stored_us: i64) {
        self.state().add(Entry { fingerprint, lsn, stored_us }, self.ids_max);
    }

    /// Everything that is remembered, oldest first.
    pub(crate) fn entries(&self, now_us: i64) -> Vec<Entry> {
        let mut state = self.state();
        state.forget_until(now_us.saturating_sub(self.window_us));
        state.ring.iter().copied().collect()
    }

    /// How much is remembered.
    pub(crate) fn window(&self, now_us: i64) -> Window {
        let mut state = self.state();
        let cutoff_us = now_us.saturating_sub(self.window_us);
        state.forget_until(cutoff_us);
        let known_since_us = state.crowded_out_us.unwrap_or(cutoff_us).max(cutoff_us);
        Window { entries: state.ring.len() as u64, effective_us: now_us.saturating_sub(known_since_us).max(0) }
    }

    fn settle(&self, fingerprint: Fingerprint, lsn: u64, stored_us: i64) {
        let mut state = self.state();
        state.add(Entry { fingerprint, lsn, stored_us }, self.ids_max);
        for waiting in state.pending.remove(&fingerprint).into_iter().flatten() {
            // Whoever waited may have gone.
            waiting.send(lsn).ok();
        }
    }

    /// Who waits learns by the loss of its sender that it may ask again.
    fn give_back(&self, fingerprint: &Fingerprint) {
        let waiting = self.state().pending.remove(fingerprint);
        drop(waiting);
    }

    /// A panic while the lock was held leaves at worst an entry that nothing finds.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lsn(&self, fingerprint: &Fingerprint) -> Option<u64> {
        let number = self.index.find(self.hasher.hash_one(fingerprint), |number| {
            self.entry(*number).is_some_and(|entry| entry.fingerprint == *fingerprint)
        })?;
        self.entry(*number).map(|entry| entry.lsn)
    }

    fn entry(&self, number: u32) -> Option<&Entry> {
        self.ring.get(number.wrapping_sub(self.first) as usize)
    }

    fn add(&mut self, entry: Entry, ids_max: usize) {
        if self.lsn(&entry.fingerprint).is_some() {
            return;
        }
        while self.ring.len() >= ids_max {
            let crowded_out_us = self.ring.front().map(|oldest| oldest.stored_us);
            self.crowded_out_us = self.crowded_out_us.max(crowded_out_us);
            self.forget_oldest();
        }
        if self.ring.len() == self.ring.capacity() {
            // Doubling beyond the bound would cost memory that is never used.
            let room = self.ring.len().max(1024).min(ids_max - self.ring.len());
            self.ring.reserve_exact(room);
        }
        let number = self.first.wrapping_add(u32::try_from(self.ring.len()).unwrap_or(u32::MAX));
        self.ring.push_back(entry);
        let Self { ring, first, index, hasher, .. } = self;
        let hash = |number: &u32| {
            let entry = ring.get(number.wrapping_sub(*first) as usize);
            hasher.hash_one(entry.map_or(Fingerprint::default(), |entry| entry.fingerprint))
        };
        index.insert_unique(hasher.hash_one(entry.fingerprint), number, hash);
    }

    fn forget_until(&mut self, cutoff_us: i64) {
        while self.ring.front().is_some_and(|oldest| oldest.stored_us <= cutoff_us) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.ring.pop_front() else { return };
        let number = self.first;
        if let Ok(found) = self.index.find_entry(self.hasher.hash_one(oldest.fingerprint), |found| *found == number) {
            found.remove();
        }
        self.first = self.first.wrapping_add(1);
    }
}

impl Claim {
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The event is durable.
    pub(crate) fn settle(mut self, lsn: u64) {
        self.is_settled = true;
        self.dedup.settle(self.fingerprint, lsn, self.claimed_us);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_settled {
            self.dedup.give_back(&self.fingerprint);
        }
    }
}

impl Future for Waiting {
    type Output = Option<u64>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<u64>> {
        Pin::new(&mut self.0).poll(context).map(Result::ok)
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").finish_non_exhaustive()
    }
}

impl fmt::Debug for Dedup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dedup").field("entries", &self.state().ring.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn print(number: u64) -> Fingerprint {
        (u128::from(number) + 1).to_le_bytes()
    }

    fn new(claimed: Claimed) -> Claim {
        match claimed {
            Claimed::New(claim) => claim,
            other => panic!("{other:?}"),
        }
    }

    fn stored(claimed: Claimed) -> u64 {
        match claimed {
            Claimed::Stored(lsn) => lsn,
            other => panic!("{other:?}"),
        }
    }

    fn waiting(claimed: Claimed) -> Waiting {
        match claimed {
            Claimed::Waiting(waiting) => waiting,
            other => panic!("{other:?}"),
        }
    }

    fn poll(waiting: &mut Waiting) -> Poll<Option<u64>> {
        Pin::new(waiting).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_stored_event_is_known_for_the_window_and_new_after_it() {
        let dedup = Dedup::new(1000, 10);
        new(dedup.claim(print(1), 5)).settle(7);
        assert_eq!(stored(dedup.claim(print(1), 1004)), 7);
        drop(new(dedup.claim(print(1), 1005)));
        drop(new(dedup.claim(print(2), 5)));
    }

    #[test]
    fn who_comes_while_it_is_on_its_way_hears_what_became_of_it() {
        let dedup = Dedup::new(1000, 10);
        let claim = new(dedup.claim(print(1), 0));
        let mut others = [waiting(dedup.claim(print(1), 1)), waiting(dedup.claim(print(1), 2))];
        assert!(others.iter_mut().all(|other| poll(other).is_pending()));
        claim.settle(3);
        assert!(others.iter_mut().all(|other| poll(other) == Poll::Ready(Some(3))));
    }

    #[test]
    fn a_claim_that_came_to_nothing_can_be_made_again() {
        let dedup = Dedup::new(1000, 10);
        let claim = new(dedup.claim(print(1), 0));
        let mut other = waiting(dedup.claim(print(1), 1));
        drop(claim);
        assert_eq!(poll(&mut other), Poll::Ready(None));
        new(dedup.claim(print(1), 2)).settle(9);
        assert_eq!(stored(dedup.claim(print(1), 3)), 9);
    }

    #[test]
    fn the_oldest_ids_make_room_and_the_window_says_how_far_it_reaches() {
        let dedup = Dedup::new(1000, 100);
        for number in 0..100 {
            new(dedup.claim(print(number), number.try_into().unwrap())).settle(number);
        }
        assert_eq!(dedup.window(200), Window { entries: 100, effective_us: 1000 });
        new(dedup.claim(print(100), 100)).settle(100);
        new(dedup.claim(print(101), 101)).settle(101);
        assert_eq!(dedup.window(200), Window { entries: 100, effective_us: 199 });
        assert!(matches!(dedup.claim(print(1), 200), Claimed::New(_)));
        for number in 2..=101 {
            assert_eq!(stored(dedup.claim(print(number), 200)), number);
        }
        assert_eq!(dedup.window(5000), Window { entries: 0, effective_us: 1000 });
    }

    #[test]
    fn every_id_of_a_long_run_is_found_exactly_while_it_is_kept() {
        let dedup = Dedup::new(i64::MAX, 1000);
        for number in 0..20_000 {
            dedup.remember(print(number), number, 0);
            let oldest = number.saturating_sub(999);
            assert_eq!(stored(dedup.claim(print(oldest), 1)), oldest);
            if oldest > 0 {
                drop(new(dedup.claim(print(oldest - 1), 1)));
            }
        }
        let state = dedup.state();
        assert_eq!((state.ring.len(), state.index.len(), state.ring.capacity()), (1000, 1000, 1000));
    }

    #[test]
    fn an_event_remembered_twice_keeps_its_first_position() {
        let dedup = Dedup::new(1000, 10);
        dedup.remember(print(1), 5, 0);
        dedup.remember(print(1), 6, 0);
        assert_eq!(stored(dedup.claim(print(1), 1)), 5);
        assert_eq!(dedup.window(1).entries, 1);
    }

    #[test]
    fn an_entry_costs_less_than_48_bytes() {
        let dedup = Dedup::new(i64::MAX, 150_000);
        (0..150_000).for_each(|number| dedup.remember(print(number), number, 0));
        let state = dedup.state();
        let bytes = state.ring.capacity() * size_of::<Entry>() + state.index.allocation_size();
        assert!(bytes < 150_000 * 48, "{bytes}");
    }
}

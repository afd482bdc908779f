//! The only mutable truth, behind one lock: which files are live, which events are in memory.
//!
//! The lock is held for as long as it takes to push a group of events or to clone a few `Arc`s, never across I/O.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mallard_compactor::{Condition, Erasure, FileEntry, LsnRange, Manifest, Taken};
use mallard_event::{Date, SiteId, Timestamp};
use mallard_wal::disk::Clock;
use mallard_wal::seeded::{Bug, between, is_seeded};
use mallard_wal::{Committed, Lsn, NoSegment, Observer, SealedSegment};

use super::gaps::LostDays;
use crate::erasure::Erased;
use crate::status::{Balance, Progress, SiteSummary};
use crate::tail::{Entry, Tail};

/// What commit thread, maintenance and queries share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    poison: Mutex<Option<String>>,
    /// Signalled when there may be work for maintenance.
    work: Condvar,
    progress: Arc<Progress>,
    clock: Arc<dyn Clock>,
    due: Due,
}

/// When waiting events are worth a compaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) events: u64,
    pub(super) bytes: usize,
    pub(super) age_us: i64,
}

/// One consistent moment of the store.
#[derive(Debug)]
pub(super) struct State {
    pub(super) manifest: Arc<Manifest>,
    pub(super) tail: Tail,
    pub(super) high_water: Lsn,
    /// Events that this life has found or accepted; see [`Balance`].
    accepted: u64,
    /// Since when events have been waiting for compaction, by the clock that nobody sets.
    waiting_since_us: Option<i64>,
    /// Damage found when opening; shown until an operator acknowledges it.
    pub(super) damage: Vec<String>,
    /// Gaps that the log had above the checkpoint when it was opened, in ascending order.
    pub(super) log_gaps: Vec<LsnRange>,
    /// The days that gaps in the log may affect.
    pub(super) lost_days: Arc<Vec<LostDays>>,
    /// Live files that were found damaged in this life, by their paths, and why; views leave them out at once, the
    /// manifest is told by maintenance.
    pub(super) suspects: Arc<BTreeMap<String, String>>,
    /// The erasures that are not finished, in the order of the log. No view shows what they take.
    pub(super) erasing: Arc<Vec<Erasing>>,
    /// What finished erasures have done, for those who wait for them.
    pub(super) ended: BTreeMap<[u8; 16], Option<Erased>>,
    /// Finished erasures for which nobody waits.
    pub(super) unattended: Vec<(Arc<Erasure>, Erased)>,
    /// Set by [`Shared::wake`] and by commits that cross a threshold; cleared by the waiter.
    work_waits: bool,
}

/// An erasure that is not finished.
#[derive(Clone, Debug)]
pub(super) struct Erasing {
    pub(super) erasure: Arc<Erasure>,
    /// Files of days through this one hold nothing that it takes any more.
    pub(super) done_until: Option<Date>,
    /// Snapshots that were written anew for it in this life. What it has taken besides is in the manifest.
    pub(super) snapshots: u64,
}

impl Shared {
    pub(super) fn new(state: State, progress: Arc<Progress>, clock: Arc<dyn Clock>, due: Due) -> Self {
        let (state, poison) = (Mutex::new(state), Mutex::new(None));
        Self { state, poison, work: Condvar::new(), progress, clock, due }
    }

    /// Microseconds until waiting events should be compacted: 0 if now, `None` if none waits.
    pub(super) fn due_in_us(&self) -> Option<i64> {
        let state = self.state();
        let since_us = state.waiting_since_us?;
        let age_us = self.clock.steady_us().saturating_sub(since_us);
        Some(if self.due.reached(&state.tail) { 0 } else { self.due.age_us.saturating_sub(age_us).max(0) })
    }

    /// Takes the manifest's next version over and forgets what it has in files: one step, under the lock.
    pub(super) fn publish(&self, manifest: Arc<Manifest>, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        let checkpoint = manifest.checkpoint();
        let moved = checkpoint > state.manifest.checkpoint();
        state.manifest = manifest;
        if is_seeded(Bug::SwapSeparately) {
            drop(state);
            between();
            state = self.state();
        }
        if moved && !is_seeded(Bug::KeepTail) {
            state.tail.trim(checkpoint);
            state.waiting_since_us = (state.tail.events() > 0).then(|| self.clock.steady_us());
        }
    }

    /// A panic while the lock was held cannot leave it half changed: every change is one assignment or one push.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tail_bytes(&self) -> usize {
        self.state().tail.bytes()
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.poison.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn poisoned(&self) -> Option<String> {
        self.poison.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Latches the first cause: nothing is written after it.
    pub(super) fn poison(&self, cause: &str) {
        self.poison.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| cause.to_owned());
        self.wake();
    }

    /// Tells maintenance to look for work.
    pub(super) fn wake(&self) {
        self.state().work_waits = true;
        self.work.notify_all();
    }

    /// Waits until there may be work, at most `limit`.
    pub(super) fn wait_for_work(&self, limit: Duration) {
        let state = self.state();
        let (mut state, _) = self
            .work
            .wait_timeout_while(state, limit, |state| !state.work_waits)
            .unwrap_or_else(PoisonError::into_inner);
        state.work_waits = false;
    }
}

impl Observer<Entry> for Shared {
    fn committed(&self, batch: Committed<Entry>) {
        let mut state = self.state();
        let pushed = state.tail.push(batch);
        state.high_water = pushed.last;
        state.accepted += pushed.events;
        let has_erasures = !pushed.erasures.is_empty();
        state.begin(pushed.erasures);
        let first = state.waiting_since_us.is_none();
        if first {
            state.waiting_since_us = Some(self.clock.steady_us());
        }
        if first || has_erasures || self.due.reached(&state.tail) {
            state.work_waits = true;
            self.work.notify_all();
        }
    }

    fn sealed(&self, _segment: SealedSegment) {
        self.wake();
    }

    fn poisoned(&self, cause: &str) {
        self.poison(cause);
    }

    fn lacks_segment(&self, cause: &NoSegment) {
        tracing::error!(%cause, "the log cannot begin a segment: events are refused until it can");
    }

    fn synced(&self, micros: u64, _records: usize) {
        self.progress.synced(micros);
    }
}

impl Due {
    fn reached(&self, tail: &Tail) -> bool {
        tail.events() >= self.events || tail.bytes() >= self.bytes
    }
}

impl State {
    pub(super) fn new(manifest: Arc<Manifest>, tail: Tail, high_water: Lsn, damage: Vec<String>, now_us: i64) -> Self {
        let waiting_since_us = (tail.events() > 0).then_some(now_us);
        let found = balance(&manifest, &tail);
        Self {
            accepted: found.stored + found.erased + found.expired,
            manifest,
            tail,
            high_water,
            waiting_since_us,
            damage,
            log_gaps: Vec::new(),
            lost_days: Arc::default(),
            suspects: Arc::default(),
            erasing: Arc::default(),
            ended: BTreeMap::new(),
            unattended: Vec::new(),
            work_waits: true,
        }
    }

    /// What became of every event.
    pub(super) fn balance(&self) -> Balance {
        Balance { accepted: self.accepted, ..balance(&self.manifest, &self.tail) }
    }

    /// From now on no view shows what these take.
    pub(super) fn begin(&mut self, erasures: impl IntoIterator<Item = Arc<Erasure>>) {
        for erasure in erasures {
            self.tail.erase(&erasure);
            let erasing = Arc::make_mut(&mut self.erasing);
            if !erasing.iter().any(|known| known.erasure.id == erasure.id) {
                erasing.push(Erasing { erasure, done_until: None, snapshots: 0 });
            }
        }
    }

    /// Changes what is known of an erasure.
    pub(super) fn erasing_mut(&mut self, id: [u8; 16]) -> Option<&mut Erasing> {
        Arc::make_mut(&mut self.erasing).iter_mut().find(|erasing| erasing.erasure.id == id)
    }

    /// An erasure is finished; the manifest here is still the one before that, which knows what it has taken.
    pub(super) fn end(&mut self, id: [u8; 16]) {
        let Taken { events, partitions, segments } = self.manifest.taken(id);
        Arc::make_mut(&mut self.erasing).retain(|erasing| {
            let is_it = erasing.erasure.id == id;
            let lsn = erasing.erasure.lsn.get();
            let erased = Erased { lsn, events, partitions, segments, snapshots: erasing.snapshots };
            match self.ended.get_mut(&id) {
                Some(awaited) if is_it => *awaited = Some(erased),
                None if is_it => self.unattended.push((Arc::clone(&erasing.erasure), erased)),
                _ => {}
            }
            !is_it
        });
    }

    pub(super) fn knows_site(&self, site: &SiteId) -> bool {
        self.tail.contains(site) || self.manifest.site(site).is_some()
    }

    pub(super) fn site_count(&self) -> usize {
        let only_in_tail = self.tail.sites().filter(|(site, _)| self.manifest.site(site).is_none()).count();
        self.manifest.sites().count() + only_in_tail
    }

    pub(super) fn sites(&self) -> Vec<SiteSummary> {
        let mut sites: Vec<SiteSummary> = self
            .manifest
            .sites()
            .map(|(site, totals)| SiteSummary {
                site: site.clone(),
                first_event_at: totals.min_timestamp,
                last_event_at: totals.max_timestamp,
                events_total: totals.rows,
            })
            .collect();
        for (site, tail) in self.tail.sites() {
            let Some(first) = tail.days().values().map(|day| day.first_us).min() else { continue };
            let last = tail.days().values().map(|day| day.last_us).max().unwrap_or(first);
            let (first, last) = (Timestamp::saturating_from_micros(first), Timestamp::saturating_from_micros(last));
            match sites.binary_search_by(|summary| summary.site.cmp(site)) {
                Ok(at) => {
                    if let Some(summary) = sites.get_mut(at) {
                        summary.add(first, last, tail.rows());
                    }
                }
                Err(at) => sites.insert(at, SiteSummary::new(site.clone(), first, last, tail.rows())),
            }
        }
        sites
    }

    /// Records and files that are set aside as damaged.
    pub(super) fn quarantined(&self) -> u64 {
        let records: u64 = self.manifest.quarantined().iter().map(LsnRange::count).sum();
        records + self.manifest.damaged().count() as u64
    }

    /// Every LSN that is known to be lost, in ascending order: also those that are not compacted yet.
    fn gaps(&self) -> Vec<LsnRange> {
        LsnRange::union(self.manifest.gaps(), &self.log_gaps)
    }

    pub(super) fn lost_lsns(&self) -> u64 {
        self.gaps().iter().map(LsnRange::count).sum()
    }

    /// The LSNs that an operator knows to be lost after having been told of all there are.
    pub(super) fn acknowledged(&self) -> Vec<LsnRange> {
        LsnRange::union(&self.gaps(), &LsnRange::union(self.manifest.quarantined(), &[]))
    }

    /// What an operator should know of and has not acknowledged, without what is not damage.
    pub(super) fn losses(&self) -> Vec<String> {
        let known = self.manifest.acknowledged();
        let gaps = self.gaps().into_iter().flat_map(|gap| gap.without(known));
        let gaps = gaps.map(|gap| format!("lost lsn {}-{}", gap.first, gap.last));
        let records = self.manifest.quarantined().iter().flat_map(|range| range.without(known));
        let quarantined = match records.map(|range| range.count()).sum::<u64>() {
            0 => None,
            count => Some(format!("{count} undecodable records are in quarantine/")),
        };
        let files = self.manifest.damaged().filter(|(_, condition)| *condition != Condition::Acknowledged);
        let files = files.map(|(file, _)| damaged_file(file));
        let mut losses: Vec<String> = self.damage.iter().cloned().chain(gaps).chain(quarantined).chain(files).collect();
        losses.sort();
        losses.dedup();
        losses
    }

    pub(super) fn degraded_reasons(&self, poisoned: Option<&str>) -> Vec<String> {
        let poisoned = poisoned.map(|cause| format!("poisoned: {cause}"));
        self.losses().into_iter().chain(poisoned).collect()
    }
}

/// Where the events of a manifest and a tail are, and which of them are no more; how many were accepted is not known here.
fn balance(manifest: &Manifest, tail: &Tail) -> Balance {
    let totals = manifest.totals();
    Balance {
        accepted: 0,
        stored: totals.rows + tail.events(),
        erased: totals.erased_rows + tail.erased_events(),
        expired: totals.expired_rows,
    }
}

fn damaged_file(file: &FileEntry) -> String {
    format!("damaged: {} (site {}, day {})", file.path, file.site, file.date)
}

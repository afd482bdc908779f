//! Which days a gap in the log may have cost events: what answers say, also after an operator has acknowledged the loss.
//!
//! A lost position tells neither its site nor its day. But the log is in the order of arrival: what it lost was received after
//! the record before the gap and before the one behind it. So every site may lack events of the UTC days between the two,
//! and of no other, as long as their senders have not dated them back.
//!
//! ```text
//! in the log              the records beside the gap; the gap record itself was written when the loss was found
//! in files by now         the times of arrival in the footers of the files beside it, a few of each kind
//! neither                 from the making of the store, or until now
//! ```
//! Asked once, at the opening: a gap is found by recovery and by nothing else. A store without one reads no footer.

use std::ops::RangeInclusive;

use mallard_compactor::{FileEntry, LsnRange, Manifest};
use mallard_event::{Date, Timestamp};
use mallard_wal::disk::Env;
use mallard_wal::{Lsn, Record};

use crate::identity::Identity;
use crate::layout::Layout;
use crate::query::Span;

/// How far ahead of its arrival an event may be dated.
const AHEAD_US: i64 = 5 * 60 * 1_000_000;
/// Files of each kind whose footers are read for a gap. More could only narrow the days down.
const FOOTERS_MAX: usize = 4;
/// Gaps that are told apart; beyond them, the last one stands for all that follow.
const GAPS_MAX: usize = 64;

/// The days that one gap may affect, of every site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LostDays {
    /// The first lost position: an answer as of an earlier one lacks nothing.
    first: Lsn,
    days: RangeInclusive<Date>,
}

impl LostDays {
    /// What an answer about this stretch and this position may lack of it.
    pub(crate) fn of(&self, span: Span, as_of: Option<u64>) -> Option<RangeInclusive<Date>> {
        let is_earlier = as_of.is_some_and(|as_of| as_of < self.first.get());
        if span.is_empty() || is_earlier {
            return None;
        }
        let date = |at_us| Timestamp::saturating_from_micros(at_us).date();
        let (first, last) = (date(span.start_us), date(span.end_us - 1));
        let days = first.max(*self.days.start())..=last.min(*self.days.end());
        (!days.is_empty()).then_some(days)
    }
}

/// A gap, and when what stands beside it was received, as far as that is known.
#[derive(Clone, Copy, Debug)]
struct Gap {
    lsns: LsnRange,
    before_us: Option<i64>,
    after_us: Option<i64>,
}

/// What a replay of the log says about gaps and their neighbours.
#[derive(Debug, Default)]
pub(super) struct Heard {
    gaps: Vec<Gap>,
    /// The first record that is no gap.
    first: Option<(Lsn, i64)>,
    newest_us: Option<i64>,
}

impl Heard {
    /// Takes the next record of the log.
    pub(super) fn record(&mut self, record: &Record<'_>) {
        if let Some((first, last)) = record.gap() {
            // Nothing that recovery missed came after it looked.
            let after_us = Some(record.received_us);
            self.gaps.push(Gap { lsns: LsnRange::new(first, last), before_us: self.newest_us, after_us });
            return;
        }
        for gap in self.gaps.iter_mut().rev().take_while(|gap| gap.lsns.last.next() == record.lsn) {
            gap.after_us = gap.after_us.map(|after_us| after_us.min(record.received_us));
        }
        self.first.get_or_insert((record.lsn, record.received_us));
        self.newest_us = Some(self.newest_us.unwrap_or(i64::MIN).max(record.received_us));
    }

    /// The days of all gaps.
    pub(super) fn lost_days(
        self,
        env: &Env,
        layout: &Layout,
        identity: &Identity,
        manifest: &Manifest,
    ) -> Vec<LostDays> {
        let in_files = manifest.gaps().iter().map(|lsns| Gap { lsns: *lsns, before_us: None, after_us: None });
        let gaps = in_files.chain(self.gaps.iter().copied());
        let footers = Footers { env, layout, manifest };
        let mut lost: Vec<LostDays> = Vec::new();
        for gap in gaps {
            let behind = self.first.filter(|(lsn, _)| *lsn > gap.lsns.last).map(|(_, received_us)| received_us);
            let before_us = gap.before_us.or_else(|| footers.before(gap.lsns)).unwrap_or(identity.created_us);
            let after_us = [gap.after_us, behind, footers.after(gap.lsns)].into_iter().flatten().min();
            let after_us = after_us.unwrap_or_else(|| env.clock.now_us()).max(before_us);
            let day = |at_us: i64| Timestamp::saturating_from_micros(at_us).date();
            let days = day(before_us)..=day(after_us.saturating_add(AHEAD_US));
            let is_full = lost.len() == GAPS_MAX;
            match lost.last_mut().filter(|_| is_full) {
                Some(rest) => rest.days = *rest.days.start().min(days.start())..=*rest.days.end().max(days.end()),
                None => lost.push(LostDays { first: gap.lsns.first, days }),
            }
        }
        lost
    }
}

/// The footers of the files beside a gap.
struct Footers<'a> {
    env: &'a Env,
    layout: &'a Layout,
    manifest: &'a Manifest,
}

impl Footers<'_> {
    /// A time that what was lost was not received before.
    fn before(&self, gap: LsnRange) -> Option<i64> {
        let below = self.nearest(|file| file.lsns.last < gap.first, |file| u64::MAX - file.lsns.last.get());
        let around = self.nearest(
            |file| file.lsns.first < gap.first && file.lsns.last > gap.last,
            |file| u64::MAX - file.lsns.first.get(),
        );
        let newest = below.into_iter().filter_map(|file| Some(self.arrivals(file)?.1));
        let oldest = around.into_iter().filter_map(|file| Some(self.arrivals(file)?.0));
        newest.chain(oldest).max()
    }

    /// A time that what was lost was not received after.
    fn after(&self, gap: LsnRange) -> Option<i64> {
        let above = self.nearest(|file| file.lsns.first > gap.last, |file| file.lsns.first.get());
        let around =
            self.nearest(|file| file.lsns.first < gap.first && file.lsns.last > gap.last, |file| file.lsns.last.get());
        let oldest = above.into_iter().filter_map(|file| Some(self.arrivals(file)?.0));
        let newest = around.into_iter().filter_map(|file| Some(self.arrivals(file)?.1));
        oldest.chain(newest).min()
    }

    fn nearest(&self, is_wanted: impl Fn(&FileEntry) -> bool, distance: impl Fn(&FileEntry) -> u64) -> Vec<&FileEntry> {
        let files = self.manifest.files().filter(|file| !self.manifest.is_damaged(&file.path));
        let mut files: Vec<&FileEntry> = files.map(AsRef::as_ref).filter(|file| is_wanted(file)).collect();
        files.sort_by_key(|file| distance(file));
        files.truncate(FOOTERS_MAX);
        files
    }

    /// The oldest and the newest arrival. A file that cannot be read, or does not say, narrows nothing down.
    fn arrivals(&self, file: &FileEntry) -> Option<(i64, i64)> {
        mallard_compactor::arrivals(self.env, self.layout.root(), file).ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use mallard_event::SiteId;
    use mallard_wal::disk::Clock as _;
    use mallard_wal::disk::sim;

    use super::*;
    use crate::store::tests::losses::{append, destroy, open};
    use crate::store::{Step, Store};

    const DAY_US: i64 = 86_400 * 1_000_000;

    /// What answers about some of the days since `start_us` lack, for a site that nobody knows to be affected.
    fn lost(store: &Store, start_us: i64, days: std::ops::Range<i64>, as_of: Option<u64>) -> Vec<String> {
        let site = SiteId::parse("b.example").unwrap();
        let span = Span { start_us: start_us + days.start * DAY_US, end_us: start_us + days.end * DAY_US };
        store.view(&site).lost_in(span, as_of)
    }

    #[test]
    fn a_gap_affects_the_days_between_its_neighbours_in_the_log_and_in_files_acknowledged_or_not() {
        let (env, disk, clock) = sim::env(1);
        clock.advance_us(DAY_US - clock.now_us().rem_euclid(DAY_US));
        let start_us = clock.now_us();
        let store = open(&env, u64::MAX);
        for number in 0..5 {
            clock.advance_us(3_600 * 1_000_000);
            append(&store, number, clock.now_us());
            clock.advance_us(DAY_US - 3_600 * 1_000_000);
        }
        drop(store);
        destroy(&disk, 2);
        let date = |day: i64| Timestamp::saturating_from_micros(start_us + day * DAY_US).date();
        let check = |store: &Store, what: &str| {
            let lost = |days, as_of| lost(store, start_us, days, as_of);
            assert_eq!(lost(0..9, None), [format!("b.example {}..{}", date(1), date(3))], "{what}");
            assert_eq!(lost(3..5, None), [format!("b.example {}..{}", date(3), date(3))], "{what}");
            assert_eq!(lost(0..9, Some(3)).len(), 1, "{what}: as of the lost event");
            for (days, as_of) in [(0..1, None), (4..9, None), (0..9, Some(2))] {
                assert_eq!(lost(days.clone(), as_of), Vec::<String>::new(), "{what}: {days:?} as of {as_of:?}");
            }
        };
        let store = open(&env, u64::MAX);
        check(&store, "found in the log");
        drop(store);
        let store = open(&env, 1);
        while !matches!(store.maintain(&|_| {}).unwrap(), Step::Idle { .. }) {}
        check(&store, "while it is compacted");
        drop(store);
        let store = open(&env, 1);
        assert_eq!(store.status().buffered_events, 0);
        check(&store, "between files");
        store.acknowledge_loss(&|_| {}).unwrap();
        check(&store, "acknowledged");
        drop(store);
        check(&open(&env, 1), "acknowledged, after a restart");
    }
}

//! [`LsnRange`], an inclusive run of positions in the log.

use std::fmt;

use mallard_wal::Lsn;

/// The positions `first..=last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LsnRange {
    /// The first position.
    pub first: Lsn,
    /// The last position, itself included.
    pub last: Lsn,
}

impl LsnRange {
    /// The positions `first..=last`; `first` may not lie behind `last`.
    pub fn new(first: Lsn, last: Lsn) -> Self {
        assert!(first <= last, "an empty range has no first position");
        Self { first, last }
    }

    /// The first so many positions of all, at least one.
    pub(crate) fn of_first(count: u64) -> Self {
        Self { first: Lsn::FIRST, last: Lsn::new(count.max(1)) }
    }

    /// One position.
    pub fn one(lsn: Lsn) -> Self {
        Self { first: lsn, last: lsn }
    }

    /// How many positions these are.
    pub fn count(&self) -> u64 {
        (self.last.get() - self.first.get()).saturating_add(1)
    }

    /// Whether `lsn` is one of them.
    pub fn contains(&self, lsn: Lsn) -> bool {
        (self.first..=self.last).contains(&lsn)
    }
}

impl fmt::Display for LsnRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.first, self.last)
    }
}

/// Adds `next`, which lies behind everything in `ranges`, joining it to the last range where the two touch.
pub(crate) fn push(ranges: &mut Vec<LsnRange>, next: LsnRange) {
    match ranges.last_mut() {
        Some(last) if last.last == next.first.previous() => last.last = next.last,
        _ => ranges.push(next),
    }
}

/// How many positions the ranges hold together; they do not overlap.
pub(crate) fn count(ranges: &[LsnRange]) -> u64 {
    ranges.iter().map(LsnRange::count).fold(0, u64::saturating_add)
}

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

impl LsnRange {
    /// The parts of it that are in none of `others`, which are in ascending order.
    pub fn without(self, others: &[Self]) -> Vec<Self> {
        let mut left = Vec::new();
        let mut first = self.first;
        for other in others.iter().filter(|other| other.last >= self.first && other.first <= self.last) {
            if other.first > first {
                left.push(Self::new(first, other.first.previous()));
            }
            first = first.max(other.last.next());
        }
        if first <= self.last {
            left.push(Self::new(first, self.last));
        }
        left
    }

    /// The parts of it that are in one of `others`, which are in ascending order.
    pub fn within(self, others: &[Self]) -> Vec<Self> {
        let shared = others.iter().filter(|other| other.last >= self.first && other.first <= self.last);
        shared.map(|other| Self::new(other.first.max(self.first), other.last.min(self.last))).collect()
    }

    /// The positions that are in one of `some` or of `others`, as few ranges in ascending order.
    pub fn union(some: &[Self], others: &[Self]) -> Vec<Self> {
        let mut all: Vec<Self> = some.iter().chain(others).copied().collect();
        all.sort_unstable();
        let mut joined: Vec<Self> = Vec::with_capacity(all.len());
        for next in all {
            match joined.last_mut() {
                Some(last) if next.first <= last.last.next() => last.last = last.last.max(next.last),
                _ => joined.push(next),
            }
        }
        joined
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(of: &[(u64, u64)]) -> Vec<LsnRange> {
        of.iter().map(|(first, last)| LsnRange::new(Lsn::new(*first), Lsn::new(*last))).collect()
    }

    #[test]
    fn what_is_without_others_and_what_is_within_them_is_the_whole() {
        let others = ranges(&[(1, 2), (5, 6), (8, 8), (12, 20)]);
        for (whole, without, within) in [
            ((3, 4), &[(3, 4)][..], &[][..]),
            ((2, 5), &[(3, 4)], &[(2, 2), (5, 5)]),
            ((5, 6), &[], &[(5, 6)]),
            ((1, 30), &[(3, 4), (7, 7), (9, 11), (21, 30)], &[(1, 2), (5, 6), (8, 8), (12, 20)]),
            ((7, 9), &[(7, 7), (9, 9)], &[(8, 8)]),
            ((13, 14), &[], &[(13, 14)]),
        ] {
            let range = LsnRange::new(Lsn::new(whole.0), Lsn::new(whole.1));
            assert_eq!(range.without(&others), ranges(without), "{whole:?}");
            assert_eq!(range.within(&others), ranges(within), "{whole:?}");
        }
    }

    #[test]
    fn a_union_is_in_order_and_joins_what_touches() {
        assert_eq!(
            LsnRange::union(&ranges(&[(1, 2), (9, 9)]), &ranges(&[(3, 4), (6, 7), (7, 8)])),
            ranges(&[(1, 4), (6, 9)])
        );
        assert_eq!(LsnRange::union(&[], &ranges(&[(3, 4)])), ranges(&[(3, 4)]));
        assert_eq!(LsnRange::union(&ranges(&[(1, 9)]), &ranges(&[(3, 4)])), ranges(&[(1, 9)]));
    }
}

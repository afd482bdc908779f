//! [`LsnSet`]: which positions of the log are accounted for, as a bitmap in pieces.
//!
//! Positions are dense from 1, so a bit each is the least they can take: 12 MB for a hundred million. A piece is made when
//! it is needed, so that a number that damage has made up costs 8 KiB and not the whole memory.

use std::collections::BTreeMap;

use mallard_wal::Lsn;

use crate::manifest::LsnRange;

const WORDS: usize = 1024;
const WORD_BITS: u64 = 64;
const PIECE_BITS: u64 = WORDS as u64 * WORD_BITS;

/// A set of positions.
#[derive(Debug, Default)]
pub struct LsnSet(BTreeMap<u64, Box<[u64; WORDS]>>);

impl LsnSet {
    /// Adds one; false if it was there.
    pub fn insert(&mut self, lsn: u64) -> bool {
        let (piece, word, bit) = place(lsn);
        let piece = self.0.entry(piece).or_insert_with(|| Box::new([0; WORDS]));
        let Some(word) = piece.get_mut(word) else { return false };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Adds several.
    pub(super) fn add(&mut self, lsns: impl IntoIterator<Item = u64>) {
        for lsn in lsns {
            self.insert(lsn);
        }
    }

    /// Whether it is there.
    pub(super) fn contains(&self, lsn: u64) -> bool {
        let (piece, word, bit) = place(lsn);
        self.0.get(&piece).and_then(|piece| piece.get(word)).is_some_and(|word| word & bit != 0)
    }

    /// How many of the positions of `range` are not there.
    pub(super) fn missing_in(&self, range: LsnRange) -> u64 {
        range.count() - self.count_in(range)
    }

    /// How many of the positions of `range` are there.
    pub(super) fn count_in(&self, range: LsnRange) -> u64 {
        let (first, last) = (range.first.get(), range.last.get());
        let pieces = self.0.range(first / PIECE_BITS..=last / PIECE_BITS);
        let words = pieces.flat_map(|(piece, words)| {
            let base = piece * PIECE_BITS;
            words.iter().zip(0_u64..).map(move |(word, at)| (base + at * WORD_BITS, *word))
        });
        words.map(|(base, word)| u64::from((word & within(base, first, last)).count_ones())).sum()
    }

    /// The highest there is.
    pub(super) fn last(&self) -> Lsn {
        let Some((piece, words)) = self.0.last_key_value() else { return Lsn::ZERO };
        let highest = words.iter().zip(0_u64..).filter(|(word, _)| **word != 0).last();
        let offset = highest.map_or(0, |(word, at)| at * WORD_BITS + u64::from(word.ilog2()));
        Lsn::new(piece * PIECE_BITS + offset)
    }
}

/// The bits of the word that begins at `base` which stand for positions from `first` to `last`.
fn within(base: u64, first: u64, last: u64) -> u64 {
    let end = base + WORD_BITS - 1;
    if end < first || last < base {
        return 0;
    }
    let low = u64::MAX << first.saturating_sub(base);
    let high = u64::MAX >> end.saturating_sub(last);
    low & high
}

fn place(lsn: u64) -> (u64, usize, u64) {
    let offset = lsn % PIECE_BITS;
    let word = usize::try_from(offset / WORD_BITS).unwrap_or_default();
    (lsn / PIECE_BITS, word, 1 << (offset % WORD_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_counted_like_in_a_list() {
        let mut set = LsnSet::default();
        let lsns = [1, 2, 63, 64, 65, 127, 128, 65_535, 65_536, 70_000, 1 << 40];
        for lsn in lsns {
            assert!(set.insert(lsn) && !set.insert(lsn), "{lsn}");
        }
        for (first, last) in [(1, 1), (1, 64), (3, 62), (63, 65_536), (65_536, 65_536), (1, 1 << 40), (64, 127)] {
            let expected = lsns.iter().filter(|lsn| (first..=last).contains(*lsn)).count() as u64;
            let range = LsnRange::new(Lsn::new(first), Lsn::new(last));
            assert_eq!(
                (set.count_in(range), set.missing_in(range)),
                (expected, last - first + 1 - expected),
                "{range}"
            );
        }
        assert!(set.contains(70_000) && !set.contains(70_001) && !set.contains(0));
        assert_eq!((set.last(), LsnSet::default().last()), (Lsn::new(1 << 40), Lsn::ZERO));
    }
}

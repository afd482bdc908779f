//! [`Lsn`], the position of a record in the log.

use std::fmt;

/// A log sequence number: dense, from 1, never reused. Zero stands for "before the first record".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(u64);

impl Lsn {
    /// Before the first record.
    pub const ZERO: Self = Self(0);
    /// The first record of a store.
    pub const FIRST: Self = Self(1);
    /// Larger numbers come from damage: a million records a second reach this after a hundred thousand years.
    pub const MAX: Self = Self(u64::MAX >> 2);

    /// Wraps a number read from a file or an interface.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        self.advance(1)
    }

    /// The position `count` records further on.
    #[must_use]
    pub const fn advance(self, count: u64) -> Self {
        Self(self.0 + count)
    }

    /// The position before this one; zero stays zero.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

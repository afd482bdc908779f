//! [`SimClock`] and [`SimEntropy`]: time and randomness as arguments.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use super::{SimRng, hold};
use crate::disk::{Clock, Entropy};

/// 2026-01-01T00:00:00Z: a day in the middle of nothing special.
const START_US: i64 = 1_767_225_600_000_000;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct SimClock {
    now_us: AtomicI64,
    steady_us: AtomicI64,
}

impl SimClock {
    /// Sets the date, also backwards: someone may do that. No time passes.
    pub fn set_us(&self, now_us: i64) {
        self.now_us.store(now_us, Ordering::SeqCst);
    }

    /// Sets the date forward, or back by a negative number. No time passes.
    pub fn jump_us(&self, by_us: i64) {
        self.now_us.fetch_add(by_us, Ordering::SeqCst);
    }

    /// Lets time pass.
    pub fn advance_us(&self, by_us: i64) {
        self.jump_us(by_us);
        self.steady_us.fetch_add(by_us, Ordering::SeqCst);
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self { now_us: AtomicI64::new(START_US), steady_us: AtomicI64::new(0) }
    }
}

impl Clock for SimClock {
    fn steady_us(&self) -> i64 {
        self.steady_us.load(Ordering::SeqCst)
    }

    fn now_us(&self) -> i64 {
        self.now_us.load(Ordering::SeqCst)
    }
}

/// Random bytes that are determined by a seed.
#[derive(Debug)]
pub struct SimEntropy(Mutex<SimRng>);

impl SimEntropy {
    /// The bytes of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(Mutex::new(SimRng::new(seed)))
    }
}

impl Entropy for SimEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        hold(&self.0).fill(bytes);
    }
}

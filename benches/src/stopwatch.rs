//! The one place of the benchmarks that asks for the time.

use std::time::{Duration, Instant};

/// Measures from its creation.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.elapsed().as_secs_f64()
    }
}

/// How often per second `work` returns, when repeated for about `seconds`.
pub fn rate(seconds: f64, mut work: impl FnMut()) -> f64 {
    let watch = Stopwatch::start();
    let mut rounds = 0_u32;
    while watch.seconds() < seconds {
        work();
        rounds += 1;
    }
    f64::from(rounds) / watch.seconds()
}

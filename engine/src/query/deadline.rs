//! When a query must end, and the thread that ends it.
//!
//! A query inside of DuckDB does not look at a clock. The [`Watchdog`] waits for the nearest deadline of all running
//! queries and interrupts those that are due. An interrupt between two statements is forgotten by DuckDB, so it is
//! repeated until the query has ended.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use mallard_wal::disk::Clock;

use super::question::QueryError;

/// How soon an interrupt is repeated.
const REPEAT: Duration = Duration::from_millis(20);
/// The thread only waits and calls one function.
const STACK_BYTES: usize = 128 << 10;

/// The instant after which nobody waits for an answer.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    clock: Arc<dyn Clock>,
    at_us: i64,
}

impl Deadline {
    /// A deadline `timeout_us` from now.
    pub(crate) fn after(clock: &Arc<dyn Clock>, timeout_us: i64) -> Self {
        Self { at_us: clock.steady_us().saturating_add(timeout_us), clock: Arc::clone(clock) }
    }

    /// The date, for whoever asks about it.
    pub(super) fn now_us(&self) -> i64 {
        self.clock.now_us()
    }

    /// What the deadline is measured by, and other ages can be.
    pub(super) fn steady_us(&self) -> i64 {
        self.clock.steady_us()
    }

    /// [`QueryError::TimedOut`] when the time is up.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if self.remaining().is_zero() { Err(QueryError::TimedOut) } else { Ok(()) }
    }

    /// The time left.
    pub(super) fn remaining(&self) -> Duration {
        let left_us = self.at_us.saturating_sub(self.clock.steady_us());
        Duration::from_micros(u64::try_from(left_us).unwrap_or(0))
    }
}

/// Something that can be told to stop.
type Interrupt = Box<dyn Fn() + Send>;

/// Ends what has outlived its deadline.
#[derive(Debug)]
pub(super) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    running: Mutex<Running>,
    changed: Condvar,
}

#[derive(Default)]
struct Running {
    next: u64,
    by_number: BTreeMap<u64, (Deadline, Interrupt)>,
    /// Everything is due: nobody waits for answers any more.
    is_over: bool,
    is_stopping: bool,
}

impl Watchdog {
    pub(super) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let body = {
            let shared = Arc::clone(&shared);
            move || shared.run()
        };
        let thread = Builder::new().name("query watchdog".into()).stack_size(STACK_BYTES).spawn(body)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Calls `interrupt`, on another thread, when `deadline` passes and again until the guard is dropped. Never after.
    pub(super) fn watch(&self, deadline: &Deadline, interrupt: impl Fn() + Send + 'static) -> Watched<'_> {
        let mut running = self.shared.lock();
        let number = running.next;
        running.next += 1;
        running.by_number.insert(number, (deadline.clone(), Box::new(interrupt)));
        self.shared.changed.notify_one();
        Watched { shared: &self.shared, number }
    }

    /// Interrupts everything that runs now or begins later.
    pub(super) fn end_all(&self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_one();
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.lock().is_stopping = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut running = self.lock();
        while !running.is_stopping {
            running = match running.interrupt_due() {
                Some(wait) => self.changed.wait_timeout(running, wait).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(running).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// A panic cannot leave the map half changed: every change is one insert or one remove.
    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Interrupts what is due and says how long nothing else will be; `None` if nothing runs.
    fn interrupt_due(&self) -> Option<Duration> {
        let waits = self.by_number.values().map(|(deadline, interrupt)| {
            let remaining = deadline.remaining();
            if remaining.is_zero() || self.is_over {
                interrupt();
            }
            if self.is_over { REPEAT } else { remaining.max(REPEAT) }
        });
        waits.min()
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("queries", &self.by_number.len()).finish_non_exhaustive()
    }
}

/// A query under watch.
#[derive(Debug)]
pub(super) struct Watched<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.shared.lock().by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use mallard_wal::disk::real::SystemClock;

    use super::*;

    fn after(timeout_us: i64) -> Deadline {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Deadline::after(&clock, timeout_us)
    }

    #[test]
    fn what_outlives_its_deadline_is_interrupted_until_it_ends() {
        let watchdog = Watchdog::start().unwrap();
        let (sender, interrupts) = mpsc::channel();
        let watched = watchdog.watch(&after(1_000), move || sender.send(()).unwrap_or(()));
        assert_eq!(interrupts.recv(), Ok(()));
        assert_eq!(interrupts.recv(), Ok(()));
        drop(watched);
        // Ends, because the closure that sends is gone.
        interrupts.iter().for_each(drop);
    }

    #[test]
    fn a_query_that_ends_in_time_is_left_alone() {
        let watchdog = Watchdog::start().unwrap();
        let (late, interrupts) = mpsc::channel();
        let early = late.clone();
        drop(watchdog.watch(&after(1_000), move || early.send("early").unwrap_or(())));
        let _watched = watchdog.watch(&after(2_000), move || late.send("late").unwrap_or(()));
        assert_eq!(interrupts.recv(), Ok("late"));
    }

    #[test]
    fn when_all_must_end_what_has_time_left_is_interrupted_too() {
        let watchdog = Watchdog::start().unwrap();
        let (sender, interrupts) = mpsc::channel();
        let _watched = watchdog.watch(&after(i64::MAX), move || sender.send(()).unwrap_or(()));
        watchdog.end_all();
        assert_eq!(interrupts.recv(), Ok(()));
    }

    #[test]
    fn a_deadline_that_has_passed_is_an_error() {
        assert_eq!(after(0).check(), Err(QueryError::TimedOut));
        assert_eq!(after(60_000_000).check(), Ok(()));
    }
}

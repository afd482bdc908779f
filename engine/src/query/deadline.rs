//! When a query must end, and the thread that ends it.
//!
//! All that one request asks ends at one [`Deadline`], or earlier, when a [`Cancel`] says that nobody waits for it. A query
//! inside of DuckDB looks at neither. The [`Watchdog`] waits for the nearest deadline of all running queries and
//! interrupts those that are due. An interrupt between two statements is forgotten by DuckDB, so it is repeated until the
//! query has ended.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use mallard_wal::disk::Clock;

use super::question::QueryError;

/// How soon an interrupt is repeated.
const REPEAT: Duration = Duration::from_millis(20);
/// How soon it is noticed that nobody waits any more.
const LOOK: Duration = Duration::from_millis(100);
/// The thread only waits and calls one function.
const STACK_BYTES: usize = 128 << 10;

/// Ends what a request asks from another thread: nobody waits for its answer any more. Clones are about the same request.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ends it, now or when it begins.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The instant after which nobody waits for an answer. It does not move when the time of day is set.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    clock: Arc<dyn Clock>,
    /// By [`Clock::steady_us`].
    at_us: i64,
    cancel: Cancel,
}

impl Deadline {
    /// A deadline `timeout_us` from now.
    pub(crate) fn after(clock: &Arc<dyn Clock>, timeout_us: i64) -> Self {
        Self::of_request(clock, timeout_us, &Cancel::default())
    }

    /// A deadline `timeout_us` from now, or when `cancel` says so.
    pub(crate) fn of_request(clock: &Arc<dyn Clock>, timeout_us: i64, cancel: &Cancel) -> Self {
        let at_us = clock.steady_us().saturating_add(timeout_us);
        Self { at_us, clock: Arc::clone(clock), cancel: cancel.clone() }
    }

    /// The time of day.
    pub(super) fn now_us(&self) -> i64 {
        self.clock.now_us()
    }

    /// The clock that ends the query.
    pub(super) fn steady_us(&self) -> i64 {
        self.clock.steady_us()
    }

    /// [`QueryError::TimedOut`] when the time is up, [`QueryError::Cancelled`] when nobody waits any more.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        match () {
            () if self.cancel.is_cancelled() => Err(QueryError::Cancelled),
            () if self.remaining().is_zero() => Err(QueryError::TimedOut),
            () => Ok(()),
        }
    }

    /// The time left.
    pub(super) fn remaining(&self) -> Duration {
        if self.cancel.is_cancelled() {
            return Duration::ZERO;
        }
        let left_us = self.at_us.saturating_sub(self.clock.steady_us());
        Duration::from_micros(u64::try_from(left_us).unwrap_or(0))
    }

    /// How long to wait for something before looking at the deadline again.
    pub(crate) fn patience(&self) -> Duration {
        self.remaining().min(LOOK)
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
    /// Interrupts what is due and says when to look again; `None` if nothing runs.
    fn interrupt_due(&self) -> Option<Duration> {
        let waits = self.by_number.values().map(|(deadline, interrupt)| {
            let patience = deadline.patience();
            if patience.is_zero() || self.is_over {
                interrupt();
            }
            if self.is_over { REPEAT } else { patience.max(REPEAT) }
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
    fn what_nobody_waits_for_is_interrupted_before_its_deadline() {
        let watchdog = Watchdog::start().unwrap();
        let (sender, interrupts) = mpsc::channel();
        let (clock, cancel): (Arc<dyn Clock>, _) = (Arc::new(SystemClock), Cancel::default());
        let deadline = Deadline::of_request(&clock, i64::MAX, &cancel);
        let _watched = watchdog.watch(&deadline, move || sender.send(()).unwrap_or(()));
        assert_eq!(deadline.check(), Ok(()));
        cancel.cancel();
        assert_eq!(interrupts.recv(), Ok(()));
        assert_eq!(deadline.check(), Err(QueryError::Cancelled));
    }

    /// A machine whose time of day is set back by an hour.
    #[derive(Debug, Default)]
    struct Adjusted(std::sync::atomic::AtomicI64);

    impl Clock for Adjusted {
        fn now_us(&self) -> i64 {
            self.steady_us() - 3_600_000_000
        }

        fn steady_us(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_clock_that_is_put_back_gives_no_query_more_time() {
        let adjusted = Arc::new(Adjusted::default());
        let clock: Arc<dyn Clock> = Arc::clone(&adjusted) as _;
        let deadline = Deadline::after(&clock, 30_000_000);
        adjusted.0.store(30_000_000, Ordering::Relaxed);
        assert_eq!(deadline.check(), Err(QueryError::TimedOut));
    }

    #[test]
    fn a_deadline_that_has_passed_is_an_error() {
        assert_eq!(after(0).check(), Err(QueryError::TimedOut));
        assert_eq!(after(60_000_000).check(), Ok(()));
    }
}

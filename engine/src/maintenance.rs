//! The maintenance thread: calls [`Engine::maintain`] until it is told to stop.
//!
//! It rests when nothing is due, and is woken by commits that cross a threshold. How often work that fails is tried again is
//! for the store to say (`store/failures.rs`): this thread asks how long to wait and keeps no count of its own. It stops
//! between two steps, never inside one.
//!
//! A panic in a piece of work is a failure of that work. One anywhere else in a step says nothing about what it has left
//! behind: the store is poisoned, and the process ends, instead of a thread that is gone and a log that grows.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::engine::Engine;
use crate::error::Error;
use crate::store::Step;

/// A running maintenance thread.
#[derive(Debug)]
pub struct Maintenance {
    engine: Arc<Engine>,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl Maintenance {
    /// Starts the thread. `report` hears of every step that was done, on that thread.
    pub fn start(engine: &Arc<Engine>, report: impl Fn(Step) + Send + 'static) -> std::io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let mut patient = Patient { engine: Arc::clone(engine), stop: Arc::clone(&stop), report };
        let body = move || {
            if catch_unwind(AssertUnwindSafe(|| run(&mut patient))).is_err() {
                patient.engine.poison("maintenance has failed by a fault of this program");
            }
        };
        let thread = Builder::new().name("maintenance".into()).spawn(body)?;
        Ok(Self { engine: Arc::clone(engine), stop, thread: Some(thread) })
    }

    /// Waits for the step in progress and ends the thread.
    pub fn stop(mut self) {
        self.stop_and_join();
    }

    fn stop_and_join(&mut self) {
        self.stop.ask();
        self.engine.wake();
        if let Some(thread) = self.thread.take() {
            // It ends by itself, whatever happens in it.
            drop(thread.join());
        }
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.stop_and_join();
    }
}

/// The request to stop, which also ends a wait after a failure.
#[derive(Debug, Default)]
struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn is_asked(&self) -> bool {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, limit: Duration) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(asked, limit, |asked| !*asked));
    }
}

/// What the loop maintains, and how it waits.
pub(crate) trait Maintained {
    /// Whether the loop is to end.
    fn is_stopped(&self) -> bool;
    /// One step.
    fn maintain(&mut self) -> Result<Step, Error>;
    /// How long to wait after a step that has failed, in microseconds.
    fn pause_us(&self) -> i64;
    /// Waits for work, at most so long.
    fn wait_for_work(&mut self, limit: Duration);
    /// Waits so long, whatever work there is.
    fn wait(&mut self, time: Duration);
}

/// The engine, on the machine's own clock.
struct Patient<R> {
    engine: Arc<Engine>,
    stop: Arc<Stop>,
    report: R,
}

impl<R: Fn(Step)> Maintained for Patient<R> {
    fn is_stopped(&self) -> bool {
        self.stop.is_asked()
    }

    fn maintain(&mut self) -> Result<Step, Error> {
        self.engine.maintain().inspect(|step| (self.report)(*step))
    }

    fn pause_us(&self) -> i64 {
        self.engine.pause_us()
    }

    fn wait_for_work(&mut self, limit: Duration) {
        self.engine.wait_for_work(limit);
    }

    fn wait(&mut self, time: Duration) {
        self.stop.wait(time);
    }
}

/// The loop.
pub(crate) fn run(maintained: &mut impl Maintained) {
    let micros = |us: i64| Duration::from_micros(us.unsigned_abs());
    while !maintained.is_stopped() {
        match maintained.maintain() {
            Ok(Step::Idle { next_in_us }) => maintained.wait_for_work(micros(next_in_us)),
            Ok(_) => {}
            // NOTE: not `wait_for_work`, which every commit of a busy server would end at once.
            Err(_) => maintained.wait(micros(maintained.pause_us())),
        }
    }
}

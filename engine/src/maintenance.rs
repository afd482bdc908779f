//! The maintenance thread: calls [`Engine::maintain`] until it is told to stop.
//!
//! It rests when nothing is due, is woken by commits that cross a threshold, and after a failure waits longer each
//! time, so that a full disk is neither hammered nor forgotten. It stops between two steps, never inside one.
//!
//! A panic in a piece of work is a failure of that work (`store/failures.rs`). One anywhere else in a step says nothing about
//! what it has left behind: the store is poisoned, and the process ends, instead of a thread that is gone and a log that
//! grows.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::engine::Engine;
use crate::store::Step;

const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_mins(1);

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
        let body = {
            let (engine, stop) = (Arc::clone(engine), Arc::clone(&stop));
            move || {
                if catch_unwind(AssertUnwindSafe(|| run(&engine, &stop, &report))).is_err() {
                    engine.poison("maintenance has failed by a fault of this program");
                }
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

fn run(engine: &Engine, stop: &Stop, report: &impl Fn(Step)) {
    let mut retry = RETRY_MIN;
    while !stop.is_asked() {
        match engine.maintain().inspect(|step| report(*step)) {
            Ok(Step::Idle { next_in_us }) => engine.wait_for_work(Duration::from_micros(next_in_us.unsigned_abs())),
            Ok(_) => retry = RETRY_MIN,
            // NOTE: not `wait_for_work`, which every commit of a busy server would end at once.
            Err(_) => {
                stop.wait(retry);
                retry = (retry * 2).min(RETRY_MAX);
            }
        }
    }
}

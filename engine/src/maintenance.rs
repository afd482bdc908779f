//! The maintenance thread: calls [`Engine::maintain`] until it is told to stop.
//!
//! It rests when nothing is due, is woken by commits that cross a threshold, and after a failure waits longer each
//! time, so that a full disk is neither hammered nor forgotten. It stops between two steps, never inside one.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::engine::Engine;
use crate::error::Error;
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
    /// Starts the thread. `report` hears of every step and every failure, on that thread.
    pub fn start(
        engine: &Arc<Engine>,
        report: impl Fn(Result<Step, &Error>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let body = {
            let (engine, stop) = (Arc::clone(engine), Arc::clone(&stop));
            move || run(&engine, &stop, &report)
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
            // A panic of the thread has been reported by the panic hook; stopping goes on.
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

fn run(engine: &Engine, stop: &Stop, report: &impl Fn(Result<Step, &Error>)) {
    let mut retry = RETRY_MIN;
    while !stop.is_asked() {
        let outcome = engine.maintain();
        report(outcome.as_ref().copied());
        match outcome {
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

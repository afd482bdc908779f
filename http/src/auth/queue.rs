//! [`HashQueue`]: password hashes run off the async threads, two at a time, and few may wait.
//!
//! A hash takes 19 MiB and tens of milliseconds of a core. Unbounded, a flood of logins would take the machine's memory and
//! every blocking thread; bounded, the flood gets 503 and everything else goes on. A request that goes away while it waits
//! gives its place up; once its hash runs, the place is held until the hash is done, whoever still listens.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::request_id;

const RUNNING_MAX: usize = 2;
const WAITING_MAX: usize = 8;

/// Why no hash was computed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueueError {
    /// Enough are waiting already.
    #[error("too many password checks at once")]
    Full,
    /// The work panicked, or the runtime is shutting down.
    #[error("a password check was aborted")]
    Aborted,
}

/// The bound.
#[derive(Debug)]
pub(crate) struct HashQueue {
    /// One for each that runs or waits.
    places: Arc<Semaphore>,
    /// One for each that runs.
    turns: Arc<Semaphore>,
}

impl Default for HashQueue {
    fn default() -> Self {
        let [places, turns] = [RUNNING_MAX + WAITING_MAX, RUNNING_MAX].map(|permits| Arc::new(Semaphore::new(permits)));
        Self { places, turns }
    }
}

impl HashQueue {
    /// Runs `work` on a blocking thread when its turn comes.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, QueueError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| QueueError::Full)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| QueueError::Aborted)?;
        let task = spawn_blocking(request_id::carry(move || {
            let result = work();
            drop((turn, place));
            result
        }));
        task.await.map_err(|_| QueueError::Aborted)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn two_run_eight_wait_and_the_next_is_refused_until_one_is_done() {
        let queue = Arc::new(HashQueue::default());
        let is_open = Arc::new(AtomicBool::new(false));
        let [running, most] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        for _ in 0..RUNNING_MAX + WAITING_MAX {
            let (queue, is_open) = (Arc::clone(&queue), Arc::clone(&is_open));
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            let work = move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                while !is_open.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                running.fetch_sub(1, Ordering::SeqCst);
            };
            tasks.spawn(async move { queue.run(work).await });
        }
        while queue.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(queue.run(|| ()).await, Err(QueueError::Full));
        is_open.store(true, Ordering::SeqCst);
        assert!(tasks.join_all().await.into_iter().all(|result| result == Ok(())));
        assert!(most.load(Ordering::SeqCst) <= RUNNING_MAX);
        assert_eq!(queue.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn work_that_panics_gives_its_place_back() {
        let queue = HashQueue::default();
        for _ in 0..2 * (RUNNING_MAX + WAITING_MAX) {
            assert_eq!(queue.run(|| panic!("as if out of memory")).await, Err::<(), _>(QueueError::Aborted));
        }
        assert_eq!(queue.run(|| 7).await, Ok(7));
    }
}

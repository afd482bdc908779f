//! [`Gate`]: a bounded number of queries at a time, each on a thread that may block.

use std::sync::Arc;

use mallard_engine::Cancel;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;
use crate::request_id;

/// Queries at a time when the operator wants further ones to wait instead of being refused.
const PERMITS_WHEN_WAITING: usize = 10;
const RETRY_AFTER_SECS: u32 = 1;

/// Admission to the engine's queries.
#[derive(Debug)]
pub struct Gate {
    permits: Arc<Semaphore>,
    size: usize,
    is_waiting: bool,
}

impl Gate {
    /// A gate for `queries_max` queries at a time; 0 means that queries over the default number wait for their turn.
    pub fn new(queries_max: usize) -> Self {
        let permits = if queries_max == 0 { PERMITS_WHEN_WAITING } else { queries_max };
        Self { permits: Arc::new(Semaphore::new(permits)), size: permits, is_waiting: queries_max == 0 }
    }

    /// How many queries can run at a time.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Runs `query` on a blocking thread. When nobody waits for it any more (the client has gone, and this future with it),
    /// the query is told to end; its permit is held until it has: what counts is the load on the engine.
    pub async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Cancel) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let permit = self.admit().await?;
        let cancel = Cancel::default();
        let _waiting = Waiting(cancel.clone());
        let task = move || {
            let answer = query(&cancel);
            drop(permit);
            answer
        };
        tokio::task::spawn_blocking(request_id::carry(task)).await.map_err(ApiError::internal)
    }

    /// Starts `query` on a blocking thread and does not wait for its end; it holds its permit for as long as it needs it.
    pub async fn start(&self, query: impl FnOnce(OwnedSemaphorePermit) + Send + 'static) -> Result<(), ApiError> {
        let permit = self.admit().await?;
        drop(tokio::task::spawn_blocking(request_id::carry(move || query(permit))));
        Ok(())
    }

    async fn admit(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let permits = Arc::clone(&self.permits);
        let permit =
            if self.is_waiting { permits.acquire_owned().await.ok() } else { permits.try_acquire_owned().ok() };
        permit.ok_or(ApiError::TooManyRequests {
            message: "Too many concurrent queries. Please retry in a moment.".into(),
            retry_after_secs: RETRY_AFTER_SECS,
        })
    }
}

/// Somebody waits for an answer until this is dropped.
struct Waiting(Cancel);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn one_query_more_than_allowed_is_refused_until_another_ends() {
        block_on(async {
            let gate = Arc::new(Gate::new(1));
            let (started, has_started) = tokio::sync::oneshot::channel();
            let (release, released) = mpsc::channel::<()>();
            let first = Arc::clone(&gate);
            let first =
                tokio::spawn(async move { first.run(move |_| (started.send(()), released.recv()).1).await.map(drop) });
            has_started.await.unwrap();
            let refused = gate.run(|_| ()).await.unwrap_err();
            assert_eq!(refused.to_string(), "Too many concurrent queries. Please retry in a moment.");
            assert_eq!(refused.retry_after_secs(), Some(1));
            release.send(()).unwrap();
            first.await.unwrap().unwrap();
            gate.run(|_| ()).await.unwrap();
        });
    }

    #[test]
    fn queries_wait_for_their_turn_when_the_limit_is_zero() {
        block_on(async {
            let gate = Arc::new(Gate::new(0));
            let queries: Vec<_> = (0..3 * PERMITS_WHEN_WAITING)
                .map(|number| {
                    let gate = Arc::clone(&gate);
                    tokio::spawn(async move { gate.run(move |_| number).await.unwrap() })
                })
                .collect();
            for (number, query) in queries.into_iter().enumerate() {
                assert_eq!(query.await.unwrap(), number);
            }
        });
    }
}

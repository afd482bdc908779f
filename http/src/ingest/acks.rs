//! [`Acks`]: between the requests that wait for their events to be durable and the log. One task for all of them.
//!
//! ```text
//! requests that are ready   append their events, leave their receipts here and ring; nobody is woken yet
//! the task                  comes after all of them in the runtime's queue: wakes the commit thread once, and waits for the
//!                           oldest receipt only
//! commit thread             answers all receipts of a group commit; the oldest wakes the task, the others wake nobody
//! the task                  hands every answer on, from inside the runtime, which costs no system call
//! ```
//! So the events that arrive together share a frame and a sync, without a timer: an event that comes alone is committed at
//! once. Waiting for the oldest is enough because a log answers in the order of its appends; an answer that comes before the
//! one in front of it waits for that one. No receipt is waited for longer than [`LIMITS`] says.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::server::limits::LIMITS;

/// In how many parts of its patience it is looked whether somebody has waited for too long. A timer for each event would cost
/// more than this inexactness.
const LOOKS: u32 = 20;

/// Where receipts wait. `R` resolves to what became of an append.
pub(crate) struct Acks<R: Future>(Arc<Shared<R>>);

struct Shared<R: Future> {
    /// What was left since the task last looked.
    left: Mutex<Vec<Waiting<R>>>,
    bell: Notify,
    patience: Duration,
}

struct Waiting<R: Future> {
    receipt: R,
    until: Instant,
    request: oneshot::Sender<R::Output>,
}

impl<R: Future + Unpin> Acks<R> {
    /// A place where nobody waits for longer than `patience`, and a little.
    fn new(patience: Duration) -> Self {
        Self(Arc::new(Shared { left: Mutex::new(Vec::new()), bell: Notify::new(), patience }))
    }

    /// What became of the append; `None` if that is not known in time.
    pub(crate) async fn settled(&self, receipt: R) -> Option<R::Output> {
        let (request, outcome) = oneshot::channel();
        self.0.left().push(Waiting { receipt, until: Instant::now() + self.0.patience, request });
        self.0.bell.notify_one();
        outcome.await.ok()
    }

    /// Serves those who wait, for ever: to be spawned on the runtime of the requests. `nudge` tells the log that there is
    /// something to commit.
    pub(crate) async fn run(self, nudge: impl Fn()) {
        let mut waiting = VecDeque::new();
        let mut look = interval(self.0.patience / LOOKS);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.0.bell.notified() => {
                    waiting.extend(mem::take(&mut *self.0.left()));
                    nudge();
                }
                () = hand_on(&mut waiting), if !waiting.is_empty() => {}
                now = look.tick() => give_up(&mut waiting, now),
            }
        }
    }
}

/// Hands on the answers that are there, oldest first, until none waits.
async fn hand_on<R: Future + Unpin>(waiting: &mut VecDeque<Waiting<R>>) {
    poll_fn(|context| {
        while let Some(oldest) = waiting.front_mut() {
            let Poll::Ready(outcome) = Pin::new(&mut oldest.receipt).poll(context) else { return Poll::Pending };
            if let Some(Waiting { request, .. }) = waiting.pop_front() {
                // Whoever asked may have gone.
                request.send(outcome).ok();
            }
        }
        Poll::Ready(())
    })
    .await;
}

/// Lets those go who have waited for too long: they hear nothing.
fn give_up<R: Future>(waiting: &mut VecDeque<Waiting<R>>, now: Instant) {
    while waiting.pop_front_if(|oldest| oldest.until <= now).is_some() {}
}

impl<R: Future> Shared<R> {
    /// A panic while the lock was held leaves a list all the same.
    fn left(&self) -> MutexGuard<'_, Vec<Waiting<R>>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Future> fmt::Debug for Acks<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acks").finish_non_exhaustive()
    }
}

impl<R: Future> Clone for Acks<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Future + Unpin> Default for Acks<R> {
    fn default() -> Self {
        Self::new(LIMITS.ack_timeout)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::runtime::{Builder, Runtime};
    use tokio::task::yield_now;

    use super::*;

    type Receipt = oneshot::Receiver<usize>;

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_time().build().unwrap()
    }

    fn receipts(count: usize) -> (Vec<oneshot::Sender<usize>>, Vec<Receipt>) {
        (0..count).map(|_| oneshot::channel()).unzip()
    }

    fn wait_for(
        acks: &Acks<Receipt>,
        receipt: Receipt,
    ) -> tokio::task::JoinHandle<Option<Result<usize, oneshot::error::RecvError>>> {
        let acks = acks.clone();
        tokio::spawn(async move { acks.settled(receipt).await })
    }

    #[test]
    fn everyone_hears_what_another_thread_answers_and_the_log_is_nudged_once() {
        runtime().block_on(async {
            let acks = Acks::default();
            let nudges = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&nudges);
            let (senders, receipts) = receipts(100);
            let waiting: Vec<_> = receipts.into_iter().map(|receipt| wait_for(&acks, receipt)).collect();
            tokio::spawn(acks.clone().run(move || {
                counted.fetch_add(1, Ordering::Relaxed);
            }));
            // All of them are registered before the other thread begins.
            yield_now().await;
            yield_now().await;
            assert_eq!(nudges.load(Ordering::Relaxed), 1);
            let answer =
                move || senders.into_iter().enumerate().for_each(|(number, sender)| sender.send(number).unwrap());
            let other = std::thread::spawn(answer);
            for (number, task) in waiting.into_iter().enumerate() {
                assert_eq!(task.await.unwrap(), Some(Ok(number)));
            }
            other.join().unwrap();
        });
    }

    #[test]
    fn who_waits_behind_an_answer_that_does_not_come_is_let_go() {
        runtime().block_on(async {
            let acks = Acks::new(Duration::from_millis(20));
            let (mut senders, receipts) = receipts(2);
            let waiting: Vec<_> = receipts.into_iter().map(|receipt| wait_for(&acks, receipt)).collect();
            senders.pop().unwrap().send(7).unwrap();
            tokio::spawn(acks.run(|| {}));
            for task in waiting {
                assert_eq!(task.await.unwrap(), None);
            }
        });
    }

    #[test]
    fn a_request_that_has_gone_holds_up_nobody() {
        runtime().block_on(async {
            let acks = Acks::default();
            tokio::spawn(acks.clone().run(|| {}));
            let (senders, receipts) = receipts(2);
            let mut waiting: Vec<_> = receipts.into_iter().map(|receipt| wait_for(&acks, receipt)).collect();
            yield_now().await;
            yield_now().await;
            waiting.remove(0).abort();
            senders.into_iter().for_each(|sender| {
                sender.send(3).ok();
            });
            assert_eq!(waiting.remove(0).await.unwrap(), Some(Ok(3)));
        });
    }
}

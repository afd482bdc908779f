//! [`Relay`]: one wake-up of the runtime for all the events of a group commit.
//!
//! ```text
//! commit thread: receipt, receipt, receipt ...     each puts its task's waker into the list; the first rings
//! runtime:       the relay's task wakes all of the list from inside, which costs no system call
//! ```
//! Waking a task from another thread is a system call each, on a thread that has the next sync to do.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::Notify;

/// Where wake-ups from other threads gather.
#[derive(Clone, Debug, Default)]
pub(crate) struct Relay(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    tasks: Mutex<Vec<Waker>>,
    bell: Notify,
}

impl Relay {
    /// Passes wake-ups on, for ever: to be spawned on the runtime whose tasks wait.
    pub(crate) async fn run(self) {
        loop {
            self.0.bell.notified().await;
            self.0.take().into_iter().for_each(Waker::wake);
        }
    }

    /// `future`, woken by way of the relay.
    pub(crate) fn wait<F: Future + Unpin>(&self, future: F) -> Relayed<F> {
        Relayed { future, waiting: Arc::clone(&self.0) }
    }
}

impl Waiting {
    fn add(&self, task: Waker) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        self.bell.notify_one();
    }

    fn take(&self) -> Vec<Waker> {
        mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A future that another thread completes.
#[derive(Debug)]
pub(crate) struct Relayed<F> {
    future: F,
    waiting: Arc<Waiting>,
}

impl<F: Future + Unpin> Future for Relayed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ring = Ring { task: context.waker().clone(), waiting: Arc::clone(&self.waiting) };
        Pin::new(&mut self.future).poll(&mut Context::from_waker(&Waker::from(Arc::new(ring))))
    }
}

/// A waker that leaves the task's own to the relay.
struct Ring {
    task: Waker,
    waiting: Arc<Waiting>,
}

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        self.waiting.add(self.task.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_who_waits_is_woken_by_another_thread() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let relay = Relay::default();
            tokio::spawn(relay.clone().run());
            let (senders, receivers): (Vec<_>, Vec<_>) = (0..100).map(|_| tokio::sync::oneshot::channel()).unzip();
            let waiting: Vec<_> = receivers.into_iter().map(|receiver| tokio::spawn(relay.wait(receiver))).collect();
            // All of them are registered before the other thread begins.
            tokio::task::yield_now().await;
            let other = std::thread::spawn(move || {
                senders.into_iter().enumerate().for_each(|(number, sender)| sender.send(number).unwrap());
            });
            for (number, task) in waiting.into_iter().enumerate() {
                assert_eq!(task.await.unwrap(), Ok(number));
            }
            other.join().unwrap();
        });
    }
}

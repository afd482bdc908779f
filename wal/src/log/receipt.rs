//! What an appender waits on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use thiserror::Error;

use crate::Lsn;

/// Why records were not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LogError {
    /// The write or its sync failed, or the log went away before it answered: the records may or may not be in the log
    /// after the next start. Whoever sent them may send them again under the same identity.
    #[error("the outcome of the append is unknown: send it again with the same id")]
    OutcomeUnknown,
    /// No next segment could be prepared: nothing was written, the records are not in the log.
    #[error("nothing was written: {0}")]
    NotWritten(NoSegment),
}

/// Why no next segment could be prepared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{cause}")]
pub struct NoSegment {
    /// The answer of the operating system.
    pub cause: Arc<str>,
    /// Whether the disk was full, or a quota used up; otherwise it failed in another way.
    pub is_lack_of_space: bool,
}

pub(super) type Outcome = Result<Lsn, LogError>;
pub(super) type Sender = oneshot::Sender<Outcome>;

/// A pending acknowledgement: resolves to the (first) LSN once the records are durable. Dropping it stops the waiting,
/// not the write.
#[derive(Debug)]
pub struct Receipt(oneshot::AsyncReceiver<Outcome>);

impl Receipt {
    pub(super) fn new() -> (Sender, Self) {
        let (sender, receiver) = oneshot::async_channel();
        (sender, Self(receiver))
    }

    /// Blocks until the outcome is known.
    pub fn wait(mut self) -> Result<Lsn, LogError> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut self).poll(&mut context) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => thread::park(),
            }
        }
    }

    /// The outcome, if it is known by now; it is handed out once.
    pub fn try_wait(&mut self) -> Option<Result<Lsn, LogError>> {
        match Pin::new(self).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }
}

impl Future for Receipt {
    type Output = Result<Lsn, LogError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // A sender that went away without an answer is a commit thread that died.
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(LogError::OutcomeUnknown)))
    }
}

/// Wakes the thread that blocks in [`Receipt::wait`].
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_whose_sender_is_gone_resolves_to_outcome_unknown() {
        let (sender, receipt) = Receipt::new();
        drop(sender);
        assert_eq!(receipt.wait(), Err(LogError::OutcomeUnknown));
    }

    #[test]
    fn a_receipt_tells_pending_from_resolved() {
        let (sender, mut receipt) = Receipt::new();
        assert_eq!(receipt.try_wait(), None);
        sender.send(Ok(Lsn::new(7))).unwrap();
        assert_eq!(receipt.try_wait(), Some(Ok(Lsn::new(7))));
    }

    #[test]
    fn a_blocked_waiter_is_woken_by_the_outcome() {
        let (sender, receipt) = Receipt::new();
        let waiter = thread::spawn(move || receipt.wait());
        sender.send(Ok(Lsn::new(3))).unwrap();
        assert_eq!(waiter.join().unwrap(), Ok(Lsn::new(3)));
    }
}

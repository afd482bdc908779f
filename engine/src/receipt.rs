//! What an appender waits on.

use std::pin::Pin;
use std::task::{Context, Poll};

use mallard_wal::{LogError, Lsn};

use crate::error::ReceiptError;

/// Resolves when the event is durable and visible, to its LSN (of a batch: to the first one). Dropping it ends the
/// wait, not the write.
#[derive(Debug)]
#[must_use = "an event is accepted only when its receipt says so"]
pub struct Receipt(mallard_wal::Receipt);

impl Receipt {
    pub(crate) fn new(receipt: mallard_wal::Receipt) -> Self {
        Self(receipt)
    }

    /// Blocks until the outcome is known.
    pub fn wait(self) -> Result<u64, ReceiptError> {
        outcome(self.0.wait())
    }
}

impl Future for Receipt {
    type Output = Result<u64, ReceiptError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(outcome)
    }
}

fn outcome(answer: Result<Lsn, LogError>) -> Result<u64, ReceiptError> {
    answer.map(Lsn::get).map_err(|error| match error {
        LogError::OutcomeUnknown => ReceiptError::OutcomeUnknown,
        LogError::NotWritten(cause) if cause.is_lack_of_space => ReceiptError::NoSpace(cause.to_string()),
        LogError::NotWritten(cause) => ReceiptError::NotWritten(cause.to_string()),
    })
}

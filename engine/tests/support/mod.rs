//! What tests of reports share: generated events, and a reference that answers questions about them.
//!
//! The tests beside the queries put these events into files and memory by hand; `tests/reports.rs` sends them through an
//! engine. Both must get the answers of the reference.

#![allow(dead_code, reason = "each of the two uses its part")]
#![allow(clippy::cast_precision_loss, reason = "the counts of a test are small")]

pub(crate) mod filter;
pub(crate) mod history;
pub(crate) mod journeys;
pub(crate) mod oracle;
pub(crate) mod values;

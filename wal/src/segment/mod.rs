//! A segment: one file of the log.
//!
//! ```text
//! ┌─────────────┬──────┬──────┬──────┬─ ─ ─┬──────┬───────────────────────┐
//! │ header page │ DATA │ DATA │ MARK │     │ DATA │ zeros, until it is    │   active: prepared to its full length
//! └─────────────┴──────┴──────┴──────┴─ ─ ─┴──────┴─── sealed ────────────┘
//! ┌─────────────┬──────┬──────┬──────┬─ ─ ─┬──────┬──────┐
//! │ header page │ DATA │ DATA │ MARK │     │ DATA │ SEAL │                    sealed: cut after its SEAL, immutable
//! └─────────────┴──────┴──────┴──────┴─ ─ ─┴──────┴──────┘
//! ```
//!
//! [`SegmentWriter`] makes one, [`scan`] reads one, and both know the same rules; the layouts are in [`SegmentHeader`],
//! [`Seal`] and the `frame` module. Where a scan stops, `tail` decides by a table of cases what that means.
//!
//! The writer never reads, the scan never writes, and neither knows of other segments: order, names and repair belong to
//! [`recovery`](crate::recovery), the life of the active segment to [`log`](crate::log). The manifest is written in the
//! same framing, into files that grow instead of being prepared.

mod contents;
mod header;
mod scan;
mod seal;
mod sealed;
mod tail;
mod writer;

pub use header::{FLAG_REBUILT, FRAME_PAYLOAD_BYTES_MAX, HEADER_BYTES, HeaderError, SegmentHeader};
pub use scan::{End, Scan, scan};
pub use seal::Seal;
pub use sealed::{LoadedSegment, SealedSegment};
pub use tail::Corruption;
pub use writer::SegmentWriter;

pub(crate) use header::{ALIGN_MAX, ALIGN_MIN, COUNTER_MAX};
pub(crate) use tail::{Tail, Verdict, judge};

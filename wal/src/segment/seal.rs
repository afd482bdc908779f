//! The payload of a SEAL frame: what a sealed segment holds, in one place.
//!
//! ```text
//! off len field
//!   0   8 first LSN
//!   8   8 last LSN
//!  16   8 record count
//!  24   8 smallest received_us
//!  32   8 largest received_us
//!  40   4 frame count, the SEAL not counted
//!  44   4 crc32 of every byte of the file before the SEAL frame
//!  48   4 link: the value that the next segment's header carries as `previous chain`
//! ```
//!
//! For a segment written by a commit thread the link is its chain value before the SEAL. A segment rebuilt by recovery
//! has other frames and so another chain, but the same successor: it carries the link its successor already names.

use crate::Lsn;
use crate::fields::{Fields, Reader};

/// Length of the payload.
pub(crate) const SEAL_BYTES: usize = 52;

/// What a SEAL says about its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// First LSN in the segment.
    pub first_lsn: Lsn,
    /// Last LSN in the segment.
    pub last_lsn: Lsn,
    /// Number of records.
    pub records: u64,
    /// Smallest `received_us` of them.
    pub min_received_us: i64,
    /// Largest `received_us` of them.
    pub max_received_us: i64,
    /// Number of frames before the SEAL.
    pub frames: u32,
    /// crc32 of the file before the SEAL.
    pub file_crc: u32,
    /// What the next segment's header carries as `previous_chain`.
    pub link: u32,
}

impl Seal {
    /// The payload.
    pub(crate) fn encode(&self) -> [u8; SEAL_BYTES] {
        Fields::<SEAL_BYTES>::new()
            .u64(self.first_lsn.get())
            .u64(self.last_lsn.get())
            .u64(self.records)
            .i64(self.min_received_us)
            .i64(self.max_received_us)
            .u32(self.frames)
            .u32(self.file_crc)
            .u32(self.link)
            .finish()
    }

    /// Reads a payload, which must be nothing but a seal.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        Self::parse_prefix(payload).filter(|_| payload.len() == SEAL_BYTES)
    }

    /// Reads the seal that `bytes` start with.
    pub(crate) fn parse_prefix(bytes: &[u8]) -> Option<Self> {
        let mut fields = Reader::new(bytes);
        Some(Self {
            first_lsn: Lsn::new(fields.u64()?),
            last_lsn: Lsn::new(fields.u64()?),
            records: fields.u64()?,
            min_received_us: fields.i64()?,
            max_received_us: fields.i64()?,
            frames: fields.u32()?,
            file_crc: fields.u32()?,
            link: fields.u32()?,
        })
    }
}

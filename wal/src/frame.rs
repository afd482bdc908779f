//! A commit frame: what one group commit writes with one `pwrite` and makes durable with one `fdatasync`.
//!
//! ```text
//! off len field                                          ┌────────────┬─────────────┬──────┐
//!   0   4 magic "MWF\x01"                                │ header 80  │ payload     │ 0 0 0│
//!   4   1 type: 1 DATA, 2 MARK, 3 SEAL                   └────────────┴─────────────┴──────┘
//!   5   1 record envelope version = 1                    ^ multiple of commit_align        ^ multiple of commit_align
//!   6   2 header length = 80
//!   8   4 payload length, at most 1 MiB
//!  12   4 record count
//!  16   8 first LSN: the LSN after the previous frame's last
//!  24   8 durable LSN: the highest LSN whose fdatasync had returned when this frame was built
//!  32   8 nonce of the segment
//!  40   8 number of the segment
//!  48   4 number of the frame in the segment, from 0
//!  52   4 previous chain: the chain value before this frame
//!  56   4 crc32 of the payload
//!  60   4 padding length
//!  64   8 last LSN; first LSN - 1 if there is no record
//!  72   4 zero
//!  76   4 crc32 of bytes 0..76, then of the store's tag, which is not stored
//! ```
//!
//! `chain = crc32(previous chain, header crc, payload crc)`; before the first frame it is the crc of the header page. It
//! ties every frame to all that came before it.
//!
//! - DATA: records, one after the other.
//! - MARK: no payload. Written once the queue is idle: it says that everything up to its durable LSN was acknowledged,
//!   so that later damage to the frame before it cannot pass for a torn write.
//! - SEAL: see [`segment::Seal`](crate::segment::Seal). Nothing follows it.

use crate::fields::{Fields, Reader, ends_in};
use crate::segment::{COUNTER_MAX, FRAME_PAYLOAD_BYTES_MAX};
use crate::{Lsn, StoreTag};

const MAGIC: [u8; 4] = *b"MWF\x01";
const ENVELOPE_VERSION: u8 = 1;

/// Length of a frame's header.
pub(crate) const FRAME_HEADER_BYTES: usize = 80;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameType {
    Data = 1,
    Mark = 2,
    Seal = 3,
}

impl FrameType {
    const fn parse(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Data),
            2 => Some(Self::Mark),
            3 => Some(Self::Seal),
            _ => None,
        }
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) frame_type: FrameType,
    pub(crate) payload_bytes: u32,
    pub(crate) records: u32,
    pub(crate) first_lsn: Lsn,
    pub(crate) last_lsn: Lsn,
    pub(crate) durable_lsn: Lsn,
    pub(crate) nonce: u64,
    pub(crate) segment_number: u64,
    pub(crate) frame_number: u32,
    pub(crate) previous_chain: u32,
    pub(crate) payload_crc: u32,
    pub(crate) pad_bytes: u32,
}

impl FrameHeader {
    pub(crate) fn encode(&self, store: StoreTag) -> [u8; FRAME_HEADER_BYTES] {
        Fields::<FRAME_HEADER_BYTES>::new()
            .put(&MAGIC)
            .u8(self.frame_type as u8)
            .u8(ENVELOPE_VERSION)
            .u16(80)
            .u32(self.payload_bytes)
            .u32(self.records)
            .u64(self.first_lsn.get())
            .u64(self.durable_lsn.get())
            .u64(self.nonce)
            .u64(self.segment_number)
            .u32(self.frame_number)
            .u32(self.previous_chain)
            .u32(self.payload_crc)
            .u32(self.pad_bytes)
            .u64(self.last_lsn.get())
            .u32(0)
            .finish_with(|header| store.crc(header))
    }

    /// The header of a store's frame at the start of `bytes`, if its checksum holds and its lengths are possible.
    pub(crate) fn parse(bytes: &[u8], store: StoreTag) -> Option<Self> {
        let header = bytes.first_chunk::<FRAME_HEADER_BYTES>()?;
        if !header.starts_with(&MAGIC) || !ends_in(header, |covered| store.crc(covered)) {
            return None;
        }
        Self::read(Reader::new(header)).filter(Self::is_sane)
    }

    fn read(mut fields: Reader<'_>) -> Option<Self> {
        fields.u32()?;
        let frame_type = FrameType::parse(fields.u8()?)?;
        if fields.u8()? != ENVELOPE_VERSION || usize::from(fields.u16()?) != FRAME_HEADER_BYTES {
            return None;
        }
        Some(Self {
            frame_type,
            payload_bytes: fields.u32()?,
            records: fields.u32()?,
            first_lsn: Lsn::new(fields.u64()?),
            durable_lsn: Lsn::new(fields.u64()?),
            nonce: fields.u64()?,
            segment_number: fields.u64()?,
            frame_number: fields.u32()?,
            previous_chain: fields.u32()?,
            payload_crc: fields.u32()?,
            pad_bytes: fields.u32()?,
            last_lsn: Lsn::new(fields.u64()?),
        })
    }

    fn is_sane(&self) -> bool {
        self.payload_bytes <= FRAME_PAYLOAD_BYTES_MAX
            && self.segment_number <= COUNTER_MAX
            && self.first_lsn > Lsn::ZERO
            && self.last_lsn.max(self.durable_lsn) <= Lsn::MAX
            && self.first_lsn <= self.last_lsn.next()
    }

    /// The chain value after this frame.
    pub(crate) fn chain(&self, header_crc: u32) -> u32 {
        let link = Fields::<12>::new().u32(self.previous_chain).u32(header_crc).u32(self.payload_crc).finish();
        crc32fast::hash(&link)
    }

    /// Bytes of header and payload.
    pub(crate) const fn content_bytes(&self) -> usize {
        FRAME_HEADER_BYTES + self.payload_bytes as usize
    }
}

/// The crc that an encoded header ends in.
pub(crate) fn header_crc(header: &[u8]) -> u32 {
    header.last_chunk::<4>().map_or(0, |crc| u32::from_le_bytes(*crc))
}

/// The length of a frame on disk: header and payload, padded to the alignment.
pub(crate) const fn frame_bytes(payload_bytes: usize, align: u32) -> u64 {
    ((FRAME_HEADER_BYTES + payload_bytes) as u64).next_multiple_of(align as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::COUNTER_MAX;

    fn mark(segment_number: u64) -> FrameHeader {
        FrameHeader {
            frame_type: FrameType::Mark,
            payload_bytes: 0,
            records: 0,
            first_lsn: Lsn::new(7),
            last_lsn: Lsn::new(6),
            durable_lsn: Lsn::new(6),
            nonce: 77,
            segment_number,
            frame_number: 3,
            previous_chain: 1,
            payload_crc: 0,
            pad_bytes: 432,
        }
    }

    #[test]
    fn a_header_reads_back_in_its_own_store_only() {
        let bytes = mark(5).encode(StoreTag::of(1));
        assert_eq!(FrameHeader::parse(&bytes, StoreTag::of(1)), Some(mark(5)));
        assert_eq!(FrameHeader::parse(&bytes, StoreTag::of(2)), None);
    }

    #[test]
    fn a_number_that_no_segment_can_have_is_damage() {
        let store = StoreTag::of(1);
        assert!(FrameHeader::parse(&mark(COUNTER_MAX).encode(store), store).is_some());
        assert!(FrameHeader::parse(&mark(COUNTER_MAX + 1).encode(store), store).is_none());
    }
}

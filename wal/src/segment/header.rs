//! The first page of a segment file.
//!
//! ```text
//!  off len field
//!    0   8 magic "MALLWAL\x01"
//!    8   2 format version = 1
//!   10   2 header length = 4096
//!   12   4 commit alignment: every frame starts on a multiple of it
//!   16  16 store id: a segment of another store is refused; its tag is in the checksums of all that follows
//!   32   8 segment number: rises from file to file
//!   40   8 base LSN: the first LSN that may appear
//!   48   8 writer epoch: +1 at each open for write
//!   56   8 nonce: random; every frame repeats it, so stale or foreign bytes never look like a frame
//!   64   8 created_us
//!   72   4 previous chain: the `link` of the previous segment's SEAL (0 in the first segment)
//!   76   4 flags: bit 0 = rebuilt by recovery
//!   80   8 prepared bytes: the file is at least that long until it is sealed; 0 if it grows as it is written
//!   88   4 the longest frame payload its writer makes
//!   92     zero
//! 4092   4 crc32 of bytes 0..4092
//! ```
//!
//! Magic, version and crc keep their places in every future version, so that an old program can tell a newer file from a
//! damaged one.

use thiserror::Error;

use crate::fields::{Fields, Reader, ends_in_its_crc, is_zero};
use crate::seeded::{Bug, is_seeded};
use crate::{Lsn, shown_store_id};

const MAGIC: [u8; 8] = *b"MALLWAL\x01";
const FORMAT_VERSION: u16 = 1;
const FIELDS_BYTES: usize = 92;
/// Segment numbers and epochs beyond this come from damage.
pub(crate) const COUNTER_MAX: u64 = u64::MAX >> 2;

/// Length of the header page.
pub const HEADER_BYTES: usize = 4096;
/// The longest frame payload of the format.
pub const FRAME_PAYLOAD_BYTES_MAX: u32 = 1024 * 1024;
/// The smallest commit alignment: a disk sector.
pub(crate) const ALIGN_MIN: u32 = 512;
/// The largest commit alignment: the header page.
pub(crate) const ALIGN_MAX: u32 = 4096;

/// Header flag: the file was written by recovery, not by a commit thread.
pub const FLAG_REBUILT: u32 = 1;

/// What the first page of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The store it belongs to.
    pub store_id: u128,
    /// Rises from file to file.
    pub number: u64,
    /// The first LSN that may appear in it.
    pub base_lsn: Lsn,
    /// Which open for write made it.
    pub epoch: u64,
    /// Random, repeated by every frame.
    pub nonce: u64,
    /// Microseconds since 1970.
    pub created_us: i64,
    /// The `link` of the previous segment's SEAL.
    pub previous_chain: u32,
    /// Frames start on multiples of this: a power of two from 512 to 4096.
    pub commit_align: u32,
    /// [`FLAG_REBUILT`] or 0.
    pub flags: u32,
    /// The file is at least that long until it is sealed; 0 if it grows as it is written.
    pub prepared_bytes: u64,
    /// The longest frame payload its writer makes, at most [`FRAME_PAYLOAD_BYTES_MAX`].
    pub frame_payload_bytes_max: u32,
}

/// Why a first page is not the header of a segment of this store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// The page is short, not a segment's, or fails its checksum: damage.
    #[error("the header page does not verify")]
    Damaged,
    /// A sound header of a format this program does not know.
    #[error("the segment has format version {version}, this program reads {FORMAT_VERSION}: use a newer program")]
    Unsupported {
        /// The version it says.
        version: u16,
    },
    /// A sound header of another store.
    #[error(
        "the segment belongs to store {}, not to {}: move it away",
        shown_store_id(*found), shown_store_id(*expected)
    )]
    Foreign {
        /// This store.
        expected: u128,
        /// Its store.
        found: u128,
    },
}

impl SegmentHeader {
    /// The header page.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        self.check();
        Fields::<HEADER_BYTES>::new()
            .put(&MAGIC)
            .u16(FORMAT_VERSION)
            .u16(4096)
            .u32(self.commit_align)
            .u128(self.store_id)
            .u64(self.number)
            .u64(self.base_lsn.get())
            .u64(self.epoch)
            .u64(self.nonce)
            .i64(self.created_us)
            .u32(self.previous_chain)
            .u32(self.flags)
            .u64(self.prepared_bytes)
            .u32(self.frame_payload_bytes_max)
            .finish_with_crc()
    }

    /// Reads the header of a segment that must belong to `store_id`.
    pub fn parse(bytes: &[u8], store_id: u128) -> Result<Self, HeaderError> {
        let header = Self::parse_of_any_store(bytes)?;
        if header.store_id != store_id && !is_seeded(Bug::IgnoreStoreId) {
            return Err(HeaderError::Foreign { expected: store_id, found: header.store_id });
        }
        Ok(header)
    }

    /// Reads the header of a segment of whatever store: for who has lost the store's id.
    pub fn parse_of_any_store(bytes: &[u8]) -> Result<Self, HeaderError> {
        let page = bytes.get(..HEADER_BYTES).ok_or(HeaderError::Damaged)?;
        if !page.starts_with(&MAGIC) || !ends_in_its_crc(page) {
            return Err(HeaderError::Damaged);
        }
        let mut fields = Reader::new(page.get(MAGIC.len()..).unwrap_or_default());
        let version = fields.u16().ok_or(HeaderError::Damaged)?;
        if version != FORMAT_VERSION {
            return Err(HeaderError::Unsupported { version });
        }
        let header = Self::read(fields).ok_or(HeaderError::Damaged)?;
        let unused = page.get(FIELDS_BYTES..HEADER_BYTES - 4).unwrap_or_default();
        if header.is_sane() && is_zero(unused) { Ok(header) } else { Err(HeaderError::Damaged) }
    }

    fn read(mut fields: Reader<'_>) -> Option<Self> {
        fields.u16()?;
        let commit_align = fields.u32()?;
        Some(Self {
            commit_align,
            store_id: fields.u128()?,
            number: fields.u64()?,
            base_lsn: Lsn::new(fields.u64()?),
            epoch: fields.u64()?,
            nonce: fields.u64()?,
            created_us: fields.i64()?,
            previous_chain: fields.u32()?,
            flags: fields.u32()?,
            prepared_bytes: fields.u64()?,
            frame_payload_bytes_max: fields.u32()?,
        })
    }

    const fn has_shape(&self) -> bool {
        self.commit_align.is_power_of_two()
            && self.commit_align >= ALIGN_MIN
            && self.commit_align <= ALIGN_MAX
            && self.frame_payload_bytes_max <= FRAME_PAYLOAD_BYTES_MAX
    }

    fn is_sane(&self) -> bool {
        self.has_shape()
            && (Lsn::FIRST..=Lsn::MAX).contains(&self.base_lsn)
            && self.number.max(self.epoch) <= COUNTER_MAX
    }

    fn check(&self) {
        // Not that it is sane: what follows on the highest numbers that can be read is one higher.
        assert!(self.has_shape(), "a segment header has a size outside its range");
    }
}

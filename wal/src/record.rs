//! A record: one entry of the log, opaque but for its envelope.
//!
//! ```text
//! off len field
//!   0   4 length        of all that follows
//!   4   1 kind          see Kind
//!   5   1 body_version  the owner's version of the body's encoding
//!   6   2 flags         the owner's
//!   8   8 received_us   i64, microseconds since 1970
//!  16  16 key           the owner's 128-bit identity of the entry
//!  32   n body          at most 64 KiB
//!  32+n 8 lsn
//!  40+n 4 crc32         of every byte before, length and LSN included, then of the store's tag, which is not stored
//! ```
//!
//! The LSN stands last so that the crc of the prefix, computed by the caller where the entry is built, is *continued* by
//! the commit thread over LSN and tag instead of computed anew: the checksum covers the record from its birth, in memory
//! too, and costs the commit thread next to nothing. Why there is a tag: [`StoreTag`].
//!
//! A GAP record (body: first and last missing LSN, two u64) stands for a whole range of lost LSNs; its own LSN is the
//! first of them. Only recovery writes one. With it the LSNs of a log are dense again, by ranges.

use thiserror::Error;

use crate::fields::{Fields, Reader};
use crate::{Lsn, StoreTag};

/// Bytes before the body.
const PREFIX_BYTES: usize = 32;
/// Bytes after the body.
const SUFFIX_BYTES: usize = 12;
/// Bytes of the length field, which does not count itself.
const LENGTH_BYTES: usize = 4;

/// Bytes of a record beside its body; no record is shorter.
pub const RECORD_OVERHEAD_BYTES: usize = PREFIX_BYTES + SUFFIX_BYTES;
/// The longest body.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// The longest record.
pub const RECORD_BYTES_MAX: usize = RECORD_OVERHEAD_BYTES + BODY_BYTES_MAX;

/// What a record is about. The log itself only knows [`Kind::GAP`]; unknown kinds are kept and handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u8);

impl Kind {
    /// One thing a visitor did.
    pub const EVENT: Self = Self(1);
    /// A person's data to be erased.
    pub const ERASURE: Self = Self(2);
    /// A change of a site.
    pub const SITE: Self = Self(3);
    /// A range of LSNs that was lost; written by recovery only.
    pub const GAP: Self = Self(4);
    /// A manifest edit.
    pub const EDIT: Self = Self(5);
    /// A whole manifest.
    pub const CHECKPOINT: Self = Self(6);
}

/// A body longer than [`BODY_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a record's body is {bytes} bytes, more than the {BODY_BYTES_MAX} that fit: split it")]
pub struct RecordTooLarge {
    /// Length of the refused body.
    pub bytes: usize,
}

/// A record without its LSN, encoded and checksummed by the thread that builds it.
#[derive(Clone, Debug)]
pub struct Draft {
    prefix_and_body: Vec<u8>,
    crc: u32,
    received_us: i64,
}

impl Draft {
    /// Encodes an entry. `key` is its identity to the owner; the log does not look at it.
    ///
    /// Panics for [`Kind::GAP`], which only recovery writes.
    pub fn new(
        kind: Kind,
        body_version: u8,
        flags: u16,
        received_us: i64,
        key: [u8; 16],
        body: &[u8],
    ) -> Result<Self, RecordTooLarge> {
        assert!(kind != Kind::GAP, "only recovery writes gap records");
        if body.len() > BODY_BYTES_MAX {
            return Err(RecordTooLarge { bytes: body.len() });
        }
        Ok(Self::encode(kind, body_version, flags, received_us, key, body))
    }

    /// The gap record for the lost LSNs `first..=last`.
    pub(crate) fn gap(first: Lsn, last: Lsn, received_us: i64) -> Self {
        assert!(first <= last && first > Lsn::ZERO, "a gap names at least one LSN");
        let body = Fields::<16>::new().u64(first.get()).u64(last.get()).finish();
        Self::encode(Kind::GAP, 1, 0, received_us, [0; 16], &body)
    }

    fn encode(kind: Kind, body_version: u8, flags: u16, received_us: i64, key: [u8; 16], body: &[u8]) -> Self {
        let length = u32::try_from(RECORD_OVERHEAD_BYTES - LENGTH_BYTES + body.len())
            .expect("a body's length was checked against its limit");
        let prefix = Fields::<PREFIX_BYTES>::new()
            .u32(length)
            .u8(kind.0)
            .u8(body_version)
            .u16(flags)
            .i64(received_us)
            .put(&key)
            .finish();
        let mut prefix_and_body = Vec::with_capacity(PREFIX_BYTES + body.len());
        prefix_and_body.extend_from_slice(&prefix);
        prefix_and_body.extend_from_slice(body);
        let crc = crc32fast::hash(&prefix_and_body);
        Self { prefix_and_body, crc, received_us }
    }

    /// Length of the finished record.
    pub fn encoded_len(&self) -> usize {
        self.prefix_and_body.len() + SUFFIX_BYTES
    }

    /// When the entry was received, as given to [`Draft::new`].
    pub const fn received_us(&self) -> i64 {
        self.received_us
    }

    /// Appends the finished record of a store to `out`.
    pub fn finish_into(&self, store: StoreTag, lsn: Lsn, out: &mut Vec<u8>) {
        let lsn = lsn.get().to_le_bytes();
        out.extend_from_slice(&self.prefix_and_body);
        out.extend_from_slice(&lsn);
        out.extend_from_slice(&store.continue_crc(self.crc, &lsn).to_le_bytes());
    }
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// The bytes end inside the record.
    #[error("a record needs {needed} bytes where {found} are left")]
    Truncated {
        /// Bytes the record needs.
        needed: usize,
        /// Bytes there are.
        found: usize,
    },
    /// The length field names a length that no record has.
    #[error("a record's length field says {length}, which no record has")]
    Length {
        /// The field.
        length: u32,
    },
    /// The checksum does not match: damage, or no record of this store.
    #[error("a record's checksum is {found:#010x}, its bytes say {expected:#010x}")]
    Checksum {
        /// Computed from the bytes and the store's tag.
        expected: u32,
        /// Stored.
        found: u32,
    },
    /// A gap record that does not name a range which starts at its own LSN.
    #[error("the gap record at LSN {lsn} does not name a range that starts there")]
    Gap {
        /// The record's LSN.
        lsn: Lsn,
    },
}

/// A verified record inside the bytes of its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its position in the log.
    pub lsn: Lsn,
    /// What it is about.
    pub kind: Kind,
    /// The owner's version of the body.
    pub body_version: u8,
    /// The owner's flags.
    pub flags: u16,
    /// Microseconds since 1970.
    pub received_us: i64,
    /// The owner's identity of the entry.
    pub key: [u8; 16],
    /// The owner's bytes.
    pub body: &'a [u8],
    encoded: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads and verifies the record of a store that `bytes` starts with; also returns its length.
    pub fn parse(bytes: &'a [u8], store: StoreTag) -> Result<(Self, usize), RecordError> {
        let record = Self::parse_verified(bytes)?;
        record.verify(store)?;
        Ok((record, record.encoded.len()))
    }

    /// Reads the record that `bytes` starts with, whose checksum has been checked before.
    pub(crate) fn parse_verified(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let encoded = cut(bytes)?;
        let truncated = RecordError::Truncated { needed: RECORD_OVERHEAD_BYTES, found: encoded.len() };
        let (prefix, rest) = encoded.split_first_chunk::<PREFIX_BYTES>().ok_or(truncated)?;
        let (body, suffix) = rest.split_last_chunk::<SUFFIX_BYTES>().ok_or(truncated)?;
        let mut fields = Reader::new(prefix);
        let mut suffix = Reader::new(suffix);
        let mut read = || {
            fields.u32()?;
            Some(Self {
                kind: Kind(fields.u8()?),
                body_version: fields.u8()?,
                flags: fields.u16()?,
                received_us: fields.i64()?,
                key: fields.array()?,
                lsn: Lsn::new(suffix.u64()?),
                body,
                encoded,
            })
        };
        read().ok_or(truncated)
    }

    /// The record's bytes as they are in the log.
    pub const fn encoded(&self) -> &'a [u8] {
        self.encoded
    }

    /// The last LSN this record stands for: its own, but for a gap.
    pub fn last_lsn(&self) -> Lsn {
        self.gap().map_or(self.lsn, |(_, last)| last)
    }

    /// The lost range, first and last LSN, if this is a gap record.
    pub fn gap(&self) -> Option<(Lsn, Lsn)> {
        if self.kind != Kind::GAP {
            return None;
        }
        let mut body = Reader::new(self.body);
        Some((Lsn::new(body.u64()?), Lsn::new(body.u64()?)))
    }

    /// The length that the first bytes claim for a record, if a record can have it.
    pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
        cut(bytes).ok().map(<[u8]>::len)
    }

    /// Checks the checksum, and what a gap says.
    pub(crate) fn verify(&self, store: StoreTag) -> Result<(), RecordError> {
        let (covered, stored) = self
            .encoded
            .split_last_chunk::<4>()
            .ok_or(RecordError::Truncated { needed: RECORD_OVERHEAD_BYTES, found: self.encoded.len() })?;
        let (expected, found) = (store.crc(covered), u32::from_le_bytes(*stored));
        if expected != found {
            return Err(RecordError::Checksum { expected, found });
        }
        let is_range = |(first, last)| self.body.len() == 16 && first == self.lsn && first <= last && last <= Lsn::MAX;
        if self.kind == Kind::GAP && !self.gap().is_some_and(is_range) {
            return Err(RecordError::Gap { lsn: self.lsn });
        }
        Ok(())
    }
}

/// The bytes of the record that `bytes` starts with, by its length field.
fn cut(bytes: &[u8]) -> Result<&[u8], RecordError> {
    let short = |needed| RecordError::Truncated { needed, found: bytes.len() };
    let length = Reader::new(bytes).u32().ok_or_else(|| short(RECORD_OVERHEAD_BYTES))?;
    let total = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(LENGTH_BYTES);
    if !(RECORD_OVERHEAD_BYTES..=RECORD_BYTES_MAX).contains(&total) {
        return Err(RecordError::Length { length });
    }
    bytes.get(..total).ok_or_else(|| short(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE_ID: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;

    fn store() -> StoreTag {
        StoreTag::of(STORE_ID)
    }

    fn encoded(draft: &Draft, lsn: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        draft.finish_into(store(), Lsn::new(lsn), &mut bytes);
        assert_eq!(bytes.len(), draft.encoded_len());
        bytes
    }

    fn sample() -> Vec<u8> {
        let draft = Draft::new(Kind::EVENT, 7, 0x0203, -2, *b"0123456789abcdef", b"hi").unwrap();
        encoded(&draft, 0x0102_0304_0506_0708)
    }

    #[test]
    fn the_bytes_of_a_record_never_change() {
        let mut golden = vec![42, 0, 0, 0, 1, 7, 3, 2];
        golden.extend([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        golden.extend(b"0123456789abcdefhi");
        golden.extend([8, 7, 6, 5, 4, 3, 2, 1]);
        let tag = crc32fast::hash(&STORE_ID.to_le_bytes()).to_le_bytes();
        golden.extend(crc32fast::hash(&[&golden[..], &tag].concat()).to_le_bytes());
        assert_eq!(sample(), golden);
    }

    #[test]
    fn a_record_of_another_store_is_refused() {
        let bytes = sample();
        assert!(Record::parse(&bytes, store()).is_ok());
        let result = Record::parse(&bytes, StoreTag::of(STORE_ID + 1));
        assert!(matches!(result, Err(RecordError::Checksum { .. })), "{result:?}");
    }

    #[test]
    fn a_record_reads_back_with_its_length() {
        let mut bytes = sample();
        bytes.extend(b"what follows");
        let (record, length) = Record::parse(&bytes, store()).unwrap();
        assert_eq!(length, 46);
        assert_eq!(record.lsn, Lsn::new(0x0102_0304_0506_0708));
        assert_eq!((record.kind, record.body_version, record.flags), (Kind::EVENT, 7, 0x0203));
        assert_eq!((record.received_us, &record.key, record.body), (-2, b"0123456789abcdef", &b"hi"[..]));
        assert_eq!(record.encoded(), &sample()[..]);
        assert_eq!(record.last_lsn(), record.lsn);
    }

    #[test]
    fn a_record_with_any_one_bit_flipped_is_refused() {
        let golden = sample();
        for bit in 0..golden.len() * 8 {
            let mut bytes = golden.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Record::parse(&bytes, store()).is_err(), "bit {bit} went unseen");
        }
    }

    #[test]
    fn a_record_cut_anywhere_is_refused() {
        let golden = sample();
        for length in 0..golden.len() {
            assert!(Record::parse(&golden[..length], store()).is_err(), "cut at {length} went unseen");
        }
    }

    #[test]
    fn a_length_that_no_record_has_is_refused_before_anything_is_read() {
        for length in [0, 39, u32::MAX] {
            let mut bytes = sample();
            bytes[..4].copy_from_slice(&length.to_le_bytes());
            assert_eq!(Record::parse(&bytes, store()), Err(RecordError::Length { length }));
        }
    }

    #[test]
    fn the_longest_body_fits_and_one_byte_more_does_not() {
        let draft = |bytes: usize| Draft::new(Kind::EVENT, 1, 0, 0, [0; 16], &vec![1; bytes]);
        let bytes = encoded(&draft(BODY_BYTES_MAX).unwrap(), 1);
        assert_eq!(Record::parse(&bytes, store()).unwrap().1, RECORD_BYTES_MAX);
        assert_eq!(draft(BODY_BYTES_MAX + 1).unwrap_err(), RecordTooLarge { bytes: BODY_BYTES_MAX + 1 });
    }

    #[test]
    fn a_gap_record_stands_for_its_range() {
        let bytes = encoded(&Draft::gap(Lsn::new(5), Lsn::new(9), 0), 5);
        let (record, _) = Record::parse(&bytes, store()).unwrap();
        assert_eq!(record.gap(), Some((Lsn::new(5), Lsn::new(9))));
        assert_eq!(record.last_lsn(), Lsn::new(9));
    }

    #[test]
    fn a_gap_record_at_another_lsn_than_its_range_is_refused() {
        let bytes = encoded(&Draft::gap(Lsn::new(5), Lsn::new(9), 0), 6);
        assert_eq!(Record::parse(&bytes, store()), Err(RecordError::Gap { lsn: Lsn::new(6) }));
    }
}

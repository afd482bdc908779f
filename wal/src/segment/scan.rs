//! Reading a segment: every checksum, every chain value, every LSN, up to the first byte that does not verify.

use std::ops::Range;

use super::contents::Contents;
use super::header::{FLAG_REBUILT, HEADER_BYTES, HeaderError, SegmentHeader};
use super::seal::Seal;
use super::tail::{Corruption, Tail, Verdict, judge};
use crate::fields::{is_zero, used_len};
use crate::frame::{FRAME_HEADER_BYTES, FrameHeader, FrameType, frame_bytes, header_crc};
use crate::record::Record;
use crate::seeded::{Bug, is_seeded};
use crate::{Lsn, StoreTag};

/// How a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With zeros, or with the file: more may be written at `at`.
    Clean {
        /// Where the next frame would start.
        at: u64,
    },
    /// With the remains of a frame that was never acknowledged.
    Torn {
        /// Where they start.
        at: u64,
        /// How many bytes there are.
        bytes: u64,
    },
    /// With damage to acknowledged data.
    Corrupt {
        /// Where it starts.
        at: u64,
        /// How it was seen.
        reason: Corruption,
    },
    /// With a SEAL.
    Sealed(Seal),
}

/// The verified part of a segment.
#[derive(Clone, Debug)]
pub struct Scan<'a> {
    /// Its first page.
    pub header: SegmentHeader,
    /// How it ends.
    pub end: End,
    bytes: &'a [u8],
    payloads: Vec<Range<usize>>,
    next_lsn: Lsn,
}

impl<'a> Scan<'a> {
    /// The verified records in log order.
    pub fn records(&self) -> impl Iterator<Item = Record<'a>> {
        records_in(self.bytes, &self.payloads)
    }

    /// The LSN after the last verified record.
    pub const fn next_lsn(&self) -> Lsn {
        self.next_lsn
    }

    /// Where the records are.
    pub(super) fn into_payloads(self) -> Vec<Range<usize>> {
        self.payloads
    }
}

/// The records in verified payloads.
pub(super) fn records_in<'a>(bytes: &'a [u8], payloads: &[Range<usize>]) -> impl Iterator<Item = Record<'a>> {
    payloads.iter().filter_map(move |payload| bytes.get(payload.clone())).flat_map(RecordWalk)
}

/// The records of a payload that was verified before.
#[derive(Clone, Debug)]
struct RecordWalk<'a>(&'a [u8]);

impl<'a> Iterator for RecordWalk<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let record = Record::parse_verified(self.0).ok()?;
        self.0 = self.0.get(record.encoded().len()..)?;
        Some(record)
    }
}

/// Verifies the bytes of a segment file of store `store_id`. Damage is not an error but an [`End`]; an error means that
/// the header page does not verify or belongs elsewhere.
pub fn scan(bytes: &[u8], store_id: u128) -> Result<Scan<'_>, HeaderError> {
    let header = SegmentHeader::parse(bytes, store_id)?;
    let mut scanner = Scanner::new(bytes, header);
    let end = loop {
        match scanner.frame() {
            Ok(None) => {}
            Ok(Some(seal)) => break scanner.after_seal(seal),
            Err(Stop::Unverified) => break scanner.judge(),
            Err(Stop::Corrupt(reason)) => break End::Corrupt { at: scanner.at as u64, reason },
        }
    };
    Ok(Scan { header, end, bytes, payloads: scanner.payloads, next_lsn: scanner.contents.next() })
}

/// Why the frame at a position is not taken.
enum Stop {
    /// The bytes are no frame of this segment: the tail decides.
    Unverified,
    /// They are one, and yet something is wrong.
    Corrupt(Corruption),
}

struct Scanner<'a> {
    bytes: &'a [u8],
    header: SegmentHeader,
    store: StoreTag,
    at: usize,
    chain: u32,
    frames: u32,
    file_crc: crc32fast::Hasher,
    contents: Contents,
    payloads: Vec<Range<usize>>,
}

impl<'a> Scanner<'a> {
    fn new(bytes: &'a [u8], header: SegmentHeader) -> Self {
        let page = bytes.get(..HEADER_BYTES).unwrap_or_default();
        let mut file_crc = crc32fast::Hasher::new();
        file_crc.update(page);
        Self {
            bytes,
            header,
            store: StoreTag::of(header.store_id),
            at: HEADER_BYTES,
            chain: header_crc(page),
            frames: 0,
            file_crc,
            contents: Contents::new(header.base_lsn),
            payloads: Vec::new(),
        }
    }

    /// Verifies the frame at the position and steps over it; returns the SEAL if it was one.
    fn frame(&mut self) -> Result<Option<Seal>, Stop> {
        let rest = self.bytes.get(self.at..).ok_or(Stop::Unverified)?;
        let frame = self.frame_at(rest).ok_or(Stop::Unverified)?;
        let whole = rest.get(..self.length_of(&frame)).ok_or(Stop::Unverified)?;
        let (content, padding) = whole.split_at(frame.content_bytes());
        let (head, payload) = content.split_at(FRAME_HEADER_BYTES);
        if crc32fast::hash(payload) != frame.payload_crc {
            return Err(Stop::Unverified);
        }
        self.check_place(&frame, padding)?;
        let seal = self.open(&frame, payload)?;
        self.file_crc.update(whole);
        self.chain = frame.chain(header_crc(head));
        self.frames += 1;
        self.at += whole.len();
        Ok(seal)
    }

    /// Checks that a frame which verifies is the one that comes next.
    fn check_place(&self, frame: &FrameHeader, padding: &[u8]) -> Result<(), Stop> {
        let is_next = frame.frame_number == self.frames
            && (frame.previous_chain == self.chain || is_seeded(Bug::ForgetChain))
            && frame.first_lsn == self.contents.next()
            && frame.durable_lsn < frame.first_lsn
            && frame.pad_bytes as usize == padding.len();
        if !is_next {
            Err(Stop::Corrupt(Corruption::Sequence))
        } else if !is_zero(padding) && !is_seeded(Bug::IgnorePadding) {
            Err(Stop::Corrupt(Corruption::Padding))
        } else {
            Ok(())
        }
    }

    /// Verifies a payload and counts what is in it.
    fn open(&mut self, frame: &FrameHeader, payload: &[u8]) -> Result<Option<Seal>, Stop> {
        let mut contents = self.contents;
        let mut seal = None;
        match frame.frame_type {
            FrameType::Data => count_records(&mut contents, self.store, frame.records, payload)?,
            FrameType::Mark if !payload.is_empty() => return Err(Stop::Corrupt(Corruption::Sequence)),
            FrameType::Mark => {}
            FrameType::Seal => seal = Some(self.check_seal(payload)?),
        }
        if contents.next() != frame.last_lsn.next() {
            return Err(Stop::Corrupt(Corruption::Record));
        }
        if frame.frame_type == FrameType::Data {
            let start = self.at + FRAME_HEADER_BYTES;
            self.payloads.push(start..start + payload.len());
        }
        self.contents = contents;
        Ok(seal)
    }

    fn check_seal(&self, payload: &[u8]) -> Result<Seal, Stop> {
        let wrong = Stop::Corrupt(Corruption::Seal);
        let Some(seal) = Seal::parse(payload) else {
            return Err(wrong);
        };
        let held = self.contents.seal(self.frames, self.file_crc.clone().finalize(), seal.link);
        let linked = seal.link == self.chain || self.header.flags & FLAG_REBUILT != 0;
        if held == seal && linked { Ok(seal) } else { Err(wrong) }
    }

    /// Nothing but the zeros of a file that was not cut yet may follow a SEAL.
    fn after_seal(&self, seal: Seal) -> End {
        if is_zero(self.rest()) {
            End::Sealed(seal)
        } else {
            End::Corrupt { at: self.at as u64, reason: Corruption::AfterSeal }
        }
    }

    /// What the bytes from the position on mean.
    fn judge(&self) -> End {
        let at = self.at as u64;
        let used_bytes = used_len(self.rest()) as u64;
        let tail = Tail {
            next_lsn: self.contents.next(),
            used_bytes,
            frame_bytes_max: frame_bytes(self.header.frame_payload_bytes_max as usize, self.header.commit_align),
            later_frame: self.later_frame(),
            missing_bytes: self.header.prepared_bytes.saturating_sub(self.bytes.len() as u64),
        };
        match judge(&tail) {
            Verdict::Clean => End::Clean { at },
            Verdict::Torn => End::Torn { at, bytes: used_bytes },
            Verdict::Corrupt(reason) => End::Corrupt { at, reason },
        }
    }

    /// Position and durable LSN of the last frame behind the position.
    fn later_frame(&self) -> Option<(u64, Lsn)> {
        let align = self.header.commit_align as usize;
        let behind = (self.at + align..self.bytes.len()).step_by(align);
        behind.rev().find_map(|at| {
            let frame = self.frame_at(self.bytes.get(at..)?)?;
            Some((at as u64, frame.durable_lsn))
        })
    }

    /// The frame header at the start of `bytes`, if it was written into this segment and nowhere else.
    fn frame_at(&self, bytes: &[u8]) -> Option<FrameHeader> {
        let is_own =
            |frame: &FrameHeader| frame.nonce == self.header.nonce && frame.segment_number == self.header.number;
        FrameHeader::parse(bytes, self.store).filter(is_own)
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn length_of(&self, frame: &FrameHeader) -> usize {
        frame.content_bytes().next_multiple_of(self.header.commit_align as usize)
    }
}

/// Verifies the records of a DATA payload.
fn count_records(contents: &mut Contents, store: StoreTag, records: u32, payload: &[u8]) -> Result<(), Stop> {
    let wrong = |_| Stop::Corrupt(Corruption::Record);
    let mut rest = payload;
    let before = contents.records();
    while !rest.is_empty() {
        let (record, length) = Record::parse(rest, store).map_err(wrong)?;
        if record.lsn != contents.next() {
            return Err(Stop::Corrupt(Corruption::Record));
        }
        contents.count(record.last_lsn(), record.received_us);
        rest = rest.get(length..).unwrap_or_default();
    }
    if contents.records() - before == u64::from(records) { Ok(()) } else { Err(Stop::Corrupt(Corruption::Record)) }
}

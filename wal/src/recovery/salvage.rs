//! Finding every record that still verifies in a damaged segment, and the exact ranges of those that do not.
//!
//! ```text
//! header? │ frame │ ??? │ frame │ fr×me │ frame │ tail
//!         └───────┴──┬──┴───────┴───┬───┴───────┴── torn, or lost, by the same table as in a sound segment
//!                    │              └ its header stands: its LSNs are known, its records are tried one by one
//!                    └ no header stands: records are looked for byte by byte between the LSNs of the neighbours
//! ```
//!
//! A record is taken only if its own checksum holds and its LSN lies in the window that its surroundings leave open, so
//! that nothing is delivered twice or out of order. What the window lacks becomes a gap.
//!
//! Where the segment's last LSN is not known (it was the last segment, and its end is lost), the last gap ends at the
//! highest LSN that can have been there: LSNs are never given out twice, so too many are skipped rather than too few.

use super::survey::Found;
use crate::Lsn;
use crate::fields::{is_zero, used_len};
use crate::frame::{FRAME_HEADER_BYTES, FrameHeader, FrameType, frame_bytes};
use crate::record::{RECORD_OVERHEAD_BYTES, Record};
use crate::segment::{ALIGN_MIN, Corruption, HEADER_BYTES, Seal, Tail, Verdict, judge};

/// What a damaged segment still holds.
#[derive(Debug)]
pub(super) struct Salvaged<'a> {
    /// In log order; gaps where records are missing.
    pub(super) pieces: Vec<Piece<'a>>,
    /// The segment's number, if any header of it stands.
    pub(super) number: Option<u64>,
    /// Bytes of a torn frame at its end.
    pub(super) torn_bytes: u64,
}

impl Salvaged<'_> {
    /// At most what the gap records take that stand for the missing ones.
    pub(super) fn gap_bytes(&self) -> usize {
        let gaps = self.pieces.iter().filter(|piece| matches!(piece, Piece::Gap(_)));
        gaps.count() * 2 * RECORD_OVERHEAD_BYTES
    }
}

/// A stretch of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Record(Record<'a>),
    /// Everything from the previous piece up to this LSN is missing.
    Gap(Lsn),
}

/// Salvages a segment. `last` is its last LSN if a later segment exists, `full_bytes` the length that it had while it
/// was written, as far as that is known without its header.
pub(super) fn salvage<'a>(bytes: &'a [u8], found: &Found, last: Option<Lsn>, full_bytes: u64) -> Salvaged<'a> {
    let wreck = Wreck::new(bytes, found, last, full_bytes);
    let mut collector = Collector::new(found.base);
    let mut end = HEADER_BYTES;
    for frame in &wreck.frames {
        collector.collect(wreck.between(end, frame.at), frame.header.first_lsn.previous());
        collector.collect(wreck.between(frame.payload_start(), frame.payload_end()), frame.header.last_lsn);
        end = frame.end();
    }
    let tail = wreck.between(end, bytes.len());
    let mut torn_bytes = 0;
    match last.or_else(|| wreck.sealed_at(tail)) {
        Some(last) => collector.collect(tail, last),
        None => match wreck.judge_tail(tail) {
            Verdict::Clean => collector.collect(&[], wreck.highest_known()),
            Verdict::Torn => {
                collector.collect(&[], wreck.highest_known());
                torn_bytes = used_len(tail) as u64;
            }
            Verdict::Corrupt(_) => collector.collect(tail, wreck.highest_possible(tail)),
        },
    }
    Salvaged { pieces: collector.pieces, number: wreck.number(), torn_bytes }
}

/// A damaged segment, and the frames in it whose headers stand.
struct Wreck<'a, 'f> {
    bytes: &'a [u8],
    found: &'f Found,
    /// In log order.
    frames: Vec<Standing>,
    /// Bytes by which the file is shorter than it was while it was written.
    missing_bytes: u64,
}

impl<'a, 'f> Wreck<'a, 'f> {
    fn new(bytes: &'a [u8], found: &'f Found, last: Option<Lsn>, full_bytes: u64) -> Self {
        let mut frames = standing_frames(bytes, found, last);
        if last.is_none() {
            // The end is open, so a last frame that is not whole may be torn: that is for the tail to decide.
            frames.pop_if(|frame| frame.header.frame_type == FrameType::Data && !frame.is_whole(bytes));
        }
        let full_bytes = found.header.map_or(full_bytes, |header| header.prepared_bytes);
        Self { bytes, found, frames, missing_bytes: full_bytes.saturating_sub(bytes.len() as u64) }
    }

    fn between(&self, start: usize, end: usize) -> &'a [u8] {
        let end = end.min(self.bytes.len());
        self.bytes.get(start.min(end)..end).unwrap_or_default()
    }

    fn number(&self) -> Option<u64> {
        let by_header = self.found.header.map(|header| header.number);
        by_header.or_else(|| self.frames.first().map(|frame| frame.header.segment_number))
    }

    /// The last LSN by the segment's SEAL, of which either the header or the payload must stand.
    fn sealed_at(&self, tail: &[u8]) -> Option<Lsn> {
        if let Some(seal) = self.frames.iter().find(|frame| frame.header.frame_type == FrameType::Seal) {
            return Some(seal.header.last_lsn);
        }
        let (base, known) = (self.found.base, self.highest_known());
        let seal = Seal::parse_prefix(tail.get(FRAME_HEADER_BYTES..)?)?;
        (seal.first_lsn == base && seal.last_lsn == known && known >= base).then_some(known)
    }

    /// The highest LSN that a standing frame vouches for.
    fn highest_known(&self) -> Lsn {
        let vouched = self.frames.iter().map(|frame| frame.header.last_lsn.max(frame.header.durable_lsn));
        vouched.max().unwrap_or_default().max(self.found.base.previous())
    }

    /// The highest LSN that can have been in the segment, if its tail is lost: the bytes that are not zero, by sectors,
    /// and those that were cut off, full of the shortest records.
    fn highest_possible(&self, tail: &[u8]) -> Lsn {
        let used = tail.chunks(ALIGN_MIN as usize).filter(|sector| !is_zero(sector));
        let bytes = used.map(|sector| sector.len() as u64).sum::<u64>() + self.missing_bytes;
        self.highest_known().advance(bytes.div_ceil(RECORD_OVERHEAD_BYTES as u64))
    }

    /// What the bytes behind the last standing frame mean if nothing tells where the segment ended.
    fn judge_tail(&self, tail: &[u8]) -> Verdict {
        let used_bytes = used_len(tail) as u64;
        let Some(header) = self.found.header else {
            // Without a header the medium is known to be damaged, and nothing passes for torn.
            let is_clean = used_bytes == 0 && self.missing_bytes == 0;
            return if is_clean { Verdict::Clean } else { Verdict::Corrupt(Corruption::Header) };
        };
        judge(&Tail {
            next_lsn: self.highest_known().next(),
            used_bytes,
            frame_bytes_max: frame_bytes(header.frame_payload_bytes_max as usize, header.commit_align),
            later_frame: None,
            missing_bytes: self.missing_bytes,
        })
    }
}

/// A frame whose header stands.
struct Standing {
    at: usize,
    header: FrameHeader,
}

impl Standing {
    const fn payload_start(&self) -> usize {
        self.at + FRAME_HEADER_BYTES
    }

    const fn payload_end(&self) -> usize {
        self.at + self.header.content_bytes()
    }

    const fn end(&self) -> usize {
        self.payload_end() + self.header.pad_bytes as usize
    }

    fn is_whole(&self, bytes: &[u8]) -> bool {
        let payload = bytes.get(self.payload_start()..self.payload_end());
        payload.is_some_and(|payload| crc32fast::hash(payload) == self.header.payload_crc)
    }
}

/// The frames of the segment whose headers stand, in log order.
fn standing_frames(bytes: &[u8], found: &Found, last: Option<Lsn>) -> Vec<Standing> {
    let align = found.header.map_or(ALIGN_MIN, |header| header.commit_align) as usize;
    // Without the segment's header, its first standing frame tells what it is.
    let mut identity = found.header.map(|header| (header.nonce, header.number));
    let mut frames: Vec<Standing> = Vec::new();
    let mut next = found.base;
    let mut at = HEADER_BYTES;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let frame = FrameHeader::parse(rest).map(|header| Standing { at, header });
        at += align;
        let Some(frame) = frame else { continue };
        let own = (frame.header.nonce, frame.header.segment_number);
        let is_out_of_order = frame.header.first_lsn < next || last.is_some_and(|last| frame.header.last_lsn > last);
        if is_out_of_order || *identity.get_or_insert(own) != own {
            continue;
        }
        next = frame.header.last_lsn.next();
        at = at.max(frame.end().next_multiple_of(align));
        frames.push(frame);
    }
    frames
}

/// Puts records and gaps into log order.
struct Collector<'a> {
    pieces: Vec<Piece<'a>>,
    next: Lsn,
}

impl<'a> Collector<'a> {
    const fn new(base: Lsn) -> Self {
        Self { pieces: Vec::new(), next: base }
    }

    /// Takes the records in `region` with LSNs up to `last`; what is missing up to `last` becomes gaps.
    fn collect(&mut self, region: &'a [u8], last: Lsn) {
        let mut rest = region;
        while self.next <= last {
            let Some((record, behind)) = self.find(rest, last) else { break };
            self.gap(record.lsn.previous());
            self.next = record.last_lsn().next();
            self.pieces.push(Piece::Record(record));
            rest = behind;
        }
        self.gap(last);
    }

    fn gap(&mut self, last: Lsn) {
        if self.next <= last {
            self.pieces.push(Piece::Gap(last));
            self.next = last.next();
        }
    }

    /// The first record in `region` that verifies and fits into the window, and what is behind it.
    fn find(&self, region: &'a [u8], last: Lsn) -> Option<(Record<'a>, &'a [u8])> {
        // NOTE: where the record at the start is damaged, the place that its length field names is tried first. Only if
        // that fails is its body searched, for a body is a stranger's bytes, which may have been made to look like a
        // record.
        let by_length = Record::length(region).and_then(|length| region.get(length..));
        [Some(region), by_length].into_iter().flatten().find_map(|at| self.take(at, last)).or_else(|| {
            let mut rest = region;
            while let Some((_, tail)) = rest.split_first() {
                rest = tail;
                if let Some(taken) = self.take(rest, last) {
                    return Some(taken);
                }
            }
            None
        })
    }

    fn take(&self, at: &'a [u8], last: Lsn) -> Option<(Record<'a>, &'a [u8])> {
        let record = Record::parse_verified(at).ok()?;
        let fits = record.lsn >= self.next && record.lsn <= last && record.last_lsn() <= last;
        (fits && record.verify().is_ok()).then_some((record, at.get(record.encoded().len()..)?))
    }
}

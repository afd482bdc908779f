//! Finding every record that still verifies in a damaged segment, and the exact ranges of those that do not.
//!
//! ```text
//! header? │ frame │ ??? │ frame │ fr×me │ frame │ tail
//!         └───────┴──┬──┴───────┴───┬───┴───────┴── torn, or lost, by the same table as in a sound segment
//!                    │              └ its header stands: its LSNs are known, its records are tried one by one
//!                    └ no header stands: records are looked for byte by byte between the LSNs of the neighbours
//! ```
//!
//! A record is taken only if its own checksum holds, which a stranger's bytes inside a body cannot bring about
//! ([`StoreTag`]), and if its LSN lies in the window that its surroundings leave open, so that nothing is delivered twice
//! or out of order. What the window lacks becomes a gap.
//!
//! Where the segment's last LSN is not known (it was the last segment, and its end is lost), the last gap ends at the
//! highest LSN that can have been there: LSNs are never given out twice, so too many are skipped rather than too few.

use super::survey::Found;
use crate::fields::{is_zero, used_len};
use crate::frame::{FRAME_HEADER_BYTES, FrameHeader, FrameType, frame_bytes};
use crate::record::{RECORD_OVERHEAD_BYTES, Record};
use crate::seeded::{Bug, is_seeded};
use crate::segment::{ALIGN_MIN, Corruption, HEADER_BYTES, Seal, Tail, Verdict, judge};
use crate::{Lsn, StoreTag};

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
pub(super) fn salvage<'a>(
    bytes: &'a [u8],
    found: &Found,
    store: StoreTag,
    last: Option<Lsn>,
    full_bytes: u64,
) -> Salvaged<'a> {
    let wreck = Wreck::new(bytes, found, store, last, full_bytes);
    let mut collector = Collector::new(store, found.base);
    let mut end = HEADER_BYTES;
    for frame in &wreck.frames {
        collector.collect(wreck.between(end, frame.at), frame.header.first_lsn.previous());
        collector.collect(wreck.between(frame.payload_start(), frame.payload_end()), frame.header.last_lsn);
        end = frame.end();
    }
    let tail = wreck.between(end, bytes.len());
    let (last, torn_bytes) = match last.or_else(|| wreck.sealed_at(tail)) {
        Some(last) => (last, 0),
        None => match wreck.judge_tail(tail) {
            Verdict::Clean => (wreck.known, 0),
            Verdict::Torn => (wreck.known, used_len(tail) as u64),
            Verdict::Corrupt(_) => (wreck.highest_possible(tail), 0),
        },
    };
    collector.collect(tail, last);
    Salvaged { pieces: collector.pieces, number: wreck.number(), torn_bytes }
}

/// A damaged segment, and the frames in it whose headers stand.
struct Wreck<'a, 'f> {
    bytes: &'a [u8],
    found: &'f Found,
    /// In log order.
    frames: Vec<Standing>,
    /// The highest LSN that a standing header vouches for.
    known: Lsn,
    /// The highest LSN of all in a standing header, also that of a frame which may be torn.
    written: Lsn,
    /// Bytes by which the file is shorter than it was while it was written.
    missing_bytes: u64,
}

impl<'a, 'f> Wreck<'a, 'f> {
    fn new(bytes: &'a [u8], found: &'f Found, store: StoreTag, last: Option<Lsn>, full_bytes: u64) -> Self {
        let standing = standing_frames(bytes, found, store, last);
        let mut frames = rising(&standing);
        // While the end is open, a last frame that is not whole may be torn: that is for the tail to decide.
        let is_open = |frame: &mut Standing| {
            last.is_none() && frame.header.frame_type == FrameType::Data && !frame.is_whole(bytes)
        };
        let torn_at = frames.pop_if(is_open).map(|frame| frame.at);
        let settled = standing.iter().filter(|frame| Some(frame.at) != torn_at).map(|frame| frame.header.last_lsn);
        let durable = standing.iter().map(|frame| frame.header.durable_lsn);
        let full_bytes = found.header.map_or(full_bytes, |header| header.prepared_bytes);
        Self {
            bytes,
            found,
            frames,
            known: settled.chain(durable).fold(found.base.previous(), Lsn::max),
            written: standing.iter().map(|frame| frame.header.last_lsn).max().unwrap_or_default(),
            missing_bytes: full_bytes.saturating_sub(bytes.len() as u64),
        }
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
        let (base, known) = (self.found.base, self.known);
        let seal = Seal::parse_prefix(tail.get(FRAME_HEADER_BYTES..)?)?;
        (seal.first_lsn == base && seal.last_lsn == known && known >= base).then_some(known)
    }

    /// The highest LSN that can have been in the segment, if its tail is lost: the bytes that are not zero, by sectors,
    /// and those that were cut off, full of the shortest records.
    fn highest_possible(&self, tail: &[u8]) -> Lsn {
        if is_seeded(Bug::ReuseLostLsns) {
            return self.known;
        }
        let used = tail.chunks(ALIGN_MIN as usize).filter(|sector| !is_zero(sector));
        let bytes = used.map(|sector| sector.len() as u64).sum::<u64>() + self.missing_bytes;
        self.known.advance(bytes.div_ceil(RECORD_OVERHEAD_BYTES as u64)).max(self.written)
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
            next_lsn: self.known.next(),
            used_bytes,
            frame_bytes_max: frame_bytes(header.frame_payload_bytes_max as usize, header.commit_align),
            later_frame: None,
            missing_bytes: self.missing_bytes,
        })
    }
}

/// A frame whose header stands.
#[derive(Clone, Copy)]
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

    const fn identity(&self) -> (u64, u64) {
        (self.header.nonce, self.header.segment_number)
    }

    fn is_whole(&self, bytes: &[u8]) -> bool {
        let payload = bytes.get(self.payload_start()..self.payload_end());
        payload.is_some_and(|payload| crc32fast::hash(payload) == self.header.payload_crc)
    }
}

/// The frames of the segment whose headers stand, wherever in the file they are.
fn standing_frames(bytes: &[u8], found: &Found, store: StoreTag, last: Option<Lsn>) -> Vec<Standing> {
    let align = found.header.map_or(ALIGN_MIN, |header| header.commit_align) as usize;
    let standing = |at| Some(Standing { at, header: FrameHeader::parse(bytes.get(at..)?, store)? });
    let mut frames: Vec<_> = (HEADER_BYTES..bytes.len()).step_by(align).filter_map(standing).collect();
    // Without the segment's header, its first standing frame tells what it is.
    let by_header = found.header.map(|header| (header.nonce, header.number));
    let Some(identity) = by_header.or_else(|| frames.first().map(Standing::identity)) else { return frames };
    frames.retain(|frame| {
        let is_inside = frame.header.first_lsn >= found.base && last.is_none_or(|last| frame.header.last_lsn <= last);
        is_inside && frame.identity() == identity
    });
    frames
}

/// The most frames that can be in their places: the longest run whose numbers rise. A device that errs may have put a
/// frame into the place of another, and no order is certain then but that of most.
fn rising(frames: &[Standing]) -> Vec<Standing> {
    // The lowest number that ends a run of one frame, of two, ...
    let mut ends: Vec<u32> = Vec::new();
    let mut run_behind = |number: u32| {
        let run = ends.partition_point(|end| *end < number);
        match ends.get_mut(run) {
            Some(end) => *end = number,
            None => ends.push(number),
        }
        run
    };
    let runs: Vec<_> = frames.iter().map(|frame| run_behind(frame.header.frame_number)).collect();
    let mut wanted = ends.len();
    let mut above = u32::MAX;
    let mut kept = Vec::with_capacity(wanted);
    for (frame, run) in frames.iter().zip(runs).rev() {
        if run + 1 == wanted && frame.header.frame_number <= above {
            wanted = run;
            above = frame.header.frame_number;
            kept.push(*frame);
        }
    }
    kept.reverse();
    kept
}

/// Puts records and gaps into log order.
struct Collector<'a> {
    store: StoreTag,
    pieces: Vec<Piece<'a>>,
    next: Lsn,
}

impl<'a> Collector<'a> {
    const fn new(store: StoreTag, base: Lsn) -> Self {
        Self { store, pieces: Vec::new(), next: base }
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
        // Where the record at the start is damaged, the place that its length field names is tried before the search.
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
        let fits = record.lsn >= self.next && record.last_lsn() <= last;
        (fits && record.verify(self.store).is_ok()).then_some((record, at.get(record.encoded().len()..)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Draft, Kind};

    const STORE_ID: u128 = 77;

    fn record(lsn: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let draft = Draft::new(Kind::EVENT, 1, 0, 0, [7; 16], b"body").expect("it is short");
        draft.finish_into(StoreTag::of(STORE_ID), Lsn::new(lsn), &mut bytes);
        bytes
    }

    fn gap(first: u64, last: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let draft = Draft::gap(Lsn::new(first), Lsn::new(last), 0);
        draft.finish_into(StoreTag::of(STORE_ID), Lsn::new(first), &mut bytes);
        bytes
    }

    /// First and last LSN of what is found in a region that may hold LSNs 5 to 8; gaps as the LSN after 0.
    fn found(region: &[Vec<u8>]) -> Vec<(u64, u64)> {
        let region = region.concat();
        let mut collector = Collector::new(StoreTag::of(STORE_ID), Lsn::new(5));
        collector.collect(&region, Lsn::new(8));
        let range = |piece: &Piece<'_>| match piece {
            Piece::Record(record) => (record.lsn.get(), record.last_lsn().get()),
            Piece::Gap(last) => (0, last.get()),
        };
        collector.pieces.iter().map(range).collect()
    }

    #[test]
    fn records_in_the_window_are_taken_and_the_rest_of_it_is_gaps() {
        assert_eq!(found(&[record(5), record(7)]), [(5, 5), (0, 6), (7, 7), (0, 8)]);
        assert_eq!(found(&[gap(5, 7), record(8)]), [(5, 7), (8, 8)]);
        assert_eq!(found(&[]), [(0, 8)]);
    }

    #[test]
    fn a_record_below_the_window_is_passed_over() {
        assert_eq!(found(&[record(4), record(5)]), [(5, 5), (0, 8)]);
        assert_eq!(found(&[record(5), record(5), record(6)]), [(5, 5), (6, 6), (0, 8)]);
        assert_eq!(found(&[record(6), record(5), record(7)]), [(0, 5), (6, 6), (7, 7), (0, 8)]);
    }

    #[test]
    fn a_record_above_the_window_is_passed_over() {
        assert_eq!(found(&[record(9), record(5)]), [(5, 5), (0, 8)]);
        assert_eq!(found(&[gap(6, 9), record(5)]), [(5, 5), (0, 8)]);
    }
}

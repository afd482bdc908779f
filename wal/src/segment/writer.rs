//! Writing a segment, from its header page to its SEAL.
//!
//! One frame is one `write_all_at` and one `sync_data`, always behind everything that is there. A writer whose write or
//! sync failed refuses all further calls: what the disk holds is unknown from then on, and a second sync may lie.

use std::io;

use super::contents::Contents;
use super::header::{FRAME_PAYLOAD_BYTES_MAX, HEADER_BYTES, SegmentHeader};
use super::seal::{SEAL_BYTES, Seal};
use crate::disk::File;
use crate::frame::{FRAME_HEADER_BYTES, FrameHeader, FrameType, frame_bytes, header_crc};
use crate::record::{Draft, Record};
use crate::seeded::{Bug, excuse, is_seeded};
use crate::{Lsn, StoreTag};

#[cfg(feature = "seeded-bugs")]
#[path = "resume.rs"]
mod resume;

/// The one writer of a segment file.
#[derive(Debug)]
pub struct SegmentWriter {
    file: Box<dyn File>,
    header: SegmentHeader,
    store: StoreTag,
    /// Where the next frame goes.
    at: u64,
    chain: u32,
    frames: u32,
    file_crc: crc32fast::Hasher,
    contents: Contents,
    durable_lsn: Lsn,
    /// Whether the last frame is DATA, so that a MARK would say something new.
    unmarked: bool,
    failed: bool,
    /// The frame under construction: room for its header, then its payload. Reused from frame to frame.
    buffer: Vec<u8>,
    frame_first: Lsn,
    frame_records: u32,
}

impl SegmentWriter {
    /// Writes the header page into a new (empty or zero-filled) file. The page is durable with the first commit, or when
    /// the caller publishes the file.
    pub fn create(file: Box<dyn File>, header: SegmentHeader) -> io::Result<Self> {
        let page = header.encode();
        file.write_all_at(&page, 0)?;
        let mut file_crc = crc32fast::Hasher::new();
        file_crc.update(&page);
        Ok(Self {
            file,
            header,
            store: StoreTag::of(header.store_id),
            at: HEADER_BYTES as u64,
            chain: header_crc(&page),
            frames: 0,
            file_crc,
            contents: Contents::new(header.base_lsn),
            durable_lsn: header.base_lsn.previous(),
            unmarked: false,
            failed: false,
            buffer: vec![0; FRAME_HEADER_BYTES],
            frame_first: header.base_lsn,
            frame_records: 0,
        })
    }

    /// Writes one frame with these records and syncs it; returns the LSN of the first, the others follow.
    ///
    /// Panics if there is none, or if they are longer than a frame.
    pub fn commit(&mut self, drafts: &[Draft]) -> io::Result<Lsn> {
        assert!(!drafts.is_empty(), "a commit has records");
        let first_lsn = self.next_lsn();
        for draft in drafts {
            let lsn = self.next_lsn();
            draft.finish_into(self.store, lsn, &mut self.buffer);
            self.count(lsn, draft.received_us());
        }
        self.write_frame(FrameType::Data)?;
        self.sync().or_else(|error| excuse(Bug::AcknowledgeBeforeSync, error))?;
        Ok(first_lsn)
    }

    /// Writes a MARK and syncs it, if the last frame holds records; returns whether it did.
    pub fn mark(&mut self) -> io::Result<bool> {
        if !self.wants_mark() {
            return Ok(false);
        }
        self.write_frame(FrameType::Mark)?;
        self.sync()?;
        Ok(true)
    }

    /// Ends the segment: writes the SEAL, syncs, cuts the file after it, syncs again.
    ///
    /// Panics if the segment has no record.
    pub fn seal(self) -> io::Result<Seal> {
        let link = self.chain;
        self.seal_with_link(link)
    }

    /// [`SegmentWriter::seal`] for a segment whose successor exists and names `link`.
    pub(crate) fn seal_with_link(mut self, link: u32) -> io::Result<Seal> {
        assert!(self.records() > 0, "a sealed segment has records");
        let seal = self.contents.seal(self.frames, self.file_crc.clone().finalize(), link);
        if is_seeded(Bug::CutBeforeSeal) {
            self.file.set_len(self.sealed_bytes())?;
        }
        self.buffer.extend_from_slice(&seal.encode());
        self.write_frame(FrameType::Seal)?;
        self.sync()?;
        // IMPORTANT: the SEAL is durable before the file is cut. In the other order a power cut could leave a short file
        // without a SEAL, which is what damage looks like.
        if self.header.prepared_bytes > 0 {
            self.file.set_len(self.at)?;
            self.sync()?;
        }
        Ok(seal)
    }

    /// Adds a record that has its LSN already; frames are written as they fill up, and nothing is synced before
    /// [`SegmentWriter::finish_copies`].
    pub(crate) fn copy(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.make_room(record.encoded().len())?;
        self.buffer.extend_from_slice(record.encoded());
        self.count(record.last_lsn(), record.received_us);
        Ok(())
    }

    /// Adds a gap record for the LSNs from the next one to `last`, under the conditions of [`SegmentWriter::copy`].
    pub(crate) fn copy_gap(&mut self, last: Lsn, now_us: i64) -> io::Result<()> {
        let first = self.next_lsn();
        let gap = Draft::gap(first, last, now_us);
        self.make_room(gap.encoded_len())?;
        gap.finish_into(self.store, first, &mut self.buffer);
        self.count(last, now_us);
        Ok(())
    }

    /// Writes the last frame of copies.
    pub(crate) fn finish_copies(&mut self) -> io::Result<()> {
        if self.frame_records > 0 { self.write_frame(FrameType::Data) } else { Ok(()) }
    }

    /// Whether a frame with this payload fits, and a MARK and a SEAL behind it. A file that grows has room for all.
    pub fn fits(&self, payload_bytes: usize) -> bool {
        let align = self.header.commit_align;
        let end = self.at + frame_bytes(payload_bytes, align) + 2 * u64::from(align);
        self.header.prepared_bytes == 0 || end <= self.header.prepared_bytes
    }

    /// Whether a MARK would say something new.
    pub fn wants_mark(&self) -> bool {
        self.unmarked && !is_seeded(Bug::LeaveOutMark)
    }

    /// The length that the file will have once it is sealed.
    pub(crate) fn sealed_bytes(&self) -> u64 {
        self.at + frame_bytes(SEAL_BYTES, self.header.commit_align)
    }

    /// The LSN of the next record.
    pub const fn next_lsn(&self) -> Lsn {
        self.contents.next()
    }

    /// Number of records.
    pub const fn records(&self) -> u64 {
        self.contents.records()
    }

    /// Bytes written.
    pub const fn bytes(&self) -> u64 {
        self.at
    }

    /// When the oldest record was received.
    pub(crate) fn oldest_us(&self) -> Option<i64> {
        self.contents.oldest_us()
    }

    /// What the header page says.
    pub(crate) const fn header(&self) -> &SegmentHeader {
        &self.header
    }

    fn count(&mut self, last: Lsn, received_us: i64) {
        self.contents.count(last, received_us);
        self.frame_records += 1;
    }

    fn make_room(&mut self, record_bytes: usize) -> io::Result<()> {
        let full = self.buffer.len() - FRAME_HEADER_BYTES + record_bytes > FRAME_PAYLOAD_BYTES_MAX as usize;
        if full { self.write_frame(FrameType::Data) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.latched(|writer| writer.file.sync_data())?;
        self.durable_lsn = self.contents.next().previous();
        Ok(())
    }

    /// Writes what is in the buffer as one frame.
    fn write_frame(&mut self, frame_type: FrameType) -> io::Result<()> {
        self.complete_frame(frame_type);
        self.latched(|writer| writer.file.write_all_at(&writer.buffer, writer.at))?;
        self.at += self.buffer.len() as u64;
        self.frames += 1;
        self.unmarked = frame_type == FrameType::Data;
        self.buffer.truncate(FRAME_HEADER_BYTES);
        self.frame_first = self.contents.next();
        self.frame_records = 0;
        Ok(())
    }

    /// Pads the frame in the buffer and puts its header in front; the payload is checksummed once, for the frame and for
    /// the file.
    fn complete_frame(&mut self, frame_type: FrameType) {
        let content_bytes = self.buffer.len();
        let payload_bytes = content_bytes - FRAME_HEADER_BYTES;
        assert!(payload_bytes <= FRAME_PAYLOAD_BYTES_MAX as usize, "a frame's payload is at most 1 MiB");
        let frame_bytes = content_bytes.next_multiple_of(self.header.commit_align as usize);
        self.buffer.resize(frame_bytes, 0);
        let (head, rest) = self.buffer.split_at_mut(FRAME_HEADER_BYTES);
        let (payload, padding) = rest.split_at(payload_bytes);
        let mut payload_crc = crc32fast::Hasher::new();
        payload_crc.update(payload);
        let header = FrameHeader {
            frame_type,
            payload_bytes: length_field(payload_bytes),
            records: self.frame_records,
            first_lsn: self.frame_first,
            last_lsn: self.contents.next().previous(),
            durable_lsn: self.durable_lsn,
            nonce: self.header.nonce,
            segment_number: self.header.number,
            frame_number: self.frames,
            previous_chain: self.chain,
            payload_crc: payload_crc.clone().finalize(),
            pad_bytes: length_field(padding.len()),
        };
        let encoded = header.encode(self.store);
        head.copy_from_slice(&encoded);
        self.chain = header.chain(header_crc(&encoded));
        self.file_crc.update(&encoded);
        self.file_crc.combine(&payload_crc);
        self.file_crc.update(padding);
    }

    /// Runs one I/O call; the first that fails is the last.
    fn latched(&mut self, call: impl FnOnce(&Self) -> io::Result<()>) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier write or sync of this segment failed"));
        }
        let result = call(self);
        self.failed = result.is_err();
        result
    }
}

fn length_field(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a frame's parts are at most 1 MiB")
}

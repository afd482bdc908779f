//! A seeded bug: a writer that goes on in a file of another life, which [`SegmentWriter`] never does.

use super::SegmentWriter;
use crate::disk::File;
use crate::frame::{FRAME_HEADER_BYTES, FrameHeader, header_crc};
use crate::segment::contents::Contents;
use crate::segment::{HEADER_BYTES, Scan};
use crate::{Lsn, StoreTag};

impl SegmentWriter {
    /// Goes on behind the last frame of a scanned segment.
    pub(crate) fn resume(file: Box<dyn File>, bytes: &[u8], scan: &Scan<'_>) -> Self {
        let header = scan.header;
        let store = StoreTag::of(header.store_id);
        let mut contents = Contents::new(header.base_lsn);
        for record in scan.records() {
            contents.count(record.last_lsn(), record.received_us);
        }
        let (mut at, mut frames, mut chain) = (HEADER_BYTES, 0, header_crc(bytes.get(..HEADER_BYTES).unwrap_or(bytes)));
        let mut first_lsn = header.base_lsn.previous();
        while let Some(frame) = next_frame(bytes, at, store).filter(|frame| frame.frame_number == frames) {
            if frame.last_lsn >= scan.next_lsn() || frame.last_lsn < first_lsn {
                break;
            }
            let head = bytes.get(at..at + FRAME_HEADER_BYTES).unwrap_or_default();
            chain = frame.chain(header_crc(head));
            at += frame.content_bytes() + frame.pad_bytes as usize;
            first_lsn = frame.last_lsn;
            frames += 1;
        }
        let mut file_crc = crc32fast::Hasher::new();
        file_crc.update(bytes.get(..at).unwrap_or(bytes));
        let next: Lsn = contents.next();
        Self {
            file,
            header,
            store,
            at: at as u64,
            chain,
            frames,
            file_crc,
            contents,
            durable_lsn: next.previous(),
            unmarked: false,
            failed: false,
            buffer: vec![0; FRAME_HEADER_BYTES],
            frame_first: next,
            frame_records: 0,
        }
    }
}

fn next_frame(bytes: &[u8], at: usize, store: StoreTag) -> Option<FrameHeader> {
    FrameHeader::parse(bytes.get(at..)?, store)
}

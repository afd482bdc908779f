//! The active segment, and how it passes on to the next one.
//!
//! ```text
//! take the prepared file      fails: NoSegment, and nothing has changed
//! SEAL, sync, cut, sync       the active segment is sealed          ┐
//! header page, sync           of the next one                       │ fails: the log is poisoned
//! rename, sync the folder     it has its durable name               │
//! order the one after         in the background                     ┘
//! ```
//!
//! So a segment has its durable name before the first frame is written into it, and an acknowledgement never depends on a
//! name that a power cut could take back.
//!
//! An active segment without records is not sealed but replaced: its successor has the same first LSN and so the same
//! name, and is renamed over it.

use std::io;
use std::path::{Path, PathBuf};

use super::prepare::{Prepared, Preparer};
use super::{Config, Drive, NoSegment, nonce};
use crate::disk::{self, Env, durable};
use crate::segment::{SealedSegment, SegmentHeader, SegmentWriter};
use crate::{Draft, Error, Lsn, Recovery, names};

/// Why a commit did not happen.
#[derive(Debug)]
pub(super) enum Failure {
    /// No next segment could be prepared: nothing was written, a later commit may succeed.
    NoSegment(NoSegment),
    /// A write, sync or rename failed: what the disk holds is unknown, and nothing may be written any more.
    Fatal(String),
}

impl Failure {
    fn fatal(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Fatal(format!("cannot {operation} {}: {error}", path.display()))
    }
}

/// The end of the log, where records are added.
#[derive(Debug)]
pub(super) struct Active {
    env: Env,
    dir: PathBuf,
    config: Config,
    store_id: u128,
    epoch: u64,
    preparer: Preparer,
    next_number: u64,
    next_lsn: Lsn,
    /// What the next segment carries as `previous_chain`.
    link: u32,
    segment: Option<(SegmentWriter, PathBuf)>,
}

impl Active {
    /// Goes on after a recovery. Nothing is written before [`Active::begin`].
    pub(super) fn new(recovery: &Recovery, drive: Drive) -> Result<Self, Error> {
        Ok(Self {
            env: recovery.env.clone(),
            dir: recovery.dir.clone(),
            config: recovery.config.clone(),
            store_id: recovery.store_id,
            epoch: recovery.epoch,
            preparer: Preparer::new(recovery.env.disk.clone(), recovery.dir.clone(), drive)?,
            next_number: recovery.next_number,
            next_lsn: recovery.next_lsn(),
            link: recovery.link,
            segment: None,
        })
    }

    /// Makes the first segment, a small one: somebody may be waiting.
    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        let prepared = self.take_prepared(self.config.first_segment_bytes())?;
        self.activate(prepared)
    }

    /// Makes sure that a frame with this payload fits, in a new segment if need be; returns the one that was sealed.
    pub(super) fn make_room(&mut self, payload_bytes: usize) -> Result<Option<SealedSegment>, Failure> {
        if self.segment.as_ref().is_some_and(|(writer, _)| writer.fits(payload_bytes)) {
            return Ok(None);
        }
        let prepared = self.take_prepared(self.config.segment_bytes)?;
        let sealed = self.end()?;
        self.activate(prepared)?;
        Ok(sealed)
    }

    /// Writes one frame and syncs it; returns the LSN of the first record. [`Active::make_room`] comes first.
    pub(super) fn commit(&mut self, drafts: &[Draft]) -> Result<Lsn, Failure> {
        let (writer, path) = self.segment.as_mut().expect("room was made");
        let first = writer.commit(drafts).map_err(Failure::fatal("commit to", path))?;
        self.next_lsn = writer.next_lsn();
        Ok(first)
    }

    /// Writes a MARK, if it would say something new.
    pub(super) fn mark(&mut self) -> Result<(), Failure> {
        match &mut self.segment {
            Some((writer, path)) => writer.mark().map_err(Failure::fatal("mark", path)).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Whether a MARK would say something new.
    pub(super) fn wants_mark(&self) -> bool {
        self.segment.as_ref().is_some_and(|(writer, _)| writer.wants_mark())
    }

    /// Seals the segment, if it has a record. The log then has no active segment until it is needed or begun.
    pub(super) fn end(&mut self) -> Result<Option<SealedSegment>, Failure> {
        let Some((writer, path)) = self.segment.take_if(|(writer, _)| writer.records() > 0) else {
            return Ok(None);
        };
        let (header, bytes) = (*writer.header(), writer.sealed_bytes());
        let seal = writer.seal().map_err(Failure::fatal("seal", &path))?;
        self.link = seal.link;
        Ok(Some(SealedSegment::new(path, &header, &seal, bytes)))
    }

    /// Begins a segment of full size, if there is none; returns whether it has.
    pub(super) fn renew(&mut self) -> Result<bool, Failure> {
        if self.segment.is_some() {
            return Ok(false);
        }
        let prepared = self.take_prepared(self.config.segment_bytes)?;
        self.activate(prepared).map(|()| true)
    }

    /// The writer of the active segment.
    pub(super) fn writer(&self) -> Option<&SegmentWriter> {
        self.segment.as_ref().map(|(writer, _)| writer)
    }

    /// The LSN of the next record.
    pub(super) const fn next_lsn(&self) -> Lsn {
        self.next_lsn
    }

    fn take_prepared(&mut self, bytes: u32) -> Result<Prepared, Failure> {
        let no_segment = |error: io::Error| {
            let is_lack_of_space = disk::is_lack_of_space(&error);
            Failure::NoSegment(NoSegment { cause: error.to_string().into(), is_lack_of_space })
        };
        self.preparer.take(self.next_number, bytes).map_err(no_segment)
    }

    fn activate(&mut self, prepared: Prepared) -> Result<(), Failure> {
        let header = SegmentHeader {
            store_id: self.store_id,
            number: prepared.number,
            base_lsn: self.next_lsn,
            epoch: self.epoch,
            nonce: nonce(&self.env),
            created_us: self.env.clock.now_us(),
            previous_chain: self.link,
            commit_align: self.config.commit_align,
            flags: 0,
            prepared_bytes: prepared.bytes.into(),
            frame_payload_bytes_max: u32::try_from(self.config.payload_bytes_max()).expect("a frame is at most 1 MiB"),
        };
        let path = names::segment(&self.dir, self.next_lsn);
        let writer = SegmentWriter::create(prepared.file, header).map_err(Failure::fatal("begin", &path))?;
        // IMPORTANT: the name is durable before the first frame, or a power cut could take acknowledged records with it.
        durable::publish(self.env.disk.as_ref(), &prepared.path, &path).map_err(Failure::fatal("name", &path))?;
        self.segment = Some((writer, path));
        self.next_number = prepared.number + 1;
        self.preparer.order(self.next_number, self.config.segment_bytes);
        Ok(())
    }
}

//! Going through the segments in log order: each is taken as it is, repaired first, or skipped.

use std::io;
use std::iter;
use std::mem;
use std::path::Path;

use super::image::Image;
use super::repair::{self, Rebuild};
use super::report::{KnownEnd, Origin, Report};
use super::salvage::{Piece, salvage};
use super::survey::Found;
use crate::disk::Env;
use crate::log::{Config, Leftover, OnCorruption, nonce};
use crate::record::Record;
use crate::seeded::{Bug, is_seeded};
#[cfg(feature = "seeded-bugs")]
use crate::segment::SegmentWriter;
use crate::segment::{
    ALIGN_MAX, Corruption, End, FLAG_REBUILT, FRAME_PAYLOAD_BYTES_MAX, HEADER_BYTES, Scan, Seal, SealedSegment,
    SegmentHeader, scan,
};
use crate::{Error, Lsn, StoreTag, names};

/// The longest file that is taken for a segment; twice what a log may be configured to.
const FILE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Where recovery takes place and by which rules.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) env: &'a Env,
    pub(super) dir: &'a Path,
    pub(super) quarantine: &'a Path,
    pub(super) config: &'a Config,
    pub(super) origin: Origin,
    /// The writer epoch of this open.
    pub(super) epoch: u64,
    pub(super) now_us: i64,
    /// Hears of each damaged original, before another file takes its place.
    pub(super) on_damaged: &'a dyn Fn(&str) -> io::Result<()>,
}

/// The state between two segments.
pub(super) struct Walk<'a> {
    place: Place<'a>,
    on_record: &'a mut dyn FnMut(Record<'_>),
    image: Image,
    pub(super) report: Report,
    pub(super) sealed: Vec<SealedSegment>,
    pub(super) leftovers: Vec<Leftover>,
    /// The next LSN that is wanted: above the checkpoint, and above all that was taken.
    pub(super) next_lsn: Lsn,
    /// What the next segment must carry as `previous_chain`, as far as it is known.
    pub(super) link: u32,
    /// Number of the last segment taken.
    pub(super) number: u64,
}

/// What a segment turned out to be.
enum Finding<'i> {
    /// Sealed, sound, and continued by the next one.
    Sound(Scan<'i>, Seal),
    /// Without a SEAL, as the last one of an earlier life is; its sound part. Also one that lacks nothing of what comes
    /// before the next: an earlier recovery had sealed it, and lost the sealed file's name in a failed sync.
    Open(Scan<'i>),
    /// The same, with the remains of a frame behind it.
    Torn(Scan<'i>, u64),
    /// Damaged from there on.
    Damaged(u64, Corruption),
}

impl<'a> Walk<'a> {
    pub(super) fn new(place: Place<'a>, on_record: &'a mut dyn FnMut(Record<'_>)) -> Self {
        Self {
            place,
            on_record,
            image: Image::default(),
            report: Report::default(),
            sealed: Vec::new(),
            leftovers: Vec::new(),
            next_lsn: place.origin.checkpoint.next(),
            link: 0,
            number: 0,
        }
    }

    /// Takes one segment; `next` is the one after it.
    pub(super) fn segment(&mut self, found: &Found, next: Option<&Found>) -> Result<(), Error> {
        let wanted = self.place.origin.checkpoint.next();
        if next.is_some_and(|next| next.base <= wanted) {
            self.leave(found);
            return Ok(());
        }
        if found.base > self.next_lsn {
            self.fill_hole(found)?;
        } else if found.base < self.next_lsn && found.base > wanted {
            return Err(Error::Overlap { path: found.path.clone(), first: found.base });
        }
        let image = self.read(found, next.is_none())?;
        let result = self.settle(&image, found, next);
        self.image = image;
        result
    }

    /// Reads a segment; the last one from the device, for the cache may hold what a failed sync never wrote.
    fn read(&mut self, found: &Found, is_last: bool) -> Result<Image, Error> {
        let path = &found.path;
        let disk = &self.place.env.disk;
        let is_last = is_last && !is_seeded(Bug::AppendToOldTail);
        let file = if is_last { disk.open_write(path) } else { disk.open(path) }.map_err(Error::io("open", path))?;
        if is_last {
            // IMPORTANT: sync first. What a killed process wrote and did not sync is only in the cache, and would still
            // be found there; after this it is on the device or it is not found.
            file.sync_data().map_err(Error::io("sync", path))?;
            file.forget_cache().map_err(Error::io("drop the cache of", path))?;
        }
        let mut image = mem::take(&mut self.image);
        image.read(file.as_ref(), FILE_BYTES_MAX).map_err(Error::io("read", path))?;
        self.report.bytes += image.bytes().len() as u64;
        self.report.unreadable_bytes += image.unreadable_bytes();
        Ok(image)
    }

    fn settle(&mut self, image: &Image, found: &Found, next: Option<&Found>) -> Result<(), Error> {
        match self.examine(image, next) {
            Finding::Sound(scan, seal) => {
                self.take(found, image, &scan, &seal);
                Ok(())
            }
            Finding::Open(scan) => self.reseal(found, image, next, &scan),
            Finding::Torn(scan, bytes) => {
                self.keep_original(found)?;
                self.report.torn_frames += 1;
                self.report.torn_bytes += bytes;
                self.reseal(found, image, next, &scan)
            }
            Finding::Damaged(at, reason) => self.repair(found, image, next, at, reason),
        }
    }

    /// Decides what the segment in the image is.
    fn examine<'i>(&self, image: &'i Image, next: Option<&Found>) -> Finding<'i> {
        let Ok(scan) = scan(image.bytes(), self.place.origin.store_id) else {
            return Finding::Damaged(0, Corruption::Header);
        };
        match (scan.end, next) {
            (End::Sealed(seal), Some(next)) if !is_continued(&seal, next) => Finding::Damaged(0, Corruption::Link),
            (End::Sealed(seal), _) => Finding::Sound(scan, seal),
            (End::Corrupt { at, reason }, _) => Finding::Damaged(at, reason),
            (End::Clean { at } | End::Torn { at, .. }, Some(next)) if scan.next_lsn() != next.base => {
                Finding::Damaged(at, Corruption::Unsealed)
            }
            (End::Clean { .. }, _) => Finding::Open(scan),
            (End::Torn { bytes, .. }, _) => Finding::Torn(scan, bytes),
        }
    }

    /// Delivers the records of a sound segment.
    fn take(&mut self, found: &Found, image: &Image, scan: &Scan<'_>, seal: &Seal) {
        let checkpoint = self.place.origin.checkpoint;
        for record in scan.records().filter(|record| record.last_lsn() > checkpoint) {
            self.report.records += 1;
            self.report.gaps.extend(record.gap().map(|(first, last)| (first.max(checkpoint.next()), last)));
            (self.on_record)(record);
        }
        self.next_lsn = self.next_lsn.max(seal.last_lsn.next());
        self.link = seal.link;
        self.number = scan.header.number;
        if seal.last_lsn > checkpoint {
            let bytes = image.bytes().len() as u64;
            self.sealed.push(SealedSegment::new(found.path.clone(), &scan.header, seal, bytes));
        } else {
            self.leave(found);
        }
    }

    /// Puts a segment aside that is compacted already.
    fn leave(&mut self, found: &Found) {
        self.leftovers.push(Leftover { path: found.path.clone(), bytes: found.bytes });
    }

    /// Rewrites the sound part of an unsealed segment as a sealed one, so that nothing is ever appended to a file of
    /// another life.
    fn reseal(&mut self, found: &Found, image: &Image, next: Option<&Found>, scan: &Scan<'_>) -> Result<(), Error> {
        #[cfg(feature = "seeded-bugs")]
        if is_seeded(Bug::AppendToOldTail) && scan.next_lsn() > found.base {
            return self.seal_in_place(found, image, next, scan);
        }
        let header = self.rebuilt_header(found, Some(scan.header.number), image.bytes().len());
        self.rebuild(found, header, next, scan.records().map(Piece::Record))
    }

    #[cfg(feature = "seeded-bugs")]
    fn seal_in_place(
        &mut self,
        found: &Found,
        image: &Image,
        next: Option<&Found>,
        scan: &Scan<'_>,
    ) -> Result<(), Error> {
        let file = self.place.env.disk.open_write(&found.path).map_err(Error::io("open", &found.path))?;
        let writer = SegmentWriter::resume(file, image.bytes(), scan);
        writer.seal().map_err(Error::io("seal", &found.path))?;
        let image = self.read(found, false)?;
        match self.examine(&image, next) {
            Finding::Sound(scan, seal) => self.take(found, &image, &scan, &seal),
            _ => panic!("a segment that was sealed in its place is not sound"),
        }
        Ok(())
    }

    /// Rewrites what can be salvaged of a damaged segment, with gaps for the rest.
    fn repair(
        &mut self,
        found: &Found,
        image: &Image,
        next: Option<&Found>,
        at: u64,
        reason: Corruption,
    ) -> Result<(), Error> {
        let Place { config, origin, .. } = self.place;
        if config.on_corruption == OnCorruption::Refuse {
            return Err(Error::Damaged { path: found.path.clone(), at, reason });
        }
        self.keep_damaged(found)?;
        let bytes = image.bytes();
        let last = next.map(|next| next.base.previous());
        let store = StoreTag::of(origin.store_id);
        let salvaged = salvage(bytes, found, store, last, config.full_bytes(bytes.len() as u64));
        self.report.torn_frames += u64::from(salvaged.torn_bytes > 0);
        self.report.torn_bytes += salvaged.torn_bytes;
        let header = self.rebuilt_header(found, salvaged.number, bytes.len() + salvaged.gap_bytes());
        self.rebuild(found, header, next, salvaged.pieces.into_iter())
    }

    /// Puts a segment with nothing but a gap where one or more segments are missing.
    fn fill_hole(&mut self, found: &Found) -> Result<(), Error> {
        let (first, last) = (self.next_lsn, found.base.previous());
        if self.place.config.on_corruption == OnCorruption::Refuse {
            return Err(Error::Missing { path: found.path.clone(), first, last });
        }
        let filler = Found { path: names::segment(self.place.dir, first), base: first, bytes: 0, header: None };
        let header = self.rebuilt_header(&filler, None, HEADER_BYTES);
        self.rebuild(&filler, header, Some(found), iter::once(Piece::Gap(last)))
    }

    /// Puts a segment with nothing but a gap where the log should go on: as far as it can have gone, because no LSN may be
    /// given out twice.
    pub(super) fn fill_end(&mut self, end: KnownEnd, newest: Option<&Found>) -> Result<(), Error> {
        let first = self.next_lsn;
        let last = first.previous().max(end.high_water).advance(end.further_max.max(1));
        if self.place.config.on_corruption == OnCorruption::Refuse {
            return Err(Error::EndMissing { dir: self.place.dir.to_owned(), first });
        }
        // A segment without a record has the name already, and may have held some.
        if let Some(empty) = newest.filter(|newest| newest.base == first) {
            self.keep_damaged(empty)?;
        }
        let filler = Found { path: names::segment(self.place.dir, first), base: first, bytes: 0, header: None };
        let header = self.rebuilt_header(&filler, None, HEADER_BYTES);
        self.report.lost_from = Some(first);
        self.rebuild(&filler, header, None, iter::once(Piece::Gap(last)))
    }

    /// Gives a damaged file a second name in the quarantine, and says so.
    fn keep_damaged(&mut self, found: &Found) -> Result<(), Error> {
        let Some(kept) = self.keep_original(found)? else { return Ok(()) };
        (self.place.on_damaged)(&kept).map_err(Error::io("take note of", &found.path))?;
        self.report.damaged.push(kept);
        Ok(())
    }

    /// Gives the file a second name in the quarantine; returns that.
    fn keep_original(&mut self, found: &Found) -> Result<Option<String>, Error> {
        if is_seeded(Bug::DropOriginal) {
            return Ok(None);
        }
        let name = repair::quarantine(self.place.env.disk.as_ref(), &found.path, self.place.quarantine)?;
        self.report.quarantined.push(name.clone());
        Ok(Some(name))
    }

    /// The header of the segment that takes the place of `found`, whose records filled at most `bytes`.
    fn rebuilt_header(&self, found: &Found, number: Option<u64>, bytes: usize) -> SegmentHeader {
        let Place { env, config, origin, epoch, now_us, .. } = self.place;
        SegmentHeader {
            store_id: origin.store_id,
            number: number.unwrap_or(self.number + 1),
            base_lsn: found.base,
            epoch,
            nonce: nonce(env),
            created_us: now_us,
            previous_chain: found.header.map_or(self.link, |header| header.previous_chain),
            commit_align: config.commit_align,
            flags: FLAG_REBUILT,
            // More than it will have: so a rebuilt segment that lost its end is seen to be short, like any other.
            prepared_bytes: bytes as u64 + 4 * u64::from(ALIGN_MAX),
            frame_payload_bytes_max: FRAME_PAYLOAD_BYTES_MAX,
        }
    }

    /// Writes a sealed segment in the place of `found`, and takes it as it then is on the disk.
    fn rebuild<'p>(
        &mut self,
        found: &Found,
        header: SegmentHeader,
        next: Option<&Found>,
        pieces: impl Iterator<Item = Piece<'p>>,
    ) -> Result<(), Error> {
        let mut pieces = pieces.peekable();
        if pieces.peek().is_none() {
            self.replace_later(found, &header);
            return Ok(());
        }
        let Place { env, dir, now_us, .. } = self.place;
        let link = next.and_then(|next| next.header).map(|header| header.previous_chain);
        let path = Rebuild { dir, header, link, now_us }.run(env.disk.as_ref(), pieces)?;
        let rebuilt = Found { path, base: found.base, bytes: 0, header: Some(header) };
        let image = self.read(&rebuilt, false)?;
        let (at, reason) = match self.examine(&image, next) {
            Finding::Sound(scan, seal) => {
                self.take(&rebuilt, &image, &scan, &seal);
                return Ok(());
            }
            Finding::Damaged(at, reason) => (at, reason),
            Finding::Open(_) | Finding::Torn(..) => (0, Corruption::Unsealed),
        };
        Err(Error::Damaged { path: rebuilt.path, at, reason })
    }

    /// Passes over a segment without records. The next active segment starts at the same LSN, so it takes over the name,
    /// unless the checkpoint is further on.
    fn replace_later(&mut self, found: &Found, header: &SegmentHeader) {
        self.link = header.previous_chain;
        if found.base < self.next_lsn {
            self.leave(found);
        }
    }
}

/// Whether the next segment, as far as its header stands, continues one with this SEAL. A hole between the two is
/// another matter.
fn is_continued(seal: &Seal, next: &Found) -> bool {
    let is_adjacent = seal.last_lsn.next() == next.base;
    !is_adjacent || is_seeded(Bug::ForgetLink) || next.header.is_none_or(|header| header.previous_chain == seal.link)
}

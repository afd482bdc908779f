//! A look at the log that changes nothing, for an operator who asks whether it is sound.
//!
//! ```text
//! each segment   header page, frames, chain, every record, SEAL
//! and the next   continues at the LSN, and the chain value, at which it ended
//! ```
//! A server may be writing meanwhile: it appends to the newest segment, which may therefore have no SEAL or end in half a
//! frame, and it trims the oldest, which are then passed over. Everything else that does not verify is a [`Fault`]; what
//! to do about it is recovery's business. Whoever wants the records too is shown them on the way.

use std::io;
use std::path::{Path, PathBuf};
use std::vec;

use rustix::io::Errno;
use thiserror::Error;

use crate::disk::{self, Disk};
use crate::record::Record;
use crate::recovery::{Found, Survey};
use crate::segment::{Corruption, End, HeaderError, Scan, SegmentHeader, scan};
use crate::{Error, Lsn};

/// How often the folder is listed again because a segment was trimmed while it was surveyed.
const SURVEYS_MAX: usize = 5;
/// How often the newest segment is read again because it does not verify: frames that are written while it is read look
/// like damage.
const READS_MAX: usize = 5;

/// What a segment turned out to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The first LSN, by its name.
    pub first_lsn: Lsn,
    /// The last LSN that verifies; one less than the first if there is none.
    pub last_lsn: Lsn,
    /// Records that verify, gap records included.
    pub records: u64,
    /// The LSNs that its gap records say are lost.
    pub gaps: Vec<(Lsn, Lsn)>,
    /// What is wrong with it.
    pub fault: Option<Fault>,
}

/// Why a segment is not sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The header page does not verify.
    #[error("its header page is damaged")]
    Header,
    /// Acknowledged bytes are damaged.
    #[error("damaged at byte {at}: {reason}")]
    Damaged {
        /// Where the damage starts.
        at: u64,
        /// How it was seen.
        reason: Corruption,
    },
    /// The device cannot read it.
    #[error("the device cannot read it")]
    Unreadable,
    /// It has no SEAL, although another segment follows.
    #[error("it has no SEAL, although another segment follows")]
    Unsealed,
    /// It does not begin where the one before it ended.
    #[error("it does not continue the segment before it, which calls for LSN {expected}")]
    Discontinued {
        /// The LSN after the last one of the segment before.
        expected: Lsn,
    },
}

/// How the segment after a sealed one has to begin.
#[derive(Clone, Copy, Debug)]
struct Link {
    lsn: Lsn,
    chain: u32,
}

/// The examination of a log, segment by segment, in log order.
#[derive(Debug)]
pub struct Examination<'a> {
    disk: &'a dyn Disk,
    store_id: u128,
    segments: vec::IntoIter<Found>,
    link: Option<Link>,
}

impl<'a> Examination<'a> {
    /// Lists the segments in `dir`. Files of other stores and of newer formats are refused.
    pub fn begin(disk: &'a dyn Disk, dir: &Path, store_id: u128) -> Result<Self, Error> {
        let mut survey = Survey::take(disk, dir, store_id);
        for _ in 1..SURVEYS_MAX {
            if !survey.as_ref().is_err_and(is_missing) {
                break;
            }
            survey = Survey::take(disk, dir, store_id);
        }
        Ok(Self { disk, store_id, segments: survey?.segments.into_iter(), link: None })
    }

    /// Bytes that are still to be read.
    pub fn bytes_left(&self) -> u64 {
        self.segments.as_slice().iter().map(|found| found.bytes).sum()
    }

    /// The next segment; `on_record` is shown each of its records that verify, in log order, gap records included.
    pub fn next_with(&mut self, on_record: &mut dyn FnMut(Record<'_>)) -> Option<Result<Examined, Error>> {
        loop {
            let found = self.segments.next()?;
            match self.examine(found, on_record) {
                Ok(None) => {}
                Ok(Some(examined)) => return Some(Ok(examined)),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The bytes of a segment; `None` if it was trimmed since the folder was listed.
    fn read(&self, found: &Found) -> Result<Option<Vec<u8>>, Error> {
        let is_newest = self.segments.as_slice().is_empty();
        let mut read = disk::read_from_device(self.disk, &found.path);
        for _ in 1..READS_MAX {
            let is_settled = match &read {
                Ok(bytes) => !is_newest || scan(bytes, self.store_id).is_ok_and(|scan| is_whole(scan.end)),
                // It was sealed, and so cut, while it was read.
                Err(error) => error.kind() != io::ErrorKind::UnexpectedEof,
            };
            if is_settled {
                break;
            }
            read = disk::read_from_device(self.disk, &found.path);
        }
        match read {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &found.path)(error)),
        }
    }

    fn examine(&mut self, found: Found, on_record: &mut dyn FnMut(Record<'_>)) -> Result<Option<Examined>, Error> {
        let link = self.link.take();
        let read = match self.read(&found) {
            Ok(None) => return Ok(None),
            Ok(Some(bytes)) => Some(bytes),
            Err(error) if is_unreadable(&error) => None,
            Err(error) => return Err(error),
        };
        let mut examined = Examined {
            bytes: found.bytes,
            first_lsn: found.base,
            last_lsn: found.base.previous(),
            records: 0,
            gaps: Vec::new(),
            fault: None,
            path: found.path,
        };
        let Some(bytes) = read else {
            examined.fault = Some(Fault::Unreadable);
            return Ok(Some(examined));
        };
        examined.bytes = bytes.len() as u64;
        match scan(&bytes, self.store_id) {
            Ok(scan) => {
                examined.count(&scan, on_record);
                examined.fault = self.fault_at(scan.end).or_else(|| discontinued(link?, &scan.header));
                self.link = link_of(&scan);
            }
            Err(HeaderError::Damaged) => examined.fault = Some(Fault::Header),
            Err(source) => return Err(Error::Refused { path: examined.path, source }),
        }
        Ok(Some(examined))
    }

    fn fault_at(&self, end: End) -> Option<Fault> {
        let is_last = self.segments.as_slice().is_empty();
        match end {
            End::Corrupt { at, reason } => Some(Fault::Damaged { at, reason }),
            End::Clean { .. } | End::Torn { .. } if !is_last => Some(Fault::Unsealed),
            End::Clean { .. } | End::Torn { .. } | End::Sealed(_) => None,
        }
    }
}

impl Examined {
    fn count(&mut self, scan: &Scan<'_>, on_record: &mut dyn FnMut(Record<'_>)) {
        for record in scan.records() {
            self.records += 1;
            self.gaps.extend(record.gap());
            on_record(record);
        }
        self.last_lsn = scan.next_lsn().previous();
    }
}

fn link_of(scan: &Scan<'_>) -> Option<Link> {
    match scan.end {
        End::Sealed(seal) => Some(Link { lsn: scan.next_lsn(), chain: seal.link }),
        End::Clean { .. } | End::Torn { .. } | End::Corrupt { .. } => None,
    }
}

fn discontinued(link: Link, header: &SegmentHeader) -> Option<Fault> {
    let continues = header.base_lsn == link.lsn && header.previous_chain == link.chain;
    (!continues).then_some(Fault::Discontinued { expected: link.lsn })
}

impl Iterator for Examination<'_> {
    type Item = Result<Examined, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_with(&mut |_| {})
    }
}

/// Whether a segment ends where its writer has left it.
fn is_whole(end: End) -> bool {
    matches!(end, End::Clean { .. } | End::Sealed(_))
}

/// Whether it is the medium that does not give the bytes.
fn is_unreadable(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.raw_os_error() == Some(Errno::IO.raw_os_error()))
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

//! A sealed segment: immutable, and worth a name to be handed to whoever compacts it.

use std::ops::Range;
use std::path::PathBuf;

use super::scan::{End, records_in, scan};
use super::{Corruption, HeaderError, Seal, SegmentHeader};
use crate::disk::{Bytes, Disk};
use crate::record::{Draft, Record};
use crate::{Error, Lsn, StoreTag};

/// Where a sealed segment is and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSegment {
    /// The file.
    pub path: PathBuf,
    /// The store it belongs to.
    pub store_id: u128,
    /// Its number.
    pub number: u64,
    /// First LSN.
    pub first_lsn: Lsn,
    /// Last LSN.
    pub last_lsn: Lsn,
    /// Number of records; fewer than LSNs if one of them is a gap.
    pub records: u64,
    /// Length of the file.
    pub bytes: u64,
    /// Smallest `received_us`.
    pub min_received_us: i64,
    /// Largest `received_us`.
    pub max_received_us: i64,
}

impl SealedSegment {
    pub(crate) const fn new(path: PathBuf, header: &SegmentHeader, seal: &Seal, bytes: u64) -> Self {
        Self {
            path,
            store_id: header.store_id,
            number: header.number,
            first_lsn: seal.first_lsn,
            last_lsn: seal.last_lsn,
            records: seal.records,
            bytes,
            min_received_us: seal.min_received_us,
            max_received_us: seal.max_received_us,
        }
    }

    /// Opens the file and verifies all of it: header, chain, every checksum, and that it is the segment it was.
    ///
    /// A segment that does not verify is an error, not a partial result; repair is the next start's recovery.
    pub fn load(&self, disk: &dyn Disk) -> Result<LoadedSegment, Error> {
        let io = |operation| Error::io(operation, &self.path);
        let file = disk.open(&self.path).map_err(io("open"))?;
        let bytes = file.bytes().map_err(io("read"))?;
        let payloads = self.verify(&bytes)?;
        Ok(LoadedSegment { bytes, payloads })
    }

    fn verify(&self, bytes: &[u8]) -> Result<Vec<Range<usize>>, Error> {
        let damaged = |at, reason| Error::Damaged { path: self.path.clone(), at, reason };
        let scan = scan(bytes, self.store_id).map_err(|source| match source {
            HeaderError::Damaged => damaged(0, Corruption::Header),
            source => Error::Refused { path: self.path.clone(), source },
        })?;
        match scan.end {
            End::Sealed(seal) if self.is(&scan.header, &seal) => Ok(scan.into_payloads()),
            End::Sealed(_) => Err(damaged(0, Corruption::Seal)),
            End::Corrupt { at, reason } => Err(damaged(at, reason)),
            End::Clean { at } | End::Torn { at, .. } => Err(damaged(at, Corruption::Unsealed)),
        }
    }

    fn is(&self, header: &SegmentHeader, seal: &Seal) -> bool {
        self.number == header.number
            && self.first_lsn == seal.first_lsn
            && self.last_lsn == seal.last_lsn
            && self.records == seal.records
    }
}

/// A sealed segment in memory, verified.
#[derive(Debug)]
pub struct LoadedSegment {
    bytes: Bytes,
    payloads: Vec<Range<usize>>,
}

impl LoadedSegment {
    /// The records of a segment of `store` as its owner remembers them, with their LSNs: for one that cannot be read any more.
    pub fn remembered(store: StoreTag, records: impl IntoIterator<Item = (Lsn, Draft)>) -> Self {
        let mut bytes = Vec::new();
        for (lsn, draft) in records {
            draft.finish_into(store, lsn, &mut bytes);
        }
        let payload = 0..bytes.len();
        Self { bytes: Bytes::from(bytes), payloads: vec![payload] }
    }

    /// Its records in log order.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        records_in(&self.bytes, &self.payloads)
    }
}

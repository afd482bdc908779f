//! [`Edit`]: one atomic change of the manifest, and its bytes.
//!
//! Layout of version 5, little-endian. A checkpoint is an edit too: the one that makes the whole state out of nothing.
//!
//! ```text
//!   0  u64  checkpoint         the log is in Parquet through here; 0: this edit does not move it
//!   8  u64  expired rows       rows of removed files that retention dropped
//!  16  u32  gaps               counts, in this order, of the four lists that follow
//!  20  u32  quarantined
//!  24  u32  remove
//!  28  u32  add
//!  32  gaps, quarantined:      first LSN u64, last LSN u64
//!      remove:                 path text
//!      add:                    file entry
//!      u32  acknowledged       count of the list that follows
//!      acknowledged:           first LSN u64, last LSN u64: an operator knows that these are lost
//!      u32  conditions         count of the list that follows
//!      conditions:             u8 condition (0 sound, 1 damaged, 2 damaged and acknowledged), path text
//!      u64  erased rows        rows of removed files that an erasure took
//!      u64  erased records     events of the log that an erasure took before they were rows
//!      u32  begun              counts of the two lists that follow
//!      u32  ended
//!      begun:                  u16 length, then an erasure (crate::erasure)
//!      ended:                  the id of an erasure, 16 bytes
//!      u32  taken              count of the list that follows
//!      taken:                  the id of an unfinished erasure, 16 bytes; what it took: events u64, partitions u64,
//!                              segments u64
//!      u64  log                the LSN after the newest that the log held; 0: this edit does not say
//!
//!  text       u16 length, then that many bytes of UTF-8
//!
//!  file entry
//!   0  i32  date               days since 1970-01-01
//!   4  u8   level
//!   5  u8   zero
//!   6  u16  schema version
//!   8  u64  first LSN          16  u64  last LSN
//!  24  u64  rows               32  u64  bytes
//!  40  u64  bytes of the widest column
//!  48  i64  min timestamp      56  i64  max timestamp     microseconds
//!  64  u32  crc32 of the file
//!  68  site id text, path text
//! ```
//!
//! Version 1 ended after the four lists, version 2 after the conditions, version 3 after the list `ended`, version 4 after the
//! list `taken`. In versions 2 to 4 *acknowledged* was one u64: everything through that LSN, 0 for nothing.
//!
//! This file checks shapes only: numbers in their ranges, ids well formed, nothing left over. Whether an edit fits the
//! state is asked by [`Manifest::apply`](super::Manifest::apply). Checksums belong to the log that carries the bytes.

use std::sync::Arc;

use mallard_event::{Date, Invalid, SiteId, Timestamp};
use mallard_wal::Lsn;
use thiserror::Error;

use super::codec::{Cut, Put, Reader};
use super::{FileEntry, LsnRange};
use crate::erasure::{ERASURE_VERSION, Erasure};
use crate::layout;

/// The version of the layout above; it is the body version of the records that carry it.
pub const EDIT_VERSION: u8 = 5;

/// One atomic change: files that become live, files that cease to be, and how far the log is in Parquet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Files that become live.
    pub add: Vec<FileEntry>,
    /// Paths of live files that cease to be.
    pub remove: Vec<String>,
    /// The new checkpoint, if it moves.
    pub checkpoint: Option<Lsn>,
    /// LSNs that the log has lost, in ascending order.
    pub gaps: Vec<LsnRange>,
    /// LSNs whose records went to quarantine instead of into a file, in ascending order.
    pub quarantined: Vec<LsnRange>,
    /// Rows of removed files that retention dropped.
    pub expired_rows: u64,
    /// LSNs of which an operator knows that they are lost or in quarantine, in ascending order. They may lie above the
    /// checkpoint.
    pub acknowledged: Vec<LsnRange>,
    /// Live files, and in what condition they were found.
    pub conditions: Vec<(String, Condition)>,
    /// Rows of removed files that an erasure took.
    pub erased_rows: u64,
    /// Events between the old checkpoint and the new that an erasure took before they were rows.
    pub erased_records: u64,
    /// Erasures that begin.
    pub begun: Vec<Erasure>,
    /// Erasures of which nothing is left to do, by their ids.
    pub ended: Vec<[u8; 16]>,
    /// What erasures that are not finished have taken, by their ids: in this edit; in a checkpoint, so far.
    pub taken: Vec<([u8; 16], Taken)>,
    /// The newest LSN that the log held when the edit was made; zero if it had been begun and held none.
    pub high_water: Option<Lsn>,
}

/// What an erasure has taken. An event counts for one erasure only, and once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Events.
    pub events: u64,
    /// Days whose files were removed or written anew for it.
    pub partitions: u64,
    /// Segments of the log that held some of them.
    pub segments: u64,
}

/// In what condition a live file was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is what was published. (In an edit: again.)
    Sound,
    /// It is not what was published: it may not be read, and answers about its site and day say so.
    Damaged,
    /// The same, and an operator knows.
    Acknowledged,
}

impl Condition {
    const fn byte(self) -> u8 {
        match self {
            Self::Sound => 0,
            Self::Damaged => 1,
            Self::Acknowledged => 2,
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Sound),
            1 => Some(Self::Damaged),
            2 => Some(Self::Acknowledged),
            _ => None,
        }
    }
}

/// Why bytes are no edit. The record that carried them had a valid checksum, so this is another version of the program or
/// an error in one, and nothing that may be skipped.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EditError {
    /// Written by a newer program.
    #[error("edit layout {version} is unknown; open this store with the newer program that wrote it")]
    Version {
        /// The version found.
        version: u8,
    },
    /// The bytes end within a field.
    #[error("the edit ends within a field")]
    Cut,
    /// Bytes follow the last field.
    #[error("{bytes} bytes follow the end of the edit")]
    LeftOver {
        /// How many.
        bytes: usize,
    },
    /// A field holds what it cannot.
    #[error("field {field} of the edit holds an impossible value")]
    Field {
        /// Which one.
        field: &'static str,
    },
}

impl From<Cut> for EditError {
    fn from(_: Cut) -> Self {
        Self::Cut
    }
}

impl From<Invalid> for EditError {
    fn from(invalid: Invalid) -> Self {
        Self::Field { field: invalid.field }
    }
}

impl Edit {
    /// The edit as bytes of [`EDIT_VERSION`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 + 256 * self.add.len());
        out.put(&self.checkpoint.unwrap_or(Lsn::ZERO).get().to_le_bytes());
        out.put(&self.expired_rows.to_le_bytes());
        for count in [self.gaps.len(), self.quarantined.len(), self.remove.len(), self.add.len()] {
            out.put_count(count);
        }
        for range in self.gaps.iter().chain(&self.quarantined) {
            put_range(&mut out, *range);
        }
        for path in &self.remove {
            out.put_text(path);
        }
        for entry in &self.add {
            put_entry(&mut out, entry);
        }
        out.put_count(self.acknowledged.len());
        for range in &self.acknowledged {
            put_range(&mut out, *range);
        }
        out.put_count(self.conditions.len());
        for (path, condition) in &self.conditions {
            out.put(&[condition.byte()]);
            out.put_text(path);
        }
        self.encode_erasures(&mut out);
        out.put(&self.high_water.map_or(0, |newest| newest.next().get()).to_le_bytes());
        out
    }

    fn encode_erasures(&self, out: &mut Vec<u8>) {
        out.put(&self.erased_rows.to_le_bytes());
        out.put(&self.erased_records.to_le_bytes());
        out.put_count(self.begun.len());
        out.put_count(self.ended.len());
        for erasure in &self.begun {
            let bytes = erasure.encode();
            out.put(&u16::try_from(bytes.len()).expect("an erasure is shorter than 64 KiB").to_le_bytes());
            out.put(&bytes);
        }
        for id in &self.ended {
            out.put(id);
        }
        out.put_count(self.taken.len());
        for (id, taken) in &self.taken {
            out.put(id);
            for count in [taken.events, taken.partitions, taken.segments] {
                out.put(&count.to_le_bytes());
            }
        }
    }

    /// Reads back what [`Self::encode`] wrote, in this version or an earlier one.
    pub fn decode(version: u8, bytes: &[u8]) -> Result<Self, EditError> {
        if !(1..=EDIT_VERSION).contains(&version) {
            return Err(EditError::Version { version });
        }
        let mut reader = Reader::new(bytes);
        let checkpoint = Some(take_lsn(&mut reader)?).filter(|lsn| *lsn > Lsn::ZERO);
        let expired_rows = reader.u64()?;
        let (gaps, quarantined, remove, add) = (reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?);
        let mut edit = Self {
            checkpoint,
            expired_rows,
            gaps: list(&mut reader, gaps, take_range)?,
            quarantined: list(&mut reader, quarantined, take_range)?,
            remove: list(&mut reader, remove, |reader| take_path(reader).map(str::to_owned))?,
            add: list(&mut reader, add, take_entry)?,
            ..Self::default()
        };
        if version >= 2 {
            edit.acknowledged = take_acknowledged(version, &mut reader)?;
            let conditions = reader.u32()?;
            edit.conditions = list(&mut reader, conditions, take_condition)?;
        }
        if version >= 3 {
            edit.erased_rows = reader.u64()?;
            edit.erased_records = reader.u64()?;
            let (begun, ended) = (reader.u32()?, reader.u32()?);
            edit.begun = list(&mut reader, begun, take_erasure)?;
            edit.ended = list(&mut reader, ended, |reader| Ok(reader.array()?))?;
        }
        if version >= 4 {
            let taken = reader.u32()?;
            edit.taken = list(&mut reader, taken, take_taken)?;
        }
        if version >= 5 {
            edit.high_water = Some(take_lsn(&mut reader)?).filter(|next| *next > Lsn::ZERO).map(Lsn::previous);
        }
        match reader.left() {
            0 => Ok(edit),
            bytes => Err(EditError::LeftOver { bytes }),
        }
    }
}

/// NOTE: the count comes from a file: it bounds a loop that stops at the end of the bytes, and allocates nothing.
fn list<'a, T>(
    reader: &mut Reader<'a>,
    count: u32,
    take: impl Fn(&mut Reader<'a>) -> Result<T, EditError>,
) -> Result<Vec<T>, EditError> {
    (0..count).map(|_| take(reader)).collect()
}

fn put_range(out: &mut Vec<u8>, range: LsnRange) {
    out.put(&range.first.get().to_le_bytes());
    out.put(&range.last.get().to_le_bytes());
}

/// NOTE: an LSN counts records. One beyond half of what fits is no count, and arithmetic on it could overflow.
pub(crate) fn take_lsn(reader: &mut Reader<'_>) -> Result<Lsn, EditError> {
    let lsn = reader.u64()?;
    if lsn > u64::MAX / 2 { Err(EditError::Field { field: "lsn" }) } else { Ok(Lsn::new(lsn)) }
}

fn take_range(reader: &mut Reader<'_>) -> Result<LsnRange, EditError> {
    let (first, last) = (take_lsn(reader)?, take_lsn(reader)?);
    if first == Lsn::ZERO || first > last {
        return Err(EditError::Field { field: "lsn range" });
    }
    Ok(LsnRange { first, last })
}

/// What an operator knows of. Up to version 4 that was everything through one LSN.
fn take_acknowledged(version: u8, reader: &mut Reader<'_>) -> Result<Vec<LsnRange>, EditError> {
    if version >= 5 {
        let count = reader.u32()?;
        return list(reader, count, take_range);
    }
    let through = take_lsn(reader)?;
    Ok((through > Lsn::ZERO).then(|| LsnRange::new(Lsn::FIRST, through)).into_iter().collect())
}

pub(crate) fn take_text<'a>(reader: &mut Reader<'a>, field: &'static str) -> Result<&'a str, EditError> {
    let length = usize::from(reader.u16()?);
    std::str::from_utf8(reader.bytes(length)?).map_err(|_| EditError::Field { field })
}

fn take_path<'a>(reader: &mut Reader<'a>) -> Result<&'a str, EditError> {
    let path = take_text(reader, "path")?;
    if layout::is_event_path(path) { Ok(path) } else { Err(EditError::Field { field: "path" }) }
}

fn take_condition(reader: &mut Reader<'_>) -> Result<(String, Condition), EditError> {
    let condition = Condition::of(reader.u8()?).ok_or(EditError::Field { field: "condition" })?;
    Ok((take_path(reader)?.to_owned(), condition))
}

fn take_erasure(reader: &mut Reader<'_>) -> Result<Erasure, EditError> {
    let length = usize::from(reader.u16()?);
    Erasure::decode(ERASURE_VERSION, reader.bytes(length)?)
}

fn take_taken(reader: &mut Reader<'_>) -> Result<([u8; 16], Taken), EditError> {
    let id = reader.array()?;
    let (events, partitions, segments) = (reader.u64()?, reader.u64()?, reader.u64()?);
    Ok((id, Taken { events, partitions, segments }))
}

fn put_entry(out: &mut Vec<u8>, entry: &FileEntry) {
    out.put(&entry.date.days().to_le_bytes());
    out.put(&[entry.level, 0]);
    out.put(&entry.schema_version.to_le_bytes());
    put_range(out, entry.lsns);
    out.put(&entry.rows.to_le_bytes());
    out.put(&entry.bytes.to_le_bytes());
    out.put(&entry.column_bytes.to_le_bytes());
    out.put(&entry.min_timestamp.micros().to_le_bytes());
    out.put(&entry.max_timestamp.micros().to_le_bytes());
    out.put(&entry.crc32.to_le_bytes());
    out.put_text(entry.site.as_str());
    out.put_text(&entry.path);
}

fn take_entry(reader: &mut Reader<'_>) -> Result<FileEntry, EditError> {
    let date = Date::from_days(reader.i32()?)?;
    let level = reader.u8()?;
    if reader.u8()? != 0 {
        return Err(EditError::Field { field: "reserved byte" });
    }
    let schema_version = reader.u16()?;
    let lsns = take_range(reader)?;
    let (rows, bytes, column_bytes) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let min_timestamp = Timestamp::from_micros(reader.i64()?)?;
    let max_timestamp = Timestamp::from_micros(reader.i64()?)?;
    let crc32 = reader.u32()?;
    let site = SiteId::parse(take_text(reader, "site id")?)?;
    let path = Arc::from(take_path(reader)?);
    Ok(FileEntry {
        site,
        date,
        level,
        schema_version,
        lsns,
        rows,
        bytes,
        column_bytes,
        min_timestamp,
        max_timestamp,
        crc32,
        path,
    })
}

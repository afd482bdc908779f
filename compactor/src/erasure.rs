//! [`Erasure`]: which events are to be no more, decided once, and its bytes.
//!
//! ```text
//! off len field
//!   0  16 id              random; the identity of the erasure
//!  16   8 store           the shown half of the id of the store it was made in
//!  24   8 LSN             of its record in that store; 0 in the record itself, which has it already
//!  32   8 at_us           when it was made
//!  40   8 start_us        the events' own times: from here, included
//!  48   8 end_us          to here, not included
//!  56   1 reach           0: events with a lower LSN; 1: events received until at_us
//!  57   1 subject         0: everybody, 1: a visitor, 2: a user
//!  58  16 fingerprint     of the subject; zero for everybody
//!  74     site id         u16 length, then that many bytes
//! ```
//! The same bytes are the body of the record in the log, an entry of the manifest's list of erasures that are not finished,
//! and an entry of the ledger. None of them holds a visitor id or a user hash: see [`Subject`].
//!
//! An erasure is about what was accepted before it. What arrives later is another matter, whatever its dates.

use arrow::array::{Array, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array};
use mallard_event::{Event, FINGERPRINT_BYTES, SiteId, Subject, Timestamp};
use mallard_wal::{Lsn, Record};

use crate::manifest::codec::{Put, Reader};
use crate::manifest::{EditError, FileEntry, take_lsn, take_text};

/// The version of the layout above.
pub const ERASURE_VERSION: u8 = 1;

/// The columns that decide whether a row is erased: see [`Erasure::mask`].
pub const COLUMNS: [&str; 6] = ["site_id", "visitor_id", "timestamp", "lsn", "received_at", "user_hash"];

/// Which of the matching events were accepted before the erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those below its own position: in the store it was made in, and in copies of it.
    Lsn,
    /// Those received until then: in a store that has gone its own way, where positions mean something else.
    Received,
}

/// Events of one site and one stretch of time, of everybody or of one subject, that were accepted before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Its identity.
    pub id: [u8; 16],
    /// The shown half of the id of the store it was made in.
    pub store: u64,
    /// Its position in the log of that store.
    pub lsn: Lsn,
    /// When it was made, in microseconds since 1970.
    pub at_us: i64,
    /// The site.
    pub site: SiteId,
    /// The first instant of the stretch.
    pub start_us: i64,
    /// The first instant after it.
    pub end_us: i64,
    /// Whose events; `None` for everybody's.
    pub subject: Option<Subject>,
    /// What "before" means.
    pub reach: Reach,
}

impl Erasure {
    /// Its bytes, version [`ERASURE_VERSION`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(76 + self.site.as_str().len());
        out.put(&self.id);
        out.put(&self.store.to_le_bytes());
        out.put(&self.lsn.get().to_le_bytes());
        for time_us in [self.at_us, self.start_us, self.end_us] {
            out.put(&time_us.to_le_bytes());
        }
        let (subject, fingerprint) = match self.subject {
            None => (0, [0; FINGERPRINT_BYTES]),
            Some(Subject::Visitor(fingerprint)) => (1, fingerprint),
            Some(Subject::User(fingerprint)) => (2, fingerprint),
        };
        out.put(&[u8::from(self.reach == Reach::Received), subject]);
        out.put(&fingerprint);
        out.put_text(self.site.as_str());
        out
    }

    /// Reads back what [`Self::encode`] wrote.
    pub fn decode(version: u8, bytes: &[u8]) -> Result<Self, EditError> {
        if version != ERASURE_VERSION {
            return Err(EditError::Version { version });
        }
        let mut reader = Reader::new(bytes);
        let erasure = Self::take(&mut reader)?;
        match reader.left() {
            0 => Ok(erasure),
            bytes => Err(EditError::LeftOver { bytes }),
        }
    }

    pub(crate) fn take(reader: &mut Reader<'_>) -> Result<Self, EditError> {
        let id = reader.array()?;
        let store = reader.u64()?;
        let lsn = take_lsn(reader)?;
        let (at_us, start_us, end_us) = (reader.i64()?, reader.i64()?, reader.i64()?);
        let reach = match reader.u8()? {
            0 => Reach::Lsn,
            1 => Reach::Received,
            _ => return Err(EditError::Field { field: "reach" }),
        };
        let kind = reader.u8()?;
        let fingerprint = reader.array()?;
        let subject = match kind {
            0 if fingerprint == [0; FINGERPRINT_BYTES] => None,
            1 => Some(Subject::Visitor(fingerprint)),
            2 => Some(Subject::User(fingerprint)),
            _ => return Err(EditError::Field { field: "subject" }),
        };
        let site = SiteId::parse(take_text(reader, "site id")?)?;
        Ok(Self { id, store, lsn, at_us, site, start_us, end_us, subject, reach })
    }

    /// The erasure that a record of the log makes, if it is one that this program understands.
    pub fn of(record: &Record<'_>) -> Option<Self> {
        let is_erasure = record.kind == mallard_wal::Kind::ERASURE;
        let erasure = is_erasure.then(|| Self::decode(record.body_version, record.body).ok()).flatten()?;
        Some(Self { lsn: record.lsn, ..erasure })
    }

    /// Whether it erases this event.
    pub fn takes(&self, event: &Event, lsn: Lsn, received_at: Timestamp) -> bool {
        self.site == event.site
            && self.reaches(Some(lsn.get()), received_at.micros())
            && self.is_about(event.timestamp.micros())
            && self.subject.is_none_or(|subject| subject.is_of(event))
    }

    /// Whether some row of a file may be one that it erases.
    pub fn may_take_from(&self, file: &FileEntry) -> bool {
        self.site == file.site
            && (self.reach == Reach::Received || file.lsns.first < self.lsn)
            && self.start_us <= file.max_timestamp.micros()
            && file.min_timestamp.micros() < self.end_us
    }

    /// Whether it erases all rows of a file, as far as the manifest tells.
    pub fn takes_all_of(&self, file: &FileEntry) -> bool {
        self.may_take_from(file)
            && self.subject.is_none()
            && self.reach == Reach::Lsn
            && file.lsns.last < self.lsn
            && self.start_us <= file.min_timestamp.micros()
            && file.max_timestamp.micros() < self.end_us
    }

    /// Which rows of a batch it erases; `None` if the batch has not the columns of events.
    pub fn mask(&self, batch: &RecordBatch) -> Option<BooleanArray> {
        fn column<'a, A: 'static>(batch: &'a RecordBatch, name: &str) -> Option<&'a A> {
            batch.column_by_name(name)?.as_any().downcast_ref::<A>()
        }
        let [site, visitor, timestamp, lsn, received, user] = COLUMNS;
        let sites: &StringArray = column(batch, site)?;
        let visitors: &StringArray = column(batch, visitor)?;
        let times: &TimestampMicrosecondArray = column(batch, timestamp)?;
        let lsns: &UInt64Array = column(batch, lsn)?;
        let received: &TimestampMicrosecondArray = column(batch, received)?;
        let users: &StringArray = column(batch, user)?;
        let takes = |row: usize| {
            let lsn = lsns.is_valid(row).then(|| lsns.value(row));
            let received_us = if received.is_valid(row) { received.value(row) } else { i64::MIN };
            let user = users.is_valid(row).then(|| users.value(row));
            sites.value(row) == self.site.as_str()
                && self.reaches(lsn, received_us)
                && self.is_about(times.value(row))
                && self.subject.is_none_or(|subject| subject.is(&self.site, visitors.value(row), user))
        };
        Some((0..batch.num_rows()).map(|row| Some(takes(row))).collect())
    }

    /// Whether an event was accepted before. Rows adopted from the original, which had no log, always were.
    fn reaches(&self, lsn: Option<u64>, received_us: i64) -> bool {
        match self.reach {
            Reach::Lsn => lsn.is_none_or(|lsn| lsn < self.lsn.get()),
            Reach::Received => received_us <= self.at_us,
        }
    }

    fn is_about(&self, at_us: i64) -> bool {
        (self.start_us..self.end_us).contains(&at_us)
    }
}

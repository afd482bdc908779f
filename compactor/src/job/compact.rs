//! Compaction: the records of sealed segments become rows of one new file per site and day.
//!
//! Rows are sorted by (timestamp, LSN). One file is written at a time, in batches, so the memory needed is that of the
//! index, one batch and one encoded row group, however many partitions there are.

use mallard_event::columns::RowBuilder;
use mallard_event::{Date, SiteId, Stored, Timestamp, codec};
use mallard_wal::segment::SealedSegment;
use mallard_wal::{Lsn, Record, StoreTag};

use super::index::{Index, Input, Place, Rows};
use super::{Context, check_not_live};
use crate::erasure::Erasure;
use crate::error::Error;
use crate::manifest::{Edit, FileEntry, Manifest, range_count};
use crate::parquet::{Draft, Identity, Order};
use crate::quarantine;

/// Writes the files of `segments`, which begin right after the checkpoint.
pub(super) fn compact(context: &Context<'_>, manifest: &Manifest, segments: &[SealedSegment]) -> Result<Edit, Error> {
    check_line(manifest.checkpoint(), segments)?;
    let loaded = load(context, segments)?;
    let mut index = Index::after(manifest.checkpoint(), context.erasures);
    for (segment, input) in segments.iter().zip(&loaded) {
        index.add(segment, input)?;
    }
    let mut edit = Edit {
        checkpoint: Some(index.last),
        quarantined: quarantine::keep(context, &index.unreadable)?,
        gaps: index.gaps,
        erased_records: index.erased.events(),
        ..Edit::default()
    };
    for ((site, date), rows) in index.partitions {
        edit.add.push(write_partition(context, manifest, &site, date, rows)?);
    }
    audit(manifest.checkpoint(), index.last, &edit, index.made.len() as u64)?;
    // NOTE: below the checkpoint nobody looks for a record any more, so the manifest has to know of it from now on.
    let is_known = |erasure: &Erasure| manifest.erasures().iter().any(|known| known.id == erasure.id);
    edit.begun = index.made.into_iter().filter(|erasure| !is_known(erasure)).collect();
    index.erased.write(manifest, &mut edit);
    Ok(edit)
}

/// The segments continue the checkpoint and each other. One that begins at or below the checkpoint and ends above it would
/// make rows twice.
fn check_line(checkpoint: Lsn, segments: &[SealedSegment]) -> Result<(), Error> {
    let mut expected = checkpoint.next();
    for segment in segments {
        if segment.first_lsn != expected {
            return Err(Error::SegmentOutOfLine { expected, found: segment.first_lsn });
        }
        expected = segment.last_lsn.next();
    }
    Ok(())
}

/// Reads the segments. One that cannot be read any more is taken from memory, where it is known there: it was whole when it
/// was sealed, and a restart could only save the part of it that still can be read.
fn load(context: &Context<'_>, segments: &[SealedSegment]) -> Result<Vec<Input>, Error> {
    let read = |segment: &SealedSegment| match segment.load(context.disk()) {
        Ok(loaded) => Ok(Input { loaded, is_remembered: false }),
        Err(error) => match context.memory.and_then(|memory| memory.recall(segment, &error)) {
            Some(loaded) => Ok(Input { loaded, is_remembered: true }),
            None => Err(error.into()),
        },
    };
    segments.iter().map(read).collect()
}

fn write_partition(
    context: &Context<'_>,
    manifest: &Manifest,
    site: &SiteId,
    date: Date,
    rows: Rows<'_>,
) -> Result<FileEntry, Error> {
    let Rows { mut places, lsns, times } = rows;
    let identity = Identity { site, date, level: 0, lsns, rows: places.len() as u64, times, order: Order::Time };
    check_not_live(manifest, identity.path())?;
    // NOTE: the sort is stable and the places are in LSN order, which makes this the order (timestamp, LSN).
    places.sort_by_key(|place| place.timestamp);
    let mut draft = Draft::create(context, identity)?;
    let mut builder = RowBuilder::new(places.len().min(context.limits.batch_rows_max));
    let store = StoreTag::of(context.store_id);
    for batch in places.chunks(context.limits.batch_rows_max) {
        for place in batch {
            builder.push(&stored(place, store)?);
        }
        draft.write(&builder.finish())?;
    }
    draft.publish()
}

/// The row of a record that was an event in the first pass.
fn stored(place: &Place<'_>, store: StoreTag) -> Result<Stored, Error> {
    let (record, _) = Record::parse(place.encoded, store).map_err(|_| Error::Changed)?;
    let event = codec::decode(record.body_version, record.body).map_err(|_| Error::Changed)?;
    let received_at = Timestamp::saturating_from_micros(record.received_us);
    Ok(Stored { lsn: Some(record.lsn.get()), received_at, event })
}

/// Every position between the old checkpoint and the new is a row, erased, an erasure, in quarantine or known to be lost.
fn audit(checkpoint: Lsn, last: Lsn, edit: &Edit, erasures: u64) -> Result<(), Error> {
    let rows = edit.add.iter().map(|entry| entry.rows).sum::<u64>();
    let quarantined = range_count(&edit.quarantined);
    let gaps = range_count(&edit.gaps);
    let erased = edit.erased_records;
    if rows + erased + erasures + quarantined + gaps == last.get() - checkpoint.get() {
        return Ok(());
    }
    Err(Error::Audit { first: checkpoint.next(), last, rows, erased, erasures, quarantined, gaps })
}

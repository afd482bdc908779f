//! What compaction cannot turn into rows: the records as they are, in a file under `quarantine/` that nothing deletes.
//!
//! The file is the records' bytes in LSN order, one after the other, each with its length, kind, version, LSN and
//! checksum (`mallard_wal::Record`; the store tag in it follows from `STORE`). A newer program, or a person with the
//! format's description, can read them.

use mallard_wal::Record;
use mallard_wal::disk::durable;

use crate::error::{Error, at};
use crate::job::Context;
use crate::layout;
use crate::manifest::{LsnRange, range_push};

/// Keeps `records`, which are in LSN order, durably, and returns their LSNs. The same records make the same file.
pub(crate) fn keep(context: &Context<'_>, records: &[Record<'_>]) -> Result<Vec<LsnRange>, Error> {
    let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(Vec::new()) };
    let all = LsnRange::new(first.lsn, last.lsn);
    let bytes: Vec<u8> = records.iter().flat_map(Record::encoded).copied().collect();

    let (root, disk) = (context.root, context.disk());
    let target = root.join(layout::quarantine_path(all));
    let tmp = root.join(layout::TMP).join("quarantine");
    durable::create_dirs(disk, root, layout::QUARANTINE.as_ref()).map_err(at("create", &target))?;
    durable::replace(disk, &tmp, &target, &bytes).map_err(at("publish", &target))?;
    let mut lsns = Vec::new();
    for record in records {
        range_push(&mut lsns, LsnRange::one(record.lsn));
    }
    Ok(lsns)
}

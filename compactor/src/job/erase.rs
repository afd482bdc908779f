//! Erasure: files of one site are written anew without the rows that erasures take, or removed if nothing is left of them.
//!
//! ```text
//!  a file that the manifest says is erased as a whole   removed, unread
//!  a damaged one, of which nobody can say               removed
//!  one without a row to erase                           stays
//!  any other                                            its other rows in one file, one level higher
//! ```
//! The level is what gives the new file another name: a row's file never has the level of an earlier file of that row.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::or;

use super::sorted::{BATCH_ROWS, Sorted};
use super::{Context, check_not_live};
use crate::erasure::{COLUMNS, Erasure};
use crate::error::Error;
use crate::manifest::{Edit, FileEntry, Manifest};
use crate::parquet::{Identity, Order, Verified};

/// The edit that takes from `files` what the erasures of the context take.
pub(super) fn erase(
    context: &Context<'_>,
    manifest: &Manifest,
    files: &[FileEntry],
    order: Order,
) -> Result<Edit, Error> {
    let mut edit = Edit::default();
    for file in files {
        let erasures: Vec<_> = context.erasures.iter().filter(|erasure| erasure.may_take_from(file)).collect();
        let is_gone = manifest.is_damaged(&file.path) || erasures.iter().any(|erasure| erasure.takes_all_of(file));
        let left = if is_gone { Left::Nothing } else { rewrite(context, manifest, file, &erasures, order)? };
        let rows = match left {
            Left::Everything => continue,
            Left::Nothing => 0,
            Left::Some(entry) => {
                let rows = entry.rows;
                edit.add.push(entry);
                rows
            }
        };
        edit.remove.push(file.path.to_string());
        edit.erased_rows += file.rows - rows;
    }
    Ok(edit)
}

/// What erasures leave of a file.
enum Left {
    Everything,
    Some(FileEntry),
    Nothing,
}

fn rewrite(
    context: &Context<'_>,
    manifest: &Manifest,
    file: &FileEntry,
    erasures: &[&Arc<Erasure>],
    order: Order,
) -> Result<Left, Error> {
    let input = Verified::open(context.disk(), context.root, file)?;
    let masks = masks(&input, erasures)?;
    let erased: usize = masks.iter().map(BooleanArray::true_count).sum();
    if erased == 0 {
        return Ok(Left::Everything);
    }
    let (rows, keys) = Sorted::read(vec![input], order, masks)?;
    let Some((lsns, times)) = keys.ranges(&rows) else { return Ok(Left::Nothing) };
    let level = file.level.checked_add(1).ok_or_else(|| Error::Live { path: file.path.to_string() })?;
    let identity = Identity { site: &file.site, date: file.date, level, lsns, rows: rows.len() as u64, times, order };
    let (path, found) = (identity.path(), rows.len() + erased);
    check_not_live(manifest, path.clone())?;
    if found as u64 != file.rows {
        return Err(Error::RowCount { path, expected: file.rows, found: found as u64 });
    }
    // What is left of an adopted file is one still: no merge takes it, and its rows have no LSN.
    Ok(Left::Some(FileEntry { schema_version: file.schema_version, ..rows.write(context, identity)? }))
}

/// For each batch of the file, the rows that any of the erasures takes.
fn masks(input: &Verified, erasures: &[&Arc<Erasure>]) -> Result<Vec<BooleanArray>, Error> {
    let mut masks = Vec::new();
    for batch in input.complete_batches(Some(&COLUMNS), BATCH_ROWS)? {
        let batch = batch?;
        let mut taken = BooleanArray::from(vec![false; batch.num_rows()]);
        for erasure in erasures {
            let mask = erasure.mask(&batch).ok_or_else(|| input.bad_column("user_hash"))?;
            taken = or(&taken, &mask)?;
        }
        masks.push(taken);
    }
    Ok(masks)
}

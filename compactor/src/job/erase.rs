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
use arrow::compute::{and_not, or};

use super::shares::Shares;
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
    let (mut edit, mut shares) = (Edit::default(), Shares::new(context.erasures));
    for file in files {
        let erasures: Vec<_> = context.erasures.iter().filter(|erasure| erasure.may_take_from(file)).collect();
        let damaged = erasures.first().filter(|_| manifest.is_damaged(&file.path));
        let whole = damaged.or_else(|| erasures.iter().find(|erasure| erasure.takes_all_of(file)));
        let (left, taken) = match whole {
            Some(erasure) => (Left::Nothing, vec![(erasure.id, file.rows)]),
            None => rewrite(context, manifest, file, &erasures, order)?,
        };
        match left {
            Left::Everything => continue,
            Left::Nothing => {}
            Left::Some(entry) => edit.add.push(entry),
        }
        edit.remove.push(file.path.to_string());
        for (id, rows) in taken {
            edit.erased_rows += rows;
            shares.count(id, rows, file.date);
        }
    }
    shares.write(manifest, &mut edit);
    Ok(edit)
}

/// How many rows each erasure takes, by its id.
type Taken = Vec<([u8; 16], u64)>;

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
) -> Result<(Left, Taken), Error> {
    let input = Verified::open(context.disk(), context.root, file)?;
    let (masks, taken) = masks(&input, erasures)?;
    let erased: u64 = taken.iter().map(|(_, rows)| rows).sum();
    if erased == 0 {
        return Ok((Left::Everything, taken));
    }
    let (rows, keys) = Sorted::read(vec![input], order, masks)?;
    let found = rows.len() as u64 + erased;
    if found != file.rows {
        return Err(Error::RowCount { path: file.path.to_string(), expected: file.rows, found });
    }
    let Some((lsns, times)) = keys.ranges(&rows) else { return Ok((Left::Nothing, taken)) };
    let level = file.level.checked_add(1).ok_or_else(|| Error::Live { path: file.path.to_string() })?;
    let identity = Identity { site: &file.site, date: file.date, level, lsns, rows: rows.len() as u64, times, order };
    check_not_live(manifest, identity.path())?;
    // What is left of an adopted file is one still: no merge takes it, and its rows have no LSN.
    let entry = FileEntry { schema_version: file.schema_version, ..rows.write(context, identity)? };
    Ok((Left::Some(entry), taken))
}

/// For each batch of the file, the rows that any of the erasures takes; and how many each takes that none before it does.
fn masks(input: &Verified, erasures: &[&Arc<Erasure>]) -> Result<(Vec<BooleanArray>, Taken), Error> {
    let mut masks = Vec::new();
    let mut counts: Taken = erasures.iter().map(|erasure| (erasure.id, 0)).collect();
    for batch in input.complete_batches(Some(&COLUMNS), BATCH_ROWS)? {
        let batch = batch?;
        let mut taken = BooleanArray::from(vec![false; batch.num_rows()]);
        for (erasure, (_, rows)) in erasures.iter().zip(&mut counts) {
            let mask = erasure.mask(&batch).ok_or_else(|| input.bad_column("user_hash"))?;
            *rows += and_not(&mask, &taken)?.true_count() as u64;
            taken = or(&taken, &mask)?;
        }
        masks.push(taken);
    }
    Ok((masks, counts))
}

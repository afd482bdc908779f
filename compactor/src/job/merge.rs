//! Merge: some files of one site and day become one file that holds exactly their rows, in the order asked for. How the rows
//! are gathered within the bounds of `Limits` is drawn in `sorted.rs`.

use mallard_event::{Date, SiteId};

use super::sorted::Sorted;
use super::{Context, check_not_live};
use crate::error::Error;
use crate::manifest::{Edit, FileEntry, LsnRange, Manifest};
use crate::parquet::{Identity, Order, Verified};

/// A merge, as the plan describes it.
#[derive(Debug)]
pub(super) struct Merge<'a> {
    pub(super) site: &'a SiteId,
    pub(super) date: Date,
    pub(super) inputs: &'a [FileEntry],
    pub(super) level: u8,
    pub(super) order: Order,
}

impl Merge<'_> {
    /// Writes the file and returns the edit that puts it in the place of the inputs.
    pub(super) fn run(&self, context: &Context<'_>, manifest: &Manifest) -> Result<Edit, Error> {
        let identity = self.identity();
        check_not_live(manifest, identity.path())?;
        let rows = self.sorted(context, &identity)?;
        Ok(Edit {
            add: vec![rows.write(context, identity)?],
            remove: self.inputs.iter().map(|entry| entry.path.to_string()).collect(),
            ..Edit::default()
        })
    }

    /// NOTE: the plan gives a merge at least two inputs; each of them bounds its own rows.
    fn identity(&self) -> Identity<'_> {
        let [first, others @ ..] = self.inputs else { panic!("a merge has inputs") };
        let start = (first.lsns, (first.min_timestamp, first.max_timestamp));
        let (lsns, times) = others.iter().fold(start, |(lsns, times), entry| {
            let lsns = LsnRange::new(lsns.first.min(entry.lsns.first), lsns.last.max(entry.lsns.last));
            (lsns, (times.0.min(entry.min_timestamp), times.1.max(entry.max_timestamp)))
        });
        let rows = self.inputs.iter().map(|entry| entry.rows).sum();
        Identity { site: self.site, date: self.date, level: self.level, lsns, rows, times, order: self.order }
    }

    fn sorted(&self, context: &Context<'_>, identity: &Identity<'_>) -> Result<Sorted, Error> {
        let open = |entry| Verified::open(context.disk(), context.root, entry);
        let inputs: Vec<Verified> = self.inputs.iter().map(open).collect::<Result<_, Error>>()?;
        let (rows, keys) = Sorted::read(inputs, self.order, Vec::new())?;
        if rows.len() as u64 != identity.rows {
            return Err(Error::RowCount { path: identity.path(), expected: identity.rows, found: rows.len() as u64 });
        }
        match keys.duplicate(&rows) {
            Some(lsn) => Err(Error::Duplicate { path: identity.path(), lsn }),
            None => Ok(rows),
        }
    }
}

//! A data directory of the original program becomes a store, where it is.
//!
//! ```text
//! files are checked ─> ADOPTING ─> mallard.duckdb gets another name ─> bad files go to quarantine/
//!          ─> STORE ─> a manifest of the good ones ─> no ADOPTING
//! ```
//! Whatever is cut off is begun again while `ADOPTING` is there: until it is gone no log exists and nothing was promised.
//! Nothing is deleted here; erasures do (`store/aside.rs`). `mallard.duckdb` of the original may hold rows that an unclean stop left in it; they are not imported,
//! which the log says. Its `.secret` is found where a secret is looked for anyway.

use std::io::ErrorKind;
use std::path::Path;

use mallard_compactor::{Adoption, Edit, LsnRange, Manifest, ManifestLog, RefusedFile};
use mallard_event::Date;
use mallard_wal::Lsn;
use mallard_wal::disk::{Disk, Env, durable};

use crate::error::{Error, IoContext as _};
use crate::identity::Identity;
use crate::layout::Layout;
use crate::private;
use crate::repair;

const QUARANTINED: &str = "original-";
/// The database of the original and its log, under the names that they are kept as.
pub(crate) const DATABASE: [&str; 2] = ["mallard.duckdb.original", "mallard.duckdb.original.wal"];

/// A file in `quarantine/` that was not adopted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAdopted<'a> {
    /// The UTC day of the folder where it was, and the name that folders of its site have; `None` if nobody can say whose rows
    /// it has.
    pub(crate) place: Option<(Date, &'a str)>,
}

impl<'a> NotAdopted<'a> {
    /// What the name of a file in `quarantine/` says.
    pub(crate) fn named(name: &'a str) -> Option<Self> {
        let rest = name.strip_prefix(QUARANTINED)?.strip_suffix(".parquet")?;
        let place = rest.split_once('.').and_then(|(_, rest)| {
            let (date, site) = rest.split_once('.')?;
            Some((Date::parse(date).ok()?, site))
        });
        Some(Self { place })
    }
}

fn kept_as(refused: &RefusedFile) -> String {
    let place = match &refused.place {
        Some((site, date)) => format!(".{date}.{}", site.folder()),
        None => String::new(),
    };
    format!("{QUARANTINED}{:08x}{place}.parquet", crc32fast::hash(refused.path.as_bytes()))
}

/// Adopts the directory if it is the original's. The files that were not adopted are noted for an operator.
pub(crate) fn adopt(env: &Env, layout: &Layout) -> Result<(), Error> {
    let (disk, root) = (env.disk.as_ref(), layout.root());
    if !is_original(disk, layout)? {
        return Ok(());
    }
    // NOTE: before anything is touched. It refuses a store of this program that has lost its manifest.
    let adoption = mallard_compactor::adopt(env, root)?;
    if !exists(disk, &layout.adopting())? {
        disk.create(&layout.adopting()).at(&layout.adopting())?;
        disk.sync_dir(root).at(root)?;
    }
    set_database_aside(disk, layout)?;
    for file in &adoption.files {
        private::close_below(disk, root, &root.join(file.path.as_ref()));
    }
    for refused in &adoption.refused {
        let (name, path) = (kept_as(refused), root.join(&refused.path));
        tracing::error!(file = refused.path, refused.reason, "not adopted: kept as quarantine/{name}");
        let kept = layout.quarantine().join(&name);
        durable::publish(disk, &path, &kept).at(&path)?;
        private::close_below(disk, root, &kept);
    }
    let refused = quarantined(disk, layout)?;
    let identity = Identity::replace(env, layout)?;
    ManifestLog::found(env, root, identity.store_id, &manifest(&adoption, refused.len() as u64)?)?;
    repair::add_notes(env, layout, refused.iter().map(|name| format!("not adopted: quarantine/{name}")))?;
    durable::remove(disk, &layout.adopting()).at(root)?;
    let (files, rows) = (adoption.files.len(), adoption.rows);
    tracing::info!(files, events = rows, refused = refused.len(), "adopted the data directory of the original");
    Ok(())
}

/// An adoption that was cut off, or what the original leaves: files and no sign of this program.
fn is_original(disk: &dyn Disk, layout: &Layout) -> Result<bool, Error> {
    if exists(disk, &layout.adopting())? {
        return Ok(true);
    }
    let is_ours =
        exists(disk, &layout.store())? || has_entries(disk, &layout.wal())? || has_entries(disk, &layout.manifest())?;
    Ok(!is_ours && (exists(disk, &layout.duckdb())? || has_entries(disk, &layout.events())?))
}

fn exists(disk: &dyn Disk, path: &Path) -> Result<bool, Error> {
    match disk.open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).at(path),
    }
}

fn has_entries(disk: &dyn Disk, folder: &Path) -> Result<bool, Error> {
    Ok(!disk.list(folder).at(folder)?.is_empty())
}

/// The database and its log, under names that this program never writes.
fn set_database_aside(disk: &dyn Disk, layout: &Layout) -> Result<(), Error> {
    let root = layout.root();
    for (from, to) in ["mallard.duckdb", "mallard.duckdb.wal"].into_iter().zip(DATABASE) {
        let (from, to) = (root.join(from), root.join(to));
        if !exists(disk, &from)? || exists(disk, &to)? {
            continue;
        }
        durable::publish(disk, &from, &to).at(&from)?;
        tracing::warn!(
            "{} is kept as {}: rows that an unclean stop of the original left in it are not imported",
            from.display(),
            to.display()
        );
    }
    Ok(())
}

/// The files that this or an earlier, unfinished adoption has set aside.
fn quarantined(disk: &dyn Disk, layout: &Layout) -> Result<Vec<String>, Error> {
    let entries = disk.list(&layout.quarantine()).at(&layout.quarantine())?;
    let mut names: Vec<_> =
        entries.into_iter().map(|entry| entry.name).filter(|name| name.starts_with(QUARANTINED)).collect();
    names.sort();
    Ok(names)
}

/// The state after an adoption: a position for each row, and one for each file that was refused, so that it is counted.
fn manifest(adoption: &Adoption, refused: u64) -> Result<Manifest, Error> {
    let (rows, last) = (adoption.rows, adoption.rows + refused);
    let checkpoint = Edit {
        add: adoption.files.clone(),
        checkpoint: Some(Lsn::new(last)).filter(|lsn| *lsn > Lsn::ZERO),
        quarantined: (refused > 0).then(|| LsnRange::new(Lsn::new(rows + 1), Lsn::new(last))).into_iter().collect(),
        ..Edit::default()
    };
    Ok(Manifest::from_checkpoint(&checkpoint).map_err(mallard_compactor::Error::from)?)
}

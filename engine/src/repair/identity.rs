//! `STORE`, made anew from what carries the store's id.
//!
//! Every segment and every manifest file has the whole id in its first page. If these agree, that is it. If there is none of
//! either (only Parquet files are left, which show half of it) the store gets a new id, as after a restore.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mallard_wal::SegmentHeader;
use mallard_wal::disk::{self, Disk};
use mallard_wal::segment::HEADER_BYTES;

use super::{Repair, refused};
use crate::error::{Error, IoContext as _};
use crate::identity::Identity;

pub(super) fn load_or_repair(repair: &mut Repair) -> Result<Identity, Error> {
    let path = repair.layout.store();
    let reason = match Identity::load(repair.disk(), &repair.layout) {
        Ok(identity) => return Ok(identity),
        // Only a newer program knows what it is.
        Err(error @ Error::Refused { .. }) if error.to_string().contains("newer") => return Err(error),
        Err(Error::Refused { .. }) => "it is damaged",
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => "it is missing",
        Err(error) => return Err(error),
    };
    let headers = headers(repair)?;
    let identity = match headers.as_slice() {
        [] if is_without_log(repair)? => Identity::draw(&repair.env),
        [] => {
            let reason = "STORE is lost, and so is the first page of every segment and manifest file: nothing tells the \
                          store's id, without which the log cannot be read; restore a backup";
            return Err(refused(&path, reason));
        }
        [first, rest @ ..] => {
            if let Some((other, _)) = rest.iter().find(|(_, header)| header.store_id != first.1.store_id) {
                let reason = format!(
                    "STORE is lost, and {} and {} are of different stores: move what does not belong here away",
                    first.0.display(),
                    other.display()
                );
                return Err(refused(&path, &reason));
            }
            let created_us = headers.iter().map(|(_, header)| header.created_us).min().unwrap_or_default();
            Identity { store_id: first.1.store_id, created_us }
        }
    };
    let from = match headers.len() {
        0 => "made anew with an id of its own, as after a restore".to_owned(),
        count => format!("made anew from the headers of {count} files"),
    };
    let mut action = repair.aside("STORE", &format!("{reason}; {from}"));
    let is_there = repair.disk().open(&path).is_ok();
    action.kept = action.kept.filter(|_| is_there);
    repair.announce(std::slice::from_ref(&action), &[])?;
    repair.carry_out(&[action])?;
    if !repair.is_dry {
        identity.write(&repair.env, &repair.layout)?;
    }
    Ok(identity)
}

/// The sound first pages of segments and manifest files.
fn headers(repair: &Repair) -> Result<Vec<(PathBuf, SegmentHeader)>, Error> {
    let mut headers = Vec::new();
    for path in files(repair.disk(), &repair.layout.wal(), ".wal")?.into_iter().chain(files(
        repair.disk(),
        &repair.layout.manifest(),
        ".manifest",
    )?) {
        let file = repair.disk().open(&path).at(&path)?;
        let mut page = vec![0; HEADER_BYTES];
        let is_read = disk::read_exact_at(file.as_ref(), &mut page, 0).is_ok();
        if let Some(header) = SegmentHeader::parse_of_any_store(&page).ok().filter(|_| is_read) {
            headers.push((path, header));
        }
    }
    Ok(headers)
}

/// Whether there is neither a segment nor a manifest file that the id would have to fit.
fn is_without_log(repair: &Repair) -> Result<bool, Error> {
    let disk = repair.disk();
    let (segments, manifests) =
        (files(disk, &repair.layout.wal(), ".wal")?, files(disk, &repair.layout.manifest(), ".manifest")?);
    Ok(segments.is_empty() && manifests.is_empty())
}

/// Files in a folder with this ending; none if there is no such folder.
pub(super) fn files(disk: &dyn Disk, folder: &Path, ending: &str) -> Result<Vec<PathBuf>, Error> {
    let entries = match disk.list(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        entries => entries.at(folder)?,
    };
    let named = entries.into_iter().filter(|entry| !entry.is_dir && entry.name.ends_with(ending));
    Ok(named.map(|entry| folder.join(entry.name)).collect())
}

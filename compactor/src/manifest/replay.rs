//! Reading a manifest file back: its records, joined to edits, applied to the checkpoint that it begins with.
//!
//! An edit longer than a record is cut into several of one kind; all but the last carry the flag [`MORE`]. The last one
//! is what makes it count: parts without it at the end of the file are a commit that never returned, and are dropped.

use mallard_wal::segment::{End, Scan};
use mallard_wal::{Kind, Record};

use super::{Edit, EditError, Manifest, ManifestError};
use thiserror::Error;

/// Record flag: the edit goes on in the next record.
pub(super) const MORE: u16 = 1;

/// Why a manifest file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// Acknowledged bytes are damaged.
    #[error("it is damaged at byte {at}: {reason}")]
    Damaged {
        /// Where the damage starts.
        at: u64,
        /// How it was seen.
        reason: mallard_wal::segment::Corruption,
    },
    /// The file ends in a way no manifest file does.
    #[error("it was sealed, which manifest files are not")]
    Sealed,
    /// The file does not begin with a complete checkpoint.
    #[error("it does not begin with a complete checkpoint")]
    NoCheckpoint,
    /// A record of a kind that does not belong here, or a part of another edit.
    #[error("record {lsn} is of kind {kind}, which does not belong there")]
    OutOfPlace {
        /// The record's number in the file.
        lsn: mallard_wal::Lsn,
        /// Its kind.
        kind: u8,
    },
    /// The bytes of an edit make no sense although their checksum is right.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// An edit does not fit the state before it.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl ReplayError {
    /// Whether only a newer program can read it.
    pub const fn is_of_a_newer_program(&self) -> bool {
        matches!(self, Self::Edit(EditError::Version { .. }))
    }
}

/// The state that a scanned manifest file ends with.
pub(super) fn replay(scan: &Scan<'_>) -> Result<Manifest, ReplayError> {
    match scan.end {
        // What is torn was never acknowledged: a commit ends with a MARK behind its edit.
        End::Clean { .. } | End::Torn { .. } => {}
        End::Corrupt { at, reason } => return Err(ReplayError::Damaged { at, reason }),
        End::Sealed(_) => return Err(ReplayError::Sealed),
    }
    let mut state = None;
    let mut parts = Parts::default();
    for record in scan.records() {
        let expected = if state.is_none() { Kind::CHECKPOINT } else { Kind::EDIT };
        if record.kind != expected {
            return Err(ReplayError::OutOfPlace { lsn: record.lsn, kind: record.kind.0 });
        }
        let Some(edit) = parts.add(&record)? else { continue };
        match &mut state {
            None => state = Some(Manifest::from_checkpoint(&edit)?),
            Some(manifest) => manifest.apply(&edit)?,
        }
    }
    state.ok_or(ReplayError::NoCheckpoint)
}

/// The state up to which a manifest file can be read, if any of it can; `on_edit` hears of every edit in it. For evidence:
/// what comes after it is not known.
///
/// # Errors
/// An edit of a newer program.
pub(crate) fn salvage(scan: &Scan<'_>, on_edit: &mut dyn FnMut(&Edit)) -> Result<Option<Manifest>, EditError> {
    let mut state: Option<Manifest> = None;
    let mut parts = Parts::default();
    for record in scan.records() {
        let edit = match parts.add(&record) {
            Ok(Some(edit)) => edit,
            Ok(None) => continue,
            Err(error @ EditError::Version { .. }) => return Err(error),
            Err(_) => break,
        };
        on_edit(&edit);
        let is_taken = match &mut state {
            None => {
                state = Manifest::from_checkpoint(&edit).ok();
                state.is_some()
            }
            Some(manifest) => manifest.apply(&edit).is_ok(),
        };
        if !is_taken {
            break;
        }
    }
    Ok(state)
}

/// The parts of one edit, as far as they were read.
#[derive(Default)]
struct Parts {
    bytes: Vec<u8>,
}

impl Parts {
    /// Takes a record; returns the edit if this was its last part.
    fn add(&mut self, record: &Record<'_>) -> Result<Option<Edit>, EditError> {
        self.bytes.extend_from_slice(record.body);
        if record.flags & MORE != 0 {
            return Ok(None);
        }
        let edit = Edit::decode(record.body_version, &self.bytes)?;
        self.bytes.clear();
        Ok(Some(edit))
    }
}

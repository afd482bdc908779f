//! The ledger, `erasure.log`: every erasure that was ever made in this store or in one it was restored from.
//!
//! ```text
//!   0   8 magic "MALLERAS"
//!   8   2 version: 1
//!  10   6 zero
//!  16     entries: u16 length, an erasure (mallard_compactor::Erasure), u32 crc32 of both
//! end-4   u32 crc32 of all bytes before
//! ```
//! It is in every copy of the store, and a restore applies all of it again. Entries are added and never removed. The file is
//! replaced as a whole, so a crash leaves the old one or the new one, and nothing is appended to a file of another life.
//!
//! The truth about an erasure of this store is its record in the log; an entry is written before the erasure is called done.

use std::io;
use std::path::Path;

use mallard_compactor::{ERASURE_VERSION, Erasure, Reach};
use mallard_wal::disk::{self, Disk, Env, durable};

use crate::error::{Error, IoContext as _};
use crate::layout::Layout;
use crate::store::shown;

const MAGIC: &[u8; 8] = b"MALLERAS";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 16;
const CRC_BYTES: usize = 4;
/// Some hundred thousand erasures.
const BYTES_MAX: usize = 64 << 20;

/// The entries of the ledger at `path`; none if there is no such file.
pub(crate) fn read_if_any(disk: &dyn Disk, path: &Path) -> Result<Vec<Erasure>, Error> {
    match disk::read(disk, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        bytes => decode(&bytes.at(path)?).map_err(|reason| refused(path, &reason)),
    }
}

/// The entries of the ledger at `path`, which must be there.
pub(crate) fn read(disk: &dyn Disk, path: &Path) -> Result<Vec<Erasure>, Error> {
    decode(&disk::read(disk, path).at(path)?).map_err(|reason| refused(path, &reason))
}

/// The entries that verify of a damaged ledger, and its bytes. One of a newer program is refused.
pub(crate) fn salvage(disk: &dyn Disk, path: &Path) -> Result<(Vec<Erasure>, Vec<u8>), Error> {
    let bytes = disk::read(disk, path).at(path)?;
    let version = bytes.get(8..10).filter(|_| bytes.starts_with(MAGIC));
    let is_sound =
        bytes.split_last_chunk::<CRC_BYTES>().is_some_and(|(body, crc)| crc32fast::hash(body).to_le_bytes() == *crc);
    if is_sound && version.is_some_and(|version| version != VERSION.to_le_bytes()) {
        return Err(refused(path, "it was written by a newer program; use that"));
    }
    let mut entries: Vec<Erasure> = Vec::new();
    let mut rest = bytes.get(HEAD_BYTES..).unwrap_or_default();
    while let Some((_, after)) = rest.split_first() {
        let entry = take(rest).and_then(|(entry, after)| Some((Erasure::decode(ERASURE_VERSION, entry).ok()?, after)));
        rest = match entry {
            Some((entry, after)) => {
                entries.push(entry);
                after
            }
            // An entry may begin at any byte behind a damaged one.
            None => after,
        };
    }
    Ok((entries, bytes))
}

/// Replaces the ledger, durably.
pub(crate) fn replace(env: &Env, layout: &Layout, entries: &[Erasure]) -> Result<(), Error> {
    let path = layout.ledger();
    durable::replace(env.disk.as_ref(), &layout.tmp().join("erasure.log"), &path, &encode(entries)).at(&path)
}

/// Erasures as they are to be applied again in the store with this id, each once.
///
/// A position means something in the store that gave it out. Of an erasure of another one it is the time that says what
/// came before it.
pub(crate) fn of_store(entries: impl IntoIterator<Item = Erasure>, store_id: u128) -> Vec<Erasure> {
    let mut erasures: Vec<Erasure> = Vec::new();
    for erasure in entries {
        if erasures.iter().any(|known| known.id == erasure.id) {
            continue;
        }
        let is_own = erasure.store == shown(store_id);
        let reach = if is_own { erasure.reach } else { Reach::Received };
        erasures.push(Erasure { reach, ..erasure });
    }
    erasures
}

/// Adds an entry to the store's ledger, durably; one that is there already is fine.
pub(crate) fn add(env: &Env, layout: &Layout, erasure: &Erasure) -> Result<(), Error> {
    let path = layout.ledger();
    let mut entries = read_if_any(env.disk.as_ref(), &path)?;
    if entries.iter().any(|entry| entry.id == erasure.id) {
        return Ok(());
    }
    entries.push(erasure.clone());
    if encode(&entries).len() > BYTES_MAX {
        return Err(refused(&path, "it is as long as it may be"));
    }
    replace(env, layout, &entries)
}

fn refused(path: &Path, reason: &str) -> Error {
    Error::Refused { path: path.to_owned(), reason: reason.to_owned() }
}

fn encode(entries: &[Erasure]) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &VERSION.to_le_bytes(), &[0; 6]].concat();
    for entry in entries {
        let entry = entry.encode();
        let start = bytes.len();
        let length = u16::try_from(entry.len()).expect("an erasure is shorter than 64 KiB");
        bytes.extend(length.to_le_bytes());
        bytes.extend(entry);
        let crc = crc32fast::hash(bytes.get(start..).unwrap_or_default());
        bytes.extend(crc.to_le_bytes());
    }
    let crc = crc32fast::hash(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Result<Vec<Erasure>, String> {
    let damaged = || "it is damaged; run `mallard-metrics repair`, or restore it from a backup".to_owned();
    let (body, crc) = bytes.split_last_chunk::<CRC_BYTES>().ok_or_else(damaged)?;
    let (head, mut rest) = body.split_at_checked(HEAD_BYTES).ok_or_else(damaged)?;
    if !head.starts_with(MAGIC) || crc32fast::hash(body).to_le_bytes() != *crc {
        return Err(damaged());
    }
    if head.get(8..10) != Some(&VERSION.to_le_bytes()[..]) {
        return Err("it was written by a newer program; use that".to_owned());
    }
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (entry, after) = take(rest).ok_or_else(damaged)?;
        entries.push(Erasure::decode(ERASURE_VERSION, entry).map_err(|error| error.to_string())?);
        rest = after;
    }
    Ok(entries)
}

/// The first entry's bytes and what follows it.
fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(u16::from_le_bytes(*bytes.first_chunk()?));
    let (framed, rest) = bytes.split_at_checked(2 + length)?;
    let (crc, rest) = rest.split_first_chunk::<CRC_BYTES>()?;
    (crc32fast::hash(framed).to_le_bytes() == *crc).then_some((framed.get(2..)?, rest))
}

#[cfg(test)]
mod tests {
    use mallard_event::{SiteId, Subject, VisitorId};
    use mallard_wal::Lsn;
    use mallard_wal::disk::sim;

    use super::*;

    fn erasure(number: u8) -> Erasure {
        let site = SiteId::parse("a.example").unwrap();
        let subject = Subject::visitor(&site, &VisitorId::parse("somebody").unwrap());
        Erasure {
            id: [number; 16],
            store: 7,
            lsn: Lsn::new(9),
            at_us: -1,
            start_us: 0,
            end_us: 86_400_000_000,
            subject: number.is_multiple_of(2).then_some(subject),
            reach: Reach::Lsn,
            site,
        }
    }

    #[test]
    fn entries_are_added_once_and_read_back_in_order() {
        let (env, disk, _) = sim::env(1);
        let layout = Layout::new("/data");
        layout.create(env.disk.as_ref()).unwrap();
        assert_eq!(read_if_any(&disk, &layout.ledger()).unwrap(), []);
        for number in [1, 2, 1, 3] {
            add(&env, &layout, &erasure(number)).unwrap();
        }
        assert_eq!(read(&disk, &layout.ledger()).unwrap(), [erasure(1), erasure(2), erasure(3)]);
        let bytes = disk::read(&disk, &layout.ledger()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"somebody"));
    }

    #[test]
    fn the_golden_file_of_version_1_stays_readable_and_is_written_byte_for_byte() {
        // Made from docs/format.md by other code.
        let golden = include_bytes!("../../tests/fixtures/v1/erasure.log");
        let with = |number, lsn| Erasure { lsn: Lsn::new(lsn), at_us: 1_700_000_000_000_000, ..erasure(number) };
        let entries = [with(1, 9), with(2, 10)];
        assert_eq!(decode(golden).unwrap(), entries);
        assert_eq!(encode(&entries), golden);
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_refused() {
        let bytes = encode(&[erasure(1), erasure(2)]);
        assert_eq!(decode(&bytes).unwrap().len(), 2);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "length {length}");
        }
    }
}

//! `control/date`: the date that was believed last, so that the next life of the process knows what to doubt
//! ([`Calendar`](super::calendar::Calendar)).
//!
//! The bytes are in `docs/format.md`. Written when what it says has moved on by an hour, and when a doubt begins or ends. Dates are whole
//! hours, rounded down: nothing finer may be kept of an event whose time is rounded. A file that cannot be read is passed over,
//! which makes retention wait, and nothing else.

use std::io::ErrorKind;
use std::path::PathBuf;

use mallard_wal::disk::{self, Env, durable};

use super::Store;
use super::calendar::Known;
use super::history::HOUR_US;
use crate::error::{Error, IoContext as _};
use crate::layout::Layout;

const MAGIC: &[u8; 8] = b"MALLDATE";
const VERSION: u16 = 1;
const CRC_BYTES: usize = 4;
const BYTES: usize = 36;
/// Instead of a date that there is none of.
const NEVER_US: i64 = i64::MIN;

impl Store {
    /// Writes down what is believed of the date, if that is news.
    pub(super) fn keep_date(&self) -> Result<(), Error> {
        let known = whole_hours(self.calendar.known());
        if !self.calendar.is_news(known) {
            return Ok(());
        }
        let (path, new) = (path(&self.layout), self.layout.control().join("date.new"));
        let written = durable::replace(self.env.disk.as_ref(), &new, &path, &encode(known));
        // A failed sync may not be tried again; a refusal comes before any sync.
        written.at(&path).inspect_err(|error| self.stop_unless_refused(error))?;
        self.calendar.kept(known);
        Ok(())
    }
}

/// What the last life has written.
pub(super) fn read(env: &Env, layout: &Layout) -> Option<Known> {
    let path = path(layout);
    let reason = match disk::read(env.disk.as_ref(), &path) {
        Ok(bytes) => match decode(&bytes) {
            Some(known) => return Some(known),
            None => "it is damaged, or of a newer program".to_owned(),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => error.to_string(),
    };
    tracing::warn!(path = %path.display(), reason, "what was believed of the date is not known: retention may wait for a day");
    None
}

fn path(layout: &Layout) -> PathBuf {
    layout.control().join("date")
}

fn whole_hours(known: Known) -> Known {
    let floor = |date_us: i64| date_us - date_us.rem_euclid(HOUR_US);
    Known { date_us: floor(known.date_us), doubted_us: known.doubted_us.map(floor) }
}

fn encode(known: Known) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(known.date_us.to_le_bytes());
    bytes.extend(known.doubted_us.unwrap_or(NEVER_US).to_le_bytes());
    let crc = crc32fast::hash(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

/// `None` if the bytes are not what [`encode`] wrote.
fn decode(bytes: &[u8]) -> Option<Known> {
    let (body, crc) = bytes.split_last_chunk::<CRC_BYTES>()?;
    let (magic, rest) = body.split_first_chunk::<8>()?;
    let (version, rest) = rest.split_first_chunk::<2>()?;
    let is_sound = bytes.len() == BYTES && crc32fast::hash(body).to_le_bytes() == *crc;
    if !is_sound || magic != MAGIC || *version != VERSION.to_le_bytes() {
        return None;
    }
    let (_zeros, rest) = rest.split_first_chunk::<6>()?;
    let (date, rest) = rest.split_first_chunk::<8>()?;
    let doubted_us = Some(i64::from_le_bytes(*rest.first_chunk()?)).filter(|date_us| *date_us != NEVER_US);
    Some(Known { date_us: i64::from_le_bytes(*date), doubted_us })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known = Known { date_us: 472_221 * HOUR_US, doubted_us: Some(472_300 * HOUR_US) };

    #[test]
    fn the_golden_file_of_version_1_stays_readable_and_is_written_byte_for_byte() {
        // Made from docs/format.md by other code.
        let golden = include_bytes!("../../tests/fixtures/v1/date");
        assert_eq!(encode(KNOWN), golden);
        assert_eq!(decode(golden), Some(KNOWN));
        let certain = Known { doubted_us: None, ..KNOWN };
        assert_eq!(decode(&encode(certain)), Some(certain));
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_noticed() {
        let bytes = encode(KNOWN);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&damaged), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "length {length}");
        }
    }
}

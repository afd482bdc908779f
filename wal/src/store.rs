//! A store's id: 128 random bits, of which one half is shown and the other is a secret.
//!
//! ```text
//! 0123456789abcdef 0011223344556677
//! └──── shown ───┘ └─ never shown ┘        in Parquet files and in messages: the first half only
//! └──── crc32 of all 16 bytes ────┘        the tag
//! ```
//!
//! The tag enters the checksums of frames and records and is not written beside them. A body is a stranger's bytes and
//! may hold what looks like a record, or like a whole frame, down to the checksum. Where damage makes recovery search a
//! stretch byte by byte, the tag tells what this store wrote from what it was sent: who does not know the secret half
//! hits the tag once in 2^32 attempts, and needs a damaged byte in the right place for each.

use crate::seeded::{Bug, is_seeded};

/// What the checksums of a store's frames and records end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreTag([u8; 4]);

impl StoreTag {
    /// The tag of the store with this id.
    pub fn of(store_id: u128) -> Self {
        let store_id = if is_seeded(Bug::IgnoreStoreTag) { 0 } else { store_id };
        Self(crc32fast::hash(&store_id.to_le_bytes()).to_le_bytes())
    }

    /// The checksum of `bytes`.
    pub(crate) fn crc(self, bytes: &[u8]) -> u32 {
        self.continue_crc(0, bytes)
    }

    /// The checksum of something whose plain crc32 is `crc`, followed by `bytes`.
    pub(crate) fn continue_crc(self, crc: u32, bytes: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new_with_initial(crc);
        hasher.update(bytes);
        hasher.update(&self.0);
        hasher.finalize()
    }
}

/// The half of a store id that may be shown, as 16 hex digits.
pub fn shown_store_id(store_id: u128) -> String {
    format!("{:016x}", store_id >> 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE_ID: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;

    #[test]
    fn the_tag_depends_on_the_half_that_is_not_shown() {
        assert_eq!(shown_store_id(STORE_ID), "0123456789abcdef");
        assert_eq!(shown_store_id(STORE_ID), shown_store_id(STORE_ID ^ 1));
        assert_ne!(StoreTag::of(STORE_ID), StoreTag::of(STORE_ID ^ 1));
    }

    #[test]
    fn a_checksum_is_the_crc_of_the_bytes_and_then_of_the_tag() {
        let tag = crc32fast::hash(&STORE_ID.to_le_bytes());
        let covered = [b"prefix lsn".as_slice(), &tag.to_le_bytes()].concat();
        let store = StoreTag::of(STORE_ID);
        assert_eq!(store.crc(b"prefix lsn"), crc32fast::hash(&covered));
        assert_eq!(store.continue_crc(crc32fast::hash(b"prefix"), b" lsn"), crc32fast::hash(&covered));
    }
}

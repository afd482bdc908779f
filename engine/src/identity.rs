//! `STORE`: who this data directory is and which formats it speaks. Written once, read at every open.
//!
//! ```text
//!  0  8  magic "MALLSTOR"
//!  8  2  format version (1)
//! 10  6  zero
//! 16 16  store id, random
//! 32  8  created, microseconds since 1970 UTC
//! 40  4  crc32 of bytes 0..40
//! ```
//! A higher format version is refused: an older program must not guess what a newer one wrote.

use mallard_wal::disk::{self, Disk, Env, durable};

use crate::error::{Error, IoContext};
use crate::layout::Layout;

const MAGIC: &[u8; 8] = b"MALLSTOR";
const FORMAT_VERSION: u16 = 1;
const LENGTH: usize = 44;

/// What `STORE` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Names this store in every segment, manifest and Parquet file.
    pub(crate) store_id: u128,
    /// When the store was made.
    pub(crate) created_us: i64,
}

impl Identity {
    /// Reads `STORE`, or writes it if this directory has never been a store.
    pub(crate) fn load_or_create(env: &Env, layout: &Layout) -> Result<Self, Error> {
        let path = layout.store();
        match disk::read(env.disk.as_ref(), &path) {
            Ok(bytes) => Self::decode(&bytes).map_err(|reason| Error::Refused { path, reason }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::create(env, layout),
            Err(error) => Err(error).at(&path),
        }
    }

    /// Reads `STORE`, which must be there.
    pub(crate) fn load(disk: &dyn Disk, layout: &Layout) -> Result<Self, Error> {
        let path = layout.store();
        let bytes = disk::read(disk, &path).at(&path)?;
        Self::decode(&bytes).map_err(|reason| Error::Refused { path, reason })
    }

    fn create(env: &Env, layout: &Layout) -> Result<Self, Error> {
        refuse_orphaned_history(env, layout)?;
        Self::replace(env, layout)
    }

    /// Gives the store in this directory a new id. Whatever carries the old one must be gone, or be replaced next.
    pub(crate) fn replace(env: &Env, layout: &Layout) -> Result<Self, Error> {
        let identity = Self::draw(env);
        identity.write(env, layout)?;
        Ok(identity)
    }

    /// A new id.
    pub(crate) fn draw(env: &Env) -> Self {
        let mut id = [0; 16];
        env.entropy.fill(&mut id);
        Self { store_id: u128::from_le_bytes(id), created_us: env.clock.now_us() }
    }

    /// Makes this the `STORE` of the directory, durably.
    pub(crate) fn write(&self, env: &Env, layout: &Layout) -> Result<(), Error> {
        let tmp = layout.tmp().join("STORE");
        let disk = env.disk.as_ref();
        let written = durable::replace(disk, &tmp, &layout.store(), &self.encode());
        // NOTE: what a failed sync has given up would still be found by the next start, and be gone after a power cut, when
        // there is a log of that id. Without it the next start makes a new one.
        written.inspect_err(|_| drop(disk.remove_file(&layout.store()))).at(&layout.store())
    }

    fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        let (body, crc) = bytes.split_at_mut(LENGTH - 4);
        let parts: [&[u8]; 5] = [
            MAGIC,
            &FORMAT_VERSION.to_le_bytes(),
            &[0; 6],
            &self.store_id.to_le_bytes(),
            &self.created_us.to_le_bytes(),
        ];
        for (to, from) in body.iter_mut().zip(parts.concat()) {
            *to = from;
        }
        crc.copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        let bytes: &[u8; LENGTH] = bytes.try_into().map_err(|_| {
            format!("STORE has {} bytes instead of {LENGTH}; run `mallard-metrics repair`", bytes.len())
        })?;
        let (body, crc) = bytes.split_at(LENGTH - 4);
        let (magic, body_rest) = body.split_at(8);
        if magic != MAGIC {
            return Err("STORE does not begin with MALLSTOR: this is no Mallard Metrics data directory, or `mallard-metrics repair` is needed".into());
        }
        if crc32fast::hash(body).to_le_bytes() != crc {
            return Err("STORE fails its checksum; run `mallard-metrics repair`".into());
        }
        let (version, rest) = body_rest.split_at(8);
        match version.first_chunk().map(|version| u16::from_le_bytes(*version)) {
            Some(FORMAT_VERSION) => {}
            found => {
                return Err(format!(
                    "STORE has format version {}, this program knows {FORMAT_VERSION}; run a newer mallard-metrics",
                    found.unwrap_or_default()
                ));
            }
        }
        let (id, created) = rest.split_at(16);
        match (id.first_chunk(), created.first_chunk()) {
            (Some(id), Some(created)) => {
                Ok(Self { store_id: u128::from_le_bytes(*id), created_us: i64::from_le_bytes(*created) })
            }
            _ => Err("STORE is too short".into()),
        }
    }
}

/// Log segments or manifests without `STORE` are somebody's history: giving them a new id would orphan it.
fn refuse_orphaned_history(env: &Env, layout: &Layout) -> Result<(), Error> {
    for folder in [layout.wal(), layout.manifest()] {
        if !env.disk.list(&folder).at(&folder)?.is_empty() {
            let reason = format!("{} has files but STORE is missing; run `mallard-metrics repair`", folder.display());
            return Err(Error::Refused { path: layout.store(), reason });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: Identity =
        Identity { store_id: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10, created_us: 1_700_000_000_000_000 };

    #[test]
    fn golden_bytes_of_version_1_stay_readable() {
        let golden = b"MALLSTOR\x01\x00\x00\x00\x00\x00\x00\x00\x10\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08\x07\x06\x05\x04\x03\x02\x01\x00\x40\x1e\x18\x24\x0a\x06\x00";
        let encoded = IDENTITY.encode();
        assert_eq!(&encoded[..40], golden);
        assert_eq!(Identity::decode(&encoded), Ok(IDENTITY));
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_refused() {
        let encoded = IDENTITY.encode();
        for bit in 0..encoded.len() * 8 {
            let mut damaged = encoded;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Identity::decode(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..encoded.len() {
            assert!(Identity::decode(&encoded[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn a_newer_format_is_refused_with_advice() {
        let mut bytes = IDENTITY.encode();
        bytes[8] = 2;
        let crc = crc32fast::hash(&bytes[..40]).to_le_bytes();
        bytes[40..].copy_from_slice(&crc);
        let refusal = Identity::decode(&bytes).unwrap_err();
        assert!(refusal.contains("run a newer mallard-metrics"), "{refusal}");
    }
}

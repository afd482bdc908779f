//! Stand-ins for the outside world in the tests of this crate's rules.

use std::sync::atomic::{AtomicU64, Ordering};

use mallard_engine::env::Entropy;
use mallard_event::Timestamp;
use sha2::{Digest, Sha256};

/// Different bytes at every call, the same in every run.
#[derive(Debug, Default)]
pub(crate) struct Bytes(AtomicU64);

impl Entropy for Bytes {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::digest(self.0.fetch_add(1, Ordering::SeqCst).to_le_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

/// The instant that `text` names.
pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// `secs` seconds after `start`.
pub(crate) fn after(start: Timestamp, secs: i64) -> Timestamp {
    Timestamp::saturating_from_micros(start.micros() + secs * 1_000_000)
}

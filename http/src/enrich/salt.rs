//! [`Salts`]: the random salt of each UTC day, from which the key of that day's visitor ids is made, and its end.
//!
//! ```text
//! first use on day D      32 random bytes -> control/salt, durable -> memory
//! restart on day D        read back: nobody is counted twice
//! end of D + 5 minutes    the document is replaced without it, then memory is overwritten
//! ```
//! After that nobody can recompute the ids of day D, not even with the secret and a list of addresses. The five minutes are
//! for requests under way at midnight, and for a clock that steps back across it. When the file system reuses the blocks of
//! the replaced document is not ours to say.
//!
//! [`Salts::key`] never waits; [`Salts::make`], once a day, waits for the disk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use mallard_engine::env::Entropy;
use mallard_event::{Date, SiteId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::auth::hex;
use crate::documents::{Document, DocumentError, Documents};

#[cfg(test)]
mod tests;

/// What keeps the hashes of users apart from every other use of the secret.
const USER_HASH_CONTEXT: &[u8] = b"mallard-metrics-user";
/// How long after its day a salt is kept.
const GRACE_US: i64 = 5 * 60 * 1_000_000;

const DOCUMENT: Document = Document { name: "salt", consequence: "today's visitors will be counted once more" };

type Bytes = Zeroizing<[u8; 32]>;

/// `HMAC-SHA256(secret, day_salt)`: the key of a day's visitor ids. Overwritten when the last user lets go.
#[derive(Clone)]
pub(super) struct DayKey(Arc<Bytes>);

#[derive(Clone)]
struct Day {
    date: Date,
    salt: Arc<Bytes>,
    key: DayKey,
}

/// The document.
#[derive(Default, Serialize, Deserialize)]
struct Stored {
    salts: Vec<StoredSalt>,
}

#[derive(Serialize, Deserialize)]
struct StoredSalt {
    date: String,
    salt: String,
}

impl Drop for StoredSalt {
    fn drop(&mut self) {
        self.salt.zeroize();
    }
}

/// The salts in use: today's, and just after midnight yesterday's too.
pub(super) struct Salts {
    documents: Arc<dyn Documents>,
    entropy: Arc<dyn Entropy>,
    secret: Zeroizing<String>,
    days: Mutex<Vec<Day>>,
    /// Held from reading `days` to publishing what became of them; `days` itself is never locked during I/O.
    changing: Mutex<()>,
}

impl Salts {
    /// Reads the salts that an earlier life of the process left, and destroys those whose day has ended. Blocks.
    pub(super) fn open(
        documents: Arc<dyn Documents>,
        entropy: Arc<dyn Entropy>,
        secret: &str,
        now: Timestamp,
    ) -> Result<Self, DocumentError> {
        let stored = DOCUMENT.read::<Stored>(documents.as_ref())?.unwrap_or_default();
        let days = stored.salts.iter().map(|stored| Day::from_stored(stored, secret)).collect::<Option<_>>();
        let days = Mutex::new(days.ok_or_else(|| DOCUMENT.damaged("a salt is malformed"))?);
        let secret = Zeroizing::new(secret.to_owned());
        let salts = Self { documents, entropy, secret, days, changing: Mutex::default() };
        salts.destroy_ended(now)?;
        Ok(salts)
    }

    /// The key of `date`, if it has one already.
    pub(super) fn key(&self, date: Date) -> Option<DayKey> {
        self.days().iter().find(|day| day.date == date).map(|day| day.key.clone())
    }

    /// The key of `date`, made if this is its first use. Blocks; durable on return.
    pub(super) fn make(&self, date: Date) -> Result<DayKey, DocumentError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = self.key(date) {
            return Ok(key);
        }
        let mut salt = Bytes::default();
        self.entropy.fill(salt.as_mut_slice());
        let day = Day::new(date, salt, &self.secret);
        let key = day.key.clone();
        let mut days = self.days().clone();
        days.push(day);
        self.replace(days)?;
        Ok(key)
    }

    /// The key of a past day, for events whose sender states that they happened then. NOTE: unlike a live day's it can be
    /// recomputed by whoever has the secret, for as long as the secret exists; that sender has the addresses anyway.
    pub(super) fn backfill_key(&self, date: Date) -> DayKey {
        let text = format!("backfill:{date}");
        Day::new(date, Zeroizing::new(hmac(self.secret.as_bytes(), [text.as_bytes()])), &self.secret).key
    }

    /// The keyed hash of a site's own id of a user; the same on every day, another one on every site.
    pub(super) fn user_hash(&self, site: &SiteId, user_id: &str) -> String {
        let parts = [self.secret.as_bytes(), b":", site.as_str().as_bytes()];
        let key = Zeroizing::new(hex::encode(&hmac(USER_HASH_CONTEXT, parts)));
        hex::encode(&hmac(key.as_bytes(), [user_id.as_bytes()]))
    }

    /// Destroys the salts whose day ended five minutes ago or earlier. Blocks; durable on return.
    pub(super) fn destroy_ended(&self, now: Timestamp) -> Result<(), DocumentError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let days = self.days().clone();
        let (ended, live): (Vec<Day>, Vec<Day>) =
            days.into_iter().partition(|day| now.micros() - day.date.end().micros() >= GRACE_US);
        if ended.is_empty() { Ok(()) } else { self.replace(live) }
    }

    fn replace(&self, days: Vec<Day>) -> Result<(), DocumentError> {
        let stored = Stored { salts: days.iter().map(Day::to_stored).collect() };
        DOCUMENT.write(&stored, self.documents.as_ref())?;
        // IMPORTANT: durable first, used second; a salt that a crash can lose would count its visitors twice.
        *self.days() = days;
        Ok(())
    }

    fn days(&self) -> MutexGuard<'_, Vec<Day>> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Day {
    fn new(date: Date, salt: Bytes, secret: &str) -> Self {
        let key = Zeroizing::new(hmac(secret.as_bytes(), [salt.as_slice()]));
        Self { date, salt: Arc::new(salt), key: DayKey(Arc::new(key)) }
    }

    fn to_stored(&self) -> StoredSalt {
        StoredSalt { date: self.date.to_string(), salt: hex::encode(self.salt.as_slice()) }
    }

    fn from_stored(stored: &StoredSalt, secret: &str) -> Option<Self> {
        let salt = Zeroizing::new(hex::decode(&stored.salt)?);
        Some(Self::new(Date::parse(&stored.date).ok()?, salt, secret))
    }
}

impl DayKey {
    /// HMAC-SHA256 of the concatenated `parts` under this key.
    pub(super) fn authenticate<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
        hmac(self.0.as_slice(), parts)
    }
}

fn hmac<'a>(key: &[u8], parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.into_iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

//! [`Keys`]: what programs prove themselves with (D14). A key is `mm_` and 64 hexadecimal digits; only its SHA-256 is kept.
//!
//! ```text
//! program: mm_<64 hex>     control/keys: {"keys":[{"sha256":..,"name":..,"scope":..,"sites":..,"created_at_us":..,
//!                                                  "expires_at_us":..,"is_revoked":..}, ..]}, oldest first
//! ```
//! A change is durable before it is visible: a key works only once it survives a crash, a revoked one stays revoked. Writers
//! take turns and wait for the disk; readers never do. A presented key is compared with every kept one, in the same time
//! whatever it is. At most [`KEYS_MAX`] are kept; the revoked ones that were made first make room.

pub(crate) mod api;
mod original;

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use mallard_engine::env::Entropy;
use mallard_event::{SiteId, Timestamp};
use serde::{Deserialize, Serialize};
use subtle::ConditionallySelectable;

use super::token::{Token, TokenHash};
use crate::documents::{Document, DocumentError, Documents};

/// Keys kept at most, revoked ones included.
pub(super) const KEYS_MAX: usize = 256;
/// Sites that one key may be restricted to.
pub(super) const KEY_SITES_MAX: usize = 50;
/// The longest name, in characters.
pub(super) const NAME_CHARACTERS_MAX: usize = 128;

// The longest document that the engine keeps has 4 MiB: names (each character at its longest) and sites must fit.
const _: () = assert!(KEYS_MAX * (KEY_SITES_MAX * 260 + NAME_CHARACTERS_MAX * 6 + 400) < 4 << 20);

const PREFIX: &str = "mm_";
const DOCUMENT: Document = Document { name: "keys", consequence: "no API key will work, and new ones have to be made" };

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Statistics and the list of sites.
    ReadOnly,
    /// Everything.
    Admin,
    /// Events: batches and the trusted fields.
    Ingest,
}

/// What a key allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What it is for.
    pub scope: Scope,
    /// The only sites that it works for, in order; `None`: all.
    pub sites: Option<Arc<[SiteId]>>,
}

impl Grant {
    /// Whether it works for `site`.
    pub fn covers(&self, site: &SiteId) -> bool {
        self.sites.as_ref().is_none_or(|sites| sites.binary_search(site).is_ok())
    }
}

/// A key to be made, with checked values.
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) grant: Grant,
    pub(super) expires_at: Option<Timestamp>,
}

/// What is kept of a key.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) hash: TokenHash,
    pub(super) name: String,
    pub(super) grant: Grant,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) is_revoked: bool,
}

/// There are as many keys in force as there may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

#[derive(Default, Serialize, Deserialize)]
struct Stored {
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    sha256: String,
    name: String,
    scope: Scope,
    sites: Option<Vec<String>>,
    created_at_us: i64,
    expires_at_us: Option<i64>,
    is_revoked: bool,
}

/// All keys, oldest first.
pub(crate) struct Keys {
    documents: Arc<dyn Documents>,
    entropy: Arc<dyn Entropy>,
    kept: RwLock<Vec<Key>>,
    /// Held from reading `kept` to publishing what became of it, so that no change is lost.
    changing: Mutex<()>,
}

impl Keys {
    /// Reads the keys of earlier lives of the process.
    pub(super) fn open(documents: Arc<dyn Documents>, entropy: Arc<dyn Entropy>) -> Result<Self, DocumentError> {
        let stored = DOCUMENT.read::<Stored>(documents.as_ref())?.unwrap_or_default();
        let kept = stored.keys.iter().map(Key::from_stored).collect::<Option<_>>();
        let kept = RwLock::new(kept.ok_or_else(|| DOCUMENT.damaged("a key is malformed"))?);
        Ok(Self { documents, entropy, kept, changing: Mutex::default() })
    }

    /// What `presented` allows now, if it is a key in force.
    pub(super) fn grant(&self, presented: &str, now: Timestamp) -> Option<Grant> {
        Token::parse(presented.strip_prefix(PREFIX)?)?;
        let hash = TokenHash::of(presented);
        let kept = self.kept();
        // The place of the match counted from 1, found without a branch on any comparison.
        let place = (1_u64..)
            .zip(kept.iter())
            .fold(0, |found, (place, key)| u64::conditional_select(&found, &place, key.hash.ct_eq(hash)));
        let key = kept.get(usize::try_from(place).ok()?.checked_sub(1)?)?;
        key.is_in_force(now).then(|| key.grant.clone())
    }

    /// All keys, oldest first.
    pub(super) fn list(&self) -> Vec<Key> {
        self.kept().clone()
    }

    /// Makes a key; returns its text, which is kept nowhere. Blocks; durable on return.
    pub(super) fn create(&self, draft: Draft, now: Timestamp) -> Result<Result<(String, Key), TooMany>, DocumentError> {
        let text = format!("{PREFIX}{}", Token::random(self.entropy.as_ref()).as_str());
        let Draft { name, grant, expires_at } = draft;
        let key = Key { hash: TokenHash::of(&text), name, grant, created_at: now, expires_at, is_revoked: false };
        let added = key.clone();
        let has_room = self.change(|keys| {
            make_room(keys, now);
            let has_room = keys.len() < KEYS_MAX;
            if has_room {
                keys.push(added);
            }
            has_room
        })?;
        Ok(if has_room { Ok((text, key)) } else { Err(TooMany) })
    }

    /// Revokes the key with this hash, for ever; false if there is none. Blocks; durable on return.
    pub(super) fn revoke(&self, hash: TokenHash) -> Result<bool, DocumentError> {
        self.change(|keys| {
            let key = keys.iter_mut().find(|key| key.hash == hash);
            key.map(|key| key.is_revoked = true).is_some()
        })
    }

    /// Makes a change durable, and then visible, if it says so.
    fn change(&self, change: impl FnOnce(&mut Vec<Key>) -> bool) -> Result<bool, DocumentError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = self.list();
        if !change(&mut keys) {
            return Ok(false);
        }
        DOCUMENT.write(&Stored { keys: keys.iter().map(Key::to_stored).collect() }, self.documents.as_ref())?;
        // IMPORTANT: durable first, visible second.
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(true)
    }

    fn kept(&self) -> RwLockReadGuard<'_, Vec<Key>> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the oldest key that no longer works, if there are as many as may be.
fn make_room(keys: &mut Vec<Key>, now: Timestamp) {
    let oldest = keys.iter().position(|key| !key.is_in_force(now));
    if let Some(oldest) = oldest.filter(|_| keys.len() >= KEYS_MAX) {
        keys.remove(oldest);
    }
}

impl Key {
    fn is_in_force(&self, now: Timestamp) -> bool {
        !self.is_revoked && self.expires_at.is_none_or(|expires_at| expires_at > now)
    }

    fn to_stored(&self) -> StoredKey {
        let sites = self.grant.sites.as_ref();
        StoredKey {
            sha256: self.hash.to_hex(),
            name: self.name.clone(),
            scope: self.grant.scope,
            sites: sites.map(|sites| sites.iter().map(|site| site.as_str().to_owned()).collect()),
            created_at_us: self.created_at.micros(),
            expires_at_us: self.expires_at.map(Timestamp::micros),
            is_revoked: self.is_revoked,
        }
    }

    fn from_stored(stored: &StoredKey) -> Option<Self> {
        let parse = |sites: &Vec<String>| sites.iter().map(|site| SiteId::parse(site)).collect::<Result<Arc<[_]>, _>>();
        let sites = stored.sites.as_ref().map(parse).transpose().ok()?;
        Some(Self {
            hash: TokenHash::from_hex(&stored.sha256)?,
            name: stored.name.clone(),
            grant: Grant { scope: stored.scope, sites },
            created_at: Timestamp::from_micros(stored.created_at_us).ok()?,
            expires_at: stored.expires_at_us.map(Timestamp::from_micros).transpose().ok()?,
            is_revoked: stored.is_revoked,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::{Bytes, after, at};
    use crate::documents::memory::Memory;

    #[derive(Default)]
    struct World {
        documents: Arc<Memory>,
        entropy: Arc<Bytes>,
    }

    impl World {
        fn open(&self) -> Keys {
            let (documents, entropy): (Arc<Memory>, Arc<Bytes>) =
                (Arc::clone(&self.documents), Arc::clone(&self.entropy));
            Keys::open(documents, entropy).unwrap()
        }
    }

    fn noon() -> Timestamp {
        at("2024-01-31T12:00:00Z")
    }

    fn draft(scope: Scope) -> Draft {
        Draft { name: "ci".to_owned(), grant: Grant { scope, sites: None }, expires_at: None }
    }

    fn create(keys: &Keys, draft: Draft) -> (String, Key) {
        keys.create(draft, noon()).unwrap().unwrap()
    }

    #[test]
    fn a_key_works_after_a_restart_and_its_text_is_kept_nowhere() {
        let world = World::default();
        let sites: Arc<[SiteId]> = Arc::new([SiteId::parse("a.example").unwrap()]);
        let grant = Grant { scope: Scope::ReadOnly, sites: Some(sites) };
        let (text, _) = create(&world.open(), Draft { grant: grant.clone(), ..draft(Scope::ReadOnly) });
        assert!(text.len() == 67 && text.starts_with("mm_"), "{text}");
        assert_eq!(world.open().grant(&text, noon()), Some(grant));
        assert!(!world.documents.text().contains(&text[3..]));
    }

    #[test]
    fn what_is_not_exactly_a_key_allows_nothing() {
        let keys = World::default().open();
        let (text, _) = create(&keys, draft(Scope::Admin));
        let mut altered = text.clone();
        altered.replace_range(66.., if text.ends_with('0') { "1" } else { "0" });
        for presented in ["", "mm_", &text[3..], &text[..66], &altered, &text.to_uppercase(), &format!("{text}0")] {
            assert_eq!(keys.grant(presented, noon()), None, "{presented}");
        }
        assert!(keys.grant(&text, noon()).is_some());
    }

    #[test]
    fn each_of_several_keys_is_found_with_its_own_grant() {
        let keys = World::default().open();
        for scope in [Scope::ReadOnly, Scope::Admin, Scope::Ingest] {
            let (text, _) = create(&keys, draft(scope));
            assert_eq!(keys.grant(&text, noon()).unwrap().scope, scope);
        }
    }

    #[test]
    fn an_expired_key_allows_nothing_from_that_instant_on() {
        let keys = World::default().open();
        let (text, _) = create(&keys, Draft { expires_at: Some(after(noon(), 60)), ..draft(Scope::Admin) });
        assert!(keys.grant(&text, after(noon(), 59)).is_some());
        assert!(keys.grant(&text, after(noon(), 60)).is_none());
    }

    #[test]
    fn a_revoked_key_stays_revoked_and_one_whose_revocation_was_not_stored_goes_on() {
        let world = World::default();
        let keys = world.open();
        let (text, key) = create(&keys, draft(Scope::Admin));
        world.documents.set_full(true);
        assert!(keys.revoke(key.hash).is_err());
        assert!(keys.grant(&text, noon()).is_some());
        world.documents.set_full(false);
        assert!(keys.revoke(key.hash).unwrap());
        for keys in [keys, world.open()] {
            assert!(keys.grant(&text, noon()).is_none());
            assert!(keys.list()[0].is_revoked);
        }
        assert!(!world.open().revoke(TokenHash::of("another")).unwrap());
    }

    #[test]
    fn a_key_that_could_not_be_stored_does_not_work() {
        let world = World::default();
        world.documents.set_full(true);
        let keys = world.open();
        assert!(keys.create(draft(Scope::Admin), noon()).is_err());
        assert!(keys.list().is_empty());
    }

    #[test]
    fn revoked_keys_make_room_and_those_in_force_do_not() {
        let keys = World::default().open();
        let hashes: Vec<TokenHash> = (0..KEYS_MAX).map(|_| create(&keys, draft(Scope::Admin)).1.hash).collect();
        assert!(keys.create(draft(Scope::Admin), noon()).unwrap().is_err());
        keys.revoke(hashes[7]).unwrap();
        let (text, _) = create(&keys, draft(Scope::Ingest));
        assert_eq!(keys.list().len(), KEYS_MAX);
        assert!(keys.list().iter().all(|key| key.hash != hashes[7]) && keys.grant(&text, noon()).is_some());
        assert!(keys.create(draft(Scope::Admin), noon()).unwrap().is_err());
    }

    #[test]
    fn the_largest_document_that_can_be_made_is_kept() {
        let world = World::default();
        let keys = world.open();
        let sites: Arc<[SiteId]> = (0..KEY_SITES_MAX).map(|n| SiteId::parse(&format!("{n:0>256}")).unwrap()).collect();
        let name = "\u{1}".repeat(NAME_CHARACTERS_MAX);
        for _ in 0..KEYS_MAX {
            let grant = Grant { scope: Scope::ReadOnly, sites: Some(Arc::clone(&sites)) };
            create(&keys, Draft { name: name.clone(), grant, expires_at: Some(after(noon(), 1)) });
        }
        assert!(world.documents.text().len() < 4 << 20);
    }

    #[test]
    fn an_unreadable_list_is_an_error_and_never_no_keys() {
        for text in ["", "{}", r#"{"keys":[{"sha256":"secret"}]}"#] {
            let world = World::default();
            world.documents.put("keys", text);
            let (documents, entropy): (Arc<Memory>, Arc<Bytes>) =
                (Arc::clone(&world.documents), Arc::clone(&world.entropy));
            let error = Keys::open(documents, entropy).err().unwrap().to_string();
            assert!(error.contains("`keys` is damaged") && !error.contains("secret"), "{error}");
        }
    }
}

//! Keys of the original of this program, which kept them as we do: by the SHA-256 of their text. They work on.
//!
//! ```text
//! api_keys.json   [{"key_hash":<64 hex>,"name":..,"scope":"ReadOnly"|"Admin","created_at":"2024-01-15T10:00:00.1","revoked":..}, ..]
//! ```
//! They are taken over once, when this program has no keys of its own yet; then the file gets another name, so that a key that
//! is revoked here does not come back. A file that cannot be read is left as it is: the log says so, and keys are made anew.

use mallard_event::Timestamp;
use serde::Deserialize;

use super::{Grant, KEYS_MAX, Key, Keys, NAME_CHARACTERS_MAX, Scope};
use crate::auth::token::TokenHash;
use crate::documents::DocumentError;

#[derive(Deserialize)]
struct Original {
    key_hash: String,
    name: String,
    scope: Scope,
    created_at: String,
    revoked: bool,
}

impl Keys {
    /// Takes the keys of the original over, if there are any. Blocks; durable on return.
    pub(in crate::auth) fn take_over(&self) -> Result<(), DocumentError> {
        let Some(bytes) = self.documents.original_keys()? else { return Ok(()) };
        let Some(keys) = parse(&bytes) else {
            tracing::warn!("api_keys.json cannot be read: the API keys of the original have to be made anew");
            return Ok(());
        };
        if !self.documents.exists(super::DOCUMENT.name)? {
            let count = keys.len();
            self.change(|kept| {
                *kept = keys;
                true
            })?;
            tracing::info!(keys = count, "the API keys of the original were taken over");
        }
        self.documents.retire_original_keys()
    }
}

/// The keys in the file, oldest first; of too many the revoked ones are left out first, then the oldest.
fn parse(bytes: &[u8]) -> Option<Vec<Key>> {
    let originals: Vec<Original> = serde_json::from_slice(bytes).ok()?;
    let mut keys = originals.into_iter().map(key).collect::<Option<Vec<_>>>()?;
    keys.sort_by_key(|key| (!key.is_revoked, key.created_at));
    keys.drain(..keys.len().saturating_sub(KEYS_MAX));
    keys.sort_by_key(|key| key.created_at);
    Some(keys)
}

fn key(original: Original) -> Option<Key> {
    Some(Key {
        hash: TokenHash::from_hex(&original.key_hash)?,
        name: original.name.chars().take(NAME_CHARACTERS_MAX).collect(),
        grant: Grant { scope: original.scope, sites: None },
        // It was written in UTC, without saying so.
        created_at: Timestamp::parse(&format!("{}Z", original.created_at)).ok()?,
        expires_at: None,
        is_revoked: original.revoked,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(count: usize, revoked: usize) -> Vec<u8> {
        let keys = (0..count).map(|number| {
            serde_json::json!({
                "key_hash": format!("{number:064x}"), "name": "n".repeat(200), "scope": "ReadOnly",
                "created_at": format!("2024-01-15T10:{:02}:{:02}.123456789", number / 60, number % 60),
                "revoked": number < revoked,
            })
        });
        serde_json::to_vec(&keys.collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn of_more_keys_than_are_kept_those_in_force_and_the_newest_stay() {
        let keys = parse(&file(KEYS_MAX + 10, 4)).unwrap();
        assert_eq!(keys.len(), KEYS_MAX);
        assert!(keys.iter().all(|key| !key.is_revoked && key.name.len() == NAME_CHARACTERS_MAX));
        assert_eq!(keys[0].hash.to_hex(), format!("{:064x}", 10));
        assert_eq!(parse(&file(3, 1)).unwrap().iter().filter(|key| key.is_revoked).count(), 1);
    }

    #[test]
    fn a_file_of_another_kind_is_not_guessed_at() {
        for text in
            ["", "{}", "[{}]", r#"[{"key_hash":"00","name":"a","scope":"Admin","created_at":"x","revoked":false}]"#]
        {
            assert!(parse(text.as_bytes()).is_none(), "{text}");
        }
        assert_eq!(parse(b"[]").map(|keys| keys.len()), Some(0));
    }
}

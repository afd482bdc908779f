//! Password hashes: Argon2id, as PHC strings.
//!
//! 19 MiB, 2 passes, 1 lane is the OWASP minimum that leaves the most memory to a machine with 256 MB: at most two run at
//! a time ([`super::queue`]). The parameters travel in the string, so they can be raised later without a migration.
//! Everything here computes for tens of milliseconds: never call it on an async thread or under a lock.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use mallard_engine::env::Entropy;

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;

/// The hash of a password, as a PHC string that was checked to be one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PasswordHash(String);

/// The hash could not be computed: the parameters are refused, or memory is short.
#[derive(Debug, thiserror::Error)]
#[error("argon2: {0}")]
pub struct HashError(String);

impl PasswordHash {
    /// Takes a PHC string from a document.
    pub(crate) fn parse(phc: &str) -> Option<Self> {
        argon2::PasswordHash::new(phc).ok().map(|_| Self(phc.to_owned()))
    }

    /// Hashes `password` with a new salt.
    pub(crate) fn new(password: &str, entropy: &dyn Entropy) -> Result<Self, HashError> {
        let mut salt = [0; SALT_BYTES];
        entropy.fill(&mut salt);
        let hash = hasher()?.hash_password_with_salt(password.as_bytes(), &salt);
        hash.map(|hash| Self(hash.to_string())).map_err(|error| HashError(error.to_string()))
    }

    /// Whether this is the hash of `password`.
    pub(crate) fn matches(&self, password: &str) -> Result<bool, HashError> {
        match hasher()?.verify_password(password.as_bytes(), self.0.as_str()) {
            Ok(()) => Ok(true),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(HashError(error.to_string())),
        }
    }

    /// The PHC string.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn hasher() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| HashError(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::Bytes;

    #[test]
    fn a_hash_matches_its_password_and_no_other() {
        let hash = PasswordHash::new("correct horse", &Bytes::default()).unwrap();
        assert!(hash.matches("correct horse").unwrap());
        for wrong in ["", "Correct horse", "correct horse ", "correct"] {
            assert!(!hash.matches(wrong).unwrap(), "{wrong}");
        }
    }

    #[test]
    fn a_hash_states_its_algorithm_and_parameters_and_is_salted() {
        let entropy = Bytes::default();
        let [first, second] = [(); 2].map(|()| PasswordHash::new("correct horse", &entropy).unwrap());
        assert!(first.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", first.as_str());
        assert_ne!(first.as_str(), second.as_str());
        assert!(!first.as_str().contains("correct"));
    }

    #[test]
    fn only_a_phc_string_is_taken_from_a_document() {
        let phc = PasswordHash::new("correct horse", &Bytes::default()).unwrap();
        assert!(PasswordHash::parse(phc.as_str()).is_some_and(|parsed| parsed == phc));
        for text in ["", "correct horse", "$argon2id$", "$$$$$"] {
            assert!(PasswordHash::parse(text).is_none(), "{text}");
        }
    }
}

//! Random tokens: what a browser holds (64 hexadecimal digits) and what is kept of it (a SHA-256).
//!
//! Whoever reads the data directory learns no token that works. A token has no `Debug`, so that it cannot end up in a log
//! line by accident.

use mallard_engine::env::Entropy;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::hex;

const TOKEN_BYTES: usize = 32;

/// A session's token, as text.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

/// What is kept of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenHash([u8; 32]);

impl Token {
    /// A new token.
    pub(crate) fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; TOKEN_BYTES];
        entropy.fill(&mut bytes);
        Self(hex::encode(&bytes))
    }

    /// Takes a token that a client presents; `None` if it cannot be one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        hex::decode::<TOKEN_BYTES>(text).map(|_| Self(text.to_owned()))
    }

    /// The text that a browser holds.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl TokenHash {
    /// The hash of a text that only its holder knows.
    pub(crate) fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// For a document.
    pub(crate) fn to_hex(self) -> String {
        hex::encode(&self.0)
    }

    /// From a document.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        hex::decode(text).map(Self)
    }

    /// Equality that takes the same time whatever the bytes are.
    pub(crate) fn ct_eq(self, other: Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::Bytes;

    #[test]
    fn a_token_is_64_hexadecimal_digits_and_never_the_same() {
        let entropy = Bytes::default();
        let [first, second] = [(); 2].map(|()| Token::random(&entropy));
        assert_eq!(first.as_str().len(), 64);
        assert!(Token::parse(first.as_str()).is_some_and(|parsed| parsed == first));
        assert!(first != second);
    }

    #[test]
    fn what_cannot_be_a_token_is_not_even_looked_up() {
        for text in ["", "abc", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65)] {
            assert!(Token::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_hash_does_not_contain_its_token_and_survives_its_text() {
        let token = Token::random(&Bytes::default());
        let hash = token.hash();
        assert_ne!(hash.to_hex(), token.as_str());
        assert!(TokenHash::from_hex(&hash.to_hex()).is_some_and(|read| bool::from(read.ct_eq(hash))));
    }
}

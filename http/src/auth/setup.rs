//! [`SetupToken`]: proof that whoever sets the first password can read the server's log.
//!
//! A fresh instance on the internet belongs to nobody, so the first password may be set only by a client on the same
//! machine ([`is_direct_loopback`](crate::enrich::client::is_direct_loopback)), or with this token: 128 bits, new at each
//! start, shown once in the start-up log, gone once used.

use std::sync::{Mutex, PoisonError};

use mallard_engine::env::Entropy;
use subtle::ConstantTimeEq;

use super::hex;

const TOKEN_BYTES: usize = 16;

/// The token, until it is used. It has no `Debug`.
pub(crate) struct SetupToken(Mutex<Option<String>>);

impl SetupToken {
    /// A new token, if one is `needed`.
    pub(crate) fn new(needed: bool, entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; TOKEN_BYTES];
        entropy.fill(&mut bytes);
        Self(Mutex::new(needed.then(|| hex::encode(&bytes))))
    }

    /// The text to show in the log.
    pub(crate) fn text(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether `presented` is the token; takes the same time wherever they differ.
    pub(crate) fn matches(&self, presented: &str) -> bool {
        self.text().is_some_and(|token| token.as_bytes().ct_eq(presented.as_bytes()).into())
    }

    /// The first password is set: the token opens nothing any more.
    pub(crate) fn spend(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::Bytes;

    #[test]
    fn a_token_is_128_bits_new_at_each_start_and_matches_only_itself() {
        let entropy = Bytes::default();
        let [first, second] = [(); 2].map(|()| SetupToken::new(true, &entropy));
        let text = first.text().unwrap();
        assert_eq!(text.len(), 32);
        assert!(first.matches(&text));
        for wrong in ["", &text[1..], &format!("{text}0"), &second.text().unwrap()] {
            assert!(!first.matches(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_spent_or_unneeded_token_matches_nothing() {
        let entropy = Bytes::default();
        let token = SetupToken::new(true, &entropy);
        let text = token.text().unwrap();
        token.spend();
        assert!(!token.matches(&text));
        assert!(token.text().is_none());
        let unneeded = SetupToken::new(false, &entropy);
        assert!(unneeded.text().is_none() && !unneeded.matches(""));
    }
}

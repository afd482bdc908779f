//! [`VisitorId`]: which visitor caused an event, as a pseudonym that changes every UTC day.

use crate::Invalid;
use crate::text::{is_visible_ascii, text_newtype};

const BYTES_MAX: usize = 64;

text_newtype! {
    /// The pseudonym of a visitor: 1 to 64 visible ASCII characters. Ours have 32 hex digits (or are a UUID), those
    /// adopted from the original have 64 hex digits.
    VisitorId
}

impl VisitorId {
    /// Takes an id as the enrichment computed it or a file holds it.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if is_visible_ascii(text, BYTES_MAX) {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new("visitor id", "must be 1 to 64 visible ASCII characters"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_1_to_64_visible_ascii_characters() {
        for accepted in ["0", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", &"f".repeat(64)] {
            assert_eq!(VisitorId::parse(accepted).unwrap().as_str(), accepted);
        }
        for refused in ["", "a b", "é", "a\n", &"f".repeat(65)] {
            let error = VisitorId::parse(refused).unwrap_err();
            assert_eq!(error.to_string(), "visitor id must be 1 to 64 visible ASCII characters", "{refused:?}");
        }
    }
}

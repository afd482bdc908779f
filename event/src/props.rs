//! [`Props`]: the custom properties of an event as JSON text.

use crate::Invalid;
use crate::text::text_newtype;

/// What a client may send as text, and what an object is cut down to.
pub(crate) const SENT_BYTES_MAX: usize = 4096;
/// Text that is not JSON is kept as a JSON string, in which every byte may need an escape of six.
const STORED_BYTES_MAX: usize = 6 * SENT_BYTES_MAX + 2;

text_newtype! {
    /// Properties: JSON text, usually one flat object. At most 4096 bytes, except for text that became a JSON string.
    Props
}

impl Props {
    /// Takes JSON text that is already within the rules of the wire.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.len() > STORED_BYTES_MAX {
            return Err(Invalid::new("props", "must be at most 4096 bytes"));
        }
        match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => Ok(Self(text.into())),
            Err(_) => Err(Invalid::new("props", "must be valid JSON")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn props_are_valid_json_within_the_bound() {
        let text = format!("\"{}\"", "\\u0001".repeat(SENT_BYTES_MAX));
        for accepted in ["{}", r#"{"plan":"pro"}"#, "[1]", "\"text\"", &text] {
            assert_eq!(Props::parse(accepted).unwrap().as_str(), accepted);
        }
        for (refused, message) in [
            ("", "props must be valid JSON"),
            ("{", "props must be valid JSON"),
            ("plain", "props must be valid JSON"),
            (&format!("{text} "), "props must be at most 4096 bytes"),
        ] {
            assert_eq!(Props::parse(refused).unwrap_err().to_string(), message, "{refused:?}");
        }
    }
}

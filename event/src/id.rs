//! [`EventId`]: the id under which an event is stored once.

use crate::Invalid;
use crate::text::{is_visible_ascii, text_newtype};

const BYTES_MAX: usize = 64;

text_newtype! {
    /// The id of an event, unique within its site: 1 to 64 visible ASCII characters, the client's or a UUID.
    EventId
}

impl EventId {
    /// Takes an id as a client sent it, or a UUID.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if is_visible_ascii(text, BYTES_MAX) {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new("event id", "must be 1 to 64 visible ASCII characters"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_1_to_64_visible_ascii_characters() {
        for accepted in ["0", "K:17", "!~", &"f".repeat(64)] {
            assert_eq!(EventId::parse(accepted).unwrap().as_str(), accepted);
        }
        for refused in ["", "a b", "é", "\u{7f}", &"f".repeat(65)] {
            let error = EventId::parse(refused).unwrap_err();
            assert_eq!(error.to_string(), "event id must be 1 to 64 visible ASCII characters", "{refused:?}");
        }
    }
}

//! [`EventName`]: what happened.

use crate::Invalid;
use crate::text::text_newtype;

const BYTES_MAX: usize = 256;

text_newtype! {
    /// The name of an event: 1 to 256 bytes of text. `pageview` and `engagement` are the two that reports treat apart.
    EventName
}

impl EventName {
    /// Takes a name as a client sent it.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if (1..=BYTES_MAX).contains(&text.len()) {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new("event name", "must be 1 to 256 bytes of text"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_1_to_256_bytes_of_any_text() {
        for accepted in ["pageview", " ", "Käufe", "🦆", &"x".repeat(256)] {
            assert_eq!(EventName::parse(accepted).unwrap().as_str(), accepted);
        }
        for refused in ["", &"x".repeat(257), &"é".repeat(129)] {
            let error = EventName::parse(refused).unwrap_err();
            assert_eq!(error.to_string(), "event name must be 1 to 256 bytes of text", "{refused:?}");
        }
    }
}

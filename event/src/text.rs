//! What the newtypes over text share: one macro for their shape, and the cuts that keep text within its bounds.

use std::borrow::Cow;

/// Declares a newtype over text. The type's own file adds `parse`, the only way in.
macro_rules! text_newtype {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(smol_str::SmolStr);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        // Maps keyed by this type can be asked with a plain `&str`.
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

pub(crate) use text_newtype;

/// Whether `text` is 1 to `bytes_max` characters of visible ASCII (no space).
pub(crate) fn is_visible_ascii(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The longest prefix of at most `chars_max` characters.
pub(crate) fn first_chars(text: &str, chars_max: usize) -> &str {
    let end = text.char_indices().nth(chars_max).map(|(end, _)| end);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// `text` without its control characters; borrowed when it has none.
pub(crate) fn without_controls(text: &str) -> Cow<'_, str> {
    // Of plain ASCII, which most text is, a look at the bytes tells.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.contains(char::is_control) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter(|c| !c.is_control()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_counts_characters_and_never_splits_one() {
        assert_eq!(first_chars("añb", 2), "añ");
        assert_eq!(first_chars("añb", 3), "añb");
        assert_eq!(first_chars("añb", 0), "");
        assert_eq!(first_chars("", 5), "");
    }

    #[test]
    fn control_characters_of_ascii_and_latin_1_are_removed() {
        assert_eq!(without_controls("a\u{0}b\tc\u{7f}d\u{85}e ü"), "abcde ü");
        assert!(matches!(without_controls("plain"), Cow::Borrowed("plain")));
    }
}

//! [`Invalid`], the answer of every newtype that refuses a value.

use thiserror::Error;

/// A value that breaks the rule of its field. It never repeats the value: that may be personal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{field} {reason}")]
pub struct Invalid {
    /// The field, by the name its reader knows.
    pub field: &'static str,
    /// What the field must be, as the rest of a sentence that begins with its name.
    pub reason: &'static str,
}

impl Invalid {
    pub(crate) const fn new(field: &'static str, reason: &'static str) -> Self {
        Self { field, reason }
    }
}

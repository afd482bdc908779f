//! [`PayloadError`]: what is wrong with a payload, in words for the client.

use thiserror::Error;

use crate::Invalid;

/// Which rule a payload breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadErrorKind {
    /// The body is not JSON.
    Syntax,
    /// A required field is absent.
    Missing,
    /// A field, or the body, has the wrong JSON type.
    WrongType,
    /// A field is empty, over-long, ill-formed or out of range.
    Invalid,
}

/// A refused payload.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct PayloadError {
    /// Which rule is broken.
    pub kind: PayloadErrorKind,
    /// The field, such as `d (domain)`, or `body`.
    pub field: &'static str,
    /// The sentence for the client: the field and what it must be. It holds nothing that the client sent.
    pub message: String,
}

impl PayloadError {
    pub(super) fn syntax(reason: impl std::fmt::Display) -> Self {
        let message = format!("body is not valid JSON: {reason}");
        Self { kind: PayloadErrorKind::Syntax, field: "body", message }
    }

    pub(super) fn missing(field: &'static str) -> Self {
        Self { kind: PayloadErrorKind::Missing, field, message: format!("{field} is missing") }
    }

    pub(super) fn wrong_type(field: &'static str, reason: &str) -> Self {
        Self { kind: PayloadErrorKind::WrongType, field, message: format!("{field} {reason}") }
    }

    pub(super) fn invalid(field: &'static str, reason: &str) -> Self {
        Self { kind: PayloadErrorKind::Invalid, field, message: format!("{field} {reason}") }
    }

    /// The refusal of a newtype, under the name that the client knows.
    pub(super) fn refused(field: &'static str) -> impl Fn(Invalid) -> Self {
        move |invalid| Self::invalid(field, invalid.reason)
    }
}

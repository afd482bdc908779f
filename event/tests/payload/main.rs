//! What clients send: every rule of a payload, with what it accepts, what it refuses, and in which words.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, in its helpers too")]

mod aliases;
mod body;
mod fields;
mod hostile;
mod page_url;
mod pixel;
mod props;
mod revenue;
mod trusted;

use mallard_event::payload::{Payload, PayloadError, PayloadErrorKind, RawPayload, Trust};

/// A good payload with `fields`, the rest of a JSON object after `d`, `n` and `u`.
fn body_with(fields: &str) -> String {
    format!(r#"{{"d":"example.com","n":"pageview","u":"https://example.com/",{fields}}}"#)
}

fn parse(body: &str, trust: Trust) -> Result<Payload, PayloadError> {
    RawPayload::parse(body.as_bytes())?.validate(trust)
}

/// The payload that anybody may send.
fn accepted(body: &str) -> Payload {
    parse(body, Trust::Anonymous).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn accepted_with(fields: &str) -> Payload {
    accepted(&body_with(fields))
}

/// The kind and the message of the refusal.
fn refused(body: &str) -> (PayloadErrorKind, String) {
    let error = parse(body, Trust::Anonymous).expect_err(body);
    assert_eq!(error.to_string(), error.message);
    (error.kind, error.message)
}

fn assert_refused(body: &str, kind: PayloadErrorKind, message: &str) {
    assert_eq!(refused(body), (kind, message.to_owned()), "{body}");
}

fn assert_refused_with(fields: &str, kind: PayloadErrorKind, message: &str) {
    assert_refused(&body_with(fields), kind, message);
}

//! `POST /api/event`: one event as JSON.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use mallard_event::payload::RawPayload;

use super::Outcome;
use crate::app::App;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::{self, Response};
use crate::server::limits::LIMITS;

const LSN: HeaderName = HeaderName::from_static("x-mallard-lsn");
const EVENT_ID: HeaderName = HeaderName::from_static("x-mallard-event-id");
const DROPPED: HeaderName = HeaderName::from_static("x-mallard-dropped");
const DUPLICATE: HeaderName = HeaderName::from_static("x-mallard-duplicate");

/// Answers 202 when the event is durable.
pub(crate) async fn post(app: &App, mut request: Request) -> Result<Response, ApiError> {
    let outcome = receive(app, &mut request).await.inspect_err(|error| super::count_refusal(app, error))?;
    acknowledge(&outcome)
}

async fn receive(app: &App, request: &mut Request) -> Result<Outcome, ApiError> {
    if !request.headers().get(CONTENT_TYPE).is_none_or(is_json_or_text) {
        return Err(ApiError::UnsupportedMediaType);
    }
    let body = request.read_body(LIMITS.event_bytes_max).await?;
    let raw = RawPayload::parse(&body).map_err(super::refused)?;
    super::accept(app, request, raw).await
}

/// `text/plain` spares browsers the preflight; what it holds is JSON all the same.
pub(super) fn is_json_or_text(content_type: &HeaderValue) -> bool {
    let text = content_type.to_str().unwrap_or_default().to_ascii_lowercase();
    let essence = text.split(';').next().unwrap_or_default().trim();
    let is_json = |subtype: &str| subtype == "json" || subtype.ends_with("+json");
    matches!(essence, "" | "text/plain") || essence.strip_prefix("application/").is_some_and(is_json)
}

fn acknowledge(outcome: &Outcome) -> Result<Response, ApiError> {
    let mut response = response::empty(StatusCode::ACCEPTED);
    let headers = response.headers_mut();
    match outcome {
        Outcome::Stored { lsn, id } | Outcome::Duplicate { lsn, id } => {
            headers.insert(LSN, HeaderValue::from(*lsn));
            headers.insert(EVENT_ID, HeaderValue::from_str(id.as_str()).map_err(ApiError::internal)?);
            if matches!(outcome, Outcome::Duplicate { .. }) {
                headers.insert(DUPLICATE, HeaderValue::from_static("1"));
            }
        }
        Outcome::Dropped(reason) => {
            headers.insert(DROPPED, HeaderValue::from_static(reason));
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_comes_under_several_content_types() {
        for accepted in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/vnd.api+json",
            "text/plain;charset=UTF-8",
            "",
        ] {
            assert!(is_json_or_text(&HeaderValue::from_static(accepted)), "{accepted}");
        }
        for refused in ["text/html", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx"] {
            assert!(!is_json_or_text(&HeaderValue::from_static(refused)), "{refused}");
        }
    }
}

//! Answers: the few shapes a handler returns. What every answer carries (security headers, request id, CORS, gzip) is
//! added in one place, [`crate::server::envelope`]; handlers do not repeat it.

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response as HttpResponse, StatusCode};
use serde::Serialize;

use crate::error::ApiError;

/// What a handler returns. Bodies are whole: nothing is streamed yet.
pub type Response = HttpResponse<Bytes>;

/// Content type of JSON.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Content type of plain text.
pub const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Headers of the usual answer.
const HEADERS_USUAL: usize = 12;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store, no-cache");

/// `status` without a body.
pub fn empty(status: StatusCode) -> Response {
    with_body(status, Bytes::new())
}

/// `status` with a body of the given type.
pub fn body(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Response {
    let mut response = with_body(status, body.into());
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn with_body(status: StatusCode, body: Bytes) -> Response {
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    // Room for what the envelope adds: growing means to hash everything again.
    response.headers_mut().reserve(HEADERS_USUAL);
    response
}

/// `status` with a line of text.
pub fn text(status: StatusCode, text: &'static str) -> Response {
    body(status, TEXT, Bytes::from_static(text.as_bytes()))
}

/// 200 with `value` as JSON, not to be kept by any cache.
pub fn json(value: &impl Serialize) -> Result<Response, ApiError> {
    let bytes = serde_json::to_vec(value).map_err(ApiError::internal)?;
    let mut response = body(StatusCode::OK, JSON, bytes);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    Ok(response)
}
